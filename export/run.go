package export

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// sender brings parcels to a receiver. It is used by one goroutine.
type sender interface {
	// send brings all the parcels, in their order. What it was told of is repeated when it says that it failed.
	send(ctx context.Context, parcels []parcel) outcome
	close()
}

// outcome is how a sending went.
type outcome struct {
	ok      bool
	forever bool           // the receiver lets nobody in here: somebody has to look
	content bool           // it is this that it does not take; less of it may do
	refused map[int]string // taken but for these parcels, because
	after   time.Duration  // the receiver asked for so much patience
	because string         // a phrase; empty where it went well
	mend    string
}

const (
	// within is how long a receiver may take to answer.
	within = 30 * time.Second
	// patience is how many tries in a row a receiver may turn away, or refuse all that it is sent, before the export pauses.
	patience = 3
	// longest is the longest time between tries.
	longest = 5 * time.Minute
	// rest is how long an export without news waits, where nothing tells it of some.
	rest = 500 * time.Millisecond
)

// backoff is how long to wait after so many failures: doubled from a second on, between half of it and all, so that what
// failed together does not come again together; and what the receiver asked for, where that is more.
func backoff(failures int, after time.Duration) time.Duration {
	d := longest
	if failures < 10 {
		d = min(longest, time.Second<<max(0, failures-1))
	}
	return max(d/2+rand.N(d/2), min(after, time.Hour))
}

// Serve sends what an export wants until ctx ends, or the export is changed or paused; the caller then looks at it anew.
func (x *Exports) Serve(ctx context.Context, tenant tocsin.TenantID, id string) error {
	ctx = store.Patient(ctx)
	e, err := x.get(ctx, tenant, id)
	if err != nil || e.State != Running {
		return err
	}
	s, err := x.sender(&e)
	if err != nil {
		p := tocsin.AsProblem(err)
		return x.stop(ctx, &e, p.What, p.Do)
	}
	defer s.close()
	if err := x.Store.Clock().Until(ctx, e.Next); err != nil {
		return err
	}
	for ctx.Err() == nil && e.State == Running {
		if !e.BackTo.IsZero() {
			if err := x.sendPast(ctx, s, &e); err != nil {
				return err
			}
			continue
		}
		news := x.Store.Appended()
		b, err := x.read(ctx, &e)
		if err != nil {
			return err
		}
		if b.to == e.Done {
			wait(ctx, news)
			continue
		}
		if late := time.Duration(e.Wait)*time.Millisecond - x.Store.Clock().Now().Sub(tocsin.FromMillis(b.oldest)); !b.full && late > 0 && len(b.parcels) < e.Batch {
			wait(ctx, after(late)) // others may come
			if b, err = x.read(ctx, &e); err != nil {
				return err
			}
		}
		if err := x.round(ctx, s, &e, b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func after(d time.Duration) <-chan struct{} {
	out := make(chan struct{})
	time.AfterFunc(min(d, rest), func() { close(out) })
	return out
}

// wait waits for news of this process; those of another replica it sees after a moment.
func wait(ctx context.Context, news <-chan struct{}) {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-news:
	case <-timer.C:
	}
}

func (x *Exports) get(ctx context.Context, tenant tocsin.TenantID, id string) (e Export, err error) {
	err = x.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		e, err = Get(ctx, t, id)
		return err
	})
	return e, err
}

// round sends a batch once and writes down how far that went.
func (x *Exports) round(ctx context.Context, s sender, e *Export, b batch) error {
	n, o := 0, outcome{ok: true}
	if len(b.parcels) > 0 {
		n, o = deliver(ctx, s, b.parcels)
	}
	if ctx.Err() != nil && !o.ok {
		return ctx.Err() // it is not known how it went: there will be another try
	}
	return x.record(context.WithoutCancel(ctx), ctx, e, b, n, o)
}

// deliver sends parcels, and halves what the receiver does not take, until what it refuses stands alone. n is how many from
// the first on are dealt with. What it refuses counts as dealt with only where it took something else, for otherwise it is
// not the events that are wrong.
func deliver(ctx context.Context, s sender, parcels []parcel) (n int, o outcome) {
	took := 0
	refused := map[int]string{}
	var last outcome
	var some func(from, to int) bool
	some = func(from, to int) bool {
		last = s.send(ctx, parcels[from:to])
		switch {
		case last.ok:
			for i, because := range last.refused {
				refused[from+i] = because
			}
			took += to - from - len(last.refused)
			n = to
			return true
		case !last.content || ctx.Err() != nil:
			return false
		case to-from == 1:
			refused[from] = last.because
			n = to
			return true
		}
		half := from + (to-from)/2
		return some(from, half) && some(half, to)
	}
	whole := some(0, len(parcels))
	if took == 0 {
		o = last
		for _, because := range refused {
			o.because = because
		}
		o.ok = false
		return 0, o
	}
	if whole {
		return n, outcome{ok: true, refused: refused}
	}
	last.refused = refused
	return n, last
}

