package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"tocsin.dev"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// allStatuses and allSeverities in the order of lists.
var (
	openStatuses  = []tocsin.Status{tocsin.Open, tocsin.InWork}
	allStatuses   = []tocsin.Status{tocsin.Open, tocsin.InWork, tocsin.Fixed, tocsin.Accepted, tocsin.FalseAlarm}
	allSeverities = []tocsin.Severity{tocsin.Critical, tocsin.High, tocsin.Medium, tocsin.Low, tocsin.Info}
)

const findingColumns = `id, rule, title, severity, severity_rank, risk, person, who, subject, why, stage, status, owner, reason, accepted_until, first_seen, last_seen, count, version`

// worstFirst is the order of findings where nothing else is asked for: by severity, then risk, then the newest.
const worstFirst = "severity_rank desc, risk desc, last_seen desc, id desc"

type findingRow struct {
	Finding
	rank               int64
	until, first, last int64
}

func (r *findingRow) fields() []any {
	return []any{&r.ID, &r.Rule, &r.Title, &r.Severity, &r.rank, &r.Risk, &r.Person, &r.Who, &r.Subject, &r.Why, &r.Stage, &r.Status, &r.Owner, &r.Reason,
		&r.until, &r.first, &r.last, &r.Count, &r.Version}
}

func (r *findingRow) view() Finding {
	r.AcceptedUntil, r.FirstSeen, r.LastSeen = tocsin.FromMillis(r.until), tocsin.FromMillis(r.first), tocsin.FromMillis(r.last)
	return r.Finding
}

func findingViews(ctx context.Context, t *store.Tenant, rows []findingRow) ([]Finding, error) {
	out := make([]Finding, len(rows))
	for i := range rows {
		out[i] = rows[i].view()
	}
	return out, lookedAt(ctx, t, out)
}

// ofRules are the detections that rest on the state of mailboxes' rules: what they found is so at each look at these.
var ofRules = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, d := range catalogue() {
		names[d.Name] = d.Source == "mailbox_rule"
	}
	return names
})

// lookedAt sets when findings were last seen to the last look at which they still were so. A finding's row has when it last
// changed: to write each look into each row would cost more than reading when the mailbox was looked at.
func lookedAt(ctx context.Context, t *store.Tenant, findings []Finding) error {
	looks := func(f *Finding) bool {
		return (f.Status == tocsin.Open || f.Status == tocsin.InWork) && ofRules()[f.Rule]
	}
	people := map[tocsin.PersonID]bool{}
	for i := range findings {
		if looks(&findings[i]) {
			people[findings[i].Person] = true
		}
	}
	if len(people) == 0 {
		return nil
	}
	type row struct {
		person tocsin.PersonID
		seen   int64
	}
	q := &query{}
	// Across mailboxes ('') it is when all of them were read.
	q.add("select person, rules_seen from mailbox where tenant = $1 and person in (" + q.in(keys(people)...) + ") union all select '', succeeded from source where tenant = $1 and name = 'rules'")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.person, &r.seen} })
	seen := map[tocsin.PersonID]int64{}
	for _, r := range rows {
		seen[r.person] = r.seen
	}
	for i := range findings {
		f := &findings[i]
		if at := tocsin.FromMillis(seen[f.Person]); looks(f) && at.After(f.LastSeen) {
			f.LastSeen = at
		}
	}
	return err
}

// ListFindings lists findings. Each order walks its index (finding_worst, finding_list, finding_risk) from a key: for
// every status and, where the newest come first, every severity, as many as a piece has; the pieces are merged.
func (s *Service) ListFindings(ctx context.Context, in FindingsIn) (Page[Finding], error) {
	return view(ctx, s, "findings list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Finding], error) {
		return listFindings(ctx, t, in)
	})
}

// findingsAsked is what is asked for, with the findings that name the person beside those about them.
type findingsAsked struct {
	FindingsIn
	naming []any
}

