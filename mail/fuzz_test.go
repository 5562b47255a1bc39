package mail

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse gives any bytes to the reader: it does not panic, keeps its limits, and says the same again.
func FuzzParse(f *testing.F) {
	f.Add(letter("From: a@b", "Subject: =?utf-8?q?x?=", "Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Type: text/html", "", "<a href=http://x.example>y</a>", "--b--"))
	f.Add(letter("Content-Type: message/rfc822", "", "Subject: x", "", "y"))
	f.Add(letter(`Content-Type: application/zip; name*0="a"; name*1=".zip"`, "Content-Transfer-Encoding: base64", "", b64(zipped(f, "a.html", "<img src=//x.example>"))))
	f.Add([]byte("From x Mon Jan 1 00:00\nno header\n\n\xff\xfe begin 644 x\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		m := Parse(raw)
		if len(m.Links) > MaxLinks || len(m.Faults) > 100 || !utf8.ValidString(m.Subject) || !utf8.ValidString(m.Text) || !utf8.ValidString(m.Other) {
			t.Errorf("%d links, %d faults, subject %q", len(m.Links), len(m.Faults), m.Subject)
		}
		for _, h := range m.Header {
			if !utf8.ValidString(h.Value) || h.Name == "" {
				t.Errorf("field %q", h)
			}
		}
		if s := strings.ToLower(m.SafeHTML()); strings.Contains(s, "<script") || strings.Contains(s, "<iframe") {
			t.Errorf("unsafe: %s", s)
		}
		if again := Parse(raw); again.Text != m.Text || len(again.Links) != len(m.Links) || len(again.Attachments) != len(m.Attachments) {
			t.Error("a second reading differs")
		}
	})
}
