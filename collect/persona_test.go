package collect

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

// office is some people of a tenant who write to each other and outside, day by day by the store's clock.
type office struct {
	*bed
	people []tocsin.PersonID
	dice   *rand.Rand
	n      int
	items  []journal.Item
}

func newOffice(b *bed, tenant tocsin.TenantID, people int) *office {
	o := &office{bed: &bed{T: b.T, st: b.st, tenant: tenant}, dice: rand.New(rand.NewPCG(1, 2))}
	if tenant != acme {
		o.exec(`insert into tenant (tenant, name, created) values ($1, 'An office', 1)`)
		o.fold(o.item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "x.example", Default: true}}}))
	}
	for i := range people {
		name := fmt.Sprintf("p%d@x.example", i)
		id := tocsin.PersonID(fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i))
		o.people = append(o.people, id)
		o.fold(o.item(kindPerson, id, personSeen{Object: name, Name: fmt.Sprintf("Person %d", i), UPN: name, Mail: name, Kind: "member", Addresses: []string{"SMTP:" + name}}))
	}
	return o
}

// sends puts a mail of a person into the next run.
func (o *office) sends(person int, at time.Time, files bool, to ...string) {
	o.n++
	m := &mailSeen{ID: fmt.Sprintf("m%d", o.n), Folder: "S", From: tocsin.Address{Address: fmt.Sprintf("p%d@x.example", person)}, Attachments: &files,
		Created: tocsin.Millis(at), Modified: tocsin.Millis(at), Sent: tocsin.Millis(at), Received: tocsin.Millis(at), Counts: [3]int{len(to), 0, 0}}
	for _, a := range to {
		m.To = append(m.To, tocsin.Address{Address: a})
	}
	o.items = append(o.items, o.item(kindMail, o.people[person], mailLooks{Looks: []mailLook{{ID: m.ID, Change: "created", At: tocsin.Millis(at), Message: m}}}))
}

// gets puts a mail from outside into the next run.
func (o *office) gets(person int, at time.Time, from string) {
	o.n++
	m := &mailSeen{ID: fmt.Sprintf("m%d", o.n), Folder: "I", From: tocsin.Address{Address: from}, To: []tocsin.Address{{Address: fmt.Sprintf("p%d@x.example", person)}}, Attachments: no(),
		Created: tocsin.Millis(at), Modified: tocsin.Millis(at), Sent: tocsin.Millis(at), Received: tocsin.Millis(at), Counts: [3]int{1, 0, 0}}
	o.items = append(o.items, o.item(kindMail, o.people[person], mailLooks{Looks: []mailLook{{ID: m.ID, Change: "created", At: tocsin.Millis(at), Message: m}}}))
}

// works is a usual day: everybody writes to a few usual people, in no order.
func (o *office) works(day time.Time) {
	at := func(i int) time.Time {
		return day.Add(9*time.Hour + time.Duration(i)*41*time.Minute + time.Duration(o.n)*time.Second)
	}
	for p := range o.people {
		for i := range 2 + o.dice.IntN(3) {
			to := fmt.Sprintf("p%d@x.example", (p+1+o.dice.IntN(3))%len(o.people))
			if o.dice.IntN(5) == 0 {
				to = fmt.Sprintf("client%d@out%d.example", p%3, p%2)
			}
			o.sends(p, at(i), o.dice.IntN(6) == 0, to)
		}
		o.gets(p, at(9), fmt.Sprintf("client%d@out%d.example", p%3, p%2))
	}
	o.dice.Shuffle(len(o.items), func(i, j int) { o.items[i], o.items[j] = o.items[j], o.items[i] })
}

// arrives folds what was put together.
func (o *office) arrives() {
	o.Helper()
	o.fold(o.items...)
	o.items = nil
}

func (o *office) learner() *Learner { return NewLearner(o.st, o.tenant, slog.New(slog.DiscardHandler)) }

func (o *office) round(l *Learner) {
	o.Helper()
	l.took = 0 // it looks at open days whenever there is mail
	if err := l.Round(o.Context()); err != nil {
		o.Fatal(err)
	}
}

