package graph

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const plainPost = `{"value": [{"id":"x","subscriptionId":"7f105c7d-2dc5-4530-97cd-4e7ae6534c07","subscriptionExpirationDateTime":"2027-03-20T11:00:00-08:00","changeType":"created",
	"tenantId":"AC-1","clientState":"s","resource":"Users/x/Messages/y","organizationId":null,"resourceData":{"@odata.type":"#Microsoft.Graph.Message","@odata.id":"Users/x/Messages/y","id":"AAMk=","@odata.etag":"W/\"CQ\\\/AA\""}},
	{"lifecycleEvent":"missed","clientState":null,"resourceData":{"id":"b"},"clientState":"t"}]} `

// TestNotificationsAreScanned: the form that nearly all have is read without encoding/json, and says the same.
func TestNotificationsAreScanned(t *testing.T) {
	got, ok := scanNotifications([]byte(plainPost))
	if !ok || len(got.Value) != 2 || got.Value[0].ResourceData.ID != "AAMk=" || got.Value[0].ResourceData.Etag != `W/"CQ\/AA"` || got.Value[1].ClientState != "t" {
		t.Errorf("%v, %+v", ok, got)
	}
	for _, other := range []string{`{}`, `{"value":[]}`, strings.Replace(plainPost, "tenantId", "TenantId", 1), strings.Replace(plainPost, "AC-1", `A\u0043-1`, 1), plainPost + "x", plainPost[:len(plainPost)-2]} {
		if _, ok := scanNotifications([]byte(other)); ok {
			t.Errorf("%s is read", other)
		}
	}
}

// FuzzNotifications: whatever is scanned is what encoding/json reads.
func FuzzNotifications(f *testing.F) {
	f.Add([]byte(plainPost))
	f.Add([]byte(`{"value":[{"resourceData":null},{"resourceData":{"id":null}},{"subscriptionExpirationDateTime":"x","id":"1","id":"2"}]}`))
	f.Add([]byte(`{"value":[{}],"value":[{"a":1}]}` + "\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := scanNotifications(body)
		if !ok {
			return
		}
		var want Notifications
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q is no JSON and was read: %v", body, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\ngot  %+v\nwant %+v", body, got, want)
		}
	})
}

func BenchmarkParseNotifications(b *testing.B) {
	body := []byte(plainPost)
	for b.Loop() {
		if _, err := ParseNotifications(body); err != nil {
			b.Fatal(err)
		}
	}
}
