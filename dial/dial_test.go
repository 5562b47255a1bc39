package dial_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tocsin.dev"
	"tocsin.dev/dial"
)

// TestCheck: every way of writing an address of the inside is refused, and what is public is not.
func TestCheck(t *testing.T) {
	var g dial.Guard
	for _, in := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192", "168.63.129.16",
		"192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1", "::a00:1", "fe80::1", "fe80::1%eth0",
		"fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
		"2002:c0a8:101::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "100::1", "5f00::1", "3fff::1", "4000::1",
	} {
		a := netip.MustParseAddr(in)
		err := g.Check(a)
		inside, ok := errors.AsType[*dial.Inside](err)
		if !ok {
			t.Errorf("%s may be called", in)
			continue
		}
		if p := inside.Problem(); p.Code != tocsin.Invalid || inside.Why == "" || !strings.HasSuffix(p.What, ".") || !strings.HasSuffix(p.Do, ".") {
			t.Errorf("%s: %v", in, p)
		}
	}
	if g.Check(netip.Addr{}) == nil {
		t.Error("no address may be called")
	}
	for _, out := range []string{"1.1.1.1", "8.8.8.8", "52.96.0.1", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "169.253.1.1", "192.167.1.1", "198.17.1.1", "198.20.0.1",
		"::ffff:8.8.8.8", "2606:4700:4700::1111", "2a01:4f8::1", "64:ff9b::808:808", "2002:808:808::1", "2603:1006::1"} {
		if err := g.Check(netip.MustParseAddr(out)); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	}
}

// TestAllow: a network that is allowed is reached however it is written, its neighbours are not.
func TestAllow(t *testing.T) {
	g := dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}}
	for address, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00:1::5": true, "fd00:2::5": false, "127.0.0.1": false, "64:ff9b::10.1.2.3": false} {
		if got := g.Check(netip.MustParseAddr(address)) == nil; got != want {
			t.Errorf("%s: allowed %v, want %v", address, got, want)
		}
	}
}

func TestURL(t *testing.T) {
	var g dial.Guard
	for _, bad := range []string{"", "http://hooks.example/x", "ftp://x.example/", "https://", "https:///x", "https://user:pass@x.example/", "https://u@x.example/", "https://x.example/#a",
		"https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/x", "https://169.254.169.254/latest/meta-data", "https://[fe80::1%25eth0]/", "https:x.example", "//x.example/",
		"https://x.example/a b", "https://x.example/\r\nHost: y", "https://x.example\\@127.0.0.1/", "https://x.example/\x00", "javascript:alert(1)", "file:///etc/passwd", "https://[64:ff9b::7f00:1]/"} {
		u, err := g.URL(bad)
		p, ok := errors.AsType[*tocsin.Problem](err)
		if !ok || p.Code != tocsin.Invalid || p.Do == "" {
			t.Errorf("%q: %v, %v", bad, u, err)
		}
	}
	for _, good := range []string{"https://hooks.slack.com/services/T/B/x", "https://x.example:8443/a?b=c", "https://1.1.1.1/", "https://[2606:4700:4700::1111]/x"} {
		if u, err := g.URL(good); err != nil || u.String() != good {
			t.Errorf("%q: %v, %v", good, u, err)
		}
	}
}

// loopback is a guard that lets the test's own servers be reached.
func loopback(s *httptest.Server) *dial.Guard {
	return &dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

// TestClient: https is reached where it is allowed; a redirect is an answer; plain http and the inside are refused before
// anything is sent; a proxy of the environment is not asked.
func TestClient(t *testing.T) {
	var hits atomic.Int64
	inner := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(inner.Close)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(s.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	c := loopback(s).Client(time.Minute)
	if r, err := c.Get(s.URL); err != nil || r.StatusCode != 200 {
		t.Errorf("allowed: %v %v", r, err)
	}
	if r, err := c.Get(s.URL + "/away"); err != nil || r.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("a redirect: %v %v", r, err)
	}
	if _, err := c.Get("http://" + s.Listener.Addr().String()); !errors.Is(err, dial.ErrScheme) {
		t.Errorf("plain http: %v", err)
	}
	_, err := (&dial.Guard{}).Client(time.Minute).Get(inner.URL)
	if _, ok := errors.AsType[*dial.Inside](err); !ok {
		t.Errorf("loopback: %v", err)
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came where none may", hits.Load())
	}
}

// names is a name server that answers each question for a name with the next of its addresses.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Header.Response, m.Additionals = true, nil
			q := m.Questions[0]
			if q.Type == dnsmessage.TypeA {
				i := min(int(asked.Add(1)-1), len(answers)-1)
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0},
					Body: &dnsmessage.AResource{A: netip.MustParseAddr(answers[i]).As4()}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// TestRebinding: a name that leads to the inside is refused, be it at once or after it led outside when it was looked at.
func TestRebinding(t *testing.T) {
	var hits atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, answers := range [][]string{{"127.0.0.1"}, {"93.184.216.34", "127.0.0.1"}, {"169.254.169.254"}} {
		g := &dial.Guard{Resolver: names(t, answers...), Roots: loopback(s).Roots}
		if _, err := g.URL("https://rebind.example:" + port + "/"); err != nil {
			t.Fatal(err)
		}
		if len(answers) > 1 { // somebody looks, and sees it lead outside
			got, err := g.Resolver.LookupNetIP(t.Context(), "ip4", "rebind.example")
			if err != nil || g.Check(got[0].Unmap()) != nil {
				t.Fatalf("%v: %v", got, err)
			}
		}
		_, err := g.Client(time.Minute).Post("https://rebind.example:"+port+"/", "text/plain", strings.NewReader("x"))
		if _, ok := errors.AsType[*dial.Inside](err); !ok {
			t.Errorf("%v: %v", answers, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came through", hits.Load())
	}
}

// TestPartner: a partner is called where the operator says that it is, inside or not, and what it names elsewhere only outside:
// not by a number, not by a name whose answer changes, not by a redirect, not in the clear, and no answer without end is read.
func TestPartner(t *testing.T) {
	var hits atomic.Int64
	inner := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(inner.Close)
	var away string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, away, http.StatusTemporaryRedirect)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(inner.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	g := &dial.Guard{Resolver: names(t, "93.184.216.34", "127.0.0.1"), Roots: loopback(s).Roots}
	if _, err := g.Resolver.LookupNetIP(t.Context(), "ip4", "rebind.example"); err != nil { // somebody looks, and sees it lead outside
		t.Fatal(err)
	}
	c := g.Partner(s.Listener.Addr().String(), time.Minute)
	if r, err := c.Get(s.URL); err != nil || r.StatusCode != 200 {
		t.Errorf("its own address: %v %v", r, err)
	}
	for _, to := range []string{inner.URL, "https://[::ffff:127.0.0.1]:" + port, "https://[64:ff9b::7f00:1]:" + port, "https://rebind.example:" + port, "https://169.254.169.254/latest"} {
		_, err := c.Get(to)
		if _, ok := errors.AsType[*dial.Inside](err); !ok {
			t.Errorf("%s: %v", to, err)
		}
		away = to
		if r, err := c.Get(s.URL + "/away"); err != nil || r.StatusCode != http.StatusTemporaryRedirect {
			t.Errorf("a redirect to %s: %v %v", to, r, err)
		}
	}
	if _, err := c.Get("http://" + s.Listener.Addr().String()); !errors.Is(err, dial.ErrScheme) {
		t.Errorf("plain http: %v", err)
	}
	r, err := c.Get(s.URL + "/endless")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if n, err := io.Copy(io.Discard, r.Body); err == nil || n > 1<<20 {
		t.Errorf("of an answer without end %d bytes were read: %v", n, err)
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came where none may", hits.Load())
	}
}

// TestSlowBody: a server that never ends its answer is left in time.
func TestSlowBody(t *testing.T) {
	over := make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-over // not r.Context(): who is left in the middle of a goodbye may still end the answer whole
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(over) })
	r, err := loopback(s).Client(time.Second).Get(s.URL)
	if err != nil {
		return // on a busy machine not even the head came in time: that ended as well
	}
	defer r.Body.Close()
	if _, err := io.ReadAll(r.Body); err == nil {
		t.Error("the answer ended")
	}
}

// FuzzCheck: an address is treated alike in whatever form it is written.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{8, 8, 8, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 4 {
			t.Skip()
		}
		var g dial.Guard
		a := netip.AddrFrom4([4]byte(b))
		plain := g.Check(a) == nil
		if mapped := g.Check(netip.AddrFrom16(a.As16())) == nil; mapped != plain {
			t.Errorf("%s: %v, mapped %v", a, plain, mapped)
		}
		wrapped := netip.MustParseAddr("64:ff9b::").As16()
		copy(wrapped[12:], b)
		if nat := g.Check(netip.AddrFrom16(wrapped)) == nil; nat != plain {
			t.Errorf("%s: %v, by NAT64 %v", a, plain, nat)
		}
	})
}
