package export_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/export"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

// victim names the directory in which this process is to make events and export them until it is killed.
const victim = "TOCSIN_TEST_EXPORT_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		fmt.Fprintln(os.Stderr, live(context.Background(), dir, os.Getenv(victim+"_ONLY_EXPORT") == ""))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// live exports without end what it makes, and says each transaction that it has committed.
func live(ctx context.Context, dir string, makes bool) error {
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "tocsin.db"), &tocsin.Clock{})
	if err != nil {
		return err
	}
	k, err := secret.Open(ctx, secret.Source{Value: strings.Repeat("cd", 32)})
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("ca: %w", err)
	}
	x := &export.Exports{Store: st, Keeper: k, Guard: &dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: roots}}
	list, err := x.All(ctx)
	if err != nil || len(list) == 0 {
		return fmt.Errorf("exports: %v, %w", list, err)
	}
	if !makes {
		return x.Serve(ctx, acme, list[0].ID)
	}
	go x.Serve(ctx, acme, list[0].ID)
	n := 0
	err = st.ViewTenant(ctx, acme, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select count(*) from event where tenant = $1`).Scan(&n)
	})
	for err == nil {
		var rows [][]any
		for range 1 + rand.N(5) {
			n++
			at := time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC)
			person := people[n%len(people)]
			rows = append(rows, []any{number(n), at, "EMAIL", "email_received", person, mail(number(n), person, at)})
		}
		err = st.UpdateTenant(ctx, acme, func(t *store.Tenant) error {
			return t.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, rows)
		})
		fmt.Println(n)
		time.Sleep(time.Millisecond)
	}
	return err
}

// TestKilledHard kills the process that makes events and exports them, at random moments: the receiver gets every event that
// was committed, none that was not, and each person's in order; what comes twice has the same id.
func TestKilledHard(t *testing.T) {
	dir := t.TempDir()
	var got receiver
	h := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil { // else it was killed while it sent
			got.lines(t, body)
		}
	}))
	defer h.Close()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tocsin.db"), &tocsin.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, st)
	e, _ := b.makes(export.Webhook, h.URL, "", func(s *export.Settings) { s.Batch = 7 })
	kills := 5
	for range kills {
		murder(t, dir)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		if err := live(ctx, dir, false); ctx.Err() == nil {
			t.Errorf("it ended: %v", err)
		}
	}()
	b.caughtUp(e.ID)
	cancel()
	n := 0
	b.update(func(t *store.Tenant) error {
		return t.QueryRow(b.Context(), `select count(*) from event where tenant = $1`).Scan(&n)
	})
	wrong, repeats := got.whole(n)
	if wrong != "" || n < 20*kills {
		t.Errorf("%s of %d", wrong, n)
	}
	t.Logf("%d kills, %d events, %d came more than once", kills, n, repeats)
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// murder runs a victim and kills it some time after it has committed a number of times.
func murder(t *testing.T, dir string) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n, last := 0, 20+rand.N(20)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n++; n == last {
			time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait() // it was killed, that is its error
}
