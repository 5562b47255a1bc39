package server

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/investigate"
	"tocsin.dev/store"
)

var (
	campaignMailboxes = flag.Int("campaign.mailboxes", 240, "how many people TestCampaign searches")
	campaignMails     = flag.Int("campaign.mails", 80, "how many mails of a campaign TestCampaign finds; a sixth as many look like them and are innocent")
)

// campaign is one that is hunted by the server at work.
type campaign struct {
	*subject
	id    api.ByID // the investigation
	waves []*sim.Wave
	limit time.Duration // for what takes long where there is much
}

// TestCampaign: a campaign in many mailboxes is found whole with no innocent, removed with the approval of a second person, and restored to
// equality; a second wave on the next day is caught by the query that stands, and removed by itself. All by the operations that pages and
// commands call, and held against what the simulator knows. It says how long each took, and asserts nothing of it.
func TestCampaign(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		w, err := sim.New(sim.Config{Users: *campaignMailboxes, Seed: 23, Quiet: true, Roles: sim.ReadTier, Latency: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		conf := settings(t)
		conf.Database = address
		day := &conf.Every // what is read again within a day would all be due at once when the clock goes ahead by one
		for _, every := range []*time.Duration{&day.Rules, &day.Directory, &day.Settings, &day.Members, &day.Roles, &day.Domains, &day.Folders, &day.Reconcile, &day.Absent, &day.Posture} {
			*every = 99 * time.Hour
		}
		c := &campaign{subject: hears(t, conf, w), limit: time.Minute + time.Duration(*campaignMailboxes)*60*time.Millisecond}
		first := c.wave(sim.Campaign{Mails: *campaignMails, Innocents: *campaignMails / 6, Over: sim.Duration(6 * time.Hour)})
		configured(t, c.s, w, first.Planted[0].Mailbox)
		c.allTold()
		c.hunted(first)
		before := w.Digest()
		for _, kind := range []investigate.ActKind{investigate.Quarantine, investigate.SoftDelete} {
			act := c.removed(kind, first)
			c.restored(act, first)
			c.same(before, w.Digest())
		}

		c.byItself()
		w.Advance(24 * time.Hour)
		c.s.Clock.Advance(24 * time.Hour)
		c.led()
		c.allTold()
		c.caught(c.wave(sim.Campaign{Wave: 1, Mails: *campaignMails / 6, Innocents: *campaignMails / 30, Fresh: true}))
	})
}

// allTold waits until every mailbox is told of: Microsoft sends nothing for a subscription whose token ran out, as all have when the
// clock goes ahead by a day, until it is reauthorized.
func (c *campaign) allTold() {
	c.Helper()
	began := time.Now()
	eventuallyIn(c, c.limit, "the subscriptions", func() string {
		on, all := c.count(`select count(*) from subscription where tenant = $1 and state = 'on' and expires > $2`, c.s.Clock.Now()), c.count(`select count(*) from person where tenant = $1 and mailbox = 'read'`)
		for name, s := range c.sources() {
			if slices.Contains(allSources, name) && s.Succeeded.IsZero() {
				return name + " is not read: " + s.Because
			}
		}
		if on == 0 || on < all {
			return fmt.Sprintf("%d of %d", on, all)
		}
		if mute := slices.DeleteFunc(c.w.Subscriptions(), func(x sim.Subscribed) bool { return x.Authorized }); len(mute) > 0 {
			return fmt.Sprintf("%d wait for reauthorization", len(mute))
		}
		return ""
	})
	c.Logf("%d mailboxes are told of after %.1f s", c.count(`select count(*) from subscription where tenant = $1 and state = 'on'`), time.Since(began).Seconds())
}

// led waits until all work has somebody who does it: leases ran out with the day.
func (c *campaign) led() {
	c.Helper()
	eventuallyIn(c, c.limit, "the leases", func() string {
		var n int
		err := c.s.Store.View(c.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(c.Context(), `select count(*) from lease where expires < $1`, c.s.Clock.Now()).Scan(&n)
		})
		if err != nil {
			c.Fatal(err)
		}
		if n > 0 {
			return fmt.Sprintf("%d have run out", n)
		}
		return ""
	})
}

