package api

import (
	"cmp"
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

// Groups, guests, devices and sites are kept as Graph has them (table state_object) and listed from there. What was not read is said by
// "directory list", which each of their pages shows: an empty list alone would read like none.

const (
	pathGroupObjects = "/groups"
	pathJoined       = "/devices"
	pathSites        = "/sites"
	pathSharing      = "/admin/sharepoint/settings"
	pathPolicies     = "/identity/conditionalAccess/policies"
	pathSiteUse      = "/reports/getSharePointSiteUsageDetail"
	pathSigningIn    = "/users#signInActivity" // no path: members of the objects of one
	pathGroupOwners  = "/groups#owners"        // the same
)

// Knowledge says what is held of one kind of thing that a directory tells of.
type Knowledge struct {
	What    string         `json:"what"`   // groups, group_members, group_owners, guests, last_sign_ins, registered_methods, access_policies, devices, joined_devices, sites, sharing, sharing_links
	State   string         `json:"state"`  // known, part, unknown
	Reason  posture.Reason `json:"reason"` // permission, licence, not_collected
	Because string         `json:"because"`
	Mend    string         `json:"mend"`
	Read    time.Time      `json:"read,omitzero"` // when it was last read
}

// KnowledgeIn asks what is held.
type KnowledgeIn struct {
	In
	Paging
	Of string `query:"of" enum:"groups,guests,devices,sites" doc:"Only what is told of these"`
}

// heldOf is what each list rests on: what it is called, the path that lists it, and the capability that reads it.
var heldOf = map[string][][3]string{
	"groups":  {{"groups", pathGroupObjects, "tenant-settings"}, {"group_members", "/groups/*/transitiveMembers", ""}, {"group_owners", pathGroupOwners, ""}, {"access_policies", pathPolicies, "conditional-access"}},
	"guests":  {{"guests", pathPeople, "tenant-settings"}, {"last_sign_ins", pathSigningIn, ""}, {"registered_methods", pathFactors, "registrations"}, {"access_policies", pathPolicies, "conditional-access"}},
	"devices": {{"devices", pathManaged, "devices"}, {"joined_devices", pathJoined, "joined-devices"}},
	"sites":   {{"sites", pathSites, "sites"}, {"sharing", pathSharing, "sharing"}, {"sharing_links", pathSiteUse, "sharing-links"}},
}

// never are the sentences for what no connection reads, or not all of.
var never = map[string][2]string{
	"group_members": {"Members are read of the groups that policies name or that have roles, and of those that mail is sent on to; of all where there are a hundred at most.", ""},
	"group_owners":  {"Owners of groups have not been read yet.", "They come with the groups; nothing need be done."},
	"last_sign_ins": {"When people last signed in is not told.", "Grant AuditLog.Read.All; the tenant needs Entra ID P1."},
}

// ListHeld says what is held of groups, guests, devices and sites, and what is unknown, because.
func (s *Service) ListHeld(ctx context.Context, in KnowledgeIn) (Page[Knowledge], error) {
	return view(ctx, s, "directory list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Knowledge], error) {
		out := []Knowledge{}
		for _, of := range []string{"groups", "guests", "devices", "sites"} {
			if in.Of != "" && in.Of != of {
				continue
			}
			list, err := whatIsHeld(ctx, t, of)
			if err != nil {
				return Page[Knowledge]{}, err
			}
			out = append(out, list...)
		}
		return sliced(out, in.Paging, "directory")
	})
}

