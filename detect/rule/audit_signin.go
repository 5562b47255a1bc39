package rule

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// signInEvents judge sign-ins, from the unified audit log and from the directory's own log alike.
// Error codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
var signInEvents = []detect.Event{
	{Meta: passwordSpray, Judge: judgeSpray},
	{Meta: bruteForce, Judge: judgeBruteForce},
	{Meta: accountLockouts, Judge: judgeLockouts},
	{Meta: disabledAccountSignIn, Judge: judgeDisabled},
	{Meta: promptBombing, Judge: judgePrompts},
	{Meta: legacyAuthentication, Judge: judgeLegacy},
	{Meta: passwordGrant, Judge: judgePasswordGrant},
	{Meta: deviceCodeBroker, Judge: judgeDeviceCode},
	{Meta: deviceCodeSignIn, Judge: auditBeside},
	{Meta: firstPartyClientToGraph, Judge: judgeFirstPartyClient},
	{Meta: sessionFromSeveralAddresses, Judge: judgeSession},
	{Meta: riskySignInLetThrough, Judge: judgeRisk},
	{Meta: riskySignIn, Judge: auditBeside},
	{Meta: severalRiskAlerts, Judge: judgeRiskSeries},
	{Meta: riskDetected, Judge: judgeRiskDetection},
	{Meta: attackToolSignIn, Judge: judgeAgent},
}

var signInOperations = []string{"UserLoggedIn", "UserLoginFailed", "RiskDetection"}

var passwordSpray = detect.Meta{
	Name: "password-spray", Title: "Passwords were tried on many accounts", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1110.003"}, Stage: "access",
	Says:           "One address failed with wrong passwords for ten or more accounts within an hour, few times each.",
	FalsePositives: "An office behind one address after a password change.",
	Fix:            "Block the address; reset the accounts that it succeeded with.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var bruteForce = detect.Meta{
	Name: "brute-force", Title: "Many passwords were tried on one account", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1110.001", "T1110.004"}, Stage: "access",
	Says:           "An account or application failed to sign in ten or more times within an hour.",
	FalsePositives: "A phone with an old password, a service with an expired secret.",
	Fix:            "Where a success follows, reset the password and revoke the sessions.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var accountLockouts = detect.Meta{
	Name: "account-lockouts", Title: "Accounts were locked in numbers", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1110", "T1531"}, Stage: "access",
	Says:           "Twenty or more sign-ins within an hour were refused because the account was locked.",
	FalsePositives: "One device that tries on and on.",
	Fix:            "See from which addresses; block them.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var disabledAccountSignIn = detect.Meta{
	Name: "disabled-account-sign-in", Title: "Somebody tries accounts that are disabled", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "One address tried disabled accounts three or more times; weightier where it signed in to another.",
	FalsePositives: "A former employee's telephone.",
	Fix:            "Look at what else came from the address.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var promptBombing = detect.Meta{
	Name: "prompt-bombing", Title: "A person was worn down with sign-in prompts", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1621"}, Stage: "access",
	Says:           "Five or more prompts were denied or ignored within half an hour; critical where one was then accepted.",
	FalsePositives: "A telephone without network.",
	Fix:            "Ask the person; reset the password, which somebody knows.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "sign_in",
}

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

var attackToolSignIn = detect.Meta{
	Name: "attack-tool-sign-in", Title: "A sign-in by a tool of attackers", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1087.004", "T1526"}, Stage: "access",
	Says:           "The user agent is that of a known tool for reading out a directory or taking over accounts.",
	FalsePositives: "Your own test of the defences.",
	Fix:            "Unless it was ordered, revoke the sessions and look at what was read.",
	Actions:        []string{"revoke_sessions", "suspend"}, Source: "sign_in",
}

