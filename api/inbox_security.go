package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// sender is a mail of a thread as security looks at it.
type sender struct {
	id, address, name, sent, authentication, internet, subject string
	replyTo                                                    []tocsin.Address
	at                                                         int64
}

// newestIn is the newest mail of a thread that came from outside the inbox, or the one that is named.
func newestIn(ctx context.Context, t *store.Tenant, v *work.Thread, message string) (m sender, err error) {
	var reply string
	err = t.QueryRow(ctx, `select id, from_address, from_name, sender_address, authentication, internet_id, subject, reply_to, at from inbox_message where tenant = $1 and inbox = $2 and thread = $3 and direction = 'in' and ($4 = '' or id = $4) order by at desc, id desc limit 1`,
		v.Inbox, v.ID, message).Scan(&m.id, &m.address, &m.name, &m.sent, &m.authentication, &m.internet, &m.subject, &reply, &m.at)
	if errors.Is(err, store.ErrNone) {
		return m, notFound("mail that came in this thread")
	}
	if err == nil {
		err = json.Unmarshal([]byte(reply), &m.replyTo)
	}
	m.address = tocsin.CanonicalAddress(m.address)
	return m, err
}

// GetThreadSecurity says who the other side of a thread is to this company, and what speaks against its mails.
func (s *Service) GetThreadSecurity(ctx context.Context, in ByID) (ThreadSecurity, error) {
	return inboxView(ctx, s, "threads security", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadSecurity, error) {
		v, err := r.thread(ctx, t, in.ID, work.LookThread, "")
		if err != nil {
			return ThreadSecurity{}, err
		}
		m, err := newestIn(ctx, t, v, "")
		if err != nil {
			return ThreadSecurity{}, err
		}
		d := &securityDesk{s: s, t: t, r: r, v: v, m: m, out: ThreadSecurity{Address: m.address, Name: m.name, Signs: []SecuritySign{}, Checks: []SenderCheck{}, Findings: []SecurityLink{}, Investigations: []SecurityLink{}, Lacks: []string{}, Others: SecurityOthers{People: []CorrespondentOf{}}}}
		for _, look := range []func(context.Context) error{d.here, d.elsewhere, d.alike, d.onFace, d.checks, d.bank, d.reported, d.cases} {
			if err := look(ctx); err != nil {
				return ThreadSecurity{}, err
			}
		}
		rank := map[string]int{"danger": 0, "warning": 1, "note": 2, "good": 3}
		slices.SortStableFunc(d.out.Signs, func(a, b SecuritySign) int { return cmp.Compare(rank[a.Level], rank[b.Level]) })
		return d.out, nil
	})
}

type securityDesk struct {
	wrote  bool // somebody here wrote to the address before this thread
	s      *Service
	t      *store.Tenant
	r      *inboxReader
	v      *work.Thread
	m      sender
	person tocsin.PersonID // the shared mailbox's own
	own    []string        // the organisation's domains
	out    ThreadSecurity
}

func (d *securityDesk) sign(kind, level, says string, args ...any) {
	d.out.Signs = append(d.out.Signs, SecuritySign{Kind: kind, Level: level, Says: fmt.Sprintf(says, args...)})
}

// all says whether who asks may know of other people's mailboxes.
func (d *securityDesk) all() bool { return d.r.Role(d.t.ID()).Includes(Viewer) }

// here is what the inbox itself knows: it needs nothing of the security side.
func (d *securityDesk) here(ctx context.Context) error {
	k := &d.out.Known
	var first, last int64
	err := d.t.QueryRow(ctx, `select count(*), coalesce(min(at), 0), coalesce(max(at), 0) from (select at from inbox_message where tenant = $1 and from_address = $2 and inbox = $3 and direction = 'in' order by at limit 10000) theirs`, d.m.address, d.v.Inbox).Scan(&k.Here, &first, &last)
	if err != nil {
		return err
	}
	k.First, k.Last = tocsin.FromMillis(first), tocsin.FromMillis(last)
	if err := d.t.QueryRow(ctx, `select count(*) from inbox_thread where tenant = $1 and inbox = $2 and from_address = $3 and last_out > 0 and id <> $4`, d.v.Inbox, d.m.address, d.v.ID).Scan(&k.Answered); err != nil {
		return err
	}
	d.wrote = k.Answered > 0
	if err := d.t.QueryRow(ctx, `select person from inbox where tenant = $1 and id = $2`, d.v.Inbox).Scan(&d.person); err != nil {
		return err
	}
	d.own, err = column(ctx, d.t, `select name from domain where tenant = $1`)
	return err
}

func column(ctx context.Context, t *store.Tenant, q string, args ...any) ([]string, error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	return scan(rows, func(s *string) []any { return []any{s} })
}

