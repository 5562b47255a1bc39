package audit

import (
	"strings"

	"tocsin.dev/detect/rule"
)

// glance looks at the members of an object up to its first nested one, without decoding it. Where they show a record of the
// unified log of an operation that no rule looks at, which most are, it gives what is counted of such a record. The members it
// needs stand first in what Microsoft writes; where they do not, the record is decoded as any other.
func glance(text []byte) (*Entry, bool) {
	s := glancer{text: text}
	if !s.begin() {
		return nil, false
	}
	o := make(object, 8)
	for {
		name, ok := s.quoted()
		if !ok || !s.skip(':') {
			break
		}
		value, ok := s.scalar()
		if !ok {
			break
		}
		switch name {
		case "Id", "Operation", "Workload", "UserId", "UserType", "ExternalAccess", "OrganizationName":
			o[strings.ToLower(name)] = value
		case "AuditData", "RawEventData":
			return nil, false
		}
		if !s.skip(',') {
			break
		}
	}
	operation := o.text("operation")
	if operation == "" || o.text("id") == "" || o.text("workload") == "" || rule.Judged(operationName(operation)) {
		return nil, false
	}
	n := &Entry{Shape: UnifiedLog, ID: o.text("id"), Org: o.text("organizationname")}
	n.Record.Operation, n.Record.Workload, n.Record.Actor = operationName(operation), o.text("workload"), o.text("userid")
	n.Record.ActorKind = actorKind(n.Record.Actor, o.text("usertype"))
	n.Guest = outsider(o, n.Record.Actor)
	return n, true
}

type glancer struct {
	text []byte
	at   int
}

func (s *glancer) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *glancer) begin() bool { return s.skip('{') }

// skip passes over c and the space about it.
func (s *glancer) skip(c byte) bool {
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	s.space()
	return true
}

// quoted reads a text; one with an escape in it is left to the decoder.
func (s *glancer) quoted() (string, bool) {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		return "", false
	}
	for i := s.at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			out := string(s.text[s.at+1 : i])
			s.at = i + 1
			return out, true
		case '\\':
			return "", false
		}
	}
	return "", false
}

// scalar reads a value that is no object, list, or text with escapes.
func (s *glancer) scalar() (string, bool) {
	if s.at < len(s.text) && s.text[s.at] == '"' {
		return s.quoted()
	}
	from := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'E':
			s.at++
			continue
		}
		break
	}
	return string(s.text[from:s.at]), s.at > from
}
