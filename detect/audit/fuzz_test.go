package audit

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzParse reads any text as a record: it is refused, or it is JSON, and reading the whole of it agrees with the glance.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"Id":"1","Operation":"New-InboxRule","Workload":"Exchange","UserId":"amy@fabrikam.com","Parameters":[{"Name":"ForwardTo","Value":"eve@evil.example"}]}`,
		`{"Id":"1","Operation":"FileAccessed","Workload":"OneDrive","UserId":"amy@fabrikam.com"}`,
		`{"AuditData":"{\"Id\":\"1\",\"Operation\":\"Set-Mailbox\",\"Workload\":\"Exchange\"}"}`, `{"AuditData":"{"}`, `{}`, `[]`, `{"time":"x","category":"AuditLogs","properties":{"id":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		short, err := Parse(text)
		if err == nil && !json.Valid(text) {
			t.Errorf("%s was taken for a record", text)
		}
		whole, err2 := Whole(text)
		if (err == nil) != (err2 == nil) {
			t.Errorf("%q: %v, and whole %v", text, err, err2)
		}
		if err == nil && short.Shape != whole.Shape {
			t.Errorf("%q is %s, and whole %s", text, short.Shape, whole.Shape)
		}
	})
}

// FuzzTime reads any text as a time: it is none, or one that a log can have.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-03-02T02:00:00", "2021-08-02T13:11:39.7724491Z", "4/28/2021, 3:05:26.000 PM", "2023-07-26 22:58:30.983201900", "/Date(1772416800000)/", "2024-11-27T03:31:26.7088498+00:00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if at := Time(s); !at.IsZero() && (at.Year() < 1999 || at.Year() > 2201 || at.Location() != time.UTC) {
			t.Errorf("%q: %v", s, at)
		}
	})
}

// FuzzAddress reads any text as an address; reading it again changes nothing.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "1.2.3.4:443", "[2001:db8::1]:443", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0", "[::1]:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a := addressOf(s); addressOf(a) != a {
			t.Errorf("%q: %q, then %q", s, a, addressOf(a))
		}
	})
}
