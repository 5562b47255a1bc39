package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// The state of a mailbox that is read; others are unknown (not asked yet), none and out_of_scope, and say because.
const mailboxRead = "read"

const personColumns = `person, object_id, name, upn, mail, kind, enabled, synced, licensed, department, title, addresses, created, deleted, mailbox, mailbox_because`

type personRow struct {
	Identity
	addresses        string
	created, deleted int64
}

func (r *personRow) fields() []any {
	return []any{&r.Person, &r.ObjectID, &r.Name, &r.UPN, &r.Mail, &r.Kind, &r.Enabled, &r.Synced, &r.Licensed, &r.Department, &r.Title, &r.addresses, &r.created, &r.deleted, &r.Mailbox, &r.Because}
}

func (r *personRow) view() Identity {
	r.Created, r.Deleted, r.Roles, r.Eligible = tocsin.FromMillis(r.created), tocsin.FromMillis(r.deleted), []string{}, []string{}
	return r.Identity
}

// personNamed is the id of a person given by id or by address.
func personNamed(ctx context.Context, t *store.Tenant, who tocsin.PersonID) (tocsin.PersonID, error) {
	q := `select person from person where tenant = $1 and person = $2`
	args := []any{string(who)}
	if strings.Contains(string(who), "@") {
		q = `select person from person_address where tenant = $1 and address = $2 order by person limit 1`
		args[0] = tocsin.CanonicalAddress(string(who))
	}
	var id tocsin.PersonID
	err := t.QueryRow(ctx, q, args...).Scan(&id)
	if errors.Is(err, store.ErrNone) && strings.Contains(string(who), "@") {
		err = t.QueryRow(ctx, `select person from person where tenant = $1 and upn = $2 order by person limit 1`, string(who)).Scan(&id)
	}
	if errors.Is(err, store.ErrNone) {
		return "", notFound("person")
	}
	return id, err
}

type whose struct{ name, address string }

// namesOf are people's names and addresses.
func namesOf(ctx context.Context, t *store.Tenant, people map[tocsin.PersonID]bool) (map[tocsin.PersonID]whose, error) {
	q := &query{}
	q.add("select person, name, upn, mail from person where tenant = $1 and person in (" + q.in(keys(people)...) + ")")
	type row struct {
		id              tocsin.PersonID
		name, upn, mail string
	}
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.id, &r.name, &r.upn, &r.mail} })
	out := map[tocsin.PersonID]whose{}
	for _, r := range rows {
		out[r.id] = whose{r.name, firstOf(r.mail, r.upn)}
	}
	return out, err
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func keys[T ~string](set map[T]bool) []any {
	out := make([]any, 0, len(set))
	for k := range set {
		out = append(out, string(k))
	}
	return out
}

// identities are the people with these ids, in this order, with their roles, rules and open findings.
func identities(ctx context.Context, t *store.Tenant, ids ...tocsin.PersonID) ([]Identity, error) {
	q := &query{}
	q.add("select " + personColumns + " from person where tenant = $1 and person in (" + q.in(anys(ids)...) + ")")
	rows, err := find(ctx, t, q, (*personRow).fields)
	if err != nil {
		return nil, err
	}
	by := map[tocsin.PersonID]Identity{}
	for i := range rows {
		by[rows[i].Person] = rows[i].view()
	}
	out := []Identity{}
	for _, id := range ids {
		if p, ok := by[id]; ok {
			out = append(out, p)
		}
	}
	return out, surround(ctx, t, out)
}

// surround adds to people their roles, rules and open findings.
func surround(ctx context.Context, t *store.Tenant, people []Identity) error {
	ids := make([]any, len(people))
	at := map[tocsin.PersonID]*Identity{}
	for i := range people {
		ids[i] = string(people[i].Person)
		at[people[i].Person] = &people[i]
	}
	if len(ids) == 0 {
		return nil
	}
	type role struct {
		person tocsin.PersonID
		name   string
	}
	q := &query{}
	these := q.in(ids...)
	q.add("select m.person, d.name from role_member m join directory_role d on d.tenant = m.tenant and d.id = m.role where m.tenant = $1 and m.person in (" + these + ") union select person, name from role_holding where tenant = $1 and how <> 'eligible' and person in (" + these + ") order by 2")
	roles, err := find(ctx, t, q, func(r *role) []any { return []any{&r.person, &r.name} })
	if err != nil {
		return err
	}
	for _, r := range roles {
		at[r.person].Roles = append(at[r.person].Roles, r.name)
	}
	q = &query{}
	q.add("select distinct person, name from role_holding where tenant = $1 and how = 'eligible' and person in (" + q.in(ids...) + ") order by 2")
	if roles, err = find(ctx, t, q, func(r *role) []any { return []any{&r.person, &r.name} }); err != nil {
		return err
	}
	for _, r := range roles {
		if p := at[r.person]; !slices.Contains(p.Roles, r.name) {
			p.Eligible = append(p.Eligible, r.name)
		}
	}
	type count struct {
		person tocsin.PersonID
		n      int
	}
	q = &query{}
	q.add("select person, count(*) from mail_rule where tenant = $1 and +deleted = 0 and person in (" + q.in(ids...) + ") group by person")
	counts, err := find(ctx, t, q, func(c *count) []any { return []any{&c.person, &c.n} })
	if err != nil {
		return err
	}
	for _, c := range counts {
		at[c.person].Rules = c.n
	}
	open, err := openOf(ctx, t, ids)
	if err != nil {
		return err
	}
	for id, o := range open {
		at[id].Open = o
	}
	risks, err := risksOf(ctx, t, ids)
	if err != nil {
		return err
	}
	for id, risk := range risks {
		at[id].Risk = risk
	}
	return depict(ctx, t, people)
}

