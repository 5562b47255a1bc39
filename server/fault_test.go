package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// subject is a server that reads a simulated tenant.
type subject struct {
	*testing.T
	s    *Server
	w    *sim.Sim
	conn connect.Connection
}

// pressed are settings under which everything is asked every second, and no call waits for long.
func pressed(t testing.TB) Config {
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	c.Every.Rules, c.Every.Directory, c.Every.Settings, c.Every.Members, c.Every.Roles, c.Every.Domains = time.Second, time.Second, time.Second, time.Second, time.Second, time.Second
	c.Limits.MaxWait = 1500 * time.Millisecond
	return c
}

// begin makes a server that is connected to a tenant of so many users, and runs it, after before, until the test ends.
func begin(t *testing.T, c Config, w *sim.Sim, before func()) *subject {
	t.Helper()
	return beginBy(t, c, w, w.Client(), before)
}

// beginBy is begin with a client of one's own that leads to the simulator.
func beginBy(t *testing.T, c Config, w *sim.Sim, hc *http.Client, before func()) *subject {
	t.Helper()
	s, err := New(t.Context(), c, Options{HTTP: hc, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b := &subject{T: t, s: s, w: w, conn: join(t, s, w)}
	if before != nil {
		before()
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended with %v", err)
		}
		s.Close()
	})
	return b
}

func (b *subject) tenant() tocsin.TenantID { return b.conn.Tenant }

// allSources are those that a server with every permission reads.
var allSources = []string{"domains", "users", "groups", "contacts", "roles", "rules", "settings", "members"}

// sources are a tenant's, as the pages and the API show them.
func (b *subject) sources() map[string]api.Source {
	b.Helper()
	in := api.ListIn{}
	in.Tenant = b.tenant()
	page, err := b.s.API.ListSources(as(b.Context(), api.Viewer), in)
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]api.Source{}
	for _, s := range page.Items {
		out[s.Name] = s
	}
	return out
}

// connection is the connection as the pages and the API show it.
func (b *subject) connection() api.Connection {
	b.Helper()
	in := api.ByID{ID: b.conn.ID}
	in.Tenant = b.tenant()
	c, err := b.s.API.GetConnection(as(b.Context(), api.Viewer), in)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// says waits until a source that could not be read says so: what happened, and what to do, a sentence each.
func (b *subject) says(name, because, mend string) {
	b.Helper()
	eventuallyIn(b, 30*time.Second, name+" says what is wrong", func() string {
		s := b.sources()[name]
		if !s.Failed.After(s.Succeeded) {
			return fmt.Sprintf("it is read: %+v", s)
		}
		if !strings.Contains(s.Because, because) || !strings.Contains(s.Mend, mend) {
			return fmt.Sprintf("it says %q, %q, not %q, %q", s.Because, s.Mend, because, mend)
		}
		for _, text := range []string{s.Because, s.Mend} {
			if !strings.HasSuffix(text, ".") || strings.ToUpper(text[:1]) != text[:1] || strings.Contains(text, "\n") {
				return fmt.Sprintf("%q is not a sentence", text)
			}
		}
		return ""
	})
}

// reads waits until sources have been read since, and say nothing.
func (b *subject) reads(since time.Time, names ...string) {
	b.Helper()
	eventuallyIn(b, 60*time.Second, "what is read", func() string {
		all := b.sources()
		for _, name := range names {
			if s := all[name]; !s.Succeeded.After(since) || s.Failed.After(s.Succeeded) || s.Because != "" || s.Mend != "" {
				return fmt.Sprintf("%s: %+v", name, s)
			}
		}
		return ""
	})
}

// alive says whether the server answers and can work, whatever Graph does.
func (b *subject) alive() {
	b.Helper()
	eventually(b, "the server is ready", func() string {
		for what, state := range b.s.Ready(b.Context()) {
			if state != "ok" {
				return what + ": " + state
			}
		}
		return ""
	})
}

// concluded is everything that was concluded, without times and without how often it was looked at, in lines.
func (b *subject) concluded() map[string][]string {
	b.Helper()
	out := map[string][]string{}
	for _, query := range append(slices.DeleteFunc(slices.Clone(state), func(q string) bool {
		return strings.Contains(q, " from finding_change ") || strings.Contains(q, " from rule_change ") // how it came about is compared below
	}), `select person, rule, change from rule_change where tenant = $1 order by person, rule, at, id`,
		`select person, type, action from event where tenant = $1 and type <> 'AUDIT' order by person, at, action`) {
		if err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
			out[query] = nil
			rows, err := t.Query(b.Context(), query)
			if err != nil {
				return err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			for rows.Next() {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					return err
				}
				line := ""
				for _, v := range values {
					line += fmt.Sprintf("%v|", *v.(*any))
				}
				out[query] = append(out[query], line)
			}
			return rows.Err()
		}); err != nil {
			b.Fatal(err)
		}
	}
	return out
}

