package sim

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// inboxScopes are what a team inbox asks for.
var inboxScopes = strings.Fields("User.Read Mail.Read.Shared Mail.ReadWrite.Shared Mail.Send.Shared offline_access")

// teamInbox is a tenant whose service account has signed in to the application of a team inbox, and is a member of invoices@.
type teamInbox struct {
	*probe
	app, secret, box, refresh string
}

func (p *teamInbox) authorize(account string, scopes ...string) (*url.URL, string) {
	p.t.Helper()
	q := p.asked()
	q.Set("client_id", p.app)
	q.Set("scope", "openid profile "+strings.Join(scopes, " "))
	return p.answered("/"+p.s.Tenant()+"/oauth2/v2.0/authorize", q, url.Values{"account": {account}})
}

func (p *teamInbox) signIn(scopes ...string) map[string]any {
	p.t.Helper()
	to, text := p.authorize("service", scopes...)
	if to == nil || to.Query().Get("code") == "" {
		p.t.Fatalf("led to %v, %s", to, text)
	}
	status, body := p.tokenFor(url.Values{"grant_type": {"authorization_code"}, "client_id": {p.app}, "client_secret": {p.secret}, "code": {to.Query().Get("code")},
		"redirect_uri": {backTo}, "code_verifier": {"v1"}}, p.s.Tenant())
	if status != http.StatusOK {
		p.t.Fatalf("%d %v", status, body)
	}
	p.token, _ = body["access_token"].(string)
	p.refresh, _ = body["refresh_token"].(string)
	return body
}

func (p *teamInbox) goOn() (int, map[string]any) {
	p.t.Helper()
	return p.tokenFor(url.Values{"grant_type": {"refresh_token"}, "client_id": {p.app}, "client_secret": {p.secret}, "refresh_token": {p.refresh}}, p.s.Tenant())
}

