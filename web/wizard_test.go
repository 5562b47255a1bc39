package web

import (
	"net/http"
	"strings"
	"testing"

	"tocsin.dev/connect"
)

// copied are the texts that the page's copy buttons copy.
func copied(t *testing.T, page string) []string {
	t.Helper()
	var out []string
	for _, n := range nodes(t, page) {
		if n.Data == "button" && hasAttr(n, "data-copy") {
			out = append(out, attr(n, "data-copy"))
		}
	}
	return out
}

// TestWizard: both ways stand side by side; the permissions are those of what is ticked; scripts can be copied whole; where
// something is lacking, the page says what.
func TestWizard(t *testing.T) {
	s := newSite(t)
	s.claim()
	_, body := s.get("/connect?for=entra")
	for _, want := range []string{"Sign in and consent", "API credentials", "User.Read.All", connect.WhoMayConsent, "no app registration for this yet"} {
		if !strings.Contains(saying(t, body), want) {
			t.Errorf("the first step does not say %q", want)
		}
	}
	if strings.Contains(body, "MailboxSettings.Read") {
		t.Error("what Outlook needs is asked for Entra alone")
	}
	_, body = s.get("/connect?way=credentials&for=outlook")
	guide := connect.MakeGuide(connect.Read, connect.ByCredentials, []connect.Product{connect.Outlook}, "", "")
	for _, want := range []string{guide.Manifest, guide.AzureCLI, guide.PowerShell} {
		found := false
		for _, c := range copied(t, body) {
			found = found || c == want
		}
		if !found {
			t.Errorf("nothing copies\n%s", want)
		}
	}
	_, body = s.get("/connect?way=oauth&tenant=%22%3E%3Cscript%3E")
	if !strings.Contains(saying(t, body), "No app registration is entered for this tier.") {
		t.Errorf("without a registration:\n%s", body)
	}
	sound(t, "/connect?way=oauth", body)
	code, body := s.post("/connect/consent", "tier", "read", "for", "outlook")
	if code != http.StatusNotFound || !strings.Contains(saying(t, body), "No app registration is entered for the tier read.") {
		t.Errorf("begun without a registration: %d\n%s", code, body)
	}
	for _, path := range []string{"/connect?tier=all", "/connect?for=excel", "/settings/registrations?tier=all"} {
		if code, _ := s.get(path); code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// TestRegistrationsPage: a credential is entered and never shown again; what is refused is said beside what was typed.
func TestRegistrationsPage(t *testing.T) {
	s := newSite(t)
	s.claim()
	const client = "b0f8a1d2-7a41-4d7e-8f2f-3c1d2a9e7b10"
	code, body := s.post("/settings/registrations", "tier", "read", "client_id", client, "method", "certificate", "certificate", "no certificate", "cloud", "usgov")
	if code != http.StatusUnprocessableEntity || !strings.Contains(body, client) || !strings.Contains(body, `value="usgov" selected`) || strings.Contains(body, "no certificate<") {
		t.Errorf("refused: %d\n%s", code, body)
	}
	code, body = s.post("/settings/registrations", "tier", "read", "client_id", client, "method", "secret", "client_secret", "s3cr3t-value", "cloud", "global")
	if code != http.StatusOK || !strings.Contains(body, "The app registration is entered.") || strings.Contains(body, "s3cr3t-value") {
		t.Errorf("entered: %d\n%s", code, body)
	}
	if _, body = s.get("/connect"); strings.Contains(saying(t, body), "no app registration for this yet") {
		t.Error("the wizard does not know of it")
	}
	if _, body = s.post("/settings/registrations", "tier", "read", "do", "delete"); !strings.Contains(body, "are forgotten") {
		t.Errorf("forgotten:\n%s", body)
	}
}

// saying is what a page says.
func saying(t *testing.T, page string) string {
	t.Helper()
	return textOf(root(t, page))
}
