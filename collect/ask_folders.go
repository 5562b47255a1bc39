package collect

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// knownFolders are those whose names are asked for in every language at the first look at a mailbox's folders.
var knownFolders = []string{"msgfolderroot", "inbox", "drafts", "sentitems", "deleteditems", "junkemail", "archive", "outbox", "conversationhistory", "recoverableitemsdeletions"}

// hiddenEvery is how often the hidden folders are looked at, which delta leaves out.
const hiddenEvery = 24 * time.Hour

// foldersAtOnce is how many mailboxes' folders are looked at side by side.
const foldersAtOnce = 16

// foldersSeen are folders of a mailbox as a look found them, or a part of them: the last part has the token.
type foldersSeen struct {
	First   bool         `json:"first,omitempty"` // all of them are new to us, and none is news
	Folders []folderSeen `json:"folders,omitempty"`
	Gone    []string     `json:"gone,omitempty"`
	Last    bool         `json:"last,omitempty"`
	Token   string       `json:"token,omitempty"`  // where the next look begins
	Hidden  bool         `json:"hidden,omitempty"` // the hidden ones were looked at too
}

// folderSeen is a folder as it was seen.
type folderSeen struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty"`
	Known  string `json:"known,omitempty"` // Graph's name in every language; empty where it has none, or was not asked for
	Hidden bool   `json:"hidden,omitempty"`
}

// folderLook is a row of the table.
type folderLook struct {
	person         tocsin.PersonID
	object, token  string
	whole, hidden  int64
	tries          int64
	first, hideous bool // the first look; the hidden ones are due
}

// askMailFolders looks at the folders of those mailboxes that are watched and due: by delta, where a look stands already.
func (c *Collector) askMailFolders(ctx context.Context) error {
	rules, err := c.row(ctx, "rules")
	if err != nil {
		return err
	}
	if rules.Succeeded == 0 {
		return errNothing // what is dangerous is read first
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	if err := c.foldersWanted(ctx); err != nil {
		return err
	}
	for asked := false; ; asked = true {
		due, err := c.dueFolders(ctx)
		switch {
		case err != nil:
			return err
		case len(due) == 0 && !asked:
			return errNothing
		case len(due) == 0:
			return nil
		}
		var refused atomic.Pointer[error]
		g, inner := errgroup.WithContext(ctx)
		g.SetLimit(foldersAtOnce)
		for i := range due {
			g.Go(func() error {
				if refused.Load() != nil {
					return nil
				}
				failed := c.lookAtFolders(inner, &due[i])
				if inner.Err() != nil {
					return inner.Err()
				}
				if failed != nil && stops(failed) {
					refused.Store(&failed) // it speaks for all
					return nil
				}
				return c.noteFolders(inner, &due[i], failed)
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if p := refused.Load(); p != nil {
			return *p
		}
	}
}

// foldersWanted brings the table in line with the mailboxes that are watched.
func (c *Collector) foldersWanted(ctx context.Context) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `insert into folder_look (tenant, person) select s.tenant, s.person from subscription s where s.tenant = $1 and s.state <> 'ending'
			and not exists (select 1 from folder_look l where l.tenant = s.tenant and l.person = s.person)`); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `delete from folder_look where tenant = $1 and not exists
			(select 1 from subscription s where s.tenant = folder_look.tenant and s.person = folder_look.person and s.state <> 'ending')`)
		return err
	})
}

func (c *Collector) dueFolders(ctx context.Context) (out []folderLook, err error) {
	now := c.Store.Clock().Now()
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var l folderLook
			err := scan(&l.person, &l.object, &l.token, &l.whole, &l.hidden, &l.tries)
			l.first, l.hideous = l.whole == 0, l.hidden <= tocsin.Millis(now.Add(-hiddenEvery))
			out = append(out, l)
			return err
		}, `select l.person, p.object_id, l.token, l.whole, l.hidden, l.tries from folder_look l join person p on p.tenant = l.tenant and p.person = l.person
			where l.tenant = $1 and l.due <= $2 order by l.due, l.person limit 500`, tocsin.Millis(now))
	})
	return out, err
}

