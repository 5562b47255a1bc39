package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var riskySignInLetThrough = detect.Meta{
	Name: "risky-sign-in-let-through", Title: "A sign-in of high risk was let through", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "Microsoft judged the sign-in to be of medium or high risk, and it succeeded.",
	FalsePositives: "Travel with a new device.",
	Fix:            "Ask the person; require a second factor or block by risk.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var riskySignIn = detect.Meta{
	Name: "risky-sign-in", Title: "A sign-in carried risk", Family: "sign-ins",
	Severity: tocsin.Info, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "Microsoft saw some risk in a sign-in that was refused, or little in one that succeeded.",
	FalsePositives: "Most of them alone; they explain others.",
	Fix:            "Look at what else the person's records show.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var severalRiskAlerts = detect.Meta{
	Name: "several-risk-alerts", Title: "Several risk alerts for one person", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "Three or more sign-ins or detections of risk within an hour concern one person.",
	FalsePositives: "Travel with several new devices.",
	Fix:            "Treat the account as taken over until the person answers.",
	Actions:        []string{"revoke_sessions", "force_password_change", "suspend"}, Source: "sign_in",
}

var riskDetected = detect.Meta{
	Name: "risk-detected", Title: "Microsoft detected a risk", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "Identity Protection reported a detection that is weighty by its kind or level.",
	FalsePositives: "By kind.",
	Fix:            "Look at the person's sign-ins about that time.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "risk_detection",
}

var riskRank = map[string]int{"low": 1, "medium": 2, "high": 3}

// riskOf is the higher of the sign-in's and the person's risk, and whether somebody has already settled it.
func riskOf(r *detect.Record) (level string, settled bool) {
	level = strings.ToLower(auditText(r, "risk"))
	if agg := strings.ToLower(auditText(r, "risk_aggregated")); riskRank[agg] > riskRank[level] {
		level = agg
	}
	switch strings.ToLower(auditText(r, "risk_state")) {
	case "dismissed", "remediated", "confirmedsafe":
		settled = true
	}
	return level, settled
}

func judgeRisk(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) {
		return nil
	}
	level, settled := riskOf(r)
	rank := riskRank[level]
	if rank == 0 || settled {
		return nil
	}
	who := strings.ToLower(r.Actor)
	kinds := strings.Join(auditList(r, "risk_types"), ", ")
	if kinds != "" {
		kinds = " (" + kinds + ")"
	}
	if succeeded(r) && rank >= 2 {
		terms := auditTerms([]int{0, 0, 50, 70}[rank], "risk "+level+", and it was let through")
		if strings.Contains(strings.ToLower(auditText(r, "risk_state")), "confirmedcompromised") {
			terms.Add(20, "confirmed as a takeover")
		}
		if strings.EqualFold(auditText(r, "requirement"), "singleFactorAuthentication") {
			terms.Add(5, "with one factor")
		}
		why := fmt.Sprintf("A sign-in of %s of risk %s%s was let through%s.", r.Actor, level, kinds, auditFrom(r))
		suspect(mem, r, who, why)
		mem.Add(noteRisky, who, detect.Note{At: r.Time, ID: r.ID})
		return auditOne(auditFinding(o, &riskySignInLetThrough, r, r.Actor, who, auditDay(r), why, terms))
	}
	what := "was refused"
	if succeeded(r) {
		what = "succeeded"
	}
	why := fmt.Sprintf("A sign-in of %s of risk %s%s %s%s.", r.Actor, level, kinds, what, auditFrom(r))
	return auditOne(auditFinding(o, &riskySignIn, r, r.Actor, who, auditDay(r), why, auditTerms([]int{0, 5, 10, 20}[rank], "risk "+level+", "+what)))
}

func judgeRiskSeries(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) && r.Operation != "RiskDetection" || r.Actor == "" {
		return nil
	}
	level, settled := riskOf(r)
	state := strings.ToLower(auditText(r, "risk_state"))
	if settled || riskRank[level] < 2 && state != "atrisk" && state != "confirmedcompromised" {
		return nil
	}
	who := strings.ToLower(r.Actor)
	notes := auditWindow(mem, r, noteRisk, who, level, time.Hour)
	if len(notes) < riskSeries {
		return nil
	}
	terms := auditTerms(70, fmt.Sprintf("%d alerts within an hour", len(notes)))
	if state == "confirmedcompromised" {
		terms.Add(15, "confirmed as a takeover")
	}
	why := fmt.Sprintf("%d risk alerts within an hour concern %s, the last%s.", len(notes), r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &severalRiskAlerts, r, r.Actor, who, auditDay(r), why, terms, auditTail(notes, 20)...))
}

// weightyRisks are kinds of detection that weigh whatever their level.
// See https://learn.microsoft.com/graph/api/resources/riskdetection.
var weightyRisks = map[string]int{
	"leakedcredentials": 70, "anomaloustoken": 65, "tokenissueranomaly": 70, "attemptedprtaccess": 70, "adminconfirmedusercompromised": 90,
	"maliciousipaddress": 65, "investigationsthreatintelligence": 70, "passwordspray": 65, "suspiciousinboxforwarding": 65,
	"mcassuspiciousinboxmanipulationrules": 65, "attackerinthemiddle": 75, "suspiciousapitraffic": 55, "nationstateip": 75,
}

// noteRisky is of sign-ins that were let through: what Microsoft detected in one is told with it.
const noteRisky = "risky" // account

func judgeRiskDetection(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "RiskDetection" {
		return nil
	}
	level, settled := riskOf(r)
	kind := strings.ToLower(auditText(r, "risk_type"))
	weight := max(weightyRisks[kind], []int{0, 15, 40, 65}[riskRank[level]])
	if settled || weight == 0 || weightyRisks[kind] == 0 && len(mem.Since(noteRisky, strings.ToLower(r.Actor), r.Time.Add(-time.Hour))) > 0 {
		return nil
	}
	terms := auditTerms(weight, "detected by Microsoft: "+auditText(r, "risk_type"))
	why := fmt.Sprintf("Microsoft detected %s for %s%s.", auditText(r, "risk_type"), r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &riskDetected, r, r.Actor, strings.ToLower(r.Actor), kind, why, terms))
}
