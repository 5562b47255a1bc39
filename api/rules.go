package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/store"
)

const ruleColumns = `person, id, body, outside, risk, first_seen, changed, seen, deleted`

type ruleRow struct {
	MailRule
	body                          string
	first, changed, seen, deleted int64
}

func (r *ruleRow) fields() []any {
	return []any{&r.Person, &r.ID, &r.body, &r.Outside, &r.Risk, &r.first, &r.changed, &r.seen, &r.deleted}
}

func (r *ruleRow) view() (MailRule, error) {
	if err := json.Unmarshal([]byte(r.body), &r.Rule); err != nil {
		return MailRule{}, fmt.Errorf("rule %s of %s: %w", r.ID, r.Person, err)
	}
	r.Hides, r.Summary = deletesUnseen(r.Rule), summary(r.Rule)
	r.FirstSeen, r.Changed, r.Seen, r.Deleted = tocsin.FromMillis(r.first), tocsin.FromMillis(r.changed), tocsin.FromMillis(r.seen), tocsin.FromMillis(r.deleted)
	return r.MailRule, nil
}

// ListRules lists mailbox rules: those that are there by risk, the highest first, or those that were deleted, the last
// first. Most rules have no risk: these are read by the table's key, the few others by the index on risk, and merged.
func (s *Service) ListRules(ctx context.Context, in RulesIn) (Page[MailRule], error) {
	return view(ctx, s, "rules list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[MailRule], error) {
		return listRules(ctx, t, in)
	})
}

// rulesAsked is what is asked for, with the people whom the text means.
type rulesAsked struct {
	RulesIn
	people []any
}

func listRules(ctx context.Context, t *store.Tenant, asked RulesIn) (Page[MailRule], error) {
	in := rulesAsked{RulesIn: asked}
	var p Page[MailRule]
	name := "rules"
	if in.Deleted {
		name = "rules/deleted"
	}
	after, err := parseCursor(in.After, name, 3)
	if err != nil {
		return p, err
	}
	if in.people, err = meant(ctx, t, in.Q); err != nil {
		return p, err
	}
	n := in.limit()
	var rows []ruleRow
	if in.Deleted {
		rows, err = find(ctx, t, deletedRules(in, after, n+1), (*ruleRow).fields)
	} else {
		rows, err = rulesByRisk(ctx, t, in, after, n+1)
	}
	if err != nil {
		return p, err
	}
	pieces := paged(rows, n, func(r ruleRow) string {
		first := int64(r.Risk)
		if in.Deleted {
			first = r.deleted
		}
		return cursor(name, first, string(r.Person), r.ID)
	})
	p.Next = pieces.Next
	if p.Items, err = ruleViews(ctx, t, pieces.Items); err != nil {
		return p, err
	}
	return total(in.Paging, p, func() (int, bool, error) { return countRules(ctx, t, in) })
}

// raised are the rules that a finding across mailboxes holds for more dangerous than they are by themselves, the most
// dangerous first: one of theirs, one in which they have a part, or one of where they send. There are few; where there are
// many, the others stand where their own risk puts them. A cross join tells SQLite to begin with the findings.
const raised = `select m.person, m.id, max(j.risk) from (
		select person, subject as rule, risk from finding where tenant = $1 and rule = 'forward-chain' and status in ('open', 'in_work') and person <> ''
		union all select p.person, p.rule, f.risk from finding_part p cross join finding f where p.tenant = $1 and f.tenant = $1 and f.id = p.finding and f.status in ('open', 'in_work')
		union all select t.person, t.rule, f.risk from finding f cross join rule_target t where t.tenant = $1 and (t.address = f.subject or t.address like replace(f.subject, '@', '+%@')) and t.outside
			and f.tenant = $1 and f.rule = 'shared-destination' and f.status in ('open', 'in_work') and f.person = '') j
	cross join mail_rule m where m.tenant = $1 and m.person = j.person and m.id = j.rule
	and j.risk > m.risk and m.deleted = 0 group by m.person, m.id order by 3 desc, m.person, m.id limit 200`

// raisedRule is one of them.
type raisedRule struct {
	person, id string
	risk       int
}