// differs says in what two servers' conclusions differ; "" where they are the same.
func differs(a, b map[string][]string) string {
	for query, lines := range a {
		other := b[query]
		for i, line := range lines {
			if i >= len(other) || other[i] != line {
				return fmt.Sprintf("%s\n line %d of %d: %s\n line %d of %d: %s", query, i, len(lines), line, i, len(other), at(other, i))
			}
		}
		if len(other) > len(lines) {
			return fmt.Sprintf("%s\n %d lines, and %d", query, len(lines), len(other))
		}
	}
	return ""
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(none)"
}

// alike waits until both have concluded the same.
func (b *subject) alike(calm *subject) {
	b.Helper()
	eventuallyIn(b, 60*time.Second, "the same as undisturbed", func() string { return differs(calm.concluded(), b.concluded()) })
}

const crew = "domain fabrikamfreight.com\nperson amy \"Amy Okafor\"\nperson bruno \"Bruno Lindqvist\"\nperson ines \"Inês Carvalho\"\ngroup pals@fabrikamfreight.com \"Pals\" with amy, eve@evil.example\n"

const calmStory = "# Forwarding, hiding, and through a group.\n" + crew +
	`mon 08:10 ines makes rule "Newsletters" when from_addresses news@industry-weekly.example move to "Newsletters"
mon 09:03 amy makes rule "." when subject_contains "invoice" forward to drop@evil.example and mark read and move to conversationhistory
mon 09:11 bruno makes rule "x" redirect to drop@evil.example
mon 09:12 bruno makes rule "y" when subject_contains "pals" redirect to pals@fabrikamfreight.com
`

// acts lets the n-th act happen in each world: a rule is made, and the one made before, if any, is deleted.
func acts(t *testing.T, n int, worlds ...*sim.Sim) {
	t.Helper()
	text := fmt.Sprintf("# Act %d.\n%smon 10:00 amy makes rule \"n%d\" when subject_contains \"act\" forward to drop%d@evil.example\n", n, crew, n, n)
	if n > 0 {
		text += fmt.Sprintf("mon 10:01 amy deletes rule \"n%d\"\n", n-1)
	}
	for _, w := range worlds {
		play(t, w, text)
		if failed := w.Failed(); len(failed) > 0 {
			t.Fatal(failed)
		}
	}
}

const passes = "Nothing to do"

// fault is something that goes wrong with Microsoft, what is said of it, and what goes on all the same.
type fault struct {
	name string
	with []sim.Fault
	do   func(w *sim.Sim) // before
	undo func(b *subject) // besides Heal
	says map[string][2]string
	// connection is what it says of itself; empty: it stays on
	connection [2]string
	off        []string // capabilities
	goes       []string // sources that are read all the same
}

func everything(k sim.Fault) []sim.Fault { return []sim.Fault{k} }

