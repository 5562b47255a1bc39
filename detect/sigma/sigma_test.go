package sigma

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
)

// rule is a rule's text with a detection.
func ruleText(source, detection string) string {
	return "title: T\nlogsource: {product: " + strings.ReplaceAll(source, "/", ", service: ") + "}\ndetection:\n  " + strings.ReplaceAll(strings.TrimSpace(detection), "\n", "\n  ") + "\n"
}

func parsed(t testing.TB, text string) *Bundle {
	t.Helper()
	b, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return b
}

func event(t testing.TB, text string, shape audit.Shape) *Event {
	t.Helper()
	e, err := audit.Whole([]byte(text))
	if err == nil && e.Shape == audit.Strange {
		e, err = audit.As([]byte(text), shape)
	}
	if err != nil {
		t.Fatal(err)
	}
	return NewEvent(&e)
}

const newRule = `{"Id":"1","CreationTime":"2026-03-02T02:03:00","Operation":"New-InboxRule","Workload":"Exchange","UserId":"Amy@Fabrikam.com","ClientIP":"203.0.113.7:4431","ResultStatus":"True","Size":1500,
	"Parameters":[{"Name":"ForwardTo","Value":"eve@evil.example"},{"Name":"Name","Value":"..*.."},{"Name":"Command","Value":"net.exe -enc SQBFAFgA /all"}],"ExtendedProperties":[{"Name":"RequestType","Value":"Cmsi:Cmsi"}],"Owner":"amy@fabrikam.com","Nothing":null,"Empty":""}`

// TestModifiers holds each modifier and form of a value to one record.
func TestModifiers(t *testing.T) {
	for _, c := range []struct {
		detection string
		want      bool
	}{
		{"s: {Operation: new-inboxrule}\ncondition: s", true},
		{"s: {Operation|cased: new-inboxrule}\ncondition: s", false},
		{"s: {Operation|cased: New-InboxRule}\ncondition: s", true},
		{"s: {Operation: Inbox}\ncondition: s", false},
		{"s: {Operation|contains: Inbox}\ncondition: s", true},
		{"s: {Operation|startswith: New-, UserId|endswith: '@fabrikam.com'}\ncondition: s", true},
		{"s: {Operation|contains|all: [New, Rule]}\ncondition: s", true},
		{"s: {Operation|contains|all: [New, Set]}\ncondition: s", false},
		{"s: {Operation: 'New-*Rule'}\ncondition: s", true},
		{"s: {Operation: 'New?Inbox*'}\ncondition: s", true},
		{"s: {Operation: 'New?Rule'}\ncondition: s", false},
		{"s: {Name: '..\\*..'}\ncondition: s", true},
		{"s: {Name: '.\\*.'}\ncondition: s", false},
		{"s: {Operation|re: '^New-(Inbox|Sweep)Rule$'}\ncondition: s", true},
		{"s: {Operation|re: '^new-'}\ncondition: s", false},
		{"s: {Operation|re|i: '^new-'}\ncondition: s", true},
		{"s: {ClientIP|cidr: 203.0.113.0/24}\ncondition: s", true},
		{"s: {ClientIP|cidr: [10.0.0.0/8, '2001:db8::/32']}\ncondition: s", false},
		{"s: {Size|gt: 1000, Size|lte: 1500}\ncondition: s", true},
		{"s: {Size|lt: 1500}\ncondition: s", false},
		{"s: {Size: 1500}\ncondition: s", true},
		{"s: {Nothing: null}\ncondition: s", true},
		{"s: {Missing: null}\ncondition: s", true},
		{"s: {Operation: null}\ncondition: s", false},
		{"s: {Empty: ''}\ncondition: s", true},
		{"s: {Missing: ''}\ncondition: s", false},
		{"s: {Missing|exists: false, Operation|exists: true}\ncondition: s", true},
		{"s: {Empty|exists: false}\ncondition: s", false},
		{"s: {Operation|neq: Set-InboxRule}\ncondition: s", true},
		{"s: {Operation|neq: New-InboxRule}\ncondition: s", false},
		{"s: {UserId|fieldref: Owner}\ncondition: s", true},
		{"s: {UserId|fieldref: ForwardTo}\ncondition: s", false},
		{"s: {UserId|fieldref|startswith: Size}\ncondition: s", false},
		{"s: {Command|windash|contains: ' /enc '}\ncondition: s", true},
		{"s: {Command|wide|base64|contains: IEX}\ncondition: s", true},
		{"s: {Command|utf16le|base64offset|contains: EX}\ncondition: s", true},
		{"s: {CreationTime|hour: 2}\ncondition: s", true},
		{"s: {CreationTime|hour|gte: 3}\ncondition: s", false},
		{"s: {RequestType: 'Cmsi:Cmsi'}\ncondition: s", true},
		{"s: {ExtendedProperties.RequestType: 'Cmsi:Cmsi'}\ncondition: s", true},
		{"s: {Parameters|contains: ForwardTo}\ncondition: s", true},
		{"s: [evil.example, nowhere]\ncondition: s", true},
		{"s: {'|all': [evil.example, fabrikam]}\ncondition: s", true},
		{"s: {'|all': [evil.example, nowhere]}\ncondition: s", false},
		{"s:\n  - {Operation: Set-InboxRule}\n  - {UserId|contains: amy}\ncondition: s", true},
		{"s: {Operation: New-InboxRule}\nf: {UserId: amy@fabrikam.com}\ncondition: s and not f", false},
		{"a_1: {Operation: X}\na_2: {UserId: amy@fabrikam.com}\ncondition: 1 of a_*", true},
		{"a_1: {Operation: X}\na_2: {UserId: amy@fabrikam.com}\ncondition: all of them", false},
		{"a: {Operation: X}\nb: {Size: 1}\nc: {Workload: Exchange}\ncondition: a and b or c", true},
		{"a: {Operation: X}\nb: {Size: 1}\nc: {Workload: Exchange}\ncondition: a and (b or c)", false},
		{"a: {Operation: X}\nb: {Workload: Exchange}\ncondition: [a, b]", true},
		{"a: {Operation: X}\n_b: {Workload: Exchange}\ncondition: any of them", false},
		{"a: {Operation: X}\ncondition: not a", true},
	} {
		b := parsed(t, ruleText("m365/audit", c.detection))
		if got := len(NewSet([]Named{{"r", b}}).Match(event(t, newRule, audit.UnifiedLog))) > 0; got != c.want {
			t.Errorf("%v, want %v:\n%s", got, c.want, c.detection)
		}
	}
}

