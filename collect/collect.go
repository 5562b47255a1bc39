// Package collect brings in what is so and what happened: delta, poll and diff; folds it into state, events and findings.
//
// It has two halves that meet only in the journal. The asking half ([Collector]) calls Graph, translates each object
// into our words once, and appends it as an observed item:
//
//	person, group, members, role, domains     the directory, by delta and by poll
//	settings, rules                           a mailbox's settings and its inbox rules, by poll
//	audit                                     a record of the audit log, by the activity feed, a search or a file; a sign-in,
//	                                          a directory audit
//	rights, cover                             forwarding and rights over mailboxes, from every source; what a source tells of
//	judge                                     nothing new: look at a mailbox again, since what it is judged by has changed
//
// The folding half ([Fold.Step]) reads the items in order and, in one transaction with the reader's checkpoint, compares
// each with the state held and writes state, history, events, findings and facts. Events are the differences between two
// looks; a first look makes state. What needs more than one mailbox to see is a sweep ([Fold.Sweep]).
package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Intervals are how often each source is asked; zero is the default.
type Intervals struct {
	Directory time.Duration // users and groups by delta; 5 minutes
	Roles     time.Duration // directory roles and their members; 10 minutes
	Domains   time.Duration // accepted domains; 1 hour
	Settings  time.Duration // every mailbox's settings; 6 hours
	Rules     time.Duration // every mailbox's inbox rules; 5 minutes
	Members   time.Duration // members of groups that a rule sends mail to; 1 hour
	Absent    time.Duration // people without a mailbox, asked again; 24 hours
	Audit     time.Duration // the audit log, by the activity feed; 2 minutes
	Folders   time.Duration // the folders of a mailbox whose mail is told of; 1 hour
	Reconcile time.Duration // a mailbox whose mail is told of, looked at without being told; 24 hours
	Canary    time.Duration // whether what comes is told of, end to end; 5 minutes
	SignIns   time.Duration // the sign-in log, and the directory's audit log; 2 minutes
	Exchange  time.Duration // forwarding and rights by Exchange's administration; 24 hours
	Posture   time.Duration // policies and roles of the tenant; 10 minutes, and six times that for what is long, and 144 times for sites
}

// OrDefault is i with the defaults where it is zero.
func (i Intervals) OrDefault() Intervals {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&i.Directory, 5*time.Minute)
	set(&i.Roles, 10*time.Minute)
	set(&i.Domains, time.Hour)
	set(&i.Settings, 6*time.Hour)
	set(&i.Rules, 5*time.Minute)
	set(&i.Members, time.Hour)
	set(&i.Absent, 24*time.Hour)
	set(&i.Audit, 2*time.Minute)
	set(&i.SignIns, 2*time.Minute)
	set(&i.Folders, time.Hour)
	set(&i.Reconcile, 24*time.Hour)
	set(&i.Canary, 5*time.Minute)
	set(&i.Exchange, 24*time.Hour)
	set(&i.Posture, 10*time.Minute)
	return i
}

// ReaderName is the stream.Reader that folds what collectors append: a round waits for it where it must know what earlier
// rounds have brought.
const ReaderName = "collect"

// Collector asks one tenant's Graph. Exactly one runs for a tenant at a time: its caller holds the tenant's lease.
type Collector struct {
	Tenant  tocsin.TenantID
	Graph   *graph.Client
	Store   *store.Store
	Journal *journal.Journal
	Every   Intervals
	Batches int // mailbox batches under way at once; 0 is 64
	Log     *slog.Logger
	// Without are names of sources that are not asked, since their product is switched off.
	Without []string
	// Heard is told, after the source's row says it too, how each round ended: what Graph or the sign-in refused, also where
	// the round went on without it.
	Heard   func(context.Context, connect.Heard) error
	Webhook Webhook // where Graph tells of mail
	// Improbable is the probability below which a silence is told of; 0 is [Improbable], below 0 is never.
	Improbable float64
	// Writer gives the client by which the canary makes its draft, or says why there is none; nil where it never sings.
	Writer func(context.Context) (*graph.Client, error)

	noFolders folderRefusal
	lined     linedUp
	missing   missing
	unstarted sync.Map // what came of starting to have a part of the audit log delivered, by part: error
}

// partly is a round that went on without something that was refused.
type partly struct{ refused []error }

func (p *partly) Error() string { return errors.Join(p.refused...).Error() }

// errNothing says of a round that nothing was asked, so that it tells nothing.
var errNothing = errors.New("nothing was asked")

// source is one thing that is asked again and again.
type source struct {
	name  string
	every time.Duration
	ask   func(context.Context) error
	then  *source // asked after each round of this one
	// of is the service that is asked beside Graph, and needs any of its permissions: where none is granted the source is not
	// asked, and has no row. The connection says that.
	of    graph.Service
	needs []string
}

// Run asks each source when it is due, until ctx ends. A source that fails is said on the source's row, with what to
// do, and asked again later; it never stops the others. The accepted domains come first: they tell inside from outside.
func (c *Collector) Run(ctx context.Context) error {
	sources := c.sources()
	if err := c.first(ctx, sources[0]); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range sources {
		g.Go(func() error { return c.again(ctx, s) })
	}
	return g.Wait()
}

