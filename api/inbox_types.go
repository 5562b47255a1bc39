package api

import "time"

// SharedInbox is a shared mailbox as a team inbox.
type SharedInbox struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Address       string        `json:"address"`
	State         string        `json:"state"` // connected, broken, disconnected
	Because       string        `json:"because,omitempty"`
	Mend          string        `json:"mend,omitempty"`
	Sending       string        `json:"sending"` // unknown, as, behalf, refused
	SendingReason string        `json:"sending_because,omitempty"`
	Member        bool          `json:"member"`               // whether who asks is of its team
	Looking       time.Time     `json:"looking,omitzero"`     // until when somebody outside the team may read it, for the reason given
	Open          int           `json:"open"`                 // threads, no further than 1000; to its team
	Unassigned    int           `json:"unassigned"`           // of those that are open
	Folders       []InboxFolder `json:"folders,omitempty"`    // of one inbox
	BackfillDays  int           `json:"backfill_days"`        // 0: everything
	RetentionDays int           `json:"retention_days"`       // 0: for ever
	Connection    string        `json:"connection,omitempty"` // by which it is read
	Created       time.Time     `json:"created"`
	Version       int64         `json:"version"`
}

// InboxFolder is a folder of a shared mailbox, and how far it is read.
type InboxFolder struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Known  string    `json:"known,omitempty"` // inbox, sentitems …, where it is one of those that every mailbox has
	Filled int64     `json:"filled"`          // messages read
	Total  int64     `json:"total"`           // messages there are
	Looked time.Time `json:"looked,omitzero"` // when it was looked at last
}

// Worker is somebody who works in inboxes.
type Worker struct {
	Account string `json:"account"`
	Email   string `json:"email"`
	Name    string `json:"name"`
}

// InboxTeam is who works in an inbox.
type InboxTeam struct {
	Members []InboxMember `json:"members"`
	People  []Worker      `json:"people"` // all whom that makes: a thread can be assigned to them
	Teams   []Team        `json:"teams"`  // all teams
}

// InboxMember is an account, a team or everyone who may work in inboxes.
type InboxMember struct {
	Kind  string    `json:"kind" enum:"account,team,everyone" doc:"account, team or everyone who may work in inboxes"`
	ID    string    `json:"id" maxLength:"100" doc:"The account's or team's; empty for everyone"`
	Name  string    `json:"name,omitempty"`
	Added time.Time `json:"added,omitzero"`
}

// Team is accounts that work together.
type Team struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	People  []Worker `json:"people"`
	Version int64    `json:"version"`
}

// Tag is a name for threads.
type Tag struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Colour  string `json:"colour"` // empty, slate, red, amber, green, blue, violet
	Version int64  `json:"version"`
}

// InboxLook is a look at an inbox by somebody outside its team, or a read that it allowed.
type InboxLook struct {
	ID      string    `json:"id"`
	Of      string    `json:"of,omitempty"` // the look that allowed it
	At      time.Time `json:"at"`
	Until   time.Time `json:"until,omitzero"` // until when it holds
	Who     string    `json:"who"`
	Reason  string    `json:"reason"`
	What    string    `json:"what"` // asked; list, thread, message, file, search
	Thread  string    `json:"thread,omitempty"`
	Message string    `json:"message,omitempty"`
}

