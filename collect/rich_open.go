package collect

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// What becomes of what Graph sends encrypted.
const (
	RichOpened  = iota // it is as good as a look
	RichNoKey          // it was encrypted for a certificate that is not ours, or not any more
	RichSealed         // it does not open, or was changed on the way
	RichLacking        // it opens, and is no message, or not enough of one
	richCounts
)

// RichNames are the counts' names, in metrics.
var RichNames = [richCounts]string{"opened", "no_key", "sealed", "lacking"}

// Rich counts what became of what Graph sends encrypted, since the process began. What is not opened is looked at instead.
type Rich struct {
	counts [richCounts]atomic.Int64
}

// Count is how often something became of it.
func (r *Rich) Count(what int) int64 { return r.counts[what].Load() }

// brought is a notification that brings what changed.
type brought struct {
	box     *openBox
	look    mailLook
	content *graph.EncryptedContent
	what    int // RichOpened, …
}

// unseal opens what Graph sent encrypted, on all cores: the messages in it count as looked at, in the order in which they came.
// Those that cannot be opened are wanted like any other. Its error is the store's or ctx's.
func (t *opening) unseal(ctx context.Context) error {
	var some []*brought
	for i := range t.brought {
		if b := &t.brought[i]; t.o.Certificates != nil && b.box.rich && !b.box.waits && b.box.object != "" {
			some = append(some, b)
		} else {
			b.box.want(b.look)
		}
	}
	if len(some) == 0 {
		return nil
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, b := range some {
		key, err := t.o.Certificates.Key(ctx, b.content.CertificateID)
		if _, lost := errors.AsType[*tocsin.Problem](err); err != nil && !lost {
			return errors.Join(err, g.Wait())
		}
		if key == nil {
			b.what = RichNoKey
			continue
		}
		g.Go(func() error {
			b.open(b.content.Open(key))
			return inner.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	lost := 0
	for _, b := range some {
		t.o.Rich.counts[b.what].Add(1)
		if b.what == RichOpened {
			b.box.told = append(b.box.told, b.look)
			continue
		}
		lost++
		b.box.want(b.look)
	}
	if lost > 0 {
		t.o.Log.Warn("what Microsoft Graph sent could not be opened, so the messages are looked at", "tenant", t.tenant, "count", lost, "of", len(some))
	}
	return nil
}

// open takes in what the content is. A message without what it is compared by is as good as none.
func (b *brought) open(raw json.RawMessage, err error) {
	var m graph.Message
	switch {
	case err != nil:
		b.what = RichSealed
	case json.Unmarshal(raw, &m) != nil || m.ParentFolderID == "" || m.LastModifiedDateTime.IsZero() || m.IsRead == nil || m.IsDraft == nil:
		b.what = RichLacking
	default:
		m.ID = b.look.ID // the one that it is known by, in whatever form the content has it
		seen := mailOf(&m)
		b.look.Message, b.look.Rich, b.what = &seen, true, RichOpened
	}
}
