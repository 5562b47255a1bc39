package reported

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/store"
)

// phishFor is a phish with the Message-ID that a message of the simulator has.
func phishFor(internet string) string {
	return strings.ReplaceAll(phish, "<phish-1@paydesk.example>", internet)
}

// TestAttached: a mail that is sent to the reports mailbox as an attachment is found in the reporter's mailbox, kept as evidence, and the
// reporter is thanked once, however often the mailbox is looked into.
func TestAttached(t *testing.T) {
	each(t, func(b *bed) {
		id, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
		b.reports("amy", "FW: Your payslip", "Is this real?", phishFor(internet))
		b.got("reports", "bob@fabrikam.com", "a question")
		w := b.worker()
		b.work(w)
		b.work(w)
		list := b.all()
		if len(list) != 1 {
			b.Fatalf("%d reports", len(list))
		}
		m := list[0]
		if m.Way != Attached || m.State != Found || m.Person != b.person("amy") || m.Message != id || m.ReporterPerson != b.person("amy") || !m.Proven || m.Note != "Is this real?" || m.Status != "open" {
			b.Errorf("the report: %+v", m)
		}
		if m.Sender != "payroll@paydesk.example" || m.Subject != "Your payslip" || len(m.Read.Links) != 1 || !m.Read.Links[0].Deceives {
			b.Errorf("what was read: %+v", m)
		}
		must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
			it, raw, err := evidence.Open(b.Context(), t, b.keeper, m.Evidence)
			if err == nil && (strings.TrimSpace(string(raw)) != strings.TrimSpace(phishFor(internet)) || it.OriginID != m.ID) {
				b.Errorf("the evidence is %q, want %q", raw, phishFor(internet))
			}
			return err
		}))
		sent := b.mailIn("amy", "inbox", "Thank you for your report: Your payslip")
		if len(sent) != 1 {
			b.Errorf("amy was thanked %d times", len(sent))
		}
		if n := b.count(`select count(*) from reported_seen where tenant = $1 and outcome = 'passed'`); n < 1 {
			b.Error("the question was not dealt with")
		}
		b.quiet()
	})
}

// quiet holds that nothing was asked of Graph that may not be.
func (b *bed) quiet() {
	b.Helper()
	if v := b.w.Violations(); len(v) > 0 {
		b.Errorf("violations: %q", v)
	}
}

// TestForwarded: a mail whose text was forwarded is found by the Message-ID in the forwarding's head, and without one by what stands in it.
func TestForwarded(t *testing.T) {
	each(t, func(b *bed) {
		id, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
		second, _ := b.got("bob", "payroll@paydesk.example", "Your  bonus")
		body := "<p>Look.</p><hr><p><b>From:</b> Payroll &lt;payroll@paydesk.example&gt;<br><b>Sent:</b> some day<br><b>To:</b> me<br><b>Subject:</b> %s</p><p>Open it.</p>"
		b.puts("reports", "amy@fabrikam.com", "FW: Your payslip", fmt.Sprintf(body, "Your payslip"), map[string]string{"In-Reply-To": internet})
		b.puts("reports", "bob@fabrikam.com", "FW: Your bonus", fmt.Sprintf(body, "Your bonus"), nil)
		b.work(b.worker())
		list := b.all()
		if len(list) != 2 {
			b.Fatalf("%d reports", len(list))
		}
		for _, m := range list {
			want := map[string]string{"amy@fabrikam.com": id, "bob@fabrikam.com": second}[m.Reporter]
			if m.Way != Forwarded || m.State != Found || m.Message != want || m.Evidence == "" || len(m.Read.Links) == 0 {
				b.Errorf("%s: %+v", m.Reporter, m)
			}
		}
	})
}

