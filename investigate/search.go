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

	down  chan struct{} // closed when the run's mailboxes are written down
	ahead []Box         // those that are searched meanwhile

	mu    sync.Mutex
	going map[tocsin.PersonID]bool
	taken struct { // the last mailbox that was taken, in their order
		rank   int64
		person tocsin.PersonID
	}
	told time.Time // when it was told how the run stands
}

// errStopped says that the run is no longer to be searched.
var errStopped = errors.New("the search was stopped")

// search searches a run to its end. What stops it for good is written down with the run; its error is one that passes.
func (e *Engine) search(ctx context.Context, j job) error {
	h := &hunt{Engine: e, tenant: j.tenant, going: map[tocsin.PersonID]bool{}, down: make(chan struct{})}
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
	var p *planned
	if !h.run.Prepared {
		if p, err = h.prepare(ctx, h.tenant, h.run, v); err != nil {
			return err
		}
		if h.run.Cause == CauseStanding && h.run.Mailboxes == 0 {
			return h.needless(ctx)
		}
		if err := h.point("planned"); err != nil {
			return err
		}
		h.way, h.ahead = p.way, p.ahead(searchers*portion)
	} else if h.way, err = h.Ways(ctx, h.tenant, v.Connection, CanSearch); err != nil {
		return err
	}
	h.sized = strings.Contains(h.query.String(), "size")
	h.first, h.whole = passesOf(h.query.Push(h.Store.Clock().Now()), h.way.Metadata, h.run.Plan.Depth)
	if h.groups, err = h.clusters(ctx, h.tenant, v.ID); err != nil {
		return err
	}
	g, inner := errgroup.WithContext(ctx)
	if p == nil {
		close(h.down)
	} else {
		g.Go(func() error { // while the first are searched, whatever comes of that
			if err := h.writeDown(ctx, h.tenant, h.run, p); err != nil {
				return err
			}
			close(h.down)
			return h.point("prepared")
		})
	}
	if h.run.Plan.Trace == "ask" && h.run.Trace.State == "" {
		g.Go(func() error { return h.askTrace(inner) })
	}
	g.Go(func() error { return h.portions(inner) })
	if err := g.Wait(); err != nil {
		return err
	}
	return h.done(ctx)
}

// update changes the tenant's tables once the run's mailboxes are written down.
func (h *hunt) update(ctx context.Context, tenant tocsin.TenantID, do func(*store.Tenant) error) error {
	if err := h.written(ctx); err != nil {
		return err
	}
	return h.Engine.update(ctx, tenant, do)
}

