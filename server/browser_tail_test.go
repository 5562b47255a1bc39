package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

const tailed = tocsin.TenantID("7e1b1f7a-5c2e-4a36-9d5e-0a4b5f7d2c11")

// mailed makes a tenant with mailboxes whose mail is told of, connected to nothing.
func mailed(t *testing.T, st *store.Store, boxes int) {
	t.Helper()
	err := st.UpdateTenant(t.Context(), tailed, func(tn *store.Tenant) error {
		if _, err := tn.Exec(t.Context(), `insert into tenant (tenant, name, created) values ($1, 'Tailed', 1)`); err != nil {
			return err
		}
		var people, subs, ledger [][]any
		for i := range boxes {
			p, who := mailedPerson(i), fmt.Sprintf("user%d@tailed.example", i)
			people = append(people, []any{p, "o" + p, fmt.Sprintf("User %d", i), who, who, "member", true, "[]", "read", "", 1, 1})
			subs = append(subs, []any{p, "c", "s" + p, who, "on"})
			ledger = append(ledger, []any{p, time.Now().Add(-72 * time.Hour).UnixMilli(), time.Now().UnixMilli()})
		}
		for _, x := range []struct {
			table string
			cols  []string
			rows  [][]any
		}{
			{"person", []string{"person", "object_id", "name", "upn", "mail", "kind", "enabled", "addresses", "mailbox", "mailbox_because", "seen", "changed"}, people},
			{"subscription", []string{"person", "connection", "id", "address", "state"}, subs},
			{"mail_ledger", []string{"person", "since", "heard"}, ledger},
		} {
			if err := tn.Insert(t.Context(), store.Into{Table: x.table, Columns: x.cols}, x.rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mailedPerson(i int) string { return fmt.Sprintf("8a645229-af3a-542b-bafd-%012d", i) }

// mailEvents are n events as the fold writes them, and what its fact tells.
func mailEvents(run int64, n, boxes int, at time.Time) ([][]any, collect.Arrivals) {
	a := collect.Arrivals{Run: run, Actions: map[string]int{}, Lag: map[string]int{}, Count: n}
	rows := make([][]any, n)
	for i := range n {
		action := []string{"email_received", "email_received", "email_received", "email_read", "email_read", "email_sent", "email_moved", "email_flagged", "email_deleted"}[rand.N(9)]
		id, box := tocsin.NewID(), rand.N(boxes)
		from, outside := fmt.Sprintf("user%d@tailed.example", rand.N(boxes)), "false"
		if rand.N(4) == 0 {
			from, outside = fmt.Sprintf("partner%d@outside%d.example", rand.N(1000), rand.N(50)), "true"
		}
		when := at.UTC().Format("2006-01-02T15:04:05.000Z")
		body := fmt.Sprintf(`{"event_id":%q,"event_type":"EMAIL","source":"OUTLOOK","signal_type":"COMMUNICATIONS","domain_id":%q,"tuid":%q,"timestamp":%q,"payload":{"event_id":"AAMk%s","user":"user%d@tailed.example","action":%q,"from_domain":%q,"is_external_sender":%s,"recipient_count":2,"to_domains":["tailed.example"],"cc_domains":[],"has_attachments":false,"importance":"normal","is_read":false,"conversation_id":"conv%d"},"raw_metadata":{"platform_event_id":"AAMk%s","change_type":"created","sender":%q,"from_address":%q,"from_name":"Somebody %d","to_count":2,"cc_count":0,"bcc_count":0,"to_domains":["tailed.example"],"cc_domains":[],"from_domain":%q,"is_external":%s,"has_attachments":false,"importance":"normal","is_read":false,"is_draft":false,"internet_message_id":"<%s@outside.example>","conversation_id":"conv%d","flag_status":"notFlagged","categories":[],"folder":null,"received_at":%q,"sent_at":%q,"created_at":%q,"source_platform":"microsoft_outlook"},"platform_event_id":"AAMk%s","platform_event_source":"MICROSOFT_GRAPH_OUTLOOK_API"}`,
			id, tailed, mailedPerson(box), when, id, box, action, tocsin.Address{Address: from}.Domain(), outside, box, id, from, from, i, tocsin.Address{Address: from}.Domain(), outside, id, box, when, when, when, id)
		ms := at.UnixMilli()
		known := fmt.Sprintf(`{"by":"told","noticed":%d,"looked":%d,"folded":%d,"named":1,"change":"created","etag":"W/\"CQAAABYAAAD\"","subscription":"0a4b5f7d-2c11-4a36-9d5e-%012d"}`, ms, ms+120, ms+160, box)
		rows[i] = []any{id, ms, "EMAIL", action, mailedPerson(box), body, known, run}
		a.Actions[action]++
		a.Lag["500"]++
		if len(a.Some) < collect.SomeArrivals {
			a.Some = append(a.Some, id)
		}
	}
	return rows, a
}

// writeMail writes events and tells of them, in a transaction as the fold does.
func writeMail(ctx context.Context, st *store.Store, rows [][]any, a collect.Arrivals) error {
	return st.UpdateTenant(ctx, tailed, func(tn *store.Tenant) error {
		if err := tn.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body", "known", "run"}}, rows); err != nil {
			return err
		}
		if a.Count == 0 {
			return nil
		}
		body, err := json.Marshal(a)
		if err != nil {
			return err
		}
		return tn.Append(ctx, store.Fact{Kind: "mail.changed", Body: body})
	})
}

// flood writes so many events a second, in twenty transactions, until it is stopped, and gives how many it wrote.
func flood(t *testing.T, st *store.Store, rate int) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	done, n := make(chan error, 1), 0
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for run := int64(1000); ; run++ {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			rows, a := mailEvents(run, rate/20, 500, time.Now())
			if err := writeMail(ctx, st, rows, a); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
			n += len(rows)
		}
	}()
	return func() int {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return n
	}
}

// used is how much CPU this process used so far.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBrowserTail: mail comes by itself, twenty rows a second however much there is, with the true counts; it is paused and
// goes on, by key and by button; a filter holds; the page stays small and answers clicks. TOCSIN_TEST_FLOOD says how many
// events a second there are, and that it is measured what a viewer costs.
func TestBrowserTail(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	c := settings(t)
	c.Database = storetest.SQLiteAddress(t)
	s := start(t, c, nil)
	hs := httptest.NewServer(s.Handler())
	t.Cleanup(hs.Close)
	p := page{t, ctx, hs.URL}
	p.claims(s)
	mailed(t, s.Store, 500)
	rows, a := mailEvents(1, 60, 500, time.Now())
	if err := writeMail(t.Context(), s.Store, rows, a); err != nil {
		t.Fatal(err)
	}
	rate, measured := 1000, false
	if n, err := strconv.Atoi(os.Getenv("TOCSIN_TEST_FLOOD")); err == nil {
		rate, measured = n, true
	}
	flooded, end := time.Now(), flood(t, s.Store, rate)
	defer func() { end() }()
	measure := func(what string) {
		if measured {
			time.Sleep(3 * time.Second)
			before, began := used(), time.Now()
			time.Sleep(8 * time.Second)
			t.Logf("%s: %.2f cores", what, (used()-before).Seconds()/time.Since(began).Seconds())
		}
	}
	measure("nobody watches")
	at := hs.URL + "/t/" + string(tailed) + "/stream"
	p.do("the page", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#tail table")))
	p.until("that it samples", `/^Showing 20 of \d[\d\u202f]* this second, picked at random\.$/.test(document.querySelector("[data-tail-words]").textContent) || /^Showing 20 of [\d\u202f]+ in the last/.test(document.querySelector("[data-tail-words]").textContent)`)
	p.until("that rows come", `document.querySelectorAll("#tail tbody tr").length > 100`)
	if measured {
		p.until("that frames are counted", `(() => { if (!window.frames_) { window.frames_ = []; (function next(at) { frames_.push(at); requestAnimationFrame(next) })(performance.now()) } return true })()`)
	}
	measure("one watches")
	if measured {
		frames, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(() => { const t = frames_, d = t.slice(1).map((x, i) => x - t[i]).sort((a, b) => a - b), of = (q) => d[Math.floor(q * (d.length - 1))].toFixed(1)
			return (d.length / (t[t.length - 1] - t[0]) * 1000).toFixed(1) + " frames a second; between two p50 " + of(0.5) + ", p95 " + of(0.95) + ", p99 " + of(0.99) + ", most " + of(1) + " ms" })()`))
		t.Logf("%s (%v)", frames, err)
	}
	p.until("that it stays bounded", `document.querySelectorAll("#tail tbody tr").length <= 200`)
	p.shoot("tail")

	p.do("pause by key", chromedp.KeyEvent("p"))
	p.until("what came while it was paused", `/^Paused\. [1-9].* came meanwhile\.$/.test(document.querySelector("[data-tail-waiting] span").textContent)`)
	top := `document.querySelector("#tail tbody tr").dataset.key`
	before, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](top))
	if err != nil {
		t.Fatal(err)
	}
	p.until("that nothing moves", fmt.Sprintf("%s === %q", top, before))
	p.do("go on by button", chromedp.Click(chromedp.CSS("[data-tail-waiting] button")))
	p.until("that it goes on", fmt.Sprintf("%s !== %q && document.querySelector('[data-tail-waiting]').hidden", top, before))

	began := time.Now()
	p.do("a click", chromedp.Click(chromedp.CSS(".help-hint button, [data-help]")), chromedp.WaitVisible(chromedp.CSS("#help[open]")))
	t.Logf("a click was answered in %v", time.Since(began))
	p.do("close", chromedp.KeyEvent("\x1b"))

	p.do("a filter", chromedp.Navigate(at+"?from=outside&action=email_received"), chromedp.WaitVisible(chromedp.CSS("#tail table")))
	p.until("that it is said what does not fit", `/came in all; the others do not fit the filter\.$/.test(document.querySelector("[data-tail-words]").textContent)`)
	p.until("that nothing else is shown", `[...document.querySelectorAll("#tail tbody tr")].every((r) => r.innerText.includes("Received") && r.innerText.includes("@outside"))`)
	measure("one watches with a filter")
	if measured {
		p.do("the page again", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#tail table")))
		p.until("that it samples", `document.querySelector("[data-tail-words]").textContent.startsWith("Showing 20")`)
		text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector("[data-tail-words]").textContent`))
		t.Logf("%s %v; %.0f events a second were written", text, err, float64(end())/time.Since(flooded).Seconds())
		end = func() int { return 0 }
	}
	p.do("an event", chromedp.Navigate(at+"/events/"+rows[0][0].(string)), chromedp.WaitVisible(chromedp.CSS(".way")))
	p.shows("how it came to be known", "Microsoft told of it.")
	p.shoot("event")
	if os.Getenv("TOCSIN_TEST_SHOTS") != "" {
		end()
		end = func() int { return 0 }
		p.shootAll(hs.URL, s)
	}
}

// shootAll takes pictures of what else shows the stream, full and empty.
func (p page) shootAll(base string, s *Server) {
	p.t.Helper()
	at := base + "/t/" + string(tailed)
	now := time.Now()
	err := s.Store.UpdateTenant(p.t.Context(), tailed, func(tn *store.Tenant) error {
		for _, q := range []string{
			`insert into mail_gap (tenant, person, began, ended, because, closed, found, lost) values ($1, $2, $3 - 7200000, $3 - 3600000, 'The server was off, or could not store what came.', $3 - 3000000, 12, 'Messages that came and were deleted within it.')`,
			`insert into dead_letter (tenant, id, kind, subject, body, because, at) values ($1, 'one', 'notified', $2, '{}', 'Microsoft Graph refuses the message again and again.', $3 - 900000)`,
			`insert into event (tenant, id, at, type, action, person, body) values ($1, 'r1', $3 - 90000000, 'RULE', 'rule_created', $2, '{}')`,
			`insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen) values ($1, 'f1', 'x', 'Mail is forwarded outside', 'high', 3, 70, $2, 'user0@tailed.example', 's', 'c', 'A rule forwards to drop@evil.example.', '', '{}', 'open', $3 - 80000000, $3)`,
		} {
			if _, err := tn.Exec(p.t.Context(), q, mailedPerson(0), now.UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	for name, path := range map[string]string{"health": at + "/stream/health", "gaps": at + "/stream/gaps", "time": at + "/mailboxes/" + mailedPerson(0) + "/time", "time-empty": at + "/mailboxes/" + mailedPerson(0) + "/time?kind=signin", "retention": base + "/settings/retention"} {
		p.do(name, chromedp.Navigate(path), chromedp.WaitVisible(chromedp.CSS("main")))
		p.shoot(name)
	}
}
