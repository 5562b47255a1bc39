package api

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// ThreadMailIn names a mail of a thread.
type ThreadMailIn struct {
	ByID
	Message  string `path:"message" minLength:"1" maxLength:"500" doc:"The mail's id"`
	Pictures bool   `query:"pictures" doc:"With the pictures that are part of the mail, which are fetched from its mailbox"`
	Remote   bool   `query:"remote" doc:"With pictures that lie elsewhere, too: whoever shows it tells their servers that the mail is read, when and from where"`
}

// ThreadMailBody is what a mail says. Nothing in it runs, and nothing is loaded from elsewhere that was not asked for.
type ThreadMailBody struct {
	ID     string   `json:"id"`
	HTML   string   `json:"html"` // safe to show in a sandboxed frame
	Text   string   `json:"text"`
	Remote []string `json:"remote,omitempty"` // hosts from which it would have pictures loaded
}

// GetThreadMail opens a mail of a thread.
func (s *Service) GetThreadMail(ctx context.Context, in ThreadMailIn) (ThreadMailBody, error) {
	box := ""
	out, err := inboxView(ctx, s, "threads message", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (out ThreadMailBody, err error) {
		v, err := s.mailOf(ctx, t, r, in.ID, in.Message, work.LookMessage)
		if err != nil {
			return out, err
		}
		box = v.Inbox
		b, err := s.bodyOf(ctx, t, v.Inbox, in.Message)
		return ThreadMailBody{ID: in.Message, HTML: b.HTML, Text: b.Text, Remote: b.Remote}, err
	})
	if err != nil || !in.Pictures && !in.Remote || s.o.Inboxes == nil {
		return out, err
	}
	b, err := s.o.Inboxes.Show(ctx, tenantOf(in), box, in.Message, in.Remote)
	return ThreadMailBody{ID: in.Message, HTML: b.HTML, Text: b.Text, Remote: b.Remote}, err
}

// mailOf says that a mail is one of a thread that may be read, and gives the thread.
func (s *Service) mailOf(ctx context.Context, t *store.Tenant, r *inboxReader, thread, message, what string) (*work.Thread, error) {
	v, err := r.thread(ctx, t, thread, what, message)
	if err != nil {
		return nil, err
	}
	m, err := inbox.MessageOf(ctx, t, v.Inbox, message)
	if err == nil && m.Thread != v.ID {
		err = notFound("mail in this thread")
	}
	return v, err
}

func (s *Service) bodyOf(ctx context.Context, t *store.Tenant, box, message string) (inbox.Body, error) {
	if s.o.Sealer == nil {
		return inbox.Body{}, noKeeper
	}
	return inbox.BodyOf(ctx, t, s.o.Sealer, box, message)
}

// htmlOf gives what a mail says, as safe HTML.
func (s *Service) htmlOf(ctx context.Context, t *store.Tenant, box, message string) (string, error) {
	b, err := s.bodyOf(ctx, t, box, message)
	return b.HTML, err
}

// saysOf gives what a mail says, as text, for who looks through many; nothing for one that is not kept.
func (s *Service) saysOf(ctx context.Context, t *store.Tenant) func(box, message string) (string, error) {
	return func(box, message string) (string, error) {
		b, err := s.bodyOf(ctx, t, box, message)
		if err != nil && tocsin.AsProblem(err).Code == tocsin.NotFound {
			return "", nil
		}
		return b.Text, err
	}
}

// ThreadFileIn names a file of a mail of a thread.
type ThreadFileIn struct {
	ByID
	Message string `path:"message" minLength:"1" maxLength:"500" doc:"The mail's id"`
	File    string `path:"file" minLength:"1" maxLength:"500" doc:"The file's id"`
}

// ThreadFile is a file of a mail, as it lies in the mailbox. It is a stranger's: it is to be kept, never run or shown as a page.
type ThreadFile struct {
	Name string `json:"name"`
	Type string `json:"content_type"`
	Data []byte `json:"data"`
}

