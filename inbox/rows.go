package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	"tocsin.dev"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

const columns = `id, name, address, person, connection, state, because, mend, sending, sending_because, sending_at, backfill_days, retention_days, created, changed, version`

func (in *Inbox) scan(scan func(...any) error) error {
	var at, created, changed int64
	err := scan(&in.ID, &in.Name, &in.Address, &in.Person, &in.Connection, &in.State, &in.Because, &in.Mend, &in.Sending, &in.SendingBecause, &at, &in.BackfillDays, &in.RetentionDays, &created, &changed, &in.Version)
	in.SendingAt, in.Created, in.Changed = tocsin.FromMillis(at), tocsin.FromMillis(created), tocsin.FromMillis(changed)
	return err
}

// Get is an inbox.
func Get(ctx context.Context, t *store.Tenant, id string) (*Inbox, error) {
	in := &Inbox{}
	err := in.scan(t.QueryRow(ctx, `select `+columns+` from inbox where tenant = $1 and id = $2`, id).Scan)
	if errors.Is(err, store.ErrNone) {
		return nil, noInbox
	}
	return in, err
}

// List is the inboxes, by name.
func List(ctx context.Context, t *store.Tenant) (out []*Inbox, err error) {
	rows, err := t.Query(ctx, `select `+columns+` from inbox where tenant = $1 order by name, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		in := &Inbox{}
		if err := in.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, rows.Err()
}

// Reading is how far a mailbox is read.
type Reading struct {
	State   string    // due: the first reading is under way; done; cancelled
	Since   time.Time // when it began; zero: it has not
	Floor   time.Time // how far back it goes; zero: to the first mail
	Part    float64   // 0 to 1, of the first reading
	Looked  time.Time // when the mailbox was last read without trouble
	Waiting int       // wishes that are not made good yet
	Folders []FolderReading
}

// FolderReading is how far a folder is read, and how fresh it is.
type FolderReading struct {
	ID, Name, Parent string
	Known            string // inbox, sentitems …; empty for folders that people made
	Followed         bool   // its mails are shown; those of drafts are not
	Done             bool   // its first reading is done, and changes are told
	Filled, Total    int64  // mails that were read, and that are in it
	Reached          time.Time
	Looked           time.Time
}

// ReadingOf says how far an inbox's mailbox is read.
func ReadingOf(ctx context.Context, t *store.Tenant, inbox string) (*Reading, error) {
	r := &Reading{}
	var since, floor, looked int64
	err := t.QueryRow(ctx, `select filling, since, floor, looked from inbox where tenant = $1 and id = $2`, inbox).Scan(&r.State, &since, &floor, &looked)
	if errors.Is(err, store.ErrNone) {
		return nil, noInbox
	}
	if err != nil {
		return nil, err
	}
	r.Since, r.Floor, r.Looked = tocsin.FromMillis(since), tocsin.FromMillis(floor), tocsin.FromMillis(looked)
	b := &box{Inbox: Inbox{ID: inbox}, floor: floor}
	if err := b.readFolders(ctx, t); err != nil {
		return nil, err
	}
	parts, of := 0.0, 0
	for _, f := range b.folders {
		fr := FolderReading{ID: f.id, Name: f.name, Parent: f.parent, Known: f.known, Followed: f.followed, Done: f.delta != "" && f.next == "", Filled: f.filled, Total: f.total, Reached: tocsin.FromMillis(f.reached), Looked: tocsin.FromMillis(f.looked)}
		r.Folders = append(r.Folders, fr)
		if f.followed {
			of++
			parts += f.part(b.from(f), since)
		}
	}
	sort.Slice(r.Folders, func(i, j int) bool { return r.Folders[i].Name < r.Folders[j].Name })
	if of > 0 {
		r.Part = parts / float64(of)
	}
	return r, t.QueryRow(ctx, `select count(*) from inbox_wish where tenant = $1 and inbox = $2 and state = 'due'`, inbox).Scan(&r.Waiting)
}

// part is how much of a folder's first reading is done: by time where it is bounded by one, else by number.
func (f *folder) part(floor, since int64) float64 {
	switch {
	case f.delta != "" && f.next == "":
		return 1
	case f.reached == 0:
		return 0
	case floor > 0 && since > floor:
		return min(max(float64(since-f.reached)/float64(since-floor), 0), 1)
	case f.total > 0:
		return min(float64(f.filled)/float64(f.total), 1)
	}
	return 0
}

// Messages are the mails of a thread, the oldest first, those that were deleted for good among them.
func Messages(ctx context.Context, t *store.Tenant, inbox, thread string) ([]*Message, error) {
	return messages(ctx, t, `inbox = $2 and thread = $3 and erased = 0 order by at, id`, inbox, thread)
}

// MessageOf is a mail.
func MessageOf(ctx context.Context, t *store.Tenant, inbox, id string) (*Message, error) {
	list, err := messages(ctx, t, `inbox = $2 and id = $3 and erased = 0`, inbox, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look at its thread.", "There is no such mail in this inbox.")
	}
	return list[0], nil
}

// BodyOf gives what a mail says, safe to show. Pictures that are part of the mail are left out: see [Engine.Show].
func BodyOf(ctx context.Context, t *store.Tenant, k Keeper, inbox, id string) (Body, error) {
	said, err := openBody(ctx, t, k, inbox, id)
	if err != nil {
		return Body{}, err
	}
	return bodyOf(said.read(), false), nil
}

func openBody(ctx context.Context, t *store.Tenant, k Keeper, inbox, id string) (*stored, error) {
	var sealed []byte
	err := t.QueryRow(ctx, `select body from inbox_message where tenant = $1 and inbox = $2 and id = $3 and erased = 0`, inbox, id).Scan(&sealed)
	if errors.Is(err, store.ErrNone) || err == nil && len(sealed) == 0 {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look at it in the mailbox.", "What this mail says is not kept here.")
	}
	if err != nil {
		return nil, err
	}
	key, err := OpenKey(ctx, t, k, inbox)
	if err != nil {
		return nil, err
	}
	raw, err := key.Open(sealed, aboutMessage(t, inbox, id))
	if err != nil {
		return nil, err
	}
	out := &stored{}
	if json.Unmarshal(raw, out) != nil {
		return nil, altered
	}
	return out, nil
}

func (s *stored) read() *mail.Message {
	if s.Type == "text" {
		return mail.ReadBody("text/plain", s.Content)
	}
	return mail.ReadBody("text/html", s.Content)
}

// Refill has the mailbox of an inbox read anew, from so many days back; 0: from its first mail.
func Refill(ctx context.Context, t *store.Tenant, inbox string, days int) error {
	n, err := t.Exec(ctx, `update inbox set backfill_days = $3, since = case when since = 0 then 0 else since end, floor = 0, filling = 'due', changed = $4, version = version + 1 where tenant = $1 and id = $2`, inbox, days, t.Tx().Clock().Now())
	if err == nil && n == 0 {
		err = noInbox
	}
	if err != nil {
		return err
	}
	floor := int64(0)
	if days > 0 {
		floor = tocsin.Millis(t.Tx().Clock().Now().AddDate(0, 0, -days))
	}
	if _, err := t.Exec(ctx, `update inbox set floor = $3 where tenant = $1 and id = $2 and since > 0`, inbox, floor); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update inbox_folder set next = '', delta = '', filled = 0, began = 0, reached = 0, floor = 0 where tenant = $1 and inbox = $2`, inbox); err != nil {
		return err
	}
	return tell(ctx, t, inbox, "filling")
}

// Cancel ends the first reading of an inbox: what was read stays, what comes goes on being read.
func Cancel(ctx context.Context, t *store.Tenant, inbox string) error {
	n, err := t.Exec(ctx, `update inbox set filling = 'cancelled', since = case when since = 0 then $3 else since end, floor = case when since = 0 then $3 else floor end, changed = $3, version = version + 1 where tenant = $1 and id = $2 and filling = 'due'`, inbox, t.Tx().Clock().Now())
	if err == nil && n == 0 {
		return tocsin.Problemf(tocsin.Conflict, "There is nothing to cancel.", "The first reading of this inbox is not under way.")
	}
	if err != nil {
		return err
	}
	// What of a folder was read goes on to be followed: its reading begins again, and ends where it had come to.
	if _, err := t.Exec(ctx, `update inbox_folder set floor = case when reached > 0 then reached else $3 end, next = '', delta = '', filled = 0, began = 0, reached = 0 where tenant = $1 and inbox = $2 and (delta = '' or next <> '')`, inbox, t.Tx().Clock().Now()); err != nil {
		return err
	}
	return tell(ctx, t, inbox, "cancelled")
}
