package graph

import (
	"encoding/json"
	"errors"
	"fmt"
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

// TestNotificationsTenant: whichever of the two names of the tenant is there; two that differ are none.
func TestNotificationsTenant(t *testing.T) {
	for body, want := range map[string]string{
		`{"value":[{"tenantId":"a"}]}`:                                               "a",
		`{"value":[{"organizationId":"a"}]}`:                                         "a",
		`{"value":[{"organizationId":"a","sequence":null}]}`:                         "a", // not scanned
		`{"value":[{"organizationId":"a","tenantId":"A"}]}`:                          "A",
		`{"value":[{"organizationId":"a","tenantId":"b"}]}`:                          "",
		`{"value":[{"organizationId":"a","tenantId":"b","sequence":null}]}`:          "",
		`{"value":[{"organizationId":null,"tenantId":"b","encryptedContent":null}]}`: "b",
		`{"value":[{}]}`: "",
	} {
		got, err := ParseNotifications([]byte(body))
		if err != nil || len(got.Value) != 1 || got.Value[0].Tenant() != want {
			t.Errorf("%s: %+v, %v; want the tenant %q", body, got, err, want)
		}
	}
}

// TestNotificationsOneByOne: what is of another type than Graph's costs nothing beside it.
func TestNotificationsOneByOne(t *testing.T) {
	const body = `{"value":[{"subscriptionId":"a"},7,null,{"subscriptionId":"b","changeType":{"x":[1]},"resourceData":"?","encryptedContent":"?","resource":"Users('x')/messages('y')"},{"tenantId":3,"subscriptionId":"c"}],"validationTokens":[3]}`
	got, err := ParseNotifications([]byte(body))
	if err != nil || len(got.Value) != 5 || got.ValidationTokens != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if v := got.Value; v[0].SubscriptionID != "a" || v[3].SubscriptionID != "b" || v[3].Message() != "y" || v[3].Encrypted != nil || v[4].SubscriptionID != "c" {
		t.Errorf("%+v", v)
	}
	for resource, want := range map[string]string{"Users/x/Messages/y=": "y=", "users/x@t/messages/y": "y", "Users('x')/mailFolders('z')/messages('y')": "y", "Users/x/Messages": "",
		"Users/x/Messages/": "", "Users/x/Messages/y/attachments/z": "", "Users/x/Messagesy": "", "users('x')/messages('y": "", "": "", "K/messages/y": "y"} {
		if n := (&Notification{Resource: resource}); n.Message() != want {
			t.Errorf("%q names %q, want %q", resource, n.Message(), want)
		}
	}
}

// TestNotificationsAreBounded: a list without end is given up before it is held.
func TestNotificationsAreBounded(t *testing.T) {
	for _, one := range []string{`{}`, `{"subscriptionId":"x"}`} {
		for n, want := range map[int]error{mostNotifications: nil, mostNotifications + 1: ErrMany, 1 << 20: ErrMany} {
			body := []byte(`{"value":[` + strings.Repeat(one+",", n-1) + one + `]}`)
			got, err := ParseNotifications(body)
			if !errors.Is(err, want) || want == nil && len(got.Value) != n {
				t.Errorf("%d of %s: %d, %v", n, one, len(got.Value), err)
			}
		}
	}
	tokens := []byte(`{"value":[{}],"validationTokens":[""` + strings.Repeat(`,""`, 1<<20) + `]}`)
	if _, err := ParseNotifications(tokens); !errors.Is(err, ErrMany) {
		t.Errorf("a million tokens: %v", err)
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

// BenchmarkParseNotifications reads one notification with ids as long as Graph's.
func BenchmarkParseNotifications(b *testing.B) {
	const of = `{"value":[{"subscriptionId":"7f105c7d-2dc5-4530-97cd-4e7ae6534c07","subscriptionExpirationDateTime":"2027-03-20T11:00:00-08:00","changeType":"created","tenantId":"84bd8158-6d4d-4958-8b9f-9d6445542f95",
	"clientState":"%[1]s","resource":"Users/84bd8158-6d4d-4958-8b9f-9d6445542f95/Messages/%[2]s","resourceData":{"@odata.type":"#Microsoft.Graph.Message","@odata.id":"Users/84bd8158-6d4d-4958-8b9f-9d6445542f95/Messages/%[2]s","id":"%[2]s","@odata.etag":"W/\"CQAAABYAAADkrWGo7bouTKlsgTZMr9KwAAAUWRHf\""}}]}`
	body := fmt.Appendf(nil, of, strings.Repeat("c", 64), strings.Repeat("AAMk", 38))
	for b.Loop() {
		if _, err := ParseNotifications(body); err != nil {
			b.Fatal(err)
		}
	}
}
