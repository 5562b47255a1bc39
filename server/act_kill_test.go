package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// keepActing is what the killed server does: it asks for one act after another, disabling, enabling, deleting and
// restoring amy's rule and revoking her sessions, each when the one before has ended.
func keepActing(ctx context.Context, s *Server, o orders) error {
	tenant := tocsin.TenantID(o.Connect.Tenant)
	ctx = api.WithCaller(ctx, api.Caller{Account: "killed", Email: "killed@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	if err := noLimits(ctx, s, tenant); err != nil {
		return err
	}
	for said := false; ; time.Sleep(2 * time.Millisecond) {
		last, err := lastAction(ctx, s, tenant)
		if err != nil {
			return err
		}
		if last.ID != "" && !said {
			fmt.Println("acting")
			said = true
		}
		switch {
		case last.ID != "" && (!last.State.Ended() || last.State == remediate.Undoing):
			continue
		case last.ID != "" && last.State != remediate.Verified:
			return fmt.Errorf("%s ended %s: %s", last.Kind, last.State, last.Because)
		case last.Kind == remediate.RevokeSessions && o.Act == "end":
			fmt.Println("ended")
			time.Sleep(time.Hour) // until it is killed
		}
		if err := nextAct(ctx, s, tenant, last); err != nil && !errors.Is(err, errLater) {
			return err
		}
	}
}

// errLater says that amy's rule as it is now was not read yet.
var errLater = errors.New("later")

func noLimits(ctx context.Context, s *Server, tenant tocsin.TenantID) error {
	in := api.In{Tenant: tenant}
	had, err := s.API.GetResponse(ctx, in)
	if err != nil || had.Version > 0 {
		return err
	}
	_, err = s.API.SetResponse(ctx, api.SetResponseIn{In: in, Body: api.ResponseNew{Approval: "none", PerHour: new(int), AtOnce: new(int)}})
	return err
}

func lastAction(ctx context.Context, s *Server, tenant tocsin.TenantID) (api.Action, error) {
	in := api.ActionsIn{}
	in.Tenant, in.Limit = tenant, 1
	p, err := s.API.ListActions(ctx, in)
	if err != nil || len(p.Items) == 0 {
		return api.Action{}, err
	}
	return p.Items[0], nil
}

func nextAct(ctx context.Context, s *Server, tenant tocsin.TenantID, last api.Action) error {
	if last.Kind == remediate.DisableRule || last.Kind == remediate.DeleteRule {
		in := api.UndoIn{Body: api.UndoNew{Why: "undo"}}
		in.Tenant, in.ID = tenant, last.ID
		_, err := s.API.UndoAction(ctx, in)
		return err
	}
	in := api.CreateActionIn{Body: api.ActionNew{Kind: map[remediate.Kind]remediate.Kind{"": remediate.DisableRule, remediate.EnableRule: remediate.DeleteRule,
		remediate.RestoreRule: remediate.RevokeSessions, remediate.RevokeSessions: remediate.DisableRule}[last.Kind], Why: "act"}}
	in.Tenant = tenant
	err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select r.person, r.id from mail_rule r join person p on p.tenant = r.tenant and p.person = r.person
			where r.tenant = $1 and r.deleted = 0 and p.mail like 'amy@%' and r.name = '.' order by r.first_seen desc limit 1`).Scan(&in.Body.Person, &in.Body.Target)
	})
	if errors.Is(err, store.ErrNone) {
		return errLater
	}
	if err != nil {
		return err
	}
	_, err = s.API.CreateAction(ctx, in)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict { // the rule is another by now, and that was not read yet
		return errLater
	}
	return err
}

// TestActKill: a server that is killed again and again in the middle of acts leaves none of them undone, doubled or
// unrecorded, by what the simulator knows was done.
func TestActKill(t *testing.T) {
	t.Parallel()
	w := world(t, 30, fraud)
	w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier)...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running, err := w.Serve(ctx, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Slow enough that kills fall between what is written down, sent, answered and read back.
	if err := w.Fault(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(40 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	before := rulesOfAmy(t, w)
	c := settings(t)
	c.Every.Rules, c.Every.Directory, c.Every.Settings = 2*time.Second, time.Hour, time.Hour
	o := orders{Config: c, Act: "go on", Connect: connect.New{Tenant: running.Tenant, Client: running.ClientID, Secret: running.ClientSecret, Cloud: "own",
		Own: connect.Own{Authority: running.Authority, Graph: running.Graph, CA: running.CA}}}
	random := rand.New(rand.NewPCG(5, 6))
	for range *kills {
		actingChild(t, o, time.Duration(random.Int64N(int64(2*time.Second))))
		runOut(t, filepath.Join(c.Data, "tocsin.db"))
	}
	o.Act = "end"
	actingChild(t, o, 0)

	did := map[remediate.Kind]int{}
	asked, kinds := actionsOf(t, filepath.Join(c.Data, "tocsin.db"), tocsin.TenantID(running.Tenant))
	lines, err := w.Truth()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.By != "graph" {
			continue
		}
		switch l.Change {
		case "sessions.revoked":
			did[remediate.RevokeSessions]++
		case "rule.deleted":
			did[remediate.DeleteRule]++
		case "rule.created":
			did[remediate.RestoreRule]++
		case "rule.updated":
			var r struct{ IsEnabled bool }
			if err := json.Unmarshal(l.Detail, &r); err != nil {
				t.Fatal(err)
			}
			did[map[bool]remediate.Kind{true: remediate.EnableRule, false: remediate.DisableRule}[r.IsEnabled]]++
		}
	}
	if !maps.Equal(did, kinds) {
		t.Errorf("at Microsoft %v was done, and %v is written down", did, kinds)
	}
	if asked < *kills {
		t.Errorf("%d kills met %d acts only", *kills, asked)
	}
	if after := rulesOfAmy(t, w); after != before {
		t.Errorf("amy's rules are\n%s\nand were\n%s", after, before)
	}
	t.Logf("%d kills, %d acts: %v", *kills, asked, kinds)
}

// rulesOfAmy are her rules as the simulator has them, without their ids.
func rulesOfAmy(t *testing.T, w *sim.Sim) string {
	t.Helper()
	rules, err := w.Rules("amy@" + w.Domain())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, raw := range rules {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		delete(m, "id")
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return strings.Join(out, "\n")
}

// runOut lets every lease run out, as the time after a crash does.
func runOut(t *testing.T, path string) {
	t.Helper()
	st, err := store.Open(t.Context(), path, &tocsin.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `update lease set expires = 0`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// actionsOf counts the acts that are written down by kind, and holds that each has ended well, with a history that says so
// once.
func actionsOf(t *testing.T, path string, tenant tocsin.TenantID) (n int, kinds map[remediate.Kind]int) {
	t.Helper()
	st, err := store.Open(t.Context(), path, &tocsin.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	kinds = map[remediate.Kind]int{}
	if err := st.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
		list, err := remediate.List(t.Context(), tt, remediate.Filter{Limit: 10_000})
		if err != nil {
			return err
		}
		for _, a := range list {
			n++
			kinds[a.Kind]++
			h, err := remediate.History(t.Context(), tt, a.ID)
			if err != nil {
				return err
			}
			once := map[string]int{}
			for _, c := range h {
				once[c.Change]++
			}
			want := remediate.Verified
			if a.Kind.Undo() != "" {
				want = remediate.Undone
			}
			if a.State != want || once["done"] != 1 || once["verified"] != 1 || once["running"] != 1 || once["sending"] < 1 {
				t.Errorf("%s %s is %s (%s): %v", a.Kind, a.ID, a.State, a.Because, once)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n, kinds
}

// actingChild runs the acting server as a process of its own, and kills it so long after it began to act; with 0, when the
// round of acts is whole.
func actingChild(t *testing.T, o orders, after time.Duration) {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "orders.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TOCSIN_") }), "TOCSIN_TEST_SERVER="+path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // SIGKILL: nothing of it is tidied up
		_ = cmd.Wait()
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	var dead <-chan time.Time
	limit := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-lines:
			switch {
			case !ok:
				t.Fatal("the server ended by itself")
			case line == "acting" && after > 0:
				dead = time.After(after)
			case line == "ended":
				return
			}
		case <-dead:
			return
		case <-limit:
			t.Fatal("the server did not act in two minutes")
		}
	}
}