// learned is all that is learned of the tenant, as it would be read.
func (o *office) learned() string {
	o.Helper()
	var lines []string
	if err := o.st.ViewTenant(o.Context(), o.tenant, func(t *store.Tenant) error {
		lines = nil
		return each(o.Context(), t, func(scan func(...any) error) error {
			var kind, key string
			var day int
			var body []byte
			err := scan(&kind, &key, &day, &body)
			lines = append(lines, fmt.Sprint(kind, " ", key, " ", day, " ", hex.EncodeToString(body)))
			return err
		}, `select p.kind, p.key, p.day, p.body from learned_part p join learned l on l.tenant = p.tenant where p.tenant = $1 and p.day = (select max(q.day) from learned_part q where q.tenant = $1 and q.kind = p.kind and q.key = p.key and q.day <= l.shut) order by p.kind, p.key`)
	}); err != nil {
		o.Fatal(err)
	}
	for _, q := range []string{
		`select person, day, sent, received, outside, files, usual, low, high from persona_day where tenant = $1 order by person, day`,
		`select person, address, who, outside, first_sent, last_sent, sent, first_received, last_received, received from contact where tenant = $1 order by person, address`,
		`select week, person, address, sent, received from contact_week where tenant = $1 order by week, person, address`,
		`select person, day, at, class, one_in, why, odd, early from anomaly where tenant = $1 order by person, day`,
		`select shut, began from learned where tenant = $1`,
	} {
		lines = append(lines, o.rows(q)...)
	}
	return strings.Join(lines, "\n")
}

// differ is the first line in which two texts differ.
func differ(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n%.300s\n%.300s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// dying is a context that ends when it was asked so often.
type dying struct {
	context.Context
	left atomic.Int64
	once sync.Once
	done chan struct{}
}

func dies(ctx context.Context, after int64) *dying {
	d := &dying{Context: ctx, done: make(chan struct{})}
	d.left.Store(after)
	return d
}

// Done ends it when it was asked often enough.
func (d *dying) Done() <-chan struct{} {
	if d.left.Add(-1) <= 0 {
		d.once.Do(func() { close(d.done) })
	}
	return d.done
}

// Err is of a process that was killed, as far as what it does can tell.
func (d *dying) Err() error {
	select {
	case <-d.done:
		return context.Canceled
	default:
		return nil
	}
}

// TestLearnedAlike: what is learned is the same to the last bit whether the learner lived all the time or was killed again and
// again, with mail that comes late and in no order; and the same whether it learned from the first day on or from what is stored.
func TestLearnedAlike(t *testing.T) {
	t.Parallel()
	onBoth(t, func(b *bed) {
		id := func(n int) tocsin.TenantID { return tocsin.TenantID(fmt.Sprintf("22222222-2222-4333-8444-%012d", n)) }
		lived, killed := newOffice(b, id(1), 5), newOffice(b, id(2), 5)
		prompt, after := newOffice(b, id(3), 5), newOffice(b, id(4), 5)
		shared := newOffice(b, id(5), 5)
		pair := []*Learner{shared.learner(), shared.learner()}
		all := []*office{lived, killed, prompt, after, shared}
		learner, ontime := lived.learner(), prompt.learner()
		dice := rand.New(rand.NewPCG(7, 8))
		deaths := 0
		now := b.st.Clock().Now()
		b.st.Clock().Advance(now.Truncate(24 * time.Hour).Add(30 * time.Hour).Sub(now)) // 6 o'clock
		var late time.Time
		for day := range 14 {
			today := b.st.Clock().Now().Truncate(24 * time.Hour)
			for _, o := range all {
				o.works(today)
			}
			if day == 12 {
				for _, o := range all {
					for i := range 9 {
						o.sends(2, today.Add(3*time.Hour+time.Duration(i)*time.Minute), true, fmt.Sprintf("drop%d@thief.example", i))
					}
				}
			}
			if day > 3 && day%3 == 0 {
				for _, o := range []*office{lived, killed, shared} {
					o.sends(1, late.Add(11*time.Hour), false, "p3@x.example", "late@out0.example")
				}
			}
			late = today.Add(-48 * time.Hour)
			b.st.Clock().Advance(16 * time.Hour)
			for _, o := range all {
				o.arrives()
			}
			for range 2 { // in the evening, and when the day is over
				lived.round(learner)
				prompt.round(ontime)
				for _, l := range pair { // each comes too late for what the other wrote, and begins again from the tables
					shared.round(l)
					shared.round(l)
				}
				for tries := 0; ; tries++ {
					l := killed.learner() // a new process
					ctx := dies(b.Context(), int64(5+dice.IntN(150)))
					if tries > 3 {
						killed.round(l)
						break
					}
					if err := l.Round(ctx); err == nil && ctx.Err() == nil && l.model != nil {
						break
					} else if err != nil && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "cancel") && !strings.Contains(err.Error(), "interrupt") {
						b.Logf("it died of %v", err)
					}
					deaths++
				}
				b.st.Clock().Advance(4*time.Hour + 30*time.Minute)
			}
			b.st.Clock().Advance(b.st.Clock().Now().Truncate(24 * time.Hour).Add(6 * time.Hour).Sub(b.st.Clock().Now()))
		}
		after.round(after.learner())
		want := lived.learned()
		if got := killed.learned(); got != want {
			b.Errorf("after %d deaths it is another: %s", deaths, differ(want, got))
		}
		if got := shared.learned(); got != want {
			b.Errorf("two who learn at once make another: %s", differ(want, got))
		}
		if deaths < 10 {
			b.Errorf("it died only %d times", deaths)
		}
		if strings.Count(want, "person ") < 5 || !strings.Contains(want, "thief.example") {
			b.Errorf("too little is learned:\n%.2000s", want)
		}
		lived.want("the late mail is learned", `select sent from contact where tenant = $1 and address = 'late@out0.example'`, "3")
		if got, want := strip(after.learned()), strip(prompt.learned()); got != want {
			b.Errorf("from what is stored another is learned: %s", differ(want, got))
		}
	})
}

