package graph

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	voucherTenant = "11111111-2222-4333-8444-555555555555"
	voucherApp    = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
)

// keyServer is a sign-in service that only has keys.
type keyServer struct {
	mu    sync.Mutex
	keys  map[string]*rsa.PrivateKey
	own   map[string]string // the issuer that a key bears
	down  atomic.Bool
	asked atomic.Int64
}

func (a *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked.Add(1)
	if a.down.Load() {
		return nil, errors.New("no route")
	}
	if !strings.HasSuffix(r.URL.Path, "/keys") {
		return nil, fmt.Errorf("asked for %s", r.URL.Path)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []map[string]string{}
	for id, k := range a.keys {
		list = append(list, map[string]string{"kty": "RSA", "use": "sig", "kid": id, "n": base64.RawURLEncoding.EncodeToString(k.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes()), "issuer": a.own[id]})
	}
	body, err := json.Marshal(map[string]any{"keys": list})
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
}

func (a *keyServer) put(id string, k *rsa.PrivateKey, issuer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[id], a.own[id] = k, issuer
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// voucherBench is a keyServer, and a client of ours of the tenant and app.
func voucherBench(t testing.TB, cloud Cloud) (*keyServer, func(context.Context, string, string) (*Client, error)) {
	t.Helper()
	a := &keyServer{keys: map[string]*rsa.PrivateKey{}, own: map[string]string{}}
	c, err := New(Config{Cloud: cloud, Tenant: voucherTenant, Client: voucherApp, Secret: "x", HTTP: &http.Client{Transport: a}})
	if err != nil {
		t.Fatal(err)
	}
	return a, func(_ context.Context, tenant, app string) (*Client, error) {
		if tenant == voucherTenant && app == voucherApp {
			return c, nil
		}
		return nil, nil
	}
}

// signed is a validation token, of which some claims are others (nil: lacking).
func signed(t testing.TB, k *rsa.PrivateKey, id string, change map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"aud": voucherApp, "iss": "https://sts.windows.net/" + voucherTenant + "/", "tid": voucherTenant, "appid": Publisher, "ver": "1.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(8 * time.Hour).Unix()}
	for name, v := range change {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = id
	text, err := token.SignedString(k)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestVouchers: a token is good when all of it is as Microsoft makes it, in either version, and forged when anything is not.
func TestVouchers(t *testing.T) {
	a, of := voucherBench(t, Cloud{})
	key, other := newKey(t), newKey(t)
	a.put("one", key, "https://login.microsoftonline.com/{tenantid}/v2.0")
	a.put("consumers", other, "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")
	v := &Vouchers{}
	v2 := map[string]any{"iss": "https://login.microsoftonline.com/" + voucherTenant + "/v2.0", "appid": nil, "azp": Publisher, "ver": "2.0"}
	with := func(name string, value any) map[string]any { return map[string]any{name: value} }
	for _, c := range []struct {
		name, token string
		good        bool
	}{
		{"version 1", signed(t, key, "one", nil), true},
		{"version 2", signed(t, key, "one", v2), true},
		{"upper case", signed(t, key, "one", with("tid", strings.ToUpper(voucherTenant))), true},
		{"another key under its name", signed(t, other, "one", nil), false},
		{"a key of another tenant's", signed(t, other, "consumers", nil), false},
		{"no publisher", signed(t, key, "one", with("appid", nil)), false},
		{"another publisher", signed(t, key, "one", with("appid", voucherApp)), false},
		{"two publishers", signed(t, key, "one", with("azp", voucherApp)), false},
		{"another application", signed(t, key, "one", with("aud", Publisher)), false},
		{"no application", signed(t, key, "one", with("aud", nil)), false},
		{"two applications", signed(t, key, "one", with("aud", []string{voucherApp, Publisher})), false},
		{"another tenant", signed(t, key, "one", with("tid", Publisher)), false},
		{"another tenant's issuer", signed(t, key, "one", with("iss", "https://sts.windows.net/"+Publisher+"/")), false},
		{"another issuer", signed(t, key, "one", with("iss", "https://sts.evil.example/"+voucherTenant+"/")), false},
		{"no end", signed(t, key, "one", with("exp", nil)), false},
		{"past its end", signed(t, key, "one", with("exp", time.Now().Add(-time.Hour).Unix())), false},
		{"not begun", signed(t, key, "one", with("nbf", time.Now().Add(time.Hour).Unix())), false},
		{"cut", signed(t, key, "one", nil)[:200], false},
		{"empty", "", false},
		{"long", strings.Repeat("x", 1<<20), false},
		{"unsigned", strings.Join(strings.SplitN(signed(t, key, "one", nil), ".", 3)[:2], ".") + ".", false},
	} {
		is, err := v.Check(t.Context(), c.token, of)
		if c.good && (err != nil || is != (Vouched{voucherTenant, voucherApp})) || !c.good && !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v, %v", c.name, is, err)
		}
	}
	asked := a.asked.Load()
	good := signed(t, key, "one", nil)
	for range 100 {
		if _, err := v.Check(t.Context(), good, of); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.asked.Load(); n != asked || asked != 2 {
		t.Errorf("keys were asked for %d times, then %d", asked, n)
	}
	for cloud, issuer := range map[*Cloud]string{&USGov: "https://login.microsoftonline.us/" + voucherTenant + "/v2.0", &China: "https://login.partner.microsoftonline.cn/" + voucherTenant + "/v2.0"} {
		a, of := voucherBench(t, *cloud)
		a.put("one", key, "")
		if _, err := new(Vouchers).Check(t.Context(), signed(t, key, "one", with("iss", issuer)), of); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
		if _, err := new(Vouchers).Check(t.Context(), signed(t, key, "one", v2), of); !errors.Is(err, ErrForged) {
			t.Errorf("a token of the worldwide cloud in %s: %v", issuer, err)
		}
	}
}

// TestVouchersKeys: a new key is asked for, not more often than is allowed; while keys cannot be had nobody can say what is
// forged, and what is known already needs none; a key that is withdrawn vouches for nothing any more.
func TestVouchersKeys(t *testing.T) {
	a, of := voucherBench(t, Cloud{})
	one, two := newKey(t), newKey(t)
	a.put("one", one, "")
	v := &Vouchers{Every: time.Hour}
	a.down.Store(true)
	check := func(what, token string, want error) {
		t.Helper()
		if _, err := v.Check(t.Context(), token, of); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	old, fresh, stranger := signed(t, one, "one", nil), signed(t, two, "two", nil), signed(t, two, "three", nil)
	check("no keys", old, ErrUnsure)
	a.down.Store(false)
	check("asked a moment ago", old, ErrUnsure)
	v.Every = time.Nanosecond
	check("keys again", old, nil)
	v.Every = time.Hour
	asked := a.asked.Load()
	a.put("two", two, "")
	for range 10 {
		check("a new key, too soon", fresh, ErrUnsure)
	}
	if n := a.asked.Load(); n != asked {
		t.Errorf("keys were asked for %d times", n-asked)
	}
	check("what is known", old, nil)
	v.Every = time.Nanosecond
	check("a new key", fresh, nil)
	check("no key", stranger, ErrForged)
	a.down.Store(true)
	check("what is known, without keys", signed(t, one, "one", map[string]any{"uti": "x"}), nil)
	a.down.Store(false)
	a.mu.Lock()
	delete(a.keys, "one")
	a.mu.Unlock()
	check("no key again", stranger, ErrForged)
	check("withdrawn", old, ErrForged)
	failing := func(context.Context, string, string) (*Client, error) { return nil, errors.New("the database is away") }
	if _, err := v.Check(t.Context(), stranger, failing); !errors.Is(err, ErrUnsure) {
		t.Errorf("without the database: %v", err)
	}
}

// FuzzVouchers: whatever the text, it vouches for nothing that is not signed, and nothing breaks.
func FuzzVouchers(f *testing.F) {
	a, of := voucherBench(f, Cloud{})
	key := newKey(f)
	a.put("one", key, "")
	good := signed(f, key, "one", nil)
	f.Add(good)
	f.Add("a.b.c")
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"one"}`)) + "." + strings.Split(good, ".")[1] + ".")
	v := &Vouchers{}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := v.Check(t.Context(), text, of)
		if err == nil && strings.TrimRight(text, "=") != good {
			t.Errorf("it vouches: %q", text)
		}
		if err != nil && (text == good || strings.Contains(err.Error(), good[:40])) {
			t.Errorf("%v", err)
		}
	})
}
