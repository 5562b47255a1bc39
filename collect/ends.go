package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ends is the name of the cursor that says until when ends were told, in Unix milliseconds.
const ends = "ends/"

// TellEnds tells as facts, in every tenant, what has ended by itself as time passed, so that it is judged anew: the
// acceptance of a finding, an exception, the trust in a partner, the memory of a rule's change or deletion. Nobody else
// would look before something else changes. It is to be called each minute or so, whether a collector runs or not; one
// tenant's trouble is not the others'. Of two that call it at once, one tells.
func TellEnds(ctx context.Context, st *store.Store) error {
	var all []tocsin.TenantID
	err := st.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tenants(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for _, id := range all {
		err := st.UpdateTenant(ctx, id, func(t *store.Tenant) error { return tellEnds(ctx, t) })
		if err != nil && !errors.Is(err, store.ErrLost) {
			failed = errors.Join(failed, fmt.Errorf("tell what has ended in %s: %w", id, err))
		}
	}
	return failed
}

// tellEnds tells what ended since it was called last.
func tellEnds(ctx context.Context, t *store.Tenant) error {
	name, now := ends+string(t.ID()), tocsin.Millis(t.Tx().Clock().Now())
	since, err := t.Tx().Cursor(ctx, name, 0)
	if err != nil || since >= now {
		return err
	}
	var facts []store.Fact
	for _, end := range []struct {
		kind, query string
		lasting     time.Duration // from the time that the query asks for until the end
	}{
		{"finding.lapsed", `select id, person from finding where tenant = $1 and status = 'accepted' and accepted_until > $2 and accepted_until <= $3 order by id`, 0},
		{"finding.lapsed", `select f.id, f.person from finding f join mail_rule r on r.tenant = f.tenant and r.person = f.person and r.id = f.subject
			where f.tenant = $1 and f.status in ('open', 'in_work') and r.changed > $2 and r.changed <= $3 order by f.id`, remembered},
		{"exception.changed", `select id, '' from exception where tenant = $1 and expires > $2 and expires <= $3 order by id`, 0},
		{"settings.changed", `select domain, '' from partner where tenant = $1 and expires > $2 and expires <= $3 order by domain`, 0},
	} {
		err := each(ctx, t, func(scan func(...any) error) error {
			f := store.Fact{Kind: end.kind, Body: []byte(`{"what":"ended"}`)}
			err := scan(&f.Subject, &f.Person)
			facts = append(facts, f)
			return err
		}, end.query, since-end.lasting.Milliseconds(), now-end.lasting.Milliseconds())
		if err != nil {
			return err
		}
	}
	for _, f := range facts {
		if err := t.Append(ctx, f); err != nil {
			return err
		}
	}
	return t.Tx().MoveCursor(ctx, name, 0, since, now)
}
