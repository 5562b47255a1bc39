package offline

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
)

// TestBroken reads what is broken: each piece is named with its line and the reason, and the rest is judged.
func TestBroken(t *testing.T) {
	all := unifiedRules
	for _, c := range []struct {
		file    string
		records int
		lines   []int
		reason  string
		rules   []string
	}{
		{"broken.jsonl", 5, []int{2, 4, 8}, "the record ends in the middle", all},
		{"broken.json", 4, []int{38}, "the record is not closed", []string{"forward-everything", "global-administrator-granted"}},
		{"truncated.json", 4, []int{116}, "it was cut off", []string{"forward-everything", "mailbox-forwards-outside"}},
		{"broken.csv", 4, []int{3}, "quote", []string{"forward-everything", "global-administrator-granted"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var told []Broken
			got := analyze(t, Options{Files: []string{filepath.Join("testdata", c.file)}, Broken: func(b Broken) { told = append(told, b) }})
			var lines []int
			for _, b := range told {
				lines = append(lines, b.Line)
			}
			if !slices.Equal(lines, c.lines) || !strings.Contains(told[0].Reason, c.reason) || got.sum.Broken != len(c.lines) {
				t.Errorf("broken %v; want lines %v and %q", told, c.lines, c.reason)
			}
			if got.sum.Records != c.records || !slices.Equal(got.rules(), c.rules) {
				t.Errorf("%d records, rules %v; want %d, %v", got.sum.Records, got.rules(), c.records, c.rules)
			}
		})
	}
}

// TestCutAnywhere cuts each sample at every 97th byte: nothing may panic, no record before the cut may be lost, and a cut within
// a record is told.
func TestCutAnywhere(t *testing.T) {
	for _, file := range []string{"unified.json", "unified.jsonl", "query-records.json", "purview.csv", "powershell.csv", "office-activity.csv", "log-analytics.json", "diagnostics.jsonl"} {
		whole, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for n := 0; n < len(whole); n += 97 {
			got := analyze(t, Options{Files: []string{"-"}, Stdin: bytes.NewReader(whole[:n])})
			if got.sum.Records < last {
				t.Errorf("%s cut at %d: %d records, at a shorter cut %d", file, n, got.sum.Records, last)
			}
			last = max(last, got.sum.Records)
			if strings.HasSuffix(file, ".json") && got.sum.Broken == 0 {
				t.Errorf("%s cut at %d: nothing is told", file, n)
			}
		}
		if last == 0 {
			t.Errorf("%s: no record was read", file)
		}
	}
}

