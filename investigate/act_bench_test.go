package investigate

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// BenchmarkMailActs deletes a message of each of 300 mailboxes to Recoverable Items and brings it back: recorded, sent, read back;
// against the same requests made bare, by as many at once. ns/message is of either.
func BenchmarkMailActs(b *testing.B) {
	const n = 300
	var text strings.Builder
	text.WriteString("# Many.\ndomain fabrikam.com\n")
	for i := range n {
		fmt.Fprintf(&text, "person p%d \"P %d\" p%d@fabrikam.com\n", i, i, i)
	}
	for i := range n {
		fmt.Fprintf(&text, "mon 09:00 p%d receives from bad@evil.example subject \"Invoice\"\n", i)
	}
	s, err := story.Parse("many", strings.NewReader(text.String()))
	ok(b, err)
	w, err := sim.New(sim.Config{Users: 10, Seed: 3, Quiet: true, Content: true, Stories: []*story.Story{s}, Roles: append(slices.Clone(sim.ReadTier), "Mail.ReadWrite", "MailboxSettings.ReadWrite")})
	ok(b, err)
	defer w.Close()
	in := w.Access()
	gc, err := graph.New(graph.Config{Cloud: graph.Cloud{Authority: in.Authority, Graph: in.Graph}, Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, HTTP: w.Client()})
	ok(b, err)
	st := storetest.SQLite(b)
	tenant, ctx := tocsin.TenantID(w.Tenant()), b.Context()
	type mail struct{ user, id string }
	var mails []mail
	case_ := tocsin.NewID()
	ok(b, st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'Fabrikam', 1)`); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into investigation (tenant, id, name, query, created, created_by, changed) values ($1, $2, 'x', 'x', 1, 'x', 1)`, case_); err != nil {
			return err
		}
		for i := range n {
			who := fmt.Sprintf("p%d@fabrikam.com", i)
			var u struct{ ID string }
			if err := gc.Get(ctx, "users.get", graph.P{"user": who}, &u); err != nil {
				return err
			}
			for m, err := range graph.Pages[graph.Message](ctx, gc, "messages.list", graph.P{"user": u.ID}) {
				if err != nil {
					return err
				}
				if m.From == nil || m.From.EmailAddress.Address != "bad@evil.example" {
					continue
				}
				mails = append(mails, mail{u.ID, m.ID})
				p := tocsin.NewPersonID(tenant, u.ID)
				if _, err := t.Exec(ctx, `insert into person (tenant, person, object_id, name, upn, mail, kind, enabled, mailbox, seen, changed) values ($1, $2, $3, 'P', $4, $4, 'member', true, 'read', 1, 1)`, p, u.ID, who); err != nil {
					return err
				}
				if _, err := t.Exec(ctx, `insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, subject, received, day, folder, folder_name, found, seen, changed)
					values ($1, $2, $3, $4, $5, $6, '', '', 'bad@evil.example', '', '', 'Invoice', 1, '', '', '', 1, 1, 1)`, case_, p, m.ID, tocsin.NewID(), who); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	if len(mails) != n {
		b.Fatalf("%d mails", len(mails))
	}
	way := func(context.Context, tocsin.TenantID, string, string) (string, string, *graph.Client, error) {
		return "c", "c", gc, nil
	}
	desk := &ActDesk{Store: st, Way: way}
	b.Run("bare", func(b *testing.B) {
		for range b.N {
			for _, to := range []string{folderRecoverable, folderInbox} {
				var g errgroup.Group
				g.SetLimit(actTenant)
				for _, m := range mails {
					g.Go(func() error {
						if _, err := look(ctx, gc, m.user, m.id); err != nil {
							return err
						}
						var f struct{ ID string }
						if err := gc.Get(ctx, "mailFolders.get", graph.P{"user": m.user, "folder": to}, &f); err != nil {
							return err
						}
						if err := gc.Act(ctx, "messages.move", graph.P{"user": m.user, "message": m.id}, map[string]string{"destinationId": f.ID}, nil); err != nil {
							return err
						}
						_, err := look(ctx, gc, m.user, m.id)
						return err
					})
				}
				ok(b, g.Wait())
			}
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N*2*n), "ns/message")
	})
	b.Run("acts", func(b *testing.B) {
		for range b.N {
			e := &ActExecutor{Store: st, Way: way, Log: slog.New(slog.DiscardHandler)}
			var a *Act
			for _, kind := range []ActKind{SoftDelete, Restore} {
				f, err := desk.Plan(ctx, tenant, Actor{}, ActAsk{Investigation: case_, Kind: SoftDelete, Why: "x"})
				if kind == Restore {
					f, err = desk.PlanRestore(ctx, tenant, Actor{}, a.ID, "x", nil)
				}
				ok(b, err)
				f.Plan.Approval = false
				ok(b, st.UpdateTenant(ctx, tenant, func(t *store.Tenant) (err error) {
					if _, err := SetActs(ctx, t, Actor{}, ActSettings{}, must0(ActSettingsOf(ctx, t)).Version); err != nil {
						return err
					}
					a, err = desk.Record(ctx, t, f)
					return err
				}))
				for a.State != ActDone {
					ok(b, e.Round(ctx))
					ok(b, st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { a, err = GetAct(ctx, t, a.ID); return err }))
					st.Clock().Advance(time.Second)
				}
			}
			ok(b, st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
				_, err := t.Exec(ctx, `update mail_match set state = 'found' where tenant = $1`)
				return err
			}))
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N*2*n), "ns/message")
	})
}

func must0(s ActSettings, err error) ActSettings {
	if err != nil {
		panic(err)
	}
	return s
}
