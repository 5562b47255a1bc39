package sigma

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/graph/sim"
	"tocsin.dev/story"
)

// Example is records that the rule must speak about, or must not, in the order of time; or a story, which the simulator plays, and of which the
// rule meets what Microsoft's logs would tell. It stands in the rule's text:
//
//	tests:
//	  - name: forwards to the outside
//	    expect: match          # or silent
//	    events:
//	      - {Operation: New-InboxRule, Workload: Exchange, UserId: amy@fabrikam.com}
//	  - name: a colleague may
//	    expect: silent
//	    story: |
//	      domain fabrikam.com
//	      person amy
//	      mon 09:00 amy makes rule "to Bob" forward to bob@fabrikam.com
type Example struct {
	Name   string
	Match  bool
	Line   int
	events []json.RawMessage
	story  *story.Story
}

// Outcome is what became of an example.
type Outcome struct {
	Name string `json:"name"`
	Line int    `json:"line"`
	OK   bool   `json:"ok"`
	Says string `json:"says"`
}

func (p *parser) examples(b *Bundle, n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind != yaml.SequenceNode {
		p.say(n, "Write a list of {name, expect, events}.", "tests is no list.")
		return
	}
	for _, c := range n.Content {
		x := Example{Name: text(member(c, "name")), Line: c.Line}
		switch text(member(c, "expect")) {
		case "match":
			x.Match = true
		case "silent":
		default:
			p.say(c, "Write “expect: match” or “expect: silent”.", "The test does not say what is expected.")
			continue
		}
		list, told := member(c, "events"), member(c, "story")
		switch {
		case told != nil && list != nil:
			p.say(told, "Make two tests of it.", "The test has events and a story.")
			continue
		case told != nil:
			st, err := story.Parse("story", strings.NewReader(text(told)))
			if err != nil {
				p.say(told, "Write it as docs/rules.md says.", "The story cannot be read: %v.", err)
				continue
			}
			x.story, list = st, &yaml.Node{}
		case list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0:
			p.say(c, "Give it records: “events:” and a list; or “story:”.", "The test has no events.")
			continue
		}
		for _, e := range list.Content {
			raw, err := jsonOf(e)
			if err != nil {
				p.say(e, "Write its members as YAML, or as a text of JSON.", "The event is no record: %v.", err)
				continue
			}
			x.events = append(x.events, raw)
		}
		if len(b.Examples) >= maxExamples {
			p.say(c, "Keep those that tell most.", "There are more than %d tests.", maxExamples)
			return
		}
		b.Examples = append(b.Examples, x)
	}
}

// jsonOf is a YAML mapping, or a text of JSON, as JSON.
func jsonOf(n *yaml.Node) (json.RawMessage, error) {
	if n.Kind == yaml.ScalarNode {
		var m map[string]any
		if err := json.Unmarshal([]byte(n.Value), &m); err != nil || m == nil {
			return nil, fmt.Errorf("it is no JSON object")
		}
		return json.RawMessage(n.Value), nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("it is no mapping")
	}
	var m map[string]any
	if err := n.Decode(&m); err != nil {
		return nil, fmt.Errorf("its members are not texts")
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("its members are not texts")
	}
	return raw, nil
}

// Test runs the bundle's examples.
func (b *Bundle) Test() []Outcome {
	out := []Outcome{}
	set := NewSet([]Named{{"tested", b}})
	for i := range b.Examples {
		out = append(out, b.test(set, &b.Examples[i]))
	}
	return out
}

// Passes says whether all of them came out as they should.
func Passes(list []Outcome) bool {
	for _, o := range list {
		if !o.OK {
			return false
		}
	}
	return true
}

func (b *Bundle) test(set *Set, x *Example) Outcome {
	o := Outcome{Name: x.Name, Line: x.Line}
	events, err := b.eventsOf(x)
	if err != nil {
		o.Says = err.Error()
		return o
	}
	var mem detect.Memory
	spoke := ""
	for _, e := range events {
		for _, f := range set.Judge(&detect.Org{Now: e.Record.Time}, &mem, e.Record, set.Match(e)) {
			if spoke == "" {
				spoke = f.Why
			}
		}
	}
	switch {
	case x.Match && spoke == "":
		o.Says = "It should match, and does not."
	case !x.Match && spoke != "":
		o.Says = "It should be silent, and matches: " + spoke
	case x.Match:
		o.OK, o.Says = true, spoke
	default:
		o.OK, o.Says = true, "It is silent, as it should be."
	}
	return o
}

// eventsOf are an example's records, in the order of time; an error is a sentence.
func (b *Bundle) eventsOf(x *Example) (out []*Event, err error) {
	if x.story != nil {
		return b.playedEvents(x.story)
	}
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for i, raw := range x.events {
		e, err := b.exampleEvent(raw)
		if err != nil {
			return nil, fmt.Errorf("Its event %d cannot be read: %w.", i+1, err)
		}
		if e.Record.Time.IsZero() {
			e.Record.Time = at.Add(time.Duration(i) * time.Second)
		}
		if e.Record.ID == "" {
			e.Record.ID = fmt.Sprintf("event-%d", i+1)
		}
		out = append(out, e)
	}
	return out, nil
}

// playedEvents are what the rule's logs tell of a story.
func (b *Bundle) playedEvents(st *story.Story) (out []*Event, err error) {
	told, err := sim.Told(st)
	if err != nil {
		return nil, fmt.Errorf("Its story cannot happen: %w.", err)
	}
	for _, raw := range told {
		entry, err := audit.Whole(raw)
		if err != nil {
			return nil, fmt.Errorf("What is told of its story cannot be read: %w.", err)
		}
		if e := NewEvent(&entry); entry.Shape != audit.Strange && accepted(b, e) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(x, y *Event) int { return x.Record.Time.Compare(y.Record.Time) })
	if len(out) == 0 {
		return nil, errors.New("Of its story the logs that the rule reads tell nothing: look at its logsource.")
	}
	return out, nil
}

// exampleEvent reads an example's record. One that does not show which log it is of is taken for the rule's.
func (b *Bundle) exampleEvent(raw json.RawMessage) (*Event, error) {
	entry, err := audit.Whole(raw)
	if err != nil {
		return nil, err
	}
	src := b.Rules[0].Source
	if e := NewEvent(&entry); entry.Shape != audit.Strange && accepted(b, e) {
		return e, nil
	}
	if entry, err = audit.As(raw, src.shape); err != nil {
		return nil, err
	}
	return NewEvent(&entry), nil
}

func accepted(b *Bundle, e *Event) bool {
	for _, s := range b.Sources() {
		if s.accepts(e) {
			return true
		}
	}
	return false
}
