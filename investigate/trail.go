package investigate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// What is known of a question about a message.
const (
	TrailYes     = "yes"
	TrailNo      = "no"
	TrailUnknown = "unknown"
)

// Trail is what became of a mail with one person: sent to them, delivered, opened, answered, forwarded.
type Trail struct {
	Person    tocsin.PersonID // empty where the address is nobody's here
	Address   string
	Mail      string // internet message id
	Subject   string
	Sender    string
	Received  time.Time
	Delivery  string // as the message trace has it; empty: it was not asked, or did not tell
	Here      string // found, gone (it was, or was delivered, and is no longer there), unknown
	Opened    string
	Replied   string
	Forwarded string
	When      []Step
	Match     string
	Because   string // why something is unknown

	message, object string
}

// Step is an event of a trail.
type Step struct {
	At    time.Time
	What  string // traced, received, opened, moved, replied, forwarded, deleted
	Event string
}

// TrailFilter says which trails are asked for.
type TrailFilter struct {
	Mail   string // only this mail, by its internet message id
	Person tocsin.PersonID
	After  [2]string // behind this address and mail
	Limit  int
}

// Trails follows what an investigation found: everybody who has it, and everybody to whom it went by the message trace. How the messages are
// now is asked of Graph, where it answers; what cannot be known is said so.
func (d *Desk) Trails(ctx context.Context, tenant tocsin.TenantID, investigation string, f TrailFilter) ([]Trail, error) {
	var out []Trail
	var v *Investigation
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if v, err = Get(ctx, t, investigation); err != nil {
			return err
		}
		out, err = trails(ctx, t, investigation, f)
		return err
	})
	if err != nil || len(out) == 0 {
		return out, err
	}
	d.ask(graph.WithPriority(ctx, graph.High), tenant, v.Connection, out)
	if f.Person == "" {
		return out, nil
	}
	return out, d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error { return steps(ctx, t, out) })
}

