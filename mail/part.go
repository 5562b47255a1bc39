package mail

import (
	"bytes"
	"fmt"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// reader reads one mail.
type reader struct {
	m        *Message
	read     Parts
	parts    int
	depth    int
	inner    int // mails inside the mail: their texts are not what a reader sees
	unpacked int64
	inside   int
	pictures int
	text     strings.Builder
	other    strings.Builder
	html     strings.Builder
	seen     map[string]bool // links
	told     map[string]bool // faults
}

// part is a leaf of the mail's tree, or the tree's trunk.
type part struct {
	header []Field
	kind   string // media type in lower case
	params map[string]string
	shown  string // disposition in lower case
	name   string
	id     string // Content-ID
	coding string
	body   []byte // as it came
}

func (r *reader) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if r.told[text] || len(r.m.Faults) >= 100 {
		return
	}
	if r.told == nil {
		r.told = map[string]bool{}
	}
	r.told[text] = true
	r.m.Faults = append(r.m.Faults, text)
}

func (r *reader) lose(what Lost, format string, args ...any) {
	r.m.Lost |= what
	r.fault(format, args...)
}

// message reads the mail itself.
func (r *reader) message(raw []byte) {
	m := r.m
	head, body := split(bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), "\r\n"))
	m.Header = r.fields(head)
	if len(m.Header) == 0 {
		if len(raw) == 0 {
			r.fault("the mail is empty")
		} else {
			r.lose(LostHeader, "there is no header")
			body = raw
		}
	}
	for i := range m.Header {
		f := &m.Header[i]
		switch strings.ToLower(f.Name) {
		case "from":
			m.From = append(m.From, addresses(f.raw)...)
		case "sender":
			m.Sender = append(m.Sender, addresses(f.raw)...)
		case "reply-to":
			m.ReplyTo = append(m.ReplyTo, addresses(f.raw)...)
		case "to":
			m.To = append(m.To, addresses(f.raw)...)
		case "cc":
			m.Cc = append(m.Cc, addresses(f.raw)...)
		case "bcc":
			m.Bcc = append(m.Bcc, addresses(f.raw)...)
		case "subject":
			if m.Subject == "" {
				m.Subject = f.Value
			}
		case "message-id":
			if m.MessageID == "" {
				m.MessageID = firstID(f.raw)
			}
		case "in-reply-to":
			if m.InReplyTo == "" {
				m.InReplyTo = firstID(f.raw)
			}
		case "references":
			m.References = append(m.References, ids(f.raw)...)
		case "date":
			if m.Date.IsZero() {
				if m.Date = date(f.Value); m.Date.IsZero() && f.Value != "" {
					r.fault("the date cannot be read")
				}
			}
		case "received":
			if m.Received.IsZero() {
				if i := strings.LastIndexByte(f.Value, ';'); i >= 0 {
					m.Received = date(f.Value[i+1:])
				}
			}
		}
	}
	r.part(m.Header, body, "text/plain", false)
	m.Text, m.Other, m.HTML = r.text.String(), r.other.String(), r.html.String()
}

