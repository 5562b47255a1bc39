package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev/collect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// recorded are hashes of all that the server keeps of the tenant's mail, by table.
func (b *subject) recorded() string {
	b.Helper()
	sum := sha256.New()
	err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		sum.Reset()
		for _, q := range []string{
			`select id, at, type, action, person, body from event where tenant = $1 order by id`,
			`select person, key, native, folder, is_read, is_draft, flag, rest, received, modified, changed, deleted, body from mail where tenant = $1 order by person, key`,
			`select person, folders, since, heard, unseen from mail_ledger where tenant = $1 order by person`,
			`select person, began, ended, because, closed, found, lost from mail_gap where tenant = $1 order by person, began`,
			`select person, id, address, state, signal, expires from subscription where tenant = $1 order by person`,
			`select id, kind, body from parked where tenant = $1 order by id`,
			`select id, kind, body from dead_letter where tenant = $1 order by id`,
		} {
			rows, err := t.Query(b.Context(), q)
			if err != nil {
				return err
			}
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			for rows.Next() {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					rows.Close()
					return err
				}
				for _, v := range values {
					fmt.Fprintf(sum, "%v|", *v.(*any))
				}
			}
			rows.Close()
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// outcomes are the webhook's counts.
func (b *subject) outcomes() (out [len(collect.HookNames)]int64) {
	for i := range out {
		out[i] = b.s.Hook.Count(i)
	}
	return out
}

// TestForged: whatever strangers send to the webhook changes nothing in any table, is counted as what it is, is answered as
// what is true, and costs little memory; and what Graph sends meanwhile is taken.
func TestForged(t *testing.T) { // alone, since it looks at what the whole process holds
	w := world(t, 12)
	other, err := sim.New(sim.Config{Users: 6, Seed: 8, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	l := lives(t, calmly(t), w)
	foreign := lives(t, calmly(t), other) // another installation, with a key of its own
	l.mail(40)
	l.settle()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- l.s.ServeHooks(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	address := "http://" + listener.Addr().String() + hookPath

	before, counted := l.recorded(), l.outcomes()
	// Strangers who say a word now and then hold nobody up, and are cut off.
	var slow []net.Conn
	for i := range 40 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		text := "POST " + hookPath + " HTTP/1.1\r\nHost: x\r\nContent-Le"
		if i%2 == 0 {
			text = "POST " + hookPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"value\":[{"
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
	}

	mailbox := l.people[0] + "@" + w.Domain()
	forgeries, err := w.Forgeries(mailbox)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := other.Forgeries(foreign.people[0] + "@" + other.Domain())
	if err != nil {
		t.Fatal(err)
	}
	state := func(of *life, who string) string {
		s, err := collect.ClientState(of.s.Hook.Key, of.tenant(), of.personOf(who))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	note := func(tenant, clientState, rest string) []byte {
		return fmt.Appendf(nil, `{"value":[{"subscriptionId":"1","tenantId":%q,"clientState":%q,%s}]}`, tenant, clientState, rest)
	}
	const created = `"changeType":"created","resourceData":{"id":"AAMk"}`
	own := state(l, l.people[0])
	type posted struct {
		name   string
		body   []byte
		status int
		what   int // the count that it makes
	}
	var list []posted
	for _, f := range slices.Concat(forgeries, strange) {
		p := posted{f.Name, f.Body, http.StatusAccepted, collect.HookForged}
		switch f.Name {
		case "too large":
			p.status, p.what = http.StatusRequestEntityTooLarge, collect.HookTooLong
		case "cut off", "empty", "not JSON", "another form", "nothing in it", "deep":
			p.what = collect.HookUnread
		}
		list = append(list, p)
	}
	list = append(list,
		posted{"of another installation", note(string(l.tenant()), state(foreign, foreign.people[0]), created), 202, collect.HookForged},
		posted{"of another installation, its own tenant", note(string(foreign.tenant()), state(foreign, foreign.people[0]), created), 202, collect.HookForged},
		posted{"of another tenant with our clientState", note(string(foreign.tenant()), own, created), 202, collect.HookForged},
		posted{"a clientState that was changed", note(string(l.tenant()), own[:20]+"A"+own[21:len(own)-1]+"_", created), 202, collect.HookForged},
		posted{"a lifecycle event of a stranger", note(string(l.tenant()), "subscription", `"lifecycleEvent":"subscriptionRemoved"`), 202, collect.HookForged},
	)
	want := counted
	for _, p := range list {
		had := l.outcomes()
		if status := l.w.Stranger(t.Context(), address, p.body); status != p.status && !(p.what == collect.HookTooLong && status == 0) {
			t.Errorf("%s was answered %d", p.name, status)
		}
		got := l.outcomes()
		want[collect.HookCut] = got[collect.HookCut] // the slow ones, when their time is over
		if p.name == "nothing in it" {               // three of them
			want[p.what] += got[p.what] - had[p.what]
			if got[collect.HookStored] != had[collect.HookStored] {
				t.Errorf("%s was stored", p.name)
			}
			want[collect.HookForged] += got[collect.HookForged] - had[collect.HookForged]
			continue
		}
		want[p.what]++
		if got != want {
			t.Errorf("%s made the counts %v of %v; want %v", p.name, got, had, want)
			want = got
		}
	}
	// What is no post at all.
	for _, r := range []struct{ method, kind, header string }{{"GET", "", ""}, {"PUT", "application/json", ""}, {"DELETE", "", ""}, {"POST", "text/html", ""}, {"POST", "application/json", strings.Repeat("h", 64<<10)}} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, address, strings.NewReader("<p>"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", r.kind)
		if r.header != "" {
			req.Header.Set("X-Long", r.header)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		right := map[string]int{"GET": 405, "PUT": 405, "DELETE": 405, "POST": 202}[r.method]
		if r.header != "" {
			right = http.StatusRequestHeaderFieldsTooLarge
		}
		if resp.StatusCode != right {
			t.Errorf("%s of %s was answered %d, want %d", r.method, r.kind, resp.StatusCode, right)
		}
	}

	// Thousands at once, large ones among them, while Graph goes on.
	var least, most runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&least)
	big := slices.Concat([]byte(`{"value":["`), bytes.Repeat([]byte("x"), 3<<20), []byte(`"]}`))
	g := errgroup.Group{}
	g.SetLimit(32)
	for i := range 2000 {
		body := list[i%len(list)].body
		if i%50 == 0 {
			body = big
		}
		if len(body) > 4<<20 {
			continue
		}
		g.Go(func() error {
			l.w.Stranger(t.Context(), address, body)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the forgeries took is given back", func() string { // other tests take and give back beside this one
		runtime.GC()
		runtime.ReadMemStats(&most)
		if more := int64(most.HeapInuse) - int64(least.HeapInuse); more > 64<<20 {
			return fmt.Sprintf("%d MiB are held", more>>20)
		}
		return ""
	})
	if after := l.recorded(); after != before {
		t.Error("something of what strangers sent is in the tables")
	}
	if got := l.outcomes(); got[collect.HookStored] != counted[collect.HookStored] || got[collect.HookFailed] != counted[collect.HookFailed] {
		t.Errorf("the counts are %v, and were %v", got, counted)
	}

	// A true one that is sent again changes nothing either: its message is as it is.
	l.mail(60)
	a := l.whole()
	events := l.count(`select count(*) from event where tenant = $1`)
	held := ""
	for id, m := range l.kept() {
		if m.came == 1 && m.state != "gone" {
			held = id
			break
		}
	}
	for range 5 {
		if status := l.w.Stranger(t.Context(), address, note(string(l.tenant()), state(l, l.ownerOf(held)), fmt.Sprintf(`"changeType":"created","resourceData":{"id":%q}`, held))); status != 202 {
			t.Errorf("a replayed notification was answered %d", status)
		}
	}
	if b := l.whole(); l.count(`select count(*) from event where tenant = $1`) != events || b.Told != a.Told {
		t.Errorf("a replayed notification made events: %+v after %+v", b, a)
	}

	for i, conn := range slow {
		if err := conn.SetReadDeadline(time.Now().Add(90 * time.Second)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		if _, err := io.Copy(io.Discard, r); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("the slow stranger %d was not cut off: %v", i, err)
		}
	}
	if n := l.outcomes()[collect.HookCut] - counted[collect.HookCut]; n < 20 {
		t.Errorf("%d posts are counted as cut off, of 20", n)
	}
}
