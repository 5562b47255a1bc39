package collect

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const (
	amyID = tocsin.PersonID("aaaaaaaa-0000-4000-8000-000000000001")
	bobID = tocsin.PersonID("bbbbbbbb-0000-4000-8000-000000000002")
)

// raise files findings of rules about a person as event rules do, so long after the tenant's hour.
func (b *bed) raise(person tocsin.PersonID, hour time.Time, found map[string]time.Duration) {
	risks := map[string]int{"risky-sign-in-let-through": 70, "method-added-after-suspicious-sign-in": 70, "hides-money-mail": 80, "mail-read-in-bulk": 50, "forward-outside": 66}
	var list []tocsin.Finding
	for _, m := range rule.All() {
		after, wanted := found[m.Name]
		if !wanted {
			continue
		}
		f := m.Finding(person, "amy@x.example", "s", hour.Add(after))
		f.Why, f.Evidence = "Because.", []tocsin.Evidence{{ID: m.Name + hour.String(), Source: "audit_log"}}
		detect.Score(&f, detect.Terms{{Points: risks[m.Name], Why: "it weighs"}})
		list = append(list, f)
	}
	if len(list) != len(found) {
		b.Errorf("of %v there are %d rules", found, len(list))
	}
	if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		return fileEvents(b.Context(), t, b.st.Clock().Now(), list)
	}); err != nil {
		b.Error(err)
	}
}