// TestSources reads fields by the names that rules have for them in each log.
func TestSources(t *testing.T) {
	signIn := `{"id":"s","createdDateTime":"2026-03-02T02:03:00Z","userPrincipalName":"amy@fabrikam.com","appDisplayName":"Office","clientAppUsed":"IMAP4","status":{"errorCode":0,"failureReason":"Other."},
		"authenticationProtocol":"deviceCode","authenticationRequirement":"singleFactorAuthentication","location":{"countryOrRegion":"NL"},"deviceDetail":{"deviceId":"","trustType":null,"isCompliant":false},"networkLocationDetails":[],"riskState":"atRisk","userAgent":"azurehound/v1"}`
	change := `{"id":"d","activityDateTime":"2026-03-02T02:03:00Z","category":"UserManagement","loggedByService":"Core Directory","activityDisplayName":"Update user","result":"success","resultReason":"",
		"initiatedBy":{"user":{"userPrincipalName":"root@fabrikam.com"}},"targetResources":[{"type":"User","userPrincipalName":"amy@fabrikam.com","modifiedProperties":[
		{"displayName":"UserType","oldValue":"[\"Guest\"]","newValue":"[\"Member\"]"},{"displayName":"ConsentContext.IsAdminConsent","oldValue":null,"newValue":"\"False\""}]}],"additionalDetails":[{"key":"additionalInfo","value":"Successfully recovered local credential by device id x"}]}`
	alert := `{"Id":"a","CreationTime":"2026-03-02T02:03:00","Operation":"AlertTriggered","Workload":"SecurityComplianceCenter","Name":"Suspicious inbox forwarding","Severity":"High","UserId":"SecurityComplianceAlerts"}`
	risk := `{"id":"k","riskEventType":"anonymizedIPAddress","riskLevel":"high","userPrincipalName":"amy@fabrikam.com","activityDateTime":"2026-03-02T02:03:00Z"}`
	for _, c := range []struct{ source, record, detection string }{
		{"azure/signinlogs", signIn, "s: {ResultType: 0, properties.message: Device Code, location: NL, Status: Success}\ncondition: s"},
		{"azure/signinlogs", signIn, "s: {AuthenticationRequirement: singleFactorAuthentication, NetworkLocationDetails: '[]', DeviceDetail.deviceId: ''}\ncondition: s"},
		{"azure/signinlogs", signIn, "s: {DeviceDetail.trusttype: null, DeviceDetail.isCompliant: 'false', RiskState: atRisk, userAgent|contains: azurehound}\ncondition: s"},
		{"azure/auditlogs", change, "s: {LoggedByService: Core Directory, Category: UserManagement, OperationName: Update user, ConsentContext.IsAdminConsent: 'false'}\ncondition: s"},
		{"azure/auditlogs", change, `s: {properties.message: '"displayName":"UserType","oldValue":"[\"Guest\"]","newValue":"[\"Member\"]"'}` + "\ncondition: s"},
		{"azure/auditlogs", change, "s: {TargetResources.ModifiedProperties.NewValue|contains: Member, additionalDetails.additionalInfo|contains: Successfully recovered, properties.result: success}\ncondition: s"},
		{"m365/threat_management", alert, "s: {eventSource: SecurityComplianceCenter, eventName: Suspicious inbox forwarding, status: success}\ncondition: s"},
		{"azure/riskdetection", risk, "s: {riskEventType: anonymizedIPAddress}\ncondition: s"},
	} {
		b := parsed(t, ruleText(c.source, c.detection))
		if NewSet([]Named{{"r", b}}).Match(event(t, c.record, "")) == nil {
			t.Errorf("%s is silent:\n%s", c.source, c.detection)
		}
	}
}

