package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Stories are the metas of what shows only in the findings of one person together.
var Stories = []detect.Meta{accountTakeover, outboundBurst}

var accountTakeover = detect.Meta{
	Name: "account-takeover", Title: "An account was taken over", Family: "stories",
	Severity: tocsin.Critical, Attack: []string{"T1078.004"}, Stage: "lateral_movement",
	Says:           "A suspicious sign-in of a person was followed within three days by what an intruder does next: a new method or device, a consent, an inbox rule that hides or forwards, mail read or sent in bulk.",
	FalsePositives: "A new telephone while travelling: then the sign-in and the new method are the person's own.",
	Fix:            "Revoke the sessions, block the account or change its password, remove the methods and rules that are named here, then ask the person by telephone.",
	Actions:        []string{"revoke_sessions", "suspend", "force_password_change", "mfa_enroll", "disable_rule"}, Source: "story",
}

// AccountTakeover is the name of the finding that a story of a takeover makes.
const AccountTakeover = "account-takeover"

// Part is a finding as a story takes it in: one about a person, which nobody has called a false alarm or accepted.
type Part struct {
	ID       string
	Rule     string
	Title    string
	Why      string
	Severity tocsin.Severity
	Risk     int
	Stage    string
	Attack   []string
	At       time.Time // when what it rests on happened, or was first seen
	Open     bool
}

// Story is what joins of one person's findings.
type Story struct {
	Title    string
	Why      string // a sentence with the times
	Severity tocsin.Severity
	Score    int
	Terms    detect.Terms
	Stages   []string // in the order in which they were come to
	Attack   []string
	Parts    []Part // in the order of time
	Takeover bool   // it began with a suspicious sign-in, and something followed that an intruder does
	Entry    int    // of a takeover: the part by which the intruder came in
}

// Began is when the first of it happened.
func (s *Story) Began() time.Time { return s.Parts[0].At }

// Ended is when the last of it happened.
func (s *Story) Ended() time.Time { return s.Parts[len(s.Parts)-1].At }

// Open is how many of its findings are open.
func (s *Story) Open() (n int) {
	for _, p := range s.Parts {
		if p.Open {
			n++
		}
	}
	return n
}

const (
	storyGap     = 72 * time.Hour // findings that are further apart tell two stories
	takeoverSpan = 72 * time.Hour // so long after the sign-in an intruder's acts belong to it
	takeoverSlip = time.Hour      // logs come with times of their own: what is so little before the sign-in may have followed it
	storyRisk    = 15             // what weighs less joins no story
	stepRisk     = 30             // what weighs less is no step of a takeover
	entryRisk    = 40             // a sign-in that weighs less is no way in
)

// Join makes stories of one person's findings: those that follow each other within three days, of two rules at least. It is a pure
// function: the same findings make the same stories, in whatever order they came.
func Join(parts []Part) []Story {
	list := slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p.Risk < storyRisk || p.Rule == AccountTakeover })
	slices.SortFunc(list, func(a, b Part) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	var out []Story
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].At.Sub(list[n-1].At) <= storyGap {
			n++
		}
		if s := storyOf(list[:n]); s != nil {
			out = append(out, *s)
		}
		list = list[n:]
	}
	return out
}

func storyOf(parts []Part) *Story {
	rules := map[string]bool{}
	s := &Story{Parts: slices.Clone(parts), Entry: -1}
	worst := 0
	for i, p := range parts {
		rules[p.Rule] = true
		if p.Risk > parts[worst].Risk {
			worst = i
		}
		if p.Stage != "" && !slices.Contains(s.Stages, p.Stage) {
			s.Stages = append(s.Stages, p.Stage)
		}
		for _, a := range p.Attack {
			if !slices.Contains(s.Attack, a) {
				s.Attack = append(s.Attack, a)
			}
		}
	}
	if len(rules) < 2 {
		return nil
	}
	slices.Sort(s.Attack)
	s.Terms.Add(parts[worst].Risk, "the weightiest of it: "+lowerFirst(parts[worst].Title))
	for _, stage := range s.Stages {
		if stage != parts[worst].Stage {
			s.Terms.Add(8, "also "+stageName(stage))
		}
	}
	s.Title = parts[worst].Title + ", and " + furtherOnes(len(rules)-1)
	if later := s.takeover(); len(later) > 0 {
		s.Takeover, s.Title = true, accountTakeover.Title
		s.Terms.Add(15, "it followed a suspicious sign-in")
		if len(later) > 1 {
			s.Terms.Add(20, fmt.Sprintf("%d of an intruder's steps after it", len(later)))
		}
	}
	s.Score = min(100, max(0, sum(s.Terms)))
	s.Severity = detect.Grade(s.Score)
	s.Why = s.sentence()
	return s
}

