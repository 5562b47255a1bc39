package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// InboxRule is what is done by itself when a mail comes from outside; mail that a first reading brings is left alone.
type InboxRule struct {
	ID      string `json:"id"`
	Inbox   string `json:"inbox,omitempty"` // of all inboxes where it is absent
	Name    string `json:"name"`
	Place   int    `json:"place"` // rules run in this order
	Enabled bool   `json:"enabled"`
	work.RuleText
	Ran     int64     `json:"ran"` // how often
	Last    time.Time `json:"last,omitzero"`
	Version int64     `json:"version"`
}

// InboxRuleNew is a rule to be made, or changed.
type InboxRuleNew struct {
	Inbox   string                `json:"inbox,omitempty" maxLength:"100" doc:"Only for this inbox"`
	Name    string                `json:"name" minLength:"1" maxLength:"100" doc:"What it is called"`
	Place   int                   `json:"place,omitempty" minimum:"0" maximum:"10000" doc:"Rules run in this order"`
	Enabled bool                  `json:"enabled,omitempty" doc:"It runs"`
	Any     bool                  `json:"any,omitempty" doc:"One condition is enough"`
	First   bool                  `json:"first,omitempty" doc:"Only of the mail that begins a thread"`
	Stop    bool                  `json:"stop,omitempty" doc:"No rule after it runs"`
	When    []work.InboxCondition `json:"when" doc:"Its conditions"`
	Then    work.InboxRuleThen    `json:"then" doc:"What it does"`
	Version int64                 `json:"version,omitempty" doc:"The version that is changed"`
}

// CreateInboxRuleIn makes a rule.
type CreateInboxRuleIn struct {
	In
	Key
	Body InboxRuleNew
}

// EditInboxRuleIn changes a rule.
type EditInboxRuleIn struct {
	ByIDAct
	Body InboxRuleNew
}

// TryInboxRuleIn asks a rule of mail that came.
type TryInboxRuleIn struct {
	In
	Body InboxRuleTry
}

// InboxRuleTry is the rule, and of how many days.
type InboxRuleTry struct {
	InboxRuleNew
	Days int `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"Of so many days; 30 when absent"`
}

// InboxRuleTried is what a rule would have done. Nothing was changed.
type InboxRuleTried struct {
	Looked  int               `json:"looked"`          // mails, 20,000 at most
	Found   int               `json:"found"`           // of them, those that the rule is for
	Threads int               `json:"threads"`         // of how many threads
	Since   time.Time         `json:"since"`           //
	Cut     bool              `json:"cut,omitempty"`   // there are older ones that were not looked at
	Some    []InboxRuleResult `json:"some"`            // the newest, a hundred at most
	Left    []string          `json:"left,omitempty"`  // inboxes of whose team one is not: they were left out
	Does    string            `json:"does,omitempty"`  //
	Because string            `json:"lacks,omitempty"` // what could not be looked at
}

// InboxRuleResult is a mail that a rule is for.
type InboxRuleResult struct {
	Thread  string    `json:"thread"`
	Subject string    `json:"subject"`
	From    string    `json:"from"`
	At      time.Time `json:"at"`
	Why     []string  `json:"why"`  // by which conditions
	Does    []string  `json:"does"` // what it would make of the thread as it is now; empty: it is so already
}

func (n InboxRuleNew) text() work.RuleText {
	return work.RuleText{Any: n.Any, First: n.First, Stop: n.Stop, When: n.When, Then: n.Then}
}

func ruleViewOf(r work.Rule) InboxRule {
	return InboxRule{ID: r.ID, Inbox: r.Inbox, Name: r.Name, Place: r.Place, Enabled: r.Enabled, RuleText: r.RuleText, Ran: r.Ran, Last: tocsin.FromMillis(r.Last), Version: r.Version}
}

// ListInboxRules are the rules, in the order in which they run.
func (s *Service) ListInboxRules(ctx context.Context, in ListIn) (Page[InboxRule], error) {
	return view(ctx, s, "inbox-rules list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[InboxRule], error) {
		list, err := work.Rules(ctx, t, "")
		if err != nil {
			return Page[InboxRule]{}, err
		}
		out := []InboxRule{}
		for _, r := range list {
			out = append(out, ruleViewOf(r))
		}
		return piece(in.Paging, "inbox rules", out, func(r InboxRule) string { return r.ID })
	})
}

func saveInboxRule(ctx context.Context, t *store.Tenant, id string, n InboxRuleNew) (InboxRule, error) {
	if n.Inbox != "" {
		var one int
		if err := t.QueryRow(ctx, `select count(*) from inbox where tenant = $1 and id = $2`, n.Inbox).Scan(&one); err != nil {
			return InboxRule{}, err
		} else if one == 0 {
			return InboxRule{}, notFound("inbox")
		}
	}
	for _, c := range n.When {
		if err := valid(c); err != nil {
			return InboxRule{}, err
		}
	}
	if err := valid(n.Then); err != nil {
		return InboxRule{}, err
	}
	r, err := work.SaveRule(ctx, t, work.Rule{ID: id, Inbox: n.Inbox, Name: strings.TrimSpace(n.Name), Place: n.Place, Enabled: n.Enabled, RuleText: n.text(), Version: n.Version})
	return ruleViewOf(r), err
}

