package api_test

import (
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestRulesAreJudgedByFindings: a rule's risk is the highest of the open findings about it or about where it sends, and
// it hides mail where it deletes all, deletes what it sends on, or a finding says so; filing hides nothing.
func TestRulesAreJudgedByFindings(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		only := []tocsin.Term{{Name: "is_meeting_response", Values: []string{"true"}}}
		shared := tocsin.MailRule{ID: "shared", Enabled: true, Conditions: only, Forward: []tocsin.Address{{Address: "Drop+x@evil.example"}}}
		file := &tocsin.Folder{Name: "Projects"}
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			if _, err := tn.Exec(t.Context(), `delete from mail_rule where tenant = $1`); err != nil {
				return err
			}
			var rules [][]any
			for _, r := range []tocsin.MailRule{
				{ID: "chain", Enabled: true, Conditions: only, Forward: []tocsin.Address{{Address: "bob@" + domainOf(acme)}}}, shared,
				{ID: "filing", Enabled: true, Conditions: only, MoveTo: file, MarkRead: true}, {ID: "responses", Enabled: true, Conditions: only, Delete: true},
				{ID: "hidden", Enabled: true, Conditions: only, MoveTo: file}, {ID: "all", Enabled: true, Delete: true},
			} {
				rules = append(rules, []any{personOf(acme), r.ID, "n", true, text(t, r), "{}", len(r.Forward), len(r.Forward) > 0, 0, 1, 1, 1})
			}
			if err := tn.Insert(t.Context(), store.Into{Table: "mail_rule", Columns: []string{"person", "id", "name", "enabled", "body", "raw", "targets", "outside", "risk", "first_seen", "changed", "seen"}}, rules); err != nil {
				return err
			}
			if _, err := tn.Exec(t.Context(), `insert into rule_target (tenant, address, person, rule, verb, outside) values ($1, 'drop+x@evil.example', $2, 'shared', 'forward', $3)`, personOf(acme), true); err != nil {
				return err
			}
			var findings [][]any
			for _, f := range []struct {
				id, rule, subject, person, status string
				risk                              int
			}{
				{"f1", "forward-chain", "chain", string(personOf(acme)), "open", 70}, {"f2", "forward-chain", "chain", string(personOf(acme)), "fixed", 99},
				{"f3", "shared-destination", "drop@evil.example", "", "in_work", 85}, {"f4", "hidden-folder", "hidden", string(personOf(acme)), "open", 66},
			} {
				findings = append(findings, []any{f.id, f.rule, "T", "high", 3, f.risk, f.person, "w", f.subject, "", "w", "", "{}", f.status, 1, 1})
			}
			return tn.Insert(t.Context(), store.Into{Table: "finding", Columns: []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body", "status", "first_seen", "last_seen"}}, findings)
		})
		if err != nil {
			t.Fatal(err)
		}
		risk := map[string]int{"chain": 70, "shared": 85, "hidden": 66}
		hides := map[string]bool{"hidden": true, "all": true}
		for _, r := range call[api.Page[api.MailRule]](t, s.owner, "rules list", api.RulesIn{In: in(acme)}).Items {
			if r.Risk != risk[r.ID] || r.Hides != hides[r.ID] {
				t.Errorf("%s: risk %d, hides %v", r.ID, r.Risk, r.Hides)
			}
		}
		p := call[api.Page[api.MailRule]](t, s.owner, "rules list", api.RulesIn{In: in(acme), Hides: true})
		if len(p.Items) != 2 || p.Total != 2 || !p.Items[0].Hides || !p.Items[1].Hides {
			t.Errorf("those that hide mail: %+v", p)
		}
		d := call[api.MailRuleDetail](t, s.owner, "rules get", api.RuleIn{ByPerson: api.ByPerson{In: in(acme), Person: personOf(acme)}, ID: "shared"})
		if d.Risk != 85 || len(d.Findings) != 1 || d.Findings[0].ID != "f3" {
			t.Errorf("the rule that sends where others do: risk %d, %+v", d.Risk, d.Findings)
		}
	})
}