// saying is that each of the sources says this.
func saying(because, mend string, names ...string) map[string][2]string {
	out := map[string][2]string{}
	for _, n := range names {
		out[n] = [2]string{because, mend}
	}
	return out
}

func but(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(allSources), func(s string) bool { return slices.Contains(names, s) })
}

const mailboxRules = "users/*/mailFolders/*/messageRules"

var faults = []fault{
	{name: "429 with seconds", with: everything(sim.Fault{Kind: sim.Throttle, After: "1"}), says: saying("Microsoft Graph asked to wait 1s.", passes, "users", "rules", "roles")},
	{name: "429 with a fraction", with: everything(sim.Fault{Kind: sim.Throttle, After: "0.128"}), says: saying("Microsoft Graph asked to wait 1s.", passes, "users", "rules")},
	{name: "429 with a date", do: func(w *sim.Sim) {
		_ = w.Fault(sim.Fault{Kind: sim.Throttle, After: time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat)})
	}, says: saying("Microsoft Graph asked to wait", passes, "users", "rules")},
	{name: "429 without a word", with: everything(sim.Fault{Kind: sim.Throttle, After: "none"}), says: saying("Microsoft Graph asked to wait", passes, "users", "rules")},
	{name: "429 on one mailbox call", with: []sim.Fault{{Kind: sim.Throttle, After: "1", Path: mailboxRules}}, says: saying("Microsoft Graph asked to wait", passes, "rules"), goes: but("rules")},
	{name: "503", with: everything(sim.Fault{Kind: sim.Broken}), says: saying("Microsoft Graph answered 503", "network", "users", "rules")},
	{name: "500 on groups", with: []sim.Fault{{Kind: sim.Broken, Status: 500, Path: "groups/delta"}}, says: saying("groups.delta: Microsoft Graph answered 500", passes, "groups"), goes: but("groups")},
	{name: "504 on every third", with: everything(sim.Fault{Kind: sim.Broken, Status: 504, Every: 3}), goes: []string{"users", "domains"}},
	{name: "cut connections", with: everything(sim.Fault{Kind: sim.Cut}), says: saying("Microsoft Graph could not be read", "network", "users", "rules")},
	{name: "garbage", with: everything(sim.Fault{Kind: sim.Garbage}), says: saying("the answer is", "network", "users", "rules")},
	{name: "slow", with: everything(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(150 * time.Millisecond)}), goes: allSources},
	{name: "denied roles", with: []sim.Fault{{Kind: sim.Denied, Path: "directoryRoles"}}, says: saying("The permission RoleManagement.Read.Directory is not granted.", "test the connection", "roles"),
		off: []string{"roles"}, goes: but("roles")},
	{name: "denied rules", with: []sim.Fault{{Kind: sim.Denied, Path: mailboxRules}}, says: saying("The permission MailboxSettings.Read is not granted.", "administrator consent", "rules"),
		off: []string{"mailbox-rules"}, goes: but("rules")},
	{name: "denied domains", with: []sim.Fault{{Kind: sim.Denied, Path: "organization"}}, says: saying("The permission Organization.Read.All is not granted.", "administrator consent", "domains"), goes: but("domains")},
	{name: "410 for tokens that are forgotten", do: func(w *sim.Sim) { w.ForgetDeltas() }, goes: allSources},
	{name: "410 for ever", with: []sim.Fault{{Kind: sim.Gone, Path: "users/delta"}}, says: saying("the delta token has expired", passes, "users"), goes: but("users")},
	{name: "tokens that have expired", with: everything(sim.Fault{Kind: sim.Unauthorized, Every: 5}), goes: []string{"users", "domains"}},
	{name: "tokens refused", with: []sim.Fault{{Kind: sim.Unauthorized, Path: "users/delta"}}, says: saying("Microsoft Graph does not accept the app's token", "Enterprise applications", "users"), goes: but("users")},
	{name: "a claims challenge", with: []sim.Fault{{Kind: sim.Challenge, Path: "groups/delta"}}, says: saying("Conditional Access asks", "Exclude the app", "groups"), goes: but("groups")},
	{name: "consent revoked", with: []sim.Fault{{Kind: sim.Unauthorized, Times: 1, Path: "users/delta"}}, do: func(w *sim.Sim) { w.Consent() },
		undo: func(b *subject) {
			// What is asked while it is given again goes on with a token from before.
			if err := b.w.Fault(sim.Fault{Kind: sim.Slow, Path: mailboxRules, Delay: sim.Duration(1500 * time.Millisecond)}); err != nil {
				b.Fatal(err)
			}
			time.Sleep(1200 * time.Millisecond)
			b.w.Consent(sim.ReadTier...)
			in := api.ByIDAct{}
			in.Tenant, in.ID = b.tenant(), b.conn.ID
			if _, err := b.s.API.TestConnection(as(b.Context(), api.Owner), in); err != nil {
				b.Error(err)
			}
			b.w.Heal()
		},
		says: map[string][2]string{"users": {"The permission User.Read.All is not granted.", "test the connection"}, "rules": {"The permission MailboxSettings.Read is not granted.", "test the connection"},
			"roles": {"The permission RoleManagement.Read.Directory is not granted.", "test the connection"}},
		off: []string{"directory", "domains", "roles", "mailbox-rules", "mailbox-settings"}},
	{name: "the secret replaced", with: everything(sim.Fault{Kind: sim.Unauthorized, Times: 1, Path: "users/delta"}), do: func(w *sim.Sim) { w.ReplaceSecret("another~secret~0123456789", time.Time{}) },
		says: saying("The client secret is wrong.", "value, not its id", "users"), connection: [2]string{"The client secret is wrong.", "value, not its id"}},
	{name: "the app disabled", do: func(w *sim.Sim) { w.Disable(true) }, undo: func(b *subject) { b.w.Disable(false) },
		says: saying("The app is disabled in this tenant.", "Enable sign-in", "users", "rules"), connection: [2]string{"The app is disabled in this tenant.", "Enable sign-in"}},
	{name: "the app deleted", do: func(w *sim.Sim) { w.Remove(true) }, undo: func(b *subject) { b.w.Remove(false) },
		says: saying("The app is not in this tenant", "administrator consent", "users", "rules"), connection: [2]string{"The app is not in this tenant", "administrator consent"}},
}

