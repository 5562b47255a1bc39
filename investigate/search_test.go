package investigate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// bad is the query that finds a campaign's mails and no innocent one: colleagues warn of its address, and write it so that it does no harm.
const bad = `url.domain:pay-portal.example NOT from:fabrikamfreight.com`

// TestSearchFindsACampaignWhole: every bad mail, whatever its subject, sender and file, and nothing that only looks like it.
func TestSearchFindsACampaignWhole(t *testing.T) {
	eachField(t, 60, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 50, Innocents: 30, Over: sim.Duration(6 * time.Hour)})
		id := f.started(Investigation{Query: bad})
		r := f.runs(f.engine(), id)
		if r.State != RunDone || r.Searched == 0 || r.Searched+r.OutOfScope != r.Mailboxes || r.Incomplete > 0 || r.Matches != 50 || r.FirstMatch.IsZero() {
			f.Errorf("the search: %s", dump(r))
		}
		f.whole(id, w)
		if v := f.get(id); v.Status != Finished {
			f.Errorf("the investigation is %s", v.Status)
		}
		for _, m := range f.found(id) {
			if len(m.Why) == 0 || m.FolderName == "" && m.Folder != "" || m.State != Found {
				f.Errorf("a match: %s", dump(m))
			}
		}
		// Once more: nothing is found twice.
		fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
			_, err := Start(ctx, t, "jo@example.com", id)
			return err
		}))
		if r := f.runs(f.engine(), id); r.Matches != 0 || r.N != 2 {
			f.Errorf("the second search: %s", dump(r))
		}
		f.whole(id, w)
	})
}

// TestSearchGlances: what the whole takes long for, a first look shows at once; the whole finds what that lost.
func TestSearchGlances(t *testing.T) {
	eachField(t, 40, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 40, Innocents: 10, Over: sim.Duration(time.Hour)})
		id := f.started(Investigation{Query: `subject:invoice`})
		p, err := f.desk().Plan(f.Context(), f.tenant, Ask{Query: `subject:invoice`})
		fine(f, err)
		if p.First == "" || p.Exact || p.Mailboxes == 0 || p.Calls < p.Mailboxes || len(p.Notes) == 0 {
			f.Errorf("the plan: %s", dump(p))
		}
		r := f.runs(f.engine(), id)
		if r.State != RunDone || r.Glanced != r.Searched || r.Searched+r.OutOfScope != r.Mailboxes {
			f.Errorf("the search: %s", dump(r))
		}
		found := f.found(id)
		for message, p := range w.Bad() {
			_, ok := found[message]
			if has := strings.Contains(strings.ToLower(p.Subject), "invoice"); has && !ok {
				f.Errorf("not found: %+v", p)
			}
		}
	})
}

// TestSearchByMetadataAlone: what may not be read is unknown, never no match.
func TestSearchByMetadataAlone(t *testing.T) {
	eachField(t, 20, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 10, Over: sim.Duration(time.Hour), Fresh: true})
		f.way = Way{ID: "c1", Name: "Mail", Metadata: true, Graph: f.client(func() bool { return true })}
		id := f.started(Investigation{Query: bad + ` received>=2d`})
		r := f.runs(f.engine(), id)
		if r.State != RunDone || r.Incomplete == 0 || r.Fetched != 0 {
			f.Errorf("the search: %s", dump(r))
		}
		found := f.found(id)
		for message, p := range w.Bad() {
			if m, ok := found[message]; !ok || m.Truth != "unknown" || len(m.Why) == 0 {
				f.Errorf("%+v is %+v", p, m)
			}
		}
		for _, b := range f.boxes(r.ID, Incomplete) {
			if !strings.Contains(b.Because, "unknown") || b.Mend == "" {
				f.Errorf("a mailbox: %s", dump(b))
			}
		}
		// What the envelope decides is decided.
		one := w.Planted[0]
		id = f.started(Investigation{Query: `from:` + one.Sender})
		r = f.runs(f.engine(), id)
		if m := f.found(id)[one.ID]; m.Truth != "yes" || r.Incomplete != 0 {
			f.Errorf("by the sender: %s\n%s", dump(m), dump(r))
		}
	})
}

