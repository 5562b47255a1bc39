package inbox

import "time"

// States of an inbox.
const (
	Connected    = "connected"    // its mailbox is read and written
	Broken       = "broken"       // it cannot be, because; mend says what to do
	Disconnected = "disconnected" // on purpose: what was read stays, under its retention
)

// What is known of the right to send from an inbox's address. Microsoft Graph does not tell it before a mail is sent:
// https://learn.microsoft.com/graph/outlook-send-mail-from-other-user
const (
	SendUnknown = "unknown"
	SendAs      = "as"
	SendBehalf  = "behalf" // on behalf of the address; the account's own is shown beside it
	SendRefused = "refused"
)

// Inbox is a shared mailbox as a team works it.
type Inbox struct {
	ID, Name, Address string
	Person            string // whose mailbox it is, where the directory knows it
	Connection        string // by which it is read; empty while disconnected
	State             string
	Because, Mend     string
	Sending           string
	SendingBecause    string
	SendingAt         time.Time // when that was found
	BackfillDays      int       // 0: everything
	RetentionDays     int       // 0: for ever
	Created, Changed  time.Time
	Version           int64
}

// How a thread stands.
const (
	Open     = "open"
	Waiting  = "waiting" // for the other side
	Snoozed  = "snoozed" // until a time, or an answer
	Resolved = "resolved"
	Spam     = "spam"
)
