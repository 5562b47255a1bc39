package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/export"
	"tocsin.dev/graph"
	"tocsin.dev/notify"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// leaseFor is how long a lease of this server lasts that it does not renew.
func (s *Server) leaseFor() time.Duration { return cmp.Or(s.options.Lease, 10*time.Second) }

// take takes a lease or renews it, and notes for readyz whether that could be written.
func (s *Server) take(ctx context.Context, lease, owner string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.leaseFor()) // a database that is gone may never answer
	defer cancel()
	_, ok, err := s.Store.Lease(ctx, lease, owner, s.leaseFor())
	switch {
	case err == nil:
		s.unleased.Store(nil)
	case !errors.Is(err, context.Canceled):
		s.unleased.Store(&err)
	}
	return ok, err
}

// holdShare is hold for one of the leases that replicas share out evenly.
func (s *Server) holdShare(ctx context.Context, share *stream.Share, lease string, work func(context.Context) error) {
	defer share.Forget(lease)
	for ctx.Err() == nil {
		share.Want(lease) // again: another version of the connection may have let go of it
		if !share.May(lease) {
			pause(ctx, s.leaseFor()/20)
			continue
		}
		ok, err := s.take(ctx, lease, s.owner)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("a lease was not taken", "lease", lease, "error", err)
		}
		if err != nil || !ok {
			share.Gone(lease)
			pause(ctx, s.leaseFor()/5)
			continue
		}
		own, end := share.Took(ctx, lease)
		err = s.holding(own, lease, work)
		moved := errors.Is(context.Cause(own), stream.ErrShare)
		end(nil)
		share.Gone(lease)
		switch {
		case ctx.Err() != nil:
		case moved:
			s.log.Info("a tenant goes to another replica", "lease", lease)
			pause(ctx, s.leaseFor()/4)
		case err != nil:
			s.log.Error("work stopped and begins again", "lease", lease, "error", err)
			pause(ctx, time.Second)
		}
	}
}

// hold runs work while this process holds the lease, again and again until ctx ends. Work must end when its ctx does.
func (s *Server) hold(ctx context.Context, lease string, work func(context.Context) error) error {
	for ctx.Err() == nil {
		ok, err := s.take(ctx, lease, s.owner)
		if err != nil || !ok {
			if err != nil {
				s.log.Warn("a lease was not taken", "lease", lease, "error", err)
			}
			if !pause(ctx, s.leaseFor()/5) {
				break
			}
			continue
		}
		if err := s.holding(ctx, lease, work); err != nil && ctx.Err() == nil {
			s.log.Error("work stopped and begins again", "lease", lease, "error", err)
			pause(ctx, time.Second)
		}
	}
	return ctx.Err()
}

// holding runs work and renews the lease beside it; when that fails, work is stopped.
func (s *Server) holding(ctx context.Context, lease string, work func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		defer stop()
		for pause(ctx, s.leaseFor()/5) {
			once, cancel := context.WithTimeout(ctx, s.leaseFor()/2)
			ok, err := s.take(once, lease, s.owner)
			cancel()
			if err != nil || !ok {
				return
			}
		}
	})
	err := work(ctx)
	stop()
	renewing.Wait()
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, s.Store.Release(release, lease, s.owner))
}

// pause waits by the system's clock; false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// follow runs round over every lane of facts that has new ones, under a lease of its own. A lane of which round went over all is left alone
// until something is added to it: most are, most of the time.
func (s *Server) follow(ctx context.Context, name string, round func(ctx context.Context, lane int) error) error {
	return s.hold(ctx, "facts/"+name, func(ctx context.Context) error {
		var through [store.Lanes]int64
		for ctx.Err() == nil {
			began, news := time.Now(), s.Store.Appended()
			last, failed := s.Store.LastFacts(ctx)
			for lane, n := range last {
				if n == through[lane] {
					continue
				}
				if err := round(ctx, lane); err != nil { // one lane's trouble is not the others'
					failed = errors.Join(failed, err)
				} else {
					through[lane] = n
				}
			}
			if failed != nil && ctx.Err() == nil {
				s.log.Error("what follows the facts is held up; it tries again", "follower", name, "error", failed)
				pause(ctx, 5*time.Second)
			}
			// A round looks at all that changed: while much does, fewer and larger rounds cost less.
			pause(ctx, min(5*time.Since(began), 5*time.Second))
			select {
			case <-ctx.Done():
			case <-news:
			case <-time.After(500 * time.Millisecond): // what another replica wrote
			}
		}
		return nil
	})
}

