package graph

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
)

// Change is an element of a delta round.
type Change[T any] struct {
	Value   T
	ID      string
	Removed string          // the reason when it is gone, "deleted" or "changed"; for a message also when it was moved away
	Raw     json.RawMessage // as it came
}

// Round is one round of a delta query: everything, or what changed since a token. Graph may repeat a change and give
// changes in any order. https://learn.microsoft.com/graph/delta-query-overview
type Round[T any] struct {
	read  func() iter.Seq2[page, error]
	c     *Client
	call  string
	p     P
	from  string
	next  string
	token string
}

// Delta is a round from token on, which an earlier round's Token or Progress gave; "" begins with everything there is.
// The caller stores tokens. They are Graph's links, opaque and bound to its address.
func Delta[T any](ctx context.Context, c *Client, call string, p P, token string) *Round[T] {
	r := &Round[T]{c: c, call: call, p: p, from: token}
	r.read = func() iter.Seq2[page, error] { return r.pages(ctx) }
	return r
}

// Token is where the next round begins; "" until All has been taken to its end without an error.
func (r *Round[T]) Token() string { return r.token }

// Progress is where this round goes on after the page last begun: a round over 100,000 people need not start over after
// a restart, when what All gave before a page is stored with the Progress read then. "" before the first page.
func (r *Round[T]) Progress() string { return r.next }

// All gives the changes. An error is the last thing it gives; [Gone] says that the token has expired, and the round must
// begin with "". A token of another server counts as expired: nothing is sent there.
func (r *Round[T]) All() iter.Seq2[Change[T], error] {
	return func(yield func(Change[T], error) bool) {
		r.token, r.next = "", ""
		for pg, err := range r.read() {
			if err != nil {
				yield(Change[T]{}, err)
				return
			}
			r.next = pg.Next
			for _, raw := range *pg.Value {
				if isNull(raw) {
					continue
				}
				ch, err := change[T](Find(r.call), raw)
				if !yield(ch, err) || err != nil {
					return
				}
			}
			r.token = pg.Delta
		}
	}
}

// Pages is All, a page at a time: when one is given, Progress is where the round goes on behind it, and Token is set where it is the last.
func (r *Round[T]) Pages() iter.Seq2[[]Change[T], error] {
	return func(yield func([]Change[T], error) bool) {
		r.token, r.next = "", ""
		for pg, err := range r.read() {
			if err != nil {
				yield(nil, err)
				return
			}
			r.next, r.token = pg.Next, pg.Delta
			all := make([]Change[T], 0, len(*pg.Value))
			for _, raw := range *pg.Value {
				if isNull(raw) {
					continue
				}
				ch, err := change[T](Find(r.call), raw)
				if err != nil {
					yield(nil, err)
					return
				}
				all = append(all, ch)
			}
			if !yield(all, nil) {
				return
			}
		}
	}
}

// AllOver is All that begins again with everything when the token has expired; over is called then, before the first
// change of the new beginning: what the caller holds and does not see again is gone.
func (r *Round[T]) AllOver(over func(*Gone) error) iter.Seq2[Change[T], error] {
	return func(yield func(Change[T], error) bool) {
		for again := r.from != ""; ; again = false {
			var gone *Gone
			for ch, err := range r.All() {
				if g, ok := errors.AsType[*Gone](err); ok && again {
					gone = g
					break
				}
				if !yield(ch, err) {
					return
				}
			}
			if gone == nil {
				return
			}
			if err := over(gone); err != nil {
				yield(Change[T]{}, err)
				return
			}
			r.from = ""
		}
	}
}

// pages are the round's, the last of which has a deltaLink that leads back to the same server.
func (r *Round[T]) pages(ctx context.Context) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		req, err := r.c.request(r.call, r.p)
		if err != nil {
			yield(page{}, err)
			return
		}
		if r.from != "" {
			if _, err := r.c.link(req.call, r.from); err != nil {
				yield(page{}, &Gone{Where: Where{Call: r.call}, Code: "foreignToken"})
				return
			}
			req.url = r.from
		}
		for pg, err := range r.c.pages(ctx, req) {
			if err == nil {
				err = r.ends(req.call, pg)
			}
			if !yield(pg, err) || err != nil {
				return
			}
		}
	}
}

func (r *Round[T]) ends(call Call, pg page) error {
	if pg.Delta != "" {
		_, err := r.c.link(call, pg.Delta)
		return err
	}
	if pg.Next == "" {
		return &Unavailable{Where: Where{Call: call.Name}, What: "the round ends without a delta link"}
	}
	return nil
}

func change[T any](call Call, raw json.RawMessage) (Change[T], error) {
	var head struct {
		ID      string `json:"id"`
		Removed *struct {
			Reason string `json:"reason"`
		} `json:"@removed"`
	}
	ch := Change[T]{Raw: raw}
	if err := json.Unmarshal(raw, &head); err != nil {
		return ch, &Unavailable{Where: Where{Call: call.Name}, What: "a change does not read as expected: " + jsonFault(err)}
	}
	ch.ID = head.ID
	if head.Removed != nil {
		ch.Removed = or(head.Removed.Reason, "deleted")
	}
	var err error
	ch.Value, err = element[T](call, raw)
	return ch, err
}
