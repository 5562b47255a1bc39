package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/query"
	"tocsin.dev/store"
)

func decode(r graph.Result, into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return &graph.Unavailable{What: "the answer does not read as expected"}
	}
	return nil
}

// lasts is what a person has to mend before any mailbox can be searched; nil where err is of one mailbox, or passes by itself.
func lasts(err error) *tocsin.Problem {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		if p.Code == tocsin.Internal || p.Code == tocsin.Unavailable || p.Code == tocsin.Throttled {
			return nil
		}
		return p
	}
	if e, ok := errors.AsType[*graph.Revoked](err); ok {
		return tocsin.Problemf(tocsin.Denied, e.Do, "%s", e.What)
	}
	if e, ok := errors.AsType[*graph.Denied](err); ok && !e.OutOfScope {
		return tocsin.Problemf(tocsin.Denied, "Grant "+strings.Join(e.Permissions, " or ")+" to the app registration, wait a few minutes, and resume.", "Microsoft Graph no longer lets the connection read mail (%s).", e.Code)
	}
	if _, ok := errors.AsType[*graph.ContentRefused](err); ok {
		return tocsin.Problemf(tocsin.Denied, "Let the connection read content, or resume: what metadata does not decide stays unknown then.", "The connection was set to read metadata only.")
	}
	if _, ok := errors.AsType[*graph.Unauthorized](err); ok {
		return tocsin.Problemf(tocsin.Denied, "Test the connection.", "Microsoft Graph does not accept the connection's token.")
	}
	if _, ok := errors.AsType[*graph.Challenge](err); ok {
		return tocsin.Problemf(tocsin.Denied, "Leave the app out of the Conditional Access policy for workload identities, or test the connection.", "Conditional Access keeps the app from signing in.")
	}
	if errors.Is(err, graph.ErrPaused) {
		return tocsin.Problemf(tocsin.Conflict, "Resume the connection, then the investigation.", "The connection is paused: nothing is asked of Graph.")
	}
	return nil
}

// come writes in the task's row what came of it.
func (h *hunt) come(k *task, now time.Time) {
	k.Looked += k.looked
	k.Fetched += k.fetched
	k.Matches += int64(len(k.found))
	k.Changed = now
	if k.State == OutOfScope {
		return
	}
	var denied *graph.Denied
	var none *graph.NoMailbox
	var gone *graph.NotFound
	var refused *graph.Failed
	switch {
	case k.err == nil:
		h.came(k)
	case errors.As(k.err, &denied):
		k.State, k.Because = OutOfScope, "The tenant keeps this mailbox from the app (an application access policy, or RBAC for Applications)."
	case errors.As(k.err, &none), errors.As(k.err, &gone):
		k.State, k.Because = Incomplete, "The mailbox is gone, or Microsoft Graph cannot open it: it is deleted, on premises, or without a licence."
	case errors.As(k.err, &refused) && h.glances(k):
		k.Rank += wholeRank // the look that may lose something is not to be had: the whole tells
	case errors.As(k.err, &refused):
		k.State, k.Because = Incomplete, "Microsoft Graph refused the search of this mailbox ("+refused.Code+")."
		k.Mend = "Ask for less at once: name a sender or a time."
	default:
		k.Tries++
		k.Because = said(k.err)
		if k.Tries >= mostTries {
			k.State, k.Mend = Incomplete, "Start the investigation again later."
			return
		}
		k.Due = now.Add(firstWait << (k.Tries - 1))
	}
}

// glances says whether what is asked of a mailbox is a first look, before the whole.
func (h *hunt) glances(k *task) bool {
	return !h.first.none && k.Rank < wholeRank && h.run.Plan.Depth != Index
}

