package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// meanings are what the changes of a run of messages are understood by, besides the messages: the rules that forward,
// what we did ourselves, and how folders are called.
type meanings struct {
	rules    map[tocsin.PersonID][]standingRule // in their order, of those mailboxes where one sends mail on
	echoes   map[tocsin.PersonID]map[string][]*echo
	names    map[string]string          // of folders, by id
	known    map[string]string          // of well-known ones, by id
	hours    map[hourOf]int             // what came
	canaries map[string]*mailLook       // by id
	unnamed  map[string]tocsin.PersonID // folders that messages are in and that are not known, and whose
}

// mailCalls are the calls by which a message, and a list of messages, is looked at: with what was last done with them,
// where the app may know that (not under Mail.ReadBasic.All).
func mailCalls(ctx context.Context, client *graph.Client) (one, list string) {
	if client == nil {
		return "messages.get", "messages.list"
	}
	roles, err := client.RolesFor(ctx, "")
	if err != nil || !slices.ContainsFunc(graph.Find("messages.get.answered").Permissions, func(p string) bool { return slices.Contains(roles, p) }) {
		return "messages.get", "messages.list"
	}
	return "messages.get.answered", "messages.list.answered"
}

// standingRule is a rule that is on, and since when it is known to stand as it is.
type standingRule struct {
	tocsin.MailRule
	since int64
}

// understand reads what a batch is understood by.
func (f *mailFold) understand(ctx context.Context, batch []pending[mailLooks]) (meanings, error) {
	m := meanings{names: map[string]string{}, known: map[string]string{}, unnamed: map[string]tocsin.PersonID{}, hours: map[hourOf]int{}, canaries: map[string]*mailLook{}}
	people, folders := map[tocsin.PersonID]bool{}, map[string]bool{}
	for i := range batch {
		people[batch[i].person] = true
		for _, l := range batch[i].body.Looks {
			if l.Message != nil && l.Message.Folder != "" {
				folders[l.Message.Folder] = true
				m.unnamed[l.Message.Folder] = batch[i].person
			}
		}
	}
	for _, list := range f.held {
		for _, h := range list {
			folders[h.folder] = true
		}
	}
	known := &f.recalled.folders
	err := known.read(ctx, f.t, "mail_folder", sortedKeys(folders), func(lacking []string) error {
		return f.some(ctx, lacking, func(scan func(...any) error) error {
			var id, name, everywhere string
			err := scan(&id, &name, &everywhere)
			is := known.has[id]
			if is == nil {
				is = &knownFolder{}
				known.has[id] = is
			}
			is.name, is.known = name, cmp.Or(everywhere, is.known)
			return err
		}, func(in string) string {
			return `select id, name, known from mail_folder where tenant = $1 and id in (` + in + `)`
		})
	})
	if err != nil {
		return m, err
	}
	for id := range folders {
		is := known.has[id]
		if is == nil {
			continue
		}
		if m.names[id] = is.name; is.known != "" {
			m.known[id] = is.known
		}
		delete(m.unnamed, id)
	}
	if m.rules, err = f.forwarders(ctx, sortedKeys(people)); err != nil {
		return m, err
	}
	m.echoes, err = echoesOf(ctx, f.run, sortedKeys(people))
	return m, err
}

// forwarders are the rules that are on in those of the mailboxes in which one sends mail on.
func (r *run) forwarders(ctx context.Context, people []tocsin.PersonID) (map[tocsin.PersonID][]standingRule, error) {
	known := &r.recalled.rules
	err := known.read(ctx, r.t, "mail_rule", people, func(lacking []tocsin.PersonID) error {
		return r.some(ctx, lacking, func(scan func(...any) error) error {
			var person tocsin.PersonID
			err := scan(&person)
			known.has[person] = true
			return err
		}, func(in string) string {
			return `select distinct person from mail_rule where tenant = $1 and deleted = 0 and targets > 0 and enabled and person in (` + in + `)`
		})
	})
	some := slices.DeleteFunc(people, func(p tocsin.PersonID) bool { return !known.has[p] })
	if err != nil || len(some) == 0 {
		return nil, err
	}
	out := map[tocsin.PersonID][]standingRule{}
	err = r.some(ctx, some, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var body string
		var s standingRule
		if err := scan(&person, &body, &s.since); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &s.MailRule); err != nil {
			return fmt.Errorf("a rule of %s: %w", person, err)
		}
		out[person] = append(out[person], s)
		return nil
	}, func(in string) string {
		return `select person, body, case when changed > first_seen then changed else first_seen end from mail_rule
			where tenant = $1 and deleted = 0 and enabled and person in (` + in + `)`
	})
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b standingRule) int { return a.Sequence - b.Sequence })
	}
	return out, err
}

