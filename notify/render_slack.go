package notify

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Slack's limits: https://docs.slack.dev/reference/block-kit/blocks – 50 blocks, 150 characters in a header, 3,000 in a
// section, 75 on a button, 3,000 in its address.
const (
	slackHeader  = 150
	slackSection = 2900
)

type block map[string]any

// plainText is text in which Slack marks nothing up: no link, no mention, no emoji.
func plainText(s string) block { return block{"type": "plain_text", "text": s, "emoji": false} }

// slackEscape is text for where Slack does mark up: & < > are the characters that begin something
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// slackBody is the message for an incoming webhook. What strangers wrote stands in plain_text only; text is what
// notifications show.
func (m *Message) slackBody() ([]byte, error) {
	blocks := []block{{"type": "header", "text": plainText(clean(m.Headline(), slackHeader-1))}}
	if m.Test {
		blocks = append(blocks, block{"type": "section", "text": plainText(testText)})
	}
	n := len(m.Findings)
	if m.digest() {
		n = min(n, 10)
	}
	for i := range n {
		blocks = append(blocks, m.Findings[i].slack(m.digest())...)
	}
	if rest := m.Total - n; rest > 0 {
		blocks = append(blocks, block{"type": "section", "text": plainText(fmt.Sprintf("And %d more.", rest))})
	}
	if m.More != "" && m.digest() {
		blocks = append(blocks, slackButton("All findings", m.More))
	}
	return json.Marshal(map[string]any{"text": slackEscape(clean(m.Headline(), 300)), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

// slack is a finding in blocks: one where it is one of many.
func (f *Finding) slack(short bool) []block {
	var text strings.Builder
	if short {
		fmt.Fprintf(&text, "%s  %s – %s\n%s", strings.ToUpper(string(f.Severity)), clean(f.Title, 200), clean(f.Who, 100), clean(f.Why, 300))
		b := block{"type": "section", "text": plainText(clip(text.String(), slackSection))}
		if f.URL != "" {
			b["accessory"] = block{"type": "button", "text": plainText("Open"), "url": f.URL}
		}
		return []block{b}
	}
	for _, l := range f.lines() {
		fmt.Fprintf(&text, "%s: %s\n", l.name, l.text)
	}
	out := []block{{"type": "section", "text": plainText(clip(text.String(), slackSection))}}
	if f.URL != "" {
		out = append(out, slackButton("Open the finding", f.URL))
	}
	return out
}

func slackButton(text, url string) block {
	return block{"type": "actions", "elements": []block{{"type": "button", "text": plainText(text), "url": url}}}
}

// clip is s of at most so many characters, with its lines.
func clip(s string, most int) string {
	s = strings.TrimRight(s, "\n")
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}
