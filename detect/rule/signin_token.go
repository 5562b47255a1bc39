package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var phishingKit = detect.Meta{
	Name: "phishing-kit-sign-in", Title: "A program signed in as a browser would", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1566", "T1539"}, Stage: "access",
	Says:           "A sign-in to Office or the authentication broker succeeded whose user agent is that of a program (axios, node, a library of Python or Go): so kits that stand between a person and Microsoft show themselves.",
	FalsePositives: "A script of your own that uses an Office application's id.",
	Fix:            "Revoke the sessions and reset the password; remove methods and devices registered since.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "sign_in",
}

var factorGuessed = detect.Meta{
	Name: "second-factor-guessed", Title: "Codes of a second factor were guessed", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1110.001"}, Stage: "access",
	Says:           "Ten or more wrong verification codes were entered for one account within an hour: who did so knows the password.",
	FalsePositives: "A telephone whose clock is wrong.",
	Fix:            "Reset the password.",
	Actions:        []string{"force_password_change", "revoke_sessions"}, Source: "sign_in",
}

var sessionAbroad = detect.Meta{
	Name: "session-in-two-countries", Title: "One session was used in two countries", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1550.001", "T1550.004", "T1539"}, Stage: "access",
	Says:           "Sign-ins of one session came from two countries and two networks within a day, 500 kilometres or more apart: the token is used by two.",
	FalsePositives: "A VPN that is not known, a flight with an open computer.",
	Fix:            "Revoke the sessions; reset the password.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var deadTokens = detect.Meta{
	Name: "dead-tokens-tried", Title: "Dead tokens were tried again and again", Family: "sign-ins",
	Severity: tocsin.Low, Attack: []string{"T1550.001"}, Stage: "access",
	Says:           "Ten or more sign-ins of one account within an hour came with a token that has expired or was revoked, from a network that is new for it.",
	FalsePositives: "A program that does not notice.",
	Fix:            "See from where; nothing was let in.",
	Actions:        []string{}, Source: "sign_in",
}

var methodAfterSuspicion = detect.Meta{
	Name: "method-added-after-suspicious-sign-in", Title: "A second factor was registered about a suspicious sign-in", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1556.006", "T1098.005"}, Stage: "persistence",
	Says:           "From half an hour before a suspicious sign-in to an hour after it, the account registered a method: who took it over stays in, whatever the password becomes.",
	FalsePositives: "A person on a journey with a new telephone.",
	Fix:            "Ask the person by another way; remove the method, reset the password, revoke the sessions.",
	Actions:        []string{"mfa_enroll", "revoke_sessions", "force_password_change"}, Source: "audit_log",
}

var deviceAfterSuspicion = detect.Meta{
	Name: "device-registered-after-suspicious-sign-in", Title: "A device was registered about a suspicious sign-in", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1098.005", "T1528"}, Stage: "persistence",
	Says:           "From half an hour before a suspicious sign-in to an hour after it, a device was registered for the account: its token outlives a new password.",
	FalsePositives: "A new computer set up on a journey.",
	Fix:            "Remove the device, revoke the sessions, reset the password.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "audit_log",
}

const (
	noteGuess    = "wrong-code" // account
	noteFrom     = "session-at" // session → spots
	noteDead     = "dead-token" // account
	noteSuspect  = "suspicious" // account → why
	noteRegister = "registered" // account → what
	guesses      = 10
	deadTries    = 10
)

// programs are the beginnings and parts of user agents of libraries, not of browsers.
var programs = []string{"axios/", "node-fetch", "node/", "undici", "python-requests", "python-urllib", "aiohttp", "httpx/", "go-http-client", "okhttp/", "curl/", "colly", "got (", "node.js"}

// personsApps are applications that people use with a browser or Office alone.
var personsApps = map[string]bool{
	"4765445b-32c6-49b0-83e6-1d93765276ca": true, // OfficeHome
	"72782ba9-4490-4f03-8d82-562370ea3566": true, // Office 365
	"d3590ed6-52b3-4102-aeff-aad2292ab01c": true, // Microsoft Office
	"00000002-0000-0ff1-ce00-000000000000": true, // Exchange Online
	authenticationBroker:                   true,
}

// kitOf is the library by which a person's own application was signed in to; empty where it was not.
func kitOf(r *detect.Record) string {
	if !signIn(r) || !succeeded(r) || r.ActorKind == "app" || !personsApps[strings.ToLower(auditText(r, "app_id"))] {
		return ""
	}
	low := strings.ToLower(r.UserAgent)
	for _, p := range programs {
		if strings.Contains(low, p) {
			return strings.TrimRight(p, "/ (")
		}
	}
	return ""
}

func judgeKit(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	kit := kitOf(r)
	if kit == "" {
		return nil
	}
	app, who := auditText(r, "app"), strings.ToLower(r.Actor)
	if app == "" {
		app = auditText(r, "app_id")
	}
	terms := auditTerms(70, "the user agent is that of "+kit)
	if m := auditText(r, "mfa"); m == "claim" || m == "asked" {
		terms.Add(5, "past the second factor")
	}
	why := fmt.Sprintf("%s signed in to %s%s with %q, which is a program and no browser.", r.Actor, app, auditFrom(r), r.UserAgent)
	suspect(mem, r, who, why)
	return auditOne(auditFinding(o, &phishingKit, r, r.Actor, who, auditDay(r), why, terms))
}

