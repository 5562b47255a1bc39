package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// Application is an application of the tenant, with what Microsoft's Identity Protection says of it.
type Application struct {
	posture.AppView
	Protection *Protection `json:"protection"` // null where it says nothing
	Checks     []Failing   `json:"checks"`     // that it fails
}

// AtRisk says whether Identity Protection holds it to be.
func (a *Application) AtRisk() bool {
	return a.Protection != nil && (a.Protection.State == "at_risk" || a.Protection.State == "confirmed")
}

// ApplicationDetail is an application with its consents and what can be done about it.
type ApplicationDetail struct {
	Application
	Consents []AppConsent `json:"consents"` // on whose behalf it acts
	Acts     []Act        `json:"acts"`     // what can be done about it here
	Done     []Action     `json:"done"`     // what was done, or is to be, newest first, at most 20
}

// AppConsent is a consent by which an application acts for somebody.
type AppConsent struct {
	ID       string          `json:"id"`
	ForAll   bool            `json:"for_all"` // for everybody
	Person   tocsin.PersonID `json:"person"`  // else for whom
	Who      string          `json:"who"`
	Resource string          `json:"resource"` // whose permissions, by name
	Scopes   []string        `json:"scopes"`
}

// ApplicationsIn filters applications. Those that can do most first.
type ApplicationsIn struct {
	In
	Paging
	Q         string `query:"q" maxLength:"200" doc:"Only with this in the name or the id"`
	Risky     bool   `query:"risky" doc:"Only those that Microsoft's Identity Protection holds to be at risk"`
	Dangerous bool   `query:"dangerous" doc:"Only those with a permission that reaches everybody's data, or the tenant"`
	Whose     string `query:"whose" enum:"ours,microsoft,foreign" doc:"Only the organisation's own, Microsoft's, or another organisation's"`
}

// protectedApps are what Identity Protection says of applications, by their folded ids.
func protectedApps(ctx context.Context, t *store.Tenant) (map[string]*Protection, error) {
	type risky struct {
		Protection
		id string
		at int64
	}
	told, err := find(ctx, t, (&query{}).add("select object_id, level, state, detail, at from protection where tenant = $1 and kind = 'application'"), func(r *risky) []any { return []any{&r.id, &r.Level, &r.State, &r.Detail, &r.at} })
	by := map[string]*Protection{}
	for i := range told {
		told[i].At = tocsin.FromMillis(told[i].at)
		by[strings.ToLower(told[i].id)] = &told[i].Protection
	}
	return by, err
}

// applicationsOf are the applications of these folded ids.
func applicationsOf(ctx context.Context, t *store.Tenant, by map[string]*Protection, ids ...any) ([]Application, error) {
	fails, err := failing(ctx, t, "/servicePrincipals")
	if err != nil {
		return nil, err
	}
	q := &query{}
	q.add("select body from listed where tenant = $1 and kind = 'application' and id in (" + q.in(ids...) + ")")
	rows, err := find(ctx, t, q, func(b *string) []any { return []any{b} })
	if err != nil {
		return nil, err
	}
	out := make([]Application, len(rows))
	for i, body := range rows {
		a := &out[i]
		if err := json.Unmarshal([]byte(body), &a.AppView); err != nil {
			return nil, fmt.Errorf("an application: %w", err)
		}
		id := strings.ToLower(a.ID)
		a.Protection, a.Checks = by[id], orNone(fails[id])
	}
	return out, nil
}

// ListApplications lists the tenant's applications, those at risk first, then those that can do most.
func (s *Service) ListApplications(ctx context.Context, in ApplicationsIn) (Page[Application], error) {
	return view(ctx, s, "applications list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Application], error) {
		by, err := protectedApps(ctx, t)
		if err != nil {
			return Page[Application]{}, err
		}
		l := &listing{kind: "application", name: "applications", by: "rank", first: map[string]int{}, only: in.Risky}
		for id, p := range by {
			if a := (Application{Protection: p}); a.AtRisk() {
				l.first[id] = 1
			}
		}
		l.that = func(q *query) {
			texted(q, in.Q)
			if in.Dangerous {
				marked(q, true, "dangerous", "")
			}
			if in.Whose != "" {
				marked(q, true, "whose", in.Whose)
			}
		}
		return pageOf(ctx, t, l, in.Paging, func(ids []any) ([]Application, error) {
			for i, id := range ids {
				ids[i] = strings.ToLower(id.(string))
			}
			return applicationsOf(ctx, t, by, ids...)
		}, func(a *Application) string { return a.ID })
	})
}

