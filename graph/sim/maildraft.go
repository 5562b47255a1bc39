package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
)

// How an application writes an answer: a draft with the mail quoted, files attached to it, large ones by an upload session.

// draftPaths are the paths that this file serves.
func draftPaths() []*route {
	const (
		post    = http.MethodPost
		message = "users/{user-id}/messages/{message-id}"
	)
	return []*route{
		{method: post, path: message + "/createReply", roles: forMailEdit, outlook: true, serve: (*Sim).createReply},
		{method: post, path: message + "/createReplyAll", roles: forMailEdit, outlook: true, serve: (*Sim).createReplyAll},
		{method: post, path: message + "/createForward", roles: forMailEdit, outlook: true, serve: (*Sim).createForward},
		{method: post, path: message + "/attachments", roles: forMailEdit, outlook: true, serve: (*Sim).attach},
		{method: post, path: message + "/attachments/createUploadSession", roles: forMailEdit, outlook: true, serve: (*Sim).createUploadSession},
	}
}

func (s *Sim) createReply(r *request) reply    { return s.createDraft(r, verbReply) }
func (s *Sim) createReplyAll(r *request) reply { return s.createDraft(r, verbReplyAll) }
func (s *Sim) createForward(r *request) reply  { return s.createDraft(r, verbForward) }

// createDraft makes the draft of an answer: subject, recipients, conversation and headers follow from the message, which stands below what is
// written. https://learn.microsoft.com/graph/api/message-createreply
func (s *Sim) createDraft(r *request, verb int) reply {
	p, b, m, bad := s.pathMessage(r)
	if bad != nil {
		return *bad
	}
	var in struct {
		Comment string
		Message json.RawMessage
		To      *[]mailRecipient `json:"toRecipients"`
	}
	if len(r.body) > 0 && json.Unmarshal(r.body, &in) != nil {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	var more mailBody
	if len(in.Message) > 0 {
		if why := more.read(in.Message, changeable, ofDrafts, puttable); why != "" {
			return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "%s", why)
		}
	}
	if in.Comment != "" && more.Body != nil {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "Comment and the body of the message cannot both be specified.")
	}
	now := s.clock.Now()
	was := s.world.letter(b, m)
	out := &message{folder: drafts, draft: true, read: true, from: tocsin.Address{Name: p.display, Address: p.mail}, received: now, sent: now, modified: now, conversation: m.conversation}
	to, cc := answerTo(m, was, p, verb)
	out.to, out.cc = to, cc
	prefix := "RE: "
	if verb == verbForward {
		prefix = "FW: "
	} else {
		out.inReplyTo = s.world.internetID(p.i, m)
	}
	out.subject = prefix + trimPrefixes(m.subject)
	l := letter{html: quoted(in.Comment, m, was), headers: []header{{"References", strings.TrimSpace(referencesOf(was) + " " + s.world.internetID(p.i, m))}}}
	for _, a := range was.attachments {
		if verb == verbForward || a.inline {
			l.attachments = append(l.attachments, a)
		}
	}
	out.text, out.attached, out.letter = l.plain(), l.visible(), func() letter { return l }
	if in.To != nil {
		more.To = in.To
	}
	if verb == verbForward && more.To == nil {
		more.To = &[]mailRecipient{}
	}
	more.into(out)
	s.world.stamp(out)
	if err := s.came("graph", "drafted", now, p, out); err != nil {
		return s.unwritten(r)
	}
	return s.shown(r, http.StatusCreated, p, out)
}

// answerTo is to whom an answer goes: to the Reply-To where there is one, and to nobody by the mailbox's own address.
func answerTo(m *message, l letter, p *person, verb int) (to, cc []tocsin.Address) {
	if verb == verbForward {
		return nil, nil
	}
	to = []tocsin.Address{m.from}
	if len(l.replyTo) > 0 {
		to = slices.Clone(l.replyTo)
	}
	if strings.EqualFold(m.from.Address, p.mail) { // an answer to what one sent goes to whom it was sent
		to = slices.Clone(m.to)
	}
	if verb == verbReplyAll {
		others := func(list []tocsin.Address) (out []tocsin.Address) {
			for _, a := range list {
				if !strings.EqualFold(a.Address, p.mail) && !slices.ContainsFunc(to, func(b tocsin.Address) bool { return strings.EqualFold(a.Address, b.Address) }) {
					out = append(out, a)
				}
			}
			return out
		}
		to = append(to, others(m.to)...)
		cc = others(m.cc)
	}
	return to, cc
}

