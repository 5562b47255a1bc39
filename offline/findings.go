package offline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
)

const (
	maxEvidence = 50      // of one finding; the newest above it are left out
	maxFindings = 100_000 // held to grow; above it what there is goes out, and a later cause begins anew
)

// growing collects findings: the same cause on the same subject under the same rule is one that grows.
type growing struct {
	byID map[string]*tocsin.Finding
	emit func(tocsin.Finding)
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
	old.Evidence = joined(old.Evidence, f.Evidence)
	if f.Risk > old.Risk {
		old.Risk, old.Severity, old.Terms, old.Why, old.Title = f.Risk, f.Severity, f.Terms, f.Why, f.Title
		if f.Who != "" {
			old.Who, old.Person = f.Who, f.Person
		}
	}
	if !f.Time.IsZero() && (old.Time.IsZero() || f.Time.Before(old.Time)) {
		old.Time = f.Time
	}
}

// joined is a with what of b it has not, up to maxEvidence.
func joined(a, b []tocsin.Evidence) []tocsin.Evidence {
	for _, e := range b {
		if len(a) >= maxEvidence {
			return a
		}
		if !slices.ContainsFunc(a, func(x tocsin.Evidence) bool { return x.ID == e.ID && x.Source == e.Source }) {
			a = append(a, e)
		}
	}
	return a
}

// flush emits what there is, in the order of time, the weightiest of one time first.
func (g *growing) flush() {
	for _, f := range slices.SortedFunc(maps.Values(g.byID), func(a, b *tocsin.Finding) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(b.Risk, a.Risk), strings.Compare(a.Rule, b.Rule), strings.Compare(a.ID, b.ID))
	}) {
		g.emit(*f)
	}
	clear(g.byID)
}