func (s *Server) sweep(ctx context.Context, lane int) error {
	return stream.Fold(ctx, s.Store, "sweep", lane, collect.Sweep)
}

// audit judges audit records as they come.
func (s *Server) audit(ctx context.Context, lane int) error {
	return stream.Each(ctx, s.Store, "audit", lane, s.auditor.Follow)
}

// streamOptions are this server's part in the stream, for its page.
func (s *Server) streamOptions() api.StreamOptions {
	return api.StreamOptions{Lag: s.reader.Lag, Partitions: s.reader.Status, Deaf: s.cannotHear,
		Posted: func() map[string]int64 {
			out := map[string]int64{}
			for what, name := range collect.HookNames {
				out[name] = s.Hook.Count(what)
			}
			return out
		},
		Replay: func(ctx context.Context, tenant tocsin.TenantID, kind, subject string, body []byte) error {
			return collect.Replay(ctx, s.Journal, tocsin.Millis(s.Clock.Now()), tenant, kind, subject, body)
		}}
}

// tally counts what is told of mail.
func (s *Server) tally(ctx context.Context, lane int) error {
	t := s.metrics.lags.begin()
	defer t.end()
	return stream.Fold(ctx, s.Store, "tally", lane, func(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
		err := collect.Tally(ctx, tx, facts)
		t.step(facts, err)
		return err
	})
}

func (s *Server) judge(ctx context.Context, lane int) error {
	return stream.Each(ctx, s.Store, "judge", lane, collect.Judge(s.Store, s.Journal))
}

func (s *Server) alert(ctx context.Context, lane int) error {
	return stream.Fold(ctx, s.Store, notify.Follower, lane, s.Alerts.Fold)
}

