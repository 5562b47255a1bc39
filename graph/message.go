package graph

import (
	"strconv"
	"strings"
	"time"
)

// Message is who wrote to whom and when: there is no field for what was written, and none is asked for.
// https://learn.microsoft.com/graph/api/resources/message
type Message struct {
	ID                   string       `json:"id,omitempty"`
	ChangeKey            string       `json:"changeKey,omitempty"`
	ConversationID       string       `json:"conversationId,omitempty"`
	InternetMessageID    string       `json:"internetMessageId,omitempty"`
	ParentFolderID       string       `json:"parentFolderId,omitempty"`
	From                 *Recipient   `json:"from,omitempty"`
	Sender               *Recipient   `json:"sender,omitempty"`
	ToRecipients         []Recipient  `json:"toRecipients,omitempty"`
	CcRecipients         []Recipient  `json:"ccRecipients,omitempty"`
	BccRecipients        []Recipient  `json:"bccRecipients,omitempty"`
	ReplyTo              []Recipient  `json:"replyTo,omitempty"`
	HasAttachments       *bool        `json:"hasAttachments,omitempty"` // false when all of them are inline
	Importance           string       `json:"importance,omitempty"`     // low, normal, high
	IsRead               *Flag        `json:"isRead,omitempty"`
	IsDraft              *bool        `json:"isDraft,omitempty"`
	Flag                 *MessageFlag `json:"flag,omitempty"`
	Categories           []string     `json:"categories,omitempty"`
	CreatedDateTime      Time         `json:"createdDateTime,omitzero"`
	LastModifiedDateTime Time         `json:"lastModifiedDateTime,omitzero"`
	ReceivedDateTime     Time         `json:"receivedDateTime,omitzero"`
	SentDateTime         Time         `json:"sentDateTime,omitzero"`
	Extended             []Extended   `json:"singleValueExtendedProperties,omitempty"` // those that were asked for and are set
}

// Extended is a property of MAPI's that Graph has no name for.
// https://learn.microsoft.com/graph/api/resources/singlevaluelegacyextendedproperty
type Extended struct {
	ID    string `json:"id"`    // type and tag: Integer 0x1081
	Value string `json:"value"` // as text, whatever the type
}

// The properties of what was last done with a message.
const (
	propLastVerb     = "Integer 0x1081"
	propLastVerbTime = "SystemTime 0x1082"
)

// Verb is what was last done with a message, in MAPI's numbers.
type Verb int

// The verbs that say that a message was answered.
const (
	Replied    Verb = 102
	RepliedAll Verb = 103
	Forwarded  Verb = 104
)

// LastVerb is what was last done with the message, and when; 0 where nothing was or it was not asked for. The time is zero
// where it is not known.
func (m *Message) LastVerb() (Verb, time.Time) {
	var verb Verb
	var at time.Time
	for _, p := range m.Extended {
		switch {
		case strings.EqualFold(p.ID, propLastVerb):
			n, _ := strconv.Atoi(p.Value) // what is no number is no verb that we know
			verb = Verb(n)
		case strings.EqualFold(p.ID, propLastVerbTime):
			at, _ = time.Parse(time.RFC3339, p.Value)
		}
	}
	return verb, at
}

// MessageFlag is a message's follow-up flag.
type MessageFlag struct {
	FlagStatus string `json:"flagStatus,omitempty"` // notFlagged, complete, flagged
}

// Recipient is an address in a message or rule.
type Recipient struct {
	EmailAddress EmailAddress `json:"emailAddress"`
}

// EmailAddress is an address with the name shown for it.
type EmailAddress struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}
