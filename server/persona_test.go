package server

import (
	"os"
	"strings"
	"testing"
	"time"

	"tocsin.dev/collect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/learn"
	"tocsin.dev/store"
	"tocsin.dev/story"
)

// TestTakeoverByBehaviour: the takeover of the demo's world is told by how the mailbox behaves, before the intruder has made a
// mailbox rule, in a sentence that names what is unusual; what is found by it joins the story of the takeover, and weighs in the
// person's risk.
func TestTakeoverByBehaviour(t *testing.T) {
	t.Parallel()
	read := func(name string) *story.Story {
		text, err := os.ReadFile("../cmd/tocsin/" + name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := story.Parse(name, strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plot := read("demo.story")
	w, err := sim.New(sim.Config{Users: 40, Seed: 1, Quiet: true, Stories: []*story.Story{read("demo-usual.story")}, Roles: sim.ReadTier})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	b := hears(t, settings(t), w)
	synced(t, b.s, b.tenant())
	var people []string
	if err := b.s.Store.ViewTenant(t.Context(), b.tenant(), func(tt *store.Tenant) error {
		people = nil
		rows, err := tt.Query(t.Context(), `select mail from person where tenant = $1 and mail <> '' and deleted = 0 and kind <> 'guest' order by person`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p string
			if err := rows.Scan(&p); err != nil {
				return err
			}
			people = append(people, p)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	var mails []collect.PastMail
	for _, l := range sim.Past(1, b.s.Clock.Now(), 30, people) {
		mails = append(mails, collect.PastMail(l))
	}
	if n, err := collect.StorePast(t.Context(), b.s.Store, b.tenant(), mails); err != nil || n != len(mails) {
		t.Fatalf("%d of %d mails of the past (%v)", n, len(mails), err)
	}
	eventually(t, "the past", func() string {
		if b.count(`select count(*) from learned where tenant = $1 and shut > 0 and began > 0`) == 0 {
			return "is not learned"
		}
		return ""
	})
	if n := b.count(`select count(*) from anomaly where tenant = $1`); n > 5 {
		t.Errorf("of the usual %d days are told", n)
	}

	before, after := *plot, *plot
	before.Acts, after.Acts = nil, nil
	for _, a := range plot.Acts {
		if len(after.Acts) == 0 && a.Verb != story.MakesRule {
			before.Acts = append(before.Acts, a)
		} else {
			after.Acts = append(after.Acts, a)
		}
	}
	amys := `select count(*) from anomaly a join person p on p.tenant = a.tenant and p.person = a.person where a.tenant = $1 and p.mail like 'amy.okafor@%'`
	rules := `select count(*) from finding f join person p on p.tenant = f.tenant and p.person = f.person where f.tenant = $1 and p.mail like 'amy.okafor@%' and f.rule in ('forward-outside', 'hides-money-mail')`
	b.subscribed()
	if err := w.Live(&before, 12*time.Minute); err != nil {
		t.Fatal(err)
	}
	w.Clock().Advance(13 * time.Minute)
	b.s.Clock.Advance(13 * time.Minute)
	eventually(t, "the behaviour", func() string {
		if b.count(amys) == 0 {
			return "is not told"
		}
		return ""
	})
	if n := b.count(rules); n > 0 {
		t.Errorf("%d findings on rules are there already", n)
	}
	if err := w.Live(&after, time.Second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rule", func() string {
		if b.count(rules) == 0 {
			return "is not seen"
		}
		return ""
	})
	var why, class string
	var told, seen int64
	if err := b.s.Store.ViewTenant(t.Context(), b.tenant(), func(tt *store.Tenant) error {
		return tt.QueryRow(t.Context(), `select a.why, a.class, a.found, (select min(f.first_seen) from finding f where f.tenant = $1 and f.person = a.person and f.rule = 'forward-outside')
			from anomaly a join person p on p.tenant = a.tenant and p.person = a.person where a.tenant = $1 and p.mail like 'amy.okafor@%'`).Scan(&why, &class, &told, &seen)
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("told %s before the rule was: %s", time.Duration(seen-told)*time.Millisecond, why)
	if told >= seen {
		t.Errorf("it is told as %s at %d, the rule at %d", class, told, seen)
	}
	if class != string(learn.Graph) || !strings.HasPrefix(why, "Amy Okafor wrote to ") || !strings.Contains(why, "had never written to") || !strings.Contains(why, "unusual") {
		t.Errorf("the sentence does not say what is unusual: %s", why)
	}
	if n := b.count(`select count(*) from attack_story_part p join finding f on f.tenant = p.tenant and f.id = p.finding where p.tenant = $1 and f.rule like 'unusual-%'`); n == 0 {
		t.Error("it is part of no story")
	}
}
