package server

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
)

// imports makes a server that has read a tenant, reachable by HTTP, and a command as its owner.
func imports(t *testing.T) (*Server, *subject, *api.Client, func(args ...string) (string, error)) {
	w := world(t, 6, `# Two people.
domain contoso.example
person amy "Amy" amy@contoso.example
person bob "Bob" bob@contoso.example
`)
	c := settings(t)
	c.Owner.Email, c.Owner.Token = "owner@tocsin.example", landlordToken
	s := start(t, c, w.Client())
	conn := join(t, s, w)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	client := &api.Client{URL: h.URL, Token: landlordToken}
	return s, &subject{T: t, s: s, w: w, conn: conn}, client, func(args ...string) (string, error) {
		var out bytes.Buffer
		for _, c := range api.Commands(func() (*api.Client, error) { return client, nil }) {
			if c.Name() == args[0] {
				c.SetArgs(args[1:])
				c.SetOut(&out)
				c.SetErr(&out)
				err := c.ExecuteContext(t.Context())
				return out.String(), err
			}
		}
		return "", fmt.Errorf("no command %s", args[0])
	}
}

// TestImport: a log and rights are brought in by the command, through the API, and show as findings and verdicts; a second time changes
// nothing; what is broken is said with its line.
func TestImport(t *testing.T) {
	t.Parallel()
	s, sub, client, command := imports(t)
	tenant := string(sub.conn.Tenant)
	synced(t, s, sub.conn.Tenant)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	log := file("log.jsonl", `{"Id":"imp-1","CreationTime":"2026-03-16T10:00:00","Operation":"Set-Mailbox","Workload":"Exchange","RecordType":1,"UserId":"amy@contoso.example","ObjectId":"amy","OrganizationId":"`+tenant+`","Parameters":[{"Name":"Identity","Value":"amy@contoso.example"},{"Name":"ForwardingSmtpAddress","Value":"smtp:eve@evil.example"}]}
nonsense
`)
	said, err := command("import", "audit", log)
	if !strings.Contains(said, "log.jsonl: 1 record, 1 new, 1 that could not be read.") || !strings.Contains(said, "log.jsonl:2: ") || err == nil || !strings.Contains(err.Error(), "1 piece could not be read") {
		t.Fatalf("said %s, %v", said, err)
	}
	eventually(t, "the finding", func() string {
		page := callAs[api.Page[api.Finding]](t, client, "findings list", api.FindingsIn{In: api.In{Tenant: sub.conn.Tenant}, Paging: api.Paging{Limit: 200}})
		for _, f := range page.Items {
			if f.Rule == "mailbox-forwards-outside" {
				return ""
			}
		}
		return "not yet"
	})
	if said, _ = command("import", "audit", log); !strings.Contains(said, "1 record, 1 known already") {
		t.Errorf("given again: %s", said)
	}

	rights := file("rights.csv", "Mailbox,User,AccessRights,Deny,IsInherited\namy@contoso.example,NT AUTHORITY\\SELF,FullAccess,False,False\namy@contoso.example,bob@contoso.example,FullAccess,False,False\n")
	boxes := file("boxes.csv", "PrimarySmtpAddress,ForwardingSmtpAddress,ForwardingAddress,DeliverToMailboxAndForward,GrantSendOnBehalfTo\nbob@contoso.example,,,False,\n")
	exported := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	if err := os.Chtimes(rights, exported, exported); err != nil {
		t.Fatal(err)
	}
	if said, err = command("import", "mailboxes", rights, boxes); err != nil || !strings.Contains(said, "1 right of 1 mailbox told of, as of "+exported.UTC().Format("2 January 2006 15:04")) {
		t.Fatalf("said %s, %v", said, err)
	}
	eventually(t, "the verdict names its source and age", func() string {
		box := callAs[api.Mailbox](t, client, "mailboxes get", api.ByPerson{In: api.In{Tenant: sub.conn.Tenant}, Person: "amy@contoso.example"})
		for _, told := range box.Delegation.Sources {
			if told.Source == "export" && told.What == "full_access" && told.AsOf.Equal(exported) && box.Delegation.Others == 1 {
				return ""
			}
		}
		return fmt.Sprintf("%+v", box.Delegation)
	})

	page := callAs[api.Page[api.Import]](t, client, "import list", api.ListIn{In: api.In{Tenant: sub.conn.Tenant}})
	if len(page.Items) != 4 || page.Items[3].Kind != "audit" || page.Items[3].State != "done" || page.Items[3].New != 1 || len(page.Items[3].FirstBroken) != 1 || page.Items[3].FirstBroken[0].Line != 2 || page.Items[0].Name != "boxes.csv" {
		t.Errorf("%+v", page.Items)
	}
	n := numberOf(t, s, sub.conn.Tenant, `select count(*) from trail where tenant = $1 and operation = 'import mailboxes' and outcome = 'done' and detail like '%boxes.csv%'`)
	if n != 1 {
		t.Errorf("%d entries in the trail", n)
	}
}

