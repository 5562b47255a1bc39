package web

import (
	"strings"
	"testing"
	"unicode"
)

func marks(s string) string {
	var b strings.Builder
	for _, p := range visible(s) {
		if p.Mark != "" {
			b.WriteString("[" + p.Mark + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"Invoices":                      "Invoices",
		"a b":                           "a b",
		" a":                            "[SP]a",
		"a ":                            "a[SP]",
		"a  b":                          "a [SP]b",
		"   ":                           "[SP][SP][SP]",
		"a\u200bb":                      "a[ZWSP]b",
		"\u202egpj.exe":                 "[RLO]gpj.exe",
		"x\u00a0y":                      "x[NBSP]y",
		"\ufeff":                        "[BOM]",
		"a\x00b":                        "a[U+0000]b",
		"\U000e0041":                    "[U+E0041]",
		"Ünïcödé 漢字":                    "Ünïcödé 漢字",
		"<script>alert(1)</script>":     "<script>alert(1)</script>",
		"":                              "",
		"tab\there\nline":               "tab[TAB]here[LF]line",
		"\u3164":                        "[HF]",
		"em\u2003quad":                  "em[U+2003]quad",
		"caf\u0065\u0301":               "caf\u0065\u0301",
		string([]byte{0xff, 'a', 0xfe}): "[U+FFFD]a[U+FFFD]",
	} {
		if got := marks(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOddName(t *testing.T) {
	for in, want := range map[string]bool{"": true, ".": true, "..": true, "a": true, "ab": false, "Invoices": false, "In\u200bvoices": true, "   ": true} {
		if got := oddName(in); got != want {
			t.Errorf("oddName(%q) = %v", in, got)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\u200bb")
	f.Add(" \u202e ")
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range visible(s) {
			if (p.Text == "") == (p.Mark == "") {
				t.Fatalf("%q: a piece is neither text nor mark, or both: %+v", s, p)
			}
			for _, r := range p.Text {
				if unicode.In(r, unicode.Cc, unicode.Cf) {
					t.Fatalf("%q: %U is in the text", s, r)
				}
			}
		}
	})
}

// TestToldShowsWhatIsQuoted: what a sentence of ours quotes is shown as it was, with its invisible characters marked.
func TestToldShowsWhatIsQuoted(t *testing.T) {
	for in, want := range map[string]string{
		`"Bruno\u200b" redirects every mail`: "“Bruno[ZWSP]” redirects every mail",
		`a name \u202e outside quotes`:       "a name [RLO] outside quotes",
		`"a \"b\" c" and "\\u200b" typed`:    `“a "b" c” and “\u200b” typed`,
		`no quotes, C:\u0041 stays`:          `no quotes, C:\u0041 stays`,
		`an "open quote`:                     `an "open quote`,
	} {
		if got := marks(unquoted(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
