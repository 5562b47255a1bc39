package export_test

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
	"tocsin.dev/export"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const acme = tocsin.TenantID("11111111-1111-4111-8111-111111111111")

// bed is exports on a store, with a tenant.
type bed struct {
	testing.TB
	st    *store.Store
	x     *export.Exports
	roots *x509.CertPool
	n     int // events so far
}

func newBed(t testing.TB, st *store.Store) *bed {
	t.Helper()
	k, err := secret.Open(context.Background(), secret.Source{Value: strings.Repeat("cd", 32)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{TB: t, st: st, roots: x509.NewCertPool()}
	b.x = &export.Exports{Store: st, Keeper: k, Guard: &dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: b.roots}, Dir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	b.update(func(tt *store.Tenant) error {
		_, err := tt.Exec(context.Background(), `insert into tenant (tenant, name, initial_domain, created) values ($1, 'Acme', 'acme.example', 1)`)
		return err
	})
	return b
}

func onBoth(t *testing.T, do func(*bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { do(newBed(t, st)) })
}

func (b *bed) update(do func(*store.Tenant) error) {
	b.Helper()
	if err := b.st.UpdateTenant(context.Background(), acme, do); err != nil {
		b.Fatal(err)
	}
}

// makes makes an export; set changes its settings from the usual.
func (b *bed) makes(kind, address, credential string, set func(*export.Settings)) (export.Export, string) {
	b.Helper()
	s := export.Usual(kind)
	s.Name, s.Address, s.Wait = "The "+kind, address, 0
	if set != nil {
		set(&s)
	}
	var e export.Export
	var secret string
	b.update(func(t *store.Tenant) (err error) {
		e, secret, err = b.x.Create(context.Background(), t, "owner@tocsin.example", kind, s, export.Given{Credential: credential})
		return err
	})
	return e, secret
}

// people are whom events are of, in turn.
var people = []string{"amy", "bob", "cid"}

func number(n int) string { return fmt.Sprintf("event-%06d", n) }

// happen makes so many events of mail, in one transaction, and gives their ids.
func (b *bed) happen(n int) (ids []string) {
	b.Helper()
	var rows [][]any
	for range n {
		b.n++
		id := number(b.n)
		ids = append(ids, id)
		at := time.Date(2026, 3, 15, 9, 0, 0, b.n*1e6, time.UTC)
		person := people[b.n%len(people)]
		rows = append(rows, []any{id, at, "EMAIL", "email_received", person, mail(id, person, at)})
	}
	b.update(func(t *store.Tenant) error {
		return t.Insert(context.Background(), store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, rows)
	})
	return ids
}

func mail(id, person string, at time.Time) string {
	body, err := json.Marshal(tocsin.Event{EventID: id, EventType: "EMAIL", Source: "OUTLOOK", SignalType: "COMMUNICATIONS", DomainID: acme, TUID: tocsin.PersonID(person), Timestamp: at,
		Payload:         json.RawMessage(`{"event_id":"n","user":"` + person + `@acme.example","action":"email_received","from_domain":"partner.example","is_external_sender":true,"recipient_count":2,"to_domains":["acme.example"],"cc_domains":[],"has_attachments":true,"importance":"high","is_read":false,"conversation_id":"c"}`),
		RawMetadata:     json.RawMessage(`{"platform_event_id":"n","change_type":"created","from_address":"eve@partner.example","from_name":"Eve","internet_message_id":"<1@partner.example>","is_draft":false}`),
		PlatformEventID: "n", PlatformEventSource: "MICROSOFT_GRAPH_OUTLOOK_API"})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func (b *bed) get(id string) (e export.Export) {
	b.Helper()
	err := b.st.ViewTenant(context.Background(), acme, func(t *store.Tenant) (err error) {
		e, err = export.Get(context.Background(), t, id)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// serve serves an export beside the test, again and again as the server does; stop ends that.
func (b *bed) serve(id string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			if err := b.x.Serve(ctx, acme, id); err != nil && ctx.Err() == nil {
				b.Error(err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	once := sync.OnceFunc(func() { cancel(); all.Wait() })
	b.Cleanup(once)
	return once
}

// eventually waits until is gives nothing; the clock goes on meanwhile, so that what waits to be tried again is.
func (b *bed) eventually(what string, is func() string) {
	b.Helper()
	why := ""
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if why = is(); why == "" {
			return
		}
		b.st.Clock().Advance(100 * time.Millisecond)
	}
	b.Fatalf("%s: %s", what, why)
}

// caughtUp waits until nothing is left to send.
func (b *bed) caughtUp(id string) {
	b.Helper()
	b.eventually("the export catches up", func() string {
		if e := b.get(id); e.Behind > 0 {
			return fmt.Sprintf("%d behind, %s: %s", e.Behind, e.State, e.Because)
		}
		return ""
	})
}

// receiver is what a receiver got, in order, repeats and all.
type receiver struct {
	mu  sync.Mutex
	all []got
}

type got struct{ id, person string }

// line takes an event in, in either form.
func (r *receiver) line(tb testing.TB, body []byte) {
	var e struct {
		EventID  string `json:"event_id"`
		TUID     string `json:"tuid"`
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
		Unmapped struct {
			TUID string `json:"tuid"`
		} `json:"unmapped"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		tb.Errorf("no event: %v: %.200s", err, body)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, got{e.EventID + e.Metadata.UID, e.TUID + e.Unmapped.TUID})
}

func (r *receiver) lines(tb testing.TB, text []byte) {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		r.line(tb, []byte(line))
	}
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}

// whole says what of the events up to n is not there, or comes for the first time behind a later one of its person. repeats
// are how many came more than once.
func (r *receiver) whole(n int) (wrong string, repeats int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, last := map[string]bool{}, map[string]string{}
	for _, g := range r.all {
		if seen[g.id] {
			repeats++
			continue
		}
		seen[g.id] = true
		if g.id < last[g.person] {
			return fmt.Sprintf("%s came after %s of the same person", g.id, last[g.person]), repeats
		}
		last[g.person] = g.id
	}
	for i := 1; i <= n; i++ {
		if !seen[number(i)] {
			return number(i) + " never came", repeats
		}
	}
	if len(seen) != n {
		return fmt.Sprintf("%d events came, want %d", len(seen), n), repeats
	}
	return "", repeats
}

// hook is a webhook's receiver: answer takes the body and gives the status; a status of 0 cuts the connection.
func (b *bed) hook(answer func(r *http.Request, body []byte) (status int, text string)) *httptest.Server {
	h := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Errorf("a body that is not read: %v", err)
		}
		status, text := answer(r, body)
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	h.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	b.roots.AddCert(h.Certificate())
	b.Cleanup(h.Close)
	return h
}
