package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// A canary shows that the whole way works, from a mailbox to the tables, and how long it takes. The passive one compares the
// newest message of busy mailboxes with what is held. The active one makes a draft in a mailbox that is named for it, waits
// until it is told of, and deletes it for good.

// canaryWait is how long the way may take: Microsoft says three minutes, and tries for hours.
const canaryWait = 15 * time.Minute

// canarySample is how many mailboxes the passive canary looks at in a round.
const canarySample = 3

// canaryMark begins the category that a canary's draft bears; its id follows.
const canaryMark = "Tocsin canary "

// askCanary sees whether the way works.
func (c *Collector) askCanary(ctx context.Context) error {
	err := errors.Join(c.newest(ctx), c.canarySings(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, c.judgeCanaries(ctx)) // what is under way is judged, whatever was refused
}

// busiest are the mailboxes to which most came in the last hours.
func (c *Collector) busiest(ctx context.Context) (out []owner, err error) {
	now := tocsin.Millis(c.Store.Clock().Now())
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var o owner
			var n int64
			err := scan(&o.person, &o.object, &n)
			out = append(out, o)
			return err
		}, `select h.person, p.object_id, sum(h.n) from mail_hour h join person p on p.tenant = h.tenant and p.person = h.person
			join subscription s on s.tenant = h.tenant and s.person = h.person and s.state = 'on'
			where h.tenant = $1 and h.hour >= $2 group by h.person, p.object_id order by 3 desc, 1 limit `+fmt.Sprint(canarySample), now-3*hour)
	})
	return out, err
}

// newest notes the newest message of each of some busy mailboxes: it has to be held soon.
func (c *Collector) newest(ctx context.Context) error {
	boxes, err := c.busiest(ctx)
	if err != nil || len(boxes) == 0 {
		return err
	}
	now := c.Store.Clock().Now()
	var rows [][]any
	var failed error
	for i := range boxes {
		var page struct {
			Value []graph.Message `json:"value"`
		}
		if err := c.Graph.Get(ctx, "messages.newest", graph.P{"user": boxes[i].object, "$orderby": "receivedDateTime desc"}, &page); err != nil {
			failed = worst(failed, err)
			continue
		}
		for _, m := range page.Value {
			if m.IsDraft == nil || *m.IsDraft || now.Sub(m.ReceivedDateTime.Time) > canaryWait {
				continue
			}
			rows = append(rows, []any{string(boxes[i].person) + "/" + mailKey(m.ID), "passive", string(boxes[i].person), m.ID, tocsin.Millis(m.ReceivedDateTime.Time)})
			break
		}
	}
	err = c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.Insert(ctx, store.Into{Table: "canary_try", Key: []string{"id"}, Keep: []string{"way", "person", "object", "at"}, Columns: []string{"id", "way", "person", "object", "at"}}, rows)
	})
	return errors.Join(err, failed)
}

// canaryTry is a row of the table.
type canaryTry struct {
	id, way, object, user string
	person                tocsin.PersonID
	at, heard             int64
	cleared               bool
}

// judgeCanaries says of each try that is open what became of it.
func (c *Collector) judgeCanaries(ctx context.Context) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		type found struct {
			canaryTry
			held    *int64
			changed bool // since it came: when it was heard of first is not known
		}
		var open []found
		err := each(ctx, t, func(scan func(...any) error) error {
			var f found
			var received, modified *int64
			err := scan(&f.id, &f.way, &f.person, &f.at, &f.object, &f.held, &received, &modified, &f.user)
			if f.held != nil && received != nil && modified != nil && *modified-*received > 10_000 {
				f.changed = true
			}
			open = append(open, f)
			return err
		}, `select c.id, c.way, c.person, c.at, c.object, m.changed, m.received, m.modified, coalesce(p.mail, '') from canary_try c
			left join mail m on m.tenant = c.tenant and m.person = c.person and m.native = c.object
			left join person p on p.tenant = c.tenant and p.person = c.person
			where c.tenant = $1 and c.heard = 0 and c.because = ''`)
		if err != nil {
			return err
		}
		told := false
		for _, f := range open {
			switch {
			case f.way == "passive" && f.held != nil:
				lag := max(*f.held-f.at, 0)
				if f.changed {
					lag = -1
				}
				_, err = t.Exec(ctx, `update canary_try set heard = $3, lag = $4 where tenant = $1 and id = $2`, f.id, *f.held, lag)
				told = true
			case now-f.at > canaryWait.Milliseconds():
				_, err = t.Exec(ctx, `update canary_try set because = $3, mend = $4 where tenant = $1 and id = $2`, f.id,
					fmt.Sprintf("What came to %s was not told of within %d minutes.", cmp.Or(f.user, "a mailbox"), int(canaryWait.Minutes())),
					"See whether Microsoft Graph reaches this server (hooks.url), and whether messages wait; what is missed is found by catching up.")
				told = true
			}
			if err != nil {
				return err
			}
		}
		if !told {
			return nil
		}
		return t.Append(ctx, store.Fact{Kind: "canary.changed"})
	})
}

