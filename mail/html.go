package mail

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// showHTML takes the text and the links out of HTML, and keeps the HTML that is shown.
func (r *reader) showHTML(text string, aside bool) {
	if !aside && r.read&ReadText != 0 {
		if r.html.Len()+len(text) > MaxText {
			r.lose(LostText, "the mail has more than %d MB of HTML; the rest was not read", MaxText>>20)
		} else {
			r.html.WriteString(text)
		}
	}
	shown, hidden := r.walkHTML(text, InHTML)
	r.addText(shown, aside)
	if hidden != "" {
		r.addText(hidden, true)
	}
}

// blocks are the elements that begin a line of their own.
var blocks = map[atom.Atom]bool{
	atom.P: true, atom.Div: true, atom.Br: true, atom.Tr: true, atom.Table: true, atom.Ul: true, atom.Ol: true, atom.Li: true, atom.H1: true, atom.H2: true, atom.H3: true,
	atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Pre: true, atom.Hr: true, atom.Section: true, atom.Article: true, atom.Header: true,
	atom.Footer: true, atom.Dl: true, atom.Dt: true, atom.Dd: true, atom.Form: true, atom.Center: true, atom.Body: true, atom.Address: true,
}

// unseen are the elements whose content is no text.
var unseen = map[atom.Atom]bool{atom.Script: true, atom.Style: true, atom.Head: true, atom.Title: true, atom.Noscript: false, atom.Template: true, atom.Object: false, atom.Textarea: false}

// void are the elements that have no content and no end.
var void = map[atom.Atom]bool{
	atom.Area: true, atom.Base: true, atom.Br: true, atom.Col: true, atom.Embed: true, atom.Hr: true, atom.Img: true, atom.Input: true, atom.Link: true, atom.Meta: true,
	atom.Param: true, atom.Source: true, atom.Track: true, atom.Wbr: true,
}

// hides are the styles by which an element is not seen, without blanks.
var hides = []string{"display:none", "visibility:hidden", "font-size:0", "mso-hide:all", "opacity:0;", "max-height:0"}

