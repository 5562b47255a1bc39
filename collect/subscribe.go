package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Webhook is where Graph reaches us; the zero value is nowhere, and then nothing is subscribed to.
type Webhook struct {
	URL        string // of the Hook, as Graph sees it
	Key        []byte // that seals clientState
	Connection string // whose subscriptions these are

	Certificates *Certificates // for which Graph encrypts what it sends of mailboxes that are told of richly; nil: none is
}

// subscribedAtOnce is how many subscriptions are made or renewed side by side.
const subscribedAtOnce = 16

// mailSubscription is a row of the table.
type mailSubscription struct {
	person       tocsin.PersonID
	object, id   string
	address      string
	state        string // wanted, on, refused, ending; off: not watched, by choice
	changes      string // for which it was made
	want         string // for which it is to be made
	choice       bool   // it is ended by choice
	created      int64
	expires      int64
	tries        int64
	before       string // its state as the row has it
	told, signal string // what Graph said of it, as the row has it; and what it comes to, a lack that we found among it
	whole        int64  // since when it is not certain that all was told; 0: it was never watched
	richness
}

// askSubscriptions sees to it that Graph tells us of every mailbox that can be read and is to be watched: it makes
// subscriptions that lack, adopts those that exist, renews at half their life, makes anew what Graph removed or what is to
// be told otherwise, and ends those of mailboxes that are no longer there or not to be watched any more. Where a time was not
// told of, it opens a gap.
func (c *Collector) askSubscriptions(ctx context.Context) error {
	if err := c.settled(ctx); err != nil {
		return err
	}
	scope := c.askScope(ctx) // where it fails, what there is is kept up all the same
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var by int64 = -1
	var changes string
	for asked := false; ; asked = true {
		// A round may take an hour; what is changed meanwhile is in force at once.
		s, err := c.streamSettings(ctx)
		if err != nil {
			return err
		}
		if s.Version != by && scope == nil {
			if by >= 0 {
				if scope = c.askScope(ctx); ctx.Err() != nil {
					return ctx.Err()
				}
			}
			if scope == nil {
				if err := c.wanted(ctx, &s); err != nil {
					return err
				}
			}
		}
		by, changes = s.Version, strings.Join(s.Changes, ",")
		due, total, err := c.dueSubscriptions(ctx)
		if err != nil {
			return err
		}
		if len(due) == 0 && scope != nil {
			return scope
		}
		if len(due) == 0 && !asked {
			return errNothing
		}
		if len(due) == 0 {
			return nil
		}
		var refused atomic.Pointer[error]
		g, inner := errgroup.WithContext(ctx)
		g.SetLimit(subscribedAtOnce)
		for i := range due {
			due[i].want = changes
			g.Go(func() error {
				if refused.Load() != nil {
					return nil // what speaks for all
				}
				failed, err := c.subscribe(inner, &due[i])
				if failed != nil && stops(failed) {
					refused.Store(&failed)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if p := refused.Load(); p != nil {
			return *p
		}
		on, err := c.subscribed(ctx)
		if err != nil {
			return err
		}
		if err := c.progress(ctx, "subscriptions", on, total); err != nil {
			return err
		}
	}
}

// dueSubscriptions are some that are to be seen to now, and, where there are any, how many there are in all.
func (c *Collector) dueSubscriptions(ctx context.Context) (out []mailSubscription, total int, err error) {
	now := tocsin.Millis(c.Store.Clock().Now())
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		err := each(ctx, t, func(scan func(...any) error) error {
			var s mailSubscription
			err := scan(&s.person, &s.object, &s.id, &s.address, &s.state, &s.changes, &s.choice, &s.created, &s.expires, &s.tries, &s.told, &s.whole, &s.form, &s.made, &s.certificate, &s.former)
			s.signal, s.before = s.told, s.state
			out = append(out, s)
			return err
		}, `select s.person, p.object_id, s.id, s.address, s.state, s.changes, coalesce(l.unwatched, 0) > 0, s.created, s.expires, s.tries, s.signal, coalesce(case when l.checked > l.since then l.checked else l.since end, 0), s.form, s.made, s.certificate, s.former
			from subscription s join person p on p.tenant = s.tenant and p.person = s.person left join mail_ledger l on l.tenant = s.tenant and l.person = s.person
			where s.tenant = $1 and s.due <= $2 and s.state <> 'off' order by s.due, s.person limit 500`, now)
		if err != nil || len(out) == 0 {
			return err
		}
		return t.QueryRow(ctx, `select count(*) from subscription where tenant = $1 and state not in ('ending', 'off')`).Scan(&total)
	})
	return out, total, err
}

func (c *Collector) subscribed(ctx context.Context) (n int, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select count(*) from subscription where tenant = $1 and state = 'on'`).Scan(&n)
	})
	return n, err
}

// subscribe sees to one subscription. failed is what Graph answered, err the store's or ctx's.
func (c *Collector) subscribe(ctx context.Context, s *mailSubscription) (failed, err error) {
	now := c.Store.Clock().Now()
	if err := c.leave(ctx, s, now); err != nil {
		return nil, err
	}
	switch {
	case s.state == "ending":
		failed = c.endSubscription(ctx, s)
		if failed == nil {
			return nil, c.endedSubscription(ctx, s)
		}
	case s.state == "on" && s.signal != "subscriptionRemoved" && c.turns(s):
		if failed = c.turn(ctx, s, now); failed == nil {
			break
		}
		fallthrough // as it is, it goes on
	case s.state == "on" && s.signal != "subscriptionRemoved":
		failed = c.renew(ctx, s, now)
		if _, gone := errors.AsType[*graph.NotFound](failed); !gone {
			break
		}
		s.signal = "subscriptionRemoved"
		failed = c.create(ctx, s, now)
	default:
		failed = c.create(ctx, s, now)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(failed, graph.ErrPaused) {
		return failed, nil
	}
	if err := c.noteSubscription(ctx, s, failed, now); err != nil {
		return failed, err
	}
	return failed, c.leave(ctx, s, now)
}

// endSubscription ends what there is.
func (c *Collector) endSubscription(ctx context.Context, s *mailSubscription) error {
	if s.id == "" {
		return nil
	}
	return c.Graph.DeleteSubscription(ctx, s.id)
}

func (c *Collector) create(ctx context.Context, s *mailSubscription, now time.Time) error {
	if s.address != "" && s.address != c.Webhook.URL {
		if err := c.endSubscription(ctx, s); err != nil {
			return err
		}
	}
	state, err := ClientState(c.Webhook.Key, c.Tenant, s.person)
	if err != nil {
		return fmt.Errorf("the clientState of %s: %w", s.person, err)
	}
	want := graph.Subscription{Resource: graph.MessagesOf(s.object), ChangeType: s.want, NotificationURL: c.Webhook.URL, LifecycleNotificationURL: c.Webhook.URL,
		ExpirationDateTime: graph.Time{Time: now.Add(graph.BasicLife).UTC()}, ClientState: state}
	return c.createAs(ctx, s, want, now)
}

// createOne makes a subscription, or adopts the one that there is.
func (c *Collector) createOne(ctx context.Context, s *mailSubscription, want graph.Subscription, now time.Time) error {
	made, err := c.Graph.CreateSubscription(ctx, want)
	if e, ok := errors.AsType[*graph.Exists](err); ok && e.ID != "" {
		if made, err = c.adopt(ctx, e.ID, want); err == nil && made.ID == "" {
			made, err = c.Graph.CreateSubscription(ctx, want)
			s.hole = tocsin.Millis(now)
		}
	}
	if err == nil {
		s.id, s.address, s.changes, s.expires, s.state, s.created = made.ID, c.Webhook.URL, s.want, tocsin.Millis(made.ExpirationDateTime.Time), "on", tocsin.Millis(now)
	}
	return err
}

// adopt takes over a subscription that exists, whose making was not heard of; one that leads elsewhere, or is of another
// form, is ended.
func (c *Collector) adopt(ctx context.Context, id string, want graph.Subscription) (graph.Subscription, error) {
	var had graph.Subscription
	err := c.Graph.Get(ctx, "subscriptions.get", graph.P{"subscription": id}, &had)
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		return graph.Subscription{}, nil
	}
	if err != nil {
		return had, err
	}
	if had.NotificationURL != want.NotificationURL || had.IncludeResourceData != want.IncludeResourceData {
		return graph.Subscription{}, c.Graph.DeleteSubscription(ctx, id)
	}
	had, err = c.Graph.RenewRichSubscription(ctx, id, want.ExpirationDateTime.Time, want.EncryptionCertificate, want.EncryptionCertificateID)
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		return graph.Subscription{}, nil
	}
	return had, err
}

func (c *Collector) renew(ctx context.Context, s *mailSubscription, now time.Time) error {
	is, err := c.renewAs(ctx, s, now)
	if err == nil {
		s.expires = tocsin.Millis(is.ExpirationDateTime.Time)
	}
	return err
}

// noteSubscription writes how a subscription stands and when it is next seen to; and the gap, where there was a time of
// which nothing was told.
func (c *Collector) noteSubscription(ctx context.Context, s *mailSubscription, failed error, now time.Time) error {
	var because, mend string
	due := tocsin.FromMillis(s.expires).Sub(now)/2 + time.Duration(rand.Int64N(int64(time.Minute))) // not all at once
	tries := int64(0)
	if failed != nil {
		p := Explain(failed)
		because, mend = p.What, p.Do
		tries = s.tries + 1
		due = max(retryAfter(failed, 10*time.Minute), min(time.Hour, 5*time.Second<<min(tries, 10)))
		if s.state != "on" || s.expires <= tocsin.Millis(now) { // nothing is told of it any more
			s.state = "refused"
		}
	}
	began := s.gap(now, failed)
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		signal := s.signal
		if failed == nil {
			signal = ""
		}
		// A signal that came meanwhile is seen to at once.
		if _, err := t.Exec(ctx, `update subscription set id = $3, address = $4, state = case when state = 'ending' then state else $5 end, because = $6, mend = $7, created = $8, expires = $9, tries = $10,
			due = case when signal <> $11 or state = 'ending' and $5 <> 'ending' then 0 else cast($12 as bigint) end, signal = case when signal <> $11 then signal else $13 end, changes = $14 where tenant = $1 and person = $2`,
			string(s.person), s.id, s.address, s.state, because, mend, s.created, s.expires, tries, s.told, tocsin.Millis(now.Add(due)), signal, s.changes); err != nil {
			return err
		}
		if err := s.noteForm(ctx, t, now); err != nil {
			return err
		}
		if s.state != "on" {
			return nil
		}
		var left int64 // by choice, meanwhile
		err := t.QueryRow(ctx, `select unwatched from mail_ledger where tenant = $1 and person = $2`, string(s.person)).Scan(&left)
		if err != nil && !errors.Is(err, store.ErrNone) || left > 0 {
			return err
		}
		if _, err := t.Exec(ctx, `insert into mail_ledger (tenant, person, since) values ($1, $2, $3)
			on conflict (tenant, person) do update set since = excluded.since where mail_ledger.since = 0`, string(s.person), tocsin.Millis(now)); err != nil {
			return err
		}
		if began > 0 {
			return openGap(ctx, t, s.person, began, tocsin.Millis(now), s.why())
		}
		return nil
	})
}

// gap is since when nothing was told; 0 where nothing is lacking.
func (s *mailSubscription) gap(now time.Time, failed error) int64 {
	switch {
	case failed != nil || s.whole == 0:
		return 0
	case s.signal == "missed", s.signal == "subscriptionRemoved", s.before == "wanted", s.before == "refused": // when that was is not said, and others may have come since
		return s.whole
	}
	return s.hole
}

func (s *mailSubscription) why() string {
	switch {
	case s.signal == "missed":
		return "Microsoft Graph said that it left notifications out."
	case s.before == "wanted", s.before == "refused":
		return "The mailbox was not watched meanwhile."
	case s.hole > 0 && s.signal == "":
		return "One subscription took the place of another."
	}
	return "The subscription was not there any more."
}

// Gaps are opened by values (tenant, person, began, ended, because) between these.
const (
	openGaps = `insert into mail_gap (tenant, person, began, ended, because) values `
	growGaps = ` on conflict (tenant, person, began) do update set closed = 0, tries = 0, due = 0,
		ended = case when mail_gap.ended > excluded.ended then mail_gap.ended else excluded.ended end,
		because = case when mail_gap.closed = 0 then mail_gap.because else excluded.because end`
)

// openGap notes a time of which not every change was told. One that began at the same time grows, and keeps its reason while it is open.
func openGap(ctx context.Context, t *store.Tenant, person tocsin.PersonID, began, ended int64, because string) error {
	_, err := t.Exec(ctx, openGaps+`($1, $2, $3, $4, $5)`+growGaps, string(person), began, ended, because)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'catch_up'`); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "gap.opened", Subject: string(person), Person: string(person)})
}

