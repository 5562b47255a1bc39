package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/audit"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// FromGraph says of a record that the directory's own logs were read for it: sign-ins, directory audits.
const FromGraph = "graph"

// directoryLog is one of the directory's own logs.
type directoryLog struct {
	content string // its name in the ledger
	call    string
	when    string        // the member that is its time
	only    string        // what else is filtered by, with {…} for no value
	first   time.Duration // how far back the first look goes
	deep    time.Duration // how far back what came late is looked for, each deepEvery
}

// Microsoft keeps the logs for thirty days where the tenant has Entra P1, else for seven; records mostly come within minutes, and
// some after hours: https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-latencies. So each round
// reads a quarter of an hour anew, and each sixth hour what lies further back.
const (
	logKept    = 30 * 24 * time.Hour
	logOverlap = 15 * time.Minute
	logPages   = 20 // about as many are read before the ledger is extended: a round that is cut short goes on from there
	logPage    = 1000
	deepEvery  = 6 * time.Hour
)

// signInLogs are the four parts of the sign-in log. What programs do in people's names is by far the most of it.
// https://learn.microsoft.com/entra/identity/monitoring-health/concept-sign-ins
var signInLogs = []directoryLog{
	{content: signInContent + "interactive", call: "signIns.list", when: "createdDateTime", only: "interactiveUser", first: logKept - time.Hour, deep: 25 * time.Hour},
	{content: signInContent + "non_interactive", call: "signIns.list", when: "createdDateTime", only: "nonInteractiveUser", first: 7 * 24 * time.Hour, deep: 7 * time.Hour},
	{content: signInContent + "service_principal", call: "signIns.list", when: "createdDateTime", only: "servicePrincipal", first: 7 * 24 * time.Hour, deep: 7 * time.Hour},
	{content: signInContent + "managed_identity", call: "signIns.list", when: "createdDateTime", only: "managedIdentity", first: 7 * 24 * time.Hour, deep: 7 * time.Hour},
}

var auditsLog = directoryLog{content: "DirectoryAudits", call: "directoryAudits.list", when: "activityDateTime", first: logKept - time.Hour, deep: 25 * time.Hour}

// riskLogs are what Identity Protection detected, of people and of applications.
var riskLogs = []directoryLog{
	{content: "RiskDetections", call: "riskDetections.list", when: "detectedDateTime", first: logKept - time.Hour, deep: 25 * time.Hour},
	{content: "ApplicationRiskDetections", call: "servicePrincipalRiskDetections.list", when: "detectedDateTime", first: logKept - time.Hour, deep: 25 * time.Hour},
}

// signInContent is how the names of the parts of the sign-in log begin.
const signInContent = "SignIns."

// What programs do on people's behalf is read beside the other parts, so that these need not wait for it.
const onBehalf = 1

func (c *Collector) askSignIns(ctx context.Context) error {
	return c.readSignIns(ctx, slices.Delete(slices.Clone(signInLogs), onBehalf, onBehalf+1))
}

func (c *Collector) askTokenSignIns(ctx context.Context) error {
	return c.readSignIns(ctx, signInLogs[onBehalf:onBehalf+1])
}

// readSignIns reads what has come of parts of the sign-in log since the last round. Where Graph does not offer its beta, which has all
// parts, the sign-ins of people are read as v1.0 has them, and the rest is said to be lacking.
func (c *Collector) readSignIns(ctx context.Context, logs []directoryLog) error {
	if err := c.peopleFirst(ctx); err != nil { // else what the last round brought would be taken for new
		return err
	}
	var lacking, failed []error
	for _, l := range logs {
		err := c.readLog(ctx, l)
		if notOffered(err) {
			lacking = append(lacking, err)
			if err = nil; l.only == "interactiveUser" {
				l.call, l.only = "signIns.interactive", ""
				err = c.readLog(ctx, l)
			}
		}
		if _, denied := errors.AsType[*graph.Denied](err); denied || errors.Is(err, graph.ErrPaused) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(append(failed, lacking...)...)
	}
	if len(lacking) > 0 {
		return &partly{lacking[:1]}
	}
	return nil
}

