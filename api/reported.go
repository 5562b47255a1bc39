package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/investigate/reported"
	"tocsin.dev/store"
)

// reportedRow is a report with what a list shows beside it.
type reportedRow struct {
	reported.Mail
	mailbox string
	reports int
	reply   string
}

const reportedFrom = `select ` + reported.Columns + `, coalesce((select case when p.mail <> '' then p.mail else p.upn end from person p where p.tenant = m.tenant and p.person = m.person), ''),
	(select count(*) from reported_mail o where o.tenant = m.tenant and o.alike = m.alike),
	coalesce((select r.state from reported_reply r where r.tenant = m.tenant and r.reported = m.id order by r.id desc limit 1), '')
	from reported_mail m where m.tenant = $1`

func (r *reportedRow) scan(scan func(...any) error) error {
	return r.Mail.Scan(func(to ...any) error { return scan(append(to, &r.mailbox, &r.reports, &r.reply)...) })
}

// ListReported lists what people reported, the newest first.
func (s *Service) ListReported(ctx context.Context, in ReportedIn) (Page[ReportedMail], error) {
	return view(ctx, s, "reported list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (p Page[ReportedMail], err error) {
		after, err := parseCursor(in.After, "reported", 2)
		if err != nil {
			return p, err
		}
		q := (&query{}).add(reportedFrom)
		switch in.Status {
		case "", "waiting":
			q.add(" and m.status in ('open', 'in_work')")
		case "all":
		default:
			q.add(" and m.status = ?", in.Status)
		}
		for _, f := range []struct{ column, value string }{{"verdict", in.Verdict}, {"way", in.Way}, {"reporter", tocsin.CanonicalAddress(in.Reporter)}, {"investigation", in.Investigation}} {
			if f.value != "" {
				q.add(" and m."+f.column+" = ?", f.value)
			}
		}
		switch in.Owner {
		case "":
		case "none":
			q.add(" and m.owner = ''")
		default:
			q.add(" and m.owner = ?", tocsin.CanonicalAddress(in.Owner))
		}
		if strings.TrimSpace(in.Q) != "" {
			like := contains(in.Q)
			q.add(` and (lower(m.subject) like ? escape '\' or lower(m.sender) like ? escape '\' or lower(m.reporter) like ? escape '\')`, like, like, like)
		}
		if in.Alike {
			q.add(" and not exists (select 1 from reported_mail o where o.tenant = m.tenant and o.alike = m.alike and (o.at > m.at or o.at = m.at and o.id > m.id))")
		}
		if !after.begins() {
			q.add(" and (m.at < ? or m.at = ? and m.id < ?)", after.number(0), after.number(0), after.text(1))
		}
		n := in.limit()
		rows, err := reportedRows(ctx, t, q.add(" order by m.at desc, m.id desc limit ?", n+1))
		if err != nil {
			return p, err
		}
		out := make([]ReportedMail, len(rows))
		for i, r := range rows {
			out[i] = r.view()
		}
		if err := reporters(ctx, t, out); err != nil {
			return p, err
		}
		return paged(out, n, func(m ReportedMail) string { return cursor("reported", tocsin.Millis(m.At), m.ID) }), nil
	})
}

