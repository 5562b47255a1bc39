package sim

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin.dev/story"
)

// Reports is how the directory's own logs deliver, and in what they are awkward. The zero value delivers at once, and has in it
// what stories tell only.
type Reports struct {
	Free   bool     `json:"free"`    // the tenant has no Entra P1: sign-ins are refused
	NoBeta bool     `json:"no_beta"` // the cloud offers no beta
	Delay  Duration `json:"delay"`   // from a sign-in until it can be read
	Late   int      `json:"late"`    // each so-manieth comes LateBy later than the others; 0: none
	LateBy Duration `json:"late_by"` // after Delay
	Repeat bool     `json:"repeat"`  // each page has its first record twice
	Page   int      `json:"page"`    // records on a page; 0: 1,000
	Days   int      `json:"days"`    // everybody's everyday sign-ins began so many days before the start; 0: nobody signs in unless a story says it
}

// signIn is one as the log has it.
type signIn struct {
	n            int
	at, seen     time.Time
	id           string
	correlation  string
	kind         string // interactive, non_interactive, service_principal, managed_identity
	upn, subject string
	display      string
	guest        bool
	app, appID   string
	resource     string
	place        *story.Place
	country, ip  string // where no place is known, and in its stead
	asn          string
	agent        string
	client       string
	system       string
	browser      string
	device       string
	compliant    string // true, false; "": not known
	error        string
	reason       string
	mfa          string // asked, claim, refused, single
	protocol     string
	session      string
	risk, state  string
	kinds        []string // of risk
	token        string
	credential   string
}

// directoryChange is a directory audit.
type directoryChange struct {
	id, correlation string
	at, seen        time.Time
	o               obj
}

// reports are the directory's own logs, guarded by Sim.mu. Both lists are in the order of time.
type reports struct {
	Reports
	signIns []*signIn
	risky   []*signIn // those that carry a risk, as they came
	changes []*directoryChange
	ids     int
	until   time.Time // how far everybody's everyday sign-ins have come
}

// SetReports changes how the logs deliver from now on; the everyday sign-ins go on as they were.
func (s *Sim) SetReports(r Reports) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Days = s.reports.Days
	s.reports.Reports = r
}

// SignIns is how many sign-ins there are, whether they can be read yet or not.
func (s *Sim) SignIns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.everyday(s.clock.Now())
	return len(s.reports.signIns)
}

// reported is what a sign-in or directory audit is called in the directory's own log.
type reported struct{ id, correlation string }

// reported writes an act into the directory's own log. The caller holds mu.
func (s *Sim) reported(n scheduled, op, who string, p *person) reported {
	s.reports.ids++
	id, correlation := s.world.seed.guid(askSignIn, s.reports.ids), s.world.seed.guid(askChange, s.reports.ids)
	if strings.HasPrefix(op, "UserLog") {
		si := toldOf(&n.act, op)
		si.at, si.id, si.correlation, si.upn, si.display = n.at, id, correlation, who, who
		if p != nil {
			si.upn, si.subject, si.display, si.guest = p.upn(), p.id, p.display, p.kind == guest
		}
		if !strings.HasSuffix(si.kind, "interactive") {
			si.subject = s.world.seed.guid(askApp, int(s.world.seed.at(askApp, len(who)))%1000+2)
		}
		s.signedIn(si, n.at)
		return reported{si.id, si.correlation}
	}
	c := &directoryChange{id: fmt.Sprintf("Directory_%s_%08d", correlation, s.reports.ids), correlation: correlation, at: n.at}
	c.o = s.changeObject(&n.act, c, op, who, p)
	c.seen = s.reports.seen(n.at, len(s.reports.changes))
	s.reports.changes = append(s.reports.changes, c)
	slices.SortStableFunc(s.reports.changes, func(a, b *directoryChange) int { return a.at.Compare(b.at) })
	return reported{c.id, c.correlation}
}

// seen is from when on what was written at a time can be read.
func (r *reports) seen(at time.Time, n int) time.Time {
	at = at.Add(time.Duration(r.Delay))
	if r.Late > 0 && (n+1)%r.Late == 0 {
		at = at.Add(time.Duration(r.LateBy))
	}
	return at
}

