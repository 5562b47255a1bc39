package api

import (
	"time"

	"tocsin.dev"
	"tocsin.dev/investigate"
)

// MailAct is something done to the mails that an investigation found. States: waiting_approval, running, stopping (nothing new
// is sent), done (each message has its outcome), stopped, refused.
type MailAct struct {
	ID            string                 `json:"id"`
	Investigation string                 `json:"investigation"`
	Title         string                 `json:"title"` // the investigation's name
	Kind          investigate.ActKind    `json:"kind"`
	State         investigate.ActState   `json:"state"`
	Restores      string                 `json:"restores"`    // the act that it restores
	RestoredBy    string                 `json:"restored_by"` // the act that restored it last
	ByItself      bool                   `json:"by_itself"`   // made by the investigation, for what it finds day and night
	Options       investigate.ActOptions `json:"options"`
	Why           string                 `json:"why"`
	AskedBy       string                 `json:"asked_by"`    // an account's e-mail
	ApprovedBy    string                 `json:"approved_by"` // empty where no approval was needed, or none was given yet
	Because       string                 `json:"because"`     // why it is where it is: what it waits for
	Mend          string                 `json:"mend"`
	Counts        MailActCounts          `json:"counts"`
	Notices       MailActCounts          `json:"notices"`        // of the notices in mailboxes
	Percent       int                    `json:"percent"`        // of the items, that have their outcome
	PerMinute     float64                `json:"per_minute"`     // items that ended, since it began
	Until         time.Time              `json:"until,omitzero"` // when it ends, if it goes on so
	CanStop       bool                   `json:"can_stop"`
	CanRestore    bool                   `json:"can_restore"` // something of it was done and can be brought back
	Mine          bool                   `json:"mine"`        // you asked for it, so somebody else has to approve it
	Created       time.Time              `json:"created"`
	Changed       time.Time              `json:"changed"`
	Began         time.Time              `json:"began,omitzero"`
	Ended         time.Time              `json:"ended,omitzero"`
	Version       int64                  `json:"version"`
}

// MailActCounts are how many items are in each state.
type MailActCounts struct {
	Total   int `json:"total"`
	Waiting int `json:"waiting"`
	Sent    int `json:"sent"` // and not read back yet
	Done    int `json:"done"`
	Already int `json:"already"` // it was so before
	Gone    int `json:"gone"`    // no longer there
	Refused int `json:"refused"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"` // sent, and nobody can tell
	Left    int `json:"left"`    // the act ended before its turn
}

// MailActDetail is an act with its plan and its history.
type MailActDetail struct {
	MailAct
	Plan    investigate.ActPlan `json:"plan"`
	History []ActionChange      `json:"history"` // the oldest first
}

// MailActItem is a line of the ledger: one message, or the notice of one mailbox. States: waiting, sent, done, already, gone,
// refused, failed, unknown, left.
type MailActItem struct {
	ID       string                 `json:"id"`
	Part     investigate.Part       `json:"part"` // mail or notice
	Person   tocsin.PersonID        `json:"person"`
	Who      string                 `json:"who"`     // the mailbox's address
	Message  string                 `json:"message"` // its id when it was found
	MovedTo  string                 `json:"moved_to"`
	Internet string                 `json:"internet_message_id"`
	Sender   string                 `json:"sender"`
	Subject  string                 `json:"subject"`
	Received time.Time              `json:"received,omitzero"`
	State    investigate.ItemState  `json:"state"`
	Because  string                 `json:"because"`
	Mend     string                 `json:"mend"`
	Before   *investigate.MailState `json:"before,omitempty"`
	After    *investigate.MailState `json:"after,omitempty"`
	Tries    int64                  `json:"tries"` // how often something was sent
	Sent     time.Time              `json:"sent,omitzero"`
	Changed  time.Time              `json:"changed,omitzero"`
}

// MailActPlan is what an act would do: nothing of it is recorded.
type MailActPlan struct {
	investigate.ActPlan
	Possible bool `json:"possible"` // nothing stands against it
	Forcible bool `json:"forcible"` // what stands against it can be overridden by you
}

