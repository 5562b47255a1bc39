package graph

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// fault is Graph's error, from a body of any of the shapes it comes in.
type fault struct {
	Code            string
	Message         string
	Inner           []string // codes of the nested innerErrors, outermost first
	RequestID       string
	ClientRequestID string
	Date            time.Time
}

// parseFault reads an error body. A body that is none gives the zero fault. Microsoft writes innerError and innererror,
// nests them, leaves codes empty, and writes dates without a zone: https://learn.microsoft.com/graph/errors
func parseFault(body []byte) fault {
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) != nil {
		return fault{}
	}
	var f fault
	level := member(outer, "error")
	if text, ok := asString(level); ok { // the form of the sign-in service
		f.Code, f.Message = clip(text, 100), clip(str(outer, "error_description"), 300)
		return f
	}
	for depth := 0; depth < 16; depth++ {
		var m map[string]json.RawMessage
		if json.Unmarshal(level, &m) != nil || m == nil {
			break
		}
		f.take(m, depth)
		level = member(m, "innerError")
	}
	if f.Code == "" && len(f.Inner) > 0 {
		f.Code = f.Inner[0]
	}
	return f
}

func (f *fault) take(m map[string]json.RawMessage, depth int) {
	code := clip(str(m, "code"), 100)
	if depth == 0 {
		f.Code, f.Message = code, clip(str(m, "message"), 300)
	} else if code != "" {
		f.Inner = append(f.Inner, code)
	}
	f.RequestID = or(f.RequestID, clip(str(m, "request-id"), 80))
	f.ClientRequestID = or(f.ClientRequestID, clip(str(m, "client-request-id"), 80))
	if t, ok := parseTime(str(m, "date")); ok && f.Date.IsZero() {
		f.Date = t
	}
}

// is says whether the code, or one nested in it, is any of codes.
func (f fault) is(codes ...string) bool {
	for _, c := range codes {
		if strings.EqualFold(f.Code, c) {
			return true
		}
		for _, in := range f.Inner {
			if strings.EqualFold(in, c) {
				return true
			}
		}
	}
	return false
}

// member finds a key by its exact name first, then in any case.
func member(m map[string]json.RawMessage, key string) json.RawMessage {
	if v, ok := m[key]; ok {
		return v
	}
	for k, v := range m {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return nil
}

func str(m map[string]json.RawMessage, key string) string {
	s, _ := asString(member(m, key))
	return s
}

// parseTime reads a time as Graph writes it: RFC 3339, or without a zone, which is UTC.
func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// clip is s on one line and at most n runes long: what strangers send is shown, and logged, only so.
func clip(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n--; n < 0 {
			b.WriteString("…")
			break
		}
		if unicode.IsControl(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