// Thread is a conversation of a shared inbox.
type Thread struct {
	ID          string    `json:"id"`
	Inbox       string    `json:"inbox"`
	N           int64     `json:"n"` // its number in the inbox
	Subject     string    `json:"subject"`
	From        string    `json:"from"`
	FromName    string    `json:"from_name"`
	Preview     string    `json:"preview"`
	State       string    `json:"state"`                  // open, waiting (for the other side), snoozed, resolved, spam
	Assignee    *Worker   `json:"assignee,omitempty"`     // nobody's where absent
	Team        string    `json:"team,omitempty"`         // its id
	TeamName    string    `json:"team_name,omitempty"`    //
	Priority    int       `json:"priority"`               // 1 low, 2 normal, 3 high, 4 urgent
	Until       time.Time `json:"snoozed_until,omitzero"` //
	Messages    int       `json:"messages"`
	Unread      bool      `json:"unread"` // to who asks
	Attachments bool      `json:"attachments"`
	Tags        []Tag     `json:"tags"`
	FirstIn     time.Time `json:"first_in,omitzero"`
	LastIn      time.Time `json:"last_in,omitzero"`
	LastOut     time.Time `json:"last_out,omitzero"`
	Waiting     time.Time `json:"waiting_since,omitzero"` // since when they wait for us
	Answered    time.Time `json:"answered,omitzero"`      // first
	Resolved    time.Time `json:"resolved,omitzero"`
	Last        time.Time `json:"last"` // mail
	Merged      string    `json:"merged,omitempty"`
	Due         time.Time `json:"due,omitzero"`       // when the next service time is missed, or was
	DueKind     string    `json:"due_kind,omitempty"` // first (answer), next (answer), resolve
	Version     int64     `json:"version"`
}

// ThreadDetail is a thread with its mails and what was done with it.
type ThreadDetail struct {
	Thread
	Mails    []ThreadMail    `json:"mails"`         // in order of time
	Entries  []ThreadEntry   `json:"entries"`       // in order; the last 500
	Cut      bool            `json:"cut,omitempty"` // there are older mails
	Clocks   []ThreadClock   `json:"service"`       // as they began
	Here     ThreadPresences `json:"presence"`
	Outgoing []Outgoing      `json:"outgoing"` // being written and on its way, and what did not go; by whomever
}

// ThreadMail is a mail of a thread, without its content.
type ThreadMail struct {
	ID          string        `json:"id"`
	Direction   string        `json:"direction"` // in, out
	Subject     string        `json:"subject"`
	Preview     string        `json:"preview"`
	From        string        `json:"from"`
	FromName    string        `json:"from_name"`
	Sender      string        `json:"sender,omitempty"` // where it is another's than from: on behalf
	ReplyTo     []MailAddress `json:"reply_to"`
	To          []MailAddress `json:"to"`
	Cc          []MailAddress `json:"cc"`
	Bcc         []MailAddress `json:"bcc"`
	At          time.Time     `json:"at"`
	Read        bool          `json:"read"` // in the mailbox
	Draft       bool          `json:"draft"`
	Flag        string        `json:"flag,omitempty"`
	Importance  string        `json:"importance,omitempty"`
	Categories  []string      `json:"categories"`
	Folder      string        `json:"folder"`
	Attachments []MailFile    `json:"attachments"`
	MessageID   string        `json:"internet_message_id"`
	Gone        time.Time     `json:"gone,omitzero"` // when it was deleted for good in the mailbox
	HasBody     bool          `json:"has_body"`      // its content is kept
}

// MailAddress is one of a mail's.
type MailAddress struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
}

// MailFile is a file of a mail.
type MailFile struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Type      string `json:"content_type"`
	Size      int64  `json:"size"`
	Inline    bool   `json:"inline"`
	ContentID string `json:"content_id,omitempty"`
}

// ThreadEntry is what was done with a thread beside its mails.
type ThreadEntry struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"` // note, assigned, state, priority, tags, …
	Who      *Worker   `json:"who,omitempty"`
	Text     string    `json:"text,omitempty"` // a note's
	Mentions []Worker  `json:"mentions,omitempty"`
	Edited   time.Time `json:"edited,omitzero"`
	Says     string    `json:"says,omitempty"` // in a sentence, of what is no note
}

// ThreadCounts are how many threads each section has, no further than 1000.
type ThreadCounts struct {
	Mine       int            `json:"mine"`
	Unassigned int            `json:"unassigned"`
	Mentioned  int            `json:"mentioned"` // that were not opened since
	Open       int            `json:"open"`
	Inboxes    map[string]int `json:"inboxes"` // open ones of each
	Views      map[string]int `json:"views"`   // those of each saved list, no further than 100
}
