package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin.dev/story"
)

func (s *Sim) organizations(r *request) reply {
	return s.list(r, list{context: "organization", props: organizationProperties, total: 1,
		at: func(int) (item, bool) { return whole(s.world.organization()), true }})
}

func (s *Sim) organization(r *request) reply {
	if !strings.EqualFold(r.vars[0], s.cfg.Tenant) {
		return s.notFound(r, r.vars[0])
	}
	return s.object(r, "organization", organizationProperties, nil, whole(s.world.organization()))
}

func (w *world) organization() obj {
	var verified []any
	for _, d := range w.domains() {
		verified = append(verified, obj{{"capabilities", "Email, OfficeCommunicationsOnline"}, {"isDefault", d.isDefault},
			{"isInitial", d.isInitial}, {"name", d.name}, {"type", "Managed"}})
	}
	plan := func(service, id string) obj {
		return obj{{"assignedDateTime", time.Date(2024, 2, 1, 8, 0, 0, 0, time.UTC)}, {"capabilityStatus", "Enabled"}, {"service", service}, {"servicePlanId", id}}
	}
	return obj{{"id", w.tenant}, {"deletedDateTime", nil}, {"businessPhones", []string{"+31 10 555 0100"}}, {"city", "Rotterdam"},
		{"country", nil}, {"countryLetterCode", "NL"}, {"createdDateTime", time.Date(2017, 2, 27, 9, 0, 0, 0, time.UTC)},
		{"defaultUsageLocation", nil}, {"displayName", w.name}, {"marketingNotificationEmails", []any{}},
		{"onPremisesLastSyncDateTime", w.start.Add(-40 * time.Minute)}, {"onPremisesSyncEnabled", true}, {"postalCode", "3089 JW"},
		{"preferredLanguage", "en"}, {"securityComplianceNotificationMails", []any{}}, {"securityComplianceNotificationPhones", []any{}},
		{"state", nil}, {"street", "Waalhaven 12"}, {"technicalNotificationMails", []string{"it@" + w.domain}}, {"tenantType", "AAD"},
		{"privacyProfile", nil}, {"assignedPlans", []any{plan("exchange", planExchange), plan("AADPremiumService", planEntraP1), plan("AADPremiumService", planEntraP2)}},
		{"provisionedPlans", []any{}}, {"verifiedDomains", verified}}
}

type domainName struct {
	name                 string
	isDefault, isInitial bool
}

func (w *world) domains() []domainName {
	out := []domainName{{w.domain, true, false}, {w.initial(), false, true}}
	for _, d := range w.more {
		out = append(out, domainName{d, false, false})
	}
	return out
}

func (s *Sim) domains(r *request) reply {
	all := s.world.domains()
	return s.list(r, list{context: "domains", props: domainProperties, total: len(all), at: func(i int) (item, bool) {
		d := all[i]
		return whole(obj{{"id", d.name}, {"authenticationType", "Managed"}, {"availabilityStatus", nil}, {"isAdminManaged", true},
			{"isDefault", d.isDefault}, {"isInitial", d.isInitial}, {"isRoot", true}, {"isVerified", true},
			{"supportedServices", []string{"Email", "OfficeCommunicationsOnline"}}, {"passwordValidityPeriodInDays", 2147483647},
			{"passwordNotificationWindowInDays", 14}, {"state", nil}}), true
	}})
}

// skus are what the tenant pays for: Microsoft 365 E3 for those with a mailbox, and Entra ID P2 for whom Identity Protection looks after.
// https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference
func (s *Sim) skus(r *request) reply {
	used := s.world.users * 9 / 10
	plan := func(id, name string) obj {
		return obj{{"servicePlanId", id}, {"servicePlanName", name}, {"provisioningStatus", "Success"}, {"appliesTo", "User"}}
	}
	all := []obj{s.sku(used, skuE3, "SPE_E3", plan(planExchange, "EXCHANGE_S_ENTERPRISE"), plan(planEntraP1, "AAD_PREMIUM"))}
	if !s.reports.Free {
		all = append(all, s.sku(used, skuEntraP2, "AAD_PREMIUM_P2", plan(planEntraP1, "AAD_PREMIUM"), plan(planEntraP2, "AAD_PREMIUM_P2")))
	}
	return s.list(r, list{context: "subscribedSkus", props: skuProperties, total: len(all), at: func(i int) (item, bool) { return whole(all[i]), true }})
}

func (s *Sim) sku(used int, id, part string, plans ...obj) obj {
	return obj{{"id", s.cfg.Tenant + "_" + id}, {"accountId", s.cfg.Tenant}, {"accountName", s.world.stem}, {"appliesTo", "User"},
		{"capabilityStatus", "Enabled"}, {"consumedUnits", used}, {"skuId", id}, {"skuPartNumber", part},
		{"subscriptionIds", []string{s.world.seed.guid(askApp, 9)}},
		{"prepaidUnits", obj{{"enabled", used + used/10 + 5}, {"lockedOut", 0}, {"suspended", 0}, {"warning", 0}}}, {"servicePlans", plans}}
}

// userItem is a person as an item of a list of users.
func (s *Sim) userItem(p *person) item {
	return item{get: s.world.user(p), expand: func(e expansion) any {
		if e.name != "manager" || p.boss < 0 {
			return nil
		}
		return s.directoryObject(s.world.person(p.boss), e.sel)
	}}
}

// directoryObject is a person among objects of several types.
func (s *Sim) directoryObject(p *person, sel []string) any {
	if p == nil {
		return nil
	}
	if len(sel) == 0 {
		sel = userDefaults
	}
	o := obj{{"@odata.type", "#microsoft.graph.user"}}
	get := s.world.user(p)
	for _, n := range sel {
		v, _ := get(n)
		o = append(o, member{n, v})
	}
	return o
}

