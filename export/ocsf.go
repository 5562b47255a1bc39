package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin.dev"
)

// ocsfVersion is the schema that events in the form OCSF keep to: https://schema.ocsf.io/1.8.0/ (the test holds them against it).
const ocsfVersion = "1.8.0"

type object map[string]any

// class is a class of OCSF: https://schema.ocsf.io/1.8.0/classes
type class struct {
	uid, category   int
	name, categorys string
}

var (
	baseEvent          = class{0, 0, "Base Event", "Uncategorized"}
	detectionFinding   = class{2004, 2, "Detection Finding", "Findings"}
	authentication     = class{3002, 3, "Authentication", "Identity & Access Management"}
	entityManagement   = class{3004, 3, "Entity Management", "Identity & Access Management"}
	emailActivity      = class{4009, 4, "Email Activity", "Network Activity"}
	remediationActvity = class{7001, 7, "Remediation Activity", "Remediation"}
)

// other is the activity that a class has no number for; its name says which.
const other = 99

// native is what the mapping reads of an event. What is absent is nil.
type native struct {
	tocsin.Event
	Payload struct {
		User         string    `json:"user"`
		Action       string    `json:"action"`
		Read         *bool     `json:"is_read"`
		External     *bool     `json:"is_external_sender"`
		ToDomains    []string  `json:"to_domains"`
		Rule         any       `json:"rule"`
		Title        string    `json:"title"`
		Why          string    `json:"why"`
		Severity     string    `json:"severity"`
		Risk         int       `json:"risk"`
		Status       string    `json:"status"`
		Attack       []string  `json:"attack"`
		FirstSeen    time.Time `json:"first_seen"`
		LastSeen     time.Time `json:"last_seen"`
		State        string    `json:"state"`
		Object       string    `json:"object"`
		Because      string    `json:"because"`
		Name         string    `json:"name"`
		RuleName     string    `json:"rule_name"`
		Permission   string    `json:"permission"`
		Folder       any       `json:"folder"`
		Conversation string    `json:"conversation_id"`
		Result       string    `json:"result"`
	} `json:"payload"`
	Raw struct {
		Change   string `json:"change_type"`
		From     string `json:"from_address"`
		Name     string `json:"from_name"`
		Internet string `json:"internet_message_id"`
		Draft    *bool  `json:"is_draft"`
		Subject  string `json:"subject"`
	} `json:"raw_metadata"`
}

// toOCSF is an event of the native form as OCSF, on one line, and its severity (1 to 5). The native event goes with it as
// unmapped, so nothing is lost by the form. What cannot be read goes out as a base event.
func toOCSF(body []byte) (out []byte, severity int, err error) {
	var n native
	severity = 1
	c, more := baseEvent, object{"activity_id": 0}
	if err := json.Unmarshal(body, &n); err == nil {
		switch n.EventType {
		case "EMAIL":
			c, more = emailActivity, n.email()
		case "FOLDER", "RULE", "AUDIT", "DEVICE":
			c, more = entityManagement, n.entity()
		case "SIGN_IN":
			c, more = authentication, n.signIn()
		case "FINDING":
			c, more, severity = detectionFinding, n.finding(), tocsin.Severity(n.Payload.Severity).Rank()+1
		case "ACTION":
			c, more = remediationActvity, n.action()
		default:
			more = object{"activity_id": other, "activity_name": cmp.Or(n.Payload.Action, "Other")}
		}
	}
	activity := more["activity_id"].(int)
	o := object{
		"class_uid": c.uid, "class_name": c.name, "category_uid": c.category, "category_name": c.categorys, "type_uid": c.uid*100 + activity,
		"time": max(0, n.Timestamp.UnixMilli()), "severity_id": severity, "severity": []string{"", "Informational", "Low", "Medium", "High", "Critical"}[severity],
		"metadata": object{"version": ocsfVersion, "uid": n.EventID, "event_code": n.Payload.Action, "tenant_uid": string(n.DomainID), "log_name": n.EventType, "log_provider": n.PlatformEventSource,
			"original_event_uid": n.PlatformEventID, "product": object{"name": "Tocsin", "vendor_name": "Tocsin"}},
		"unmapped": json.RawMessage(body),
	}
	for k, v := range more {
		o[k] = v
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the native event stays as it is
	err = enc.Encode(o)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), severity, err
}

