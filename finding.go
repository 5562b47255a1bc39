package tocsin

import (
	"slices"
	"time"
)

// Severity orders findings: info, low, medium, high, critical.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Rank is the severity as a number, 0 (info) to 4 (critical), for ordering.
func (s Severity) Rank() int {
	switch s {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	case Critical:
		return 4
	}
	return 0
}

// Status is what has been decided of a finding.
type Status string

// The statuses. Fixed is set by us when the cause is gone, or by a person.
const (
	Open       Status = "open"
	InWork     Status = "in_work"
	Fixed      Status = "fixed"
	Accepted   Status = "accepted" // until a date; silent until then
	FalseAlarm Status = "false_alarm"
)

// RiskTerm is a summand of a risk: the sum, held to 0..100, is the risk.
type RiskTerm struct {
	Points int    `json:"points"`
	Why    string `json:"why"`
}

// Evidence points at what a finding rests on.
type Evidence struct {
	ID     string `json:"id"`             // the record's own id in its source
	Source string `json:"source"`         // mailbox_rule, mailbox_settings, directory, audit_log, event …
	What   string `json:"what,omitempty"` // a phrase
	Raw    string `json:"raw,omitempty"`  // the raw value

	// Person is whose rule it is, where the finding is not about that rule, or not about it alone.
	Person PersonID `json:"person,omitempty"`
}

// Finding is something dangerous, judged by a rule.
type Finding struct {
	ID       string     `json:"id,omitempty"`
	Rule     string     `json:"rule"`
	Title    string     `json:"title"`
	Severity Severity   `json:"severity"`
	Risk     int        `json:"risk"` // 0..100
	Terms    []RiskTerm `json:"terms"`
	Time     time.Time  `json:"time"`    // when what it rests on happened, or was first seen
	Person   PersonID   `json:"person"`  // empty where no person is meant; offline: the address
	Who      string     `json:"who"`     // the person's address, or the object's name
	Subject  string     `json:"subject"` // id of the thing judged: a rule's, a person's, a destination
	Cause    string     `json:"cause"`   // what tells two findings of one rule on one subject apart; often empty
	Why      string     `json:"why"`
	Stage    string     `json:"stage"`  // of the breach: persistence, hiding, collection, exfiltration, lateral_movement, access
	Attack   []string   `json:"attack"` // MITRE ATT&CK technique ids
	Evidence []Evidence `json:"evidence"`
	Actions  []string   `json:"actions"` // that fit: disable_rule, revoke_sessions …
}

// Score sets Risk to the sum of the terms, held to 0..100.
func (f *Finding) Score() {
	sum := 0
	for _, t := range f.Terms {
		sum += t.Points
	}
	f.Risk = min(100, max(0, sum))
}

// maxGrown is how many pieces of evidence a finding that grows keeps; further ones are left out.
const maxGrown = 50

// Grow takes into f what another finding of the same cause tells: its evidence, and its sentence and risk where the risk is higher.
func (f *Finding) Grow(x *Finding) {
	for _, e := range x.Evidence {
		if len(f.Evidence) < maxGrown && !slices.ContainsFunc(f.Evidence, func(had Evidence) bool { return had.ID == e.ID && had.Source == e.Source }) {
			f.Evidence = append(f.Evidence, e)
		}
	}
	if x.Risk > f.Risk {
		f.Risk, f.Severity, f.Terms, f.Why, f.Title = x.Risk, x.Severity, x.Terms, x.Why, x.Title
		if x.Who != "" {
			f.Who, f.Person = x.Who, x.Person
		}
	}
	if !x.Time.IsZero() && (f.Time.IsZero() || x.Time.Before(f.Time)) {
		f.Time = x.Time
	}
}
