package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// fingerprint tells two states apart.
func fingerprint(v any) (string, error) {
	raw, err := encode(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16]), nil
}

// held is what the table holds of a person.
type held struct {
	hash    string
	deleted int64
}

var personColumns = []string{"person", "object_id", "name", "upn", "mail", "kind", "enabled", "synced", "licensed",
	"department", "title", "addresses", "created", "deleted", "hash", "seen", "changed"}

// foldPeople writes the people that differ from what is held. A first look is told as one fact for all, a change as
// one fact each, and a change of what a mailbox is judged by has the mailbox judged.
func (r *run) foldPeople(ctx context.Context, batch []pending[personSeen]) error {
	had, err := heldOf(ctx, r.t, `select person, hash, deleted from person where tenant = $1 and person in (`+store.In(len(batch), 2)+`)`, batch)
	if err != nil {
		return err
	}
	var list, reach [][]any
	var removed, changed, left []tocsin.PersonID // left: guests who may have been members, with a mailbox here
	var guests []absence
	for _, p := range batch {
		old, known := had[string(p.person)]
		if p.body.Removed {
			if known && old.deleted == 0 {
				removed = append(removed, p.person)
			}
			continue
		}
		hash, err := fingerprint(p.body)
		if err != nil {
			return err
		}
		if known && old.hash == hash && old.deleted == 0 {
			continue
		}
		row, err := personRow(p, hash)
		if err != nil {
			return err
		}
		list = append(list, row)
		if p.body.Kind == "guest" {
			guests = append(guests, absence{person: p.person, state: "none", because: "A guest: their mailbox is in another organisation."})
		}
		if known && p.body.Kind == "guest" {
			left = append(left, p.person)
		}
		if known {
			changed = append(changed, p.person)
		} else {
			r.touched["person.changed"]++
		}
		for _, a := range canonical(append([]string{p.body.UPN, p.body.Mail}, p.body.Addresses...)) {
			reach = append(reach, []any{a, string(p.person)})
		}
	}
	if len(list) > 0 || len(removed) > 0 {
		r.org, r.names = nil, nil // what they have looked up may be another now
	}
	lost, err := r.lost(ctx, `select person, address from person_address where tenant = $1 and person in (`+store.In(len(changed), 2)+`)`, anys(changed), reach)
	if err != nil {
		return err
	}
	if err := r.replaceAddresses(ctx, changed); err != nil {
		return err
	}
	if err := r.t.Insert(ctx, store.Into{Table: "person", Columns: personColumns, Key: personColumns[:1]}, list); err != nil {
		return err
	}
	if err := r.t.Insert(ctx, store.Into{Table: "person_address", Columns: []string{"address", "person"}, Key: []string{"address", "person"}}, reach); err != nil {
		return err
	}
	if err := r.adoptPeople(ctx, batch); err != nil {
		return err
	}
	if err := r.note(ctx, guests); err != nil {
		return err
	}
	if err := r.boxesGone(ctx, left, batch[len(batch)-1].at); err != nil {
		return err
	}
	if err := r.peopleGone(ctx, removed, batch); err != nil {
		return err
	}
	if err := r.relistGuests(ctx, batch, append(changed, removed...)); err != nil {
		return err
	}
	if err := watchDue(ctx, r.t, append(changed, removed...)); err != nil {
		return err
	}
	for _, id := range append(changed, removed...) {
		if err := r.tellMoved(ctx, "person.changed", string(id), string(id), lost[string(id)]); err != nil {
			return err
		}
	}
	return r.judge(ctx, append(changed, removed...))
}

// relistGuests writes anew the rows of the list of guests: of those in the batch who are guests, and of whoever changed, who may have
// been one.
func (r *run) relistGuests(ctx context.Context, batch []pending[personSeen], changed []tocsin.PersonID) error {
	var ids []string
	for _, p := range batch {
		if p.body.Kind == "guest" && !p.body.Removed {
			ids = append(ids, p.body.Object)
		}
	}
	if len(changed) > 0 {
		if err := each(ctx, r.t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `select object_id from person where tenant = $1 and person in (`+store.In(len(changed), 2)+`)`, anys(changed)...); err != nil {
			return err
		}
	}
	slices.Sort(ids)
	return relist(ctx, r.t, "guest", slices.Compact(ids))
}