// GetThreadFile reads a file of a mail from its mailbox.
func (s *Service) GetThreadFile(ctx context.Context, in ThreadFileIn) (ThreadFile, error) {
	box, err := inboxView(ctx, s, "threads file", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (string, error) {
		v, err := s.mailOf(ctx, t, r, in.ID, in.Message, work.LookFile)
		if err != nil {
			return "", err
		}
		return v.Inbox, nil
	})
	if err != nil {
		return ThreadFile{}, err
	}
	if s.o.Inboxes == nil {
		return ThreadFile{}, tocsin.Problemf(tocsin.Unavailable, "Ask the server that runs.", "Files of mails cannot be read here.")
	}
	a, raw, err := s.o.Inboxes.Fetch(ctx, tenantOf(in), box, in.Message, in.File)
	return ThreadFile{Name: a.Name, Type: a.Type, Data: raw}, err
}

// MergeThreadsIn merges threads into one.
type MergeThreadsIn struct {
	ByIDAct
	Body ThreadsNamed
}

// ThreadsNamed are threads, or mails of one.
type ThreadsNamed struct {
	Threads []string `json:"threads,omitempty" maxLength:"100" doc:"The threads that are merged into this one"`
	Mails   []string `json:"mails,omitempty" maxLength:"500" doc:"The mails that become a thread of their own"`
}

// MergeThreads merges threads of an inbox into one: mails, notes and tags go over.
func (s *Service) MergeThreads(ctx context.Context, in MergeThreadsIn) (ThreadDetail, error) {
	return inboxAct(ctx, s, "threads merge", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadDetail, error) {
		if n := len(in.Body.Threads); n == 0 || n > 50 {
			return ThreadDetail{}, invalid("Name 1 to 50.", "%d threads cannot be merged.", n)
		}
		for _, id := range append([]string{in.ID}, in.Body.Threads...) {
			if _, err := r.works(ctx, t, id); err != nil {
				return ThreadDetail{}, err
			}
		}
		v, err := work.Join(ctx, t, r.Reach, in.ID, in.Body.Threads)
		if err != nil {
			return ThreadDetail{}, err
		}
		return threadDetail(ctx, t, r, v)
	})
}

// SplitThread makes mails of a thread a thread of their own.
func (s *Service) SplitThread(ctx context.Context, in MergeThreadsIn) (ThreadDetail, error) {
	return inboxAct(ctx, s, "threads split", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadDetail, error) {
		if _, err := r.works(ctx, t, in.ID); err != nil {
			return ThreadDetail{}, err
		}
		if n := len(in.Body.Mails); n == 0 || n > 100 {
			return ThreadDetail{}, invalid("Name 1 to 100.", "%d mails cannot be split off.", n)
		}
		v, err := work.Part(ctx, t, r.Reach, in.ID, in.Body.Mails)
		if err != nil {
			return ThreadDetail{}, err
		}
		return threadDetail(ctx, t, r, v)
	})
}

// ThreadMailboxIn changes the mails of a thread in their mailbox.
type ThreadMailboxIn struct {
	ByIDAct
	Body ThreadMailbox
}

// ThreadMailbox is what is to become of them, there as here; what is absent stays.
type ThreadMailbox struct {
	Mails      []string  `json:"mails,omitempty" maxLength:"500" doc:"Which; all of the thread when absent"`
	Folder     string    `json:"folder,omitempty" maxLength:"500" doc:"Move them there: a folder's id, archive, junkemail, inbox"`
	Delete     bool      `json:"delete,omitempty" doc:"Move them into the deleted items; from there they are deleted for good"`
	Read       *bool     `json:"read,omitempty" doc:"Mark them as read, or as unread"`
	Flag       *string   `json:"flag,omitempty" maxLength:"20" doc:"flagged, complete, or empty"`
	Categories *[]string `json:"categories,omitempty" maxLength:"255" doc:"Outlook's categories, by name; these and no others"`
}

// ChangeThreadMailbox moves, deletes, flags or categorises the mails of a thread in their mailbox. It is so here at once, and there within seconds.
func (s *Service) ChangeThreadMailbox(ctx context.Context, in ThreadMailboxIn) (ThreadDetail, error) {
	return inboxAct(ctx, s, "threads mailbox", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (ThreadDetail, error) {
		v, err := r.works(ctx, t, in.ID)
		if err != nil {
			return ThreadDetail{}, err
		}
		if err := wishes(ctx, t, r.Caller.Account, v, in.Body); err != nil {
			return ThreadDetail{}, err
		}
		if v, err = work.Get(ctx, t, r.Reach, v.ID); err != nil {
			return ThreadDetail{}, err
		}
		return threadDetail(ctx, t, r, v)
	})
}

