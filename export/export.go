package export

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/secret"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// The kinds of receivers.
const (
	Webhook = "webhook"
	Syslog  = "syslog"
	File    = "file"
	NATS    = "nats"
	Kafka   = "kafka"
)

// Kinds are the kinds of receivers, Forms those of events, Bodies the shapes of a webhook's request, SASLs the ways to sign in to Kafka.
var (
	Kinds  = []string{Webhook, Syslog, File, NATS, Kafka}
	Forms  = []string{Native, OCSF}
	Bodies = []string{Lines, Array, Splunk, Elastic}
	SASLs  = []string{"none", "plain", "scram-sha-256", "scram-sha-512"}
	// Types are the types of events that an export may be held to.
	Types = []string{"EMAIL", "FOLDER", "RULE", "SIGN_IN", "AUDIT", "DEVICE", "FINDING", "ACTION"}
)

// The forms of an event.
const (
	Native = "native"
	OCSF   = "ocsf"
)

// The shapes of a webhook's request: a JSON object a line, a JSON array, what Splunk's HTTP event collector takes, what
// Elasticsearch's _bulk takes.
const (
	Lines   = "lines"
	Array   = "array"
	Splunk  = "splunk"
	Elastic = "elastic"
)

// Running and Paused are the states of an export.
const (
	Running = "running"
	Paused  = "paused"
)

// Settings are what a person sets of an export. What its kind does not know is left at zero.
type Settings struct {
	Name    string   `json:"-"`
	Address string   `json:"address"` // where it leads, as far as that may be shown
	Form    string   `json:"form"`
	Types   []string `json:"types,omitempty"`   // of events; all where empty
	Actions []string `json:"actions,omitempty"` // email_received, rule_created …; all where empty
	People  []string `json:"people,omitempty"`  // tuids; everybody where empty
	To      string   `json:"to,omitempty"`      // NATS: subject, Kafka: topic, file: name; {tenant}, {type} and {action} are put in
	User    string   `json:"user,omitempty"`    // of NATS, of Kafka's SASL

	CA          string `json:"ca,omitempty"`          // what the receiver's authority of its own is called; empty: those of the server
	Certificate string `json:"certificate,omitempty"` // whose certificate is shown to the receiver, and until when it holds

	Body   string `json:"body,omitempty"`   // webhook
	Gzip   bool   `json:"gzip,omitempty"`   // webhook, and files that are complete
	Header string `json:"header,omitempty"` // webhook: the header that holds the credential

	Unconfirmed bool   `json:"unconfirmed,omitempty"` // syslog: what was written counts as taken
	SASL        string `json:"sasl,omitempty"`        // Kafka

	MaxMB    int `json:"max_mb,omitempty"`    // file: begin another after so many megabytes …
	MaxHours int `json:"max_hours,omitempty"` // … or hours
	Keep     int `json:"keep,omitempty"`      // file: complete files that are kept; 0: all

	Batch int `json:"batch"`   // events that go out at once, at most
	Wait  int `json:"wait_ms"` // milliseconds that an event may wait for others
}

// Export is where events go, and how far it has come.
type Export struct {
	Tenant   tocsin.TenantID
	ID, Kind string
	Settings
	State         string
	Because, Mend string    // why it does not go on
	Done          int64     // the place of the last thing that was dealt with
	DoneAt        time.Time // when that had come
	Sent          int64     // events that were taken
	SentAt        time.Time // the last time that some were
	Failures      int       // tries that failed since the last that went well
	Failed        time.Time // the first of them
	Next          time.Time // when it is tried again
	Refused       int64     // events that the receiver refused while it took others
	Lost          int64     // things that were deleted before they could be sent …
	LostFrom      time.Time // … and that had come between these
	LostTo        time.Time
	Created       time.Time
	CreatedBy     string
	Version       int64

	Trouble   string    // what was told that somebody has to know; see [TroublePaused]
	BackFrom  time.Time // events of the past are sent from then …
	BackTo    time.Time // … to then, before what comes; zero: there is no past to send, or none any more
	BackAt    time.Time // how far that has come
	BackSent  int64     // events of the past that were taken
	backID    string    // the last of those at BackAt
	backPlace int64     // up to here what comes may have been sent with the past; 0: none

	Last   int64     // the place of the last thing there is
	Behind int64     // how many things are yet to be dealt with
	Since  time.Time // when the oldest of them came; zero for none
	sealed []byte
}