func trimPrefixes(subject string) string {
	for {
		rest := strings.TrimSpace(subject)
		for _, p := range []string{"re:", "fw:", "fwd:"} {
			if len(rest) >= len(p) && strings.EqualFold(rest[:len(p)], p) {
				rest = strings.TrimSpace(rest[len(p):])
			}
		}
		if rest == subject {
			return subject
		}
		subject = rest
	}
}

// referencesOf is the References header that a message came with.
func referencesOf(l letter) string {
	for _, h := range l.headers {
		if strings.EqualFold(h.name, "References") {
			return h.value
		}
	}
	return ""
}

// quoted is what is written, and below it the message as Outlook quotes it.
func quoted(comment string, m *message, was letter) string {
	names := func(list []tocsin.Address) string {
		var out []string
		for _, a := range list {
			out = append(out, html.EscapeString(fmt.Sprintf("%s <%s>", a.Name, a.Address)))
		}
		return strings.Join(out, "; ")
	}
	page := was.page()
	if i := strings.Index(strings.ToLower(page), "<body"); i >= 0 {
		if j := strings.IndexByte(page[i:], '>'); j >= 0 {
			page = page[i+j+1:]
		}
	}
	if i := strings.Index(strings.ToLower(page), "</body>"); i >= 0 {
		page = page[:i]
	}
	return `<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>` + html.EscapeString(comment) + `<hr tabindex="-1" style="display:inline-block; width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> ` +
		names([]tocsin.Address{m.from}) + `<br><b>Sent:</b> ` + m.sent.UTC().Format("Monday, January 2, 2006 3:04 PM") + `<br><b>To:</b> ` + names(m.to) + `<br><b>Subject:</b> ` + html.EscapeString(m.subject) + `</div><div>` + page + `</div></body></html>`
}

// The largest file that one request attaches, and the largest of an upload session, in bytes.
// https://learn.microsoft.com/graph/outlook-large-attachments
const (
	maxAttached = 3 << 20
	maxUploaded = 150 << 20
)

// attach is POST …/attachments.
func (s *Sim) attach(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	var in mailAttachment
	if json.Unmarshal(r.body, &in) != nil || in.Name == "" || !strings.HasSuffix(in.Type, "fileAttachment") {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The request body is not a file attachment.")
	}
	if len(in.ContentBytes) > maxAttached {
		return s.refuse(r, http.StatusRequestEntityTooLarge, "ErrorMessageSizeExceeded", "The file attachment is too large.")
	}
	return s.attached(r, p, m, attachment{name: in.Name, kind: in.ContentType, data: in.ContentBytes, contentID: in.ContentID, inline: in.IsInline})
}

func (s *Sim) attached(r *request, p *person, m *message, a attachment) reply {
	if a.kind == "" {
		a.kind = "application/octet-stream"
	}
	n, err := s.addAttachment(p, m, a)
	if err != nil {
		return s.unwritten(r)
	}
	o := s.world.attachmentObject(p.i, m, n, a)
	return reply{status: http.StatusCreated, body: r.entity("users('"+p.id+"')/messages('"+r.vars[1]+"')/attachments/$entity", append(o, member{"contentBytes", base64.StdEncoding.EncodeToString(a.data)}))}
}

// addAttachment puts a file at the end of a message's, and gives its number.
func (s *Sim) addAttachment(p *person, m *message, a attachment) (n int, err error) {
	l := s.world.letter(s.world.open(p), m)
	l.attachments = append(slices.Clone(l.attachments), a)
	return len(l.attachments) - 1, s.touched("graph", "attached", s.clock.Now(), p, m, func(m *message) {
		m.attached, m.letter = l.visible(), func() letter { return l }
	})
}

// attachmentSessions is how the addresses begin to which parts of a file are put. Microsoft's are on a host of its own.
const attachmentSessions = "AttachmentSessions"

// upload is an upload session: a file that comes in parts.
type upload struct {
	person, serial int
	file           attachment
	size           int
	expires        time.Time
}

type uploads struct {
	mu  sync.Mutex
	all map[string]*upload
}

