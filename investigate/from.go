package investigate

import (
	"net/url"
	"slices"
	"strings"

	"tocsin.dev/mail"
)

// Made is a query that was made of a message.
type Made struct {
	Query, Name, Subject, Sender string
	Terms                        []string // what it looks for, a sentence each
	Lacks                        []string // what of the message could not be read
}

// mostOf is how many links and files of a message a query names.
const mostOf = 5

// everybodys are domains to which links of innocent mail lead: they say nothing of a campaign.
var everybodys = []string{"microsoft.com", "office.com", "live.com", "outlook.com", "aka.ms", "google.com", "gmail.com", "goo.gl", "youtube.com", "facebook.com", "linkedin.com", "twitter.com", "x.com", "instagram.com",
	"apple.com", "amazon.com", "w3.org", "adobe.com", "gstatic.com", "googleapis.com", "windows.net", "sharepoint.com", "bit.ly", "t.co", "tinyurl.com"}

// FromMail makes a query of a message: that finds itself, its near copies by what they lead to and carry, and others of the same words by the
// same sender. own are the organisation's domains, to which links say nothing.
func FromMail(m *mail.Message, own []string) Made {
	made := Made{Subject: m.Subject, Lacks: slices.Clone(m.Faults)}
	for _, a := range m.From {
		if made.Sender == "" {
			made.Sender = strings.ToLower(strings.TrimSpace(a.Address))
		}
	}
	id := m.MessageID
	var hosts, files []string
	for _, l := range m.Links {
		d := strings.ToLower(l.Domain)
		if d == "" || l.Picture || slices.Contains(everybodys, d) || slices.Contains(own, d) || slices.Contains(hosts, d) || len(hosts) == mostOf || strings.ContainsAny(d, `:[] "`) {
			continue
		}
		hosts = append(hosts, d)
	}
	for _, a := range m.Attachments {
		if !a.Inline && a.SHA256 != "" && !slices.Contains(files, a.SHA256) && len(files) < mostOf {
			files = append(files, a.SHA256)
		}
	}
	return made.of(id, hosts, files)
}

// FromMatch makes a query of a message as an investigation found it.
func FromMatch(m *Match, own []string) Made {
	made := Made{Subject: m.Subject, Sender: m.Sender}
	var hosts, files []string
	for _, l := range m.Links {
		if u, err := url.Parse(l); err == nil {
			h := strings.ToLower(u.Hostname())
			if h != "" && !strings.Contains(h, ":") && !slices.ContainsFunc(append(own, everybodys...), func(d string) bool { return h == d || strings.HasSuffix(h, "."+d) }) && !slices.Contains(hosts, h) && len(hosts) < mostOf {
				hosts = append(hosts, h)
			}
		}
	}
	for _, a := range m.Attachments {
		if a.SHA256 != "" && len(files) < mostOf {
			files = append(files, a.SHA256)
		}
	}
	if len(m.Links)+len(m.Attachments) == 0 {
		made.Lacks = append(made.Lacks, "Its text was not read when it was found, so links and attachments are not among what is looked for.")
	}
	return made.of(strings.Trim(m.InternetMessageID, "<>"), hosts, files)
}

// FromEnvelope makes a query of what the stream told of a message: its id, its sender.
func FromEnvelope(messageID, sender string) Made {
	made := Made{Sender: strings.ToLower(sender), Lacks: []string{"The stream tells metadata only: subject, links and attachments are not among what is looked for."}}
	return made.of(strings.Trim(messageID, "<>"), nil, nil)
}

// of puts the terms together.
func (m Made) of(id string, hosts, files []string) Made {
	var terms []string
	add := func(term, says string) {
		terms = append(terms, term)
		m.Terms = append(m.Terms, says)
	}
	if id != "" && !strings.ContainsAny(id, "\" \t") {
		add(`messageid:"`+id+`"`, "This very mail, in every mailbox that got it.")
	}
	words := quotable(m.Subject)
	sender := m.Sender
	if strings.ContainsAny(sender, "\" \t()") {
		sender = ""
	}
	switch {
	case sender != "" && words != "":
		add(`(from:`+sender+` AND subject:"`+words+`")`, "Mail from "+sender+" with the same subject.")
	case words != "" && len(strings.Fields(words)) >= leastWords:
		add(`subject:"`+words+`"`, "Mail with the same subject.")
	case sender != "" && id == "":
		add(`from:`+sender, "Mail from "+sender+".")
	}
	for _, h := range hosts {
		add(`url.domain:`+h, "Mail with a link to "+h+".")
	}
	for _, f := range files {
		add(`attachment.sha256:`+f, "Mail with just the same file.")
	}
	m.Query = strings.Join(terms, " OR ")
	m.Name = "Like “" + m.Subject + "”"
	if strings.TrimSpace(m.Subject) == "" {
		m.Name = "Like a mail from " + m.Sender
	}
	if r := []rune(m.Name); len(r) > 120 {
		m.Name = string(r[:119]) + "…"
	}
	return m
}

// quotable is a subject as a phrase in quotes, without what answering and forwarding put before it.
func quotable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r < ' ' {
			return ' '
		}
		return r
	}, s)
	for {
		head, rest, ok := strings.Cut(s, ":")
		if !ok || !slices.Contains([]string{"re", "fw", "fwd", "aw", "wg", "sv", "tr", "antw"}, strings.ToLower(strings.TrimSpace(head))) {
			break
		}
		s = rest
	}
	return strings.Join(strings.Fields(s), " ")
}
