package sigma

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"

	"tocsin.dev/detect/audit"
)

// item is a field with its values, of which one must be there (or all). A field of no name is the whole record.
type item struct {
	field  *field
	all    bool // every value must be met, not only one
	not    bool // none may be met: neq
	exists *bool
	tests  []test
	shown  []string // the values as they were written, for sentences
}

// test says whether one value of the record meets one value of the rule. The forms of it are below.
type test interface{ meets(v *value) bool }

func (it *item) holds(e *Event) bool {
	if it.exists != nil {
		return e.has(it.field) == *it.exists
	}
	return it.found(e) != it.not
}

func (it *item) found(e *Event) bool {
	values := e.values(it.field)
	for _, t := range it.tests {
		hit := false
		switch t := t.(type) {
		case null:
			hit = len(values) == 0
		case ref:
			hit = t.among(e, values)
		default:
			for i := range values {
				if hit = t.meets(&values[i]); hit {
					break
				}
			}
		}
		if hit != it.all {
			return hit
		}
	}
	return it.all
}

// exact are the values, in lower case, one of which the field must have; nil where it is not so simple.
func (it *item) exact() (out []string) {
	if it.not || it.exists != nil || it.field.name == "" {
		return nil
	}
	for _, t := range it.tests {
		same, ok := t.(equal)
		if !ok {
			return nil
		}
		out = append(out, same.low)
	}
	if it.all && len(out) > 1 {
		return out[:1]
	}
	return out
}

type (
	null  struct{}              // no value
	equal struct{ low string }  // the same but for case
	same  struct{ text string } // the same, with its case
	glob  struct {
		parts []string // between the *, each perhaps with ?
		cased bool
	}
	pattern struct{ *regexp.Regexp }
	network struct{ netip.Prefix }
	number  struct {
		op string
		n  float64
	}
	part struct {
		op, what string
		n        int
	}
	ref struct {
		to  *field
		how string // "", contains, startswith, endswith
	}
)

func (null) meets(*value) bool        { return false }
func (t equal) meets(v *value) bool   { return v.low == t.low }
func (t same) meets(v *value) bool    { return v.text == t.text }
func (t pattern) meets(v *value) bool { return t.MatchString(v.text) }
func (t ref) meets(*value) bool       { return false }

func (t glob) meets(v *value) bool {
	if t.cased {
		return matches(t.parts, v.text)
	}
	return matches(t.parts, v.low)
}

// matches says whether s is parts with anything between them; in linear time but for the length of the parts.
func matches(parts []string, s string) bool {
	first, last := parts[0], parts[len(parts)-1]
	n, ok := leads(first, s)
	if !ok {
		return false
	}
	s = s[n:]
	if len(parts) == 1 {
		return s == ""
	}
	for _, p := range parts[1 : len(parts)-1] {
		i, n := within(p, s)
		if i < 0 {
			return false
		}
		s = s[i+n:]
	}
	return trails(last, s)
}

const one = '\x00' // a ? in a part: any one byte of UTF-8's beginnings, that is any one character

// leads says whether s begins with p, and how many bytes of it that is.
func leads(p, s string) (int, bool) {
	if strings.IndexByte(p, one) < 0 {
		return len(p), strings.HasPrefix(s, p)
	}
	n := 0
	for _, c := range p {
		if n >= len(s) {
			return 0, false
		}
		r, size := rune(s[n]), 1
		if r >= 0x80 {
			for _, r = range s[n:] {
				break
			}
			size = max(1, len(string(r)))
			if r == 0xfffd && !strings.HasPrefix(s[n:], "\ufffd") {
				size = 1
			}
		}
		if c != one && c != r {
			return 0, false
		}
		n += size
	}
	return n, true
}

func within(p, s string) (at, n int) {
	if strings.IndexByte(p, one) < 0 {
		return strings.Index(s, p), len(p)
	}
	for i := range s {
		if n, ok := leads(p, s[i:]); ok {
			return i, n
		}
	}
	return -1, 0
}

func trails(p, s string) bool {
	if strings.IndexByte(p, one) < 0 {
		return strings.HasSuffix(s, p)
	}
	for i := range s {
		if n, ok := leads(p, s[i:]); ok && n == len(s)-i {
			return true
		}
	}
	return false
}

