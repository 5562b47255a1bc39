package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
)

// run is the command with its output.
func run(t *testing.T, args ...string) (out, notes string, err error) {
	t.Helper()
	c := Command()
	var o, n bytes.Buffer
	c.SetOut(&o)
	c.SetErr(&n)
	c.SilenceErrors = true
	c.SetArgs(args)
	err = c.ExecuteContext(context.Background())
	return o.String(), n.String(), err
}

// TestJSONForm holds each line to exactly the members that are fixed.
func TestJSONForm(t *testing.T) {
	out, _, err := run(t, "--json", "testdata/unified.json", "testdata/sign-ins.json")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"attack", "evidence", "person", "risk", "rule", "severity", "stage", "time", "why"}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) < 6 {
		t.Fatalf("%d lines", len(lines))
	}
	last := time.Time{}
	for _, l := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatal(err)
		}
		if _, is := m["story"]; is {
			continue
		}
		if got := slices.Sorted(maps.Keys(m)); !slices.Equal(got, want) {
			t.Errorf("members %v", got)
		}
		at, err := time.Parse(time.RFC3339, m["time"].(string))
		if err != nil || at.Before(last) {
			t.Errorf("time %v after %v", m["time"], last)
		}
		last = at
		for _, e := range m["evidence"].([]any) {
			if got := slices.Sorted(maps.Keys(e.(map[string]any))); !slices.Equal(got, []string{"id", "source"}) {
				t.Errorf("evidence %v", got)
			}
		}
		if _, ok := m["attack"].([]any); !ok {
			t.Errorf("attack %v", m["attack"])
		}
	}
	if !strings.Contains(out, `"id":"00000000-0000-4000-8000-000000000001","source":"audit_log"`) {
		t.Error("the record's own id is not in the evidence")
	}
}

