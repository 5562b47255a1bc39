package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ListEvents lists what happened, newest first.
func (s *Service) ListEvents(ctx context.Context, in EventsIn) (Page[Event], error) {
	return view(ctx, s, "events list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Event], error) {
		p, err := listEvents(ctx, t, in)
		if err != nil || mailFilterOf(in).any() || in.Person != "" && in.Type == "EMAIL" {
			return p, err // nobody knows how many there are without looking at each
		}
		return total(in.Paging, p, func() (int, bool, error) {
			from := (&query{}).add("event where tenant = $1")
			eventFilters(from, in)
			return counted(ctx, t, from)
		})
	})
}

func eventFilters(q *query, in EventsIn) {
	if in.Person != "" {
		q.add(" and person = ?", in.Person)
	}
	if in.Type != "" {
		q.add(" and type = ?", in.Type)
	}
	if in.Person != "" && in.Type != "" && in.Type != "EMAIL" {
		q.add(" and type <> 'EMAIL'") // it is rare, and there is an index of what is
	}
	if in.Action != "" && !lookedFor(in) {
		q.add(" and action = ?", in.Action)
	}
	if !in.Since.IsZero() {
		q.add(" and at >= ?", in.Since)
	}
	if !in.Until.IsZero() {
		q.add(" and at < ?", in.Until)
	}
}

// lookedFor says whether an action is looked for among others: of mail by far the most events are, and some actions are rare.
func lookedFor(in EventsIn) bool {
	return in.Action != "" && (in.Type == "EMAIL" || in.Type == "") && in.Person == ""
}

// eventRow is a row of the table.
type eventRow struct {
	Event
	at   int64
	body string
}

const eventColumns = "id, at, type, action, person, body"

func (r *eventRow) fields() []any {
	return []any{&r.ID, &r.at, &r.Type, &r.Action, &r.Person, &r.body}
}

// append puts the event behind dst in the form that subscribers receive.
func (r *eventRow) append(dst []byte, tenant tocsin.TenantID) []byte {
	is := tocsin.EventRow{Tenant: tenant, ID: r.ID, At: r.at, Action: r.Action, Person: r.Person, Body: r.body}
	return is.AppendJSON(dst)
}

// lookedThrough is how many events are looked through at once for what no index knows; lookFor how long that may take, and
// lookOn how long where somebody has asked to look further back. The first lookedAtLeast are looked through however long it takes.
const (
	lookedThrough = 20_000
	lookedAtLeast = 500
	lookFor       = 30 * time.Millisecond
	lookOn        = 400 * time.Millisecond
)

func listEvents(ctx context.Context, t *store.Tenant, in EventsIn) (Page[Event], error) {
	var p Page[Event]
	after, err := parseCursor(in.After, "events", 2)
	if err != nil {
		return p, err
	}
	if err := mailboxAsked(ctx, t, &in); err != nil {
		return p, err
	}
	n, filter := in.limit(), mailFilterOf(in)
	place := func(r eventRow) string { return cursor("events", r.at, r.ID) }
	from := func(at int64, id string, begins bool, limit int) *query {
		q := (&query{}).add("select " + eventColumns + " from event where tenant = $1")
		eventFilters(q, in)
		if !begins {
			q.add(" and (at, id) < (?, ?)", at, id)
		}
		return q.add(" order by at desc, id desc limit ?", limit)
	}
	var rows []eventRow
	if !filter.any() {
		rows, err = find(ctx, t, from(after.number(0), after.text(1), after.begins(), n+1), (*eventRow).fields)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, place)
		rows, p.Next = pieces.Items, pieces.Next
	} else {
		within := lookFor
		if !after.begins() {
			within = lookOn
		}
		if rows, p.Next, err = eventsThrough(ctx, t, filter, n, from(after.number(0), after.text(1), after.begins(), lookedThrough), place, time.Now().Add(within)); err != nil {
			return p, err
		}
	}
	p.Items, err = eventViews(ctx, t, rows)
	return p, err
}

// mailboxAsked puts the person in the place of a mailbox that is named whole: of a person there is an index.
func mailboxAsked(ctx context.Context, t *store.Tenant, in *EventsIn) error {
	address := strings.TrimSpace(in.Mailbox)
	if !strings.Contains(address, "@") || in.Person != "" {
		return nil
	}
	person, err := personNamed(ctx, t, tocsin.PersonID(address))
	if p := tocsin.AsProblem(err); err != nil && p.Code == tocsin.NotFound {
		return nil
	}
	if err == nil {
		in.Person, in.Mailbox = person, ""
	}
	return err
}

