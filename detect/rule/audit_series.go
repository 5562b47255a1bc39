package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var guestByGuest = detect.Meta{
	Name: "guest-invited-by-guest", Title: "A guest invited another guest", Family: "directory accounts",
	Severity: tocsin.Medium, Attack: []string{"T1136.003"}, Stage: "persistence",
	Says:           "Somebody from outside the organisation let somebody else in.",
	FalsePositives: "Partners who work as a team: name their domain as trusted.",
	Fix:            "Let members or administrators alone invite guests; ask the guest's host.",
	Actions:        []string{"suspend"}, Source: "audit_log",
}

var enabledAndReset = detect.Meta{
	Name: "account-enabled-and-reset", Title: "An account was enabled and its password reset together", Family: "directory accounts",
	Severity: tocsin.Medium, Attack: []string{"T1098"}, Stage: "persistence",
	Says:           "One person enabled an account and set its password within a quarter of an hour: so a disabled account becomes an intruder's own.",
	FalsePositives: "Somebody who comes back from leave.",
	Fix:            "Confirm with who did it; see what the account did since.",
	Actions:        []string{"suspend", "revoke_sessions"}, Source: "audit_log",
}

var devicesInSeries = detect.Meta{
	Name: "devices-registered-in-series", Title: "One person registered several devices within a day", Family: "directory accounts",
	Severity: tocsin.Medium, Attack: []string{"T1098.005"}, Stage: "persistence",
	Says:           "Three or more devices were registered by one account within a day.",
	FalsePositives: "A technician who sets up computers.",
	Fix:            "Ask the person; remove the devices that are not his.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var principalsInSeries = detect.Meta{
	Name: "applications-added-in-series", Title: "One account added several applications within minutes", Family: "applications",
	Severity: tocsin.Medium, Attack: []string{"T1136.003"}, Stage: "persistence",
	Says:           "Five or more service principals were added by one account or application within ten minutes.",
	FalsePositives: "A deployment.",
	Fix:            "See what they may do; remove those nobody asked for.",
	Actions:        []string{}, Source: "audit_log",
}

var trustedCertificate = detect.Meta{
	Name: "certificate-authority-added", Title: "A certificate authority was added for signing in", Family: "directory policies",
	Severity: tocsin.High, Attack: []string{"T1556"}, Stage: "persistence",
	Says:           "Who holds the authority's key makes certificates with which he signs in as anybody.",
	FalsePositives: "Certificate-based sign-in being set up.",
	Fix:            "Compare the certificate with your own authority; remove it otherwise.",
	Actions:        []string{}, Source: "audit_log",
}

