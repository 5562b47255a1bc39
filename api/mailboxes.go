package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

const mailboxColumns = `p.person, p.name, p.upn, p.mail, p.kind, p.mailbox, p.mailbox_because, p.enabled, coalesce(m.purpose, ''), coalesce(m.timezone, ''), coalesce(m.language, ''),
	coalesce(m.rules_count, 0), coalesce(m.rules_seen, 0), coalesce(m.settings_seen, 0)`

const mailboxFrom = ` from person p left join mailbox m on m.tenant = p.tenant and m.person = p.person where p.tenant = $1`

type mailboxRow struct {
	Mailbox
	upn, mail       string
	rules, settings int64
}

func (r *mailboxRow) fields() []any {
	return []any{&r.Person, &r.Name, &r.upn, &r.mail, &r.Kind, &r.State, &r.Because, &r.SignIn, &r.Purpose, &r.TimeZone, &r.Language, &r.RulesCount, &r.rules, &r.settings}
}

func (r *mailboxRow) view() Mailbox {
	r.Address = firstOf(r.mail, r.upn)
	r.RulesSeen, r.SettingsSeen = tocsin.FromMillis(r.rules), tocsin.FromMillis(r.settings)
	r.Read = r.State == mailboxRead && r.rules > 0
	if r.State == mailboxRead && r.rules == 0 {
		r.Because = "Its rules were not read yet."
	}
	if r.State != mailboxRead && r.Because == "" {
		r.Because = "It was not asked for yet."
	}
	return r.Mailbox
}

// ListMailboxes lists everybody's mailbox by address, those that are not read with the reason.
func (s *Service) ListMailboxes(ctx context.Context, in MailboxesIn) (Page[Mailbox], error) {
	return view(ctx, s, "mailboxes list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Mailbox], error) {
		if in.Sort == "risk" || in.Sort == "riskiest" {
			return mailboxesByRisk(ctx, t, in)
		}
		return listMailboxes(ctx, t, in)
	})
}

// few is how many rows are rather sorted than met one by one along another index.
const few = 5000

func listMailboxes(ctx context.Context, t *store.Tenant, in MailboxesIn) (Page[Mailbox], error) {
	var p Page[Mailbox]
	after, err := parseCursor(in.After, "mailboxes", 2)
	if err != nil {
		return p, err
	}
	states, people, err := statesAsked(ctx, t, in)
	if err != nil {
		return p, err
	}
	n := in.limit()
	q := (&query{}).add("select " + mailboxColumns + mailboxFrom)
	mailboxFilters(q, in, states, people < few)
	if !after.begins() {
		q.add(" and (p.upn, p.person) > (?, ?)", after.text(0), after.text(1))
	}
	if states != nil && people < few {
		q.add(" order by p.upn || '', p.person limit ?", n+1) // by the index on the state, then sorted
	} else {
		q.add(" order by p.upn, p.person limit ?", n+1)
	}
	rows, err := find(ctx, t, q, (*mailboxRow).fields)
	if err != nil {
		return p, err
	}
	pieces := paged(rows, n, func(r mailboxRow) string { return cursor("mailboxes", r.upn, string(r.Person)) })
	p.Next = pieces.Next
	if p.Items, err = mailboxViews(ctx, t, pieces.Items); err != nil {
		return p, err
	}
	return total(in.Paging, p, func() (int, bool, error) {
		from := (&query{}).add(strings.TrimPrefix(mailboxFrom, " from "))
		mailboxFilters(from, in, states, people < few)
		return counted(ctx, t, from)
	})
}

// statesAsked are the states that are asked for, and how many people (also some who are gone) are in them; nil for all.
func statesAsked(ctx context.Context, t *store.Tenant, in MailboxesIn) (states []any, people int, err error) {
	if in.State == "" && in.Read == "" && !in.Boxes {
		return nil, 0, nil
	}
	type row struct {
		state string
		n     int
	}
	rows, err := find(ctx, t, (&query{}).add("select mailbox, count(*) from person where tenant = $1 group by mailbox"), func(r *row) []any { return []any{&r.state, &r.n} })
	states = []any{}
	for _, r := range rows {
		if in.State != "" && r.state != in.State || in.Read == "yes" && r.state != mailboxRead || in.Read == "no" && r.state == mailboxRead || in.Boxes && r.state == "none" {
			continue
		}
		states = append(states, r.state)
		people += r.n
	}
	return states, people, err
}

