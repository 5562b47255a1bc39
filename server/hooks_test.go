package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestReadWithin: at an address that has no bound of its own, a body that does not come to an end holds nobody, and what comes
// after a quick one over the same connection is read as ever.
func TestReadWithin(t *testing.T) {
	t.Parallel()
	read := make(chan error, 3)
	s := httptest.NewServer(readWithin(300*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})))
	defer s.Close()
	for range 2 {
		res, err := s.Client().Post(s.URL, "application/json", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if err := <-read; err != nil {
			t.Errorf("a quick one: %v", err)
		}
	}
	body, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.WriteString(w, `{"value":[`) }()
	go func() {
		if res, err := s.Client().Post(s.URL, "application/json", body); err == nil {
			res.Body.Close()
		}
	}()
	select {
	case err := <-read:
		if err == nil {
			t.Error("it was read to its end, which it does not have")
		}
	case <-time.After(90 * time.Second):
		t.Fatal("a body without an end is waited for")
	}
}
