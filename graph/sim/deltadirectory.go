package sim

import "strings"

// directorySince gives what of one kind changed after line n.
func (s *Sim) directorySince(kind string, is func(id string) (item, bool)) func(int) []changed {
	return func(n int) []changed {
		var out []changed
		seen := map[string]bool{}
		for i := len(s.world.log) - 1; i >= n; i-- {
			c := s.world.log[i]
			if c.kind != kind || seen[c.id] {
				continue
			}
			seen[c.id] = true
			if it, ok := is(c.id); ok {
				out = append(out, changed{item: it, id: c.id})
			} else {
				out = append(out, changed{id: c.id, reason: "changed"}) // soft-deleted: it can come back
			}
		}
		return out
	}
}

func (s *Sim) usersDelta(r *request) reply {
	l := s.userList()
	return s.delta(r, tracked{context: "users", props: userProperties, defaults: userDefaults, total: l.total, at: l.at, now: len(s.world.log), page: 200, latest: true, expires: true,
		since: s.directorySince("user", func(id string) (item, bool) {
			if p := s.world.find(id); p != nil {
				return s.userItem(p), true
			}
			return item{}, false
		})})
}

// membersPage is how many members of a group one object of a delta page tells; the rest comes with the same id again.
const membersPage = 150

// groupPiece is a part of a group's members.
type groupPiece struct {
	g    *group
	from int
	ids  []string
}

func (s *Sim) pieces(g *group, members bool) []groupPiece {
	if !members {
		return []groupPiece{{g: g}}
	}
	ids := s.world.list(g)
	out := []groupPiece{{g: g, ids: ids[:min(len(ids), membersPage)]}}
	for from := membersPage; from < len(ids); from += membersPage {
		out = append(out, groupPiece{g, from, ids[from:min(len(ids), from+membersPage)]})
	}
	return out
}

// pieceItem is a group with members@delta, where members were asked for.
func (s *Sim) pieceItem(r *request, p groupPiece) item {
	o := p.g.object(s.world)
	if p.from > 0 {
		o = obj{{"id", p.g.id}}
	}
	it := whole(o)
	at := s.objects(p.ids)
	var members []any
	for i := range p.ids {
		if m, ok := at(i); ok {
			id, _ := m.get("id")
			members = append(members, obj{{"@odata.type", m.kind}, {"id", id}})
		}
	}
	if members != nil {
		it.whole = append(it.whole, member{"members@delta", members})
	}
	inner := it.whole
	it.get = func(name string) (any, bool) { return inner.get(name) }
	return it
}

func (s *Sim) groupsDelta(r *request) reply {
	r.query = membersDelta(r.query)
	asked := r.query // a later page tells only its token
	if n, ok := s.readToken(first(r.query.get("$skiptoken"), r.query.get("$deltatoken"))); ok && len(n) == 5 {
		asked, _ = s.baked.query(n[4])
	}
	sel, chosen := asked.find("$select")
	members := !chosen || strings.Contains(sel, "members@delta")
	var all []groupPiece
	for _, g := range s.world.groups {
		if !g.gone {
			all = append(all, s.pieces(g, members)...)
		}
	}
	return s.delta(r, tracked{context: "groups", props: deltaGroups, total: len(all), now: len(s.world.log), page: 100, latest: true, expires: true,
		at: func(i int) (item, bool) { return s.pieceItem(r, all[i]), true },
		since: s.directorySince("group", func(id string) (item, bool) {
			if g := s.world.group(id); g != nil {
				return s.pieceItem(r, groupPiece{g: g, ids: s.world.list(g)}), true
			}
			return item{}, false
		})})
}

var deltaGroups = func() properties {
	out := properties{"members@delta": 'l'}
	for k, v := range groupProperties {
		out[k] = v
	}
	return out
}()

// membersDelta: members are asked for as members and told as members@delta.
func membersDelta(q query) query {
	out := append(query{}, q...)
	for i := range out {
		if out[i].name == "$select" {
			out[i].value = selectMembers(out[i].value)
		}
	}
	return out
}

func (s *Sim) rolesDelta(r *request) reply {
	return s.delta(r, tracked{context: "directoryRoles", props: deltaRoles, total: len(s.world.roles), now: len(s.world.log), page: 100, latest: true, expires: true,
		at: func(i int) (item, bool) { return s.roleDelta(s.world.roles[i]), true },
		since: s.directorySince("role", func(id string) (item, bool) {
			if o := s.world.role(id); o != nil {
				return s.roleDelta(o), true
			}
			return item{}, false
		})})
}

var deltaRoles = properties{"id": 's', "deletedDateTime": 's', "description": 's', "displayName": 's', "roleTemplateId": 's', "members": 'l', "members@delta": 'l'}

func (s *Sim) roleDelta(o *role) item {
	out := o.object()
	if len(o.holders()) > 0 {
		var members []any
		for _, id := range o.holders() {
			members = append(members, obj{{"@odata.type", "#microsoft.graph.user"}, {"id", id}})
		}
		out = append(out, member{"members@delta", members})
	}
	return whole(out)
}

func (s *Sim) contactsDelta(r *request) reply {
	all := s.world.contact
	return s.delta(r, tracked{context: "contacts", props: contactProperties, total: len(all), now: len(s.world.log), page: 100, latest: true, expires: true,
		at: func(i int) (item, bool) { return whole(all[i].object()), true },
		since: s.directorySince("contact", func(id string) (item, bool) {
			if c := s.world.contactBy(id); c != nil {
				return whole(c.object()), true
			}
			return item{}, false
		})})
}

// selectMembers turns members in a $select into members@delta, as which they are told.
func selectMembers(v string) string {
	names := strings.Split(v, ",")
	for i, n := range names {
		if strings.TrimSpace(n) == "members" {
			names[i] = "members@delta"
		}
	}
	return strings.Join(names, ",")
}
