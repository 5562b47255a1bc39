package reported

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// Settings are what a tenant does with what its people report.
type Settings struct {
	Mailbox   string              `json:"mailbox"` // the address of the reports mailbox; empty: none
	Person    tocsin.PersonID     `json:"person"`  // whose it is
	Thanks    bool                `json:"thanks"`  // who reports is thanked
	Addin     bool                `json:"addin"`   // reports of the add-in are taken
	Templates map[string]Template `json:"templates"`

	Version   int64     `json:"-"`
	Changed   time.Time `json:"-"`
	ChangedBy string    `json:"-"`
	sealed    []byte
	hash      string
}

// Template is what a reporter is answered. {name}, {subject} and {sender} stand for the reporter's name and what they reported.
type Template struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// The verdicts on a reported mail.
const (
	Malicious  = "malicious"
	Suspicious = "suspicious"
	Spam       = "spam"
	Simulation = "simulation" // an exercise: who reported it did well
	Clean      = "clean"
)

// Thanks is the template of what is answered when a report comes.
const Thanks = "thanks"

// Verdicts are all there are, in the order in which pages offer them.
var Verdicts = []string{Malicious, Suspicious, Spam, Simulation, Clean}

// Templates are what is answered until somebody writes something else.
func Templates() map[string]Template {
	return map[string]Template{
		Thanks:     {"Thank you for your report: {subject}", "Hello {name},\n\nthank you for reporting “{subject}” from {sender}. The security team looks at it. Until you hear from us, please do not open its links or attachments, and do not answer it.\n\nYour security team\n"},
		Malicious:  {"You were right: {subject}", "Hello {name},\n\n“{subject}” from {sender}, which you reported, is an attack. Please do not open it again. If you clicked a link in it, opened an attachment or gave a password, tell us at once.\n\nThank you: your report protects your colleagues.\n\nYour security team\n"},
		Suspicious: {"About your report: {subject}", "Hello {name},\n\nwe cannot tell for certain that “{subject}” from {sender} is an attack, and we do not trust it either. Please leave its links and attachments alone, and delete it.\n\nThank you for your report.\n\nYour security team\n"},
		Spam:       {"About your report: {subject}", "Hello {name},\n\n“{subject}” from {sender}, which you reported, is advertising that nobody asked for, and not an attack. You can delete it.\n\nThank you for your report.\n\nYour security team\n"},
		Simulation: {"Well spotted: {subject}", "Hello {name},\n\n“{subject}” was an exercise, and you spotted it. Thank you for reporting it.\n\nYour security team\n"},
		Clean:      {"About your report: {subject}", "Hello {name},\n\nwe have looked at “{subject}” from {sender}, and it is genuine: you can answer it and use it as usual.\n\nThank you for asking: rather one report too many than one too few.\n\nYour security team\n"},
	}
}

// fill puts what was reported into a template. What strangers wrote is put in once and not looked into again.
func (p Template) fill(m *Mail) (subject, text string) {
	name := m.ReporterName
	if name == "" {
		name, _, _ = strings.Cut(m.Reporter, "@")
	}
	sender := m.Sender
	if sender == "" {
		sender = "an unknown sender"
	}
	title := line(m.Subject, 150)
	if title == "" {
		title = "(no subject)"
	}
	r := strings.NewReplacer("{name}", line(name, 80), "{subject}", title, "{sender}", line(sender, 320))
	return line(r.Replace(p.Subject), 250), r.Replace(p.Text)
}

// line is a text on one line, and not longer than most characters.
func line(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return s
}

// SettingsOf are a tenant's settings.
func SettingsOf(ctx context.Context, t *store.Tenant) (Settings, error) {
	s := Settings{}
	var body string
	var changed int64
	err := t.QueryRow(ctx, `select body, sealed, key_hash, version, changed, changed_by from reported_settings where tenant = $1`).Scan(&body, &s.sealed, &s.hash, &s.Version, &changed, &s.ChangedBy)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return s, err
	}
	if err == nil {
		s.Changed = tocsin.FromMillis(changed)
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			return s, fmt.Errorf("settings of reports: %w", err)
		}
	}
	all := Templates()
	for verdict, own := range s.Templates {
		all[verdict] = own
	}
	s.Templates = all
	return s, nil
}

// Seals is what seals the key in the add-in's address.
type Seals interface {
	Seal(plain []byte, about string) ([]byte, error)
	Open(sealed []byte, about string) ([]byte, error)
}