func (t network) meets(v *value) bool {
	a, err := netip.ParseAddr(v.text)
	if err != nil {
		ap, err := netip.ParseAddrPort(v.text)
		if err != nil {
			return false
		}
		a = ap.Addr()
	}
	return t.Contains(a.Unmap().WithZone(""))
}

func (t number) meets(v *value) bool {
	n, err := strconv.ParseFloat(v.text, 64)
	return err == nil && compare(t.op, n, t.n)
}

func compare(op string, a, b float64) bool {
	switch op {
	case "gt":
		return a > b
	case "gte":
		return a >= b
	case "lt":
		return a < b
	case "lte":
		return a <= b
	}
	return a == b
}

func (t part) meets(v *value) bool {
	at := audit.Time(v.text)
	if at.IsZero() {
		return false
	}
	return compare(t.op, float64(partOf(at.UTC(), t.what)), float64(t.n))
}

func partOf(at time.Time, what string) int {
	switch what {
	case "minute":
		return at.Minute()
	case "hour":
		return at.Hour()
	case "day":
		return at.Day()
	case "week":
		_, w := at.ISOWeek()
		return w
	case "month":
		return int(at.Month())
	}
	return at.Year()
}

func (t ref) among(e *Event, values []value) bool {
	for _, other := range e.values(t.to) {
		for _, v := range values {
			hit := false
			switch t.how {
			case "contains":
				hit = strings.Contains(v.low, other.low)
			case "startswith":
				hit = strings.HasPrefix(v.low, other.low)
			case "endswith":
				hit = strings.HasSuffix(v.low, other.low)
			default:
				hit = v.low == other.low
			}
			if hit {
				return true
			}
		}
	}
	return false
}

// modifiers are what a field's name may go on with.
type modifiers struct {
	contains, starts, ends, all, re, cidr, exists, windash, cased, neq, ref bool

	encode []string // base64, base64offset, utf16le, utf16be, utf16: in their order
	flags  string   // of a regular expression
	op     string   // gt, gte, lt, lte
	part   string   // of a time
}

func (p *parser) modifiers(key *yaml.Node, names []string) (m modifiers, ok bool) {
	ok = true
	for _, name := range names {
		switch name {
		case "contains":
			m.contains = true
		case "startswith":
			m.starts = true
		case "endswith":
			m.ends = true
		case "all":
			m.all = true
		case "re":
			m.re = true
		case "i", "m", "s":
			m.flags += name
		case "ignorecase":
			m.flags += "i"
		case "multiline":
			m.flags += "m"
		case "dotall":
			m.flags += "s"
		case "cidr":
			m.cidr = true
		case "exists":
			m.exists = true
		case "windash":
			m.windash = true
		case "cased":
			m.cased = true
		case "neq":
			m.neq = true
		case "fieldref", "equalsfield":
			m.ref = true
		case "base64", "base64offset", "utf16le", "utf16be", "utf16", "wide":
			m.encode = append(m.encode, name)
		case "gt", "gte", "lt", "lte":
			m.op = name
		case "minute", "hour", "day", "week", "month", "year":
			m.part = name
		case "expand":
			p.say(key, "Write the values in the place of the %…%: which countries, addresses or people are meant differs from tenant to tenant.", "The modifier expand wants a list that is not here.")
			return m, false
		default:
			p.say(key, "The modifiers are contains, startswith, endswith, all, re, cidr, exists, cased, neq, windash, base64, base64offset, utf16, wide, gt, gte, lt, lte, fieldref, and parts of a time.", "There is no modifier %q.", name)
			return m, false
		}
	}
	if m.flags != "" && !m.re {
		p.say(key, "Put re before it.", "i, m and s belong behind the modifier re.")
		return m, false
	}
	alone := 0
	for _, set := range []bool{m.re, m.cidr, m.exists, m.op != "" || m.part != ""} {
		if set {
			alone++
		}
	}
	if alone > 1 || (m.cidr || m.exists || m.op != "" || m.part != "") && (m.contains || m.starts || m.ends || len(m.encode) > 0 || m.windash || m.ref) {
		p.say(key, "Use one of them.", "These modifiers do not go together.")
		return m, false
	}
	return m, true
}

