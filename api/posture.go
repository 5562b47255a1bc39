package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// PostureCheck is what a check of the tenant's settings came to.
type PostureCheck struct {
	ID         string             `json:"id"`
	Title      string             `json:"title"`
	Area       string             `json:"area"`
	Severity   tocsin.Severity    `json:"severity"`
	Status     posture.Status     `json:"status"` // pass, fail, unknown, excepted
	Reason     posture.Reason     `json:"reason"` // of unknown: permission, licence, not_collected, undecided
	Why        string             `json:"why"`
	Mend       string             `json:"mend"`
	Frameworks posture.Frameworks `json:"frameworks"`
	Attack     []string           `json:"attack"`
	Found      []posture.Object   `json:"found"` // the first thousand of them
	FoundCount int                `json:"found_count"`
	Owner      string             `json:"owner"` // of an exception
	Expires    time.Time          `json:"expires,omitzero"`
	Since      time.Time          `json:"since,omitzero"` // it has been so
	Judged     time.Time          `json:"judged,omitzero"`
}

// postureOf are the checks that are wanted with their results, by the table's order. One that was never judged is unknown.
func postureOf(ctx context.Context, t *store.Tenant, wanted func(*PostureCheck) bool) ([]PostureCheck, error) {
	type row struct {
		id, status, reason, why, found, owner string
		expires, since, judged                int64
		n                                     int
	}
	rows, err := find(ctx, t, (&query{}).add(`select id, status, reason, why, found, owner, expires, since, judged, n from posture_result where tenant = $1 order by id`),
		func(r *row) []any {
			return []any{&r.id, &r.status, &r.reason, &r.why, &r.found, &r.owner, &r.expires, &r.since, &r.judged, &r.n}
		})
	if err != nil {
		return nil, err
	}
	by := map[string]*row{}
	for i := range rows {
		by[rows[i].id] = &rows[i]
	}
	out := make([]PostureCheck, 0, len(posture.Checks))
	for i := range posture.Checks {
		c := &posture.Checks[i]
		k := PostureCheck{ID: c.ID, Title: c.Title, Area: c.Area, Severity: c.Severity, Status: posture.Unknown, Reason: posture.NotCollected, Why: "It was not judged yet.", Mend: c.Mend,
			Frameworks: posture.Frameworks{SCuBA: orNone(c.SCuBA), CIS: orNone(c.CIS), EIDSCA: orNone(c.EIDSCA)}, Attack: orNone(c.Attack), Found: []posture.Object{}}
		r := by[c.ID]
		if r != nil {
			k.Status, k.Reason, k.Why, k.Owner, k.FoundCount = posture.Status(r.status), posture.Reason(r.reason), r.why, r.owner, r.n
			k.Expires, k.Since, k.Judged = tocsin.FromMillis(r.expires), tocsin.FromMillis(r.since), tocsin.FromMillis(r.judged)
		}
		if !wanted(&k) {
			continue
		}
		if r != nil {
			if err := json.Unmarshal([]byte(r.found), &k.Found); err != nil {
				return nil, err
			}
		}
		out = append(out, k)
	}
	return out, nil
}

// sliced is a piece of a list that is held whole.
func sliced[T any](all []T, in Paging, name string) (Page[T], error) {
	after, err := parseCursor(in.After, name, 1)
	if err != nil {
		return Page[T]{}, err
	}
	from := int(min(max(after.number(0), 0), int64(len(all))))
	n := in.limit()
	p := paged(all[from:min(from+n+1, len(all))], n, func(T) string { return cursor(name, int64(from+n)) })
	if in.After == "" {
		p.Total = len(all)
	}
	return p, nil
}

// ListChecks lists what the checks of the tenant's settings came to.
func (s *Service) ListChecks(ctx context.Context, in ChecksIn) (Page[PostureCheck], error) {
	return view(ctx, s, "checks list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[PostureCheck], error) {
		all, err := postureOf(ctx, t, func(c *PostureCheck) bool {
			return (in.Area == "" || c.Area == in.Area) && (in.Status == "" || string(c.Status) == in.Status) && (in.Framework == "" || slices.Contains(c.Frameworks.Names(), in.Framework))
		})
		if err != nil {
			return Page[PostureCheck]{}, err
		}
		return sliced(all, in.Paging, "checks")
	})
}

// PostureDay is how many checks came to what on a day.
type PostureDay struct {
	Day      string `json:"day"` // 2026-11-21
	Pass     int    `json:"pass"`
	Fail     int    `json:"fail"`
	Unknown  int    `json:"unknown"`
	Excepted int    `json:"excepted"`
}

