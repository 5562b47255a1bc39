package collect

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// mailSeen is a message as it was seen: who wrote to whom and when, never what.
type mailSeen struct {
	ID           string           `json:"id,omitempty"`
	Internet     string           `json:"internet_id,omitempty"`
	Conversation string           `json:"conversation,omitempty"`
	Folder       string           `json:"folder,omitempty"`
	From         tocsin.Address   `json:"from,omitzero"`
	To           []tocsin.Address `json:"to,omitempty"`
	Cc           []tocsin.Address `json:"cc,omitempty"`
	Bcc          []tocsin.Address `json:"bcc,omitempty"`
	Counts       [3]int           `json:"counts"` // of to, cc and bcc, of which only the first are kept
	Attachments  *bool            `json:"attachments,omitempty"`
	Importance   string           `json:"importance,omitempty"`
	Read         bool             `json:"read,omitempty"`
	Draft        bool             `json:"draft,omitempty"`
	Flag         string           `json:"flag,omitempty"`
	Categories   []string         `json:"categories,omitempty"`
	Created      int64            `json:"created,omitempty"`
	Modified     int64            `json:"modified,omitempty"`
	Received     int64            `json:"received,omitempty"`
	Sent         int64            `json:"sent,omitempty"`
	Verb         graph.Verb       `json:"verb,omitempty"`    // what was last done with it, where that may be known
	VerbAt       int64            `json:"verb_at,omitempty"` // 0: not known
	Hidden       bool             `json:"hidden,omitempty"`  // names and addresses are hashed, all but their domains
	Sender       string           `json:"sender,omitempty"`  // where they are: the person, or a hash
}

// never says whether nobody ever saw the message: all that is known is its id.
func (m *mailSeen) never() bool { return m.Folder == "" && m.Modified == 0 }

// mostRecipients is how many addresses of each kind are kept of a message; how many there were is kept always.
const mostRecipients = 50

func mailOf(m *graph.Message) mailSeen {
	s := mailSeen{ID: m.ID, Internet: m.InternetMessageID, Conversation: m.ConversationID, Folder: m.ParentFolderID, Attachments: m.HasAttachments,
		Importance: strings.ToLower(m.Importance), Categories: m.Categories, To: theFirst(m.ToRecipients), Cc: theFirst(m.CcRecipients), Bcc: theFirst(m.BccRecipients),
		Created: tocsin.Millis(m.CreatedDateTime.Time), Modified: tocsin.Millis(m.LastModifiedDateTime.Time), Received: tocsin.Millis(m.ReceivedDateTime.Time), Sent: tocsin.Millis(m.SentDateTime.Time)}
	s.Counts = [3]int{len(m.ToRecipients), len(m.CcRecipients), len(m.BccRecipients)}
	if from := m.From; from != nil {
		s.From = tocsin.Address(from.EmailAddress)
	} else if m.Sender != nil {
		s.From = tocsin.Address(m.Sender.EmailAddress)
	}
	if m.IsRead != nil {
		s.Read = bool(*m.IsRead)
	}
	if m.IsDraft != nil {
		s.Draft = *m.IsDraft
	}
	if m.Flag != nil {
		s.Flag = m.Flag.FlagStatus
	}
	verb, at := m.LastVerb()
	s.Verb, s.VerbAt = verb, tocsin.Millis(at)
	return s
}

// verbed stands for what was last done with a message: the same again, later, is another. Empty where it is not known.
func (m *mailSeen) verbed() string {
	if m.Verb == 0 {
		return ""
	}
	return fmt.Sprintf("%d %d", m.Verb, m.VerbAt)
}

func theFirst(list []graph.Recipient) []tocsin.Address {
	return addresses(list[:min(len(list), mostRecipients)])
}

// rest stands for all of a message that can change besides what is compared by itself.
func (m *mailSeen) rest() string {
	if len(m.Categories) == 0 {
		if s, ok := usualRests[m.Importance]; ok {
			return s
		}
	}
	return m.restOf()
}

// usualRests are those of messages of no category, by their importance.
var usualRests = func() map[string]string {
	out := map[string]string{}
	for _, i := range []string{"", "low", "normal", "high"} {
		out[i] = (&mailSeen{Importance: i}).restOf()
	}
	return out
}()

func (m *mailSeen) restOf() string {
	sum := sha256.Sum256([]byte(m.Importance + "\x00" + strings.Join(m.Categories, "\x01")))
	return hex.EncodeToString(sum[:8])
}

