package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Engine keeps inboxes and their mailboxes in step, and sends. Any number may be made, and one works at a time in a tenant: whoever holds
// the lease that Guard looks at. What it is about to do in a mailbox stands in the tables before it does it.
type Engine struct {
	Store  *store.Store
	Keeper Keeper
	// Client gives the client of a connection of the inbox tier.
	Client func(ctx context.Context, tenant tocsin.TenantID, connection string) (*graph.Client, error)
	// Guard fails unless the lease is still ours, and keeps it so to the transaction's end; nil where nobody else works.
	Guard func(context.Context, *store.Tx) error
	// Arrived is told of mails that came, in the transaction in which they do; Merged of threads that were found to be one.
	Arrived func(context.Context, *store.Tenant, Arrival) error
	Merged  func(ctx context.Context, t *store.Tenant, inbox, from, into string) error
	Log     *slog.Logger

	Quick, Slow time.Duration // how often a mailbox is looked into while there is traffic, and while there is none; 5 s and 60 s where 0
	Page        int           // pages of a first reading between two looks at what is new; 8 where 0
	Counts      *Counts       // nil: not counted
	Minute      int           // mails sent a minute from one mailbox; 30 where 0, which is Exchange's limit

	mu    sync.Mutex
	woken map[string]chan struct{} // by mailbox
	heard map[string]string        // by mailbox, of when the stream told of it last
	at    func(point string) error // tests break off there
}

// Counts are what engines did, for metrics: looks, mails, wishes, sent, failed, unknown.
type Counts struct {
	mu sync.Mutex
	n  map[string]int64
}

func (c *Counts) add(what string, n int64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[what] += n
}

// All are the counts by name.
func (c *Counts) All() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int64{"looks": 0, "mails": 0, "wishes": 0, "sent": 0, "failed": 0, "unknown": 0}
	maps.Copy(out, c.n)
	return out
}

func (e *Engine) quick() time.Duration { return orElse(e.Quick, 5*time.Second) }
func (e *Engine) slow() time.Duration  { return orElse(e.Slow, time.Minute) }

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (e *Engine) point(name string) error {
	if e.at == nil {
		return nil
	}
	return e.at(name)
}

// Wake has the inbox of a mailbox looked into at once: something was told of it. It is a hint, and may be lost.
func (e *Engine) Wake(tenant tocsin.TenantID, address string) {
	e.wake(string(tenant) + " " + tocsin.CanonicalAddress(address))
}

func (e *Engine) wake(key string) {
	select {
	case e.bell(key) <- struct{}{}:
	default: // it rings already
	}
}

func (e *Engine) bell(key string) chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.woken == nil {
		e.woken = map[string]chan struct{}{}
	}
	if e.woken[key] == nil {
		e.woken[key] = make(chan struct{}, 1)
	}
	return e.woken[key]
}

// Run works in a tenant until ctx ends or the lease is lost: in each inbox by itself, so that one's trouble is not the others'.
func (e *Engine) Run(ctx context.Context, tenant tocsin.TenantID) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	defer all.Wait()
	running := map[string]context.CancelFunc{}
	for ctx.Err() == nil {
		news := e.Store.Appended()
		list, err := e.due(ctx, tenant)
		if err != nil && ctx.Err() == nil {
			e.Log.Error("the inboxes were not read; it is tried again", "error", err)
		}
		for _, id := range list {
			if running[id] != nil {
				continue
			}
			own, end := context.WithCancel(ctx)
			running[id] = end
			all.Go(func() {
				defer end()
				if err := e.serve(own, tenant, id); errors.Is(err, store.ErrLost) {
					stop(err)
				}
			})
		}
		for id, end := range running {
			if err == nil && !slices.Contains(list, id) {
				end()
				delete(running, id)
			}
		}
		timer := time.NewTimer(2 * time.Second) // what another replica wrote
		select {
		case <-ctx.Done():
		case <-news:
			e.ring(ctx, tenant, list)
		case <-timer.C:
			e.ring(ctx, tenant, list)
		}
		timer.Stop()
	}
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrLost) {
		return cause
	}
	return ctx.Err()
}

