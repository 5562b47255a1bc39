package api

import (
	"context"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// Outgoing is a mail being written in a shared inbox, or on its way.
type Outgoing struct {
	ID       string         `json:"id"`
	Inbox    string         `json:"inbox"`
	Thread   string         `json:"thread,omitempty"`
	Message  string         `json:"message,omitempty"` // that is answered or forwarded
	From     MailAddress    `json:"from"`              // the shared address
	Sending  string         `json:"sending"`           // as, behalf, unknown, refused: what is known of the right to send from it
	Kind     string         `json:"kind"`              // new, reply, reply_all, forward
	State    string         `json:"state"`             // draft, held (it can be taken back until due), sending, sent, failed, unknown
	Because  string         `json:"because,omitempty"`
	Mend     string         `json:"mend,omitempty"`
	Subject  string         `json:"subject"`
	To       []MailAddress  `json:"to"`
	Cc       []MailAddress  `json:"cc"`
	Bcc      []MailAddress  `json:"bcc"`
	HTML     string         `json:"html,omitempty"` // of one mail
	Quote    bool           `json:"quote"`          // what is answered stands below
	Then     string         `json:"then,omitempty"` // the thread's state once it was sent; waiting when absent
	Files    []OutgoingFile `json:"files"`
	Due      time.Time      `json:"due,omitzero"` // until when it can be taken back
	Sent     time.Time      `json:"sent,omitzero"`
	Created  time.Time      `json:"created"`
	Changed  time.Time      `json:"changed"`
	By       *Worker        `json:"by,omitempty"`
	Version  int64          `json:"version"`
	Outdated bool           `json:"outdated,omitempty"` // a mail came into the thread after it was begun

	Signature string `json:"signature,omitempty"`    // of one mail: the inbox's, as safe HTML; it is put below what is written
	Largest   int64  `json:"largest_file,omitempty"` // of one mail: the bytes of a file that can be attached
}

// OutgoingFile is a file of a mail being written.
type OutgoingFile struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Type      string `json:"content_type"`
	Size      int64  `json:"size"`
	Inline    bool   `json:"inline,omitempty"`
	ContentID string `json:"content_id,omitempty"`
}

// OutgoingText is what is written. Recipients and subject of an answer are filled in where they are absent when it is begun.
type OutgoingText struct {
	Subject string        `json:"subject,omitempty" trail:"-" maxLength:"1000" doc:"The subject"`
	To      []MailAddress `json:"to,omitempty" doc:"To whom"`
	Cc      []MailAddress `json:"cc,omitempty" doc:"Copies"`
	Bcc     []MailAddress `json:"bcc,omitempty" doc:"Copies that the others do not see"`
	HTML    string        `json:"html,omitempty" trail:"-" maxLength:"500000" doc:"What it says, as HTML; pictures by cid: and a file's content id"`
	Text    string        `json:"text,omitempty" trail:"-" maxLength:"500000" doc:"What it says as plain text, where there is no HTML"`
	Quote   bool          `json:"quote,omitempty" doc:"What is answered stands below"`
	Then    string        `json:"then,omitempty" enum:"open,waiting,resolved" doc:"The thread's state once it was sent; waiting when absent"`
}

// WriteIn begins a mail in an inbox, or an answer in a thread.
type WriteIn struct {
	ByIDAct
	Body OutgoingNew
}

// OutgoingNew is a mail to be begun.
type OutgoingNew struct {
	Kind    string `json:"kind,omitempty" enum:"new,reply,reply_all,forward" doc:"reply in a thread when absent, new in an inbox"`
	Message string `json:"message,omitempty" maxLength:"500" doc:"Which mail is answered or forwarded; the newest of the thread when absent"`
	OutgoingText
}

// EditOutgoingIn changes a mail being written.
type EditOutgoingIn struct {
	ByIDAct
	Body OutgoingEdit
}

