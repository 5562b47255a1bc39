package investigate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// ActWay gives the connection of a tenant by which something can be done, and its client: the one named, or the first that
// can; else a problem that says what is lacking and how to mend it.
type ActWay func(ctx context.Context, tenant tocsin.TenantID, connection, capability string) (id, name string, gc *graph.Client, err error)

// Bounds are the domains whose mailboxes a connection may touch; all where it has none set.
type Bounds func(ctx context.Context, t *store.Tenant, connection string) (domains []string, all bool, err error)

// ActDesk is where acts on mails are planned and recorded. It sends nothing.
type ActDesk struct {
	Store  *store.Store
	Way    ActWay
	Bounds Bounds
}

// ActDraft is what is asked for with its plan: what [ActDesk.Record] makes an act of.
type ActDraft struct {
	Ask  ActAsk
	Plan ActPlan

	who        Actor
	connection string
	domains    []string
	allDomains bool
	wayStop    *remediate.Stop
	chosen     []*chosen
	original   *Act       // of a restore
	items      []*ActItem // of the original, to restore
	byItself   bool
	epoch      int64
	joined     Blast // of the act by itself that would take it in: limits are for both together
}

// Plan says what an act would do and whom it would reach. Nothing is recorded, and nothing asked of Microsoft. What stands against
// it is in the plan; an error is that no plan can be made.
func (d *ActDesk) Plan(ctx context.Context, tenant tocsin.TenantID, who Actor, ask ActAsk) (*ActDraft, error) {
	if !ask.Kind.asked() {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give warn, quarantine, junk, soft_delete or purge.", "There is no act of the kind %q.", ask.Kind)
	}
	f := &ActDraft{Ask: ask, who: who}
	if err := d.way(ctx, tenant, f); err != nil {
		return nil, err
	}
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error { return d.fill(ctx, t, f) })
	return f, err
}

// way finds by which connection the act would go: that of the investigation.
func (d *ActDesk) way(ctx context.Context, tenant tocsin.TenantID, f *ActDraft) error {
	var connection string
	err := d.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		connection, err = connectionOf(ctx, t, f.Ask.Investigation)
		return err
	})
	if err != nil {
		return err
	}
	id, name, _, err := d.Way(ctx, tenant, connection, connect.MessagesMove)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code != tocsin.Internal {
		f.connection, f.wayStop = connection, &remediate.Stop{What: p.What, Do: p.Do}
		return nil
	}
	f.connection, f.Plan.Way = id, name
	return err
}

// connectionOf is the connection that an investigation goes by; empty where it names none.
func connectionOf(ctx context.Context, t *store.Tenant, investigation string) (id string, err error) {
	err = t.QueryRow(ctx, `select connection from investigation where tenant = $1 and id = $2`, investigation).Scan(&id)
	if errors.Is(err, store.ErrNone) {
		return "", tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such investigation.")
	}
	return id, err
}

// fill makes the plan from our own tables.
func (d *ActDesk) fill(ctx context.Context, t *store.Tenant, f *ActDraft) (err error) {
	settings, err := ActSettingsOf(ctx, t)
	if err != nil {
		return err
	}
	general, err := remediate.SettingsOf(ctx, t)
	if err != nil {
		return err
	}
	if f.domains, f.allDomains, err = d.bounds(ctx, t, f.connection); err != nil {
		return err
	}
	s, err := f.choose(ctx, t, general.Spared)
	if err != nil {
		return err
	}
	spread(s.all)
	f.chosen = s.all
	p := &f.Plan
	if p.Blast, err = s.blast(ctx, t, general.Spared); err != nil {
		return err
	}
	p.describe(f.Ask.Kind, f.Ask.Options, t.Tx().Clock().Now())
	p.Stops, p.Approvals = nil, []string{}
	if f.wayStop != nil {
		p.Stops = append(p.Stops, *f.wayStop)
	}
	f.stops(settings)
	if err := f.approvals(ctx, t, settings, general); err != nil {
		return err
	}
	p.Approval = len(p.Approvals) > 0
	return nil
}

