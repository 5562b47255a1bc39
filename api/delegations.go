package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/store"
)

// Delegation is a right of somebody over somebody else's mailbox.
type Delegation struct {
	Owner        tocsin.PersonID `json:"owner"`
	OwnerName    string          `json:"owner_name"`
	OwnerAddress string          `json:"owner_address"`
	Trustee      string          `json:"trustee"`      // a person's id, g: and a group's, default or anonymous, or a name that nobody is known by
	TrusteeKind  string          `json:"trustee_kind"` // member, guest, group, everyone, unknown
	TrusteeName  string          `json:"trustee_name"`
	Address      string          `json:"trustee_address"`
	Right        string          `json:"right"` // full_access, send_as, send_on_behalf, folder
	Denied       bool            `json:"denied"`
	Folder       string          `json:"folder"` // empty: the whole mailbox
	Levels       string          `json:"levels"` // of a folder: Reviewer, Editor …
	Inherited    bool            `json:"inherited"`
	Source       string          `json:"source"` // audit, admin_api, invoke_command, export
	AsOf         time.Time       `json:"as_of,omitzero"`
	Since        time.Time       `json:"since,omitzero"` // absent: it was there when we first looked
	FirstSeen    time.Time       `json:"first_seen,omitzero"`
	By           string          `json:"by"`    // who gave it, as far as a record tells
	Marks        []string        `json:"marks"` // everyone, outside, guest, group, blocked, new, self, alike
	Risk         int             `json:"risk"`
}

const delegationColumns = `d.owner, o.name, o.upn, o.mail, d.trustee, coalesce(p.kind, ''), coalesce(p.name, g.name, ''), coalesce(p.upn, ''), coalesce(p.mail, g.mail, ''), d.kind, d.folder, d.path,
	d.levels, d.inherited, d.source, d.at, d.since, d.first_seen, d.actor, d.name, d.marks, d.risk`

const delegationFrom = ` from delegation d join person o on o.tenant = d.tenant and o.person = d.owner left join person p on p.tenant = d.tenant and p.person = d.trustee
	left join mail_group g on g.tenant = d.tenant and g.id = substr(d.trustee, 3) and substr(d.trustee, 1, 2) = 'g:' where d.tenant = $1 and d.removed = 0 and o.deleted = 0`

type delegationRow struct {
	Delegation
	ownerUPN, ownerMail, upn, mail, key, given, folder, marks string
	at, since, first                                          int64
}

func (r *delegationRow) fields() []any {
	return []any{&r.Owner, &r.OwnerName, &r.ownerUPN, &r.ownerMail, &r.Trustee, &r.TrusteeKind, &r.TrusteeName, &r.upn, &r.mail, &r.key, &r.folder, &r.Folder,
		&r.Levels, &r.Inherited, &r.Source, &r.at, &r.since, &r.first, &r.By, &r.given, &r.marks, &r.Risk}
}

func (r *delegationRow) view() Delegation {
	d := &r.Delegation
	d.OwnerAddress, d.Address = firstOf(r.ownerMail, r.ownerUPN), firstOf(r.mail, r.upn)
	d.Right, d.Denied = strings.CutPrefix(r.key, "deny_")
	d.AsOf, d.Since, d.FirstSeen = tocsin.FromMillis(r.at), tocsin.FromMillis(r.since), tocsin.FromMillis(r.first)
	d.Marks = strings.Fields(r.marks)
	switch {
	case strings.HasPrefix(d.Trustee, "g:"):
		d.TrusteeKind = "group"
	case d.Trustee == "default" || d.Trustee == "anonymous" || d.Trustee == "everyone":
		d.TrusteeKind = "everyone"
	case d.TrusteeKind == "":
		d.TrusteeKind = "unknown"
	}
	d.TrusteeName = firstOf(d.TrusteeName, r.given, d.Trustee)
	if d.Address == "" && strings.Contains(d.Trustee, "@") {
		d.Address = d.Trustee
	}
	if d.Folder == "" {
		d.Folder = r.folder
	}
	return *d
}

