package secret

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"tocsin.dev"
)

// parseKeyset reads a keyset's JSON, as in a key file; ok is false when it is none that we could use.
func parseKeyset(text []byte) (keys *keyset.Handle, ok bool) {
	keys, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, false
	}
	if _, err := aead.New(keys); err != nil {
		return nil, false
	}
	for _, info := range keys.KeysetInfo().GetKeyInfo() {
		if info.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, false // what it sealed would not say which key to take
		}
	}
	return keys, true
}

// parseValue reads a key that was given as a value: see Source.Value.
func parseValue(value string) (*keyset.Handle, error) {
	if keys, ok := parse([]byte(value)); ok {
		return keys, nil
	}
	return nil, tocsin.Problemf(tocsin.Invalid, "Give 32 random bytes in base64, such as tocsin key new prints, or the content of a key file.",
		"The key given as a value (TOCSIN_KEY_VALUE) is none.")
}

// parse reads a key, or several: see Source.Value. From a command it may be 32 bytes as they are.
func parse(text []byte) (*keyset.Handle, bool) {
	value := strings.TrimSpace(string(text))
	if strings.HasPrefix(value, "{") {
		return parseKeyset([]byte(value))
	}
	if inner, ok := decode(value); ok && len(inner) > 32 && len(inner) < len(text) { // a text, as services that keep bytes give it back
		if keys, ok := parse(inner); ok {
			return keys, true
		}
	}
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '\n' })
	if strings.Contains(value, ",") {
		parts = strings.Split(value, ",") // an empty one is a mistake
	}
	raws := make([][]byte, len(parts))
	for i, p := range parts {
		raw, ok := decode(strings.TrimSpace(p))
		if !ok || len(raw) != 32 {
			return nil, false
		}
		raws[i] = raw
	}
	return keysOf(raws)
}

// Fresh is a new key in base64.
func Fresh() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// keysOf makes a keyset of 32-byte keys, the first of which seals. A key's id is made from the key, so that every replica
// finds the same.
func keysOf(raws [][]byte) (*keyset.Handle, bool) {
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink})
	if err != nil {
		return nil, false
	}
	m := keyset.NewManager()
	for i, raw := range raws {
		sum := sha256.Sum256(raw)
		key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), binary.BigEndian.Uint32(sum[:]), params)
		if err != nil {
			return nil, false
		}
		id, err := m.AddKey(key)
		if err != nil {
			return nil, false // the same key twice
		}
		if i == 0 {
			if err := m.SetPrimary(id); err != nil {
				return nil, false
			}
		}
	}
	keys, err := m.Handle()
	return keys, err == nil
}

// decode reads hex (of 32 bytes) or base64, with or without padding, in either alphabet.
func decode(s string) ([]byte, bool) {
	if len(s) == 64 {
		if b, err := hex.DecodeString(s); err == nil {
			return b, true
		}
	}
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil && len(b) > 0
}
