package api

import (
	"encoding/json"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Page is a piece of a list. Next is what to give as after for the following piece; empty at the end.
// Total counts the whole list as filtered; it is given with the first piece only, and TotalIsMore says that it was
// not counted further than that.
type Page[T any] struct {
	Items       []T    `json:"items"`
	Next        string `json:"next"`
	Total       int    `json:"total"`
	TotalIsMore bool   `json:"total_is_more,omitempty"`
}

// None is the answer of an operation that has nothing to say.
type None struct{}

// Tenant is a Microsoft 365 tenant.
type Tenant struct {
	ID            tocsin.TenantID `json:"id"`
	Name          string          `json:"name"`
	InitialDomain string          `json:"initial_domain"`
	Created       time.Time       `json:"created,omitzero"`
	Role          Role            `json:"role"` // the caller's, in it
	Connections   int             `json:"connections"`
	OpenFindings  int             `json:"open_findings"`
	Waiting       int             `json:"actions_waiting"` // for approval
	Erasing       bool            `json:"erasing"`         // all that is kept of it is being erased
	Domains       []Domain        `json:"domains"`
}

// Domain is an accepted domain of a tenant.
type Domain struct {
	Name           string `json:"name"`
	Default        bool   `json:"default"`
	Verified       bool   `json:"verified"`
	Authentication string `json:"authentication"`
}

// Severities counts findings by severity.
type Severities struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Info     int `json:"info"`
}

// All is their sum.
func (s Severities) All() int { return s.Critical + s.High + s.Medium + s.Low + s.Info }

// Day counts the findings first seen on a day (UTC) by severity, whatever became of them.
type Day struct {
	Day string `json:"day"` // 2026-03-15
	Severities
	Open int `json:"open"` // of them, how many are open or in work
}

// RuleCount says how many findings of a detection are open.
type RuleCount struct {
	Rule     string          `json:"rule"`
	Title    string          `json:"title"`
	Severity tocsin.Severity `json:"severity"` // the highest of them
	Open     int             `json:"open"`
}

// Coverage says of how many people and mailboxes we know what: "did you see everything?".
type Coverage struct {
	People      int            `json:"people"`
	Mailboxes   int            `json:"mailboxes"`   // those that are there
	Read        int            `json:"read"`        // whose rules were read
	NotRead     int            `json:"not_read"`    // people whose mailbox is not read, whatever the reason
	NotReadBy   []ReasonCount  `json:"not_read_by"` // the reasons
	ByState     map[string]int `json:"by_state"`    // people by state of their mailbox
	OldestRead  time.Time      `json:"oldest_read,omitzero"`
	NewestRead  time.Time      `json:"newest_read,omitzero"`
	Complete    bool           `json:"complete"`   // no source failed or is under way for the first time, and nothing is unknown
	Incomplete  []string       `json:"incomplete"` // why not, a sentence each
	Connections int            `json:"connections"`
}

// ReasonCount says how many have a reason.
type ReasonCount struct {
	State   string `json:"state"`
	Because string `json:"because"`
	Count   int    `json:"count"`
}

// RulesSummary counts mailbox rules.
type RulesSummary struct {
	All      int `json:"all"`     // that are there
	Sends    int `json:"sends"`   // forward or redirect, anywhere
	Outside  int `json:"outside"` // forward or redirect outside
	Risky    int `json:"risky"`   // with a risk above 0
	Deleted  int `json:"deleted"` // that were there once
	Deletes7 int `json:"deleted_7_days"`
}

// Overview is a tenant at a glance.
type Overview struct {
	Tenant       Tenant                `json:"tenant"`
	At           time.Time             `json:"at"`
	Open         Severities            `json:"open"`    // findings open or in work
	New24h       Severities            `json:"new_24h"` // of them first seen in the last 24 hours
	ByStatus     map[tocsin.Status]int `json:"by_status"`
	Risk         int                   `json:"risk"` // 0..100: the highest among the open
	Days         []Day                 `json:"days"` // the last 30, oldest first
	TopRules     []RuleCount           `json:"top_rules"`
	TopPeople    []Identity            `json:"top_people"`   // by the risk of their open findings
	Worst        []Finding             `json:"worst"`        // the first of the findings list
	Destinations []Destination         `json:"destinations"` // outside, by how many mailboxes send there
	Rules        RulesSummary          `json:"rules"`
	Coverage     Coverage              `json:"coverage"`
	Sources      []Source              `json:"sources"`
	Connections  []Connection          `json:"connections"`
	Recent       []Event               `json:"recent"` // the last changes seen
}

