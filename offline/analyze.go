package offline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
	"tocsin.dev/detect/sigma"
)

// Options say what to read and by what to judge.
type Options struct {
	Files      []string           // "-" is Stdin
	Stdin      io.Reader          // read for "-"
	Progress   io.Writer          // a terminal for the progress bar; nil for none
	Domains    []string           // accepted domains; empty: found in the records
	Partners   []string           // trusted partner domains or addresses
	Networks   detect.Networks    // that the organisation told of
	Exceptions []detect.Exception // what is excused
	Rules      *sigma.Set         // rules of one's own; may be nil
	Broken     func(Broken)       // told of each broken piece as it is met; may be nil
	TempDir    string             // for sorting what does not fit in memory; empty is the system's
	RunSize    int                // bytes of records held for sorting; zero is 64 MB
}

// batch is how many records go from reader to workers at once.
const batch = 256

// Analyze reads the files, judges what is in them and gives the findings to emit, in the order of time, after all was read. A
// broken piece is told to Options.Broken and counted in the summary; it is no error. An error is a file that cannot be opened,
// a disk that is full, or ctx's end.
func Analyze(ctx context.Context, opt Options, emit func(tocsin.Finding)) (Summary, error) {
	a := &analysis{opt: opt, seen: newSeen(), domains: newDomains(opt.Domains), sorter: sorter{dir: opt.TempDir, size: opt.RunSize}}
	if a.sorter.size <= 0 {
		a.sorter.size = runSize
	}
	a.understood = map[string]bool{}
	a.sum = Summary{Shapes: map[string]int{}, Operations: map[string]int{}, Findings: map[tocsin.Severity]int{}}
	err := a.read(ctx)
	if err == nil {
		err = a.judge(ctx, emit)
	}
	return a.sum, errors.Join(err, a.sorter.Close())
}

type analysis struct {
	opt     Options
	sum     Summary
	seen    *seen
	domains *domains
	sorter  sorter

	understood map[string]bool // files with a record of a known form
}

// piece is what the reading of a file brings: records, or a broken piece.
type piece struct {
	n       int // pieces are collected in the order in which they were read
	file    string
	raws    []raw
	normals []audit.Entry
	failed  []error // by record; nil where it was understood
	broken  []Broken
}

