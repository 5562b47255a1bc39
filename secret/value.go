package secret

import (
	"bytes"
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
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "{") {
		if keys, ok := parseKeyset([]byte(value)); ok {
			return keys, nil
		}
		return nil, badValue()
	}
	if text, ok := decode(value); ok && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		if keys, ok := parseKeyset(text); ok {
			return keys, nil
		}
		return nil, badValue()
	}
	return parseKeys(strings.Split(value, ","))
}

// parseKeys makes a keyset of 32-byte keys, the first of which seals. A key's id is made from the key, so that every
// replica finds the same.
func parseKeys(values []string) (*keyset.Handle, error) {
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink})
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	for i, v := range values {
		raw, ok := decode(strings.TrimSpace(v))
		if !ok || len(raw) != 32 {
			return nil, badValue()
		}
		sum := sha256.Sum256(raw)
		key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), binary.BigEndian.Uint32(sum[:]), params)
		if err != nil {
			return nil, badValue()
		}
		id, err := m.AddKey(key)
		if err != nil {
			return nil, badValue() // the same key twice
		}
		if i == 0 {
			if err := m.SetPrimary(id); err != nil {
				return nil, err
			}
		}
	}
	return m.Handle()
}

func badValue() error {
	return tocsin.Problemf(tocsin.Invalid, "Give 32 random bytes in base64, such as openssl rand -base64 32 prints, or the content of a key file.",
		"The key given as a value (TOCSIN_KEY_VALUE) is none.")
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