func trails(ctx context.Context, t *store.Tenant, investigation string, f TrailFilter) (out []Trail, err error) {
	where, args := "", []any{investigation, f.After[0], f.After[1]}
	if f.Mail != "" {
		args = append(args, f.Mail)
		where += fmt.Sprintf(" and x.mail = $%d", len(args)+1)
	}
	if f.Person != "" {
		args = append(args, string(f.Person))
		where += fmt.Sprintf(" and x.person = $%d", len(args)+1)
	}
	q := `select x.person, x.address, x.mail, x.subject, x.sender, x.received, x.match_id, x.message, x.status, coalesce(p.object_id, ''), x.opened from (
		select m.tenant, m.person, m.address, m.internet_message_id as mail, m.subject, m.sender, m.received, m.id as match_id, m.message, m.is_read as opened,
			coalesce((select min(c.status) from mail_trace c where c.tenant = m.tenant and c.investigation = m.investigation and c.internet_message_id = m.internet_message_id and c.person = m.person), '') as status
			from mail_match m where m.tenant = $1 and m.investigation = $2 and m.direction = 'received'
		union all select c.tenant, c.person, c.recipient, c.internet_message_id, c.subject, c.sender, c.received, '', '', false, c.status from mail_trace c where c.tenant = $1 and c.investigation = $2
			and not exists (select 1 from mail_match m where m.tenant = c.tenant and m.investigation = c.investigation and m.person = c.person and m.internet_message_id = c.internet_message_id)) x
		left join person p on p.tenant = x.tenant and p.person = x.person where x.tenant = $1 and (x.address > $3 or x.address = $3 and x.mail > $4)` + where
	q += fmt.Sprintf(` order by x.address, x.mail limit $%d`, len(args)+2)
	rows, err := t.Query(ctx, q, append(args, f.Limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := Trail{Here: TrailUnknown, Opened: TrailUnknown, Replied: TrailUnknown, Forwarded: TrailUnknown}
		var received int64
		var opened bool
		if err := rows.Scan(&v.Person, &v.Address, &v.Mail, &v.Subject, &v.Sender, &received, &v.Match, &v.message, &v.Delivery, &v.object, &opened); err != nil {
			return nil, err
		}
		v.Received = tocsin.FromMillis(received)
		if v.Match != "" {
			v.Here = Found
			if opened {
				v.Opened = TrailYes
			}
		} else {
			v.Because = "It went to this address, and no search has met it there: it was deleted for good, is in an archive, or its mailbox was not searched."
			if v.Person == "" {
				v.Because = "The address is nobody's whose mailbox is known here: a group, a contact, or somebody outside."
			}
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// ask asks Graph how the messages are now: whether they were read, and what was last done with them.
func (d *Desk) ask(ctx context.Context, tenant tocsin.TenantID, connection string, all []Trail) {
	way, err := d.Ways(ctx, tenant, connection, CanSearch)
	var parts []graph.Part
	var of []*Trail
	for i := range all {
		if v := &all[i]; v.message != "" && v.object != "" {
			parts = append(parts, graph.Part{Call: "messages.get.answered", P: graph.P{"user": v.object, "message": v.message}})
			of = append(of, v)
		}
	}
	var results []graph.Result
	if err == nil && len(parts) > 0 {
		results, err = way.Graph.Batch(ctx, parts)
	}
	for i, v := range of {
		answer := err
		var m graph.Message
		if answer == nil {
			if answer = results[i].Err; answer == nil {
				answer = decode(results[i], &m)
			}
		}
		switch {
		case gone(answer):
			v.Here = Gone
			v.Because = "It was there and is no longer: what was done with it before is not known."
			continue
		case answer != nil:
			v.Because = "How it is now was not answered."
			continue
		}
		v.Opened = yesNo(m.IsRead != nil && bool(*m.IsRead) || v.Opened == TrailYes)
		verb, at := m.LastVerb()
		v.Replied, v.Forwarded = yesNo(verb == graph.Replied || verb == graph.RepliedAll), yesNo(verb == graph.Forwarded)
		switch { // only what was done last is kept with a message
		case v.Replied == TrailYes:
			v.Forwarded = TrailUnknown
			v.When = append(v.When, Step{At: at, What: "replied"})
		case v.Forwarded == TrailYes:
			v.Replied = TrailUnknown
			v.When = append(v.When, Step{At: at, What: "forwarded"})
		}
	}
}

func yesNo(is bool) string {
	if is {
		return TrailYes
	}
	return TrailNo
}

// mostEvents are looked through for one person's trail.
const mostEvents = 5000

// steps adds what the stream told of the messages.
func steps(ctx context.Context, t *store.Tenant, all []Trail) error {
	for i := range all {
		v := &all[i]
		if v.Person == "" || v.message == "" {
			continue
		}
		rows, err := t.Query(ctx, `select id, at, action, body from event where tenant = $1 and person = $2 and at >= $3 and type = 'EMAIL' order by at limit $4`, string(v.Person), v.Received.Add(-time.Minute), mostEvents)
		if err != nil {
			return err
		}
		var told []Step
		for rows.Next() {
			var id, action, body string
			var at int64
			if err := rows.Scan(&id, &at, &action, &body); err != nil {
				return errors.Join(err, rows.Close())
			}
			what, ok := eventSteps[action]
			if !ok || !strings.Contains(body, v.message) {
				continue
			}
			told = append(told, Step{At: tocsin.FromMillis(at), What: what, Event: id})
			switch what {
			case "opened":
				v.Opened = TrailYes
			case "replied":
				v.Replied = TrailYes
			case "forwarded":
				v.Forwarded = TrailYes
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		if len(told) > 0 {
			v.When = told
		}
	}
	return nil
}

var eventSteps = map[string]string{"email_received": "received", "email_read": "opened", "email_moved": "moved", "email_replied": "replied", "email_forwarded": "forwarded", "email_deleted": "deleted"}
