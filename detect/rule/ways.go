package rule

import (
	"slices"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Way is a way by which a mailbox's mail goes on.
type Way struct {
	Kind  string       `json:"kind"` // rule, mailbox, auto_reply
	ID    string       `json:"id,omitempty"`
	Name  string       `json:"name,omitempty"` // the rule's, or the parameter's
	To    string       `json:"to"`
	Place detect.Place `json:"place"`
	Since int64        `json:"since,omitempty"` // Unix milliseconds; 0: it was so when we first looked
	Every bool         `json:"every,omitempty"` // all mail, not only some
}

// mostWays is how many ways are told of a mailbox, the worst first.
const mostWays = 20

// Ways are the ways by which a mailbox's mail goes on, as its rules, its settings and its automatic reply have it; the worst
// first.
func Ways(o *detect.Org, m *detect.Mailbox) []Way {
	var out []Way
	for _, w := range forwardings(m) {
		if !w.sleeping {
			place, _ := ForwardingPlace(o, m.Address, w.to)
			out = append(out, Way{Kind: "mailbox", Name: w.form, To: w.to, Place: place, Since: tocsin.Millis(w.Since), Every: true})
		}
	}
	for i := range m.Rules {
		r := &m.Rules[i]
		if r.Deleted() || !r.Enabled {
			continue
		}
		for _, to := range r.Targets() {
			place, _ := ForwardingPlace(o, m.Address, to.Canonical())
			out = append(out, Way{Kind: "rule", ID: r.ID, Name: r.Name, To: to.Canonical(), Place: place, Since: tocsin.Millis(r.FirstSeen), Every: detect.RuleBreadth(&r.MailRule) == detect.Every})
		}
	}
	if a := m.AutoReply; a != nil && a.Status != "disabled" && a.Status != "" {
		for _, f := range judgeAutoReply(o.For(&autoReply), m) {
			out = append(out, Way{Kind: "auto_reply", Name: a.Status, To: f.Evidence[0].Raw, Place: detect.Outside})
		}
	}
	rank := func(w Way) int {
		return slices.Index([]detect.Place{detect.Outside, detect.Unknown, detect.Inside, detect.Partner}, w.Place)
	}
	slices.SortStableFunc(out, func(a, b Way) int { return rank(a) - rank(b) })
	return out[:min(len(out), mostWays)]
}