// TestSays holds what is wrong with a text to a line, a sentence, and what to do.
func TestSays(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"", 0, "is empty"},
		{"title: T\n\tx: y\n", 2, "no YAML"},
		{"title: T\nlogsource: {product: m365}\n", 1, "no detection"},
		{ruleText("m365/audit", "s: {A|like: x}\ncondition: s"), 4, `no modifier "like"`},
		{ruleText("m365/audit", "s: {A|re: '(?=x)'}\ncondition: s"), 4, "cannot be read"},
		{ruleText("m365/audit", "s: {A|expand: '%x%'}\ncondition: s"), 4, "expand"},
		{ruleText("m365/audit", "s: {A: x}\ncondition: s and t"), 5, `no selection "t"`},
		{ruleText("m365/audit", "s: {A: x}\ncondition: s | count() > 5"), 5, "behind a |"},
		{ruleText("m365/audit", "s: {A: x}\ncondition: (s"), 5, "not closed"},
		{ruleText("m365/audit", "s: {A|cidr: x}\ncondition: s"), 4, "no network"},
		{ruleText("m365/audit", "s: {A: &a x, B: *a}\ncondition: s"), 4, "anchors"},
		{"title: T\ncorrelation: {type: event_count, rules: [x], timespan: 5m, condition: {gte: 2}}\n", 1, "no rule"},
		{ruleText("m365/audit", "s: {A: x}\ncondition: s") + "---\ntitle: C\ncorrelation: {type: event_count, rules: [x], timespan: 5m, condition: {gte: 2}}\n", 8, "not here"},
		{ruleText("m365/audit", "s: {A: x}\ncondition: s") + "tests: [{expect: match}]\n", 6, "no events"},
		{strings.Repeat("# \n", MaxText), 0, "longer than"},
		{ruleText("m365/audit", "s: {A: x}\ncondition: "+strings.Repeat("(", 60)+"s"+strings.Repeat(")", 60)), 5, "nested"},
	} {
		_, err := Parse([]byte(c.text))
		var p Faults
		if !errors.As(err, &p) || len(p) == 0 || !strings.Contains(p[0].What, c.want) || p[0].Line != c.line || p[0].Do == "" {
			t.Errorf("%+v, want line %d %q:\n%.300s", p, c.line, c.want, c.text)
		}
	}
}

