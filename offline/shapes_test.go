package offline

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"tocsin.dev/detect/audit"

	"tocsin.dev"
)

// unifiedRules is what the five records of the unified log in testdata lead to, in whichever form they stand.
var unifiedRules = []string{"forward-everything", "global-administrator-granted", "mailbox-forwards-outside"}

// TestShapes reads the same records in every form.
func TestShapes(t *testing.T) {
	mail := []string{"forward-everything", "mailbox-forwards-outside"}
	for _, c := range []struct {
		file    string
		shape   audit.Shape
		records int
		rules   []string
	}{
		{"unified.json", audit.UnifiedLog, 5, unifiedRules},
		{"unified.jsonl", audit.UnifiedLog, 5, unifiedRules},
		{"query-records.json", audit.UnifiedLog, 5, unifiedRules},
		{"purview.csv", audit.UnifiedLog, 5, unifiedRules},
		{"powershell.csv", audit.UnifiedLog, 5, unifiedRules},
		{"office-activity.csv", audit.UnifiedLog, 4, mail},
		{"log-analytics.json", audit.UnifiedLog, 2, mail},
		{"sign-ins.json", audit.SignInLog, 13, []string{"legacy-authentication", "password-spray"}},
		{"sign-ins.csv", audit.SignInLog, 13, []string{"legacy-authentication", "password-spray"}},
		{"directory-audits.json", audit.DirectoryLog, 2, []string{"global-administrator-granted"}},
		{"audit-logs.csv", audit.DirectoryLog, 2, []string{"global-administrator-granted"}},
		{"diagnostics.jsonl", audit.DirectoryLog, 2, []string{"global-administrator-granted", "legacy-authentication"}},
		{"alerts.json", audit.AlertLog, 1, []string{"microsoft-alert"}},
		{"risk-detections.json", audit.RiskLog, 1, []string{"risk-detected"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			got := analyze(t, Options{Files: []string{filepath.Join("testdata", c.file)}})
			if got.sum.Shapes[string(c.shape)] != c.records || got.sum.Broken+got.sum.Strange+got.sum.Untimed > 0 {
				t.Errorf("shapes %v, broken %v, strange %d, untimed %d; want %d of %s", got.sum.Shapes, got.sum.First, got.sum.Strange, got.sum.Untimed, c.records, c.shape)
			}
			if !slices.Equal(got.rules(), c.rules) {
				t.Errorf("rules %v, want %v", got.rules(), c.rules)
			}
		})
	}
}

// TestOneJudgement holds that the same records in two forms lead to the same findings, to the letter.
func TestOneJudgement(t *testing.T) {
	want := asLines(t, analyze(t, Options{Files: []string{"testdata/unified.json"}}))
	for _, other := range []string{"unified.jsonl", "query-records.json", "purview.csv", "powershell.csv"} {
		if got := asLines(t, analyze(t, Options{Files: []string{"testdata/" + other}})); got != want {
			t.Errorf("%s:\n%swant\n%s", other, got, want)
		}
	}
}

// TestEncodings reads the same table in UTF-16 as PowerShell writes it, with a mark and without, compressed, and from standard
// input.
func TestEncodings(t *testing.T) {
	plain, err := os.ReadFile("testdata/powershell.csv")
	if err != nil {
		t.Fatal(err)
	}
	encode := func(e unicode.Endianness, b unicode.BOMPolicy) []byte {
		out, err := unicode.UTF16(e, b).NewEncoder().Bytes(plain)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, content := range map[string][]byte{
		"little endian with mark":    encode(unicode.LittleEndian, unicode.UseBOM),
		"big endian with mark":       encode(unicode.BigEndian, unicode.UseBOM),
		"little endian without mark": encode(unicode.LittleEndian, unicode.IgnoreBOM),
		"utf-8 with mark":            append([]byte{0xef, 0xbb, 0xbf}, plain...),
		"gzip":                       zipped(t, plain),
		"gzip of utf-16":             zipped(t, encode(unicode.LittleEndian, unicode.UseBOM)),
		"lines end with cr lf":       bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			for _, opt := range []Options{{Files: []string{write(t, "x", content)}}, {Files: []string{"-"}, Stdin: bytes.NewReader(content)}} {
				if got := analyze(t, opt); !slices.Equal(got.rules(), unifiedRules) || got.sum.Broken > 0 {
					t.Errorf("%v: rules %v, broken %v", opt.Files, got.rules(), got.sum.First)
				}
			}
		})
	}
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestOrderDoesNotMatter gives the records backwards and in runs so small that each is merged from the temporary file.
func TestOrderDoesNotMatter(t *testing.T) {
	var records []json.RawMessage
	b, err := os.ReadFile("testdata/sign-ins.json")
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Value []json.RawMessage }
	if err := json.Unmarshal(b, &page); err != nil {
		t.Fatal(err)
	}
	records = page.Value
	forth := analyze(t, Options{Files: []string{"testdata/sign-ins.json"}})
	slices.Reverse(records)
	back, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	got := analyze(t, Options{Files: []string{write(t, "back.json", back)}, RunSize: 1, TempDir: t.TempDir()})
	if got.sum.Runs != len(records) {
		t.Errorf("%d runs, want one a record: %d", got.sum.Runs, len(records))
	}
	if a, b := asLines(t, forth), asLines(t, got); a != b {
		t.Errorf("backwards:\n%swant\n%s", b, a)
	}
}

