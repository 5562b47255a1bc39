package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// What a tenant is set to is kept as Graph has it, object by object under the path that lists it (table state_object), and judged
// by package posture. A round writes only what changed. A path that is refused keeps what was known of it, and says why.

// read reads one path.
type read struct {
	call   string
	path   string // under which it is kept
	params graph.P
	single bool // one object, not a list
	other  bool // another source makes the call as well, and tells what it is refused
}

// reading are the paths of a source that ask nothing of what was read before.
var reading = map[string][]read{
	"access": {
		{call: "conditionalAccess.policies", path: "/identity/conditionalAccess/policies"},
		{call: "conditionalAccess.namedLocations", path: "/identity/conditionalAccess/namedLocations"},
		{call: "policies.authorization", path: "/policies/authorizationPolicy", single: true},
		{call: "policies.securityDefaults", path: "/policies/identitySecurityDefaultsEnforcementPolicy", single: true},
		{call: "policies.adminConsent", path: "/policies/adminConsentRequestPolicy", single: true},
		{call: "policies.authenticationMethods", path: "/policies/authenticationMethodsPolicy", single: true},
		{call: "policies.crossTenantDefault", path: "/policies/crossTenantAccessPolicy/default", single: true},
	},
	"registrations": {{call: "reports.registrations", path: "/reports/authenticationMethods/userRegistrationDetails"}},
	"devices":       {{call: "managedDevices.list", path: "/deviceManagement/managedDevices"}},
	"sharing":       {{call: "sharepoint.settings", path: "/admin/sharepoint/settings", single: true}},
	"privileges": {
		{call: "roleManagement.definitions", path: "/roleManagement/directory/roleDefinitions"},
		{call: "roleManagement.assignments", path: "/roleManagement/directory/roleAssignments"},
		{call: "roleManagement.active", path: "/roleManagement/directory/roleAssignmentScheduleInstances"},
		{call: "roleManagement.eligible", path: "/roleManagement/directory/roleEligibilityScheduleInstances"},
	},
	"applications": {
		{call: "applications.list", path: "/applications"},
		{call: "servicePrincipals.list", path: "/servicePrincipals"},
		{call: "oauth2PermissionGrants.list", path: "/oauth2PermissionGrants"},
	},
	"settings_of_people": {
		{call: "organization.list", other: true, path: "/organization"},
		{call: "domains.list", other: true, path: "/domains"},
		{call: "subscribedSkus.list", other: true, path: "/subscribedSkus"},
		{call: "groups.list", path: "/groups"},
	},
}

// askState reads the paths of a source.
func (c *Collector) askState(source string) func(context.Context) error {
	return func(ctx context.Context) error {
		var refused []error
		for _, r := range reading[source] {
			if err := c.readPath(ctx, r, &refused); err != nil {
				return err
			}
		}
		more := map[string]func(context.Context, *[]error) error{"settings_of_people": c.askPeopleState, "applications": c.askGrants}[source]
		if more != nil {
			if err := more(ctx, &refused); err != nil {
				return err
			}
		}
		if len(refused) == 0 {
			return nil
		}
		return &partly{refused}
	}
}

// askPeopleState reads people, with when they last signed in where that is granted; and who is in the groups that policies name or
// that have roles.
func (c *Collector) askPeopleState(ctx context.Context, refused *[]error) error {
	with := read{call: "users.activity", path: "/users"}
	if roles, err := c.Graph.RolesFor(ctx, ""); err == nil && !slices.Contains(roles, "AuditLog.Read.All") {
		with.call = "users.settings"
	}
	before := len(*refused)
	if err := c.readPath(ctx, with, refused); err != nil {
		return err
	}
	if len(*refused) > before && with.call == "users.activity" { // no licence for it, say
		*refused = (*refused)[:before]
		if err := c.readPath(ctx, read{call: "users.settings", path: "/users"}, refused); err != nil {
			return err
		}
	}
	named := map[string]bool{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(named)
		groups := map[string]bool{}
		return each(ctx, t, func(scan func(...any) error) error {
			var path, id, body string
			if err := scan(&path, &id, &body); err != nil {
				return err
			}
			if path == "/groups" {
				groups[id] = true
				return nil
			}
			for _, g := range groupsNamed(body) {
				if groups[g] {
					named[g] = true
				}
			}
			return nil
		}, `select path, id, case when path = '/groups' then '' else body end from state_object where tenant = $1 and deleted = 0
			and (path in ('/groups', '/identity/conditionalAccess/policies') or path like '/roleManagement/directory/role%Instances' or path = '/roleManagement/directory/roleAssignments') order by path, id`)
	})
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(named) {
		if err := c.readPath(ctx, read{call: "groups.transitiveMembers", other: true, path: "/groups/" + id + "/transitiveMembers", params: graph.P{"group": id}}, refused); err != nil {
			return err
		}
	}
	return nil
}

// groupsNamed are the ids that stand in a policy's conditions, or as who has a role: some are groups.
func groupsNamed(body string) []string {
	var o struct {
		PrincipalID string `json:"principalId"`
		Conditions  struct {
			Users struct {
				Include []string `json:"includeGroups"`
				Exclude []string `json:"excludeGroups"`
			} `json:"users"`
		} `json:"conditions"`
	}
	_ = json.Unmarshal([]byte(body), &o) // what it does not tell names nobody
	return append(slices.Concat(o.Conditions.Users.Include, o.Conditions.Users.Exclude), o.PrincipalID)
}