// mostWished is how many mails are changed in a mailbox at once.
const mostWished = 200

func wishes(ctx context.Context, t *store.Tenant, who string, v *work.Thread, b ThreadMailbox) error {
	list, err := inbox.Messages(ctx, t, v.Inbox, v.ID)
	if err != nil {
		return err
	}
	chosen := map[string]bool{}
	for _, id := range b.Mails {
		chosen[id] = true
	}
	n := 0
	for _, m := range list {
		if len(chosen) > 0 && !chosen[m.ID] || !m.Gone.IsZero() {
			continue
		}
		if n++; n > mostWished {
			return tocsin.Problemf(tocsin.Invalid, "Choose some of them.", "More than %d mails cannot be changed at once.", mostWished)
		}
		var steps []func() error
		if b.Read != nil {
			steps = append(steps, func() error { return inbox.WishRead(ctx, t, who, v.Inbox, m.ID, *b.Read) })
		}
		if b.Flag != nil {
			steps = append(steps, func() error { return inbox.WishFlag(ctx, t, who, v.Inbox, m.ID, *b.Flag) })
		}
		if b.Categories != nil {
			steps = append(steps, func() error { return inbox.WishCategories(ctx, t, who, v.Inbox, m.ID, *b.Categories) })
		}
		if b.Folder != "" && (!junk(b.Folder) || m.Direction == inbox.In) {
			steps = append(steps, func() error { return inbox.WishMove(ctx, t, who, v.Inbox, m.ID, b.Folder) })
		}
		if b.Delete {
			steps = append(steps, func() error { return inbox.WishDelete(ctx, t, who, v.Inbox, m.ID) })
		}
		for _, do := range steps {
			if err := do(); err != nil {
				return err
			}
		}
	}
	if len(chosen) > 0 && n == 0 {
		return notFound("mail in this thread")
	}
	return nil
}

func junk(folder string) bool { return strings.EqualFold(folder, "junkemail") }

// SearchThreadsIn searches threads.
type SearchThreadsIn struct {
	In
	Paging
	Q string `query:"q" maxLength:"500" doc:"Words, \"phrases\", beginnings*, from:, to:, subject:, and - before what must not be there"`
	ThreadFilter
}

// ThreadHit is a mail that was found.
type ThreadHit struct {
	Thread  string    `json:"thread"`
	Inbox   string    `json:"inbox"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	From    string    `json:"from"`
	State   string    `json:"state"`  // the thread's
	Unread  bool      `json:"unread"` // to who asks
	Around  string    `json:"around"` // what stands about the words
}

// SearchThreads finds mails of the inboxes that one works in by their words, the newest first. A piece may be short and yet not the last.
func (s *Service) SearchThreads(ctx context.Context, in SearchThreadsIn) (Page[ThreadHit], error) {
	return inboxView(ctx, s, "threads search", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (p Page[ThreadHit], err error) {
		p.Items = []ThreadHit{}
		after, err := parseCursor(in.After, "thread search", 1)
		if err != nil {
			return p, err
		}
		if s.o.Sealer == nil {
			return p, noKeeper
		}
		ask, err := work.ParseSearch(in.Q)
		if err != nil {
			return p, err
		}
		boxes := r.List()
		if in.Inbox != "" {
			if err := r.may(ctx, t, in.Inbox, work.LookSearch, "", ""); err != nil {
				return p, err
			}
			boxes = []string{in.Inbox}
		}
		found, err := work.Search(ctx, t, s.o.Sealer, boxes, ask, after.number(0), in.limit())
		if err != nil {
			return p, err
		}
		for _, h := range found.Hits {
			v, err := work.Get(ctx, t, r.Reach, h.Thread)
			if err != nil {
				return p, err
			}
			if !in.ThreadFilter.fits(v, r) {
				continue
			}
			p.Items = append(p.Items, ThreadHit{Thread: h.Thread, Inbox: h.Inbox, Message: h.Message, At: tocsin.FromMillis(h.At), Subject: h.Subject, From: h.From, State: v.State, Unread: v.Unread, Around: h.Around})
		}
		if found.ID != "" {
			p.Next = cursor("thread search", found.Last)
		}
		return p, nil
	})
}