// takeover finds the way in, and gives the different steps that followed it; none where it is no takeover.
func (s *Story) takeover() (later []string) {
	for i, p := range s.Parts {
		if !isEntry(&p) {
			continue
		}
		var steps []string
		for j, q := range s.Parts {
			since := q.At.Sub(p.At)
			if step := stepOf(&q); j != i && step != "" && since >= -takeoverSlip && since <= takeoverSpan && !slices.Contains(steps, step) {
				steps = append(steps, step)
			}
		}
		if len(steps) > len(later) {
			later, s.Entry = steps, i
		}
	}
	return later
}

// isEntry says whether a finding tells of a sign-in by which somebody else may have come in.
func isEntry(p *Part) bool {
	return p.Stage == "access" && p.Risk >= entryRisk && entries()[p.Rule]
}

// entries are the rules by which somebody else may have come in: those on sign-ins and on their second factor, but for those that
// tell of mere tries, or of the way of signing in alone.
var entries = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{promptReported.Name: true, consentByUser.Name: true}
	for _, m := range All() {
		if m.Family == "sign-ins" && m.Stage == "access" {
			out[m.Name] = true
		}
	}
	for _, m := range []detect.Meta{passwordSpray, bruteForce, accountLockouts, disabledAccountSignIn, legacyAuthentication, riskySignIn} {
		delete(out, m.Name)
	}
	return out
})

// stepOf is what an intruder gained by what a finding tells of; empty for what is no step.
func stepOf(p *Part) string {
	if p.Risk < stepRisk {
		return ""
	}
	if p.Rule == consentByUser.Name {
		return "consent"
	}
	switch p.Stage {
	case "persistence", "hiding", "collection", "exfiltration", "lateral_movement":
		return p.Stage
	}
	return ""
}

// sentence tells a story in the order of time. The first six are named; of several of one rule the first.
func (s *Story) sentence() string {
	var told []string
	seen := map[string]bool{}
	rest := 0
	for _, p := range s.Parts {
		if seen[p.Rule] {
			continue
		}
		seen[p.Rule] = true
		if len(told) == 6 {
			rest++
			continue
		}
		told = append(told, lowerFirst(p.Title)+" ("+p.At.UTC().Format("2 Jan 15:04")+")")
	}
	text := strings.Join(told, "; ")
	if rest > 0 {
		text += "; and " + furtherOnes(rest)
	}
	return fmt.Sprintf("%d findings within %s (UTC): %s.", len(s.Parts), lasted(s.Ended().Sub(s.Began())), text)
}

// Takeover is the finding that a story of a takeover makes; id is the story's.
func Takeover(s *Story, person tocsin.PersonID, who, id string) tocsin.Finding {
	f := accountTakeover.Finding(person, who, id, s.Parts[s.Entry].At)
	f.Attack = s.Attack
	for _, p := range s.Parts[:min(len(s.Parts), 30)] {
		f.Evidence = append(f.Evidence, tocsin.Evidence{ID: p.ID, Source: "finding", What: p.Title + ", " + p.At.UTC().Format("2 January 15:04") + " UTC"})
	}
	return *scored(&f, s.Terms, s.Why)
}

// lasted is a time's length as people say it.
func lasted(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func furtherOnes(n int) string {
	if n == 1 {
		return "one more"
	}
	return fmt.Sprintf("%d more", n)
}

// lowerFirst begins a title in the midst of a sentence.
func lowerFirst(s string) string {
	if word, _, _ := strings.Cut(s, " "); word == "Microsoft" || len(word) > 1 && word == strings.ToUpper(word) || s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func stageName(stage string) string { return strings.ReplaceAll(stage, "_", " ") }