// TestFaults lets one thing after the other go wrong under a running server, and something happen meanwhile. It is said,
// with what to do; nothing else stops; and when it is over the server ends where an undisturbed one does.
func TestFaults(t *testing.T) {
	calm, rough := begin(t, pressed(t), world(t, 60, calmStory), nil), begin(t, pressed(t), world(t, 60, calmStory), nil)
	secret := rough.w.Secret()
	for _, b := range []*subject{calm, rough} {
		b.reads(time.Time{}, allSources...)
	}
	rough.alike(calm)
	if n := len(calm.concluded()[state[9]]); n < 4 {
		t.Fatalf("%d findings are no state to compare", n)
	}
	n := 0
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			b, quiet := *rough, *calm
			b.T, quiet.T = t, t
			began := b.s.Clock.Now()
			if f.do != nil {
				f.do(b.w)
			}
			for _, k := range f.with {
				if err := b.w.Fault(k); err != nil {
					t.Fatal(err)
				}
			}
			acts(t, n, b.w, quiet.w)
			n++
			for name, s := range f.says {
				b.says(name, s[0], s[1])
			}
			b.reads(began, f.goes...)
			b.broken(f)
			b.alive()
			b.w.Heal()
			if f.undo != nil {
				f.undo(&b)
			}
			if b.w.Secret() != secret {
				b.w.ReplaceSecret(secret, time.Time{})
			}
			b.reads(b.s.Clock.Now(), allSources...)
			b.alike(&quiet)
			eventually(t, "the connection", func() string {
				if c := b.connection(); c.State != "on" || c.Because != "" {
					return fmt.Sprintf("is %s: %s", c.State, c.Because)
				}
				for _, c := range b.connection().Capabilities {
					if c.State != "works" && !spared(c) {
						return fmt.Sprintf("%s is %s: %s", c.Name, c.State, c.Because)
					}
				}
				return ""
			})
		})
	}
	if v := rough.w.Violations(); len(v) > 0 {
		t.Errorf("a metadata-only connection asked for content: %v", v)
	}
}

