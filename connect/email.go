package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// MethodDelegated is that of an e-mail connection by a service account: it signed in once, and is a member of the mailboxes.
const MethodDelegated = "delegated"

// EmailConnection is by what a tenant's shared mailboxes are read and written. It collects nothing, and reaches no mailbox but those that were connected
// by their addresses: by a service account those that it is a member of, by an app registration of the tenant's own those that its policies let it.
type EmailConnection struct {
	Tenant                  tocsin.TenantID
	ID, Name, Cloud, Client string
	Method                  string // delegated, secret or certificate
	State                   string // On or Broken
	Because, Mend           string
	Account                 string // the service account's address; empty without one
	AccountID, AccountName  string
	Consented               time.Time // when an administrator last consented, here; zero where that is not known
	ConsentedBy             string    // who began that, here
	SignedIn                time.Time // when the account last signed in
	SignedInBy              string
	Proven                  time.Time // when Microsoft last gave a token
	Created                 time.Time
	Version                 int64

	own Own
}

// InboxScopes are what a service account signs in for: to read, write and send in the mailboxes that are shared with it, to know which account it is,
// and to go on when nobody sits there.
var InboxScopes = []string{"User.Read", "Mail.Read.Shared", "Mail.ReadWrite.Shared", "Mail.Send.Shared", "offline_access"}

// inboxRoles are what an app that does without a service account needs.
var inboxRoles = []string{"Mail.ReadWrite", "Mail.Send"}

func aboutEmail(t tocsin.TenantID, id string) string { return string(t) + "|email|" + id }

// EmailConnections are a tenant's, in the order in which they were made; or the one with that id.
func EmailConnections(ctx context.Context, t *store.Tenant, id string) ([]EmailConnection, error) {
	var out []EmailConnection
	err := rowsOf(ctx, t, func(scan func(...any) error) error {
		c := EmailConnection{Tenant: t.ID()}
		var consented, signedIn, proven, created int64
		var settings string
		if err := scan(&c.ID, &c.Name, &c.Cloud, &c.Client, &settings, &c.Method, &c.State, &c.Because, &c.Mend, &c.Account, &c.AccountID, &c.AccountName, &consented, &c.ConsentedBy,
			&signedIn, &c.SignedInBy, &proven, &created, &c.Version); err != nil {
			return err
		}
		c.Consented, c.SignedIn, c.Proven, c.Created = tocsin.FromMillis(consented), tocsin.FromMillis(signedIn), tocsin.FromMillis(proven), tocsin.FromMillis(created)
		if err := json.Unmarshal([]byte(settings), &c.own); err != nil {
			return fmt.Errorf("settings of e-mail connection %s: %w", c.ID, err)
		}
		out = append(out, c)
		return nil
	}, `select id, name, cloud, client_id, settings, method, state, because, mend, account, account_id, account_name, consented, consented_by, signed_in, signed_in_by, proven, created, version
		from email_connection where tenant = $1 and ($2 = '' or id = $2) order by created, id`, id)
	return out, err
}

var noEmailConnection = tocsin.Problemf(tocsin.NotFound, "Look at the list under Settings → Email.", "There is no such e-mail connection.")

// EmailConnection gives one.
func (s *Connections) EmailConnection(ctx context.Context, tenant tocsin.TenantID, id string) (c EmailConnection, err error) {
	err = s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		all, err := EmailConnections(ctx, t, id)
		if err == nil && (len(all) != 1 || id == "") {
			err = noEmailConnection
		}
		if err == nil {
			c = all[0]
		}
		return err
	})
	return c, err
}

