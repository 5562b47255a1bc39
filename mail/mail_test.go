package mail

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// letter is a mail with CRLF line ends.
func letter(lines ...string) []byte {
	return []byte(strings.Join(lines, "\r\n"))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func zipped(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	m := Parse(letter(
		`Received: from a by b; Mon, 3 Aug 2026 09:15:02 +0200`,
		`From: =?utf-8?q?J=C3=BCrgen?= "the Boss" <Juergen@Contoso.COM>`,
		`To: "Doe, Jane" <jane@contoso.com>, bob@contoso.com (Bob);`,
		`Cc: Team: a@x.org, b@x.org;`,
		`Subject: =?utf-8?b?`+b64("Überfällige")+`?= =?iso-8859-1?q?_Rechnung?=`,
		`Message-ID: <one@contoso.com>`,
		`References: <r1@x> <r2@x>`,
		`Date: Mon, 3 Aug 2026 09:15:00 +0200`,
		`MIME-Version: 1.0`,
		`Content-Type: multipart/mixed; boundary="out"`,
		``,
		`--out`,
		`Content-Type: multipart/alternative; boundary=alt`,
		``,
		`--alt`,
		`Content-Type: text/plain`,
		``,
		`plain words https://plain.example.org/x.`,
		`--alt`,
		`Content-Type: text/html; charset=utf-8`,
		`Content-Transfer-Encoding: quoted-printable`,
		``,
		`<p>Pay <a href=3D"https://eur01.safelinks.protection.outlook.com/?url=3Dhttps%3A%2F%2Flogin.evil.co.uk%2Fa&amp;data=3D1">here</a> in=`,
		`<span style=3D"display: none">xyz</span>voice</p><img src=3D"cid:logo">`,
		`--alt--`,
		`--out`,
		`Content-Type: application/zip; name="bill.zip"`,
		`Content-Transfer-Encoding: base64`,
		``,
		b64(zipped(t, "in/bill.html", `<a href="http://inside.example.net/">x</a>`)),
		`--out--`,
	))
	if m.Subject != "Überfällige Rechnung" || m.MessageID != "one@contoso.com" || len(m.References) != 2 || m.Received.IsZero() || m.Date.IsZero() {
		t.Errorf("subject %q, id %q, references %q, dates %v %v", m.Subject, m.MessageID, m.References, m.Received, m.Date)
	}
	if len(m.From) != 1 || m.From[0].Address != "Juergen@Contoso.COM" || m.From[0].Name != "Jürgen the Boss" || m.From[0].Domain() != "contoso.com" {
		t.Errorf("from %q", m.From)
	}
	if len(m.To) != 2 || m.To[0].Name != "Doe, Jane" || m.To[1] != (Address{"Bob", "bob@contoso.com"}) || len(m.Cc) != 2 || m.Cc[1].Address != "b@x.org" {
		t.Errorf("to %q, cc %q", m.To, m.Cc)
	}
	if !strings.Contains(m.Text, "Pay here invoice") || !strings.Contains(m.Other, "xyz") || !strings.Contains(m.Other, "plain words") {
		t.Errorf("text %q, other %q", m.Text, m.Other)
	}
	var urls []string
	for _, l := range m.Links {
		urls = append(urls, l.Where+" "+l.Domain+" "+l.URL+" "+l.Text)
	}
	want := []string{"text example.org https://plain.example.org/x ", "html evil.co.uk https://login.evil.co.uk/a here", "attachment example.net http://inside.example.net/ x"}
	if strings.Join(urls, "\n") != strings.Join(want, "\n") {
		t.Errorf("links:\n%s\nwant:\n%s", strings.Join(urls, "\n"), strings.Join(want, "\n"))
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Name != "bill.zip" || len(m.Attachments[0].SHA256) != 64 || len(m.Attachments[0].Inside) != 1 || m.Attachments[0].Inside[0].Name != "in/bill.html" {
		t.Errorf("attachments %+v", m.Attachments)
	}
	if len(m.Faults) != 0 || m.Lost != 0 {
		t.Errorf("faults %q, lost %b", m.Faults, m.Lost)
	}
	if s := m.SafeHTML(); !strings.Contains(s, `href="https://eur01`) || strings.Contains(s, "display") || strings.Contains(s, "cid:") {
		t.Errorf("safe HTML %s", s)
	}
}
