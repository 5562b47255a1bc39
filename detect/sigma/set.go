package sigma

import (
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Named is a bundle under the name that its findings are filed under.
type Named struct {
	Name string // kebab-case, unique among a tenant's
	*Bundle
}

// Set is many bundles at once. It does not change, and may be read by several at a time.
type Set struct {
	list    []Named
	sources []*indexed
}

// indexed are the rules that read one log: those that need a value of a field, by it, and the others.
type indexed struct {
	*Source
	fields []*byField
	always []ruleAt
}

type byField struct {
	*field
	rules map[string][]ruleAt // by value, in lower case
}

// ruleAt is a rule by its place in a set.
type ruleAt struct {
	*Rule
	bundle, rule int
}

// NewSet makes a set of bundles.
func NewSet(list []Named) *Set {
	s := &Set{list: list}
	at := map[*Source]*indexed{}
	for i, b := range list {
		for k, r := range b.Rules {
			if r.Source.accepts == nil || r.silent && len(r.feeds) == 0 {
				continue
			}
			x := at[r.Source]
			if x == nil {
				x = &indexed{Source: r.Source}
				at[r.Source], s.sources = x, append(s.sources, x)
			}
			x.add(ruleAt{r, i, k})
		}
	}
	return s
}

func (x *indexed) add(r ruleAt) {
	if r.needs == nil {
		x.always = append(x.always, r)
		return
	}
	i := slices.IndexFunc(x.fields, func(f *byField) bool { return f.key == r.needs.field.key })
	if i < 0 {
		i = len(x.fields)
		x.fields = append(x.fields, &byField{field: r.needs.field, rules: map[string][]ruleAt{}})
	}
	f := x.fields[i]
	for _, v := range r.needs.values {
		if list := f.rules[v]; len(list) == 0 || list[len(list)-1] != r {
			f.rules[v] = append(list, r)
		}
	}
}

// Len is how many bundles there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.list)
}

// Match gives which rules a record meets, and what correlations need to know of it. It looks at the record alone.
func (s *Set) Match(e *Event) (out []detect.Hit) {
	var met []ruleAt
	for _, x := range s.sources {
		if !x.accepts(e) {
			continue
		}
		for _, r := range x.always {
			if r.condition.holds(e) {
				met = append(met, r)
			}
		}
		for _, f := range x.fields {
			for _, v := range e.values(f.field) {
				for _, r := range f.rules[v.low] {
					if !slices.Contains(met, r) && r.condition.holds(e) {
						met = append(met, r)
					}
				}
			}
		}
	}
	for _, r := range met {
		out = append(out, r.hit(s.list[r.bundle].Name, r.rule, e))
	}
	return out
}

// hit is what is told of a rule that a record meets.
func (r *Rule) hit(name string, at int, e *Event) detect.Hit {
	h := detect.Hit{Rule: name, At: at}
	if !r.silent {
		h.Why = r.says(e)
	}
	for _, f := range r.feeds {
		h.Feeds = append(h.Feeds, f.told(e))
	}
	return h
}

// says is why a record meets a rule: at most four fields with their values.
func (r *Rule) says(e *Event) string {
	var parts []string
	for _, s := range r.selections {
		if !positive(r.condition, s) {
			continue
		}
		for _, g := range s.any {
			if !g.holds(e) {
				continue
			}
			for _, it := range g {
				if t := it.says(e); t != "" && len(parts) < 4 && !slices.Contains(parts, t) {
					parts = append(parts, t)
				}
			}
			break
		}
	}
	return strings.Join(parts, ", ")
}

// positive says whether a condition asks for a selection rather than against it.
func positive(x expr, s *selection) bool {
	switch x := x.(type) {
	case *selection:
		return x == s
	case and:
		return slices.ContainsFunc(x, func(one expr) bool { return positive(one, s) })
	case or:
		return slices.ContainsFunc(x, func(one expr) bool { return positive(one, s) })
	}
	return false
}

// Judge judges a record by what rules it meets ([Set.Match]) and by what was noted of those before. Records come in the order
// of time.
func (s *Set) Judge(o *detect.Org, mem *detect.Memory, r *detect.Record, hits []detect.Hit) (out []tocsin.Finding) {
	if s == nil {
		return nil
	}
	for i := range hits {
		h := &hits[i]
		k := slices.IndexFunc(s.list, func(b Named) bool { return b.Name == h.Rule })
		if k < 0 || h.At >= len(s.list[k].Rules) {
			continue
		}
		b := &s.list[k]
		if rule := b.Rules[h.At]; !rule.silent {
			out = append(out, found(o, b.Name, &rule.Head, r, subjectOf(r), matched(r, h.Why)))
		}
		for _, f := range h.Feeds {
			if f.Correlation < len(b.Correlations) {
				out = append(out, b.Correlations[f.Correlation].judge(o, mem, b.Name, h.At, r, f)...)
			}
		}
	}
	return out
}

// subjectOf is whom a record is about: who did it, or of an alert to whom it was done.
func subjectOf(r *detect.Record) string {
	if r.Actor == "" || r.ActorKind == "system" && r.Target != "" {
		return r.Target
	}
	return r.Actor
}

// matched is a sentence that tells what was seen.
func matched(r *detect.Record, why string) string {
	s := r.Operation
	if s == "" {
		s = "A record"
	}
	if r.Actor != "" {
		s += " by " + r.Actor
	}
	if r.IP != "" {
		s += " from " + r.IP
	}
	if r.Object != "" && len(r.Object) < 200 {
		s += " on " + r.Object
	} else if r.Target != "" {
		s += " on " + r.Target
	}
	s += " meets the rule"
	if why != "" {
		s += ": " + why
	}
	return s + "."
}

// Meta is what a bundle says of itself, as the catalogue has it.
func (n *Named) Meta() detect.Meta {
	h := n.Head()
	says := h.Description
	if says == "" {
		says = h.Title
	}
	fp := strings.Join(h.FalsePositives, "; ")
	return detect.Meta{Name: n.Name, Title: h.Title, Family: Family, Severity: h.Severity(), Attack: h.Attack, Stage: h.stage(), Says: says, FalsePositives: fp,
		Fix: "Read the rule's description and references, and look at the records it names.", Actions: []string{"revoke_sessions"}, Source: "audit_log"}
}

func (h *Head) stage() string {
	if h.Stage == "" {
		return "access"
	}
	return h.Stage
}

// found is a finding of a rule or correlation about who.
func found(o *detect.Org, name string, h *Head, r *detect.Record, who, why string) tocsin.Finding {
	person := tocsin.PersonID("")
	if k := o.Find(who); k.Person != "" {
		person = k.Person
	} else if strings.Contains(who, "@") && r.ActorKind != "app" {
		person = tocsin.PersonID(tocsin.CanonicalAddress(who))
	}
	f := tocsin.Finding{Rule: name, Title: h.Title, Stage: h.stage(), Attack: h.Attack, Person: person, Who: who, Subject: who, Cause: h.ID, Time: r.Time, Why: detect.Shown(why)}
	if person != "" {
		f.Actions = []string{"revoke_sessions"}
	}
	what := r.Operation
	if r.Actor != "" {
		what += " by " + r.Actor
	}
	if r.IP != "" {
		what += " from " + r.IP
	}
	f.Evidence = []tocsin.Evidence{{ID: r.ID, Source: "audit_log", What: what}}
	f.Severity = h.Severity()
	detect.Score(&f, detect.Terms{{Points: h.Risk(), Why: fmt.Sprintf("the rule's author calls it %s", h.Level)}})
	return f
}
