package reported

import (
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Verdict is what a report is judged to be.
type Verdict struct {
	Is      string // one of Verdicts; "open" takes it back
	Note    string
	All     bool   // every report of the same mail that waits
	Reply   bool   // who reported is answered
	Text    string // in place of the template's
	Version int64
}

// Judge gives a report its verdict; those judged come back, the one that was asked for first. An answer is queued once for each reporter.
func Judge(ctx context.Context, t *store.Tenant, who, id string, v Verdict) ([]*Mail, error) {
	m, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if m.Version != v.Version {
		return nil, errStale
	}
	all := []*Mail{m}
	if v.All && v.Is != "open" {
		others, err := alike(ctx, t, m)
		if err != nil {
			return nil, err
		}
		all = append(all, others...)
	}
	var answered []string
	for _, m := range all {
		if err := m.judge(ctx, t, who, v); err != nil {
			return nil, err
		}
		if !v.Reply || v.Is == "open" || slices.Contains(answered, m.Reporter) {
			continue
		}
		if err := m.answerable(); err != nil {
			if m == all[0] {
				return nil, err
			}
			continue // of the others the reason stands at their own report
		}
		answered = append(answered, m.Reporter)
		if err := m.queue(ctx, t, who, v.Is, v.Text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m *Mail) judge(ctx context.Context, t *store.Tenant, who string, v Verdict) error {
	now := t.Tx().Clock().Now()
	change, text := "judged", v.Is
	if v.Note != "" {
		text += ": " + v.Note
	}
	m.Status, m.Verdict, m.Judged, m.JudgedBy = "judged", v.Is, now, who
	if v.Is == "open" {
		change, text = "reopened", v.Note
		m.Status, m.Verdict, m.Judged, m.JudgedBy = "open", "", tocsin.FromMillis(0), ""
		if m.Owner != "" {
			m.Status = "in_work"
		}
	}
	if err := m.save(ctx, t, who); err != nil {
		return err
	}
	return note(ctx, t, m.ID, who, change, text)
}

// alike are the other reports of a mail that wait, at most 500.
func alike(ctx context.Context, t *store.Tenant, m *Mail) (out []*Mail, err error) {
	rows, err := t.Query(ctx, `select `+Columns+` from reported_mail where tenant = $1 and alike = $2 and id <> $3 and status <> 'judged' order by id limit 500`, m.Alike, m.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o Mail
		if err := o.Scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, &o)
	}
	return out, rows.Err()
}

// Assign says who looks after a report; owner is empty for nobody.
func Assign(ctx context.Context, t *store.Tenant, who, id, owner string, version int64) (*Mail, error) {
	m, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if m.Version != version {
		return nil, errStale
	}
	if m.Owner == owner {
		return m, nil
	}
	m.Owner = owner
	switch {
	case m.Status == "open" && owner != "":
		m.Status = "in_work"
	case m.Status == "in_work" && owner == "":
		m.Status = "open"
	}
	if err := m.save(ctx, t, who); err != nil {
		return nil, err
	}
	return m, note(ctx, t, m.ID, who, "assigned", owner)
}

// Link says which investigation was made from a report, and with all from every report of the same mail.
func Link(ctx context.Context, t *store.Tenant, who, id, investigation string, all bool) (*Mail, error) {
	m, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	list := []*Mail{m}
	if all {
		others, err := alike(ctx, t, m)
		if err != nil {
			return nil, err
		}
		list = append(list, others...)
	}
	for _, m := range list {
		if m.Investigation == investigation {
			continue
		}
		m.Investigation = investigation
		if err := m.save(ctx, t, who); err != nil {
			return nil, err
		}
		if err := note(ctx, t, m.ID, who, "linked", investigation); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Press takes a press of the add-in's button: who reports is the person in whose mailbox Outlook says the mail is. Nothing of it is believed until
// the mail is found there. again says that the same person had reported the mail before.
func Press(ctx context.Context, t *store.Tenant, mailbox, messageID, text string) (id string, again bool, err error) {
	mailbox = tocsin.CanonicalAddress(mailbox)
	person, name, err := byAddress(ctx, t, mailbox)
	if err != nil {
		return "", false, err
	}
	if person == "" {
		return "", false, tocsin.Problemf(tocsin.NotFound, "Send the mail to the security team as an attachment.", "There is no such mailbox here.")
	}
	now := t.Tx().Clock().Now()
	for _, l := range []struct {
		of   string
		most int
	}{{string(person), 30}, {"", 2000}} { // a person's in an hour, and the tenant's
		n := 0
		err := t.QueryRow(ctx, `select count(*) from reported_mail where tenant = $1 and at > $2 and way = 'addin' and ($3 = '' or reporter_person = $3)`, now.Add(-hour), l.of).Scan(&n)
		if err != nil {
			return "", false, err
		}
		if n >= l.most {
			return "", false, tocsin.Problemf(tocsin.Throttled, "Try again later.", "Very many mails were reported in the last hour.")
		}
	}
	m := &Mail{At: now, Way: Addin, Source: "addin/" + string(person) + "/" + hashOf(strings.ToLower(messageID)), Reporter: mailbox, ReporterName: name, ReporterPerson: person,
		Person: person, Note: text, State: Looking, InternetMessageID: messageID, Due: now}
	fresh, err := m.add(ctx, t)
	if err != nil || fresh {
		return m.ID, false, err
	}
	err = t.QueryRow(ctx, `select id from reported_mail where tenant = $1 and source = $2 and part = 0`, m.Source).Scan(&id)
	return id, true, err
}
