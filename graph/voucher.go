package graph

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Publisher is the application of Microsoft's that vouches for notifications with resource data: Microsoft Graph Change
// Tracking. https://learn.microsoft.com/graph/change-notifications-with-resource-data#validating-the-authenticity-of-notifications
const Publisher = "0bf30f3b-4a52-48df-9a82-234910c4a086"

// Vouched is what a validation token says: that what comes with it is Microsoft's, for an application in a tenant. Both in
// lower case.
type Vouched struct {
	Tenant, App string
}

// Vouchers checks validation tokens, by which Microsoft vouches for the notifications of a POST. The zero value is ready for
// use; it is safe for use by many at once.
type Vouchers struct {
	// Now is the time by which tokens hold; the zero value is time.Now, since they are of the world and not of a test's clock.
	Now func() time.Time
	// Every is how long lies at least between two tries to get an authority's keys; 0 is ten seconds.
	Every time.Duration

	mu    sync.Mutex
	known map[[sha256.Size]byte]knownVoucher // tokens that were found good
	keys  map[string]*keyRing                // by authority
}

// What became of a token that is not good. It is never part of an error.
var (
	// ErrForged says that a token does not vouch for anything: nobody needs to send it again.
	ErrForged = errors.New("a validation token does not vouch for what came with it")
	// ErrUnsure says that nobody can say now whether a token is good: the keys that sign cannot be had.
	ErrUnsure = errors.New("whether a validation token is good cannot be told now")
)

const (
	maxVoucher   = 16 << 10        // bytes of a token
	mostVouchers = 1000            // that are remembered
	rememberFor  = 5 * time.Minute // after which a good token is looked at again
	keysFor      = 24 * time.Hour  // after which an authority's keys are asked for again
	keysTime     = 2 * time.Second // for asking, since Graph waits
)

type knownVoucher struct {
	Vouched
	until time.Time
}

// voucherClaims are those of a validation token: of version 1 with appid, of version 2 with azp.
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
type voucherClaims struct {
	jwt.RegisteredClaims
	Tenant  string `json:"tid"`
	AppID   string `json:"appid"`
	Party   string `json:"azp"`
	Version string `json:"ver"`
}

// Check says what a token vouches for. of gives the client of an application in a tenant, whose authority's keys must have
// signed the token; nil where there is no such application of ours. The error is ErrForged or ErrUnsure, with why.
func (v *Vouchers) Check(ctx context.Context, token string, of func(ctx context.Context, tenant, app string) (*Client, error)) (Vouched, error) {
	if len(token) > maxVoucher {
		return Vouched{}, forged("it is too long")
	}
	now, sum := v.now(), sha256.Sum256([]byte(token))
	v.mu.Lock()
	had, ok := v.known[sum]
	v.mu.Unlock()
	if ok && now.Before(had.until) {
		return had.Vouched, nil
	}
	// Whom it claims to be for says whose keys to look at; nothing of it is believed before these have said so.
	var claims voucherClaims
	unread, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	if err != nil {
		return Vouched{}, forged("it is no token")
	}
	if unread.Method.Alg() != "RS256" {
		return Vouched{}, forged("it is signed in another way than Microsoft's are")
	}
	if !guid.MatchString(claims.Tenant) || len(claims.Audience) != 1 || !guid.MatchString(claims.Audience[0]) {
		return Vouched{}, forged("it does not say for which tenant and application it is")
	}
	audience := claims.Audience[0]
	is := Vouched{Tenant: strings.ToLower(claims.Tenant), App: strings.ToLower(audience)}
	client, err := of(ctx, is.Tenant, is.App)
	switch {
	case err != nil:
		return Vouched{}, fmt.Errorf("%w: %w", ErrUnsure, err)
	case client == nil:
		return Vouched{}, forged("it is for another application or tenant")
	}
	claims = voucherClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithLeeway(tolerated), jwt.WithTimeFunc(v.now))
	_, err = parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		k, err := v.ring(client.cfg.Cloud.Authority).key(ctx, v, client, id)
		if err != nil {
			return nil, err
		}
		if k.tenant != "" && !strings.EqualFold(k.tenant, is.Tenant) {
			return nil, errors.New("the key signs for another tenant")
		}
		return k.key, nil
	})
	switch {
	case errors.Is(err, ErrUnsure):
		return Vouched{}, fmt.Errorf("%w", ErrUnsure)
	case err != nil:
		return Vouched{}, forged(tokenFault(err))
	case !strings.EqualFold(claims.Tenant, is.Tenant), !slices.Contains(client.cfg.Cloud.issuers(is.Tenant), strings.ToLower(claims.Issuer)):
		return Vouched{}, forged("it was not issued by the tenant it names")
	case claims.publisher() != Publisher:
		return Vouched{}, forged("it is not of the application that sends notifications")
	}
	v.remember(sum, is, now, claims.ExpiresAt.Time)
	return is, nil
}

// publisher is who asked for the token; what contradicts itself is nobody.
func (c *voucherClaims) publisher() string {
	if c.AppID != "" && c.Party != "" && !strings.EqualFold(c.AppID, c.Party) {
		return ""
	}
	return strings.ToLower(or(c.Party, c.AppID))
}

func forged(why string) error { return fmt.Errorf("%w: %s", ErrForged, why) }

func (v *Vouchers) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// remember keeps a good token for the burst that comes with it.
func (v *Vouchers) remember(sum [sha256.Size]byte, is Vouched, now, ends time.Time) {
	until := now.Add(rememberFor)
	if ends.Before(until) {
		until = ends
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) >= mostVouchers {
		v.known = map[[sha256.Size]byte]knownVoucher{}
	}
	v.known[sum] = knownVoucher{is, until}
}

