// Package secret seals credentials at rest, and knows where the key comes from.
//
// The key is a Tink keyset (AES-256-GCM, https://developers.google.com/tink/aead): the first of its keys seals, all of
// them open, so that a key can be replaced while what the old one sealed is still about. Every sealed secret is bound to
// what it is about, such as "tenant|connection|credential": moved to another row it does not open.
package secret

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"tocsin.dev"
)

// Source says where the key comes from: the first that is given of Command, Value and File.
type Source struct {
	// Command is a command, run at start, that prints the key: it fetches it from a key management service or a vault, or has
	// the service decrypt it. See [Words] for its form, and [Source.Value] for that of what it prints.
	Command string
	Timeout time.Duration // that it may take; 30 s where 0

	// Value is the key itself (TOCSIN_KEY_VALUE): 32 random bytes in base64 or hex, or the content of a key file, as it is or
	// in base64. Several are separated by commas or lines: the first seals, all open.
	Value string

	// File is the path of the key file, made with a fresh key and for the owner's eyes only where it is missing, unless it Exists.
	File   string
	Exists bool

	// Data is the data directory, in which the key file should not lie.
	Data string
}

// Keeper seals and opens. It is safe for concurrent use.
type Keeper struct {
	src  Source
	mu   sync.RWMutex
	keys *keyset.Handle
	aead tink.AEAD
	file fs.FileInfo // of the key file as it was read
}

// Open reads the key, or makes one. What is wrong with it is a tocsin.Problem.
func Open(ctx context.Context, src Source) (*Keeper, error) {
	k := &Keeper{src: src}
	var keys *keyset.Handle
	var err error
	switch {
	case src.Command != "":
		keys, err = runCommand(ctx, src.Command, src.Timeout)
	case src.Value != "":
		keys, err = parseValue(src.Value)
	case src.File != "":
		if !src.Exists {
			err = makeMissing(src.File)
		}
		if err == nil {
			return k, k.read()
		}
	default:
		return nil, tocsin.Problemf(tocsin.Invalid, "Give a key file, or the key as TOCSIN_KEY_VALUE.", "There is no key to seal credentials with.")
	}
	if err != nil {
		return nil, err
	}
	return k, k.use(keys, nil)
}

// Own says whether the key lies in a file that Tocsin keeps itself.
func (k *Keeper) Own() bool { return k.src.Command == "" && k.src.Value == "" }

func (k *Keeper) use(keys *keyset.Handle, file fs.FileInfo) error {
	a, err := aead.New(keys)
	if err != nil {
		return fmt.Errorf("use the key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.aead, k.file = keys, a, file
	return nil
}

// read reads the key file.
func (k *Keeper) read() error {
	info, err := statFile(k.src.File) // before the text: of a file that is replaced in between the next look finds another
	if err != nil {
		return err
	}
	keys, err := readFile(k.src.File)
	if err != nil {
		return err
	}
	return k.use(keys, info)
}

func statFile(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(path)
	case err != nil:
		return nil, fileProblem(err, "read", path)
	}
	return info, nil
}

// Refresh reads the key file again where it is another than the one that was read: somebody has rotated the key.
func (k *Keeper) Refresh() error {
	if !k.Own() {
		return nil
	}
	info, err := statFile(k.src.File)
	if err != nil {
		return err
	}
	k.mu.RLock()
	same := k.file != nil && os.SameFile(info, k.file) && info.ModTime().Equal(k.file.ModTime()) && info.Size() == k.file.Size()
	k.mu.RUnlock()
	if same {
		return nil
	}
	return k.read()
}

// Seal gives plain in a form that only Open with the same about turns back.
func (k *Keeper) Seal(plain []byte, about string) ([]byte, error) {
	if about == "" {
		return nil, errors.New("seal a secret: it does not say what it is about")
	}
	_ = k.Refresh() // with the newest key; where the file cannot be read just now, with the newest that was
	k.mu.RLock()
	a := k.aead
	k.mu.RUnlock()
	sealed, err := a.Encrypt(plain, []byte(about))
	if err != nil {
		return nil, refused(err, "A credential cannot be sealed.")
	}
	return sealed, nil
}

// Open gives back what was sealed about the same thing.
func (k *Keeper) Open(sealed []byte, about string) ([]byte, error) {
	if err := k.find(sealed); err != nil {
		return nil, err
	}
	k.mu.RLock()
	a := k.aead
	k.mu.RUnlock()
	plain, err := a.Decrypt(sealed, []byte(about))
	if err != nil {
		return nil, refused(err, "A stored credential does not open: it was altered, or belongs to something else.")
	}
	return plain, nil
}

// find looks for the key that sealed, in the file anew when it is not among those we hold: another replica may have
// rotated.
func (k *Keeper) find(sealed []byte) error {
	if k.holds(sealed) || k.Own() && k.read() == nil && k.holds(sealed) {
		return nil
	}
	return tocsin.Problemf(tocsin.Unavailable, "Give Tocsin the key from then (key.file, key.command or TOCSIN_KEY_VALUE), or enter the credential again.",
		"A stored credential was sealed with another key than the one Tocsin has now.")
}

func (k *Keeper) holds(sealed []byte) bool {
	id, ok := KeyOf(sealed)
	return ok && slices.Contains(k.Keys(), id)
}

// Keys are the ids of the keys: the first seals, all open.
func (k *Keeper) Keys() []KeyID {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var out []KeyID
	for i := range k.keys.Len() {
		e, err := k.keys.Entry(i)
		switch {
		case err != nil || e.KeyStatus() != keyset.Enabled:
		case e.IsPrimary():
			out = slices.Insert(out, 0, KeyID(e.KeyID()))
		default:
			out = append(out, KeyID(e.KeyID()))
		}
	}
	return out
}

// KeyID names a key. It is no secret.
type KeyID uint32

func (id KeyID) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// KeyOf is the id of the key that sealed: Tink writes it before the ciphertext, behind a byte 1
// (https://developers.google.com/tink/wire-format#tink_output_prefix).
func KeyOf(sealed []byte) (KeyID, bool) {
	if len(sealed) < 5 || sealed[0] != 1 {
		return 0, false
	}
	return KeyID(binary.BigEndian.Uint32(sealed[1:5])), true
}

// refused is a Problem for an error of the cipher.
func refused(err error, what string) error {
	p := tocsin.Problemf(tocsin.Invalid, "Enter the credential again.", "%s", what)
	p.Err = err
	return p
}
