package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// How long a send whose answer was lost may still be on its way, and for how long trouble is waited out.
const (
	onItsWay = 30 * time.Second
	giveUp   = 24 * time.Hour
)

// sending is a mail on its way.
type sending struct {
	*box
	*Outgoing
	quoted *wireBody // what the draft said when it was made in this go; nil where it was made before
	fresh  bool      // nobody has tried to make its draft yet
}

// outgoing takes what is to be sent as far as it goes now. n is how many mails moved on.
func (b *box) outgoing(ctx context.Context) (n int, err error) {
	var all []string
	err = b.e.Store.ViewTenant(ctx, b.tenant, func(t *store.Tenant) (err error) {
		all, err = texts(ctx, t, `select id from inbox_outgoing where tenant = $1 and inbox = $2 and state in ('held', 'sending', 'discarded') and due <= $3 order by due, id limit 50`, b.ID, b.e.Store.Clock().Now())
		return err
	})
	for _, id := range all {
		if err == nil {
			n++
			err = b.send(ctx, id)
		}
	}
	return n, err
}

// send takes one as far as it goes now. What is about to be done is written down first.
func (b *box) send(ctx context.Context, id string) error {
	s := &sending{box: b}
	for {
		err := b.e.Store.ViewTenant(ctx, b.tenant, func(t *store.Tenant) (err error) {
			s.Outgoing, err = OutgoingOf(ctx, t, b.ID, id)
			return err
		})
		if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
			return nil
		}
		if err != nil || s.Outgoing.Due.After(b.e.Store.Clock().Now()) {
			return err
		}
		more, err := s.next(ctx)
		if errors.Is(err, errMoved) {
			return nil // somebody took it back, or another goes on with it
		}
		if err != nil || !more {
			return err
		}
	}
}

// errMoved says that a mail is no longer in the state it was read in.
var errMoved = errors.New("the mail has been moved on by another")

// next does the next thing; more says whether there is something to do after it at once.
func (s *sending) next(ctx context.Context) (more bool, err error) {
	switch {
	case s.Outgoing.State == Held:
		s.fresh = s.Draft == ""
		return true, s.save(ctx, Held, func() { s.Outgoing.State = Sending })
	case s.Outgoing.State == Discarded:
		return false, s.discard(ctx)
	case s.Outgoing.State != Sending:
		return false, nil
	case !s.Posted.IsZero():
		return s.lookUp(ctx)
	case s.Draft == "":
		return s.make(ctx)
	case s.Outgoing.InternetID == "":
		return s.write(ctx)
	}
	for i := range s.Files {
		if u := &s.Files[i]; !u.uploaded {
			return s.attach(ctx, u)
		}
	}
	return s.post(ctx)
}

func (s *sending) params() graph.P { return graph.P{"user": s.user(), "message": s.Draft} }

// mark is the category by which a draft is found again whose making was not answered; it goes when the draft is written.
func (o *Outgoing) mark() string { return "Tocsin draft " + o.ID }

// tidy takes drafts out of the mailbox that were made for this mail before, without our being told.
func (s *sending) tidy(ctx context.Context) error {
	p := graph.P{"user": s.user(), "folder": "drafts", "$filter": "categories/any(c:c eq '" + s.mark() + "')"}
	for m, err := range graph.Pages[wire](ctx, s.gc, "messages.inbox.list", p) {
		if err != nil {
			return err
		}
		if !m.draft() || m.Categories == nil || !slices.Contains(*m.Categories, s.mark()) {
			continue // somebody's own
		}
		if err := s.gc.Act(ctx, "messages.purge", graph.P{"user": s.user(), "message": m.ID}, nil, nil); err != nil && !is[*graph.NotFound](err) {
			return err
		}
	}
	return nil
}

