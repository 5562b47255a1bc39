package collect

import (
	"context"
	"encoding/json"
	"maps"
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
	s := &posture.Snapshot{Taken: now, Tenant: posture.Tenant{ID: string(t.ID())}, Collections: map[string][]json.RawMessage{}, Read: map[string]time.Time{}, Missing: map[string]posture.Missing{}}
	err := each(ctx, t, func(scan func(...any) error) error {
		var path, reason, because string
		var read int64
		if err := scan(&path, &read, &reason, &because); err != nil {
			return err
		}
		if read > 0 {
			s.Collections[path], s.Read[path] = []json.RawMessage{}, tocsin.FromMillis(read)
		}
		if read == 0 || reason != "" {
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
		if err := StateObjects(ctx, t, s, path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// StateObjects adds objects of a path to a snapshot in which it stands empty: those of the ids, all where none is given.
func StateObjects(ctx context.Context, t *store.Tenant, s *posture.Snapshot, path string, ids ...string) error {
	if _, read := s.Collections[path]; !read {
		return nil
	}
	take := func(scan func(...any) error) error {
		var body string
		err := scan(&body)
		s.Collections[path] = append(s.Collections[path], json.RawMessage(body))
		return err
	}
	const query = `select body from state_object where tenant = $1 and path = $2 and deleted = 0`
	if len(ids) == 0 {
		return each(ctx, t, take, query+` order by id`, path)
	}
	for some := range slices.Chunk(ids, 500) {
		if err := each(ctx, t, take, query+` and id in (`+store.In(len(some), 3)+`) order by id`, append([]any{path}, anys(some)...)...); err != nil {
			return err
		}
	}
	return nil
}

// lacking adds to a snapshot why a path was never read, or is not any more: that its permission is not granted. exchange says
// whether Exchange's administration may be read, whose permissions are in a token of its own.
func lacking(s *posture.Snapshot, granted []string, exchange bool) {
	for _, source := range sortedKeys(reading) {
		for _, r := range reading[source] {
			_, told := s.Missing[r.path]
			call := graph.Find(r.call)
			if !told && !slices.ContainsFunc(call.Permissions, func(p string) bool { return slices.Contains(granted, p) }) {
				s.Missing[r.path] = posture.Missing{Reason: posture.Permission, Why: call.Permissions[0] + " was not granted."}
			}
		}
	}
	for _, path := range append(slices.Clip(posture.ExchangePaths), posture.ExchangeMailboxes) {
		_, read := s.Collections[path]
		if _, told := s.Missing[path]; told {
			continue
		}
		if !exchange {
			s.Missing[path] = posture.Missing{Reason: posture.Permission, Why: "The permission " + mailSettingsNeed[0] + " is not granted."}
		} else if !read {
			s.Missing[path] = posture.Missing{Reason: posture.NotCollected, Why: "Exchange's administration has not been read yet."}
		}
	}
}

// neverRead adds to a snapshot that a path is read by no connection.
func neverRead(s *posture.Snapshot) {
	reads := map[string]bool{"/users": true}
	for _, list := range reading {
		for _, r := range list {
			reads[r.path] = true
		}
	}
	for i := range posture.Checks {
		for _, need := range posture.Checks[i].Needs {
			_, told := s.Missing[need]
			if _, read := s.Collections[need]; !read && !told && !reads[need] && !strings.Contains(need, "|") {
				s.Missing[need] = posture.Missing{Reason: posture.NotCollected, Why: "A connection does not read it. In an export that has it tocsin posture judges it."}
			}
		}
	}
}

// judgeAgain is after how long every check is judged anew, for the sake of time: credentials end, and people stay away.
const judgeAgain = time.Hour

// stand is how what was judged stands to what is held.
type stand struct {
	judged, whole int64               // of the result judged first, and of the one judged first with all others
	rests         map[string][]string // by check
	dirty         map[string]int64    // paths that changed since, with how often they have
	excepted      int64               // when the last exception was made
	known         int                 // paths that are known of
}

func (c *Collector) postureStand(ctx context.Context) (s stand, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		s = stand{rests: map[string][]string{}, dirty: map[string]int64{}}
		err := each(ctx, t, func(scan func(...any) error) error {
			var id, rests string
			var judged, whole int64
			if err := scan(&id, &rests, &judged, &whole); err != nil {
				return err
			}
			if len(s.rests) == 0 || judged < s.judged {
				s.judged = judged
			}
			if len(s.rests) == 0 || whole < s.whole {
				s.whole = whole
			}
			var list []string
			_ = json.Unmarshal([]byte(rests), &list) // none is told of a result of before: it is judged with all others
			s.rests[id] = list
			return nil
		}, `select id, rests, judged, whole from posture_result where tenant = $1`)
		if err != nil {
			return err
		}
		if err := t.QueryRow(ctx, `select count(*) from state_path where tenant = $1`).Scan(&s.known); err != nil {
			return err
		}
		if err := each(ctx, t, func(scan func(...any) error) error {
			var path string
			var edition int64
			err := scan(&path, &edition)
			s.dirty[path] = edition
			return err
		}, `select path, edition from state_path where tenant = $1 and edition <> judged`); err != nil {
			return err
		}
		return t.QueryRow(ctx, `select coalesce(max(created), 0) from exception where tenant = $1`).Scan(&s.excepted)
	})
	return s, err
}

// checks are those to judge: every one after an hour, on another day, and after an exception was made; else those that rest on what
// changed.
func (s *stand) checks(now time.Time) (list []*posture.Check, all bool) {
	ms, day := tocsin.Millis(now), int64(24*time.Hour/time.Millisecond)
	all = ms-s.whole >= int64(judgeAgain/time.Millisecond) || ms/day != s.whole/day || s.excepted >= s.judged-int64(time.Minute/time.Millisecond) // it may be seen later than what came after it
	for i := range posture.Checks {
		all = all || len(s.rests[posture.Checks[i].ID]) == 0
	}
	for i := range posture.Checks {
		c := &posture.Checks[i]
		if all || slices.ContainsFunc(slices.Collect(maps.Keys(s.dirty)), func(path string) bool { return posture.RestsOn(s.rests[c.ID], path) }) {
			list = append(list, c)
		}
	}
	return list, all
}

// comes says whether something will be read with what is granted. Where nothing will, that is judged: every check says what it lacks.
func comes(granted []string) bool {
	for _, list := range reading {
		for _, r := range list {
			if !r.other && slices.ContainsFunc(graph.Find(r.call).Permissions, func(p string) bool { return slices.Contains(granted, p) }) {
				return true
			}
		}
	}
	return false
}

// askPosture judges what the tenant is set to: the checks that rest on what has changed since they were judged.
func (c *Collector) askPosture(ctx context.Context) error {
	now := c.Store.Clock().Now()
	s, err := c.postureStand(ctx)
	if err != nil {
		return err
	}
	checks, all := s.checks(now)
	roles, roleErr := c.Graph.RolesFor(ctx, "")
	exchange := c.granted(ctx, source{of: graph.ExchangeAdmin, needs: mailSettingsNeed})
	if len(checks) == 0 && len(s.dirty) == 0 || s.known == 0 && (roleErr != nil || comes(roles)) {
		return errNothing
	}
	var results []posture.Result
	var held []posture.Holding
	holds := all || slices.ContainsFunc(slices.Collect(maps.Keys(s.dirty)), posture.HoldingsRestOn)
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		snap, err := StateOf(ctx, t, now, func(string) bool { return false })
		if err != nil {
			return err
		}
		snap.Load = func(path string) ([]json.RawMessage, error) {
			one := posture.Snapshot{Collections: map[string][]json.RawMessage{path: {}}}
			err := StateObjects(ctx, t, &one, path)
			return one.Collections[path], err
		}
		if roleErr == nil {
			lacking(snap, roles, exchange)
		}
		neverRead(snap)
		org, err := loadOrg(ctx, t)
		if err != nil {
			return err
		}
		state := posture.NewState(snap, now)
		if holds {
			held = state.Holdings()
		}
		results = results[:0]
		for _, check := range checks {
			results = append(results, check.Judge(state, org.Exceptions))
		}
		return state.Err()
	})
	if err != nil {
		return err
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if holds {
			if err := fileHoldings(ctx, t, held, now); err != nil {
				return err
			}
		}
		return filePosture(ctx, t, results, s.dirty, all, now)
	})
}

