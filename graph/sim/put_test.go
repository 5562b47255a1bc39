package sim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"tocsin.dev/story"
)

// bytesOf is an answer that is no JSON.
func (p *probe) bytesOf(path string) []byte {
	p.t.Helper()
	resp := p.raw("GET", path, nil)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		p.t.Fatalf("%s: %d %v %s", path, resp.StatusCode, err, b)
	}
	return b
}

// TestContentOfAMail: body, headers, attachments and MIME say the same, and again when asked again.
func TestContentOfAMail(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	file := bytes.Repeat([]byte{0, 1, 255}, 5000)
	id, err := p.s.Put(amy.mail, Mail{From: "billing@evil.example", FromName: "Zahlung, fällig", ReplyTo: []string{"drop@evil.example"}, Subject: "Überfällig", HTML: "<p>Tom &amp; Ann: <a href=\"https://evil.example/x\">look</a></p>",
		Headers: [][2]string{{"X-Mailer", "PHPMailer"}}, MessageID: "<one@evil.example>",
		Attachments: []File{{Name: "Rechnung für Amy.pdf", Type: "application/pdf", Data: file}, {Name: "logo.png", Type: "image/png", Inline: true, ContentID: "logo@evil", Data: []byte("png")},
			{Name: "Original", Type: "message/rfc822", Data: []byte("From: x@evil.example\r\nSubject: Inner\r\n\r\nHello\r\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	path := "users/" + amy.id + "/messages/" + url.PathEscape(id)
	got := p.get(path + "?$select=subject,body,bodyPreview,replyTo,hasAttachments,internetMessageId,internetMessageHeaders")
	if got["body"].(map[string]any)["content"] != "<p>Tom &amp; Ann: <a href=\"https://evil.example/x\">look</a></p>" || got["bodyPreview"] != "Tom & Ann: look" || got["internetMessageId"] != "<one@evil.example>" || got["hasAttachments"] != true ||
		got["replyTo"].([]any)[0].(map[string]any)["emailAddress"].(map[string]any)["address"] != "drop@evil.example" {
		t.Errorf("it says %v", got)
	}
	mailer := false
	for _, h := range got["internetMessageHeaders"].([]any) {
		mailer = mailer || h.(map[string]any)["name"] == "X-Mailer" && h.(map[string]any)["value"] == "PHPMailer"
	}
	if !mailer {
		t.Errorf("its headers are %v", got["internetMessageHeaders"])
	}
	p.head.Set("Prefer", `IdType="ImmutableId", outlook.body-content-type="text"`)
	if body := p.get(path + "?$select=body")["body"].(map[string]any); body["contentType"] != "text" || body["content"] != "Tom & Ann: look" {
		t.Errorf("as text it says %v", body)
	}
	list := values(p.get(path + "/attachments?$select=id,name,contentType,size,isInline"))
	if len(list) != 3 || list[1]["isInline"] != true || list[2]["@odata.type"] != "#microsoft.graph.itemAttachment" || list[0]["contentBytes"] != nil {
		t.Fatalf("attached are %v", list)
	}
	one := path + "/attachments/" + url.PathEscape(list[0]["id"].(string))
	if raw, err := base64.StdEncoding.DecodeString(p.get(one)["contentBytes"].(string)); err != nil || !bytes.Equal(raw, file) || !bytes.Equal(p.bytesOf(one+"/$value"), file) {
		t.Error("the file's bytes are others")
	}
	p.call("GET", path+"/attachments/nonsense", nil, 404)
	raw := p.bytesOf(path + "/$value")
	if !bytes.Equal(raw, p.bytesOf(path+"/$value")) {
		t.Error("the MIME is another the second time")
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	from, err := m.Header.AddressList("From")
	subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || from[0].Name != "Zahlung, fällig" || from[0].Address != "billing@evil.example" || subject != "Überfällig" || m.Header.Get("Message-Id") != "<one@evil.example>" {
		t.Errorf("its head is %v (%v)", m.Header, err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(part)
		if part.FileName() == "Rechnung für Amy.pdf" {
			if dec, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(b), "\r\n", "")); err != nil || !bytes.Equal(dec, file) {
				t.Error("the file in the MIME is another")
			}
		}
		names = append(names, part.FileName())
	}
	if strings.Join(names, "|") != "|Rechnung für Amy.pdf|logo.png|Original" {
		t.Errorf("its parts are %q", names)
	}
}

// TestStoryOfAMailWithALink: a story's mail says what the story says, and so does its forwarded copy.
func TestStoryOfAMailWithALink(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy, bob := p.s.world.person(3), p.s.world.person(4)
	p.play("# x\nmon 09:00 " + amy.mail + " receives from x@evil.example subject \"Pay\" text \"Tom & Ann, pay\" link https://evil.example/?a=1&b=2 attaching \"Invoice.html\"\nmon 09:01 " + amy.mail + " forwards mail \"Pay\" to " + bob.mail + "\n")
	for who, subject := range map[*person]string{amy: "Pay", bob: "FW: Pay"} {
		m := values(p.get("users/" + who.id + "/mailFolders/inbox/messages?$select=subject,body,bodyPreview,hasAttachments&$filter=subject eq '" + subject + "'"))
		if len(m) != 1 || m[0]["hasAttachments"] != true || m[0]["bodyPreview"] != "Tom & Ann, pay Open it here" || !strings.Contains(m[0]["body"].(map[string]any)["content"].(string), `href="https://evil.example/?a=1&amp;b=2"`) {
			t.Fatalf("%s has %v", who.mail, m)
		}
		list := values(p.get("users/" + who.id + "/messages/" + url.PathEscape(m[0]["id"].(string)) + "/attachments?$select=name,contentType"))
		if len(list) != 1 || list[0]["name"] != "Invoice.html" || !strings.HasPrefix(list[0]["contentType"].(string), "text/html") {
			t.Errorf("attached are %v", list)
		}
	}
}

// TestContentNeedsItsPermissionAndConsent: a metadata-only connection is refused each way to read content, and counted; who has
// Mail.ReadBasic.All alone is refused what that does not open.
func TestContentNeedsItsPermissionAndConsent(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Roles: everyRole})
	amy := p.s.world.person(3)
	id, err := p.s.Put(amy.mail, Mail{From: "x@evil.example", Subject: "a", Attachments: []File{{Name: "a", Type: "text/plain", Data: []byte("a")}}})
	if err != nil {
		t.Fatal(err)
	}
	path := "users/" + amy.id + "/messages"
	one := path + "/" + url.PathEscape(id)
	ways := []string{path + "?$select=id&$search=%22a%22", path + "?$select=id,subject", path + "?$select=id&$filter=contains(subject,'a')", one + "/$value", one + "/attachments", one + "/attachments?$select=id",
		one + "?$select=body", one + "?$select=id,internetMessageHeaders", "admin/exchange/tracing/messageTraces"}
	for n, way := range ways {
		if got := code(p.call("GET", way, nil, 403)); got != "SimulatorMetadataOnly" || len(p.s.Violations()) != n+1 {
			t.Errorf("%s: %s, %d counted", way, got, len(p.s.Violations()))
		}
	}
	moved := p.call("POST", one+"/move", map[string]any{"destinationId": "junkemail"}, 201)
	if _, told := moved["subject"]; told {
		t.Error("a metadata-only connection is told a subject when it moves a mail")
	}
	other, _ := p.s.AddApp("Investigations", "Mail.ReadWrite")
	p.s.AllowContentOf(other, true)
	if got := code(p.call("GET", ways[1], nil, 403)); got != "SimulatorMetadataOnly" {
		t.Errorf("what one connection may, another may too: %s", got)
	}
	p.s.AllowContent(true)
	for _, way := range ways[:3] {
		p.call("GET", way, nil, 200)
	}
	p.s.Consent("Mail.ReadBasic.All")
	p.login()
	for _, way := range []string{one + "/$value", one + "/attachments"} {
		if got := code(p.call("GET", way, nil, 403)); got != "ErrorAccessDenied" {
			t.Errorf("%s: %s", way, got)
		}
	}
}

// TestQuarantineAndBack: folder, read state, flag and categories can be put back to what they were; ids change unless they are
// immutable.
func TestQuarantineAndBack(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	id, err := p.s.Put(amy.mail, Mail{From: "x@evil.example", Subject: "a", Read: true, Categories: []string{"Red category"}})
	if err != nil {
		t.Fatal(err)
	}
	who := "users/" + amy.id
	mutable := values(p.get(who + "/messages?$select=id&$filter=subject eq 'a'"))[0]["id"].(string)
	p.head.Set("Prefer", `IdType="ImmutableId"`)
	one := who + "/messages/" + url.PathEscape(id)
	flag := map[string]any{"flagStatus": "flagged", "startDateTime": map[string]any{"dateTime": "2026-01-01T00:00:00.0000000", "timeZone": "UTC"}, "dueDateTime": map[string]any{"dateTime": "2026-01-02T00:00:00.0000000", "timeZone": "UTC"}}
	p.call("PATCH", one, map[string]any{"flag": flag}, 200)
	p.call("PATCH", one, map[string]any{"flag": map[string]any{"flagStatus": "flagged", "dueDateTime": flag["dueDateTime"]}}, 400)
	before := p.s.MailDigest()[amy.mail]
	state := p.get(one + "?$select=isRead,flag,categories,parentFolderId")
	made := p.call("POST", who+"/mailFolders", map[string]any{"displayName": "Tocsin Quarantine", "isHidden": true}, 201)
	if got := code(p.call("POST", who+"/mailFolders", map[string]any{"displayName": "tocsin quarantine"}, 409)); got != "ErrorFolderExists" {
		t.Errorf("made twice: %s", got)
	}
	find := who + "/mailFolders?$filter=" + url.QueryEscape("displayName eq 'Tocsin Quarantine'")
	if len(values(p.get(find))) != 0 || len(values(p.get(find+"&includeHiddenFolders=true"))) != 1 {
		t.Error("a hidden folder is found without being asked for, or not at all")
	}
	p.call("POST", one+"/move", map[string]any{"destinationId": made["id"]}, 201)
	p.call("PATCH", one, map[string]any{"isRead": false, "flag": map[string]any{"flagStatus": "notFlagged"}, "categories": []string{"Suspicious"}}, 200)
	if p.s.MailDigest()[amy.mail] == before {
		t.Error("nothing changed")
	}
	p.call("POST", one+"/move", map[string]any{"destinationId": state["parentFolderId"]}, 201)
	p.call("PATCH", one, map[string]any{"isRead": state["isRead"], "flag": state["flag"], "categories": state["categories"]}, 200)
	if p.s.MailDigest()[amy.mail] != before {
		t.Errorf("it is not as it was: %v", p.get(one+"?$select=isRead,flag,categories,parentFolderId"))
	}
	p.head.Del("Prefer")
	p.call("GET", who+"/messages/"+url.PathEscape(mutable)+"?$select=id", nil, 404)
	p.call("GET", one+"?$select=id", nil, 200) // the immutable one holds
	p.call("POST", one+"/move", map[string]any{"destinationId": "nowhere"}, 404)
	p.call("POST", one+"/move", map[string]any{"destinationId": "recoverableitemsdeletions"}, 201)
	p.call("POST", one+"/permanentDelete", nil, 204)
	p.call("POST", one+"/permanentDelete", nil, 404)
}

// TestReceivedMailIsNotRewritten: from the end of 2026 on, what a received mail says cannot be changed with Mail.ReadWrite alone.
func TestReceivedMailIsNotRewritten(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	id, err := p.s.Put(amy.mail, Mail{From: "x@evil.example", Subject: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if d := advancedSince.Sub(p.s.clock.Now()); d > 0 {
		p.call("PATCH", "users/"+amy.id+"/messages/"+url.PathEscape(id), map[string]any{"subject": "[Bad] a"}, 200)
		p.s.Advance(d + time.Hour)
		p.login()
	}
	one := "users/" + amy.id + "/messages/" + url.PathEscape(id)
	for _, body := range []map[string]any{{"subject": "[Bad] a"}, {"body": map[string]any{"contentType": "html", "content": "x"}}, {"isRead": true, "toRecipients": []any{}}} {
		if got := code(p.call("PATCH", one, body, 403)); got != "ErrorAccessDenied" {
			t.Errorf("%v: %s", body, got)
		}
	}
	p.call("PATCH", one, map[string]any{"isRead": true, "categories": []string{"Suspicious"}}, 200)
	draft := p.call("POST", "users/"+amy.id+"/messages", map[string]any{"subject": "x"}, 201)
	p.call("PATCH", "users/"+amy.id+"/messages/"+url.PathEscape(draft["id"].(string)), map[string]any{"subject": "y"}, 200)
}

// TestNoticeLooksDelivered: a message put into a folder is a draft, unless its flags say that it was delivered.
func TestNoticeLooksDelivered(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	path := "users/" + amy.id + "/mailFolders/inbox/messages"
	put := func(flags string) map[string]any {
		body := map[string]any{"subject": "Notice", "from": map[string]any{"emailAddress": map[string]any{"name": "Security", "address": "security@partner.example"}},
			"body": map[string]any{"contentType": "html", "content": "<p>A mail was taken away.</p>"}, "toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": amy.mail}}}}
		if flags != "" {
			body["singleValueExtendedProperties"] = []any{map[string]any{"id": "Integer 0x0E07", "value": flags}}
		}
		return p.call("POST", path, body, 201)
	}
	for flags, want := range map[string][2]bool{"": {true, true}, "0": {false, false}, "1": {false, true}, "8": {true, false}} {
		made := put(flags)
		got := p.get("users/" + amy.id + "/messages/" + url.PathEscape(made["id"].(string)) + "?$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x0E07')")
		if got["isDraft"] != want[0] || got["isRead"] != want[1] || got["body"].(map[string]any)["content"] != "<p>A mail was taken away.</p>" || got["from"].(map[string]any)["emailAddress"].(map[string]any)["address"] != "security@partner.example" {
			t.Errorf("flags %q: %v", flags, got)
		}
	}
	p.call("POST", path, map[string]any{"subject": "x", "singleValueExtendedProperties": []any{map[string]any{"id": "Integer 0x0E07", "value": "many"}}}, 400)
	p.call("POST", path, map[string]any{"isDraft": false}, 400)
}

// TestCategoriesOfAMailbox: each name once, in the colours there are.
func TestCategoriesOfAMailbox(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Roles: everyRole})
	path := "users/" + p.s.world.person(3).id + "/outlook/masterCategories"
	first := len(values(p.get(path)))
	made := p.call("POST", path, map[string]any{"displayName": "Suspicious (Tocsin)", "color": "preset15"}, 201)
	p.call("POST", path, map[string]any{"displayName": "suspicious (tocsin)", "color": "preset1"}, 409)
	p.call("POST", path, map[string]any{"displayName": "red category"}, 409)
	p.call("POST", path, map[string]any{"displayName": "x", "color": "crimson"}, 400)
	p.call("POST", path, map[string]any{"color": "preset1"}, 400)
	all := values(p.get(path))
	if last := all[len(all)-1]; len(all) != first+1 || last["id"] != made["id"] || last["color"] != "preset15" || last["displayName"] != "Suspicious (Tocsin)" {
		t.Errorf("the categories are %v", all)
	}
	if got := values(p.get("users/" + p.s.world.person(4).id + "/outlook/masterCategories")); len(got) != first {
		t.Error("another mailbox has it as well")
	}
}