// ListDelegations lists who has which right over whose mailbox.
func (s *Service) ListDelegations(ctx context.Context, in DelegationsIn) (Page[Delegation], error) {
	return view(ctx, s, "delegations list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Delegation], error) {
		return listDelegations(ctx, t, in)
	})
}

func listDelegations(ctx context.Context, t *store.Tenant, in DelegationsIn) (Page[Delegation], error) {
	var p Page[Delegation]
	after, err := parseCursor(in.After, "delegations", 5)
	if err != nil {
		return p, err
	}
	n := in.limit()
	q := (&query{}).add("select " + delegationColumns + delegationFrom)
	if err := delegationFilters(ctx, t, q, in); err != nil {
		return p, err
	}
	if !after.begins() {
		q.add(" and d.risk <= ? and (d.risk < ? or (d.owner, d.kind, d.folder, d.trustee) > (?, ?, ?, ?))", after.number(0), after.number(0), after.text(1), after.text(2), after.text(3), after.text(4))
	}
	rows, err := find(ctx, t, q.add(" order by d.risk desc, d.owner, d.kind, d.folder, d.trustee limit ?", n+1), (*delegationRow).fields)
	if err != nil {
		return p, err
	}
	pieces := paged(rows, n, func(r delegationRow) string {
		return cursor("delegations", int64(r.Risk), string(r.Owner), r.key, r.folder, r.Trustee)
	})
	p.Next, p.Items = pieces.Next, make([]Delegation, len(pieces.Items))
	for i := range pieces.Items {
		p.Items[i] = pieces.Items[i].view()
	}
	return total(in.Paging, p, func() (int, bool, error) {
		from := (&query{}).add("delegation d join person o on o.tenant = d.tenant and o.person = d.owner where d.tenant = $1 and d.removed = 0 and o.deleted = 0")
		if err := delegationFilters(ctx, t, from, in); err != nil {
			return 0, false, err
		}
		return counted(ctx, t, from)
	})
}

// delegationFilters adds what is asked for. That everybody may see when somebody is free, as each calendar begins, is no
// right worth a row.
func delegationFilters(ctx context.Context, t *store.Tenant, q *query, in DelegationsIn) error {
	q.add(" and not (d.risk = 0 and d.trustee in ('default', 'anonymous') and lower(d.levels) in ('availabilityonly', 'none', 'limiteddetails'))")
	if in.Owner != "" {
		owner, err := personNamed(ctx, t, in.Owner)
		if err != nil {
			return err
		}
		q.add(" and d.owner = ?", string(owner))
	}
	if in.Trustee != "" {
		trustee := in.Trustee
		if strings.Contains(trustee, "@") {
			who, err := personNamed(ctx, t, tocsin.PersonID(trustee))
			if err == nil {
				trustee = string(who)
			} else if tocsin.AsProblem(err).Code != tocsin.NotFound {
				return err
			} else {
				trustee = tocsin.CanonicalAddress(trustee)
			}
		}
		q.add(" and d.trustee = ?", trustee)
	}
	if in.Right != "" {
		q.add(" and d.kind in (?, ?)", in.Right, "deny_"+in.Right)
	}
	if in.Risky {
		q.add(" and (d.risk > 0 or d.marks <> '')")
	}
	if strings.TrimSpace(in.Q) != "" {
		people, err := meant(ctx, t, in.Q) // once, rather than in every row
		if err != nil {
			return err
		}
		like, who := q.arg(contains(in.Q)), q.in(people...)
		q.add(" and (d.owner in (" + who + ") or d.trustee in (" + who + ") or lower(d.name) like " + like + ` escape '\' or d.trustee like ` + like + ` escape '\' or lower(d.path) like ` + like + ` escape '\')`)
	}
	return nil
}

