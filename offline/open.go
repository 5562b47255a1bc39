package offline

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"tocsin.dev"
)

// bufferSize is how much of a file is read at once.
const bufferSize = 256 << 10

// source is an opened file: its text in UTF-8 without a byte order mark, and what must be closed.
type source struct {
	*bufio.Reader
	close []io.Closer
}

func (s *source) Close() error {
	var errs []error
	for i := len(s.close) - 1; i >= 0; i-- {
		errs = append(errs, s.close[i].Close())
	}
	return errors.Join(errs...)
}

// open opens a file; "-" is standard input. read is told of every byte read from the disk, for the progress bar.
func open(name string, stdin io.Reader, read io.Writer) (*source, error) {
	s := &source{}
	var raw io.Reader = stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, cannotOpen(name, err)
		}
		s.close = append(s.close, f)
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, errors.Join(tocsin.Problemf(tocsin.Invalid, "Name the files in it.", "%s is a folder, not a log.", name), s.Close())
		}
		raw = f
	}
	if read != nil {
		raw = io.TeeReader(raw, read)
	}
	return s, s.decode(name, raw)
}

func cannotOpen(name string, err error) error {
	what := tocsin.Problemf(tocsin.Invalid, "See that the file may be read.", "%s cannot be opened.", name)
	if errors.Is(err, fs.ErrNotExist) {
		what = tocsin.Problemf(tocsin.NotFound, "See that the name is right.", "There is no file %s.", name)
	}
	what.Err = err
	return what
}

// decode takes compression and encoding away: gzip, UTF-16 with or without a mark (PowerShell's Export-Csv), UTF-8's mark.
func (s *source) decode(name string, raw io.Reader) error {
	b := bufio.NewReaderSize(raw, bufferSize)
	head, _ := b.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.Join(tocsin.Problemf(tocsin.Invalid, "Copy it again, whole.", "%s was cut off (gzip).", name), s.Close())
		}
		if err != nil {
			return errors.Join(tocsin.Problemf(tocsin.Invalid, "Compress it again, or give it uncompressed.", "%s begins like gzip and is none.", name), s.Close())
		}
		s.close = append(s.close, z)
		return s.decode(name, z)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.Join(tocsin.Problemf(tocsin.Invalid, "Unpack it and give the files in it.", "%s is a zip archive.", name), s.Close())
	}
	head, _ = b.Peek(512)
	if order, wide := utf16Order(head); wide {
		t := unicode.UTF16(order, unicode.UseBOM).NewDecoder()
		b = bufio.NewReaderSize(transform.NewReader(b, t), bufferSize)
	} else if bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}) {
		if _, err := b.Discard(3); err != nil {
			return err
		}
	}
	s.Reader = b
	return nil
}

// utf16Order tells UTF-16 by its mark, or by the zero bytes between Latin letters where it has none.
func utf16Order(head []byte) (unicode.Endianness, bool) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.LittleEndian, true
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.BigEndian, true
	}
	var even, odd int
	for i, c := range head {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	switch half := len(head) / 4; {
	case len(head) < 8:
		return unicode.LittleEndian, false
	case odd > half && even == 0:
		return unicode.LittleEndian, true
	case even > half && odd == 0:
		return unicode.BigEndian, true
	}
	return unicode.LittleEndian, false
}
