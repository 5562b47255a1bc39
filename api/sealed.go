package api

import (
	"encoding/base64"

	"tocsin.dev"
	"tocsin.dev/secret/reseal"
)

// Sealed is where second factors lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{
		What: "second factors", Table: "account", Key: "id", Column: "totp", About: func(_ tocsin.TenantID, id string) string { return aboutFactor(id) },
		Cut: func(value string) ([]byte, bool) {
			f, ok := parseFactor(value)
			if !ok {
				return nil, false
			}
			sealed, err := base64.RawStdEncoding.DecodeString(f.sealed)
			return sealed, err == nil
		},
		Put: func(value string, sealed []byte) string {
			f, _ := parseFactor(value)
			f.sealed = base64.RawStdEncoding.EncodeToString(sealed)
			return f.String()
		},
	}}
}

// aboutFactor binds a second factor to its account.
func aboutFactor(account string) string { return "account|" + account + "|totp" }
