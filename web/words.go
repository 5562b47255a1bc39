package web

import (
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/detect"
)

// The words of the pages. Where Microsoft has a word we use it; states are said as people say them.

func severityWord(s tocsin.Severity) string {
	switch s {
	case tocsin.Critical:
		return "Critical"
	case tocsin.High:
		return "High"
	case tocsin.Medium:
		return "Medium"
	case tocsin.Low:
		return "Low"
	}
	return "Info"
}

func statusWord(s tocsin.Status) string {
	switch s {
	case tocsin.Open:
		return "Open"
	case tocsin.InWork:
		return "In work"
	case tocsin.Fixed:
		return "Fixed"
	case tocsin.Accepted:
		return "Accepted until"
	case tocsin.FalseAlarm:
		return "False alarm"
	}
	return sentence(string(s))
}

// bandOf is the severity that a risk of 0 to 100 stands for, for its colour beside the number.
func bandOf(risk int) string { return string(detect.Grade(risk)) }

// state words: what is shown for a state of a connection, a capability, a source or a mailbox.
var stateWords = map[string][2]string{
	"connected": {"ok", "Connected"},
	"pending":   {"busy", "Not proven yet"},
	"degraded":  {"part", "Degraded"},
	"closing":   {"paused", "Disconnecting"},
	"closed":    {"off", "Disconnected"},
	"paused":    {"paused", "Paused"},
	"failed":    {"bad", "Failed"},
	"on":        {"ok", "Works"},
	"off":       {"off", "Off"},
	"works":     {"ok", "Works"},
	"unknown":   {"unknown", "Unknown"},
	"waiting":   {"busy", "Not begun"},
	"reading":   {"busy", "Reading"},
	"fresh":     {"ok", "Fresh"},
	"late":      {"part", "Late"},
	"stopped":   {"paused", "Stopped"},
}

// stateTone is the colour class of a state's mark.
func stateTone(kind string) string {
	switch kind {
	case "ok":
		return "ok"
	case "part", "paused":
		return "medium"
	case "bad":
		return "critical"
	}
	return "info"
}

// sourceWord is a source's name as people say it.
func sourceWord(name string) string {
	if w, ok := map[string]string{
		"organization": "Organisation", "domains": "Accepted domains", "users": "People", "groups": "Groups", "contacts": "Contacts",
		"group_members": "Group members", "members": "Group members", "roles": "Directory roles", "rules": "Inbox rules", "mailbox_rules": "Inbox rules",
		"settings": "Mailbox settings", "mailbox_settings": "Mailbox settings", "folders": "Mail folders", "mailboxes": "Mailboxes",
		"permissions": "Permissions", "directory": "Directory", "audit": "Audit log", "sign_ins": "Sign-ins", "token_sign_ins": "Sign-ins on people's behalf", "directory_audits": "Directory audits", "risk_detections": "Risk detections", "protection": "Identity Protection", "looks": "Rules that an audit record tells of", "queries": "Audit searches", "subscriptions": "Subscriptions to changes", "catch_up": "Catching up on mail", "mail_folders": "Mail folders", "silence": "Who is silent", "canary": "Whether mail is told of", "reconcile": "Reconciling mail",
		"exchange": "Forwarding and rights in Exchange", "folder_rights": "Folder permissions in Exchange",
		"access": "Conditional access and policies", "privileges": "Roles held and eligible", "registrations": "Registered sign-in methods", "applications": "Applications",
		"settings_of_people": "Groups, licences, last sign-ins", "devices": "Devices", "joined": "Devices that Entra knows", "mail_settings": "Settings of Exchange", "sharing": "Sharing settings", "sites": "Sites", "posture": "Posture",
	}[name]; ok {
		return w
	}
	return sentence(name)
}

// sentence turns snake_case or kebab-case into words that begin with a capital.
func sentence(s string) string {
	s = strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ", ".", ": ").Replace(s))
	if s == "" {
		return ""
	}
	return strings.Replace(strings.ToUpper(s[:1])+s[1:], "Sign ins", "Sign-ins", 1)
}

// stages are the stages of a breach in their order.
var stages = []struct{ Name, Word string }{
	{"access", "Access"},
	{"persistence", "Persistence"},
	{"hiding", "Hiding"},
	{"lateral_movement", "Lateral movement"},
	{"collection", "Collection"},
	{"exfiltration", "Exfiltration"},
}

