package offline

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/audit"
	"tocsin.dev/learn"
)

// mailRow is a mail as a file has it.
type mailRow struct {
	at    int64 // Unix milliseconds
	from  string
	to    []string
	files int32
	bytes int64
	id    string
}

// mailReader reads the metadata of mail, in any of the forms that backtest takes.
type mailReader struct {
	rows  []mailRow
	bad   int
	notes io.Writer
}

// file reads one file. What cannot be read of it is told and counted.
func (r *mailReader) file(name string, stdin io.Reader) error {
	s, err := open(name, stdin, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := r.read(fileName(name), s.Reader); err != nil {
		return tocsin.Problemf(tocsin.Invalid, "Give CSV with the header time,sender,recipients, JSON lines with these members, or lines of sender, recipient and Unix time.", "%s cannot be read: %s.", clean(fileName(name)), clean(err.Error()))
	}
	return nil
}

func (r *mailReader) read(name string, b *bufio.Reader) error {
	head, _ := b.Peek(4096)
	first, _, _ := bytes.Cut(bytes.TrimLeft(head, " \t\r\n"), []byte("\n"))
	fields := strings.Fields(string(first))
	switch {
	case bytes.HasPrefix(first, []byte("{")):
		return r.json(name, b)
	case len(fields) == 3 && !bytes.ContainsAny(first, ",;") && numeric(fields[2]), bytes.HasPrefix(first, []byte("%")), bytes.HasPrefix(first, []byte("#")):
		return r.pairs(name, b)
	}
	return r.csv(name, b)
}

func numeric(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// wrong tells of a line that cannot be read; of the first 20.
func (r *mailReader) wrong(name string, line int, err error) {
	if r.bad++; r.bad <= 20 {
		fmt.Fprintf(r.notes, "%s:%d: %s\n", clean(name), line, clean(err.Error()))
	}
}

func (r *mailReader) csv(name string, b *bufio.Reader) error {
	c := csv.NewReader(b)
	c.FieldsPerRecord, c.LazyQuotes, c.ReuseRecord = -1, true, true
	head, err := c.Read()
	if err != nil {
		return errors.New("there is no header")
	}
	at := map[string]int{}
	for i, h := range head {
		at[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, need := range []string{"time", "sender", "recipients"} {
		if _, ok := at[need]; !ok {
			return fmt.Errorf("its header has no %s", need)
		}
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := c.FieldPos(0)
		if err != nil {
			var broken *csv.ParseError
			if !errors.As(err, &broken) {
				return err
			}
			r.wrong(name, broken.Line, broken.Err)
			continue
		}
		cell := func(h string) string {
			if i, ok := at[h]; ok && i < len(row) {
				return strings.Clone(strings.TrimSpace(row[i]))
			}
			return ""
		}
		x := mailRow{files: learn.Unknown, from: cell("sender"), to: strings.Split(cell("recipients"), ";"), id: cell("message_id")}
		if x.at, err = mailTime(cell("time")); err != nil {
			r.wrong(name, line, err)
			continue
		}
		if s := cell("attachments"); s != "" {
			if x.files, err = mailFiles(s); err != nil {
				r.wrong(name, line, err)
				continue
			}
		}
		if n, err := strconv.ParseInt(cell("bytes"), 10, 64); err == nil {
			x.bytes = n
		}
		r.add(name, line, x)
	}
}

func (r *mailReader) json(name string, b *bufio.Reader) error {
	in := lineReader{src: b}
	for {
		text, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if errors.Is(err, errLong) {
				r.wrong(name, in.line, err)
				continue
			}
			return err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var o struct {
			Time        json.RawMessage `json:"time"`
			Sender      string          `json:"sender"`
			Recipients  json.RawMessage `json:"recipients"`
			Attachments json.RawMessage `json:"attachments"`
			Bytes       float64         `json:"bytes"`
			ID          string          `json:"message_id"`
		}
		if err := json.Unmarshal(text, &o); err != nil {
			r.wrong(name, in.line, errors.New("it is no JSON object of a mail"))
			continue
		}
		x := mailRow{files: learn.Unknown, from: o.Sender, bytes: int64(o.Bytes), id: o.ID}
		if x.at, err = mailTime(strings.Trim(string(o.Time), `"`)); err != nil {
			r.wrong(name, in.line, err)
			continue
		}
		var joined string
		if json.Unmarshal(o.Recipients, &x.to) != nil && json.Unmarshal(o.Recipients, &joined) == nil {
			x.to = strings.Split(joined, ";")
		}
		if s := strings.Trim(string(o.Attachments), `"`); s != "" && s != "null" {
			if x.files, err = mailFiles(s); err != nil {
				r.wrong(name, in.line, err)
				continue
			}
		}
		r.add(name, in.line, x)
	}
}

// pairs reads lines of sender, recipient and Unix time, as message networks are published.
func (r *mailReader) pairs(name string, b *bufio.Reader) error {
	in := lineReader{src: b}
	for {
		text, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if errors.Is(err, errLong) {
				r.wrong(name, in.line, err)
				continue
			}
			return err
		}
		w := strings.Fields(string(text))
		if len(w) == 0 || strings.HasPrefix(w[0], "%") || strings.HasPrefix(w[0], "#") {
			continue
		}
		if len(w) < 3 {
			r.wrong(name, in.line, errors.New("it has no sender, recipient and time"))
			continue
		}
		at, err := mailTime(w[len(w)-1])
		if err != nil {
			r.wrong(name, in.line, err)
			continue
		}
		r.add(name, in.line, mailRow{at: at, from: w[0], to: w[1:2], files: learn.Unknown})
	}
}

func (r *mailReader) add(name string, line int, x mailRow) {
	x.from = tocsin.CanonicalAddress(x.from)
	to := x.to[:0]
	for _, a := range x.to {
		if a = tocsin.CanonicalAddress(a); a != "" && !slices.Contains(to, a) {
			to = append(to, a)
		}
	}
	x.to = to
	if x.from == "" || len(to) == 0 {
		r.wrong(name, line, errors.New("it has no sender or no recipient"))
		return
	}
	r.rows = append(r.rows, x)
}

// mails is what was read as mails, in order of time. What is told of the same id, sender and time is one mail, as exports
// with a line for each recipient have it.
func (r *mailReader) mails(names *learn.Names) []learn.Mail {
	slices.SortStableFunc(r.rows, func(a, b mailRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.from, b.from), cmp.Compare(a.id, b.id), slices.Compare(a.to, b.to))
	})
	l := make([]learn.Mail, 0, len(r.rows))
	type same struct {
		id, from string
		at       int64
	}
	seen := map[same]int{}
	for _, x := range r.rows {
		if x.id != "" {
			k := same{x.id, x.from, x.at}
			if i, again := seen[k]; again {
				for _, a := range x.to {
					if to := names.Of(a); !slices.Contains(l[i].To, to) {
						l[i].To = append(l[i].To, to)
					}
				}
				continue
			}
			seen[k] = len(l)
		}
		m := learn.Mail{At: x.at, From: names.Of(x.from), Files: x.files, Bytes: x.bytes, ID: x.id}
		for _, a := range x.to {
			m.To = append(m.To, names.Of(a))
		}
		l = append(l, m)
	}
	return l
}

// mailTime reads RFC 3339, the forms of exports (without a zone they are UTC), and Unix seconds or milliseconds.
func mailTime(s string) (int64, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && math.Abs(f) < 4e14 {
		if math.Abs(f) < 1e11 {
			f *= 1000
		}
		return within(int64(f), s)
	}
	if t := audit.Time(s); !t.IsZero() {
		return within(t.UnixMilli(), s)
	}
	return 0, fmt.Errorf("%q is no time", s)
}

// within refuses times that no mail has: before 1970 and after 2100.
func within(ms int64, s string) (int64, error) {
	if ms < 0 || ms > time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		return 0, fmt.Errorf("%q is no time of a mail", s)
	}
	return ms, nil
}

// mailFiles reads a number of attachments, or whether there are any.
func mailFiles(s string) (int32, error) {
	switch strings.ToLower(s) {
	case "true", "yes":
		return 1, nil
	case "false", "no":
		return 0, nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0) {
		return 0, fmt.Errorf("%q is no number of attachments", s)
	}
	return int32(min(n, 1e6)), nil
}
