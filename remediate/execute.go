package remediate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Executor does what was approved. Any number may be made, and one acts at a time: whoever holds the lease that Guard
// looks at. Each of its steps writes down what it is about to do before it does it, so that whoever goes on after a crash
// knows what may have happened, and asks the target whether it has.
type Executor struct {
	Store *store.Store
	Ways  Ways
	// Guard fails unless the lease is still ours, and keeps it so to the transaction's end; nil where nobody else acts.
	Guard func(context.Context, *store.Tx) error
	// Look reads a mailbox's rules again after one was changed, so that the pages show it; its failure is only logged, since
	// the next poll brings the same.
	Look func(ctx context.Context, tenant tocsin.TenantID, gc *graph.Client, person tocsin.PersonID) error
	// Refused is told what came of an act, or of reading its target: a refusal, or nil.
	Refused func(ctx context.Context, tenant tocsin.TenantID, connection string, err error) error
	Log     *slog.Logger

	at func(point string) error // tests break off there
}

// How long things are waited for.
const (
	readBack  = 10 * time.Minute // for what was accepted to read back so
	giveUp    = 24 * time.Hour   // for anything to become of an action, from when it was asked or approved
	stepLimit = 5 * time.Minute  // for one step
)

// Run does what is due, until ctx ends or the lease is lost. Actions of one person go one after another; a tenant whose
// Microsoft does not answer holds up no other tenant's.
func (e *Executor) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop(nil)
	w := &workers{busy: map[due]bool{}, of: map[tocsin.TenantID]int{}, done: make(chan struct{}, 1)}
	for ctx.Err() == nil {
		news := e.Store.Appended()
		list, err := e.due(ctx)
		if err != nil && ctx.Err() == nil {
			e.Log.Error("what is to be done was not read; it is tried again", "error", err)
		}
		for _, one := range byPerson(list) {
			if !w.take(one[0]) {
				continue
			}
			all.Go(func() {
				defer w.leave(one[0])
				if err := e.proceedAll(ctx, one); errors.Is(err, store.ErrLost) {
					stop(err)
				} else if err != nil && ctx.Err() == nil {
					e.Log.Error("an action was held up; it is tried again", "error", err)
				}
			})
		}
		timer := time.NewTimer(500 * time.Millisecond) // what another replica wrote, and what becomes due
		select {
		case <-ctx.Done():
		case <-news:
		case <-w.done:
		case <-timer.C:
		}
		timer.Stop()
	}
	return context.Cause(ctx)
}

// How many people's actions are gone on with at once.
const (
	atOnce    = 32
	perTenant = 8
)

// workers are the people whose actions are being gone on with.
type workers struct {
	mu   sync.Mutex
	busy map[due]bool
	of   map[tocsin.TenantID]int
	done chan struct{}
}

// take says whether a person's actions may be gone on with now; [workers.leave] ends it.
func (w *workers) take(d due) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.id = ""; w.busy[d] || len(w.busy) >= atOnce || w.of[d.tenant] >= perTenant {
		return false
	}
	w.busy[d] = true
	w.of[d.tenant]++
	return true
}

func (w *workers) leave(d due) {
	w.mu.Lock()
	d.id = ""
	delete(w.busy, d)
	if w.of[d.tenant]--; w.of[d.tenant] == 0 {
		delete(w.of, d.tenant)
	}
	w.mu.Unlock()
	select {
	case w.done <- struct{}{}: // there is room for another
	default:
	}
}

// due is an action to go on with.
type due struct {
	tenant tocsin.TenantID
	object string // whose it is: one after another
	id     string
}

// Round takes every action that is due a step further, and returns when that is done.
func (e *Executor) Round(ctx context.Context) error {
	list, err := e.due(ctx)
	if err != nil {
		return err
	}
	var g errgroup.Group // one action's trouble is not the others'
	g.SetLimit(perTenant)
	for _, one := range byPerson(list) {
		g.Go(func() error { return e.proceedAll(ctx, one) })
	}
	return g.Wait()
}

// byPerson groups actions by whom they are about, in the order they come.
func byPerson(list []due) (out [][]due) {
	at := map[due]int{}
	for _, d := range list {
		key := due{tenant: d.tenant, object: d.object}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key], out = i, append(out, nil)
		}
		out[i] = append(out[i], d)
	}
	return out
}