// TestImportByForm: the page's form brings a file in, as of the time that was entered.
func TestImportByForm(t *testing.T) {
	t.Parallel()
	s, sub, client, _ := imports(t)
	send := func(kind, asOf, file string) {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		if asOf != "" {
			form.WriteField("as_of", asOf)
		}
		part, err := form.CreateFormFile("file", kind+".csv")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(part, file)
		form.Close()
		r, err := http.NewRequestWithContext(t.Context(), "POST", client.URL+"/t/"+string(sub.conn.Tenant)+"/audit/imports/"+kind, &body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Authorization", "Bearer "+landlordToken)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusSeeOther {
			t.Fatalf("answered %s", res.Status)
		}
	}
	send("mailboxes", "2026-03-01T12:00", "Mailbox,User,AccessRights\namy@contoso.example,bob@contoso.example,FullAccess\nbroken,,FullAccess\n")
	page := callAs[api.Page[api.Import]](t, client, "import list", api.ListIn{In: api.In{Tenant: sub.conn.Tenant}})
	if len(page.Items) != 1 || page.Items[0].Name != "mailboxes.csv" || !page.Items[0].AsOf.Equal(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) || page.Items[0].New != 1 || page.Items[0].Broken != 1 {
		t.Fatalf("%+v", page.Items)
	}
	send("mailboxes", "yesterday", "Mailbox,User,AccessRights\namy@contoso.example,bob@contoso.example,FullAccess\n")
	send("elsewhere", "", "x")
	if n := numberOf(t, s, sub.conn.Tenant, `select count(*) from audit_import where tenant = $1`); n != 1 {
		t.Errorf("%d imports", n)
	}
}

// TestImportRefused: what is no file of the kind, empty, or still to come is refused and changes nothing; one that is cut off in the
// middle says so, and what came of a log is in.
func TestImportRefused(t *testing.T) {
	t.Parallel()
	s, sub, client, _ := imports(t)
	audit := api.ImportAuditIn{In: api.In{Tenant: sub.conn.Tenant}}
	boxes := api.ImportMailboxesIn{In: api.In{Tenant: sub.conn.Tenant}}
	row := "Mailbox,User,AccessRights\namy@contoso.example,bob@contoso.example,FullAccess\n"
	for _, c := range []struct{ name, file, says string }{
		{"import audit", "", "empty"}, {"import audit", "hello, world", "Nothing in"}, {"import audit", row, "Nothing in"}, {"import audit", "PK\x03\x04", "zip"},
		{"import mailboxes", "{}", "Nothing in"}, {"import mailboxes", "\x1f\x8b", "gzip"},
	} {
		var in any = audit
		if c.name == "import mailboxes" {
			in = boxes
		}
		if err := client.Upload(t.Context(), c.name, in, strings.NewReader(c.file), nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %q: %v; want %q", c.name, c.file, err, c.says)
		}
	}
	boxes.AsOf = time.Now().Add(48 * time.Hour)
	if err := client.Upload(t.Context(), "import mailboxes", boxes, strings.NewReader(row), nil); err == nil || !strings.Contains(err.Error(), "still to come") {
		t.Errorf("of tomorrow: %v", err)
	}
	record := func(i int) string {
		return fmt.Sprintf(`{"Id":"cut-%d","CreationTime":"2026-03-16T10:00:00","Operation":"Set-Mailbox","Workload":"Exchange","UserId":"amy@contoso.example"}`+"\n", i)
	}
	var text strings.Builder
	for i := range 2000 {
		text.WriteString(record(i))
	}
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, text.String())
		w.CloseWithError(io.ErrUnexpectedEOF) // the sender dies
	}()
	if err := client.Upload(t.Context(), "import audit", audit, r, nil); err == nil {
		t.Error("a cut file came in whole")
	}
	eventually(t, "the cut is written down", func() string {
		page := callAs[api.Page[api.Import]](t, client, "import list", api.ListIn{In: api.In{Tenant: sub.conn.Tenant}})
		if i := page.Items[0]; i.State != "cut" || i.New < 500 || i.Because == "" {
			return fmt.Sprintf("%+v", i)
		}
		return ""
	})
	var out api.Import
	if err := client.Upload(t.Context(), "import audit", audit, strings.NewReader(text.String()), &out); err != nil || out.Records != 2000 || out.State != "done" {
		t.Errorf("sent again: %+v, %v", out, err)
	}
	eventually(t, "all records once", func() string {
		n := numberOf(t, s, sub.conn.Tenant, `select count(*) from audit_record where tenant = $1 and id like 'cut-%'`)
		if n != 2000 {
			return fmt.Sprint(n, " records")
		}
		return ""
	})
}

func callAs[O any](t *testing.T, c *api.Client, name string, in any) O {
	t.Helper()
	var out O
	if err := c.Do(t.Context(), name, in, &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func numberOf(t *testing.T, s *Server, tenant tocsin.TenantID, q string) (n int) {
	t.Helper()
	if err := s.Store.ViewTenant(t.Context(), tenant, func(tt *store.Tenant) error { return tt.QueryRow(t.Context(), q).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}
