package work

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// TestHours: business time is counted in hours that are open only, over nights, weekends, holidays and changes of the clocks.
func TestHours(t *testing.T) {
	office := BusinessHours{Zone: "Europe/Berlin", Week: [7][2]int{1: {540, 1020}, 2: {540, 1020}, 3: {540, 1020}, 4: {540, 1020}, 5: {540, 1020}}, Holidays: []string{"2026-12-25"}}
	must(t, office.Sound())
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, berlin)
		must(t, err)
		return v
	}
	for _, c := range []struct {
		h          BusinessHours
		from, span string
		want       string
	}{
		{office, "2026-11-23 10:00", "2h", "2026-11-23 12:00"},
		{office, "2026-11-23 16:00", "2h", "2026-11-24 10:00"},
		{office, "2026-11-20 16:30", "1h", "2026-11-23 09:30"}, // Friday evening
		{office, "2026-11-21 12:00", "1h", "2026-11-23 10:00"}, // Saturday
		{office, "2026-12-24 16:00", "2h", "2026-12-28 10:00"}, // a holiday and a weekend
		{office, "2026-11-23 07:00", "16h", "2026-11-24 17:00"},
		{BusinessHours{Zone: "Europe/Berlin", Week: [7][2]int{0: {0, 1440}, 1: {0, 1440}}}, "2026-10-25 00:00", "25h", "2026-10-26 00:00"}, // a day of 25 hours
		{BusinessHours{}, "2026-11-21 12:00", "1h", "2026-11-21 13:00"},
	} {
		span, err := time.ParseDuration(c.span)
		must(t, err)
		got := c.h.Add(at(c.from), span)
		if !got.Equal(at(c.want)) {
			t.Errorf("%s after %s: %s, want %s", c.span, c.from, got.In(berlin), c.want)
		}
		if back := c.h.Between(at(c.from), got); back != span {
			t.Errorf("from %s to %s: %s, want %s", c.from, got.In(berlin), back, span)
		}
	}
	for _, bad := range []BusinessHours{{Zone: "Mars/Base"}, {Week: [7][2]int{{600, 500}}}, {Week: [7][2]int{{0, 1500}}}, {Holidays: []string{"Christmas"}}} {
		if bad.Sound() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func (b *bed) clock(id, kind string) (last Clock) {
	b.Helper()
	b.view(func(ctx context.Context, t *store.Tenant) error {
		list, err := Clocks(ctx, t, "one", id)
		for _, c := range list {
			if c.Kind == kind {
				last = c
			}
		}
		return err
	})
	return last
}

// TestServiceTimes: the clocks of a thread run, pause while it waits for the other side, are met or missed, and begin again.
func TestServiceTimes(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		const id = "one-000000"
		b.fill("one", 1)
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			return SetService(ctx, tn, "one", Service{Targets: ServiceTargets{First: 60, Next: 30, Resolve: 240}, Urgent: ServiceTargets{First: 10}})
		})
		mail := func(set string, args ...any) {
			t.Helper()
			b.update(func(ctx context.Context, tn *store.Tenant) error {
				if _, err := tn.Exec(ctx, `update inbox_thread set `+set+` where tenant = $1 and id = $2`, append([]any{id}, args...)...); err != nil {
					return err
				}
				return Time(ctx, tn, b.mustGet(ctx, tn, "ann", id))
			})
		}
		pass := func(d time.Duration) { b.st.Clock().Advance(d) }
		is := func(kind, want string) {
			t.Helper()
			if got := b.clock(id, kind).State(b.now()); got != want {
				t.Errorf("%s is %s, want %s: %+v", kind, got, want, b.clock(id, kind))
			}
		}
		state := func(s string) {
			t.Helper()
			_, err := b.apply("ann", id, Change{State: &s})
			must(t, err)
		}
		began := b.now()
		mail(`first_in = $3, last_in = $3, last = $3, waiting = $3, state = 'open'`, began)
		is(FirstAnswer, "running")
		is(Resolution, "running")
		if v := b.thread("ann", id); v.DueKind != FirstAnswer || v.Due.Sub(began).Round(time.Second) != time.Hour {
			t.Errorf("due %s (%s)", v.Due, v.DueKind)
		}
		pass(20 * time.Minute)
		mail(`answered = $3, last_out = $3, waiting = 0, state = 'waiting'`, b.now())
		is(FirstAnswer, "met")
		is(Resolution, "paused")
		pass(30 * time.Hour) // it waits for them
		is(Resolution, "paused")
		mail(`last_in = $3, waiting = $3, state = 'open'`, b.now())
		is(NextAnswer, "running")
		is(Resolution, "running")
		if c := b.clock(id, Resolution); c.Used.Round(time.Minute) != 20*time.Minute || c.Due.Sub(b.now()).Round(time.Minute) != 220*time.Minute {
			t.Errorf("resolution %+v", c)
		}
		pass(31 * time.Minute)
		is(NextAnswer, "missed")
		mail(`last_out = $3, waiting = 0, state = 'waiting'`, b.now())
		is(NextAnswer, "missed")
		state(inbox.Resolved)
		is(Resolution, "met")
		state(inbox.Open)
		is(Resolution, "running")
		pass(5 * time.Hour)
		is(Resolution, "missed")
		state(inbox.Resolved)
		is(Resolution, "missed")
		var r *Report
		b.view(func(ctx context.Context, tn *store.Tenant) (err error) {
			r, err = ReportOf(ctx, tn, "one", began.Add(-time.Minute), b.now().Add(time.Minute))
			return err
		})
		if r.Threads != 1 || r.Answered != 1 || r.Answer.Median.Round(time.Minute) != 20*time.Minute || r.Met[FirstAnswer] != 1 || r.Missed[NextAnswer] != 1 || r.Met[Resolution] != 1 || r.Missed[Resolution] != 1 || len(r.People) != 1 {
			t.Errorf("%+v", r)
		}
		// What a first reading brought is not timed.
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			_, err := tn.Exec(ctx, `insert into inbox_thread (tenant, inbox, id, n, subject, first_in, last_in, waiting, silent, created, changed) values ($1, 'one', 'silent', 99, 's', 5, 5, 5, true, 1, 1)`)
			if err == nil {
				err = Time(ctx, tn, b.mustGet(ctx, tn, "ann", "silent"))
			}
			return err
		})
		if c := b.clock("silent", FirstAnswer); c.Kind != "" {
			t.Errorf("a silent thread is timed: %+v", c)
		}
	})
}