// read brings all records of all files into the sorter: one goroutine reads, several normalise, this one collects.
func (a *analysis) read(ctx context.Context) error {
	bar := newBar(a.opt.Progress, a.opt.Files)
	defer bar.finish()
	g, ctx := errgroup.WithContext(ctx)
	in, out := make(chan *piece, 8), make(chan *piece, 8)
	g.Go(func() error {
		defer close(in)
		number := 0
		for _, file := range a.opt.Files {
			if err := readFile(ctx, file, a.opt.Stdin, bar, in, &number); err != nil {
				return err
			}
		}
		return nil
	})
	var working sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		working.Add(1)
		g.Go(func() error {
			defer working.Done()
			for p := range in {
				p.normalise(a.opt.Rules)
				select {
				case out <- p:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	g.Go(func() error { working.Wait(); close(out); return nil })
	g.Go(func() error {
		early, next := map[int]*piece{}, 0
		for p := range out {
			early[p.n] = p
			for early[next] != nil {
				if err := a.collect(early[next]); err != nil {
					return err
				}
				delete(early, next)
				next++
			}
		}
		return nil
	})
	err := g.Wait()
	a.sum.Files, a.sum.Bytes = len(a.opt.Files), bar.read
	for _, file := range a.opt.Files {
		if !a.understood[file] && !slices.Contains(a.sum.Unjudged, file) {
			a.sum.Unjudged = append(a.sum.Unjudged, file)
		}
	}
	return err
}

// readFile sends the records of a file in pieces.
func readFile(ctx context.Context, file string, stdin io.Reader, bar *bar, in chan<- *piece, number *int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := open(file, stdin, bar)
	if err != nil {
		return err
	}
	p := &piece{file: file}
	send := func() error {
		p.n = *number
		*number++
		select {
		case in <- p:
			p = &piece{file: file}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	size := 0
	r := &reader{
		file: file,
		yield: func(one raw) error {
			one.json = bytes.Clone(one.json)
			p.raws = append(p.raws, one)
			if size += len(one.json); len(p.raws) < batch && size < 1<<20 {
				return nil
			}
			size = 0
			return send()
		},
		broken: func(b Broken) { p.broken = append(p.broken, b) },
	}
	err = r.read(s)
	if err == nil {
		err = send()
	}
	return errors.Join(err, ignoreRead(s.Close()))
}

// ignoreRead passes over what closing a compressed file that was cut off says: it was reported where it happened.
func ignoreRead(err error) error {
	if errors.Is(err, os.ErrClosed) || err == nil {
		return err
	}
	return nil
}

func (p *piece) normalise(own *sigma.Set) {
	p.normals = make([]audit.Entry, len(p.raws))
	p.failed = make([]error, len(p.raws))
	for i := range p.raws {
		n := &p.normals[i]
		if *n, p.failed[i] = p.raws[i].entry(own.Len() > 0); p.failed[i] == nil && own.Len() > 0 {
			n.Record.Hits = own.Match(sigma.NewEvent(n))
		}
		n.Forget() // a record that is kept keeps the whole piece
	}
}

// collect counts a piece's records and keeps those that a rule looks at.
func (a *analysis) collect(p *piece) error {
	for i, err := range p.failed {
		if err != nil {
			p.broken = append(p.broken, Broken{File: p.file, Line: p.raws[i].line, Reason: plain(err)})
		}
	}
	slices.SortStableFunc(p.broken, func(x, y Broken) int { return cmp.Compare(x.Line, y.Line) })
	for _, b := range p.broken {
		a.broke(b)
	}
	for i := range p.raws {
		if p.failed[i] == nil {
			if err := a.keep(p.file, p.raws[i], &p.normals[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *analysis) broke(b Broken) {
	a.sum.broke(b)
	if a.opt.Broken != nil {
		a.opt.Broken(b)
	}
}

func (a *analysis) keep(file string, from raw, n *audit.Entry) error {
	if n.Shape == audit.Strange {
		a.sum.Strange++
		return nil
	}
	a.understood[file] = true
	a.sum.Records++
	a.sum.Shapes[string(n.Shape)]++
	key := a.seen.key(n, from)
	isNew, shared := a.seen.add(key)
	if !isNew {
		a.sum.Repeated++
		return nil
	}
	if shared {
		a.sum.shared(n.ID)
	}
	a.domains.learn(n)
	if !rule.Judged(n.Record.Operation) && len(n.Record.Hits) == 0 {
		a.sum.silent(n.Record.Operation)
		return nil
	}
	apart := fmt.Sprintf("%s\x00%016x", n.ID, content(&n.Record))
	if n.Twin != "" {
		apart = n.ID
	} else if n.ID == "" {
		apart = fmt.Sprintf("\xff%016x", key)
	}
	if n.Record.ID == "" {
		n.Record.ID = fmt.Sprintf("%s:%d", filepath.Base(file), from.line)
	}
	return a.sorter.add(&n.Record, apart, sizeOf(from))
}

// sizeOf is about what a record holds in memory: its text, and what maps and headers take.
func sizeOf(r raw) int {
	size := len(r.json)
	for _, c := range r.cells {
		size += len(c)
	}
	return size + 1024
}

const (
	memoryAge = 30 * 24 * time.Hour // how long rules remember: a longer life than any of them asks for
	trimEvery = 50_000              // records
)

// judge gives the records to the rules, in the order of time, and what they find to emit.
func (a *analysis) judge(ctx context.Context, emit func(tocsin.Finding)) error {
	a.sum.Runs = len(a.sorter.runs)
	a.sum.Domains, a.sum.Inferred = a.domains.list(), len(a.domains.told) == 0
	boxes := newMailboxes()
	org := &detect.Org{Domains: a.domains.accepted(), Partners: a.partners(), Lookup: boxes.lookup, Exceptions: a.opt.Exceptions, Networks: a.opt.Networks}
	found := &growing{byID: map[string]*tocsin.Finding{}, emit: func(f tocsin.Finding) {
		a.sum.Findings[f.Severity]++
		emit(f)
	}, told: func(t Told) { a.sum.Stories = append(a.sum.Stories, t) }}
	var mem detect.Memory
	err := a.sorter.each(func(r *detect.Record) error {
		if a.sum.Judged++; a.sum.Judged%trimEvery == 0 {
			mem.Trim(r.Time.Add(-memoryAge))
			boxes.mem.Trim(r.Time.Add(-memoryAge))
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		a.sum.span(r.Time)
		org.Now = r.Time
		boxes.see(org, r)
		for _, f := range rule.Record(org, &mem, r) {
			found.add(f)
		}
		for _, f := range a.opt.Rules.Judge(org, &mem, r, r.Hits) {
			found.add(f)
		}
		return nil
	}, func() { a.sum.Repeated++ })
	if err != nil {
		return err
	}
	for _, f := range boxes.across(org) {
		found.add(f)
	}
	found.flush()
	return nil
}

func (a *analysis) partners() map[string]bool {
	return newDomains(a.opt.Partners).told
}
