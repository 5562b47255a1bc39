package posture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Status is what a check came to.
type Status string

// The statuses.
const (
	Pass     Status = "pass"
	Fail     Status = "fail"
	Unknown  Status = "unknown"  // with a Reason
	Excepted Status = "excepted" // it fails, and somebody owns that
)

// Frameworks are the ids under which benchmarks ask the same.
type Frameworks struct {
	SCuBA  []string `json:"scuba"`
	CIS    []string `json:"cis"`
	EIDSCA []string `json:"eidsca"`
}

// Names are the benchmarks that ask the same: scuba, cis, eidsca.
func (f Frameworks) Names() (out []string) {
	for _, b := range []struct {
		name string
		ids  []string
	}{{"scuba", f.SCuBA}, {"cis", f.CIS}, {"eidsca", f.EIDSCA}} {
		if len(b.ids) > 0 {
			out = append(out, b.name)
		}
	}
	return out
}

// Check is an entry of the table.
type Check struct {
	ID       string // kebab-case, never changed: results and findings are filed under it
	Title    string // what should be so
	Fails    string // what is so where it fails: the finding's title
	Area     string // of the areas below
	Severity tocsin.Severity
	Frameworks
	Attack []string // MITRE ATT&CK technique ids
	Needs  []string // Graph paths; "a|b" is met by either
	Mend   string   // what to do where it fails
	judge  func(*State) Verdict
}

// Meta is the check as the catalogue of detections has it.
func (c *Check) Meta() detect.Meta {
	return detect.Meta{Name: c.ID, Title: c.Fails, Family: "posture", Severity: c.Severity, Attack: c.Attack, Stage: "access",
		Says: "This does not hold: " + c.Title + ".", FalsePositives: "A risk that somebody has accepted: make an exception with an owner and an end.",
		Fix: c.Mend, Source: "setting"}
}

// The areas, in the order in which pages have them.
const (
	Access       = "conditional access"
	Admins       = "administrators"
	Methods      = "authentication methods"
	Defaults     = "users and guests"
	Applications = "applications"
	Devices      = "devices"
	Sharing      = "sharing"
	Mail         = "mail"
)

// Areas are all of them.
var Areas = []string{Access, Admins, Methods, Defaults, Applications, Devices, Sharing, Mail}

// Object is a thing that a verdict rests on.
type Object struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Path string `json:"path"`          // the collection it is of
	Why  string `json:"why,omitempty"` // what is wrong with it, a phrase
}

// Verdict is what a check says of a state.
type Verdict struct {
	Status Status
	Reason Reason // of unknown
	Why    string // a sentence
	Found  []Object
}

// Result is a check's verdict, after exceptions.
type Result struct {
	*Check
	Verdict
	Exception *detect.Exception // of excepted
	Rests     []string          // the paths that were looked at: without a change of one of them the result is the same, but for time
}

// Judge gives the result of every check, in the order of the table.
func Judge(s *State, exceptions []detect.Exception) []Result {
	out := make([]Result, len(Checks))
	for i := range Checks {
		out[i] = Checks[i].Judge(s, exceptions)
	}
	return out
}