// delegationsOf are the rights over a person's mailbox, and those that the person has over others'; at most 200 of each.
func delegationsOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (over, has []Delegation, err error) {
	p, err := listDelegations(ctx, t, DelegationsIn{Owner: person, Paging: Paging{Limit: 200}})
	if err != nil {
		return nil, nil, err
	}
	q, err := listDelegations(ctx, t, DelegationsIn{Trustee: string(person), Paging: Paging{Limit: 200}})
	return p.Items, q.Items, err
}

// MatrixRow is a mailbox with the rights of others over it, one entry for each trustee.
type MatrixRow struct {
	Owner        tocsin.PersonID `json:"owner"`
	OwnerName    string          `json:"owner_name"`
	OwnerAddress string          `json:"owner_address"`
	Risk         int             `json:"risk"` // the highest of its rights
	Cells        []MatrixCell    `json:"cells"`
}

// MatrixCell is what one trustee may in one mailbox.
type MatrixCell struct {
	Trustee string       `json:"trustee"`
	Name    string       `json:"name"`
	Address string       `json:"address"`
	Kind    string       `json:"kind"`
	Risk    int          `json:"risk"`
	Rights  []Delegation `json:"rights"`
}

// DelegationMatrix gives mailboxes with who has rights over them: the rows of a matrix, the riskiest first.
func (s *Service) DelegationMatrix(ctx context.Context, in DelegationsIn) (Page[MatrixRow], error) {
	return view(ctx, s, "delegations matrix", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[MatrixRow], error) {
		return delegationMatrix(ctx, t, in)
	})
}

func delegationMatrix(ctx context.Context, t *store.Tenant, in DelegationsIn) (Page[MatrixRow], error) {
	var p Page[MatrixRow]
	after, err := parseCursor(in.After, "matrix", 2)
	if err != nil {
		return p, err
	}
	n := in.limit()
	type owner struct {
		id   tocsin.PersonID
		risk int
	}
	owners := func(q *query) error {
		q.add("(select d.owner, max(d.risk) as worst from delegation d join person o on o.tenant = d.tenant and o.person = d.owner where d.tenant = $1 and d.removed = 0 and o.deleted = 0")
		if err := delegationFilters(ctx, t, q, in); err != nil {
			return err
		}
		q.add(" group by d.owner) x")
		return nil
	}
	q := (&query{}).add("select owner, worst from ")
	if err := owners(q); err != nil {
		return p, err
	}
	if !after.begins() {
		q.add(" where worst <= ? and (worst < ? or owner > ?)", after.number(0), after.number(0), after.text(1))
	}
	list, err := find(ctx, t, q.add(" order by worst desc, owner limit ?", n+1), func(o *owner) []any { return []any{&o.id, &o.risk} })
	if err != nil {
		return p, err
	}
	pieces := paged(list, n, func(o owner) string { return cursor("matrix", int64(o.risk), string(o.id)) })
	p.Next, p.Items = pieces.Next, make([]MatrixRow, len(pieces.Items))
	at := map[tocsin.PersonID]*MatrixRow{}
	ids := []any{}
	for i, o := range pieces.Items {
		p.Items[i] = MatrixRow{Owner: o.id, Risk: o.risk, Cells: []MatrixCell{}}
		at[o.id] = &p.Items[i]
		ids = append(ids, string(o.id))
	}
	q = (&query{}).add("select " + delegationColumns + delegationFrom)
	if err := delegationFilters(ctx, t, q, in); err != nil {
		return p, err
	}
	q.add(" and d.owner in (" + q.in(ids...) + ") order by d.owner, d.risk desc, d.trustee, d.kind, d.folder")
	rows, err := find(ctx, t, q, (*delegationRow).fields)
	if err != nil {
		return p, err
	}
	for i := range rows {
		at[rows[i].Owner].add(rows[i].view())
	}
	return total(in.Paging, p, func() (int, bool, error) {
		from := &query{}
		err := owners(from)
		if err != nil {
			return 0, false, err
		}
		return counted(ctx, t, from)
	})
}