// make makes the draft: for an answer by Exchange, which quotes and sets the headers that threads are joined by. One that was made before for
// this mail, by a life that ended or a call that was not answered, goes first.
func (s *sending) make(ctx context.Context) (bool, error) {
	if !s.fresh {
		if err := s.tidy(ctx); err != nil {
			return false, s.stuck(ctx, err)
		}
	}
	s.fresh = false
	marked := []string{s.mark()}
	call, p, body := "messages.draft", graph.P{"user": s.user()}, map[string]any{"subject": s.Subject, "categories": marked}
	switch s.Kind {
	case Reply:
		call = "messages.createReply"
	case ReplyAll:
		call = "messages.createReplyAll"
	case Forward:
		call = "messages.createForward"
	}
	if s.Kind != New {
		p["message"], body = s.Outgoing.Message, map[string]any{"message": map[string]any{"categories": marked}}
	}
	var made wire
	err := s.gc.Act(ctx, call, p, body, &made)
	if err := s.e.point("made"); err != nil {
		return false, err
	}
	if is[*graph.NotFound](err) && s.Kind != New {
		return false, s.end(ctx, Failed, tocsin.Problemf(tocsin.NotFound, "Write it as a new mail.", "The mail that is answered was deleted in the mailbox."))
	}
	if err != nil {
		return false, s.stuck(ctx, err)
	}
	if s.quoted = made.Body; s.quoted == nil {
		s.quoted = &wireBody{}
	}
	return true, s.save(ctx, Sending, func() { s.Draft = made.ID })
}

// write writes into the draft what was written here. A draft that another life of ours made is made anew: what it quotes was told only then.
func (s *sending) write(ctx context.Context) (bool, error) {
	if s.quoted == nil {
		var now wire
		err := s.gc.Get(ctx, "messages.inbox.get", s.params(), &now)
		if err == nil && !now.draft() { // somebody sent it in Outlook
			return false, s.sent(ctx, &now)
		}
		if err == nil {
			err = s.gc.Act(ctx, "messages.purge", s.params(), nil, nil)
		}
		if err != nil && !is[*graph.NotFound](err) {
			return false, s.stuck(ctx, err)
		}
		return true, s.save(ctx, Sending, func() { s.Draft = "" })
	}
	body, err := s.body(ctx)
	if err != nil {
		return false, err
	}
	var now wire
	err = s.gc.Act(ctx, "messages.write", s.params(), body, &now)
	if err := s.e.point("written"); err != nil {
		return false, err
	}
	if err != nil {
		return false, s.stuck(ctx, err)
	}
	return true, s.save(ctx, Sending, func() { s.Outgoing.InternetID = orElse(strings.Trim(value(now.InternetID), "<>"), "-") })
}

// body is what the draft becomes. https://learn.microsoft.com/graph/api/message-update
func (s *sending) body(ctx context.Context) (map[string]any, error) {
	var said string
	var set Settings
	err := s.e.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) (err error) {
		if said, err = Written(ctx, t, s.e.Keeper, s.box.ID, s.Outgoing.ID); err != nil {
			return err
		}
		set, err = SettingsOf(ctx, t, s.box.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if set.Signature != "" {
		said += "<br><div>" + set.Signature + "</div>"
	}
	quoted := ""
	if s.Kind == Forward || s.Quote {
		quoted = s.quoted.Content
	}
	return map[string]any{
		"subject": s.Subject, "body": map[string]any{"contentType": "html", "content": above(said, quoted)},
		"toRecipients": recipients(s.To), "ccRecipients": recipients(s.Cc), "bccRecipients": recipients(s.Bcc),
		"from": graph.Recipient{EmailAddress: graph.EmailAddress{Name: s.Name, Address: s.Address}}, "categories": []string{},
	}, nil
}

// above puts what is written above what is quoted.
func above(said, quoted string) string {
	if quoted == "" {
		return "<html><body>" + said + "</body></html>"
	}
	lower := strings.ToLower(quoted)
	if i := strings.Index(lower, "<body"); i >= 0 {
		if j := strings.IndexByte(lower[i:], '>'); j >= 0 {
			return quoted[:i+j+1] + said + "<br>" + quoted[i+j+1:]
		}
	}
	return "<html><body>" + said + "<br>" + quoted + "</body></html>"
}

// attach gives the draft a file. One whose attaching was tried before is looked for first.
func (s *sending) attach(ctx context.Context, u *Upload) (bool, error) {
	if s.quoted == nil || s.tries > 0 {
		for a, err := range graph.Pages[wireFile](ctx, s.gc, "attachments.list", s.params()) {
			if err != nil {
				return false, s.stuck(ctx, err)
			}
			if a.Name == u.Name && a.Inline == u.Inline && a.Size >= u.Size { // Exchange counts some more
				return true, s.attached(ctx, u)
			}
		}
	}
	var file File
	err := s.e.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) (err error) {
		file, err = uploaded(ctx, t, s.key, s.box.ID, s.Outgoing.ID, u.ID)
		return err
	})
	if err != nil {
		return false, err
	}
	raw := file.Data
	if len(raw) <= MostDirect {
		body := map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": u.Name, "contentType": u.Type, "contentBytes": raw, "isInline": u.Inline}
		if u.ContentID != "" {
			body["contentId"] = u.ContentID
		}
		err = s.gc.Act(ctx, "attachments.add", s.params(), body, nil)
	} else {
		item := map[string]any{"attachmentType": "file", "name": u.Name, "size": len(raw), "contentType": u.Type, "isInline": u.Inline}
		if u.ContentID != "" {
			item["contentId"] = u.ContentID
		}
		var session graph.UploadSession
		if err = s.gc.Act(ctx, "attachments.upload", s.params(), map[string]any{"AttachmentItem": item}, &session); err == nil {
			err = s.gc.Upload(ctx, session, s.user(), bytes.NewReader(raw), int64(len(raw)))
		} else if is[*graph.Denied](err) {
			return false, s.end(ctx, Failed, tocsin.Problemf(tocsin.Denied, "Send it as a link, or connect the address as an application (Settings → Email).", "Microsoft does not let this account attach %s, which is larger than 3 MB, to a shared mailbox's mail.", u.Name))
		}
	}
	if err := s.e.point("attached"); err != nil {
		return false, err
	}
	if err != nil {
		return false, s.stuck(ctx, err)
	}
	return true, s.attached(ctx, u)
}

