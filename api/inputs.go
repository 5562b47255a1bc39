package api

import (
	"time"

	"tocsin.dev"
)

// The inputs of operations. A field's tag says where it comes from in REST: path, query, header, or the body as Body.
// On the command line those of the path are arguments (the tenant is --tenant), the others are flags.

// In is the input of an operation on a tenant.
type In struct {
	Tenant tocsin.TenantID `path:"tenant" minLength:"1" maxLength:"100" doc:"The tenant's id"`
}

// Paging asks for a piece of a list.
type Paging struct {
	Limit int    `query:"limit" minimum:"0" maximum:"200" doc:"How many at most; 50 when absent"`
	After string `query:"after" maxLength:"1000" doc:"The next of the piece before"`
}

// Key makes an act safe to repeat: the same key from the same account gives the first answer again, for a day.
type Key struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"The same key gives the first answer again, for a day"`
}

// NoInput is the input of an operation that needs none.
type NoInput struct{}

// ListIn lists what a tenant has.
type ListIn struct {
	In
	Paging
}

// TenantsIn lists tenants.
type TenantsIn struct {
	Paging
}

// ByID names one thing of a tenant.
type ByID struct {
	In
	ID string `path:"id" minLength:"1" maxLength:"500" doc:"Its id"`
}

// ByPerson names one person of a tenant.
type ByPerson struct {
	In
	Person tocsin.PersonID `path:"person" minLength:"1" maxLength:"320" doc:"The person's id, or address"`
}

// ByIDAct acts on one thing of a tenant.
type ByIDAct struct {
	ByID
	Key
}

// CreateConnectionIn makes a connection.
type CreateConnectionIn struct {
	Key
	Body ConnectionNew
}

// FindingsIn filters and sorts findings. Without a status those open and in work are meant.
type FindingsIn struct {
	In
	Paging
	Status   []tocsin.Status   `query:"status" enum:"open,in_work,fixed,accepted,false_alarm,all" doc:"Only of these statuses; open and in_work when absent"`
	Severity []tocsin.Severity `query:"severity" enum:"info,low,medium,high,critical" doc:"Only of these severities"`
	Rule     string            `query:"rule" maxLength:"100" doc:"Only of this detection"`
	Person   tocsin.PersonID   `query:"person" maxLength:"100" doc:"Only of this person"`
	Owner    string            `query:"owner" maxLength:"320" doc:"Only those that this account looks after; none for those nobody does"`
	Q        string            `query:"q" maxLength:"200" doc:"Only with this in the title, the reason or the address"`
	Sort     string            `query:"sort" enum:"severity,newest,risk" doc:"severity (then risk, then newest) when absent"`
}

// DecideIn decides a finding.
type DecideIn struct {
	ByIDAct
	Body Decision
}

// AssignIn assigns a finding.
type AssignIn struct {
	ByIDAct
	Body Assignment
}

// RulesIn filters mailbox rules. Sorted by the risk that each has by itself, the highest first.
type RulesIn struct {
	In
	Paging
	Sends       bool            `query:"sends" doc:"Only those that forward or redirect"`
	Outside     bool            `query:"outside" doc:"Only those that send outside"`
	Hides       bool            `query:"hides" doc:"Only those that delete everything or what they send on, or of which an open finding says that they hide mail"`
	Deleted     bool            `query:"deleted" doc:"Those that are no longer there, instead of those that are"`
	Person      tocsin.PersonID `query:"person" maxLength:"100" doc:"Only of this person's mailbox"`
	Destination string          `query:"destination" maxLength:"320" doc:"Only those that send to this address"`
	Q           string          `query:"q" maxLength:"200" doc:"Only with this in the rule's name or what it does, or the mailbox's name or address"`
}

// RuleIn names one rule of a mailbox.
type RuleIn struct {
	ByPerson
	ID string `path:"id" minLength:"1" maxLength:"500" doc:"The rule's id"`
}

// DelegationsIn filters rights over mailboxes. Sorted by risk, the highest first.
type DelegationsIn struct {
	In
	Paging
	Owner   tocsin.PersonID `query:"owner" maxLength:"320" doc:"Only over this person's mailbox (id or address)"`
	Trustee string          `query:"trustee" maxLength:"320" doc:"Only of this trustee: a person's id or address, or as the list names them"`
	Right   string          `query:"right" enum:"full_access,send_as,send_on_behalf,folder" doc:"Only this right"`
	Risky   bool            `query:"risky" doc:"Only what speaks against itself: somebody outside, a guest, everybody, a blocked or new account, or with a finding"`
	Q       string          `query:"q" maxLength:"200" doc:"Only with this in a name or address of either, or in the folder's name"`
}

// ForwardingIn filters ways by which mail goes on. Sorted by risk, the highest first.
type ForwardingIn struct {
	In
	Paging
	Kind    string          `query:"kind" enum:"rule,mailbox,transport,auto_reply" doc:"Only of this kind; transport is journals too"`
	Person  tocsin.PersonID `query:"person" maxLength:"100" doc:"Only of this person's mailbox"`
	Outside bool            `query:"outside" doc:"Only what leads outside, or where nobody can place it"`
	Q       string          `query:"q" maxLength:"200" doc:"Only with this in the mailbox's name or address, or the destination"`
}

// MailboxesIn filters mailboxes. Sorted by address, or by the risk of their open findings.
type MailboxesIn struct {
	In
	Paging
	Read    string `query:"read" enum:"yes,no" doc:"Only those that are read, or are not"`
	State   string `query:"state" maxLength:"50" doc:"Only those in this state; none: people who have no mailbox"`
	Boxes   bool   `query:"boxes" doc:"Leave out people who have no mailbox"`
	Purpose string `query:"purpose" maxLength:"50" doc:"Only of this purpose: user, shared, room, equipment …"`
	Q       string `query:"q" maxLength:"200" doc:"Only with this in the name or an address"`
	Sort    string `query:"sort" enum:"name,risk,riskiest" doc:"name (the address) when absent; risk lists only those with open findings, riskiest lists these before the others"`
}

// IdentitiesIn filters people.
type IdentitiesIn struct {
	In
	Paging
	Q       string `query:"q" maxLength:"200" doc:"Only with this in the name or an address"`
	Kind    string `query:"kind" maxLength:"50" doc:"member or guest"`
	Role    string `query:"role" maxLength:"200" doc:"Only those who have this directory role, or may take it, directly or by a group (id or name); any for any"`
	Risk    string `query:"risk" enum:"low,medium,high,critical" doc:"Only those whose risk is of this level or above"`
	NoMFA   bool   `query:"no_mfa" doc:"Only those of whom it is known that they have registered no second factor"`
	Mailbox string `query:"mailbox" maxLength:"50" doc:"Only those whose mailbox is in this state"`
	Deleted bool   `query:"deleted" doc:"Also those who are gone"`
	Sort    string `query:"sort" enum:"name,risk,riskiest" doc:"name when absent; risk lists only those at risk, riskiest lists these before the others"`
}

// EventsIn filters events. Newest first.
type EventsIn struct {
	In
	Paging
	Person tocsin.PersonID `query:"person" maxLength:"100" doc:"Only of this person"`
	Type   string          `query:"type" maxLength:"50" doc:"Only of this type: RULE, EMAIL …"`
	Action string          `query:"action" maxLength:"50" doc:"Only this: email_received, rule_created …"`
	Since  time.Time       `query:"since" doc:"Not before this time"`
	Until  time.Time       `query:"until" doc:"Before this time"`
	// What follows is of mail only, and looked for in at most 20,000 events at once, for a moment, as actions of mail are: a piece may be short and yet not the last.
	From    string `query:"from" enum:"inside,outside" doc:"Only mail that was written by somebody inside, or outside"`
	Domain  string `query:"domain" maxLength:"253" doc:"Only mail from or to this domain"`
	Mailbox string `query:"mailbox" maxLength:"320" doc:"Only in mailboxes with this in their address"`
	Q       string `query:"q" maxLength:"320" doc:"Only mail with this in the writer's or the mailbox's address"`
}

// GroupsIn filters groups.
type GroupsIn struct {
	In
	Paging
	Q          string `query:"q" maxLength:"200" doc:"Only with this in the name or address"`
	Kind       string `query:"kind" enum:"microsoft365,security,mail_security,distribution" doc:"Only of this kind"`
	Outside    bool   `query:"outside" doc:"Only those with guests or members outside, as far as members were read"`
	Dynamic    bool   `query:"dynamic" doc:"Only those whose members a rule says"`
	Public     bool   `query:"public" doc:"Only those that everybody inside may join and read"`
	Assignable bool   `query:"assignable" doc:"Only those that may be given roles"`
	Grants     bool   `query:"grants" doc:"Only those that have roles, or that conditional access names"`
	Failing    bool   `query:"failing" doc:"Only those that fail a check"`
	Sort       string `query:"sort" enum:"name,members,meaning" doc:"name when absent; members: the largest first; meaning: those with roles, policies and failed checks first"`
}

// ExceptionsIn filters exceptions. The last made first.
type ExceptionsIn struct {
	In
	Paging
	Expired bool `query:"expired" doc:"Also those that have ended"`
}

// CreateExceptionIn makes an exception.
type CreateExceptionIn struct {
	In
	Key
	Body ExceptionNew
}

// CreatePartnerIn makes a partner, or renews one.
type CreatePartnerIn struct {
	In
	Key
	Body PartnerNew
}

// PartnerIn names a partner.
type PartnerIn struct {
	In
	Key
	Domain string `path:"domain" minLength:"1" maxLength:"253" doc:"The partner's domain"`
}

// FactsIn follows a tenant's facts. Without after or Last-Event-ID it begins with what comes from now on.
type FactsIn struct {
	Tenant tocsin.TenantID `query:"tenant" required:"true" minLength:"1" maxLength:"100" doc:"The tenant's id"`
	After  string          `query:"after" maxLength:"20" doc:"Begin after the fact with this id; 0 for all that are kept"`
	Last   string          `header:"Last-Event-ID" maxLength:"20" doc:"The id of the last fact that came"`
}

// AccountsIn lists accounts. Sorted by e-mail.
type AccountsIn struct {
	Paging
	Q string `query:"q" maxLength:"200" doc:"Only with this in the name or address"`
}

// CreateAccountIn makes an account.
type CreateAccountIn struct {
	Body AccountNew
}

// AccountIn names an account.
type AccountIn struct {
	ID string `path:"id" minLength:"1" maxLength:"320" doc:"The account's id, or e-mail address"`
}

// GrantIn gives an account a role in a tenant, in place of the one it has there.
type GrantIn struct {
	AccountIn
	Body GrantNew
}

// GrantNew is a role to give.
type GrantNew struct {
	On   string `json:"tenant" minLength:"1" maxLength:"200" doc:"A tenant's id, or * for all"`
	Role Role   `json:"role" enum:"owner,admin,analyst,agent,viewer" doc:"The role"`
}

// RevokeIn takes an account's role in a tenant away.
type RevokeIn struct {
	AccountIn
	On string `path:"on" minLength:"1" maxLength:"200" doc:"A tenant's id, or * for the grant on all"`
}

// TokensIn lists API tokens: the caller's own; an owner of the installation may ask for all.
type TokensIn struct {
	Paging
	All bool `query:"all" doc:"Everybody's (owners only)"`
}

// CreateTokenIn makes an API token.
type CreateTokenIn struct {
	Body TokenNew
}

// TokenIn names an API token.
type TokenIn struct {
	ID string `path:"id" minLength:"1" maxLength:"100" doc:"The token's id"`
}

// SignInIn signs in.
type SignInIn struct {
	Body SignIn
}

// SetupIn claims a new server.
type SetupIn struct {
	Body Setup
}

// PasswordIn changes the caller's password.
type PasswordIn struct {
	Body PasswordChange
}

// CodeIn confirms or removes a second factor.
type CodeIn struct {
	Body Code
}

// ResetIn gives an account another password.
type ResetIn struct {
	AccountIn
	Body Reset
}

// Reset is the password to give.
type Reset struct {
	Password string `json:"password" minLength:"1" maxLength:"1000" doc:"At least 12 characters"`
}

// limit is how many are asked for.
func (p Paging) limit() int {
	if p.Limit <= 0 {
		return 50
	}
	return min(p.Limit, 200)
}

// ChecksIn filters what the checks of the tenant's settings came to. Sorted by area, the gravest first.
type ChecksIn struct {
	In
	Paging
	Area      string `query:"area" maxLength:"60" doc:"Only of this area, such as conditional access"`
	Status    string `query:"status" enum:"pass,fail,unknown,excepted" doc:"Only with this result"`
	Framework string `query:"framework" enum:"scuba,cis,eidsca" doc:"Only those that this benchmark asks as well"`
}

// TrendIn is of which checks the trend is asked.
type TrendIn struct {
	In
	Paging
	Area      string `query:"area" maxLength:"60" doc:"Only of this area, such as conditional access"`
	Framework string `query:"framework" enum:"scuba,cis,eidsca" doc:"Only those that this benchmark asks as well"`
}

// AccessIn is a sign-in to ask conditional access about. What is not told may be anything.
type AccessIn struct {
	In
	Person     tocsin.PersonID `query:"person" minLength:"1" maxLength:"320" doc:"Who: a person's id or address"`
	App        string          `query:"app" maxLength:"100" doc:"To which application: its id; none is one that no policy names"`
	Client     string          `query:"client" enum:"browser,mobileAppsAndDesktopClients,exchangeActiveSync,other" doc:"By which kind of client"`
	Platform   string          `query:"platform" enum:"windows,macOS,iOS,android,linux" doc:"On which system"`
	Place      string          `query:"place" maxLength:"100" doc:"From where: a named location's id, trusted, or elsewhere"`
	SignInRisk string          `query:"sign_in_risk" enum:"none,low,medium,high" doc:"How risky the sign-in is"`
	UserRisk   string          `query:"user_risk" enum:"none,low,medium,high" doc:"How risky the person is"`
}
