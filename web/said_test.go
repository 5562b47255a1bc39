package web

import (
	"bytes"
	"testing"
)

// TestSaidHTML: formatted text is shown as it is, less what runs, with marks for what cannot be seen; blanks between words stay.
func TestSaidHTML(t *testing.T) {
	const mark = `<span class="inv" role="img" title="U+202E right-to-left override, an invisible character" aria-label="U+202E right-to-left override, an invisible character">RLO</span>`
	for given, want := range map[string]string{
		"":                             "",
		"plain":                        "plain",
		"<p>Dear <b>Jane</b> Doe,</p>": "<p>Dear <b>Jane</b> Doe,</p>",
		"a&nbsp; b\n c":                "a b c",
		"1 &lt; 2 &amp; x":             "1 &lt; 2 &amp; x",
		"xylophone tax":                "xylophone tax",
		"invoice\u202egpj.exe":         "invoice" + mark + "gpj.exe",
		"<b>\u202e</b>":                "<b>" + mark + "</b>",
		`<script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a>`: "x",
	} {
		var b bytes.Buffer
		if err := saidHTML(given).Render(t.Context(), &b); err != nil || b.String() != want {
			t.Errorf("%q is shown as %q, want %q (%v)", given, &b, want, err)
		}
	}
}
