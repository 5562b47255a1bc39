package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tocsin.dev/store"
)

// Site is a site of SharePoint, or somebody's own of OneDrive.
type Site struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	URL      string    `json:"url"`
	Personal bool      `json:"personal"` // somebody's own
	Created  time.Time `json:"created,omitzero"`
	Group    *GroupRef `json:"group"`  // that bears its name; null where none does
	Public   *bool     `json:"public"` // everybody inside reads it, since its group is public; null where it is not known
	Links    *int      `json:"links"`  // that anybody can use who has them, as SharePoint counted them the day before; null: not known, see "directory list"
	Checks   []Failing `json:"checks"` // that it fails
}

// SitesIn filters sites.
type SitesIn struct {
	In
	Paging
	Q        string `query:"q" maxLength:"200" doc:"Only with this in the name or the address"`
	Public   bool   `query:"public" doc:"Only those of public groups"`
	Personal bool   `query:"personal" doc:"People's own sites, instead of those of the organisation"`
	Sort     string `query:"sort" enum:"name,created" doc:"name when absent, those of public groups first; created: the newest first"`
}

// siteState is what is read of a site's object.
type siteState struct {
	ID       string    `json:"id"`
	Name     string    `json:"displayName"`
	URL      string    `json:"webUrl"`
	Personal *bool     `json:"isPersonalSite"`
	Created  time.Time `json:"createdDateTime"`
}

// sitesFound are the sites that more picks, with the group whose name each bears.
func sitesFound(ctx context.Context, t *store.Tenant, more func(*query)) ([]Site, error) {
	list, err := bodies[siteState](ctx, t, pathSites, more)
	if err != nil || len(list) == 0 {
		return []Site{}, err
	}
	names := map[string]bool{}
	for _, x := range list {
		if folded(x.Name) != "" && !isTrue(x.Personal) {
			names[folded(x.Name)] = true
		}
	}
	var ids []any
	for some := range slices.Chunk(keys(names), 400) {
		q := &query{}
		q.add("select object from listed where tenant = $1 and kind = 'group' and rank = 0 and name in (" + q.in(some...) + ") and marks like '% bears %'")
		found, err := find(ctx, t, q, func(id *string) []any { return []any{id} })
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			ids = append(ids, id)
		}
	}
	var groups []groupState
	for some := range slices.Chunk(ids, 400) {
		found, err := bodies[groupState](ctx, t, pathGroupObjects, func(q *query) { q.add(" and id in (" + q.in(some...) + ")") })
		if err != nil {
			return nil, err
		}
		groups = append(groups, found...)
	}
	by := map[string]*groupState{}
	for i := range groups {
		by[folded(groups[i].Name)] = &groups[i]
	}
	fails, err := failing(ctx, t, pathSites)
	if err != nil {
		return nil, err
	}
	links, err := linksOf(ctx, t, list)
	if err != nil {
		return nil, err
	}
	out := make([]Site, len(list))
	for i, x := range list {
		out[i] = Site{ID: x.ID, Name: cmp.Or(x.Name, x.URL), URL: x.URL, Personal: isTrue(x.Personal), Created: x.Created, Links: links[collection(x.ID)], Checks: orNone(fails[strings.ToLower(x.ID)])}
		if g := by[folded(x.Name)]; g != nil && !out[i].Personal {
			out[i].Group = &GroupRef{ID: g.ID, Name: g.Name}
			if g.Visibility != "" {
				public := strings.EqualFold(g.Visibility, "Public")
				out[i].Public = &public
			}
		}
	}
	return out, nil
}

// sitesNamed are the sites of a group, which bear its name.
func sitesNamed(ctx context.Context, t *store.Tenant, name string) ([]Site, error) {
	list, err := sitesFound(ctx, t, func(q *query) { q.add(" and lower(name) = ?", strings.ToLower(name)) })
	return slices.DeleteFunc(list, func(x Site) bool { return x.Group == nil }), err
}

// collection is the id of a site's collection, by which reports name it: an id is made of host, collection and site.
func collection(id string) string {
	parts := strings.Split(id, ",")
	return strings.ToLower(parts[min(1, len(parts)-1)])
}

// linksOf are how many links that anybody can use sites have, by collection; those of which it is not told are not there.
func linksOf(ctx context.Context, t *store.Tenant, list []siteState) (map[string]*int, error) {
	out := map[string]*int{}
	for some := range slices.Chunk(list, 400) {
		ids := make([]any, len(some))
		for i, x := range some {
			ids[i] = collection(x.ID)
		}
		found, err := bodies[struct {
			Site   string `json:"siteId"`
			Anyone *int   `json:"anonymousLinkCount"`
		}](ctx, t, pathSiteUse, func(q *query) { q.add(" and id in (" + q.in(ids...) + ")") })
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			out[strings.ToLower(f.Site)] = f.Anyone
		}
	}
	return out, nil
}

