package detect

import (
	"time"

	"tocsin.dev"
)

// Connection is a way of ours to the tenant, as the checks of connections see it.
type Connection struct {
	ID, Name string
	State    string // on, paused, broken, closing, closed
	Method   string // secret, certificate, oauth
	Expires  time.Time
	Drifts   []Drift   // oldest first
	Silences []Silence // of the tenant that is collected from by it, the longest first
	Canary   Canary
}

// Silence is a mailbox to which nothing came though it should have.
type Silence struct {
	Who      string // empty: the whole tenant
	Began    time.Time
	Expected float64 // messages that are usual in that time
}

// Canary is the last try to see whether what happens is told of; zero where there was none, or it went well.
type Canary struct {
	ID           string
	At           time.Time
	Because, Fix string
}

// Drift is a permission that was taken from the connection's app, or given to it, and stands so.
type Drift struct {
	ID         string
	At         time.Time
	Resource   string
	Permission string
	Removed    bool
	For        []string // what needs it, of what was removed
	Why        string   // why it is more than is needed, of what was granted; empty where it is not
	Dangerous  bool     // who has it can take the tenant
}

// ConnectionCheck judges a connection's state.
type ConnectionCheck struct {
	Meta
	Judge func(now time.Time, c *Connection) []tocsin.Finding
}

// Export is a way on which events are sent on, as its checks see it.
type Export struct {
	ID, Name string
	Trouble  string    // paused (by what its receiver answered), failing, behind; empty: none
	Since    time.Time // when that began; of behind, when the oldest that waits came
	Because  string    // a phrase
	Behind   int64     // things that wait
}

// ExportCheck judges how an export does.
type ExportCheck struct {
	Meta
	Judge func(now time.Time, e *Export) []tocsin.Finding
}
