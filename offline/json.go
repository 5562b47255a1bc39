package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"tocsin.dev/detect/audit"
)

// readJSON reads JSON lines, an array, an object that holds an array of records, or objects one after the other.
func (r *reader) readJSON(s *source) error {
	first, err := s.Peek(bufferSize)
	if err != nil && !errors.Is(err, io.EOF) && len(first) == 0 {
		r.bad(1, "reading stopped: %s", plain(err))
		return nil
	}
	line, _, whole := bytes.Cut(first, []byte{'\n'})
	if line = bytes.TrimSpace(line); whole && len(line) > 0 && line[0] == '{' && json.Valid(line) && !wraps(line) {
		return r.readLines(s)
	}
	return r.readValues(s)
}

// readLines reads one object a line.
func (r *reader) readLines(s *source) error {
	in := lineReader{src: s.Reader, line: r.before}
	for {
		line, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errLong):
			r.bad(in.line, "the line is longer than %d MB", maxRecord>>20)
			continue
		case err != nil:
			r.bad(in.line+1, "reading stopped: %s", plain(err))
			return nil
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if err := r.object(in.line, text); err != nil {
				return err
			}
		}
	}
}

// object gives a text on as a record if it looks like a JSON object; whether it is one is found when it is decoded.
func (r *reader) object(line int, text []byte) error {
	if text[0] != '{' {
		if json.Valid(text) {
			r.bad(line, "the line is no object")
		} else {
			r.bad(line, "%s", audit.Invalid(text))
		}
		return nil
	}
	return r.yield(raw{line: line, json: text})
}

// lists are the members in which exports keep their records: Graph's value, Azure's records, Log Analytics' tables.
var lists = map[string]bool{"value": true, "records": true, "data": true, "results": true, "events": true, "tables": true, "rows": true}

// wraps says whether a whole line is an object around a list of records.
func wraps(line []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil {
		return false
	}
	for name, v := range members {
		if lists[strings.ToLower(name)] && bytes.HasPrefix(bytes.TrimSpace(v), []byte("[{")) {
			return true
		}
		if strings.EqualFold(name, "tables") {
			return true
		}
	}
	return false
}