// noteFolders notes when a mailbox's folders are next looked at.
func (c *Collector) noteFolders(ctx context.Context, l *folderLook, failed error) error {
	every := c.Every.OrDefault().Folders
	wait, tries, because := every-time.Duration(rand.Int64N(int64(every/10)+1)), int64(0), "" // not all at once
	if failed != nil {
		tries, because = l.tries+1, Explain(failed).What
		wait = max(retryAfter(failed, every), min(every, 10*time.Second<<min(tries, 12)))
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update folder_look set due = $3, tries = $4, because = $5 where tenant = $1 and person = $2`,
			string(l.person), tocsin.Millis(c.Store.Clock().Now().Add(wait)), tries, because)
		return err
	})
}

// lookAtFolders asks for a mailbox's folders, or what changed of them, and puts it into the journal.
func (c *Collector) lookAtFolders(ctx context.Context, l *folderLook) error {
	seen := foldersSeen{First: l.first}
	var gone []string
	all := l.token == "" // what is held and not given is gone
	round := graph.Delta[graph.MailFolder](ctx, c.Graph, "mailFolders.delta", graph.P{"user": l.object}, l.token)
	for ch, err := range round.AllOver(func(*graph.Gone) error { all, seen.Folders, gone = true, nil, nil; return nil }) {
		switch {
		case err != nil:
			return err
		case ch.Removed != "":
			gone = append(gone, ch.ID)
		default:
			seen.Folders = append(seen.Folders, folderOfGraph(&ch.Value))
		}
	}
	if all || l.hideous {
		if err := c.hiddenFolders(ctx, l.object, &seen); err != nil {
			return err
		}
	}
	if all {
		if err := c.nameFolders(ctx, l.object, &seen); err != nil {
			return err
		}
	}
	named, err := c.namedFolders(ctx, l, &seen)
	if err != nil {
		return err
	}
	gone = append(gone, named...)
	if all || seen.Hidden {
		missing, err := c.missingFolders(ctx, l, &seen, all)
		if err != nil {
			return err
		}
		gone = append(gone, missing...)
	}
	if err := c.goneFolders(ctx, l.object, gone, &seen); err != nil {
		return err
	}
	return c.appendFolders(ctx, l, round.Token(), &seen)
}

func folderOfGraph(f *graph.MailFolder) folderSeen {
	return folderSeen{ID: f.ID, Name: f.DisplayName, Parent: f.ParentFolderID, Hidden: f.IsHidden}
}

// hiddenFolders adds the hidden folders at the top of a mailbox, where whoever wants to hide one puts it.
func (c *Collector) hiddenFolders(ctx context.Context, object string, seen *foldersSeen) error {
	seen.Hidden = true
	for f, err := range graph.Pages[graph.MailFolder](ctx, c.Graph, "mailFolders.list", graph.P{"user": object, "includeHiddenFolders": "true"}) {
		if err != nil {
			return err
		}
		if f.IsHidden {
			seen.Folders = append(seen.Folders, folderOfGraph(&f))
		}
	}
	return nil
}

// nameFolders finds out which of a mailbox's folders are the well-known ones. A mailbox need not have each.
func (c *Collector) nameFolders(ctx context.Context, object string, seen *foldersSeen) error {
	parts := make([]graph.Part, len(knownFolders))
	for i, name := range knownFolders {
		parts[i] = graph.Part{Call: "mailFolders.get", P: graph.P{"user": object, "folder": name}}
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		return err
	}
	for i, r := range results {
		if _, none := errors.AsType[*graph.NotFound](r.Err); none {
			continue
		}
		if r.Err != nil {
			return r.Err
		}
		var f graph.MailFolder
		if err := json.Unmarshal(r.Body, &f); err != nil || f.ID == "" {
			return unread("mailFolders.get")
		}
		k := slices.IndexFunc(seen.Folders, func(s folderSeen) bool { return s.ID == f.ID })
		if k < 0 {
			k = len(seen.Folders)
			seen.Folders = append(seen.Folders, folderOfGraph(&f))
		}
		seen.Folders[k].Known = knownFolders[i]
	}
	return nil
}

// namedFolders are those that a message was seen in and that no look gave so far.
func (c *Collector) namedFolders(ctx context.Context, l *folderLook, seen *foldersSeen) (out []string, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = nil
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			if !slices.ContainsFunc(seen.Folders, func(f folderSeen) bool { return f.ID == id }) {
				out = append(out, id)
			}
			return err
		}, `select id from mail_folder where tenant = $1 and person = $2 and deleted = 0 and seen = 0`, string(l.person))
	})
	return out, err
}

// missingFolders are those that are held and that a whole look (or a look at the hidden ones) did not give.
func (c *Collector) missingFolders(ctx context.Context, l *folderLook, seen *foldersSeen, all bool) ([]string, error) {
	held := map[string]bool{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(held)
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			held[id] = true
			return err
		}, `select id from mail_folder where tenant = $1 and person = $2 and deleted = 0 and seen > 0 and known = '' and (hidden or $3)`, string(l.person), all)
	})
	for _, f := range seen.Folders {
		delete(held, f.ID)
	}
	return sortedKeys(held), err
}

// goneFolders asks again for folders that are said to be gone: one that is there all the same has been hidden.
func (c *Collector) goneFolders(ctx context.Context, object string, ids []string, seen *foldersSeen) error {
	if len(ids) == 0 {
		return nil
	}
	parts := make([]graph.Part, len(ids))
	for i, id := range ids {
		parts[i] = graph.Part{Call: "mailFolders.get", P: graph.P{"user": object, "folder": id}}
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		return err
	}
	for i, r := range results {
		if _, none := errors.AsType[*graph.NotFound](r.Err); none {
			seen.Gone = append(seen.Gone, ids[i])
			continue
		}
		if r.Err != nil {
			return r.Err
		}
		var f graph.MailFolder
		if err := json.Unmarshal(r.Body, &f); err != nil || f.ID == "" {
			return unread("mailFolders.get")
		}
		if !slices.ContainsFunc(seen.Folders, func(s folderSeen) bool { return s.ID == f.ID }) {
			f.IsHidden = true
			seen.Folders = append(seen.Folders, folderOfGraph(&f))
		}
	}
	return nil
}

// appendFolders puts what was seen into the journal, in parts, the last of which has the token.
func (c *Collector) appendFolders(ctx context.Context, l *folderLook, token string, seen *foldersSeen) error {
	var items []journal.Item
	add := func(s foldersSeen) error {
		s.First = seen.First
		it, err := c.item(kindFolders, l.person, s)
		items = append(items, it)
		return err
	}
	for len(seen.Folders) > 200 {
		if err := add(foldersSeen{Folders: seen.Folders[:200]}); err != nil {
			return err
		}
		seen.Folders = seen.Folders[200:]
	}
	for len(seen.Gone) > 200 {
		if err := add(foldersSeen{Gone: seen.Gone[:200]}); err != nil {
			return err
		}
		seen.Gone = seen.Gone[200:]
	}
	if err := add(foldersSeen{Folders: seen.Folders, Gone: seen.Gone, Last: true, Token: token, Hidden: seen.Hidden}); err != nil {
		return err
	}
	return c.append(ctx, items)
}