// OutgoingEdit is its text, whole.
type OutgoingEdit struct {
	OutgoingText
	Version int64 `json:"version,omitempty" doc:"The version that is changed"`
}

// SendOutgoingIn hands a mail over to be sent.
type SendOutgoingIn struct {
	ByIDAct
	Body OutgoingSend
}

// OutgoingSend says how.
type OutgoingSend struct {
	Version int64     `json:"version,omitempty" doc:"The version that is sent"`
	Seen    time.Time `json:"seen,omitzero" doc:"The newest mail of the thread that you have seen; where another came meanwhile it is not sent"`
	Anyway  bool      `json:"anyway,omitempty" doc:"Send it though somebody else answers, or a mail came meanwhile"`
}

// OutgoingFileIn gives a mail being written a file.
type OutgoingFileIn struct {
	ByIDAct
	Body OutgoingFileNew
}

// OutgoingFileNew is a file.
type OutgoingFileNew struct {
	Name      string `json:"name" trail:"-" minLength:"1" maxLength:"255" doc:"Its name"`
	Type      string `json:"content_type,omitempty" maxLength:"100" doc:"Its kind, application/pdf for one"`
	Inline    bool   `json:"inline,omitempty" doc:"It is shown in the text"`
	ContentID string `json:"content_id,omitempty" maxLength:"200" doc:"By what the text names it"`
	Data      []byte `json:"data" trail:"-" doc:"Its bytes, base64"`
}

// OutgoingFileAt names a file of a mail being written.
type OutgoingFileAt struct {
	ByID
	File string `path:"file" minLength:"1" maxLength:"100" doc:"The file's id"`
}

// DropFileIn takes a file away.
type DropFileIn struct {
	ByIDAct
	File string `path:"file" minLength:"1" maxLength:"100" doc:"The file's id"`
}

// OutgoingsIn asks for what one is writing.
type OutgoingsIn struct {
	In
	Paging
	Inbox string `query:"inbox" maxLength:"100" doc:"Only in this inbox"`
}

var noKeeper = tocsin.Problemf(tocsin.Unavailable, "Start Tocsin with its key.", "The mail of shared inboxes cannot be opened or sealed here.")

func addresses(list []MailAddress) []tocsin.Address {
	var out []tocsin.Address
	for _, a := range list {
		out = append(out, tocsin.Address{Name: a.Name, Address: a.Address})
	}
	return out
}

func addressViews(list []tocsin.Address) []MailAddress {
	out := []MailAddress{}
	for _, a := range list {
		out = append(out, MailAddress{Address: a.Address, Name: a.Name})
	}
	return out
}

func (n OutgoingText) writing() inbox.Writing {
	return inbox.Writing{Subject: n.Subject, To: addresses(n.To), Cc: addresses(n.Cc), Bcc: addresses(n.Bcc), HTML: n.HTML, Text: n.Text, Quote: n.Quote, Then: n.Then}
}

// outgoingViews are mails being written, as they are answered.
func outgoingViews(ctx context.Context, t *store.Tenant, list []*inbox.Outgoing) ([]Outgoing, error) {
	out := []Outgoing{}
	var ids []string
	for _, o := range list {
		ids = append(ids, o.CreatedBy)
	}
	who, err := workersOf(ctx, t, ids...)
	if err != nil {
		return nil, err
	}
	boxes := map[string]*inbox.Inbox{}
	for _, o := range list {
		if boxes[o.Inbox] == nil {
			if boxes[o.Inbox], err = inbox.Get(ctx, t, o.Inbox); err != nil {
				return nil, err
			}
		}
		b := boxes[o.Inbox]
		v := Outgoing{ID: o.ID, Inbox: o.Inbox, Thread: o.Thread, Message: o.Message, From: MailAddress{Address: b.Address, Name: b.Name}, Sending: b.Sending, Kind: o.Kind, State: o.State, Because: o.Because, Mend: o.Mend, Subject: o.Subject,
			To: addressViews(o.To), Cc: addressViews(o.Cc), Bcc: addressViews(o.Bcc), Quote: o.Quote, Then: o.Then, Files: []OutgoingFile{}, Due: o.Due, Sent: o.Sent, Created: o.Created, Changed: o.Changed, By: who.of(o.CreatedBy), Version: o.Version}
		for _, f := range o.Files {
			v.Files = append(v.Files, OutgoingFile{ID: f.ID, Name: f.Name, Type: f.Type, Size: f.Size, Inline: f.Inline, ContentID: f.ContentID})
		}
		out = append(out, v)
	}
	return out, nil
}

