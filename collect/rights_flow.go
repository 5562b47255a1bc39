package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// flowState is what was told of a mail flow rule: of each parameter the last, and when the rule was made and removed.
// It is the same in whichever order it is told.
type flowState struct {
	Made    int64                 `json:"made,omitempty"`
	Removed int64                 `json:"removed,omitempty"`
	Params  map[string]*flowParam `json:"params,omitempty"`
}

type flowParam struct {
	Value  string `json:"v"`
	At     int64  `json:"at"`
	Since  int64  `json:"since,omitempty"`
	Source string `json:"source"`
	Record string `json:"record,omitempty"`
	Actor  string `json:"actor,omitempty"`
	Kind   string `json:"kind,omitempty"`
}

// tell takes in what was told.
func (f *flowState) tell(s *rightsSeen, m *detect.MailFlowSeen) {
	if m.Made {
		f.Made = max(f.Made, s.At)
	}
	if m.Removed {
		f.Removed = max(f.Removed, s.At)
	}
	if f.Params == nil {
		f.Params = map[string]*flowParam{}
	}
	for p, v := range m.Params {
		now := &flowParam{Value: v, At: s.At, Source: s.Source, Record: s.Record, Actor: s.Actor, Kind: s.ActorKind}
		if s.Record != "" {
			now.Since = s.At
		}
		old := f.Params[p]
		switch {
		case old == nil || cmp.Or(cmp.Compare(now.At, old.At), cmp.Compare(now.Value, old.Value)) > 0 && now.Value != old.Value:
			f.Params[p] = now
		case now.Value == old.Value && now.At > old.At && now.Record == "": // a look that finds it as it was told
			old.At = now.At
		case now.Value == old.Value && now.Record != "" && (old.Record == "" || now.At > old.Since): // who told it last
			now.At = max(now.At, old.At)
			f.Params[p] = now
		}
	}
}

// last is when anything but the removal was told last.
func (f *flowState) last() int64 {
	at := f.Made
	for _, p := range f.Params {
		at = max(at, p.At)
	}
	return at
}

// gone is since when the rule is there no more; 0 while it is there.
func (f *flowState) gone() int64 {
	if f.Removed > 0 && f.Removed >= f.last() {
		return f.Removed
	}
	return 0
}

// params are the parameters that hold: those told before the rule was made anew do not.
func (f *flowState) params() map[string]detect.Told {
	out := map[string]detect.Told{}
	for name, p := range f.Params {
		if p.At >= f.Made {
			out[name] = detect.Told{Value: p.Value, At: tocsin.FromMillis(p.At), Since: tocsin.FromMillis(p.Since), Source: p.Source, Record: p.Record, Actor: p.Actor, ActorKind: p.Kind}
		}
	}
	return out
}

// foldFlow takes what was told of mail flow rules into the state.
func (r *run) foldFlow(ctx context.Context, s *rightsSeen) error {
	moved := false
	for i := range s.MailFlow {
		m := &s.MailFlow[i]
		name := strings.TrimSpace(m.Name)
		if name == "" {
			continue
		}
		changed, err := r.foldOneFlow(ctx, s, m, strings.ToLower(name), name)
		if err != nil {
			return err
		}
		moved = moved || changed
	}
	for _, kind := range []string{detect.RightTransport, detect.RightJournal} {
		if !slices.Contains(s.Whole, kind) {
			continue
		}
		var missing []string
		err := each(ctx, r.t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			if !slices.ContainsFunc(s.MailFlow, func(m detect.MailFlowSeen) bool {
				return m.Kind == kind && strings.EqualFold(strings.TrimSpace(m.Name), id)
			}) {
				missing = append(missing, id)
			}
			return err
		}, `select id from mailflow_rule where tenant = $1 and kind = $2 and removed = 0`, kind)
		if err != nil {
			return err
		}
		for _, id := range missing {
			changed, err := r.foldOneFlow(ctx, s, &detect.MailFlowSeen{Kind: kind, Removed: true}, id, "")
			if err != nil {
				return err
			}
			moved = moved || changed
		}
	}
	if !moved {
		return nil
	}
	return r.t.Append(ctx, store.Fact{Kind: "mailflow.changed", Subject: "mailflow"})
}

func (r *run) foldOneFlow(ctx context.Context, s *rightsSeen, m *detect.MailFlowSeen, id, name string) (moved bool, err error) {
	var body string
	var first, removed int64
	var had string
	err = r.t.QueryRow(ctx, `select name, body, first_seen, removed from mailflow_rule where tenant = $1 and kind = $2 and id = $3`, m.Kind, id).Scan(&had, &body, &first, &removed)
	var f flowState
	switch {
	case noRow(err):
		first = s.At
	case err != nil:
		return false, err
	default:
		if err := json.Unmarshal([]byte(body), &f); err != nil {
			return false, err
		}
	}
	f.tell(s, m)
	now, err := encode(&f)
	if err != nil || string(now) == body {
		return false, err
	}
	enabled := true
	if p, told := f.params()["enabled"]; told {
		enabled = !strings.EqualFold(p.Value, "false")
	}
	dest, how, by := rule.FlowDoes(&detect.MailFlow{Kind: m.Kind, Params: f.params()})
	return true, r.t.Insert(ctx, store.Into{Table: "mailflow_rule", Key: []string{"kind", "id"},
		Columns: []string{"kind", "id", "name", "body", "enabled", "dest", "how", "source", "since", "actor", "first_seen", "changed", "removed"}},
		[][]any{{m.Kind, id, firstOf(had, name), string(now), enabled, dest, how, firstOf(by.Source, s.Source), tocsin.Millis(by.Since), by.Actor, min(first, s.At), f.last(), f.gone()}})
}