// stageWord is a stage of a breach as people say it.
func stageWord(s string) string {
	for _, st := range stages {
		if st.Name == s {
			return st.Word
		}
	}
	return sentence(s)
}

// actionWords say what an action that fits does.
var actionWords = map[string]string{
	"disable_rule":          "Disable the rule",
	"delete_rule":           "Delete the rule",
	"revoke_sessions":       "Revoke the person's sessions",
	"force_password_change": "Make the person change the password",
	"mfa_enroll":            "Have the person enrol a second factor",
	"suspend":               "Block the account's sign-in",
	"remove_admin_role":     "Take away the administrator role",
	"remove_permission":     "Take away the permission",
	"remove_forwarding":     "Remove the forwarding",
	"search_mailbox":        "Search the mailbox for what was forwarded",
}

func actionWord(a string) string {
	if w, ok := actionWords[a]; ok {
		return w
	}
	return sentence(a)
}

// initials are up to two letters for a face.
func initials(name string) string {
	var out []rune
	for _, w := range strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '.' || r == '@' || r == '_' || r == '-' }) {
		for _, r := range w {
			if p := visible(string(r)); len(p) == 1 && p[0].Mark == "" {
				out = append(out, []rune(strings.ToUpper(string(r)))[0])
			}
			break
		}
		if len(out) == 2 {
			break
		}
	}
	if len(out) == 0 {
		return "?"
	}
	return string(out)
}

// attackLink is MITRE's page of a technique, such as T1564.008.
func attackLink(id string) string {
	return "https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/"
}

// severitySentence is the counts in words, for a screen reader.
func severitySentence(s api.Severities) string { return daySentence(api.Day{Severities: s}) }

func firstN[T any](s []T, n int) []T { return s[:min(n, len(s))] }

func nameOr(name, other string) string {
	if name != "" {
		return name
	}
	return other
}

// mailboxWord is a mailbox's state as people say it.
func mailboxWord(s string) string {
	if w, ok := map[string]string{
		"read": "Read", "unknown": "Not looked at yet", "none": "No mailbox", "no_mailbox": "No mailbox", "on_premises": "On premises",
		"denied": "Denied", "out_of_scope": "Out of scope", "inactive": "Inactive", "ok": "There", "error": "Could not be read", "disabled": "Disabled",
	}[s]; ok {
		return w
	}
	return sentence(s)
}

func autoReplyWord(status string) string {
	switch status {
	case "disabled", "":
		return "Off"
	case "always_enabled":
		return "On"
	case "scheduled":
		return "Scheduled"
	}
	return sentence(status)
}

// eventKnot is the colour of an event on a timeline.
func eventKnot(action string) string {
	switch action {
	case "rule_created":
		return "k-high"
	case "rule_deleted":
		return "k-critical"
	case "rule_updated":
		return "k-accent"
	}
	return ""
}

// clouds are Microsoft's, and one of one's own.
var clouds = []struct{ Name, Word string }{
	{"global", "Microsoft 365 (worldwide)"},
	{"usgov", "US Government (GCC High)"},
	{"dod", "US Government (DoD)"},
	{"china", "China (21Vianet)"},
	{"own", "A cloud of one's own, or a simulator"},
}

func cloudWord(name string) string {
	for _, c := range clouds {
		if c.Name == name {
			return c.Word
		}
	}
	return sentence(name)
}

// tally is how many capabilities stand so.
type tally struct {
	Kind, Word string
	Count      int
}

func capabilityCounts(cs []api.Capability) []tally {
	out := []tally{{"ok", "work", 0}, {"part", "degraded", 0}, {"off", "off", 0}, {"unknown", "unknown", 0}}
	for _, c := range cs {
		switch c.State {
		case "on", "works":
			out[0].Count++
		case "degraded":
			out[1].Count++
		case "off":
			out[2].Count++
		default:
			out[3].Count++
		}
	}
	return slices.DeleteFunc(out, func(t tally) bool { return t.Count == 0 })
}

// capabilityTitle is what a capability is called on pages.
func capabilityTitle(name string) string {
	for _, c := range connect.Capabilities {
		if c.Name == name {
			return c.Title
		}
	}
	return sentence(name)
}

// slug is a name as an element's id.
func slug(s string) string { return strings.ReplaceAll(s, " ", "-") }