// elsewhere is what is learned of all mailboxes: who knows the address, since when.
func (d *securityDesk) elsewhere(ctx context.Context) error {
	k := &d.out.Known
	person, err := personNamed(ctx, d.t, tocsin.PersonID(d.m.address))
	if err == nil {
		k.Inside, k.Person = true, person
	} else if tocsin.AsProblem(err).Code != tocsin.NotFound {
		return err
	}
	began, _, ok, err := collect.Learned(ctx, d.t)
	if err != nil {
		return err
	}
	if !ok {
		d.out.Lacks = append(d.out.Lacks, "What other mailboxes got from the sender is not known: no connection watches the mail of this tenant.")
		return d.contacted()
	}
	k.Since = dateOf(began)
	rows, err := find(ctx, d.t, (&query{}).add("select "+contactColumns+" from contact where tenant = $1 and address = ? limit 20000", d.m.address), (*contactRow).fields)
	if err != nil {
		return err
	}
	people := map[tocsin.PersonID]bool{}
	slices.SortFunc(rows, func(a, b contactRow) int { return cmp.Compare(b.lastReceived, a.lastReceived) })
	for _, r := range rows {
		k.Sent, k.Received = k.Sent+int(r.sent), k.Received+int(r.received)
		d.wrote = d.wrote || r.firstSent > 0 && r.firstSent < tocsin.Millis(d.v.FirstIn)
		for _, at := range []int64{r.firstSent, r.firstReceived} {
			if when := tocsin.FromMillis(at); at > 0 && (k.First.IsZero() || when.Before(k.First)) {
				k.First = when
			}
		}
		if r.received == 0 || r.person == d.person {
			continue
		}
		if d.out.Others.Mailboxes++; d.all() && len(d.out.Others.People) < 50 {
			people[r.person] = true
			d.out.Others.People = append(d.out.Others.People, CorrespondentOf{Person: r.person, First: tocsin.FromMillis(firstTime(r.firstSent, r.firstReceived)), Last: tocsin.FromMillis(r.lastReceived), Sent: int(r.sent), Received: int(r.received)})
		}
	}
	names, err := namesOf(ctx, d.t, people)
	for i := range d.out.Others.People {
		p := &d.out.Others.People[i]
		p.Who, p.Name = names[p.Person].address, names[p.Person].name
	}
	if err != nil {
		return err
	}
	return d.contacted()
}

// contacted says whether the sender is new.
func (d *securityDesk) contacted() error {
	k := d.out.Known
	before := tocsin.Millis(k.First) > 0 && tocsin.Millis(k.First) < tocsin.Millis(d.v.FirstIn)
	switch {
	case k.Inside:
		d.sign("known", "good", "The address is a colleague's.")
	case !before && !d.wrote: // that this thread was answered makes nobody known
		d.sign("first_contact", "warning", "First contact: nobody here had mail from %s before this thread%s.", d.m.address, asFar(k.Since))
	case d.wrote:
		d.sign("known", "good", "Known since %s; mail went both ways.", k.First.Format("2 January 2006"))
	default:
		d.sign("known", "note", "Seen since %s; nobody here has written to it%s.", k.First.Format("2 January 2006"), asFar(k.Since))
	}
	return nil
}

func asFar(since string) string {
	if since == "" {
		return " (as far as this inbox shows)"
	}
	return " (mail is learned since " + since + ")"
}

// alike looks for an address or a domain that this one can be taken for.
func (d *securityDesk) alike(ctx context.Context) error {
	if d.out.Known.Inside {
		return nil
	}
	_, domain, _ := strings.Cut(d.m.address, "@")
	for _, own := range d.own {
		if own != domain && rule.Mistakable("x@"+domain, "x@"+own) {
			d.sign("look_alike", "danger", "%s looks like %s, which is a domain of this organisation.", domain, own)
			return nil
		}
	}
	known, err := column(ctx, d.t, `select distinct from_address from inbox_thread where tenant = $1 and inbox = $2 and last_out > 0 limit 20000`, d.v.Inbox)
	if err != nil {
		return err
	}
	if d.person != "" {
		more, err := column(ctx, d.t, `select address from contact where tenant = $1 and person = $2 and sent > 0 limit 20000`, string(d.person))
		if err != nil {
			return err
		}
		known = append(known, more...)
	}
	if slices.ContainsFunc(known, func(k string) bool { _, of, _ := strings.Cut(k, "@"); return of == domain }) && d.out.Known.Answered > 0 {
		return nil // it is one of those that are known
	}
	for _, k := range known {
		_, of, _ := strings.Cut(k, "@")
		if of == "" || k == d.m.address {
			continue
		}
		if rule.Mistakable(d.m.address, k) || of != domain && rule.Mistakable("x@"+domain, "x@"+of) {
			d.sign("look_alike", "danger", "%s can be taken for %s, to whom this inbox writes.", d.m.address, k)
			return nil
		}
	}
	return nil
}

