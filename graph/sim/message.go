package sim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
)

// message is one in a mailbox.
type message struct {
	serial         uint32
	folder         int
	moves          uint16 // how often it moved; in its mutable id
	version        uint32 // how often it changed in any way; in its change key
	subject, text  string
	from           tocsin.Address
	sender         tocsin.Address // who sent it on behalf of from; zero: from itself
	to, cc, bcc    []tocsin.Address
	received, sent time.Time
	modified       time.Time
	read, draft    bool
	attached       bool
	importance     string
	conversation   uint64
	internet       string // internetMessageId; "": from the seed
	inReplyTo      string
	flag           string // "": not flagged
	categories     []string
	verb           int // the last: reply, forward
	verbAt         time.Time
	gone           bool
	arrived        time.Time     // when it came into the mailbox; zero: before the simulator began
	flagDates      *flagDates    // nil: none
	letter         func() letter // what it says beside its envelope; nil: see world.letter
}

// appendChangeKey writes the message's change key, another one after every change.
func appendChangeKey(b []byte, m *message) []byte {
	b = append(b, "CQAAABYAAAB"...)
	for _, n := range [...]uint32{m.serial, m.version} {
		b = append(b, hexDigits[n>>28], hexDigits[n>>24&15], hexDigits[n>>20&15], hexDigits[n>>16&15], hexDigits[n>>12&15], hexDigits[n>>8&15], hexDigits[n>>4&15], hexDigits[n&15])
	}
	return b
}

// seededMessages are the few that every mailbox holds from the start.
func (w *world) seededMessages(p *person) []*message {
	if !p.hasBox() || p.i >= w.users {
		return nil
	}
	n := int(w.seed.at(askMail, p.i)%12) + 4
	out := make([]*message, 0, n)
	me := tocsin.Address{Name: p.display, Address: p.mail}
	for k := range n {
		h := w.seed.at(askMail, p.i<<8|k)
		at := w.start.Add(-time.Duration(h%(30*24*60))*time.Minute - time.Hour).Truncate(time.Second)
		m := &message{serial: uint32(k + 1), folder: inbox, subject: subjects[h>>20%uint64(len(subjects))], text: "Dear colleague, please see the papers.",
			from: w.correspondent(h>>8, p), to: []tocsin.Address{me}, received: at, sent: at.Add(-4 * time.Second), modified: at,
			read: h>>4%3 != 0, attached: h>>5%5 == 0, importance: "normal", conversation: uint64(k)}
		if k%5 == 4 {
			m.folder, m.from, m.to, m.read = sentItems, me, []tocsin.Address{m.from}, true
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *message) int { return a.received.Compare(b.received) })
	for k, m := range out {
		m.serial = uint32(k + 1)
	}
	return out
}

var subjects = []string{"Arrival notice", "Invoice for March", "Gate times tomorrow", "Weekly figures", "Lunch?", "Customs papers", "Your booking", "Minutes of the meeting"}

// correspondent is a colleague, or one time in three somebody from outside.
func (w *world) correspondent(h uint64, p *person) tocsin.Address {
	if h%3 == 0 {
		first, last := firstNames[h>>3%uint64(len(firstNames))], lastNames[h>>17%uint64(len(lastNames))]
		return tocsin.Address{Name: first + " " + last, Address: local(first) + "." + local(last) + "@" + outsiders[h>>30%uint64(len(outsiders))]}
	}
	q := w.colleague(p)
	return tocsin.Address{Name: q.display, Address: q.mail}
}

// messageID is the message's id: the immutable one, or one that changes with every move.
func (w *world) messageID(box int, m *message, immutable bool) string {
	return w.formerID(box, m.serial, m.folder, m.moves, immutable)
}

// formerID is the id a message had in a folder, after so many moves.
func (w *world) formerID(box int, serial uint32, folder int, moves uint16, immutable bool) string {
	var b [24]byte
	b[1] = 0x03
	b[2] = 0x24
	if immutable {
		b[1], b[2], b[3] = 0x09, 0x00, 0x2e
	}
	binary.BigEndian.PutUint32(b[4:], w.seed.shuffle(uint32(box)))
	if !immutable {
		binary.BigEndian.PutUint16(b[8:], uint16(folder))
		binary.BigEndian.PutUint16(b[10:], moves)
	}
	binary.BigEndian.PutUint64(b[12:], w.seed.at(askMail+2000, box)^uint64(serial))
	binary.BigEndian.PutUint32(b[20:], serial)
	return base64.URLEncoding.EncodeToString(b[:])
}

