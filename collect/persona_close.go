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
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

// learnMails is how many mails are taken in at once, or a run more.
const learnMails = 5000

// portion is as many of the facts as tell of so many mails, one at least.
func portion(facts []store.Fact) []store.Fact {
	n := 0
	for i, f := range facts {
		if f.Kind != "mail.changed" {
			continue
		}
		var a Arrivals
		if json.Unmarshal(f.Body, &a) == nil { // what does not tell is found by gather
			n += a.Actions["email_sent"] + a.Actions["email_received"]
		}
		if n >= learnMails {
			return facts[:i+1]
		}
	}
	return facts
}

// gather reads what facts tell of: mail that was sent or received, rules that were made or changed.
func (l *Learner) gather(ctx context.Context, t *store.Tenant, facts []store.Fact) ([]heldMail, error) {
	var runs []any
	var rules []store.Fact
	who := false
	for _, f := range facts {
		switch {
		case f.Kind == "mail.changed":
			var a Arrivals
			if err := json.Unmarshal(f.Body, &a); err != nil {
				return nil, fmt.Errorf("fact %d/%d: %w", f.Lane, f.N, err)
			}
			if a.Run > 0 && a.Actions["email_sent"]+a.Actions["email_received"] > 0 {
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
	var list []heldMail
	sent := map[string]bool{}
	for part := range slices.Chunk(runs, 100) {
		rows, err := mailRows(ctx, t, `select `+mailRowColumns+` from event where tenant = $1 and run in (`+store.In(len(part), 2)+`) and run > 0 and action || '' in ('email_sent', 'email_received')`, part...)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(rows, func(a, b mailRow) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
		for _, r := range rows {
			sent[r.id] = r.action == "email_sent"
		}
		mails, err := mailsOf(ctx, t, rows)
		if err != nil {
			return nil, err
		}
		list = append(list, mails...)
	}
	for _, f := range rules {
		h, err := l.made(ctx, t, f)
		if err != nil {
			return nil, err
		}
		if h != nil {
			list = append(list, *h)
		}
	}
	return l.settle(list, sent), nil
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
	for some := range slices.Chunk(rows, 50) {
		var b strings.Builder
		fmt.Fprintf(&b, "insert into %s (tenant, %s) values ", table, strings.Join(names, ", "))
		var args []any
		for i, row := range some {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("($1, " + store.In(len(names), len(args)+2) + ")")
			args = append(args, row...)
		}
		if _, err := t.Exec(ctx, b.String()+" "+conflict, args...); err != nil {
			return fmt.Errorf("write %s: %w", table, err)
		}
	}
	return nil
}

// over is the last day that is over for everybody, wherever they are, by the store's clock.
func (l *Learner) over() int32 {
	now := l.st.Clock().Now().Add(-learnGrace)
	day := func(z *time.Location) int32 {
		_, off := now.In(z).Zone()
		return int32(math.Floor(float64(now.Unix()+int64(off)) / 86400))
	}
	first := day(l.zone)
	seen := map[*time.Location]bool{}
	for _, z := range l.zones {
		if !seen[z] {
			seen[z] = true
			first = min(first, day(z))
		}
	}
	return first - 1
}

// OddTerm is one of the things that are odd on a person's day, as it is kept.
type OddTerm struct {
	Class string  `json:"class"`
	OneIn float64 `json:"one_in"`
}

// oddDay is a person's day that is not as usual.
type oddDay struct {
	person tocsin.PersonID
	who    string
	v      *learn.Day
	why    string
	early  bool
}

// closed is what closing days brings.
type closed struct {
	shut  int32
	days  [][]any // of persona_day
	odd   []oddDay
	state []byte
	parts [][]any // of personas
	gone  []string
}

// said is how many anomalies of a person and class were false alarms, and how many were confirmed.
type said map[saidOf][2]int

type saidOf struct {
	person tocsin.PersonID
	class  string
}

func saidBy(ctx context.Context, t *store.Tenant) (said, error) {
	counts := said{}
	return counts, each(ctx, t, func(scan func(...any) error) error {
		var k saidOf
		var falseAlarms, confirmed int
		err := scan(&k.person, &k.class, &falseAlarms, &confirmed)
		counts[k] = [2]int{falseAlarms, confirmed}
		return err
	}, `select person, class, sum(case when verdict = 'false_alarm' then 1 else 0 end), sum(case when verdict = 'confirmed' then 1 else 0 end)
			from anomaly where tenant = $1 and said > 0 group by person, class`)
}

// feedback puts what feedback made of thresholds into the model.
func (l *Learner) feedback(ctx context.Context) error {
	var counts said
	err := l.st.ViewTenant(ctx, l.tenant, func(t *store.Tenant) (err error) {
		counts, err = saidBy(ctx, t)
		return err
	})
	if err == nil {
		l.heed(counts)
	}
	return err
}

func (l *Learner) heed(counts said) {
	for k, n := range counts {
		if a := l.people[k.person]; a != "" && slices.Contains(learn.Kinds, learn.Kind(k.class)) {
			l.model.Ask(l.names.Of(a), learn.Kind(k.class), float32(Asked(n[0], n[1])))
		}
	}
}

// shutDays closes the model's open days up to one, and gives what is to be written of them. What is odd is told of days from on.
func (l *Learner) shutDays(over, from int32) closed {
	before := l.model.Shut()
	c := closed{shut: over}
	for _, d := range l.model.Open() {
		if d > over {
			break
		}
		if l.began == 0 {
			l.began = d
		}
		for _, a := range l.model.Activities(d) {
			if person := l.who[a.Who.Name]; person != "" {
				c.days = append(c.days, []any{string(person), d, a.Sent, a.Got, a.Outside, a.Files, thousandths(a.Usual), thousandths(a.Low), thousandths(a.High)})
			}
		}
		known := l.experienced(d)
		for _, v := range l.model.Close(d) {
			if v.Alarm && d >= from && known(v.Who) {
				c.odd = append(c.odd, l.oddOf(&v, false))
			}
		}
	}
	l.model.Close(over)
	c.state = l.model.State()
	for _, p := range l.model.Learned(before + 1) {
		c.parts = append(c.parts, []any{"person", l.key(p.Of), over, p.State()})
	}
	for _, a := range l.model.Gone() {
		c.gone = append(c.gone, l.key(a))
	}
	return c
}

func thousandths(x float64) int64 { return int64(math.Round(x * 1000)) }

// experienced says of whom enough is known for a day to be told of; it must be asked before the day is closed.
func (l *Learner) experienced(day int32) func(*learn.Address) bool {
	if l.began == 0 || day-l.began < youngDays {
		return func(*learn.Address) bool { return false }
	}
	return func(a *learn.Address) bool {
		p := l.model.Persona(a)
		return p != nil && p.Days[0]+p.Days[1] >= youngSent && l.who[a.Name] != ""
	}
}

func (l *Learner) oddOf(v *learn.Day, early bool) oddDay {
	return oddDay{person: l.who[v.Who.Name], who: v.Who.Name, v: v, why: l.model.Why(v), early: early}
}

func (c *closed) pieces() [][]any {
	var rows [][]any
	for i, piece := range slices.Collect(slices.Chunk(c.state, 1<<20)) {
		rows = append(rows, []any{"tenant", fmt.Sprintf("%08d", i), c.shut, piece})
	}
	return append(rows, c.parts...)
}

var intoParts = store.Into{Table: "learned_part", Key: []string{"kind", "key", "day"}, Columns: []string{"kind", "key", "day", "body"}}
var intoDays = store.Into{Table: "persona_day", Key: []string{"person", "day"}, Columns: strings.Fields("person day sent received outside files usual low high")}

// close judges and learns the days that are over, and writes what became of it.
func (l *Learner) close(ctx context.Context, over int32) error {
	if err := l.feedback(ctx); err != nil {
		return err
	}
	before := l.model.Shut()
	c := l.shutDays(over, before+1)
	if err := l.ahead(ctx, &c); err != nil {
		return err
	}
	err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error {
		if err := l.claim(ctx, t, over, l.fact); err != nil {
			return err
		}
		if l.began > 0 {
			if _, err := t.Exec(ctx, `update learned set began = $2 where tenant = $1 and began = 0`, l.began); err != nil {
				return err
			}
		}
		if err := l.last(ctx, t, &c); err != nil {
			return err
		}
		return l.tell(ctx, t, c.odd)
	})
	if err != nil {
		return err
	}
	l.version++
	l.written = l.fact
	return l.clean(ctx, &c)
}

// ahead writes what is too much for one transaction. It is of a day that is not closed yet, so nobody reads it until it is.
func (l *Learner) ahead(ctx context.Context, c *closed) error {
	parts := c.pieces()
	for len(parts)+len(c.days) > learnRows {
		n, m := min(len(parts), learnRows), 0
		if n < learnRows {
			m = min(len(c.days), learnRows-n)
		}
		err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error {
			if k, err := t.Exec(ctx, `update learned set version = version where tenant = $1 and version = $2`, l.version); err != nil || k == 0 {
				return cmp.Or(err, store.ErrLost)
			}
			return errors.Join(t.Insert(ctx, intoParts, parts[:n]), t.Insert(ctx, intoDays, c.days[:m]))
		})
		if err != nil {
			return err
		}
		parts, c.days = parts[n:], c.days[m:]
	}
	c.parts, c.state = parts, nil
	return nil
}

// last writes what ahead left, and forgets the mail of days that are closed now.
func (l *Learner) last(ctx context.Context, t *store.Tenant, c *closed) error {
	if err := t.Insert(ctx, intoParts, c.parts); err != nil {
		return err
	}
	if err := t.Insert(ctx, intoDays, c.days); err != nil {
		return err
	}
	for some := range slices.Chunk(c.gone, learnRows) {
		if _, err := t.Exec(ctx, `delete from learned_part where tenant = $1 and kind = 'person' and key in (`+store.In(len(some), 2)+`)`, anys(some)...); err != nil {
			return err
		}
	}
	if _, err := t.Exec(ctx, `delete from learned_open where tenant = $1 and last <= $2`, c.shut); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `delete from learned_part where tenant = $1 and kind = 'tenant' and day < $2`, c.shut)
	return err
}

// clean deletes what newer rows stand in the place of. Where it is broken off, it is done with the next day.
func (l *Learner) clean(ctx context.Context, c *closed) error {
	for {
		var n int64
		err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) (err error) {
			n, err = t.Exec(ctx, `delete from learned_part where tenant = $1 and kind = 'person' and (key, day) in (select p.key, p.day from learned_part p
				join learned_part q on q.tenant = p.tenant and q.kind = p.kind and q.key = p.key and q.day > p.day and q.day <= $2 where p.tenant = $1 and p.kind = 'person' limit 500)`, c.shut)
			return err
		})
		if err != nil || n < learnRows {
			return err
		}
	}
}

