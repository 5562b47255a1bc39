package mail

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// policy lets through what formats text, and nothing that runs, loads or covers; pictures only where they are in it. loading lets through
// pictures that lie elsewhere besides, by https.
var (
	policy  = showing(`^data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=]+$`)
	loading = showing(`(?i)^(data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=]+|https://[^\s"'<>]+)$`)
)

func showing(source string) *bluemonday.Policy {
	p := formatting()
	p.AllowAttrs("src").Matching(regexp.MustCompile(source)).OnElements("img")
	p.AllowURLSchemeWithCustomPolicy("data", dataPicture)
	return p
}

// formatting lets through what formats text.
func formatting() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "div", "span", "br", "hr", "b", "i", "u", "s", "em", "strong", "small", "big", "sub", "sup", "font", "center", "blockquote", "pre", "code", "tt",
		"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup", "col", "a", "img", "address", "article", "section", "header", "footer")
	p.AllowAttrs("align", "valign", "width", "height", "border", "cellpadding", "cellspacing", "colspan", "rowspan", "bgcolor", "color", "size", "dir").Matching(regexp.MustCompile(`^[#%\w.-]{1,32}$`)).Globally()
	p.AllowAttrs("href").Matching(regexp.MustCompile(`(?i)^\s*(https?:|mailto:|tel:)`)).OnElements("a") // data: is for pictures alone
	p.AllowAttrs("alt", "title").OnElements("img", "a")
	p.AllowURLSchemes("http", "https", "mailto", "tel")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.AllowStyles("color", "background-color").Matching(regexp.MustCompile(`^(#[0-9a-fA-F]{3,8}|[a-zA-Z]{3,20}|rgb\([\d\s,%.]{1,30}\))$`)).Globally()
	p.AllowStyles("font-weight", "font-style", "text-align", "text-decoration", "vertical-align", "white-space").MatchingEnum("bold", "bolder", "normal", "italic", "left", "right", "center",
		"justify", "underline", "line-through", "none", "top", "middle", "bottom", "baseline", "nowrap", "pre-wrap", "600", "700").Globally()
	p.AllowStyles("font-size", "padding", "padding-left", "padding-right", "padding-top", "padding-bottom", "margin-left", "line-height", "width", "max-width").Matching(regexp.MustCompile(`^(\d{1,4}(\.\d{1,3})?(px|pt|em|%)? ?){1,4}$`)).Globally()
	return p
}

// SafeHTML is the mail's HTML as it may be shown: nothing in it runs or is loaded from elsewhere; links are whole, and lead where they
// say. Pictures of the mail itself are in it where they are small. It is meant for a sandboxed frame all the same. Where the mail has no HTML it is its text.
func (m *Message) SafeHTML() string {
	text, _ := m.safe(policy)
	return text
}

// RemoteHTML is [Message.SafeHTML] with the pictures that lie elsewhere, by https: whoever shows it tells their servers that the mail is read, when
// and from which address. Hosts are those servers, in order; SafeHTML names none of them.
func (m *Message) RemoteHTML() (text string, hosts []string) { return m.safe(loading) }

func (m *Message) safe(by *bluemonday.Policy) (safe string, hosts []string) {
	if m.HTML == "" {
		return m.asText(), nil
	}
	text, cut := m.HTML, ""
	if len(text) > MaxSafeHTML {
		text = strings.ToValidUTF8(text[:MaxSafeHTML], "")
		cut = "<p>…</p>"
	}
	text, hosts = m.withPictures(text, by == loading)
	if safe = by.Sanitize(text); blank(safe) && strings.TrimSpace(m.Text) != "" { // frames alone, say: their words are in the text
		return m.asText(), hosts
	}
	return safe + cut, hosts
}

func (m *Message) asText() string { return "<pre>" + html.EscapeString(m.Text) + "</pre>" }

// blank says that HTML shows neither a word nor a picture.
func blank(text string) bool {
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return true
		case html.TextToken:
			if strings.TrimSpace(html.UnescapeString(string(z.Raw()))) != "" {
				return false
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			if name, _ := z.TagName(); string(name) == "img" {
				return false
			}
		}
	}
}

// withPictures puts pictures of the mail itself where cid: names them, and takes every other picture's source away; with remote it leaves those
// that are loaded by https, and names their hosts.
func (m *Message) withPictures(text string, remote bool) (string, []string) {
	var hosts []string
	left := MaxSafeInline
	by := map[string]*Attachment{}
	for i := range m.Attachments {
		if a := &m.Attachments[i]; a.ContentID != "" && len(a.content) > 0 {
			by[strings.ToLower(a.ContentID)] = a
		}
	}
	z := html.NewTokenizer(strings.NewReader(text))
	var out strings.Builder
	for {
		if z.Next() == html.ErrorToken {
			return out.String(), hosts
		}
		raw := string(z.Raw())
		t := z.Token()
		if t.Data != "img" || t.Type != html.StartTagToken && t.Type != html.SelfClosingTagToken {
			out.WriteString(raw)
			continue
		}
		kept := t.Attr[:0]
		for _, a := range t.Attr {
			if a.Key != "src" {
				kept = append(kept, a)
				continue
			}
			id, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "cid:")
			file := by[id]
			if u, err := url.Parse(strings.TrimSpace(a.Val)); remote && err == nil && strings.EqualFold(u.Scheme, "https") && u.Host != "" {
				if host := strings.ToLower(u.Hostname()); !slices.Contains(hosts, host) {
					hosts = append(hosts, host)
				}
				a.Val = u.String()
				kept = append(kept, a)
				continue
			}
			if !ok || file == nil || len(file.content) > left {
				continue
			}
			kind := pictureType(file.content)
			if kind == "" {
				continue
			}
			left -= len(file.content)
			a.Val = "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(file.content)
			kept = append(kept, a)
		}
		t.Attr = kept
		out.WriteString(t.String())
	}
}

// pictureType tells a picture by its content; what its sender calls it is not believed.
func pictureType(b []byte) string {
	switch {
	case strings.HasPrefix(string(b[:min(8, len(b))]), "\x89PNG\r\n\x1a\n"):
		return "image/png"
	case len(b) > 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff:
		return "image/jpeg"
	case strings.HasPrefix(string(b[:min(6, len(b))]), "GIF8"):
		return "image/gif"
	}
	return ""
}

// dataPicture lets data: through for what withPictures wrote; the rule for src holds it to pictures.
func dataPicture(u *url.URL) bool { return strings.HasPrefix(u.Opaque, "image/") }
