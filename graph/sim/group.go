package sim

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// group is of people, contacts and groups. Those the seed makes know their members by rule.
type group struct {
	id, name, mail, about string
	unified, security     bool
	outside               bool // may hold members from elsewhere
	everyone              bool // all employees, by their departments' groups
	dept                  int  // of its members; -1: told one by one
	members               []string
	gone                  bool
	known                 atomic.Pointer[reckoned] // everybody in it
}

// reckoned is a list of members that holds until the directory's log grows.
type reckoned struct {
	line int
	ids  []string
}

// contact is an organisational contact: somebody elsewhere who stands in the address list.
type contact struct {
	id, name, mail string
	aliases        []string
}

// role is an activated directory role.
type role struct {
	id, name, template, about string
	members                   []string
	left                      map[string]bool // members from whom it was taken
}

// settle makes the groups, roles and contacts of the seed.
func (w *world) settle() {
	id := func() string { w.calls++; return w.seed.guid(askGroup, w.calls) }
	for d, dep := range departments {
		w.groups = append(w.groups, &group{id: id(), name: dep.name, mail: local(dep.name) + "@" + w.domain, about: "Everybody in " + dep.name, unified: d%2 == 0, security: d%2 == 1, dept: d})
	}
	all := &group{id: id(), name: "All Company", mail: "all@" + w.domain, about: "Everybody", dept: -1, everyone: true}
	for _, g := range w.groups {
		all.members = append(all.members, g.id)
	}
	w.contact = append(w.contact,
		&contact{id: w.seed.guid(askContact, 1), name: "Harbour Office", mail: "office@port.example"},
		&contact{id: w.seed.guid(askContact, 2), name: "Tailspin Support", mail: "support@tailspintoys.com", aliases: []string{"tailspin@" + w.domain}})
	partners := &group{id: id(), name: "Carrier Partners", mail: "carriers@" + w.domain, about: "Our people and those of the carriers", dept: -1, outside: true,
		members: []string{w.contact[0].id, w.contact[1].id}}
	admins := &group{id: id(), name: "Tier 0 Administrators", about: "Those who may change the tenant", security: true, dept: -1}
	w.groups = append(w.groups, all, partners, admins)
	w.settleRoles(admins, partners)
}

func (w *world) settleRoles(admins, partners *group) {
	who := func(i int) []string {
		if p := w.person(i); p != nil {
			return []string{p.id}
		}
		return nil
	}
	for k, r := range []role{
		{name: "Global Administrator", template: "62e90394-69f5-4237-9190-012177145e10", about: "Can manage all aspects of Microsoft Entra ID and Microsoft services that use Microsoft Entra identities."},
		{name: "Exchange Administrator", template: "29232cdf-9323-42fd-ade2-1d097af3e4de", about: "Can manage all aspects of the Exchange product."},
		{name: "User Administrator", template: "fe930be7-5e62-47db-91af-98c3a49a38b1", about: "Can manage all aspects of users and groups, including resetting passwords for limited admins."},
		{name: "Security Reader", template: "5d6b6bb7-de71-4623-b4af-96380a352509", about: "Can read security information and reports in Microsoft Entra ID and Office 365."},
	} {
		r.id = w.seed.guid(askRole, k)
		r.members = who(1 + k*len(departments))
		w.roles = append(w.roles, &r)
		admins.members = append(admins.members, r.members...)
	}
	w.roles[0].members = append(w.roles[0].members, who(1+5*len(departments))...)
	for i := 2; i < min(w.users, 200); i++ {
		if p := w.person(i); p.kind == guest || p.dept == "Operations" && i < 60 {
			partners.members = append(partners.members, p.id)
		}
	}
}

// group by id or address; nil where there is none.
func (w *world) group(key string) *group {
	for _, g := range w.groups {
		if !g.gone && (strings.EqualFold(g.id, key) || g.mail != "" && strings.EqualFold(g.mail, key)) {
			return g
		}
	}
	return nil
}

// list is a group's members' ids, without those that are gone.
func (w *world) list(g *group) []string {
	if g.dept < 0 {
		return g.members
	}
	return append(w.department(g), g.members...)
}

// owners are who owns a group: the first person in it, and of one that holds people from elsewhere somebody of Operations. Nobody owns
// what was made of other groups.
func (w *world) owners(g *group) []string {
	if g.outside {
		if p := w.person(4); p != nil {
			return []string{p.id}
		}
	}
	if ids := w.list(g); len(ids) > 0 && !g.everyone {
		return ids[:1]
	}
	return []string{}
}

