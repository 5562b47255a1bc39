package api

import (
	"context"
	"slices"
	"sync"

	"tocsin.dev/detect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// catalogue is every detection there is: checks of the state of mailboxes, the organisation, connections and exports, sweeps across mailboxes, events of the audit log.
var catalogue = sync.OnceValue(func() []Detection {
	var out []Detection
	for _, c := range rule.Checks {
		out = append(out, Detection{Meta: c.Meta, Kind: "check"})
	}
	for _, c := range rule.Sweeps {
		out = append(out, Detection{Meta: c.Meta, Kind: "sweep"})
	}
	for _, c := range rule.Events {
		out = append(out, Detection{Meta: c.Meta, Kind: "event"})
	}
	for _, m := range rule.All() { // of organisations, connections and exports
		if !slices.ContainsFunc(out, func(had Detection) bool { return had.Name == m.Name }) {
			out = append(out, Detection{Meta: m, Kind: "check"})
		}
	}
	for i := range posture.Checks {
		out = append(out, Detection{Meta: posture.Checks[i].Meta(), Kind: "posture"})
	}
	for i := range out {
		out[i].Attack, out[i].Actions = orNone(out[i].Attack), orNone(out[i].Actions)
	}
	return out
})

// detector is a detection's entry in the catalogue, or nil for one that is there no longer.
func detector(name string) *detect.Meta {
	all := catalogue()
	if i := slices.IndexFunc(all, func(d Detection) bool { return d.Name == name }); i >= 0 {
		m := all[i].Meta
		return &m
	}
	return nil
}

// known says whether an exception may name it: a detection, a family of them, or * for all.
func known(name string) bool {
	return name == "*" || slices.ContainsFunc(catalogue(), func(d Detection) bool { return d.Name == name || d.Family == name })
}

// ListDetections is the catalogue, with how many findings of each are open.
func (s *Service) ListDetections(ctx context.Context, in ListIn) (Page[Detection], error) {
	return view(ctx, s, "detections list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Detection], error) {
		var p Page[Detection]
		after, err := parseCursor(in.After, "detections", 1)
		if err != nil {
			return p, err
		}
		open, err := openByRule(ctx, t)
		if err != nil {
			return p, err
		}
		all := slices.Clone(catalogue())
		for i := range all {
			all[i].Open = open[all[i].Name].Open
		}
		from := int(min(max(after.number(0), 0), int64(len(all))))
		n := in.limit()
		p = paged(all[from:min(from+n+1, len(all))], n, func(d Detection) string { return cursor("detections", int64(from+n)) })
		if in.After == "" {
			p.Total = len(all)
		}
		return p, nil
	})
}

// openByRule counts the open findings of each detection.
func openByRule(ctx context.Context, t *store.Tenant) (map[string]RuleCount, error) {
	type row struct {
		rule    string
		n, rank int
	}
	// In the order of the index finding_rule, so that nothing is sorted: a rule comes once for each status.
	q := (&query{}).add("select rule, count(*), max(severity_rank) from finding where tenant = $1 and status in ('open', 'in_work') group by rule, status")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.rule, &r.n, &r.rank} })
	out := map[string]RuleCount{}
	for _, r := range rows {
		title := r.rule
		if d := detector(r.rule); d != nil {
			title = d.Title
		}
		c, had := out[r.rule]
		if s := severityOf(r.rank); !had || s.Rank() > c.Severity.Rank() {
			c.Severity = s
		}
		c.Rule, c.Title, c.Open = r.rule, title, c.Open+r.n
		out[r.rule] = c
	}
	return out, err
}