// message is the mailbox's one with that id, whichever form it has.
func (w *world) message(b *mailbox, id string) *message {
	raw, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(raw) != 24 {
		return nil
	}
	serial := binary.BigEndian.Uint32(raw[20:])
	if serial == 0 || int(serial) > len(b.messages) {
		return nil
	}
	if m := w.serial(b, serial); !m.gone && (id == w.messageID(b.p, m, true) || id == w.messageID(b.p, m, false)) {
		return m
	}
	return nil
}

func recipients(list []tocsin.Address) []any {
	out := []any{}
	for _, a := range list {
		out = append(out, recipient(a.Name, a.Address))
	}
	return out
}

// messageOrder is a message's properties in the order in which Graph writes them.
var messageOrder = strings.Fields(`id createdDateTime lastModifiedDateTime changeKey categories receivedDateTime sentDateTime hasAttachments internetMessageId
subject bodyPreview importance parentFolderId conversationId conversationIndex isDeliveryReceiptRequested isReadReceiptRequested isRead isDraft webLink
inferenceClassification body sender from toRecipients ccRecipients bccRecipients replyTo flag`)

// messageValue is a property of Graph's message; false where it has none of that name.
func (w *world) messageValue(b *mailbox, m *message, immutable bool, name string) (any, bool) {
	switch name {
	case "id":
		return w.messageID(b.p, m, immutable), true
	case "createdDateTime", "sentDateTime":
		return m.sent, true
	case "lastModifiedDateTime":
		return m.modified, true
	case "changeKey":
		return string(appendChangeKey(nil, m)), true
	case "categories":
		return append([]string{}, m.categories...), true
	case "receivedDateTime":
		return m.received, true
	case "hasAttachments":
		return m.attached, true
	case "internetMessageId":
		return w.internetID(b.p, m), true
	case "importance":
		return m.importance, true
	case "parentFolderId":
		return w.folderID(b.p, m.folder), true
	case "conversationId":
		return fmt.Sprintf("AAQkADk%08x%016x", b.p, m.conversation), true
	case "isRead":
		return m.read, true
	case "isDraft":
		return m.draft, true
	case "sender":
		if m.sender.Address != "" {
			return recipient(m.sender.Name, m.sender.Address), true
		}
		return recipient(m.from.Name, m.from.Address), true
	case "from":
		return recipient(m.from.Name, m.from.Address), true
	case "toRecipients":
		return recipients(m.to), true
	case "ccRecipients":
		return recipients(m.cc), true
	case "flag":
		return m.flagObject(), true
	}
	return w.messageRest(b, m, immutable, name)
}

// messageRest is what is seldom asked for.
func (w *world) messageRest(b *mailbox, m *message, immutable bool, name string) (any, bool) {
	switch name {
	case "subject":
		return m.subject, true
	case "bodyPreview":
		return w.letter(b, m).preview(), true
	case "internetMessageHeaders":
		out := []any{}
		for _, h := range w.head(b, m, w.letter(b, m)) {
			out = append(out, obj{{"name", h.name}, {"value", h.value}})
		}
		return out, true
	case "conversationIndex":
		return "AQHZ", true
	case "isDeliveryReceiptRequested", "isReadReceiptRequested":
		return false, true
	case "webLink":
		return "https://outlook.office365.com/owa/?ItemID=" + w.messageID(b.p, m, immutable), true
	case "inferenceClassification":
		return "focused", true
	case "body", "uniqueBody":
		return obj{{"contentType", "html"}, {"content", w.letter(b, m).page()}}, true
	case "bccRecipients":
		return recipients(m.bcc), true
	case "replyTo":
		return recipients(w.letter(b, m).replyTo), true
	}
	return nil, false
}