// lost gives by holder the addresses that query tells to be held by these holders, and that are not theirs in reach.
func (r *run) lost(ctx context.Context, query string, holders []any, reach [][]any) (map[string][]string, error) {
	lost := map[string][]string{}
	if len(holders) == 0 {
		return lost, nil
	}
	kept := map[[2]string]bool{}
	for _, row := range reach {
		kept[[2]string{row[1].(string), row[0].(string)}] = true
	}
	err := each(ctx, r.t, func(scan func(...any) error) error {
		var holder, address string
		err := scan(&holder, &address)
		if !kept[[2]string{holder, address}] {
			lost[holder] = append(lost[holder], address)
		}
		return err
	}, query, holders...)
	return lost, err
}

// tellMoved tells that a person or a group has changed, and which addresses are theirs no more.
func (r *run) tellMoved(ctx context.Context, kind, subject, person string, lost []string) error {
	body, err := encode(moved{Lost: lost})
	if err != nil {
		return err
	}
	return r.t.Append(ctx, store.Fact{Kind: kind, Subject: subject, Person: person, Body: body})
}

func personRow(p pending[personSeen], hash string) ([]any, error) {
	b := &p.body
	addresses, err := encode(b.Addresses)
	return []any{string(p.person), b.Object, b.Name, b.UPN, b.Mail, b.Kind, b.Enabled, b.Synced, b.Licensed,
		b.Department, b.Title, string(addresses), b.Created, 0, hash, p.at, p.at}, err
}

// replaceAddresses forgets the addresses of people that are written anew; and since a licence may be what changed, that
// they had no mailbox when they were asked last.
func (r *run) replaceAddresses(ctx context.Context, changed []tocsin.PersonID) error {
	if len(changed) == 0 {
		return nil
	}
	in := store.In(len(changed), 2)
	if _, err := r.t.Exec(ctx, `delete from person_address where tenant = $1 and person in (`+in+`)`, anys(changed)...); err != nil {
		return err
	}
	_, err := r.t.Exec(ctx, `update person set mailbox_asked = 0 where tenant = $1 and person in (`+in+`)`, anys(changed)...)
	return err
}

// peopleGone marks people as removed, and their rules with them. Rows stay, for history; when the account comes back its
// mailbox is looked at as if for the first time.
func (r *run) peopleGone(ctx context.Context, removed []tocsin.PersonID, batch []pending[personSeen]) error {
	if len(removed) == 0 {
		return nil
	}
	at := batch[len(batch)-1].at
	if _, err := r.t.Exec(ctx, `update person set deleted = $2, hash = '', mailbox_asked = 0 where tenant = $1 and person in (`+store.In(len(removed), 3)+`)`,
		append([]any{at}, anys(removed)...)...); err != nil {
		return err
	}
	return r.boxesGone(ctx, removed, at)
}