// rulesByRisk gives a piece of the rules that are there, the riskiest first: those by their own risk, and in between those
// that findings raise, which are read apart so that the others come along their index.
func rulesByRisk(ctx context.Context, t *store.Tenant, in rulesAsked, after place, n int) ([]ruleRow, error) {
	lift, err := find(ctx, t, (&query{}).add(raised), func(r *raisedRule) []any { return []any{&r.person, &r.id, &r.risk} })
	if err != nil {
		return nil, err
	}
	rows, err := find(ctx, t, presentRules(in, after, n, lift), (*ruleRow).fields)
	if err != nil || len(lift) == 0 {
		return rows, err
	}
	q := (&query{}).add("select " + ruleColumns + " from mail_rule where tenant = $1 and deleted = 0 and ")
	lifted(q, lift)
	ruleFilters(q, in)
	found, err := find(ctx, t, q, (*ruleRow).fields)
	for _, r := range found {
		i := slices.IndexFunc(lift, func(x raisedRule) bool { return x.person == string(r.Person) && x.id == r.ID })
		r.Risk = lift[i].risk
		at := cmp.Or(cmp.Compare(after.number(0), int64(r.Risk)), strings.Compare(string(r.Person), after.text(1)), strings.Compare(r.ID, after.text(2)))
		if after.begins() || at > 0 { // among the others, whose order is the engine's
			i := slices.IndexFunc(rows, func(x ruleRow) bool {
				return cmp.Or(r.Risk-x.Risk, cmp.Compare(x.Person, r.Person), cmp.Compare(x.ID, r.ID)) > 0
			})
			if i < 0 {
				i = len(rows)
			}
			rows = slices.Insert(rows, i, r)
		}
	}
	return rows[:min(n, len(rows))], err
}

// lifted adds that a rule is one of these.
func lifted(q *query, lift []raisedRule) {
	q.add("(person, id) in (values ")
	for i, r := range lift {
		q.add(map[bool]string{true: "(?, ?)", false: ", (?, ?)"}[i == 0], r.person, r.id)
	}
	q.add(")")
}

func presentRules(in rulesAsked, after place, n int, lift []raisedRule) *query {
	q := &query{}
	apart := func() {
		if len(lift) > 0 {
			q.add(" and not ")
			lifted(q, lift)
		}
	}
	q.add("select " + ruleColumns + " from (")
	if after.begins() || after.number(0) > 0 {
		q.add("select * from (select " + ruleColumns + " from mail_rule where tenant = $1 and deleted = 0 and risk > 0")
		apart()
		ruleFilters(q, in)
		if !after.begins() {
			q.add(" and (risk < ? or (risk = ? and (person, id) > (?, ?)))", after.number(0), after.number(0), after.text(1), after.text(2))
		}
		q.add(" order by risk desc, person, id limit ?) risky union all ", n)
	}
	// Put so, SQLite does not take the index on the risk, and PostgreSQL knows how many there are.
	q.add("select * from (select " + ruleColumns + " from mail_rule where tenant = $1 and ")
	by := "person, id"
	if in.Sends || in.Outside {
		q.add("deleted = 0 and not risk > 0")
		by = "person || '', id"
	} else {
		q.add("not deleted > 0 and not risk > 0")
	}
	apart()
	ruleFilters(q, in)
	if !after.begins() && after.number(0) == 0 {
		q.add(" and (person, id) > (?, ?)", after.text(1), after.text(2))
	}
	return q.add(" order by "+by+" limit ?) calm) merged order by risk desc, person, id limit ?", n, n)
}

func deletedRules(in rulesAsked, after place, n int) *query {
	q := &query{}
	q.add("select " + ruleColumns + " from mail_rule where tenant = $1 and deleted > 0")
	ruleFilters(q, in)
	if !after.begins() {
		q.add(" and deleted <= ? and (deleted < ? or (person, id) > (?, ?))", after.number(0), after.number(0), after.text(1), after.text(2))
	}
	return q.add(" order by deleted desc, person, id limit ?", n)
}

// ruleFilters adds what is asked for. The body is JSON of our own making: a member's name in quotes with a colon cannot
// stand within one of its texts, where quotes are escaped.
func ruleFilters(q *query, in rulesAsked) {
	if in.Sends || in.Outside {
		q.add(" and targets > 0")
	}
	if in.Outside {
		q.add(" and outside")
	}
	if in.Hides {
		q.add(` and ((body like '%"delete":%' or body like '%"permanent_delete":%') and (targets > 0 or body not like '%"conditions":%')
			or (person, id) in (select person, subject from finding where tenant = $1 and status in ('open', 'in_work') and rule in (`).add(q.in(anys(hiding)...) + ")))")
	}
	if in.Person != "" {
		q.add(" and person = ?", in.Person)
	}
	if in.Destination != "" {
		q.add(" and (person, id) in (select person, rule from rule_target where tenant = $1 and address = ?)", tocsin.CanonicalAddress(in.Destination))
	}
	if strings.TrimSpace(in.Q) != "" {
		q.add(` and (lower(body) like ? escape '\' or person in (`, contains(in.Q)).add(q.in(in.people...) + "))")
	}
}

