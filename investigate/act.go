package investigate

import (
	"encoding/json"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/remediate"
)

// ActKind is what is done to mails.
type ActKind string

// The kinds. Each stands in the table of kinds (act_kind.go).
const (
	Warn       ActKind = "warn"        // a category of our own
	Quarantine ActKind = "quarantine"  // to a hidden folder of our own
	Junk       ActKind = "junk"        // to Junk Email
	SoftDelete ActKind = "soft_delete" // to Recoverable Items, or Deleted Items
	Purge      ActKind = "purge"       // for good
	Restore    ActKind = "restore"     // back to how it was before an act
)

// ActKinds are all there are; the last is asked for by the act that it restores.
var ActKinds = []ActKind{Warn, Quarantine, Junk, SoftDelete, Purge, Restore}

// ActState is how far an act has come.
type ActState string

// The states. Stopping is that nothing new is sent, and what was sent without an answer is looked at.
const (
	ActWaiting  ActState = "waiting_approval"
	ActRunning  ActState = "running"
	ActStopping ActState = "stopping"
	ActStopped  ActState = "stopped"
	ActDone     ActState = "done" // every message has its outcome, whatever it is
	ActRefused  ActState = "refused"
)

// ActStates are all there are, in the order of an act's life.
var ActStates = []ActState{ActWaiting, ActRunning, ActStopping, ActDone, ActStopped, ActRefused}

// actForward is where each state may go. An act that goes on by itself runs again when there is more.
var actForward = map[ActState][]ActState{
	ActWaiting:  {ActRunning, ActRefused, ActStopped},
	ActRunning:  {ActDone, ActStopping},
	ActStopping: {ActStopped},
	ActDone:     {ActRunning},
}

// Ended says whether nothing more happens to it by itself.
func (s ActState) Ended() bool {
	return !slices.Contains([]ActState{ActWaiting, ActRunning, ActStopping}, s)
}

// ItemState is what became of one message.
type ItemState string

// The states. Already is that it was so before; gone that the message or its mailbox is no longer there; refused that
// Microsoft, or we, would not; unknown that it was sent and nobody can tell; left that the act ended before its turn.
const (
	ItemWaiting ItemState = "waiting"
	ItemSent    ItemState = "sent"
	ItemDone    ItemState = "done"
	ItemAlready ItemState = "already"
	ItemGone    ItemState = "gone"
	ItemRefused ItemState = "refused"
	ItemFailed  ItemState = "failed"
	ItemUnknown ItemState = "unknown"
	ItemLeft    ItemState = "left"
)

// ItemStates are all there are.
var ItemStates = []ItemState{ItemWaiting, ItemSent, ItemDone, ItemAlready, ItemGone, ItemRefused, ItemFailed, ItemUnknown, ItemLeft}

// Alive says whether something is still to happen to it.
func (s ItemState) Alive() bool { return s == ItemWaiting || s == ItemSent }

// Part is what an item of an act is about: a message that was found, or the notice that is put into a mailbox.
type Part string

// The parts.
const (
	PartMail   Part = "mail"
	PartNotice Part = "notice"
)

// Act is something done to the mails of an investigation, or to be done.
type Act struct {
	ID            string
	Investigation string
	Kind          ActKind
	State         ActState
	Restores      string // the act that it restores
	RestoredBy    string // the act that restored it last
	ByItself      bool   // made by the investigation, for what it finds day and night
	Epoch         int64  // the investigation's version then
	Options       ActOptions
	Why           string
	Plan          ActPlan

	AskedBy, AskedEmail       string // an account's id and address
	ApprovedBy, ApprovedEmail string
	Connection                string // through which it goes
	Because, Mend             string // why it is where it is, and what to do about it

	Due, Created, Changed, Began, Ended time.Time
	Version                             int64
}

// ActOptions are how an act is done.
type ActOptions struct {
	DeletedItems bool   `json:"deleted_items,omitempty"` // soft_delete: to Deleted Items, where people look
	Notice       bool   `json:"notice,omitempty"`        // tell each mailbox, by a message in its inbox
	NoticeText   string `json:"notice_text,omitempty"`   // in place of our own words
}

// ActPlan is what an act will do, as it was seen before: the dry run.
type ActPlan struct {
	Does      string           `json:"does"`            // a sentence
	Touches   []string         `json:"touches"`         // what will be changed, a phrase each
	Not       []string         `json:"not"`             // what it does not do, a sentence each
	CanUndo   bool             `json:"can_undo"`        // by a restore
	Undo      string           `json:"undo"`            // how, or why not, a sentence
	Stops     []remediate.Stop `json:"stops,omitempty"` // what stands against it
	Approval  bool             `json:"approval"`        // a second person must approve
	Approvals []string         `json:"approvals"`       // why, a sentence each
	Blast     Blast            `json:"blast"`           // whom it reaches
	Seconds   int              `json:"seconds"`         // how long it takes, about
	Way       string           `json:"way,omitempty"`   // the connection's name
	At        time.Time        `json:"at"`              // when it was made
}

