package collect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// mailBox is what is known of a mailbox while its mail is folded.
type mailBox struct {
	user    string // its address
	mine    func(string) bool
	folders folderNames
	since   int64 // told of every change; 0: not yet
	heard   int64
	unseen  int64
	ledger  bool // there is a row
	changed bool
	left    bool // not watched by choice
}

// mailFold gathers the rows that a run of looks makes.
type mailFold struct {
	*run
	boxes   map[tocsin.PersonID]*mailBox
	held    map[tocsin.PersonID]map[string]*mailHeld
	senders map[string]tocsin.PersonID
	mail    [][]any // of messages that the table does not have
	again   [][]any // of those that it has
	events  [][]any
	means   meanings
	found   [][]any // what nobody had told of
	watch   *watching
	kept    int64 // of messages that came before, the rows may be gone; Unix milliseconds
	w       writer
}

// heardEvery is how exactly it is kept when a mailbox was heard of last, in milliseconds: a row less for nearly every
// message of a busy mailbox. Where it matters, a gap begins so much earlier.
const heardEvery = 20_000

// lostForGood is what nobody can find out about a gap.
const lostForGood = "Messages that came and were deleted within it."

// foldMail compares each message with what is held of it, and writes what happened.
func (r *run) foldMail(ctx context.Context, batch []pending[mailLooks]) error {
	if len(batch) == 0 {
		return nil
	}
	watch, err := r.watching(ctx)
	if err != nil {
		return err
	}
	for i := range batch {
		if watch.shut {
			batch[i].body.putOff(errShut.Error(), r.t.Tx().Clock().Now())
		}
	}
	f := &mailFold{run: r, watch: watch}
	if err := f.load(ctx, batch); err != nil {
		return err
	}
	org, err := r.organisation(ctx)
	if err != nil {
		return err
	}
	if err := f.keptSince(ctx, batch); err != nil {
		return err
	}
	inside := func(domain string) bool { return org.Domains[domain] }
	for i := range batch {
		b := f.boxes[batch[i].person]
		if b == nil || b.left {
			continue // nobody we know (erased, or removed from the directory), or not watched by choice
		}
		for id, name := range batch[i].body.Folders {
			if b.folders[id] != name {
				b.folders[id], b.changed = name, true
			}
		}
		before := len(f.events)
		for _, l := range batch[i].body.Looks {
			if l.Message != nil { // of one's own: names in it may be hidden, and a run may be folded again
				own := *l.Message
				l.Message = &own
			}
			if f.doubtful(batch[i].person, &batch[i].body, &l, batch[i].at) {
				continue
			}
			if err := f.fold(batch[i].person, b, &l, batch[i].body.Gap, inside); err != nil {
				return err
			}
		}
		if gap := batch[i].body.Gap; gap != nil {
			if n := len(f.events) - before; n > 0 {
				f.found = append(f.found, []any{string(batch[i].person), gap.Began, gap.Ended, gap.Because, batch[i].at, n, lostForGood})
			}
			continue
		}
		if batch[i].at >= b.heard+heardEvery || b.heard == 0 {
			b.heard, b.changed = batch[i].at, true
		}
	}
	return f.write(ctx, batch)
}

// keptSince finds out since when the rows of messages are kept, where one of these is so old that it matters.
func (f *mailFold) keptSince(ctx context.Context, batch []pending[mailLooks]) error {
	newest := messagesKept(f.t)
	old := func(l mailLook) bool { return l.Message != nil && l.Message.Created < newest }
	if !slices.ContainsFunc(batch, func(p pending[mailLooks]) bool { return slices.ContainsFunc(p.body.Looks, old) }) {
		return nil
	}
	days, err := f.t.Tx().Retention(ctx)
	f.kept = tocsin.Millis(f.t.Tx().Clock().Now().AddDate(0, 0, -days[messageStates]))
	return err
}

const messageStates = "message_states" // the class of the rows of messages

// messagesKept is since when they are kept however few days are set, Unix milliseconds.
func messagesKept(t *store.Tenant) int64 {
	class, _ := store.ClassNamed(messageStates)
	return tocsin.Millis(t.Tx().Clock().Now().AddDate(0, 0, -class.Least))
}