func newTeamInbox(t *testing.T) *teamInbox {
	t.Helper()
	p := &teamInbox{probe: newProbe(t, Config{Users: 40, Content: true, Roles: everyRole})}
	p.app, p.secret = p.s.AddApp("Tocsin (inbox)")
	p.s.RequestScopes(p.app, inboxScopes...)
	var err error
	if p.box, err = p.s.AddShared("Invoices", "invoices"); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestServiceAccount: nothing without consent; then a sign-in, and what ends it.
func TestServiceAccount(t *testing.T) {
	p := newTeamInbox(t)
	if _, text := p.authorize("service", inboxScopes...); !strings.Contains(text, "Need admin approval") {
		t.Fatalf("without a consent: %s", text)
	}
	q := url.Values{"client_id": {p.app}, "redirect_uri": {backTo}, "state": {"s"}}
	if to, text := p.answered("/"+p.s.Tenant()+"/v2.0/adminconsent", q, url.Values{"account": {"global"}, "permission": inboxScopes}); to == nil || to.Query().Get("admin_consent") != "True" {
		t.Fatalf("consent: %v %s", to, text)
	}
	grants := values(p.get("oauth2PermissionGrants"))
	if len(grants) != 1 || grants[0]["consentType"] != "AllPrincipals" || grants[0]["scope"] != strings.Join(inboxScopes, " ") {
		t.Fatalf("the consent is kept as %v", grants)
	}
	if body := p.signIn(inboxScopes...); p.refresh == "" || !strings.Contains(body["scope"].(string), "Mail.Send.Shared") || strings.Contains(body["scope"].(string), "offline_access") {
		t.Fatalf("signed in: %v", body)
	}
	if me := p.get("me"); me["userPrincipalName"] != "inbox.service@"+p.s.Domain() {
		t.Errorf("me is %v", me)
	} else if err := fits(description(t), schemaOf(t, description(t), "GET", "me", 200), any(me)); err != nil {
		t.Errorf("me: %v", short(err))
	}
	old := p.refresh
	status, body := p.goOn()
	if status != http.StatusOK || body["refresh_token"] == nil || body["refresh_token"] == old {
		t.Fatalf("refreshed: %d %v", status, body)
	}
	for _, c := range []struct {
		name   string
		break_ func() error
		code   int
		mend   func() error
	}{
		{"disabled", func() error { return p.s.Become("service", DisableAccount) }, 50057, func() error { return p.s.Become("service", EnableAccount) }},
		{"blocked", func() error { return p.s.Block("service", 53003) }, 53003, func() error { return p.s.Block("service", 0) }},
		{"not assigned", func() error { return p.s.Block("service", 50105) }, 50105, func() error { return p.s.Block("service", 0) }},
		{"to enrol", func() error { return p.s.Block("service", 50079) }, 50079, func() error { return p.s.Block("service", 0) }},
		{"no consent", func() error { return p.s.ConsentScopes(p.app) }, 65001, func() error { return p.s.ConsentScopes(p.app, inboxScopes...) }},
		{"password", func() error { return p.s.Become("service", ChangePassword) }, 50133, func() error { p.signIn(inboxScopes...); return nil }},
		{"revoked", func() error { return p.s.Become("service", RevokeSessions) }, 50173, func() error { p.signIn(inboxScopes...); return nil }},
		{"ninety days", func() error { p.s.Advance(91 * 24 * time.Hour); return nil }, 700082, func() error { p.signIn(inboxScopes...); return nil }},
		{"another token", func() error { p.refresh += "x"; return nil }, 9002313, func() error { p.signIn(inboxScopes...); return nil }},
	} {
		p.s.Advance(time.Second)
		if err := c.break_(); err != nil {
			t.Fatal(err)
		}
		if status, body := p.goOn(); status != http.StatusBadRequest || errorCode(body) != c.code {
			t.Errorf("%s: %d %v, want AADSTS%d", c.name, status, body, c.code)
		}
		p.s.Advance(time.Second)
		if err := c.mend(); err != nil {
			t.Fatal(err)
		}
		if status, body := p.goOn(); status != http.StatusOK {
			t.Errorf("%s, mended: %d %v", c.name, status, body)
		}
	}
	if err := p.s.Block("service", 53003); err != nil {
		t.Fatal(err)
	}
	if _, text := p.authorize("service", inboxScopes...); !strings.Contains(text, "AADSTS53003") {
		t.Errorf("blocked at the sign-in: %s", text)
	}
	if err := p.s.Block("service", 50076); err != nil { // whoever sits before the page gives the second factor
		t.Fatal(err)
	}
	p.signIn(inboxScopes...)
	if status, body := p.goOn(); status != http.StatusOK {
		t.Errorf("with a second factor: %d %v", status, body)
	}
	if err := p.s.ConsentScopes(p.app, inboxScopes[:4]...); err != nil { // not offline_access
		t.Fatal(err)
	}
	if p.signIn(inboxScopes...); p.refresh != "" {
		t.Error("a refresh token without offline_access")
	}
}

// TestSharedMailbox: a service account reads, writes and sends in the mailboxes that it is a member of, as it may, and in no others.
func TestSharedMailbox(t *testing.T) {
	p := newTeamInbox(t)
	if err := p.s.ConsentScopes(p.app, inboxScopes...); err != nil {
		t.Fatal(err)
	}
	id, err := p.s.Put(p.box, Mail{From: "ann@partner.example", Subject: "Invoice 7", Text: "Please pay.", Headers: [][2]string{{"References", "<a@partner.example>"}}, MessageID: "<b@partner.example>"})
	if err != nil {
		t.Fatal(err)
	}
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	at := "users/" + p.box + "/"
	p.signIn(inboxScopes...)
	p.call("GET", at+"messages", nil, 403)
	if err := p.s.Share(p.box, "service", FullAccess); err != nil {
		t.Fatal(err)
	}
	if all := values(p.get(at + "mailFolders/inbox/messages?$select=subject")); len(all) == 0 || all[0]["subject"] != "Invoice 7" {
		t.Fatalf("the mailbox holds %v", all)
	}
	p.call("GET", "users/"+p.s.world.person(4).mail+"/messages", nil, 403)                                      // no member
	p.call("GET", at+"mailboxSettings", nil, 403)                                                               // not consented to
	p.call("GET", "users", nil, 403)                                                                            //
	p.call("POST", "subscriptions", p.subscription(at+"messages", "created", "https://here.example/hook"), 403) // .Shared cannot subscribe
	draft := p.call("POST", at+"messages/"+id+"/createReply", map[string]any{"comment": "We have paid <b>it</b>."}, 201)
	text := draft["body"].(map[string]any)["content"].(string)
	if draft["subject"] != "RE: Invoice 7" || !strings.Contains(text, "&lt;b&gt;it") || !strings.Contains(text, "Please pay.") || draft["conversationId"] != p.get(at + "messages/" + id)["conversationId"] {
		t.Errorf("the draft of an answer is %v", draft)
	}
	answer := at + "messages/" + draft["id"].(string)
	if heads := fmt.Sprint(p.get(answer + "?$select=internetMessageHeaders")); !strings.Contains(heads, "<a@partner.example> <b@partner.example>") || !strings.Contains(heads, "In-Reply-To") {
		t.Errorf("its headers are %s", heads)
	}
	p.call("POST", answer+"/attachments/createUploadSession", map[string]any{"AttachmentItem": map[string]any{"attachmentType": "file", "name": "x", "size": 4 << 20}}, 403)
	p.call("POST", answer+"/send", nil, 403)
	for _, c := range []struct{ right, sender string }{{SendOnBehalf, "inbox.service@" + p.s.Domain()}, {SendAs, p.box}} {
		if err := p.s.Share(p.box, "service", FullAccess, c.right); err != nil {
			t.Fatal(err)
		}
		draft := p.call("POST", at+"messages", map[string]any{"subject": c.right, "from": map[string]any{"emailAddress": map[string]any{"address": p.box}},
			"toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": p.box}}}, "bccRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": p.s.world.person(4).mail}}}}, 201)
		if resp := p.raw("POST", at+"messages/"+draft["id"].(string)+"/send", nil); resp.StatusCode != 202 {
			t.Fatalf("%s: %v", c.right, decode(t, resp))
		}
		sent := p.get(at + "mailFolders/sentitems/messages?$filter=subject eq '" + c.right + "'&$select=id,from,sender,bccRecipients")
		one := values(sent)[0]
		if one["id"] != draft["id"] || !strings.Contains(fmt.Sprint(one["from"]), p.box) || !strings.Contains(fmt.Sprint(one["sender"]), c.sender) || !strings.Contains(fmt.Sprint(one["bccRecipients"]), p.s.world.person(4).mail) {
			t.Errorf("%s: sent as %v", c.right, one)
		}
		came := values(p.get(at + "mailFolders/inbox/messages?$filter=subject eq '" + c.right + "'&$select=bccRecipients"))
		if len(came) != 1 || strings.Contains(fmt.Sprint(came[0]), p.s.world.person(4).mail) {
			t.Errorf("%s: what came is %v", c.right, came)
		}
	}
	other := p.call("POST", at+"messages", map[string]any{"subject": "forged", "from": map[string]any{"emailAddress": map[string]any{"address": p.s.world.person(4).mail}},
		"toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": p.box}}}}, 201)
	if body := p.call("POST", at+"messages/"+other["id"].(string)+"/send", nil, 403); !strings.Contains(fmt.Sprint(body), "ErrorSendAsDenied") {
		t.Errorf("as somebody else: %v", body)
	}
	p.signIn("User.Read", "Mail.Read.Shared", "offline_access")
	p.get(at + "messages")
	p.call("PATCH", at+"messages/"+id, map[string]any{"isRead": true}, 403)
	if err := p.s.Share(p.box, "service"); err != nil {
		t.Fatal(err)
	}
	p.call("GET", at+"messages", nil, 403)
}

