package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/graph"
	"tocsin.dev/query"
	"tocsin.dev/store"
)

// Heard notes, of the facts that tell of mail, what came to mailboxes for the investigations that stand. It is a step of stream.Fold: each
// event is noted once.
func Heard(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
	runs := map[tocsin.TenantID][]any{}
	for _, f := range facts {
		if f.Kind != "mail.changed" {
			continue
		}
		var a collect.Arrivals
		if err := json.Unmarshal(f.Body, &a); err != nil {
			continue // of another version: what it told of is searched for
		}
		if a.Run > 0 && (a.Actions["email_received"] > 0 || a.Actions["email_sent"] > 0) {
			runs[f.Tenant] = append(runs[f.Tenant], a.Run)
		}
	}
	for tenant, numbers := range runs {
		if err := heard(ctx, tx.Tenant(tenant), numbers); err != nil {
			return err
		}
	}
	return nil
}

func heard(ctx context.Context, t *store.Tenant, numbers []any) error {
	standing, err := standingNow(ctx, t)
	if err != nil || len(standing) == 0 {
		return err
	}
	for len(numbers) > 0 {
		some := numbers[:min(len(numbers), 200)]
		numbers = numbers[len(some):]
		rows, err := t.Query(ctx, `select person, at, body from event where tenant = $1 and run in (`+store.In(len(some), 2)+`) and run > 0 and action in ('email_received', 'email_sent')`, some...)
		if err != nil {
			return err
		}
		var values [][]any
		for rows.Next() {
			var is tocsin.EventRow
			if err := rows.Scan(&is.Person, &is.At, &is.Body); err != nil {
				return errors.Join(err, rows.Close())
			}
			message := is.Native()
			if message == "" {
				continue
			}
			for _, v := range standing {
				values = append(values, []any{v, string(is.Person), message, is.At})
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		err = t.Insert(ctx, store.Into{Table: "standing_mail", Columns: []string{"investigation", "person", "message", "at"}, Key: []string{"investigation", "person", "message"}}, values)
		if err != nil {
			return err
		}
	}
	return nil
}

// standingNow are the ids of a tenant's investigations that stand.
func standingNow(ctx context.Context, t *store.Tenant) (out []string, err error) {
	rows, err := t.Query(ctx, `select id from investigation where tenant = $1 and status = 'running' and mode = 'standing'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// standing matches what came, until ctx ends.
func (e *Engine) standing(ctx context.Context, stop context.CancelCauseFunc) {
	for ctx.Err() == nil {
		news := e.Store.Appended()
		did, err := e.standingRound(ctx)
		if errors.Is(err, store.ErrLost) {
			stop(err)
			return
		}
		if err != nil && ctx.Err() == nil {
			e.Log.Error("mail that came was not matched; it is tried again", "error", err)
			pause(ctx, time.Second)
		}
		if did {
			continue
		}
		timer := time.NewTimer(500 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-news:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// arrived is mail that came and is to be matched.
type arrived struct {
	investigation string
	person        tocsin.PersonID
	message       string
	tries         int64
	address       string
	object        string
}

// arrivals is how many are matched in one go.
const arrivals = 200

// standingRound matches what is due of every tenant; did says that there was something.
func (e *Engine) standingRound(ctx context.Context) (did bool, err error) {
	tenants, err := e.tenants(ctx)
	if err != nil {
		return false, err
	}
	g, inner := errgroup.WithContext(graph.WithPriority(ctx, graph.High)) // before what is read in the background
	g.SetLimit(runsAtOne)
	some := make([]bool, len(tenants))
	for i, id := range tenants {
		g.Go(func() (err error) {
			some[i], err = e.matchArrived(inner, id)
			return err
		})
	}
	err = g.Wait()
	for _, s := range some {
		did = did || s
	}
	return did, err
}

// matchArrived matches what is due of a tenant: one investigation's at a time.
func (e *Engine) matchArrived(ctx context.Context, tenant tocsin.TenantID) (bool, error) {
	var list []arrived
	var v *Investigation
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		now := t.Tx().Clock().Now()
		rows, err := t.Query(ctx, `select s.investigation, s.person, s.message, s.tries, coalesce(case when p.mail <> '' then p.mail else p.upn end, ''), coalesce(p.object_id, '') from standing_mail s
			left join person p on p.tenant = s.tenant and p.person = s.person and p.deleted = 0
			where s.tenant = $1 and s.due <= $2 order by s.investigation, s.at limit $3`, now, arrivals)
		if err != nil {
			return err
		}
		for rows.Next() {
			var a arrived
			if err := rows.Scan(&a.investigation, &a.person, &a.message, &a.tries, &a.address, &a.object); err != nil {
				return errors.Join(err, rows.Close())
			}
			if len(list) == 0 || list[0].investigation == a.investigation {
				list = append(list, a)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(list) == 0 {
			return err
		}
		v, err = Get(ctx, t, list[0].investigation)
		return err
	})
	if errors.Is(err, errNone) { // deleted meanwhile
		return true, e.forget(ctx, tenant, list)
	}
	if err != nil || len(list) == 0 {
		return false, err
	}
	if v.Status != Running || v.Trigger != Standing {
		return true, e.forget(ctx, tenant, list)
	}
	return true, e.matchSome(ctx, tenant, v, list)
}

func (e *Engine) forget(ctx context.Context, tenant tocsin.TenantID, list []arrived) error {
	return e.update(ctx, tenant, func(t *store.Tenant) error { return drop(ctx, t, list) })
}

func drop(ctx context.Context, t *store.Tenant, list []arrived) error {
	for _, a := range list {
		if _, err := t.Exec(ctx, `delete from standing_mail where tenant = $1 and investigation = $2 and person = $3 and message = $4`, a.investigation, string(a.person), a.message); err != nil {
			return err
		}
	}
	return nil
}

// matchSome reads the envelopes of what came, and matches them as a search does.
func (e *Engine) matchSome(ctx context.Context, tenant tocsin.TenantID, v *Investigation, list []arrived) error {
	h := &hunt{Engine: e, tenant: tenant, investigated: v, run: &Run{ID: v.Run, Investigation: v.ID}}
	var err error
	if h.query, err = query.Parse(v.Query); err == nil {
		h.way, err = e.Ways(ctx, tenant, v.Connection, CanSearch)
	}
	if err != nil {
		return e.later(ctx, tenant, v, list, err)
	}
	h.sized = strings.Contains(v.Query, "size")
	if h.groups, err = e.clusters(ctx, tenant, v.ID); err != nil {
		return err
	}
	in, out, err := e.inScope(ctx, tenant, v, h.way, list)
	if err != nil {
		return err
	}
	tasks, failed, err := h.lookAt(ctx, in)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return e.later(ctx, tenant, v, list, err)
	}
	var found []Match
	for _, k := range tasks {
		for _, m := range k.found {
			m.Way = "standing"
			found = append(found, m)
		}
	}
	if err := e.point("matched"); err != nil {
		return err
	}
	return e.update(ctx, tenant, func(t *store.Tenant) error {
		fresh, err := h.keepFound(ctx, t, found)
		if err != nil {
			return err
		}
		again := map[string]bool{}
		for _, a := range failed {
			again[string(a.person)+" "+a.message] = true
			if err := putOff(ctx, t, a, "Microsoft Graph does not answer."); err != nil {
				return err
			}
		}
		done := out
		for _, a := range in {
			if !again[string(a.person)+" "+a.message] {
				done = append(done, a)
			}
		}
		if err := drop(ctx, t, done); err != nil || fresh == 0 {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "investigation.progress", Subject: v.ID})
	})
}

// longestLife is for how long mail that came is tried: a search finds what is given up.
const mostArrivedTries = 12

func putOff(ctx context.Context, t *store.Tenant, a arrived, because string) error {
	if a.tries+1 >= mostArrivedTries {
		return drop(ctx, t, []arrived{a})
	}
	due := t.Tx().Clock().Now().Add(min(time.Second<<a.tries, 10*time.Minute))
	_, err := t.Exec(ctx, `update standing_mail set tries = tries + 1, due = $5, because = $6 where tenant = $1 and investigation = $2 and person = $3 and message = $4`, a.investigation, string(a.person), a.message, due, because)
	return err
}

// later puts off all of it, because nothing can be asked; the investigation says why.
func (e *Engine) later(ctx context.Context, tenant tocsin.TenantID, v *Investigation, list []arrived, cause error) error {
	p := tocsin.AsProblem(asProblem(cause))
	return e.update(ctx, tenant, func(t *store.Tenant) error {
		for _, a := range list {
			a.tries = min(a.tries, 8) // it waits for a person, so it is not given up
			if err := putOff(ctx, t, a, p.What); err != nil {
				return err
			}
		}
		had, err := Get(ctx, t, v.ID)
		if err != nil || had.Because == p.What || had.Status != Running {
			return err
		}
		return had.become(ctx, t, had.Status, p.What, p.Do, "", "could not match what came")
	})
}

// inScope parts what came to mailboxes in the investigation's scope and the boundary from what did not.
func (e *Engine) inScope(ctx context.Context, tenant tocsin.TenantID, v *Investigation, way Way, list []arrived) (in, out []arrived, err error) {
	members, err := membersOf(ctx, e.Store, tenant, way.Graph, v.Scope.Groups)
	if err != nil {
		return nil, nil, err
	}
	err = e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		domains, all, err := e.desk().boundary(ctx, t, way.ID)
		if err != nil {
			return err
		}
		only := map[any]bool{}
		for _, a := range list {
			only[string(a.person)] = true
		}
		targets, _, err := targets(ctx, t, v.Scope, members, domains, all, slices.Collect(maps.Keys(only))...)
		if err != nil {
			return err
		}
		may := map[tocsin.PersonID]bool{}
		for _, g := range targets {
			may[g.person] = g.out == ""
		}
		for _, a := range list {
			if may[a.person] {
				in = append(in, a)
			} else {
				out = append(out, a)
			}
		}
		return nil
	})
	return in, out, err
}

// lookAt reads the envelopes of messages, and holds them against the query; failed are those that are to be tried again.
func (h *hunt) lookAt(ctx context.Context, list []arrived) (tasks []*task, failed []arrived, err error) {
	of := map[tocsin.PersonID]*task{}
	calls := &counter{}
	call := "messages.content"
	if h.way.Metadata {
		call = "messages.get"
	}
	parts := make([]graph.Part, len(list))
	for i, a := range list {
		parts[i] = graph.Part{Call: call, P: graph.P{"user": a.object, "message": a.message}}
	}
	results, err := h.way.Graph.Batch(ctx, parts)
	if err != nil {
		return nil, nil, err
	}
	var open []*candidate
	read := map[*task][]arrived{}
	for i, r := range results {
		a := list[i]
		k := of[a.person]
		if k == nil {
			k = &task{Box: Box{Person: a.person, Address: a.address, Object: a.object}, seen: map[string]bool{}}
			of[a.person] = k
			tasks = append(tasks, k)
		}
		var c content
		err := r.Err
		if err == nil {
			err = decode(r, &c)
		}
		switch {
		case gone(err): // deleted, or moved out of the mailbox
			continue
		case lasts(err) != nil:
			return nil, nil, err
		case err != nil:
			failed = append(failed, a)
			continue
		}
		read[k] = append(read[k], a)
		if o := h.takeWhole(k, &c); o != nil {
			open = append(open, o)
		}
	}
	if err := h.decide(ctx, open, calls); err != nil {
		return nil, nil, err
	}
	for k, list := range read { // what was found all the same is kept, once
		if k.err != nil {
			failed = append(failed, list...)
		}
	}
	return tasks, failed, h.nameFolders(ctx, tasks, calls)
}

func gone(err error) bool {
	_, message := errors.AsType[*graph.NotFound](err)
	_, mailbox := errors.AsType[*graph.NoMailbox](err)
	return message || mailbox
}

// takeWhole is take of one message whose body was read with its envelope.
func (h *hunt) takeWhole(k *task, c *content) *candidate {
	if c.ID == "" {
		return nil
	}
	o := &candidate{k: k, v: &c.envelope, doc: c.doc(h.Store.Clock().Now(), h.way.Metadata)}
	if !h.way.Metadata {
		c.read(o.doc)
		return o
	}
	switch truth, why := h.query.Match(o.doc); truth {
	case query.Unknown:
		h.unknown(o, why)
	case query.Yes:
		return o
	}
	return nil
}
