package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// accountEvents judge accounts that come, go or lose their second factor.
var accountEvents = []detect.Event{
	{Meta: accountMadeAndDeleted, Judge: judgeAccountLife},
	{Meta: accountMade, Judge: auditBeside},
	{Meta: mfaRemoved, Judge: judgeMFA},
	{Meta: temporaryPassMade, Judge: judgeTemporaryPass},
	{Meta: guestInvited, Judge: judgeGuest},
	{Meta: guestMadeMember, Judge: judgeGuestMember},
	{Meta: anchorChanged, Judge: judgeAnchor},
	{Meta: promptReported, Judge: judgeReported},
}

var accountOperations = []string{
	"Add user", "Delete user", "Hard Delete user", "New-Mailbox", "New-MailUser", "New-RemoteMailbox", "Enable-Mailbox", "New-MailContact",
	"Update user", "Disable Strong Authentication", "User deleted security info", "Admin deleted security info",
	"Admin registered security info", "User registered security info", "Invite external user", "Suspicious activity reported", "Fraud reported - user is blocked for MFA",
	"Fraud reported - no action taken",
}

var accountMadeAndDeleted = detect.Meta{
	Name: "account-made-and-deleted", Title: "An account was made and deleted soon after", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1136.003", "T1078", "T1070"}, Stage: "persistence",
	Says:           "An account lived less than a day: long enough to be used, too short to be noticed.",
	FalsePositives: "Tests, a mistyped name.",
	Fix:            "Look at what the account did while it lived; it can be restored for 30 days.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var accountMade = detect.Meta{
	Name: "account-made", Title: "An account was made", Family: "directory accounts",
	Severity: tocsin.Info, Attack: []string{"T1136.003"}, Stage: "persistence",
	Says:           "Somebody added an account.",
	FalsePositives: "Newcomers.",
	Fix:            "Nothing, if it was asked for.",
	Actions:        []string{}, Source: "audit_log",
}

var mfaRemoved = detect.Meta{
	Name: "mfa-removed", Title: "A second factor was removed", Family: "directory accounts",
	Severity: tocsin.Medium, Attack: []string{"T1556.006"}, Stage: "persistence",
	Says:           "Strong authentication was disabled for an account, or its methods were deleted.",
	FalsePositives: "A lost telephone.",
	Fix:            "Ask the person by another way than mail; have the method registered anew.",
	Actions:        []string{"mfa_enroll", "revoke_sessions"}, Source: "audit_log",
}

var temporaryPassMade = detect.Meta{
	Name: "temporary-access-pass-made", Title: "A temporary access pass was made for another", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1078.004", "T1550"}, Stage: "persistence",
	Says:           "A pass that replaces password and second factor was made by somebody else than its user.",
	FalsePositives: "The service desk helping a newcomer.",
	Fix:            "Confirm with the service desk; delete the pass otherwise.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "audit_log",
}

var guestInvited = detect.Meta{
	Name: "guest-invited", Title: "A guest was invited", Family: "directory accounts",
	Severity: tocsin.Low, Attack: []string{"T1136.003"}, Stage: "persistence",
	Says:           "Somebody outside the organisation and its partners received an account as a guest.",
	FalsePositives: "Ordinary collaboration: name partners as trusted.",
	Fix:            "Confirm with the inviter.",
	Actions:        []string{"suspend"}, Source: "audit_log",
}

var guestMadeMember = detect.Meta{
	Name: "guest-made-member", Title: "A guest was turned into a member", Family: "directory accounts",
	Severity: tocsin.Medium, Attack: []string{"T1098"}, Stage: "persistence",
	Says:           "An account of somebody outside now counts as one of the organisation's own.",
	FalsePositives: "A merger.",
	Fix:            "Turn it back unless it was agreed on.",
	Actions:        []string{"suspend"}, Source: "audit_log",
}

