package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tocsin.dev"
)

const about = "tenant|connection|credential"

func open(t *testing.T, src Source) *Keeper {
	t.Helper()
	k, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, k *Keeper, plain string) []byte {
	t.Helper()
	sealed, err := k.Seal([]byte(plain), about)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(t *testing.T, k *Keeper, sealed []byte, want string) {
	t.Helper()
	plain, err := k.Open(sealed, about)
	if err != nil || string(plain) != want {
		t.Fatalf("opened %q, %v; want %q", plain, err, want)
	}
}

// problem checks that err is a Problem that says what and what to do, and keeps our and Tink's insides to itself.
func problem(t *testing.T, err error, what string) {
	t.Helper()
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok || !strings.Contains(p.What, what) || p.Do == "" {
		t.Fatalf("error %v; want a problem that says %q and what to do", err, what)
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "key.json")
	sealed := seal(t, open(t, Source{File: path}), "hunter2")
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatal("sealed, and still readable")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v; want 0600", info.Mode(), err)
	}
	opens(t, open(t, Source{File: path}), sealed, "hunter2")
}

func TestMadeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	keepers := make([]*Keeper, 8)
	var all sync.WaitGroup
	for i := range keepers {
		all.Go(func() {
			k, err := Open(t.Context(), Source{File: path})
			if err != nil {
				t.Error(err)
				return
			}
			keepers[i] = k
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, k := range keepers {
		opens(t, keepers[0], seal(t, k, "x"), "x")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Fatalf("left in the directory: %v, %v; want the key alone", left, err)
	}
}

func TestValues(t *testing.T) {
	raw := bytes.Repeat([]byte{7}, 32)
	path := filepath.Join(t.TempDir(), "key")
	ofFile := seal(t, open(t, Source{File: path}), "file")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	std, url := base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)
	ofRaw := seal(t, open(t, Source{Value: std}), "raw")
	for _, c := range []struct {
		name, value, want string
		sealed            []byte
	}{
		{"base64", std + "\n", "raw", ofRaw},
		{"base64 of URLs", url, "raw", ofRaw},
		{"hex", hex.EncodeToString(raw), "raw", ofRaw},
		{"content of the file", string(content), "file", ofFile},
		{"content in base64", base64.StdEncoding.EncodeToString(content), "file", ofFile},
	} {
		t.Run(c.name, func(t *testing.T) { opens(t, open(t, Source{Value: c.value}), c.sealed, c.want) })
	}
}

func TestBadValues(t *testing.T) {
	raw := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, v := range []string{"password", "{", "{}", `{"primaryKeyId":1,"key":[]}`, raw[:20], raw + "," + raw, raw + ",", "e30="} {
		_, err := Open(t.Context(), Source{Value: v})
		problem(t, err, "TOCSIN_KEY_VALUE")
		if strings.Contains(err.Error(), v) && v != "{" {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	_, err := Open(t.Context(), Source{})
	problem(t, err, "no key")
}

func TestRotateValue(t *testing.T) {
	before := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	after := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
	sealed := seal(t, open(t, Source{Value: before}), "x")
	both := open(t, Source{Value: after + ", " + before})
	again, fresh, err := both.Reseal(sealed, about)
	if err != nil || !fresh {
		t.Fatalf("resealed: %v, %v", fresh, err)
	}
	opens(t, open(t, Source{Value: after}), again, "x")
	_, err = open(t, Source{Value: after}).Open(sealed, about)
	problem(t, err, "another key")
	problem(t, both.Rotate(), "TOCSIN_KEY_VALUE")
}

func TestRotateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	k, other := open(t, Source{File: path}), open(t, Source{File: path})
	old := seal(t, k, "x")
	if _, fresh, err := k.Reseal(old, about); err != nil || fresh {
		t.Fatalf("resealed without need: %v, %v", fresh, err)
	}
	if err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	opens(t, k, old, "x")
	fresh, resealed, err := k.Reseal(old, about)
	if err != nil || !resealed {
		t.Fatalf("resealed: %v, %v", resealed, err)
	}
	opens(t, other, fresh, "x") // another replica looks into the file again
	if err := k.Retire(); err != nil {
		t.Fatal(err)
	}
	opens(t, k, fresh, "x")
	_, err = k.Open(old, about)
	problem(t, err, "another key")
	opens(t, open(t, Source{File: path}), fresh, "x")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file after rotation: %v, %v; want 0600", info.Mode(), err)
	}
}

func TestDoesNotOpen(t *testing.T) {
	k := open(t, Source{File: filepath.Join(t.TempDir(), "key")})
	sealed := seal(t, k, "x")
	_, err := k.Open(sealed, "another tenant|connection|credential")
	problem(t, err, "belongs to something else")
	for i := range sealed {
		bent := bytes.Clone(sealed)
		bent[i] ^= 1
		if _, err := k.Open(bent, about); err == nil {
			t.Fatalf("opened with byte %d bent", i)
		}
	}
	_, err = open(t, Source{File: filepath.Join(t.TempDir(), "key")}).Open(sealed, about)
	problem(t, err, "another key")
	if _, err := k.Seal([]byte("x"), ""); err == nil {
		t.Fatal("sealed about nothing")
	}
}

func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	open(t, Source{File: path})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{nil, whole[:len(whole)/2], []byte("hello")} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Source{File: path})
		problem(t, err, "damaged")
		if left, _ := os.ReadFile(path); !bytes.Equal(left, text) {
			t.Fatal("a damaged key file was written over")
		}
	}
	_, err = Open(t.Context(), Source{File: filepath.Join(path, "below a file")})
	problem(t, err, "not a directory")
}

func TestWarn(t *testing.T) {
	data, elsewhere := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, data, want string }{
		{"in the data", filepath.Join(data, "key"), data, "data directory"},
		{"in the data, by a link", filepath.Join(link, "key"), data, "data directory"},
		{"below", filepath.Join(data, "a", "key"), data, "data directory"},
		{"elsewhere", filepath.Join(elsewhere, "key"), data, ""},
		{"beside, with the same beginning", data + "-keys/key", data, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() { os.RemoveAll(data + "-keys") })
			got := open(t, Source{File: c.file, Data: c.data}).Warn()
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("warns %q; want %q", got, c.want)
			}
		})
	}
	loose := filepath.Join(elsewhere, "key")
	if err := os.Chmod(loose, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := open(t, Source{File: loose, Data: data}).Warn(); !strings.Contains(got, "chmod 600") {
		t.Errorf("warns %q of a file all can read", got)
	}
	if got := open(t, Source{Value: strings.Repeat("ab", 32), File: loose}).Warn(); got != "" {
		t.Errorf("warns %q of a value", got)
	}
}

// FuzzOpen: nothing but what was sealed opens, and nothing makes it panic. (Each process of the fuzzer seals its own;
// they are known by what is in them.)
func FuzzOpen(f *testing.F) {
	k, err := Open(f.Context(), Source{Value: strings.Repeat("ab", 32)})
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.Seal([]byte("x"), about)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := k.Open(sealed, about); err == nil && string(plain) != "x" {
			t.Fatalf("%x opened as %q", sealed, plain)
		}
	})
}

// FuzzValue: any text is a key or a problem.
func FuzzValue(f *testing.F) {
	f.Add(strings.Repeat("ab", 32))
	f.Add(`{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey","value":"","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":1,"outputPrefixType":"TINK"}]}`)
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" {
			return
		}
		k, err := Open(t.Context(), Source{Value: value})
		if err != nil {
			if _, ok := errors.AsType[*tocsin.Problem](err); !ok {
				t.Fatalf("%q: %v is no problem", value, err)
			}
			return
		}
		sealed, err := k.Seal([]byte("x"), about)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := k.Open(sealed, about); err != nil || string(plain) != "x" {
			t.Fatalf("%q: opened %q, %v", value, plain, err)
		}
	})
}