// TestSearchKeepsTheBoundary: a domain that is not authorised is not asked about, whatever the scope names, and from the moment it is taken away.
func TestSearchKeepsTheBoundary(t *testing.T) {
	eachField(t, 20, func(f *field) {
		f.campaign(sim.Campaign{Mails: 10, Over: sim.Duration(time.Hour)})
		f.domain = []string{"elsewhere.example"}
		id := f.started(Investigation{Query: bad})
		r := f.runs(f.engine(), id)
		if r.State != RunDone || r.OutOfScope != r.Mailboxes || r.Calls != 0 || len(f.found(id)) != 0 {
			f.Errorf("outside: %s", dump(r))
		}
		f.set(func() { f.domain = nil })
		id = f.started(Investigation{Query: bad})
		e := f.engine()
		e.at = func(point string) error {
			if point == "planned" {
				f.set(func() { f.domain = []string{} })
			}
			return nil
		}
		r = f.runs(e, id)
		if r.State != RunDone || r.Searched != 0 || r.OutOfScope != r.Mailboxes || len(f.found(id)) != 0 {
			f.Errorf("taken away: %s", dump(r))
		}
	})
}

// TestSearchScope: people, departments and domains narrow whose mailboxes are searched.
func TestSearchScope(t *testing.T) {
	eachField(t, 30, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 30, Over: sim.Duration(time.Hour)})
		one := w.Planted[0]
		id := f.started(Investigation{Query: bad, Scope: Scope{People: []string{one.Mailbox}}})
		r := f.runs(f.engine(), id)
		found := f.found(id)
		for _, m := range found {
			if m.Address != one.Mailbox {
				f.Errorf("found in %s", m.Address)
			}
		}
		if r.Mailboxes != 1 || found[one.ID].ID == "" {
			f.Errorf("one person: %s", dump(r))
		}
		id = f.started(Investigation{Query: bad, Scope: Scope{Domains: []string{"nowhere.example"}}})
		if r := f.runs(f.engine(), id); r.Mailboxes != 0 || r.State != RunDone {
			f.Errorf("nobody: %s", dump(r))
		}
	})
}

// TestSearchKilled: a process that dies between the asking and the writing does it again; nothing is found twice and nothing lost.
func TestSearchKilled(t *testing.T) {
	eachField(t, 60, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 50, Innocents: 10, Over: sim.Duration(time.Hour)})
		id := f.started(Investigation{Query: bad})
		killed := errors.New("killed")
		for _, point := range []string{"planned", "prepared", "searched"} {
			e := f.engine()
			ctx, kill := context.WithCancel(f.Context())
			e.at = func(at string) error {
				if at == point {
					kill()
					return killed
				}
				return nil
			}
			_ = e.Run(ctx)
			kill()
		}
		r := f.runs(f.engine(), id)
		if r.State != RunDone || r.Matches != 50 || r.Searched+r.OutOfScope != r.Mailboxes {
			f.Errorf("the search: %s", dump(r))
		}
		f.whole(id, w)
	})
}

// TestSearchStopped: stop ends the work at once, resume goes on with what waits.
func TestSearchStopped(t *testing.T) {
	eachField(t, 120, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 60, Over: sim.Duration(time.Hour)})
		id := f.started(Investigation{Query: bad})
		e := f.engine()
		stopped := make(chan struct{}, 1000)
		e.at = func(at string) error {
			if at == "searched" && len(stopped) == 0 {
				stopped <- struct{}{}
				return errors.Join(f.tx(func(ctx context.Context, t *store.Tenant) error {
					_, err := Stop(ctx, t, "jo@example.com", id, "Enough.")
					return err
				}), errStopped) // so that one portion at least is not written down
			}
			return nil
		}
		r := f.runs(e, id)
		whole := r.Prepared && r.Searched+r.OutOfScope == r.Mailboxes // the first are searched while the mailboxes are still being written down
		if r.State != RunStopped || !strings.Contains(r.Because, "Enough.") || whole || f.get(id).Status != Stopped {
			f.Errorf("stopped: %s", dump(r))
		}
		fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
			_, err := Resume(ctx, t, "jo@example.com", id)
			return err
		}))
		r = f.runs(f.engine(), id)
		if r.State != RunDone || r.Searched+r.OutOfScope != r.Mailboxes || r.N != 1 {
			f.Errorf("resumed: %s", dump(r))
		}
		f.whole(id, w)
	})
}