func listFindings(ctx context.Context, t *store.Tenant, asked FindingsIn) (Page[Finding], error) {
	in := findingsAsked{FindingsIn: asked}
	o, err := orderOf(asked)
	if err != nil {
		return Page[Finding]{}, err
	}
	n := in.limit()
	q := &query{}
	if in.Person != "" {
		if in.naming, err = naming(ctx, t, in.Person); err != nil {
			return Page[Finding]{}, err
		}
		findingsOfOne(q, in, o)
		return findingPage(ctx, t, in, o, q)
	}
	q.add("select " + findingColumns + " from (")
	for i, b := range branches(asked, o) {
		if i > 0 {
			q.add(" union all ")
		}
		q.add("select * from (select "+findingColumns+" from finding where tenant = $1 and status = ?", b.status)
		if b.severity != "" {
			q.add(" and severity_rank = ?", b.severity.Rank())
		}
		findingFilters(q, in)
		o.from(q)
		q.add(" order by "+o.by+" limit ?) b"+fmt.Sprint(i), n+1)
	}
	q.add(") merged")
	return findingPage(ctx, t, in, o, q)
}

// findingsOfOne asks for a person's findings: few, found by the index on the person and sorted.
func findingsOfOne(q *query, in findingsAsked, o order) {
	statuses, severities := asked(in.FindingsIn)
	q.add("select " + findingColumns + " from finding where tenant = $1 and status in (" + q.in(statuses...) + ") and severity_rank in (" + q.in(severities...) + ")")
	findingFilters(q, in)
	o.from(q)
}

// findingPage puts a query in order and reads a piece of it.
func findingPage(ctx context.Context, t *store.Tenant, in findingsAsked, o order, q *query) (Page[Finding], error) {
	var p Page[Finding]
	n := in.limit()
	q.add(" order by "+o.by+" limit ?", n+1)
	rows, err := find(ctx, t, q, (*findingRow).fields)
	if err != nil {
		return p, err
	}
	pieces := paged(rows, n, func(r findingRow) string { return cursor(o.name, o.key(r)...) })
	p.Next = pieces.Next
	if p.Items, err = findingViews(ctx, t, pieces.Items); err != nil {
		return p, err
	}
	return total(in.Paging, p, func() (int, bool, error) { return countFindings(ctx, t, in) })
}

// order is one of the orders of findings, and from where on.
type order struct {
	name, by string
	after    place
	cond     string // with a ? for each value of the key
	key      func(findingRow) []any
	split    bool // the index gives it only within one severity
}

func orderOf(in FindingsIn) (order, error) {
	o := order{name: "findings/worst", by: worstFirst, cond: " and (severity_rank, risk, last_seen, id) < (?, ?, ?, ?)",
		key: func(r findingRow) []any { return []any{r.rank, int64(r.Risk), r.last, r.ID} }}
	switch in.Sort {
	case "newest":
		o = order{name: "findings/newest", by: "last_seen desc, id desc", cond: " and (last_seen, id) < (?, ?)", split: true,
			key: func(r findingRow) []any { return []any{r.last, r.ID} }}
	case "risk":
		o = order{name: "findings/risk", by: "risk desc, last_seen desc, id desc", cond: " and (risk, last_seen, id) < (?, ?, ?)",
			key: func(r findingRow) []any { return []any{int64(r.Risk), r.last, r.ID} }}
	}
	var err error
	o.after, err = parseCursor(in.After, o.name, strings.Count(o.cond, "?"))
	if err == nil && !o.after.begins() {
		last := len(o.after.values) - 1
		for i, v := range o.after.values {
			if _, text := v.(string); text != (i == last) {
				return o, badCursor
			}
		}
	}
	return o, err
}

func (o order) from(q *query) {
	if !o.after.begins() {
		q.add(o.cond, o.after.values...)
	}
}

type branch struct {
	status   tocsin.Status
	severity tocsin.Severity // empty: all
}

