package reported

import (
	"slices"
	"strings"

	mime "tocsin.dev/mail"
)

// queryOf is a query in KQL that finds a mail and its near copies: by sender and subject together, by what hides behind links that deceive or
// stand in QR codes, and by its files. It is where an investigation begins, and is meant to be edited; empty where there is nothing to go by.
func queryOf(m *mime.Message) string {
	var same, any []string
	if len(m.From) > 0 && m.From[0].Address != "" {
		same = append(same, "from:"+quoted(m.From[0].Address))
	}
	if s := line(bareSubject(m.Subject), 200); s != "" {
		same = append(same, "subject:"+quoted(s))
	}
	if len(same) > 0 {
		any = append(any, strings.Join(same, " AND "))
		if len(same) > 1 {
			any[0] = "(" + any[0] + ")"
		}
	}
	var domains, hashes []string
	for _, l := range m.Links {
		if l.Domain != "" && len(domains) < 5 && !slices.Contains(domains, l.Domain) && (l.Where == mime.InQR || deceives(l)) {
			domains = append(domains, l.Domain)
			any = append(any, "url.domain:"+quoted(l.Domain))
		}
	}
	for _, a := range m.Attachments {
		if a.SHA256 != "" && !a.Inline && a.Size > 0 && len(hashes) < 5 && !slices.Contains(hashes, a.SHA256) {
			hashes = append(hashes, a.SHA256)
			any = append(any, "attachment.sha256:"+a.SHA256)
		}
	}
	return strings.Join(any, " OR ")
}

// quoted is a phrase: what a stranger wrote ends it nowhere.
func quoted(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r == '"' || r == '“' || r == '”' || r == '\\' || r < ' ' {
			return ' '
		}
		return r
	}, s) + `"`
}
