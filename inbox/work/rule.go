package work

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Rule is what is done by itself when a mail comes from outside. Rows of a first reading are left alone, always.
type Rule struct {
	ID, Inbox, Name string // of all inboxes where inbox is empty
	Place           int
	Enabled         bool
	RuleText
	Ran, Last, Version int64 // last in ms
}

// RuleText is a rule's conditions, all of which hold (any of which, with Any), and what it does.
type RuleText struct {
	Any   bool             `json:"any,omitempty"`
	First bool             `json:"first,omitempty"` // only the mail that began its thread
	Stop  bool             `json:"stop,omitempty"`  // no rule after it
	When  []InboxCondition `json:"when"`
	Then  InboxRuleThen    `json:"then"`
}

// InboxCondition is one of a rule's.
type InboxCondition struct {
	Field string   `json:"field" enum:"from,domain,to,subject,body,text,file,attachments" doc:"What of the mail: its sender, the sender's domain, its recipients, subject, text, both, a file's name, whether it has files"`
	Not   bool     `json:"not,omitempty" doc:"It must not be so"`
	Value []string `json:"value,omitempty" maxLength:"300" doc:"One of these; of subject, text and files it is enough that it stands in it, whatever the case"`
}

// InboxRuleThen is what a rule does with a thread.
type InboxRuleThen struct {
	Assignee string   `json:"assignee,omitempty" maxLength:"100" doc:"An account"`
	Team     string   `json:"team,omitempty" maxLength:"100" doc:"A team"`
	State    string   `json:"state,omitempty" enum:"open,waiting,resolved,spam" doc:"How it stands then"`
	Priority int      `json:"priority,omitempty" minimum:"0" maximum:"4" doc:"1 low to 4 urgent"`
	Add      []string `json:"add_tags,omitempty" maxLength:"100" doc:"Tags, by id"`
}

var fields = []string{"from", "domain", "to", "subject", "body", "text", "file", "attachments"}

// Incoming is a mail as rules see it.
type Incoming struct {
	Inbox, Thread, Message string
	First                  bool
	From, Subject, Text    string
	To, Files              []string
}

// Sound says what is wrong with a rule.
func (r RuleText) Sound() error {
	if len(r.When) == 0 || len(r.When) > 30 {
		return tocsin.Problemf(tocsin.Invalid, "Give one to thirty.", "A rule needs conditions.")
	}
	for _, c := range r.When {
		if !slices.Contains(fields, c.Field) {
			return tocsin.Problemf(tocsin.Invalid, "Use one of "+strings.Join(fields, ", ")+".", "A condition cannot look at %q.", c.Field)
		}
		if c.Field != "attachments" && (len(c.Value) == 0 || len(c.Value) > 200 || slices.ContainsFunc(c.Value, func(s string) bool { return strings.TrimSpace(s) == "" })) {
			return tocsin.Problemf(tocsin.Invalid, "Give one to two hundred texts that are not empty.", "The condition on %s has nothing to look for.", c.Field)
		}
	}
	c := r.Then
	if c.Assignee == "" && c.Team == "" && c.State == "" && c.Priority == 0 && len(c.Add) == 0 {
		return tocsin.Problemf(tocsin.Invalid, "Say what it does.", "The rule does nothing.")
	}
	return nil
}

// Reads says whether the rule looks at what mails say.
func (r RuleText) Reads() bool {
	return slices.ContainsFunc(r.When, func(c InboxCondition) bool { return c.Field == "body" || c.Field == "text" })
}

// Matches says whether a mail meets the rule, and by what.
func (r RuleText) Matches(m Incoming) (why []string, ok bool) {
	if r.First && !m.First {
		return nil, false
	}
	for _, c := range r.When {
		by, is := c.met(m)
		if is == c.Not {
			if !r.Any {
				return nil, false
			}
			continue
		}
		if c.Not {
			by = "not " + strings.Join(c.Value, ", ")
		}
		why = append(why, strings.TrimSpace(c.Field+" "+by))
	}
	return why, len(why) > 0
}