// broken waits until the connection and its capabilities say what the fault means for them.
func (b *subject) broken(f fault) {
	b.Helper()
	eventually(b, "the connection", func() string {
		c := b.connection()
		want := "on"
		if f.connection[0] != "" {
			want = "broken"
		}
		if string(c.State) != want || !strings.Contains(c.Because, f.connection[0]) || !strings.Contains(c.Mend, f.connection[1]) {
			return fmt.Sprintf("it is %s: %q, %q", c.State, c.Because, c.Mend)
		}
		for _, v := range c.Capabilities {
			if slices.Contains(f.off, v.Name) && (v.State != "off" || v.Because == "" || v.Mend == "") {
				return fmt.Sprintf("%s is %s: %q, %q", v.Name, v.State, v.Because, v.Mend)
			}
		}
		return ""
	})
}

// TestFaultsFromTheBeginning: a server that meets only trouble at its first sync says so, and when it is over reads
// everything as an undisturbed one does.
func TestFaultsFromTheBeginning(t *testing.T) {
	calm := begin(t, pressed(t), world(t, 60, calmStory), nil)
	calm.reads(time.Time{}, allSources...)
	for _, f := range []fault{
		{name: "429", with: everything(sim.Fault{Kind: sim.Throttle, After: "0.5"}), says: saying("Microsoft Graph asked to wait", passes, "users")},
		{name: "cut", with: everything(sim.Fault{Kind: sim.Cut}), says: saying("Microsoft Graph could not be read", "network", "domains", "users")},
		{name: "half of it", with: everything(sim.Fault{Kind: sim.Broken, Chance: 0.5})},
		{name: "denied people", with: []sim.Fault{{Kind: sim.Denied, Path: "users/delta"}}, goes: []string{"domains", "groups", "roles"},
			says: map[string][2]string{"users": {"The permission User.Read.All is not granted.", "administrator consent"}, "rules": {"Nobody's mailbox can be asked", "people are not read"}}},
		{name: "denied rules", with: []sim.Fault{{Kind: sim.Denied, Path: mailboxRules}}, goes: but("rules", "members"), says: saying("The permission MailboxSettings.Read is not granted.", "administrator consent", "rules")},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := world(t, 60, calmStory)
			b := begin(t, pressed(t), w, func() {
				for _, k := range f.with {
					if err := w.Fault(k); err != nil {
						t.Fatal(err)
					}
				}
			})
			for name, s := range f.says {
				b.says(name, s[0], s[1])
			}
			b.reads(time.Time{}, f.goes...)
			b.alive()
			w.Heal()
			b.reads(b.s.Clock.Now(), allSources...)
			quiet := *calm
			quiet.T = t
			b.alike(&quiet)
		})
	}
}

