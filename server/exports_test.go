package server

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

// TestExports: the whole way, from a mailbox rule at Microsoft to somebody's data lake: the event of the rule and the finding
// of it, each under one id, in a server that serves an export made while it runs.
func TestExports(t *testing.T) {
	var mu sync.Mutex
	got := map[string]tocsin.Event{}
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for line := range strings.Lines(string(body)) {
			var e tocsin.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Errorf("%v: %s", err, line)
			}
			got[e.EventID] = e
		}
	}))
	t.Cleanup(hook.Close)
	c := settings(t)
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
	c.Alerts.Allow = "127.0.0.0/8"
	c.Alerts.CA = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(c.Alerts.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	w := world(t, 20)
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	client := &api.Client{URL: hs.URL, Token: landlordToken}
	play(t, w, "# Before.\ndomain before.example\nperson ada \"Ada\" ada@before.example\nmon 09:00 ada makes rule \"news\" when subject_contains \"newsletter\" and delete\n")
	conn := join(t, s, w)
	synced(t, s, conn.Tenant)
	var made api.Export
	err := client.Do(t.Context(), "exports create", api.CreateExportIn{In: api.In{Tenant: conn.Tenant},
		Body: api.ExportNew{Kind: "webhook", ExportSettings: api.ExportSettings{Name: "Lake", Address: hook.URL + "/in", Types: []string{"RULE", "FINDING"}}}}, &made)
	if err != nil || !strings.HasPrefix(made.Secret, "whsec_") || strings.Contains(fmt.Sprint(made), "/in") {
		t.Fatalf("export: %+v %v", made, err)
	}
	play(t, w, "# After.\ndomain before.example\nperson ada \"Ada\" ada@before.example\nmon 10:00 ada makes rule \".\" when subject_contains \"payment\" forward to new@elsewhere.example and delete\n")
	eventually(t, "the rule and its finding", func() string {
		s.Clock.Advance(5 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		seen := map[string]bool{}
		for _, e := range got {
			if e.DomainID == conn.Tenant {
				seen[e.EventType] = true
			}
		}
		if !seen["RULE"] || !seen["FINDING"] {
			return fmt.Sprintf("only %v of %d events", seen, len(got))
		}
		return ""
	})
	eventually(t, "nothing waits", func() string {
		var e api.Export
		if err := client.Do(t.Context(), "exports get", api.ByID{In: api.In{Tenant: conn.Tenant}, ID: made.ID}, &e); err != nil {
			t.Fatal(err)
		}
		if e.Behind > 0 || e.State != "works" || e.Sent < 2 {
			return fmt.Sprintf("%+v", e)
		}
		return ""
	})
}
