package api_test

import (
	"context"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestListLimits: every limit there is has a name for people, its state follows from what is counted, and a list in
// pieces is the list.
func TestListLimits(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		settle(t, st, acme)
		at := time.Date(2026, 3, 15, 9, 0, 0, 0, time.UTC)
		uses := graph.NewShared(graph.Limits{}, time.Now).Of(graph.Global, "app", string(acme))
		change := map[string]func(*graph.Use){
			"directory": func(u *graph.Use) { u.Used, u.Waits, u.Waited = u.Of*85/100, 7, 1500*time.Millisecond },
			"reports":   func(u *graph.Use) { u.Used, u.Waiting = 5, 2 },
			"protection": func(u *graph.Use) {
				u.Blocked, u.Throttled, u.Last = 2*time.Second, 1, &graph.Refusal{At: at, Call: "x.y", After: 2 * time.Second, Code: "TooManyRequests", Why: "because"}
			},
			"trace":   func(u *graph.Use) { u.Careful = time.Second },
			"mailbox": func(u *graph.Use) { u.Used, u.Mailbox = 1, "11111111-aaaa-4111-8111-111111111111" },
		}
		for i := range uses {
			if f := change[uses[i].Limit]; f != nil {
				f(&uses[i])
			}
		}
		s := api.New(st, api.Options{Connect: api.Connect{Limits: func(_ context.Context, tenant tocsin.TenantID, id string) ([]graph.Use, error) {
			if tenant != acme || id != connectionOf(acme) {
				t.Errorf("asked for %s %s", tenant, id)
			}
			return uses, nil
		}}})
		ctx := api.WithCaller(t.Context(), api.Caller{Account: "v", Grants: []api.Grant{{Tenant: string(acme), Role: api.Viewer}}})
		in := api.ListIn{In: api.In{Tenant: acme}}
		whole, err := s.ListLimits(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole.Items) != len(uses) || whole.Total != len(uses) || whole.Items[0].Name != "directory" {
			t.Fatalf("%d of %d, first %s", len(whole.Items), len(uses), whole.Items[0].Name)
		}
		states := map[string]string{"directory": "near", "reports": "holding", "protection": "blocked", "trace": "near"}
		for _, l := range whole.Items {
			want := states[l.Name]
			if want == "" {
				want = "calm"
			}
			if l.State != want || l.Title == l.Name || l.Title == "" || l.Shared == "" || l.Limit == 0 || l.Unit == "" || l.Connection != connectionOf(acme) {
				t.Errorf("%+v, want it %s", l, want)
			}
			if l.Mailbox != "" {
				t.Errorf("a mailbox that nobody has read is named: %+v", l)
			}
		}
		if p := whole.Items[4]; p.Name != "protection" || p.Last == nil || !p.Last.At.Equal(at) || p.Last.Why != "TooManyRequests because" || p.Last.Seconds != 2 || p.BlockedSeconds != 2 {
			t.Errorf("%+v", p)
		}
		if d := whole.Items[0]; d.Percent != 85 || d.Held != 7 || d.HeldSeconds != 1.5 {
			t.Errorf("%+v", d)
		}
		var names []string
		in.Limit = 3
		for {
			p, err := s.ListLimits(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range p.Items {
				names = append(names, l.Name)
			}
			if in.After = p.Next; in.After == "" {
				break
			}
		}
		for i, l := range whole.Items {
			if i >= len(names) || names[i] != l.Name {
				t.Fatalf("in pieces: %q", names)
			}
		}
	})
}
