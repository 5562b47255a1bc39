package rule

import (
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/learn"
)

// Personas are the metas of days that are not as usual for a person, one for each class of package learn.
var Personas = []detect.Meta{unusualRule, unusualFiles, unusualContacts, unusualHours, slowDrift}

var unusualRule = detect.Meta{
	Name: "unusual-mailbox-rule", Title: "A mailbox rule that is unlike its owner", Family: "behaviour",
	Severity: tocsin.Medium, Attack: []string{"T1564.008", "T1114.003"}, Stage: "persistence",
	Says:           "Somebody who hardly ever makes mailbox rules made or changed one, and what it does, its hour or who was written to on that day is unlike the person.",
	FalsePositives: "Somebody who cleans up a mailbox for once.",
	Fix:            "Look at the rule and ask the person by telephone. If it is not theirs, disable it and revoke the sessions.",
	Actions:        []string{"disable_rule", "revoke_sessions"}, Source: "mail",
}

var unusualFiles = detect.Meta{
	Name: "unusual-files-to-outside", Title: "Files went where this person never sends any", Family: "behaviour",
	Severity: tocsin.High, Attack: []string{"T1048"}, Stage: "exfiltration",
	Says:           "Mail with attachments, or much mail, went to a domain outside that is new to the person, or that does not usually get so much from them.",
	FalsePositives: "The first deliveries to a new customer.",
	Fix:            "Look at what was sent to whom, and ask the person by telephone. If it was not them, revoke the sessions and change the password.",
	Actions:        []string{"revoke_sessions", "suspend", "force_password_change"}, Source: "mail",
}

var unusualContacts = detect.Meta{
	Name: "unusual-correspondents", Title: "Mail that is unlike this person: to whom, or how much", Family: "behaviour",
	Severity: tocsin.High, Attack: []string{"T1534", "T1078.004"}, Stage: "lateral_movement",
	Says:           "On one day a mailbox wrote to so many people who are new to it, or wrote so unlike its owner in whom it writes to and how much, that usual days are hardly ever like it.",
	FalsePositives: "A new project or a new job; an invitation that is sent once a year.",
	Fix:            "Ask the person by telephone whether the mail is theirs. If not, revoke the sessions, change the password, and warn who was written to.",
	Actions:        []string{"revoke_sessions", "suspend", "force_password_change"}, Source: "mail",
}

var unusualHours = detect.Meta{
	Name: "unusual-hours", Title: "Mail was sent at hours at which this person sleeps", Family: "behaviour",
	Severity: tocsin.Low, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "A mailbox sent mail at hours of the day at which its owner hardly ever does.",
	FalsePositives: "A journey, a night before a deadline, a new shift.",
	Fix:            "Look at the person's sign-ins of that day. If a place or device is not theirs, revoke the sessions.",
	Actions:        []string{"revoke_sessions"}, Source: "mail",
}

var slowDrift = detect.Meta{
	Name: "slow-drift-to-outside", Title: "Somebody outside gets more mail week after week", Family: "behaviour",
	Severity: tocsin.Medium, Attack: []string{"T1048"}, Stage: "exfiltration",
	Says:           "A mailbox writes more to one address outside every week, beginning from nothing, in a way that correspondences hardly ever grow.",
	FalsePositives: "A new customer or project that grows.",
	Fix:            "Look at who the address belongs to and what is sent there; ask the person.",
	Actions:        []string{"revoke_sessions"}, Source: "mail",
}

// Unusual is the meta of a class; nil where there is no such class.
func Unusual(k learn.Kind) *detect.Meta {
	return map[learn.Kind]*detect.Meta{learn.RuleManipulation: &unusualRule, learn.Exfiltration: &unusualFiles, learn.Graph: &unusualContacts,
		learn.OffHours: &unusualHours, learn.Drift: &slowDrift}[k]
}

// Odd is a day of a person that is not as usual.
type Odd struct {
	Person tocsin.PersonID
	Who    string
	Class  learn.Kind
	Day    string // 2006-01-02, in the person's zone
	At     time.Time
	OneIn  int // one usual day in so many is as odd
	Why    string
	Events []string // ids of some of the events that it rests on
}

// unusualPoints are what a day of each class weighs before it is asked how rare it is.
var unusualPoints = map[learn.Kind]int{learn.RuleManipulation: 40, learn.Exfiltration: 45, learn.Graph: 40, learn.OffHours: 20, learn.Drift: 30}

// OddDay makes a finding of a day that is not as usual.
func OddDay(o Odd) *tocsin.Finding {
	m := Unusual(o.Class)
	f := m.Finding(o.Person, o.Who, string(o.Person), o.At)
	f.Cause = o.Day
	for _, id := range o.Events {
		f.Evidence = append(f.Evidence, tocsin.Evidence{ID: id, Source: "event", What: "on that day"})
	}
	terms := detect.Terms{{Points: unusualPoints[o.Class], Why: "the day is not as usual for this person"}}
	for _, t := range []struct{ than, points int }{{5_000, 5}, {50_000, 10}} {
		if o.OneIn >= t.than {
			terms.Add(t.points, fmt.Sprintf("fewer than one usual day in %d is as odd", t.than))
		}
	}
	return scored(&f, terms, o.Why)
}
