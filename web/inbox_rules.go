package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/inbox/work"
)

// inboxRulesView are the rules for mail that comes.
type inboxRulesView struct {
	Rules []api.InboxRule
	inboxNames
}

// inboxRuleView is a rule that is written, and what it would have done.
type inboxRuleView struct {
	Rule    api.InboxRuleNew
	ID      string
	Days    int
	Tried   *api.InboxRuleTried
	Threads []triedThread
	Refused *notice
	inboxNames
}

// triedThread is a thread that a rule would have changed.
type triedThread struct {
	api.InboxRuleResult
	More int // mails of it besides
}

// ruleFields are what a condition looks at.
var ruleFields = [][2]string{{"from", "Sender is"}, {"domain", "Sender's domain is"}, {"to", "Recipient is"}, {"subject", "Subject has"}, {"body", "Text has"}, {"text", "Subject or text has"}, {"file", "A file's name has"}, {"attachments", "It has files"}}

var ruleDays = [][2]string{{"7", "the last 7 days"}, {"30", "the last 30 days"}, {"90", "the last 90 days"}, {"365", "the last year"}, {"3650", "everything that was read"}}

func (w *web) allInboxRules(r *http.Request, p *page) ([]api.InboxRule, error) {
	var out []api.InboxRule
	for in := (api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}); ; {
		got, err := w.svc.ListInboxRules(r.Context(), in)
		if err != nil {
			return nil, err
		}
		out = append(out, got.Items...)
		if in.After = got.Next; in.After == "" {
			return out, nil
		}
	}
}

func (w *web) inboxRules(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var v inboxRulesView
	var err error
	if v.Rules, err = w.allInboxRules(r, p); err != nil {
		return nil, err
	}
	if v.inboxNames, err = w.inboxNames(r, p); err != nil {
		return nil, err
	}
	return inboxRulesPage(p, v), nil
}

// inboxRule shows a rule to be changed, or a new one.
func (w *web) inboxRule(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := inboxRuleView{ID: r.PathValue("id"), Days: 30, Rule: api.InboxRuleNew{Enabled: true}}
	var err error
	if v.inboxNames, err = w.inboxNames(r, p); err != nil {
		return nil, err
	}
	if v.ID != "new" {
		list, err := w.allInboxRules(r, p)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(o api.InboxRule) bool { return o.ID == v.ID })
		if i < 0 {
			return nil, tocsin.Problemf(tocsin.NotFound, "Look at the list of rules.", "There is no such rule.")
		}
		o := list[i]
		v.Rule = api.InboxRuleNew{Inbox: o.Inbox, Name: o.Name, Place: o.Place, Enabled: o.Enabled, Any: o.Any, First: o.First, Stop: o.Stop, When: o.When, Then: o.Then, Version: o.Version}
		p.Title = o.Name
	}
	return inboxRulePage(p, v), nil
}

// inboxRuleDo keeps a rule, tries it on mail that came, or forgets it; what is refused is shown with what was typed.
func (w *web) inboxRuleDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")
	}
	v := inboxRuleView{ID: r.PathValue("id"), Rule: typedRule(r), Days: atoi(r.PostForm.Get("days"))}
	in := api.In{Tenant: p.Tenant.ID}
	at := api.ByIDAct{ByID: api.ByID{In: in, ID: v.ID}}
	said, err := "", error(nil)
	switch r.PostForm.Get("do") {
	case "try":
		var got api.InboxRuleTried
		if got, err = w.svc.TryInboxRule(r.Context(), api.TryInboxRuleIn{In: in, Body: api.InboxRuleTry{InboxRuleNew: v.Rule, Days: v.Days}}); err == nil {
			v.Tried, v.Threads = &got, triedThreads(got.Some)
		}
	case "delete":
		said = "The rule is forgotten. What it did stays."
		_, err = w.svc.DeleteInboxRule(r.Context(), at)
	case "more":
	default:
		said = "The rule is kept. It is asked of mail that comes from now on."
		if v.ID == "new" {
			_, err = w.svc.CreateInboxRule(r.Context(), api.CreateInboxRuleIn{In: in, Body: v.Rule})
		} else {
			_, err = w.svc.EditInboxRule(r.Context(), api.EditInboxRuleIn{ByIDAct: at, Body: v.Rule})
		}
	}
	if err == nil && said != "" {
		w.leaveNotice(rw, &notice{Kind: "good", What: said})
		http.Redirect(rw, r, p.at("inbox", "rules"), http.StatusSeeOther)
		return nil, nil
	}
	status := http.StatusOK
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		v.Refused, status = &notice{Kind: "bad", What: problem.What, Do: problem.Do}, api.StatusOf(err)
	}
	if v.inboxNames, err = w.inboxNames(r, p); err != nil {
		return nil, err
	}
	if r.PostForm.Get("do") == "more" {
		v.Rule.When = append(v.Rule.When, work.InboxCondition{Field: "subject"})
	}
	w.render(rw, r, status, inboxRulePage(p, v))
	return nil, nil
}

