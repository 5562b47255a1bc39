package connect

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// List gives every connection of every tenant, for the server to run.
func (s *Connections) List(ctx context.Context) ([]Connection, error) {
	var ids []tocsin.TenantID
	var out []Connection
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		q, err := tx.Query(ctx, `select tenant from tenant order by tenant`)
		if err != nil {
			return err
		}
		defer q.Close()
		for q.Next() {
			var id tocsin.TenantID
			if err := q.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		if err := q.Err(); err != nil {
			return err
		}
		for _, id := range ids {
			some, err := list(ctx, tx.Tenant(id), "")
			if err != nil {
				return err
			}
			out = append(out, some...)
		}
		return withRegistrations(ctx, tx, out)
	})
	return out, err
}

// withRegistrations puts the versions of the app registrations to the connections that sign in by them; of those by one app it is the one
// that lend takes.
func withRegistrations(ctx context.Context, tx *store.Tx, list []Connection) error {
	q, err := tx.Query(ctx, `select client_id, version from registration order by tier`)
	if err != nil {
		return err
	}
	defer q.Close()
	for q.Next() {
		var client string
		var version int64
		if err := q.Scan(&client, &version); err != nil {
			return err
		}
		for i := range list {
			if c := &list[i]; c.Method == MethodOAuth && c.Client == client && c.Registered == 0 {
				c.Registered = version
			}
		}
	}
	return q.Err()
}

// list gives a tenant's connections, or the one named.
func list(ctx context.Context, t *store.Tenant, id string) ([]Connection, error) {
	q, err := t.Query(ctx, `select id, name, cloud, client_id, method, state, because, mend, created, proven, version, tier, looked, expires, metadata_only, closing, expires_told from connection
		where tenant = $1 and ($2 = '' or id = $2) order by created`, id)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var out []Connection
	for q.Next() {
		c := Connection{Tenant: t.ID()}
		var created, proven, looked, expires int64
		if err := q.Scan(&c.ID, &c.Name, &c.Cloud, &c.Client, &c.Method, &c.State, &c.Because, &c.Mend, &created, &proven, &c.Version, &c.Tier,
			&looked, &expires, &c.MetadataOnly, &c.closing, &c.told); err != nil {
			return nil, err
		}
		c.Looked, c.Expires = tocsin.FromMillis(looked), tocsin.FromMillis(expires)
		c.Created, c.Proven = tocsin.FromMillis(created), tocsin.FromMillis(proven)
		out = append(out, c)
	}
	return out, q.Err()
}

// Get gives a connection.
func (s *Connections) Get(ctx context.Context, tenant tocsin.TenantID, id string) (c Connection, err error) {
	err = s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		found, err := list(ctx, t, id)
		if err != nil {
			return err
		}
		if len(found) != 1 || id == "" {
			return tocsin.Problemf(tocsin.NotFound, "Look at the list of connections.", "There is no such connection.")
		}
		c = found[0]
		return nil
	})
	return c, err
}

// Client gives the connection's Graph client; the same one as long as the connection is not changed, since the
// client remembers what it has used of each limit. Whether it is paused is read anew each time: another replica may have
// turned it, and who asks may hold a connection as it was.
func (s *Connections) Client(ctx context.Context, c Connection) (*graph.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clientOf(ctx, c)
}

// clientOf is Client while mu is held.
func (s *Connections) clientOf(ctx context.Context, c Connection) (*graph.Client, error) {
	k, err := s.kept(ctx, c)
	if err != nil {
		return nil, err
	}
	n := New{Tenant: string(c.Tenant), Client: c.Client, Cloud: k.cloud}
	if k.method == MethodOAuth {
		lent, err := s.lend(ctx, c, &n)
		if err != nil {
			return nil, err
		}
		k.version = k.version<<32 + lent
	}
	key := string(c.Tenant) + "/" + c.ID
	if had := s.clients[key]; had != nil && had.version == k.version {
		had.set(k)
		return had.graph, nil
	}
	if k.state == Closed {
		return nil, errClosed
	}
	if err := s.unseal(c, k, &n); err != nil {
		return nil, err
	}
	made := &client{version: k.version}
	made.set(k)
	if made.graph, err = s.open(n, made); err != nil {
		return nil, err
	}
	if s.clients == nil {
		s.clients = map[string]*client{}
	}
	s.clients[key] = made
	return made.graph, nil
}

// unseal puts what is kept of a connection into n.
func (s *Connections) unseal(c Connection, k kept, n *New) error {
	plain, err := s.Keeper.Open(k.sealed, about(c.Tenant, c.ID))
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(k.settings), &n.Own); err != nil {
		return fmt.Errorf("settings of connection %s: %w", c.ID, err)
	}
	switch k.method {
	case MethodOAuth:
	case "certificate":
		n.Certificate = string(plain)
	default:
		n.Secret = string(plain)
	}
	return nil
}

// kept is what a client is made of.
type kept struct {
	sealed                         []byte
	cloud, settings, state, method string
	version                        int64
	metadataOnly                   bool
}

