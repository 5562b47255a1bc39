package collect

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// The states of a rule of the customer's own. One that is tested is judged and counted, and files nothing.
const (
	OwnDraft   = "draft"
	OwnTesting = "testing"
	OwnLive    = "live"
	OwnOff     = "off"
)

// How much the rules of one tenant may take.
const (
	MaxOwnRules    = 1000 // that there are
	MaxOwnRunning  = 500  // that are tested or live
	MaxOwnFindings = 200  // that one files within a day; what comes then is counted only
	ownSamples     = 10   // records that are kept of each
)

// ownRules are a tenant's rules that are tested or live, compiled. It does not change.
type ownRules struct {
	edition string
	set     *sigma.Set
	by      map[string]*ownRule
}

type ownRule struct {
	id, state string
	meta      detect.Meta
}

// ownMemo spares compiling what was compiled: an edition's text is new at every change, so what is here is never wrong.
var ownMemo struct {
	sync.Mutex
	tenants map[tocsin.TenantID]*ownRules
}

// ownRulesOf are the tenant's own rules; nil where none is tested or live.
func ownRulesOf(ctx context.Context, t *store.Tenant) (*ownRules, error) {
	var edition string
	err := t.QueryRow(ctx, `select edition from own_rule_set where tenant = $1`).Scan(&edition)
	if errors.Is(err, store.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ownMemo.Lock()
	had := ownMemo.tenants[t.ID()]
	ownMemo.Unlock()
	if had != nil && had.edition == edition {
		return had, nil
	}
	o := &ownRules{edition: edition, by: map[string]*ownRule{}}
	var list []sigma.Named
	err = each(ctx, t, func(scan func(...any) error) error {
		var r ownRule
		var name, text string
		if err := scan(&r.id, &name, &r.state, &text); err != nil {
			return err
		}
		b, err := sigma.Parse([]byte(text))
		if err != nil { // it was read when it was kept; one that a newer version refuses is shown so, and stops no other
			return nil
		}
		n := sigma.Named{Name: name, Bundle: b}
		r.meta = n.Meta()
		o.by[name] = &r
		list = append(list, n)
		return nil
	}, `select id, name, state, text from own_rule where tenant = $1 and state in ('testing', 'live') order by id`)
	if err != nil {
		return nil, err
	}
	o.set = sigma.NewSet(list)
	ownMemo.Lock()
	defer ownMemo.Unlock()
	if ownMemo.tenants == nil {
		ownMemo.tenants = map[tocsin.TenantID]*ownRules{}
	}
	ownMemo.tenants[t.ID()] = o
	return o, nil
}

// same says whether both are the same rules.
func (o *ownRules) same(other *ownRules) bool {
	return o == nil && other == nil || o != nil && other != nil && o.edition == other.edition
}

// OwnChanged notes that the tenant's own rules changed: from the next record on they are judged as they are now.
func OwnChanged(ctx context.Context, t *store.Tenant) error {
	_, err := t.Exec(ctx, `insert into own_rule_set (tenant, edition) values ($1, $2) on conflict (tenant) do update set edition = excluded.edition`, tocsin.NewID())
	return err
}

// meets says whether any rule of the customer's own looks at a record.
func (o *ownRules) meets(e *sigma.Event) bool {
	return o != nil && o.set.Len() > 0 && len(o.set.Match(e)) > 0
}

// ownHit is a time at which a rule of the customer's own spoke.
type ownHit struct {
	rule   string
	at     int64
	sample OwnSample
}

// OwnSample is a record that a rule spoke of.
type OwnSample struct {
	Record string    `json:"record"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Why    string    `json:"why"`
}

// judge gives what the rules find in a record: findings of those that are live and not excused, and every hit.
func (o *ownRules) judge(org *organisation, mem *detect.Memory, e *sigma.Event) (found []tocsin.Finding, hits []ownHit) {
	if o == nil || o.set.Len() == 0 {
		return nil, nil
	}
	for _, f := range o.set.Judge(&org.Org, mem, e.Record, o.set.Match(e)) {
		r := o.by[f.Rule]
		if len(org.Unexcused(&r.meta, []tocsin.Finding{f})) == 0 {
			continue
		}
		hits = append(hits, ownHit{f.Rule, tocsin.Millis(e.Record.Time), OwnSample{e.Record.ID, e.Record.Time, f.Who, f.Why}})
		if r.state == OwnLive {
			found = append(found, f)
		}
	}
	return found, hits
}

// bounded leaves out what a rule finds beyond what one may file in a day, and notes that it is so noisy.
func (o *ownRules) bounded(ctx context.Context, t *store.Tenant, now time.Time, found []tocsin.Finding) ([]tocsin.Finding, error) {
	if o == nil {
		return found, nil
	}
	filed := map[string]map[string]bool{} // by rule: what is there already, and what is new
	out := found[:0]
	for _, f := range found {
		r := o.by[f.Rule]
		if r == nil {
			out = append(out, f)
			continue
		}
		had := filed[f.Rule]
		if had == nil {
			had = map[string]bool{}
			filed[f.Rule] = had
			err := each(ctx, t, func(scan func(...any) error) error {
				var id string
				err := scan(&id)
				had[id] = true
				return err
			}, `select id from finding where tenant = $1 and rule = $2 and last_seen > $3 limit 2000`, f.Rule, tocsin.Millis(now.Add(-24*time.Hour)))
			if err != nil {
				return nil, err
			}
		}
		id := findingID(t, &f)
		if !had[id] && len(had) >= MaxOwnFindings {
			if _, err := t.Exec(ctx, `update own_rule set noisy = $3 where tenant = $1 and name = $2`, f.Rule, tocsin.Millis(now)); err != nil {
				return nil, err
			}
			continue
		}
		had[id] = true
		out = append(out, f)
	}
	return out, nil
}

// count adds the hits to what is known of the rules.
func (o *ownRules) count(ctx context.Context, t *store.Tenant, hits []ownHit) error {
	by := map[string][]ownHit{}
	for _, h := range hits {
		by[h.rule] = append(by[h.rule], h)
	}
	for _, name := range sortedKeys(by) {
		list, id := by[name], o.by[name].id
		days, last := map[int64]int{}, int64(0)
		for _, h := range list {
			days[h.at-h.at%(24*time.Hour).Milliseconds()]++
			last = max(last, h.at)
		}
		var text string
		err := t.QueryRow(ctx, `select samples from own_rule where tenant = $1 and id = $2`, id).Scan(&text)
		if errors.Is(err, store.ErrNone) {
			continue // it was deleted meanwhile
		}
		var samples []OwnSample
		if err = errors.Join(err, json.Unmarshal([]byte(text), &samples)); err != nil {
			return err
		}
		for _, h := range list[max(0, len(list)-ownSamples):] {
			samples = append(samples, h.sample)
		}
		slices.SortStableFunc(samples, func(a, b OwnSample) int { return b.At.Compare(a.At) })
		raw, err := encode(samples[:min(len(samples), ownSamples)])
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update own_rule set hits = hits + $3, last_hit = case when last_hit > $4 then last_hit else $4 end, samples = $5 where tenant = $1 and id = $2`, id, len(list), last, string(raw)); err != nil {
			return err
		}
		for day, n := range days {
			if _, err := t.Exec(ctx, `insert into own_rule_day (tenant, rule, day, hits) values ($1, $2, $3, $4) on conflict (tenant, rule, day) do update set hits = own_rule_day.hits + excluded.hits`, id, day, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// findingID is the id under which a finding is filed.
func findingID(t *store.Tenant, f *tocsin.Finding) string {
	x := *f
	if !realPerson(x.Person) {
		x.Person = ""
	}
	return tocsin.NewFindingID(t.ID(), x.Rule, rule.Identity(&x), x.Cause)
}

// OwnReplay is what a rule would have found in what is stored.
type OwnReplay struct {
	Since      time.Time   `json:"since"`
	Until      time.Time   `json:"until"`
	Records    int         `json:"records"`    // that were looked at
	Hits       int         `json:"hits"`       // times at which it would have spoken
	Findings   int         `json:"findings"`   // that this would have been: one for each person or thing
	Excused    int         `json:"excused"`    // times at which an exception would have kept it silent
	Days       []OwnDay    `json:"days"`       // each, also those without a hit
	Samples    []OwnSample `json:"samples"`    // the last of them
	Incomplete string      `json:"incomplete"` // why not all was looked at; empty where it was
}

// OwnDay is how often a rule spoke on a day.
type OwnDay struct {
	Day  time.Time `json:"day"`
	Hits int       `json:"hits"`
}

// replayTime is how long one replay may take.
const replayTime = 25 * time.Second

// ReplayOwn says what a rule under this name would have found in the records of the last days. It files nothing.
func ReplayOwn(ctx context.Context, st *store.Store, tenant tocsin.TenantID, name string, b *sigma.Bundle, days int) (OwnReplay, error) {
	named := sigma.Named{Name: name, Bundle: b}
	set, meta := sigma.NewSet([]sigma.Named{named}), named.Meta()
	now := st.Clock().Now().UTC()
	out := OwnReplay{Since: now.AddDate(0, 0, -days).Truncate(24 * time.Hour), Until: now, Days: []OwnDay{}, Samples: []OwnSample{}}
	began := time.Now()
	var mem detect.Memory
	byDay, who := map[time.Time]int{}, map[string]bool{}
	from := bound{place{at: tocsin.Millis(out.Since)}, true}
	for more := true; more; {
		if time.Since(began) > replayTime {
			out.Until = tocsin.FromMillis(from.at).UTC()
			out.Incomplete = "there is more than can be looked at in " + replayTime.String() + ": ask for fewer days"
			break
		}
		err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			list, err := storedRecords(ctx, t, from)
			if err != nil {
				return err
			}
			org, err := loadOrg(ctx, t)
			if err != nil {
				return err
			}
			more = len(list) == auditChunk
			for i := range list {
				from = bound{list[i].place, false}
				e, err := readRecord(&list[i])
				if err != nil {
					continue
				}
				out.Records++
				org.Now = e.Record.Time
				for _, f := range set.Judge(&org.Org, &mem, e.Record, set.Match(e)) {
					if len(org.Unexcused(&meta, []tocsin.Finding{f})) == 0 {
						out.Excused++
						continue
					}
					out.Hits++
					byDay[f.Time.UTC().Truncate(24*time.Hour)]++
					who[findingID(t, &f)] = true
					out.Samples = append(out.Samples, OwnSample{e.Record.ID, e.Record.Time, f.Who, f.Why})
					if len(out.Samples) > 2*20 {
						out.Samples = append(out.Samples[:0], out.Samples[len(out.Samples)-20:]...)
					}
				}
			}
			return org.err
		})
		if err != nil {
			return out, err
		}
		mem.Trim(tocsin.FromMillis(from.at).Add(-sigma.MaxSpan))
	}
	slices.Reverse(out.Samples)
	out.Samples = out.Samples[:min(len(out.Samples), 20)]
	out.Findings = len(who)
	for d := out.Since; d.Before(now); d = d.AddDate(0, 0, 1) {
		out.Days = append(out.Days, OwnDay{d, byDay[d]})
	}
	return out, nil
}

// storedRecords are the next records of any kind, in the order of time.
func storedRecords(ctx context.Context, t *store.Tenant, from bound) (list []auditRow, err error) {
	op := ">"
	if from.with {
		op = ">="
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var r auditRow
		err := scan(&r.at, &r.id, &r.judged, &r.body)
		list = append(list, r)
		return err
	}, strings.Replace(`select at, id, judged, body from audit_record where tenant = $1 and at >= $2 and (at > $2 or id > $3) order by at, id limit 500`, "id >", "id "+op, 1), from.at, from.id)
	return list, err
}
