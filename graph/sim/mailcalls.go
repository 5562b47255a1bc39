package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
)

// shown is the answer that shows a message: no more of it than the connection may ask for.
func (s *Sim) shown(r *request, status int, p *person, m *message) reply {
	it := s.messageItem(s.world.open(p), m, r.immutable())
	o := append(obj{{"@odata.etag", it.etag}}, it.make()...)
	if s.content(&request{method: http.MethodGet, route: r.route, claims: r.claims}) != "" {
		for _, no := range secretive {
			o = o.without(no)
		}
	}
	return reply{status: status, body: r.entity("users('"+p.id+"')/messages/$entity", o)}
}

// unwritten is the answer where the truth could not be written.
func (s *Sim) unwritten(r *request) reply {
	return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
}

// forChange is the message that the path names, with what If-Match asks for held.
func (s *Sim) forChange(r *request) (*person, *message, *reply) {
	p, _, m, bad := s.pathMessage(r)
	if bad != nil {
		return nil, nil, bad
	}
	if want := r.header.Get("If-Match"); want != "" && want != "*" && want != `W/"`+string(appendChangeKey(nil, m))+`"` {
		out := s.refuse(r, http.StatusPreconditionFailed, "ErrorIrresolvableConflict", "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.")
		return nil, nil, &out
	}
	return p, s.world.serial(s.world.open(p), m.serial), nil
}

// moveMessage: a mutable id changes, and the folder left sees the message deleted.
func (s *Sim) moveMessage(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	to := s.world.folder(s.world.open(p), in.text("destinationId"))
	if to == nil {
		return s.notFound(r, in.text("destinationId"))
	}
	if err := s.moved("graph", "moved", s.clock.Now(), p, m, to.n, nil); err != nil {
		return s.unwritten(r)
	}
	return s.shown(r, http.StatusCreated, p, m)
}

// changeable are the properties of a message that PATCH takes; those of drafts only are the others.
var (
	changeable = []string{"isRead", "flag", "categories", "importance", "inferenceClassification"}
	ofDrafts   = []string{"subject", "body", "toRecipients", "ccRecipients", "bccRecipients", "from", "sender", "replyTo"}
)

// advancedSince is when changing what a received message says begins to need a permission of its own.
// https://devblogs.microsoft.com/microsoft365dev, and the Exchange Team Blog of 2026-03-24.
var advancedSince = time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)

// mayRewrite says whether the request may change what a message says that is no draft.
func (s *Sim) mayRewrite(r *request) bool {
	return s.clock.Now().Before(advancedSince) || slices.Contains(r.claims.Roles, "Mail-Advanced.ReadWrite.All")
}

// patchMessage changes what people change of a message: read, flag, categories; of a draft also what it says.
// See https://learn.microsoft.com/graph/api/message-update.
func (s *Sim) patchMessage(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	var in mailBody
	if why := in.read(r.body, changeable, ofDrafts); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "%s", why)
	}
	if !m.draft && in.rewrites() && !s.mayRewrite(r) {
		return s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	if err := s.touched("graph", in.action(), s.clock.Now(), p, m, in.into); err != nil {
		return s.unwritten(r)
	}
	return s.shown(r, http.StatusOK, p, m)
}

func (s *Sim) deleteMessage(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	if err := s.discarded("graph", s.clock.Now(), p, m); err != nil {
		return s.unwritten(r)
	}
	return reply{status: http.StatusNoContent}
}

func (s *Sim) purgeMessage(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	if err := s.purged("graph", "purged", s.clock.Now(), p, m); err != nil {
		return s.unwritten(r)
	}
	return reply{status: http.StatusNoContent}
}

// draftMessage is POST …/messages: a draft.
func (s *Sim) draftMessage(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	return s.putMessage(r, p, drafts)
}

func (s *Sim) sendMessage(r *request) reply {
	p, m, bad := s.forChange(r)
	if bad != nil {
		return *bad
	}
	if !m.draft || len(m.to)+len(m.cc)+len(m.bcc) == 0 {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRecipients", "At least one recipient is not valid, or the message is no draft.")
	}
	if bad := s.sender(r, p, m); bad != nil {
		return *bad
	}
	if err := s.posted("graph", s.clock.Now(), p, m); err != nil {
		return s.unwritten(r)
	}
	return reply{status: http.StatusAccepted}
}

// mailBody is what a request says of a message; nil: nothing.
type mailBody struct {
	IsRead     *bool
	Flag       *mailFlag
	Categories *[]string
	Importance *string
	Subject    *string
	Body       *struct{ ContentType, Content string }
	To         *[]mailRecipient `json:"toRecipients"`
	Cc         *[]mailRecipient `json:"ccRecipients"`
	Bcc        *[]mailRecipient `json:"bccRecipients"`
	ReplyTo    *[]mailRecipient
	From       *mailRecipient
	MessageID  *string                        `json:"internetMessageId"`
	Properties []struct{ ID, Value string }   `json:"singleValueExtendedProperties"`
	Headers    []struct{ Name, Value string } `json:"internetMessageHeaders"`
	Attached   []mailAttachment               `json:"attachments"`
}

type mailAttachment struct {
	Type         string `json:"@odata.type"`
	Name         string
	ContentType  string
	ContentBytes []byte
	ContentID    string
	IsInline     bool
}

type mailRecipient struct {
	EmailAddress struct{ Name, Address string }
}

// read gives what is wrong with the body.
func (in *mailBody) read(body []byte, known ...[]string) (why string) {
	o, err := parseObject(body)
	if err == nil {
		err = json.Unmarshal(body, in)
	}
	if err != nil {
		return "The request body is not a message."
	}
	for _, m := range o {
		if !slices.Contains(slices.Concat(known...), m.k) && !strings.Contains(m.k, "@") {
			return "The property '" + m.k + "' cannot be changed here."
		}
	}
	if in.Flag != nil {
		return in.Flag.wrong()
	}
	return ""
}

// rewrites says whether the body changes what a message says.
func (in *mailBody) rewrites() bool {
	return in.Subject != nil || in.Body != nil || in.To != nil || in.Cc != nil || in.Bcc != nil || in.From != nil || in.ReplyTo != nil
}

// into writes what was said into a message.
func (in *mailBody) into(m *message) {
	put(&m.read, in.IsRead)
	put(&m.categories, in.Categories)
	put(&m.importance, in.Importance)
	put(&m.subject, in.Subject)
	if in.Flag != nil {
		in.Flag.into(m)
	}
	if in.From != nil {
		m.from = tocsin.Address(in.From.EmailAddress)
	}
	in.written(m)
	for _, l := range []struct {
		to *[]tocsin.Address
		in *[]mailRecipient
	}{{&m.to, in.To}, {&m.cc, in.Cc}, {&m.bcc, in.Bcc}} {
		if l.in == nil {
			continue
		}
		*l.to = nil
		for _, a := range *l.in {
			*l.to = append(*l.to, tocsin.Address(a.EmailAddress))
		}
	}
}

func put[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// action is what a change is called in the truth.
func (in *mailBody) action() string {
	switch {
	case in.IsRead != nil && *in.IsRead:
		return "read"
	case in.IsRead != nil:
		return "unread"
	case in.Flag != nil && in.Flag.FlagStatus == "flagged":
		return "flagged"
	case in.Flag != nil:
		return "unflagged"
	case in.Categories != nil:
		return "categorised"
	case in.rewrites():
		return "rewritten"
	}
	return "updated"
}
