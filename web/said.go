package web

import (
	"context"
	"io"
	"strings"

	"github.com/a-h/templ"
)

// said shows text that a stranger may have written: in its own direction, each invisible character as a mark. It is
// written here and not as a template because not one blank may come to what was said. An address may break before its @.
func said(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		b.WriteString(`<bdi class="said">`)
		for _, p := range visible(s) {
			if p.Mark != "" {
				writeMark(&b, p)
				continue
			}
			b.WriteString(strings.ReplaceAll(templ.EscapeString(p.Text), "@", "<wbr>@"))
		}
		b.WriteString("</bdi>")
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// prose shows text of ours in which `backticks` stand around what is typed or run.
func prose(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		parts := strings.Split(s, "`")
		for i, p := range parts {
			if i%2 == 1 && i < len(parts)-1 {
				b.WriteString("<code>" + templ.EscapeString(p) + "</code>")
				continue
			}
			b.WriteString(templ.EscapeString(p))
		}
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// raw shows a raw value: JSON laid out and tinted, anything else as it is; invisible characters as marks.
func raw(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		b.WriteString(`<pre class="raw" tabindex="0">`)
		for _, t := range rawTokens(s) {
			switch {
			case t.Mark != "":
				writeMark(&b, t.piece)
			case t.Class != "":
				b.WriteString(`<span class="` + t.Class + `">` + templ.EscapeString(t.Text) + "</span>")
			default:
				b.WriteString(templ.EscapeString(t.Text))
			}
		}
		b.WriteString("</pre>")
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// writeMark writes an invisible character's mark.
func writeMark(b *strings.Builder, p piece) {
	name := templ.EscapeString(p.Name)
	b.WriteString(`<span class="inv" role="img" title="` + name + `" aria-label="` + name + `">` + templ.EscapeString(p.Mark) + "</span>")
}