const (
	noteFailed   = "sign-in-failed" // address or account → accounts
	noteLocked   = "locked"         // one list
	noteDisabled = "disabled-tried" // address → accounts
	noteSuccess  = "signed-in"      // address → accounts
	noteDenied   = "prompt-denied"  // account
	noteCode     = "device-code"    // account
	noteSession  = "session"        // session → addresses
	noteRisk     = "risk"           // account
	sprayUsers   = 10               // accounts per address and hour
	bruteTries   = 10               // failures per account and hour
	lockouts     = 20               // refusals per hour
	disabledTry  = 3                // tries per address
	promptTries  = 5                // denials per half hour
	riskSeries   = 3                // alerts per hour
	longMemory   = 14 * 24 * time.Hour
)

func signIn(r *detect.Record) bool {
	return r.Operation == "UserLoggedIn" || r.Operation == "UserLoginFailed"
}

func succeeded(r *detect.Record) bool {
	e := auditText(r, "error")
	return r.Operation == "UserLoggedIn" && (e == "" || e == "0")
}

// wrongPassword says whether the failure was a wrong password or secret, or an account that does not exist.
func wrongPassword(r *detect.Record) bool {
	switch auditText(r, "error") {
	case "50126", "50034", "50056", "7000215", "7000222", "50053", "50055", "InvalidUserNameOrPassword", "UserAccountNotFound",
		"InvalidPasswordExpiredPassword", "IdsLocked":
		return true
	}
	return false
}

// microsoftNetwork says whether the autonomous system is Microsoft's own, whose machinery tries on behalf of others.
func microsoftNetwork(r *detect.Record) bool {
	asn := auditText(r, "asn")
	return asn == "8075" || asn == "8068" || asn == "8069" || asn == "12076"
}

// judgeSpray counts the accounts an address failed with. A success of the address with one of them joins the finding.
func judgeSpray(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.IP == "" || microsoftNetwork(r) || r.ActorKind == "app" {
		return nil
	}
	who := strings.ToLower(r.Actor)
	if succeeded(r) {
		return sprayed(o, mem, r, who)
	}
	if !wrongPassword(r) {
		return nil
	}
	notes := auditWindow(mem, r, noteFailed, r.IP, who, time.Hour)
	users := detect.Distinct(notes)
	if users < sprayUsers || len(notes) > 6*users {
		return nil
	}
	terms := auditTerms(65, fmt.Sprintf("%d accounts within an hour", users))
	if users >= 50 {
		terms.Add(10, "very many")
	}
	why := fmt.Sprintf("%s tried passwords on %d accounts within an hour, %d times in all.", r.IP, users, len(notes))
	return auditOne(auditFinding(o, &passwordSpray, r, r.IP, r.IP, auditDay(r), why, terms, auditTail(notes, 20)...))
}

func sprayed(o *detect.Org, mem *detect.Memory, r *detect.Record, who string) []tocsin.Finding {
	tried := mem.Since(noteFailed, r.IP, r.Time.Add(-24*time.Hour))
	if detect.Distinct(tried) < sprayUsers {
		return nil
	}
	for _, n := range tried {
		if n.Value != who {
			continue
		}
		terms := auditTerms(65, fmt.Sprintf("%d accounts were tried from the address", detect.Distinct(tried)))
		terms.Add(25, "and it then signed in as "+r.Actor)
		why := fmt.Sprintf("%s, which had tried passwords on %d accounts, signed in as %s.", r.IP, detect.Distinct(tried), r.Actor)
		return auditOne(auditFinding(o, &passwordSpray, r, r.Actor, r.IP, who, why, terms, auditTail(tried, 20)...))
	}
	return nil
}