// Mailbox gives the Graph client of an e-mail connection; the same one as long as the connection is not changed. What ends a sign-in is noted at the
// connection by itself.
func (s *Connections) Mailbox(ctx context.Context, tenant tocsin.TenantID, connection string) (*graph.Client, error) {
	c, err := s.EmailConnection(ctx, tenant, connection)
	if err != nil {
		return nil, err
	}
	n := New{Tenant: string(tenant), Client: c.Client, Cloud: c.Cloud, Own: c.own}
	version := c.Version
	if c.Method == MethodDelegated {
		lent, err := s.lend(ctx, Connection{Client: c.Client}, &n)
		if err != nil {
			return nil, err
		}
		version = version<<32 + lent
	}
	key := "email/" + string(tenant) + "/" + c.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	if had := s.clients[key]; had != nil && had.version == version {
		return had.graph, nil
	}
	made := &client{version: version}
	made.content.Store(true)
	if c.Method == MethodDelegated {
		n.delegated = s.delegated(c)
	} else {
		plain, err := s.openEmail(ctx, c)
		if err != nil {
			return nil, err
		}
		n.credential(c.Method, plain)
	}
	if made.graph, err = s.open(n, made); err != nil {
		return nil, err
	}
	if s.clients == nil {
		s.clients = map[string]*client{}
	}
	s.clients[key] = made
	return made.graph, nil
}

func (n *New) credential(method, plain string) {
	if method == "certificate" {
		n.Certificate = plain
	} else {
		n.Secret = plain
	}
}

