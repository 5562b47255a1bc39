package collect

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestReadTexts: what is kept as JSON is read as encoding/json reads it, whatever stands in it.
func TestReadTexts(t *testing.T) {
	for _, raw := range []string{`[]`, `["a"]`, `["a","b"]`, `["a", "b"]`, `["a\"","b"]`, `["ü","\u00fc",""]`, `["a",1]`, `["a","b"`, `["a"]]`, `["a""b"]`, `null`, ``, `["]`, `["\",\"b"]`} {
		var got, want []string
		err, wrong := readTexts(raw, &got), json.Unmarshal([]byte(raw), &want)
		if (err == nil) != (wrong == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %q, %v; for encoding/json %q, %v", raw, got, err, want, wrong)
		}
	}
	for _, raw := range []string{`{}`, `{"a":"b"}`, `{"a":"b","c":"d"}`, `{"a":"b", "c":"d"}`, `{"a":"\"","c":"d"}`, `{"a":"b","a":"d"}`, `{"a":"b":"c"}`, `{"a":1}`, `{"a"}`, `{"":""}`, `{"}`, `null`, ``, `{"a":"b"}}`} {
		got, want := map[string]string{}, map[string]string{}
		err, wrong := readNames(raw, got), json.Unmarshal([]byte(raw), &want)
		if want == nil {
			want = map[string]string{}
		}
		if (err == nil) != (wrong == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %q, %v; for encoding/json %q, %v", raw, got, err, want, wrong)
		}
	}
}