func judgeBruteForce(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.Actor == "" {
		return nil
	}
	who := strings.ToLower(r.Actor)
	if succeeded(r) {
		return broken(o, mem, r, who)
	}
	if !wrongPassword(r) || microsoftNetwork(r) {
		return nil
	}
	notes := auditWindow(mem, r, noteFailed, "\x00"+who, r.IP, time.Hour)
	if len(notes) < bruteTries {
		return nil
	}
	terms := auditTerms(42, fmt.Sprintf("%d failures within an hour", len(notes)))
	if n := detect.Distinct(notes); n >= 5 {
		terms.Add(10, fmt.Sprintf("from %d addresses", n))
	}
	if r.ActorKind == "app" {
		terms.Add(-10, "an application, whose secret may have run out")
	}
	why := fmt.Sprintf("%s failed to sign in %d times within an hour%s.", r.Actor, len(notes), auditFrom(r))
	return auditOne(auditFinding(o, &bruteForce, r, r.Actor, who, auditDay(r), why, terms, auditTail(notes, 20)...))
}

func broken(o *detect.Org, mem *detect.Memory, r *detect.Record, who string) []tocsin.Finding {
	notes := mem.Since(noteFailed, "\x00"+who, r.Time.Add(-time.Hour))
	from := 0
	for _, n := range notes {
		if n.Value == r.IP && r.IP != "" {
			from++
		}
	}
	if from < bruteTries {
		return nil
	}
	terms := auditTerms(42, fmt.Sprintf("%d failures within an hour from the address", from))
	terms.Add(25, "and then a success")
	why := fmt.Sprintf("%s failed %d times within an hour%s and was then let in.", r.Actor, from, auditFrom(r))
	return auditOne(auditFinding(o, &bruteForce, r, r.Actor, who, auditDay(r), why, terms, auditTail(notes, 20)...))
}

func judgeLockouts(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || microsoftNetwork(r) {
		return nil
	}
	if e := auditText(r, "error"); e != "50053" && e != "IdsLocked" {
		return nil
	}
	notes := auditWindow(mem, r, noteLocked, "", strings.ToLower(r.Actor), time.Hour)
	if len(notes) < lockouts {
		return nil
	}
	terms := auditTerms(65, fmt.Sprintf("%d refusals within an hour", len(notes)))
	if n := detect.Distinct(notes); n >= 5 {
		terms.Add(10, fmt.Sprintf("of %d accounts", n))
	}
	why := fmt.Sprintf("%d sign-ins of %s were refused within an hour because the account was locked, the last%s.",
		len(notes), auditPlural(detect.Distinct(notes), "account"), auditFrom(r))
	return auditOne(auditFinding(o, &accountLockouts, r, r.Actor, "lockouts", auditDay(r), why, terms, auditTail(notes, 20)...))
}

func judgeDisabled(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.IP == "" || microsoftNetwork(r) {
		return nil
	}
	who := strings.ToLower(r.Actor)
	if succeeded(r) {
		if n, ok := mem.Last(noteSuccess, r.IP); !ok || n.Value != who {
			mem.Add(noteSuccess, r.IP, detect.Note{At: r.Time, ID: r.ID, Value: who})
		}
		return disabledThenIn(o, mem, r)
	}
	if e := auditText(r, "error"); e != "50057" && e != "UserDisabled" {
		return nil
	}
	notes := auditWindow(mem, r, noteDisabled, r.IP, who, 24*time.Hour)
	if len(notes) < disabledTry {
		return nil
	}
	terms := auditTerms(40, fmt.Sprintf("%d tries within a day", len(notes)))
	why := fmt.Sprintf("%s tried %d times within a day to sign in to %s.", r.IP, len(notes), auditPlural(detect.Distinct(notes), "disabled account"))
	before := notes
	if ins := mem.Since(noteSuccess, r.IP, r.Time.Add(-longMemory)); len(ins) > 0 && ins[len(ins)-1].Value != who {
		terms.Add(28, "and the address signed in to another account")
		why += " It also signed in as " + ins[len(ins)-1].Value + "."
		before = append(append([]detect.Note{}, auditTail(notes, 18)...), ins[len(ins)-1])
	}
	return auditOne(auditFinding(o, &disabledAccountSignIn, r, r.Actor, r.IP, "", why, terms, auditTail(before, 20)...))
}