// typedRule is the rule of the form. Conditions that look for nothing are left out.
func typedRule(r *http.Request) api.InboxRuleNew {
	f := r.PostForm
	version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
	n := api.InboxRuleNew{Inbox: f.Get("inbox"), Name: trim(f.Get("name")), Place: atoi(f.Get("place")), Enabled: f.Get("enabled") != "", Any: f.Get("any") == "yes", First: f.Get("first") != "", Stop: f.Get("stop") != "", Version: version}
	fields, nots, values := f["field"], f["not"], f["value"]
	for i := range min(len(fields), len(nots), len(values)) {
		c := work.InboxCondition{Field: fields[i], Not: nots[i] == "yes"}
		for _, v := range strings.FieldsFunc(values[i], func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ';' }) {
			if v = trim(v); v != "" {
				c.Value = append(c.Value, v)
			}
		}
		if len(c.Value) > 0 && c.Field != "attachments" {
			n.When = append(n.When, c)
		} else if c.Field == "attachments" {
			c.Value = nil
			n.When = append(n.When, c)
		}
	}
	n.Then = work.InboxRuleThen{Assignee: f.Get("assignee"), Team: f.Get("team"), State: f.Get("state"), Priority: atoi(f.Get("priority")), Add: f["add"]}
	return n
}

// triedThreads has each thread once, where its newest mail stands.
func triedThreads(list []api.InboxRuleResult) (out []triedThread) {
	at := map[string]int{}
	for _, r := range list {
		if i, ok := at[r.Thread]; ok {
			out[i].More++
			continue
		}
		at[r.Thread] = len(out)
		out = append(out, triedThread{InboxRuleResult: r})
	}
	return out
}

// when are a rule's conditions in words.
func ruleWhen(r work.RuleText) string {
	var out []string
	for _, c := range r.When {
		word := strings.ToLower(ruleField(c.Field))
		if c.Not {
			word = "not: " + word
		}
		if len(c.Value) > 0 {
			word += " " + strings.Join(firstN(c.Value, min(len(c.Value), 3)), " or ")
			if len(c.Value) > 3 {
				word += " or " + strconv.Itoa(len(c.Value)-3) + " more"
			}
		}
		out = append(out, word)
	}
	join := " and "
	if r.Any {
		join = ", or "
	}
	s := strings.Join(out, join)
	if r.First {
		s += ", of a thread's first mail"
	}
	return "When " + s
}

func ruleField(name string) string {
	for _, f := range ruleFields {
		if f[0] == name {
			return f[1]
		}
	}
	return name
}

// then is what a rule does in words.
func (n inboxNames) then(c work.InboxRuleThen) string {
	var who, team *string
	if c.Assignee != "" {
		who = &c.Assignee
	}
	if c.Team != "" {
		team = &c.Team
	}
	return n.does(who, team, c.State, c.Priority, c.Add)
}

// rows are the conditions of the form: those there are, and one to fill in.
func (v inboxRuleView) rows() []work.InboxCondition {
	if n := len(v.Rule.When); n > 0 && len(v.Rule.When[n-1].Value) == 0 && v.Rule.When[n-1].Field != "attachments" {
		return v.Rule.When
	}
	return append(slices.Clone(v.Rule.When), work.InboxCondition{Field: []string{"from", "subject"}[min(len(v.Rule.When), 1)]})
}

func yesWord(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
