package api

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"tocsin.dev"
)

// valid checks an input against the tags of its fields (minLength, maxLength, minimum, maximum, enum, required), the
// same that describe it in the OpenAPI document, for every face alike. The problem names every field that is wrong.
func valid(in any) error { return tocsin.Together(faults(in, plainName)...) }

// faults are all fields of an input that are wrong; named says what to call a field: those that are missing are told in
// one sentence.
func faults(in any, named func(bounds) string) []*tocsin.Problem {
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return nil
	}
	var out []*tocsin.Problem
	var missing []string
	for _, c := range checksOf(v.Type()) {
		b := c
		b.name = named(c)
		switch p := b.look(v.FieldByIndex(c.index)); {
		case p == nil:
		case p.Do == give:
			missing = append(missing, b.name)
		default:
			out = append(out, p)
		}
	}
	if len(missing) > 1 {
		return append([]*tocsin.Problem{invalid("Give them.", "%s are missing.", joined(missing))}, out...)
	}
	if len(missing) == 1 {
		return append([]*tocsin.Problem{invalid(give, "%s is missing.", missing[0])}, out...)
	}
	return out
}

// give is what to do about what is missing.
const give = "Give it."

// plainName is a field's own name.
func plainName(b bounds) string { return b.name }

// bounds are what the tags of one field ask for.
type bounds struct {
	index          []int
	name           string
	path           bool // it stands in the route's path
	minLen, maxLen int  // characters; -1 for none
	min, max       float64
	hasMin, hasMax bool
	enum           []string
	required       bool
}

var seenTypes sync.Map // reflect.Type → []bounds

func checksOf(t reflect.Type) []bounds {
	if c, ok := seenTypes.Load(t); ok {
		return c.([]bounds)
	}
	c := findBounds(t, nil)
	seenTypes.Store(t, c)
	return c
}

func findBounds(t reflect.Type, at []int) []bounds {
	var out []bounds
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		if f.Type.Kind() == reflect.Struct && (f.Anonymous || f.Name == "Body") {
			out = append(out, findBounds(f.Type, index)...)
			continue
		}
		if b, ok := boundsOf(f, index); ok {
			out = append(out, b)
		}
	}
	return out
}

func boundsOf(f reflect.StructField, index []int) (bounds, bool) {
	b := bounds{index: index, name: fieldName(f), path: f.Tag.Get("path") != "" && f.Tag.Get("path") != "tenant", minLen: -1, maxLen: -1}
	number := func(tag string) (float64, bool) {
		n, err := strconv.ParseFloat(f.Tag.Get(tag), 64)
		return n, err == nil
	}
	if n, ok := number("minLength"); ok {
		b.minLen = int(n)
	}
	if n, ok := number("maxLength"); ok {
		b.maxLen = int(n)
	}
	b.min, b.hasMin = number("minimum")
	b.max, b.hasMax = number("maximum")
	if e := f.Tag.Get("enum"); e != "" {
		b.enum = strings.Split(e, ",")
	}
	_, optional, _ := strings.Cut(f.Tag.Get("json"), ",")
	b.required = b.enum != nil && f.Tag.Get("json") != "" && !strings.Contains(optional, "omit") ||
		f.Type == reflect.TypeFor[time.Time]() && f.Tag.Get("json") != "" && !strings.Contains(optional, "omit")
	return b, b.minLen >= 0 || b.maxLen >= 0 || b.hasMin || b.hasMax || b.enum != nil || b.required
}

// fieldName is what a face calls a field.
func fieldName(f reflect.StructField) string {
	for _, tag := range []string{"path", "query", "header", "json"} {
		if n, _, _ := strings.Cut(f.Tag.Get(tag), ","); n != "" {
			return n
		}
	}
	return f.Name
}

func (b *bounds) look(v reflect.Value) *tocsin.Problem {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		return b.text(v.String())
	case reflect.Slice:
		for i := range v.Len() {
			if v.Index(i).Kind() == reflect.String {
				if err := b.text(v.Index(i).String()); err != nil {
					return err
				}
			}
		}
	case reflect.Int, reflect.Int64:
		return b.number(v.Int())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok && b.required && t.IsZero() {
			return invalid("Give it as a time such as 2026-12-31T00:00:00Z.", "%s is missing.", b.name)
		}
	}
	return nil
}

func (b *bounds) text(s string) *tocsin.Problem {
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return invalid("Send it as UTF-8.", "%s is not a text.", b.name)
	case n == 0 && (b.minLen > 0 || b.required):
		return invalid(give, "%s is missing.", b.name)
	case n == 0:
		return nil
	case n < b.minLen:
		return invalid("Make it longer.", "%s must have at least %d characters.", b.name, b.minLen)
	case b.maxLen >= 0 && n > b.maxLen:
		return invalid("Make it shorter.", "%s must have at most %d characters.", b.name, b.maxLen)
	case b.enum != nil && !slices.Contains(b.enum, s):
		return invalid("Use one of "+strings.Join(b.enum, ", ")+".", "%s cannot be %q.", b.name, s)
	}
	return nil
}

func (b *bounds) number(n int64) *tocsin.Problem {
	switch {
	case b.hasMin && n == 0 && b.min > 0:
		return invalid(give, "%s is missing.", b.name)
	case b.hasMin && float64(n) < b.min:
		return invalid(fmt.Sprintf("Use %g or more.", b.min), "%s cannot be %d.", b.name, n)
	case b.hasMax && float64(n) > b.max:
		return invalid(fmt.Sprintf("Use %g or less.", b.max), "%s cannot be %d.", b.name, n)
	}
	return nil
}

// ends checks when an exception or a trust ends: after now, and within two years, so that somebody looks again.
func ends(t, now time.Time) error {
	switch {
	case !t.After(now):
		return invalid("Give a time that is still to come.", "expires is in the past.")
	case t.After(now.AddDate(2, 0, 1)):
		return invalid("Give a time within two years; it can be renewed then.", "expires is too far away.")
	}
	return nil
}

// emailAddress is an address in the form in which accounts are kept.
func emailAddress(s string) (string, error) {
	s = tocsin.CanonicalAddress(s)
	name, domain, ok := strings.Cut(s, "@")
	if !ok || name == "" || domain == "" || strings.ContainsAny(s, " \t\r\n,;<>\"") || strings.Contains(domain, "@") {
		return "", invalid("Give an address such as jane@acme.example.", "%q is not an e-mail address.", s)
	}
	return s, nil
}