// mailKey stands for Graph's id of a message, which is long.
func mailKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// mailHeld is a message as the table holds it.
type mailHeld struct {
	folder, flag, rest string
	verb               string // see mailSeen.verbed
	read, draft        bool
	modified, deleted  int64
	body               string

	row int // of those that this run writes anew, from 1; 0: the table has it
}

// seen is the message, of that id, as it was seen last.
func (h *mailHeld) seen(id string) (*mailSeen, error) {
	m := &mailSeen{}
	err := json.Unmarshal([]byte(h.body), m)
	m.ID, m.Folder, m.Read, m.Draft, m.Flag, m.Modified = id, h.folder, h.read, h.draft, h.flag, h.modified
	return m, err
}

// folderNames are what a mailbox's folders are, by id: sentitems, drafts, deleteditems, junkemail.
type folderNames map[string]string

// placesAsked are the folders that tell what became of a message, by the names Graph knows in every language.
var placesAsked = []string{"sentitems", "drafts", "deleteditems", "junkemail"}

// mailEvent is something that happened to a message. with is the change that it is told apart by from others of its kind.
type mailEvent struct {
	action, with string
	from         string // the folder that a message was moved from, by id
	rule         string // of the mailbox's, by which it was forwarded
	ours         string // the act of ours that it comes from
}

// mailChanges says what happened, between the message as it was held (nil: not at all) and as it is (nil: gone). fresh
// says that it is known to have come since the mailbox is watched: a first look at an older one makes state, and says only
// that it changed.
func mailChanges(had *mailHeld, is *mailSeen, in folderNames, mine func(string) bool, since int64, fresh bool) []mailEvent {
	switch {
	case is == nil && (had == nil || had.deleted > 0):
		return nil
	case is == nil:
		return []mailEvent{{action: "email_deleted"}}
	case had == nil && !fresh:
		if e, ok := lastDone(nil, is, since); ok { // it is certain what changed
			return []mailEvent{e}
		}
		return []mailEvent{{action: "email_updated", with: strconv.FormatInt(is.Modified, 10)}}
	case had == nil && is.Draft:
		return []mailEvent{{action: "email_drafted"}}
	case had == nil:
		out := []mailEvent{arrived(is, in, mine)}
		if e, ok := lastDone(nil, is, since); ok {
			out = append(out, e)
		}
		return out
	}
	when := strconv.FormatInt(is.Modified, 10)
	var out []mailEvent
	switch {
	case had.draft && !is.Draft:
		out = append(out, mailEvent{action: "email_sent"})
	case is.Draft:
		return nil // somebody is writing it
	case had.deleted > 0, had.folder != is.Folder:
		out = append(out, mailEvent{action: "email_moved", with: is.Folder + " " + when, from: had.folder})
	}
	if is.Read && !had.read {
		out = append(out, mailEvent{action: "email_read", with: when})
	}
	if is.Flag != had.flag {
		out = append(out, mailEvent{action: "email_flagged", with: is.Flag + " " + when})
	}
	if e, ok := lastDone(had, is, since); ok {
		out = append(out, e)
	}
	if is.rest() != had.rest || had.read && !is.Read {
		out = append(out, mailEvent{action: "email_updated", with: when})
	}
	return out
}

// lastDone says whether a message was replied to or forwarded since it was last looked at. One that was before its mailbox
// was watched is no event; nor is one of which the time is not known, at the first look.
func lastDone(had *mailHeld, is *mailSeen, since int64) (mailEvent, bool) {
	now := is.verbed()
	switch {
	case now == "" || had != nil && had.verb == now,
		is.VerbAt == 0 && had == nil,
		is.VerbAt > 0 && (since == 0 || is.VerbAt < since/1000*1000): // Graph tells it in whole seconds
		return mailEvent{}, false
	}
	switch is.Verb {
	case graph.Replied, graph.RepliedAll:
		return mailEvent{action: "email_replied", with: now}, true
	case graph.Forwarded:
		return mailEvent{action: "email_forwarded", with: now}, true
	}
	return mailEvent{}, false
}

// arrived says how a message came to be in the mailbox: its owner sent it, or received it. Mail to oneself is there twice. What is
// sent may be filed or thrown away before anybody looks; what bears the owner's name in Junk Email was forged.
func arrived(m *mailSeen, in folderNames, mine func(string) bool) mailEvent {
	where := in[m.Folder]
	if where == "sentitems" || where != "junkemail" && mine(m.From.Canonical()) && !slices.ContainsFunc(slices.Concat(m.To, m.Cc, m.Bcc), func(a tocsin.Address) bool { return mine(a.Canonical()) }) {
		return mailEvent{action: "email_sent"}
	}
	return mailEvent{action: "email_received"}
}

