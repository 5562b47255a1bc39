package api

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// mostMails is how many mails of a thread are shown: the newest.
const mostMails = 200

type threadMailRow struct {
	ThreadMail
	replyTo, to, cc, bcc, categories, files string
	at, gone                                int64
}

func (m *threadMailRow) fields() []any {
	return []any{&m.ID, &m.Direction, &m.Subject, &m.Preview, &m.From, &m.FromName, &m.Sender, &m.replyTo, &m.to, &m.cc, &m.bcc, &m.at, &m.Read, &m.Draft, &m.Flag, &m.Importance, &m.categories, &m.Folder, &m.files, &m.MessageID, &m.gone, &m.HasBody}
}

// threadMails are a thread's, in order of time; cut says that there are older ones.
func threadMails(ctx context.Context, t *store.Tenant, box, thread string) (out []ThreadMail, cut bool, err error) {
	rows, err := find(ctx, t, (&query{}).add(`select id, direction, subject, preview, from_address, from_name, sender_address, reply_to, to_list, cc_list, bcc_list, at, is_read, draft, flag, importance, categories, folder, attachments, internet_id, gone, body is not null
		from inbox_message where tenant = $1 and inbox = ? and thread = ? and erased = 0 order by at desc, id desc limit ?`, box, thread, mostMails+1), (*threadMailRow).fields)
	if err != nil {
		return nil, false, err
	}
	if cut = len(rows) > mostMails; cut {
		rows = rows[:mostMails]
	}
	out = make([]ThreadMail, len(rows))
	for i, r := range rows {
		if r.Sender == r.From {
			r.Sender = ""
		}
		for _, list := range []struct {
			to   *[]MailAddress
			text string
		}{{&r.ReplyTo, r.replyTo}, {&r.To, r.to}, {&r.Cc, r.cc}, {&r.Bcc, r.bcc}} {
			if *list.to, err = decoded[MailAddress](list.text); err != nil {
				return nil, false, err
			}
		}
		if r.Categories, err = decoded[string](r.categories); err != nil {
			return nil, false, err
		}
		files, err := decoded[inbox.Attachment](r.files)
		if err != nil {
			return nil, false, err
		}
		r.Attachments = []MailFile{}
		for _, f := range files {
			r.Attachments = append(r.Attachments, MailFile{ID: f.ID, Name: f.Name, Type: f.Type, Size: f.Size, Inline: f.Inline, ContentID: f.ContentID})
		}
		r.At, r.Gone = tocsin.FromMillis(r.at), tocsin.FromMillis(r.gone)
		out[len(rows)-1-i] = r.ThreadMail
	}
	return out, cut, nil
}
