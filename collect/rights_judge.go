package collect

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// placed is the row of a right or of a forwarding, with what the last judgement left in it.
type placed struct {
	kind, folder, trustee string
	marks                 string // of a forwarding: its place
	risk                  int
}

// verdictRow is what follows for a mailbox: table mailbox_verdict.
type verdictRow struct {
	Forwards  string // where it forwards to, by any way: outside, unknown, inside, partner; empty: nowhere that we know of
	Body      string // its ways, JSON of []rule.Way
	Delegates int    // others with rights over it
	Risky     int    // of these, who should not have them
}

// rightsOf puts what is set on the mailboxes, and the rights of others over them, into the mailboxes.
func rightsOf(ctx context.Context, t *store.Tenant, people []tocsin.PersonID, by map[tocsin.PersonID]*boxed) error {
	in, args := store.In(len(people), 2), anys(people)
	if err := each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var d detect.Told
		var p placed
		var at, since int64
		if err := scan(&person, &p.kind, &d.Value, &at, &since, &d.Source, &d.Record, &d.Actor, &d.ActorKind, &p.marks, &p.risk); err != nil || by[person] == nil {
			return err
		}
		m := by[person]
		d.At, d.Since = tocsin.FromMillis(at), tocsin.FromMillis(since)
		if m.Settings == nil {
			m.Settings = map[string]detect.Told{}
		}
		m.Settings[p.kind] = d
		if p.kind == detect.ForwardingSMTP || p.kind == detect.ForwardingRecipient {
			m.places = append(m.places, p)
		}
		return nil
	}, `select person, name, value, at, since, source, record, actor, actor_kind, place, risk from mailbox_setting where tenant = $1 and person in (`+in+`) order by person, name`, args...); err != nil {
		return err
	}
	if err := grantsOf(ctx, t, in, args, by); err != nil {
		return err
	}
	return each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var v verdictRow
		err := scan(&person, &v.Forwards, &v.Body, &v.Delegates, &v.Risky)
		if m := by[person]; m != nil {
			m.verdict = v
		}
		return err
	}, `select person, forwards, body, delegates, risky from mailbox_verdict where tenant = $1 and person in (`+in+`)`, args...)
}

func grantsOf(ctx context.Context, t *store.Tenant, in string, args []any, by map[tocsin.PersonID]*boxed) error {
	denied := map[rightKey]bool{}
	places := map[tocsin.PersonID][]placed{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var g detect.Grant
		var p placed
		var at, since int64
		var mail, upn, group *string
		if err := scan(&person, &p.kind, &p.folder, &p.trustee, &g.Name, &g.Path, &g.Value, &g.Inherited, &at, &since, &g.Source, &g.Record, &g.Actor, &g.ActorKind, &p.marks, &p.risk,
			&mail, &upn, &group); err != nil || by[person] == nil {
			return err
		}
		g.At, g.Since = tocsin.FromMillis(at), tocsin.FromMillis(since)
		g.Kind, g.Denied = strings.CutPrefix(p.kind, denyMark)
		g.Folder, g.Trustee = p.folder, p.trustee
		for _, address := range []*string{mail, upn, group} {
			if address != nil && *address != "" {
				g.Trustee = tocsin.CanonicalAddress(*address)
				break
			}
		}
		if g.Denied {
			denied[rightKey{person, g.Kind, p.folder, p.trustee}] = true
		}
		by[person].Grants = append(by[person].Grants, g)
		places[person] = append(places[person], p)
		return nil
	}, `select d.owner, d.kind, d.folder, d.trustee, d.name, d.path, d.levels, d.inherited, d.at, d.since, d.source, d.record, d.actor, d.actor_kind, d.marks, d.risk, p.mail, p.upn, g.mail
		from delegation d left join person p on p.tenant = d.tenant and p.person = d.trustee left join mail_group g on g.tenant = d.tenant and '`+groupMark+`' || g.id = d.trustee
		where d.tenant = $1 and d.removed = 0 and d.owner in (`+in+`) order by d.owner, d.kind, d.folder, d.trustee`, args...)
	for person, list := range places {
		m := by[person]
		for i := range m.Grants { // who is denied a right has none by another grant
			g := &m.Grants[i]
			g.Denied = g.Denied || denied[rightKey{person, list[i].kind, list[i].folder, list[i].trustee}]
		}
		m.places = append(list, m.places...)
	}
	return err
}

// addressed puts an address in the place of the alias or name by which a source told where a mailbox forwards, as rules on
// records do.
func addressed(org *organisation, m *detect.Mailbox) {
	for _, name := range []string{detect.ForwardingRecipient, detect.ForwardingSMTP} {
		d, told := m.Settings[name]
		if !told || d.Value == "" || strings.Contains(d.Value, "@") {
			continue
		}
		if k := org.Find(d.Value); k.Address != "" && k.Kind != detect.Contact {
			d.Value = tocsin.CanonicalAddress(k.Address)
			m.Settings[name] = d
		}
	}
}

