package detect

import (
	"strings"
	"testing"
)

func TestOddName(t *testing.T) {
	for _, c := range []struct {
		name string
		odd  bool
		says string
	}{
		{"", true, "is empty"},
		{"   ", true, "is empty"},
		{"\u200b", true, "U+200B"},
		{"\u3164", true, "U+3164"},
		{"\u2800\u2800", true, "U+2800"},
		{"Inv\x00oice", true, "null character"},
		{"News\u202egnp", true, "direction of writing"},
		{"News\u00adletter", true, "U+00AD"},
		{".", true, "punctuation"},
		{"...;", true, "punctuation"},
		{"—", true, "punctuation"},
		{"a", true, "single"},
		{"ab", true, "two characters"},
		{"xxxx", true, "repeated"},
		{"..a..", true, "single"},
		{"\u0410rchive", true, `looks like "archive"`},
		{"Pаyroll", true, `looks like "payroll"`},
		{"𝐍𝐞𝐰𝐬", true, `looks like "news"`},
		{"News", false, ""},
		{"Jira 2", false, ""},
		{"Почта", false, ""},
		{"Почта VIP", false, ""},
		{"請求書", false, ""},
		{"済", false, ""},
		{"급여", false, ""},
		{"می\u200cخواهم", false, ""},
		{"क्\u200dष", false, ""},
		{"👩\u200d💻 work", false, ""},
		{"❤\ufe0f", false, ""},
		{"דואר\u200e", false, ""},
		{"Ω-Gruppe", false, ""},
		{"Über uns", false, ""},
		{"ＡＢＣ会社", false, ""},
	} {
		points, why := OddName(c.name)
		if (points >= 15) != c.odd || !strings.Contains(why, c.says) {
			t.Errorf("%q: got %d points, %q; want odd %v, %q", c.name, points, why, c.odd, c.says)
		}
	}
}

func TestSkeleton(t *testing.T) {
	for in, want := range map[string]string{
		"\u0456nvoice": "invoice", "ｉｎｖｏｉｃｅ": "invoice", "𝒊nvoice": "invoice", "раураl": "paypal", "Ιnvoice": "invoice", "in\u200bvoice": "invoice",
	} {
		if got := Skeleton(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	if got, want := Quote("a\u200bb"), `"a\u200bb"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Quote(strings.Repeat("x", 500)); len(got) > 100 {
		t.Errorf("not cut: %d bytes", len(got))
	}
}

func FuzzOddName(f *testing.F) {
	f.Add("\u200b.")
	f.Add("Pаyroll")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		points, why := OddName(s)
		if points < 0 || points > 100 || (points > 0) != (why != "") {
			t.Fatalf("%q: %d points, %q", s, points, why)
		}
		if _, hidden := Hidden(Visible(s)); hidden {
			t.Fatalf("%q: hidden characters are left", s)
		}
		Skeleton(s)
	})
}
