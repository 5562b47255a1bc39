// Package sharedtest finds the real data that tests are held against: what lies beside the working tree, and is no part of it.
package sharedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// File is the path of a file or folder of the shared data: in the folder that TOCSIN_SHARED names, else in a folder "shared" beside
// this one or one above it. Where it is not there the test is skipped, and says so.
func File(t testing.TB, name string) string {
	t.Helper()
	tried := []string{os.Getenv("TOCSIN_SHARED")}
	if tried[0] == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		tried = nil
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			tried = append(tried, filepath.Join(filepath.Dir(dir), "shared"))
		}
	}
	for _, dir := range tried {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: ../shared/%s is not there, so nothing was held against it", name)
	return ""
}