func judgeGuesses(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || succeeded(r) || r.Actor == "" || auditText(r, "error") != "500121" {
		return nil
	}
	detail := strings.ToLower(auditText(r, "factor_detail") + " " + auditText(r, "reason"))
	if !strings.Contains(detail, "verification code") && !strings.Contains(detail, "incorrect code") && !strings.Contains(detail, "wrong code") {
		return nil
	}
	who := strings.ToLower(r.Actor)
	notes := auditWindow(mem, r, noteGuess, who, r.IP, time.Hour)
	if len(notes) < guesses {
		return nil
	}
	why := fmt.Sprintf("%d wrong verification codes were entered for %s within an hour%s.", len(notes), r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &factorGuessed, r, r.Actor, who, auditDay(r), why, auditTerms(66, fmt.Sprintf("%d wrong codes within an hour", len(notes))), auditTail(notes, 20)...))
}

func judgeSessionAbroad(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	session := auditText(r, "session")
	if !signIn(r) || !succeeded(r) || session == "" || r.ActorKind == "app" {
		return nil
	}
	here, placed := spotOf(r)
	if net, told := o.Network(r.IP, here.asn); !placed || here.asn == "" || told && net.Kind != detect.VPN && net.Kind != detect.Hosting {
		return nil
	}
	before := mem.Since(noteFrom, session, r.Time.Add(-24*time.Hour))
	for i := len(before) - 1; i >= 0; i-- {
		there, ok := readSpot(before[i].Value)
		if !ok || there.country == here.country || there.asn == here.asn || apart(there, here) < travelLeast {
			continue
		}
		who := strings.ToLower(r.Actor)
		after := r.Time.Sub(before[i].At)
		terms := auditTerms(68, fmt.Sprintf("%.0f km apart, within %s", apart(there, here), auditAgo(after)))
		why := fmt.Sprintf("One session of %s was used from %s and, %s later, from %s.", r.Actor, there.where(), auditAgo(after), here.where())
		suspect(mem, r, who, why)
		return auditOne(auditFinding(o, &sessionAbroad, r, r.Actor, who, session, why, terms, before[i]))
	}
	for _, n := range before {
		if s, ok := readSpot(n.Value); ok && s.asn == here.asn && s.country == here.country {
			return nil
		}
	}
	mem.Add(noteFrom, session, detect.Note{At: r.Time, ID: r.ID, Value: here.note()})
	return nil
}

func judgeDeadTokens(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.Actor == "" || r.Time.IsZero() || microsoftNetwork(r) {
		return nil
	}
	switch auditText(r, "error") {
	case "70008", "700082", "50173", "70043":
	default:
		return nil
	}
	who := strings.ToLower(r.Actor)
	h := habitOf(mem, r, who)
	if asn := asnOf(r); asn == "" || h.days < habitDays || h.networks[asn] {
		return nil
	}
	notes := auditWindow(mem, r, noteDead, who, r.IP, time.Hour)
	if len(notes) < deadTries {
		return nil
	}
	why := fmt.Sprintf("%d sign-ins of %s within an hour came with a dead token%s, of network AS%s, which is new.", len(notes), r.Actor, auditFrom(r), asnOf(r))
	return auditOne(auditFinding(o, &deadTokens, r, r.Actor, who, auditDay(r), why, auditTerms(25, fmt.Sprintf("%d tries within an hour", len(notes))), auditTail(notes, 20)...))
}

// suspect notes that a sign-in is suspicious, and why.
func suspect(mem *detect.Memory, r *detect.Record, who, why string) {
	if n, ok := mem.Last(noteSuspect, who); ok && n.ID == r.ID {
		return
	}
	mem.Add(noteSuspect, who, detect.Note{At: r.Time, ID: r.ID, Value: why})
}

// registers are the operations by which an account gets a method or a device of its own.
var registers = map[string]string{
	"User registered security info": "method", "User registered all required security info": "method", "User changed default security info": "method",
	"Register device": "device", "Add registered owner to device": "device", "Add registered users to device": "device",
}

// judgeRegistered looks from a registration back at suspicious sign-ins, and from such a sign-in back at registrations.
func judgeRegistered(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if signIn(r) {
		who := strings.ToLower(r.Actor)
		if n, ok := mem.Last(noteSuspect, who); !ok || n.ID != r.ID {
			return nil
		}
		var found []tocsin.Finding
		for _, n := range mem.Since(noteRegister, who, r.Time.Add(-30*time.Minute)) {
			last, _ := mem.Last(noteSuspect, who)
			found = append(found, registered(o, r, n.Value, r.Actor, last.Value, n.At.Sub(r.Time), n))
		}
		return found
	}
	what := registers[r.Operation]
	if what == "" || !auditDone(r) {
		return nil
	}
	who := r.Actor
	if t := auditTargetOf(r, "User").Label(); strings.Contains(t, "@") {
		who = t
	}
	key := strings.ToLower(who)
	mem.Add(noteRegister, key, detect.Note{At: r.Time, ID: r.ID, Value: what})
	suspects := mem.Since(noteSuspect, key, r.Time.Add(-time.Hour))
	if len(suspects) == 0 {
		return nil
	}
	last := suspects[len(suspects)-1]
	return auditOne(registered(o, r, what, who, last.Value, r.Time.Sub(last.At), last))
}

// registered tells of a registration so long after a suspicious sign-in, or before it where that is negative.
func registered(o *detect.Org, r *detect.Record, what, who, because string, after time.Duration, before detect.Note) tocsin.Finding {
	m, noun := &methodAfterSuspicion, "a sign-in method"
	if what == "device" {
		m, noun = &deviceAfterSuspicion, "a device"
	}
	when := auditAgo(after) + " after"
	if after < 0 {
		when = auditAgo(-after) + " before"
	}
	why := fmt.Sprintf("%s registered %s %s a suspicious sign-in: %s", who, noun, when, because)
	return auditFinding(o, m, r, who, strings.ToLower(who), auditDay(r), why, auditTerms(72, when+" a suspicious sign-in"), before)
}
