package secret

import (
	"fmt"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"tocsin.dev"
)

// Rotate puts a fresh key into the key file, which seals from now on; those before it still open. Then go through all
// that is sealed with Reseal, and after that Retire the old keys.
func (k *Keeper) Rotate() error {
	return k.change(func(m *keyset.Manager, _ *keyset.Handle) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

// Retire takes all keys but the one that seals out of the key file. What they sealed and was not sealed again is lost.
func (k *Keeper) Retire() error {
	return k.change(func(m *keyset.Manager, keys *keyset.Handle) error {
		for i := range keys.Len() {
			e, err := keys.Entry(i)
			if err != nil {
				return err
			}
			if e.IsPrimary() {
				continue
			}
			if err := m.Delete(e.KeyID()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reseal seals anew what an older key sealed; fresh is false when that was not needed, and sealed is given back.
func (k *Keeper) Reseal(sealed []byte, about string) (out []byte, fresh bool, err error) {
	plain, err := k.Open(sealed, about)
	if err != nil {
		return nil, false, err
	}
	if k.src.KMS != nil || k.newest(sealed) {
		return sealed, false, nil
	}
	out, err = k.Seal(plain, about)
	return out, err == nil, err
}

func (k *Keeper) newest(sealed []byte) bool {
	id, ok := keyOf(sealed)
	k.mu.RLock()
	defer k.mu.RUnlock()
	e, err := k.keys.Primary()
	return ok && err == nil && e.KeyID() == id
}

// change changes the keys in the file, as they are there now, and then those in use.
func (k *Keeper) change(do func(*keyset.Manager, *keyset.Handle) error) error {
	switch {
	case k.src.KMS != nil:
		return tocsin.Problemf(tocsin.Invalid, "Rotate it in the service.", "The key lies in a key management service, not with Tocsin.")
	case k.src.Value != "":
		return tocsin.Problemf(tocsin.Invalid, "Start Tocsin with TOCSIN_KEY_VALUE set to the new key, a comma, and the old key.",
			"The key was given as a value (TOCSIN_KEY_VALUE), so Tocsin cannot change it.")
	}
	keys, err := readFile(k.src.File)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(keys)
	if err := do(m, keys); err != nil {
		return fmt.Errorf("rotate the key: %w", err)
	}
	if keys, err = m.Handle(); err != nil {
		return fmt.Errorf("rotate the key: %w", err)
	}
	if err := writeFile(k.src.File, keys, os.Rename); err != nil {
		return err
	}
	return k.use(keys)
}
