package learn_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect"
	"tocsin.dev/learn"
	"tocsin.dev/learn/plant"
	"tocsin.dev/learn/worldtest"
)

// revived is what a crash leaves of a model: its state and its personas', in a new one with names of its own.
func revived(t *testing.T, m *learn.Model, o learn.Options) *learn.Model {
	t.Helper()
	names := learn.NewNames("acme.example")
	next := learn.New(o)
	if err := next.Restore(m.State(), names); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Learned(math.MinInt32) {
		q, err := learn.ReadPersona(p.State(), names)
		if err != nil {
			t.Fatal(err)
		}
		next.Adopt(q)
	}
	return next
}

// TestRestored: a model that crashes every few days, in the middle of days, ends with the same verdicts and the same bytes as one
// that never did.
func TestRestored(t *testing.T) {
	t.Parallel()
	mails, _, _ := plant.Into(small(2), plant.Options{Kinds: plant.Kinds, Each: 2, Seed: 2})
	o := learn.Options{Budget: 1, Group: func(a *learn.Address) string { return fmt.Sprint(a.ID % 5) }}
	_, want, steady := replay(mails, o)
	r := rand.New(rand.NewPCG(3, 4))
	m := learn.New(o)
	var got []learn.Day
	crashes := 0
	last, begun := int32(0), 0 // where the mails of open days begin
	for i, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			got = append(got, m.Close(n-1)...)
			last, begun = n, i
		}
		m.Mail(x)
		if r.IntN(len(mails)/12) == 0 {
			crashes++
			m.Look(last)
			m.Activities(last)
			m = revived(t, m, o)
			for _, y := range mails[begun : i+1] {
				m.Again(y, m.Shut())
			}
		}
	}
	got = append(got, m.Close(math.MaxInt32-1)...)
	if crashes < 5 || len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d crashes, %d verdicts, %d without", crashes, len(got), len(want))
	}
	alarms := 0
	for i := range want {
		a, b := &want[i], &got[i]
		if a.Who.Name != b.Who.Name || a.Day != b.Day || a.P != b.P || a.Alarm != b.Alarm || a.At() != b.At() || steady.Why(a) != m.Why(b) {
			t.Fatalf("without a crash: %s %d %g %s; with crashes: %s %d %g %s", a.Who.Name, a.Day, a.P, steady.Why(a), b.Who.Name, b.Day, b.P, m.Why(b))
		}
		if a.Alarm {
			alarms++
		}
	}
	if alarms == 0 {
		t.Error("nothing alarmed, so nothing of alarms was compared")
	}
	if !bytes.Equal(steady.State(), m.State()) {
		t.Error("what the tenants know is not the same")
	}
	a, b := steady.Learned(math.MinInt32), m.Learned(math.MinInt32)
	if len(a) != len(b) || len(a) < 100 {
		t.Fatalf("%d personas and %d", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].State(), b[i].State()) {
			t.Fatalf("the persona of %s is not the same", a[i].Of.Name)
		}
	}
}

// TestLook: a day can be judged early, and that changes nothing.
func TestLook(t *testing.T) {
	t.Parallel()
	mails := small(6)
	m := learn.New(learn.Options{})
	last := int32(0)
	for _, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			if n > int32(mails[0].At/86_400_000)+50 && time.Unix(int64(last)*86_400, 0).UTC().Weekday() == time.Tuesday {
				break
			}
			m.Close(n - 1)
			last = n
		}
		m.Mail(x)
	}
	before := m.State()
	seen, acts := m.Look(last), m.Activities(last)
	if !bytes.Equal(before, m.State()) {
		t.Error("looking changed the model")
	}
	days := m.Close(last)
	if len(seen) != len(days) || len(days) == 0 {
		t.Fatalf("%d early verdicts, %d at the end of the day", len(seen), len(days))
	}
	for i := range days {
		if seen[i].Who != days[i].Who || seen[i].P != days[i].P {
			t.Errorf("%s has %g early and %g at the end", days[i].Who.Name, seen[i].P, days[i].P)
		}
	}
	sent := 0
	for _, a := range acts {
		if sent += a.Sent; a.Low > a.High || a.Usual <= 0 {
			t.Errorf("%s: %+v", a.Who.Name, a)
		}
	}
	want := 0
	for _, d := range days {
		want += d.Sent
	}
	if sent != want {
		t.Errorf("%d mailings in activities, %d in verdicts", sent, want)
	}
}

