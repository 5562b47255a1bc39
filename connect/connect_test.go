package connect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// bench is connections to a simulated tenant.
type bench struct {
	*testing.T
	w *sim.Sim
	s *Connections
	// calls is how many requests went out; down makes all of them fail.
	calls atomic.Int64
	down  atomic.Bool
}

// RoundTrip counts and makes a request.
func (b *bench) RoundTrip(r *http.Request) (*http.Response, error) {
	b.calls.Add(1)
	if b.down.Load() {
		return nil, errors.New("dial tcp 203.0.113.7:443: connect: connection refused")
	}
	return b.w.Client().Transport.RoundTrip(r)
}

func newBench(t *testing.T, st *store.Store) *bench {
	t.Helper()
	w, err := sim.New(sim.Config{Users: 30, Seed: 5, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	keeper, err := secret.Open(context.Background(), secret.Source{File: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, w: w}
	b.s = &Connections{Store: st, Keeper: keeper, Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: b}}
	return b
}

// onBoth runs test on each engine.
func onBoth(t *testing.T, test func(b *bench)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(newBench(t, st)) })
}

// good is what makes a connection to the simulated tenant.
func (b *bench) good() New {
	return New{Tenant: b.w.Tenant(), Client: b.w.ClientID(), Secret: b.w.Secret(), Own: Own{Authority: sim.Address, Graph: sim.Address}}
}

func (b *bench) create(n New) Connection {
	b.Helper()
	c, err := b.s.Create(b.Context(), "amy@x.example", n)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bench) client(c Connection) *graph.Client {
	b.Helper()
	gc, err := b.s.Client(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	return gc
}

func (b *bench) get(c Connection) Connection {
	b.Helper()
	now, err := b.s.Get(b.Context(), c.Tenant, c.ID)
	if err != nil {
		b.Fatal(err)
	}
	return now
}

// problem fails unless err is one, with this code, that says and advises these, in a sentence each.
func (b *bench) problem(what string, err error, code tocsin.Code, says, do string) {
	b.Helper()
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok || p.Code != code || !strings.Contains(p.What, says) || !strings.Contains(p.Do, do) {
		b.Errorf("%s: %#v (%v), want %s %q, %q", what, p, err, code, says, do)
		return
	}
	for _, s := range []string{p.What, p.Do} {
		if !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] || strings.Contains(s, "\n") {
			b.Errorf("%s: %q is not a sentence", what, s)
		}
	}
	if s := b.w.Secret(); strings.Contains(p.Error(), s) {
		b.Errorf("%s tells the secret: %s", what, p)
	}
}

func (b *bench) verdicts(c Connection) map[string]State {
	b.Helper()
	out := map[string]State{}
	if err := b.s.Store.ViewTenant(b.Context(), c.Tenant, func(t *store.Tenant) error {
		rows, err := t.Query(b.Context(), `select name, state, because, mend from capability where tenant = $1 and connection = $2`, c.ID)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, because, mend string
			var state State
			if err := rows.Scan(&name, &state, &because, &mend); err != nil {
				return err
			}
			if out[name] = state; state != Works && (because == "" || mend == "") {
				b.Errorf("%s is %s because %q, mended by %q", name, state, because, mend)
			}
		}
		return rows.Err()
	}); err != nil {
		b.Fatal(err)
	}
	return out
}

// TestCreate: by secret and by certificate; the tenant has its name, the capabilities their states.
func TestCreate(t *testing.T) {
	for _, method := range []string{"secret", "certificate"} {
		t.Run(method, func(t *testing.T) {
			onBoth(t, func(b *bench) {
				n := b.good()
				if method == "certificate" {
					pair, err := b.w.Certificate()
					if err != nil {
						b.Fatal(err)
					}
					n.Secret, n.Certificate = "", pair
				}
				c := b.create(n)
				got := b.get(c)
				if got.State != On || got.Method != method || got.Name != "Fabrikam Freight" || got.Proven.IsZero() || got.Version != 1 {
					b.Errorf("the connection: %+v", got)
				}
				v := b.verdicts(c)
				if len(v) != len(Capabilities) || v["directory"] != Works || v["mailbox-rules"] != Works || v["mailbox-forwarding"] != Off {
					b.Errorf("capabilities: %v", v)
				}
				b.s.clients = nil // as after a restart
				if err := b.client(got).SignIn(b.Context()); err != nil {
					b.Errorf("sign-in with what was kept: %v", err)
				}
				list, err := b.s.List(b.Context())
				if err != nil || len(list) != 1 || list[0].ID != c.ID {
					b.Errorf("the list: %v, %v", list, err)
				}
			})
		})
	}
}

