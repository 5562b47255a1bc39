package reported

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// The ways in which a mail is reported.
const (
	Attached  = "mailbox"
	Forwarded = "forwarded"
	Addin     = "addin"
)

// Whether the mail itself is known.
const (
	Looking = "looking"
	Found   = "found"
	Lost    = "lost"
)

// Mail is a mail that somebody reported: a row of table reported_mail.
type Mail struct {
	ID             string
	At             time.Time
	Way            string
	Source         string // the message it was reported by, or what names the add-in's report
	Part           int
	Reporter       string
	ReporterName   string
	ReporterPerson tocsin.PersonID
	Proven         bool
	Note           string

	Person  tocsin.PersonID
	Message string
	Folder  string
	State   string
	Because string
	Mend    string

	InternetMessageID string
	Sender            string
	SenderName        string
	SenderDomain      string
	Subject           string
	Received          time.Time
	HasAttachments    bool
	Read              Reading
	Alike             string
	Evidence          string

	Status        string // open, in_work, judged
	Verdict       string
	Judged        time.Time
	JudgedBy      string
	Owner         string
	Investigation string
	Tries         int
	Due           time.Time
	Changed       time.Time
	Version       int64
}

// Columns are those of a mail, for [Mail.Scan].
const Columns = `id, at, way, source, part, reporter, reporter_name, reporter_person, proven, note, person, message, folder, state, because, mend,
	internet_message_id, sender, sender_name, sender_domain, subject, received, has_attachments, read_from, alike, evidence, status, verdict, judged, judged_by, owner, investigation, tries, due, changed, version`

// Scan reads a row of [Columns].
func (m *Mail) Scan(scan func(...any) error) error {
	var at, received, judged, due, changed int64
	var read string
	err := scan(&m.ID, &at, &m.Way, &m.Source, &m.Part, &m.Reporter, &m.ReporterName, &m.ReporterPerson, &m.Proven, &m.Note, &m.Person, &m.Message, &m.Folder, &m.State, &m.Because, &m.Mend,
		&m.InternetMessageID, &m.Sender, &m.SenderName, &m.SenderDomain, &m.Subject, &received, &m.HasAttachments, &read, &m.Alike, &m.Evidence, &m.Status, &m.Verdict, &judged, &m.JudgedBy, &m.Owner, &m.Investigation,
		&m.Tries, &due, &changed, &m.Version)
	if err != nil {
		return err
	}
	m.At, m.Received, m.Judged, m.Due, m.Changed = tocsin.FromMillis(at), tocsin.FromMillis(received), tocsin.FromMillis(judged), tocsin.FromMillis(due), tocsin.FromMillis(changed)
	if err := json.Unmarshal([]byte(read), &m.Read); err != nil {
		return fmt.Errorf("what was read of report %s: %w", m.ID, err)
	}
	return nil
}

var none = tocsin.Problemf(tocsin.NotFound, "Look at the list of reported mails.", "There is no such report.")

// Get is one report.
func Get(ctx context.Context, t *store.Tenant, id string) (*Mail, error) {
	var m Mail
	err := m.Scan(t.QueryRow(ctx, `select `+Columns+` from reported_mail where tenant = $1 and id = $2`, id).Scan)
	if errors.Is(err, store.ErrNone) {
		return nil, none
	}
	return &m, err
}

