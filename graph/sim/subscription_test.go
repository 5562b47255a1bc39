package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// listener is who is notified: it answers the handshake, and keeps what comes.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	posts  [][]byte
	answer func(n int) int // status of the n-th POST, from 0; nil: 202
}

// listen is a server on loopback that takes notifications.
func listen(t testing.TB, answer func(n int) int) *listener {
	t.Helper()
	l := &listener{answer: answer}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(w, token)
			return
		}
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		defer l.mu.Unlock()
		status := http.StatusAccepted
		if l.answer != nil {
			status = l.answer(len(l.posts))
		}
		l.posts = append(l.posts, body)
		w.WriteHeader(status)
	}))
	t.Cleanup(l.Close)
	return l
}

// got is every notification that came, and takes them off.
func (l *listener) got(t testing.TB) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for _, raw := range l.posts {
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		out = append(out, values(body)...)
	}
	l.posts = nil
	return out
}

// subscription is the body of a subscription for a day.
func (p *probe) subscription(resource, changes, url string) map[string]any {
	return map[string]any{"changeType": changes, "resource": resource, "notificationUrl": url, "lifecycleNotificationUrl": url + "/life", "clientState": "the secret",
		"expirationDateTime": p.s.clock.Now().Add(24 * time.Hour).Format(time.RFC3339)}
}

// subscribe makes a subscription and gives its id.
func (p *probe) subscribe(resource, changes, url string) string {
	p.t.Helper()
	return p.call("POST", "subscriptions", p.subscription(resource, changes, url), 201)["id"].(string)
}

func with(in map[string]any, kv ...any) map[string]any {
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == nil {
			delete(in, kv[i].(string))
			continue
		}
		in[kv[i].(string)] = kv[i+1]
	}
	return in
}

func TestSubscriptionIsMadeReadRenewedAndEnded(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	who := p.s.world.person(3)
	body := p.subscription("/users/"+who.id+"/messages", "created,updated,deleted", l.URL)
	made := p.call("POST", "subscriptions", body, 201)
	id := made["id"].(string)
	if made["clientState"] != "the secret" || made["applicationId"] != p.s.ClientID() || made["resource"] != body["resource"] || made["includeResourceData"] != false {
		t.Errorf("the answer is %v", made)
	}
	if got := p.get("subscriptions/" + id); got["clientState"] != nil || got["encryptionCertificate"] != nil || got["id"] != id {
		t.Errorf("GET tells %v", got)
	}
	if all := values(p.get("subscriptions")); len(all) != 1 || all[0]["id"] != id || all[0]["clientState"] != nil {
		t.Errorf("the list is %v", all)
	}
	again := p.call("POST", "subscriptions", with(p.subscription("users/"+who.id+"/messages/", "deleted,created,updated", l.URL)), 409)
	if text := again["error"].(map[string]any)["message"]; text != "Subscription Id "+id+" already exists for the requested combination" {
		t.Errorf("a second one: %v", text)
	}
	p.call("POST", "subscriptions", p.subscription("users/"+who.id+"/messages", "created", l.URL), 201)
	soon := p.call("PATCH", "subscriptions/"+id, map[string]any{"expirationDateTime": p.s.clock.Now().Add(time.Minute)}, 200)
	at, err := time.Parse(time.RFC3339, soon["expirationDateTime"].(string))
	if left := at.Sub(p.s.clock.Now()); err != nil || left < 44*time.Minute || left > 45*time.Minute {
		t.Errorf("a minute became %v (%v)", left, err)
	}
	p.call("PATCH", "subscriptions/"+id, map[string]any{"lifecycleNotificationUrl": l.URL}, 400)
	p.call("PATCH", "subscriptions/"+id, map[string]any{"expirationDateTime": p.s.clock.Now().Add(8 * 24 * time.Hour)}, 400)
	p.call("POST", "subscriptions/"+id+"/reauthorize", nil, 204)
	p.s.Advance(46 * time.Minute)
	for method, path := range map[string]string{"GET": id, "PATCH": id, "DELETE": id, "POST": id + "/reauthorize"} {
		p.call(method, "subscriptions/"+path, map[string]any{}, 404)
	}
	second := p.subscribe("users/"+who.id+"/messages", "created,updated,deleted", l.URL)
	p.call("DELETE", "subscriptions/"+second, nil, 204)
	p.call("DELETE", "subscriptions/"+second, nil, 404)
}

