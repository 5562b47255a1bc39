package offline

import (
	"bytes"
	"encoding/json"
	"testing"

	"tocsin.dev"
)

// FuzzRead: of any stream each record is a JSON object or is left to whoever decodes it, lines are counted from 1, and an error is a problem.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"Id\":\"1\"}\n{\"Id\":\n"))
	f.Add([]byte("RecordId,AuditData\n1,\"{\"\"Id\"\":\"\"x\"\"}\"\n2,\"{\"\n"))
	f.Add([]byte("Mailbox;User\na;b\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add([]byte("\xff\xfe{\x00}\x00"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, file []byte) {
		table := len(file) > 0 && !bytes.ContainsAny(file[:1], "{[ \t\r\n\x1f\xff\xfe\xef\x00")
		err := Read("f", bytes.NewReader(file), func(b Broken) {
			if b.Line < 1 || b.Reason == "" {
				t.Fatalf("%q: %+v", file, b)
			}
		}, func(line int, record []byte) error {
			if line < 1 || table && !json.Valid(record) {
				t.Fatalf("%q: line %d: %q", file, line, record)
			}
			return nil
		})
		if err != nil && tocsin.AsProblem(err).Code == tocsin.Internal {
			t.Fatalf("%q: %v", file, err)
		}
	})
}