// item reads a field with modifiers and values. A key of "" is words that stand anywhere.
func (p *parser) item(src *Source, at *yaml.Node, key string, values []*yaml.Node) *item {
	if p.items++; p.items > maxItems {
		if p.items == maxItems+1 {
			p.say(at, "Make it several rules.", "The rule has more than %d conditions on fields.", maxItems)
		}
		return nil
	}
	names := strings.Split(key, "|")
	m, ok := p.modifiers(at, names[1:])
	if !ok {
		return nil
	}
	it := &item{field: src.field(names[0]), all: m.all, not: m.neq}
	if it.field.name == "" && !m.re { // words stand anywhere in a value
		m.contains = true
	}
	if len(values) == 0 {
		p.say(at, "Give it a value; null for “there is none”.", "%s has no value.", shownKey(key))
		return nil
	}
	for _, v := range values {
		if p.values++; p.values > maxValues {
			p.say(v, "Make it several rules.", "The rule has more than %d values.", maxValues)
			return nil
		}
		if v.Kind != yaml.ScalarNode {
			p.say(v, "Write texts, numbers, true, false or null.", "A value of %s is neither text nor number.", shownKey(key))
			return nil
		}
		if m.exists {
			is, err := strconv.ParseBool(strings.ToLower(v.Value))
			if err != nil {
				p.say(v, "Write “exists: true” or false.", "%q is neither true nor false.", v.Value)
				return nil
			}
			it.exists = &is
			continue
		}
		list, ok := p.tests(src, at, v, m)
		if !ok {
			return nil
		}
		it.tests = append(it.tests, list...)
		it.shown = append(it.shown, v.Value)
	}
	if m.all && (len(m.encode) > 0 && slices.Contains(m.encode, "base64offset") || m.windash) && len(values) > 1 {
		p.say(at, "Write the values under names of their own, and join them by “and” in the condition.", "all does not go with base64offset or windash.")
		return nil
	}
	return it
}

func shownKey(key string) string {
	if key == "" {
		return "The list"
	}
	return key
}

// tests are what one value of the rule asks of a record's value; windash and base64offset make several of one.
func (p *parser) tests(src *Source, at, v *yaml.Node, m modifiers) ([]test, bool) {
	s := v.Value
	switch {
	case v.Tag == "!!null":
		return []test{null{}}, true
	case m.ref:
		how := ""
		switch {
		case m.contains:
			how = "contains"
		case m.starts:
			how = "startswith"
		case m.ends:
			how = "endswith"
		}
		return []test{ref{src.field(s), how}}, true
	case m.cidr:
		n, err := netip.ParsePrefix(s)
		if err != nil {
			if a, bad := netip.ParseAddr(s); bad == nil {
				n, err = a.Prefix(a.BitLen())
			}
		}
		if err != nil {
			p.say(v, "Write it as in 203.0.113.0/24 or 2001:db8::/32.", "%q is no network.", s)
			return nil, false
		}
		return []test{network{n.Masked()}}, true
	case m.part != "":
		n, err := strconv.Atoi(s)
		if err != nil {
			p.say(v, "Write a whole number.", "%q is no %s.", s, m.part)
			return nil, false
		}
		return []test{part{m.op, m.part, n}}, true
	case m.op != "":
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			p.say(v, "Write a number.", "%q is no number.", s)
			return nil, false
		}
		return []test{number{m.op, n}}, true
	case m.re:
		return p.pattern(v, s, m.flags)
	}
	if len(m.encode) > 0 || m.windash {
		var out []test
		for _, plain := range variants(s, m) {
			out = append(out, textTest([]string{plain}, m))
		}
		return out, true
	}
	return []test{textTest(wild(s), m)}, true
}

