package web

import (
	"context"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
)

// seedExports makes an export of each kind and state.
func seedExports(s *site) {
	s.t.Helper()
	err := s.st.UpdateTenant(context.Background(), tenantID, func(tn *store.Tenant) error {
		d := seeder{s.t, tn, s.st.Clock().Now()}
		d.add(`insert into export_place (tenant, wanted, last) values ($1, $2, 20500412)`, true)
		d.add(`insert into export_run (tenant, last, at, things) values ($1, 20500412, $2, 'x')`, d.ago(42*time.Minute))
		for i, e := range []struct {
			kind, name, settings, state, because, mend string
			done, sent, failures, refused, lost        int64
		}{
			{"webhook", "Splunk " + evilScript, `{"address":"https://splunk.acme.example/…","form":"native","body":"splunk","header":"Authorization","batch":500,"wait_ms":500}`, "running", "", "", 20500412, 1200300, 0, 0, 0},
			{"syslog", "SOC", `{"address":"tls://siem.acme.example:6514","form":"ocsf","types":["FINDING","ACTION"],"batch":500,"wait_ms":500}`, "running", "it cannot be reached", "", 20417000, 84211, 9, 0, 1311},
			{"kafka", "Data lake", `{"address":"tls://b1.acme.example:9093,b2.acme.example:9093","form":"native","to":"tocsin-{type}","sasl":"scram-sha-512","user":"tocsin","batch":2000,"wait_ms":100}`, "paused", "the broker does not let it in, 3 times in a row; the export is paused", "Enter a user and a password that it lets in, and resume the export.", 19000000, 3, 3, 0, 0},
			{"nats", "Bus", `{"address":"tls://nats.acme.example:4222","form":"native","to":"tocsin.{tenant}.{type}.{action}","people":["a","b"],"batch":500,"wait_ms":500}`, "running", "", "", 20500300, 512, 0, 2, 0},
			{"file", "Archive", `{"form":"native","to":"events.jsonl","gzip":true,"max_mb":100,"max_hours":24,"keep":30,"batch":500,"wait_ms":500}`, "paused", "Paused by owner@tocsin.example.", "Resume it when it is to go on.", 20500000, 0, 0, 0, 0},
		} {
			var sentAt, failed, next int64
			if e.sent > 0 {
				sentAt = d.ago(time.Duration(i+1) * time.Hour)
			}
			if e.failures > 0 && e.state == "running" {
				failed, next = d.ago(40*time.Minute), d.ago(-3*time.Minute)
			}
			d.add(`insert into export (tenant, id, kind, name, settings, sealed, state, because, mend, done, done_at, sent, sent_at, failures, failed, next, buried, lost, lost_from, lost_to, created, created_by)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
				exportID(i), e.kind, e.name, e.settings, []byte("x"), e.state, e.because, e.mend, e.done, d.ago(time.Hour), e.sent, sentAt, e.failures, failed, next, e.refused, e.lost, d.ago(401*24*time.Hour), d.ago(400*24*time.Hour), d.ago(90*24*time.Hour), owner)
		}
		d.add(`insert into export_refused (tenant, export, event, at, because, body) values ($1, $2, 'e1', $3, 'it is larger than the server takes: 2000000 bytes', '{"event_id":"e1"}')`, exportID(3), d.ago(time.Hour))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func exportID(i int) string { return "00000000-0000-7000-8000-0000000000e" + string(rune('1'+i)) }

var pages = flag.String("pages", "", "write the pages of exports into this directory, to be looked at")

// TestExportPages: the pages of exports are sound, show each state in words, what an event looks like, and no secret.
func TestExportPages(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	look := func(name, path string) string {
		t.Helper()
		code, body := s.get(path)
		if code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
		sound(t, path, body)
		if *pages != "" {
			if err := os.WriteFile(*pages+"/"+name+".html", []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return body
	}
	if body := look("empty", at+"/settings/exports"); !strings.Contains(body, "Nothing is sent on") || !strings.Contains(body, "class_uid") || !strings.Contains(body, "event_id") {
		t.Errorf("empty:\n%.3000s", body)
	}
	for _, kind := range []string{"webhook", "syslog", "file", "nats", "kafka"} {
		look("new-"+kind, at+"/settings/exports/new?kind="+kind)
	}
	if code, _ := s.get(at + "/settings/exports/new?kind=pigeon"); code != http.StatusNotFound {
		t.Errorf("a kind that there is not: %d", code)
	}
	seedExports(s)
	body := look("list", at+"/settings/exports")
	for _, want := range []string{"Works", "Failing", "Paused", "Behind", "It cannot be reached", "83\u202f412", "1\u202f200\u202f300", "1\u202f311 lost", "findings, actions as OCSF", "tls://siem.acme.example:6514"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(body, "<script>alert") {
		t.Error("an export's name is markup")
	}
	for i := range 5 {
		look("export-"+exportID(i), at+"/settings/exports/"+exportID(i))
	}
	if _, body := s.get(at + "/settings/exports/" + exportID(1)); !strings.Contains(body, "1\u202f311 events were deleted before they could be sent.") {
		t.Error("what was lost is not said")
	}
	if _, body := s.get(at + "/settings/exports/" + exportID(3)); !strings.Contains(body, "It is larger than the server takes") {
		t.Error("what was refused is not said")
	}
}

// TestExportForms makes, tests, changes, pauses, rotates and forgets an export by the pages.
func TestExportForms(t *testing.T) {
	s := newSite(t)
	s.claim()
	s.fill()
	form := []string{"kind", "webhook", "name", "SIEM", "address", "https://127.0.0.1:1/secret-path", "credential", "Bearer secret-token", "form", "ocsf", "body", "array", "header", "X-Key", "type", "FINDING", "actions", "finding_raised, finding_fixed", "batch", "50", "wait", "0"}
	_, body := s.post(at+"/settings/exports", form...)
	if !strings.Contains(body, "does not call for others") || !strings.Contains(body, `value="SIEM"`) || strings.Contains(body, "secret-") || !strings.Contains(body, `value="X-Key"`) {
		t.Errorf("an address of the inside:\n%.3000s", body)
	}
	form[5] = "https://siem.invalid/secret-path"
	_, body = s.post(at+"/settings/exports", form...)
	if !strings.Contains(body, "whsec_") || !strings.Contains(body, "shown this once") {
		t.Fatalf("made:\n%.3000s", body)
	}
	sound(t, "made", body)
	may := api.WithCaller(t.Context(), api.Caller{Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}})
	get := func() api.Export {
		t.Helper()
		list, err := s.svc.ListExports(may, api.ListIn{In: api.In{Tenant: tenantID}})
		if err != nil || len(list.Items) != 1 {
			t.Fatalf("%v %v", list, err)
		}
		return list.Items[0]
	}
	e := get()
	if e.Form != "ocsf" || e.Body != "array" || e.Header != "X-Key" || len(e.Types) != 1 || len(e.Actions) != 2 || e.Batch != 50 || e.Wait != 0 || e.Address != "https://siem.invalid/…" {
		t.Errorf("made: %+v", e)
	}
	to := at + "/settings/exports/" + e.ID
	if _, body = s.get(to); strings.Contains(body, "whsec_") || strings.Contains(body, "secret-") {
		t.Error("a secret is shown again")
	}
	if _, body = s.post(to + "/test"); !strings.Contains(body, "The sample was not taken") || !strings.Contains(body, "banner bad") {
		t.Errorf("a test that cannot arrive:\n%.3000s", body)
	}
	edit := append([]string{"version", "1"}, form...)
	edit[5], edit[7], edit[9] = "Renamed", "", ""
	if _, body = s.post(to+"/edit", edit...); !strings.Contains(body, "The export “Renamed” was changed.") || !strings.Contains(body, "https://siem.invalid/…") {
		t.Errorf("changed:\n%.3000s", body)
	}
	if _, body = s.post(to+"/edit", edit...); !strings.Contains(body, "Somebody has changed the export meanwhile") {
		t.Errorf("changed twice:\n%.3000s", body)
	}
	if _, body = s.post(to + "/pause"); !strings.Contains(body, "The export is paused.") || get().State != "paused" {
		t.Errorf("paused: %+v", get())
	}
	if _, body = s.post(to + "/resume"); !strings.Contains(body, "goes on") || get().State != "new" {
		t.Errorf("resumed: %+v", get())
	}
	if _, body = s.post(to + "/rotate"); !strings.Contains(body, "whsec_") || !strings.Contains(body, "signed with the old one as well") {
		t.Errorf("rotated:\n%.3000s", body)
	}
	if _, body = s.post(to + "/delete"); !strings.Contains(body, "The export was forgotten.") {
		t.Errorf("forgotten:\n%.3000s", body)
	}
	if _, err := s.svc.GetExport(may, api.ByID{In: api.In{Tenant: tenantID}, ID: e.ID}); tocsin.AsProblem(err).Code != tocsin.NotFound {
		t.Errorf("it is still there: %v", err)
	}
}
