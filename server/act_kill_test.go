package server

import (
	"bufio"
	"cmp"
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
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// acting are the acts that the killed server does, each followed by what undoes it. What stands together goes together: a risk is
// dismissed after it was confirmed.
var acting = [][]string{{"revoke_sessions"}, {"suspend"}, {"force_password_change"}, {"mfa_enroll"}, {"confirm_risk", "dismiss_risk"}, {"disable_rule"}, {"delete_rule"}, {"remove_admin_role"},
	{"remove_eligible_role"}, {"revoke_grant"}, {"remove_permission"}, {"disable_app"}, {"contain playbook"}, {"recover playbook"}, {ownPlaybook + " playbook"}}

// ownPlaybook is the customer's own: as the playbook that locks, and every other version of it without its first step.
const ownPlaybook = "finance"

// targets are what is acted on, by Microsoft's ids.
type targets struct{ Amy, Zoe, App string }

// keepActing is what the killed server does: the acts that it was told, one after another, each undone where that can be. Whatever the
// server before it had begun has ended by then, or it waits for it.
func keepActing(ctx context.Context, s *Server, o orders) error {
	tenant := tocsin.TenantID(o.Connect.Tenant)
	ctx = api.WithCaller(ctx, api.Caller{Account: "killed", Email: "killed@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	if err := noLimits(ctx, s, tenant); err != nil {
		return err
	}
	if err := writePlaybook(ctx, s, tenant); err != nil {
		return err
	}
	said, waits := "", ""
	say := func(what string) {
		if what != said {
			fmt.Println(what)
			said = what
		}
	}
	for ; ; time.Sleep(2 * time.Millisecond) {
		var list []*remediate.Action
		var own map[string]ownRun
		if err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
			if list, err = remediate.List(ctx, t, remediate.Filter{Limit: 10_000}); err != nil {
				return err
			}
			own, err = runsOf(ctx, t)
			return err
		}); err != nil {
			return err
		}
		asked, busy := map[string]bool{}, false
		var undo *remediate.Action
		for _, a := range list {
			busy = busy || !a.State.Ended() || a.State == remediate.Undoing
			if a.State.Ended() && !slices.Contains([]remediate.State{remediate.Verified, remediate.Undone, remediate.Undoing}, a.State) {
				return fmt.Errorf("%s ended %s: %s %s", a.Kind, a.State, a.Because, a.Mend)
			}
			if a.Undoes == "" {
				asked[cmp.Or(a.RunID, a.ID)] = true
				if a.State == remediate.Verified && a.Plan.CanUndo {
					undo = a
				}
			}
		}
		var err error
		acts := false
		switch {
		case busy:
		case undo != nil:
			acts = true
			say("undo " + undo.ID)
			in := api.UndoIn{Body: api.UndoNew{Why: "undo"}}
			in.Tenant, in.ID = tenant, undo.ID
			if _, is := own[undo.RunID]; is { // with one word
				in.ID = undo.RunID
				_, err = s.API.UndoPlaybook(ctx, in)
			} else {
				_, err = s.API.UndoAction(ctx, in)
			}
		case len(asked) == len(o.Acts):
			say("ended")
		default:
			acts = true
			say(fmt.Sprint("next ", len(asked), " ", o.Acts[len(asked)]))
			err = askFor(ctx, s, tenant, o.Acts[len(asked)], o.On)
		}
		// What is to be acted on may not be read yet, or not be again.
		if p, ok := errors.AsType[*tocsin.Problem](err); err != nil && (!ok || !slices.Contains([]tocsin.Code{tocsin.Conflict, tocsin.NotFound, tocsin.Unavailable}, p.Code)) {
			return err
		} else if ok && p.What != waits {
			waits = p.What
			fmt.Println("waits: " + waits)
		} else if err == nil && acts {
			waits = ""
			fmt.Println("acts")
		}
	}
}

func noLimits(ctx context.Context, s *Server, tenant tocsin.TenantID) error {
	in := api.In{Tenant: tenant}
	had, err := s.API.GetResponse(ctx, in)
	if err != nil || had.Version > 0 {
		return err
	}
	_, err = s.API.SetResponse(ctx, api.SetResponseIn{In: in, Body: api.ResponseNew{Approval: "none", PerHour: new(int), AtOnce: new(int)}})
	return err
}

