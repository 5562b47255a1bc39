package rule

import (
	"fmt"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var opaqueRule = detect.Meta{
	Name: "opaque-rule", Title: "A rule shows nothing of what it does", Family: "hiding",
	Severity: tocsin.Medium, Attack: []string{"T1564.008"}, Stage: "hiding",
	Says:           "A read-only inbox rule has neither conditions nor actions that Microsoft Graph shows: what it does can only be seen in Outlook or by an administrator in Exchange.",
	FalsePositives: "Rules of desktop Outlook that run only there (play a sound, show an alert) look the same.",
	Fix:            "Look at it with Get-InboxRule -IncludeHidden, or in the owner's Outlook; remove it if the owner does not know it.",
	Actions:        []string{"revoke_sessions"}, Source: "mailbox_rule", // a read-only rule cannot be switched off by Graph
}

func judgeOpaqueRule(o *detect.Org, m *detect.Mailbox, r *detect.Rule) *tocsin.Finding {
	visible := len(r.Conditions) + len(r.Exceptions) + len(r.Targets()) + len(r.Categories) + len(r.Importance)
	if visible > 0 || r.MoveTo != nil || r.CopyTo != nil || r.Delete || r.Purge || r.MarkRead || !r.ReadOnly && len(r.Unknown) == 0 {
		return nil
	}
	var terms detect.Terms
	why := fmt.Sprintf("%s of %s is read-only and shows neither conditions nor actions: nobody can tell here what it does.", label(&r.MailRule), m.Address)
	if r.ReadOnly {
		terms.Add(45, "read-only, with neither conditions nor actions shown")
	} else {
		terms.Add(30, "does only what is not known here: "+some(r.Unknown))
		why = fmt.Sprintf("%s of %s does something that is not known here (%s).", label(&r.MailRule), m.Address, some(r.Unknown))
	}
	nameTerm(&r.MailRule, &terms)
	if !r.Enabled {
		terms.Add(-25, "it is switched off")
	}
	return scored(about(o, &opaqueRule, m, r), terms, why+state(&r.MailRule))
}
