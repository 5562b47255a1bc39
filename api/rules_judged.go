package api

import (
	"context"
	"slices"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/store"
)

// hiding are the detections that say of a rule that it hides mail.
var hiding = []string{"hidden-folder", "hides-security-notices", "hides-money-mail", "mark-read-delete-all"}

// deletesUnseen says whether a rule deletes everything, or what it sends on. Filing, and deleting mail of some kind, hide
// nothing as long as no detection says so.
func deletesUnseen(r tocsin.MailRule) bool {
	return (r.Delete || r.Purge) && (len(r.Conditions) == 0 || len(r.Targets()) > 0)
}

// judgedRules adds to rules what open findings say of them: the highest risk, be it a rule's own finding or one across
// mailboxes (of the rule, as forward-chain, or of where it sends, as shared-destination), and whether it hides mail.
func judgedRules(ctx context.Context, t *store.Tenant, rules []MailRule, people map[tocsin.PersonID]bool) error {
	if len(rules) == 0 {
		return nil
	}
	type judged struct {
		person        tocsin.PersonID
		subject, rule string
		risk          int
	}
	own := &query{}
	own.add("select person, subject, rule, risk from finding where tenant = $1 and status in ('open', 'in_work') and person in (" + own.in(keys(people)...) + ")")
	own.add(" union all select person, subject, rule, risk from finding where tenant = $1 and rule = 'shared-destination' and status in ('open', 'in_work') and person = ''")
	own.add(" union all select p.person, p.rule, f.rule, f.risk from finding_part p join finding f on f.tenant = p.tenant and f.id = p.finding where p.tenant = $1 and f.status in ('open', 'in_work') and p.person in (" + own.in(keys(people)...) + ")")
	found, err := find(ctx, t, own, func(j *judged) []any { return []any{&j.person, &j.subject, &j.rule, &j.risk} })
	if err != nil {
		return err
	}
	for i := range rules {
		r := &rules[i]
		for _, j := range found {
			about := j.person == r.Person && j.subject == r.ID
			shared := j.person == "" && r.Deleted.IsZero() && r.Rule.Enabled && slices.ContainsFunc(r.Targets, func(x Target) bool {
				return x.Outside && detect.SameMailbox(x.Address) == j.subject
			})
			if about || shared {
				r.Risk = max(r.Risk, j.risk)
				r.Hides = r.Hides || about && slices.Contains(hiding, j.rule)
			}
		}
		if r.Risk > 0 {
			r.Severity = detect.Grade(r.Risk)
		}
	}
	return nil
}

// findingsOfRule are the findings about a rule, those in which it has a part, and those of where it sends, the worst first.
func findingsOfRule(ctx context.Context, t *store.Tenant, r MailRule) ([]Finding, error) {
	named, err := find(ctx, t, (&query{}).add("select finding from finding_part where tenant = $1 and person = ? and rule = ? limit 100", r.Person, r.ID), func(id *string) []any { return []any{id} })
	if err != nil {
		return nil, err
	}
	q := (&query{}).add("select "+findingColumns+" from finding where tenant = $1 and (subject = ? and person = ?", r.ID, r.Person)
	if len(named) > 0 {
		q.add(" or id in (" + q.in(anys(named)...) + ")")
	}
	var to []any
	for _, x := range r.Targets {
		if x.Outside {
			to = append(to, detect.SameMailbox(x.Address))
		}
	}
	if len(to) > 0 {
		q.add(" or rule = 'shared-destination' and person = '' and subject in (" + q.in(to...) + ")")
	}
	rows, err := find(ctx, t, q.add(") order by "+worstFirst+" limit 100"), (*findingRow).fields)
	if err != nil {
		return nil, err
	}
	return findingViews(ctx, t, rows)
}
