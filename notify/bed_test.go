package notify_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/notify"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

const (
	acme   = tocsin.TenantID("11111111-1111-4111-8111-111111111111")
	globex = tocsin.TenantID("22222222-2222-4222-8222-222222222222")
)

// bed is alerts on a store, with two tenants whose first sync is long over.
type bed struct {
	testing.TB
	st    *store.Store
	a     *notify.Alerts
	roots *x509.CertPool
}

func newBed(t testing.TB, st *store.Store) *bed {
	t.Helper()
	k, err := secret.Open(context.Background(), secret.Source{Value: strings.Repeat("cd", 32)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{TB: t, st: st, roots: x509.NewCertPool()}
	b.a = &notify.Alerts{Store: st, Keeper: k, URL: "https://tocsin.example", Guard: &dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: b.roots},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, tenant := range []tocsin.TenantID{acme, globex} {
		b.exec(tenant, `insert into tenant (tenant, name, initial_domain, created) values ($1, $2, 'x.example', 1)`, map[tocsin.TenantID]string{acme: "Acme", globex: "Globex"}[tenant])
	}
	return b
}

func onBoth(t *testing.T, do func(*bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { do(newBed(t, st)) })
}

func (b *bed) update(tenant tocsin.TenantID, do func(*store.Tenant) error) {
	b.Helper()
	if err := b.st.UpdateTenant(context.Background(), tenant, do); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) exec(tenant tocsin.TenantID, q string, args ...any) {
	b.Helper()
	b.update(tenant, func(t *store.Tenant) error {
		_, err := t.Exec(context.Background(), q, args...)
		return err
	})
}

// rows are the rows of a query, their columns with blanks between.
func (b *bed) rows(tenant tocsin.TenantID, q string, args ...any) (out []string) {
	b.Helper()
	err := b.st.ViewTenant(context.Background(), tenant, func(t *store.Tenant) error {
		out = nil
		rows, err := t.Query(context.Background(), q, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values, to := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				to[i] = &values[i]
			}
			if err := rows.Scan(to...); err != nil {
				return err
			}
			out = append(out, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
		}
		return rows.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// channel makes a channel; set changes its settings from the usual.
func (b *bed) channel(owner tocsin.TenantID, kind, address string, set func(*notify.Settings)) (notify.Channel, string) {
	b.Helper()
	s := notify.Usual()
	s.Name, s.Address = "The "+kind, address
	if set != nil {
		set(&s)
	}
	var c notify.Channel
	var secret string
	b.update(owner, func(t *store.Tenant) (err error) {
		c, secret, err = b.a.Create(context.Background(), t, "test", kind, s)
		return err
	})
	b.st.Clock().Advance(time.Millisecond) // what is found from now on is after it
	return c, secret
}

// found files a finding as collect does: a new one, or another state of it.
func (b *bed) found(tenant tocsin.TenantID, f tocsin.Finding, what string) {
	b.Helper()
	ctx := context.Background()
	b.update(tenant, func(t *store.Tenant) error {
		now := b.st.Clock().Now()
		body, err := json.Marshal(f)
		if err != nil {
			return err
		}
		status, count := tocsin.Open, 0
		switch what {
		case "reopened":
			count = 1
		case "fixed":
			status = tocsin.Fixed
		}
		if _, err := t.Exec(ctx, `insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, 'exfiltration', $12, $13, $14, $14)
			on conflict (tenant, id) do update set severity = excluded.severity, severity_rank = excluded.severity_rank, risk = excluded.risk, body = excluded.body, status = excluded.status, count = finding.count + $15`,
			f.ID, f.Rule, f.Title, string(f.Severity), f.Severity.Rank(), f.Risk, string(f.Person), f.Who, f.Subject, f.Why, string(body), string(status), now, count); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into finding_change (tenant, finding, id, at, who, change) values ($1, $2, $3, $4, '', $5)`, f.ID, tocsin.NewID(), now, what); err != nil {
			return err
		}
		kind := map[string]string{"raised": "finding.raised", "reopened": "finding.raised", "updated": "finding.updated", "fixed": "finding.fixed"}[what]
		return t.Append(ctx, store.Fact{Kind: kind, Subject: f.ID})
	})
}

func finding(id string, s tocsin.Severity) tocsin.Finding {
	return tocsin.Finding{ID: id, Rule: "forward-outside", Title: "A rule forwards mail outside", Severity: s, Risk: 70, Who: "jane@acme.example", Person: "p-jane",
		Subject: "r1", Why: "The rule “..” sends mail to drop@evil.example.", Attack: []string{"T1114.003"}}
}

// fold follows the facts up to the last.
func (b *bed) fold() {
	b.Helper()
	for _, tenant := range []tocsin.TenantID{acme, globex} {
		if err := stream.Fold(context.Background(), b.st, notify.Follower, store.Lane(tenant), b.a.Fold); err != nil {
			b.Fatal(err)
		}
	}
}

// serve packs and sends what is due, of every channel, once.
func (b *bed) serve() {
	b.Helper()
	if err := notify.Serve(context.Background(), b.a); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) later(d time.Duration) { b.st.Clock().Advance(d) }

// taken is a request as a receiver got it.
type taken struct {
	path   string
	header http.Header
	body   string
}

// receiver is somebody's webhook: it answers by do and remembers what it took.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []taken
	do  func(w http.ResponseWriter, r *http.Request, n int) // n counts from 1
}

func (b *bed) receiver(do func(http.ResponseWriter, *http.Request, int)) *receiver {
	b.Helper()
	r := &receiver{do: do}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return // who sent it has gone
		}
		r.mu.Lock()
		r.got = append(r.got, taken{q.URL.Path, q.Header.Clone(), string(body)})
		n, do := len(r.got), r.do
		r.mu.Unlock()
		if do != nil {
			do(w, q, n)
		}
	}))
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	r.StartTLS()
	b.Cleanup(r.Close)
	b.roots.AddCert(r.Certificate())
	return r
}

func (r *receiver) taken() []taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]taken(nil), r.got...)
}

// answer is what the receiver does from now on.
func (r *receiver) answer(do func(http.ResponseWriter, *http.Request, int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.do = do
}

func status(code int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(code) }
}