// whatIsHeld is what is held of one list.
func whatIsHeld(ctx context.Context, t *store.Tenant, of string) ([]Knowledge, error) {
	type row struct {
		path, reason, because string
		read                  int64
	}
	rows, err := find(ctx, t, (&query{}).add("select path, reason, because, read_at from state_path where tenant = $1"), func(r *row) []any { return []any{&r.path, &r.reason, &r.because, &r.read} })
	if err != nil {
		return nil, err
	}
	by := map[string]row{}
	for _, r := range rows {
		by[r.path] = r
	}
	var out []Knowledge
	for _, k := range heldOf[of] {
		h := Knowledge{What: k[0], State: "unknown", Reason: posture.NotCollected, Because: "It has not been read yet.", Mend: "It comes within minutes; nothing need be done."}
		if says, ok := never[k[0]]; ok {
			h.Because, h.Mend = says[0], says[1]
		}
		r, told := by[k[1]]
		switch start, end, many := strings.Cut(k[1], "*"); {
		case strings.Contains(k[1], "#"):
			path, _, _ := strings.Cut(k[1], "#")
			if err := toldWithin(ctx, t, &h, k[1], by[path].read); err != nil {
				return nil, err
			}
		case many:
			n := 0
			for path, r := range by {
				if strings.HasPrefix(path, start) && strings.HasSuffix(path, end) && r.read > 0 {
					n++
					h.Read = latest(h.Read, tocsin.FromMillis(r.read))
				}
			}
			if n > 0 {
				h.State = "part"
			}
			if groups, err := number(ctx, t, (&query{}).add("select count(*) from state_object where tenant = $1 and path = ? and deleted = 0", pathGroupObjects)); err != nil {
				return nil, err
			} else if n >= groups && groups > 0 {
				h.State, h.Reason, h.Because, h.Mend = "known", "", "", ""
			}
		case told && r.read > 0:
			h.State, h.Read, h.Reason, h.Because, h.Mend = "known", tocsin.FromMillis(r.read), posture.Reason(r.reason), r.because, ""
			if r.reason != "" { // it was read, and cannot be any more
				h.State = "part"
			}
		case told && r.reason != "":
			h.Reason, h.Because, h.Mend = posture.Reason(r.reason), r.because, ""
			fallthrough
		case k[2] != "":
			because, mend, err := able(ctx, t, k[2])
			if err != nil {
				return nil, err
			}
			if because != "" {
				h.Reason, h.Because, h.Mend = cmp.Or(posture.Reason(r.reason), posture.Permission), because, mend
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// within are what the objects of a path tell beside themselves, as it stands in the body of one that does.
var within = map[string]string{pathSigningIn: `%"signInActivity":{%`, pathGroupOwners: `%"owners":[%`}

// toldWithin says whether something is told within the objects of a path: of one of them it is. Who has not the permission for when
// people last signed in gets people without.
func toldWithin(ctx context.Context, t *store.Tenant, h *Knowledge, what string, read int64) error {
	path, _, _ := strings.Cut(what, "#")
	told, err := number(ctx, t, (&query{}).add(`select count(*) from (select 1 as one from state_object where tenant = $1 and path = ? and deleted = 0 and body like ? limit 1) several`, path, within[what]))
	switch {
	case err == nil && told > 0:
		*h = Knowledge{What: h.What, State: "known", Read: tocsin.FromMillis(read)}
	case what == pathSigningIn:
		h.Reason = posture.Permission
	}
	return err
}

// bodies are the objects of a path that are held, as a form has them; more are conditions besides.
func bodies[T any](ctx context.Context, t *store.Tenant, path string, more func(*query)) ([]T, error) {
	q := (&query{}).add("select body from state_object where tenant = $1 and path = ? and deleted = 0", path)
	if more != nil {
		more(q)
	}
	rows, err := find(ctx, t, q, func(b *string) []any { return []any{b} })
	if err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	for i, b := range rows {
		if err := json.Unmarshal([]byte(b), &out[i]); err != nil {
			return nil, fmt.Errorf("an object of %s: %w", path, err)
		}
	}
	return out, nil
}

// Failing is a check that an object fails.
type Failing struct {
	Check    string          `json:"check"`
	Title    string          `json:"title"`
	Severity tocsin.Severity `json:"severity"`
	Why      string          `json:"why"` // what is wrong with it, a phrase
}

// failing are the checks that objects of a path fail, the worst first, by their ids. A check tells the first thousand of its objects.
func failing(ctx context.Context, t *store.Tenant, path string) (map[string][]Failing, error) {
	type row struct{ id, found string }
	q := (&query{}).add(`select id, found from posture_result where tenant = $1 and status = 'fail' and found like ? order by id`, `%"path":"`+path+`"%`)
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.id, &r.found} })
	if err != nil {
		return nil, err
	}
	out := map[string][]Failing{}
	for _, r := range rows {
		i := slices.IndexFunc(posture.Checks, func(c posture.Check) bool { return c.ID == r.id })
		if i < 0 {
			continue // of another version
		}
		var found []posture.Object
		if err := json.Unmarshal([]byte(r.found), &found); err != nil {
			return nil, err
		}
		c := &posture.Checks[i]
		for _, o := range found {
			if o.Path == path {
				id := strings.ToLower(o.ID)
				out[id] = append(out[id], Failing{Check: c.ID, Title: c.Title, Severity: c.Severity, Why: o.Why})
			}
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b Failing) int { return b.Severity.Rank() - a.Severity.Rank() })
	}
	return out, nil
}

// folded is a text as it is looked for and sorted by.
func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