// TestCreateRefuses: each wrong input is refused in one sentence that says what to do, and nothing is kept of it.
func TestCreateRefuses(t *testing.T) {
	const stranger = "99999999-2222-4333-8444-555555555555"
	pair := func(from, to time.Duration) string {
		text, err := sim.NewCertificate("Tocsin", time.Now().Add(from), time.Now().Add(to))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first, second := pair(-time.Hour, time.Hour), pair(-time.Hour, time.Hour)
	halves := func(text string) (certificate, key string) {
		c, rest := pem.Decode([]byte(text))
		k, _ := pem.Decode(rest)
		return string(pem.EncodeToMemory(c)), string(pem.EncodeToMemory(k))
	}
	certificate, ownKey := halves(first)
	_, foreignKey := halves(second)
	by := func(n *New, text string) { n.Secret, n.Certificate = "", text }
	for _, c := range []struct {
		name     string
		code     tocsin.Code
		with     func(b *bench, n *New)
		says, do string
	}{
		{"a wrong secret", tocsin.Invalid, func(b *bench, n *New) { n.Secret = "not~the~secret" }, "The client secret is wrong.", "value, not its id"},
		{"an expired secret", tocsin.Invalid, func(b *bench, n *New) { b.w.ReplaceSecret(n.Secret, time.Now().Add(-time.Hour)) }, "The client secret has expired.", "Make a new one"},
		{"a tenant that does not exist", tocsin.Invalid, func(b *bench, n *New) { n.Tenant = stranger }, "The tenant does not exist.", "Compare the tenant id"},
		{"an app not in the tenant", tocsin.Invalid, func(b *bench, n *New) { n.Client = stranger }, "The app is not in this tenant", "administrator consent"},
		{"an app that was deleted", tocsin.Invalid, func(b *bench, n *New) { b.w.Remove(true) }, "The app is not in this tenant", "administrator consent"},
		{"a disabled app", tocsin.Invalid, func(b *bench, n *New) { b.w.Disable(true) }, "The app is disabled in this tenant.", "Enable sign-in"},
		{"an expired certificate", tocsin.Invalid, func(b *bench, n *New) { by(n, pair(-48*time.Hour, -24*time.Hour)) }, "The certificate expired on", "Make a new one"},
		{"a certificate of tomorrow", tocsin.Invalid, func(b *bench, n *New) { by(n, pair(24*time.Hour, 48*time.Hour)) }, "valid only from", "clock"},
		{"a certificate that was not uploaded", tocsin.Invalid, func(b *bench, n *New) { by(n, first) }, "The certificate is not the app registration's", "Upload the certificate"},
		{"another certificate's key", tocsin.Invalid, func(b *bench, n *New) { by(n, certificate+foreignKey) }, "The private key does not fit the certificate.", "made together with it"},
		{"a certificate without its key", tocsin.Invalid, func(b *bench, n *New) { by(n, certificate) }, "There is no private key", "PEM"},
		{"a key without its certificate", tocsin.Invalid, func(b *bench, n *New) { by(n, ownKey) }, "There is no certificate", "PEM"},
		{"no certificate at all", tocsin.Invalid, func(b *bench, n *New) { by(n, "-----BEGIN CERT") }, "There is no certificate", "PEM"},
		{"a clock that is wrong", tocsin.Invalid, func(b *bench, n *New) {
			own, err := b.w.Certificate()
			if err != nil {
				b.Fatal(err)
			}
			by(n, own)
			if err := b.w.Fault(sim.Fault{Kind: sim.Clock, Delay: sim.Duration(3 * time.Hour)}); err != nil {
				b.Fatal(err)
			}
		}, "this server's clock is wrong", "Set the clock by NTP."},
		{"an unknown cloud", tocsin.Invalid, func(b *bench, n *New) { n.Cloud = "mars" }, `No cloud is called "mars".`, "global, gcc, usgov, dod or china"},
		{"a cloud of one's own without addresses", tocsin.Invalid, func(b *bench, n *New) { n.Cloud, n.Own = "own", Own{} }, "needs the addresses", "https://"},
		{"an address with a password", tocsin.Invalid, func(b *bench, n *New) { n.Own.Graph = "https://a:b@graph.example" }, "needs the addresses", "https://"},
		{"a CA that is none", tocsin.Invalid, func(b *bench, n *New) { b.s.HTTP, n.Own.CA = nil, "hello" }, "The certificate authority cannot be read.", "PEM"},
		{"no Graph to be reached", tocsin.Unavailable, func(b *bench, n *New) { b.down.Store(true) }, "cannot be reached", "network"},
		{"something else at the address", tocsin.Unavailable, func(b *bench, n *New) {
			if err := b.w.Fault(sim.Fault{Kind: sim.Garbage, Path: "organization"}); err != nil {
				b.Fatal(err)
			}
		}, "The answer is not whole", "network"},
		{"the tenant's name as its id", tocsin.Invalid, func(b *bench, n *New) { n.Tenant = "contoso.onmicrosoft.com" }, "is not a tenant id", "Entra"},
		{"the secret's id", tocsin.Invalid, func(b *bench, n *New) { n.Secret = stranger }, "not its value", "Value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			n := b.good()
			c.with(b, &n)
			_, err := b.s.Create(t.Context(), "amy@x.example", n)
			b.problem("create", err, c.code, c.says, c.do)
			if list, err := b.s.List(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("something was kept: %v, %v", list, err)
			}
		})
	}
}

