package audit

import (
	"encoding/json"
	"strconv"
	"strings"
)

// object is a record's members by canonical name, whatever the export called them.
type object map[string]any

// Canonical is a member's name in lower case without what exports add to it: blanks and underscores, Log Analytics' zone
// ("TimeGenerated [UTC]") and type suffixes ("Operation_s", "DeviceDetail_dynamic"), quotes.
func Canonical(name string) string {
	name = strings.Trim(name, " \t\"'\ufeff")
	if i := strings.IndexByte(name, '['); i > 0 {
		name = name[:i]
	}
	name = strings.TrimRight(name, " _")
	for _, suffix := range []string{"_dynamic", "_string", "_s", "_d", "_b", "_g", "_t"} {
		if bare, ok := strings.CutSuffix(name, suffix); ok && bare != "" {
			name = bare
			break
		}
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c == '_' || c == ' ' || 'A' <= c && c <= 'Z' || c >= 0x80 {
			return lowered(name)
		}
	}
	return name
}

func lowered(name string) string {
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '_' || c == ' ':
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// members makes an object of a decoded JSON object. Where two names fall together, the one with a value
// wins, and of two such the one without an underscore.
func members(m map[string]any) object {
	o := make(object, len(m))
	for name, v := range m {
		key := Canonical(name)
		if old, ok := o[key]; ok && !empty(old) && (empty(v) || strings.Contains(name, "_")) {
			continue
		}
		o[key] = v
	}
	return o
}

func empty(v any) bool { return v == nil || v == "" }

// columns makes an object of a row.
func columns(names, cells []string) object {
	o := make(object, len(names))
	for i, name := range names {
		if cells[i] == "" {
			continue
		}
		if _, ok := o[name]; !ok {
			o[name] = cells[i]
		}
	}
	return o
}

// text is the first of the members that has a value, as text.
func (o object) text(names ...string) string {
	for _, n := range names {
		if s := textOf(o[n]); s != "" {
			return s
		}
	}
	return ""
}

func textOf(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case json.Number:
		return x.String()
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return ""
}

// value is a member decoded: where it is JSON in a text, as tables have it, that is read.
func (o object) value(names ...string) any {
	for _, n := range names {
		if v := decoded(o[n]); !empty(v) {
			return v
		}
	}
	return nil
}

func decoded(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	t := strings.TrimSpace(s)
	if len(t) < 2 || t[0] != '{' && t[0] != '[' {
		return v
	}
	var out any
	if json.Unmarshal([]byte(t), &out) != nil {
		return v
	}
	return out
}

// object is a member that is itself an object; empty where it is none.
func (o object) object(names ...string) object {
	if m, ok := o.value(names...).(map[string]any); ok {
		return members(m)
	}
	return object{}
}

// list is a member that is a list.
func (o object) list(names ...string) []any {
	l, _ := o.value(names...).([]any)
	return l
}

// texts are the texts in a member that is a list of them, or one text.
func (o object) texts(names ...string) []any {
	var out []any
	for _, e := range o.list(names...) {
		if s := textOf(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// pairs are a member's {Name, Value} as a map, in the forms in which exports give them: a list of objects, the list as a
// text, or PowerShell's "@{Name=…; Value=…}".
func pairs(v any, into map[string]string) map[string]string {
	list, _ := decoded(v).([]any)
	for _, e := range list {
		name, value := "", ""
		switch x := e.(type) {
		case map[string]any:
			m := members(x)
			name, value = m.text("name", "key"), valueText(m["value"])
		case string:
			name, value = shellPair(x)
		}
		if name == "" {
			continue
		}
		if into == nil {
			into = make(map[string]string, len(list))
		}
		if _, ok := into[name]; !ok {
			into[name] = value
		}
	}
	return into
}

// valueText is a value as text; what is no text, as its JSON.
func valueText(v any) string {
	if s := textOf(v); s != "" || v == nil || v == "" {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// shellPair reads "@{Value=Bind; Name=MailAccessType}", as PowerShell writes an object into a table's cell.
func shellPair(s string) (name, value string) {
	s, ok := strings.CutPrefix(s, "@{")
	if !ok {
		return "", ""
	}
	for _, part := range strings.Split(strings.TrimSuffix(s, "}"), ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(k) {
		case "name", "key":
			name = v
		case "value":
			value = v
		}
	}
	return name, value
}

// changes are a member's changed properties: name → old, new. A list of bare names tells that they changed, not how.
func changes(v any, into map[string][2]string) map[string][2]string {
	list, _ := decoded(v).([]any)
	for _, e := range list {
		x, ok := e.(map[string]any)
		if !ok {
			continue
		}
		m := members(x)
		name := m.text("name", "displayname")
		if name == "" {
			continue
		}
		if into == nil {
			into = make(map[string][2]string, len(list))
		}
		if _, ok := into[name]; !ok {
			into[name] = [2]string{valueText(m["oldvalue"]), valueText(m["newvalue"])}
		}
	}
	return into
}