// lastVerb is what was last done with a message, as far as it is known after a look: one that did not ask for it, or was
// not allowed to know, takes nothing back.
func lastVerb(had *mailHeld, is *mailSeen) string {
	if v := is.verbed(); v != "" || had == nil {
		return v
	}
	return had.verb
}

// more adds to what happened to a message what a rule did with it, and says of each whether it was us.
func (m *meanings) more(person tocsin.PersonID, b *mailBox, had *mailHeld, is *mailSeen, l *mailLook, happened []mailEvent) []mailEvent {
	received := is != nil && slices.ContainsFunc(happened, func(e mailEvent) bool { return e.action == "email_received" })
	if received {
		m.hours[hourOf{person, cmp.Or(is.Received, l.At) / hour * hour}]++
	}
	if is != nil && len(is.Categories) > 0 {
		if id := canaryIn(is); id != "" {
			m.canaries[id] = l
		}
	}
	if received && b.folders[is.Folder] != "junkemail" {
		for _, id := range forwardedBy(m.rules[person], is, b.mine) {
			happened = append(happened, mailEvent{action: "email_forwarded", with: "rule " + id, rule: id})
		}
	}
	for i := range happened {
		happened[i].ours = m.us(person, l, is, happened[i].action)
	}
	return happened
}

// forwardedBy are the rules that certainly sent a message on when it came: they stood before it, all that they ask for is
// known of it and holds, and no rule before them may have ended the run. The rest is left out: nothing is guessed.
func forwardedBy(rules []standingRule, m *mailSeen, mine func(string) bool) (out []string) {
	for i := range rules {
		r := &rules[i]
		if r.HasError {
			continue
		}
		takes := ruleTakes(&r.MailRule, m, mine)
		if r.since > m.Received {
			takes = mayBe // as it was then, nobody knows
		}
		if takes == isSo && len(r.Targets()) > 0 {
			out = append(out, r.ID)
		}
		if r.Stop && takes != isNot {
			break
		}
	}
	return out
}

// truth is whether something holds, as far as what is kept of a message can tell.
type truth int

const (
	isNot truth = iota
	mayBe
	isSo
)

// ruleTakes says whether a rule takes a message: all conditions hold, and no exception does.
func ruleTakes(r *tocsin.MailRule, m *mailSeen, mine func(string) bool) truth {
	if len(r.Unknown) > 0 {
		return mayBe
	}
	all := isSo
	for _, c := range r.Conditions {
		all = min(all, holds(c, m, mine))
	}
	for _, x := range r.Exceptions {
		all = min(all, isSo-holds(x, m, mine))
	}
	return all
}

// holds says whether a condition holds of a message. What is not kept of a message, nobody can say.
func holds(c tocsin.Term, m *mailSeen, mine func(string) bool) truth {
	is := func(b bool) truth {
		if b == (len(c.Values) == 1 && strings.EqualFold(c.Values[0], "false")) {
			return isNot
		}
		return isSo
	}
	to, cc := anyMine(m.To, m.Counts[0], mine), anyMine(m.Cc, m.Counts[1], mine)
	switch c.Name {
	case "has_attachments":
		if m.Attachments == nil || !*m.Attachments {
			return mayBe // inline ones count for rules, and not for Graph
		}
		return is(true)
	case "importance":
		if m.Importance == "" {
			return mayBe
		}
		return isSo.when(slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, m.Importance) }))
	case "from_addresses":
		from := m.From.Canonical()
		if from == "" {
			return mayBe
		}
		return isSo.when(slices.ContainsFunc(c.Values, func(v string) bool { return tocsin.CanonicalAddress(v) == from }))
	case "sent_to_me":
		return to.known(is)
	case "sent_cc_me":
		return cc.known(is)
	case "sent_to_or_cc_me":
		return max(to, cc).known(is)
	case "not_sent_to_me":
		return (isSo - to).known(is)
	case "sent_only_to_me":
		if to == isSo && m.Counts[0] == 1 && m.Counts[1] == 0 {
			return is(true)
		}
		return min(to, mayBe).known(is)
	}
	return mayBe
}