// most is how many people a text may mean for their rules to be listed by it.
const most = 1000

// meant are the people whose name or address has the text that is looked for, looked up once for all parts of a query.
func meant(ctx context.Context, t *store.Tenant, text string) ([]any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	q := &query{}
	like := q.arg(contains(text))
	q.add(`select person from person where tenant = $1 and (lower(name) like `+like+` escape '\' or lower(upn) like `+like+` escape '\') order by upn limit ?`, most)
	rows, err := find(ctx, t, q, func(id *string) []any { return []any{id} })
	return anys(rows), err
}

func countRules(ctx context.Context, t *store.Tenant, in rulesAsked) (int, bool, error) {
	there := "deleted = 0"
	switch {
	case in.Deleted:
		there = "deleted > 0"
	case in.Destination != "" || in.Person != "":
		there = "not deleted > 0" // so that SQLite goes by the mailbox, not by the index on deleted
	}
	q := (&query{}).add("mail_rule where tenant = $1 and " + there)
	if !in.Hides && in.Person == "" && in.Destination == "" && strings.TrimSpace(in.Q) == "" && !in.Outside {
		if in.Sends {
			q.add(" and targets > 0")
		}
		exact := (&query{args: q.args}).add("select count(*) from " + q.text.String())
		n, err := number(ctx, t, exact)
		return n, false, err
	}
	ruleFilters(q, in)
	return counted(ctx, t, q)
}

// ruleViews adds to rules whose they are and where they send.
func ruleViews(ctx context.Context, t *store.Tenant, rows []ruleRow) ([]MailRule, error) {
	out := make([]MailRule, 0, len(rows))
	people := map[tocsin.PersonID]bool{}
	for i := range rows {
		v, err := rows[i].view()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		people[v.Person] = true
	}
	names, err := namesOf(ctx, t, people)
	if err != nil {
		return nil, err
	}
	outside, err := outsideTargets(ctx, t, people)
	if err != nil {
		return nil, err
	}
	var org *detect.Org // for the deleted, of whose targets there are no rows any more
	for i := range out {
		r := &out[i]
		r.Who, r.Name = names[r.Person].address, names[r.Person].name
		leads := func(a tocsin.Address) bool { return outside[targetKey{r.Person, r.ID, a.Canonical()}] }
		if !r.Deleted.IsZero() && len(r.Rule.Targets()) > 0 {
			if org == nil {
				if org, err = places(ctx, t); err != nil {
					return nil, err
				}
			}
			leads = org.Outside
			r.Outside = slices.ContainsFunc(r.Rule.Targets(), leads)
		}
		r.Targets = targetsOf(r, leads)
	}
	return out, judgedRules(ctx, t, out, people)
}

type targetKey struct {
	person        tocsin.PersonID
	rule, address string
}

// outsideTargets are the targets of people's rules that lead outside, as the last judgement saw it.
func outsideTargets(ctx context.Context, t *store.Tenant, people map[tocsin.PersonID]bool) (map[targetKey]bool, error) {
	q := &query{}
	q.add("select person, rule, address from rule_target where tenant = $1 and outside and person in (" + q.in(keys(people)...) + ")")
	found, err := find(ctx, t, q, func(k *targetKey) []any { return []any{&k.person, &k.rule, &k.address} })
	out := map[targetKey]bool{}
	for _, k := range found {
		out[k] = true
	}
	return out, err
}

// targetsOf are a rule's targets, and of each whether it leads outside.
func targetsOf(r *MailRule, outside func(tocsin.Address) bool) []Target {
	out := []Target{}
	for _, list := range []struct {
		verb string
		to   []tocsin.Address
	}{{"forward", r.Rule.Forward}, {"redirect", r.Rule.Redirect}, {"attach", r.Rule.Attach}} {
		for _, a := range list.to {
			out = append(out, Target{Address: a.Address, Name: a.Name, Verb: list.verb, Outside: outside(a)})
		}
	}
	return out
}