// time is when something happened to a message, Unix milliseconds.
func (e mailEvent) time(m *mailSeen, noticed int64) int64 {
	at := noticed
	switch {
	case m == nil:
	case e.action == "email_received" && m.Received > 0:
		at = m.Received
	case e.action == "email_sent" && m.Sent > 0:
		at = m.Sent
	case (e.action == "email_replied" || e.action == "email_forwarded") && m.VerbAt > 0:
		at = m.VerbAt
	case e.action != "email_deleted" && m.Modified > 0:
		at = m.Modified
	}
	return at
}

// domains are the domains of addresses, each once, in order.
func domains(list ...[]tocsin.Address) []string {
	out := []string{}
	for _, some := range list {
		for _, a := range some {
			if d := a.Domain(); d != "" && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// scene is what an event shows besides the message.
type scene struct {
	tenant  tocsin.TenantID
	person  tocsin.PersonID
	user    string // the mailbox's address
	sender  string // who wrote it: the person, where that is one of ours
	folders folderNames
	names   map[string]string // of folders, by id
	known   map[string]string // of well-known ones, what Graph calls them in every language, by id
	inside  func(domain string) bool
	change  string // as notified
}

// told is an event of a message as the table keeps it: the lines of [tocsin.EventRow]. What is not known has an empty one.
func (w *writer) told(s *scene, e *mailEvent, m *mailSeen) string {
	var external *bool
	domain := m.From.Domain()
	if domain != "" {
		external = new(!s.inside(domain))
	}
	to, cc, categories := domains(m.To), domains(m.Cc), m.Categories
	if categories == nil {
		categories = []string{}
	}
	read, draft := &m.Read, &m.Draft
	if m.never() {
		read, draft, to, cc, categories = nil, nil, nil, nil, nil
	}
	from, sender := m.From.Canonical(), s.sender
	if m.Hidden {
		from, _, _ = strings.Cut(from, "@")
		sender = m.Sender
	}
	counts := [3]int64{int64(m.Counts[0]), int64(m.Counts[1]), int64(m.Counts[2])}
	count := func(n int64) {
		if w.line(); !m.never() {
			w.b = strconv.AppendInt(w.b, n, 10)
		}
	}
	w.b = w.b[:0]
	w.string(m.ID)
	w.lineText(s.user)
	w.lineSome(domain)
	w.lineTruth(external)
	count(counts[0] + counts[1] + counts[2])
	w.lineTexts(to)
	w.lineTexts(cc)
	w.lineTruth(m.Attachments)
	w.lineSome(m.Importance)
	w.lineTruth(read)
	w.lineSome(m.Conversation)
	w.lineText(s.change)
	w.lineSome(sender)
	w.lineSome(from)
	w.lineSome(m.From.Name)
	for _, n := range counts {
		count(n)
	}
	w.lineTruth(draft)
	w.lineSome(m.Internet)
	w.lineSome(m.Flag)
	w.lineTexts(categories)
	w.lineSome(cmp.Or(s.folders[m.Folder], s.known[m.Folder])) // inbox, sentitems, archive …, where it is one of these
	w.lineSome(s.names[m.Folder])
	w.lineSome(s.names[e.from]) // of one that was moved, where it is known
	w.lineSome(e.rule)          // that forwarded it
	w.lineSome(e.ours)          // we did it
	for _, ms := range []int64{m.Received, m.Sent, m.Created} {
		if w.line(); ms != 0 {
			w.b = strconv.AppendInt(w.b, ms, 10)
		}
	}
	return string(w.b)
}

// id is the event's, with a time in it that every way of seeing it tells alike. There is none of a deletion; and a reply or a forward of
// long ago may be told again, when nothing is held of the message any more, and was told then under an id without.
func (e mailEvent) id(tenant tocsin.TenantID, person tocsin.PersonID, m *mailSeen) string {
	parts := []string{string(person), m.ID, e.action, e.with}
	at := m.Modified
	switch {
	case e.action == "email_received", e.rule != "":
		at = m.Received
	case e.action == "email_sent":
		at = m.Sent
	case e.action == "email_drafted":
		at = m.Created
	case e.action == "email_deleted", e.action == "email_replied", e.action == "email_forwarded":
		return tocsin.NewEventID(tenant, parts...)
	}
	return tocsin.NewEventIDAt(tenant, at, parts...)
}