// TestWrongTenant: credentials that open another tenant than the one named are refused, by what Graph says it is.
func TestWrongTenant(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	b.s.HTTP = &http.Client{Transport: rewritten{b, "/organization", func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"id":"`+b.w.Tenant()+`"`), []byte(`"id":"99999999-2222-4333-8444-555555555555"`), 1)
	}}}
	_, err := b.s.Create(t.Context(), "amy@x.example", b.good())
	b.problem("create", err, tocsin.Invalid, "These credentials open the tenant 99999999-2222-4333-8444-555555555555, not "+b.w.Tenant(), "Give the tenant id")
}

// TestPausedElsewhere: what one replica has paused or closed another makes no call for either, once it has heard of it.
func TestPausedElsewhere(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		other := &Connections{Store: b.s.Store, Keeper: b.s.Keeper, Log: b.s.Log, HTTP: b.s.HTTP}
		gc, err := other.Client(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		heard := func() {
			list, err := other.List(b.Context())
			if err != nil || len(list) != 1 {
				b.Fatalf("%v, %v", list, err)
			}
			other.Heed(list[0])
		}
		heard()
		if err := gc.SignIn(b.Context()); err != nil {
			b.Errorf("while it is on: %v", err)
		}
		inUse := other.clients[string(c.Tenant)+"/"+c.ID]
		inUse.content.Store(true) // as it was made while content could be read
		if heard(); inUse.content.Load() {
			b.Error("content may be read though the connection is for metadata only")
		}
		if err := b.s.Pause(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		heard()
		before := b.calls.Load()
		if err := gc.SignIn(b.Context()); !errors.Is(err, graph.ErrPaused) || b.calls.Load() != before {
			b.Errorf("paused elsewhere: %v, %d calls", err, b.calls.Load()-before)
		}
		if err := b.s.Resume(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		if gc, err = other.Client(b.Context(), c); err != nil || gc.SignIn(b.Context()) != nil {
			b.Errorf("resumed elsewhere: %v", err)
		}
		if err := b.s.Close(b.Context(), "amy@x.example", c.Tenant, c.ID, Keep); err != nil {
			b.Fatal(err)
		}
		heard()
		if err := gc.SignIn(b.Context()); !errors.Is(err, graph.ErrPaused) {
			b.Errorf("closing elsewhere: %v", err)
		}
	})
}

// TestTenantIsProven: credentials are of the tenant that was named by their token and by the organisation: one that says another,
// or none, proves nothing.
func TestTenantIsProven(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	const other = "99999999-2222-4333-8444-555555555555"
	b.s.HTTP = &http.Client{Transport: rewritten{b, "/organization", func([]byte) []byte { return []byte(`{"value":[]}`) }}}
	_, err := b.s.Create(t.Context(), "amy@x.example", b.good())
	b.problem("no organisation", err, tocsin.Unavailable, "prove no tenant", "Try again")
	b.s.HTTP = &http.Client{Transport: rewritten{b, "/token", func(body []byte) []byte {
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(m["access_token"].(string), ".")
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"` + other + `","roles":["User.Read.All"]}`))
		m["access_token"] = strings.Join(parts, ".")
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}}}
	_, err = b.s.Create(t.Context(), "amy@x.example", b.good())
	b.problem("another tenant's token", err, tocsin.Invalid, "These credentials open the tenant "+other, "Give the tenant id")
	if all, err := b.s.List(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("connected all the same: %v, %v", all, err)
	}
}

