package api_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tocsin.dev/api"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// alone holds a document to standing by itself: no script, nothing loaded from anywhere, no handler, and its policy says so.
func alone(t *testing.T, doc string) (text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	policies := 0
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && n.Parent.Data != "style":
			b.WriteString(n.Data + " ")
		case n.Type != html.ElementNode:
		default:
			switch n.Data {
			case "script", "link", "img", "iframe", "object", "embed", "base", "form", "a":
				t.Errorf("<%s> stands in it", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "href" {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
				if a.Key == "content" && a.Val == api.ReportPolicy {
					policies++
				}
			}
		}
	}
	if policies != 1 || regexp.MustCompile(`(?i)https?://[^ ]*\.(css|js|png|woff)|@import|url\(`).MatchString(doc) {
		t.Errorf("%d policies, or it loads something", policies)
	}
	return b.String()
}

// TestReports: a tenant and a person are told in one document each that stands by itself, in which hostile names are text alone, and
// what is not known is said.
func TestReports(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		directoryOf(t, st)
		hostile := "</style><script>alert(1)</script>\u202e\"><img src=x onerror=alert(2)>"
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			for _, q := range []string{`update person set name = $2 where tenant = $1`, `update finding set why = $2, who = $2 where tenant = $1`, `update attack_story set why = $2, title = $2 where tenant = $1`, `update identity_risk_change set why = $2 where tenant = $1`,
				`update tenant set name = $2 where tenant = $1`, `update posture_result set why = $2 where tenant = $1`, `update action set name = $2, why = $2 where tenant = $1`} {
				if _, err := tn.Exec(context.Background(), q, hostile); err != nil {
					return err
				}
			}
			_, err := tn.Exec(context.Background(), `insert into posture_count (tenant, day, framework, area, status, n) values ($1, 20000, '', 'devices', 'fail', 3), ($1, 20001, '', 'devices', 'pass', 3), ($1, 20001, 'cis', 'devices', 'pass', 2)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		tenant := call[api.Report](t, s.owner, "reports tenant", in(acme))
		text := alone(t, tenant.HTML)
		for _, want := range []string{"CISA SCuBA", "From day to day", "2024-10-04", checkTitle("device-encrypted"), "LAPTOP-1", "People at risk", "What is not known", "</style><script>alert(1)</script>[U+202E]"} {
			if !strings.Contains(text, want) {
				t.Errorf("the tenant's report lacks %q", want)
			}
		}
		one := call[api.Report](t, s.owner, "reports person", api.ByPerson{In: in(acme), Person: personOf(acme)})
		text = alone(t, one.HTML)
		for _, want := range []string{"jane@" + domainOf(acme), "Mail is forwarded outside", "Global Administrator", "What happened", "What was done", "Together 72 of 100", "[U+202E]"} {
			if !strings.Contains(text, want) {
				t.Errorf("the person's report lacks %q", want)
			}
		}
		guest := alone(t, call[api.Report](t, s.owner, "reports person", api.ByPerson{In: in(acme), Person: "p-eve"}).HTML)
		if !strings.Contains(guest, "invited by jane@acme.example") || !strings.Contains(guest, "Nothing weighs that is known") {
			t.Errorf("a guest's: %s", guest)
		}
		settle(t, st, globex)
		if empty := alone(t, call[api.Report](t, s.owner, "reports tenant", in(globex)).HTML); !strings.Contains(empty, "there is no course yet") || strings.Contains(empty, "LAPTOP-1 (not") {
			t.Error("the report of a tenant that was never judged")
		}
		if err := s.owner.Do(t.Context(), "reports person", api.ByPerson{In: in(globex), Person: personOf(acme)}, &one); code(err) != "not_found" {
			t.Errorf("another tenant's person: %v", err)
		}
	})
}

// checkTitle is what a check of the catalogue is called.
func checkTitle(id string) string {
	for _, c := range posture.Checks {
		if c.ID == id {
			return c.Title
		}
	}
	return "no such check: " + id
}

// TestTrendOfSome: the trend is of all checks, of an area's, or of those that a benchmark asks.
func TestTrendOfSome(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		directoryOf(t, st)
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			_, err := tn.Exec(context.Background(), `insert into posture_count (tenant, day, framework, area, status, n) values ($1, 20000, '', 'devices', 'fail', 3), ($1, 20001, '', 'devices', 'pass', 3), ($1, 20001, '', 'guests', 'pass', 1), ($1, 20001, 'cis', 'devices', 'pass', 2)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			area, framework string
			want            []api.PostureDay
		}{
			{"", "", []api.PostureDay{{Day: "2024-10-05", Pass: 4}, {Day: "2024-10-04", Fail: 3}}},
			{"devices", "", []api.PostureDay{{Day: "2024-10-05", Pass: 3}, {Day: "2024-10-04", Fail: 3}}},
			{"", "cis", []api.PostureDay{{Day: "2024-10-05", Pass: 2}}},
			{"guests", "cis", []api.PostureDay{}},
		} {
			got := call[api.Page[api.PostureDay]](t, s.owner, "checks trend", api.TrendIn{In: in(acme), Area: c.area, Framework: c.framework})
			if !slices.Equal(got.Items, c.want) {
				t.Errorf("of %q %q the trend is %+v, want %+v", c.area, c.framework, got.Items, c.want)
			}
		}
	})
}