// peopleFirst waits until the first reading of the people is done, so that what is told of them is theirs, and until all that was
// read is folded. Where the people cannot be read, it waits no longer.
func (c *Collector) peopleFirst(ctx context.Context) error {
	for {
		people, err := c.row(ctx, "users")
		if err != nil {
			return err
		}
		if people.Started == 0 || people.Succeeded > 0 || people.Failed > 0 {
			return c.settled(ctx)
		}
		if err := c.Store.Clock().Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// notOffered says whether Graph does not know a request, whatever is granted.
func notOffered(err error) bool {
	_, none := errors.AsType[*graph.NotFound](err)
	_, bad := errors.AsType[*graph.Failed](err)
	return none || bad
}

// askDirectoryAudits reads what has come of the directory's audit log since the last round.
func (c *Collector) askDirectoryAudits(ctx context.Context) error {
	if err := c.peopleFirst(ctx); err != nil {
		return err
	}
	return c.readLog(ctx, auditsLog)
}

// readLog reads a log up to now, piece by piece in the order of time, and extends the ledger after each.
func (c *Collector) readLog(ctx context.Context, l directoryLog) error {
	now := c.Store.Clock().Now().UTC().Truncate(time.Second)
	from, deep, err := c.logFrom(ctx, l, now)
	if err != nil {
		return err
	}
	for step := 10 * 24 * time.Hour; from.Before(now); {
		to := from.Add(step)
		if to.After(now) {
			to = now
		}
		n, fresh, err := c.readPiece(ctx, l, from, to)
		if err != nil {
			return err
		}
		if err := c.logRead(ctx, l, from, to, fresh, deep && to.Equal(now)); err != nil {
			return err
		}
		if from = to; n > logPages*logPage { // so much that less is asked for at once
			step = max(step/4, time.Minute)
		} else if n < logPages*logPage/8 {
			step = min(2*step, 10*24*time.Hour)
		}
	}
	return nil
}

// logFrom is from when on a log is read. What Microsoft keeps no longer and was not read is lost, and the ledger says so.
func (c *Collector) logFrom(ctx context.Context, l directoryLog, now time.Time) (from time.Time, deep bool, err error) {
	at, err := c.fed(ctx, l.content)
	if err != nil || at.until == 0 {
		return now.Add(-l.first), true, err
	}
	until, oldest := tocsin.FromMillis(at.until).UTC(), now.Add(-logKept).Add(time.Minute)
	if until.Before(oldest) {
		lost := fmt.Sprintf("Nothing was read for %d days, and Microsoft keeps this log for thirty at most.", int(now.Sub(until).Hours()/24))
		return oldest, true, c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			if err := lostWindow(ctx, t, l.content, at.until, tocsin.Millis(oldest), lost); err != nil {
				return err
			}
			_, err := t.Exec(ctx, `update audit_feed set since = $3, until = $3 where tenant = $1 and content = $2`, l.content, tocsin.Millis(oldest))
			return err
		})
	}
	back := logOverlap
	if deep = now.Sub(tocsin.FromMillis(at.deep)) >= deepEvery; deep {
		back = l.deep
	}
	if from = until.Add(-back); from.Before(tocsin.FromMillis(at.since)) {
		from = tocsin.FromMillis(at.since).UTC()
	}
	return from, deep, nil
}

// readPiece puts what is new between two times, both with their second, into the journal, and gives how much there was, and how
// much of it was new.
func (c *Collector) readPiece(ctx context.Context, l directoryLog, from, to time.Time) (n, fresh int, err error) {
	filter := fmt.Sprintf("%s ge %s and %s le %s", l.when, from.Format(time.RFC3339), l.when, to.Format(time.RFC3339))
	if l.only != "" {
		filter += " and signInEventTypes/any(t: t eq '" + l.only + "')"
	}
	had := map[string]bool{}
	var some []json.RawMessage
	flush := func() error {
		list, err := c.unread(ctx, some, had)
		if err == nil {
			fresh += len(list)
			err = c.appendRecords(ctx, FromGraph, l.content, list)
		}
		some = some[:0]
		return err
	}
	for raw, err := range graph.Pages[json.RawMessage](ctx, c.Graph, l.call, graph.P{"$filter": filter}) {
		if err != nil {
			return n, fresh, err
		}
		n++
		if some = append(some, raw); len(some) == 500 {
			if err := flush(); err != nil {
				return n, fresh, err
			}
		}
	}
	err = flush()
	return n, fresh, err
}

// unread are the records that are not there yet. A sign-in of which only the unified log has told is not there. Had are the ids
// that the piece has brought already: a list moves on under whoever reads it, so that it gives some twice.
func (c *Collector) unread(ctx context.Context, list []json.RawMessage, had map[string]bool) ([]json.RawMessage, error) {
	var ids, twins []string
	entries := make([]audit.Entry, len(list))
	for i, raw := range list {
		e, err := audit.Parse(raw)
		if err != nil {
			continue // told where it is appended
		}
		entries[i] = e
		if ids = append(ids, e.ID); e.Twin != "" {
			twins = append(twins, e.Twin)
		}
	}
	there, lesser := map[string]bool{}, map[string]string{}
	if err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) (err error) {
		there, lesser, err = (&run{t: t}).audited(ctx, ids, twins)
		return err
	}); err != nil {
		return nil, err
	}
	var out []json.RawMessage
	for i := range list {
		e := &entries[i]
		if e.ID != "" && (had[e.ID] || there[e.ID] || there[e.Twin] && lesser[e.Twin] == "") {
			continue
		}
		had[e.ID] = true
		out = append(out, list[i])
	}
	return slices.Clip(out), nil
}

// logRead notes how far a log was read, and extends the ledger.
func (c *Collector) logRead(ctx context.Context, l directoryLog, from, to time.Time, fresh int, deep bool) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `insert into audit_feed (tenant, content, since, until) values ($1, $2, $3, $4)
			on conflict (tenant, content) do update set until = case when excluded.until > audit_feed.until then excluded.until else audit_feed.until end`,
			l.content, tocsin.Millis(from), tocsin.Millis(to)); err != nil {
			return err
		}
		if deep {
			if _, err := t.Exec(ctx, `update audit_feed set deep = $3 where tenant = $1 and content = $2`, l.content, now); err != nil {
				return err
			}
		}
		_, err := t.Exec(ctx, `insert into audit_window (tenant, content, since, until, state, records)
			select tenant, content, since, until, 'read', $3 from audit_feed where tenant = $1 and content = $2
			on conflict (tenant, content, since) do update set until = excluded.until, state = excluded.state, records = audit_window.records + excluded.records`, l.content, fresh)
		return err
	})
}