// rewritten is what comes of calls to a path, changed.
type rewritten struct {
	b    *bench
	path string
	by   func([]byte) []byte
}

// RoundTrip makes the call.
func (t rewritten) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.b.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, t.path) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(res.Body); err != nil {
			return nil, err
		}
		out := t.by(body.Bytes())
		res.Body, res.ContentLength = readCloser{bytes.NewReader(out)}, int64(len(out))
	}
	return res, err
}

type readCloser struct{ *bytes.Reader }

// Close does nothing.
func (readCloser) Close() error { return nil }

// TestNoConsent: an app that nobody consented to is connected, and every capability says what it lacks.
func TestNoConsent(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.w.Consent()
		c := b.create(b.good())
		for name, state := range b.verdicts(c) {
			if state != Off {
				b.Errorf("%s is %s with no permission at all", name, state)
			}
		}
		b.w.Consent(sim.ReadTier...)
		if _, err := b.s.Test(b.Context(), c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		if v := b.verdicts(c); v["directory"] != Works || v["mailbox-rules"] != Works {
			b.Errorf("after consent: %v", v)
		}
	})
}

// TestDuplicate: the same app again is a conflict; where its connection is broken it is given the new credential.
func TestDuplicate(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		_, err := b.s.Create(b.Context(), "amy@x.example", b.good())
		b.problem("the same again", err, tocsin.Conflict, "connected by this app already", "Open that connection")

		b.w.ReplaceSecret("a~new~secret~0123456789", time.Time{})
		if _, err := b.s.Test(b.Context(), c.Tenant, c.ID); err == nil {
			b.Fatal("the old secret works")
		}
		if now := b.get(c); now.State != Broken {
			b.Fatalf("the connection is %+v", now)
		}
		old := b.client(c)
		again := b.create(b.good())
		now := b.get(c)
		if again.ID != c.ID || now.State != On || now.Because != "" || now.Mend != "" || now.Version != 2 {
			b.Errorf("after a new secret: %+v", now)
		}
		if gc := b.client(now); gc == old {
			b.Error("the client of the old secret is used")
		} else if err := gc.SignIn(b.Context()); err != nil {
			b.Error(err)
		}
	})
}

// TestPause stops every call at once, of clients that are in use too, and lets them go on.
func TestPause(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		gc := b.client(c)
		ask := func() error {
			for _, err := range graph.Pages[graph.Organization](b.Context(), gc, "organization.list", nil) {
				return err
			}
			return nil
		}
		if err := ask(); err != nil {
			b.Fatal(err)
		}
		if _, err := b.s.Test(b.Context(), c.Tenant, c.ID); err != nil { // a test leaves the client in use the one that is paused
			b.Fatal(err)
		}
		if err := b.s.Pause(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		before := b.calls.Load()
		if err := ask(); !errors.Is(err, graph.ErrPaused) {
			b.Errorf("a call of a paused connection: %v", err)
		}
		if _, err := gc.Batch(b.Context(), []graph.Part{{Call: "users.get", P: graph.P{"user": "x"}}}); !errors.Is(err, graph.ErrPaused) {
			b.Errorf("a batch of a paused connection: %v", err)
		}
		_, err := b.s.Test(b.Context(), c.Tenant, c.ID)
		b.problem("a test", err, tocsin.Conflict, "paused", "Resume")
		b.s.clients = nil
		if err := func() error { gc = b.client(c); return ask() }(); !errors.Is(err, graph.ErrPaused) {
			b.Errorf("a call of a paused connection, after a restart: %v", err)
		}
		// What was under way when it was paused answers late, and changes nothing.
		if err := b.s.Refused(b.Context(), c, &graph.Revoked{Code: "AADSTS7000222", What: "x.", Do: "y."}); err != nil {
			b.Error(err)
		}
		if err := b.s.Refused(b.Context(), c, nil); err != nil {
			b.Error(err)
		}
		if now := b.get(c); now.State != Paused {
			b.Errorf("a late answer made it %s", now.State)
		}
		if n := b.calls.Load() - before; n != 0 {
			b.Errorf("%d requests went out while it was paused", n)
		}
		if err := b.s.Resume(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		if err := ask(); err != nil || b.get(c).State != On {
			b.Errorf("resumed: %v, %+v", err, b.get(c))
		}
	})
}