func branches(in FindingsIn, o order) []branch {
	statuses := in.Status
	if len(statuses) == 0 {
		statuses = openStatuses
	}
	if slices.Contains(statuses, "all") {
		statuses = allStatuses
	}
	severities := in.Severity
	if len(severities) == 0 && o.split {
		severities = allSeverities
	}
	if len(severities) == 0 {
		severities = []tocsin.Severity{""}
	}
	var out []branch
	for _, st := range statuses {
		for _, sev := range severities {
			if b := (branch{st, sev}); !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	return out
}

// findingFilters adds what the index does not have.
func findingFilters(q *query, in findingsAsked) {
	if in.Rule != "" {
		q.add(" and rule = ?", in.Rule)
	}
	if in.Person != "" {
		ofPerson(q, in.Person, in.naming)
	}
	switch in.Owner {
	case "":
	case "none":
		q.add(" and owner = ''")
	default:
		q.add(" and owner = ?", in.Owner)
	}
	if strings.TrimSpace(in.Q) != "" {
		like := q.arg(contains(in.Q))
		q.add(` and (lower(who) like ` + like + ` escape '\' or lower(title) like ` + like + ` escape '\' or lower(why) like ` + like + ` escape '\')`)
	}
}

// asked are the statuses and the ranks of severities that are asked for.
func asked(in FindingsIn) (statuses, severities []any) {
	for _, b := range branches(in, order{split: true}) {
		if !slices.Contains(statuses, any(string(b.status))) {
			statuses = append(statuses, string(b.status))
		}
		if !slices.Contains(severities, any(b.severity.Rank())) {
			severities = append(severities, b.severity.Rank())
		}
	}
	return statuses, severities
}

// countFindings counts the whole list: exactly from the index where it has all that is filtered by, else up to countTo.
func countFindings(ctx context.Context, t *store.Tenant, in findingsAsked) (int, bool, error) {
	statuses, severities := asked(in.FindingsIn)
	q := &query{}
	q.add("finding where tenant = $1 and status in (" + q.in(statuses...) + ") and severity_rank in (" + q.in(severities...) + ")")
	if in.Rule == "" && in.Person == "" && in.Owner == "" && strings.TrimSpace(in.Q) == "" {
		exact := &query{args: q.args}
		exact.add("select count(*) from " + q.text.String())
		n, err := number(ctx, t, exact)
		return n, false, err
	}
	findingFilters(q, in)
	return counted(ctx, t, q)
}

// naming are the ids of findings that name a person beside the one they are about, by a rule of theirs.
func naming(ctx context.Context, t *store.Tenant, person tocsin.PersonID) ([]any, error) {
	q := (&query{}).add("select distinct finding from finding_part where tenant = $1 and person = ? limit 200", person)
	ids, err := find(ctx, t, q, func(id *string) []any { return []any{id} })
	return anys(ids), err
}

// ofPerson adds that a finding is about a person, or is one of those that name them.
func ofPerson(q *query, person tocsin.PersonID, naming []any) {
	if len(naming) == 0 {
		q.add(" and person = ?", person)
		return
	}
	q.add(" and (person = ?", person).add(" or id in (" + q.in(naming...) + "))")
}

// findingsOf are the findings about a person and those that name them, the open before the others, the worst first; at most
// limit.
func findingsOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID, limit int) ([]Finding, error) {
	if person == "" {
		return []Finding{}, nil
	}
	named, err := naming(ctx, t, person)
	if err != nil {
		return nil, err
	}
	q := (&query{}).add("select " + findingColumns + " from finding where tenant = $1")
	ofPerson(q, person, named)
	q.add(" order by case when status in ('open', 'in_work') then 0 else 1 end, "+worstFirst+" limit ?", limit)
	rows, err := find(ctx, t, q, (*findingRow).fields)
	if err != nil {
		return nil, err
	}
	return findingViews(ctx, t, rows)
}

// related are the other findings about the person of d and those that name them; about the rules that d names, and those
// that name the same ones: the open before the others, the worst first.
func related(ctx context.Context, t *store.Tenant, d *FindingDetail) ([]Finding, error) {
	var about []any
	if d.Person != "" {
		about = append(about, string(d.Person))
	}
	type part struct{ person, rule string }
	parts, err := find(ctx, t, (&query{}).add("select person, rule from finding_part where tenant = $1 and finding = ? order by person, rule limit 100", d.ID),
		func(p *part) []any { return []any{&p.person, &p.rule} })
	if err != nil || len(about)+len(parts) == 0 {
		return []Finding{}, err
	}
	q := &query{}
	q.add("select distinct finding from finding_part where tenant = $1 and (person in (" + q.in(about...) + ")")
	for _, p := range parts {
		q.add(" or person = ? and rule = ?", p.person, p.rule)
	}
	if d.Subject != "" && d.Person != "" {
		q.add(" or person = ? and rule = ?", d.Person, d.Subject)
	}
	ids, err := find(ctx, t, q.add(") limit 200"), func(id *string) []any { return []any{id} })
	if err != nil {
		return nil, err
	}
	q = (&query{}).add("select "+findingColumns+" from finding where tenant = $1 and id <> ?", d.ID)
	q.add(" and (person in (" + q.in(about...) + ") or id in (" + q.in(anys(ids)...) + ")")
	for _, p := range parts {
		q.add(" or person = ? and subject = ?", p.person, p.rule)
	}
	q.add(") order by case when status in ('open', 'in_work') then 0 else 1 end, "+worstFirst+" limit ?", 50)
	rows, err := find(ctx, t, q, (*findingRow).fields)
	if err != nil {
		return nil, err
	}
	return findingViews(ctx, t, rows)
}

// GetFinding is a finding with all that explains it.
func (s *Service) GetFinding(ctx context.Context, in ByID) (FindingDetail, error) {
	return view(ctx, s, "findings get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (FindingDetail, error) {
		return getFinding(ctx, t, in.ID)
	})
}