// written waits until the run's mailboxes are written down.
func (h *hunt) written(ctx context.Context) error {
	select {
	case <-h.down:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// needless forgets a catch-up of an investigation that stands, where every mailbox is told of: there is nothing to catch up with.
func (h *hunt) needless(ctx context.Context) error {
	err := h.Engine.update(ctx, h.tenant, func(t *store.Tenant) error {
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

// looked is a portion that was searched.
type looked struct {
	tasks []*task
	calls int64
}

// portions searches all mailboxes that wait, in their order. What came of them is written beside, so that no request waits for the store.
func (h *hunt) portions(whole context.Context) error {
	g, ctx := errgroup.WithContext(whole)
	came := make(chan looked, searchers)
	g.Go(func() error {
		defer close(came)
		return h.seek(ctx, came)
	})
	g.Go(func() error { return h.writeAll(ctx, came) })
	if err := g.Wait(); err != nil {
		return err
	}
	return whole.Err()
}

// seek searches all mailboxes that wait.
func (h *hunt) seek(ctx context.Context, came chan<- looked) error {
	small := searchers // so many portions first, so that something shows soon
	looking := make(chan struct{}, searchers)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2 * searchers) // with those of which only the folders' names are asked for
	for ctx.Err() == nil {
		boxes, left, next, err := h.next(ctx)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if len(boxes) == 0 {
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
		for len(boxes) > 0 {
			size := portion
			if small > 0 {
				small, size = small-1, portion/4
			}
			some := boxes[:min(size, len(boxes))]
			boxes = boxes[len(some):]
			select {
			case looking <- struct{}{}:
			case <-ctx.Done():
				return g.Wait()
			}
			g.Go(func() error {
				done, err := h.portion(ctx, some, func() { <-looking })
				if err != nil {
					return err
				}
				select {
				case came <- done:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}
	}
	return g.Wait()
}

// How many portions are written in a transaction, and how long it waits for them where nothing was found yet that somebody waits for.
const (
	mostWritten = 16
	lingers     = 50 * time.Millisecond
)

// writeAll writes portions down as they come, those that come together.
func (h *hunt) writeAll(ctx context.Context, came <-chan looked) error {
	for first := range came {
		all := gathered(first, came)
		if err := h.write(ctx, all.tasks, all.calls); err != nil {
			return err
		}
		h.leave(all.tasks)
	}
	return nil
}

// gathered is a portion with those that come soon after it, until one has found something.
func gathered(all looked, came <-chan looked) looked {
	late := time.NewTimer(lingers)
	defer late.Stop()
	for n := 1; n < mostWritten; n++ {
		var more looked
		if all.found() {
			select {
			case more = <-came:
			default:
			}
		} else {
			select {
			case more = <-came:
			case <-late.C:
			}
		}
		if more.tasks == nil { // none, or the last came
			break
		}
		all.tasks, all.calls = append(all.tasks, more.tasks...), all.calls+more.calls
	}
	return all
}

// found says whether something was.
func (l *looked) found() bool {
	return slices.ContainsFunc(l.tasks, func(k *task) bool { return len(k.found) > 0 })
}

func soonest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// next takes mailboxes to search, those behind the ones that it took last; behind the last it begins again with those that wait since. Where
// there is none, left is how many are not done, and next when the first of those that wait for a time is due.
func (h *hunt) next(ctx context.Context) (out []Box, left int, next time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() {
		for _, b := range out {
			h.going[b.Person] = true
			h.taken.rank, h.taken.person = b.Rank, b.Person
		}
	}()
	ahead := h.ahead
	h.ahead = nil
	if len(ahead) == 0 {
		if err := h.written(ctx); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
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
		if out = slices.Clone(ahead); len(out) == 0 {
			if out, err = h.ready(ctx, t); err != nil || len(out) == 0 {
				if err == nil {
					left, next, err = h.held(ctx, t)
				}
				return err
			}
		}
		for i := range out {
			if b := &out[i]; !insideOf(b.Address, domains, all) { // it was narrowed since the run began
				b.State, b.Because = OutOfScope, beyond
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return out, left, next, nil
}

// ready are mailboxes that wait for nothing but being searched, in their order.
func (h *hunt) ready(ctx context.Context, t *store.Tenant) ([]Box, error) {
	const those = `select ` + boxColumns + ` from search_mailbox where tenant = $1 and run = $2 and state = 'waiting' and due <= $3`
	now := t.Tx().Clock().Now()
	if h.taken.person != "" {
		list, err := boxRows(ctx, t, those+` and (rank, person) > ($4, $5) order by rank, person limit $6`, h.run.ID, now, h.taken.rank, string(h.taken.person), searchers*portion)
		if list = h.free(list); err != nil || len(list) > 0 {
			return list, err
		}
		h.taken.person = ""
	}
	list, err := boxRows(ctx, t, those+` order by rank, person limit $4`, h.run.ID, now, len(h.going)+4*portion)
	return h.free(list), err
}

// free leaves out those that are being searched.
func (h *hunt) free(list []Box) []Box {
	return slices.DeleteFunc(list, func(b Box) bool { return h.going[b.Person] })
}

// held says how many mailboxes are not done, where none is ready: those under way, and those that wait for a time, of which next is the first.
func (h *hunt) held(ctx context.Context, t *store.Tenant) (left int, next time.Time, err error) {
	var due int64
	err = t.QueryRow(ctx, `select count(*), coalesce(min(case when due > $3 then due end), 0) from search_mailbox where tenant = $1 and run = $2 and state = 'waiting'`, h.run.ID, t.Tx().Clock().Now()).Scan(&left, &due)
	return left, tocsin.FromMillis(due), err
}

// anew has the mailboxes taken from the first on: their order changed.
func (h *hunt) anew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken.person = ""
}

func (h *hunt) leave(tasks []*task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range tasks {
		delete(h.going, k.Person)
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

// portion searches some mailboxes. It says when they were looked at: what is left then holds no others up.
func (h *hunt) portion(ctx context.Context, boxes []Box, seen func()) (looked, error) {
	tasks := make([]*task, len(boxes))
	for i, b := range boxes {
		tasks[i] = &task{Box: b, seen: map[string]bool{}}
	}
	calls := &counter{}
	err := h.look(ctx, tasks, calls)
	seen()
	if err == nil {
		err = h.nameFolders(ctx, tasks, calls)
	}
	if err != nil {
		return looked{}, err
	}
	if err := ctx.Err(); err != nil {
		return looked{}, err
	}
	return looked{tasks, calls.n.Load()}, h.point("searched")
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
	return h.decide(ctx, open, calls)
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
	return h.Engine.update(ctx, h.tenant, func(t *store.Tenant) error { // perhaps before the mailboxes are written down
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
