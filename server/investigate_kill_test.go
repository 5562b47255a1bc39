package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/investigate"
	"tocsin.dev/store"
)

// hunting is what the killed server hunts for.
type hunting struct {
	Query   string
	Mail    connect.New // of the mail configuration
	Address string      // its test address
}

// keepHunting is what the killed server does: a search of every mailbox, an act on all that it finds, and the restore of that, one after
// another. What the server before it had begun has ended by then, or it waits for it.
func keepHunting(ctx context.Context, s *Server, o orders) error {
	tenant := tocsin.TenantID(o.Connect.Tenant)
	ctx = api.WithCaller(ctx, api.Caller{Account: "killed", Email: "killed@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	in := api.In{Tenant: tenant}
	list, err := s.Connections.List(ctx)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		if _, err := s.Connections.CreateMail(ctx, "test", o.Hunt.Mail, connect.MailSettings{TestAddress: o.Hunt.Address, AllDomains: true}); err != nil {
			return err
		}
	}
	had, err := s.API.GetMailActSettings(ctx, in)
	if err == nil && had.Version == 0 {
		_, err = s.API.SetMailActSettings(ctx, api.SetMailActSettingsIn{In: in, Body: api.MailActSettingsNew{PerAct: new(int), PerHour: new(int), Share: new(int)}})
	}
	if err != nil {
		return err
	}
	for said := ""; ; time.Sleep(2 * time.Millisecond) {
		what, err := hunt(ctx, s, tenant, o)
		if err != nil {
			return err
		}
		if what != said {
			fmt.Println(what)
			said = what
		}
	}
}

// hunt asks for the next thing, where the one before has ended, and says what is under way.
func hunt(ctx context.Context, s *Server, tenant tocsin.TenantID, o orders) (string, error) {
	in := api.In{Tenant: tenant}
	list, err := s.API.ListInvestigations(ctx, api.InvestigationsIn{In: in})
	if err != nil {
		return "", err
	}
	if len(list.Items) == 0 {
		if !whole(ctx, s, tenant) {
			return "reads", nil
		}
		_, err := s.API.CreateInvestigation(ctx, api.CreateInvestigationIn{In: in, Body: api.InvestigationNew{Name: "Invoices", Query: o.Hunt.Query, Reason: "Reported.", Start: true}})
		return "reads", err
	}
	v := list.Items[0]
	switch v.Status {
	case "running":
		return "search", nil
	case "finished":
	default:
		return "", fmt.Errorf("the investigation is %s: %s %s", v.Status, v.Because, v.Mend)
	}
	acts, err := s.API.ListMailActs(ctx, api.MailActsIn{In: in})
	if err != nil {
		return "", err
	}
	for _, a := range acts.Items { // the last first
		switch {
		case !a.State.Ended():
			return string(a.Kind), nil
		case a.State != investigate.ActDone:
			return "", fmt.Errorf("the act %s is %s: %s %s", a.Kind, a.State, a.Because, a.Mend)
		}
	}
	switch len(acts.Items) {
	case 0:
		_, err = s.API.CreateMailAct(ctx, api.MailActCreateIn{In: in, Body: api.MailActNew{Investigation: v.ID, Kind: investigate.Quarantine, Why: "A phish."}})
	case 1:
		back := api.MailActRestoreIn{Body: api.MailActRestore{Why: "A mistake."}}
		back.Tenant, back.ID = tenant, acts.Items[0].ID
		_, err = s.API.RestoreMailAct(ctx, back)
	default:
		return "ended", nil
	}
	return "asks", err
}

// TestInvestigationKill: a server that is killed again and again in the middle of a search, of an act on what it found and of the restore of
// that finds all and nothing else, moves each mail once and brings it back once, and claims what the simulator knows was done.
func TestInvestigationKill(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := sim.New(sim.Config{Users: 120, Seed: 29, Quiet: true, Roles: sim.ReadTier})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.Close() })
			wave, err := w.Campaign(sim.Campaign{Mails: 60, Innocents: 20, Over: sim.Duration(3 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			running, err := w.Serve(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			// Slow enough that kills fall between what is written down, sent, answered and read back.
			if err := w.Fault(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(60 * time.Millisecond)}); err != nil {
				t.Fatal(err)
			}
			c := settings(t)
			c.Database = open(t)
			c.Every.Rules, c.Every.Directory, c.Every.Settings, c.Every.Members, c.Every.Roles, c.Every.Domains = time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
			n := connect.New{Tenant: running.Tenant, Client: running.ClientID, Secret: running.ClientSecret, Cloud: "own", Own: connect.Own{Authority: running.Authority, Graph: running.Graph, CA: running.CA}}
			m := n
			m.Client, m.Secret = ownApp(w)
			h := &hunter{T: t, w: w, wave: wave, o: orders{Config: c, Connect: n, Hunt: &hunting{Query: "url.domain:" + wave.Domain, Mail: m, Address: wave.Planted[0].Mailbox}}, before: w.Digest()}
			each := max(1, *kills/4)
			for i := range each {
				h.child("search", h.searched, int64(1+i*100/each))
			}
			for had, phase := range []string{"quarantine", "restore"} {
				for i := range each { // of the first, and of what brings them back
					h.child(phase, h.moved, int64(had*wave.Mails+1+i*wave.Mails*2/3/each))
				}
			}
			h.child("ended", func() int64 { return 0 }, 0)
			h.holds()
		})
	}
}

