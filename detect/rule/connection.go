package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Connections are the rules that judge a way of ours to the tenant.
var Connections = []detect.ConnectionCheck{
	{Meta: consentRemoved, Judge: judgeConsentRemoved},
	{Meta: consentAdded, Judge: judgeConsentAdded},
	{Meta: credentialExpires, Judge: judgeCredentialExpires},
	{Meta: mailSilent, Judge: judgeMailSilent},
	{Meta: mailUntold, Judge: judgeMailUntold},
}

// Connection judges the state of a connection by every check of one.
func Connection(o *detect.Org, c *detect.Connection) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range Connections {
		k := &Connections[i]
		out = append(out, o.Unexcused(&k.Meta, k.Judge(o.Now, c))...)
	}
	return out
}

var consentRemoved = detect.Meta{
	Name: "consent-removed", Title: "A permission was taken from Tocsin", Family: "connections",
	Severity: tocsin.Medium, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "A permission that Tocsin watches by was taken from its app. Who has taken a tenant blinds what could see them first.",
	FalsePositives: "An administrator who means it: accept the finding.",
	Fix:            "Find out in Entra's audit log who removed it (Remove app role assignment from service principal), and grant it again.",
	Actions:        []string{"revoke_sessions"}, Source: "connection",
}

func judgeConsentRemoved(_ time.Time, c *detect.Connection) []tocsin.Finding {
	return drifts(c, &consentRemoved, true, func(list []detect.Drift, terms *detect.Terms) string {
		var lost []string
		for _, d := range list {
			for _, f := range d.For {
				if !slices.Contains(lost, f) {
					lost = append(lost, f)
				}
			}
		}
		terms.Add(45, "what it watched by was taken away")
		if n := len(lost); n > 1 {
			terms.Add(min(25, 5*n), fmt.Sprintf("%d capabilities go by it", n))
		}
		return fmt.Sprintf("%s was taken from the app of %s, by which go: %s.", permissions(list), detect.Quote(c.Name), strings.Join(lost, ", "))
	})
}

var consentAdded = detect.Meta{
	Name: "consent-added", Title: "Tocsin's app was granted more than it needs", Family: "connections",
	Severity: tocsin.High, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "The app of a connection was granted a permission that nothing here uses. Who steals its secret gets that too; an intruder may have granted it for that.",
	FalsePositives: "An administrator who prepares for something else: give that an app registration of its own.",
	Fix:            "Remove the permission from the app registration and from its consent, and find out in Entra's audit log who granted it.",
	Actions:        []string{"revoke_sessions"}, Source: "connection",
}

func judgeConsentAdded(_ time.Time, c *detect.Connection) []tocsin.Finding {
	return drifts(c, &consentAdded, false, func(list []detect.Drift, terms *detect.Terms) string {
		terms.Add(35, "nothing here uses it")
		why := list[0].Why
		for _, d := range list {
			if d.Dangerous {
				terms.Add(45, "who has it can make themselves an administrator")
				why = "Who has " + d.Permission + " can make themselves an administrator of the tenant."
				break
			}
		}
		return fmt.Sprintf("The app of %s was granted %s. %s", detect.Quote(c.Name), permissions(list), why)
	})
}

// drifts makes a finding of the drifts of each look: what came or went together is one.
func drifts(c *detect.Connection, m *detect.Meta, removed bool, say func([]detect.Drift, *detect.Terms) string) []tocsin.Finding {
	if c.State == "closed" || c.State == "closing" {
		return nil
	}
	var out []tocsin.Finding
	for i := 0; i < len(c.Drifts); {
		at := c.Drifts[i].At
		var list []detect.Drift
		for ; i < len(c.Drifts) && c.Drifts[i].At.Equal(at); i++ {
			if d := c.Drifts[i]; d.Removed == removed && (removed && len(d.For) > 0 || !removed && d.Why != "") {
				list = append(list, d)
			}
		}
		if len(list) == 0 {
			continue
		}
		f := m.Finding("", c.Name, c.ID, at)
		f.Cause = fmt.Sprint(tocsin.Millis(at))
		for _, d := range list {
			f.Evidence = append(f.Evidence, tocsin.Evidence{ID: d.ID, Source: "connection", What: map[bool]string{true: "removed", false: "granted"}[removed] + " between two looks", Raw: d.Resource + ": " + d.Permission})
		}
		var terms detect.Terms
		why := say(list, &terms)
		out = append(out, *scored(&f, terms, why))
	}
	return out
}

func permissions(list []detect.Drift) string {
	var names []string
	for _, d := range list {
		names = append(names, d.Permission)
	}
	return some(names)
}

var credentialExpires = detect.Meta{
	Name: "credential-expires", Title: "A connection's credential is about to end", Family: "connections",
	Severity: tocsin.Low, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "The secret or certificate of a connection ends within 30 days. When it has ended nothing is read from the tenant.",
	FalsePositives: "A connection that is to end: disconnect it.",
	Fix:            "Make a new secret or certificate in the app registration and enter it with Rotate on the connection's page; the old one stays at work until the new one is proven.",
	Actions:        []string{}, Source: "connection",
}

func judgeCredentialExpires(now time.Time, c *detect.Connection) []tocsin.Finding {
	left := c.Expires.Sub(now)
	if c.Expires.IsZero() || left > 30*24*time.Hour || c.State == "closed" || c.State == "closing" {
		return nil
	}
	f := credentialExpires.Finding("", c.Name, c.ID, c.Expires.Add(-30*24*time.Hour))
	f.Evidence = []tocsin.Evidence{{ID: c.ID, Source: "connection", What: "the " + c.Method + " ends", Raw: c.Expires.UTC().Format(time.RFC3339)}}
	terms := detect.Terms{{Points: 25, Why: "it ends within 30 days"}}
	switch {
	case left <= 0:
		terms.Add(60, "it has ended: nothing is read")
	case left <= 24*time.Hour:
		terms.Add(45, "it ends within a day")
	case left <= 7*24*time.Hour:
		terms.Add(20, "it ends within 7 days")
	}
	verb := "ends"
	if left <= 0 {
		verb = "ended"
	}
	return []tocsin.Finding{*scored(&f, terms, fmt.Sprintf("The %s of %s %s on %s.", c.Method, detect.Quote(c.Name), verb, c.Expires.UTC().Format("2 January 2006")))}
}