// bounds are a connection's. Where none is known yet, the executor looks at those of the one that it goes by.
func (d *ActDesk) bounds(ctx context.Context, t *store.Tenant, connection string) (domains []string, all bool, err error) {
	if d.Bounds == nil || connection == "" {
		return nil, true, nil
	}
	return d.Bounds(ctx, t, connection)
}

// describe puts a plan into words.
func (p *ActPlan) describe(k ActKind, o ActOptions, now time.Time) {
	w := k.words(o)
	p.Does = fmt.Sprintf(w.does, messages(p.Blast.Messages)+" in "+mailboxes(p.Blast.Mailboxes))
	p.Touches, p.Not = slices.Clone(w.touches), slices.Clone(w.not)
	p.CanUndo, p.Undo, p.At = w.undone, w.undo, now
	if o.Notice {
		p.Touches = append(p.Touches, "the inbox of each mailbox in which something is done: a notice is put there")
	}
	// Four requests a message, thirty messages at once, a quarter of a second a request: what was measured on a calm day.
	p.Seconds = 1 + p.Blast.Messages*4/(30*4)
}

// stops are what stands against the act.
func (f *ActDraft) stops(s ActSettings) {
	p := &f.Plan
	add := func(what, do string) { p.Stops = append(p.Stops, remediate.Stop{What: what, Do: do}) }
	if f.Ask.Kind == Purge {
		if !s.Purge {
			add("The settings do not let mails be deleted for good.", "Delete them to Recoverable Items instead; or an administrator switches it on in the settings of acts on mails.")
		}
		if !f.who.Admin {
			add("Only an administrator may delete mails for good.", "Delete them to Recoverable Items instead, or ask an administrator.")
		}
	}
	if p.Blast.Messages == 0 {
		add("There is no message to act on.", "Look at what is left out, and why.")
	}
	if s.Most > 0 && p.Blast.Messages > s.Most {
		add(fmt.Sprintf("%s are more than one act may be on (%s).", messages(p.Blast.Messages), grouped(s.Most)), "Narrow the query, act on a cluster at a time, or let an administrator raise the limit.")
	}
}

// smallest is how many mailboxes a tenant has at least for a share of them to say something.
const smallest = 20

// approvals are why a second person must approve.
func (f *ActDraft) approvals(ctx context.Context, t *store.Tenant, s ActSettings, general remediate.Settings) error {
	p := &f.Plan
	because := func(why string, args ...any) { p.Approvals = append(p.Approvals, fmt.Sprintf(why, args...)) }
	switch {
	case general.Approval == remediate.SecondPerson && len(general.Kinds) == 0:
		because("The settings ask for a second person for every act.")
	case general.Approval == remediate.SecondForHard && f.Ask.Kind.Hard():
		because("The settings ask for a second person for what cannot be undone.")
	}
	n := p.Blast.Messages
	if all := n + f.joined.Messages; s.PerAct > 0 && all > s.PerAct {
		because("%s are more than one person may act on alone (%s).", messages(all), grouped(s.PerAct))
	}
	if share := p.Blast.Share + f.joined.Share; s.Share > 0 && p.Blast.Of > smallest && share*100 > float64(s.Share) {
		because("%.0f %% of the mailboxes are more than one person may act in alone (%d %%).", share*100, s.Share)
	}
	if s.PerHour > 0 {
		var had int
		if err := t.QueryRow(ctx, `select coalesce(sum(c.n), 0) from mail_act a join mail_act_count c on c.tenant = a.tenant and c.act = a.id and c.part = 'mail'
			where a.tenant = $1 and a.created > $2 and a.kind <> 'restore' and a.approved_by = '' and a.state not in ('refused', 'waiting_approval')`, t.Tx().Clock().Now().Add(-time.Hour)).Scan(&had); err != nil {
			return err
		}
		if had+n > s.PerHour && n > 0 && (s.PerAct == 0 || n <= s.PerAct) {
			because("With the %s of the last hour it is more than people may act on alone in an hour (%s).", messages(had), grouped(s.PerHour))
		}
	}
	return nil
}

// against is the first thing that stands against an act.
func (f *ActDraft) against() error {
	for _, s := range f.Plan.Stops {
		return tocsin.Problemf(tocsin.Conflict, s.Do, "%s", s.What)
	}
	return nil
}

