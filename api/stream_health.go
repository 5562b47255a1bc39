package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// StreamHealth is how the stream of a tenant's mail runs.
type StreamHealth struct {
	States  []StreamState `json:"states"`           // of subscriptions
	Minutes []int         `json:"minutes"`          // events of each of the last 60 minutes, the oldest first
	Hour    []StreamCount `json:"hour"`             // events of the last hour by action, most first
	Lag     []StreamLag   `json:"lag"`              // of the last hour's notifications, until they were queryable
	P50     string        `json:"p50"`              // below which half of them were: "0.5 s"; "" where there were none
	P99     string        `json:"p99"`              // below which 99 of 100 were
	Gaps    StreamGaps    `json:"gaps"`             // times of which not every change was told
	Parked  int           `json:"parked"`           // messages that could not be looked at yet
	Parking string        `json:"parking"`          // why, of the one that waits longest
	Waiting time.Time     `json:"waiting,omitzero"` // since when that one waits
	Silent  int           `json:"silent"`           // mailboxes to which nothing comes, though it should; the whole tenant is one
	Dead    int           `json:"dead"`             // given up
	Letters []Letter      `json:"letters"`          // the last of these, 20 at most
	Replica *StreamServer `json:"replica"`          // of the server that answers; null to whoever has no role on the installation
}

// StreamState is how many subscriptions are in a state: wanted, on, refused or ending.
type StreamState struct {
	State   string    `json:"state"`
	Count   int       `json:"count"`
	Expires time.Time `json:"expires,omitzero"` // the first of them
	Because string    `json:"because"`          // of one of them
}

// StreamCount is how many events of an action there were.
type StreamCount struct {
	Action string `json:"action"`
	Count  int    `json:"count"`
}

// StreamLag is how many notifications were queryable within so many milliseconds, and not within the bound before; 0: later
// than every bound.
type StreamLag struct {
	Within int64 `json:"within"`
	Count  int   `json:"count"`
}

// StreamGaps are times of which not every change was told.
type StreamGaps struct {
	Open   int `json:"open"`
	Closed int `json:"closed"`
	Found  int `json:"found"`  // events, by closing them
	Unseen int `json:"unseen"` // messages that came and went between two looks: what they were nobody can tell
}

// Letter is an item that was given up: it can be tried again.
type Letter struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	Person  tocsin.PersonID `json:"person"` // where it concerns one
	Who     string          `json:"who"`
	Because string          `json:"because"`
	At      time.Time       `json:"at"`
}

// StreamServer is how the server that answers takes part: what was posted to its webhook since it began, by what became of
// it, and how it stands with the journal's partitions.
type StreamServer struct {
	Posted     map[string]int64 `json:"posted"`  // stored, forged, unreadable, too_long, cut_off, not_stored …
	Waiting    uint64           `json:"waiting"` // messages of the journal that are not folded
	Partitions []StreamPart     `json:"partitions"`
}

// StreamPart is how a reader stands with a partition of the journal.
type StreamPart struct {
	Number  int    `json:"number"`
	Held    bool   `json:"held"`
	Folded  uint64 `json:"folded"` // items, since the server began
	Dead    uint64 `json:"dead"`
	Trouble string `json:"trouble"` // what holds it up
}

// StreamOptions are what a service needs of the server's own part in the stream.
type StreamOptions struct {
	Posted     func() map[string]int64
	Lag        func(ctx context.Context) (uint64, error)
	Partitions func() []stream.Partition
	Replay     func(ctx context.Context, tenant tocsin.TenantID, kind, subject string, body []byte) error
	Deaf       func() time.Time // since when notifications cannot be stored here; zero: they can
}

// GetStreamHealth says how the stream of a tenant's mail runs.
func (s *Service) GetStreamHealth(ctx context.Context, in In) (StreamHealth, error) {
	out, err := view(ctx, s, "stream health", in, func(ctx context.Context, t *store.Tenant, c Caller) (StreamHealth, error) {
		var h StreamHealth
		is, err := collect.CountStream(ctx, t)
		if err != nil {
			return h, err
		}
		h.stands(&is)
		if err := h.counts(ctx, t, s.now()); err != nil {
			return h, err
		}
		h.Letters, err = letters(ctx, t, 20)
		return h, err
	})
	if err != nil {
		return out, err
	}
	if c, ok := CallerOf(ctx); ok && c.Installation() != "" && s.o.Stream.Posted != nil {
		out.Replica = &StreamServer{Posted: s.o.Stream.Posted(), Partitions: []StreamPart{}}
		if out.Replica.Waiting, err = s.o.Stream.Lag(ctx); err != nil {
			return out, err
		}
		for _, p := range s.o.Stream.Partitions() {
			out.Replica.Partitions = append(out.Replica.Partitions, StreamPart{Number: p.Number, Held: p.Held, Folded: p.Folded, Dead: p.Dead, Trouble: p.Trouble})
		}
	}
	return out, nil
}

