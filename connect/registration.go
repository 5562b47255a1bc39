package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Registration is an app registration of the installation: a self-hosted server has no app of ours, so its operator enters
// one for each tier, and every tenant consents to it. Its credential is sealed and leaves the table only to sign in.
type Registration struct {
	Tier    Tier
	Client  string
	Cloud   string
	Method  string // secret or certificate
	Own     Own
	Ends    time.Time // when its certificate does; zero for a secret
	Changed time.Time
	By      string
	Version int64
}

// NewRegistration is what makes one: a secret, or a certificate with its key as PEM.
type NewRegistration struct {
	Tier                Tier
	Client              string
	Secret, Certificate string
	Cloud               string
	Own                 Own
}

// credentials is what a client that signs in as n is made of; its tenant stands for any.
func (n NewRegistration) credentials() New {
	return New{Tenant: uuid.Nil.String(), Client: n.Client, Secret: n.Secret, Certificate: n.Certificate, Cloud: n.Cloud, Own: n.Own}
}

// aboutRegistration binds a sealed credential to its registration.
func aboutRegistration(tier Tier) string { return "registration|" + string(tier) + "|credential" }

const registrationColumns = `select tier, client_id, cloud, method, settings, ends, changed, changed_by, version from registration`

// Registrations lists them, by tier.
func (s *Connections) Registrations(ctx context.Context) ([]Registration, error) {
	out := []Registration{}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		q, err := tx.Query(ctx, registrationColumns+` order by tier`)
		if err != nil {
			return err
		}
		defer q.Close()
		for q.Next() {
			r, err := scanRegistration(q.Scan)
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return q.Err()
	})
	return out, err
}

func scanRegistration(scan func(...any) error) (Registration, error) {
	var r Registration
	var settings string
	var ends, changed int64
	if err := scan(&r.Tier, &r.Client, &r.Cloud, &r.Method, &settings, &ends, &changed, &r.By, &r.Version); err != nil {
		return r, err
	}
	r.Ends, r.Changed = tocsin.FromMillis(ends), tocsin.FromMillis(changed)
	if ends == 0 {
		r.Ends = time.Time{}
	}
	if err := json.Unmarshal([]byte(settings), &r.Own); err != nil {
		return r, fmt.Errorf("settings of the registration for %s: %w", r.Tier, err)
	}
	return r, nil
}

