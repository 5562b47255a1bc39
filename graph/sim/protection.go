package sim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Identity Protection: each sign-in that carries a risk is a detection some minutes later, and whose sign-ins do is at risk.

// Accepted permissions of these, from Microsoft's own map.
var (
	forRisky      = strings.Fields("IdentityRiskyUser.Read.All IdentityRiskyUser.ReadWrite.All")
	forDetections = strings.Fields("IdentityRiskEvent.Read.All")
	forRiskyApps  = strings.Fields("IdentityRiskyServicePrincipal.Read.All IdentityRiskyServicePrincipal.ReadWrite.All")
)

func protectionPaths() []*route {
	get := http.MethodGet
	return []*route{
		{method: get, path: "identityProtection/riskyUsers", roles: forRisky, cost: 1, query: bareList, serve: (*Sim).riskyUsers},
		{method: get, path: "identityProtection/riskDetections", roles: forDetections, cost: 1, query: bareList, serve: (*Sim).riskDetections},
		{method: get, path: "identityProtection/riskyServicePrincipals", roles: forRiskyApps, cost: 1, query: bareList, serve: (*Sim).riskyApps},
		{method: get, path: "identityProtection/servicePrincipalRiskDetections", roles: forDetections, cost: 1, query: bareList, serve: (*Sim).appDetections},
	}
}

// From Microsoft's metadata.
var (
	riskyUserProperties = names(`isDeleted isProcessing riskDetail riskLastUpdatedDateTime riskLevel riskState userDisplayName userPrincipalName`)
	detectionProperties = names(`activity activityDateTime additionalInfo correlationId detectedDateTime detectionTimingType ipAddress lastUpdatedDateTime location:o requestId riskDetail riskEventType
		riskLevel riskState source tokenIssuerType userDisplayName userId userPrincipalName`)
	riskyAppProperties     = names(`appId displayName isEnabled isProcessing riskDetail riskLastUpdatedDateTime riskLevel riskState servicePrincipalType`)
	appDetectionProperties = names(`activity activityDateTime additionalInfo appId correlationId detectedDateTime detectionTimingType ipAddress keyIds:l lastUpdatedDateTime location:o requestId riskDetail
		riskEventType riskLevel riskState servicePrincipalDisplayName servicePrincipalId source tokenIssuerType`)
)

const detectedAfter = 2 * time.Minute

// unpremium refuses what needs Entra ID P2 to a tenant that has less.
func (s *Sim) unpremium(r *request) *reply {
	if !s.reports.Free {
		return nil
	}
	bad := s.refuse(r, http.StatusForbidden, "Forbidden", "Your tenant is not licensed for this feature.")
	return &bad
}

// detections are the sign-ins that carry a risk and can be read, of people or of applications. The caller holds mu.
func (s *Sim) detections(apps bool) []*signIn {
	now := s.clock.Now()
	s.everyday(now)
	var out []*signIn
	for _, si := range s.reports.risky {
		if strings.HasSuffix(si.kind, "interactive") != apps && !si.seen.After(now) {
			out = append(out, si)
		}
	}
	return out
}

// risk is a level as Microsoft has it.
func (si *signIn) riskState() string { return first(si.state, "atRisk") }

func (s *Sim) detection(n int, si *signIn) obj {
	at := si.at.Add(detectedAfter)
	kind := "unfamiliarFeatures"
	if len(si.kinds) > 0 {
		kind = si.kinds[0]
	}
	return obj{{"id", s.world.seed.guid(askState, 60_000+n)}, {"requestId", si.id}, {"correlationId", si.correlation}, {"riskEventType", kind}, {"riskState", si.riskState()}, {"riskLevel", si.risk}, {"riskDetail", "none"},
		{"source", "IdentityProtection"}, {"detectionTimingType", "realtime"}, {"activity", "signin"}, {"tokenIssuerType", "AzureAD"}, {"ipAddress", si.ip}, {"location", si.location()},
		{"activityDateTime", si.at}, {"detectedDateTime", at}, {"lastUpdatedDateTime", at}, {"additionalInfo", "[]"}}
}