// TestStoriesInBothForms: what joins is told as text and as JSON alike, apart from findings; a takeover, which is a finding, once.
func TestStoriesInBothForms(t *testing.T) {
	log := write(t, "story.json", []byte(`{"Id":"s1","CreationTime":"2026-03-02T02:03:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"amy@fabrikam.com","Parameters":[{"Name":"Name","Value":".."},{"Name":"SubjectContainsWords","Value":"contract"},{"Name":"DeleteMessage","Value":"True"}]}
{"Id":"s2","CreationTime":"2026-03-02T03:03:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"amy@fabrikam.com","Parameters":[{"Name":"Name","Value":"to me"},{"Name":"ForwardTo","Value":"amy@evil.example"}]}
`))
	args := []string{"--domain", "fabrikam.com", log}
	out, _, err := run(t, append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := run(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	type form struct {
		Rule, Severity, Person, Stage, Why string
		Risk                               int
		Time                               time.Time
		Attack                             []string
		Evidence                           []struct{ ID, Source string }
		Story                              *struct {
			Title         string
			Until         time.Time
			Stages, Rules []string
		}
	}
	var rules, records []string
	for _, l := range lines[:len(lines)-1] {
		var f form
		if err := json.Unmarshal([]byte(l), &f); err != nil || f.Story != nil || strings.Contains(l, `"story"`) {
			t.Errorf("no finding's line: %v %s", err, l)
		}
		rules = append(rules, f.Rule)
		for _, e := range f.Evidence {
			records = append(records, e.ID)
		}
	}
	var s form
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil || s.Story == nil {
		t.Fatalf("no story ends it: %v\n%s", err, out)
	}
	if slices.Sort(rules); len(rules) < 2 || !slices.Equal(slices.Sorted(slices.Values(s.Story.Rules)), slices.Compact(rules)) {
		t.Errorf("the story is of %v, the findings of %v", s.Story.Rules, rules)
	}
	var rests []string
	for _, e := range s.Evidence {
		rests = append(rests, e.ID)
	}
	slices.Sort(records)
	if slices.Sort(rests); !slices.Equal(rests, []string{"s1", "s2"}) || !slices.Equal(slices.Compact(records), rests) {
		t.Errorf("it rests on %v, the findings on %v", rests, records)
	}
	if s.Rule != "story" || s.Person != "amy@fabrikam.com" || s.Stage == "" || s.Risk == 0 || len(s.Attack) == 0 || len(s.Story.Stages) == 0 ||
		!s.Time.Equal(time.Date(2026, 3, 2, 2, 3, 0, 0, time.UTC)) || s.Story.Until.Sub(s.Time) != time.Hour {
		t.Errorf("the story %+v %+v", s, *s.Story)
	}
	told := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{"Story: amy@fabrikam.com", s.Story.Title, s.Why, strings.ToUpper(s.Severity)} {
		if !strings.Contains(told, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	var b strings.Builder
	part := rule.Part{Rule: "x", At: s.Time}
	if err := WriteStoriesJSON(&b, []Told{{Story: rule.Story{Score: 90, Takeover: true, Parts: []rule.Part{part}}}, {Story: rule.Story{Score: 20, Title: "less", Parts: []rule.Part{part}}}, {Story: rule.Story{Score: 30, Title: "more", Parts: []rule.Part{part, part}}}}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Count(got, "\n") != 2 || strings.Index(got, `"more"`) > strings.Index(got, `"less"`) || strings.Count(got, `"stages":[],"rules":["x"]`) != 2 {
		t.Errorf("a takeover is told twice, or the worst is not first:\n%s", got)
	}
}

func TestJSONWithoutTime(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, tocsin.Finding{Rule: "x", Why: "a < b"}); err != nil {
		t.Fatal(err)
	}
	want := `{"rule":"x","severity":"","risk":0,"time":null,"person":"","stage":"","why":"a < b","attack":[],"evidence":[]}` + "\n"
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
}

func TestTextGroupsWorstFirst(t *testing.T) {
	at := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	fs := []tocsin.Finding{
		{Rule: "small", Severity: tocsin.Low, Risk: 20, Who: "amy@fabrikam.com", Time: at, Why: "One."},
		{Rule: "large", Severity: tocsin.Critical, Risk: 90, Who: "bob@fabrikam.com", Why: "Two \x1b[31m\u202ethree.", Evidence: []tocsin.Evidence{{ID: "r1"}, {ID: "r2"}, {ID: "r3"}, {ID: "r4"}}},
		{Rule: "medium", Severity: tocsin.Medium, Risk: 50, Who: "AMY@fabrikam.com", Time: at, Why: "Three."},
	}
	var b strings.Builder
	if err := WriteText(&b, fs, false); err != nil {
		t.Fatal(err)
	}
	want := `bob@fabrikam.com
  CRITICAL  90  time not told     large
                 Two [31mthree.
                 record r2, r3, r4 and 1 more

AMY@fabrikam.com
  MEDIUM    50  2026-03-02 02:00  medium
                 Three.
                 record 
  LOW       20  2026-03-02 02:00  small
                 One.
                 record 

`
	if b.String() != want {
		t.Errorf("got:\n%s", b.String())
	}
	b.Reset()
	if err := WriteText(&b, fs, true); err != nil || !strings.Contains(b.String(), "\x1b[1;31mCRITICAL\x1b[0m") {
		t.Errorf("no colour: %v", err)
	}
}

// TestCommand holds what the command prints and how it ends.
func TestCommand(t *testing.T) {
	hidden := write(t, "name.json", []byte(`{"Id":"n1","CreationTime":"2026-03-02T02:03:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"amy@fabrikam.com",`+
		`"Parameters":[{"Name":"Name","Value":".."},{"Name":"SubjectContainsWords","Value":"contract"},{"Name":"DeleteMessage","Value":"True"}]}`))
	out, notes, err := run(t, "--min-severity", "critical", "testdata/unified.json", hidden)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "global-administrator-granted") || strings.Contains(out, "obfuscated-name") || strings.Contains(out, "\x1b") {
		t.Errorf("out:\n%s", out)
	}
	for _, w := range []string{"Read       6 records in 2 files", "fabrikam.onmicrosoft.com: taken from the records", "FileAccessed (1)", "1 finding below critical left out."} {
		if !strings.Contains(notes, w) {
			t.Errorf("the summary lacks %q:\n%s", w, notes)
		}
	}
	_, notes, err = run(t, "--domain", "fabrikam.com,evil.example", "testdata/broken.jsonl")
	var p *tocsin.Problem
	if !errors.As(err, &p) || p.What != "3 pieces could not be read." {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(notes, filepath.Join("testdata", "broken.jsonl")+":2: the record ends in the middle") || strings.Contains(notes, "taken from the records") {
		t.Errorf("notes:\n%s", notes)
	}
	if out, _, err = run(t, "--domain", "fabrikam.com,evil.example", "testdata/unified.json"); err != nil || strings.Contains(out, "outside") {
		t.Errorf("an accepted domain is outside: %v\n%s", err, out)
	}
	if out, _, err = run(t, "--partner", "evil.example", "testdata/unified.json"); err != nil || strings.Contains(out, "outside") {
		t.Errorf("a partner is outside: %v\n%s", err, out)
	}
	if _, _, err = run(t, "--min-severity", "huge", "testdata/unified.json"); !errors.As(err, &p) {
		t.Errorf("error %v", err)
	}
	if _, _, err = run(t); err == nil {
		t.Error("no file is no error")
	}
}

// TestFlatJSON reads records over many lines without indentation.
func TestFlatJSON(t *testing.T) {
	b, err := os.ReadFile("testdata/unified.json")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range strings.Split(string(b), "\n") {
		lines = append(lines, strings.TrimLeft(l, " "))
	}
	got := analyze(t, Options{Files: []string{write(t, "flat.json", []byte(strings.Join(lines, "\n")))}})
	if !slices.Equal(got.rules(), unifiedRules) || got.sum.Broken > 0 {
		t.Errorf("rules %v, broken %v", got.rules(), got.sum.First)
	}
}
