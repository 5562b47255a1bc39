package learn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/learn"
	"tocsin.dev/learn/plant"
	"tocsin.dev/learn/worldtest"
)

// small is a world that costs little.
func small(seed uint64) []learn.Mail {
	mails, _ := worldtest.New(worldtest.Size{People: 150, Days: 75}, seed)
	return mails
}

// TestOrder: mails of a day may come in any order, and days close late, with the same verdicts.
func TestOrder(t *testing.T) {
	t.Parallel()
	mails := small(1)
	_, want, _ := replay(mails, learn.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	m := learn.New(learn.Options{})
	var got []learn.Day
	for len(mails) > 0 {
		day := mails[0].At / 86_400_000
		n := slices.IndexFunc(mails, func(x learn.Mail) bool { return x.At/86_400_000 > day+1 })
		if n < 0 {
			n = len(mails)
		}
		two := slices.Clone(mails[:n])
		r.Shuffle(len(two), func(i, j int) { two[i], two[j] = two[j], two[i] })
		for _, x := range two {
			m.Mail(x)
		}
		got = append(got, m.Close(int32(day+1))...)
		mails = mails[n:]
	}
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d verdicts in order, %d shuffled", len(want), len(got))
	}
	for i := range want {
		if want[i].Who != got[i].Who || want[i].Day != got[i].Day || want[i].P != got[i].P {
			t.Fatalf("%s on day %d has %g in order; %s on %d has %g shuffled", want[i].Who.Name, want[i].Day, want[i].P, got[i].Who.Name, got[i].Day, got[i].P)
		}
	}
}

// TestLate: a mail that comes when its day is closed is learned all the same.
func TestLate(t *testing.T) {
	t.Parallel()
	names := learn.NewNames("acme.example")
	a, b := names.Of("a@acme.example"), names.Of("b@acme.example")
	m := learn.New(learn.Options{})
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m.Mail(learn.Mail{At: at.UnixMilli(), From: a, To: []*learn.Address{b}})
	m.Close(plant.Number(at))
	m.Mail(learn.Mail{At: at.Add(time.Hour).UnixMilli(), From: a, To: []*learn.Address{b}})
	m.Close(plant.Number(at) + 3)
	if p := m.Persona(a); p == nil || p.Sent < 1.9 {
		t.Fatalf("the late mail is lost: %+v", p)
	}
}

// TestRoom: a persona has its room and no more, whomever it meets, and keeps those it meets most.
func TestRoom(t *testing.T) {
	t.Parallel()
	names := learn.NewNames("acme.example")
	a, friend := names.Of("a@acme.example"), names.Of("friend@out.example")
	m := learn.New(learn.Options{})
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for d := range 60 {
		at := start.AddDate(0, 0, d)
		m.Mail(learn.Mail{At: at.UnixMilli(), From: a, To: []*learn.Address{friend}})
		for i := range 50 {
			x := names.Of(fmt.Sprintf("x%d-%d@host%d-%d.example", d, i, d, i))
			m.Mail(learn.Mail{At: at.Add(time.Duration(i) * time.Minute).UnixMilli(), From: a, To: []*learn.Address{x}})
			m.Mail(learn.Mail{At: at.Add(time.Duration(i) * time.Minute).UnixMilli(), From: x, To: []*learn.Address{a}})
		}
		m.Close(plant.Number(at))
	}
	p := m.Persona(a)
	if n := p.Size(); n > 4096 {
		t.Errorf("a persona takes %d bytes", n)
	}
	if l := p.Correspondents(); len(l) == 0 || !l[0].Is(friend) {
		t.Errorf("who is written to every day is not first: %+v", l[:min(3, len(l))])
	}
}

// TestZone: hours and days are the person's own, summer and winter.
func TestZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	names := learn.NewNames("acme.example")
	a, b := names.Of("a@acme.example"), names.Of("b@acme.example")
	m := learn.New(learn.Options{Zone: func(*learn.Address) *time.Location { return berlin }})
	for _, at := range []time.Time{time.Date(2026, 3, 27, 23, 30, 0, 0, berlin), time.Date(2026, 4, 3, 23, 30, 0, 0, berlin)} { // two Fridays, the clock goes forward between them
		m.Mail(learn.Mail{At: at.UnixMilli(), From: a, To: []*learn.Address{b}})
		m.Close(plant.Number(at) + 1)
	}
	for h, x := range m.Persona(a).Hours {
		if (x > 0) != (h == 4*24+23) {
			t.Errorf("hour %d of the week has %g", h, x)
		}
	}
}