// TestLost: a mail that is nowhere is lost, with the reason, and not "none"; so is one in a mailbox that lies outside what the configuration
// authorises, and one that somebody outside reported, who is not answered.
func TestLost(t *testing.T) {
	each(t, func(b *bed) {
		b.reports("amy", "FW: gone", "", phish)
		b.reports("partner@outside.example", "FW: outside", "", strings.ReplaceAll(phish, "phish-1", "phish-2"))
		b.exec(`update reported_inbox set asked = 0 where tenant = $1`)
		w := b.worker()
		must(b, w.Round(b.Context()))
		b.exec(`update reported_mail set at = $2, due = 0 where tenant = $1`, b.st.Clock().Now().Add(-hour))
		b.work(w)
		list := b.all()
		if len(list) != 2 {
			b.Fatalf("%d reports", len(list))
		}
		for _, m := range list {
			if m.State != Lost || m.Because == "" || m.Mend == "" || m.Evidence == "" {
				b.Errorf("%s: %s, because %q", m.Reporter, m.State, m.Because)
			}
			if outside := m.Reporter == "partner@outside.example"; outside != (m.ReporterPerson == "") || outside && m.Proven {
				b.Errorf("%s: %q, proven %v", m.Reporter, m.ReporterPerson, m.Proven)
			}
		}
		if n := b.count(`select count(*) from reported_reply where tenant = $1 and address = 'partner@outside.example'`); n != 0 {
			b.Errorf("somebody outside is answered %d times", n)
		}
		b.update(func(ctx context.Context, t *store.Tenant) error {
			m := list[0]
			if m.Reporter != "partner@outside.example" {
				m = list[1]
			}
			_, err := Answer(ctx, t, "jo@example.com", m.ID, "x")
			if p, ok := errors.AsType[*tocsin.Problem](err); !ok || p.Code != tocsin.Conflict {
				b.Errorf("an answer to somebody outside: %v", err)
			}
			return nil
		})
	})
}

// TestPress: of a press of the add-in's button nothing is believed: a mail that is in the mailbox named is found, kept and proven, and one that is
// not is lost and its reporter not thanked; twice is once; very many are too many.
func TestPress(t *testing.T) {
	each(t, func(b *bed) {
		_, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
		press := func(mailbox, internet string) (id string, again bool, err error) {
			err = b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) {
				id, again, err = Press(b.Context(), t, mailbox, internet, "odd")
				return err
			})
			return id, again, err
		}
		first, again, err := press("Amy@Fabrikam.com", internet)
		if err != nil || again {
			b.Fatal(again, err)
		}
		if same, again, err := press("amy@fabrikam.com", strings.ToUpper(internet)); err != nil || !again || same != first {
			b.Errorf("a second time: %v, %v", again, err)
		}
		if _, _, err := press("bob@fabrikam.com", internet); err != nil { // who does not have it
			b.Fatal(err)
		}
		if _, _, err := press("nobody@fabrikam.com", internet); err == nil {
			b.Error("nobody reported it")
		}
		w := b.worker()
		must(b, w.Round(b.Context()))
		b.exec(`update reported_mail set at = $2, due = 0 where tenant = $1 and state = 'looking'`, b.st.Clock().Now().Add(-hour))
		b.work(w)
		for _, m := range b.all() {
			amy := m.Reporter == "amy@fabrikam.com"
			if amy != (m.State == Found) || amy != m.Proven || amy != (m.Evidence != "") {
				b.Errorf("%s: %+v", m.Reporter, m)
			}
		}
		if n := len(b.mailIn("bob", "inbox", "Thank you for your report: (no subject)")); n != 0 {
			b.Errorf("bob was thanked %d times for what he does not have", n)
		}
		if n := len(b.mailIn("amy", "inbox", "Thank you for your report: Your payslip")); n != 1 {
			b.Errorf("amy was thanked %d times", n)
		}
		for i := range 40 {
			_, _, err = press("amy@fabrikam.com", fmt.Sprintf("<flood-%d@x.example>", i))
		}
		if p, ok := errors.AsType[*tocsin.Problem](err); !ok || p.Code != tocsin.Throttled {
			b.Errorf("a flood: %v", err)
		}
	})
}

