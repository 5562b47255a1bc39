package reported

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	mime "tocsin.dev/mail"
)

const phish = "From: \"Payroll\" <payroll@paydesk.example>\r\nTo: amy@fabrikam.com\r\nReply-To: collect@elsewhere.example\r\nSubject: Your payslip\r\nMessage-ID: <phish-1@paydesk.example>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\n" +
	"Authentication-Results: spf=fail (sender IP is 203.0.113.7) smtp.mailfrom=paydesk.example; dkim=none; dmarc=fail action=quarantine header.from=paydesk.example;compauth=fail reason=001\r\n" +
	"Authentication-Results: mx.forged.example; spf=pass; dmarc=pass\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Open <a href=\"https://paydesk-login.example/a\">https://portal.fabrikam.com/payslip</a></p>\r\n"

// attached is a report with mails attached, as Outlook sends one.
func attached(from, note string, mails ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\nTo: reports@fabrikam.com\r\nSubject: FW: look at this\r\nMessage-ID: <report-%d@fabrikam.com>\r\nX-MS-Exchange-Organization-AuthAs: Internal\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", from, len(mails), note)
	for i, m := range mails {
		if i%2 == 0 {
			fmt.Fprintf(&b, "--b1\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"mail %d.eml\"\r\n\r\n%s\r\n", i, m)
		} else { // as a file, as some programs do
			fmt.Fprintf(&b, "--b1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"mail %d.EML\"\r\n\r\n%s\r\n", i, base64.StdEncoding.EncodeToString([]byte(m)))
		}
	}
	b.WriteString("--b1--\r\n")
	return []byte(b.String())
}

func TestReadAttached(t *testing.T) {
	other := strings.ReplaceAll(strings.ReplaceAll(phish, "phish-1", "phish-2"), "Your payslip", "Your bonus")
	r := Read(attached("Amy Adams <amy@fabrikam.com>", "Is this real?\r\n\r\n-- \r\n", phish, other))
	if r.From.Address != "amy@fabrikam.com" || r.From.Name != "Amy Adams" || !r.Inside || r.Machine {
		t.Errorf("the reporter: %+v", r)
	}
	if !strings.HasPrefix(r.Note, "Is this real?") {
		t.Errorf("the note: %q", r.Note)
	}
	if len(r.Mails) != 2 {
		t.Fatalf("%d mails", len(r.Mails))
	}
	for i, want := range []struct{ id, subject string }{{"<phish-1@paydesk.example>", "Your payslip"}, {"<phish-2@paydesk.example>", "Your bonus"}} {
		m := r.Mails[i]
		if len(m.MessageID) != 1 || m.MessageID[0] != want.id || m.Subject != want.subject || m.Sender != "payroll@paydesk.example" || m.Name != "Payroll" {
			t.Errorf("mail %d: %+v", i, m)
		}
		if got := mime.Parse(m.Raw); got.MessageID != strings.Trim(want.id, "<>") {
			t.Errorf("mail %d is not whole: %q", i, got.MessageID)
		}
	}
}

// TestReadForwarded: what programs write before what they forward is read in the languages they write it in; the Message-ID stands in the head.
func TestReadForwarded(t *testing.T) {
	head := "From: amy@fabrikam.com\r\nSubject: FW: Your payslip\r\nIn-Reply-To: <phish-1@paydesk.example>\r\nReferences: <older@paydesk.example> <phish-1@paydesk.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	for name, text := range map[string]string{
		"Outlook":    "Please look.\r\n\r\n________________________________\r\nFrom: Payroll <payroll@paydesk.example>\r\nSent: Monday, March 2, 2026 9:00 AM\r\nTo: Amy Adams <amy@fabrikam.com>\r\nSubject: Your payslip\r\n\r\nOpen it.",
		"Gmail":      "Please look.\r\n\r\n---------- Forwarded message ---------\r\nFrom: Payroll <payroll@paydesk.example>\r\nDate: Mon, Mar 2, 2026 at 9:00 AM\r\nSubject: Your payslip\r\nTo: <amy@fabrikam.com>\r\n\r\nOpen it.",
		"Apple":      "Please look.\r\n\r\nBegin forwarded message:\r\n\r\n> From: Payroll <payroll@paydesk.example>\r\n> Subject: Your payslip\r\n> Date: 2 March 2026 at 09:00:00 GMT\r\n> To: amy@fabrikam.com\r\n>\r\n> Open it.",
		"German":     "Please look.\r\n\r\nVon: Payroll <payroll@paydesk.example>\r\nGesendet: Montag, 2. März 2026 09:00\r\nAn: Amy Adams <amy@fabrikam.com>\r\nBetreff: Your payslip\r\n\r\nOpen it.",
		"French":     "Please look.\r\n\r\nDe : Payroll <payroll@paydesk.example>\r\nEnvoyé : lundi 2 mars 2026 09:00\r\nÀ : Amy Adams <amy@fabrikam.com>\r\nObjet : Your payslip\r\n\r\nOpen it.",
		"Japanese":   "Please look.\r\n\r\n差出人: Payroll <payroll@paydesk.example>\r\n送信日時: 2026年3月2日 9:00\r\n宛先: amy@fabrikam.com\r\n件名: Your payslip\r\n\r\nOpen it.",
		"in bold":    "Please look.\r\n\r\n*From:* Payroll <payroll@paydesk.example>\r\n*Sent:* Monday, March 2, 2026 9:00 AM\r\n*To:* amy@fabrikam.com\r\n*Subject:* Your payslip\r\n\r\nOpen it.",
		"a mail: to": "Please look.\r\n\r\nFrom: Payroll [mailto:payroll@paydesk.example]\r\nSent: Monday, March 2, 2026 9:00 AM\r\nTo: Amy\r\nSubject: Your payslip\r\n\r\nOpen it.",
	} {
		t.Run(name, func(t *testing.T) {
			r := Read([]byte(head + text))
			if len(r.Mails) != 1 {
				t.Fatalf("%d mails", len(r.Mails))
			}
			m := r.Mails[0]
			if m.Raw != nil || m.Sender != "payroll@paydesk.example" || m.Name != "Payroll" || m.Subject != "Your payslip" {
				t.Errorf("%+v", m)
			}
			if len(m.MessageID) != 2 || m.MessageID[0] != "<phish-1@paydesk.example>" {
				t.Errorf("Message-IDs: %q", m.MessageID)
			}
			if r.Note != "Please look." {
				t.Errorf("the note: %q", r.Note)
			}
			if name == "Outlook" && !m.Date.Equal(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)) {
				t.Errorf("the date: %v", m.Date)
			}
		})
	}
}

