package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/net/html"

	"tocsin.dev"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/investigate/reported"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

// A mail's content is shown to who says why. That is written to the trail, and to the looks at what it belongs to, before it is given out: who
// cannot be written down sees nothing.

// PreviewReported shows a reported mail: from what is kept of it, else from the mailbox.
func (s *Service) PreviewReported(ctx context.Context, in LookIn) (MailPreview, error) {
	raw, kept, err := s.lookReported(ctx, "reported preview", in, evidence.Shown)
	if err != nil {
		return MailPreview{}, err
	}
	p := previewOf(raw)
	p.Kept = kept.ID != ""
	return p, nil
}

// DownloadReported gives a reported mail as it was kept.
func (s *Service) DownloadReported(ctx context.Context, in LookIn) (EvidenceFile, error) {
	raw, kept, err := s.lookReported(ctx, "reported download", in, evidence.Downloaded)
	if err != nil {
		return EvidenceFile{}, err
	}
	if kept.ID == "" {
		sum := sha256.Sum256(raw)
		kept.SHA256, kept.Size = hex.EncodeToString(sum[:]), int64(len(raw))
	}
	return EvidenceFile{Evidence: evidenceView(kept, ""), Name: "reported-" + in.ID + ".eml", EML: raw}, nil
}

// lookReported reads a reported mail and notes the look.
func (s *Service) lookReported(ctx context.Context, name string, in LookIn, what string) (raw []byte, kept evidence.Item, err error) {
	c, err := s.allow(ctx, name, tenantOf(in))
	if err != nil {
		s.refused(ctx, name, tenantOf(in), in, c, err)
		return nil, kept, err
	}
	var m *reported.Mail
	err = s.st.ViewTenant(ctx, tenantOf(in), func(t *store.Tenant) (err error) {
		if err := exists(ctx, t); err != nil {
			return err
		}
		m, err = reported.Get(ctx, t, in.ID)
		return err
	})
	if err == nil {
		err = valid(in)
	}
	if err == nil && m.Evidence == "" {
		switch {
		case m.Message == "":
			err = tocsin.Problemf(tocsin.Conflict, "Ask the reporter to send it as an attachment.", "The mail itself is not known: nothing of it is kept, and it was not found in a mailbox.")
		default:
			raw, err = s.fetch(ctx, tenantOf(in), m.Person, m.Message)
		}
	}
	if err != nil {
		s.refused(ctx, name, tenantOf(in), in, c, err)
		return nil, kept, err
	}
	_, err = act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		if m.Evidence != "" {
			if s.o.Sealer == nil {
				return None{}, unsealed
			}
			if kept, raw, err = evidence.Open(ctx, t, s.o.Sealer, m.Evidence); err != nil {
				return None{}, err
			}
		}
		return None{}, evidence.Note(ctx, t, evidence.Look{Evidence: m.Evidence, Origin: evidence.FromReport, OriginID: m.ID, Person: m.Person, Message: m.Message, Who: c.Email, Reason: in.Body.Reason, What: what})
	})
	return raw, kept, err
}

var unsealed = tocsin.Problemf(tocsin.Unavailable, "Start Tocsin with its key.", "Evidence cannot be sealed or opened.")

// fetch reads a message from its mailbox.
func (s *Service) fetch(ctx context.Context, tenant tocsin.TenantID, person tocsin.PersonID, message string) ([]byte, error) {
	if s.o.Reported == nil {
		return nil, tocsin.Problemf(tocsin.Unavailable, "Ask the server that runs.", "Mail cannot be read here.")
	}
	return s.o.Reported.Fetch(ctx, tenant, person, message)
}

// PreviewMail shows a message of a mailbox.
func (s *Service) PreviewMail(ctx context.Context, in LookAtMailIn) (MailPreview, error) {
	raw, _, err := s.lookAtMail(ctx, "mails preview", in, false)
	if err != nil {
		return MailPreview{}, err
	}
	return previewOf(raw), nil
}

// KeepMail keeps a message of a mailbox as evidence.
func (s *Service) KeepMail(ctx context.Context, in LookAtMailIn) (Evidence, error) {
	_, kept, err := s.lookAtMail(ctx, "mails keep", in, true)
	return kept, err
}

