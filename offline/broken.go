package offline

import (
	"fmt"
	"io"
	"strings"
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
			return r.readCSV(s)
		}
	}
}

// plain is an error's text, for a reason: without the package's name before it.
func plain(err error) string {
	s := err.Error()
	for _, p := range []string{"json: ", "csv: ", "gzip: ", "invalid character "} {
		if rest, ok := strings.CutPrefix(s, p); ok && p != "invalid character " {
			s = rest
		}
	}
	return s
}
