package collect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// PastMail is a mail from before its mailboxes were watched.
type PastMail struct {
	At    time.Time
	From  string
	To    []string
	Files bool
}

// StorePast stores mail of the past as if it had been seen when it was written, and has what is usual for people learned anew, with
// it. The same mail again changes nothing. It gives how many mails are of people who are known.
func StorePast(ctx context.Context, st *store.Store, tenant tocsin.TenantID, mails []PastMail) (n int, err error) {
	whose, inside := map[string]tocsin.PersonID{}, map[string]bool{}
	err = st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		org, err := loadOrg(ctx, t)
		if err != nil {
			return err
		}
		inside = org.Domains
		return each(ctx, t, func(scan func(...any) error) error {
			var address string
			var person tocsin.PersonID
			err := scan(&address, &person)
			whose[address] = person
			return err
		}, `select address, person from person_address where tenant = $1 order by address, person desc`)
	})
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(mails, 500) {
		var w writer
		var events, rows [][]any
		put := func(person tocsin.PersonID, action, folder, user string, m *mailSeen) {
			e := mailEvent{action: action}
			id, at := tocsin.NewEventID(tenant, string(person), m.ID, action, ""), m.Sent
			m.Folder = folder
			s := scene{tenant: tenant, person: person, user: user, sender: m.From.Canonical(), folders: folderNames{folder: folder}, inside: func(d string) bool { return inside[d] }, change: "created"}
			events = append(events, []any{id, at, "EMAIL", action, string(person), w.told(&s, &e, m)})
			rows = append(rows, []any{string(person), mailKey(m.ID), m.ID, folder, false, false, "", "", m.rest(), at, at, w.seen(m), at, int64(0)})
		}
		for _, l := range some {
			at := tocsin.Millis(l.At)
			m := mailSeen{ID: fmt.Sprintf("past-%d-%s", at, l.From), From: tocsin.Address{Address: l.From}, Attachments: &l.Files, Created: at, Modified: at, Sent: at, Received: at}
			for _, a := range l.To {
				m.To = append(m.To, tocsin.Address{Address: a})
			}
			m.Counts[0] = len(m.To)
			known := false
			if p := whose[m.From.Canonical()]; p != "" {
				put(p, "email_sent", "sentitems", l.From, &m)
				known = true
			}
			for _, a := range m.To {
				if p := whose[a.Canonical()]; p != "" && p != whose[m.From.Canonical()] {
					put(p, "email_received", "inbox", a.Address, &m)
					known = true
				}
			}
			if known {
				n++
			}
		}
		err := st.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error {
			columns := []string{"id", "at", "type", "action", "person", "body"}
			if err := t.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Keep: columns, Columns: columns}, events); err != nil {
				return err
			}
			columns = []string{"person", "key", "native", "folder", "is_read", "is_draft", "flag", "verb", "rest", "received", "modified", "body", "changed", "deleted"}
			return t.Insert(ctx, store.Into{Table: "mail", Key: []string{"person", "key"}, Keep: columns, Columns: columns}, rows)
		})
		if err != nil {
			return n, fmt.Errorf("store mail of the past: %w", err)
		}
	}
	return n, st.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error {
		if err := forgetLearned(ctx, t); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "learning.changed"})
	})
}

// forgetLearned has the learner begin anew from what is stored. What was learned is deleted by the learner, piece by piece.
func forgetLearned(ctx context.Context, t *store.Tenant) error {
	_, err := t.Exec(ctx, `delete from learned where tenant = $1`)
	return err
}

// forget deletes what was learned, where it does not count any more.
func (l *Learner) forget(ctx context.Context) error {
	for _, q := range []string{
		`delete from learned_part where tenant = $1 and (kind, key, day) in (select kind, key, day from learned_part where tenant = $1 limit 500) and not exists (select 1 from learned l where l.tenant = $1)`,
		`delete from learned_open where tenant = $1 and (fact, part) in (select fact, part from learned_open where tenant = $1 limit 500) and not exists (select 1 from learned l where l.tenant = $1)`,
	} {
		for n := int64(learnRows); n >= learnRows; {
			if err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) (err error) {
				n, err = t.Exec(ctx, q)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