// add counts n findings of a severity.
func (s *Severities) add(severity tocsin.Severity, n int) {
	switch severity {
	case tocsin.Critical:
		s.Critical += n
	case tocsin.High:
		s.High += n
	case tocsin.Medium:
		s.Medium += n
	case tocsin.Low:
		s.Low += n
	default:
		s.Info += n
	}
}

// openOf counts people's open findings.
func openOf(ctx context.Context, t *store.Tenant, ids []any) (map[tocsin.PersonID]Severities, error) {
	type row struct {
		person   tocsin.PersonID
		severity tocsin.Severity
		n        int
	}
	q := &query{}
	q.add("select person, severity, count(*) from finding where tenant = $1 and person in (" + q.in(ids...) + ") and status in ('open', 'in_work') group by person, severity")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.person, &r.severity, &r.n} })
	out := map[tocsin.PersonID]Severities{}
	for _, r := range rows {
		o := out[r.person]
		o.add(r.severity, r.n)
		out[r.person] = o
	}
	return out, err
}

// GetIdentity is all that is known of a person.
func (s *Service) GetIdentity(ctx context.Context, in ByPerson) (IdentityDetail, error) {
	return view(ctx, s, "identities get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (IdentityDetail, error) {
		var d IdentityDetail
		person, err := personNamed(ctx, t, in.Person)
		if err != nil {
			return d, err
		}
		found, err := identities(ctx, t, person)
		if err != nil {
			return d, err
		}
		if len(found) == 0 {
			return d, notFound("person")
		}
		d.Identity = found[0]
		return d, s.fillIdentity(ctx, t, &d)
	})
}

func (s *Service) fillIdentity(ctx context.Context, t *store.Tenant, d *IdentityDetail) error {
	var addresses string
	err := t.QueryRow(ctx, `select addresses from person where tenant = $1 and person = $2`, d.Person).Scan(&addresses)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(addresses), &d.Addresses); err != nil {
		return fmt.Errorf("addresses of %s: %w", d.Person, err)
	}
	d.Addresses = orNone(d.Addresses)
	for i, a := range d.Addresses { // as Exchange writes them: SMTP: before the main one, smtp: before others
		if kind, rest, ok := strings.Cut(a, ":"); ok && strings.EqualFold(kind, "smtp") {
			d.Addresses[i] = rest
		}
	}
	q := (&query{}).add("select d.id, d.name, d.template from role_member m join directory_role d on d.tenant = m.tenant and d.id = m.role where m.tenant = $1 and m.person = ? order by d.name", d.Person)
	if d.Directory, err = find(ctx, t, q, func(r *DirectoryRole) []any { return []any{&r.ID, &r.Name, &r.Template} }); err != nil {
		return err
	}
	boxes, err := mailboxes(ctx, t, d.Person)
	if err != nil {
		return err
	}
	if len(boxes) > 0 {
		d.MailboxOf = &boxes[0]
	}
	if d.OpenedBy, d.MayOpen, err = delegationsOf(ctx, t, d.Person); err != nil {
		return err
	}
	present, err := rulesOf(ctx, t, d.Person, false)
	if err != nil {
		return err
	}
	gone, err := rulesOf(ctx, t, d.Person, true)
	if err != nil {
		return err
	}
	d.MailRules = append(present, gone...)
	if d.Findings, err = findingsOf(ctx, t, d.Person, 200); err != nil {
		return err
	}
	if d.RiskOf, err = riskOf(ctx, t, d.Person); err != nil {
		return err
	}
	if d.Stories, err = storiesOf(ctx, t, d.Person); err != nil {
		return err
	}
	if err := s.wholePerson(ctx, t, d); err != nil {
		return err
	}
	p, err := listEvents(ctx, t, EventsIn{Person: d.Person, Type: "RULE", Paging: Paging{Limit: 100}})
	if err != nil {
		return err
	}
	d.Timeline = p.Items
	done, err := remediate.List(ctx, t, remediate.Filter{Person: d.Person, Limit: 20})
	if err != nil {
		return err
	}
	c, _ := CallerOf(ctx)
	d.Done = actionViews(done, c)
	d.Acts, err = actsOn(ctx, t, d.Person, nil)
	return err
}