// met says whether a condition holds without its Not, and by which value.
func (c InboxCondition) met(m Incoming) (string, bool) {
	has := func(text string) (string, bool) {
		text = strings.ToLower(text)
		for _, v := range c.Value {
			if strings.Contains(text, strings.ToLower(strings.TrimSpace(v))) {
				return v, true
			}
		}
		return "", false
	}
	is := func(addresses ...string) (string, bool) {
		for _, v := range c.Value {
			for _, a := range addresses {
				if a = tocsin.CanonicalAddress(a); a != "" && a == tocsin.CanonicalAddress(v) {
					return v, true
				}
			}
		}
		return "", false
	}
	switch c.Field {
	case "from":
		return is(m.From)
	case "domain":
		_, domain, _ := strings.Cut(tocsin.CanonicalAddress(m.From), "@")
		for _, v := range c.Value {
			v = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(v), "@"))
			if domain == v || strings.HasSuffix(domain, "."+v) {
				return v, true
			}
		}
		return "", false
	case "to":
		return is(m.To...)
	case "subject":
		return has(m.Subject)
	case "body":
		return has(m.Text)
	case "text":
		return has(m.Subject + "\n" + m.Text)
	case "file":
		return has(strings.Join(m.Files, "\n"))
	}
	return "", len(m.Files) > 0
}

var noRule = tocsin.Problemf(tocsin.NotFound, "Look at the list of rules.", "There is no such rule.")

