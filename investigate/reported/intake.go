package reported

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/investigate/evidence"
	mime "tocsin.dev/mail"
	"tocsin.dev/store"
)

// message is what is asked of a message's envelope. https://learn.microsoft.com/graph/api/resources/message
type message struct {
	ID                string           `json:"id"`
	InternetMessageID string           `json:"internetMessageId"`
	Folder            string           `json:"parentFolderId"`
	Subject           string           `json:"subject"`
	From              *graph.Recipient `json:"from"`
	Received          graph.Time       `json:"receivedDateTime"`
	HasAttachments    bool             `json:"hasAttachments"`
	IsDraft           bool             `json:"isDraft"`
}

// How far back a look overlaps the one before: what was delivered may show late.
const overlap = 10 * time.Minute

// giveUp is how long a message is tried that cannot be read, and a mail is looked for.
const giveUp = 24 * time.Hour

// intake looks into the reports mailbox where that is due: the stream has told of something newer than was dealt with, or it is time.
func (w *tenancy) intake(ctx context.Context) error {
	var in Inbox
	var box owner
	var told int64
	var again []string
	now := w.Store.Clock().Now()
	err := w.Store.ViewTenant(ctx, w.id, func(t *store.Tenant) (err error) {
		if in, err = InboxOf(ctx, t, w.Person); err != nil {
			return err
		}
		if box, err = ownerOf(ctx, t, w.Person); err != nil {
			return err
		}
		if again, err = texts(ctx, t, `select message from reported_seen where tenant = $1 and outcome = 'waiting' and due <= $2 order by due limit 50`, now); err != nil {
			return err
		}
		return t.QueryRow(ctx, `select coalesce(max(received), 0) from mail where tenant = $1 and person = $2 and received > $3`, string(w.Person), in.Since).Scan(&told)
	})
	if errors.Is(err, store.ErrNone) { // the person is gone from the directory
		return w.inbox(ctx, in, tocsin.Problemf(tocsin.NotFound, "Name another mailbox in the settings of reports.", "The reports mailbox is not in the directory."))
	}
	if err != nil {
		return err
	}
	every := w.Every
	if every == 0 {
		every = 30 * time.Second
	}
	if in.Because != "" {
		every = max(every, time.Minute) // it is not hammered at while it cannot be read
	}
	due := now.Sub(in.Asked) >= every || told > 0 && in.Because == "" && now.Sub(in.Asked) >= 2*time.Second
	if !due && len(again) == 0 {
		return nil
	}
	r, err := w.by(ctx, connect.Investigations)
	if err == nil {
		err = r.may(box.address)
	}
	if err != nil {
		return w.inbox(ctx, in, err)
	}
	for _, id := range again {
		if err := w.take(ctx, r, box, message{ID: id}); err != nil {
			return err
		}
	}
	if !due {
		return nil
	}
	since := in.Since
	p := graph.P{"user": box.object, "folder": "inbox", "$filter": "receivedDateTime ge " + in.Since.Add(-overlap).UTC().Format(time.RFC3339), "$orderby": "receivedDateTime asc"}
	for m, err := range graph.Pages[message](ctx, r.gc, "messages.search.folder", p) {
		if err != nil {
			return w.inbox(ctx, in, err)
		}
		if err := w.take(ctx, r, box, m); err != nil {
			return err
		}
		if m.Received.After(since) {
			since = m.Received.Time
		}
	}
	in.Since = since
	return w.inbox(ctx, in, nil)
}

