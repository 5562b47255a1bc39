package sigma

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// MaxSpan is how far back a correlation may look: as long as anything is remembered.
const MaxSpan = 30 * 24 * time.Hour

// Correlation counts what its rules meet: how often (event_count), how many different values (value_count), or whether each of
// them is met within a time (temporal), in their order (temporal_ordered).
type Correlation struct {
	Head
	Type    string
	Span    time.Duration
	Least   int      // of event_count and value_count
	names   []string // of the rules
	groupBy []string
	counted string                       // the field of value_count
	aliases map[string]map[string]string // alias → rule → field
	emits   bool                         // its rules raise findings of their own as well
	at      int
	order   []int // its rules' places in the bundle
	node    *yaml.Node
}

// feed is what a rule tells a correlation of each record that meets it.
type feed struct {
	*Correlation
	group   []*field
	counted *field
}

var counting = []string{"event_count", "value_count", "temporal", "temporal_ordered"}

func (p *parser) correlation(h Head, n *yaml.Node) *Correlation {
	if n.Kind != yaml.MappingNode {
		p.say(n, "See docs/rules.md for one to begin with.", "A correlation is a mapping of type, rules and timespan.")
		return nil
	}
	c := &Correlation{Head: h, Type: text(member(n, "type")), names: texts(member(n, "rules")), groupBy: texts(member(n, "group-by")), node: n,
		emits: text(member(n, "generate")) == "true"}
	if !slices.Contains(counting, c.Type) {
		p.say(n, "Use event_count, value_count, temporal or temporal_ordered.", "Correlations of type %q are not counted here.", c.Type)
		return nil
	}
	if len(c.names) == 0 || len(c.names) > maxDocuments {
		p.say(n, "Name the rules that it counts: “rules: [failed_signin]”.", "The correlation names no rules, or too many.")
	}
	span := text(member(n, "timespan"))
	var ok bool
	if c.Span, ok = timespan(span); !ok || c.Span > MaxSpan {
		p.say(n, "Write a number and s, m, h, d or w, at most 30d: “timespan: 10m”.", "The timespan %q cannot be read, or is too long.", span)
	}
	c.aliases = map[string]map[string]string{}
	if a := member(n, "aliases"); a != nil && a.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(a.Content); i += 2 {
			of := map[string]string{}
			for k := 0; k+1 < len(a.Content[i+1].Content); k += 2 {
				of[a.Content[i+1].Content[k].Value] = a.Content[i+1].Content[k+1].Value
			}
			c.aliases[a.Content[i].Value] = of
		}
	}
	p.counts(c, n)
	return c
}

// counts reads from how many on a correlation speaks.
func (p *parser) counts(c *Correlation, n *yaml.Node) {
	cond := member(n, "condition")
	if strings.HasPrefix(c.Type, "temporal") {
		if len(c.names) < 2 {
			p.say(n, "Name at least two rules.", "A temporal correlation wants several rules.")
		}
		if cond != nil {
			p.say(cond, "Take it away: each of the rules must be met.", "A temporal correlation with a condition is not read.")
		}
		return
	}
	if cond == nil || cond.Kind != yaml.MappingNode {
		p.say(n, "Write for instance “condition: {gte: 10}”.", "The correlation has no condition.")
		return
	}
	for i := 0; i+1 < len(cond.Content); i += 2 {
		key, v := cond.Content[i], cond.Content[i+1]
		var num int
		switch key.Value {
		case "field":
			if list := texts(v); len(list) == 1 {
				c.counted = list[0]
				continue
			}
			p.say(v, "Name one field.", "The values of several fields are not counted together.")
			return
		case "gte", "gt", "eq":
			if _, err := fmt.Sscan(text(v), &num); err != nil || num < 0 || num > detect.MaxNotes/2 {
				p.say(v, fmt.Sprintf("Write a whole number up to %d.", detect.MaxNotes/2), "%q is no number that can be counted to.", text(v))
				return
			}
			if c.Least = num; key.Value == "gt" {
				c.Least++
			}
		default:
			p.say(key, "Use gte or gt: a finding is raised when so many are reached.", "A condition %q cannot be told when a record comes.", key.Value)
			return
		}
	}
	if c.Least < 1 {
		p.say(cond, "Write for instance “condition: {gte: 10}”.", "The condition says no number.")
	}
	if c.Type == "value_count" && c.counted == "" {
		p.say(cond, "Name the field whose different values are counted: “condition: {field: IPAddress, gte: 5}”.", "The condition names no field.")
	}
}

