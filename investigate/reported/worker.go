package reported

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/store"
)

const hour = time.Hour

// Ways gives the tenant's connection that has a capability, and its client, or the problem why there is none.
type Ways func(ctx context.Context, tenant tocsin.TenantID, capability string) (connection string, gc *graph.Client, err error)

// Through is the ways of the connections that are kept.
func Through(c *connect.Connections) Ways {
	return func(ctx context.Context, tenant tocsin.TenantID, capability string) (string, *graph.Client, error) {
		conn, gc, err := c.For(ctx, tenant, capability)
		return conn.ID, gc, err
	}
}

// Worker reads the reports mailboxes, looks for what was reported, and sends the answers. Any number may be made, and one works at a time:
// whoever holds the lease that Guard looks at. What it is about to do stands in the tables before it does it.
type Worker struct {
	Store  *store.Store
	Ways   Ways
	Keeper evidence.Keeper
	// Guard fails unless the lease is still ours, and keeps it so to the transaction's end; nil where nobody else works.
	Guard func(context.Context, *store.Tx) error
	Log   *slog.Logger
	// Every is how often a reports mailbox is looked into that nothing is told of; half a minute where 0. Where the stream tells of it, it is
	// looked into at once.
	Every time.Duration

	at func(point string) error // tests break off there
}

// Run works until ctx ends or the lease is lost.
func (w *Worker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		news := w.Store.Appended()
		if err := w.Round(ctx); errors.Is(err, store.ErrLost) {
			return err
		} else if err != nil && ctx.Err() == nil {
			w.Log.Error("reported mails are held up; it is tried again", "error", err)
		}
		timer := time.NewTimer(time.Second) // what another replica wrote, and what becomes due
		select {
		case <-ctx.Done():
		case <-news:
			// Facts come in crowds: a round for each crowd is enough.
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		case <-timer.C:
		}
		timer.Stop()
	}
	return ctx.Err()
}

// Round does what is due in every tenant that takes reports. One tenant's trouble is not the others'.
func (w *Worker) Round(ctx context.Context) error {
	list, err := w.tenants(ctx)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	errs := make([]error, len(list))
	for i, id := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			limited, stop := context.WithTimeout(graph.WithPriority(ctx, graph.High), 5*time.Minute)
			defer stop()
			errs[i] = w.tenant(limited, id)
			if limited.Err() != nil && ctx.Err() == nil {
				errs[i] = nil // it goes on in the next round, from what was written down
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// tenants are those with settings of reports.
func (w *Worker) tenants(ctx context.Context) (out []tocsin.TenantID, err error) {
	err = w.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `select tenant from reported_settings order by tenant`)
		if err != nil {
			return err
		}
		defer rows.Close()
		out = out[:0]
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

// tenant does what is due in one.
func (w *Worker) tenant(ctx context.Context, id tocsin.TenantID) error {
	var s Settings
	var looking, replies []string
	err := w.Store.ViewTenant(ctx, id, func(t *store.Tenant) (err error) {
		now := w.Store.Clock().Now()
		if s, err = SettingsOf(ctx, t); err != nil {
			return err
		}
		if looking, err = texts(ctx, t, `select id from reported_mail where tenant = $1 and state = 'looking' and due <= $2 order by due, id limit 50`, now); err != nil {
			return err
		}
		replies, err = texts(ctx, t, `select id from reported_reply where tenant = $1 and state in ('waiting', 'drafting', 'drafted', 'sending') and due <= $2 order by due, id limit 50`, now)
		return err
	})
	if err != nil {
		return err
	}
	on := &tenancy{Worker: w, id: id, Settings: s}
	var errs []error
	if s.Person != "" {
		errs = append(errs, on.intake(ctx))
	}
	for _, one := range looking {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, on.locate(ctx, one))
	}
	for _, one := range replies {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, on.reply(ctx, one))
	}
	return errors.Join(errs...)
}

// tenancy is the worker in one tenant.
type tenancy struct {
	*Worker
	Settings
	id tocsin.TenantID
}

func (w *tenancy) update(ctx context.Context, do func(*store.Tenant) error) error {
	return w.Store.UpdateTenant(ctx, w.id, func(t *store.Tenant) error {
		if w.Guard != nil {
			if err := w.Guard(ctx, t.Tx()); err != nil {
				return err
			}
		}
		return do(t)
	})
}

func (w *Worker) point(name string) error {
	if w.at == nil {
		return nil
	}
	return w.at(name)
}

