package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// Guest is an account of somebody of another organisation.
type Guest struct {
	Person     tocsin.PersonID `json:"person"`
	ObjectID   string          `json:"object_id"` // Entra's own id
	Name       string          `json:"name"`
	UPN        string          `json:"upn"`
	Mail       string          `json:"mail"`
	Home       string          `json:"home"` // the domain they come from
	Enabled    *bool           `json:"enabled"`
	State      string          `json:"state"` // accepted, pending; empty where it is not told
	StateSince time.Time       `json:"state_since,omitzero"`
	Created    time.Time       `json:"created,omitzero"`
	Invited    *Invitation     `json:"invited"`               // null where no record of it is kept here
	LastSignIn time.Time       `json:"last_sign_in,omitzero"` // zero where there was none, or it is not known
	Unused     *bool           `json:"unused"`                // no sign-in for 90 days; null where it is not known
	MFA        *bool           `json:"mfa_registered"`        // has registered a second factor here; null where that is not known
	Demand     posture.Demand  `json:"demand"`                // whether a policy asks them for one, and why
	Groups     []GroupRef      `json:"groups"`                // of those whose members were read
	Roles      []string        `json:"roles"`
	Checks     []Failing       `json:"checks"`
	Open       Severities      `json:"open"`
	Risk       int             `json:"risk"`
}

// Invitation is who invited a guest.
type Invitation struct {
	By     string          `json:"by"`
	Person tocsin.PersonID `json:"person"` // of a person of the directory
	At     time.Time       `json:"at"`
	Record string          `json:"record"` // of the audit log
}

// GroupRef is a group by its name.
type GroupRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// GuestsIn filters guests.
type GuestsIn struct {
	In
	Paging
	Q        string `query:"q" maxLength:"200" doc:"Only with this in the name or an address"`
	State    string `query:"state" enum:"accepted,pending" doc:"Only those who have accepted the invitation, or have not"`
	Unused   bool   `query:"unused" doc:"Only those who have not signed in for 90 days"`
	NoFactor bool   `query:"no_factor" doc:"Only those of whom no policy asks a second factor, or of whom it is not known"`
	Home     string `query:"home" maxLength:"253" doc:"Only those of this domain"`
	Sort     string `query:"sort" enum:"name,created,last_sign_in,risk" doc:"risk (then name) when absent; created and last_sign_in: the oldest first"`
}

// guestUnused is after how long without a sign-in a guest is one who is not needed.
const guestUnused = 90 * 24 * time.Hour

// guestState is what is read of a guest's object.
type guestState struct {
	ID      string    `json:"id"`
	State   string    `json:"externalUserState"`
	Since   time.Time `json:"externalUserStateChangeDateTime"`
	Created time.Time `json:"createdDateTime"`
	SignIn  *struct {
		Interactive    time.Time `json:"lastSignInDateTime"`
		NonInteractive time.Time `json:"lastNonInteractiveSignInDateTime"`
		Successful     time.Time `json:"lastSuccessfulSignInDateTime"`
	} `json:"signInActivity"`
}

