package api

import (
	"time"

	"tocsin.dev"
)

// ThreadSecurity is who the other side of a thread is to this company, and what speaks against its mails.
type ThreadSecurity struct {
	Address string         `json:"address"` // who wrote
	Name    string         `json:"name"`
	Signs   []SecuritySign `json:"signs"` // the gravest first
	Known   SecurityKnown  `json:"known"`
	Checks  []SenderCheck  `json:"authentication"` // of the newest mail; none: the mailbox's server wrote none
	Others  SecurityOthers `json:"others"`         // what other mailboxes got from the sender
	// The rest is for the roles viewer and more; an agent is told how many there are.
	Findings       []SecurityLink `json:"findings"`       // open, of the sender who is an insider, and of the shared mailbox
	Investigations []SecurityLink `json:"investigations"` // in which mail of the thread was found
	Open           int            `json:"open"`           // how many findings and investigations there are
	Reports        int            `json:"reports"`        // how often mail of the sender was reported, of the last 10,000 reports
	Malicious      int            `json:"malicious"`      // of those, judged malicious or suspicious
	Lacks          []string       `json:"lacks"`          // what could not be looked at, and why
}

// SecuritySign is something to know about a mail.
type SecuritySign struct {
	Kind  string `json:"kind"`  // first_contact, look_alike, name, letters, reply_to, bank, authentication, reported, on_behalf, known
	Level string `json:"level"` // danger, warning, note, good
	Says  string `json:"says"`
}

// SecurityKnown is since when the address is known, and how.
type SecurityKnown struct {
	Inside   bool            `json:"inside"` // somebody of the directory
	Person   tocsin.PersonID `json:"person,omitempty"`
	Here     int             `json:"here"` // mails from it in this inbox, 10,000 at most
	First    time.Time       `json:"first,omitzero"`
	Last     time.Time       `json:"last,omitzero"`
	Answered int             `json:"answered"` // other threads of it in this inbox that we answered
	Sent     int             `json:"sent"`     // mails to it from anybody here, as far as mail was learned
	Received int             `json:"received"` // mails from it to anybody here
	Since    string          `json:"since"`    // the day since which mail is learned; empty: it is not
}

// SecurityOthers are the mailboxes that got mail from the sender.
type SecurityOthers struct {
	Mailboxes int               `json:"mailboxes"`
	People    []CorrespondentOf `json:"people"` // for the roles viewer and more; fifty at most, the last first
}

// SenderCheck is what the mailbox's server found of who sent a mail.
type SenderCheck struct {
	Check  string `json:"check"`  // spf, dkim, dmarc, compauth
	Result string `json:"result"` // pass, fail, none …
}

// SecurityLink leads to something.
type SecurityLink struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Severity string `json:"severity,omitempty"`
}

// ReportThreadIn reports a mail of a thread.
type ReportThreadIn struct {
	ByIDAct
	Body ThreadReport
}

// ThreadReport says which, and why.
type ThreadReport struct {
	Message string `json:"message,omitempty" maxLength:"500" doc:"The mail's id; the newest that came when absent"`
	Note    string `json:"note,omitempty" trail:"-" maxLength:"1000" doc:"What is wrong with it"`
	Start   bool   `json:"start,omitempty" doc:"Search all mailboxes at once: needs the role analyst; else the search waits for an analyst to start it"`
	Spam    bool   `json:"spam,omitempty" doc:"Mark the thread as spam"`
}

// ThreadReported is the investigation that a report opened.
type ThreadReported struct {
	Investigation string   `json:"investigation"`
	Name          string   `json:"name"`
	Query         string   `json:"query"`
	Terms         []string `json:"terms"` // what it looks for, a sentence each
	Lacks         []string `json:"lacks"` // what of the mail could not be read
	Started       bool     `json:"started"`
}