// join ties correlations to the rules that they name, all within one text.
func (p *parser) join(b *Bundle) {
	if len(b.Rules) == 0 {
		p.found = append(p.found, Fault{Line: 1, What: "There is no rule in the text.", Do: "Write the rules that the correlation counts into the same file, parted by a line ---."})
		return
	}
	for i, c := range b.Correlations {
		c.at = i
		for _, name := range c.names {
			k := slices.IndexFunc(b.Rules, func(r *Rule) bool { return r.Name == name || r.ID != "" && r.ID == name })
			switch {
			case k >= 0:
				c.take(b.Rules[k], name, k)
			case slices.ContainsFunc(b.Correlations, func(o *Correlation) bool { return o.Name == name || o.ID != "" && o.ID == name }):
				p.say(c.node, "Let it count rules.", "A correlation over correlations (%s) is not read.", name)
			default:
				p.say(c.node, "Put the rule into the same file, parted by a line ---, with “name: "+name+"”.", "The correlation counts a rule %q that is not here.", name)
			}
		}
	}
	for _, r := range b.Rules {
		r.silent = len(r.feeds) > 0 && !slices.ContainsFunc(r.feeds, func(f feed) bool { return f.emits })
	}
}

func (c *Correlation) take(r *Rule, name string, at int) {
	f := feed{Correlation: c}
	for _, g := range c.groupBy {
		if of, ok := c.aliases[g]; ok && of[name] != "" {
			g = of[name]
		}
		f.group = append(f.group, r.Source.field(g))
	}
	if c.counted != "" {
		f.counted = r.Source.field(c.counted)
	}
	c.order = append(c.order, at)
	r.feeds = append(r.feeds, f)
}

// told is what a correlation needs to know of a record.
func (f *feed) told(e *Event) detect.Feed {
	out := detect.Feed{Correlation: f.at}
	for _, g := range f.group {
		out.Group = append(out.Group, first(e, g))
	}
	if f.counted != nil {
		out.Value = first(e, f.counted)
	}
	return out
}

func first(e *Event, f *field) string {
	if v := e.values(f); len(v) > 0 {
		return v[0].low
	}
	return ""
}

// judge counts a record, and raises a finding where that is enough.
func (c *Correlation) judge(o *detect.Org, mem *detect.Memory, name string, rule int, r *detect.Record, f detect.Feed) []tocsin.Finding {
	if slices.Contains(f.Group, "") || c.counted != "" && f.Value == "" {
		return nil // what has no value is of no group
	}
	kind := fmt.Sprintf("own %s %d", name, c.at)
	key := strings.Join(f.Group, "\x00")
	since := r.Time.Add(-c.Span)
	n := detect.Note{At: r.Time, ID: r.ID, Value: f.Value}
	var why string
	var notes []detect.Note
	switch c.Type {
	case "event_count":
		mem.Add(kind, key, n)
		if notes = mem.Since(kind, key, since); len(notes) < c.Least {
			return nil
		}
		why = fmt.Sprintf("%d records meet %s within %s", len(notes), c.shownRules(), shownSpan(c.Span))
	case "value_count":
		mem.Add(kind, key, n)
		notes = mem.Since(kind, key, since)
		different := detect.Distinct(notes)
		if different < c.Least {
			return nil
		}
		why = fmt.Sprintf("%d different values of %s in %d records within %s", different, c.counted, len(notes), shownSpan(c.Span))
	default:
		mem.Add(fmt.Sprintf("%s %d", kind, rule), key, n)
		if notes = c.met(mem, kind, key, since); notes == nil {
			return nil
		}
		why = fmt.Sprintf("%s were all met within %s", c.shownRules(), shownSpan(c.Span))
		if c.Type == "temporal_ordered" {
			why += ", in this order"
		}
	}
	who := subjectOf(r)
	if len(f.Group) > 0 {
		who = strings.Join(f.Group, ", ")
	}
	if who != "" && len(f.Group) > 0 {
		why += ", for " + who
	}
	x := found(o, name, &c.Head, r, who, why+".")
	last := x.Evidence[0]
	x.Evidence = x.Evidence[:0]
	for _, note := range tail(notes, 19) {
		if note.ID != r.ID {
			x.Evidence = append(x.Evidence, tocsin.Evidence{ID: note.ID, Source: "audit_log"})
		}
	}
	x.Evidence = append(x.Evidence, last)
	return []tocsin.Finding{x}
}

func tail(notes []detect.Note, n int) []detect.Note {
	if len(notes) > n {
		return notes[len(notes)-n:]
	}
	return notes
}

// met are notes of each of a temporal correlation's rules, in their order where it wants that; nil where one lacks.
func (c *Correlation) met(mem *detect.Memory, kind, key string, since time.Time) (out []detect.Note) {
	after := since
	for _, rule := range c.order {
		notes := mem.Since(fmt.Sprintf("%s %d", kind, rule), key, since)
		if c.Type == "temporal_ordered" {
			i := slices.IndexFunc(notes, func(n detect.Note) bool { return !n.At.Before(after) })
			if i < 0 {
				return nil
			}
			notes, after = notes[i:i+1], notes[i].At
		}
		if len(notes) == 0 {
			return nil
		}
		out = append(out, notes[len(notes)-1])
	}
	return out
}

func (c *Correlation) shownRules() string {
	var names []string
	for _, n := range c.names {
		names = append(names, "“"+n+"”")
	}
	return strings.Join(names, " and ")
}

func shownSpan(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d%u.d == 0 {
			if n := d / u.d; n != 1 {
				return fmt.Sprintf("%d %ss", n, u.name)
			}
			return "1 " + u.name
		}
	}
	return d.String()
}