// sources are all that is asked. Settings are looked at as often as rules, but only those that have become old are asked
// for, so that a new mailbox need not wait for hours. Members follow the rules that name groups.
func (c *Collector) sources() []source {
	every := c.Every.OrDefault()
	members := source{name: "members", every: min(every.Members, every.Rules), ask: c.askMembers}
	all := []source{
		{name: "domains", every: every.Domains, ask: c.askDomains},
		{name: "users", every: every.Directory, ask: c.askUsers},
		{name: "groups", every: every.Directory, ask: c.askGroups},
		{name: "contacts", every: every.Directory, ask: c.askContacts},
		{name: "roles", every: every.Roles, ask: c.askRoles},
		{name: "rules", every: every.Rules, ask: c.askRules, then: &members},
		{name: "settings", every: min(every.Settings, every.Rules), ask: c.askSettings},
		{name: "audit", every: every.Audit, ask: c.askAudit, of: graph.ActivityFeed, needs: graph.Find("activity.content.list").Permissions},
		{name: "sign_ins", every: every.SignIns, ask: c.askSignIns, needs: graph.Find("signIns.list").Permissions},
		{name: "token_sign_ins", every: every.SignIns, ask: c.askTokenSignIns, needs: graph.Find("signIns.list").Permissions},
		{name: "directory_audits", every: every.SignIns, ask: c.askDirectoryAudits, needs: graph.Find("directoryAudits.list").Permissions[:1]},
		{name: "risk_detections", every: every.SignIns, ask: c.askRiskDetections, needs: graph.Find("riskDetections.list").Permissions},
		{name: "protection", every: every.Posture, ask: c.askProtection, needs: graph.Find("riskyUsers.list").Permissions},
		{name: "looks", every: 24 * time.Hour, ask: c.askLooks},
		{name: "queries", every: 24 * time.Hour, ask: c.askQueries, needs: graph.Find("auditQueries.create").Permissions},
		{name: "exchange", every: every.Exchange, ask: c.askExchange, of: graph.ExchangeAdmin, needs: graph.Find("exchange.command").Permissions},
		{name: "subscriptions", every: min(time.Minute, every.Rules), ask: c.askSubscriptions, needs: graph.Find("subscriptions.create").Permissions},
		{name: "mail_folders", every: min(time.Minute, every.Folders, every.Rules), ask: c.askMailFolders, needs: graph.Find("mailFolders.delta").Permissions},
		{name: "silence", every: min(10*time.Minute, every.Canary), ask: c.askSilence, needs: graph.Find("messages.ids").Permissions},
		{name: "canary", every: every.Canary, ask: c.askCanary, needs: graph.Find("messages.newest").Permissions},
		{name: "reconcile", every: min(time.Hour, every.Reconcile), ask: c.askReconcile, needs: graph.Find("messages.list").Permissions},
		{name: "catch_up", every: min(time.Minute, every.Rules), ask: c.askGaps, needs: graph.Find("messages.list").Permissions},
		{name: "folder_rights", every: every.Exchange, ask: c.askFolderRights, of: graph.ExchangeAdmin, needs: graph.Find("exchange.folderPermissions").Permissions},
	}
	for name, rests := range map[string]string{"access": "conditionalAccess.policies", "privileges": "roleManagement.assignments", "settings_of_people": "groups.list"} {
		all = append(all, source{name: name, every: every.Posture, ask: c.askState(name), needs: graph.Find(rests).Permissions})
	}
	for name, rests := range map[string]string{"registrations": "reports.registrations", "applications": "applications.list",
		"devices": "managedDevices.list", "joined": "devices.list", "sharing": "sharepoint.settings"} {
		all = append(all, source{name: name, every: 6 * every.Posture, ask: c.askState(name), needs: graph.Find(rests).Permissions})
	}
	all = append(all, source{name: "sites", every: 144 * every.Posture, ask: c.askState("sites"), needs: graph.Find("sites.list").Permissions})
	all = append(all, source{name: "mail_settings", every: 36 * every.Posture, ask: c.askMailSettings, of: graph.ExchangeAdmin, needs: mailSettingsNeed})
	all = append(all, source{name: "posture", every: min(time.Minute, every.Posture), ask: c.askPosture})
	if c.Webhook.URL == "" {
		all = slices.DeleteFunc(all, func(s source) bool {
			return slices.Contains([]string{"subscriptions", "catch_up", "reconcile", "mail_folders", "silence", "canary"}, s.name)
		})
	}
	return slices.DeleteFunc(all, func(s source) bool { return s.name != "domains" && slices.Contains(c.Without, s.name) })
}

// first asks s once, if it never succeeded.
func (c *Collector) first(ctx context.Context, s source) error {
	row, err := c.row(ctx, s.name)
	if err != nil || row.Succeeded > 0 {
		return err
	}
	return c.round(ctx, s)
}

// look is how often a source that waits sees whether somebody has made it due.
const look = 5 * time.Second

