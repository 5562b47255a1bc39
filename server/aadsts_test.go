package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
)

// TestSignInCodes: each refusal of the sign-in that Tocsin knows, answered to a connection at work, breaks it with its own
// sentence and what to do; its capabilities say so, and all works again when it is over. What passes by itself breaks nothing.
func TestSignInCodes(t *testing.T) {
	t.Parallel()
	w := world(t, 12, calmStory)
	c := pressed(t)
	c.Every.Rules, c.Every.Directory, c.Every.Settings, c.Every.Members, c.Every.Roles, c.Every.Domains = time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
	b := begin(t, c, w, nil)
	b.reads(time.Time{}, allSources...)
	in := api.ByIDAct{}
	in.Tenant, in.ID = b.tenant(), b.conn.ID
	test := func() error {
		_, err := b.s.API.TestConnection(as(b.Context(), api.Owner), in)
		return err
	}
	// stands says how the connection and its capabilities differ from what is wanted; "" where they do not.
	stands := func(state, because, mend string) string {
		conn := b.connection()
		if conn.State != state || conn.Because != because || conn.Mend != mend {
			return fmt.Sprintf("it is %s: %q, %q", conn.State, conn.Because, conn.Mend)
		}
		for _, v := range conn.Capabilities {
			if state == connect.Broken && (v.State != "off" || v.Because != because || v.Mend != mend) || state == connect.On && v.State != "works" && !spared(v) {
				return fmt.Sprintf("%s is %s: %q, %q", v.Name, v.State, v.Because, v.Mend)
			}
		}
		return ""
	}
	refused := func(t *testing.T, err error, r *graph.Revoked) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), r.What) {
			t.Errorf("the test says %v, want %q", err, r.What)
		}
		if lacking := stands(connect.Broken, r.What, r.Do); lacking != "" {
			t.Error(lacking)
		}
		for _, text := range []string{r.What, r.Do} {
			if !strings.HasSuffix(text, ".") || strings.ToUpper(text[:1]) != text[:1] || strings.Contains(text, "AADSTS") {
				t.Errorf("%q is not a sentence", text)
			}
		}
	}
	mended := func(t *testing.T) {
		t.Helper()
		eventuallyIn(t, 30*time.Second, "mended", func() string { // a refusal is believed for some seconds
			if err := test(); err != nil {
				return err.Error()
			}
			return stands(connect.On, "", "")
		})
	}
	for _, r := range graph.Refusals() {
		t.Run(r.Code, func(t *testing.T) {
			var code int
			if _, err := fmt.Sscanf(r.Code, "AADSTS%d", &code); err != nil {
				t.Fatal(err)
			}
			k, err := w.Strike(sim.Fault{Path: "*/oauth2/v2.0/token", Kind: sim.SignIn, Code: code})
			if err != nil {
				t.Fatal(err)
			}
			refused(t, test(), r)
			k.Heal()
			mended(t)
		})
	}
	known := map[string]*graph.Revoked{}
	for _, r := range graph.Refusals() {
		known[r.Code] = r
	}
	secret := w.Secret()
	for name, c := range map[string]struct {
		code     string
		do, undo func()
	}{
		"the app deleted":      {"AADSTS700016", func() { w.Remove(true) }, func() { w.Remove(false) }},
		"the app disabled":     {"AADSTS7000112", func() { w.Disable(true) }, func() { w.Disable(false) }},
		"the secret replaced":  {"AADSTS7000215", func() { w.ReplaceSecret("another~secret~0123456789", time.Time{}) }, func() { w.ReplaceSecret(secret, time.Time{}) }},
		"the secret has ended": {"AADSTS7000222", func() { w.ReplaceSecret(secret, time.Now().Add(-time.Hour)) }, func() { w.ReplaceSecret(secret, time.Time{}) }},
	} {
		t.Run(name, func(t *testing.T) {
			c.do()
			err := test()
			refused(t, err, known[c.code])
			c.undo()
			mended(t)
		})
	}
	for _, code := range graph.Passing() {
		t.Run(fmt.Sprintf("passing %d", code), func(t *testing.T) {
			k, err := w.Strike(sim.Fault{Path: "*/oauth2/v2.0/token", Kind: sim.SignIn, Code: code})
			if err != nil {
				t.Fatal(err)
			}
			if err := test(); err == nil || !strings.Contains(err.Error(), "sign-in service") {
				t.Errorf("the test says %v", err)
			}
			if lacking := stands(connect.On, "", ""); lacking != "" {
				t.Error(lacking)
			}
			k.Heal()
			mended(t)
		})
	}
}
