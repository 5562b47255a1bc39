package collect

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// TestWritten: what is kept of mail is written as encoding/json would, in the form that subscribers know, whatever strangers
// wrote into it.
func TestWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", "", "a", "Eve \"the\" <eve@evil.example>", "Jürgen\\", "\u2028\x00\x7f\n", "\xff\xfe", "AAMk=", "&amp;", "eve@evil.example", "smtp:Amy@X.example", strings.Repeat("x", 3000)}
	text := func() string { return texts[r.IntN(len(texts))] }
	addresses := func() (out []tocsin.Address) {
		for range r.IntN(3) {
			out = append(out, tocsin.Address{Name: text(), Address: text()})
		}
		return out
	}
	some := func() int64 {
		return []int64{0, 1, 999, 1_000_000_000_000, 1_767_000_000_123, 1_767_000_000_120, 1_767_000_000_000}[r.IntN(7)]
	}
	flip := func() bool { return r.IntN(2) == 0 }
	same := func(what, got string, want any) {
		t.Helper()
		raw, err := encode(want)
		if err != nil || got != string(raw) {
			t.Fatalf("%s is\n%s, and would be\n%s, %v", what, got, raw, err)
		}
	}
	var w writer
	for range 4000 {
		m := mailSeen{ID: text(), Internet: text(), Conversation: text(), Folder: text(), From: tocsin.Address{Name: text(), Address: text()}, To: addresses(), Cc: addresses(), Bcc: addresses(),
			Counts: [3]int{r.IntN(3), r.IntN(100), 0}, Importance: text(), Read: flip(), Draft: flip(), Flag: text(), Created: some(), Modified: some(), Received: some(), Sent: some(),
			Verb: graph.Verb(r.IntN(2) * 102), VerbAt: some(), Hidden: flip(), Sender: text()}
		if flip() {
			m.Attachments = new(flip())
		}
		if flip() {
			m.Categories = []string{text(), text()}[:r.IntN(3)]
		}
		rest := m
		rest.ID, rest.Folder, rest.Read, rest.Draft, rest.Flag, rest.Modified = "", "", false, false, "", 0
		same("what is seen", w.seen(&m), rest)
		k := Known{By: text(), Because: text(), Noticed: some(), Looked: some(), Folded: some(), Waited: flip(), Named: r.IntN(3), Change: text(), Etag: text(), Sub: text()}
		same("how it is known", w.known(&k), k)
		s := scene{tenant: acme, person: tocsin.NewPersonID(acme, text()), user: text(), sender: text(), folders: folderNames{m.Folder: text()}, known: map[string]string{m.Folder: text()}, names: map[string]string{m.Folder: text(), "F": text()}, inside: func(string) bool { return flip() }, change: text()}
		external := flip()
		s.inside = func(string) bool { return !external }
		e := mailEvent{action: "email_moved", from: []string{"", "F"}[r.IntN(2)], rule: text(), ours: text()}
		at := some()
		id := e.id(acme, s.person, &m)
		is := tocsin.EventRow{Tenant: acme, ID: id, At: at, Action: e.action, Person: s.person, Body: w.told(&s, &e, &m)}
		same("an event", is.JSON(), outwardForm(&s, &e, &m, id, at))
		if mustText(t, mustEncode(t, m.ID)) != is.Native() {
			t.Fatalf("the message is %q, and was %q", is.Native(), m.ID)
		}
		m.From.Address = mustText(t, mustEncode(t, m.From.Address))
		if from, attached, ok := is.From(); !ok || from != m.From.Canonical() && !m.Hidden || (attached == nil) != (m.Attachments == nil) || attached != nil && *attached != *m.Attachments {
			t.Fatalf("it is from %q (%v), and was from %q", from, attached, m.From.Canonical())
		}
		if whole := (tocsin.EventRow{Body: is.JSON()}); whole.JSON() != is.JSON() || whole.Native() != is.Native() {
			t.Fatalf("a row that holds all is read as %s", whole.JSON())
		}
	}
}