// Blast is whom an act reaches.
type Blast struct {
	Messages  int           `json:"messages"`  // that will be acted on
	Mailboxes int           `json:"mailboxes"` // they are in
	Of        int           `json:"of"`        // mailboxes of the tenant
	Share     float64       `json:"share"`     // of them, 0 to 1
	Oldest    time.Time     `json:"oldest,omitzero"`
	Newest    time.Time     `json:"newest,omitzero"`
	Notable   []Notable     `json:"notable"`  // at most 50: administrators first
	Notables  int           `json:"notables"` // how many there are
	Senders   []BlastSender `json:"senders"`  // those of most messages, at most 10
	Samples   []BlastSample `json:"samples"`  // at most 20, of different mailboxes
	Left      []BlastLeft   `json:"left"`     // what is left out, and why
}

// Notable is a person of note whose mailbox is reached.
type Notable struct {
	Person   tocsin.PersonID `json:"person"`
	Who      string          `json:"who"`  // their address
	Name     string          `json:"name"` //
	Why      string          `json:"why"`  // an administrator's role, or that they are spared
	Messages int             `json:"messages"`
}

// BlastSender is who sent some of the messages.
type BlastSender struct {
	Sender   string `json:"sender"`
	Messages int    `json:"messages"`
}

// BlastSample is one of the messages.
type BlastSample struct {
	Person   tocsin.PersonID `json:"person"`
	Who      string          `json:"who"`
	Message  string          `json:"message"` // its id
	Sender   string          `json:"sender"`
	Subject  string          `json:"subject"`
	Received time.Time       `json:"received,omitzero"`
}

// BlastLeft is how many messages are left out for one reason.
type BlastLeft struct {
	Why      string `json:"why"` // a sentence
	Messages int    `json:"messages"`
}

// ActCounts are how many items are in each state; Total is their sum.
type ActCounts struct {
	Total, Waiting, Sent, Done, Already, Gone, Refused, Failed, Unknown, Left int
}

// ActItem is a line of the ledger: one message, or the notice of one mailbox.
type ActItem struct {
	Act, ID  string
	Part     Part
	Person   tocsin.PersonID
	Object   string // the mailbox's account at Microsoft
	Who      string // its address
	Message  string // its id when it was found
	Internet string // its internet message id
	Sender   string
	Subject  string
	Received time.Time
	Original string // of a restore: the item that it brings back
	State    ItemState
	Because  string
	Mend     string
	Before   *MailState // as it was before the first thing was sent
	After    *MailState // as it reads back
	MovedTo  string     // its id afterwards, where that is another
	Tries    int64      // how often something was sent

	Due, Sent, Accepted, Changed time.Time
}

// MailState is what an act may change of a message, as Microsoft gives it.
type MailState struct {
	ID         string          `json:"id"`
	Folder     string          `json:"folder"` // its id
	Read       bool            `json:"read"`
	Flag       json.RawMessage `json:"flag,omitempty"` // the whole flag, with its dates
	Categories []string        `json:"categories"`
	ChangeKey  string          `json:"change_key,omitempty"`
}

// ActAsk is what is asked for. Without any of Matches, Clusters and People it is every match of the investigation that is
// neither gone nor restored.
type ActAsk struct {
	Investigation string
	Kind          ActKind
	Options       ActOptions
	Matches       []string          // ids
	Clusters      []string          // their names
	People        []tocsin.PersonID // whose mailboxes
	Except        []string          // ids of matches
	Why           string
	Force         bool // in spite of what stands against it, where the asker may
}

// Actor is who asks or decides.
type Actor struct {
	remediate.Who
	Admin bool // of the tenant, or its owner: may purge
}

// ActSettings are how a tenant lets mails be acted on.
type ActSettings struct {
	PerAct  int  `json:"per_act"`  // messages of one act, above which a second person must approve; 0: no limit
	PerHour int  `json:"per_hour"` // messages of an hour's acts, above which a second person must approve; 0: no limit
	Share   int  `json:"share"`    // percent of the mailboxes, above which a second person must approve; 0: no limit
	Most    int  `json:"most"`     // messages of one act, above which it cannot be asked for; 0: no limit
	Purge   bool `json:"purge"`    // mails may be deleted for good

	Version   int64     `json:"-"`
	Changed   time.Time `json:"-"`
	ChangedBy string    `json:"-"`
}
