package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// What the directory tells of people besides who they are is kept as Graph has it (table state_object) and read from there.

const (
	pathPeople   = "/users"
	pathFactors  = "/reports/authenticationMethods/userRegistrationDetails"
	pathManaged  = "/deviceManagement/managedDevices"
	pathHoldings = "/roleManagement/*"
)

// userState is what is read of a person's object.
type userState struct {
	SignIn *struct {
		Interactive    time.Time `json:"lastSignInDateTime"`
		NonInteractive time.Time `json:"lastNonInteractiveSignInDateTime"`
		Successful     time.Time `json:"lastSuccessfulSignInDateTime"`
	} `json:"signInActivity"`
	Manager *struct {
		ID   string `json:"id"`
		Name string `json:"displayName"`
	} `json:"manager"`
}

// factorState is what is read of a person's registered methods.
type factorState struct {
	Registered *bool    `json:"isMfaRegistered"`
	Capable    *bool    `json:"isMfaCapable"`
	Methods    []string `json:"methodsRegistered"`
}

// factorIn is what an object tells of registered methods.
func factorIn(body string) (f factorState, err error) {
	if err = json.Unmarshal([]byte(body), &f); err != nil {
		err = fmt.Errorf("registered methods: %w", err)
	}
	return f, err
}

// stateBodies are the objects of a path with these ids.
func stateBodies(ctx context.Context, t *store.Tenant, path string, ids []any) (map[string]string, error) {
	type row struct{ id, body string }
	q := (&query{}).add("select id, body from state_object where tenant = $1 and path = ? and deleted = 0", path)
	rows, err := find(ctx, t, q.add(" and id in ("+q.in(ids...)+")"), func(r *row) []any { return []any{&r.id, &r.body} })
	out := map[string]string{}
	for _, r := range rows {
		out[r.id] = r.body
	}
	return out, err
}

// depict adds to people what their objects tell: manager, last sign-in, second factor, and what Identity Protection says.
func depict(ctx context.Context, t *store.Tenant, people []Identity) error {
	if len(people) == 0 {
		return nil
	}
	objects := make([]any, len(people))
	for i := range people {
		objects[i] = people[i].ObjectID
	}
	users, err := stateBodies(ctx, t, pathPeople, objects)
	if err != nil {
		return err
	}
	factors, err := stateBodies(ctx, t, pathFactors, objects)
	if err != nil {
		return err
	}
	type risky struct {
		Protection
		id string
		at int64
	}
	q := &query{}
	q.add("select object_id, level, state, detail, at from protection where tenant = $1 and object_id in (" + q.in(objects...) + ")")
	told, err := find(ctx, t, q, func(r *risky) []any { return []any{&r.id, &r.Level, &r.State, &r.Detail, &r.at} })
	if err != nil {
		return err
	}
	by := map[string]*Protection{}
	for i := range told {
		told[i].At = tocsin.FromMillis(told[i].at)
		by[told[i].id] = &told[i].Protection
	}
	for i := range people {
		p := &people[i]
		p.Protection = by[p.ObjectID]
		if body, ok := users[p.ObjectID]; ok {
			var u userState
			if err := json.Unmarshal([]byte(body), &u); err != nil {
				return fmt.Errorf("the object of %s: %w", p.Person, err)
			}
			if u.SignIn != nil {
				p.LastSignIn = latest(u.SignIn.Interactive, u.SignIn.NonInteractive, u.SignIn.Successful)
			}
			if u.Manager != nil {
				p.Manager = &PersonRef{Person: tocsin.NewPersonID(t.ID(), u.Manager.ID), Name: u.Manager.Name}
			}
		}
		if body, ok := factors[p.ObjectID]; ok {
			f, err := factorIn(body)
			if err != nil {
				return err
			}
			p.MFA, p.MFACapable = f.Registered, f.Capable
		}
	}
	return nil
}

func latest(times ...time.Time) (out time.Time) {
	for _, t := range times {
		if t.After(out) {
			out = t
		}
	}
	return out
}

// PersonPlace is from where a person signed in.
type PersonPlace struct {
	Country   string    `json:"country"`
	City      string    `json:"city"`
	Latitude  *float64  `json:"latitude"`
	Longitude *float64  `json:"longitude"`
	SignIns   int       `json:"sign_ins"`
	Succeeded int       `json:"succeeded"`
	Last      time.Time `json:"last"`
}

// Protected is a person or an application of which Microsoft's Identity Protection says something.
type Protected struct {
	Kind   string          `json:"kind"`   // user or application
	Object string          `json:"object"` // Entra's own id
	Person tocsin.PersonID `json:"person"` // of a user
	Name   string          `json:"name"`
	Level  string          `json:"level"` // low, medium, high, hidden or none
	State  string          `json:"state"` // at_risk, confirmed, remediated, dismissed, safe or none
	Detail string          `json:"detail"`
	At     time.Time       `json:"at"`
}

// ProtectionIn filters what Identity Protection says. The newest first.
type ProtectionIn struct {
	In
	Paging
	Kind string `query:"kind" enum:"user,application" doc:"Only people, or only applications"`
	All  bool   `query:"all" doc:"Also those that are not at risk any more"`
}

