package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const aRule = `{"id":"AQAAAJ5dZqA=","displayName":".","sequence":2,"isEnabled":true,"hasError":false,"isReadOnly":true,` +
	`"conditions":{"subjectContains":["invoice","payment"],"fromAddresses":[{"emailAddress":{"name":"A","address":"a@b.example"}}],"hasAttachments":true,"isSigned":false,"importance":"high","withinSizeRange":{"minimumSize":1,"maximumSize":20},"bodyContains":null},` +
	`"exceptions":{"sentToMe":true,"quantumState":{"up":1}},` +
	`"actions":{"forwardTo":[{"emailAddress":{"name":"X","address":"x@evil.example"}}],"moveToFolder":"AAMk","markAsRead":true,"delete":false,"stopProcessingRules":true,"launch":"now"},` +
	`"newThing":{"a":[1,2]}}`

func TestMessageRule(t *testing.T) {
	var r MessageRule
	if err := json.Unmarshal([]byte(aRule), &r); err != nil {
		t.Fatal(err)
	}
	if r.ID != "AQAAAJ5dZqA=" || r.DisplayName != "." || r.Sequence != 2 || !r.IsEnabled || !r.IsReadOnly || r.HasError {
		t.Errorf("got %+v", r)
	}
	want := `[{fromAddresses [a@b.example]} {hasAttachments [true]} {importance [high]} {subjectContains [invoice payment]} {withinSizeRange [minimumSize=1 maximumSize=20]}]`
	if got := fmt.Sprint(r.Conditions); got != want {
		t.Errorf("conditions\n%s\nwant\n%s", got, want)
	}
	if got, want := fmt.Sprint(r.Exceptions), `[{quantumState [{"up":1}]} {sentToMe [true]}]`; got != want {
		t.Errorf("exceptions %s, want %s", got, want)
	}
	if a := r.Actions; len(a.ForwardTo) != 1 || a.ForwardTo[0].EmailAddress.Address != "x@evil.example" || a.MoveToFolder != "AAMk" || !a.MarkAsRead || a.Delete || !a.StopProcessingRules {
		t.Errorf("actions %+v", a)
	}
	if want := []string{"actions.launch", "exceptions.quantumState", "newThing"}; !slices.Equal(r.Unknown, want) {
		t.Errorf("unknown %q, want %q", r.Unknown, want)
	}
	if string(r.Raw) != aRule {
		t.Errorf("raw %s", r.Raw)
	}
	out, err := json.Marshal(r)
	if err != nil || !bytes.Equal(out, []byte(aRule)) {
		t.Errorf("encodes as %s, %v", out, err)
	}
}

func TestOddRulesAreReadAndNamed(t *testing.T) {
	for body, unknown := range map[string][]string{
		`{}`:                                 nil,
		`{"actions":null,"conditions":null}`: nil,
		`{"@odata.type":"#microsoft.graph.messageRule","conditions":{"@odata.type":"x"}}`: nil,
		`{"isEnabled":"yes","sequence":1.5}`:                                              {"isEnabled", "sequence"},
		`{"actions":[],"conditions":"all"}`:                                               {"actions.", "conditions."},
		`{"conditions":{"subjectContains":[17]}}`:                                         {"conditions.subjectContains"},
		`{"actions":{"delete":"true","forwardTo":"x@evil.example"}}`:                      {"actions.delete", "actions.forwardTo"},
	} {
		var r MessageRule
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if !slices.Equal(r.Unknown, unknown) {
			t.Errorf("%s: unknown %q, want %q", body, r.Unknown, unknown)
		}
		if !r.IsEnabled {
			t.Errorf("%s: a rule that does not say it is off counts as on", body)
		}
	}
}

// Every documented predicate is read in every form that the documentation gives any of them.
func TestPredicates(t *testing.T) {
	if len(Predicates) != 30 || !slices.IsSorted(Predicates) {
		t.Fatalf("%d predicates", len(Predicates))
	}
	forms := map[string]string{
		`["a","b"]`: "[a b]", `true`: "[true]", `"high"`: "[high]", `[""]`: "[]", `{"maximumSize":9}`: "[maximumSize=9]",
		`[{"emailAddress":{"address":"x@y.example"}},{"emailAddress":{"name":"Only A. Name"}}]`: "[x@y.example Only A. Name]",
	}
	for _, name := range Predicates {
		for form, want := range forms {
			var r MessageRule
			if err := json.Unmarshal([]byte(`{"conditions":{"`+name+`":`+form+`}}`), &r); err != nil {
				t.Fatal(err)
			}
			if len(r.Conditions) != 1 || r.Conditions[0].Name != name || fmt.Sprint(r.Conditions[0].Values) != want || len(r.Unknown) > 0 {
				t.Errorf("%s %s: %+v, unknown %q", name, form, r.Conditions, r.Unknown)
			}
		}
		for _, none := range []string{`null`, `false`, `[]`} {
			var r MessageRule
			if err := json.Unmarshal([]byte(`{"conditions":{"`+name+`":`+none+`}}`), &r); err != nil || len(r.Conditions) != 0 || len(r.Unknown) != 0 {
				t.Errorf("%s %s: %+v, %v", name, none, r, err)
			}
		}
	}
}

func FuzzMessageRule(f *testing.F) {
	f.Add([]byte(aRule))
	f.Add([]byte(`{"conditions":{"withinSizeRange":{"minimumSize":-1}},"actions":{"forwardTo":[null]}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r MessageRule
		if json.Unmarshal(b, &r) != nil {
			return
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Raw) > 0 && !sameJSON(t, out, b) {
			t.Fatalf("%s became %s", b, out)
		}
		for _, p := range append(slices.Clone(r.Conditions), r.Exceptions...) {
			if len(p.Values) == 0 || strings.Contains(p.Name, "@") {
				t.Fatalf("%+v", p)
			}
		}
	})
}
