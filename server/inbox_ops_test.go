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
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// TestInboxOperations: what an agent does by the API, in a mailbox that is there: writes an answer with a file, is told that a mail came meanwhile, takes it
// back, sends it, throws another away; merges threads and splits one, and mails that come later find where they belong; and sees beside a thread
// what is wrong with who wrote it.
func TestInboxOperations(t *testing.T) {
	t.Parallel()
	w := world(t, 12)
	clock := &tocsin.Clock{}
	s := startAt(t, settings(t), Options{HTTP: w.Client(), Clock: clock})
	d := newPost(t, w, s.Connections, own(w).Own)
	tenant, ctx, days := tocsin.TenantID(w.Tenant()), as(t.Context(), api.Owner), 0
	box := d.share("Support", sim.FullAccess, sim.SendAs)
	address, err := s.API.ConnectEmailAddress(ctx, api.ConnectAddressIn{In: api.In{Tenant: tenant}, Body: api.EmailAddressNew{Connection: d.connection, Address: box, BackfillDays: &days}})
	d.must(err)
	by := func(id string) api.ByID { return api.ByID{In: api.In{Tenant: tenant}, ID: id} }
	act := func(id string) api.ByIDAct { return api.ByIDAct{ByID: by(id)} }
	put := func(m sim.Mail) string {
		t.Helper()
		id, err := w.Put(box, m)
		d.must(err)
		return id
	}
	in := func(what string, check func() string) {
		t.Helper()
		eventually(t, what, func() string {
			clock.Advance(2 * time.Second)
			w.Advance(2 * time.Second)
			return check()
		})
	}
	// of is the thread of a mail, once it is there.
	of := func(message string) (thread string) {
		t.Helper()
		in("the mail", func() string {
			d.must(s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error {
				return tt.QueryRow(t.Context(), `select coalesce(min(thread), '') from inbox_message where tenant = $1 and id = $2`, message).Scan(&thread)
			}))
			if thread == "" {
				return "is not there"
			}
			return ""
		})
		return thread
	}
	conflict := func(what string, err error, want string) {
		t.Helper()
		if p := tocsin.AsProblem(err); err == nil || !strings.Contains(p.What, want) || p.Do == "" {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	first := put(sim.Mail{From: "jo@contoso.example", FromName: "Jo", Subject: "Bill 7", Text: "Is it paid?", MessageID: "<q1@contoso.example>"})
	other := put(sim.Mail{From: "jo@contoso.example", FromName: "Jo", Subject: "Other matter", Text: "And this?", MessageID: "<q2@contoso.example>"})
	bill, matter := of(first), of(other)

	// Writing.
	text := func(s string) api.OutgoingText {
		return api.OutgoingText{Text: s, Subject: "Re: Bill 7", To: []api.MailAddress{{Address: "jo@contoso.example", Name: "Jo"}}, Quote: true}
	}
	o, err := s.API.ReplyOutgoing(ctx, api.WriteIn{ByIDAct: act(bill), Body: api.OutgoingNew{OutgoingText: api.OutgoingText{Text: "Paid."}}})
	if err != nil || o.State != inbox.Drafted || o.From.Address != box || len(o.To) != 1 || o.To[0].Address != "jo@contoso.example" || o.Subject != "Re: Bill 7" || o.Message != first || o.Thread != bill {
		t.Fatalf("begun as %+v, %v", o, err)
	}
	_, err = s.API.AttachOutgoing(ctx, api.OutgoingFileIn{ByIDAct: act(o.ID), Body: api.OutgoingFileNew{Name: "film.mp4", Data: make([]byte, inbox.MostDirect+1)}})
	conflict("a file that the mailbox will not take", err, "larger than 3 MB")
	o, err = s.API.AttachOutgoing(ctx, api.OutgoingFileIn{ByIDAct: act(o.ID), Body: api.OutgoingFileNew{Name: "wrong.txt", Data: []byte("wrong")}})
	d.must(err)
	o, err = s.API.DetachOutgoing(ctx, api.DropFileIn{ByIDAct: act(o.ID), File: o.Files[0].ID})
	d.must(err)
	o, err = s.API.AttachOutgoing(ctx, api.OutgoingFileIn{ByIDAct: act(o.ID), Body: api.OutgoingFileNew{Name: "receipt.txt", Data: []byte("paid")}})
	if err != nil || len(o.Files) != 1 || o.Files[0].Name != "receipt.txt" {
		t.Errorf("its files: %+v, %v", o.Files, err)
	}
	was := o.Version
	o, err = s.API.EditOutgoing(ctx, api.EditOutgoingIn{ByIDAct: act(o.ID), Body: api.OutgoingEdit{OutgoingText: text("Paid on Friday."), Version: was}})
	d.must(err)
	_, err = s.API.EditOutgoing(ctx, api.EditOutgoingIn{ByIDAct: act(o.ID), Body: api.OutgoingEdit{OutgoingText: text("Never."), Version: was}})
	conflict("an edit of what another changed", err, "changed this mail meanwhile")
	list, err := s.API.ListOutgoing(ctx, api.OutgoingsIn{In: api.In{Tenant: tenant}, Inbox: address.ID})
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != o.ID {
		t.Errorf("what one writes: %+v, %v", list.Items, err)
	}

	// Sending: a mail came meanwhile; then it is held, taken back, and sent.
	seen := clock.Now()
	clock.Advance(time.Minute)
	w.Advance(time.Minute)
	again := put(sim.Mail{From: "jo@contoso.example", Subject: "Re: Bill 7", Text: "Well?", MessageID: "<q3@contoso.example>", Headers: [][2]string{{"In-Reply-To", "<q1@contoso.example>"}}})
	if got := of(again); got != bill {
		t.Errorf("the question again is in %s, want %s", got, bill)
	}
	_, err = s.API.SendOutgoing(ctx, api.SendOutgoingIn{ByIDAct: act(o.ID), Body: api.OutgoingSend{Seen: seen}})
	conflict("sent over a mail that was not seen", err, "came into this thread")
	o, err = s.API.SendOutgoing(ctx, api.SendOutgoingIn{ByIDAct: act(o.ID), Body: api.OutgoingSend{Anyway: true}})
	if err != nil || o.State != inbox.Held || !o.Due.After(clock.Now()) {
		t.Errorf("handed over it is %+v, %v", o, err)
	}
	o, err = s.API.UndoOutgoing(ctx, act(o.ID))
	if err != nil || o.State != inbox.Drafted || !strings.Contains(o.HTML, "Friday") {
		t.Errorf("taken back it is %+v, %v", o, err)
	}
	_, err = s.API.SendOutgoing(ctx, api.SendOutgoingIn{ByIDAct: act(o.ID), Body: api.OutgoingSend{Anyway: true}})
	d.must(err)
	in("the answer", func() string {
		if o, err = s.API.GetOutgoing(ctx, by(o.ID)); err != nil || o.State != inbox.Sent {
			return fmt.Sprint(o.State, o.Because, err)
		}
		return ""
	})
	in("the answer in its thread", func() string { // it is sent first, and then read
		if v, err := s.API.GetThread(ctx, by(bill)); err != nil || v.Messages != 3 {
			return fmt.Sprint(v.Messages, err)
		}
		return ""
	})
	_, err = s.API.UndoOutgoing(ctx, act(o.ID))
	conflict("what went", err, "no longer be taken back")
	_, err = s.API.EditOutgoing(ctx, api.EditOutgoingIn{ByIDAct: act(o.ID), Body: api.OutgoingEdit{OutgoingText: text("x")}})
	conflict("an edit of what went", err, "no longer be changed")
	thrown, err := s.API.CreateOutgoing(ctx, api.WriteIn{ByIDAct: act(address.ID), Body: api.OutgoingNew{OutgoingText: text("Never mind.")}})
	d.must(err)
	if _, err = s.API.DeleteOutgoing(ctx, act(thrown.ID)); err != nil {
		t.Error(err)
	}
	_, err = s.API.GetOutgoing(ctx, by(thrown.ID))
	conflict("what was thrown away", err, "There is no")
	if n := d.sentOf(box); n != 1 {
		t.Errorf("%d mails went, want 1", n)
	}

	// Merging, and what comes after.
	v, err := s.API.MergeThreads(ctx, api.MergeThreadsIn{ByIDAct: act(bill), Body: api.ThreadsNamed{Threads: []string{matter}}})
	if err != nil || v.Messages != 4 || len(v.Mails) != 4 || !slices.IsSortedFunc(v.Mails, func(a, b api.ThreadMail) int { return a.At.Compare(b.At) }) {
		t.Fatalf("merged: %d mails, %v", v.Messages, err)
	}
	_, err = s.API.MergeThreads(ctx, api.MergeThreadsIn{ByIDAct: act(bill), Body: api.ThreadsNamed{Threads: []string{bill}}})
	conflict("a thread into itself", err, "into itself")
	if gone, err := s.API.GetThread(ctx, by(matter)); err != nil || gone.Merged != bill {
		t.Errorf("the thread that was merged names %q, %v", gone.Merged, err)
	}
	later := put(sim.Mail{From: "jo@contoso.example", Subject: "Re: Other matter", Text: "Hello?", MessageID: "<q4@contoso.example>", Headers: [][2]string{{"In-Reply-To", "<q2@contoso.example>"}}})
	if got := of(later); got != bill {
		t.Errorf("an answer to what was merged is in %s, want %s", got, bill)
	}
	// Splitting, and what comes after.
	_, err = s.API.SplitThread(ctx, api.MergeThreadsIn{ByIDAct: act(bill), Body: api.ThreadsNamed{Mails: []string{"nothing"}}})
	conflict("a mail that is not there", err, "Not all of these mails")
	part, err := s.API.SplitThread(ctx, api.MergeThreadsIn{ByIDAct: act(bill), Body: api.ThreadsNamed{Mails: []string{other, later}}})
	if err != nil || part.ID == bill || part.Messages != 2 {
		t.Fatalf("split off: %+v, %v", part.Thread, err)
	}
	if v, err = s.API.GetThread(ctx, by(bill)); err != nil || v.Messages != 3 {
		t.Errorf("%d mails stay, %v", v.Messages, err)
	}
	last := put(sim.Mail{From: "jo@contoso.example", Subject: "Re: Other matter", Text: "Still there?", MessageID: "<q5@contoso.example>", Headers: [][2]string{{"In-Reply-To", "<q4@contoso.example>"}, {"References", "<q2@contoso.example> <q4@contoso.example>"}}})
	if got := of(last); got != part.ID {
		t.Errorf("an answer to what was split off is in %s, want %s", got, part.ID)
	}

	// Security beside the thread.
	signs := func(thread string) map[string]string {
		t.Helper()
		v, err := s.API.GetThreadSecurity(ctx, by(thread))
		d.must(err)
		out := map[string]string{}
		for _, s := range v.Signs {
			if s.Says == "" {
				t.Errorf("the sign %s says nothing", s.Kind)
			}
			out[s.Kind] = s.Level
		}
		return out
	}
	fraud := put(sim.Mail{From: "jo@c0ntoso.example", FromName: "Jo", ReplyTo: []string{"pay@evil.example"}, Subject: "Bill 7", Text: "Our bank details have changed. Pay to DE89 3704 0044 0532 0130 00.", MessageID: "<f1@c0ntoso.example>",
		Headers: [][2]string{{"Authentication-Results", "spf=fail (sender IP is 203.0.113.9) smtp.mailfrom=c0ntoso.example; dkim=none; dmarc=fail action=none header.from=c0ntoso.example;compauth=fail reason=000"}}})
	got := signs(of(fraud))
	for kind, level := range map[string]string{"look_alike": "danger", "reply_to": "warning", "bank": "warning", "authentication": "danger", "first_contact": "warning"} {
		if got[kind] != level {
			t.Errorf("of the fraud the sign %s is %q, want %q: %v", kind, got[kind], level, got)
		}
	}
	if got := signs(bill); got["look_alike"] != "" || got["reply_to"] != "" || got["bank"] != "" || got["authentication"] != "" {
		t.Errorf("of who did nothing wrong there are the signs %v", got)
	}
	// Somebody is erased: their thread goes, and others' stay.
	gone, err := s.API.ForgetInboxPerson(ctx, api.ForgetPersonIn{In: api.In{Tenant: tenant}, Body: api.ForgetPerson{Address: "JO@c0ntoso.example"}})
	if err != nil || gone.Mails != 1 {
		t.Errorf("%d mails were erased, %v", gone.Mails, err)
	}
	if v, err := s.API.GetThread(ctx, by(bill)); err != nil || v.Messages != 3 {
		t.Errorf("another's thread has %d mails after that, %v", v.Messages, err)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Error(v)
	}
}