// eventsThrough looks through what q gives for events that fit the filter, until there are n of them or it takes too long; next
// is where it ended.
func eventsThrough(ctx context.Context, t *store.Tenant, filter mailFilter, n int, q *query, place func(eventRow) string, until time.Time) (rows []eventRow, next string, err error) {
	found, err := t.Query(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, "", err
	}
	defer found.Close()
	looked := 0
	var body []byte
	for found.Next() {
		var r eventRow
		if err := found.Scan(r.fields()...); err != nil {
			return nil, "", err
		}
		looked++
		if filter.action == "" || r.Action == filter.action {
			if body = r.append(body[:0], t.ID()); filter.fits(body) {
				rows = append(rows, r)
			}
		}
		if len(rows) == n || looked == lookedThrough || looked >= lookedAtLeast && looked%100 == 0 && time.Now().After(until) {
			return rows, place(r), found.Err()
		}
	}
	return rows, "", found.Err()
}

// eventViews are rows as they are shown.
func eventViews(ctx context.Context, t *store.Tenant, rows []eventRow) ([]Event, error) {
	people := map[tocsin.PersonID]bool{}
	for _, r := range rows {
		people[r.Person] = true
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return nil, err
	}
	out := make([]Event, len(rows))
	for i, r := range rows {
		r.At, r.Body, r.What = tocsin.FromMillis(r.at), rawJSON(string(r.append(nil, t.ID()))), eventWords(r.Action)
		r.Who, r.Name = names[r.Person].address, names[r.Person].name
		if r.Type == "EMAIL" {
			r.What = mailPhrase(r.Body)
		}
		if r.Type == "FOLDER" {
			r.What = cmp.Or(folderPhrase(r.Action, r.Body), r.What)
		}
		if r.Type == "SIGN_IN" || r.Type == "AUDIT" {
			r.What = cmp.Or(entraPhrase(r.Type, r.Body), r.What)
		}
		out[i] = r.Event
	}
	return out, changesOf(ctx, t, out)
}

