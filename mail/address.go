package mail

import "strings"

// addresses reads the addresses of a field, however it is written: names in quotes or bare, comments, groups, semicolons for commas.
func addresses(value string) []Address {
	if value == "" {
		return nil
	}
	var out []Address
	c := cutter{text: value, quote: strings.LastIndexByte(value, '"'), close: strings.LastIndexByte(value, '>'), bracket: strings.LastIndexByte(value, ')')}
	for c.at < len(value) && len(out) < MaxAddresses {
		item := c.next()
		for range 100 { // "A <a@x> B <b@x>": the comma between them is missing
			i := strings.IndexByte(item, '>')
			if i < 0 || strings.IndexByte(item[i:], '@') < 0 || strings.IndexByte(item[i:], '<') < 0 || strings.IndexByte(item[:i], '"') >= 0 && strings.Count(item[:i], `"`)%2 == 1 || !strings.Contains(item[:i], "<") {
				break
			}
			if a, ok := address(item[:i+1]); ok {
				out = append(out, a)
			}
			item = item[i+1:]
		}
		if a, ok := address(item); ok {
			out = append(out, a)
		}
	}
	return out
}

// cutter cuts a field into addresses. Where the last of each closing sign stands is known, so that what nothing closes is a letter
// and costs no look to the end.
type cutter struct {
	text                  string
	at                    int
	quote, close, bracket int
}

// next is the text up to a comma or semicolon outside quotes, comments and angle brackets. "name:" before a group's members is
// passed over.
func (c *cutter) next() string {
	s := c.text
	quoted, comment, angle := false, 0, false
	start, opened := c.at, 0
	for i := c.at; i < len(s); i++ {
		switch x := s[i]; {
		case x == '\\' && (quoted || comment > 0):
			i++
		case quoted:
			quoted = x != '"'
		case x == '(' && i < c.bracket:
			if comment++; comment == 1 {
				opened = i
			}
		case comment > 0:
			if x == ')' {
				comment--
			}
		case x == '"':
			quoted = i < c.quote
		case x == '<':
			angle = i < c.close
		case x == '>':
			angle = false
		case angle:
		case x == ',' || x == ';':
			c.at = i + 1
			return s[start:i]
		case x == ':' && !strings.ContainsAny(s[start:i], "@<"):
			start = i + 1
		}
		if i == len(s)-1 && comment > 0 { // brackets that are not all closed are letters, from here on
			c.bracket, comment, quoted = -1, 0, false
			i = opened
		}
	}
	c.at = len(s)
	return s[start:]
}

func address(s string) (Address, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Address{}, false
	}
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		in, after, _ := strings.Cut(s[i+1:], ">")
		name := phrase(s[:i])
		if name == "" {
			name = phrase(after)
		}
		in = strings.TrimSpace(in)
		if strings.HasPrefix(in, "@") { // an old route: <@a,@b:c@d>
			if _, last, ok := strings.Cut(in, ":"); ok {
				in = last
			}
		}
		if at := bare(in); strings.Contains(at, "@") || name == "" {
			return Address{Name: name, Address: at}, name != "" || at != ""
		}
		return Address{Name: name, Address: bare(in)}, true
	}
	bareText, comment := comments(s)
	if strings.Contains(bareText, "@") {
		at := bare(bareText)
		// "Jane Doe jane@contoso.com", without angle brackets
		if f := strings.Fields(bareText); len(f) > 1 && !strings.Contains(bareText, "\"") {
			for i := len(f) - 1; i >= 0; i-- {
				if strings.Contains(strings.Trim(f[i], "@"), "@") {
					return Address{Name: phrase(strings.Join(append(f[:i:i], f[i+1:]...), " ")), Address: bare(f[i])}, true
				}
			}
		}
		return Address{Name: phrase(comment), Address: at}, at != ""
	}
	name := phrase(s)
	return Address{Name: name}, name != ""
}

// bare is an address without blanks, quotes and brackets around it.
func bare(s string) string {
	s, _ = comments(s)
	s = strings.Trim(s, "<>[]'\" \t")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "mailto:"), "MAILTO:")
	if !strings.ContainsRune(s, '"') {
		s = strings.Join(strings.Fields(s), "")
	}
	return strings.Trim(decodeWords(s), "'")
}

// comments takes what stands in brackets out of s.
func comments(s string) (without, in string) {
	if strings.IndexByte(s, '(') < 0 {
		return strings.TrimSpace(s), ""
	}
	var out, inner strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			c = s[i]
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			if depth++; depth == 1 {
				continue
			}
		case c == ')' && depth > 0 && !quoted:
			if depth--; depth == 0 {
				continue
			}
		}
		if depth > 0 {
			inner.WriteByte(c)
		} else {
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(inner.String())
}

// phrase is a name: its quotes, backslashes and encoded words taken away.
func phrase(s string) string {
	s = strings.TrimSpace(s)
	if strings.IndexByte(s, '"') >= 0 || strings.IndexByte(s, '\\') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '\\' && i+1 < len(s):
				i++
				b.WriteByte(s[i])
			case s[i] != '"':
				b.WriteByte(s[i])
			}
		}
		s = b.String()
	} else if bare, comment := comments(s); bare == "" && comment != "" {
		s = comment
	}
	return strings.Join(strings.Fields(decodeWords(s)), " ")
}
