package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"mime"
	"mime/quotedprintable"
	"regexp"
	"strings"
	"time"

	"tocsin.dev"
)

// letter is what a message says beside its envelope. It is made when somebody asks for it, the same each time, so that a
// mailbox full of mail costs no more than its envelopes.
type letter struct {
	html        string // "": there is text only
	text        string // "": what the HTML says
	headers     []header
	replyTo     []tocsin.Address
	attachments []attachment
}

// header is one line of a message's head.
type header struct{ name, value string }

// attachment is a file, or another message where kind is message/rfc822.
type attachment struct {
	name, kind string
	contentID  string // of one that stands in the text
	inline     bool
	data       []byte
}

// letter of a message: what was given with it, else what the seed says.
func (w *world) letter(b *mailbox, m *message) letter {
	if m.letter != nil {
		return m.letter()
	}
	l := letter{text: m.text}
	if m.attached {
		h := w.seed.at(askMail+7000, b.p<<10|int(m.serial))
		l.attachments = []attachment{{name: papers[h%uint64(len(papers))], kind: "application/pdf", data: paper(h)}}
	}
	return l
}

var papers = []string{"Arrival notice.pdf", "Packing list.pdf", "Waybill.pdf", "Statement.pdf", "Minutes.pdf"}

// paper is a small PDF that looks like one, another for every number.
func paper(h uint64) []byte {
	return fmt.Appendf(nil, "%%PDF-1.4\n1 0 obj\n<< /Type /Catalog /ID (%016x) >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%%%EOF\n", h)
}

// page is the letter's HTML, made of its text where it has none.
func (l letter) page() string {
	if l.html != "" {
		return l.html
	}
	return "<html><body><p>" + html.EscapeString(l.text) + "</p></body></html>"
}

var tags = regexp.MustCompile(`(?s)<(style|script).*?</(style|script)>|<[^>]*>`)

// plain is the letter's text, taken out of its HTML where it has none.
func (l letter) plain() string {
	if l.text != "" || l.html == "" {
		return l.text
	}
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(l.html, " "))), " ")
}

// preview is the text's first 255 characters.
func (l letter) preview() string {
	text := []rune(l.plain())
	return string(text[:min(len(text), 255)])
}

// visible says whether anything is attached that does not stand in the text: hasAttachments is false where nothing is.
func (l letter) visible() bool {
	for _, a := range l.attachments {
		if !a.inline {
			return true
		}
	}
	return false
}

// size is about as many bytes as Exchange says that the message has.
func (l letter) size() int {
	n := 2048 + len(l.page()) + len(l.text)
	for _, a := range l.attachments {
		n += 256 + len(a.data)*4/3
	}
	return n
}