// TestJudge: a verdict on every report of a mail answers each reporter once, in the template's words; it is taken back; who looked at another
// version is told.
func TestJudge(t *testing.T) {
	each(t, func(b *bed) {
		for _, who := range []string{"amy", "bob", "amy"} {
			b.reports(who, "FW: payslip "+fmt.Sprint(b.day), "", phish)
		}
		w := b.worker()
		must(b, w.Round(b.Context()))
		list := b.all()
		if len(list) != 3 || list[0].Alike != list[1].Alike || list[1].Alike != list[2].Alike {
			b.Fatalf("%d reports of one mail", len(list))
		}
		b.update(func(ctx context.Context, t *store.Tenant) error {
			if _, err := Judge(ctx, t, "jo@example.com", list[0].ID, Verdict{Is: Malicious, Version: list[0].Version + 7}); err != errStale {
				b.Errorf("another version: %v", err)
			}
			return nil
		})
		b.update(func(ctx context.Context, t *store.Tenant) error {
			m, err := Get(ctx, t, list[0].ID)
			if err != nil {
				return err
			}
			judged, err := Judge(ctx, t, "jo@example.com", m.ID, Verdict{Is: Malicious, Note: "A kit.", All: true, Reply: true, Version: m.Version})
			if err == nil && len(judged) != 3 {
				b.Errorf("%d were judged", len(judged))
			}
			return err
		})
		b.exec(`update reported_mail set at = $2, due = 0 where tenant = $1 and state = 'looking'`, b.st.Clock().Now().Add(-hour))
		b.work(w)
		for _, m := range b.all() {
			if m.Status != "judged" || m.Verdict != Malicious || m.JudgedBy != "jo@example.com" {
				b.Errorf("%+v", m)
			}
		}
		for _, who := range []string{"amy", "bob"} {
			if n := len(b.mailIn(who, "inbox", "You were right: Your payslip")); n != 1 {
				b.Errorf("%s was answered %d times", who, n)
			}
		}
		b.update(func(ctx context.Context, t *store.Tenant) error {
			m, err := Get(ctx, t, list[0].ID)
			if err != nil {
				return err
			}
			if _, err = Judge(ctx, t, "jo@example.com", m.ID, Verdict{Is: "open", Version: m.Version}); err != nil {
				return err
			}
			if m, err = Get(ctx, t, m.ID); err == nil && (m.Status != "open" || m.Verdict != "" || !m.Judged.IsZero()) {
				b.Errorf("taken back: %+v", m)
			}
			return err
		})
	})
}

// TestKilled: a worker that is killed between any two of its steps is followed by another, which ends what was begun: one report, one piece of
// evidence, one answer in the reporter's mailbox.
func TestKilled(t *testing.T) {
	for _, point := range []string{"read", "found", "trying", "drafted", "recorded", "sent"} {
		t.Run(point, func(t *testing.T) {
			each(t, func(b *bed) {
				_, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
				b.reports("amy", "FW: Your payslip", "", phishFor(internet))
				w := b.worker()
				met := 0
				w.at = func(at string) error {
					if at == point {
						met++
						return errKilled
					}
					return nil
				}
				for range 3 { // each time at the same place
					if err := w.Round(b.Context()); err != nil && !errors.Is(err, errKilled) {
						b.Fatal(err)
					}
					b.exec(`update reported_reply set due = 0 where tenant = $1 and state not in ('sent', 'unknown', 'failed')`)
				}
				if met == 0 {
					b.Fatal("the point was not met")
				}
				b.work(b.worker())
				b.once()
			})
		})
	}
}

// once holds that one mail was reported, kept once, and answered once.
func (b *bed) once() {
	b.Helper()
	if list := b.all(); len(list) != 1 || list[0].State != Found {
		b.Errorf("reports: %+v", list)
	}
	if n := b.count(`select count(*) from evidence where tenant = $1`); n != 1 {
		b.Errorf("%d pieces of evidence", n)
	}
	if n := len(b.mailIn("amy", "inbox", "Thank you for your report: Your payslip")); n != 1 {
		b.Errorf("amy got %d answers", n)
	}
	if n := b.count(`select count(*) from reported_reply where tenant = $1 and state = 'sent'`); n != 1 {
		b.Errorf("%d answers are said to be sent", n)
	}
}

// TestTrouble: what Graph answers badly is tried again, and what it did all the same is not done twice.
func TestTrouble(t *testing.T) {
	for name, f := range map[string]sim.Fault{
		"the sending worked and said 504":    {Path: "users/*/messages/*/send", Kind: sim.Lost, Times: 2},
		"the answer to the sending was cut":  {Path: "users/*/messages/*/send", Kind: sim.Cut, Times: 1},
		"the draft was made and said 504":    {Path: "users/*/messages", Method: "POST", Kind: sim.Lost, Times: 1},
		"everything is throttled for a time": {Kind: sim.Throttle, Times: 12, After: "1"},
		"every call breaks now and then":     {Kind: sim.Broken, Every: 3, Times: 12},
		"the mailbox cannot be listed":       {Path: "users/*/mailFolders/inbox/messages", Kind: sim.Broken, Times: 6},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bed) {
				_, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
				b.reports("amy", "FW: Your payslip", "", phishFor(internet))
				must(b, b.w.Fault(f))
				w := b.worker()
				for range 6 {
					_ = w.Round(b.Context()) // it says on the rows what is in the way
					b.exec(`update reported_reply set due = 0 where tenant = $1 and state not in ('sent', 'unknown', 'failed')`)
					b.exec(`update reported_mail set due = 0 where tenant = $1 and state = 'looking'`)
					b.exec(`update reported_seen set due = 0 where tenant = $1`)
					b.exec(`update reported_inbox set asked = 0 where tenant = $1`)
				}
				b.w.Heal()
				b.work(w)
				b.once()
			})
		})
	}
}

