package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Kinds of wishes.
const (
	wishRead       = "read"
	wishFlag       = "flag"
	wishCategories = "categories"
	wishMove       = "move"
	wishPurge      = "purge"
)

// want is what is wished of a mail; only what the kind needs is set.
type want struct {
	Read       bool     `json:"read,omitempty"`
	Flag       string   `json:"flag,omitempty"`
	Categories []string `json:"categories,omitempty"`
	Folder     string   `json:"folder,omitempty"` // Graph's id
}

// How often a wish is tried, and for how long its trouble is waited out.
const (
	mostTries = 20
	wishLife  = 24 * time.Hour
)

// WishRead has a mail marked as read in the mailbox, or as unread. It is so here at once.
func WishRead(ctx context.Context, t *store.Tenant, who, inbox, message string, read bool) error {
	return wish(ctx, t, who, inbox, message, wishRead, func(m *Message) (want, bool, error) {
		was := m.Read
		m.Read = read
		return want{Read: read}, was != read, nil
	})
}

// WishFlag has a mail flagged in the mailbox: flagged, complete, or "" for neither.
func WishFlag(ctx context.Context, t *store.Tenant, who, inbox, message, flag string) error {
	return wish(ctx, t, who, inbox, message, wishFlag, func(m *Message) (want, bool, error) {
		if !slices.Contains([]string{"", "flagged", "complete"}, flag) {
			return want{}, false, tocsin.Problemf(tocsin.Invalid, "Give flagged, complete or nothing.", "There is no flag %q.", flag)
		}
		was := m.Flag
		m.Flag = flag
		return want{Flag: flag}, was != flag, nil
	})
}

// WishCategories gives a mail these categories in the mailbox and no others. They are Outlook's, by their names.
func WishCategories(ctx context.Context, t *store.Tenant, who, inbox, message string, categories []string) error {
	return wish(ctx, t, who, inbox, message, wishCategories, func(m *Message) (want, bool, error) {
		for _, c := range categories {
			if strings.TrimSpace(c) == "" || len(c) > 255 || len(categories) > 50 {
				return want{}, false, tocsin.Problemf(tocsin.Invalid, "Give up to 50 names of up to 255 characters.", "These categories cannot be set.")
			}
		}
		was := m.Categories
		m.Categories = categories
		return want{Categories: categories}, !slices.Equal(was, categories), nil
	})
}

// WishMove has a mail moved into a folder of its mailbox: an id, or a well-known name such as archive.
func WishMove(ctx context.Context, t *store.Tenant, who, inbox, message, folder string) error {
	var id string
	var followed bool
	err := t.QueryRow(ctx, `select id, followed from inbox_folder where tenant = $1 and inbox = $2 and (id = $3 or known = $4 and known <> '') order by id limit 1`, inbox, folder, strings.ToLower(folder)).Scan(&id, &followed)
	if errors.Is(err, store.ErrNone) || err == nil && !followed {
		return tocsin.Problemf(tocsin.NotFound, "Choose one of the mailbox's folders.", "Mails cannot be moved to this folder.")
	}
	if err != nil {
		return err
	}
	return wish(ctx, t, who, inbox, message, wishMove, func(m *Message) (want, bool, error) {
		was := m.Folder
		m.Folder = id
		return want{Folder: id}, was != id, nil
	})
}

// WishDelete has a mail moved into the deleted items of its mailbox; one that is there already is deleted for good, as in Outlook.
func WishDelete(ctx context.Context, t *store.Tenant, who, inbox, message string) error {
	m, err := MessageOf(ctx, t, inbox, message)
	if err != nil {
		return err
	}
	var bin string
	err = t.QueryRow(ctx, `select id from inbox_folder where tenant = $1 and inbox = $2 and known = 'deleteditems'`, inbox).Scan(&bin)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return err
	}
	if bin != "" && m.Folder != bin {
		return WishMove(ctx, t, who, inbox, message, bin)
	}
	return wish(ctx, t, who, inbox, message, wishPurge, func(m *Message) (want, bool, error) {
		m.Gone = t.Tx().Clock().Now()
		return want{}, true, nil
	})
}

