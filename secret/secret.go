// Package secret seals credentials at rest, and knows where the key comes from.
//
// The key is a Tink keyset (AES-256-GCM, https://developers.google.com/tink/aead): the first of its keys seals, all of
// them open, so that a key can be replaced while what the old one sealed is still about. Every sealed secret is bound to
// what it is about, such as "tenant|connection|credential": moved to another row it does not open.
package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"tocsin.dev"
)

// Source says where the key comes from: the first that is given of KMS, Value and File.
type Source struct {
	// KMS is a key that never leaves a key management service, as Tink's clients for AWS, Google Cloud and HashiCorp
	// Vault give it (https://developers.google.com/tink/kms-overview). Each secret is sealed with a key of its own, and
	// that one by the service, which is asked each time a secret is sealed or opened. The service rotates its key itself.
	KMS tink.AEAD

	// Value is the key itself (TOCSIN_KEY_VALUE): 32 random bytes in base64 or hex, or the content of a key file, as it is or
	// in base64. To replace the key give the new one, a comma, the old one.
	Value string

	// File is the path of the key file, made with a fresh key and for the owner's eyes only where it is missing.
	File string

	// Data is the data directory, in which the key file should not lie.
	Data string
}

// Keeper seals and opens. It is safe for concurrent use.
type Keeper struct {
	src  Source
	mu   sync.RWMutex
	keys *keyset.Handle // nil for a KMS
	aead tink.AEAD
}

// Open reads the key, or makes one. What is wrong with it is a tocsin.Problem.
func Open(src Source) (*Keeper, error) {
	k := &Keeper{src: src}
	var keys *keyset.Handle
	var err error
	switch {
	case src.KMS != nil:
		k.aead = aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), src.KMS)
		return k, nil
	case src.Value != "":
		keys, err = parseValue(src.Value)
	case src.File != "":
		keys, err = readOrMake(src.File)
	default:
		return nil, tocsin.Problemf(tocsin.Invalid, "Give a key file, or the key as TOCSIN_KEY_VALUE.", "There is no key to seal credentials with.")
	}
	if err != nil {
		return nil, err
	}
	return k, k.use(keys)
}

func (k *Keeper) use(keys *keyset.Handle) error {
	a, err := aead.New(keys)
	if err != nil {
		return fmt.Errorf("use the key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.aead = keys, a
	return nil
}

// Seal gives plain in a form that only Open with the same about turns back.
func (k *Keeper) Seal(plain []byte, about string) ([]byte, error) {
	if about == "" {
		return nil, errors.New("seal a secret: it does not say what it is about")
	}
	k.mu.RLock()
	a := k.aead
	k.mu.RUnlock()
	sealed, err := a.Encrypt(plain, []byte(about))
	if err != nil {
		return nil, k.refused(err, "A credential cannot be sealed.")
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
		return nil, k.refused(err, "A stored credential does not open: it was altered, or belongs to something else.")
	}
	return plain, nil
}

// find looks for the key that sealed, in the file anew when it is not among those we hold: another replica may have
// rotated.
func (k *Keeper) find(sealed []byte) error {
	if k.src.KMS != nil || k.holds(sealed) {
		return nil
	}
	if k.src.Value == "" {
		if keys, err := readFile(k.src.File); err == nil && k.use(keys) == nil && k.holds(sealed) {
			return nil
		}
	}
	return tocsin.Problemf(tocsin.Unavailable, "Give Tocsin the key from then (the key file, or TOCSIN_KEY_VALUE), or enter the credential again.",
		"A stored credential was sealed with another key than the one Tocsin has now.")
}

func (k *Keeper) holds(sealed []byte) bool {
	id, ok := keyOf(sealed)
	if !ok {
		return false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for i := range k.keys.Len() {
		if e, err := k.keys.Entry(i); err == nil && e.KeyID() == id {
			return true
		}
	}
	return false
}

// keyOf is the id of the key that sealed: Tink writes it before the ciphertext, behind a byte 1
// (https://developers.google.com/tink/wire-format#tink_output_prefix).
func keyOf(sealed []byte) (uint32, bool) {
	if len(sealed) < 5 || sealed[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

// refused is a Problem for an error of the cipher, or of the service that holds the key.
func (k *Keeper) refused(err error, what string) error {
	p := tocsin.Problemf(tocsin.Invalid, "Enter the credential again.", "%s", what)
	if k.src.KMS != nil {
		p = tocsin.Problemf(tocsin.Unavailable, "See whether the service can be reached and lets Tocsin use the key; if it does, enter the credential again.",
			"The key management service could not help: a credential can be neither sealed nor opened.")
	}
	p.Err = err
	return p
}
