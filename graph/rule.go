package graph

import (
	"encoding/json"
	"errors"
	"slices"
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
	if isNull(b) {
		return nil
	}
	if len(b) == 0 || b[0] != '{' {
		return errors.New("a rule that is not an object")
	}
	*r = MessageRule{IsEnabled: true, Raw: slices.Clone(b)}
	f := fields{&r.Unknown, ""}
	for k, v := range objectMembers(b) {
		switch k {
		case "id":
			f.text(k, v, &r.ID)
		case "displayName":
			f.text(k, v, &r.DisplayName)
		case "sequence":
			f.number(k, v, &r.Sequence)
		case "isEnabled":
			f.yes(k, v, &r.IsEnabled)
		case "hasError":
			f.yes(k, v, &r.HasError)
		case "isReadOnly":
			f.yes(k, v, &r.IsReadOnly)
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
	slices.Sort(r.Unknown)
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
	f.object(raw)
	for k, v := range objectMembers(raw) {
		switch k {
		case "assignCategories":
			f.texts(k, v, &a.AssignCategories)
		case "copyToFolder":
			f.text(k, v, &a.CopyToFolder)
		case "delete":
			f.yes(k, v, &a.Delete)
		case "forwardAsAttachmentTo":
			f.people(k, v, &a.ForwardAsAttachmentTo)
		case "forwardTo":
			f.people(k, v, &a.ForwardTo)
		case "markAsRead":
			f.yes(k, v, &a.MarkAsRead)
		case "markImportance":
			f.text(k, v, &a.MarkImportance)
		case "moveToFolder":
			f.text(k, v, &a.MoveToFolder)
		case "permanentDelete":
			f.yes(k, v, &a.PermanentDelete)
		case "redirectTo":
			f.people(k, v, &a.RedirectTo)
		case "stopProcessingRules":
			f.yes(k, v, &a.StopProcessingRules)
		default:
			f.unknown(k)
		}
	}
}