// load reads what is held of the mailboxes, the messages and those who wrote them.
func (f *mailFold) load(ctx context.Context, batch []pending[mailLooks]) error {
	f.boxes, f.held, f.senders = map[tocsin.PersonID]*mailBox{}, map[tocsin.PersonID]map[string]*mailHeld{}, map[string]tocsin.PersonID{}
	people := map[tocsin.PersonID]bool{}
	var keys []any // pairs
	for i := range batch {
		people[batch[i].person] = true
		for k := range batch[i].body.Looks {
			l := &batch[i].body.Looks[k]
			l.key = mailKey(l.ID)
			keys = append(keys, string(batch[i].person), l.key)
			if l.Message != nil && l.Message.From.Address != "" {
				f.senders[l.Message.From.Canonical()] = ""
			}
		}
	}
	if err := f.loadBoxes(ctx, sortedKeys(people)); err != nil {
		return err
	}
	if err := f.loadHeld(ctx, keys); err != nil {
		return err
	}
	var err error
	if f.means, err = f.understand(ctx, batch); err != nil {
		return err
	}
	senders := &f.recalled.senders
	if err := senders.read(ctx, f.t, "person_address", sortedKeys(f.senders), func(lacking []string) error {
		return f.some(ctx, lacking, func(scan func(...any) error) error {
			var address string
			var person tocsin.PersonID
			err := scan(&address, &person)
			senders.has[address] = person
			return err
		}, func(in string) string {
			return `select address, person from person_address where tenant = $1 and address in (` + in + `) order by person desc`
		})
	}); err != nil {
		return err
	}
	for address := range f.senders {
		f.senders[address] = senders.has[address]
	}
	return nil
}

// loadBoxes reads what is held of the mailboxes.
func (f *mailFold) loadBoxes(ctx context.Context, people []tocsin.PersonID) error {
	known := &f.recalled.people
	if err := known.read(ctx, f.t, "person", people, func(lacking []tocsin.PersonID) error {
		return f.some(ctx, lacking, func(scan func(...any) error) error {
			var person tocsin.PersonID
			var upn, mail, addresses string
			if err := scan(&person, &upn, &mail, &addresses); err != nil {
				return err
			}
			var list []string
			if err := readTexts(addresses, &list); err != nil {
				return fmt.Errorf("addresses of %s: %w", person, err)
			}
			known.has[person] = &mailPerson{user: cmp.Or(mail, upn), mine: ownAddresses(list, mail, upn)}
			return nil
		}, func(in string) string {
			return `select person, upn, mail, addresses from person where tenant = $1 and person in (` + in + `)`
		})
	}); err != nil {
		return err
	}
	for _, person := range people {
		if is := known.has[person]; is != nil {
			f.boxes[person] = &mailBox{user: is.user, mine: is.mine, folders: folderNames{}}
		}
	}
	return f.some(ctx, people, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var folders string
		var since, heard, unseen, left int64
		err := scan(&person, &folders, &since, &heard, &unseen, &left)
		b := f.boxes[person]
		if err != nil || b == nil {
			return err
		}
		b.ledger, b.since, b.heard, b.unseen, b.left = true, since, heard, unseen, left > 0
		if err := readNames(folders, b.folders); err != nil {
			return fmt.Errorf("folders of %s: %w", person, err)
		}
		return nil
	}, func(in string) string {
		return `select person, folders, since, heard, unseen, unwatched from mail_ledger where tenant = $1 and person in (` + in + `)`
	})
}

// loadHeld reads what is held of messages, which are named by pairs of person and key.
func (f *mailFold) loadHeld(ctx context.Context, pairs []any) error {
	for part := range store.Batches(pairs, 2) {
		err := each(ctx, f.t, func(scan func(...any) error) error {
			var person tocsin.PersonID
			var key string
			var h mailHeld
			if err := scan(&person, &key, &h.folder, &h.read, &h.draft, &h.flag, &h.verb, &h.rest, &h.modified, &h.deleted, &h.body); err != nil {
				return err
			}
			if f.held[person] == nil {
				f.held[person] = map[string]*mailHeld{}
			}
			f.held[person][key] = &h
			return nil
		}, `select person, key, folder, is_read, is_draft, flag, verb, rest, modified, deleted, body from mail
			where tenant = $1 and (person, key) in (values `+store.Pairs(len(part)/2, 2)+`)`, part...)
		if err != nil {
			return err
		}
	}
	return nil
}

