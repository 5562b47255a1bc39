package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Credential is a new secret, or a new certificate with its key as PEM, of the app registration that a connection has.
type Credential struct {
	Secret, Certificate string
	Expires             time.Time // of a secret, where somebody knows
}

// Rotate gives a connection another credential. The new one is proven first, with a token and by what it reads; until that
// is so, and when it is not, the old one stays at work. A closed connection is opened again by it, with its history.
func (s *Connections) Rotate(ctx context.Context, actor string, tenant tocsin.TenantID, id string, by Credential) (Connection, error) {
	ctx = graph.WithPriority(ctx, graph.High)
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return c, err
	}
	if c.State == Paused || c.State == Closing {
		return c, c.asks()
	}
	if c.Method == MethodOAuth && c.State != Closed {
		return c, tocsin.Problemf(tocsin.Conflict, "Enter the new credential with the app registration, under Connections → Browse.", "The connection uses the installation's app registration, and has no credential of its own.")
	}
	k, err := s.kept(ctx, c)
	if err != nil {
		return c, err
	}
	n := New{Tenant: string(tenant), Client: c.Client, Cloud: k.cloud, Secret: strings.TrimSpace(by.Secret), Certificate: by.Certificate, Expires: by.Expires}
	if err := json.Unmarshal([]byte(k.settings), &n.Own); err != nil {
		return c, fmt.Errorf("settings of connection %s: %w", id, err)
	}
	if err := n.check(); err != nil {
		return c, err
	}
	if err := s.reachable(ctx, n); err != nil {
		return c, err
	}
	gc, err := s.open(n, nil)
	if err == nil {
		_, err = prove(ctx, gc, tenant)
	}
	if err != nil {
		return c, fresh(entered(err))
	}
	sealed, err := s.Keeper.Seal([]byte(n.Secret+n.Certificate), about(tenant, id))
	if err != nil {
		return c, fmt.Errorf("seal the credential: %w", err)
	}
	if err := s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		changed, err := t.Exec(ctx, `update connection set sealed = $3, method = $4, state = 'on', because = '', mend = '', closing = '', proven = $5, rotated = $5, version = version + 1
			where tenant = $1 and id = $2 and version = $6 and state in ('on', 'broken', 'closed')`, id, sealed, method(n), tocsin.Millis(s.Store.Clock().Now()), c.Version)
		if err == nil && changed == 0 {
			err = tocsin.Problemf(tocsin.Conflict, "Look at it and try again.", "The connection was changed meanwhile; its credential is as it was.")
		}
		if err != nil {
			return err
		}
		return errors.Join(t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: id, Actor: actor}), t.Append(ctx, store.Fact{Kind: "consent.changed", Subject: id, Actor: actor}))
	}); err != nil {
		return c, err
	}
	c, err = s.Get(ctx, tenant, id)
	if err == nil {
		err = s.ends(ctx, c, n)
	}
	if err == nil {
		err = s.due(ctx, tenant)
	}
	if err != nil {
		return c, err
	}
	if err := s.LookAndJudge(ctx, c); err != nil { // it is at work; the next look comes in minutes
		s.Log.Warn("what a new credential grants was not read", "tenant", tenant, "error", err)
	}
	return s.Get(ctx, tenant, id)
}