// ListSites lists sites.
func (s *Service) ListSites(ctx context.Context, in SitesIn) (Page[Site], error) {
	return view(ctx, s, "sites list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Site], error) {
		l := &listing{kind: "site", name: "sites/" + in.Sort, by: "rank"}
		if in.Sort == "created" {
			l.by = "at"
		}
		l.that = func(q *query) {
			texted(q, in.Q)
			marked(q, in.Personal, "personal", "")
			if in.Public {
				marked(q, true, "public", "")
			}
		}
		return pageOf(ctx, t, l, in.Paging, func(ids []any) ([]Site, error) {
			return sitesFound(ctx, t, func(q *query) { q.add(" and id in (" + q.in(ids...) + ")") })
		}, func(x *Site) string { return x.ID })
	})
}

// Sharing is with whom SharePoint and OneDrive may share, as the tenant is set. Null is not known: Graph does not tell it, or not yet.
type Sharing struct {
	Known    bool        `json:"known"`     // the settings were read
	With     string      `json:"with"`      // nobody, known_guests, new_guests, anybody; empty where not known
	Domains  []string    `json:"domains"`   // to which it is held; null where it is held to none
	Blocked  []string    `json:"blocked"`   // with which it is not
	Reshare  *bool       `json:"reshare"`   // guests share on what they do not own
	OldWays  *bool       `json:"old_ways"`  // protocols that know no second factor are taken
	AnySync  *bool       `json:"any_sync"`  // files are synchronised to any device
	IdleEnds *int        `json:"idle_ends"` // seconds after which a session that nobody uses ends; 0: it does not
	Held     []Knowledge `json:"held"`      // what is known of sites, and what is not
	Public   int         `json:"public"`    // sites of public groups
	Sites    int         `json:"sites"`     // of the organisation
	Personal int         `json:"personal"`  // of its people
}

// GetSharing is with whom SharePoint and OneDrive may share.
func (s *Service) GetSharing(ctx context.Context, in In) (Sharing, error) {
	return view(ctx, s, "sharing get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Sharing, error) {
		var v Sharing
		type settings struct {
			With    string   `json:"sharingCapability"`
			Mode    string   `json:"sharingDomainRestrictionMode"`
			Allowed []string `json:"sharingAllowedDomainList"`
			Blocked []string `json:"sharingBlockedDomainList"`
			Reshare *bool    `json:"isResharingByExternalUsersEnabled"`
			Legacy  *bool    `json:"isLegacyAuthProtocolsEnabled"`
			Held    *bool    `json:"isUnmanagedSyncAppForTenantRestricted"`
			Idle    *struct {
				On    bool `json:"isEnabled"`
				After int  `json:"signOutAfterInSeconds"`
			} `json:"idleSessionSignOut"`
		}
		list, err := bodies[settings](ctx, t, pathSharing, nil)
		if err != nil {
			return v, err
		}
		if v.Known = len(list) > 0; v.Known {
			x := list[0]
			v.With = map[string]string{"disabled": "nobody", "existingexternalusersharingonly": "known_guests", "externalusersharingonly": "new_guests", "externaluserandguestsharing": "anybody"}[strings.ToLower(x.With)]
			if strings.EqualFold(x.Mode, "allowList") {
				v.Domains = orNone(x.Allowed)
			}
			if strings.EqualFold(x.Mode, "blockList") {
				v.Blocked = x.Blocked
			}
			v.Reshare, v.OldWays = x.Reshare, x.Legacy
			if x.Held != nil {
				to := !*x.Held
				v.AnySync = &to
			}
			if x.Idle != nil {
				ends := 0
				if x.Idle.On {
					ends = x.Idle.After
				}
				v.IdleEnds = &ends
			}
		}
		if err := t.QueryRow(ctx, `select count(case when marks like '% personal %' then 1 end), count(case when marks not like '% personal %' then 1 end), count(case when marks like '% public %' then 1 end)
			from listed where tenant = $1 and kind = 'site'`).Scan(&v.Personal, &v.Sites, &v.Public); err != nil {
			return v, err
		}
		v.Held, err = whatIsHeld(ctx, t, "sites")
		return v, err
	})
}