// Destination is an address outside that mailbox rules send to.
type Destination struct {
	Address   string `json:"address"`
	Domain    string `json:"domain"`
	Mailboxes int    `json:"mailboxes"`
	Rules     int    `json:"rules"`
}

// Connection is the way to a tenant. States: on, paused, broken (its credentials no longer work; because and mend say more),
// closing (what belongs to it is being put away), closed (its credential is erased; it can be opened again).
type Connection struct {
	ID           string          `json:"id"`
	Tenant       tocsin.TenantID `json:"tenant"`
	Name         string          `json:"name"`
	Cloud        string          `json:"cloud"`
	ClientID     string          `json:"client_id"`
	Method       string          `json:"method"` // secret, certificate or oauth
	State        string          `json:"state"`
	Because      string          `json:"because"`
	Mend         string          `json:"mend"`
	Created      time.Time       `json:"created,omitzero"`
	Proven       time.Time       `json:"proven,omitzero"` // when its credentials last worked
	Version      int64           `json:"version"`
	Capabilities []Capability    `json:"capabilities"`
	Sources      []Source        `json:"sources"`
	Tier         string          `json:"tier"`     // read, respond or privileged
	Products     []string        `json:"products"` // that are switched on
	Consents     []Consent       `json:"consents"` // by OAuth, the newest first

	MetadataOnly  bool         `json:"metadata_only"`    // calls that read content are refused before they are made
	Closing       string       `json:"closing"`          // keep or erase, while it is closing
	Expires       time.Time    `json:"expires,omitzero"` // of the credential, where that is known
	ExpiresBy     string       `json:"expires_by"`       // who says so: entered, read (from the app registration), certificate
	Rotated       time.Time    `json:"rotated,omitzero"` // when it was given another credential
	Looked        time.Time    `json:"looked,omitzero"`  // when what is granted was last read from the tenant
	LookedBecause string       `json:"looked_because"`   // why that could not be read
	Grants        []AppGrant   `json:"grants"`
	Excess        []Excess     `json:"excess"` // granted and not needed
	Drift         []Drift      `json:"drift"`  // what was granted and removed between looks, newest first, at most 100
	Later         []Capability `json:"later"`  // capabilities that this version does not have
}

// ConnectionNew is what makes a connection. Give a secret, or a certificate with its key as PEM.
// Authority, graph and ca are for a cloud of one's own (a simulator), and for who administers the installation.
type ConnectionNew struct {
	Name        string `json:"name,omitempty" maxLength:"200" doc:"What to call it; the tenant's name where empty"`
	Tenant      string `json:"tenant" minLength:"1" maxLength:"200" doc:"The Entra tenant's id (a GUID)"`
	ClientID    string `json:"client_id" minLength:"1" maxLength:"200" doc:"The app registration's application (client) id"`
	Secret      string `json:"client_secret,omitempty" maxLength:"4096" doc:"A client secret's value"`
	Certificate string `json:"certificate,omitempty" maxLength:"65536" doc:"A certificate with its private key, as PEM"`
	Cloud       string `json:"cloud,omitempty" maxLength:"200" doc:"global (when absent), gcc, usgov, dod, china, or own with authority and graph"`
	Authority   string `json:"authority,omitempty" maxLength:"1000" doc:"Sign-in address of a cloud of one's own"`
	Graph       string `json:"graph,omitempty" maxLength:"1000" doc:"Graph address of a cloud of one's own"`
	CA          string `json:"ca,omitempty" maxLength:"65536" doc:"Certificate authority of a cloud of one's own, as PEM"`

	Products []string `json:"products,omitempty" enum:"outlook,entra,intune,sharepoint,teams" doc:"Which products are switched on; all when absent"`
	Tier     string   `json:"tier,omitempty" enum:"read,respond,privileged" doc:"What the app registration is for; read when absent"`
	Expires  string   `json:"expires,omitempty" maxLength:"40" doc:"When the secret ends (2027-01-31, or a time), so that a warning comes before"`
}

