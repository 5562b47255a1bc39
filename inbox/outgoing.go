package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	mime "tocsin.dev/mail"
	"tocsin.dev/store"
)

// Kinds of outgoing mails.
const (
	New      = "new"
	Reply    = "reply"
	ReplyAll = "reply_all"
	Forward  = "forward"
)

// States of an outgoing mail. Spam, Open and so on are a thread's.
const (
	Drafted   = "draft"
	Held      = "held"    // it can be taken back until Due
	Sending   = "sending" // it is on its way, or waits for its mailbox
	Sent      = "sent"
	Failed    = "failed"    // it did not go, because; it can be sent again
	Unknown   = "unknown"   // whether it went cannot be told; it is never repeated
	Discarded = "discarded" // its draft is being taken out of the mailbox
)

// The largest files of a mail, in bytes: https://learn.microsoft.com/graph/outlook-large-attachments. Exchange takes 150 MB with all encoding.
const (
	MostDirect = 3 << 20
	MostFiles  = 110 << 20
)

// Outgoing is a mail being written, or on its way. What it says is given by [Written].
type Outgoing struct {
	ID, Inbox, Thread string
	Message           string // that is answered or forwarded
	Kind, State       string
	Because, Mend     string
	Subject           string
	To, Cc, Bcc       []tocsin.Address
	Quote             bool   // what is answered stands below
	Then              string // the state of the thread once it was sent; empty: waiting
	Draft             string // Graph's id of the draft, and of the mail when it was sent
	InternetID        string
	Due, Posted, Sent time.Time
	Created, Changed  time.Time
	CreatedBy         string
	Files             []Upload
	Version           int64
	tries             int
}

// Upload is a file of a mail being written.
type Upload struct {
	ID, Name, Type, ContentID string
	Inline                    bool // it is shown in the text, by cid: and its ContentID
	Size                      int64
	uploaded                  bool
}

// Writing is what somebody writes. HTML goes before Text, which is for who writes plain text.
type Writing struct {
	Subject     string
	To, Cc, Bcc []tocsin.Address
	HTML, Text  string
	Quote       bool
	Then        string
}

const outgoingColumns = `id, thread, message, kind, state, because, mend, subject, to_list, cc_list, bcc_list, quote, then_state, draft, internet_id, tries, due, posted, sent, created, created_by, changed, version`

func (o *Outgoing) scan(scan func(...any) error) error {
	var to, cc, bcc string
	var due, posted, sent, created, changed int64
	if err := scan(&o.ID, &o.Thread, &o.Message, &o.Kind, &o.State, &o.Because, &o.Mend, &o.Subject, &to, &cc, &bcc, &o.Quote, &o.Then, &o.Draft, &o.InternetID, &o.tries, &due, &posted, &sent, &created, &o.CreatedBy, &changed, &o.Version); err != nil {
		return err
	}
	o.Due, o.Posted, o.Sent, o.Created, o.Changed = tocsin.FromMillis(due), tocsin.FromMillis(posted), tocsin.FromMillis(sent), tocsin.FromMillis(created), tocsin.FromMillis(changed)
	return errors.Join(json.Unmarshal([]byte(to), &o.To), json.Unmarshal([]byte(cc), &o.Cc), json.Unmarshal([]byte(bcc), &o.Bcc))
}

