package collect

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// adoptPeople gives people what was told of them by name before the directory told of them: of their mailboxes, and as
// trustees of others'.
func (r *run) adoptPeople(ctx context.Context, batch []pending[personSeen]) error {
	names := map[string]bool{}
	for i := range batch {
		p := &batch[i].body
		if p.Removed {
			continue
		}
		for _, a := range canonical(append([]string{p.UPN, p.Mail}, p.Addresses...)) {
			local, _, _ := strings.Cut(a, "@")
			names[a], names[local] = true, true
		}
		names[strings.ToLower(p.Name)], names[strings.ToLower(p.Object)] = true, true
	}
	delete(names, "")
	all := sortedKeys(names)
	if err := r.adoptTrustees(ctx, all); err != nil {
		return err
	}
	return r.adoptWaiting(ctx, all)
}

// adoptGroups is for groups what adoptPeople is for people; a group has no mailbox. The rows are groupColumns.
func (r *run) adoptGroups(ctx context.Context, rows [][]any) error {
	names := map[string]bool{}
	for _, row := range rows {
		id, name, mail, kind := row[0].(string), row[1].(string), row[2].(string), row[3].(string)
		if kind == "contact" {
			continue
		}
		names[strings.ToLower(id)], names[strings.ToLower(name)], names[tocsin.CanonicalAddress(mail)] = true, true, true
	}
	delete(names, "")
	return r.adoptTrustees(ctx, sortedKeys(names))
}

// adoptWaiting takes up what waits for somebody of these names. It is folded with the rest of the run.
func (r *run) adoptWaiting(ctx context.Context, names []string) error {
	var waits int
	if err := r.t.QueryRow(ctx, `select count(*) from (select 1 from rights_waiting where tenant = $1 limit 1) x`).Scan(&waits); err != nil || waits == 0 {
		return err
	}
	for some := range slices.Chunk(names, 400) {
		in, args := store.In(len(some), 2), anys(some)
		n := len(r.told)
		err := each(ctx, r.t, func(scan func(...any) error) error {
			var body string
			var p pending[rightsSeen]
			if err := scan(&body, &p.at); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(body), &p.body); err != nil {
				return err
			}
			r.told = append(r.told, p)
			return nil
		}, `select body, at from rights_waiting where tenant = $1 and name in (`+in+`) order by at, id`, args...)
		if err != nil {
			return err
		}
		if len(r.told) > n {
			if _, err := r.t.Exec(ctx, `delete from rights_waiting where tenant = $1 and name in (`+in+`)`, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// adoptTrustees puts the person or group in the place of a trustee's name, where that is known now. What was told of them
// last counts.
func (r *run) adoptTrustees(ctx context.Context, names []string) error {
	type right struct {
		rightKey
		at int64
	}
	for some := range slices.Chunk(names, 400) {
		var list []right
		err := each(ctx, r.t, func(scan func(...any) error) error {
			var k right
			err := scan(&k.owner, &k.kind, &k.folder, &k.trustee, &k.at)
			list = append(list, k)
			return err
		}, `select owner, kind, folder, trustee, at from delegation where tenant = $1 and trustee in (`+store.In(len(some), 2)+`)`, anys(some)...)
		if err != nil || len(list) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		var known []string
		for _, k := range list {
			known = append(known, k.trustee)
		}
		if err := r.lookUp(ctx, known); err != nil {
			return err
		}
		var owners []tocsin.PersonID
		for _, k := range list {
			who := r.names[k.trustee]
			if who == "" || who == k.trustee {
				continue
			}
			if err := r.rename(ctx, k.rightKey, who, k.at); err != nil {
				return err
			}
			owners = append(owners, k.owner)
		}
		slices.Sort(owners)
		for _, id := range slices.Compact(owners) {
			if err := r.t.Append(ctx, store.Fact{Kind: "rights.changed", Subject: string(id), Person: string(id)}); err != nil {
				return err
			}
		}
		if err := r.judge(ctx, slices.Compact(owners)); err != nil {
			return err
		}
	}
	return nil
}

// rename has a right be somebody else's, unless what is known of them is newer.
func (r *run) rename(ctx context.Context, k rightKey, to string, at int64) error {
	old := []any{string(k.owner), k.kind, k.folder, k.trustee, to}
	const place = ` where tenant = $1 and owner = $2 and kind = $3 and folder = $4 and trustee = `
	var had int64
	err := r.t.QueryRow(ctx, `select at from delegation`+place+`$5`, string(k.owner), k.kind, k.folder, to).Scan(&had)
	keep := noRow(err)
	if err != nil && !keep {
		return err
	}
	if !keep {
		loser := to
		if keep = had < at; !keep {
			loser = k.trustee
		}
		if _, err := r.t.Exec(ctx, `delete from delegation`+place+`$5`, string(k.owner), k.kind, k.folder, loser); err != nil {
			return err
		}
	}
	if keep {
		if _, err := r.t.Exec(ctx, `update delegation set trustee = $6`+place+`$5`, old...); err != nil {
			return err
		}
	}
	if _, err := r.t.Exec(ctx, `insert into rights_change (tenant, owner, kind, folder, trustee, at, id, value, source, actor, actor_kind)
		select tenant, owner, kind, folder, $6, at, id, value, source, actor, actor_kind from rights_change`+place+`$5 on conflict do nothing`, old...); err != nil {
		return err
	}
	_, err = r.t.Exec(ctx, `delete from rights_change`+place+`$5`, old[:4]...)
	return err
}
