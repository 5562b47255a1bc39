package investigate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// actStep is an item on its way.
type actStep struct {
	*ActExecutor
	*Act
	it       *ActItem
	tenant   tocsin.TenantID
	gc       *graph.Client
	through  string // the connection
	box      *box
	original *ActItem  // of a restore
	was      ItemState // before what is being sent was recorded
}

// deed is one request that brings a message nearer to what is wanted.
type deed struct {
	what   string // move, mark, purge, notice
	call   string
	p      graph.P
	body   any
	folder string // by its name in the box, to which it goes
}

// point is where a test may break off.
func (s *actStep) point(name string) error {
	if s.at == nil {
		return nil
	}
	return s.at(name)
}

// write changes the item in a transaction: change is run anew where the transaction is.
func (s *actStep) write(ctx context.Context, change func(t *store.Tenant) error) error {
	kept := *s.it
	return s.update(ctx, s.tenant, s.Act, func(ctx context.Context, t *store.Tenant) error {
		*s.it = kept
		if err := change(t); err != nil {
			return err
		}
		return s.it.save(ctx, t, kept.State, kept.Tries)
	})
}

// next does the next thing; more says whether there is something to do after it at once.
func (s *actStep) next(ctx context.Context) (more bool, err error) {
	now := s.Store.Clock().Now()
	if !s.it.State.Alive() || s.it.Due.After(now) || s.Act.Due.After(now) || s.State != ActRunning && s.State != ActStopping {
		return false, nil
	}
	if s.State == ActStopping && s.it.State == ItemWaiting {
		return false, s.end(ctx, ItemLeft, "The act was stopped before its turn.", "")
	}
	if s.old(now) {
		return false, s.tooLate(ctx)
	}
	connection, _, gc, err := s.Way(ctx, s.tenant, s.Connection, connect.MessagesMove)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code != tocsin.Internal {
		return false, s.hold(ctx, now, p)
	}
	if err != nil {
		return false, err
	}
	s.gc, s.through, s.box = gc, connection, s.boxes.of(s.tenant, connection, s.it.Object)
	if ok, err := s.allowed(ctx); err != nil || !ok {
		return false, err
	}
	if s.it.Part == PartNotice {
		return s.notice(ctx, now)
	}
	is, err := look(ctx, gc, s.box.user, cmp.Or(s.it.MovedTo, s.it.Message))
	if err != nil {
		return s.trouble(ctx, now, err, nil)
	}
	if is == nil {
		return s.missing(ctx, now)
	}
	return s.evaluate(ctx, now, is)
}

// evaluate does what the message, as it is now, lacks.
func (s *actStep) evaluate(ctx context.Context, now time.Time, is *MailState) (bool, error) {
	d, p, err := s.lacking(ctx, is)
	switch {
	case err != nil:
		return s.trouble(ctx, now, err, nil)
	case p != nil:
		return false, s.end(ctx, ItemRefused, p.What, p.Do)
	case d == nil && s.it.State == ItemWaiting: // nothing was sent
		return false, s.so(ctx, ItemAlready, is, s.Kind.words(s.Options).already)
	case d == nil:
		return false, s.so(ctx, ItemDone, is, s.did(is))
	case s.it.State == ItemSent:
		return s.again(ctx, now, is, d)
	}
	return s.act(ctx, now, is, d)
}

// again is for what was sent before, and does not show.
func (s *actStep) again(ctx context.Context, now time.Time, is *MailState, d *deed) (bool, error) {
	since := now.Sub(s.it.Sent)
	switch {
	case d.what == "move" && s.it.Before != nil && is.Folder != s.it.Before.Folder && s.Kind != Restore: // nor is it where we wanted it
		return false, s.end(ctx, ItemUnknown, "It was sent without an answer, and the message is now in another folder: somebody has moved it since.", "Look at the message in its mailbox.")
	case !s.it.Accepted.IsZero() && now.Sub(s.it.Accepted) > actRead:
		return false, s.end(ctx, ItemUnknown, "Microsoft accepted it, and even after ten minutes the message does not read back so.", "Look at the message in its mailbox.")
	case !s.it.Accepted.IsZero():
		return false, s.wait(ctx, now.Add(min(max(since/2, time.Second), 30*time.Second)), s.it.State, "Microsoft has accepted it, and does not show it yet.")
	case since < settle: // what was sent without an answer may still arrive
		return false, s.wait(ctx, s.it.Sent.Add(settle), s.it.State, "It was sent without an answer.")
	case s.State == ActStopping:
		return false, s.end(ctx, ItemLeft, "The act was stopped: what was sent has not taken effect.", "")
	case s.it.Tries >= actTries:
		return false, s.end(ctx, ItemFailed, fmt.Sprintf("It was sent %d times without an answer, and the message is as it was.", s.it.Tries), "Try again later.")
	}
	return s.act(ctx, now, is, d)
}

// settle is how long what was sent without an answer is left to take effect.
const settle = 5 * time.Second

