package sim

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// literal reads a constant: 'text', a number, true, false, null, a time or a bare word (a GUID, an enum's member).
func literal(t string) (any, error) {
	switch {
	case t == "" || t == "(" || t == ")" || t == ",":
		return nil, errors.New("A value is expected in the filter.")
	case t[0] == '\'':
		return strings.ReplaceAll(t[1:len(t)-1], "''", "'"), nil
	case t == "null":
		return nil, nil
	case t == "true" || t == "false":
		return t == "true", nil
	}
	if at, err := time.Parse(time.RFC3339, t); err == nil {
		return at, nil
	}
	if at, err := time.Parse(time.DateOnly, t); err == nil {
		return at, nil
	}
	if n, err := strconv.ParseFloat(t, 64); err == nil {
		return n, nil
	}
	return t, nil
}

// compare is the operator between what a resource has and a constant. Text is compared without regard to case.
func compare(have any, op string, want any) bool {
	if have == nil || want == nil {
		return (op == "eq" && have == want) || (op == "ne" && have != want)
	}
	c, ok := order(have, want)
	if !ok {
		return op == "ne"
	}
	switch op {
	case "eq":
		return c == 0
	case "ne":
		return c != 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

// order compares two values of one type; ok is false where they are of different ones.
func order(a, b any) (c int, ok bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return strings.Compare(strings.ToLower(a), strings.ToLower(b)), ok
	case bool:
		b, ok := b.(bool)
		switch {
		case a == b:
			return 0, ok
		case a:
			return 1, ok
		}
		return -1, ok
	case int:
		return order(float64(a), b)
	case float64:
		if n, isInt := b.(int); isInt {
			b = float64(n)
		}
		b, ok := b.(float64)
		switch {
		case a < b:
			return -1, ok
		case a > b:
			return 1, ok
		}
		return 0, ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Truncate(time.Second).Compare(b), ok
	}
	return 0, false
}