func reportedRows(ctx context.Context, t *store.Tenant, q *query) (out []reportedRow, err error) {
	rows, err := t.Query(ctx, q.text.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r reportedRow
		if err := r.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (r *reportedRow) view() ReportedMail {
	m := &r.Mail
	reply := r.reply
	if reply == reported.Drafting || reply == reported.Drafted {
		reply = reported.Sending
	}
	return ReportedMail{ID: m.ID, At: m.At, Way: m.Way, Reporter: Reporter{Address: m.Reporter, Name: m.ReporterName, Person: m.ReporterPerson, Proven: m.Proven}, Note: m.Note,
		State: m.State, Because: m.Because, Mend: m.Mend, Person: m.Person, Mailbox: r.mailbox, Message: m.Message, Folder: m.Folder,
		InternetMessageID: m.InternetMessageID, Sender: m.Sender, SenderName: m.SenderName, SenderDomain: m.SenderDomain, Subject: m.Subject, Received: m.Received, HasAttachments: m.HasAttachments,
		Status: m.Status, Verdict: m.Verdict, Judged: m.Judged, JudgedBy: m.JudgedBy, Owner: m.Owner, Reports: r.reports, Reply: reply, Investigation: m.Investigation, Evidence: m.Evidence, Version: m.Version}
}

// reporters puts into a list how often who reported was right before.
func reporters(ctx context.Context, t *store.Tenant, list []ReportedMail) error {
	var who []any
	for _, m := range list {
		if !slices.Contains(who, any(m.Reporter.Address)) {
			who = append(who, m.Reporter.Address)
		}
	}
	if len(who) == 0 {
		return nil
	}
	q := (&query{}).add(`select reporter, verdict, count(*) from reported_mail where tenant = $1 and status = 'judged' and reporter in (`)
	q.add(q.in(who...) + `) group by reporter, verdict`)
	type line struct {
		who, verdict string
		n            int
	}
	found, err := find(ctx, t, q, func(l *line) []any { return []any{&l.who, &l.verdict, &l.n} })
	if err != nil {
		return err
	}
	for _, l := range found {
		for i := range list {
			if r := &list[i].Reporter; r.Address == l.who && l.verdict == reported.Clean {
				r.Wrong += l.n
			} else if r.Address == l.who {
				r.Right += l.n
			}
		}
	}
	return nil
}

// oneReported is a report as lists show it.
func oneReported(ctx context.Context, t *store.Tenant, id string) (*reportedRow, ReportedMail, error) {
	rows, err := reportedRows(ctx, t, (&query{}).add(reportedFrom+" and m.id = ?", id))
	if err != nil {
		return nil, ReportedMail{}, err
	}
	if len(rows) == 0 {
		return nil, ReportedMail{}, notFound("report")
	}
	list := []ReportedMail{rows[0].view()}
	err = reporters(ctx, t, list)
	return &rows[0], list[0], err
}

// GetReported gives a report with what was read of the mail, and what became of it.
func (s *Service) GetReported(ctx context.Context, in ByID) (ReportedMailDetail, error) {
	return view(ctx, s, "reported get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (ReportedMailDetail, error) {
		return reportedDetail(ctx, t, in.ID)
	})
}

func reportedDetail(ctx context.Context, t *store.Tenant, id string) (d ReportedMailDetail, err error) {
	row, m, err := oneReported(ctx, t, id)
	if err != nil {
		return d, err
	}
	read := row.Read
	d = ReportedMailDetail{ReportedMail: m, To: some(read.To), Cc: some(read.Cc), ReplyTo: some(read.ReplyTo), Links: mailLinks(read.Links), Attachments: mailFiles(read.Attachments), Authentication: mailChecks(read.Checks),
		Faults: some(read.Faults), Query: read.Query, Others: []ReportedMail{}, Replies: []ReportedReply{}, Changes: []ReportedChange{}, Looks: []EvidenceLook{}}
	others, err := reportedRows(ctx, t, (&query{}).add(reportedFrom+" and m.alike = ? and m.id <> ? order by m.at desc, m.id desc limit 50", row.Alike, id))
	if err != nil {
		return d, err
	}
	for _, o := range others {
		d.Others = append(d.Others, o.view())
	}
	if err := reporters(ctx, t, d.Others); err != nil {
		return d, err
	}
	replies, err := reported.Replies(ctx, t, id)
	if err != nil {
		return d, err
	}
	for _, r := range replies {
		state := r.State
		if state == reported.Drafting || state == reported.Drafted {
			state = reported.Sending
		}
		d.Replies = append(d.Replies, ReportedReply{ID: r.ID, Kind: r.Kind, To: r.To, Subject: r.Subject, Text: r.Text, Way: r.Way, State: state, Because: r.Because, Mend: r.Mend, Created: r.Created, CreatedBy: r.CreatedBy, Changed: r.Changed})
	}
	changes, err := reported.Changes(ctx, t, id)
	if err != nil {
		return d, err
	}
	for _, c := range changes {
		d.Changes = append(d.Changes, ReportedChange(c))
	}
	looks, err := evidence.Looks(ctx, t, evidence.FromReport, id, 100)
	if err != nil {
		return d, err
	}
	for _, l := range looks {
		d.Looks = append(d.Looks, EvidenceLook{At: l.At, Who: l.Who, Reason: l.Reason, What: l.What, Evidence: l.Evidence})
	}
	settings, err := reported.SettingsOf(ctx, t)
	d.Templates = templatesOf(settings.Filled(&row.Mail))
	return d, err
}

func templatesOf(by map[string]reported.Template) (out []ReplyTemplate) {
	for _, verdict := range append([]string{reported.Thanks}, reported.Verdicts...) {
		out = append(out, ReplyTemplate{Verdict: verdict, Subject: by[verdict].Subject, Text: by[verdict].Text})
	}
	return out
}

// some is a list that is never null.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// CountReported says how many reports there are.
func (s *Service) CountReported(ctx context.Context, in In) (ReportedCounts, error) {
	return view(ctx, s, "reported counts", in, func(ctx context.Context, t *store.Tenant, _ Caller) (ReportedCounts, error) {
		c := ReportedCounts{Verdicts: map[string]int{}}
		type line struct {
			status, verdict string
			n               int
			oldest          int64
		}
		found, err := find(ctx, t, (&query{}).add(`select status, verdict, count(*), min(at) from reported_mail where tenant = $1 group by status, verdict`), func(l *line) []any { return []any{&l.status, &l.verdict, &l.n, &l.oldest} })
		if err != nil {
			return c, err
		}
		for _, l := range found {
			switch l.status {
			case "open":
				c.Open += l.n
			case "in_work":
				c.InWork += l.n
			default:
				c.Judged += l.n
				c.Verdicts[l.verdict] += l.n
			}
			if at := tocsin.FromMillis(l.oldest); l.status != "judged" && (c.Oldest.IsZero() || at.Before(c.Oldest)) {
				c.Oldest = at
			}
		}
		settings, err := reported.SettingsOf(ctx, t)
		if err != nil {
			return c, err
		}
		c.Inbox, err = reportedInbox(ctx, t, settings)
		return c, err
	})
}

func reportedInbox(ctx context.Context, t *store.Tenant, s reported.Settings) (ReportedInbox, error) {
	if s.Person == "" {
		return ReportedInbox{}, nil
	}
	in, err := reported.InboxOf(ctx, t, s.Person)
	return ReportedInbox{Address: s.Mailbox, Asked: in.Asked, Because: in.Because, Mend: in.Mend}, err
}

// onReported changes a report and gives it as it is then.
func onReported(ctx context.Context, s *Service, name, id string, in any, do func(context.Context, *store.Tenant, Caller) error) (ReportedMail, error) {
	return act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (ReportedMail, error) {
		if err := do(ctx, t, c); err != nil {
			return ReportedMail{}, err
		}
		_, m, err := oneReported(ctx, t, id)
		return m, err
	})
}

