package detect

import (
	"strings"
	"time"

	"tocsin.dev"
)

// Org is what a rule knows of the organisation it judges in.
type Org struct {
	Tenant     tocsin.TenantID
	Domains    map[string]bool // accepted domains in lower case; "*.contoso.com" where subdomains are accepted too; empty: not known
	Partners   map[string]bool // trusted partner domains, or whole addresses, in lower case
	Lookup     func(addr string) Known
	Exceptions []Exception
	Networks   Networks // that the organisation told of
	// Spared gives the enforced conditional access policies that leave a group out, by the group's id or name; nil: not known.
	Spared func(group string) []string
	Now    time.Time // when it is judged: an exception that has expired by then excuses nothing
}

// Known is what the directory says of an address.
type Known struct {
	Kind    Kind
	Person  tocsin.PersonID // of a person
	Address string          // the main address
	Name    string
	Blocked bool      // the account cannot sign in
	Admin   bool      // has a role of the directory, or may take one
	Created time.Time // zero where it is not known
	// Outside is the addresses outside that mail to this one reaches: members of a group, the target of a contact.
	Outside []string
	// Partial says that Outside is not all: the members were not read, or not to the end.
	Partial bool
}

// Kind is what an address belongs to.
type Kind string

// The kinds of what stands behind an address. The empty one is: nothing the directory told us of.
const (
	Unlisted Kind = ""
	Person   Kind = "person"
	Guest    Kind = "guest"
	Group    Kind = "group"
	Contact  Kind = "contact"
)

// Place says on which side of the organisation an address lies.
type Place string

// The places. Unknown is never inside: without the accepted domains nobody can tell.
const (
	Inside  Place = "inside"
	Partner Place = "partner" // trusted, by a setting or an exception
	Outside Place = "outside"
	Unknown Place = "unknown"
)

// Place says where mail to a goes by its domain alone. Accepted domains match whole, as in Exchange: a subdomain is
// inside only where it is accepted itself, or by "*." before its parent (MatchSubDomains).
// See https://learn.microsoft.com/exchange/mail-flow-best-practices/manage-accepted-domains/manage-accepted-domains.
func (o *Org) Place(a tocsin.Address) Place {
	domain := a.Domain()
	switch {
	case domain == "": // an Exchange legacy name (/o=…/cn=…) or a bare alias: only the directory can tell
		return Unknown
	case o.Domains[domain] || o.under(domain):
		return Inside
	case o.Partners[domain] || o.Partners[a.Canonical()]:
		return Partner
	case len(o.Domains) == 0:
		return Unknown
	}
	return Outside
}

func (o *Org) under(domain string) bool {
	for i := strings.IndexByte(domain, '.'); i >= 0; {
		domain = domain[i+1:]
		if o.Domains["*."+domain] {
			return true
		}
		i = strings.IndexByte(domain, '.')
	}
	return false
}

// Outside says whether a is known to be outside: no accepted domain, no trusted partner. Where the accepted domains
// are not known it is false; ask Place, which tells that from inside.
func (o *Org) Outside(a tocsin.Address) bool { return o.Place(a) == Outside }

// Find asks the directory for an address.
func (o *Org) Find(addr string) Known {
	if o.Lookup == nil {
		return Known{}
	}
	return o.Lookup(tocsin.CanonicalAddress(addr))
}
