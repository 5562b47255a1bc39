package api_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// thirty puts thirty people with a rule each into acme, beside Jane with hers: a third risky, a fifth deleted.
func thirty(t *testing.T, st *store.Store) {
	t.Helper()
	settle(t, st, acme)
	var people, boxes, rules, targets, findings, events, members [][]any
	for i := range 30 {
		p, who := fmt.Sprintf("p%02d", (i*7)%30), fmt.Sprintf("user%02d@%s", i, domainOf(acme))
		people = append(people, []any{p, "o" + p, fmt.Sprintf("User %02d", i), who, who, []string{"member", "guest"}[i%2], true, "[]", []string{"read", "read", "none"}[i%3], "", 1, 1})
		boxes = append(boxes, []any{p, "user", 1000 + i, 1, 1})
		r := forwarding(fmt.Sprintf("r%02d", i), "drop@evil.example")
		if i%2 == 1 {
			r = tocsin.MailRule{ID: r.ID, Name: "tidy", Enabled: true, Categories: []string{"tidy"}}
		}
		deleted := 0
		if i%5 == 4 {
			deleted = 5000 + i/10
		}
		rules = append(rules, []any{p, r.ID, r.Name, true, text(t, r), "{}", len(r.Forward), len(r.Forward) > 0, []int{0, 0, 50 + i/9}[i%3], 1, 1, 1, deleted})
		if len(r.Forward) > 0 && deleted == 0 {
			targets = append(targets, []any{"drop@evil.example", p, r.ID, "forward", true})
		}
		if i%3 == 2 {
			findings = append(findings, []any{fmt.Sprintf("f%02d", i), "x", "T", "medium", 2, 50 + i/9, p, who, r.ID, "", "w", "", "{}", "open", 1, 1})
		}
		if i%10 == 0 {
			members = append(members, []any{"ga", "o" + p, p, "n", 1})
		}
		events = append(events, []any{fmt.Sprintf("e%02d", i), 100 + i/4, "RULE", "rule_created", p, "{}"})
	}
	err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
		for _, x := range []struct {
			table string
			cols  []string
			rows  [][]any
		}{
			{"person", []string{"person", "object_id", "name", "upn", "mail", "kind", "enabled", "addresses", "mailbox", "mailbox_because", "seen", "changed"}, people},
			{"mailbox", []string{"person", "purpose", "rules_seen", "rules_count", "settings_seen"}, boxes},
			{"mail_rule", []string{"person", "id", "name", "enabled", "body", "raw", "targets", "outside", "risk", "first_seen", "changed", "seen", "deleted"}, rules},
			{"rule_target", []string{"address", "person", "rule", "verb", "outside"}, targets},
			{"finding", []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body", "status", "first_seen", "last_seen"}, findings},
			{"role_member", []string{"role", "object_id", "person", "name", "seen"}, members},
			{"event", []string{"id", "at", "type", "action", "person", "body"}, events},
		} {
			if err := tn.Insert(t.Context(), store.Into{Table: x.table, Columns: x.cols}, x.rows); err != nil {
				return err
			}
		}
		return riskFrom(t, tn)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// riskFrom makes each person's risk that of their riskiest open finding.
func riskFrom(tb testing.TB, t *store.Tenant) error {
	tb.Helper()
	_, err := t.Exec(context.Background(), `insert into identity_risk (tenant, person, risk, terms, judged, due)
		select tenant, person, max(risk), '[]', 1, 0 from finding where tenant = $1 and status in ('open', 'in_work') and person <> '' group by tenant, person on conflict (tenant, person) do nothing`)
	return err
}

// pieces walks a list in pieces of four, and holds each to the limit and the first to the total.
func pieces[T any](t *testing.T, list func(api.Paging) (api.Page[T], error)) []T {
	t.Helper()
	var all []T
	after, total := "", -1
	for range 100 {
		p, err := list(api.Paging{Limit: 4, After: after})
		if err != nil {
			t.Fatal(err)
		}
		if total < 0 {
			total = p.Total
		}
		if len(p.Items) > 4 || p.Next != "" && len(p.Items) < 4 {
			t.Fatalf("a piece of %d", len(p.Items))
		}
		all = append(all, p.Items...)
		if after = p.Next; after == "" {
			break
		}
	}
	if total != len(all) {
		t.Errorf("total %d of %d", total, len(all))
	}
	return all
}

func TestRulesPaging(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		thirty(t, st)
		ctx := api.WithCaller(t.Context(), everybodysOwner)
		for name, c := range map[string]struct {
			in   api.RulesIn
			want int
			keep func(api.MailRule) bool
		}{
			"there":       {api.RulesIn{}, 25, func(r api.MailRule) bool { return r.Deleted.IsZero() }},
			"deleted":     {api.RulesIn{Deleted: true}, 6, func(r api.MailRule) bool { return !r.Deleted.IsZero() }},
			"sends":       {api.RulesIn{Sends: true}, 13, func(r api.MailRule) bool { return len(r.Targets) > 0 }},
			"outside":     {api.RulesIn{Outside: true}, 13, func(r api.MailRule) bool { return r.Outside && r.Targets[0].Outside }},
			"hides":       {api.RulesIn{Hides: true}, 13, func(r api.MailRule) bool { return r.Hides }},
			"destination": {api.RulesIn{Destination: "SMTP:Drop@evil.example"}, 13, func(r api.MailRule) bool { return r.Targets[0].Address == "drop@evil.example" }},
			"nowhere":     {api.RulesIn{Destination: "other@evil.example"}, 0, nil},
			"person":      {api.RulesIn{Person: "p07"}, 1, func(r api.MailRule) bool { return r.Person == "p07" }},
			"by name":     {api.RulesIn{Q: "TIDY"}, 12, func(r api.MailRule) bool { return r.Rule.Name == "tidy" }},
			"by mailbox":  {api.RulesIn{Q: "user 1"}, 8, func(r api.MailRule) bool { return r.Name[:6] == "User 1" }},
		} {
			t.Run(name, func(t *testing.T) {
				got := pieces(t, func(p api.Paging) (api.Page[api.MailRule], error) {
					c.in.In, c.in.Paging = in(acme), p
					return s.api.ListRules(ctx, c.in)
				})
				if len(got) != c.want {
					t.Errorf("%d rules, want %d", len(got), c.want)
				}
				for _, r := range got {
					if !c.keep(r) {
						t.Errorf("%+v does not belong here", r)
					}
				}
				order := func(a, b api.MailRule) int {
					return cmp.Or(b.Deleted.Compare(a.Deleted), map[bool]int{false: b.Risk - a.Risk, true: 0}[c.in.Deleted], cmp.Compare(a.Person, b.Person), cmp.Compare(a.ID, b.ID))
				}
				if !slices.IsSortedFunc(got, order) || len(slices.CompactFunc(slices.Clone(got), func(a, b api.MailRule) bool { return a.ID == b.ID })) != len(got) {
					t.Errorf("the order is wrong, or one is there twice: %+v", got)
				}
			})
		}
	})
}

