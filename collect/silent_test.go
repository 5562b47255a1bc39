package collect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

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
		for _, h := range quiet(list, c.heard, c.all, now, Improbable) {
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
			b.inTenant(func(ctx context.Context, t *store.Tenant) error {
				some, err := toLearn(ctx, t, "")
				if err != nil {
					return err
				}
				return learnSome(ctx, t, some, now)
			})
		}
		learn()
		learn()
		b.want("who is learned of", `select count(*), sum(case when person = '`+string(people[0])+`' then 1 else 0 end) from mail_usual where tenant = $1`, "1 1")
		var l []learning
		b.inTenant(func(ctx context.Context, t *store.Tenant) (err error) { l, err = toLearn(ctx, t, ""); return err })
		i := slices.IndexFunc(l, func(l learning) bool { return l.person == people[0] })
		u := &l[i].usual
		if got := u.Rate[slot(now-75*hour)]; got != 2 || u.Seen[slot(now-75*hour)] != 1 || u.Rate[slot(now-70*hour)] != 0 || u.Seen[slot(now-70*hour)] != 1 || u.Seen[slot(now-30*hour)] != 0 {
			t.Errorf("learned %v of %+v", got, u)
		}
		if l[i].heard != now-14*hour {
			t.Errorf("heard last %d hours ago", (now-l[i].heard)/hour)
		}
		b.want("what is left to learn", `select person = '`+string(people[0])+`', count(*) from mail_hour where tenant = $1 group by person order by 1`, "0 3", "1 2")
	})
}
