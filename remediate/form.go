package remediate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev/graph"
)

// The forms that acts take: a switch is set, something is removed, something that was removed is given again.

// params fill the placeholders of every call: a call takes those that it has.
func (s *step) params(call string) graph.P { return s.target().params(call) }

// target is what the action is done to.
func (a *Action) target() target { return target{object: a.Object, id: a.Target} }

func (t target) params(call string) graph.P {
	all := graph.P{"user": t.object, "principal": t.object, "folder": "inbox", "rule": t.id, "assignment": t.id, "grant": t.id}
	out := graph.P{}
	for k, v := range all {
		if strings.Contains(graph.Find(call).Path, "{"+k+"}") {
			out[k] = v
		}
	}
	return out
}

// switched says whether a member of the target is set so.
func switched(member string, on bool) func(*step, seen) (bool, error) {
	return func(_ *step, now seen) (bool, error) { return !now.gone && isOn(now.raw, member) == on, nil }
}

// isOn says whether a member is true; one that is not told is.
func isOn(raw json.RawMessage, member string) bool {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return true
	}
	return string(o[member]) != "false"
}

// switchTo sets a member of the target.
func switchTo(call, member string, on bool) func(context.Context, *step) (string, error) {
	return func(ctx context.Context, s *step) (string, error) {
		return "", s.gc.Act(ctx, call, s.params(call), map[string]any{member: on}, nil)
	}
}

func gone(_ *step, now seen) (bool, error) { return now.gone, nil }

// remove deletes the target. One that is not there any more was deleted by an earlier sending, or by somebody else: it was
// there a moment ago.
func remove(call string) func(context.Context, *step) (string, error) {
	return func(ctx context.Context, s *step) (string, error) {
		err := s.gc.Act(ctx, call, s.params(call), nil, nil)
		if is[*graph.NotFound](err) {
			err = nil
		}
		return "", err
	}
}

// give makes again what was removed, from what was kept of it.
func give(call string) func(context.Context, *step) (string, error) {
	return func(ctx context.Context, s *step) (string, error) {
		body, err := shapes[s.Kind.On()].whole(s.Plan.Original)
		if err != nil {
			return "", err
		}
		var made struct{ ID string }
		err = s.gc.Act(ctx, call, s.params(call), body, &made)
		return made.ID, err
	}
}

// restored says whether what was removed is there again as it was, in each of its parts. It is the one that was made, or one
// that was not there when ours was sent.
func restored(s *step, now seen) (bool, error) {
	id := s.madeIn(now)
	if id == "" {
		return false, nil
	}
	names, err := shapes[s.Kind.On()].differ(now.item(id), s.Plan.Original)
	return len(names) == 0, err
}

// brings says whether the kind makes something again.
func (k Kind) brings() bool {
	switch k {
	case RestoreRule, ReturnRole, ReturnEligibility, ReturnGrant, ReturnPermission:
		return true
	}
	return false
}

// madeIn is the id of what giving again made; empty where it has made nothing.
func (s *step) madeIn(now seen) string {
	if !s.Kind.brings() || s.Sent.IsZero() {
		return ""
	}
	if s.Made != "" && now.item(s.Made) != nil {
		return s.Made
	}
	shape := shapes[s.Kind.On()]
	want, err := shape.fingerprint(s.Plan.Original, "sequence")
	if err != nil {
		return ""
	}
	for _, it := range now.items {
		if slices.ContainsFunc(s.Plan.Beside, func(p Place) bool { return p.ID == it.id }) {
			continue
		}
		if is, err := shape.fingerprint(it.raw, "sequence"); err == nil && is == want {
			return it.id
		}
	}
	return ""
}

// said is a sentence for every action of a kind; named is one with the name of the target.
func said(what string) func(*step) string { return func(*step) string { return what } }

func named(what string) func(*step) string {
	return func(s *step) string { return fmt.Sprintf(what, shown(s.Name)) }
}

// listed reads all of a sort, and which of them is the target.
func listed(ctx context.Context, gc *graph.Client, call string, p graph.P, id string) (s seen, err error) {
	s.gone = true
	for raw, err := range graph.Pages[json.RawMessage](ctx, gc, call, p) {
		if err != nil {
			return s, err
		}
		raw = bare(raw)
		var o struct{ ID string }
		if err := json.Unmarshal(raw, &o); err != nil {
			return s, err
		}
		s.items = append(s.items, item{o.ID, raw})
		if o.ID == id {
			s.gone, s.raw = false, raw
		}
	}
	return s, nil
}

// partial is an act of several parts of which some were done before one was refused.
type partial struct {
	error
	done, left []string
}

func (p *partial) Unwrap() error { return p.error }