// phrase is an action as a name: email_received becomes Email Received.
func phrase(action string) string {
	words := strings.Fields(strings.ReplaceAll(action, "_", " "))
	for i, w := range words {
		first, n := utf8.DecodeRuneInString(w)
		words[i] = string(unicode.ToUpper(first)) + w[n:]
	}
	return cmp.Or(strings.Join(words, " "), "Other")
}

// user is the person whom an event concerns.
func (n *native) user() object {
	u := object{"type_id": 0}
	if n.Payload.User != "" {
		u["name"], u["email_addr"] = n.Payload.User, n.Payload.User
	}
	if n.TUID != "" {
		u["uid"] = string(n.TUID)
	}
	if len(u) == 1 {
		u["name"] = "unknown"
	}
	return u
}

// email is mail: https://schema.ocsf.io/1.8.0/classes/email_activity
func (n *native) email() object {
	sent := n.Payload.Action == "email_sent" || n.Payload.Action == "email_forwarded" || n.Payload.Action == "email_replied"
	m := object{"uid": n.PlatformEventID}
	if n.Raw.From != "" {
		m["from"] = n.Raw.From
	} else if sent || n.Raw.Draft != nil && *n.Raw.Draft {
		m["from"] = cmp.Or(n.Payload.User, "unknown")
	} else {
		m["to"] = []string{cmp.Or(n.Payload.User, "unknown")} // in whose mailbox it lies
	}
	if n.Raw.Internet != "" {
		m["message_uid"] = n.Raw.Internet
	}
	if n.Payload.Read != nil {
		m["is_read"] = *n.Payload.Read
	}
	if !sent && n.Payload.User != "" {
		m["delivered_to_list"] = []string{n.Payload.User}
	}
	activity, name := other, phrase(n.Payload.Action)
	switch n.Payload.Action {
	case "email_sent", "email_forwarded", "email_replied":
		activity, name = 1, "Send"
	case "email_received":
		activity, name = 2, "Receive"
	}
	direction := 0
	switch {
	case n.Payload.External == nil:
	case *n.Payload.External:
		direction = 1
	case activity == 1:
		direction = n.outbound()
	case activity == 2:
		direction = 3
	}
	o := object{"activity_id": activity, "activity_name": name, "direction_id": direction, "direction": []string{"Unknown", "Inbound", "Outbound", "Internal"}[direction], "email": m}
	if n.Payload.Action != "" {
		o["message"] = phrase(n.Payload.Action)
	}
	return o
}

// outbound is the direction of mail that one of ours sent: internal, where it goes only to the sender's own domain, and
// unknown where it goes elsewhere to domains that may be ours as well.
func (n *native) outbound() int {
	_, own, _ := strings.Cut(strings.ToLower(cmp.Or(n.Raw.From, n.Payload.User)), "@")
	if len(n.Payload.ToDomains) == 0 || own == "" {
		return 0
	}
	for _, d := range n.Payload.ToDomains {
		if !strings.EqualFold(d, own) {
			return 0
		}
	}
	return 3
}

// entity is a change of a folder, a rule, a permission or a device: https://schema.ocsf.io/1.8.0/classes/entity_management
func (n *native) entity() object {
	verb := n.Payload.Action[strings.LastIndexByte(n.Payload.Action, '_')+1:]
	activity, name := other, phrase(n.Payload.Action)
	switch verb {
	case "created", "granted", "added":
		activity, name = 1, "Create"
	case "updated", "renamed", "changed":
		activity, name = 3, "Update"
	case "deleted", "removed", "revoked":
		activity, name = 4, "Delete"
	case "moved":
		activity, name = 5, "Move"
	case "enabled":
		activity, name = 8, "Enable"
	case "disabled":
		activity, name = 9, "Disable"
	}
	what := map[string]string{"FOLDER": "Mail Folder", "RULE": "Mailbox Rule", "AUDIT": "Permission", "DEVICE": "Device"}[n.EventType]
	e := object{"type": what, "type_id": other, "uid": n.PlatformEventID}
	if called := cmp.Or(n.Payload.Name, n.Payload.RuleName, n.Payload.Permission); called != "" {
		e["name"] = called
	}
	if n.Payload.User != "" || n.TUID != "" {
		e["user"] = n.user()
	}
	return object{"activity_id": activity, "activity_name": name, "entity": e, "message": phrase(n.Payload.Action)}
}