// Record makes an act of a draft: it runs, or waits for approval, all in this transaction. The matches are looked at once more.
func (d *ActDesk) Record(ctx context.Context, t *store.Tenant, f *ActDraft) (*Act, error) {
	if err := alone(ctx, t); err != nil {
		return nil, err
	}
	if f.original != nil {
		return d.recordRestore(ctx, t, f)
	}
	if err := d.fill(ctx, t, f); err != nil {
		return nil, err
	}
	if err := f.against(); err != nil {
		return nil, err
	}
	a := f.act(t)
	items := make([]*ActItem, 0, len(f.chosen))
	for _, c := range f.chosen {
		items = append(items, c.item(a.ID))
	}
	if f.Ask.Options.Notice {
		items = append(items, notices(a.ID, items)...)
	}
	return a, a.begin(ctx, t, items)
}

// act is the row that a draft makes.
func (f *ActDraft) act(t *store.Tenant) *Act {
	now := t.Tx().Clock().Now()
	a := &Act{ID: tocsin.NewID(), Investigation: f.Ask.Investigation, Kind: f.Ask.Kind, State: ActWaiting, ByItself: f.byItself, Epoch: f.epoch, Options: f.Ask.Options, Why: f.Ask.Why,
		Plan: f.Plan, AskedBy: f.who.Account, AskedEmail: f.who.Email, Connection: f.connection, Created: now, Changed: now, Version: 1}
	if !f.Plan.Approval {
		a.State, a.Began = ActRunning, now
	} else {
		a.Because, a.Mend = "A second person must approve it: "+f.Plan.Approvals[0], "Ask somebody else with the role analyst or more."
	}
	return a
}

// begin writes an act with its ledger.
func (a *Act) begin(ctx context.Context, t *store.Tenant, items []*ActItem) error {
	if err := a.insert(ctx, t); err != nil {
		return err
	}
	if err := insertItems(ctx, t, items); err != nil {
		return err
	}
	if err := a.mark(ctx, t, items); err != nil {
		return err
	}
	if a.State == ActWaiting {
		return a.note(ctx, t, "", string(ActWaiting), a.Because)
	}
	return a.note(ctx, t, "", string(ActRunning), "No approval is needed.")
}

// mark notes on the matches that they are dealt with.
func (a *Act) mark(ctx context.Context, t *store.Tenant, items []*ActItem) error {
	if a.Kind == Restore {
		return nil
	}
	for list := range slices.Chunk(items, 400) {
		args := []any{a.Investigation, t.Tx().Clock().Now()}
		for _, it := range list {
			args = append(args, string(it.Person), it.Message)
		}
		if _, err := t.Exec(ctx, `update mail_match set state = 'dealt', changed = $3 where tenant = $1 and investigation = $2 and state = 'found' and (person, message) in (`+store.Pairs(len(list), 4)+`)`, args...); err != nil {
			return err
		}
	}
	return nil
}

// item is a line of the ledger for a match.
func (c *chosen) item(act string) *ActItem {
	return &ActItem{Act: act, ID: tocsin.NewID(), Part: PartMail, Person: c.person, Object: c.object, Who: c.who, Message: c.message, Internet: c.internet,
		Sender: c.sender, Subject: c.subject, Received: c.received, State: ItemWaiting}
}

// notices are one for each mailbox, after all messages.
func notices(act string, items []*ActItem) (out []*ActItem) {
	seen := map[tocsin.PersonID]bool{}
	for _, it := range items {
		if !seen[it.Person] {
			seen[it.Person] = true
			n := &ActItem{Act: act, ID: tocsin.NewID(), Part: PartNotice, Person: it.Person, Object: it.Object, Who: it.Who, State: ItemWaiting}
			n.Internet = noticeID(n.ID)
			out = append(out, n)
		}
	}
	return out
}

// alone keeps others from counting this tenant's acts until the transaction ends, so that two do not both come just below a limit.
func alone(ctx context.Context, t *store.Tenant) error {
	_, err := t.Exec(ctx, `update tenant set name = name where tenant = $1`)
	return err
}