// TestSentUnknown: where the draft is gone and nowhere among what was sent, nobody can tell: it is said, and not sent again.
func TestSentUnknown(t *testing.T) {
	each(t, func(b *bed) {
		_, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
		b.reports("amy", "FW: Your payslip", "", phishFor(internet))
		w := b.worker()
		w.at = func(at string) error {
			if at == "recorded" {
				return errKilled
			}
			return nil
		}
		err := w.Round(b.Context()) // the answer is written down in the first, and sent in the second
		for range 3 {
			if err == nil {
				err = w.Round(b.Context())
			}
		}
		if !errors.Is(err, errKilled) {
			b.Fatal(err)
		}
		drafts := b.mailIn("reports", "drafts", "")
		if len(drafts) != 1 {
			b.Fatalf("%d drafts", len(drafts))
		}
		must(b, b.gc.Act(b.Context(), "messages.purge", map[string]string{"user": b.object["reports"], "message": drafts[0].ID}, nil, nil))
		b.work(b.worker())
		if n := b.count(`select count(*) from reported_reply where tenant = $1 and state = 'unknown'`); n != 1 {
			b.Errorf("%d answers are unknown", n)
		}
		if n := len(b.mailIn("amy", "inbox", "Thank you for your report: Your payslip")); n != 0 {
			b.Errorf("amy got %d", n)
		}
	})
}

// TestRefusedInbox: a reports mailbox that cannot be read says why, and nothing is lost of it when it can be.
func TestRefusedInbox(t *testing.T) {
	each(t, func(b *bed) {
		_, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
		b.reports("amy", "FW: Your payslip", "", phishFor(internet))
		b.exec(`update capability set state = 'off', because = 'Mail.ReadWrite is not granted.', mend = 'Grant it.' where tenant = $1 and name = $2`, connect.Investigations)
		w := b.worker()
		must(b, w.Round(b.Context()))
		var in Inbox
		must(b, b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) {
			in, err = InboxOf(b.Context(), t, b.person("reports"))
			return err
		}))
		if in.Because != "Mail.ReadWrite is not granted." || in.Mend == "" {
			b.Errorf("it says %q, %q", in.Because, in.Mend)
		}
		b.exec(`update capability set state = 'works' where tenant = $1`)
		b.exec(`update reported_inbox set asked = 0 where tenant = $1`)
		b.work(w)
		b.once()
	})
}

// TestPlaced: where sending is not granted the answer is put into the reporter's mailbox as a message that has come: once, whatever breaks.
func TestPlaced(t *testing.T) {
	for _, broken := range []string{"", "trying", "placed", "lost"} {
		t.Run(broken, func(t *testing.T) {
			each(t, func(b *bed) {
				b.exec(`update capability set state = 'off', because = 'Mail.Send is not granted.', mend = 'Grant it.' where tenant = $1 and name = $2`, connect.MailSend)
				_, internet := b.got("amy", "payroll@paydesk.example", "Your payslip")
				b.reports("amy", "FW: Your payslip", "", phishFor(internet))
				w := b.worker()
				w.at = func(at string) error {
					if at == broken {
						return errKilled
					}
					return nil
				}
				if broken == "lost" {
					must(b, b.w.Fault(sim.Fault{Path: "users/*/mailFolders/inbox/messages", Method: "POST", Kind: sim.Lost, Times: 1}))
				}
				if err := w.Round(b.Context()); err != nil && !errors.Is(err, errKilled) {
					b.Fatal(err)
				}
				b.work(b.worker())
				b.once()
				if n := b.count(`select count(*) from reported_reply where tenant = $1 and way = 'place'`); n != 1 {
					b.Errorf("%d answers were placed", n)
				}
				got := b.mailIn("amy", "inbox", "Thank you for your report: Your payslip")
				if len(got) != 1 || got[0].IsDraft || got[0].From == nil || got[0].From.EmailAddress.Address != "reports@fabrikam.com" {
					b.Errorf("amy got %+v", got)
				}
			})
		})
	}
}