// add writes a new report, and says whether it is new: the same message, or the same press of the button, reports once.
func (m *Mail) add(ctx context.Context, t *store.Tenant) (bool, error) {
	now := t.Tx().Clock().Now()
	m.ID, m.Status, m.Changed, m.Version = tocsin.NewID(), "open", now, 1
	m.Alike = m.likeness()
	read, err := json.Marshal(m.Read)
	if err != nil {
		return false, err
	}
	n, err := t.Exec(ctx, `insert into reported_mail (tenant, `+Columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)
		on conflict do nothing`,
		m.ID, m.At, m.Way, m.Source, m.Part, m.Reporter, m.ReporterName, string(m.ReporterPerson), m.Proven, m.Note, string(m.Person), m.Message, m.Folder, m.State, m.Because, m.Mend,
		m.InternetMessageID, m.Sender, m.SenderName, m.SenderDomain, m.Subject, tocsin.Millis(m.Received), m.HasAttachments, string(read), m.Alike, m.Evidence, m.Status, m.Verdict, tocsin.Millis(m.Judged), m.JudgedBy, m.Owner, m.Investigation,
		m.Tries, tocsin.Millis(m.Due), m.Changed, m.Version)
	if err != nil || n == 0 {
		return false, err
	}
	if err := note(ctx, t, m.ID, "", "reported", ""); err != nil {
		return false, err
	}
	return true, m.tell(ctx, t, "reported.created", "")
}

// save writes a report that has changed; a conflict where somebody else did meanwhile.
func (m *Mail) save(ctx context.Context, t *store.Tenant, who string) error {
	m.Changed = t.Tx().Clock().Now()
	m.Alike = cmp.Or(m.likeness(), m.Alike)
	read, err := json.Marshal(m.Read)
	if err != nil {
		return err
	}
	n, err := t.Exec(ctx, `update reported_mail set proven = $3, person = $4, message = $5, folder = $6, state = $7, because = $8, mend = $9, internet_message_id = $10, sender = $11, sender_name = $12, sender_domain = $13, subject = $14, received = $15,
		has_attachments = $16, read_from = $17, alike = $18, evidence = $19, status = $20, verdict = $21, judged = $22, judged_by = $23, owner = $24, investigation = $25, tries = $26, due = $27, changed = $28, version = version + 1
		where tenant = $1 and id = $2 and version = $29`,
		m.ID, m.Proven, string(m.Person), m.Message, m.Folder, m.State, m.Because, m.Mend, m.InternetMessageID, m.Sender, m.SenderName, m.SenderDomain, m.Subject, tocsin.Millis(m.Received),
		m.HasAttachments, string(read), m.Alike, m.Evidence, m.Status, m.Verdict, tocsin.Millis(m.Judged), m.JudgedBy, m.Owner, m.Investigation, m.Tries, tocsin.Millis(m.Due), m.Changed, m.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return errStale
	}
	m.Version++
	return m.tell(ctx, t, "reported.changed", who)
}

var errStale = tocsin.Problemf(tocsin.Conflict, "Look at it again.", "The report was changed meanwhile.")

func (m *Mail) tell(ctx context.Context, t *store.Tenant, kind, who string) error {
	return t.Append(ctx, store.Fact{Kind: kind, Subject: m.ID, Person: string(m.ReporterPerson), Actor: who})
}

// likeness is equal for reports of one mail: of its Message-ID, else of who wrote it and what it is called.
func (m *Mail) likeness() string {
	of := strings.ToLower(strings.Trim(m.InternetMessageID, "<> "))
	if of == "" && m.Sender == "" && m.Subject == "" {
		return m.ID
	}
	if of == "" {
		of = strings.ToLower(m.Sender + "\n" + strings.Join(strings.Fields(m.Subject), " "))
	}
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:16])
}

// Change is something that became of a report.
type Change struct {
	At                time.Time
	Who, Change, Note string
}

func note(ctx context.Context, t *store.Tenant, reported, who, change, text string) error {
	_, err := t.Exec(ctx, `insert into reported_change (tenant, id, reported, at, who, change, note) values ($1, $2, $3, $4, $5, $6, $7)`, tocsin.NewID(), reported, t.Tx().Clock().Now(), who, change, text)
	return err
}

// Changes are what became of a report, in order.
func Changes(ctx context.Context, t *store.Tenant, id string) (out []Change, err error) {
	rows, err := t.Query(ctx, `select at, who, change, note from reported_change where tenant = $1 and reported = $2 order by id`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Change
		var at int64
		if err := rows.Scan(&at, &c.Who, &c.Change, &c.Note); err != nil {
			return nil, err
		}
		c.At = tocsin.FromMillis(at)
		out = append(out, c)
	}
	return out, rows.Err()
}
