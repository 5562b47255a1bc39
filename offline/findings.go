package offline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
)

// maxFindings are held to grow; above it what there is goes out, and a later cause begins anew.
const maxFindings = 100_000

// growing collects findings: the same cause on the same subject under the same rule is one that grows.
type growing struct {
	byID map[string]*tocsin.Finding
	emit func(tocsin.Finding)
	told func(Told)
}

// Told is what joins of one person's findings.
type Told struct {
	Who      string
	Person   tocsin.PersonID
	Evidence []tocsin.Evidence // that its findings rest on: the first fifty
	rule.Story
}

func (g *growing) add(f tocsin.Finding) {
	f.ID = tocsin.NewFindingID("", f.Rule, f.Subject, f.Cause)
	old, ok := g.byID[f.ID]
	if !ok {
		if len(g.byID) >= maxFindings {
			g.flush()
		}
		g.byID[f.ID] = &f
		return
	}
	old.Grow(&f)
}

// flush emits what there is, in the order of time, the weightiest of one time first, and with it what stories say of it.
func (g *growing) flush() {
	g.join()
	for _, f := range slices.SortedFunc(maps.Values(g.byID), func(a, b *tocsin.Finding) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(b.Risk, a.Risk), strings.Compare(a.Rule, b.Rule), strings.Compare(a.ID, b.ID))
	}) {
		g.emit(*f)
	}
	clear(g.byID)
}

// join makes stories of each person's findings. A takeover is a finding, which rests on the records that its findings rest on.
func (g *growing) join() {
	people := map[tocsin.PersonID][]rule.Part{}
	who := map[tocsin.PersonID]string{}
	for id, f := range g.byID {
		if f.Person == "" || f.Time.IsZero() {
			continue
		}
		people[f.Person] = append(people[f.Person], rule.Part{ID: id, Rule: f.Rule, Title: f.Title, Why: f.Why, Severity: f.Severity, Risk: f.Risk, Stage: f.Stage, Attack: f.Attack, At: f.Time, Open: true})
		who[f.Person] = max(who[f.Person], f.Who)
	}
	for _, p := range slices.Sorted(maps.Keys(people)) {
		for _, s := range rule.Join(people[p]) {
			t := Told{who[p], p, g.evidence(&s), s}
			g.told(t)
			if s.Takeover {
				f := rule.Takeover(&s, p, who[p], s.Parts[0].ID)
				f.Evidence = t.Evidence
				g.byID["story "+s.Parts[0].ID] = &f
			}
		}
	}
}

// evidence are the records that a story's findings rest on, each once.
func (g *growing) evidence(s *rule.Story) (out []tocsin.Evidence) {
	for _, part := range s.Parts {
		for _, e := range g.byID[part.ID].Evidence {
			if len(out) < maxEvidence && !slices.ContainsFunc(out, func(had tocsin.Evidence) bool { return had.ID == e.ID && had.Source == e.Source }) {
				out = append(out, e)
			}
		}
	}
	return out
}

// maxEvidence is how many records a story names.
const maxEvidence = 50