// act writes down that it is about to send, sends, and reads back.
func (s *actStep) act(ctx context.Context, now time.Time, is *MailState, d *deed) (bool, error) {
	s.was = s.it.State
	err := s.write(ctx, func(t *store.Tenant) error {
		var state ActState
		if err := t.QueryRow(ctx, `select state from mail_act where tenant = $1 and id = $2`, s.Act.ID).Scan(&state); err != nil {
			return err
		}
		if state != ActRunning && !(state == ActStopping && s.it.State == ItemSent && s.Kind == Restore) {
			return errOvertaken // somebody stopped it
		}
		s.it.State, s.it.Sent, s.it.Accepted, s.it.Tries, s.it.Due = ItemSent, t.Tx().Clock().Now(), tocsin.FromMillis(0), s.it.Tries+1, tocsin.FromMillis(0)
		s.it.Because, s.it.Mend = "", ""
		if s.it.Before == nil { // the state before is the one before the first time
			s.it.Before = is
		}
		return nil
	})
	if err == nil {
		err = s.point("recorded")
	}
	if err != nil {
		return false, err
	}
	if s.Store.Clock().Now().Sub(s.it.Sent) >= settle { // this process stood still meanwhile, and another may be at it
		return false, s.point("late")
	}
	var out answered
	var into any = &out
	if d.what == "purge" {
		into = nil
	}
	failed := s.gc.Act(ctx, d.call, d.p, d.body, into)
	if err := s.point("sent"); err != nil {
		return false, err
	}
	if failed != nil {
		return s.trouble(ctx, now, failed, d)
	}
	if out.ID != "" && out.ID != cmp.Or(s.it.MovedTo, s.it.Message) {
		s.it.MovedTo = out.ID
	}
	return s.readBack(ctx, d)
}

// readBack looks whether what was accepted took effect.
func (s *actStep) readBack(ctx context.Context, d *deed) (bool, error) {
	now := s.Store.Clock().Now()
	is, err := look(ctx, s.gc, s.box.user, cmp.Or(s.it.MovedTo, s.it.Message))
	switch {
	case err != nil && ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil && is == nil && s.it.Part == PartMail && d.what == "purge":
		return false, s.so(ctx, ItemDone, nil, s.did(nil))
	case err == nil && is != nil && s.it.Part == PartNotice:
		return false, s.so(ctx, ItemDone, is, "The notice is there.")
	case err == nil && is != nil:
		more, p, err := s.lacking(ctx, is)
		if err == nil && p == nil && more == nil {
			return false, s.so(ctx, ItemDone, is, s.did(is))
		}
		if err == nil && p == nil && more.what != d.what { // it took effect, and something else is left to do
			return s.act(ctx, now, is, more)
		}
	}
	// It is accepted: what does not show yet is looked at again.
	return false, s.write(ctx, func(*store.Tenant) error {
		s.it.Accepted, s.it.Due, s.it.Because = now, now.Add(time.Second), "Microsoft has accepted it, and does not show it yet."
		return nil
	})
}

// missing is for a message that is not there.
func (s *actStep) missing(ctx context.Context, now time.Time) (bool, error) {
	if s.Kind == Purge && s.it.State == ItemSent {
		return false, s.so(ctx, ItemDone, nil, s.did(nil))
	}
	if s.it.MovedTo == "" && s.it.Internet != "" { // it may have another id now
		id, err := s.moved(ctx)
		if err != nil {
			return s.trouble(ctx, now, err, nil)
		}
		if id != "" {
			return true, s.write(ctx, func(*store.Tenant) error { s.it.MovedTo = id; return nil })
		}
	}
	if s.it.State == ItemWaiting {
		return false, s.end(ctx, ItemGone, "The message is no longer in the mailbox.", "")
	}
	if !s.it.Accepted.IsZero() {
		return false, s.so(ctx, ItemDone, nil, "Microsoft accepted it; the message is no longer in the mailbox.")
	}
	return false, s.end(ctx, ItemUnknown, "It was sent without an answer, and the message is no longer in the mailbox.", "Look in the mailbox.")
}

// moved is the id of the message of the same internet message id: one that lies where ours was to go, or, where nothing was sent
// yet, any there is. Ids are immutable within a mailbox, but for what Microsoft's own moves between stores leave of that.
func (s *actStep) moved(ctx context.Context) (string, error) {
	to := ""
	if s.it.State == ItemSent {
		var err error
		if to, err = s.target(ctx); err != nil || to == "" {
			return "", err
		}
	}
	for m, err := range graph.Pages[answered](ctx, s.gc, "messages.list", graph.P{"user": s.box.user, "$filter": "internetMessageId eq '" + quoted(s.it.Internet) + "'"}) {
		if err != nil {
			return "", err
		}
		if to == "" || m.ParentFolderID == to {
			return m.ID, nil
		}
	}
	return "", nil
}

// did says what came of it.
func (s *actStep) did(is *MailState) string {
	if s.Kind != Restore || is == nil {
		return s.Kind.words(s.Options).did
	}
	return s.broughtBack(is)
}