// chores are done now and then, by one replica: what ends by itself is told, what is old is dropped.
func (s *Server) chores(ctx context.Context) error {
	for hour := 0; ctx.Err() == nil; hour = (hour + 1) % 60 {
		failed := errors.Join(s.syncRules(ctx), collect.TellEnds(ctx, s.Store), s.Connections.TellEnds(ctx), s.Exports.TellTroubles(ctx))
		if hour%5 == 0 {
			failed = errors.Join(failed, collect.Bursts(ctx, s.Store))
		}
		if hour == 0 {
			failed = errors.Join(failed, collect.Relist(ctx, s.Store), s.Store.Trim(ctx), s.sweepInboxes(ctx), s.forgetCertificates(ctx), collect.AgeRisks(ctx, s.Store))
		}
		if failed != nil && ctx.Err() == nil {
			s.log.Error("a chore was not done; it is tried again", "error", failed)
		}
		if err := s.Clock.Sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// syncRules keeps the rules of the folder.
func (s *Server) syncRules(ctx context.Context) error {
	if s.folder == nil {
		return nil
	}
	return s.folder.Sync(ctx, func(file, what string) {
		s.log.Warn("a rule of the folder was not taken; what there was of it stays", "file", file, "because", what)
	})
}

// loops are what is kept running, one for each key. The next of a key begins when the last has ended: both would hold its
// lease, as one owner, and the last would give it up under the next.
type loops struct {
	all     sync.WaitGroup
	running map[string]*loop
}

type loop struct {
	version string // empty when it was stopped
	stop    context.CancelFunc
	ended   chan struct{}
}

// wish is a loop that is to run, which ends when its ctx does.
type wish struct {
	version string
	run     func(context.Context)
}

// keep stops what is not wanted, or wanted in another version, and starts what does not run.
func (l *loops) keep(ctx context.Context, wanted map[string]wish) {
	for key, r := range l.running {
		if w, ok := wanted[key]; ok && w.version == r.version {
			continue
		}
		r.stop()
		r.version = ""
		select {
		case <-r.ended:
			delete(l.running, key)
		default:
		}
	}
	for key, w := range wanted {
		before := l.running[key]
		if before != nil && before.version != "" {
			continue
		}
		own, stop := context.WithCancel(ctx)
		next := &loop{version: w.version, stop: stop, ended: make(chan struct{})}
		if l.running == nil {
			l.running = map[string]*loop{}
		}
		l.running[key] = next
		l.all.Go(func() {
			defer close(next.ended)
			defer stop()
			if before != nil {
				<-before.ended
			}
			w.run(own)
		})
	}
}

// collect keeps a collector running for every connection that is not paused. A tenant is collected from by the first of its
// connections, and by one replica at a time.
func (s *Server) collect(ctx context.Context) error {
	var running loops // by tenant
	defer running.all.Wait()
	running.all.Go(func() { s.tenants.Run(ctx) })
	for ctx.Err() == nil {
		s.Connections.Limits.Among(s.tenants.Members())
		list, err := s.Connections.List(ctx)
		if err != nil {
			s.log.Warn("the connections were not read", "error", err)
			pause(ctx, time.Second)
			continue
		}
		wanted := map[string]wish{}
		for _, c := range list {
			running.all.Go(func() { s.Connections.Heed(c) })
		}
		// One that is broken is tried all the same: that is how it mends itself when what was wrong is set right.
		for _, c := range connect.Readers(list) {
			key := string(c.Tenant)
			wanted[key] = wish{fmt.Sprintf("%s/%d/%d", c.ID, c.Version, c.Registered), func(ctx context.Context) {
				s.holdShare(ctx, s.tenants, "tenant/"+key, func(ctx context.Context) error { return s.tenant(ctx, c) })
			}}
		}
		running.keep(ctx, wanted)
		s.waitForConnections(ctx)
	}
	return ctx.Err()
}

// export serves every export that is not paused, each under a lease of its own, so that one holds up no other.
func (s *Server) export(ctx context.Context) error {
	var running loops // by export
	defer running.all.Wait()
	for ctx.Err() == nil {
		list, err := s.Exports.All(ctx)
		if err != nil {
			s.log.Warn("the exports were not read", "error", err)
			pause(ctx, time.Second)
			continue
		}
		wanted := map[string]wish{}
		for _, e := range list {
			if e.State != export.Running {
				continue
			}
			wanted[e.ID] = wish{fmt.Sprint(e.Version), func(ctx context.Context) {
				_ = s.hold(ctx, "export/"+e.ID, func(ctx context.Context) error {
					err := s.Exports.Serve(ctx, e.Tenant, e.ID)
					if err == nil {
						pause(ctx, time.Second) // it was paused or changed, which is seen above
					}
					return err
				})
			}}
		}
		running.keep(ctx, wanted)
		s.waitForConnections(ctx)
	}
	return ctx.Err()
}

// waitForConnections returns when a connection may have changed.
func (s *Server) waitForConnections(ctx context.Context) {
	appended := s.Store.Appended()
	select {
	case <-ctx.Done():
	case <-appended:
		pause(ctx, 200*time.Millisecond)
	case <-time.After(2 * time.Second):
	}
}

// tenant collects from a tenant until ctx ends.
func (s *Server) tenant(ctx context.Context, c connect.Connection) error {
	client, err := s.Connections.Client(ctx, c)
	if err != nil {
		// A credential that does not open, say: it will not mend itself, so the connection says it.
		if note := s.Connections.Broke(ctx, c, err); note != nil {
			return note
		}
		pause(ctx, 30*time.Second)
		return err
	}
	without, err := s.Connections.SourcesOff(ctx, c)
	if err != nil {
		return err
	}
	client.Lead(true) // this process holds the tenant's lease
	defer client.Lead(false)
	ctx, stop := context.WithCancel(ctx)
	var sizing sync.WaitGroup
	sizing.Go(func() { s.size(ctx, c.Tenant, client) })
	sizing.Go(func() { s.wake(ctx, c.Tenant) })
	sizing.Go(func() { s.count(ctx, c.Tenant) })
	sizing.Go(func() { _ = collect.KeepLearning(ctx, s.Store, c.Tenant, &s.handed, s.behind, s.log) }) // ends with ctx alone
	defer sizing.Wait()
	defer stop()
	collector := &collect.Collector{Without: without, Tenant: c.Tenant, Graph: client, Store: s.Store, Journal: s.Journal,
		Every: s.Config.Every.intervals(), Batches: s.Config.Batches, Log: s.log, Webhook: s.webhook(c), Improbable: s.Config.Silence,
		Writer: func(ctx context.Context) (*graph.Client, error) {
			_, gc, err := s.Connections.For(ctx, c.Tenant, connect.MailCanary)
			return gc, err
		},
		Heard: func(ctx context.Context, h connect.Heard) error { return s.Connections.Heard(ctx, c, h) }}
	return collector.Run(ctx)
}

// closing finishes what is to be closed, while no collector runs for the tenant, here or elsewhere.
func (s *Server) closing(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.Connections.FinishClosing(ctx, s.alone); err != nil && ctx.Err() == nil {
			s.log.Error("a connection was not closed; it is tried again", "error", err)
			pause(ctx, 5*time.Second)
		}
		s.waitForConnections(ctx)
	}
	return ctx.Err()
}

// alone runs act while this process holds the lease of the tenant's collector, and none collects; false where one does.
func (s *Server) alone(ctx context.Context, tenant tocsin.TenantID, act func(context.Context) error) (bool, error) {
	lease, owner := "tenant/"+string(tenant), s.owner+"/closing" // another than the collector's, which has to let go of it
	ok, err := s.take(ctx, lease, owner)
	if err != nil || !ok {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.Store.Release(ctx, lease, owner); err != nil {
			s.log.Warn("a lease was not given back", "lease", lease, "error", err)
		}
	}()
	return true, act(ctx)
}

// looks reads of every connection what the tenant has granted it: of a new one at once, then as often as roles are read.
// One tenant's trouble is not the others': each is looked at by itself, and one whose Microsoft does not answer waits alone.
func (s *Server) looks(ctx context.Context) error {
	var mu sync.Mutex
	next := map[string]time.Time{}
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, 8)
	for ctx.Err() == nil {
		list, err := s.Connections.List(ctx)
		if err != nil {
			s.log.Warn("the connections were not read", "error", err)
		}
		there := map[string]bool{}
		for _, c := range list {
			key, now := fmt.Sprintf("%s/%s/%d", c.Tenant, c.ID, c.Version), s.Clock.Now()
			there[key] = true
			mu.Lock()
			due := c.Collects() && !next[key].After(now)
			if due {
				next[key] = now.AddDate(1, 0, 0) // it is under way
			}
			mu.Unlock()
			if !due {
				continue
			}
			all.Go(func() {
				again := s.Config.Every.Roles
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					next[key] = s.Clock.Now().Add(again)
				}()
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-ctx.Done():
					return
				}
				if err := s.Connections.LookAndJudge(ctx, c); err != nil && ctx.Err() == nil {
					s.log.Warn("what is granted was not read from the tenant", "tenant", c.Tenant, "error", err)
					again = min(time.Minute, again)
				}
			})
		}
		mu.Lock()
		maps.DeleteFunc(next, func(key string, _ time.Time) bool { return err == nil && !there[key] })
		mu.Unlock()
		s.waitForConnections(ctx)
	}
	return ctx.Err()
}
