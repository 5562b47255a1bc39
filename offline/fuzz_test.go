package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"tocsin.dev"
)

// samples seeds a fuzz test with the samples whose names match.
func samples(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(files) == 0 {
			f.Fatalf("no samples %s: %v", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b[:min(len(b), 6000)])
		}
	}
}

// FuzzAnalyze gives any bytes to the whole: it neither panics nor fails, and what it counts adds up.
func FuzzAnalyze(f *testing.F) {
	samples(f, "*.json", "*.jsonl", "*.csv")
	f.Add([]byte("\xff\xfe{\x00}\x00"))
	f.Add([]byte("sep=;\r\na;b\r\n1;2\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.HasPrefix(b, []byte("PK")) || bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
			return
		}
		sum, err := Analyze(context.Background(), Options{Files: []string{"-"}, Stdin: bytes.NewReader(b)}, func(x tocsin.Finding) {
			if len(x.Evidence) == 0 || x.Rule == "" {
				t.Errorf("finding %+v", x)
			}
			if err := WriteJSON(&bytes.Buffer{}, x); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if sum.Records != sum.Judged+sum.Repeated+sum.Silent {
			t.Errorf("%d records, but %d judged, %d repeated, %d silent", sum.Records, sum.Judged, sum.Repeated, sum.Silent)
		}
	})
}

// FuzzJSON finds the records of any JSON, however broken, and gives them on only whole.
func FuzzJSON(f *testing.F) {
	samples(f, "*.json", "*.jsonl")
	f.Add([]byte(`{"value":[{"a":1},{"b":[{"c":"]"}]}],"x":2}`))
	f.Add([]byte("[\n {\"a\": \"open\n },\n {\"b\":1}\n]"))
	f.Add([]byte(`{"tables":[{"columns":[{"name":"Id"}],"rows":[["x"],["y",1]]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) { readAll(t, b, true) })
}

// FuzzCSV reads any table; each row it gives has as many cells as the header.
func FuzzCSV(f *testing.F) {
	samples(f, "*.csv")
	f.Add([]byte("a,b\n\"x\"\"y\",z\n\"multi\nline\",1\n\"open,2\nnext,3\n"))
	f.Fuzz(func(t *testing.T, b []byte) { readAll(t, b, false) })
}

func readAll(t *testing.T, b []byte, asJSON bool) {
	t.Helper()
	s, err := open("-", bytes.NewReader(b), nil)
	if err != nil {
		return
	}
	last := 0
	r := &reader{
		file: "x",
		yield: func(one raw) error {
			if one.json != nil && (len(one.json) == 0 || one.json[0] != '{') || len(one.names) != len(one.cells) {
				t.Errorf("record %+v", one)
			}
			if one.line < 1 {
				t.Errorf("line %d", one.line)
			}
			if _, err := one.entry(false); err == nil && one.json != nil && !json.Valid(one.json) {
				t.Errorf("%s was taken for a record", one.json)
			}
			return nil
		},
		broken: func(b Broken) {
			if b.Line < 1 || b.Reason == "" {
				t.Errorf("broken %+v", b)
			}
			last = b.Line
		},
	}
	if asJSON {
		err = r.readJSON(s)
	} else {
		err = r.readCSV(s)
	}
	if err != nil {
		t.Errorf("after line %d: %v", last, err)
	}
}
