package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// Group is a group of the directory. What mail tells of it (its members outside, whether rules lead to it) is there where it has an
// address.
type Group struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Mail        string        `json:"mail"`
	Kind        string        `json:"kind"`            // microsoft365, security, mail_security, distribution; empty where not told
	Dynamic     bool          `json:"dynamic"`         // a rule says who is in it
	Rule        string        `json:"membership_rule"` // which
	Visibility  string        `json:"visibility"`      // public: everybody inside may join and read; private, hidden; empty where not told
	Assignable  bool          `json:"role_assignable"` // may be given roles of the directory
	Protected   bool          `json:"protected"`       // only administrators who are named for it may change it
	Synced      *bool         `json:"synced"`          // from Active Directory; null where not told
	Members     *int          `json:"members"`         // people and others in it, however deep; null where they were not read
	Guests      *int          `json:"guests"`          // of them
	Roles       []string      `json:"roles"`           // of the directory that who is in it has, or may take
	Policies    []posture.Use `json:"policies"`        // conditional access policies that name it
	Checks      []Failing     `json:"checks"`          // that it fails
	Outside     []string      `json:"outside"`         // members outside the organisation, by address, where mail is sent on to it; null where not asked
	LedTo       bool          `json:"led_to"`          // a rule sends mail to it
	MembersSeen time.Time     `json:"members_seen,omitzero"`
	Created     time.Time     `json:"created,omitzero"`
}

// GroupDetail is a group with who is in it.
type GroupDetail struct {
	Group
	People   []GroupMember `json:"people"`    // the first 200 by name: guests, then the others
	Owners   []GroupMember `json:"owners"`    // null where they were not read
	RolesHow []Privilege   `json:"roles_how"` // how the roles come
	Sites    []Site        `json:"sites"`     // that bear its name
	RulesTo  []MailRule    `json:"rules_to"`  // inbox rules that send mail to it, at most 50
	Held     []Knowledge   `json:"held"`      // what is known of groups, and what is not
}

// GroupMember is somebody or something in a group.
type GroupMember struct {
	ID      string          `json:"id"`     // Entra's own
	Person  tocsin.PersonID `json:"person"` // ours, of a person who is known; else empty
	Name    string          `json:"name"`
	Address string          `json:"address"`
	Kind    string          `json:"kind"` // member, guest, group, contact, device, application; empty where not told
	Enabled *bool           `json:"enabled"`
}

// groupState is what is read of a group's object.
type groupState struct {
	ID         string    `json:"id"`
	Name       string    `json:"displayName"`
	Visibility string    `json:"visibility"`
	Types      []string  `json:"groupTypes"`
	Rule       string    `json:"membershipRule"`
	Assignable *bool     `json:"isAssignableToRole"`
	Protected  *bool     `json:"isManagementRestricted"`
	Security   *bool     `json:"securityEnabled"`
	MailOn     *bool     `json:"mailEnabled"`
	Synced     *bool     `json:"onPremisesSyncEnabled"`
	Mail       string    `json:"mail"`
	Created    time.Time `json:"createdDateTime"`
}

func isTrue(b *bool) bool { return b != nil && *b }

func (g *groupState) into(v *Group) {
	v.ID, v.Name, v.Mail, v.Kind, v.Rule, v.Created = g.ID, cmp.Or(g.Name, v.Name), cmp.Or(g.Mail, v.Mail), cmp.Or(collect.GroupKind(g.Types, g.Security, g.MailOn, g.Mail), v.Kind), g.Rule, g.Created
	v.Dynamic, v.Assignable, v.Protected, v.Synced = slices.Contains(g.Types, "DynamicMembership") || g.Rule != "", isTrue(g.Assignable), isTrue(g.Protected), g.Synced
	v.Visibility = map[string]string{"public": "public", "private": "private", "hiddenmembership": "hidden"}[strings.ToLower(g.Visibility)]
}

// mailKinds are the kinds of a mail group in the words of the directory's.
var mailKinds = map[string]string{"unified": "microsoft365"}

// groupRow is what mail tells of a group.
type groupRow struct {
	Group
	outside string
	seen    int64
}

const groupColumns = `id, name, mail, kind, outside, members_seen, exists (select 1 from group_address a join rule_target r on r.tenant = a.tenant and r.address = a.address
	where a.tenant = $1 and a.group_id = mail_group.id)`

func (r *groupRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.Mail, &r.Kind, &r.outside, &r.seen, &r.LedTo}
}

