package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// What a tenant is set to is kept as Graph has it, object by object under the path that lists it (table state_object), and judged
// by package posture. A round writes only what changed. A path that is refused keeps what was known of it, and says why.

// read reads one path.
type read struct {
	call    string
	path    string // under which it is kept
	params  graph.P
	single  bool     // one object, not a list
	other   bool     // another source makes the call as well, and tells what it is refused
	changes string   // the call that tells what changed since; none: all of it is read each time
	only    []string // the members that are kept; none: all
}

// rolesOfDirectory are how roles of the whole directory are taken; Graph wants it told.
const rolesOfDirectory = "scopeId eq '/' and scopeType eq 'DirectoryRole'"

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
		{call: "policies.crossTenantPartners", path: "/policies/crossTenantAccessPolicy/partners"},
		{call: "policies.invitations", path: "/policies/b2bManagementPolicies"},
		{call: "policies.strengths", path: "/policies/authenticationStrengthPolicies"},
		{call: "policies.timeouts", path: "/policies/activityBasedTimeoutPolicies"},
		{call: "policies.appManagement", path: "/policies/defaultAppManagementPolicy", single: true},
		{call: "policies.deviceRegistration", path: "/policies/deviceRegistrationPolicy", single: true},
	},
	"registrations": {{call: "reports.registrations", path: "/reports/authenticationMethods/userRegistrationDetails"}},
	"devices": {
		{call: "managedDevices.list", path: "/deviceManagement/managedDevices"},
		{call: "compliancePolicies.list", path: "/deviceManagement/deviceCompliancePolicies"},
		{call: "deviceManagement.get", path: "/deviceManagement", single: true},
	},
	"joined": {{call: "devices.list", path: "/devices"}},
	"sites": {
		{call: "sites.list", path: "/sites"},
		{call: "reports.siteUsage", path: "/reports/getSharePointSiteUsageDetail", params: graph.P{"$format": "application/json"},
			only: []string{"siteId", "siteUrl", "isDeleted", "externalSharing", "anonymousLinkCount", "companyLinkCount", "secureLinkForGuestCount"}},
	},
	"sharing": {{call: "sharepoint.settings", path: "/admin/sharepoint/settings", single: true}},
	"privileges": {
		{call: "roleManagement.definitions", path: "/roleManagement/directory/roleDefinitions"},
		{call: "roleManagement.assignments", path: "/roleManagement/directory/roleAssignments"},
		{call: "roleManagement.active", path: "/roleManagement/directory/roleAssignmentScheduleInstances"},
		{call: "roleManagement.eligible", path: "/roleManagement/directory/roleEligibilityScheduleInstances"},
		{call: "roleManagement.policies", path: "/policies/roleManagementPolicyAssignments", params: graph.P{"$filter": rolesOfDirectory}},
	},
	"applications": {
		{call: "applications.list", path: "/applications"},
		{call: "servicePrincipals.list", path: "/servicePrincipals"},
		{call: "oauth2PermissionGrants.list", path: "/oauth2PermissionGrants"},
		{call: "reports.appActivity", path: "/reports/servicePrincipalSignInActivities"},
	},
	"settings_of_people": {
		{call: "organization.list", other: true, path: "/organization"},
		{call: "domains.list", other: true, path: "/domains"},
		{call: "subscribedSkus.list", other: true, path: "/subscribedSkus"},
		{call: "groupSettings.list", path: "/groupSettings"},
		{call: "synchronization.list", path: "/directory/onPremisesSynchronization"},
		{call: "groups.list", path: "/groups", changes: "groups.changes"},
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
		if source == "applications" {
			if err := relistApps(ctx, c.Store, c.Tenant); err != nil {
				return err
			}
		}
		if len(refused) == 0 {
			return nil
		}
		return &partly{refused}
	}
}

// fewGroups is up to how many groups a tenant has the members of all of them read: each costs a request a round.
const fewGroups = 100

