package rule

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// alertEvents pass on what Microsoft itself alerted.
var alertEvents = []detect.Event{{Meta: microsoftAlert, Judge: judgeAlert}}

var alertOperations = []string{"Alert", "AlertTriggered"}

var microsoftAlert = detect.Meta{
	Name: "microsoft-alert", Title: "Microsoft raised an alert", Family: "alerts",
	Severity: tocsin.Medium, Attack: []string{}, Stage: "access",
	Says:           "Defender, Purview or Entra raised an alert that is not settled; it has Microsoft's severity.",
	FalsePositives: "By alert.",
	Fix:            "Follow the alert in Microsoft's portal; the person's other findings stand beside it.",
	Actions:        []string{}, Source: "alert",
}

var alertPoints = map[string]int{"low": 20, "medium": 45, "high": 68, "critical": 88}

func judgeAlert(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Alert" && r.Operation != "AlertTriggered" {
		return nil
	}
	switch strings.ToLower(auditText(r, "status")) {
	case "resolved", "dismissed":
		return nil
	}
	severity := strings.ToLower(auditText(r, "severity"))
	points, ok := alertPoints[severity]
	if !ok {
		return nil
	}
	who := r.Target
	if who == "" {
		who = r.Actor
	}
	title := auditText(r, "title")
	why := fmt.Sprintf("Microsoft raised %q", title)
	if who != "" {
		why += " about " + who
	}
	return auditOne(auditFinding(o, &microsoftAlert, r, who, strings.ToLower(who), strings.ToLower(title), why+".", auditTerms(points, "Microsoft's severity: "+severity)))
}
