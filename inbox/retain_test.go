package inbox

import (
	"context"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/story"
)

// TestRetain: old threads go and do not come back, one person is forgotten, and an inbox that is erased leaves nothing.
func TestRetain(t *testing.T) {
	each(t, func(b *bed) {
		now := b.w.Clock().Now()
		b.put(sim.Mail{From: "old@example.com", Subject: "Old", Text: "x", Received: now.AddDate(0, 0, -50)})
		b.put(sim.Mail{From: "jo@example.com", FromName: "Jo Smith", Subject: "Private", Text: "My illness", MessageID: "<p@example.com>", Received: now.Add(-time.Hour)})
		b.put(sim.Mail{From: shared, To: []string{"jo@example.com"}, Folder: "sentitems", Subject: "Re: Private", Text: "Get well", Headers: [][2]string{{"In-Reply-To", "<p@example.com>"}}, Received: now.Add(-time.Minute)})
		b.put(sim.Mail{From: "al@example.com", Subject: "Other", Text: "x", Received: now.Add(-time.Hour)})
		b.work()
		b.equal()
		ctx := context.Background()
		b.update(func(ctx context.Context, t *store.Tenant) error { return KeepFor(ctx, t, b.inbox, 40) })
		b.pass(41 * 24 * time.Hour) // a thread is kept so long after anything was done in it
		n, err := Sweep(ctx, b.st, b.tenant)
		must(b, err)
		if n == 0 || b.count(`select count(*) from inbox_message where tenant = $1 and subject in ('Old', 'Private', 'Other')`) != 0 {
			b.Errorf("%d threads went, and old mails are left", n)
		}
		fresh := b.put(sim.Mail{From: "jo@example.com", FromName: "Jo Smith", Subject: "Private again", Text: "My illness"})
		b.put(sim.Mail{From: "al@example.com", Subject: "Other again", Text: "x"})
		b.work()
		b.work()
		if b.count(`select count(*) from inbox_message where tenant = $1 and subject in ('Old', 'Private', 'Other')`) != 0 || b.count(`select count(*) from inbox_message where tenant = $1 and subject like '%again'`) != 2 {
			b.Error("what was deleted came back, or what is new did not come")
		}
		b.put(sim.Mail{From: "al@example.com", Cc: []string{"jo@example.com", "cy@example.com"}, Subject: "Between others", Text: "x"})
		b.work()
		b.update(func(ctx context.Context, t *store.Tenant) error {
			_, err := Write(ctx, t, b.keeper, "bob", b.inbox, New, "", "", Writing{Subject: "To some", To: []tocsin.Address{{Address: "Jo@example.com", Name: "Jo Smith"}, {Address: "al@example.com"}}, Text: "x"})
			return err
		})
		if n, err = Forget(ctx, b.st, b.tenant, "bob", "Jo@Example.com"); n != 1 || err != nil {
			b.Errorf("%d mails were forgotten, %v", n, err)
		}
		must(b, b.w.ActOnMail(shared, fresh, story.ReadsMail, ""))
		b.pass(time.Minute)
		b.work()
		for _, table := range []string{"inbox_message", "inbox_thread", "inbox_outgoing", "fact"} {
			columns := map[string]string{"inbox_outgoing": "to_list || cc_list || bcc_list", "inbox_message": "subject || preview || from_address || from_name || to_list || cc_list || bcc_list || reply_to || sender_address", "inbox_thread": "subject || preview || from_address || from_name", "fact": "body"}[table]
			b.view(func(ctx context.Context, t *store.Tenant) error {
				all, err := texts(ctx, t, `select `+columns+` from `+table+` where tenant = $1`)
				if s := strings.Join(all, " "); strings.Contains(s, "Smith") || strings.Contains(s, "jo@example") || strings.Contains(s, "illness") || strings.Contains(s, "Private") {
					b.Errorf("%s still tells of who was forgotten: %s", table, s)
				}
				return err
			})
		}
		if n := b.count(`select count(*) from inbox_message where tenant = $1 and subject = 'Between others' and cc_list like '%cy@example.com%'`); n != 1 {
			b.Error("whom else a mail went to was forgotten too")
		}
		for _, q := range []string{`insert into inbox_macro (tenant, id, inbox, name, created) values ($1, 'm', $2, 'm', 1)`, `insert into inbox_rule (tenant, id, inbox, name, body, created) values ($1, 'r', $2, 'r', '{}', 1)`,
			`insert into inbox_look (tenant, inbox, id, at, account, email, reason, what) values ($1, $2, 'l', 1, 'a', 'a@example.com', 'why', 'asked')`} {
			b.exec(q, b.inbox)
		}
		b.exec(`insert into inbox_view (tenant, id, name, filter, created) values ($1, 'v', 'v', $2, 1)`, `{"inbox":"`+b.inbox+`"}`)
		must(b, Erase(ctx, b.st, b.tenant, "bob", b.inbox))
		tables, err := b.st.TenantTables(ctx)
		must(b, err)
		for _, table := range tables {
			if strings.HasPrefix(table, "inbox") {
				if n := b.count(`select count(*) from ` + table + ` where tenant = $1`); n != 0 {
					b.Errorf("%d rows of %s are left", n, table)
				}
			}
		}
		if _, _, err := b.e.Round(ctx, b.tenant, b.inbox, true); err != nil {
			b.Errorf("an inbox that is gone: %v", err)
		}
	})
}
