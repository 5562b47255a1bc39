package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// folder is one of a mailbox and how far it is read: a row of table inbox_folder.
type folder struct {
	id, name, parent, known       string
	hidden, followed              bool
	next, delta                   string
	filled, total, began, reached int64
	floor, looked                 int64
}

// wellKnown are the folders that are told apart, and whether their mails are shown: drafts are no mails yet, the others hold none.
// https://learn.microsoft.com/graph/api/resources/mailfolder
var wellKnown = map[string]bool{"inbox": true, "sentitems": true, "deleteditems": true, "junkemail": true, "archive": true, "drafts": false, "outbox": false, "conversationhistory": false, "syncissues": false}

// How many mails a first reading of a delta gives where it is bounded by a time: https://learn.microsoft.com/graph/api/message-delta.
const boundedMost = 5000

// rest is where a folder's reading goes on that a delta cut off.
const rest = "rest"

// reconcile is how often everything in a mailbox is compared, because a delta by immutable ids may miss what left a folder and came back:
// https://learn.microsoft.com/graph/known-issues.
const reconcile = 24 * time.Hour

func (b *box) readFolders(ctx context.Context, t *store.Tenant) error {
	b.folders = map[string]*folder{}
	rows, err := t.Query(ctx, `select id, name, parent, known, hidden, followed, next, delta, filled, total, began, reached, floor, looked from inbox_folder where tenant = $1 and inbox = $2`, b.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		f := &folder{}
		if err := rows.Scan(&f.id, &f.name, &f.parent, &f.known, &f.hidden, &f.followed, &f.next, &f.delta, &f.filled, &f.total, &f.began, &f.reached, &f.floor, &f.looked); err != nil {
			return err
		}
		b.folders[f.id] = f
	}
	return rows.Err()
}

// well is the id of a well-known folder; "" where it is not known.
func (b *box) well(name string) string {
	for _, f := range b.folders {
		if f.known == name {
			return f.id
		}
	}
	return ""
}

// look reads what is new in the mailbox, and of a first reading some pages. n is how much changed, again says that a first reading goes on.
func (b *box) look(ctx context.Context) (n int, again bool, err error) {
	if b.since == 0 {
		if err := b.first(ctx); err != nil {
			return 0, false, err
		}
	}
	if err := b.lookTree(ctx); err != nil {
		return 0, false, err
	}
	now := tocsin.Millis(b.e.Store.Clock().Now())
	for _, f := range b.order() {
		busy := f.known == "inbox" || f.known == "sentitems"
		if f.delta == "" || !busy && n == 0 && now-f.looked < b.e.slow().Milliseconds() { // others where something moved, else now and then
			continue
		}
		some, err := b.changes(ctx, f)
		n += some
		if err == nil && f.next == "" && now-f.began > reconcile.Milliseconds() && f.delta != "" {
			some, err = b.compare(ctx, f)
			n += some
		}
		if err != nil {
			return n, false, err
		}
	}
	some, err := b.seek(ctx)
	n += some
	if err != nil {
		return n, false, err
	}
	return b.fill(ctx, n)
}