// extended is a message's extended properties of the ids named: the last verb and its time, and what it replies to.
func (m *message) extended(ids []string) any {
	var out []any
	for _, id := range ids {
		value := ""
		switch strings.ToLower(id) {
		case "integer 0x1081":
			if m.verb != 0 {
				value = strconv.Itoa(m.verb)
			}
		case "systemtime 0x1082":
			if m.verb != 0 {
				value = m.verbAt.UTC().Format(time.RFC3339)
			}
		case "string 0x1042":
			value = m.inReplyTo
		case "integer 0xe07", "integer 0x0e07":
			value = strconv.Itoa(m.flags())
		}
		if value != "" {
			out = append(out, obj{{"id", id}, {"value", value}})
		}
	}
	if out == nil {
		return nil
	}
	return out
}

// ofContent are the properties that Mail.ReadBasic.All does not show.
var ofContent = []string{"body", "bodyPreview", "uniqueBody"}

// messageFor is the message as the request may see it.
func (s *Sim) messageFor(r *request, b *mailbox, m *message) item {
	it := s.messageItem(b, m, r.immutable())
	if v, ok := r.prefers("outlook.body-content-type"); ok && strings.EqualFold(v, "text") {
		get := it.get
		it.get = func(name string) (any, bool) {
			if name == "body" || name == "uniqueBody" {
				return obj{{"contentType", "text"}, {"content", s.world.letter(b, m).plain()}}, true
			}
			return get(name)
		}
	}
	if r.basic() {
		get, all := it.get, it.make
		it.get = func(name string) (any, bool) {
			if slices.Contains(ofContent, name) {
				return nil, false
			}
			return get(name)
		}
		it.make = func() obj {
			o := all()
			for _, name := range ofContent {
				o = o.without(name)
			}
			return o
		}
	}
	return it
}

func (s *Sim) messageItem(b *mailbox, m *message, immutable bool) item {
	it := item{etag: `W/"` + string(appendChangeKey(nil, m)) + `"`}
	it.get = func(name string) (any, bool) { return s.world.messageValue(b, m, immutable, name) }
	it.make = func() obj {
		o := make(obj, 0, len(messageOrder))
		for _, name := range messageOrder {
			v, _ := it.get(name)
			o = append(o, member{name, v})
		}
		return o
	}
	it.expand = func(e expansion) any {
		if e.name == "singleValueExtendedProperties" {
			return m.extended(e.ids)
		}
		if e.name == "attachments" {
			out := []any{}
			for n, a := range s.world.letter(b, m).attachments {
				out = append(out, s.world.attachmentObject(b.p, m, n, a).set("contentBytes", base64.StdEncoding.EncodeToString(a.data)))
			}
			return out
		}
		return []any{}
	}
	return it
}

// within gives the mailbox and, where the path names one, the folder.
func (s *Sim) within(r *request) (*person, *mailbox, *folder, *reply) {
	p, bad := s.box(r)
	if bad != nil {
		return nil, nil, nil, bad
	}
	b := s.world.look(p)
	if !strings.Contains(r.route.path, "{mailFolder-id}") {
		return p, b, nil, nil
	}
	f := s.world.folder(b, r.vars[1])
	if f == nil {
		out := s.notFound(r, r.vars[1])
		return nil, nil, nil, &out
	}
	return p, b, f, nil
}

func (s *Sim) messageList(r *request) (list, *reply) {
	p, b, f, bad := s.within(r)
	if bad != nil {
		return list{}, bad
	}
	context := "users('" + p.id + "')/messages"
	var all []*message
	for _, m := range slices.Backward(b.messages) { // newest first
		if !m.gone && (f == nil && m.folder != recoverable || f != nil && m.folder == f.n) { // recoverable items are listed by their folder alone
			all = append(all, m)
		}
	}
	if f != nil {
		context = "users('" + p.id + "')/mailFolders('" + r.vars[1] + "')/messages"
	}
	l := list{context: context, props: messageProperties, total: len(all), page: 10, max: 1000, skips: true,
		at: func(i int) (item, bool) { return s.messageFor(r, b, all[i]), true }}
	if _, ok := r.query.find("$search"); ok {
		return s.search(r, b, l, all)
	}
	return l, nil
}

func (s *Sim) messages(r *request) reply {
	l, bad := s.messageList(r)
	if bad != nil {
		return *bad
	}
	if code, why := s.filterFault(r); code != "" {
		return s.refuse(r, http.StatusBadRequest, code, "%s", why)
	}
	if why := s.inefficient(r); why != "" {
		return s.refuse(r, http.StatusBadRequest, "InefficientFilter", "%s", why)
	}
	return s.list(r, l)
}