// filePosture writes what the checks came to, the day's count, and a finding for each that fails; dirty is what they were judged for, as
// often as it had changed, and all says that every check was judged.
func filePosture(ctx context.Context, t *store.Tenant, results []posture.Result, dirty map[string]int64, all bool, now time.Time) error {
	at := tocsin.Millis(now)
	for _, path := range sortedKeys(dirty) {
		if _, err := t.Exec(ctx, `update state_path set judged = $3 where tenant = $1 and path = $2`, path, dirty[path]); err != nil {
			return err
		}
	}
	if len(results) == 0 { // nothing rests on what changed
		return nil
	}
	var found []tocsin.Finding
	rules, args := map[string]bool{}, []any{}
	for i := range results {
		r := &results[i]
		rules[r.ID] = true
		args = append(args, r.ID)
		if err := fileResult(ctx, t, r, at); err != nil {
			return err
		}
		if r.Status == posture.Fail && r.Severity.Rank() >= tocsin.Medium.Rank() {
			found = append(found, postureFinding(r, now))
		}
	}
	// What does not rest on what changed holds as of now too.
	if _, err := t.Exec(ctx, `update posture_result set judged = $2 where tenant = $1`, at); err != nil {
		return err
	}
	if all {
		if _, err := t.Exec(ctx, `update posture_result set whole = $2 where tenant = $1`, at); err != nil {
			return err
		}
	}
	if err := countDay(ctx, t, at/int64(24*time.Hour/time.Millisecond)); err != nil {
		return err
	}
	f := filing{t: t, now: now, rules: rules}
	if err := f.file(ctx, found, `rule in (`+store.In(len(args), 2)+`)`, args...); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "posture.judged"})
}