// strip takes out of what is learned what was told before its day was over, which nobody can tell afterwards.
func strip(learned string) string {
	var out []string
	for _, line := range strings.Split(learned, "\n") {
		if !strings.Contains(line, "One usual") && !strings.Contains(line, " had never written to") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// TestFeedbackIsHeard: a day that is not as usual is told with a finding, what is said of it changes that person's threshold, and
// with what was said taken back it is as before.
func TestFeedbackIsHeard(t *testing.T) {
	t.Parallel()
	onBoth(t, func(b *bed) {
		o := newOffice(b, acme, 6)
		o.exec(`insert into learn_settings (tenant, is_off, budget, version, changed, changed_by) values ($1, $2, 1500, 1, 1, 'somebody')`, false)
		l := o.learner()
		now := b.st.Clock().Now()
		b.st.Clock().Advance(now.Truncate(24 * time.Hour).Add(30 * time.Hour).Sub(now))
		odd := func(day time.Time) {
			for i := range 12 {
				o.sends(2, day.Add(12*time.Hour+time.Duration(i)*time.Minute), true, fmt.Sprintf("drop%d@thief.example", i))
			}
		}
		for day := range 14 {
			today := b.st.Clock().Now().Truncate(24 * time.Hour)
			o.works(today)
			if day == 13 {
				odd(today)
			}
			b.st.Clock().Advance(12 * time.Hour)
			o.arrives()
			o.round(l)
			if day < 13 {
				b.st.Clock().Advance(12 * time.Hour)
				o.round(l)
			}
		}
		early := o.rows(`select person, early, finding <> '' from anomaly where tenant = $1`)
		if len(early) != 1 || early[0] != string(o.people[2])+" 1 1" {
			b.Fatalf("before the day is over it is told as %q", early)
		}
		if got := o.rows(`select count(*) from finding where tenant = $1 and rule in ('unusual-correspondents', 'unusual-files-to-outside') and status = 'open' and person = '` + string(o.people[2]) + `'`); got[0] != "1" {
			b.Fatalf("%s findings", got)
		}
		class := learn.Kind(o.rows(`select class from anomaly where tenant = $1`)[0])
		asked := func(verdict string) float32 {
			o.exec(`update anomaly set verdict = $2, said = 1 where tenant = $1`, verdict)
			if err := l.feedback(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i, k := range learn.Kinds {
				if k == class {
					return l.model.Persona(l.names.Of("p2@x.example")).Asked[i]
				}
			}
			return 0
		}
		if x, y, z := asked("false_alarm"), asked("confirmed"), asked(""); x <= 0 || y >= 0 || z != 0 {
			b.Errorf("the threshold is %g after a false alarm, %g after it was confirmed, %g after that was taken back", x, y, z)
		}
	})
}

// TestToldAsSomethingElse: a day that was told for its hours, and becomes far odder by whom is written to, is told for that before it is
// over; the first finding says so and is closed, and what a person said of the day stays.
func TestToldAsSomethingElse(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "confirmed"} {
		onBoth(t, func(b *bed) {
			o := newOffice(b, acme, 6)
			o.exec(`insert into learn_settings (tenant, is_off, budget, version, changed, changed_by) values ($1, $2, 1500, 1, 1, 'somebody')`, false)
			l := o.learner()
			now := b.st.Clock().Now()
			monday := now.Truncate(24*time.Hour).AddDate(0, 0, 7-int(now.Weekday()+6)%7)
			b.st.Clock().Advance(monday.Sub(now))
			for range 23 { // and a Wednesday is told of
				o.works(b.st.Clock().Now())
				b.st.Clock().Advance(24 * time.Hour)
				o.arrives()
				o.round(l)
			}
			today := b.st.Clock().Now()
			for i := range 3 {
				o.sends(2, today.Add(time.Duration(i)*time.Minute+time.Hour), false, "p3@x.example")
			}
			b.st.Clock().Advance(2 * time.Hour)
			o.arrives()
			o.round(l)
			told := func() string {
				return strings.Join(o.rows(fmt.Sprintf(`select a.class, f.rule, f.status from anomaly a join finding f on f.tenant = a.tenant and f.person = a.person and f.cause = '%s'
					where a.tenant = $1 and a.person = '%s' and a.day = %d order by f.rule`, today.Format(time.DateOnly), o.people[2], today.Unix()/86400)), ", ")
			}
			if got := told(); got != "off_hours unusual-hours open" {
				b.Fatalf("by night: %s", got)
			}
			if said != "" {
				o.exec(`update anomaly set verdict = $2, said = 1 where tenant = $1`, said)
			}
			for i := range 24 {
				o.sends(2, today.Add(2*time.Hour+time.Duration(i)*time.Second), true, fmt.Sprintf("drop%d@thief%d.example", i, i))
			}
			b.st.Clock().Advance(time.Hour)
			o.arrives()
			o.round(l)
			want := "graph unusual-correspondents open, graph unusual-hours fixed"
			if said != "" {
				want = "off_hours unusual-hours open"
			}
			if got := told(); got != want {
				b.Errorf("an hour later, where %q was said: %s", said, got)
			}
			if n := o.rows(`select count(*) from attack_story_part p join finding f on f.tenant = p.tenant and f.id = p.finding where p.tenant = $1 and f.status = 'fixed'`); n[0] != "0" {
				b.Errorf("the day is in a story twice")
			}
		})
	}
}

// TestLearningOff: while it is off nothing is learned, and when it is on again all is that is stored.
func TestLearningOff(t *testing.T) {
	t.Parallel()
	onBoth(t, func(b *bed) {
		o := newOffice(b, acme, 3)
		l := o.learner()
		set := func(off bool, version int64) {
			b.Helper()
			if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
				ok, err := SetLearnSettings(b.Context(), t, LearnSettings{Off: off, Budget: 0.05, Version: version, ChangedBy: "somebody"})
				if err == nil && !ok {
					err = errors.New("the version is another")
				}
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
		o.round(l)
		set(true, 0)
		for range 3 {
			o.works(b.st.Clock().Now().Truncate(24 * time.Hour))
			o.arrives()
			b.st.Clock().Advance(24 * time.Hour)
			o.round(l)
		}
		o.want("nothing is learned", `select count(*) from learned where tenant = $1`, "0")
		set(false, 1)
		b.st.Clock().Advance(48 * time.Hour)
		o.round(l)
		o.want("all is learned", `select count(*), (select count(*) from persona_day d where d.tenant = $1) from learned_part where tenant = $1 and kind = 'person'`, "3 9")
	})
}

// TestMailToCome: a mail whose sender's clock is years ahead is learned today; else its day would be closed before it came.
func TestMailToCome(t *testing.T) {
	t.Parallel()
	onBoth(t, func(b *bed) {
		o := newOffice(b, acme, 3)
		l := o.learner()
		for day := range 3 {
			now := b.st.Clock().Now().Truncate(24 * time.Hour)
			o.works(now)
			if day == 1 {
				o.sends(0, now.AddDate(3, 0, 0), false, "p1@x.example")
				o.gets(1, now.AddDate(0, 2, 0), "client1@out1.example")
			}
			o.arrives()
			b.st.Clock().Advance(24 * time.Hour)
			o.round(l)
		}
		b.st.Clock().Advance(48 * time.Hour)
		for _, l := range []*Learner{l, o.learner()} {
			o.round(l)
			o.want("each day is learned when it is over", `select count(distinct day), count(*) from persona_day where tenant = $1`, "3 9")
			o.want("no day is open", `select count(*) from learned_open where tenant = $1`, "0")
		}
		if err := b.st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error { return forgetLearned(b.Context(), t) }); err != nil {
			b.Fatal(err)
		}
		o.round(o.learner())
		today := dayNumber(b.st.Clock().Now())
		o.want("nor from what is stored", `select count(*) from learned where tenant = $1 and shut < `+fmt.Sprint(today), "1")
		o.want("each once", `select count(distinct day), count(*) from persona_day where tenant = $1`, "3 9")
	})
}
