package collect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect/audit"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const signInStory = `# people sign in, one of them from far away soon after, and roles are given
domain x.example
person root root@x.example admin
person ada ada@x.example
person bob bob@x.example
mon 08:00 bob signs in from Leeds failing
mon 09:00 ada signs in from Leeds session=s1 app "OfficeHome" device="FF-1" compliant=true
mon 09:10 ada signs in from Leeds kind=non_interactive mfa=claim session=s1 app "Microsoft Teams"
mon 09:40 ada signs in from Lagos session=s2 mfa=single
mon 10:00 "Nightly Export" signs in from Leeds kind=service_principal credential=clientSecret
mon 10:01 "vm-7" signs in from Leeds kind=managed_identity credential=managedIdentity
mon 11:00 root audits "Add member to role" target bob Role.DisplayName="" becoming "Global Administrator" from 203.0.113.7
`

func TestSignIns(t *testing.T) {
	for name, how := range map[string]sim.Reports{"plain": {}, "awkward": {Page: 1, Repeat: true}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, st *store.Store) {
				f := newField(t, st, 12, signInStory)
				f.w.SetReports(how)
				f.ask("domains", "users")
				j := &AuditJudge{Store: st}
				for range 2 {
					f.ask("sign_ins", "token_sign_ins", "directory_audits")
					judgeAll(f.bed, j)
				}
				f.ok("sign_ins", "token_sign_ins", "directory_audits")
				f.want("sign-ins", `select kind, actor, app, city, asn, result, error, mfa, session from sign_in where tenant = $1 order by at`,
					"interactive bob@x.example Office 365 Exchange Online Leeds 2856 failure 50126  ", "interactive ada@x.example OfficeHome Leeds 2856 success 0 asked s1",
					"non_interactive ada@x.example Microsoft Teams Leeds 2856 success 0 claim s1", "interactive ada@x.example Office 365 Exchange Online Lagos 29465 success 0 single s2",
					"service_principal Nightly Export Office 365 Exchange Online Leeds 2856 success 0  ", "managed_identity vm-7 Office 365 Exchange Online Leeds 2856 success 0  ")
				f.want("whose they are", `select p.mail, count(*) from sign_in s join person p on p.tenant = s.tenant and p.person = s.person where s.tenant = $1 group by p.mail order by p.mail`, "ada@x.example 3", "bob@x.example 1")
				f.want("the device", `select device, compliant, latitude, longitude from sign_in where tenant = $1 and device <> ''`, "FF-1 1 53.8 -1.55")
				f.want("findings", `select rule, who, count from finding where tenant = $1 and rule in ('impossible-travel', 'global-administrator-granted') order by rule`, "global-administrator-granted bob@x.example 1", "impossible-travel ada@x.example 1")
				f.want("the ledger", `select content, state, records from audit_window where tenant = $1 order by content`, "DirectoryAudits read 1", "SignIns.interactive read 3", "SignIns.managed_identity read 1",
					"SignIns.non_interactive read 1", "SignIns.service_principal read 1")
			})
		})
	}
}

// What comes late is read by a round hours after, and by none twice; what Graph breaks off is read by the next one; where the
// process ends in the middle, it goes on.
func TestSignInsLate(t *testing.T) {
	st := storetest.SQLite(t)
	f := newField(t, st, 12, "# nothing yet\ndomain x.example\nperson ada ada@x.example\n")
	f.ask("domains", "users")
	f.ask("sign_ins")
	f.w.SetReports(sim.Reports{Delay: sim.Duration(time.Minute), Late: 3, LateBy: sim.Duration(5 * time.Hour), Page: 2})
	made := 0
	happen := func(n int) {
		at := f.w.Clock().Now().UTC()
		var b strings.Builder
		b.WriteString("# more\ndomain x.example\nperson ada ada@x.example\n")
		for i := range n {
			made++
			when := at.Add(time.Duration(i-n) * time.Second)
			fmt.Fprintf(&b, "%s %s ada signs in from Leeds session=n%d\n", strings.ToLower(when.Weekday().String()[:3]), when.Format("15:04"), made)
		}
		f.play(b.String())
	}
	count := func() string { return f.rows(`select count(*) from sign_in where tenant = $1`)[0] }
	pass := func(d time.Duration) { f.w.Advance(d); f.st.Clock().Advance(d) }
	pass(2 * time.Hour)
	happen(9)
	pass(2 * time.Minute)
	f.ask("sign_ins")
	if count() != "6" {
		t.Errorf("%s sign-ins of 9, of which three are late", count())
	}
	for _, kind := range []sim.FaultKind{sim.Cut, sim.Garbage, sim.Broken, sim.Throttle} {
		if err := f.w.Fault(sim.Fault{Path: "/beta/auditLogs/**", Kind: kind, Every: 2, After: "0.01"}); err != nil {
			t.Fatal(err)
		}
		f.ask("sign_ins")
		f.w.Heal()
	}
	pass(6 * time.Hour)
	f.ask("sign_ins")
	f.ok("sign_ins")
	if count() != "9" {
		t.Errorf("%s sign-ins of 9, six hours later", count())
	}
	// Killed between the journal and the ledger: the same piece is read once more, and brings nothing.
	f.exec(`update audit_feed set until = until - 3600000 where tenant = $1 and content = 'SignIns.interactive'`)
	f.ask("sign_ins")
	if count() != "9" || f.rows(`select records from audit_window where tenant = $1 and content = 'SignIns.interactive'`)[0] != "9" {
		t.Errorf("%s sign-ins of 9 after a kill", count())
	}
	// Away for longer than Microsoft keeps: what is lost is said.
	pass(40 * 24 * time.Hour)
	f.ask("sign_ins")
	f.want("the ledger", `select state, because from audit_window where tenant = $1 and content = 'SignIns.interactive' order by since`,
		"read ", "lost Nothing was read for 40 days, and Microsoft keeps this log for thirty at most.", "read ")
}

func TestSignInsRefused(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 12, signInStory)
	f.ask("domains", "users")
	why := func() string {
		return f.rows(`select because from source where tenant = $1 and name = 'sign_ins'`)[0]
	}
	f.w.SetReports(sim.Reports{Free: true})
	f.ask("sign_ins")
	if !strings.Contains(why(), "Entra ID P1") {
		t.Errorf("without Entra P1 it says %q", why())
	}
	// Where there is no beta, the sign-ins of people are read all the same.
	f.w.SetReports(sim.Reports{NoBeta: true})
	f.ask("sign_ins", "token_sign_ins")
	f.ok("sign_ins")
	f.want("sign-ins", `select kind, count(*) from sign_in where tenant = $1 group by kind`, "interactive 3")
	f.w.SetReports(sim.Reports{})
	f.ask("sign_ins", "token_sign_ins")
	f.want("sign-ins", `select kind, count(*) from sign_in where tenant = $1 group by kind order by kind`, "interactive 3", "managed_identity 1", "non_interactive 1", "service_principal 1")
}

// A sign-in that the unified log told of first is one with the directory's own record of it, whichever comes first: it is counted
// once, with all its facts, under the id that findings name already.
func TestSignInToldTwice(t *testing.T) {
	const id = "66ea54eb-6301-4ee5-be62-ff5a759b0100"
	lesser := json.RawMessage(`{"CreationTime":"2026-01-05T09:00:00","Id":"feed-1","Operation":"UserLoggedIn","Workload":"AzureActiveDirectory","RecordType":15,"UserId":"ada@x.example","ClientIP":"203.0.113.7","IntraSystemId":"` + id + `"}`)
	whole := json.RawMessage(`{"id":"` + id + `","createdDateTime":"2026-01-05T09:00:00.5Z","userPrincipalName":"ada@x.example","appDisplayName":"OfficeHome","clientAppUsed":"Browser","ipAddress":"203.0.113.7",
		"status":{"errorCode":0},"riskLevelDuringSignIn":"high","riskState":"atRisk","location":{"city":"Lagos","countryOrRegion":"NG"},"isInteractive":true}`)
	for name, order := range map[string][]json.RawMessage{"the lesser first": {lesser, whole, lesser, whole}, "the whole first": {whole, lesser, whole}} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(b *bed) {
				b.settle("ada")
				j := &AuditJudge{Store: b.st}
				for _, raw := range order {
					b.records(j, []json.RawMessage{raw}, 1)
				}
				want := "feed-1"
				if name == "the whole first" {
					want = id
				}
				b.want("one record", `select id, sign_in, judged from audit_record where tenant = $1`, want+" 1 1")
				b.want("one sign-in", `select id, record, city, risk from sign_in where tenant = $1`, id+" "+want+" Lagos high")
				b.want("one finding", `select rule, count from finding where tenant = $1`, "risky-sign-in-let-through 1")
			})
		})
	}
}

// FuzzSignIn: whatever Microsoft, or a file, gives as a sign-in makes a row of the right width, and breaks nothing.
func FuzzSignIn(f *testing.F) {
	f.Add([]byte(`{"id":"1","createdDateTime":"2026-01-05T09:00:00.5Z","userPrincipalName":"ada@x.example","appDisplayName":"x","status":{"errorCode":50126},"location":{"geoCoordinates":{"latitude":"a"}},"authenticationDetails":[{"succeeded":"x"},1,null]}`))
	f.Add([]byte(`{"id":"1","createdDateTime":"x","servicePrincipalId":"y","clientAppUsed":[],"appDisplayName":"x","status":"0","deviceDetail":"{\"displayName\":\"d\"}","signInEventTypes":["managedIdentity",2]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := audit.Whole(raw)
		if err != nil || e.Shape != audit.SignInLog {
			return
		}
		if row := signInRow(&pending[auditSeen]{}, &e, "r", ""); len(row) != len(signInColumns) {
			t.Errorf("%d values for %d columns", len(row), len(signInColumns))
		}
	})
}