// Capability is something a connection allows, or not, because. States: works, degraded, off.
type Capability struct {
	Connection string    `json:"connection"`
	Name       string    `json:"name"`
	Title      string    `json:"title"`
	State      string    `json:"state"`
	Because    string    `json:"because"`
	Mend       string    `json:"mend"`
	Checked    time.Time `json:"checked,omitzero"`
}

// Source is something that is read again and again, and how fresh it is.
// States: waiting (never begun), reading, fresh, late (due and not read), failed, paused (as every connection that reads is, or is closed).
type Source struct {
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Started   time.Time `json:"started,omitzero"`
	Succeeded time.Time `json:"succeeded,omitzero"`
	Failed    time.Time `json:"failed,omitzero"`
	Because   string    `json:"because"`
	Mend      string    `json:"mend"`
	Due       time.Time `json:"due,omitzero"`
	Done      int       `json:"done"`
	Total     int       `json:"total"`
}

// Limit is one of Microsoft's limits, and how near a connection is to it. Tocsin keeps below each by itself: what would pass
// it waits. States: calm; near (80 percent or more is used); holding (calls wait for it now); blocked (Microsoft asked us to keep off).
type Limit struct {
	Connection     string          `json:"connection"`
	Name           string          `json:"name"`
	Title          string          `json:"title"`
	State          string          `json:"state"`
	Shared         string          `json:"shared"` // by whom: app_and_tenant, app (over all its tenants), tenant (all its apps), mailbox
	Unit           string          `json:"unit"`   // requests, units, bytes, or calls where it is of calls at once
	Limit          int             `json:"limit"`
	Used           int             `json:"used"` // in the window that ends now; of the mailbox that is nearest for a mailbox's
	Percent        int             `json:"percent"`
	Window         float64         `json:"window_seconds"`  // 0 where it is of calls at once
	Spent          int64           `json:"spent"`           // since the server began
	Waiting        int             `json:"waiting"`         // calls that wait for it now
	Held           int64           `json:"held"`            // calls that had to wait
	HeldSeconds    float64         `json:"held_seconds"`    // how long, together
	TurnedAway     int64           `json:"turned_away"`     // calls that would have waited too long
	Throttled      int64           `json:"throttled"`       // refusals by Microsoft, 429
	BlockedSeconds float64         `json:"blocked_seconds"` // how long Microsoft still wants us to keep off
	Mailbox        tocsin.PersonID `json:"mailbox"`         // which is nearest
	MailboxName    string          `json:"mailbox_name"`
	Last           *Throttling     `json:"last_throttled"`
}

// Throttling is a refusal by Microsoft, 429.
type Throttling struct {
	At      time.Time `json:"at"`
	Call    string    `json:"call"`
	Seconds float64   `json:"after_seconds"` // that we kept off then
	Why     string    `json:"why"`
}

// Finding is something dangerous, as a list shows it.
type Finding struct {
	ID            string          `json:"id"`
	Rule          string          `json:"rule"`
	Title         string          `json:"title"`
	Severity      tocsin.Severity `json:"severity"`
	Risk          int             `json:"risk"`
	Person        tocsin.PersonID `json:"person"`
	Who           string          `json:"who"`
	Subject       string          `json:"subject"`
	Why           string          `json:"why"`
	Stage         string          `json:"stage"`
	Status        tocsin.Status   `json:"status"`
	Owner         string          `json:"owner"`
	Reason        string          `json:"reason"`
	AcceptedUntil time.Time       `json:"accepted_until,omitzero"`
	FirstSeen     time.Time       `json:"first_seen"`
	LastSeen      time.Time       `json:"last_seen"`
	Count         int             `json:"count"` // times it was seen anew
	Version       int64           `json:"version"`
}

// FindingDetail is a finding with all that explains it.
type FindingDetail struct {
	Finding
	Story        *Story            `json:"story"` // of which it is a part; null where it stands alone
	Cause        string            `json:"cause"`
	Terms        []tocsin.RiskTerm `json:"terms"` // their sum, held to 0..100, is the risk
	Attack       []string          `json:"attack"`
	Actions      []string          `json:"actions"`
	Evidence     []tocsin.Evidence `json:"evidence"`
	History      []FindingChange   `json:"history"`       // newest first
	Detector     *detect.Meta      `json:"detector"`      // the rule that judged, from the catalogue
	Identity     *Identity         `json:"identity"`      // the person, where one is meant
	MailRule     *MailRuleDetail   `json:"mail_rule"`     // the mailbox rule, where the subject is one
	Related      []Finding         `json:"related"`       // others of that person, the worst first
	Acts         []Act             `json:"acts"`          // what can be done about it here
	Done         []Action          `json:"done"`          // what was done on it, or is to be, newest first
	RelatedRules []MailRule        `json:"related_rules"` // for a finding across mailboxes: the rules that send there
	Records      []AuditRecord     `json:"records"`       // audit records that it rests on and that are kept here, oldest first
}

