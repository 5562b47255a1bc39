package collect

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// StateOf is what is held of a tenant, in the form that `tocsin snapshot` writes: the paths for which wanted is true, all where it is nil.
func StateOf(ctx context.Context, t *store.Tenant, now time.Time, wanted func(path string) bool) (*posture.Snapshot, error) {
	s := &posture.Snapshot{Taken: now, Tenant: posture.Tenant{ID: string(t.ID())}, Collections: map[string][]json.RawMessage{}, Missing: map[string]posture.Missing{}}
	err := each(ctx, t, func(scan func(...any) error) error {
		var path, reason, because string
		var read int64
		if err := scan(&path, &read, &reason, &because); err != nil {
			return err
		}
		if read > 0 {
			s.Collections[path] = []json.RawMessage{}
		} else {
			s.Missing[path] = posture.Missing{Reason: posture.Reason(reason), Why: because}
		}
		return nil
	}, `select path, read_at, reason, because from state_path where tenant = $1 order by path`)
	if err != nil {
		return nil, err
	}
	for _, path := range sortedKeys(s.Collections) {
		if wanted != nil && !wanted(path) {
			continue
		}
		err := each(ctx, t, func(scan func(...any) error) error {
			var body string
			err := scan(&body)
			s.Collections[path] = append(s.Collections[path], json.RawMessage(body))
			return err
		}, `select body from state_object where tenant = $1 and path = $2 and deleted = 0 order by id`, path)
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// lacking adds to a snapshot why a path was never read: that its permission is not granted.
func lacking(s *posture.Snapshot, granted []string) {
	for _, source := range sortedKeys(reading) {
		for _, r := range reading[source] {
			_, read := s.Collections[r.path]
			_, told := s.Missing[r.path]
			call := graph.Find(r.call)
			if !read && !told && !slices.ContainsFunc(call.Permissions, func(p string) bool { return slices.Contains(granted, p) }) {
				s.Missing[r.path] = posture.Missing{Reason: posture.Permission, Why: call.Permissions[0] + " was not granted."}
			}
		}
	}
}

// askPosture judges what the tenant is set to, where something has changed since it was last judged, or a day has passed.
func (c *Collector) askPosture(ctx context.Context) error {
	now := c.Store.Clock().Now()
	var changed, judged, excepted int64
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if err := t.QueryRow(ctx, `select coalesce(max(changed), 0) from state_path where tenant = $1`).Scan(&changed); err != nil {
			return err
		}
		if err := t.QueryRow(ctx, `select coalesce(max(created), 0) from exception where tenant = $1`).Scan(&excepted); err != nil {
			return err
		}
		return t.QueryRow(ctx, `select coalesce(min(judged), 0) from posture_result where tenant = $1`).Scan(&judged)
	})
	if err != nil {
		return err
	}
	day := int64(24 * time.Hour / time.Millisecond)
	if changed == 0 || max(changed, excepted) < judged && tocsin.Millis(now)/day == judged/day && tocsin.Millis(now)-judged < day/24 {
		return errNothing
	}
	roles, roleErr := c.Graph.RolesFor(ctx, "")
	var results []posture.Result
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		snap, err := StateOf(ctx, t, now, nil)
		if err != nil {
			return err
		}
		if roleErr == nil {
			lacking(snap, roles)
		}
		org, err := loadOrg(ctx, t)
		if err != nil {
			return err
		}
		results = posture.Judge(posture.NewState(snap, now), org.Exceptions)
		return nil
	})
	if err != nil {
		return err
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error { return filePosture(ctx, t, results, now) })
}

// filePosture writes what the checks came to, the day's count, and a finding for each that fails.
func filePosture(ctx context.Context, t *store.Tenant, results []posture.Result, now time.Time) error {
	at, day := tocsin.Millis(now), tocsin.Millis(now)/int64(24*time.Hour/time.Millisecond)
	counts := map[[2]string]int{}
	var found []tocsin.Finding
	rules, args := map[string]bool{}, []any{}
	for i := range results {
		r := &results[i]
		counts[[2]string{r.Area, string(r.Status)}]++
		rules[r.ID] = true
		args = append(args, r.ID)
		objects := r.Found
		if objects == nil {
			objects = []posture.Object{}
		}
		text, err := encode(objects)
		if err != nil {
			return err
		}
		owner, expires := "", int64(0)
		if r.Exception != nil {
			owner, expires = r.Exception.Owner, tocsin.Millis(r.Exception.Expires)
		}
		if _, err := t.Exec(ctx, `insert into posture_result (tenant, id, status, reason, why, found, owner, expires, since, judged) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
			on conflict (tenant, id) do update set status = excluded.status, reason = excluded.reason, why = excluded.why, found = excluded.found, owner = excluded.owner,
				expires = excluded.expires, since = case when posture_result.status = excluded.status then posture_result.since else excluded.since end, judged = excluded.judged`,
			r.ID, string(r.Status), string(r.Reason), r.Why, string(text), owner, expires, at); err != nil {
			return err
		}
		if r.Status == posture.Fail && r.Severity.Rank() >= tocsin.Medium.Rank() {
			found = append(found, postureFinding(r, now))
		}
	}
	if _, err := t.Exec(ctx, `delete from posture_day where tenant = $1 and day = $2`, day); err != nil {
		return err
	}
	for k, n := range counts {
		if _, err := t.Exec(ctx, `insert into posture_day (tenant, day, area, status, n) values ($1, $2, $3, $4, $5)`, day, k[0], k[1], n); err != nil {
			return err
		}
	}
	f := filing{t: t, now: now, rules: rules}
	if err := f.file(ctx, found, `rule in (`+store.In(len(args), 2)+`)`, args...); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "posture.judged"})
}

// mostObjects is how many objects a finding names.
const mostObjects = 20

// postureFinding is the finding of a check that fails: one for a check, with the objects that it fails for.
func postureFinding(r *posture.Result, now time.Time) tocsin.Finding {
	points := map[tocsin.Severity]int{tocsin.Critical: 85, tocsin.High: 65, tocsin.Medium: 40}[r.Severity]
	meta := r.Check.Meta()
	f := meta.Finding("", "", r.ID, now)
	f.Why, f.Severity = r.Why, r.Severity
	terms := detect.Terms{}
	terms.Add(points, "a setting of the tenant: "+strings.ToLower(r.Title[:1])+r.Title[1:]+", it is not so")
	for i, o := range r.Found {
		if i == mostObjects {
			break
		}
		f.Evidence = append(f.Evidence, tocsin.Evidence{ID: o.ID, Source: "setting", What: strings.TrimSuffix(o.Name+": "+o.Why, ": ")})
	}
	detect.Score(&f, terms)
	return f
}
