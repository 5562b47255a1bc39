package sigma

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// File is a rule file: its bundle, or what is wrong with it.
type File struct {
	Path string // from the folder that was read
	Text []byte
	*Bundle
	Err error
}

// MaxFiles is how many files of a folder are read.
const MaxFiles = 2000

// ReadFiles reads a rule file, or all that end in .yml or .yaml in a folder and in the folders in it, in the order of their
// names. What is wrong with one is its own; an error is a folder that cannot be read.
func ReadFiles(path string) (out []File, err error) {
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		switch ext := strings.ToLower(filepath.Ext(name)); {
		case err != nil:
			return err
		case d.IsDir() && name != path && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || ext != ".yml" && ext != ".yaml":
			return nil
		case len(out) >= MaxFiles:
			return fmt.Errorf("there are more than %d files", MaxFiles)
		}
		f := File{Path: name}
		if rel, err := filepath.Rel(path, name); err == nil && rel != "." {
			f.Path = filepath.ToSlash(rel)
		}
		if f.Text, f.Err = readFile(name); f.Err == nil {
			f.Bundle, f.Err = Parse(f.Text)
		}
		out = append(out, f)
		return nil
	})
	return out, err
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxText+1)) // one byte more, so that Parse refuses it
}

// Family is that of all rules of the customer's own; the name of each begins with it.
const Family = "own"

// Owns says whether a rule of that name is one of the customer's own.
func Owns(name string) bool { return strings.HasPrefix(name, Family+"-") }

// NameOf is the name that a rule's findings are filed under: own-, and what its title comes to in kebab-case. taken says which
// names there are already.
func NameOf(title string, taken func(string) bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 50 {
			break
		}
	}
	base := Family + "-" + strings.Trim(b.String(), "-")
	if base == Family+"-" {
		base += "rule"
	}
	name := base
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}