// places is the organisation as far as it says which addresses are outside: accepted domains and trusted partners.
func places(ctx context.Context, t *store.Tenant) (*detect.Org, error) {
	o := &detect.Org{Tenant: t.ID(), Domains: map[string]bool{}, Partners: map[string]bool{}}
	type row struct {
		name string
		ours bool
	}
	q := (&query{}).add("select lower(name), 1 = 1 from domain where tenant = $1 and is_verified union all select lower(domain), 1 = 0 from partner where tenant = $1 and (expires = 0 or expires > ?)",
		tocsin.Millis(t.Tx().Clock().Now()))
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.name, &r.ours} })
	for _, r := range rows {
		if r.ours {
			o.Domains[r.name] = true
		} else {
			o.Partners[r.name] = true
		}
	}
	return o, err
}

// rulesOf are the rules of a mailbox, there or deleted, the riskiest or last deleted first.
func rulesOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID, deleted bool) ([]MailRule, error) {
	p, err := listRules(ctx, t, RulesIn{Person: person, Deleted: deleted, Paging: Paging{Limit: 200}})
	return orNone(p.Items), err
}

// rulesTo are the rules that send to an address.
func rulesTo(ctx context.Context, t *store.Tenant, address string, limit int) ([]MailRule, error) {
	if !strings.Contains(address, "@") {
		return []MailRule{}, nil
	}
	p, err := listRules(ctx, t, RulesIn{Destination: address, Paging: Paging{Limit: limit}})
	return orNone(p.Items), err
}

// GetRule is a rule with its history and its findings.
func (s *Service) GetRule(ctx context.Context, in RuleIn) (MailRuleDetail, error) {
	return view(ctx, s, "rules get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (MailRuleDetail, error) {
		person, err := personNamed(ctx, t, in.Person)
		if err != nil {
			return MailRuleDetail{}, err
		}
		d, err := ruleDetail(ctx, t, person, in.ID)
		if err != nil {
			return d, err
		}
		if d.Findings, err = findingsOfRule(ctx, t, d.MailRule); err != nil {
			return d, err
		}
		d.Acts, err = actsOn(ctx, t, person, &d.MailRule)
		return d, err
	})
}

func ruleDetail(ctx context.Context, t *store.Tenant, person tocsin.PersonID, id string) (MailRuleDetail, error) {
	d := MailRuleDetail{Findings: []Finding{}, Acts: []Act{}}
	var r ruleRow
	var raw string
	err := t.QueryRow(ctx, `select `+ruleColumns+`, raw from mail_rule where tenant = $1 and person = $2 and id = $3`, person, id).Scan(append(r.fields(), &raw)...)
	if errors.Is(err, store.ErrNone) {
		return d, notFound("rule")
	}
	if err != nil {
		return d, err
	}
	views, err := ruleViews(ctx, t, []ruleRow{r})
	if err != nil {
		return d, err
	}
	d.MailRule, d.Lines = views[0], linesOf(views[0].Rule)
	d.Raw = rawJSON(raw)
	d.History, err = ruleHistory(ctx, t, person, id)
	return d, err
}

// rawJSON is JSON as it was kept; what is none, or nothing, is null.
func rawJSON(s string) json.RawMessage {
	if !json.Valid([]byte(s)) {
		return json.RawMessage("null")
	}
	return json.RawMessage(s)
}

func ruleHistory(ctx context.Context, t *store.Tenant, person tocsin.PersonID, rule string) ([]RuleChange, error) {
	type row struct {
		RuleChange
		at            int64
		before, after string
	}
	rows, err := find(ctx, t, (&query{}).add("select id, at, change, before, after, action from rule_change where tenant = $1 and person = ? and rule = ? order by at desc, id desc limit 200", person, rule),
		func(r *row) []any { return []any{&r.ID, &r.at, &r.Change, &r.before, &r.after, &r.Action} })
	if err != nil {
		return nil, err
	}
	out := make([]RuleChange, len(rows))
	for i, r := range rows {
		before, err1 := ruleThen(r.before)
		after, err2 := ruleThen(r.after)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("history of rule %s: %w", rule, err)
		}
		r.At, r.Diff = tocsin.FromMillis(r.at), diff(before, after)
		out[i] = r.RuleChange
	}
	return out, nil
}

func ruleThen(body string) (*tocsin.MailRule, error) {
	if body == "" || body == "null" {
		return nil, nil
	}
	var r tocsin.MailRule
	return &r, json.Unmarshal([]byte(body), &r)
}
