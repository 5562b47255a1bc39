package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

const (
	learnMost = 120_000 // mails and recipients that are taken in at once, or a run more: some 60,000 mails that were handed over
	readMail  = 6       // what a mail counts that is read from the tables, with all that they hold of it
)

// portion is as many of the facts as tell of so many, one at least.
func (l *Learner) portion(facts []store.Fact) []store.Fact {
	n := 0
	for i, f := range facts {
		if f.Kind != "mail.changed" {
			continue
		}
		var a Arrivals
		if json.Unmarshal(f.Body, &a) == nil { // what does not tell is found by gather
			if size, here := l.handed.holds(l.tenant, a.Run); here {
				n += size
			} else {
				n += readMail * (a.Actions["email_sent"] + a.Actions["email_received"])
			}
		}
		if n >= learnMost {
			return facts[:i+1]
		}
	}
	return facts
}

// gather reads what facts tell of: mail that was sent or received, rules that were made or changed.
func (l *Learner) gather(ctx context.Context, t *store.Tenant, facts []store.Fact) ([]heldMail, error) {
	var runs []any // that are to be read
	var list []heldMail
	var rules []store.Fact
	who := false
	for _, f := range facts {
		switch {
		case f.Kind == "mail.changed":
			var a Arrivals
			if err := json.Unmarshal(f.Body, &a); err != nil {
				return nil, fmt.Errorf("fact %d/%d: %w", f.Lane, f.N, err)
			}
			if a.Run == 0 || a.Actions["email_sent"]+a.Actions["email_received"] == 0 {
				continue
			}
			if mails, ok := l.handed.take(l.tenant, a.Run); ok {
				list = append(list, mails...)
			} else {
				runs = append(runs, a.Run)
			}
		case (f.Kind == "rule.created" || f.Kind == "rule.updated") && len(f.Body) <= len("{}"): // what we did ourselves tells which action of ours it was
			rules = append(rules, f)
		case f.Kind == "learning.changed": // what was learned may have been given up, to learn it anew
			var is int64
			err := t.QueryRow(ctx, `select version from learned where tenant = $1`).Scan(&is)
			if errors.Is(err, store.ErrNone) || err == nil && is != l.version {
				return nil, store.ErrLost
			}
			if err != nil {
				return nil, err
			}
		case strings.HasPrefix(f.Kind, "person."), strings.HasPrefix(f.Kind, "mailbox."), f.Kind == "domain.changed":
			who = true
		}
	}
	if who {
		if err := l.directory(ctx, t); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(runs, 100) {
		rows, err := mailRows(ctx, t, `select `+mailRowColumns+` from event where tenant = $1 and run in (`+store.In(len(part), 2)+`) and run > 0 and action || '' in ('email_sent', 'email_received')`, part...)
		if err != nil {
			return nil, err
		}
		mails, err := mailsOf(ctx, t, rows)
		if err != nil {
			return nil, err
		}
		list = append(list, mails...)
	}
	slices.SortFunc(list, func(a, b heldMail) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Event, b.Event)) })
	for _, f := range rules {
		h, err := l.made(ctx, t, f)
		if err != nil {
			return nil, err
		}
		if h != nil {
			list = append(list, *h)
		}
	}
	return l.settle(list), nil
}

// made is that a rule was made or changed, by what it did then; nil where its history does not tell.
func (l *Learner) made(ctx context.Context, t *store.Tenant, f store.Fact) (*heldMail, error) {
	var id, after string
	var at int64
	err := t.QueryRow(ctx, `select id, at, after from rule_change where tenant = $1 and person = $2 and rule = $3 and change = $4 and at <= $5 order by at desc, id limit 1`,
		f.Person, f.Subject, strings.TrimPrefix(f.Kind, "rule."), f.At).Scan(&id, &at, &after)
	if errors.Is(err, store.ErrNone) || err == nil && after == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r tocsin.MailRule
	if err := json.Unmarshal([]byte(after), &r); err != nil {
		return nil, fmt.Errorf("a rule of %s: %w", f.Person, err)
	}
	h := &madeRule{Deletes: r.Delete || r.Purge, Hides: r.MarkRead || r.MoveTo != nil}
	for _, a := range r.Targets() {
		h.Outside = h.Outside || !l.named(a.Canonical()).Inside
	}
	return &heldMail{At: at, Event: id, Person: tocsin.PersonID(f.Person), Rule: h}, nil
}

// claim counts the version up, if it is still the one that this learner knows.
func (l *Learner) claim(ctx context.Context, t *store.Tenant, shut int32, fact int64) error {
	n, err := t.Exec(ctx, `update learned set shut = $3, fact = $4, version = version + 1 where tenant = $1 and version = $2`, l.version, shut, fact)
	if err == nil && n == 0 {
		err = store.ErrLost
	}
	return err
}

