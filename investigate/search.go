package investigate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/query"
	"tocsin.dev/store"
)

// hunt is a run that is being searched.
type hunt struct {
	*Engine
	tenant       tocsin.TenantID
	run          *Run
	investigated *Investigation
	way          Way
	query        *query.Query
	first, whole pass
	sized        bool // the query asks for the size of messages
	names        folderNames
	groups       *clusters

	mu    sync.Mutex
	going map[tocsin.PersonID]bool
	told  time.Time // when it was told how the run stands
}

// errStopped says that the run is no longer to be searched.
var errStopped = errors.New("the search was stopped")

// search searches a run to its end. What stops it for good is written down with the run; its error is one that passes.
func (e *Engine) search(ctx context.Context, j job) error {
	h := &hunt{Engine: e, tenant: j.tenant, going: map[tocsin.PersonID]bool{}}
	err := e.Store.ViewTenant(ctx, j.tenant, func(t *store.Tenant) (err error) {
		if h.run, err = GetRun(ctx, t, j.run); err != nil {
			return err
		}
		h.investigated, err = Get(ctx, t, h.run.Investigation)
		return err
	})
	if err != nil {
		return err
	}
	err = h.goOn(ctx)
	if lasting := lasts(err); lasting != nil && ctx.Err() == nil {
		if h.way.ID != "" && e.Refused != nil {
			if note := e.Refused(ctx, j.tenant, h.way.ID, err); note != nil {
				e.Log.Warn("a refusal was not noted on its connection", "error", note)
			}
		}
		return h.halt(ctx, lasting)
	}
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// goOn does what is still to be done of a run.
func (h *hunt) goOn(ctx context.Context) (err error) {
	v := h.investigated
	if h.query, err = query.Parse(h.run.Query); err != nil {
		return err
	}
	if !h.run.Prepared {
		if _, err := h.prepare(ctx, h.tenant, h.run, v); err != nil {
			return err
		}
		if err := h.point("prepared"); err != nil {
			return err
		}
		if h.run.Cause == CauseStanding && h.run.Mailboxes == 0 {
			return h.needless(ctx)
		}
	}
	if h.way, err = h.Ways(ctx, h.tenant, v.Connection, CanSearch); err != nil {
		return err
	}
	h.sized = strings.Contains(h.query.String(), "size")
	h.first, h.whole = passesOf(h.query.Push(h.Store.Clock().Now()), h.way.Metadata, h.run.Plan.Depth)
	if h.groups, err = h.clusters(ctx, h.tenant, v.ID); err != nil {
		return err
	}
	g, inner := errgroup.WithContext(ctx)
	if h.run.Plan.Trace == "ask" && h.run.Trace.State == "" {
		g.Go(func() error { return h.askTrace(inner) })
	}
	g.Go(func() error { return h.portions(inner) })
	if err := g.Wait(); err != nil {
		return err
	}
	return h.done(ctx)
}

// needless forgets a catch-up of an investigation that stands, where every mailbox is told of: there is nothing to catch up with.
func (h *hunt) needless(ctx context.Context) error {
	err := h.update(ctx, h.tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `delete from search_run where tenant = $1 and id = $2`, h.run.ID); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `update investigation set run = coalesce((select r.id from search_run r where r.tenant = $1 and r.investigation = $2 order by r.n desc limit 1), '') where tenant = $1 and id = $2`, h.run.Investigation)
		return err
	})
	if err == nil {
		err = errStopped
	}
	return err
}