func TestCutGzip(t *testing.T) {
	whole, err := os.ReadFile("testdata/unified.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	z := zipped(t, bytes.Repeat(whole, 50))
	got := analyze(t, Options{Files: []string{write(t, "x.gz", z[:len(z)-20])}})
	if got.sum.Broken == 0 || got.sum.Records == 0 {
		t.Errorf("%d records, broken %v", got.sum.Records, got.sum.First)
	}
}

// TestQuoteSwallowsNothing has a cell that opens a quote and never closes it, in the middle of a large table.
func TestQuoteSwallowsNothing(t *testing.T) {
	var b strings.Builder
	b.WriteString("RecordId,Operation,AuditData\n")
	for i := range 2000 {
		if i == 1000 {
			b.WriteString("x,y,\"{never closed\n")
			continue
		}
		b.WriteString(`r,op,"{""Id"":""` + strings.Repeat("x", i%7) + `"",""Operation"":""FileAccessed"",""Workload"":""SharePoint"",""N"":` + "1}\"\n")
	}
	got := analyze(t, Options{Files: []string{write(t, "x.csv", []byte(b.String()))}})
	if got.sum.Broken != 1 || got.sum.First[0].Line != 1002 || got.sum.Records != 1999 {
		t.Errorf("%d records, broken %v; want 1999 and line 1002", got.sum.Records, got.sum.First)
	}
}

func TestAuditDataBroken(t *testing.T) {
	log := "RecordId,Operation,AuditData\r\n1,New-InboxRule,\"{\"\"Id\"\":\"\"1\"\",\"\r\n2,New-InboxRule,no json\r\n"
	got := analyze(t, Options{Files: []string{write(t, "x.csv", []byte(log))}})
	if got.sum.Broken != 2 || !strings.Contains(got.sum.First[0].Reason, "AuditData ends in the middle") || got.sum.First[1].Line != 3 {
		t.Errorf("broken %v", got.sum.First)
	}
}

// TestProblems holds what cannot be opened to a sentence that says what to do.
func TestProblems(t *testing.T) {
	for name, content := range map[string][]byte{"missing": nil, "x.zip": []byte("PK\x03\x04rest"), "x.gz": {0x1f, 0x8b, 0, 0, 0}} {
		file := filepath.Join(t.TempDir(), name)
		if content != nil {
			file = write(t, name, content)
		}
		_, err := Analyze(context.Background(), Options{Files: []string{file}}, func(tocsin.Finding) {})
		var p *tocsin.Problem
		if !errors.As(err, &p) || p.Do == "" || !strings.Contains(p.What, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Analyze(context.Background(), Options{Files: []string{t.TempDir()}}, func(tocsin.Finding) {}); err == nil {
		t.Error("a folder was read")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Analyze(ctx, Options{Files: []string{"testdata/unified.json"}}, func(tocsin.Finding) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
}

// TestEmptyLinesCount keeps the numbers right where a file begins with empty lines.
func TestEmptyLinesCount(t *testing.T) {
	for name, log := range map[string]string{
		"lines": "\n\r\n{\"a\":1}\n{\"a\":\n", "list": "\n\n[\n{\"a\":tru}]\n", "table": "\n\na,b\n1\n",
	} {
		got := analyze(t, Options{Files: []string{write(t, name, []byte(log))}})
		if got.sum.Broken != 1 || got.sum.First[0].Line != 4 {
			t.Errorf("%s: broken %v, want line 4", name, got.sum.First)
		}
	}
}

// TestNothingJudged holds files in which nothing is understood to an exit status of 1 that names them, and to no clean summary.
func TestNothingJudged(t *testing.T) {
	for name, log := range map[string]string{
		"apps.csv": "AppName,HighRisk,permissions\nEntApp01,No,User.Read\n", "a.json": `{"a":1}`, "list.json": "[]", "any.csv": "x,y\n1,2\n",
	} {
		_, notes, err := run(t, write(t, name, []byte(log)))
		var p *tocsin.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, name) || !strings.Contains(p.What, "was judged") {
			t.Errorf("%s: error %v", name, err)
		}
		if strings.Count(notes, "\n") > 1 || strings.Contains(notes, "Found") {
			t.Errorf("%s: notes\n%s", name, notes)
		}
	}
	_, notes, err := run(t, "testdata/unified.json", write(t, "apps.csv", []byte("a,b\n1,2\n")))
	if err == nil || !strings.Contains(err.Error(), "apps.csv was judged: there is no record of a known form") || !strings.Contains(notes, "Found      3 critical") {
		t.Errorf("one of two files: %v\n%s", err, notes)
	}
	// What was told of a file as it was met is its cause, and no other.
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	fmt.Fprint(z, strings.Repeat(`{"a":1}`+"\n", 9), strings.Repeat("{\"b\":\"\u00e4x\"}\n", 5000))
	z.Close()
	for name, log := range map[string][]byte{"empty.csv": nil, "cut.gz": gz.Bytes()[:gz.Len()-20]} {
		_, notes, err := run(t, write(t, name, log))
		if err == nil || strings.Contains(err.Error(), "known form") || strings.Count(notes, "\n") != 2 {
			t.Errorf("%s: %v\n%s", name, err, notes)
		}
	}
	if _, _, err := run(t, write(t, "head.gz", gz.Bytes()[:6])); err == nil || !strings.Contains(err.Error(), "was cut off") {
		t.Errorf("cut within its head: %v", err)
	}
	if _, _, err := run(t, write(t, "part.jsonl", []byte(`{"a":1}`+"\n"+`{"Id":"1","Operation":"FileAccessed","Workload":"SharePoint","CreationTime":"2026-03-02T02:03:00"}`+"\n"))); err != nil {
		t.Errorf("partly unknown: %v", err)
	}
}

// TestPlainReasons holds reasons to words of their own.
func TestPlainReasons(t *testing.T) {
	whole, err := os.ReadFile("testdata/unified.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	z := zipped(t, bytes.Repeat(whole, 50))
	for name, c := range map[string]struct {
		log  []byte
		want string
	}{
		"null.jsonl": {[]byte("{\"a\":1}\n{\"a\":no}\n"), "the JSON is damaged at this place (character "},
		"cut.gz":     {z[:len(z)-20], "the file was cut off (gzip)"},
		"random.bin": {[]byte{0x8f, 0x2c, 0x01, 0xfe, 0x99, 0x0a, 0xc3, 0x2c, 0x00, 0x12, 0x81, 0x0a}, notLog},
		"words.txt":  {[]byte("hello\nworld\n"), notLog},
		"data.csv":   {[]byte("RecordId,AuditData\n1,[1]\n"), "AuditData: it is no JSON object"},
	} {
		got := analyze(t, Options{Files: []string{write(t, name, c.log)}})
		if len(got.sum.First) != 1 || !strings.Contains(got.sum.First[0].Reason, c.want) {
			t.Errorf("%s: %v, want %q", name, got.sum.First, c.want)
		}
	}
}

func TestDomainsAreChecked(t *testing.T) {
	var p *tocsin.Problem
	if _, _, err := run(t, "--domain", "not a domain!", "testdata/unified.json"); !errors.As(err, &p) || !strings.Contains(p.What, "not a domain!") {
		t.Errorf("error %v", err)
	}
	for _, good := range []string{"contoso.com", "@Contoso.co.uk; a-b.example", "münchen.example", "xn--mnchen-3ya.example"} {
		if err := checkDomains([]string{good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// TestDefenderConsent reads a consent from Defender's table: the resource is not the application, and the person is the same
// as in the directory's own record of the act.
func TestDefenderConsent(t *testing.T) {
	log := `{"Timestamp":"2026-03-02T13:27:20Z","ActionType":"Add delegated permission grant.","Application":"Office 365","AccountObjectId":"aead923d","AccountDisplayName":"Amy Adams","ReportId":"r1","UserId":"amy@fabrikam.com","Permissions":"User.Read Mail.ReadWrite","PermissionsAddedTo":"Microsoft Graph","RawEventData":null,"AccountUpn":""}` + "\n"
	got := analyze(t, Options{Files: []string{write(t, "x.jsonl", []byte(log))}})
	if len(got.findings) != 1 {
		t.Fatalf("findings %+v", got.findings)
	}
	f := got.findings[0]
	if f.Person != "amy@fabrikam.com" || f.Severity != tocsin.High || !strings.HasPrefix(f.Why, "An application that the record does not name was allowed to act") || !strings.Contains(f.Why, "in Microsoft Graph with User.Read Mail.ReadWrite") {
		t.Errorf("%s %s: %s", f.Person, f.Severity, f.Why)
	}
}