// TestSendMailReaches: what is sent stands in the sent items unless that was not wanted, and in the mailboxes inside.
func TestSendMailReaches(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy, bob := p.s.world.person(3), p.s.world.person(4)
	send := func(subject, to string, keep any, want int) {
		t.Helper()
		body := map[string]any{"message": map[string]any{"subject": subject, "body": map[string]any{"contentType": "text", "content": "Thank you"}, "toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": to}}}}}
		if keep != nil {
			body["saveToSentItems"] = keep
		}
		p.call("POST", "users/"+amy.id+"/sendMail", body, want)
	}
	send("kept", bob.mail, nil, 202)
	send("not kept", bob.mail, false, 202)
	has := func(who *person, folder string) string {
		return subjectsOf(values(p.get("users/" + who.id + "/mailFolders/" + folder + "/messages?$select=subject&$filter=contains(subject,'kept')")))
	}
	if has(amy, "sentitems") != "kept" || has(bob, "inbox") != "not kept,kept" {
		t.Errorf("sent %q, received %q", has(amy, "sentitems"), has(bob, "inbox"))
	}
	p.call("POST", "users/"+amy.id+"/sendMail", map[string]any{"message": map[string]any{"subject": "nobody"}}, 400)
	p.call("POST", "users/"+amy.id+"/sendMail", map[string]any{}, 400)
	p.call("POST", "users/"+amy.id+"/sendMail", map[string]any{"message": map[string]any{"from": map[string]any{"emailAddress": map[string]any{"address": bob.mail}}, "toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": bob.mail}}}}}, 403)
}

