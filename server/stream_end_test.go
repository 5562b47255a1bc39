package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
)

// TestStreamOfFewPermissions: with nothing but what the stream needs it is whole; and no request asks for more than metadata.
func TestStreamOfFewPermissions(t *testing.T) {
	t.Parallel()
	for _, mail := range []string{"Mail.Read", "Mail.ReadBasic.All"} {
		t.Run(mail, func(t *testing.T) {
			t.Parallel()
			w, err := sim.New(sim.Config{Users: 8, Seed: 7, Quiet: true, Roles: []string{mail, "MailboxSettings.Read", "User.Read.All"}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.Close() })
			l := livesOn(t, calmly(t), w, "users", "rules", "settings")
			l.mail(60)
			l.pass(time.Second)
			if _, err := w.RemoveSubscriptions("", 2, true); err != nil {
				t.Fatal(err)
			}
			l.mail(60)
			l.hurry()
			if a := l.whole(); a.Told == 0 {
				t.Errorf("%+v", a)
			}
			l.metadataOnly()
		})
	}
}

// metadataOnly holds every request of messages against the fields that may be asked for: no more were, in no other way.
func (l *life) metadataOnly() {
	l.Helper()
	allowed := map[string]bool{}
	for _, name := range []string{"messages.get", "messages.list", "messages.ids"} {
		for _, field := range graph.Find(name).Select {
			allowed[strings.ToLower(field)] = true
		}
	}
	for _, no := range []string{"subject", "body", "bodypreview", "uniquebody", "attachments", "internetmessageheaders"} {
		if allowed[no] {
			l.Errorf("the calls of the stream ask for %s", no)
		}
	}
	asked := 0
	for call, of := range l.w.Requests().Calls {
		if !strings.Contains(strings.ToLower(call), "/messages") || !strings.HasPrefix(call, "GET") {
			continue
		}
		if strings.Contains(call, "$value") || strings.Contains(call, "attachments") {
			l.Errorf("%s was asked", call)
		}
		if len(of.Select) == 0 {
			l.Errorf("%s was asked without $select", call)
		}
		for fields, n := range of.Select {
			asked += n
			for field := range strings.SplitSeq(fields, ",") {
				if !allowed[strings.ToLower(strings.TrimSpace(field))] {
					l.Errorf("%s asked for %s", call, field)
				}
			}
		}
	}
	if asked == 0 {
		l.Error("no message was asked for")
	}
	if v := l.w.Violations(); len(v) > 0 {
		l.Errorf("it asked for content: %v", v)
	}
}

// TestMailboxEnds: a mailbox that is no more while it is told of makes no ends of messages, leaves nothing waiting, and keeps
// nobody else's mail from being told.
func TestMailboxEnds(t *testing.T) {
	t.Parallel()
	w := world(t, 10)
	c := calmly(t)
	c.Every.Reconcile = 10 * time.Minute
	l := lives(t, c, w)
	l.mail(80)
	l.whole()
	who := l.people[0]
	mail := who + "@" + w.Domain()
	state := func() string {
		person := string(l.personOf(who))
		return fmt.Sprint(l.count(`select count(*) from event where tenant = $1 and person = $2 and action = 'email_deleted'`, person),
			l.count(`select count(*) from mail where tenant = $1 and person = $2 and deleted > 0`, person))
	}
	before := state()
	l.now(who+` receives from x@elsewhere.example subject "last"`, who+` flags mail "last"`)
	if err := w.DeleteUser(mail); err != nil {
		t.Fatal(err)
	}
	l.mail(40)
	l.pass(time.Minute)
	eventually(t, "the end of the mailbox", func() string {
		l.w.Deliver(t.Context())
		if n := l.count(`select count(*) from subscription where tenant = $1 and person = $2`, string(l.personOf(who))); n > 0 {
			return "it is still to be told of"
		}
		l.pass(20 * time.Second)
		return l.open()
	})
	l.pass(11 * time.Minute)
	l.mail(40)
	l.settle()
	if after := state(); after != before {
		t.Errorf("the ends of messages of a mailbox that is no more: %s, and before it went %s", after, before)
	}
	var lacks []string
	eventually(t, "the account of the others", func() string {
		a := l.accounts(l.since)
		if lacks = a.lacks; len(lacks) > 0 {
			return lacks[0]
		}
		return ""
	})
	l.metadataOnly()
}
