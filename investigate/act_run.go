package investigate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// ActExecutor does what was asked for and, where needed, approved. Any number may be made, and one acts at a time: whoever holds
// the lease that Guard looks at. What is about to be sent is written down first, with the message as it was; whoever goes on after
// a crash reads the message, and sends again only what has not taken effect.
type ActExecutor struct {
	Store  *store.Store
	Way    ActWay
	Bounds Bounds
	// Guard fails unless the lease is still ours, and keeps it so to the transaction's end; nil where nobody else acts.
	Guard func(context.Context, *store.Tx) error
	// Refused is told what Microsoft refused altogether, a permission say; nil where nobody needs to know.
	Refused func(ctx context.Context, tenant tocsin.TenantID, connection string, err error) error
	Log     *slog.Logger

	at     func(point string) error // tests break off there
	lines  writers
	boxes  boxes
	told   sync.Map // when an act's progress was told last, by act
	inLine workers
}

// How long things are waited for, and how much is done at once.
const (
	actAtOnce  = 256             // messages, of all tenants
	actTenant  = 32              // of one
	actMailbox = 3               // of one mailbox: of the four that Microsoft lets an app have there
	actLimit   = 3 * time.Minute // for one message's step
	actRead    = 10 * time.Minute
	actGiveUp  = 24 * time.Hour // for anything to become of an act, from when it began
	actHeld    = 30 * time.Second
	actTries   = 8 // that something is sent for one message
)

// work is an item to go on with.
type work struct {
	tenant tocsin.TenantID
	act    string
	id     string
	person tocsin.PersonID
}

// workers are the items that are being gone on with.
type workers struct {
	mu   sync.Mutex
	busy map[work]bool
	box  map[work]int // by tenant and person
	of   map[tocsin.TenantID]int
	done chan struct{}
}

func (w *workers) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == nil {
		w.busy, w.box, w.of, w.done = map[work]bool{}, map[work]int{}, map[tocsin.TenantID]int{}, make(chan struct{}, 1)
	}
}

// take says whether an item may be gone on with now; full, that none of its tenant may.
func (w *workers) take(d work) (ok, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	box := work{tenant: d.tenant, person: d.person}
	switch {
	case len(w.busy) >= actAtOnce || w.of[d.tenant] >= actTenant:
		return false, true
	case w.busy[d] || w.box[box] >= actMailbox:
		return false, false
	}
	w.busy[d] = true
	w.box[box]++
	w.of[d.tenant]++
	return true, false
}

func (w *workers) leave(d work) {
	w.mu.Lock()
	delete(w.busy, d)
	box := work{tenant: d.tenant, person: d.person}
	if w.box[box]--; w.box[box] == 0 {
		delete(w.box, box)
	}
	if w.of[d.tenant]--; w.of[d.tenant] == 0 {
		delete(w.of, d.tenant)
	}
	w.mu.Unlock()
	select {
	case w.done <- struct{}{}:
	default:
	}
}

// Run does what is due, until ctx ends or the lease is lost. A mailbox that does not answer holds up no other, nor a tenant
// another.
func (e *ActExecutor) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop(nil)
	e.inLine.open()
	failed := func(err error) {
		if errors.Is(err, store.ErrLost) {
			stop(err)
		} else if err != nil && ctx.Err() == nil {
			e.Log.Error("an act on mails was held up; it is tried again", "error", err)
		}
	}
	var at sync.Map // tenants that are being gone on with
	for ctx.Err() == nil {
		news := e.Store.Appended()
		tenants, err := e.alive(ctx)
		failed(err)
		for tenant, acts := range tenants {
			if _, busy := at.LoadOrStore(tenant, true); busy {
				continue
			}
			all.Go(func() {
				defer at.Delete(tenant)
				_, err := e.dispatch(ctx, &all, acts, failed)
				failed(err)
			})
		}
		timer := time.NewTimer(500 * time.Millisecond) // what another replica wrote, and what becomes due
		select {
		case <-ctx.Done():
		case <-news:
		case <-e.inLine.done:
		case <-timer.C:
		}
		timer.Stop()
	}
	return context.Cause(ctx)
}

