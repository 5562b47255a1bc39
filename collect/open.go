package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Opener looks at the messages that notifications name, before they are folded: twenty in a request, a message once
// however often it was named, each under its own mailbox's limits. What cannot be looked at now is parked by the fold, and
// all that comes of the same mailbox behind it, until a look succeeds.
type Opener struct {
	Store *store.Store
	// Client gives the tenant's Graph client for reading mail, or says why nothing may be asked now; nil where nothing ever will.
	Client func(ctx context.Context, tenant tocsin.TenantID) (*graph.Client, error)
	Log    *slog.Logger

	Certificates *Certificates // whose keys open what Graph sends encrypted; nil: all is looked at
	Rich         Rich

	mu    sync.Mutex
	aside map[tocsin.TenantID]map[tocsin.PersonID]putAside // mailboxes of which the last look had something to wait
	paces paces
	known map[tocsin.TenantID]*knownBoxes
}

// putAside is until when what was put aside last of a mailbox waits (Unix milliseconds), and when it was put aside.
type putAside struct {
	retry int64
	at    time.Time
}

// asideFor is how long it is remembered at most that a mailbox waits. Once the run is folded the tables say it, but the next
// run is opened before that.
const asideFor = 30 * time.Second

// behind says whether something of a mailbox was put aside that the tables do not have yet.
func (t *opening) behind(b *openBox) bool {
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	last, waits := t.o.aside[t.tenant][b.person]
	return waits && b.retry < last.retry && t.now.Sub(last.at) < asideFor
}

// remember notes which mailboxes of the run wait now, and which do no more.
func (t *opening) remember() {
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	for _, b := range t.order {
		var retry int64
		for _, w := range b.out.Parked {
			if !w.Dead {
				retry = max(retry, w.Retry)
			}
		}
		if retry == 0 {
			delete(t.o.aside[t.tenant], b.person)
			continue
		}
		if t.o.aside == nil {
			t.o.aside = map[tocsin.TenantID]map[tocsin.PersonID]putAside{}
		}
		if t.o.aside[t.tenant] == nil {
			t.o.aside[t.tenant] = map[tocsin.PersonID]putAside{}
		}
		t.o.aside[t.tenant][b.person] = putAside{retry, t.now}
	}
}

// mailLooks are what came of notifications of one mailbox.
type mailLooks struct {
	Looks   []mailLook  `json:"looks,omitempty"`
	Folders folderNames `json:"folders,omitempty"` // well-known ones by id, when they were asked for
	Parked  []wait      `json:"parked,omitempty"`
	Dropped bool        `json:"dropped,omitempty"` // the tenant is not read any more: what is parked of the mailbox goes too
	Gap     *mailSpan   `json:"gap,omitempty"`     // what they were looked for, where nobody told of them
	Close   *closing    `json:"close,omitempty"`   // behind all that was found: the mailbox was caught up on
	Again   bool        `json:"again,omitempty"`   // they were given up once, and may be old
}

// mailSpan is a time of which something may not have been told, Unix milliseconds.
type mailSpan struct {
	Began   int64  `json:"began"`
	Ended   int64  `json:"ended"`
	Because string `json:"because"`
}

// closing is that a mailbox was caught up on. Times are Unix milliseconds.
type closing struct {
	Began   int64  `json:"began"` // the gap; one that has grown meanwhile stays open
	Ended   int64  `json:"ended"`
	Lost    string `json:"lost"`              // what cannot be found out
	Checked int64  `json:"checked,omitempty"` // until when all is known of the mailbox that can be; 0: nothing is
}

// mailLook is a message as it was found: gone, where it is not there any more.
type mailLook struct {
	ID      string    `json:"id"`
	Change  string    `json:"change,omitempty"` // as notified; created, where any said so
	At      int64     `json:"at"`               // noticed first
	Message *mailSeen `json:"message,omitempty"`
	Moved   bool      `json:"moved,omitempty"`  // one notification said that it was deleted, and another that it was created
	Waited  bool      `json:"waited,omitempty"` // it was parked
	Looked  int64     `json:"looked,omitempty"` // when it was asked for
	Named   int       `json:"named,omitempty"`  // by so many notifications of the run
	Etag    string    `json:"etag,omitempty"`   // as notified first
	Sub     string    `json:"sub,omitempty"`    // the subscription that told of it
	Rich    bool      `json:"rich,omitempty"`   // as Graph sent it: it was not asked for

	key string // see mailKey; set by the fold
}

