package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

// told is what a mailbox tells of one mail: how it is now, or that it left the folder that is read.
type told struct {
	wire
	left bool
}

// pass takes in what a mailbox told, in one transaction.
type pass struct {
	*box
	t       *store.Tenant
	now     int64
	touched map[string]string // threads, and what happened in them last
	arrived []Arrival
	changed int // mails that came, went or are marked otherwise
}

// Arrival is a mail that came into an inbox, for who goes on with it in the same transaction.
type Arrival struct {
	Inbox, Thread, Message string
	First                  bool // it began its thread
	Silent                 bool // it is of a first reading: nobody is told, no rule runs
	Direction              string
	Text                   string // what it says, as text
}

// take takes in what was told of the mails of a folder, "" where each was asked for by itself.
func (b *box) take(ctx context.Context, t *store.Tenant, folder string, all []told) (*pass, error) {
	p := &pass{box: b, t: t, now: tocsin.Millis(b.e.Store.Clock().Now()), touched: map[string]string{}}
	known, err := p.known(ctx, all)
	if err != nil {
		return nil, err
	}
	for i := range all {
		w := &all[i]
		had := known[w.ID]
		switch {
		case w.left && had != nil && had.Folder == folder && had.Gone.IsZero():
			err = p.lost(ctx, had)
		case w.left || had != nil && !had.Erased.IsZero():
		case had != nil:
			err = p.update(ctx, had, &w.wire)
		case w.draft() || !w.whole():
		default:
			var m *Message
			if m, err = p.insert(ctx, &w.wire); m != nil {
				known[w.ID] = m // it may be told twice in a page
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return p, p.settle(ctx)
}

func (p *pass) touch(thread, what string) {
	if p.touched[thread] != "received" {
		p.touched[thread] = what
	}
}

// known are the mails that are here already.
func (p *pass) known(ctx context.Context, all []told) (map[string]*Message, error) {
	out := map[string]*Message{}
	for some := range slices.Chunk(all, 100) {
		args := []any{p.ID}
		for i := range some {
			args = append(args, some[i].ID)
		}
		list, err := messages(ctx, p.t, `inbox = $2 and id in (`+store.In(len(some), 3)+`)`, args...)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			out[m.ID] = m
		}
	}
	return out, nil
}

func messages(ctx context.Context, t *store.Tenant, where string, args ...any) (out []*Message, err error) {
	rows, err := t.Query(ctx, `select `+messageColumns+` from inbox_message where tenant = $1 and `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m := &Message{}
		if err := m.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// lost notes that a mail left its folder. Where to is found by the folder it came into, or by asking for it.
func (p *pass) lost(ctx context.Context, m *Message) error {
	_, err := p.t.Exec(ctx, `update inbox_message set folder = '', told = $4 where tenant = $1 and inbox = $2 and id = $3`, p.ID, m.ID, p.now)
	m.Folder = ""
	return err
}

// update takes over what is told of a mail that is here. What is wished for and not yet made good is kept as it is wished.
func (p *pass) update(ctx context.Context, m *Message, w *wire) error {
	if w.draft() { // ours, that is being sent, or one that was recalled
		return nil
	}
	if _, purging := p.wished[m.ID][wishPurge]; purging {
		return nil
	}
	if len(p.wished[m.ID]) > 0 {
		w.without(p.wished[m.ID])
	}
	back, again := !m.Gone.IsZero(), w.ChangeKey == "" || w.ChangeKey != m.ETag
	from := m.Folder
	changed := w.mark(m) || back
	if w.ChangeKey != "" {
		m.ETag = w.ChangeKey
	}
	if changed || again {
		if _, err := p.t.Exec(ctx, `update inbox_message set folder = $4, is_read = $5, flag = $6, categories = $7, etag = $8, told = $9, gone = 0 where tenant = $1 and inbox = $2 and id = $3`,
			p.ID, m.ID, m.Folder, m.Read, m.Flag, text(m.Categories), m.ETag, p.now); err != nil {
			return err
		}
	} else if _, err := p.t.Exec(ctx, `update inbox_message set told = $4 where tenant = $1 and inbox = $2 and id = $3`, p.ID, m.ID, p.now); err != nil {
		return err
	}
	if w.Body != nil && w.Subject != nil && (int64(len(w.Body.Content)) != m.Size || clip(*w.Subject, 1000) != m.Subject) {
		changed = true
		if err := p.rewrite(ctx, m, w); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	p.changed++
	p.touch(m.Thread, "changed")
	return p.junked(ctx, m, from)
}

// rewrite keeps what a mail says now: somebody changed its text.
func (p *pass) rewrite(ctx context.Context, m *Message, w *wire) error {
	m.Subject, m.Preview, m.Size = clip(*w.Subject, 1000), clip(value(w.Preview), 1000), int64(len(w.Body.Content))
	_, err := p.t.Exec(ctx, `update inbox_message set subject = $4, preview = $5, size = $6, body = $7 where tenant = $1 and inbox = $2 and id = $3`, p.ID, m.ID, m.Subject, m.Preview, m.Size, p.seal(m.ID, w.Body))
	return err
}

// mostKept is how much of what a mail says is kept, in bytes: what is behind it is read in the mailbox.
const mostKept = 16 << 20

func (p *pass) seal(id string, body *wireBody) []byte {
	raw, err := json.Marshal(stored{Type: body.Type, Content: clip(body.Content, mostKept)})
	if err != nil {
		panic("inbox: two texts are JSON: " + err.Error())
	}
	return p.key.Seal(raw, aboutMessage(p.t, p.ID, id))
}

// junked takes over from Outlook that a mail was declared junk, or that it is none.
func (p *pass) junked(ctx context.Context, m *Message, from string) error {
	junk := p.well("junkemail")
	if junk == "" || m.Folder == from || m.Folder != junk && from != junk {
		return nil
	}
	if m.Folder == junk {
		return p.turn(ctx, m.Thread, Spam, "junk", Open, Waiting, Snoozed, Resolved)
	}
	return p.turn(ctx, m.Thread, Open, "not junk", Spam)
}

// turn puts a thread into another state where it is in one of those, and notes that; because says what in the mailbox did it.
func (p *pass) turn(ctx context.Context, thread, to, because string, from ...string) error {
	var was string
	err := p.t.QueryRow(ctx, `select state from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, p.ID, thread).Scan(&was)
	if errors.Is(err, store.ErrNone) || err == nil && !slices.Contains(from, was) {
		return nil
	}
	if err != nil {
		return err
	}
	resolved := int64(0)
	if to == Resolved {
		resolved = p.now
	}
	if _, err := p.t.Exec(ctx, `update inbox_thread set state = $4, snoozed = 0, resolved = $5, changed = $6, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, p.ID, thread, to, resolved, p.now); err != nil {
		return err
	}
	return Note(ctx, p.t, p.ID, thread, "state", "", map[string]any{"from": was, "to": to, "because": because})
}

// Note writes down what happened in a thread beside its mails; who is an account, or "" for Tocsin and for what was done in Outlook.
func Note(ctx context.Context, t *store.Tenant, inbox, thread, kind, who string, what any) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `insert into inbox_entry (tenant, inbox, thread, id, at, kind, who, what) values ($1, $2, $3, $4, $5, $6, $7, $8)`, inbox, thread, tocsin.NewID(), t.Tx().Clock().Now(), kind, who, json.RawMessage(raw))
	return err
}

// insert takes in a mail that is new here.
func (p *pass) insert(ctx context.Context, w *wire) (*Message, error) {
	m := w.message(p.own)
	m.Inbox = p.ID
	if p.floor > 0 && tocsin.Millis(m.At) < p.floor {
		return nil, nil // before what is read
	}
	silent := p.since == 0 || tocsin.Millis(m.At) < p.since
	thread, ours, err := p.forThread(ctx, m)
	if err == nil && thread == "" {
		thread, err = p.join(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	m.Thread = thread
	if thread != "" && ours {
		silent = false
	} else if thread == "" {
		if m.Thread, err = p.begin(ctx, m, silent); err != nil {
			return nil, err
		}
	} else if !silent {
		if err := p.answered(ctx, m); err != nil {
			return nil, err
		}
	}
	// What the next mail is joined by; the rest of the row is made when all were taken in.
	_, answer := fold(m.Subject)
	if _, err := p.t.Exec(ctx, `update inbox_thread set last = case when last < $4 then $4 else last end, bare = case when first_in = 0 or $4 <= first_in then $5 else bare end, first_in = case when first_in = 0 or $4 < first_in then $4 else first_in end
		where tenant = $1 and inbox = $2 and id = $3`, p.ID, m.Thread, tocsin.Millis(m.At), answer || len(m.refers()) > 0); err != nil {
		return nil, err
	}
	_, err = p.t.Exec(ctx, `insert into inbox_message (tenant, inbox, id, thread, folder, direction, internet_id, in_reply_to, refers, conversation, subject, preview, from_address, from_name, sender_address, reply_to, to_list, cc_list, bcc_list,
		authentication, at, received, sent, is_read, flag, importance, categories, has_attachments, attachments, size, etag, body, seen, told)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $33)`,
		p.ID, m.ID, m.Thread, m.Folder, m.Direction, m.InternetID, m.InReplyTo, text(m.References), m.Conversation, m.Subject, m.Preview, m.From.Address, m.From.Name, m.Sender, text(m.ReplyTo), text(m.To), text(m.Cc), text(m.Bcc),
		m.Authentication, m.At, m.Received, m.Sent, m.Read, m.Flag, m.Importance, text(m.Categories), m.HasAttachments, text(m.Attachments), m.Size, m.ETag, p.seal(m.ID, w.Body), p.now)
	if err != nil {
		return nil, err
	}
	if refs := m.refers(); len(refs) > 0 {
		rows := make([][]any, len(refs))
		for i, id := range refs {
			rows[i] = []any{p.ID, id, m.Thread}
		}
		if err := p.t.Insert(ctx, store.Into{Table: "inbox_reference", Columns: []string{"inbox", "internet_id", "thread"}, Key: []string{"inbox", "internet_id", "thread"}}, rows); err != nil {
			return nil, err
		}
	}
	if ours {
		if _, err := p.t.Exec(ctx, `update inbox_outgoing set thread = $4 where tenant = $1 and inbox = $2 and draft = $3 and thread = ''`, p.ID, m.ID, m.Thread); err != nil {
			return nil, err
		}
	}
	p.changed++
	what := "received"
	if m.Direction == Out {
		what = "sent"
	}
	if silent {
		what = "silent"
	}
	p.touch(m.Thread, what)
	if p.e.Arrived != nil {
		kind := "text/plain"
		if w.Body.Type != "text" {
			kind = "text/html"
		}
		p.arrived = append(p.arrived, Arrival{Inbox: p.ID, Thread: m.Thread, Message: m.ID, First: thread == "", Silent: silent, Direction: m.Direction, Text: mail.ReadBody(kind, w.Body.Content).Text})
	}
	return m, nil
}

// begin makes a thread of a mail.
func (p *pass) begin(ctx context.Context, m *Message, silent bool) (string, error) {
	var n int64
	if err := p.t.QueryRow(ctx, `update inbox set numbers = numbers + 1 where tenant = $1 and id = $2 returning numbers`, p.ID).Scan(&n); err != nil {
		return "", err
	}
	id := tocsin.NewID()
	state := Open
	switch {
	case m.Folder == p.well("junkemail"):
		state = Spam
	case m.Direction == Out:
		state = Waiting
	}
	folded, answer := fold(m.Subject)
	_, err := p.t.Exec(ctx, `insert into inbox_thread (tenant, inbox, id, n, subject, folded, bare, conversation, state, silent, created, changed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
		p.ID, id, n, m.Subject, folded, answer, m.Conversation, state, silent, p.now)
	return id, err
}

// answered says what a mail that comes does to the thread it comes into: one from outside opens it, ours lets it wait for the other side.
func (p *pass) answered(ctx context.Context, m *Message) error {
	if m.Folder == p.well("junkemail") {
		return nil
	}
	if _, err := p.t.Exec(ctx, `update inbox_thread set silent = $4 where tenant = $1 and inbox = $2 and id = $3`, p.ID, m.Thread, false); err != nil {
		return err
	}
	if m.Direction == In {
		return p.turn(ctx, m.Thread, Open, "answer", Waiting, Snoozed, Resolved)
	}
	return p.turn(ctx, m.Thread, Waiting, "sent in Outlook", Open)
}

// settle brings what is told of the threads up to date, and tells of them.
func (p *pass) settle(ctx context.Context) error {
	for thread, what := range p.touched {
		if err := p.refresh(ctx, thread); err != nil {
			return err
		}
		if what == "silent" {
			continue // the inbox tells how far it is
		}
		if err := tellThread(ctx, p.t, p.ID, thread, what, ""); err != nil {
			return err
		}
	}
	for _, a := range p.arrived {
		if err := p.e.Arrived(ctx, p.t, a); err != nil {
			return err
		}
	}
	return nil
}

// tellThread writes the fact that a thread is another now.
func tellThread(ctx context.Context, t *store.Tenant, inbox, thread, what, who string) error {
	body, err := json.Marshal(map[string]string{"inbox": inbox, "what": what})
	if err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "inbox.thread", Subject: thread, Actor: who, Body: body})
}

func texts(ctx context.Context, t *store.Tenant, q string, args ...any) (out []string, err error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// pairs reads rows of two texts.
func pairs(rows *sql.Rows, into map[string]string) error {
	defer rows.Close()
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			return err
		}
		into[k] = v
	}
	return rows.Err()
}