// some runs a query over values in as many statements as it takes.
func (r *run) some(ctx context.Context, values any, row func(scan func(...any) error) error, query func(in string) string) error {
	var args []any
	switch v := values.(type) {
	case []string:
		args = anys(v)
	case []tocsin.PersonID:
		args = anys(v)
	}
	for part := range store.Batches(args, 1) {
		if err := each(ctx, r.t, row, query(store.In(len(part), 2)), part...); err != nil {
			return err
		}
	}
	return nil
}

// fold takes one look in.
func (f *mailFold) fold(person tocsin.PersonID, b *mailBox, l *mailLook, gap *mailSpan, inside func(string) bool) error {
	key := l.key
	had := f.held[person][key]
	is := l.Message
	if had != nil && had.unseen() && is != nil { // it is there after all
		if had.rest == cameUnseen {
			b.unseen--
			b.changed = true
		}
		had = nil
	}
	if is == nil && (had == nil || had.unseen()) {
		f.never(person, b, key, had, l, gap, inside)
		return nil
	}
	if had != nil && is != nil && is.Modified < had.modified {
		return nil // found before what is held, by another way
	}
	// Graph tells when a message was made in whole seconds. One of which the row is no longer kept came when it was made.
	since := is != nil && b.since > 0 && is.Created >= b.since/1000*1000
	fresh := since || l.Change == "created" && !b.older(is, l.Moved)
	if had == nil && since && is.Created < f.kept {
		fresh = false
	}
	if f.watch.passes(b, had, is) {
		return nil
	}
	changes := mailChanges(had, is, b.folders, b.mine, b.since, fresh)
	if gap != nil && had == nil && !fresh && is.Modified < b.since/1000*1000 {
		changes = nil // catching up looks a little further back than it has to: this was so before the mailbox was watched
	}
	if had == nil && !fresh && l.Moved && len(changes) == 1 && changes[0].action == "email_updated" {
		changes[0] = mailEvent{action: "email_moved", with: is.Folder + " " + changes[0].with} // where from is not known
	}
	happened := f.watch.told(f.means.more(person, b, had, is, l, changes), b, had, is)
	shown := is
	if shown == nil {
		var err error
		if shown, err = had.seen(l.ID); err != nil {
			return fmt.Errorf("a message of %s: %w", person, err)
		}
	}
	f.tell(person, b, l, gap, happened, shown, inside)
	if is != nil {
		f.keep(person, key, &mailHeld{folder: is.Folder, flag: is.Flag, verb: lastVerb(had, is), rest: is.rest(), read: is.Read, draft: is.Draft, modified: is.Modified, body: f.w.seen(is)}, is, l.At)
	} else if had.deleted == 0 {
		gone := *had
		gone.deleted = l.At
		if shown.Hidden {
			gone.body = f.w.seen(shown)
		}
		f.keep(person, key, &gone, shown, l.At)
	}
	return nil
}

// older says whether a message certainly came before its mailbox was watched, though Graph says that it was created: so it calls
// one that is put into another folder, beside saying that it was deleted. Clocks differ, so more than that is wanted where only
// the one is said.
func (b *mailBox) older(is *mailSeen, moved bool) bool {
	if is == nil || b.since == 0 || is.Created == 0 {
		return false
	}
	since := b.since / 1000 * 1000
	return is.Created < since-margin.Milliseconds() || moved && is.Created < since
}

// cameUnseen stands in the row of a message that is known to have come and that nobody saw; it is counted once.
const cameUnseen = "came"

// unseen says whether the row is of a message that was gone before anybody looked at it.
func (h *mailHeld) unseen() bool { return h.deleted > 0 && h.folder == "" }

// never takes in that a message is gone which nobody ever saw: its end is an event, of which only the id is known. Where it
// was said to have come, that is counted: what came, Graph can no longer tell.
func (f *mailFold) never(person tocsin.PersonID, b *mailBox, key string, had *mailHeld, l *mailLook, gap *mailSpan, inside func(string) bool) {
	m := &mailSeen{ID: l.ID}
	is := mailHeld{deleted: l.At}
	if had != nil {
		is = *had
	} else {
		f.tell(person, b, l, gap, f.means.more(person, b, nil, nil, l, []mailEvent{{action: "email_deleted"}}), m, inside)
	}
	if l.Change == "created" && is.rest == "" {
		b.unseen++
		b.changed = true
		is.rest = cameUnseen
	}
	is.body = f.w.seen(m)
	if had == nil || *had != is {
		f.keep(person, key, &is, m, l.At)
	}
}