// boxesGone marks the rules of people whose mailbox is gone as deleted. Rows stay, for history; a mailbox that is there
// again is looked at as if for the first time.
func (r *run) boxesGone(ctx context.Context, people []tocsin.PersonID, at int64) error {
	if len(people) == 0 {
		return nil
	}
	only := store.In(len(people), 2)
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`update mail_rule set deleted = $2, changed = $2 where tenant = $1 and deleted = 0 and person in (` + store.In(len(people), 3) + `)`, append([]any{at}, anys(people)...)},
		{`delete from rule_target where tenant = $1 and person in (` + only + `)`, anys(people)},
		{`update mailbox set rules_hash = '', rules_seen = 0, rules_count = 0, settings_hash = '', settings_seen = 0 where tenant = $1 and person in (` + only + `)`, anys(people)},
	} {
		if _, err := r.t.Exec(ctx, q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// heldOf gives by id what query tells of those in the batch: id, hash, and since when it is deleted.
func heldOf[T any](ctx context.Context, t *store.Tenant, query string, batch []pending[T]) (map[string]held, error) {
	had := map[string]held{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var id string
		var h held
		err := scan(&id, &h.hash, &h.deleted)
		had[id] = h
		return err
	}, query, ids(batch)...)
	return had, err
}

// canonical is the distinct mail addresses of list, for comparing; what is no mail address (X500:, SIP:) is left out.
func canonical(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if scheme, _, ok := strings.Cut(s, ":"); ok && !strings.EqualFold(scheme, "smtp") {
			continue
		}
		a := tocsin.CanonicalAddress(s)
		if strings.Contains(a, "@") && !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	return out
}

var groupColumns = []string{"id", "name", "mail", "kind", "addresses", "hash", "seen", "deleted"}

// foldGroups writes the groups that differ from what is held. A first look is told as one fact for all.
func (r *run) foldGroups(ctx context.Context, batch []pending[groupSeen]) error {
	had, err := heldOf(ctx, r.t, `select id, hash, deleted from mail_group where tenant = $1 and id in (`+store.In(len(batch), 2)+`)`, batch)
	if err != nil {
		return err
	}
	var list, reach [][]any
	var changed, rewritten, relisted []string
	for _, p := range batch {
		g := &p.body
		old, known := had[g.ID]
		if g.Removed {
			if known && old.deleted == 0 {
				changed = append(changed, g.ID)
				if _, err := r.t.Exec(ctx, `update mail_group set deleted = $3, hash = '' where tenant = $1 and id = $2`, g.ID, p.at); err != nil {
					return err
				}
			}
			continue
		}
		hash, err := fingerprint(g)
		if err != nil {
			return err
		}
		if known && old.hash == hash && old.deleted == 0 {
			continue
		}
		addresses, err := encode(g.Addresses)
		if err != nil {
			return err
		}
		list = append(list, []any{g.ID, g.Name, g.Mail, g.Kind, string(addresses), hash, p.at, 0})
		if known {
			changed = append(changed, g.ID)
			rewritten = append(rewritten, g.ID)
		} else {
			r.touched["group.changed"]++
		}
		for _, a := range canonical(append([]string{g.Mail}, g.Addresses...)) {
			reach = append(reach, []any{a, g.ID})
		}
	}
	if len(list) > 0 || len(changed) > 0 {
		r.org, r.names = nil, nil
	}
	in := store.In(len(rewritten), 2)
	lost, err := r.lost(ctx, `select group_id, address from group_address where tenant = $1 and group_id in (`+in+`)`, anys(rewritten), reach)
	if err != nil {
		return err
	}
	if len(rewritten) > 0 {
		if _, err := r.t.Exec(ctx, `delete from group_address where tenant = $1 and group_id in (`+in+`)`, anys(rewritten)...); err != nil {
			return err
		}
	}
	if err := r.t.Insert(ctx, store.Into{Table: "mail_group", Columns: groupColumns, Key: groupColumns[:1]}, list); err != nil {
		return err
	}
	if err := r.t.Insert(ctx, store.Into{Table: "group_address", Columns: []string{"address", "group_id"}, Key: []string{"address", "group_id"}}, reach); err != nil {
		return err
	}
	if err := r.adoptGroups(ctx, list); err != nil {
		return err
	}
	for _, row := range list {
		if id := row[0].(string); !slices.Contains(changed, id) {
			relisted = append(relisted, id)
		}
	}
	if err := relist(ctx, r.t, "group", append(relisted, changed...)); err != nil {
		return err
	}
	for _, id := range changed {
		if err := r.tellMoved(ctx, "group.changed", id, "", lost[id]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) foldMembers(ctx context.Context, at int64, m membersSeen) error {
	outside, err := encode(m.Outside)
	if err != nil {
		return err
	}
	var had string
	err = r.t.QueryRow(ctx, `select outside from mail_group where tenant = $1 and id = $2`, m.Group).Scan(&had)
	if errors.Is(err, store.ErrNone) {
		return nil // the group went meanwhile
	} else if err != nil {
		return err
	}
	if _, err := r.t.Exec(ctx, `update mail_group set outside = $3, members_seen = $4 where tenant = $1 and id = $2`, m.Group, string(outside), at); err != nil {
		return err
	}
	if had == string(outside) {
		return nil
	}
	r.org = nil
	if err := relist(ctx, r.t, "group", []string{m.Group}); err != nil {
		return err
	}
	return r.t.Append(ctx, store.Fact{Kind: "group.changed", Subject: m.Group})
}

func (r *run) foldRole(ctx context.Context, at int64, role roleSeen) error {
	if err := r.t.Insert(ctx, store.Into{Table: "directory_role", Columns: []string{"id", "name", "template", "seen"}, Key: []string{"id"}},
		[][]any{{role.ID, role.Name, role.Template, at}}); err != nil {
		return err
	}
	var list [][]any
	now := map[string]bool{}
	for _, m := range role.Members {
		now[m.Object] = true
		list = append(list, []any{role.ID, m.Object, string(m.Person), m.Name, at})
	}
	had := map[string]string{} // the person by the object
	if err := each(ctx, r.t, func(scan func(...any) error) error {
		var object, person string
		err := scan(&object, &person)
		had[object] = person
		return err
	}, `select object_id, person from role_member where tenant = $1 and role = $2`, role.ID); err != nil {
		return err
	}
	changed, err := r.replace(ctx, now, `select object_id from role_member where tenant = $1 and role = $2`,
		`delete from role_member where tenant = $1 and role = $2 and object_id = $3`, role.ID)
	if err != nil {
		return err
	}
	if err := r.t.Insert(ctx, store.Into{Table: "role_member", Columns: []string{"role", "object_id", "person", "name", "seen"}, Key: []string{"role", "object_id"}}, list); err != nil || !changed {
		return err
	}
	moved := map[string]bool{} // who has it now and had not, or the other way round
	for _, m := range role.Members {
		if _, before := had[m.Object]; !before {
			moved[string(m.Person)] = true
		}
		delete(had, m.Object)
	}
	for _, person := range had {
		moved[person] = true
	}
	for _, person := range sortedKeys(moved) {
		if err := r.t.Append(ctx, store.Fact{Kind: "role.changed", Subject: role.ID, Person: person}); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) foldDomains(ctx context.Context, at int64, d domainsSeen) error {
	if d.Tenant != "" {
		if _, err := r.t.Exec(ctx, `update tenant set name = $2 where tenant = $1`, d.Tenant); err != nil {
			return err
		}
	}
	var list [][]any
	now := map[string]bool{}
	for _, n := range d.Domains {
		name := strings.ToLower(n.Name)
		now[name] = true
		list = append(list, []any{name, n.Default, true, n.Authentication, at})
	}
	changed, err := r.replace(ctx, now, `select name from domain where tenant = $1`, `delete from domain where tenant = $1 and name = $2`)
	if err != nil {
		return err
	}
	if err := r.t.Insert(ctx, store.Into{Table: "domain", Columns: []string{"name", "is_default", "is_verified", "authentication", "seen"}, Key: []string{"name"}}, list); err != nil || !changed {
		return err
	}
	r.org = nil
	return r.t.Append(ctx, store.Fact{Kind: "settings.changed", Subject: "domains"})
}

// replace deletes what is held and not in now, and says whether the two differ. The key of what is deleted is its last argument.
func (r *run) replace(ctx context.Context, now map[string]bool, held, remove string, args ...any) (changed bool, err error) {
	had := map[string]bool{}
	err = each(ctx, r.t, func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		had[key] = true
		return err
	}, held, args...)
	if err != nil {
		return false, err
	}
	for key := range now {
		changed = changed || !had[key]
	}
	for _, key := range sortedKeys(had) {
		if now[key] {
			continue
		}
		changed = true
		if _, err := r.t.Exec(ctx, remove, append(slices.Clone(args), key)...); err != nil {
			return false, err
		}
	}
	return changed, nil
}
