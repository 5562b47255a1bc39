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
	if id, _ := KeyOf(sealed); id == k.Keys()[0] {
		return sealed, false, nil
	}
	out, err = k.Seal(plain, about)
	return out, err == nil, err
}

// change changes the keys in the file, as they are there now, and then those in use.
func (k *Keeper) change(do func(*keyset.Manager, *keyset.Handle) error) error {
	if !k.Own() {
		return k.NotOurs()
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
	return k.read()
}

// NotOurs says how a key is replaced that is given to Tocsin and not kept by it.
func (k *Keeper) NotOurs() error {
	where := "as a value (TOCSIN_KEY_VALUE)"
	if k.src.Command != "" {
		where = "by a command (key.command)"
	}
	return tocsin.Problemf(tocsin.Invalid, "Make a key with tocsin key new. Have every server start with the old key, a comma, and the new; then with the new, a comma, and the old; then run tocsin key rotate.",
		"The key is given %s, so Tocsin cannot put a new one in its place.", where)
}
