package export

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// files writes parcels as lines of JSON into files of the export's own directory, <Dir>/<tenant>/<export>. What was sent is
// on stable storage. A file that is complete has the time in its name: events-20260315T090000.000Z.jsonl.
type files struct {
	x    *Exports
	e    *Export
	root *os.Root
	open map[string]*file // by name
}

type file struct {
	*os.File
	size   int64
	period time.Time
}

func newFiles(x *Exports, e *Export) *files { return &files{x: x, e: e, open: map[string]*file{}} }

func (f *files) close() {
	for _, o := range f.open {
		o.Close()
	}
	clear(f.open)
	if f.root != nil {
		f.root.Close()
		f.root = nil
	}
}

func (f *files) send(_ context.Context, parcels []parcel) outcome {
	err := f.write(parcels)
	switch {
	case err == nil:
		return outcome{ok: true}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.close()
		return outcome{because: "the disk is full", mend: "Make room, or keep fewer files."}
	case errors.Is(err, fs.ErrPermission):
		f.close()
		return outcome{because: "the server may not write there", mend: "Let the server's user write to exports.directory."}
	}
	f.x.log().Warn("a file of an export was not written", "export", f.e.ID, "error", err)
	f.close()
	return outcome{because: "the file could not be written", mend: "Look in the server's log."}
}

// write writes the lines, those of a file together, and has them on stable storage.
func (f *files) write(parcels []parcel) error {
	if f.x.Dir == "" {
		return fmt.Errorf("there is no directory for exports: %w", fs.ErrPermission)
	}
	if f.root == nil {
		dir := filepath.Join(f.x.Dir, token(string(f.e.Tenant)), token(f.e.ID))
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		f.root = root
	}
	lines := map[string]*bytes.Buffer{}
	var names []string
	for i := range parcels {
		name := fill(f.e.To, &parcels[i], f.e.Tenant)
		if lines[name] == nil {
			lines[name] = &bytes.Buffer{}
			names = append(names, name)
		}
		lines[name].Write(parcels[i].body)
		lines[name].WriteByte('\n')
	}
	for _, name := range names {
		if err := f.append(name, lines[name].Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (f *files) append(name string, text []byte) error {
	now := f.x.Store.Clock().Now()
	o, err := f.current(name, now)
	if err != nil {
		return err
	}
	if o.size > 0 && (o.size+int64(len(text)) > int64(f.e.MaxMB)<<20 || !f.period(now).Equal(o.period)) {
		if err := f.complete(name, now); err != nil {
			return err
		}
		if o, err = f.current(name, now); err != nil {
			return err
		}
	}
	if _, err = o.WriteAt(text, o.size); err == nil {
		err = o.Sync()
	}
	if err != nil {
		return errors.Join(err, o.Truncate(o.size)) // no half line is left
	}
	o.size += int64(len(text))
	return nil
}

func (f *files) period(t time.Time) time.Time {
	return t.Truncate(time.Duration(f.e.MaxHours) * time.Hour)
}

// current is the file that is being written. What a crash left of a line at its end is cut off: the event is sent again.
func (f *files) current(name string, now time.Time) (*file, error) {
	if o := f.open[name]; o != nil {
		return o, nil
	}
	h, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	o := &file{File: h, period: f.period(now)}
	info, err := h.Stat()
	if err == nil && info.Size() > 0 {
		o.period = f.period(info.ModTime())
		if o.size, err = wholeLines(h, info.Size()); err == nil && o.size < info.Size() {
			err = h.Truncate(o.size)
		}
	}
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	f.open[name] = o
	return o, nil
}

// wholeLines is how much of a file ends with a line's end.
func wholeLines(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for size > 0 {
		n := min(size, int64(len(buf)))
		if _, err := r.ReadAt(buf[:n], size-n); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return size - n + int64(i) + 1, nil
		}
		size -= n
	}
	return 0, nil
}

// sync has the directory's entries on stable storage.
func (f *files) sync() error {
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// complete gives a file the name it keeps, and deletes those that are too many.
func (f *files) complete(name string, now time.Time) error {
	f.open[name].Close()
	delete(f.open, name)
	stem, ext := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name)
	var kept string
	for ; ; now = now.Add(time.Millisecond) {
		kept = stem + "-" + now.UTC().Format("20060102T150405.000Z") + ext
		_, err := f.root.Stat(kept)
		_, err2 := f.root.Stat(kept + ".gz")
		if errors.Is(err, fs.ErrNotExist) && errors.Is(err2, fs.ErrNotExist) {
			break
		}
	}
	if err := f.root.Rename(name, kept); err != nil {
		return err
	}
	if f.e.Gzip {
		if err := f.compress(kept); err != nil {
			return err
		}
	}
	if err := f.sync(); err != nil {
		return err
	}
	return f.tidy(stem, ext)
}

func (f *files) compress(name string) (err error) {
	from, err := f.root.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := f.root.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.root.Remove(name+".part"))
		}
	}()
	z := gzip.NewWriter(to)
	_, err = io.Copy(z, from)
	if err = cmp.Or(err, z.Close(), to.Sync(), to.Close()); err != nil {
		return err
	}
	if err := f.root.Rename(name+".part", name+".gz"); err != nil {
		return err
	}
	return f.root.Remove(name)
}

// tidy deletes the oldest complete files of a name, but for those to keep.
func (f *files) tidy(stem, ext string) error {
	if f.e.Keep == 0 {
		return nil
	}
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	length := len(stem) + len("-20060102T150405.000Z") + len(ext)
	names = slices.DeleteFunc(names, func(n string) bool {
		plain := strings.TrimSuffix(n, ".gz")
		return len(plain) != length || !strings.HasPrefix(plain, stem+"-") || !strings.HasSuffix(plain, ext)
	})
	slices.Sort(names)
	for len(names) > f.e.Keep {
		if err := f.root.Remove(names[0]); err != nil {
			return err
		}
		names = names[1:]
	}
	return nil
}