// TestBusyDay: of what one person does on one day so much is kept and no more, the same whatever the order, and all is counted.
func TestBusyDay(t *testing.T) {
	t.Parallel()
	names := learn.NewNames("acme.example")
	a := names.Of("a@acme.example")
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	var mails []learn.Mail
	for i := range 5000 {
		x := names.Of(fmt.Sprintf("x%d@host%d.example", i, i%700))
		mails = append(mails, learn.Mail{At: start.Add(time.Duration(i) * 2 * time.Second).UnixMilli(), From: a, To: []*learn.Address{x}, ID: fmt.Sprint("m", i)},
			learn.Mail{At: start.Add(time.Duration(i) * time.Second).UnixMilli(), From: x, To: []*learn.Address{a}})
	}
	var want []byte
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(mails), func(i, j int) { mails[i], mails[j] = mails[j], mails[i] })
		m := learn.New(learn.Options{})
		for _, x := range mails {
			m.Mail(x)
		}
		l := m.Close(plant.Number(start))
		if len(l) != 1 || l[0].Sent != 5000 {
			t.Fatalf("%d verdicts, %+v", len(l), l)
		}
		if ids := l[0].IDs(1000); len(ids) == 0 || len(ids) > 300 {
			t.Errorf("%d mails are kept of the day", len(ids))
		}
		state := m.Persona(a).State()
		if want == nil {
			want = state
		} else if !bytes.Equal(want, state) {
			t.Error("in another order something else is learned")
		}
	}
}

// TestForgotten: a tenant has its room and no more: strangers who write to ever new addresses leave nothing behind, and who
// is not heard of for long is forgotten; who is, is not.
func TestForgotten(t *testing.T) {
	t.Parallel()
	names := learn.NewNames("acme.example")
	a, gone := names.Of("a@acme.example"), names.Of("gone@acme.example")
	m := learn.New(learn.Options{HalfLife: 2})
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m.Mail(learn.Mail{At: start.UnixMilli(), From: gone, To: []*learn.Address{a}})
	forgotten := map[string]bool{}
	size, people := 0, 0
	for d := range 28 {
		at := start.AddDate(0, 0, d)
		m.Mail(learn.Mail{At: at.UnixMilli(), From: a, To: []*learn.Address{names.Of("friend@known.example")}})
		for i := range 1200 { // guessed addresses, and an address book that was written to
			m.Mail(learn.Mail{At: at.UnixMilli(), From: names.Of("spam@out.example"), To: []*learn.Address{names.Of(fmt.Sprintf("guess%d-%d@acme.example", d, i))}})
			m.Mail(learn.Mail{At: at.Add(time.Minute).UnixMilli(), From: names.Of("bulk@acme.example"), To: []*learn.Address{names.Of(fmt.Sprintf("x%d@h%d-%d.example", i, d, i))}})
		}
		m.Close(plant.Number(at))
		for _, x := range m.Gone() {
			forgotten[x.Name] = true
			if m.Persona(x) != nil {
				t.Fatalf("%s is told as forgotten and is not", x.Name)
			}
		}
		if d%9 == 0 {
			size = max(size, len(m.State()))
			people = max(people, len(m.Learned(math.MinInt32)))
		}
	}
	if size > 8<<20 || people > 9000 {
		t.Errorf("the tenant takes %d bytes, and there are %d personas", size, people)
	}
	if !forgotten[gone.Name] || forgotten[a.Name] || len(forgotten) < 20_000 {
		t.Errorf("%d are forgotten; who was not heard of: %v, who was: %v", len(forgotten), forgotten[gone.Name], forgotten[a.Name])
	}
	if k := m.Knows(a, names.Of("friend@known.example")); k.Since != plant.Number(start) || !k.Domain || k.Out < 1 {
		t.Errorf("the friend is known as %+v", k)
	}
	if n, ok := m.Forget(100, names.Of("friend@known.example")); n != 50 || !ok {
		t.Errorf("%d recipients are remembered, the friend %v", n, ok)
	}
}

// persona is one with something in each of its fields.
func persona(t testing.TB) (*learn.Model, *learn.Persona) {
	mails, _ := worldtest.New(worldtest.Size{People: 18, Days: 25}, 4)
	_, _, m := replay(mails, learn.Options{})
	for i := range mails {
		if p := m.Persona(mails[i].From); p != nil && len(p.Known) > 2 && len(p.Trends) > 2 {
			m.Rule(learn.Rule{At: mails[len(mails)-1].At + 86_400_000, Who: p.Of, Outside: true})
			m.Close(int32(mails[len(mails)-1].At/86_400_000) + 2)
			m.Ask(p.Of, learn.Graph, 1.5)
			return m, m.Persona(p.Of)
		}
	}
	t.Fatal("nobody wrote outside")
	return nil, nil
}

