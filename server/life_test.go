package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// TestDriftLive: a permission that the tenant takes from Tocsin opens a finding while the server runs, and one that it gives
// beyond need too; given and taken back, both close. An edit from a version of before is a conflict, in a sentence.
func TestDriftLive(t *testing.T) {
	t.Parallel()
	w := world(t, 12, calmStory)
	c := pressed(t)
	b := begin(t, c, w, nil)
	b.reads(time.Time{}, "users", "rules")
	eventually(t, "the first look", func() string {
		if len(b.connection().Grants) == 0 {
			return "was not had"
		}
		return ""
	})
	status := func(rule string, want tocsin.Status) {
		t.Helper()
		eventuallyIn(t, 30*time.Second, rule, func() string {
			had := findings(t, b.s, b.tenant())
			for name, f := range had {
				if strings.HasPrefix(name, rule+" ") && f.Status == want {
					return ""
				}
			}
			return fmt.Sprintf("is not %s: %v", want, keys(had))
		})
	}
	w.Consent(slices.DeleteFunc(slices.Clone(sim.ReadTier), func(r string) bool { return r == "MailboxSettings.Read" })...)
	status("consent-removed", tocsin.Open)
	w.Consent(slices.Concat(sim.ReadTier, []string{"RoleManagement.ReadWrite.Directory"})...)
	status("consent-removed", tocsin.Fixed)
	status("consent-added", tocsin.Open)
	w.Consent(sim.ReadTier...)
	status("consent-added", tocsin.Fixed)
	w.ReplaceSecret(w.Secret(), time.Now().Add(5*24*time.Hour))
	status("credential-expires", tocsin.Open)
	w.ReplaceSecret(w.Secret(), time.Now().Add(300*24*time.Hour))
	status("credential-expires", tocsin.Fixed)

	name := "Another name"
	in := api.EditConnectionIn{Body: api.ConnectionEdit{Version: b.connection().Version, Name: &name}}
	in.Tenant, in.ID = b.tenant(), b.conn.ID
	if _, err := b.s.API.EditConnection(as(t.Context(), api.Owner), in); err != nil {
		t.Fatal(err)
	}
	_, err := b.s.API.EditConnection(as(t.Context(), api.Owner), in)
	if p := tocsin.AsProblem(err); p.Code != tocsin.Conflict || p.What != "The connection was changed meanwhile." || p.Do == "" {
		t.Errorf("an edit of what was there before: %v", err)
	}
}

// eachHost leads each host to a tenant of its own.
type eachHost map[string]http.RoundTripper

// RoundTrip makes a request.
func (h eachHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if next := h[r.URL.Host]; next != nil {
		return next.RoundTrip(r)
	}
	return nil, fmt.Errorf("no tenant is at %s", r.URL.Host)
}

// TestTwoTenants: of two tenants in one server one is disabled, and closed with all that was read, while the other goes on;
// what is kept of each stays apart.
func TestTwoTenants(t *testing.T) {
	t.Parallel()
	w := world(t, 12, calmStory)
	other, err := sim.New(sim.Config{Users: 30, Seed: 8, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	hc := &http.Client{Transport: eachHost{"sim.invalid": w.Client().Transport, "other.invalid": other.Client().Transport}}
	b := beginBy(t, pressed(t), w, hc, nil)
	n := own(other)
	n.Own = connect.Own{Authority: "https://other.invalid", Graph: "https://other.invalid"}
	second, err := b.s.Connections.Create(t.Context(), "test", n)
	if err != nil {
		t.Fatal(err)
	}
	if second.Tenant == b.tenant() {
		t.Fatal("the two are one")
	}
	people := func(tenant tocsin.TenantID) (n int) {
		t.Helper()
		if err := b.s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
			return tt.QueryRow(t.Context(), `select count(*) from person where tenant = $1`).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	b.reads(time.Time{}, allSources...)
	synced(t, b.s, second.Tenant)
	first, theirs := people(b.tenant()), people(second.Tenant)
	if first == 0 || theirs == 0 || first == theirs {
		t.Fatalf("%d and %d people", first, theirs)
	}

	other.Disable(true)
	in := api.ByID{ID: second.ID}
	in.Tenant = second.Tenant
	if err := b.s.Connections.Pause(t.Context(), "test", second.Tenant, second.ID); err != nil {
		t.Fatal(err)
	}
	before := other.Requests().Total
	b.reads(b.s.Clock.Now(), allSources...)
	if n := other.Requests().Total - before; n != 0 {
		t.Errorf("%d requests of a disabled connection", n)
	}
	if err := b.s.Connections.Close(t.Context(), "test", second.Tenant, second.ID, connect.Erase); err != nil {
		t.Fatal(err)
	}
	eventuallyIn(t, 30*time.Second, "the other tenant", func() string {
		if n := people(second.Tenant); n > 0 {
			return fmt.Sprintf("%d people are left", n)
		}
		if _, err := b.s.API.GetConnection(as(t.Context(), api.Viewer), in); err == nil {
			return "its connection is there"
		}
		return ""
	})
	b.reads(b.s.Clock.Now(), allSources...)
	if n := people(b.tenant()); n != first {
		t.Errorf("%d people, and there were %d", n, first)
	}
	if c := b.connection(); c.State != connect.On || c.Because != "" {
		t.Errorf("the first connection is %s: %s", c.State, c.Because)
	}
	b.alive()
}
