package detect

import (
	"time"

	"tocsin.dev"
)

// Meta is what a rule says of itself: its entry in the catalogue.
type Meta struct {
	Name           string          `json:"name"`  // kebab-case, never changed: findings are filed under it
	Title          string          `json:"title"` // a headline
	Family         string          `json:"family"`
	Severity       tocsin.Severity `json:"severity"` // the usual one; a finding's own follows its risk
	Attack         []string        `json:"attack"`   // MITRE ATT&CK technique ids
	Stage          string          `json:"stage"`    // of the breach
	Says           string          `json:"says"`     // what it looks for, in a sentence
	FalsePositives string          `json:"false_positives"`
	Fix            string          `json:"fix"`     // what to do about a finding
	Actions        []string        `json:"actions"` // that fit
	Source         string          `json:"source"`  // the data it needs: mailbox_rule, mailbox_settings, audit_log …
}

// Check judges the state of one mailbox.
type Check struct {
	Meta
	Judge func(*Org, *Mailbox) []tocsin.Finding
}

// Sweep judges what only shows across mailboxes. It is given those that have a rule which sends mail on.
type Sweep struct {
	Meta
	Judge func(*Org, []*Mailbox) []tocsin.Finding
}

// Event judges one audit record, in the order of time, with what was noted of those before.
type Event struct {
	Meta
	Judge func(*Org, *Memory, *Record) []tocsin.Finding
}

// Finding begins a finding of this rule: what of it follows from the rule itself is filled in.
func (m *Meta) Finding(person tocsin.PersonID, who, subject string, at time.Time) tocsin.Finding {
	return tocsin.Finding{
		Rule: m.Name, Title: m.Title, Stage: m.Stage, Attack: m.Attack, Actions: m.Actions,
		Person: person, Who: who, Subject: subject, Time: at,
	}
}
