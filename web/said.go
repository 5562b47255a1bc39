package web

import (
	"context"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
	"tocsin.dev/mail"
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

// saidHTML shows formatted text that somebody wrote, made safe, with each invisible character of what it says as a mark.
func saidHTML(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		for z := html.NewTokenizer(strings.NewReader(mail.Compose(s))); ; {
			switch z.Next() {
			case html.ErrorToken: // the end: there is nothing else that could fail
				_, err := io.WriteString(w, b.String())
				return err
			case html.TextToken:
				var text strings.Builder
				for _, p := range visible("x" + blanks.ReplaceAllString(html.UnescapeString(string(z.Raw())), " ") + "x") { // a blank at its end is one between words
					if p.Mark != "" {
						writeMark(&text, p)
						continue
					}
					text.WriteString(templ.EscapeString(p.Text))
				}
				b.WriteString(strings.TrimSuffix(strings.TrimPrefix(text.String(), "x"), "x"))
			default:
				b.Write(z.Raw())
			}
		}
	})
}

// blanks are what a browser shows as one blank, or that editors write for one.
var blanks = regexp.MustCompile(`[ \t\r\n\f\x{a0}]+`)

// told shows a sentence of ours that quotes strangers (detect.Quote): what it writes as an escape is a mark again.
func told(s string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return said(unquoted(s)).Render(ctx, w)
	})
}

// quoted is a text that detect.Quote has put into quotes, or an escape that detect.Shown has written outside them.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\x[0-9a-f]{2}`)

// unquoted is s with what stands in quotes as it was before it was put there.
func unquoted(s string) string {
	return quoted.ReplaceAllStringFunc(s, func(q string) string {
		if q[0] == '"' {
			if was, err := strconv.Unquote(q); err == nil {
				return "“" + was + "”"
			}
			return q
		}
		if was, err := strconv.Unquote(`"` + q + `"`); err == nil && len(visible("x"+was+"x")) > 1 {
			return was
		}
		return q
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
