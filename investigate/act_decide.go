package investigate

import (
	"context"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// ApproveAct lets an act go ahead. Whoever asked for it cannot, by whatever session or token.
func ApproveAct(ctx context.Context, t *store.Tenant, who Actor, id, note string) (*Act, error) {
	a, err := decidable(ctx, t, id, ActWaiting)
	if err != nil {
		return nil, err
	}
	if a.AskedBy == who.Account {
		return nil, tocsin.Problemf(tocsin.Denied, "Ask somebody else with the role analyst or more.", "You asked for this act, so you cannot approve it.")
	}
	if a.Kind == Purge && !who.Admin {
		return nil, tocsin.Problemf(tocsin.Denied, "Ask an administrator.", "Only an administrator may let mails be deleted for good.")
	}
	a.ApprovedBy, a.ApprovedEmail, a.Because, a.Mend = who.Account, who.Email, "", ""
	return a, a.move(ctx, t, ActRunning, who.Email, note)
}

// RefuseAct ends an act that waits for approval.
func RefuseAct(ctx context.Context, t *store.Tenant, who Actor, id, note string) (*Act, error) {
	a, err := decidable(ctx, t, id, ActWaiting)
	if err != nil {
		return nil, err
	}
	a.Because, a.Mend = "It was refused by "+who.Email+".", "Ask again if it is needed after all."
	if err := a.leave(ctx, t, "The act was refused."); err != nil {
		return nil, err
	}
	return a, a.move(ctx, t, ActRefused, who.Email, note)
}

// StopAct stops an act at once: nothing more is sent for it. What was sent and not answered is still looked at.
func StopAct(ctx context.Context, t *store.Tenant, who Actor, id, note string) (*Act, error) {
	a, err := decidable(ctx, t, id, ActWaiting, ActRunning)
	if err != nil {
		return nil, err
	}
	if err := a.leave(ctx, t, "The act was stopped before its turn."); err != nil {
		return nil, err
	}
	a.Because, a.Mend, a.Due = "It was stopped by "+who.Email+".", "", t.Tx().Clock().Now()
	if a.State == ActWaiting {
		return a, a.move(ctx, t, ActStopped, who.Email, note)
	}
	if err := a.move(ctx, t, ActStopping, who.Email, note); err != nil {
		return nil, err
	}
	open, err := counted(ctx, t, a.ID, ItemSent)
	if err != nil || open > 0 {
		return a, err
	}
	return a, a.move(ctx, t, ActStopped, "", "")
}

// decidable is an act in one of the states.
func decidable(ctx context.Context, t *store.Tenant, id string, from ...ActState) (*Act, error) {
	a, err := GetAct(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(from, a.State) {
		return nil, tocsin.Problemf(tocsin.Conflict, "Look at how far it has come.", "The act is %s: that can no longer be decided.", spoken(a.State))
	}
	return a, nil
}

// leave ends everything of an act whose turn has not come. Who is about to send one of them finds it changed, and does not.
func (a *Act) leave(ctx context.Context, t *store.Tenant, because string) error {
	for _, part := range []Part{PartMail, PartNotice} {
		n, err := t.Exec(ctx, `update mail_act_item set state = 'left', because = $4, changed = $5 where tenant = $1 and act = $2 and part = $3 and state = 'waiting'`, a.ID, part, because, t.Tx().Clock().Now())
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := count(ctx, t, a.ID, part, ItemWaiting, -int(n)); err != nil {
			return err
		}
		if err := count(ctx, t, a.ID, part, ItemLeft, int(n)); err != nil {
			return err
		}
	}
	if a.Kind == Restore {
		return nil
	}
	_, err := t.Exec(ctx, `update mail_match set state = 'found', changed = $4 where tenant = $1 and investigation = $2 and state = 'dealt'
		and exists (select 1 from mail_act_item i where i.tenant = $1 and i.act = $3 and i.state = 'left' and i.person = mail_match.person and i.message = mail_match.message)`, a.Investigation, a.ID, t.Tx().Clock().Now())
	return err
}

// PlanRestore plans to bring back what an act did: all of it, or the items named.
func (d *ActDesk) PlanRestore(ctx context.Context, tenant tocsin.TenantID, who Actor, id, why string, items []string) (*ActDraft, error) {
	f := &ActDraft{who: who}
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		f.original, err = GetAct(ctx, t, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Ask = ActAsk{Investigation: f.original.Investigation, Kind: Restore, Matches: items, Why: why, Options: f.original.Options}
	f.Ask.Options.Notice = false
	if err := d.way(ctx, tenant, f); err != nil {
		return nil, err
	}
	err = d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error { return d.fillRestore(ctx, t, f) })
	return f, err
}

// fillRestore finds what is to be brought back.
func (d *ActDesk) fillRestore(ctx context.Context, t *store.Tenant, f *ActDraft) (err error) {
	if f.original, err = GetAct(ctx, t, f.original.ID); err != nil {
		return err
	}
	a := f.original
	switch {
	case !a.Kind.Restorable():
		return tocsin.Problemf(tocsin.Conflict, "See the plan of the act, which said so.", "%s", a.Kind.words(a.Options).undo)
	case !a.State.Ended() && !a.ByItself:
		return tocsin.Problemf(tocsin.Conflict, "Stop it first, or wait for its end.", "The act is %s.", spoken(a.State))
	}
	if f.domains, f.allDomains, err = d.bounds(ctx, t, f.connection); err != nil {
		return err
	}
	s := &selection{}
	if f.items, err = brought(ctx, t, a, f.Ask.Matches, s); err != nil {
		return err
	}
	if !f.allDomains {
		had := len(f.items)
		f.items = slices.DeleteFunc(f.items, func(it *ActItem) bool { return !connect.Inside(it.Who, f.domains, false) })
		s.leave("They lie outside of the domains that the mail configuration may touch.", had-len(f.items))
	}
	for _, it := range f.items {
		if it.Part == PartMail {
			s.all = append(s.all, &chosen{person: it.Person, object: it.Object, who: it.Who, message: it.Message, sender: it.Sender, subject: it.Subject, received: it.Received})
		}
	}
	p := &f.Plan
	if p.Blast, err = s.blast(ctx, t, nil); err != nil {
		return err
	}
	p.describe(Restore, f.Ask.Options, t.Tx().Clock().Now())
	p.Stops, p.Approvals = nil, []string{}
	if f.wayStop != nil {
		p.Stops = append(p.Stops, *f.wayStop)
	}
	f.stops(ActSettings{}) // a restore is never held up by limits
	return nil
}

// brought are the items of an act that a restore may bring back: those that were done, or of which nobody can tell, and that no
// restore before has brought back, or is about to.
func brought(ctx context.Context, t *store.Tenant, a *Act, only []string, s *selection) ([]*ActItem, error) {
	all, err := Items(ctx, t, ItemFilter{Act: a.ID, States: []ItemState{ItemDone, ItemUnknown}})
	if err != nil {
		return nil, err
	}
	rows, err := t.Query(ctx, `select i.original from mail_act a join mail_act_item i on i.tenant = a.tenant and i.act = a.id
		where a.tenant = $1 and a.investigation = $2 and a.restores = $3 and i.state in ('waiting', 'sent', 'done', 'already')`, a.Investigation, a.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	back := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		back[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	had := len(all)
	all = slices.DeleteFunc(all, func(it *ActItem) bool { return back[it.ID] })
	s.leave("They were restored before, or are being restored.", had-len(all))
	if len(only) > 0 {
		all = slices.DeleteFunc(all, func(it *ActItem) bool { return !slices.Contains(only, it.ID) && !slices.Contains(only, it.Message) })
	}
	return all, nil
}

// recordRestore makes the act that restores another.
func (d *ActDesk) recordRestore(ctx context.Context, t *store.Tenant, f *ActDraft) (*Act, error) {
	if err := d.fillRestore(ctx, t, f); err != nil {
		return nil, err
	}
	if err := f.against(); err != nil {
		return nil, err
	}
	a := f.act(t)
	a.Restores = f.original.ID
	items := make([]*ActItem, len(f.items))
	for i, o := range f.items {
		n := *o
		n.Act, n.ID, n.Original, n.State = a.ID, tocsin.NewID(), o.ID, ItemWaiting
		items[i] = &n
	}
	f.original.RestoredBy = a.ID
	if err := f.original.save(ctx, t); err != nil {
		return nil, err
	}
	if err := f.original.note(ctx, t, f.who.Email, "restored", f.Ask.Why); err != nil {
		return nil, err
	}
	return a, a.begin(ctx, t, items)
}

// longest is how long an act that goes on by itself takes in what is found, before another is made: what it did in an hour counts
// for the limit of an hour.
const longest = time.Hour

// ActByItself acts on new matches as their investigation says, within the transaction that finds them: each match is dealt with
// once. epoch is the investigation's version. They join the act that the investigation has made before, where that goes on. Once
// somebody has stopped or refused such an act, nothing more is done by itself until the investigation is changed: then act is "".
// matches are ids; who is whoever set the investigation to act.
func (d *ActDesk) ActByItself(ctx context.Context, t *store.Tenant, who Actor, epoch int64, ask ActAsk) (act string, err error) {
	if !ask.Kind.asked() || ask.Kind == Purge {
		return "", tocsin.Problemf(tocsin.Invalid, "Choose warn, quarantine, junk or soft_delete.", "Nothing is deleted for good by itself.")
	}
	if err := alone(ctx, t); err != nil {
		return "", err
	}
	f := &ActDraft{Ask: ask, who: who, byItself: true, epoch: epoch}
	if f.connection, err = connectionOf(ctx, t, ask.Investigation); err != nil {
		return "", err
	}
	last, err := d.lastByItself(ctx, t, f)
	if err != nil {
		return "", err
	}
	if last != nil && slices.Contains([]ActState{ActStopping, ActStopped, ActRefused}, last.State) {
		return "", nil
	}
	if last != nil && last.State != ActWaiting && last.ApprovedBy == "" && last.joins(f, t.Tx().Clock().Now()) {
		f.joined = last.Plan.Blast
	}
	if err := d.fill(ctx, t, f); err != nil {
		return "", err
	}
	if len(f.chosen) == 0 {
		return "", nil
	}
	if last == nil || !last.joins(f, t.Tx().Clock().Now()) {
		a := f.act(t)
		items := make([]*ActItem, 0, len(f.chosen))
		for _, c := range f.chosen {
			items = append(items, c.item(a.ID))
		}
		if ask.Options.Notice {
			items = append(items, notices(a.ID, items)...)
		}
		return a.ID, a.begin(ctx, t, items)
	}
	return last.ID, last.join(ctx, t, f)
}

// lastByItself is the newest act that an investigation, as it is now, has made by itself.
func (d *ActDesk) lastByItself(ctx context.Context, t *store.Tenant, f *ActDraft) (*Act, error) {
	list, err := Acts(ctx, t, ActFilter{Investigation: f.Ask.Investigation, Limit: 20})
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.ByItself && a.Epoch == f.epoch {
			// Its executor changes it meanwhile: from here on that waits for this transaction.
			if _, err := t.Exec(ctx, `update mail_act set version = version where tenant = $1 and id = $2`, a.ID); err != nil {
				return nil, err
			}
			return GetAct(ctx, t, a.ID)
		}
	}
	return nil, nil
}

// joins says whether what was found may be added to an act that the investigation has made. What needs approval makes one that
// waits, and what comes after waits with it.
func (a *Act) joins(f *ActDraft, now time.Time) bool {
	if a.Kind != f.Ask.Kind || a.Options != f.Ask.Options || now.Sub(a.Created) > longest {
		return false
	}
	return a.State == ActWaiting || (a.State == ActRunning || a.State == ActDone) && !f.Plan.Approval
}

// join adds matches to an act.
func (a *Act) join(ctx context.Context, t *store.Tenant, f *ActDraft) error {
	items := make([]*ActItem, 0, len(f.chosen))
	for _, c := range f.chosen {
		items = append(items, c.item(a.ID))
	}
	if a.Options.Notice {
		items = append(items, notices(a.ID, items)...)
	}
	if err := insertItems(ctx, t, items); err != nil {
		return err
	}
	if err := a.mark(ctx, t, items); err != nil {
		return err
	}
	b := &a.Plan.Blast
	b.Messages += len(f.chosen)
	if err := t.QueryRow(ctx, `select count(distinct person) from mail_act_item where tenant = $1 and act = $2`, a.ID).Scan(&b.Mailboxes); err != nil {
		return err
	}
	b.Of = max(b.Of, f.Plan.Blast.Of, b.Mailboxes)
	b.Share = float64(b.Mailboxes) / float64(max(b.Of, 1))
	a.Due = t.Tx().Clock().Now()
	if a.State == ActDone {
		return a.move(ctx, t, ActRunning, "", messages(len(f.chosen))+" more were found.")
	}
	if err := a.save(ctx, t); err != nil {
		return err
	}
	return tellAct(ctx, t, a, "", "joined")
}
