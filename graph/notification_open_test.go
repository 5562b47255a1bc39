package graph

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/pkcs12"

	"tocsin.dev/sharedtest"
)

// seal encrypts as Graph does.
func seal(t testing.TB, key *rsa.PublicKey, plain []byte) EncryptedContent {
	t.Helper()
	once := make([]byte, 32)
	_, _ = rand.Read(once) // never fails
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, once, nil)
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	data := append([]byte{}, plain...)
	for range pad {
		data = append(data, byte(pad))
	}
	block, err := aes.NewCipher(once)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, once[:aes.BlockSize]).CryptBlocks(data, data)
	mac := hmac.New(sha256.New, once)
	mac.Write(data)
	text := base64.StdEncoding.EncodeToString
	return EncryptedContent{Data: text(data), DataKey: text(wrapped), Signature: text(mac.Sum(nil)), CertificateID: "one"}
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(sharedtest.File(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestOpenMicrosofts: Microsoft's own example opens with its key, and with no change of a byte.
func TestOpenMicrosofts(t *testing.T) {
	var e EncryptedContent
	if err := json.Unmarshal(vector(t, "graph/crypto-vectors/encryptedContent.json"), &e); err != nil {
		t.Fatal(err)
	}
	private, _, err := pkcs12.Decode(vector(t, "graph/crypto-vectors/cert.pfx"), "rich")
	if err != nil {
		t.Fatal(err)
	}
	key := private.(*rsa.PrivateKey)
	plain, err := e.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(plain, &got), json.Unmarshal(vector(t, "graph/crypto-vectors/expected-plaintext.json"), &want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s, %v", plain, err)
	}
	bend := func(text string) string {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		return base64.StdEncoding.EncodeToString(raw)
	}
	for name, change := range map[string]func(*EncryptedContent){
		"data": func(e *EncryptedContent) { e.Data = bend(e.Data) }, "key": func(e *EncryptedContent) { e.DataKey = bend(e.DataKey) },
		"signature": func(e *EncryptedContent) { e.Signature = bend(e.Signature) }, "no signature": func(e *EncryptedContent) { e.Signature = "" },
		"no data": func(e *EncryptedContent) { e.Data = "" }, "no key": func(e *EncryptedContent) { e.DataKey = "" }, "no base64": func(e *EncryptedContent) { e.Data = "%%%" },
	} {
		bad := e
		change(&bad)
		if out, err := bad.Open(key); !errors.Is(err, ErrSealed) || out != nil {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
	if _, err := e.Open(newKey(t)); !errors.Is(err, ErrSealed) {
		t.Errorf("another key: %v", err)
	}
}

// FuzzOpen: what was not sealed for the key does not open, whatever it is.
func FuzzOpen(f *testing.F) {
	key := newKey(f)
	good := seal(f, &key.PublicKey, []byte(`{"isRead":true}`))
	f.Add(good.Data, good.DataKey, good.Signature)
	f.Add(good.Data, good.DataKey, "")
	f.Add("", good.DataKey, good.Signature)
	f.Add(good.Data+good.Data, good.DataKey, good.Signature)
	f.Fuzz(func(t *testing.T, data, dataKey, signature string) {
		out, err := EncryptedContent{Data: data, DataKey: dataKey, Signature: signature}.Open(key)
		if err == nil && string(out) != `{"isRead":true}` {
			t.Errorf("it opens: %s", out)
		}
		if err != nil && (out != nil || data == good.Data && dataKey == good.DataKey && signature == good.Signature) {
			t.Errorf("%s, %v", out, err)
		}
	})
}

// BenchmarkOpen opens notifications on all cores, and beside it only decrypts their keys, which is what cannot be spared:
// ratio is the one as part of the other.
func BenchmarkOpen(b *testing.B) {
	key := newKey(b)
	plain, err := json.Marshal(Message{ID: "AAMkAD", ConversationID: "AAQkAD", InternetMessageID: "<x@y.example>", ParentFolderID: "AAMkF", ToRecipients: make([]Recipient, 8),
		CcRecipients: make([]Recipient, 8), Importance: "normal", Categories: []string{"Red"}, CreatedDateTime: Time{Time: time.Now()}})
	if err != nil {
		b.Fatal(err)
	}
	e := seal(b, &key.PublicKey, plain)
	wrapped, err := base64.StdEncoding.DecodeString(e.DataKey)
	if err != nil {
		b.Fatal(err)
	}
	onAll := func(do func() error) time.Duration {
		var all sync.WaitGroup
		began := time.Now()
		for i := range runtime.GOMAXPROCS(0) {
			all.Go(func() {
				for n := i; n < 100; n += runtime.GOMAXPROCS(0) {
					if err := do(); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		return time.Since(began)
	}
	var bare, whole time.Duration
	for b.Loop() { // by turns, so that both have the same machine
		bare += onAll(func() error { _, err := rsa.DecryptOAEP(sha1.New(), nil, key, wrapped, nil); return err })
		whole += onAll(func() error {
			raw, err := e.Open(key)
			if err != nil {
				return err
			}
			var m Message
			return json.Unmarshal(raw, &m)
		})
	}
	b.ReportMetric(float64(bare)/float64(whole), "ratio")
	b.ReportMetric(float64(100*b.N)/whole.Seconds(), "opened/s")
}
