package export

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

const (
	// manyRuns is how many runs are read at once; most hold more than one thing.
	manyRuns = 50
	// mostThings is how many things are looked at in one reading, wanted or not.
	mostThings = 5000
	// mostBytes is how much goes out at once, but for a single event that is larger.
	mostBytes = 1 << 20
)

// parcel is an event in the form it goes out in.
type parcel struct {
	id, kind, action, person string
	severity                 int // of OCSF, 1 to 5
	at                       time.Time
	body                     []byte // JSON, on one line
	place                    int64
	came                     int64 // Unix milliseconds
}

// batch is what was read behind a cursor: what the export wants of it, and where the cursor is behind it all.
type batch struct {
	parcels          []parcel
	to, toAt         int64
	lost             int64 // things that were deleted
	lostFrom, lostTo int64
	full             bool  // there is more
	oldest           int64 // when the first thing came
}

// thing is a place of a run.
type thing struct {
	what        string
	place, came int64
}

// key tells things apart: a finding changes more than once.
func (th *thing) key() string {
	if strings.Contains(th.what, " ") {
		return fmt.Sprintf("%s %d", th.what, th.place)
	}
	return th.what
}

// read reads behind the export's cursor.
func (x *Exports) read(ctx context.Context, e *Export) (b batch, err error) {
	err = x.Store.ViewTenant(ctx, e.Tenant, func(t *store.Tenant) error {
		b = batch{to: e.Done, toAt: tocsin.Millis(e.DoneAt)}
		runs, last, err := t.Runs(ctx, e.Done, manyRuns)
		if err != nil {
			return err
		}
		if len(runs) == 0 {
			if last > e.Done { // all of it is deleted
				b.lose(last-e.Done, b.toAt, tocsin.Millis(x.Store.Clock().Now()))
				b.to = last
			}
			return nil
		}
		var things []thing
		for _, r := range runs {
			first := r.Last - int64(len(r.Things)) + 1
			if gap := first - 1 - max(b.to, e.Done); len(things) == 0 && gap > 0 {
				b.lose(gap, b.toAt, r.At)
			}
			for i, what := range r.Things {
				if place := first + int64(i); place > e.Done {
					things = append(things, thing{what, place, r.At})
				}
			}
			b.to, b.toAt = r.Last, r.At
			if len(things) >= mostThings {
				break
			}
		}
		b.full = b.to < last
		b.oldest = things[0].came
		return b.load(ctx, t, e, things)
	})
	if err != nil {
		return batch{}, fmt.Errorf("read what is exported: %w", err)
	}
	return b, nil
}

func (b *batch) lose(n, from, to int64) {
	if b.lost == 0 {
		b.lostFrom = from
	}
	b.lost += n
	b.lostTo = max(b.lostTo, to)
}

// load makes parcels of things, in their order, until there are enough.
func (b *batch) load(ctx context.Context, t *store.Tenant, e *Export, things []thing) error {
	size := 0
	for part := range slices.Chunk(things, 400) {
		found, err := lookUp(ctx, t, e, part)
		if err != nil {
			return err
		}
		for _, th := range part {
			p, there := found[th.key()]
			switch {
			case !there:
				b.lose(1, th.came, th.came)
				continue
			case p.body == nil: // not wanted
				continue
			}
			if n := len(b.parcels); n == e.Batch || n > 0 && size+len(p.body) > mostBytes {
				last := b.parcels[n-1]
				b.to, b.toAt, b.full = max(last.place, th.place-1), th.came, true
				return nil
			}
			if e.backPlace >= th.place && !strings.Contains(th.what, " ") {
				before, err := sentBefore(ctx, t, e, &p, th.place)
				if err != nil {
					return err
				}
				if before {
					continue
				}
			}
			p.place, p.came = th.place, th.came
			if e.Form == OCSF {
				if p.body, p.severity, err = toOCSF(p.body); err != nil {
					return fmt.Errorf("event %s: %w", p.id, err)
				}
			}
			size += len(p.body)
			b.parcels = append(b.parcels, p)
		}
	}
	return nil
}

// lookUp finds things, by what they are called. One that the export does not want has no body.
func lookUp(ctx context.Context, t *store.Tenant, e *Export, things []thing) (map[string]parcel, error) {
	out := make(map[string]parcel, len(things))
	var ids []any
	for _, th := range things {
		if kind, id, is := strings.Cut(th.what, " "); is {
			p, there, err := changed(ctx, t, e, th, kind, id)
			if err != nil {
				return nil, err
			}
			if there {
				out[th.key()] = p
			}
			continue
		}
		ids = append(ids, th.what)
	}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := t.Query(ctx, `select id, at, type, action, person, body from event where tenant = $1 and id in (`+store.In(len(ids), 2)+`)`, ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p, is, err := scanEvent(rows, e.Tenant)
		if err != nil {
			return nil, err
		}
		if e.wants(p.kind, p.action, p.person) {
			if p.body, err = oneLine(is.AppendJSON(nil)); err != nil {
				return nil, fmt.Errorf("event %s: %w", p.id, err)
			}
		}
		out[p.id] = p
	}
	return out, rows.Err()
}

// scanEvent reads a row of id, at, type, action, person, body of table event: a parcel that has no body yet.
func scanEvent(rows *sql.Rows, tenant tocsin.TenantID) (parcel, tocsin.EventRow, error) {
	p, is := parcel{severity: 1}, tocsin.EventRow{Tenant: tenant}
	err := rows.Scan(&is.ID, &is.At, &p.kind, &is.Action, &is.Person, &is.Body)
	p.id, p.at, p.action, p.person = is.ID, tocsin.FromMillis(is.At), is.Action, string(is.Person)
	return p, is, err
}

// oneLine is JSON without line ends.
func oneLine(body []byte) ([]byte, error) {
	if bytes.IndexByte(body, '\n') < 0 {
		return body, nil
	}
	var b bytes.Buffer
	err := json.Compact(&b, body)
	return b.Bytes(), err
}