// mostKept is how many of the objects that a check found are kept: where nobody has a second factor they are all persons there are.
const mostKept = 1000

// fileResult writes what a check came to.
func fileResult(ctx context.Context, t *store.Tenant, r *posture.Result, at int64) error {
	objects := r.Found[:min(len(r.Found), mostKept)]
	if objects == nil {
		objects = []posture.Object{}
	}
	text, err := encode(objects)
	if err != nil {
		return err
	}
	rests, err := encode(r.Rests)
	if err != nil {
		return err
	}
	owner, expires := "", int64(0)
	if r.Exception != nil {
		owner, expires = r.Exception.Owner, tocsin.Millis(r.Exception.Expires)
	}
	_, err = t.Exec(ctx, `insert into posture_result (tenant, id, status, reason, why, found, owner, expires, since, judged, rests, n) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)
		on conflict (tenant, id) do update set status = excluded.status, reason = excluded.reason, why = excluded.why, found = excluded.found, owner = excluded.owner, expires = excluded.expires,
			since = case when posture_result.status = excluded.status then posture_result.since else excluded.since end, judged = excluded.judged, rests = excluded.rests, n = excluded.n`,
		r.ID, string(r.Status), string(r.Reason), r.Why, string(text), owner, expires, at, string(rests), len(r.Found))
	return err
}

// countDay writes how many checks of each area came to what, of all and of each benchmark, as it is at the end of the day so far.
func countDay(ctx context.Context, t *store.Tenant, day int64) error {
	type of struct{ framework, area, status string }
	check := map[string]*posture.Check{}
	for i := range posture.Checks {
		check[posture.Checks[i].ID] = &posture.Checks[i]
	}
	counts := map[of]int{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var id, status string
		err := scan(&id, &status)
		c := check[id]
		if c == nil { // a check that this version has no more counts for nothing
			return err
		}
		counts[of{"", c.Area, status}]++
		for _, f := range c.Frameworks.Names() {
			counts[of{f, c.Area, status}]++
		}
		return err
	}, `select id, status from posture_result where tenant = $1`)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `delete from posture_count where tenant = $1 and day = $2`, day); err != nil {
		return err
	}
	var rows [][]any
	for k, n := range counts {
		rows = append(rows, []any{day, k.framework, k.area, k.status, n})
	}
	return t.Insert(ctx, store.Into{Table: "posture_count", Columns: []string{"day", "framework", "area", "status", "n"}}, rows)
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