// due are the inboxes that have a connection.
func (e *Engine) due(ctx context.Context, tenant tocsin.TenantID) (out []string, err error) {
	err = e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		out, err = texts(ctx, t, `select id from inbox where tenant = $1 and connection <> '' and state <> 'disconnected' order by id`)
		return err
	})
	return out, err
}

// ring wakes the inboxes in which somebody wants something done that is due.
func (e *Engine) ring(ctx context.Context, tenant tocsin.TenantID, list []string) {
	if len(list) == 0 {
		return
	}
	var ready []string
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		now := e.Store.Clock().Now()
		ready, err = texts(ctx, t, `select i.id from inbox i where i.tenant = $1 and i.connection <> '' and (exists (select 1 from inbox_wish w where w.tenant = $1 and w.inbox = i.id and w.state = 'due' and w.due <= $2)
			or exists (select 1 from inbox_outgoing o where o.tenant = $1 and o.inbox = i.id and o.state in ('held', 'sending') and o.due <= $2))`, now)
		return err
	})
	if err != nil && ctx.Err() == nil {
		e.Log.Error("what is due in the inboxes was not read; it is tried again", "error", err)
	}
	for _, id := range ready {
		e.wake(id)
	}
	e.hear(ctx, tenant)
}

// hear wakes the inboxes of whose mailboxes the tenant's stream told something since: a hint that spares waiting.
func (e *Engine) hear(ctx context.Context, tenant tocsin.TenantID) {
	told := map[string]string{}
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		rows, err := t.Query(ctx, `select i.address, cast((select max(v.at) from event v where v.tenant = $1 and v.person = i.person) as text) from inbox i where i.tenant = $1 and i.connection <> '' and i.person <> '' and
			exists (select 1 from event v where v.tenant = $1 and v.person = i.person)`)
		if err != nil {
			return err
		}
		return pairs(rows, told)
	})
	if err != nil && ctx.Err() == nil {
		e.Log.Warn("what was told of shared mailboxes was not read; they are looked into all the same", "error", err)
	}
	for address, at := range told {
		key := string(tenant) + " " + tocsin.CanonicalAddress(address)
		e.mu.Lock()
		if e.heard == nil {
			e.heard = map[string]string{}
		}
		was, known := e.heard[key]
		e.heard[key] = at
		e.mu.Unlock()
		if known && was != at {
			e.Wake(tenant, address)
		}
	}
}

// serve works in one inbox until ctx ends.
func (e *Engine) serve(ctx context.Context, tenant tocsin.TenantID, id string) error {
	wait := e.quick()
	next := e.Store.Clock().Now() // when the mailbox is looked into by itself
	for ctx.Err() == nil {
		look := !e.Store.Clock().Now().Before(next)
		did, again, err := e.Round(ctx, tenant, id, look)
		switch {
		case errors.Is(err, store.ErrLost):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			e.Log.Error("an inbox is held up; it is tried again", "inbox", id, "error", err)
			wait = e.slow()
		case again:
			wait = 0
		case did:
			wait = e.quick()
		default:
			wait = min(max(wait, e.quick())*3/2, e.slow())
		}
		if look || again {
			next = e.Store.Clock().Now().Add(wait)
		}
		if again {
			continue
		}
		address := ""
		if err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			return t.QueryRow(ctx, `select address from inbox where tenant = $1 and id = $2`, id).Scan(&address)
		}); err != nil && !errors.Is(err, store.ErrNone) && ctx.Err() == nil {
			e.Log.Error("an inbox was not read; it is tried again", "inbox", id, "error", err)
		}
		until, cancel := context.WithCancel(ctx)
		var ended sync.WaitGroup
		ended.Go(func() {
			defer cancel()
			_ = e.Store.Clock().Until(until, next) // its error is that of until
		})
		select {
		case <-until.Done():
		case <-e.bell(id): // something is to be done there
		case <-e.bell(string(tenant) + " " + address): // something happened there
			next = e.Store.Clock().Now()
		}
		cancel()
		ended.Wait()
	}
	return ctx.Err()
}

