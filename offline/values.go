package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"tocsin.dev/detect/audit"
)

// readValues reads records that stand in arrays, in members of an object, or one after the other over many lines. It finds
// the records by their brackets. A record that is not closed ends where a line begins an object no deeper than it did.
func (r *reader) readValues(s *source) error {
	v := &values{reader: r, in: s, line: 1 + r.before}
	err := v.elements(false, nil)
	if errors.Is(err, io.EOF) {
		if v.open > 0 {
			r.bad(v.line, "the file ends before the list of records does: it was cut off")
		}
		return nil
	}
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

var errCut = errors.New("the file was cut off")

// values walks JSON byte by byte and knows where it is.
type values struct {
	*reader
	in        *source
	line, col int // of the last byte read; col counts from 1
	open      int // lists begun and not ended
	depth     int // of lists within records
}

func (v *values) next() (byte, error) {
	c, err := v.in.ReadByte()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			v.bad(v.line, "reading stopped: %s", plain(err))
			return 0, errCut
		}
		return 0, err
	}
	if c == '\n' {
		v.line++
		v.col = 0
	} else {
		v.col++
	}
	return c, nil
}

// elements reads what stands between records: white space, commas, brackets of lists. closing ends at the list's bracket.
func (v *values) elements(closing bool, columns []string) error {
	level := 0
	for {
		c, err := v.next()
		if err != nil {
			return err
		}
		switch c {
		case ' ', '\t', '\r', '\n', ',':
		case '{':
			if err := v.record(); err != nil {
				return err
			}
		case '[':
			if columns != nil {
				if err := v.row(columns); err != nil {
					return err
				}
				continue
			}
			level++
			v.open++
		case ']':
			v.open--
			if level--; closing && level < 0 {
				return nil
			}
		default:
			if err := v.garbage(c); err != nil {
				return err
			}
		}
	}
}

// garbage reports what is no record and goes on at the next line.
func (v *values) garbage(c byte) error {
	v.bad(v.line, "a record was expected, not %q", string(rune(c)))
	for {
		c, err := v.next()
		if err != nil {
			return err
		}
		if c == '\n' {
			return nil
		}
	}
}

// record reads an object whose bracket has been read.
func (v *values) record() error {
	line, col := v.line, v.col
	text := []byte{'{'}
	stack := []byte{'}'}
	wrapper, fresh, indent := false, false, 0
	style := unknownStyle
	for len(stack) > 0 {
		c, err := v.next()
		if errors.Is(err, io.EOF) {
			v.bad(line, "the file ends in the middle of a record: it was cut off")
			return errCut
		}
		if err != nil {
			return err
		}
		if len(text) > maxRecord {
			v.bad(line, "the record is larger than %d MB", maxRecord>>20)
			return v.resync(col)
		}
		switch {
		case c == '\n':
			fresh, indent = true, 0
			text = append(text, c)
			continue
		case fresh && (c == ' ' || c == '\t' || c == '\r'):
			indent++
			continue
		case fresh && c == '{' && indent < col && (style != flat || !mayNest(text, stack)):
			v.bad(line, "the record is not closed")
			return v.record()
		case fresh && style == unknownStyle:
			if style = indented; indent < col {
				style = flat
			}
		}
		fresh = false
		switch c {
		case '"':
			if text, err = v.text(append(text, c)); err != nil {
				if errors.Is(err, errLine) {
					v.bad(line, "a text is not closed in line %d", v.line-1)
					return v.resyncLine(col)
				}
				if errors.Is(err, io.EOF) {
					v.bad(line, "the file ends in the middle of a record: it was cut off")
					return errCut
				}
				return err
			}
			continue
		case '{':
			stack = append(stack, '}')
		case '[':
			if key := lastKey(text); len(stack) == 1 && v.depth < 4 && lists[strings.ToLower(key)] && v.holdsRecords(key, text) {
				wrapper = true
				if err := v.list(key, text); err != nil {
					return err
				}
				text = append(text, "null"...)
				continue
			}
			stack = append(stack, ']')
		case '}', ']':
			if stack[len(stack)-1] != c {
				v.bad(line, "the brackets do not match in line %d", v.line)
				return v.resync(col)
			}
			stack = stack[:len(stack)-1]
		}
		text = append(text, c)
	}
	if wrapper {
		return nil
	}
	return v.object(line, text)
}

// How the lines of a record are set: indented ones tell by their column where the next record begins; flat ones do not.
const (
	unknownStyle = iota
	indented
	flat
)