var recoverySecrets = detect.Meta{
	Name: "recovery-secrets-read", Title: "Keys of several devices were read", Family: "directory accounts",
	Severity: tocsin.Medium, Attack: []string{"T1555", "T1078.003"}, Stage: "access",
	Says:           "One person read BitLocker keys or local administrators' passwords of three or more devices within an hour.",
	FalsePositives: "The service desk on a bad day.",
	Fix:            "Confirm with the person; rotate what was read.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

// seriesEvents judge what is weighty in numbers, or together.
var seriesEvents = []detect.Event{
	{Meta: guestByGuest, Judge: judgeGuestByGuest},
	{Meta: enabledAndReset, Judge: judgeEnabledAndReset},
	{Meta: devicesInSeries, Judge: judgeDevices},
	{Meta: principalsInSeries, Judge: judgePrincipals},
	{Meta: trustedCertificate, Judge: judgeAuthority},
	{Meta: recoverySecrets, Judge: judgeSecrets},
}

var seriesOperations = []string{"Enable account", "Reset user password", "Reset password (by admin)", "Add service principal", "Set Company Information", "Set company information",
	"Create certificate authority", "Add certificate authority", "Read BitLocker key", "Recover device local administrator password"}

const (
	noteRevived   = "enabled-or-reset" // actor and account → which of the two
	noteDevices   = "devices-by"       // actor → devices
	notePrincipal = "principals-by"    // actor → applications
	noteSecrets   = "secrets-by"       // actor → devices
)

func judgeGuestByGuest(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	by := strings.ToUpper(r.Actor)
	if r.Operation != "Invite external user" || !auditDone(r) || !strings.Contains(by, "#EXT#") && o.Find(r.Actor).Kind != detect.Guest {
		return nil
	}
	guest := auditText(r, "invited")
	if guest == "" {
		guest = guestAddress(auditTargetOf(r, "User").Label())
	}
	host := guestAddress(r.Actor)
	if o.For(&guestByGuest).Place(tocsin.Address{Address: host}) == detect.Partner {
		return nil
	}
	why := fmt.Sprintf("The guest %s invited %s%s.", host, guest, auditFrom(r))
	return auditOne(auditFinding(o, &guestByGuest, r, r.Actor, strings.ToLower(guest), "", why, auditTerms(45, "who is let in by a guest is known to nobody inside")))
}

func judgeEnabledAndReset(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	what := ""
	switch r.Operation {
	case "Enable account":
		what = "enabled"
	case "Reset user password", "Reset password (by admin)":
		what = "reset"
	default:
		return nil
	}
	who := auditTargetOf(r, "User").Label()
	if !auditDone(r) || auditService(r) || r.Actor == "" || auditSame(r.Actor, who) {
		return nil
	}
	notes := auditWindow(mem, r, noteRevived, strings.ToLower(r.Actor+"\x00"+who), what, 15*time.Minute)
	if detect.Distinct(notes) < 2 {
		return nil
	}
	why := fmt.Sprintf("%s enabled the account %s and reset its password within %s%s.", r.Actor, who, auditAgo(r.Time.Sub(notes[0].At)), auditFrom(r))
	return auditOne(auditFinding(o, &enabledAndReset, r, who, strings.ToLower(who), auditDay(r), why, auditTerms(45, "both by one person within a quarter of an hour"), notes...))
}

// inSeries counts different things that one actor did something to within a time; none until there are so many.
func inSeries(mem *detect.Memory, r *detect.Record, kind, thing string, least int, d time.Duration) []detect.Note {
	if !auditDone(r) || auditService(r) || r.Actor == "" {
		return nil
	}
	notes := auditWindow(mem, r, kind, strings.ToLower(r.Actor), thing, d)
	if detect.Distinct(notes) < least {
		return nil
	}
	return notes
}

// thingOf is what a directory record is about, by its id where it has one.
func thingOf(r *detect.Record, kind string) string {
	if t := auditTargetOf(r, kind); t.ID != "" {
		return t.ID
	}
	if r.Object != "" {
		return r.Object
	}
	return auditTargetOf(r, kind).Label()
}

func judgeDevices(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Register device" && r.Operation != "Add registered owner to device" {
		return nil
	}
	notes := inSeries(mem, r, noteDevices, thingOf(r, "Device"), 3, 24*time.Hour)
	if notes == nil {
		return nil
	}
	n := detect.Distinct(notes)
	why := fmt.Sprintf("%s registered %d devices within a day%s.", r.Actor, n, auditFrom(r))
	return auditOne(auditFinding(o, &devicesInSeries, r, r.Actor, strings.ToLower(r.Actor), auditDay(r), why, auditTerms(45, fmt.Sprintf("%d devices within a day", n)), auditTail(notes, 20)...))
}

func judgePrincipals(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Add service principal" {
		return nil
	}
	notes := inSeries(mem, r, notePrincipal, thingOf(r, "ServicePrincipal"), 5, 10*time.Minute)
	if notes == nil {
		return nil
	}
	n := detect.Distinct(notes)
	why := fmt.Sprintf("%s added %d applications within ten minutes%s.", r.Actor, n, auditFrom(r))
	return auditOne(auditFinding(o, &principalsInSeries, r, r.Actor, strings.ToLower(r.Actor), auditDay(r), why, auditTerms(42, fmt.Sprintf("%d applications within ten minutes", n)), auditTail(notes, 20)...))
}

func judgeAuthority(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) {
		return nil
	}
	switch {
	case strings.EqualFold(r.Operation, "Set Company Information"):
		_, now, ok := auditModified(r, "TrustedCAsForPasswordlessAuth")
		if !ok || emptyList(now) {
			return nil
		}
	case r.Operation != "Create certificate authority" && r.Operation != "Add certificate authority":
		return nil
	}
	why := fmt.Sprintf("A certificate authority was added that people can sign in by%s.", auditBy(r))
	return auditOne(auditFinding(o, &trustedCertificate, r, r.Actor, "certificate-authorities", auditDay(r), why, auditTerms(66, "its certificates sign in as anybody")))
}

func judgeSecrets(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Read BitLocker key" && r.Operation != "Recover device local administrator password" {
		return nil
	}
	notes := inSeries(mem, r, noteSecrets, thingOf(r, "Device"), 3, time.Hour)
	if notes == nil {
		return nil
	}
	n := detect.Distinct(notes)
	why := fmt.Sprintf("%s read the keys of %d devices within an hour%s.", r.Actor, n, auditFrom(r))
	return auditOne(auditFinding(o, &recoverySecrets, r, r.Actor, strings.ToLower(r.Actor), auditDay(r), why, auditTerms(45, fmt.Sprintf("%d devices within an hour", n)), auditTail(notes, 20)...))
}