// TestCollision: one answers at a time, the others see who; what is not renewed is over.
func TestCollision(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		const id = "one-000000"
		b.fill("one", 1)
		be := func(account, kind string, take bool) (held string) {
			t.Helper()
			b.update(func(ctx context.Context, tn *store.Tenant) (err error) {
				held, err = Be(ctx, tn, b.reachIn(ctx, tn, account), b.mustGet(ctx, tn, account, id), kind, take)
				return err
			})
			return held
		}
		here := func() string {
			t.Helper()
			var out []string
			b.view(func(ctx context.Context, tn *store.Tenant) error {
				list, err := Presences(ctx, tn, "one", id)
				for _, p := range list {
					out = append(out, p.Account+" "+p.Kind)
				}
				return err
			})
			return strings.Join(out, ", ")
		}
		be("ann", Viewing, false)
		b.st.Clock().Advance(time.Second)
		be("bob", Viewing, false)
		if be("bob", Replying, false) != "" || be("ann", Replying, false) != "bob" {
			t.Error("two answer at once")
		}
		if got := here(); got != "ann viewing, bob replying" && got != "bob replying, ann viewing" {
			t.Errorf("here: %s", got)
		}
		if be("ann", Replying, true) != "" || be("bob", Replying, false) != "ann" {
			t.Error("it was not taken over")
		}
		b.st.Clock().Advance(time.Minute) // bob does not renew
		if got := here(); got != "ann replying" {
			t.Errorf("after a minute: %s", got)
		}
		b.st.Clock().Advance(2 * time.Minute)
		if be("bob", Replying, false) != "" {
			t.Error("what is over is held")
		}
		be("bob", Left, false)
		if got := here(); got != "" {
			t.Errorf("all left: %s", got)
		}
		facts, err := b.st.TenantFacts(t.Context(), tenant, 0, 100)
		must(t, err)
		n := len(facts)
		be("bob", Viewing, false)
		be("bob", Viewing, false)
		if facts, err = b.st.TenantFacts(t.Context(), tenant, 0, 100); err != nil || len(facts) != n+1 {
			t.Errorf("what is renewed is told: %d facts more (%v)", len(facts)-n, err)
		}
	})
}

