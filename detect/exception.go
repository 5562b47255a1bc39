package detect

import (
	"strings"
	"time"

	"tocsin.dev"
)

// Exception excuses something from a rule, until it expires. Somebody must own it and give the reason: an exception
// without either excuses nothing.
type Exception struct {
	ID      string    `json:"id,omitempty"`
	Rule    string    `json:"rule"` // a rule's name, a family, or "*"
	Scope   Scope     `json:"scope"`
	Value   string    `json:"value"` // by Scope; "*" is everything of that scope
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// Scope says what an exception's value names.
type Scope string

// The scopes. An address or a domain excuses the person who has it; and as a destination: a rule that also sends
// elsewhere is still judged for that.
const (
	ScopePerson  Scope = "person"  // the person's id or address
	ScopeAddress Scope = "address" // a destination, or a person's address
	ScopeDomain  Scope = "domain"  // of a destination, or of a person
	ScopeSubject Scope = "subject" // the id of the thing judged, such as one inbox rule
	ScopeAll     Scope = "*"       // everything the rule finds
)

func (e *Exception) covers(m *Meta, now time.Time) bool {
	if e.Owner == "" || e.Reason == "" || !e.Expires.IsZero() && !now.Before(e.Expires) {
		return false
	}
	return e.Rule == "*" || e.Rule == m.Name || e.Rule == m.Family
}

func (e *Exception) means(value string) bool {
	return e.Value == "*" || strings.EqualFold(e.Value, value)
}

// For is the organisation as the rule m sees it: destinations excused from m count as trusted.
func (o *Org) For(m *Meta) *Org {
	var seen *Org
	for i := range o.Exceptions {
		e := &o.Exceptions[i]
		if e.Scope != ScopeAddress && e.Scope != ScopeDomain || !e.covers(m, o.Now) {
			continue
		}
		if seen == nil {
			seen = o.copyPartners()
		}
		seen.Partners[strings.ToLower(e.Value)] = true
	}
	if seen == nil {
		return o
	}
	return seen
}

func (o *Org) copyPartners() *Org {
	c := *o
	c.Partners = make(map[string]bool, len(o.Partners)+1)
	for p := range o.Partners {
		c.Partners[p] = true
	}
	return &c
}

// Excused gives the exception that excuses the finding f of rule m for its person, their domain or its subject, or nil.
func (o *Org) Excused(m *Meta, f *tocsin.Finding) *Exception {
	for i := range o.Exceptions {
		if e := &o.Exceptions[i]; e.excuses(f) && e.covers(m, o.Now) {
			return e
		}
	}
	return nil
}

func (e *Exception) excuses(f *tocsin.Finding) bool {
	switch e.Scope {
	case ScopePerson:
		return e.means(string(f.Person)) || e.means(f.Who)
	case ScopeSubject:
		return e.means(f.Subject)
	case ScopeAddress:
		return e.means(f.Who)
	case ScopeDomain:
		return e.means(tocsin.Address{Address: f.Who}.Domain())
	case ScopeAll:
		return true
	}
	return false
}

// Unexcused is fs without what is excused from m.
func (o *Org) Unexcused(m *Meta, fs []tocsin.Finding) []tocsin.Finding {
	if len(o.Exceptions) == 0 {
		return fs
	}
	kept := fs[:0]
	for i := range fs {
		if o.Excused(m, &fs[i]) == nil {
			kept = append(kept, fs[i])
		}
	}
	return kept
}
