package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/inbox"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/store"
	"tocsin.dev/story"
)

// byHost sends each request to the simulator that its host names.
type byHost map[string]*sim.Sim

// RoundTrip makes the request.
func (h byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	w := h[r.URL.Host]
	if w == nil {
		return nil, fmt.Errorf("no simulator stands at %s", r.URL.Host)
	}
	return w.Client().Transport.RoundTrip(r)
}

// landlord is a server with two tenants, red and blue, reachable by HTTP.
type landlord struct {
	*testing.T
	s         *Server
	http      *httptest.Server
	red, blue *subject
	owner     string
}

const landlordToken = "tcs_owner-of-both-tenants-0123456789"

func newLandlord(t *testing.T, address string) *landlord {
	t.Helper()
	sims := byHost{}
	for i, colour := range []string{"red", "blue"} {
		text := strings.NewReplacer("NAME", colour).Replace(`# Only here.
domain fabrikamfreight.com
domain NAME-only.example
partner NAME-partner.example
person amy "Amy Of NAME-only" amy@NAME-only.example
person bob "Bob Of NAME-only" bob@NAME-only.example
group pals@NAME-only.example "Pals Of NAME-only" with amy, eve@NAME-only-evil.example
mon 09:00 amy makes rule "NAME-only secret" when subject_contains "NAME-only" forward to drop@NAME-only-evil.example and move to conversationhistory
mon 09:01 bob makes rule "NAME-only too" redirect to drop@NAME-only-evil.example
mon 09:02 bob makes rule "NAME-only group" when subject_contains "x" redirect to pals@NAME-only.example
`)
		st, err := story.Parse(colour, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		w, err := sim.New(sim.Config{Users: 40, Seed: int64(100 + i), Quiet: true, Stories: []*story.Story{st}, Roles: slices.Concat(sim.ReadTier, sim.RespondTier)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		sims[colour+".sim.invalid"] = w
	}
	c := settings(t)
	c.Database = address
	c.Every.Rules, c.Every.Directory = time.Second, time.Second
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
	s := start(t, c, &http.Client{Transport: sims})
	l := &landlord{T: t, s: s, http: httptest.NewServer(s.Handler()), owner: landlordToken}
	t.Cleanup(l.http.Close)
	at := func(colour string) *subject {
		w := sims[colour+".sim.invalid"]
		n := own(w)
		n.Name = "The way to " + colour + "-only"
		n.Own = connect.Own{Authority: "https://" + colour + ".sim.invalid", Graph: "https://" + colour + ".sim.invalid"}
		conn, err := s.Connections.Create(t.Context(), "test", n)
		if err != nil {
			t.Fatal(err)
		}
		return &subject{T: t, s: s, w: w, conn: conn}
	}
	l.red, l.blue = at("red"), at("blue")
	return l
}

// call makes a request as the holder of a token.
func (l *landlord) call(token, method, path string, body string) (int, string) {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, l.http.URL+path, strings.NewReader(body))
	if err != nil {
		l.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := l.http.Client().Do(r)
	if err != nil {
		l.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		l.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// did is call for what must go well.
func (l *landlord) did(token, method, path, body string, into any) {
	l.Helper()
	status, text := l.call(token, method, path, body)
	if status >= 300 {
		l.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			l.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
}

// let makes an account with a role in red, and a token of it.
func (l *landlord) let(role api.Role) string {
	l.Helper()
	const password = "correct horse battery staple 7"
	email := string(role) + "@guest.example"
	l.did(l.owner, "POST", "/api/v1/accounts", fmt.Sprintf(`{"email":%q,"name":"Guest","password":%q,"tenant":%q,"role":%q}`, email, password, l.red.tenant(), role), nil)
	var page api.Page[api.Account]
	l.did(l.owner, "GET", "/api/v1/accounts?limit=200", "", &page)
	i := slices.IndexFunc(page.Items, func(a api.Account) bool { return a.Email == email })
	caller := api.Caller{Account: page.Items[i].ID, Email: email, By: "session", Grants: []api.Grant{{Tenant: string(l.red.tenant()), Role: role}}}
	made, err := l.s.API.CreateToken(api.WithCaller(l.Context(), caller), api.CreateTokenIn{Body: api.TokenNew{Name: "test", Role: role, On: string(l.red.tenant())}})
	if err != nil {
		l.Fatal(err)
	}
	return made.Secret
}

// objects are the ids of things in a tenant, by the name of the list they are in.
func (b *subject) objects() map[string][]string {
	b.Helper()
	out := map[string][]string{}
	for name, query := range map[string]string{
		"connections": `select id from connection where tenant = $1`, "findings": `select id from finding where tenant = $1`, "people": `select person from person where tenant = $1`,
		"directory": `select object_id from person where tenant = $1`, "rules": `select id from mail_rule where tenant = $1`, "groups": `select id from mail_group where tenant = $1 and kind <> 'contact' order by id`,
		"applications": `select id from state_object where tenant = $1 and path = '/servicePrincipals' and deleted = 0 and body not like '%f8cdef31-a31e-4b4a-93e4-5f571e91255a%' order by id`,
		"devices":      `select id from state_object where tenant = $1 and path = '/deviceManagement/managedDevices'`,
		"events":       `select id from event where tenant = $1`, "exceptions": `select id from exception where tenant = $1`, "partners": `select domain from partner where tenant = $1`,
		"channels": `select id from channel where tenant = $1`, "alerts": `select id from alert where tenant = $1`, "snoozes": `select id from snooze where tenant = $1`,
		"actions": `select id from action where tenant = $1`, "mail-acts": `select id from mail_act where tenant = $1`, "exports": `select id from export where tenant = $1`,
		"playbooks": `select id from playbook_run where tenant = $1`, "sigma": `select id from own_rule where tenant = $1`, "own-playbooks": `select name from playbook where tenant = $1`,
		"signins": `select id from sign_in where tenant = $1`, "stories": `select id from attack_story where tenant = $1`, "anomalies": `select id from anomaly where tenant = $1`,
		"investigations": `select id from investigation where tenant = $1`, "matches": `select id from investigation where tenant = $1`, "clusters": `select id from investigation where tenant = $1`,
		"trails": `select id from investigation where tenant = $1`, "match": `select id from mail_match where tenant = $1`,
		"mail-configurations": `select connection from mail_configuration where tenant = $1`, "reported": `select id from reported_mail where tenant = $1`, "evidence": `select id from evidence where tenant = $1`,
		"inboxes": `select id from inbox where tenant = $1`, "email-addresses": `select id from inbox where tenant = $1`, "email-connections": `select id from email_connection where tenant = $1`, "threads": `select id from inbox_thread where tenant = $1`, "thread-notes": `select id from inbox_thread where tenant = $1`,
		"outgoing": `select id from inbox_outgoing where tenant = $1`, "messages": `select id from inbox_message where tenant = $1`, "inbox-views": `select id from inbox_view where tenant = $1`, "macros": `select id from inbox_macro where tenant = $1`, "inbox-rules": `select id from inbox_rule where tenant = $1`,
		"inbox-teams": `select id from inbox_team where tenant = $1`, "inbox-tags": `select id from inbox_tag where tenant = $1`, "notes": `select id from inbox_entry where tenant = $1`,
		"audit": `select id from audit_record where tenant = $1`, "audit-queries": `select id from audit_query where tenant = $1`,
	} {
		if err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
			out[name] = nil
			rows, err := t.Query(b.Context(), query)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id string
				if err := rows.Scan(&id); err != nil {
					return err
				}
				out[name] = append(out[name], id)
			}
			return rows.Err()
		}); err != nil {
			b.Fatal(err)
		}
	}
	out["tenant"] = []string{string(b.tenant())}
	return out
}

// path is an operation's path in a tenant, with an object of from in it.
func (b *subject) path(o api.Op, from map[string][]string) (string, bool) {
	path := strings.ReplaceAll(o.Path, "{tenant}", string(b.tenant()))
	noun, _, _ := strings.Cut(o.Name, " ")
	first := func(list string) string {
		if len(from[list]) == 0 {
			return ""
		}
		return url.PathEscape(from[list][0])
	}
	lists := map[string]string{"{person}": first("people"), "{domain}": first("partners"), "{id}": first(noun), "{match}": first("match"), "{note}": first("notes"), "{message}": first("messages"), "{file}": "file"}
	if noun == "rules" { // a rule and its mailbox belong together
		lists["{person}"] = url.PathEscape(from["rule's person"][0])
	}
	for part, id := range lists {
		if strings.Contains(path, part) && id == "" {
			return "", false
		}
		path = strings.ReplaceAll(path, part, id)
	}
	return path, true
}

// TestIsolation: through every route an account with a role in one tenant sees nothing of the other, whose things are not
// there for it.
func TestIsolation(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		l := newLandlord(t, address)
		for _, b := range []*subject{l.red, l.blue} {
			synced(t, l.s, b.tenant())
			synced(t, l.s, b.tenant(), "applications")
		}
		l.fill()
		red, blue := l.red.objects(), l.blue.objects()
		for name, list := range blue {
			if len(list) == 0 || len(red[name]) == 0 {
				t.Fatalf("there are no %s to look for", name)
			}
		}
		for _, b := range []struct {
			of      *subject
			objects map[string][]string
		}{{l.red, red}, {l.blue, blue}} {
			if err := l.s.Store.ViewTenant(t.Context(), b.of.tenant(), func(tt *store.Tenant) error {
				var person, rule string
				err := tt.QueryRow(t.Context(), `select person, id from mail_rule where tenant = $1 and name like '%only secret'`).Scan(&person, &rule)
				b.objects["rule's person"], b.objects["rules"] = []string{person}, append([]string{rule}, b.objects["rules"]...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		foreign := foreigners(red, blue)
		for _, role := range []api.Role{api.Viewer, api.Owner} {
			token := l.let(role)
			l.seesOwnOnly(token, red, foreign)
			l.findsNothing(token, red, blue)
			l.followsOwnOnly(token, foreign)
		}
		// The owner of all sees both: what is looked for above can be found.
		if _, text := l.call(l.owner, "GET", "/api/v1/tenants/"+string(l.blue.tenant())+"/findings?status=all&limit=200", ""); !strings.Contains(text, "blue-only") {
			t.Error("the owner of all does not see what is looked for")
		}
	})
}

// fill makes in both tenants what people make: an exception, a partner, an event.
func (l *landlord) fill() {
	l.Helper()
	until := time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339)
	now := tocsin.Millis(l.s.Clock.Now()) // what is older than its kind is kept is dropped by the hour
	for colour, b := range map[string]*subject{"red": l.red, "blue": l.blue} {
		at := "/api/v1/tenants/" + string(b.tenant())
		l.did(l.owner, "POST", at+"/exceptions", fmt.Sprintf(`{"rule":"opaque-rule","scope":"domain","value":"%s-only-excused.example","owner":"Owner","reason":"%s-only","expires":%q}`, colour, colour, until), nil)
		l.did(l.owner, "POST", at+"/sigma", fmt.Sprintf(`{"text":"title: %s-only rule\nlogsource: {product: m365}\ndetection: {s: {Operation: X}, condition: s}\n"}`, colour), nil)
		l.did(l.owner, "POST", at+"/partners", fmt.Sprintf(`{"domain":"%s-only-partner.example","owner":"Owner","reason":"%s-only","expires":%q}`, colour, colour, until), nil)
		var made api.Channel
		l.did(l.owner, "POST", at+"/channels", fmt.Sprintf(`{"kind":"slack","name":"%s-only channel","address":"https://hooks.%s-only.invalid/x"}`, colour, colour), &made)
		l.did(l.owner, "POST", at+"/channels/"+made.ID+"/test", "", nil)
		l.did(l.owner, "POST", at+"/exports", fmt.Sprintf(`{"kind":"webhook","name":"%s-only export","address":"https://siem.%s-only.invalid/x"}`, colour, colour), nil)
		l.did(l.owner, "POST", at+"/snoozes", fmt.Sprintf(`{"scope":"channel","value":%q,"reason":"%s-only","until":%q}`, made.ID, colour, until), nil)
		l.did(l.owner, "POST", at+"/audit-queries", fmt.Sprintf(`{"address":"amy@%s-only.example","since":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}`, colour), nil)
		l.did(l.owner, "POST", at+"/investigations", fmt.Sprintf(`{"name":"%s-only hunt","query":"from:x@%s-only-evil.example","reason":"%s-only"}`, colour, colour, colour), nil)
		if err := l.s.Store.UpdateTenant(l.Context(), b.tenant(), func(t *store.Tenant) error {
			_, err := t.Exec(l.Context(), `insert into audit_record (tenant, id, at, seen, source, operation, workload, actor, actor_kind, judge, judged, body)
				values ($1, $2, $3, $3, 'feed', 'Set-Mailbox', 'Exchange', $2, 'user', true, true, '{"Id":"1"}')`, colour+"-only-record", now)
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into state_object (tenant, path, id, name, body, hash, seen, changed, deleted) values ($1, '/deviceManagement/managedDevices', $2, $2, $3, '', 1, 1, 0)`,
					colour+"-only-device", `{"id":"`+colour+`-only-device","deviceName":"`+colour+`-only laptop"}`)
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into listed (tenant, kind, id, object, name, rank, at, seen, marks, text, body) values ($1, 'device', $2, $2, $2, 0, 0, 0, '', '', '')`, colour+"-only-device")
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, subject, received, day, folder, folder_name, found, seen, changed)
					select $1, min(id), $2, $2, $2, $2, $2, $2, $2, $2, $2, $2, 1, '1970-01-01', $2, $2, 1, 1, 1 from investigation where tenant = $1`, colour+"-only-match")
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into sign_in (tenant, id, record, at, seen, kind, actor, result) values ($1, $2, $3, $4, $4, 'interactive', $2, 'success')`, colour+"-only-sign-in", colour+"-only-record", now)
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into mail_act (tenant, id, investigation, kind, state, options, why, plan, asked_by, asked_email, created, changed) values ($1, $2, $2, 'junk', 'done', '{}', $2, '{}', $2, $2, 1, 1)`, colour+"-only-act")
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into anomaly (tenant, id, person, day, at, class, one_in, why, terms, odd, early, finding, found)
					select $1, $2, min(person), 20000, $3, 'graph', 5000, $2, '[]', '["who@'||$2||'.example"]', false, '', $3 from person where tenant = $1`, colour+"-only-anomaly", now)
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into reported_mail (tenant, id, at, way, source, part, reporter, reporter_name, reporter_person, proven, note, state, subject, changed) values ($1, $2, $3, 'mailbox', 'm', 0, $2, '', '', true, 'n', 'lost', $2, 1)`, colour+"-only-report", now)
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into investigation (tenant, id, name, query, created, created_by, changed) values ($1, $2, $2, 'x', 1, 'c', 1)`, colour+"-only-case")
			}
			if err == nil {
				_, err = t.Exec(l.Context(), `insert into mail_configuration (tenant, connection, test_address, all_domains, created, changed, version) select tenant, id, $2, true, 1, 1, 1 from connection where tenant = $1`, colour+"-only@x.example")
			}
			for _, q := range []string{`insert into inbox (tenant, id, name, address, state, sealed, created, changed) values ($1, $2, $2, $2, 'connected', '', 1, 1)`,
				`insert into inbox_member (tenant, inbox, kind, member, added) values ($1, $2, 'everyone', '', 1)`, `insert into inbox_team (tenant, id, name, created) values ($1, $2, $2, 1)`,
				`insert into email_connection (tenant, id, name, method, cloud, client_id, sealed, proven, created, changed) values ($1, $2, $2, 'delegated', 'global', 'x', '', 1, 1, 1)`,
				`insert into inbox_view (tenant, id, name, filter, created) values ($1, $2, $2, '{}', 1)`, `insert into inbox_macro (tenant, id, name, created) values ($1, $2, $2, 1)`,
				`insert into inbox_rule (tenant, id, name, body, created) values ($1, $2, $2, '{}', 1)`, `insert into inbox_tag (tenant, id, name, created) values ($1, $2, $2, 1)`, `insert into inbox_entry (tenant, inbox, thread, id, at, kind, what) values ($1, $2, $2, $2, 1, 'note', '{}')`,
				`insert into inbox_message (tenant, inbox, id, thread, folder, direction, subject, from_address, at, seen) values ($1, $2, $2, $2, 'f', 'in', $2, 'x@out.example', 1, 1)`,
				`insert into inbox_outgoing (tenant, inbox, id, kind, state, subject, created, created_by, changed) values ($1, $2, $2, 'new', 'draft', $2, 1, 'c', 1)`,
				`insert into inbox_thread (tenant, inbox, id, n, subject, last, created, changed) values ($1, $2, $2, 1, $2, 1, 1, 1)`} {
				if err == nil {
					_, err = t.Exec(l.Context(), q, colour+"-only-inbox")
				}
			}
			if err == nil {
				err = sealMail(l.Context(), t, l.s.keeper, colour+"-only-inbox")
			}
			if err == nil {
				_, err = evidence.Keep(l.Context(), t, l.s.keeper, evidence.Item{Reason: colour + "-only", Origin: evidence.FromReport, OriginID: colour + "-only-report"}, []byte("Subject: "+colour+"-only mail\r\n\r\n"))
			}
			return err
		}); err != nil {
			l.Fatal(err)
		}
		l.did(l.owner, "POST", at+"/own-playbooks", fmt.Sprintf(`{"name":"%s-only-book","text":{"title":"%s-only","steps":["revoke_sessions"]}}`, colour, colour), nil)
		l.did(l.owner, "POST", at+"/actions", fmt.Sprintf(`{"kind":"revoke_sessions","person":"amy@%s-only.example","why":"%s-only"}`, colour, colour), nil)
		l.did(l.owner, "POST", at+"/playbooks/runs", fmt.Sprintf(`{"playbook":"lock","person":"amy@%s-only.example","why":"%s-only"}`, colour, colour), nil)
		play(l, b.w, "# It happens.\ndomain "+colour+"-only.example\nperson amy \"Amy Of "+colour+"-only\" amy@"+colour+"-only.example\nmon 10:00 amy makes rule \""+colour+"-only later\" forward to late@"+colour+"-only-evil.example\n")
	}
	eventually(l, "what happened in both", func() string {
		for _, b := range []*subject{l.red, l.blue} {
			if len(b.objects()["events"]) == 0 || len(b.objects()["findings"]) < 3 {
				return "is not seen"
			}
		}
		return folded(l, l.s)
	})
}