func (r *groupRow) view() (Group, error) {
	r.MembersSeen, r.Kind = tocsin.FromMillis(r.seen), cmp.Or(mailKinds[r.Kind], r.Kind)
	r.Roles, r.Policies, r.Checks = []string{}, []posture.Use{}, []Failing{}
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

// groupsOf are the groups of these ids, with what their own objects tell.
func groupsOf(ctx context.Context, t *store.Tenant, ids ...any) ([]Group, error) {
	only := func(q *query) { q.add(" and id in (" + q.in(ids...) + ")") }
	q := (&query{}).add("select " + groupColumns + " from mail_group where tenant = $1 and deleted = 0 and kind <> 'contact'")
	only(q)
	rows, err := find(ctx, t, q, (*groupRow).fields)
	if err != nil {
		return nil, err
	}
	states, err := bodies[groupState](ctx, t, pathGroupObjects, only)
	if err != nil {
		return nil, err
	}
	out, at := make([]Group, 0, max(len(rows), len(states))), map[string]int{}
	for i := range rows {
		g, err := rows[i].view()
		if err != nil {
			return nil, err
		}
		at[g.ID] = len(out)
		out = append(out, g)
	}
	for i := range states {
		n, ok := at[states[i].ID]
		if !ok {
			n = len(out)
			out = append(out, Group{Roles: []string{}, Policies: []posture.Use{}, Checks: []Failing{}})
		}
		states[i].into(&out[n])
	}
	return out, nil
}

// groupsMean is what groups mean: the checks that they fail and the roles that they have, by their folded ids, and the policies.
type groupsMean struct {
	fails map[string][]Failing
	roles map[string][]string
	st    *posture.State
}

func (s *Service) groupsMean(ctx context.Context, t *store.Tenant) (m groupsMean, err error) {
	if m.fails, err = failing(ctx, t, pathGroupObjects); err != nil {
		return m, err
	}
	h, err := s.state(ctx, t, "/identity/*", "/roleManagement/*")
	if err != nil {
		return m, err
	}
	h.closed()
	m.st, m.roles = posture.NewState(h.Snapshot, s.now()), map[string][]string{}
	for _, k := range m.st.Holdings() {
		id := strings.ToLower(cmp.Or(k.Group, k.Principal))
		if !slices.Contains(m.roles[id], k.RoleName) {
			m.roles[id] = append(m.roles[id], k.RoleName)
		}
	}
	return m, nil
}

// on adds to groups what they mean.
func (m *groupsMean) on(list []Group) {
	for i := range list {
		g := &list[i]
		id := strings.ToLower(g.ID)
		g.Checks, g.Roles, g.Policies = orNone(m.fails[id]), orNone(m.roles[id]), m.st.UsesOf(g.ID)
	}
}

// ranks are the groups that mean something, by how much: roles before policies before checks. named are those that policies name.
func (m *groupsMean) ranks(named map[string]bool, grants, fails bool) map[string]int {
	out := map[string]int{}
	for _, ids := range [][]string{slices.Collect(maps.Keys(m.roles)), slices.Collect(maps.Keys(named)), slices.Collect(maps.Keys(m.fails))} {
		for _, id := range ids {
			roles, policies, checks := len(m.roles[id]), 0, len(m.fails[id])
			if named[id] {
				policies = len(m.st.UsesOf(id))
			}
			if n := roles*1_000_000 + policies*1_000 + checks; n > 0 && (!grants || roles+policies > 0) && (!fails || checks > 0) {
				out[id] = n
			}
		}
	}
	return out
}

// groupsCount adds to groups how many are in them, of those whose members were read.
func groupsCount(ctx context.Context, t *store.Tenant, list []Group) error {
	at, paths := map[string]*Group{}, make([]any, len(list))
	for i := range list {
		path := "/groups/" + list[i].ID + "/transitiveMembers"
		at[path], paths[i] = &list[i], path
	}
	for some := range slices.Chunk(paths, 400) {
		type row struct {
			path            string
			members, guests int
			read            int64
		}
		q := &query{}
		q.add(`select p.path, p.read_at, (select count(*) from state_object o where o.tenant = $1 and o.path = p.path and o.deleted = 0),
			(select count(*) from state_object o where o.tenant = $1 and o.path = p.path and o.deleted = 0 and o.body like '%"userType":"Guest"%') from state_path p where p.tenant = $1 and p.read_at > 0 and p.path in (` + q.in(some...) + `)`)
		rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.path, &r.read, &r.members, &r.guests} })
		if err != nil {
			return err
		}
		for i := range rows {
			g := at[rows[i].path]
			g.Members, g.Guests, g.MembersSeen = &rows[i].members, &rows[i].guests, latest(g.MembersSeen, tocsin.FromMillis(rows[i].read))
		}
	}
	return nil
}

