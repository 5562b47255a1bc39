package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var sessionOutlived = detect.Meta{
	Name: "session-outlived-revocation", Title: "A session lives on after it was revoked", Family: "sign-ins",
	Severity: tocsin.Critical, Attack: []string{"T1550.001", "T1539"}, Stage: "persistence",
	Says:           "An hour and a half or more after the sessions of an account were revoked, or it was disabled, a session from before was let in on its behalf: somebody has what the revocation does not reach.",
	FalsePositives: "A directory whose sync is late.",
	Fix:            "Revoke again, disable the account, reset the password; remove devices and applications that hold tokens of their own.",
	Actions:        []string{"suspend", "revoke_sessions", "force_password_change"}, Source: "sign_in",
}

const (
	noteRevoked      = "revoked"       // account → how
	noteSessionBegan = "session-began" // session → its first sign-in
	tokenLife        = 90 * time.Minute
)

// revokes are the operations that end sessions.
// https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities
var revokes = map[string]string{"Update StsRefreshTokenValidFrom Timestamp": "the sessions were revoked", "Disable account": "the account was disabled"}

func judgeOutlived(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if how := revokes[r.Operation]; how != "" {
		if who := auditTargetOf(r, "User").Label(); auditDone(r) && who != "" {
			mem.Add(noteRevoked, strings.ToLower(who), detect.Note{At: r.Time, ID: r.ID, Value: how})
		}
		return nil
	}
	session, who := auditText(r, "session"), strings.ToLower(r.Actor)
	if !signIn(r) || !succeeded(r) || session == "" || r.ActorKind == "app" {
		return nil
	}
	// When it began, wherever that was: of a session from the office nothing else is remembered.
	began, known := mem.Last(noteSessionBegan, session)
	if !known {
		mem.Add(noteSessionBegan, session, detect.Note{At: r.Time, ID: r.ID})
		return nil
	}
	if auditText(r, "interactive") == "true" {
		return nil
	}
	for _, revoked := range mem.Since(noteRevoked, who, r.Time.Add(-7*24*time.Hour)) {
		after := r.Time.Sub(revoked.At)
		if after < tokenLife || !began.At.Before(revoked.At) {
			continue
		}
		why := fmt.Sprintf("%s later, a session of %s that began before %s was let in again%s.", auditAgo(after), r.Actor, revoked.Value, auditFrom(r))
		suspect(mem, r, who, why)
		return auditOne(auditFinding(o, &sessionOutlived, r, r.Actor, who, session, why, auditTerms(90, auditAgo(after)+" after "+revoked.Value), revoked, began))
	}
	return nil
}