func (s *Connections) kept(ctx context.Context, c Connection) (k kept, err error) {
	err = s.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select sealed, cloud, settings, state, method, version, metadata_only from connection where tenant = $1 and id = $2`, c.ID).
			Scan(&k.sealed, &k.cloud, &k.settings, &k.state, &k.method, &k.version, &k.metadataOnly)
	})
	if errors.Is(err, store.ErrNone) {
		return k, tocsin.Problemf(tocsin.NotFound, "Look at the list of connections.", "There is no such connection.")
	}
	return k, err
}

// Test asks for a fresh token, judges the capabilities by what it grants, and makes what was refused so far due at once.
// A fresh grant takes Entra some minutes.
func (s *Connections) Test(ctx context.Context, tenant tocsin.TenantID, id string) ([]Verdict, error) {
	ctx = graph.WithPriority(ctx, graph.High)
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	if err := c.asks(); err != nil {
		return nil, err
	}
	gc, err := s.Client(ctx, c)
	if err == nil {
		err = gc.SignIn(ctx)
	}
	if err == nil {
		_, err = prove(ctx, gc, tenant)
	}
	if err != nil {
		if _, note := s.broken(ctx, c, err); note != nil {
			return nil, note
		}
		return nil, asProblem(err)
	}
	if err := s.proven(ctx, c); err != nil {
		return nil, err
	}
	if err := s.askAnew(ctx, c); err != nil {
		return nil, err
	}
	if err := s.Look(ctx, c); err != nil {
		s.Log.Warn("what is granted was not read from the tenant", "tenant", tenant, "error", err)
	}
	return s.capabilities(ctx, c, gc)
}

func (s *Connections) forget(c Connection) {
	s.unknow()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, string(c.Tenant)+"/"+c.ID)
}

// broken notes that the credentials no longer work, if that is what cause says: unreachable is not broken. Who was refused may have
// signed in by a credential that has been replaced since, or to another service than Graph, so the credential of now is asked before
// a connection that is on breaks. It says whether the connection is broken, or of no use any more.
func (s *Connections) broken(ctx context.Context, c Connection, cause error) (bool, error) {
	if !revoked(cause) {
		return false, nil
	}
	now, err := s.Get(ctx, c.Tenant, c.ID)
	if err != nil {
		return true, nil // it is gone: a late answer
	}
	if now.State == On {
		if gc, err := s.Client(ctx, now); err == nil {
			if cause = gc.SignIn(ctx); !revoked(cause) {
				return false, nil // or it is not known, and asked again by whoever asks next
			}
		}
	}
	p := asProblem(cause)
	return true, s.update(ctx, "", c, `update connection set state = 'broken', because = $3, mend = $4
		where tenant = $1 and id = $2 and version = $5 and state in ('on', 'broken') and (state <> 'broken' or because <> $3)`, p.What, p.Do, now.Version)
}

// revoked says whether the credentials no longer work.
func revoked(err error) bool {
	_, ok := errors.AsType[*graph.Revoked](err)
	return ok
}

// Broke notes that the connection cannot be used by what is kept of it, such as a credential that no longer opens.
func (s *Connections) Broke(ctx context.Context, c Connection, cause error) error {
	p := asProblem(cause)
	return s.update(ctx, "", c, `update connection set state = 'broken', because = $3, mend = $4 where tenant = $1 and id = $2 and state = 'on'`, p.What, p.Do)
}

// proven notes that the credentials work.
func (s *Connections) proven(ctx context.Context, c Connection) error {
	return s.update(ctx, "", c, `update connection set state = 'on', because = '', mend = '', proven = $3
		where tenant = $1 and id = $2 and state in ('on', 'broken')`, tocsin.Millis(s.Store.Clock().Now()))
}

// update changes a connection's row, and tells it if there was something to change.
func (s *Connections) update(ctx context.Context, actor string, c Connection, query string, args ...any) error {
	return s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		n, err := t.Exec(ctx, query, append([]any{c.ID}, args...)...)
		if err != nil || n == 0 {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: c.ID, Actor: actor})
	})
}

// Pause stops every call of the connection at once; Resume lets it go on.
func (s *Connections) Pause(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
	return s.turn(ctx, actor, tenant, id, Paused)
}

// Resume lets a paused connection go on.
func (s *Connections) Resume(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
	return s.turn(ctx, actor, tenant, id, On)
}

// turn writes the state first and then throws the switch of the client in use: one that is made in between reads it.
func (s *Connections) turn(ctx context.Context, actor string, tenant tocsin.TenantID, id, state string) error {
	c, err := s.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	if c.State == Closing || c.State == Closed {
		return c.asks()
	}
	if state == On && c.State != Paused {
		return nil // a broken connection is not mended by resuming it
	}
	if err := s.update(ctx, actor, c, `update connection set state = $3, because = '', mend = '' where tenant = $1 and id = $2 and state <> $3 and state not in ('closing', 'closed')`, state); err != nil {
		return err
	}
	s.throw(c, state == Paused)
	return nil
}

// throw turns the client in use off or on. When it returns from turning it off, nothing is under way and nothing goes out.
func (s *Connections) throw(c Connection, off bool) {
	s.unknow()
	s.mu.Lock()
	had := s.clients[string(c.Tenant)+"/"+c.ID]
	s.mu.Unlock()
	if had == nil {
		return
	}
	had.paused.Store(off)
	if off {
		had.graph.Halt()
	}
}

// Heed has the client in use of a connection do no more than the connection is for by now, which another replica may have
// changed: it is stopped, or held to metadata. What was widened shows when a client is next asked for.
func (s *Connections) Heed(c Connection) {
	s.mu.Lock()
	had := s.clients[string(c.Tenant)+"/"+c.ID]
	s.mu.Unlock()
	if had == nil {
		return
	}
	if c.MetadataOnly {
		had.content.Store(false)
	}
	if c.stopped() && !had.paused.Swap(true) {
		had.graph.Halt()
	}
}

// capabilities judges and stores how each capability stands. What the tables tell is read where the judgement is written: of two who judge
// at once, the one who is later knows what was before, a refusal that was forgotten meanwhile, say.
func (s *Connections) capabilities(ctx context.Context, c Connection, gc *graph.Client) (list []Verdict, err error) {
	granted, since, err := s.granted(ctx, c, gc)
	if err != nil {
		return nil, err
	}
	err = s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		// The connection's row comes first: two who judge at once would else wait for each other's rows crosswise.
		if _, err := t.Exec(ctx, `update connection set looked = looked where tenant = $1 and id = $2`, c.ID); err != nil {
			return err
		}
		is, err := standing(ctx, t, c, granted, since)
		if err != nil {
			return err
		}
		if s.Unheard && is.Refused["subscriptions.create"] == "" {
			is.Refused["subscriptions.create"] = "This server has no address at which Microsoft Graph reaches it."
			is.Mends["subscriptions.create"] = "Give the server an address that the Internet reaches by https, and name it in the setting hooks.url."
		}
		list = is.Judge()
		if c.Tier.Acts() { // nothing is collected by it, whatever its permissions would let it read
			list = slices.DeleteFunc(list, func(v Verdict) bool { return !v.Tier.Acts() })
		}
		now := tocsin.Millis(s.Store.Clock().Now())
		excess, err := json.Marshal(is.Excess(c.Tier))
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update connection set excess = $3 where tenant = $1 and id = $2`, c.ID, string(excess)); err != nil {
			return err
		}
		on, err := chosen(ctx, t, c.ID)
		if err != nil {
			return err
		}
		switchedOff(list, on)
		if _, err := t.Exec(ctx, `delete from capability where tenant = $1 and connection = $2 and checked < $3`, c.ID, now); err != nil {
			return err
		}
		for _, v := range list {
			if _, err := t.Exec(ctx, `insert into capability (tenant, connection, name, state, because, mend, checked) values ($1, $2, $3, $4, $5, $6, $7)
				on conflict (tenant, connection, name) do update set state = excluded.state, because = excluded.because, mend = excluded.mend, checked = excluded.checked`,
				c.ID, v.Name, string(v.State), v.Because, v.Mend, now); err != nil {
				return err
			}
		}
		return t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: c.ID})
	})
	return list, err
}

