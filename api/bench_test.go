package api_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const many = 100_000

// crowd fills a tenant with many people, mailboxes, rules and findings, as they are in a large one: most rules are of no
// risk, a few send outside, nine in ten findings are open.
func crowd(b *testing.B, st *store.Store) {
	b.Helper()
	ctx := context.Background()
	settle(b, st, acme)
	now := tocsin.Millis(time.Now())
	severities := []string{"info", "low", "medium", "high", "critical"}
	for from := 0; from < many; from += 5000 {
		var people, boxes, rules, targets, findings, addresses [][]any
		for i := from; i < from+5000; i++ {
			p, who := fmt.Sprintf("p%07d", (i*7919)%many), fmt.Sprintf("user%07d@%s", i, domainOf(acme))
			people = append(people, []any{p, "o" + p, fmt.Sprintf("User %d", i), who, who, "member", true, "[]", []string{"read", "read", "read", "read", "none"}[i%5], "because", 1, 1})
			addresses = append(addresses, []any{who, p})
			boxes = append(boxes, []any{p, "user", now - int64(i), 1, now})
			risk, out := 0, i%500 == 0
			if out {
				risk = 40 + i%50
			}
			rule := forwarding(fmt.Sprintf("r%d", i), "drop@evil.example")
			if !out {
				rule.Forward, rule.Delete, rule.MoveTo = nil, false, &tocsin.Folder{ID: "AAMk", Name: "Newsletters"}
			}
			if i%3 == 0 {
				rule.MoveTo = nil
			}
			rules = append(rules, []any{p, rule.ID, rule.Name, true, text(b, rule), `{"displayName":"..","sequence":1,"isEnabled":true}`, len(rule.Forward), out, risk, now, now, now})
			if out {
				targets = append(targets, []any{"drop@evil.example", p, rule.ID, "forward", true})
			}
			rank := []int{0, 1, 1, 2, 2, 2, 3, 3, 4, 4}[i%10]
			f := tocsin.Finding{Rule: fmt.Sprintf("rule-%d", i%20), Title: "Mail is forwarded outside", Severity: tocsin.Severity(severities[rank]), Risk: i % 100, Person: tocsin.PersonID(p), Who: who,
				Why: "A rule of the mailbox forwards all mail to an address outside the organisation and deletes it afterwards.", Terms: []tocsin.RiskTerm{{Points: 50, Why: "it leads outside"}, {Points: 20, Why: "it deletes"}}}
			status := []string{"open", "open", "open", "open", "open", "open", "open", "open", "in_work", "fixed"}[(i/10)%10]
			findings = append(findings, []any{fmt.Sprintf("f%d", i), f.Rule, f.Title, severities[rank], rank, f.Risk, p, who, rule.ID, "", f.Why, "exfiltration", text(b, f), status, now - int64(i)*30_000, now - int64(i%30_000)})
		}
		err := st.UpdateTenant(ctx, acme, func(t *store.Tenant) error {
			for _, x := range []struct {
				table string
				cols  []string
				rows  [][]any
			}{
				{"person", []string{"person", "object_id", "name", "upn", "mail", "kind", "enabled", "addresses", "mailbox", "mailbox_because", "seen", "changed"}, people},
				{"person_address", []string{"address", "person"}, addresses},
				{"mailbox", []string{"person", "purpose", "rules_seen", "rules_count", "settings_seen"}, boxes},
				{"mail_rule", []string{"person", "id", "name", "enabled", "body", "raw", "targets", "outside", "risk", "first_seen", "changed", "seen"}, rules},
				{"rule_target", []string{"address", "person", "rule", "verb", "outside"}, targets},
				{"finding", []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body", "status", "first_seen", "last_seen"}, findings},
			} {
				if err := t.Insert(ctx, store.Into{Table: x.table, Columns: x.cols}, x.rows); err != nil {
					return err
				}
			}
			return riskFrom(b, t)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLists asks for pieces of lists of 100,000 rows, in process, on both engines.
func BenchmarkLists(b *testing.B) {
	for _, e := range []struct {
		name string
		open func(testing.TB) *store.Store
	}{{"sqlite", storetest.SQLite}, {"postgres", storetest.Postgres}} {
		b.Run(e.name, func(b *testing.B) {
			st := e.open(b)
			crowd(b, st)
			if st.Kind() == "postgres" {
				if err := st.Update(b.Context(), func(tx *store.Tx) error { _, err := tx.Exec(b.Context(), "analyze"); return err }); err != nil {
					b.Fatal(err)
				}
			}
			lists(b, api.New(st, api.Options{}))
			// A large tenant has a hundred thousand mailboxes, but not as many findings.
			if err := st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
				_, err := t.Exec(b.Context(), `delete from finding where tenant = $1 and last_seen < $2`, tocsin.Millis(time.Now())-2000)
				return err
			}); err != nil {
				b.Fatal(err)
			}
			b.Run("few findings/overview", func(b *testing.B) {
				s := api.New(st, api.Options{})
				for b.Loop() {
					if _, err := s.Overview(api.WithCaller(b.Context(), everybodysOwner), api.In{Tenant: acme}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

var everybodysOwner = api.Caller{Account: "a", Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}}

func lists(b *testing.B, s *api.Service) {
	ctx := api.WithCaller(b.Context(), everybodysOwner)
	in := api.In{Tenant: acme}
	fifty := api.Paging{Limit: 50}
	findings := func(in api.FindingsIn) func() (string, error) {
		return func() (string, error) { p, err := s.ListFindings(ctx, in); return p.Next, err }
	}
	rules := func(in api.RulesIn) func() (string, error) {
		return func() (string, error) { p, err := s.ListRules(ctx, in); return p.Next, err }
	}
	mailboxes := func(in api.MailboxesIn) func() (string, error) {
		return func() (string, error) { p, err := s.ListMailboxes(ctx, in); return p.Next, err }
	}
	identities := func(in api.IdentitiesIn) func() (string, error) {
		return func() (string, error) { p, err := s.ListIdentities(ctx, in); return p.Next, err }
	}
	deepFindings := walk(b, 40, func(after string) (string, error) {
		p, err := s.ListFindings(ctx, api.FindingsIn{In: in, Paging: api.Paging{Limit: 200, After: after}})
		return p.Next, err
	})
	deepRules := walk(b, 40, func(after string) (string, error) {
		p, err := s.ListRules(ctx, api.RulesIn{In: in, Paging: api.Paging{Limit: 200, After: after}})
		return p.Next, err
	})
	for _, c := range []struct {
		name string
		do   func() (string, error)
	}{
		{"findings", findings(api.FindingsIn{In: in, Paging: fifty})},
		{"findings/deep", findings(api.FindingsIn{In: in, Paging: api.Paging{Limit: 50, After: deepFindings}})},
		{"findings/newest", findings(api.FindingsIn{In: in, Paging: fifty, Sort: "newest"})},
		{"findings/all", findings(api.FindingsIn{In: in, Paging: fifty, Status: []tocsin.Status{"all"}, Sort: "newest"})},
		{"findings/risk", findings(api.FindingsIn{In: in, Paging: fifty, Sort: "risk"})},
		{"findings/rule", findings(api.FindingsIn{In: in, Paging: fifty, Rule: "forward-outside"})},
		{"findings/person", findings(api.FindingsIn{In: in, Paging: fifty, Person: "p0000001"})},
		{"findings/q", findings(api.FindingsIn{In: in, Paging: fifty, Q: "user0099999"})},
		{"rules", rules(api.RulesIn{In: in, Paging: fifty})},
		{"rules/deep", rules(api.RulesIn{In: in, Paging: api.Paging{Limit: 50, After: deepRules}})},
		{"rules/outside", rules(api.RulesIn{In: in, Paging: fifty, Outside: true})},
		{"rules/hides", rules(api.RulesIn{In: in, Paging: fifty, Hides: true})},
		{"rules/destination", rules(api.RulesIn{In: in, Paging: fifty, Destination: "drop@evil.example"})},
		{"rules/q", rules(api.RulesIn{In: in, Paging: fifty, Q: "user0099999"})},
		{"mailboxes", mailboxes(api.MailboxesIn{In: in, Paging: fifty})},
		{"mailboxes/notread", mailboxes(api.MailboxesIn{In: in, Paging: fifty, Read: "no"})},
		{"mailboxes/q", mailboxes(api.MailboxesIn{In: in, Paging: fifty, Q: "user0099999"})},
		{"identities", identities(api.IdentitiesIn{In: in, Paging: fifty})},
		{"identities/risk", identities(api.IdentitiesIn{In: in, Paging: fifty, Sort: "risk"})},
		{"identities/admins", identities(api.IdentitiesIn{In: in, Paging: fifty, Role: "any"})},
		{"identities/q", identities(api.IdentitiesIn{In: in, Paging: fifty, Q: "user0099999"})},
		{"overview", func() (string, error) { _, err := s.Overview(ctx, in); return "", err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// walk goes some pieces into a list and gives where it came to.
func walk(b *testing.B, pieces int, next func(string) (string, error)) string {
	b.Helper()
	after := ""
	for range pieces {
		var err error
		if after, err = next(after); err != nil {
			b.Fatal(err)
		}
	}
	return after
}
