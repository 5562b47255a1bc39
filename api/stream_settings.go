package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// StreamSettings are how a connection's mail is watched.
type StreamSettings struct {
	Connection  string      `json:"connection"`
	Mailboxes   string      `json:"mailboxes"` // all, only (those that are named) or except (all but those); guests never
	People      []ScopeName `json:"people"`
	Departments []ScopeName `json:"departments"`
	Domains     []ScopeName `json:"domains"`
	Groups      []ScopeName `json:"groups"`
	Folders     []string    `json:"folders"`  // whose mail is not kept, by Microsoft's well-known names
	Changes     []string    `json:"changes"`  // created, updated, deleted
	Form        string      `json:"form"`     // basic, rich
	Basic       []ScopeName `json:"basic"`    // mailboxes told of as basic though the others are rich
	Rich        []ScopeName `json:"rich"`     // and the other way round
	Batch       int         `json:"batch"`    // messages looked at in one request
	Gather      int         `json:"gather"`   // milliseconds for which a run is gathered
	Hashing     bool        `json:"hashing"`  // names and addresses are kept as hashes
	KeyShut     bool        `json:"key_shut"` // the key by which they are hashed does not open: what is told of waits for another
	Version     int64       `json:"version"`  // 0 until they are changed
	Changed     time.Time   `json:"changed,omitzero"`
	ChangedBy   string      `json:"changed_by,omitempty"`
}

// ScopeName is something that the settings name.
type ScopeName struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Members *int   `json:"members,omitempty"` // of a group, with mailboxes or without; absent until they were read
}

// SetStreamIn changes how a connection's mail is watched.
type SetStreamIn struct {
	ByIDAct
	Body StreamEdit
}

// StreamEdit is what is changed; what is absent stays.
type StreamEdit struct {
	Version     int64    `json:"version" minimum:"0" doc:"The version that was looked at"`
	Mailboxes   *string  `json:"mailboxes,omitempty" maxLength:"10" doc:"all; only those that are named; or all except those: all, only, except"`
	People      []string `json:"people,omitempty" doc:"People, by id or address"`
	Departments []string `json:"departments,omitempty" doc:"Departments, as the directory writes them"`
	Domains     []string `json:"domains,omitempty" doc:"Domains of the mailboxes' main addresses"`
	Groups      []string `json:"groups,omitempty" doc:"Groups, by id, address or name; their members at every depth"`
	Folders     []string `json:"folders,omitempty" doc:"Folders whose mail is not kept: junkemail, deleteditems, drafts, sentitems, archive, conversationhistory, clutter, syncissues; none for all to be kept"`
	Changes     []string `json:"changes,omitempty" doc:"Types of changes that are told of: created, updated, deleted"`
	Form        *string  `json:"form,omitempty" maxLength:"10" doc:"How Microsoft tells: basic (that there is something to look at) or rich (the encrypted message)"`
	Basic       []string `json:"basic,omitempty" doc:"Mailboxes that are told of as basic though the others are rich, by id or address"`
	Rich        []string `json:"rich,omitempty" doc:"Mailboxes that are told of as rich though the others are basic, by id or address"`
	Batch       *int     `json:"batch,omitempty" doc:"How many messages are looked at in one request, 1 to 20"`
	Gather      *int     `json:"gather,omitempty" doc:"For how many milliseconds a run of notifications is gathered, 0 to 5000"`
	Hashing     *bool    `json:"hashing,omitempty" doc:"Whether names and addresses are kept as hashes, from now on"`
	NewHashKey  bool     `json:"new_hash_key,omitempty" doc:"Hash with a new key from now on, where the one there is does not open any more: what was hashed before has other hashes"`
	Clear       []string `json:"clear,omitempty" doc:"Lists that are emptied: people, departments, domains, groups, folders, basic, rich"`
}

// mostNamed is how many of a kind the settings may name.
const mostNamed = 500

// StreamSettingsOf says how a connection's mail is watched.
func (s *Service) StreamSettingsOf(ctx context.Context, in ByID) (StreamSettings, error) {
	return view(ctx, s, "connections stream", in, func(ctx context.Context, t *store.Tenant, _ Caller) (StreamSettings, error) {
		if _, err := getConnection(ctx, t, in.ID, s.now()); err != nil {
			return StreamSettings{}, err
		}
		is, err := collect.StreamSettingsOf(ctx, t, in.ID)
		if err != nil {
			return StreamSettings{}, err
		}
		return s.streamView(ctx, t, is)
	})
}

