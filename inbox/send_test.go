package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/story"
)

// reply writes an answer to a mail and hands it over.
func (b *bed) reply(message, said string, change func(*Writing)) (id string) {
	b.Helper()
	b.update(func(ctx context.Context, t *store.Tenant) error {
		w := Writing{HTML: "<p>" + said + "</p>", Quote: true}
		if change != nil {
			change(&w)
		}
		o, err := Write(ctx, t, b.keeper, "bob", b.inbox, Reply, "", message, w)
		if err != nil {
			return err
		}
		id = o.ID
		for range 2 { // who presses twice sends once
			if _, err := Send(ctx, t, "bob", b.inbox, o.ID, o.Version); err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

func (b *bed) out(id string) (o *Outgoing) {
	b.Helper()
	b.view(func(ctx context.Context, t *store.Tenant) (err error) {
		o, err = OutgoingOf(ctx, t, b.inbox, id)
		return err
	})
	return o
}

// sentOf are how often mails with a subject were sent from the mailbox, by its own account.
func (b *bed) sentOf() (n int) {
	b.Helper()
	lines, err := b.w.Truth()
	must(b, err)
	for _, l := range lines {
		if strings.EqualFold(l.Mailbox, shared) && l.Action == "sent" && l.By == "graph" {
			n++
		}
	}
	return n
}

// drafts are how many lie in the mailbox.
func (b *bed) drafts() (n int) {
	b.Helper()
	all, err := b.w.Messages(shared)
	must(b, err)
	for _, m := range all {
		if m.Draft {
			n++
		}
	}
	return n
}

// until lets time pass and works until the mail has come to an end.
func (b *bed) until(id string) *Outgoing {
	b.Helper()
	for range 60 {
		b.pass(20 * time.Second)
		_, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
		if err != nil && !errors.Is(err, errKilled) {
			b.Fatal(err)
		}
		switch o := b.out(id); o.State {
		case Sent, Failed, Unknown:
			return o
		}
	}
	b.Fatalf("it does not come to an end: %+v", b.out(id))
	return nil
}

// TestSend: an answer goes once, quoted and threaded, with its files and its picture, from the shared address; it can be taken back before.
func TestSend(t *testing.T) {
	each(t, func(b *bed) {
		asked := b.put(sim.Mail{From: "jo@example.com", Cc: []string{"al@example.com"}, Subject: "Bill 7", HTML: "<html><body><p>Is it paid?</p></body></html>", MessageID: "<b7@example.com>"})
		b.work()
		b.update(func(ctx context.Context, t *store.Tenant) error {
			return Set(ctx, t, b.inbox, Settings{Undo: 10 * time.Second, Signature: "<b>Invoices team</b>"})
		})
		id := b.reply(asked, "No.", nil)
		b.update(func(ctx context.Context, t *store.Tenant) error {
			_, err := Undo(ctx, t, "bob", b.inbox, id)
			return err
		})
		b.pass(time.Minute)
		b.work()
		if b.sentOf() != 0 || b.out(id).State != Drafted {
			b.Fatalf("what was taken back went: %+v", b.out(id))
		}
		b.update(func(ctx context.Context, t *store.Tenant) error {
			o, err := Edit(ctx, t, b.keeper, "bob", b.inbox, id, b.outIn(ctx, t, id).Version, Writing{Subject: "Re: Bill 7", To: []tocsin.Address{{Address: "jo@example.com", Name: "Jo"}}, Bcc: []tocsin.Address{{Address: "boss@fabrikam.com"}},
				HTML: `<p>Yes, <img src="cid:pic1"> it is.</p><script>alert(1)</script>`, Quote: true, Then: Resolved})
			if err != nil {
				return err
			}
			for _, f := range []File{{Name: "receipt.pdf", Type: "application/pdf", Data: []byte("%PDF-1")}, {Name: "pic.png", Type: "image/png", ContentID: "pic1", Inline: true, Data: []byte("\x89PNG\r\n\x1a\n")},
				{Name: "scan.tif", Type: "image/tiff", Data: make([]byte, MostDirect+5)}} {
				if _, err := Attach(ctx, t, b.keeper, "bob", b.inbox, id, f); err != nil {
					return err
				}
			}
			if _, err := Edit(ctx, t, b.keeper, "amy", b.inbox, id, o.Version-1, Writing{}); err == nil {
				b.Error("an edit of an older version was taken")
			}
			_, err = Send(ctx, t, "bob", b.inbox, id, 0)
			return err
		})
		o := b.until(id)
		if o.State != Sent || b.sentOf() != 1 {
			b.Fatalf("it is %+v, sent %d times", o, b.sentOf())
		}
		b.work()
		b.equal()
		b.view(func(ctx context.Context, t *store.Tenant) error {
			m, err := MessageOf(ctx, t, b.inbox, o.Draft)
			if err != nil {
				return err
			}
			body, err := b.e.Show(ctx, b.tenant, b.inbox, o.Draft, false)
			if err != nil {
				return err
			}
			if m.Direction != Out || m.Thread != o.Thread || m.From.Address != shared || m.InReplyTo != "b7@example.com" || len(m.Attachments) != 3 {
				b.Errorf("the mail that was sent is %+v", m)
			}
			for _, want := range []string{"Yes,", "data:image/png;base64,", "Invoices team", "Is it paid?"} {
				if !strings.Contains(body.HTML, want) || strings.Contains(body.HTML, "alert") {
					b.Errorf("it lacks %q: %s", want, body.HTML)
				}
			}
			in, err := Get(ctx, t, b.inbox)
			if err != nil || in.Sending != SendAs {
				b.Errorf("sending is %q, %v", in.Sending, err)
			}
			return nil
		})
		if got := b.word(`select state || ' ' || messages from inbox_thread where tenant = $1 and id = $2`, o.Thread); got != "resolved 2" {
			b.Errorf("the thread is %s", got)
		}
		if n := b.count(`select count(*) from inbox_upload where tenant = $1`); n != 0 {
			b.Errorf("%d files are kept beside the mailbox", n)
		}
		name, raw, err := b.e.Fetch(context.Background(), b.tenant, b.inbox, o.Draft, b.attachment(o.Draft, "receipt.pdf"))
		if err != nil || string(raw) != "%PDF-1" || name.Name != "receipt.pdf" {
			b.Errorf("the file is %q, %v", raw, err)
		}
		// A new mail begins a thread.
		b.update(func(ctx context.Context, t *store.Tenant) error {
			n, err := Write(ctx, t, b.keeper, "bob", b.inbox, New, "", "", Writing{Subject: "Reminder", To: []tocsin.Address{{Address: "jo@example.com"}}, Text: "Please <pay>.\nThanks"})
			if err == nil {
				id = n.ID
				_, err = Send(ctx, t, "bob", b.inbox, id, 0)
			}
			return err
		})
		if o = b.until(id); o.State != Sent || o.Thread == "" {
			b.Errorf("the new mail is %+v", o)
		}
		b.work()
		b.equal()
	})
}

func (b *bed) outIn(ctx context.Context, t *store.Tenant, id string) *Outgoing {
	o, err := OutgoingOf(ctx, t, b.inbox, id)
	must(b, err)
	return o
}

func (b *bed) attachment(message, name string) (id string) {
	b.view(func(ctx context.Context, t *store.Tenant) error {
		m, err := MessageOf(ctx, t, b.inbox, message)
		for _, a := range m.Attachments {
			if a.Name == name {
				id = a.ID
			}
		}
		return err
	})
	return id
}

// TestSendTrouble: whatever happens to a send, nothing is lost and nothing is sent twice, and what is wrong is said.
func TestSendTrouble(t *testing.T) {
	each(t, func(b *bed) {
		asked := b.put(sim.Mail{From: "jo@example.com", Subject: "Bill", Text: "Paid?"})
		b.work()
		sent, drafts := 0, b.drafts()
		went := func(what string, o *Outgoing) {
			b.Helper()
			if sent++; o.State != Sent || b.sentOf() != sent {
				b.Fatalf("%s: it is %s (%s), and %d mails were sent, want %d", what, o.State, o.Because, b.sentOf(), sent)
			}
			if n := b.drafts(); n != drafts {
				b.Errorf("%s: %d drafts are left in the mailbox, and %d were there", what, n, drafts)
			}
		}
		// Killed at each point, and again at the next: other lives go on.
		for _, point := range []string{"made", "written", "attached", "recorded", "posted", "sent"} {
			id := ""
			b.update(func(ctx context.Context, t *store.Tenant) error {
				o, err := Write(ctx, t, b.keeper, "bob", b.inbox, Reply, "", asked, Writing{Text: "At " + point, Quote: true})
				if err == nil {
					id = o.ID
					_, err = Attach(ctx, t, b.keeper, "bob", b.inbox, id, File{Name: "a.txt", Data: []byte("a")})
				}
				if err == nil {
					_, err = Send(ctx, t, "bob", b.inbox, id, 0)
				}
				return err
			})
			b.e = b.engine()
			b.e.at = func(at string) error {
				if at == point {
					return errKilled
				}
				return nil
			}
			b.pass(20 * time.Second)
			if _, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, true); !errors.Is(err, errKilled) {
				b.Fatalf("%s: %v", point, err)
			}
			b.e = b.engine()
			o := b.until(id)
			went("killed when "+point, o)
			b.work()
			if m := b.word(`select attachments from inbox_message where tenant = $1 and id = $2`, o.Draft); strings.Count(m, "a.txt") != 1 {
				b.Errorf("killed when %s: its files are %s", point, m)
			}
		}
		for _, f := range []sim.Fault{
			{Kind: sim.Lost, Method: "POST", Path: "users/*/messages/*/send", Times: 1},        // it went, and no answer came
			{Kind: sim.Broken, Method: "POST", Path: "users/*/messages/*/send", Times: 2},      // it did not
			{Kind: sim.Throttle, Path: "users/*/messages/*/send", Times: 3, After: "0.01"},     // a storm
			{Kind: sim.Lost, Method: "POST", Path: "users/*/messages/*/createReply", Times: 2}, // drafts were made, and no answer came
			{Kind: sim.Cut, Method: "PATCH", Path: "users/*/messages/*", Times: 1},
		} {
			must(b, b.w.Fault(f))
			o := b.until(b.reply(asked, "x", nil))
			went(string(f.Kind)+" "+f.Path, o)
			b.work()
			if got := b.word(`select categories from inbox_message where tenant = $1 and id = $2`, o.Draft); got != "[]" {
				b.Errorf("what was sent is marked %s", got)
			}
			b.w.Heal()
		}
		// No answer came, and the draft is gone: nobody can tell.
		lost, err := b.w.Strike(sim.Fault{Kind: sim.Broken, Status: 504, Method: "POST", Path: "users/*/messages/*/send"})
		must(b, err)
		id := b.reply(asked, "Where am I?", nil)
		for lost.Times() == 0 {
			b.pass(11 * time.Second)
			_, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, false)
			must(b, err)
		}
		must(b, b.w.ActOnMail(shared, b.out(id).Draft, story.PurgesMail, ""))
		if o := b.until(id); o.State != Unknown || o.Mend == "" || b.sentOf() != sent {
			b.Errorf("where nobody can tell it is %+v", o)
		}
		b.w.Heal()
		// A person can: it did not go, so it goes now; and of another that it went, which sends nothing.
		b.update(func(ctx context.Context, t *store.Tenant) error {
			o, err := Settle(ctx, t, "bob", b.inbox, id, false)
			if err == nil && (o.State != Drafted || o.Because != "") {
				b.Errorf("it did not go, and is %+v", o)
			}
			if err == nil {
				_, err = Send(ctx, t, "bob", b.inbox, id, 0)
			}
			return err
		})
		o := b.until(id)
		went("sent at a person's word", o)
		b.update(func(ctx context.Context, t *store.Tenant) error {
			if _, err := Settle(ctx, t, "bob", b.inbox, id, true); err == nil {
				b.Error("what is known was settled")
			}
			for _, q := range []string{`update inbox_outgoing set state = 'unknown', sent = 0 where tenant = $1 and id = $2`, `update inbox_thread set state = 'open' where tenant = $1 and id = $2`} {
				if _, err := t.Exec(ctx, q, map[bool]string{true: id, false: o.Thread}[strings.Contains(q, "outgoing")]); err != nil {
					return err
				}
			}
			now, err := Settle(ctx, t, "bob", b.inbox, id, true)
			if err == nil && (now.State != Sent || !now.Sent.Equal(o.Posted) || b.sentOf() != sent) {
				b.Errorf("it went, and is %+v; %d were sent", now, b.sentOf())
			}
			return err
		})
		if got := b.word(`select state from inbox_thread where tenant = $1 and id = $2`, o.Thread); got != Waiting {
			b.Errorf("it went, and its thread is %s", got)
		}
		// The right to send is missing: it is said, remembered, and refused before the next.
		must(b, b.w.Fault(sim.Fault{Kind: sim.Denied, Method: "POST", Path: "users/*/messages/*/send", Times: 1}))
		if o := b.until(b.reply(asked, "May I?", nil)); o.State != Failed || b.sentOf() != sent {
			b.Errorf("where it is denied it is %+v", o)
		}
		// What is written stays, and goes when it may.
		id = b.word(`select id from inbox_outgoing where tenant = $1 and state = 'failed' order by id desc limit 1`)
		b.update(func(ctx context.Context, t *store.Tenant) error {
			_, err := Send(ctx, t, "bob", b.inbox, id, 0)
			return err
		})
		went("sent again", b.until(id))
		b.update(func(ctx context.Context, t *store.Tenant) error {
			return setSending(ctx, t, b.inbox, SendRefused, "No.")
		})
		err = b.st.UpdateTenant(context.Background(), b.tenant, func(t *store.Tenant) error {
			o, err := Write(context.Background(), t, b.keeper, "bob", b.inbox, Reply, "", asked, Writing{Text: "x"})
			if err == nil {
				_, err = Send(context.Background(), t, "bob", b.inbox, o.ID, 0)
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "Send As") {
			b.Errorf("sending where it was refused: %v", err)
		}
	})
}

// TestShut: a mailbox that is taken away or deleted is said at the inbox, and goes on when it is back; what was to be sent is kept.
func TestShut(t *testing.T) {
	each(t, func(b *bed) {
		asked := b.put(sim.Mail{From: "jo@example.com", Subject: "Bill", Text: "Paid?"})
		b.work()
		must(b, b.w.Fault(sim.Fault{Kind: sim.OutOfScope, Path: "users/**"}))
		id := b.reply(asked, "x", nil)
		b.pass(time.Minute)
		_, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, true)
		must(b, err)
		if got := b.word(`select state || ' ' || because from inbox where tenant = $1`); got != "broken The mailbox "+shared+" is no longer open to the connection." {
			b.Errorf("the inbox is %q", got)
		}
		if o := b.out(id); o.State != Failed || o.Because == "" || o.Mend == "" {
			b.Errorf("the mail is %+v", o)
		}
		b.w.Heal()
		b.put(sim.Mail{From: "jo@example.com", Subject: "Still there?", Text: "x"})
		b.pass(time.Minute)
		b.work()
		b.equal()
		if got := b.word(`select state || because from inbox where tenant = $1`); got != "connected" {
			b.Errorf("the inbox is %q", got)
		}
		must(b, b.w.DeleteUser(shared))
		b.pass(time.Minute)
		_, _, err = b.e.Round(context.Background(), b.tenant, b.inbox, true)
		must(b, err)
		if got := b.word(`select state || ' ' || because || mend from inbox where tenant = $1`); !strings.HasPrefix(got, "broken There is no mailbox "+shared) || !strings.Contains(got, "30 days") {
			b.Errorf("the inbox is %q", got)
		}
		if n := b.count(`select count(*) from inbox_message where tenant = $1 and gone = 0`); n < 2 {
			b.Errorf("%d mails are left of a mailbox that is gone", n)
		}
	})
}

// TestFull: Exchange sends 30 mails a minute from a mailbox; the others wait their turn.
func TestFull(t *testing.T) {
	each(t, func(b *bed) {
		asked := b.put(sim.Mail{From: "jo@example.com", Subject: "Bill", Text: "Paid?"})
		b.work()
		b.e.Minute = 3
		for i := range 5 {
			b.reply(asked, fmt.Sprint(i), nil)
		}
		b.pass(11 * time.Second)
		_, _, err := b.e.Round(context.Background(), b.tenant, b.inbox, false)
		must(b, err)
		if n := b.sentOf(); n != 3 {
			b.Errorf("%d went in the first minute, want 3", n)
		}
		b.pass(time.Minute)
		_, _, err = b.e.Round(context.Background(), b.tenant, b.inbox, false)
		must(b, err)
		if n := b.sentOf(); n != 5 {
			b.Errorf("%d went in two minutes, want 5", n)
		}
	})
}
