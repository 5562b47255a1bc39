package rule

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var legacyAuthentication = detect.Meta{
	Name: "legacy-authentication", Title: "A sign-in over a protocol without a second factor", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004", "T1110"}, Stage: "access",
	Says:           "SMTP, IMAP, POP or another old protocol let somebody in with the password alone.",
	FalsePositives: "Scanners and old programs.",
	Fix:            "Block legacy authentication by policy; give the device another way.",
	Actions:        []string{"force_password_change"}, Source: "sign_in",
}

var passwordGrant = detect.Meta{
	Name: "password-grant-sign-in", Title: "A program signed in with a person's password", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "The resource-owner password grant succeeded with one factor: attack tools use it to pass the second.",
	FalsePositives: "An old script.",
	Fix:            "Find the program; require a second factor for it.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var deviceCodeBroker = detect.Meta{
	Name: "device-code-through-broker", Title: "A device code was used with the authentication broker", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1528", "T1566.002"}, Stage: "access",
	Says:           "A code entered by the person gave somebody else's device a token that opens everything.",
	FalsePositives: "Next to none: people do not sign in to the broker by code.",
	Fix:            "Revoke the sessions and remove devices registered since.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var deviceCodeSignIn = detect.Meta{
	Name: "device-code-sign-in", Title: "A device code was used for the first time", Family: "sign-ins",
	Severity: tocsin.Low, Attack: []string{"T1528", "T1566.002", "T1550.001"}, Stage: "access",
	Says:           "A person signed in by device code who had not done so before in these records.",
	FalsePositives: "Television sets, meeting rooms, command-line tools.",
	Fix:            "Ask the person; block device code by policy where nobody needs it.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var firstPartyClientToGraph = detect.Meta{
	Name: "first-party-client-to-graph", Title: "A developer's tool opened the directory", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1566.002", "T1528"}, Stage: "access",
	Says:           "Visual Studio Code, as phishing for codes uses it, signed a person in to Microsoft Graph.",
	FalsePositives: "Developers with such an extension.",
	Fix:            "Ask the person what he was sent; revoke the sessions.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var sessionFromSeveralAddresses = detect.Meta{
	Name: "session-from-several-addresses", Title: "One session came from several addresses", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1550.001", "T1550.004", "T1185"}, Stage: "access",
	Says:           "The same session was used from two networks within an hour: a token may have been stolen.",
	FalsePositives: "A change from mobile to office network, a VPN.",
	Fix:            "Revoke the sessions if the person was at one place only.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var attackToolSignIn = detect.Meta{
	Name: "attack-tool-sign-in", Title: "A sign-in by a tool of attackers", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1087.004", "T1526"}, Stage: "access",
	Says:           "The user agent is that of a known tool for reading out a directory or taking over accounts.",
	FalsePositives: "Your own test of the defences.",
	Fix:            "Unless it was ordered, revoke the sessions and look at what was read.",
	Actions:        []string{"revoke_sessions", "suspend"}, Source: "sign_in",
}

// legacyClients are the values of clientAppUsed that cannot do a second factor.
// See https://learn.microsoft.com/entra/identity/conditional-access/policy-block-legacy-authentication.
var legacyClients = map[string]bool{
	"authenticated smtp": true, "smtp": true, "imap": true, "imap4": true, "pop": true, "pop3": true, "mapi over http": true, "other clients": true,
	"exchange web services": true, "exchange activesync": true, "exchange online powershell": true, "autodiscover": true,
	"outlook anywhere (rpc over http)": true, "offline address book": true, "reporting web services": true, "exchange server auth": true,
}

func judgeLegacy(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	client := strings.TrimSuffix(strings.ToLower(r.ClientApp), "; imap")
	if !signIn(r) || !succeeded(r) || !legacyClients[client] || strings.EqualFold(auditText(r, "protocol"), "ropc") {
		return nil
	}
	why := fmt.Sprintf("%s signed in over %s, with the password alone%s.", r.Actor, r.ClientApp, auditFrom(r))
	return auditOne(auditFinding(o, &legacyAuthentication, r, r.Actor, strings.ToLower(r.Actor), client, why, auditTerms(40, r.ClientApp+" cannot ask for a second factor")))
}

