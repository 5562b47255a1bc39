package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// AuditJudge judges a tenant's audit records by the event rules, in the order of their times, as `tocsin analyze` does. What
// rules remember of earlier records is a function of the table alone: a memory that is lost is made again from it, and one
// that has gone past the time of a record which came late goes back there, so that neither a restart nor the order in
// which records come changes what is found. Only one may judge at a time: its caller holds a lease. The zero value is ready.
type AuditJudge struct {
	Store *store.Store
	// Window is how long rules remember; 0 is 30 days. A longer one is asked for by none.
	Window time.Duration
	// Back is how many records it can go back by without making the memory anew; 0 is 100,000.
	Back int

	mu      sync.Mutex
	tenants map[tocsin.TenantID]*judged
}

// judged is how far the rules have come in one tenant's records. The memory knows all records before from, and no other.
type judged struct {
	mem     detect.Memory
	own     *ownRules
	from    bound
	version int64  // of the row audit_judge, by which two judges are told apart
	steps   []step // what it can go back by, in order
	since   int    // records since old notes were dropped
}

// place is where a record stands among all, in the order of time.
type place struct {
	at int64
	id string
}

func (p place) before(q place) bool { return p.at < q.at || p.at == q.at && p.id < q.id }

// bound is a place from which on records are read: behind it, or with it.
type bound struct {
	place
	with bool
}

// step is a record that was judged, and the memory before it.
type step struct {
	place
	mark detect.Mark
}

// auditChunk is how many records are judged in one transaction.
const auditChunk = 500

// Follow is an act for each fact: new records of a tenant are judged.
func (j *AuditJudge) Follow(ctx context.Context, f store.Fact) error {
	if f.Kind != "audit.recorded" {
		return nil
	}
	var body struct{ Judge bool }
	if json.Unmarshal(f.Body, &body) == nil && !body.Judge {
		return nil
	}
	return j.Judge(ctx, f.Tenant)
}

// Judge judges what is there of a tenant's records and was not judged.
func (j *AuditJudge) Judge(ctx context.Context, tenant tocsin.TenantID) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.tenants == nil {
		j.tenants = map[tocsin.TenantID]*judged{}
	}
	for {
		more, err := j.chunk(ctx, tenant)
		if err != nil {
			delete(j.tenants, tenant) // what it remembers may be of what was not committed
			return fmt.Errorf("judge the audit records of %s: %w", tenant, err)
		}
		if !more || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// chunk judges the next records from the first on that was not judged, also those behind it that were.
func (j *AuditJudge) chunk(ctx context.Context, tenant tocsin.TenantID) (more bool, err error) {
	s := j.tenants[tenant]
	known := s != nil
	if !known {
		s = &judged{}
		j.tenants[tenant] = s
	}
	var list []auditRow
	err = j.Store.ViewTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error {
		list = nil
		version, err := comeTo(ctx, t)
		if err != nil {
			return err
		}
		own, err := ownRulesOf(ctx, t)
		if err != nil {
			return err
		}
		known = known && version == s.version && own.same(s.own) // else another judged meanwhile, or the customer's rules are others
		s.version, s.own = version, own
		first, any, err := unjudged(ctx, t)
		if err != nil || !any {
			return err
		}
		if !known || !s.from.before(first) && !s.back(first) {
			if err := j.remember(ctx, t, s, first); err != nil {
				return err
			}
			known = true
		}
		list, err = auditRows(ctx, t, s.from, place{})
		return err
	})
	if err != nil || len(list) == 0 {
		return false, err
	}
	from, n := s.from, len(s.steps)
	err = j.Store.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error {
		if len(s.steps) > n { // the transaction is tried again
			s.mem.Back(s.steps[n].mark)
			s.steps, s.from = s.steps[:n], from
		}
		return j.judge(ctx, t, s, list)
	})
	if err != nil {
		return false, err
	}
	s.version++
	j.tidy(s, list[len(list)-1].at)
	return true, nil
}

// tidy drops what rules need no more, and what is further back than it can go.
func (j *AuditJudge) tidy(s *judged, at int64) {
	if s.since >= 20_000 {
		s.since = 0
		s.mem.Trim(tocsin.FromMillis(at).Add(-j.window()))
	}
	if most := cmp.Or(j.Back, 100_000); len(s.steps) > 2*most {
		s.steps = append([]step(nil), s.steps[len(s.steps)-most:]...)
		s.mem.LetGo(s.steps[0].mark)
	}
}