// tell makes the events of what happened to a message.
func (f *mailFold) tell(person tocsin.PersonID, b *mailBox, l *mailLook, gap *mailSpan, happened []mailEvent, m *mailSeen, inside func(string) bool) {
	s := scene{tenant: f.t.ID(), person: person, user: b.user, sender: m.From.Canonical(), folders: b.folders, names: f.means.names, known: f.means.known, inside: inside, change: l.Change}
	who := f.senders[s.sender]
	if who != "" {
		s.sender = string(who)
	}
	f.watch.hash.hide(m, s.sender, who != "")
	if len(happened) == 0 {
		return
	}
	now := tocsin.Millis(f.t.Tx().Clock().Now())
	how := knownOf(l, gap, now)
	known := f.w.known(&how)
	if gap == nil {
		f.arrived.took(now - l.At)
	}
	for i := range happened {
		e := &happened[i]
		at, id := e.time(l.Message, l.At), e.id(s.tenant, person, m)
		f.events = append(f.events, []any{id, at, "EMAIL", e.action, string(person), f.w.told(&s, e, m), known, f.arrived.Run})
		if f.handed != nil && (e.action == "email_sent" || e.action == "email_received") {
			if h := (&mailRow{id: id, at: at, action: e.action, person: person}).mailOf(m); h.Event != "" {
				f.mails = append(f.mails, h)
			}
		}
		f.arrived.came(id, e.action)
	}
}

func (f *mailFold) keep(person tocsin.PersonID, key string, h *mailHeld, m *mailSeen, at int64) {
	if f.held[person] == nil {
		f.held[person] = map[string]*mailHeld{}
	}
	had := f.held[person][key]
	f.held[person][key] = h
	row := []any{string(person), key, m.ID, h.folder, h.read, h.draft, h.flag, h.verb, h.rest, cmp.Or(m.Received, at), h.modified, h.body, at, h.deleted}
	switch {
	case had == nil:
		f.mail = append(f.mail, row)
		h.row = len(f.mail)
	case had.row > 0:
		f.mail[had.row-1], h.row = row, had.row
	default:
		h.row = 0
		f.again = append(f.again, row)
	}
}

// write writes what was gathered, and what is parked; a fact for all of it tells those who follow.
func (f *mailFold) write(ctx context.Context, batch []pending[mailLooks]) error {
	into := store.Into{Table: "mail", Key: []string{"person", "key"}, Columns: []string{"person", "key", "native", "folder", "is_read", "is_draft", "flag", "verb", "rest", "received", "modified", "body", "changed", "deleted"}}
	if err := f.t.Insert(ctx, into, f.again); err != nil {
		return err
	}
	into.Key = nil
	if err := f.t.Insert(ctx, into, f.mail); err != nil {
		return err
	}
	columns := []string{"id", "at", "type", "action", "person", "body", "known", "run"}
	n, err := f.t.InsertCount(ctx, store.Into{Table: "event", Key: []string{"id"}, Keep: columns, Columns: columns}, f.events) // what was told stays as it was told
	if err != nil {
		return err
	}
	f.reread = f.reread || int(n) < len(f.events)
	if len(f.events) > 0 {
		f.touched["mail.changed"] += len(f.events)
	}
	if err := f.forget(ctx); err != nil {
		return err
	}
	if err := f.named(ctx); err != nil {
		return err
	}
	for i := range batch {
		if is := batch[i].body.Close; is != nil {
			if err := f.close(ctx, batch[i].person, is, batch[i].at); err != nil {
				return err
			}
		}
	}
	for _, row := range f.found {
		_, err := f.t.Exec(ctx, `insert into mail_gap (tenant, person, began, ended, because, closed, found, lost) values ($1, $2, $3, $4, $5, $6, $7, $8)
			on conflict (tenant, person, began) do update set found = mail_gap.found + excluded.found`, row...)
		if err != nil {
			return err
		}
	}
	if err := f.ledger(ctx); err != nil {
		return err
	}
	return f.parked(ctx, batch)
}