// forget drops what was found good by keys that are not good any more.
func (v *Vouchers) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known = nil
}

func (v *Vouchers) ring(authority string) *keyRing {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := v.keys[authority]
	if k == nil {
		if v.keys == nil {
			v.keys = map[string]*keyRing{}
		}
		k = &keyRing{}
		v.keys[authority] = k
	}
	return k
}

// issuers are who issues a cloud's tokens of a tenant: of version 2, and of version 1, which are named by where the service
// once was. Simulated clouds sign as the worldwide one does.
func (c Cloud) issuers(tenant string) []string {
	out := []string{strings.ToLower(strings.TrimRight(c.Authority, "/")) + "/" + tenant + "/v2.0"}
	if c.Authority == China.Authority {
		return append(out, "https://sts.chinacloudapi.cn/"+tenant+"/")
	}
	out = append(out, "https://sts.windows.net/"+tenant+"/")
	if c.Authority != USGov.Authority {
		out = append(out, Global.Authority+"/"+tenant+"/v2.0")
	}
	return out
}

// keyRing is an authority's signing keys.
type keyRing struct {
	asking sync.Mutex // held while they are asked for

	mu    sync.Mutex
	keys  map[string]signingKey
	asked time.Time // began last, whatever came of it
	got   time.Time // began, when it succeeded last
}

// signingKey is a key of an authority; tenant is set where it signs for that one alone.
type signingKey struct {
	key    *rsa.PublicKey
	tenant string
}

// key is the key of that id. Nobody waits for keys who does not need them. A key that is not known is asked for, unless keys
// were asked for a moment ago: ErrUnsure, since it may be new. One that is not among keys that were asked for after the token
// had come is none.
func (k *keyRing) key(ctx context.Context, v *Vouchers, c *Client, id string) (signingKey, error) {
	came := time.Now()
	one, ok, got := k.look(id)
	if ok && time.Since(got) < keysFor {
		return one, nil
	}
	if ok {
		if !k.asking.TryLock() {
			return one, nil
		}
	} else {
		k.asking.Lock()
	}
	defer k.asking.Unlock()
	if one, ok, got = k.look(id); got.Before(came) && time.Since(k.asked) >= cmp.Or(v.Every, 10*time.Second) {
		k.ask(ctx, v, c)
		one, ok, got = k.look(id)
	}
	switch {
	case ok: // known before, while fresh ones cannot be had
		return one, nil
	case !got.Before(came):
		return signingKey{}, errors.New("no key of that id")
	}
	return signingKey{}, ErrUnsure
}

func (k *keyRing) look(id string) (one signingKey, ok bool, got time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, ok = k.keys[id]
	return one, ok, k.got
}

// ask asks the authority for its keys. The caller holds asking.
func (k *keyRing) ask(ctx context.Context, v *Vouchers, c *Client) {
	k.asked = time.Now()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), keysTime) // others wait for the answer too
	defer stop()
	fresh, err := c.signingKeys(ctx)
	if err != nil {
		c.log.Warn("the keys that sign notifications could not be had; Microsoft Graph sends them again", "error", err)
		return
	}
	k.mu.Lock()
	withdrawn := slices.ContainsFunc(slices.Collect(maps.Keys(k.keys)), func(id string) bool {
		is, ok := fresh[id]
		return !ok || !is.key.Equal(k.keys[id].key)
	})
	k.keys, k.got = fresh, k.asked
	k.mu.Unlock()
	if withdrawn {
		v.forget()
	}
}

// signingKeys are the keys by which the authority signs, of both versions of its tokens. Their address is made, not taken from
// an answer.
func (c *Client) signingKeys(ctx context.Context) (map[string]signingKey, error) {
	out := map[string]signingKey{}
	for _, path := range []string{"/discovery/v2.0/keys", "/discovery/keys"} {
		var set struct {
			Keys []struct{ Kty, Use, Kid, N, E, Issuer string } `json:"keys"`
		}
		if err := c.signInCall(ctx, http.MethodGet, c.authority()+path, nil, &set); err != nil {
			if _, ok := errors.AsType[*Unavailable](err); ok || errors.Is(err, ErrPaused) {
				return nil, err
			}
			return nil, &Unavailable{What: "the keys of the sign-in service cannot be had"}
		}
		for _, k := range set.Keys {
			if k.Kid == "" || k.Kty != "RSA" || k.Use != "" && k.Use != "sig" {
				continue
			}
			if key := publicKey(k.N, k.E); key != nil {
				out[k.Kid] = signingKey{key, issuesFor(k.Issuer)}
			}
		}
	}
	if len(out) == 0 {
		return nil, &Unavailable{What: "the sign-in service names no keys"}
	}
	return out, nil
}

// issuesFor is the tenant that a key's issuer names; empty where it signs for all.
func issuesFor(issuer string) string {
	for part := range strings.SplitSeq(issuer, "/") {
		if guid.MatchString(part) {
			return part
		}
	}
	return ""
}

// publicKey is a key of a JWKS; nil where it is none, or too weak.
func publicKey(modulus, exponent string) *rsa.PublicKey {
	n, err1 := base64.RawURLEncoding.DecodeString(modulus)
	e, err2 := base64.RawURLEncoding.DecodeString(exponent)
	if err1 != nil || err2 != nil || len(n) < 256 || len(e) == 0 || len(e) > 4 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
}
