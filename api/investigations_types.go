package api

import (
	"time"

	"tocsin.dev"
	"tocsin.dev/investigate"
)

// Investigation is a query that is asked of mailboxes: once, on a schedule, or day and night until it expires.
type Investigation struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Query    string            `json:"query"` // KQL
	Scope    investigate.Scope `json:"scope"`
	Trigger  string            `json:"trigger"`           // once, standing, schedule
	Every    int               `json:"every"`             // minutes, for a schedule
	Depth    string            `json:"depth"`             // whole; index: what Exchange's index gives, and no more
	Then     investigate.Then  `json:"then"`              // what is done with each match by itself
	Status   string            `json:"status"`            // draft, running, stopped, finished, expired
	Because  string            `json:"because,omitempty"` // why it is so, where it did not end by itself
	Mend     string            `json:"mend,omitempty"`
	Expiry   time.Time         `json:"expiry,omitzero"`
	Next     time.Time         `json:"next,omitzero"` // when the next search begins, of a schedule
	Reason   string            `json:"reason"`
	Conn     string            `json:"connection"` // by which mailboxes are searched; empty: the first that may
	From     string            `json:"made_from,omitempty"`
	Created  time.Time         `json:"created"`
	By       string            `json:"created_by"`
	Changed  time.Time         `json:"changed"`
	Version  int64             `json:"version"`
	Search   *Search           `json:"search,omitempty"` // the last one
	Matches  int64             `json:"matches"`          // all that were found, by whatever search
	Unknown  int64             `json:"unknown"`          // of them, those that what could be read does not decide
	Acted    int64             `json:"acted"`            // of them, those that something was done to, and not undone
	Clusters int64             `json:"clusters"`
	Boxes    int64             `json:"boxes"` // mailboxes with a match
}

// InvestigationDetail is an investigation with its versions and its searches.
type InvestigationDetail struct {
	Investigation
	Versions []InvestigationVersion `json:"versions"` // the newest first
	Searches []Search               `json:"searches"` // the newest first, twenty at most
}

// InvestigationVersion is a version of an investigation's text.
type InvestigationVersion struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Note    string    `json:"note"`
	Query   string    `json:"query"`
}

// Search is an investigation's query asked of every mailbox in its scope once.
type Search struct {
	ID         string                 `json:"id"`
	N          int64                  `json:"n"` // the how manieth of the investigation
	Version    int64                  `json:"version"`
	State      string                 `json:"state"` // running, stopped, done
	Because    string                 `json:"because,omitempty"`
	Mend       string                 `json:"mend,omitempty"`
	Cause      string                 `json:"cause"` // an account's e-mail, schedule, standing
	Query      string                 `json:"query"`
	Mailboxes  int64                  `json:"mailboxes"`
	Glanced    int64                  `json:"glanced"` // mailboxes that had a first, quick look
	Searched   int64                  `json:"searched"`
	Incomplete int64                  `json:"incomplete"`
	OutOfScope int64                  `json:"out_of_scope"`
	Matches    int64                  `json:"matches"`        // that this search met first
	Looked     int64                  `json:"looked"`         // messages whose metadata was read
	Fetched    int64                  `json:"fetched"`        // messages whose content was read
	Calls      int64                  `json:"calls"`          // requests to Microsoft Graph
	Rate       float64                `json:"rate"`           // mailboxes a minute, while it runs
	Ends       time.Time              `json:"ends,omitzero"`  // when it will have ended at that rate
	Trace      investigate.Trace      `json:"trace"`          // what the message trace told
	Plan       investigate.SearchPlan `json:"plan"`           // what was foreseen
	First      int64                  `json:"first_match_ms"` // ms from its beginning to the first match; -1: none yet
	Started    time.Time              `json:"started"`
	Ended      time.Time              `json:"ended,omitzero"`
}