func (b *bed) twoPeople() {
	b.Helper()
	for i, p := range []tocsin.PersonID{amyID, bobID} {
		b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, seen, changed) values ($1, $2, $3, 'n', $4, $4, 'member', $5, 1, 1)`,
			string(p), "object-"+string(p), []string{"amy", "bob"}[i]+"@x.example", true)
	}
}

// swept gives the facts since n to the sweep, as the follower does.
func (b *bed) swept(facts ...store.Fact) {
	b.Helper()
	for i := range facts {
		facts[i].Tenant = b.tenant
	}
	if err := b.st.Update(b.Context(), func(tx *store.Tx) error { return Sweep(b.Context(), tx, facts) }); err != nil {
		b.Fatal(err)
	}
}

func TestStoryOfATakeover(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.twoPeople()
		hour := b.st.Clock().Now().Add(-2 * time.Hour).Truncate(time.Second)
		b.raise(bobID, hour, map[string]time.Duration{"risky-sign-in-let-through": 0})
		b.want("of one finding there is no story", `select id from attack_story where tenant = $1`)
		b.want("bob's risk", `select risk from identity_risk where tenant = $1 and person = '`+string(bobID)+`'`, "70")

		b.raise(amyID, hour, map[string]time.Duration{"risky-sign-in-let-through": 0, "method-added-after-suspicious-sign-in": 9 * time.Minute})
		b.want("the story", `select title, severity, score, findings, open from attack_story where tenant = $1`, "An account was taken over critical 93 2 2")
		id := b.rows(`select id from attack_story where tenant = $1`)[0]
		b.want("its finding", `select severity, risk, status, subject from finding where tenant = $1 and rule = 'account-takeover'`, "critical 93 open "+id)
		before := b.rows(`select id from finding where tenant = $1 and rule = 'account-takeover'`)[0]

		b.raise(amyID, hour, map[string]time.Duration{"hides-money-mail": 20 * time.Minute, "mail-read-in-bulk": 40 * time.Minute})
		b.want("it grew", `select id, severity, score, findings, open, stage, takeover from attack_story where tenant = $1`, id+" critical 100 4 4 collection "+before)
		b.want("its parts", `select count(*) from attack_story_part where tenant = $1 and story = '`+id+`'`, "4")
		b.want("one finding", `select risk, count from finding where tenant = $1 and rule = 'account-takeover'`, "100 1")
		b.want("her risk", `select risk from identity_risk where tenant = $1 and person = '`+string(amyID)+`'`, "100")
		if terms := b.rows(`select terms from identity_risk where tenant = $1 and person = '` + string(amyID) + `'`)[0]; !strings.Contains(terms, `"points":100,"why":"story of 4 findings: An account was taken over"`) {
			b.Errorf("the story counts once: %s", terms)
		}

		b.raise(amyID, hour.Add(-200*time.Hour), map[string]time.Duration{"forward-outside": 0})
		b.want("what was long before is no part of it", `select findings from attack_story where tenant = $1`, "4")

		// The way in was no intruder's.
		b.exec(`update finding set status = 'false_alarm' where tenant = $1 and rule = 'risky-sign-in-let-through' and person = $2`, string(amyID))
		b.swept(store.Fact{Kind: "finding.decided", Person: string(amyID)})
		b.want("no takeover", `select id, takeover, findings from attack_story where tenant = $1`, id+"  3")
		b.want("its finding is fixed", `select status from finding where tenant = $1 and rule = 'account-takeover'`, "fixed")

		b.exec(`update finding set status = 'fixed' where tenant = $1 and person = $2 and status <> 'false_alarm'`, string(amyID))
		b.swept(store.Fact{Kind: "finding.decided", Person: string(amyID)})
		b.want("a story that is settled", `select findings, open from attack_story where tenant = $1`, "3 0")
		b.want("nothing weighs", `select risk, due from identity_risk where tenant = $1 and person = '`+string(amyID)+`'`, "0 0")
		if n := len(b.rows(`select at from identity_risk_change where tenant = $1 and person = '` + string(amyID) + `'`)); n < 3 {
			b.Errorf("the history has %d changes", n)
		}
	})
}

// TestStoryOrder: in whatever order findings are filed, and each of them twice, the stories are the same.
func TestStoryOrder(t *testing.T) {
	var want string
	orders := [][]string{{"risky-sign-in-let-through", "method-added-after-suspicious-sign-in", "hides-money-mail", "mail-read-in-bulk"},
		{"mail-read-in-bulk", "hides-money-mail", "method-added-after-suspicious-sign-in", "risky-sign-in-let-through"},
		{"hides-money-mail", "risky-sign-in-let-through", "mail-read-in-bulk", "method-added-after-suspicious-sign-in"}}
	after := map[string]time.Duration{"risky-sign-in-let-through": 0, "method-added-after-suspicious-sign-in": time.Minute, "hides-money-mail": 40 * time.Hour, "mail-read-in-bulk": 100 * time.Hour}
	onBoth(t, func(b *bed) {
		b.twoPeople()
		for i, order := range orders {
			b.exec(`delete from finding where tenant = $1`)
			b.exec(`delete from attack_story where tenant = $1`)
			b.exec(`delete from attack_story_part where tenant = $1`)
			hour := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
			for _, name := range append(order, order...) {
				b.raise(amyID, hour, map[string]time.Duration{name: after[name]})
			}
			got := strings.Join(append(b.rows(`select title, why, severity, score, stages, attack, terms, began, ended, findings, open from attack_story where tenant = $1 order by began`),
				b.rows(`select count(*) from attack_story_part p join attack_story s on s.tenant = p.tenant and s.id = p.story where p.tenant = $1`)...), "\n")
			if want == "" {
				want = got
			}
			if got != want {
				b.Errorf("order %d:\n%s\nwant\n%s", i, got, want)
			}
		}
	})
}

func TestRiskDecays(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.twoPeople()
		is := func() string {
			return b.rows(`select risk from identity_risk where tenant = $1 and person = '` + string(amyID) + `'`)[0]
		}
		b.raise(amyID, b.st.Clock().Now(), map[string]time.Duration{"hides-money-mail": 0})
		if is() != "80" {
			b.Errorf("risk %s", is())
		}
		b.st.Clock().Advance(30 * 24 * time.Hour)
		if err := AgeRisks(b.Context(), b.st); err != nil {
			b.Fatal(err)
		}
		if is() != "40" {
			b.Errorf("risk after thirty days %s", is())
		}
		b.exec(`insert into directory_role (tenant, id, name, template, seen) values ($1, 'ga', 'Global Administrator', 't', 1)`)
		b.exec(`insert into role_member (tenant, role, object_id, person, name, seen) values ($1, 'ga', 'o', $2, 'n', 1)`, string(amyID))
		b.exec(`insert into protection (tenant, object_id, kind, person, name, level, state, detail, at, seen) values ($1, $2, 'user', $3, 'n', 'high', 'at_risk', '', 1, 1)`, "object-"+string(amyID), string(amyID))
		b.swept(store.Fact{Kind: "protection.changed", Person: string(amyID)})
		if is() != "100" {
			b.Errorf("an administrator at high risk: %s: %s", is(), b.rows(`select terms from identity_risk where tenant = $1 and risk = 100`))
		}
		b.exec(`update person set enabled = $3 where tenant = $1 and person = $2`, string(amyID), false)
		b.swept(store.Fact{Kind: "person.changed", Person: string(amyID)})
		if is() != fmt.Sprint(80+20-40) {
			b.Errorf("blocked: %s", is())
		}
		if got := b.rows(`select count(*) from identity_risk where tenant = $1 and person = '` + string(bobID) + `'`); got[0] != "0" {
			b.Error("bob, of whom nothing was found, has a risk")
		}
	})
}

func TestRiskTerms(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		list []weight
		acct account
		want string
	}{
		"nothing":                      {nil, account{enabled: true}, "[]"},
		"an administrator, calm":       {nil, account{enabled: true, roles: []string{"Global Administrator"}, unfactored: true}, "[]"},
		"the further count by half":    {[]weight{{40, "b", now}, {60, "a", now}, {40, "c", now}}, account{enabled: true}, "[{60 a} {20 b} {10 c}]"},
		"old ones fade":                {[]weight{{80, "a", now.AddDate(0, 0, -60)}}, account{enabled: true}, "[{20 a, 20 of 80 after 60 days}]"},
		"confirmed":                    {nil, account{enabled: true, level: "high", confirmed: true}, "[{60 confirmed as taken over in Microsoft's Identity Protection}]"},
		"low, by Microsoft":            {nil, account{enabled: true, level: "low"}, "[{8 Microsoft's Identity Protection: low}]"},
		"blocked":                      {[]weight{{60, "a", now}}, account{}, "[{60 a} {-30 the account is blocked}]"},
		"no factor and administrator":  {[]weight{{60, "a", now}}, account{enabled: true, roles: []string{"R", "S"}, unfactored: true}, "[{60 a} {15 administrator: R and 1 more} {6 no second factor is registered}]"},
		"ahead of its time is not old": {[]weight{{60, "a", now.Add(time.Hour)}}, account{enabled: true}, "[{60 a}]"},
	} {
		terms, _ := riskOf(now, c.list, c.acct)
		if got := fmt.Sprint([]tocsin.RiskTerm(terms)); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

const takeoverStory = `# an account is taken over: a stolen session, a method of one's own, a device, a mail that nobody else sees
domain x.example
person ada ada@x.example
person bob bob@x.example
mon 09:00 ada signs in from Leeds session=s1
mon 09:02 ada signs in from Lagos session=s2 risk=high risk_types=anomalousToken mfa=claim
mon 09:10 ada audits "User registered security info" target ada workload AzureActiveDirectory
mon 09:20 ada audits "Register device" target ada workload AzureActiveDirectory
mon 09:30 bob signs in from Leeds session=s3
`

// TestTakeoverFromGraph: what the directory's logs tell of a takeover becomes one critical story, however the log comes; each sign-in
// and each change is an event, once.
func TestTakeoverFromGraph(t *testing.T) {
	for name, how := range map[string]sim.Reports{"plain": {}, "awkward": {Page: 1, Repeat: true}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, st *store.Store) {
				f := newField(t, st, 12, takeoverStory)
				f.w.SetReports(how)
				f.w.Consent(protectionRoles...)
				f.ask("domains", "users")
				j := &AuditJudge{Store: st}
				for range 2 {
					f.ask("sign_ins", "directory_audits", "risk_detections", "protection")
					judgeAll(f.bed, j)
				}
				f.sweepAll()
				f.want("one story", `select who, title, severity, score, open from attack_story where tenant = $1`, "ada@x.example An account was taken over critical 95 "+f.rows(`select count(*) from finding where tenant = $1 and person = (select person from person where tenant = $1 and mail = 'ada@x.example') and rule <> 'account-takeover' and risk >= 15`)[0])
				f.want("one critical finding", `select who, severity from finding where tenant = $1 and severity = 'critical'`, "ada@x.example critical")
				f.want("who is at risk", `select p.mail, r.risk from identity_risk r join person p on p.tenant = r.tenant and p.person = r.person where r.tenant = $1 and r.risk > 0`, "ada@x.example 100")
				f.want("events", `select p.mail, e.type, e.action, count(*) from event e join person p on p.tenant = e.tenant and p.person = e.person where e.tenant = $1 group by p.mail, e.type, e.action order by p.mail, e.type`,
					"ada@x.example AUDIT directory_changed 2", "ada@x.example SIGN_IN signed_in 2", "bob@x.example SIGN_IN signed_in 1")
			})
		})
	}
}

// TestBursts: who is suspect and writes to many is found, once, and it is a step of the takeover; who writes as many and is not
// suspect is left alone.
func TestBursts(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.twoPeople()
		now := b.st.Clock().Now().UTC().Truncate(time.Hour) // what is sent within seconds is of one hour
		entry := now.Add(-6 * time.Hour)
		sent := func(p tocsin.PersonID, at time.Time, n, to int) {
			var rows [][]any
			for i := range n {
				rows = append(rows, []any{fmt.Sprint(p, at.Unix(), "-", i), tocsin.Millis(at.Add(time.Duration(i) * time.Second)), "EMAIL", "email_sent", string(p), fmt.Sprintf(`{"raw_metadata":{"to_count":%d}}`, to)})
			}
			if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
				return t.Insert(b.Context(), store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, rows)
			}); err != nil {
				b.Fatal(err)
			}
		}
		burst := entry.Truncate(time.Hour).Add(2 * time.Hour)
		for _, p := range []tocsin.PersonID{amyID, bobID} {
			for day := range 20 {
				sent(p, now.AddDate(0, 0, -1-day), 6, 1)
			}
			sent(p, burst, 60, 3)
		}
		b.raise(amyID, entry, map[string]time.Duration{"risky-sign-in-let-through": 0})
		for range 2 {
			if err := Bursts(b.Context(), b.st); err != nil {
				b.Fatal(err)
			}
		}
		b.want("the burst", `select person, risk, count from finding where tenant = $1 and rule = 'outbound-burst-after-suspicious-sign-in'`, string(amyID)+" 55 1")
		if why := b.rows(`select why from finding where tenant = $1 and rule = 'outbound-burst-after-suspicious-sign-in'`); len(why) != 1 || !strings.Contains(why[0], "60 messages to 180 recipients") || !strings.Contains(why[0], "more than 6 messages to 6") {
			b.Errorf("it says %q", why)
		}
		b.want("the story", `select person, takeover <> '' from attack_story where tenant = $1`, string(amyID)+" 1")
	})
}

// TestStoryTogether: findings about one person that are filed at the same time make one story of them all.
func TestStoryTogether(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.twoPeople()
		hour := b.st.Clock().Now().Add(-time.Hour)
		names := []string{"risky-sign-in-let-through", "method-added-after-suspicious-sign-in", "hides-money-mail", "mail-read-in-bulk"}
		var together sync.WaitGroup
		for i, name := range names {
			together.Go(func() { b.raise(amyID, hour, map[string]time.Duration{name: time.Duration(i) * time.Minute}) })
		}
		together.Wait()
		b.want("the story", `select findings, open, severity from attack_story where tenant = $1`, "4 4 critical")
		b.want("its parts", `select count(*) from attack_story_part where tenant = $1`, "4")
		b.want("one finding", `select count(*) from finding where tenant = $1 and rule = 'account-takeover'`, "1")
	})
}