// canarySings makes a draft in the mailbox that is named for it, waits until it is told of, and deletes it. What an earlier
// round left behind is deleted first, when it was told of or nobody waits for it any more; while one is waited for, no other is
// made.
func (c *Collector) canarySings(ctx context.Context) error {
	var person tocsin.PersonID
	var object string
	var left []canaryTry
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		left, object = left[:0], ""
		err := t.QueryRow(ctx, `select c.person, p.object_id from canary c join person p on p.tenant = c.tenant and p.person = c.person where c.tenant = $1`).Scan(&person, &object)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		return each(ctx, t, func(scan func(...any) error) error {
			var l canaryTry
			err := scan(&l.id, &l.person, &l.object, &l.user, &l.at, &l.heard)
			left = append(left, l)
			return err
		}, `select c.id, c.person, c.object, p.object_id, c.at, c.heard from canary_try c join person p on p.tenant = c.tenant and p.person = c.person
			where c.tenant = $1 and c.way = 'active' and not c.cleared`)
	})
	if err != nil || object == "" && len(left) == 0 || c.Writer == nil {
		return err
	}
	gc, err := c.Writer(ctx)
	if err != nil {
		if object == "" {
			return err
		}
		return errors.Join(err, c.canaryRefused(ctx, &canaryTry{id: tocsin.NewID(), person: person, at: tocsin.Millis(c.Store.Clock().Now())}, err))
	}
	var failed error
	waits := false
	for i := range left {
		l := &left[i]
		if l.heard == 0 && tocsin.Millis(c.Store.Clock().Now())-l.at <= canaryWait.Milliseconds() {
			waits = waits || l.person == person
			continue
		}
		if l.object == "" {
			continue // nobody knows whether it was made; if it was, its event says which it is
		}
		if err := c.clearCanary(ctx, gc, l.user, l); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if object == "" || waits || ctx.Err() != nil {
		return failed
	}
	one := canaryTry{id: tocsin.NewID(), person: person}
	if err := c.makeCanary(ctx, gc, object, &one); err != nil {
		return errors.Join(failed, err)
	}
	for until := c.Store.Clock().Now().Add(2 * time.Minute); one.heard == 0 && c.Store.Clock().Now().Before(until); {
		if err := c.Store.Clock().Sleep(ctx, time.Second); err != nil {
			return err
		}
		err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			return t.QueryRow(ctx, `select heard from canary_try where tenant = $1 and id = $2`, one.id).Scan(&one.heard)
		})
		if err != nil {
			return err
		}
	}
	if one.heard == 0 {
		return failed // it is waited for while other rounds go on
	}
	return errors.Join(failed, c.clearCanary(ctx, gc, object, &one))
}

// canaryRefused notes that a draft could not be made, and why. That is no fault of what is told, so lag is -1.
func (c *Collector) canaryRefused(ctx context.Context, one *canaryTry, refused error) error {
	if ctx.Err() != nil || errors.Is(refused, graph.ErrPaused) {
		return nil
	}
	p := Explain(refused)
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		err := t.Insert(ctx, store.Into{Table: "canary_try", Key: []string{"id"}, Keep: []string{"way", "person", "at"}, Columns: []string{"id", "way", "person", "at", "lag", "because", "mend", "cleared"}},
			[][]any{{one.id, "active", string(one.person), one.at, -1, "The canary's draft was not made. " + p.What, p.Do, true}})
		if err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "canary.changed"})
	})
}

