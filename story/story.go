package story

import (
	"time"

	"tocsin.dev"
)

// Story is who is there, what they do and what must come of it.
type Story struct {
	Name    string // the file's
	Title   string
	World   []Decl
	Acts    []Act // in the order of time
	Expects []Expect
	Silent  bool     // nothing may be found
	Quiet   []string // these rules must find nothing
}

// Decl is one declaration: someone or something that is there.
type Decl struct {
	Line    int
	Kind    Kind
	Name    string   // a person's short name; a domain; the rule of an exception
	Title   string   // the name shown; the reason of an exception
	Address string   // of a person, group or contact; the value of an exception
	Members []string // addresses: a group's members, a contact's target
	Flags   []Flag   // of a person

	Scope string        // of an exception
	Owner string        // of an exception
	Until time.Duration // of an exception, as Act.At; 0: for ever
}

// Kind is what a declaration declares.
type Kind string

// The kinds of declarations.
const (
	Domain    Kind = "domain"
	Partner   Kind = "partner"
	Person    Kind = "person"
	Group     Kind = "group"
	Contact   Kind = "contact"
	Exception Kind = "exception"
)

// Flag is what a person is besides.
type Flag string

// The flags of a person.
const (
	Shared   Flag = "shared"   // a shared mailbox
	Guest    Flag = "guest"    // of another organisation
	Admin    Flag = "admin"    // holds an administrator's role
	Blocked  Flag = "blocked"  // cannot sign in
	Newcomer Flag = "newcomer" // the account was just made
)

// Has says whether the declaration bears the flag f.
func (d *Decl) Has(f Flag) bool {
	for _, g := range d.Flags {
		if g == f {
			return true
		}
	}
	return false
}

// Act is one thing done.
type Act struct {
	Line     int
	At       time.Duration // since Monday 00:00 of the story's first week
	Who      string        // a person's short name, or an address or name that is not declared
	Verb     Verb
	Args     map[string]string
	Folder   *tocsin.Folder       // of MovesMail
	Rule     *tocsin.MailRule     // of MakesRule and ChangesRule, addresses filled in; it has no id
	Params   map[string]string    // KEY=VALUE of Runs, Audits and SignsIn
	Modified map[string][2]string // KEY=OLD becoming NEW of Runs and Audits
}

// Verb is what is done.
type Verb string

// The verbs, and what stands in Args.
const (
	MakesRule      Verb = "makes rule"            // name
	ChangesRule    Verb = "changes rule"          // name
	DeletesRule    Verb = "deletes rule"          // name
	DisablesRule   Verb = "disables rule"         // name
	EnablesRule    Verb = "enables rule"          // name
	SetsAutoReply  Verb = "sets automatic reply"  // text
	StopsAutoReply Verb = "stops automatic reply" //
	SignsIn        Verb = "signs in"              // ip, country, city (of Places), app, agent, result ("failure" where it failed); Params
	Receives       Verb = "receives"              // from; subject, text, link, attaching
	Sends          Verb = "sends"                 // to (addresses joined by a comma); the same
	DraftsMail     Verb = "drafts mail"           // to; the same
	SendsDraft     Verb = "sends draft"           // mail: the subject of the newest that is meant, as in all below
	ReadsMail      Verb = "reads mail"            // mail
	UnreadsMail    Verb = "unreads mail"          // mail
	FlagsMail      Verb = "flags mail"            // mail
	UnflagsMail    Verb = "unflags mail"          // mail
	SortsMail      Verb = "categorises mail"      // mail, category
	MovesMail      Verb = "moves mail"            // mail; Folder
	DeletesMail    Verb = "deletes mail"          // mail
	PurgesMail     Verb = "purges mail"           // mail
	RepliesTo      Verb = "replies to mail"       // mail, all ("yes" where everybody gets it)
	ForwardsMail   Verb = "forwards mail"         // mail, to
	IsBlocked      Verb = "is blocked"            //
	IsUnblocked    Verb = "is unblocked"          //
	BecomesShared  Verb = "becomes shared"        //
	Runs           Verb = "runs"                  // operation, ip, country, as, on, target, workload, result, app, agent
	Audits         Verb = "audits"                // the same
)

// Expect is a finding that must come of the story.
type Expect struct {
	Line int
	Rule string
	Who  string // a person's short name, an address, or another object
	Risk int    // at least; 0: any
	Says string // a part of its why
}

// Address is the address of the person called name, or name itself where nobody is.
func (s *Story) Address(name string) string {
	for i := range s.World {
		if d := &s.World[i]; d.Kind == Person && d.Name == name {
			return d.Address
		}
	}
	return name
}

// Domains are the names declared of the kind Domain or Partner.
func (s *Story) Domains(k Kind) []string {
	var out []string
	for i := range s.World {
		if s.World[i].Kind == k {
			out = append(out, s.World[i].Name)
		}
	}
	return out
}