// inbox notes how far the mailbox is read, and why it cannot be.
func (w *tenancy) inbox(ctx context.Context, in Inbox, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	because, mend := "", ""
	if cause != nil {
		if ours(cause) {
			return cause
		}
		p := connect.Explain(cause)
		because, mend = p.What, p.Do
	}
	return w.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into reported_inbox (tenant, person, since, asked, because, mend) values ($1, $2, $3, $4, $5, $6)
			on conflict (tenant, person) do update set since = excluded.since, asked = excluded.asked, because = excluded.because, mend = excluded.mend`, string(w.Person), in.Since, w.Store.Clock().Now(), because, mend)
		if err != nil || because == in.Because {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "reported.inbox", Subject: string(w.Person)})
	})
}

// take deals with one message of the reports mailbox: once.
func (w *tenancy) take(ctx context.Context, r *reach, box owner, m message) error {
	tries, outcome := 0, ""
	err := w.Store.ViewTenant(ctx, w.id, func(t *store.Tenant) error {
		err := t.QueryRow(ctx, `select outcome, tries from reported_seen where tenant = $1 and message = $2`, m.ID).Scan(&outcome, &tries)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || outcome != "" && outcome != "waiting" || m.IsDraft {
		return err
	}
	var raw []byte
	err = r.gc.Get(ctx, "messages.mime", graph.P{"user": box.object, "message": m.ID}, &raw)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return w.untaken(ctx, m, tries+1, err)
	}
	report := Read(raw)
	if err := w.point("read"); err != nil {
		return err
	}
	return w.update(ctx, func(t *store.Tenant) error {
		outcome, because := "taken", ""
		switch {
		case report.Machine:
			outcome, because = "passed", "No person wrote it."
		case strings.EqualFold(report.From.Address, box.address):
			outcome, because = "passed", "It was sent from the reports mailbox itself."
		case len(report.Mails) == 0:
			outcome, because = "passed", "No mail is attached to it or forwarded in it."
		}
		if err := w.dealt(ctx, t, m.ID, outcome, because, tries, 0); err != nil || outcome != "taken" {
			return err
		}
		for i, one := range report.Mails {
			if err := w.report(ctx, t, m.ID, i, report, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// dealt writes down what became of a message of the reports mailbox; due is when it is tried again, in ms.
func (w *tenancy) dealt(ctx context.Context, t *store.Tenant, id, outcome, because string, tries int, due int64) error {
	_, err := t.Exec(ctx, `insert into reported_seen (tenant, message, at, outcome, because, tries, due) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (tenant, message) do update set outcome = excluded.outcome, because = excluded.because, tries = excluded.tries, due = excluded.due`, id, w.Store.Clock().Now(), outcome, because, tries, due)
	return err
}

// untaken notes that a message could not be read: what passes is tried again for a day.
func (w *tenancy) untaken(ctx context.Context, m message, tries int, cause error) error {
	if ours(cause) {
		return cause
	}
	p := connect.Explain(cause)
	return w.update(ctx, func(t *store.Tenant) error {
		now := w.Store.Clock().Now()
		var first int64
		err := t.QueryRow(ctx, `select at from reported_seen where tenant = $1 and message = $2`, m.ID).Scan(&first)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		if !passing(cause) || first != 0 && now.Sub(tocsin.FromMillis(first)) > giveUp {
			return w.dealt(ctx, t, m.ID, "lost", p.What, tries, 0)
		}
		_, err = t.Exec(ctx, `insert into reported_seen (tenant, message, at, outcome, because, tries, due) values ($1, $2, $3, 'waiting', $4, $5, $6)
			on conflict (tenant, message) do update set because = excluded.because, tries = excluded.tries, due = excluded.due`, m.ID, now, p.What, tries, now.Add(backoff(tries)))
		return err
	})
}

// report writes a mail that was reported by a message, with its evidence where it came whole.
func (w *tenancy) report(ctx context.Context, t *store.Tenant, source string, part int, from Report, one Reported) error {
	now := w.Store.Clock().Now()
	m := &Mail{At: now, Way: Forwarded, Source: source, Part: part, Reporter: tocsin.CanonicalAddress(from.From.Address), ReporterName: line(from.From.Name, 200), Proven: from.Inside, Note: from.Note,
		State: Looking, Sender: one.Sender, SenderName: one.Name, Subject: one.Subject, Received: one.Date, Due: now}
	var err error
	if m.ReporterPerson, _, err = byAddress(ctx, t, m.Reporter); err != nil {
		return err
	}
	if m.ReporterPerson == "" {
		m.Proven = false
	}
	if len(one.MessageID) > 0 {
		m.InternetMessageID = one.MessageID[0]
	}
	if one.Raw != nil {
		m.Way = Attached
		m.describe(one.Raw)
	} else {
		m.SenderDomain = mime.Address{Address: one.Sender}.Domain()
		m.Read.Forward = &Forward{Sender: one.Sender, Subject: one.Subject, Date: tocsin.Millis(one.Date)}
	}
	m.Read.Wanted = one.MessageID
	fresh, err := m.add(ctx, t)
	if err != nil || !fresh {
		return err
	}
	if one.Raw != nil {
		if err := m.keep(ctx, t, w.Keeper, one.Raw); err != nil {
			return err
		}
	}
	if !w.Thanks || part > 0 || m.answerable() != nil {
		return nil
	}
	return m.queue(ctx, t, "", Thanks, "")
}

// describe reads a mail that is there whole.
func (m *Mail) describe(raw []byte) {
	p := mime.Parse(raw)
	wanted, forward := m.Read.Wanted, m.Read.Forward
	m.Read = ReadingOf(p)
	m.Read.Wanted, m.Read.Forward = wanted, forward
	m.Read.Query = queryOf(p)
	m.Subject, m.HasAttachments = p.Subject, p.HasAttachments()
	if p.MessageID != "" {
		m.InternetMessageID = "<" + p.MessageID + ">"
	}
	if len(p.From) > 0 {
		m.Sender, m.SenderName, m.SenderDomain = p.From[0].Address, p.From[0].Name, p.From[0].Domain()
	}
	if !p.Received.IsZero() {
		m.Received = p.Received
	} else if !p.Date.IsZero() {
		m.Received = p.Date
	}
}

// keep keeps a mail as evidence, in place of nothing: what was kept first stays.
func (m *Mail) keep(ctx context.Context, t *store.Tenant, k evidence.Keeper, raw []byte) error {
	it, err := evidence.Keep(ctx, t, k, evidence.Item{Reason: "It was reported by " + m.Reporter + ".", Origin: evidence.FromReport, OriginID: m.ID, Person: m.Person, Message: m.Message,
		InternetMessageID: m.InternetMessageID, Sender: m.Sender, Subject: m.Subject, Received: m.Received}, raw)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Invalid { // too large: the report stands without
		m.Read.Faults = append(m.Read.Faults, p.What)
		return m.save(ctx, t, "")
	}
	if err != nil {
		return err
	}
	if m.Evidence == "" {
		m.Evidence = it.ID
	}
	return m.save(ctx, t, "")
}
