package sim

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"time"

	"tocsin.dev/graph/permission"
)

// roleID is the id of an application permission; one that is not in the table gets an id of its own, always the same.
func roleID(name string) string {
	if p, ok := permission.Find(name); ok && p.ID != "" {
		return p.ID
	}
	h := seed(0)
	for _, c := range name {
		h = seed(mix(uint64(h) + uint64(c)))
	}
	return h.guid(askApp, 7)
}

// services are those whose permissions an application can be granted, as the tenant's principals name them.
var services = []struct {
	id, name string
	seed     int
}{{graphID, "Microsoft Graph", 6}, {permission.Exchange, "Office 365 Exchange Online", 11}, {permission.Management, "Office 365 Management APIs", 12}}

// servicePrincipal is a service's own principal, with the permissions it can grant.
func (s *Sim) servicePrincipal(id, name string, n int) obj {
	var roles []any
	for _, p := range permission.All {
		if p.Service() != id {
			continue
		}
		roles = append(roles, obj{{"allowedMemberTypes", []string{"Application"}}, {"description", p.Name}, {"displayName", p.Name},
			{"id", roleID(p.Name)}, {"isEnabled", true}, {"origin", "Application"}, {"value", p.Name}})
	}
	return s.principalObject(s.world.seed.guid(askApp, n), id, name, "f8cdef31-a31e-4b4a-93e4-5f571e91255a", true, roles)
}

func (s *Sim) ownPrincipal(a *app) (o obj, gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return s.principalObject(a.objectID, a.id, a.name, s.cfg.Tenant, !a.disabled, []any{}), a.removed
}

func (s *Sim) principalObject(id, appID, name, owner string, enabled bool, roles []any) obj {
	return obj{{"id", id}, {"deletedDateTime", nil}, {"accountEnabled", enabled}, {"alternativeNames", []any{}}, {"appDescription", nil},
		{"appDisplayName", name}, {"appId", appID}, {"applicationTemplateId", nil}, {"appOwnerOrganizationId", owner},
		{"appRoleAssignmentRequired", false}, {"description", nil}, {"disabledByMicrosoftStatus", nil}, {"displayName", name},
		{"homepage", nil}, {"loginUrl", nil}, {"logoutUrl", nil}, {"notes", nil}, {"notificationEmailAddresses", []any{}},
		{"preferredSingleSignOnMode", nil}, {"preferredTokenSigningKeyThumbprint", nil}, {"replyUrls", []any{}},
		{"servicePrincipalNames", []string{appID}}, {"servicePrincipalType", "Application"}, {"signInAudience", "AzureADMyOrg"},
		{"tags", []any{}}, {"tokenEncryptionKeyId", nil}, {"samlSingleSignOnSettings", nil}, {"addIns", []any{}}, {"appRoles", roles},
		{"info", nil}, {"keyCredentials", []any{}}, {"oauth2PermissionScopes", []any{}}, {"passwordCredentials", []any{}},
		{"resourceSpecificApplicationPermissions", []any{}}, {"verifiedPublisher", nil}}
}

func (s *Sim) allPrincipals() []obj {
	var all []obj
	for _, v := range services {
		all = append(all, s.servicePrincipal(v.id, v.name, v.seed))
	}
	for _, a := range s.apps() {
		if own, gone := s.ownPrincipal(a); !gone {
			all = append(all, own)
		}
	}
	return all
}

func (s *Sim) principals(r *request) reply {
	all := s.allPrincipals()
	return s.list(r, list{context: "servicePrincipals", props: principalProperties, total: len(all), page: 100, max: 999,
		at: func(i int) (item, bool) { return s.owned(whole(all[i]), nil), true }})
}

// owned is an object with its owners, where they are asked for.
func (s *Sim) owned(it item, owners []string) item {
	it.expand = func(e expansion) any {
		if e.name != "owners" {
			return nil
		}
		return s.expanded(owners, e.sel)
	}
	return it
}