// came is come where all went well.
func (h *hunt) came(k *task) {
	k.Because, k.Mend, k.Due, k.Place = "", "", time.Time{}, ""
	index := h.run.Plan.Depth == Index
	switch {
	case h.glances(k):
		k.Rank += wholeRank // the whole comes after the first look at all
	case index && !h.first.none:
		k.State, k.Because = Incomplete, "Only what Exchange's index gives was looked at."
	case h.way.Metadata && k.open > 0:
		k.State, k.Because = Incomplete, fmt.Sprintf("Whether %d messages match is unknown: the connection may read metadata only.", k.open)
		k.Mend = "Search by a connection that may read content."
	case k.open > 0:
		k.State, k.Because = Incomplete, fmt.Sprintf("Whether %d messages match is unknown: they could not be read whole.", k.open)
	default:
		k.State = Searched
	}
}

// said is an error as a sentence for who looks at a mailbox.
func said(err error) string {
	if t, ok := errors.AsType[*graph.Throttled](err); ok {
		if t.Ours {
			return "Held back to keep Microsoft's limits; it is tried again."
		}
		return "Microsoft Graph throttles; it is tried again."
	}
	return "Microsoft Graph does not answer; it is tried again."
}

// write keeps what came of a portion: matches, mailboxes, the run's counts, all in one transaction.
func (h *hunt) write(ctx context.Context, tasks []*task, calls int64) error {
	var found []Match
	return h.update(ctx, h.tenant, func(t *store.Tenant) error {
		now := t.Tx().Clock().Now()
		found = found[:0]
		var glanced, searched, incomplete, out, looked, fetched int64
		ends, order := map[ending][]any{}, []ending{}
		for _, one := range tasks {
			k := *one // a transaction may be run again
			before := k.Rank
			h.come(&k, now)
			found = append(found, k.found...)
			end := ending{k.State, k.Because, k.Mend, k.Place, k.Rank, k.Looked, k.Fetched, k.Matches, k.Tries, k.Due, k.Rank > before, k.looked, k.fetched}
			if ends[end] == nil {
				order = append(order, end)
			}
			ends[end] = append(ends[end], string(k.Person))
		}
		for _, end := range order {
			n, err := end.write(ctx, t, h.run.ID, ends[end], now)
			if err != nil {
				return err
			}
			looked, fetched = looked+n*end.newLooked, fetched+n*end.newFetched
			switch {
			case end.glanced:
				glanced += n
			case end.state == Searched:
				searched += n
			case end.state == Incomplete:
				incomplete += n
			case end.state == OutOfScope:
				out += n
			}
		}
		fresh, err := h.keepFound(ctx, t, found)
		if err != nil {
			return err
		}
		_, err = t.Exec(ctx, `update search_run set glanced = glanced + $3, searched = searched + $4, incomplete = incomplete + $5, out_of_scope = out_of_scope + $6, looked = looked + $7, fetched = fetched + $8, calls = calls + $9,
			matches = matches + $10, first_match = case when first_match = 0 and $10 > 0 then $11 else first_match end where tenant = $1 and id = $2`,
			h.run.ID, glanced, searched, incomplete, out, looked, fetched, calls, fresh, now)
		if err != nil {
			return err
		}
		if fresh > 0 || h.tellNow(now) {
			return t.Append(ctx, store.Fact{Kind: "investigation.progress", Subject: h.run.Investigation})
		}
		return nil
	})
}

// ending is how a look at a mailbox ended. Nearly all end alike: nothing is there.
type ending struct {
	state, because, mend, place           string
	rank, looked, fetched, matches, tries int64
	due                                   time.Time
	glanced                               bool // it was a first look
	newLooked, newFetched                 int64
}

// write writes it down for these mailboxes, as far as they wait for it, and says for how many.
func (e *ending) write(ctx context.Context, t *store.Tenant, run string, people []any, now time.Time) (int64, error) {
	for len(people)&(len(people)-1) != 0 {
		people = append(people, people[0]) // few statements, which are then known
	}
	args := append([]any{run, e.state, e.because, e.mend, e.rank, e.place, e.looked, e.fetched, e.matches, e.tries, e.due, now}, people...)
	return t.Exec(ctx, `update search_mailbox set state = $3, because = $4, mend = $5, rank = $6, place = $7, looked = $8, fetched = $9, matches = $10, tries = $11, due = $12, changed = $13
		where tenant = $1 and run = $2 and state = 'waiting' and person in (`+store.In(len(people), 14)+`)`, args...)
}

