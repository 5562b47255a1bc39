package sim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
)

// What an application writes: drafts, messages put into a folder as if they had come, mail that is sent.

// puttable are the properties of a new message besides those that can be changed.
var puttable = []string{"singleValueExtendedProperties", "internetMessageHeaders", "internetMessageId", "attachments"}

// PR_MESSAGE_FLAGS, and its bits that count here: without the second a message is none that waits to be sent.
// https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmsg/a0c52fe2-3014-43a7-942d-f43f6f91c366
const (
	flagRead   = 0x1
	flagUnsent = 0x8
)

// flags are the message's PR_MESSAGE_FLAGS.
func (m *message) flags() int {
	n := 0
	if m.read {
		n |= flagRead
	}
	if m.draft {
		n |= flagUnsent
	}
	return n
}

// putMessage makes a message in a folder: a draft, unless its PR_MESSAGE_FLAGS say that it is none.
func (s *Sim) putMessage(r *request, p *person, folder int) reply {
	var in mailBody
	if why := in.read(r.body, changeable, ofDrafts, puttable); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "%s", why)
	}
	now := s.clock.Now()
	m := &message{folder: folder, draft: true, read: true, from: tocsin.Address{Name: p.display, Address: p.mail}, received: now, sent: now, modified: now}
	if why := in.properties(m); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidProperty", "%s", why)
	}
	in.into(m)
	put(&m.internet, in.MessageID)
	s.world.stamp(m)
	action := "drafted"
	if !m.draft {
		action = "imported"
	}
	if err := s.came("graph", action, now, p, m); err != nil {
		return s.unwritten(r)
	}
	return s.shown(r, http.StatusCreated, p, m)
}

// putInFolder is POST …/mailFolders/{id}/messages.
func (s *Sim) putInFolder(r *request) reply {
	p, _, f, bad := s.within(r)
	if bad != nil {
		return *bad
	}
	return s.putMessage(r, p, f.n)
}

// properties sets what extended properties say; the flags can be set only while a message is made.
func (in *mailBody) properties(m *message) (why string) {
	for _, e := range in.Properties {
		switch strings.ToLower(e.ID) {
		case "integer 0x0e07", "integer 0xe07":
			n, err := strconv.Atoi(e.Value)
			if err != nil {
				return "The value of '" + e.ID + "' is not an integer."
			}
			m.draft, m.read = n&flagUnsent != 0, n&flagRead != 0
		case "systemtime 0x0e06", "systemtime 0xe06", "systemtime 0x0039", "systemtime 0x39":
			at, err := time.Parse(time.RFC3339, e.Value)
			if err != nil {
				return "The value of '" + e.ID + "' is not a time."
			}
			if strings.Contains(strings.ToLower(e.ID), "e06") {
				m.received = at.UTC()
			} else {
				m.sent = at.UTC()
			}
		case "integer 0x1080", "integer 0x1081":
		default:
			return "The extended property '" + e.ID + "' is not one that the simulator keeps."
		}
	}
	return ""
}

// written puts what the body says of the text, the headers and the attachments into a message.
func (in *mailBody) written(m *message) {
	if in.Body == nil && in.Attached == nil && in.Headers == nil && in.ReplyTo == nil {
		return
	}
	var l letter
	if m.letter != nil {
		l = m.letter()
	} else {
		l.text = m.text
	}
	if in.Body != nil {
		l.html, l.text = "", ""
		if strings.EqualFold(in.Body.ContentType, "html") {
			l.html = in.Body.Content
		} else {
			l.text = in.Body.Content
		}
		m.text = l.plain()
	}
	for _, h := range in.Headers {
		l.headers = append(l.headers, header{h.Name, h.Value})
	}
	if in.ReplyTo != nil {
		for _, a := range *in.ReplyTo {
			l.replyTo = append(l.replyTo, tocsin.Address(a.EmailAddress))
		}
	}
	for _, a := range in.Attached {
		l.attachments = append(l.attachments, attachment{name: a.Name, kind: a.ContentType, data: a.ContentBytes, contentID: a.ContentID, inline: a.IsInline})
	}
	m.attached = l.visible()
	m.letter = func() letter { return l }
}