func getFinding(ctx context.Context, t *store.Tenant, id string) (FindingDetail, error) {
	var r findingRow
	var d FindingDetail
	var body string
	err := t.QueryRow(ctx, `select `+findingColumns+`, cause, body from finding where tenant = $1 and id = $2`, id).Scan(append(r.fields(), &d.Cause, &body)...)
	if errors.Is(err, store.ErrNone) {
		return d, notFound("finding")
	}
	if err != nil {
		return d, err
	}
	var f tocsin.Finding
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		return d, fmt.Errorf("finding %s: %w", id, err)
	}
	views, err := findingViews(ctx, t, []findingRow{r})
	if err != nil {
		return d, err
	}
	d.Finding = views[0]
	d.Terms, d.Attack, d.Actions, d.Evidence = orNone(f.Terms), orNone(f.Attack), orNone(f.Actions), orNone(f.Evidence)
	if d.Detector = detector(r.Rule); d.Detector == nil {
		if d.Detector, err = ownMeta(ctx, t, r.Rule); err != nil {
			return d, err
		}
	}
	if d.History, err = findingHistory(ctx, t, id); err != nil {
		return d, err
	}
	return d, around(ctx, t, &d)
}

// around adds whom and what a finding is about.
func around(ctx context.Context, t *store.Tenant, d *FindingDetail) error {
	d.RelatedRules, d.Acts = []MailRule{}, []Act{}
	done, err := remediate.List(ctx, t, remediate.Filter{Finding: d.ID, Limit: 20})
	if err != nil {
		return err
	}
	c, _ := CallerOf(ctx)
	d.Done = actionViews(done, c)
	if d.Records, err = recordsOf(ctx, t, d.Evidence); err != nil {
		return err
	}
	if d.Related, err = related(ctx, t, d); err != nil {
		return err
	}
	if d.Story, err = storyWith(ctx, t, d.ID); err != nil {
		return err
	}
	if d.Person == "" {
		rules, err := rulesTo(ctx, t, d.Subject, 100)
		d.RelatedRules = rules
		return err
	}
	who, err := identities(ctx, t, d.Person)
	if err != nil {
		return err
	}
	if len(who) > 0 {
		d.Identity = &who[0]
	}
	rule, err := ruleDetail(ctx, t, d.Person, d.Subject)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
		d.Acts, err = actsOn(ctx, t, d.Person, nil) // the subject is no rule
		return err
	}
	if err != nil {
		return err
	}
	d.MailRule = &rule
	d.Acts, err = actsOn(ctx, t, d.Person, &rule.MailRule)
	return err
}

func findingHistory(ctx context.Context, t *store.Tenant, id string) ([]FindingChange, error) {
	type row struct {
		FindingChange
		at int64
	}
	rows, err := find(ctx, t, (&query{}).add("select id, at, who, change, note from finding_change where tenant = $1 and finding = ? order by at desc, id desc limit 200", id),
		func(r *row) []any { return []any{&r.ID, &r.at, &r.Who, &r.Change, &r.Note} })
	out := make([]FindingChange, len(rows))
	for i, r := range rows {
		r.At = tocsin.FromMillis(r.at)
		if r.Who == "" {
			r.Who = "tocsin"
		}
		out[i] = r.FindingChange
	}
	return out, err
}

func orNone[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
