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

func (s *Sim) graphPrincipal() obj {
	var roles []any
	for _, p := range permission.All {
		if p.App != "" {
			continue
		}
		roles = append(roles, obj{{"allowedMemberTypes", []string{"Application"}}, {"description", p.Name}, {"displayName", p.Name},
			{"id", p.ID}, {"isEnabled", true}, {"origin", "Application"}, {"value", p.Name}})
	}
	return s.principalObject(s.world.seed.guid(askApp, 6), graphID, "Microsoft Graph", "f8cdef31-a31e-4b4a-93e4-5f571e91255a", true, roles)
}

func (s *Sim) ownPrincipal() (o obj, gone bool) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	return s.principalObject(s.app.objectID, s.app.id, s.app.name, s.cfg.Tenant, !s.app.disabled, []any{}), s.app.removed
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
	all := []obj{s.graphPrincipal()}
	if own, gone := s.ownPrincipal(); !gone {
		all = append(all, own)
	}
	return all
}

func (s *Sim) principals(r *request) reply {
	all := s.allPrincipals()
	return s.list(r, list{context: "servicePrincipals", props: principalProperties, total: len(all), page: 100, max: 999,
		at: func(i int) (item, bool) { return whole(all[i]), true }})
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

// granted are the application permissions consented to our application, as assignments.
func (s *Sim) grantedAssignments() []obj {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	var out []obj
	for _, name := range s.app.roles {
		id := roleID(name)
		out = append(out, obj{{"id", strings.ReplaceAll(id, "-", "")[:22] + "-A"}, {"deletedDateTime", nil}, {"appRoleId", id},
			{"createdDateTime", s.app.consented.Format(time.RFC3339Nano)}, {"principalDisplayName", s.app.name}, {"principalId", s.app.objectID},
			{"principalType", "ServicePrincipal"}, {"resourceDisplayName", "Microsoft Graph"}, {"resourceId", s.world.seed.guid(askApp, 6)}})
	}
	return out
}

func (s *Sim) assignmentsOf(r *request, appID string) reply {
	o := s.principal(r.vars[0])
	if o == nil {
		return s.notFound(r, r.vars[0])
	}
	var all []obj
	if o.text("appId") == appID {
		all = s.grantedAssignments()
	}
	return s.list(r, list{context: "appRoleAssignments", props: assignmentProperties, total: len(all), page: 100, max: 999,
		at: func(i int) (item, bool) { return whole(all[i]), true }})
}

func (s *Sim) assignments(r *request) reply { return s.assignmentsOf(r, s.app.id) }

func (s *Sim) assignedTo(r *request) reply { return s.assignmentsOf(r, graphID) }

// grants are the delegated permissions that people consented to: none of ours.
func (s *Sim) grants(r *request) reply {
	return s.list(r, list{context: "oauth2PermissionGrants", props: grantProperties, page: 100, max: 999})
}

// application is the app registration, with what is told of its secrets and certificates. One that never ends is told to
// end two years after the simulator's world began.
func (s *Sim) application() obj {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	begun := s.world.start
	secrets := append([]otherSecret{{s.app.secret, s.app.secretEnds}}, s.app.others...)
	var passwords, keys []any
	for i, c := range secrets {
		ends := c.ends
		if ends.IsZero() {
			ends = begun.AddDate(2, 0, 0)
		}
		passwords = append(passwords, obj{{"customKeyIdentifier", nil}, {"displayName", "Tocsin"}, {"endDateTime", ends.UTC().Format(time.RFC3339)},
			{"hint", c.value[:min(3, len(c.value))]}, {"keyId", s.world.seed.guid(askApp, 20+i)}, {"secretText", nil}, {"startDateTime", begun.UTC().Format(time.RFC3339)}})
	}
	for i, c := range s.app.certs {
		print := sha1.Sum(c.Raw)
		keys = append(keys, obj{{"customKeyIdentifier", base64.StdEncoding.EncodeToString(print[:])}, {"displayName", c.Subject.String()}, {"endDateTime", c.NotAfter.UTC().Format(time.RFC3339)},
			{"keyId", s.world.seed.guid(askApp, 120+i)}, {"startDateTime", c.NotBefore.UTC().Format(time.RFC3339)}, {"type", "AsymmetricX509Cert"}, {"usage", "Verify"}, {"key", nil}})
	}
	return obj{{"id", s.world.seed.guid(askApp, 8)}, {"deletedDateTime", nil}, {"appId", s.app.id}, {"displayName", s.app.name}, {"createdDateTime", begun.UTC().Format(time.RFC3339)},
		{"signInAudience", "AzureADMyOrg"}, {"identifierUris", []any{}}, {"keyCredentials", keys}, {"passwordCredentials", passwords}}
}

func (s *Sim) oneApplication(r *request) reply {
	o := s.application()
	appID, named := cutFold(r.vars[0], "appId=")
	s.app.mu.Lock()
	gone := s.app.removed
	s.app.mu.Unlock()
	if gone || !(named && strings.EqualFold(o.text("appId"), strings.Trim(appID, "'")) || !named && strings.EqualFold(o.text("id"), r.vars[0])) {
		return s.notFound(r, r.vars[0])
	}
	return s.object(r, "applications", applicationProperties, nil, whole(o))
}
