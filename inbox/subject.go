package inbox

import (
	"regexp"
	"strings"
)

// before is what programs write before the subject of an answer or of what is forwarded, in the languages that Outlook is used in most.
var before = regexp.MustCompile(`(?i)^\s*(re|r|aw|antw|antwort|sv|vs|ref|res|rif|odp|ynt|vá|y|απ|rv|tr|fwd?|wg|i|enc|doorst|vb|pd|fs|vl|yml|hl|videresendt|továbbítás|回复|答复|转发|回覆|轉寄|返信|转|전달|회신|ответ|отв|пересл)\s*([\[(]\d+[\])])?\s*[::]\s*`)

// fold is a subject as threads are compared by: without what answers and forwards put before it, in lower case. answer says whether
// anything was before it.
func fold(subject string) (folded string, answer bool) {
	for {
		rest := before.ReplaceAllString(subject, "")
		if rest == subject {
			break
		}
		subject, answer = rest, true
	}
	return strings.ToLower(strings.Join(strings.Fields(subject), " ")), answer
}
