package collect

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// fileHoldings writes who has which role, and who may take one, as it is now. Of whom that changed it is told, so that their risk is
// reckoned again.
func fileHoldings(ctx context.Context, t *store.Tenant, list []posture.Holding, now time.Time) error {
	type row struct{ person, role, says string }
	had := map[string]row{}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var id string
		var r row
		var name, how, via string
		var ends int64
		err := scan(&id, &r.person, &r.role, &name, &how, &via, &ends)
		r.says = holdingSays(name, how, via, ends)
		had[id] = r
		return err
	}, `select id, person, role, name, how, via_name, ends from role_holding where tenant = $1`); err != nil {
		return err
	}
	var rows [][]any
	moved, seen := map[string]string{}, map[string]bool{} // the role by the person
	for i := range list {
		h := &list[i]
		person := string(tocsin.NewPersonID(t.ID(), h.Principal))
		kind := "held"
		if h.Eligible {
			kind = "eligible"
		}
		id := tocsin.NewFindingID(t.ID(), "holding "+kind, strings.ToLower(h.Principal), strings.ToLower(strings.Join([]string{h.Role, h.Group, h.Scope}, "\x00")))
		if seen[id] { // given twice
			continue
		}
		seen[id] = true
		ends := tocsin.Millis(h.Ends)
		if was, ok := had[id]; ok {
			delete(had, id)
			if was.says == holdingSays(h.RoleName, h.How(), h.GroupName, ends) {
				continue
			}
		}
		highest := int64(0)
		if posture.Highest(h.Role) {
			highest = 1
		}
		moved[person] = h.Role
		rows = append(rows, []any{id, h.Principal, person, h.Role, h.RoleName, h.How(), h.Group, h.GroupName, h.Scope, highest, ends, tocsin.Millis(now)})
	}
	for _, id := range sortedKeys(had) {
		if _, err := t.Exec(ctx, `delete from role_holding where tenant = $1 and id = $2`, id); err != nil {
			return err
		}
		moved[had[id].person] = had[id].role
	}
	if err := t.Insert(ctx, store.Into{Table: "role_holding", Key: []string{"id"}, Keep: []string{"since"}, Columns: []string{"id", "object_id", "person", "role", "name", "how", "via", "via_name", "scope",
		"highest", "ends", "since"}}, rows); err != nil {
		return err
	}
	for _, person := range sortedKeys(moved) {
		if err := t.Append(ctx, store.Fact{Kind: "role.changed", Subject: moved[person], Person: person}); err != nil {
			return err
		}
	}
	return nil
}

func holdingSays(name, how, group string, ends int64) string {
	return strings.Join([]string{name, how, group, tocsin.FromMillis(ends).String()}, "\x00")
}