// when is t where it holds, and isNot where it does not.
func (t truth) when(holds bool) truth {
	if holds {
		return t
	}
	return isNot
}

// known asks is, where t is known.
func (t truth) known(is func(bool) truth) truth {
	if t == mayBe {
		return mayBe
	}
	return is(t == isSo)
}

// anyMine says whether the mailbox's owner is among recipients, of whom there were n in all. Mail may also come to one by a
// group, in which Exchange does not see the owner either.
func anyMine(list []tocsin.Address, n int, mine func(string) bool) truth {
	if slices.ContainsFunc(list, func(a tocsin.Address) bool { return mine(a.Canonical()) }) {
		return isSo
	}
	if n > len(list) {
		return mayBe
	}
	return isNot
}

// Echo is what will be seen in a mailbox because of something that we do there: it is written down in the transaction in
// which the act is, before Microsoft is asked, and taken back by none. What is seen so is marked with the act, and nobody
// is alarmed by it.
type Echo struct {
	Person  tocsin.PersonID
	Object  string   // the message, by its immutable id; or byCategory and a category that it alone bears
	Changes []string // that it makes: email_moved, email_deleted, email_updated …; each is expected once
	Act     string   // the action's id
	From    int64    // Unix milliseconds
	Until   int64    // what is noticed later is somebody else's
}

// Expect writes down what is to be seen of an act.
func Expect(ctx context.Context, t *store.Tenant, e Echo) error {
	rows := make([][]any, 0, len(e.Changes))
	for _, c := range e.Changes {
		rows = append(rows, []any{string(e.Person), e.Object, c, e.Act, e.From, e.Until})
	}
	return t.Insert(ctx, store.Into{Table: "echo", Key: []string{"person", "object", "change", "act"}, Columns: []string{"person", "object", "change", "act", "since", "until"}}, rows)
}

// echo is a row of the table.
type echo struct {
	Echo
	change string
	heard  bool
}

func echoesOf(ctx context.Context, r *run, people []tocsin.PersonID) (map[tocsin.PersonID]map[string][]*echo, error) {
	out := map[tocsin.PersonID]map[string][]*echo{}
	known := &r.recalled.echoes
	find := func(people []tocsin.PersonID) error {
		return r.some(ctx, people, func(scan func(...any) error) error {
			var e echo
			if err := scan(&e.Person, &e.Object, &e.change, &e.Act, &e.From, &e.Until); err != nil {
				return err
			}
			if out[e.Person] == nil {
				out[e.Person] = map[string][]*echo{}
			}
			out[e.Person][e.Object] = append(out[e.Person][e.Object], &e)
			known.has[e.Person] = true
			return nil
		}, func(in string) string {
			return `select person, object, change, act, since, until from echo where tenant = $1 and person in (` + in + `) order by since`
		})
	}
	if err := known.read(ctx, r.t, "echo", people, find); err != nil {
		return nil, err
	}
	return out, find(slices.DeleteFunc(people, func(p tocsin.PersonID) bool { return !known.has[p] || out[p] != nil })) // one is heard once in a run
}

// us is the act of ours that a change comes from; "" where it is somebody else's. Each act explains a change once.
func (m *meanings) us(person tocsin.PersonID, l *mailLook, is *mailSeen, action string) string {
	at := l.At
	if is != nil && action != "email_deleted" {
		at = is.Modified + 999 // Graph tells it in whole seconds
	}
	if len(m.echoes[person]) == 0 {
		return ""
	}
	objects := []string{l.ID}
	if is != nil {
		for _, c := range is.Categories {
			objects = append(objects, byCategory+c)
		}
	}
	for _, o := range objects {
		for _, e := range m.echoes[person][o] {
			if !e.heard && e.change == action && at >= e.From && at <= e.Until {
				e.heard = true
				return e.Act
			}
		}
	}
	return ""
}

// forget takes away the echoes that were heard.
func (f *mailFold) forget(ctx context.Context) error {
	for _, of := range f.means.echoes {
		for _, list := range of {
			for _, e := range list {
				if !e.heard {
					continue
				}
				if _, err := f.t.Exec(ctx, `delete from echo where tenant = $1 and person = $2 and object = $3 and change = $4 and act = $5`,
					string(e.Person), e.Object, e.change, e.Act); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