func (s *sending) attached(ctx context.Context, u *Upload) error {
	return s.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update inbox_upload set uploaded = $5 where tenant = $1 and inbox = $2 and outgoing = $3 and id = $4`, s.box.ID, s.Outgoing.ID, u.ID, true)
		return err
	})
}

// post sends the draft. That it is about to is written down: whoever goes on after a crash asks the draft first.
func (s *sending) post(ctx context.Context) (bool, error) {
	now := s.e.Store.Clock().Now()
	wait, err := s.full(ctx, now)
	if err != nil {
		return false, err
	}
	if wait > 0 {
		return false, s.save(ctx, Sending, func() { s.Due = now.Add(wait) })
	}
	if err := s.save(ctx, Sending, func() { s.Posted = now }); err != nil {
		return false, err
	}
	if err := s.e.point("recorded"); err != nil {
		return false, err
	}
	err = s.gc.Act(ctx, "messages.sendDraft", s.params(), nil, nil)
	if err := s.e.point("posted"); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		if refusal(err) || busy(err) { // it was not taken, so nothing went
			s.Posted = time.Time{}
		}
		return false, s.stuck(ctx, err)
	}
	return false, s.sent(ctx, nil)
}

// full is how long to wait until one more mail may go from the mailbox: Exchange sends 30 a minute.
// https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits#sending-limits
func (s *sending) full(ctx context.Context, now time.Time) (wait time.Duration, err error) {
	most := orElse(s.e.Minute, 30)
	err = s.e.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) error {
		var at int64
		err := t.QueryRow(ctx, `select posted from inbox_outgoing where tenant = $1 and inbox = $2 and posted > $3 order by posted desc limit 1 offset $4`, s.box.ID, now.Add(-time.Minute), most-1).Scan(&at)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		wait = time.Minute - now.Sub(tocsin.FromMillis(at))
		return err
	})
	return wait, err
}

// lookUp asks the draft what became of a send that was not answered: still a draft after a while, it did not go and is sent again; no draft any
// more, it went; gone, it is looked for among all mails, and where it is not there either nobody can tell, and it is not sent again.
func (s *sending) lookUp(ctx context.Context) (bool, error) {
	now := s.e.Store.Clock().Now()
	if until := s.Posted.Add(onItsWay); now.Before(until) {
		return false, s.save(ctx, Sending, func() { s.Due = until })
	}
	var is_ wire
	err := s.gc.Get(ctx, "messages.inbox.get", s.params(), &is_)
	if is[*graph.NotFound](err) {
		return s.search(ctx)
	}
	if err != nil {
		return false, s.stuck(ctx, err)
	}
	if is_.draft() {
		return true, s.save(ctx, Sending, func() { s.Posted = time.Time{} })
	}
	return false, s.sent(ctx, &is_)
}

// search looks for a mail by its Message-ID.
func (s *sending) search(ctx context.Context) (bool, error) {
	var found *wire
	for m, err := range graph.Pages[wire](ctx, s.gc, "messages.list", graph.P{"user": s.user(), "$filter": "internetMessageId eq '<" + strings.ReplaceAll(s.Outgoing.InternetID, "'", "''") + ">'"}) {
		if err != nil {
			return false, s.stuck(ctx, err)
		}
		if !m.draft() {
			found = &m
		}
	}
	if found != nil {
		return false, s.sent(ctx, nil)
	}
	return false, s.end(ctx, Unknown, tocsin.Problemf(tocsin.Conflict, "Ask a recipient, or look into the mailbox's Sent Items, before you write it again.", "Whether it went cannot be told: Microsoft did not answer, its draft is gone and it is not among the mails that were sent."))
}

// sent notes that a mail went, then reads back how: what is told of it here is what the mailbox has.
func (s *sending) sent(ctx context.Context, now *wire) error {
	if err := s.end(ctx, Sent, nil); err != nil {
		return err
	}
	if err := s.e.point("sent"); err != nil {
		return err
	}
	if now == nil {
		now = &wire{}
		if err := s.gc.Get(ctx, "messages.inbox.get", s.params(), now); err != nil || now.draft() {
			return ctx.Err() // it is told with the sent items
		}
	}
	all := []told{{wire: *now}}
	if err := s.enrich(ctx, all); err != nil {
		if ours(err) {
			return err
		}
		return ctx.Err()
	}
	return s.update(ctx, func(t *store.Tenant) error {
		if _, err := s.take(ctx, t, "", all); err != nil {
			return err
		}
		return s.box.rights(ctx, t, &all[0].wire)
	})
}

// rights remembers whether a mail went as the inbox's address or on behalf of it.
func (b *box) rights(ctx context.Context, t *store.Tenant, w *wire) error {
	if w.From == nil || w.Sender == nil || !b.own[tocsin.CanonicalAddress(w.From.EmailAddress.Address)] {
		return nil
	}
	to := SendAs
	if !b.own[tocsin.CanonicalAddress(w.Sender.EmailAddress.Address)] {
		to = SendBehalf
	}
	return setSending(ctx, t, b.ID, to, "")
}

// setSending remembers what is known of the right to send from an inbox's address.
func setSending(ctx context.Context, t *store.Tenant, inbox, to, because string) error {
	n, err := t.Exec(ctx, `update inbox set sending = $3, sending_because = $4, sending_at = $5, version = version + 1 where tenant = $1 and id = $2 and (sending <> $3 or sending_because <> $4)`, inbox, to, because, t.Tx().Clock().Now())
	if err != nil || n == 0 {
		return err
	}
	return tell(ctx, t, inbox, "sending")
}

// discard takes the draft of a mail that was thrown away out of the mailbox.
func (s *sending) discard(ctx context.Context) error {
	err := s.gc.Act(ctx, "messages.purge", s.params(), nil, nil)
	if err != nil && passing(err) && s.e.Store.Clock().Now().Sub(s.Outgoing.Changed) < giveUp {
		return s.hold(ctx, err)
	}
	if err != nil && ours(err) {
		return err
	}
	return s.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `delete from inbox_outgoing where tenant = $1 and inbox = $2 and id = $3 and state = 'discarded'`, s.box.ID, s.Outgoing.ID)
		return err
	})
}

// save writes the mail with what set changes, unless it is no longer in the state it was.
func (s *sending) save(ctx context.Context, was string, set func()) error {
	set()
	return s.update(ctx, func(t *store.Tenant) error { return s.put(ctx, t, was) })
}

func (s *sending) put(ctx context.Context, t *store.Tenant, was string) error {
	o := s.Outgoing
	o.Changed = s.e.Store.Clock().Now()
	n, err := t.Exec(ctx, `update inbox_outgoing set state = $4, because = $5, mend = $6, draft = $7, internet_id = $8, tries = $9, due = $10, posted = $11, sent = $12, thread = $13, changed = $14, version = version + 1 where tenant = $1 and inbox = $2 and id = $3 and state = $15`,
		s.box.ID, o.ID, o.State, o.Because, o.Mend, o.Draft, o.InternetID, o.tries, o.Due, tocsin.Millis(o.Posted), tocsin.Millis(o.Sent), o.Thread, o.Changed, was)
	if err != nil {
		return err
	}
	if n == 0 {
		return errMoved
	}
	return o.tell(ctx, t, "")
}

// end ends a mail's way; p says why where it did not go.
func (s *sending) end(ctx context.Context, to string, p *tocsin.Problem) error {
	o := s.Outgoing
	o.State, o.Because, o.Mend = to, "", ""
	if p != nil {
		o.Because, o.Mend = p.What, p.Do
	}
	s.e.Counts.add(to, 1)
	return s.update(ctx, func(t *store.Tenant) error {
		if to == Failed { // what is written is kept: it can be sent again, as another draft
			o.Posted = time.Time{}
		}
		if to != Sent {
			return s.put(ctx, t, Sending)
		}
		o.Sent = s.e.Store.Clock().Now()
		if err := s.put(ctx, t, Sending); err != nil {
			return err
		}
		p := &pass{box: s.box, t: t, now: tocsin.Millis(o.Sent)}
		return p.went(ctx, o, o.CreatedBy, "sent")
	})
}

// went does to a thread what a mail that went does. The mailbox has its files.
func (p *pass) went(ctx context.Context, o *Outgoing, who, because string) error {
	if _, err := p.t.Exec(ctx, `delete from inbox_upload where tenant = $1 and inbox = $2 and outgoing = $3`, p.ID, o.ID); err != nil || o.Thread == "" {
		return err
	}
	if err := Note(ctx, p.t, p.ID, o.Thread, "sent", who, map[string]string{"outgoing": o.ID, "message": o.Draft}); err != nil {
		return err
	}
	if err := p.turn(ctx, o.Thread, orElse(o.Then, Waiting), because, Open, Waiting, Snoozed, Resolved); err != nil {
		return err
	}
	return tellThread(ctx, p.t, p.ID, o.Thread, "sent", who)
}

// hold lets it wait where it is.
func (s *sending) hold(ctx context.Context, cause error) error {
	o := s.Outgoing
	o.tries++
	wait := backoff(o.tries)
	if t, ok := errors.AsType[*graph.Throttled](cause); ok {
		wait = max(wait, t.After)
	}
	p := explain(cause, s.Address)
	o.Due, o.Because, o.Mend = s.e.Store.Clock().Now().Add(wait), p.What, p.Do
	return s.save(ctx, o.State, func() {})
}

// stuck is what becomes of a mail when Graph did not answer well. What passes is waited for, for a day; then what was handed over is unknown,
// and what was not failed.
func (s *sending) stuck(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if ours(cause) {
		return cause
	}
	old := s.e.Store.Clock().Now().Sub(s.Outgoing.Created) > giveUp && s.tries > 3
	if passing(cause) && !old {
		return s.hold(ctx, cause)
	}
	if d, ok := errors.AsType[*graph.Denied](cause); ok && d.Code == "ErrorSendAsDenied" {
		why := fmt.Sprintf("Microsoft refused to send as %s: the account has the right neither to send as it nor on its behalf.", s.Address)
		if err := s.update(ctx, func(t *store.Tenant) error { return setSending(ctx, t, s.box.ID, SendRefused, why) }); err != nil {
			return err
		}
		return s.end(ctx, Failed, tocsin.Problemf(tocsin.Denied, "Give the account Send As on the mailbox (Add-RecipientPermission -AccessRights SendAs), then Test sending under Settings → Email, and send it again.", "%s", why))
	}
	p := explain(cause, s.Address)
	if !s.Posted.IsZero() { // the mailbox is shut to us before we could see whether it went
		if err := s.end(ctx, Unknown, p); err != nil {
			return err
		}
	} else if err := s.end(ctx, Failed, p); err != nil {
		return err
	}
	if is[*graph.Failed](cause) || is[*graph.NotFound](cause) {
		return nil // it is this mail's alone
	}
	return cause // it is said at the inbox too
}

// forThread is the thread of one of our own mails, by its draft; "" for another's.
func (p *pass) forThread(ctx context.Context, m *Message) (thread string, ok bool, err error) {
	if m.Direction != Out {
		return "", false, nil
	}
	err = p.t.QueryRow(ctx, `select thread from inbox_outgoing where tenant = $1 and inbox = $2 and draft = $3`, p.ID, m.ID).Scan(&thread)
	if errors.Is(err, store.ErrNone) {
		return "", false, nil
	}
	return thread, err == nil, err
}