// FindingChange is an entry of a finding's history.
type FindingChange struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`    // an account's e-mail, or "tocsin"
	Change string    `json:"change"` // raised, updated, fixed, reopened, open, in_work, accepted, false_alarm, assigned …
	Note   string    `json:"note"`
}

// Decision is what a person decides of a finding.
type Decision struct {
	Status  tocsin.Status `json:"status" enum:"open,in_work,fixed,accepted,false_alarm" doc:"What it is from now on"`
	Reason  string        `json:"reason,omitempty" maxLength:"2000" doc:"Why; needed for accepted and false_alarm"`
	Until   time.Time     `json:"until,omitzero" doc:"Until when it is accepted; needed for accepted"`
	Owner   *string       `json:"owner,omitempty" maxLength:"320" doc:"Who looks after it; left as it is when absent"`
	Version int64         `json:"version" minimum:"1" doc:"The version that was looked at"`
}

// Assignment says who looks after a finding.
type Assignment struct {
	Owner   string `json:"owner" maxLength:"320" doc:"An account's e-mail address; empty for nobody"`
	Version int64  `json:"version" minimum:"1" doc:"The version that was looked at"`
}

// MailRule is an inbox rule of a mailbox, as a list shows it.
type MailRule struct {
	Person    tocsin.PersonID `json:"person"`
	Who       string          `json:"who"` // the mailbox's address
	Name      string          `json:"person_name"`
	ID        string          `json:"id"`
	Rule      tocsin.MailRule `json:"rule"`
	Summary   string          `json:"summary"` // what it does, in a sentence
	Outside   bool            `json:"outside"` // sends outside
	Hides     bool            `json:"hides"`   // deletes everything or what it sends on, or is judged to hide mail
	Targets   []Target        `json:"targets"`
	Risk      int             `json:"risk"`     // the highest of what is said against it
	Severity  tocsin.Severity `json:"severity"` // of that risk; empty for 0
	FirstSeen time.Time       `json:"first_seen,omitzero"`
	Changed   time.Time       `json:"changed,omitzero"`
	Seen      time.Time       `json:"seen,omitzero"`
	Deleted   time.Time       `json:"deleted,omitzero"`
}

// Target is an address that a rule sends to.
type Target struct {
	Address string `json:"address"`
	Name    string `json:"name"`
	Verb    string `json:"verb"` // forward, redirect, attach
	Outside bool   `json:"outside"`
}

// MailRuleDetail is a rule with its history and its findings.
type MailRuleDetail struct {
	MailRule
	Raw      json.RawMessage `json:"raw"`     // as Microsoft gave it
	Lines    []Line          `json:"lines"`   // what it says, a line per property
	History  []RuleChange    `json:"history"` // newest first
	Findings []Finding       `json:"findings"`
	Acts     []Act           `json:"acts"` // what can be done about it here
}

// Line is a property of a rule in words.
type Line struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// RuleChange is one change of a rule, with what differs.
type RuleChange struct {
	ID     string     `json:"id"`
	At     time.Time  `json:"at"`
	Change string     `json:"change"` // found (at the first look), created, updated, deleted
	Action string     `json:"action"` // of ours that did it; empty where it was somebody else
	Diff   []DiffLine `json:"diff"`
}

// DiffLine is a property before and after. Mark is "same", "added", "removed" or "changed".
type DiffLine struct {
	Label  string `json:"label"`
	Before string `json:"before"`
	After  string `json:"after"`
	Mark   string `json:"mark"`
}

// Mailbox is a person's mailbox as far as it is read, or why it is not.
type Mailbox struct {
	Person       tocsin.PersonID `json:"person"`
	Name         string          `json:"name"`
	Address      string          `json:"address"`
	Kind         string          `json:"kind"`    // the person's: member, guest
	State        string          `json:"state"`   // of the mailbox: see MailboxStates
	Because      string          `json:"because"` // why it is not read
	Read         bool            `json:"read"`    // its rules were read at least once, and can be
	Purpose      string          `json:"purpose"` // user, shared, room, equipment, linked, others
	TimeZone     string          `json:"timezone"`
	Language     string          `json:"language"`
	SignIn       *bool           `json:"sign_in"` // whether its account may sign in
	RulesCount   int             `json:"rules_count"`
	RulesSeen    time.Time       `json:"rules_seen,omitzero"`
	SettingsSeen time.Time       `json:"settings_seen,omitzero"`
	Open         Severities      `json:"open"`
	Risk         int             `json:"risk"`
	Forwarding   *Verdict        `json:"forwarding"` // what all sources together say of it
	Delegation   *Verdict        `json:"delegation"`
}

// MailboxDetail is a mailbox with its rules and findings.
type MailboxDetail struct {
	Mailbox
	AutoReply *tocsin.AutoReply        `json:"auto_reply"`
	Folders   map[string]tocsin.Folder `json:"folders"`
	Rules     []MailRule               `json:"rules"`
	Deleted   []MailRule               `json:"deleted_rules"`
	OpenedBy  []Delegation             `json:"opened_by"` // the rights of others over it, at most 200
	MayOpen   []Delegation             `json:"may_open"`  // the person's rights over others' mailboxes, at most 200
	Findings  []Finding                `json:"findings"`
	Seen      Watched                  `json:"seen"` // which way its mail is seen
}

// Identity is a person of the directory, as a list shows it.
type Identity struct {
	Person     tocsin.PersonID `json:"person"`
	ObjectID   string          `json:"object_id"` // Entra's own id
	Name       string          `json:"name"`
	UPN        string          `json:"upn"`
	Mail       string          `json:"mail"`
	Kind       string          `json:"kind"`
	Enabled    *bool           `json:"enabled"`
	Synced     *bool           `json:"synced"`
	Licensed   *bool           `json:"licensed"`
	Department string          `json:"department"`
	Title      string          `json:"title"`
	Created    time.Time       `json:"created,omitzero"`
	Deleted    time.Time       `json:"deleted,omitzero"`
	Mailbox    string          `json:"mailbox"`         // its state
	Because    string          `json:"mailbox_because"` // why it is not read
	Roles      []string        `json:"roles"`           // directory roles that they have, also by a group, by name
	Eligible   []string        `json:"eligible_roles"`  // that they may take, and do not have
	Rules      int             `json:"rules"`
	Manager    *PersonRef      `json:"manager"`               // null where none is told
	LastSignIn time.Time       `json:"last_sign_in,omitzero"` // as the directory tells it; zero where that is not known
	MFA        *bool           `json:"mfa_registered"`        // has registered a second factor; null where that is not known
	MFACapable *bool           `json:"mfa_capable"`           // and may use it
	Protection *Protection     `json:"protection"`            // what Microsoft's Identity Protection says; null where it says nothing
	Open       Severities      `json:"open"`
	Risk       int             `json:"risk"` // 0 to 100: what their stories and open findings weigh, decayed, and what is on top of it
}

// PersonRef is another person of the directory.
type PersonRef struct {
	Person tocsin.PersonID `json:"person"`
	Name   string          `json:"name"`
}

// Protection is what Microsoft's Identity Protection says of a person.
type Protection struct {
	Level  string    `json:"level"`  // low, medium, high, hidden (needs Entra ID P2) or none
	State  string    `json:"state"`  // at_risk, confirmed, remediated, dismissed, safe or none
	Detail string    `json:"detail"` // Microsoft's word for why
	At     time.Time `json:"at"`     // when that changed last
}

// IdentityDetail is all that is known of a person.
type IdentityDetail struct {
	Identity
	Addresses []string        `json:"addresses"`
	Directory []DirectoryRole `json:"directory_roles"`
	MailboxOf *Mailbox        `json:"mailbox_detail"`
	OpenedBy  []Delegation    `json:"opened_by"`  // the rights of others over the mailbox, at most 200
	MayOpen   []Delegation    `json:"may_open"`   // rights over others' mailboxes, at most 200
	MailRules []MailRule      `json:"mail_rules"` // those there, then those deleted, newest first
	Findings  []Finding       `json:"findings"`   // all statuses, open first
	RiskOf    IdentityRisk    `json:"risk_detail"`
	Methods   []string        `json:"methods"`  // of signing in, that are registered, in Microsoft's words
	Holdings  []Privilege     `json:"holdings"` // roles held at all times, for a time, by a group, or that may be taken
	Devices   []ManagedDevice `json:"devices"`  // that Intune manages
	Guest     *Guest          `json:"guest"`    // null of who is none
	Groups    []GroupRef      `json:"groups"`   // of those whose members were read
	SignIns   []EntraSignIn   `json:"sign_ins"` // the newest, at most 10
	Places    []PersonPlace   `json:"places"`   // from where they signed in within 30 days, most first, at most 20
	Stories   []Story         `json:"stories"`  // newest first, at most 20
	Timeline  []Event         `json:"timeline"` // newest first, at most 100
	Acts      []Act           `json:"acts"`     // what can be done about the person here
	Done      []Action        `json:"done"`     // what was done to them, or is to be, newest first, at most 20
}

// DirectoryRole is an administrative role that a person holds.
type DirectoryRole struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Template string `json:"template"`
}

// Event is something that happened.
type Event struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Type   string          `json:"type"`   // RULE, EMAIL, FINDING …
	Action string          `json:"action"` // rule_created …
	Person tocsin.PersonID `json:"person"`
	Who    string          `json:"who"` // the person's address
	Name   string          `json:"name"`
	What   string          `json:"what"`                // a phrase
	Rule   string          `json:"rule,omitempty"`      // of a change of a rule: its id
	RuleIs string          `json:"rule_name,omitempty"` // and its name, after the change
	Body   json.RawMessage `json:"body"`                // the event in its outward form
}

// Detection is an entry of the catalogue: what is looked for. Kind is check, sweep or event.
type Detection struct {
	detect.Meta
	Kind string `json:"kind"`
	Open int    `json:"open"` // findings of it that are open or in work
}

// Exception excuses something from a detection, until it expires.
type Exception struct {
	ID        string       `json:"id"`
	Rule      string       `json:"rule"` // a detection's name, a family, or *
	Scope     detect.Scope `json:"scope"`
	Value     string       `json:"value"`
	Name      string       `json:"name,omitempty"` // of a person: who it is, by address
	Owner     string       `json:"owner"`
	Reason    string       `json:"reason"`
	Expires   time.Time    `json:"expires"`
	Expired   bool         `json:"expired"`
	Created   time.Time    `json:"created"`
	CreatedBy string       `json:"created_by"`
}

// ExceptionNew is what makes an exception.
type ExceptionNew struct {
	Rule    string    `json:"rule" minLength:"1" maxLength:"100" doc:"A detection's name, a family, or * for all"`
	Scope   string    `json:"scope" enum:"person,address,domain,subject" doc:"What value names"`
	Value   string    `json:"value" minLength:"1" maxLength:"320" doc:"A person's id or address, a destination, a destination's domain, or the id of the thing judged"`
	Owner   string    `json:"owner" minLength:"1" maxLength:"320" doc:"Who answers for it"`
	Reason  string    `json:"reason" minLength:"1" maxLength:"2000" doc:"Why it is excused"`
	Expires time.Time `json:"expires" doc:"When it ends; within two years"`
}

// Partner is a domain outside that is trusted as a destination.
type Partner struct {
	Domain  string    `json:"domain"`
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired"`
	Created time.Time `json:"created"`
}