// signedIn enters a sign-in. The caller holds mu.
func (s *Sim) signedIn(si *signIn, written time.Time) {
	r := &s.reports
	si.seen = r.seen(written, len(r.signIns))
	if slices.Contains(riskLevels[1:], si.risk) {
		r.risky = append(r.risky, si)
	}
	if n := len(r.signIns); n == 0 || !si.at.Before(r.signIns[n-1].at) {
		r.signIns = append(r.signIns, si)
		return
	}
	i, _ := slices.BinarySearchFunc(r.signIns, si.at, func(a *signIn, at time.Time) int { return cmp.Or(a.at.Compare(at), -1) })
	r.signIns = slices.Insert(r.signIns, i, si)
}

// toldOf is a sign-in as a story tells it; what it does not say is usual.
func toldOf(a *story.Act, op string) *signIn {
	x := a.Params
	si := &signIn{kind: first(x["kind"], "interactive"), app: first(a.Args["app"], "Office 365 Exchange Online"), resource: first(x["resource"], "Office 365 Exchange Online"),
		appID: x["app_id"], country: a.Args["country"], ip: a.Args["ip"], asn: x["asn"], agent: first(a.Args["agent"], edge), client: first(x["client"], "Browser"),
		system: first(x["system"], "Windows 11"), browser: "Edge 140.0.0", device: x["device"], compliant: x["compliant"], error: first(x["error"], "0"), reason: x["reason"],
		mfa: x["mfa"], protocol: x["protocol"], session: x["session"], risk: x["risk"], state: x["risk_state"], token: x["token"], credential: x["credential"]}
	if op == "UserLoginFailed" && si.error == "0" {
		si.error = "50126"
	}
	if si.mfa == "" {
		si.mfa = map[string]string{"multiFactorAuthentication": "asked", "singleFactorAuthentication": "single"}[x["requirement"]]
	}
	if si.mfa == "" && si.error == "0" && strings.HasSuffix(si.kind, "interactive") {
		si.mfa = "asked"
	}
	if x["risk_types"] != "" {
		si.kinds = strings.Split(x["risk_types"], ",")
	}
	if si.appID == "" {
		si.appID = appIDs[si.app]
	}
	if si.place = story.PlaceOf(a.Args["city"]); si.place != nil {
		si.ip, si.asn = first(si.ip, si.place.IP), first(si.asn, si.place.ASN)
	}
	return si
}

const edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"

