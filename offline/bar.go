package offline

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
)

// bar counts what is read, and shows it where there is a terminal.
type bar struct {
	read  int64
	shown *progressbar.ProgressBar
}

// newBar makes a bar over the sizes of the files; one whose size is not known (standard input) makes it a spinner.
func newBar(w io.Writer, files []string) *bar {
	b := &bar{}
	if w == nil {
		return b
	}
	total := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || !info.Mode().IsRegular() {
			total = -1
			break
		}
		total += info.Size()
	}
	b.shown = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(32),
		progressbar.OptionSetDescription("reading"), progressbar.OptionThrottle(100_000_000), progressbar.OptionClearOnFinish())
	return b
}

// Write counts the bytes of p.
func (b *bar) Write(p []byte) (int, error) {
	b.read += int64(len(p))
	if b.shown != nil {
		if err := b.shown.Add(len(p)); err != nil {
			b.shown = nil // a terminal that went away is no reason to stop
		}
	}
	return len(p), nil
}

func (b *bar) finish() {
	if b.shown != nil {
		if err := b.shown.Finish(); err != nil {
			b.shown = nil
		}
	}
}
