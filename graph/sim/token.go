package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keyring is the keys that tokens are signed with: the newest signs, all verify.
type keyring struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

func (k *keyring) newest() (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		key, err := firstKey()
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, key)
	}
	return k.keys[len(k.keys)-1], nil
}

// firstKey is the first key of every simulated tenant of this process, as Microsoft signs for all tenants with the same ones: to make one
// takes longer than many a test.
var firstKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// rotate makes a new key; forget drops the older ones, so that their tokens are refused.
func (k *keyring) rotate(forget bool) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if forget {
		k.keys = nil
	}
	k.keys = append(k.keys, key)
	return nil
}

func keyID(k *rsa.PublicKey) string {
	h := sha256.Sum256(k.N.Bytes())
	return base64.RawURLEncoding.EncodeToString(h[:20])
}

func (k *keyring) byID(id string) *rsa.PublicKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if keyID(&key.PublicKey) == id {
			return &key.PublicKey
		}
	}
	return nil
}

// public is the keys as a JWKS.
func (k *keyring) public() map[string]any {
	k.newest()
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []any
	for _, key := range k.keys {
		out = append(out, map[string]any{"kty": "RSA", "use": "sig", "kid": keyID(&key.PublicKey), "x5t": keyID(&key.PublicKey),
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())})
	}
	return map[string]any{"keys": out}
}

// claims are those of an application's token.
type claims struct {
	jwt.RegisteredClaims
	AppID    string   `json:"appid"`
	AppName  string   `json:"app_displayname"`
	IDType   string   `json:"idtyp"`
	ObjectID string   `json:"oid"`
	Roles    []string `json:"roles,omitempty"`
	Tenant   string   `json:"tid"`
	Version  string   `json:"ver"`
	Wids     []string `json:"wids,omitempty"`
	Scope    string   `json:"scp,omitempty"` // of who signed in
	UPN      string   `json:"upn,omitempty"`
	Name     string   `json:"name,omitempty"`
}

// issue makes a token of the first application. The caller holds app.mu.
func (s *Sim) issue(now time.Time, audience string) (string, *aadError) {
	return s.issueTo(s.app, now, audience)
}

// issueTo makes a token with the roles consented now to an application. The caller holds its mu.
func (s *Sim) issueTo(a *app, now time.Time, audience string) (string, *aadError) {
	return s.signed(&claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: "https://sts.windows.net/" + s.cfg.Tenant + "/", Subject: a.objectID, Audience: jwt.ClaimStrings{audience},
		IssuedAt: jwt.NewNumericDate(now.Add(-5 * time.Minute)), NotBefore: jwt.NewNumericDate(now.Add(-5 * time.Minute)),
		ExpiresAt: jwt.NewNumericDate(now.Add(3599 * time.Second)), ID: randomGUID()},
		AppID: a.id, AppName: a.name, IDType: "app", ObjectID: a.objectID, Roles: slices.DeleteFunc(slices.Clone(a.roles), func(role string) bool { return resourceOf(role) != audience }),
		Tenant: s.cfg.Tenant, Version: "1.0", Wids: []string{"0997a1d0-0d1d-4acb-b408-d5ca73121e90"}})
}

// signed is a token of these claims.
func (s *Sim) signed(c jwt.Claims) (string, *aadError) {
	key, err := s.keys.newest()
	if err != nil {
		return "", aad(http.StatusInternalServerError, 90033, "temporarily_unavailable", "A transient error has occurred. Please try again.")
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	t.Header["kid"] = keyID(&key.PublicKey)
	t.Header["x5t"] = keyID(&key.PublicKey)
	text, err := t.SignedString(key)
	if err != nil {
		return "", aad(http.StatusInternalServerError, 90033, "temporarily_unavailable", "A transient error has occurred. Please try again.")
	}
	return text, nil
}

// verify checks a bearer token: signature, times, audience. A token found right is known the next time, but for its times.
func (s *Sim) verify(header string) (*claims, string) {
	kind, text, _ := strings.Cut(header, " ")
	if header == "" || !strings.EqualFold(kind, "Bearer") || text == "" {
		return nil, "Access token is empty."
	}
	if known, ok := s.tokens.Load(text); ok {
		c := known.(*claims)
		if time.Now().After(c.ExpiresAt.Time) {
			return nil, expiredToken
		}
		return c, ""
	}
	c := &claims{}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"})).ParseWithClaims(text, c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		if key := s.keys.byID(id); key != nil {
			return key, nil
		}
		return nil, errors.New("unknown key")
	})
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, expiredToken
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, "IDX14100: JWT is not well formed, there are no dots (.).\nThe token needs to be in JWS or JWE Compact Serialization Format."
	case err != nil:
		return nil, "Access token validation failure. Invalid signature or key."
	case !slices.ContainsFunc(c.Audience, func(a string) bool { return a == graphID || a == audience || resources[a] != "" }):
		return nil, "Access token validation failure. Invalid audience."
	}
	s.tokens.Store(text, c)
	return c, ""
}

const expiredToken = "Lifetime validation failed, the token is expired."

// RotateKeys makes the sign-in service sign with a new key from now on. withdraw drops the older ones, so that what they signed
// is not good any more.
func (s *Sim) RotateKeys(withdraw bool) error { return s.keys.rotate(withdraw) }
