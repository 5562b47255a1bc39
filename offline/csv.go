package offline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"tocsin.dev/detect/audit"
)

// maxLines is how many lines one row may have before its quotes are taken for broken: a pretty-printed AuditData has some
// hundred.
const maxLines = 20000

// table reads rows as RFC 4180 and PowerShell's Export-Csv write them, and mends itself: a row whose quotes do not close is
// reported, and the next line begins a new one.
type table struct {
	*reader
	in      lineReader
	waiting [][]byte // lines read for a row that turned out broken, still to be read
	at      int      // the number of the line before the first waiting one
	comma   byte
	names   []string
	badRun  int // the line of the last broken row, for reporting a run of them once
}

// readCSV reads a table whose first row names the columns.
func (r *reader) readCSV(s *source) error {
	t := &table{reader: r, in: lineReader{src: s.Reader, line: r.before}}
	if err := t.header(); err != nil {
		if !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
	for {
		line, cells, err := t.row()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			t.report(line, err)
			continue
		case len(cells) == 1 && strings.TrimSpace(cells[0]) == "":
			continue
		case len(cells) != len(t.names):
			t.report(line, fmt.Errorf("the row has %d cells, the header %d", len(cells), len(t.names)))
			continue
		}
		t.badRun = 0
		if err := r.yield(raw{line: line, names: t.names, cells: cells}); err != nil {
			return err
		}
	}
}

// report tells of a broken row, and of the first only where line after line is broken.
func (t *table) report(line int, err error) {
	if t.badRun == 0 || line > t.badRun+1 {
		t.bad(line, "%s", err)
	}
	t.badRun = max(line, t.line()-len(t.waiting))
}

func (t *table) line() int {
	if len(t.waiting) > 0 {
		return t.at + len(t.waiting)
	}
	return t.in.line
}

// header reads the names of the columns and finds what separates them. PowerShell's #TYPE line and Excel's sep= line are passed.
func (t *table) header() error {
	for {
		line, err := t.next()
		if err != nil {
			t.bad(1, "there is no header")
			return io.EOF
		}
		text := bytes.TrimSpace(line)
		low := bytes.ToLower(text)
		switch {
		case len(text) == 0 || bytes.HasPrefix(low, []byte("#type")):
			continue
		case bytes.HasPrefix(low, []byte("sep=")) && len(text) == 5:
			t.comma = text[4]
			continue
		}
		if t.comma == 0 {
			t.comma = separator(text)
		}
		cells, err := t.split(bytes.TrimRight(line, "\r\n"))
		if err != nil || len(cells) < 2 {
			t.bad(t.in.line, "%s", notLog)
			return io.EOF
		}
		t.names = make([]string, len(cells))
		for i, c := range cells {
			t.names[i] = audit.Canonical(c)
		}
		return nil
	}
}

// separator is what stands most often in the header: a comma, a semicolon (PowerShell with -UseCulture) or a tabulator.
func separator(header []byte) byte {
	best, most := byte(','), bytes.Count(header, []byte{','})
	for _, c := range []byte{';', '\t', '|'} {
		if n := bytes.Count(header, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

func (t *table) next() ([]byte, error) {
	if len(t.waiting) > 0 {
		line := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.at++
		return line, nil
	}
	line, err := t.in.next()
	t.at = t.in.line
	return line, err
}

var errQuote = errors.New("a quote is not closed")

// row reads one row, which may go over many lines.
func (t *table) row() (line int, cells []string, err error) {
	first, err := t.next()
	line = t.at
	if err != nil {
		if errors.Is(err, errLong) {
			return line, nil, fmt.Errorf("the line is longer than %d MB", maxRecord>>20)
		}
		if !errors.Is(err, io.EOF) {
			t.bad(line, "reading stopped: %s", plain(err))
		}
		return line, nil, io.EOF
	}
	if bytes.Count(first, []byte{'"'})%2 == 0 {
		cells, err = t.split(bytes.TrimRight(first, "\r\n"))
		return line, cells, err
	}
	text := bytes.Clone(first)
	var more [][]byte
	for {
		next, err := t.next()
		if err != nil || len(text)+len(next) > maxRecord || len(more) > maxLines {
			if err == nil {
				more = append(more, bytes.Clone(next))
			}
			t.putBack(line, more)
			if errors.Is(err, io.EOF) {
				return line, nil, fmt.Errorf("%w before the file ends: it may have been cut off", errQuote)
			}
			return line, nil, errQuote
		}
		more = append(more, bytes.Clone(next))
		text = append(text, next...)
		if bytes.Count(next, []byte{'"'})%2 == 1 {
			if cells, err = t.split(bytes.TrimRight(text, "\r\n")); err != nil || len(cells) != len(t.names) && t.startsRow(next) {
				t.putBack(line, more)
				if err == nil {
					err = errQuote
				}
				return line, nil, err
			}
			return line, cells, nil
		}
	}
}

// startsRow says whether a line has the shape of a row of its own: then the row before it was never closed.
func (t *table) startsRow(line []byte) bool {
	cells, err := t.split(bytes.TrimRight(line, "\r\n"))
	return err == nil && len(cells) == len(t.names)
}

// putBack leaves lines to be read again; the row's first line is lost.
func (t *table) putBack(line int, more [][]byte) {
	t.waiting = append(more, t.waiting...)
	t.at = line
}

// split takes a row apart.
func (t *table) split(text []byte) ([]string, error) {
	cells := make([]string, 0, len(t.names))
	for {
		if len(text) > 0 && text[0] == '"' {
			cell, rest, err := quoted(text[1:])
			if err != nil {
				return nil, err
			}
			cells = append(cells, cell)
			if len(rest) == 0 {
				return cells, nil
			}
			if rest[0] != t.comma {
				return nil, errors.New("a cell goes on after its closing quote")
			}
			text = rest[1:]
			continue
		}
		i := bytes.IndexByte(text, t.comma)
		if i < 0 {
			return append(cells, string(text)), nil
		}
		cells = append(cells, string(text[:i]))
		text = text[i+1:]
	}
}

// quoted reads a cell whose opening quote has been read; two quotes stand for one.
func quoted(text []byte) (cell string, rest []byte, err error) {
	var b []byte
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return "", nil, errQuote
		}
		if i+1 < len(text) && text[i+1] == '"' {
			b = append(b, text[:i+1]...)
			text = text[i+2:]
			continue
		}
		if b == nil {
			return string(text[:i]), text[i+1:], nil
		}
		return string(append(b, text[:i]...)), text[i+1:], nil
	}
}