// first begins the first reading.
func (b *box) first(ctx context.Context) error {
	now := b.e.Store.Clock().Now()
	b.since, b.floor, b.filling = tocsin.Millis(now.Truncate(time.Second)), 0, "due" // times of mails are whole seconds
	for _, days := range []int{b.BackfillDays, b.RetentionDays} {
		if days > 0 {
			b.floor = max(b.floor, tocsin.Millis(now.AddDate(0, 0, -days)))
		}
	}
	return b.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update inbox set since = $3, floor = $4, filling = 'due' where tenant = $1 and id = $2`, b.ID, b.since, b.floor)
		return err
	})
}

// order is the followed folders, those where people look first.
func (b *box) order() (out []*folder) {
	rank := map[string]int{"inbox": 5, "sentitems": 4, "archive": 2, "deleteditems": 1, "junkemail": 1}
	for _, f := range b.folders {
		if f.followed {
			out = append(out, f)
		}
	}
	of := func(f *folder) int {
		if n, ok := rank[f.known]; ok {
			return n
		}
		return 3
	}
	slices.SortFunc(out, func(x, y *folder) int {
		if d := of(y) - of(x); d != 0 {
			return d
		}
		if x.name < y.name {
			return -1
		}
		return 1
	})
	return out
}

// lookTree reads which folders there are.
func (b *box) lookTree(ctx context.Context) error {
	var came []graph.MailFolder
	var gone []string
	over := false
	round := graph.Delta[graph.MailFolder](ctx, b.gc, "mailFolders.delta", graph.P{"user": b.user()}, b.tree)
	for ch, err := range round.AllOver(func(*graph.Gone) error { came, gone, over = nil, nil, true; return nil }) {
		switch {
		case err != nil:
			return err
		case ch.Removed != "":
			gone = append(gone, ch.ID)
		default:
			came = append(came, ch.Value)
		}
	}
	if b.tree == "" || over { // all were told: the others are gone
		for id := range b.folders {
			if !slices.ContainsFunc(came, func(f graph.MailFolder) bool { return f.ID == id }) {
				gone = append(gone, id)
			}
		}
	}
	known := map[string]string{}
	if b.well("inbox") == "" {
		var err error
		if known, err = b.named(ctx); err != nil {
			return err
		}
	}
	if len(came) == 0 && len(gone) == 0 && len(known) == 0 && round.Token() == b.tree {
		return nil
	}
	return b.update(ctx, func(t *store.Tenant) error {
		for _, id := range gone {
			if err := b.drop(ctx, t, id); err != nil {
				return err
			}
		}
		for _, f := range came {
			if err := b.keep(ctx, t, f, known[f.ID]); err != nil {
				return err
			}
		}
		b.tree = round.Token()
		_, err := t.Exec(ctx, `update inbox set tree = $3 where tenant = $1 and id = $2`, b.ID, b.tree)
		if err == nil {
			err = b.readFolders(ctx, t)
		}
		if err == nil && (len(came) > 0 || len(gone) > 0) {
			err = tell(ctx, t, b.ID, "folders")
		}
		return err
	})
}

// named asks which folders are the well-known ones: names are in the mailbox's language.
func (b *box) named(ctx context.Context) (map[string]string, error) {
	var parts []graph.Part
	var names []string
	for name := range wellKnown {
		names = append(names, name)
		parts = append(parts, graph.Part{Call: "mailFolders.get", P: graph.P{"user": b.user(), "folder": name}})
	}
	results, err := b.gc.Batch(ctx, parts)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, r := range results {
		if is[*graph.NotFound](r.Err) {
			continue // not every mailbox has all
		}
		if r.Err != nil {
			return nil, r.Err
		}
		var f graph.MailFolder
		if err := json.Unmarshal(r.Body, &f); err != nil {
			return nil, &graph.Unavailable{What: "a folder does not read as expected"}
		}
		out[f.ID] = names[i]
	}
	return out, nil
}

// keep writes a folder down.
func (b *box) keep(ctx context.Context, t *store.Tenant, f graph.MailFolder, known string) error {
	if had := b.folders[f.ID]; had != nil {
		if known == "" {
			known = had.known
		}
		if f.DisplayName == "" { // a change tells of what is another alone
			f.DisplayName, f.ParentFolderID = had.name, had.parent
		}
	}
	shown, told := wellKnown[known]
	_, err := t.Exec(ctx, `insert into inbox_folder (tenant, inbox, id, name, parent, known, hidden, followed, total) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		on conflict (tenant, inbox, id) do update set name = excluded.name, parent = excluded.parent, known = excluded.known, hidden = excluded.hidden, followed = excluded.followed, total = excluded.total`,
		b.ID, f.ID, clip(f.DisplayName, 300), f.ParentFolderID, known, f.IsHidden, (shown || !told) && !f.IsHidden, f.TotalItemCount)
	return err
}

// drop forgets a folder that is gone; where its mails went is asked for.
func (b *box) drop(ctx context.Context, t *store.Tenant, id string) error {
	if _, err := t.Exec(ctx, `delete from inbox_folder where tenant = $1 and inbox = $2 and id = $3`, b.ID, id); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `update inbox_message set folder = '' where tenant = $1 and inbox = $2 and folder = $3 and gone = 0`, b.ID, id)
	return err
}

// from is how far back a folder is read; 0: to its first mail.
func (b *box) from(f *folder) int64 { return max(b.floor, f.floor) }

func moment(ms int64) string { return tocsin.FromMillis(ms).Format(time.RFC3339) }

// round is a round of a folder from where it stands.
func (b *box) round(ctx context.Context, f *folder, from string) *graph.Round[wire] {
	p := graph.P{"user": b.user(), "folder": f.id, "$orderby": "receivedDateTime desc"}
	if from := b.from(f); from > 0 {
		p["$filter"] = "receivedDateTime ge " + moment(from)
	}
	return graph.Delta[wire](ctx, b.gc, "messages.inbox.delta", p, from)
}

// changes takes in what changed in a folder since the last look.
func (b *box) changes(ctx context.Context, f *folder) (n int, err error) {
	n, err = b.pages(ctx, f, f.delta, 0, func(t *store.Tenant, next, end string, _ []told) error {
		if end == "" {
			return nil // a page in between: until the last the round is read again from its beginning, which changes nothing
		}
		f.delta, f.looked = end, tocsin.Millis(b.e.Store.Clock().Now())
		_, err := t.Exec(ctx, `update inbox_folder set delta = $4, looked = $5 where tenant = $1 and inbox = $2 and id = $3`, b.ID, f.id, f.delta, f.looked)
		return err
	})
	if is[*graph.Gone](err) {
		return n, b.over(ctx, f)
	}
	return n, b.without(ctx, err)
}

// without has the folders read anew where one was not found: it was deleted between two questions.
func (b *box) without(ctx context.Context, err error) error {
	if !is[*graph.NotFound](err) || b.tree == "" {
		return err
	}
	return b.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update inbox set tree = '' where tenant = $1 and id = $2`, b.ID)
		return err
	})
}