// date reads a mail's date; zero where it cannot be read.
func date(s string) time.Time {
	s = strings.Join(strings.Fields(s), " ")
	if t, err := mail.ParseDate(s); err == nil {
		return t.UTC()
	}
	if i := strings.IndexByte(s, '('); i > 0 {
		s = strings.TrimSpace(s[:i])
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// dateLayouts are forms beside those of RFC 5322 that mails are dated in.
var dateLayouts = []string{
	"Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "Mon, 2 Jan 06 15:04:05 MST", "Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04:05 MST 2006", "Mon, 2 Jan 2006 15:04 MST",
	"Mon, 2 Jan 2006 15:04:05 MST-0700", "Monday, January 2, 2006 3:04 PM", time.RFC3339, "2006-01-02 15:04:05", "Mon, 2-Jan-2006 15:04:05 -0700", "Mon,2 Jan 2006 15:04:05 -0700",
	"Mon, 02 Jan 2006 15.04.05 -0700", "Mon, Jan 2 2006 15:04:05 -0700", "Mon, 2 Jan 2006 3:04:05 PM -0700",
}

// part reads a part. aside is of what a reader does not see at first: the plain form of what is shown as HTML.
func (r *reader) part(header []Field, body []byte, otherwise string, aside bool) {
	if r.parts++; r.parts > MaxParts {
		r.lose(LostText|LostLinks|LostAttachments|LostInside, "the mail has more than %d parts; the rest was not read", MaxParts)
		return
	}
	p := r.describe(header, body, otherwise)
	switch {
	case strings.HasPrefix(p.kind, "multipart/"):
		r.multipart(p, aside)
	case p.kind == "message/rfc822" || p.kind == "message/global":
		r.attach(p)
	default:
		r.leaf(p, aside)
	}
}

func (r *reader) describe(header []Field, body []byte, otherwise string) *part {
	p := &part{header: header, body: body, kind: otherwise}
	if v := raw(header, "Content-Type"); v != "" {
		kind, params, whole := parameters(v)
		if !whole {
			r.fault("a part's Content-Type is malformed; it was read as far as it goes")
		}
		if major, minor, ok := strings.Cut(kind, "/"); ok && major != "" && minor != "" {
			p.kind = kind
		} else if kind == "text" || kind == "html" {
			p.kind = map[string]string{"text": "text/plain", "html": "text/html"}[kind]
		}
		p.params = params
	}
	v := raw(header, "Content-Disposition")
	shown, params, _ := parameters(v)
	p.shown = shown
	p.name = cleanName(params["filename"])
	for _, other := range []string{"name", "file", "filename"} {
		if p.name == "" {
			p.name = cleanName(p.params[other])
		}
	}
	p.id = firstID(raw(header, "Content-ID"))
	coding, _ := comments(raw(header, "Content-Transfer-Encoding"))
	if f := strings.FieldsFunc(coding, func(c rune) bool { return c == ';' || c == ' ' }); len(f) > 0 {
		p.coding = strings.ToLower(f[0])
	}
	return p
}

// parameters reads a Content-Type or Content-Disposition; whole is false where it is malformed.
func parameters(v string) (kind string, params map[string]string, whole bool) {
	if v == "" {
		return "", nil, true
	}
	kind, params, err := mime.ParseMediaType(v)
	if err == nil {
		for k, x := range params {
			params[k] = decodeWords(x)
		}
		return kind, params, true
	}
	kind, rest, _ := strings.Cut(v, ";")
	kind, _ = comments(kind)
	if f := strings.Fields(kind); len(f) > 0 {
		kind = f[0]
	}
	params = map[string]string{}
	for rest != "" {
		rest = strings.TrimLeft(rest, "; \t")
		i := strings.IndexAny(rest, "=;")
		if i < 0 {
			break
		}
		if rest[i] == ';' {
			rest = rest[i+1:]
			continue
		}
		name := strings.ToLower(strings.TrimSpace(rest[:i]))
		rest = strings.TrimLeft(rest[i+1:], " \t")
		var value string
		if strings.HasPrefix(rest, "\"") {
			value, rest = cutQuoted(rest[1:])
		} else {
			value, rest, _ = strings.Cut(rest, ";")
			value = strings.TrimSpace(value)
		}
		if _, twice := params[name]; !twice && name != "" && len(params) < 50 {
			params[name] = decodeWords(value)
		}
	}
	return strings.ToLower(kind), joined(params), false
}

// cutQuoted reads a quoted text to its closing quote; one that is not closed ends at a semicolon.
func cutQuoted(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	value, rest, _ = strings.Cut(s, ";")
	return strings.TrimSpace(value), rest
}

// joined puts RFC 2231's pieces of a value together where mime would not: name*0, name*1*, name*.
func joined(params map[string]string) map[string]string {
	for _, name := range []string{"filename", "name", "boundary"} {
		if params[name] != "" {
			continue
		}
		var b strings.Builder
		if v, ok := params[name+"*"]; ok {
			b.WriteString(v)
		}
		for i := range 20 {
			v, ok := params[fmt.Sprintf("%s*%d", name, i)]
			if !ok {
				v, ok = params[fmt.Sprintf("%s*%d*", name, i)]
			}
			if !ok {
				break
			}
			b.WriteString(v)
		}
		if b.Len() == 0 {
			continue
		}
		value := b.String()
		if pieces := strings.SplitN(value, "'", 3); len(pieces) == 3 {
			value, _ = toUTF8(percent(pieces[2]), pieces[0])
		}
		params[name] = value
	}
	return params
}

func percent(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1:i+3]) {
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		} else {
			out = append(out, s[i])
		}
	}
	return out
}

// cleanName is a file name on one line.
func cleanName(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, s))
}