// record writes down how far a batch went: n of its parcels are dealt with. Whoever has moved the cursor meanwhile was
// quicker, and this export is not ours any more.
func (x *Exports) record(ctx, alive context.Context, e *Export, b batch, n int, o outcome) error {
	now := x.Store.Clock().Now()
	to, toAt := b.to, b.toAt
	if n < len(b.parcels) {
		to, toAt = e.Done, tocsin.Millis(e.DoneAt)
		if n > 0 {
			to, toAt = b.parcels[n-1].place, b.parcels[n-1].came
		}
	}
	var buried [][]any
	for i, because := range o.refused {
		if i < n {
			p := b.parcels[i]
			buried = append(buried, []any{e.ID, p.id, now, because, string(p.body)})
		}
	}
	next, told := e.after(now, o, n, len(b.parcels), len(buried))
	next.Done, next.DoneAt = to, tocsin.FromMillis(toAt)
	if b.lost > 0 && to > e.Done {
		told = told || e.Lost == 0
		if next.Lost == 0 {
			next.LostFrom = tocsin.FromMillis(b.lostFrom)
		}
		next.Lost += b.lost
		next.LostTo = tocsin.FromMillis(b.lostTo)
	}
	if next.backPlace > 0 && next.Done >= next.backPlace {
		next.backPlace = 0 // nothing that comes now was sent with the past
	}
	err := x.Store.UpdateTenant(ctx, e.Tenant, func(t *store.Tenant) error {
		moved, err := t.Exec(ctx, `update export set done = $3, done_at = $4, sent = $5, sent_at = $6, failures = $7, failed = $8, next = $9, because = $10, mend = $11, state = $12, buried = $13,
			lost = $14, lost_from = $15, lost_to = $16, back_place = $17 where tenant = $1 and id = $2 and done = $18 and version = $19 and state = 'running'`,
			e.ID, next.Done, next.DoneAt, next.Sent, next.SentAt, next.Failures, next.Failed, next.Next, next.Because, next.Mend, next.State, next.Refused,
			next.Lost, next.LostFrom, next.LostTo, next.backPlace, e.Done, e.Version)
		if err != nil {
			return err
		}
		if moved == 0 {
			return store.ErrLost
		}
		if next.backPlace != e.backPlace {
			if err := forgetPast(ctx, t, e.ID); err != nil {
				return err
			}
		}
		if err := bury(ctx, t, buried); err != nil {
			return err
		}
		if told {
			return tell(ctx, t, e.ID, "")
		}
		return nil
	})
	if errors.Is(err, store.ErrLost) {
		return x.changedMeanwhile(ctx, e, next, buried)
	}
	if err != nil {
		return fmt.Errorf("record an export: %w", err)
	}
	if b.lost > 0 && to > e.Done {
		x.log().Error("events were deleted before they could be exported", "tenant", e.Tenant, "export", e.ID, "lost", b.lost)
	}
	*e = next
	return x.again(alive, e, o)
}

// bury keeps what a receiver refused.
func bury(ctx context.Context, t *store.Tenant, refused [][]any) error {
	return t.Insert(ctx, store.Into{Table: "export_refused", Key: []string{"export", "event"}, Columns: []string{"export", "event", "at", "because", "body"}}, refused)
}

// after is the export after a try that ended so, with n of its parcels dealt with, some of them refused; told says that it is
// news.
func (e *Export) after(now time.Time, o outcome, n, of, refused int) (next Export, told bool) {
	next = *e
	next.Refused += int64(refused)
	if sent := n - refused; sent > 0 {
		next.Sent += int64(sent)
		next.SentAt = now
	}
	if o.ok {
		next.Failures, next.Failed, next.Next, next.Because, next.Mend = 0, time.Time{}, time.Time{}, "", ""
		return next, e.Failures > 0
	}
	told = e.Failures == 0
	next.Failures++
	if n > 0 {
		next.Failures = 1
	}
	if next.Failures == 1 {
		next.Failed = now
	}
	next.Next = now.Add(backoff(next.Failures, o.after))
	next.Because, next.Mend = o.because, o.mend
	if (o.forever || o.content && of > 1) && next.Failures >= patience {
		next.State, told = Paused, true
		next.Because = o.because + ", " + fmt.Sprintf("%d times in a row; the export is paused", next.Failures)
		next.Next = time.Time{}
	}
	return next, told
}

