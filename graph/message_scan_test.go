package graph

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const aMessage = `{"@odata.etag":"W/\"CQ\"","id":"AAMk=","changeKey":"CQ","conversationId":"AAQk","internetMessageId":"<a@b.example>","parentFolderId":"AQMk","subject":"x",
	"from":{"emailAddress":{"name":"Amy \u00e9","address":"amy@b.example"}},"sender":null,"toRecipients":[{"emailAddress":{"name":"Ben","address":"ben@b.example"}},{"emailAddress":{"address":"c@b.example"}}],"ccRecipients":[],"bccRecipients":null,
	"hasAttachments":false,"importance":"normal","isRead":true,"isDraft":false,"flag":{"flagStatus":"flagged"},"categories":["Red category"],
	"createdDateTime":"2026-03-20T11:00:00Z","lastModifiedDateTime":"2026-03-20T11:00:00.123Z","receivedDateTime":null,"sentDateTime":"x",
	"singleValueExtendedProperties":[{"id":"Integer 0x1081","value":"102"}]}`

// plainMessage is read by encoding/json alone.
type plainMessage Message

func plainly(raw []byte) (*Message, error) {
	var m plainMessage
	err := json.Unmarshal(raw, &m)
	return (*Message)(&m), err
}

// FuzzMessage holds the reading of messages to encoding/json's, but for names that differ by case and members that come twice.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(aMessage))
	f.Add([]byte(`null`))
	f.Add([]byte(` {"from":{"emailAddress":null},"isRead":"True","flag":null,"toRecipients":[null,{}],"categories":null,"id":7}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !exact(raw) {
			return
		}
		var got Message
		err := json.Unmarshal(raw, &got)
		want, wrong := plainly(raw)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("%s: %v, encoding/json says %v", raw, err, wrong)
		}
		if err == nil && !reflect.DeepEqual(&got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", raw, got, want)
		}
	})
}

// exact says whether every name that encoding/json would take for a field's is the field's, and comes once.
func exact(raw []byte) bool {
	var names []string
	for name, v := range objectMembers(raw) {
		names = append(names, name)
		if len(v) > 0 && v[0] == '{' && !exact(v) {
			return false
		}
		for e := range arrayElements(v) {
			if !exact(e) {
				return false
			}
		}
	}
	known := map[string]bool{}
	for _, t := range []reflect.Type{reflect.TypeFor[Message](), reflect.TypeFor[Recipient](), reflect.TypeFor[EmailAddress](), reflect.TypeFor[MessageFlag](), reflect.TypeFor[Extended]()} {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			known[name] = true
		}
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			return false
		}
		seen[name] = true
		for k := range known {
			if k != name && strings.EqualFold(k, name) {
				return false
			}
		}
	}
	return true
}

func BenchmarkMessage(b *testing.B) {
	raw := []byte(aMessage)
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plainly(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m Message
			if err := json.Unmarshal(raw, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