func TestSubscriptionsAreRefused(t *testing.T) {
	p := newProbe(t, Config{Users: 40})
	l := listen(t, nil)
	who := p.s.world.person(3)
	box := "users/" + who.id + "/messages"
	var scopedOut, boxless *person
	for i := range 40 {
		switch q := p.s.world.person(i); {
		case q.scopedOut:
			scopedOut = q
		case q.kind == guest:
			boxless = q
		}
	}
	mute := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(mute.Close)
	parrot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.RawQuery) }))
	t.Cleanup(parrot.Close)
	for name, c := range map[string]struct {
		body   map[string]any
		status int
		code   string
	}{
		"nobody":           {p.subscription("users/nobody@fabrikamfreight.com/messages", "created", l.URL), 404, "ErrorInvalidUser"},
		"no mailbox":       {p.subscription("users/"+boxless.id+"/messages", "created", l.URL), 404, "MailboxNotEnabledForRESTAPI"},
		"out of scope":     {p.subscription("users/"+scopedOut.id+"/messages", "created", l.URL), 403, "ErrorAccessDenied"},
		"me":               {p.subscription("me/messages", "created", l.URL), 400, "BadRequest"},
		"rules":            {p.subscription("users/"+who.id+"/mailFolders('inbox')/messageRules", "created", l.URL), 400, "BadRequest"},
		"folders":          {p.subscription("users/"+who.id+"/mailFolders", "created", l.URL), 400, "BadRequest"},
		"settings":         {p.subscription("users/"+who.id+"/mailboxSettings", "updated", l.URL), 400, "BadRequest"},
		"sign-ins":         {p.subscription("auditLogs/signIns", "created", l.URL), 400, "BadRequest"},
		"whole address":    {p.subscription("https://graph.microsoft.com/v1.0/"+box, "created", l.URL), 400, "BadRequest"},
		"folder not there": {p.subscription("users/"+who.id+"/mailFolders('nowhere')/messages", "created", l.URL), 404, "ErrorItemNotFound"},
		"unknown change":   {p.subscription(box, "created,moved", l.URL), 400, "BadRequest"},
		"created users":    {p.subscription("users", "created", l.URL), 400, "BadRequest"},
		"too long":         {with(p.subscription(box, "created", l.URL), "expirationDateTime", p.s.clock.Now().Add(10_081*time.Minute)), 400, "ExtensionError"},
		"past":             {with(p.subscription(box, "created", l.URL), "expirationDateTime", p.s.clock.Now().Add(-time.Minute)), 400, "ExtensionError"},
		"no time":          {with(p.subscription(box, "created", l.URL), "expirationDateTime", "tomorrow"), 400, "BadRequest"},
		"no address":       {with(p.subscription(box, "created", l.URL), "notificationUrl", nil), 400, "BadRequest"},
		"plain http":       {p.subscription(box, "created", "http://hooks.example/x"), 400, "BadRequest"},
		"not this machine": {p.subscription(box, "created", "https://192.0.2.1/x"), 400, "ValidationError"},
		"mute":             {p.subscription(box, "created", mute.URL), 400, "ValidationError"},
		"parrot":           {p.subscription(box, "created", parrot.URL), 400, "ValidationError"},
		"mute lifecycle":   {with(p.subscription(box, "created", l.URL), "lifecycleNotificationUrl", mute.URL), 400, "ValidationError"},
		"long state":       {with(p.subscription(box, "created", l.URL), "clientState", strings.Repeat("x", 129)), 400, "BadRequest"},
		"unknown name":     {with(p.subscription(box, "created", l.URL), "colour", "red"), 400, "BadRequest"},
		"ordered":          {p.subscription(box+"?$orderby=subject", "created", l.URL), 400, "BadRequest"},
		"no select":        {with(p.subscription(box, "created", l.URL), "includeResourceData", true), 400, "BadRequest"},
		"no certificate":   {with(p.subscription(box+"?$select=isRead", "created", l.URL), "includeResourceData", true), 400, "BadRequest"},
		"bad certificate": {with(p.subscription(box+"?$select=isRead", "created", l.URL), "includeResourceData", true, "encryptionCertificate", "AAAA",
			"encryptionCertificateId", "x"), 400, "BadRequest"},
		"metadata only": {with(p.subscription(box+"?$select=Subject", "created", l.URL), "includeResourceData", true, "encryptionCertificate", certificateText(t),
			"encryptionCertificateId", "x"), 403, "SimulatorMetadataOnly"},
		"rich for long": {with(p.subscription(box+"?$select=isRead", "created", l.URL), "includeResourceData", true, "encryptionCertificate", certificateText(t),
			"encryptionCertificateId", "x", "expirationDateTime", p.s.clock.Now().Add(1441*time.Minute)), 400, "ExtensionError"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := code(p.call("POST", "subscriptions", c.body, c.status)); got != c.code {
				t.Errorf("%s, want %s", got, c.code)
			}
		})
	}
	if all := values(p.get("subscriptions")); len(all) != 0 {
		t.Errorf("refused, and yet there are %v", all)
	}
}

