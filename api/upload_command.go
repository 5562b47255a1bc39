package api

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tocsin.dev"
)

// upload sends the files one after the other. What is broken in them goes to standard error, each with its line; the exit status is
// then 1, as that of tocsin analyze.
func (r *run) upload(files []string) error {
	if err := r.whichTenant(r.cmd.Context()); err != nil {
		return err
	}
	name, asOf := r.in.FieldByName("Name"), r.in.FieldByName("AsOf")
	given := name.String()
	dated := asOf.IsValid() && !asOf.IsZero()
	broken := 0
	for _, file := range files {
		f, size, changed, err := openUpload(file, r.cmd.InOrStdin())
		if err != nil {
			return err
		}
		if name.SetString(given); given == "" {
			name.SetString(filepath.Base(file))
		}
		if asOf.IsValid() && !dated {
			asOf.Set(reflect.ValueOf(changed))
		}
		var out Import
		err = r.client.Upload(r.cmd.Context(), r.o.Name, r.in.Interface(), r.bar(f, size), &out)
		f.Close()
		if err != nil {
			return err
		}
		for _, b := range out.FirstBroken {
			fmt.Fprintf(r.cmd.ErrOrStderr(), "%s:%d: %s\n", file, b.Line, b.Why)
		}
		broken += out.Broken
		if r.json {
			err = r.print(reflect.ValueOf(out))
		} else {
			_, err = fmt.Fprintf(r.cmd.OutOrStdout(), "%s: %s.\n", file, out.Says())
		}
		if err != nil {
			return err
		}
	}
	if broken > 0 {
		return tocsin.Problemf(tocsin.Invalid, "Export them again; what was read is in.", "%s could not be read.", plural(broken, "piece"))
	}
	return nil
}

// bar shows on a terminal how much was sent.
func (r *run) bar(f io.Reader, size int64) io.Reader {
	e, ok := r.cmd.ErrOrStderr().(*os.File)
	if !ok || r.json || !term.IsTerminal(int(e.Fd())) {
		return io.MultiReader(f) // no more than a reader: the client would close it
	}
	b := progressbar.NewOptions64(size, progressbar.OptionSetWriter(e), progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(32),
		progressbar.OptionSetDescription("sending"), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return io.TeeReader(f, b)
}

// openUpload opens a file, or standard input for "-"; size is -1 where it is not known.
func openUpload(name string, stdin io.Reader) (f io.ReadCloser, size int64, changed time.Time, err error) {
	if name == "-" {
		return io.NopCloser(stdin), -1, time.Now().UTC(), nil
	}
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, changed, tocsin.Problemf(tocsin.NotFound, "See that the name is right.", "There is no file %s.", name)
	}
	if err != nil {
		return nil, 0, changed, tocsin.Problemf(tocsin.Invalid, "See that the file may be read.", "%s cannot be opened.", name)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = tocsin.Problemf(tocsin.Invalid, "Name the files in it.", "%s is a folder.", name)
	}
	if err != nil {
		return nil, 0, changed, errors.Join(err, file.Close())
	}
	return file, info.Size(), info.ModTime().UTC(), nil
}

// Says is in words what an import brought.
func (i Import) Says() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(n), what))
		}
	}
	if i.Kind == "mailboxes" {
		parts = append(parts, fmt.Sprintf("%s of %s told of, as of %s", plural(i.New, "right"), plural(i.Mailboxes, "mailbox"), i.AsOf.UTC().Format("2 January 2006 15:04 UTC")))
	} else {
		parts = append(parts, plural(i.Records, "record"))
		add(i.New, "new")
		add(i.Known, "known already")
		add(i.Passed, "that no detection looks at")
		add(i.Other, "of another tenant")
	}
	add(i.Broken, "that could not be read")
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "x"):
		return thousands(n) + " " + noun + "es"
	}
	return thousands(n) + " " + noun + "s"
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