// appIDs are the ids of applications that stories and everyday sign-ins name.
// https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
var appIDs = map[string]string{"Office 365 Exchange Online": "00000002-0000-0ff1-ce00-000000000000", "OfficeHome": "4765445b-32c6-49b0-83e6-1d93765276ca", "Microsoft Office": "d3590ed6-52b3-4102-aeff-aad2292ab01c",
	"Microsoft Teams": "1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Outlook Mobile": "27922004-5251-4030-b22d-91ecd9a37ea4", "Azure Portal": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
	"Microsoft Authentication Broker": "29d9ed98-a469-4536-ade2-f981bc1d605e", "Microsoft Azure CLI": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Visual Studio Code": "aebc6443-996d-45c2-90f0-388ff96faa56"}

// object is the sign-in as Graph gives it. Of beta are what v1.0 does not have.
func (si *signIn) object(tenant string, beta bool) obj {
	var code any = 0
	if si.error != "0" && si.error != "" {
		n := 0
		fmt.Sscanf(si.error, "%d", &n)
		code = n
	}
	done := si.error == "0"
	var reason, more any = "Other.", nil
	if si.reason != "" {
		reason = si.reason
	} else if r := reasons[si.error]; r != "" {
		reason = r
	}
	switch {
	case si.mfa == "asked" && done:
		more = "MFA completed in Azure AD"
	case si.mfa == "claim":
		more = "MFA requirement satisfied by claim in the token"
	}
	person := strings.HasSuffix(si.kind, "interactive")
	var userID, upn, display any = si.subject, si.upn, si.display
	var spName, spID any
	if !person {
		userID, upn, display, spName, spID = "", nil, nil, si.display, si.subject
	}
	o := obj{{"id", si.id}, {"createdDateTime", si.at}, {"userDisplayName", display}, {"userPrincipalName", upn}, {"userId", userID}, {"appId", si.appID}, {"appDisplayName", si.app},
		{"ipAddress", si.ip}, {"clientAppUsed", si.client}, {"correlationId", si.correlation}, {"conditionalAccessStatus", "notApplied"}, {"isInteractive", si.kind == "interactive"},
		{"riskDetail", "none"}, {"riskLevelAggregated", first(si.risk, "none")}, {"riskLevelDuringSignIn", first(si.risk, "none")}, {"riskState", first(si.state, map[bool]string{true: "none", false: "atRisk"}[si.risk == ""])},
		{"riskEventTypes_v2", append([]string{}, si.kinds...)}, {"resourceDisplayName", si.resource}, {"resourceId", first(appIDs[si.resource], "00000003-0000-0000-c000-000000000000")},
		{"status", obj{{"errorCode", code}, {"failureReason", reason}, {"additionalDetails", more}}}, {"deviceDetail", si.deviceDetail()}, {"location", si.location()},
		{"servicePrincipalId", spID}, {"servicePrincipalName", spName}, {"userAgent", orNone(si.agent)}, {"homeTenantId", tenant}, {"resourceTenantId", tenant}, {"appliedConditionalAccessPolicies", []any{}}}
	if !beta {
		return append(o, member{"riskEventTypes", append([]string{}, si.kinds...)})
	}
	requirement := "multiFactorAuthentication"
	if si.mfa == "single" || si.mfa == "" {
		requirement = "singleFactorAuthentication"
	}
	asn := 0
	fmt.Sscanf(si.asn, "%d", &asn)
	userType := "member"
	if si.guest {
		userType = "guest"
	}
	return append(o, member{"signInEventTypes", []string{eventTypes[si.kind]}}, member{"authenticationRequirement", requirement}, member{"authenticationProtocol", first(si.protocol, "none")},
		member{"authenticationDetails", si.steps()}, member{"autonomousSystemNumber", asn}, member{"sessionId", orNone(si.session)}, member{"incomingTokenType", first(si.token, "none")},
		member{"clientCredentialType", first(si.credential, "none")}, member{"uniqueTokenIdentifier", si.id}, member{"crossTenantAccessType", "none"}, member{"userType", userType})
}

// eventTypes are the kinds as $filter names them.
var eventTypes = map[string]string{"interactive": "interactiveUser", "non_interactive": "nonInteractiveUser", "service_principal": "servicePrincipal", "managed_identity": "managedIdentity"}

// reasons are what Microsoft says of errors: https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
var reasons = map[string]string{"50126": "Error validating credentials due to invalid username or password.", "50053": "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
	"500121": "Authentication failed during strong authentication request.", "50057": "User account is disabled. The account has been disabled by an administrator.",
	"50034": "The user account does not exist in the directory.", "53003": "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	"50140": "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.", "50074": "Strong Authentication is required.", "70008": "The provided authorization code or refresh token has expired due to inactivity."}

func (si *signIn) deviceDetail() obj {
	var compliant any
	if si.compliant != "" {
		compliant = si.compliant == "true"
	}
	var name any
	if si.device != "" {
		name = si.device
	}
	return obj{{"deviceId", ""}, {"displayName", name}, {"operatingSystem", si.system}, {"browser", si.browser}, {"isCompliant", compliant}, {"isManaged", compliant}, {"trustType", nil}}
}

func (si *signIn) location() obj {
	if si.place == nil {
		return obj{{"city", ""}, {"state", ""}, {"countryOrRegion", si.country}, {"geoCoordinates", obj{{"altitude", nil}, {"latitude", nil}, {"longitude", nil}}}}
	}
	return obj{{"city", si.place.City}, {"state", ""}, {"countryOrRegion", si.place.Country}, {"geoCoordinates", obj{{"altitude", nil}, {"latitude", si.place.Latitude}, {"longitude", si.place.Longitude}}}}
}

// steps are the authentication's.
func (si *signIn) steps() []any {
	step := func(method, detail, requirement string, ok bool) obj {
		return obj{{"authenticationStepDateTime", si.at}, {"authenticationMethod", method}, {"authenticationMethodDetail", nil}, {"succeeded", ok}, {"authenticationStepResultDetail", detail}, {"authenticationStepRequirement", requirement}}
	}
	if !strings.HasSuffix(si.kind, "interactive") {
		return []any{}
	}
	const one, many = "Primary authentication", "Multifactor authentication"
	switch {
	case si.error != "0" && si.mfa != "refused":
		return []any{step("Password", first(si.reason, "Incorrect password"), one, false)}
	case si.mfa == "asked":
		return []any{step("Password", "Correct password", one, true), step("Mobile app notification", "MFA completed in Azure AD", many, true)}
	case si.mfa == "refused":
		return []any{step("Password", "Correct password", one, true), step("Mobile app notification", first(si.reason, "MFA denied; user declined the authentication"), many, false)}
	case si.mfa == "claim":
		return []any{step("Previously satisfied", "MFA requirement satisfied by claim in the token", many, true)}
	}
	return []any{step("Password", "Correct password", one, true)}
}

// changeObject is a directory audit as Graph gives it.
func (s *Sim) changeObject(a *story.Act, c *directoryChange, op, who string, p *person) obj {
	by := obj{{"user", nil}, {"app", obj{{"appId", nil}, {"displayName", who}, {"servicePrincipalId", nil}, {"servicePrincipalName", nil}}}}
	if strings.Contains(who, "@") {
		id := ""
		if p != nil {
			id = p.id
		}
		by = obj{{"user", obj{{"id", id}, {"displayName", orNone(a.Params["actor_name"])}, {"userPrincipalName", who}, {"ipAddress", a.Args["ip"]}}}, {"app", nil}}
	}
	changes := []any{}
	for _, k := range slices.Sorted(maps.Keys(a.Modified)) {
		changes = append(changes, obj{{"displayName", k}, {"oldValue", a.Modified[k][0]}, {"newValue", a.Modified[k][1]}})
	}
	target := obj{{"id", ""}, {"displayName", first(a.Args["on"], a.Args["target"])}, {"type", targetType(op)}, {"userPrincipalName", nil}, {"groupType", nil}, {"modifiedProperties", changes}}
	if t := a.Args["target"]; strings.Contains(t, "@") {
		target = target.set("type", "User").set("userPrincipalName", t)
		if q := s.world.find(t); q != nil {
			target = target.set("id", q.id).set("displayName", q.display)
		}
	}
	details := []any{}
	for _, k := range slices.Sorted(maps.Keys(a.Params)) {
		if k != "reason" && k != "category" && k != "actor_name" {
			details = append(details, obj{{"key", k}, {"value", a.Params[k]}})
		}
	}
	if a.Args["agent"] != "" {
		details = append(details, obj{{"key", "User-Agent"}, {"value", a.Args["agent"]}})
	}
	return obj{{"id", c.id}, {"category", first(a.Params["category"], "UserManagement")}, {"correlationId", c.correlation}, {"result", first(a.Args["result"], "success")}, {"resultReason", a.Params["reason"]},
		{"activityDisplayName", op}, {"activityDateTime", c.at}, {"loggedByService", "Core Directory"}, {"operationType", strings.SplitN(op, " ", 2)[0]},
		{"initiatedBy", by}, {"targetResources", []any{target}}, {"additionalDetails", details}}
}

// targetType is what sort of object an operation is done to: https://learn.microsoft.com/graph/api/resources/targetresource
func targetType(op string) string {
	low := strings.ToLower(op)
	for _, t := range [][2]string{{"service principal", "ServicePrincipal"}, {"oauth2permissiongrant", "ServicePrincipal"}, {"app role", "ServicePrincipal"}, {"delegated permission", "ServicePrincipal"}, {"consent to application", "ServicePrincipal"}, {"application", "Application"},
		{"policy", "Policy"}, {"role setting", "Role"}, {"device", "Device"}, {"group", "Group"}} {
		if strings.Contains(low, t[0]) {
			return t[1]
		}
	}
	return "Other"
}

// orNone is null for an empty text.
func orNone(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// premium refuses sign-ins to a tenant without Entra P1.
func (s *Sim) premium(r *request) *reply {
	if !s.reports.Free {
		return nil
	}
	bad := s.refuse(r, http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
	return &bad
}

// bounds are the times that a $filter asks for, by which the list is cut before each record is looked at.
var bounds = regexp.MustCompile(`DateTime (ge|le) (\d{4}-\d\d-\d\dT[0-9:.]+Z)`)

// between finds the part of a list that a filter's times leave.
func between[T any](filter string, list []T, at func(T) time.Time) []T {
	for _, m := range bounds.FindAllStringSubmatch(filter, -1) {
		t, err := time.Parse(time.RFC3339, m[2])
		if err != nil {
			continue
		}
		i, _ := slices.BinarySearchFunc(list, t, func(e T, t time.Time) int {
			if m[1] == "le" && !at(e).After(t) {
				return -1
			}
			return at(e).Compare(t)
		})
		if m[1] == "ge" {
			for i > 0 && at(list[i-1]).Equal(t) {
				i--
			}
			list = list[i:]
		} else {
			list = list[:i]
		}
	}
	return list
}

// onlyThese refuses operators on times that the log does not take: https://learn.microsoft.com/graph/api/resources/signin.
func onlyThese(filter string) bool {
	return !strings.Contains(filter, "DateTime lt ") && !strings.Contains(filter, "DateTime gt ") && !strings.Contains(filter, "DateTime ne ")
}

func (s *Sim) signInList(r *request) reply {
	beta := r.version == "beta"
	if bad := s.premium(r); bad != nil {
		return *bad
	}
	if beta && s.reports.NoBeta {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "Resource not found for the segment 'auditLogs'.")
	}
	filter := r.query.get("$filter")
	if !onlyThese(filter) {
		return s.badRequest(r, "Invalid filter clause: createdDateTime supports eq, le and ge only.")
	}
	now := s.clock.Now()
	s.everyday(now)
	list := between(filter, s.reports.signIns, func(si *signIn) time.Time { return si.at })
	all := strings.Contains(filter, "signInEventTypes")
	props := signInProperties
	if beta {
		props = signInBeta
	}
	return s.report(r, "auditLogs/signIns", props, len(list), func(i int) (item, bool) {
		si := list[len(list)-1-i] // the newest first
		if si.seen.After(now) || !all && si.kind != "interactive" {
			return item{}, false
		}
		return whole(si.object(s.cfg.Tenant, beta)), true
	})
}

func (s *Sim) directoryAuditList(r *request) reply {
	filter := r.query.get("$filter")
	if !onlyThese(filter) {
		return s.badRequest(r, "Invalid filter clause: activityDateTime supports eq, le and ge only.")
	}
	now := s.clock.Now()
	list := between(filter, s.reports.changes, func(c *directoryChange) time.Time { return c.at })
	return s.report(r, "auditLogs/directoryAudits", directoryAuditProperties, len(list), func(i int) (item, bool) {
		c := list[len(list)-1-i]
		return whole(c.o), !c.seen.After(now)
	})
}

// report answers with a list of one of the logs, which may have its first record twice.
func (s *Sim) report(r *request, context string, props properties, total int, at func(int) (item, bool)) reply {
	l := list{context: context, props: props, total: total, at: at, page: cmp.Or(s.reports.Page, 1000), max: 1000}
	if s.reports.Repeat && total > 0 {
		l.total = total + 1
		l.at = func(i int) (item, bool) { return at(max(i-1, 0)) }
	}
	return s.list(r, l)
}

// From Microsoft's metadata.
var (
	signInProperties = names(`appDisplayName appId appliedConditionalAccessPolicies:l authenticationAppDeviceDetails:o clientAppUsed conditionalAccessStatus correlationId createdDateTime deviceDetail:o homeTenantId
		ipAddress isInteractive location:o resourceDisplayName resourceId resourceTenantId riskDetail riskEventTypes:l riskEventTypes_v2:l riskLevelAggregated riskLevelDuringSignIn riskState
		servicePrincipalId servicePrincipalName status:o userAgent userDisplayName userId userPrincipalName`)
	signInBeta = names(`appDisplayName appId appliedConditionalAccessPolicies:l authenticationAppDeviceDetails:o authenticationDetails:l authenticationProtocol authenticationRequirement autonomousSystemNumber clientAppUsed
		clientCredentialType conditionalAccessStatus correlationId createdDateTime crossTenantAccessType deviceDetail:o homeTenantId incomingTokenType ipAddress isInteractive location:o resourceDisplayName resourceId
		resourceTenantId riskDetail riskEventTypes_v2:l riskLevelAggregated riskLevelDuringSignIn riskState servicePrincipalId servicePrincipalName sessionId signInEventTypes:l status:o uniqueTokenIdentifier userAgent
		userDisplayName userId userPrincipalName userType`)
	directoryAuditProperties = names(`activityDateTime activityDisplayName additionalDetails:l category correlationId initiatedBy:o loggedByService operationType result resultReason targetResources:l`)
)

func (s *Sim) controlReports(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	in := s.reports.Reports
	s.mu.RUnlock()
	if strict(w, r, &in) {
		s.SetReports(in)
		w.WriteHeader(http.StatusNoContent)
	}
}
