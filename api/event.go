package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// EventDetail is an event with how it came to be known and what else there is to it.
type EventDetail struct {
	Event
	Known     *EventKnown `json:"known"`       // null of events of other sources, and of those from before this was kept
	Same      []Event     `json:"same"`        // what else happened to the same mail, the newest first
	Talk      []Event     `json:"talk"`        // what happened to other mail of the same conversation in this mailbox
	Findings  []Finding   `json:"findings"`    // those that cite it
	SameIsAll bool        `json:"same_is_all"` // false: there was too much in the mailbox to look through it all
}

// EventKnown is how an event came to be known. By is told (Microsoft said: look) or caught_up (it was found where a gap was
// closed, or when the mailbox was looked through). Times that are not known are left out.
type EventKnown struct {
	By      string          `json:"by"`
	Because string          `json:"because,omitempty"` // of caught_up: what it was looked for
	Noticed time.Time       `json:"noticed,omitzero"`  // the notification was on stable storage
	Looked  time.Time       `json:"looked,omitzero"`   // the message was asked for
	Folded  time.Time       `json:"folded,omitzero"`   // it was in the tables
	Waited  bool            `json:"waited"`            // the message could not be looked at at once
	Named   int             `json:"named"`             // how many notifications named the message at that moment
	Notice  json.RawMessage `json:"notification"`      // what is kept of the notification, under Microsoft's names; null where none told of it
}

// eventAround is how much of a mailbox is looked through for what belongs to an event.
const eventAround = 2_000

// GetEvent gives an event with all that is known of it.
func (s *Service) GetEvent(ctx context.Context, in ByID) (EventDetail, error) {
	return view(ctx, s, "events get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (EventDetail, error) {
		var d EventDetail
		var r eventRow
		var known string
		err := t.QueryRow(ctx, "select "+eventColumns+", known from event where tenant = $1 and id = $2", in.ID).Scan(append(r.fields(), &known)...)
		if errors.Is(err, store.ErrNone) {
			return d, notFound("event")
		}
		if err != nil {
			return d, err
		}
		views, err := eventViews(ctx, t, []eventRow{r})
		if err != nil {
			return d, err
		}
		d.Event = views[0]
		native, talk := nativeOf(d.Body)
		if d.Known, err = eventKnown(known, t.ID(), native); err != nil {
			return d, err
		}
		if err := d.around(ctx, t, native, talk); err != nil {
			return d, err
		}
		d.Findings, err = citing(ctx, t, d.Person, d.ID)
		return d, err
	})
}

// nativeOf are the mail's own id and its conversation's; empty where an event has none.
func nativeOf(body json.RawMessage) (id, conversation string) {
	var e struct {
		ID      string `json:"platform_event_id"`
		Payload struct {
			Conversation string `json:"conversation_id"`
		} `json:"payload"`
	}
	if json.Unmarshal(body, &e) != nil {
		return "", ""
	}
	return e.ID, e.Payload.Conversation
}

func eventKnown(text string, tenant tocsin.TenantID, native string) (*EventKnown, error) {
	if text == "" {
		return nil, nil
	}
	var k collect.Known
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return nil, err
	}
	out := &EventKnown{By: k.By, Because: k.Because, Noticed: tocsin.FromMillis(k.Noticed), Looked: tocsin.FromMillis(k.Looked), Folded: tocsin.FromMillis(k.Folded), Waited: k.Waited, Named: k.Named}
	if k.By != "told" {
		return out, nil
	}
	type resource struct {
		ID   string `json:"id"`
		Etag string `json:"@odata.etag,omitempty"`
	}
	var err error
	out.Notice, err = json.Marshal(struct {
		Subscription string          `json:"subscriptionId,omitempty"`
		Tenant       tocsin.TenantID `json:"tenantId"`
		Change       string          `json:"changeType,omitempty"`
		Resource     resource        `json:"resourceData"`
	}{k.Sub, tenant, k.Change, resource{native, k.Etag}})
	return out, err
}

// around looks through the mailbox, a month back from a month after the event, for what belongs to it.
func (d *EventDetail) around(ctx context.Context, t *store.Tenant, native, talk string) error {
	d.Same, d.Talk, d.SameIsAll = []Event{}, []Event{}, true
	if native == "" || d.Person == "" {
		return nil
	}
	const month = 30 * 24 * time.Hour
	q := (&query{}).add("select "+eventColumns+" from event where tenant = $1 and person = ? and at >= ? and at < ? order by at desc limit ?",
		d.Person, d.At.Add(-month), d.At.Add(month), eventAround)
	rows, err := t.Query(ctx, q.text.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var same, other []eventRow
	n := 0
	for rows.Next() {
		var r eventRow
		if err := rows.Scan(r.fields()...); err != nil {
			return err
		}
		n++
		switch {
		case r.ID == d.ID:
		case strings.Contains(r.body, `"`+native+`"`):
			same = append(same, r)
		case talk != "" && len(other) < 20 && strings.Contains(r.body, `"`+talk+`"`):
			other = append(other, r)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	d.SameIsAll = n < eventAround
	if d.Same, err = eventViews(ctx, t, same[:min(len(same), 50)]); err != nil {
		return err
	}
	d.Talk, err = eventViews(ctx, t, other)
	return err
}

// citing are the findings about a person whose evidence names the event.
func citing(ctx context.Context, t *store.Tenant, person tocsin.PersonID, event string) ([]Finding, error) {
	q := (&query{}).add("select " + findingColumns + ", body from finding where tenant = $1")
	if person != "" {
		q.add(" and person = ?", person)
	}
	q.add(" order by last_seen desc limit 200")
	type row struct {
		findingRow
		body string
	}
	rows, err := find(ctx, t, q, func(r *row) []any { return append(r.fields(), &r.body) })
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return !strings.Contains(r.body, `"`+event+`"`) })
	found := make([]findingRow, len(rows))
	for i, r := range rows {
		found[i] = r.findingRow
	}
	return findingViews(ctx, t, found)
}
