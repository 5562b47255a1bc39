package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// auditContents are the parts of the audit log that are read.
var auditContents = []string{"Audit.Exchange", "Audit.AzureActiveDirectory", "Audit.General", "Audit.SharePoint"}

const (
	feedKept    = 7 * 24 * time.Hour // how long Microsoft keeps parcels
	feedMargin  = time.Minute        // by which we keep off that, since clocks differ
	feedWindow  = 24*time.Hour - time.Second
	feedOverlap = 2 * time.Hour    // read again at each round: parcels come late into the list
	feedDeep    = 6 * time.Hour    // how often all that is kept is listed again
	feedStart   = 15 * time.Minute // between two attempts to start a subscription, as Microsoft asks
)

// askAudit reads what has come of the audit log: it starts the subscriptions, lists parcels and fetches those that are new.
// https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-reference
func (c *Collector) askAudit(ctx context.Context) error {
	if !c.Graph.Offers(graph.ActivityFeed) {
		return tocsin.Problemf(tocsin.Unavailable, "Search the audit log in Purview, export what it finds, and run `tocsin analyze` on the file.", "Microsoft offers no activity feed in this cloud.")
	}
	delivered, err := c.Graph.Subscriptions(ctx)
	if err != nil {
		return auditRefusal(err)
	}
	var failed error
	for _, content := range auditContents {
		enabled := slices.ContainsFunc(delivered, func(d graph.Delivery) bool { return d.ContentType == content && d.Status == "enabled" })
		if err := c.feed(ctx, content, enabled); err != nil {
			if errors.Is(err, graph.ErrPaused) || ctx.Err() != nil {
				return err
			}
			failed = errors.Join(failed, auditRefusal(err))
		}
	}
	if failed == nil {
		return c.cover(ctx, "", "")
	}
	var p *tocsin.Problem
	if errors.As(failed, &p) {
		if err := c.cover(ctx, p.What, p.Do); err != nil {
			return err
		}
	}
	return failed
}

// auditRefusal says what a refusal of the feed means.
func auditRefusal(err error) error {
	if f, ok := errors.AsType[*graph.Failed](err); ok && strings.Contains(f.Message, "does not exist") {
		return &tocsin.Problem{Code: tocsin.Unavailable, What: "The unified audit log is switched off in this tenant, so there is nothing to read.",
			Do: "In Purview open Audit and start recording, or run Set-AdminAuditLogConfig -UnifiedAuditLogIngestionEnabled $true in Exchange Online PowerShell; it takes up to an hour to begin.", Err: err}
	}
	return err
}

// fed is how far a part of the log was read: table audit_feed.
type fed struct{ since, until, deep, started int64 }

// feed reads a part of the audit log up to now.
func (c *Collector) feed(ctx context.Context, content string, enabled bool) error {
	now := c.Store.Clock().Now()
	at, err := c.fed(ctx, content)
	if err != nil {
		return err
	}
	if !enabled {
		if at.started > 0 && now.Sub(tocsin.FromMillis(at.started)) < feedStart {
			if why, ok := c.unstarted.Load(content); ok {
				return why.(error)
			}
			return tocsin.Problemf(tocsin.Unavailable, "Nothing to do: it is tried again by itself, a quarter of an hour after the last time, as Microsoft asks.",
				"Microsoft does not deliver %s yet.", content)
		}
		if err := c.starting(ctx, content); err != nil {
			return err
		}
		if err := c.Graph.Subscribe(ctx, content); err != nil {
			c.unstarted.Store(content, err)
			return err
		}
	}
	c.unstarted.Delete(content)
	from, deep, err := c.feedFrom(ctx, content, at, now)
	if err != nil {
		return err
	}
	var failed error
	for from.Before(now) {
		to := from.Add(feedWindow)
		if to.After(now) {
			to = now
		}
		unread, err := c.parcels(ctx, content, from, to)
		if err != nil {
			return err
		}
		// Behind a parcel that cannot be read the rest is read all the same; the ledger does not pass it.
		if failed = cmp.Or(failed, unread); failed == nil {
			if err := c.readUntil(ctx, content, to, deep && to.Equal(now)); err != nil {
				return err
			}
		}
		from = to
	}
	return failed
}

func (c *Collector) fed(ctx context.Context, content string) (at fed, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		err := t.QueryRow(ctx, `select since, until, deep, started from audit_feed where tenant = $1 and content = $2`, content).Scan(&at.since, &at.until, &at.deep, &at.started)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return at, err
}

