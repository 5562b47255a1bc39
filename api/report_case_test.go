package api_test

import (
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestReportCase: the document of a case tells the question, what was not searched, what was found and done, who was inside, what is kept and who
// looked; it stands by itself, and what strangers wrote in it does nothing.
func TestReportCase(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		update := func(q string, args ...any) {
			t.Helper()
			if err := st.UpdateTenant(t.Context(), acme, func(tt *store.Tenant) error { _, err := tt.Exec(t.Context(), q, args...); return err }); err != nil {
				t.Fatal(err)
			}
		}
		id := caseOf(acme)
		update(`update mail_match set subject = $2, state = 'acted' where tenant = $1`, `<script>alert("x")</script> payslip`+"\u202e")
		update(`insert into search_run (tenant, id, investigation, n, version, query, cause, state, mailboxes, searched, incomplete, started) values ($1, 'run', $2, 1, 1, 'q', 'jo@example.com', 'done', 3, 2, 1, 1)`, id)
		update(`insert into search_mailbox (tenant, run, person, address, object_id, state, because, changed) values ($1, 'run', 'x', 'x@acme.example', 'o', 'incomplete', 'The mailbox is on hold.', 1)`)
		update(`insert into mail_act (tenant, id, investigation, kind, state, options, why, plan, asked_by, asked_email, approved_email, created, changed) values ($1, 'act', $2, 'quarantine', 'done', '{}', 'It is a phish.', '{}', 'a', 'jo@example.com', 'mia@example.com', 1, 1)`, id)
		update(`insert into mail_act_count (tenant, act, part, state, n) values ($1, 'act', 'mail', 'done', 1)`)
		update(`update reported_mail set investigation = $2, verdict = 'malicious', status = 'judged' where tenant = $1`, id)
		call[api.MailPreview](t, s.owner, "reported preview", api.LookIn{ByID: api.ByID{In: in(acme), ID: reportedOf(acme)}, Body: api.Reason{Reason: "To judge the payslip."}})
		doc := call[api.Report](t, s.owner, "investigations report", api.ByID{In: in(acme), ID: id})
		for _, want := range []string{"subject:payslip", "The mailbox is on hold.", "Nothing is known of these mailboxes", "Quarantine", "It is a phish.", "approved by mia@example.com", "1 Done", "Malicious", "Sent from inside", "jane@" + domainOf(acme),
			"To judge the payslip.", keptMail(t, acme)[0].(string), "&lt;script&gt;", "[U&#43;202E]", "every mailbox that the connection may search"} {
			if !strings.Contains(doc.HTML, want) {
				t.Errorf("the document lacks %q", want)
			}
		}
		for _, no := range []string{"<script", "javascript:", "http://", "https://", "\u202e"} {
			if strings.Contains(doc.HTML, no) {
				t.Errorf("the document has %q", no)
			}
		}
		people := call[api.Page[api.Insider]](t, s.owner, "investigations insiders", api.ByID{In: in(acme), ID: id})
		if len(people.Items) != 1 || people.Items[0].Person != tocsin.PersonID(personOf(acme)) || people.Items[0].Mails != 1 || len(people.Items[0].Acts) == 0 {
			t.Errorf("inside: %+v", people.Items)
		}
	})
}

// TestLooks: a mail's content is given to who says why, from what is kept; each look is in the trail and at the mail. What was altered does not
// open, and a look that cannot be had leaves none.
func TestLooks(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		look := api.LookIn{ByID: api.ByID{In: in(acme), ID: reportedOf(acme)}, Body: api.Reason{Reason: "To judge it."}}
		p := call[api.MailPreview](t, s.owner, "reported preview", look)
		if p.Subject != "Payslip" || !p.Kept || p.SHA256 != keptMail(t, acme)[0] || !strings.Contains(p.Text, "Hi") {
			t.Errorf("%+v", p)
		}
		f := call[api.EvidenceFile](t, s.owner, "reported download", look)
		if string(f.EML) != "Subject: Payslip\r\n\r\nHi\r\n" || f.Size != 24 {
			t.Errorf("%+v", f)
		}
		if err := s.owner.Do(t.Context(), "reported preview", api.LookIn{ByID: look.ByID, Body: api.Reason{Reason: "x"}}, nil); code(err) != tocsin.Invalid {
			t.Errorf("without a reason: %v", err)
		}
		d := call[api.ReportedMailDetail](t, s.owner, "reported get", look.ByID)
		if len(d.Looks) != 2 || d.Looks[0].What != "downloaded" || d.Looks[1].What != "shown" || d.Looks[0].Reason != "To judge it." || d.Looks[0].Who != "owner@tocsin.example" {
			t.Errorf("looks: %+v", d.Looks)
		}
		if n := s.trailOf(t, "reported preview"); n != 2 { // one of them refused
			t.Errorf("%d entries in the trail", n)
		}
		if err := st.UpdateTenant(t.Context(), acme, func(tt *store.Tenant) error {
			_, err := tt.Exec(t.Context(), `update evidence set sha256 = 'ff' where tenant = $1`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.owner.Do(t.Context(), "reported preview", look, nil); err == nil || code(err) != tocsin.Internal {
			t.Errorf("altered: %v", err)
		}
		if d := call[api.ReportedMailDetail](t, s.owner, "reported get", look.ByID); len(d.Looks) != 2 {
			t.Errorf("%d looks", len(d.Looks))
		}
	})
}