// tell keeps the days that are not as usual, and files what they are as findings.
func (l *Learner) tell(ctx context.Context, t *store.Tenant, odd []oddDay) error {
	if len(odd) == 0 {
		return nil
	}
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	var found []tocsin.Finding
	for i := range odd {
		f, err := l.tellOne(ctx, t, org, &odd[i])
		if err != nil {
			return fmt.Errorf("a day of %s: %w", odd[i].person, err)
		}
		if f != nil {
			found = append(found, *f)
		}
	}
	return fileEvents(ctx, t, org.Now, found)
}

func (l *Learner) tellOne(ctx context.Context, t *store.Tenant, org *organisation, o *oddDay) (*tocsin.Finding, error) {
	v := o.v
	class := v.Kind()
	date := learn.Date(v.Day).Format(time.DateOnly)
	id := tocsin.NewFindingID(t.ID(), "anomaly", string(o.person), date)
	oneIn := int64(math.Round(min(1/max(v.P, 1e-12), 1e9)))
	var had string
	err := t.QueryRow(ctx, `select class from anomaly where tenant = $1 and id = $2`, id).Scan(&had)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	if err == nil && had != string(class) { // it was told as something else before the day was over, and stays what it was told as
		_, err := t.Exec(ctx, `update anomaly set early = $3 where tenant = $1 and id = $2`, id, o.early)
		return nil, err
	}
	terms := []OddTerm{}
	for _, k := range learn.Kinds {
		if z := v.Surprise(k); z > math.Ln2 {
			terms = append(terms, OddTerm{string(k), math.Round(math.Exp(min(z, 20)))})
		}
	}
	slices.SortStableFunc(terms, func(a, b OddTerm) int { return cmp.Compare(b.OneIn, a.OneIn) })
	addresses := []string{}
	for _, a := range v.Odd() {
		addresses = append(addresses, a.Name)
	}
	termsText, err1 := json.Marshal(terms)
	oddText, err2 := json.Marshal(addresses)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	f := rule.OddDay(rule.Odd{Person: o.person, Who: o.who, Class: class, Day: date, At: tocsin.FromMillis(v.At()), OneIn: int(oneIn), Why: o.why, Events: v.IDs(5)})
	finding := tocsin.NewFindingID(t.ID(), f.Rule, rule.Identity(f), f.Cause)
	if org.Excused(rule.Unusual(class), f) != nil {
		f, finding = nil, ""
	}
	_, err = t.Exec(ctx, `insert into anomaly (tenant, id, person, day, at, class, one_in, why, terms, odd, early, finding, found) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		on conflict (tenant, id) do update set one_in = excluded.one_in, why = excluded.why, terms = excluded.terms, odd = excluded.odd, early = excluded.early,
			finding = case when excluded.finding <> '' then excluded.finding else anomaly.finding end`,
		id, string(o.person), v.Day, v.At(), string(class), oneIn, o.why, string(termsText), string(oddText), o.early, finding, t.Tx().Clock().Now())
	if err != nil {
		return nil, err
	}
	return f, t.Append(ctx, store.Fact{Kind: "anomaly.found", Subject: id, Person: string(o.person)})
}