// portions searches all mailboxes that wait, in their order.
func (h *hunt) portions(ctx context.Context) error {
	whole, size := ctx, portion/4 // small ones first, so that something shows soon
	g, ctx := errgroup.WithContext(whole)
	g.SetLimit(searchers)
	for ctx.Err() == nil {
		boxes, left, next, err := h.next(ctx)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		for some := range slices.Chunk(boxes, size) {
			g.Go(func() error {
				defer h.leave(some)
				return h.portion(ctx, some)
			})
		}
		if len(boxes) > 0 {
			size = portion
			continue
		}
		if left == 0 {
			break
		}
		if !next.IsZero() { // those left wait for a time, or are under way
			if err := h.Store.Clock().Until(ctx, soonest(h.Store.Clock().Now().Add(time.Second), next)); err != nil {
				break
			}
		} else if !pause(ctx, 5*time.Millisecond) {
			break
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return whole.Err()
}

func soonest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// next takes mailboxes to search; left is how many are not done, next when the first of those that wait for a time is due.
func (h *hunt) next(ctx context.Context) (out []Box, left int, next time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err = h.Store.ViewTenant(ctx, h.tenant, func(t *store.Tenant) error {
		var state string
		if err := t.QueryRow(ctx, `select state from search_run where tenant = $1 and id = $2`, h.run.ID).Scan(&state); err != nil {
			return err
		}
		if state != RunRunning {
			return errStopped
		}
		domains, all, err := h.desk().boundary(ctx, t, h.way.ID)
		if err != nil {
			return err
		}
		now := t.Tx().Clock().Now()
		list, err := boxRows(ctx, t, `select `+boxColumns+` from search_mailbox where tenant = $1 and run = $2 and state = 'waiting' order by rank, person limit $3`, h.run.ID, len(h.going)+8*portion)
		if err != nil {
			return err
		}
		left = len(list)
		for _, b := range list {
			switch {
			case h.going[b.Person]:
			case b.Due.After(now):
				if next.IsZero() || b.Due.Before(next) {
					next = b.Due
				}
			case len(out) < 4*portion:
				if !insideOf(b.Address, domains, all) { // it was narrowed since the run began
					b.State, b.Because = OutOfScope, beyond
				}
				out = append(out, b)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	for _, b := range out {
		h.going[b.Person] = true
	}
	return out, left, next, nil
}

func (h *hunt) leave(boxes []Box) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range boxes {
		delete(h.going, b.Person)
	}
}

// task is a mailbox in a portion: what came of it.
type task struct {
	Box
	found           []Match
	looked, fetched int64
	err             error
	open            int64 // messages that could not be decided
	seen            map[string]bool
}

// portion searches some mailboxes and writes down what came of it.
func (h *hunt) portion(ctx context.Context, boxes []Box) error {
	tasks := make([]*task, len(boxes))
	for i, b := range boxes {
		tasks[i] = &task{Box: b, seen: map[string]bool{}}
	}
	calls := &counter{}
	err := h.look(ctx, tasks, calls)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := h.point("searched"); err != nil {
		return err
	}
	return h.write(ctx, tasks, calls.n.Load())
}

// look asks for the first pages of all the mailboxes' folders at once, and reads on where there is more.
func (h *hunt) look(ctx context.Context, tasks []*task, calls *counter) error {
	ways := map[*task]pass{}
	var parts []graph.Part
	var of []*task
	var at []place
	for _, k := range tasks {
		if k.State == OutOfScope {
			continue
		}
		ways[k] = h.whole
		if !h.first.none && k.Rank < wholeRank {
			ways[k] = h.first
		}
		from := placeOf(&k.Box)
		for f := from.Folder; f < folders; f++ {
			if f == recoverable && h.way.Metadata {
				continue
			}
			p := place{Folder: f}
			if f == from.Folder {
				p.Before = from.Before
			}
			parts, of, at = append(parts, ways[k].ask(&k.Box, p, h.run.Since, h.way.Metadata, pageText)), append(of, k), append(at, p)
		}
	}
	results, err := h.way.Graph.Batch(ctx, parts)
	calls.add(len(parts))
	if err != nil {
		return err
	}
	var open []*candidate // of all, that are read together
	for i, r := range results {
		k := of[i]
		if k.err != nil {
			continue
		}
		if _, none := errors.AsType[*graph.NotFound](r.Err); none && at[i].Folder == recoverable {
			continue // a mailbox without such a folder has nothing in it
		}
		list, err := graph.List[envelope](r)
		if err == nil {
			some := h.take(k, at[i].Folder, list)
			if open = append(open, some...); len(list) < page {
				continue
			}
			var mine []*candidate
			mine, open = partOf(open, k)
			err = h.decide(ctx, mine, calls)
		}
		if err == nil { // it notes how far it came, so what came before is decided
			err = h.readOn(ctx, k, ways[k], at[i], list, calls)
		}
		if err != nil {
			if lasts(err) != nil || ctx.Err() != nil {
				return err
			}
			k.err = err
		}
	}
	open = slices.DeleteFunc(open, func(o *candidate) bool { return o.k.err != nil })
	if err := h.decide(ctx, open, calls); err != nil {
		return err
	}
	return h.nameFolders(ctx, tasks, calls)
}

// readOn reads the pages behind the first one of a folder, and notes how far it came each time some are read.
func (h *hunt) readOn(ctx context.Context, k *task, p pass, at place, list []envelope, calls *counter) error {
	top := pageText
	if p.ordered() { // those with the last time on the page come again
		at.Before = tocsin.Millis(list[len(list)-1].Received.Time)
		top = "" // larger pages: there is much
	}
	part := p.ask(&k.Box, at, h.run.Since, h.way.Metadata, top)
	list = list[:0]
	pages := 0
	for v, err := range graph.Pages[envelope](ctx, h.way.Graph, part.Call, part.P) {
		if err != nil {
			return err
		}
		if list = append(list, v); len(list) < 250 {
			continue
		}
		calls.add(1)
		if err := h.decide(ctx, h.take(k, at.Folder, list), calls); err != nil {
			return err
		}
		if pages++; pages%8 == 0 && p.ordered() {
			if err := h.nameFolders(ctx, []*task{k}, calls); err != nil {
				return err
			}
			if err := h.reached(ctx, k, place{Folder: at.Folder, Before: tocsin.Millis(list[len(list)-1].Received.Time)}); err != nil {
				return err
			}
		}
		list = list[:0]
	}
	calls.add(1)
	return h.decide(ctx, h.take(k, at.Folder, list), calls)
}

// partOf parts the candidates of a mailbox from the others.
func partOf(all []*candidate, k *task) (mine, others []*candidate) {
	for _, o := range all {
		if o.k == k {
			mine = append(mine, o)
		} else {
			others = append(others, o)
		}
	}
	return mine, others
}

// take holds messages against the query, and gives those that their envelopes leave open.
func (h *hunt) take(k *task, folder int, list []envelope) (open []*candidate) {
	now := h.Store.Clock().Now()
	for i := range list {
		v := &list[i]
		if v.ID == "" || k.seen[v.ID] {
			continue
		}
		k.seen[v.ID] = true
		if !h.run.Since.IsZero() && v.Received.Before(h.run.Since) {
			continue
		}
		k.looked++
		o := &candidate{k: k, v: v, folder: folder, doc: v.doc(now, h.way.Metadata)}
		truth, why := h.query.Match(o.doc)
		switch {
		case truth == query.Yes:
			k.found = append(k.found, v.match(&k.Box, h.run, folder, truth, why, o.doc))
		case truth == query.Unknown && h.way.Metadata:
			h.unknown(o, why)
		case truth == query.Unknown:
			open = append(open, o)
		}
	}
	return open
}

// mostUnknown is how many undecided messages of a mailbox are kept where content may not be read at all: every one is undecided then.
const mostUnknown = 20

func (h *hunt) unknown(o *candidate, why []string) {
	o.k.open++
	if o.k.open <= mostUnknown || !h.way.Metadata {
		o.k.found = append(o.k.found, o.v.match(&o.k.Box, h.run, o.folder, query.Unknown, why, o.doc))
	}
}

// done ends a run of which no mailbox waits.
func (h *hunt) done(ctx context.Context) error {
	return h.update(ctx, h.tenant, func(t *store.Tenant) error {
		now := t.Tx().Clock().Now()
		r, err := GetRun(ctx, t, h.run.ID)
		if err != nil {
			return err
		}
		n, err := t.Exec(ctx, `update search_run set state = 'done', ended = $3, worked = $4 where tenant = $1 and id = $2 and state = 'running'
			and not exists (select 1 from search_mailbox b where b.tenant = $1 and b.run = $2 and b.state = 'waiting')`, r.ID, now, r.worked(now).Milliseconds())
		if err != nil || n == 0 {
			return err
		}
		v, err := Get(ctx, t, r.Investigation)
		if err != nil {
			return err
		}
		if v.Trigger == Once && v.Status == Running && v.Run == r.ID {
			return v.become(ctx, t, Finished, "", "", "", "finished")
		}
		if v.Because != "" { // what stopped the one before has passed
			return v.become(ctx, t, v.Status, "", "", "", "searched")
		}
		return v.tell(ctx, t, "", "searched")
	})
}

// halt stops a run that cannot go on: with the reason, to be resumed. One that stands or has a schedule tries again by itself.
func (h *hunt) halt(ctx context.Context, p *tocsin.Problem) error {
	return h.update(ctx, h.tenant, func(t *store.Tenant) error {
		r, err := GetRun(ctx, t, h.run.ID)
		if err != nil || r.State != RunRunning {
			return err
		}
		mend := p.Do
		if err := halt(ctx, t, r, p.What, mend); err != nil {
			return err
		}
		v, err := Get(ctx, t, r.Investigation)
		if err != nil || v.Status != Running || v.Run != r.ID {
			return err
		}
		if v.Trigger == Once {
			return v.become(ctx, t, Stopped, p.What, mend, "", "stopped")
		}
		return v.become(ctx, t, Running, p.What, mend, "", "could not search")
	})
}