func TestSubscriptionsNeedThePermissionOfTheResource(t *testing.T) {
	for role, opens := range map[string]string{"Mail.ReadBasic.All": "messages", "Mail.Read": "messages", "User.Read.All": "users", "Group.Read.All": "groups", "MailboxSettings.Read": ""} {
		p := newProbe(t, Config{Users: 30, Roles: []string{role}})
		l := listen(t, nil)
		for _, c := range [][2]string{{"messages", "users/" + p.s.world.person(3).id + "/messages"}, {"users", "users"}, {"groups", "groups"}} {
			want := 403
			if c[0] == opens {
				want = 201
			}
			p.call("POST", "subscriptions", p.subscription(c[1], "updated", l.URL), want)
		}
	}
}

func TestMailboxTakesAThousandSubscriptions(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	l := listen(t, nil)
	who := p.s.world.person(3)
	for i := range perMailbox { // as other apps' would
		sub := &subscription{id: itoa(i), app: itoa(i), expires: p.s.clock.Now().Add(time.Hour), target: target{box: who.i, folder: -1}}
		p.s.hook.add(sub)
	}
	p.call("POST", "subscriptions", p.subscription("users/"+who.id+"/messages", "created", l.URL), 403)
}

func TestCreatedMailIsNotified(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true})
	l := listen(t, nil)
	who, other := p.s.world.person(3), p.s.world.person(4)
	id := p.subscribe("users/"+who.id+"/messages", "created", l.URL)
	p.play("# x\nmon 09:00 " + who.mail + " receives from out@evil.example subject \"One\"\nmon 09:01 " + other.mail + " receives from out@evil.example subject \"Two\"\n")
	if got := l.got(t); len(got) != 0 {
		t.Errorf("it came before it was to be delivered: %v", got)
	}
	p.s.Deliver(t.Context())
	got := l.got(t)
	if len(got) != 1 {
		t.Fatalf("%d notifications, want one: %v", len(got), got)
	}
	n := got[0]
	m := values(p.get("users/" + who.id + "/messages?$top=1"))[0]
	data := n["resourceData"].(map[string]any)
	if n["subscriptionId"] != id || n["changeType"] != "created" || n["clientState"] != "the secret" || n["tenantId"] != p.s.Tenant() || data["id"] != m["id"] || data["@odata.etag"] != m["@odata.etag"] {
		t.Errorf("the notification %v is not of %v", n, m["id"])
	}
	if r := strings.ToLower(n["resource"].(string)); !strings.Contains(r, who.id) || !strings.Contains(n["resource"].(string), m["id"].(string)) {
		t.Errorf("resource is %s", r)
	}
	p.s.Deliver(t.Context())
	if got := l.got(t); len(got) != 0 {
		t.Errorf("delivered twice: %v", got)
	}
	if d := p.s.Deliveries(); d.Made != 1 || d.Delivered != 1 || d.Posts != 1 || d.Waiting != 0 {
		t.Errorf("counted %+v", d)
	}
	truth, err := p.s.Truth()
	if err != nil {
		t.Fatal(err)
	}
	last := truth[len(truth)-1]
	var of Truth
	for _, line := range truth {
		if len(last.Of) == 1 && line.N == last.Of[0] {
			of = line
		}
	}
	if last.Change != "delivery.answered" || last.Status != 202 || of.Change != "message.created" || of.Action != "received" || of.Mailbox != who.mail {
		t.Errorf("the truth tells %+v of %+v", last, of)
	}
}

// TestNotificationsFitMicrosoftsDescription holds every shape that notifications take against Microsoft's.
func TestNotificationsFitMicrosoftsDescription(t *testing.T) {
	doc := description(t)
	p := newProbe(t, Config{Users: 30, Content: true})
	l := listen(t, nil)
	who := p.s.world.person(3)
	p.subscribe("users/"+who.id+"/messages", "created", l.URL)
	shapes := map[string]bool{}
	p.play("# x\n" + strings.Repeat("mon 09:00 "+who.mail+" receives from out@evil.example\n", 100))
	p.s.Deliver(t.Context())
	if n := len(l.posts); n != 10 {
		t.Errorf("a hundred notifications came in %d POSTs", n)
	}
	for _, raw := range l.posts {
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		for _, n := range values(body) {
			_, has := n["id"]
			r, at := n["resource"].(string), n["subscriptionExpirationDateTime"].(string)
			shapes[r[:7]] = true
			shapes[at[len(at)-6:]] = true
			shapes[n["resourceData"].(map[string]any)["@odata.type"].(string)] = true
			shapes[map[bool]string{true: "with id", false: "without id"}[has]] = true
			n["resourceData"] = map[string]any{} // an open type
			if err := fits(doc, doc.Components.Schemas["microsoft.graph.changeNotification"], any(n)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, want := range []string{"Users/" + who.id[:1], "Users('", "users/" + who.id[:1], "+05:30", "-08:00", "#Microsoft.Graph.Message", "#microsoft.graph.message", "with id", "without id"} {
		if !shapes[want] {
			t.Errorf("no notification has the shape %s: %v", want, shapes)
		}
	}
}