func (c *campaign) wave(x sim.Campaign) *sim.Wave {
	c.Helper()
	w, err := c.w.Campaign(x)
	if err != nil {
		c.Fatal(err)
	}
	c.waves = append(c.waves, w)
	return w
}

// ctx is the analyst's who hunts, other that of whoever approves.
func (c *campaign) ctx() context.Context { return as(c.Context(), api.Analyst) }

func (c *campaign) other() context.Context {
	return api.WithCaller(c.Context(), api.Caller{Account: "second", Email: "second@example.com", By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Analyst}}})
}

func (c *campaign) get() api.InvestigationDetail {
	c.Helper()
	d, err := c.s.API.GetInvestigation(c.ctx(), c.id)
	if err != nil {
		c.Fatal(err)
	}
	if d.Status != "running" || d.Because != "" || d.Search != nil && d.Search.State == "stopped" {
		c.Fatalf("the investigation: %+v %+v", d.Investigation, d.Search)
	}
	return d
}

// hunted starts an investigation that stands, and waits until its search has ended: it has found the wave and nothing else.
func (c *campaign) hunted(w *sim.Wave) {
	c.Helper()
	now := c.s.Clock.Now()
	in := api.CreateInvestigationIn{Body: api.InvestigationNew{Name: "Invoices", Query: "url.domain:" + w.Domain + " received>=" + now.Add(-48*time.Hour).Format(time.DateOnly), Trigger: "standing", Expiry: now.Add(96 * time.Hour),
		Reason: "Reported.", Start: true}}
	in.Tenant = c.tenant()
	began := time.Now()
	made, err := c.s.API.CreateInvestigation(c.ctx(), in)
	if err != nil {
		c.Fatal(err)
	}
	c.id.ID, c.id.Tenant = made.ID, c.tenant()
	var shows time.Duration
	for shows == 0 { // as often as a page would hardly ask
		if list, err := c.s.API.ListMatches(c.ctx(), api.MatchesIn{ByID: c.id}); err != nil {
			c.Fatal(err)
		} else if len(list.Items) > 0 || time.Since(began) > c.limit {
			shows = time.Since(began)
		}
		time.Sleep(5 * time.Millisecond)
	}
	var d api.InvestigationDetail
	eventuallyIn(c, c.limit, "the search", func() string {
		if d = c.get(); d.Search.State != "done" {
			return fmt.Sprintf("%d of %d mailboxes", d.Search.Searched, d.Search.Mailboxes)
		}
		return ""
	})
	s := d.Search
	c.Logf("search: %d mailboxes and %d messages in %.1f s (%d requests), %d matches; the first was to be seen %.2f s after the start", s.Searched, s.Looked, s.Ended.Sub(s.Started).Seconds(), s.Calls, d.Matches, shows.Seconds())
	if s.Incomplete > 0 || s.Searched+s.OutOfScope != s.Mailboxes || int(d.Matches) != w.Mails || d.Unknown != 0 {
		c.Errorf("%d were planted: %+v %+v", w.Mails, d.Investigation, s)
	}
	c.found()
}

// found holds what was found against what was planted.
func (c *campaign) found() map[string]api.Match {
	c.Helper()
	out := map[string]api.Match{}
	in := api.MatchesIn{ByID: c.id}
	for in.Limit = 200; ; {
		page, err := c.s.API.ListMatches(c.ctx(), in)
		if err != nil {
			c.Fatal(err)
		}
		for _, m := range page.Items {
			out[m.Message] = m
		}
		if in.After = page.Next; in.After == "" {
			break
		}
	}
	all, lost := 0, 0
	for _, w := range c.waves {
		for id, p := range w.Bad() {
			all++
			if m, ok := out[id]; !ok || m.Truth != "yes" || m.Address != p.Mailbox || m.Subject != p.Subject {
				lost++
			}
		}
		for id, p := range w.Innocent() {
			if _, ok := out[id]; ok {
				c.Errorf("an innocent was found: %+v", p)
			}
		}
	}
	if lost > 0 || len(out) != all {
		c.Errorf("%d were planted: %d are not found as they are, and %d are found", all, lost, len(out))
	}
	return out
}