// TestCounts plays records by the second and looks when a correlation speaks.
func TestCounts(t *testing.T) {
	base := "---\ntitle: Refused\nname: refused\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  s: {ResultType: 50126}\n  condition: s\n"
	type try struct {
		second   int
		who, ip  string
		code     int
		expected int
	}
	for name, c := range map[string]struct {
		correlation string
		tries       []try
	}{
		"event_count": {"{type: event_count, rules: [refused], group-by: [IPAddress], timespan: 10s, condition: {gte: 3}}", []try{
			{0, "a", "1.1.1.1", 50126, 0}, {1, "b", "1.1.1.1", 50126, 0}, {2, "c", "2.2.2.2", 50126, 0}, {3, "d", "1.1.1.1", 0, 0}, {4, "e", "1.1.1.1", 50126, 1}, {30, "f", "1.1.1.1", 50126, 0}}},
		"value_count": {"{type: value_count, rules: [refused], group-by: [IPAddress], timespan: 10s, condition: {field: UserPrincipalName, gte: 2}}", []try{
			{0, "a", "1.1.1.1", 50126, 0}, {1, "a", "1.1.1.1", 50126, 0}, {2, "b", "1.1.1.1", 50126, 1}, {40, "c", "1.1.1.1", 50126, 0}}},
		"generate": {"{type: event_count, rules: [refused], timespan: 10s, generate: true, condition: {gt: 1}}", []try{
			{0, "a", "1.1.1.1", 50126, 1}, {1, "a", "1.1.1.1", 50126, 2}}},
	} {
		set := NewSet([]Named{{"own-x", parsed(t, "title: C\nlevel: high\ncorrelation: "+c.correlation+"\n"+base)}})
		var mem detect.Memory
		at := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
		for i, y := range c.tries {
			e := event(t, fmt.Sprintf(`{"id":"%s-%d","createdDateTime":%q,"userPrincipalName":"%s@fabrikam.com","ipAddress":%q,"appDisplayName":"x","status":{"errorCode":%d}}`,
				name, i, at.Add(time.Duration(y.second)*time.Second).Format(time.RFC3339), y.who, y.ip, y.code), "")
			found := set.Judge(&detect.Org{}, &mem, e.Record, set.Match(e))
			if len(found) != y.expected {
				t.Errorf("%s: try %d raises %d findings, want %d", name, i, len(found), y.expected)
			}
		}
	}
}

// TestExamples runs the fixtures' own examples, and one that must fail.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b := parsed(t, string(text))
		if len(b.Examples) == 0 {
			t.Errorf("%s has no tests", f)
		}
		for _, o := range b.Test() {
			if !o.OK {
				t.Errorf("%s:%d: %s: %s", f, o.Line, o.Name, o.Says)
			}
		}
	}
	b := parsed(t, ruleText("m365/audit", "s: {Operation: X}\ncondition: s")+"tests:\n  - {name: n, expect: match, events: [{Operation: Y}]}\n  - {name: m, expect: silent, events: ['{\"Operation\":\"X\"}']}\n")
	if list := b.Test(); len(list) != 2 || list[0].OK || list[1].OK || Passes(list) {
		t.Errorf("wrong examples passed: %+v", list)
	}
}