func (p *parser) pattern(v *yaml.Node, s, flags string) ([]test, bool) {
	if p.patterns++; p.patterns > maxPatterns || len(s) > maxPattern {
		p.say(v, "Say it with contains, startswith and endswith, which are faster too.", "There are more than %d regular expressions, or one is longer than %d characters.", maxPatterns, maxPattern)
		return nil, false
	}
	if flags != "" {
		s = "(?" + flags + ")" + s
	}
	re, err := regexp.Compile(s)
	if err != nil {
		why := err.Error()
		if _, after, ok := strings.Cut(why, "error parsing regexp: "); ok {
			why = after
		}
		p.say(v, "Regular expressions are RE2 (https://github.com/google/re2/wiki/Syntax): without look-ahead, look-behind and references.", "The regular expression cannot be read: %s.", why)
		return nil, false
	}
	return []test{pattern{re}}, true
}

// variants are a value's forms under windash and the encodings.
func variants(s string, m modifiers) []string {
	s = plain(s)
	out := []string{s}
	if m.windash {
		for _, dash := range []string{"-", "/", "–", "—", "―"} {
			for _, other := range []string{"-", "/", "–", "—", "―"} {
				if with := dashed(s, dash, other); with != "" && !slices.Contains(out, with) {
					out = append(out, with)
				}
			}
		}
	}
	for _, how := range m.encode {
		var next []string
		for _, v := range out {
			next = append(next, encoded(v, how)...)
		}
		out = next
	}
	return out
}

// dashed puts another dash where a word begins with this one; "" where none does.
func dashed(s, dash, other string) string {
	if dash == other {
		return ""
	}
	words := strings.Split(s, " ")
	any := false
	for i, w := range words {
		if rest, ok := strings.CutPrefix(w, dash); ok {
			words[i], any = other+rest, true
		}
	}
	if !any {
		return ""
	}
	return strings.Join(words, " ")
}

func encoded(s, how string) []string {
	switch how {
	case "utf16le", "wide", "utf16", "utf16be":
		var b []byte
		if how == "utf16" {
			b = append(b, 0xff, 0xfe)
		}
		for _, u := range utf16.Encode([]rune(s)) {
			if how == "utf16be" {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		return []string{string(b)}
	case "base64":
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	// What of the encoding depends on s alone, at each of the three places where s may begin.
	var out []string
	for offset := range 3 {
		from := []int{0, 2, 3}[offset]
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", offset) + s))
		to := len(text) - []int{0, 3, 2}[(len(s)+offset)%3]
		if from < to {
			out = append(out, text[from:to])
		}
	}
	return out
}

// plain is a value without the backslashes that keep * and ? from meaning more.
func plain(s string) string {
	parts := wild(s)
	out := strings.Join(parts, "*")
	return strings.ReplaceAll(out, string(one), "?")
}

// wild parts a value at its *; ? becomes [one]. A backslash before *, ? or a backslash takes its meaning away.
func wild(s string) []string {
	parts, b := []string{}, strings.Builder{}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == '*':
			parts = append(parts, b.String())
			b.Reset()
		case c == '?':
			b.WriteByte(one)
		case c != one:
			b.WriteByte(c)
		}
	}
	return append(parts, b.String())
}

// textTest is the test for a text in parts.
func textTest(parts []string, m modifiers) test {
	if len(m.encode) > 0 {
		m.cased = true
		if !m.starts && !m.ends {
			m.contains = m.contains || slices.Contains(m.encode, "base64offset")
		}
	}
	if m.contains || m.ends {
		parts = append([]string{""}, parts...)
	}
	if m.contains || m.starts {
		parts = append(parts, "")
	}
	whole := len(parts) == 1 && strings.IndexByte(parts[0], one) < 0
	if !m.cased {
		for i := range parts {
			parts[i] = strings.ToLower(parts[i])
		}
	}
	switch {
	case whole && m.cased:
		return same{parts[0]}
	case whole:
		return equal{parts[0]}
	}
	return glob{parts, m.cased}
}

// says is an item in words, with the value of the record that met it.
func (it *item) says(e *Event) string {
	if it.field.name == "" || it.not || it.exists != nil {
		return ""
	}
	for _, t := range it.tests {
		values := e.values(it.field)
		for i := range values {
			if _, isRef := t.(ref); isRef || t.meets(&values[i]) {
				return fmt.Sprintf("%s is %s", it.field.name, shorten(values[i].text))
			}
		}
	}
	return ""
}