// SearchMailbox is what became of a mailbox in a search.
type SearchMailbox struct {
	Person  tocsin.PersonID `json:"person"`
	Address string          `json:"address"`
	State   string          `json:"state"` // waiting, searched, incomplete, out_of_scope
	Because string          `json:"because,omitempty"`
	Mend    string          `json:"mend,omitempty"`
	Looked  int64           `json:"looked"`
	Fetched int64           `json:"fetched"`
	Matches int64           `json:"matches"`
	Tries   int64           `json:"tries"`
	Due     time.Time       `json:"due,omitzero"` // when it is tried again
	Changed time.Time       `json:"changed"`
}

// Match is a message that an investigation found.
type Match struct {
	ID                string                   `json:"id"`
	Investigation     string                   `json:"investigation"`
	Person            tocsin.PersonID          `json:"person"` // in whose mailbox it is
	Address           string                   `json:"address"`
	Department        string                   `json:"department"`
	Message           string                   `json:"message"` // Graph's immutable id
	InternetMessageID string                   `json:"internet_message_id"`
	Conversation      string                   `json:"conversation"`
	Sender            string                   `json:"sender"`
	SenderName        string                   `json:"sender_name"`
	SenderDomain      string                   `json:"sender_domain"`
	Recipients        []string                 `json:"recipients"`
	Subject           string                   `json:"subject"`
	Received          time.Time                `json:"received"`
	Folder            string                   `json:"folder"`      // its id when it was found
	FolderName        string                   `json:"folder_name"` // and its name
	Read              bool                     `json:"read"`
	HasAttachments    bool                     `json:"has_attachments"`
	Direction         string                   `json:"direction"` // received, sent, draft
	Importance        string                   `json:"importance"`
	Flag              string                   `json:"flag"`
	Categories        []string                 `json:"categories"`
	Truth             string                   `json:"truth"` // yes, unknown
	Why               []string                 `json:"why"`   // the terms that matched, or what could not be read
	Links             []string                 `json:"links"` // those found while it was matched, where content was read
	Attachments       []investigate.Attachment `json:"attachments"`
	Cluster           string                   `json:"cluster"`
	Way               string                   `json:"way"`   // search, standing
	State             string                   `json:"state"` // found, dealt, acted, restored, gone
	Found             time.Time                `json:"found"`
}

// Facets are the counts of an investigation's matches by what they have in common, the most first; Days in order of time.
type Facets struct {
	Total       int64   `json:"total"`
	Mailboxes   int64   `json:"mailboxes"`
	Senders     []Facet `json:"senders"`
	Domains     []Facet `json:"domains"`
	Subjects    []Facet `json:"subjects"`
	Days        []Facet `json:"days"`
	Folders     []Facet `json:"folders"`
	Departments []Facet `json:"departments"`
	States      []Facet `json:"states"`
	Read        []Facet `json:"read"` // yes, no
	Truths      []Facet `json:"truths"`
	Clusters    []Facet `json:"clusters"`
}

// Facet is a value and how many matches have it.
type Facet struct {
	Value string `json:"value"`
	Name  string `json:"name,omitempty"` // what it is called, where the value is an id
	Count int64  `json:"count"`
}

// Cluster is a group of near copies: variants of one mail.
type Cluster struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"` // of the first that was found
	Sender    string    `json:"sender"`
	Matches   int64     `json:"matches"`
	Mailboxes int64     `json:"mailboxes"`
	Senders   int64     `json:"senders"`
	Subjects  int64     `json:"subjects"`
	Unread    int64     `json:"unread"`
	First     time.Time `json:"first"` // received
	Last      time.Time `json:"last"`
	Examples  []string  `json:"examples"` // subjects, five at most
}

// Trail is what became of a match with one person: sent to them, delivered, opened, answered, forwarded.
type Trail struct {
	Person    tocsin.PersonID `json:"person"` // empty where the address is nobody's here
	Address   string          `json:"address"`
	Mail      string          `json:"internet_message_id"`
	Subject   string          `json:"subject"`
	Sender    string          `json:"sender"`
	Received  time.Time       `json:"received,omitzero"`
	Delivery  string          `json:"delivery"`  // delivered, failed, quarantined, filtered … as the message trace has it; empty: not asked
	Here      string          `json:"here"`      // found (it is a match), gone (it was delivered and no search met it), unknown
	Opened    string          `json:"opened"`    // yes, no, unknown
	Replied   string          `json:"replied"`   // yes, no, unknown
	Forwarded string          `json:"forwarded"` // yes, no, unknown
	When      []TrailStep     `json:"when"`
	Match     string          `json:"match,omitempty"`
	Because   string          `json:"because,omitempty"` // why something is unknown
}