// add puts a right into the row.
func (m *MatrixRow) add(d Delegation) {
	m.OwnerName, m.OwnerAddress = d.OwnerName, d.OwnerAddress
	for i := range m.Cells {
		if c := &m.Cells[i]; c.Trustee == d.Trustee {
			c.Rights, c.Risk = append(c.Rights, d), max(c.Risk, d.Risk)
			return
		}
	}
	m.Cells = append(m.Cells, MatrixCell{Trustee: d.Trustee, Name: d.TrusteeName, Address: d.Address, Kind: d.TrusteeKind, Risk: d.Risk, Rights: []Delegation{d}})
}

// Forwarding is a way by which mail goes on: of a mailbox's rule, of the mailbox itself, of an automatic reply that names an
// address outside, or of the organisation's mail flow.
type Forwarding struct {
	Kind    string          `json:"kind"` // rule, mailbox, transport, journal, auto_reply
	Person  tocsin.PersonID `json:"person"`
	Name    string          `json:"name"` // the mailbox's
	Who     string          `json:"who"`  // its address
	ID      string          `json:"id"`   // the rule's, or the parameter's name
	Title   string          `json:"title"`
	To      string          `json:"to"`
	How     string          `json:"how"`     // forward, redirect, attach; of mail flow what it does
	Place   string          `json:"place"`   // outside, unknown, inside, partner
	Outside bool            `json:"outside"` // it is known to be
	Deliver *bool           `json:"deliver"` // whether a copy stays; null where that is not known
	Enabled bool            `json:"enabled"`
	Source  string          `json:"source"` // graph, audit, admin_api, invoke_command, export
	AsOf    time.Time       `json:"as_of,omitzero"`
	Since   time.Time       `json:"since,omitzero"` // absent: it was there when we first looked
	By      string          `json:"by"`
	Risk    int             `json:"risk"`
}

type forwardingRow struct {
	Forwarding
	upn, mail, deliver, body string
	since, at                int64
}

// ListForwarding lists the ways by which mail goes on.
func (s *Service) ListForwarding(ctx context.Context, in ForwardingIn) (Page[Forwarding], error) {
	return view(ctx, s, "forwarding list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Forwarding], error) {
		var p Page[Forwarding]
		after, err := parseCursor(in.After, "forwarding", 5)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select f.*, coalesce(p.name, ''), coalesce(p.upn, ''), coalesce(p.mail, '') from ")
		forwardingRows(q, in)
		if !after.begins() {
			q.add(" and f.risk <= ? and (f.risk < ? or (f.kind, f.person, f.id, f.dest) > (?, ?, ?, ?))", after.number(0), after.number(0), after.text(1), after.text(2), after.text(3), after.text(4))
		}
		rows, err := find(ctx, t, q.add(" order by f.risk desc, f.kind, f.person, f.id, f.dest limit ?", n+1), func(r *forwardingRow) []any {
			return []any{&r.Kind, &r.Person, &r.ID, &r.Title, &r.To, &r.How, &r.Place, &r.deliver, &r.Enabled, &r.Source, &r.at, &r.since, &r.By, &r.Risk, &r.body, &r.Name, &r.upn, &r.mail}
		})
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r forwardingRow) string {
			return cursor("forwarding", int64(r.Risk), r.Kind, string(r.Person), r.ID, r.To)
		})
		p.Next, p.Items = pieces.Next, make([]Forwarding, len(pieces.Items))
		for i := range pieces.Items {
			if p.Items[i], err = pieces.Items[i].view(); err != nil {
				return p, err
			}
		}
		return total(in.Paging, p, func() (int, bool, error) {
			from := &query{}
			forwardingRows(from, in)
			return counted(ctx, t, from)
		})
	})
}