// mailPhrase says of an event of mail from whom to whom it was.
func mailPhrase(body json.RawMessage) string {
	var e struct {
		Raw struct {
			From        string   `json:"from_address"`
			To          *int     `json:"to_count"`
			Cc          int      `json:"cc_count"`
			Bcc         int      `json:"bcc_count"`
			ToDomains   []string `json:"to_domains"`
			CcDomains   []string `json:"cc_domains"`
			Attachments *bool    `json:"has_attachments"`
			Folder      string   `json:"folder"`
			FolderName  string   `json:"folder_name"`
			FromFolder  string   `json:"from_folder_name"`
			Rule        string   `json:"rule_id"`
			Act         string   `json:"action_id"`
		} `json:"raw_metadata"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	m := e.Raw
	if m.To == nil {
		return "A message that was gone before it could be looked at"
	}
	from := cmp.Or(m.From, "nobody that is named")
	out := "From " + from
	if n := *m.To + m.Cc + m.Bcc; n > 0 {
		out += " to " + plural(n, "recipient")
		domains := append(slices.Clone(m.ToDomains), m.CcDomains...)
		slices.Sort(domains)
		if domains = slices.Compact(domains); len(domains) > 3 {
			out += fmt.Sprintf(" at %s and %d more domains", strings.Join(domains[:2], ", "), len(domains)-2)
		} else if len(domains) > 0 {
			out += " at " + joined(domains)
		}
	}
	if m.Attachments != nil && *m.Attachments {
		out += ", with attachments"
	}
	if where := map[string]string{"deleteditems": "now in Deleted Items", "junkemail": "in Junk Email", "drafts": "in Drafts"}[m.Folder]; where != "" {
		out += ", " + where
	} else if m.FromFolder != "" && m.FolderName != "" {
		out += ", from " + m.FromFolder + " to " + m.FolderName
	}
	if m.Rule != "" {
		out += ", by an inbox rule"
	}
	if m.Act != "" {
		out += ", by an action from here"
	}
	return out
}

// entraPhrase says of a sign-in from where and with what it was, of a change of the directory what was changed and by whom.
func entraPhrase(kind string, body json.RawMessage) string {
	var e struct {
		Payload struct {
			User    string `json:"user"`
			Name    string `json:"name"`
			Target  string `json:"target"`
			Object  string `json:"object"`
			App     string `json:"app"`
			IP      string `json:"ip"`
			Country string `json:"country"`
			City    string `json:"city"`
			MFA     string `json:"mfa"`
			Risk    string `json:"risk"`
			Error   string `json:"error"`
			Result  string `json:"result"`
		} `json:"payload"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	p := e.Payload
	if kind == "AUDIT" {
		out := p.Name
		if what := cmp.Or(p.Target, p.Object); what != "" {
			out += ": " + what
		}
		if p.User != "" {
			out += ", by " + p.User
		}
		return out
	}
	from := "From " + cmp.Or(strings.Join(slices.DeleteFunc([]string{p.City, p.Country}, func(s string) bool { return s == "" }), ", "), "a place that is not known")
	if p.IP != "" {
		from += " (" + p.IP + ")"
	}
	if p.App != "" {
		from += " with " + p.App
	}
	switch p.MFA {
	case "asked":
		from += ", second factor given"
	case "claim":
		from += ", second factor given before"
	case "refused":
		from += ", second factor not given"
	case "single":
		from += ", one factor"
	}
	if p.Result == "failure" && p.Error != "" {
		from += ", refused (" + p.Error + ")"
	}
	if p.Risk != "" && p.Risk != "hidden" {
		from += ", risk " + p.Risk
	}
	return from
}

// folderPhrase says of an event of a folder which it was, and what became of it.
func folderPhrase(action string, body json.RawMessage) string {
	var e struct {
		Payload struct {
			Name     string `json:"folder_name"`
			Parent   string `json:"parent_folder_name"`
			Hidden   bool   `json:"is_hidden"`
			WasName  string `json:"previous_folder_name"`
			WasUnder string `json:"previous_parent_folder_name"`
		} `json:"payload"`
	}
	if json.Unmarshal(body, &e) != nil || e.Payload.Name == "" {
		return ""
	}
	p := e.Payload
	out := "Folder “" + p.Name + "”"
	if p.Hidden {
		out = "Hidden folder “" + p.Name + "”"
	}
	switch action {
	case "folder_renamed":
		return out + ", which was called “" + p.WasName + "”"
	case "folder_moved":
		if p.WasUnder != "" {
			out += " from “" + p.WasUnder + "”"
		}
		return out + " to “" + cmp.Or(p.Parent, "a folder that is not known") + "”"
	}
	if p.Parent != "" {
		out += " in “" + p.Parent + "”"
	}
	return out
}

// changesOf adds to events of rules which rule it was, and what changed; the history has each under its event's id.
func changesOf(ctx context.Context, t *store.Tenant, events []Event) error {
	var ids, people []any
	at := map[string]int{}
	for i, e := range events {
		if e.Type == "RULE" {
			ids, people = append(ids, e.ID), append(people, string(e.Person))
			at[e.ID] = i
		}
	}
	if len(ids) == 0 {
		return nil
	}
	q := &query{}
	q.add("select id, rule, before, after from rule_change where tenant = $1 and person in (" + q.in(people...) + ") and id in (" + q.in(ids...) + ")")
	type row struct{ id, rule, before, after string }
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.id, &r.rule, &r.before, &r.after} })
	for _, r := range rows {
		before, err1 := ruleThen(r.before)
		after, err2 := ruleThen(r.after)
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("history of rule %s: %w", r.rule, err)
		}
		e := &events[at[r.id]]
		e.Rule = r.rule
		if now := cmp.Or(after, before); now != nil {
			e.RuleIs = ruleNamed(now.Name)
		}
		e.What = changePhrase(e.What, before, after)
	}
	return err
}

// changePhrase says what changed in a rule, at most three of its properties; of one that was made or deleted, what it does.
func changePhrase(otherwise string, before, after *tocsin.MailRule) string {
	switch {
	case before == nil && after == nil:
		return otherwise
	case before == nil:
		return "Made: " + summary(*after)
	case after == nil:
		return "Deleted: " + summary(*before)
	}
	var parts []string
	for _, d := range diff(before, after) {
		switch {
		case d.Mark == "same":
		case d.Label == "State":
			parts = append(parts, "switched "+d.After)
		case d.Mark == "removed":
			parts = append(parts, d.Label+": no longer "+d.Before)
		case d.Mark == "added":
			parts = append(parts, d.Label+": "+d.After)
		default:
			parts = append(parts, d.Label+": "+d.Before+" → "+d.After)
		}
	}
	if len(parts) == 0 {
		return otherwise
	}
	if n := len(parts); n > 3 {
		parts = append(parts[:3], fmt.Sprintf("and %d more", n-3))
	}
	return strings.Join(parts, "; ")
}