// TestRepeatedAcrossForms gives the same records as JSON and as a table: they count once.
func TestRepeatedAcrossForms(t *testing.T) {
	got := analyze(t, Options{Files: []string{"testdata/unified.json", "testdata/purview.csv"}})
	if got.sum.Repeated != 5 || got.sum.Judged != 4 {
		t.Errorf("repeated %d, judged %d; want 5, 4", got.sum.Repeated, got.sum.Judged)
	}
}

// TestSharedID: two records that share an id and tell different things are both judged, and that is said; the same one again
// is repeated, in whatever order its members stand.
func TestSharedID(t *testing.T) {
	one := `{"Id":"1","CreationTime":"2026-03-02T02:00:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"amy@fabrikam.com","Parameters":[{"Name":"Name","Value":"a"},{"Name":"ForwardTo","Value":"eve@evil.example"}]}`
	again := `{"CreationTime":"2026-03-02T02:00:00","Id":"1","Workload":"Exchange","Operation":"New-InboxRule","UserId":"amy@fabrikam.com","Parameters":[{"Name":"ForwardTo","Value":"eve@evil.example"},{"Name":"Name","Value":"a"}]}`
	other := strings.NewReplacer("amy@", "bob@", "02:00", "03:00", "eve@evil", "x@bad").Replace(one)
	got := analyze(t, Options{Files: []string{write(t, "x.jsonl", []byte(one+"\n"+other+"\n"+again+"\n"))}})
	if got.sum.Judged != 2 || got.sum.Repeated != 1 || got.sum.Shared != 1 {
		t.Errorf("judged %d, repeated %d, shared %d; want 2, 1, 1", got.sum.Judged, got.sum.Repeated, got.sum.Shared)
	}
	whose := map[string]bool{}
	for _, f := range got.findings {
		whose[f.Who] = true
	}
	if !whose["amy@fabrikam.com"] || !whose["bob@fabrikam.com"] {
		t.Errorf("found of %v", whose)
	}
	var b strings.Builder
	if err := WriteSummary(&b, got.sum); err != nil || !strings.Contains(b.String(), "1 record with the id of another") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestRepeatedWithoutID counts records that have no id by their content.
func TestRepeatedWithoutID(t *testing.T) {
	one := `{"CreationTime":"2026-03-02T02:00:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"amy@fabrikam.com","Parameters":[{"Name":"Name","Value":"a"},{"Name":"ForwardTo","Value":"eve@evil.example"}]}`
	other := strings.Replace(one, `"a"`, `"b"`, 1)
	got := analyze(t, Options{Files: []string{write(t, "x.jsonl", []byte(one+"\n"+other+"\n"+one+"\n"))}})
	if got.sum.Judged != 2 || got.sum.Repeated != 1 {
		t.Errorf("judged %d, repeated %d; want 2, 1", got.sum.Judged, got.sum.Repeated)
	}
	for _, f := range got.findings {
		if f.Evidence[0].ID == "" {
			t.Error("evidence without anything to look it up by")
		}
	}
}

func TestDomains(t *testing.T) {
	rule := func(user, to, more string) string {
		return `{"Id":"` + user + to + `","CreationTime":"2026-03-02T02:00:00","Operation":"Set-Mailbox","Workload":"Exchange","UserType":2,"UserId":"` + user + `"` + more +
			`,"Parameters":[{"Name":"Identity","Value":"x"},{"Name":"ForwardingSmtpAddress","Value":"` + to + `"}]}` + "\n"
	}
	for _, c := range []struct {
		name, log string
		told      []string
		fires     bool
		domains   []string
	}{
		{"the actor's domain is inside", rule("amy@fabrikam.com", "bob@fabrikam.com", ""), nil, false, []string{"fabrikam.com"}},
		{"a subdomain of it too", rule("amy@fabrikam.com", "bob@mail.fabrikam.com", ""), nil, false, []string{"fabrikam.com", "mail.fabrikam.com"}},
		{"another that ends alike is not", rule("amy@fabrikam.com", "bob@evilfabrikam.com", ""), nil, true, []string{"fabrikam.com"}},
		{"an outside administrator's is not", rule("amy@fabrikam.com", "bob@msp.example", "") + rule("tech@msp.example", "x@fabrikam.com", `,"ExternalAccess":true`), nil, true, []string{"fabrikam.com"}},
		{"a free mailbox's is not", rule("amy@gmail.com", "bob@gmail.com", `,"OrganizationName":"fabrikam.onmicrosoft.com"`), nil, true, []string{"fabrikam.onmicrosoft.com"}},
		{"what is told holds alone", rule("amy@fabrikam.com", "bob@fabrikam.com", ""), []string{"Contoso.com"}, true, []string{"contoso.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := analyze(t, Options{Files: []string{write(t, "x.jsonl", []byte(c.log))}, Domains: c.told})
			if got.has("mailbox-forwards-outside") != c.fires {
				t.Errorf("rules %v, want outside %v", got.rules(), c.fires)
			}
			if !slices.Equal(got.sum.Domains, c.domains) || got.sum.Inferred == (c.told != nil) {
				t.Errorf("domains %v, inferred %v; want %v", got.sum.Domains, got.sum.Inferred, c.domains)
			}
		})
	}
}

// TestAcrossMailboxes finds one destination in two mailboxes, resting on the two records.
func TestAcrossMailboxes(t *testing.T) {
	line := func(id, user string) string {
		return `{"Id":"` + id + `","CreationTime":"2026-03-02T02:00:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"` + user +
			`","Parameters":[{"Name":"Name","Value":"."},{"Name":"ForwardTo","Value":"eve@evil.example"}]}` + "\n"
	}
	got := analyze(t, Options{Files: []string{write(t, "x.jsonl", []byte(line("a1", "amy@fabrikam.com")+line("b2", "bob@fabrikam.com")))}})
	i := slices.IndexFunc(got.findings, func(f tocsin.Finding) bool { return f.Rule == "shared-destination" })
	if i < 0 {
		t.Fatalf("rules %v", got.rules())
	}
	var ids []string
	for _, e := range got.findings[i].Evidence {
		ids = append(ids, e.ID+" "+e.Source)
	}
	slices.Sort(ids)
	if strings.Join(ids, ",") != "a1 audit_log,b2 audit_log" {
		t.Errorf("evidence %v", ids)
	}
	names := 0
	for _, f := range got.findings {
		if f.Rule == "forward-everything" {
			names++
		}
	}
	if names != 2 {
		t.Errorf("%d findings on rules of the same name in two mailboxes, want 2", names)
	}
}

// TestContact follows forwarding to a contact that the log itself tells of.
func TestContact(t *testing.T) {
	log := `{"Id":"1","CreationTime":"2026-03-02T02:00:00","Operation":"New-MailContact","Workload":"Exchange","UserType":2,"UserId":"root@fabrikam.com","Parameters":[{"Name":"Name","Value":"Archive"},{"Name":"ExternalEmailAddress","Value":"SMTP:eve@evil.example"}]}
{"Id":"2","CreationTime":"2026-03-02T02:05:00","Operation":"Set-Mailbox","Workload":"Exchange","UserType":2,"UserId":"root@fabrikam.com","Parameters":[{"Name":"Identity","Value":"amy@fabrikam.com"},{"Name":"ForwardingAddress","Value":"Archive"}]}
`
	got := analyze(t, Options{Files: []string{write(t, "x.jsonl", []byte(log))}})
	if !got.has("mailbox-forwards-outside") || !strings.Contains(got.findings[len(got.findings)-1].Why, "eve@evil.example") {
		t.Errorf("findings %+v", got.findings)
	}
}