// SetStream changes how a connection's mail is watched. It is in force within seconds.
func (s *Service) SetStream(ctx context.Context, in SetStreamIn) (StreamSettings, error) {
	return act(ctx, s, "connections set-stream", in, func(ctx context.Context, t *store.Tenant, c Caller) (StreamSettings, error) {
		if _, err := getConnection(ctx, t, in.ID, s.now()); err != nil {
			return StreamSettings{}, err
		}
		is, err := collect.StreamSettingsOf(ctx, t, in.ID)
		if err != nil {
			return StreamSettings{}, err
		}
		if err := in.Body.into(ctx, t, &is); err != nil {
			return StreamSettings{}, err
		}
		var key []byte
		if is.Hashing {
			if s.o.Seal == nil {
				return StreamSettings{}, errNoConnect
			}
			if key, err = collect.NewHashKey(t.ID(), s.o.Seal); err != nil {
				return StreamSettings{}, err
			}
		}
		if is, err = collect.SetStream(ctx, t, is, c.Email, key); err != nil {
			return StreamSettings{}, err
		}
		return s.streamView(ctx, t, is)
	})
}

// into puts what is changed into the settings as they are.
func (e *StreamEdit) into(ctx context.Context, t *store.Tenant, is *collect.StreamSettings) error {
	is.Version = e.Version
	for _, f := range []struct {
		from *string
		to   *string
	}{{e.Mailboxes, &is.Mailboxes}, {e.Form, &is.Form}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if e.Batch != nil {
		is.Batch = *e.Batch
	}
	if e.Gather != nil {
		is.Gather = time.Duration(min(*e.Gather, 1e6)) * time.Millisecond
	}
	if e.Hashing != nil {
		is.Hashing = *e.Hashing
	}
	is.NewKey = e.NewHashKey
	for _, c := range e.Changes {
		if !slices.Contains(collect.Changes, c) {
			return invalid("Use created, updated or deleted.", "There is no type of change %q.", c)
		}
	}
	if e.Changes != nil {
		is.Changes = e.Changes
	}
	cleared := func(name string) bool { return slices.Contains(e.Clear, name) }
	for _, name := range e.Clear {
		if !slices.Contains([]string{"people", "departments", "domains", "groups", "folders", "basic", "rich"}, name) {
			return invalid("Use people, departments, domains, groups, folders, basic or rich.", "There is no list %q.", name)
		}
	}
	if e.Folders != nil || cleared("folders") {
		is.Folders = slices.Compact(slices.Sorted(slices.Values(e.Folders)))
	}
	if is.Folders == nil {
		is.Folders = []string{}
	}
	for _, of := range []struct {
		kind, name string
		values     []string
		find       func(context.Context, *store.Tenant, string) ([]string, error)
	}{
		{collect.ScopePerson, "people", e.People, personAsked},
		{collect.ScopeDepartment, "departments", e.Departments, departmentAsked},
		{collect.ScopeDomain, "domains", e.Domains, func(_ context.Context, _ *store.Tenant, v string) ([]string, error) {
			d, err := domainName(v)
			return []string{d}, err
		}},
		{collect.ScopeGroup, "groups", e.Groups, groupAsked},
	} {
		if of.values == nil && !cleared(of.name) {
			continue
		}
		is.Scope = slices.DeleteFunc(is.Scope, func(one collect.Scope) bool { return one.Kind == of.kind })
		found, err := allAsked(ctx, t, of.name, of.values, of.find)
		if err != nil {
			return err
		}
		for _, v := range found {
			is.Scope = append(is.Scope, collect.Scope{Kind: of.kind, Value: v})
		}
	}
	for form, of := range map[string]struct {
		name   string
		values []string
	}{collect.FormBasic: {"basic", e.Basic}, collect.FormRich: {"rich", e.Rich}} {
		if of.values == nil && !cleared(of.name) {
			continue
		}
		for person, had := range is.Forms {
			if had == form {
				delete(is.Forms, person)
			}
		}
		found, err := allAsked(ctx, t, of.name, of.values, personAsked)
		if err != nil {
			return err
		}
		for _, v := range found {
			if had, twice := is.Forms[tocsin.PersonID(v)]; twice && had != form {
				return invalid("Name it once.", "A mailbox is named as basic and as rich.")
			}
			is.Forms[tocsin.PersonID(v)] = form
		}
	}
	return nil
}

// allAsked finds everything that is named, each once.
func allAsked(ctx context.Context, t *store.Tenant, name string, values []string, find func(context.Context, *store.Tenant, string) ([]string, error)) (out []string, err error) {
	for _, v := range values {
		if v = strings.TrimSpace(v); v == "" {
			continue
		}
		found, err := find(ctx, t, v)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > mostNamed {
		return nil, invalid("Name 500 at most; a group or a department names many people at once.", "Too many %s are named.", name)
	}
	return out, nil
}

func personAsked(ctx context.Context, t *store.Tenant, v string) ([]string, error) {
	id, err := personNamed(ctx, t, tocsin.PersonID(v))
	if p := tocsin.AsProblem(err); err != nil && p.Code == tocsin.NotFound {
		return nil, invalid("Give the id or an address of somebody in the directory.", "There is no person %q.", v)
	}
	return []string{string(id)}, err
}

func departmentAsked(ctx context.Context, t *store.Tenant, v string) ([]string, error) {
	found, err := find(ctx, t, (&query{}).add("select distinct department from person where tenant = $1 and lower(department) = lower(?)", v).add(" order by department"), func(d *string) []any { return []any{d} })
	if err == nil && len(found) == 0 {
		err = invalid("Write it as the directory does.", "Nobody is in a department %q.", v)
	}
	return found, err
}

func groupAsked(ctx context.Context, t *store.Tenant, v string) ([]string, error) {
	found, err := find(ctx, t, (&query{}).add("select id from mail_group g where g.tenant = $1 and g.deleted = 0 and g.kind <> 'contact' and (g.id = ? or lower(g.name) = lower(?) or lower(g.mail) = ?", v, v, tocsin.CanonicalAddress(v)).
		add(" or exists (select 1 from group_address a where a.tenant = g.tenant and a.group_id = g.id and a.address = ?)) order by g.id limit 3", tocsin.CanonicalAddress(v)), func(id *string) []any { return []any{id} })
	switch {
	case err != nil:
	case len(found) == 0:
		err = invalid("Give the id, the address or the name of a group in the directory.", "There is no group %q.", v)
	case len(found) > 1:
		err = invalid("Give its id or its address.", "More than one group is called %q.", v)
	}
	return found, err
}

// streamView is how settings are shown: what they name by name.
func (s *Service) streamView(ctx context.Context, t *store.Tenant, is collect.StreamSettings) (StreamSettings, error) {
	out := StreamSettings{Connection: is.Connection, Mailboxes: is.Mailboxes, Folders: is.Folders, Changes: is.Changes, Form: is.Form, Batch: is.Batch, Gather: int(is.Gather.Milliseconds()),
		Hashing: is.Hashing, Version: is.Version, Changed: is.Changed, ChangedBy: is.ChangedBy,
		People: []ScopeName{}, Departments: []ScopeName{}, Domains: []ScopeName{}, Groups: []ScopeName{}, Basic: []ScopeName{}, Rich: []ScopeName{}}
	people := map[tocsin.PersonID]bool{}
	for _, one := range is.Scope {
		switch one.Kind {
		case collect.ScopePerson:
			people[tocsin.PersonID(one.Value)] = true
			out.People = append(out.People, ScopeName{ID: one.Value})
		case collect.ScopeDepartment:
			out.Departments = append(out.Departments, ScopeName{ID: one.Value, Name: one.Value})
		case collect.ScopeDomain:
			out.Domains = append(out.Domains, ScopeName{ID: one.Value, Name: one.Value})
		case collect.ScopeGroup:
			out.Groups = append(out.Groups, ScopeName{ID: one.Value})
		}
	}
	for person, form := range is.Forms {
		people[person] = true
		if form == collect.FormRich {
			out.Rich = append(out.Rich, ScopeName{ID: string(person)})
		} else {
			out.Basic = append(out.Basic, ScopeName{ID: string(person)})
		}
	}
	var err error
	if out.KeyShut, err = collect.HashKeyShut(ctx, t, &is, s.o.Unseal); err != nil {
		return out, err
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return out, err
	}
	for _, list := range [][]ScopeName{out.People, out.Basic, out.Rich} {
		for i := range list {
			is := names[tocsin.PersonID(list[i].ID)]
			list[i].Name, list[i].Address = is.name, is.address
		}
		slices.SortFunc(list, func(a, b ScopeName) int { return strings.Compare(a.Address+a.ID, b.Address+b.ID) })
	}
	return out, scopeGroups(ctx, t, out.Groups)
}

func scopeGroups(ctx context.Context, t *store.Tenant, list []ScopeName) error {
	for i := range list {
		type row struct {
			name, mail string
			seen       int64
			members    int
		}
		rows, err := find(ctx, t, (&query{}).add(`select coalesce(g.name, ''), coalesce(g.mail, ''), s.seen, (select count(*) from scope_member m where m.tenant = s.tenant and m.group_id = s.group_id)
			from scope_group s left join mail_group g on g.tenant = s.tenant and g.id = s.group_id where s.tenant = $1 and s.group_id = ?`, list[i].ID),
			func(r *row) []any { return []any{&r.name, &r.mail, &r.seen, &r.members} })
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		list[i].Name, list[i].Address = rows[0].name, rows[0].mail
		if rows[0].seen > 0 {
			list[i].Members = &rows[0].members
		}
	}
	return nil
}
