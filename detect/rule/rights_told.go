package rule

import (
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// rightsOperations tell of rights without any rule finding something on the record itself.
var rightsOperations = []string{"RemoveFolderPermissions", "Enable-TransportRule", "Enable-JournalRule"}

// Rights reads what an audit record tells of forwarding, of rights over mailboxes and of mail flow; nothing where it tells
// nothing of these, or of an attempt that failed. It is what the state is made of, so also what the service itself did.
func Rights(r *detect.Record) []detect.RightsSeen {
	if !auditDone(r) || r.Time.IsZero() {
		return nil
	}
	t := detect.RightsSeen{Source: "audit", At: tocsin.Millis(r.Time), Record: r.ID, Actor: r.Actor, ActorKind: r.ActorKind}
	var out []detect.RightsSeen
	for _, s := range rightsTold(r, &t) {
		if len(s.Settings)+len(s.Rights)+len(s.MailFlow)+len(s.Whole) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func rightsTold(r *detect.Record, t *detect.RightsSeen) []detect.RightsSeen {
	verb, noun, _ := strings.Cut(r.Operation, "-")
	switch r.Operation {
	case "Set-Mailbox":
		return mailboxTold(r, t)
	case "Add-MailboxPermission", "Remove-MailboxPermission":
		fullAccessTold(r, t, verb == "Remove")
	case "Add-RecipientPermission", "Remove-RecipientPermission":
		sendAsTold(r, t, verb == "Remove")
	case "Add-MailboxFolderPermission", "Set-MailboxFolderPermission", "Remove-MailboxFolderPermission",
		"AddFolderPermissions", "ModifyFolderPermissions", "UpdateFolderPermissions", "RemoveFolderPermissions":
		folderTold(r, t, strings.HasPrefix(r.Operation, "Remove"))
	case "New-TransportRule", "Set-TransportRule", "Enable-TransportRule", "Disable-TransportRule", "Remove-TransportRule",
		"New-JournalRule", "Set-JournalRule", "Enable-JournalRule", "Disable-JournalRule", "Remove-JournalRule":
		mailFlowTold(r, t, verb, strings.ToLower(strings.TrimSuffix(noun, "Rule")))
	case "Set-MailboxAuditBypassAssociation":
		t.Mailbox = told(r, "Identity")
		setting(r, t, "AuditByPassEnabled", detect.AuditBypass)
	case "Set-AdminAuditLogConfig":
		t.Org = true
		setting(r, t, "UnifiedAuditLogIngestionEnabled", detect.AuditLog)
	case "Set-OrganizationConfig":
		t.Org = true
		if setting(r, t, "AuditDisabled", detect.MailboxAudit); t.Settings != nil { // the other way round
			t.Settings[detect.MailboxAudit] = map[bool]string{true: "false", false: "true"}[t.Settings[detect.MailboxAudit] == "true"]
		}
	}
	return []detect.RightsSeen{*t}
}

// told is a parameter, or what the record names as its object where the parameter is Identity and missing.
func told(r *detect.Record, name string) string {
	v, _ := auditParam(r, name)
	if v == "" && name == "Identity" {
		v = r.Object
	}
	return strings.TrimSpace(v)
}

// setting puts a switch that a record sets.
func setting(r *detect.Record, t *detect.RightsSeen, param, name string) {
	v, ok := auditParam(r, param)
	if v = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(v), "$")); !ok || v != "true" && v != "false" {
		return
	}
	if t.Settings == nil {
		t.Settings = map[string]string{}
	}
	t.Settings[name] = v
}

func mailboxTold(r *detect.Record, t *detect.RightsSeen) []detect.RightsSeen {
	t.Mailbox = told(r, "Identity")
	for param, name := range map[string]string{"ForwardingSmtpAddress": detect.ForwardingSMTP, "ForwardingAddress": detect.ForwardingRecipient} {
		v, ok := auditParam(r, param)
		if !ok {
			continue
		}
		a, _ := auditAddress(v)
		if strings.EqualFold(a.Address, "$null") {
			a.Address = ""
		}
		if t.Settings == nil {
			t.Settings = map[string]string{}
		}
		t.Settings[name] = a.Address
	}
	setting(r, t, "DeliverToMailboxAndForward", detect.ForwardingDeliver)
	setting(r, t, "AuditEnabled", detect.AuditEnabled)
	v, ok := auditParam(r, "GrantSendOnBehalfTo")
	if !ok {
		return []detect.RightsSeen{*t}
	}
	behalf := *t // a list of its own, which it tells whole unless it says what was added or removed
	behalf.Settings = nil
	whole := true
	for _, who := range auditSplit(strings.Trim(v, "@{} ")) {
		right := detect.RightSeen{Kind: detect.RightSendOnBehalf, Levels: []string{"SendOnBehalf"}}
		switch low := strings.ToLower(who); {
		case strings.EqualFold(who, "$null"):
			continue
		case strings.HasPrefix(low, "add="):
			who, whole = who[len("add="):], false
		case strings.HasPrefix(low, "remove="):
			who, whole, right.Removed = who[len("remove="):], false, true
		}
		if right.Trustee = strings.Trim(who, `"' `); right.Trustee != "" {
			behalf.Rights = append(behalf.Rights, right)
		}
	}
	if whole {
		behalf.Whole = []string{detect.RightSendOnBehalf}
	}
	return []detect.RightsSeen{*t, behalf}
}

func fullAccessTold(r *detect.Record, t *detect.RightsSeen, removed bool) {
	t.Mailbox = told(r, "Identity")
	if removed && auditSaid(r, "ResetDefault", "true") {
		t.Whole = []string{detect.RightFullAccess}
		return
	}
	user, rights := told(r, "User"), told(r, "AccessRights")
	if user != "" && strings.Contains(strings.ToLower(rights), "fullaccess") {
		t.Rights = []detect.RightSeen{{Trustee: user, Kind: detect.RightFullAccess, Levels: []string{"FullAccess"}, Deny: auditSaid(r, "Deny", "true"), Removed: removed}}
	}
}

func sendAsTold(r *detect.Record, t *detect.RightsSeen, removed bool) {
	t.Mailbox = told(r, "Identity")
	user, rights := told(r, "Trustee"), told(r, "AccessRights")
	if user != "" && strings.Contains(strings.ToLower(rights), "sendas") {
		t.Rights = []detect.RightSeen{{Trustee: user, Kind: detect.RightSendAs, Levels: []string{"SendAs"}, Deny: auditSaid(r, "Deny", "true"), Removed: removed}}
	}
}

func folderTold(r *detect.Record, t *detect.RightsSeen, removed bool) {
	user, rights := told(r, "User"), told(r, "AccessRights")
	mailbox, folder, _ := strings.Cut(told(r, "Identity"), ":")
	if owner := auditText(r, "mailbox"); owner != "" {
		mailbox = owner
	}
	if user == "" || mailbox == "" || strings.HasPrefix(user, "Owner@local") || strings.HasPrefix(user, "Member@local") {
		return
	}
	t.Mailbox = mailbox
	var levels []string
	for _, l := range strings.FieldsFunc(strings.Trim(rights, "{}"), func(c rune) bool { return c == ',' || c == ';' }) {
		if l = strings.TrimSpace(l); l != "" && !strings.EqualFold(l, "none") {
			levels = append(levels, l)
		}
	}
	t.Rights = []detect.RightSeen{{Trustee: user, Kind: detect.RightFolder, Folder: strings.Trim(folder, `\/ `), Levels: levels, Removed: removed || len(levels) == 0}}
}

func mailFlowTold(r *detect.Record, t *detect.RightsSeen, verb, kind string) {
	t.Org = true
	m := detect.MailFlowSeen{Kind: kind, Name: told(r, "Identity"), Params: map[string]string{}}
	switch verb {
	case "New":
		m.Name, m.Made = transportName(r), true
		m.Params["enabled"] = "true"
	case "Remove":
		m.Removed = true
	case "Enable", "Disable":
		m.Params["enabled"] = map[string]string{"Enable": "true", "Disable": "false"}[verb]
	}
	if m.Name == "" {
		return
	}
	if verb == "New" || verb == "Set" {
		for p, v := range r.Params {
			if p = strings.ToLower(p); p != "identity" {
				m.Params[p] = strings.TrimPrefix(v, "$")
			}
		}
	}
	t.MailFlow = []detect.MailFlowSeen{m}
}