// TestDelete ends every call and erases the credential; what was collected stays.
func TestDelete(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		gc := b.client(c)
		if err := b.s.Delete(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		before := b.calls.Load()
		if err := gc.SignIn(b.Context()); !errors.Is(err, graph.ErrPaused) {
			b.Errorf("a call of a deleted connection: %v", err)
		}
		if n := b.calls.Load() - before; n != 0 {
			b.Errorf("%d requests went out", n)
		}
		_, err := b.s.Client(b.Context(), c)
		b.problem("its client", err, tocsin.NotFound, "no such connection", "list")
		_, err = b.s.Test(b.Context(), c.Tenant, c.ID)
		b.problem("a test", err, tocsin.NotFound, "no such connection", "list")
		var rows, tenants int
		if err := b.s.Store.ViewTenant(b.Context(), c.Tenant, func(t *store.Tenant) error {
			if err := t.QueryRow(b.Context(), `select count(*) from connection where tenant = $1`).Scan(&rows); err != nil {
				return err
			}
			return t.QueryRow(b.Context(), `select count(*) from tenant where tenant = $1`).Scan(&tenants)
		}); err != nil || rows != 0 || tenants != 1 {
			b.Errorf("%d connections and %d tenants left (%v)", rows, tenants, err)
		}
		if v := b.verdicts(c); len(v) != 0 {
			b.Errorf("capabilities of it: %v", v)
		}
		if again := b.create(b.good()); again.ID == c.ID {
			b.Error("a new connection has the old one's id")
		}
	})
}

// TestSealed: the database file never holds a credential in clear.
func TestSealed(t *testing.T) {
	addr := storetest.SQLiteAddress(t)
	st, err := store.Open(t.Context(), addr, &tocsin.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, st)
	pair, err := b.w.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	c := b.create(b.good())
	if err := b.s.Delete(t.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
		t.Fatal(err)
	}
	n := b.good()
	n.Secret, n.Certificate = "", pair
	b.create(n)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(addr, "sqlite:")
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files at %s (%v)", path, err)
	}
	_, key := pem.Decode([]byte(pair))
	found := false
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(raw, []byte(b.w.ClientID()))
		for what, text := range map[string]string{"the secret": b.w.Secret(), "the key": strings.Split(string(key), "\n")[3]} {
			if len(text) < 20 || bytes.Contains(raw, []byte(text)) {
				t.Errorf("%s holds %s in clear", file, what)
			}
		}
	}
	if !found {
		t.Error("the files hold no connection: they are not the ones to look into")
	}
}

// TestRefused: what the sign-in refuses breaks the connection, with one sentence that says what to do; what passes does
// not; and an answer mends it.
func TestRefused(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		told := func(do func() error) int64 {
			b.Helper()
			last := func() int64 {
				n, err := b.s.Store.LastFact(b.Context(), store.Lane(c.Tenant))
				if err != nil {
					b.Fatal(err)
				}
				return n
			}
			before := last()
			if err := do(); err != nil {
				b.Fatal(err)
			}
			return last() - before
		}
		for _, passing := range []error{&graph.Unavailable{What: "down"}, &graph.Throttled{}, context.DeadlineExceeded, graph.ErrPaused} {
			if n := told(func() error { return b.s.Refused(b.Context(), c, passing) }); n != 0 || b.get(c).State != On {
				b.Errorf("%v: %d facts, %s", passing, n, b.get(c).State)
			}
		}
		b.w.Disable(true)
		err := b.client(c).SignIn(b.Context())
		if n := told(func() error { return b.s.Refused(b.Context(), c, err) }); n != 1 {
			b.Errorf("a broken connection is told %d times", n)
		}
		now := b.get(c)
		if now.State != Broken || now.Because != "The app is disabled in this tenant." || now.Mend != "Enable sign-in under Enterprise applications → the app → Properties." {
			b.Errorf("broken: %+v", now)
		}
		if n := told(func() error { return b.s.Refused(b.Context(), c, err) }); n != 0 {
			b.Errorf("the same again is told %d times", n)
		}
		if err := b.s.Resume(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil || b.get(c).State != Broken {
			b.Errorf("resuming mends it: %v, %+v", err, b.get(c))
		}
		for _, answer := range []error{nil, &graph.Denied{Permissions: []string{"User.Read.All"}}} {
			b.w.Disable(true)
			if err := b.s.Refused(b.Context(), c, &graph.Revoked{What: "x.", Do: "y."}); err != nil || b.get(c).State != Broken {
				b.Fatal(err, b.get(c))
			}
			b.w.Disable(false)
			if err := b.client(c).SignIn(b.Context()); err != nil {
				b.Fatal(err)
			}
			if err := b.s.Refused(b.Context(), c, answer); err != nil {
				b.Fatal(err)
			}
			if now := b.get(c); now.State != On || now.Because != "" || now.Mend != "" {
				b.Errorf("mended by %v: %+v", answer, now)
			}
		}
	})
}