// TestMailsOf: who wrote a mail is told by its event while its message is certain to be kept, and by the message from then on: so older
// days are learned from the same mails, whenever that is.
func TestMailsOf(t *testing.T) {
	onBoth(t, func(b *bed) {
		var w writer
		now := b.st.Clock().Now()
		row := func(id string, days int) mailRow {
			m := mailSeen{ID: id, Folder: "I", From: tocsin.Address{Address: "Eve@evil.example"}, Attachments: new(true)}
			s := scene{tenant: acme, person: "p", inside: func(string) bool { return false }}
			return mailRow{id: id, action: "email_received", at: tocsin.Millis(now.AddDate(0, 0, -days)), person: "p", body: w.told(&s, &mailEvent{action: "email_received"}, &m)}
		}
		var got []heldMail
		err := b.st.ViewTenant(b.Context(), acme, func(t *store.Tenant) (err error) {
			got, err = mailsOf(b.Context(), t, []mailRow{row("new", 1), row("old", 200)})
			return err
		})
		if err != nil || len(got) != 1 || got[0].Event != "new" || got[0].From != "eve@evil.example" || got[0].Files != 1 {
			b.Errorf("%+v, %v", got, err)
		}
	})
}

func mustEncode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mustText(t *testing.T, raw []byte) (s string) {
	t.Helper()
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// BenchmarkWriter writes an event of a message and what is held of it, and has encoding/json do it.
func BenchmarkWriter(b *testing.B) {
	at := int64(1_767_000_000_123)
	id := "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OABGAAAAAADUuTJK1K9aTpCdqXop_4NaBwCd9nJ-tVysQos2hTfspaWRAAAAAAEJAACd000000000001"
	m := mailSeen{ID: id, Internet: "<CAB1234567890@mail.evil.example>", Conversation: id[:80], Folder: id[:100], From: tocsin.Address{Name: "Eve Example", Address: "eve@evil.example"},
		To: []tocsin.Address{{Name: "Amy Acme", Address: "amy@acme.example"}}, Counts: [3]int{1, 0, 0}, Attachments: new(bool), Importance: "normal", Flag: "notFlagged", Created: at, Modified: at, Received: at, Sent: at}
	s := scene{tenant: acme, person: tocsin.NewPersonID(acme, "amy"), user: "amy@acme.example", sender: "eve@evil.example", inside: func(string) bool { return false }, change: "created"}
	e := mailEvent{action: "email_received"}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		var w writer
		for b.Loop() {
			if w.told(&s, &e, &m) == "" || w.seen(&m) == "" {
				b.Fatal("nothing")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one, err := encode(outwardForm(&s, &e, &m, "00000000-0000-0000-0000-000000000000", at))
			if err != nil || len(one) == 0 {
				b.Fatal(err)
			}
			if two, err := encode(&m); err != nil || len(two) == 0 {
				b.Fatal(err)
			}
		}
	})
}

// mailPayload and mailRaw are the form of an event of mail.
type mailPayload struct {
	EventID        string   `json:"event_id"`
	User           string   `json:"user"`
	Action         string   `json:"action"`
	FromDomain     *string  `json:"from_domain"`
	External       *bool    `json:"is_external_sender"`
	RecipientCount *int     `json:"recipient_count"`
	ToDomains      []string `json:"to_domains"`
	CcDomains      []string `json:"cc_domains"`
	Attachments    *bool    `json:"has_attachments"`
	Importance     *string  `json:"importance"`
	Read           *bool    `json:"is_read"`
	Conversation   *string  `json:"conversation_id"`
}

type mailRaw struct {
	ID           string   `json:"platform_event_id"`
	Change       string   `json:"change_type"`
	Sender       *string  `json:"sender"`
	FromAddress  *string  `json:"from_address"`
	FromName     *string  `json:"from_name"`
	ToCount      *int     `json:"to_count"`
	CcCount      *int     `json:"cc_count"`
	BccCount     *int     `json:"bcc_count"`
	ToDomains    []string `json:"to_domains"`
	CcDomains    []string `json:"cc_domains"`
	FromDomain   *string  `json:"from_domain"`
	External     *bool    `json:"is_external"`
	Attachments  *bool    `json:"has_attachments"`
	Importance   *string  `json:"importance"`
	Read         *bool    `json:"is_read"`
	Draft        *bool    `json:"is_draft"`
	Internet     *string  `json:"internet_message_id"`
	Conversation *string  `json:"conversation_id"`
	Flag         *string  `json:"flag_status"`
	Categories   []string `json:"categories"`
	Folder       *string  `json:"folder"` // inbox, sentitems, archive …, where it is one of these
	FolderName   *string  `json:"folder_name"`
	FromFolder   *string  `json:"from_folder_name,omitempty"` // of one that was moved, where it is known
	RuleID       *string  `json:"rule_id,omitempty"`          // that forwarded it
	ActionID     *string  `json:"action_id,omitempty"`        // we did it
	Received     *string  `json:"received_at"`
	Sent         *string  `json:"sent_at"`
	Created      *string  `json:"created_at"`
	Platform     string   `json:"source_platform"`
}