// due has what was refused asked again at once.
func (s *Connections) due(ctx context.Context, tenant tocsin.TenantID) error {
	return s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and failed > succeeded`)
		return err
	})
}

// fresh adds to the refusal of a new credential that Microsoft may not know it yet, and that the old one stays.
func fresh(err error) error {
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok {
		return err
	}
	out := *p
	out.Do += " A credential made a moment ago takes Microsoft a minute. The old one stays at work."
	return &out
}

// Edit is what can be changed of a connection; nil leaves it.
type Edit struct {
	Version      int64
	Name         *string
	MetadataOnly *bool
	Expires      *time.Time // of a secret; a certificate says so itself
}

// Edit changes a connection. That it is for metadata only takes effect at once, on calls under way too.
func (s *Connections) Edit(ctx context.Context, actor string, tenant tocsin.TenantID, id string, e Edit) error {
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	if e.Name != nil && strings.TrimSpace(*e.Name) == "" {
		return tocsin.Problemf(tocsin.Invalid, "Give it a name that tells it apart.", "The name is empty.")
	}
	err = s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		n, err := t.Exec(ctx, `update connection set version = version + 1 where tenant = $1 and id = $2 and version = $3`, id, e.Version)
		if err == nil && n == 0 {
			err = tocsin.Problemf(tocsin.Conflict, "Look at it as it is now, and change that.", "The connection was changed meanwhile.")
		}
		if err == nil && e.Name != nil {
			_, err = t.Exec(ctx, `update connection set name = $3 where tenant = $1 and id = $2`, id, strings.TrimSpace(*e.Name))
		}
		if err == nil && e.MetadataOnly != nil {
			_, err = t.Exec(ctx, `update connection set metadata_only = $3 where tenant = $1 and id = $2`, id, *e.MetadataOnly)
		}
		if err == nil && e.Expires != nil && c.Method != "certificate" {
			_, err = t.Exec(ctx, `update connection set expires = $3, expires_by = $4 where tenant = $1 and id = $2`, id, tocsin.Millis(*e.Expires), map[bool]string{false: "entered"}[e.Expires.IsZero()])
		}
		if err != nil {
			return err
		}
		return errors.Join(t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: id, Actor: actor}), t.Append(ctx, store.Fact{Kind: "consent.changed", Subject: id, Actor: actor}))
	})
	if err != nil || e.MetadataOnly == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if had := s.clients[string(tenant)+"/"+id]; had != nil {
		had.content.Store(!*e.MetadataOnly)
	}
	return nil
}

// What becomes of what was read, when a connection is closed.
const (
	Keep  = "keep"  // it stays, as long as everything does
	Erase = "erase" // everything of the tenant is erased, and the tenant with it
)

// Close ends a connection: from when it returns nothing is asked of Microsoft. What then is to be done, to put away what
// belongs to it and to erase its credential last, is done by [Connections.FinishClosing]; that can be interrupted at any
// place and goes on. To erase, it must be the tenant's last connection: another one would bring everything back.
func (s *Connections) Close(ctx context.Context, actor string, tenant tocsin.TenantID, id, what string) error {
	if what != Keep && what != Erase {
		return tocsin.Problemf(tocsin.Invalid, "Use keep or erase.", "What is to become of what was read is %q.", what)
	}
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	err = s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		var others int
		if err := t.QueryRow(ctx, `select count(*) from connection where tenant = $1 and id <> $2 and state <> 'closed'`, id).Scan(&others); err != nil {
			return err
		}
		if what == Erase && others > 0 {
			return tocsin.Problemf(tocsin.Conflict, "Close the tenant's other connections first, or keep what was read.", "The tenant has another connection, which would read everything again.")
		}
		n, err := t.Exec(ctx, `update connection set state = 'closing', closing = $3, because = '', mend = '', version = version + 1
			where tenant = $1 and id = $2 and (state <> 'closing' or closing = 'keep' and $3 = 'erase') and (state <> 'closed' or $3 = 'erase')`, id, what)
		if err != nil || n == 0 {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: id, Actor: actor})
	})
	if err != nil {
		return err
	}
	s.throw(c, true)
	return nil
}

// FinishClosing goes on with every connection that is being closed, until it is. alone runs an act while nobody collects
// from the tenant, here or elsewhere; it is false where somebody still does, and the connection is left for the next time.
// It may be interrupted anywhere, and called again: each step is there already, or is done again.
func (s *Connections) FinishClosing(ctx context.Context, alone func(ctx context.Context, tenant tocsin.TenantID, act func(context.Context) error) (bool, error)) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, c := range list {
		if c.State != Closing {
			continue
		}
		s.throw(c, true) // another replica may have begun to close it
		_, err := alone(ctx, c.Tenant, func(ctx context.Context) error { return s.finish(ctx, c) })
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("close the connection %s of %s: %w", c.ID, c.Tenant, err))
		}
	}
	return failed
}

// finish closes a connection. Its row is the last that changes, and its credential goes with that.
func (s *Connections) finish(ctx context.Context, c Connection) error {
	now, err := s.Get(ctx, c.Tenant, c.ID)
	if err != nil || now.State != Closing {
		return err
	}
	if err := s.unsubscribe(ctx, c); err != nil && ctx.Err() == nil {
		s.Log.Info("what Microsoft Graph tells of the tenant was not ended; it lapses within a week", "tenant", c.Tenant, "because", err)
	}
	if now.closing == Erase {
		if err := s.Store.Erase(ctx, c.Tenant, "connection", "tenant"); err != nil {
			return err
		}
		s.forget(c)
		s.Log.Info("a tenant was disconnected, and all that was kept of it is erased", "tenant", c.Tenant)
		return nil
	}
	err = s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		for _, q := range []string{
			`delete from capability where tenant = $1 and connection = $2`,
			`delete from refusal where tenant = $1 and connection = $2`,
			`delete from subscription where tenant = $1 and connection = $2`,
			`delete from app_grant where tenant = $1 and connection = $2`,
			`update connection set state = 'closed', closing = '', sealed = '', looked = 0, looked_because = '', excess = '[]', expires = 0, expires_by = '', expires_told = '',
				because = 'It was disconnected; what it read stays.', mend = 'Open it again with a new credential.', version = version + 1 where tenant = $1 and id = $2 and state = 'closing'`,
		} {
			if _, err := t.Exec(ctx, q, c.ID); err != nil {
				return err
			}
		}
		return errors.Join(t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: c.ID}), t.Append(ctx, store.Fact{Kind: "consent.changed", Subject: c.ID}))
	})
	s.forget(c)
	return err
}

// unsubscribing is how long the ending of subscriptions may take: what is left lapses by itself.
const unsubscribing = time.Minute

// unsubscribe ends what Graph tells us of by this connection. It is all that is still asked of Graph once a connection is being
// closed, by a client of its own.
func (s *Connections) unsubscribe(ctx context.Context, c Connection) error {
	var ids []string
	err := s.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		ids = ids[:0]
		return rowsOf(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `select id from subscription where tenant = $1 and connection = $2 and id <> ''
			union all select former from subscription where tenant = $1 and connection = $2 and former <> ''`, c.ID)
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	gc, err := s.lastClient(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, unsubscribing)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, id := range ids {
		g.Go(func() error { return gc.DeleteSubscription(ctx, id) })
	}
	return g.Wait()
}

// lastClient is a client of a connection that is being closed, which the closing does not stop.
func (s *Connections) lastClient(ctx context.Context, c Connection) (*graph.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.kept(ctx, c)
	if err != nil {
		return nil, err
	}
	n := New{Tenant: string(c.Tenant), Client: c.Client, Cloud: k.cloud}
	if k.method == MethodOAuth {
		if _, err := s.lend(ctx, c, &n); err != nil {
			return nil, err
		}
	}
	if err := s.unseal(c, k, &n); err != nil {
		return nil, err
	}
	return s.open(n, nil)
}

// Delete closes a connection and forgets it: every call stops at once, the credential is erased and the connection is in no
// list any more. What was collected stays.
func (s *Connections) Delete(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	if c.State == Closing {
		return c.asks()
	}
	if !c.stopped() {
		if err := s.turn(ctx, actor, tenant, id, Paused); err != nil {
			return err
		}
	}
	err = s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		for _, table := range []string{"capability", "refusal", "app_grant", "app_grant_change", "stream_setting", "stream_scope", "stream_form", "mail_configuration", "mail_domain"} {
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and connection = $2`, id); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `delete from connection where tenant = $1 and id = $2`, id); err != nil {
			return err
		}
		return errors.Join(t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: id, Actor: actor}), t.Append(ctx, store.Fact{Kind: "consent.changed", Subject: id, Actor: actor}))
	})
	s.forget(c)
	return err
}