// early tells of open days that are already so odd that a usual day hardly ever becomes like them.
func (l *Learner) early(ctx context.Context) error {
	if !l.fresh || time.Since(l.looked) < lookRest*l.took {
		return nil
	}
	l.fresh = false
	if l.began == 0 {
		return nil
	}
	began := time.Now()
	defer func() { l.looked, l.took = time.Now(), time.Since(began) }()
	if err := l.feedback(ctx); err != nil {
		return err
	}
	var odd []oddDay
	for _, d := range l.model.Open() {
		known := l.experienced(d)
		for _, v := range l.model.Look(d) {
			if v.Alarm && v.P < l.model.Threshold()/2 && known(v.Who) {
				odd = append(odd, l.oddOf(&v, true))
			}
		}
	}
	if len(odd) == 0 {
		return nil
	}
	return l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error {
		if n, err := t.Exec(ctx, `update learned set version = version where tenant = $1 and version = $2`, l.version); err != nil || n == 0 {
			return cmp.Or(err, store.ErrLost)
		}
		return l.tell(ctx, t, odd)
	})
}

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
		sent := map[string]bool{}
		some := rows[:0:0]
		for _, r := range rows {
			if r.action == "email_sent" || r.action == "email_received" {
				sent[r.id] = r.action == "email_sent"
				some = append(some, r)
			}
		}
		list, err := mailsOf(ctx, t, some)
		if err != nil {
			return err
		}
		take(l.settle(list, sent))
	}
}