// Round does in one inbox what is due: what people want done in the mailbox, what is to be sent and, where look is set, what is new. did says
// that something happened, again that there is more to do at once. What goes wrong with the mailbox is said at the inbox, and is no error.
func (e *Engine) Round(ctx context.Context, tenant tocsin.TenantID, id string, look bool) (did, again bool, err error) {
	b, err := e.open(ctx, tenant, id)
	if err != nil || b == nil {
		return false, false, err
	}
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	if b.gc, err = e.Client(ctx, tenant, b.Connection); err != nil {
		return false, false, b.trouble(ctx, err)
	}
	people := graph.WithPriority(ctx, graph.High)
	n, err := b.grant(people)
	if err == nil {
		var sent int
		sent, err = b.outgoing(people)
		n += sent
	}
	if err == nil && look {
		var came int
		came, again, err = b.look(ctx)
		n += came
		e.Counts.add("looks", 1)
	}
	if err != nil {
		return n > 0, false, b.trouble(ctx, err)
	}
	if look {
		err = b.fine(ctx)
	}
	return n > 0, again, err
}

// box is an inbox that is worked in.
type box struct {
	e *Engine
	Inbox
	tenant  tocsin.TenantID
	gc      *graph.Client
	key     *Key
	since   int64
	floor   int64
	filling string
	tree    string
	own     map[string]bool              // its addresses
	folders map[string]*folder           // by id
	wished  map[string]map[string]string // what is wished of mails and not yet made good: by id, kind and its words
}

// open reads what is needed to work in an inbox; nil where there is nothing to work with.
func (e *Engine) open(ctx context.Context, tenant tocsin.TenantID, id string) (*box, error) {
	b := &box{e: e, tenant: tenant}
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		in, err := Get(ctx, t, id)
		if err != nil {
			return err
		}
		b.Inbox = *in
		if b.Connection == "" || b.State == Disconnected {
			return nil
		}
		if err := t.QueryRow(ctx, `select since, floor, filling, tree from inbox where tenant = $1 and id = $2`, id).Scan(&b.since, &b.floor, &b.filling, &b.tree); err != nil {
			return err
		}
		if b.key, err = OpenKey(ctx, t, e.Keeper, id); err != nil {
			return err
		}
		if err := b.ownAddresses(ctx, t); err != nil {
			return err
		}
		if err := b.readFolders(ctx, t); err != nil {
			return err
		}
		return b.readWishes(ctx, t)
	})
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
		return nil, nil // it was erased meanwhile
	}
	if err != nil || b.key == nil {
		return nil, err
	}
	return b, nil
}

func (b *box) ownAddresses(ctx context.Context, t *store.Tenant) error {
	b.own = map[string]bool{tocsin.CanonicalAddress(b.Address): true}
	if b.Person == "" {
		return nil
	}
	all, err := texts(ctx, t, `select address from person_address where tenant = $1 and person = $2`, b.Person)
	for _, a := range all {
		b.own[a] = true
	}
	return err
}

// user is how the mailbox is named in calls.
func (b *box) user() string { return b.Address }

func (b *box) update(ctx context.Context, do func(*store.Tenant) error) error {
	return b.e.Store.UpdateTenant(ctx, b.tenant, func(t *store.Tenant) error {
		if b.e.Guard != nil {
			if err := b.e.Guard(ctx, t.Tx()); err != nil {
				return err
			}
		}
		return do(t)
	})
}