// TestUploadSession: a large file comes in parts, by an address that wants no token.
func TestUploadSession(t *testing.T) {
	p := newTeamInbox(t)
	at := "users/" + p.box + "/messages"
	draft := p.call("POST", at, map[string]any{"subject": "Large"}, 201)
	at += "/" + draft["id"].(string)
	p.call("POST", at+"/attachments", map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": bytes.Repeat([]byte("x"), 3<<20+1)}, 400) // base64 makes it more than a request may be
	data := bytes.Repeat([]byte("0123456789abcdef"), 4<<16)                                                                                                                   // 4 MiB
	session := p.call("POST", at+"/attachments/createUploadSession", map[string]any{"AttachmentItem": map[string]any{"attachmentType": "file", "name": "big.bin", "size": len(data)}}, 201)
	to := session["uploadUrl"].(string)
	put := func(from, n int, token bool) int {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", to, bytes.NewReader(data[from:from+n]))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, len(data)))
		if token {
			r.Header.Set("Authorization", "Bearer "+p.token)
		}
		res, err := p.s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	for _, c := range []struct {
		from, n int
		token   bool
		want    int
	}{{0, 1 << 20, true, 401}, {0, 3 << 20, false, 200}, {1 << 20, 1 << 20, false, 416}, {3 << 20, 1 << 20, false, 201}, {0, 1, false, 404}} {
		if got := put(c.from, c.n, c.token); got != c.want {
			t.Errorf("from %d: %d, want %d", c.from, got, c.want)
		}
	}
	files := values(p.get(at + "/attachments?$select=name,size"))
	if len(files) != 1 || files[0]["name"] != "big.bin" || files[0]["size"].(float64) < float64(len(data)) {
		t.Errorf("attached: %v", files)
	}
}