// askPeopleState reads people, with when they last signed in where that is granted; and who is in the groups that policies name or
// that have roles, or in all where they are few.
func (c *Collector) askPeopleState(ctx context.Context, refused *[]error) error {
	with := read{call: "users.activity", path: "/users", changes: "users.changes"}
	if roles, err := c.Graph.RolesFor(ctx, ""); err == nil && !slices.Contains(roles, "AuditLog.Read.All") {
		with.call = "users.settings"
	}
	before := len(*refused)
	if err := c.readPath(ctx, with, refused); err != nil {
		return err
	}
	if len(*refused) > before && with.call == "users.activity" { // no licence for it, say
		*refused = (*refused)[:before]
		with.call = "users.settings"
		if err := c.readPath(ctx, with, refused); err != nil {
			return err
		}
	}
	named := map[string]bool{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(named)
		groups := map[string]bool{}
		err := each(ctx, t, func(scan func(...any) error) error {
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
		if len(groups) <= fewGroups {
			maps.Copy(named, groups)
		}
		return err
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
type stateObject struct{ id, name, about, body, hash string }

// wholeAfter is after how long a path is read whole again of which otherwise the changes are asked for. When people last signed in is
// told by no change.
const wholeAfter = 24 * time.Hour

// readPath reads a path and keeps it: what changed since, where that can be asked, else all of it. A refusal is added to refused and
// noted on the path; another failure ends the round. What no permission is granted for is not asked, and noted.
func (c *Collector) readPath(ctx context.Context, r read, refused *[]error) error {
	call := graph.Find(r.call)
	if roles, err := c.Graph.RolesFor(ctx, ""); err == nil && !slices.ContainsFunc(call.Permissions, func(p string) bool { return slices.Contains(roles, p) }) {
		return c.notePath(ctx, r.path, posture.Permission, "The permission "+call.Permissions[0]+" is not granted.")
	}
	failed := c.readNow(ctx, r)
	reason, why := whyRefused(failed)
	if reason == "" {
		return failed
	}
	if !r.other && reason != posture.NotCollected {
		*refused = append(*refused, failed)
	}
	return c.notePath(ctx, r.path, reason, why)
}

// whyRefused is why a path cannot be read, with a sentence; none where it is not refused, but failed.
func whyRefused(err error) (posture.Reason, string) {
	licence := func(code, message string) bool {
		return strings.Contains(code, "Premium") || strings.Contains(strings.ToLower(message), "license")
	}
	if e, ok := errors.AsType[*graph.Denied](err); ok {
		if licence(e.Code, e.Message) {
			return posture.Licence, Explain(err).What
		}
		return posture.Permission, Explain(err).What
	}
	if e, ok := errors.AsType[*graph.Failed](err); ok && licence(e.Code, e.Message) {
		return posture.Licence, "The tenant has no licence that it is part of."
	}
	if _, ok := errors.AsType[*graph.NotFound](err); ok {
		return posture.NotCollected, "Microsoft Graph does not offer it for this tenant."
	}
	return "", ""
}

// notePath notes why a path is not read.
func (c *Collector) notePath(ctx context.Context, path string, reason posture.Reason, why string) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into state_path (tenant, path, read_at, changed, reason, because, edition) values ($1, $2, 0, $3, $4, $5, 1)
			on conflict (tenant, path) do update set changed = case when state_path.reason = excluded.reason then state_path.changed else excluded.changed end,
				edition = case when state_path.reason = excluded.reason then state_path.edition else state_path.edition + 1 end, reason = excluded.reason, because = excluded.because`,
			path, tocsin.Millis(c.Store.Clock().Now()), string(reason), why)
		return err
	})
}

// readNow asks for a path and keeps what it gives.
func (c *Collector) readNow(ctx context.Context, r read) error {
	k := keeping{path: r.path}
	if r.changes != "" {
		token, whole, err := c.pathToken(ctx, r.path)
		if err != nil {
			return err
		}
		if token != "" && c.Store.Clock().Now().Sub(whole) < wholeAfter {
			err := c.readChanges(ctx, r, token)
			if _, gone := errors.AsType[*graph.Gone](err); !gone {
				return err
			}
			c.Log.Info("reading all again", "tenant", c.Tenant, "path", r.path, "because", err)
		}
		// From where changes are told is asked before all is read, so that none between the two is lost.
		round := graph.Delta[struct{}](ctx, c.Graph, r.changes, graph.P{"$deltatoken": "latest"}, "")
		for _, err := range round.All() {
			if err != nil {
				return err
			}
		}
		k.token = round.Token()
	}
	if r.single {
		var raw json.RawMessage
		if err := c.Graph.Get(ctx, r.call, r.params, &raw); err != nil {
			return err
		}
		k.objects = append(k.objects, objectOf(raw, r.path))
		return c.keepPath(ctx, k)
	}
	for raw, err := range graph.Pages[json.RawMessage](ctx, c.Graph, r.call, r.params) {
		if err != nil {
			return err
		}
		k.objects = append(k.objects, objectOf(onlyMembers(raw, r.only), r.path))
	}
	return c.keepPath(ctx, k)
}

// onlyMembers is an object with some of its members, or with all where none are named.
func onlyMembers(raw json.RawMessage, names []string) json.RawMessage {
	var members map[string]json.RawMessage
	if len(names) == 0 || json.Unmarshal(raw, &members) != nil {
		return raw
	}
	for name := range members {
		if !slices.Contains(names, name) {
			delete(members, name)
		}
	}
	out, err := json.Marshal(members)
	if err != nil {
		return raw // of texts by names there is always one
	}
	return out
}

// pathToken is where a path's next round of changes begins, and when it was last read whole.
func (c *Collector) pathToken(ctx context.Context, path string) (token string, whole time.Time, err error) {
	var at int64
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		err := t.QueryRow(ctx, `select token, whole from state_path where tenant = $1 and path = $2 and reason = ''`, path).Scan(&token, &at)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return token, tocsin.FromMillis(at), err
}

// readChanges asks what changed of a path since the token, and puts it into what is held: a change may tell an object in part.
func (c *Collector) readChanges(ctx context.Context, r read, token string) error {
	k := keeping{path: r.path, changes: true}
	told := map[string]json.RawMessage{}
	var order []string
	round := graph.Delta[struct{}](ctx, c.Graph, r.changes, nil, token)
	for ch, err := range round.All() {
		if err != nil {
			return err
		}
		if told[ch.ID] == nil {
			order = append(order, ch.ID)
		}
		if ch.Removed != "" {
			told[ch.ID] = json.RawMessage("null")
			continue
		}
		told[ch.ID] = withChange(told[ch.ID], ch.Raw)
	}
	held := map[string]json.RawMessage{}
	for some := range slices.Chunk(order, 500) {
		err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			return each(ctx, t, func(scan func(...any) error) error {
				var id, body string
				err := scan(&id, &body)
				held[id] = json.RawMessage(body)
				return err
			}, `select id, body from state_object where tenant = $1 and path = $2 and deleted = 0 and id in (`+store.In(len(some), 3)+`)`, append([]any{r.path}, anys(some)...)...)
		})
		if err != nil {
			return err
		}
	}
	for _, id := range order {
		if string(told[id]) == "null" {
			k.gone = append(k.gone, id)
		} else {
			k.objects = append(k.objects, objectOf(withChange(held[id], told[id]), r.path))
		}
	}
	k.token = round.Token()
	return c.keepPath(ctx, k)
}

// withChange is an object, if one is held, with what a change tells of it. What the change says of itself is left out.
func withChange(held, change json.RawMessage) json.RawMessage {
	into, from := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	_ = json.Unmarshal(held, &into) // none is held, or it was removed before in the same round
	if into == nil || json.Unmarshal(change, &from) != nil {
		into = map[string]json.RawMessage{}
	}
	for name, value := range from {
		if !strings.HasPrefix(name, "@") {
			into[name] = value
		}
	}
	out, err := json.Marshal(into)
	if err != nil {
		return change // of texts by names there is always one
	}
	return out
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
	o := stateObject{id: text("id"), body: string(body)}
	told := body
	if path == "/deviceManagement/managedDevices" {
		o.about = strings.ToLower(text("userId"))
		told = append(slices.Clip(body), o.about...) // what an earlier version kept without it is written anew
	}
	sum := sha256.Sum256(told)
	o.hash = hex.EncodeToString(sum[:12])
	for _, name := range []string{"tenantId", "siteId"} { // of what has no id of its own
		if o.id == "" {
			o.id = text(name)
		}
	}
	for _, name := range []string{"displayName", "deviceName", "userDisplayName", "userPrincipalName", "principalDisplayName", "siteUrl"} {
		if o.name == "" {
			o.name = text(name)
		}
	}
	if o.id == "" {
		o.id = path[strings.LastIndexByte(path, '/')+1:]
	}
	return o
}

// keeping is what a round brought of a path: all of it, or the changes.
type keeping struct {
	path    string
	objects []stateObject
	changes bool
	gone    []string // of changes: what is no longer there
	token   string   // where the next round of changes begins
}

// keepPath writes what changed of a path since it was last read.
func (c *Collector) keepPath(ctx context.Context, k keeping) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	had, err := c.hashes(ctx, k)
	if err != nil {
		return err
	}
	var news []stateObject
	for _, o := range k.objects {
		if hash, ok := had[o.id]; !ok || hash != o.hash {
			news = append(news, o)
		}
		delete(had, o.id)
	}
	gone := k.gone
	if !k.changes {
		gone = sortedKeys(had)
	}
	for some := range slices.Chunk(news, 500) {
		err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			for _, o := range some {
				if _, err := t.Exec(ctx, `insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted, about) values ($1, $2, $3, $4, $5, $6, $7, $7, 0, $8)
					on conflict (tenant, path, id) do update set name = excluded.name, about = excluded.about, body = excluded.body, hash = excluded.hash, changed = excluded.changed, deleted = 0`,
					k.path, o.id, o.name, o.body, o.hash, now, o.about); err != nil {
					return err
				}
			}
			// What rests on the path is judged anew, though the round may end here: the next finds nothing new in these.
			if _, err := t.Exec(ctx, `update state_path set edition = edition + 1, changed = $3, listed = case when cast($4 as bigint) = 0 then 0 else listed end where tenant = $1 and path = $2`, k.path, now, listedAs(k.path)); err != nil {
				return err
			}
			return relist(ctx, t, listKinds[k.path], idsOf(some))
		})
		if err != nil {
			return err
		}
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		for _, id := range gone {
			if _, err := t.Exec(ctx, `update state_object set deleted = $4, changed = $4 where tenant = $1 and path = $2 and id = $3 and deleted = 0`, k.path, id, now); err != nil {
				return err
			}
		}
		if err := relist(ctx, t, listKinds[k.path], gone); err != nil {
			return err
		}
		changed, whole := int64(0), now
		if len(news)+len(gone) > 0 {
			changed = now
		}
		if k.changes {
			whole = 0
		}
		if _, err := t.Exec(ctx, `insert into state_path (tenant, path, read_at, changed, reason, because, token, whole, edition, listed) values ($1, $2, $3, $3, '', '', $5, $6, 1, $7)
			on conflict (tenant, path) do update set read_at = excluded.read_at, reason = '', because = '', token = excluded.token,
				whole = case when excluded.whole > 0 then excluded.whole else state_path.whole end,
				changed = case when cast($4 as bigint) > 0 or state_path.reason <> '' then excluded.changed else state_path.changed end,
				edition = case when cast($4 as bigint) > 0 or state_path.reason <> '' then state_path.edition + 1 else state_path.edition end,
				listed = case when cast($4 as bigint) > 0 and cast($7 as bigint) = 0 then 0 else state_path.listed end`, k.path, now, changed, k.token, whole, listedAs(k.path)); err != nil {
			return err
		}
		if changed == 0 {
			return nil
		}
		return t.Append(ctx, store.Fact{Kind: "state.changed", Subject: k.path})
	})
}

// hashes are those of the objects that are held: of the changed ones, or of all.
func (c *Collector) hashes(ctx context.Context, k keeping) (map[string]string, error) {
	had := map[string]string{}
	take := func(scan func(...any) error) error {
		var id, hash string
		err := scan(&id, &hash)
		had[id] = hash
		return err
	}
	const query = `select id, hash from state_object where tenant = $1 and path = $2 and deleted = 0`
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(had)
		if !k.changes {
			return each(ctx, t, take, query, k.path)
		}
		for some := range slices.Chunk(k.objects, 500) {
			args := []any{k.path}
			for _, o := range some {
				args = append(args, o.id)
			}
			if err := each(ctx, t, take, query+` and id in (`+store.In(len(some), 3)+`)`, args...); err != nil {
				return err
			}
		}
		return nil
	})
	return had, err
}