func instant(ms int64) *string {
	if ms == 0 {
		return nil
	}
	return known(tocsin.FromMillis(ms).Format("2006-01-02T15:04:05.000Z"))
}

// mailOutward is a [tocsin.Event] of mail. Its parts are written with it: encoding/json would look through each of them
// again, were they JSON already.
type mailOutward struct {
	tocsin.Event
	Payload     mailPayload `json:"payload"`
	RawMetadata mailRaw     `json:"raw_metadata"`
}

// outwardForm is what becomes of what [writer.told] writes, as a value.
func outwardForm(s *scene, e *mailEvent, m *mailSeen, id string, at int64) mailOutward {
	in, names, inside, sender := s.folders, s.names, s.inside, s.sender
	var external *bool
	domain := m.From.Domain()
	if domain != "" {
		out := !inside(domain)
		external = &out
	}
	to, cc, categories := domains(m.To), domains(m.Cc), m.Categories
	if categories == nil {
		categories = []string{}
	}
	n := [4]*int{new(m.Counts[0] + m.Counts[1] + m.Counts[2]), &m.Counts[0], &m.Counts[1], &m.Counts[2]}
	read, draft := &m.Read, &m.Draft
	if m.never() {
		n, read, draft, to, cc, categories = [4]*int{}, nil, nil, nil, nil, nil
	}
	payload := mailPayload{EventID: m.ID, User: s.user, Action: e.action, FromDomain: known(domain), External: external, RecipientCount: n[0],
		ToDomains: to, CcDomains: cc, Attachments: m.Attachments, Importance: known(m.Importance), Read: read, Conversation: known(m.Conversation)}
	from := m.From.Canonical()
	if m.Hidden {
		from, _, _ = strings.Cut(from, "@")
		sender = m.Sender
	}
	raw := mailRaw{ID: m.ID, Change: s.change, Sender: known(sender), FromAddress: known(from), FromName: known(m.From.Name), ToCount: n[1], CcCount: n[2], BccCount: n[3],
		ToDomains: to, CcDomains: cc, FromDomain: known(domain), External: external, Attachments: m.Attachments, Importance: known(m.Importance), Read: read, Draft: draft,
		Internet: known(m.Internet), Conversation: known(m.Conversation), Flag: known(m.Flag), Categories: categories, Folder: known(cmp.Or(in[m.Folder], s.known[m.Folder])), FolderName: known(names[m.Folder]), FromFolder: known(names[e.from]), RuleID: known(e.rule), ActionID: known(e.ours),
		Received: instant(m.Received), Sent: instant(m.Sent), Created: instant(m.Created), Platform: "microsoft_outlook"}
	return mailOutward{Event: tocsin.Event{EventID: id, EventType: "EMAIL", Source: "OUTLOOK", SignalType: "COMMUNICATIONS", DomainID: s.tenant, TUID: s.person,
		Timestamp: tocsin.FromMillis(at), PlatformEventID: m.ID, PlatformEventSource: "MICROSOFT_GRAPH_OUTLOOK_API"}, Payload: payload, RawMetadata: raw}
}

// TestMailEventID: an event has one id however it is seen; those of which it is said when they happened sort by that.
func TestMailEventID(t *testing.T) {
	seen := mailSeen{ID: "m", Received: 1763887200000, Sent: 1763887199000, Created: 1763887198000, Modified: 1763887201000, VerbAt: 1763887202000}
	later := seen
	later.Modified, later.VerbAt, later.Folder, later.Read = later.Modified+60_000, 0, "F", true
	for _, e := range []mailEvent{{action: "email_received"}, {action: "email_sent"}, {action: "email_drafted"}, {action: "email_deleted"}, {action: "email_replied", with: "102 5"}, {action: "email_forwarded", with: "rule r", rule: "r"}} {
		if a, b := e.id(acme, "p", &seen), e.id(acme, "p", &later); a != b {
			t.Errorf("%s has the ids %s and %s", e.action, a, b)
		}
	}
	gone := mailEvent{action: "email_deleted"}
	if a, b := gone.id(acme, "p", &seen), gone.id(acme, "p", &mailSeen{ID: "m"}); a != b {
		t.Errorf("a deletion has the ids %s and %s", a, b)
	}
	next := seen
	next.ID, next.Received = "n", seen.Received+1
	if e := (mailEvent{action: "email_received"}); e.id(acme, "p", &seen) >= e.id(acme, "p", &next) {
		t.Error("ids do not sort by time")
	}
}