// by gives the connection that has a capability, held to the mailboxes that it is bounded to.
func (w *tenancy) by(ctx context.Context, capability string) (*reach, error) {
	connection, gc, err := w.Ways(ctx, w.id, capability)
	if err != nil {
		return nil, err
	}
	r := &reach{gc: gc}
	return r, w.Store.ViewTenant(ctx, w.id, func(t *store.Tenant) (err error) {
		r.domains, r.all, err = connect.Boundary(ctx, t, connection)
		return err
	})
}

// reach is a connection and in whose mailboxes it may look.
type reach struct {
	gc      *graph.Client
	domains []string
	all     bool
}

// may is the problem where a mailbox lies outside.
func (r *reach) may(address string) error {
	if connect.Inside(address, r.domains, r.all) {
		return nil
	}
	return tocsin.Problemf(tocsin.Denied, "Add its domain to the mail configuration, if it shall be looked into.", "The mailbox %s is outside the domains that the mail configuration authorises.", address)
}

// owner is a person with a mailbox.
type owner struct {
	person  tocsin.PersonID
	object  string
	address string
	name    string
}

func ownerOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (o owner, err error) {
	o.person = person
	err = t.QueryRow(ctx, `select object_id, case when mail <> '' then mail else upn end, name from person where tenant = $1 and person = $2`, string(person)).Scan(&o.object, &o.address, &o.name)
	return o, err
}

// byAddress is who has an address, and their name; empty where nobody who is there has it.
func byAddress(ctx context.Context, t *store.Tenant, address string) (id tocsin.PersonID, name string, err error) {
	err = t.QueryRow(ctx, `select p.person, p.name from person_address a join person p on p.tenant = a.tenant and p.person = a.person
		where a.tenant = $1 and a.address = $2 and p.deleted = 0 order by p.person limit 1`, tocsin.CanonicalAddress(address)).Scan(&id, &name)
	if errors.Is(err, store.ErrNone) {
		return "", "", nil
	}
	return id, name, err
}

func texts(ctx context.Context, t *store.Tenant, q string, args ...any) (out []string, err error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// passing says whether an error of Graph's goes by itself.
func passing(err error) bool {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p.Code == tocsin.Unavailable || p.Code == tocsin.Throttled || p.Code == tocsin.Conflict
	}
	_, down := errors.AsType[*graph.Unavailable](err)
	_, busy := errors.AsType[*graph.Throttled](err)
	return down || busy || errors.Is(err, graph.ErrPaused) || errors.Is(err, context.DeadlineExceeded)
}

// ours says whether an error is of our own tables: nothing that Graph said, and no problem that says what to do.
func ours(err error) bool {
	if passing(err) || is[*tocsin.Problem](err) || refusal(err) || is[*graph.Challenge](err) || is[*graph.Gone](err) || is[*graph.ForeignLink](err) {
		return false
	}
	return true
}

// backoff is how long to wait after so many tries: 2 seconds to 10 minutes.
func backoff(tries int) time.Duration {
	return min(2*time.Second<<min(max(tries-1, 0), 10), 10*time.Minute)
}

// newest sorts messages by when they came, the newest first.
func newest(list []message) {
	slices.SortStableFunc(list, func(a, b message) int { return b.Received.Compare(a.Received.Time) })
}

// Fetch reads a whole message from a mailbox, as MIME, where the connection that investigates may look into it.
func (w *Worker) Fetch(ctx context.Context, tenant tocsin.TenantID, person tocsin.PersonID, message string) (raw []byte, err error) {
	var box owner
	err = w.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		box, err = ownerOf(ctx, t, person)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look at the list of mailboxes.", "There is no such mailbox.")
	}
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(graph.WithPriority(ctx, graph.High), time.Minute)
	defer stop()
	r, err := (&tenancy{Worker: w, id: tenant}).by(ctx, connect.Investigations)
	if err == nil {
		err = r.may(box.address)
	}
	if err == nil {
		err = r.gc.Get(ctx, "messages.mime", graph.P{"user": box.object, "message": message}, &raw)
	}
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		return nil, tocsin.Problemf(tocsin.NotFound, "It was deleted for good, or its mailbox was; look whether it is kept as evidence.", "The message is no longer in the mailbox %s.", box.address)
	}
	if err != nil && !ours(err) {
		return nil, connect.Explain(err)
	}
	return raw, err
}
