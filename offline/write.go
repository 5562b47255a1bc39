package offline

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
)

// line is a finding as --json prints it: exactly these members, in this order, and no story.
type line struct {
	Rule     string          `json:"rule"`
	Severity tocsin.Severity `json:"severity"`
	Risk     int             `json:"risk"`
	Time     *time.Time      `json:"time"`   // null where the records do not tell it
	Person   string          `json:"person"` // the address; empty where no person is meant
	Stage    string          `json:"stage"`
	Why      string          `json:"why"`
	Attack   []string        `json:"attack"`
	Evidence []pointer       `json:"evidence"`
	Story    *told           `json:"story,omitempty"` // of a story alone
}

// told is what a story's line has besides what a finding's has, so that who reads findings reads it as one, or knows it and leaves it out.
type told struct {
	Title  string    `json:"title"`
	Until  time.Time `json:"until"`  // when the last of it happened
	Stages []string  `json:"stages"` // in the order in which they were come to
	Rules  []string  `json:"rules"`  // of its findings, in the order of time, each once
}

// pointer is evidence as --json prints it: the record's own id in its source.
type pointer struct {
	ID     string `json:"id"`
	Source string `json:"source"`
}

// WriteJSON writes a finding as one object on one line.
func WriteJSON(w io.Writer, f tocsin.Finding) error { return writeLine(w, f, nil) }

func writeLine(w io.Writer, f tocsin.Finding, story *told) error {
	out := line{Story: story, Rule: f.Rule, Severity: f.Severity, Risk: f.Risk, Person: string(f.Person), Stage: f.Stage, Why: f.Why, Attack: f.Attack, Evidence: []pointer{}}
	if out.Attack == nil {
		out.Attack = []string{}
	}
	if !f.Time.IsZero() {
		at := f.Time.UTC()
		out.Time = &at
	}
	for _, e := range f.Evidence {
		out.Evidence = append(out.Evidence, pointer{e.ID, e.Source})
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// storyRule is the rule that a story's line names.
const storyRule = "story"

// WriteStoriesJSON writes each story as one object on one line, the worst first: a finding's members, and story. A takeover has a
// finding's line of its own, and none here.
func WriteStoriesJSON(w io.Writer, stories []Told) error {
	for _, s := range worstFirst(stories) {
		if s.Takeover {
			continue
		}
		f := tocsin.Finding{Rule: storyRule, Severity: s.Severity, Risk: s.Score, Time: s.Began(), Person: s.Person, Why: s.Why, Attack: s.Attack, Evidence: s.Evidence}
		about := told{Title: s.Title, Until: s.Ended().UTC(), Stages: s.Stages}
		if n := len(s.Stages); n > 0 {
			f.Stage = s.Stages[n-1]
		}
		if about.Stages == nil {
			about.Stages = []string{}
		}
		for _, part := range s.Parts {
			if !slices.Contains(about.Rules, part.Rule) {
				about.Rules = append(about.Rules, part.Rule)
			}
		}
		if err := writeLine(w, f, &about); err != nil {
			return err
		}
	}
	return nil
}

// worstFirst are stories as they are told: the worst first.
func worstFirst(stories []Told) []Told {
	return slices.SortedStableFunc(slices.Values(stories), func(a, b Told) int { return cmp.Compare(b.Score, a.Score) })
}