// head is what internetMessageHeaders shows, and the head of the message as MIME.
func (w *world) head(b *mailbox, m *message, l letter) []header {
	date := m.sent.UTC().Format(time.RFC1123Z)
	out := []header{
		{"Received", fmt.Sprintf("from mail.%s (203.0.113.25) by AM0PR01MB%04d.eurprd01.prod.exchangelabs.com with Microsoft SMTP Server; %s", domainOf(m.from.Address), b.p%10000, date)},
		{"From", addressLine([]tocsin.Address{m.from})}, {"To", addressLine(m.to)},
	}
	if len(m.cc) > 0 {
		out = append(out, header{"Cc", addressLine(m.cc)})
	}
	if len(l.replyTo) > 0 {
		out = append(out, header{"Reply-To", addressLine(l.replyTo)})
	}
	out = append(out, header{"Subject", mime.QEncoding.Encode("utf-8", m.subject)}, header{"Date", date}, header{"Message-ID", w.internetID(b.p, m)})
	if m.inReplyTo != "" {
		out = append(out, header{"In-Reply-To", m.inReplyTo})
	}
	return append(append(out, l.headers...), header{"MIME-Version", "1.0"})
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

func addressLine(list []tocsin.Address) string {
	var out []string
	for _, a := range list {
		if a.Name == "" || a.Name == a.Address {
			out = append(out, "<"+a.Address+">")
			continue
		}
		name := mime.BEncoding.Encode("utf-8", a.Name) // a comma in a Q-encoded name would end it for some readers
		if name == a.Name {
			name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
		}
		out = append(out, name+" <"+a.Address+">")
	}
	return strings.Join(out, ", ")
}

// mime is the message as Exchange makes it anew: not byte for byte what came.
func (w *world) mime(b *mailbox, m *message) []byte {
	l := w.letter(b, m)
	var out bytes.Buffer
	for _, h := range w.head(b, m, l) {
		out.WriteString(h.name + ": " + h.value + "\r\n")
	}
	mark := fmt.Sprintf("_%08x%016x_", m.serial, w.seed.at(askMail+7001, b.p))
	body := func() {
		fmt.Fprintf(&out, "Content-Type: multipart/alternative; boundary=\"%sa\"\r\n\r\n", mark)
		for _, part := range []struct{ kind, text string }{{"text/plain", l.plain()}, {"text/html", l.page()}} {
			fmt.Fprintf(&out, "--%sa\r\nContent-Type: %s; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", mark, part.kind)
			q := quotedprintable.NewWriter(&out)
			q.Write([]byte(part.text)) // into memory, which does not fail
			q.Close()
			out.WriteString("\r\n")
		}
		fmt.Fprintf(&out, "--%sa--\r\n", mark)
	}
	if len(l.attachments) == 0 {
		body()
		return out.Bytes()
	}
	fmt.Fprintf(&out, "Content-Type: multipart/mixed; boundary=\"%sm\"\r\n\r\n--%sm\r\n", mark, mark)
	body()
	for _, a := range l.attachments {
		fmt.Fprintf(&out, "--%sm\r\n", mark)
		a.write(&out)
	}
	fmt.Fprintf(&out, "--%sm--\r\n", mark)
	return out.Bytes()
}

// write adds the attachment as a part.
func (a attachment) write(out *bytes.Buffer) {
	how := "attachment"
	if a.inline {
		how = "inline"
	}
	fmt.Fprintf(out, "Content-Type: %s\r\nContent-Disposition: %s\r\n", mime.FormatMediaType(a.kind, map[string]string{"name": a.name}),
		mime.FormatMediaType(how, map[string]string{"filename": a.name}))
	if a.contentID != "" {
		out.WriteString("Content-ID: <" + a.contentID + ">\r\n")
	}
	if a.kind == "message/rfc822" {
		out.WriteString("\r\n")
		out.Write(a.data)
		out.WriteString("\r\n")
		return
	}
	out.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
	text := base64.StdEncoding.EncodeToString(a.data)
	for len(text) > 0 {
		n := min(len(text), 76)
		out.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
}

// attachmentID is the id of a message's n-th attachment.
func (w *world) attachmentID(box int, m *message, n int) string {
	return w.messageID(box, m, true) + "BEgAQ" + hex.EncodeToString([]byte{byte(n >> 8), byte(n)}) + fmt.Sprintf("%08x", w.seed.at(askMail+7002, box<<10|n)&0xffffffff)
}

// attachmentObject is Graph's attachment, without its bytes.
func (w *world) attachmentObject(box int, m *message, n int, a attachment) obj {
	o := obj{{"@odata.type", "#microsoft.graph.fileAttachment"}, {"@odata.mediaContentType", a.kind}, {"id", w.attachmentID(box, m, n)}, {"lastModifiedDateTime", m.received}, {"name", a.name}, {"contentType", a.kind},
		{"size", len(a.data)*4/3 + 256}, {"isInline", a.inline}}
	if a.kind == "message/rfc822" {
		o[0].v = "#microsoft.graph.itemAttachment"
		return o.without("@odata.mediaContentType")
	}
	if a.contentID == "" {
		return append(o, member{"contentId", nil}, member{"contentLocation", nil})
	}
	return append(o, member{"contentId", a.contentID}, member{"contentLocation", nil})
}