// TestOwnerMovesAMailUnderOurHand: what a person does with one mail is done to it alone, by whichever id.
func TestOwnerMovesAMailUnderOurHand(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	first, err := p.s.Put(amy.mail, Mail{From: "x@evil.example", Subject: "a"})
	if err == nil {
		_, err = p.s.Put(amy.mail, Mail{From: "x@evil.example", Subject: "a"})
	}
	for _, c := range []struct {
		verb story.Verb
		arg  string
	}{{story.ReadsMail, ""}, {story.SortsMail, "Red"}, {story.MovesMail, "junkemail"}} {
		if err == nil {
			err = p.s.ActOnMail(amy.mail, first, c.verb, c.arg)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	in := func(folder string) string {
		var out []string
		for _, m := range values(p.get("users/" + amy.id + "/mailFolders/" + folder + "/messages?$select=isRead,categories&$filter=subject eq 'a'")) {
			out = append(out, fmt.Sprint(m["isRead"], m["categories"]))
		}
		return strings.Join(out, ",")
	}
	if in("junkemail") != "true [Red]" || in("inbox") != "false []" {
		t.Errorf("Junk Email has %q, the inbox %q", in("junkemail"), in("inbox"))
	}
	if p.s.ActOnMail(amy.mail, "nonsense", story.ReadsMail, "") == nil || p.s.ActOnMail("nobody@nowhere.example", first, story.ReadsMail, "") == nil {
		t.Error("what is not there was read")
	}
}

// TestWhatIsSaidToHaveFailedWasDone: the answer is a 504, or does not come, and the act has taken effect, once.
func TestWhatIsSaidToHaveFailedWasDone(t *testing.T) {
	p := newProbe(t, Config{Users: 30, Content: true, Roles: everyRole})
	amy := p.s.world.person(3)
	who := "users/" + amy.id
	id, err := p.s.Put(amy.mail, Mail{From: "x@evil.example", Subject: "a"})
	if err != nil {
		t.Fatal(err)
	}
	one := who + "/messages/" + url.PathEscape(id)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", one + "/move", map[string]any{"destinationId": "junkemail"}}, {"PATCH", one, map[string]any{"isRead": true}}, {"POST", who + "/mailFolders", map[string]any{"displayName": "Q"}},
		{"POST", who + "/outlook/masterCategories", map[string]any{"displayName": "S"}}, {"POST", who + "/mailFolders/inbox/messages", map[string]any{"subject": "N"}}, {"POST", one + "/permanentDelete", nil},
	} {
		k, err := p.s.Strike(Fault{Kind: Lost, Method: c.method, Path: "users/**", Times: 1})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := p.s.Truth()
		p.call(c.method, c.path, c.body, 504)
		if after, _ := p.s.Truth(); len(after) != len(before)+1 || k.Times() != 1 {
			t.Errorf("%s %s: %d things happened", c.method, c.path, len(after)-len(before))
		}
	}
	p.call("POST", who+"/mailFolders", map[string]any{"displayName": "Q"}, 409)
	p.call("POST", one+"/permanentDelete", nil, 404)
}