func (s *Sim) riskDetections(r *request) reply {
	if bad := s.unpremium(r); bad != nil {
		return *bad
	}
	var all []obj
	for _, si := range s.detections(false) {
		all = append(all, append(s.detection(slices.Index(s.reports.risky, si), si), member{"userId", si.subject}, member{"userDisplayName", si.display}, member{"userPrincipalName", si.upn}))
	}
	return s.give(r, "identityProtection/riskDetections", detectionProperties, all)
}

func (s *Sim) appDetections(r *request) reply {
	if bad := s.unpremium(r); bad != nil {
		return *bad
	}
	var all []obj
	for _, si := range s.detections(true) {
		all = append(all, append(s.detection(slices.Index(s.reports.risky, si), si).set("activity", "servicePrincipal"), member{"appId", si.appID}, member{"keyIds", []any{}},
			member{"servicePrincipalDisplayName", si.display}, member{"servicePrincipalId", si.subject}))
	}
	return s.give(r, "identityProtection/servicePrincipalRiskDetections", appDetectionProperties, all)
}

// riskLevels in their order.
var riskLevels = []string{"none", "low", "medium", "high"}

// atRisk are whose sign-ins carry a risk: of each the newest, with the highest level of any that nobody settled.
func (s *Sim) atRisk(apps bool) []*signIn {
	by := map[string]*signIn{}
	for _, si := range s.detections(apps) {
		if si.subject == "" {
			continue
		}
		newest := *si
		if had := by[si.subject]; had != nil {
			if had.at.After(newest.at) {
				newest = *had
			}
			if had.riskState() == si.riskState() && slices.Index(riskLevels, had.risk) > slices.Index(riskLevels, si.risk) {
				newest.risk = had.risk
			} else if had.riskState() == si.riskState() {
				newest.risk = si.risk
			}
		}
		by[si.subject] = &newest
	}
	var out []*signIn
	for _, si := range by {
		out = append(out, si)
	}
	slices.SortFunc(out, func(a, b *signIn) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.subject, b.subject)) })
	return out
}

// allRisky are the people who are, or were, at risk.
func (s *Sim) allRisky() []obj {
	var all []obj
	for _, si := range s.atRisk(false) {
		if said, ok := s.world.responded.risks[si.subject]; ok && !said.at.Before(si.at) {
			continue // somebody has judged it since
		}
		all = append(all, obj{{"id", si.subject}, {"isDeleted", false}, {"isProcessing", false}, {"riskLastUpdatedDateTime", si.at.Add(detectedAfter)}, {"riskLevel", si.risk}, {"riskState", si.riskState()},
			{"riskDetail", "none"}, {"userDisplayName", si.display}, {"userPrincipalName", si.upn}})
	}
	return append(all, s.judgedRisks()...)
}

func (s *Sim) riskyUsers(r *request) reply {
	if bad := s.unpremium(r); bad != nil {
		return *bad
	}
	return s.give(r, "identityProtection/riskyUsers", riskyUserProperties, s.allRisky())
}

func (s *Sim) riskyApps(r *request) reply {
	if bad := s.unpremium(r); bad != nil {
		return *bad
	}
	var all []obj
	for _, si := range s.atRisk(true) {
		all = append(all, obj{{"id", si.subject}, {"appId", si.appID}, {"displayName", si.display}, {"isEnabled", true}, {"isProcessing", false}, {"servicePrincipalType", "Application"},
			{"riskLastUpdatedDateTime", si.at.Add(detectedAfter)}, {"riskLevel", si.risk}, {"riskState", si.riskState()}, {"riskDetail", "none"}})
	}
	return s.give(r, "identityProtection/riskyServicePrincipals", riskyAppProperties, all)
}
