package offline

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	stdmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/mail"
	"tocsin.dev/query"
	"tocsin.dev/sharedtest"
)

// runMatch runs the command, and gives its lines by path.
func runMatch(t testing.TB, stdin string, args ...string) (lines map[string]map[string]any, notes string, err error) {
	t.Helper()
	c := Match(new(tocsin.Clock))
	var out, told bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&told)
	c.SetIn(strings.NewReader(stdin))
	c.SilenceErrors = true
	c.SetArgs(append([]string{"--json"}, args...))
	err = c.Execute()
	lines = map[string]map[string]any{}
	for line := range strings.Lines(out.String()) {
		var one map[string]any
		if e := json.Unmarshal([]byte(line), &one); e != nil {
			t.Fatalf("%v in %s", e, line)
		}
		lines[one["path"].(string)] = one
	}
	return lines, told.String(), err
}

func TestMatchCommand(t *testing.T) {
	dir := t.TempDir()
	one := "From: a@contoso.com\nTo: b@x.org\nSubject: Overdue invoice\nDate: Mon, 3 Aug 2026 09:15:00 +0000\n\nPay now\n"
	two := "From: c@x.org\nTo: b@x.org\nSubject: Lunch\n\nFrom here it is far\n\nFrom now on, pay\n"
	broken := "From: a@contoso.com\nSubject: Cut off\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat("QQ", 20) + "!!\n"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(one)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"one.eml": one, "in/box": "From a@contoso.com Mon Aug  3 09:15:00 2026\n" + one + "\nFrom c@x.org Mon Aug  3 09:16:00 2026\n" + two, "broken.eml": broken, "notes.txt": "buy milk\n", "packed.gz": packed.String(),
		"outlook.msg": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted.eml": "Subject: x\nContent-Type: application/zip; name=a.zip\n\nPK\x03\x04broken",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "in"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	lines, notes, err := runMatch(t, "", "--query", "from:contoso.com subject:overdue", dir)
	if err == nil || !strings.Contains(err.Error(), "1 file could not be read") {
		t.Errorf("error %v", err)
	}
	for path, want := range map[string]any{at("one.eml"): true, at("in/box") + "#1": true, at("in/box") + "#2": false, at("broken.eml"): false, at("packed.gz"): true, at("encrypted.eml"): false} {
		if lines[path] == nil || lines[path]["matched"] != want {
			t.Errorf("%s: %v, want %v", path, lines[path], want)
		}
	}
	if e, _ := lines[at("outlook.msg")]["error"].(string); !strings.Contains(e, ".eml") {
		t.Errorf("outlook.msg: %v", lines[at("outlook.msg")])
	}
	if len(lines) != 7 || !strings.Contains(notes, "6 mails looked at: 3 match.") || !strings.Contains(notes, "1 file passed over") {
		t.Errorf("%d lines; %s", len(lines), notes)
	}
	if u, _ := lines[at("broken.eml")]["unread"].([]any); len(u) == 0 {
		t.Errorf("a broken mail does not say so: %v", lines[at("broken.eml")])
	}
	lines, _, err = runMatch(t, one, "--query", "attachment:secret", at("encrypted.eml"), "-")
	if err != nil || lines[at("encrypted.eml")]["matched"] != nil || lines["standard input"]["matched"] != false {
		t.Errorf("what could not be looked into is not unknown: %v, %v", lines, err)
	}
	if _, _, err = runMatch(t, "", "--query", "foo:bar", dir); err == nil || !strings.Contains(err.Error(), "column 1") {
		t.Errorf("a wrong query: %v", err)
	}
	if lines, _, err = runMatch(t, "", "--query", "x", at("nowhere")); err == nil || lines[at("nowhere")]["error"] == nil {
		t.Errorf("a file that is not there: %v, %v", lines, err)
	}
}

// TestMatchShared runs the command over every mail of the shared data: each is a line, and what is looked for is found where a look into
// the bytes finds it.
func TestMatchShared(t *testing.T) {
	root := sharedtest.File(t, "data")
	dirs := []string{filepath.Join(root, "spamassassin"), filepath.Join(root, "enron-categories"), filepath.Join(root, "sublime-emls")}
	mails := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && slices.Contains([]string{".eml", ".txt"}, filepath.Ext(path)) {
				mails++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	lines, notes, err := runMatch(t, "", append([]string{"--query", `from:enron.com OR header.X-Mailer:"The Bat" OR url.domain:microsoft.com OR attachment:*.exe OR body:/viagra/`}, dirs...)...)
	if err != nil {
		t.Fatal(err)
	}
	yes := 0
	for path, line := range lines {
		if line["error"] != nil {
			t.Errorf("%s: %v", path, line["error"])
		}
		if line["matched"] == true {
			yes++
		}
	}
	t.Logf("%s", notes)
	if len(lines) < mails || yes < 1500 {
		t.Errorf("%d lines for %d mails; %d match", len(lines), mails, yes)
	}
}

// BenchmarkMatch matches real mails with a query of each kind; bare is a parse with the standard library's net/mail and mime/multipart over
// the same bytes (see package mail), so that the ratio is read within one run.
func BenchmarkMatch(b *testing.B) {
	root := sharedtest.File(b, "data/spamassassin")
	var mails [][]byte
	size := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".eml" || len(mails) >= 2000 {
			return err
		}
		raw, err := os.ReadFile(path)
		mails, size = append(mails, raw), size+len(raw)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	var bare time.Duration
	b.Run("bare", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			for _, raw := range mails {
				bareParse(raw)
			}
		}
		bare = b.Elapsed() / time.Duration(b.N)
	})
	for _, text := range []string{"from:contoso.com", "subject:invoice", "body:invoice", "url.domain:contoso.com", `body:/iban [a-z]{2}\d+/`, "attachment.sha256:" + strings.Repeat("ab", 32), "invoice AND from:contoso.com OR url.domain:contoso.com"} {
		q := query.MustParse(text)
		parts := q.Parts()
		b.Run(strings.Map(func(c rune) rune {
			if c == '/' || c == ' ' {
				return '_'
			}
			return c
		}, text[:min(len(text), 40)]), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				for _, raw := range mails {
					q.Match(query.DocOf(mail.ParseParts(raw, parts)))
				}
			}
			if bare > 0 {
				b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(bare), "×bare")
			}
		})
	}
}

// bareParse splits a mail with the standard library and decodes its parts, and keeps nothing.
func bareParse(raw []byte) {
	m, err := stdmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return
	}
	bareBody(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func bareBody(kind, coding string, body io.Reader) {
	media, params, _ := mime.ParseMediaType(kind)
	if strings.HasPrefix(media, "multipart/") {
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if err != nil {
				return
			}
			bareBody(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
		}
	}
	switch strings.ToLower(coding) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	_, _ = io.Copy(io.Discard, body)
}
