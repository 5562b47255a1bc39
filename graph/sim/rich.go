package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// publisher is the application id of Microsoft Graph Change Tracking, which signs for notifications with resource data.
const publisher = "0bf30f3b-4a52-48df-9a82-234910c4a086"

// lock is whom resource data are encrypted for. It is never changed: what was made for one stays so.
type lock struct {
	key            *rsa.PublicKey
	id, thumbprint string
}

func (l *lock) name() string {
	if l == nil {
		return ""
	}
	return l.id
}

// encrypt makes the encryptedContent of a notification: AES-256-CBC under a key used this once, whose first half is the
// initialisation vector; HMAC-SHA256 of what came out, under the same key; and the key by RSA-OAEP with SHA-1.
// See https://learn.microsoft.com/graph/change-notifications-with-resource-data.
func (l *lock) encrypt(b, plain []byte) ([]byte, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, l.key, key[:], nil)
	if err != nil {
		return nil, fmt.Errorf("sim: encrypt a notification: %w", err)
	}
	data, sum, err := seal(key[:], plain)
	if err != nil {
		return nil, err
	}
	b = base64.StdEncoding.AppendEncode(append(b, `"encryptedContent":{"data":"`...), data)
	b = base64.StdEncoding.AppendEncode(append(b, `","dataSignature":"`...), sum)
	b = base64.StdEncoding.AppendEncode(append(b, `","dataKey":"`...), wrapped)
	b = appendString(append(b, `","encryptionCertificateId":`...), l.id)
	b = append(append(b, `,"encryptionCertificateThumbprint":"`...), l.thumbprint...)
	return append(b, `"},`...), nil
}

// seal encrypts and signs with a symmetric key.
func seal(key, plain []byte) (data, sum []byte, err error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("sim: encrypt a notification: %w", err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	data = append(make([]byte, 0, len(plain)+pad), plain...)
	for range pad {
		data = append(data, byte(pad))
	}
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(data, data)
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return data, h.Sum(nil), nil
}

// kindsOf are the annotations that resource data bear: what JSON does not tell of a value.
var kindsOf = map[string]string{"receivedDateTime": "#DateTimeOffset", "sentDateTime": "#DateTimeOffset", "createdDateTime": "#DateTimeOffset",
	"lastModifiedDateTime": "#DateTimeOffset", "importance": "#microsoft.graph.importance", "inferenceClassification": "#microsoft.graph.inferenceClassificationType",
	"categories": "#Collection(String)", "toRecipients": "#Collection(microsoft.graph.recipient)", "ccRecipients": "#Collection(microsoft.graph.recipient)"}

// resourceData is the message's properties that the subscription selects, as Graph writes them in notifications. There is
// an id only where it was selected.
func (s *Sim) resourceData(sub *subscription, e happening) []byte {
	it := s.messageItem(e.b, e.m, sub.immutable)
	var o obj
	for _, name := range sub.target.sel {
		v, ok := it.get(name)
		if !ok {
			continue
		}
		if kind := kindsOf[name]; kind != "" {
			o = append(o, member{name + "@odata.type", kind})
		}
		switch v := v.(type) {
		case obj:
			o = append(o, member{name, typed(name, v)})
			continue
		case []any:
			list := make([]any, len(v))
			for i := range v {
				if list[i] = v[i]; name != "bccRecipients" {
					if one, ok := v[i].(obj); ok {
						list[i] = typed("from", one)
					}
				}
			}
			o = append(o, member{name, list})
			continue
		}
		o = append(o, member{name, v})
	}
	for _, e := range sub.target.expand {
		if v := it.expand(e); v != nil {
			o = append(o, member{e.name, v})
		}
	}
	return appendObject(nil, o)
}

// typed adds the annotations of an inner object.
func typed(name string, o obj) obj {
	switch name {
	case "from", "sender":
		inner, _ := o.get("emailAddress")
		address, _ := inner.(obj)
		return obj{{"@odata.type", "#microsoft.graph.recipient"}, {"emailAddress", append(obj{{"@odata.type", "#microsoft.graph.emailAddress"}}, address...)}}
	case "flag":
		return append(obj{{"@odata.type", "#microsoft.graph.followupFlag"}}, o...)
	}
	return o
}

// vouchers are the validation tokens, made anew before they end.
type vouchers struct {
	mu   sync.Mutex
	made map[string]voucher
}

type voucher struct {
	text  string
	ends  time.Time
	keyID string
}

// Voucher says what a validation token claims; empty fields are as they should be.
type Voucher struct {
	Audience, Issuer, Tenant, Publisher string
	Ends                                time.Time
	Version2                            bool // azp instead of appid, and the other issuer
}

// validationToken is the token of a POST with resource data for an application. Half of all worlds have tokens of version 2.
func (s *Sim) validationToken(app string) (string, error) {
	key, err := s.keys.newest()
	if err != nil {
		return "", err
	}
	id := keyID(&key.PublicKey)
	v := &s.vouchers
	v.mu.Lock()
	defer v.mu.Unlock()
	if one := v.made[app]; one.keyID == id && time.Until(one.ends) > time.Hour {
		return one.text, nil
	}
	ends := time.Now().Add(8 * time.Hour)
	text, err := s.voucher(key, Voucher{Audience: app, Ends: ends, Version2: mix(uint64(s.world.seed))%2 == 0})
	if err != nil {
		return "", err
	}
	if v.made == nil {
		v.made = map[string]voucher{}
	}
	v.made[app] = voucher{text, ends, id}
	return text, nil
}

// voucher signs a validation token.
func (s *Sim) voucher(key *rsa.PrivateKey, v Voucher) (string, error) {
	now := time.Now()
	tenant := first(v.Tenant, s.cfg.Tenant)
	issuer, claim, version := "https://sts.windows.net/"+tenant+"/", "appid", "1.0"
	if v.Version2 {
		issuer, claim, version = "https://login.microsoftonline.com/"+tenant+"/v2.0", "azp", "2.0"
	}
	if v.Ends.IsZero() {
		v.Ends = now.Add(8 * time.Hour)
	}
	c := jwt.MapClaims{"aud": first(v.Audience, s.app.id), "iss": first(v.Issuer, issuer), "iat": min(now.Unix(), v.Ends.Unix()-3600), "nbf": min(now.Unix(), v.Ends.Unix()-3600),
		"exp": v.Ends.Unix(), "aio": "42FgYKhZ+uOZrHa7p+7tfruauq1HAA==", claim: first(v.Publisher, publisher), claim + "acr": "2", "idp": issuer, "tid": tenant,
		"uti": strings.ReplaceAll(randomGUID(), "-", "")[:22], "ver": version}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	t.Header["kid"] = keyID(&key.PublicKey)
	t.Header["x5t"] = keyID(&key.PublicKey)
	return t.SignedString(key)
}
