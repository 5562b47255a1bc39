package investigate

import (
	"strings"
	"time"

	"tocsin.dev"
)

// The triggers of an investigation.
const (
	Once     = "once"     // what is there now
	Standing = "standing" // and what comes, until it expires
	Schedule = "schedule" // what is there, every so often, until it expires
)

// The depths of a search.
const (
	Whole = "whole" // every message that may match is read
	Index = "index" // what Exchange's index gives, and no more
)

// The states of an investigation.
const (
	Draft    = "draft"
	Running  = "running"
	Stopped  = "stopped"
	Finished = "finished"
	Expired  = "expired"
)

// The states of a mailbox in a run.
const (
	Waiting    = "waiting"
	Searched   = "searched"
	Incomplete = "incomplete"   // because
	OutOfScope = "out_of_scope" // because
)

// The states of a match.
const (
	Found    = "found"
	Dealt    = "dealt" // an act was asked for
	Acted    = "acted"
	Restored = "restored"
	Gone     = "gone"
)

// Scope is whose mailboxes are searched: those that any of its lists names, all where every list is empty. What the connection authorises
// bounds it in any case.
type Scope struct {
	People      []string `json:"people,omitempty" doc:"People, by id or address"`
	Groups      []string `json:"groups,omitempty" doc:"Groups, by id or address: their members, at every depth"`
	Departments []string `json:"departments,omitempty" doc:"Departments, as the directory has them"`
	Domains     []string `json:"domains,omitempty" doc:"Domains of the mailboxes' addresses"`
}

// All says whether no list narrows it.
func (s Scope) All() bool {
	return len(s.People)+len(s.Groups)+len(s.Departments)+len(s.Domains) == 0
}

// sound trims what a person typed, and says what is wrong with it.
func (s *Scope) sound() error {
	for _, list := range []*[]string{&s.People, &s.Groups, &s.Departments, &s.Domains} {
		if len(*list) > 1000 {
			return tocsin.Problemf(tocsin.Invalid, "Name a group, a department or a domain instead.", "A list of the scope names more than 1,000.")
		}
		var out []string
		for _, v := range *list {
			if v = strings.TrimSpace(v); v != "" {
				out = append(out, v)
			}
		}
		*list = out
	}
	for i, d := range s.Domains {
		s.Domains[i] = strings.ToLower(strings.TrimPrefix(d, "@"))
	}
	return nil
}

// Then is what is done with each match by itself; nothing where Kind is empty.
type Then struct {
	Kind   string `json:"kind,omitempty" doc:"warn, quarantine, junk or soft_delete; nothing where it is empty"`
	Notice bool   `json:"notice,omitempty" doc:"With warn: a notice in the mailbox too"`
}

// thens are the kinds that may happen by themselves: what cannot be undone may not.
var thens = []string{"", "warn", "quarantine", "junk", "soft_delete"}

// Attachment is a file of a matched message, as far as it was read.
type Attachment struct {
	Name   string `json:"name"`
	Type   string `json:"type,omitempty"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // hex; empty where its bytes were not read
}

// SearchPlan is what a search will do, before it does.
type SearchPlan struct {
	Query      string    `json:"query"`            // as it was understood
	Filter     string    `json:"filter,omitempty"` // what Graph filters by ($filter)
	Search     string    `json:"search,omitempty"` // or searches by ($search)
	Exact      bool      `json:"exact"`            // what Graph gives back are the matches: nothing is left to be matched here
	Pushed     []string  `json:"pushed,omitempty"` // what Graph filters, in words
	Here       []string  `json:"here,omitempty"`   // what is matched here, in words
	From       time.Time `json:"from,omitzero"`    // the earliest that is looked at
	To         time.Time `json:"to,omitzero"`      // the latest
	Content    string    `json:"content"`          // none, some (of what metadata leaves open), refused (the connection may not)
	Mailboxes  int64     `json:"mailboxes"`        // that will be searched
	OutOfScope int64     `json:"out_of_scope"`     // that the connection's boundary keeps out
	Without    int64     `json:"without"`          // people in scope who have no mailbox that Graph can open
	Depth      string    `json:"depth"`            // whole, index
	First      string    `json:"first,omitempty"`  // how mailboxes are looked at first, where that is quicker than the whole
	Calls      int64     `json:"calls"`            // requests at least: two a mailbox, more where much is found
	Seconds    int64     `json:"seconds"`          // how long, about
	Quota      float64   `json:"quota"`            // of what Microsoft grants the app in that time, from 0 to 1
	Trace      string    `json:"trace"`            // ask (the message trace is asked first), off
	Because    string    `json:"because"`          // why the trace is off
	Connection string    `json:"connection"`       // its name
	Notes      []string  `json:"notes,omitempty"`  // what is out of reach, and what else should be known
}

// Trace is what the message trace told a run.
type Trace struct {
	State   string `json:"state,omitempty"` // asked, off, failed; empty: not yet
	Because string `json:"because,omitempty"`
	Mails   int64  `json:"mails"`     // traces
	Boxes   int64  `json:"mailboxes"` // mailboxes they name, which are searched first
}