// inefficient: what is ordered by must stand in the filter, first and in the same order.
func (s *Sim) inefficient(r *request) string {
	q, bad := s.asks(r, messageProperties)
	if bad != nil || q.keep == nil {
		return ""
	}
	for i, o := range q.order {
		if i >= len(q.fields) || q.fields[i] != strings.Join(o.field, "/") {
			return "The restriction or sort order is too complex for this operation."
		}
	}
	return ""
}

func (s *Sim) messagesCount(r *request) reply {
	l, bad := s.messageList(r)
	if bad != nil {
		return *bad
	}
	return s.countReply(r, l)
}

// pathMessage is the message the path names.
func (s *Sim) pathMessage(r *request) (*person, *mailbox, *message, *reply) {
	p, b, f, bad := s.within(r)
	if bad != nil {
		return nil, nil, nil, bad
	}
	id := r.vars[1]
	if f != nil {
		id = r.vars[2]
	}
	m := s.world.message(b, id)
	if m == nil || f != nil && m.folder != f.n {
		out := s.notFound(r, id)
		return nil, nil, nil, &out
	}
	return p, b, m, nil
}

func (s *Sim) oneMessage(r *request) reply {
	p, b, m, bad := s.pathMessage(r)
	if bad != nil {
		return *bad
	}
	it := s.messageFor(r, b, m)
	if have := r.header.Get("If-None-Match"); have != "" && have == it.etag {
		return reply{status: http.StatusNotModified}
	}
	return s.object(r, "users('"+p.id+"')/messages", messageProperties, nil, it)
}

// serial is the mailbox's message of that number, which stands at its place.
func (w *world) serial(b *mailbox, n uint32) *message { return b.messages[n-1] }

// deliver puts a new message into a folder of the mailbox.
func (w *world) deliver(b *mailbox, m *message) {
	b.serial++
	m.serial = b.serial
	if m.importance == "" {
		m.importance = "normal"
	}
	if m.conversation == 0 {
		m.conversation = uint64(m.serial)
	}
	b.messages = append(b.messages, m)
	b.note(boxChange{folder: m.folder, serial: m.serial, what: "created"})
}

func (s *Sim) folderObject(b *mailbox, f *folder) obj {
	children, unread, total := 0, 0, 0
	for i := range b.folders {
		if b.folders[i].parent == f.n && !b.folders[i].gone && !b.folders[i].hidden {
			children++
		}
	}
	for _, m := range b.messages {
		if m.folder == f.n && !m.gone {
			total++
			if !m.read {
				unread++
			}
		}
	}
	return obj{{"id", s.world.folderID(b.p, f.n)}, {"displayName", f.name}, {"parentFolderId", s.world.folderID(b.p, max(0, f.parent))},
		{"childFolderCount", children}, {"unreadItemCount", unread}, {"totalItemCount", total}, {"isHidden", f.hidden}}
}

func (s *Sim) folderList(r *request, parent int) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	b := s.world.look(p)
	if parent < 0 {
		f := s.world.folder(b, r.vars[1])
		if f == nil {
			return s.notFound(r, r.vars[1])
		}
		parent = f.n
	}
	hidden := strings.EqualFold(r.query.get("includeHiddenFolders"), "true")
	return s.list(r, list{context: "users('" + p.id + "')/mailFolders", props: folderProperties, total: len(b.folders), page: 10, max: 1000, skips: true,
		at: func(i int) (item, bool) {
			f := &b.folders[i]
			if f.parent != parent || f.gone || f.hidden && !hidden || f.n == rootFolder {
				return item{}, false
			}
			return whole(s.folderObject(b, f)), true
		}})
}

func (s *Sim) folders(r *request) reply      { return s.folderList(r, rootFolder) }
func (s *Sim) childFolders(r *request) reply { return s.folderList(r, -1) }

func (s *Sim) oneFolder(r *request) reply {
	p, b, f, bad := s.within(r)
	if bad != nil {
		return *bad
	}
	return s.object(r, "users('"+p.id+"')/mailFolders", folderProperties, nil, whole(s.folderObject(b, f)))
}
