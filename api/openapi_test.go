package api_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"tocsin.dev/api"
	"tocsin.dev/store/storetest"
)

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// TestOpenAPI holds the description of the REST interface to the one that was looked at: go test ./api -run OpenAPI -update.
func TestOpenAPI(t *testing.T) {
	got, err := api.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the OpenAPI document is another than %s; look at the difference, and write it with -update", golden)
	}
	doc, err := openapi3.NewLoader().LoadFromData(got)
	if err != nil {
		t.Fatalf("it does not load: %v", err)
	}
	operations := 0
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			operations++
			if o.Summary == "" || o.OperationID == "" || o.Responses.Default() == nil {
				t.Errorf("%s %s lacks a summary, an id or the problem", method, path)
			}
		}
	}
	if operations != len(api.Ops(nil)) {
		t.Errorf("the document has %d operations, the table %d", operations, len(api.Ops(nil)))
	}
}

// TestServedOpenAPI asks the server for the document, and for addresses that are not there.
func TestServedOpenAPI(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	b := s.browser(t)
	if a := b.do("GET", "/api/v1/openapi.json", nil); a.status != 200 || !strings.Contains(string(a.body), `"openapi":"3.1.0"`) {
		t.Errorf("openapi.json: %d", a.status)
	}
	for _, path := range []string{"/api/v1/nothing", "/api/", "/api/v2/tenants"} {
		if a := b.do("GET", path, nil); a.status != http.StatusNotFound || a.code != "not_found" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// TestMessages sends what is wrong and looks at what is said of it.
func TestMessages(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	settle(t, s.st, acme)
	b := s.browser(t)
	b.head = http.Header{"Authorization": {"Bearer " + ownerToken}}
	base := "/api/v1/tenants/" + string(acme)
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		what         string
	}{
		{"GET", base + "/findings?limit=500", nil, 422, "limit cannot be 500."},
		{"GET", base + "/findings?limit=-1", nil, 422, "limit cannot be -1."},
		{"GET", base + "/findings?limit=many", nil, 422, `limit: "many" is not a number.`},
		{"GET", base + "/findings?severity=huge", nil, 422, `severity cannot be "huge".`},
		{"GET", base + "/findings?sevrity=high", nil, 422, `There is no parameter "sevrity".`},
		{"GET", base + "/findings?after=garbage", nil, 422, "after is not a place in this list."},
		{"GET", base + "/findings?q=" + strings.Repeat("x", 201), nil, 422, "q must have at most 200 characters."},
		{"GET", base + "/events?since=yesterday", nil, 422, "since: a time must be like 2026-12-31T00:00:00Z."},
		{"POST", base + "/exceptions", map[string]any{"rule": "*", "scope": "planet", "value": "x", "owner": "o", "reason": "r", "expires": inHalfAYear}, 422, `scope cannot be "planet".`},
		{"POST", base + "/exceptions", map[string]any{"rule": "*", "scope": "domain", "value": "x.example", "owner": "o", "reason": "r"}, 422, "expires is missing."},
		{"POST", base + "/exceptions", map[string]any{"rule": "*", "scope": "domain", "value": "x.example", "owner": "o", "reason": "r", "expires": "2020-01-01T00:00:00Z"}, 422, "expires is in the past."},
		{"POST", base + "/exceptions", map[string]any{"rule": "*", "scope": "domain", "value": "x.example", "owner": "o", "reason": "r", "expires": "2099-01-01T00:00:00Z"}, 422, "expires is too far away."},
		{"POST", base + "/exceptions", map[string]any{"rule": "nonsense", "scope": "domain", "value": "x.example", "owner": "o", "reason": "r", "expires": inHalfAYear}, 422, `There is no detection "nonsense".`},
		{"POST", base + "/exceptions", map[string]any{"rule": "*", "scope": "person", "value": "*", "owner": "o", "reason": "r", "expires": inHalfAYear}, 422, "That would excuse everything."},
		{"POST", base + "/exceptions", map[string]any{"rule": "*", "scope": "person", "value": "ghost@x.example", "owner": "o", "reason": "r", "expires": inHalfAYear}, 422, `There is no person "ghost@x.example".`},
		{"POST", base + "/partners", map[string]any{"domain": "gmail.com", "owner": "o", "reason": "r", "expires": inHalfAYear}, 422, "gmail.com gives addresses to anybody, so it cannot be trusted as a whole."},
		{"POST", base + "/partners", map[string]any{"domain": "not a domain", "owner": "o", "reason": "r", "expires": inHalfAYear}, 422, `"not a domain" is not a domain.`},
		{"POST", base + "/partners", map[string]any{"domian": "x.example"}, 400, ""},
		{"POST", "/api/v1/connections", map[string]any{"tenant": acme, "client_id": acme}, 422, "The credential is missing."},
		{"POST", "/api/v1/accounts", map[string]any{"email": "nobody", "password": password}, 422, `"nobody" is not an e-mail address.`},
		{"POST", "/api/v1/accounts", map[string]any{"email": "a@b.example", "password": password, "role": "king"}, 422, `role cannot be "king".`},
	} {
		a := b.do(c.method, c.path, c.body)
		if a.status/100 != 4 || c.status == 422 && a.status != 422 || c.what != "" && a.what != c.what {
			t.Errorf("%s %s: %d %s\nwant %d %s", c.method, c.path, a.status, a.body, c.status, c.what)
		}
		if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("%s %s: content type %q", c.method, c.path, ct)
		}
		if !strings.Contains(string(a.body), `"do":"`) || strings.Contains(string(a.body), `"do":""`) {
			t.Errorf("%s %s does not say what to do: %s", c.method, c.path, a.body)
		}
	}
}

// TestNoSecretsComeOut looks for the sealed credential in all that a connection is shown by.
func TestNoSecretsComeOut(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	settle(t, s.st, acme)
	b := s.browser(t)
	b.head = http.Header{"Authorization": {"Bearer " + ownerToken}}
	for _, path := range []string{"/overview", "/connections", "/connections/" + connectionOf(acme)} {
		a := b.do("GET", "/api/v1/tenants/"+string(acme)+path, nil)
		if a.status != 200 || bytes.Contains(a.body, []byte("SEALED")) || bytes.Contains(a.body, []byte("sealed")) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
