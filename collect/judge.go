package collect

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// remembered is how long a deleted rule is still judged: what was made, used and deleted is a finding of its own.
const remembered = 30 * 24 * time.Hour

// judge looks at mailboxes by the checks of one mailbox's state, and files what they find. Whoever has no mailbox, or
// is removed, has nothing found: what was open is fixed then.
func (r *run) judge(ctx context.Context, people []tocsin.PersonID) error {
	if len(people) == 0 {
		return nil
	}
	org, err := r.organisation(ctx)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(people, 400) {
		list, err := mailboxes(ctx, r.t, chunk, org.Now)
		if err != nil {
			return err
		}
		var found []tocsin.Finding
		for _, m := range list {
			addressed(org, m.Mailbox)
			here := rule.Mailbox(&org.Org, m.Mailbox)
			if org.err != nil {
				return org.err
			}
			if err := r.risks(ctx, m, here); err != nil {
				return err
			}
			if err := r.verdict(ctx, org, m, here); err != nil {
				return err
			}
			found = append(found, here...)
		}
		if err := r.reach(ctx, org, chunk); err != nil {
			return err
		}
		f := filing{t: r.t, now: org.Now, rules: checkNames, stands: stillThere(org, list), called: ruleNames(list), strict: func() (found []tocsin.Finding) {
			for _, m := range list {
				found = append(found, rule.Mailbox(org.strict(), m.Mailbox)...)
			}
			return found
		}}
		if err := f.file(ctx, found, `person in (`+store.In(len(chunk), 2)+`)`, anys(chunk)...); err != nil {
			return err
		}
	}
	return nil
}

// ruleNames are the names of mailboxes' rules that one rule alone has.
func ruleNames(list []*boxed) map[ruleKey]string {
	out := map[ruleKey]string{}
	for _, m := range list {
		ids := map[string][]string{}
		for i := range m.Rules {
			if d := &m.Rules[i]; !d.Deleted() && d.Name != "" {
				ids[d.Name] = append(ids[d.Name], d.ID)
			}
		}
		for name, of := range ids {
			if len(of) == 1 {
				out[ruleKey{m.Person, of[0]}] = name
			}
		}
	}
	return out
}

var checkNames = func() map[string]bool {
	names := map[string]bool{}
	for _, c := range rule.Checks {
		names[c.Name] = true
	}
	for _, c := range rule.RightsChecks {
		names[c.Name] = true
	}
	return names
}()

// risks keeps on each rule's row its highest risk and whether it leads outside, so that lists can be sorted by them.
func (r *run) risks(ctx context.Context, m *boxed, found []tocsin.Finding) error {
	highest := map[string]int{}
	for i := range found {
		highest[found[i].Subject] = max(highest[found[i].Subject], found[i].Risk)
	}
	for _, id := range m.quiet {
		if _, err := r.t.Exec(ctx, `update mail_rule set risk = 0 where tenant = $1 and person = $2 and id = $3`, string(m.Person), id); err != nil {
			return err
		}
	}
	for i := range m.Rules {
		d := &m.Rules[i]
		is := standing{highest[d.ID], slices.ContainsFunc(d.Targets(), r.org.Outside)}
		if is == m.standing[i] {
			continue
		}
		if _, err := r.t.Exec(ctx, `update mail_rule set risk = $4, outside = $5 where tenant = $1 and person = $2 and id = $3`,
			string(m.Person), d.ID, is.risk, is.outside); err != nil {
			return err
		}
	}
	return nil
}

// reach keeps on the people's destinations whether they are outside, which changes with domains and partners.
func (r *run) reach(ctx context.Context, org *organisation, people []tocsin.PersonID) error {
	var turned [][]any
	err := each(ctx, r.t, func(scan func(...any) error) error {
		var address, person string
		var outside bool
		if err := scan(&address, &person, &outside); err != nil {
			return err
		}
		if now := org.Outside(tocsin.Address{Address: address}); now != outside {
			turned = append(turned, []any{address, person, now})
		}
		return nil
	}, `select distinct address, person, outside from rule_target where tenant = $1 and person in (`+store.In(len(people), 2)+`)`, anys(people)...)
	for _, args := range turned {
		if err == nil {
			_, err = r.t.Exec(ctx, `update rule_target set outside = $4 where tenant = $1 and address = $2 and person = $3`, args...)
		}
	}
	return err
}

