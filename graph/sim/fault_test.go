package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	for _, c := range []struct {
		fault  Fault
		status int
		code   string
		header string
	}{
		{Fault{Kind: Throttle, After: "2.128"}, 429, "TooManyRequests", "Retry-After=2.128"},
		{Fault{Kind: Throttle}, 429, "TooManyRequests", "Retry-After=1"},
		{Fault{Kind: Throttle, After: "none"}, 429, "TooManyRequests", "Retry-After="},
		{Fault{Kind: Broken}, 503, "UnknownError", ""},
		{Fault{Kind: Broken, Status: 504, After: "3"}, 504, "UnknownError", "Retry-After=3"},
		{Fault{Kind: Gone}, 410, "syncStateNotFound", ""},
		{Fault{Kind: Denied}, 403, "Authorization_RequestDenied", ""},
		{Fault{Kind: OutOfScope}, 403, "ErrorAccessDenied", ""},
		{Fault{Kind: Unauthorized}, 401, "InvalidAuthenticationToken", ""},
		{Fault{Kind: Challenge}, 401, "InvalidAuthenticationToken", "Www-Authenticate=Bearer"},
		{Fault{Kind: Missing}, 404, "Request_ResourceNotFound", ""},
	} {
		c.fault.Path, c.fault.Times = "/users", 1
		if err := p.s.Fault(c.fault); err != nil {
			t.Fatal(err)
		}
		p.get("domains")
		resp := p.raw("GET", "users", nil)
		body := decode(t, resp)
		name, want, _ := strings.Cut(c.header, "=")
		if resp.StatusCode != c.status || code(body) != c.code || !strings.HasPrefix(resp.Header.Get(name), want) || want == "" && name != "" && resp.Header.Get(name) != "" {
			t.Errorf("%v: %d %v %v", c.fault, resp.StatusCode, body, resp.Header)
		}
		p.get("users")
	}
	if err := p.s.Fault(Fault{Kind: "meteor"}); err == nil {
		t.Error("an unknown kind is taken")
	}
}

func TestFaultsStrikeWhenTold(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	if err := p.s.Fault(Fault{Path: "/users/*/mailboxSettings", Kind: Broken, Skip: 2, Every: 2, Times: 2}); err != nil {
		t.Fatal(err)
	}
	path := "users/" + p.s.world.person(3).id + "/mailboxSettings"
	var got []int
	for range 8 {
		resp := p.raw("GET", path, nil)
		resp.Body.Close()
		got = append(got, resp.StatusCode)
	}
	want := []int{200, 200, 200, 503, 200, 503, 200, 200}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("answers %v, want %v", got, want)
		}
	}
	p.s.Heal()
	if err := p.s.Fault(Fault{Path: "/users/*/mailboxSettings", Kind: Throttle, After: "7"}); err != nil {
		t.Fatal(err)
	}
	part := p.batch(200, get("1", "/"+path))["1"]
	if part["status"] != 429.0 || part["headers"].(map[string]any)["Retry-After"] != "7" {
		t.Errorf("within a batch: %v", part)
	}
}

func TestCutAndGarbage(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	if err := p.s.Fault(Fault{Path: "/users", Kind: Cut, Times: 1}); err != nil {
		t.Fatal(err)
	}
	resp := p.raw("GET", "users", nil)
	raw, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(raw) == 0 || resp.StatusCode != 200 {
		t.Errorf("cut: %d, %d bytes, %v", resp.StatusCode, len(raw), err)
	}
	if err := p.s.Fault(Fault{Path: "/users", Kind: Garbage, Times: 1}); err != nil {
		t.Fatal(err)
	}
	resp = p.raw("GET", "users", nil)
	raw, err = io.ReadAll(resp.Body)
	if err != nil || json.Valid(raw) || resp.StatusCode != 200 {
		t.Errorf("garbage: %d %.40s %v", resp.StatusCode, raw, err)
	}
	if err := p.s.Fault(Fault{Path: "/*/oauth2/v2.0/token", Kind: Cut, Times: 1}); err != nil {
		t.Fatal(err)
	}
	resp, err = p.s.Client().PostForm(Address+"/"+p.s.Tenant()+"/oauth2/v2.0/token", secretForm(p.s))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut token: %v", err)
	}
	if err := p.s.Fault(Fault{Path: "/*/oauth2/v2.0/token", Kind: SignIn, Code: 7000222, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if status, body := p.tokenFor(secretForm(p.s), p.s.Tenant()); status != 401 || errorCode(body) != 7000222 {
		t.Errorf("refused sign-in: %d %v", status, body)
	}
	if err := p.s.Fault(Fault{Kind: Clock, Delay: Duration(-2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	resp = p.raw("GET", "users", nil)
	resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(date) < time.Hour {
		t.Errorf("the wrong clock says %v, %v", date, err)
	}
}

func TestFaultPaths(t *testing.T) {
	for _, c := range []struct {
		pattern, call string
		want          bool
	}{
		{"*", "/v1.0/users", true}, {"", "/v1.0/$batch", true}, {"/users", "/v1.0/users", true}, {"/v1.0/users", "/v1.0/users", true},
		{"/beta/users", "/v1.0/users", false}, {"/users", "/v1.0/users/1", false}, {"/users/*", "/v1.0/users/1", true},
		{"/users/*", "/v1.0/users/1/mailboxSettings", false}, {"/users/**", "/v1.0/users/1/mailboxSettings", true}, {"/users/*/mailboxSettings", "/v1.0/users/1/mailboxSettings", true},
		{"/users/*/mailboxSettings", "/v1.0/users/1/messages", false}, {"/$batch", "/v1.0/$batch", true}, {"/users/delta*", "/v1.0/users/delta()", true},
		{"**/messages", "/v1.0/users/1/messages", true}, {"/users/**/messages", "/v1.0/users/1/mailFolders/2/messages", true}, {"**/messages", "/v1.0/users/1/mailboxSettings", false},
		{"**mail*s", "/v1.0/users/1/mailFolders", true}, {"**messageRules**", "/v1.0/users/1/mailFolders/inbox/messageRules", true}, {"/users/*x*", "/v1.0/users/1", false},
	} {
		if got := (&Fault{Path: c.pattern}).matches(c.call); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.call, got)
		}
	}
}

// TestLost: the act is done, and the answer says that it may not be; revoking moves the date from which sessions are valid.
func TestLost(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Roles: everyRole})
	who := p.s.world.person(4)
	since := func() string {
		v, _ := p.call("GET", "users/"+who.id+"?$select=signInSessionsValidFromDateTime", nil, 200)["signInSessionsValidFromDateTime"].(string)
		return v
	}
	before := since()
	if err := p.s.Fault(Fault{Kind: Lost, Path: "**/revokeSignInSessions", Times: 1}); err != nil {
		t.Fatal(err)
	}
	p.call("POST", "users/"+who.id+"/revokeSignInSessions", nil, 504)
	after := since()
	if after <= before {
		t.Errorf("sessions are valid since %s, and were since %s", after, before)
	}
	p.s.Advance(time.Hour)
	if out := p.call("POST", "users/"+who.id+"/revokeSignInSessions", nil, 200); out["value"] != true || since() <= after {
		t.Errorf("the answer is %v", out)
	}
}
