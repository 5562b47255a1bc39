package server

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/secret"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// TestRotateWhileServing: the key is replaced under a server that runs, which opens and seals on; a server that says that it has
// another key is named, and nothing is touched.
func TestRotateWhileServing(t *testing.T) {
	t.Parallel()
	w := world(t, 5)
	c := settings(t)
	s := start(t, c, w.Client())
	conn := join(t, s, w)
	eventually(t, "the server says which key it has", func() string {
		if list, err := s.Store.Leases(t.Context()); err != nil || len(list) == 0 || !slices.ContainsFunc(list, isKeys) {
			return "not yet"
		}
		return ""
	})
	r, err := c.Rotation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Store.Close()
	old := r.Keeper.Keys()[0]
	rep, err := r.Run(t.Context())
	if err != nil || rep.Made == 0 || rep.Resealed != 2 {
		t.Fatalf("rotated: %+v, %v; the server has %v", rep, err, s.keeper.Keys())
	}
	eventually(t, "the server's new key", func() string { // which says that it is there every ten seconds, where it gets to it
		if s.keeper.Keys()[0] != rep.Made {
			return fmt.Sprint(s.keeper.Keys())
		}
		return ""
	})
	if _, err := s.Connections.Test(t.Context(), conn.Tenant, conn.ID); err != nil {
		t.Errorf("the server cannot use its connection: %v", err)
	}
	r.Store.Clock().Advance(time.Minute * 5)
	if err := reseal.Leave(t.Context(), r.Store, s.name()); err != nil { // its lease would have ended by this clock
		t.Fatal(err)
	}
	if rep, err = r.Retire(t.Context()); err != nil || !slices.Equal(rep.Removed, []secret.KeyID{old}) {
		t.Fatalf("retired: %+v, %v", rep, err)
	}
	if _, err := s.Connections.Test(t.Context(), conn.Tenant, conn.ID); err != nil {
		t.Errorf("the server cannot use its connection without the old key: %v", err)
	}
}

func isKeys(l store.Held) bool { return strings.HasPrefix(l.Name, "keys/") }

func files(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRotateElsewhere(t *testing.T) {
	t.Parallel()
	c := settings(t)
	c.Data = t.TempDir() // with nothing in it
	if _, err := c.Rotation(t.Context()); err == nil || len(files(t, c.Data)) != 0 {
		t.Errorf("a rotation where there is no server: %v, %v", err, files(t, c.Data))
	}
}
