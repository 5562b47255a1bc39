package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

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
		var order []string
		for after := ""; ; { // piece by piece, the riskiest first, whatever made it so
			p := call[api.Page[api.MailRule]](t, s.owner, "rules list", api.RulesIn{In: in(acme), Paging: api.Paging{Limit: 1, After: after}})
			for _, r := range p.Items {
				order = append(order, r.ID)
			}
			if after = p.Next; after == "" {
				break
			}
		}
		if want := []string{"shared", "chain", "all", "filing", "hidden", "responses"}; !slices.Equal(order, want) {
			t.Errorf("in order: %q, want %q", order, want)
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

// TestDeletedRulesLeadWhereTheyLed: of a deleted rule's targets there are no rows any more; its words still say where it led.
func TestDeletedRulesLeadWhereTheyLed(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			if _, err := tn.Exec(t.Context(), `delete from rule_target where tenant = $1`); err != nil {
				return err
			}
			_, err := tn.Exec(t.Context(), `update mail_rule set deleted = changed where tenant = $1`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		p := call[api.Page[api.MailRule]](t, s.owner, "rules list", api.RulesIn{In: in(acme), Deleted: true, Outside: true})
		if len(p.Items) != 1 || !p.Items[0].Outside || len(p.Items[0].Targets) != 1 || !p.Items[0].Targets[0].Outside {
			t.Errorf("the deleted that led outside: %+v", p.Items)
		}
		d := call[api.MailRuleDetail](t, s.owner, "rules get", api.RuleIn{ByPerson: api.ByPerson{In: in(acme), Person: personOf(acme)}, ID: ruleOf(acme)})
		if len(d.Targets) != 1 || !d.Targets[0].Outside {
			t.Errorf("the rule's page: %+v", d.Targets)
		}
	})
}

// TestFindingsThatNameSomebody: a person's page and list have the findings that name them, as the hop of a chain, and a
// finding's related ones are those of all whom it names.
func TestFindingsThatNameSomebody(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			var findings [][]any
			for _, f := range [][3]string{{"chain", "forward-chain", "somebody"}, {"shared", "shared-destination", ""}} {
				findings = append(findings, []any{f[0], f[1], "T", "high", 3, 80, f[2], "w", "subject", "", "w", "", "{}", "open", 1, 1})
			}
			if err := tn.Insert(t.Context(), store.Into{Table: "finding", Columns: []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body", "status", "first_seen", "last_seen"}}, findings); err != nil {
				return err
			}
			return tn.Insert(t.Context(), store.Into{Table: "finding_part", Columns: []string{"finding", "person", "rule"}}, [][]any{
				{"chain", string(personOf(acme)), ruleOf(acme)}, {"shared", string(personOf(acme)), ruleOf(acme)}, {"shared", "somebody", "subject"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		ids := func(fs []api.Finding) string {
			var out []string
			for _, f := range fs {
				out = append(out, f.ID)
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		own := findingOf(acme)
		of := api.ByPerson{In: in(acme), Person: personOf(acme)}
		all := ids([]api.Finding{{ID: "chain"}, {ID: "shared"}, {ID: own}})
		if got := ids(call[api.IdentityDetail](t, s.owner, "identities get", of).Findings); got != all {
			t.Errorf("the person's: %s", got)
		}
		if got := ids(call[api.MailboxDetail](t, s.owner, "mailboxes get", of).Findings); got != all {
			t.Errorf("the mailbox's: %s", got)
		}
		if got := ids(call[api.Page[api.Finding]](t, s.owner, "findings list", api.FindingsIn{In: in(acme), Person: personOf(acme)}).Items); got != all {
			t.Errorf("the list: %s", got)
		}
		rule := call[api.MailRuleDetail](t, s.owner, "rules get", api.RuleIn{ByPerson: of, ID: ruleOf(acme)})
		if got := ids(rule.Findings); got != all || rule.Risk != 80 {
			t.Errorf("the rule's: %s, risk %d", got, rule.Risk)
		}
		for id, want := range map[string]string{own: "chain shared", "chain": ids([]api.Finding{{ID: "shared"}, {ID: own}}), "shared": ids([]api.Finding{{ID: "chain"}, {ID: own}})} {
			if got := ids(call[api.FindingDetail](t, s.owner, "findings get", api.ByID{In: in(acme), ID: id}).Related); got != want {
				t.Errorf("related to %s: %s, want %s", id, got, want)
			}
		}
	})
}

// TestLastSeenIsTheLastLook: a finding that rests on a rule was last seen when the rules were last read; a fixed one was not.
func TestLastSeenIsTheLastLook(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		look := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		set := func(query string, args ...any) {
			t.Helper()
			if err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error { _, err := tn.Exec(t.Context(), query, args...); return err }); err != nil {
				t.Fatal(err)
			}
		}
		seen := func() time.Time {
			return call[api.Page[api.Finding]](t, s.owner, "findings list", api.FindingsIn{In: in(acme), Status: []tocsin.Status{"all"}}).Items[0].LastSeen
		}
		set(`update mailbox set rules_seen = $2 where tenant = $1`, tocsin.Millis(look))
		if got := seen(); !got.Equal(look) {
			t.Errorf("last seen %s, the last look was %s", got, look)
		}
		if got := call[api.FindingDetail](t, s.owner, "findings get", api.ByID{In: in(acme), ID: findingOf(acme)}).LastSeen; !got.Equal(look) {
			t.Errorf("on its page %s", got)
		}
		set(`update finding set status = 'fixed' where tenant = $1`)
		if got := seen(); !got.Before(look) {
			t.Errorf("a fixed one was seen %s", got)
		}
	})
}
