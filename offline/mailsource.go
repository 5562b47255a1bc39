package offline

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/mail"
	"tocsin.dev/query"
)

// matcher matches a query against the mails in files: one goroutine reads, several parse and match, and what they say comes in
// the order of the files.
type matcher struct {
	query  *query.Query
	now    time.Time
	stdin  io.Reader
	notes  io.Writer
	passed int // files that are no mail
}

// letter is a mail on its way.
type letter struct {
	n    int
	path string
	raw  []byte
	err  error
	out  matched
}

// inFlight bounds the bytes of mails that are read and not yet matched; one mail may be more than that alone.
const inFlight = 64 << 20

func (m *matcher) match(ctx context.Context, paths []string, tell func(matched) error) error {
	g, ctx := errgroup.WithContext(ctx)
	in, out := make(chan *letter, 64), make(chan *letter, 64)
	budget := newBudget(inFlight)
	g.Go(func() error {
		defer close(in)
		n := 0
		give := func(h *letter) error {
			h.n = n
			n++
			if err := budget.take(ctx, len(h.raw)); err != nil {
				return err
			}
			select {
			case in <- h:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for _, path := range paths {
			if err := m.path(ctx, path, give); err != nil {
				return err
			}
		}
		return nil
	})
	parts := m.query.Parts()
	var working sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)) {
		working.Add(1)
		g.Go(func() error {
			defer working.Done()
			for h := range in {
				size := len(h.raw)
				h.out = m.one(h, parts)
				h.raw = nil
				budget.give(size)
				select {
				case out <- h:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	g.Go(func() error { working.Wait(); close(out); return nil })
	g.Go(func() error {
		early, next := map[int]*letter{}, 0
		for h := range out {
			early[h.n] = h
			for early[next] != nil {
				if err := tell(early[next].out); err != nil {
					return err
				}
				delete(early, next)
				next++
			}
		}
		return nil
	})
	return g.Wait()
}

func (m *matcher) one(h *letter, parts mail.Parts) matched {
	if h.err != nil {
		return matched{path: h.path, err: h.err}
	}
	read := mail.ParseParts(h.raw, parts)
	d := query.DocOf(read)
	d.Now = m.now
	truth, why := m.query.Match(d)
	return matched{path: h.path, truth: truth, why: why, unread: read.Faults}
}

// path gives the mails of a file, or of the files in a folder.
func (m *matcher) path(ctx context.Context, path string, give func(*letter) error) error {
	if path == "-" {
		return m.mails("standard input", m.stdin, give)
	}
	info, err := os.Stat(path)
	if err != nil {
		return give(&letter{path: path, err: openProblem(path, err)})
	}
	if !info.IsDir() {
		return m.file(path, true, give)
	}
	return filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return give(&letter{path: at, err: openProblem(at, err)})
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return m.file(at, false, give)
	})
}

// file gives the mails of a file. One that was not named itself is passed over where it is no mail.
func (m *matcher) file(path string, named bool, give func(*letter) error) error {
	f, err := os.Open(path)
	if err != nil {
		return give(&letter{path: path, err: openProblem(path, err)})
	}
	defer f.Close()
	b := bufio.NewReaderSize(f, bufferSize)
	head, _ := b.Peek(8192)
	var from io.Reader = b
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return give(&letter{path: path, err: tocsin.Problemf(tocsin.Invalid, "Compress it again, or give it uncompressed.", "%s begins like gzip and is none.", path)})
		}
		unpacked := bufio.NewReaderSize(z, bufferSize)
		head, _ = unpacked.Peek(8192)
		from = unpacked
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")) && (named || strings.EqualFold(filepath.Ext(path), ".msg")):
		return give(&letter{path: path, err: tocsin.Problemf(tocsin.Invalid, "Save the mail as .eml, or its mailbox as mbox.", "%s is in Outlook's own format.", path)})
	}
	if !named && !isMail(head) && !strings.EqualFold(filepath.Ext(path), ".eml") && !strings.EqualFold(filepath.Ext(path), ".mbox") {
		m.passed++
		return nil
	}
	return m.mails(path, from, give)
}

// mailFields are fields by which a mail is known.
var mailFields = regexp.MustCompile(`(?mi)^(from|to|subject|date|received|return-path|message-id|mime-version|content-type|delivered-to):`)

// isMail says whether a file's beginning is that of a mail or mbox.
func isMail(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), "\r\n")
	if between.Match(head[:min(len(head), 300)]) {
		return true
	}
	if i := bytes.Index(head, []byte("\n\n")); i >= 0 {
		head = head[:i]
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	for _, c := range name {
		if c <= ' ' || c >= 127 {
			return false
		}
	}
	return len(mailFields.FindAll(head, 2)) == 2
}

// between is the line before each mail of an mbox: https://www.rfc-editor.org/rfc/rfc4155
var between = regexp.MustCompile(`^From .{0,200}\d{1,2}:\d{2}`)

// mails gives the mail in a file, or each of those in an mbox, whose paths have "#" and a number behind.
func (m *matcher) mails(path string, from io.Reader, give func(*letter) error) error {
	b := bufio.NewReaderSize(from, bufferSize)
	head, _ := b.Peek(300)
	if !between.Match(head) {
		raw, err := io.ReadAll(io.LimitReader(b, mail.MaxSize+1))
		if err != nil {
			return give(&letter{path: path, err: readProblem(path, err)})
		}
		if len(raw) == 0 {
			return give(&letter{path: path, err: tocsin.Problemf(tocsin.Invalid, "Give a mail.", "%s is empty.", path)})
		}
		return give(&letter{path: path, raw: raw})
	}
	var raw []byte
	n, blank, cut := 0, true, false
	send := func(last bool) error {
		if raw == nil {
			return nil
		}
		n++
		h := &letter{path: fmt.Sprintf("%s#%d", path, n), raw: raw}
		if n == 1 && last {
			h.path = path
		}
		raw, cut = nil, false
		return give(h)
	}
	whole := true // the line read before ended
	for {
		line, err := b.ReadSlice('\n')
		if whole && blank && between.Match(line) {
			if err := send(false); err != nil {
				return err
			}
			raw = []byte{}
		}
		if len(raw)+len(line) <= mail.MaxSize+1 {
			raw = append(raw, line...)
		} else if !cut {
			cut, raw = true, append(raw, line[:mail.MaxSize+1-len(raw)]...)
		}
		blank = whole && len(bytes.TrimRight(line, "\r\n")) == 0
		whole = !errors.Is(err, bufio.ErrBufferFull)
		if err == nil || !whole {
			continue
		}
		if !errors.Is(err, io.EOF) {
			if sent := send(false); sent != nil {
				return sent
			}
			return give(&letter{path: path, err: readProblem(path, err)})
		}
		return send(true)
	}
}

func readProblem(path string, err error) error {
	p := tocsin.Problemf(tocsin.Invalid, "Copy it again; what came before was read.", "%s cannot be read to its end.", path)
	p.Err = err
	return p
}

// budget bounds how many bytes are held at once.
type budget struct {
	mu    sync.Mutex
	left  int
	whole int
	freed chan struct{}
}

func newBudget(n int) *budget { return &budget{left: n, whole: n, freed: make(chan struct{}, 1)} }

// take waits until n bytes are free, or all are.
func (b *budget) take(ctx context.Context, n int) error {
	for {
		b.mu.Lock()
		if b.left >= n || b.left == b.whole {
			b.left -= n
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		select {
		case <-b.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) give(n int) {
	b.mu.Lock()
	b.left += n
	b.mu.Unlock()
	select {
	case b.freed <- struct{}{}:
	default:
	}
}