// principal is the one a path names by its id or as appId='…'; nil where there is none.
func (s *Sim) principal(key string) obj {
	for _, o := range s.allPrincipals() {
		appID, named := cutFold(key, "appId=")
		if !named && strings.EqualFold(o.text("id"), key) || named && strings.EqualFold(o.text("appId"), strings.Trim(appID, "'")) {
			return o
		}
	}
	return nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func (s *Sim) onePrincipal(r *request) reply {
	o := s.principal(r.vars[0])
	if o == nil {
		return s.notFound(r, r.vars[0])
	}
	return s.object(r, "servicePrincipals", principalProperties, nil, whole(o))
}

// grantedAssignments are the application permissions consented to applications, as assignments.
func (s *Sim) grantedAssignments(apps []*app, by func(service string) bool) []obj {
	var out []obj
	for _, a := range apps {
		a.mu.Lock()
		for _, name := range a.roles {
			service := services[0]
			for _, v := range services {
				if p, _ := permission.Find(name); p.Service() == v.id {
					service = v
				}
			}
			if !by(service.id) {
				continue
			}
			id := roleID(name)
			out = append(out, obj{{"id", strings.ReplaceAll(id, "-", "")[:22] + "-A"}, {"deletedDateTime", nil}, {"appRoleId", id},
				{"createdDateTime", a.consented.Format(time.RFC3339Nano)}, {"principalDisplayName", a.name}, {"principalId", a.objectID},
				{"principalType", "ServicePrincipal"}, {"resourceDisplayName", service.name}, {"resourceId", s.world.seed.guid(askApp, service.seed)}})
		}
		a.mu.Unlock()
	}
	return out
}

func (s *Sim) assignmentList(r *request, of func(appID string) []obj) reply {
	o := s.principal(r.vars[0])
	if o == nil {
		return s.notFound(r, r.vars[0])
	}
	all := of(o.text("appId"))
	return s.list(r, list{context: "appRoleAssignments", props: assignmentProperties, total: len(all), page: 100, max: 999,
		at: func(i int) (item, bool) { return whole(all[i]), true }})
}

// assignments are the permissions of an application.
func (s *Sim) assignments(r *request) reply {
	return s.assignmentList(r, func(id string) []obj {
		var own []*app
		if a := s.appBy(id); a.id == id {
			own = append(own, a)
		}
		return s.grantedAssignments(own, func(string) bool { return true })
	})
}

// assignedTo are the permissions of a service that applications have.
func (s *Sim) assignedTo(r *request) reply {
	return s.assignmentList(r, func(id string) []obj {
		return s.grantedAssignments(s.apps(), func(service string) bool { return service == id })
	})
}

// application is the app registration, with what is told of its secrets and certificates. One that never ends is told to
// end two years after the simulator's world began.
func (s *Sim) application() obj { return s.applicationOf(s.app, 8, 0) }

func (s *Sim) applicationOf(a *app, n, keyed int) obj {
	a.mu.Lock()
	defer a.mu.Unlock()
	begun := s.world.start
	secrets := append([]otherSecret{{a.secret, a.secretEnds}}, a.others...)
	var passwords, keys []any
	for i, c := range secrets {
		ends := c.ends
		if ends.IsZero() {
			ends = begun.AddDate(2, 0, 0)
		}
		passwords = append(passwords, obj{{"customKeyIdentifier", nil}, {"displayName", "Tocsin"}, {"endDateTime", ends.UTC().Format(time.RFC3339)},
			{"hint", c.value[:min(3, len(c.value))]}, {"keyId", s.world.seed.guid(askApp, keyed+20+i)}, {"secretText", nil}, {"startDateTime", begun.UTC().Format(time.RFC3339)}})
	}
	for i, c := range a.certs {
		print := sha1.Sum(c.Raw)
		keys = append(keys, obj{{"customKeyIdentifier", base64.StdEncoding.EncodeToString(print[:])}, {"displayName", c.Subject.String()}, {"endDateTime", c.NotAfter.UTC().Format(time.RFC3339)},
			{"keyId", s.world.seed.guid(askApp, keyed+120+i)}, {"startDateTime", c.NotBefore.UTC().Format(time.RFC3339)}, {"type", "AsymmetricX509Cert"}, {"usage", "Verify"}, {"key", nil}})
	}
	return obj{{"id", s.world.seed.guid(askApp, n)}, {"deletedDateTime", nil}, {"appId", a.id}, {"displayName", a.name}, {"createdDateTime", begun.UTC().Format(time.RFC3339)},
		{"signInAudience", "AzureADMyOrg"}, {"identifierUris", []any{}}, {"keyCredentials", keys}, {"passwordCredentials", passwords}}
}

func (s *Sim) oneApplication(r *request) reply {
	appID, named := cutFold(r.vars[0], "appId=")
	for i, a := range s.apps() {
		a.mu.Lock()
		gone := a.removed
		a.mu.Unlock()
		o := s.application()
		if i > 0 {
			o = s.applicationOf(a, 10_000+i, 1000*i)
		}
		if !gone && (named && strings.EqualFold(a.id, strings.Trim(appID, "'")) || !named && strings.EqualFold(o.text("id"), r.vars[0])) {
			return s.object(r, "applications", applicationProperties, nil, whole(o))
		}
	}
	return s.notFound(r, r.vars[0])
}
