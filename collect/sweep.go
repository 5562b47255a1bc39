package collect

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Sweep is a step over facts: where rules, groups, people or what is trusted has changed, it judges what only shows
// across a tenant's mailboxes; where somebody's account changed, or somebody decided of a finding, it reckons their risk. It is given to stream.Fold, which runs it once for each fact.
func Sweep(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
	tenants, connections, exports := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range facts {
		if moves(f.Kind) {
			tenants[string(f.Tenant)] = true
		}
		if f.Kind == "consent.changed" || f.Kind == "exception.changed" || f.Kind == "finding.lapsed" || f.Kind == "silence.changed" || f.Kind == "canary.changed" {
			connections[string(f.Tenant)] = true
		}
		if f.Kind == "export.changed" || f.Kind == "exception.changed" || f.Kind == "finding.lapsed" {
			exports[string(f.Tenant)] = true
		}
	}
	if err := sweepRisk(ctx, tx, facts); err != nil {
		return err
	}
	for _, id := range sortedKeys(exports) {
		if err := sweepExports(ctx, tx.Tenant(tocsin.TenantID(id))); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(connections) {
		if err := sweepConnections(ctx, tx.Tenant(tocsin.TenantID(id))); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(tenants) {
		if err := sweep(ctx, tx.Tenant(tocsin.TenantID(id))); err != nil {
			return err
		}
	}
	return nil
}

// moves says whether a fact can change what a sweep finds.
func moves(kind string) bool {
	switch kind {
	case "group.changed", "settings.changed", "exception.changed", "person.changed", "finding.lapsed", "rights.changed", "mailflow.changed":
		return true
	}
	return strings.HasPrefix(kind, "rule.")
}

func sweep(ctx context.Context, t *store.Tenant) error {
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	var people []tocsin.PersonID
	err = each(ctx, t, func(scan func(...any) error) error {
		var p tocsin.PersonID
		err := scan(&p)
		people = append(people, p)
		return err
	}, `select person from rule_target where tenant = $1
		union select person from mailbox_setting where tenant = $1 and name in ('forwarding_smtp', 'forwarding_recipient') and value <> '' order by person`)
	if err != nil {
		return err
	}
	var all []*detect.Mailbox
	for chunk := range slices.Chunk(people, 400) {
		some, err := mailboxes(ctx, t, chunk, org.Now)
		if err != nil {
			return err
		}
		for _, m := range some {
			all = append(all, m.Mailbox)
		}
	}
	found := rule.Across(&org.Org, all)
	if org.err != nil {
		return org.err
	}
	names := map[string]bool{}
	args := []any{}
	for _, s := range rule.Sweeps {
		names[s.Name] = true
		args = append(args, s.Name)
	}
	f := filing{t: t, now: org.Now, rules: names, strict: func() []tocsin.Finding { return rule.Across(org.strict(), all) }}
	if err := f.file(ctx, found, `rule in (`+store.In(len(args), 2)+`)`, args...); err != nil {
		return err
	}
	return sweepOrganisation(ctx, t, org)
}

// Judge is an act for each fact: where what mailboxes are judged by has changed (accepted domains, partners,
// exceptions, a group's members, a person behind an address, the end of an acceptance), the mailboxes it touches are put
// into the journal to be judged again.
func Judge(st *store.Store, j *journal.Journal) func(context.Context, store.Fact) error {
	return func(ctx context.Context, f store.Fact) error {
		query, args := concerned(&f, st.Clock().Now())
		if query == "" {
			return nil
		}
		var items []journal.Item
		err := st.ViewTenant(ctx, f.Tenant, func(t *store.Tenant) error {
			items = items[:0]
			return each(ctx, t, func(scan func(...any) error) error {
				it := journal.Item{Tenant: f.Tenant, Kind: kindJudge, At: tocsin.Millis(st.Clock().Now()), Body: []byte("{}")}
				err := scan(&it.Person)
				items = append(items, it)
				return err
			}, query, args...)
		})
		for err == nil && len(items) > 0 {
			n := min(len(items), 500)
			err = j.Append(ctx, items[:n]...)
			items = items[n:]
		}
		return err
	}
}

// concerned is the query for the people whose mailboxes a fact has judged again; empty for nobody's.
func concerned(f *store.Fact, now time.Time) (query string, args []any) {
	switch f.Kind {
	case "settings.changed", "exception.changed":
		// What was deleted is judged by its history, and so is a mailbox of which nothing is left but a finding.
		return `select person from mailbox where tenant = $1 and (rules_count > 0 or auto_reply <> '' or purpose <> 'user')
			union select person from finding where tenant = $1 and person <> '' and status in ('open', 'in_work', 'accepted')
			union select person from mail_rule where tenant = $1 and deleted > $2
			union select person from mailbox_verdict where tenant = $1 and (forwards <> '' or delegates > 0)`, []any{tocsin.Millis(now.Add(-remembered))}
	case "group.changed":
		return behind(f, `select person from rule_target where tenant = $1 and address in (select address from group_address where tenant = $1 and group_id = $2)
			union select owner from delegation where tenant = $1 and trustee = '`+groupMark+`' || $2 and removed = 0
			union select s.person from mailbox_setting s join group_address a on a.tenant = s.tenant and a.address = s.value where s.tenant = $1 and a.group_id = $2 and s.person <> ''`)
	case "person.changed": // their own mailbox is judged by the fold already
		return behind(f, `select person from rule_target where tenant = $1 and address in (select address from person_address where tenant = $1 and person = $2)
			union select owner from delegation where tenant = $1 and trustee = $2 and removed = 0
			union select s.person from mailbox_setting s join person_address a on a.tenant = s.tenant and a.address = s.value where s.tenant = $1 and a.person = $2 and s.person <> ''`)
	case "finding.lapsed":
		return `select person from person where tenant = $1 and person = $2`, []any{f.Person}
	}
	return "", nil
}

// moved is the body of the fact that a person or a group has changed.
type moved struct {
	Lost []string `json:"lost,omitempty"` // addresses that are theirs no more
}

// behind is the query for those who have mail sent to the person or group of a fact, by what it has now or has lost. The
// first looks are told as one fact, of nobody: it can be anybody that a rule sends mail to. During the first sync there are
// thousands of those; they are followed once the rules have been read whole, whose end tells one more.
func behind(f *store.Fact, now string) (query string, args []any) {
	if f.Subject == "" {
		return `select distinct person from rule_target where tenant = $1
			and exists (select 1 from source where tenant = $1 and name = 'rules' and succeeded > 0)`, nil
	}
	var body moved
	if json.Unmarshal(f.Body, &body) != nil || len(body.Lost) == 0 {
		return strings.Replace(now, "select", "select distinct", 1), []any{f.Subject}
	}
	return now + ` union select person from rule_target where tenant = $1 and address in (` + store.In(len(body.Lost), 3) + `)`,
		append([]any{f.Subject}, anys(body.Lost)...)
}