func FuzzPersona(f *testing.F) {
	_, p := persona(f)
	f.Add(p.State())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := learn.ReadPersona(b, learn.NewNames("acme.example"))
		if err != nil {
			return
		}
		if again := p.State(); !bytes.Equal(again, b) {
			t.Errorf("%d bytes were read, and others are written: %d", len(b), len(again))
		}
		m := learn.New(learn.Options{})
		m.Adopt(p)
		at := int64(20_000) * 86_400_000
		m.Mail(learn.Mail{At: at, From: p.Of, To: []*learn.Address{{Name: "x@y.example", ID: 1, Domain: 2}}})
		for _, d := range m.Close(20_000) {
			if !(d.P >= 0 && d.P <= 1) {
				t.Errorf("a probability of %g", d.P)
			}
			_ = m.Why(&d)
		}
		_, _ = p.Awake(), p.Correspondents()
	})
}

func FuzzState(f *testing.F) {
	m, _ := persona(f)
	f.Add(m.State())
	f.Add(learn.New(learn.Options{}).State())
	f.Fuzz(func(t *testing.T, b []byte) {
		m := learn.New(learn.Options{})
		empty := m.State()
		if m.Restore(b, learn.NewNames()) != nil {
			if !bytes.Equal(m.State(), empty) {
				t.Error("what was refused left something behind")
			}
			return
		}
		if !bytes.Equal(m.State(), b) {
			t.Error("what was read is not what is written")
		}
	})
}

// TestStates: each part of a persona's and a tenant's state is needed, and what lacks some of it is refused.
func TestStates(t *testing.T) {
	t.Parallel()
	m, p := persona(t)
	b := p.State()
	if len(b) > 2500+len(p.Of.Name) {
		t.Errorf("a persona takes %d bytes", len(b))
	}
	for n := range b {
		if _, err := learn.ReadPersona(b[:n], learn.NewNames()); err == nil {
			t.Fatalf("%d of %d bytes are taken for a persona", n, len(b))
		}
	}
	if _, err := learn.ReadPersona(append(b, 0), learn.NewNames()); err == nil {
		t.Error("a byte too many is taken")
	}
	s := m.State()
	for n := 0; n < len(s); n += 1 + n/50 {
		if learn.New(learn.Options{}).Restore(s[:n], nil) == nil {
			t.Fatalf("%d of %d bytes are taken for a tenant", n, len(s))
		}
	}
}

// TestFull: a persona that has all its room filled takes no more than it may.
func TestFull(t *testing.T) {
	t.Parallel()
	names := learn.NewNames("acme.example")
	a := names.Of("a@acme.example")
	m := learn.New(learn.Options{})
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for d := range 28 {
		for i := range 48 {
			x := names.Of(fmt.Sprintf("some.body%c@host%d.example", 'a'+rune(i%26), i%40))
			at := start.AddDate(0, 0, d).Add(time.Duration(i) * 30 * time.Minute).UnixMilli()
			m.Mail(learn.Mail{At: at, From: a, To: []*learn.Address{x, names.Of(fmt.Sprintf("in%d@acme.example", i+d))}, Files: 1})
			m.Mail(learn.Mail{At: at, From: x, To: []*learn.Address{a}})
		}
		m.Close(plant.Number(start) + int32(d))
	}
	p := m.Persona(a)
	if len(p.Contacts) != 96 || len(p.Known) != 24 || len(p.Trends) != 16 || slices.Min(p.Hours[:]) == 0 {
		t.Fatalf("%d contacts, %d domains, %d trends: not full", len(p.Contacts), len(p.Known), len(p.Trends))
	}
	if n := p.Size(); n > 2500 || n < 2300 {
		t.Errorf("a full persona takes %d bytes", n)
	}
}

// company is some people who write to each other on working days, for tests of one thing.
type company struct {
	names *learn.Names
	m     *learn.Model
	day   time.Time
}