func mailboxFilters(q *query, in MailboxesIn, states []any, rare bool) {
	q.add(" and p.deleted = 0")
	switch {
	case states == nil:
	case rare:
		q.add(" and p.mailbox in (" + q.in(states...) + ")")
	default: // by address, as most are in such a state
		q.add(" and p.mailbox || '' in (" + q.in(states...) + ")")
	}
	if in.Purpose != "" {
		q.add(" and m.purpose = ?", in.Purpose)
	}
	if strings.TrimSpace(in.Q) != "" {
		like := q.arg(contains(in.Q))
		q.add(` and (lower(p.name) like ` + like + ` escape '\' or lower(p.upn) like ` + like + ` escape '\' or
			p.person in (select person from person_address where tenant = $1 and address like ` + like + ` escape '\'))`)
	}
}

func mailboxViews(ctx context.Context, t *store.Tenant, rows []mailboxRow) ([]Mailbox, error) {
	ids := make([]any, len(rows))
	for i := range rows {
		ids[i] = string(rows[i].Person)
	}
	open, err := openOf(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	risks, err := risksOf(ctx, t, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Mailbox, len(rows))
	for i := range rows {
		out[i] = rows[i].view()
		out[i].Open, out[i].Risk = open[out[i].Person], risks[out[i].Person]
	}
	return out, verdicts(ctx, t, out, t.Tx().Clock().Now())
}

// mailboxes are the mailboxes of people.
func mailboxes(ctx context.Context, t *store.Tenant, people ...tocsin.PersonID) ([]Mailbox, error) {
	q := (&query{}).add("select " + mailboxColumns + mailboxFrom)
	q.add(" and p.person in (" + q.in(anys(people)...) + ")")
	rows, err := find(ctx, t, q, (*mailboxRow).fields)
	if err != nil {
		return nil, err
	}
	return mailboxViews(ctx, t, rows)
}

// GetMailbox is a mailbox with its rules and findings.
func (s *Service) GetMailbox(ctx context.Context, in ByPerson) (MailboxDetail, error) {
	return view(ctx, s, "mailboxes get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (MailboxDetail, error) {
		var d MailboxDetail
		person, err := personNamed(ctx, t, in.Person)
		if err != nil {
			return d, err
		}
		found, err := mailboxes(ctx, t, person)
		if err != nil {
			return d, err
		}
		if len(found) == 0 {
			return d, notFound("mailbox")
		}
		d.Mailbox = found[0]
		if err := mailboxSettings(ctx, t, &d); err != nil {
			return d, err
		}
		if d.Rules, err = rulesOf(ctx, t, person, false); err != nil {
			return d, err
		}
		if d.Deleted, err = rulesOf(ctx, t, person, true); err != nil {
			return d, err
		}
		if d.OpenedBy, d.MayOpen, err = delegationsOf(ctx, t, person); err != nil {
			return d, err
		}
		if d.Seen, err = s.watchedOf(ctx, t, person); err != nil {
			return d, err
		}
		d.Findings, err = findingsOf(ctx, t, person, 200)
		return d, err
	})
}

func mailboxSettings(ctx context.Context, t *store.Tenant, d *MailboxDetail) error {
	d.Folders = map[string]tocsin.Folder{}
	type row struct{ reply, folders string }
	rows, err := find(ctx, t, (&query{}).add("select auto_reply, folders from mailbox where tenant = $1 and person = ?", d.Person), func(r *row) []any { return []any{&r.reply, &r.folders} })
	if err != nil || len(rows) == 0 {
		return err
	}
	if rows[0].reply != "" {
		if err := json.Unmarshal([]byte(rows[0].reply), &d.AutoReply); err != nil {
			return fmt.Errorf("automatic reply of %s: %w", d.Person, err)
		}
	}
	if err := json.Unmarshal([]byte(rows[0].folders), &d.Folders); err != nil {
		return fmt.Errorf("folders of %s: %w", d.Person, err)
	}
	return nil
}
