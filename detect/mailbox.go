package detect

import (
	"time"

	"tocsin.dev"
)

// Mailbox is the state of one mailbox.
type Mailbox struct {
	Person    tocsin.PersonID
	Address   string // the main address
	Name      string
	Purpose   string // user, shared, room, equipment …; empty where it is not known
	SignIn    *bool  // whether the account can sign in; nil where it is not known
	Rules     []Rule // also those deleted not long ago
	AutoReply *tocsin.AutoReply
	Title     string          // of the person, such as Chief Financial Officer
	Settings  map[string]Told // what is set on the mailbox: ForwardingSMTP …; what no source told is not there
	Grants    []Grant         // the rights of others over it
}

// Rule is an inbox rule with what is known of its life.
type Rule struct {
	tocsin.MailRule
	FirstSeen time.Time        // zero: it was there when we first looked, or that is not known
	Changed   time.Time        // when it was last changed
	Before    *tocsin.MailRule // as it was before that change; nil where there was none
	DeletedAt time.Time        // zero while it exists
	// Setting is not empty where it is no rule but forwarding set on the mailbox itself, which sends every mail on: the name of
	// what sets it.
	Setting string
}

// Deleted says whether the rule is gone.
func (r *Rule) Deleted() bool { return !r.DeletedAt.IsZero() }

// At is when the rule became what it is: changed, else first seen, else otherwise.
func (r *Rule) At(otherwise time.Time) time.Time {
	switch {
	case !r.Changed.IsZero():
		return r.Changed
	case !r.FirstSeen.IsZero():
		return r.FirstSeen
	}
	return otherwise
}

// Blocked says whether the account is known to be unable to sign in.
func (m *Mailbox) Blocked() bool { return m.SignIn != nil && !*m.SignIn }
