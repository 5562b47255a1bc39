package graph

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// fields reads a rule's members one by one, and notes the names of those that have another form than documented.
// null is no value, and never noted.
type fields struct {
	notes *[]string
	under string
}

func (f fields) unknown(name string) {
	if !strings.Contains(name, "@") { // an annotation of OData's
		*f.notes = append(*f.notes, f.under+name)
	}
}

// take keeps a value that was read, and notes one that was not.
func take[T any](f fields, name string, raw json.RawMessage, into *T, v T, ok bool) {
	switch {
	case ok:
		*into = v
	case !isNull(raw):
		f.unknown(name)
	}
}

func (f fields) text(name string, raw json.RawMessage, into *string) {
	v, ok := asString(raw)
	take(f, name, raw, into, v, ok)
}

func (f fields) texts(name string, raw json.RawMessage, into *[]string) {
	v, ok := asStrings(raw)
	take(f, name, raw, into, v, ok)
}

func (f fields) yes(name string, raw json.RawMessage, into *bool) {
	take(f, name, raw, into, string(raw) == "true", string(raw) == "true" || string(raw) == "false")
}

func (f fields) number(name string, raw json.RawMessage, into *int) {
	v, err := strconv.Atoi(string(raw))
	take(f, name, raw, into, v, err == nil)
}

func (f fields) people(name string, raw json.RawMessage, into *[]Recipient) {
	v, ok := recipients(raw)
	take(f, name, raw, into, v, ok)
}

// object notes what is no object.
func (f fields) object(raw json.RawMessage) {
	if !isNull(raw) && raw[0] != '{' {
		f.unknown("")
	}
}

// predicates reads conditions by the form of their values, so that one that Microsoft adds is read too, and noted.
func (f fields) predicates(raw json.RawMessage) []Predicate {
	f.object(raw)
	var out []Predicate
	for k, v := range objectMembers(raw) {
		if strings.Contains(k, "@") {
			continue
		}
		values, known := predicateValues(v)
		if _, documented := slices.BinarySearch(Predicates, k); !known || !documented {
			f.unknown(k)
		}
		if len(values) > 0 {
			out = append(out, Predicate{Name: k, Values: values})
		}
	}
	slices.SortStableFunc(out, func(a, b Predicate) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// predicateValues are a predicate's values as text; false when their form is not one of the documented.
func predicateValues(raw json.RawMessage) ([]string, bool) {
	switch s := string(raw); s {
	case "null", "false":
		return nil, true
	case "true":
		return []string{s}, true
	}
	if s, ok := asString(raw); ok {
		return []string{s}, true
	}
	if words, ok := asStrings(raw); ok {
		return words, true
	}
	if people, ok := addresses(raw); ok {
		return people, true
	}
	if bounds, ok := sizes(raw); ok {
		return bounds, true
	}
	return []string{string(raw)}, false
}

// addresses reads a list of recipients: the address of each, or the name where there is no address.
func addresses(raw json.RawMessage) ([]string, bool) {
	people, ok := recipients(raw)
	if !ok {
		return nil, false
	}
	var out []string
	for _, p := range people {
		who := or(p.EmailAddress.Address, p.EmailAddress.Name)
		if who == "" {
			return nil, false
		}
		out = append(out, who)
	}
	return out, true
}

// recipients reads a list of addresses.
func recipients(raw json.RawMessage) ([]Recipient, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	var out []Recipient
	for e := range arrayElements(raw) {
		if e[0] != '{' {
			return nil, false
		}
		var r Recipient
		for k, v := range objectMembers(e) {
			if k != "emailAddress" {
				continue
			}
			for k, v := range objectMembers(v) {
				switch s, _ := asString(v); k {
				case "address":
					r.EmailAddress.Address = s
				case "name":
					r.EmailAddress.Name = s
				}
			}
		}
		out = append(out, r)
	}
	return out, true
}

// sizes reads a range of sizes, in kilobytes.
func sizes(raw json.RawMessage) (out []string, ok bool) {
	for k, v := range objectMembers(raw) {
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && (k == "minimumSize" || k == "maximumSize") {
			out = append(out, k+"="+strconv.FormatInt(n, 10))
		}
	}
	slices.Sort(out)
	slices.Reverse(out) // the minimum first
	return out, len(out) > 0
}