// TrailStep is an event of a trail.
type TrailStep struct {
	At    time.Time `json:"at"`
	What  string    `json:"what"` // traced, received, opened, moved, replied, forwarded, deleted
	Event string    `json:"event,omitempty"`
}

// InvestigationNew is an investigation to be made.
type InvestigationNew struct {
	Name       string            `json:"name" minLength:"1" maxLength:"200" doc:"What it is called"`
	Query      string            `json:"query" minLength:"1" maxLength:"10000" doc:"KQL: from:, subject:, url.domain: … AND OR NOT"`
	Scope      investigate.Scope `json:"scope,omitzero" doc:"Whose mailboxes; all that the connection may search where it is empty"`
	Trigger    string            `json:"trigger,omitempty" enum:"once,standing,schedule" doc:"once when absent; standing: what is there, and what comes until it expires"`
	Every      int               `json:"every,omitempty" minimum:"0" maximum:"43200" doc:"Minutes between the searches of a schedule"`
	Depth      string            `json:"depth,omitempty" enum:"whole,index" doc:"whole when absent: every message that may match is read; index: only what Exchange's index gives, which is quick and may miss some"`
	Then       investigate.Then  `json:"then,omitzero" doc:"What is done with each match by itself"`
	Expiry     time.Time         `json:"expiry,omitzero" doc:"When it ends by itself; a standing one and a schedule need it"`
	Reason     string            `json:"reason" minLength:"1" maxLength:"2000" doc:"Why mail is searched; kept in the audit trail"`
	Connection string            `json:"connection,omitempty" maxLength:"100" doc:"By which connection; the first that may search where it is empty"`
	From       string            `json:"made_from,omitempty" maxLength:"500" doc:"What the query was made from: a report, a match, an event"`
	Start      bool              `json:"start,omitempty" doc:"Start it at once"`
}

// InvestigationEdit is another text of an investigation.
type InvestigationEdit struct {
	InvestigationNew
	Note    string `json:"note,omitempty" maxLength:"400" doc:"Why; kept with the version"`
	Version int64  `json:"version" minimum:"1" doc:"The version you looked at"`
}

// InvestigationAsk is what a plan is asked for.
type InvestigationAsk struct {
	Query      string            `json:"query" minLength:"1" maxLength:"10000" doc:"KQL"`
	Scope      investigate.Scope `json:"scope,omitzero" doc:"Whose mailboxes"`
	Depth      string            `json:"depth,omitempty" enum:"whole,index" doc:"whole when absent"`
	Connection string            `json:"connection,omitempty" maxLength:"100" doc:"By which connection; the first that may search where it is empty"`
}

// QueryFrom says of what a query is to be made: a match of an investigation, an event of mail, or the message itself.
type QueryFrom struct {
	Match string `json:"match,omitempty" maxLength:"100" doc:"A match's id"`
	Event string `json:"event,omitempty" maxLength:"500" doc:"The id of an event of mail"`
	Text  string `json:"text,omitempty" maxLength:"41943040" doc:"The message itself, as an .eml file has it"`
}

// QueryMade is a query that was made of a message.
type QueryMade struct {
	Query   string   `json:"query"`
	Name    string   `json:"name"` // for the investigation
	Subject string   `json:"subject"`
	Sender  string   `json:"sender"`
	Terms   []string `json:"terms"` // what it looks for, a sentence each
	Lacks   []string `json:"lacks"` // what of the message could not be read
}

