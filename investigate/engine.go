package investigate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Engine searches. Any number may be made, and one works at a time: whoever holds the lease that Guard looks at. All that it knows stands
// in tables.
type Engine struct {
	Store    *store.Store
	Ways     Ways
	Boundary Boundary // nil: there is none
	// Guard fails unless the lease is still ours, and keeps it so to the transaction's end; nil where nobody else works.
	Guard func(context.Context, *store.Tx) error
	// Refused is told what came of asking Graph: a refusal, or nil.
	Refused func(ctx context.Context, tenant tocsin.TenantID, connection string, err error) error
	// Act asks for what an investigation does by itself with new matches, in the transaction that keeps them; nil where nothing acts.
	Act func(ctx context.Context, t *store.Tenant, v *Investigation, matches []string) error
	Log *slog.Logger

	at func(point string) error // tests break off there
}

// How much goes on at once.
const (
	searchers = 16 // portions of a run
	portion   = 20 // mailboxes
	runsAtOne = 4  // runs of a tenant
)

// How often a mailbox is tried that fails for a passing reason, and how long is waited: twice as long each time.
const (
	mostTries = 8
	firstWait = 15 * time.Second
)

func (e *Engine) desk() *Desk { return &Desk{Store: e.Store, Ways: e.Ways, Boundary: e.Boundary} }

// update is Store.UpdateTenant under the lease.
func (e *Engine) update(ctx context.Context, tenant tocsin.TenantID, do func(*store.Tenant) error) error {
	return e.Store.Update(ctx, func(tx *store.Tx) error {
		if e.Guard != nil {
			if err := e.Guard(ctx, tx); err != nil {
				return err
			}
		}
		return do(tx.Tenant(tenant))
	})
}

func (e *Engine) point(name string) error {
	if e.at == nil {
		return nil
	}
	return e.at(name)
}

type job struct {
	tenant tocsin.TenantID
	run    string
}

// Run searches whatever is to be searched, until ctx ends or the lease is lost. A tenant whose Microsoft does not answer holds up no other's.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop(nil)
	going := map[job]context.CancelFunc{}
	ended := make(chan job)
	all.Go(func() { e.standing(ctx, stop) })
	for ctx.Err() == nil {
		news := e.Store.Appended()
		wanted, err := e.wanted(ctx)
		if errors.Is(err, store.ErrLost) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			e.Log.Error("what is to be searched was not read; it is tried again", "error", err)
		}
		if err == nil {
			e.keep(ctx, stop, &all, going, ended, wanted)
		}
		timer := time.NewTimer(500 * time.Millisecond) // what another replica wrote, and what becomes due
		select {
		case <-ctx.Done():
		case <-news:
		case j := <-ended:
			going[j]()
			delete(going, j)
		case <-timer.C:
		}
		timer.Stop()
	}
	for range len(going) { // each tells of its end
		<-ended
	}
	return context.Cause(ctx)
}

// keep has those runs going that are wanted, and no others.
func (e *Engine) keep(ctx context.Context, stop context.CancelCauseFunc, all *sync.WaitGroup, going map[job]context.CancelFunc, ended chan<- job, wanted []job) {
	is := map[job]bool{}
	of := map[tocsin.TenantID]int{}
	for _, j := range wanted {
		is[j] = true
	}
	for j, end := range going {
		of[j.tenant]++
		if !is[j] {
			end() // stopped by a person: what is under way is broken off
		}
	}
	for _, j := range wanted {
		if going[j] != nil || of[j.tenant] >= runsAtOne {
			continue
		}
		of[j.tenant]++
		own, end := context.WithCancel(ctx)
		going[j] = end
		all.Go(func() {
			err := e.search(own, j)
			if errors.Is(err, store.ErrLost) {
				stop(err)
			} else if err != nil && own.Err() == nil {
				e.Log.Error("a search was held up; it is tried again", "error", err)
				pause(own, time.Second)
			}
			ended <- j
		})
	}
}

// wanted are the runs that are to go on, after what is due was begun and what has expired was ended.
func (e *Engine) wanted(ctx context.Context) (out []job, err error) {
	tenants, err := e.tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range tenants {
		due := false
		err := e.Store.ViewTenant(ctx, id, func(t *store.Tenant) error {
			var n int64
			now := t.Tx().Clock().Now()
			if err := t.QueryRow(ctx, `select count(*) from investigation where tenant = $1 and status = 'running' and (due > 0 and due <= $2 or ends > 0 and ends <= $2)`, now).Scan(&n); err != nil {
				return err
			}
			due = n > 0
			rows, err := t.Query(ctx, `select id from search_run where tenant = $1 and state = 'running' order by id`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				j := job{tenant: id}
				if err := rows.Scan(&j.run); err != nil {
					return err
				}
				out = append(out, j)
			}
			return rows.Err()
		})
		if err == nil && due {
			err = e.tend(ctx, id)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *Engine) tenants(ctx context.Context) (out []tocsin.TenantID, err error) {
	err = e.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `select tenant from tenant order by tenant`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id tocsin.TenantID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			out = append(out, id)
		}
		return rows.Err()
	})
	return out, err
}

// tend begins the searches of a tenant that are due, and ends what has expired.
func (e *Engine) tend(ctx context.Context, tenant tocsin.TenantID) error {
	return e.update(ctx, tenant, func(t *store.Tenant) error {
		now := t.Tx().Clock().Now()
		rows, err := t.Query(ctx, `select `+columns+` from investigation where tenant = $1 and status = 'running' and (due > 0 and due <= $2 or ends > 0 and ends <= $2) order by id`, now)
		if err != nil {
			return err
		}
		var due []*Investigation
		for rows.Next() {
			v, err := scanned(rows)
			if err != nil {
				return errors.Join(err, rows.Close())
			}
			due = append(due, v)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, v := range due {
			if err := e.tendOne(ctx, t, v, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *Engine) tendOne(ctx context.Context, t *store.Tenant, v *Investigation, now time.Time) error {
	var last *Run
	var err error
	if v.Run != "" {
		if last, err = GetRun(ctx, t, v.Run); err != nil {
			return err
		}
	}
	if !v.Ends.IsZero() && !v.Ends.After(now) {
		if last != nil && last.State == RunRunning {
			if err := halt(ctx, t, last, "The investigation has expired.", "Give it a later expiry, and start it."); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `delete from standing_mail where tenant = $1 and investigation = $2`, v.ID); err != nil {
			return err
		}
		return v.become(ctx, t, Expired, "", "", "", "expired")
	}
	v.Due = v.firstDue(now)
	if _, err := t.Exec(ctx, `update investigation set due = $3 where tenant = $1 and id = $2`, v.ID, v.Due); err != nil {
		return err
	}
	if last != nil && last.State == RunRunning {
		return nil // the one before has not ended
	}
	cause, since := CauseSchedule, time.Time{}
	if v.Trigger == Standing {
		if last != nil && last.State == RunStopped {
			_, err := t.Exec(ctx, `update search_run set state = 'running', because = '', mend = '', resumed = $3, ended = 0 where tenant = $1 and id = $2`, last.ID, now)
			return err // what it had still to look at is not left out
		}
		cause = CauseStanding
		if last != nil {
			since = last.Started.Add(-overlap)
		}
	}
	if _, err := start(ctx, t, v, cause, since); err != nil {
		return err
	}
	return v.tell(ctx, t, "", "began a search")
}

// overlap is how far before the last search began the next one looks back: mail is delivered with a time before it is there.
const overlap = time.Hour

// pause waits by the system's clock; false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