// registered gives a tier's registration with what a client of it is made of.
func (s *Connections) registered(ctx context.Context, tier Tier) (Registration, New, error) {
	var r Registration
	var sealed []byte
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		if r, err = scanRegistration(tx.QueryRow(ctx, registrationColumns+` where tier = $1`, string(tier)).Scan); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select sealed from registration where tier = $1`, string(tier)).Scan(&sealed)
	})
	if errors.Is(err, store.ErrNone) {
		return r, New{}, tocsin.Problemf(tocsin.NotFound, "An administrator of this installation enters one under Settings → App registrations; or connect by API credentials.",
			"No app registration is entered for the tier %s.", tier)
	}
	if err != nil {
		return r, New{}, err
	}
	plain, err := s.Keeper.Open(sealed, aboutRegistration(tier))
	if err != nil {
		return r, New{}, err
	}
	n := New{Tenant: uuid.Nil.String(), Client: r.Client, Cloud: r.Cloud, Own: r.Own}
	if r.Method == "certificate" {
		n.Certificate = string(plain)
	} else {
		n.Secret = string(plain)
	}
	return r, n, nil
}

// SetRegistration keeps a tier's registration in place of the one there was; the connections that were consented to through
// the same app go on with the new credential. Only the installation's administrators may: the server calls the addresses
// of a cloud of one's own.
func (s *Connections) SetRegistration(ctx context.Context, actor string, n NewRegistration) (Registration, error) {
	made := n.credentials()
	if err := made.check(); err != nil {
		return Registration{}, err
	}
	if err := s.reachable(ctx, made); err != nil {
		return Registration{}, err
	}
	gc, err := s.open(made, nil) // a key that fits no certificate shows here
	if err != nil {
		return Registration{}, err
	}
	r := Registration{Tier: n.Tier, Client: made.Client, Cloud: made.Cloud, Method: method(made), Own: n.Own, Ends: gc.CertificateExpires(),
		Changed: s.Store.Clock().Now(), By: actor}
	now := r.Changed
	if !r.Ends.IsZero() && r.Ends.Before(now) {
		return r, tocsin.Problemf(tocsin.Invalid, "Make a new one, upload it to the app registration, and enter it here.", "The certificate expired on %s.", r.Ends.UTC().Format("2 January 2006"))
	}
	sealed, err := s.Keeper.Seal([]byte(n.Secret+n.Certificate), aboutRegistration(n.Tier))
	if err != nil {
		return r, fmt.Errorf("seal the credential: %w", err)
	}
	settings, err := json.Marshal(n.Own)
	if err != nil {
		return r, err
	}
	ends := int64(0)
	if !r.Ends.IsZero() {
		ends = tocsin.Millis(r.Ends)
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `insert into registration (tier, client_id, cloud, method, sealed, settings, ends, changed, changed_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			on conflict (tier) do update set client_id = excluded.client_id, cloud = excluded.cloud, method = excluded.method, sealed = excluded.sealed, settings = excluded.settings,
				ends = excluded.ends, changed = excluded.changed, changed_by = excluded.changed_by, version = registration.version + 1
			returning version`, string(n.Tier), r.Client, r.Cloud, r.Method, sealed, string(settings), ends, tocsin.Millis(now), actor).Scan(&r.Version)
	})
	return r, err
}

// DeleteRegistration forgets a tier's registration, unless a connection signs in by it.
func (s *Connections) DeleteRegistration(ctx context.Context, tier Tier) error {
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	r, _, err := s.registered(ctx, tier)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	used := 0
	for _, c := range all {
		if c.Method == MethodOAuth && c.Client == r.Client {
			used++
		}
	}
	signsIn, err := s.signsInBy(ctx, r.Client)
	if err != nil {
		return err
	}
	if used += signsIn; used > 0 {
		return tocsin.Problemf(tocsin.Conflict, "Disconnect them first, or enter another secret in its place.", "Connections of %d tenants sign in by this app registration.", used)
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `delete from registration where tier = $1`, string(tier))
		return err
	})
}

// errUnregistered is the problem of a connection by OAuth whose app registration is no longer entered.
var errUnregistered = &graph.Revoked{Code: "unregistered", What: "The app registration by which this tenant consented is no longer entered on this server.",
	Do: "Enter it again under Settings → App registrations, or connect the tenant again."}

// lend gives a connection by OAuth the credential of its registration, and a version that changes with it.
func (s *Connections) lend(ctx context.Context, c Connection, n *New) (version int64, err error) {
	all, err := s.Registrations(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range all {
		if r.Client != c.Client {
			continue
		}
		got, with, err := s.registered(ctx, r.Tier)
		if err != nil {
			return 0, err
		}
		n.Secret, n.Certificate = with.Secret, with.Certificate
		return got.Version, nil
	}
	return 0, asProblem(errUnregistered)
}

// A cloud of one's own is an address that the server calls. Only administrators of the installation may name one, and it is
// dialled through a guard (package dial): what leads to the server's own network is refused when it is dialled, whatever
// its name was said to lead to. Networks of one's own are let through by the setting cloud.allow. A server that only its
// own machine reaches (it listens on loopback, and no url is set) lets its loopback through, for there a simulator stands.

// guard is what clouds of one's own are dialled through.
func (s *Connections) guard() *dial.Guard { return &dial.Guard{Allow: s.Allow} }

// reachable says in a sentence when a cloud of one's own leads to where the server does not call; a name that cannot be
// resolved is for the call itself to say.
func (s *Connections) reachable(ctx context.Context, n New) error {
	if n.Cloud != "own" || s.HTTP != nil {
		return nil
	}
	return s.Reachable(ctx, n.Own.Authority, n.Own.Graph)
}

// Reachable is the problem of the first address that leads to where the server does not call for others.
func (s *Connections) Reachable(ctx context.Context, addressed ...string) error {
	for _, address := range addressed {
		u, err := url.Parse(address)
		if err != nil {
			continue // check has refused it
		}
		for _, a := range addresses(ctx, u.Hostname()) {
			if in, ok := errors.AsType[*dial.Inside](s.guard().Check(a)); ok {
				return &tocsin.Problem{Code: tocsin.Invalid, Err: in, What: fmt.Sprintf("%s leads to %s (%s), which this server does not call for others.", address, in.Address, in.Why),
					Do: "If your own cloud stands there, have the operator name its network in the setting cloud.allow."}
			}
		}
	}
	return nil
}

func addresses(ctx context.Context, host string) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(host, "."))
	if err != nil {
		return nil
	}
	return found
}