// askGrants reads who holds the permissions of Microsoft's own services.
func (c *Collector) askGrants(ctx context.Context, refused *[]error) error {
	var services []string
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		services = services[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var id, body string
			if err := scan(&id, &body); err != nil {
				return err
			}
			var p struct {
				AppID string `json:"appId"`
			}
			if json.Unmarshal([]byte(body), &p) == nil && slices.Contains([]string{graph.GraphAppID, "00000002-0000-0ff1-ce00-000000000000", "00000003-0000-0ff1-ce00-000000000000"}, p.AppID) {
				services = append(services, id)
			}
			return nil
		}, `select id, body from state_object where tenant = $1 and path = '/servicePrincipals' and deleted = 0 order by id`)
	})
	if err != nil {
		return err
	}
	for _, id := range services {
		if err := c.readPath(ctx, read{call: "servicePrincipals.appRoleAssignedTo", path: "/servicePrincipals/" + id + "/appRoleAssignedTo", params: graph.P{"principal": id}}, refused); err != nil {
			return err
		}
	}
	return nil
}

// stateObject is an object as it is kept.
type stateObject struct{ id, name, body, hash string }

// readPath reads a path whole and keeps it. A refusal is added to refused and noted on the path; another failure ends the round.
func (c *Collector) readPath(ctx context.Context, r read, refused *[]error) error {
	var objects []stateObject
	take := func(raw json.RawMessage) {
		objects = append(objects, objectOf(raw, r.path))
	}
	var failed error
	if r.single {
		var raw json.RawMessage
		if failed = c.Graph.Get(ctx, r.call, r.params, &raw); failed == nil {
			take(raw)
		}
	} else {
		for raw, err := range graph.Pages[json.RawMessage](ctx, c.Graph, r.call, r.params) {
			if failed = err; err != nil {
				break
			}
			take(raw)
		}
	}
	denied, isDenied := errors.AsType[*graph.Denied](failed)
	_, gone := errors.AsType[*graph.NotFound](failed)
	switch {
	case failed == nil:
		return c.keepPath(ctx, r.path, objects)
	case isDenied || gone:
		reason := posture.Permission
		if isDenied && (strings.Contains(denied.Code, "NonPremium") || strings.Contains(strings.ToLower(denied.Message), "license")) {
			reason = posture.Licence
		}
		if !r.other {
			*refused = append(*refused, failed)
		}
		return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			_, err := t.Exec(ctx, `insert into state_path (tenant, path, read_at, changed, reason, because) values ($1, $2, 0, $3, $4, $5)
				on conflict (tenant, path) do update set changed = case when state_path.reason = excluded.reason then state_path.changed else excluded.changed end, reason = excluded.reason, because = excluded.because`,
				r.path, tocsin.Millis(c.Store.Clock().Now()), string(reason), Explain(failed).What)
			return err
		})
	}
	return failed
}

// objectOf is an object as it is kept: without what tells of the answer alone, and with its members in one order.
func objectOf(raw json.RawMessage, path string) stateObject {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		members = map[string]json.RawMessage{}
	}
	for name := range members {
		if strings.HasPrefix(name, "@odata.") && name != "@odata.type" {
			delete(members, name)
		}
	}
	text := func(name string) (s string) {
		_ = json.Unmarshal(members[name], &s) // null, or another type, is none
		return s
	}
	body, err := json.Marshal(members)
	if err != nil {
		body = []byte("{}")
	}
	sum := sha256.Sum256(body)
	o := stateObject{id: text("id"), body: string(body), hash: hex.EncodeToString(sum[:12])}
	for _, name := range []string{"displayName", "deviceName", "userDisplayName", "userPrincipalName", "principalDisplayName"} {
		if o.name == "" {
			o.name = text(name)
		}
	}
	if o.id == "" {
		o.id = path[strings.LastIndexByte(path, '/')+1:]
	}
	return o
}

// keepPath writes what changed of a path since it was last read.
func (c *Collector) keepPath(ctx context.Context, path string, objects []stateObject) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	had := map[string]string{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(had)
		return each(ctx, t, func(scan func(...any) error) error {
			var id, hash string
			err := scan(&id, &hash)
			had[id] = hash
			return err
		}, `select id, hash from state_object where tenant = $1 and path = $2 and deleted = 0`, path)
	})
	if err != nil {
		return err
	}
	var news []stateObject
	for _, o := range objects {
		if hash, ok := had[o.id]; !ok || hash != o.hash {
			news = append(news, o)
		}
		delete(had, o.id)
	}
	gone := sortedKeys(had)
	for some := range slices.Chunk(news, 500) {
		err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			for _, o := range some {
				if _, err := t.Exec(ctx, `insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, $2, $3, $4, $5, $6, $7, $7, 0)
					on conflict (tenant, path, id) do update set name = excluded.name, body = excluded.body, hash = excluded.hash, changed = excluded.changed, deleted = 0`,
					path, o.id, o.name, o.body, o.hash, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		for _, id := range gone {
			if _, err := t.Exec(ctx, `update state_object set deleted = $4, changed = $4 where tenant = $1 and path = $2 and id = $3`, path, id, now); err != nil {
				return err
			}
		}
		changed := int64(0)
		if len(news)+len(gone) > 0 {
			changed = now
		}
		if _, err := t.Exec(ctx, `insert into state_path (tenant, path, read_at, changed, reason, because) values ($1, $2, $3, $3, '', '')
			on conflict (tenant, path) do update set read_at = excluded.read_at, reason = '', because = '',
				changed = case when cast($4 as bigint) > 0 or state_path.reason <> '' then excluded.changed else state_path.changed end`, path, now, changed); err != nil {
			return err
		}
		if changed == 0 {
			return nil
		}
		return t.Append(ctx, store.Fact{Kind: "state.changed", Subject: path})
	})
}