// TestFinds: in a small world what is planted scores above what is not, and the sentence says what it was.
func TestFinds(t *testing.T) {
	t.Parallel()
	words := map[plant.Kind]string{plant.Takeover: "had never written", plant.Exfiltration: "with attachments", plant.Fanout: "had never written", plant.Offhours: "hours", plant.Drift: "every week"}
	hits, others := map[plant.Kind][]float64{}, []float64(nil)
	said := map[plant.Kind]int{}
	for seed := range uint64(3) {
		clean := small(seed + 10)
		mails, attacks, able := plant.Into(clean, plant.Options{Kinds: plant.Kinds, Each: 2, Seed: seed})
		scores, days, m := replay(mails, learn.Options{})
		for _, k := range untouched(clean, able, attacks) {
			others = append(others, scores[k])
		}
		for _, a := range attacks {
			best, why := math.Inf(-1), ""
			for i := range days {
				if d := &days[i]; d.Who == a.Who && slices.Contains(a.Days, d.Day) && scores[key{d.Who.ID, d.Day}] > best {
					best, why = scores[key{d.Who.ID, d.Day}], m.Why(d)
				}
			}
			hits[a.Kind] = append(hits[a.Kind], best)
			if strings.Contains(why, words[a.Kind]) {
				said[a.Kind]++
			}
		}
	}
	for _, k := range plant.Kinds {
		auc := plant.AUC(hits[k], others)
		t.Logf("%s: %d planted, %.3f, %d said so", k, len(hits[k]), auc, said[k])
		if len(hits[k]) == 0 || auc < 0.9 || said[k]*2 < len(hits[k]) {
			t.Errorf("%s: %d planted, area under the curve %.3f, and %d sentences say what it was", k, len(hits[k]), auc, said[k])
		}
	}
}

// TestSaysWhatCounts: a day is told by what counts most in its class, not by what is rarest; what else is odd is told behind it.
func TestSaysWhatCounts(t *testing.T) {
	t.Parallel()
	m := learn.New(learn.Options{})
	names := learn.NewNames("acme.example")
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	last := 42
	var told *learn.Day
	for d := range last + 1 {
		at := start.AddDate(0, 0, d)
		if d == last {
			for i := range 24 {
				to := names.Of(fmt.Sprintf("a@partner%d.example", i/4))
				m.Mail(learn.Mail{At: at.Add(time.Duration(-5*60+i) * time.Minute).UnixMilli(), From: names.Of("p0@acme.example"), To: []*learn.Address{to}})
			}
		}
		for p := range 30 {
			for i := range 4 {
				to := names.Of(fmt.Sprintf("p%d@acme.example", (p+1+i)%30))
				if (d*7+p*3+i)%9 == 0 {
					to = names.Of(fmt.Sprintf("c%d@other.example", d*100+p))
				}
				m.Mail(learn.Mail{At: at.Add(time.Duration(i*2) * time.Hour).UnixMilli(), From: names.Of(fmt.Sprintf("p%d@acme.example", p)), To: []*learn.Address{to}})
			}
		}
		for _, v := range m.Close(plant.Number(at)) {
			if v.Who.Name == "p0@acme.example" && d == last {
				told = &v
			}
		}
	}
	why := m.Why(told)
	if told.Kind() != learn.Graph || len(told.Odd()) == 0 {
		t.Errorf("it is told as %s, of %d addresses", told.Kind(), len(told.Odd()))
	}
	for _, want := range []string{"p0@acme.example wrote to 7 addresses that this person had never written to (", "Besides, this person sent 28 mails, where about 4 is usual for such a day, and sent 24 mails in hours"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q is missing in: %s", want, why)
		}
	}
}

// TestFeedback: a cause that a person called a false alarm counts less for that person, and as before when that is taken back.
func TestFeedback(t *testing.T) {
	t.Parallel()
	names := learn.NewNames("acme.example")
	a := names.Of("a@acme.example")
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	odd := func(asked float32) float64 {
		m := learn.New(learn.Options{})
		for d := range 41 {
			at := start.AddDate(0, 0, d)
			for i := range 5 {
				m.Mail(learn.Mail{At: at.Add(time.Duration(i) * time.Hour).UnixMilli(), From: a, To: []*learn.Address{names.Of(fmt.Sprint("c", i, "@acme.example"))}})
			}
			if d == 40 {
				m.Mail(learn.Mail{At: at.Add(-6 * time.Hour).UnixMilli(), From: a, To: []*learn.Address{names.Of("c1@acme.example")}})
				m.Ask(a, learn.OffHours, asked)
			}
			l := m.Close(plant.Number(at))
			if d == 40 {
				return l[0].Surprise(learn.OffHours)
			}
		}
		return 0
	}
	plain, less, more := odd(0), odd(2), odd(-1)
	if !(less < plain && plain < more) || plain == 0 {
		t.Errorf("surprise %.2f, %.2f after a false alarm, %.2f after it was confirmed", plain, less, more)
	}
}

// TestRule: a mailbox rule that sends mail outside at night is odd for who never makes rules, even on a day with no mail.
func TestRule(t *testing.T) {
	t.Parallel()
	mails := small(5)
	m := learn.New(learn.Options{})
	last := int32(0)
	for _, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			m.Close(n - 1)
			last = n
		}
		m.Mail(x)
	}
	m.Close(last)
	who := mails[0].From
	night := (int64(last)+2)*86_400_000 + 3*3_600_000
	m.Rule(learn.Rule{At: night, Who: who, Outside: true, Deletes: true})
	l := m.Close(last + 2)
	if len(l) != 1 || l[0].Kind() != learn.RuleManipulation || l[0].At() != night || !strings.Contains(m.Why(&l[0]), "mailbox rule") {
		t.Fatalf("the rule is told as %+v", l)
	}
	if l[0].Score() < 0.99 {
		t.Errorf("the rule has a score of %g", l[0].Score())
	}
}