func newCompany(o learn.Options) *company {
	return &company{learn.NewNames("contoso.com"), learn.New(o), time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
}

// usual is so many working days on which each of n people writes to some of those they know, each in the hours of theirs.
func (c *company) usual(n, days int, r *rand.Rand) {
	for range days {
		for c.day.Weekday() == time.Saturday || c.day.Weekday() == time.Sunday {
			c.day = c.day.AddDate(0, 0, 1)
		}
		for i := range n {
			for range 2 + r.IntN(4) {
				to := fmt.Sprintf("p%d@contoso.com", (i+1+r.IntN(5))%n)
				switch r.IntN(9) {
				case 0, 1, 2:
					to = fmt.Sprintf("jane.roe%c@fabrikam.com", 'a'+rune(r.IntN(4)))
				case 3:
					to = fmt.Sprintf("info@firm%d.example", r.IntN(1e6))
				}
				c.send(fmt.Sprintf("p%d@contoso.com", i), to, 9+r.IntN(8), int32(r.IntN(2)))
			}
		}
		c.close()
	}
}

func (c *company) send(from, to string, hour int, files int32) {
	c.m.Mail(learn.Mail{At: c.day.Add(time.Duration(hour)*time.Hour + time.Duration(len(from)*7+len(to))*time.Second).UnixMilli(), From: c.names.Of(from), To: []*learn.Address{c.names.Of(to)}, Files: files})
}

func (c *company) close() []learn.Day {
	l := c.m.Close(plant.Number(c.day))
	c.day = c.day.AddDate(0, 0, 1)
	return l
}

// TestAlike: somebody new who looks like somebody known is odder than somebody new who does not, and the sentence says it.
func TestAlike(t *testing.T) {
	t.Parallel()
	surprise := func(to string) (float64, string) {
		c := newCompany(learn.Options{Alike: detect.Alike})
		c.usual(12, 30, rand.New(rand.NewPCG(1, 1)))
		c.send("p3@contoso.com", to, 10, 0)
		for _, d := range c.close() {
			return d.Surprise(learn.Graph), c.m.Why(&d)
		}
		return 0, ""
	}
	plain, _ := surprise("john.doe@northwind.com")
	for _, to := range []string{"jane.roex@fabrikarn.com", "jane.roex@fabrikam.co", "jane.roex@c0ntoso.com", "p4@c\u043entoso.com"} {
		like, why := surprise(to)
		if like <= plain+1 || !strings.Contains(why, "looks like") {
			t.Errorf("%s has a surprise of %.2f, where somebody who looks like nobody has %.2f: %s", to, like, plain, why)
		}
	}
	other, why := surprise("somebody.else@gmail.com")
	if strings.Contains(why, "looks like") {
		t.Errorf("%.2f: %s", other, why)
	}
	if like, why := surprise("jane.roeb@gmail.com"); like <= other || !strings.Contains(why, "looks like") {
		t.Errorf("a correspondent's name elsewhere has %.2f, another has %.2f: %s", like, other, why)
	}
}

// TestOwn: attachments to an address like the person's own are odder than the same to somebody else there, and no more when that is
// what the person always did.
func TestOwn(t *testing.T) {
	t.Parallel()
	own := func(a, who *learn.Address) bool {
		return detect.FreeMail(a.Name) && detect.OwnName(a.Name, who.Name, "")
	}
	surprise := func(to string, always bool) (float64, string) {
		c := newCompany(learn.Options{Own: own})
		r := rand.New(rand.NewPCG(1, 1))
		c.usual(12, 20, r)
		for range 10 {
			if always {
				c.send("anna.schmidt@contoso.com", to, 11, 1)
			}
			c.send("anna.schmidt@contoso.com", "p1@contoso.com", 10, 0)
			c.send("p2@contoso.com", "a.customer@gmail.com", 10, 0)
			c.usual(12, 1, r)
		}
		c.send("anna.schmidt@contoso.com", to, 10, 1)
		c.send("anna.schmidt@contoso.com", to, 11, 1)
		for _, d := range c.close() {
			if d.Who.Name == "anna.schmidt@contoso.com" {
				return d.Surprise(learn.Exfiltration), c.m.Why(&d)
			}
		}
		return 0, ""
	}
	mine, why := surprise("annaschmidt84@gmail.com", false)
	other, _ := surprise("somebodyelse@gmail.com", false)
	habit, _ := surprise("annaschmidt84@gmail.com", true)
	if mine <= other+1 || habit >= mine || !strings.Contains(why, "own address") {
		t.Errorf("surprise %.2f; %.2f for somebody else's, %.2f as a habit: %s", mine, other, habit, why)
	}
}

// TestPeers: of who is new to the company, what the department does is expected.
func TestPeers(t *testing.T) {
	t.Parallel()
	surprise := func(group func(*learn.Address) string) float64 {
		c := newCompany(learn.Options{Group: group})
		r := rand.New(rand.NewPCG(2, 2))
		for range 30 { // p0 to p3 sell: each day they write to strangers, at night
			for i := range 4 {
				for range 6 {
					c.send(fmt.Sprintf("p%d@contoso.com", i), fmt.Sprintf("buyer%d@firm%d.com", r.IntN(1e6), r.IntN(1e6)), 21, 0)
				}
			}
			c.usual(40, 1, r)
		}
		for range 6 {
			c.send("new@contoso.com", fmt.Sprintf("buyer%d@firm%d.com", r.IntN(1e6), r.IntN(1e6)), 21, 0)
		}
		for _, d := range c.close() {
			if d.Who.Name == "new@contoso.com" {
				return d.Surprise(learn.Graph) + d.Surprise(learn.OffHours)
			}
		}
		return 0
	}
	sells := func(a *learn.Address) string {
		if slices.Contains([]string{"p0@contoso.com", "p1@contoso.com", "p2@contoso.com", "p3@contoso.com", "new@contoso.com"}, a.Name) {
			return "sales"
		}
		return "office"
	}
	with, without := surprise(sells), surprise(nil)
	if with >= without-0.5 {
		t.Errorf("who begins in sales and sells has a surprise of %.2f, and %.2f where nobody knows the department", with, without)
	}
}