// proceedAll takes the actions of one person a step further, one after another.
func (e *Executor) proceedAll(ctx context.Context, list []due) error {
	for _, d := range list {
		if err := e.proceed(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// due are the actions to go on with, by tenant, the oldest first.
func (e *Executor) due(ctx context.Context) (out []due, err error) {
	err = e.Store.View(ctx, func(tx *store.Tx) error {
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
			rows, err := tx.Tenant(id).Query(ctx, `select id, object_id from action where tenant = $1 and state in ('approved', 'running', 'done') and due <= $2 order by id limit 200`, tx.Clock().Now())
			if err != nil {
				return err
			}
			for rows.Next() {
				d := due{tenant: id}
				if err := rows.Scan(&d.id, &d.object); err != nil {
					return errors.Join(err, rows.Close())
				}
				out = append(out, d)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// proceed takes one action as far as it goes now. Only the store's errors and ctx's are errors; Microsoft's are on the action.
func (e *Executor) proceed(ctx context.Context, d due) error {
	limited, stop := context.WithTimeout(ctx, stepLimit)
	defer stop()
	err := e.steps(limited, d)
	if limited.Err() != nil && ctx.Err() == nil {
		return nil // it goes on in the next round, from what was written down
	}
	return err
}

func (e *Executor) steps(ctx context.Context, d due) error {
	for {
		a, err := e.load(ctx, d)
		if err != nil {
			return err
		}
		s := &step{Executor: e, tenant: d.tenant, Action: a}
		more, err := s.next(graph.WithPriority(ctx, graph.High))
		if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict {
			return nil // somebody moved it meanwhile: it is looked at again in the next round
		}
		if err != nil || !more {
			return err
		}
	}
}

func (e *Executor) load(ctx context.Context, d due) (a *Action, err error) {
	err = e.Store.ViewTenant(ctx, d.tenant, func(t *store.Tenant) error {
		a, err = Get(ctx, t, d.id)
		return err
	})
	return a, err
}

// step is an action on its way.
type step struct {
	*Executor
	*Action
	tenant tocsin.TenantID
	gc     *graph.Client
}

// update runs a transaction in which the lease is held.
func (s *step) update(ctx context.Context, do func(*store.Tenant) error) error {
	kept := *s.Action
	return s.Store.UpdateTenant(ctx, s.tenant, func(t *store.Tenant) error {
		*s.Action = kept // the transaction may be run again
		if s.Guard != nil {
			if err := s.Guard(ctx, t.Tx()); err != nil {
				return err
			}
		}
		return do(t)
	})
}

// point is where a test may break off.
func (s *step) point(name string) error {
	if s.at == nil {
		return nil
	}
	return s.at(name)
}

// next does the next thing; more says whether there is something to do after it at once.
func (s *step) next(ctx context.Context) (more bool, err error) {
	now := s.Store.Clock().Now()
	if s.Due.After(now) {
		return false, nil
	}
	switch s.State {
	case Approved:
		return s.start(ctx, now)
	case Running, Done:
	default:
		return false, nil
	}
	connection, _, gc, err := s.Ways(ctx, s.tenant, s.Kind.Needs())
	if err != nil {
		return s.trouble(ctx, now, err, before)
	}
	s.gc = gc
	is, err := table[s.Kind].look(ctx, gc, s.target())
	if err != nil {
		if told := s.heard(ctx, connection, err); told != nil {
			return false, told
		}
		return s.trouble(ctx, now, err, reading)
	}
	so, err := table[s.Kind].so(s, is)
	if err != nil {
		return false, err
	}
	switch {
	case s.State == Done:
		return s.verify(ctx, now, is, so)
	case so && s.Sent.IsZero():
		return false, s.needless(ctx, is)
	case so: // it was sent, and the answer was lost or never read: it has taken effect
		return true, s.update(ctx, func(t *store.Tenant) error {
			s.Made = s.madeIn(is)
			return s.move(ctx, t, Done, "", "The target shows that it took effect.")
		})
	}
	if p := s.unfit(is); p != nil {
		return false, s.end(ctx, Refused, p)
	}
	return s.act(ctx, now, connection, is)
}

// start begins an action that was approved, if the settings as they are now still let it.
func (s *step) start(ctx context.Context, now time.Time) (bool, error) {
	if now.Sub(s.Changed) > giveUp {
		return false, s.end(ctx, Failed, tocsin.Problemf(tocsin.Conflict, "Ask for it again if it is still needed.", "It was not done within a day, so it is not done any more."))
	}
	more := false
	err := s.update(ctx, func(t *store.Tenant) error {
		settings, err := SettingsOf(ctx, t)
		if err != nil {
			return err
		}
		if settings.needs(s.Kind) && s.ApprovedBy == "" {
			s.Plan.Approval = true
			return s.move(ctx, t, Waiting, "", "The settings have changed: a second person must approve it.")
		}
		if err := alone(ctx, t); err != nil {
			return err
		}
		w, err := whomOf(ctx, t, s.Person, s.app())
		if err != nil {
			return err
		}
		if refused, err := s.guarded(ctx, t, w, settings); err != nil || refused {
			return err
		}
		if before, err := s.earlier(ctx, t); err != nil {
			return err
		} else if before > 0 && s.Kind.Hard() {
			return s.hold(ctx, t, now.Add(time.Second), "held", "It waits for the steps of the playbook before it.", "It goes on by itself.")
		}
		if s.Undoes == "" && settings.PerHour > 0 {
			n := 0 // those that have begun and are about to be sent as well
			if err := t.QueryRow(ctx, `select count(distinct case when run = '' then id else run end) from action where tenant = $1 and undoes = '' and (run = '' or run <> $3)
				and (sent > $2 or state = 'running' and sent = 0)`, now.Add(-time.Hour), s.RunID).Scan(&n); err != nil {
				return err
			}
			if n >= settings.PerHour {
				return s.hold(ctx, t, now.Add(time.Minute), "held", fmt.Sprintf("It is held back: %d acts were done in the last hour, which is the limit.", n), "It goes on by itself; an administrator can raise the limit.")
			}
		}
		more = true
		s.Because, s.Mend = "", ""
		return s.move(ctx, t, Running, "", "")
	})
	if err == nil {
		err = s.point("running")
	}
	return more, err
}

// guarded ends an action against which something stands now that did not when it was asked for; what was read then and
// forced is no news.
func (s *step) guarded(ctx context.Context, t *store.Tenant, w whom, settings Settings) (bool, error) {
	stops, err := guards(ctx, t, s.Kind, w, s.Plan.evidence(), settings)
	for _, x := range stops {
		if s.Forced && slices.Contains(s.Plan.Stops, x) {
			continue
		}
		s.Because, s.Mend = x.What, x.Do
		if err := s.move(ctx, t, Refused, "", s.Because); err != nil {
			return true, err
		}
		return true, vain(ctx, t, s.Action)
	}
	return false, err
}

// earlier is how many steps of its playbook come before it and have not ended.
func (s *step) earlier(ctx context.Context, t *store.Tenant) (n int, err error) {
	if s.RunID != "" {
		err = t.QueryRow(ctx, `select count(*) from action where tenant = $1 and run = $2 and step < $3 and state in ('planned', 'waiting_approval', 'approved', 'running', 'done')`, s.RunID, s.Step).Scan(&n)
	}
	return n, err
}

// alone keeps others from counting this tenant's actions until the transaction ends, so that two do not both come just
// below a limit.
func alone(ctx context.Context, t *store.Tenant) error {
	_, err := t.Exec(ctx, `update tenant set name = name where tenant = $1`)
	return err
}

// hold lets the action wait where it is; the reason is written into its history once.
func (s *step) hold(ctx context.Context, t *store.Tenant, until time.Time, change, because, mend string) error {
	again := s.Because == because
	s.Due, s.Because, s.Mend = until, because, mend
	if err := s.save(ctx, t); err != nil || again {
		return err
	}
	return s.note(ctx, t, "", change, because)
}

// act writes down that it is about to send, and sends.
func (s *step) act(ctx context.Context, now time.Time, connection string, is seen) (bool, error) {
	again := !s.Sent.IsZero()
	err := s.update(ctx, func(t *store.Tenant) error {
		s.Sent, s.Connection, s.Tries = now, connection, s.Tries+1
		if !again { // the state before is the one before the first time
			s.Plan.Before, s.Plan.Beside = s.before(is), is.beside(s.Target)
		}
		if err := s.save(ctx, t); err != nil {
			return err
		}
		return s.note(ctx, t, "", "sending", map[bool]string{true: "The target shows that it has not taken effect: it is sent again."}[again])
	})
	if err == nil {
		err = s.point("recorded")
	}
	if err != nil {
		return false, err
	}
	made, failed := table[s.Kind].send(ctx, s)
	if err := s.point("sent"); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if failed != nil {
		return s.trouble(ctx, now, failed, sending)
	}
	err = s.update(ctx, func(t *store.Tenant) error {
		s.Made, s.Because, s.Mend = made, "", ""
		return s.move(ctx, t, Done, "", "Microsoft has accepted it.")
	})
	if err == nil {
		err = s.point("done")
	}
	if err == nil {
		err = s.heard(ctx, connection, nil)
	}
	return true, err
}

// heard tells what came of asking Microsoft.
func (s *step) heard(ctx context.Context, connection string, cause error) error {
	if s.Refused == nil {
		return nil
	}
	return s.Refused(ctx, s.tenant, connection, cause)
}

// verify ends an action whose target reads back as it should, and waits for it where it does not yet.
func (s *step) verify(ctx context.Context, now time.Time, is seen, so bool) (bool, error) {
	if so {
		err := s.update(ctx, func(t *store.Tenant) error {
			s.Because, s.Mend = s.otherwise(is), ""
			if s.Made == "" { // the answer did not say
				s.Made = s.madeIn(is)
			}
			if err := s.move(ctx, t, Verified, "", s.didWords()); err != nil {
				return err
			}
			return s.told(ctx, t)
		})
		if err == nil {
			err = s.point("verified")
		}
		s.lookAgain(ctx)
		return false, err
	}
	if now.Sub(s.Sent) < readBack {
		wait := min(max(now.Sub(s.Sent)/2, time.Second), 30*time.Second)
		return false, s.update(ctx, func(t *store.Tenant) error {
			return s.hold(ctx, t, now.Add(wait), "reading_back", "Microsoft has accepted it, and does not show it yet.", "It is looked at again by itself.")
		})
	}
	return false, s.end(ctx, Unknown, tocsin.Problemf(tocsin.Conflict, "Look at the target in Microsoft 365.", "Microsoft accepted it, and even after ten minutes the target does not read back so%s.", s.different(is)))
}

// needless ends an action whose target was so already: nothing was sent, so nothing can be undone.
func (s *step) needless(ctx context.Context, is seen) error {
	err := s.update(ctx, func(t *store.Tenant) error {
		s.Plan.CanUndo, s.Plan.Undo = false, "There is nothing to undo, since nothing was changed."
		s.Because, s.Mend = "It was so already: nothing was sent.", ""
		if is.gone && s.Kind == DisableRule {
			s.Because = "The rule is no longer there: nothing was sent."
		}
		if err := s.move(ctx, t, Verified, "", s.Because); err != nil {
			return err
		}
		return s.told(ctx, t)
	})
	s.lookAgain(ctx)
	return err
}

// told notes the end of an action where others look for it: on the action that it undoes, and on the finding.
func (s *step) told(ctx context.Context, t *store.Tenant) error {
	if s.Undoes != "" {
		original, err := Get(ctx, t, s.Undoes)
		if err != nil {
			return err
		}
		original.Because, original.Mend = "", ""
		if err := original.move(ctx, t, Undone, s.AskedEmail, s.didWords()); err != nil {
			return err
		}
	}
	if s.Finding == "" {
		return nil
	}
	if _, err := t.Exec(ctx, `insert into finding_change (tenant, finding, id, at, who, change, note) values ($1, $2, $3, $4, $5, $6, $7)`,
		s.Finding, tocsin.NewID(), t.Tx().Clock().Now(), s.AskedEmail, string(s.Kind), s.didWords()); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "finding.acted", Subject: s.Finding, Person: string(s.Person), Actor: s.AskedEmail})
}

// lookAgain has what was changed read again, so that the pages show it as it is and it is judged anew: a mailbox's rules at
// once, the directory as soon as its collector comes round.
func (s *step) lookAgain(ctx context.Context) {
	for _, source := range table[s.Kind].stale {
		err := s.Store.UpdateTenant(ctx, s.tenant, func(t *store.Tenant) error {
			_, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = $2`, source)
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("what was changed is not read again at once; the next round does it", "tenant", s.tenant, "error", err)
		}
	}
	if s.Look == nil || !s.Kind.OnRule() || ctx.Err() != nil {
		return
	}
	if err := s.Look(ctx, s.tenant, s.gc, s.Person); err != nil && ctx.Err() == nil {
		s.Log.Warn("a mailbox was not read again after an action; the next poll does it", "tenant", s.tenant, "error", err)
	}
}

// end ends an action that did not come to its end.
func (s *step) end(ctx context.Context, to State, p *tocsin.Problem) error {
	return s.update(ctx, func(t *store.Tenant) error {
		s.Because, s.Mend = p.What, p.Do
		if err := s.move(ctx, t, to, "", p.What); err != nil {
			return err
		}
		return vain(ctx, t, s.Action)
	})
}

// stage is where trouble was met.
type stage int

const (
	before  stage = iota // no connection can do it
	reading              // the target
	sending
)

// trouble is what becomes of an action that Microsoft did not answer well. What passes is waited for; what may have taken
// effect is looked at again before it is sent again; a refusal ends it.
func (s *step) trouble(ctx context.Context, now time.Time, cause error, at stage) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if _, ours := errors.AsType[*tocsin.Problem](cause); at == before && !ours {
		return false, cause // of our tables, and no refusal: it is tried again
	}
	p := problem(cause)
	if p.Code == tocsin.Internal {
		return false, cause
	}
	if kept, err := s.keptFrom(ctx, cause); err != nil {
		return false, err
	} else if kept && at == sending {
		p = tocsin.Problemf(tocsin.Denied, "Give the app a directory role that may touch administrators, such as Privileged Authentication Administrator, or do it in Entra.",
			"Microsoft refuses it: this is an administrator, whom an app with the permission alone cannot touch.")
	} else if at == sending {
		if err := s.heard(ctx, s.Connection, cause); err != nil {
			return false, err
		}
	}
	if some, ok := errors.AsType[*partial](cause); ok && len(some.done) > 0 {
		p = tocsin.Problemf(p.Code, p.Do, "%s was removed; %s was not. %s", strings.Join(some.done, ", "), strings.Join(some.left, ", "), p.What)
	}
	old := now.Sub(s.Changed) > giveUp
	switch t, _ := errors.AsType[*graph.Throttled](cause); {
	case t != nil && !old:
		return false, s.wait(ctx, now.Add(max(t.After, time.Second)), "throttled", p)
	case passing(cause) && !old:
		return false, s.wait(ctx, now.Add(s.backoff()), "no_answer", p)
	case s.Sent.IsZero():
		return false, s.end(ctx, Failed, p)
	case at == sending && refusal(cause): // the target had shown that nothing took effect before
		return false, s.end(ctx, Failed, p)
	case !old: // it was sent before, and what became of that cannot be seen now
		return false, s.wait(ctx, now.Add(time.Minute), "no_answer", p)
	}
	return false, s.end(ctx, Unknown, tocsin.Problemf(tocsin.Conflict, p.Do, "It was sent, and whether it took effect cannot be seen: %s", p.What))
}

// keptFrom says whether Microsoft refuses this target alone: an administrator, over whom the app has the permission and no role.
// https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
func (s *step) keptFrom(ctx context.Context, cause error) (bool, error) {
	if !is[*graph.Denied](cause) || !slices.Contains([]Kind{Suspend, Reinstate, ForcePassword, RemoveMethods}, s.Kind) {
		return false, nil
	}
	n := 0
	err := s.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select count(*) from role_member where tenant = $1 and object_id = $2`, s.Object).Scan(&n)
	})
	return n > 0, err
}

func (s *step) wait(ctx context.Context, until time.Time, change string, p *tocsin.Problem) error {
	return s.update(ctx, func(t *store.Tenant) error { return s.hold(ctx, t, until, change, p.What, "It goes on by itself.") })
}

// backoff is how long to leave the target alone: what was sent without an answer may still arrive.
func (s *step) backoff() time.Duration {
	return min(2*time.Second<<min(s.Tries, 6), time.Minute)
}

// passing says whether something goes by itself.
func passing(err error) bool {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok { // the key that opens the credential cannot be had, say
		return p.Code == tocsin.Unavailable
	}
	_, ok := errors.AsType[*graph.Unavailable](err)
	return ok || errors.Is(err, context.DeadlineExceeded)
}

// refusal says whether Microsoft said no to what was sent, so that it did nothing.
func refusal(err error) bool {
	switch {
	case is[*graph.Denied](err), is[*graph.Failed](err), is[*graph.NoMailbox](err), is[*graph.NotFound](err), is[*graph.Revoked](err), is[*graph.Unauthorized](err), is[*graph.Challenge](err):
		return true
	}
	return errors.Is(err, graph.ErrPaused)
}

func is[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }
