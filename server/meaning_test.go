package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
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

// mailEvents are the events of mail of which a condition holds, in the form that subscribers receive.
func (b *subject) mailEvents(where string, args ...any) (out []string) {
	b.Helper()
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		out = nil
		rows, err := t.Query(b.Context(), `select id, at, action, person, body from event where tenant = $1 and type = 'EMAIL' and `+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			is := tocsin.EventRow{Tenant: b.tenant()}
			if err := rows.Scan(&is.ID, &is.At, &is.Action, &is.Person, &is.Body); err != nil {
				return err
			}
			out = append(out, is.JSON())
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

// TestFolders: what becomes of a mailbox's folders is told by delta, also after its token expired, and the first look makes
// state; a folder that a message is put in is found at once, a hidden one too, and mail tells its folder by name.
func TestFolders(t *testing.T) {
	w := world(t, 3, "domain amys.example\nperson amy\n")
	conf := pressed(t)
	conf.Database, conf.Every.Folders = storetest.PostgresAddress(t), time.Second
	b := hears(t, conf, w)
	b.subscribed()
	b.until("the first looks", `select person from subscription s where tenant = $1 and not exists (select 1 from folder_look l where l.tenant = s.tenant and l.person = s.person and l.whole > 0)`)
	b.until("no event of them", `select action from event where tenant = $1 and type = 'FOLDER'`)
	if n := b.count(`select count(*) from mail_folder m join person p on p.tenant = m.tenant and p.person = m.person where m.tenant = $1 and p.mail = 'amy@amys.example' and m.known = 'inbox' and m.name <> ''`); n != 1 {
		t.Errorf("%d folders are the inbox", n)
	}
	change := func(what, name, to string) {
		t.Helper()
		if _, err := w.ChangeFolder("amy@amys.example", what, name, to); err != nil {
			t.Fatal(err)
		}
	}
	const told = `select action from event where tenant = $1 and type = 'FOLDER' order by at, action`
	change(sim.FolderCreated, "Deals", "inbox")
	b.until("made", told, "folder_created")
	change(sim.FolderRenamed, "Deals", "Old deals")
	b.until("renamed", told, "folder_created", "folder_renamed")
	w.ForgetDeltas()
	w.Advance(2 * time.Second)
	change(sim.FolderMoved, "Old deals", "archive")
	b.until("moved, and the token expired", told, "folder_created", "folder_renamed", "folder_moved")
	b.until("its names", `select body from event where tenant = $1 and action = 'folder_moved' and not (body like '%"folder_name":"Old deals","parent_folder_name":"Archive"%' and body like '%"previous_parent_folder_name":"Inbox"%')`)
	b.happens("domain amys.example\nperson amy\nmon 09:00 amy receives from eve@evil.example subject \"one\"\n")
	b.until("what came", `select action from event where tenant = $1 and action = 'email_received'`, "email_received")
	b.happens("domain amys.example\nperson amy\nmon 09:00 amy moves mail \"one\" to \"Old deals\"\n")
	b.until("mail by the folder's name", `select action from event where tenant = $1 and type = 'EMAIL' and body like '%"Old deals"`+"\n"+`"Inbox"%'`, "email_moved")
	change(sim.FolderDeleted, "Old deals", "")
	b.until("deleted, also after the token expired", told, "folder_created", "folder_renamed", "folder_moved", "folder_deleted")
	change(sim.FolderHidden, "Newsletters", "")
	b.until("hidden, which is no end", `select name from mail_folder where tenant = $1 and hidden and deleted = 0 and known = '' and name = 'Newsletters'`, "Newsletters")
	b.until("and tells nothing else", told, "folder_created", "folder_renamed", "folder_moved", "folder_deleted")
}

// TestSilence: where nothing comes that should, it is looked whether Microsoft has something; a lost subscription is made
// anew and its gap closed, and a silence in truth raises a finding until mail comes. The canary hears what comes.
func TestSilence(t *testing.T) {
	w := world(t, 2, "domain amys.example\nperson amy\n")
	w.Consent(append([]string{"Mail.ReadWrite"}, sim.ReadTier...)...)
	conf := pressed(t)
	conf.Database, conf.Every.Canary = storetest.PostgresAddress(t), time.Second
	b := hears(t, conf, w)
	b.subscribed()
	if n, err := w.RemoveSubscriptions("amy@amys.example", 1, true); err != nil || n != 1 {
		t.Fatalf("%d removed, %v", n, err)
	}
	at := time.Now().UTC().Add(-3 * time.Hour) // a story's acts are of the last week in which all are past
	play(t, w, "domain amys.example\nperson amy\n"+strings.ToLower(at.Format("Mon"))+at.Format(" 15:04")+" amy receives from eve@evil.example subject \"one\"\n")
	busy := `{"rate":[30` + strings.Repeat(",30", 167) + `],"seen":[8` + strings.Repeat(",8", 167) + `]}`
	err := b.s.Store.UpdateTenant(t.Context(), b.tenant(), func(tx *store.Tenant) error {
		if _, err := tx.Exec(t.Context(), `update mail_ledger set since = $2 where tenant = $1 and person = (select person from person where tenant = $1 and mail = 'amy@amys.example')`, time.Now().Add(-72*time.Hour).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `insert into mail_usual (tenant, person, weeks, learned) select tenant, person, $2, $3 from person where tenant = $1 and mail = 'amy@amys.example'`, busy, time.Now().UnixMilli())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.until("what was lost", `select distinct person from silence where tenant = $1 and lost and person <> '' and ended > 0`, b.texts(`select person from person where tenant = $1 and mail = 'amy@amys.example'`)...)
	b.until("its mail", `select action from event where tenant = $1 and action = 'email_received' and body like '%amys.example%'`, "email_received")
	b.heardAll()
	const said = `select status from finding where tenant = $1 and rule = 'mail-silent'`
	b.until("a silence in truth", said, "open")
	if why := b.texts(`select why from finding where tenant = $1 and rule = 'mail-silent'`); len(why) != 1 || !strings.Contains(why[0], "though 60 messages are usual") && !strings.Contains(why[0], "though 90 messages are usual") {
		t.Errorf("it says %q", why)
	}
	b.happens("domain amys.example\nperson amy\nmon 09:00 amy receives from eve@evil.example subject \"two\"\n")
	b.until("the end of it", said, "fixed")
	b.until("the canary", `select distinct way from canary_try where tenant = $1 and heard > 0`, "passive")
}

// TestCanary: a draft is made in the mailbox named for it, told of, and deleted for good; its events are marked as ours.
func TestCanary(t *testing.T) {
	w := world(t, 2, "domain amys.example\nperson amy\n")
	w.Consent(append([]string{"Mail.ReadWrite"}, slices.Concat(sim.ReadTier, sim.RespondTier)...)...)
	conf := pressed(t)
	conf.Every.Canary = time.Second
	b := hears(t, conf, w)
	b.subscribed()
	n := len(b.truth(0))
	in := api.SetCanaryIn{Body: api.CanaryNew{Mailbox: "Amy@amys.example"}}
	in.Tenant = b.tenant()
	set, err := b.s.API.SetCanary(as(t.Context(), api.Owner), in)
	if err != nil {
		t.Fatal(err)
	}
	b.until("what was heard", `select cast(case when count(*) > 1 then 1 else 0 end as text) from canary_try where tenant = $1 and way = 'active' and heard > 0 and cleared`, "1")
	in.Body = api.CanaryNew{Version: set.Version}
	if set, err = b.s.API.SetCanary(as(t.Context(), api.Owner), in); err != nil || set.Tries == 0 || set.P99 > 90 || set.Heard.IsZero() {
		t.Fatalf("%+v, %v", set, err)
	}
	b.until("nothing is left behind", `select id from canary_try where tenant = $1 and way = 'active' and not cleared`)
	eventually(t, "that it is ours", func() string {
		for _, e := range b.mailEvents("at > $2", 0) {
			if !strings.Contains(e, `"action_id":"`) {
				return e
			}
		}
		return ""
	})
	eventually(t, "that no draft is left in the mailbox", func() string { // a round may have begun before it was called off
		drafts := 0
		for _, line := range b.truth(n) {
			switch line.Change {
			case "message.created":
				drafts++
			case "message.deleted":
				drafts--
			}
		}
		if drafts != 0 {
			return fmt.Sprint(drafts, " are left")
		}
		return ""
	})
}