// walkHTML goes through HTML once, without building a tree: its depth costs nothing.
func (r *reader) walkHTML(text, where string) (shown, hidden string) {
	var out, dark strings.Builder
	z := html.NewTokenizer(strings.NewReader(text))
	z.SetMaxBuf(MaxText + 1)
	skip := 0 // depth within what is no text
	var skipped atom.Atom
	var under []atom.Atom // open elements since the outermost hidden one
	base := ""
	link, linkText := -1, strings.Builder{}
	endLink := func() {
		if link >= 0 && link < len(r.m.Links) && r.m.Links[link].Text == "" {
			r.m.Links[link].Text = squeeze(linkText.String(), 300)
		}
		link = -1
		linkText.Reset()
	}
	newline := func(b *strings.Builder) {
		if s := b.String(); s != "" && s[len(s)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		into := &out
		if len(under) > 0 {
			into = &dark
		}
		switch kind {
		case html.TextToken:
			if skip > 0 {
				continue
			}
			text := z.Text()
			addSqueezed(into, text)
			if link >= 0 && linkText.Len() < 1000 {
				linkText.Write(text)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			a := atom.Lookup(name)
			if a == atom.Noframes { // what is shown here, where no frames are
				z.NextIsNotRawText()
			}
			var hidden bool
			if more {
				hidden = r.attributes(z, a, where, &base, func(n int) { endLink(); link = n })
			}
			if kind == html.StartTagToken && !void[a] {
				if skip > 0 && a == skipped {
					skip++
				} else if skip == 0 && unseen[a] {
					skip, skipped = 1, a
				}
				if len(under) > 0 || hidden {
					if len(under) < 100 {
						under = append(under, a)
					}
				}
			}
			switch {
			case blocks[a]:
				newline(into)
			case a == atom.Td || a == atom.Th:
				into.WriteByte(' ')
			case a == atom.Body:
				skip = 0
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			if skip > 0 && a == skipped {
				skip--
			}
			for i := len(under) - 1; i >= 0; i-- {
				if under[i] == a {
					under = under[:i]
					break
				}
			}
			if a == atom.A {
				endLink()
			}
			if blocks[a] {
				newline(into)
			}
		}
	}
	endLink()
	return strings.TrimSpace(out.String()), strings.TrimSpace(dark.String())
}

// attributes looks for links in an element's attributes, and for what hides it.
func (r *reader) attributes(z *html.Tokenizer, a atom.Atom, where string, base *string, opened func(int)) (hidden bool) {
	refresh, content := false, ""
	for n := 0; n < 200; n++ {
		key, value, more := z.TagAttr()
		switch string(key) {
		case "href", "action", "formaction", "data", "xlink:href":
			v := string(value)
			if a == atom.Base && string(key) == "href" {
				*base = strings.TrimSpace(v)
				break
			}
			if at := r.link(resolve(*base, v), "", where, a == atom.Link); at >= 0 && a == atom.A {
				opened(at)
			}
		case "src", "background", "poster":
			r.link(resolve(*base, string(value)), "", where, a != atom.Iframe && a != atom.Frame && a != atom.Embed)
		case "http-equiv":
			refresh = strings.EqualFold(strings.TrimSpace(string(value)), "refresh")
		case "content":
			content = string(value)
		case "hidden":
			hidden = true
		case "style":
			if len(value) < 4000 {
				style := strings.ToLower(strings.Join(strings.Fields(string(value)), "")) + ";"
				for _, h := range hides {
					if i := strings.Index(style, h); i >= 0 && !strings.HasPrefix(style[i+len(h):], ".") && !(strings.HasSuffix(h, "0") && i+len(h) < len(style) && style[i+len(h)] >= '1' && style[i+len(h)] <= '9') {
						hidden = true
					}
				}
			}
		}
		if !more {
			break
		}
	}
	if refresh {
		if i := strings.Index(strings.ToLower(content), "url="); i >= 0 {
			r.link(resolve(*base, strings.Trim(content[i+4:], "\"' ")), "", where, false)
		}
	}
	return hidden
}

// resolve is a link that is relative to a base, as a reader's program makes it.
func resolve(base, link string) string {
	link = strings.TrimSpace(link)
	if base == "" || link == "" || strings.ContainsRune(strings.SplitN(link, "/", 2)[0], ':') || strings.HasPrefix(link, "#") {
		return link
	}
	if strings.HasPrefix(link, "//") {
		return "https:" + link
	}
	if i := strings.Index(base, "://"); i > 0 && strings.HasPrefix(link, "/") {
		if j := strings.IndexByte(base[i+3:], '/'); j >= 0 {
			return base[:i+3+j] + link
		}
		return base + link
	}
	if i := strings.LastIndexByte(base, '/'); i > len("https://") {
		return base[:i+1] + link
	}
	return base + "/" + link
}

// addSqueezed adds text with each run of blanks as one.
func addSqueezed(b *strings.Builder, text []byte) {
	last := byte('\n')
	if s := b.String(); s != "" {
		last = s[len(s)-1]
	}
	for len(text) > 0 {
		if c := text[0]; c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			if last != ' ' && last != '\n' {
				b.WriteByte(' ')
				last = ' '
			}
			text = text[1:]
			continue
		}
		n := bytes.IndexAny(text, " \t\r\n")
		if n < 0 {
			n = len(text)
		}
		b.Write(text[:n])
		last = text[n-1]
		text = text[n:]
	}
}

// squeeze is s on one line, at most n bytes.
func squeeze(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// metaCharset is the charset that HTML says itself to be in, in its first 1,024 bytes.
func metaCharset(b []byte) string {
	head := strings.ToLower(string(b[:min(len(b), 1024)]))
	i := strings.Index(head, "charset=")
	if i < 0 {
		return ""
	}
	set := strings.TrimLeft(head[i+8:], "\"' ")
	if j := strings.IndexAny(set, "\"'> ;/"); j >= 0 {
		set = set[:j]
	}
	if _, known := lookup(set); !known {
		return ""
	}
	return set
}
