package web

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

// decisions are what a person can decide, with what each means.
var decisions = []struct {
	Status      tocsin.Status
	Name, Means string
}{
	{tocsin.Open, "Open", "Nobody has looked at it yet"},
	{tocsin.InWork, "In work", "Somebody is on it"},
	{tocsin.Fixed, "Fixed", "The cause is gone; it opens again if it returns"},
	{tocsin.Accepted, "Accepted until", "Known and borne until a date, then it opens again"},
	{tocsin.FalseAlarm, "False alarm", "The detection was wrong here"},
}

func changeWord(c string) string {
	if w, ok := map[string]string{
		"raised": "Raised", "updated": "Seen anew", "fixed": "Fixed", "reopened": "Opened again", "open": "Set to open",
		"in_work": "Taken into work", "accepted": "Accepted", "false_alarm": "Declared a false alarm", "assigned": "Assigned",
		"suspend": "Account disabled", "reinstate": "Account enabled", "force_password_change": "New password forced", "mfa_enroll": "Sign-in methods removed", "confirm_risk": "Risk confirmed", "dismiss_risk": "Risk dismissed",
		"remove_admin_role": "Role taken", "return_admin_role": "Role given again", "remove_eligible_role": "Right to the role taken", "return_eligible_role": "Right to the role given again",
		"revoke_grant": "Consent revoked", "return_grant": "Consent given again", "remove_permission": "Permission taken", "return_permission": "Permission given again",
		"disable_app": "Application disabled", "enable_app": "Application enabled",
		"revoke_sessions": "Sessions revoked", "disable_rule": "Rule disabled", "delete_rule": "Rule deleted", "enable_rule": "Rule enabled again", "restore_rule": "Rule restored",
	}[c]; ok {
		return w
	}
	return sentence(c)
}

// pastChange is a change of a finding; where it was seen anew, with the times right before that.
type pastChange struct {
	api.FindingChange
	Before []api.FindingChange // newest first
}

// pastChanges folds what was seen anew several times on end, while nobody did anything, into the newest. The history is newest first.
func pastChanges(history []api.FindingChange) []pastChange {
	var l []pastChange
	for _, h := range history {
		if n := len(l); n > 0 && h.Change == "updated" && l[n-1].Change == "updated" {
			l[n-1].Before = append(l[n-1].Before, h)
			continue
		}
		l = append(l, pastChange{FindingChange: h})
	}
	return l
}

func changeKnot(c string) string {
	switch c {
	case "raised", "reopened":
		return "k-high"
	case "fixed", "revoke_sessions", "disable_rule", "delete_rule", "suspend", "force_password_change", "mfa_enroll", "remove_admin_role", "remove_eligible_role", "revoke_grant", "remove_permission", "disable_app":
		return "k-ok"
	case "enable_rule", "restore_rule", "reinstate", "return_admin_role", "return_eligible_role", "return_grant", "return_permission", "enable_app":
		return "k-high"
	case "in_work", "accepted", "false_alarm", "assigned", "open":
		return "k-accent"
	}
	return ""
}

func termSum(ts []tocsin.RiskTerm) int {
	sum := 0
	for _, t := range ts {
		sum += t.Points
	}
	return sum
}

func termClass(t tocsin.RiskTerm, s tocsin.Severity) string {
	if t.Points < 0 {
		return "f-ok"
	}
	return "f-" + string(s)
}

func signed(n int) string {
	if n < 0 {
		return fmt.Sprintf("−%d", -n)
	}
	return fmt.Sprintf("+%d", n)
}

func abs(n int) int { return max(n, -n) }

func has[T comparable](s []T, v T) bool { return slices.Contains(s, v) }

// inDays is the date n days from now, as a date input holds it.
func inDays(ctx context.Context, n int) string {
	l := lookOf(ctx)
	return l.now.In(l.zone).AddDate(0, 0, n).Format(time.DateOnly)
}

// jobOf is a person's title and department in a phrase.
func jobOf(i api.Identity) string {
	switch {
	case i.Title != "" && i.Department != "":
		return i.Title + ", " + i.Department
	case i.Title != "":
		return i.Title
	case i.Department != "":
		return i.Department
	}
	return sentence(i.Kind)
}

// recordOf is the audit record that a piece of evidence names, where it is kept here.
func recordOf(f api.FindingDetail, e tocsin.Evidence) *api.AuditRecord {
	for i := range f.Records {
		if e.Source == "audit_log" && f.Records[i].ID == e.ID {
			return &f.Records[i]
		}
	}
	return nil
}

// otherActions are what fits a finding and cannot be done from its page: what can has a button there.
func otherActions(f api.FindingDetail) []string {
	return slices.DeleteFunc(slices.Clone(f.Actions), func(a string) bool {
		return slices.ContainsFunc(f.Acts, func(x api.Act) bool { return string(x.Kind) == a })
	})
}
