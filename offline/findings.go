package offline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
)

// maxFindings are held to grow; above it what there is goes out, and a later cause begins anew.
const maxFindings = 100_000

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
	old.Grow(&f)
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
