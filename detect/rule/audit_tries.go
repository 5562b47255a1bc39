package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var passwordSpray = detect.Meta{
	Name: "password-spray", Title: "Passwords were tried on many accounts", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1110.003"}, Stage: "access",
	Says:           "One address failed with wrong passwords for ten or more accounts within an hour, few times each.",
	FalsePositives: "A new office behind one address after a password change; one that people are used to sign in from is known.",
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
	Says:           "Five or more prompts were denied or ignored within half an hour and one was then accepted, or ten or more were and none.",
	FalsePositives: "A telephone without network.",
	Fix:            "Ask the person; reset the password, which somebody knows.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "sign_in",
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

// judgeSpray counts the accounts an address failed with. A success of the address with one of them joins the finding.
func judgeSpray(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || r.IP == "" || microsoftNetwork(r) || r.ActorKind == "app" {
		return nil
	}
	who := strings.ToLower(r.Actor)
	if succeeded(r) {
		found := sprayed(o, mem, r, who)
		if len(mem.Since(noteHouse, r.IP, r.Time.UTC().Truncate(24*time.Hour))) < 10*sprayUsers { // no more is ever asked
			daily(mem, r, noteHouse, r.IP, who)
		}
		return found
	}
	if !wrongPassword(r) {
		return nil
	}
	notes := auditWindow(mem, r, noteFailed, r.IP, who, time.Hour)
	users := detect.Distinct(notes)
	if users < sprayUsers || len(notes) > 6*users || houseOf(mem, r, users) {
		return nil
	}
	mem.Add(noteSprayed, r.IP, detect.Note{At: r.Time, ID: r.ID})
	terms := auditTerms(65, fmt.Sprintf("%d accounts within an hour", users))
	if users >= 50 {
		terms.Add(10, "very many")
	}
	why := fmt.Sprintf("%s tried passwords on %d accounts within an hour, %d times in all.", r.IP, users, len(notes))
	return auditOne(auditFinding(o, &passwordSpray, r, r.IP, r.IP, auditDay(r), why, terms, auditTail(notes, 20)...))
}

// houseOf says whether as many people as an address failed with are used to signing in from it, on days before: an office behind
// one address, where somebody mistypes each morning.
func houseOf(mem *detect.Memory, r *detect.Record, tried int) bool {
	notes := mem.Since(noteHouse, r.IP, r.Time.Add(-longMemory))
	before := 0
	for before < len(notes) && notes[before].At.Before(r.Time.Add(-24*time.Hour)) {
		before++
	}
	return detect.Distinct(notes[:before]) >= tried
}

// sprayed is for the success that follows a spray.
func sprayed(o *detect.Org, mem *detect.Memory, r *detect.Record, who string) []tocsin.Finding {
	tried := mem.Since(noteFailed, r.IP, r.Time.Add(-24*time.Hour))
	if len(mem.Since(noteSprayed, r.IP, r.Time.Add(-24*time.Hour))) == 0 || detect.Distinct(tried) < sprayUsers {
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
		notes := auditWindow(mem, r, noteDenied, who, r.IP, 30*time.Minute)
		if len(notes) < 2*promptTries {
			return nil
		}
		terms := auditTerms(52, fmt.Sprintf("%d prompts denied or ignored within half an hour", len(notes)))
		why := fmt.Sprintf("%s denied or ignored %d prompts within half an hour%s: somebody knows the password.", r.Actor, len(notes), auditFrom(r))
		return auditOne(auditFinding(o, &promptBombing, r, r.Actor, who, auditDay(r), why, terms, auditTail(notes, 20)...))
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
	suspect(mem, r, who, why)
	return auditOne(auditFinding(o, &promptBombing, r, r.Actor, who, auditDay(r), why, terms, auditTail(notes, 20)...))
}