// multipart reads the parts of p.
func (r *reader) multipart(p *part, aside bool) {
	boundary := p.params["boundary"]
	if boundary == "" {
		r.fault("a part that holds others does not say what parts them; it was read as text")
		p.kind = "text/plain"
		r.leaf(p, aside)
		return
	}
	if r.depth >= MaxDepth {
		r.lose(LostText|LostLinks|LostAttachments|LostInside, "parts lie more than %d deep in each other; what lies deeper was not read", MaxDepth)
		return
	}
	// What a multipart is sent in is nearly always 7bit; some encode the whole.
	body := p.body
	if p.coding == "base64" || p.coding == "quoted-printable" {
		if !bytes.Contains(body, []byte("--"+boundary)) {
			body, _ = decodeBody(body, p.coding)
		}
	}
	pieces, closed := cut(body, boundary)
	if len(pieces) == 0 {
		if len(bytes.TrimSpace(body)) > 0 {
			r.fault("a part that holds others holds none; it was read as text")
			p.kind, p.coding, p.body = "text/plain", "", body
			r.leaf(p, aside)
		}
		return
	}
	if !closed {
		r.fault("the last part is not closed: the mail may have been cut off")
	}
	otherwise := "text/plain"
	if p.kind == "multipart/digest" {
		otherwise = "message/rfc822"
	}
	r.depth++
	defer func() { r.depth-- }()
	type child struct {
		header []Field
		body   []byte
	}
	children := make([]child, 0, min(len(pieces), MaxParts))
	for _, piece := range pieces {
		if r.parts+len(children) >= MaxParts {
			r.lose(LostText|LostLinks|LostAttachments|LostInside, "the mail has more than %d parts; the rest was not read", MaxParts)
			break
		}
		head, body := []byte(nil), piece
		if looksLikeHeader(piece) {
			head, body = split(piece)
		} else if nl := bytes.IndexByte(piece, '\n'); nl >= 0 && len(bytes.TrimSpace(piece[:nl])) == 0 {
			body = piece[nl+1:]
		} else if len(bytes.TrimSpace(piece)) > 0 {
			head, body = split(piece) // a header that begins with a broken line, or none
			if !bytes.Contains(head, []byte(":")) {
				head, body = nil, piece
				r.fault("a part has no header")
			}
		}
		children = append(children, child{r.fields(head), body})
	}
	// Of alternatives the last that can be shown is.
	best := -1
	if p.kind == "multipart/alternative" {
		for i, c := range children {
			kind, _, _ := parameters(raw(c.header, "Content-Type"))
			if kind == "text/html" || kind == "multipart/related" || kind == "multipart/mixed" {
				best = i
			} else if best < 0 && (kind == "text/plain" || kind == "") && len(bytes.TrimSpace(c.body)) > 0 {
				best = i
			}
		}
		if best < 0 {
			best = 0
		}
	}
	for i, c := range children {
		r.part(c.header, c.body, otherwise, aside || best >= 0 && i != best)
	}
}

// cut parts the body of a multipart at its boundary. closed is false where its last line is missing.
func cut(body []byte, boundary string) (pieces [][]byte, closed bool) {
	mark := []byte("--" + boundary)
	start := -1
	for at := 0; at < len(body); {
		i := bytes.Index(body[at:], mark)
		if i < 0 {
			break
		}
		i += at
		at = i + len(mark)
		if i > 0 && body[i-1] != '\n' {
			continue
		}
		line := body[at:]
		next := len(body)
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			next = at + n + 1
			line = line[:n]
		}
		last := bytes.HasPrefix(line, []byte("--")) && (len(bytes.TrimSpace(line[2:])) == 0 || !isLetter(line[2]) && line[2] != '-' && line[2] != '_')
		if !last && len(bytes.TrimSpace(line)) > 0 {
			continue // another boundary, which begins as this one does
		}
		if start >= 0 {
			pieces = append(pieces, trimEnd(body[start:i]))
		}
		start, at = next, next
		if last {
			return pieces, true
		}
		if len(pieces) > MaxParts {
			return pieces, true
		}
	}
	if start >= 0 && start < len(body) {
		pieces = append(pieces, body[start:])
	}
	return pieces, false
}

// trimEnd takes off the line end before a boundary, which belongs to the boundary.
func trimEnd(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// textKinds are the media types that are shown as text.
var textKinds = []string{"text/plain", "text/html", "text/enriched", "text/richtext"}

// leaf reads a part that holds no others: text that is shown, or a file.
func (r *reader) leaf(p *part, aside bool) {
	if p.shown == "attachment" || !slices.Contains(textKinds, p.kind) || p.name != "" {
		r.attach(p)
		// A text that has a name and is not said to be an attachment is shown within the mail by most programs.
		if p.shown == "attachment" || !slices.Contains(textKinds, p.kind) {
			return
		}
	}
	if r.read&(ReadText|ReadLinks) == 0 {
		return
	}
	text := r.decodeText(p, LostText|LostLinks)
	if r.inner > 0 {
		aside = true
	}
	if p.kind == "text/html" {
		r.showHTML(text, aside)
		return
	}
	if r.read&ReadLinks != 0 {
		r.findLinks(text, InText)
	}
	r.addText(text, aside)
}

// decodeText is the text of a part in UTF-8.
func (r *reader) decodeText(p *part, lost Lost) string {
	b, broken := decodeBody(p.body, p.coding)
	if broken != "" {
		r.fault("a text is not sent as it should be: %s", broken)
	}
	if len(b) > MaxText {
		r.lose(lost, "a text is longer than %d MB; the rest of it was not read", MaxText>>20)
		b = b[:MaxText]
	}
	set := p.params["charset"]
	if set == "" && p.kind == "text/html" {
		set = metaCharset(b)
	}
	text, known := toUTF8(b, set)
	if !known {
		r.fault("a text's character set %.40q is not known or not what the text is in; letters may be wrong", set)
	}
	return text
}

func (r *reader) addText(text string, aside bool) {
	into := &r.text
	if aside {
		into = &r.other
	}
	if into.Len()+len(text) > MaxText {
		r.lose(LostText, "the mail has more than %d MB of text; the rest was not read", MaxText>>20)
		text = text[:max(0, MaxText-into.Len())]
	}
	if into.Len() > 0 && text != "" {
		into.WriteByte('\n')
	}
	into.WriteString(text)
}
