package reported

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// locate looks for a reported mail in the mailbox of who reported it: by its Message-ID, else by what a forwarding tells of it.
func (w *tenancy) locate(ctx context.Context, id string) error {
	var m *Mail
	var box owner
	err := w.Store.ViewTenant(ctx, w.id, func(t *store.Tenant) (err error) {
		if m, err = Get(ctx, t, id); err != nil || m.ReporterPerson == "" {
			return err
		}
		box, err = ownerOf(ctx, t, m.ReporterPerson)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if box.object == "" {
		return w.lost(ctx, m, tocsin.Problemf(tocsin.NotFound, "Make an investigation from it, to see who has it.", "Who reported it is nobody of this tenant, so there is no mailbox to look into."))
	}
	r, err := w.by(ctx, connect.Investigations)
	if err == nil {
		err = r.may(box.address)
	}
	if err != nil {
		return w.unseen(ctx, m, err)
	}
	hit, err := r.find(ctx, box, m)
	if err != nil {
		return w.unseen(ctx, m, err)
	}
	if hit == nil {
		if w.Store.Clock().Now().Sub(m.At) < 10*time.Minute && m.Way != Forwarded { // it may be on its way to another folder
			return w.unseen(ctx, m, tocsin.Problemf(tocsin.Unavailable, "It is looked for again.", "The mail is not in the reporter's mailbox."))
		}
		return w.lost(ctx, m, tocsin.Problemf(tocsin.NotFound, "Make an investigation from it, to see who has it.", "The mail is not in the mailbox %s: it was deleted for good, or never there.", box.address))
	}
	var raw []byte
	if m.Evidence == "" {
		if err := r.gc.Get(ctx, "messages.mime", graph.P{"user": box.object, "message": hit.ID}, &raw); err != nil {
			return w.unseen(ctx, m, err)
		}
	}
	folder := r.folder(ctx, box, hit.Folder)
	if err := w.point("found"); err != nil {
		return err
	}
	return w.update(ctx, func(t *store.Tenant) error {
		m, err := Get(ctx, t, id) // as it is now: somebody may have judged it meanwhile
		if err != nil || m.State != Looking {
			return err
		}
		m.State, m.Because, m.Mend, m.Person, m.Message, m.Folder, m.Proven = Found, "", "", box.person, hit.ID, folder, true
		if raw != nil {
			m.describe(raw)
		} else {
			m.HasAttachments = hit.HasAttachments
		}
		m.Received = hit.Received.Time
		if m.InternetMessageID == "" {
			m.InternetMessageID = hit.InternetMessageID
		}
		if err := note(ctx, t, m.ID, "", "found", box.address); err != nil {
			return err
		}
		first := raw != nil && m.Way == Addin
		if raw != nil {
			err = m.keep(ctx, t, w.Keeper, raw)
		} else {
			err = m.save(ctx, t, "")
		}
		if err != nil || !first || !w.Thanks || m.answerable() != nil {
			return err
		}
		return m.queue(ctx, t, "", Thanks, "") // of the add-in nothing is believed before
	})
}

// find is the message in a mailbox; nil where it is not there. Recoverable items are looked into as well: some report by deleting.
func (r *reach) find(ctx context.Context, box owner, m *Mail) (*message, error) {
	wanted := m.Read.Wanted
	if len(wanted) == 0 && m.InternetMessageID != "" {
		wanted = []string{m.InternetMessageID}
	}
	for _, id := range wanted {
		filter := "internetMessageId eq '" + strings.ReplaceAll(id, "'", "''") + "'"
		for _, call := range []string{"messages.search", "messages.search.folder"} {
			p := graph.P{"user": box.object, "$filter": filter}
			if call == "messages.search.folder" {
				p["folder"] = "recoverableitemsdeletions"
			}
			hit, err := r.best(ctx, call, p, func(message) bool { return true })
			if hit != nil || err != nil {
				return hit, err
			}
		}
	}
	f := m.Read.Forward
	if f == nil || f.Sender == "" || f.Subject == "" {
		return nil, nil
	}
	from, to := m.At.AddDate(0, 0, -30), m.At
	if f.Date != 0 { // its zone is not told
		from, to = tocsin.FromMillis(f.Date).AddDate(0, 0, -2), tocsin.FromMillis(f.Date).AddDate(0, 0, 2)
	}
	filter := "receivedDateTime ge " + from.UTC().Format(time.RFC3339) + " and receivedDateTime le " + to.UTC().Format(time.RFC3339) + " and from/emailAddress/address eq '" + strings.ReplaceAll(f.Sender, "'", "''") + "'"
	same := func(x message) bool {
		return strings.EqualFold(strings.Join(strings.Fields(bareSubject(x.Subject)), " "), strings.Join(strings.Fields(bareSubject(f.Subject)), " "))
	}
	return r.best(ctx, "messages.search", graph.P{"user": box.object, "$filter": filter}, same)
}

// best is the newest message of those that a call gives and that are no drafts.
func (r *reach) best(ctx context.Context, call string, p graph.P, ok func(message) bool) (*message, error) {
	var all []message
	for x, err := range graph.Pages[message](ctx, r.gc, call, p) {
		if _, none := errors.AsType[*graph.NotFound](err); none && call == "messages.search.folder" {
			return nil, nil // the mailbox has no such folder
		}
		if err != nil {
			return nil, err
		}
		if !x.IsDraft && ok(x) {
			all = append(all, x)
		}
		if len(all) >= 500 {
			break
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	newest(all)
	return &all[0], nil
}

// folder is the name of the folder where a message lies; its id where the name cannot be had, which is no reason to wait.
func (r *reach) folder(ctx context.Context, box owner, id string) string {
	var f struct {
		Name string `json:"displayName"`
	}
	if err := r.gc.Get(ctx, "mailFolders.get", graph.P{"user": box.object, "folder": id}, &f); err != nil || f.Name == "" {
		return id
	}
	return f.Name
}

// unseen has a mail looked for again, or given up where what stands in the way does not pass.
func (w *tenancy) unseen(ctx context.Context, m *Mail, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if ours(cause) {
		return cause
	}
	now := w.Store.Clock().Now()
	if !passing(cause) || now.Sub(m.At) > giveUp {
		return w.lost(ctx, m, connect.Explain(cause))
	}
	wait := backoff(m.Tries + 1)
	if t, ok := errors.AsType[*graph.Throttled](cause); ok {
		wait = max(wait, t.After)
	}
	p := connect.Explain(cause)
	return w.change(ctx, m.ID, func(t *store.Tenant, m *Mail) error {
		m.Tries, m.Due, m.Because, m.Mend = m.Tries+1, now.Add(wait), p.What, p.Do
		return m.save(ctx, t, "")
	})
}

// lost ends the looking.
func (w *tenancy) lost(ctx context.Context, m *Mail, p *tocsin.Problem) error {
	return w.change(ctx, m.ID, func(t *store.Tenant, m *Mail) error {
		m.State, m.Because, m.Mend = Lost, p.What, p.Do
		if err := m.save(ctx, t, ""); err != nil {
			return err
		}
		return note(ctx, t, m.ID, "", "lost", p.What)
	})
}

// change changes a report that is still looked for.
func (w *tenancy) change(ctx context.Context, id string, do func(*store.Tenant, *Mail) error) error {
	return w.update(ctx, func(t *store.Tenant) error {
		m, err := Get(ctx, t, id)
		if err != nil || m.State != Looking {
			return err
		}
		return do(t, m)
	})
}