// wish writes down what is wished of a mail and makes it so here. One that was wished before and is not yet made good is no longer.
func wish(ctx context.Context, t *store.Tenant, who, inbox, message, kind string, set func(*Message) (want, bool, error)) error {
	m, err := MessageOf(ctx, t, inbox, message)
	if err != nil {
		return err
	}
	if !m.Gone.IsZero() {
		return tocsin.Problemf(tocsin.Conflict, "What was read of it stays here.", "This mail was deleted in the mailbox.")
	}
	var state string
	if err := t.QueryRow(ctx, `select state from inbox where tenant = $1 and id = $2`, inbox).Scan(&state); err != nil {
		return err
	}
	if state == Disconnected {
		return tocsin.Problemf(tocsin.Conflict, "Connect its address again under Settings → Email.", "This inbox is disconnected from its mailbox.")
	}
	to, changed, err := set(m)
	if err != nil || !changed {
		return err
	}
	now := t.Tx().Clock().Now()
	raw, err := json.Marshal(to)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update inbox_wish set state = 'superseded', changed = $5 where tenant = $1 and inbox = $2 and message = $3 and kind = $4 and state = 'due'`, inbox, message, kind, now); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `insert into inbox_wish (tenant, inbox, id, message, kind, what, due, created, created_by, changed) values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $7)`, inbox, tocsin.NewID(), message, kind, json.RawMessage(raw), now, who); err != nil {
		return err
	}
	if err := marked(ctx, t, inbox, m); err != nil {
		return err
	}
	if err := refreshed(ctx, t, inbox, m.Thread); err != nil {
		return err
	}
	return tellThread(ctx, t, inbox, m.Thread, "changed", who)
}

// marked writes how a mail is marked.
func marked(ctx context.Context, t *store.Tenant, inbox string, m *Message) error {
	_, err := t.Exec(ctx, `update inbox_message set folder = $4, is_read = $5, flag = $6, categories = $7, gone = $8 where tenant = $1 and inbox = $2 and id = $3`, inbox, m.ID, m.Folder, m.Read, m.Flag, text(m.Categories), tocsin.Millis(m.Gone))
	return err
}

// refreshed is refresh outside a look at the mailbox.
func refreshed(ctx context.Context, t *store.Tenant, inbox, thread string) error {
	b := &box{Inbox: Inbox{ID: inbox}}
	if err := b.readFolders(ctx, t); err != nil {
		return err
	}
	return refresh(ctx, t, inbox, thread, b.well("deleteditems"), b.well("junkemail"), tocsin.Millis(t.Tx().Clock().Now()))
}

// readWishes reads what is wished and not yet made good: what the mailbox tells of that is not believed till then.
func (b *box) readWishes(ctx context.Context, t *store.Tenant) error {
	b.wished = map[string]map[string]string{}
	rows, err := t.Query(ctx, `select message, kind, what from inbox_wish where tenant = $1 and inbox = $2 and state = 'due' order by id`, b.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var message, kind, what string
		if err := rows.Scan(&message, &kind, &what); err != nil {
			return err
		}
		if b.wished[message] == nil {
			b.wished[message] = map[string]string{}
		}
		b.wished[message][kind] = what
	}
	return rows.Err()
}

// without takes from what is told of a mail what is wished otherwise.
func (w *wire) without(wished map[string]string) {
	for kind := range wished {
		switch kind {
		case wishRead:
			w.Read = nil
		case wishFlag:
			w.Flag = nil
		case wishCategories:
			w.Categories = nil
		case wishMove:
			w.Folder = ""
		}
	}
}

// granting is a wish that is being made good.
type granting struct {
	id, message, kind string
	what              want
	tries             int
	created           int64
}

// grant makes good what is wished and due: the wishes of one mail in their order, those of several side by side. n is how many were.
func (b *box) grant(ctx context.Context) (n int, err error) {
	by, err := b.granted(ctx)
	if err != nil || len(by) == 0 {
		return 0, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, 3) // Exchange takes four at a time from all of the app
	for _, list := range by {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			for _, g := range list {
				if ctx.Err() != nil {
					return
				}
				done, err := b.grantOne(ctx, g)
				if err != nil {
					stop(err)
					return
				}
				if !done {
					return // what comes after it waits for it
				}
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	b.e.Counts.add("wishes", int64(n))
	if cause := context.Cause(ctx); cause != nil {
		return n, cause
	}
	return n, b.e.Store.ViewTenant(ctx, b.tenant, func(t *store.Tenant) error { return b.readWishes(ctx, t) })
}

// granted are the wishes that are due, by mail, those whose mail has an earlier one that is not left out.
func (b *box) granted(ctx context.Context) (by map[string][]*granting, err error) {
	err = b.e.Store.ViewTenant(ctx, b.tenant, func(t *store.Tenant) error {
		by = map[string][]*granting{}
		now := tocsin.Millis(b.e.Store.Clock().Now())
		rows, err := t.Query(ctx, `select id, message, kind, what, tries, due, created from inbox_wish where tenant = $1 and inbox = $2 and state = 'due' order by id limit 2000`, b.ID)
		if err != nil {
			return err
		}
		defer rows.Close()
		waits := map[string]bool{}
		for rows.Next() {
			g := &granting{}
			var what string
			var due int64
			if err := rows.Scan(&g.id, &g.message, &g.kind, &what, &g.tries, &due, &g.created); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(what), &g.what); err != nil {
				return err
			}
			if waits[g.message] = waits[g.message] || due > now; !waits[g.message] {
				by[g.message] = append(by[g.message], g)
			}
		}
		return rows.Err()
	})
	return by, err
}

// grantOne makes one good and reads back that it is; done is false where it is tried again later.
func (b *box) grantOne(ctx context.Context, g *granting) (done bool, err error) {
	p := graph.P{"user": b.user(), "message": g.message}
	var now wire
	if g.tries > 0 { // it may have been made good, though no answer came
		err = b.gc.Get(ctx, "messages.state", p, &now)
	}
	if err == nil && !(g.tries > 0 && g.fulfilled(&now)) {
		switch g.kind {
		case wishMove:
			err = b.gc.Act(ctx, "messages.move", p, map[string]any{"destinationId": g.what.Folder}, &now)
		case wishPurge:
			err = b.gc.Act(ctx, "messages.delete", p, nil, nil)
		default:
			err = b.gc.Act(ctx, "messages.mark", p, g.body(), &now)
		}
	}
	if err := b.e.point("wish"); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	switch {
	case is[*graph.NotFound](err):
		return true, b.granter(ctx, g, "done", "The mail is no longer in the mailbox.", func(p *pass) error { return p.bury(ctx, []string{g.message}) })
	case err == nil && g.kind == wishPurge:
		return true, b.granter(ctx, g, "done", "", func(p *pass) error { return p.bury(ctx, []string{g.message}) })
	case err == nil && g.fulfilled(&now):
		return true, b.granter(ctx, g, "done", "", func(p *pass) error { return p.reread(ctx, g, &now) })
	case err == nil:
		err = &graph.Unavailable{What: "the mailbox took the change and does not show it"}
	}
	if ours(err) {
		return false, err
	}
	late := b.e.Store.Clock().Now().Sub(tocsin.FromMillis(g.created)) > wishLife || g.tries >= mostTries
	if passing(err) && !late {
		return false, b.later(ctx, g, err)
	}
	// It cannot be: the mail is shown as it is.
	why := explain(err, b.Address)
	back := b.gc.Get(ctx, "messages.state", p, &now)
	if err := b.granter(ctx, g, "failed", why.What+" "+why.Do, func(p *pass) error {
		if back != nil {
			return nil
		}
		return p.reread(ctx, g, &now)
	}); err != nil {
		return false, err
	}
	if lost := is[*graph.NoMailbox](err) || is[*graph.Revoked](err) || is[*graph.Challenge](err); lost {
		return false, err // it is said at the inbox
	}
	return true, nil
}

// body is the change as Graph takes it. https://learn.microsoft.com/graph/api/message-update
func (g *granting) body() map[string]any {
	switch g.kind {
	case wishRead:
		return map[string]any{"isRead": g.what.Read}
	case wishFlag:
		return map[string]any{"flag": map[string]any{"flagStatus": orElse(g.what.Flag, "notFlagged")}}
	}
	if g.what.Categories == nil {
		return map[string]any{"categories": []string{}}
	}
	return map[string]any{"categories": g.what.Categories}
}

// fulfilled says whether a mail is as is wished.
func (g *granting) fulfilled(w *wire) bool {
	var m Message
	w.mark(&m)
	switch g.kind {
	case wishRead:
		return w.Read != nil && m.Read == g.what.Read
	case wishFlag:
		return w.Flag != nil && m.Flag == g.what.Flag
	case wishCategories:
		return w.Categories != nil && slices.Equal(m.Categories, g.what.Categories)
	case wishMove:
		return m.Folder == g.what.Folder
	}
	return false
}

// reread takes over how the mail is now; what else is wished of it stays.
func (p *pass) reread(ctx context.Context, g *granting, now *wire) error {
	delete(p.wished[g.message], g.kind)
	known, err := p.known(ctx, []told{{wire: wire{ID: g.message}}})
	m := known[g.message]
	if err != nil || m == nil {
		return err
	}
	if now.ID != "" && now.ID != m.ID { // an id that a move changed after all
		if _, err := p.t.Exec(ctx, `update inbox_message set id = $4 where tenant = $1 and inbox = $2 and id = $3`, p.ID, m.ID, now.ID); err != nil {
			return err
		}
		if _, err := p.t.Exec(ctx, `update inbox_wish set message = $4 where tenant = $1 and inbox = $2 and message = $3 and state = 'due'`, p.ID, m.ID, now.ID); err != nil {
			return err
		}
		m.ID = now.ID
	}
	state := *now
	state.Body, state.Draft = nil, nil
	if err := p.update(ctx, m, &state); err != nil {
		return err
	}
	return p.settle(ctx)
}

// granter ends a wish, unless another took its place meanwhile.
func (b *box) granter(ctx context.Context, g *granting, state, because string, and func(*pass) error) error {
	return b.update(ctx, func(t *store.Tenant) error {
		n, err := t.Exec(ctx, `update inbox_wish set state = $4, because = $5, changed = $6 where tenant = $1 and inbox = $2 and id = $3 and state = 'due'`, b.ID, g.id, state, because, b.e.Store.Clock().Now())
		if err != nil || n == 0 {
			return err
		}
		x := *b // wishes are looked at anew: others may have come
		if err := x.readWishes(ctx, t); err != nil {
			return err
		}
		return and(&pass{box: &x, t: t, now: tocsin.Millis(b.e.Store.Clock().Now()), touched: map[string]string{}})
	})
}

// later has a wish tried again.
func (b *box) later(ctx context.Context, g *granting, cause error) error {
	wait := backoff(g.tries + 1)
	if t, ok := errors.AsType[*graph.Throttled](cause); ok {
		wait = max(wait, t.After)
	}
	return b.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update inbox_wish set tries = tries + 1, due = $4, because = $5, changed = $6 where tenant = $1 and inbox = $2 and id = $3 and state = 'due'`,
			b.ID, g.id, b.e.Store.Clock().Now().Add(wait), explain(cause, b.Address).What, b.e.Store.Clock().Now())
		return err
	})
}

// backoff is how long to wait after so many tries: 2 seconds to 10 minutes.
func backoff(tries int) time.Duration {
	return min(2*time.Second<<min(max(tries-1, 0), 10), 10*time.Minute)
}