// asProblem is a refusal of Graph or of the sign-in as a person may read it.
func asProblem(err error) *tocsin.Problem {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*graph.Revoked](err); ok {
		return &tocsin.Problem{Code: tocsin.Denied, What: e.What, Do: e.Do, Err: err}
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return &tocsin.Problem{Code: tocsin.Invalid, What: "The server at that address is certified by an authority that this machine does not know.",
			Do: "Give that authority's certificate with the connection (ca; --ca @FILE on the command line), if the cloud is your own; else a proxy stands between.", Err: err}
	}
	code, do := tocsin.Unavailable, "Try again; if it stays, look at the network between Tocsin and Microsoft."
	if _, ok := errors.AsType[*graph.Denied](err); ok {
		code, do = tocsin.Denied, "Grant the permission to the app registration in Entra, give administrator consent, and wait a few minutes."
	} else if _, ok := errors.AsType[*graph.Throttled](err); ok {
		code, do = tocsin.Throttled, "Wait a little and try again."
	} else if errors.Is(err, graph.ErrPaused) {
		return tocsin.Problemf(tocsin.Conflict, "Resume it first.", "The connection is paused: nothing is asked of Graph.")
	}
	return &tocsin.Problem{Code: code, What: sentence(err.Error()), Do: do, Err: err}
}

// sentence is text with a capital letter before and a full stop after, and without the name of the call that it tells of.
func sentence(text string) string {
	if call, rest, ok := strings.Cut(text, ": "); ok && strings.Contains(call, ".") && !strings.Contains(call, " ") {
		text = rest
	}
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + strings.TrimSuffix(text[n:], ".") + "."
}