// mayNest says whether an object may begin after text by the grammar: as a value, or as an element of a list.
func mayNest(text, stack []byte) bool {
	t := bytes.TrimRight(text, " \t\r\n")
	switch t[len(t)-1] {
	case ':', '[':
		return true
	case ',':
		return stack[len(stack)-1] == ']'
	}
	return false
}

var errLine = errors.New("the line ends in a text")

// text reads to the end of a quoted text.
func (v *values) text(into []byte) ([]byte, error) {
	for {
		c, err := v.next()
		if err != nil {
			return into, err
		}
		if c == '\n' {
			return into, errLine
		}
		into = append(into, c)
		switch c {
		case '"':
			return into, nil
		case '\\':
			if c, err = v.next(); err != nil {
				return into, err
			}
			into = append(into, c)
		}
		if len(into) > maxRecord+4096 {
			return into, errLine
		}
	}
}

// lastKey is the name before the value that is about to begin.
func lastKey(text []byte) string {
	t := bytes.TrimRight(text, " \t\r\n")
	if len(t) == 0 || t[len(t)-1] != ':' {
		return ""
	}
	t = bytes.TrimRight(t[:len(t)-1], " \t\r\n")
	if len(t) < 2 || t[len(t)-1] != '"' {
		return ""
	}
	t = t[:len(t)-1]
	return string(t[bytes.LastIndexByte(t, '"')+1:])
}

// holdsRecords looks ahead: a list of objects, or the rows of a table.
func (v *values) holdsRecords(key string, text []byte) bool {
	if strings.EqualFold(key, "rows") {
		return bytes.Contains(text, []byte(`"columns"`))
	}
	for n := 64; ; n *= 4 {
		ahead, err := v.in.Peek(n)
		if t := bytes.TrimLeft(ahead, " \t\r\n"); len(t) > 0 {
			return t[0] == '{' || t[0] == ']'
		}
		if err != nil || n > bufferSize {
			return false
		}
	}
}

// list streams the records of a member.
func (v *values) list(key string, before []byte) error {
	var columns []string
	if strings.EqualFold(key, "rows") {
		columns = columnsOf(before)
	}
	v.open++
	v.depth++
	err := v.elements(true, columns)
	v.depth--
	return err
}

// columnsOf are the names of a table's columns, which stand before its rows.
func columnsOf(text []byte) []string {
	end := bytes.LastIndexByte(text, ',')
	if end < 0 {
		return []string{}
	}
	var table struct{ Columns []struct{ Name string } }
	if json.Unmarshal(append(bytes.Clone(text[:end]), '}'), &table) != nil {
		return []string{}
	}
	names := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		names[i] = audit.Canonical(c.Name)
	}
	return names
}

// row reads one row of a table, whose bracket has been read.
func (v *values) row(columns []string) error {
	line, level := v.line, 1
	text := []byte{'['}
	for level > 0 {
		c, err := v.next()
		if err == nil && c == '"' {
			text, err = v.text(append(text, c))
			if err == nil {
				continue
			}
		}
		if err != nil || len(text) > maxRecord {
			v.bad(line, "the row is not closed")
			return errCut
		}
		switch c {
		case '[', '{':
			level++
		case ']', '}':
			level--
		}
		text = append(text, c)
	}
	var cells []any
	if err := json.Unmarshal(text, &cells); err != nil || len(cells) != len(columns) {
		v.bad(line, "the row has %d cells, not %d", len(cells), len(columns))
		return nil
	}
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = cellText(c)
	}
	return v.yield(raw{line: line, names: columns, cells: out})
}

func cellText(c any) string {
	switch x := c.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return string(b)
}

// resync goes on at the next line that begins an object at column col or before.
func (v *values) resync(col int) error {
	for {
		c, err := v.next()
		if err != nil {
			return err
		}
		if c == '\n' {
			return v.resyncLine(col)
		}
	}
}

// resyncLine is resync at the beginning of a line.
func (v *values) resyncLine(col int) error {
	fresh := true
	for {
		c, err := v.next()
		switch {
		case err != nil:
			return err
		case c == '\n':
			fresh = true
		case c == ' ', c == '\t', c == '\r', c == ',' && fresh:
		case c == '{' && fresh && v.col <= col:
			return v.record()
		case c == ']' && fresh && v.col < col:
			v.open--
			fresh = false
		default:
			fresh = false
		}
	}
}
