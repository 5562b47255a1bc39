package notify_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

// event is what is read of an OCSF event.
type event struct {
	ClassUID    int    `json:"class_uid"`
	TypeUID     int    `json:"type_uid"`
	SeverityID  int    `json:"severity_id"`
	StatusID    int    `json:"status_id"`
	Time        int64  `json:"time"`
	Message     string `json:"message"`
	FindingInfo struct {
		UID     string `json:"uid"`
		Title   string `json:"title"`
		Attacks []struct {
			Technique    struct{ UID string }
			SubTechnique struct{ UID string } `json:"sub_technique"`
		}
	} `json:"finding_info"`
	Metadata struct {
		Version   string
		UID       string
		TenantUID string `json:"tenant_uid"`
		Product   struct{ Name string }
	}
}

func (e *event) check(t testing.TB) {
	t.Helper()
	if e.ClassUID != 2004 || e.TypeUID/100 != 2004 || e.SeverityID < 1 || e.SeverityID > 5 || e.StatusID < 1 || e.Time == 0 || e.FindingInfo.UID == "" || e.FindingInfo.Title == "" || e.Metadata.Version == "" || e.Metadata.Product.Name != "Tocsin" || e.Metadata.UID == "" {
		t.Errorf("no Detection Finding: %+v", e)
	}
}

// collector is a syslog server over TLS that reads frames as RFC 5425 has them.
type collector struct {
	net.Listener
	mu    sync.Mutex
	lines []string
}

func (b *bed) collector() *collector {
	b.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: b.receiver(nil).TLS.Certificates})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	c := &collector{Listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for r := bufio.NewReader(conn); ; {
					length, err := r.ReadString(' ')
					n, bad := strconv.Atoi(strings.TrimSpace(length))
					if err != nil || bad != nil {
						return
					}
					line := make([]byte, n)
					if _, err := io.ReadFull(r, line); err != nil {
						return
					}
					c.mu.Lock()
					c.lines = append(c.lines, string(line))
					c.mu.Unlock()
				}
			}()
		}
	}()
	return c
}

func (c *collector) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.lines...)
}

var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S{1,255}) tocsin - ([!-~]{1,32}) - (\{.*\})$`)

// TestSyslog: each finding of a digest is a message of RFC 5424 with an OCSF event in it, whatever its names hold.
func TestSyslog(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	c := b.collector()
	ch, _ := b.channel(acme, notify.Syslog, c.Addr().String(), func(s *notify.Settings) { s.DigestOver = 5 })
	if res, err := b.a.Test(t.Context(), acme, ch.ID); err != nil || !res.OK {
		t.Fatalf("test: %+v %v", res, err)
	}
	for deadline := time.Now().Add(90 * time.Second); len(c.got()) < 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the test message did not come")
		}
	}
	for i, name := range append(hostile, make([]string, 30)...) {
		f := finding(fmt.Sprint("f", i), tocsin.Critical)
		f.Title = "T " + name
		b.found(acme, f, "raised")
	}
	b.fold()
	b.serve()
	total := len(hostile) + 31
	for deadline := time.Now().Add(90 * time.Second); len(c.got()) < total; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d lines of %d", len(c.got()), total)
		}
	}
	uids := map[string]bool{}
	for i, line := range c.got() {
		m := rfc5424.FindStringSubmatch(line)
		if m == nil || m[2] != "tocsin.example" {
			t.Errorf("no message of RFC 5424: %.200q", line)
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(m[4]), &e); err != nil {
			t.Fatal(err)
		}
		e.check(t)
		uids[e.Metadata.UID] = true
		if i > 0 && (m[1] != "82" || e.Metadata.TenantUID != string(acme) || e.FindingInfo.Attacks[0].SubTechnique.UID != "T1114.003" || e.FindingInfo.Attacks[0].Technique.UID != "T1114") {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if len(uids) != total {
		t.Errorf("%d ids for %d events", len(uids), total)
	}
	c.Close()
	b.found(acme, finding("later", tocsin.Critical), "raised")
	b.later(time.Hour)
	b.fold()
	b.serve()
	if got := b.rows(acme, `select state, because from alert_message where tenant = $1 and state = 'waiting'`); len(got) != 1 || !strings.Contains(got[0], "cannot be reached") {
		t.Errorf("no server: %q", got)
	}
	for _, bad := range []string{"", "udp://siem.example:514", "siem.example:0", "siem.example:99999", "siem.example/x", "user@siem.example", "10.0.0.1:6514", "[::1]:6514", "a b:1", "https://siem.example"} {
		s := notify.Usual()
		s.Name, s.Address = "n", bad
		err := b.st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			_, _, err := b.a.Create(t.Context(), tn, "ann", notify.Syslog, s)
			return err
		})
		if tocsin.AsProblem(err).Code != tocsin.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	made, _ := b.channel(acme, notify.Syslog, "tls://SIEM.example", nil)
	if made.Address != "siem.example:6514" {
		t.Errorf("address %q", made.Address)
	}
}

// TestOCSF: an OCSF webhook gets every finding of a digest in one signed array.
func TestOCSF(t *testing.T) {
	b := newBed(t, storetestSQLite(t))
	r := b.receiver(nil)
	_, secret := b.channel(acme, notify.OCSF, r.URL, func(s *notify.Settings) { s.DigestOver, s.Filter.Changes = 5, notify.Changes })
	for i := range 50 {
		b.found(acme, finding(fmt.Sprint("f", i), tocsin.High), "raised")
	}
	b.fold()
	b.serve()
	b.later(time.Hour)
	b.found(acme, finding("f1", tocsin.High), "fixed")
	b.fold()
	b.serve()
	got := r.taken()
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	var first, second []event
	if err := json.Unmarshal([]byte(got[0].body), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got[1].body), &second); err != nil {
		t.Fatal(err)
	}
	if len(first) != 50 || len(second) != 1 || first[0].TypeUID != 200401 || second[0].TypeUID != 200403 || second[0].StatusID != 4 || !verify(t, secret, got[1], b.st.Clock().Now()) {
		t.Errorf("%d and %d events: %+v", len(first), len(second), second)
	}
	for i := range first {
		first[i].check(t)
	}
}