// AssignReported says who looks after a report.
func (s *Service) AssignReported(ctx context.Context, in AssignReportedIn) (ReportedMail, error) {
	return onReported(ctx, s, "reported assign", in.ID, in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		owner := tocsin.CanonicalAddress(in.Body.Owner)
		if owner != "" {
			if _, err := ownerNamed(ctx, t, owner); err != nil {
				return err
			}
		}
		_, err := reported.Assign(ctx, t, c.Email, in.ID, owner, in.Body.Version)
		return err
	})
}

// JudgeReported gives a report its verdict, and answers who reported where that is asked for.
func (s *Service) JudgeReported(ctx context.Context, in JudgeReportedIn) (ReportedMail, error) {
	return onReported(ctx, s, "reported judge", in.ID, in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		b := in.Body
		_, err := reported.Judge(ctx, t, c.Email, in.ID, reported.Verdict{Is: b.Verdict, Note: strings.TrimSpace(b.Note), All: b.All, Reply: b.Reply, Text: b.Text, Version: b.Version})
		return err
	})
}

// ReplyReported answers who reported a mail.
func (s *Service) ReplyReported(ctx context.Context, in ReplyReportedIn) (ReportedMail, error) {
	return onReported(ctx, s, "reported reply", in.ID, in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		_, err := reported.Answer(ctx, t, c.Email, in.ID, in.Body.Text)
		return err
	})
}

