package sim

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFilter(t *testing.T) {
	day := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	o := obj{{"id", "1"}, {"displayName", "Amy O'Neil"}, {"mail", "amy@x.example"}, {"accountEnabled", true}, {"createdDateTime", day},
		{"proxyAddresses", []string{"SMTP:amy@x.example", "smtp:a@x.example"}}, {"assignedPlans", []any{obj{{"service", "exchange"}}}},
		{"onPremisesSyncEnabled", nil}, {"employeeId", "7"}, {"authorizationInfo", obj{{"certificateUserIds", []any{"u"}}}}}
	for filter, want := range map[string]bool{
		"accountEnabled eq true":                                     true,
		"accountEnabled":                                             true,
		"accountEnabled ne true":                                     false,
		"not accountEnabled eq true":                                 false,
		"not(accountEnabled eq false)":                               true,
		"displayName eq 'amy o''neil'":                               true,
		"startswith(displayName,'Amy')":                              true,
		"startswith(displayName,'Bob') or mail eq 'amy@x.example'":   true,
		"endswith(mail,'x.example')":                                 true,
		"contains(mail,'@y')":                                        false,
		"startswith(displayName,'Amy') eq false":                     false,
		"createdDateTime ge 2026-03-04T10:00:00Z":                    true,
		"createdDateTime gt 2026-03-04T10:00:00Z":                    false,
		"createdDateTime lt 2026-03-05":                              true,
		"createdDateTime le 2026-03-03":                              false,
		"proxyAddresses/any(p:startswith(p,'smtp:a@'))":              true,
		"proxyAddresses/any(p:p eq 'smtp:b@x.example')":              false,
		"proxyAddresses/all(p:startswith(p,'smtp:'))":                true,
		"proxyAddresses/any()":                                       true,
		"assignedPlans/any(a:a/service eq 'exchange')":               true,
		"assignedPlans/any(a: a/service eq 'x' or a/service eq 'y')": false,
		"onPremisesSyncEnabled eq null":                              true,
		"onPremisesSyncEnabled ne null":                              false,
		"onPremisesSyncEnabled eq true":                              false,
		"id in ('2','1')":                                            true,
		"id in ('2')":                                                false,
		"(id eq '2' or id eq '1') and accountEnabled eq true":        true,
		"id eq '2' or id eq '1' and accountEnabled eq false":         false,
		"mail eq 7": false,
		"mail ne 7": true,
		"authorizationInfo/certificateUserIds/any(x:x eq 'u')": true,
	} {
		c, _, err := parseFilter(filter, userProperties)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if got := c(o.get); got != want {
			t.Errorf("%s is %v, want %v", filter, got, want)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, filter := range []string{"", "nonsense eq 1", "mail eq", "mail eq 'x", "mail eq 'x' and", "(mail eq 'x'", "mail like 'x'", "mail eq 'x' extra",
		"startswith(mail)", "startswith(mail,7)", "proxyAddresses/any(p p eq 'x')", "proxyAddresses/any(p:q eq 'x')", "id in 'x'", "id in ('x'",
		"proxyAddresses/any(p:p/any(q:q eq 'x'))", strings.Repeat("(", 100) + "id eq '1'" + strings.Repeat(")", 100), strings.Repeat("not ", 500) + "id eq '1'"} {
		if _, _, err := parseFilter(filter, userProperties); err == nil {
			t.Errorf("%q is taken", filter)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"accountEnabled eq true", "proxyAddresses/any(p:startswith(p,'smtp:a@'))", "not (id in ('1','2'))", "mail eq 'it''s'", "createdDateTime ge 2026-01-01T00:00:00Z"} {
		f.Add(seed)
	}
	w := newWorld(1, 30, "t", time.Now())
	f.Fuzz(func(t *testing.T, filter string) {
		c, p, err := parseFilter(filter, userProperties)
		if (c == nil) == (err == nil) || err == nil && p == nil {
			t.Fatal("neither a condition nor an error")
		}
		if err == nil {
			c(w.user(w.person(5)))
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("$select=id&$top=5&$filter=id%20eq%20'x'")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			return
		}
		again, err := parseQuery(q.encode(nil))
		if err != nil {
			t.Fatalf("%q is written as %q, which is refused: %v", raw, q.encode(nil), err)
		}
		for _, p := range q {
			if p.value != "" && again.get(p.name) != p.value {
				t.Fatalf("%q loses %s", raw, p.name)
			}
		}
	})
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}],"c":"\u0000x","d":1e9}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := parseObject(raw)
		if err != nil {
			return
		}
		written := appendObject(nil, o)
		again, err := parseObject(written)
		if err != nil {
			t.Fatalf("%s is refused: %v", written, err)
		}
		if second := appendObject(nil, again); string(second) != string(written) {
			t.Fatalf("%s became %s", written, second)
		}
	})
}

func TestFunctionsOfPathsAreSplit(t *testing.T) {
	for path, want := range map[string]string{
		"users/delta()": "users delta", "users/microsoft.graph.delta()": "users delta", "users('a@b')/messages": "users a@b messages",
		"servicePrincipals(appId='x')": "servicePrincipals appId='x", "users/a%2Fb": "users a/b", "/users//x/": "users x",
		"users/delta(token='x')": "users delta token='x"} {
		parts, ok := split(path, nil)
		if got := strings.Join(parts, " "); !ok || got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func TestDirectoryFiltersNeedTheirHeader(t *testing.T) {
	p := newProbe(t, Config{Users: 200})
	p.call("GET", "users?$filter=accountEnabled ne true", nil, 400)
	p.call("GET", "users?$filter=accountEnabled ne true&$count=true", nil, 400)
	p.call("GET", "users?$search=\"displayName:an\"", nil, 400)
	p.call("GET", "users/$count", nil, 400)
	p.head.Set("ConsistencyLevel", "eventual")
	p.call("GET", "users?$filter=accountEnabled ne true", nil, 400)
	body := p.get("users?$filter=accountEnabled ne true&$count=true&$select=id,accountEnabled&$top=2")
	all, _ := p.pages("users?$filter=accountEnabled ne true&$count=true&$select=id,accountEnabled")
	if n := int(body["@odata.count"].(float64)); n != len(all) || n == 0 || len(values(body)) != 2 {
		t.Errorf("the count is %d of %d, and a page holds %d", n, len(all), len(values(body)))
	}
	next := p.get(body["@odata.nextLink"].(string))
	if _, again := next["@odata.count"]; again {
		t.Error("the count stands on the second page too")
	}
	if len(values(p.get("users?$search=\"displayName:a\"&$select=displayName"))) == 0 {
		t.Error("nothing was found")
	}
	sorted, _ := p.pages("users?$orderby=displayName&$select=displayName&$top=30")
	if len(sorted) != 200 || !slices.IsSortedFunc(sorted, func(a, b map[string]any) int {
		return strings.Compare(strings.ToLower(a["displayName"].(string)), strings.ToLower(b["displayName"].(string)))
	}) {
		t.Errorf("%d users are not in order", len(sorted))
	}
}