// onFace is what the mail shows of its sender: letters of other scripts, a colleague's name, another address to answer to.
func (d *securityDesk) onFace(ctx context.Context) error {
	for _, s := range []string{d.m.name, d.m.address} {
		if as, is := detect.Deceives(s); is {
			d.sign("letters", "danger", "%q is written with letters of another script to look like %q.", s, as)
			break
		}
	}
	if !d.out.Known.Inside && strings.Contains(strings.TrimSpace(d.m.name), " ") {
		colleagues, err := column(ctx, d.t, `select case when mail <> '' then mail else upn end from person where tenant = $1 and lower(name) = $2 and kind = 'member' limit 1`, strings.ToLower(strings.TrimSpace(d.m.name)))
		if err != nil {
			return err
		}
		if len(colleagues) > 0 {
			d.sign("name", "danger", "It calls itself %s, as a colleague is called, and comes from outside; the colleague's address is %s.", d.m.name, colleagues[0])
		}
	}
	_, domain, _ := strings.Cut(d.m.address, "@")
	for _, a := range d.m.replyTo {
		to := a.Canonical()
		if _, other, _ := strings.Cut(to, "@"); to != "" && to != d.m.address {
			level := "note"
			if other != domain {
				level = "warning"
			}
			d.sign("reply_to", level, "Answers go to %s, not to %s.", to, d.m.address)
			break
		}
	}
	if by := tocsin.CanonicalAddress(d.m.sent); by != "" && by != d.m.address {
		d.sign("on_behalf", "note", "It was sent by %s on behalf of %s.", by, d.m.address)
	}
	return nil
}

var checked = regexp.MustCompile(`(?i)\b(spf|dkim|dmarc|compauth)\s*=\s*([a-z]+)`)

// senderChecks reads an Authentication-Results field: https://www.rfc-editor.org/rfc/rfc8601
func senderChecks(field string) []SenderCheck {
	out := []SenderCheck{}
	for _, m := range checked.FindAllStringSubmatch(field, 50) {
		c := SenderCheck{strings.ToLower(m[1]), strings.ToLower(m[2])}
		if i := slices.IndexFunc(out, func(o SenderCheck) bool { return o.Check == c.Check }); i < 0 {
			out = append(out, c)
		} else if c.Result == "pass" { // of several signatures one that holds is enough
			out[i] = c
		}
	}
	return out
}

func (d *securityDesk) checks(context.Context) error {
	d.out.Checks = senderChecks(d.m.authentication)
	if len(d.out.Checks) == 0 {
		if !d.out.Known.Inside {
			d.out.Lacks = append(d.out.Lacks, "Whether the sender is who it says was not written by the mailbox's server.")
		}
		return nil
	}
	var failed []string
	passed := false
	for _, c := range d.out.Checks {
		passed = passed || c.Check == "dmarc" && c.Result == "pass"
		if c.Result == "fail" || c.Result == "softfail" || c.Result == "permerror" || c.Check == "dmarc" && c.Result == "none" {
			failed = append(failed, c.Check+" "+c.Result)
		}
	}
	switch {
	case passed:
		d.sign("authentication", "good", "The sender's domain is proven (DMARC).")
	case slices.ContainsFunc(d.out.Checks, func(c SenderCheck) bool {
		return (c.Check == "dmarc" || c.Check == "compauth") && c.Result == "fail"
	}):
		d.sign("authentication", "danger", "The sender may be forged: %s.", strings.Join(failed, ", "))
	case len(failed) > 0:
		d.sign("authentication", "warning", "The sender's domain is not proven: %s.", strings.Join(failed, ", "))
	}
	return nil
}

// bank compares the bank accounts that the sender's mails name: another than before is what invoice fraud looks like.
func (d *securityDesk) bank(ctx context.Context) error {
	rows, err := find(ctx, d.t, (&query{}).add(`select id, thread from inbox_message where tenant = $1 and from_address = ? and inbox = ? and direction = 'in' and body is not null order by at desc limit 60`, d.m.address, d.v.Inbox), func(v *[2]string) []any { return []any{&v[0], &v[1]} })
	if err != nil {
		return err
	}
	now, before := map[string]bool{}, map[string]bool{}
	told := false
	for _, m := range rows {
		text, err := d.s.saysOf(ctx, d.t)(d.v.Inbox, m[0])
		if tocsin.AsProblem(err).Code == tocsin.Unavailable || err != nil && tocsin.AsProblem(err).Code == tocsin.NotFound {
			d.out.Lacks = append(d.out.Lacks, "Bank accounts were not compared: "+tocsin.AsProblem(err).What)
			return nil
		}
		if err != nil {
			return err
		}
		of := before
		if m[1] == d.v.ID {
			of, told = now, told || newAccount.MatchString(text)
		}
		for _, a := range accounts(text) {
			of[a] = true
		}
	}
	for a := range now {
		if !before[a] && len(before) > 0 {
			d.sign("bank", "danger", "The mail names the bank account %s; earlier mails of the sender named another. Call a number that you know before you pay.", hideAccount(a))
			return nil
		}
	}
	if told {
		d.sign("bank", "warning", "The mail speaks of changed bank details. Call a number that you know before you pay.")
	}
	return nil
}

