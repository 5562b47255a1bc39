package mail

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// split parts a mail, or a part of one, into header and body. A line that cannot be of a header ends it only where no header
// follows it.
func split(raw []byte) (head, body []byte) {
	if len(raw) == 0 {
		return nil, nil
	}
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\n')
		if n < 0 {
			return raw, nil
		}
		line := raw[i : i+n]
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return raw[:i], raw[i+n+1:]
		}
		if len(line) > 2 && line[0] == '-' && line[1] == '-' && i > 0 && bytes.IndexByte(line, ':') < 0 {
			return raw[:i], raw[i:] // a boundary: the empty line is missing
		}
		i += n + 1
	}
	return raw, nil
}

// fields reads a header. A line without a name belongs to the field above it, as mail programs read it.
func (r *reader) fields(head []byte) []Field {
	if len(head) > MaxHeader {
		r.lose(LostHeader, "a header is longer than %d KB; the rest of it was not read", MaxHeader>>10)
		head = head[:MaxHeader]
	}
	out := make([]Field, 0, 24)
	var value []byte
	name := ""
	end := func() {
		if name == "" {
			return
		}
		text := string(value)
		out = append(out, Field{Name: name, raw: text})
		name, value = "", value[:0]
	}
	for first := true; len(head) > 0; first = false {
		line := head
		if n := bytes.IndexByte(head, '\n'); n >= 0 {
			line, head = head[:n], head[n+1:]
		} else {
			head = nil
		}
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if name != "" {
				value = append(append(value, ' '), bytes.Trim(line, " \t\r")...)
			} else if len(bytes.TrimSpace(line)) > 0 {
				r.fault("a header begins with a line that belongs to no field")
			}
			continue
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || bytes.ContainsAny(bytes.TrimRight(line[:colon], " \t"), " \t") {
			switch {
			case first && bytes.HasPrefix(line, []byte("From ")), first && bytes.HasPrefix(line, []byte(">From ")): // an mbox's line between mails
			case name != "":
				r.fault("a line in a header has no name; it was read as part of the field above it")
				value = append(append(value, ' '), bytes.TrimSpace(line)...)
			default:
				r.fault("a header begins with a line that belongs to no field")
			}
			continue
		}
		end()
		if len(out) == MaxFields {
			r.lose(LostHeader, "a header has more than %d fields; the rest of it was not read", MaxFields)
			break
		}
		name = string(bytes.TrimRight(line[:colon], " \t"))
		value = append(value, bytes.TrimSpace(line[colon+1:])...)
	}
	end()
	for i := range out {
		out[i].Value = decodeWords(out[i].raw)
		if !utf8.ValidString(out[i].raw) {
			out[i].raw = out[i].Value
		}
	}
	return out
}

// looksLikeHeader says whether the first line of raw is a header's.
func looksLikeHeader(raw []byte) bool {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:colon], " \t") {
		if c <= ' ' || c >= 127 {
			return false
		}
	}
	return true
}

// ids are the message ids in a field, without angle brackets.
func ids(value string) []string {
	var out []string
	for {
		i := strings.IndexByte(value, '<')
		if i < 0 {
			break
		}
		j := strings.IndexByte(value[i:], '>')
		if j < 0 {
			break
		}
		if id := strings.Join(strings.Fields(value[i+1:i+j]), ""); id != "" {
			out = append(out, id)
		}
		value = value[i+j+1:]
	}
	if len(out) == 0 {
		if f := strings.Fields(value); len(f) == 1 {
			out = append(out, strings.Trim(f[0], "<>"))
		}
	}
	return out
}

func firstID(value string) string {
	if all := ids(value); len(all) > 0 {
		return all[0]
	}
	return ""
}
