package export

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// schema is what OCSF publishes, as far as we send it.
type schema struct {
	Version string
	Classes map[string]*shape
	Objects map[string]*shape
}

type shape struct {
	Caption    string
	Category   int
	AtLeastOne []string `json:"at_least_one"`
	JustOne    []string `json:"just_one"`
	Attributes map[string]struct {
		Required, Array bool
		Enum            []string
		Type, Object    string
	}
}

func published(tb testing.TB) *schema {
	tb.Helper()
	text, err := os.ReadFile("testdata/ocsf-" + ocsfVersion + ".json")
	if err != nil {
		tb.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil || s.Version != ocsfVersion || len(s.Classes) < 6 {
		tb.Fatalf("the schema: %v, version %s", err, s.Version)
	}
	return &s
}

// wrong is what of an event is not as OCSF has it.
func (s *schema) wrong(text []byte) (out []string) {
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		return []string{err.Error()}
	}
	class := s.Classes[fmt.Sprint(e["class_uid"])]
	if class == nil {
		return []string{fmt.Sprintf("there is no class %v", e["class_uid"])}
	}
	uid, activity := e["class_uid"].(float64), e["activity_id"].(float64)
	if e["type_uid"] != uid*100+activity || e["class_name"] != class.Caption || e["category_uid"] != float64(class.Category) || e["metadata"].(map[string]any)["version"] != s.Version {
		out = append(out, fmt.Sprintf("type %v, class %v, category %v, metadata %v", e["type_uid"], e["class_name"], e["category_uid"], e["metadata"]))
	}
	return append(out, s.check("", class, e)...)
}

func (s *schema) check(path string, is *shape, e map[string]any) (out []string) {
	say := func(format string, args ...any) { out = append(out, path+fmt.Sprintf(format, args...)) }
	for name, a := range is.Attributes {
		if v, there := e[name]; a.Required && (!there || v == nil || v == "") {
			say("%s is required", name)
		}
	}
	count := func(names []string) (n int) {
		for _, name := range names {
			if _, there := e[name]; there {
				n++
			}
		}
		return n
	}
	if len(is.AtLeastOne) > 0 && count(is.AtLeastOne) == 0 {
		say("at least one of %v is required", is.AtLeastOne)
	}
	if len(is.JustOne) > 0 && count(is.JustOne) != 1 {
		say("just one of %v is required", is.JustOne)
	}
	for name, v := range e {
		a, known := is.Attributes[name]
		if !known {
			say("%s is unknown", name)
			continue
		}
		list := []any{v}
		if a.Array {
			var ok bool
			if list, ok = v.([]any); !ok {
				say("%s is no list", name)
				continue
			}
		}
		for _, v := range list {
			switch {
			case name == "unmapped" || a.Type == "json_t":
			case a.Object != "":
				o, ok := v.(map[string]any)
				if !ok || s.Objects[a.Object] == nil {
					say("%s is no %s", name, a.Object)
					continue
				}
				out = append(out, s.check(path+name+".", s.Objects[a.Object], o)...)
			case a.Type == "string_t":
				if _, ok := v.(string); !ok {
					say("%s is no text", name)
				}
			case a.Type == "boolean_t":
				if _, ok := v.(bool); !ok {
					say("%s is not true or false", name)
				}
			case a.Type == "integer_t" || a.Type == "long_t":
				n, ok := v.(float64)
				if !ok || n != float64(int64(n)) || len(a.Enum) > 0 && !slices.Contains(a.Enum, strconv.Itoa(int(n))) {
					say("%s is %v", name, v)
				}
			default:
				say("%s is of the type %s, which the test does not know", name, a.Type)
			}
		}
	}
	return out
}

// event is a native event of a type, with this payload and raw metadata.
func event(kind, payload, raw string) string {
	return fmt.Sprintf(`{"event_id":"11111111-1111-5111-8111-111111111111","event_type":%q,"source":"OUTLOOK","signal_type":"COMMUNICATIONS","domain_id":"22222222-2222-4222-8222-222222222222","tuid":"33333333-3333-5333-8333-333333333333","timestamp":"2026-03-15T09:15:02.000Z","payload":%s,"raw_metadata":%s,"platform_event_id":"AAMk","platform_event_source":"MICROSOFT_GRAPH_OUTLOOK_API"}`, kind, payload, raw)
}