// lookAtMail reads a message from a mailbox and notes the look; keep keeps it.
func (s *Service) lookAtMail(ctx context.Context, name string, in LookAtMailIn, keep bool) (raw []byte, out Evidence, err error) {
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	var person tocsin.PersonID
	var address string
	if err == nil {
		err = s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			if err := exists(ctx, t); err != nil {
				return err
			}
			if err := valid(in); err != nil {
				return err
			}
			if person, err = personNamed(ctx, t, in.Body.Person); err != nil {
				return err
			}
			return t.QueryRow(ctx, `select case when mail <> '' then mail else upn end from person where tenant = $1 and person = $2`, string(person)).Scan(&address)
		})
	}
	if err == nil {
		raw, err = s.fetch(ctx, tenant, person, in.Body.Message)
	}
	if err != nil {
		s.refused(ctx, name, tenant, in, c, err)
		return nil, out, err
	}
	out, err = act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (Evidence, error) {
		b := in.Body
		if b.Investigation != "" {
			n, err := number(ctx, t, (&query{}).add(`select count(*) from investigation where tenant = $1 and id = ?`, b.Investigation))
			if err != nil {
				return out, err
			}
			if n == 0 {
				return out, notFound("investigation")
			}
		}
		if !keep {
			return out, evidence.Note(ctx, t, evidence.Look{Origin: evidence.FromMatch, OriginID: b.Investigation, Person: person, Message: b.Message, Who: c.Email, Reason: b.Reason.Reason, What: evidence.Shown})
		}
		if s.o.Sealer == nil {
			return out, unsealed
		}
		m := mail.ParseParts(raw, 0)
		it := evidence.Item{By: c.Email, Reason: strings.TrimSpace(b.Reason.Reason), Origin: evidence.FromMatch, OriginID: b.Investigation, Person: person, Message: b.Message, InternetMessageID: angle(m.MessageID), Subject: m.Subject, Received: m.Received}
		if len(m.From) > 0 {
			it.Sender = m.From[0].Address
		}
		if it.Received.IsZero() {
			it.Received = m.Date
		}
		it, err := evidence.Keep(ctx, t, s.o.Sealer, it, raw)
		return evidenceView(it, address), err
	})
	return raw, out, err
}

func angle(id string) string {
	if id == "" {
		return ""
	}
	return "<" + id + ">"
}

// ListEvidence lists what is kept, the newest first.
func (s *Service) ListEvidence(ctx context.Context, in EvidenceIn) (Page[Evidence], error) {
	return view(ctx, s, "evidence list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (p Page[Evidence], err error) {
		after, err := parseCursor(in.After, "evidence", 1)
		if err != nil {
			return p, err
		}
		list, err := evidence.List(ctx, t, in.Origin, in.OriginID, after.text(0), in.limit()+1)
		if err != nil {
			return p, err
		}
		out := make([]Evidence, len(list))
		for i, it := range list {
			out[i] = evidenceView(it, "")
		}
		if err := fromMailboxes(ctx, t, out); err != nil {
			return p, err
		}
		return paged(out, in.limit(), func(e Evidence) string { return cursor("evidence", e.ID) }), nil
	})
}

// fromMailboxes puts into a list in whose mailbox each mail was.
func fromMailboxes(ctx context.Context, t *store.Tenant, list []Evidence) error {
	var who []any
	for _, e := range list {
		if e.Person != "" {
			who = append(who, string(e.Person))
		}
	}
	if len(who) == 0 {
		return nil
	}
	q := (&query{}).add(`select person, case when mail <> '' then mail else upn end from person where tenant = $1 and person in (`)
	found, err := find(ctx, t, q.add(q.in(who...)+")"), func(r *[2]string) []any { return []any{&r[0], &r[1]} })
	for _, r := range found {
		for i := range list {
			if string(list[i].Person) == r[0] {
				list[i].Mailbox = r[1]
			}
		}
	}
	return err
}

// PreviewEvidence shows what is kept.
func (s *Service) PreviewEvidence(ctx context.Context, in LookIn) (MailPreview, error) {
	_, raw, err := s.openEvidence(ctx, "evidence preview", in, evidence.Shown)
	if err != nil {
		return MailPreview{}, err
	}
	p := previewOf(raw)
	p.Kept = true
	return p, nil
}

