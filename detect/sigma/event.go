package sigma

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
)

// Event is a record as rules read it. It is for one reader at a time.
type Event struct {
	Shape  audit.Shape
	Record *detect.Record

	members map[string]any     // by canonical name
	known   map[string][]value // of fields that were asked for
	text    string             // all of it, when it was asked for
}

// value is one value of a field.
type value struct{ text, low string }

// NewEvent is the event of a record that was read whole ([audit.Whole]).
func NewEvent(e *audit.Entry) *Event {
	return &Event{Shape: e.Shape, Record: &e.Record, members: e.Members(), known: map[string][]value{}}
}

// values are what a field has: none where there is no such field, or it is null.
func (e *Event) values(f *field) []value {
	if v, ok := e.known[f.key]; ok {
		return v
	}
	var out []value
	add := func(s string) {
		for i := range out {
			if out[i].text == s {
				return
			}
		}
		out = append(out, value{s, strings.ToLower(s)})
	}
	if len(f.path) == 0 {
		e.leaves(e.members, add)
	} else {
		e.look(f, add)
	}
	e.known[f.key] = out
	return out
}

func (e *Event) look(f *field, add func(string)) {
	if get := f.src.special[strings.Join(f.path, ".")]; get != nil {
		get(e, func(s string) {
			if s != "" {
				add(s)
			}
		})
	}
	found := false
	e.walk(e.members, f.path, func(v any) {
		found = true
		each(v, add)
	})
	if found {
		return
	}
	if renamed, ok := synonyms[f.path[0]]; ok {
		e.walk(e.members, append([]string{renamed}, f.path[1:]...), func(v any) {
			found = true
			each(v, add)
		})
	}
	if found {
		return
	}
	// A property that was changed, or a parameter of a cmdlet, by its own name.
	name := strings.Join(f.path, ".")
	for have, v := range e.Record.Modified {
		if fold(have) == name {
			each(v[1], add)
			return
		}
	}
	for have, v := range e.Record.Params {
		if fold(have) == name {
			add(v)
			return
		}
	}
	for _, list := range []string{"extendedproperties", "deviceproperties", "additionaldetails"} {
		e.walk(e.members, []string{list, name}, func(v any) { each(v, add) })
	}
}

// synonyms are first members that Log Analytics and Graph call differently.
var synonyms = map[string]string{
	"locationdetails": "location", "location": "locationdetails", "operationname": "activitydisplayname", "activitydisplayname": "operationname",
	"appdisplayname": "applicationdisplayname", "timegenerated": "createddatetime", "createddatetime": "timegenerated", "identity": "userdisplayname",
	"resultreason": "resultdescription", "activitydatetime": "timegenerated", "creationtime": "timegenerated",
}

func fold(s string) string {
	parts := strings.Split(s, ".")
	for i := range parts {
		parts[i] = audit.Canonical(parts[i])
	}
	return strings.Join(parts, ".")
}

// has says whether the record has a field at all.
func (e *Event) has(f *field) bool {
	if len(e.values(f)) > 0 {
		return true
	}
	there := false
	e.walk(e.members, f.path, func(any) { there = true })
	return there
}

// walk gives what stands at a path: through lists, by the names of {name, value} pairs, and into JSON that is kept as text.
func (e *Event) walk(at any, path []string, give func(any)) {
	if len(path) == 0 {
		if at != nil {
			give(at)
		}
		return
	}
	switch x := at.(type) {
	case map[string]any:
		if v, ok := x[path[0]]; ok {
			e.walk(v, path[1:], give)
			return
		}
		for name, v := range x {
			if len(name) >= len(path[0]) && audit.Canonical(name) == path[0] {
				e.walk(v, path[1:], give)
				return
			}
		}
		if v, ok := paired(x, path[0]); ok {
			e.walk(v, path[1:], give)
		}
	case []any:
		for _, one := range x {
			e.walk(one, path, give)
		}
	case string:
		if t := strings.TrimSpace(x); len(t) > 1 && (t[0] == '{' || t[0] == '[') {
			var inner any
			if json.Unmarshal([]byte(t), &inner) == nil {
				e.walk(inner, path, give)
			}
		}
	}
}

// paired is the value of a pair {Name: …, Value: …} of this name.
func paired(m map[string]any, name string) (any, bool) {
	if len(m) > 6 {
		return nil, false
	}
	var v any
	is, has := false, false
	for k, x := range m {
		switch audit.Canonical(k) {
		case "name", "key", "displayname":
			s, _ := x.(string)
			is = is || audit.Canonical(s) == name
		case "value", "newvalue":
			v, has = x, true
		}
	}
	return v, is && has
}

// each gives a value's texts: of a list each, and the whole; a text that is a quoted text (as the directory writes changed
// values) also without its quotes.
func each(v any, add func(string)) {
	switch x := v.(type) {
	case nil:
	case string:
		add(x)
		if len(x) > 1 && (x[0] == '"' || x[0] == '[') {
			var inner any
			if json.Unmarshal([]byte(x), &inner) == nil {
				each(inner, add)
			}
		}
	case bool, float64, json.Number:
		add(scalar(x))
	case []any:
		for _, one := range x {
			switch one.(type) {
			case map[string]any, []any:
			default:
				each(one, add)
			}
		}
		add(encode(x))
	default:
		add(encode(x))
	}
}

func scalar(v any) string {
	switch x := v.(type) {
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case json.Number:
		return x.String()
	}
	return ""
}

func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func quoted(s string) string {
	if len(s) > 1 && s[0] == '"' { // it is quoted already, as the directory has it
		return s
	}
	return encode(s)
}

// leaves gives every text of the record.
func (e *Event) leaves(v any, add func(string)) {
	switch x := v.(type) {
	case map[string]any:
		for _, one := range x {
			e.leaves(one, add)
		}
	case []any:
		for _, one := range x {
			e.leaves(one, add)
		}
	case string:
		add(x)
	default:
		if s := scalar(x); s != "" {
			add(s)
		}
	}
}

// whole is the record as one text.
func (e *Event) whole() string {
	if e.text == "" {
		var all []string
		e.leaves(e.members, func(s string) { all = append(all, s) })
		slices.Sort(all)
		e.text = strings.Join(all, "\n")
	}
	return e.text
}

// shorten is a value for a sentence.
func shorten(s string) string {
	if at := strings.IndexAny(s, "\r\n"); at >= 0 {
		s = s[:at] + "…"
	}
	return detect.Quote(s)
}