// guestsOf are the guests of these ids in a column of people (object_id or person), with what their own objects tell.
func (s *Service) guestsOf(ctx context.Context, t *store.Tenant, column string, ids ...any) ([]Guest, error) {
	type row struct {
		Guest
		created int64
	}
	q := (&query{}).add(`select p.person, p.object_id, p.name, p.upn, p.mail, p.enabled, p.created, coalesce(r.risk, 0) from person p left join identity_risk r on r.tenant = p.tenant and r.person = p.person
		where p.tenant = $1 and p.deleted = 0 and p.kind = 'guest'`)
	q.add(" and p." + column + " in (" + q.in(ids...) + ")")
	rows, err := find(ctx, t, q, func(r *row) []any {
		return []any{&r.Person, &r.ObjectID, &r.Name, &r.UPN, &r.Mail, &r.Enabled, &r.created, &r.Risk}
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	objects := make([]any, len(rows))
	for i := range rows {
		objects[i] = rows[i].ObjectID
	}
	states, err := bodies[guestState](ctx, t, pathPeople, func(q *query) { q.add(" and id in (" + q.in(objects...) + ")") })
	if err != nil {
		return nil, err
	}
	by := map[string]*guestState{}
	for i := range states {
		by[states[i].ID] = &states[i]
	}
	told := Knowledge{}
	if err := toldWithin(ctx, t, &told, pathSigningIn, 0); err != nil {
		return nil, err
	}
	out := make([]Guest, len(rows))
	for i, r := range rows {
		g := r.Guest
		g.Created, g.Groups, g.Roles, g.Checks = tocsin.FromMillis(r.created), []GroupRef{}, []string{}, []Failing{}
		g.Home = collect.HomeOf(g.Mail, g.UPN)
		if x := by[g.ObjectID]; x != nil {
			g.State = map[string]string{"accepted": "accepted", "pendingacceptance": "pending"}[strings.ToLower(x.State)]
			g.StateSince = x.Since
			if g.Created.IsZero() {
				g.Created = x.Created
			}
			if x.SignIn != nil {
				g.LastSignIn = latest(x.SignIn.Interactive, x.SignIn.NonInteractive, x.SignIn.Successful)
			}
			if told.State == "known" {
				unused := s.now().Sub(latest(g.LastSignIn, g.Created)) > guestUnused
				g.Unused = &unused
			}
		}
		out[i] = g
	}
	return out, nil
}

// guestsAsked adds to guests whether a policy asks them for a second factor.
func (s *Service) guestsAsked(ctx context.Context, t *store.Tenant, list []Guest) error {
	h, err := s.state(ctx, t, "/identity/*", "/roleManagement/*", "/policies/authenticationStrengthPolicies", "/policies/crossTenantAccessPolicy/default", "/policies/identitySecurityDefaultsEnforcementPolicy")
	if err != nil {
		return err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ObjectID
	}
	if err := h.names(ctx, "", "/groups"); err != nil {
		return err
	}
	for _, path := range append([]string{pathPeople}, memberPaths(h)...) {
		if err := stateObjectsOf(ctx, t, h, path, ids); err != nil {
			return err
		}
	}
	if _, read := h.Collections[pathPolicies]; !read && h.Missing[pathPolicies].Reason == "" {
		because, _, err := able(ctx, t, "conditional-access")
		if err != nil {
			return err
		}
		h.Missing[pathPolicies] = posture.Missing{Reason: posture.Permission, Why: cmp.Or(because, "They have not been read yet.")}
	}
	st := posture.NewState(h.Snapshot, s.now())
	for i := range list {
		list[i].Demand = st.DemandOn(list[i].ObjectID)
	}
	return nil
}

// surroundGuests adds to guests what is known of them besides: second factor, groups, roles, who invited them, checks and findings.
func (s *Service) surroundGuests(ctx context.Context, t *store.Tenant, list []Guest) error {
	if len(list) == 0 {
		return nil
	}
	ids, people, at := make([]any, len(list)), make([]any, len(list)), map[string]*Guest{}
	for i := range list {
		g := &list[i]
		ids[i], people[i] = g.ObjectID, string(g.Person)
		at[g.ObjectID], at[string(g.Person)] = g, g
	}
	factors, err := stateBodies(ctx, t, pathFactors, ids)
	if err != nil {
		return err
	}
	for id, body := range factors {
		f, err := factorIn(body)
		if err != nil {
			return err
		}
		at[id].MFA = f.Registered
	}
	open, err := openOf(ctx, t, people)
	if err != nil {
		return err
	}
	for id, o := range open {
		at[string(id)].Open = o
	}
	fails, err := failing(ctx, t, pathPeople)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Checks = orNone(fails[strings.ToLower(list[i].ObjectID)])
	}
	groups, err := groupsOfEach(ctx, t, ids)
	if err != nil {
		return err
	}
	for id, in := range groups {
		at[id].Groups = in
	}
	type role struct{ person, name string }
	q := &query{}
	q.add("select m.person, d.name from role_member m join directory_role d on d.tenant = m.tenant and d.id = m.role where m.tenant = $1 and m.person in (" + q.in(people...) + ") order by d.name")
	roles, err := find(ctx, t, q, func(r *role) []any { return []any{&r.person, &r.name} })
	if err != nil {
		return err
	}
	for _, r := range roles {
		at[r.person].Roles = append(at[r.person].Roles, r.name)
	}
	return invitationsOf(ctx, t, list)
}

// inviting are the operations of the audit log by which guests come.
const inviting = `('Invite external user', 'Add user')`

// invitationsOf adds to guests who invited them, as the audit log that is kept here tells: by their account, or by their address.
func invitationsOf(ctx context.Context, t *store.Tenant, list []Guest) error {
	type row struct {
		Invitation
		at          int64
		about, body string
	}
	people := make([]any, len(list))
	for i := range list {
		people[i] = string(list[i].Person)
	}
	take := func(rows []row, is func(*Guest, *row) bool) {
		for i := range rows { // the oldest first: the later ones are invited again
			r := &rows[i]
			r.At = tocsin.FromMillis(r.at)
			for k := range list {
				if g := &list[k]; g.Invited == nil && is(g, r) {
					g.Invited = &r.Invitation
				}
			}
		}
	}
	const columns = "select id, person, actor, at, about, body from audit_record where tenant = $1 and operation in "
	fields := func(r *row) []any { return []any{&r.Record, &r.Person, &r.By, &r.at, &r.about, &r.body} }
	q := &query{}
	q.add(columns + inviting + " and about in (" + q.in(people...) + ") order by at, id limit 500")
	rows, err := find(ctx, t, q, fields)
	if err != nil {
		return err
	}
	take(rows, func(g *Guest, r *row) bool { return r.about == string(g.Person) })
	if !slices.ContainsFunc(list, func(g Guest) bool { return g.Invited == nil }) {
		return nil
	}
	// Where the account was not in the directory yet when the record came, the record names them.
	rows, err = find(ctx, t, (&query{}).add(columns+"('Invite external user') and about = '' order by at, id limit 2000"), fields)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].body = strings.ToLower(rows[i].body)
	}
	take(rows, func(g *Guest, r *row) bool {
		return strings.Contains(r.body, strings.ToLower(g.ObjectID)) || g.Mail != "" && strings.Contains(r.body, `"`+strings.ToLower(g.Mail)+`"`)
	})
	return nil
}

