package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"tocsin.dev"
)

// The kinds of channels.
const (
	Email   = "email"
	Webhook = "webhook"
	Slack   = "slack"
	Teams   = "teams"
	Syslog  = "syslog" // RFC 5424 over TLS, with OCSF in it
	OCSF    = "ocsf"   // a signed webhook that gets an array of OCSF events
)

// Kinds are all of them.
var Kinds = []string{Email, Slack, Teams, Webhook, OCSF, Syslog}

// Signed says whether what a kind of channel sends is signed with a secret.
func Signed(kind string) bool { return kind == Webhook || kind == OCSF }

// each says whether a kind of channel is told of every finding in a digest, and not of the worst alone: machines read it.
func each(kind string) bool { return kind == Syslog || kind == OCSF }

// The changes of a finding that are told.
const (
	Opened   = "opened"
	Reopened = "reopened"
	Worse    = "worse" // its severity rose
	Fixed    = "fixed"
)

// Changes are all of them.
var Changes = []string{Opened, Reopened, Worse, Fixed}

// Finding is a finding as messages tell it: what it was when it changed. It is kept with the alert, and is the documented
// form in a webhook's body.
type Finding struct {
	Change     string          `json:"change"` // opened, reopened, worse, fixed
	ID         string          `json:"id"`
	Tenant     tocsin.TenantID `json:"tenant"`
	TenantName string          `json:"tenant_name"`
	Rule       string          `json:"rule"`
	Title      string          `json:"title"`
	Severity   tocsin.Severity `json:"severity"`
	Risk       int             `json:"risk"` // 0..100
	Status     tocsin.Status   `json:"status"`
	Person     tocsin.PersonID `json:"person"`
	Who        string          `json:"who"` // the person's address, or the object's name
	Why        string          `json:"why"`
	Stage      string          `json:"stage"`
	Attack     []string        `json:"attack"`
	FirstSeen  time.Time       `json:"first_seen"`
	LastSeen   time.Time       `json:"last_seen"`
	Times      int             `json:"times"` // how often it has been opened
	URL        string          `json:"url"`   // its page
}

// Message is what is sent. Findings are the worst of Total, at most [listed].
type Message struct {
	ID       string
	Test     bool
	Created  time.Time
	Findings []Finding
	Total    int
	By       map[tocsin.Severity]int // of Total
	First    bool                    // some of them are of a tenant's first sync
	More     string                  // the page with all of them
}

// listed is how many findings a digest names; the others it counts.
const listed = 20

// digest says whether the message tells of several findings.
func (m *Message) digest() bool { return m.Total > 1 }

// Type is the message's in a webhook: finding.opened …, findings.digest, test.
func (m *Message) Type() string {
	switch {
	case m.Test:
		return "test"
	case m.digest() || len(m.Findings) == 0:
		return "findings.digest"
	}
	return "finding." + m.Findings[0].Change
}

// worst is the highest severity in the message.
func (m *Message) worst() tocsin.Severity {
	for _, s := range severities {
		if m.By[s] > 0 {
			return s
		}
	}
	return tocsin.Info
}

// severities are all of them, the worst first.
var severities = []tocsin.Severity{tocsin.Critical, tocsin.High, tocsin.Medium, tocsin.Low, tocsin.Info}

// Headline is the message in a line: an e-mail's subject, a card's title.
func (m *Message) Headline() string {
	switch {
	case m.Test:
		return "Test message from Tocsin"
	case m.digest() || len(m.Findings) == 0:
		what := plural(m.Total, "finding", "findings")
		if m.First {
			return what + " in the first look at " + clean(m.tenants(), 80) + ": " + m.counts()
		}
		return what + " in " + clean(m.tenants(), 80) + ": " + m.counts()
	}
	f := &m.Findings[0]
	line := "[" + word(string(f.Severity)) + "] "
	if c := changeWord(f.Change); c != "" {
		line += c + ": "
	}
	line += clean(f.Title, 120)
	if f.Who != "" {
		line += " – " + clean(f.Who, 80)
	}
	return line
}

// tenants names the tenants whose findings the message lists.
func (m *Message) tenants() string {
	var names []string
	seen := map[tocsin.TenantID]bool{}
	for i := range m.Findings {
		if f := &m.Findings[i]; !seen[f.Tenant] {
			seen[f.Tenant] = true
			names = append(names, f.TenantName)
		}
	}
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more tenants", strings.Join(names[:2], ", "), len(names)-2)
	}
	return strings.Join(names, ", ")
}

// counts are the findings by severity: 2 critical, 5 high.
func (m *Message) counts() string {
	var parts []string
	for _, s := range severities {
		if n := m.By[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// body is the message as a webhook gets it: the documented form. It is the same at every try.
func (m *Message) body() ([]byte, error) {
	by := map[tocsin.Severity]int{}
	for _, s := range severities {
		by[s] = m.By[s]
	}
	findings := m.Findings
	if findings == nil {
		findings = []Finding{}
	}
	return json.Marshal(map[string]any{
		"type": m.Type(), "timestamp": m.Created.UTC().Format(time.RFC3339),
		"data": map[string]any{"findings": findings, "total": m.Total, "severities": by, "first_sync": m.First, "more": m.More},
	})
}

// testFinding is what a test message holds in place of a finding.
const testText = "This is a test. If you can read it, alerts of this channel arrive here."

func changeWord(c string) string {
	switch c {
	case Reopened:
		return "Back again"
	case Worse:
		return "Grew worse"
	case Fixed:
		return "Fixed"
	}
	return ""
}

// word is a word at the beginning of a line.
func word(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// clean is text that strangers may have written, on one line and of at most so many characters: control characters become
// blanks, what is invisible or turns the direction of writing becomes a mark that is seen.
func clean(s string, most int) string {
	var b strings.Builder
	n, blank := 0, false
	for _, r := range s {
		switch {
		case r == unicode.ReplacementChar:
		case unicode.IsControl(r) || unicode.IsSpace(r):
			blank = n > 0
			continue
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		if blank {
			b.WriteByte(' ')
			n++
			blank = false
		}
		if n++; n > most {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
