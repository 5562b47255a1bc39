package collect

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
)

var (
	quietPeople = flag.Int("quiet.people", 60, "people in TestQuietWorld")
	quietDays   = flag.Int("quiet.days", 12, "days in TestQuietWorld")
)

// TestQuietWorld: people who sign in as on any day, from the office, from home, with the telephone, with mistyped passwords, prompts
// that were missed and journeys to other offices, raise next to nothing: at most five findings above low among 1,000 in 30 days.
func TestQuietWorld(t *testing.T) {
	w, err := sim.New(sim.Config{Users: *quietPeople, Seed: 11, Quiet: true, Reports: sim.Reports{Days: *quietDays}, Limits: sim.Limits{Reports: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	gc, err := graph.New(graph.Config{Cloud: graph.Own(sim.Address, sim.Address), Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(), HTTP: w.Client(), Limits: graph.Limits{Reports: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	org := detect.Org{Tenant: tocsin.TenantID(w.Tenant()), Domains: map[string]bool{w.Domain(): true}}
	var mem detect.Memory
	found := map[string]tocsin.Finding{}
	all, day := 0, 24*time.Hour
	for from := w.Clock().Now().UTC().Truncate(day).AddDate(0, 0, -*quietDays); from.Before(w.Clock().Now()); from = from.Add(day) {
		var records []detect.Record
		for _, l := range signInLogs {
			filter := fmt.Sprintf("createdDateTime ge %s and createdDateTime le %s and signInEventTypes/any(t: t eq '%s')", from.Format(time.RFC3339), from.Add(day-time.Second).Format(time.RFC3339), l.only)
			for raw, err := range graph.Pages[json.RawMessage](t.Context(), gc, l.call, graph.P{"$filter": filter}) {
				if err != nil {
					t.Fatal(err)
				}
				e, err := audit.Whole(raw)
				if err != nil {
					t.Fatal(err)
				}
				records = append(records, e.Record)
			}
		}
		slices.SortStableFunc(records, func(a, b detect.Record) int { return a.Time.Compare(b.Time) })
		for i := range records {
			all++
			org.Now = records[i].Time
			for _, f := range rule.Record(&org, &mem, &records[i]) {
				found[tocsin.NewFindingID(org.Tenant, f.Rule, rule.Identity(&f), f.Cause)] = f
			}
		}
	}
	if all < *quietPeople**quietDays {
		t.Fatalf("only %d sign-ins", all)
	}
	by, loud := map[string]int{}, 0
	for _, f := range found {
		by[f.Rule+" "+string(f.Severity)]++
		if f.Severity != tocsin.Low && f.Severity != tocsin.Info {
			loud++
			t.Logf("%s: %s", f.Rule, f.Why)
		}
	}
	t.Logf("%d sign-ins of %d people in %d days: %d findings above low; %v", all, *quietPeople, *quietDays, loud, by)
	if loud > 5 {
		t.Errorf("%d findings above low where nothing is wrong", loud)
	}
}