// fine notes that the mailbox was read.
func (b *box) fine(ctx context.Context) error {
	return b.update(ctx, func(t *store.Tenant) error {
		now := b.e.Store.Clock().Now()
		n, err := t.Exec(ctx, `update inbox set state = 'connected', because = '', mend = '', changed = $3, version = version + 1 where tenant = $1 and id = $2 and (state = 'broken' or because <> '') and state <> 'disconnected'`, b.ID, now)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := tell(ctx, t, b.ID, "connected"); err != nil {
				return err
			}
		}
		_, err = t.Exec(ctx, `update inbox set looked = $3 where tenant = $1 and id = $2`, b.ID, now)
		return err
	})
}

// tell writes the fact that an inbox is another now.
func tell(ctx context.Context, t *store.Tenant, inbox, what string) error {
	return t.Append(ctx, store.Fact{Kind: "inbox.inbox", Subject: inbox, Body: fmt.Appendf(nil, `{"what":%q}`, what)})
}

// trouble says at the inbox what is wrong with its mailbox. What passes by itself is waited for in silence; what is of our own tables comes back.
func (b *box) trouble(ctx context.Context, cause error) error {
	if ctx.Err() != nil || errors.Is(cause, context.DeadlineExceeded) {
		return ctx.Err()
	}
	if errors.Is(cause, store.ErrLost) || ours(cause) {
		return cause
	}
	if busy(cause) {
		return nil
	}
	p := explain(cause, b.Address)
	return b.update(ctx, func(t *store.Tenant) error {
		n, err := t.Exec(ctx, `update inbox set state = 'broken', because = $3, mend = $4, changed = $5, version = version + 1 where tenant = $1 and id = $2 and state <> 'disconnected' and (state <> 'broken' or because <> $3)`,
			b.ID, p.What, p.Do, b.e.Store.Clock().Now())
		if err != nil || n == 0 {
			return err
		}
		return tell(ctx, t, b.ID, "broken")
	})
}

// explain says in words what a mailbox answered.
func explain(cause error, address string) *tocsin.Problem {
	if is[*graph.NoMailbox](cause) || is[*graph.NotFound](cause) {
		return tocsin.Problemf(tocsin.NotFound, "Look in Exchange whether it was deleted or renamed: a deleted mailbox can be restored for 30 days. What was read of it stays here.", "There is no mailbox %s any more.", address)
	}
	if d, ok := errors.AsType[*graph.Denied](cause); ok && (d.OutOfScope || d.Code == "ErrorAccessDenied") {
		return tocsin.Problemf(tocsin.Denied, "Give the account full access to the mailbox again (Add-MailboxPermission -AccessRights FullAccess), or widen the policy that keeps the app out; it goes on by itself within the hour.",
			"The mailbox %s is no longer open to the connection.", address)
	}
	return connect.Explain(cause)
}

func is[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }

// busy says whether Graph only asked to wait.
func busy(err error) bool { return is[*graph.Throttled](err) }

// passing says whether an error goes by itself.
func passing(err error) bool {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p.Code == tocsin.Unavailable || p.Code == tocsin.Throttled
	}
	return busy(err) || is[*graph.Unavailable](err) || errors.Is(err, graph.ErrPaused) || errors.Is(err, context.DeadlineExceeded)
}

// refusal says whether Graph said no to what was sent, so that it did nothing.
func refusal(err error) bool {
	return is[*graph.Denied](err) || is[*graph.Failed](err) || is[*graph.NotFound](err) || is[*graph.NoMailbox](err) || is[*graph.Revoked](err) || is[*graph.Unauthorized](err) || is[*graph.ContentRefused](err) || is[*graph.Challenge](err)
}

// ours says whether an error is of our own tables: nothing that Graph said, and no problem that says what to do.
func ours(err error) bool {
	return !passing(err) && !is[*tocsin.Problem](err) && !refusal(err) && !is[*graph.Gone](err) && !is[*graph.ForeignLink](err)
}