// did is what we did with messages since a line of the truth, by message: by what the simulator knows.
func (c *campaign) did(since int) map[string][]string {
	c.Helper()
	out := map[string][]string{}
	for _, l := range c.truth(since) {
		if l.By == "graph" && strings.HasPrefix(l.Change, "message.") {
			out[l.ID] = append(out[l.ID], l.Action)
		}
	}
	return out
}

// once holds that each bad mail of a wave was moved once since a line of the truth, but those that were to be left, and no other mail touched.
func (c *campaign) once(since, left int, w *sim.Wave) {
	c.Helper()
	did, bad := c.did(since), w.Bad()
	for id, what := range did {
		if _, ok := bad[id]; !ok || !slices.Equal(what, []string{"moved"}) {
			c.Errorf("%v was done with %+v", what, bad[id])
		}
	}
	if len(did)+left != len(bad) {
		c.Errorf("%d of %d were moved, %d were so already", len(did), len(bad), left)
	}
}

// removed has the wave taken out of the mailboxes, as one analyst asks and another approves.
func (c *campaign) removed(kind investigate.ActKind, w *sim.Wave) string {
	c.Helper()
	since := len(c.truth(0))
	in := api.MailActCreateIn{Body: api.MailActNew{Investigation: c.id.ID, Kind: kind, Why: "A phish."}}
	in.Tenant = c.tenant()
	if kind != investigate.Quarantine { // what was restored is meant once more
		for _, m := range c.found() {
			in.Body.Matches = append(in.Body.Matches, m.ID)
		}
	}
	a, err := c.s.API.CreateMailAct(c.ctx(), in)
	if err != nil {
		c.Fatal(err)
	}
	if a.State != investigate.ActWaiting {
		c.Errorf("so many mails are %s without anybody else: %+v", a.State, a)
	}
	approve := api.MailActDecideIn{}
	approve.Tenant, approve.ID = c.tenant(), a.ID
	if _, err := c.s.API.ApproveMailAct(c.ctx(), approve); err == nil {
		c.Error("who asked approves")
	}
	if _, err := c.s.API.ApproveMailAct(c.other(), approve); err != nil {
		c.Fatal(err)
	}
	d := c.acted(a.ID)
	if d.Counts.Done+d.Counts.Already != w.Mails || kind == investigate.Quarantine && d.Counts.Already > 0 {
		c.Errorf("%s: %+v", kind, d.Counts)
	}
	c.once(since, d.Counts.Already, w)
	return a.ID
}

// acted waits until an act has ended.
func (c *campaign) acted(id string) (d api.MailActDetail) {
	c.Helper()
	in := api.ByID{ID: id}
	in.Tenant = c.tenant()
	eventuallyIn(c, c.limit, "the act", func() string {
		var err error
		if d, err = c.s.API.GetMailAct(c.ctx(), in); err != nil {
			c.Fatal(err)
		}
		if !d.State.Ended() {
			return fmt.Sprintf("is %s %s: %+v", d.State, d.Because, d.Counts)
		}
		return ""
	})
	if d.State != investigate.ActDone {
		c.Errorf("the act is %s: %s", d.State, d.Because)
	}
	c.Logf("%s: %d done and %d so already of %d messages in %.1f s", d.Kind, d.Counts.Done, d.Counts.Already, d.Counts.Total, d.Ended.Sub(d.Began).Seconds())
	return d
}

