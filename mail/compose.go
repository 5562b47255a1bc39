package mail

import (
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// composed lets through what people format text with when they write, and pictures that are attached to it.
var composed = func() *bluemonday.Policy {
	p := formatting()
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^cid:[\w.@+-]{1,200}$`)).OnElements("img")
	p.AllowURLSchemes("cid")
	return p
}()

// Compose is HTML that somebody wrote, as it is sent: formatted text, links and pictures that are attached (cid:), and nothing else.
func Compose(text string) string { return composed.Sanitize(text) }

// ComposeText is plain text that somebody wrote, as HTML.
func ComposeText(text string) string {
	return "<div>" + strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(text, "\r\n", "\n")), "\n", "<br>") + "</div>"
}

// Picture gives a mail that was read by [ReadBody] a picture that belongs to it, for [Message.SafeHTML].
func (m *Message) Picture(contentID string, content []byte) {
	m.Attachments = append(m.Attachments, Attachment{ContentID: contentID, Inline: true, Size: int64(len(content)), content: content})
}