func TestPeoplePaging(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		thirty(t, st)
		ctx := api.WithCaller(t.Context(), everybodysOwner)
		for name, c := range map[string]struct {
			in   api.IdentitiesIn
			want int
		}{
			"all": {api.IdentitiesIn{}, 31}, "guests": {api.IdentitiesIn{Kind: "guest"}, 15}, "admins": {api.IdentitiesIn{Role: "any"}, 4}, "by role": {api.IdentitiesIn{Role: "Global Administrator"}, 4},
			"no mailbox": {api.IdentitiesIn{Mailbox: "none"}, 10}, "text": {api.IdentitiesIn{Q: "uSER 2"}, 10}, "risk": {api.IdentitiesIn{Sort: "risk"}, 11}, "risky guests": {api.IdentitiesIn{Sort: "risk", Kind: "guest"}, 5},
		} {
			t.Run(name, func(t *testing.T) {
				got := pieces(t, func(p api.Paging) (api.Page[api.Identity], error) {
					c.in.In, c.in.Paging = in(acme), p
					return s.api.ListIdentities(ctx, c.in)
				})
				order := func(a, b api.Identity) int { return cmp.Compare(a.UPN, b.UPN) }
				if c.in.Sort == "risk" {
					order = func(a, b api.Identity) int { return cmp.Or(b.Risk-a.Risk, cmp.Compare(a.Person, b.Person)) }
				}
				if len(got) != c.want || !slices.IsSortedFunc(got, order) {
					t.Errorf("%d people, want %d, in order: %+v", len(got), c.want, got)
				}
			})
		}
		for name, c := range map[string]struct {
			in   api.MailboxesIn
			want int
		}{
			"all": {api.MailboxesIn{}, 31}, "read": {api.MailboxesIn{Read: "yes"}, 21}, "not read": {api.MailboxesIn{Read: "no"}, 10}, "none": {api.MailboxesIn{State: "none"}, 10},
			"only mailboxes": {api.MailboxesIn{Boxes: true}, 21}, "mailboxes not read": {api.MailboxesIn{Boxes: true, Read: "no"}, 0},
			"a state that is not there": {api.MailboxesIn{State: "asleep"}, 0}, "of a purpose": {api.MailboxesIn{Purpose: "user", Q: "jane"}, 1},
		} {
			t.Run("mailboxes "+name, func(t *testing.T) {
				got := pieces(t, func(p api.Paging) (api.Page[api.Mailbox], error) {
					c.in.In, c.in.Paging = in(acme), p
					return s.api.ListMailboxes(ctx, c.in)
				})
				if len(got) != c.want || !slices.IsSortedFunc(got, func(a, b api.Mailbox) int { return cmp.Compare(a.Address, b.Address) }) {
					t.Errorf("%d mailboxes, want %d, in order: %+v", len(got), c.want, got)
				}
				for _, m := range got {
					if !m.Read && m.Because == "" {
						t.Errorf("%s is not read, and nothing says why", m.Address)
					}
				}
			})
		}
		happened := pieces(t, func(p api.Paging) (api.Page[api.Event], error) {
			return s.api.ListEvents(ctx, api.EventsIn{In: in(acme), Paging: p})
		})
		if len(happened) != 31 || !slices.IsSortedFunc(happened, func(a, b api.Event) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) }) {
			t.Errorf("%d events, want 31, newest first: %+v", len(happened), happened)
		}
		known := pieces(t, func(p api.Paging) (api.Page[api.Detection], error) {
			return s.api.ListDetections(ctx, api.ListIn{In: in(acme), Paging: p})
		})
		if len(known) < 15 || slices.ContainsFunc(known, func(d api.Detection) bool { return d.Name == "" || d.Says == "" || d.Kind == "" }) {
			t.Errorf("the catalogue: %+v", known)
		}
	})
}

