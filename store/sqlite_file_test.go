package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TestNoDatabase: a file that is something else is refused with a sentence, and left as it is.
func TestNoDatabase(t *testing.T) {
	for name, text := range map[string]string{"one byte": "x", "a text": "hello, this is a letter and no database\n", "almost": "SQLite format 2\x00"} {
		path := filepath.Join(t.TempDir(), "tocsin.db")
		do(t, os.WriteFile(path, []byte(text), 0o600))
		st, err := store.Open(t.Context(), "sqlite:"+path, &tocsin.Clock{})
		if err == nil {
			do(t, st.Close())
		}
		p, ok := errors.AsType[*tocsin.Problem](err)
		if !ok || p.Code != tocsin.Invalid || p.Do != "Give the path of another file, or remove this one." {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s: the file was changed: %q, %v", name, got, err)
		}
	}
}
