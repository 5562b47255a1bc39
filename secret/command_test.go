package secret

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
)

// script is a program of the test's that does this.
func script(t *testing.T, text string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("scripts are the shell's")
	}
	path := filepath.Join(t.TempDir(), "a key's tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return `"` + path + `"`
}

func TestCommand(t *testing.T) {
	value, older := Fresh(), Fresh()
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	octal := ""
	for _, b := range raw {
		octal += fmt.Sprintf(`\%03o`, b)
	}
	sealed := seal(t, open(t, Source{Value: value}), "x")
	t.Setenv("TOCSIN_OWNER_TOKEN", "hush")
	for name, text := range map[string]string{
		"base64, as vault, aws and az print it": "echo " + value,
		"32 bytes, as gcloud prints them":       "printf '" + octal + "'",
		"two, the old one last":                 "echo " + value + "; echo " + older,
		"two, encoded as bytes":                 "echo " + base64.StdEncoding.EncodeToString([]byte(value+","+older)),
		"two with a comma":                      "echo " + value + "," + older,
		"with a complaint beside":               "echo warning: a newer version is there >&2; echo " + value,
		"without Tocsin's own settings":         `test -z "$TOCSIN_OWNER_TOKEN" && echo ` + value,
		"with something left running":           "sleep 3 & echo " + value,
		"nothing to read":                       `read line || echo ` + value,
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t, Source{Command: script(t, text)})
			opens(t, k, sealed, "x")
			if k.Warn() != "" {
				t.Errorf("warns: %s", k.Warn())
			}
			problem(t, k.Rotate(), "key.command")
		})
	}
	t.Run("the command's arguments", func(t *testing.T) {
		opens(t, open(t, Source{Command: script(t, `test "$1$#" = 'a b; $c3' && printf '%s' "$3"`) + ` 'a b; $c' "" ` + value}), sealed, "x")
	})
}

func TestCommandFails(t *testing.T) {
	value := Fresh()
	for _, c := range []struct{ name, command, says string }{
		{"ends badly", script(t, "echo "+value+"; echo the token "+value+" is old >&2; exit 3"), "failed: exit status 3"},
		{"hangs", script(t, "sleep 1000"), "did not end within"},
		{"prints nothing", script(t, "true"), "printed nothing"},
		{"prints garbage", script(t, "echo '{\"error\":\"denied\"}'"), "bytes that are no key"},
		{"prints 32 letters", script(t, "printf 'AccessDenied: you may not do it!'"), "32 bytes that are no key"},
		{"prints another thing too", script(t, "echo key: "+value), "bytes that are no key"},
		{"prints without end", script(t, "yes "+value+" | head -c 200000"), "more than 64 kB"},
		{"is killed", script(t, "kill -9 $$"), "failed: signal: killed"},
		{"is not there", "/nowhere/vault kv get", "was not found"},
		{"is in no path", "no-such-tool-of-ours get", "was not found"},
		{"is no program", filepath.Join("..", "go.mod"), "may not be run"},
		{"wants a shell", "vault kv get secret | head -1", "without a shell, and has a |"},
		{"is none", " ", "names no program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limit := 20 * time.Second
			if strings.HasPrefix(c.name, "hangs") {
				limit = 300 * time.Millisecond
			}
			_, err := Open(t.Context(), Source{Command: c.command, Timeout: limit})
			problem(t, err, c.says)
			p, _ := errors.AsType[*tocsin.Problem](err)
			if strings.Contains(fmt.Sprint(p, p.Err), value) || strings.Contains(fmt.Sprint(p, p.Err), "Denied") {
				t.Errorf("the error tells what was printed: %v (%v)", p, p.Err)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for command, want := range map[string][]string{
		`vault kv get -field=key secret/tocsin`:  {"vault", "kv", "get", "-field=key", "secret/tocsin"},
		`  a  "b c"  'd "e"' f"g h"i ` + "\t\n":  {"a", "b c", `d "e"`, "fg hi"},
		`a "" b\ c "d\"e\\f\g" 'h\i' --q='x|$y'`: {"a", "", "b c", `d"e\f\g`, `h\i`, "--q=x|$y"},
	} {
		if got, err := Words(command); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", command, got, err, want)
		}
	}
	for _, command := range []string{"", `"" x`, `a "b`, `a 'b`, `a\`, "a $HOME", "a > b", "a `b`", "a; b", "a & b", "a\x00b"} {
		_, err := Words(command)
		problem(t, err, "key.command")
	}
}

// FuzzWords: words quoted are the same words again, and any text is words or a problem.
func FuzzWords(f *testing.F) {
	f.Add(`vault kv get "-field=a b" 'x'`)
	f.Add(`a\ b "c\"d"`)
	f.Fuzz(func(t *testing.T, command string) {
		words, err := Words(command)
		if err != nil {
			if _, ok := errors.AsType[*tocsin.Problem](err); !ok {
				t.Fatalf("%q: %v is no problem", command, err)
			}
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w)+`"`)
		}
		again, err := Words(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q: %q, quoted %q, %v", command, words, again, err)
		}
	})
}

// FuzzPrinted: whatever a command prints is a key that seals, or none.
func FuzzPrinted(f *testing.F) {
	f.Add([]byte(strings.Repeat("ab", 32)))
	f.Add([]byte(strings.Repeat("\x00", 32)))
	f.Add([]byte(Fresh() + "\n" + Fresh()))
	f.Add([]byte(`{"primaryKeyId":1,"key":[]}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		keys, ok := parsePrinted(out)
		if !ok {
			return
		}
		k := &Keeper{src: Source{Command: "x"}}
		if err := k.use(keys, nil); err != nil {
			t.Fatal(err)
		}
		sealed, err := k.Seal([]byte("x"), about)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := k.Open(sealed, about); err != nil || string(plain) != "x" {
			t.Fatalf("%q: opened %q, %v", out, plain, err)
		}
	})
}

// TestKeyOfBrace: a key whose first byte is that of a JSON object is a key like others.
func TestKeyOfBrace(t *testing.T) {
	raw := []byte("{" + strings.Repeat("\xff", 31))
	open(t, Source{Value: base64.StdEncoding.EncodeToString(raw)})
	open(t, Source{Value: base64.StdEncoding.EncodeToString(raw) + "," + Fresh()})
}
