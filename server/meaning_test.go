package server

import (
	"fmt"
	"strings"
	"testing"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

// texts are the rows that a query of the tenant gives, a text each.
func (b *subject) texts(query string, args ...any) (out []string) {
	b.Helper()
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		out = nil
		rows, err := t.Query(b.Context(), query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			out = append(out, s)
		}
		return rows.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// until waits until the query gives these rows.
func (b *subject) until(what, query string, want ...string) {
	b.Helper()
	eventually(b.T, what, func() string {
		if got := b.texts(query); strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Sprintf("%q, want %q", got, want)
		}
		return ""
	})
}

// happens lets a story happen now, its times too.
func (b *subject) happens(text string) {
	b.Helper()
	st, err := story.Parse("now", strings.NewReader(text))
	if err == nil {
		err = b.w.Live(st, 0)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// TestAnswers: a reply and a forward are told of as they happen and by catching up; with Mail.ReadBasic.All they are off,
// because.
func TestAnswers(t *testing.T) {
	const answers = `select action from event where tenant = $1 and action in ('email_replied', 'email_forwarded') order by action`
	for _, c := range []struct {
		name string
		mail string // the permission
		want []string
	}{
		{"Mail.Read", "Mail.Read", []string{"email_forwarded", "email_replied"}},
		{"Mail.ReadBasic.All", "Mail.ReadBasic.All", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t, 4, "domain amys.example\nperson amy\n")
			w.Consent("User.Read.All", "Directory.Read.All", "MailboxSettings.Read", c.mail)
			conf := pressed(t)
			if c.want != nil {
				conf.Database = storetest.PostgresAddress(t)
			}
			b := hears(t, conf, w)
			b.subscribed()
			b.happens("domain amys.example\nperson amy\nmon 09:00 amy receives from eve@evil.example subject \"one\"\nmon 09:01 amy receives from eve@evil.example subject \"two\"\n")
			b.until("what came", `select action from event where tenant = $1 and action = 'email_received'`, "email_received", "email_received")
			b.happens("domain amys.example\nperson amy\nmon 09:00 amy replies to mail \"one\"\nmon 09:01 amy forwards mail \"two\" to eve@evil.example\n")
			if c.want == nil {
				b.until("what was sent", `select action from event where tenant = $1 and action = 'email_sent'`, "email_sent", "email_sent")
				b.heardAll()
			}
			b.until("the answers", answers, c.want...)
			because := b.texts(`select because from capability where tenant = $1 and name = 'mail-answers'`)
			if off := len(because) == 1 && strings.HasPrefix(because[0], "Mail.Read is not granted."); off != (c.want == nil) {
				t.Errorf("why: %q", because)
			}
		})
	}
}
