package api_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// sixty puts sixty findings, many with the same time, into acme and gives them as a list should show them.
func sixty(t *testing.T, st *store.Store) []api.Finding {
	t.Helper()
	settle(t, st, acme)
	statuses := []tocsin.Status{tocsin.Open, tocsin.Open, tocsin.InWork, tocsin.Fixed, tocsin.Accepted, tocsin.FalseAlarm}
	severities := []tocsin.Severity{tocsin.Info, tocsin.Low, tocsin.Medium, tocsin.High, tocsin.Critical}
	var all []api.Finding
	var rows [][]any
	for i := range 60 {
		f := api.Finding{ID: fmt.Sprintf("f%02d", (i*37)%60), Rule: fmt.Sprintf("rule-%d", i%3), Severity: severities[i%5], Risk: (i * 13) % 100, Status: statuses[i%6],
			Person: personOf(acme), Who: fmt.Sprintf("user%d_x@acme.example", i%7), LastSeen: time.UnixMilli(int64(1000 + i/8)).UTC()}
		all = append(all, f)
		rows = append(rows, []any{f.ID, f.Rule, "Title", f.Severity, f.Severity.Rank(), f.Risk, f.Person, f.Who, "s", "", "why 100%", "", "{}", f.Status, 500, f.LastSeen})
	}
	err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
		if _, err := tn.Exec(t.Context(), `delete from finding where tenant = $1`); err != nil {
			return err
		}
		return tn.Insert(t.Context(), store.Into{Table: "finding", Columns: []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body", "status", "first_seen", "last_seen"}}, rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFindingsPaging walks every order and filter in small pieces: each piece continues where the last ended.
func TestFindingsPaging(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		all := sixty(t, st)
		newest := func(a, b api.Finding) int { return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(b.ID, a.ID)) }
		open := func(f api.Finding) bool { return f.Status == tocsin.Open || f.Status == tocsin.InWork }
		for _, c := range []struct {
			name string
			in   api.FindingsIn
			keep func(api.Finding) bool
			by   func(a, b api.Finding) int
		}{
			{"the worst first", api.FindingsIn{}, open, func(a, b api.Finding) int {
				return cmp.Or(b.Severity.Rank()-a.Severity.Rank(), b.Risk-a.Risk, newest(a, b))
			}},
			{"all, newest", api.FindingsIn{Status: []tocsin.Status{"all"}, Sort: "newest"}, func(api.Finding) bool { return true }, newest},
			{"all by risk", api.FindingsIn{Status: []tocsin.Status{"all"}, Sort: "risk"}, func(api.Finding) bool { return true }, func(a, b api.Finding) int { return cmp.Or(b.Risk-a.Risk, newest(a, b)) }},
			{"two severities", api.FindingsIn{Severity: []tocsin.Severity{tocsin.High, tocsin.Low}, Sort: "newest"},
				func(f api.Finding) bool { return open(f) && (f.Severity == tocsin.High || f.Severity == tocsin.Low) }, newest},
			{"fixed or accepted of a rule", api.FindingsIn{Status: []tocsin.Status{tocsin.Fixed, tocsin.Accepted}, Rule: "rule-1", Sort: "newest"},
				func(f api.Finding) bool {
					return (f.Status == tocsin.Fixed || f.Status == tocsin.Accepted) && f.Rule == "rule-1"
				}, newest},
			{"of a person", api.FindingsIn{Person: personOf(acme), Sort: "newest"}, open, newest},
			{"with a text", api.FindingsIn{Q: "USER3_X", Sort: "newest"}, func(f api.Finding) bool { return open(f) && f.Who == "user3_x@acme.example" }, newest},
			{"with a percent sign", api.FindingsIn{Q: "100%", Sort: "newest"}, open, newest},
			{"with a text that is not there", api.FindingsIn{Q: "user%x"}, func(api.Finding) bool { return false }, newest},
			{"nobody looks after", api.FindingsIn{Owner: "none", Sort: "newest"}, open, newest},
		} {
			t.Run(c.name, func(t *testing.T) {
				want := slices.DeleteFunc(slices.Clone(all), func(f api.Finding) bool { return !c.keep(f) })
				slices.SortFunc(want, c.by)
				c.in.In, c.in.Limit = in(acme), 7
				var got []string
				for i := 0; ; i++ {
					p := call[api.Page[api.Finding]](t, s.owner, "findings list", c.in)
					if i == 0 && p.Total != len(want) {
						t.Errorf("total %d, want %d", p.Total, len(want))
					}
					if len(p.Items) > 7 || p.Next != "" && len(p.Items) != 7 {
						t.Fatalf("a piece of %d", len(p.Items))
					}
					for _, f := range p.Items {
						got = append(got, f.ID)
					}
					if p.Next == "" {
						break
					}
					c.in.After = p.Next
				}
				var ids []string
				for _, f := range want {
					ids = append(ids, f.ID)
				}
				if !slices.Equal(got, ids) {
					t.Errorf("got %v\nwant %v", got, ids)
				}
			})
		}
	})
}

