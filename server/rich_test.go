package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// hearsBy is hears with a client of one's own that leads to the simulator.
func hearsBy(t *testing.T, c Config, w *sim.Sim, hc *http.Client) *subject {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	hooks := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := handler.Load(); h != nil {
			(*h).ServeHTTP(rw, r)
			return
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(hooks.Close)
	c.Hooks.URL = hooks.URL
	b := beginBy(t, c, w, hc, nil)
	b.s.vouchers.Every = 50 * time.Millisecond
	h := b.s.Handler()
	handler.Store(&h)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return b
}

// told has every mailbox told of in a form, and waits until it is so.
func (b *subject) told(form string) {
	b.Helper()
	err := b.s.Store.UpdateTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		set, err := collect.StreamSettingsOf(b.Context(), t, b.conn.ID)
		if err != nil {
			return err
		}
		set.Form = form
		_, err = collect.SetStream(b.Context(), t, set, "test", nil)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	eventually(b.T, "the form "+form, func() string {
		if n := b.count(`select count(*) from subscription where tenant = $1 and (made <> $2 or former <> '' or state <> 'on')`, form); n > 0 {
			return fmt.Sprintf("%d are not yet", n)
		}
		return ""
	})
}

// cutOff is a client to the simulator that does not reach what its switch names.
type cutOff struct {
	next http.RoundTripper
	off  atomic.Bool
}

func (c *cutOff) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.off.Load() && strings.Contains(r.URL.Path, "/discovery/") {
		return nil, errors.New("no route to the keys")
	}
	return c.next.RoundTrip(r)
}

// TestRich: mailboxes are told of richly, from basic and back to it, and nothing is missed: while notifications are repeated
// and overtake each other, our certificate is replaced under load, and Microsoft's keys are rolled over and cannot be had for a
// while. What is not vouched for changes nothing.
func TestRich(t *testing.T) {
	t.Parallel()
	w := world(t, 15)
	client := *w.Client()
	keys := &cutOff{next: client.Transport}
	client.Transport = keys
	b := hearsBy(t, pressed(t), w, &client)
	w.SetDelivery(sim.Delivery{Retry: sim.Duration(100 * time.Millisecond)})
	n := b.subscribed()
	traffic := func(changes int) {
		t.Helper()
		if err := w.Traffic(changes); err != nil {
			t.Fatal(err)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	traffic(40)
	b.told("rich")
	first := b.count(`select count(distinct certificate) from subscription where tenant = $1 and certificate <> ''`)
	do(w.Fault(sim.Fault{Kind: sim.NoticeRepeated, Every: 10}))
	do(w.Fault(sim.Fault{Kind: sim.NoticeOvertaken, Every: 10}))
	traffic(150)
	all, err := b.s.API.ListCertificates(as(t.Context(), api.Admin), api.CertificatesIn{})
	do(err)
	again := api.ReplaceCertificateIn{Body: api.CertificateReplaced{ID: all.Items[0].ID}}
	all, err = b.s.API.ReplaceCertificate(as(t.Context(), api.Owner), again)
	do(err)
	newest := all.Items[0]
	if newest.ID == again.Body.ID || all.Items[1].ID != again.Body.ID || all.Items[1].Replaced.IsZero() {
		t.Errorf("after it was replaced: %+v", all.Items)
	}
	if _, err := b.s.API.ReplaceCertificate(as(t.Context(), api.Owner), again); tocsin.AsProblem(err).Code != tocsin.Conflict {
		t.Errorf("replaced twice: %v", err)
	}
	traffic(100)
	eventually(t, "the new certificate", func() string {
		if old := b.count(`select count(*) from subscription where tenant = $1 and certificate <> $2`, newest.ID); old > 0 {
			return fmt.Sprintf("%d have the old one", old)
		}
		return ""
	})
	w.Heal()
	b.heardAll()

	keys.off.Store(true)
	do(w.RotateKeys(true))
	traffic(30)
	eventually(t, "what cannot be judged", func() string {
		if b.s.Hook.Count(collect.HookUnsure) == 0 {
			return "nothing"
		}
		return ""
	})
	if n := b.s.Hook.Count(collect.HookUnvouched); n > 0 {
		t.Errorf("%d were dropped while nobody could say whether they are good", n)
	}
	keys.off.Store(false)
	traffic(50)
	b.heardAll()
	if opened := b.s.opener.Rich.Count(collect.RichOpened); opened < 200 {
		t.Errorf("%d were opened", opened)
	}
	for what, name := range collect.RichNames {
		if n := b.s.opener.Rich.Count(what); what != collect.RichOpened && n > 0 {
			t.Errorf("%d could not be opened: %s", n, name)
		}
	}
	list, err := b.s.Certificates.List(t.Context())
	if err != nil || len(list) != 2 || first != 1 || list[0].ID != newest.ID || list[1].Replaced.IsZero() {
		t.Errorf("the certificates are %+v, %v; %d at first", list, err, first)
	}

	b.forged()
	b.told("basic")
	traffic(60)
	b.heardAll()
	eventually(t, "the events", func() string {
		lacks, _ := b.matches(n)
		if len(lacks) > 0 {
			return fmt.Sprintf("%d differ, such as %s", len(lacks), lacks[0])
		}
		return ""
	})
	if gaps := b.count(`select count(*) from mail_gap where tenant = $1`); gaps > 0 {
		t.Errorf("%d gaps", gaps)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("it asked for content: %v", v)
	}
}

// forged posts what nobody vouches for; it changes nothing.
func (b *subject) forged() {
	b.Helper()
	var mailbox string
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		return t.QueryRow(b.Context(), `select max(p.mail) from person p join mail m on m.tenant = p.tenant and m.person = p.person where p.tenant = $1 and p.mailbox = 'read' and m.deleted = 0`).Scan(&mailbox)
	})
	if err != nil {
		b.Fatal(err)
	}
	all, err := b.w.Forgeries(mailbox)
	if err != nil {
		b.Fatal(err)
	}
	stored, refused := b.s.Hook.Count(collect.HookStored), 0
	for _, f := range all {
		before := b.s.Hook.Count(collect.HookUnvouched)
		status := b.w.Stranger(b.Context(), f.To, f.Body)
		if status != http.StatusAccepted && f.Name != "too large" {
			b.Errorf("%s: answered %d", f.Name, status)
		}
		if strings.Contains(f.Name, "token") {
			refused++
			if got := b.s.Hook.Count(collect.HookUnvouched) - before; got != 1 {
				b.Errorf("%s: %d refused", f.Name, got)
			}
		}
	}
	if refused < 9 {
		b.Errorf("only %d forged tokens", refused)
	}
	// Of data that were changed on the way the notification itself is good: its message is looked at.
	if got := b.s.Hook.Count(collect.HookStored) - stored; got != 1 {
		b.Errorf("%d were stored", got)
	}
	eventually(b.T, "the look at what does not open", func() string {
		if b.s.opener.Rich.Count(collect.RichSealed) != 1 {
			return "none"
		}
		return ""
	})
}
