package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/secret"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// people of the bed: invoices is the shared mailbox, amy a colleague.
const people = `# A shared mailbox.
domain fabrikam.com
person amy "Amy Adams" amy@fabrikam.com
person invoices "Invoices" invoices@fabrikam.com
`

const shared = "invoices@fabrikam.com"

// bed is a mailbox in the simulator and its inbox in the tables.
type bed struct {
	testing.TB
	st     *store.Store
	w      *sim.Sim
	e      *Engine
	keeper *secret.Keeper
	gc     *graph.Client
	tenant tocsin.TenantID
	inbox  string
}

var errKilled = errors.New("killed")

func each(t *testing.T, test func(*bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(newBed(t, st, sim.Config{}, 0)) })
}

// newBed connects the mailbox, of which so many days are read; 0: everything.
func newBed(t testing.TB, st *store.Store, cfg sim.Config, days int) *bed {
	t.Helper()
	s, err := story.Parse("people", strings.NewReader(people))
	must(t, err)
	cfg.Users, cfg.Seed, cfg.Quiet, cfg.Content, cfg.Stories = 12, 3, true, true, []*story.Story{s}
	cfg.Roles = []string{"User.Read.All", "Mail.ReadWrite", "Mail.Send"}
	w, err := sim.New(cfg)
	must(t, err)
	t.Cleanup(func() { w.Close() })
	k, err := secret.Open(context.Background(), secret.Source{File: t.TempDir() + "/key"})
	must(t, err)
	in := w.Access()
	gc, err := graph.New(graph.Config{Cloud: graph.Cloud{Authority: in.Authority, Graph: in.Graph}, Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, HTTP: w.Client(), Now: st.Clock().Now, Backoff: time.Millisecond})
	must(t, err)
	b := &bed{TB: t, st: st, w: w, keeper: k, gc: gc, tenant: tocsin.TenantID(w.Tenant()), inbox: tocsin.NewID()}
	b.e = b.engine()
	b.update(func(ctx context.Context, t *store.Tenant) error {
		sealed, err := NewKey(k, b.tenant, b.inbox)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'T', 1)`); err != nil {
			return err
		}
		_, err = t.Exec(ctx, `insert into inbox (tenant, id, name, address, connection, state, backfill_days, sealed, created, changed) values ($1, $2, 'Invoices', $3, 'c', 'connected', $4, $5, 1, 1)`, b.inbox, shared, days, sealed)
		return err
	})
	return b
}

// delegate has a service account that is a member of the mailbox do all from now on, in the place of the app.
func (b *bed) delegate() {
	b.Helper()
	const back = "https://tocsin.example/connect/callback"
	app, key := b.w.AddApp("Tocsin (inbox)")
	b.w.RequestScopes(app, connect.InboxScopes...)
	must(b, b.w.ConsentScopes(app, connect.InboxScopes...))
	b.w.AllowContentOf(app, true)
	must(b, b.w.Share(shared, "service", sim.FullAccess, sim.SendAs))
	in := b.w.Access()
	cfg := graph.Config{Cloud: graph.Cloud{Authority: in.Authority, Graph: in.Graph}, Tenant: in.Tenant, Client: app, Secret: key, HTTP: b.w.Client(), Now: b.st.Clock().Now, Backoff: time.Millisecond}
	gc, err := graph.New(cfg)
	must(b, err)
	proof := graph.SignInProof{Redirect: back, State: "s", Nonce: graph.Secret(), Verifier: graph.Secret()}
	to, err := b.w.Visit(graph.DelegatedAddress(cfg.Cloud, in.Tenant, app, "", connect.InboxScopes, proof), "service")
	must(b, err)
	grant, err := gc.RedeemDelegated(context.Background(), to.Query().Get("code"), connect.InboxScopes, proof)
	must(b, err)
	token := grant.Refresh
	cfg.Delegated = &graph.Delegated{Scopes: connect.InboxScopes, Load: func(context.Context) (string, error) { return token, nil }, Keep: func(_ context.Context, _, next string) error { token = next; return nil }}
	b.gc, err = graph.New(cfg)
	must(b, err)
}

// engine is another one, as after a restart.
func (b *bed) engine() *Engine {
	return &Engine{Store: b.st, Keeper: b.keeper, Log: slog.New(slog.DiscardHandler), Client: func(context.Context, tocsin.TenantID, string) (*graph.Client, error) { return b.gc, nil }}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bed) update(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	must(b, b.st.UpdateTenant(context.Background(), b.tenant, func(t *store.Tenant) error { return do(context.Background(), t) }))
}

func (b *bed) view(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	must(b, b.st.ViewTenant(context.Background(), b.tenant, func(t *store.Tenant) error { return do(context.Background(), t) }))
}

func (b *bed) exec(q string, args ...any) {
	b.Helper()
	b.update(func(ctx context.Context, t *store.Tenant) error { _, err := t.Exec(ctx, q, args...); return err })
}

func (b *bed) count(q string, args ...any) (n int) {
	b.Helper()
	b.view(func(ctx context.Context, t *store.Tenant) error { return t.QueryRow(ctx, q, args...).Scan(&n) })
	return n
}

func (b *bed) word(q string, args ...any) (s string) {
	b.Helper()
	b.view(func(ctx context.Context, t *store.Tenant) error { return t.QueryRow(ctx, q, args...).Scan(&s) })
	return s
}

// pass lets time go by on both sides.
func (b *bed) pass(d time.Duration) {
	b.w.Advance(d)
	b.st.Clock().Advance(d)
}

// work makes rounds until nothing is left to do at once.
func (b *bed) work() {
	b.Helper()
	for range 400 {
		_, again, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
		must(b, err)
		if !again {
			if why := b.word(`select because from inbox where tenant = $1`); why != "" {
				b.Fatal(why)
			}
			return
		}
	}
	b.Fatal("a first reading does not end")
}

// put lets a mail come, and gives its id.
func (b *bed) put(m sim.Mail) string {
	b.Helper()
	id, err := b.w.Put(shared, m)
	must(b, err)
	return id
}

// state is how a mail is on one of the sides.
type state struct {
	Folder, Flag, Categories string
	Read                     bool
}

// there is the mailbox as it is, by its own account, without drafts and what is recoverable alone.
func (b *bed) there() map[string]state {
	b.Helper()
	lines, err := b.w.Truth()
	must(b, err)
	out := map[string]state{}
	for _, l := range lines {
		if !strings.EqualFold(l.Mailbox, shared) || !strings.HasPrefix(l.Change, "message.") {
			continue
		}
		var d struct {
			Folder     string   `json:"folder"`
			Read       bool     `json:"isRead"`
			Flag       string   `json:"flagStatus"`
			Categories []string `json:"categories"`
		}
		must(b, json.Unmarshal(l.Detail, &d))
		if l.Change == "message.deleted" || d.Folder == "drafts" || d.Folder == "recoverableitemsdeletions" {
			delete(out, l.ID)
			continue
		}
		out[l.ID] = state{d.Folder, strings.TrimPrefix(d.Flag, "notFlagged"), strings.Join(d.Categories, ","), d.Read}
	}
	return out
}

// here is the mailbox as the tables have it. Mails that the simulator's seed made are left out: its truth does not tell of them before they change.
func (b *bed) here() map[string]state {
	b.Helper()
	out := map[string]state{}
	b.view(func(ctx context.Context, t *store.Tenant) error {
		list, err := messages(ctx, t, `inbox = $2 and gone = 0`, b.inbox)
		known := map[string]string{}
		x := &box{Inbox: Inbox{ID: b.inbox}}
		if err == nil {
			err = x.readFolders(ctx, t)
		}
		for _, f := range x.folders {
			known[f.id] = orElse(f.known, f.id)
		}
		for _, m := range list {
			out[m.ID] = state{known[m.Folder], m.Flag, strings.Join(m.Categories, ","), m.Read}
		}
		return err
	})
	return out
}

// equal holds both sides against each other.
func (b *bed) equal() {
	b.Helper()
	there, here := b.there(), b.here()
	wrong := 0
	for id, s := range there {
		if here[id] != s {
			if wrong++; wrong < 6 {
				b.Errorf("the mail %s: the mailbox has %+v, the inbox %+v", id, s, here[id])
			}
		}
	}
	for id, s := range here {
		if _, ok := there[id]; !ok {
			if wrong++; wrong < 6 {
				b.Errorf("the mail %s is in the inbox alone: %+v", id, s)
			}
		}
	}
	if wrong > 0 {
		b.Fatalf("%d of %d mails differ", wrong, len(there))
	}
}