func judgePasswordGrant(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || !succeeded(r) || strings.EqualFold(auditText(r, "requirement"), "multiFactorAuthentication") {
		return nil
	}
	if !strings.EqualFold(auditText(r, "protocol"), "ropc") && !strings.Contains(r.UserAgent, "BAV2ROPC") {
		return nil
	}
	terms := auditTerms(45, "the password alone was enough, past the second factor")
	why := fmt.Sprintf("A program signed in as %s with the password alone%s.", r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &passwordGrant, r, r.Actor, strings.ToLower(r.Actor), strings.ToLower(auditText(r, "app_id")), why, terms))
}

const authenticationBroker = "29d9ed98-a469-4536-ade2-f981bc1d605e"

func judgeDeviceCode(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || !succeeded(r) || !strings.EqualFold(auditText(r, "protocol"), "deviceCode") {
		return nil
	}
	who := strings.ToLower(r.Actor)
	if strings.EqualFold(auditText(r, "app_id"), authenticationBroker) {
		why := fmt.Sprintf("%s signed in to the authentication broker by device code%s.", r.Actor, auditFrom(r))
		suspect(mem, r, who, why)
		return auditOne(auditFinding(o, &deviceCodeBroker, r, r.Actor, who, "", why, auditTerms(68, "whoever sent the code holds a token that opens everything")))
	}
	if _, before := mem.Last(noteCode, who); before {
		return nil
	}
	mem.Add(noteCode, who, detect.Note{At: r.Time, ID: r.ID})
	why := fmt.Sprintf("%s signed in by device code to %s for the first time in these records%s.", r.Actor, auditText(r, "app"), auditFrom(r))
	return auditOne(auditFinding(o, &deviceCodeSignIn, r, r.Actor, who, "", why, auditTerms(30, "a code can be asked for by somebody else")))
}

func judgeFirstPartyClient(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || !succeeded(r) || !strings.EqualFold(auditText(r, "app_id"), visualStudioCode) || auditText(r, "resource") != microsoftGraph {
		return nil
	}
	why := fmt.Sprintf("%s signed in to Microsoft Graph with Visual Studio Code%s.", r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &firstPartyClientToGraph, r, r.Actor, strings.ToLower(r.Actor), "", why, auditTerms(45, "a client that phishing for codes uses")))
}

func judgeSession(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	session := auditText(r, "session")
	if !signIn(r) || !succeeded(r) || session == "" || r.IP == "" || auditText(r, "interactive") == "false" ||
		firstPartyApp(auditText(r, "app_id")) || auditText(r, "resource") != microsoftGraph {
		return nil
	}
	notes := auditWindow(mem, r, noteSession, session, network(r.IP), time.Hour)
	n := detect.Distinct(notes)
	if n < 2 {
		return nil
	}
	terms := auditTerms(45, fmt.Sprintf("%d networks within an hour", n))
	why := fmt.Sprintf("One session of %s came from %d networks within an hour, the last%s.", r.Actor, n, auditFrom(r))
	return auditOne(auditFinding(o, &sessionFromSeveralAddresses, r, r.Actor, strings.ToLower(r.Actor), session, why, terms, auditTail(notes, 20)...))
}

// network is the /24 or /48 of an address: within it, a change is the provider's.
func network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	bits := 24
	if a = a.Unmap(); a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ip
	}
	return p.String()
}

// attackTools are marks in user agents of known tools.
var attackTools = []string{"azurehound", "bloodhound", "roadtools", "roadrecon", "teamfiltration", "aadinternals", "graphrunner", "msolspray", "o365spray", "evilginx", "tokentactics", "fasthttp", "axios/"}

func judgeAgent(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.UserAgent == "" {
		return nil
	}
	low := strings.ToLower(r.UserAgent)
	for _, tool := range attackTools {
		if !strings.Contains(low, tool) || tool == "axios/" && kitOf(r) != "" { // that is told as a kit
			continue
		}
		terms := auditTerms(45, "the user agent is that of "+tool)
		if succeeded(r) {
			terms.Add(25, "and it was let in")
		}
		why := fmt.Sprintf("A sign-in as %s used %s%s.", r.Actor, tool, auditFrom(r))
		return auditOne(auditFinding(o, &attackToolSignIn, r, r.Actor, strings.ToLower(r.Actor), tool, why, terms))
	}
	return nil
}