// openEmail opens what is sealed of a connection, as it is now.
func (s *Connections) openEmail(ctx context.Context, c EmailConnection) (string, error) {
	var sealed []byte
	err := s.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select sealed from email_connection where tenant = $1 and id = $2`, c.ID).Scan(&sealed)
	})
	if errors.Is(err, store.ErrNone) {
		return "", noEmailConnection
	}
	if err != nil || len(sealed) == 0 {
		return "", err
	}
	plain, err := s.Keeper.Open(sealed, aboutEmail(c.Tenant, c.ID))
	return string(plain), err
}

// delegated is how a client goes on with an account's sign-in: the refresh token lies sealed with the connection, for every replica alike.
func (s *Connections) delegated(c EmailConnection) *graph.Delegated {
	return &graph.Delegated{Scopes: InboxScopes,
		Load: func(ctx context.Context) (string, error) { return s.openEmail(ctx, c) },
		Keep: func(ctx context.Context, used, next string) error {
			sealed, err := s.Keeper.Seal([]byte(next), aboutEmail(c.Tenant, c.ID))
			if err != nil {
				return err
			}
			return s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
				var now []byte
				err := t.QueryRow(ctx, `select sealed from email_connection where tenant = $1 and id = $2`, c.ID).Scan(&now)
				if errors.Is(err, store.ErrNone) {
					return nil // it was disconnected
				}
				if err != nil {
					return err
				}
				if plain, err := s.Keeper.Open(now, aboutEmail(c.Tenant, c.ID)); err != nil || string(plain) != used {
					return err // another replica, or a new sign-in, was quicker
				}
				if _, err := t.Exec(ctx, `update email_connection set sealed = $3, proven = $4 where tenant = $1 and id = $2 and sealed = $5`, c.ID, sealed, tocsin.Millis(s.Store.Clock().Now()), now); err != nil {
					return err
				}
				return emailStands(ctx, t, c.ID, nil)
			})
		},
		Refused: func(ctx context.Context, why *graph.Revoked) {
			err := s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
				var version int64
				err := t.QueryRow(ctx, `select version from email_connection where tenant = $1 and id = $2`, c.ID).Scan(&version)
				if errors.Is(err, store.ErrNone) || err == nil && version != c.Version {
					return nil // it was disconnected, or somebody has signed in anew since
				}
				if err != nil {
					return err
				}
				return emailStands(ctx, t, c.ID, why)
			})
			if err != nil {
				s.Log.Warn("what ended an account's sign-in was not noted", "tenant", c.Tenant, "error", err)
			}
		}}
}

// emailStands notes whether a connection works, and tells it where that is new.
func emailStands(ctx context.Context, t *store.Tenant, id string, cause error) error {
	state, what, do := On, "", ""
	if cause != nil {
		p := asProblem(cause)
		state, what, do = Broken, p.What, p.Do
	}
	n, err := t.Exec(ctx, `update email_connection set state = $3, because = $4, mend = $5, changed = $6 where tenant = $1 and id = $2 and (state <> $3 or because <> $4)`,
		id, state, what, do, tocsin.Millis(t.Tx().Clock().Now()))
	if err != nil || n == 0 {
		return err
	}
	return tellEmail(ctx, t, id, "")
}

func tellEmail(ctx context.Context, t *store.Tenant, id, actor string) error {
	return t.Append(ctx, store.Fact{Kind: "inbox.connection", Subject: id, Actor: actor})
}

// NewEmail is what makes an e-mail connection without a service account: an app registration of the tenant's own, with Mail.ReadWrite and Mail.Send.
type NewEmail struct {
	Name, Tenant, Client string
	Secret, Certificate  string
	Cloud                string
	Own                  Own
}

// CreateEmail makes an e-mail connection by an app registration of the tenant's own, once it has proven itself. Where there is one by the same app, that
// gets the new credential and keeps its addresses.
func (s *Connections) CreateEmail(ctx context.Context, actor string, in NewEmail) (EmailConnection, error) {
	ctx = graph.WithPriority(ctx, graph.High)
	n := New{Tenant: in.Tenant, Client: in.Client, Secret: strings.TrimSpace(in.Secret), Certificate: in.Certificate, Cloud: in.Cloud, Own: in.Own}
	if err := n.check(); err != nil {
		return EmailConnection{}, err
	}
	if err := s.reachable(ctx, n); err != nil {
		return EmailConnection{}, err
	}
	gc, err := s.open(n, nil)
	if err != nil {
		return EmailConnection{}, err
	}
	org, err := prove(ctx, gc, tocsin.TenantID(n.Tenant))
	if err != nil {
		return EmailConnection{}, entered(err)
	}
	if granted, err := gc.Roles(ctx); err == nil {
		if lacks := missing(inboxRoles, granted); len(lacks) > 0 {
			return EmailConnection{}, tocsin.Problemf(tocsin.Denied, "In Entra, open the app registration → API permissions → Microsoft Graph → Application permissions, add "+strings.Join(lacks, ", ")+", grant administrator consent, wait some minutes and try again.",
				"The app lacks the permission %s.", strings.Join(lacks, " and "))
		}
	}
	c := EmailConnection{Tenant: tocsin.TenantID(n.Tenant), Name: strings.TrimSpace(in.Name), Cloud: n.Cloud, Client: n.Client, Method: method(n), own: n.Own}
	return s.keepEmail(ctx, actor, c, org, n.Secret+n.Certificate)
}

// missing are those of want that are not in have.
func missing(want, have []string) (out []string) {
	for _, w := range want {
		if !slices.Contains(have, w) && w != "offline_access" {
			out = append(out, w)
		}
	}
	return out
}

// keepEmail writes a connection that has proven itself. It takes the place of the one with its id, or of the one by the same account or app.
func (s *Connections) keepEmail(ctx context.Context, actor string, c EmailConnection, org organisation, plain string) (EmailConnection, error) {
	settings, err := json.Marshal(c.own)
	if err != nil {
		return c, err
	}
	now := s.Store.Clock().Now().Truncate(time.Millisecond)
	c.Consented, c.SignedIn = c.Consented.Truncate(time.Millisecond), c.SignedIn.Truncate(time.Millisecond)
	err = s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `insert into tenant (tenant, name, initial_domain, created) values ($1, $2, $3, $4) on conflict (tenant) do nothing`,
			firstOf(org.name, string(c.Tenant)), org.domain, tocsin.Millis(now)); err != nil {
			return err
		}
		all, err := EmailConnections(ctx, t, "")
		if err != nil {
			return err
		}
		same := func(o EmailConnection) bool {
			if c.ID != "" {
				return o.ID == c.ID
			}
			return o.Client == c.Client && o.AccountID == c.AccountID && (o.Method == MethodDelegated) == (c.Method == MethodDelegated)
		}
		i := slices.IndexFunc(all, same)
		switch {
		case i < 0 && c.ID != "":
			return noEmailConnection
		case i < 0:
			c.ID, c.Created, c.Version = tocsin.NewID(), now, 1
		default:
			o := all[i]
			c.ID, c.Created, c.Version, c.Name = o.ID, o.Created, o.Version+1, firstOf(c.Name, o.Name)
			if c.Consented.IsZero() {
				c.Consented, c.ConsentedBy = o.Consented, o.ConsentedBy
			}
		}
		c.Name, c.State, c.Because, c.Mend, c.Proven = firstOf(c.Name, c.AccountName, "App registration"), On, "", "", now
		sealed, err := s.Keeper.Seal([]byte(plain), aboutEmail(c.Tenant, c.ID))
		if err != nil {
			return fmt.Errorf("seal the credential: %w", err)
		}
		if _, err := t.Exec(ctx, `insert into email_connection (tenant, id, name, method, cloud, client_id, settings, sealed, account, account_id, account_name, consented, consented_by, signed_in, signed_in_by, proven, created, created_by, changed, version)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $16, $19)
			on conflict (tenant, id) do update set name = excluded.name, method = excluded.method, cloud = excluded.cloud, client_id = excluded.client_id, settings = excluded.settings, sealed = excluded.sealed, account = excluded.account,
				account_id = excluded.account_id, account_name = excluded.account_name, consented = excluded.consented, consented_by = excluded.consented_by, signed_in = excluded.signed_in, signed_in_by = excluded.signed_in_by, proven = excluded.proven,
				state = 'on', because = '', mend = '', changed = excluded.changed, version = excluded.version`,
			c.ID, c.Name, c.Method, c.Cloud, c.Client, string(settings), sealed, c.Account, c.AccountID, c.AccountName, millisOf(c.Consented), c.ConsentedBy, millisOf(c.SignedIn), c.SignedInBy,
			tocsin.Millis(now), tocsin.Millis(c.Created), actor, c.Version); err != nil {
			return err
		}
		return tellEmail(ctx, t, c.ID, actor)
	})
	return c, err
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// millisOf is a time as it is kept; 0 for none.
func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return tocsin.Millis(t)
}

// TestEmail asks Microsoft for a new token, and notes what comes of it.
func (s *Connections) TestEmail(ctx context.Context, tenant tocsin.TenantID, id string) (EmailConnection, error) {
	ctx = graph.WithPriority(ctx, graph.High)
	gc, err := s.Mailbox(ctx, tenant, id)
	if err == nil {
		err = gc.SignIn(ctx)
	}
	_, revoked := errors.AsType[*graph.Revoked](err)
	if err == nil || revoked {
		cause := err
		if err := s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			if cause == nil {
				if _, err := t.Exec(ctx, `update email_connection set proven = $3 where tenant = $1 and id = $2`, id, tocsin.Millis(s.Store.Clock().Now())); err != nil {
					return err
				}
			}
			return emailStands(ctx, t, id, cause)
		}); err != nil {
			return EmailConnection{}, err
		}
		return s.EmailConnection(ctx, tenant, id)
	}
	return EmailConnection{}, asProblem(err)
}

// DeleteEmail forgets an e-mail connection and what is sealed of it: from when it returns nothing is asked of Microsoft by it. Whatever Microsoft tells
// us of by it is ended before. That no address uses it is for package inbox to see to.
func (s *Connections) DeleteEmail(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
	var told []string
	if err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		told = told[:0]
		return rowsOf(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			told = append(told, id)
			return err
		}, `select id from subscription where tenant = $1 and connection = $2 and id <> ''`, id)
	}); err != nil {
		return err
	}
	if len(told) > 0 {
		gc, err := s.Mailbox(ctx, tenant, id)
		for _, one := range told {
			if err == nil {
				err = gc.DeleteSubscription(ctx, one)
			}
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Info("what Microsoft Graph tells of an e-mail connection was not ended; it lapses within a week", "tenant", tenant, "because", err)
		}
	}
	key := "email/" + string(tenant) + "/" + id
	s.mu.Lock()
	had := s.clients[key]
	delete(s.clients, key)
	s.mu.Unlock()
	if had != nil {
		had.paused.Store(true)
		had.graph.Halt()
	}
	return s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `delete from subscription where tenant = $1 and connection = $2`, id); err != nil {
			return err
		}
		n, err := t.Exec(ctx, `delete from email_connection where tenant = $1 and id = $2`, id)
		if err == nil && n == 0 {
			err = noEmailConnection
		}
		if err != nil {
			return err
		}
		return tellEmail(ctx, t, id, actor)
	})
}

// signsInBy is how many tenants' service accounts signed in to an app.
func (s *Connections) signsInBy(ctx context.Context, client string) (n int, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `select count(distinct tenant) from email_connection where method = 'delegated' and client_id = $1`, client).Scan(&n)
	})
	return n, err
}
