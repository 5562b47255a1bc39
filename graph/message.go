package graph

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
