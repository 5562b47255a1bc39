package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Arrivals is the body of the fact mail.changed: what a run of the journal's reader brought of a tenant's mail. Events of a
// run bear its number, so who follows the facts finds them all; who only wants to show something takes a few.
type Arrivals struct {
	Count   int            `json:"count"`
	Run     int64          `json:"run,omitempty"`
	Actions map[string]int `json:"actions,omitempty"` // how many of each
	Lag     map[string]int `json:"lag,omitempty"`     // how many notifications took less than so many milliseconds until they were folded
	LagMS   int64          `json:"lag_ms,omitempty"`  // of all these together
	Some    []string       `json:"some,omitempty"`    // ids of events, picked at random, [SomeArrivals] at most
}

// SomeArrivals is how many events a fact names.
const SomeArrivals = 20

// LagBounds are the upper bounds of the times that are told apart between a notification's coming and its fold, in
// milliseconds; what took longer counts to [LagMore].
var LagBounds = []int64{100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000}

// LagMore is the name of what took longer than the last of [LagBounds].
const LagMore = "more"

func lagName(ms int64) string {
	for _, b := range LagBounds {
		if ms <= b {
			return strconv.FormatInt(b, 10)
		}
	}
	return LagMore
}

// LagBelow is the bound below which so many of 100 are of what a tally counted under the names of [Arrivals.Lag]; more says
// that it is above the last bound, which is given. It is not ok where nothing was counted.
func LagBelow(lag map[string]int, percent int) (ms int64, more, ok bool) {
	all, sum := 0, 0
	for _, n := range lag {
		all += n
	}
	for _, b := range LagBounds {
		if sum += lag[strconv.FormatInt(b, 10)]; all > 0 && sum*100 >= all*percent {
			return b, false, true
		}
	}
	return LagBounds[len(LagBounds)-1], true, all > 0
}

// newRunNumber grows with time and is never the same twice, as far as 16 bits of chance go.
func newRunNumber(now time.Time) int64 { return tocsin.Millis(now)<<16 | int64(rand.N(1<<16)) }

// came takes an event in.
func (a *Arrivals) came(id, action string) {
	if a.Actions == nil {
		a.Actions = map[string]int{}
	}
	a.Count++
	a.Actions[action]++
	if len(a.Some) < SomeArrivals {
		a.Some = append(a.Some, id)
	} else if i := rand.N(a.Count); i < SomeArrivals {
		a.Some[i] = id
	}
}

func (a *Arrivals) took(ms int64) {
	if a.Lag == nil {
		a.Lag = map[string]int{}
	}
	a.Lag[lagName(ms)]++
	a.LagMS += max(ms, 0)
}

// Known is how an event came to be known. Times are Unix milliseconds.
type Known struct {
	By      string `json:"by"`                // told, caught_up
	Because string `json:"because,omitempty"` // of caught_up: what the look was for
	Noticed int64  `json:"noticed,omitempty"` // the webhook took it
	Looked  int64  `json:"looked,omitempty"`  // the message was asked for
	Folded  int64  `json:"folded"`
	Waited  bool   `json:"waited,omitempty"` // it could not be looked at at once
	Named   int    `json:"named,omitempty"`  // how many notifications of the run named the message
	Change  string `json:"change,omitempty"` // what Microsoft said: created, updated, deleted
	Etag    string `json:"etag,omitempty"`
	Sub     string `json:"subscription,omitempty"`
}

func knownOf(l *mailLook, gap *mailSpan, now int64) Known {
	k := Known{By: "told", Noticed: l.At, Looked: l.Looked, Folded: now, Waited: l.Waited, Named: l.Named, Change: l.Change, Etag: l.Etag, Sub: l.Sub}
	if gap != nil {
		k = Known{By: "caught_up", Because: gap.Because, Looked: l.At, Folded: now}
	}
	return k
}

// The grains of the tally, in milliseconds.
const (
	Minute = int64(time.Minute / time.Millisecond)
	Hour   = int64(time.Hour / time.Millisecond)
)

// Tally counts what the facts tell of mail, by the minute and by the hour. It is a step of [stream.Fold].
func Tally(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
	type cell struct {
		grain, at int64
		what      string
	}
	sums := map[tocsin.TenantID]map[cell]int{}
	for _, f := range facts {
		if f.Kind != "mail.changed" {
			continue
		}
		var a Arrivals
		if err := json.Unmarshal(f.Body, &a); err != nil {
			return fmt.Errorf("fact %d/%d: %w", f.Lane, f.N, err)
		}
		if sums[f.Tenant] == nil {
			sums[f.Tenant] = map[cell]int{}
		}
		at := tocsin.Millis(f.At)
		for _, grain := range []int64{Minute, Hour} {
			for what, n := range a.Actions {
				sums[f.Tenant][cell{grain, at / grain * grain, what}] += n
			}
			for what, n := range a.Lag {
				sums[f.Tenant][cell{grain, at / grain * grain, "lag/" + what}] += n
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		t := tx.Tenant(id)
		known, err := t.Known(ctx)
		if err != nil {
			return err
		}
		if !known {
			continue // erased meanwhile
		}
		for c, n := range sums[id] {
			_, err := t.Exec(ctx, `insert into mail_tally (tenant, grain, at, what, n) values ($1, $2, $3, $4, $5)
				on conflict (tenant, grain, at, what) do update set n = mail_tally.n + excluded.n`, c.grain, c.at, c.what, n)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
