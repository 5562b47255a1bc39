package reported

import (
	"context"
	"errors"
	"fmt"
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

// people of the bed: amy and bob report, reports is where to.
const people = `# Reports.
domain fabrikam.com
person amy "Amy Adams" amy@fabrikam.com
person bob "Bob Brown" bob@fabrikam.com
person reports "Reports" reports@fabrikam.com
`

// bed is a tenant in the tables and the same in the simulator.
type bed struct {
	*testing.T
	st     *store.Store
	w      *sim.Sim
	ways   *connect.Connections
	keeper *secret.Keeper
	gc     *graph.Client
	tenant tocsin.TenantID
	object map[string]string
	day    int
}

func each(t *testing.T, test func(*bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) { test(newBed(t, st)) })
}

func newBed(t *testing.T, st *store.Store) *bed {
	t.Helper()
	s, err := story.Parse("people", strings.NewReader(people))
	must(t, err)
	w, err := sim.New(sim.Config{Users: 12, Seed: 3, Quiet: true, Content: true, Stories: []*story.Story{s}, Roles: []string{"Directory.Read.All", "User.Read.All", "Mail.ReadWrite", "MailboxSettings.ReadWrite", "Mail.Send"}})
	must(t, err)
	t.Cleanup(func() { w.Close() })
	k, err := secret.Open(context.Background(), secret.Source{File: t.TempDir() + "/key"})
	must(t, err)
	b := &bed{T: t, st: st, w: w, keeper: k, tenant: tocsin.TenantID(w.Tenant()), object: map[string]string{}}
	b.ways = &connect.Connections{Store: st, Keeper: k, Log: slog.New(slog.DiscardHandler), HTTP: w.Client()}
	in := w.Access()
	c, err := b.ways.Create(t.Context(), "test", connect.New{Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, Cloud: "own", Own: connect.Own{Authority: in.Authority, Graph: in.Graph}})
	must(t, err)
	b.exec(`update connection set metadata_only = $2 where tenant = $1`, false)
	c.MetadataOnly = false
	b.gc, err = b.ways.Client(t.Context(), c)
	must(t, err)
	for _, name := range []string{connect.Investigations, connect.MessagesMove, connect.MailSend} {
		b.exec(`insert into capability (tenant, connection, name, state, because, mend, checked) values ($1, $2, $3, 'works', '', '', 1) on conflict (tenant, connection, name) do update set state = 'works'`, c.ID, name)
	}
	for _, name := range []string{"amy", "bob", "reports"} {
		var u struct{ ID string }
		must(t, b.gc.Get(t.Context(), "users.get", graph.P{"user": name + "@fabrikam.com"}, &u))
		b.object[name] = u.ID
		p := tocsin.NewPersonID(b.tenant, u.ID)
		b.exec(`insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, addresses, mailbox, seen, changed) values ($1, $2, $3, $4, $5, $5, 'member', true, '[]', 'read', 1, 1)`, string(p), u.ID, name, name+"@fabrikam.com")
		b.exec(`insert into person_address (tenant, address, person) values ($1, $2, $3)`, name+"@fabrikam.com", string(p))
	}
	b.update(func(ctx context.Context, t *store.Tenant) error {
		_, err := Set(ctx, t, k, "jo@example.com", Settings{Mailbox: "reports@fabrikam.com", Person: b.person("reports"), Thanks: true, Addin: true}, false)
		if err == nil { // the simulator's mail is of the past
			_, err = t.Exec(ctx, `update reported_inbox set since = $2 where tenant = $1`, w.Clock().Now().AddDate(0, 0, -20))
		}
		return err
	})
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bed) person(name string) tocsin.PersonID {
	return tocsin.NewPersonID(b.tenant, b.object[name])
}

func (b *bed) update(do func(context.Context, *store.Tenant) error) {
	b.Helper()
	must(b, b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error { return do(b.Context(), t) }))
}

func (b *bed) exec(q string, args ...any) {
	b.Helper()
	b.update(func(ctx context.Context, t *store.Tenant) error { _, err := t.Exec(ctx, q, args...); return err })
}