// hunter sees a server hunt, and kills it.
type hunter struct {
	*testing.T
	w      *sim.Sim
	wave   *sim.Wave
	o      orders
	before map[string]string
	middle map[string]int // kills that fell into the middle, by what was under way
}

// searched is how many mailboxes were asked for messages, moved how many messages were.
func (h *hunter) searched() int64 { return h.w.Requests().Calls["GET /users/{user-id}/messages"].Count }

func (h *hunter) moved() (n int64) {
	for _, l := range truthOf(h.T, h.w) {
		if l.By == "graph" && l.Action == "moved" {
			n++
		}
	}
	return n
}

// child runs the hunting server as a process of its own, until it has come to a phase and a count of that to a number; then it is killed.
func (h *hunter) child(phase string, count func() int64, until int64) {
	h.Helper()
	raw, err := json.Marshal(h.o)
	if err != nil {
		h.Fatal(err)
	}
	path := filepath.Join(h.TempDir(), "orders.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		h.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TOCSIN_") }), "TOCSIN_TEST_SERVER="+path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // SIGKILL: nothing of it is tidied up
		_ = cmd.Wait()
		runOut(h.T, h.o.Config.Database)
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	is := ""
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(3 * time.Minute); ; {
		select {
		case line, ok := <-lines:
			if !ok {
				h.Fatalf("the server ended by itself while it was at %q", is)
			}
			is = line
		case <-tick.C:
		case <-limit:
			h.Fatalf("the server is at %q after minutes", is)
		}
		if is == phase && count() >= until || is == "ended" {
			if h.middle == nil {
				h.middle = map[string]int{}
			}
			h.middle[is]++
			return
		}
	}
}

// holds holds what is written down against what the simulator knows.
func (h *hunter) holds() {
	h.Helper()
	st, err := store.Open(h.Context(), h.o.Config.Database, &tocsin.Clock{})
	if err != nil {
		h.Fatal(err)
	}
	defer st.Close()
	bad := h.wave.Bad()
	err = st.ViewTenant(h.Context(), tocsin.TenantID(h.o.Connect.Tenant), func(t *store.Tenant) error {
		list, err := investigate.List(h.Context(), t, investigate.Filter{Limit: 10})
		if err != nil {
			return err
		}
		if len(list) != 1 {
			h.Fatalf("there are %d investigations", len(list))
		}
		runs, err := investigate.Runs(h.Context(), t, list[0].ID, 10)
		if err != nil {
			return err
		}
		if r := runs[0]; len(runs) != 1 || r.State != investigate.RunDone || r.Searched+r.OutOfScope != r.Mailboxes || int(r.Matches) != len(bad) {
			h.Errorf("%d searches; the last: %+v", len(runs), r)
		}
		matches, err := investigate.Matches(h.Context(), t, list[0].ID, investigate.MatchFilter{}, investigate.Place{}, 1000)
		if err != nil {
			return err
		}
		for _, m := range matches {
			if _, ok := bad[m.Message]; !ok || m.State != "restored" {
				h.Errorf("%s was found, and is %s", m.Subject, m.State)
			}
		}
		if len(matches) != len(bad) {
			h.Errorf("%d of %d were found", len(matches), len(bad))
		}
		acts, err := investigate.Acts(h.Context(), t, investigate.ActFilter{Limit: 10})
		if err != nil {
			return err
		}
		for _, a := range acts {
			items, err := investigate.Items(h.Context(), t, investigate.ItemFilter{Act: a.ID})
			if err != nil {
				return err
			}
			for _, it := range items {
				if it.State != investigate.ItemDone {
					h.Errorf("%s of %s is %s: %s", a.Kind, it.Subject, it.State, it.Because)
				}
			}
			if len(items) != len(bad) {
				h.Errorf("%s is of %d messages", a.Kind, len(items))
			}
		}
		if len(acts) != 2 {
			h.Errorf("there are %d acts", len(acts))
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	did := map[string]int{}
	for _, l := range truthOf(h.T, h.w) {
		if l.By != "graph" || !strings.HasPrefix(l.Change, "message.") {
			continue
		}
		if _, ok := bad[l.ID]; !ok || l.Action != "moved" {
			h.Errorf("at Microsoft a message was %s that is none of the campaign", l.Action)
		}
		did[l.ID]++
	}
	for id := range bad {
		if did[id] != 2 {
			h.Errorf("a message was moved %d times, not there and back", did[id])
		}
	}
	for who, is := range h.w.Digest() {
		if is != h.before[who] {
			h.Errorf("the mailbox of %s is not as it was", who)
		}
	}
	for _, phase := range []string{"search", "quarantine", "restore"} {
		if h.middle[phase] == 0 && h.middle["ended"] == 0 { // else this process stood still while the server went on
			h.Errorf("no kill fell into the middle of the %s: %v", phase, h.middle)
		}
	}
	h.Logf("kills: %v", h.middle)
}