// catchUpAtOnce is how many mailboxes are caught up on side by side.
const catchUpAtOnce = 8

// mailGap is a row of the table.
type mailGap struct {
	person       tocsin.PersonID
	object       string
	began, ended int64
	because      string
	oldest       int64 // received, of the messages that are held and not gone
	since        int64 // the mailbox is told of
	unread       int64 // since when it was not read in a gap before; 0: there is none such
	tries        int64 // in vain
	until        int64 // what changed since is still being told; 0: all may be looked for
}

// askGaps closes the open gaps, what is due first: what was changed since a gap began is read, and of what is held it is
// seen whether it is still there. What came and went within the gap nobody can tell any more.
func (c *Collector) askGaps(ctx context.Context) error {
	if err := c.closeUnreadable(ctx); err != nil {
		return err
	}
	var worst error
	for asked := false; ; asked = true {
		if err := c.settled(ctx); err != nil { // those that were caught up on are closed by the fold
			return err
		}
		gaps, err := c.openGaps(ctx)
		if err != nil {
			return err
		}
		if len(gaps) == 0 && !asked {
			return errNothing
		}
		if err := c.caughtUp(ctx, gaps); err != nil {
			worst = err
		}
		if len(gaps) < gapsAtOnce || ctx.Err() != nil || worst != nil && stops(worst) {
			return worst
		}
	}
}