// createUploadSession is refused to who signed in, for the mailbox of another: it is a known issue of Graph's.
// https://learn.microsoft.com/graph/outlook-large-attachments
func (s *Sim) createUploadSession(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	if r.delegated() && !r.own(p) {
		return s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	var in struct {
		Item struct {
			AttachmentType, Name, ContentType, ContentID string
			Size                                         int
			IsInline                                     bool
		} `json:"AttachmentItem"`
	}
	if json.Unmarshal(r.body, &in) != nil || in.Item.Name == "" || !strings.EqualFold(in.Item.AttachmentType, "file") || in.Item.Size <= 0 {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The property 'AttachmentItem' is required, with attachmentType, name and size.")
	}
	if in.Item.Size > maxUploaded {
		return s.refuse(r, http.StatusRequestEntityTooLarge, "ErrorMessageSizeExceeded", "The file attachment is too large.")
	}
	token := secretText()
	u := &upload{person: p.i, serial: int(m.serial), size: in.Item.Size, expires: s.clock.Now().Add(24 * time.Hour),
		file: attachment{name: in.Item.Name, kind: in.Item.ContentType, contentID: in.Item.ContentID, inline: in.Item.IsInline}}
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	if s.uploads.all == nil {
		s.uploads.all = map[string]*upload{}
	}
	s.uploads.all[token] = u
	host := strings.TrimSuffix(r.base, "/"+r.version)
	return reply{status: http.StatusCreated, body: r.entity("microsoft.graph.uploadSession", obj{{"uploadUrl", host + "/" + attachmentSessions + "/" + token}, {"expirationDateTime", u.expires}, {"nextExpectedRanges", []string{"0"}}})}
}

// putPart takes the next part of a file. The address is the right to put there: a token that comes with it is refused, as Microsoft's does.
func (s *Sim) putPart(w http.ResponseWriter, h *http.Request, r *request) {
	refuse := func(status int, code, what string) { s.refuse(r, status, code, "%s", what).write(w, r, time.Now()) }
	_, token, _ := strings.Cut(strings.TrimPrefix(h.URL.Path, "/"), "/")
	s.uploads.mu.Lock()
	var whole *upload // attached when the lock is gone, since who begins a session has the simulator's first
	defer func() {
		s.uploads.mu.Unlock()
		if whole == nil {
			return
		}
		if at, err := s.uploaded(whole); err != nil {
			refuse(http.StatusNotFound, "ErrorItemNotFound", "The message is not there any more.")
		} else {
			w.Header().Set("Location", at)
			w.WriteHeader(http.StatusCreated)
		}
	}()
	u := s.uploads.all[token]
	part, err := io.ReadAll(http.MaxBytesReader(w, h.Body, maxBody))
	var from, to, total int
	_, unread := fmt.Sscanf(h.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total)
	switch {
	case h.Header.Get("Authorization") != "":
		refuse(http.StatusUnauthorized, "InvalidAudience", "The audience claim value is invalid.")
	case u == nil || s.clock.Now().After(u.expires):
		refuse(http.StatusNotFound, "ErrorItemNotFound", "The upload session was not found.")
	case h.Method == http.MethodDelete:
		delete(s.uploads.all, token)
		w.WriteHeader(http.StatusNoContent)
	case h.Method != http.MethodPut:
		refuse(http.StatusMethodNotAllowed, "ErrorInvalidRequest", "Specified HTTP method is not allowed for the request target.")
	case err != nil || unread != nil || to-from+1 != len(part) || total != u.size || to >= u.size:
		refuse(http.StatusBadRequest, "ErrorInvalidRequest", "The Content-Range does not fit the part.")
	case from != len(u.file.data):
		refuse(http.StatusRequestedRangeNotSatisfiable, "ErrorInvalidRequest", "The part is not the one that is expected next.")
	default:
		u.file.data = append(u.file.data, part...)
		if len(u.file.data) < u.size {
			writeJSON(w, http.StatusOK, map[string]any{"expirationDateTime": u.expires, "nextExpectedRanges": []string{strconv.Itoa(len(u.file.data))}})
			return
		}
		delete(s.uploads.all, token)
		whole = u
	}
}

// uploaded attaches a file that came whole.
func (s *Sim) uploaded(u *upload) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.person(u.person)
	if p == nil || !p.hasBox() {
		return "", fmt.Errorf("sim: there is no mailbox")
	}
	b := s.world.open(p)
	m := s.world.serial(b, uint32(u.serial))
	if m.gone || !m.draft {
		return "", fmt.Errorf("sim: there is no such draft")
	}
	if u.file.kind == "" {
		u.file.kind = "application/octet-stream"
	}
	n, err := s.addAttachment(p, m, u.file)
	return Address + "/v1.0/users('" + p.id + "')/messages('" + s.world.messageID(p.i, m, true) + "')/attachments('" + s.world.attachmentID(p.i, m, n) + "')", err
}