var anchorChanged = detect.Meta{
	Name: "synchronisation-anchor-changed", Title: "An account was bound to another in the local directory", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1098"}, Stage: "persistence",
	Says:           "ImmutableId or SourceAnchor changed: who controls the local account signs in as this one.",
	FalsePositives: "A migration between forests.",
	Fix:            "Compare the anchor with the local directory.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var promptReported = detect.Meta{
	Name: "prompt-reported", Title: "A person reported a sign-in prompt he did not ask for", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1621", "T1078.004"}, Stage: "access",
	Says:           "Somebody else knows the password: the prompt came without the person.",
	FalsePositives: "A mistaken press.",
	Fix:            "Reset the password and revoke the sessions.",
	Actions:        []string{"force_password_change", "revoke_sessions"}, Source: "audit_log",
}

const noteUser = "user-made" // account → when and by whom

func judgeAccountLife(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) {
		return nil
	}
	switch r.Operation {
	case "New-Mailbox", "New-MailUser", "New-RemoteMailbox", "Enable-Mailbox", "New-MailContact":
		if !auditService(r) {
			noteAccount(mem, r)
		}
		return nil
	case "Add user":
		noteAccount(mem, r)
		who := auditTargetOf(r, "User").Label()
		mem.Forget(noteUser, strings.ToLower(who))
		mem.Add(noteUser, strings.ToLower(who), detect.Note{At: r.Time, ID: r.ID, Value: r.Actor})
		if auditService(r) || strings.Contains(strings.ToUpper(who), "#EXT#") {
			return nil // synchronised, or a guest: told by the invitation
		}
		return auditOne(auditFinding(o, &accountMade, r, who, strings.ToLower(who), "", fmt.Sprintf("The account %s was made%s.", who, auditBy(r)), auditTerms(10, "a new account")))
	case "Delete user", "Hard Delete user":
		who := auditTargetOf(r, "User").Label()
		made, ok := mem.Last(noteUser, deletedName(who))
		if !ok {
			made, ok = mem.Last(noteUser, strings.ToLower(who))
		}
		if age := r.Time.Sub(made.At); ok && age <= 24*time.Hour && !auditService(r) {
			mem.Forget(noteUser, deletedName(who))
			terms := auditTerms(65, "it lived "+auditAgo(age))
			if made.Value == r.Actor {
				terms.Add(5, "the same person made and deleted it")
			}
			why := fmt.Sprintf("The account %s was made by %s and deleted %s later%s.", deletedName(who), made.Value, auditAgo(age), auditBy(r))
			return auditOne(auditFinding(o, &accountMadeAndDeleted, r, deletedName(who), deletedName(who), "", why, terms, made))
		}
	}
	return nil
}

// deletedName is an account's name without the object id that the directory puts before it on deletion.
func deletedName(upn string) string {
	upn = strings.ToLower(upn)
	local, _, ok := strings.Cut(upn, "@")
	if ok && len(local) > 32 {
		hex := strings.IndexFunc(local[:32], func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
		if hex < 0 {
			return upn[32:]
		}
	}
	return upn
}

func judgeMFA(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) {
		return nil
	}
	who := auditTargetOf(r, "User").Label()
	var terms detect.Terms
	switch r.Operation {
	case "Disable Strong Authentication":
		terms.Add(55, "multifactor authentication was disabled for the account")
	case "User deleted security info", "Admin deleted security info":
		terms.Add(42, "a method was deleted")
	case "Update user":
		terms = factorsGone(r)
	}
	if len(terms) == 0 {
		return nil
	}
	if r.Operation != "User deleted security info" && !auditSame(r.Actor, who) && r.ActorKind != "service" && r.ActorKind != "system" {
		terms.Add(8, "by somebody else than the account's owner")
	}
	why := fmt.Sprintf("%s: %s%s.", who, terms[0].Why, auditBy(r))
	return auditOne(auditFinding(o, &mfaRemoved, r, who, strings.ToLower(who), "", why, terms))
}