// whole is a mail being written with what it says.
func (s *Service) whole(ctx context.Context, t *store.Tenant, o *inbox.Outgoing) (Outgoing, error) {
	list, err := outgoingViews(ctx, t, []*inbox.Outgoing{o})
	if err != nil {
		return Outgoing{}, err
	}
	v := list[0]
	if s.o.Sealer == nil {
		return v, noKeeper
	}
	if v.HTML, err = inbox.Written(ctx, t, s.o.Sealer, o.Inbox, o.ID); err != nil {
		return v, err
	}
	set, err := inbox.SettingsOf(ctx, t, o.Inbox)
	if err != nil {
		return v, err
	}
	v.Signature = set.Signature
	if v.Largest, err = inbox.LargestFile(ctx, t, o.Inbox); err != nil {
		return v, err
	}
	if o.Thread != "" && o.State == inbox.Drafted {
		var last int64
		err := t.QueryRow(ctx, `select last_in from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, o.Inbox, o.Thread).Scan(&last)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return v, err
		}
		v.Outdated = last > tocsin.Millis(o.Created)
	}
	return v, nil
}

// outgoing is a mail being written in an inbox in which one works; own says that it has to be one's own.
func (r *inboxReader) outgoing(ctx context.Context, t *store.Tenant, id string, own bool) (*inbox.Outgoing, error) {
	var box string
	err := t.QueryRow(ctx, `select inbox from inbox_outgoing where tenant = $1 and id = $2`, id).Scan(&box)
	if errors.Is(err, store.ErrNone) || err == nil && !r.In(box) {
		return nil, notFound("mail being written")
	}
	if err != nil {
		return nil, err
	}
	o, err := inbox.OutgoingOf(ctx, t, box, id)
	if err == nil && own && o.CreatedBy != r.Caller.Account {
		who, err := workersOf(ctx, t, o.CreatedBy)
		if err != nil {
			return nil, err
		}
		return nil, tocsin.Problemf(tocsin.Conflict, "Write your own, or ask them.", "%s writes this mail.", who.name(o.CreatedBy))
	}
	return o, err
}

// ListOutgoing are the mails that one is writing, and those that did not go.
func (s *Service) ListOutgoing(ctx context.Context, in OutgoingsIn) (Page[Outgoing], error) {
	return inboxView(ctx, s, "outgoing list", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (p Page[Outgoing], err error) {
		var all []*inbox.Outgoing
		for _, box := range r.List() {
			if in.Inbox != "" && box != in.Inbox {
				continue
			}
			some, err := inbox.Unsent(ctx, t, box, r.Caller.Account)
			if err != nil {
				return p, err
			}
			all = append(all, some...)
		}
		out, err := outgoingViews(ctx, t, all)
		if err != nil {
			return p, err
		}
		return piece(in.Paging, "outgoing", out, func(o Outgoing) string { return o.ID })
	})
}

// GetOutgoing is a mail being written, with what it says.
func (s *Service) GetOutgoing(ctx context.Context, in ByID) (Outgoing, error) {
	return inboxView(ctx, s, "outgoing get", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, false)
		if err != nil {
			return Outgoing{}, err
		}
		return s.whole(ctx, t, o)
	})
}

// writes runs what is done to a mail being written.
func (s *Service) writes(ctx context.Context, name string, in any, do func(context.Context, *store.Tenant, *inboxReader) (*inbox.Outgoing, error)) (Outgoing, error) {
	return inboxAct(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (Outgoing, error) {
		if s.o.Sealer == nil {
			return Outgoing{}, noKeeper
		}
		o, err := do(ctx, t, r)
		if err != nil {
			return Outgoing{}, err
		}
		return s.whole(ctx, t, o)
	})
}

// CreateOutgoing begins a mail in an inbox, outside any thread.
func (s *Service) CreateOutgoing(ctx context.Context, in WriteIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing create", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		if !r.In(in.ID) {
			return nil, notFound("inbox")
		}
		if k := in.Body.Kind; k != "" && k != inbox.New {
			return nil, invalid("Answer it in its thread (outgoing reply).", "An answer belongs to a thread.")
		}
		return inbox.Write(ctx, t, s.o.Sealer, r.Caller.Account, in.ID, inbox.New, "", "", in.Body.writing())
	})
}

// ReplyOutgoing begins an answer to a mail of a thread, or forwards one.
func (s *Service) ReplyOutgoing(ctx context.Context, in WriteIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing reply", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		v, err := r.works(ctx, t, in.ID)
		if err != nil {
			return nil, err
		}
		kind, message := firstOf(in.Body.Kind, inbox.Reply), in.Body.Message
		if message == "" && kind != inbox.New {
			err := t.QueryRow(ctx, `select id from inbox_message where tenant = $1 and inbox = $2 and thread = $3 and gone = 0 order by case when direction = 'in' then 0 else 1 end, at desc, id desc limit 1`, v.Inbox, v.ID).Scan(&message)
			if errors.Is(err, store.ErrNone) {
				return nil, tocsin.Problemf(tocsin.Conflict, "Write a new mail.", "Nothing of this thread is in the mailbox any more, so there is nothing to answer.")
			}
			if err != nil {
				return nil, err
			}
		}
		if _, err := work.Be(ctx, t, r.Reach, v, work.Replying, false); err != nil {
			return nil, err
		}
		return inbox.Write(ctx, t, s.o.Sealer, r.Caller.Account, v.Inbox, kind, v.ID, message, in.Body.writing())
	})
}

// EditOutgoing changes a mail that one is writing.
func (s *Service) EditOutgoing(ctx context.Context, in EditOutgoingIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing edit", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, true)
		if err != nil {
			return nil, err
		}
		return inbox.Edit(ctx, t, s.o.Sealer, r.Caller.Account, o.Inbox, o.ID, in.Body.Version, in.Body.writing())
	})
}

// SendOutgoing hands a mail over to be sent: it can be taken back for as long as the inbox says. Where somebody else answers the thread, or a mail
// came that was not seen, it is not sent unless that is said.
func (s *Service) SendOutgoing(ctx context.Context, in SendOutgoingIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing send", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, true)
		if err != nil {
			return nil, err
		}
		if o.Thread != "" {
			v, err := r.works(ctx, t, o.Thread)
			if err != nil {
				return nil, err
			}
			if err := collides(ctx, t, r, v, in.Body); err != nil && !in.Body.Anyway {
				return nil, err
			}
			if _, err := work.Be(ctx, t, r.Reach, v, work.Viewing, false); err != nil {
				return nil, err
			}
		}
		return inbox.Send(ctx, t, r.Caller.Account, o.Inbox, o.ID, in.Body.Version)
	})
}

func collides(ctx context.Context, t *store.Tenant, r *inboxReader, v *work.Thread, b OutgoingSend) error {
	other, err := work.Holder(ctx, t, v.Inbox, v.ID, r.Caller.Account)
	if err != nil {
		return err
	}
	if other != "" {
		who, err := workersOf(ctx, t, other)
		if err != nil {
			return err
		}
		return tocsin.Problemf(tocsin.Conflict, "Talk to them, take the answer over, or send it anyway.", "%s is answering this thread.", who.name(other))
	}
	if !b.Seen.IsZero() && tocsin.Millis(v.LastIn) > tocsin.Millis(b.Seen) {
		return tocsin.Problemf(tocsin.Conflict, "Read it, then send, or send it anyway.", "A mail came into this thread while you wrote.")
	}
	return nil
}

// UndoOutgoing takes a mail back that was handed over, while it can be.
func (s *Service) UndoOutgoing(ctx context.Context, in ByIDAct) (Outgoing, error) {
	return s.writes(ctx, "outgoing undo", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, false)
		if err != nil {
			return nil, err
		}
		return inbox.Undo(ctx, t, r.Caller.Account, o.Inbox, o.ID)
	})
}

// OutgoingWent is a person's word for what became of a mail.
type OutgoingWent struct {
	Went bool `json:"went" doc:"It went; false: it did not, and is a draft again"`
}

// SettleOutgoingIn says what became of a mail.
type SettleOutgoingIn struct {
	ByIDAct
	Body OutgoingWent
}

// SettleOutgoing takes a person's word for what became of a mail of which it could not be told.
func (s *Service) SettleOutgoing(ctx context.Context, in SettleOutgoingIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing settle", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, false)
		if err != nil {
			return nil, err
		}
		return inbox.Settle(ctx, t, r.Caller.Account, o.Inbox, o.ID, in.Body.Went)
	})
}

// DeleteOutgoing throws a mail away that one was writing.
func (s *Service) DeleteOutgoing(ctx context.Context, in ByIDAct) (None, error) {
	return inboxAct(ctx, s, "outgoing delete", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (None, error) {
		o, err := r.outgoing(ctx, t, in.ID, true)
		if err != nil {
			return None{}, err
		}
		return None{}, inbox.Discard(ctx, t, r.Caller.Account, o.Inbox, o.ID)
	})
}

// AttachOutgoing gives a mail that one is writing a file.
func (s *Service) AttachOutgoing(ctx context.Context, in OutgoingFileIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing attach", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, true)
		if err != nil {
			return nil, err
		}
		b := in.Body
		if _, err := inbox.Attach(ctx, t, s.o.Sealer, r.Caller.Account, o.Inbox, o.ID, inbox.File{Name: b.Name, Type: b.Type, ContentID: b.ContentID, Inline: b.Inline, Data: b.Data}); err != nil {
			return nil, err
		}
		return inbox.OutgoingOf(ctx, t, o.Inbox, o.ID)
	})
}

// GetOutgoingFile is a file of a mail that one is writing, as it was given.
func (s *Service) GetOutgoingFile(ctx context.Context, in OutgoingFileAt) (ThreadFile, error) {
	return inboxView(ctx, s, "outgoing file", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadFile, error) {
		o, err := r.outgoing(ctx, t, in.ID, false)
		if err != nil {
			return ThreadFile{}, err
		}
		if s.o.Sealer == nil {
			return ThreadFile{}, noKeeper
		}
		f, err := inbox.UploadOf(ctx, t, s.o.Sealer, o.Inbox, o.ID, in.File)
		return ThreadFile{Name: f.Name, Type: f.Type, Data: f.Data}, err
	})
}

// DetachOutgoing takes a file away from a mail that one is writing.
func (s *Service) DetachOutgoing(ctx context.Context, in DropFileIn) (Outgoing, error) {
	return s.writes(ctx, "outgoing detach", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (*inbox.Outgoing, error) {
		o, err := r.outgoing(ctx, t, in.ID, true)
		if err != nil {
			return nil, err
		}
		if err := inbox.Detach(ctx, t, r.Caller.Account, o.Inbox, o.ID, in.File); err != nil {
			return nil, err
		}
		return inbox.OutgoingOf(ctx, t, o.Inbox, o.ID)
	})
}
