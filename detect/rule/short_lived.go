package rule

import (
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var shortLived = detect.Meta{
	Name: "short-lived-rule", Title: "A dangerous rule was made and deleted within hours", Family: "hiding",
	Severity: tocsin.High, Attack: []string{"T1070", "T1114.003"}, Stage: "hiding",
	Says:           "An inbox rule that sent mail outside or hid it lived for less than a day: made, used, and its trace removed.",
	FalsePositives: "A person who tries a rule out and thinks better of it.",
	Fix:            "Find out by the message trace and the audit log what went through it while it lived, then treat the mailbox as taken over.",
	Actions:        []string{"revoke_sessions"}, Source: "mailbox_rule",
}

// short is the longest life of a rule that is called short.
const short = 24 * time.Hour

func judgeShortLived(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range m.Rules {
		r := &m.Rules[i]
		life := r.DeletedAt.Sub(r.FirstSeen)
		if !r.Deleted() || r.FirstSeen.IsZero() || life < 0 || life >= short {
			continue
		}
		if f := judgeLife(o, m, r, life); f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// judgeLife judges what the rule did while it lived, whether or not it was switched off at its end.
func judgeLife(o *detect.Org, m *detect.Mailbox, r *detect.Rule, life time.Duration) *tocsin.Finding {
	points, what := harm(o, m, &r.MailRule)
	if r.Before != nil {
		if worse, then := harm(o, m, r.Before); worse > points {
			points, what = worse, then
		}
	}
	if found := append(wordsIn(&r.MailRule, detect.Money), wordsIn(&r.MailRule, detect.Notices)...); points > 0 && len(found) > 0 {
		points += 10
	}
	if points < 20 {
		return nil
	}
	var terms detect.Terms
	lived, later := span(life), span(life)+" later"
	if life < time.Minute {
		lived, later = "less than a minute", "within a minute"
	}
	terms.Add(40, "it lived for "+lived)
	terms.Add(points, "it was a rule that "+what)
	nameTerm(&r.MailRule, &terms)
	f := about(o, &shortLived, m, r)
	f.Time = r.DeletedAt
	return scored(f, terms, fmt.Sprintf("%s of %s was made on %s, and deleted %s; it was a rule that %s.", label(&r.MailRule), m.Address,
		r.FirstSeen.UTC().Format("2 January 2006 at 15:04 UTC"), later, what))
}

// span is a duration in words: "35 minutes", "3 hours".
func span(d time.Duration) string {
	if d < 2*time.Hour {
		return count(int(d.Round(time.Minute)/time.Minute), "minute")
	}
	return count(int(d.Round(time.Hour)/time.Hour), "hour")
}