// signIn is a sign-in: https://schema.ocsf.io/1.8.0/classes/authentication
func (n *native) signIn() object {
	return object{"activity_id": 1, "activity_name": "Logon", "user": n.user(), "service": object{"name": "Microsoft Entra ID"}, "message": phrase(n.Payload.Action)}
}

// finding is a finding that was raised or has changed: https://schema.ocsf.io/1.8.0/classes/detection_finding
func (n *native) finding() object {
	activity, name := 2, "Update"
	switch {
	case n.Payload.Action == "finding_raised":
		activity, name = 1, "Create"
	case n.Payload.Status == string(tocsin.Fixed), n.Payload.Status == string(tocsin.FalseAlarm), n.Payload.Status == string(tocsin.Accepted):
		activity, name = 3, "Close"
	}
	status := map[string]int{"open": 1, "in_work": 2, "accepted": 3, "false_alarm": 3, "fixed": 4}[n.Payload.Status]
	rule, _ := n.Payload.Rule.(string)
	attacks := []object{}
	for _, id := range n.Payload.Attack {
		technique, _, sub := strings.Cut(id, ".")
		a := object{"technique": object{"uid": technique}}
		if sub {
			a["sub_technique"] = object{"uid": id}
		}
		attacks = append(attacks, a)
	}
	info := object{"uid": cmp.Or(n.PlatformEventID, n.EventID, "unknown"), "title": n.Payload.Title, "desc": n.Payload.Why, "types": []string{rule}, "analytic": object{"uid": rule, "name": rule, "type": "Rule", "type_id": 1}, "attacks": attacks}
	if !n.Payload.FirstSeen.IsZero() {
		info["first_seen_time"], info["last_seen_time"] = n.Payload.FirstSeen.UnixMilli(), n.Payload.LastSeen.UnixMilli()
	}
	o := object{"activity_id": activity, "activity_name": name, "finding_info": info, "is_alert": true, "risk_score": n.Payload.Risk, "message": n.Payload.Title,
		"status_id": status, "status": []string{"Unknown", "New", "In Progress", "Suppressed", "Resolved"}[status]}
	if n.Payload.User != "" || n.TUID != "" {
		r := object{"type": "Microsoft 365 account"}
		if n.Payload.User != "" {
			r["name"] = n.Payload.User
		}
		if n.TUID != "" {
			r["uid"] = string(n.TUID)
		}
		o["resources"] = []object{r}
	}
	return o
}

// action is an act of ours: https://schema.ocsf.io/1.8.0/classes/remediation_activity
func (n *native) action() object {
	activity, name := other, phrase(n.Payload.Action)
	switch {
	case strings.HasPrefix(n.Payload.Action, "revoke_"), strings.HasPrefix(n.Payload.Action, "disable_"), strings.HasPrefix(n.Payload.Action, "delete_"), strings.HasPrefix(n.Payload.Action, "remove_"):
		activity, name = 2, "Evict"
	case strings.HasPrefix(n.Payload.Action, "restore_"), strings.HasPrefix(n.Payload.Action, "enable_"):
		activity, name = 3, "Restore"
	}
	status, word := 0, "Unknown"
	switch n.Payload.State {
	case "done", "verified", "undone":
		status, word = 1, "Success"
	case "failed", "refused", "expired":
		status, word = 2, "Failure"
	default:
		status, word = other, phrase(n.Payload.State)
	}
	o := object{"activity_id": activity, "activity_name": name, "command_uid": cmp.Or(n.PlatformEventID, n.EventID, "unknown"), "status_id": status, "status": word,
		"remediation": object{"desc": cmp.Or(n.Payload.Why, phrase(n.Payload.Action))}, "message": strings.TrimSpace(phrase(n.Payload.Action) + " " + n.Payload.User)}
	if n.Payload.Because != "" {
		o["status_detail"] = n.Payload.Because
	}
	return o
}
