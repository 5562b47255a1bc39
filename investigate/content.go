package investigate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"tocsin.dev/graph"
	"tocsin.dev/mail"
	"tocsin.dev/query"
)

// counter counts requests.
type counter struct{ n atomic.Int64 }

func (c *counter) add(n int) { c.n.Add(int64(n)) }

// candidate is a message that its envelope leaves open.
type candidate struct {
	k      *task
	v      *envelope
	folder int
	doc    *query.Doc
	need   query.Need
	why    []string
	gone   bool
}

// How many messages are read together, and how many whole ones at a time.
const (
	readTogether = 100
	wholeAtOnce  = 8
)

// decide reads of each candidate what is cheapest and may decide, until all are.
func (h *hunt) decide(ctx context.Context, all []*candidate, calls *counter) error {
	for some := range slices.Chunk(all, readTogether) {
		for _, o := range some {
			o.k.fetched++
		}
		for len(some) > 0 {
			var open []*candidate
			for _, o := range some {
				if o.gone {
					continue
				}
				truth, why := h.query.Match(o.doc)
				o.why, o.need = why, 0
				switch {
				case truth == query.Yes:
					o.k.found = append(o.k.found, o.v.match(&o.k.Box, h.run, o.folder, truth, why, o.doc))
				case truth == query.No:
				default:
					if o.need = h.query.Needs(o.doc); o.need == 0 {
						h.unknown(o, why)
						continue
					}
					open = append(open, o)
				}
			}
			if err := h.read(ctx, open, calls); err != nil {
				return err
			}
			some = open
		}
	}
	return nil
}

// read reads what is needed of each next.
func (h *hunt) read(ctx context.Context, all []*candidate, calls *counter) error {
	var texts, lists, wholes []*candidate
	for _, o := range all {
		switch {
		case o.need&(query.Headers|query.Body) != 0:
			texts = append(texts, o)
		case o.need&query.Attachments != 0: // also where Graph says that it has none: what is inline does not count to those, and is in the mail itself
			lists = append(lists, o)
		default:
			wholes = append(wholes, o)
		}
	}
	if err := h.batch(ctx, "messages.content", texts, calls, func(o *candidate, r graph.Result) error {
		var c content
		if err := decode(r, &c); err != nil {
			return err
		}
		c.read(o.doc)
		return nil
	}); err != nil {
		return err
	}
	if err := h.batch(ctx, "messages.attachments", lists, calls, func(o *candidate, r graph.Result) error {
		list, err := graph.List[listedFile](r)
		if err == nil {
			files(o.doc, list, h.sized)
		}
		return err
	}); err != nil {
		return err
	}
	return h.mime(ctx, wholes, calls)
}

// batch makes a call of each, and takes in what came.
func (h *hunt) batch(ctx context.Context, call string, all []*candidate, calls *counter, take func(*candidate, graph.Result) error) error {
	if len(all) == 0 {
		return nil
	}
	parts := make([]graph.Part, len(all))
	for i, o := range all {
		parts[i] = graph.Part{Call: call, P: graph.P{"user": o.k.Object, "message": o.v.ID}}
	}
	results, err := h.way.Graph.Batch(ctx, parts)
	calls.add(len(parts))
	if err != nil {
		return err
	}
	for i, r := range results {
		err := r.Err
		if err == nil {
			err = take(all[i], r)
		}
		if err := h.unread(ctx, all[i], err); err != nil {
			return err
		}
	}
	return nil
}

// mime reads messages whole: what is in their attachments.
func (h *hunt) mime(ctx context.Context, all []*candidate, calls *counter) error {
	if len(all) == 0 {
		return nil
	}
	errs := make([]error, len(all))
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(wholeAtOnce)
	for i, o := range all {
		g.Go(func() error {
			var raw []byte
			errs[i] = h.way.Graph.Get(inner, "messages.mime", graph.P{"user": o.k.Object, "message": o.v.ID}, &raw)
			if errs[i] == nil {
				o.doc.Merge(mail.Parse(raw))
			}
			return nil
		})
	}
	_ = g.Wait() // each has its own error
	calls.add(len(all))
	for i, o := range all {
		if errs[i] == nil {
			continue
		}
		if u, ok := errors.AsType[*graph.Unavailable](errs[i]); ok && strings.HasPrefix(u.What, "the answer is longer") {
			o.gone = true // it is decided: nobody can tell
			h.unknown(o, append(o.why, "the message is too large to be read"))
			continue
		}
		if err := h.unread(ctx, o, errs[i]); err != nil {
			return err
		}
	}
	return nil
}

// unread takes in that a message could not be read: one that is gone is no match, one that fails for a passing reason has its
// mailbox searched again. What lasts is given back.
func (h *hunt) unread(ctx context.Context, o *candidate, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || lasts(err) != nil {
		return err
	}
	o.gone = true
	if _, gone := errors.AsType[*graph.NotFound](err); !gone {
		o.k.err = err
	}
	return nil
}