// Set writes a tenant's settings in place of those with their version; newKey gives the add-in another address. Another mailbox is read from
// now on: what lies in it already is not taken for new.
func Set(ctx context.Context, t *store.Tenant, k Seals, who string, s Settings, newKey bool) (Settings, error) {
	had, err := SettingsOf(ctx, t)
	if err != nil {
		return s, err
	}
	stale := tocsin.Problemf(tocsin.Conflict, "Look at them again.", "The settings were changed meanwhile.")
	if had.Version != s.Version {
		return s, stale
	}
	own := map[string]Template{} // those that are not the usual
	for verdict, usual := range Templates() {
		if p, ok := s.Templates[verdict]; ok && p != usual {
			own[verdict] = p
		}
	}
	kept := s
	kept.Templates = own
	body, err := json.Marshal(kept)
	if err != nil {
		return s, err
	}
	s.sealed, s.hash = had.sealed, had.hash
	if newKey || s.hash == "" {
		var raw [32]byte
		rand.Read(raw[:]) // never fails
		key := string(t.ID()) + "." + base64.RawURLEncoding.EncodeToString(raw[:])
		if s.sealed, err = k.Seal([]byte(key), aboutKey(t.ID(), string(t.ID()))); err != nil {
			return s, err
		}
		s.hash = hashOf(key)
	}
	now := t.Tx().Clock().Now()
	n, err := t.Exec(ctx, `insert into reported_settings (tenant, body, sealed, key_hash, changed, changed_by, version) values ($1, $2, $3, $4, $5, $6, 1)
		on conflict (tenant) do update set body = excluded.body, sealed = excluded.sealed, key_hash = excluded.key_hash, changed = excluded.changed, changed_by = excluded.changed_by, version = reported_settings.version + 1
		where reported_settings.version = $7`, string(body), s.sealed, s.hash, now, who, s.Version)
	if err != nil {
		return s, err
	}
	if n == 0 {
		return s, stale
	}
	s.Version, s.Changed, s.ChangedBy = had.Version+1, now, who
	if s.Person != "" && s.Person != had.Person {
		if _, err := t.Exec(ctx, `insert into reported_inbox (tenant, person, since) values ($1, $2, $3) on conflict (tenant, person) do update set since = excluded.since, because = '', mend = ''`, string(s.Person), now); err != nil {
			return s, err
		}
	}
	return s, t.Append(ctx, store.Fact{Kind: "reported.settings", Actor: who})
}

// Key is the key in the add-in's address; empty where there is none.
func (s *Settings) Key(k Seals, tenant tocsin.TenantID) (string, error) {
	if len(s.sealed) == 0 {
		return "", nil
	}
	key, err := k.Open(s.sealed, aboutKey(tenant, string(tenant)))
	return string(key), err
}

// TenantOfKey is the tenant in whose add-in's address a key stands; empty where that takes no reports of the add-in, or the key is another.
func TenantOfKey(ctx context.Context, tx *store.Tx, key string) (tocsin.TenantID, error) {
	name, _, _ := strings.Cut(key, ".")
	id := tocsin.TenantID(strings.ToLower(name))
	if id == "" || id == "*" {
		return "", nil
	}
	s, err := SettingsOf(ctx, tx.Tenant(id))
	if err != nil || !s.Addin || subtle.ConstantTimeCompare([]byte(s.hash), []byte(hashOf(key))) != 1 {
		return "", err
	}
	return id, nil
}

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func aboutKey(tenant tocsin.TenantID, _ string) string { return string(tenant) + "|reported|key" }

// Sealed is where the keys of add-ins lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{What: "keys of add-ins", Table: "reported_settings", Key: "tenant", Column: "sealed", Tenant: true, About: aboutKey}}
}

// Inbox is how the reports mailbox is read.
type Inbox struct {
	Since, Asked  time.Time
	Because, Mend string
}

// InboxOf is how a mailbox of reports is read.
func InboxOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (in Inbox, err error) {
	var since, asked int64
	err = t.QueryRow(ctx, `select since, asked, because, mend from reported_inbox where tenant = $1 and person = $2`, string(person)).Scan(&since, &asked, &in.Because, &in.Mend)
	if errors.Is(err, store.ErrNone) {
		return in, nil
	}
	in.Since, in.Asked = tocsin.FromMillis(since), tocsin.FromMillis(asked)
	return in, err
}

// Filled is what who reported a mail would be answered, by verdict.
func (s *Settings) Filled(m *Mail) map[string]Template {
	out := map[string]Template{}
	for verdict, p := range s.Templates {
		subject, text := p.fill(m)
		out[verdict] = Template{Subject: subject, Text: text}
	}
	return out
}