// PostureTrend gives the days on which the tenant was judged, the newest first.
func (s *Service) PostureTrend(ctx context.Context, in TrendIn) (Page[PostureDay], error) {
	return view(ctx, s, "checks trend", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[PostureDay], error) {
		type row struct {
			day    int64
			status string
			n      int
		}
		rows, err := find(ctx, t, (&query{}).add(`select day, status, sum(n) from posture_count where tenant = $1 and (area = ? or cast(? as text) = '') and framework = ? group by day, status order by day desc, status`, in.Area, in.Area, in.Framework),
			func(r *row) []any { return []any{&r.day, &r.status, &r.n} })
		if err != nil {
			return Page[PostureDay]{}, err
		}
		days := []PostureDay{}
		for _, r := range rows {
			name := time.UnixMilli(r.day * int64(24*time.Hour/time.Millisecond)).UTC().Format(time.DateOnly)
			if len(days) == 0 || days[len(days)-1].Day != name {
				days = append(days, PostureDay{Day: name})
			}
			d := &days[len(days)-1]
			if n := map[string]*int{"pass": &d.Pass, "fail": &d.Fail, "unknown": &d.Unknown, "excepted": &d.Excepted}[r.status]; n != nil {
				*n = r.n
			}
		}
		return sliced(days, in.Paging, "posture-days")
	})
}

// StateSnapshot is how the tenant is set, Graph's own objects by the path that lists them.
type StateSnapshot struct {
	Taken       time.Time                  `json:"taken"`
	Tenant      SnapshotTenant             `json:"tenant"`
	Collections map[string][]any           `json:"collections"`
	Read        map[string]time.Time       `json:"read"`    // when a collection was read
	Missing     map[string]SnapshotMissing `json:"missing"` // why a path could not be read, or could not be read again
}

// SnapshotTenant is whose snapshot it is.
type SnapshotTenant struct {
	ID   string `json:"id"`
	Name string `json:"displayName"`
}

// SnapshotMissing is why a path is not among the collections, or could not be read again.
type SnapshotMissing struct {
	Reason string `json:"reason"`
	Why    string `json:"why"`
}

// GetSnapshot is what is held of how the tenant is set.
func (s *Service) GetSnapshot(ctx context.Context, in In) (StateSnapshot, error) {
	return view(ctx, s, "snapshots get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (StateSnapshot, error) {
		snap, err := collect.StateOf(ctx, t, s.now(), nil)
		if err != nil {
			return StateSnapshot{}, err
		}
		out := StateSnapshot{Taken: snap.Taken, Tenant: SnapshotTenant{ID: string(in.Tenant)}, Collections: make(map[string][]any, len(snap.Collections)), Read: snap.Read, Missing: map[string]SnapshotMissing{}}
		for path, bodies := range snap.Collections {
			list := make([]any, len(bodies))
			for i := range bodies {
				list[i] = bodies[i]
			}
			out.Collections[path] = list
		}
		for path, m := range snap.Missing {
			out.Missing[path] = SnapshotMissing{Reason: string(m.Reason), Why: m.Why}
		}
		err = t.QueryRow(ctx, `select name from tenant where tenant = $1`).Scan(&out.Tenant.Name)
		return out, err
	})
}

// heldState is what is kept of a tenant's state, as far as it is wanted for one answer.
type heldState struct {
	*posture.Snapshot
	t *store.Tenant
}

// state is what is kept of some paths. A path ends with * for all that begin so.
func (s *Service) state(ctx context.Context, t *store.Tenant, paths ...string) (heldState, error) {
	snap, err := collect.StateOf(ctx, t, s.now(), func(path string) bool {
		return slices.ContainsFunc(paths, func(p string) bool {
			start, many := strings.CutSuffix(p, "*")
			return p == path || many && strings.HasPrefix(path, start)
		})
	})
	return heldState{snap, t}, err
}

// objectID is how the directory names an object.
var objectID = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