// MailActNew is what is asked for. Without matches, clusters and people it is every match that is neither gone nor restored.
type MailActNew struct {
	Investigation string              `json:"investigation" minLength:"1" maxLength:"100" doc:"The investigation whose matches it is done to"`
	Kind          investigate.ActKind `json:"kind" enum:"warn,quarantine,junk,soft_delete,purge" doc:"warn: a category; quarantine: a hidden folder; junk; soft_delete: Recoverable Items; purge: for good, for administrators alone"`
	Matches       []string            `json:"matches,omitempty" doc:"Only these matches, by id"`
	Clusters      []string            `json:"clusters,omitempty" doc:"Only the matches of these clusters"`
	People        []tocsin.PersonID   `json:"people,omitempty" doc:"Only in the mailboxes of these people, by id"`
	Except        []string            `json:"except,omitempty" doc:"Not these matches, by id"`
	DeletedItems  bool                `json:"deleted_items,omitempty" doc:"soft_delete: to Deleted Items, where people look, instead of Recoverable Items"`
	Notice        bool                `json:"notice,omitempty" doc:"Put a notice into the inbox of each mailbox"`
	NoticeText    string              `json:"notice_text,omitempty" maxLength:"4000" doc:"The notice's words, in place of ours"`
	Why           string              `json:"why" minLength:"1" maxLength:"2000" doc:"Why; kept in the history"`
	Force         bool                `json:"force,omitempty" doc:"Do it in spite of what the plan says stands against it, where you may"`
}

// MailActRestore is why an act is restored.
type MailActRestore struct {
	Why   string   `json:"why" minLength:"1" maxLength:"2000" doc:"Why; kept in the history"`
	Items []string `json:"items,omitempty" doc:"Only these items of the act, by id; all that were done where the list is empty"`
}

// MailActSettings are how a tenant lets mails be acted on.
type MailActSettings struct {
	PerAct    int       `json:"per_act"`  // messages of one act, above which a second person must approve; 0: no limit
	PerHour   int       `json:"per_hour"` // messages of an hour's acts, above which a second person must approve; 0: no limit
	Share     int       `json:"share"`    // percent of the mailboxes, above which a second person must approve; 0: no limit
	Most      int       `json:"most"`     // messages of one act at most; 0: no limit
	Purge     bool      `json:"purge"`    // mails may be deleted for good
	Version   int64     `json:"version"`
	Changed   time.Time `json:"changed,omitzero"`
	ChangedBy string    `json:"changed_by,omitempty"`
}

// MailActSettingsNew sets how a tenant lets mails be acted on. What is absent stays as it is.
type MailActSettingsNew struct {
	PerAct  *int  `json:"per_act,omitempty" minimum:"0" maximum:"10000000" doc:"Messages of one act, above which a second person must approve; 0 for no limit"`
	PerHour *int  `json:"per_hour,omitempty" minimum:"0" maximum:"10000000" doc:"Messages of an hour's acts, above which a second person must approve; 0 for no limit"`
	Share   *int  `json:"share,omitempty" minimum:"0" maximum:"100" doc:"Percent of the tenant's mailboxes, above which a second person must approve; 0 for no limit"`
	Most    *int  `json:"most,omitempty" minimum:"0" maximum:"10000000" doc:"Messages of one act at most; 0 for no limit"`
	Purge   *bool `json:"purge,omitempty" doc:"Mails may be deleted for good, by administrators"`
	Version int64 `json:"version" minimum:"0" doc:"The version that was looked at; 0 for the first"`
}

// MailActPlanIn asks what an act would do.
type MailActPlanIn struct {
	In
	Body MailActNew
}

// MailActCreateIn asks for an act.
type MailActCreateIn struct {
	In
	Key
	Body MailActNew
}

// MailActsIn filters acts. The newest first.
type MailActsIn struct {
	In
	Paging
	Investigation string                 `query:"investigation" maxLength:"100" doc:"Only of this investigation"`
	State         []investigate.ActState `query:"state" enum:"waiting_approval,running,stopping,done,stopped,refused" doc:"Only in these states"`
	Kind          []investigate.ActKind  `query:"kind" enum:"warn,quarantine,junk,soft_delete,purge,restore" doc:"Only of these kinds"`
}

// MailActItemsIn filters what became of each message of an act. In the order in which they are done.
type MailActItemsIn struct {
	ByID
	Paging
	State  []investigate.ItemState `query:"state" enum:"waiting,sent,done,already,gone,refused,failed,unknown,left" doc:"Only in these states"`
	Part   investigate.Part        `query:"part" enum:"mail,notice" doc:"Only messages, or only notices"`
	Person tocsin.PersonID         `query:"person" maxLength:"100" doc:"Only in this person's mailbox"`
}

// MailActDecideIn decides an act: approve, refuse, stop.
type MailActDecideIn struct {
	ByIDAct
	Body ActionNote
}

// MailActRestoreIn restores what an act did.
type MailActRestoreIn struct {
	ByIDAct
	Body MailActRestore
}

// SetMailActSettingsIn sets how a tenant lets mails be acted on.
type SetMailActSettingsIn struct {
	In
	Key
	Body MailActSettingsNew
}