// makeCanary writes down what is to be seen, and makes the draft. Where the answer is lost, its event tells its id.
func (c *Collector) makeCanary(ctx context.Context, gc *graph.Client, object string, one *canaryTry) error {
	mark := canaryMark + one.id
	err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		now := tocsin.Millis(c.Store.Clock().Now())
		one.at = now
		if err := t.Insert(ctx, store.Into{Table: "canary_try", Columns: []string{"id", "way", "person", "at", "cleared"}}, [][]any{{one.id, "active", string(one.person), now, false}}); err != nil {
			return err
		}
		return Expect(ctx, t, Echo{Person: one.person, Object: byCategory + mark, Changes: []string{"email_drafted", "email_updated"}, Act: one.id, From: now - 60_000, Until: now + hour})
	})
	if err != nil {
		return err
	}
	var made graph.Message
	body := map[string]any{"subject": "Tocsin looks whether it is told of this draft, and deletes it", "categories": []string{mark}}
	if err := gc.Act(ctx, "messages.draft", graph.P{"user": object}, body, &made); err != nil {
		if !canaryMade(err) {
			return errors.Join(err, c.canaryRefused(ctx, one, err))
		}
		return err
	}
	one.object = made.ID
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update canary_try set object = $3 where tenant = $1 and id = $2`, one.id, one.object)
		return err
	})
}

// canaryMade says whether the draft may be there although an error came: the answer was lost, or Graph failed half-way.
func canaryMade(err error) bool {
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		return false
	}
	if _, none := errors.AsType[*graph.NoMailbox](err); none {
		return false
	}
	if _, denied := errors.AsType[*graph.Denied](err); denied {
		return false
	}
	if _, busy := errors.AsType[*graph.Throttled](err); busy {
		return false
	}
	if f, ok := errors.AsType[*graph.Failed](err); ok && f.Status >= 400 && f.Status < 500 {
		return false
	}
	return true
}

// clearCanary deletes a canary's draft for good.
func (c *Collector) clearCanary(ctx context.Context, gc *graph.Client, object string, one *canaryTry) error {
	err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		now := tocsin.Millis(c.Store.Clock().Now())
		return Expect(ctx, t, Echo{Person: one.person, Object: one.object, Changes: []string{"email_deleted"}, Act: one.id, From: now - 60_000, Until: now + 24*hour})
	})
	if err != nil {
		return err
	}
	err = gc.Act(ctx, "messages.purge", graph.P{"user": object, "message": one.object}, nil, nil)
	_, gone := errors.AsType[*graph.NotFound](err)
	if _, none := errors.AsType[*graph.NoMailbox](err); err != nil && !gone && !none {
		return err
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update canary_try set cleared = $3 where tenant = $1 and id = $2`, one.id, true)
		return err
	})
}

// byCategory begins the object of an echo that is known by a category of the message.
const byCategory = "category:"

// canaryIn is the id of the canary that a message is; "" where it is none.
func canaryIn(m *mailSeen) string {
	i := slices.IndexFunc(m.Categories, func(s string) bool { return strings.HasPrefix(s, canaryMark) })
	if i < 0 {
		return ""
	}
	return strings.TrimPrefix(m.Categories[i], canaryMark)
}

// sang notes the canaries that were told of.
func (f *mailFold) sang(ctx context.Context) error {
	if len(f.means.canaries) == 0 {
		return nil
	}
	for _, id := range sortedKeys(f.means.canaries) {
		l := f.means.canaries[id]
		if _, err := f.t.Exec(ctx, `update canary_try set heard = $3, object = $4, lag = case when cast($3 as bigint) > at then cast($3 as bigint) - at else 0 end, because = '', mend = ''
			where tenant = $1 and id = $2 and way = 'active' and heard = 0`, id, l.At, l.ID); err != nil {
			return err
		}
	}
	return f.t.Append(ctx, store.Fact{Kind: "canary.changed"})
}