// stillThere says of findings of these mailboxes whether what they rest on is there.
func stillThere(org *organisation, list []*boxed) func(*tocsin.Finding) bool {
	by := map[tocsin.PersonID]*detect.Mailbox{}
	for _, m := range list {
		by[m.Person] = m.Mailbox
	}
	return func(f *tocsin.Finding) bool {
		m := by[f.Person]
		return m != nil && rule.Stands(&org.Org, m, f)
	}
}

// verdict keeps what follows for a mailbox: on each right what speaks against it, on each forwarding where it leads, and of
// the mailbox where it forwards and how many others have rights over it.
func (r *run) verdict(ctx context.Context, org *organisation, m *boxed, found []tocsin.Finding) error {
	risk := func(cause, subject string) int {
		most := 0
		for i := range found {
			if f := &found[i]; rule.Held(f.Rule) && f.Cause == cause && (subject == "" || f.Subject == subject) {
				most = max(most, f.Risk)
			}
		}
		return most
	}
	var now verdictRow
	delegates, risky := map[string]bool{}, map[string]bool{}
	for i := range m.Grants {
		g, p := &m.Grants[i], m.places[i]
		subject := tocsin.CanonicalAddress(m.Address)
		if g.Kind == detect.RightFolder {
			subject = rule.FolderSubject(m.Address, g.Folder)
		}
		is := placed{p.kind, p.folder, p.trustee, strings.Join(rule.Marks(&org.Org, m.Mailbox, g), " "), risk(g.Trustee, subject)}
		if !g.Denied && !g.Inherited && !(g.Everyone() && is.risk == 0) {
			delegates[p.trustee] = true
			if is.marks != "" {
				risky[p.trustee] = true
			}
		}
		if is == p {
			continue
		}
		if _, err := r.t.Exec(ctx, `update delegation set marks = $6, risk = $7 where tenant = $1 and owner = $2 and kind = $3 and folder = $4 and trustee = $5`,
			string(m.Person), p.kind, p.folder, p.trustee, is.marks, is.risk); err != nil {
			return err
		}
	}
	now.Delegates, now.Risky = len(delegates), len(risky)
	for _, p := range m.places[len(m.Grants):] {
		d := m.Settings[p.kind]
		is := placed{kind: p.kind}
		if d.Value != "" {
			place, _ := rule.ForwardingPlace(&org.Org, m.Address, d.Value)
			is.marks, is.risk = string(place), risk(d.Value, "")
		}
		if is == p {
			continue
		}
		if _, err := r.t.Exec(ctx, `update mailbox_setting set place = $4, risk = $5 where tenant = $1 and person = $2 and name = $3`, string(m.Person), p.kind, is.marks, is.risk); err != nil {
			return err
		}
	}
	ways := rule.Ways(&org.Org, m.Mailbox)
	for _, w := range ways {
		if w.Kind != "auto_reply" && worse(string(w.Place), now.Forwards) {
			now.Forwards = string(w.Place)
		}
	}
	if len(ways) > 0 {
		body, err := encode(ways)
		if err != nil {
			return err
		}
		now.Body = string(body)
	}
	if now == m.verdict {
		return nil
	}
	return r.t.Insert(ctx, store.Into{Table: "mailbox_verdict", Key: []string{"person"}, Columns: []string{"person", "forwards", "body", "delegates", "risky"}},
		[][]any{{string(m.Person), now.Forwards, now.Body, now.Delegates, now.Risky}})
}

// worse says whether a place of where mail goes is worse than another.
func worse(place, than string) bool {
	order := []string{"", string(detect.Partner), string(detect.Inside), string(detect.Unknown), string(detect.Outside)}
	return slices.Index(order, place) > slices.Index(order, than)
}

const denyMark = "deny_"

// exchange is what is held of the organisation's mail flow, and what shows only across mailboxes.
func exchange(ctx context.Context, t *store.Tenant, org *organisation) (*detect.Exchange, error) {
	x := &detect.Exchange{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var m detect.MailFlow
		var body string
		if err := scan(&m.Kind, &m.ID, &m.Name, &m.Enabled, &body); err != nil {
			return err
		}
		var f flowState
		if err := json.Unmarshal([]byte(body), &f); err != nil {
			return err
		}
		m.Params = f.params()
		x.Flow = append(x.Flow, m)
		return nil
	}, `select kind, id, name, enabled, body from mailflow_rule where tenant = $1 and removed = 0 order by kind, id`)
	if err != nil {
		return nil, err
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var s detect.Setting
		var person string
		var mail, upn *string
		var at, since int64
		if err := scan(&person, &s.Name, &s.Value, &at, &since, &s.Source, &s.Record, &s.Actor, &s.ActorKind, &mail, &upn); err != nil {
			return err
		}
		s.At, s.Since = tocsin.FromMillis(at), tocsin.FromMillis(since)
		for _, a := range []*string{mail, upn} {
			if a != nil && s.Mailbox == "" {
				s.Mailbox = *a
			}
		}
		x.Settings = append(x.Settings, s)
		return nil
	}, `select s.person, s.name, s.value, s.at, s.since, s.source, s.record, s.actor, s.actor_kind, p.mail, p.upn from mailbox_setting s
		left join person p on p.tenant = s.tenant and p.person = s.person where s.tenant = $1 and (p.deleted = 0 or s.person = '')
		and (s.name, s.value) in (($2, 'true'), ($3, 'false'), ($4, 'false'), ($5, 'false')) order by s.person, s.name`,
		detect.AuditBypass, detect.AuditEnabled, detect.AuditLog, detect.MailboxAudit)
	if err != nil {
		return nil, err
	}
	x.Trustees, err = trustees(ctx, t, org)
	return x, err
}

