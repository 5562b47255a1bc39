package tocsin

import (
	"strings"
	"time"
)

// Address is a mail address with the name shown for it.
type Address struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address"` // as given; compare with Canonical
}

// Canonical is the address for comparing: trimmed, lower case, without "SMTP:" before it.
func (a Address) Canonical() string { return CanonicalAddress(a.Address) }

// CanonicalAddress is an address for comparing: trimmed, lower case, without "SMTP:" before it or angle brackets around it.
func CanonicalAddress(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "smtp:")
	return strings.Trim(s, "<> ")
}

// Domain is the part after the last @, in lower case; empty where there is none.
func (a Address) Domain() string {
	s := a.Canonical()
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return s[i+1:]
	}
	return ""
}

// Folder is a mail folder as far as we know it: unknown fields are empty.
type Folder struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	WellKnown string `json:"well_known,omitempty"` // archive, junkemail, deleteditems, conversationhistory, rssfeeds …; "none" when it is known to be no such folder
}

// Term is a condition or exception of a mailbox rule: what is looked at, and the words or addresses.
// Names are snake_case of Microsoft's predicates: subject_contains, body_or_subject_contains, from_addresses,
// header_contains, sent_to_me … A predicate without words has the value "true" or its number as text.
type Term struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// MailRule is a person's inbox rule, from whichever source told of it.
type MailRule struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Sequence   int       `json:"sequence,omitempty"`
	Enabled    bool      `json:"enabled"`
	ReadOnly   bool      `json:"read_only,omitempty"` // cannot be changed through Graph
	HasError   bool      `json:"has_error,omitempty"`
	Conditions []Term    `json:"conditions,omitempty"`
	Exceptions []Term    `json:"exceptions,omitempty"`
	Forward    []Address `json:"forward,omitempty"`
	Redirect   []Address `json:"redirect,omitempty"`
	Attach     []Address `json:"forward_as_attachment,omitempty"`
	MoveTo     *Folder   `json:"move_to,omitempty"`
	CopyTo     *Folder   `json:"copy_to,omitempty"`
	Delete     bool      `json:"delete,omitempty"`
	Purge      bool      `json:"permanent_delete,omitempty"`
	MarkRead   bool      `json:"mark_as_read,omitempty"`
	Stop       bool      `json:"stop_processing,omitempty"`
	Importance string    `json:"mark_importance,omitempty"`
	Categories []string  `json:"assign_categories,omitempty"`
	Unknown    []string  `json:"unknown,omitempty"` // names of predicates or actions that a source gave and we do not know
}

// Targets are all addresses the rule sends mail to, in the order forward, redirect, attachment.
func (r MailRule) Targets() []Address {
	out := make([]Address, 0, len(r.Forward)+len(r.Redirect)+len(r.Attach))
	out = append(out, r.Forward...)
	out = append(out, r.Redirect...)
	return append(out, r.Attach...)
}

// Hides says whether the rule takes mail out of sight: deletes, moves, or marks it as read.
func (r MailRule) Hides() bool { return r.Delete || r.Purge || r.MoveTo != nil || r.MarkRead }

// AutoReply is a mailbox's automatic reply.
type AutoReply struct {
	Status   string    `json:"status"` // disabled, always_enabled, scheduled
	Audience string    `json:"audience,omitempty"`
	Start    time.Time `json:"start,omitzero"`
	End      time.Time `json:"end,omitzero"`
	// Links are the addresses and URLs found in the replies; the text itself is not kept.
	Links []string `json:"links,omitempty"`
}
