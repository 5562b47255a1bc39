package collect

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"tocsin.dev"
	"tocsin.dev/graph"
)

func TestMailRule(t *testing.T) {
	var r graph.MessageRule
	if err := json.Unmarshal([]byte(`{"id":"AQ==","displayName":".","sequence":2,"isEnabled":true,"isReadOnly":false,
		"conditions":{"subjectContains":["invoice","payment"],"fromAddresses":[{"emailAddress":{"name":"Bob","address":"bob@x.example"}}],"sentToMe":true},
		"actions":{"forwardTo":[{"emailAddress":{"name":"Eve","address":"eve@evil.example"}}],"moveToFolder":"F1","markAsRead":true,"newAction":1,"stopProcessingRules":true}}`), &r); err != nil {
		t.Fatal(err)
	}
	got := mailRule(&r, func(id string) *tocsin.Folder {
		if id == "" {
			return nil
		}
		return &tocsin.Folder{ID: id, WellKnown: "junkemail"}
	})
	want := tocsin.MailRule{ID: "AQ==", Name: ".", Sequence: 2, Enabled: true,
		Conditions: []tocsin.Term{{Name: "from_addresses", Values: []string{"bob@x.example"}}, {Name: "sent_to_me", Values: []string{"true"}}, {Name: "subject_contains", Values: []string{"invoice", "payment"}}},
		Forward:    []tocsin.Address{{Name: "Eve", Address: "eve@evil.example"}}, MoveTo: &tocsin.Folder{ID: "F1", WellKnown: "junkemail"},
		MarkRead: true, Stop: true, Unknown: []string{"actions.newAction"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestLinks: of an automatic reply only the addresses and links are kept.
func TestLinks(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`<p>I am away. Call Bob.</p>`, nil},
		{`<p>Write to <a href="mailto:new@evil.example">Accounts</a>, or see www.evil.example/pay.</p>`, []string{"new@evil.example", "www.evil.example/pay"}},
		{`Pay at https://evil.example/x?y=1&amp;z=2, not here; ask a.b@c.example.`, []string{"a.b@c.example", "https://evil.example/x?y=1&z=2"}},
		{`bank&#64;evil.example`, []string{"bank@evil.example"}},
	} {
		if got := links(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`<a href="mailto:x@y.example">z</a>`)
	f.Add("www.\xff.example a@b.c")
	f.Fuzz(func(t *testing.T, text string) {
		got := links(text)
		if len(got) > 50 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%q", got)
		}
	})
}

func TestCanonical(t *testing.T) {
	got := canonical([]string{"amy@x.example", "SMTP:Amy@X.example", "smtp:a@x.example", "X500:/o=x", "sip:amy@x.example", ""})
	if want := []string{"amy@x.example", "a@x.example"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBatchesKeepOrder(t *testing.T) {
	var all []pending[int]
	for i, p := range []tocsin.PersonID{"a", "b", "a", "a", "c"} {
		all = append(all, pending[int]{person: p, body: i})
	}
	var got [][]int
	if err := batches(t.Context(), all, func(_ context.Context, b []pending[int]) error {
		var run []int
		for _, p := range b {
			run = append(run, p.body)
		}
		got = append(got, run)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := [][]int{{0, 1}, {2}, {3, 4}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v: nobody may be twice in a batch", got, want)
	}
}
