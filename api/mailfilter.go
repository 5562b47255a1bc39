package api

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// mailFilter is what no index of events knows: it is looked for in their bodies, which are ours and compact.
type mailFilter struct {
	outside, inside bool
	domain          string
	mailbox, text   string
	action          string
}

func mailFilterOf(in EventsIn) mailFilter {
	low := func(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
	f := mailFilter{outside: in.From == "outside", inside: in.From == "inside", domain: strings.TrimPrefix(low(in.Domain), "@"), mailbox: low(in.Mailbox), text: low(in.Q)}
	if lookedFor(in) {
		f.action = in.Action
	}
	return f
}

// any says whether it leaves anything out.
func (f mailFilter) any() bool { return f != mailFilter{} }

var (
	fromOutside = []byte(`"is_external":true`)
	fromInside  = []byte(`"is_external":false`)
)

// fits says whether an event's body fits. Addresses and domains are kept in small letters, so most of what does not fit is
// told without decoding it.
func (f mailFilter) fits(body []byte) bool {
	if f.outside && !bytes.Contains(body, fromOutside) || f.inside && !bytes.Contains(body, fromInside) {
		return false
	}
	for _, part := range []string{f.domain, f.text} {
		if part != "" && !bytes.Contains(body, []byte(part)) {
			return false
		}
	}
	if f.domain == "" && f.mailbox == "" && f.text == "" {
		return true
	}
	var e struct {
		Payload struct {
			User string `json:"user"`
		} `json:"payload"`
		Raw struct {
			From       string   `json:"from_address"`
			FromDomain string   `json:"from_domain"`
			To         []string `json:"to_domains"`
			Cc         []string `json:"cc_domains"`
		} `json:"raw_metadata"`
	}
	if json.Unmarshal(body, &e) != nil {
		return false
	}
	user := strings.ToLower(e.Payload.User)
	switch {
	case f.domain != "" && e.Raw.FromDomain != f.domain && !slices.Contains(e.Raw.To, f.domain) && !slices.Contains(e.Raw.Cc, f.domain):
		return false
	case f.mailbox != "" && !strings.Contains(user, f.mailbox):
		return false
	case f.text != "" && !strings.Contains(e.Raw.From, f.text) && !strings.Contains(user, f.text):
		return false
	}
	return true
}
