package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// findingPayload is the payload of an event of the type FINDING: a finding as it stood when the event was made.
type findingPayload struct {
	EventID   string          `json:"event_id"`
	User      *string         `json:"user"`
	Action    string          `json:"action"` // finding_raised, finding_updated, finding_fixed, finding_decided
	Rule      string          `json:"rule"`
	Title     string          `json:"title"`
	Why       string          `json:"why"`
	Severity  tocsin.Severity `json:"severity"`
	Risk      int             `json:"risk"`
	Status    tocsin.Status   `json:"status"`
	Stage     *string         `json:"stage"`
	Attack    []string        `json:"attack"`
	Count     int64           `json:"count"`
	FirstSeen time.Time       `json:"first_seen"`
	LastSeen  time.Time       `json:"last_seen"`
}

type findingRaw struct {
	ID       string            `json:"platform_event_id"`
	Change   string            `json:"change_type"`
	Subject  string            `json:"subject"`
	Cause    *string           `json:"cause"`
	Evidence []tocsin.Evidence `json:"evidence"`
	Platform string            `json:"source_platform"`
}

// actionPayload is the payload of an event of the type ACTION: an act of ours as it stood when the event was made.
type actionPayload struct {
	EventID    string    `json:"event_id"`
	User       *string   `json:"user"`
	Action     string    `json:"action"` // revoke_sessions, disable_rule …
	State      string    `json:"state"`
	Object     *string   `json:"object"` // the name of what it touches, where that is no person
	Why        string    `json:"why"`
	Because    *string   `json:"because"`
	AskedBy    string    `json:"asked_by"`
	ApprovedBy *string   `json:"approved_by"`
	Finding    *string   `json:"finding"`
	Undoes     *string   `json:"undoes"`
	Created    time.Time `json:"created"`
	Changed    time.Time `json:"changed"`
}

type actionRaw struct {
	ID       string `json:"platform_event_id"`
	Change   string `json:"change_type"`
	Platform string `json:"source_platform"`
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// changed makes the event of a finding or an action that changed. Its id is that of the place, at every try the same.
func changed(ctx context.Context, t *store.Tenant, e *Export, th thing, kind, id string) (p parcel, there bool, err error) {
	object, change, _ := strings.Cut(kind, ".")
	p = parcel{id: tocsin.NewEventID(t.ID(), kind, id, fmt.Sprint(th.place)), at: tocsin.FromMillis(th.came), severity: 1}
	event := tocsin.Event{EventID: p.id, Source: "TOCSIN", DomainID: t.ID(), Timestamp: p.at, PlatformEventID: id, PlatformEventSource: "TOCSIN"}
	var payload, raw any
	switch object {
	case "finding":
		p.kind, p.action, event.SignalType = "FINDING", "finding_"+change, "DETECTION"
		var f findingPayload
		r := findingRaw{ID: id, Change: change, Platform: "tocsin"}
		var body, who, stage, cause string
		var first, last int64
		err = t.QueryRow(ctx, `select person, who, rule, title, why, severity, risk, status, stage, cause, subject, count, first_seen, last_seen, body from finding where tenant = $1 and id = $2`, id).
			Scan(&p.person, &who, &f.Rule, &f.Title, &f.Why, &f.Severity, &f.Risk, &f.Status, &stage, &cause, &r.Subject, &f.Count, &first, &last, &body)
		if err == nil {
			var is tocsin.Finding
			if err := json.Unmarshal([]byte(body), &is); err != nil {
				return p, false, fmt.Errorf("finding %s: %w", id, err)
			}
			f.Attack, r.Evidence = is.Attack, is.Evidence
			if f.Attack == nil {
				f.Attack = []string{}
			}
			if r.Evidence == nil {
				r.Evidence = []tocsin.Evidence{}
			}
		}
		f.EventID, f.User, f.Action, f.Stage, r.Cause = id, known(who), p.action, known(stage), known(cause)
		f.FirstSeen, f.LastSeen = tocsin.FromMillis(first), tocsin.FromMillis(last)
		p.severity = f.Severity.Rank() + 1
		payload, raw = f, r
	case "action":
		p.kind, event.SignalType = "ACTION", "RESPONSE"
		var a actionPayload
		var who, name, because, approved, finding, undoes string
		var created, changed int64
		err = t.QueryRow(ctx, `select kind, state, person, who, name, why, because, asked_email, approved_email, finding, undoes, created, changed from action where tenant = $1 and id = $2`, id).
			Scan(&a.Action, &a.State, &p.person, &who, &name, &a.Why, &because, &a.AskedBy, &approved, &finding, &undoes, &created, &changed)
		p.action = a.Action
		a.EventID, a.User, a.Object, a.Because, a.ApprovedBy, a.Finding, a.Undoes = id, known(who), known(name), known(because), known(approved), known(finding), known(undoes)
		a.Created, a.Changed = tocsin.FromMillis(created), tocsin.FromMillis(changed)
		payload, raw = a, actionRaw{ID: id, Change: a.State, Platform: "tocsin"}
	}
	if errors.Is(err, store.ErrNone) {
		return p, false, nil
	}
	if err != nil || !e.wants(p.kind, p.action, p.person) {
		return p, true, err
	}
	event.EventType, event.TUID = p.kind, tocsin.PersonID(p.person)
	if event.Payload, err = json.Marshal(payload); err != nil {
		return p, false, err
	}
	if event.RawMetadata, err = json.Marshal(raw); err != nil {
		return p, false, err
	}
	p.body, err = json.Marshal(event)
	return p, true, err
}

// sample is an event that says of itself that it is none, for trying an export out.
func sample(tenant tocsin.TenantID, now time.Time) (p parcel, err error) {
	p = parcel{id: tocsin.NewID(), kind: "EMAIL", action: "email_received", person: string(tocsin.NewPersonID(tenant, "sample@tocsin.invalid")), severity: 1, at: now.UTC().Truncate(time.Millisecond)}
	event := tocsin.Event{EventID: p.id, EventType: p.kind, Source: "OUTLOOK", SignalType: "COMMUNICATIONS", DomainID: tenant, TUID: tocsin.PersonID(p.person), Timestamp: p.at,
		PlatformEventID: "sample", PlatformEventSource: "TOCSIN_SAMPLE"}
	at := p.at.Format("2006-01-02T15:04:05.000Z")
	event.Payload = json.RawMessage(`{"event_id":"sample","user":"sample@tocsin.invalid","action":"email_received","from_domain":"example.com","is_external_sender":true,"recipient_count":1,"to_domains":["tocsin.invalid"],"cc_domains":[],"has_attachments":false,"importance":"normal","is_read":false,"conversation_id":null}`)
	event.RawMetadata = json.RawMessage(`{"platform_event_id":"sample","change_type":"created","sender":"tester@example.com","from_address":"tester@example.com","from_name":"A sample from Tocsin","to_count":1,"cc_count":0,"bcc_count":0,"to_domains":["tocsin.invalid"],"cc_domains":[],"from_domain":"example.com","is_external":true,"has_attachments":false,"importance":"normal","is_read":false,"is_draft":false,"internet_message_id":null,"conversation_id":null,"flag_status":"notFlagged","categories":[],"folder":"inbox","received_at":"` + at + `","sent_at":"` + at + `","created_at":"` + at + `","source_platform":"microsoft_outlook"}`)
	p.body, err = json.Marshal(event)
	return p, err
}