// TestStories plays stories to rules of each log, as people's own tests do.
func TestStories(t *testing.T) {
	forwards := "s: {Operation: [New-InboxRule, Set-InboxRule], 'ForwardTo|endswith': '@evil.example'}\ncondition: s"
	const people = "domain fabrikam.com\nperson amy\nperson bob\n"
	for _, c := range []struct{ name, rule, story, says string }{
		{"forwards", ruleText("m365/audit", forwards), people + `mon 09:00 amy makes rule "x" forward to drop@evil.example`, "!"},
		{"to a colleague", ruleText("m365/audit", forwards), people + `mon 09:00 amy makes rule "x" forward to bob`, "silent, as"},
		{"from abroad", ruleText("azure/signinlogs", "s: {Location: NG}\ncondition: s"), people + "mon 09:00 amy signs in from Lagos\nmon 09:01 bob signs in from NL", "!"},
		{"a change of the directory", ruleText("azure/auditlogs", "s: {operationName: Add member to role}\ncondition: s"), people + `mon 09:00 amy audits "Add member to role" target bob`, "!"},
		{"of another log", ruleText("azure/signinlogs", "s: {Location: NG}\ncondition: s"), people + `mon 09:00 amy makes rule "x" forward to bob`, "tell nothing"},
		{"what cannot happen", ruleText("m365/audit", forwards), people + `mon 09:00 amy deletes rule "never made"`, "cannot happen"},
	} {
		expect := "match"
		if c.says != "!" {
			expect = "silent"
		}
		b := parsed(t, c.rule+"tests:\n  - name: n\n    expect: "+expect+"\n    story: |\n      "+strings.ReplaceAll(c.story, "\n", "\n      ")+"\n")
		list := b.Test()
		if ok := c.says == "!" || c.says == "silent, as"; len(list) != 1 || list[0].OK != ok || !ok && !strings.Contains(list[0].Says, c.says) {
			t.Errorf("%s: %+v, want %q", c.name, list, c.says)
		}
	}
	for text, says := range map[string]string{"story: amy flies": "cannot be read", "story: x\n    events: [{a: b}]": "two tests"} {
		_, err := Parse([]byte(ruleText("m365/audit", forwards) + "tests:\n  - name: n\n    expect: match\n    " + text + "\n"))
		if err == nil || !strings.Contains(fmt.Sprint(err), says) && !strings.Contains(fmt.Sprintf("%+v", err), says) {
			t.Errorf("%q: %+v, want %q", text, err, says)
		}
	}
}

// TestFinding holds a finding to what every finding has.
func TestFinding(t *testing.T) {
	text, err := os.ReadFile("testdata/forward.yml")
	if err != nil {
		t.Fatal(err)
	}
	set := NewSet([]Named{{"own-forward", parsed(t, string(text))}})
	e := event(t, strings.Replace(newRule, "eve@evil.example", "eve@gmail.com", 1), "")
	var mem detect.Memory
	found := set.Judge(&detect.Org{}, &mem, e.Record, set.Match(e))
	if len(found) != 1 {
		t.Fatalf("%d findings", len(found))
	}
	f := found[0]
	if f.Rule != "own-forward" || f.Severity != "high" || f.Stage != "exfiltration" || !slices.Equal(f.Attack, []string{"T1114.003"}) || f.Who != "Amy@Fabrikam.com" || len(f.Evidence) != 1 ||
		!strings.Contains(f.Why, `ForwardTo is "eve@gmail.com"`) || f.Risk == 0 || len(f.Terms) != 1 {
		t.Errorf("%+v", f)
	}
	// A hit outlives a file.
	raw, err := json.Marshal(set.Match(e))
	if err != nil {
		t.Fatal(err)
	}
	var back []detect.Hit
	if err := json.Unmarshal(raw, &back); err != nil || len(back) != 1 || back[0].Why == "" {
		t.Errorf("%s: %v", raw, err)
	}
}

// TestSigmaHQ compiles every rule of SigmaHQ's for Microsoft 365 and Azure. Each loads, or is refused for a reason that is known.
func TestSigmaHQ(t *testing.T) {
	dir := os.Getenv("TOCSIN_SIGMA")
	if dir == "" {
		t.Skip("SigmaHQ's rules are not here: clone https://github.com/SigmaHQ/sigma and set TOCSIN_SIGMA to the folder")
	}
	counts := map[string]int{}
	var lines []string
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if s := string(text); !strings.Contains(s, "product: m365") && !strings.Contains(s, "product: azure") {
			if _, err := Parse(text); err != nil {
				counts["others: refused"]++
				if !strings.Contains(err.Error(), "expand") && !strings.Contains(err.Error(), "first version") {
					lines = append(lines, "other: "+strings.TrimPrefix(path, dir)+": "+err.Error())
				}
			} else {
				counts["others: load"]++
			}
			return nil
		}
		n++
		rel, _ := filepath.Rel(dir, path)
		group, _, _ := strings.Cut(rel, "/")
		b, err := Parse(text)
		switch {
		case err != nil:
			counts[group+": refused"]++
			lines = append(lines, "refused: "+rel+": "+err.Error())
			if !strings.Contains(err.Error(), "expand") && !strings.Contains(err.Error(), "first version") {
				t.Errorf("%s: %v", rel, err)
			}
		case b.Uncollected() != "":
			counts[group+": loads, not collected"]++
			lines = append(lines, "not collected: "+rel+": "+b.Uncollected())
		default:
			counts[group+": loads"]++
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d rules: %v", n, err)
	}
	slices.Sort(lines)
	t.Logf("%d rules for Microsoft 365 and Azure: %v\n%s", n, counts, strings.Join(lines, "\n"))
}