// TestRules: a rule does what it says with mail that meets it, in order, and a dry run says so before and changes nothing.
func TestRules(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.fill("one", 3)
		var vip Tag
		rule := func(r Rule) {
			t.Helper()
			b.update(func(ctx context.Context, tn *store.Tenant) error { _, err := SaveRule(ctx, tn, r); return err })
		}
		b.update(func(ctx context.Context, tn *store.Tenant) (err error) {
			if vip, err = SaveTag(ctx, tn, Tag{Name: "vip"}); err != nil {
				return err
			}
			for i, id := range []string{"one-000000", "one-000001", "one-000002"} {
				if _, err := tn.Exec(ctx, `insert into inbox_message (tenant, inbox, id, thread, folder, direction, subject, from_address, to_list, attachments, at, seen) values ($1, 'one', $2, $3, 'f', 'in', $4, $5, '[{"address":"One@acme.example"}]', $6, $7, 1)`,
					"m"+id, id, "Invoice "+id, []string{"jo@big.example", "x@sub.big.example", "spam@evil.example"}[i], []string{`[{"name":"a.pdf"}]`, `[]`, `[{"name":"logo.png","inline":true}]`}[i], 1_000_000+i*1000); err != nil {
					return err
				}
			}
			return nil
		})
		text := RuleText{When: []InboxCondition{{Field: "domain", Value: []string{"big.example"}}, {Field: "text", Value: []string{"URGENT"}}, {Field: "attachments", Not: true}}, Then: InboxRuleThen{Team: "team", Priority: Urgent, Add: []string{vip.ID}}}
		says := func(_, id string) (string, error) { return "This is urgent, " + id, nil }
		b.view(func(ctx context.Context, tn *store.Tenant) error {
			found, looked, err := DryRun(ctx, tn, text, []string{"one"}, 0, 100, says)
			if looked != 3 || len(found) != 1 || found[0].Thread != "one-000001" || strings.Join(found[0].Why, "; ") != "domain big.example; text URGENT; attachments not" {
				t.Errorf("the dry run looked at %d and found %+v", looked, found)
			}
			return err
		})
		rule(Rule{Name: "Big", Enabled: true, Place: 1, RuleText: text})
		rule(Rule{Name: "Gone", Enabled: true, Place: 2, RuleText: RuleText{When: text.When[:1], Then: InboxRuleThen{Assignee: "nobody"}}})
		rule(Rule{Name: "Stop", Enabled: true, Place: 3, RuleText: RuleText{Stop: true, When: []InboxCondition{{Field: "to", Value: []string{"one@ACME.example"}}}, Then: InboxRuleThen{Assignee: "ann"}}})
		rule(Rule{Name: "Never", Enabled: true, Place: 4, RuleText: RuleText{When: text.When[:1], Then: InboxRuleThen{State: inbox.Spam}}})
		rule(Rule{Name: "Off", Place: 0, RuleText: RuleText{When: text.When[:1], Then: InboxRuleThen{State: inbox.Spam}}})
		rule(Rule{Name: "Elsewhere", Enabled: true, Inbox: "two", RuleText: RuleText{When: text.When[:1], Then: InboxRuleThen{State: inbox.Spam}}})
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			return Follow(ctx, tn, Incoming{Inbox: "one", Thread: "one-000001", From: "x@sub.big.example", To: []string{"One@acme.example"}, Subject: "Hi", Text: "urgent!"})
		})
		v := b.thread("ann", "one-000001")
		if v.Team != "team" || v.Priority != Urgent || v.Assignee != "ann" || v.State != "waiting" || len(v.Tags) != 1 {
			t.Errorf("%+v", v)
		}
		b.view(func(ctx context.Context, tn *store.Tenant) error {
			list, err := Entries(ctx, tn, "one", v.ID, 100)
			told := false
			for _, e := range list {
				told = told || e.Kind == "rule" && strings.Contains(e.What.Because, "“Gone” could not")
				if e.Who != "" || !strings.Contains(e.What.Because, "rule “") {
					t.Errorf("%+v", e)
				}
			}
			if !told {
				t.Error("that a rule could not is not told")
			}
			rules, err2 := Rules(ctx, tn, "")
			for _, r := range rules {
				if want := map[string]int64{"Big": 1, "Gone": 1, "Stop": 1}[r.Name]; r.Ran != want {
					t.Errorf("%s ran %d times", r.Name, r.Ran)
				}
			}
			if err == nil {
				err = err2
			}
			return err
		})
		for _, bad := range []RuleText{{}, {When: []InboxCondition{{Field: "subject", Value: []string{" "}}}, Then: InboxRuleThen{State: "open"}}, {When: []InboxCondition{{Field: "moon", Value: []string{"x"}}}, Then: InboxRuleThen{State: "open"}}, {When: text.When}} {
			if tocsin.AsProblem(bad.Sound()).Code != tocsin.Invalid {
				t.Errorf("%+v is taken", bad)
			}
		}
	})
}