// LinkReported says which investigation was made from a report.
func (s *Service) LinkReported(ctx context.Context, in LinkReportedIn) (ReportedMail, error) {
	return onReported(ctx, s, "reported link", in.ID, in, func(ctx context.Context, t *store.Tenant, c Caller) error {
		if in.Body.Investigation != "" {
			n, err := number(ctx, t, (&query{}).add(`select count(*) from investigation where tenant = $1 and id = ?`, in.Body.Investigation))
			if err != nil {
				return err
			}
			if n == 0 {
				return notFound("investigation")
			}
		}
		_, err := reported.Link(ctx, t, c.Email, in.ID, in.Body.Investigation, in.Body.All)
		return err
	})
}

// GetReportedSettings gives what is done with what people report.
func (s *Service) GetReportedSettings(ctx context.Context, in In) (ReportedSettings, error) {
	return view(ctx, s, "reported-settings get", in, func(ctx context.Context, t *store.Tenant, c Caller) (ReportedSettings, error) {
		v, err := reported.SettingsOf(ctx, t)
		if err != nil {
			return ReportedSettings{}, err
		}
		return s.reportedSettings(ctx, t, v, c)
	})
}

func (s *Service) reportedSettings(ctx context.Context, t *store.Tenant, v reported.Settings, c Caller) (out ReportedSettings, err error) {
	out = ReportedSettings{Mailbox: v.Mailbox, Thanks: v.Thanks, Addin: v.Addin, Version: v.Version, Changed: v.Changed, ChangedBy: v.ChangedBy, Templates: templatesOf(v.Templates)}
	if out.Inbox, err = reportedInbox(ctx, t, v); err != nil || !v.Addin || !c.Role(t.ID()).Includes(Admin) || s.o.Sealer == nil {
		return out, err
	}
	key, err := v.Key(s.o.Sealer, t.ID())
	if err == nil && key != "" {
		out.Manifest = s.o.Origin + "/addin/" + key + "/manifest.xml"
	}
	return out, err
}