func TestFindingExplainsItself(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		d := call[api.FindingDetail](t, s.owner, "findings get", api.ByID{In: in(acme), ID: findingOf(acme)})
		if len(d.Terms) != 2 || d.Terms[0].Points != 60 || len(d.Evidence) != 1 || d.Attack[0] != "T1114.003" {
			t.Errorf("the finding's terms, evidence or techniques are not there: %+v", d)
		}
		if d.Identity == nil || d.Identity.UPN != "jane@"+domainOf(acme) || len(d.Identity.Roles) != 1 || d.Identity.Risk != 72 || d.Identity.Open.High != 1 {
			t.Errorf("the person is %+v", d.Identity)
		}
		r := d.MailRule
		if r == nil || string(r.Raw) != `{"id":"raw"}` || len(r.History) != 1 {
			t.Fatalf("the rule is %+v", r)
		}
		if want := "Mail with “invoice” or “payment” in the subject is forwarded to drop@evil.example and deleted."; r.Summary != want {
			t.Errorf("the rule does %q, want %q", r.Summary, want)
		}
		marks := map[string]string{}
		for _, l := range r.History[0].Diff {
			marks[l.Label] = l.Mark
		}
		if marks["Forward to"] != "added" || marks["Delete"] != "added" || marks["Name"] != "same" {
			t.Errorf("the rule's change is %v", marks)
		}
		if len(r.Targets) != 1 || !r.Targets[0].Outside {
			t.Errorf("the rule's targets are %+v", r.Targets)
		}
		id := call[api.IdentityDetail](t, s.owner, "identities get", api.ByPerson{In: in(acme), Person: tocsin.PersonID("JANE@" + domainOf(acme))})
		if len(id.MailRules) != 1 || len(id.Findings) != 1 || len(id.Timeline) != 1 || id.MailboxOf == nil || !id.MailboxOf.Read || len(id.Directory) != 1 {
			t.Errorf("the person is %+v", id)
		}
		o := call[api.Overview](t, s.owner, "overview get", in(acme))
		if o.Open.High != 1 || o.Open.All() != 1 || o.Coverage.Mailboxes != 1 || !o.Coverage.Complete || len(o.Days) != 30 || len(o.TopPeople) != 1 || o.Destinations[0].Address != "drop@evil.example" || o.Rules.Outside != 1 {
			t.Errorf("the overview is %+v", o)
		}
	})
}

