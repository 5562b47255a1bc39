package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// Fold turns observed items into state, events, findings and facts.
type Fold struct {
	Log    *slog.Logger
	Unseal func(sealed []byte, about string) ([]byte, error) // opens the keys of tenants
	Handed *Handed                                           // to where mail is handed over that is learned from; nil: to nobody

	recalled map[tocsin.TenantID]*recalled
}

// Step folds a run of items, each tenant's in their order, inside the reader's transaction.
// An item that cannot be read at all is a [stream.Poison].
func (f *Fold) Step(ctx context.Context, tx *store.Tx, items []journal.Item) error {
	runs := map[tocsin.TenantID]*run{}
	for i := range items {
		it := &items[i]
		r, begun := runs[it.Tenant]
		if !begun {
			known, err := tx.Tenant(it.Tenant).Known(ctx)
			if err != nil {
				return err
			}
			if known {
				r = newRun(tx.Tenant(it.Tenant))
				r.unseal, r.handed, r.recalled = f.Unseal, f.Handed, f.recalls(r.t)
			} else { // disconnected and erased, while this was under way
				f.Log.Info("what was read of a tenant that is erased is dropped", "tenant", it.Tenant)
				if tx.Alone() {
					delete(f.recalled, it.Tenant)
				}
			}
			runs[it.Tenant] = r
		}
		if r == nil {
			continue
		}
		if err := r.add(ctx, it); err != nil {
			if _, ok := err.(*json.SyntaxError); ok || isShape(err) {
				return &stream.Poison{Item: i, Err: err}
			}
			return fmt.Errorf("fold %s of %s: %w", it.Kind, it.Person, err)
		}
	}
	for _, r := range runs {
		if r == nil {
			continue
		}
		if err := r.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// beside are the kinds that touch nothing but their own mailbox, in the order in which they are folded. What comes between them of
// other mailboxes does not part them: rounds go on through all mailboxes while mail comes.
var beside = map[string]int{kindRules: 1, kindSettings: 2, kindMail: 3, kindFolders: 4}

// run is what a run of one tenant's items needs and gathers. Items of one kind are folded together, since a row a statement
// is what a first sync of 100,000 mailboxes cannot pay for; a change of kind flushes, in a mailbox or where it touches more.
type run struct {
	t        *store.Tenant
	kind     string
	waits    map[tocsin.PersonID]int // the last of the kinds beside others
	people   []pending[personSeen]
	groups   []pending[groupSeen]
	rules    []pending[rulesSeen]
	setting  []pending[settingsSeen]
	judges   []pending[struct{}]
	told     []pending[rightsSeen]
	records  []pending[auditSeen]
	mail     []pending[mailLooks]
	folders  []pending[foldersSeen]
	names    map[string]string // who is behind a name, as far as it was looked up
	touched  map[string]int    // kind of fact → how many first mailLooks, told as one fact
	arrived  Arrivals          // what mail.changed tells
	org      *organisation
	unseal   func(sealed []byte, about string) ([]byte, error)
	recalled *recalled
	handed   *Handed
	mails    []heldMail // to hand over
	reread   bool       // they are not what the table holds
}

// pending is an item decoded and not yet folded.
type pending[T any] struct {
	person tocsin.PersonID
	at     int64
	body   T
}

func newRun(t *store.Tenant) *run {
	return &run{t: t, waits: map[tocsin.PersonID]int{}, touched: map[string]int{}, arrived: Arrivals{Run: newRunNumber(t.Tx().Clock().Now())}}
}

// add takes an item in; what it displaces is folded first.
func (r *run) add(ctx context.Context, it *journal.Item) error {
	if r.parts(it) {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.kind = it.Kind
	if n := beside[it.Kind]; n > 0 {
		r.waits[it.Person] = n
	}
	switch it.Kind {
	case kindPerson:
		return take(it, &r.people)
	case kindRules:
		return take(it, &r.rules)
	case kindSettings:
		return take(it, &r.setting)
	case kindJudge:
		return take(it, &r.judges)
	case kindGroup:
		return take(it, &r.groups)
	case kindMembers:
		return one(ctx, it, r.foldMembers)
	case kindRole:
		return one(ctx, it, r.foldRole)
	case kindDomains:
		return one(ctx, it, r.foldDomains)
	case kindAudit:
		return take(it, &r.records)
	case kindRights:
		return take(it, &r.told)
	case kindFolders:
		return take(it, &r.folders)
	case kindMail:
		return take(it, &r.mail)
	case kindSignal:
		var s signalled
		if err := json.Unmarshal(it.Body, &s); err != nil {
			return err
		}
		return r.foldSignal(ctx, it.Person, s)
	case kindCover:
		return one(ctx, it, r.foldCover)
	}
	return shapeError{fmt.Errorf("no item is of kind %q", it.Kind)}
}

// parts says whether what was gathered is to be folded before the item.
func (r *run) parts(it *journal.Item) bool {
	if n := beside[it.Kind]; n > 0 && beside[r.kind] > 0 {
		return r.waits[it.Person] > n
	}
	return it.Kind != r.kind
}

// flush folds what was gathered. A person who is there twice is folded in order: the batches end before a repeat.
func (r *run) flush(ctx context.Context) error {
	if err := batches(ctx, r.people, r.foldPeople); err != nil {
		return err
	}
	if err := batches(ctx, r.groups, r.foldGroups); err != nil {
		return err
	}
	if err := batches(ctx, r.rules, r.foldRules); err != nil {
		return err
	}
	if err := batches(ctx, r.setting, r.foldSettings); err != nil {
		return err
	}
	if err := batches(ctx, r.judges, r.foldJudge); err != nil {
		return err
	}
	if err := r.foldAudit(ctx, r.records); err != nil {
		return err
	}
	r.records = r.records[:0]
	if err := r.foldRights(ctx); err != nil {
		return err
	}
	if err := r.foldMail(ctx, r.mail); err != nil {
		return err
	}
	r.mail = r.mail[:0]
	if err := batches(ctx, r.folders, r.foldFolders); err != nil {
		return err
	}
	r.folders = r.folders[:0]
	clear(r.waits)
	r.people, r.groups, r.rules, r.setting, r.judges = r.people[:0], r.groups[:0], r.rules[:0], r.setting[:0], r.judges[:0]
	return nil
}

// finish folds the rest and tells the first mailLooks.
func (r *run) finish(ctx context.Context) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	for _, kind := range sortedKeys(r.touched) {
		var what any = map[string]int{"count": r.touched[kind]}
		if kind == "mail.changed" {
			what = &r.arrived
		}
		body, err := encode(what)
		if err != nil {
			return err
		}
		if err := r.t.Append(ctx, store.Fact{Kind: kind, Body: body}); err != nil {
			return err
		}
	}
	if !r.reread {
		r.handed.put(r.t.ID(), r.arrived.Run, r.t.Tx().Clock().Now(), r.mails)
	}
	return nil
}

// shapeError is what an item's own form is to blame for.
type shapeError struct{ error }

func isShape(err error) bool {
	switch err.(type) {
	case shapeError, *json.UnmarshalTypeError:
		return true
	}
	return false
}

func take[T any](it *journal.Item, into *[]pending[T]) error {
	p := pending[T]{person: it.Person, at: it.At}
	if made, ok := it.Made.(T); ok {
		p.body = made
	} else if err := json.Unmarshal(it.Body, &p.body); err != nil {
		return err
	}
	*into = append(*into, p)
	return nil
}

func one[T any](ctx context.Context, it *journal.Item, fold func(context.Context, int64, T) error) error {
	var body T
	if err := json.Unmarshal(it.Body, &body); err != nil {
		return err
	}
	return fold(ctx, it.At, body)
}

// batches calls fold with runs of at most 400 in which no person is twice.
func batches[T any](ctx context.Context, all []pending[T], fold func(context.Context, []pending[T]) error) error {
	seen := map[tocsin.PersonID]bool{}
	from := 0
	for i := range all {
		if seen[all[i].person] || i-from == 400 {
			if err := fold(ctx, all[from:i]); err != nil {
				return err
			}
			from = i
			clear(seen)
		}
		seen[all[i].person] = true
	}
	if from < len(all) {
		return fold(ctx, all[from:])
	}
	return nil
}
