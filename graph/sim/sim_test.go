package sim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tocsin.dev/story"
)

// probe is a client for tests: it has a token and reads JSON.
type probe struct {
	t     *testing.T
	s     *Sim
	token string
	head  http.Header
}

func newProbe(t *testing.T, cfg Config) *probe {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p := &probe{t: t, s: s, head: http.Header{}}
	p.login()
	return p
}

func (p *probe) login() {
	p.t.Helper()
	status, body := p.tokenFor(url.Values{"grant_type": {"client_credentials"}, "client_id": {p.s.ClientID()}, "client_secret": {p.s.Secret()},
		"scope": {"https://graph.microsoft.com/.default"}}, p.s.Tenant())
	if status != http.StatusOK {
		p.t.Fatalf("token: %d %v", status, body)
	}
	p.token = body["access_token"].(string)
}

func (p *probe) tokenFor(form url.Values, tenant string) (int, map[string]any) {
	p.t.Helper()
	resp, err := p.s.Client().PostForm(Address+"/"+tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, decode(p.t, resp)
}

func decode(t *testing.T, resp *http.Response) map[string]any {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if len(raw) == 0 {
		return out
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("not JSON: %v: %.300s", err, raw)
	}
	return out
}

// raw makes a call; path is from the version on, or a whole link.
func (p *probe) raw(method, path string, body any) *http.Response {
	p.t.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = Address + "/v1.0/" + strings.ReplaceAll(path, " ", "%20")
	}
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequest(method, path, in)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = p.head.Clone()
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := p.s.Client().Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

func (p *probe) call(method, path string, body any, want int) map[string]any {
	p.t.Helper()
	resp := p.raw(method, path, body)
	out := decode(p.t, resp)
	if resp.StatusCode != want {
		p.t.Fatalf("%s %s: %d, want %d: %v", method, path, resp.StatusCode, want, out)
	}
	return out
}

func (p *probe) get(path string) map[string]any {
	p.t.Helper()
	return p.call(http.MethodGet, path, nil, http.StatusOK)
}

// pages follows nextLinks and gives all values, and the deltaLink where there is one.
func (p *probe) pages(path string) (all []map[string]any, delta string) {
	p.t.Helper()
	for n := 0; path != ""; n++ {
		if n > 5000 {
			p.t.Fatal("the pages do not end")
		}
		body := p.get(path)
		all = append(all, values(body)...)
		delta, _ = body["@odata.deltaLink"].(string)
		path, _ = body["@odata.nextLink"].(string)
	}
	return all, delta
}

func values(body map[string]any) []map[string]any {
	var out []map[string]any
	list, _ := body["value"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func code(body map[string]any) string {
	e, _ := body["error"].(map[string]any)
	s, _ := e["code"].(string)
	return s
}

// play lets a story happen that must be right.
func (p *probe) play(text string) {
	p.t.Helper()
	st, err := story.Parse("test", strings.NewReader(text))
	if err == nil {
		err = p.s.Play(st)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if failed := p.s.Failed(); len(failed) > 0 {
		p.t.Fatal(failed)
	}
}

func TestEveryPersonIsFoundByIDAndAddress(t *testing.T) {
	p := newProbe(t, Config{Users: 60000, Seed: 3})
	w := p.s.world
	seen := map[string]int{}
	for i := range w.count() {
		q := w.person(i)
		if before, twice := seen[strings.ToLower(q.upn())]; twice {
			t.Fatalf("%d and %d are both %s", before, i, q.upn())
		}
		seen[strings.ToLower(q.upn())] = i
		if i%97 != 0 && i > 200 {
			continue
		}
		for _, key := range []string{q.id, strings.ToUpper(q.id), q.upn()} {
			if f := w.find(key); f == nil || f.i != i {
				t.Fatalf("person %d is not found by %s: %+v", i, key, f)
			}
		}
	}
	for _, stranger := range []string{"nobody@" + w.domain, "x", "", "jane@elsewhere.example", "00000000-0000-4000-8000-000000000000", w.person(4).local + "@contoso.com"} {
		if w.find(stranger) != nil {
			t.Errorf("%q was found", stranger)
		}
	}
}

func TestDirectoryListPages(t *testing.T) {
	p := newProbe(t, Config{Users: 250})
	all, _ := p.pages("users?$select=id,displayName,accountEnabled&$top=37")
	if len(all) != 250 {
		t.Fatalf("%d users, want 250", len(all))
	}
	ids := map[any]bool{}
	for _, u := range all {
		ids[u["id"]] = true
		if len(u) != 3 {
			t.Fatalf("not what was selected: %v", u)
		}
	}
	if len(ids) != 250 {
		t.Fatal("a user came twice")
	}
	first := values(p.get("users?$top=1"))[0]
	if _, told := first["accountEnabled"]; told || len(first) != 11 {
		t.Errorf("the defaults are other: %v", first)
	}
	p.call("GET", "users?$top=1000", nil, 400)
	p.call("GET", "users?$skip=5", nil, 400)
	p.call("GET", "users?$select=nonsense", nil, 400)
	p.call("GET", "users?nonsense=1", nil, 400)
	p.call("GET", "users?$skiptoken=AAAAAAAAAAAAAAAAAAAAAA", nil, 400)
	p.call("GET", "nonsense", nil, 400)
}

func TestRulesAreMadeChangedAndDeleted(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Roles: append([]string{"MailboxSettings.ReadWrite"}, ReadTier...)})
	amy := p.s.world.person(3)
	path := "users/" + amy.id + "/mailFolders/inbox/messageRules"
	before := len(values(p.get(path)))
	made := p.call("POST", path, map[string]any{"displayName": "From partner", "conditions": map[string]any{"senderContains": []string{"adele"}},
		"actions": map[string]any{"forwardTo": []any{map[string]any{"emailAddress": map[string]any{"name": "Alex", "address": "alex@evil.example"}}}}}, 201)
	if got := made["conditions"].(map[string]any)["senderContains"].([]any)[0]; got != "ADELE" {
		t.Errorf("sender words are not in capitals: %v", got)
	}
	id := made["id"].(string)
	if got := p.get(path + "/" + id)["displayName"]; got != "From partner" {
		t.Errorf("read back %v", got)
	}
	changed := p.call("PATCH", path+"/"+id, map[string]any{"isEnabled": false, "conditions": nil}, 200)
	if changed["isEnabled"] != false || changed["conditions"] != nil {
		t.Errorf("not changed: %v", changed)
	}
	if n := len(values(p.get(path))); n != before+1 {
		t.Errorf("%d rules, want %d", n, before+1)
	}
	p.call("DELETE", path+"/"+id, nil, 204)
	p.call("GET", path+"/"+id, nil, 404)
	p.call("POST", path, map[string]any{"displayName": "x", "actions": map[string]any{"explode": true}}, 400)
	p.call("POST", path, map[string]any{"actions": map[string]any{"delete": true}}, 400)
	p.call("POST", path, map[string]any{"displayName": "x", "actions": map[string]any{"moveToFolder": "nowhere"}}, 400)
	p.call("GET", "users/"+amy.id+"/mailFolders/sentitems/messageRules", nil, 400)
	truth, err := p.s.Truth()
	if err != nil || len(truth) != 3 || truth[0].Change != "rule.created" || truth[2].Change != "rule.deleted" {
		t.Errorf("the truth is %v, %v", truth, err)
	}
}

func TestPeopleWithoutAMailboxSayWhy(t *testing.T) {
	p := newProbe(t, Config{Users: 60})
	saw := map[string]int{}
	for i := range 60 {
		q := p.s.world.person(i)
		resp := p.raw("GET", "users/"+q.id+"/mailFolders/inbox/messageRules", nil)
		body := decode(t, resp)
		saw[code(body)]++
		if q.hasBox() && !q.scopedOut && resp.StatusCode != 200 {
			t.Errorf("%s: %d %v", q.upn(), resp.StatusCode, body)
		}
	}
	if saw["MailboxNotEnabledForRESTAPI"] < 3 || saw["ErrorAccessDenied"] != 1 || saw[""] < 40 {
		t.Errorf("answers: %v", saw)
	}
	if got := code(p.call("GET", "users/nobody@nowhere.example/mailboxSettings", nil, 404)); got != "ErrorInvalidUser" {
		t.Errorf("an unknown user: %s", got)
	}
}