// Exports sends events on.
type Exports struct {
	Store   *store.Store
	Keeper  *secret.Keeper
	Guard   *dial.Guard   // before every address that people give
	Dir     string        // where files are written, a directory for each tenant in it; none where empty
	Version string        // of the program, for receivers
	Late    time.Duration // from when on an export that fails or is behind is told of as a fault; 0: UsualLate
	Log     *slog.Logger
}

func (x *Exports) log() *slog.Logger {
	if x.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return x.Log
}

// Usual are the settings of a new export of a kind.
func Usual(kind string) Settings {
	s := Settings{Form: Native, Batch: 500, Wait: 500}
	switch kind {
	case Webhook:
		s.Body, s.Header = Lines, "Authorization"
	case File:
		s.To, s.MaxMB, s.MaxHours, s.Keep = "events.jsonl", 100, 24, 30
	case NATS:
		s.To = "tocsin.{tenant}.{type}.{action}"
	case Kafka:
		s.To, s.SASL = "tocsin-events", "none"
	}
	return s
}

// keys are what an export keeps sealed.
type keys struct {
	URL        string `json:"url,omitempty"`
	Credential string `json:"credential,omitempty"` // the header's value, a password, a token, a credentials file
	CA         string `json:"ca,omitempty"`         // PEM: authorities that are trusted besides, of a TLS receiver
	Cert       string `json:"cert,omitempty"`       // PEM: the certificate that is shown to it, and its key
	Secret     string `json:"secret,omitempty"`     // whsec_…, of a webhook
	Old        string `json:"old,omitempty"`        // the secret before, which signs as well …
	OldUntil   int64  `json:"old_until,omitempty"`  // … until then, in Unix milliseconds
}

// Given is what is told of an export once, and never shown again. In a change, what is empty stays as it is, and "-" takes it
// away.
type Given struct {
	Credential  string    // the header's value, a password, a token, a credentials file
	CA          string    // PEM: authorities of the receiver to trust besides those of the server
	Certificate string    // PEM: the certificate to show to the receiver, with its key
	From        time.Time // of a new export: the stored events from then on are sent first
}

// into puts what is given into what is kept.
func (g *Given) into(k *keys) {
	for v, to := range map[*string]*string{&g.Credential: &k.Credential, &g.CA: &k.CA, &g.Certificate: &k.Cert} {
		switch *v {
		case "":
		case "-":
			*to = ""
		default:
			*to = *v
		}
	}
}

func about(owner tocsin.TenantID, id string) string { return "export|" + string(owner) + "|" + id }

func (x *Exports) seal(tenant tocsin.TenantID, id string, k keys) ([]byte, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return x.Keeper.Seal(plain, about(tenant, id))
}

func (x *Exports) keysOf(e *Export) (k keys, err error) {
	plain, err := x.Keeper.Open(e.sealed, about(e.Tenant, e.ID))
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal(plain, &k)
}

// Sealed is where exports' addresses and credentials lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{What: "addresses and credentials of exports", Table: "export", Key: "id", Column: "sealed", Tenant: true, About: about}}
}

// wants says whether the export is to have an event.
func (s *Settings) wants(kind, action, person string) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return in(s.Types, kind) && in(s.Actions, action) && in(s.People, person)
}

// fill puts what a pattern's braces name in their places. What comes of strangers is made harmless by word.
func fill(pattern string, p *parcel, tenant tocsin.TenantID) string {
	if !strings.Contains(pattern, "{") {
		return pattern
	}
	return strings.NewReplacer("{tenant}", token(string(tenant)), "{type}", token(strings.ToLower(p.kind)), "{action}", token(p.action)).Replace(pattern)
}

// token is a word as it may stand in a subject, a topic or a file's name: letters, digits, _ and -; "none" for nothing.
func token(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
	if s == "" {
		return "none"
	}
	return s[:min(len(s), 100)]
}