// askedAtOnce is of how many guests it is looked whether a policy asks them for a second factor, for one page: a page may be short, and go
// on.
const askedAtOnce = 2000

// ListGuests lists guests.
func (s *Service) ListGuests(ctx context.Context, in GuestsIn) (Page[Guest], error) {
	return view(ctx, s, "guests list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Guest], error) {
		l := &listing{kind: "guest", name: "guests/" + in.Sort, by: "rank"}
		told := Knowledge{}
		if in.Unused {
			if err := toldWithin(ctx, t, &told, pathSigningIn, 0); err != nil {
				return Page[Guest]{}, err
			}
		}
		switch in.Sort {
		case "created":
			l.by = "at"
		case "last_sign_in":
			l.by = "seen"
		case "", "risk":
			type row struct {
				object string
				risk   int
			}
			rows, err := find(ctx, t, (&query{}).add("select p.object_id, r.risk from identity_risk r join person p on p.tenant = r.tenant and p.person = r.person where r.tenant = $1 and r.risk > 0 and p.kind = 'guest'"),
				func(r *row) []any { return []any{&r.object, &r.risk} })
			if err != nil {
				return Page[Guest]{}, err
			}
			l.first = map[string]int{}
			for _, r := range rows {
				l.first[strings.ToLower(r.object)] = r.risk
			}
		}
		l.that = func(q *query) {
			texted(q, in.Q)
			if in.State != "" {
				marked(q, true, in.State, "")
			}
			if in.Home != "" {
				marked(q, true, "home", in.Home)
			}
			if in.Unused {
				marked(q, told.State == "known", "read", "")
				before := tocsin.Millis(s.now().Add(-guestUnused))
				q.add(" and at < ? and seen < ?", before, before)
				if told.State != "known" {
					q.add(" and 1 = 0")
				}
			}
		}
		load := func(ids []any) ([]Guest, error) {
			list, err := s.guestsOf(ctx, t, "object_id", ids...)
			if err != nil {
				return nil, err
			}
			return list, s.guestsAsked(ctx, t, list)
		}
		id := func(g *Guest) string { return g.ObjectID }
		if in.NoFactor {
			return s.guestsUnasked(ctx, t, l, in.Paging, load, id)
		}
		return pageOf(ctx, t, l, in.Paging, func(ids []any) ([]Guest, error) {
			list, err := load(ids)
			if err != nil {
				return nil, err
			}
			return list, s.surroundGuests(ctx, t, list)
		}, id)
	})
}

// guestsUnasked are those of a list whom no policy asks for a second factor, or of whom it is not known. No column tells that: it is
// reckoned for one after the other, and how many there are is known only where the list ends.
func (s *Service) guestsUnasked(ctx context.Context, t *store.Tenant, l *listing, in Paging, load func([]any) ([]Guest, error), id func(*Guest) string) (Page[Guest], error) {
	l.name += "/unasked"
	p := Page[Guest]{Items: []Guest{}}
	at, err := parseCursor(in.After, l.name, 4)
	if err != nil {
		return p, err
	}
	n := in.limit()
	for looked := 0; looked < askedAtOnce; {
		rows, _, err := l.after(ctx, t, at, 201)
		if err != nil {
			return p, err
		}
		more := len(rows) > 200
		list, err := loaded(rows[:min(len(rows), 200)], load, id)
		if err != nil {
			return p, err
		}
		p.Next = ""
		for i, g := range list {
			if g.Demand.Factor != posture.FactorNot && g.Demand.Factor != posture.FactorUnknown {
				continue
			}
			p.Items = append(p.Items, g)
			if len(p.Items) == n && (more || i+1 < len(list)) {
				k := slices.IndexFunc(rows, func(r listed) bool { return r.id == strings.ToLower(g.ObjectID) })
				p.Next = l.cursor(rows[k])
				break
			}
		}
		if len(p.Items) == n || !more {
			break
		}
		last := rows[199]
		p.Next = l.cursor(last)
		at = place{[]any{last.head, last.by, last.name, last.id}}
		looked += 200
	}
	if in.After == "" {
		p.Total, p.TotalIsMore = len(p.Items), p.Next != ""
	}
	return p, s.surroundGuests(ctx, t, p.Items)
}

// guestOf is what is known of a person as a guest; nil where they are none.
func (s *Service) guestOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (*Guest, error) {
	list, err := s.guestsOf(ctx, t, "person", string(person))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if err := s.guestsAsked(ctx, t, list); err != nil {
		return nil, err
	}
	return &list[0], s.surroundGuests(ctx, t, list)
}
