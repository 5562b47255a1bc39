package secret

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestEnvelope: what is put into an envelope comes out whole, once the key of the keeper was replaced too; of what was altered, or is about
// something else, nothing does.
func TestEnvelope(t *testing.T) {
	k, err := Open(t.Context(), Source{File: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte("a mail "), 100_000)
	sealed, body, err := k.Envelope(plain, "acme|evidence|1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("a mail")) {
		t.Fatal("the body can be read")
	}
	if got, err := k.OpenEnvelope(sealed, body, "acme|evidence|1"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	key, err := k.Open(sealed, "acme|evidence|1")
	if err != nil {
		t.Fatal(err)
	}
	anew, err := k.Seal(key, "acme|evidence|1") // as a rotation does
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.OpenEnvelope(anew, body, "acme|evidence|1"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("sealed anew: %d bytes, %v", len(got), err)
	}
	if _, err := k.OpenEnvelope(sealed, body, "acme|evidence|2"); err == nil {
		t.Error("it opens as another")
	}
	body[len(body)/2] ^= 1
	if _, err := k.OpenEnvelope(sealed, body, "acme|evidence|1"); err == nil {
		t.Error("it opens although it was altered")
	}
	_, other, err := k.Envelope([]byte("another"), "acme|evidence|1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.OpenEnvelope(sealed, other, "acme|evidence|1"); err == nil {
		t.Error("it opens with another's key")
	}
}
