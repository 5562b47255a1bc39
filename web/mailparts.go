package web

import "strings"

// checkMark is the shape of what a check of the sender gave.
func checkMark(result string) string {
	switch strings.ToLower(result) {
	case "pass", "bestguesspass":
		return "ok"
	case "fail", "softfail", "permerror":
		return "bad"
	case "none", "neutral", "":
		return "off"
	}
	return "part"
}

// linkWhere says where in a mail a link stands.
func linkWhere(where string) string {
	if w, ok := map[string]string{"html": "in the mail", "text": "in the text", "qr": "in a QR code", "attachment": "in an attachment"}[where]; ok {
		return w
	}
	return where
}

func upper(s string) string { return strings.ToUpper(s) }
