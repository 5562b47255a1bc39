package collect

import (
	"context"
	"errors"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
)

// A partition holds the mail of several tenants, and a run of it is folded when all its looks are taken. So that a tenant
// whose Graph is down holds up nobody but itself, a run waits for each tenant only so long; what is not answered by then is
// parked, and is looked at by [Opener.Wake], which runs for each tenant by itself and waits for as long as it takes. Where
// there is one tenant only, runs wait: what is not read yet lies in the journal.
const (
	patience     = 5 * time.Second  // of a run with a tenant that was answered so far
	lessPatience = time.Second      // with one that was not
	apartFor     = 30 * time.Second // after that a run tries again
	aloneAfter   = 10 * time.Minute // that nothing of another tenant was looked at here
)

const slowly = "Microsoft Graph takes long to answer for this tenant, and others are not to wait for it."

var errSlow = tocsin.Problemf(tocsin.Unavailable, "It is looked at again by itself, apart from other tenants.", slowly)

// paces is how each tenant's Graph answers.
type paces struct {
	mu sync.Mutex
	of map[tocsin.TenantID]*pace
}

type pace struct {
	seen  time.Time // something of it was to be looked at
	slow  bool      // when it was asked last
	until time.Time // no run asks it before
}

// may is how long a run waits for a tenant: zero for as long as it takes. rests says that it is not asked now.
func (p *paces) may(tenant tocsin.TenantID, now time.Time) (limit time.Duration, rests bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[tocsin.TenantID]*pace{}
	}
	is := p.of[tenant]
	if is == nil {
		is = &pace{}
		p.of[tenant] = is
	}
	is.seen = now
	others := false
	for id, other := range p.of {
		others = others || id != tenant && now.Sub(other.seen) < aloneAfter
	}
	switch {
	case !others:
		return 0, false
	case is.slow:
		return lessPatience, now.Before(is.until)
	}
	return patience, false
}

// note takes in how a tenant was answered.
func (p *paces) note(tenant tocsin.TenantID, now time.Time, slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if is := p.of[tenant]; is != nil {
		is.slow, is.until = slow, now.Add(apartFor)
	}
}

// ask asks Graph, in a run for no longer than others may be held up. Results are as [graph.Client.BatchOf] gives them.
func (t *opening) ask(ctx context.Context, client *graph.Client, parts []graph.Part) ([]graph.Result, error) {
	began, within := time.Now(), ctx
	if t.limit > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeoutCause(ctx, t.limit, errSlow)
		defer cancel()
	}
	results, err := client.BatchOf(within, t.batch, parts)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	lacking := 0
	for i := range results {
		_, down := errors.AsType[*graph.Unavailable](results[i].Err)
		down = down || errors.Is(results[i].Err, context.DeadlineExceeded)
		if down && context.Cause(within) == error(errSlow) {
			results[i].Err = errSlow
		}
		if down || errors.Is(results[i].Err, errSlow) {
			lacking++
		}
	}
	took := time.Since(began)
	t.o.paces.note(t.tenant, t.now, lacking > len(parts)/2 && took > lessPatience/2 || t.apart && took > patience)
	return results, err
}

// lookApart looks at what is parked of some mailboxes of a tenant that no run waits for, and puts what it finds into the journal.
func (o *Opener) lookApart(ctx context.Context, j *journal.Journal, tenant tocsin.TenantID, items []journal.Item) error {
	t := &opening{o: o, tenant: tenant, apart: true, boxes: map[tocsin.PersonID]*openBox{}}
	for i := range items {
		t.take(i, &items[i])
	}
	made, err := t.open(ctx)
	if err != nil {
		return err
	}
	out := make([]journal.Item, len(items))
	for i, it := range made {
		if it.Body, err = encode(it.Made); err != nil {
			return err
		}
		it.Made = nil
		out[i] = it
	}
	return j.Append(ctx, out...)
}