// groupMembers are how many are in each group whose members were read, by folded ids.
func groupMembers(ctx context.Context, t *store.Tenant) (members, guests map[string]int, err error) {
	type row struct{ path string }
	rows, err := find(ctx, t, (&query{}).add("select path from state_path where tenant = $1 and path like '/groups/%/transitiveMembers' and read_at > 0"), func(r *row) []any { return []any{&r.path} })
	if err != nil {
		return nil, nil, err
	}
	list := make([]Group, len(rows))
	for i, r := range rows {
		list[i].ID = strings.TrimSuffix(strings.TrimPrefix(r.path, "/groups/"), "/transitiveMembers")
	}
	if err := groupsCount(ctx, t, list); err != nil {
		return nil, nil, err
	}
	members, guests = map[string]int{}, map[string]int{}
	for _, g := range list {
		if g.Members != nil {
			members[strings.ToLower(g.ID)], guests[strings.ToLower(g.ID)] = *g.Members+1, *g.Guests
		}
	}
	return members, guests, nil
}

// ListGroups lists groups: by name, or those that mean most first.
func (s *Service) ListGroups(ctx context.Context, in GroupsIn) (Page[Group], error) {
	return view(ctx, s, "groups list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Group], error) {
		mean, err := s.groupsMean(ctx, t)
		if err != nil {
			return Page[Group]{}, err
		}
		l := &listing{kind: "group", name: "groups/" + in.Sort, by: "rank", only: in.Grants || in.Failing}
		var withGuests []any
		if in.Outside || in.Sort == "members" {
			members, guests, err := groupMembers(ctx, t)
			if err != nil {
				return Page[Group]{}, err
			}
			if in.Sort == "members" {
				l.first = members
			}
			for id, n := range guests {
				if n > 0 {
					withGuests = append(withGuests, id)
				}
			}
		}
		if ranks := mean.ranks(mean.st.GroupsNamed(), in.Grants, in.Failing); in.Sort == "meaning" {
			l.first = ranks
		} else if l.only {
			first := map[string]int{}
			for id := range ranks {
				first[id] = max(l.first[id], 1)
			}
			l.first = first
		}
		l.that = func(q *query) {
			texted(q, in.Q)
			if in.Kind != "" {
				marked(q, true, "kind", in.Kind)
			}
			for name, is := range map[string]bool{"dynamic": in.Dynamic, "public": in.Public, "assignable": in.Assignable} {
				if is {
					marked(q, true, name, "")
				}
			}
			if in.Outside {
				q.add(" and (marks like '% outside %' or id in (" + q.in(withGuests...) + "))")
			}
		}
		return pageOf(ctx, t, l, in.Paging, func(ids []any) ([]Group, error) {
			list, err := groupsOf(ctx, t, ids...)
			if err != nil {
				return nil, err
			}
			mean.on(list)
			return list, groupsCount(ctx, t, list)
		}, func(g *Group) string { return g.ID })
	})
}

// GetGroup is a group with who is in it, what it grants, and what leads to it.
func (s *Service) GetGroup(ctx context.Context, in ByID) (GroupDetail, error) {
	return view(ctx, s, "groups get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (GroupDetail, error) {
		var d GroupDetail
		list, err := groupsOf(ctx, t, in.ID)
		if err != nil {
			return d, err
		}
		if len(list) == 0 {
			return d, notFound("group")
		}
		mean, err := s.groupsMean(ctx, t)
		if err != nil {
			return d, err
		}
		mean.on(list)
		if err := groupsCount(ctx, t, list); err != nil {
			return d, err
		}
		d.Group = list[0]
		if d.People, err = membersOf(ctx, t, "/groups/"+d.ID+"/transitiveMembers"); err != nil {
			return d, err
		}
		d.People = orNone(d.People)
		if d.Owners, err = ownersOf(ctx, t, d.ID); err != nil {
			return d, err
		}
		if d.RolesHow, err = s.rolesOfGroup(ctx, t, d.ID); err != nil {
			return d, err
		}
		if d.Held, err = whatIsHeld(ctx, t, "groups"); err != nil {
			return d, err
		}
		if d.Sites, err = sitesNamed(ctx, t, d.Name); err != nil {
			return d, err
		}
		d.RulesTo, err = rulesTo(ctx, t, d.Mail, 50)
		return d, err
	})
}

