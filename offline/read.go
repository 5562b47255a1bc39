package offline

import (
	"encoding/json"
	"io"
	"strings"
)

// Read reads a file that comes as a stream: JSON, JSON lines or a table, compressed by gzip or not, in UTF-8 or UTF-16. It gives each
// record as a JSON object with the line it begins in; a table's row has its columns by canonical name, or is the record that it
// carries as AuditData. What is broken is told to broken and left out. An error is one of yield, or says that the file is none to read.
func Read(name string, from io.Reader, broken func(Broken), yield func(line int, record []byte) error) error {
	s := &source{}
	if err := s.decode(name, from); err != nil {
		return err
	}
	r := &reader{file: name, broken: broken}
	r.yield = func(one raw) error {
		if one.json != nil {
			return yield(one.line, one.json)
		}
		text, err := one.object()
		if err != nil {
			r.bad(one.line, "%s", plain(err))
			return nil
		}
		return yield(one.line, text)
	}
	err := r.read(s)
	_ = s.Close() // what is wrong with compressed data was told where it is
	return err
}

// object is a table's row as a JSON object: the record in its AuditData, where that has an id of its own, else the cells.
func (r raw) object() ([]byte, error) {
	row := make(map[string]string, len(r.names))
	for i, name := range r.names {
		if old, ok := row[name]; !ok || old == "" {
			row[name] = r.cells[i]
		}
	}
	for _, name := range []string{"auditdata", "raweventdata"} {
		text := strings.TrimSpace(row[name])
		var record struct{ ID string }
		if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &record) == nil && record.ID != "" {
			return []byte(text), nil
		}
	}
	return json.Marshal(row)
}