// keepOpen keeps mail until its days are closed.
func (l *Learner) keepOpen(ctx context.Context, t *store.Tenant, list []heldMail, fact int64, shut int32) error {
	for part := 0; len(list) > 0; part++ {
		n := min(2000, len(list))
		body, err := json.Marshal(list[:n])
		if err != nil {
			return err
		}
		last := shut + 1
		for i := range list[:n] {
			h := &list[i]
			if h.Rule != nil {
				last = max(last, int32(math.Floor(float64(h.At)/86_400_000))+1)
				continue
			}
			_, to := l.model.Days(l.mailOf(h))
			last = max(last, to)
		}
		if _, err := t.Exec(ctx, `insert into learned_open (tenant, fact, part, shut, last, body) values ($1, $2, $3, $4, $5, $6)`, fact, part, shut, last, body); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// contacts gathers who wrote to whom.
type contacts map[contactKey]*contactSum

type contactKey struct {
	person  tocsin.PersonID
	address string
}

type contactSum struct {
	who                                              tocsin.PersonID
	outside                                          bool
	firstSent, lastSent, firstReceived, lastReceived int64
	sent, received                                   int
	weeks                                            map[int32]*[2]int // sent, received
}

func (c contacts) add(l *Learner, h *heldMail) {
	if h.Rule != nil {
		return
	}
	week := int32(math.Floor(float64(h.At) / 86_400_000)) // in UTC: the graph's weeks are the tenant's
	week -= ((week+3)%7 + 7) % 7
	note := func(of, with string, direction int) {
		person := l.who[of]
		a := l.names.Of(with)
		if person == "" {
			return
		}
		k := contactKey{person, with}
		s := c[k]
		if s == nil {
			s = &contactSum{who: l.who[with], outside: !a.Inside, weeks: map[int32]*[2]int{}}
			c[k] = s
		}
		if s.weeks[week] == nil {
			s.weeks[week] = &[2]int{}
		}
		s.weeks[week][direction]++
		first, last, n := &s.firstSent, &s.lastSent, &s.sent
		if direction == 1 {
			first, last, n = &s.firstReceived, &s.lastReceived, &s.received
		}
		if *first == 0 || h.At < *first {
			*first = h.At
		}
		*last = max(*last, h.At)
		*n++
	}
	for _, to := range h.To {
		note(h.From, to, 0)
		note(to, h.From, 1)
	}
}

// first is the earlier of two times of which 0 is never.
const firstOfTwo = `case when contact.%[1]s = 0 or (excluded.%[1]s > 0 and excluded.%[1]s < contact.%[1]s) then excluded.%[1]s else contact.%[1]s end`

// rows are the rows of contact, contact_week and contact_total, in order.
func (c contacts) rows() (all, weeks, totals [][]any) {
	sums := map[int32]int{}
	keys := make([]contactKey, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b contactKey) int {
		return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.address, b.address))
	})
	for _, k := range keys {
		s := c[k]
		all = append(all, []any{string(k.person), k.address, string(s.who), s.outside, s.firstSent, s.lastSent, s.sent, s.firstReceived, s.lastReceived, s.received})
		for _, w := range slices.Sorted(maps.Keys(s.weeks)) {
			weeks = append(weeks, []any{w, string(k.person), k.address, string(s.who), s.outside, s.weeks[w][0], s.weeks[w][1]})
			sums[w] += s.weeks[w][0]
		}
	}
	for _, w := range slices.Sorted(maps.Keys(sums)) {
		totals = append(totals, []any{w, sums[w]})
	}
	return all, weeks, totals
}

// write adds to what is known of who wrote to whom.
func (c contacts) write(ctx context.Context, t *store.Tenant) error {
	all, weeks, totals := c.rows()
	return errors.Join(addContacts(ctx, t, all, "contact.sent + excluded.sent", "contact.received + excluded.received"),
		upsert(ctx, t, "contact_week", "week person address who outside sent received", weeks,
			"on conflict (tenant, week, person, address) do update set sent = contact_week.sent + excluded.sent, received = contact_week.received + excluded.received"),
		upsert(ctx, t, "contact_total", "week sent", totals, "on conflict (tenant, week) do update set sent = contact_total.sent + excluded.sent"))
}

func addContacts(ctx context.Context, t *store.Tenant, rows [][]any, sent, received string) error {
	return upsert(ctx, t, "contact", "person address who outside first_sent last_sent sent first_received last_received received", rows,
		`on conflict (tenant, person, address) do update set who = excluded.who, outside = excluded.outside, first_sent = `+fmt.Sprintf(firstOfTwo, "first_sent")+
			`, first_received = `+fmt.Sprintf(firstOfTwo, "first_received")+
			`, last_sent = case when excluded.last_sent > contact.last_sent then excluded.last_sent else contact.last_sent end`+
			`, last_received = case when excluded.last_received > contact.last_received then excluded.last_received else contact.last_received end`+
			`, sent = `+sent+`, received = `+received)
}

// upsert writes rows of the tenant, many in a statement.
func upsert(ctx context.Context, t *store.Tenant, table, columns string, rows [][]any, conflict string) error {
	names := strings.Fields(columns)
	text, of := "", 0 // the statement, and of how many rows it is
	for len(rows) > 0 {
		some := rows[:store.Batch(len(rows))]
		rows = rows[len(some):]
		if len(some) != of {
			var b strings.Builder
			fmt.Fprintf(&b, "insert into %s (tenant, %s) values ", table, strings.Join(names, ", "))
			for i := range some {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString("(" + store.In(1+len(names), i*(1+len(names))+1) + ")")
			}
			text, of = b.String()+" "+conflict, len(some)
		}
		args := make([]any, 0, len(some)*(1+len(names)))
		for i, row := range some {
			if i > 0 {
				args = append(args, string(t.ID())) // of the first it is $1
			}
			args = append(args, row...)
		}
		if _, err := t.Exec(ctx, text, args...); err != nil {
			return fmt.Errorf("write %s: %w", table, err)
		}
	}
	return nil
}