// membersOf are who stands in a path that lists members; nil where it was not read.
func membersOf(ctx context.Context, t *store.Tenant, path string) ([]GroupMember, error) {
	if read, err := number(ctx, t, (&query{}).add("select count(*) from state_path where tenant = $1 and path = ? and read_at > 0", path)); err != nil || read == 0 {
		return nil, err
	}
	list, err := bodies[memberState](ctx, t, path, func(q *query) {
		q.add(` order by case when body like '%"userType":"Guest"%' then 0 else 1 end, name, id limit 200`)
	})
	if err != nil {
		return nil, err
	}
	return membersNamed(ctx, t, list)
}

// ownersOf are a group's owners, the first twenty; nil where they were not read.
func ownersOf(ctx context.Context, t *store.Tenant, id string) ([]GroupMember, error) {
	list, err := bodies[struct {
		Owners []memberState `json:"owners"`
	}](ctx, t, pathGroupObjects, func(q *query) { q.add(" and id = ?", id) })
	if err != nil || len(list) == 0 || list[0].Owners == nil {
		return nil, err
	}
	return membersNamed(ctx, t, list[0].Owners)
}

// memberState is what is read of who is in a group, or owns it.
type memberState struct {
	Type string `json:"@odata.type"`
	ID   string `json:"id"`
	Name string `json:"displayName"`
	UPN  string `json:"userPrincipalName"`
	Mail string `json:"mail"`
	User string `json:"userType"`
}

// membersNamed says of each who they are here.
func membersNamed(ctx context.Context, t *store.Tenant, list []memberState) ([]GroupMember, error) {
	if len(list) == 0 {
		return []GroupMember{}, nil
	}
	kinds := map[string]string{"#microsoft.graph.group": "group", "#microsoft.graph.orgContact": "contact", "#microsoft.graph.device": "device", "#microsoft.graph.servicePrincipal": "application"}
	out, ids := make([]GroupMember, len(list)), make([]any, len(list))
	for i, o := range list {
		kind := kinds[o.Type]
		if kind == "" && (o.UPN != "" || o.User != "") {
			kind = cmp.Or(strings.ToLower(o.User), "member")
		}
		out[i], ids[i] = GroupMember{ID: o.ID, Name: o.Name, Address: cmp.Or(o.Mail, o.UPN), Kind: kind}, o.ID
	}
	type row struct {
		object  string
		person  tocsin.PersonID
		enabled *bool
	}
	q := &query{}
	q.add("select object_id, person, enabled from person where tenant = $1 and object_id in (" + q.in(ids...) + ")")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.object, &r.person, &r.enabled} })
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		for i := range out {
			if out[i].ID == r.object {
				out[i].Person, out[i].Enabled = r.person, r.enabled
			}
		}
	}
	return out, nil
}

// rolesOfGroup is how a group has its roles.
func (s *Service) rolesOfGroup(ctx context.Context, t *store.Tenant, id string) ([]Privilege, error) {
	h, err := s.state(ctx, t, "/roleManagement/*")
	if err != nil {
		return nil, err
	}
	h.closed()
	out := []Privilege{}
	for _, k := range posture.NewState(h.Snapshot, s.now()).Holdings() {
		if strings.EqualFold(k.Principal, id) {
			out = append(out, privilegeOf(&k, ""))
		}
	}
	return out, nil
}

// groupsOfEach are the groups that somebody is in, of those whose members were read, by Entra's own ids.
func groupsOfEach(ctx context.Context, t *store.Tenant, ids []any) (map[string][]GroupRef, error) {
	type in struct{ path, id, name string }
	q := &query{}
	q.add(`select m.path, m.id, coalesce(g.name, '') from state_object m left join state_object g on g.tenant = m.tenant and g.path = '/groups' and m.path = '/groups/' || g.id || '/transitiveMembers'
		where m.tenant = $1 and m.path in (select path from state_path where tenant = $1 and path like '/groups/%/transitiveMembers') and m.deleted = 0 and m.id in (` + q.in(ids...) + `) order by 3, 1`)
	rows, err := find(ctx, t, q, func(r *in) []any { return []any{&r.path, &r.id, &r.name} })
	out := map[string][]GroupRef{}
	for _, r := range rows {
		id := strings.TrimSuffix(strings.TrimPrefix(r.path, "/groups/"), "/transitiveMembers")
		out[r.id] = append(out[r.id], GroupRef{ID: id, Name: cmp.Or(r.name, id)})
	}
	return out, err
}

// groupsWith are the groups that one is in.
func groupsWith(ctx context.Context, t *store.Tenant, id string) ([]GroupRef, error) {
	by, err := groupsOfEach(ctx, t, []any{id})
	return orNone(by[id]), err
}
