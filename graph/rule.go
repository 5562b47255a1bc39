package graph

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// MessageRule is an inbox rule. It reads whatever Graph sends: a member it does not know, or one of another form than
// documented, is named in Unknown and stands in Raw. https://learn.microsoft.com/graph/api/resources/messagerule
type MessageRule struct {
	ID          string
	DisplayName string
	Sequence    int
	IsEnabled   bool // also when Graph does not say
	HasError    bool
	IsReadOnly  bool // cannot be changed through Graph
	Conditions  []Predicate
	Exceptions  []Predicate
	Actions     RuleActions
	Unknown     []string        // conditions.x, exceptions.x, actions.x or x
	Raw         json.RawMessage // as it came
}

// Predicate is a condition or exception, by Microsoft's name. One that is null, false or an empty list does not restrict
// the rule and is left out.
type Predicate struct {
	Name   string   // subjectContains …
	Values []string // words; addresses; "true"; an importance; "minimumSize=1" and "maximumSize=2" in kB; else JSON
}

// RuleActions is what a rule does. https://learn.microsoft.com/graph/api/resources/messageruleactions
type RuleActions struct {
	AssignCategories      []string
	CopyToFolder          string // a folder's id
	Delete                bool
	ForwardAsAttachmentTo []Recipient
	ForwardTo             []Recipient
	MarkAsRead            bool
	MarkImportance        string
	MoveToFolder          string // a folder's id
	PermanentDelete       bool
	RedirectTo            []Recipient
	StopProcessingRules   bool
}

// Predicates are the names of the documented conditions. https://learn.microsoft.com/graph/api/resources/messagerulepredicates
var Predicates = []string{
	"bodyContains", "bodyOrSubjectContains", "categories", "fromAddresses", "hasAttachments", "headerContains", "importance",
	"isApprovalRequest", "isAutomaticForward", "isAutomaticReply", "isEncrypted", "isMeetingRequest", "isMeetingResponse",
	"isNonDeliveryReport", "isPermissionControlled", "isReadReceipt", "isSigned", "isVoicemail", "messageActionFlag",
	"notSentToMe", "recipientContains", "senderContains", "sensitivity", "sentCcMe", "sentOnlyToMe", "sentToAddresses",
	"sentToMe", "sentToOrCcMe", "subjectContains", "withinSizeRange",
}

// UnmarshalJSON reads a rule; only what is no JSON object is an error.
func (r *MessageRule) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*r = MessageRule{IsEnabled: true, Raw: slices.Clone(b)}
	f := fields{&r.Unknown, ""}
	for _, k := range sorted(m) {
		v := m[k]
		switch k {
		case "id":
			f.read(k, v, &r.ID)
		case "displayName":
			f.read(k, v, &r.DisplayName)
		case "sequence":
			f.read(k, v, &r.Sequence)
		case "isEnabled":
			f.read(k, v, &r.IsEnabled)
		case "hasError":
			f.read(k, v, &r.HasError)
		case "isReadOnly":
			f.read(k, v, &r.IsReadOnly)
		case "conditions":
			r.Conditions = fields{&r.Unknown, "conditions."}.predicates(v)
		case "exceptions":
			r.Exceptions = fields{&r.Unknown, "exceptions."}.predicates(v)
		case "actions":
			r.Actions.read(fields{&r.Unknown, "actions."}, v)
		default:
			f.unknown(k)
		}
	}
	return nil
}

// MarshalJSON gives the rule as it came.
func (r MessageRule) MarshalJSON() ([]byte, error) {
	if len(r.Raw) == 0 {
		return []byte("null"), nil
	}
	return r.Raw, nil
}

