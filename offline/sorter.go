package offline

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"tocsin.dev/detect"
)

// runSize is how many bytes of records are held in memory before they are written out as a sorted run.
const runSize = 64 << 20

// sorter gives records back in the order of their event time; those of one time in the order of their ids, so that the result
// does not depend on the order of the files. What does not fit in memory is encoded and written to a temporary file in sorted
// runs, which are merged.
type sorter struct {
	dir  string // of the temporary file; empty is the system's
	size int    // bytes a run may have
	held []held
	used int
	file *os.File
	at   int64
	runs []section
}

type section struct{ from, size int64 }

// held is a record with what it is sorted by.
type held struct {
	time   int64  // Unix nanoseconds; those without a time come first
	id     string // what tells the record apart from others of its time
	record *detect.Record
	text   []byte // the record encoded, from the temporary file
}

func (h *held) before(other *held) int {
	switch {
	case h.time < other.time:
		return -1
	case h.time > other.time:
		return 1
	}
	return strings.Compare(h.id, other.id)
}

// add takes a record in under what tells it apart from others: its id, or a hash where it has none. size is about what it
// holds in memory, in bytes.
func (s *sorter) add(r *detect.Record, id string, size int) error {
	h := held{id: id, record: r}
	if !r.Time.IsZero() {
		h.time = r.Time.UnixNano()
	}
	s.held = append(s.held, h)
	if s.used += size + len(id); s.used >= s.size {
		return s.spill()
	}
	return nil
}

// spill writes what is held as a sorted run.
func (s *sorter) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "tocsin-analyze-*")
		if err != nil {
			return fmt.Errorf("make a temporary file: %w", err)
		}
		s.file = f
	}
	slices.SortFunc(s.held, func(a, b held) int { return a.before(&b) })
	w := bufio.NewWriterSize(s.file, 1<<20)
	from := s.at
	for i := range s.held {
		n, err := s.held[i].write(w)
		if err != nil {
			return fmt.Errorf("write the temporary file: %w", err)
		}
		s.at += int64(n)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the temporary file: %w", err)
	}
	s.runs = append(s.runs, section{from, s.at - from})
	clear(s.held)
	s.held, s.used = s.held[:0], 0
	return nil
}

// write puts the record down as: time, length of id, id, length of text, text.
func (h *held) write(w io.Writer) (int, error) {
	text, err := json.Marshal(h.record)
	if err != nil {
		return 0, err
	}
	head := binary.BigEndian.AppendUint64(make([]byte, 0, 24+len(h.id)), uint64(h.time))
	head = binary.AppendUvarint(head, uint64(len(h.id)))
	head = append(head, h.id...)
	head = binary.AppendUvarint(head, uint64(len(text)))
	n, err := w.Write(head)
	if err != nil {
		return n, err
	}
	m, err := w.Write(text)
	return n + m, err
}

func readHeld(r *bufio.Reader) (h held, err error) {
	var head [8]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return h, err
	}
	h.time = int64(binary.BigEndian.Uint64(head[:]))
	id, err := readPart(r)
	if err != nil {
		return h, err
	}
	h.id = string(id)
	h.text, err = readPart(r)
	return h, err
}

func readPart(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > 2*maxRecord {
		return nil, errors.New("the temporary file is damaged")
	}
	part := make([]byte, n)
	_, err = io.ReadFull(r, part)
	return part, err
}

// each gives every record once, in order; repeated is told how often a record with an id was there again.
func (s *sorter) each(give func(*detect.Record) error, repeated func()) error {
	slices.SortFunc(s.held, func(a, b held) int { return a.before(&b) })
	m := &merge{}
	if err := s.sources(m); err != nil {
		return err
	}
	heap.Init(m)
	last := held{}
	for any := false; m.Len() > 0; any = true {
		top := m.heads[0].head
		if err := m.advance(); err != nil {
			return fmt.Errorf("read the temporary file: %w", err)
		}
		if any && top.time == last.time && top.id == last.id {
			repeated()
			continue
		}
		last = held{time: top.time, id: top.id}
		r, err := top.decoded()
		if err != nil {
			return err
		}
		if err := give(r); err != nil {
			return err
		}
	}
	return nil
}

func (h *held) decoded() (*detect.Record, error) {
	if h.record != nil {
		return h.record, nil
	}
	var r detect.Record
	if err := json.Unmarshal(h.text, &r); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	return &r, nil
}

func (s *sorter) sources(m *merge) error {
	buffer := 64 << 10
	if len(s.runs) > 256 { // many runs share what memory a run had
		buffer = max(4<<10, s.size/len(s.runs))
	}
	for _, run := range s.runs {
		r := &sortedRun{in: bufio.NewReaderSize(io.NewSectionReader(s.file, run.from, run.size), buffer)}
		if err := r.next(); err != nil {
			return fmt.Errorf("read the temporary file: %w", err)
		}
		m.heads = append(m.heads, r)
	}
	if len(s.held) > 0 {
		r := &sortedRun{rest: s.held}
		if err := r.next(); err != nil {
			return err
		}
		m.heads = append(m.heads, r)
	}
	return nil
}

// Close removes the temporary file.
func (s *sorter) Close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// sortedRun is one sorted run being read: a section of the file, or what is still held.
type sortedRun struct {
	in   *bufio.Reader
	rest []held
	head held
}

func (r *sortedRun) next() (err error) {
	if r.in != nil {
		r.head, err = readHeld(r.in)
		return err
	}
	if len(r.rest) == 0 {
		return io.EOF
	}
	r.head = r.rest[0]
	r.rest[0] = held{} // what has been given is held no longer
	r.rest = r.rest[1:]
	return nil
}

// merge is a heap of runs by their next record.
type merge struct{ heads []*sortedRun }

func (m *merge) Len() int           { return len(m.heads) }
func (m *merge) Less(i, j int) bool { return m.heads[i].head.before(&m.heads[j].head) < 0 }
func (m *merge) Swap(i, j int)      { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merge) Push(x any)         { m.heads = append(m.heads, x.(*sortedRun)) }
func (m *merge) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}

// advance takes the first record away.
func (m *merge) advance() error {
	err := m.heads[0].next()
	switch {
	case errors.Is(err, io.EOF):
		heap.Pop(m)
	case err != nil:
		return err
	default:
		heap.Fix(m, 0)
	}
	return nil
}
