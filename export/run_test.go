package export_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/export"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestLateCommit: transactions that end in another order than they began are all exported, by an export that reads meanwhile.
func TestLateCommit(t *testing.T) {
	onBoth(t, func(b *bed) {
		var got receiver
		h := b.hook(func(_ *http.Request, body []byte) (int, string) { got.lines(b, body); return 200, "" })
		e, _ := b.makes(export.Webhook, h.URL, "", nil)
		b.serve(e.ID)
		var all sync.WaitGroup
		var n atomic.Int64
		for w := range 4 {
			all.Go(func() {
				for i := range 15 {
					id := number(int(n.Add(1)))
					person := fmt.Sprint("p", w, i) // each event is of somebody else: between them there is no order
					row := []any{id, time.Now(), "EMAIL", "email_received", person, mail(id, person, time.Now())}
					err := b.st.UpdateTenant(context.Background(), acme, func(t *store.Tenant) error {
						if err := t.Insert(context.Background(), store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, [][]any{row}); err != nil {
							return err
						}
						if i%5 == 4 {
							return errRolledBack
						}
						return nil
					})
					if err != nil && !errors.Is(err, errRolledBack) {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		b.caughtUp(e.ID)
		if e := b.get(e.ID); e.Sent != 48 || got.count() != 48 || e.Lost != 0 {
			b.Errorf("%d came: %+v", got.count(), e)
		}
	})
}

var errRolledBack = errors.New("rolled back")

// TestDeadReceiver: a receiver that takes nothing holds up no other; what retention deletes meanwhile is counted, with the time
// it had come, when the receiver is back, and what is left comes.
func TestDeadReceiver(t *testing.T) {
	onBoth(t, func(b *bed) {
		var dead, live receiver
		var up atomic.Bool
		hd := b.hook(func(_ *http.Request, body []byte) (int, string) {
			if !up.Load() {
				return 503, ""
			}
			dead.lines(b, body)
			return 204, ""
		})
		hl := b.hook(func(_ *http.Request, body []byte) (int, string) { live.lines(b, body); return 200, "" })
		d, _ := b.makes(export.Webhook, hd.URL, "", nil)
		l, _ := b.makes(export.Webhook, hl.URL, "", nil)
		began := b.st.Clock().Now()
		b.happen(30)
		stop := b.serve(d.ID)
		b.serve(l.ID)
		b.caughtUp(l.ID)
		if wrong, _ := live.whole(30); wrong != "" {
			b.Error(wrong)
		}
		b.eventually("it fails", func() string {
			if e := b.get(d.ID); e.Failures < 2 || e.Because != "it answered 503" || e.Behind != 30 || e.Since.Before(began.Add(-time.Second)) || e.State != export.Running {
				return fmt.Sprintf("%+v", e)
			}
			return ""
		})
		stop() // else it reads while they are deleted
		// Events are deleted one by one by their own time, and what was noted of them by its.
		b.update(func(t *store.Tenant) error {
			_, err := t.Exec(b.Context(), `delete from event where tenant = $1 and id in ($2, $3)`, number(3), number(4))
			return err
		})
		b.happen(10)
		b.update(func(t *store.Tenant) error {
			_, err := t.Exec(b.Context(), `delete from event where tenant = $1 and id = $2`, number(35))
			return err
		})
		up.Store(true)
		stop = b.serve(d.ID)
		b.caughtUp(d.ID)
		e := b.get(d.ID)
		if e.Lost != 3 || e.Sent != 37 || dead.count() != 37 || e.LostFrom.Before(began.Add(-time.Second)) || e.LostTo.Before(e.LostFrom) || e.LostTo.After(b.st.Clock().Now()) {
			b.Errorf("%d came: %+v", dead.count(), e)
		}
		stop()
		b.happen(5)
		b.happen(5)
		b.update(func(t *store.Tenant) error {
			_, err := t.Exec(b.Context(), `delete from export_run where tenant = $1 and last = 45`)
			return err
		})
		stop = b.serve(d.ID)
		b.caughtUp(d.ID)
		if e := b.get(d.ID); e.Lost != 8 || e.Sent != 42 {
			b.Errorf("%+v", e)
		}
		stop()
		b.happen(4)
		b.update(func(t *store.Tenant) error {
			_, err := t.Exec(b.Context(), `delete from export_run where tenant = $1`)
			return err
		})
		b.serve(d.ID)
		b.caughtUp(d.ID)
		if e := b.get(d.ID); e.Lost+e.Sent != 54 {
			b.Errorf("all of it deleted: %+v", e)
		}
	})
}

// TestFilters: an export gets what it wants and nothing else, and is not behind because of what it does not want.
func TestFilters(t *testing.T) {
	onBoth(t, func(b *bed) {
		var got []tocsin.Event
		var mu sync.Mutex
		h := b.hook(func(_ *http.Request, body []byte) (int, string) {
			var list []tocsin.Event
			if err := json.Unmarshal(body, &list); err != nil {
				b.Errorf("%v: %s", err, body)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, list...)
			return 200, ""
		})
		one, _ := b.makes(export.Webhook, h.URL, "", func(s *export.Settings) { s.Body, s.People = export.Array, []string{"amy"} })
		two, _ := b.makes(export.Webhook, h.URL, "", func(s *export.Settings) { s.Body, s.Types = export.Array, []string{"FINDING", "ACTION"} })
		three, _ := b.makes(export.Webhook, h.URL, "", func(s *export.Settings) { s.Body, s.Actions = export.Array, []string{"finding_fixed"} })
		b.happen(9)
		b.update(func(t *store.Tenant) error {
			ctx := b.Context()
			if _, err := t.Exec(ctx, `insert into finding (tenant, id, rule, title, severity, severity_rank, risk, person, who, subject, cause, why, stage, body, status, first_seen, last_seen)
				values ($1, 'f1', 'forward-outside', 'Mail goes out', 'high', 3, 72, 'bob', 'bob@acme.example', 'r', '', 'Because.', 'exfiltration', '{"attack":["T1114.003"]}', 'open', 1000, 2000)`); err != nil {
				return err
			}
			for _, kind := range []string{"finding.raised", "finding.updated", "finding.fixed"} {
				if err := t.Append(ctx, store.Fact{Kind: kind, Subject: "f1", Person: "bob"}); err != nil {
					return err
				}
			}
			if _, err := t.Exec(ctx, `insert into action (tenant, id, kind, state, person, who, object_id, why, plan, asked_by, asked_email, created, changed) values ($1, 'a1', 'revoke_sessions', 'done', 'bob', 'bob@acme.example', 'o', 'w', '{}', 'x', 'x@acme.example', 1, 2)`); err != nil {
				return err
			}
			return t.Append(ctx, store.Fact{Kind: "action.changed", Subject: "a1"})
		})
		for _, e := range []export.Export{one, two, three} {
			b.serve(e.ID)
			b.caughtUp(e.ID)
		}
		mu.Lock()
		defer mu.Unlock()
		var said []string
		ids := map[string]int{}
		for _, e := range got {
			var p struct{ Action, State, Severity string }
			if err := json.Unmarshal(e.Payload, &p); err != nil {
				b.Error(err)
			}
			said = append(said, fmt.Sprint(e.EventType, " ", p.Action, p.State, p.Severity, " ", e.TUID))
			ids[e.EventID]++
		}
		want := "EMAIL email_received amy, EMAIL email_received amy, EMAIL email_received amy, FINDING finding_raisedhigh bob, FINDING finding_updatedhigh bob, FINDING finding_fixedhigh bob, ACTION revoke_sessionsdone bob, FINDING finding_fixedhigh bob"
		if s := strings.Join(said, ", "); s != want || len(ids) != 7 {
			b.Errorf("got %s, %d ids", s, len(ids))
		}
	})
}

// TestBodies: what Splunk and Elasticsearch take is in their form, and what Elasticsearch says of each event is heeded.
func TestBodies(t *testing.T) {
	onBoth(t, func(b *bed) {
		var splunk, lake receiver
		hs := b.hook(func(r *http.Request, body []byte) (int, string) {
			if r.Header.Get("Authorization") != "Splunk t" {
				return 403, `{"text":"Invalid token","code":4}`
			}
			for line := range strings.Lines(string(body)) {
				var e struct {
					Time               float64
					Source, Sourcetype string
					Event              json.RawMessage
				}
				if err := json.Unmarshal([]byte(line), &e); err != nil || e.Source != "tocsin" || e.Sourcetype != "_json" || e.Time < 1773565200 || e.Time > 1773565201 {
					b.Errorf("%v: %s", err, line)
				}
				splunk.line(b, e.Event)
			}
			return 200, `{"text":"Success","code":0}`
		})
		once := map[string]bool{}
		var tries atomic.Int64
		he := b.hook(func(r *http.Request, body []byte) (int, string) {
			lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
			var items []string
			for i := 0; i < len(lines); i += 2 {
				var head struct {
					Create struct {
						ID string `json:"_id"`
					}
				}
				if err := json.Unmarshal([]byte(lines[i]), &head); err != nil {
					b.Error(err)
				}
				status := 201
				switch id := head.Create.ID; {
				case once[id]:
					status = 409
				case id == number(2):
					status = 400
				case tries.Load() == 1 && i > 6:
					status = 429
				default:
					once[id] = true
					lake.line(b, []byte(lines[i+1]))
				}
				items = append(items, fmt.Sprintf(`{"create":{"status":%d,"error":{"type":"mapper_parsing_exception","reason":"r"}}}`, status))
			}
			if tries.Add(1) == 1 {
				return 200, "<html>a proxy says hello</html>"
			}
			return 200, `{"errors":true,"items":[` + strings.Join(items, ",") + `]}`
		})
		s, _ := b.makes(export.Webhook, hs.URL+"/services/collector/event", "Splunk t", func(s *export.Settings) { s.Body = export.Splunk })
		e, _ := b.makes(export.Webhook, he.URL+"/tocsin/_bulk", "", func(s *export.Settings) { s.Body = export.Elastic })
		b.happen(8)
		b.serve(s.ID)
		b.serve(e.ID)
		b.caughtUp(s.ID)
		b.caughtUp(e.ID)
		if wrong, _ := splunk.whole(8); wrong != "" {
			b.Error(wrong)
		}
		if e := b.get(e.ID); lake.count() != 7 || e.Refused != 1 || e.Sent != 7 {
			b.Errorf("%d came: %+v", lake.count(), e)
		}
	})
}

// TestRefusedWhileChanged: what a receiver refuses while somebody edits the export is kept as it is otherwise.
func TestRefusedWhileChanged(t *testing.T) {
	onBoth(t, func(b *bed) {
		var e export.Export
		h := b.hook(func(*http.Request, []byte) (int, string) {
			b.update(func(t *store.Tenant) error {
				_, err := b.x.Edit(context.Background(), t, "o", e.ID, 0, e.Settings, export.Given{})
				return err
			})
			return 200, `{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"t","reason":"r"}}},{"create":{"status":201}}]}`
		})
		e, _ = b.makes(export.Webhook, h.URL+"/_bulk", "", func(s *export.Settings) { s.Body = export.Elastic })
		b.happen(3)
		b.serve(e.ID)
		b.caughtUp(e.ID)
		if now := b.get(e.ID); now.Refused != 1 || now.Sent != 2 || now.Version < 2 {
			b.Errorf("%+v", now)
		}
		if n := b.number(`select count(*) from export_refused where tenant = $1 and event = '` + number(2) + `'`); n != 1 {
			b.Errorf("the refused event is kept %d times", n)
		}
	})
}

// TestKeptCredential: what was entered for one receiver goes to no other, and not in the clear, because somebody changed the
// address; entered anew, or taken away, it may.
func TestKeptCredential(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	cert := newAuthority(t, "Tocsin").gives("tocsin")
	for _, c := range []struct {
		kind, from, to string
		kept           bool
		given          export.Given
		set            func(*export.Settings) // of the change
	}{
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://siem.example/other?k=2", kept: true},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://SIEM.example", kept: true},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://evil.example/in"},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://siem.example.evil.example/in"},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://evil.example?https://siem.example/in"},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://siem.example:8443/in"},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://new.example/in", given: export.Given{Credential: "Bearer new"}, kept: true},
		{kind: export.Webhook, from: "https://siem.example/in", to: "https://new.example/in", given: export.Given{Credential: "-"}, kept: true},
		{kind: export.Kafka, from: "tls://a.example,b.example", to: "tls://b.example:9093", kept: true, set: func(s *export.Settings) { s.SASL = "scram-sha-512" }},
		{kind: export.Kafka, from: "tls://a.example,b.example", to: "tls://a.example,evil.example"},
		{kind: export.Kafka, from: "tls://a.example", to: "tcp://a.example:9093"},
		{kind: export.Kafka, from: "tcp://a.example:9093", to: "tls://a.example:9093", kept: true},
		{kind: export.Kafka, from: "tls://a.example", set: func(s *export.Settings) { s.SASL = "plain" }},
		{kind: export.NATS, from: "tls://a.example", to: "tls://evil.example"},
		{kind: export.NATS, from: "tls://a.example", to: "tls://a.example:4222", kept: true},
		{kind: export.Syslog, from: "tls://a.example", to: "tls://evil.example"},
		{kind: export.Syslog, from: "tls://a.example", to: "tls://evil.example", given: export.Given{Certificate: cert}, kept: true},
	} {
		s := export.Usual(c.kind)
		s.Name, s.Address = "The "+c.kind, c.from
		first := export.Given{Credential: "never shown again"}
		switch c.kind {
		case export.Kafka:
			s.SASL, s.User = "scram-sha-256", "u"
		case export.Syslog:
			first = export.Given{Certificate: cert}
		}
		var err error
		b.update(func(t *store.Tenant) error {
			e, _, err2 := b.x.Create(context.Background(), t, "o", c.kind, s, first)
			if err2 != nil {
				return err2
			}
			if s.Address = c.to; c.set != nil {
				c.set(&s)
			}
			_, err = b.x.Edit(context.Background(), t, "o", e.ID, 0, s, c.given)
			return nil
		})
		p := tocsin.AsProblem(err)
		if c.kept != (err == nil) || err != nil && (p.Code != tocsin.Invalid || !strings.Contains(p.What, "was entered for another")) {
			t.Errorf("%s from %s to %s: %v", c.kind, c.from, c.to, err)
		}
	}
}