func (a *RuleActions) read(f fields, raw json.RawMessage) {
	m := f.object(raw)
	for _, k := range sorted(m) {
		v := m[k]
		switch k {
		case "assignCategories":
			f.read(k, v, &a.AssignCategories)
		case "copyToFolder":
			f.read(k, v, &a.CopyToFolder)
		case "delete":
			f.read(k, v, &a.Delete)
		case "forwardAsAttachmentTo":
			f.read(k, v, &a.ForwardAsAttachmentTo)
		case "forwardTo":
			f.read(k, v, &a.ForwardTo)
		case "markAsRead":
			f.read(k, v, &a.MarkAsRead)
		case "markImportance":
			f.read(k, v, &a.MarkImportance)
		case "moveToFolder":
			f.read(k, v, &a.MoveToFolder)
		case "permanentDelete":
			f.read(k, v, &a.PermanentDelete)
		case "redirectTo":
			f.read(k, v, &a.RedirectTo)
		case "stopProcessingRules":
			f.read(k, v, &a.StopProcessingRules)
		default:
			f.unknown(k)
		}
	}
}

// fields reads members one by one, and notes the names of those it cannot.
type fields struct {
	notes *[]string
	under string
}

func (f fields) unknown(name string) {
	if !strings.Contains(name, "@") { // an annotation of OData's
		*f.notes = append(*f.notes, f.under+name)
	}
}

func (f fields) read(name string, raw json.RawMessage, into any) {
	if json.Unmarshal(raw, into) != nil {
		f.unknown(name)
	}
}

func (f fields) object(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		f.unknown("")
	}
	return m
}

// predicates reads conditions by the form of their values, so that one that Microsoft adds is read too, and named.
func (f fields) predicates(raw json.RawMessage) []Predicate {
	m := f.object(raw)
	var out []Predicate
	for _, k := range sorted(m) {
		if strings.Contains(k, "@") {
			continue
		}
		values, known := predicateValues(m[k])
		if !known || !slices.Contains(Predicates, k) {
			f.unknown(k)
		}
		if len(values) > 0 {
			out = append(out, Predicate{Name: k, Values: values})
		}
	}
	return out
}

// predicateValues are a predicate's values as text; false when their form is not one of the documented.
func predicateValues(raw json.RawMessage) ([]string, bool) {
	switch s := string(raw); s {
	case "null", "false":
		return nil, true
	case "true":
		return []string{s}, true
	}
	for _, form := range []func(json.RawMessage) ([]string, bool){words, one, addresses, size} {
		if values, ok := form(raw); ok {
			return values, true
		}
	}
	return []string{string(raw)}, false
}

// words reads a list of strings.
func words(raw json.RawMessage) ([]string, bool) {
	var list []*string
	if json.Unmarshal(raw, &list) != nil || slices.Contains(list, nil) {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, w := range list {
		out = append(out, *w)
	}
	return out, true
}

func one(raw json.RawMessage) ([]string, bool) {
	s, ok := asString(raw)
	return []string{s}, ok
}

// size reads a range of sizes, in kilobytes.
func size(raw json.RawMessage) (out []string, ok bool) {
	var r struct{ MinimumSize, MaximumSize *int64 }
	if json.Unmarshal(raw, &r) != nil {
		return nil, false
	}
	if r.MinimumSize != nil {
		out = append(out, "minimumSize="+strconv.FormatInt(*r.MinimumSize, 10))
	}
	if r.MaximumSize != nil {
		out = append(out, "maximumSize="+strconv.FormatInt(*r.MaximumSize, 10))
	}
	return out, len(out) > 0
}

// addresses reads a list of recipients: the address of each, or the name where there is no address.
func addresses(raw json.RawMessage) ([]string, bool) {
	var people []Recipient
	if json.Unmarshal(raw, &people) != nil || len(people) == 0 {
		return nil, false
	}
	var out []string
	for _, p := range people {
		who := or(p.EmailAddress.Address, p.EmailAddress.Name)
		if who == "" {
			return nil, false
		}
		out = append(out, who)
	}
	return out, true
}

func sorted(m map[string]json.RawMessage) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}