// Judge gives the check's result.
func (c *Check) Judge(s *State, exceptions []detect.Exception) (r Result) {
	r = Result{Check: c}
	clear(s.rests)
	defer func() { r.Rests = slices.Sorted(maps.Keys(s.rests)) }()
	if v := s.lacks(c.Needs); v != nil {
		r.Verdict = *v
		return r
	}
	r.Verdict = s.asOf(c.judge(s))
	slices.SortStableFunc(r.Found, func(a, b Object) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	if r.Status == Fail {
		r.except(exceptions, s.now)
	}
	return r
}

// except makes the result excepted where an exception covers the check, or every object that it failed for. An exception without
// owner or reason, or past its end, covers nothing.
func (r *Result) except(exceptions []detect.Exception, now time.Time) {
	var used *detect.Exception
	covers := func(e *detect.Exception, o *Object) bool {
		if e.Owner == "" || e.Reason == "" || !e.Expires.IsZero() && !now.Before(e.Expires) || e.Rule != r.ID && e.Rule != "*" && e.Rule != r.Area {
			return false
		}
		if o == nil || e.Scope == detect.ScopeAll {
			return e.Scope == detect.ScopeAll
		}
		return (e.Scope == detect.ScopeSubject || e.Scope == detect.ScopePerson || e.Scope == detect.ScopeAddress) &&
			(strings.EqualFold(e.Value, o.ID) || strings.EqualFold(e.Value, o.Name))
	}
	var left []Object
	for i := range r.Found {
		at := slices.IndexFunc(exceptions, func(e detect.Exception) bool { return covers(&e, &r.Found[i]) })
		if at < 0 {
			left = append(left, r.Found[i])
		} else if used == nil || earlier(&exceptions[at], used) {
			used = &exceptions[at]
		}
	}
	if len(r.Found) == 0 {
		if at := slices.IndexFunc(exceptions, func(e detect.Exception) bool { return covers(&e, nil) }); at >= 0 {
			used = &exceptions[at]
		}
	}
	switch {
	case used == nil:
	case len(left) > 0:
		r.Why += fmt.Sprintf(" %d more are excepted.", len(r.Found)-len(left))
		r.Found = left
	default:
		r.Status, r.Exception = Excepted, used
		until := ""
		if !used.Expires.IsZero() {
			until = " until " + used.Expires.UTC().Format(time.DateOnly)
		}
		r.Why = fmt.Sprintf("%s Excepted by %s%s: %s", r.Why, used.Owner, until, used.Reason)
	}
}

func earlier(a, b *detect.Exception) bool {
	return !a.Expires.IsZero() && (b.Expires.IsZero() || a.Expires.Before(b.Expires))
}

func pass(why string, args ...any) Verdict {
	return Verdict{Status: Pass, Why: fmt.Sprintf(why, args...)}
}
func fail(why string, args ...any) Verdict {
	return Verdict{Status: Fail, Why: fmt.Sprintf(why, args...)}
}
func undecided(why string, args ...any) Verdict {
	return Verdict{Status: Unknown, Reason: Undecided, Why: fmt.Sprintf(why, args...)}
}

// with adds the objects that a verdict rests on.
func (v Verdict) with(found ...Object) Verdict {
	v.Found = append(v.Found, found...)
	return v
}

// some names a few objects for a sentence.
func some(found []Object) string {
	const shown = 4
	names := make([]string, 0, shown)
	for _, o := range found[:min(shown, len(found))] {
		names = append(names, or(o.Name, o.ID))
	}
	if n := len(found) - shown; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), n)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// count is a number with its noun: "1 device", "3 devices".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// none passes where bad is empty and fails for its objects: "%s has …" with what is bad.
func none(bad []Object, noun, wrong, good string) Verdict {
	if len(bad) == 0 {
		return pass("%s", good)
	}
	slices.SortStableFunc(bad, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	if len(bad) > 1 {
		wrong = plural(wrong)
	}
	return fail("%s %s: %s.", count(len(bad), noun), wrong, some(bad)).with(bad...)
}

// plural is a phrase said of several: its verb without the ending of one.
func plural(phrase string) string {
	verbs := map[string]string{"has": "have", "is": "are", "comes": "come", "signs": "sign", "runs": "run", "keeps": "keep", "takes": "take", "makes": "make",
		"acts": "act", "belongs": "belong", "reports": "report", "trusts": "trust", "does": "do"}
	words := strings.Split(phrase, " ")
	for i, w := range words {
		if many, ok := verbs[strings.TrimSuffix(w, ":")]; ok {
			words[i] = many + strings.TrimPrefix(w, strings.TrimSuffix(w, ":"))
			break
		}
	}
	return strings.Join(words, " ")
}

// anyPolicy passes where an enforced policy is as wanted. Where one that only reports, or is off, is, the sentence says so.
func anyPolicy(wanted func(*Policy) bool, does, lacks string) func(*State) Verdict {
	return func(s *State) Verdict {
		var on, report, off []Object
		for i := range s.Policies() {
			p := &s.Policies()[i]
			if !wanted(p) {
				continue
			}
			o := Object{ID: p.ID, Name: p.DisplayName, Path: pathPolicies}
			switch {
			case p.Enabled():
				on = append(on, o)
			case p.ReportOnly():
				o.Why = "only reports"
				report = append(report, o)
			default:
				o.Why = "is switched off"
				off = append(off, o)
			}
		}
		switch {
		case len(on) > 0:
			return pass("The policy %s %s.", some(on), does).with(on...)
		case len(report) > 0:
			return fail("The policy %s %s, but only reports what it would do.", some(report), does).with(report...)
		case len(off) > 0:
			return fail("%s: the policy %s is switched off.", lacks, some(off)).with(off...)
		}
		return fail("%s.", lacks)
	}
}