// OutgoingOf is a mail being written, or on its way.
func OutgoingOf(ctx context.Context, t *store.Tenant, inbox, id string) (*Outgoing, error) {
	list, err := outgoings(ctx, t, `inbox = $2 and id = $3`, inbox, id)
	if err == nil && len(list) == 0 {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look at its thread.", "There is no such mail being written.")
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// Outgoings are the mails of a thread that are being written or on their way, and what became of those that were sent, the oldest first.
func Outgoings(ctx context.Context, t *store.Tenant, inbox, thread string) ([]*Outgoing, error) {
	return outgoings(ctx, t, `inbox = $2 and thread = $3 and state <> 'discarded' order by id`, inbox, thread)
}

// Unsent are the mails of an inbox that are not in a thread, and those of an account that it still writes: its drafts.
func Unsent(ctx context.Context, t *store.Tenant, inbox, account string) ([]*Outgoing, error) {
	return outgoings(ctx, t, `inbox = $2 and created_by = $3 and state in ('draft', 'held', 'sending', 'failed', 'unknown') order by id desc limit 200`, inbox, account)
}

func outgoings(ctx context.Context, t *store.Tenant, where string, args ...any) (out []*Outgoing, err error) {
	rows, err := t.Query(ctx, `select `+outgoingColumns+` from inbox_outgoing where tenant = $1 and `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		o := &Outgoing{Inbox: args[0].(string)}
		if err := o.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	for _, o := range out {
		if o.Files, err = uploads(ctx, t, o.Inbox, o.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func uploads(ctx context.Context, t *store.Tenant, inbox, outgoing string) (out []Upload, err error) {
	rows, err := t.Query(ctx, `select id, name, content_type, content_id, inline, size, uploaded from inbox_upload where tenant = $1 and inbox = $2 and outgoing = $3 order by id`, inbox, outgoing)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var u Upload
		if err := rows.Scan(&u.ID, &u.Name, &u.Type, &u.ContentID, &u.Inline, &u.Size, &u.uploaded); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// Written is what a mail being written says, as HTML that may be edited further and shown.
func Written(ctx context.Context, t *store.Tenant, k Keeper, inbox, id string) (string, error) {
	var sealed []byte
	err := t.QueryRow(ctx, `select body from inbox_outgoing where tenant = $1 and inbox = $2 and id = $3`, inbox, id).Scan(&sealed)
	if errors.Is(err, store.ErrNone) {
		return "", tocsin.Problemf(tocsin.NotFound, "Look at its thread.", "There is no such mail being written.")
	}
	if err != nil || len(sealed) == 0 {
		return "", err
	}
	key, err := OpenKey(ctx, t, k, inbox)
	if err != nil {
		return "", err
	}
	raw, err := key.Open(sealed, aboutOutgoing(t, inbox, id))
	return string(raw), err
}

func aboutOutgoing(t *store.Tenant, inbox, id string) string {
	return string(t.ID()) + "|inbox|" + inbox + "|outgoing|" + id
}

// UploadOf is what a file of a mail being written holds.
func UploadOf(ctx context.Context, t *store.Tenant, k Keeper, inbox, outgoing, upload string) (File, error) {
	key, err := OpenKey(ctx, t, k, inbox)
	if err != nil {
		return File{}, err
	}
	return uploaded(ctx, t, key, inbox, outgoing, upload)
}

func uploaded(ctx context.Context, t *store.Tenant, key *Key, inbox, outgoing, upload string) (f File, err error) {
	var sealed []byte
	err = t.QueryRow(ctx, `select name, content_type, content_id, inline, body from inbox_upload where tenant = $1 and inbox = $2 and outgoing = $3 and id = $4`, inbox, outgoing, upload).
		Scan(&f.Name, &f.Type, &f.ContentID, &f.Inline, &sealed)
	if errors.Is(err, store.ErrNone) {
		return f, tocsin.Problemf(tocsin.NotFound, "Look at the mail again.", "The mail has no such file.")
	}
	if err == nil {
		f.Data, err = key.Open(sealed, aboutUpload(t, inbox, upload))
	}
	return f, err
}

func aboutUpload(t *store.Tenant, inbox, id string) string {
	return string(t.ID()) + "|inbox|" + inbox + "|upload|" + id
}

// Write begins a mail: an answer to a message (Reply, ReplyAll), a message forwarded, or a new one, in a thread or outside any. Recipients and
// subject of an answer are filled in where they are not given.
func Write(ctx context.Context, t *store.Tenant, k Keeper, who, inbox, kind, thread, message string, w Writing) (*Outgoing, error) {
	in, err := Get(ctx, t, inbox)
	if err != nil {
		return nil, err
	}
	o := &Outgoing{ID: tocsin.NewID(), Inbox: inbox, Thread: thread, Message: message, Kind: kind, State: Drafted, CreatedBy: who, Version: 1}
	switch kind {
	case New:
		o.Message = ""
	case Reply, ReplyAll, Forward:
		m, err := MessageOf(ctx, t, inbox, message)
		if err != nil {
			return nil, err
		}
		if o.Thread = orElse(thread, m.Thread); o.Thread != m.Thread {
			return nil, tocsin.Problemf(tocsin.Invalid, "Answer it in its own thread.", "The mail is of another thread.")
		}
		m.fill(&w, kind, in)
	default:
		return nil, tocsin.Problemf(tocsin.Invalid, "Give new, reply, reply_all or forward.", "A mail cannot be %q.", kind)
	}
	if o.Thread != "" {
		var n int
		if err := t.QueryRow(ctx, `select count(*) from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, inbox, o.Thread).Scan(&n); err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, tocsin.Problemf(tocsin.NotFound, "Look at the list of threads.", "There is no such thread in this inbox.")
		}
	}
	now := t.Tx().Clock().Now()
	o.Created = tocsin.FromMillis(tocsin.Millis(now)) // as it is kept
	if _, err := t.Exec(ctx, `insert into inbox_outgoing (tenant, inbox, id, thread, message, kind, state, created, created_by, changed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8)`, inbox, o.ID, o.Thread, o.Message, kind, o.State, now, who); err != nil {
		return nil, err
	}
	if err := o.put(ctx, t, k, w); err != nil {
		return nil, err
	}
	return o, o.tell(ctx, t, who)
}

// fill gives an answer its recipients and its subject, where they are not given.
func (m *Message) fill(w *Writing, kind string, in *Inbox) {
	folded := m.Subject
	for before.MatchString(folded) {
		folded = before.ReplaceAllString(folded, "")
	}
	if w.Subject == "" {
		w.Subject = map[bool]string{false: "Re: ", true: "Fw: "}[kind == Forward] + strings.TrimSpace(folded)
	}
	if kind == Forward || len(w.To)+len(w.Cc)+len(w.Bcc) > 0 {
		return
	}
	own := tocsin.CanonicalAddress(in.Address)
	have := map[string]bool{own: true}
	add := func(to *[]tocsin.Address, list ...tocsin.Address) {
		for _, a := range list {
			if c := a.Canonical(); c != "" && !have[c] {
				have[c] = true
				*to = append(*to, a)
			}
		}
	}
	switch {
	case m.Direction == Out:
		add(&w.To, m.To...)
	case len(m.ReplyTo) > 0:
		add(&w.To, m.ReplyTo...)
	default:
		add(&w.To, m.From)
	}
	if kind == ReplyAll {
		add(&w.To, m.To...)
		add(&w.Cc, m.Cc...)
	}
}

// Edit writes a mail anew that is a draft here. version is that which was read; another since is a conflict.
func Edit(ctx context.Context, t *store.Tenant, k Keeper, who, inbox, id string, version int64, w Writing) (*Outgoing, error) {
	o, err := editable(ctx, t, inbox, id, version)
	if err != nil {
		return nil, err
	}
	had := *o
	if err := o.put(ctx, t, k, w); err != nil {
		return nil, err
	}
	if o.State == had.State && o.Subject == had.Subject && slices.Equal(slices.Concat(o.To, o.Cc, o.Bcc), slices.Concat(had.To, had.Cc, had.Bcc)) {
		return o, nil // what is saved while somebody types is nothing to the others
	}
	return o, o.tell(ctx, t, who)
}

// editable is a mail that can still be changed.
func editable(ctx context.Context, t *store.Tenant, inbox, id string, version int64) (*Outgoing, error) {
	o, err := OutgoingOf(ctx, t, inbox, id)
	switch {
	case err != nil:
		return nil, err
	case o.State == Held:
		return nil, tocsin.Problemf(tocsin.Conflict, "Take it back first.", "The mail is about to be sent.")
	case o.State != Drafted && o.State != Failed:
		return nil, tocsin.Problemf(tocsin.Conflict, "Write another.", "The mail can no longer be changed: it is %s.", o.State)
	case version != 0 && o.Version != version:
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at what the other wrote, then write yours.", "Somebody else has changed this mail meanwhile.")
	}
	return o, nil
}

// The most recipients of a mail, as Exchange Online has it, and the most that a mail says.
const (
	mostRecipients = 500
	mostWritten    = 4 << 20
)

// put writes what is written.
func (o *Outgoing) put(ctx context.Context, t *store.Tenant, k Keeper, w Writing) error {
	if len(w.To)+len(w.Cc)+len(w.Bcc) > mostRecipients {
		return tocsin.Problemf(tocsin.Invalid, "Send it to fewer, or to a distribution list.", "A mail goes to %d recipients at most.", mostRecipients)
	}
	for _, a := range slices.Concat(w.To, w.Cc, w.Bcc) {
		if _, err := mail.ParseAddress("<" + a.Canonical() + ">"); err != nil || len(a.Address) > 320 || len(a.Name) > 300 {
			return tocsin.Problemf(tocsin.Invalid, "Correct it.", "%q is no address.", clip(a.Address, 100))
		}
	}
	if len(w.HTML)+len(w.Text) > mostWritten {
		return tocsin.Problemf(tocsin.Invalid, "Attach what is long as a file.", "What is written is longer than %d MB.", mostWritten>>20)
	}
	if !slices.Contains([]string{"", Open, Waiting, Resolved}, w.Then) {
		return tocsin.Problemf(tocsin.Invalid, "Give open, waiting or resolved.", "A thread cannot become %q when a mail is sent.", w.Then)
	}
	said := mime.Compose(w.HTML)
	if w.HTML == "" {
		said = mime.ComposeText(w.Text)
	}
	key, err := OpenKey(ctx, t, k, o.Inbox)
	if err != nil {
		return err
	}
	o.Subject, o.To, o.Cc, o.Bcc, o.Quote, o.Then, o.State = clip(strings.Join(strings.Fields(w.Subject), " "), 255), w.To, w.Cc, w.Bcc, w.Quote, w.Then, Drafted
	o.Because, o.Mend, o.Changed = "", "", t.Tx().Clock().Now()
	o.Version++
	_, err = t.Exec(ctx, `update inbox_outgoing set subject = $4, to_list = $5, cc_list = $6, bcc_list = $7, quote = $8, then_state = $9, body = $10, state = $11, because = '', mend = '', changed = $12, version = $13 where tenant = $1 and inbox = $2 and id = $3`,
		o.Inbox, o.ID, o.Subject, text(o.To), text(o.Cc), text(o.Bcc), o.Quote, o.Then, key.Seal([]byte(said), aboutOutgoing(t, o.Inbox, o.ID)), o.State, o.Changed, o.Version)
	return err
}

// tell writes the fact that an outgoing mail is another now.
func (o *Outgoing) tell(ctx context.Context, t *store.Tenant, who string) error {
	return t.Append(ctx, store.Fact{Kind: "inbox.outgoing", Subject: o.ID, Actor: who, Body: fmt.Appendf(nil, `{"inbox":%q,"thread":%q,"state":%q}`, o.Inbox, o.Thread, o.State)})
}

// File is a file as it is attached.
type File struct {
	Name, Type, ContentID string
	Inline                bool
	Data                  []byte
}

// Attach gives a mail being written a file. One that the mailbox will not take is refused now.
func Attach(ctx context.Context, t *store.Tenant, k Keeper, who, inbox, id string, f File) (*Upload, error) {
	o, err := editable(ctx, t, inbox, id, 0)
	if err != nil {
		return nil, err
	}
	all := int64(len(f.Data))
	for _, u := range o.Files {
		all += u.Size
	}
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, f.Name))
	switch {
	case name == "" || len(name) > 255:
		return nil, tocsin.Problemf(tocsin.Invalid, "Give it a name of up to 255 characters.", "The file has no name that can be sent.")
	case len(f.Data) == 0:
		return nil, tocsin.Problemf(tocsin.Invalid, "Choose another.", "The file %s is empty.", name)
	case all > MostFiles || len(o.Files) >= 100:
		return nil, tocsin.Problemf(tocsin.Invalid, "Put it where the recipient can fetch it, and send the link.", "The files of a mail are %d MB and 100 at most: Exchange takes 150 MB, and encodes a third on top.", MostFiles>>20)
	}
	if largest, err := LargestFile(ctx, t, inbox); err != nil {
		return nil, err
	} else if int64(len(f.Data)) > largest {
		return nil, tocsin.Problemf(tocsin.Invalid, "Send it as a link, or connect the address as an application (Settings → Email), which may attach files of up to 110 MB.",
			"The file %s is larger than 3 MB, and Microsoft does not let a service account attach more to a shared mailbox's mail.", name)
	}
	key, err := OpenKey(ctx, t, k, inbox)
	if err != nil {
		return nil, err
	}
	u := &Upload{ID: tocsin.NewID(), Name: name, Type: orElse(clip(f.Type, 100), "application/octet-stream"), ContentID: clip(strings.Trim(f.ContentID, "<>"), 200), Inline: f.Inline && f.ContentID != "", Size: int64(len(f.Data))}
	if _, err := t.Exec(ctx, `insert into inbox_upload (tenant, inbox, outgoing, id, name, content_type, content_id, inline, size, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		inbox, id, u.ID, u.Name, u.Type, u.ContentID, u.Inline, u.Size, key.Seal(f.Data, aboutUpload(t, inbox, u.ID))); err != nil {
		return nil, err
	}
	return u, o.tell(ctx, t, who)
}

// LargestFile is how many bytes a file of a mail from an inbox may have: Graph refuses upload sessions in a mailbox that is shared with the account.
func LargestFile(ctx context.Context, t *store.Tenant, inbox string) (int64, error) {
	var method string
	err := t.QueryRow(ctx, `select c.method from email_connection c join inbox i on i.tenant = c.tenant and i.connection = c.id where c.tenant = $1 and i.id = $2`, inbox).Scan(&method)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return 0, err
	}
	if method == connect.MethodDelegated {
		return MostDirect, nil
	}
	return MostFiles, nil
}

// Detach takes a file away from a mail being written.
func Detach(ctx context.Context, t *store.Tenant, who, inbox, id, upload string) error {
	o, err := editable(ctx, t, inbox, id, 0)
	if err != nil {
		return err
	}
	n, err := t.Exec(ctx, `delete from inbox_upload where tenant = $1 and inbox = $2 and outgoing = $3 and id = $4`, inbox, id, upload)
	if err == nil && n == 0 {
		err = tocsin.Problemf(tocsin.NotFound, "Look at the list of its files.", "The mail has no such file.")
	}
	if err != nil {
		return err
	}
	return o.tell(ctx, t, who)
}

// Send hands a mail over to be sent, once it can no longer be taken back: see [Settings.Undo]. What stands in its way already is said now. One
// that was handed over in that version already stays as it is: whoever presses twice sends once.
func Send(ctx context.Context, t *store.Tenant, who, inbox, id string, version int64) (*Outgoing, error) {
	o, err := OutgoingOf(ctx, t, inbox, id)
	if err != nil {
		return nil, err
	}
	if o.State == Held && (version == 0 || version >= o.Version-1) || o.State == Sending || o.State == Sent {
		return o, nil
	}
	o, err = editable(ctx, t, inbox, id, version)
	if err != nil {
		return nil, err
	}
	in, err := Get(ctx, t, inbox)
	if err != nil {
		return nil, err
	}
	s, err := SettingsOf(ctx, t, inbox)
	switch {
	case err != nil:
		return nil, err
	case in.State == Disconnected || in.Connection == "":
		return nil, tocsin.Problemf(tocsin.Conflict, "Connect its address again under Settings → Email; the draft stays.", "This inbox is disconnected from its mailbox.")
	case in.Sending == SendRefused:
		return nil, tocsin.Problemf(tocsin.Denied, "Give the account Send As on the mailbox (Add-RecipientPermission -AccessRights SendAs), then Test sending under Settings → Email; the draft stays.", "%s", orElse(in.SendingBecause, "The mailbox may not be sent from."))
	case len(o.To)+len(o.Cc)+len(o.Bcc) == 0:
		return nil, tocsin.Problemf(tocsin.Invalid, "Give at least one recipient.", "The mail goes to nobody.")
	}
	if _, err := t.Exec(ctx, `update inbox_upload set uploaded = $4 where tenant = $1 and inbox = $2 and outgoing = $3`, inbox, id, false); err != nil { // the draft of another try is made anew
		return nil, err
	}
	o.State, o.Because, o.Mend, o.Changed, o.Due = Held, "", "", t.Tx().Clock().Now(), t.Tx().Clock().Now().Add(s.Undo)
	o.Version++
	if _, err := t.Exec(ctx, `update inbox_outgoing set state = $4, because = '', mend = '', due = $5, changed = $6, version = $7, tries = 0, internet_id = '', posted = 0 where tenant = $1 and inbox = $2 and id = $3`, inbox, id, o.State, o.Due, o.Changed, o.Version); err != nil {
		return nil, err
	}
	return o, o.tell(ctx, t, who)
}

// Undo takes back a mail that was handed over, while it can be.
func Undo(ctx context.Context, t *store.Tenant, who, inbox, id string) (*Outgoing, error) {
	n, err := t.Exec(ctx, `update inbox_outgoing set state = 'draft', due = 0, changed = $4, version = version + 1 where tenant = $1 and inbox = $2 and id = $3 and state = 'held'`, inbox, id, t.Tx().Clock().Now())
	if err != nil {
		return nil, err
	}
	o, err := OutgoingOf(ctx, t, inbox, id)
	if err != nil {
		return nil, err
	}
	if n == 0 && o.State != Drafted {
		return nil, tocsin.Problemf(tocsin.Conflict, "Write to the recipients.", "The mail can no longer be taken back: it is %s.", o.State)
	}
	return o, o.tell(ctx, t, who)
}

// Settle takes a person's word for what became of a mail of which it could not be told: it went, or it did not and is a draft again.
func Settle(ctx context.Context, t *store.Tenant, who, inbox, id string, went bool) (*Outgoing, error) {
	o, err := OutgoingOf(ctx, t, inbox, id)
	if err != nil {
		return nil, err
	}
	if o.State != Unknown {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at it again.", "What became of the mail is known: it is %s.", o.State)
	}
	o.Because, o.Mend, o.Changed = "", "", t.Tx().Clock().Now()
	o.Version++
	if o.State, o.Sent = Sent, o.Posted; !went {
		o.State, o.Sent, o.Posted = Drafted, time.Time{}, time.Time{}
	}
	if _, err := t.Exec(ctx, `update inbox_outgoing set state = $4, because = '', mend = '', sent = $5, posted = $6, changed = $7, version = $8 where tenant = $1 and inbox = $2 and id = $3`,
		inbox, id, o.State, tocsin.Millis(o.Sent), tocsin.Millis(o.Posted), o.Changed, o.Version); err != nil {
		return nil, err
	}
	if !went {
		return o, o.tell(ctx, t, who)
	}
	in, err := Get(ctx, t, inbox)
	if err != nil {
		return nil, err
	}
	p := &pass{box: &box{Inbox: *in}, t: t, now: tocsin.Millis(o.Changed)}
	return o, errors.Join(p.went(ctx, o, who, "a person says so"), o.tell(ctx, t, who))
}

// Discard throws a mail away that is a draft here, or that did not go.
func Discard(ctx context.Context, t *store.Tenant, who, inbox, id string) error {
	o, err := editable(ctx, t, inbox, id, 0)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `delete from inbox_upload where tenant = $1 and inbox = $2 and outgoing = $3`, inbox, id); err != nil {
		return err
	}
	if o.State = Discarded; o.Draft == "" {
		_, err = t.Exec(ctx, `delete from inbox_outgoing where tenant = $1 and inbox = $2 and id = $3`, inbox, id)
	} else {
		_, err = t.Exec(ctx, `update inbox_outgoing set state = 'discarded', body = null, due = 0, changed = $4, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, inbox, id, t.Tx().Clock().Now())
	}
	if err != nil {
		return err
	}
	return o.tell(ctx, t, who)
}
