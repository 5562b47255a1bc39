package api_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin.dev/api"
	"tocsin.dev/store/storetest"
)

// TestSigmaLoad loads a folder of rules as a person does: what is wrong with one file is said with its line and stops no other, and
// the same folder again changes what was changed.
func TestSigmaLoad(t *testing.T) {
	st := storetest.SQLite(t)
	s := serve(t, st)
	settle(t, st, acme)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func(args ...string) (map[string]string, string) {
		t.Helper()
		out, err := s.run(t, append([]string{"sigma", "load", dir}, args...))
		said := map[string]string{}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "  ") { // another fault of the same file
				continue
			}
			file, what, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			if !ok {
				t.Errorf("it says %q", line)
			}
			said[file] = what
		}
		if err != nil {
			return said, err.Error()
		}
		return said, ""
	}
	says := func(what string, said map[string]string, want map[string]string) {
		t.Helper()
		if len(said) != len(want) {
			t.Errorf("%s: %q", what, said)
		}
		for file, w := range want {
			if !strings.Contains(said[file], w) {
				t.Errorf("%s, %s: %q, want %q", what, file, said[file], w)
			}
		}
	}
	rules := func() map[string]api.OwnRule {
		t.Helper()
		out := map[string]api.OwnRule{}
		for _, r := range call[api.Page[api.OwnRule]](t, s.owner, "sigma list", api.ListIn{In: api.In{Tenant: acme}, Paging: api.Paging{Limit: 200}}).Items {
			out[r.Name] = r
		}
		return out
	}
	const rest = "level: high\nlogsource: {product: m365, service: audit}\ndetection:\n  s: {Operation: New-InboxRule}\n  condition: s\n"
	write("good.yml", "title: Good\n"+rest)
	write("bad.yml", "title: Bad\ndetection: [\n")
	write("in/again.yaml", "title: Good\n"+rest)
	write("in/modifier.yml", strings.ReplaceAll("title: Modifier\n"+rest, "Operation:", "Operation|like:"))
	write("in/windows.yml", strings.ReplaceAll("title: Windows\n"+rest, "{product: m365, service: audit}", "{product: windows, service: security}"))
	write(".git/hidden.yml", "title: Hidden away\n"+rest)
	write("README.md", "no rule")

	said, failed := load("--state", "testing")
	says("the first time", said, map[string]string{"good.yml": "added as draft, now testing, own-good", "bad.yml": "refused: ", "in/again.yaml": `refused: good.yml has its title, "Good"`,
		"in/modifier.yml": "refused: line 5: There is no modifier", "in/windows.yml": "added as draft, but not set testing: Tocsin does not collect windows/security"})
	if !strings.Contains(failed, "4 files could not be loaded as asked.") {
		t.Errorf("it ends with %q", failed)
	}
	got := rules()
	if len(got) != 3 || got["own-good"].State != "testing" || got["own-windows"].State != "draft" || got["own-windows"].Lacks == "" || got["own-hidden"].Title != "Hidden" {
		t.Errorf("there are %+v", got)
	}
	version := got["own-good"].Version

	if err := os.RemoveAll(filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	write("bad.yml", "title: Mended\n"+rest)
	said, failed = load()
	says("the same again", said, map[string]string{"good.yml": "unchanged, own-good", "bad.yml": "added as draft, own-mended"})
	if got = rules(); failed != "" || got["own-good"].Version != version || got["own-good"].State != "testing" {
		t.Errorf("%q, and the rules are %+v", failed, got)
	}
	write("good.yml", strings.Replace("title: Good\n"+rest, "high", "low", 1))
	said, failed = load()
	says("a change", said, map[string]string{"good.yml": "changed, own-good", "bad.yml": "unchanged, own-mended"})
	if got = rules(); failed != "" || got["own-good"].Version != version+1 || got["own-good"].Severity != "low" || got["own-good"].State != "testing" {
		t.Errorf("%q, and the rules are %+v", failed, got)
	}
	if said, failed = load("--state", "nonsense"); !strings.Contains(said["good.yml"], "unchanged, but not set nonsense: ") || failed == "" {
		t.Errorf("a state that there is not: %q, %q", said, failed)
	}
	if out, err := s.run(t, []string{"sigma", "load", filepath.Join(dir, "none")}); err == nil || !strings.Contains(err.Error(), "The rules cannot be read") {
		t.Errorf("a folder that is not there: %q, %v", out, err)
	}
}