// DownloadEvidence gives what is kept, as it was when it was sealed.
func (s *Service) DownloadEvidence(ctx context.Context, in LookIn) (EvidenceFile, error) {
	it, raw, err := s.openEvidence(ctx, "evidence download", in, evidence.Downloaded)
	if err != nil {
		return EvidenceFile{}, err
	}
	return EvidenceFile{Evidence: evidenceView(it, ""), Name: "evidence-" + it.ID + ".eml", EML: raw}, nil
}

func (s *Service) openEvidence(ctx context.Context, name string, in LookIn, what string) (it evidence.Item, raw []byte, err error) {
	_, err = act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		if s.o.Sealer == nil {
			return None{}, unsealed
		}
		if it, raw, err = evidence.Open(ctx, t, s.o.Sealer, in.ID); err != nil {
			return None{}, err
		}
		return None{}, evidence.Note(ctx, t, evidence.Look{Evidence: it.ID, Origin: it.Origin, OriginID: it.OriginID, Person: it.Person, Message: it.Message, Who: c.Email, Reason: in.Body.Reason, What: what})
	})
	return it, raw, err
}

func evidenceView(it evidence.Item, mailbox string) Evidence {
	return Evidence{ID: it.ID, At: it.At, By: it.By, Reason: it.Reason, Origin: it.Origin, OriginID: it.OriginID, Person: it.Person, Mailbox: mailbox, Message: it.Message, InternetMessageID: it.InternetMessageID,
		Sender: it.Sender, Subject: it.Subject, Received: it.Received, SHA256: it.SHA256, Size: it.Size}
}

// How much of a mail a preview has: what strangers send shall not fill a browser.
const (
	mostPreviewText = 1 << 20
	mostHeaders     = 300
	mostHeaderText  = 4000
)

// previewOf is a mail as it may be shown.
func previewOf(raw []byte) MailPreview {
	m := mail.Parse(raw)
	read := reported.ReadingOf(m)
	sum := sha256.Sum256(raw)
	p := MailPreview{Subject: m.Subject, To: some(read.To), Cc: some(read.Cc), ReplyTo: some(read.ReplyTo), Date: m.Date, HTML: inert(m.SafeHTML()), Text: m.Text, Links: mailLinks(read.Links), Attachments: mailFiles(read.Attachments),
		Authentication: mailChecks(read.Checks), Faults: some(read.Faults), Headers: []MailHeader{}, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(raw))}
	if len(m.From) > 0 {
		p.From = m.From[0].String()
	}
	p.Text = cut(p.Text, mostPreviewText)
	for _, f := range m.Header[:min(len(m.Header), mostHeaders)] {
		p.Headers = append(p.Headers, MailHeader{Name: cut(f.Name, 200), Value: cut(f.Value, mostHeaderText)})
	}
	return p
}

func cut(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// inert takes from safe HTML where its links lead: in a preview nothing is to be clicked. Where a link led stands in its title.
func inert(text string) string {
	z := html.NewTokenizer(strings.NewReader(text))
	var out strings.Builder
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out.String()
		}
		raw := string(z.Raw())
		t := z.Token()
		if t.Data != "a" || kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			out.WriteString(raw)
			continue
		}
		var kept []html.Attribute
		for _, a := range t.Attr {
			if a.Key == "href" {
				kept = append(kept, html.Attribute{Key: "title", Val: cut(a.Val, 2000)})
			}
		}
		t.Attr = kept
		out.WriteString(t.String())
	}
}

func mailLinks(list []reported.MailLink) []MailLink {
	out := make([]MailLink, len(list))
	for i, l := range list {
		out[i] = MailLink(l)
	}
	return out
}

func mailFiles(list []reported.File) []MailAttachment {
	out := make([]MailAttachment, len(list))
	for i, f := range list {
		out[i] = MailAttachment{Name: f.Name, Type: f.Type, Size: f.Size, SHA256: f.SHA256, Inline: f.Inline}
		if len(f.Inside) > 0 {
			out[i].Inside = mailFiles(f.Inside)
		}
	}
	return out
}

func mailChecks(list []reported.Check) []MailCheck {
	out := make([]MailCheck, len(list))
	for i, c := range list {
		out[i] = MailCheck(c)
	}
	return out
}