// SetReportedSettings sets what is done with what people report.
func (s *Service) SetReportedSettings(ctx context.Context, in SetReportedIn) (ReportedSettings, error) {
	return act(ctx, s, "reported-settings set", in, func(ctx context.Context, t *store.Tenant, c Caller) (out ReportedSettings, err error) {
		if s.o.Sealer == nil {
			return out, tocsin.Problemf(tocsin.Unavailable, "Start Tocsin with its key.", "The add-in's key cannot be sealed.")
		}
		v, err := reported.SettingsOf(ctx, t)
		if err != nil {
			return out, err
		}
		b := in.Body
		if b.Mailbox != nil {
			v.Mailbox, v.Person = "", ""
			if address := tocsin.CanonicalAddress(*b.Mailbox); address != "" {
				if v.Person, err = mailboxOf(ctx, t, address); err != nil {
					return out, err
				}
				v.Mailbox = address
			}
		}
		if b.Thanks != nil {
			v.Thanks = *b.Thanks
		}
		if b.Addin != nil {
			v.Addin = *b.Addin
		}
		v.Templates = maps.Clone(v.Templates)
		for _, p := range b.Templates {
			if _, ok := v.Templates[p.Verdict]; !ok {
				return out, invalid("Use one of thanks, "+strings.Join(reported.Verdicts, ", ")+".", "There is no verdict %q to answer with.", p.Verdict)
			}
			p.Subject, p.Text = strings.Join(strings.Fields(p.Subject), " "), strings.TrimSpace(p.Text)
			if p.Subject == "" || p.Text == "" || len(p.Subject) > 250 || len(p.Text) > 10_000 {
				return out, invalid("Give both, at most 250 and 10,000 characters.", "The answer for %s lacks its subject or text, or is too long.", p.Verdict)
			}
			v.Templates[p.Verdict] = reported.Template{Subject: p.Subject, Text: p.Text + "\n"}
		}
		v.Version = b.Version
		if v, err = reported.Set(ctx, t, s.o.Sealer, c.Email, v, b.NewKey); err != nil {
			return out, err
		}
		return s.reportedSettings(ctx, t, v, c)
	})
}

// mailboxOf is whose a mailbox of the tenant is.
func mailboxOf(ctx context.Context, t *store.Tenant, address string) (tocsin.PersonID, error) {
	list, err := find(ctx, t, (&query{}).add(`select p.person, p.mailbox from person_address a join person p on p.tenant = a.tenant and p.person = a.person where a.tenant = $1 and a.address = ? and p.deleted = 0 order by p.person`, address),
		func(r *[2]string) []any { return []any{&r[0], &r[1]} })
	if err != nil {
		return "", err
	}
	for _, r := range list {
		if r[1] != "none" {
			return tocsin.PersonID(r[0]), nil
		}
	}
	return "", invalid("Give the address of a user's or shared mailbox of this tenant.", "Nobody of this tenant has a mailbox with the address %s.", address)
}

// ReportByAddin takes what the add-in sends when somebody presses Report. Whoever has the add-in's address may send it; nothing of it is
// believed until the mail is found in the mailbox that it names.
func (s *Service) ReportByAddin(ctx context.Context, in AddinReportIn) (out AddinTaken, err error) {
	if _, err := s.allow(ctx, "addin report", Everywhere); err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	address := ""
	if r := requestOf(ctx); r != nil {
		address = r.address
	}
	var tenant tocsin.TenantID
	defer func() {
		if tocsin.AsProblem(err) == nil || tocsin.AsProblem(err).Code != tocsin.Throttled {
			s.noteAfter(ctx, "addin report", tenant, in, Caller{Email: tocsin.CanonicalAddress(in.Body.Mailbox)}, err)
		}
	}()
	if err := s.st.View(ctx, func(tx *store.Tx) (err error) {
		tenant, err = reported.TenantOfKey(ctx, tx, in.Body.Key)
		return err
	}); err != nil {
		return out, err
	}
	if tenant == "" { // a stranger's guesses are counted apart, so that they do not shut out those who share an address
		if err := s.attempt(ctx, "addin|"+address, perAddress); err != nil {
			return out, err
		}
		return out, tocsin.Problemf(tocsin.Denied, "Ask the security team for the present add-in.", "The add-in's key is not known here.")
	}
	err = s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		out.ID, out.Again, err = reported.Press(ctx, t, in.Body.Mailbox, in.Body.InternetMessageID, strings.TrimSpace(in.Body.Note))
		return err
	})
	return out, err
}

// AddinOf says whether there is an add-in with a key, for its pages.
func (s *Service) AddinOf(ctx context.Context, key string) (tenant tocsin.TenantID, err error) {
	err = s.st.View(ctx, func(tx *store.Tx) (err error) {
		tenant, err = reported.TenantOfKey(ctx, tx, key)
		return err
	})
	if err == nil && tenant == "" {
		err = notFound("add-in")
	}
	return tenant, err
}
