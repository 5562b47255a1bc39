package remediate

import (
	"encoding/json"
	"strings"
	"testing"

	"tocsin.dev/store"
)

// TestOwnPlaybook: what somebody wrote is checked, kept version by version, offered where it fits, run like the others, and undone by
// one word to the exact state.
func TestOwnPlaybook(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.directory()
		in := func(do func(tt *store.Tenant) error) error {
			return b.st.UpdateTenant(t.Context(), b.tenant, do)
		}
		known := func(rule string) bool { return rule == "forward-outside" }
		for what, c := range map[string]struct {
			name string
			text PlaybookText
			want string
		}{
			"a name":            {"No Name", PlaybookText{Title: "T", Steps: []Kind{Suspend}}, "cannot be called"},
			"another's name":    {"recover", PlaybookText{Title: "T", Steps: []Kind{Suspend}}, "comes with Tocsin"},
			"no title":          {"own", PlaybookText{Title: " ", Steps: []Kind{Suspend}}, "title"},
			"no step":           {"own", PlaybookText{Title: "T"}, "0 steps"},
			"an unknown step":   {"own", PlaybookText{Title: "T", Steps: []Kind{"format_disk"}}, "no action"},
			"an undo":           {"own", PlaybookText{Title: "T", Steps: []Kind{EnableRule}}, "cannot find"},
			"an application's":  {"own", PlaybookText{Title: "T", Steps: []Kind{DisableApp}}, "cannot find"},
			"twice":             {"own", PlaybookText{Title: "T", Steps: []Kind{Suspend, Suspend}}, "twice"},
			"against itself":    {"own", PlaybookText{Title: "T", Steps: []Kind{Suspend, Reinstate}}, "undo each other"},
			"rules both ways":   {"own", PlaybookText{Title: "T", Steps: []Kind{DisableRule, DeleteRule}}, "need not"},
			"an unknown rule":   {"own", PlaybookText{Title: "T", Steps: []Kind{Suspend}, Fits: Fit{Rules: []string{"nonsense"}}}, "no detection"},
			"an unknown stage":  {"own", PlaybookText{Title: "T", Steps: []Kind{Suspend}, Fits: Fit{Stages: []string{"nonsense"}}}, "no stage"},
			"an unknown weight": {"own", PlaybookText{Title: "T", Steps: []Kind{Suspend}, Fits: Fit{Severity: "dire"}}, "no severity"},
		} {
			if err := c.text.Sound(c.name, known); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", what, err, c.want)
			}
		}
		text := PlaybookText{Title: "Finance", Steps: []Kind{Suspend, DisableRule, RevokeSessions}, Fits: Fit{Rules: []string{"forward-outside"}, Severity: "high", Stages: []string{"exfiltration", "hiding"}}}
		must(t, text.Sound("finance", known))
		b.equal("hard steps come last", text.Steps, []Kind{DisableRule, RevokeSessions, Suspend})
		keep := func(version int64, text PlaybookText) error {
			return in(func(tt *store.Tenant) error { return KeepPlaybook(t.Context(), tt, jo, "finance", version, text, "") })
		}
		must(t, keep(0, text))
		if err := keep(0, text); code(err) != "conflict" {
			t.Errorf("the same name again: %v", err)
		}
		if err := keep(7, text); err == nil {
			t.Error("another version than there is was taken")
		}
		text.Says = "For those who pay."
		must(t, keep(1, text))

		b.exec(`insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen) values ($1, 'f', 'forward-outside', 't', 'high', 3, 72, $2, 'amy', $3, '', 'w', 'exfiltration', '{}', 'open', 1, 1)`,
			b.amy, b.rule(".").ID)
		b.exec(`insert into attack_story (tenant, id, person, who, title, why, severity, severity_rank, score, stage, stages, attack, terms, takeover, began, ended, findings, open, changed) values ($1, 's', $2, 'amy', 'T', 'W', 'high', 3, 80, 'exfiltration', '["exfiltration"]', '[]', '[]', '', 1, 1, 1, 1, 1)`, b.amy)
		b.exec(`insert into attack_story_part (tenant, finding, story) values ($1, 'f', 's')`)
		offered := func() (names string) {
			must(t, in(func(tt *store.Tenant) error {
				list, err := Offered(t.Context(), tt, "s")
				names = ""
				for _, p := range list {
					names += p.Name + " "
				}
				return err
			}))
			return strings.TrimSpace(names)
		}
		b.equal("what is offered", offered(), "finance contain recover lock")
		for what, fit := range map[string]Fit{"another rule": {Rules: []string{"hidden-folder"}}, "another stage": {Stages: []string{"access"}}, "too severe": {Severity: "critical"}, "no takeover": {Takeover: true}, "no administrator": {Admin: true}} {
			other := text
			other.Fits = fit
			must(t, in(func(tt *store.Tenant) error { return KeepPlaybook(t.Context(), tt, jo, "other", 0, other, "") }))
			if got := offered(); strings.Contains(got, "other") {
				t.Errorf("%s: offered are %s", what, got)
			}
			must(t, in(func(tt *store.Tenant) error { return DropPlaybook(t.Context(), tt, jo, "other") }))
		}

		rule, account := b.rule("."), b.at(OnAccount, b.object, "")
		r, err := b.playbook(jo, "finance")
		must(t, err)
		var kinds []string
		for _, a := range r.Steps {
			kinds = append(kinds, string(a.Kind))
		}
		b.equal("the steps", kinds, []string{"disable_rule", "revoke_sessions", "suspend"})
		if r.Version != 2 {
			t.Errorf("version %d was run", r.Version)
		}
		must(t, in(func(tt *store.Tenant) error { return DropPlaybook(t.Context(), tt, jo, "finance") }))
		if _, err := b.playbook(jo, "finance"); code(err) != "invalid" {
			t.Errorf("one that is deleted: %v", err)
		}
		for _, a := range r.Steps { // it goes on as it was asked for
			b.is(b.runs(b.executor(), a.ID), Verified)
		}

		undo := func() (u *Run, err error) {
			of, drafts, err := b.desk.PlanUndoRun(t.Context(), b.tenant, r.ID, "It was a mistake.", false)
			if err != nil {
				return nil, err
			}
			err = in(func(tt *store.Tenant) error {
				u, err = b.desk.RecordUndoRun(t.Context(), tt, jo, of, "It was a mistake.", drafts)
				return err
			})
			return u, err
		}
		b.exec(`update action set state = $3 where tenant = $1 and run = $2 and kind = 'suspend'`, r.ID, string(Waiting))
		if _, err := undo(); code(err) != "conflict" {
			t.Errorf("undone while a step is still to come: %v", err)
		}
		b.exec(`update action set state = $3 where tenant = $1 and run = $2 and kind = 'suspend'`, r.ID, string(Verified))
		u, err := undo()
		must(t, err)
		kinds = nil
		for _, a := range u.Steps {
			kinds = append(kinds, string(a.Kind))
			b.is(b.runs(b.executor(), a.ID), Verified)
		}
		b.equal("what is undone, the last first", kinds, []string{"reinstate", "enable_rule"})
		b.equal("the rule as it was", b.rule("."), rule)
		var enabled struct {
			Enabled *bool `json:"accountEnabled"`
		}
		if now := b.at(OnAccount, b.object, ""); account.gone || now.gone || json.Unmarshal(now.raw, &enabled) != nil || enabled.Enabled == nil || !*enabled.Enabled {
			t.Errorf("the account is %s", now.raw)
		}
		if _, err := undo(); code(err) != "conflict" {
			t.Errorf("undone twice: %v", err)
		}
		if got := b.run(u.ID); got.Undoes != r.ID || len(got.Steps) != 2 {
			t.Errorf("the undo is kept as %+v", got)
		}
		must(t, in(func(tt *store.Tenant) error {
			v, err := PlaybookVersions(t.Context(), tt, "finance")
			if err == nil && (len(v) != 3 || v[0].Change != "deleted" || v[1].Text.Says == "" || v[2].Text.Says != "") {
				t.Errorf("the versions are %+v", v)
			}
			return err
		}))
	})
}
