package sim

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tocsin.dev/sharedtest"
)

// newer are members of a sign-in of the beta that the description held here, which is of 2023, does not have.
// https://learn.microsoft.com/graph/api/resources/signin?view=graph-rest-beta
var newer = []string{"sessionId"}

const beta = Address + "/beta/"

// TestSignInsOfTheBeta holds each kind of sign-in against Microsoft's description of the beta, and has each found by its filter alone.
func TestSignInsOfTheBeta(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile(sharedtest.File(t, "graph/openapi-beta.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p := newProbe(t, Config{Users: 20, Seed: 5, Limits: Limits{Reports: 100}})
	p.play(`# each kind
domain fabrikamfreight.com
person amy "Amy Adams" amy@fabrikamfreight.com
mon 09:00 amy signs in from Leeds mfa=asked session=s1 compliant=true device="FF-1"
mon 09:01 amy signs in from 203.0.113.7/NL failing risk=high risk_state=atRisk risk_types=anonymizedIPAddress
mon 09:02 amy signs in from Leeds failing error=500121 mfa=refused
mon 09:03 amy signs in from Leeds kind=non_interactive mfa=claim token=primaryRefreshToken
mon 09:04 "Nightly Export" signs in from Leeds kind=service_principal credential=clientSecret
mon 09:05 "vm-7" signs in from Leeds kind=managed_identity credential=managedIdentity
`)
	schema := doc.Components.Schemas["microsoft.graph.signIn"]
	for kind, want := range map[string]int{"interactiveUser": 3, "nonInteractiveUser": 1, "servicePrincipal": 1, "managedIdentity": 1} {
		list := values(p.get(beta + "auditLogs/signIns?$filter=signInEventTypes/any(t:%20t%20eq%20'" + kind + "')"))
		if len(list) != want {
			t.Errorf("%d sign-ins of %s, want %d", len(list), kind, want)
		}
		for _, s := range list {
			for _, name := range newer {
				delete(s, name)
			}
			known := map[string]*openapi3.SchemaRef{}
			members(schema, known)
			for name, v := range s { // each by itself: the parts of the schema refuse each other's members
				if known[name] == nil {
					t.Errorf("%s: there is no property %s", kind, name)
				} else if err := known[name].Value.VisitJSON(v); v != nil && err != nil {
					t.Errorf("%s: %s: %v", kind, name, short(err))
				}
			}
		}
	}
	if n := len(values(p.get(beta + "auditLogs/signIns"))); n != 3 {
		t.Errorf("%d sign-ins without a filter, want those of people", n)
	}
	if n := len(values(p.get("auditLogs/signIns"))); n != 3 {
		t.Errorf("%d sign-ins in v1.0, want those of people", n)
	}
}

// TestEveryday: the same world signs in alike, whenever it is asked, and mostly where the office is.
func TestEveryday(t *testing.T) {
	seen := func(steps ...time.Duration) (out []string) {
		p := newProbe(t, Config{Users: 30, Seed: 5, Reports: Reports{Days: 5}})
		for _, d := range steps {
			p.s.Advance(d)
			p.s.SignIns()
		}
		cut := p.s.world.start.Truncate(24 * time.Hour)
		for _, si := range p.s.reports.signIns {
			if si.at.Before(cut) {
				out = append(out, fmt.Sprint(si.at, si.upn, si.kind, si.ip, si.error))
			}
		}
		return out
	}
	once, often := seen(48*time.Hour), seen(time.Hour, 20*time.Hour, 27*time.Hour)
	if len(once) < 100 || !slices.Equal(once, often) {
		t.Errorf("%d sign-ins at once and %d in steps, or others", len(once), len(often))
	}
	kinds := map[string]int{}
	for _, si := range newEveryday(t).reports.signIns {
		kinds[si.kind]++
		if si.place == nil || si.upn == "" || si.ip == "" {
			t.Fatalf("something is missing: %+v", si)
		}
	}
	if len(kinds) != 2 {
		t.Errorf("kinds: %v", slices.Sorted(maps.Keys(kinds)))
	}
}

func newEveryday(t *testing.T) *Sim {
	t.Helper()
	p := newProbe(t, Config{Users: 30, Seed: 6, Reports: Reports{Days: 3}})
	p.s.SignIns()
	return p.s
}