// CreateInboxRule makes a rule.
func (s *Service) CreateInboxRule(ctx context.Context, in CreateInboxRuleIn) (InboxRule, error) {
	return act(ctx, s, "inbox-rules create", in, func(ctx context.Context, t *store.Tenant, _ Caller) (InboxRule, error) {
		return saveInboxRule(ctx, t, "", in.Body)
	})
}

// EditInboxRule changes a rule.
func (s *Service) EditInboxRule(ctx context.Context, in EditInboxRuleIn) (InboxRule, error) {
	return act(ctx, s, "inbox-rules edit", in, func(ctx context.Context, t *store.Tenant, _ Caller) (InboxRule, error) {
		return saveInboxRule(ctx, t, in.ID, in.Body)
	})
}

// DeleteInboxRule forgets a rule.
func (s *Service) DeleteInboxRule(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "inbox-rules delete", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		return None{}, work.DeleteRule(ctx, t, in.ID)
	})
}

// mostTried is how many mails a dry run looks at.
const mostTried = 20_000

// TryInboxRule says what a rule would have done with mail that came: in inboxes that one may read. Nothing is changed.
func (s *Service) TryInboxRule(ctx context.Context, in TryInboxRuleIn) (InboxRuleTried, error) {
	return inboxView(ctx, s, "inbox-rules try", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (out InboxRuleTried, err error) {
		text := in.Body.text()
		if err := text.Sound(); err != nil {
			return out, err
		}
		boxes := r.List()
		if in.Body.Inbox != "" {
			if err := r.may(ctx, t, in.Body.Inbox, work.LookList, "", ""); err != nil {
				return out, err
			}
			boxes = []string{in.Body.Inbox}
		} else if out.Left, err = r.others(ctx, t); err != nil {
			return out, err
		}
		days := in.Body.Days
		if days == 0 {
			days = 30
		}
		out.Since, out.Some = s.now().AddDate(0, 0, -days), []InboxRuleResult{}
		found, looked, err := work.DryRun(ctx, t, text, boxes, tocsin.Millis(out.Since), mostTried, s.saysOf(ctx, t))
		if err != nil {
			return out, err
		}
		out.Looked, out.Found, out.Cut = looked, len(found), looked >= mostTried
		names, err := namesOfWork(ctx, t)
		if err != nil {
			return out, err
		}
		threads := map[string]bool{}
		for i, m := range found {
			threads[m.Thread] = true
			if i >= 100 {
				continue
			}
			v, err := work.Get(ctx, t, r.Reach, m.Thread)
			if err != nil {
				return out, err
			}
			who, err := workersOf(ctx, t, v.Assignee, text.Then.Assignee)
			if err != nil {
				return out, err
			}
			out.Some = append(out.Some, InboxRuleResult{Thread: m.Thread, Subject: m.Subject, From: m.From, At: tocsin.FromMillis(m.At), Why: m.Why, Does: ruleDoes(text.Then, v, who, names)})
		}
		out.Threads = len(threads)
		return out, nil
	})
}

// ruleDoes is what a rule makes of a thread, in sentences with how it is now.
func ruleDoes(then work.InboxRuleThen, v *work.Thread, who workers, names map[string]string) []string {
	out := []string{}
	if then.Assignee != "" && then.Assignee != v.Assignee {
		out = append(out, "assign it to "+who.name(then.Assignee)+" (now "+who.name(v.Assignee)+")")
	}
	if then.Team != "" && then.Team != v.Team {
		out = append(out, "give it to the team "+firstOf(names[then.Team], "that is gone")+" (now "+firstOf(names[v.Team], "none")+")")
	}
	if then.State != "" && then.State != v.State {
		out = append(out, "set it to "+then.State+" (now "+v.State+")")
	}
	if then.Priority != 0 && then.Priority != v.Priority {
		out = append(out, "make its priority "+priorityName(then.Priority)+" (now "+priorityName(v.Priority)+")")
	}
	for _, g := range then.Add {
		if !slices.Contains(v.Tags, g) {
			out = append(out, "add the tag "+firstOf(names[g], "that is gone"))
		}
	}
	return out
}

func priorityName(n int) string {
	return map[int]string{work.Low: "low", work.Normal: "normal", work.High: "high", work.Urgent: "urgent"}[n]
}

// others are the names of inboxes that one does not work in.
func (r *inboxReader) others(ctx context.Context, t *store.Tenant) (out []string, err error) {
	list, err := find(ctx, t, (&query{}).add(`select id, name from inbox where tenant = $1 order by lower(name), id`), func(v *[2]string) []any { return []any{&v[0], &v[1]} })
	for _, v := range list {
		if !r.In(v[0]) {
			out = append(out, v[1])
		}
	}
	return out, err
}