// FuzzParse reads any text as a rule: it is refused with what to do, or it runs its examples and looks at a record.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(ruleText("m365/audit", "s: {A|re: 'x+', B|cidr: 10.0.0.0/8, C|base64offset|contains: y, D|windash: -x, E|fieldref: A}\ncondition: 1 of s* and not (s)"))
	f.Add(ruleText("azure/auditlogs", "s: ['*', 'a?b']\ncondition: s"))
	f.Add(ruleText("m365/audit", "s: {Operation: X}\ncondition: s") + "tests:\n  - name: n\n    expect: silent\n    story: |\n      domain a.example\n      person amy\n      mon 09:00 amy audits \"X\" on y A=b\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := Parse([]byte(text))
		if err != nil {
			var p Faults
			if !errors.As(err, &p) || len(p) == 0 || p[0].What == "" || p[0].Do == "" {
				t.Errorf("%q is refused without a word: %v", text, err)
			}
			return
		}
		b.Test()
		set := NewSet([]Named{{"r", b}})
		e := event(t, newRule, audit.UnifiedLog)
		var mem detect.Memory
		for range 3 {
			set.Judge(&detect.Org{}, &mem, e.Record, set.Match(e))
		}
		b.Head().Severity()
		_ = b.Uncollected()
	})
}

// FuzzMatches holds the matcher of patterns to the plain meaning of * and ?.
func FuzzMatches(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*", "")
	f.Add("?", "ü")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 12 || len(s) > 40 || strings.ContainsAny(p, "\\\x00") || strings.ContainsRune(s, 0xfffd) || strings.ToValidUTF8(p, "") != p || strings.ToValidUTF8(s, "") != s {
			return
		}
		if got, want := matches(wild(p), s), slow([]rune(p), []rune(s)); got != want {
			t.Errorf("%q on %q: %v, want %v", p, s, got, want)
		}
	})
}

func slow(p, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch p[0] {
	case '*':
		return slow(p[1:], s) || len(s) > 0 && slow(p, s[1:])
	case '?':
		return len(s) > 0 && slow(p[1:], s[1:])
	}
	return len(s) > 0 && s[0] == p[0] && slow(p[1:], s[1:])
}

// BenchmarkMatch matches records against so many rules; bare only reads them, as is done without any rule.
func BenchmarkMatch(b *testing.B) {
	record := []byte(newRule)
	read := func(b *testing.B) *Event {
		e, err := audit.Whole(record)
		if err != nil {
			b.Fatal(err)
		}
		return NewEvent(&e)
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			read(b)
		}
	})
	for _, n := range []int{10, 100, 500} {
		var list []Named
		for i := range n {
			text := ruleText("m365/audit", fmt.Sprintf("s: {Operation: [Set-X%d, New-Y%d], UserId|contains: u%d}\nf: {ClientIP|cidr: 10.0.0.0/8}\ncondition: s and not f", i, i, i))
			if i%10 == 0 { // one of ten cannot be found by an index
				text = ruleText("m365/audit", fmt.Sprintf("s: {Operation|contains: X%d, UserId|endswith: '@u%d.example'}\ncondition: s", i, i))
			}
			list = append(list, Named{fmt.Sprint("r", i), parsed(b, text)})
		}
		set := NewSet(list)
		b.Run(fmt.Sprint("rules=", n), func(b *testing.B) {
			for b.Loop() {
				set.Match(read(b))
			}
		})
	}
}
