package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ListGroups lists mail groups by name.
func (s *Service) ListGroups(ctx context.Context, in GroupsIn) (Page[Group], error) {
	return view(ctx, s, "groups list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Group], error) {
		var p Page[Group]
		after, err := parseCursor(in.After, "groups", 2)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add(`select id, name, mail, kind, outside, members_seen, exists (select 1 from group_address a join rule_target r on r.tenant = a.tenant and r.address = a.address
			where a.tenant = $1 and a.group_id = mail_group.id) from mail_group where tenant = $1`)
		groupFilters(q, in)
		if !after.begins() {
			q.add(" and (name, id) > (?, ?)", after.text(0), after.text(1))
		}
		rows, err := find(ctx, t, q.add(" order by name, id limit ?", n+1), (*groupRow).fields)
		if err != nil {
			return p, err
		}
		list := make([]Group, len(rows))
		for i := range rows {
			if list[i], err = rows[i].view(); err != nil {
				return p, err
			}
		}
		p = paged(list, n, func(g Group) string { return cursor("groups", g.Name, g.ID) })
		return total(in.Paging, p, func() (int, bool, error) {
			from := (&query{}).add("mail_group where tenant = $1")
			groupFilters(from, in)
			return counted(ctx, t, from)
		})
	})
}

func groupFilters(q *query, in GroupsIn) {
	q.add(" and deleted = 0")
	if in.Outside {
		q.add(" and outside not in ('', '[]', 'null')")
	}
	if strings.TrimSpace(in.Q) != "" {
		like := q.arg(contains(in.Q))
		q.add(` and (lower(name) like ` + like + ` escape '\' or lower(mail) like ` + like + ` escape '\')`)
	}
}

type groupRow struct {
	Group
	outside string
	seen    int64
}

func (r *groupRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.Mail, &r.Kind, &r.outside, &r.seen, &r.LedTo}
}

func (r *groupRow) view() (Group, error) {
	r.MembersSeen = tocsin.FromMillis(r.seen)
	if r.outside == "" {
		return r.Group, nil // not asked yet: null
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(r.outside), &list); err != nil {
		return r.Group, fmt.Errorf("members of group %s: %w", r.ID, err)
	}
	r.Outside = []string{}
	for _, m := range list {
		var a tocsin.Address
		if json.Unmarshal(m, &a) != nil {
			json.Unmarshal(m, &a.Address) // kept as a text
		}
		r.Outside = append(r.Outside, a.Address)
	}
	return r.Group, nil
}
