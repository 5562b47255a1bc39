package sigma

import (
	"encoding/json"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
)

// Example is records that the rule must speak about, or must not, in the order of time. It stands in the rule's text:
//
//	tests:
//	  - name: forwards to the outside
//	    expect: match          # or silent
//	    events:
//	      - {Operation: New-InboxRule, Workload: Exchange, UserId: amy@fabrikam.com}
type Example struct {
	Name   string
	Match  bool
	Line   int
	events []json.RawMessage
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
		list := member(c, "events")
		if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
			p.say(c, "Give it records: “events:” and a list.", "The test has no events.")
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
	var mem detect.Memory
	spoke := ""
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for i, raw := range x.events {
		e, err := b.exampleEvent(raw)
		if err != nil {
			o.Says = fmt.Sprintf("Its event %d cannot be read: %v.", i+1, err)
			return o
		}
		if e.Record.Time.IsZero() {
			e.Record.Time = at.Add(time.Duration(i) * time.Second)
		}
		if e.Record.ID == "" {
			e.Record.ID = fmt.Sprintf("event-%d", i+1)
		}
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