// TestMacros: what a macro fills in is text, whatever a stranger calls himself; views and macros are changed by version; a snooze ends by itself.
func TestMacros(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			m, err := SaveMacro(ctx, tn, Macro{Name: "Hi", Shortcut: "hi", Text: `<p onclick="x()">Dear {{first_name}}, {{subject}}</p><script>bad()</script>`, Change: json.RawMessage(`{}`)})
			must(t, err)
			got := m.Fill(&Thread{FromName: `Doe, <img src=x onerror=1>`, Subject: "{{agent}} & co"}, "Ann", "One")
			if strings.Contains(got, "<script") || strings.Contains(got, "onclick") || strings.Contains(got, "<img") || !strings.Contains(got, "Dear &lt;img, {{agent}} &amp; co") {
				t.Errorf("filled in: %s", got)
			}
			v, err := SaveView(ctx, tn, "ann", View{Account: "ann", Name: "Mine", Filter: json.RawMessage(`{}`)})
			must(t, err)
			_, err = SaveView(ctx, tn, "ann", View{ID: v.ID, Account: "", Name: "Ours", Filter: v.Filter, Version: 1})
			must(t, err)
			if list, err := Views(ctx, tn, "bob"); err != nil || len(list) != 1 || list[0].Name != "Ours" {
				t.Errorf("%v (%v)", list, err)
			}
			return nil
		})
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			if _, err := SaveMacro(ctx, tn, Macro{Name: "Other", Shortcut: "HI", Change: json.RawMessage(`{}`)}); tocsin.AsProblem(err).Code != tocsin.Conflict {
				t.Errorf("two macros of one shortcut: %v", err)
			}
			return nil
		})
		b.fill("one", 2)
		snoozed := inbox.Snoozed
		_, err := b.apply("ann", "one-000001", Change{State: &snoozed, Until: b.now().Add(time.Hour)})
		must(t, err)
		wake := func() (n int) {
			b.update(func(ctx context.Context, tn *store.Tenant) (err error) { n, err = Woken(ctx, tn, 100); return err })
			return n
		}
		if wake() != 0 {
			t.Error("it woke early")
		}
		b.st.Clock().Advance(time.Hour + time.Minute)
		if wake() != 1 || b.thread("ann", "one-000001").State != inbox.Open || wake() != 0 {
			t.Error("it did not wake once")
		}
	})
}
