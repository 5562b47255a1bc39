package graph

// MailboxSettings is how a mailbox is set up. It has no forwarding address: Graph does not tell it.
// https://learn.microsoft.com/graph/api/resources/mailboxsettings
type MailboxSettings struct {
	AutomaticReplies *AutomaticReplies `json:"automaticRepliesSetting,omitempty"`
	TimeZone         string            `json:"timeZone,omitempty"` // a Windows name, or IANA's
	Language         Language          `json:"language,omitzero"`
	UserPurpose      string            `json:"userPurpose,omitempty"` // user, linked, shared, room, equipment, others
	WorkingHours     *WorkingHours     `json:"workingHours,omitempty"`
	ArchiveFolder    string            `json:"archiveFolder,omitempty"`
}

// AutomaticReplies is what the mailbox answers by itself.
type AutomaticReplies struct {
	Status                 string           `json:"status,omitempty"`           // disabled, alwaysEnabled, scheduled
	ExternalAudience       string           `json:"externalAudience,omitempty"` // none, contactsOnly, all
	ScheduledStartDateTime DateTimeTimeZone `json:"scheduledStartDateTime,omitzero"`
	ScheduledEndDateTime   DateTimeTimeZone `json:"scheduledEndDateTime,omitzero"`
	InternalReplyMessage   string           `json:"internalReplyMessage,omitempty"` // HTML; comes along unasked, Graph has no $select inside it
	ExternalReplyMessage   string           `json:"externalReplyMessage,omitempty"`
}

// Language is a language with its region.
type Language struct {
	Locale      string `json:"locale,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
}

// WorkingHours is when the person works.
type WorkingHours struct {
	DaysOfWeek []string `json:"daysOfWeek,omitempty"`
	StartTime  string   `json:"startTime,omitempty"` // 08:00:00.0000000
	EndTime    string   `json:"endTime,omitempty"`
	TimeZone   struct {
		Name string `json:"name,omitempty"`
	} `json:"timeZone,omitzero"`
}

// MailFolder is a folder of a mailbox. https://learn.microsoft.com/graph/api/resources/mailfolder
type MailFolder struct {
	ID               string `json:"id,omitempty"`
	DisplayName      string `json:"displayName,omitempty"`
	ParentFolderID   string `json:"parentFolderId,omitempty"`
	IsHidden         bool   `json:"isHidden,omitempty"`
	ChildFolderCount int    `json:"childFolderCount,omitempty"`
	TotalItemCount   int    `json:"totalItemCount,omitempty"`
}