// forwardingRows is the union of all ways, filtered; its columns are those of forwardingRow.
func forwardingRows(q *query, in ForwardingIn) {
	q.add("(")
	parts := 0
	part := func(kind, text string, args ...any) {
		if in.Kind != "" && in.Kind != kind {
			return
		}
		if parts++; parts > 1 {
			q.add(" union all ")
		}
		q.add(text, args...)
	}
	part("rule", `select 'rule' as kind, t.person, t.rule as id, r.name as title, t.address as dest, t.verb as how,
		case when t.outside then 'outside' when position_known.n = 0 then 'unknown' else 'inside' end as place, '' as deliver, r.enabled, 'graph' as source, r.seen as at,
		r.first_seen as since, '' as actor, r.risk, '' as body from rule_target t join mail_rule r on r.tenant = t.tenant and r.person = t.person and r.id = t.rule
		cross join (select count(*) as n from domain where tenant = $1) position_known where t.tenant = $1 and r.deleted = 0`)
	part("mailbox", `select 'mailbox' as kind, s.person, s.name as id, '' as title, s.value as dest, 'forward' as how, s.place, coalesce(k.value, '') as deliver, true as enabled, s.source, s.at,
		s.since, s.actor, s.risk, '' as body from mailbox_setting s left join mailbox_setting k on k.tenant = s.tenant and k.person = s.person and k.name = '`+detect.ForwardingDeliver+`'
		where s.tenant = $1 and s.name in ('`+detect.ForwardingSMTP+`', '`+detect.ForwardingRecipient+`') and s.value <> ''`)
	part("transport", `select f.kind, '' as person, f.id, f.name as title, f.dest, f.how, f.place, '' as deliver, f.enabled, f.source, f.changed as at, f.since, f.actor, f.risk, '' as body
		from mailflow_rule f where f.tenant = $1 and f.removed = 0`)
	part("auto_reply", `select 'auto_reply' as kind, x.person, x.id, x.title, '' as dest, 'reply' as how, 'outside' as place, '' as deliver, true as enabled, 'graph' as source, x.last_seen as at, 0 as since, '' as actor,
		x.risk, x.body from finding x where x.tenant = $1 and x.rule = 'auto-reply-foreign-address' and x.status in ('open', 'in_work')`)
	q.add(") f left join person p on p.tenant = $1 and p.person = f.person where (f.person = '' or p.deleted = 0)")
	if in.Person != "" {
		q.add(" and f.person = ?", string(in.Person))
	}
	if in.Outside {
		q.add(" and f.place in ('outside', 'unknown')")
	}
	if strings.TrimSpace(in.Q) != "" {
		like := q.arg(contains(in.Q))
		q.add(` and (lower(f.dest) like ` + like + ` escape '\' or lower(f.title) like ` + like + ` escape '\' or lower(coalesce(p.name, '')) like ` + like + ` escape '\' or lower(coalesce(p.upn, '')) like ` + like +
			` escape '\' or lower(f.body) like ` + like + ` escape '\')`)
	}
}

func (r *forwardingRow) view() (Forwarding, error) {
	f := &r.Forwarding
	f.Who, f.AsOf, f.Since = firstOf(r.mail, r.upn), tocsin.FromMillis(r.at), tocsin.FromMillis(r.since)
	f.Outside = f.Place == string(detect.Outside)
	switch r.deliver {
	case "true", "false":
		keeps := r.deliver == "true"
		f.Deliver = &keeps
	}
	if f.Kind == "mailbox" {
		f.Title = map[string]string{detect.ForwardingSMTP: "ForwardingSmtpAddress", detect.ForwardingRecipient: "ForwardingAddress"}[f.ID]
	}
	if f.Kind == "auto_reply" {
		var finding tocsin.Finding
		if err := json.Unmarshal([]byte(r.body), &finding); err != nil {
			return Forwarding{}, fmt.Errorf("finding %s: %w", r.ID, err)
		}
		if len(finding.Evidence) > 0 {
			f.To = finding.Evidence[0].Raw
		}
	}
	return *f, nil
}