// starting notes an attempt to start a subscription.
func (c *Collector) starting(ctx context.Context, content string) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into audit_feed (tenant, content, since, until, started) values ($1, $2, 0, 0, $3)
			on conflict (tenant, content) do update set started = excluded.started`, content, now)
		return err
	})
}

// feedFrom is from when on parcels are listed: all that Microsoft keeps at first and now and then, else a little before where the
// last round came to. What is no longer kept and was not read is lost, and the ledger says so.
func (c *Collector) feedFrom(ctx context.Context, content string, at fed, now time.Time) (from time.Time, deep bool, err error) {
	oldest := now.Add(feedMargin - feedKept)
	until := tocsin.FromMillis(at.until)
	switch {
	case at.until == 0:
		return oldest, true, nil
	case until.Before(oldest):
		lost := fmt.Sprintf("Nothing was read for %d days, and Microsoft keeps parcels of audit records for seven only.", int(now.Sub(until).Hours()/24))
		err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			err := lostWindow(ctx, t, content, at.until, tocsin.Millis(oldest), lost)
			if err == nil {
				_, err = t.Exec(ctx, `update audit_feed set since = $3, until = $3 where tenant = $1 and content = $2`, content, tocsin.Millis(oldest))
			}
			return err
		})
		return oldest, true, err
	case now.Sub(tocsin.FromMillis(at.deep)) >= feedDeep:
		return oldest, true, nil
	}
	if from = until.Add(-feedOverlap); from.Before(oldest) {
		from = oldest
	}
	return from, false, nil
}

// lostWindow writes into the ledger that a time was not read and can be read no more.
func lostWindow(ctx context.Context, t *store.Tenant, content string, since, until int64, because string) error {
	_, err := t.Exec(ctx, `insert into audit_window (tenant, content, since, until, state, because) values ($1, $2, $3, $4, 'lost', $5)
		on conflict (tenant, content, since) do update set until = excluded.until, state = excluded.state, because = excluded.because`, content, since, until, because)
	return err
}

// spoiled is how many parcels in one window may not be readable until it is held that it is not the parcels.
const spoiled = 10

// parcels fetches those that came between two times and were not fetched yet. One that cannot be read, though the feed answers,
// holds up no other: unread tells of the first of them.
func (c *Collector) parcels(ctx context.Context, content string, from, to time.Time) (unread, err error) {
	var list []graph.Blob
	for b, err := range c.Graph.Blobs(ctx, content, from, to) {
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	had, err := c.parcelsHad(ctx, list)
	if err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	var mu sync.Mutex
	bad := 0
	for _, b := range list {
		if b.ID == "" || had[b.ID] {
			continue
		}
		had[b.ID] = true
		g.Go(func() error {
			err := c.parcel(gctx, content, b)
			if err == nil || gctx.Err() != nil || !itsOwn(err) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if bad++; bad > spoiled {
				return err
			}
			unread = cmp.Or(unread, err)
			return c.noteParcel(ctx, content, b, parcelFailed, 0)
		})
	}
	err = g.Wait()
	return unread, err
}

// itsOwn says whether a failure may be of one parcel alone.
func itsOwn(err error) bool {
	_, unavailable := errors.AsType[*graph.Unavailable](err)
	_, failed := errors.AsType[*graph.Failed](err)
	_, foreign := errors.AsType[*graph.ForeignLink](err)
	return unavailable || failed || foreign
}

// The states of a parcel. One that failed is asked for again as long as it is listed.
const (
	parcelRead   = "read"
	parcelLost   = "lost"
	parcelFailed = "failed"
)

// noteParcel notes what became of a parcel.
func (c *Collector) noteParcel(ctx context.Context, content string, b graph.Blob, state string, records int) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into audit_parcel (tenant, id, content, created, at, state, records) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (tenant, id) do update set at = excluded.at, state = excluded.state, records = excluded.records where audit_parcel.state <> 'read'`,
			b.ID, content, tocsin.Millis(b.Created.Time), tocsin.Millis(t.Tx().Clock().Now()), state, records)
		return err
	})
}