// reached notes how far a search of a large mailbox has come, with what it found so far.
func (h *hunt) reached(ctx context.Context, k *task, at place) error {
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if k.Rank < wholeRank && !h.first.none { // a first look is short, and is not the whole
		return nil
	}
	err = h.update(ctx, h.tenant, func(t *store.Tenant) error {
		fresh, err := h.keepFound(ctx, t, k.found)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update search_mailbox set place = $4, looked = looked + $5, fetched = fetched + $6, matches = matches + $7, changed = $8 where tenant = $1 and run = $2 and person = $3`,
			h.run.ID, string(k.Person), string(raw), k.looked, k.fetched, len(k.found), t.Tx().Clock().Now()); err != nil {
			return err
		}
		now := t.Tx().Clock().Now()
		if _, err := t.Exec(ctx, `update search_run set looked = looked + $3, fetched = fetched + $4, matches = matches + $5, first_match = case when first_match = 0 and $5 > 0 then $6 else first_match end where tenant = $1 and id = $2`,
			h.run.ID, k.looked, k.fetched, fresh, now); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "investigation.progress", Subject: h.run.Investigation})
	})
	if err != nil {
		return err
	}
	k.Place = string(raw)
	k.Looked, k.Fetched, k.Matches = k.Looked+k.looked, k.Fetched+k.fetched, k.Matches+int64(len(k.found))
	k.looked, k.fetched, k.found = 0, 0, nil
	return nil
}

// tellNow says whether a second has passed since it was told how the run stands.
func (h *hunt) tellNow(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.told) < time.Second {
		return false
	}
	h.told = now
	return true
}

// keepFound keeps matches with the departments of their mailboxes and the clusters that they are of, and says how many are new.
func (h *hunt) keepFound(ctx context.Context, t *store.Tenant, found []Match) (int, error) {
	if len(found) == 0 {
		return 0, nil
	}
	if err := departments(ctx, t, found); err != nil {
		return 0, err
	}
	if err := h.groups.sort(ctx, t, found); err != nil {
		return 0, err
	}
	for i := range found {
		if found[i].Way == "" {
			found[i].Way = "search"
		}
	}
	fresh, err := keep(ctx, t, found)
	if err != nil || len(fresh) == 0 || h.Act == nil {
		return len(fresh), err
	}
	v, err := Get(ctx, t, h.run.Investigation) // as it is now: it may have been changed since the search began
	if err != nil || v.Then.Kind == "" {
		return len(fresh), err
	}
	var certain []string
	for _, m := range fresh {
		if m.Truth == query.Yes.String() && m.Direction != "draft" {
			certain = append(certain, m.ID)
		}
	}
	if len(certain) == 0 {
		return len(fresh), nil
	}
	err = h.Act(ctx, t, v, certain)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok { // what was found is kept, and the investigation says why nothing was done
		_, err = t.Exec(ctx, `update investigation set because = $3, mend = $4 where tenant = $1 and id = $2`, v.ID, "Nothing was done with what was found: "+p.What, p.Do)
	}
	return len(fresh), err
}

func departments(ctx context.Context, t *store.Tenant, found []Match) error {
	of := map[tocsin.PersonID]string{}
	var args []any
	for _, m := range found {
		if _, ok := of[m.Person]; !ok {
			of[m.Person] = ""
			args = append(args, string(m.Person))
		}
	}
	for len(args) > 0 {
		some := args[:min(len(args), 400)]
		args = args[len(some):]
		rows, err := t.Query(ctx, `select person, department from person where tenant = $1 and person in (`+store.In(len(some), 2)+`)`, some...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id tocsin.PersonID
			var d string
			if err := rows.Scan(&id, &d); err != nil {
				return errors.Join(err, rows.Close())
			}
			of[id] = d
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	for i := range found {
		found[i].Department = of[found[i].Person]
	}
	return nil
}