// sendMail sends at once; what was sent stands in the sent items unless that was not wanted.
func (s *Sim) sendMail(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	o, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	msg, _ := o.get("message")
	inner, ok := msg.(obj)
	if !ok {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The parameter 'message' is missing.")
	}
	var in mailBody
	if why := in.read(appendObject(nil, inner), changeable, ofDrafts, puttable); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "%s", why)
	}
	now := s.clock.Now()
	me := tocsin.Address{Name: p.display, Address: p.mail}
	m := message{folder: sentItems, read: true, from: me, received: now, sent: now, modified: now}
	in.into(&m)
	if len(m.to)+len(m.cc)+len(m.bcc) == 0 {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRecipients", "At least one recipient is not valid.")
	}
	if bad := s.sender(r, p, &m); bad != nil {
		return *bad
	}
	if keep, told := o.get("saveToSentItems"); told && keep == false {
		s.world.stamp(&m)
		err = s.handOut("graph", now, m)
	} else {
		err = s.sent("graph", now, p, m)
	}
	if err != nil {
		return s.unwritten(r)
	}
	return reply{status: http.StatusAccepted}
}

// messageMIME is the message's $value.
func (s *Sim) messageMIME(r *request) reply {
	_, b, m, bad := s.pathMessage(r)
	if bad != nil {
		return *bad
	}
	return ok(s.world.mime(b, m)).with("Content-Type", "text/plain")
}

func (s *Sim) messageAttachments(r *request) reply {
	p, b, m, bad := s.pathMessage(r)
	if bad != nil {
		return *bad
	}
	all := s.world.letter(b, m).attachments
	return s.list(r, list{context: "users('" + p.id + "')/messages('" + r.vars[1] + "')/attachments", props: attachmentProperties, total: len(all), page: 10, max: 1000, skips: true,
		at: func(i int) (item, bool) { return s.attachmentItem(b, m, i, all[i]), true }})
}

func (s *Sim) attachmentItem(b *mailbox, m *message, n int, a attachment) item {
	o := s.world.attachmentObject(b.p, m, n, a)
	it := item{kind: o.text("@odata.type")}
	o = o.without("@odata.type")
	if a.kind != "message/rfc822" {
		o = append(o, member{"contentBytes", base64.StdEncoding.EncodeToString(a.data)})
	}
	it.get, it.whole = o.get, o
	return it
}

// pathAttachment is the attachment that the path names.
func (s *Sim) pathAttachment(r *request) (*mailbox, *message, int, attachment, *reply) {
	_, b, m, bad := s.pathMessage(r)
	if bad != nil {
		return nil, nil, 0, attachment{}, bad
	}
	for n, a := range s.world.letter(b, m).attachments {
		if s.world.attachmentID(b.p, m, n) == r.vars[2] {
			return b, m, n, a, nil
		}
	}
	out := s.refuse(r, http.StatusNotFound, "ErrorInvalidAttachmentId", "The attachment id is not valid.")
	return nil, nil, 0, attachment{}, &out
}

func (s *Sim) oneAttachment(r *request) reply {
	b, m, n, a, bad := s.pathAttachment(r)
	if bad != nil {
		return *bad
	}
	return s.object(r, "users('"+r.vars[0]+"')/messages('"+r.vars[1]+"')/attachments", attachmentProperties, nil, s.attachmentItem(b, m, n, a))
}

// attachmentBytes is an attachment's $value: a file's bytes, a message's MIME.
func (s *Sim) attachmentBytes(r *request) reply {
	_, _, _, a, bad := s.pathAttachment(r)
	if bad != nil {
		return *bad
	}
	return ok(append([]byte{}, a.data...)).with("Content-Type", a.kind)
}