func (s *Sim) userList() list {
	return list{context: "users", props: userProperties, defaults: userDefaults, total: s.world.count(), page: 100, max: 999,
		at: func(i int) (item, bool) {
			p := s.world.person(i)
			if p == nil {
				return item{}, false
			}
			return s.userItem(p), true
		}}
}

func (s *Sim) users(r *request) reply {
	l := s.userList()
	if sel := r.query.get("$select"); strings.Contains(sel, "signInActivity") {
		if bad := s.mayReadSignIns(r); bad != nil {
			return *bad
		}
		l.page = 100
		l.max = 500
	}
	return s.list(r, l)
}

// mayReadSignIns: signInActivity is a report, with a permission of its own.
func (s *Sim) mayReadSignIns(r *request) *reply {
	for _, role := range r.claims.Roles {
		if role == "AuditLog.Read.All" {
			return nil
		}
	}
	bad := s.refuse(r, http.StatusForbidden, "Authentication_MSGraphPermissionMissing", "Calling principal does not have required MSGraph permissions AuditLog.Read.All")
	return &bad
}

func (s *Sim) usersCount(r *request) reply { return s.countReply(r, s.userList()) }

func (s *Sim) oneUser(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	if strings.Contains(r.query.get("$select"), "signInActivity") {
		if bad := s.mayReadSignIns(r); bad != nil {
			return *bad
		}
	}
	return s.object(r, "users", userProperties, userDefaults, s.userItem(p))
}

func (s *Sim) manager(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	boss := s.world.person(p.boss)
	if boss == nil {
		return s.notFound(r, "manager")
	}
	return s.object(r, "directoryObjects", userProperties, userDefaults, item{get: s.world.user(boss), kind: "#microsoft.graph.user"})
}

// patchUser changes what may be changed; synced people belong to their own directory.
func (s *Sim) patchUser(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	o, err := parseObject(r.body)
	if err != nil {
		return s.badRequest(r, "Unable to read JSON request payload.")
	}
	for _, m := range o {
		if _, known := userProperties[m.k]; !known {
			return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "Invalid property '%s'.", m.k)
		}
	}
	if bad := s.overAdministrators(r, p); bad != nil {
		return *bad
	}
	if !r.maySet(o) {
		return s.refuse(r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	if p.synced {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
	}
	told := o
	if profile, has := o.get("passwordProfile"); has { // the password itself is nobody's business
		in, _ := profile.(obj)
		told = o.clone().set("passwordProfile", in.without("password"))
	}
	if err := s.changeUser(p.i, "user.updated", "graph", told, func(p *person) {
		for _, m := range o {
			if on, isBool := m.v.(bool); isBool && m.k == "accountEnabled" {
				p.enabled = on
			} else if m.k == "passwordProfile" {
				p.over = p.over.set("lastPasswordChangeDateTime", stamp(s.clock.Now()))
			} else {
				p.over = p.over.set(m.k, m.v)
			}
		}
	}); err != nil {
		return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
	}
	return reply{status: http.StatusNoContent}
}

// maySet says whether the roles in the token allow a change of a person.
func (r *request) maySet(in obj) bool {
	for _, m := range in {
		lesser := map[string]string{"accountEnabled": "User.EnableDisableAccount.All", "passwordProfile": "User-PasswordProfile.ReadWrite.All"}[m.k]
		if !slices.ContainsFunc(r.claims.Roles, func(role string) bool {
			return role == "User.ReadWrite.All" || role == "Directory.ReadWrite.All" || role == lesser
		}) {
			return false
		}
	}
	return true
}

// revokeSessions ends a person's sessions: what counts is the time from which they are valid. Of a guest nothing ends, since
// they sign in at home, and the answer is the same.
func (s *Sim) revokeSessions(r *request) reply {
	p := s.world.find(r.vars[0])
	if p == nil {
		return s.notFound(r, r.vars[0])
	}
	if p.kind != guest {
		now := s.clock.Now().Truncate(time.Second)
		if err := s.changeUser(p.i, "sessions.revoked", "graph", obj{{"signInSessionsValidFromDateTime", stamp(now)}}, func(p *person) {
			p.over = p.over.set("signInSessionsValidFromDateTime", stamp(now)).set("refreshTokensValidFromDateTime", stamp(now))
		}); err != nil {
			return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
		}
		// https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities
		act := story.Act{Verb: story.Audits, Args: map[string]string{"target": p.upn()}, Modified: map[string][2]string{"StsRefreshTokensValidFrom": {"[]", `["` + stamp(now) + `"]`}}}
		s.reported(scheduled{act: act, at: now}, "Update StsRefreshTokenValidFrom Timestamp", "Tocsin", nil)
	}
	return ok(append(r.context("Edm.Boolean"), `,"value":true}`...))
}

// changeUser writes the truth, then changes the person. The caller holds mu.
func (s *Sim) changeUser(i int, what, by string, detail obj, change func(*person)) error {
	p := s.world.person(i)
	if p == nil {
		return nil
	}
	if err := s.tell(Truth{Change: what, Mailbox: p.mail, Person: p.id, ID: p.id, By: by, Detail: appendObject(nil, detail)}); err != nil {
		return err
	}
	change(s.world.edit(i))
	s.world.touch("user", p.id, s.clock.Now())
	return nil
}

// touch notes that an object of the directory changed.
func (w *world) touch(kind, id string, at time.Time) {
	w.log = append(w.log, change{n: len(w.log) + 1, kind: kind, id: id, at: at})
	if w.touched != nil {
		w.touched(kind, id)
	}
}
