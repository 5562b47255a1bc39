package sim

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Truth is one thing that the simulator did. It is written before its effect can be seen.
type Truth struct {
	N       int             `json:"n"`
	Time    time.Time       `json:"time"`
	Change  string          `json:"change"` // rule.created, rule.updated, rule.deleted, settings.updated, user.updated, message.created …
	Mailbox string          `json:"mailbox,omitempty"`
	Person  string          `json:"person,omitempty"` // Entra object id
	ID      string          `json:"id,omitempty"`     // of what changed
	By      string          `json:"by"`               // graph, or the story with its line
	Action  string          `json:"action,omitempty"` // of a message: received, sent, drafted, read, unread, flagged, unflagged, categorised, replied, forwarded, moved, deleted, purged
	Of      []int           `json:"of,omitempty"`     // the changes that a delivery told of, by their n
	Status  int             `json:"status,omitempty"` // of a delivery's answer; 0: none came
	Why     string          `json:"why,omitempty"`
	Detail  json.RawMessage `json:"detail,omitempty"` // the new state, in Graph's form
}

type truth struct {
	mu    sync.Mutex
	file  *os.File
	lines []Truth // where there is no file
	n     int
	path  string
	line  []byte // the one that is written, for its room
}

// open continues a file that is there: a simulator that was killed goes on counting.
func (t *truth) open(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sim: open the truth: %w", err)
	}
	end, n, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(end) // a line that a kill cut off had no effect yet
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("sim: read the truth: %w", err)
	}
	t.file, t.path, t.n = f, path, n
	return nil
}

func wholeLines(r io.Reader) (end int64, n int, err error) {
	b := bufio.NewReader(r)
	for {
		line, err := b.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return end, n, nil
		}
		if err != nil {
			return 0, 0, err
		}
		end += int64(len(line))
		n++
	}
}

func (t *truth) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}

// tell writes what is about to happen.
func (s *Sim) tell(line Truth) error {
	_, err := s.number(line)
	return err
}

// number writes what is about to happen, and gives the number of its line.
func (s *Sim) number(line Truth) (int, error) {
	t := &s.truth
	t.mu.Lock()
	defer t.mu.Unlock()
	line.N = t.n + 1
	if line.Time.IsZero() {
		line.Time = s.clock.Now()
	}
	if t.path == "" {
		t.lines = append(t.lines, line)
	} else {
		t.line = append(line.appendJSON(t.line[:0]), '\n')
		if _, err := t.file.Write(t.line); err != nil {
			return 0, fmt.Errorf("sim: write the truth: %w", err)
		}
	}
	t.n++
	return t.n, nil
}

// Truth is everything that the simulator did, in order.
func (s *Sim) Truth() ([]Truth, error) {
	s.truth.mu.Lock()
	defer s.truth.mu.Unlock()
	if s.truth.path == "" {
		return append([]Truth{}, s.truth.lines...), nil
	}
	return ReadTruth(s.truth.path)
}

// ReadTruth reads a file of the truth. A last line that a kill cut off had no effect, and is left out.
func ReadTruth(path string) ([]Truth, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("sim: read the truth: %w", err)
	}
	var out []Truth
	for line := range bytes.Lines(b) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var t Truth
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, fmt.Errorf("sim: read the truth: %w", err)
		}
		out = append(out, t)
	}
	return out, nil
}

// Acknowledged are the changes, by their n, of which somebody was told and answered with 2xx.
func Acknowledged(lines []Truth) map[int]bool {
	out := map[int]bool{}
	for i := range lines {
		if l := &lines[i]; l.Change == "delivery.answered" && l.Status/100 == 2 {
			for _, n := range l.Of {
				out[n] = true
			}
		}
	}
	return out
}

// appendJSON writes the line as encoding/json would, at a fraction of the cost.
func (l *Truth) appendJSON(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"n":`...), int64(l.N), 10)
	b = append(l.Time.AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano), '"')
	b = appendString(append(b, `,"change":`...), l.Change)
	for _, m := range [...]struct{ name, text string }{{`,"mailbox":`, l.Mailbox}, {`,"person":`, l.Person}, {`,"id":`, l.ID}} {
		if m.text != "" {
			b = appendString(append(b, m.name...), m.text)
		}
	}
	b = appendString(append(b, `,"by":`...), l.By)
	if l.Action != "" {
		b = appendString(append(b, `,"action":`...), l.Action)
	}
	for i, n := range l.Of {
		if i == 0 {
			b = append(b, `,"of":[`...)
		} else {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	if len(l.Of) > 0 {
		b = append(b, ']')
	}
	if l.Status != 0 {
		b = strconv.AppendInt(append(b, `,"status":`...), int64(l.Status), 10)
	}
	if l.Why != "" {
		b = appendString(append(b, `,"why":`...), l.Why)
	}
	if len(l.Detail) > 0 {
		b = append(append(b, `,"detail":`...), l.Detail...)
	}
	return append(b, '}')
}

// Rules are a mailbox's inbox rules in their order, in Graph's form.
func (s *Sim) Rules(mailbox string) ([]json.RawMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.world.find(mailbox)
	if p == nil {
		return nil, fmt.Errorf("sim: there is nobody called %q", mailbox)
	}
	var out []json.RawMessage
	for _, r := range s.world.look(p).rules {
		out = append(out, append(json.RawMessage{}, r.json...))
	}
	return out, nil
}

// Digest is a hash of every mailbox's rules, settings and messages (folder, read state, flag with its days, categories), by address, so that
// two states can be compared.
func (s *Sim) Digest() map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string]string{}
	for i := range s.world.count() {
		p := s.world.person(i)
		if p == nil || !p.hasBox() {
			continue
		}
		h := sha256.New()
		b := s.world.look(p)
		h.Write(b.encoded)
		h.Write(appendObject(nil, s.world.settings(p)))
		for _, m := range b.messages {
			if !m.gone {
				io.WriteString(h, s.world.messageID(p.i, m, true)+strconv.Itoa(m.folder)+strconv.FormatBool(m.read)+m.flagState()+strings.Join(m.categories, "\x00"))
			}
		}
		out[strings.ToLower(p.mail)] = hex.EncodeToString(h.Sum(nil)[:16])
	}
	return out
}
