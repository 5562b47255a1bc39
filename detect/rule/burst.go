package rule

import (
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var outboundBurst = detect.Meta{
	Name: "outbound-burst-after-suspicious-sign-in", Title: "Much mail was sent after a suspicious sign-in", Family: "stories",
	Severity: tocsin.High, Attack: []string{"T1534", "T1566.002"}, Stage: "lateral_movement",
	Says:           "Within three days of a suspicious sign-in a mailbox sent at least thirty messages, or wrote to a hundred people, within an hour, and at least three times what it did in any hour of the thirty days before.",
	FalsePositives: "An invitation or a newsletter that a person sends once a year, after a journey.",
	Fix:            "Revoke the sessions and block the account; look at what was sent, and take it out of the mailboxes inside.",
	Actions:        []string{"revoke_sessions", "suspend", "force_password_change"}, Source: "mail",
}

// OutboundBurst is the name of the finding on a burst of mail.
const OutboundBurst = "outbound-burst-after-suspicious-sign-in"

// Sent is what a mailbox sent within an hour.
type Sent struct {
	Hour       time.Time // its beginning
	Messages   int
	Recipients int
	IDs        []string // of some of the events
}

const (
	burstMessages   = 30
	burstRecipients = 100
	burstTimes      = 3
)

// Burst judges what a mailbox sent after a suspicious sign-in, hour by hour, against the hours before it; nil where nothing is
// unusual. known is for how long what it sent before is known: under a day, nothing is usual.
func Burst(person tocsin.PersonID, who string, entry time.Time, known time.Duration, before, after []Sent) *tocsin.Finding {
	if known < 24*time.Hour {
		return nil
	}
	var most, worst Sent
	for _, h := range before {
		most.Messages, most.Recipients = max(most.Messages, h.Messages), max(most.Recipients, h.Recipients)
	}
	for _, h := range after {
		if (h.Messages >= burstMessages && h.Messages >= burstTimes*most.Messages || h.Recipients >= burstRecipients && h.Recipients >= burstTimes*most.Recipients) && h.Recipients > worst.Recipients {
			worst = h
		}
	}
	if worst.Messages == 0 {
		return nil
	}
	f := outboundBurst.Finding(person, who, who, worst.Hour)
	f.Cause = entry.UTC().Format(time.DateOnly)
	for _, id := range worst.IDs {
		f.Evidence = append(f.Evidence, tocsin.Evidence{ID: id, Source: "event", What: "sent in that hour"})
	}
	terms := detect.Terms{{Points: 55, Why: fmt.Sprintf("%d messages to %d recipients within an hour", worst.Messages, worst.Recipients)}}
	if worst.Recipients >= 5*burstRecipients || worst.Messages >= 5*burstMessages {
		terms.Add(15, "five times what is enough")
	}
	if most.Messages == 0 {
		terms.Add(5, "nothing was sent in the thirty days before")
	}
	why := fmt.Sprintf("%s sent %d messages to %d recipients in the hour from %s UTC, %s after a suspicious sign-in; in no hour of the %d days before were there more than %d messages to %d.",
		who, worst.Messages, worst.Recipients, worst.Hour.UTC().Format("2 January 15:04"), lasted(max(worst.Hour.Add(time.Hour).Sub(entry), 0)), int(known.Hours()/24), most.Messages, most.Recipients)
	return scored(&f, terms, why)
}

// Entry says whether a finding of a rule, with its stage and risk, tells of a sign-in by which somebody else may have come in.
func Entry(name, stage string, risk int) bool {
	return isEntry(&Part{Rule: name, Stage: stage, Risk: risk})
}