// newAccount are the ways in which mails say that another account is to be paid to.
var newAccount = regexp.MustCompile(`(?i)\b((new|changed?|updated?|different|revised)\s+(our\s+|the\s+)?(bank(ing)?|account|payment|remittance|wire)\s+(details|account|information|instructions|number)|bank(ing)?\s+(details|account|information)\s+(has|have|is|are|was|were)\s+(been\s+)?(changed|updated|new)|(neue|geänderte)n?\s+(bankverbindung|kontoverbindung|bankdaten|kontonummer)|bankverbindung\s+(hat\s+sich\s+)?geändert|nouvelles?\s+coordonn[ée]es\s+bancaires|nuevos?\s+datos\s+bancarios|gewijzigde?\s+(bankgegevens|rekeningnummer))`)

var iban = regexp.MustCompile(`\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{2,4}){3,8}\b`)

// accounts are the IBANs of a text: those whose check digits are right (ISO 13616).
func accounts(text string) (out []string) {
	for _, a := range iban.FindAllString(strings.ToUpper(text), 100) {
		a = strings.ReplaceAll(a, " ", "")
		for n := len(a); n >= 15; n-- { // the word behind it may have been taken for a part
			if soundAccount(a[:n]) {
				out = append(out, a[:n])
				break
			}
		}
	}
	return out
}

func soundAccount(a string) bool {
	if len(a) < 15 || len(a) > 34 {
		return false
	}
	rest := 0
	for _, r := range a[4:] + a[:4] {
		switch {
		case r >= '0' && r <= '9':
			rest = (rest*10 + int(r-'0')) % 97
		default:
			rest = (rest*100 + int(r-'A') + 10) % 97
		}
	}
	return rest == 1
}

func hideAccount(a string) string { return a[:4] + " … " + a[len(a)-4:] }

// reported is how often mail of the sender was reported.
func (d *securityDesk) reported(ctx context.Context) error {
	err := d.t.QueryRow(ctx, `select count(*), coalesce(sum(case when verdict in ('malicious', 'suspicious') then 1 else 0 end), 0) from (select sender, verdict from reported_mail where tenant = $1 order by at desc, id desc limit 10000) newest where lower(sender) = $2`, d.m.address).
		Scan(&d.out.Reports, &d.out.Malicious)
	if err != nil {
		return err
	}
	if d.out.Malicious > 0 {
		d.sign("reported", "danger", "Mail of this sender was judged malicious or suspicious %d times.", d.out.Malicious)
	} else if d.out.Reports > 0 {
		d.sign("reported", "note", "Mail of this sender was reported %d times.", d.out.Reports)
	}
	return nil
}

// cases are open findings and investigations that have to do with the thread.
func (d *securityDesk) cases(ctx context.Context) error {
	for _, p := range []tocsin.PersonID{d.out.Known.Person, d.person} {
		if p == "" {
			continue
		}
		list, err := find(ctx, d.t, (&query{}).add(`select id, title, severity from finding where tenant = $1 and person = ? and status in ('open', 'in_work') order by risk desc, id limit 20`, string(p)), func(l *SecurityLink) []any { return []any{&l.ID, &l.Title, &l.Severity} })
		if err != nil {
			return err
		}
		d.out.Findings = append(d.out.Findings, list...)
	}
	ids, err := find(ctx, d.t, (&query{}).add(`select distinct i.id, i.name from inbox_message m join mail_match f on f.tenant = m.tenant and f.internet_message_id in (m.internet_id, '<'||m.internet_id||'>') join investigation i on i.tenant = f.tenant and i.id = f.investigation
		where m.tenant = $1 and m.inbox = ? and m.thread = ? and m.internet_id <> '' order by i.id limit 20`, d.v.Inbox, d.v.ID), func(l *SecurityLink) []any { return []any{&l.ID, &l.Title} })
	if err != nil {
		return err
	}
	d.out.Investigations = ids
	d.out.Open = len(d.out.Findings) + len(ids)
	if !d.all() {
		d.out.Findings, d.out.Investigations = []SecurityLink{}, []SecurityLink{}
	}
	return nil
}
