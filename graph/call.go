package graph

import "fmt"

// Kind says whose limits a call falls under.
type Kind int

// The kinds of calls.
const (
	Other          Kind = iota // only the limit of the whole app
	Mailbox                    // the mailbox's own: requests in ten minutes, at once, bytes sent
	Directory                  // resource units of the tenant, and changes of it
	Report                     // sign-ins, directory audits: 5 in 10 seconds
	Protection                 // Identity Protection and Conditional Access: 1 a second for all apps
	Intune                     // devices: 2,000 in 20 seconds, 200 changes
	Subscriptions              // /subscriptions: 5,000 in 20 seconds
	Trace                      // message traces: 100 in 5 minutes
	Activity                   // Management Activity API, another service than Graph: 2,000 a minute
	Administration             // Exchange's administration, another service too: Microsoft publishes nothing, we keep to a few a second
	kinds
)

func (k Kind) String() string {
	return [...]string{"other", "mailbox", "directory", "reports", "protection", "intune", "subscriptions", "trace", "activity", "exchange administration"}[k]
}

// Call is one request Tocsin can make.
type Call struct {
	Name        string
	Method      string
	Service     Service  // whose address and token; empty is Graph
	Path        string   // after /v1.0, with {placeholders}; {user} is the mailbox whose limits count
	Permissions []string // application permissions, any one of which is enough, the least first
	Scopes      []string // delegated ones, for who signs in by [Config.Delegated]: any one of which is enough, the least first; none: not for them
	Docs        string   // Microsoft's page
	Select      []string // the only fields ever asked for
	Expand      string
	Options     []string // query options that a caller may set, besides those set here
	Top         int      // $top: elements on a page
	PageSize    int      // Prefer: odata.maxpagesize, where $top would end a delta round early
	Beta        bool
	Reads       bool // a POST that changes nothing, so that it may be sent twice
	Content     bool // it reads subjects, texts, attachments, contacts or calendars: refused where there shall be metadata only
	Raw         bool // its answer is bytes and not JSON: [Client.Get] takes them into a *[]byte
	Kind        Kind
	Cost        int    // resource units before $select takes one off, for Directory; 0 is 1
	Why         string // what we want with it
}

// Units is what the call costs of the tenant's resource units.
// https://learn.microsoft.com/graph/throttling-limits: $select takes one off, $expand adds one, at least one.
func (c Call) Units() int {
	n := max(c.Cost, 1)
	if len(c.Select) > 0 {
		n--
	}
	if c.Expand != "" {
		n++
	}
	return max(n, 1)
}

// Find is the call of that name. It panics when there is none: names are written in code, and each is in [Calls].
func Find(name string) Call {
	t, ok := byName[name]
	if !ok {
		panic(fmt.Sprintf("graph: no call is named %q: see graph/calls.go", name))
	}
	return t.call
}

var byName = func() map[string]*template {
	m := make(map[string]*template, len(Calls))
	for _, c := range Calls {
		m[c.Name] = newTemplate(c)
	}
	return m
}()