func TestDecide(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		c := s.token(api.Analyst, string(acme))
		decide := func(d api.Decision) error {
			return c.Do(t.Context(), "findings decide", api.DecideIn{ByIDAct: act(findingOf)(acme).(api.ByIDAct), Body: d}, nil)
		}
		for _, x := range []struct {
			d    api.Decision
			want string
		}{
			{api.Decision{Status: "closed", Version: 1}, `status cannot be "closed". Use one of open, in_work, fixed, accepted, false_alarm.`},
			{api.Decision{Version: 1}, "status is missing. Give it."},
			{api.Decision{Status: tocsin.Fixed}, "version is missing. Give it."},
			{api.Decision{Status: tocsin.Accepted, Version: 1, Until: inHalfAYear}, "The reason is missing. Say why it is acceptable."},
			{api.Decision{Status: tocsin.Accepted, Version: 1, Reason: "r"}, "until is missing: nothing is accepted for ever. Give the day on which it is to be looked at again."},
			{api.Decision{Status: tocsin.Accepted, Version: 1, Reason: "r", Until: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)}, "until cannot be 2020-01-02. Give a time that is still to come, within two years."},
			{api.Decision{Status: tocsin.FalseAlarm, Version: 1, Reason: "  "}, "The reason is missing. Say why it is none, so that the rule can be made better."},
			{api.Decision{Status: tocsin.InWork, Version: 1, Owner: new("ghost@tocsin.example")}, "There is no account ghost@tocsin.example here. Name somebody who can sign in and see this tenant."},
		} {
			if err := decide(x.d); err == nil || err.Error() != x.want {
				t.Errorf("%+v: %v, want %s", x.d, err, x.want)
			}
		}
		if err := decide(api.Decision{Status: tocsin.Accepted, Version: 1, Reason: "known partner", Until: inHalfAYear, Owner: new("Owner@tocsin.example")}); err != nil {
			t.Fatal(err)
		}
		if err := decide(api.Decision{Status: tocsin.Fixed, Version: 1}); code(err) != tocsin.Conflict {
			t.Errorf("with the version of before: %v, want conflict", err)
		}
		d := call[api.FindingDetail](t, s.owner, "findings get", api.ByID{In: in(acme), ID: findingOf(acme)})
		if d.Status != tocsin.Accepted || d.Version != 2 || d.Owner != "owner@tocsin.example" || !d.AcceptedUntil.Equal(inHalfAYear) || len(d.History) != 2 {
			t.Errorf("after the decision: %+v, history %+v", d.Finding, d.History)
		}
		facts, err := st.TenantFacts(t.Context(), acme, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(facts) != 1 || facts[0].Kind != "finding.decided" || facts[0].Subject != findingOf(acme) || facts[0].Actor == "" {
			t.Errorf("facts after one decision: %+v", facts)
		}
	})
}

// TestIdempotency repeats an act with and without its key.
func TestIdempotency(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		body := api.ExceptionNew{Rule: "*", Scope: "domain", Value: "@Partner.Example.", Owner: "o", Reason: "r", Expires: inHalfAYear}
		create := func(c *api.Client, key string, body api.ExceptionNew) (api.Exception, error) {
			var e api.Exception
			err := c.Do(t.Context(), "exceptions create", api.CreateExceptionIn{In: in(acme), Key: api.Key{Key: key}, Body: body}, &e)
			return e, err
		}
		first, err := create(s.owner, "k", body)
		if err != nil {
			t.Fatal(err)
		}
		if first.Value != "partner.example" {
			t.Errorf("the domain is kept as %q", first.Value)
		}
		again, err := create(s.owner, "k", body)
		if err != nil || again.ID != first.ID {
			t.Errorf("again with the key: %v, %v, want the same %v", again.ID, err, first.ID)
		}
		other := body
		other.Reason = "another"
		if _, err := create(s.owner, "k", other); code(err) != tocsin.Conflict {
			t.Errorf("another request with the key: %v, want conflict", err)
		}
		if e, err := create(s.token(api.Analyst, string(acme)), "k", other); err != nil || e.ID == first.ID {
			t.Errorf("somebody else's same key: %v, %v", e.ID, err)
		}
		if e, err := create(s.owner, "", body); err != nil || e.ID == first.ID {
			t.Errorf("without a key: %v, %v, want another", e.ID, err)
		}
		connect := api.CreateConnectionIn{Key: api.Key{Key: "c"}, Body: api.ConnectionNew{Tenant: string(acme), ClientID: string(globex), Secret: "s3cret-value"}}
		a := call[api.Connection](t, s.owner, "connections create", connect)
		b := call[api.Connection](t, s.owner, "connections create", connect)
		if a.ID == "" || a.ID != b.ID {
			t.Errorf("a connection made twice with one key: %q and %q", a.ID, b.ID)
		}
	})
}

// TestOwnDomainIsNoPartner: a domain of the tenant's own is inside as it is.
func TestOwnDomainIsNoPartner(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	err := s.owner.Do(t.Context(), "partners create", api.CreatePartnerIn{In: in(acme), Body: api.PartnerNew{Domain: domainOf(acme), Owner: "o", Reason: "r", Expires: inHalfAYear}}, nil)
	if code(err) != tocsin.Invalid {
		t.Errorf("one's own domain as a partner: %v", err)
	}
}

// TestPausedSources: where every connection is paused nothing is fresh.
func TestPausedSources(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	call[api.Connection](t, s.owner, "connections pause", act(connectionOf)(acme))
	for _, x := range call[api.Page[api.Source]](t, s.owner, "sources list", api.ListIn{In: in(acme)}).Items {
		if x.State != "paused" {
			t.Errorf("%s is %s", x.Name, x.State)
		}
	}
}
