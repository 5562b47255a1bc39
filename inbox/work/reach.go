package work

import (
	"context"
	"errors"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Kinds of members of an inbox.
const (
	Account  = "account"
	Team     = "team"
	Everyone = "everyone" // whoever may work in inboxes at all
)

// Reach is in which inboxes an account works, and since when: what is older than that is not new to it.
type Reach struct {
	Account string
	Inboxes map[string]time.Time
}

// In says whether it works in an inbox.
func (r Reach) In(inbox string) bool { _, is := r.Inboxes[inbox]; return is }

// List is the inboxes' ids in order.
func (r Reach) List() []string {
	out := make([]string, 0, len(r.Inboxes))
	for id := range r.Inboxes {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// ReachOf is where an account works.
func ReachOf(ctx context.Context, t *store.Tenant, account string) (Reach, error) {
	r := Reach{Account: account, Inboxes: map[string]time.Time{}}
	rows, err := t.Query(ctx, `select inbox, min(added) from (
		select m.inbox, m.added from inbox_member m where m.tenant = $1 and m.member = $2 and m.kind = 'account'
		union all select m.inbox, m.added from inbox_member m where m.tenant = $1 and m.member = '' and m.kind = 'everyone'
		union all select m.inbox, m.added from inbox_team_member g join inbox_member m on m.tenant = g.tenant and m.member = g.team and m.kind = 'team' where g.tenant = $1 and g.account = $2
		) every_one group by inbox`, account)
	if err != nil {
		return r, err
	}
	defer rows.Close()
	for rows.Next() {
		var inbox string
		var added int64
		if err := rows.Scan(&inbox, &added); err != nil {
			return r, err
		}
		r.Inboxes[inbox] = tocsin.FromMillis(added)
	}
	return r, rows.Err()
}

// Member is an account, a team or everyone, in an inbox.
type Member struct {
	Kind  string
	ID    string // account or team; empty for everyone
	Added time.Time
}

// Members are those of an inbox.
func Members(ctx context.Context, t *store.Tenant, inbox string) ([]Member, error) {
	rows, err := t.Query(ctx, `select kind, member, added from inbox_member where tenant = $1 and inbox = $2 order by kind, member`, inbox)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Member{}
	for rows.Next() {
		var m Member
		var added int64
		if err := rows.Scan(&m.Kind, &m.ID, &added); err != nil {
			return nil, err
		}
		m.Added = tocsin.FromMillis(added)
		out = append(out, m)
	}
	return out, rows.Err()
}

// SetMembers makes these the members of an inbox; who was one stays so since when they were.
func SetMembers(ctx context.Context, t *store.Tenant, inbox string, members []Member) error {
	had, err := Members(ctx, t, inbox)
	if err != nil {
		return err
	}
	now := t.Tx().Clock().Now()
	if _, err := t.Exec(ctx, `delete from inbox_member where tenant = $1 and inbox = $2`, inbox); err != nil {
		return err
	}
	var rows [][]any
	for _, m := range members {
		m.Added = now
		for _, h := range had {
			if h.Kind == m.Kind && h.ID == m.ID {
				m.Added = h.Added
			}
		}
		rows = append(rows, []any{inbox, m.Kind, m.ID, m.Added})
	}
	return t.Insert(ctx, store.Into{Table: "inbox_member", Columns: []string{"inbox", "kind", "member", "added"}, Key: []string{"inbox", "kind", "member"}}, rows)
}

// Group is a team of accounts.
type Group struct {
	ID, Name string
	Accounts []string
	Created  time.Time
	Version  int64
}

var noTeam = tocsin.Problemf(tocsin.NotFound, "Look at the list of teams.", "There is no such team.")

// Teams are all teams by name; one of them where id is not empty.
func Teams(ctx context.Context, t *store.Tenant, id string) ([]Group, error) {
	rows, err := t.Query(ctx, `select g.id, g.name, g.created, g.version, coalesce(m.account, '') from inbox_team g
		left join inbox_team_member m on m.tenant = g.tenant and m.team = g.id where g.tenant = $1 and ($2 = '' or g.id = $2) order by lower(g.name), g.id, m.account`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Group{}
	for rows.Next() {
		var g Group
		var created int64
		var account string
		if err := rows.Scan(&g.ID, &g.Name, &created, &g.Version, &account); err != nil {
			return nil, err
		}
		g.Created, g.Accounts = tocsin.FromMillis(created), []string{}
		if len(out) == 0 || out[len(out)-1].ID != g.ID {
			out = append(out, g)
		}
		if account != "" {
			out[len(out)-1].Accounts = append(out[len(out)-1].Accounts, account)
		}
	}
	return out, rows.Err()
}

// SaveTeam makes a team (no id), or changes the one of the id and version.
func SaveTeam(ctx context.Context, t *store.Tenant, g Group) (Group, error) {
	if g.ID == "" {
		g.ID = tocsin.NewID()
		if _, err := t.Exec(ctx, `insert into inbox_team (tenant, id, name, created) values ($1, $2, $3, $4)`, g.ID, g.Name, t.Tx().Clock().Now()); err != nil {
			return g, err
		}
	} else if err := changed(ctx, t, noTeam, "inbox_team", g.ID, g.Version, `name = $4`, g.Name); err != nil {
		return g, err
	}
	if _, err := t.Exec(ctx, `delete from inbox_team_member where tenant = $1 and team = $2`, g.ID); err != nil {
		return g, err
	}
	var rows [][]any
	for _, a := range g.Accounts {
		rows = append(rows, []any{g.ID, a})
	}
	if err := t.Insert(ctx, store.Into{Table: "inbox_team_member", Columns: []string{"team", "account"}, Key: []string{"team", "account"}}, rows); err != nil {
		return g, err
	}
	list, err := Teams(ctx, t, g.ID)
	if err != nil || len(list) == 0 {
		return g, errors.Join(err, noTeamIf(len(list)))
	}
	return list[0], nil
}

func noTeamIf(n int) error {
	if n == 0 {
		return noTeam
	}
	return nil
}

// DeleteTeam forgets a team: its threads are nobody's team's then.
func DeleteTeam(ctx context.Context, t *store.Tenant, id string) error {
	n, err := t.Exec(ctx, `delete from inbox_team where tenant = $1 and id = $2`, id)
	if err == nil && n == 0 {
		return noTeam
	}
	for _, q := range []string{`delete from inbox_team_member where tenant = $1 and team = $2`, `delete from inbox_member where tenant = $1 and kind = 'team' and member = $2`,
		`update inbox_thread set team = '' where tenant = $1 and team = $2`} {
		if err == nil {
			_, err = t.Exec(ctx, q, id)
		}
	}
	return err
}

// Accounts are all accounts that work in an inbox by name of them or of a team; everyone says that all who may do.
func Accounts(ctx context.Context, t *store.Tenant, inbox string) (accounts []string, everyone bool, err error) {
	rows, err := t.Query(ctx, `select m.kind, coalesce(g.account, m.member) from inbox_member m left join inbox_team_member g on g.tenant = m.tenant and g.team = m.member and m.kind = 'team' where m.tenant = $1 and m.inbox = $2 order by 2`, inbox)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, id string
		if err := rows.Scan(&kind, &id); err != nil {
			return nil, false, err
		}
		if kind == Everyone {
			everyone = true
		} else if !slices.Contains(accounts, id) {
			accounts = append(accounts, id)
		}
	}
	return accounts, everyone, rows.Err()
}

// changed updates a row of a table with a version, or says that it is not there or was changed by another. set is of $4 and on.
func changed(ctx context.Context, t *store.Tenant, none error, table, id string, version int64, set string, args ...any) error {
	n, err := t.Exec(ctx, `update `+table+` set version = version + 1, `+set+` where tenant = $1 and id = $2 and ($3 = 0 or version = $3)`, append([]any{id, version}, args...)...)
	if err != nil || n == 1 {
		return err
	}
	var one int
	if err := t.QueryRow(ctx, `select 1 from `+table+` where tenant = $1 and id = $2`, id).Scan(&one); errors.Is(err, store.ErrNone) {
		return none
	} else if err != nil {
		return err
	}
	return Changed
}

// Changed says that somebody else was quicker.
var Changed = tocsin.Problemf(tocsin.Conflict, "Look at it again.", "It was changed meanwhile.")
