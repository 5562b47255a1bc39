package reported

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// The states of an answer.
const (
	Waiting  = "waiting"
	Drafting = "drafting" // a draft is being made, or was: it is known by its mark
	Drafted  = "drafted"
	Sending  = "sending" // it was sent, or not: the draft tells
	Sent     = "sent"
	Unknown  = "unknown" // whether it went cannot be told; it is never repeated
	Failed   = "failed"
)

// The ways in which an answer goes.
const (
	BySending = "send"
	ByPlacing = "place"
)

// Most answers that a tenant's reporters are sent in an hour: who floods the reports mailbox does not make us flood others.
const mostReplies = 300

// Reply is an answer to who reported: a row of table reported_reply.
type Reply struct {
	ID, Reported, Kind, To, Subject, Text string
	Person                                tocsin.PersonID
	Way, Mailbox, Mark, Draft, State      string // Mailbox is the Entra id of the one in which the draft is
	Because, Mend                         string
	Tries                                 int
	Due, Created, Changed                 time.Time
	CreatedBy                             string
}

const replyColumns = `id, reported, kind, address, subject, body, person, way, mailbox, mark, draft, state, because, mend, tries, due, created, created_by, changed`

func (r *Reply) scan(scan func(...any) error) error {
	var due, created, changed int64
	err := scan(&r.ID, &r.Reported, &r.Kind, &r.To, &r.Subject, &r.Text, &r.Person, &r.Way, &r.Mailbox, &r.Mark, &r.Draft, &r.State, &r.Because, &r.Mend, &r.Tries, &due, &created, &r.CreatedBy, &changed)
	r.Due, r.Created, r.Changed = tocsin.FromMillis(due), tocsin.FromMillis(created), tocsin.FromMillis(changed)
	return err
}