// InvestigationsIn filters investigations. The last changed first.
type InvestigationsIn struct {
	In
	Paging
	Status  []string `query:"status" enum:"draft,running,stopped,finished,expired" doc:"Only in these states"`
	Trigger string   `query:"trigger" enum:"once,standing,schedule" doc:"Only of this trigger"`
	Q       string   `query:"q" maxLength:"200" doc:"Only with this in the name, the query or who made it"`
}

// CreateInvestigationIn makes an investigation.
type CreateInvestigationIn struct {
	In
	Key
	Body InvestigationNew
}

// UpdateInvestigationIn gives an investigation another text.
type UpdateInvestigationIn struct {
	ByIDAct
	Body InvestigationEdit
}

// PlanInvestigationIn asks what a search would do.
type PlanInvestigationIn struct {
	In
	Body InvestigationAsk
}

// QueryFromIn makes a query of a message.
type QueryFromIn struct {
	In
	Body QueryFrom
}

// StartInvestigationIn starts an investigation.
type StartInvestigationIn struct {
	ByIDAct
	Body ActionNote
}

// MatchesIn filters the matches of an investigation. The last received first.
type MatchesIn struct {
	ByID
	Paging
	MatchFilter
}

// MatchFilter is what a list of matches, its counts and its export share, and an act on what it leaves.
type MatchFilter struct {
	Sender     string          `query:"sender" maxLength:"320" doc:"Only from this address"`
	Domain     string          `query:"domain" maxLength:"253" doc:"Only from this domain"`
	Subject    string          `query:"subject" maxLength:"1000" doc:"Only with just this subject"`
	Day        string          `query:"day" maxLength:"10" doc:"Only received on this day (2026-03-15, UTC)"`
	Folder     string          `query:"folder" maxLength:"200" doc:"Only in folders of this name"`
	Department string          `query:"department" maxLength:"200" doc:"Only in mailboxes of this department"`
	Person     tocsin.PersonID `query:"person" maxLength:"320" doc:"Only in the mailbox of this person (id or address)"`
	Cluster    string          `query:"cluster" maxLength:"100" doc:"Only of this cluster"`
	State      string          `query:"state" enum:"found,dealt,acted,restored,gone" doc:"Only in this state"`
	Without    string          `query:"without" enum:"department,subject,cluster" doc:"Only those that have none: whose mailbox is of no department, that have no subject, that are of no cluster"`
	Truth      string          `query:"truth" enum:"yes,unknown" doc:"Only those that match for certain, or of which that is unknown"`
	Read       string          `query:"read" enum:"yes,no" doc:"Only those that are read, or are not"`
	Q          string          `query:"q" maxLength:"200" doc:"Only with this in the subject, the sender or the mailbox's address"`
}

// FacetsIn asks for counts of an investigation's matches.
type FacetsIn struct {
	ByID
	MatchFilter
}

// MatchIn names a match.
type MatchIn struct {
	ByID
	Match string `path:"match" minLength:"1" maxLength:"100" doc:"The match's id"`
}

// TrailsIn asks who received, opened, answered and forwarded what an investigation found.
type TrailsIn struct {
	ByID
	Paging
	Mail   string          `query:"mail" maxLength:"1000" doc:"Only this mail, by its internet message id"`
	Person tocsin.PersonID `query:"person" maxLength:"320" doc:"Only this person (id or address)"`
}

// SearchMailboxesIn filters what became of mailboxes in a search; the investigation's last where search is empty.
type SearchMailboxesIn struct {
	ByID
	Paging
	Search string `query:"search" maxLength:"100" doc:"The search's id; the last one when absent"`
	State  string `query:"state" enum:"waiting,searched,incomplete,out_of_scope" doc:"Only in this state"`
	Q      string `query:"q" maxLength:"200" doc:"Only with this in the address"`
}

// ClustersIn lists an investigation's groups of near copies, the largest first.
type ClustersIn struct {
	ByID
	Paging
}

// MatchFile is matches as a table: CSV with a heading, in UTF-8.
type MatchFile struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	More bool   `json:"more"` // there are more than one file takes
	CSV  string `json:"csv"`
}
