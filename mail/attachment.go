package mail

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// attach adds a file of the mail.
func (r *reader) attach(p *part) {
	a := Attachment{Name: p.name, Type: p.kind, ContentID: p.id, Inline: p.shown == "inline" || p.shown != "attachment" && p.id != ""}
	content, broken := p.body, ""
	// A mail that is sent as it stands is read as it stands, whatever it says of itself.
	if p.kind == "message/rfc822" && p.coding != "base64" && p.coding != "quoted-printable" {
		content = p.body
	} else if sort(&a, nil) == message || r.read&(ReadHashes|ReadInside|ReadQR) != 0 {
		content, broken = decodeBody(p.body, p.coding)
	}
	if broken != "" {
		a.Faults = append(a.Faults, broken)
		r.lose(LostAttachments, "the attachment %.80q is not sent as it should be: %s", p.name, broken)
	}
	r.describeFile(&a, content)
	at := len(r.m.Attachments)
	r.m.Attachments = append(r.m.Attachments, a)
	if inside := r.look(&a, content, p); inside != nil || len(a.Faults) > 0 {
		a.Inside = inside
		r.m.Attachments[at] = a
	}
}

func (r *reader) describeFile(a *Attachment, content []byte) {
	if r.read&(ReadHashes|ReadInside|ReadQR) == 0 {
		return
	}
	a.Size = int64(len(content))
	a.content = content
	if r.read&ReadHashes != 0 {
		sum := sha256.Sum256(content)
		a.SHA256 = hex.EncodeToString(sum[:])
	}
}

// look looks into a file: a mail, an archive, a page, a picture.
func (r *reader) look(a *Attachment, content []byte, p *part) []Attachment {
	kind := sort(a, content)
	if kind == picture {
		if r.read&ReadQR != 0 {
			r.picture(a, content)
		}
		return nil
	}
	if kind == other || r.read&ReadInside == 0 && kind != message {
		return nil
	}
	if r.depth >= MaxDepth {
		r.deep(a)
		return nil
	}
	r.depth++
	defer func() { r.depth-- }()
	switch kind {
	case message:
		return r.mailInside(content)
	case archive:
		return r.unzip(a, content)
	case office:
		r.officeLinks(a, content)
	case page, plain:
		r.page(content, p, kind)
	case winmail:
		r.lose(LostInside, "what is in Outlook's %.80q was not unpacked", a.Name)
		a.Faults = append(a.Faults, "not unpacked")
	}
	return nil
}

func (r *reader) deep(a *Attachment) {
	r.lose(LostText|LostLinks|LostAttachments|LostInside, "parts lie more than %d deep in each other; what lies deeper was not read", MaxDepth)
	a.Faults = append(a.Faults, "lies too deep to be looked into")
}

// what a file is, as far as it matters here.
type sortOf int

const (
	other sortOf = iota
	message
	archive
	office
	page
	plain
	picture
	winmail
)

// sort tells by content first, and by name and type where that says nothing.
func sort(a *Attachment, b []byte) sortOf {
	ext := strings.ToLower(path.Ext(a.Name))
	switch {
	case a.Type == "message/rfc822" || a.Type == "message/global" || ext == ".eml":
		return message
	case bytes.HasPrefix(b, []byte("PK\x03\x04")) || bytes.HasPrefix(b, []byte("PK\x05\x06")):
		switch ext {
		case ".docx", ".docm", ".xlsx", ".xlsm", ".pptx", ".pptm", ".dotx", ".dotm", ".xlsb", ".ppsx":
			return office
		case ".jar", ".apk", ".odt", ".ods", ".odp", ".epub", ".vsdx":
			return other
		}
		if strings.Contains(a.Type, "officedocument") {
			return office
		}
		return archive
	case bytes.HasPrefix(b, []byte("\x89PNG")), bytes.HasPrefix(b, []byte("\xff\xd8\xff")), bytes.HasPrefix(b, []byte("GIF8")):
		return picture
	case strings.HasPrefix(a.Type, "text/html") || ext == ".html" || ext == ".htm" || ext == ".shtml" || ext == ".xhtml" || ext == ".svg" || a.Type == "image/svg+xml":
		return page
	case strings.HasPrefix(a.Type, "text/") || ext == ".txt" || ext == ".ics" || ext == ".url":
		return plain
	case a.Type == "application/ms-tnef" || strings.EqualFold(a.Name, "winmail.dat"):
		return winmail
	}
	return other
}

