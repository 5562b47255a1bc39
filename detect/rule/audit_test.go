package rule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect"
	"tocsin.dev/story"
)

// TestEveryEventHasStories asks for each rule on records one story that makes it speak and one that must not; what needs
// hundreds of records is tested below.
func TestEveryEventHasStories(t *testing.T) {
	fires, silent := map[string]bool{"mass-download": true}, map[string]bool{}
	for _, s := range stories(t) {
		for _, e := range s.Expects {
			fires[e.Rule] = true
		}
		for _, q := range s.Quiet {
			silent[q] = true
		}
	}
	for i := range Events {
		if n := Events[i].Name; !fires[n] {
			t.Errorf("%s: no story makes it speak", n)
		} else if !silent[n] {
			t.Errorf("%s: no story says %q", n, "silent "+n)
		}
	}
}

// TestJudged holds the list of operations that are judged to the stories: a reader leaves others aside, so each record on which
// a story finds something must be of an operation on the list.
func TestJudged(t *testing.T) {
	for _, s := range stories(t) {
		w := play(t, s)
		for _, f := range w.found {
			for _, e := range f.Evidence {
				var line int
				if _, err := fmt.Sscanf(e.ID, "record-%d", &line); err != nil {
					continue
				}
				for _, a := range s.Acts {
					if a.Line == line && a.Verb != story.SignsIn && !Judged(a.Args["operation"]) {
						t.Errorf("%s:%d: %s led to %s, but Judged does not know it", s.Name, line, a.Args["operation"], f.Rule)
					}
				}
			}
		}
	}
	if Judged("FileAccessed") || Judged("PageViewed") {
		t.Error("what nobody looks at is judged")
	}
}

func TestMassDownload(t *testing.T) {
	var mem detect.Memory
	found := 0
	for i := range 2*manyFiles - 1 {
		r := detect.Record{ID: fmt.Sprint(i), Time: monday.Add(time.Duration(i) * time.Second), Operation: "FileDownloaded", Actor: "amy@fabrikam.com", ActorKind: "user", Object: "x"}
		found += len(Record(&detect.Org{}, &mem, &r))
	}
	if found != 1 {
		t.Errorf("%d findings on %d downloads, want 1", found, 2*manyFiles-1)
	}
}

func TestMistakable(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"john.doe@fabrikam.com", "john.d0e@fabrikam.com", true},
		{"john.doe@fabrikam.com", "jonh.doe@fabrikam.com", true},
		{"marnie@fabrikam.com", "mamie@fabrikam.com", true},
		{"аmy@fabrikam.com", "amy@fabrikam.com", true}, // a Cyrillic letter
		{"amy@fabrikam.com", "amy@fabrlkam.com", true},
		{"amy@fabrikam.com", "ann@fabrikam.com", false},
		{"amy@fabrikam.com", "amy@fabrikam.com", false},
		{"scanner01@fabrikam.com", "scanner02@fabrikam.com", false},
		{"bob", "amy@fabrikam.com", false},
	} {
		if got := mistakable(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestAuditAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"a@x.com;b@y.com":               "a@x.com b@y.com",
		"smtp:a@x.com":                  "a@x.com",
		`"Doe, John" [SMTP:john@x.com]`: "john@x.com",
		"John Doe <john@x.com>":         "john@x.com",
		"a@x.com, b@y.com":              "a@x.com b@y.com",
		"{a@x.com}":                     "a@x.com",
		"":                              "",
		"[EX:/o=ExchangeLabs/ou=x/cn=Recipients]": "/o=ExchangeLabs/ou=x/cn=Recipients",
	} {
		var got []string
		for _, a := range auditAddresses(in) {
			got = append(got, a.Address)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestKilobytes(t *testing.T) {
	for in, want := range map[string]string{"10 KB (10,240 bytes)": "10", "2MB": "2048", "10,240": "10", "none": "none"} {
		if got := kilobytes(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzRecord gives any record to every rule: none may panic, and each finding rests on the record.
func FuzzRecord(f *testing.F) {
	f.Add("New-InboxRule", "Name", "x", "ForwardTo", "a@b.example", "amy@fabrikam.com")
	f.Add("UpdateInboxRules", "RuleActions", `[{"ActionType":"Forward","Recipients":["a@b.c"]}]`, "RuleCondition", `(SubjectProperty "x")`, "amy")
	f.Add("Set-Mailbox", "ForwardingSmtpAddress", "smtp:", "GrantSendOnBehalfTo", "@{Add=x}", "")
	f.Add("Add member to role", "Role.DisplayName", "Global Administrator", "", "", "root")
	f.Add("Update conditional access policy", "ConditionalAccessPolicy", `{"state":"enabled"}`, "a", "b", "c")
	f.Add("Delete user", "error", "0123456789abcdef0123456789abcdefx@y", "items", "-1", "z")
	f.Fuzz(func(t *testing.T, operation, k1, v1, k2, v2, actor string) {
		var mem detect.Memory
		o := &detect.Org{Domains: map[string]bool{"fabrikam.com": true}}
		for i := range 3 {
			r := &detect.Record{
				ID: fmt.Sprint("r", i), Time: monday.Add(time.Duration(i) * time.Minute), Operation: operation, Actor: actor, ActorKind: "user", IP: v2, Object: v1, Target: v2,
				Params: map[string]string{k1: v1, k2: v2}, Modified: map[string][2]string{k1: {v2, v1}, k2: {"", v2}},
				Extra: map[string]any{k1: v1, k2: v2, "targets": []any{map[string]any{"type": k1, "name": v1, "upn": v2}, "x"}},
			}
			for _, finding := range Record(o, &mem, r) {
				if len(finding.Evidence) == 0 || finding.Rule == "" || finding.Why == "" {
					t.Errorf("%+v: something is missing", finding)
				}
			}
		}
	})
}