// gapsAtOnce is how many gaps are taken at once; others that are due come next.
const gapsAtOnce = 1000

// notReadable stands where a mailbox cannot be read any more, as nothingToRead does.
const notReadable = "Everything of it that was not read yet: the mailbox cannot be read."

// closeUnreadable closes the gaps of mailboxes that are no more, or that cannot be read: nobody can find out what happened.
func (c *Collector) closeUnreadable(ctx context.Context) error {
	var open bool
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select count(*) > 0 from (select 1 from mail_gap where tenant = $1 and closed = 0 limit 1) first`).Scan(&open)
	})
	if err != nil || !open {
		return err
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		var closed int64
		for _, end := range []struct{ lost, which string }{
			{nothingToRead, `not exists (select 1 from person p where p.tenant = mail_gap.tenant and p.person = mail_gap.person and p.deleted = 0)`},
			{notReadable, `exists (select 1 from person p where p.tenant = mail_gap.tenant and p.person = mail_gap.person and p.mailbox not in ('read', 'unknown'))`},
		} {
			n, err := t.Exec(ctx, `update mail_gap set closed = $2, lost = $3, trouble = '' where tenant = $1 and closed = 0 and `+end.which, t.Tx().Clock().Now(), end.lost)
			if err != nil {
				return err
			}
			closed += n
		}
		if closed == 0 {
			return nil
		}
		return t.Append(ctx, store.Fact{Kind: "gap.closed"})
	})
}

// nothingToRead stands where a mailbox ended before a gap was closed. Should it come back, it is read from when all of it was
// last known on, whatever gap is closed first.
const nothingToRead = "Everything of it that was not read yet: the mailbox is no more."

// caughtUp catches up on all of these, and closes them. A mailbox that is no more has nothing to catch up on. One that cannot
// be read now is tried again later, and keeps none of the others waiting.
func (c *Collector) caughtUp(ctx context.Context, gaps []mailGap) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(catchUpAtOnce)
	var worstOf atomic.Pointer[error]
	for _, gap := range gaps {
		g.Go(func() error {
			if p := worstOf.Load(); p != nil && stops(*p) {
				return nil
			}
			failed := c.catchUp(inner, gap)
			if inner.Err() != nil {
				return inner.Err()
			}
			if _, none := errors.AsType[*graph.NoMailbox](failed); none {
				return c.closes(inner, gap, closing{Lost: nothingToRead})
			}
			if failed == nil {
				return nil
			}
			if p := worstOf.Load(); p == nil || !stops(*p) {
				worstOf.Store(&failed)
			}
			if stops(failed) {
				return nil
			}
			return c.later(inner, gap, failed)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if p := worstOf.Load(); p != nil {
		return *p
	}
	return nil
}

// later notes that a gap could not be closed, and when that is tried again: twice as late with every try, an hour at most.
func (c *Collector) later(ctx context.Context, g mailGap, failed error) error {
	if g.until > 0 { // it is no gap
		return nil
	}
	after := min(time.Hour, max(retryAfter(failed, time.Hour), 30*time.Second<<min(g.tries, 7)))
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update mail_gap set tries = tries + 1, due = $4, trouble = $5 where tenant = $1 and person = $2 and began = $3 and closed = 0`,
			string(g.person), g.began, tocsin.Millis(t.Tx().Clock().Now().Add(after)), clip(Explain(failed).What))
		return err
	})
}