// GetApplication is an application with its consents, and what can be done about it.
func (s *Service) GetApplication(ctx context.Context, in ByID) (ApplicationDetail, error) {
	return view(ctx, s, "applications get", in, func(ctx context.Context, t *store.Tenant, c Caller) (ApplicationDetail, error) {
		d := ApplicationDetail{Consents: []AppConsent{}, Acts: []Act{}}
		by, err := protectedApps(ctx, t)
		if err != nil {
			return d, err
		}
		list, err := applicationsOf(ctx, t, by, strings.ToLower(in.ID))
		if err != nil {
			return d, err
		}
		if len(list) == 0 {
			return d, notFound("application")
		}
		d.Application = list[0]
		if err := d.fill(ctx, t); err != nil {
			return d, err
		}
		done, err := remediate.List(ctx, t, remediate.Filter{Object: d.ID, Limit: 20})
		d.Done = actionViews(done, c)
		return d, err
	})
}

// serviceState is what is read of the principal of a service that offers permissions.
type serviceState struct {
	ID    string `json:"id"`
	Name  string `json:"displayName"`
	Roles []struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	} `json:"appRoles"`
}

// fill adds consents, and the acts on the application, its permissions and its consents.
func (d *ApplicationDetail) fill(ctx context.Context, t *store.Tenant) error {
	type grant struct {
		ID        string `json:"id"`
		Client    string `json:"clientId"`
		Type      string `json:"consentType"`
		Principal string `json:"principalId"`
		Resource  string `json:"resourceId"`
		Scope     string `json:"scope"`
	}
	type assignment struct {
		ID        string `json:"id"`
		Role      string `json:"appRoleId"`
		Principal string `json:"principalId"`
		Resource  string `json:"resourceId"`
	}
	registered, err := number(ctx, t, (&query{}).add("select count(*) from state_object where tenant = $1 and path = '/servicePrincipals' and id = ? and deleted = 0", d.ID))
	if err != nil || registered == 0 {
		return err // an application that nobody can sign in to: there is nothing to act on
	}
	grants, err := bodies[grant](ctx, t, "/oauth2PermissionGrants", func(q *query) { q.add(" and body like ? order by id limit 100", `%"clientId":"`+d.ID+`"%`) })
	if err != nil {
		return err
	}
	var held []assignment
	paths, err := find(ctx, t, (&query{}).add("select path from state_path where tenant = $1 and path like '/servicePrincipals/%/appRoleAssignedTo' order by path"), func(p *string) []any { return []any{p} })
	if err != nil {
		return err
	}
	for _, path := range paths {
		some, err := bodies[assignment](ctx, t, path, func(q *query) { q.add(" and body like ? order by id limit 100", `%"principalId":"`+d.ID+`"%`) })
		if err != nil {
			return err
		}
		held = append(held, some...)
	}
	services := map[string]*serviceState{}
	var ids []any
	for _, g := range grants {
		ids = append(ids, g.Resource)
	}
	for _, a := range held {
		ids = append(ids, a.Resource)
	}
	known, err := bodies[serviceState](ctx, t, "/servicePrincipals", func(q *query) { q.add(" and id in (" + q.in(ids...) + ")") })
	if err != nil {
		return err
	}
	for i := range known {
		services[known[i].ID] = &known[i]
	}
	act := func(k remediate.Kind, target, name string) error {
		a, err := actNow(ctx, t, k, d.ID, target)
		a.Name = name
		d.Acts = append(d.Acts, a)
		return err
	}
	k := remediate.EnableApp
	if d.Enabled {
		k = remediate.DisableApp
	}
	if err := act(k, "", ""); err != nil {
		return err
	}
	for _, a := range held {
		name := a.Role
		if x := services[a.Resource]; x != nil {
			for _, r := range x.Roles {
				if strings.EqualFold(r.ID, a.Role) {
					name = r.Value
				}
			}
		}
		if err := act(remediate.RemovePermission, a.ID, name); err != nil {
			return err
		}
	}
	for _, g := range grants {
		x := AppConsent{ID: g.ID, ForAll: g.Type == "AllPrincipals", Scopes: strings.Fields(g.Scope), Resource: g.Resource}
		if r := services[g.Resource]; r != nil {
			x.Resource = r.Name
		}
		name := strings.Join(x.Scopes[:min(3, len(x.Scopes))], ", ")
		if x.ForAll {
			name += " for everybody"
		} else if err := x.whose(ctx, t, g.Principal); err != nil {
			return err
		} else {
			name += " for " + x.Who
		}
		d.Consents = append(d.Consents, x)
		if err := act(remediate.RevokeGrant, g.ID, name); err != nil {
			return err
		}
	}
	return nil
}

// whose adds for whom a consent is.
func (x *AppConsent) whose(ctx context.Context, t *store.Tenant, object string) error {
	type row struct {
		person    tocsin.PersonID
		name, upn string
	}
	x.Who = object
	rows, err := find(ctx, t, (&query{}).add("select person, name, upn from person where tenant = $1 and object_id = ?", object), func(r *row) []any { return []any{&r.person, &r.name, &r.upn} })
	for _, r := range rows {
		x.Person, x.Who = r.person, cmp.Or(r.name, r.upn)
	}
	return err
}