// mailInside reads a mail that is a part of this one: its links and files are this one's, its text stands beside this one's.
func (r *reader) mailInside(raw []byte) []Attachment {
	head, body := split(bytes.TrimLeft(raw, "\r\n"))
	header := r.fields(head)
	outer := r.m.Attachments
	r.m.Attachments = nil
	r.inner++
	for i := range header {
		switch strings.ToLower(header[i].Name) {
		case "subject", "from":
			r.addText(header[i].Value, true)
		}
	}
	r.part(header, body, "text/plain", true)
	r.inner--
	inside := r.m.Attachments
	r.m.Attachments = outer
	return inside
}

// page finds the links of a page or text that is attached.
func (r *reader) page(b []byte, p *part, kind sortOf) {
	if len(b) > MaxText {
		r.lose(LostInside, "an attached page is longer than %d MB; the rest of it was not read", MaxText>>20)
		b = b[:MaxText]
	}
	set := ""
	if p != nil {
		set = p.params["charset"]
	}
	if set == "" {
		set = metaCharset(b)
	}
	text, _ := toUTF8(b, set)
	if kind == page {
		shown, _ := r.walkHTML(text, InAttachment)
		text = shown
	}
	r.findLinks(text, InAttachment)
}

// unzip looks into a zip archive, within the limits of the mail.
func (r *reader) unzip(a *Attachment, content []byte) []Attachment {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		a.Faults = append(a.Faults, "the archive is broken")
		r.lose(LostInside, "the archive %.80q is broken and was not unpacked", a.Name)
		return nil
	}
	var out []Attachment
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if r.inside++; r.inside > MaxInside {
			r.lose(LostInside, "archives hold more than %d files; the rest was not read", MaxInside)
			a.Faults = append(a.Faults, fmt.Sprintf("more than %d files", MaxInside))
			break
		}
		one := Attachment{Name: cleanName(tidy(f.Name))}
		data, fault := r.unpack(f, &one)
		if fault != "" {
			one.Faults = append(one.Faults, fault)
			r.lose(LostInside, "a file in the archive %.80q was not read whole: %s", a.Name, fault)
		}
		if data != nil {
			one.Inside = r.look(&one, data, nil)
		}
		out = append(out, one)
	}
	return out
}

// kept is how much of a file in an archive is held to be looked into; more is only hashed.
const kept = 16 << 20

// unpack hashes a file of an archive, and gives its content where it is small enough to be looked into.
func (r *reader) unpack(f *zip.File, one *Attachment) (data []byte, fault string) {
	if f.Flags&1 != 0 {
		one.Size = int64(min(f.UncompressedSize64, 1<<62))
		return nil, "it is encrypted"
	}
	left := MaxUnpacked - r.unpacked
	if left <= 0 {
		return nil, fmt.Sprintf("archives unpack to more than %d MB", MaxUnpacked>>20)
	}
	in, err := f.Open()
	if err != nil {
		if errors.Is(err, zip.ErrAlgorithm) {
			return nil, "it is packed in a way that is not known"
		}
		return nil, "it is broken"
	}
	defer in.Close()
	sum := sha256.New()
	var held bytes.Buffer
	n, err := io.Copy(sum, io.LimitReader(io.TeeReader(in, &limited{&held, kept}), left+1))
	r.unpacked += n
	if n > left {
		return nil, fmt.Sprintf("archives unpack to more than %d MB", MaxUnpacked>>20)
	}
	one.Size = n
	if err != nil {
		return nil, "it is broken"
	}
	one.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if n > kept {
		return nil, ""
	}
	return held.Bytes(), ""
}

// limited keeps the first bytes that are written to it and passes over the rest.
type limited struct {
	to   *bytes.Buffer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.to.Write(b[:n])
	l.left -= n
	return len(b), nil
}

// officeLinks finds the links of a document of Office: they stand in its relations, with TargetMode External.
// https://learn.microsoft.com/en-us/openspecs/office_standards/ms-oe376
func (r *reader) officeLinks(a *Attachment, content []byte) {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		a.Faults = append(a.Faults, "the document is broken")
		r.lose(LostInside, "the document %.80q is broken and was not looked into", a.Name)
		return
	}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".rels") {
			continue
		}
		if r.inside++; r.inside > MaxInside {
			r.lose(LostInside, "archives hold more than %d files; the rest was not read", MaxInside)
			return
		}
		var one Attachment
		data, fault := r.unpack(f, &one)
		if fault != "" {
			r.lose(LostInside, "the document %.80q was not read whole: %s", a.Name, fault)
			return
		}
		for _, target := range relations(data) {
			r.link(target, "", InAttachment, false)
		}
	}
}
