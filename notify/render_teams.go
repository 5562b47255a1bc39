package notify

import (
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
)

// teamsMost is how large a message Teams takes, with room to spare: 28 KB
// (https://learn.microsoft.com/microsoftteams/limits-specifications-teams).
const teamsMost = 24 << 10

// teamsBody is the message as an Adaptive Card for a workflow that posts what a webhook receives
// (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook). What strangers
// wrote stands in text runs, which know no Markdown (https://adaptivecards.io/explorer/TextRun.html).
func (m *Message) teamsBody() ([]byte, error) {
	for n := min(len(m.Findings), 10); ; n-- {
		out, err := m.teamsCard(n)
		if err != nil || len(out) <= teamsMost || n <= 1 {
			return out, err
		}
	}
}

func (m *Message) teamsCard(n int) ([]byte, error) {
	body := []block{rich(run{clean(m.Headline(), 250), "Large", "Bolder", teamsHue(m.worst())})}
	if m.Test {
		body = append(body, rich(run{text: testText}))
	}
	var actions []block
	for i := range min(n, len(m.Findings)) {
		f := &m.Findings[i]
		if m.digest() {
			body = append(body, rich(run{strings.ToUpper(string(f.Severity)) + "  ", "", "Bolder", teamsHue(f.Severity)},
				run{text: clean(f.Title, 150) + " – " + clean(f.Who, 100) + ". " + clean(f.Why, 250)}))
			continue
		}
		for _, l := range f.lines() {
			body = append(body, rich(run{l.name + ": ", "", "Bolder", ""}, run{text: l.text}))
		}
		if f.URL != "" {
			actions = append(actions, block{"type": "Action.OpenUrl", "title": "Open the finding", "url": f.URL})
		}
	}
	if rest := m.Total - min(n, len(m.Findings)); rest > 0 {
		body = append(body, rich(run{text: fmt.Sprintf("And %d more.", rest)}))
	}
	if m.More != "" && m.digest() {
		actions = append(actions, block{"type": "Action.OpenUrl", "title": "All findings", "url": m.More})
	}
	card := block{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body, "msteams": block{"width": "Full"}}
	if len(actions) > 0 {
		card["actions"] = actions
	}
	return json.Marshal(block{"type": "message", "summary": clean(m.Headline(), 250),
		"attachments": []block{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}})
}

type run struct{ text, size, weight, color string }

// rich is a block of text runs.
func rich(runs ...run) block {
	var inlines []block
	for _, r := range runs {
		b := block{"type": "TextRun", "text": r.text}
		for k, v := range map[string]string{"size": r.size, "weight": r.weight, "color": r.color} {
			if v != "" {
				b[k] = v
			}
		}
		inlines = append(inlines, b)
	}
	return block{"type": "RichTextBlock", "inlines": inlines}
}

func teamsHue(s tocsin.Severity) string {
	switch s {
	case tocsin.Critical, tocsin.High:
		return "Attention"
	case tocsin.Medium:
		return "Warning"
	}
	return "Default"
}