// so ends an item whose message is as it should be.
func (s *actStep) so(ctx context.Context, state ItemState, is *MailState, because string) error {
	moved := s.it.MovedTo
	err := s.write(ctx, func(t *store.Tenant) error {
		s.it.State, s.it.After, s.it.Because, s.it.Mend, s.it.MovedTo, s.it.Due = state, is, because, "", moved, tocsin.FromMillis(0)
		if state == ItemAlready {
			s.it.Before = is
		}
		if err := s.matched(ctx, t); err != nil {
			return err
		}
		return s.free(ctx, t)
	})
	if err == nil {
		err = s.point("done")
	}
	return err
}

// end ends an item that did not come to its end.
func (s *actStep) end(ctx context.Context, state ItemState, because, mend string) error {
	return s.write(ctx, func(t *store.Tenant) error {
		s.it.State, s.it.Because, s.it.Mend, s.it.Due = state, because, mend, tocsin.FromMillis(0)
		return s.matched(ctx, t)
	})
}

// wait leaves the item for a while.
func (s *actStep) wait(ctx context.Context, until time.Time, state ItemState, because string) error {
	return s.write(ctx, func(*store.Tenant) error {
		s.it.State, s.it.Due, s.it.Because, s.it.Mend = state, until, because, "It goes on by itself."
		return nil
	})
}

// matched notes on the investigation's match what became of it.
func (s *actStep) matched(ctx context.Context, t *store.Tenant) error {
	if s.it.Part != PartMail {
		return nil
	}
	to, from := "", []string{"found", "dealt", "acted", "restored"}
	switch s.it.State {
	case ItemDone, ItemAlready:
		if to = "acted"; s.Kind == Restore {
			to = "restored"
		}
	case ItemGone:
		to = "gone"
	default:
		to, from = "found", []string{"dealt"}
	}
	args := append([]any{s.Investigation, string(s.it.Person), s.it.Message, to, t.Tx().Clock().Now()}, texts(from)...)
	_, err := t.Exec(ctx, `update mail_match set state = $5, changed = $6 where tenant = $1 and investigation = $2 and person = $3 and message = $4 and state in (`+store.In(len(from), 7)+`)`, args...)
	return err
}

// free takes the reason away for which the act was held up: it goes on.
func (s *actStep) free(ctx context.Context, t *store.Tenant) error {
	if s.Because == "" || s.State != ActRunning {
		return nil
	}
	a, err := GetAct(ctx, t, s.Act.ID)
	if err != nil || a.State != ActRunning || a.Because == "" {
		return err
	}
	a.Because, a.Mend = "", ""
	if err := a.save(ctx, t); err != nil {
		return err
	}
	return a.note(ctx, t, "", "resumed", "It goes on.")
}

// old says whether nothing can be expected of the act any more.
func (s *actStep) old(now time.Time) bool {
	limit := actGiveUp
	if s.ByItself { // what it found last began late
		limit += longest
	}
	return now.Sub(s.Began) > limit
}

// tooLate ends an item that was not done within a day.
func (s *actStep) tooLate(ctx context.Context) error {
	why := cmp.Or(s.it.Because, s.Because)
	if s.it.State == ItemSent {
		return s.end(ctx, ItemUnknown, "It was sent, and whether it took effect could not be seen for a day. "+why, "Look at the message in its mailbox.")
	}
	return s.end(ctx, ItemFailed, "It was not done within a day, so it is not done any more. "+why, "Ask for it again if it is still needed.")
}

// allowed says whether the mailbox lies where the connection may act; it ends the item where it does not.
func (s *actStep) allowed(ctx context.Context) (bool, error) {
	if s.Bounds == nil {
		return true, nil
	}
	var domains []string
	all, address := true, s.it.Who
	err := s.Store.ViewTenant(ctx, s.tenant, func(t *store.Tenant) (err error) {
		var mail, upn string
		err = t.QueryRow(ctx, `select mail, upn from person where tenant = $1 and person = $2`, s.it.Person).Scan(&mail, &upn)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		address = cmp.Or(mail, upn, address)
		domains, all, err = s.Bounds(ctx, t, s.through)
		return err
	})
	if err != nil || all || connect.Inside(address, domains, false) {
		return err == nil, err
	}
	if s.it.State == ItemSent {
		return false, s.end(ctx, ItemUnknown, "It was sent, and its mailbox may no longer be looked into: it lies outside of the domains that the mail configuration may touch.", "Look at the message in its mailbox.")
	}
	return false, s.end(ctx, ItemRefused, "Its mailbox lies outside of the domains that the mail configuration may touch.", "Add the domain to the configuration, if that is meant.")
}

// hold lets the whole act wait: no message of it can be done now. The reason is written into its history once.
func (s *actStep) hold(ctx context.Context, now time.Time, p *tocsin.Problem) error {
	return s.update(ctx, s.tenant, s.Act, func(ctx context.Context, t *store.Tenant) error {
		a, err := GetAct(ctx, t, s.Act.ID)
		if err != nil || !slices.Contains([]ActState{ActRunning, ActStopping}, a.State) || a.Due.After(now) {
			return err
		}
		again := a.Because == p.What
		a.Because, a.Mend, a.Due = p.What, p.Do, now.Add(actHeld)
		if err := a.save(ctx, t); err != nil || again {
			return err
		}
		return a.note(ctx, t, "", "held", p.What)
	})
}