// department is the group's people by rule.
func (w *world) department(g *group) []string {
	var out []string
	for i := 1 + g.dept; i < w.users; i += len(departments) {
		if p, ok := w.changed[i]; ok && p.gone {
			continue
		}
		if p := (&person{i: i, enabled: true, licensed: true}); true {
			if w.classify(p); p.kind == employee && p.enabled {
				out = append(out, w.seed.guid(askUser, i))
			}
		}
	}
	return out
}

// all is everybody in a group, groups within it followed, nobody twice.
func (w *world) all(g *group) []string {
	if k := g.known.Load(); k != nil && k.line == len(w.log) {
		return k.ids
	}
	ids := w.reckon(g)
	g.known.Store(&reckoned{len(w.log), ids})
	return ids
}

func (w *world) reckon(g *group) []string {
	seen := map[string]bool{g.id: true}
	var out []string
	var walk func(*group)
	walk = func(g *group) {
		for _, id := range w.list(g) {
			if seen[id] {
				continue
			}
			seen[id] = true
			out = append(out, id)
			if inner := w.group(id); inner != nil {
				walk(inner)
			}
		}
	}
	walk(g)
	return out
}

func (g *group) object(w *world) obj {
	types := []string{}
	if g.unified {
		types = []string{"Unified"}
	}
	proxies := []string{}
	if g.mail != "" {
		proxies = []string{"SMTP:" + g.mail}
		if name, ok := strings.CutSuffix(g.mail, "@"+w.domain); ok {
			proxies = append(proxies, "smtp:"+name+"@"+w.initial())
		}
	}
	made := time.Date(2018, 4, 3, 10, 0, 0, 0, time.UTC)
	return obj{{"id", g.id}, {"deletedDateTime", nil}, {"classification", nil}, {"createdDateTime", made}, {"description", some(g.about)},
		{"displayName", g.name}, {"expirationDateTime", nil}, {"groupTypes", types}, {"isAssignableToRole", nil}, {"mail", some(g.mail)},
		{"mailEnabled", g.mail != ""}, {"mailNickname", local(strings.ReplaceAll(g.name, "'", ""))}, {"membershipRule", nil},
		{"membershipRuleProcessingState", nil}, {"onPremisesDomainName", nil}, {"onPremisesLastSyncDateTime", nil},
		{"onPremisesNetBiosName", nil}, {"onPremisesSamAccountName", nil}, {"onPremisesSecurityIdentifier", nil},
		{"onPremisesSyncEnabled", nil}, {"preferredDataLocation", nil}, {"preferredLanguage", nil}, {"proxyAddresses", proxies},
		{"renewedDateTime", made}, {"securityEnabled", g.security}, {"securityIdentifier", nil}, {"theme", nil},
		{"uniqueName", nil}, {"visibility", "Private"}, {"onPremisesProvisioningErrors", []any{}}, {"serviceProvisioningErrors", []any{}}}
}

func (c *contact) object() obj {
	first, last, _ := strings.Cut(c.name, " ")
	proxies := []string{"SMTP:" + c.mail}
	for _, a := range c.aliases {
		proxies = append(proxies, "smtp:"+a)
	}
	return obj{{"id", c.id}, {"deletedDateTime", nil}, {"companyName", nil}, {"department", nil}, {"displayName", c.name},
		{"givenName", first}, {"jobTitle", nil}, {"mail", c.mail}, {"mailNickname", local(c.name)}, {"onPremisesLastSyncDateTime", nil},
		{"onPremisesSyncEnabled", nil}, {"proxyAddresses", proxies}, {"surname", some(last)}, {"addresses", []any{}}, {"phones", []any{}},
		{"onPremisesProvisioningErrors", []any{}}, {"serviceProvisioningErrors", []any{}}}
}

func (w *world) contactBy(id string) *contact {
	for _, c := range w.contact {
		if strings.EqualFold(c.id, id) {
			return c
		}
	}
	return nil
}

func (o *role) object() obj {
	return obj{{"id", o.id}, {"deletedDateTime", nil}, {"description", o.about}, {"displayName", o.name}, {"roleTemplateId", o.template}}
}

// objects turns ids into items of a list of several types.
func (s *Sim) objects(ids []string) func(int) (item, bool) {
	return func(i int) (item, bool) {
		id := ids[i]
		if p := s.world.find(id); p != nil {
			it := s.userItem(p)
			it.kind = "#microsoft.graph.user"
			return it, true
		}
		if g := s.world.group(id); g != nil {
			it := whole(g.object(s.world))
			it.kind = "#microsoft.graph.group"
			return it, true
		}
		if c := s.world.contactBy(id); c != nil {
			it := whole(c.object())
			it.kind = "#microsoft.graph.orgContact"
			return it, true
		}
		return item{}, false
	}
}

