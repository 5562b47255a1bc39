package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Canary is how long it takes from a mailbox into the tables, as it was measured in the last day.
type Canary struct {
	Mailbox string    `json:"mailbox"` // in which drafts are made and deleted; empty: only busy mailboxes are looked at
	Version int64     `json:"version"`
	Heard   time.Time `json:"heard,omitzero"` // the last canary that was told of
	P50     float64   `json:"p50_seconds"`
	P99     float64   `json:"p99_seconds"`
	Tries   int       `json:"tries"`   // that were told of, and how soon is known
	Because string    `json:"because"` // why the last one was not told of; empty where it was
	Mend    string    `json:"mend"`
}

// CanaryNew is in which mailbox the canary makes its drafts.
type CanaryNew struct {
	Mailbox string `json:"mailbox" maxLength:"320" doc:"An address in which a draft is made every few minutes, and deleted for good when it was told of; empty: none. It needs Mail.ReadWrite of a connection to act"`
	Version int64  `json:"version" doc:"As it was read"`
}

// SetCanaryIn sets it.
type SetCanaryIn struct {
	In
	Key
	Body CanaryNew
}

// canaryOf reads what the canaries of the last day told.
func canaryOf(ctx context.Context, t *store.Tenant, now time.Time) (Canary, error) {
	var out Canary
	err := t.QueryRow(ctx, `select mailbox, version from canary where tenant = $1`).Scan(&out.Mailbox, &out.Version)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return out, err
	}
	q := (&query{}).add("select heard, lag, because, mend from canary_try where tenant = $1 and at >= ? and (heard > 0 or because <> '') order by at desc, id desc limit 5000", tocsin.Millis(now.Add(-24*time.Hour)))
	type row struct {
		heard, lag    int64
		because, mend string
	}
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.heard, &r.lag, &r.because, &r.mend} })
	if err != nil {
		return out, err
	}
	var lags []int64
	for i, r := range rows {
		if i == 0 {
			out.Because, out.Mend = r.because, r.mend
		}
		if r.heard > 0 && out.Heard.IsZero() {
			out.Heard = tocsin.FromMillis(r.heard)
		}
		if r.heard > 0 && r.lag >= 0 {
			lags = append(lags, r.lag)
		}
	}
	slices.Sort(lags)
	at := func(part int) float64 { return float64(lags[min(len(lags)-1, len(lags)*part/100)]) / 1000 }
	if out.Tries = len(lags); out.Tries > 0 {
		out.P50, out.P99 = at(50), at(99)
	}
	return out, nil
}

// SetCanary names the mailbox of the canary, or takes it away.
func (s *Service) SetCanary(ctx context.Context, in SetCanaryIn) (Canary, error) {
	return act(ctx, s, "canary set", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Canary, error) {
		address := tocsin.CanonicalAddress(in.Body.Mailbox)
		person := ""
		if address != "" {
			err := t.QueryRow(ctx, `select a.person from person_address a join person p on p.tenant = a.tenant and p.person = a.person
				where a.tenant = $1 and a.address = $2 and p.deleted = 0 order by a.person limit 1`, address).Scan(&person)
			if errors.Is(err, store.ErrNone) {
				return Canary{}, invalid("Name the address of a mailbox of this tenant; Mailboxes lists them.", "There is no mailbox %s here.", address)
			}
			if err != nil {
				return Canary{}, err
			}
		}
		n, err := t.Exec(ctx, `insert into canary (tenant, mailbox, person, version) select $1, cast($2 as text), cast($3 as text), 1 where cast($4 as bigint) = 0
			on conflict (tenant) do nothing`, address, person, in.Body.Version)
		if err == nil && n == 0 {
			n, err = t.Exec(ctx, `update canary set mailbox = $2, person = $3, version = version + 1 where tenant = $1 and version = $4`, address, person, in.Body.Version)
		}
		if err != nil {
			return Canary{}, err
		}
		if n == 0 {
			return Canary{}, tocsin.Problemf(tocsin.Conflict, "Read it again, then change it.", "Somebody changed the canary meanwhile.")
		}
		if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'canary'`); err != nil {
			return Canary{}, err
		}
		if err := t.Append(ctx, store.Fact{Kind: "settings.changed", Subject: "canary"}); err != nil {
			return Canary{}, err
		}
		return canaryOf(ctx, t, s.now())
	})
}
