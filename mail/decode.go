package mail

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// decodeBody takes a transfer encoding away. broken says in words what of it did not fit; the rest is decoded all the same.
func decodeBody(b []byte, coding string) (out []byte, broken string) {
	switch coding = strings.ToLower(strings.Trim(coding, "\"' \t")); coding {
	case "base64":
		out, bad := decodeBase64(b)
		if bad > 0 {
			return out, "its base64 has letters that are none"
		}
		return out, ""
	case "quoted-printable":
		return decodeQuoted(b)
	case "x-uuencode", "uuencode", "x-uue", "uue":
		return decodeUU(b)
	case "", "7bit", "8bit", "binary", "7-bit", "8-bit", "none":
		return b, ""
	}
	return b, "its transfer encoding is not known"
}

// base64Values are the values of base64's letters; 64 of the letters that may stand between, 65 of others, 66 of "=".
var base64Values = func() (t [256]byte) {
	for i := range t {
		t[i] = 65
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = byte(i)
	}
	for _, c := range " \t\r\n" {
		t[c] = 64
	}
	t['='] = 66
	return t
}()

// decodeBase64 decodes b and counts the letters that do not belong there, which it passes over. Several texts may follow each
// other, each with its padding.
func decodeBase64(b []byte) (out []byte, bad int) {
	out = make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	if n, err := base64.StdEncoding.Decode(out, b); err == nil {
		return out[:n], 0
	}
	out = out[:0]
	var held uint32
	n := 0
	end := func() {
		switch n {
		case 1:
			bad++
		case 2:
			out = append(out, byte(held>>4))
		case 3:
			out = append(out, byte(held>>10), byte(held>>2))
		}
		held, n = 0, 0
	}
	for _, c := range b {
		switch v := base64Values[c]; {
		case v < 64:
			held, n = held<<6|uint32(v), n+1
			if n == 4 {
				out = append(out, byte(held>>16), byte(held>>8), byte(held))
				held, n = 0, 0
			}
		case v == 66:
			end()
		case v == 65:
			bad++
		}
	}
	end()
	return out, bad
}

// decodeQuoted decodes quoted-printable; what is none stays as it is.
func decodeQuoted(b []byte) (out []byte, broken string) {
	out = make([]byte, 0, len(b))
	for len(b) > 0 {
		line, end := b, []byte(nil)
		if n := bytes.IndexByte(b, '\n'); n >= 0 {
			line, b = b[:n], b[n+1:]
			end = []byte("\n")
			if n > 0 && line[n-1] == '\r' {
				line, end = line[:n-1], []byte("\r\n")
			}
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, " \t")
		for {
			i := bytes.IndexByte(line, '=')
			if i < 0 {
				out = append(out, line...)
				break
			}
			out = append(out, line[:i]...)
			rest := line[i+1:]
			if len(rest) == 0 {
				end = nil // the line goes on
				break
			}
			if len(rest) >= 2 && isHex(string(rest[:2])) {
				out = append(out, unhex(rest[0])<<4|unhex(rest[1]))
				line = rest[2:]
				continue
			}
			broken = "its quoted-printable has an = that means nothing"
			out = append(out, '=')
			line = rest
		}
		out = append(out, end...)
	}
	return out, broken
}

// decodeUU decodes what uuencode wrote: the first file in b.
func decodeUU(b []byte) (out []byte, broken string) {
	if i := bytes.Index(b, []byte("begin ")); i >= 0 {
		b = b[i:]
		if n := bytes.IndexByte(b, '\n'); n >= 0 {
			b = b[n+1:]
		}
	}
	for len(b) > 0 {
		line := b
		if n := bytes.IndexByte(b, '\n'); n >= 0 {
			line, b = b[:n], b[n+1:]
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, "\r")
		if bytes.Equal(line, []byte("end")) {
			return out, ""
		}
		if len(line) == 0 {
			continue
		}
		size := int(line[0]-' ') & 63
		line = line[1:]
		for size > 0 {
			var q [4]byte
			for i := range q {
				if i < len(line) {
					q[i] = (line[i] - ' ') & 63
				}
			}
			three := [3]byte{q[0]<<2 | q[1]>>4, q[1]<<4 | q[2]>>2, q[2]<<6 | q[3]}
			out = append(out, three[:min(3, size)]...)
			size -= 3
			line = line[min(4, len(line)):]
		}
	}
	return out, "its uuencoded text has no end"
}