// TestOneMailboxOfMany: a mailbox that never answers keeps no other from being watched.
func TestOneMailboxOfMany(t *testing.T) {
	w := world(t, 60, calmStory)
	b := begin(t, pressed(t), w, nil)
	b.reads(time.Time{}, allSources...)
	var object string
	if err := b.s.Store.ViewTenant(t.Context(), b.tenant(), func(tt *store.Tenant) error {
		return tt.QueryRow(t.Context(), `select object_id from person where tenant = $1 and upn like 'bruno@%'`).Scan(&object)
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.Fault(sim.Fault{Kind: sim.Broken, Path: "users/" + object + "/**"}); err != nil {
		t.Fatal(err)
	}
	b.says("rules", "503", passes)
	acts(t, 0, w)
	eventually(t, "what another does", func() string {
		if _, ok := findings(t, b.s, b.tenant(), "open")["forward-outside amy@"+w.Domain()]; !ok {
			return "is not seen"
		}
		var n int
		if err := b.s.Store.ViewTenant(t.Context(), b.tenant(), func(tt *store.Tenant) error {
			return tt.QueryRow(t.Context(), `select count(*) from event where tenant = $1 and action = 'rule_created'`).Scan(&n)
		}); err != nil || n != 1 {
			return fmt.Sprintf("%d events (%v)", n, err)
		}
		return ""
	})
}

// TestPausedServer: a pause stops every request at once, whatever is due, and resuming lets all go on.
func TestPausedServer(t *testing.T) {
	w := world(t, 60, calmStory)
	b := begin(t, pressed(t), w, nil)
	b.reads(time.Time{}, allSources...)
	in := api.ByIDAct{}
	in.Tenant, in.ID = b.tenant(), b.conn.ID
	if _, err := b.s.API.PauseConnection(as(t.Context(), api.Owner), in); err != nil {
		t.Fatal(err)
	}
	before, said := w.Requests().Total, b.sources()
	b.s.Clock.Advance(24 * time.Hour) // everything is due
	for deadline := time.Now().Add(1500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if n := w.Requests().Total; n != before {
			t.Fatalf("%d requests went out while it was paused", n-before)
		}
	}
	if c := b.connection(); c.State != "paused" {
		t.Errorf("the connection is %s: %s", c.State, c.Because)
	}
	for name, s := range b.sources() {
		if s.Because != said[name].Because { // some of which wait for a limit
			t.Errorf("%s says %q, for a pause that somebody wanted", name, s.Because)
		}
	}
	acts(t, 0, w)
	if _, err := b.s.API.ResumeConnection(as(t.Context(), api.Owner), in); err != nil {
		t.Fatal(err)
	}
	b.reads(b.s.Clock.Now(), allSources...)
	eventually(t, "what happened meanwhile", func() string {
		if _, ok := findings(t, b.s, b.tenant(), "open")["forward-outside amy@"+w.Domain()]; !ok {
			return "is not seen"
		}
		return ""
	})
}

// TestSmallPermissionSets: known small sets of permissions work whole, or degrade with the reason (DESIGN.md part 4).
func TestSmallPermissionSets(t *testing.T) {
	const works, degraded, off = "works", "degraded", "off"
	for _, c := range []struct {
		name, granted string
		capabilities  map[string]string
		reads         []string
		says          map[string][2]string
		finds         []string // rules that find something in Amy's mailbox
		misses        []string
	}{
		{name: "the single consent", granted: "User.Read.All Directory.Read.All AuditLog.Read.All Application.Read.All Policy.Read.All DeviceManagementManagedDevices.Read.All Mail.Read MailboxSettings.Read Sites.Read.All",
			capabilities: map[string]string{"directory": works, "domains": works, "roles": works, "mailbox-rules": works, "mailbox-settings": works, "mailbox-forwarding": off},
			reads:        allSources, finds: []string{"forward-outside", "hidden-folder", "hides-money-mail"}},
		{name: "Entra by API credentials", granted: "Directory.Read.All AuditLog.Read.All",
			capabilities: map[string]string{"directory": works, "domains": works, "roles": works, "mailbox-rules": off, "mailbox-settings": off},
			reads:        []string{"domains", "users", "groups", "contacts", "roles"},
			says:         saying("The permission MailboxSettings.Read is not granted.", "administrator consent", "rules", "settings"), misses: []string{"forward-outside"}},
		{name: "the stream", granted: "Mail.Read MailboxSettings.Read User.Read.All",
			capabilities: map[string]string{"directory": degraded, "domains": degraded, "roles": off, "mailbox-rules": works, "mailbox-settings": works},
			reads:        []string{"domains", "users", "rules", "settings"}, finds: []string{"forward-outside", "hidden-folder"},
			says: map[string][2]string{"groups": {"The permission GroupMember.Read.All is not granted.", "administrator consent"}, "roles": {"The permission RoleManagement.Read.Directory is not granted.", "administrator consent"}}},
		{name: "investigations", granted: "Directory.Read.All Mail.ReadWrite MailboxSettings.ReadWrite User.Read.All",
			capabilities: map[string]string{"directory": works, "domains": works, "roles": works, "mailbox-rules": works, "mailbox-settings": works},
			reads:        allSources, finds: []string{"forward-outside", "hidden-folder"}},
		{name: "no folders", granted: "User.Read.All Directory.Read.All MailboxSettings.Read",
			capabilities: map[string]string{"directory": works, "mailbox-rules": degraded, "mailbox-settings": works},
			reads:        allSources, finds: []string{"forward-outside"}, misses: []string{"hidden-folder"}},
		{name: "nothing", granted: "",
			capabilities: map[string]string{"directory": off, "domains": off, "roles": off, "mailbox-rules": off, "mailbox-settings": off},
			says: map[string][2]string{"users": {"The permission User.Read.All is not granted.", "administrator consent"}, "domains": {"The permission Organization.Read.All is not granted.", "administrator consent"},
				"rules": {"Nobody's mailbox can be asked", "people are not read"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t, 60, calmStory)
			w.Consent(strings.Fields(c.granted)...)
			b := begin(t, pressed(t), w, nil)
			b.reads(time.Time{}, c.reads...)
			for name, s := range c.says {
				b.says(name, s[0], s[1])
			}
			eventually(t, "what is found", func() string {
				had := findings(t, b.s, b.tenant(), "open")
				for _, rule := range c.finds {
					if _, ok := had[rule+" amy@"+w.Domain()]; !ok {
						return fmt.Sprintf("%s is not among %v", rule, keys(had))
					}
				}
				return folded(t, b.s)
			})
			for _, rule := range c.misses {
				if _, ok := findings(t, b.s, b.tenant())[rule+" amy@"+w.Domain()]; ok {
					t.Errorf("%s was found without the permission for it", rule)
				}
			}
			eventually(t, "the capabilities", func() string {
				conn := b.connection()
				if conn.State != "on" {
					return "the connection is " + string(conn.State) + ": " + conn.Because
				}
				for _, v := range conn.Capabilities {
					if want := c.capabilities[v.Name]; want != "" && string(v.State) != want && !(want == works && kept(v)) {
						return fmt.Sprintf("%s is %s (%s), want %s", v.Name, v.State, v.Because, want)
					}
					if v.State != works && (v.Because == "" || v.Mend == "") {
						return fmt.Sprintf("%s is %s without a reason or a way to mend it", v.Name, v.State)
					}
				}
				return ""
			})
			b.alive()
			if v := w.Violations(); len(v) > 0 {
				t.Errorf("it asked for content: %v", v)
			}
		})
	}
}

// spared says whether a capability need not work: one that a connection does well without, one to act, or one that lacks
// only the mailbox that the simulated tenant keeps from every app.
func spared(c api.Capability) bool {
	optional := slices.ContainsFunc(connect.Capabilities, func(k connect.Capability) bool { return k.Name == c.Name && k.Optional })
	return optional || connect.Acts(c.Name) || kept(c)
}

// kept says whether a capability lacks only the mailbox that the simulated tenant keeps from every app.
func kept(c api.Capability) bool {
	return c.State == "degraded" && strings.HasPrefix(c.Because, "The tenant keeps a mailbox from the app")
}
