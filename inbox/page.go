package inbox

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// batchOf is a page as it was read: next is where the round goes on behind it, end its token where it is the last.
type batchOf struct {
	all       []told
	next, end string
	err       error
}

// pages takes in a round page by page, at most so many where most is not 0, and reads the next while one is written. note writes down how far
// it came, in the same transaction.
func (b *box) pages(ctx context.Context, f *folder, from string, most int, note func(t *store.Tenant, next, end string, all []told) error) (n int, err error) {
	ctx, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	read := make(chan batchOf, 1)
	reading.Go(func() {
		defer close(read)
		b.readPages(ctx, f, from, most, read)
	})
	for pg := range read {
		if pg.err != nil {
			return n, pg.err
		}
		err := b.update(ctx, func(t *store.Tenant) error {
			p, err := b.take(ctx, t, f.id, pg.all)
			if err != nil {
				return err
			}
			n += p.changed
			b.e.Counts.add("mails", int64(len(pg.all)))
			return note(t, pg.next, pg.end, pg.all)
		})
		if err == nil {
			err = b.e.point("page")
		}
		if err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}

// smaller is the number of mails of the next smaller page; 0 is as many as the call wants.
func smaller(size int) int {
	if size == 0 {
		return 10
	}
	return 1
}

// readPages reads a round from where it stands, page by page, and what Graph does not tell of its mails in it. A page that is too long to be
// taken in, because long mails stand together, is asked for in smaller ones, in the end mail by mail.
func (b *box) readPages(ctx context.Context, f *folder, from string, most int, out chan<- batchOf) {
	give := func(pg batchOf) bool {
		if pg.err == nil {
			pg.err = b.enrich(ctx, pg.all)
		}
		select {
		case out <- pg:
			return pg.err == nil
		case <-ctx.Done():
			return false
		}
	}
	for pages, size, small := 0, 0, 0; ; {
		of := ctx
		if size > 0 {
			of = graph.WithPage(ctx, size)
		}
		r, other := b.round(of, f, from), false
		for all, err := range r.Pages() {
			if size != 1 && graph.TooLong(err) {
				size, small, other = smaller(size), 0, true
				break
			}
			if err != nil {
				give(batchOf{err: err})
				return
			}
			from = r.Progress()
			pg := batchOf{next: from, end: r.Token()}
			for _, ch := range all {
				w := told{wire: ch.Value, left: ch.Removed != ""}
				w.ID = ch.ID
				pg.all = append(pg.all, w)
			}
			if pages++; !give(pg) || most > 0 && pages >= most {
				return
			}
			if small++; size > 0 && small >= 10 && pg.end == "" { // as many as the page that was too long: larger ones again
				size, small, other = map[int]int{1: 10}[size], 0, true
				break
			}
		}
		if !other {
			return
		}
	}
}

// enrich asks for what a page does not tell of mails that are new: all of one of which a part was told, and the names of files.
func (b *box) enrich(ctx context.Context, all []told) error {
	var fresh []*told
	err := b.e.Store.ViewTenant(ctx, b.tenant, func(t *store.Tenant) error {
		known, err := (&pass{box: b, t: t}).known(ctx, all)
		for i := range all {
			if w := &all[i]; !w.left && !w.draft() && known[w.ID] == nil {
				fresh = append(fresh, w)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := b.ask(ctx, "messages.inbox.get", fresh, func(w *told) bool { return !w.whole() }, func(w *told, r graph.Result) error {
		var whole wire
		if json.Unmarshal(r.Body, &whole) != nil {
			return &graph.Unavailable{What: "a message does not read as expected"}
		}
		if whole.Headers == nil { // it has none: it was never sent
			whole.Headers = []field{}
		}
		w.wire = whole
		return nil
	}); err != nil {
		return err
	}
	return b.ask(ctx, "attachments.list", fresh, (*told).files, func(w *told, r graph.Result) error {
		list, err := graph.List[wireFile](r)
		for _, a := range list {
			w.attachments = append(w.attachments, a.file())
		}
		return err
	})
}

// files says whether files may be in a mail: hasAttachments is false where all of them stand in its text.
func (w *told) files() bool {
	return w.Attached != nil && *w.Attached || w.Body != nil && strings.Contains(strings.ToLower(w.Body.Content), "cid:")
}

// ask makes a call for each that wants it. A mail that is gone meanwhile is left out: its going is told next.
func (b *box) ask(ctx context.Context, call string, all []*told, wants func(*told) bool, got func(*told, graph.Result) error) error {
	var parts []graph.Part
	var of []*told
	for _, w := range all {
		if wants(w) {
			parts, of = append(parts, graph.Part{Call: call, P: graph.P{"user": b.user(), "message": w.ID}}), append(of, w)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	results, err := b.gc.Batch(ctx, parts)
	if err != nil {
		return err
	}
	for i, r := range results {
		if is[*graph.NotFound](r.Err) {
			continue
		}
		if graph.TooLong(r.Err) { // a long mail by itself
			r.Err = b.gc.Get(graph.WithPage(ctx, 1), call, parts[i].P, &r.Body)
		}
		if r.Err != nil {
			return r.Err
		}
		if err := got(of[i], r); err != nil {
			return err
		}
	}
	return nil
}

// wireFile is an attachment as Graph tells it.
type wireFile struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Type      string `json:"contentType"`
	Size      int64  `json:"size"`
	Inline    bool   `json:"isInline"`
	ContentID string `json:"contentId"`
}

func (a *wireFile) file() Attachment {
	return Attachment{ID: a.ID, Name: clip(a.Name, 300), Type: clip(a.Type, 100), Size: a.Size, Inline: a.Inline, ContentID: strings.Trim(clip(a.ContentID, 300), "<>")}
}