// TestSearchRevoked: a consent that is taken away in the middle stops the search with the reason; given back, it goes on.
func TestSearchRevoked(t *testing.T) {
	eachField(t, 120, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 60, Over: sim.Duration(time.Hour)})
		id := f.started(Investigation{Query: bad})
		struck, err := f.w.Strike(sim.Fault{Path: "/users/*/messages", Kind: sim.Denied, Skip: 40})
		fine(f, err)
		e := f.engine()
		var told error
		e.Refused = func(_ context.Context, _ tocsin.TenantID, connection string, err error) error {
			told = err
			return nil
		}
		r := f.runs(e, id)
		v := f.get(id)
		if r.State != RunStopped || !strings.Contains(r.Because, "no longer lets") || r.Mend == "" || v.Status != Stopped || v.Because == "" || told == nil {
			f.Errorf("revoked: %s\n%s %v", dump(r), dump(v), told)
		}
		struck.Heal()
		fine(f, f.tx(func(ctx context.Context, t *store.Tenant) error {
			_, err := Resume(ctx, t, "jo@example.com", id)
			return err
		}))
		if r = f.runs(f.engine(), id); r.State != RunDone || r.Searched+r.OutOfScope != r.Mailboxes {
			f.Errorf("resumed: %s", dump(r))
		}
		f.whole(id, w)
	})
}

// TestSearchTroubledMailboxes: a mailbox that is gone or kept from us ends as such and holds up no other; a storm of 429 passes.
func TestSearchTroubledMailboxes(t *testing.T) {
	eachField(t, 40, func(f *field) {
		w := f.campaign(sim.Campaign{Mails: 40, Over: sim.Duration(time.Hour)})
		lost, kept := w.Planted[0], w.Planted[1]
		f.fault(sim.Fault{Path: "/users/" + lost.Person + "/**", Kind: sim.Missing})
		f.fault(sim.Fault{Path: "/users/" + kept.Person + "/**", Kind: sim.OutOfScope})
		f.fault(sim.Fault{Path: "/users/*/messages", Kind: sim.Throttle, Every: 2, Times: 40, After: "0.01"})
		id := f.started(Investigation{Query: bad})
		r := f.runs(f.engine(), id)
		if r.State != RunDone || r.Incomplete != 1 || r.OutOfScope != 2 || r.Searched != r.Mailboxes-3 {
			f.Errorf("the search: %s", dump(r))
		}
		for _, b := range f.boxes(r.ID, Incomplete) {
			if b.Address != lost.Mailbox || !strings.Contains(b.Because, "gone") {
				f.Errorf("the mailbox that is gone: %s", dump(b))
			}
		}
		for _, b := range f.boxes(r.ID, OutOfScope) {
			if b.Because == "" && b.Address == kept.Mailbox {
				f.Errorf("the mailbox that is kept: %s", dump(b))
			}
		}
		found := f.found(id)
		for message, p := range w.Bad() {
			_, ok := found[message]
			if want := p.Mailbox != lost.Mailbox && p.Mailbox != kept.Mailbox; ok != want {
				f.Errorf("%s: found %v", p.Mailbox, ok)
			}
		}
	})
}

// TestSearchTracesFirst: the message trace tells whom it went to, and those are searched first.
func TestSearchTracesFirst(t *testing.T) {
	eachField(t, 30, func(f *field) {
		f.trace = true
		f.w.SetTraces(sim.Traces{Lag: -1})
		w := f.campaign(sim.Campaign{Mails: 8, Over: sim.Duration(time.Hour)})
		one := w.Planted[0]
		id := f.started(Investigation{Query: `from:` + one.Sender})
		r := f.runs(f.engine(), id)
		if r.Trace.State != "asked" || r.Trace.Mails == 0 || r.Trace.Boxes == 0 || r.State != RunDone {
			f.Errorf("the trace: %s", dump(r))
		}
		list, err := f.desk().Trails(f.Context(), f.tenant, id, TrailFilter{Mail: one.MessageID, Limit: 10})
		fine(f, err)
		if len(list) != 1 || list[0].Delivery == "" || list[0].Here != Found || list[0].Opened == TrailUnknown || list[0].Match == "" {
			f.Errorf("the trail: %s", dump(list))
		}
	})
}

// TestSearchClusters: variants of one mail stand together.
func TestSearchClusters(t *testing.T) {
	eachField(t, 40, func(f *field) {
		f.campaign(sim.Campaign{Mails: 30, Innocents: 10, Over: sim.Duration(time.Hour)})
		id := f.started(Investigation{Query: bad})
		f.runs(f.engine(), id)
		fine(f, f.st.ViewTenant(f.Context(), f.tenant, func(t *store.Tenant) error {
			groups, err := Groups(f.Context(), t, id, 0, 50)
			if err != nil {
				return err
			}
			var all int64
			for _, g := range groups {
				all += g.Matches
			}
			if len(groups) == 0 || len(groups) > 4 || all != 30 || groups[0].Matches < 20 || len(groups[0].Examples) < 2 {
				f.Errorf("the clusters: %s", dump(groups))
			}
			return nil
		}))
	})
}