// TestTestMends: what broke a connection is set right, and testing it says so and has everything asked again at once.
func TestTestMends(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		exec := func(query string) {
			b.Helper()
			if err := b.s.Store.UpdateTenant(b.Context(), c.Tenant, func(t *store.Tenant) error { _, err := t.Exec(b.Context(), query); return err }); err != nil {
				b.Fatal(err)
			}
		}
		exec(`insert into source (tenant, name, started, succeeded, failed, because, due) values ($1, 'rules', 5, 4, 6, 'The permission MailboxSettings.Read is not granted.', 99999999999999)`)
		exec(`insert into source (tenant, name, started, succeeded, due) values ($1, 'users', 5, 6, 99999999999999)`)
		denied := &graph.Denied{Where: graph.Where{Call: "messageRules.list"}, Permissions: []string{"MailboxSettings.Read"}}
		if err := b.s.Heard(b.Context(), c, Heard{By: "rules", Errs: []error{denied}}); err != nil {
			b.Fatal(err)
		}
		if v := b.verdicts(c); v["mailbox-rules"] != Off || v["mailbox-settings"] != Works {
			b.Errorf("what Graph refuses: %v", v)
		}
		exec(`update source set succeeded = 7, because = '' where tenant = $1 and name = 'rules'`)
		if err := b.s.Heard(b.Context(), c, Heard{By: "rules"}); err != nil {
			b.Fatal(err)
		}
		if v := b.verdicts(c); v["mailbox-rules"] != Works {
			b.Errorf("what Graph allows again: %v", v)
		}

		exec(`update source set failed = 8, because = 'x' where tenant = $1 and name = 'rules'`)
		b.w.Remove(true)
		_, err := b.s.Test(b.Context(), c.Tenant, c.ID)
		b.problem("a test of what is gone", err, tocsin.Denied, "The app is not in this tenant", "consent")
		b.w.Remove(false)
		verdicts, err := b.s.Test(b.Context(), c.Tenant, c.ID)
		if err != nil || len(verdicts) != len(Capabilities) || b.get(c).State != On {
			b.Fatalf("a test: %v, %v, %+v", verdicts, err, b.get(c))
		}
		var due []int64
		if err := b.s.Store.ViewTenant(b.Context(), c.Tenant, func(t *store.Tenant) error {
			due = nil
			rows, err := t.Query(b.Context(), `select due from source where tenant = $1 order by name`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var n int64
				if err := rows.Scan(&n); err != nil {
					return err
				}
				due = append(due, n)
			}
			return rows.Err()
		}); err != nil || !slices.Equal(due, []int64{0, 99999999999999}) {
			b.Errorf("due after a test: %v (%v); what failed is to be asked at once, and nothing else", due, err)
		}
	})
}

// TestAnothersConnection: a connection is found in its own tenant only.
func TestAnothersConnection(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	c := b.create(b.good())
	const other = tocsin.TenantID("99999999-2222-4333-8444-555555555555")
	for what, do := range map[string]func() error{
		"get":    func() error { _, err := b.s.Get(t.Context(), other, c.ID); return err },
		"test":   func() error { _, err := b.s.Test(t.Context(), other, c.ID); return err },
		"pause":  func() error { return b.s.Pause(t.Context(), "x", other, c.ID) },
		"delete": func() error { return b.s.Delete(t.Context(), "x", other, c.ID) },
		"none":   func() error { _, err := b.s.Get(t.Context(), c.Tenant, ""); return err },
	} {
		b.problem(what, do(), tocsin.NotFound, "There is no such connection.", "list")
	}
	if b.get(c).State != On {
		t.Error("another tenant has changed it")
	}
}
