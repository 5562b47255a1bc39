package rule

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var autoReply = detect.Meta{
	Name: "auto-reply-foreign-address", Title: "An automatic reply leads people to a foreign address", Family: "automatic replies",
	Severity: tocsin.Low, Attack: []string{"T1566"}, Stage: "lateral_movement",
	Says: "A mailbox's automatic reply is on and holds a mail address or link in a domain that is neither yours nor a partner's: whoever writes to the person is sent " +
		"to somebody else, in the person's name.",
	FalsePositives: "A private address, a hotel's or an organiser's page, links in a signature.",
	Fix:            "Read the reply; if the owner did not write it, switch it off and revoke the sessions.",
	Actions:        []string{"revoke_sessions"}, Source: "mailbox_settings",
}

// commonHosts are sites that signatures link to; nothing can be made of them.
var commonHosts = map[string]bool{
	"linkedin.com": true, "facebook.com": true, "twitter.com": true, "x.com": true, "instagram.com": true, "youtube.com": true, "xing.com": true, "microsoft.com": true,
	"office.com": true, "aka.ms": true, "w3.org": true, "maps.google.com": true, "wikipedia.org": true, "teams.live.com": true,
}

// shorteners hide where a link leads.
var shorteners = map[string]bool{
	"bit.ly": true, "t.co": true, "tinyurl.com": true, "goo.gl": true, "is.gd": true, "ow.ly": true, "rb.gy": true, "cutt.ly": true, "t.ly": true, "rebrand.ly": true, "shorturl.at": true,
}

func judgeAutoReply(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
	a := m.AutoReply
	if a == nil || a.Status == "disabled" || a.Status == "" || a.Status == "scheduled" && !a.End.IsZero() && a.End.Before(o.Now) {
		return nil
	}
	var terms detect.Terms
	var foreign []string
	unsure := false
	for _, l := range a.Links {
		points, why, place := judgeLink(o, m, l)
		if points == 0 {
			continue
		}
		unsure = unsure || place == detect.Unknown
		foreign = append(foreign, l)
		if len(terms) == 0 || points > terms[0].Points { // the worst one counts
			terms = detect.Terms{{Points: points, Why: why}}
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	if n := len(foreign); n > 1 {
		terms.Add(min(10, 3*(n-1)), fmt.Sprintf("%d such addresses", n))
	}
	if a.Audience == "none" {
		terms.Add(-10, "only people inside get the reply")
	}
	if unsure {
		terms.Add(-15, "your accepted domains are not known")
	}
	f := autoReplyFinding(m, foreign)
	return []tocsin.Finding{*scored(f, terms, fmt.Sprintf("The automatic reply of %s leads to %s, %s.", m.Address, some(foreign), outside(o, placeOf(unsure))))}
}

func placeOf(unsure bool) detect.Place {
	if unsure {
		return detect.Unknown
	}
	return detect.Outside
}

// autoReplyFinding has no time: nothing tells when the reply was written, only from when it shall be sent.
func autoReplyFinding(m *detect.Mailbox, foreign []string) *tocsin.Finding {
	f := autoReply.Finding(m.Person, m.Address, string(m.Person), time.Time{})
	slices.Sort(foreign)
	for _, l := range foreign {
		f.Evidence = append(f.Evidence, tocsin.Evidence{ID: string(m.Person), Source: "mailbox_settings", What: "in the automatic reply", Raw: l})
	}
	return &f
}

// judgeLink judges an address or URL of a reply; zero points where it is nothing foreign.
func judgeLink(o *detect.Org, m *detect.Mailbox, l string) (points int, why string, place detect.Place) {
	l = strings.TrimPrefix(l, "mailto:")
	if !strings.Contains(l, "://") && strings.Contains(l, "@") {
		a := tocsin.Address{Address: l}
		place = o.Where(m.Address, a)
		if place == detect.Inside || place == detect.Partner {
			return 0, "", place
		}
		if own, ok := o.Resembles(l); ok {
			return 65, l + " looks like your own domain " + own, place
		}
		return 30, "people are sent to " + l, place
	}
	host := hostOf(l)
	if host == "" || common(host) {
		return 0, "", detect.Inside
	}
	place = o.PlaceOfHost(m.Address, host)
	if place == detect.Inside || place == detect.Partner {
		return 0, "", place
	}
	if own, ok := o.Resembles("x@" + host); ok {
		return 65, host + " looks like your own domain " + own, place
	}
	if shorteners[host] {
		return 35, "a link that hides where it leads: " + host, place
	}
	return 20, "a link to " + host, place
}

func hostOf(l string) string {
	if !strings.Contains(l, "://") {
		l = "https://" + l
	}
	u, err := url.Parse(l)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func common(host string) bool {
	for h := host; h != ""; {
		if commonHosts[h] {
			return true
		}
		_, rest, more := strings.Cut(h, ".")
		if !more {
			break
		}
		h = rest
	}
	return false
}
