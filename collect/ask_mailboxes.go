package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// owner is a person who may have a mailbox, with what tells why not, and the folders known already.
type owner struct {
	person                tocsin.PersonID
	object                string
	licensed, synced, can *bool
	read                  bool  // their mailbox was read when it was asked last
	told                  int64 // when the directory last told of them, Unix milliseconds
	folders               map[string]tocsin.Folder
}

// owners are the people whose mailbox is to be asked: not guests, not those asked since, and of those known to have none
// only the ones that were not asked for a day; of those that are kept from the app, also the ones that were not asked since
// somebody tested the connection, who may have widened its scope. Only those are given that the directory told of at told or later.
func (c *Collector) owners(ctx context.Context, column string, since time.Time, told int64) (out []owner, err error) {
	absentBefore := tocsin.Millis(c.Store.Clock().Now().Add(-c.Every.OrDefault().Absent))
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var o owner
			var folders *string
			if err := scan(&o.person, &o.object, &o.licensed, &o.synced, &o.can, &o.read, &o.told, &folders); err != nil {
				return err
			}
			if folders != nil && *folders != "" && *folders != "{}" {
				if err := json.Unmarshal([]byte(*folders), &o.folders); err != nil {
					return fmt.Errorf("folders of %s: %w", o.person, err)
				}
			}
			out = append(out, o)
			return nil
		}, `select p.person, p.object_id, p.licensed, p.synced, p.enabled, p.mailbox = 'read', p.seen, m.folders from person p
			left join mailbox m on m.tenant = p.tenant and m.person = p.person
			where p.tenant = $1 and p.deleted = 0 and p.kind <> 'guest' and coalesce(m.`+column+`, 0) < $2
				and (p.mailbox not in ('none', 'out_of_scope') or p.mailbox_asked < $3
					or p.mailbox = 'out_of_scope' and p.mailbox_asked < (select coalesce(max(c.proven), 0) from connection c where c.tenant = $1)) and p.seen >= $4
			order by case when m.`+column+` > p.mailbox_asked then m.`+column+` else p.mailbox_asked end, p.person`, tocsin.Millis(since), absentBefore, told)
	})
	return out, err
}

// asked is one source of the mailboxes: what is asked of each, and of which.
type asked struct {
	source, column, kind string
	older                time.Duration // than this before the round's beginning it was last seen; 0: not since the beginning
	ask                  func(context.Context, []owner) ([]any, error)
}

// together is how many mailboxes are asked in one go: ten batches of twenty. The folders that their rules name are asked
// in a second go, in which a mailbox answers three questions at a time; with fewer mailboxes together, those few would
// hold up the rest.
const together = 200

// poll asks something of every owner, together at a time, some of these at once, and puts what comes back into
// the journal. A mailbox that fails for a passing reason fails the round, after the others were read. While the people
// are read for the first time, the mailboxes of those that are known already are asked beside that.
func (c *Collector) poll(ctx context.Context, a asked) error {
	row, err := c.row(ctx, a.source)
	if err != nil {
		return err
	}
	p := polling{c: c, asked: a, told: c.Store.Clock().Now(), lost: row.Succeeded == 0}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(max(2, c.atOnce()*20/together))
	err = p.feed(inner, g)
	if waited := g.Wait(); err == nil || errors.Is(err, context.Canceled) {
		err = waited
	}
	if err == nil {
		err = p.decide(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case p.failed != nil:
		return p.failed
	case err != nil || p.total == 0:
		return err
	}
	return c.progress(ctx, a.source, p.total, p.total)
}

// feed gives owners to g until all have been given.
func (p *polling) feed(ctx context.Context, g *errgroup.Group) error {
	for told := int64(0); ; {
		whole, err := p.c.peopleKnown(ctx)
		if err != nil {
			return err
		}
		row, err := p.c.row(ctx, p.asked.source)
		if err != nil {
			return err
		}
		if whole {
			told = 0 // nobody is left out in the end, in whatever order they came
		}
		all, err := p.c.owners(ctx, p.asked.column, tocsin.FromMillis(row.Started).Add(-p.asked.older), told)
		if err != nil {
			return err
		}
		all = p.fresh(all, whole)
		for i := range all {
			told = max(told, all[i].told)
		}
		for chunk := range slices.Chunk(all, together) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			g.Go(func() error { return p.chunk(ctx, chunk) })
		}
		if whole {
			return nil
		}
		if err := p.c.Store.Clock().Sleep(ctx, time.Second); err != nil { // let some come together
			return err
		}
	}
}