// Rules are all, in order; one of them where id is not empty.
func Rules(ctx context.Context, t *store.Tenant, id string) ([]Rule, error) {
	rows, err := t.Query(ctx, `select id, inbox, name, place, enabled, body, ran, last, version from inbox_rule where tenant = $1 and ($2 = '' or id = $2) order by place, id`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Rule{}
	for rows.Next() {
		var r Rule
		var body string
		if err := rows.Scan(&r.ID, &r.Inbox, &r.Name, &r.Place, &r.Enabled, &body, &r.Ran, &r.Last, &r.Version); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &r.RuleText); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// SaveRule makes a rule (no id), or changes the one of the id and version.
func SaveRule(ctx context.Context, t *store.Tenant, r Rule) (Rule, error) {
	if err := r.Sound(); err != nil {
		return r, err
	}
	known, err := Tags(ctx, t)
	if err != nil {
		return r, err
	}
	for _, id := range r.Then.Add {
		if !slices.ContainsFunc(known, func(g Tag) bool { return g.ID == id }) {
			return r, noTag
		}
	}
	body, err := json.Marshal(r.RuleText)
	if err != nil {
		return r, err
	}
	if r.ID == "" {
		r.ID = tocsin.NewID()
		_, err = t.Exec(ctx, `insert into inbox_rule (tenant, id, inbox, name, place, enabled, body, created) values ($1, $2, $3, $4, $5, $6, $7, $8)`, r.ID, r.Inbox, r.Name, r.Place, r.Enabled, json.RawMessage(body), t.Tx().Clock().Now())
	} else {
		err = changed(ctx, t, noRule, "inbox_rule", r.ID, r.Version, `inbox = $4, name = $5, place = $6, enabled = $7, body = $8`, r.Inbox, r.Name, r.Place, r.Enabled, json.RawMessage(body))
	}
	if err != nil {
		return r, err
	}
	list, err := Rules(ctx, t, r.ID)
	if err != nil {
		return r, err
	}
	return list[0], nil
}

// DeleteRule forgets a rule.
func DeleteRule(ctx context.Context, t *store.Tenant, id string) error {
	n, err := t.Exec(ctx, `delete from inbox_rule where tenant = $1 and id = $2`, id)
	if err == nil && n == 0 {
		err = noRule
	}
	return err
}

// Follow does what the rules say of a mail that came, in the transaction in which it came. What a rule names that is not there any more (an account
// that left, a tag) is written into the thread, and the next rule goes on.
func Follow(ctx context.Context, t *store.Tenant, m Incoming) error {
	rules, err := Rules(ctx, t, "")
	if err != nil {
		return err
	}
	for _, r := range rules {
		if !r.Enabled || r.Inbox != "" && r.Inbox != m.Inbox {
			continue
		}
		if _, ok := r.Matches(m); !ok {
			continue
		}
		_, err := Apply(ctx, t, Reach{}, "", m.Thread, r.Then.change(r.Name))
		if p := tocsin.AsProblem(err); err != nil && p.Code != tocsin.Internal && p.Code != tocsin.Unavailable {
			v, gone := Get(ctx, t, Reach{}, m.Thread)
			if gone != nil {
				return gone
			}
			if _, err := write(ctx, t, v, "", "rule", What{Because: fmt.Sprintf("the rule “%s” could not: %s", r.Name, p.What)}); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update inbox_rule set ran = ran + 1, last = $3 where tenant = $1 and id = $2`, r.ID, t.Tx().Clock().Now()); err != nil {
			return err
		}
		if r.Stop {
			return nil
		}
	}
	return nil
}

func (c InboxRuleThen) change(name string) Change {
	out := Change{Add: c.Add, Because: "rule “" + name + "”"}
	if c.Assignee != "" {
		out.Assignee = &c.Assignee
	}
	if c.Team != "" {
		out.Team = &c.Team
	}
	if c.State != "" {
		out.State = &c.State
	}
	if c.Priority != 0 {
		out.Priority = &c.Priority
	}
	return out
}

// Tried is what a rule would have done with a mail.
type Tried struct {
	Thread, Message, Subject, From string
	At                             int64 // ms
	Why                            []string
}

// DryRun asks a rule of mails that came, the newest first: those of one inbox, or of all that are given, at most so many. text gives what a mail says. Nothing
// is changed, and what a first reading brought is looked at as well.
func DryRun(ctx context.Context, t *store.Tenant, r RuleText, boxes []string, since int64, most int, text func(inbox, message string) (string, error)) (found []Tried, looked int, err error) {
	for _, box := range boxes {
		mails, err := incoming(ctx, t, box, since, most-looked)
		if err != nil {
			return nil, looked, err
		}
		for _, m := range mails {
			looked++
			if r.Reads() {
				if m.Text, err = text(box, m.Message); err != nil {
					return nil, looked, err
				}
			}
			if why, ok := r.Matches(m.Incoming); ok {
				found = append(found, Tried{Thread: m.Thread, Message: m.Message, Subject: m.Subject, From: m.From, At: m.at, Why: why})
			}
		}
	}
	return found, looked, nil
}

type came struct {
	Incoming
	at int64
}

func incoming(ctx context.Context, t *store.Tenant, box string, since int64, most int) ([]came, error) {
	rows, err := t.Query(ctx, `select m.id, m.thread, m.subject, m.from_address, m.to_list, m.cc_list, m.attachments, m.at, case when v.first_in = m.at then 1 else 0 end
		from inbox_message m join inbox_thread v on v.tenant = m.tenant and v.inbox = m.inbox and v.id = m.thread
		where m.tenant = $1 and m.inbox = $2 and m.at >= $3 and m.direction = 'in' order by m.at desc, m.id desc limit $4`, box, since, most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []came
	for rows.Next() {
		m := came{Incoming: Incoming{Inbox: box}}
		var to, cc, files string
		var first int
		if err := rows.Scan(&m.Message, &m.Thread, &m.Subject, &m.From, &to, &cc, &files, &m.at, &first); err != nil {
			return nil, err
		}
		m.First = first == 1
		if err := m.lists(to, cc, files); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// lists reads what the table of messages holds as JSON.
func (m *Incoming) lists(to, cc, files string) error {
	for _, text := range []string{to, cc} {
		var list []tocsin.Address
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return err
		}
		for _, a := range list {
			m.To = append(m.To, a.Address)
		}
	}
	var list []struct {
		Name   string `json:"name"`
		Inline bool   `json:"inline"`
	}
	if err := json.Unmarshal([]byte(files), &list); err != nil {
		return err
	}
	for _, f := range list {
		if !f.Inline {
			m.Files = append(m.Files, f.Name)
		}
	}
	return nil
}