func (c *campaign) restored(act string, w *sim.Wave) {
	c.Helper()
	since := len(c.truth(0))
	in := api.MailActRestoreIn{Body: api.MailActRestore{Why: "A mistake."}}
	in.Tenant, in.ID = c.tenant(), act
	a, err := c.s.API.RestoreMailAct(c.ctx(), in)
	if err != nil {
		c.Fatal(err)
	}
	if a.State == investigate.ActWaiting {
		approve := api.MailActDecideIn{}
		approve.Tenant, approve.ID = c.tenant(), a.ID
		if _, err := c.s.API.ApproveMailAct(c.other(), approve); err != nil {
			c.Fatal(err)
		}
	}
	d := c.acted(a.ID)
	if d.Counts.Done != d.Counts.Total || d.Counts.Total == 0 {
		c.Errorf("restored: %+v", d.Counts)
	}
	c.once(since, w.Mails-d.Counts.Total, w)
}

// same holds that every mailbox is as it was: folders, read states, flags, categories of every message, by the simulator.
func (c *campaign) same(before, after map[string]string) {
	c.Helper()
	other := 0
	for who, is := range after {
		if is != before[who] {
			other++
		}
	}
	if other > 0 || len(after) != len(before) || len(after) == 0 {
		c.Errorf("%d of %d mailboxes are not as they were", other, len(after))
	}
}

// byItself sets that what comes from now on is moved to quarantine by itself.
func (c *campaign) byItself() {
	c.Helper()
	d := c.get()
	in := api.UpdateInvestigationIn{Body: api.InvestigationEdit{Version: d.Version, InvestigationNew: api.InvestigationNew{Name: d.Name, Query: d.Query, Scope: d.Scope, Trigger: d.Trigger, Depth: d.Depth,
		Then: investigate.Then{Kind: string(investigate.Quarantine)}, Expiry: d.Expiry, Reason: d.Reason}}}
	in.ByID = c.id
	if _, err := c.s.API.UpdateInvestigation(c.ctx(), in); err != nil {
		c.Fatal(err)
	}
}

// caught waits until the wave is found as it comes, and taken out by itself.
func (c *campaign) caught(w *sim.Wave) {
	c.Helper()
	since := 0 // what we did is told apart by message
	all := 0
	for _, one := range c.waves {
		all += one.Mails
	}
	eventuallyIn(c, c.limit, "the second wave", func() string {
		if d := c.get(); int(d.Matches) < all {
			return fmt.Sprintf("%d of %d are found", d.Matches, all)
		}
		return ""
	})
	found, came := c.found(), map[string]time.Time{}
	for _, l := range c.truth(since) {
		if l.Change == "message.created" {
			came[l.ID] = l.Time
		}
	}
	var took []time.Duration
	for id := range w.Bad() {
		m := found[id]
		if m.Way != "standing" {
			c.Errorf("it was found by the %q: %+v", m.Way, m)
		}
		if came[id].IsZero() {
			c.Fatalf("the truth does not tell of %s", id)
		}
		took = append(took, m.Found.Sub(came[id]))
	}
	slices.SortFunc(took, cmp.Compare[time.Duration])
	c.Logf("second wave: %d mails, found %.2f s after their delivery in the median, the last after %.2f s", len(took), took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	var acts api.Page[api.MailAct]
	eventuallyIn(c, c.limit, "what is done by itself", func() string {
		in := api.MailActsIn{Investigation: c.id.ID}
		in.Tenant = c.tenant()
		var err error
		if acts, err = c.s.API.ListMailActs(c.ctx(), in); err != nil {
			c.Fatal(err)
		}
		done := 0
		for _, a := range acts.Items {
			if a.ByItself {
				done += a.Counts.Done
			}
		}
		if done < w.Mails {
			return fmt.Sprintf("%d of %d", done, w.Mails)
		}
		return ""
	})
	first, did := c.waves[0].Bad(), c.did(since)
	for id, what := range did {
		if _, ok := first[id]; ok { // four times: by two acts, and by what restored them
			continue
		}
		if _, ok := w.Bad()[id]; !ok || !slices.Equal(what, []string{"moved"}) {
			c.Errorf("%v was done with %s", what, id)
		}
	}
	for id := range w.Bad() {
		if len(did[id]) != 1 {
			c.Errorf("%v was done with a mail of the second wave", did[id])
		}
	}
}
