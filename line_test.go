package tocsin_test

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// line is the order of packages as doc.go draws it.
func line(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entry := regexp.MustCompile(`^//\t(\S+) {2,}\S`)
	var names []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := entry.FindStringSubmatch(s.Text()); m != nil {
			names = append(names, m[1])
		}
	}
	if len(names) < 10 {
		t.Fatalf("doc.go draws no line: %q", names)
	}
	return names
}

// beside are packages that belong to the one they stand in and to tests alone.
func beside(dir string) bool {
	return strings.HasSuffix(dir, "test") || strings.Contains(dir, "testdata")
}

// TestLine holds the code to the line: a package imports only what stands above it, and every package is on it.
func TestLine(t *testing.T) {
	names := line(t)
	place := map[string]int{}
	for i, n := range names {
		place[n] = i
	}
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		name := dir
		if dir == "." {
			name = "tocsin"
		}
		if beside(dir) {
			return nil
		}
		here, ok := place[name]
		if !ok {
			t.Errorf("%s: package %s is not on the line in doc.go: give it a place and a phrase there", path, name)
			return nil
		}
		found[name] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range file.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if p != "tocsin.dev" && !strings.HasPrefix(p, "tocsin.dev/") {
				continue
			}
			used := strings.TrimPrefix(strings.TrimPrefix(p, "tocsin.dev"), "/")
			if used == "" {
				used = "tocsin"
			}
			if there, ok := place[used]; !ok || there >= here {
				t.Errorf("%s imports %s, which does not stand above %s on the line: move the shared thing up, or redraw the line with the reason", path, used, name)
			}
			if slices.Contains(never[name], used) {
				t.Errorf("%s: %s never imports %s: %s", path, name, used, why[name])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !found[n] {
			t.Errorf("doc.go names %s, which has no code", n)
		}
	}
}

// never are imports that the order would allow and the design does not.
var never = map[string][]string{
	"graph":       {"tocsin", "story", "journal", "store", "stream", "secret"},
	"graph/sim":   {"store", "journal", "stream"},
	"secret":      {"store", "journal"},
	"dial":        {"store", "journal", "secret"},
	"detect":      {"store", "graph", "journal", "stream"},
	"detect/rule": {"store", "graph", "journal", "stream"},
	"offline":     {"store", "graph", "journal", "stream"},
	"mail":        {"store", "graph", "journal", "stream"},
	"query":       {"store", "graph", "journal", "stream"},
	"web":         {"graph"},
}

var why = map[string]string{
	"graph":       "it could be taken out and published",
	"graph/sim":   "it never reads Tocsin's tables",
	"secret":      "keys and data do not share a room",
	"dial":        "it knows addresses and nothing else",
	"detect":      "a judgement depends only on what it is given",
	"detect/rule": "rules are pure",
	"offline":     "it needs no server",
	"mail":        "it is pure: bytes in, a message out",
	"query":       "it is pure",
	"web":         "pages call the operations",
}

// TestDocs: every package says what it is, beginning with the phrase of the line.
func TestDocs(t *testing.T) {
	for _, name := range line(t) {
		dir := name
		if name == "tocsin" {
			dir = "."
		}
		pkgs, err := parser.ParseDir(token.NewFileSet(), dir, func(fi fs.FileInfo) bool { return !strings.HasSuffix(fi.Name(), "_test.go") }, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		docs := 0
		for _, p := range pkgs {
			for _, f := range p.Files {
				if f.Doc != nil && !strings.Contains(f.Doc.Text(), "templ: version") {
					docs++
				}
			}
		}
		if docs != 1 {
			t.Errorf("package %s has %d package comments; want one", name, docs)
		}
	}
}

// TestReadme holds the README to the line as doc.go draws it.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range regexp.MustCompile(`(?m)^//\t(.*)$`).FindAllStringSubmatch(string(doc), -1) {
		if !strings.Contains(string(readme), "\n"+entry[1]+"\n") {
			t.Errorf("the README lacks the line %q of doc.go", entry[1])
		}
	}
}