// over has a folder read anew: its token has expired, and what changed meanwhile is not told.
func (b *box) over(ctx context.Context, f *folder) error {
	f.delta, f.next, f.filled, f.began, f.reached = "", "", 0, 0, 0
	return b.update(ctx, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update inbox_folder set delta = '', next = '', filled = 0, began = 0, reached = 0 where tenant = $1 and inbox = $2 and id = $3`, b.ID, f.id)
		return err
	})
}

// fill goes on with first readings, and with what a delta cut off.
func (b *box) fill(ctx context.Context, n int) (int, bool, error) {
	left := orElse(b.e.Page, 8)
	for _, f := range b.order() {
		if f.delta != "" && f.next == "" {
			continue
		}
		if left <= 0 {
			return n, true, nil
		}
		var some, read int
		var err error
		if f.delta == "" {
			some, read, err = b.fillFolder(ctx, f, left)
		} else {
			some, read, err = b.fillRest(ctx, f, left)
		}
		n += some
		left -= read
		if is[*graph.Gone](err) {
			if err = b.over(ctx, f); err == nil {
				return n, true, nil
			}
		}
		if is[*graph.NotFound](err) {
			return n, true, b.without(ctx, err)
		}
		if err != nil {
			return n, false, err
		}
		if f.delta == "" || f.next != "" {
			return n, true, b.probe(ctx, f)
		}
	}
	return n, false, b.filled(ctx)
}

// fillFolder reads some pages of a folder from the newest mail on. At the end it has the token by which changes are told.
func (b *box) fillFolder(ctx context.Context, f *folder, pages int) (n, read int, err error) {
	if f.began == 0 {
		f.began = tocsin.Millis(b.e.Store.Clock().Now())
	}
	n, err = b.pages(ctx, f, f.next, pages, func(t *store.Tenant, next, end string, all []told) error {
		read++
		f.filled += int64(len(all))
		for i := range all {
			if at := tocsin.Millis(all[i].Received.Time); at > 0 && (f.reached == 0 || at < f.reached) {
				f.reached = at
			}
		}
		f.next, f.delta = next, end
		if end != "" {
			f.looked = tocsin.Millis(b.e.Store.Clock().Now())
			if f.next = ""; b.from(f) > 0 && f.filled >= boundedMost {
				f.next = rest
			}
			if err := b.missing(ctx, t, f); err != nil {
				return err
			}
		}
		return b.save(ctx, t, f)
	})
	return n, read, err
}

// missing marks the mails that a whole reading of their folder did not tell of: where they are is asked for.
func (b *box) missing(ctx context.Context, t *store.Tenant, f *folder) error {
	from := b.from(f)
	if f.next == rest {
		from = f.reached
	}
	_, err := t.Exec(ctx, `update inbox_message set folder = '' where tenant = $1 and inbox = $2 and folder = $3 and told < $4 and received >= $5 and gone = 0 and erased = 0`, b.ID, f.id, f.began, from)
	return err
}

func (b *box) save(ctx context.Context, t *store.Tenant, f *folder) error {
	if _, err := t.Exec(ctx, `update inbox_folder set next = $4, delta = $5, filled = $6, began = $7, reached = $8, looked = $9 where tenant = $1 and inbox = $2 and id = $3`, b.ID, f.id, f.next, f.delta, f.filled, f.began, f.reached, f.looked); err != nil {
		return err
	}
	return tell(ctx, t, b.ID, "filling")
}

// fillRest reads what lies behind the mails that a bounded delta gave, as a list.
func (b *box) fillRest(ctx context.Context, f *folder, pages int) (n, read int, err error) {
	for ; read < pages && f.next == rest; read++ {
		p := graph.P{"user": b.user(), "folder": f.id, "$orderby": "receivedDateTime desc",
			"$filter": "receivedDateTime ge " + moment(b.from(f)) + " and receivedDateTime le " + moment(f.reached)}
		all, more, err := b.list(ctx, p)
		if err != nil {
			return n, read, err
		}
		before := f.reached
		for i := range all {
			if at := tocsin.Millis(all[i].Received.Time); at > 0 && at < f.reached {
				f.reached = at
			}
		}
		if !more || f.reached == before {
			f.next = ""
		}
		f.filled += int64(len(all))
		err = b.update(ctx, func(t *store.Tenant) error {
			got, err := b.take(ctx, t, f.id, all)
			if err != nil {
				return err
			}
			n += got.changed
			return b.save(ctx, t, f)
		})
		if err != nil {
			return n, read, err
		}
	}
	return n, read, nil
}

// list is a hundred of a folder's mails, or more where all of these are of one second: whoever asks for the next asks by time. more says that
// there are others. Where they are too long to be taken in at once they are asked for in smaller pages.
func (b *box) list(ctx context.Context, p graph.P) (all []told, more bool, err error) {
	for size := 100; ; size = smaller(size % 100) {
		p["$top"] = strconv.Itoa(size)
		of := ctx
		if size < 100 {
			of = graph.WithPage(ctx, size)
		}
		if all, more, err = b.listed(of, p); size == 1 || !graph.TooLong(err) {
			break
		}
	}
	if err != nil {
		return nil, false, err
	}
	return all, more, b.enrich(ctx, all)
}

func (b *box) listed(ctx context.Context, p graph.P) (all []told, more bool, err error) {
	for w, err := range graph.Pages[wire](ctx, b.gc, "messages.inbox.list", p) {
		if err != nil {
			return nil, false, err
		}
		if all = append(all, told{wire: w}); len(all) >= 100 && !w.Received.Time.Equal(all[0].Received.Time) {
			more = true
			break
		}
	}
	return all, more, nil
}

// probe takes in what came into a folder whose first reading is under way: nobody waits for history to see today's mail.
func (b *box) probe(ctx context.Context, f *folder) error {
	from := max(b.since, f.looked)
	all, _, err := b.list(ctx, graph.P{"user": b.user(), "folder": f.id, "$orderby": "receivedDateTime desc", "$filter": "receivedDateTime ge " + moment(from-time.Minute.Milliseconds())})
	if err != nil {
		return err
	}
	now := tocsin.Millis(b.e.Store.Clock().Now())
	return b.update(ctx, func(t *store.Tenant) error {
		if _, err := b.take(ctx, t, f.id, all); err != nil {
			return err
		}
		f.looked = now
		_, err := t.Exec(ctx, `update inbox_folder set looked = $4 where tenant = $1 and inbox = $2 and id = $3`, b.ID, f.id, now)
		return err
	})
}

// compare reads how every mail of a folder is marked: a delta by immutable ids may miss some.
func (b *box) compare(ctx context.Context, f *folder) (n int, err error) {
	f.began = tocsin.Millis(b.e.Store.Clock().Now())
	p := graph.P{"user": b.user(), "folder": f.id}
	if from := b.from(f); from > 0 {
		p["$filter"] = "receivedDateTime ge " + moment(from)
	}
	some := func(all []told, last bool) error {
		if err := b.enrich(ctx, all); err != nil {
			return err
		}
		return b.update(ctx, func(t *store.Tenant) error {
			got, err := b.take(ctx, t, f.id, all)
			if err != nil || !last {
				return err
			}
			n += got.changed
			if err := b.missing(ctx, t, f); err != nil {
				return err
			}
			_, err = t.Exec(ctx, `update inbox_folder set began = $4 where tenant = $1 and inbox = $2 and id = $3`, b.ID, f.id, f.began)
			return err
		})
	}
	var all []told
	for w, err := range graph.Pages[wire](ctx, b.gc, "messages.inbox.states", p) {
		if err != nil {
			return n, err
		}
		if all = append(all, told{wire: w}); len(all) == 200 {
			if err := some(all, false); err != nil {
				return n, err
			}
			all = nil
		}
	}
	return n, some(all, true)
}

// filled notes that the first reading is done.
func (b *box) filled(ctx context.Context) error {
	if b.filling == "due" {
		b.filling = "done"
		return b.update(ctx, func(t *store.Tenant) error {
			if _, err := t.Exec(ctx, `update inbox set filling = 'done' where tenant = $1 and id = $2 and filling = 'due'`, b.ID); err != nil {
				return err
			}
			return tell(ctx, t, b.ID, "filled")
		})
	}
	return nil
}

// seek asks for the mails that left their folder where they are now.
func (b *box) seek(ctx context.Context) (n int, err error) {
	var lost []string
	err = b.e.Store.ViewTenant(ctx, b.tenant, func(t *store.Tenant) (err error) {
		lost, err = texts(ctx, t, `select id from inbox_message where tenant = $1 and inbox = $2 and folder = '' and gone = 0 order by at desc limit 200`, b.ID)
		return err
	})
	if err != nil || len(lost) == 0 {
		return 0, err
	}
	parts := make([]graph.Part, len(lost))
	for i, id := range lost {
		parts[i] = graph.Part{Call: "messages.state", P: graph.P{"user": b.user(), "message": id}}
	}
	results, err := b.gc.Batch(ctx, parts)
	if err != nil {
		return 0, err
	}
	var found []told
	var gone []string
	for i, r := range results {
		var w wire
		switch {
		case is[*graph.NotFound](r.Err):
			gone = append(gone, lost[i])
			continue
		case r.Err != nil:
			return 0, r.Err
		}
		if err := json.Unmarshal(r.Body, &w); err != nil || w.ID == "" {
			return 0, &graph.Unavailable{What: "a message does not read as expected"}
		}
		if b.folders[w.Folder] == nil { // where nothing is shown: the recoverable items
			gone = append(gone, lost[i])
			continue
		}
		w.Draft = nil // one that is here was a mail
		found = append(found, told{wire: w})
	}
	err = b.update(ctx, func(t *store.Tenant) error {
		p, err := b.take(ctx, t, "", found)
		if err != nil {
			return err
		}
		n = p.changed
		return p.bury(ctx, gone)
	})
	return n + len(gone), err
}

// bury notes that mails were deleted for good. What they said is kept under the inbox's retention.
func (p *pass) bury(ctx context.Context, all []string) error {
	threads := map[string]bool{}
	for _, id := range all {
		var thread string
		err := p.t.QueryRow(ctx, `update inbox_message set gone = $4 where tenant = $1 and inbox = $2 and id = $3 and gone = 0 returning thread`, p.ID, id, p.now).Scan(&thread)
		if errors.Is(err, store.ErrNone) {
			continue
		}
		if err != nil {
			return err
		}
		threads[thread] = true
	}
	for thread := range threads {
		if err := p.refresh(ctx, thread); err != nil {
			return err
		}
		if err := tellThread(ctx, p.t, p.ID, thread, "changed", ""); err != nil {
			return err
		}
	}
	return nil
}
