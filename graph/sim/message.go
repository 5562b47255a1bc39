package sim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
)

// message is one in a mailbox.
type message struct {
	serial         uint32
	folder         int
	state          uint16 // how often it changed or moved; in its mutable id
	subject, text  string
	from           tocsin.Address
	to, cc         []tocsin.Address
	received, sent time.Time
	modified       time.Time
	read, draft    bool
	attached       bool
	importance     string
	conversation   int
	gone           bool
	version        uint32 // how often it changed in any way; in its change key
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
			read: h>>4%3 != 0, attached: h>>5%5 == 0, importance: "normal", conversation: k}
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
	var b [24]byte
	b[1] = 0x03
	b[2] = 0x24
	if immutable {
		b[1], b[2], b[3] = 0x09, 0x00, 0x2e
	}
	binary.BigEndian.PutUint32(b[4:], w.seed.shuffle(uint32(box)))
	if !immutable {
		binary.BigEndian.PutUint16(b[8:], uint16(m.folder))
		binary.BigEndian.PutUint16(b[10:], m.state)
	}
	binary.BigEndian.PutUint64(b[12:], w.seed.at(askMail+2000, box)^uint64(m.serial))
	binary.BigEndian.PutUint32(b[20:], m.serial)
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

// messageObject is Graph's message.
func (w *world) messageObject(b *mailbox, m *message, immutable bool) obj {
	id := w.messageID(b.p, m, immutable)
	key := string(appendChangeKey(nil, m))
	content := obj{{"contentType", "html"}, {"content", "<html><body><p>" + m.text + "</p></body></html>"}}
	return obj{{"id", id}, {"createdDateTime", m.sent}, {"lastModifiedDateTime", m.modified}, {"changeKey", key}, {"categories", []any{}},
		{"receivedDateTime", m.received}, {"sentDateTime", m.sent}, {"hasAttachments", m.attached},
		{"internetMessageId", fmt.Sprintf("<%08x.%d@mail.%s>", w.seed.at(askMail+3000, b.p)&0xffffffff, m.serial, w.domain)},
		{"subject", m.subject}, {"bodyPreview", m.text}, {"importance", m.importance}, {"parentFolderId", w.folderID(b.p, m.folder)},
		{"conversationId", fmt.Sprintf("AAQkADk%08x%04x", b.p, m.conversation)}, {"conversationIndex", "AQHZ"},
		{"isDeliveryReceiptRequested", false}, {"isReadReceiptRequested", false}, {"isRead", m.read}, {"isDraft", m.draft},
		{"webLink", "https://outlook.office365.com/owa/?ItemID=" + id}, {"inferenceClassification", "focused"}, {"body", content},
		{"sender", recipient(m.from.Name, m.from.Address)}, {"from", recipient(m.from.Name, m.from.Address)},
		{"toRecipients", recipients(m.to)}, {"ccRecipients", recipients(m.cc)}, {"bccRecipients", []any{}}, {"replyTo", []any{}},
		{"flag", obj{{"flagStatus", "notFlagged"}}}}
}

func (s *Sim) messageItem(b *mailbox, m *message, immutable bool) item {
	it := whole(s.world.messageObject(b, m, immutable))
	it.etag = `W/"` + it.whole.text("changeKey") + `"`
	it.expand = func(string, []string) any { return []any{} }
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
		if !m.gone && (f == nil || m.folder == f.n) {
			all = append(all, m)
		}
	}
	if f != nil {
		context = "users('" + p.id + "')/mailFolders('" + r.vars[1] + "')/messages"
	}
	immutable := r.immutable()
	return list{context: context, props: messageProperties, total: len(all), page: 10, max: 1000, skips: true,
		at: func(i int) (item, bool) { return s.messageItem(b, all[i], immutable), true }}, nil
}

func (s *Sim) messages(r *request) reply {
	l, bad := s.messageList(r)
	if bad != nil {
		return *bad
	}
	if why := s.inefficient(r); why != "" {
		return s.refuse(r, http.StatusBadRequest, "InefficientFilter", "%s", why)
	}
	if v := r.query.get("$search"); v != "" {
		if r.query.get("$filter") != "" || r.query.get("$orderby") != "" {
			return s.refuse(r, http.StatusBadRequest, "SearchWithFilter", "The query parameter '$search' cannot be combined with '$filter' or '$orderby'.")
		}
		l = searched(l, v)
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

// searched keeps the messages that hold every word of the search; at most 250.
func searched(l list, v string) list {
	words := strings.Fields(strings.ToLower(strings.Trim(v, `"`)))
	var hits []item
	for i := range l.total {
		it, _ := l.at(i)
		text := strings.ToLower(string(appendObject(nil, it.whole)))
		if !slices.ContainsFunc(words, func(w string) bool {
			_, word, named := strings.Cut(w, ":")
			if !named {
				word = w
			}
			return !strings.Contains(text, word)
		}) && len(hits) < 250 {
			hits = append(hits, it)
		}
	}
	l.total = len(hits)
	l.at = func(i int) (item, bool) { return hits[i], true }
	return l
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
	return s.object(r, "users('"+p.id+"')/messages", messageProperties, nil, s.messageItem(b, m, r.immutable()))
}

// moveMessage: a mutable id changes, and the folder left sees the message deleted.
func (s *Sim) moveMessage(r *request) reply {
	p, _, m, bad := s.pathMessage(r)
	if bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	b := s.world.open(p)
	to := s.world.folder(b, in.text("destinationId"))
	if to == nil {
		return s.notFound(r, in.text("destinationId"))
	}
	m = s.world.serial(b, m.serial)
	if err := s.tell(Truth{Change: "message.moved", Mailbox: p.mail, Person: p.id, ID: s.world.messageID(p.i, m, true), By: "graph"}); err != nil {
		return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
	}
	s.world.move(b, m, to.n, s.clock.Now())
	it := s.messageItem(b, m, r.immutable())
	o := append(obj{{"@odata.etag", it.etag}}, it.whole...)
	if s.content(&request{method: http.MethodGet, route: r.route}) != "" { // the answer shows no more than may be asked for
		for _, no := range secretive {
			o = o.without(no)
		}
	}
	return reply{status: http.StatusCreated, body: r.entity("users('"+p.id+"')/messages/$entity", o)}
}

// serial is the mailbox's message of that number, which stands at its place.
func (w *world) serial(b *mailbox, n uint32) *message { return b.messages[n-1] }

func (w *world) move(b *mailbox, m *message, to int, now time.Time) {
	b.note(boxChange{folder: m.folder, serial: m.serial, what: "deleted", id: w.messageID(b.p, m, false), fixed: w.messageID(b.p, m, true)})
	m.folder, m.modified = to, now.Truncate(time.Second)
	m.state++
	m.version++
	b.note(boxChange{folder: to, serial: m.serial, what: "created"})
}

// deliver puts a new message into a folder of the mailbox.
func (w *world) deliver(b *mailbox, m *message) {
	b.serial++
	m.serial = b.serial
	m.importance = "normal"
	m.conversation = int(m.serial)
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