// again asks s whenever it is due.
func (c *Collector) again(ctx context.Context, s source) error {
	for {
		if !c.granted(ctx, s) {
			if err := c.absent(ctx, s.name); err != nil {
				return err
			}
			if err := c.Store.Clock().Sleep(ctx, time.Minute); err != nil {
				return err
			}
			continue
		}
		row, err := c.row(ctx, s.name)
		if err != nil {
			return err
		}
		now, due := c.Store.Clock().Now(), tocsin.FromMillis(row.Due)
		if due.After(now) {
			if soon := now.Add(look); due.After(soon) {
				due = soon
			}
			if err := c.Store.Clock().Until(ctx, due); err != nil {
				return err
			}
			continue
		}
		if err := c.round(ctx, s); err != nil {
			return err
		}
		if s.then != nil {
			if err := c.follow(ctx, *s.then); err != nil {
				return err
			}
		}
	}
}

// granted says whether the app has a permission for the source. Where that cannot be told, it is asked, and says why not.
func (c *Collector) granted(ctx context.Context, s source) bool {
	if len(s.needs) == 0 {
		return true
	}
	roles, err := c.Graph.RolesFor(ctx, s.of)
	if _, ok := errors.AsType[*graph.Revoked](err); ok {
		return false // the tenant does not know the service, say
	}
	return err != nil || slices.ContainsFunc(s.needs, func(p string) bool { return slices.Contains(roles, p) })
}

// absent takes away the row of a source that is not asked and never was read.
func (c *Collector) absent(ctx context.Context, name string) error {
	row, err := c.row(ctx, name)
	if err != nil || row == (sourceRow{}) || row.Succeeded > 0 {
		return err
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `delete from source where tenant = $1 and name = $2 and succeeded = 0`, name)
		return err
	})
}

// follow asks s after the source that it follows, unless it failed and is to be left alone for longer.
func (c *Collector) follow(ctx context.Context, s source) error {
	row, err := c.row(ctx, s.name)
	if err != nil || row.Failed > row.Succeeded && tocsin.FromMillis(row.Due).After(c.Store.Clock().Now()) {
		return err
	}
	return c.round(ctx, s)
}

// round asks s once, and notes how it went. The error is the store's or ctx's, never Graph's.
func (c *Collector) round(ctx context.Context, s source) error {
	before, err := c.row(ctx, s.name)
	if err != nil {
		return err
	}
	began, err := c.began(ctx, s)
	if err != nil {
		return err
	}
	failed := s.ask(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	heard := connect.Heard{By: s.name, News: before.Succeeded <= before.Failed}
	if p, ok := failed.(*partly); ok {
		heard.Errs, failed = p.refused, nil
	} else if failed != nil && failed != errNothing {
		heard.Errs = []error{failed}
	}
	untold := failed == errNothing
	if untold {
		failed = nil
	}
	if errors.Is(failed, graph.ErrPaused) { // nobody's fault; whoever paused it ends this run
		return c.Store.Clock().Sleep(ctx, time.Second)
	}
	next := began.Add(s.every)
	if failed != nil {
		next = c.Store.Clock().Now().Add(retryAfter(failed, s.every))
		c.Log.Warn("a source was not read", "tenant", c.Tenant, "source", s.name, "error", failed)
	}
	if err := c.ended(ctx, s.name, began, failed, next); err != nil {
		return err
	}
	if c.Heard == nil || untold {
		return nil
	}
	return c.Heard(ctx, heard)
}

// retryAfter is how long to leave a source alone after it failed: what Graph asked for, else half a minute, at most the
// interval.
func retryAfter(err error, every time.Duration) time.Duration {
	if t, ok := errors.AsType[*graph.Throttled](err); ok {
		return max(t.After, time.Second)
	}
	if errors.Is(err, errSlow) {
		return time.Second
	}
	if _, ok := errors.AsType[*graph.Denied](err); ok {
		return every // a permission is not granted in half a minute; testing the connection makes it due
	}
	return min(30*time.Second, every)
}

// append puts items into the journal, waiting out a journal that cannot take them now.
func (c *Collector) append(ctx context.Context, items []journal.Item) error {
	for some := range slices.Chunk(items, 500) {
		if err := c.appendSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collector) appendSome(ctx context.Context, items []journal.Item) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := c.Journal.Append(ctx, items...)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if p, ok := errors.AsType[*tocsin.Problem](err); !ok || p.Code != tocsin.Unavailable {
			return fmt.Errorf("append to the journal: %w", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// item makes an observed item of the tenant.
func (c *Collector) item(kind string, person tocsin.PersonID, body any) (journal.Item, error) {
	return c.itemAt(c.Store.Clock().Now(), kind, person, body)
}

// itemAt is item of an answer that says how something is at a time or later: when it was asked.
func (c *Collector) itemAt(at time.Time, kind string, person tocsin.PersonID, body any) (journal.Item, error) {
	raw, err := encode(body)
	if err != nil {
		return journal.Item{}, fmt.Errorf("%s of %s: %w", kind, person, err)
	}
	return journal.Item{Tenant: c.Tenant, Person: person, Kind: kind, At: tocsin.Millis(at), Body: raw}, nil
}