// Replies are the answers to a report, the newest first.
func Replies(ctx context.Context, t *store.Tenant, reported string) (out []Reply, err error) {
	rows, err := t.Query(ctx, `select `+replyColumns+` from reported_reply where tenant = $1 and reported = $2 order by id desc`, reported)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Reply
		if err := r.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// answerable is the problem where who reported is not answered: nobody of this tenant, whose address anybody could have written.
func (m *Mail) answerable() error {
	if m.ReporterPerson == "" {
		return tocsin.Problemf(tocsin.Conflict, "Answer from your own mailbox, if you know who that is.", "Who reported it is nobody of this tenant: %s is not answered from here.", m.Reporter)
	}
	return nil
}

// Answer queues an answer in somebody's own words.
func Answer(ctx context.Context, t *store.Tenant, who, id, text string) (*Mail, error) {
	m, err := Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if err := m.answerable(); err != nil {
		return nil, err
	}
	kind := m.Verdict
	if kind == "" {
		kind = Suspicious
	}
	if err := m.queue(ctx, t, who, kind, text); err != nil {
		return nil, err
	}
	return m, m.tell(ctx, t, "reported.changed", who)
}

// queue writes an answer down; the worker sends it.
func (m *Mail) queue(ctx context.Context, t *store.Tenant, who, kind, text string) error {
	s, err := SettingsOf(ctx, t)
	if err != nil {
		return err
	}
	subject, usual := s.Templates[kind].fill(m)
	if strings.TrimSpace(text) == "" {
		text = usual
	}
	name := "verdict"
	if kind == Thanks {
		name = Thanks
	}
	now := t.Tx().Clock().Now()
	id := tocsin.NewID()
	_, err = t.Exec(ctx, `insert into reported_reply (tenant, id, reported, kind, address, person, subject, body, mark, state, due, created, created_by, changed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		id, m.ID, name, m.Reporter, string(m.ReporterPerson), subject, text, "<tocsin-reply-"+id+"@"+domainOf(m.Reporter)+">", Waiting, now, now, who, now)
	if err != nil || kind == Thanks {
		return err
	}
	return note(ctx, t, m.ID, who, "replied", "")
}

func domainOf(address string) string {
	if d := (tocsin.Address{Address: address}).Domain(); d != "" {
		return d
	}
	return "tocsin.invalid"
}

// sending is an answer on its way.
type sending struct {
	*tenancy
	*Reply
	gc *graph.Client
}

// reply takes an answer as far as it goes now. What is about to be done is written down first.
func (w *tenancy) reply(ctx context.Context, id string) error {
	for {
		s := &sending{tenancy: w, Reply: &Reply{}}
		err := w.Store.ViewTenant(ctx, w.id, func(t *store.Tenant) error {
			return s.scan(t.QueryRow(ctx, `select `+replyColumns+` from reported_reply where tenant = $1 and id = $2`, id).Scan)
		})
		if err != nil || s.Due.After(w.Store.Clock().Now()) {
			return err
		}
		more, err := s.next(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// next does the next thing; more says whether there is something to do after it at once.
func (s *sending) next(ctx context.Context) (more bool, err error) {
	switch s.State {
	case Waiting:
		return s.begin(ctx)
	case Drafting, Drafted, Sending:
	default:
		return false, nil
	}
	capability := connect.MailSend
	if s.Way == ByPlacing {
		capability = connect.MessagesMove
	}
	if _, s.gc, err = s.Ways(ctx, s.id, capability); err != nil {
		return false, s.trouble(ctx, err)
	}
	switch {
	case s.State == Drafting && s.Way == ByPlacing:
		return s.place(ctx)
	case s.State == Drafting:
		return s.draft(ctx)
	case s.State == Drafted:
		return s.send(ctx)
	}
	return s.look(ctx)
}

// begin chooses the way: as mail from the reports mailbox where that is granted, else put into the reporter's own.
func (s *sending) begin(ctx context.Context) (bool, error) {
	var box, from owner
	n := 0
	err := s.Store.ViewTenant(ctx, s.id, func(t *store.Tenant) (err error) {
		if box, err = ownerOf(ctx, t, s.Reply.Person); err != nil {
			return err
		}
		if s.Settings.Person != "" {
			if from, err = ownerOf(ctx, t, s.Settings.Person); err != nil && !errors.Is(err, store.ErrNone) {
				return err
			}
		}
		return t.QueryRow(ctx, `select count(*) from reported_reply where tenant = $1 and state <> 'waiting' and changed > $2`, s.Store.Clock().Now().Add(-hour)).Scan(&n)
	})
	if errors.Is(err, store.ErrNone) {
		return false, s.end(ctx, Failed, tocsin.Problemf(tocsin.NotFound, "", "Who reported it is no longer in the directory."))
	}
	if err != nil {
		return false, err
	}
	if n >= mostReplies {
		return false, s.hold(ctx, time.Minute, tocsin.Problemf(tocsin.Throttled, "It goes on by itself.", "%d answers were sent in the last hour, which is the most.", n))
	}
	lack := error(tocsin.Problemf(tocsin.Conflict, "Name a reports mailbox in the settings of reports.", "There is no reports mailbox to answer from."))
	if from.object != "" {
		if _, _, lack = s.Ways(ctx, s.id, connect.MailSend); lack == nil {
			return true, s.move(ctx, Drafting, func() { s.Way, s.Mailbox = BySending, from.object })
		}
		if passing(lack) {
			return false, s.trouble(ctx, lack)
		}
	}
	r, err := s.by(ctx, connect.MessagesMove)
	if err == nil {
		err = r.may(box.address)
	}
	if err == nil {
		return true, s.move(ctx, Drafting, func() { s.Way, s.Mailbox = ByPlacing, box.object })
	}
	if passing(err) {
		return false, s.trouble(ctx, err)
	}
	if ours(err) || ours(lack) {
		return false, errors.Join(err, lack)
	}
	p, q := connect.Explain(lack), connect.Explain(err)
	return false, s.end(ctx, Failed, tocsin.Problemf(tocsin.Denied, p.Do, "It can be neither sent (%s) nor put into the reporter's mailbox (%s).", strings.TrimSuffix(p.What, "."), strings.TrimSuffix(q.What, ".")))
}

// body is the answer as Graph takes it. https://learn.microsoft.com/graph/api/resources/message
func (s *sending) body() map[string]any {
	return map[string]any{
		"subject": s.Subject, "body": map[string]any{"contentType": "text", "content": s.Text}, "internetMessageId": s.Mark,
		"toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": s.To}}},
		// No out-of-office answers to it, and where one comes it is not taken for a report.
		"internetMessageHeaders": []any{map[string]any{"name": "X-Auto-Response-Suppress", "value": "All"}, map[string]any{"name": "X-Tocsin-Reply", "value": "1"}},
	}
}

// found is the message with the answer's mark in the mailbox it is made in; nil where there is none.
func (s *sending) found(ctx context.Context) (*marked, error) {
	for m, err := range graph.Pages[marked](ctx, s.gc, "messages.list", graph.P{"user": s.Mailbox, "$filter": "internetMessageId eq '" + strings.ReplaceAll(s.Mark, "'", "''") + "'"}) {
		if err != nil {
			return nil, err
		}
		return &m, nil
	}
	return nil, nil
}

type marked struct {
	ID    string `json:"id"`
	Draft bool   `json:"isDraft"`
}

// draft makes the draft, once: where one was tried before it is looked for first. A draft that is made twice is sent once all the same.
func (s *sending) draft(ctx context.Context) (bool, error) {
	if s.Tries > 0 {
		had, err := s.found(ctx)
		if err != nil {
			return false, s.trouble(ctx, err)
		}
		if had != nil {
			return true, s.move(ctx, Drafted, func() { s.Draft = had.ID })
		}
	}
	if err := s.trying(ctx); err != nil {
		return false, err
	}
	var made marked
	err := s.gc.Act(ctx, "messages.draft", graph.P{"user": s.Mailbox}, s.body(), &made)
	if err := s.point("drafted"); err != nil {
		return false, err
	}
	if err != nil {
		return false, s.trouble(ctx, err)
	}
	return true, s.move(ctx, Drafted, func() { s.Draft = made.ID })
}

// place puts the answer into the reporter's mailbox as a message that has come. Where it was tried before it is looked for first.
func (s *sending) place(ctx context.Context) (bool, error) {
	if s.Tries > 0 {
		had, err := s.found(ctx)
		if err != nil {
			return false, s.trouble(ctx, err)
		}
		if had != nil {
			return false, s.end(ctx, Sent, nil)
		}
	}
	if err := s.trying(ctx); err != nil {
		return false, err
	}
	body := s.body()
	// PidTagMessageFlags, 4: it is shown as received, and not as a draft. https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmsg/a0c52fe2-3014-43a7-942d-f43f6f91c366
	body["singleValueExtendedProperties"] = []any{map[string]any{"id": "Integer 0x0E07", "value": "4"}}
	body["isRead"] = false
	if s.Settings.Mailbox != "" {
		from := map[string]any{"emailAddress": map[string]any{"address": s.Settings.Mailbox}}
		body["from"], body["sender"] = from, from
	}
	err := s.gc.Act(ctx, "messages.import", graph.P{"user": s.Mailbox, "folder": "inbox"}, body, nil)
	if err := s.point("placed"); err != nil {
		return false, err
	}
	if err != nil {
		return false, s.trouble(ctx, err)
	}
	return false, s.end(ctx, Sent, nil)
}

// send sends the draft. That it is about to is written down: whoever goes on after a crash asks the draft first.
func (s *sending) send(ctx context.Context) (bool, error) {
	if err := s.move(ctx, Sending, func() {}); err != nil {
		return false, err
	}
	if err := s.point("recorded"); err != nil {
		return false, err
	}
	err := s.gc.Act(ctx, "messages.sendDraft", graph.P{"user": s.Mailbox, "message": s.Draft}, nil, nil)
	if err := s.point("sent"); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err == nil {
		return false, s.end(ctx, Sent, nil)
	}
	if refusal(err) { // it was not taken, so nothing went
		p := connect.Explain(err)
		return false, s.end(ctx, Failed, p)
	}
	return false, s.trouble(ctx, err)
}

// look asks the draft what became of the sending: still a draft, it did not go and is sent again; no draft any more, it went; gone, its
// mark is looked for, and where that is not there either nobody can tell, and it is not sent again.
func (s *sending) look(ctx context.Context) (bool, error) {
	var now marked
	err := s.gc.Get(ctx, "messages.state", graph.P{"user": s.Mailbox, "message": s.Draft}, &now)
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		had, err := s.found(ctx)
		switch {
		case err != nil:
			return false, s.trouble(ctx, err)
		case had == nil:
			return false, s.end(ctx, Unknown, tocsin.Problemf(tocsin.Conflict, "Ask the reporter, or look into the reports mailbox's sent items; answer again if it did not come.", "Whether it went cannot be told: the draft is gone and it is not among the sent items."))
		case had.Draft:
			return true, s.move(ctx, Drafted, func() { s.Draft = had.ID })
		}
		return false, s.end(ctx, Sent, nil)
	}
	if err != nil {
		return false, s.trouble(ctx, err)
	}
	if now.Draft {
		return true, s.move(ctx, Drafted, func() {})
	}
	return false, s.end(ctx, Sent, nil)
}

// refusal says whether Graph said no to what was sent, so that it did nothing.
func refusal(err error) bool {
	for _, no := range []bool{is[*graph.Denied](err), is[*graph.Failed](err), is[*graph.NotFound](err), is[*graph.NoMailbox](err), is[*graph.Revoked](err), is[*graph.Unauthorized](err), is[*graph.ContentRefused](err)} {
		if no {
			return true
		}
	}
	return false
}

func is[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }

// trying notes one more try, before it is made.
func (s *sending) trying(ctx context.Context) error {
	err := s.move(ctx, s.State, func() { s.Tries++ })
	if err == nil {
		err = s.point("trying")
	}
	return err
}

// move writes the answer in another state, unless another has moved it meanwhile.
func (s *sending) move(ctx context.Context, to string, set func()) error {
	was := s.State
	set()
	s.State = to
	if to != was {
		s.Because, s.Mend = "", ""
	}
	return s.save(ctx, was)
}

func (s *sending) save(ctx context.Context, was string) error {
	return s.update(ctx, func(t *store.Tenant) error {
		s.Changed = s.Store.Clock().Now()
		n, err := t.Exec(ctx, `update reported_reply set way = $3, mailbox = $4, draft = $5, state = $6, because = $7, mend = $8, tries = $9, due = $10, changed = $11 where tenant = $1 and id = $2 and state = $12`,
			s.ID, s.Way, s.Mailbox, s.Draft, s.State, s.Because, s.Mend, s.Tries, s.Due, s.Changed, was)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("the answer %s is no longer %s: %w", s.ID, was, store.ErrLost)
		}
		return t.Append(ctx, store.Fact{Kind: "reported.changed", Subject: s.Reported})
	})
}

// end ends an answer; p says why where it did not go.
func (s *sending) end(ctx context.Context, to string, p *tocsin.Problem) error {
	was := s.State
	s.State, s.Because, s.Mend = to, "", ""
	if p != nil {
		s.Because, s.Mend = p.What, p.Do
	}
	return s.save(ctx, was)
}

// hold lets it wait where it is.
func (s *sending) hold(ctx context.Context, wait time.Duration, p *tocsin.Problem) error {
	s.Due, s.Because, s.Mend = s.Store.Clock().Now().Add(wait), p.What, p.Do
	return s.save(ctx, s.State)
}

// trouble is what becomes of an answer when Graph did not answer well. What passes is waited for, for a day; then what was sent is unknown,
// and what was not failed.
func (s *sending) trouble(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if ours(cause) {
		return cause
	}
	p := connect.Explain(cause)
	old := s.Store.Clock().Now().Sub(s.Created) > giveUp
	if passing(cause) && !old {
		wait := max(backoff(s.Tries+1), 2*time.Second)
		if s.State == Sending { // what was sent without an answer may still be on its way
			wait = max(wait, 30*time.Second)
		}
		if t, ok := errors.AsType[*graph.Throttled](cause); ok {
			wait = max(wait, t.After)
		}
		return s.hold(ctx, wait, p)
	}
	if s.State == Sending || s.State == Drafting && s.Way == ByPlacing && s.Tries > 0 && !refusal(cause) {
		return s.end(ctx, Unknown, p)
	}
	return s.end(ctx, Failed, p)
}
