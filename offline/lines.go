package offline

import (
	"bufio"
	"errors"
	"io"
)

var errLong = errors.New("the line is too long")

// lineReader reads lines of any length up to maxRecord and counts them. A line that it returns holds until the next.
type lineReader struct {
	src  *bufio.Reader
	line int // of the line last returned, from 1
	buf  []byte
}

func (l *lineReader) next() ([]byte, error) {
	l.line++
	part, err := l.src.ReadSlice('\n')
	if err == nil {
		return part, nil
	}
	l.buf = append(l.buf[:0], part...)
	for errors.Is(err, bufio.ErrBufferFull) && len(l.buf) <= maxRecord {
		part, err = l.src.ReadSlice('\n')
		l.buf = append(l.buf, part...)
	}
	if len(l.buf) > maxRecord {
		return nil, errors.Join(errLong, l.skip(err))
	}
	if errors.Is(err, io.EOF) && len(l.buf) > 0 {
		return l.buf, nil
	}
	if err != nil {
		l.line--
	}
	return l.buf, err
}

// skip leaves the rest of a line that is too long.
func (l *lineReader) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.src.ReadSlice('\n')
	}
	return nil
}
