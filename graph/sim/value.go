package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// obj is a JSON object whose members keep their order. Values are nil, bool, string, int, float64, json.Number,
// time.Time, []string, []any, obj, []obj or json.RawMessage.
type obj []member

type member struct {
	k string
	v any
}

// getter gives a resource's property by name; false where there is none of that name.
type getter func(name string) (any, bool)

func (o obj) get(name string) (any, bool) {
	for i := range o {
		if o[i].k == name {
			return o[i].v, true
		}
	}
	return nil, false
}

// text is the member as a string; empty where it is none.
func (o obj) text(name string) string {
	v, _ := o.get(name)
	s, _ := v.(string)
	return s
}

// set replaces the member or adds it at the end.
func (o obj) set(name string, v any) obj {
	for i := range o {
		if o[i].k == name {
			o[i].v = v
			return o
		}
	}
	return append(o, member{name, v})
}

// clone copies the object's own members; what they hold is shared.
func (o obj) clone() obj { return append(make(obj, 0, len(o)+2), o...) }

// without leaves a member out.
func (o obj) without(name string) obj {
	out := make(obj, 0, len(o))
	for _, m := range o {
		if m.k != name {
			out = append(out, m)
		}
	}
	return out
}

// MarshalJSON lets an obj stand inside what encoding/json writes.
func (o obj) MarshalJSON() ([]byte, error) { return appendJSON(nil, o), nil }

// appendJSON encodes without reflection; a type it does not know is a mistake in this package.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case json.Number:
		return append(b, v...)
	case time.Time:
		return append(v.UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05Z"), '"')
	case json.RawMessage:
		return append(b, v...)
	case obj:
		return appendObject(b, v)
	case []string:
		return appendList(b, v, appendString)
	case []any:
		return appendList(b, v, appendJSON)
	case []obj:
		return appendList(b, v, appendObject)
	}
	panic(fmt.Sprintf("sim: no JSON form for %T: values are made by this package only", v))
}

func appendObject(b []byte, o obj) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, m.k), ':')
		b = appendJSON(b, m.v)
	}
	return append(b, '}')
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			b = append(append(b, s[start:i]...), "\ufffd"...)
			i, start = i+1, i+1
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i, start = i+1, i+1
	}
	return append(append(b, s[start:]...), '"')
}

// parseObject reads one JSON object and nothing after it; members keep their order.
func parseObject(data []byte) (obj, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	o, ok := v.(obj)
	if !ok {
		return nil, errors.New("not an object")
	}
	return o, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > 64 {
		return nil, errors.New("nested too deep")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := obj{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			o = o.set(k.(string), v)
		}
		_, err := d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return t, nil
}
