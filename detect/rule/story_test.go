package rule

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/story"
)

// stories reads testdata/*.story.
func stories(t *testing.T) []*story.Story {
	t.Helper()
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	var out []*story.Story
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := story.Parse(name, f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// TestStories plays every story: what it expects is found, and nothing else.
func TestStories(t *testing.T) {
	for _, s := range stories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(s.Name), ".story"), func(t *testing.T) {
			if len(s.Expects) == 0 && !s.Silent && len(s.Quiet) == 0 {
				t.Fatal("the story expects nothing, not even silence")
			}
			left := play(t, s).judge()
			for _, f := range left {
				sound(t, &f)
			}
			for _, e := range s.Expects {
				i := slices.IndexFunc(left, func(f tocsin.Finding) bool { return meets(s, &e, &f) })
				if i < 0 {
					t.Errorf("line %d: not found: %s\nfound: %s", e.Line, e.String(), show(left))
					continue
				}
				left = slices.Delete(left, i, i+1)
			}
			for _, q := range s.Quiet {
				if slices.ContainsFunc(left, func(f tocsin.Finding) bool { return f.Rule == q }) {
					t.Errorf("%s is not silent", q)
				}
			}
			if len(left) > 0 {
				t.Errorf("found besides: %s", show(left))
			}
		})
	}
}

func meets(s *story.Story, e *story.Expect, f *tocsin.Finding) bool {
	who := tocsin.CanonicalAddress(s.Address(e.Who))
	return f.Rule == e.Rule && (tocsin.CanonicalAddress(f.Who) == who || f.Subject == e.Who) && f.Risk >= e.Risk && strings.Contains(f.Why, e.Says)
}

// sound holds a finding to what every finding must have.
func sound(t *testing.T, f *tocsin.Finding) {
	t.Helper()
	total := 0
	for _, term := range f.Terms {
		total += term.Points
		if term.Why == "" {
			t.Errorf("%s: a term without a reason", f.Rule)
		}
	}
	if f.Risk != min(100, max(0, total)) {
		t.Errorf("%s: risk %d, but the terms make %d", f.Rule, f.Risk, total)
	}
	if f.Title == "" || f.Why == "" || f.Severity == "" || f.Stage == "" || f.Subject == "" || f.Time.IsZero() != (f.Rule == autoReply.Name) || len(f.Evidence) == 0 {
		t.Errorf("%s: something is missing: %+v", f.Rule, *f)
	}
	if strings.ContainsFunc(f.Why, func(r rune) bool { return r < 0x20 || r == 0x200b || r == 0x202e }) {
		t.Errorf("%s: the sentence itself hides something: %q", f.Rule, f.Why)
	}
}

func show(fs []tocsin.Finding) string {
	if len(fs) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "\n  %s %s risk %d (%s): %s", f.Rule, f.Who, f.Risk, f.Severity, f.Why)
		for _, t := range f.Terms {
			fmt.Fprintf(&b, "\n      %+d %s", t.Points, t.Why)
		}
	}
	return b.String()
}

// TestEveryRuleHasStories asks for each rule on state one story that makes it speak and one that must not.
func TestEveryRuleHasStories(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, s := range stories(t) {
		for _, e := range s.Expects {
			fires[e.Rule] = true
		}
		for _, q := range s.Quiet {
			silent[q] = true
		}
	}
	var names []string
	for i := range Checks {
		names = append(names, Checks[i].Name)
	}
	for i := range Sweeps {
		names = append(names, Sweeps[i].Name)
	}
	for _, n := range names {
		if !fires[n] {
			t.Errorf("%s: no story makes it speak", n)
		}
		if !silent[n] {
			t.Errorf("%s: no story says %q", n, "silent "+n)
		}
	}
}

// TestCatalogue holds every rule to what it must say of itself.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range All() {
		if seen[m.Name] {
			t.Errorf("%s: listed twice", m.Name)
		}
		seen[m.Name] = true
		if m.Name != strings.ToLower(m.Name) || strings.ContainsAny(m.Name, " _") {
			t.Errorf("%s: not kebab-case", m.Name)
		}
		if m.Title == "" || m.Family == "" || m.Severity == "" || m.Stage == "" || m.Says == "" || m.FalsePositives == "" || m.Fix == "" || m.Source == "" || len(m.Attack) == 0 && m.Source != "alert" {
			t.Errorf("%s: something is missing: %+v", m.Name, m)
		}
		for _, s := range []string{m.Says, m.FalsePositives, m.Fix} {
			if !strings.HasSuffix(s, ".") {
				t.Errorf("%s: not a sentence: %s", m.Name, s)
			}
		}
	}
}
