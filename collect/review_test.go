package collect

import (
	"context"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TestDecidedMeanwhile: what an analyst decides between the fold's reading of a finding and its writing is not undone.
func TestDecidedMeanwhile(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.rules(amy, forwards("r1", "Pay", "drop@evil.example"))
		row := func() (h filed, x tocsin.Finding) {
			b.inTenant(func(ctx context.Context, t *store.Tenant) error {
				return t.QueryRow(ctx, `select id, rule, body, status, accepted_until from finding where tenant = $1`).Scan(&h.id, &h.rule, &h.body, &h.status, &h.until)
			})
			return h, tocsin.Finding{ID: h.id, Rule: h.rule, Person: amy, Title: tocsin.NewID(), Severity: tocsin.High}
		}
		meets := func(what string, h filed, act func(context.Context, *filing) error, want, history string) {
			b.st.Clock().Advance(time.Millisecond)
			b.Helper()
			b.inTenant(func(ctx context.Context, t *store.Tenant) error {
				f := &filing{t: t, now: b.st.Clock().Now()}
				if err := act(ctx, f); err != nil {
					return err
				}
				return f.write(ctx)
			})
			b.expect(what, "forward-outside", want, history)
		}
		for _, decided := range []tocsin.Status{tocsin.Accepted, tocsin.FalseAlarm} {
			b.exec(`update finding set status = 'open', accepted_until = 0 where tenant = $1`)
			b.exec(`delete from finding_change where tenant = $1`)
			h, x := row()
			b.decide("forward-outside", decided, b.st.Clock().Now().Add(time.Hour))
			meets("gone", h, func(ctx context.Context, f *filing) error { return f.gone(ctx, h) }, string(decided), "")
			meets("again", h, func(ctx context.Context, f *filing) error { return f.again(ctx, &x, h) }, string(decided), "updated")
			h.status = string(tocsin.Fixed)
			meets("back", h, func(ctx context.Context, f *filing) error { return f.again(ctx, &x, h) }, string(decided), "updated")
		}
		// Taken into work meanwhile, it is fixed all the same; accepted anew after the end, it stays.
		h, _ := row()
		b.decide("forward-outside", tocsin.InWork, time.Time{})
		meets("in work", h, func(ctx context.Context, f *filing) error { return f.gone(ctx, h) }, "fixed", "updated fixed")
		b.decide("forward-outside", tocsin.Accepted, b.st.Clock().Now().Add(-time.Minute))
		h, x := row()
		b.decide("forward-outside", tocsin.Accepted, b.st.Clock().Now().Add(time.Hour))
		meets("accepted anew", h, func(ctx context.Context, f *filing) error { return f.again(ctx, &x, h) }, "accepted", "updated fixed")
	})
}

func (b *bed) inTenant(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error { return do(b.Context(), t) }); err != nil {
		b.Fatal(err)
	}
}