// writePlaybook writes the customer's own playbook, or changes it: what the server before this one was in the middle of is of the
// version before.
func writePlaybook(ctx context.Context, s *Server, tenant tocsin.TenantID) error {
	in, text := api.In{Tenant: tenant}, remediate.PlaybookText{Title: "Finance", Steps: []remediate.Kind{remediate.Suspend, remediate.RevokeSessions, remediate.DisableRule}}
	at := api.ByID{In: in, ID: ownPlaybook}
	had, err := s.API.GetOwnPlaybook(ctx, at)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
		_, err = s.API.CreateOwnPlaybook(ctx, api.CreateOwnPlaybookIn{In: in, Body: api.OwnPlaybookNew{Name: ownPlaybook, Text: text}})
		return err
	}
	if err != nil {
		return err
	}
	if had.Version%2 == 1 {
		text.Steps = []remediate.Kind{remediate.Suspend, remediate.DisableRule}
	}
	_, err = s.API.UpdateOwnPlaybook(ctx, api.UpdateOwnPlaybookIn{ByIDAct: api.ByIDAct{ByID: at}, Body: api.OwnPlaybookEdit{Text: text, Version: had.Version}})
	return err
}

// ownRun is a run of the customer's own playbook, or what undoes one.
type ownRun struct {
	Version int64
	Undoes  string
}

// runsOf are the runs of the customer's own playbook, and what undoes them, by their ids.
func runsOf(ctx context.Context, t *store.Tenant) (map[string]ownRun, error) {
	rows, err := t.Query(ctx, `select id, version, undoes from playbook_run where tenant = $1 and playbook = $2`, ownPlaybook)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]ownRun{}
	for rows.Next() {
		var id string
		var r ownRun
		if err := rows.Scan(&id, &r.Version, &r.Undoes); err != nil {
			return nil, err
		}
		out[id] = r
	}
	return out, rows.Err()
}