// stands takes in how the mailboxes stand.
func (h *StreamHealth) stands(is *collect.StreamCount) {
	h.States = make([]StreamState, len(is.States))
	for i, s := range is.States {
		h.States[i] = StreamState{State: s.State, Count: s.Count, Expires: tocsin.FromMillis(s.Expires), Because: s.Because}
	}
	h.Gaps = StreamGaps{Open: is.Open, Closed: is.Closed, Found: is.Found, Unseen: is.Unseen}
	h.Parked, h.Parking, h.Waiting, h.Dead, h.Silent = is.Parked, is.Parking, tocsin.FromMillis(is.Waiting), is.Dead, is.Silent
}

// counts reads the tally of the last hour.
func (h *StreamHealth) counts(ctx context.Context, t *store.Tenant, now time.Time) error {
	h.Minutes, h.Hour, h.Lag = make([]int, 60), []StreamCount{}, []StreamLag{}
	first := tocsin.Millis(now)/collect.Minute - 59
	type cell struct {
		at   int64
		what string
		n    int
	}
	q := (&query{}).add("select at, what, n from mail_tally where tenant = $1 and grain = ? and at >= ?", collect.Minute, first*collect.Minute)
	cells, err := find(ctx, t, q, func(c *cell) []any { return []any{&c.at, &c.what, &c.n} })
	if err != nil {
		return err
	}
	actions, lags := map[string]int{}, map[string]int{}
	for _, c := range cells {
		if lag, ok := strings.CutPrefix(c.what, "lag/"); ok {
			lags[lag] += c.n
			continue
		}
		actions[c.what] += c.n
		if i := c.at/collect.Minute - first; i >= 0 && i < 60 {
			h.Minutes[i] += c.n
		}
	}
	for action, n := range actions {
		h.Hour = append(h.Hour, StreamCount{action, n})
	}
	slices.SortFunc(h.Hour, func(a, b StreamCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Action, b.Action))
	})
	for _, b := range collect.LagBounds {
		h.Lag = append(h.Lag, StreamLag{b, lags[strconv.FormatInt(b, 10)]})
	}
	h.Lag = append(h.Lag, StreamLag{0, lags[collect.LagMore]})
	if below, more, ok := collect.LagBelow(lags, 50); ok {
		h.P50 = lagWords(below, more)
	}
	if below, more, ok := collect.LagBelow(lags, 99); ok {
		h.P99 = lagWords(below, more)
	}
	return nil
}

func lagWords(ms int64, more bool) string {
	if more {
		return "more than " + LagWord(ms)
	}
	return LagWord(ms)
}

// LagWord is a bound of the lag in words.
func LagWord(ms int64) string {
	if ms >= 60_000 {
		return strconv.FormatInt(ms/60_000, 10) + " min"
	}
	return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) + " s"
}

func letters(ctx context.Context, t *store.Tenant, limit int) ([]Letter, error) {
	type row struct {
		Letter
		at int64
	}
	q := (&query{}).add("select id, kind, subject, because, at from dead_letter where tenant = $1 order by at desc, id limit ?", limit)
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.ID, &r.Kind, &r.Person, &r.Because, &r.at} })
	if err != nil {
		return nil, err
	}
	people := map[tocsin.PersonID]bool{}
	for _, r := range rows {
		people[r.Person] = true
	}
	names, err := namesOf(ctx, t, people)
	out := make([]Letter, len(rows))
	for i, r := range rows {
		r.At, r.Who = tocsin.FromMillis(r.at), names[r.Person].address
		if r.Who == "" {
			r.Person = ""
		}
		out[i] = r.Letter
	}
	return out, err
}

// ReplayLetter tries again what was given up: it is put where what comes now is put.
func (s *Service) ReplayLetter(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "letters replay", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		var kind, subject string
		var body []byte
		err := t.QueryRow(ctx, `select kind, subject, body from dead_letter where tenant = $1 and id = $2`, in.ID).Scan(&kind, &subject, &body)
		if errors.Is(err, store.ErrNone) {
			return None{}, notFound("item that was given up")
		}
		if err != nil {
			return None{}, err
		}
		if s.o.Stream.Replay == nil {
			return None{}, tocsin.Problemf(tocsin.Unavailable, "Ask the server that collects.", "Nothing can be tried again here.")
		}
		if err := s.o.Stream.Replay(ctx, t.ID(), kind, subject, body); err != nil {
			return None{}, err
		}
		if _, err := t.Exec(ctx, `delete from dead_letter where tenant = $1 and id = $2`, in.ID); err != nil {
			return None{}, err
		}
		return None{}, t.Append(ctx, store.Fact{Kind: "letter.replayed", Subject: in.ID, Actor: c.Email})
	})
}