// PartnerNew is what makes a trusted partner.
type PartnerNew struct {
	Domain  string    `json:"domain" minLength:"1" maxLength:"253" doc:"The domain, such as partner.example"`
	Owner   string    `json:"owner" minLength:"1" maxLength:"320" doc:"Who answers for it"`
	Reason  string    `json:"reason" minLength:"1" maxLength:"2000" doc:"Why it is trusted"`
	Expires time.Time `json:"expires" doc:"When the trust ends; within two years"`
}

// Fact is something that changed, in order; what live pages follow. ID is what to give back as Last-Event-ID.
type Fact struct {
	ID      int64           `json:"id"`
	At      time.Time       `json:"at"`
	Kind    string          `json:"kind"` // finding.raised …
	Subject string          `json:"subject"`
	Person  string          `json:"person"`
	Actor   string          `json:"actor"`
	Body    json.RawMessage `json:"body"`
}

// Account is somebody who may sign in.
type Account struct {
	ID       string    `json:"id"`
	Email    string    `json:"email"`
	Name     string    `json:"name"`
	TOTP     bool      `json:"totp"` // asks for a code at sign-in
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created,omitzero"`
	Seen     time.Time `json:"seen,omitzero"`
	Grants   []Grant   `json:"grants"`
}

// Grant is a role in a tenant, or in all of them (*).
type Grant struct {
	Tenant string `json:"tenant"`
	Role   Role   `json:"role"`
}

