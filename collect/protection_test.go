package collect

import (
	"strings"
	"testing"
	"time"

	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

const riskStory = `# Identity Protection sees a stolen token, a place that is strange, and an application that is misused
domain x.example
person ada ada@x.example
person bob bob@x.example
person cyd cyd@x.example
mon 09:00 ada signs in from Lagos risk=high risk_types=anomalousToken mfa=claim
mon 09:05 bob signs in from Leeds risk=low risk_types=unfamiliarFeatures
mon 09:06 cyd signs in from Leeds
mon 09:07 "Nightly Export" signs in from Lagos kind=service_principal risk=medium risk_types=suspiciousSignins
`

var protectionRoles = append([]string{"IdentityRiskyUser.Read.All", "IdentityRiskEvent.Read.All", "IdentityRiskyServicePrincipal.Read.All"}, sim.ReadTier...)

// sweepAll runs the sweep over all facts, as its follower does.
func (b *bed) sweepAll() {
	b.Helper()
	for lane := range store.Lanes {
		if err := stream.Fold(b.Context(), b.st, "sweep", lane, Sweep); err != nil {
			b.Fatal(err)
		}
	}
}

func TestProtection(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		f := newField(t, st, 12, riskStory)
		f.w.Consent(protectionRoles...)
		f.ask("domains", "users")
		j := &AuditJudge{Store: st}
		for range 2 { // the second time it is told again
			f.ask("risk_detections", "protection")
			judgeAll(f.bed, j)
		}
		f.ok("risk_detections", "protection")
		f.want("whom Microsoft holds to be at risk", `select p.kind, p.name, p.level, p.state, coalesce(o.mail, '-') from protection p left join person o on o.tenant = p.tenant and o.person = p.person where p.tenant = $1 order by p.at`,
			"user ada high at_risk ada@x.example", "user bob low at_risk bob@x.example", "application Nightly Export medium at_risk -")
		f.want("what was detected", `select actor, actor_kind, operation from audit_record where tenant = $1 order by at`, "ada@x.example user RiskDetection", "bob@x.example user RiskDetection", "Nightly Export app RiskDetection")
		f.want("findings", `select rule, who, risk from finding where tenant = $1 order by risk desc, who`, "risk-detected ada@x.example 65", "risk-detected Nightly Export 40", "risk-detected bob@x.example 15")
		f.want("the ledger", `select content, records from audit_window where tenant = $1 order by content`, "ApplicationRiskDetections 1", "RiskDetections 2")
		f.sweepAll()
		f.want("her risk, with Microsoft's word", `select r.risk from identity_risk r join person p on p.tenant = r.tenant and p.person = r.person where r.tenant = $1 and p.mail = 'ada@x.example'`, "100")
		asked := f.calls("/identityProtection/riskyUsers")
		f.st.Clock().Advance(time.Hour)
		f.ask("protection")
		if n := f.calls("/identityProtection/riskyUsers"); n != asked+1 {
			t.Errorf("%d calls for one round", n-asked)
		}
	})
}

// TestProtectionRefused: without Entra ID P2 the source says so; where only the applications' part is refused, the people's is read;
// a round that was throttled or cut is made up by the next.
func TestProtectionRefused(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 12, riskStory)
	f.w.Consent(protectionRoles...)
	f.ask("domains", "users")
	f.w.SetReports(sim.Reports{Free: true})
	f.ask("risk_detections", "protection")
	if got := f.rows(`select because from source where tenant = $1 and name = 'protection'`); len(got) != 1 || got[0] == "" {
		t.Errorf("why it is not read: %q", got)
	}
	f.w.SetReports(sim.Reports{})
	f.fault(sim.Fault{Kind: sim.Broken, Path: "identityProtection/**", Status: 503, Times: 2})
	f.st.Clock().Advance(time.Hour)
	f.ask("protection")
	f.fault(sim.Fault{Kind: sim.Throttle, Path: "identityProtection/riskDetections", Times: 1})
	f.fault(sim.Fault{Kind: sim.Denied, Path: "identityProtection/servicePrincipalRiskDetections", Times: 50})
	f.st.Clock().Advance(time.Hour)
	f.ask("protection", "risk_detections")
	f.st.Clock().Advance(time.Hour)
	f.ask("protection", "risk_detections")
	f.ok("protection", "risk_detections")
	if got := f.rows(`select count(*) from protection where tenant = $1`); got[0] != "3" {
		t.Errorf("%s at risk", got)
	}
	if got := strings.Join(f.rows(`select actor from audit_record where tenant = $1 order by actor`), " "); got != "ada@x.example bob@x.example" {
		t.Errorf("detections of %s", got)
	}
}
