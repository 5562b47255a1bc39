package rule

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
)

// at is a finding of a rule so long after Monday morning.
func at(name string, after time.Duration, risk int) Part {
	p := Part{ID: name + after.String(), Rule: name, Risk: risk, At: monday.Add(9*time.Hour + after), Open: true}
	for _, m := range All() {
		if m.Name == name {
			p.Title, p.Stage, p.Attack = m.Title, m.Stage, m.Attack
		}
	}
	if p.Title == "" {
		panic("no rule " + name)
	}
	return p
}

// chain is how accounts are taken over: six findings within an hour.
func chain() []Part {
	return []Part{at(riskySignInLetThrough.Name, 0, 70), at("impossible-travel", 2*time.Minute, 65), at("method-added-after-suspicious-sign-in", 9*time.Minute, 70),
		at(hidesNotices.Name, 20*time.Minute, 75), at(forwardEverything.Name, 22*time.Minute, 95), at("mail-read-in-bulk", 55*time.Minute, 50)}
}

func TestTakeover(t *testing.T) {
	list := Join(chain())
	if len(list) != 1 {
		t.Fatalf("%d stories", len(list))
	}
	s := list[0]
	if !s.Takeover || s.Severity != tocsin.Critical || s.Score != 100 || s.Title != accountTakeover.Title || len(s.Parts) != 6 || s.Open() != 6 {
		t.Errorf("takeover %v, %s, score %d, %q, %d findings, %d open", s.Takeover, s.Severity, s.Score, s.Title, len(s.Parts), s.Open())
	}
	if want := []string{"access", "persistence", "hiding", "exfiltration", "collection"}; !slices.Equal(s.Stages, want) {
		t.Errorf("stages %q; want %q", s.Stages, want)
	}
	for _, word := range []string{"6 findings within 55 minutes", "2 Mar 09:00", "all mail of a mailbox leaves the organisation (2 Mar 09:22)"} {
		if !strings.Contains(s.Why, word) {
			t.Errorf("the sentence does not say %q: %s", word, s.Why)
		}
	}
	f := Takeover(&s, "person-amy", "amy@fabrikam.com", "story-1")
	sound(t, &f)
	if f.Rule != AccountTakeover || f.Severity != tocsin.Critical || f.Subject != "story-1" || len(f.Evidence) != 6 || f.Evidence[0].ID != s.Parts[0].ID || !slices.Contains(f.Attack, "T1114.003") {
		t.Errorf("%+v", f)
	}
}

func TestNoTakeover(t *testing.T) {
	travel, method, hides := at("impossible-travel", 0, 65), at("method-added-after-suspicious-sign-in", time.Hour, 70), at(hidesNotices.Name, time.Hour, 75)
	later := func(p Part, by time.Duration) Part { p.At = p.At.Add(by); return p }
	weighing := func(p Part, risk int) Part { p.Risk = risk; return p }
	for name, c := range map[string]struct {
		parts    []Part
		stories  int
		takeover bool
		score    int
	}{
		"nothing":                           {nil, 0, false, 0},
		"one finding":                       {[]Part{travel}, 0, false, 0},
		"two of one rule":                   {[]Part{travel, later(travel, time.Minute)}, 0, false, 0},
		"two sign-ins":                      {[]Part{travel, at("atypical-place", time.Minute, 45)}, 1, false, 65},
		"two rules without a sign-in":       {[]Part{hides, at(forwardEverything.Name, 2*time.Hour, 95)}, 1, false, 95 + 8},
		"a sign-in and a method":            {[]Part{travel, method}, 1, true, 70 + 8 + 15},
		"a sign-in, a method, a rule":       {[]Part{travel, method, hides}, 1, true, 100},
		"the rule was there a day before":   {[]Part{later(hides, -25*time.Hour), travel}, 1, false, 75 + 8},
		"the rule came half an hour before": {[]Part{later(hides, -90*time.Minute), travel}, 1, true, 75 + 8 + 15},
		"the rule came four days after":     {[]Part{travel, later(hides, 96*time.Hour)}, 0, false, 0},
		"the sign-in weighs little":         {[]Part{weighing(travel, 30), method}, 1, false, 70 + 8},
		"the method weighs little":          {[]Part{travel, weighing(method, 20)}, 1, false, 65 + 8},
		"tries that were refused":           {[]Part{at("brute-force", 0, 60), hides}, 1, false, 75 + 8},
		"consent after a sign-in":           {[]Part{travel, at(consentByUser.Name, time.Hour, 50)}, 1, true, 65 + 15},
		"a consent alone and a forwarding":  {[]Part{at(consentByUser.Name, 0, 50), at(forwardEverything.Name, time.Hour, 95)}, 1, true, 100},
		"its own finding is no part of it":  {[]Part{travel, at(AccountTakeover, time.Hour, 100)}, 0, false, 0},
	} {
		list := Join(c.parts)
		if len(list) != c.stories {
			t.Errorf("%s: %d stories, want %d", name, len(list), c.stories)
			continue
		}
		if c.stories == 1 && (list[0].Takeover != c.takeover || list[0].Score != min(100, c.score)) {
			t.Errorf("%s: takeover %v, score %d (%+v); want %v, %d", name, list[0].Takeover, list[0].Score, list[0].Terms, c.takeover, c.score)
		}
	}
}

// TestJoinOrder: in whatever order findings come, they make the same stories.
func TestJoinOrder(t *testing.T) {
	parts := chain()
	for i, p := range chain() { // and again ten days later, another story
		p.ID, p.At = p.ID+"later", p.At.Add(240*time.Hour)
		if i != 0 {
			parts = append(parts, p)
		}
	}
	want := Join(parts)
	if len(want) != 2 {
		t.Fatalf("%d stories", len(want))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		if got := Join(parts); !reflect.DeepEqual(got, want) {
			t.Fatalf("another order makes other stories:\n%+v\n%+v", got, want)
		}
	}
}
