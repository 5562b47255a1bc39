package graph

import (
	"encoding/json"
	"reflect"
	"testing"
)

// rebuild reads JSON with our walkers as far as they go.
func rebuild(raw json.RawMessage) any {
	switch raw[0] {
	case '{':
		m := map[string]any{}
		for k, v := range objectMembers(raw) {
			m[k] = rebuild(v)
		}
		return m
	case '[':
		l := []any{}
		for v := range arrayElements(raw) {
			l = append(l, rebuild(v))
		}
		return l
	}
	if s, ok := asString(raw); ok {
		return s
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		panic("not a value: " + string(raw))
	}
	return v
}

// FuzzScan holds the walkers to encoding/json on all that is valid, and to not panicking on the rest.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		aRule, ` { "a" : [ 1 , -2.5e3, null , true ] , "b\"\\" : { } , "c":"\\\\" , "d":"\ud83d\ude00\u0000" } `, `[]`, `{}`, `[[[{"a":[]}]]]`, `"x`, `{"a"`, `{"a":`, `[1,`, `{"a":1,}`, "{\"\xff\":\"\xfe\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			for _, v := range objectMembers(b) {
				_, _ = asStrings(v)
			}
			for v := range arrayElements(b) {
				_, _ = recipients(v)
			}
			var r MessageRule
			_ = r.UnmarshalJSON(b)
			return
		}
		var want any
		if json.Unmarshal(b, &want) != nil {
			return // too deep, or a number too large
		}
		if got := rebuild(json.RawMessage(b)[space(b, 0):]); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\ngot  %#v\nwant %#v", b, got, want)
		}
	})
}
