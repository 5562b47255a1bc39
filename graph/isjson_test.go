package graph

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// someJSON is JSON of every kind, and what is nearly so.
var someJSON = []string{``, ` `, `0`, `-0`, `01`, `-`, `1.`, `1.5e+7`, `1e`, `1e-`, `.5`, `"a"`, `"a`, `"\u00e9\n"`, `"\u00g0"`, `"\u00"`, `"\x"`, "\"\x01\"", "\"\xff\"", `"\`, `true`, `tru`, `truex`, `null `, ` false`,
	`[]`, `[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `{}`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":{"b":[null,{"c":"\\"}]}}`, "\t{\r\n\"a\" : [ 1 , true ] }\n", `{} {}`, `{"a":1}x`,
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001), strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), aMessage}

// TestIsJSON: it says what json.Valid says, of all that is nearly JSON.
func TestIsJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range someJSON {
		if got, want := isJSON([]byte(s)), json.Valid([]byte(s)); got != want {
			t.Errorf("%.80q is %v, for json.Valid %v", s, got, want)
		}
		if len(s) > 10_000 {
			continue
		}
		for range 500 {
			b := []byte(s)
			for range 1 + r.IntN(3) {
				if len(b) == 0 {
					break
				}
				i := r.IntN(len(b))
				switch r.IntN(3) {
				case 0:
					b[i] = `{}[]:,"\u0eE+-.tfn 1`[r.IntN(20)]
				case 1:
					b = append(b[:i], b[i+1:]...)
				default:
					b = b[:i]
				}
			}
			if got, want := isJSON(b), json.Valid(b); got != want {
				t.Fatalf("%q is %v, for json.Valid %v", b, got, want)
			}
		}
	}
}

func FuzzIsJSON(f *testing.F) {
	for _, s := range someJSON {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := isJSON(b), json.Valid(b); got != want {
			t.Fatalf("%q is %v, for json.Valid %v", b, got, want)
		}
	})
}

func BenchmarkIsJSON(b *testing.B) {
	raw := []byte(aMessage)
	for _, by := range []struct {
		name  string
		valid func([]byte) bool
	}{{"ours", isJSON}, {"encoding/json", json.Valid}} {
		b.Run(by.name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if !by.valid(raw) {
					b.Fatal("it is valid")
				}
			}
		})
	}
}
