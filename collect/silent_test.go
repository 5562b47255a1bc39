package collect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TestQuiet: a mailbox is silent when nothing comes that should; on a holiday nobody is, unless it is as quiet as none.
func TestQuiet(t *testing.T) {
	const now = 1000 * hoursOfWeek * hour
	rate := func(n float64) *usual {
		u := &usual{}
		for k := range hoursOfWeek {
			for range 4 {
				u.learn(int64(k)*hour, 0)
			}
			u.Rate[k] = n
		}
		return u
	}
	young := &usual{}
	young.learn(now, 50)
	list := map[tocsin.PersonID]*usual{"amy": rate(3), "bob": rate(10), "cid": rate(0.1), "new": young}
	ago := func(h int64) int64 { return now - h*hour }
	came := func(each int, hours ...int64) map[int64]int {
		out := map[int64]int{}
		for h := range int64(48) {
			out[ago(h+1)] = each
		}
		for _, h := range hours {
			out[ago(h)] = 0
		}
		return out
	}
	for _, c := range []struct {
		name  string
		heard map[tocsin.PersonID]int64
		all   map[int64]int
		want  string
	}{
		{"all is as ever", map[tocsin.PersonID]int64{"amy": now, "bob": now, "cid": ago(20), "new": ago(30)}, came(13), ""},
		{"one is silent", map[tocsin.PersonID]int64{"amy": ago(5), "bob": now, "cid": ago(20)}, came(10), "amy 15"},
		{"not long enough", map[tocsin.PersonID]int64{"amy": ago(4), "bob": now, "cid": now}, came(10), ""},
		{"nobody knows yet what is usual", map[tocsin.PersonID]int64{"amy": now, "bob": now, "cid": now, "new": ago(48)}, came(13), ""},
		{"a holiday", map[tocsin.PersonID]int64{"amy": ago(10), "bob": ago(1), "cid": ago(40)}, came(1), ""},
		{"a holiday as quiet as none", map[tocsin.PersonID]int64{"amy": ago(10), "bob": ago(2), "cid": ago(40)}, came(1, 1, 2), " 26"},
		{"all of them", map[tocsin.PersonID]int64{"amy": ago(3), "bob": ago(3), "cid": ago(3)}, came(0), " 629"},
	} {
		var got []string
		k := newHark(c.all, now)
		for person, u := range list {
			k.take(person, u, c.heard[person])
		}
		for _, h := range k.quiet(Improbable) {
			got = append(got, fmt.Sprintf("%s %.0f", h.person, h.expected))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestLearnUsual: what comes is counted by hour as it is folded, learned when it is old enough, once, and kept in rows that do
// not grow; what came while a gap is open is not learned.
func TestLearnUsual(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob")
		now := tocsin.Millis(b.st.Clock().Now()) / hour * hour
		for _, p := range people {
			b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, $3)`, string(p), now-80*hour)
			b.exec(`insert into subscription (tenant, person, connection, state) values ($1, $2, 'c', 'on')`, string(p))
			var looks []mailLook
			for i := range int64(6) {
				at := now - (75-i/2*30)*hour
				looks = append(looks, mailLook{ID: fmt.Sprint(p, i), Change: "created", At: at, Message: &mailSeen{ID: fmt.Sprint(p, i), Folder: "I", From: tocsin.Address{Address: "eve@evil.example"}, Received: at + 5, Created: at, Modified: at}})
			}
			b.fold(b.item(kindMail, p, mailLooks{Looks: looks}))
		}
		b.exec(`insert into mail_gap (tenant, person, began, ended, because) values ($1, $2, 1, 2, 'x')`, string(people[1]))
		b.want("counted", `select n, count(*) from mail_hour where tenant = $1 group by n`, "2 6")
		learn := func() {
			c := &Collector{Store: b.st, Tenant: b.tenant}
			if _, err := c.listenTo(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
		learn()
		learn()
		b.want("who is learned of", `select count(*), sum(case when person = '`+string(people[0])+`' then 1 else 0 end) from mail_usual where tenant = $1`, "1 1")
		var l []learning
		b.inTenant(func(ctx context.Context, t *store.Tenant) (err error) {
			l, err = toLearn(ctx, t, "", "", now)
			return err
		})
		i := slices.IndexFunc(l, func(l learning) bool { return l.person == people[0] })
		u := &l[i].usual
		if got := u.Rate[slot(now-75*hour, time.UTC)]; got != 2 || u.Seen[slot(now-75*hour, time.UTC)] != 1 || u.Rate[slot(now-70*hour, time.UTC)] != 0 || u.Seen[slot(now-70*hour, time.UTC)] != 1 || u.Seen[slot(now-30*hour, time.UTC)] != 0 {
			t.Errorf("learned %v of %+v", got, u)
		}
		if l[i].heard != now-14*hour {
			t.Errorf("heard last %d hours ago", (now-l[i].heard)/hour)
		}
		b.want("what is left to learn", `select person = '`+string(people[0])+`', count(*) from mail_hour where tenant = $1 group by person order by 1`, "0 3", "1 2")
	})
}

// TestUsualHours: an hour of the week is one of the mailbox's own zone, in summer and in winter: who gets mail at nine gets it
// at nine, whatever UTC has. Of the hour that comes twice one is learned, and the one that is left out is not.
func TestUsualHours(t *testing.T) {
	const berlin = "W. Europe Standard Time"
	ms := func(text string) int64 {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli()
	}
	learned := func(zone, from string, weeks int, at ...int) *usual { // ten messages at these hours of each weekday
		u := &usual{Zone: zone}
		for when := ms(from); when < ms(from)+int64(weeks)*hoursOfWeek*hour; when += hour {
			n := 0
			if here := time.UnixMilli(when).In(u.zone()); slices.Contains(at, here.Hour()) && here.Weekday() != time.Saturday && here.Weekday() != time.Sunday {
				n = 10
			}
			u.learn(when, n)
		}
		return u
	}
	// Summer time ends on 25 October 2026, and in America on 1 November.
	u := learned(berlin, "2026-10-05T00:00:00Z", 2, 9)
	for at, want := range map[string]float64{"2026-10-19T07:00:00Z": 10, "2026-10-19T08:00:00Z": 0, "2026-10-26T07:00:00Z": 0, "2026-10-26T08:00:00Z": 10} {
		if got := u.in(ms(at)); got != want {
			t.Errorf("%s: %.0f are usual, want %.0f", at, got, want)
		}
	}
	if n := u.expect(ms("2026-10-24T22:00:00Z"), ms("2026-10-25T23:00:00Z")); n != 0 {
		t.Errorf("%.0f are usual on the Sunday of 25 hours", n)
	}
	over := learned(berlin, "2026-10-12T00:00:00Z", 4, 9)
	sum := 0
	for _, n := range over.Seen {
		sum += n
	}
	if n := slices.Max(over.Seen); n != 4 || sum != 4*hoursOfWeek-1 {
		t.Errorf("in four weeks with the end of summer time an hour was seen %d times, all together %d", n, sum)
	}
	if got := over.in(ms("2026-11-09T08:00:00Z")); got != 10 {
		t.Errorf("after the change %.0f are usual at nine", got)
	}
	spring := learned(berlin, "2026-03-23T00:00:00Z", 2, 9) // it begins on 29 March at two
	if n := spring.Seen[slot(ms("2026-04-05T00:00:00Z"), spring.zone())]; n != 1 {
		t.Errorf("the hour that was left out was seen %d times", n)
	}
	// All together: each has its own nine o'clock.
	sums := sumsByZone{}
	sums.add(u)
	sums.add(learned("Pacific Standard Time", "2026-10-05T00:00:00Z", 2, 9))
	for at, want := range map[string]float64{"2026-10-19T07:00:00Z": 10, "2026-10-19T16:00:00Z": 10, "2026-10-26T08:00:00Z": 10, "2026-10-26T16:00:00Z": 10, "2026-11-02T17:00:00Z": 10, "2026-11-02T16:00:00Z": 0} {
		if got := sums.in(ms(at)); got != want {
			t.Errorf("%s: %.0f are usual for both, want %.0f", at, got, want)
		}
	}
	// Who moves keeps what was usual at a moment.
	old := learned("", "2026-10-05T00:00:00Z", 2, 7)
	if !old.into(berlin, ms("2026-10-19T00:00:00Z")) || old.into(berlin, ms("2026-10-19T00:00:00Z")) {
		t.Error("moving is not told from staying")
	}
	if a, b := old.in(ms("2026-10-20T07:00:00Z")), old.in(ms("2026-10-27T08:00:00Z")); a != 10 || b != 10 {
		t.Errorf("after the move %.0f and %.0f are usual at nine", a, b)
	}
	odd := &usual{Zone: "India Standard Time"} // half hours
	odd.learn(ms("2026-10-19T03:00:00Z"), 4)
	odd.learn(ms("2026-10-26T03:00:00Z"), 4)
	if got := odd.in(ms("2026-11-02T03:00:00Z")); got != 4 {
		t.Errorf("half an hour aside %.0f are usual", got)
	}
}

// TestZones: a mailbox's hours are those of its own zone, else of the zone in which most are, else UTC; and what was learned
// by UTC is kept when its zone comes to be known.
func TestZones(t *testing.T) {
	onBoth(t, func(b *bed) {
		now := tocsin.Millis(b.st.Clock().Now()) / hour * hour
		people := b.settle("amy", "bob", "cid", "dee")
		for i, zone := range []string{"Tokyo Standard Time", "W. Europe Standard Time", "W. Europe Standard Time", "Atlantis Standard Time"} {
			b.exec(`insert into mailbox (tenant, person, timezone) values ($1, $2, $3)`, string(people[i]), zone)
			b.exec(`insert into mail_ledger (tenant, person, since) values ($1, $2, $3)`, string(people[i]), now-80*hour)
			b.exec(`insert into subscription (tenant, person, connection, state) values ($1, $2, 'c', 'on')`, string(people[i]))
		}
		before := &usual{}
		for range 2 {
			for h := range int64(hoursOfWeek) {
				before.learn(h*hour, int(h))
			}
		}
		weeks, err := encode(before)
		if err != nil {
			t.Fatal(err)
		}
		b.exec(`insert into mail_usual (tenant, person, weeks, learned) values ($1, $2, $3, $4)`, string(people[0]), string(weeks), now-49*hour)
		c := &Collector{Store: b.st, Tenant: b.tenant}
		zone, err := c.tenantZone(b.Context())
		if err != nil || zone != "W. Europe Standard Time" {
			t.Fatalf("the tenant's zone is %q %v", zone, err)
		}
		list := map[tocsin.PersonID]usual{}
		err = c.learnUsual(b.Context(), now, func(person tocsin.PersonID, u *usual, _ int64) { list[person] = *u })
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"Tokyo Standard Time", "W. Europe Standard Time", "W. Europe Standard Time", "W. Europe Standard Time"} {
			if got := list[people[i]].Zone; got != want {
				t.Errorf("the zone of %d is %q, want %q", i, got, want)
			}
		}
		for _, at := range []int64{now, now + 5*hour, now + 100*hour} {
			u := list[people[0]]
			if got := u.in(at); got != before.in(at) {
				t.Errorf("after it was known that it is in Tokyo %.0f are usual, before %.0f", got, before.in(at))
			}
		}
		b.want("it is kept", `select case when weeks like '%Tokyo%' then 1 else 0 end, learned from mail_usual where tenant = $1 and person = '`+string(people[0])+`'`, fmt.Sprint("1 ", now-49*hour))
	})
}