// TestReadNothing: what reports no mail is no report, and what no person wrote says so.
func TestReadNothing(t *testing.T) {
	for name, c := range map[string]struct {
		raw     string
		machine bool
	}{
		"a question":    {"From: amy@fabrikam.com\r\nSubject: Hello\r\n\r\nFrom: now on, who do I ask? Subject: to approval, to: whom?\r\n", false},
		"out of office": {"From: amy@fabrikam.com\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <x@y>\r\n\r\nI am away.\r\n", true},
		"a bounce":      {"From: postmaster@fabrikam.com\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + phish + "\r\n--b--\r\n", true},
		"our own":       {"From: reports@fabrikam.com\r\nX-Tocsin-Reply: 1\r\n\r\nThanks\r\n", true},
		"nothing":       {"", false},
	} {
		r := Read([]byte(c.raw))
		if r.Machine != c.machine || !c.machine && len(r.Mails) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if many := Read(attached("a@b.example", "", strings.Split(strings.Repeat(phish+"\x00", 40), "\x00")[:40]...)); len(many.Mails) != mostInOne {
		t.Errorf("of 40 mails %d were taken", len(many.Mails))
	}
}

// TestReading: what an analyst sees first: links that deceive, and the checks of the server that received the mail and of none further out.
func TestReading(t *testing.T) {
	r := ReadingOf(mime.Parse([]byte(phish)))
	if len(r.Links) != 1 || r.Links[0].Domain != "paydesk-login.example" || !r.Links[0].Deceives {
		t.Errorf("links: %+v", r.Links)
	}
	want := []Check{{"spf", "fail", "paydesk.example"}, {"dkim", "none", ""}, {"dmarc", "fail", "paydesk.example"}, {"compauth", "fail", ""}}
	if fmt.Sprint(r.Checks) != fmt.Sprint(want) {
		t.Errorf("checks: %v", r.Checks)
	}
	if len(r.ReplyTo) != 1 || r.ReplyTo[0] != "collect@elsewhere.example" {
		t.Errorf("answers go to %q", r.ReplyTo)
	}
	for text, want := range map[string]bool{"click here": false, "report.pdf": false, "https://fabrikam.com/x": true, "www.paydesk-login.example": false, "paydesk-login.example": false, "Version 2.0 of it": false, "bank.co.uk": true} {
		if got := deceives(mime.Link{URL: "https://paydesk-login.example/", Domain: "paydesk-login.example", Text: text}); got != want {
			t.Errorf("a link with the text %q deceives: %v", text, got)
		}
	}
}

func TestTemplates(t *testing.T) {
	m := &Mail{Reporter: "amy@fabrikam.com", Subject: "{sender} {name}\r\nBcc: all@x.example", Sender: "evil@x.example"}
	for verdict, p := range Templates() {
		subject, text := p.fill(m)
		if strings.ContainsAny(subject, "\r\n") || len([]rune(subject)) > 250 {
			t.Errorf("%s: the subject %q", verdict, subject)
		}
		if !strings.Contains(text, "{sender} {name} Bcc:") || !strings.Contains(text, "amy") {
			t.Errorf("%s: what a stranger wrote was filled in: %q", verdict, text)
		}
	}
}

// FuzzRead: whatever comes to the reports mailbox is read in bounded time, and never more mails than are taken.
func FuzzRead(f *testing.F) {
	f.Add(attached("amy@fabrikam.com", "note", phish, phish))
	f.Add([]byte("From: a@b\r\nSubject: FW: x\r\n\r\nFrom: x <a@b>\nSent: y\nTo: z\nSubject: s\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := Read(raw)
		if len(r.Mails) > mostInOne || len([]rune(r.Note)) > 2000 {
			t.Fatalf("%d mails, a note of %d", len(r.Mails), len(r.Note))
		}
		for _, m := range r.Mails {
			_ = ReadingOf(mime.Parse(m.Raw))
		}
	})
}