// anyProperties are those that a member of a group may have.
var anyProperties = func() properties {
	out := properties{}
	for _, p := range []properties{userProperties, groupProperties, contactProperties, roleProperties} {
		for k, v := range p {
			out[k] = v
		}
	}
	return out
}()

func (s *Sim) memberList(r *request, ids []string) reply {
	return s.list(r, list{context: "directoryObjects", props: anyProperties, total: len(ids), page: 100, max: 999, at: s.objects(ids)})
}

func (s *Sim) groupList(r *request) reply {
	all := s.world.groups
	return s.list(r, list{context: "groups", props: groupProperties, total: len(all), page: 100, max: 999,
		at: func(i int) (item, bool) { return s.groupItem(all[i]), !all[i].gone }})
}

func (s *Sim) groupItem(g *group) item {
	it := whole(g.object(s.world))
	it.expand = func(e expansion) any {
		ids := []string{}
		switch e.name {
		case "members":
			ids = s.world.list(g)
		case "owners":
			ids = s.world.owners(g)
		}
		return s.expanded(ids, e.sel)
	}
	return it
}

// expanded is the first twenty, as $expand gives them.
func (s *Sim) expanded(ids, sel []string) any {
	out := []any{}
	at := s.objects(ids)
	for i := range min(20, len(ids)) {
		it, ok := at(i)
		if !ok {
			continue
		}
		names := sel
		if len(names) == 0 {
			names = []string{"id", "displayName"}
		}
		o := obj{{"@odata.type", it.kind}}
		for _, n := range names {
			v, _ := it.get(n)
			o = append(o, member{n, v})
		}
		out = append(out, o)
	}
	return out
}

func (s *Sim) oneGroup(r *request) reply {
	g := s.world.group(r.vars[0])
	if g == nil || !strings.EqualFold(g.id, r.vars[0]) {
		return s.notFound(r, r.vars[0])
	}
	return s.object(r, "groups", groupProperties, nil, s.groupItem(g))
}

func (s *Sim) groupMembers(r *request) reply {
	g := s.world.group(r.vars[0])
	if g == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.memberList(r, s.world.list(g))
}

func (s *Sim) groupTransitive(r *request) reply {
	g := s.world.group(r.vars[0])
	if g == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.memberList(r, s.world.all(g))
}

func (s *Sim) memberOf(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	var ids []string
	for _, g := range s.world.groups {
		ids2 := s.world.list(g)
		if strings.HasSuffix(r.route.path, "transitiveMemberOf") {
			ids2 = s.world.all(g)
		}
		if !g.gone && slices.Contains(ids2, p.id) {
			ids = append(ids, g.id)
		}
	}
	return s.memberList(r, ids)
}

func (s *Sim) contacts(r *request) reply {
	all := s.world.contact
	return s.list(r, list{context: "contacts", props: contactProperties, total: len(all), page: 100, max: 999,
		at: func(i int) (item, bool) { return whole(all[i].object()), true }})
}

func (s *Sim) oneContact(r *request) reply {
	c := s.world.contactBy(r.vars[0])
	if c == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.object(r, "contacts", contactProperties, nil, whole(c.object()))
}

func (s *Sim) roleItem(o *role) item {
	it := whole(o.object())
	it.expand = func(e expansion) any {
		if e.name != "members" {
			return []any{}
		}
		return s.expanded(o.holders(), e.sel)
	}
	return it
}

func (s *Sim) roleList(r *request) reply {
	all := s.world.roles
	return s.list(r, list{context: "directoryRoles", props: roleProperties, total: len(all),
		at: func(i int) (item, bool) { return s.roleItem(all[i]), true }})
}

func (w *world) role(id string) *role {
	if i := slices.IndexFunc(w.roles, func(o *role) bool {
		return strings.EqualFold(o.id, id) || strings.EqualFold("roleTemplateId='"+o.template, id)
	}); i >= 0 {
		return w.roles[i]
	}
	return nil
}

func (s *Sim) oneRole(r *request) reply {
	o := s.world.role(r.vars[0])
	if o == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.object(r, "directoryRoles", roleProperties, nil, s.roleItem(o))
}

func (s *Sim) roleMembers(r *request) reply {
	o := s.world.role(r.vars[0])
	if o == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.list(r, list{context: "directoryObjects", props: anyProperties, total: len(o.holders()), at: s.objects(o.holders())})
}