func (j *AuditJudge) window() time.Duration { return cmp.Or(j.Window, 30*24*time.Hour) }

// comeTo is the version of how far the rules have come.
func comeTo(ctx context.Context, t *store.Tenant) (version int64, err error) {
	err = t.QueryRow(ctx, `select version from audit_judge where tenant = $1`).Scan(&version)
	if errors.Is(err, store.ErrNone) {
		return 0, nil
	}
	return version, err
}

// unjudged is the place of the first record that was not judged.
func unjudged(ctx context.Context, t *store.Tenant) (p place, any bool, err error) {
	err = t.QueryRow(ctx, `select at, id from audit_record where tenant = $1 and not judged order by at, id limit 1`).Scan(&p.at, &p.id)
	if errors.Is(err, store.ErrNone) {
		return p, false, nil
	}
	return p, err == nil, err
}

// back takes the memory to before the place; false where it does not know what stood before it.
func (s *judged) back(to place) bool {
	i := len(s.steps)
	for i > 0 && !s.steps[i-1].before(to) {
		i--
	}
	if i == 0 || i < len(s.steps) && !s.mem.Back(s.steps[i].mark) {
		return false
	}
	s.steps, s.from = s.steps[:i], bound{s.steps[i-1].place, false}
	return true
}

// remember makes the memory anew as it was before the place: the rules look once more at the records that they remember, and
// what they find is passed over.
func (j *AuditJudge) remember(ctx context.Context, t *store.Tenant, s *judged, first place) error {
	*s = judged{version: s.version, own: s.own, from: bound{place{at: first.at - j.window().Milliseconds()}, true}}
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	org.alsoTold(&s.mem)
	for {
		list, err := auditRows(ctx, t, s.from, first)
		if err != nil {
			return err
		}
		for i := range list {
			s.one(org, &list[i])
		}
		if len(list) < auditChunk {
			s.from = bound{first, true}
			return org.err
		}
		j.tidy(s, list[len(list)-1].at)
	}
}

// auditRow is a record as the table has it.
type auditRow struct {
	place
	judged bool
	person tocsin.PersonID
	body   string
}

// auditRows are the next records that a rule looks at, in the order of time, before another place where that is set.
func auditRows(ctx context.Context, t *store.Tenant, from bound, before place) (list []auditRow, err error) {
	id := `id > $3`
	if from.with {
		id = `id >= $3`
	}
	query, args := `select at, id, judged, body from audit_record where tenant = $1 and judge and at >= $2 and (at > $2 or `+id+`)`, []any{from.at, from.id}
	if before != (place{}) {
		query += ` and at <= $4 and (at < $4 or id < $5)`
		args = append(args, before.at, before.id)
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var r auditRow
		err := scan(&r.at, &r.id, &r.judged, &r.body)
		list = append(list, r)
		return err
	}, query+fmt.Sprintf(` order by at, id limit %d`, auditChunk), args...)
	return list, err
}

// one has every rule look at a record, also the customer's own.
func (s *judged) one(org *organisation, r *auditRow) ([]tocsin.Finding, []ownHit) {
	s.steps = append(s.steps, step{r.place, s.mem.Mark()})
	s.from = bound{r.place, false}
	s.since++
	e, err := readRecord(r)
	if err != nil {
		return nil, nil // it was read when it was kept, so this is not met
	}
	org.Now = e.Record.Time
	noteTold(&s.mem, e.Record)
	found := rule.Record(&org.Org, &s.mem, e.Record)
	own, hits := s.own.judge(org, &s.mem, e)
	return append(found, own...), hits
}

// readRecord reads a record as the table has it.
func readRecord(r *auditRow) (*sigma.Event, error) {
	e, err := audit.Whole([]byte(r.body))
	if err != nil {
		return nil, err
	}
	e.Record.ID = r.id
	return sigma.NewEvent(&e), nil
}

