package collect

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin.dev/store"
)

// history learns what the tables hold of a tenant's mail, where nothing was learned yet.
func (l *Learner) history(ctx context.Context) error {
	var c contacts
	var all closed
	var open []heldMail
	var fact int64
	var counts said
	recent, over := dayNumber(l.st.Clock().Now())-7, max(l.over(), 0)
	err := l.st.ViewTenant(ctx, l.tenant, func(t *store.Tenant) (err error) {
		l.model, l.began, c, all, open = l.fresher(), 0, contacts{}, closed{}, nil
		err = t.Tx().QueryRow(ctx, `select n from fact_counter where lane = $1`, store.Lane(l.tenant)).Scan(&fact)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		if counts, err = saidBy(ctx, t); err != nil {
			return err
		}
		last := int32(math.MinInt32)
		return l.stored(ctx, t, func(list []heldMail) {
			for i := range list {
				h := &list[i]
				c.add(l, h)
				if day := int32(math.Floor(float64(h.At) / 86_400_000)); day > last+1 {
					if last > math.MinInt32 {
						before := min(day-2, over) // nobody's day before yesterday goes on
						if before >= recent {
							l.heed(counts)
						}
						some := l.shutDays(before, recent)
						all.days, all.odd = append(all.days, some.days...), append(all.odd, some.odd...)
						open = slices.DeleteFunc(open, func(h heldMail) bool {
							_, to := l.model.Days(l.mailOf(&h))
							return to <= before
						})
					}
					last = day - 1
				}
				l.model.Mail(l.mailOf(h))
				open = append(open, *h)
			}
		})
	})
	if err != nil {
		return err
	}
	l.heed(counts)
	c2 := l.shutDays(over, recent)
	c2.days, c2.odd = append(all.days, c2.days...), append(all.odd, c2.odd...)
	c2.parts = c2.parts[:0]
	for _, p := range l.model.Learned(math.MinInt32) {
		c2.parts = append(c2.parts, []any{"person", l.key(p.Of), over, p.State()})
	}
	open = slices.DeleteFunc(open, func(h heldMail) bool {
		_, to := l.model.Days(l.mailOf(&h))
		return to <= over
	})
	if err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error { return forgetLearned(ctx, t) }); err != nil {
		return err
	}
	if err := l.forget(ctx); err != nil {
		return err
	}
	// The row comes first, and says that nothing is closed: whoever finds it broken off begins anew from there.
	l.version, l.fact, l.written = 1, fact, fact
	err = l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error {
		known, err := t.Known(ctx)
		if err != nil || !known {
			return cmp.Or(err, store.ErrLost)
		}
		return t.Insert(ctx, store.Into{Table: "learned", Columns: []string{"shut", "fact", "began", "version"}}, [][]any{{int32(-1), fact, l.began, l.version}})
	})
	if err != nil {
		return err
	}
	if err := l.ahead(ctx, &c2); err != nil {
		return err
	}
	rows, weeks, totals := c.rows()
	for len(rows)+len(weeks) > 4*learnRows {
		n, m := min(len(rows), 2*learnRows), min(len(weeks), 2*learnRows)
		if err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error { return storedContacts(ctx, t, rows[:n], weeks[:m], nil) }); err != nil {
			return err
		}
		rows, weeks = rows[n:], weeks[m:]
	}
	err = l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error {
		if err := l.claim(ctx, t, over, fact); err != nil {
			return err
		}
		if err := l.last(ctx, t, &c2); err != nil {
			return err
		}
		if err := storedContacts(ctx, t, rows, weeks, totals); err != nil {
			return err
		}
		if err := l.keepOpen(ctx, t, open, fact, over); err != nil {
			return err
		}
		return l.tell(ctx, t, c2.odd)
	})
	l.version++
	return err
}

func dayNumber(at time.Time) int32 { return int32(math.Floor(float64(at.Unix()) / 86400)) }

// storedContacts writes what the tables tell of who wrote to whom. What was known of older mail, which is not kept, stays.
func storedContacts(ctx context.Context, t *store.Tenant, rows, weeks, totals [][]any) error {
	most := func(table, column string) string {
		return strings.NewReplacer("T", table, "X", column).Replace("case when excluded.X > T.X then excluded.X else T.X end")
	}
	return errors.Join(addContacts(ctx, t, rows, most("contact", "sent"), most("contact", "received")),
		upsert(ctx, t, "contact_week", "week person address who outside sent received", weeks,
			"on conflict (tenant, week, person, address) do update set sent = "+most("contact_week", "sent")+", received = "+most("contact_week", "received")),
		upsert(ctx, t, "contact_total", "week sent", totals, "on conflict (tenant, week) do update set sent = "+most("contact_total", "sent")))
}

// stored gives all mail that the tables hold, in the order of time.
func (l *Learner) stored(ctx context.Context, t *store.Tenant, take func([]heldMail)) error {
	at, id := int64(math.MinInt64), ""
	for {
		rows, err := mailRows(ctx, t, `select `+mailRowColumns+` from event where tenant = $1 and (at, id) > ($2, $3) and type || '' = 'EMAIL' order by at, id limit 2000`, at, id)
		if err != nil || len(rows) == 0 {
			return err
		}
		at, id = rows[len(rows)-1].at, rows[len(rows)-1].id
		some := rows[:0:0]
		for _, r := range rows {
			if r.action == "email_sent" || r.action == "email_received" {
				some = append(some, r)
			}
		}
		list, err := mailsOf(ctx, t, some)
		if err != nil {
			return err
		}
		take(l.settle(list))
	}
}