// again waits until what failed is to be tried again.
func (x *Exports) again(alive context.Context, e *Export, o outcome) error {
	if o.ok || e.State != Running {
		return nil
	}
	x.log().Warn("events were not exported", "tenant", e.Tenant, "export", e.ID, "kind", e.Kind, "failures", e.Failures, "because", e.Because)
	return x.Store.Clock().Until(alive, e.Next)
}

// changedMeanwhile is when somebody has edited, paused or deleted the export while it was sending. What was taken counts all the
// same, if nobody else has moved the cursor.
func (x *Exports) changedMeanwhile(ctx context.Context, e *Export, next Export, buried [][]any) error {
	err := x.Store.UpdateTenant(ctx, e.Tenant, func(t *store.Tenant) error {
		moved, err := t.Exec(ctx, `update export set done = $3, done_at = $4, sent = $5, sent_at = $6, buried = $7, lost = $8, lost_from = $9, lost_to = $10 where tenant = $1 and id = $2 and done = $11`,
			e.ID, next.Done, next.DoneAt, next.Sent, next.SentAt, next.Refused, next.Lost, next.LostFrom, next.LostTo, e.Done)
		if err != nil || moved == 0 {
			return err
		}
		return bury(ctx, t, buried)
	})
	if err != nil {
		return fmt.Errorf("record an export: %w", err)
	}
	e.State = "changed"
	return nil
}

// stop pauses an export that cannot be served.
func (x *Exports) stop(ctx context.Context, e *Export, because, mend string) error {
	return x.Store.UpdateTenant(ctx, e.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `update export set state = 'paused', because = $3, mend = $4, failures = failures + 1, failed = $5 where tenant = $1 and id = $2`, e.ID, because, mend, x.Store.Clock().Now()); err != nil {
			return err
		}
		return tell(ctx, t, e.ID, "")
	})
}

// sender makes what brings an export's events to its receiver.
func (x *Exports) sender(e *Export) (sender, error) {
	k, err := x.keysOf(e)
	if err != nil {
		return nil, err
	}
	switch e.Kind {
	case Webhook:
		return newWebhook(x, e, k), nil
	case Syslog:
		return newSyslog(x, e, k), nil
	case File:
		return newFiles(x, e), nil
	case NATS:
		return newNATS(x, e, k), nil
	case Kafka:
		return newKafka(x, e, k), nil
	}
	return nil, tocsin.Problemf(tocsin.Internal, "Delete it.", "The export is of a kind %q that there is not.", e.Kind)
}

// Result is how a test went.
type Result struct {
	OK   bool
	What string
	Do   string
	Took time.Duration
}

// Test sends a sample to an export's receiver, now, and gives how that went. The cursor stays where it is. Where files are
// written, it goes to one of its own.
func (x *Exports) Test(ctx context.Context, tenant tocsin.TenantID, id string) (Result, error) {
	e, err := x.get(ctx, tenant, id)
	if err != nil {
		return Result{}, err
	}
	what := "The sample was taken by the receiver."
	if e.Kind == File { // the file itself has one writer, which knows how long it is
		e.To = "sample-" + e.To
		what = "The sample was written to a file of its own, sample-… beside the export's."
	}
	s, err := x.sender(&e)
	if err != nil {
		return Result{}, err
	}
	defer s.close()
	p, err := sample(tenant, x.Store.Clock().Now())
	if err != nil {
		return Result{}, err
	}
	if e.Form == OCSF {
		if p.body, p.severity, err = toOCSF(p.body); err != nil {
			return Result{}, err
		}
	}
	began := time.Now()
	o := s.send(ctx, []parcel{p})
	r := Result{OK: o.ok && len(o.refused) == 0, Do: o.mend, Took: time.Since(began), What: what}
	if !r.OK {
		because := o.because
		for _, why := range o.refused {
			because = why
		}
		r.What = "The sample was not taken: " + because + "."
	}
	return r, nil
}

// Example is an event in both forms: the newest that there is of the tenant, or a sample.
func Example(ctx context.Context, t *store.Tenant) (native, ocsf []byte, isSample bool, err error) {
	is := tocsin.EventRow{Tenant: t.ID()}
	err = t.QueryRow(ctx, `select id, at, action, person, body from event where tenant = $1 order by at desc, id desc limit 1`).Scan(&is.ID, &is.At, &is.Action, &is.Person, &is.Body)
	native = is.AppendJSON(nil)
	if errors.Is(err, store.ErrNone) {
		p, err2 := sample(t.ID(), t.Tx().Clock().Now())
		native, isSample, err = p.body, true, err2
	}
	if err != nil {
		return nil, nil, false, err
	}
	ocsf, _, err = toOCSF(native)
	return native, ocsf, isSample, err
}
