package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/pkcs12"

	"tocsin.dev/sharedtest"
)

// pairText is a certificate as a subscription bears it, and its key.
func pairText(t testing.TB) (string, *rsa.PrivateKey) {
	t.Helper()
	text, err := NewCertificate("hooks", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode([]byte(text))
	private, _ := pem.Decode(rest)
	key, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(block.Bytes), key.(*rsa.PrivateKey)
}

func certificateText(t testing.TB) string {
	text, _ := pairText(t)
	return text
}

// encrypted is a notification's encryptedContent.
type encrypted struct {
	Data, DataKey, DataSignature    []byte
	EncryptionCertificateID         string
	EncryptionCertificateThumbprint string
}

// open decrypts as Microsoft's documentation says a receiver must.
func (e encrypted) open(t testing.TB, key *rsa.PrivateKey) (symmetric, plain []byte) {
	t.Helper()
	symmetric, err := rsa.DecryptOAEP(sha1.New(), nil, key, e.DataKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, symmetric)
	h.Write(e.Data)
	if !hmac.Equal(h.Sum(nil), e.DataSignature) {
		t.Fatal("the signature is not the data's")
	}
	block, err := aes.NewCipher(symmetric)
	if err != nil {
		t.Fatal(err)
	}
	plain = slices.Clone(e.Data)
	cipher.NewCBCDecrypter(block, symmetric[:16]).CryptBlocks(plain, plain)
	return symmetric, plain[:len(plain)-int(plain[len(plain)-1])]
}

// TestEncryptionIsMicrosofts: what Graph made of Microsoft's example under its key is what we make of it.
func TestEncryptionIsMicrosofts(t *testing.T) {
	read := func(name string) []byte {
		raw, err := os.ReadFile(sharedtest.File(t, "graph/crypto-vectors/"+name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var e encrypted
	if err := json.Unmarshal(read("encryptedContent.json"), &e); err != nil {
		t.Fatal(err)
	}
	private, certificate, err := pkcs12.Decode(read("cert.pfx"), "rich")
	if err != nil {
		t.Fatal(err)
	}
	key, plain := e.open(t, private.(*rsa.PrivateKey))
	if hex.EncodeToString(key) != strings.TrimSpace(string(read("derived-symmetric-key.hex"))) {
		t.Error("the key is another than ours of the vector")
	}
	data, sum, err := seal(key, plain)
	if err != nil || string(data) != string(e.Data) || string(sum) != string(e.DataSignature) {
		t.Errorf("sealed again, Microsoft's plaintext gives other bytes (%v)", err)
	}
	sub := &subscription{rich: true, target: target{sel: []string{"isRead"}}}
	if why := sub.enrich(obj{{"encryptionCertificate", base64.StdEncoding.EncodeToString(certificate.Raw)}, {"encryptionCertificateId", e.EncryptionCertificateID}}); why != "" {
		t.Fatal(why)
	}
	out, err := sub.lock.encrypt([]byte("{"), plain)
	if err != nil {
		t.Fatal(err)
	}
	var ours struct{ EncryptedContent encrypted }
	if err := json.Unmarshal(append(out[:len(out)-1], '}'), &ours); err != nil {
		t.Fatal(err)
	}
	if _, again := ours.EncryptedContent.open(t, private.(*rsa.PrivateKey)); string(again) != string(plain) || ours.EncryptedContent.EncryptionCertificateThumbprint != e.EncryptionCertificateThumbprint ||
		ours.EncryptedContent.EncryptionCertificateID != e.EncryptionCertificateID {
		t.Error("what we encrypt for Microsoft's certificate does not come out")
	}
}

func TestRichNotifications(t *testing.T) {
	text, key := pairText(t)
	newText, newKey := pairText(t)
	versions := map[bool]bool{}
	for seed := int64(1); len(versions) < 2 && seed < 20; seed++ {
		second := mix(uint64(newWorld(seed, 1, "", time.Now()).seed))%2 == 0
		if versions[second] {
			continue
		}
		versions[second] = true
		p := newProbe(t, Config{Users: 30, Seed: seed, Content: true})
		l := listen(t, nil)
		amy := p.s.world.person(3)
		const sel = "$select=receivedDateTime,Subject,importance,from,toRecipients,flag,isRead,internetMessageId"
		made := p.call("POST", "subscriptions", with(p.subscription("users/"+amy.id+"/messages?"+sel, "created,updated,deleted", l.URL), "includeResourceData", true,
			"encryptionCertificate", text, "encryptionCertificateId", "key one"), 201)
		p.play("# x\nmon 09:00 " + amy.mail + " receives from out@evil.example subject \"One\"\nmon 09:01 " + amy.mail + " purges mail \"One\"\n")
		p.s.Deliver(t.Context())
		raw := l.posts[0]
		var body struct {
			Value []struct {
				ChangeType       string
				EncryptedContent *encrypted
				ResourceData     struct{ ID string }
			}
			ValidationTokens []string
		}
		if err := json.Unmarshal(raw, &body); err != nil || len(body.Value) != 2 || body.Value[1].EncryptedContent != nil || body.Value[0].EncryptedContent == nil {
			t.Fatalf("%v: %s", err, raw)
		}
		e := body.Value[0].EncryptedContent
		_, plain := e.open(t, key)
		var m map[string]any
		if err := json.Unmarshal(plain, &m); err != nil {
			t.Fatal(err)
		}
		if m["subject"] != "One" || m["receivedDateTime@odata.type"] != "#DateTimeOffset" || m["importance"] != "normal" || m["id"] != nil || m["bodyPreview"] != nil ||
			m["from"].(map[string]any)["emailAddress"].(map[string]any)["address"] != "out@evil.example" || e.EncryptionCertificateID != "key one" {
			t.Errorf("the resource data are %s", plain)
		}
		if len(body.ValidationTokens) != 1 {
			t.Fatalf("%d tokens", len(body.ValidationTokens))
		}
		claims := jwt.MapClaims{}
		_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(p.s.ClientID()), jwt.WithExpirationRequired()).ParseWithClaims(body.ValidationTokens[0], claims,
			func(t *jwt.Token) (any, error) { return p.s.keys.byID(t.Header["kid"].(string)), nil })
		if err != nil {
			t.Fatal(err)
		}
		one := claims["appid"] == publisher && claims["iss"] == "https://sts.windows.net/"+p.s.Tenant()+"/" && claims["azp"] == nil
		two := claims["azp"] == publisher && claims["iss"] == "https://login.microsoftonline.com/"+p.s.Tenant()+"/v2.0" && claims["appid"] == nil
		if one == two || two != (mix(uint64(p.s.world.seed))%2 == 0) || claims["tid"] != p.s.Tenant() {
			t.Errorf("the token claims %v", claims)
		}
		p.call("PATCH", "subscriptions/"+made["id"].(string), map[string]any{"encryptionCertificate": newText, "encryptionCertificateId": "key two"}, 200)
		l.posts = nil
		p.play("# x\nmon 09:00 " + amy.mail + " receives from out@evil.example subject \"Two\"\n")
		p.s.Deliver(t.Context())
		if err := json.Unmarshal(l.posts[0], &body); err != nil {
			t.Fatal(err)
		}
		if e := body.Value[0].EncryptedContent; e.EncryptionCertificateID != "key two" {
			t.Errorf("after the rotation it is encrypted for %s", e.EncryptionCertificateID)
		} else {
			e.open(t, newKey)
		}
	}
}
