package offline

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"tocsin.dev/detect/audit"
)

// Broken is a piece of a file that could not be read.
type Broken struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // of its beginning, from 1
	Reason string `json:"reason"`
}

func (b Broken) String() string { return fmt.Sprintf("%s:%d: %s", b.File, b.Line, b.Reason) }

// maxRecord is how large one record may be, in bytes: Microsoft's are held to 4 MB.
const maxRecord = 32 << 20

// raw is one record as it stands in a file: a JSON object, or a row with the names of its columns.
type raw struct {
	line  int
	json  []byte
	names []string // of a CSV row: the columns, by canonical name
	cells []string
}

// entry brings the record into the form the rules read; whole also what no detection of Tocsin's looks at.
func (r raw) entry(whole bool) (audit.Entry, error) {
	switch {
	case r.json == nil && whole:
		return audit.WholeRow(r.names, r.cells)
	case r.json == nil:
		return audit.Row(r.names, r.cells)
	case whole:
		return audit.Whole(r.json)
	}
	return audit.Parse(r.json)
}

// reader reads the records of one file, in the file's order, and says which pieces are broken.
type reader struct {
	file   string
	before int             // empty lines before the first record
	yield  func(raw) error // what it returns ends the reading
	broken func(Broken)
}

func (r *reader) bad(line int, format string, args ...any) {
	r.broken(Broken{File: r.file, Line: line, Reason: fmt.Sprintf(format, args...)})
}

// read finds the form by the first characters: JSON, or a table.
func (r *reader) read(s *source) error {
	for {
		head, err := s.Peek(1)
		if err == io.EOF {
			r.bad(1, "the file is empty")
			return nil
		}
		if err != nil {
			r.bad(1, "reading stopped: %s", plain(err))
			return nil
		}
		switch head[0] {
		case '{', '[':
			return r.readJSON(s)
		case ' ', '\t', '\r', '\n':
			if head[0] == '\n' {
				r.before++
			}
			if _, err := s.Discard(1); err != nil {
				return err
			}
		default:
			if head, _ := s.Peek(512); noText(head) {
				r.bad(1, "%s", notLog)
				return nil
			}
			return r.readCSV(s)
		}
	}
}

// notLog is what is said of a file that is no log at all.
const notLog = "this is not a log: neither JSON nor CSV with known columns"

// noText says whether the beginning of a file is no text: it has a null, or more than a tenth of it is no character.
func noText(head []byte) bool {
	odd := 0
	for text := head; len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == 0:
			return true
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\r' && r != '\n':
			odd++
		}
		text = text[size:]
	}
	return odd*10 > len(head)
}

// plain is an error's text for a reason, in words that ask for no knowledge of Go.
func plain(err error) string {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the file was cut off (gzip)"
	case errors.As(err, &corrupt), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return "the compressed data is damaged (gzip)"
	}
	return audit.Reason(err)
}