func (c *Collector) parcelsHad(ctx context.Context, list []graph.Blob) (map[string]bool, error) {
	had := map[string]bool{}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		for some := range slices.Chunk(ids, 400) {
			err := each(ctx, t, func(scan func(...any) error) error {
				var id string
				err := scan(&id)
				had[id] = true
				return err
			}, `select id from audit_parcel where tenant = $1 and state <> 'failed' and id in (`+store.In(len(some), 2)+`)`, anys(some)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return had, err
}

// parcel fetches one, puts its records into the journal, and then notes that it was read: who is killed in between reads it
// again, and records that are there already change nothing. One that is gone is noted as lost.
func (c *Collector) parcel(ctx context.Context, content string, b graph.Blob) error {
	records, err := c.Graph.Records(ctx, b)
	state := parcelRead
	if code := graph.CodeOf(err); code == graph.ContentExpired || code == graph.NoSuchContent {
		state, err = parcelLost, nil
	}
	if err != nil {
		return err
	}
	if err := c.appendRecords(ctx, FromFeed, content, records); err != nil {
		return err
	}
	return c.noteParcel(ctx, content, b, state, len(records))
}

// appendRecords puts records into the journal. One that is broken is told in the log, without what it says.
func (c *Collector) appendRecords(ctx context.Context, source, content string, records []json.RawMessage) error {
	for some := range slices.Chunk(records, 500) {
		items, err := AuditItems(ctx, c.Store, c.Tenant, source, content, some, func(_ int, why string) {
			c.Log.Warn("an audit record was left out", "tenant", c.Tenant, "content", content, "because", why)
		})
		if err != nil {
			return err
		}
		if err := c.append(ctx, items); err != nil {
			return err
		}
	}
	return nil
}

// readUntil notes how far the part of the log was read, and whether with that all that is kept was listed, and extends the ledger.
func (c *Collector) readUntil(ctx context.Context, content string, to time.Time, deep bool) error {
	now := c.Store.Clock().Now()
	until := tocsin.Millis(to)
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		from := tocsin.Millis(now.Add(feedMargin - feedKept))
		if _, err := t.Exec(ctx, `insert into audit_feed (tenant, content, since, until) values ($1, $2, $3, $4)
			on conflict (tenant, content) do update set until = case when excluded.until > audit_feed.until then excluded.until else audit_feed.until end,
				since = case when audit_feed.since = 0 then excluded.since else audit_feed.since end`, content, min(from, until), until); err != nil {
			return err
		}
		if deep {
			if _, err := t.Exec(ctx, `update audit_feed set deep = $3 where tenant = $1 and content = $2`, content, tocsin.Millis(now)); err != nil {
				return err
			}
		}
		var at fed
		if err := t.QueryRow(ctx, `select since, until from audit_feed where tenant = $1 and content = $2`, content).Scan(&at.since, &at.until); err != nil {
			return err
		}
		var parcels, records, unread int64
		if err := t.QueryRow(ctx, `select coalesce(sum(case when state = 'read' then 1 else 0 end), 0), coalesce(sum(records), 0), coalesce(sum(case when state = 'read' then 0 else 1 end), 0)
			from audit_parcel where tenant = $1 and content = $2 and at >= $3`, content, at.since).Scan(&parcels, &records, &unread); err != nil {
			return err
		}
		because := ""
		if unread > 0 {
			because = fmt.Sprintf("Parcels that Microsoft listed and did not give, in the last week: %d.", unread)
		}
		_, err := t.Exec(ctx, `insert into audit_window (tenant, content, since, until, state, parcels, records, because) values ($1, $2, $3, $4, 'read', $5, $6, $7)
			on conflict (tenant, content, since) do update set until = excluded.until, state = excluded.state, because = excluded.because,
				parcels = case when excluded.parcels > audit_window.parcels then excluded.parcels else audit_window.parcels end,
				records = case when excluded.records > audit_window.records then excluded.records else audit_window.records end`,
			content, at.since, at.until, parcels, records, because)
		return err
	})
}

// coverKinds are what the feed tells every change of.
var coverKinds = []string{detect.RightForwarding, detect.RightFullAccess, detect.RightSendAs, detect.RightSendOnBehalf, detect.RightFolder, detect.RightTransport, detect.RightJournal}

// cover tells what the feed of Exchange's records has told of all mailboxes, and why no more.
func (c *Collector) cover(ctx context.Context, because, mend string) error {
	at, err := c.fed(ctx, "Audit.Exchange")
	if err != nil || at.until == 0 {
		return err
	}
	it, err := c.item(kindCover, "", coverSeen{Source: "audit", Kinds: coverKinds, Since: at.since, Until: at.until, Because: because, Mend: mend})
	if err != nil {
		return err
	}
	return c.appendSome(ctx, journalItems(it))
}
