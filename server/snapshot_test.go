package server

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/detect/posture"
	"tocsin.dev/offline"
	"tocsin.dev/store/storetest"
)

// TestSnapshot: what `tocsin snapshot` writes of a connection, `tocsin posture` judges with no server as the server does; a connection
// is named by its name, its id or its tenant, and one that is not there is a sentence.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	w := world(t, 40)
	w.Consent(allOfState...)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
	c.Every.Posture, c.Limits.Reports, c.Limits.Protection = time.Second, 100_000, 100
	s := start(t, c, w.Client())
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	conn := join(t, s, w)
	synced(t, s, conn.Tenant, "users", "access", "privileges", "applications", "settings_of_people", "registrations", "devices", "sharing")
	run := func(command *cobra.Command, args ...string) ([]byte, error) {
		var out bytes.Buffer
		command.SetArgs(args)
		command.SetOut(&out)
		command.SetErr(new(bytes.Buffer))
		err := command.ExecuteContext(t.Context())
		return out.Bytes(), err
	}
	snapshot := func() *cobra.Command {
		return api.Snapshot(func() (*api.Client, error) { return &api.Client{URL: hs.URL, Token: landlordToken}, nil })
	}
	if _, err := run(snapshot(), "Nobody Inc"); err == nil || !strings.Contains(err.Error(), `There is no connection "Nobody Inc".`) {
		t.Errorf("of a connection that is not there: %v", err)
	}
	file := filepath.Join(t.TempDir(), "tenant.json")
	for _, name := range []string{conn.ID, string(conn.Tenant), strings.ToUpper(conn.Name)} {
		eventually(t, "that file and server say the same", func() string {
			text, err := run(snapshot(), name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			var snap posture.Snapshot
			if err := json.Unmarshal(text, &snap); err != nil || snap.Tenant.ID != string(conn.Tenant) || len(snap.Collections["/users"]) < 40 || snap.Taken.IsZero() {
				t.Fatalf("it is no snapshot of the tenant: %v, %.300s", err, text)
			}
			lines, err := run(offline.Posture(&tocsin.Clock{}), "--json", file)
			if err != nil {
				t.Fatal(err)
			}
			said := map[string]string{}
			for line := range bytes.Lines(lines) {
				var r struct{ Check, Status string }
				if err := json.Unmarshal(line, &r); err != nil {
					t.Fatal(err)
				}
				said[r.Check] = r.Status
			}
			got, err := s.API.ListChecks(as(t.Context(), api.Viewer), api.ChecksIn{In: api.In{Tenant: conn.Tenant}, Paging: api.Paging{Limit: 200}})
			if err != nil {
				t.Fatal(err)
			}
			if len(said) != len(got.Items) || len(said) < 100 {
				t.Fatalf("%d checks by the file, %d here", len(said), len(got.Items))
			}
			for _, k := range got.Items {
				if said[k.ID] != string(k.Status) {
					return k.ID + ": " + said[k.ID] + " by the file, " + string(k.Status) + " here"
				}
			}
			return ""
		})
	}
}