// judge judges records, files what is found, and notes that they were judged.
func (j *AuditJudge) judge(ctx context.Context, t *store.Tenant, s *judged, list []auditRow) error {
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	now := org.Now
	org.alsoTold(&s.mem)
	var found []tocsin.Finding
	var hits []ownHit
	var ids []string
	for i := range list {
		here, own := s.one(org, &list[i])
		found = append(found, here...)
		if !list[i].judged {
			ids, hits = append(ids, list[i].id), append(hits, own...)
		}
	}
	if org.err != nil {
		return org.err
	}
	if found, err = s.own.bounded(ctx, t, now, found); err != nil {
		return err
	}
	if err := s.own.count(ctx, t, hits); err != nil {
		return err
	}
	if err := fileEvents(ctx, t, now, found); err != nil {
		return err
	}
	for some := range slices.Chunk(ids, 400) {
		if _, err := t.Exec(ctx, `update audit_record set judged = true where tenant = $1 and id in (`+store.In(len(some), 2)+`)`, anys(some)...); err != nil {
			return err
		}
	}
	n, err := t.Exec(ctx, `insert into audit_judge (tenant, at, id, version) values ($1, $2, $3, $4)
		on conflict (tenant) do update set at = excluded.at, id = excluded.id, version = excluded.version where audit_judge.version = excluded.version - 1`,
		s.from.at, s.from.id, s.version+1)
	if err == nil && n == 0 {
		return store.ErrLost
	}
	return err
}

// toldKind is the memory's word for accounts and contacts that records tell of.
const toldKind = "told"

// noteTold notes what a record tells of an address: an account that was made, a contact that leads outside.
func noteTold(mem *detect.Memory, r *detect.Record) {
	names, k := audit.Told(r)
	if len(names) == 0 {
		return
	}
	text, err := encode(k)
	if err != nil {
		return
	}
	for _, n := range names {
		mem.Add(toldKind, n, detect.Note{At: r.Time, ID: r.ID, Value: string(text)})
	}
}

// alsoTold has an address that the directory does not know looked up among what records told.
func (o *organisation) alsoTold(mem *detect.Memory) {
	directory := o.Lookup
	o.Lookup = func(addr string) detect.Known {
		k := directory(addr)
		if k.Kind != detect.Unlisted {
			return k
		}
		if n, ok := mem.Last(toldKind, addr); ok && json.Unmarshal([]byte(n.Value), &k) == nil {
			return k
		}
		return detect.Known{}
	}
}

// fileEvents files what event rules found: the same cause is one finding that grows, whether a record told of it or the
// state did, and one that was fixed or excused opens again only by a record that is not among its evidence.
func fileEvents(ctx context.Context, t *store.Tenant, now time.Time, found []tocsin.Finding) error {
	by, shown := map[string]int{}, map[string]bool{}
	var list []tocsin.Finding
	for _, x := range found {
		if !realPerson(x.Person) {
			x.Person = ""
		}
		same, err := ruleInState(ctx, t, &x)
		if err != nil {
			return err
		}
		id := tocsin.NewFindingID(t.ID(), x.Rule, rule.Identity(&x), x.Cause)
		shown[id] = same
		if at, twice := by[id]; twice {
			list[at].Grow(&x)
			continue
		}
		by[id] = len(list)
		list = append(list, x)
	}
	f := filing{t: t, now: now, shown: shown}
	for some := range slices.Chunk(list, 400) {
		if err := f.told(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// ruleInState gives a finding on an inbox rule, which the audit log calls by its mailbox and name, that rule's id where the
// mailbox as it was last read has one of that name, and no other: then both tell of one finding.
func ruleInState(ctx context.Context, t *store.Tenant, x *tocsin.Finding) (bool, error) {
	_, name, ok := strings.Cut(x.Subject, `\`)
	if !ok || x.Person == "" {
		return false, nil
	}
	var ids []string
	err := each(ctx, t, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, `select id from mail_rule where tenant = $1 and person = $2 and name = $3 and deleted = 0 limit 2`, string(x.Person), name)
	if err != nil || len(ids) != 1 {
		return false, err
	}
	x.Subject = ids[0]
	for i := range x.Evidence {
		x.Evidence[i].Raw = "" // the rule is evidence of the finding itself, which the record is kept with (see grown)
	}
	return true, nil
}

// realPerson says whether it is the id of a person of the directory; rules name an unknown one by the address.
func realPerson(p tocsin.PersonID) bool { return !strings.ContainsAny(string(p), "@ ") && len(p) == 36 }
