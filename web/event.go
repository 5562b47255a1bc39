package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// eventView is an event as its page shows it.
type eventView struct {
	api.EventDetail
	Fields []eventField // of its outward form, in words
	Steps  []eventStep
	Writer *api.Correspondent // what is known of who wrote to the mailbox; nil where nobody did, or the address is not known
}

// eventField is a field in words. Stranger says that somebody else wrote the value.
type eventField struct {
	Name, Value string
	Stranger    bool
}

// eventStep is a step on the way of an event to us, and how long it took since the one before.
type eventStep struct {
	What string
	At   time.Time
	Took string
}

func (w *web) event(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetEvent(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	v := eventView{EventDetail: d, Fields: eventFields(r.Context(), d.Body), Steps: eventSteps(d)}
	if from := writerOf(d); from != "" {
		c, err := w.svc.GetCorrespondent(r.Context(), api.CorrespondentIn{In: api.In{Tenant: p.Tenant.ID}, Address: from, Person: d.Person})
		switch {
		case err == nil:
			v.Writer = &c
		case tocsin.AsProblem(err).Code != tocsin.NotFound: // of a mailbox whose person is gone nothing is known
			return nil, err
		}
	}
	p.Title = v.title()
	return eventPage(p, v), nil
}

// writerOf is the address that wrote to the mailbox of a mail event; empty where the mailbox's own person wrote, or it is not known.
func writerOf(d api.EventDetail) string {
	var e struct {
		Raw struct {
			From string `json:"from_address"`
		} `json:"raw_metadata"`
	}
	if d.Type != "EMAIL" || d.Action == "email_sent" || d.Action == "email_drafted" || json.Unmarshal(d.Body, &e) != nil || !strings.Contains(e.Raw.From, "@") || strings.EqualFold(e.Raw.From, d.Who) {
		return ""
	}
	return e.Raw.From
}

// firstContact says whether the mail was the first between the two.
func (v eventView) firstContact() bool {
	return v.Writer != nil && v.Writer.Since != "" && (!v.Writer.Known || !v.Writer.First.Before(v.At.Add(-time.Minute)))
}

// othersKnow are the others of the tenant who know a correspondent.
func othersKnow(d api.EventDetail, c api.Correspondent) []api.CorrespondentOf {
	var out []api.CorrespondentOf
	for _, x := range c.People {
		if x.Person != d.Person {
			out = append(out, x)
		}
	}
	return out
}

func (v eventView) title() string {
	if v.Type == "EMAIL" {
		return "Mail: " + lower(mailWord(v.Action))
	}
	return v.What
}

// eventWordsOf are the fields of the outward form that a reader asks for, in their order.
var eventWordsOf = []struct {
	key, name string
	stranger  bool
}{
	{"from_address", "From", true}, {"from_name", "Writer's name", true}, {"from_domain", "Writer's domain", true}, {"is_external", "Writer is", false},
	{"to_count", "To", false}, {"cc_count", "Copy to", false}, {"bcc_count", "Blind copy to", false}, {"to_domains", "Domains of To", true}, {"cc_domains", "Domains of Copy", true},
	{"has_attachments", "Attachments", false}, {"importance", "Importance", false}, {"is_read", "Read", false}, {"is_draft", "Draft", false}, {"flag_status", "Flag", false},
	{"categories", "Categories", true}, {"folder", "Folder", false}, {"received_at", "Received", false}, {"sent_at", "Sent", false}, {"created_at", "Made", false},
	{"change_type", "Microsoft said", false}, {"internet_message_id", "Message id", true}, {"conversation_id", "Conversation", false}, {"platform_event_id", "Microsoft's id", false},
}

// eventFields are the fields of an event in words: what is null is not known, and said to be.
func eventFields(ctx context.Context, body json.RawMessage) []eventField {
	var e struct {
		Raw map[string]any `json:"raw_metadata"`
	}
	if json.Unmarshal(body, &e) != nil {
		return nil
	}
	var out []eventField
	for _, f := range eventWordsOf {
		value, there := e.Raw[f.key]
		if there {
			words := fieldWords(f.key, value)
			if at, err := time.Parse(time.RFC3339, words); err == nil {
				words = exact(ctx, at)
			}
			out = append(out, eventField{f.name, words, f.stranger && value != nil})
		}
	}
	return out
}

func fieldWords(key string, value any) string {
	switch v := value.(type) {
	case nil:
		return "not known"
	case bool:
		switch {
		case key == "is_external" && v:
			return "outside the organisation"
		case key == "is_external":
			return "inside the organisation"
		case v:
			return "yes"
		}
		return "no"
	case float64:
		if v == 0 {
			return "nobody"
		}
		return plural(int(v), "recipient", "recipients")
	case []any:
		if len(v) == 0 {
			return "none"
		}
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = fmt.Sprint(x)
		}
		return strings.Join(parts, ", ")
	}
	text := fmt.Sprint(value)
	if known := map[string]string{"notFlagged": "no", "flagged": "flagged", "complete": "done", "sentitems": "Sent Items", "drafts": "Drafts", "deleteditems": "Deleted Items", "junkemail": "Junk Email"}[text]; known != "" {
		return known
	}
	return text
}

// eventSteps are the steps on the event's way, as far as they are known.
func eventSteps(d api.EventDetail) []eventStep {
	steps := []eventStep{{What: "It happened, by Microsoft's clock", At: d.At}}
	if k := d.Known; k != nil {
		add := func(what string, at time.Time) {
			if !at.IsZero() {
				steps = append(steps, eventStep{What: what, At: at})
			}
		}
		add("Microsoft's notification was on stable storage", k.Noticed)
		add("The message was looked at", k.Looked)
		add("It stood in the tables", k.Folded)
	}
	for i := range steps[1:] {
		steps[i+1].Took = took(steps[i+1].At.Sub(steps[i].At))
	}
	return steps
}

// took is how long a step took, exactly where it was short.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "before it, by another clock"
	case d < time.Second:
		return fmt.Sprintf("%d ms later", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s later", d.Seconds())
	}
	return span(d) + " later"
}

// knownWord says how an event came to be known.
func knownWord(k *api.EventKnown) string {
	switch {
	case k == nil:
		return "How it came to be known was not kept."
	case k.By == "caught_up":
		return "Nobody told of it: it was found by looking. " + k.Because
	case k.Waited:
		return "Microsoft told of it. The message could not be looked at at once, and was looked at later."
	case k.Named > 1:
		return fmt.Sprintf("Microsoft told of it, %d times at once.", k.Named)
	}
	return "Microsoft told of it."
}
