package api

import (
	"cmp"
	"context"
	"slices"
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

// applications are the tenant's applications, those at risk first.
func (s *Service) applications(ctx context.Context, t *store.Tenant) ([]Application, error) {
	h, err := s.state(ctx, t, "/applications", "/servicePrincipals", "/servicePrincipals/*", "/oauth2PermissionGrants", "/reports/servicePrincipalSignInActivities")
	if err != nil {
		return nil, err
	}
	type risky struct {
		Protection
		id string
		at int64
	}
	told, err := find(ctx, t, (&query{}).add("select object_id, level, state, detail, at from protection where tenant = $1 and kind = 'application'"), func(r *risky) []any { return []any{&r.id, &r.Level, &r.State, &r.Detail, &r.at} })
	if err != nil {
		return nil, err
	}
	by := map[string]*Protection{}
	for i := range told {
		told[i].At = tocsin.FromMillis(told[i].at)
		by[strings.ToLower(told[i].id)] = &told[i].Protection
	}
	fails, err := failing(ctx, t, "/servicePrincipals")
	if err != nil {
		return nil, err
	}
	apps := posture.NewState(h.Snapshot, s.now()).Apps()
	out := make([]Application, len(apps))
	for i, a := range apps {
		out[i] = Application{AppView: a, Protection: by[strings.ToLower(a.ID)], Checks: orNone(fails[strings.ToLower(a.ID)])}
	}
	rank := func(a *Application) int {
		if a.AtRisk() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b Application) int { return cmp.Compare(rank(&a), rank(&b)) })
	return out, nil
}

// ListApplications lists the tenant's applications, those at risk first, then those that can do most.
func (s *Service) ListApplications(ctx context.Context, in ApplicationsIn) (Page[Application], error) {
	return view(ctx, s, "applications list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Application], error) {
		all, err := s.applications(ctx, t)
		if err != nil {
			return Page[Application]{}, err
		}
		all = slices.DeleteFunc(all, func(a Application) bool {
			return !mentions(in.Q, a.Name, a.AppID, a.ID) || in.Risky && !a.AtRisk() || in.Dangerous && a.Dangerous == 0 || in.Whose != "" && a.Whose != in.Whose
		})
		return sliced(all, in.Paging, "applications")
	})
}

// GetApplication is an application with its consents, and what can be done about it.
func (s *Service) GetApplication(ctx context.Context, in ByID) (ApplicationDetail, error) {
	return view(ctx, s, "applications get", in, func(ctx context.Context, t *store.Tenant, c Caller) (ApplicationDetail, error) {
		d := ApplicationDetail{Consents: []AppConsent{}, Acts: []Act{}}
		all, err := s.applications(ctx, t)
		if err != nil {
			return d, err
		}
		i := slices.IndexFunc(all, func(a Application) bool { return strings.EqualFold(a.ID, in.ID) })
		if i < 0 {
			return d, notFound("application")
		}
		d.Application = all[i]
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