// ids are what is named by id in what is held.
func (h heldState) ids() []string {
	seen := map[string]bool{}
	for _, list := range h.Collections {
		for _, body := range list {
			for _, id := range objectID.FindAll(body, -1) {
				seen[string(id)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// memberPaths are the paths of groups whose members were read.
func memberPaths(h heldState) (out []string) {
	for path := range h.Collections {
		if strings.HasPrefix(path, "/groups/") {
			out = append(out, path)
		}
	}
	return out
}

// stateObjectsOf adds the objects of these ids alone: of none, none.
func stateObjectsOf(ctx context.Context, t *store.Tenant, h heldState, path string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return collect.StateObjects(ctx, t, h.Snapshot, path, ids...)
}

// membership adds, of the members of every group that was read, whether somebody is one.
func (h heldState) membership(ctx context.Context, id string) error {
	for _, path := range memberPaths(h) {
		if err := collect.StateObjects(ctx, h.t, h.Snapshot, path, id); err != nil {
			return err
		}
	}
	return nil
}

// closed leaves groups shut: a role that a group has is the group's then, and not its members'.
func (h heldState) closed() {
	maps.DeleteFunc(h.Collections, func(path string, _ []json.RawMessage) bool { return strings.HasPrefix(path, "/groups/") })
}

// names adds whom and what is named by id in what is held, of paths that have too much to be read whole for one answer.
func (h heldState) names(ctx context.Context, also string, paths ...string) error {
	ids := h.ids()
	if also != "" {
		ids = append(ids, also)
	}
	if len(ids) == 0 {
		return nil
	}
	for _, path := range paths {
		if err := collect.StateObjects(ctx, h.t, h.Snapshot, path, ids...); err != nil {
			return err
		}
	}
	return nil
}

// ListAccessPolicies lists the conditional access policies in words.
func (s *Service) ListAccessPolicies(ctx context.Context, in ListIn) (Page[posture.PolicyView], error) {
	return view(ctx, s, "access list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[posture.PolicyView], error) {
		h, err := s.state(ctx, t, "/identity/*", "/policies/authenticationStrengthPolicies")
		if err != nil {
			return Page[posture.PolicyView]{}, err
		}
		if err := h.names(ctx, "", "/users", "/groups"); err != nil {
			return Page[posture.PolicyView]{}, err
		}
		if err := collect.StateObjects(ctx, t, h.Snapshot, "/servicePrincipals"); err != nil { // policies name them by another id
			return Page[posture.PolicyView]{}, err
		}
		return sliced(posture.NewState(h.Snapshot, s.now()).PolicyViews(), in.Paging, "access")
	})
}

// ListPlaces lists the places that conditional access knows by name.
func (s *Service) ListPlaces(ctx context.Context, in ListIn) (Page[posture.PlaceView], error) {
	return view(ctx, s, "access places", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[posture.PlaceView], error) {
		h, err := s.state(ctx, t, "/identity/*")
		if err != nil {
			return Page[posture.PlaceView]{}, err
		}
		return sliced(posture.NewState(h.Snapshot, s.now()).PlaceViews(), in.Paging, "places")
	})
}

// AccessAnswer is what conditional access does about a sign-in.
type AccessAnswer struct {
	Person    string          `json:"person"`
	Blocked   bool            `json:"blocked"`
	MFA       bool            `json:"mfa"`
	Resistant bool            `json:"phishing_resistant"`
	Unsure    bool            `json:"unsure"` // a policy may apply: it hangs on what was not told, or is not known
	Policies  []AccessVerdict `json:"policies"`
}

// AccessVerdict is whether a policy applies to a sign-in.
type AccessVerdict struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	State   string          `json:"state"`
	Applies posture.Bearing `json:"applies"` // applies, maybe, not
	Why     string          `json:"why"`
}

// AskAccess answers what conditional access does about a sign-in of a person.
func (s *Service) AskAccess(ctx context.Context, in AccessIn) (AccessAnswer, error) {
	return view(ctx, s, "access what-if", in, func(ctx context.Context, t *store.Tenant, _ Caller) (AccessAnswer, error) {
		var out AccessAnswer
		who, err := personNamed(ctx, t, in.Person)
		if err != nil {
			return out, err
		}
		var object string
		err = t.QueryRow(ctx, `select object_id, name from person where tenant = $1 and person = $2`, string(who)).Scan(&object, &out.Person)
		if errors.Is(err, store.ErrNone) {
			return out, tocsin.Problemf(tocsin.NotFound, "Name a person of the directory by id or address.", "There is nobody %s.", in.Person)
		}
		if err != nil {
			return out, err
		}
		app, err := appNamed(ctx, t, in.App)
		if err != nil {
			return out, err
		}
		h, err := s.state(ctx, t, "/identity/*", "/roleManagement/*", "/policies/authenticationStrengthPolicies")
		if err != nil {
			return out, err
		}
		if err := h.names(ctx, object, "/users", "/groups"); err != nil {
			return out, err
		}
		if err := h.membership(ctx, object); err != nil {
			return out, err
		}
		o := posture.NewState(h.Snapshot, s.now()).WhatIf(posture.Attempt{Person: object, App: app, Client: in.Client, Platform: in.Platform, Place: in.Place, SignInRisk: in.SignInRisk, UserRisk: in.UserRisk})
		out.Blocked, out.MFA, out.Resistant, out.Unsure, out.Policies = o.Blocked, o.MFA, o.Resistant, o.Unsure, []AccessVerdict{}
		for _, a := range o.Policies {
			state := "disabled"
			if a.Policy.Enabled() {
				state = "enabled"
			} else if a.Policy.ReportOnly() {
				state = "report_only"
			}
			out.Policies = append(out.Policies, AccessVerdict{ID: a.Policy.ID, Name: a.Policy.DisplayName, State: state, Applies: a.Bearing, Why: a.Why})
		}
		return out, nil
	})
}

// appNamed is the id of an application that is named by its id, or by what it is called in the tenant.
func appNamed(ctx context.Context, t *store.Tenant, name string) (string, error) {
	if name == "" || objectID.MatchString(name) {
		return name, nil
	}
	if id := posture.AppNamed(name); id != "" {
		return id, nil
	}
	var body string
	err := t.QueryRow(ctx, `select body from state_object where tenant = $1 and path = '/servicePrincipals' and deleted = 0 and lower(name) = $2 order by id limit 1`, strings.ToLower(name)).Scan(&body)
	if errors.Is(err, store.ErrNone) {
		return "", tocsin.Problemf(tocsin.NotFound, "Name it as it is called under applications, or by its application id; none stands for one that no policy names.", "There is no application %q.", name)
	}
	if err != nil {
		return "", err
	}
	var p struct {
		AppID string `json:"appId"`
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return "", err
	}
	return p.AppID, nil
}

// Privilege is a role that somebody has, or may take.
type Privilege struct {
	Role    string          `json:"role"`
	Who     string          `json:"who"`    // a name
	ID      string          `json:"id"`     // Graph's
	What    string          `json:"what"`   // person, group or application; empty where it is not known
	Person  tocsin.PersonID `json:"person"` // ours, of a person
	How     string          `json:"how"`    // permanent, active, eligible
	Group   string          `json:"group"`
	Ends    time.Time       `json:"ends,omitzero"`
	Highest bool            `json:"highest"` // with it somebody takes the tenant, or all of its data
	Scope   string          `json:"scope"`
}

// privilegeOf is a role as it is held, by whom is called who.
func privilegeOf(h *posture.Holding, who string) Privilege {
	p := Privilege{Role: h.RoleName, Who: who, ID: h.Principal, How: "active", Ends: h.Ends, Highest: posture.Highest(h.Role), Scope: h.Scope}
	switch {
	case h.Eligible:
		p.How = "eligible"
	case h.Permanent():
		p.How = "permanent"
	}
	return p
}

// holding is what is kept of roles, with who is in the groups that have them.
func (s *Service) holding(ctx context.Context, t *store.Tenant) (heldState, error) {
	kept, err := s.state(ctx, t, "/roleManagement/*")
	if err != nil {
		return kept, err
	}
	for _, id := range kept.ids() {
		if err := collect.StateObjects(ctx, t, kept.Snapshot, "/groups/"+id+"/transitiveMembers"); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// ListPrivileges lists who has which role of the directory, or may take it.
func (s *Service) ListPrivileges(ctx context.Context, in ListIn) (Page[Privilege], error) {
	return view(ctx, s, "privileges list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Privilege], error) {
		kept, err := s.holding(ctx, t)
		if err != nil {
			return Page[Privilege]{}, err
		}
		if err := kept.names(ctx, "", "/users", "/groups", "/servicePrincipals"); err != nil {
			return Page[Privilege]{}, err
		}
		st := posture.NewState(kept.Snapshot, s.now())
		out := []Privilege{}
		for _, h := range st.Holdings() {
			p := privilegeOf(&h, st.NameOf(h.Principal))
			if p.What = st.Principal(h.Principal); p.What == "person" {
				p.Person = tocsin.NewPersonID(in.Tenant, h.Principal)
			}
			if h.Group != "" {
				p.Group = st.NameOf(h.Group)
			}
			out = append(out, p)
		}
		slices.SortStableFunc(out, func(a, b Privilege) int {
			if a.Highest != b.Highest {
				if a.Highest {
					return -1
				}
				return 1
			}
			return strings.Compare(a.Role+"\n"+a.Who+a.ID+a.How, b.Role+"\n"+b.Who+b.ID+b.How)
		})
		return sliced(out, in.Paging, "privileges")
	})
}