// ListProtection lists people and applications at risk, as Microsoft's Identity Protection has it.
func (s *Service) ListProtection(ctx context.Context, in ProtectionIn) (Page[Protected], error) {
	return view(ctx, s, "protection list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Protected], error) {
		var p Page[Protected]
		after, err := parseCursor(in.After, "protection", 2)
		if err != nil {
			return p, err
		}
		type row struct {
			Protected
			at int64
		}
		n := in.limit()
		q := (&query{}).add("select kind, object_id, person, name, level, state, detail, at from protection where tenant = $1")
		if in.Kind != "" {
			q.add(" and kind = ?", in.Kind)
		}
		if !in.All {
			q.add(" and state in ('at_risk', 'confirmed')")
		}
		if !after.begins() {
			q.add(" and (at, object_id) < (?, ?)", after.number(0), after.text(1))
		}
		rows, err := find(ctx, t, q.add(" order by at desc, object_id desc limit ?", n+1), func(r *row) []any {
			return []any{&r.Kind, &r.Object, &r.Person, &r.Name, &r.Level, &r.State, &r.Detail, &r.at}
		})
		pieces := paged(rows, n, func(r row) string { return cursor("protection", r.at, r.Object) })
		p.Items, p.Next = []Protected{}, pieces.Next
		for _, r := range pieces.Items {
			r.At = tocsin.FromMillis(r.at)
			p.Items = append(p.Items, r.Protected)
		}
		return p, err
	})
}

// wholePerson adds to one person's page roles, methods, devices, sign-ins and places.
func (s *Service) wholePerson(ctx context.Context, t *store.Tenant, d *IdentityDetail) error {
	d.Methods, d.Holdings, d.Places, d.SignIns = []string{}, []Privilege{}, []PersonPlace{}, []EntraSignIn{}
	factors, err := stateBodies(ctx, t, pathFactors, []any{d.ObjectID})
	if err != nil {
		return err
	}
	if body, ok := factors[d.ObjectID]; ok {
		f, err := factorIn(body)
		if err != nil {
			return err
		}
		d.Methods = orNone(f.Methods)
	}
	if err := holdingsOf(ctx, t, s, d); err != nil {
		return err
	}
	if d.Devices, err = s.devicesFound(ctx, t, func(q *query) {
		q.add(" and about <> '' and about = ? order by name limit 50", strings.ToLower(d.ObjectID))
	}); err != nil {
		return err
	}
	if d.Groups, err = groupsWith(ctx, t, d.ObjectID); err != nil {
		return err
	}
	if d.Kind == "guest" {
		if d.Guest, err = s.guestOf(ctx, t, d.Person); err != nil {
			return err
		}
	}
	p, err := find(ctx, t, (&query{}).add("select "+signInColumns+" from sign_in where tenant = $1 and person = ?", d.Person).add(newest, 10), (*signInRow).fields)
	if err != nil {
		return err
	}
	for i := range p {
		in := p[i].view()
		if in.Result == "success" { // the log is ahead of what the directory tells
			d.LastSignIn = latest(d.LastSignIn, in.At)
		}
		d.SignIns = append(d.SignIns, in)
	}
	return placesOf(ctx, t, d, s.now())
}

// holdingsOf are the person's roles: also those that a group brings, and those that may be taken.
func holdingsOf(ctx context.Context, t *store.Tenant, s *Service, d *IdentityDetail) error {
	kept, err := s.state(ctx, t, pathHoldings)
	if err != nil {
		return err
	}
	if err := kept.membership(ctx, d.ObjectID); err != nil {
		return err
	}
	if err := kept.names(ctx, "", "/groups"); err != nil {
		return err
	}
	st := posture.NewState(kept.Snapshot, s.now())
	for _, h := range st.Holdings() {
		if !strings.EqualFold(h.Principal, d.ObjectID) {
			continue
		}
		p := privilegeOf(&h, d.Name)
		p.What, p.Person = "person", d.Person
		if h.Group != "" {
			p.Group = st.NameOf(h.Group)
		}
		d.Holdings = append(d.Holdings, p)
	}
	slices.SortStableFunc(d.Holdings, func(a, b Privilege) int { return strings.Compare(a.Role+a.How, b.Role+b.How) })
	return nil
}

// placesOf are the places from which the person signed in within thirty days.
func placesOf(ctx context.Context, t *store.Tenant, d *IdentityDetail, now time.Time) error {
	type row struct {
		PersonPlace
		latitude, longitude string
		last                int64
	}
	rows, err := find(ctx, t, (&query{}).add(`select country, city, max(latitude), max(longitude), count(*), sum(case when result = 'success' then 1 else 0 end), max(at) from sign_in
		where tenant = $1 and person = ? and at >= ? and country <> '' group by country, city order by count(*) desc, country, city limit 20`, d.Person, now.AddDate(0, 0, -30)),
		func(r *row) []any {
			return []any{&r.Country, &r.City, &r.latitude, &r.longitude, &r.SignIns, &r.Succeeded, &r.last}
		})
	for i := range rows {
		r := &rows[i]
		r.Last = tocsin.FromMillis(r.last)
		r.Latitude, r.Longitude = coordinates(r.latitude, r.longitude)
		d.Places = append(d.Places, r.PersonPlace)
	}
	return err
}
