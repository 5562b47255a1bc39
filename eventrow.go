package tocsin

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// EventRow is an event as table event keeps it. Nearly all are of mail, and say most things twice or three times: of these the body
// keeps a line for each value (as JSON; empty where it is not known) that no other column has, in the order below: a third of what
// is told to subscribers. The others' is their JSON.
type EventRow struct {
	Tenant TenantID
	ID     string
	At     int64 // Unix milliseconds
	Action string
	Person PersonID
	Body   string
}

// The lines of a mail's body. An event has no member for mailFromFolder to mailAct where they are empty; the last three are Unix
// milliseconds.
const (
	mailNative = iota
	mailUser
	mailFromDomain
	mailExternal
	mailRecipients
	mailToDomains
	mailCcDomains
	mailAttachments
	mailImportance
	mailRead
	mailConversation
	mailChange
	mailSender
	mailFrom
	mailFromName
	mailTo
	mailCc
	mailBcc
	mailDraft
	mailInternet
	mailFlag
	mailCategories
	mailFolder
	mailFolderName
	mailFromFolder
	mailRule
	mailAct
	mailReceived
	mailSent
	mailCreated
	mailLines
)

// And what other columns say.
const (
	columnTenant = mailLines + iota
	columnID
	columnAt
	columnAction
	columnPerson
)

// mailForm is what stands before each value in an event of mail, in the form that subscribers receive: see [Event].
var mailForm = []struct {
	before string
	value  int
}{
	{`{"event_id":"`, columnID},
	{`","event_type":"EMAIL","source":"OUTLOOK","signal_type":"COMMUNICATIONS","domain_id":"`, columnTenant},
	{`","tuid":"`, columnPerson},
	{`","timestamp":"`, columnAt},
	{`","platform_event_id":`, mailNative},
	{`,"platform_event_source":"MICROSOFT_GRAPH_OUTLOOK_API","payload":{"event_id":`, mailNative},
	{`,"user":`, mailUser},
	{`,"action":"`, columnAction},
	{`","from_domain":`, mailFromDomain},
	{`,"is_external_sender":`, mailExternal},
	{`,"recipient_count":`, mailRecipients},
	{`,"to_domains":`, mailToDomains},
	{`,"cc_domains":`, mailCcDomains},
	{`,"has_attachments":`, mailAttachments},
	{`,"importance":`, mailImportance},
	{`,"is_read":`, mailRead},
	{`,"conversation_id":`, mailConversation},
	{`},"raw_metadata":{"platform_event_id":`, mailNative},
	{`,"change_type":`, mailChange},
	{`,"sender":`, mailSender},
	{`,"from_address":`, mailFrom},
	{`,"from_name":`, mailFromName},
	{`,"to_count":`, mailTo},
	{`,"cc_count":`, mailCc},
	{`,"bcc_count":`, mailBcc},
	{`,"to_domains":`, mailToDomains},
	{`,"cc_domains":`, mailCcDomains},
	{`,"from_domain":`, mailFromDomain},
	{`,"is_external":`, mailExternal},
	{`,"has_attachments":`, mailAttachments},
	{`,"importance":`, mailImportance},
	{`,"is_read":`, mailRead},
	{`,"is_draft":`, mailDraft},
	{`,"internet_message_id":`, mailInternet},
	{`,"conversation_id":`, mailConversation},
	{`,"flag_status":`, mailFlag},
	{`,"categories":`, mailCategories},
	{`,"folder":`, mailFolder},
	{`,"folder_name":`, mailFolderName},
	{`,"from_folder_name":`, mailFromFolder},
	{`,"rule_id":`, mailRule},
	{`,"action_id":`, mailAct},
	{`,"received_at":`, mailReceived},
	{`,"sent_at":`, mailSent},
	{`,"created_at":`, mailCreated},
}

const mailFormEnd = `,"source_platform":"microsoft_outlook"}}`

// short says whether the body is of lines.
func (e *EventRow) short() bool { return e.Body != "" && e.Body[0] != '{' }

// JSON is the event in the form that subscribers receive: see [Event].
func (e *EventRow) JSON() string {
	if !e.short() {
		return e.Body
	}
	return string(e.AppendJSON(nil))
}

// AppendJSON appends [EventRow.JSON] to dst.
func (e *EventRow) AppendJSON(dst []byte) []byte {
	if !e.short() {
		return append(dst, e.Body...)
	}
	var values [mailLines]string
	rest := e.Body
	for i := range values {
		values[i], rest, _ = strings.Cut(rest, "\n")
	}
	for _, f := range mailForm {
		if f.value >= mailFromFolder && f.value <= mailAct && values[f.value] == "" {
			continue // it is not about one
		}
		dst = append(dst, f.before...)
		switch f.value {
		case columnID:
			dst = append(dst, e.ID...)
		case columnTenant:
			dst = append(dst, e.Tenant...)
		case columnPerson:
			dst = append(dst, e.Person...)
		case columnAction:
			dst = append(dst, e.Action...)
		case columnAt:
			dst = FromMillis(e.At).AppendFormat(dst, time.RFC3339Nano)
		default:
			dst = appendValue(dst, f.value, values[f.value])
		}
	}
	return append(dst, mailFormEnd...)
}

func appendValue(dst []byte, line int, value string) []byte {
	if value == "" {
		return append(dst, "null"...)
	}
	if line < mailReceived {
		return append(dst, value...)
	}
	ms, _ := strconv.ParseInt(value, 10, 64)
	return FromMillis(ms).AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}

// From is who wrote the mail that the event is of (as in its payload, with the domain where the name is hashed), and whether something
// is attached, where that is known; ok where the row tells.
func (e *EventRow) From() (address string, attached *bool, ok bool) {
	if !e.short() {
		return "", nil, false
	}
	rest, domain := e.Body, ""
	for i := 0; i <= mailFrom; i++ {
		var value string
		if value, rest, ok = strings.Cut(rest, "\n"); !ok {
			return "", nil, false
		}
		switch i {
		case mailFromDomain:
			domain = text(value)
		case mailAttachments:
			if value != "" {
				attached = new(value == "true")
			}
		case mailFrom:
			address = text(value)
		}
	}
	if domain != "" && !strings.Contains(address, "@") {
		address += "@" + domain
	}
	return address, attached, true
}

// text is a value that is a text; none where it is empty.
func text(value string) (s string) {
	if n := len(value); n >= 2 && strings.IndexByte(value, '\\') < 0 {
		return value[1 : n-1]
	}
	_ = json.Unmarshal([]byte(value), &s)
	return s
}

// Native is what the platform calls what the event is about: of mail the message's id. Empty where it does not say.
func (e *EventRow) Native() string {
	if e.short() {
		first, _, _ := strings.Cut(e.Body, "\n")
		return text(first)
	}
	var whole struct {
		ID string `json:"platform_event_id"`
	}
	_ = json.Unmarshal([]byte(e.Body), &whole)
	return whole.ID
}
