package server

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/notify"
)

// told is a message as a webhook gets it.
type told struct {
	Type string
	Data struct {
		Findings []notify.Finding
		Total    int
		First    bool `json:"first_sync"`
	}
}

// TestAlerts: the whole way, from a mailbox rule at Microsoft to somebody's webhook. What the first sync finds is one
// message; an attack after it is one of its own, that leads to its finding.
func TestAlerts(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		var mu sync.Mutex
		var got []told
		hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var m told
			if err != nil || json.Unmarshal(body, &m) != nil {
				t.Errorf("a body that is not read: %v %s", err, body)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, m)
		}))
		t.Cleanup(hook.Close)
		messages := func() []told {
			mu.Lock()
			defer mu.Unlock()
			return append([]told(nil), got...)
		}
		c := settings(t)
		c.Database = address
		c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
		c.URL = "https://tocsin.example"
		c.Alerts.Allow = "127.0.0.0/8"
		c.Alerts.CA = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(c.Alerts.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		w := world(t, 30)
		s := start(t, c, w.Client())
		hs := httptest.NewServer(s.Handler())
		t.Cleanup(hs.Close)
		client := &api.Client{URL: hs.URL, Token: landlordToken}
		var made api.Channel
		err := client.Do(t.Context(), "channels create", api.CreateChannelIn{In: api.In{Tenant: api.Everywhere},
			Body: api.ChannelNew{Kind: "webhook", ChannelSettings: api.ChannelSettings{Name: "SIEM", Address: hook.URL + "/in", Severity: tocsin.Low}}}, &made)
		if err != nil || !strings.HasPrefix(made.Secret, "whsec_") || strings.Contains(fmt.Sprint(made), "/in") {
			t.Fatalf("channel: %+v %v", made, err)
		}
		var tested api.ChannelTest
		if err := client.Do(t.Context(), "channels test", api.ByID{In: api.In{Tenant: api.Everywhere}, ID: made.ID}, &tested); err != nil || !tested.OK || messages()[0].Type != "test" {
			t.Fatalf("test: %+v %v %+v", tested, err, messages())
		}
		play(t, w, "# Before.\ndomain before.example\nperson ada \"Ada\" ada@before.example\nperson bea \"Bea\" bea@before.example\nmon 09:00 ada makes rule \".\" when subject_contains \"invoice\" forward to drop@evil.example\nmon 09:01 bea makes rule \"..\" forward to drop@evil.example and delete\n")
		conn := join(t, s, w)
		synced(t, s, conn.Tenant)
		eventually(t, "what it found", func() string {
			var log api.Page[api.Alert]
			if err := client.Do(t.Context(), "alerts list", api.AlertsIn{In: api.In{Tenant: conn.Tenant}, State: []string{"waiting"}}, &log); err != nil {
				t.Fatal(err)
			}
			if log.Total < 3 {
				return fmt.Sprintf("%d alerts wait", log.Total)
			}
			return ""
		})
		if n := len(messages()); n != 1 {
			t.Errorf("during the first sync %d messages came", n-1)
		}
		eventually(t, "the digest of the first sync", func() string {
			s.Clock.Advance(5 * time.Second)
			all := messages()
			if len(all) < 2 {
				return "has not come"
			}
			if m := all[1]; !m.Data.First || m.Type != "findings.digest" || m.Data.Total < 2 {
				t.Fatalf("a message of the first sync: %+v", m)
			}
			return ""
		})
		s.Clock.Advance(20 * time.Minute)
		play(t, w, "# After.\ndomain after.example\nperson cid \"Cid\" cid@after.example\nmon 10:00 cid makes rule \".\" when subject_contains \"payment\" forward to new@elsewhere.example and delete\n")
		eventually(t, "the attack", func() string {
			s.Clock.Advance(time.Second)
			for _, m := range messages()[2:] {
				for _, f := range m.Data.Findings {
					if f.Change == "opened" && strings.Contains(f.Who, "cid@") && f.URL == "https://tocsin.example/t/"+string(conn.Tenant)+"/findings/"+f.ID {
						return ""
					}
				}
			}
			return fmt.Sprintf("is not told: %+v", messages()[2:])
		})
		counts, err := s.Alerts.Count(t.Context())
		if err != nil || len(counts) != 1 || counts[0].Owner != api.Everywhere || counts[0].Alerts["sent"] < 4 || counts[0].Failing != 0 {
			t.Errorf("counted: %+v %v", counts, err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "GET", hs.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+landlordToken)
		res, err := hs.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), `tocsin_alerts{state="sent",tenant="*"}`) || !strings.Contains(string(text), `tocsin_channels_failing{tenant="*"} 0`) {
			t.Errorf("metrics (%v): %.300s", err, text)
		}
		var log api.Page[api.Alert]
		if err := client.Do(t.Context(), "alerts list", api.AlertsIn{In: api.In{Tenant: conn.Tenant}, State: []string{"sent"}}, &log); err != nil || log.Total < 3 || log.Items[0].ChannelName != "SIEM" || log.Items[0].Title == "" {
			t.Errorf("the log: %+v %v", log, err)
		}
	})
}
