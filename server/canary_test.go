package server

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
)

var canaryWhole = flag.Bool("canary.whole", false, "TestCanaryFaults goes through every trouble, which takes minutes; else through the first two")

// TestCanaryFaults: what the canary says when its draft is refused, when nothing is told of it, when it is told of late, when its
// mailbox goes, and when the server stops while it waits; each is said where people see it and taken back when it works, what
// is not told of raises a finding and what is refused does not, and no draft is left behind.
func TestCanaryFaults(t *testing.T) {
	t.Parallel()
	w := world(t, 2, "domain amys.example\nperson amy\nperson bob\n")
	w.Consent(append([]string{"Mail.ReadWrite"}, slices.Concat(sim.ReadTier, sim.RespondTier)...)...)
	conf := pressed(t)
	conf.Every.Canary = time.Second
	b := hears(t, conf, w)
	b.subscribed()
	from := len(b.truth(0))
	version := int64(0)
	named := func(mailbox string) {
		t.Helper()
		in := api.SetCanaryIn{Body: api.CanaryNew{Mailbox: mailbox, Version: version}}
		in.Tenant = b.tenant()
		set, err := b.s.API.SetCanary(as(t.Context(), api.Owner), in)
		if err != nil {
			t.Fatal(err)
		}
		version = set.Version
	}
	// says waits until the page says that of the canary; the clock goes on meanwhile.
	says := func(what, because string, step time.Duration) {
		t.Helper()
		eventually(t, what, func() string {
			b.s.Clock.Advance(step)
			is, err := b.s.API.GetStream(as(t.Context(), api.Viewer), api.In{Tenant: b.tenant()})
			if err != nil {
				t.Fatal(err)
			}
			if because == "" && (is.Canary.Because != "" || is.Canary.Tries == 0) || !strings.Contains(is.Canary.Because, because) {
				return fmt.Sprintf("it says %q after %d tries", is.Canary.Because, is.Canary.Tries)
			}
			if because != "" && is.Canary.Mend == "" {
				return "it does not say what to do"
			}
			return ""
		})
	}
	const finding = `select status from finding where tenant = $1 and rule = 'mail-untold'`
	strike := func(f sim.Fault) {
		t.Helper()
		if err := w.Fault(f); err != nil {
			t.Fatal(err)
		}
	}

	strike(sim.Fault{Kind: sim.Denied, Method: "POST", Path: "/users/*/messages"})
	named("amy@amys.example")
	says("a draft that is refused", "The canary's draft was not made.", 0)
	w.Heal()
	says("drafts are made again", "", 0)
	if got := b.texts(finding); len(got) > 0 {
		t.Errorf("what is refused raised a finding: %q", got)
	}

	strike(sim.Fault{Kind: sim.NoticeLost, Every: 1})
	says("nothing is told of", "was not told of within 15 minutes", 2*time.Minute)
	b.until("the finding", finding, "open")
	w.Heal()
	says("it is told of again", "", time.Second)
	b.until("the end of the finding", finding, "fixed")

	if !*canaryWhole {
		return
	}
	waits := `select count(*) from canary_try where tenant = $1 and way = 'active' and heard = 0 and because = ''`
	waiting := func() {
		t.Helper()
		last := b.texts(`select coalesce(max(id), '') from canary_try where tenant = $1 and way = 'active'`)[0]
		eventually(t, "one that waits", func() string {
			if b.count(waits+` and id > $2 and object <> ''`, last) == 0 {
				return "none"
			}
			return ""
		})
	}
	strike(sim.Fault{Kind: sim.NoticeDelayed, Every: 1, Delay: sim.Duration(3 * time.Second)})
	waiting()
	b.s.Clock.Advance(4 * time.Minute) // the server's clock runs ahead of the notice
	eventually(t, "a late one", func() string {
		if n := b.count(`select count(*) from canary_try where tenant = $1 and way = 'active' and lag > 60000`); n == 0 {
			return "none was late"
		}
		return ""
	})
	w.Heal()
	is, err := b.s.API.GetStream(as(t.Context(), api.Viewer), api.In{Tenant: b.tenant()})
	if err != nil || is.Canary.P99 < 60 {
		t.Errorf("99 of 100 within %.1f s, %v", is.Canary.P99, err)
	}
	says("in time again", "", time.Second)

	strike(sim.Fault{Kind: sim.NoticeLost, Every: 1})
	waiting()
	if err := b.s.Connections.Pause(t.Context(), "test", b.tenant(), b.conn.ID); err != nil {
		t.Fatal(err)
	}
	w.Heal()
	if err := b.s.Connections.Resume(t.Context(), "test", b.tenant(), b.conn.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what waited when it stopped is dealt with", func() string {
		b.s.Clock.Advance(time.Minute)
		if n := b.count(waits + ` and at < (select max(at) - 1000000 from canary_try where tenant = $1 and heard > 0)`); n > 0 {
			return fmt.Sprintf("%d wait", n)
		}
		return ""
	})
	says("it goes on", "", time.Second)

	named("bob@amys.example")
	says("another mailbox", "", time.Second)
	if err := w.DeleteUser("bob@amys.example"); err != nil {
		t.Fatal(err)
	}
	says("a mailbox that went", "The canary's draft was not made.", 0)
	named("amy@amys.example")
	says("a mailbox that is there", "", time.Second)

	named("")
	eventually(t, "nothing is left behind", func() string {
		b.s.Clock.Advance(time.Minute)
		drafts := map[string]bool{}
		for _, line := range b.truth(from) {
			switch {
			case line.Mailbox == "bob@amys.example": // which is no more
			case line.Change == "message.created":
				drafts[line.ID] = true
			case line.Change == "message.deleted":
				delete(drafts, line.ID)
			}
		}
		if len(drafts) > 0 {
			return fmt.Sprintf("%d drafts: %v", len(drafts), drafts)
		}
		return ""
	})
}
