package investigate

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// noticeID is the internet message id of a notice: by it a notice is found that was made without an answer.
func noticeID(item string) string { return "<notice-" + item + "@tocsin.invalid>" }

// Properties that Graph has no name for: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmsg
const (
	propFlags = "Integer 0x0E07" // 1: read; 0 and no "unsent" bit: it looks delivered, not like a draft
)

// notice puts a notice into a mailbox once everything there has ended, or takes it away by a restore.
func (s *actStep) notice(ctx context.Context, now time.Time) (bool, error) {
	if s.Kind == Restore {
		return s.withdraw(ctx, now)
	}
	id := s.it.MovedTo
	if id == "" && s.it.State == ItemSent { // the answer was lost: it may be there
		var err error
		if id, err = s.noticed(ctx); err != nil {
			return s.trouble(ctx, now, err, nil)
		}
	}
	if id != "" {
		is, err := look(ctx, s.gc, s.box.user, id)
		if err != nil {
			return s.trouble(ctx, now, err, nil)
		}
		s.it.MovedTo = id
		return false, s.so(ctx, ItemDone, is, "The notice is there.")
	}
	of, open, err := s.noticeOf(ctx)
	switch {
	case err != nil:
		return false, err
	case open && s.it.State == ItemWaiting:
		return false, s.wait(ctx, now.Add(2*time.Second), ItemWaiting, "It waits for the messages of the mailbox.")
	case len(of) == 0:
		return false, s.end(ctx, ItemLeft, "Nothing was done in this mailbox.", "")
	case s.it.State == ItemSent && now.Sub(s.it.Sent) < 4*settle:
		return false, s.wait(ctx, s.it.Sent.Add(4*settle), ItemSent, "It was sent without an answer.")
	case s.it.State == ItemSent && s.State == ActStopping:
		return false, s.end(ctx, ItemLeft, "The act was stopped: what was sent has not taken effect.", "")
	case s.it.Tries >= actTries:
		return false, s.end(ctx, ItemFailed, fmt.Sprintf("It was sent %d times without an answer, and the notice is not there.", s.it.Tries), "Try again later.")
	}
	return s.act(ctx, now, nil, &deed{what: "notice", call: "messages.import", p: graph.P{"user": s.box.user, "folder": folderInbox}, body: s.noticeBody(of)})
}

// noticed is the id of the notice, where it is there.
func (s *actStep) noticed(ctx context.Context) (string, error) {
	for m, err := range graph.Pages[struct{ ID string }](ctx, s.gc, "messages.ids", graph.P{"user": s.box.user, "$filter": "internetMessageId eq '" + quoted(s.it.Internet) + "'"}) {
		return m.ID, err
	}
	return "", nil
}

// noticeOf are the messages that a notice is about: those that were done since the mailbox's last notice of the act. open says
// that some have yet to come to an end.
func (s *actStep) noticeOf(ctx context.Context) (of []*ActItem, open bool, err error) {
	err = s.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) error {
		all, err := Items(ctx, t, ItemFilter{Act: s.Act.ID, Person: s.it.Person})
		of, open = nil, false
		for _, it := range all {
			switch {
			case it.ID >= s.it.ID:
				return err
			case it.Part == PartNotice:
				of = nil
			case it.State.Alive():
				open = true
			case it.State == ItemDone:
				of = append(of, it)
			}
		}
		return err
	})
	return of, open, err
}

// noticeBody is a notice as Graph takes it. It is plain text: no link, nothing to click.
func (s *actStep) noticeBody(of []*ActItem) map[string]any {
	subject := map[ActKind]string{Warn: "A message in your mailbox is suspicious", Quarantine: "A message was taken out of your mailbox", Junk: "A message was moved to your junk mail",
		SoftDelete: "A message was deleted from your mailbox", Purge: "A message was deleted from your mailbox"}[s.Kind]
	if len(of) > 1 {
		subject = strings.Replace(strings.Replace(strings.Replace(subject, "A message", fmt.Sprintf("%d messages", len(of)), 1), " was ", " were ", 1), " is ", " are ", 1)
	}
	text := s.Options.NoticeText
	if text == "" {
		text = map[ActKind]string{Warn: "Your security team has marked what is named below as suspicious. Do not open its links or attachments, and do not answer it.",
			Junk:       "Your security team has moved what is named below to your junk mail, because it is suspicious. Do not open its links or attachments, and do not answer it.",
			Quarantine: "Your security team has taken what is named below out of your mailbox, because it is suspicious. If you opened a link or an attachment in it, or answered it, tell your security team now.",
		}[s.Kind]
	}
	if text == "" {
		text = "Your security team has deleted what is named below, because it is dangerous. If you opened a link or an attachment in it, or answered it, tell your security team now."
	}
	var b strings.Builder
	b.WriteString(text + "\r\n\r\n")
	for _, it := range of[:min(len(of), 20)] {
		fmt.Fprintf(&b, "- %s, from %s, %s\r\n", cmp.Or(plain(it.Subject), "(no subject)"), plain(it.Sender), it.Received.UTC().Format("2 January 2006 15:04 MST"))
	}
	if len(of) > 20 {
		fmt.Fprintf(&b, "- and %d more\r\n", len(of)-20)
	}
	return map[string]any{
		"subject": subject, "body": map[string]string{"contentType": "text", "content": b.String()}, "isRead": false, "internetMessageId": s.it.Internet,
		"from":                          map[string]any{"emailAddress": map[string]string{"name": "Security team", "address": cmp.Or(s.AskedEmail, s.it.Who)}},
		"toRecipients":                  []any{map[string]any{"emailAddress": map[string]string{"address": s.it.Who}}},
		"singleValueExtendedProperties": []any{map[string]string{"id": propFlags, "value": "0"}},
	}
}

// plain is a stranger's text on one line, with its links made so that no program makes them clickable.
func plain(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("://", "[:]//", "www.", "www[.]").Replace(s)
}

// withdraw takes a notice away again, to Recoverable Items.
func (s *actStep) withdraw(ctx context.Context, now time.Time) (bool, error) {
	o, err := s.brings(ctx)
	if err != nil {
		return false, err
	}
	id := cmp.Or(o.MovedTo, s.it.MovedTo)
	is, err := look(ctx, s.gc, s.box.user, id)
	if err != nil {
		return s.trouble(ctx, now, err, nil)
	}
	if is == nil {
		return false, s.end(ctx, ItemGone, "The notice is no longer in the mailbox.", "")
	}
	to, err := s.box.folder(ctx, s.gc, folderRecoverable)
	if err != nil {
		return s.trouble(ctx, now, err, nil)
	}
	s.it.MovedTo = id
	switch {
	case is.Folder == to && s.it.State == ItemWaiting:
		return false, s.so(ctx, ItemAlready, is, "The notice was deleted already.")
	case is.Folder == to:
		return false, s.so(ctx, ItemDone, is, "The notice was deleted.")
	case s.it.State == ItemSent && now.Sub(s.it.Sent) < settle:
		return false, s.wait(ctx, s.it.Sent.Add(settle), ItemSent, "It was sent without an answer.")
	case s.it.Tries >= actTries:
		return false, s.end(ctx, ItemFailed, "It was sent without an answer, and the notice is still there.", "Try again later.")
	}
	return s.act(ctx, now, is, s.toFolder(folderRecoverable, to))
}
