package graph

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestParseAfter(t *testing.T) {
	now := time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Duration{
		"0": 0, "10": 10 * time.Second, "2.128": 2128 * time.Millisecond, " 3 ": 3 * time.Second, "1e2": 100 * time.Second,
		"99999999999": longest, "1e300": longest,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
		"Friday, 07-Aug-26 12:00:05 GMT": 5 * time.Second,
	} {
		if got, ok := parseAfter(s, now); !ok || got != want {
			t.Errorf("%q: %s %v, want %s", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "-1", "soon", "NaN", "Inf", "+Infinity", "0x10", "1_0", "1s", "10, 20"} {
		if got, ok := parseAfter(s, now); ok {
			t.Errorf("%q was read as %s", s, got)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1", "2.128", "Fri, 07 Aug 2026 12:00:05 GMT", "-1", "1e309", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := parseAfter(s, time.Unix(1786104000, 0)); d < 0 || d > longest || !ok && d != 0 {
			t.Fatalf("%q: %s %v", s, d, ok)
		}
	})
}

func TestBackoffGrowsAndIsSpread(t *testing.T) {
	for try := 1; try < 80; try++ {
		d := backoff(500*time.Millisecond, try)
		if want := min(500*time.Millisecond<<min(try-1, 16), maxBackoff); d < want/2 || d > want {
			t.Errorf("try %d: %s, want between half and all of %s", try, d, want)
		}
	}
	seen := map[time.Duration]bool{}
	for range 50 {
		seen[backoff(time.Second, 3)] = true
	}
	if len(seen) < 10 {
		t.Error("it is not spread")
	}
}

func TestParseFault(t *testing.T) {
	for body, want := range map[string]fault{
		`{"error":{"code":"A","message":"m","innerError":{"date":"2025-02-13T10:17:05","request-id":"r","client-request-id":"c"}}}`: {Code: "A", Message: "m", RequestID: "r", ClientRequestID: "c"},
		`{"error":{"code":"A","innererror":{"code":"B","innererror":{"code":"C","request-id":"r"}}}}`:                               {Code: "A", RequestID: "r", Inner: []string{"B", "C"}},
		`{"error":{"code":"","message":"","innerError":{"code":"B"}}}`:                                                              {Code: "B", Inner: []string{"B"}},
		`{"error":{"code":17,"message":{"lang":"en"}}}`:                                                                             {},
		`{"error":"invalid_client","error_description":"AADSTS7000215: x"}`:                                                         {Code: "invalid_client", Message: "AADSTS7000215: x"},
		`{"ERROR":{"CODE":"A"}}`: {Code: "A"},
		`{"error":null}`:         {},
		`[]`:                     {},
		`"bm90IEpTT04="`:         {},
		`<html>`:                 {},
		``:                       {},
		`{"error":{"code":"a\nb","message":"x\u0000y"}}`: {Code: "a b", Message: "x y"},
	} {
		got := parseFault([]byte(body))
		if got.Code != want.Code || got.Message != want.Message || got.RequestID != want.RequestID || got.ClientRequestID != want.ClientRequestID || strings.Join(got.Inner, " ") != strings.Join(want.Inner, " ") {
			t.Errorf("%s\ngot  %+v\nwant %+v", body, got, want)
		}
	}
	f := parseFault([]byte(`{"error":{"code":"A","innerError":{"date":"2025-02-13T10:17:05"}}}`))
	if want := time.Date(2025, 2, 13, 10, 17, 5, 0, time.UTC); !f.Date.Equal(want) {
		t.Errorf("a date without a zone is %s, want %s", f.Date, want)
	}
	if !parseFault([]byte(`{"error":{"code":"A","innerError":{"code":"resyncRequired"}}}`)).is("resyncrequired") {
		t.Error("an inner code is not found")
	}
}

func FuzzErrorBody(f *testing.F) {
	f.Add([]byte(`{"error":{"code":"A","message":"m","innerError":{"date":"2025-02-13T10:17:05","request-id":"r"}}}`))
	f.Add([]byte(`{"error":{"innererror":{"innererror":{"code":"x"}}}}`))
	f.Add([]byte(`{"error":"x","error_description":"AADSTS50034","error_codes":[50034]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseFault(b)
		for _, s := range append(got.Inner, got.Code, got.Message, got.RequestID, got.ClientRequestID) {
			if utf8.RuneCountInString(s) > 301 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Fatalf("%q", s)
			}
		}
		code, kind := signInCode(b)
		if e := refused(code, kind); e.Code == "" || e.What == "" {
			t.Fatalf("%+v", e)
		}
	})
}

func FuzzNextLink(f *testing.F) {
	for _, s := range []string{"https://graph.microsoft.com/v1.0/users?$skiptoken=x", "https://evil.example/v1.0/", "//graph.microsoft.com/v1.0/x", "https://graph.microsoft.com@evil.example/v1.0/x", "https://graph.microsoft.com:443/v1.0/x", "https://graph.microsoft.com/v1.0/../x"} {
		f.Add(s)
	}
	c, err := New(Config{Tenant: "t", Client: "c", Secret: "s"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := c.link(Find("users.list"), s); err != nil {
			return
		}
		req, err := http.NewRequest("GET", s, nil)
		if err != nil {
			return
		}
		if req.URL.Scheme != "https" || !strings.EqualFold(req.URL.Host, "graph.microsoft.com") || req.URL.User != nil {
			t.Fatalf("%q leads to %s", s, req.URL.Host)
		}
		if rel, err := c.relative(Find("users.list"), s); err != nil || !strings.HasPrefix(rel, "/") {
			t.Fatalf("%q is %q in a batch: %v", s, rel, err)
		}
	})
}

func TestDateTimeTimeZone(t *testing.T) {
	want := time.Date(2016, 3, 19, 2, 0, 0, 0, time.UTC)
	for d, ok := range map[DateTimeTimeZone]bool{
		{"2016-03-19T02:00:00.0000000", "UTC"}: true, {"2016-03-19T02:00:00", ""}: true, {"2016-03-19T03:00:00", "Europe/Berlin"}: true,
		{"2016-03-19T03:00:00+01:00", "UTC"}: true, {"2016-03-19T03:00:00", "W. Europe Standard Time"}: false, {"2016-03-19T03:00:00", "Local"}: false,
		{"", "UTC"}: false, {"noon", "UTC"}: false,
	} {
		if got, good := d.At(); good != ok || ok && !got.Equal(want) {
			t.Errorf("%+v is %s, %v", d, got, good)
		}
	}
}
