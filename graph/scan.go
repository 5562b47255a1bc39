package graph

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf8"
)

// The functions here walk over JSON that is known to be valid, once, without building what nobody looks at: a first sync
// reads the rules of 100,000 mailboxes. On what is not valid they stop early, and never panic.

// objectMembers gives an object's members in order; nothing when raw is no object.
func objectMembers(raw json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		i, ok := open(raw, '{')
		for ok && i < len(raw) && raw[i] == '"' {
			end := valueEnd(raw, i)
			key, usual := usualNames[string(raw[i:end])]
			if !usual {
				key, _ = asString(raw[i:end])
			}
			at := space(raw, space(raw, end)+1) // over the colon
			end = valueEnd(raw, at)
			if end <= at || !yield(key, raw[at:end]) {
				return
			}
			i, ok = comma(raw, end)
		}
	}
}

// usualNames are the names of members that come with every message, as they stand in JSON: a text less for each.
var usualNames = func() map[string]string {
	all := map[string]string{}
	for _, n := range strings.Fields(`id status headers body value @odata.etag @odata.context changeKey conversationId internetMessageId parentFolderId from sender toRecipients ccRecipients bccRecipients
		replyTo hasAttachments importance isRead isDraft flag flagStatus categories createdDateTime lastModifiedDateTime receivedDateTime sentDateTime emailAddress name address Content-Type Cache-Control`) {
		all[`"`+n+`"`] = n
	}
	return all
}()

// arrayElements gives an array's elements; nothing when raw is no array.
func arrayElements(raw json.RawMessage) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		i, ok := open(raw, '[')
		for ok && i < len(raw) && raw[i] != ']' {
			end := valueEnd(raw, i)
			if end <= i || !yield(raw[i:end]) {
				return
			}
			i, ok = comma(raw, end)
		}
	}
}

// open is the first value within brackets.
func open(raw []byte, bracket byte) (int, bool) {
	i := space(raw, 0)
	if i >= len(raw) || raw[i] != bracket {
		return 0, false
	}
	return space(raw, i+1), true
}

// comma is the value after the comma that stands behind a value; false at the closing bracket.
func comma(raw []byte, i int) (int, bool) {
	i = space(raw, i)
	if i >= len(raw) || raw[i] != ',' {
		return 0, false
	}
	return space(raw, i+1), true
}

func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\r' || raw[i] == '\t') {
		i++
	}
	return i
}

// valueEnd is where the value that begins at i ends.
func valueEnd(raw []byte, i int) int {
	if i >= len(raw) {
		return i
	}
	switch raw[i] {
	case '"':
		return stringEnd(raw, i)
	case '{', '[':
		return nestedEnd(raw, i)
	}
	for i < len(raw) && !strings.ContainsRune(",]} \n\r\t", rune(raw[i])) {
		i++
	}
	return i
}

func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		i += n
		escapes := 0
		for raw[i-1-escapes] == '\\' { // the opening quote stops it
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
	return i
}

func nestedEnd(raw []byte, i int) int {
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
	return i
}

// asString is the text of a JSON string.
func asString(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if plain := raw[1 : len(raw)-1]; raw[len(raw)-1] == '"' && bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// asStrings is the text of a JSON array of strings, null among them not allowed.
func asStrings(raw json.RawMessage) ([]string, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	var out []string
	for e := range arrayElements(raw) {
		s, ok := asString(e)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}
