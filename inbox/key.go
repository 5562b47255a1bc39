package inbox

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io"
	"sync"

	"tocsin.dev"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// Keeper is what seals the key of an inbox, and opens it: [tocsin.dev/secret.Keeper].
type Keeper interface {
	Seal(plain []byte, about string) ([]byte, error)
	Open(sealed []byte, about string) ([]byte, error)
}

// NewKey makes the key of a new inbox, 32 random bytes, and gives it sealed, for inbox.sealed.
func NewKey(k Keeper, tenant tocsin.TenantID, inbox string) (sealed []byte, err error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	return k.Seal(key[:], aboutKey(tenant, inbox))
}

func aboutKey(tenant tocsin.TenantID, inbox string) string { return string(tenant) + "|inbox|" + inbox }

// Sealed is where the keys of inboxes lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{What: "keys of shared inboxes", Table: "inbox", Key: "id", Column: "sealed", Tenant: true, About: aboutKey}}
}

// Key encrypts what is kept of an inbox's mail: AES-256-GCM with a random nonce before the ciphertext, of the DEFLATEd text, bound to
// the row in which it stands. It is safe for use by many at once.
type Key struct{ aead cipher.AEAD }

// ErrErased says that the key of an inbox was erased: what is left of its mail can be opened by nobody.
var ErrErased = tocsin.Problemf(tocsin.NotFound, "Look for the mail in the mailbox.", "The mail of this inbox was erased.")

// OpenKey gives the key of an inbox.
func OpenKey(ctx context.Context, t *store.Tenant, k Keeper, inbox string) (*Key, error) {
	var sealed []byte
	err := t.QueryRow(ctx, `select sealed from inbox where tenant = $1 and id = $2`, inbox).Scan(&sealed)
	if errors.Is(err, store.ErrNone) {
		return nil, noInbox
	}
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 {
		return nil, ErrErased
	}
	plain, err := k.Open(sealed, aboutKey(t.ID(), inbox))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(plain)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Key{aead}, err
}

// writers and readers are kept for the next mail: each has tables of a megabyte, which to make took a quarter of a first reading.
var (
	writers = sync.Pool{New: func() any {
		w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
		if err != nil {
			panic("inbox: " + err.Error()) // the level is a constant
		}
		return w
	}}
	readers = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}
)

// Seal encrypts plain; about names the row: see [Key.Open].
func (k *Key) Seal(plain []byte, about string) []byte {
	var small bytes.Buffer
	w := writers.Get().(*flate.Writer)
	w.Reset(&small)
	w.Write(plain) // into memory, which does not fail
	w.Close()
	w.Reset(io.Discard)
	writers.Put(w)
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+small.Len()+k.aead.Overhead())
	rand.Read(nonce)
	return k.aead.Seal(nonce, nonce, small.Bytes(), []byte(about))
}

// Open gives back what was encrypted about the same row.
func (k *Key) Open(sealed []byte, about string) ([]byte, error) {
	n := k.aead.NonceSize()
	if len(sealed) < n {
		return nil, altered
	}
	small, err := k.aead.Open(nil, sealed[:n], sealed[n:], []byte(about))
	if err != nil {
		return nil, altered
	}
	r := readers.Get().(io.ReadCloser)
	defer readers.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(small), nil); err != nil {
		return nil, altered
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, altered
	}
	return plain, nil
}

var altered = tocsin.Problemf(tocsin.Internal, "Look at the mail in the mailbox, and for who can write to the database.", "What is kept of this mail does not open: it was altered, or belongs to something else.")

var noInbox = tocsin.Problemf(tocsin.NotFound, "Look at the list of inboxes.", "There is no such inbox.")