// got lets a person get a mail, and gives its id and its Message-ID.
func (b *bed) got(to, from, subject string) (id, internet string) {
	b.Helper()
	return b.puts(to, from, subject, `<p>Open <a href="https://paydesk-login.example/a">https://portal.fabrikam.com/payslip</a></p>`, nil)
}

// puts puts a mail into a mailbox, as if it had come.
func (b *bed) puts(to, from, subject, html string, headers map[string]string, attached ...string) (id, internet string) {
	b.Helper()
	who := map[string]any{"emailAddress": map[string]any{"address": from, "name": strings.Split(from, "@")[0]}}
	body := map[string]any{"subject": subject, "from": who, "sender": who, "body": map[string]any{"contentType": "html", "content": html}, "toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": to + "@fabrikam.com"}}},
		"singleValueExtendedProperties": []any{map[string]any{"id": "Integer 0x0E07", "value": "0"}}}
	var heads, files []any
	for name, value := range headers {
		heads = append(heads, map[string]any{"name": name, "value": value})
	}
	for i, text := range attached {
		files = append(files, map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": fmt.Sprintf("mail %d.eml", i), "contentType": "message/rfc822", "contentBytes": []byte(text)})
	}
	if heads != nil {
		body["internetMessageHeaders"] = heads
	}
	if files != nil {
		body["attachments"] = files
	}
	var made message
	must(b, b.gc.Act(b.Context(), "messages.import", graph.P{"user": b.object[to], "folder": "inbox"}, body, &made))
	return made.ID, made.InternetMessageID
}

// mailIn are the messages of a folder with a subject, the newest first; an empty subject is every one.
func (b *bed) mailIn(who, folder, subject string) (out []message) {
	b.Helper()
	for m, err := range graph.Pages[message](b.Context(), b.gc, "messages.search.folder", graph.P{"user": b.object[who], "folder": folder}) {
		must(b, err)
		if subject == "" || m.Subject == subject {
			out = append(out, m)
		}
	}
	newest(out)
	return out
}

// reports sends a mail to the reports mailbox with others attached.
func (b *bed) reports(from, subject, note string, attached ...string) {
	b.Helper()
	b.day++
	if !strings.Contains(from, "@") {
		from += "@fabrikam.com"
	}
	b.puts("reports", from, subject, "<p>"+note+"</p>", map[string]string{"X-MS-Exchange-Organization-AuthAs": "Internal"}, attached...)
}

// worker is one whose every look is due.
func (b *bed) worker() *Worker {
	return &Worker{Store: b.st, Ways: Through(b.ways), Keeper: b.keeper, Log: slog.New(slog.DiscardHandler), Every: time.Nanosecond}
}

// work runs rounds until nothing is left to do; what waits is made due.
func (b *bed) work(w *Worker) {
	b.Helper()
	for range 40 {
		b.exec(`update reported_mail set due = 0 where tenant = $1 and state = 'looking'`)
		b.exec(`update reported_reply set due = 0 where tenant = $1 and state not in ('sent', 'unknown', 'failed')`)
		b.exec(`update reported_seen set due = 0 where tenant = $1`)
		must(b, w.Round(b.Context()))
		if b.count(`select count(*) from reported_reply where tenant = $1 and state not in ('sent', 'unknown', 'failed')`) == 0 && b.count(`select count(*) from reported_mail where tenant = $1 and state = 'looking'`) == 0 &&
			b.count(`select count(*) from reported_seen where tenant = $1 and outcome = 'waiting'`) == 0 {
			return
		}
	}
}

func (b *bed) count(q string, args ...any) (n int) {
	b.Helper()
	must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error { return t.QueryRow(b.Context(), q, args...).Scan(&n) }))
	return n
}

// all are the reports, in order.
func (b *bed) all() (out []*Mail) {
	b.Helper()
	must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		ids, err := texts(b.Context(), t, `select id from reported_mail where tenant = $1 order by id`)
		for _, id := range ids {
			m, err := Get(b.Context(), t, id)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return err
	}))
	return out
}

var errKilled = errors.New("killed")