// wait is a look that could not be taken.
type wait struct {
	ID      string `json:"id"`
	Change  string `json:"change,omitempty"`
	At      int64  `json:"at"`
	Because string `json:"because"`
	Retry   int64  `json:"retry"`
	Tries   int64  `json:"tries"`
	Dead    bool   `json:"dead,omitempty"` // given up: others of its mailbox are answered, and this one again and again is not
}

// mostTries is how often a message is looked at that is refused while others of its mailbox are answered.
const mostTries = 10

// parkedAtOnce is how many parked messages of a mailbox are looked at in one go.
const parkedAtOnce = 200

// Open is a [stream.Open].
func (o *Opener) Open(ctx context.Context, items []journal.Item) ([]journal.Item, error) {
	tenants := map[tocsin.TenantID]*opening{}
	var order []*opening
	for i := range items {
		if items[i].Kind != kindNotified {
			continue
		}
		t := tenants[items[i].Tenant]
		if t == nil {
			t = &opening{o: o, tenant: items[i].Tenant, boxes: map[tocsin.PersonID]*openBox{}}
			tenants[items[i].Tenant] = t
			order = append(order, t)
		}
		t.take(i, &items[i])
	}
	if len(order) == 0 {
		return items, nil
	}
	out := slices.Clone(items)
	var mu sync.Mutex
	g, inner := errgroup.WithContext(ctx)
	for _, t := range order {
		g.Go(func() error {
			made, err := t.open(inner)
			if err != nil {
				return fmt.Errorf("open the notifications of %s: %w", t.tenant, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for i, it := range made {
				out[i] = it
			}
			return nil
		})
	}
	return out, g.Wait()
}

// opening is one tenant's part of a run.
type opening struct {
	o      *Opener
	tenant tocsin.TenantID
	boxes  map[tocsin.PersonID]*openBox
	order  []*openBox
	now    time.Time
	batch  int      // looks in a request
	places []string // folders that are to be known
	apart  bool     // it is no part of a run
	limit  time.Duration
	rests  bool // it is not asked now; see paces

	brought []brought
}

// openBox is what a run notifies of a mailbox.
type openBox struct {
	person  tocsin.PersonID
	object  string
	watched bool // it is there, and can be read
	places  bool // its well-known folders are known
	known   bool // all this, and that nothing of it is parked, from before; see knownBoxes
	rich    bool // Graph sends what changed in it
	told    []mailLook
	items   []int
	at      int64
	looks   []mailLook
	byID    map[string]int
	parked  bool  // something of it is
	waits   bool  // and is not due
	retry   int64 // the latest time for which something of it waits
	tries   map[string]int64
	out     mailLooks
}

// take notes an item; one that cannot be read is left for the fold, which names it poison.
func (t *opening) take(i int, it *journal.Item) {
	var n notified
	if n.decode(it.Body) != nil {
		return
	}
	b := t.boxes[it.Person]
	if b == nil {
		b = &openBox{person: it.Person, at: it.At, byID: map[string]int{}, tries: map[string]int64{}}
		t.boxes[it.Person] = b
		t.order = append(t.order, b)
	}
	b.items = append(b.items, i)
	if n.ID == "" {
		return
	}
	l := mailLook{ID: n.ID, Change: n.Change, At: it.At, Named: 1, Etag: it.Key, Sub: n.Sub}
	if n.Rich != nil {
		t.brought = append(t.brought, brought{box: b, look: l, content: n.Rich})
		return
	}
	b.want(l)
}

func (b *openBox) want(l mailLook) {
	if k, ok := b.byID[l.ID]; ok {
		had := &b.looks[k]
		had.At, had.Waited, had.Named = min(had.At, l.At), had.Waited || l.Waited, had.Named+l.Named
		had.Moved = had.Moved || l.Change == "created" && had.Change == "deleted" || l.Change == "deleted" && had.Change == "created"
		if l.Change == "created" {
			had.Change = l.Change
		}
		return
	}
	b.byID[l.ID] = len(b.looks)
	b.looks = append(b.looks, l)
}

// open looks at all that is due, and gives the items that stand for the notifications: the first of each mailbox bears
// what was found, the others bear nothing.
func (t *opening) open(ctx context.Context) (map[int]journal.Item, error) {
	t.now = t.o.Store.Clock().Now()
	if err := t.held(ctx); err != nil {
		return nil, err
	}
	if !t.apart {
		t.limit, t.rests = t.o.paces.may(t.tenant, t.now)
	}
	for _, b := range t.order {
		b.waits = b.waits || t.behind(b) || t.rests && b.parked
	}
	if err := t.unseal(ctx); err != nil {
		return nil, err
	}
	if err := t.look(ctx); err != nil {
		return nil, err
	}
	out := map[int]journal.Item{}
	for _, b := range t.order {
		for i := range b.out.Parked {
			b.out.Parked[i].Dead = b.out.Parked[i].Tries >= mostTries && len(b.out.Looks) > 0
		}
	}
	if !t.apart {
		t.remember()
	}
	for _, b := range t.order {
		body := b.out
		for _, i := range b.items {
			out[i] = journal.Item{Tenant: t.tenant, Person: b.person, Kind: kindMail, At: b.at, Made: body}
			body = mailLooks{}
		}
	}
	return out, nil
}

// held reads what the tables hold of the mailboxes: whose they are, their folders, and what is parked of them.
func (t *opening) held(ctx context.Context) error {
	at, ok := t.o.Store.Changes(t.tenant, "person", "subscription", "parked")
	return t.o.Store.ViewTenant(ctx, t.tenant, func(tx *store.Tenant) error {
		var parked []*openBox
		if err := t.settings(ctx, tx); err != nil {
			return err
		}
		known := t.recall(at, ok)
		var people []any
		for _, b := range t.order {
			if !b.known {
				people = append(people, string(b.person))
			}
		}
		for some := range store.Batches(people, 1) {
			err := each(ctx, tx, func(scan func(...any) error) error {
				var person tocsin.PersonID
				var object string
				var folders, form, made *string
				var watched int
				var retry *int64
				if err := scan(&person, &object, &watched, &folders, &form, &made, &retry); err != nil {
					return err
				}
				b := t.boxes[person]
				if retry != nil {
					b.parked, b.retry, b.waits = true, *retry, *retry > tocsin.Millis(t.now)
					parked = append(parked, b)
				}
				b.watched = watched > 0
				b.object, b.places = object, t.knows(folders)
				b.rich = form != nil && (*form == FormRich || *made == FormRich)
				return nil
			}, `select p.person, p.object_id, case when p.deleted = 0 and p.mailbox in ('read', 'unknown') then 1 else 0 end, l.folders, s.form, s.made,
				(select max(k.retry) from parked k where k.tenant = p.tenant and k.person = p.person)
				from person p left join mail_ledger l on l.tenant = p.tenant and l.person = p.person left join subscription s on s.tenant = p.tenant and s.person = p.person where p.tenant = $1 and p.person in (`+store.In(len(some), 2)+`)`, some...)
			if err != nil {
				return err
			}
		}
		t.keep(known)
		if err := t.tried(ctx, tx, parked); err != nil {
			return err
		}
		for _, b := range parked {
			if b.waits {
				continue
			}
			err := each(ctx, tx, func(scan func(...any) error) error {
				var body []byte
				var at, tries int64
				if err := scan(&body, &at, &tries); err != nil {
					return err
				}
				var n notified
				if err := json.Unmarshal(body, &n); err != nil {
					return err
				}
				b.tries[n.ID] = tries
				b.want(mailLook{ID: n.ID, Change: n.Change, At: at, Waited: true})
				return nil
			}, `select body, at, tries from parked where tenant = $1 and person = $2 order by at limit $3`, string(b.person), parkedAtOnce)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// tried reads how often the messages that the run names were looked at, of mailboxes of which something is parked.
func (t *opening) tried(ctx context.Context, tx *store.Tenant, parked []*openBox) error {
	type named struct {
		box *openBox
		id  string
	}
	of := map[string]named{}
	note := func(b *openBox, id string) {
		if b.parked {
			of[parkedID(string(b.person), id)] = named{b, id}
		}
	}
	for _, b := range parked {
		for _, l := range b.looks {
			note(b, l.ID)
		}
	}
	for _, r := range t.brought {
		note(r.box, r.look.ID)
	}
	for some := range slices.Chunk(sortedKeys(of), 400) {
		err := each(ctx, tx, func(scan func(...any) error) error {
			var id string
			var tries int64
			err := scan(&id, &tries)
			if n, ok := of[id]; ok {
				n.box.tries[n.id] = tries
			}
			return err
		}, `select id, tries from parked where tenant = $1 and id in (`+store.In(len(some), 2)+`)`, anys(some)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// question is a question to Graph, and for whom.
type question struct {
	box   *openBox
	look  *mailLook // nil: a folder
	place string    // its well-known name
	nth   int       // of its mailbox
}

// look asks Graph. Its error is the store's or ctx's; Graph's become parked looks.
func (t *opening) look(ctx context.Context) error {
	client, err := t.o.Client(ctx, t.tenant)
	if err == nil && client == nil { // disconnected: what Graph still tells of is nobody's
		t.forget()
		for _, b := range t.order {
			b.out = mailLooks{Dropped: true}
		}
		return nil
	}
	questions := t.questions()
	if len(questions) == 0 {
		return nil
	}
	call, _ := mailCalls(ctx, client)
	parts := make([]graph.Part, len(questions))
	for i, q := range questions {
		if q.look == nil {
			parts[i] = graph.Part{Call: "mailFolders.get", P: graph.P{"user": q.box.object, "folder": q.place}}
		} else {
			parts[i] = graph.Part{Call: call, P: graph.P{"user": q.box.object, "message": q.look.ID}}
		}
	}
	var results []graph.Result
	if err == nil {
		results, err = t.ask(ctx, client, parts)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, q := range questions {
		r := graph.Result{Err: err}
		if results != nil {
			r = results[i]
		}
		t.answer(q, r)
	}
	return nil
}

// questions is what Graph is to be asked: one of each mailbox, then the next of each, since it answers no more than four requests at
// a time of one. Mailboxes of which it is not asked are dealt with.
func (t *opening) questions() []question {
	var questions []question
	for _, b := range t.order {
		switch {
		case b.object == "" || !b.watched: // nobody we know (any more); where it can be read again, there is a gap
			b.out = mailLooks{Dropped: true}
			continue
		case b.waits:
			b.park("What came before it is not opened yet.", t.now, 0)
			continue
		}
		b.out.Looks = append(b.out.Looks, b.told...)
		if t.rests {
			b.park(slowly, t.now, time.Second)
			continue
		}
		n := 0
		ask := func(q question) {
			q.box, q.nth = b, n
			n++
			questions = append(questions, q)
		}
		if !b.places && len(b.looks)+len(b.told) > 0 {
			for _, name := range t.places {
				ask(question{place: name})
			}
		}
		for i := range b.looks {
			ask(question{look: &b.looks[i]})
		}
	}
	slices.SortStableFunc(questions, func(a, b question) int { return cmp.Compare(a.nth, b.nth) })
	return questions
}

// messageGone says whether Exchange says that it does not have the message any more. Another 404 (of a gateway, or of the
// directory, which does not know whose it was) says nothing of the message.
func messageGone(err error) bool {
	e, ok := errors.AsType[*graph.NotFound](err)
	return ok && strings.EqualFold(e.Code, "ErrorItemNotFound")
}

// answer takes in what Graph said to a question.
func (t *opening) answer(q question, r graph.Result) {
	if q.look == nil {
		var f graph.MailFolder
		if r.Err == nil && json.Unmarshal(r.Body, &f) == nil && f.ID != "" {
			put((*map[string]string)(&q.box.out.Folders), f.ID, q.place)
		} else if _, none := errors.AsType[*graph.NotFound](r.Err); none {
			put((*map[string]string)(&q.box.out.Folders), noFolder+q.place, q.place)
		}
		return
	}
	l := *q.look
	l.Looked = tocsin.Millis(t.now)
	err := r.Err
	if messageGone(err) {
		q.box.out.Looks = append(q.box.out.Looks, l)
		return
	}
	var m graph.Message
	if err == nil {
		err = m.UnmarshalJSON(r.Body) // of which it is known that it is JSON
	}
	if err == nil && m.ID == "" {
		err = errors.New("Microsoft Graph gave a message without an id")
	}
	if err != nil {
		q.box.parkOne(l, Explain(err).What, t.now, retryAfter(err, 30*time.Second))
		return
	}
	seen := mailOf(&m)
	l.Message = &seen
	q.box.out.Looks = append(q.box.out.Looks, l)
}

// park keeps all that is wanted of a mailbox for later.
func (b *openBox) park(because string, now time.Time, after time.Duration) {
	for _, l := range b.looks {
		if !l.Waited {
			b.parkOne(l, because, now, after)
		}
	}
}

// parkOne keeps a look for later: twice as late with every try, an hour at most.
func (b *openBox) parkOne(l mailLook, because string, now time.Time, after time.Duration) {
	tries := b.tries[l.ID]
	if l.Waited {
		tries++
		after = min(time.Hour, max(after, time.Second)<<min(tries, 10))
	}
	b.out.Parked = append(b.out.Parked, wait{ID: l.ID, Change: l.Change, At: l.At, Because: because, Retry: tocsin.Millis(now.Add(after)), Tries: tries})
}

// Wake puts an item into the journal for each mailbox of which something is parked and due, so that it is opened in its
// place among all others; what no run waits for it looks at itself. It gives how many mailboxes there were.
func (o *Opener) Wake(ctx context.Context, j *journal.Journal, tenant tocsin.TenantID) (int, error) {
	now := tocsin.Millis(o.Store.Clock().Now())
	var items, apart []journal.Item
	err := o.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		items, apart = items[:0], apart[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			it := journal.Item{Tenant: tenant, Kind: kindNotified, At: now, Body: json.RawMessage("{}")}
			var slow int
			err := scan(&it.Person, &slow)
			if slow > 0 {
				apart = append(apart, it)
			} else {
				items = append(items, it)
			}
			return err
		}, dueParked, now, slowly)
	})
	if err == nil && len(items) > 0 {
		err = j.Append(ctx, items...)
	}
	for some := range slices.Chunk(apart, 100) {
		if err == nil {
			err = o.lookApart(ctx, j, tenant, some)
		}
	}
	return len(items) + len(apart), err
}

// dueParked goes from mailbox to mailbox, whatever is parked of each: what waits for hours may be much.
const dueParked = `with recursive box (person) as (
		select min(person) from parked where tenant = $1 and person > ''
		union all select (select min(n.person) from parked n where n.tenant = $1 and n.person > box.person) from box where box.person is not null)
	select due.person, case when exists (select 1 from parked s where s.tenant = $1 and s.person = due.person and s.because = $3) then 1 else 0 end
	from (select person, (select max(k.retry) from parked k where k.tenant = $1 and k.person = box.person) as retry from box where person is not null) as due
	where due.retry <= $2 order by due.retry limit 2000`

// ownAddresses says of an address whether it is one of these.
func ownAddresses(addresses []string, more ...string) func(string) bool {
	own := map[string]bool{}
	for _, a := range append(slices.Clone(addresses), more...) {
		if a = tocsin.CanonicalAddress(a); a != "" {
			own[a] = true
		}
	}
	return func(a string) bool { return own[strings.ToLower(a)] }
}