// trustees are those with rights over the mailboxes of five people or more.
func trustees(ctx context.Context, t *store.Tenant, org *organisation) ([]detect.Trustee, error) {
	week := tocsin.Millis(org.Now.AddDate(0, 0, -7))
	var out []detect.Trustee
	var keys []string
	err := each(ctx, t, func(scan func(...any) error) error {
		var k detect.Trustee
		var key string
		var mail, upn, group *string
		var granted int64
		if err := scan(&key, &k.Count, &k.Lately, &granted, &mail, &upn, &group); err != nil {
			return err
		}
		k.Who, k.Granted = key, tocsin.FromMillis(granted)
		for _, a := range []*string{group, upn, mail} {
			if a != nil && *a != "" {
				k.Who = tocsin.CanonicalAddress(*a)
			}
		}
		out, keys = append(out, k), append(keys, key)
		return nil
	}, `select x.trustee, x.n, x.lately, x.granted, p.mail, p.upn, g.mail from (
			select d.trustee, count(distinct d.owner) as n, count(distinct case when d.since > $2 then d.owner end) as lately, max(d.since) as granted
			from delegation d left join mailbox m on m.tenant = d.tenant and m.person = d.owner
			where d.tenant = $1 and d.removed = 0 and d.kind in ('full_access', 'send_as') and not d.inherited and coalesce(m.purpose, '') not in ('shared', 'room', 'equipment')
			group by d.trustee having count(distinct d.owner) >= 5) x
		left join person p on p.tenant = $1 and p.person = x.trustee left join mail_group g on g.tenant = $1 and '`+groupMark+`' || g.id = x.trustee
		order by x.trustee`, week)
	for i := range out {
		if err != nil {
			return nil, err
		}
		if !rule.Many(&out[i]) {
			continue // nobody asks whose
		}
		err = each(ctx, t, func(scan func(...any) error) error {
			var mail, upn string
			err := scan(&mail, &upn)
			out[i].Owners = append(out[i].Owners, firstOf(mail, upn))
			return err
		}, `select distinct p.mail, p.upn from delegation d join person p on p.tenant = d.tenant and p.person = d.owner
			where d.tenant = $1 and d.trustee = $2 and d.removed = 0 and d.kind in ('full_access', 'send_as') and not d.inherited order by p.upn, p.mail limit 20`, keys[i])
	}
	return out, err
}

// sweepOrganisation judges the mail flow and what shows only across mailboxes.
func sweepOrganisation(ctx context.Context, t *store.Tenant, org *organisation) error {
	x, err := exchange(ctx, t, org)
	if err != nil {
		return err
	}
	found := rule.Organisation(&org.Org, x)
	if org.err != nil {
		return org.err
	}
	names, args := map[string]bool{}, []any{}
	for i := range rule.OrganisationChecks {
		names[rule.OrganisationChecks[i].Name] = true
		args = append(args, rule.OrganisationChecks[i].Name)
	}
	if err := flowPlaces(ctx, t, org, x, found); err != nil {
		return err
	}
	f := filing{t: t, now: org.Now, rules: names, strict: func() []tocsin.Finding { return rule.Organisation(org.strict(), x) }}
	return f.file(ctx, found, `rule in (`+store.In(len(args), 2)+`)`, args...)
}

// flowPlaces keeps on each mail flow rule where it leads, and its risk.
func flowPlaces(ctx context.Context, t *store.Tenant, org *organisation, x *detect.Exchange, found []tocsin.Finding) error {
	for i := range x.Flow {
		m := &x.Flow[i]
		place, risk := "", 0
		to, _ := rule.FlowTargets(m)
		for _, a := range to {
			if p := string(org.Place(a)); worse(p, place) {
				place = p
			}
		}
		for j := range found {
			if found[j].Subject == m.ID {
				risk = max(risk, found[j].Risk)
			}
		}
		if _, err := t.Exec(ctx, `update mailflow_rule set place = $4, risk = $5 where tenant = $1 and kind = $2 and id = $3 and (place <> $4 or risk <> $5)`, m.Kind, m.ID, place, risk); err != nil {
			return err
		}
	}
	return nil
}

// noRow says whether err is that there is no such row.
func noRow(err error) bool { return errors.Is(err, store.ErrNone) }