// makeFolder is POST …/mailFolders and …/childFolders.
func (s *Sim) makeFolder(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	b := s.world.open(p)
	above := rootFolder
	if strings.Contains(r.route.path, "childFolders") {
		f := s.world.folder(b, r.vars[1])
		if f == nil {
			return s.notFound(r, r.vars[1])
		}
		above = f.n
	}
	in, err := parseObject(r.body)
	name := in.text("displayName")
	if err != nil || name == "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The property 'displayName' is required.")
	}
	for i := range b.folders {
		if f := &b.folders[i]; !f.gone && f.parent == above && strings.EqualFold(f.name, name) {
			return s.refuse(r, http.StatusConflict, "ErrorFolderExists", "A folder with the specified name already exists., Could not create folder '%s'.", name)
		}
	}
	hidden, _ := in.get("isHidden")
	n := len(b.folders)
	if err := s.tell(Truth{Change: "folder.created", Mailbox: p.mail, Person: p.id, ID: s.world.folderID(p.i, n), By: "graph", Time: s.clock.Now().Truncate(time.Second)}); err != nil {
		return s.unwritten(r)
	}
	b.folders = append(b.folders, folder{n: n, parent: above, name: name, hidden: hidden == true, added: true})
	b.note(boxChange{folder: n, what: "created"})
	return reply{status: http.StatusCreated, body: r.entity("users('"+p.id+"')/mailFolders/$entity", s.folderObject(b, &b.folders[n]))}
}

// firstCategories are what Outlook gives every mailbox.
var firstCategories = []string{"Red category", "Orange category", "Yellow category", "Green category", "Blue category", "Purple category"}

// categories are a mailbox's master categories: name, colour.
func (b *mailbox) categories() [][2]string {
	var out [][2]string
	for n, name := range firstCategories {
		out = append(out, [2]string{name, "preset" + strconv.Itoa([]int{0, 1, 3, 4, 7, 8}[n])})
	}
	return append(out, b.masters...)
}

func (s *Sim) categoryObject(b *mailbox, n int, c [2]string) obj {
	return obj{{"id", s.world.seed.guid(askCategory, b.p<<8|n)}, {"displayName", c[0]}, {"color", c[1]}}
}

func (s *Sim) masterCategories(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	b := s.world.look(p)
	all := b.categories()
	return s.list(r, list{context: "users('" + p.id + "')/outlook/masterCategories", props: categoryProperties, total: len(all), page: 1000, max: 1000, skips: true,
		at: func(i int) (item, bool) { return whole(s.categoryObject(b, i, all[i])), true }})
}

// makeCategory is POST …/outlook/masterCategories. See https://learn.microsoft.com/graph/api/outlookuser-post-mastercategories.
func (s *Sim) makeCategory(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	name, colour := in.text("displayName"), in.text("color")
	if err != nil || name == "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The property 'displayName' is required.")
	}
	if colour == "" {
		colour = "none"
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(colour, "preset")); colour != "none" && (err != nil || n < 0 || n > 24) {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The color '%s' is not known.", colour)
	}
	b := s.world.open(p)
	all := b.categories()
	if slices.ContainsFunc(all, func(c [2]string) bool { return strings.EqualFold(c[0], name) }) {
		return s.refuse(r, http.StatusConflict, "CategoryNameDuplicate", "A category with the specified name already exists.")
	}
	made := s.categoryObject(b, len(all), [2]string{name, colour})
	if err := s.tell(Truth{Change: "category.created", Mailbox: p.mail, Person: p.id, ID: made.text("id"), By: "graph", Time: s.clock.Now(), Detail: fmt.Appendf(nil, `{"displayName":%s,"color":"%s"}`, appendString(nil, name), colour)}); err != nil {
		return s.unwritten(r)
	}
	b.masters = append(b.masters, [2]string{name, colour})
	return reply{status: http.StatusCreated, body: r.entity("users('"+p.id+"')/outlook/masterCategories/$entity", made)}
}
