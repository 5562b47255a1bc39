package detect

import "time"

// RightsSeen is what a source told of a mailbox's forwarding and of the rights over it, or of the organisation's mail flow:
// one change, as an audit record has it, or a look at all there is of some kinds.
type RightsSeen struct {
	Source  string `json:"source"`            // audit, admin_api, invoke_command, export
	Mailbox string `json:"mailbox,omitempty"` // how the source names it: an address, an alias, an object id, a path; not needed where the item has a person
	Org     bool   `json:"org,omitempty"`     // it is of the organisation, not of a mailbox
	// At is what it is true of, in Unix milliseconds: when a change was made; for a look, when the asking began.
	At        int64  `json:"at"`
	Record    string `json:"record,omitempty"` // the audit record's id
	Actor     string `json:"actor,omitempty"`
	ActorKind string `json:"actor_kind,omitempty"`
	// Whole are the kinds that it tells all of, so that what is not named is gone.
	Whole    []string          `json:"whole,omitempty"`
	Settings map[string]string `json:"settings,omitempty"` // by name; "" is: not set
	Rights   []RightSeen       `json:"rights,omitempty"`
	MailFlow []MailFlowSeen    `json:"mail_flow,omitempty"`
}

// RightSeen is a right over a mailbox that was told of.
type RightSeen struct {
	Trustee   string   `json:"trustee"` // how the source names it
	Name      string   `json:"name,omitempty"`
	Kind      string   `json:"kind"`
	Folder    string   `json:"folder,omitempty"` // its path, such as Inbox or Inbox\Clients; empty is the whole mailbox
	Levels    []string `json:"levels,omitempty"` // of a folder: Reviewer, Editor …; of others what the source calls the right
	Inherited bool     `json:"inherited,omitempty"`
	Deny      bool     `json:"deny,omitempty"`
	Removed   bool     `json:"removed,omitempty"`
}

// MailFlowSeen is a transport or journal rule that was told of.
type MailFlowSeen struct {
	Kind    string            `json:"kind"` // transport, journal
	Name    string            `json:"name"`
	Made    bool              `json:"made,omitempty"` // it begins here: what is not in Params is not set
	Removed bool              `json:"removed,omitempty"`
	Params  map[string]string `json:"params,omitempty"` // parameters of New-TransportRule by name in lower case; enabled is true or false
}

// The kinds of rights, as RightSeen.Kind and in RightsSeen.Whole, where "folder:Inbox" is: all rights over that folder.
// RightForwarding, RightTransport and RightJournal stand in Whole only.
const (
	RightForwarding   = "forwarding"
	RightFullAccess   = "full_access"
	RightSendAs       = "send_as"
	RightSendOnBehalf = "send_on_behalf"
	RightFolder       = "folder"
	RightTransport    = "transport"
	RightJournal      = "journal"
)

// The names of settings.
const (
	ForwardingSMTP      = "forwarding_smtp"      // ForwardingSmtpAddress: an address anywhere
	ForwardingRecipient = "forwarding_recipient" // ForwardingAddress: a recipient inside, such as a mailbox, group or contact
	ForwardingDeliver   = "forwarding_deliver"   // DeliverToMailboxAndForward: "true" where a copy stays
	AuditBypass         = "audit_bypass"         // "true": what the account does in mailboxes is not recorded
	AuditEnabled        = "audit_enabled"        // of a mailbox
	AuditLog            = "audit_log"            // of the organisation: "false" where nothing is recorded
	MailboxAudit        = "mailbox_audit"        // of the organisation
)

// Forwards gives the settings of a mailbox that was looked at whole: address is ForwardingSmtpAddress, recipient is
// ForwardingAddress, each empty where it is not set.
func Forwards(address, recipient string, deliver bool) map[string]string {
	keep := "false"
	if deliver {
		keep = "true"
	}
	return map[string]string{ForwardingSMTP: address, ForwardingRecipient: recipient, ForwardingDeliver: keep}
}

// Told is what is held of one thing: a setting of a mailbox, a right over it, a parameter of a mail flow rule.
type Told struct {
	Value     string
	At        time.Time // what it is true of
	Since     time.Time // since when it is so; zero: it was so when we first looked
	Source    string
	Record    string // the audit record that made it so, where one did
	Actor     string
	ActorKind string
}

// Witnessed says whether it became so while we looked, by somebody's hand.
func (t *Told) Witnessed() bool {
	return !t.Since.IsZero() && t.ActorKind != "system" && t.ActorKind != "service"
}

// Grant is a right over a mailbox; Value are its levels.
type Grant struct {
	Told
	Kind      string
	Folder    string // for comparing
	Path      string // as shown; empty is the whole mailbox
	Trustee   string // an address where the directory knows one, else the name the source gave; default and anonymous are everybody
	Name      string
	Inherited bool
	Denied    bool
}

// Everyone says whether the right is everybody's.
func (g *Grant) Everyone() bool {
	return g.Trustee == "default" || g.Trustee == "anonymous" || g.Trustee == "everyone"
}

// Exchange is what is held of the organisation's mail flow, and what shows only across mailboxes.
type Exchange struct {
	Flow     []MailFlow
	Settings []Setting // AuditLog and MailboxAudit of the organisation; AuditBypass and AuditEnabled of mailboxes
	Trustees []Trustee
}

// MailFlow is a transport or journal rule that exists.
type MailFlow struct {
	Kind    string // RightTransport, RightJournal
	ID      string
	Name    string
	Enabled bool
	Params  map[string]Told // by name in lower case
}

// Setting is a setting of the organisation, or of a mailbox.
type Setting struct {
	Told
	Name    string
	Mailbox string // an address; empty: the organisation's
}

// Trustee is somebody with full access to, or the right to send as, many mailboxes of people.
type Trustee struct {
	Who     string // an address, where the directory knows one
	Count   int    // of mailboxes
	Lately  int    // of these, how many were granted in the last week, as far as that is known
	Owners  []string
	Granted time.Time // the last; zero where it is not known
}