// peopleKnown says whether all the people that were read are there to be asked; if so it has waited for the last of them.
func (c *Collector) peopleKnown(ctx context.Context) (whole bool, err error) {
	people, err := c.row(ctx, "users")
	switch {
	case err != nil:
		return false, err
	case people.Succeeded > 0:
		return true, c.settled(ctx)
	case people.Failed > 0:
		return false, tocsin.Problemf(tocsin.Unavailable, "See why the people are not read; this goes on by itself after that.", "Nobody's mailbox can be asked, since the people were not read yet.")
	}
	return false, nil
}

// fresh leaves out those asked before in this poll, and remembers the rest, unless they are the last.
func (p *polling) fresh(all []owner, last bool) []owner {
	all = slices.DeleteFunc(all, func(o owner) bool { return p.before[o.person] })
	if !last {
		if p.before == nil {
			p.before = map[tocsin.PersonID]bool{}
		}
		for i := range all {
			p.before[all[i].person] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += len(all)
	return all
}

// polling is a poll under way.
type polling struct {
	c      *Collector
	asked  asked
	before map[tocsin.PersonID]bool // asked in this poll, while the people are still being read

	mu     sync.Mutex
	total  int
	failed error     // what to say of the round
	done   int       // mailboxes
	vain   int       // batches in a row of which nothing came
	told   time.Time // when it was last said how far it has come

	// Of mailboxes refused in words that may mean them alone; see decide.
	witness *owner         // somebody who was answered in this round
	lost    bool           // nobody ever was, or somebody refused now was before
	refused []journal.Item // of those never read: each says that its mailbox is out of scope
	doubted []owner        // those that were read before
	denied  error          // what Graph answered
}

// refusal is a mailbox that was refused in words that may mean it alone, or all of them.
type refusal struct {
	body any // says that it alone is
	err  error
}

// refusedEnough is how many mailboxes are refused, and nobody is answered, until asking on is held to be in vain.
const refusedEnough = 10 * together

// sort gives what can be told of a chunk that was asked at a time, and keeps back the refusals while nobody is answered, and those of mailboxes
// that were read before until the end. It stops the round when too many are refused and nobody is answered.
func (p *polling) sort(owners []owner, bodies []any, at time.Time) (items []journal.Item, stop, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(bodies, answered); i >= 0 && p.witness == nil {
		p.witness = &owners[i]
	}
	for i, body := range bodies {
		r, refused := body.(refusal)
		if refused {
			body = r.body
		}
		if body == nil {
			continue
		}
		if refused && owners[i].read {
			p.doubted, p.denied, p.lost = append(p.doubted, owners[i]), r.err, true
			continue
		}
		it, err := p.c.itemAt(at, p.asked.kind, owners[i].person, body)
		if err != nil {
			return nil, nil, err
		}
		if !refused || p.witness != nil {
			items = append(items, it)
			continue
		}
		p.refused, p.denied = append(p.refused, it), r.err
	}
	if p.witness == nil && p.lost && len(p.refused)+len(p.doubted) >= refusedEnough {
		stop = p.denied
	}
	return items, stop, nil
}

func answered(body any) bool {
	switch b := body.(type) {
	case rulesSeen:
		return b.State == ""
	case settingsSeen:
		return b.State == ""
	}
	return false
}

// decide says in the end what the refusals mean that were kept back. Under RBAC for Applications the token holds no role,
// so that a mailbox out of scope and a permission that is not granted read the same. Where somebody was answered, or only
// mailboxes that were never read are refused, each refusal is its mailbox's own; of those that were read before only if
// they are refused again beside somebody who is answered, since the permission may have been withdrawn during the round.
func (p *polling) decide(ctx context.Context) error {
	if p.witness == nil && p.lost {
		p.failed = worst(p.failed, p.denied)
		return nil
	}
	if err := p.c.append(ctx, p.refused); err != nil {
		return err
	}
	for chunk := range slices.Chunk(p.doubted, together) {
		at := p.c.Store.Clock().Now()
		bodies, failed := p.asked.ask(ctx, append([]owner{*p.witness}, chunk...))
		stands, after := false, error(nil)
		if len(bodies) > 0 && answered(bodies[0]) {
			stands, after = p.stands(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p.failed = worst(worst(p.failed, failed), after); !stands {
			if failed == nil && after == nil { // refused, and nothing else
				p.failed = worst(p.failed, p.denied)
			}
			return nil
		}
		var items []journal.Item
		for i, body := range bodies[1:] {
			if r, refused := body.(refusal); refused {
				body = r.body
			}
			if body == nil {
				continue
			}
			it, err := p.c.itemAt(at, p.asked.kind, chunk[i].person, body)
			if err != nil {
				return err
			}
			items = append(items, it)
		}
		if err := p.c.append(ctx, items); err != nil {
			return err
		}
	}
	return nil
}

// stands says whether the witness is still answered: the permission may have been withdrawn while the doubted were asked, in
// several requests.
func (p *polling) stands(ctx context.Context) (bool, error) {
	bodies, err := p.asked.ask(ctx, []owner{*p.witness})
	return len(bodies) == 1 && answered(bodies[0]), err
}

// chunk asks some mailboxes. Its error stops the others.
func (p *polling) chunk(ctx context.Context, owners []owner) error {
	at := p.c.Store.Clock().Now()
	bodies, failed := p.asked.ask(ctx, owners)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	items, stopped, err := p.sort(owners, bodies, at)
	if err != nil {
		return err
	}
	failed = worst(failed, stopped)
	if err := p.c.append(ctx, items); err != nil {
		return err
	}
	done, total, tell, stop := p.note(len(owners), len(items), failed)
	if stop {
		return failed
	}
	if tell {
		return p.c.progress(ctx, p.asked.source, done, total)
	}
	return nil
}

// note counts a batch that came back, and says whether to tell of it, and whether to stop: when what failed speaks for
// every mailbox, or so many batches in a row brought nothing that Graph must be down.
func (p *polling) note(asked, got int, failed error) (done, total int, tell, stop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += asked
	p.vain++
	if got > 0 || failed == nil {
		p.vain = 0
	}
	if failed != nil {
		p.failed = worst(p.failed, failed)
		stop = stops(failed) || p.vain >= 4
	}
	now := p.c.Store.Clock().Now()
	if tell = now.Sub(p.told) > 2*time.Second; tell {
		p.told = now
	}
	return p.done, p.total, tell, stop
}

func (c *Collector) atOnce() int {
	if c.Batches > 0 {
		return c.Batches
	}
	return 64
}

// stops says whether an answer speaks for every mailbox, so that asking on is in vain.
func stops(err error) bool {
	if d, ok := errors.AsType[*graph.Denied](err); ok {
		return !d.OutOfScope
	}
	if _, ok := errors.AsType[*graph.Revoked](err); ok {
		return true
	}
	if _, ok := errors.AsType[*graph.Unauthorized](err); ok {
		return true
	}
	_, ok := errors.AsType[*graph.Challenge](err)
	return ok || errors.Is(err, graph.ErrPaused)
}

// worst keeps the error that says most: one that stops, else the first.
func worst(a, b error) error {
	if a == nil || b != nil && stops(b) && !stops(a) {
		return b
	}
	return a
}

// absent says why a mailbox cannot be read, if err is about this mailbox and will last; else state is empty. A refusal is
// about this mailbox alone where others were answered.
func (o *owner) absent(err error, alone bool) (state, because string) {
	if _, ok := errors.AsType[*graph.NoMailbox](err); ok {
		switch {
		case o.synced != nil && *o.synced && (o.licensed == nil || !*o.licensed):
			return "none", "The mailbox is on-premises, or there is none: the account is synchronised and has no Exchange Online plan."
		case o.licensed != nil && !*o.licensed:
			return "none", "No licence with Exchange Online is assigned."
		case o.can != nil && !*o.can:
			return "none", "The account is blocked and has no mailbox in Exchange Online."
		case o.synced != nil && *o.synced:
			return "none", "The mailbox is on-premises and was not moved: the account is synchronised, and Exchange Online has none for it though a plan is assigned."
		}
		return "none", "Exchange Online has no mailbox for this account; a new one takes some minutes to be made."
	}
	if _, ok := errors.AsType[*graph.NotFound](err); ok {
		return "none", "Microsoft Graph no longer knows this account."
	}
	if d, ok := errors.AsType[*graph.Denied](err); ok && !d.OutOfScope && alone {
		return "out_of_scope", "Microsoft Graph refuses this mailbox to the application, and not others (" + d.Code + ")."
	} else if ok && d.OutOfScope {
		return "out_of_scope", "Exchange lets this application into some mailboxes only, and this is none of them (RBAC for Applications or an application access policy)."
	}
	return "", ""
}

// askSettings reads the settings of every mailbox whose settings will be too old when this is asked again.
func (c *Collector) askSettings(ctx context.Context) error {
	every := c.Every.OrDefault()
	older := max(0, every.Settings-min(every.Settings, every.Rules))
	return c.poll(ctx, asked{source: "settings", column: "settings_seen", kind: kindSettings, older: older, ask: c.settingsOf})
}

func (c *Collector) settingsOf(ctx context.Context, owners []owner) ([]any, error) {
	parts := make([]graph.Part, len(owners))
	for i := range owners {
		parts[i] = graph.Part{Call: "mailboxSettings.get", P: graph.P{"user": owners[i].object}}
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		return nil, err
	}
	return owned(owners, results, func(i int) (any, error) { return owners[i].settings(results[i]) },
		func(state, because string) any { return settingsSeen{State: state, Absent: because} })
}

func (o *owner) settings(r graph.Result) (any, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	var s graph.MailboxSettings
	if err := json.Unmarshal(r.Body, &s); err != nil {
		return nil, unread("mailboxSettings.get")
	}
	return settings(&s), nil
}

// owned is what came of each owner's question: what take makes of a good answer, what without makes of a mailbox that
// cannot be read, or nil; and the worst of what failed.
func owned(owners []owner, results []graph.Result, take func(i int) (any, error), without func(state, because string) any) (out []any, failed error) {
	out = make([]any, len(owners))
	alone := refusedAlone(results)
	for i := range owners {
		body, err := take(i)
		if err == nil {
			out[i] = body
			continue
		}
		if d, ok := errors.AsType[*graph.Denied](err); ok && !d.OutOfScope && (d.Code == "ErrorAccessDenied" || alone && owners[i].read) {
			out[i] = refusal{without(owners[i].absent(err, true)), err}
			continue
		}
		if state, because := owners[i].absent(err, alone); state != "" {
			out[i] = without(state, because)
			continue
		}
		failed = worst(failed, err)
	}
	return out, failed
}

// refusedAlone says whether some mailboxes of a batch were answered: a refusal is then about its own mailbox.
func refusedAlone(results []graph.Result) bool {
	return slices.ContainsFunc(results, func(r graph.Result) bool { return r.Err == nil })
}

// askRules reads every mailbox's inbox rules, and the folders that they move mail to.
func (c *Collector) askRules(ctx context.Context) error {
	c.noFolders.began()
	if err := c.poll(ctx, asked{source: "rules", column: "rules_seen", kind: kindRules, ask: c.rulesOf}); err != nil {
		return err
	}
	return c.noFolders.ended()
}

func (c *Collector) rulesOf(ctx context.Context, owners []owner) ([]any, error) {
	parts := make([]graph.Part, len(owners))
	for i := range owners {
		parts[i] = graph.Part{Call: "messageRules.list", P: graph.P{"user": owners[i].object, "folder": "inbox"}}
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		return nil, err
	}
	lists := make([][]graph.MessageRule, len(owners))
	out, failed := owned(owners, results, func(i int) (any, error) {
		var err error
		lists[i], err = owners[i].rules(results[i])
		return nil, err
	}, func(state, because string) any { return rulesSeen{State: state, Absent: because} })
	if failed != nil && stops(failed) {
		return out, failed
	}
	fresh, err := c.folders(ctx, owners, lists)
	for i := range owners {
		if lists[i] != nil {
			out[i] = owners[i].seen(lists[i], fresh[i])
		}
	}
	return out, worst(failed, err)
}

// rules decodes a list of rules; it is never nil without an error.
func (o *owner) rules(r graph.Result) ([]graph.MessageRule, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	var page struct {
		Value []graph.MessageRule `json:"value"`
	}
	if err := json.Unmarshal(r.Body, &page); err != nil {
		return nil, unread("messageRules.list")
	}
	if page.Value == nil {
		page.Value = []graph.MessageRule{}
	}
	return page.Value, nil
}

// seen is the item of a mailbox's rules; the folders named in it are those known before and the fresh ones.
func (o *owner) seen(list []graph.MessageRule, fresh map[string]tocsin.Folder) rulesSeen {
	folder := func(id string) *tocsin.Folder {
		if id == "" {
			return nil
		}
		if f, ok := fresh[id]; ok {
			return &f
		}
		if f, ok := o.folders[id]; ok {
			return &f
		}
		return &tocsin.Folder{ID: id}
	}
	out := rulesSeen{Folders: fresh}
	for i := range list {
		out.Rules = append(out.Rules, ruleSeen{MailRule: mailRule(&list[i], folder), Raw: rawOrNil(list[i].Raw)})
	}
	return out
}
