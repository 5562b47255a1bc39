package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

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
	instead := map[string]*tocsin.Finding{} // of a finding that is told as another now
	for i := range odd {
		f, old, err := l.tellOne(ctx, t, org, &odd[i])
		if err != nil {
			return fmt.Errorf("a day of %s: %w", odd[i].person, err)
		}
		if f != nil {
			found = append(found, *f)
		}
		if f != nil && old != "" {
			instead[old] = f
		}
	}
	if err := fileEvents(ctx, t, org.Now, found); err != nil || len(instead) == 0 {
		return err
	}
	return toldAsOther(ctx, t, org.Now, instead)
}

// toldAsOther closes findings of days that are told as something else now.
func toldAsOther(ctx context.Context, t *store.Tenant, now time.Time, instead map[string]*tocsin.Finding) error {
	f := filing{t: t, now: now}
	for _, id := range sortedKeys(instead) {
		h := filed{id: id}
		err := t.QueryRow(ctx, `select body from finding where tenant = $1 and id = $2`, id).Scan(&h.body)
		if errors.Is(err, store.ErrNone) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f.gone(ctx, h, false, []*tocsin.Finding{instead[id]}); err != nil {
			return err
		}
	}
	return f.write(ctx)
}

// farOdder is how many times rarer a day has to have become to be told as something else than it was before it was over.
const farOdder = 10

// tellOne keeps a day, and gives the finding that it is, nil where it is excused or stays what it was told as; and the id of the
// finding in whose place that stands.
func (l *Learner) tellOne(ctx context.Context, t *store.Tenant, org *organisation, o *oddDay) (f *tocsin.Finding, old string, err error) {
	v := o.v
	class := v.Kind()
	date := learn.Date(v.Day).Format(time.DateOnly)
	id := tocsin.NewFindingID(t.ID(), "anomaly", string(o.person), date)
	oneIn := int64(math.Round(min(1/max(v.P, 1e-12), 1e9)))
	var had, said, finding string
	var rare int64
	err = t.QueryRow(ctx, `select class, one_in, verdict, finding from anomaly where tenant = $1 and id = $2`, id).Scan(&had, &rare, &said, &finding)
	switch {
	case errors.Is(err, store.ErrNone) || err == nil && had == string(class):
	case err != nil:
		return nil, "", err
	case said != "" || oneIn < farOdder*rare: // it was told as something else before the day was over, and stays what it was told as
		_, err := t.Exec(ctx, `update anomaly set early = $3 where tenant = $1 and id = $2`, id, o.early)
		return nil, "", err
	default:
		old = finding
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
		return nil, "", err
	}
	f = rule.OddDay(rule.Odd{Person: o.person, Who: o.who, Class: class, Day: date, At: tocsin.FromMillis(v.At()), OneIn: int(oneIn), Why: o.why, Events: v.IDs(5)})
	f.ID = tocsin.NewFindingID(t.ID(), f.Rule, rule.Identity(f), f.Cause)
	finding = f.ID
	if org.Excused(rule.Unusual(class), f) != nil {
		if old != "" { // what it was told as is not excused, and stays
			_, err := t.Exec(ctx, `update anomaly set early = $3 where tenant = $1 and id = $2`, id, o.early)
			return nil, "", err
		}
		f, finding = nil, ""
	}
	_, err = t.Exec(ctx, `insert into anomaly (tenant, id, person, day, at, class, one_in, why, terms, odd, early, finding, found) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		on conflict (tenant, id) do update set at = case when anomaly.class = excluded.class then anomaly.at else excluded.at end, class = excluded.class, one_in = excluded.one_in, why = excluded.why, terms = excluded.terms, odd = excluded.odd, early = excluded.early,
			finding = case when excluded.finding <> '' then excluded.finding else anomaly.finding end`,
		id, string(o.person), v.Day, v.At(), string(class), oneIn, o.why, string(termsText), string(oddText), o.early, finding, t.Tx().Clock().Now())
	if err != nil {
		return nil, "", err
	}
	return f, old, t.Append(ctx, store.Fact{Kind: "anomaly.found", Subject: id, Person: string(o.person)})
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