// close notes that a mailbox was caught up on, and closes the gap, unless it has grown meanwhile.
func (f *mailFold) close(ctx context.Context, person tocsin.PersonID, is *closing, at int64) error {
	n, err := f.t.Exec(ctx, `update mail_gap set closed = $5, lost = $6, trouble = '' where tenant = $1 and person = $2 and began = $3 and ended = $4 and closed = 0`,
		string(person), is.Began, is.Ended, at, is.Lost)
	if err != nil {
		return err
	}
	if is.Checked > 0 {
		if _, err := f.t.Exec(ctx, `update mail_ledger set checked = $3 where tenant = $1 and person = $2 and checked < $3`, string(person), is.Checked); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	return f.t.Append(ctx, store.Fact{Kind: "gap.closed", Subject: string(person), Person: string(person)})
}

func (f *mailFold) ledger(ctx context.Context) error {
	var rows [][]any
	for _, person := range sortedKeys(f.boxes) {
		b := f.boxes[person]
		if !b.changed {
			continue
		}
		folders, err := encode(b.folders)
		if err != nil {
			return err
		}
		rows = append(rows, []any{string(person), string(folders), b.since, b.heard, b.unseen})
	}
	return f.t.Insert(ctx, store.Into{Table: "mail_ledger", Key: []string{"person"}, Keep: []string{"since"}, Columns: []string{"person", "folders", "since", "heard", "unseen"}}, rows)
}

// parked puts aside what could not be looked at, and takes back what was looked at after it had waited.
func (f *mailFold) parked(ctx context.Context, batch []pending[mailLooks]) error {
	var came, rows, dead [][]any // came: of messages of which it is told that they came
	var opened []string
	for i := range batch {
		person := string(batch[i].person)
		if batch[i].body.Dropped {
			if _, err := f.t.Exec(ctx, `delete from parked where tenant = $1 and person = $2`, person); err != nil {
				return err
			}
		}
		for _, l := range batch[i].body.Looks {
			if l.Waited {
				opened = append(opened, parkedID(person, l.ID))
			}
		}
		for _, w := range batch[i].body.Parked {
			body, err := encode(notified{ID: w.ID, Change: w.Change})
			if err != nil {
				return err
			}
			id := parkedID(person, w.ID)
			if w.Dead {
				dead = append(dead, []any{id, kindNotified, person, body, clip(w.Because), w.At})
				opened = append(opened, id)
				continue
			}
			row := []any{id, kindNotified, person, body, clip(w.Because), w.At, w.Retry, person, w.Tries}
			if w.Change == "created" {
				came = append(came, row)
			} else {
				rows = append(rows, row)
			}
		}
	}
	for part := range slices.Chunk(opened, 400) {
		if _, err := f.t.Exec(ctx, `delete from parked where tenant = $1 and id in (`+store.In(len(part), 2)+`)`, anys(part)...); err != nil {
			return err
		}
	}
	if err := f.t.Insert(ctx, store.Into{Table: "dead_letter", Key: []string{"id"}, Columns: []string{"id", "kind", "subject", "body", "because", "at"}}, dead); err != nil {
		return err
	}
	into := store.Into{Table: "parked", Key: []string{"id"}, Keep: []string{"at"}, Columns: []string{"id", "kind", "subject", "body", "because", "at", "retry", "person", "tries"}}
	if err := f.t.Insert(ctx, into, came); err != nil {
		return err
	}
	into.Keep = []string{"at", "body"} // that it came stays told, whatever else is told while it waits
	return f.t.Insert(ctx, into, rows)
}

func parkedID(person, message string) string { return person + "/" + mailKey(message) }

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 1000)], "") }

// foldSignal notes what Graph said of a mailbox's subscription, for whoever keeps the subscriptions.
func (r *run) foldSignal(ctx context.Context, person tocsin.PersonID, s signalled) error {
	n, err := r.t.Exec(ctx, `update subscription set signal = $3, due = 0 where tenant = $1 and person = $2 and (id = $4 or $4 = '') and signal <> 'missed'`, string(person), s.Event, s.Subscription)
	if err != nil || n == 0 {
		return err
	}
	r.touched["subscription.changed"] += int(n)
	_, err = r.t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'subscriptions'`)
	return err
}