// TestRiskiestFirst: people and mailboxes with open findings come first, the riskiest of them at the head, then the others by
// name; each once, in pieces of any size.
func TestRiskiestFirst(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		thirty(t, st)
		ctx := api.WithCaller(t.Context(), everybodysOwner)
		people := pieces(t, func(p api.Paging) (api.Page[api.Identity], error) {
			return s.api.ListIdentities(ctx, api.IdentitiesIn{In: in(acme), Paging: p, Sort: "riskiest"})
		})
		byName := pieces(t, func(p api.Paging) (api.Page[api.Identity], error) {
			return s.api.ListIdentities(ctx, api.IdentitiesIn{In: in(acme), Paging: p})
		})
		risky := pieces(t, func(p api.Paging) (api.Page[api.Identity], error) {
			return s.api.ListIdentities(ctx, api.IdentitiesIn{In: in(acme), Paging: p, Sort: "risk"})
		})
		if len(people) != len(byName) || len(risky) == 0 || people[0].Person != risky[0].Person || people[0].Risk == 0 {
			t.Errorf("%d people, %d by name, %d risky; first %+v", len(people), len(byName), len(risky), people[0])
		}
		if !slices.IsSortedFunc(people, func(a, b api.Identity) int {
			return cmp.Or(b.Risk-a.Risk, map[bool]int{true: cmp.Compare(a.Person, b.Person), false: cmp.Compare(a.UPN, b.UPN)}[a.Risk > 0])
		}) {
			t.Errorf("the order of people: %+v", people)
		}
		for sort, want := range map[string]int{"riskiest": len(people), "risk": len(risky)} {
			boxes := pieces(t, func(p api.Paging) (api.Page[api.Mailbox], error) {
				return s.api.ListMailboxes(ctx, api.MailboxesIn{In: in(acme), Paging: p, Sort: sort})
			})
			seen := map[tocsin.PersonID]bool{}
			for i, m := range boxes {
				if seen[m.Person] || i > 0 && m.Risk > boxes[i-1].Risk {
					t.Errorf("%s: %s stands wrong", sort, m.Person)
				}
				seen[m.Person] = true
			}
			if len(boxes) != want {
				t.Errorf("%s: %d mailboxes, want %d", sort, len(boxes), want)
			}
		}
	})
}
