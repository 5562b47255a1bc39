package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

	"tocsin.dev/sharedtest"
)

// each gives every mail of the shared data, by its path there.
func each(t testing.TB, do func(path string, raw []byte)) {
	t.Helper()
	root := sharedtest.File(t, "data")
	for _, dir := range []string{"spamassassin", "enron-categories", "sublime-emls", "mime-suites"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains([]string{".eml", ".txt", ".raw", ".golden"}, filepath.Ext(path)) {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			do(filepath.ToSlash(rel), raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// bareLeaf is a part as the standard library reads it.
type bareLeaf struct {
	kind, name string
	content    []byte
}

// readBare reads a mail with the standard library alone; false where that cannot.
func readBare(raw []byte) (leaves []bareLeaf, ok bool) {
	m, err := stdmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, false
	}
	return bareParts(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body)
}

func bareParts(kind, coding, disposition string, body io.Reader) ([]bareLeaf, bool) {
	if kind == "" {
		kind = "text/plain"
	}
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return nil, false
	}
	if strings.HasPrefix(media, "multipart/") {
		var all []bareLeaf
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return all, true
			}
			if err != nil {
				return nil, false
			}
			if len(p.Header) == 0 {
				return nil, false
			}
			some, ok := bareParts(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-Disposition"), p)
			if !ok {
				return nil, false
			}
			all = append(all, some...)
		}
	}
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, false
	}
	_, shown, _ := mime.ParseMediaType(disposition)
	name := shown["filename"]
	if name == "" {
		name = params["name"]
	}
	return []bareLeaf{{media, name, b}}, true
}

// letters are those of s that no charset, line end or markup changes.
func letters(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, s)
}

// TestShared reads every mail of the shared data: none panics, and whatever the standard library can read of a mail's parts is there,
// byte for byte where it is a file, letter for letter where it is plain text.
func TestShared(t *testing.T) {
	mails, compared, parts, faulty := 0, 0, 0, 0
	each(t, func(path string, raw []byte) {
		mails++
		m := Parse(raw)
		if len(m.Faults) > 0 {
			faulty++
		}
		leaves, ok := readBare(raw)
		if !ok {
			return
		}
		compared++
		text := letters(m.Text + m.Other)
		files := map[string]bool{}
		var collect func([]Attachment)
		collect = func(all []Attachment) {
			for _, a := range all {
				files[a.SHA256] = true
				collect(a.Inside)
			}
		}
		collect(m.Attachments)
		for _, l := range leaves {
			parts++
			sum := sha256.Sum256(l.content)
			switch {
			case len(bytes.TrimSpace(l.content)) == 0 || files[hex.EncodeToString(sum[:])]:
			case l.kind == "text/plain" && strings.Contains(text, letters(string(l.content))):
			case l.kind == "text/html" && m.HTML != "":
			case l.kind == "text/html" && strings.Contains(text, letters(Parse(append([]byte("Content-Type: text/html\n\n"), l.content...)).Text)):
			case isEscaped(l.content), strings.HasPrefix(l.kind, "text/") && strings.Contains(letters(m.Text+m.Other), letters(string(bytes.ToValidUTF8(l.content, nil)))):
			default:
				t.Errorf("%s: lost a part: %s %q, %d bytes", path, l.kind, l.name, len(l.content))
			}
		}
	})
	t.Logf("%d mails, %d of them as the standard library reads them too with %d parts, %d with faults", mails, compared, parts, faulty)
	if mails < 7500 || compared < 7000 {
		t.Errorf("%d mails, %d compared: too few", mails, compared)
	}
}

// isEscaped says whether a text is in a charset of seven bits, whose letters mean others.
func isEscaped(b []byte) bool { return bytes.Contains(b, []byte("\x1b$")) }

// expected is what a peer reads of a mail of its own suite: see testdata/README.
type expected struct {
	File, Error, Subject string
	From, To, Cc         []string
	Files                []struct {
		Name, Type string
		Size       int64
		SHA256     string
	}
	Words, URLs int
	HTML        bool
}

// TestPeers holds what is read of the peers' suites to what enmime reads of them; testdata/differing.json has where we differ, and why.
func TestPeers(t *testing.T) {
	root := sharedtest.File(t, "data/mime-suites")
	var all []expected
	var differing map[string]string
	for name, into := range map[string]any{"enmime.json": &all, "differing.json": &differing} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(name, err)
		}
	}
	agreed, seen := 0, map[string]bool{}
	for _, want := range all {
		raw, err := os.ReadFile(filepath.Join(root, want.File))
		if err != nil {
			t.Fatal(err)
		}
		if want.Error != "" {
			continue
		}
		m := Parse(raw)
		differs := func(what string, got, wanted any) {
			key := want.File + " " + what
			seen[key] = true
			if differing[key] == "" {
				t.Errorf("%s: we read %q, the peer %q", key, got, wanted)
			}
		}
		agreed++
		if strings.Join(strings.Fields(m.Subject), " ") != strings.Join(strings.Fields(want.Subject), " ") {
			differs("subject", m.Subject, want.Subject)
		}
		for what, pair := range map[string][2][]string{"from": {list(m.From), want.From}, "to": {list(m.To), want.To}, "cc": {list(m.Cc), want.Cc}} {
			if !slices.Equal(pair[0], pair[1]) {
				differs(what, pair[0], pair[1])
			}
		}
		ours := map[string]int{}
		for _, a := range m.Attachments {
			ours[a.SHA256]++
		}
		names := func() (out []string) {
			for _, a := range m.Attachments {
				out = append(out, a.Name+" "+a.Type)
			}
			return out
		}
		for _, f := range want.Files {
			i := slices.IndexFunc(m.Attachments, func(a Attachment) bool { return a.SHA256 == f.SHA256 })
			switch {
			case i < 0:
				differs("file "+f.Name, names(), f.Name+" "+f.Type)
			case m.Attachments[i].Name != f.Name && ours[f.SHA256] == 1:
				differs("name "+f.Name, m.Attachments[i].Name, f.Name)
			}
		}
		if len(m.Attachments) != len(want.Files) {
			differs("files", names(), want.Files)
		}
		if (m.HTML != "") != want.HTML {
			differs("html", m.HTML != "", want.HTML)
		}
		if want.URLs > 0 && len(m.Links) == 0 {
			differs("urls", len(m.Links), want.URLs)
		}
		if want.Words > 0 && len(strings.Fields(m.Text)) == 0 {
			differs("text", m.Text, want.Words)
		}
	}
	for key := range differing {
		if !seen[key] {
			t.Errorf("%s: the difference is told and is none", key)
		}
	}
	t.Logf("%d mails held to the peer's reading, %d differences with reasons", agreed, len(differing))
}

func list(all []Address) (out []string) {
	for _, a := range all {
		out = append(out, a.Name+"|"+a.Address)
	}
	return out
}

// BenchmarkParse reads real mail whole, and beside it as the standard library does that only splits and decodes.
func BenchmarkParse(b *testing.B) {
	var mails [][]byte
	size := 0
	each(b, func(path string, raw []byte) {
		if strings.HasPrefix(path, "spamassassin") && len(mails) < 2000 {
			mails = append(mails, raw)
			size += len(raw)
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			for _, raw := range mails {
				readBare(raw)
			}
		}
	})
	b.Run("header", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			for _, raw := range mails {
				ParseParts(raw, 0)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			for _, raw := range mails {
				Parse(raw)
			}
		}
	})
}