// sealMail gives an inbox a key, and its mail of the same id something to say.
func sealMail(ctx context.Context, t *store.Tenant, k inbox.Keeper, id string) error {
	sealed, err := inbox.NewKey(k, t.ID(), id)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update inbox set sealed = $3 where tenant = $1 and id = $2`, id, sealed); err != nil {
		return err
	}
	key, err := inbox.OpenKey(ctx, t, k, id)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `update inbox_message set body = $3 where tenant = $1 and id = $2`, id, key.Seal([]byte(`{"type":"text","content":"what `+id+` says"}`), string(t.ID())+"|inbox|"+id+"|message|"+id))
	return err
}

// foreigners are the texts that only blue has.
func foreigners(red, blue map[string][]string) []string {
	out := []string{"blue-only"}
	for name, list := range blue {
		for _, id := range list {
			if !slices.Contains(red[name], id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// seesOwnOnly asks every reading route of one's own tenant, and those of none.
func (l *landlord) seesOwnOnly(token string, red map[string][]string, foreign []string) {
	l.Helper()
	asked, own := 0, 0
	for _, o := range api.Ops(nil) {
		if o.Method != "GET" || strings.HasPrefix(o.Name, "facts") {
			continue
		}
		path, ok := l.red.path(o, red)
		if !ok {
			l.Fatalf("%s: there is nothing to ask for", o.Name)
		}
		if o.Name == "threads file" || o.Name == "outgoing file" { // it lies in the mailbox; none is being written
			continue
		}
		if o.Name == "threads search" {
			path += "?q=red"
		}
		if strings.HasSuffix(o.Name, " list") && o.Name != "retention list" && o.Name != "certificates list" { // a few, and always all
			path += "?limit=200"
		}
		if o.Name == "access what-if" {
			path += "?person=" + red["rule's person"][0]
		}
		if o.Name == "personas correspondent" {
			path += "?address=drop@red-only-evil.example"
		}
		status, text := l.call(token, "GET", path, "")
		if strings.HasPrefix(o.Path, "/api/v1/accounts") || strings.HasPrefix(o.Path, "/api/v1/registrations") || strings.HasPrefix(o.Path, "/api/v1/trail") {
			if status != http.StatusForbidden {
				l.Errorf("%s: %d %s", o.Name, status, text)
			}
			continue
		}
		if o.Role != api.Viewer && status == http.StatusForbidden {
			continue // a viewer's; which role may is held elsewhere
		}
		if status != http.StatusOK {
			l.Errorf("%s %s: %d %s", o.Name, path, status, text)
		}
		asked++
		if strings.Contains(text, "red-only") || strings.Contains(text, string(l.red.tenant())) {
			own++
		}
		for _, id := range foreign {
			if strings.Contains(text, id) {
				l.Errorf("%s shows %s of the other tenant: %.300s", o.Name, id, text)
				break
			}
		}
	}
	if asked < 20 || own < 10 {
		l.Errorf("%d routes were asked, of which %d showed something of one's own", asked, own)
	}
	for _, query := range []string{"/findings?status=all&q=blue-only", "/rules?destination=drop@blue-only-evil.example", "/identities?q=blue-only", "/mailboxes?q=blue-only", "/groups?q=blue-only"} {
		var page api.Page[json.RawMessage]
		l.did(token, "GET", "/api/v1/tenants/"+string(l.red.tenant())+query, "", &page)
		if len(page.Items) != 0 {
			l.Errorf("%s finds %s", query, page.Items)
		}
	}
}

// findsNothing asks for the other tenant, and in one's own for the other's objects: neither is there.
func (l *landlord) findsNothing(token string, red, blue map[string][]string) {
	l.Helper()
	own := false // in one's own tenant
	want := func(what, method, path, body string) {
		l.Helper()
		status, text := l.call(token, method, path, body)
		var p struct{ Code tocsin.Code }
		if own && status == http.StatusForbidden {
			return // a viewer is not told whether it is there; which role may is held elsewhere
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil || status != http.StatusNotFound || p.Code != tocsin.NotFound {
			l.Errorf("%s, %s %s: %d %s, want not_found", what, method, path, status, text)
		}
		if strings.Contains(text, "blue-only") {
			l.Errorf("%s, %s %s tells of it: %s", what, method, path, text)
		}
	}
	bodies := map[string]string{
		"connections choose": `{"products":["outlook"]}`,
		"connections edit":   `{"version":1}`,
		"connections rotate": `{"client_secret":"x"}`,
		"connections reopen": `{"client_secret":"x"}`,
		"connections close":  `{"what":"keep","confirm":"x"}`,
		"findings decide":    `{"status":"in_work"}`, "findings assign": `{"owner":"owner@tocsin.example"}`,
		"exceptions create": `{"rule":"*","scope":"domain","value":"x.example","owner":"x","reason":"x","expires":"` + time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339) + `"}`,
		"channels create":   `{"kind":"slack","name":"x","address":"https://hooks.slack.com/x"}`, "channels edit": `{"version":1,"name":"x"}`,
		"exports create": `{"kind":"webhook","name":"x","address":"https://siem.example.com/x"}`, "exports edit": `{"version":1,"name":"x"}`,
		"snoozes create":       `{"scope":"rule","value":"forward-outside","until":"` + time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339) + `"}`,
		"partners create":      `{"domain":"x.example","owner":"x","reason":"x","expires":"` + time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339) + `"}`,
		"networks set":         `{"text":"AS9009 vpn"}`,
		"audit-queries create": `{"since":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}`,
		"actions plan":         `{"kind":"revoke_sessions","person":"x","why":"x"}`, "actions create": `{"kind":"revoke_sessions","person":"x","why":"x"}`,
		"playbooks plan": `{"playbook":"contain","person":"x","why":"x"}`, "playbooks run": `{"playbook":"contain","person":"x","why":"x"}`, "playbooks approve": `{}`, "playbooks refuse": `{}`,
		"playbooks undo": `{"why":"x"}`, "own-playbooks create": `{"name":"x-y","text":{"title":"x","steps":["revoke_sessions"]}}`, "own-playbooks update": `{"version":1,"text":{"title":"x","steps":["revoke_sessions"]}}`,
		"actions undo": `{"why":"x"}`, "actions approve": `{}`, "actions refuse": `{}`, "actions cancel": `{}`,
		"mail-acts plan": `{"investigation":"x","kind":"junk","why":"x"}`, "mail-acts create": `{"investigation":"x","kind":"junk","why":"x"}`, "mail-acts approve": `{}`, "mail-acts refuse": `{}`, "mail-acts stop": `{}`,
		"mail-acts restore": `{"why":"x"}`, "mail-acts plan-restore": `{"why":"x"}`, "mail-act-settings set": `{"version":0}`,
		"investigations plan": `{"query":"x"}`, "investigations from": `{"match":"x"}`, "investigations create": `{"name":"x","query":"x","reason":"x"}`, "investigations update": `{"name":"x","query":"x","reason":"x","version":1}`,
		"investigations start": `{}`, "investigations stop": `{}`, "investigations resume": `{}`, "mail-configurations edit": `{"version":1}`,
		"connections set-stream": `{"version":0}`,
		"canary set":             `{"mailbox":"","version":0}`,
		"sigma create":           `{"text":"x"}`, "sigma test": `{"text":"x"}`, "sigma update": `{"text":"x","version":1}`, "sigma set": `{"state":"off","version":1}`, "sigma replay": `{"days":1}`,
		"anomalies feedback": `{"verdict":"confirmed"}`, "persona-settings set": `{"budget":0.1,"version":0}`,
		"reported judge": `{"verdict":"clean","version":1}`, "reported assign": `{"owner":"","version":1}`, "reported reply": `{"text":"x"}`, "reported link": `{"investigation":""}`,
		"reported preview": `{"reason":"to judge"}`, "reported download": `{"reason":"to judge"}`, "reported-settings set": `{"version":0}`,
		"mails preview": `{"person":"x","message":"x","reason":"to judge"}`, "mails keep": `{"person":"x","message":"x","reason":"to judge"}`,
		"evidence preview": `{"reason":"to judge"}`, "evidence download": `{"reason":"to judge"}`,
		"email-connections disconnect": `{}`, "inbox-people forget": `{"address":"a@b.example"}`, "email-addresses connect": `{"connection":"x","address":"a@b.example"}`, "email-addresses reconnect": `{}`,
		"inboxes set-members": `{"members":[]}`, "inboxes look": `{"reason":"to judge"}`, "inbox-teams create": `{"name":"x"}`, "inbox-teams edit": `{"name":"x"}`, "inbox-tags create": `{"name":"x"}`, "inbox-tags edit": `{"name":"x"}`,
		"inboxes set-service": `{}`, "inboxes set-settings": `{}`, "inbox-views create": `{"name":"x"}`, "inbox-views edit": `{"name":"x"}`, "macros create": `{"name":"x"}`, "macros edit": `{"name":"x"}`, "inbox-rules create": `{"name":"x"}`, "inbox-rules edit": `{"name":"x"}`,
		"inbox-rules try": `{"name":"x"}`, "threads bulk": `{"threads":["x"]}`, "threads presence": `{"kind":"left"}`, "threads macro": `{"macro":"x"}`, "threads report": `{}`, "threads mailbox": `{}`, "threads merge": `{"threads":["x"]}`, "threads split": `{"mails":["x"]}`,
		"outgoing create": `{}`, "outgoing reply": `{}`, "outgoing edit": `{}`, "outgoing send": `{}`, "outgoing settle": `{"went":true}`, "outgoing attach": `{"name":"x"}`,
		"threads change": `{}`, "threads seen": `{}`, "thread-notes create": `{"text":"x"}`, "thread-notes edit": `{"text":"x"}`,
		"response-settings set": `{"approval":"none","per_hour":1,"at_once":1,"version":0}`,
	}
	for _, o := range api.Ops(nil) {
		if !strings.Contains(o.Path, "{tenant}") {
			continue
		}
		body := bodies[o.Name]
		if path, ok := l.blue.path(o, blue); ok {
			want("the other tenant", o.Method, path, body)
		}
		if o.Method == "GET" && strings.Count(o.Path, "{") > 1 {
			if path, ok := l.red.path(o, blue); ok {
				own = o.Role != api.Viewer
				want("the other's object in one's own tenant", o.Method, path, body)
				own = false
			}
		}
	}
	want("the other's facts", "GET", "/api/v1/facts?tenant="+string(l.blue.tenant()), "")
	if got := l.blue.objects(); !slices.Equal(got["exceptions"], blue["exceptions"]) || !slices.Equal(got["partners"], blue["partners"]) || !slices.Equal(got["connections"], blue["connections"]) {
		l.Errorf("something of the other tenant was changed: %v", got)
	}
}

// followsOwnOnly reads all facts of one's own tenant as a page does, up to the last there is.
func (l *landlord) followsOwnOnly(token string, foreign []string) {
	l.Helper()
	list, err := l.s.Store.TenantFacts(l.Context(), l.red.tenant(), 0, 100_000)
	if err != nil || len(list) == 0 {
		l.Fatalf("%d facts (%v)", len(list), err)
	}
	ctx, stop := context.WithTimeout(l.Context(), 90*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, "GET", l.http.URL+"/api/v1/facts?after=0&tenant="+string(l.red.tenant()), nil)
	if err != nil {
		l.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := l.http.Client().Do(r)
	if err != nil {
		l.Fatal(err)
	}
	defer res.Body.Close()
	last := fmt.Sprintf("id: %d", list[len(list)-1].N)
	n := 0
	for lines := bufio.NewScanner(res.Body); lines.Scan() && lines.Text() != last; {
		text := lines.Text()
		if strings.HasPrefix(text, "data:") {
			n++
		}
		for _, id := range foreign {
			if strings.Contains(text, id) {
				l.Errorf("the stream of facts shows %s of the other tenant: %s", id, text)
			}
		}
	}
	if n < len(list)-1 {
		l.Errorf("%d facts came, of %d", n, len(list))
	}
}

// TestTwoTenantsApart: what breaks one tenant's connection leaves the other's alone.
func TestTwoTenantsApart(t *testing.T) {
	t.Parallel()
	l := newLandlord(t, "sqlite:"+t.TempDir()+"/tocsin.db")
	for _, b := range []*subject{l.red, l.blue} {
		synced(t, l.s, b.tenant())
	}
	l.blue.w.Disable(true)
	eventually(t, "the broken one", func() string {
		if c := l.blue.connection(); c.State != "broken" {
			return "it is " + string(c.State)
		}
		return ""
	})
	now := l.s.Clock.Now()
	l.red.reads(now, "users", "rules")
	if c := l.red.connection(); c.State != "on" {
		t.Errorf("the other is %s: %s", c.State, c.Because)
	}
	l.blue.w.Disable(false)
	l.blue.reads(now, "users", "rules")
}