// disabledThenIn is for the success that follows the tries.
func disabledThenIn(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	notes := mem.Since(noteDisabled, r.IP, r.Time.Add(-longMemory))
	if len(notes) < disabledTry || notes[len(notes)-1].Value == strings.ToLower(r.Actor) {
		return nil
	}
	terms := auditTerms(40, fmt.Sprintf("%d tries on disabled accounts", len(notes)))
	terms.Add(28, "and the address signed in to another account")
	why := fmt.Sprintf("%s, which had tried %s, signed in as %s.", r.IP, auditPlural(detect.Distinct(notes), "disabled account"), r.Actor)
	return auditOne(auditFinding(o, &disabledAccountSignIn, r, r.Actor, r.IP, "", why, terms, auditTail(notes, 20)...))
}

func judgePrompts(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.Actor == "" {
		return nil
	}
	who := strings.ToLower(r.Actor)
	switch auditText(r, "error") {
	case "500121", "AuthenticationFailedSasError": // refused or not answered; 50074 is the prompt itself
		mem.Add(noteDenied, who, detect.Note{At: r.Time, ID: r.ID, Value: r.IP})
		return nil
	}
	if !succeeded(r) {
		return nil
	}
	notes := mem.Since(noteDenied, who, r.Time.Add(-30*time.Minute))
	if len(notes) < promptTries {
		return nil
	}
	terms := auditTerms(65, fmt.Sprintf("%d prompts denied or ignored within half an hour", len(notes)))
	terms.Add(20, "and then one accepted")
	why := fmt.Sprintf("%s denied or ignored %d prompts within half an hour and was then signed in%s.", r.Actor, len(notes), auditFrom(r))
	mem.Forget(noteDenied, who)
	return auditOne(auditFinding(o, &promptBombing, r, r.Actor, who, auditDay(r), why, terms, auditTail(notes, 20)...))
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
		return auditOne(auditFinding(o, &deviceCodeBroker, r, r.Actor, who, "", why, auditTerms(68, "whoever sent the code holds a token that opens everything")))
	}
	if _, before := mem.Last(noteCode, who); before {
		return nil
	}
	mem.Add(noteCode, who, detect.Note{At: r.Time, ID: r.ID})
	why := fmt.Sprintf("%s signed in by device code to %s for the first time in these records%s.", r.Actor, auditText(r, "app"), auditFrom(r))
	return auditOne(auditFinding(o, &deviceCodeSignIn, r, r.Actor, who, "", why, auditTerms(30, "a code can be asked for by somebody else")))
}

const (
	visualStudioCode = "aebc6443-996d-45c2-90f0-388ff96faa56"
	microsoftGraph   = "Microsoft Graph"
)

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

func judgeRisk(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
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

func judgeRiskDetection(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "RiskDetection" {
		return nil
	}
	level, settled := riskOf(r)
	kind := strings.ToLower(auditText(r, "risk_type"))
	weight := max(weightyRisks[kind], []int{0, 15, 40, 65}[riskRank[level]])
	if settled || weight == 0 {
		return nil
	}
	terms := auditTerms(weight, "detected by Microsoft: "+auditText(r, "risk_type"))
	why := fmt.Sprintf("Microsoft detected %s for %s%s.", auditText(r, "risk_type"), r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &riskDetected, r, r.Actor, strings.ToLower(r.Actor), kind, why, terms))
}

// attackTools are marks in user agents of known tools.
var attackTools = []string{"azurehound", "bloodhound", "roadtools", "roadrecon", "teamfiltration", "aadinternals", "graphrunner", "msolspray", "o365spray", "evilginx", "tokentactics", "fasthttp", "axios/"}

func judgeAgent(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.UserAgent == "" {
		return nil
	}
	low := strings.ToLower(r.UserAgent)
	for _, tool := range attackTools {
		if !strings.Contains(low, tool) {
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
