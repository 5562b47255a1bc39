package collect

import (
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/store"
)

// groupMark stands before a group's id where a trustee is a group.
const groupMark = "g:"

// named is a name of somebody for comparing: an address, an alias, an object id or a display name in lower case; of a
// directory path the last part.
func named(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '/'); i >= 0 && strings.Count(s, "/") > 1 && !strings.HasPrefix(s, "/o=") {
		s = s[i+1:]
	}
	if _, bare, ok := strings.Cut(s, `\`); ok && !strings.Contains(s, "@") && !strings.HasPrefix(strings.ToLower(s), "nt ") { // DOMAIN\alias
		s = bare
	}
	return tocsin.CanonicalAddress(s)
}

// trustee is how a trustee is kept: by the person or group behind the name, else by the name.
func (r *run) trustee(name string) string {
	if who := r.names[named(name)]; who != "" {
		return who
	}
	return named(name)
}

func folderKey(path string) string {
	key := strings.ReplaceAll(strings.ToLower(strings.Trim(path, `\/ `)), `\`, "/")
	if key == "top of information store" {
		return ""
	}
	return key
}

// lookUp finds who is behind names: people and groups by address, people by alias at an accepted domain, by object id and
// by display name where only one has it.
func (r *run) lookUp(ctx context.Context, names []string) error {
	if r.names == nil {
		r.names = map[string]string{}
	}
	var todo []string
	for _, n := range names {
		n = named(n)
		if _, done := r.names[n]; !done && n != "" {
			r.names[n] = ""
			todo = append(todo, n)
		}
	}
	for some := range slices.Chunk(todo, 400) {
		if err := r.lookUpSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) lookUpSome(ctx context.Context, names []string) error {
	found := func(query string, args []any) error {
		return each(ctx, r.t, func(scan func(...any) error) error {
			var name, who string
			if err := scan(&name, &who); err != nil {
				return err
			}
			if name = strings.ToLower(name); r.names[name] == "" {
				r.names[name] = who
			}
			return nil
		}, query, args...)
	}
	open := func() []any {
		return anys(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return r.names[n] != "" }))
	}
	args := open()
	if err := found(`select a.address, a.person from person_address a join person p on p.tenant = a.tenant and p.person = a.person
		where a.tenant = $1 and p.deleted = 0 and a.address in (`+store.In(len(args), 2)+`) order by a.address, case p.kind when 'guest' then 1 else 0 end, p.person`, args); err != nil {
		return err
	}
	if args = open(); len(args) == 0 {
		return nil
	}
	if err := found(`select a.address, '`+groupMark+`' || a.group_id from group_address a join mail_group g on g.tenant = a.tenant and g.id = a.group_id
		where a.tenant = $1 and g.deleted = 0 and a.address in (`+store.In(len(args), 2)+`) order by a.address, g.id`, args); err != nil {
		return err
	}
	for _, n := range open() {
		if err := r.lookUpOne(ctx, n.(string)); err != nil {
			return err
		}
	}
	return nil
}

// lookUpOne finds who is behind a name that is nobody's address.
func (r *run) lookUpOne(ctx context.Context, name string) error {
	org, err := r.organisation(ctx)
	if err != nil {
		return err
	}
	for _, q := range nameQueries(r.t.ID(), &org.Org, name) {
		var all []string
		err := each(ctx, r.t, func(scan func(...any) error) error {
			var who string
			err := scan(&who)
			all = append(all, who)
			return err
		}, q.query, q.args...)
		if err != nil {
			return err
		}
		if len(all) == 1 {
			r.names[name] = all[0]
		}
		if len(all) > 0 {
			return nil // of two nobody knows which is meant
		}
	}
	return nil
}

type nameQuery struct {
	query string
	args  []any
}

func nameQueries(tenant tocsin.TenantID, org *detect.Org, name string) []nameQuery {
	var out []nameQuery
	if len(name) == 36 && strings.Count(name, "-") == 4 {
		out = append(out, nameQuery{`select person from person where tenant = $1 and person in ($2, $3) union all select '` + groupMark + `' || id from mail_group where tenant = $1 and id = $2`,
			[]any{name, string(tocsin.NewPersonID(tenant, name))}})
	}
	if strings.Contains(name, "@") {
		return append(out, nameQuery{`select person from person where tenant = $1 and upn = $2 and deleted = 0`, []any{name}})
	}
	if len(org.Domains) > 0 && !strings.ContainsAny(name, " ,") {
		args := []any{}
		for _, d := range sortedKeys(org.Domains) {
			args = append(args, name+"@"+strings.TrimPrefix(d, "*."))
		}
		out = append(out, nameQuery{`select distinct a.person from person_address a join person p on p.tenant = a.tenant and p.person = a.person
			where a.tenant = $1 and p.deleted = 0 and a.address in (` + store.In(len(args), 2) + `)`, args})
	}
	return append(out, nameQuery{`select person from person where tenant = $1 and deleted = 0 and lower(name) = $2
		union all select '` + groupMark + `' || id from mail_group where tenant = $1 and deleted = 0 and lower(name) = $2`, []any{name}})
}

// levels is what a right gives, in one form whichever source told it; empty where it was removed.
func levels(r *detect.RightSeen) string {
	if r.Removed {
		return ""
	}
	flags := map[string]bool{}
	var list []string
	for _, l := range r.Levels {
		if l = strings.TrimSpace(l); l != "" && !strings.EqualFold(l, "none") {
			flags[strings.ToLower(l)] = true
			list = append(list, l)
		}
	}
	if r.Kind == detect.RightFolder {
		if role := folderRole(flags); role != "" {
			return role
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) == 0 && r.Kind != detect.RightFolder {
		return r.Kind
	}
	return strings.Join(list, ", ")
}

// folderRole is the role whose rights these are, as the mailbox's own records list them; empty where there is none.
// See https://learn.microsoft.com/powershell/module/exchangepowershell/add-mailboxfolderpermission.
func folderRole(flags map[string]bool) string {
	if !flags["readany"] && !flags["create"] && !flags["readitems"] && !flags["createitems"] {
		return ""
	}
	key := 0
	for i, names := range [][]string{{"readany", "readitems"}, {"create", "createitems"}, {"editowned", "editownitems", "editowneditems"}, {"deleteowned", "deleteowneditems"},
		{"editany", "editallitems"}, {"deleteany", "deleteallitems"}, {"createsubfolder", "createsubfolders"}, {"owner", "folderowner"}} {
		if slices.ContainsFunc(names, func(n string) bool { return flags[n] }) {
			key |= 1 << i
		}
	}
	return map[int]string{0b1: "Reviewer", 0b10: "Contributor", 0b1011: "NonEditingAuthor", 0b1111: "Author", 0b1001111: "PublishingAuthor",
		0b111111: "Editor", 0b1111111: "PublishingEditor", 0b11111111: "Owner"}[key]
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