// readRule is the attacker's rule, once it was read.
func readRule(ctx context.Context, s *Server, tenant tocsin.TenantID, amy tocsin.PersonID) (id string, err error) {
	err = s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select id from mail_rule where tenant = $1 and person = $2 and deleted = 0 and name = '.' order by first_seen desc limit 1`, amy).Scan(&id)
	})
	if errors.Is(err, store.ErrNone) {
		err = tocsin.Problemf(tocsin.NotFound, "Wait.", "The rule was not read yet.")
	}
	return id, err
}

func askFor(ctx context.Context, s *Server, tenant tocsin.TenantID, act string, on targets) error {
	amy, zoe := tocsin.NewPersonID(tenant, on.Amy), tocsin.NewPersonID(tenant, on.Zoe)
	if name, is := strings.CutSuffix(act, " playbook"); is {
		if _, err := readRule(ctx, s, tenant, amy); err != nil {
			return err
		}
		in := api.RunPlaybookIn{Body: api.PlaybookNew{Playbook: name, Person: amy, Why: "act"}}
		in.Tenant = tenant
		_, err := s.API.RunPlaybook(ctx, in)
		return err
	}
	in := api.CreateActionIn{Body: api.ActionNew{Kind: remediate.Kind(act), Person: amy, Why: "act"}}
	in.Tenant = tenant
	call, p := "", graph.P{}
	switch in.Body.Kind.On() {
	case remediate.OnRule:
		var err error
		if in.Body.Target, err = readRule(ctx, s, tenant, amy); err != nil {
			return err
		}
	case remediate.OnRole:
		in.Body.Person, call, p = zoe, "roleAssignments.of", graph.P{"$filter": "principalId eq '" + on.Zoe + "'"}
	case remediate.OnEligibility:
		call, p = "roleEligibility.of", graph.P{"$filter": "principalId eq '" + on.Amy + "'"}
	case remediate.OnGrant:
		call, p = "servicePrincipals.grants", graph.P{"principal": on.App}
	case remediate.OnPermission:
		call, p = "servicePrincipals.appRoleAssignments", graph.P{"principal": on.App}
	}
	if in.Body.Kind.On().OfApp() {
		in.Body.Person, in.Body.App = "", on.App
	}
	if call != "" {
		_, gc, err := s.Connections.For(ctx, tenant, in.Body.Kind.Needs())
		if err != nil {
			return err
		}
		for o, err := range graph.Pages[struct{ ID string }](ctx, gc, call, p) {
			if err != nil {
				return err
			}
			in.Body.Target = o.ID
		}
	}
	_, err := s.API.CreateAction(ctx, in)
	return err
}

// TestActKill: a server that is killed again and again in the middle of acts of every kind, and of playbooks, leaves none of them
// undone, doubled or unrecorded, by what the simulator knows was done; and what was undone is as it was. The customer's own playbook
// comes first; it is another by the next start, and what runs goes on as it was asked for. Of the others few kills meet some, by the
// seed; many meet all.
func TestActKill(t *testing.T) {
	t.Parallel()
	w := world(t, 30, fraud+"person zoe \"Zoe Zane\" admin\n")
	w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier, sim.PrivilegedTier)...)
	w.Elevate(true)
	amy := "amy@" + w.Domain()
	app, _ := w.AddApp("Free PDF tools", "Mail.Read", "User.Read.All")
	principal, err := w.Grant(app, amy, "Mail.Read offline_access")
	if err != nil {
		t.Fatal(err)
	}
	gc, err := graph.New(graph.Config{Cloud: graph.Own(sim.Address, sim.Address), Tenant: w.Tenant(), Client: w.ClientID(), Secret: w.Secret(), HTTP: w.Client()})
	if err != nil {
		t.Fatal(err)
	}
	on := targets{Amy: objectOf(t, gc, amy), Zoe: objectOf(t, gc, "zoe@"+w.Domain()), App: principal}
	if err := gc.Act(t.Context(), "roleEligibility.request", nil, map[string]any{"action": "adminAssign", "principalId": on.Amy, "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10", "directoryScopeId": "/",
		"justification": "x", "scheduleInfo": map[string]any{"expiration": map[string]any{"type": "afterDateTime", "endDateTime": "2031-01-02T03:04:05Z"}}}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running, err := w.Serve(ctx, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before, had := heldOf(t, w, gc, on), len(truthOf(t, w))
	// Slow enough that kills fall between what is written down, sent, answered and read back.
	if err := w.Fault(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(40 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	c := settings(t)
	c.Every.Rules, c.Every.Directory, c.Every.Settings = 2*time.Second, time.Hour, time.Hour
	seed := uint64(time.Now().UnixNano())
	if *killSeed != 0 {
		seed = *killSeed
	}
	random := rand.New(rand.NewPCG(seed, 6))
	o := orders{Config: c, On: on, Connect: connect.New{Tenant: running.Tenant, Client: running.ClientID, Secret: running.ClientSecret, Cloud: "own",
		Own: connect.Own{Authority: running.Authority, Graph: running.Graph, CA: running.CA}}}
	for len(o.Acts) < *kills { // one is killed in its middle or in that of its undo, seldom in both
		order := random.Perm(len(acting))
		if i := slices.Index(order, len(acting)-1); len(o.Acts) == 0 {
			order[0], order[i] = order[i], order[0]
		}
		for _, i := range order {
			if o.Acts = append(o.Acts, acting[i]...); *kills < 3*len(acting) && len(o.Acts) >= *kills {
				break
			}
		}
	}
	t.Logf("seed %d: %s", seed, strings.Join(o.Acts, ", "))
	next := func(line string) { // of an act that needs something to act on
		if strings.HasSuffix(line, " mfa_enroll") && methodsOf(t, gc, on.Amy) == 1 {
			if err := w.AddMethod(amy, "phone"); err != nil {
				t.Error(err)
			}
		}
	}
	for range *kills {
		actingChild(t, o, 1+time.Duration(random.Int64N(int64(500*time.Millisecond))), next)
		runOut(t, filepath.Join(c.Data, "tocsin.db"))
	}
	actingChild(t, o, 0, next)

	did := map[remediate.Kind]int{}
	asked, kinds := actionsOf(t, filepath.Join(c.Data, "tocsin.db"), tocsin.TenantID(running.Tenant))
	for _, l := range truthOf(t, w)[had:] {
		if l.By == "graph" {
			did[kindOf(t, l)]++
		}
	}
	if removed := did[remediate.RemoveMethods]; removed < kinds[remediate.RemoveMethods] { // several go by one act
		t.Errorf("%d methods were removed by %d acts", removed, kinds[remediate.RemoveMethods])
	}
	delete(did, remediate.RemoveMethods)
	some := maps.Clone(kinds)
	delete(some, remediate.RemoveMethods)
	if !maps.Equal(did, some) {
		t.Errorf("at Microsoft %v was done, and %v is written down", did, some)
	}
	ownRuns(t, filepath.Join(c.Data, "tocsin.db"), tocsin.TenantID(running.Tenant), o.Acts)
	if asked < len(o.Acts) {
		t.Errorf("%d acts were to be done, and %d are written down", len(o.Acts), asked)
	}
	if after := heldOf(t, w, gc, on); after != before {
		t.Errorf("it is\n%s\nand was\n%s", after, before)
	}
	t.Logf("%d kills, %d acts: %v", *kills, asked, kinds)
}

func objectOf(t *testing.T, gc *graph.Client, who string) string {
	t.Helper()
	var u struct{ ID string }
	if err := gc.Get(t.Context(), "users.get", graph.P{"user": who}, &u); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func truthOf(t *testing.T, w *sim.Sim) []sim.Truth {
	t.Helper()
	lines, err := w.Truth()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// kindOf is the act that makes a change at Microsoft.
func kindOf(t *testing.T, l sim.Truth) remediate.Kind {
	t.Helper()
	var d map[string]any
	if len(l.Detail) > 0 {
		if err := json.Unmarshal(l.Detail, &d); err != nil {
			t.Fatal(err)
		}
	}
	of := func(name string, on, off remediate.Kind) remediate.Kind {
		return map[any]remediate.Kind{true: on, false: off}[d[name]]
	}
	switch l.Change {
	case "user.updated":
		if d["passwordProfile"] != nil {
			return remediate.ForcePassword
		}
		return of("accountEnabled", remediate.Reinstate, remediate.Suspend)
	case "rule.updated":
		return of("isEnabled", remediate.EnableRule, remediate.DisableRule)
	case "app.updated":
		return of("accountEnabled", remediate.EnableApp, remediate.DisableApp)
	}
	k, ok := map[string]remediate.Kind{"sessions.revoked": remediate.RevokeSessions, "method.deleted": remediate.RemoveMethods, "risk.confirmed": remediate.ConfirmRisk, "risk.dismissed": remediate.DismissRisk,
		"rule.deleted": remediate.DeleteRule, "rule.created": remediate.RestoreRule, "role.unassigned": remediate.RemoveRole, "role.assigned": remediate.ReturnRole,
		"eligibility.removed": remediate.RemoveEligibility, "eligibility.assigned": remediate.ReturnEligibility, "grant.deleted": remediate.RevokeGrant, "grant.created": remediate.ReturnGrant,
		"permission.removed": remediate.RemovePermission, "permission.added": remediate.ReturnPermission}[l.Change]
	if !ok {
		t.Errorf("no act makes %s", l.Change)
	}
	return k
}

func methodsOf(t *testing.T, gc *graph.Client, who string) (n int) {
	t.Helper()
	for _, err := range graph.Pages[json.RawMessage](t.Context(), gc, "authentication.methods", graph.P{"user": who}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// heldOf is what can be undone, as Microsoft has it now: without ids, and when something began.
func heldOf(t *testing.T, w *sim.Sim, gc *graph.Client, on targets) string {
	t.Helper()
	out := []string{rulesOfAmy(t, w)}
	keep := func(raw json.RawMessage, names ...string) {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(m, func(k string, _ any) bool { return !slices.Contains(names, k) })
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	one := func(call string, p graph.P) {
		var raw json.RawMessage
		if err := gc.Get(t.Context(), call, p, &raw); err != nil {
			t.Fatal(err)
		}
		keep(raw, "accountEnabled")
	}
	all := func(call string, p graph.P) {
		n := len(out)
		for raw, err := range graph.Pages[json.RawMessage](t.Context(), gc, call, p) {
			if err != nil {
				t.Fatal(err)
			}
			keep(raw, "principalId", "roleDefinitionId", "directoryScopeId", "endDateTime", "clientId", "consentType", "resourceId", "scope", "appRoleId")
		}
		slices.Sort(out[n:])
	}
	one("users.get", graph.P{"user": on.Amy})
	one("servicePrincipals.get", graph.P{"principal": on.App})
	all("roleAssignments.of", graph.P{"$filter": "principalId eq '" + on.Zoe + "'"})
	all("roleEligibility.of", graph.P{"$filter": "principalId eq '" + on.Amy + "'"})
	all("servicePrincipals.grants", graph.P{"principal": on.App})
	all("servicePrincipals.appRoleAssignments", graph.P{"principal": on.App})
	if len(out) < 7 {
		t.Fatalf("too little to compare: %q", out)
	}
	return strings.Join(out, "\n")
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
			if a.Undoes == "" && a.Kind.Undo() != "" {
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

// ownRuns holds that each run of the customer's own playbook that was asked for is there once, with the steps of the version that it
// names, and that each of its steps that can be undone was, once, with the run.
func ownRuns(t *testing.T, path string, tenant tocsin.TenantID, acts []string) {
	t.Helper()
	st, err := store.Open(t.Context(), path, &tocsin.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var list []*remediate.Action
	var runs map[string]ownRun
	did, undone := map[string][]remediate.Kind{}, map[string]int{}
	if err := st.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) (err error) {
		if list, err = remediate.List(t.Context(), tt, remediate.Filter{Limit: 10_000}); err != nil {
			return err
		}
		runs, err = runsOf(t.Context(), tt)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if r, is := runs[a.RunID]; is && r.Undoes != "" {
			undone[a.Undoes]++
		}
	}
	for _, a := range list {
		r, is := runs[a.RunID]
		if !is || r.Undoes != "" {
			continue
		}
		if a.Kind != remediate.DisableRule { // which is left out while nothing is found of the rule
			did[a.RunID] = append(did[a.RunID], a.Kind)
		}
		want := 0
		if a.Kind.Undo() != "" {
			want = 1
		}
		if undone[a.ID] != want {
			t.Errorf("%s of a run was undone %d times with the run", a.Kind, undone[a.ID])
		}
	}
	asked := 0
	for id, r := range runs {
		if r.Undoes != "" {
			continue
		}
		asked++
		want := []remediate.Kind{remediate.RevokeSessions, remediate.Suspend}[(r.Version+1)%2:]
		if slices.Sort(did[id]); !slices.Equal(did[id], want) {
			t.Errorf("a run of version %d did %v, which is %v", r.Version, did[id], want)
		}
	}
	if want := len(slices.DeleteFunc(slices.Clone(acts), func(a string) bool { return a != ownPlaybook+" playbook" })); asked != want {
		t.Errorf("the customer's own playbook was asked for %d times, and %d runs of it are written down", want, asked)
	}
	t.Logf("runs of the customer's own playbook: %v", runs)
}

// actingChild runs the acting server as a process of its own, and kills it so long after it began to ask for an act or an undo; with
// 0, when all acts have ended. next is called before each act.
func actingChild(t *testing.T, o orders, after time.Duration, next func(line string)) {
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
	var told []string
	limit := time.After(2*time.Minute + time.Duration(len(o.Acts))*5*time.Second)
	for {
		select {
		case line, ok := <-lines:
			switch {
			case !ok:
				t.Fatal("the server ended by itself")
			case line == "ended":
				return
			}
			told = append(told, line)
			next(line)
			switch word, _, _ := strings.Cut(line, " "); {
			case word == "waits:": // for what an act needs: the kill waits with it
				dead = nil
			case after > 0 && dead == nil && (word == "next" || word == "undo" || word == "acts"):
				dead = time.After(after)
			}
		case <-dead:
			return
		case <-limit:
			t.Fatalf("the server did not act in minutes: %q", told[max(0, len(told)-8):])
		}
	}
}