// AccountNew is what makes an account.
type AccountNew struct {
	Email    string `json:"email" minLength:"3" maxLength:"320" doc:"The address to sign in with"`
	Name     string `json:"name,omitempty" maxLength:"200" doc:"The person's name"`
	Password string `json:"password,omitempty" maxLength:"1000" doc:"At least 12 characters; may be left out where people sign in by an identity provider"`
	Role     Role   `json:"role,omitempty" enum:"owner,admin,analyst,agent,viewer" doc:"A first role; none when absent"`
	On       string `json:"tenant,omitempty" maxLength:"200" doc:"Where the role holds: a tenant's id, or * for all"`
}

// Token is an API token. Secret is given once, by its making.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Account string    `json:"account"` // whose, by e-mail
	Role    Role      `json:"role"`
	Tenant  string    `json:"tenant"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Used    time.Time `json:"used,omitzero"`
	Secret  string    `json:"secret,omitempty"`
}

// TokenNew is what makes a token, which can do no more than its maker can.
type TokenNew struct {
	Name string `json:"name" minLength:"1" maxLength:"200" doc:"What it is for"`
	Role Role   `json:"role" enum:"owner,admin,analyst,agent,viewer" doc:"What it may do at most"`
	On   string `json:"tenant,omitempty" maxLength:"200" doc:"The tenant it is good for; all of its maker's when absent or *"`
	Days int    `json:"days,omitempty" minimum:"0" maximum:"730" doc:"For how many days; 90 when absent"`
}

// Me is the caller.
type Me struct {
	Account Account  `json:"account"`
	By      string   `json:"by"` // session or token
	Grants  []Grant  `json:"grants"`
	Tenants []Tenant `json:"tenants"`
	// Installation is the role on the installation itself (the grant on *); empty for none.
	Installation Role `json:"installation"`
}

// SignedIn is the answer to a sign-in. Where a code is needed, sign in again with the code alone, within five minutes.
type SignedIn struct {
	NeedsCode bool `json:"needs_code"`
	Me        *Me  `json:"me"`
}

// SignIn is what signs in: e-mail and password, with the code where the account asks for one or in a second step.
type SignIn struct {
	Email    string `json:"email,omitempty" maxLength:"320" doc:"The account's address"`
	Password string `json:"password,omitempty" maxLength:"1000" doc:"The account's password"`
	Code     string `json:"code,omitempty" maxLength:"20" doc:"The six digits of the authenticator app"`
}

// Setup claims a new server with its one-time link.
type Setup struct {
	Token    string `json:"token" minLength:"1" maxLength:"200" doc:"The secret of the set-up link"`
	Email    string `json:"email" minLength:"3" maxLength:"320" doc:"The owner's address"`
	Name     string `json:"name,omitempty" maxLength:"200" doc:"The owner's name"`
	Password string `json:"password" minLength:"1" maxLength:"1000" doc:"At least 12 characters"`
}

// SetupState says whether the server waits to be claimed.
type SetupState struct {
	Open bool `json:"open"` // no owner yet
}

// PasswordChange changes the caller's password.
type PasswordChange struct {
	Old string `json:"old" minLength:"1" maxLength:"1000" doc:"The present password"`
	New string `json:"new" minLength:"1" maxLength:"1000" doc:"At least 12 characters"`
}

// Enrolment is a second factor that waits to be confirmed by a first code.
type Enrolment struct {
	Secret string `json:"secret"` // to type in
	URI    string `json:"uri"`    // otpauth://…, for a QR code
	QR     string `json:"qr"`     // the same as a PNG, base64
}

// Code confirms or removes a second factor.
type Code struct {
	Code string `json:"code" minLength:"6" maxLength:"10" doc:"The six digits that the authenticator app shows"`
}
