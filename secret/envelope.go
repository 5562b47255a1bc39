package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// Envelope encrypts what is large with a key of its own (AES-256-GCM, used once) and gives that key sealed, bound to what it is about: when
// the key of [Keeper] is replaced, the small part alone is sealed anew.
func (k *Keeper) Envelope(plain []byte, about string) (sealed, body []byte, err error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	gcm, err := envelope(key[:])
	if err != nil {
		return nil, nil, err
	}
	if sealed, err = k.Seal(key[:], about); err != nil {
		return nil, nil, err
	}
	return sealed, gcm.Seal(nil, make([]byte, gcm.NonceSize()), plain, []byte(about)), nil // a key that is used once needs no nonce
}

// OpenEnvelope gives back what was encrypted about the same thing.
func (k *Keeper) OpenEnvelope(sealed, body []byte, about string) ([]byte, error) {
	key, err := k.Open(sealed, about)
	if err != nil {
		return nil, err
	}
	gcm, err := envelope(key)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), body, []byte(about))
	if err != nil {
		return nil, refused(errors.New("an envelope does not open"), "What is kept does not open: it was altered, or belongs to something else.")
	}
	return plain, nil
}

func envelope(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