// Round takes every item that is due a step further, ends acts of which nothing is left, and returns when that is done.
func (e *ActExecutor) Round(ctx context.Context) error {
	e.inLine.open()
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for {
		tenants, err := e.alive(ctx)
		began := 0
		for _, acts := range tenants {
			n, wrong := e.dispatch(ctx, &all, acts, func(err error) {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			})
			began += n
			err = errors.Join(err, wrong)
		}
		all.Wait()
		if err = errors.Join(err, failed); err != nil || began == 0 {
			return err
		}
	}
}

// dispatch begins with what is due of a tenant's acts, waits for room where there is none, and says how much it was.
func (e *ActExecutor) dispatch(ctx context.Context, all *sync.WaitGroup, acts []work, failed func(error)) (began int, err error) {
	list, err := e.due(ctx, acts)
	if err != nil {
		return 0, err
	}
	for _, d := range list {
		for {
			ok, full := e.inLine.take(d)
			if ok {
				began++
				all.Go(func() {
					defer e.inLine.leave(d)
					if err := e.proceed(ctx, d); err != nil {
						failed(err)
					}
				})
			}
			if ok || !full {
				break
			}
			timer := time.NewTimer(20 * time.Millisecond) // another may have taken the word that there is room
			select {
			case <-e.inLine.done:
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
			if ctx.Err() != nil {
				return began, ctx.Err()
			}
		}
	}
	return began, nil
}

// due are the items to go on with, of each act the first some hundred. Acts of which nothing is left are ended by the way.
func (e *ActExecutor) due(ctx context.Context, acts []work) (out []work, err error) {
	now := e.Store.Clock().Now()
	for _, d := range acts {
		var items []work
		var left int
		err := e.Store.ViewTenant(ctx, d.tenant, func(t *store.Tenant) (err error) {
			if left, err = counted(ctx, t, d.act, ItemWaiting, ItemSent); err != nil || left == 0 {
				return err
			}
			rows, err := t.Query(ctx, `select id, person from mail_act_item where tenant = $1 and act = $2 and state in ('waiting', 'sent') and due <= $3 order by id limit 400`, d.act, now)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				one := d
				if err := rows.Scan(&one.id, &one.person); err != nil {
					return err
				}
				items = append(items, one)
			}
			return rows.Err()
		})
		if err == nil && left == 0 {
			err = e.finish(ctx, d)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
	}
	return out, nil
}

// alive are the acts that go on, by tenant, the oldest first.
func (e *ActExecutor) alive(ctx context.Context) (map[tocsin.TenantID][]work, error) {
	out := map[tocsin.TenantID][]work{}
	err := e.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `select tenant from tenant order by tenant`)
		if err != nil {
			return err
		}
		var tenants []tocsin.TenantID
		for rows.Next() {
			var id tocsin.TenantID
			if err := rows.Scan(&id); err != nil {
				return errors.Join(err, rows.Close())
			}
			tenants = append(tenants, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, id := range tenants {
			rows, err := tx.Tenant(id).Query(ctx, `select id from mail_act where tenant = $1 and state in ('running', 'stopping') and due <= $2 order by id`, tx.Clock().Now())
			if err != nil {
				return err
			}
			for rows.Next() {
				d := work{tenant: id}
				if err := rows.Scan(&d.act); err != nil {
					return errors.Join(err, rows.Close())
				}
				out[id] = append(out[id], d)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// finish ends an act of which nothing is left.
func (e *ActExecutor) finish(ctx context.Context, d work) error {
	err := e.Store.UpdateTenant(ctx, d.tenant, func(t *store.Tenant) error {
		if e.Guard != nil {
			if err := e.Guard(ctx, t.Tx()); err != nil {
				return err
			}
		}
		a, err := GetAct(ctx, t, d.act)
		if err != nil {
			return err
		}
		if n, err := counted(ctx, t, d.act, ItemWaiting, ItemSent); err != nil || n > 0 {
			return err // more was found meanwhile
		}
		switch a.State {
		case ActRunning:
			a.Because, a.Mend = "", ""
			return a.move(ctx, t, ActDone, "", "")
		case ActStopping:
			return a.move(ctx, t, ActStopped, "", "")
		}
		return nil
	})
	e.told.Delete(d.act)
	e.boxes.forget(d.tenant)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict {
		return nil // somebody decided meanwhile: it is looked at again in the next round
	}
	return err
}

// proceed takes one item as far as it goes now. Only the store's errors and ctx's are errors; Microsoft's are on the item.
func (e *ActExecutor) proceed(ctx context.Context, d work) error {
	limited, stop := context.WithTimeout(ctx, actLimit)
	defer stop()
	err := e.steps(limited, d)
	if limited.Err() != nil && ctx.Err() == nil {
		return nil // it goes on in the next round, from what was written down
	}
	if p, ok := errors.AsType[*tocsin.Problem](err); errors.Is(err, errOvertaken) || ok && p.Code == tocsin.Conflict {
		return nil // somebody decided meanwhile: it is looked at again in the next round
	}
	return err
}

func (e *ActExecutor) steps(ctx context.Context, d work) error {
	for {
		s := &actStep{ActExecutor: e, tenant: d.tenant}
		err := e.Store.ViewTenant(ctx, d.tenant, func(t *store.Tenant) (err error) {
			if s.Act, err = GetAct(ctx, t, d.act); err != nil {
				return err
			}
			s.it, err = GetItem(ctx, t, d.act, d.id)
			return err
		})
		if err != nil {
			return err
		}
		more, err := s.next(graph.WithPriority(ctx, graph.High))
		if err != nil || !more {
			return err
		}
	}
}

// writers write for many at once: what waits goes into one transaction.
type writers struct {
	mu    sync.Mutex
	lines map[tocsin.TenantID]*writer
}

type writer struct {
	turn  sync.Mutex // of whoever writes
	mu    sync.Mutex
	queue []*write
}

type write struct {
	act *Act
	do  func(context.Context, *store.Tenant) error
	err error
	end bool
}

// most is how many go into one transaction: so long do others wait for it at most.
const most = 64

func (w *writers) of(tenant tocsin.TenantID) *writer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines == nil {
		w.lines = map[tocsin.TenantID]*writer{}
	}
	if w.lines[tenant] == nil {
		w.lines[tenant] = &writer{}
	}
	return w.lines[tenant]
}

// update runs do in a transaction in which the lease is held, maybe with others'. do writes only after it found that it may:
// errOvertaken is its own affair, any other error everybody's, who are then tried one by one.
func (e *ActExecutor) update(ctx context.Context, tenant tocsin.TenantID, act *Act, do func(context.Context, *store.Tenant) error) error {
	w := e.lines.of(tenant)
	mine := &write{act: act, do: do}
	w.mu.Lock()
	w.queue = append(w.queue, mine)
	w.mu.Unlock()
	w.turn.Lock()
	defer w.turn.Unlock()
	for !mine.end {
		w.mu.Lock()
		n := min(len(w.queue), most)
		batch := w.queue[:n:n]
		w.queue = w.queue[n:]
		w.mu.Unlock()
		e.commit(ctx, tenant, batch)
	}
	return mine.err
}

// commit writes a batch; where it fails, each by itself.
func (e *ActExecutor) commit(ctx context.Context, tenant tocsin.TenantID, batch []*write) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Minute) // others' writes are in it
	defer stop()
	err := e.commitAll(ctx, tenant, batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, store.ErrLost) {
		for _, one := range batch {
			one.err = e.commitAll(ctx, tenant, []*write{one})
		}
		err = nil
	}
	for _, one := range batch {
		one.end = true
		if err != nil {
			one.err = err
		}
	}
}

func (e *ActExecutor) commitAll(ctx context.Context, tenant tocsin.TenantID, batch []*write) error {
	return e.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if e.Guard != nil {
			if err := e.Guard(ctx, t.Tx()); err != nil {
				return err
			}
		}
		now := t.Tx().Clock().Now()
		for _, one := range batch {
			one.err = one.do(ctx, t)
			if one.err != nil && !errors.Is(one.err, errOvertaken) {
				return one.err
			}
			if last, ok := e.told.Load(one.act.ID); ok && now.Sub(last.(time.Time)) < time.Second {
				continue
			}
			e.told.Store(one.act.ID, now)
			if err := tellAct(ctx, t, one.act, "", "progress"); err != nil {
				return err
			}
		}
		return nil
	})
}