// openGaps are gaps that are due.
func (c *Collector) openGaps(ctx context.Context) (out []mailGap, err error) {
	now := tocsin.Millis(c.Store.Clock().Now())
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var g mailGap
			err := scan(&g.person, &g.object, &g.began, &g.ended, &g.because, &g.tries, &g.since, &g.unread)
			out = append(out, g)
			return err
		}, `select g.person, p.object_id, g.began, g.ended, g.because, g.tries, coalesce(l.since, 0),
				case when exists (select 1 from mail_gap u where u.tenant = g.tenant and u.person = g.person and u.closed > 0 and u.lost in ($2, $3) and u.ended > l.checked)
					then case when l.checked > l.since then l.checked else l.since end else 0 end
			from mail_gap g join person p on p.tenant = g.tenant and p.person = g.person left join mail_ledger l on l.tenant = g.tenant and l.person = g.person where g.tenant = $1 and g.closed = 0 and g.due <= $4 order by g.due, g.began, g.person limit `+fmt.Sprint(gapsAtOnce), nothingToRead, notReadable, now)
	})
	return out, err
}

// margin is taken before a gap's beginning: clocks differ by up to five minutes, and notifications take up to three.
const margin = 10 * time.Minute

// catchUp reads what changed in a mailbox since a gap began, and what is gone. Behind what it found it puts that the gap is
// closed, so that whoever loses the one loses the other.
func (c *Collector) catchUp(ctx context.Context, g mailGap) error {
	now := c.Store.Clock().Now() // before the first page: what changes from now on may be on none
	checked := tocsin.Millis(now)
	if g.until > 0 {
		checked = g.until
	}
	some := mailLooks{Gap: &mailSpan{Began: g.began, Ended: g.ended, Because: g.because}}
	take := func(l mailLook) error {
		l.At = tocsin.Millis(now)
		if some.Looks = append(some.Looks, l); len(some.Looks) < 200 {
			return nil
		}
		return c.flushLooks(ctx, g.person, &some)
	}
	from := g.began
	if g.unread > 0 {
		from = min(from, g.unread)
	}
	err := c.changed(ctx, g.object, tocsin.FromMillis(from).Add(-margin), func(m *graph.Message) error {
		seen := mailOf(m)
		if g.until > 0 && seen.Modified >= g.until {
			return nil
		}
		return take(mailLook{ID: m.ID, Change: "updated", Message: &seen})
	})
	if err != nil {
		return err
	}
	if err := c.flushLooks(ctx, g.person, &some); err != nil {
		return err
	}
	lost := lostForGood
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select coalesce(min(received), 0) from mail where tenant = $1 and person = $2 and deleted = 0`, string(g.person)).Scan(&g.oldest)
	})
	if err != nil {
		return err
	}
	var missing []string
	for i, w := range g.windows(now, c.Every.OrDefault().Reconcile) {
		if i > 0 {
			some.Gap, lost = w.span(g, now), lost+" "+w.says()
		}
		gone, err := c.removed(ctx, g, w)
		if err != nil {
			return err
		}
		for _, id := range gone {
			if i == 0 && g.until > 0 && !c.missing.long(g.person, id, g.until) { // its end may still be told
				missing = append(missing, id)
				continue
			}
			if err := take(mailLook{ID: id, Change: "deleted"}); err != nil {
				return err
			}
		}
		if err := c.flushLooks(ctx, g.person, &some); err != nil {
			return err
		}
	}
	if g.until > 0 {
		c.missing.note(g.person, missing, tocsin.Millis(now))
		if len(missing) > 0 {
			return nil // it is looked at again in the next round
		}
	}
	return c.closes(ctx, g, closing{Lost: lost, Checked: checked})
}

// closes puts it behind what was found in a mailbox that it was caught up on.
func (c *Collector) closes(ctx context.Context, g mailGap, is closing) error {
	is.Began, is.Ended = g.began, g.ended
	it, err := c.item(kindMail, g.person, mailLooks{Gap: &mailSpan{Began: g.began, Ended: g.ended, Because: g.because}, Close: &is})
	if err != nil {
		return err
	}
	return c.appendSome(ctx, journalItems(it))
}

// missing are the messages that were not in their mailboxes any more though nobody had told, and since when that is known,
// Unix milliseconds: it may be under way.
type missing struct {
	mu    sync.Mutex
	since map[tocsin.PersonID]map[string]int64
}

// long says whether a message was missed before that.
func (m *missing) long(person tocsin.PersonID, id string, before int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.since[person][id]
	return ok && at <= before
}

// note notes all messages of a mailbox that are missing now, and are not said to be gone.
func (m *missing) note(person tocsin.PersonID, ids []string, now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	had := m.since[person]
	delete(m.since, person)
	for _, id := range ids {
		if m.since == nil {
			m.since = map[tocsin.PersonID]map[string]int64{}
		}
		if m.since[person] == nil {
			m.since[person] = map[string]int64{}
		}
		m.since[person][id] = cmp.Or(had[id], now)
	}
}

// flushLooks puts looks into the journal, and leaves none of them.
func (c *Collector) flushLooks(ctx context.Context, person tocsin.PersonID, some *mailLooks) error {
	if len(some.Looks) == 0 {
		return nil
	}
	it, err := c.item(kindMail, person, *some)
	if err != nil {
		return err
	}
	some.Looks = nil
	return c.appendSome(ctx, journalItems(it))
}

// changed gives the messages that were changed since, oldest change first. It does not go by Graph's links, which count
// how many to leave out: a message that is changed while the list is read goes to its end, the others move up, and one is
// left out unseen. It goes on at the time of the last one given; some are given twice.
func (c *Collector) changed(ctx context.Context, object string, since time.Time, take func(*graph.Message) error) error {
	_, list := mailCalls(ctx, c.Graph)
	page := graph.Find(list).Top
	for {
		p := graph.P{"user": object, "$filter": "lastModifiedDateTime ge " + since.UTC().Format(time.RFC3339), "$orderby": "lastModifiedDateTime"}
		n, further := 0, since
		for m, err := range graph.Pages[graph.Message](ctx, c.Graph, list, p) {
			if err != nil {
				return err
			}
			if n >= page && further.After(since) {
				break
			}
			if err := take(&m); err != nil {
				return err
			}
			if at := m.LastModifiedDateTime.Truncate(time.Second); at.After(further) {
				further = at
			}
			n++
		}
		if n < page || !further.After(since) {
			return nil
		}
		since = further
	}
}

// removed are the ids of messages received in a window that are held and are not in the mailbox any more. However much mail
// the mailbox has besides, no more of it is listed than is worth the while: what is held can be asked for by itself.
func (c *Collector) removed(ctx context.Context, g mailGap, w window) ([]string, error) {
	held := map[string]bool{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(held)
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			held[id] = true
			return err
		}, `select native from mail where tenant = $1 and person = $2 and deleted = 0 and received >= $3 and received < $4`, string(g.person), w.from, w.to)
	})
	if err != nil || len(held) == 0 {
		return nil, err
	}
	pages := 1 + len(held)/20 // as many requests as it takes to ask for each
	n, most := 0, pages*graph.Find("messages.ids").Top
	for m, err := range graph.Pages[graph.Message](ctx, c.Graph, "messages.ids", graph.P{"user": g.object, "$filter": w.filter()}) {
		if err != nil {
			return nil, err
		}
		delete(held, m.ID)
		if n++; n == most {
			break
		}
	}
	return c.gone(ctx, g.object, sortedKeys(held))
}

// gone are those of the ids that Graph does not know any more: a list that changes while it is read may leave some out.
func (c *Collector) gone(ctx context.Context, object string, ids []string) (out []string, err error) {
	parts := make([]graph.Part, len(ids))
	for i, id := range ids {
		parts[i] = graph.Part{Call: "messages.get", P: graph.P{"user": object, "message": id}}
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if messageGone(r.Err) {
			out = append(out, ids[i])
		} else if r.Err != nil {
			return nil, r.Err
		}
	}
	return out, nil
}

// reconciledAtOnce is how many mailboxes are taken at once; others that are due come next.
const reconciledAtOnce = 2000

// askReconcile looks, without having been told, whether something changed in the mailboxes that were not looked at for
// long. What it finds was left out of what Graph told, and becomes a gap that is closed already. What changed in the last
// minutes may still be told.
func (c *Collector) askReconcile(ctx context.Context) error {
	if err := c.settled(ctx); err != nil { // what is under way here is not left out either
		return err
	}
	now, every := c.Store.Clock().Now(), c.Every.OrDefault().Reconcile
	until := tocsin.Millis(now.Add(-min(underWay, every/2)))
	var worst error
	for last := (mailGap{}); ; {
		list, checked, err := c.unchecked(ctx, last, tocsin.Millis(now.Add(-every)), until)
		if err != nil {
			return err
		}
		if len(list) == 0 && last.person == "" {
			return errNothing
		}
		if err := c.caughtUp(ctx, list); err != nil {
			worst = err
		}
		if len(list) < reconciledAtOnce || ctx.Err() != nil || worst != nil && stops(worst) {
			return worst
		}
		last = list[len(list)-1]
		last.ended = checked
	}
}

// unchecked are mailboxes that were checked before due, the longest ago first, behind one that was checked last at last.ended;
// checked is when the last of them was.
func (c *Collector) unchecked(ctx context.Context, last mailGap, due, until int64) (list []mailGap, checked int64, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		list = list[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			g := mailGap{ended: until, until: until, because: "Microsoft Graph left something out, and did not say so."}
			err := scan(&g.person, &g.object, &checked, &g.began, &g.since)
			list = append(list, g)
			return err
		}, `select l.person, p.object_id, l.checked, case when l.checked > l.since then l.checked else l.since end, l.since
			from mail_ledger l join person p on p.tenant = l.tenant and p.person = l.person and p.deleted = 0 and p.mailbox in ('read', 'unknown')
			where l.tenant = $1 and l.since > 0 and l.since < $2 and l.checked < $2 and (l.checked, l.person) > ($3, $4) order by l.checked, l.person limit `+fmt.Sprint(reconciledAtOnce),
			due, last.ended, string(last.person))
	})
	return list, checked, err
}

// tried is for how long Graph posts a notification again that was not taken, and so how old one may be that comes now.
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
const tried = 4 * time.Hour

// Outage opens a gap for every mailbox that is told of and can be read, until to: what was told since from (since the mailbox
// was heard of last, where that is zero) may be lost, and so may what happened before, for as long as Graph tries to tell. Their
// subscriptions are renewed, since Graph may have asked for it meanwhile. Only mailboxes of which which is true are meant; nil: all.
func Outage(ctx context.Context, tx *store.Tx, from, to time.Time, because string, which func(tocsin.TenantID, tocsin.PersonID) bool) error {
	all, err := tenants(ctx, tx)
	if err != nil {
		return err
	}
	for _, id := range all {
		if err := outage(ctx, tx.Tenant(id), tocsin.Millis(from), tocsin.Millis(to), because, which); err != nil {
			return err
		}
	}
	return nil
}

// outageAtOnce is how many gaps are opened in a statement.
const outageAtOnce = 200

func outage(ctx context.Context, t *store.Tenant, from, to int64, because string, which func(tocsin.TenantID, tocsin.PersonID) bool) error {
	var rows [][]any // person, began
	err := each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var heard, whole int64
		if err := scan(&person, &heard, &whole); err != nil || which != nil && !which(t.ID(), person) {
			return err
		}
		rows = append(rows, []any{string(person), max(cmp.Or(from, heard)-tried.Milliseconds(), whole)})
		return nil
	}, `select l.person, l.heard, case when l.checked > l.since then l.checked else l.since end from mail_ledger l
		join person p on p.tenant = l.tenant and p.person = l.person and p.deleted = 0 and p.mailbox in ('read', 'unknown') where l.tenant = $1 and l.since > 0`)
	if err != nil || len(rows) == 0 {
		return err
	}
	for some := range slices.Chunk(rows, outageAtOnce) {
		var values []string
		gaps, people := []any{to, because}, make([]any, 0, len(some))
		for i, row := range some {
			values = append(values, fmt.Sprintf("($1, $%d, cast($%d as bigint), cast($2 as bigint), $3)", 2*i+4, 2*i+5))
			gaps, people = append(gaps, row...), append(people, row[0])
		}
		if _, err := t.Exec(ctx, openGaps+strings.Join(values, ", ")+growGaps, gaps...); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update subscription set due = 0 where tenant = $1 and person in (`+store.In(len(people), 2)+`)`, people...); err != nil {
			return err
		}
	}
	if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name in ('subscriptions', 'catch_up')`); err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "gap.opened"})
}
