package collect

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ourAct is an action of ours on a rule: what it did is no news of anybody else's.
type ourAct struct {
	id, kind, state, rule, made, name string
}

// recently is how long after an act of ours a change that fits it is held to be ours.
const recently = 24 * time.Hour

// ourActs are the acts of ours on the people's rules that were sent since, the newest first.
func ourActs(ctx context.Context, t *store.Tenant, people []any, since int64) (map[tocsin.PersonID][]ourAct, error) {
	out := map[tocsin.PersonID][]ourAct{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var a ourAct
		err := scan(&person, &a.id, &a.kind, &a.state, &a.rule, &a.made, &a.name)
		out[person] = append(out[person], a)
		return err
	}, `select person, id, kind, state, target, made, name from action where tenant = $1 and sent > $2 and target <> '' and person in (`+store.In(len(people), 3)+`) order by sent desc`,
		append([]any{since}, people...)...)
	return out, err
}

// did is the act of ours that a rule's change comes from; "" where it is somebody else's.
func did(acts []ourAct, what string, rule string, was, is *tocsin.MailRule) string {
	for _, a := range acts {
		if a.state == "failed" || a.state == "refused" {
			continue
		}
		switch {
		case a.kind == "delete_rule" && what == "deleted" && a.rule == rule,
			a.kind == "disable_rule" && what == "updated" && a.rule == rule && was != nil && is != nil && was.Enabled && !is.Enabled,
			a.kind == "enable_rule" && what == "updated" && a.rule == rule && was != nil && is != nil && !was.Enabled && is.Enabled,
			a.kind == "restore_rule" && what == "created" && (a.made == rule || a.made == "" && is != nil && is.Name == a.name):
			return a.id
		}
	}
	return ""
}

// stopped says whether a rule is off or gone by an act of ours that still holds. It is then judged as one that is not
// there: what was dangerous was stopped, and what was stopped raises nothing. Once it is on again it is judged again.
func stopped(acts []ourAct, rule string, enabled, deleted bool) bool {
	for _, a := range acts {
		if a.rule != rule || a.state == "failed" || a.state == "refused" {
			continue
		}
		if a.kind == "delete_rule" && deleted {
			return true
		}
		if a.kind == "disable_rule" && !enabled && !deleted && a.state != "undone" {
			return true
		}
	}
	return false
}
