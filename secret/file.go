package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"tocsin.dev"
)

// makeMissing makes the key file with a fresh key where there is none. Of two that make it at once, the first's stays.
func makeMissing(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whatever else is wrong with it, reading it says
	}
	keys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fileProblem(err, "made", path)
	}
	if err = writeFile(path, keys, os.Link); errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func readFile(path string) (*keyset.Handle, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(path)
	}
	if err != nil {
		return nil, fileProblem(err, "read", path)
	}
	keys, ok := parseKeyset(text)
	if !ok {
		return nil, tocsin.Problemf(tocsin.Invalid,
			"Restore it from a backup. Without it no stored credential can be opened; if it is lost, remove the file and enter the credentials again.",
			"The key file %s is damaged or no key file.", path)
	}
	return keys, nil
}

func missing(path string) error {
	return tocsin.Problemf(tocsin.NotFound, "Give the settings of the server: --config, --set key.file=… or the environment. If the file is lost, restore it from a backup.", "There is no key file %s.", path)
}

// writeFile writes keys beside path, to the disk, and has place (os.Link, which spares a file that is there, or
// os.Rename) put them in its place at once: a key file is never half written.
func writeFile(path string, keys *keyset.Handle, place func(from, to string) error) error {
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(keys, keyset.NewJSONWriter(&text)); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // 0600
	if err != nil {
		return fileProblem(err, "made", path)
	}
	defer os.Remove(f.Name()) // after a rename there is none
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = place(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fileProblem(err, "written", path)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func fileProblem(err error, done, path string) error {
	why := ""
	if cause, ok := errors.AsType[syscall.Errno](err); ok {
		why = ": " + cause.Error() // permission denied, no space left …
	}
	p := tocsin.Problemf(tocsin.Unavailable, "Let Tocsin's user read and write there, choose another place, or give the key as TOCSIN_KEY_VALUE.",
		"The key file %s cannot be %s%s.", path, done, why)
	p.Err = err
	return p
}

// Warn is what is unwise about where the key is; empty where nothing is.
func (k *Keeper) Warn() string {
	if !k.Own() {
		return ""
	}
	if info, err := os.Stat(k.src.File); err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Sprintf("The key file %s can be read by other users of this machine. Take their rights away: chmod 600 %s", k.src.File, k.src.File)
	}
	if k.src.Data != "" && within(k.src.File, k.src.Data) {
		return fmt.Sprintf("The key file %s lies in the data directory: whoever gets a copy of the data, of a backup too, gets the key with it. "+
			"Move it elsewhere (key.file), fetch the key by a command (key.command), or give it as TOCSIN_KEY_VALUE.", k.src.File)
	}
	return ""
}

// within says whether a path lies in a directory, whatever links lead there.
func within(path, dir string) bool {
	rel, err := filepath.Rel(resolved(dir), resolved(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	return path
}
