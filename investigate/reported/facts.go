package reported

import (
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	mime "tocsin.dev/mail"
)

// Reading is what was read of a mail: what an analyst looks at first.
type Reading struct {
	To          []string   `json:"to,omitempty"`
	Cc          []string   `json:"cc,omitempty"`
	ReplyTo     []string   `json:"reply_to,omitempty"`
	Links       []MailLink `json:"links,omitempty"`
	Attachments []File     `json:"attachments,omitempty"`
	Checks      []Check    `json:"checks,omitempty"`
	Faults      []string   `json:"faults,omitempty"`
	Query       string     `json:"query,omitempty"`   // finds it and its near copies
	Wanted      []string   `json:"wanted,omitempty"`  // Message-IDs to look for
	Forward     *Forward   `json:"forward,omitempty"` // what a forwarding tells, where the mail is looked for by that
}

// Forward is what a forwarding tells of a mail.
type Forward struct {
	Sender  string `json:"sender"`
	Subject string `json:"subject"`
	Date    int64  `json:"date"` // ms; 0: not told
}

// MailLink is a link of a mail.
type MailLink struct {
	URL      string `json:"url"`
	Domain   string `json:"domain"`
	Text     string `json:"text"`
	Where    string `json:"where"`
	Wrapped  string `json:"wrapped,omitempty"`
	Deceives bool   `json:"deceives,omitempty"` // its text names another domain than it leads to
}

// File is an attachment of a mail.
type File struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Inline bool   `json:"inline,omitempty"`
	Inside []File `json:"inside,omitempty"`
}

// Check is what the server that received a mail found of its sender.
type Check struct {
	Method string `json:"method"` // spf, dkim, dmarc, compauth, arc
	Result string `json:"result"`
	About  string `json:"about"` // the domain
}

// How much of a mail's reading is kept: what strangers send is not to fill the table.
const (
	mostLinks = 200
	mostFiles = 200
	mostText  = 2000
)

// ReadingOf is what is read of a mail.
func ReadingOf(m *mime.Message) Reading {
	r := Reading{To: addresses(m.To), Cc: addresses(m.Cc), ReplyTo: addresses(m.ReplyTo), Checks: Checks(m), Faults: m.Faults}
	for _, l := range m.Links {
		if len(r.Links) >= mostLinks {
			break
		}
		r.Links = append(r.Links, MailLink{URL: clip(l.URL), Domain: l.Domain, Text: clip(l.Text), Where: l.Where, Wrapped: clip(l.Original), Deceives: deceives(l)})
	}
	left := mostFiles
	r.Attachments = files(m.Attachments, &left)
	if len(r.Faults) > 50 {
		r.Faults = r.Faults[:50]
	}
	return r
}

func addresses(list []mime.Address) (out []string) {
	for _, a := range list[:min(len(list), 100)] {
		out = append(out, clip(a.String()))
	}
	return out
}

func files(list []mime.Attachment, left *int) (out []File) {
	for _, a := range list {
		if *left <= 0 {
			break
		}
		*left--
		out = append(out, File{Name: clip(a.Name), Type: clip(a.Type), Size: a.Size, SHA256: a.SHA256, Inline: a.Inline, Inside: files(a.Inside, left)})
	}
	return out
}

func clip(s string) string {
	if len(s) > mostText {
		return strings.ToValidUTF8(s[:mostText], "") + "…"
	}
	return s
}

var hostLike = regexp.MustCompile(`(?i)(?:https?://)?((?:[a-z0-9\p{L}](?:[a-z0-9\p{L}-]{0,61}[a-z0-9\p{L}])?\.)+[a-z\p{L}]{2,24})`)

// deceives says whether the text of a link names a domain, and the link leads to another.
func deceives(l mime.Link) bool {
	if l.Text == "" || l.Domain == "" || l.Picture {
		return false
	}
	m := hostLike.FindStringSubmatch(l.Text)
	if m == nil {
		return false
	}
	shown := strings.ToLower(m[1])
	if u, err := url.Parse("https://" + shown); err != nil || u.Hostname() == "" {
		return false
	}
	if suffix, known := publicsuffix.PublicSuffix(shown); !known && !strings.Contains(suffix, ".") || suffix == shown { // report.pdf is no domain
		return false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(shown)
	return err == nil && domain != l.Domain
}

var (
	method = regexp.MustCompile(`(?i)^\s*(spf|dkim|dmarc|compauth|arc)\s*=\s*([a-z]+)`)
	about  = regexp.MustCompile(`(?i)(?:header\.from|smtp\.mailfrom|header\.d)\s*=\s*"?([^\s;"]+)`)
)

// Checks are those of the topmost Authentication-Results, which the server that received the mail wrote: whatever stands below it came with
// the mail. https://www.rfc-editor.org/rfc/rfc8601
func Checks(m *mime.Message) (out []Check) {
	for _, part := range strings.Split(m.Get("Authentication-Results"), ";") {
		found := method.FindStringSubmatch(part)
		if found == nil || len(out) >= 20 {
			continue
		}
		c := Check{Method: strings.ToLower(found[1]), Result: strings.ToLower(found[2])}
		if a := about.FindStringSubmatch(part); a != nil {
			c.About = clip(a[1])
		}
		out = append(out, c)
	}
	return out
}