// TestOCSF holds events of every type, whole and with what may be missing, against the schema that OCSF publishes.
func TestOCSF(t *testing.T) {
	s := published(t)
	mail := `{"event_id":"n","user":"jane@acme.com","action":%q,"from_domain":"external.com","is_external_sender":%s,"recipient_count":2,"to_domains":%s,"cc_domains":[],"has_attachments":true,"importance":"high","is_read":false,"conversation_id":"c"}`
	raw := `{"platform_event_id":"n","change_type":"created","from_address":%s,"from_name":"P","internet_message_id":"<a@external.com>","is_draft":%s}`
	for _, c := range []struct {
		name, event string
		want        string // class, activity, direction or status
	}{
		{"received", event("EMAIL", fmt.Sprintf(mail, "email_received", "true", `["acme.com"]`), fmt.Sprintf(raw, `"partner@external.com"`, "false")), "4009 Receive Inbound"},
		{"received inside", event("EMAIL", fmt.Sprintf(mail, "email_received", "false", `["acme.com"]`), fmt.Sprintf(raw, `"bob@acme.com"`, "false")), "4009 Receive Internal"},
		{"sent inside", event("EMAIL", fmt.Sprintf(mail, "email_sent", "false", `["acme.com"]`), fmt.Sprintf(raw, `"jane@acme.com"`, "false")), "4009 Send Internal"},
		{"sent", event("EMAIL", fmt.Sprintf(mail, "email_sent", "false", `["elsewhere.com"]`), fmt.Sprintf(raw, `"jane@acme.com"`, "false")), "4009 Send Unknown"},
		{"hashed", event("EMAIL", fmt.Sprintf(mail, "email_received", "null", `[]`), fmt.Sprintf(raw, `null`, "null")), "4009 Receive Unknown"},
		{"a draft of nobody", event("EMAIL", fmt.Sprintf(mail, "email_drafted", "null", `[]`), fmt.Sprintf(raw, `null`, "true")), "4009 Email Drafted Unknown"},
		{"read", event("EMAIL", fmt.Sprintf(mail, "email_read", "true", `[]`), fmt.Sprintf(raw, `"partner@external.com"`, "false")), "4009 Email Read Inbound"},
		{"replied", event("EMAIL", fmt.Sprintf(mail, "email_replied", "false", `[]`), `{}`), "4009 Send Unknown"},
		{"deleted, nothing known", event("EMAIL", `{"action":"email_deleted"}`, `{}`), "4009 Email Deleted Unknown"},
		{"a rule", event("RULE", `{"action":"rule_created","user":"jane@acme.com","rule_name":".."}`, `{"change_type":"created"}`), "3004 Create"},
		{"a rule, changed", event("RULE", `{"action":"rule_updated"}`, `{}`), "3004 Update"},
		{"a rule as an object", event("RULE", `{"action":"rule_deleted","rule":{"id":"x"},"folder":{"id":"y"}}`, `{}`), "3004 Delete"},
		{"a folder", event("FOLDER", `{"action":"folder_moved","name":"Invoices"}`, `{}`), "3004 Move"},
		{"a folder, renamed", event("FOLDER", `{"action":"folder_renamed"}`, `{}`), "3004 Update"},
		{"audit", event("AUDIT", `{"action":"permission_granted","permission":"Mail.Read"}`, `{}`), "3004 Create"},
		{"a device", event("DEVICE", `{"action":"device_noncompliant"}`, `{}`), "3004 Device Noncompliant"},
		{"a sign-in", event("SIGN_IN", `{"action":"sign_in","user":"jane@acme.com"}`, `{}`), "3002 Logon"},
		{"a finding", event("FINDING", `{"action":"finding_raised","rule":"forward-outside","title":"T","why":"W","severity":"high","risk":72,"status":"open","attack":["T1114.003","T1564"],"first_seen":"2026-03-15T09:15:02Z","last_seen":"2026-03-15T09:15:02Z","user":"jane@acme.com"}`, `{}`), "2004 Create New"},
		{"a finding, false alarm", event("FINDING", `{"action":"finding_decided","status":"false_alarm","severity":"critical"}`, `{}`), "2004 Close Suppressed"},
		{"a finding, fixed", event("FINDING", `{"action":"finding_fixed","status":"fixed","severity":"info"}`, `{}`), "2004 Close Resolved"},
		{"an act", event("ACTION", `{"action":"revoke_sessions","state":"done","why":"W","user":"jane@acme.com"}`, `{}`), "7001 Evict Success"},
		{"an act that waits", event("ACTION", `{"action":"disable_rule","state":"waiting"}`, `{}`), "7001 Evict Waiting"},
		{"an act that failed", event("ACTION", `{"action":"restore_rule","state":"failed","because":"B"}`, `{}`), "7001 Restore Failure"},
		{"a type of tomorrow", event("CHAT", `{"action":"chat_sent"}`, `{}`), "0 chat_sent"},
		{"other shapes", event("EMAIL", `{"action":7}`, `[]`), "0"},
		{"nothing", `{}`, "0 Other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, severity, err := toOCSF([]byte(c.event))
			if err != nil || severity < 1 || severity > 5 {
				t.Fatal(severity, err)
			}
			for _, w := range s.wrong(out) {
				t.Error(w)
			}
			var e struct {
				Class     int    `json:"class_uid"`
				Activity  string `json:"activity_name"`
				Direction string
				Status    string
				Unmapped  json.RawMessage
				Metadata  struct{ UID string }
			}
			if err := json.Unmarshal(out, &e); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(strings.Fields(fmt.Sprint(e.Class, " ", e.Activity, " ", e.Direction, " ", e.Status)), " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if string(e.Unmapped) != c.event {
				t.Errorf("the native event is lost: %s", e.Unmapped)
			}
		})
	}
	// The test would see what is wrong.
	for _, bad := range []string{`"direction_id":1`, `"email":{`, `"severity_id":1`} {
		out, _, _ := toOCSF([]byte(event("EMAIL", fmt.Sprintf(mail, "email_received", "true", `[]`), fmt.Sprintf(raw, `"a@b.c"`, "false"))))
		broken := strings.Replace(string(out), bad, strings.Replace(strings.Replace(bad, ":1", ":17", 1), `"email"`, `"e_mail"`, 1), 1)
		if broken == string(out) || len(s.wrong([]byte(broken))) == 0 {
			t.Errorf("an event with another %s passes", bad)
		}
	}
}

// FuzzOCSF: whatever an event holds, what goes out is an event of OCSF on one line.
func FuzzOCSF(f *testing.F) {
	f.Add(event("EMAIL", `{"action":"email_received"}`, `{}`))
	f.Add(event("ACTION", `{"action":"_","state":" "}`, `{}`))
	f.Add(event("FINDING", `{"severity":"x","status":"y","attack":["."]}`, `{}`))
	f.Add(event("RULE", `{}`, `null`))
	s := published(f)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return // the table holds JSON
		}
		one, err := oneLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := toOCSF(one)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := s.wrong(out); len(wrong) > 0 || strings.Contains(string(out), "\n") {
			t.Errorf("%v in %s", wrong, out)
		}
	})
}

// FuzzElastic: no answer makes more of events than there are.
func FuzzElastic(f *testing.F) {
	f.Add([]byte(`{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"t","reason":"r"}}},{"create":{"status":409}}]}`))
	f.Add([]byte(`{"items":[{},{},{"create":{"status":429}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o := elastic(text, 3)
		if o.ok && (len(o.refused) >= 3 || o.because != "") || !o.ok && o.because == "" {
			t.Errorf("%+v of %s", o, text)
		}
	})
}