// factorsGone reads an update of a user: methods from some to none, or the requirement from enforced to nothing.
func factorsGone(r *detect.Record) detect.Terms {
	var terms detect.Terms
	if old, now, ok := auditModified(r, "StrongAuthenticationMethod"); ok && !emptyList(old) && emptyList(now) {
		terms.Add(45, "all its methods were removed")
	}
	if old, now, ok := auditModified(r, "StrongAuthenticationRequirement"); ok && strings.Contains(old, "State") && (emptyList(now) || strings.Contains(now, `"State":0`)) {
		terms.Add(55, "multifactor authentication is no longer required of the account")
	}
	return terms
}

func emptyList(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || s == "[]" || s == `""` || s == "null"
}

func judgeTemporaryPass(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Admin registered security info" || !auditDone(r) || !strings.Contains(strings.ToLower(auditText(r, "reason")), "temporary access pass") {
		return nil
	}
	who := auditTargetOf(r, "User").Label()
	why := fmt.Sprintf("A temporary access pass was made for %s%s.", who, auditBy(r))
	return auditOne(auditFinding(o, &temporaryPassMade, r, who, strings.ToLower(who), "", why, auditTerms(65, "it replaces password and second factor")))
}

func judgeGuest(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Invite external user" || !auditDone(r) || auditService(r) {
		return nil
	}
	guest := auditText(r, "invited")
	if guest == "" {
		t := auditTargetOf(r, "User")
		guest = guestAddress(t.Label())
	}
	seen := o.For(&guestInvited)
	place := seen.Place(tocsin.Address{Address: guest})
	if place == detect.Inside || place == detect.Partner {
		return nil
	}
	why := fmt.Sprintf("%s invited %s as a guest%s.", r.Actor, guest, auditFrom(r))
	return auditOne(auditFinding(o, &guestInvited, r, r.Actor, strings.ToLower(guest), "", why, auditTerms(20, "an account for somebody outside")))
}

// guestAddress is the address in a guest's name: eve_evil.example#EXT#@contoso.onmicrosoft.com.
func guestAddress(upn string) string {
	local, _, ok := strings.Cut(upn, "#EXT#")
	if !ok {
		return upn
	}
	if i := strings.LastIndexByte(local, '_'); i > 0 {
		return local[:i] + "@" + local[i+1:]
	}
	return local
}

func judgeGuestMember(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Update user" || !auditDone(r) || auditService(r) {
		return nil
	}
	old, now, ok := auditModified(r, "UserType")
	if !ok || !strings.EqualFold(auditPlain(old), "Guest") || !strings.EqualFold(auditPlain(now), "Member") {
		return nil
	}
	who := auditTargetOf(r, "User").Label()
	why := fmt.Sprintf("The guest %s was turned into a member%s.", who, auditBy(r))
	return auditOne(auditFinding(o, &guestMadeMember, r, who, strings.ToLower(who), "", why, auditTerms(45, "what is open to members is open to him")))
}

func judgeAnchor(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Update user" || !auditDone(r) || auditService(r) {
		return nil
	}
	for _, p := range []string{"SourceAnchor", "ImmutableId", "OnPremisesImmutableId"} {
		old, now, ok := auditModified(r, p)
		if !ok || emptyList(old) || auditPlain(old) == "" || old == now {
			continue
		}
		who := auditTargetOf(r, "User").Label()
		why := fmt.Sprintf("The anchor of %s was changed from %s to %s%s.", who, auditPlain(old), auditPlain(now), auditBy(r))
		return auditOne(auditFinding(o, &anchorChanged, r, who, strings.ToLower(who), "", why, auditTerms(65, "another local account opens this one")))
	}
	return nil
}

func judgeReported(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Suspicious activity reported" && !strings.HasPrefix(r.Operation, "Fraud reported") {
		return nil
	}
	who := auditTargetOf(r, "User").Label()
	if who == "" || who == "an object without a name" {
		who = r.Actor
	}
	why := fmt.Sprintf("%s reported a sign-in prompt that he did not ask for.", who)
	return auditOne(auditFinding(o, &promptReported, r, who, strings.ToLower(who), "", why, auditTerms(65, "somebody else knows the password")))
}