// boxed is a mailbox as rules see it, and how its rules' rows stand.
type boxed struct {
	*detect.Mailbox
	standing []standing // of each rule
	quiet    []string   // rules that we stopped, and whose rows still have a risk
	places   []placed   // of each right over it, in the order of Grants, and then of each forwarding
	verdict  verdictRow // as it is held
}

type standing struct {
	risk    int
	outside bool
}

// mailboxes gives the people's mailboxes as rules see them, in the order of people; who has none is left out.
func mailboxes(ctx context.Context, t *store.Tenant, people []tocsin.PersonID, now time.Time) ([]*boxed, error) {
	in := store.In(len(people), 2)
	by := map[tocsin.PersonID]*boxed{}
	err := each(ctx, t, func(scan func(...any) error) error {
		m := &boxed{Mailbox: &detect.Mailbox{}}
		var upn, reply string
		if err := scan(&m.Person, &m.Address, &upn, &m.Name, &m.Title, &m.SignIn, &m.Purpose, &reply); err != nil {
			return err
		}
		if m.Address == "" {
			m.Address = upn
		}
		if reply != "" {
			if err := json.Unmarshal([]byte(reply), &m.AutoReply); err != nil {
				return err
			}
		}
		by[m.Person] = m
		return nil
	}, `select p.person, p.mail, p.upn, p.name, p.title, p.enabled, coalesce(m.purpose, ''), coalesce(m.auto_reply, '') from person p
		left join mailbox m on m.tenant = p.tenant and m.person = p.person
		where p.tenant = $1 and p.deleted = 0 and p.mailbox <> 'none' and p.person in (`+in+`)`, anys(people)...)
	if err != nil {
		return nil, err
	}
	if err := rulesOf(ctx, t, people, by, now); err != nil {
		return nil, err
	}
	if err := rightsOf(ctx, t, people, by); err != nil {
		return nil, err
	}
	var out []*boxed
	for _, id := range people {
		if m := by[id]; m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// rulesOf puts the rules into their mailboxes: those that exist, those deleted not long ago, each with its history.
func rulesOf(ctx context.Context, t *store.Tenant, people []tocsin.PersonID, by map[tocsin.PersonID]*boxed, now time.Time) error {
	since := tocsin.Millis(now.Add(-remembered))
	type key struct {
		person tocsin.PersonID
		rule   string
	}
	where := map[key]int{}
	ours, err := ourActs(ctx, t, anys(people), 0)
	if err != nil {
		return err
	}
	args := append([]any{since}, anys(people)...)
	in := store.In(len(people), 3)
	err = each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var id, body string
		var changed, deleted int64
		var as standing
		if err := scan(&person, &id, &body, &changed, &deleted, &as.risk, &as.outside); err != nil {
			return err
		}
		m := by[person]
		if m == nil {
			return nil
		}
		d := detect.Rule{Changed: tocsin.FromMillis(changed), DeletedAt: tocsin.FromMillis(deleted)}
		if err := json.Unmarshal([]byte(body), &d.MailRule); err != nil {
			return err
		}
		d.ID = id
		if stopped(ours[person], id, d.Enabled, deleted > 0) {
			if as.risk > 0 {
				m.quiet = append(m.quiet, id)
			}
			return nil
		}
		where[key{person, id}] = len(m.Rules)
		m.Rules, m.standing = append(m.Rules, d), append(m.standing, as)
		return nil
	}, `select person, id, body, changed, deleted, risk, outside from mail_rule where tenant = $1 and (deleted = 0 or deleted > $2) and person in (`+in+`) order by person, id`, args...)
	if err != nil || len(where) == 0 {
		return err
	}
	return each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var id, what, before string
		var at int64
		if err := scan(&person, &id, &at, &what, &before); err != nil {
			return err
		}
		i, ok := where[key{person, id}]
		if !ok {
			return nil
		}
		d := &by[person].Rules[i]
		switch what {
		case "found":
			d.FirstSeen = time.Time{} // it was there when we first looked
		case "created":
			d.FirstSeen, d.Before = tocsin.FromMillis(at), nil
		case "updated":
			var b tocsin.MailRule
			if err := json.Unmarshal([]byte(before), &b); err != nil {
				return err
			}
			if at >= since {
				d.Before = &b
			}
		}
		return nil
	}, `select person, rule, at, change, before from rule_change where tenant = $1 and action = '' and person in (`+store.In(len(people), 2)+`) order by person, rule, at, id`, anys(people)...)
}
