package graph

import (
	"strings"
	"unsafe"
)

// scanNotifications reads the form that nearly every POST has, at a tenth of what encoding/json takes: members in the
// spelling Graph uses, strings of ASCII, nothing encrypted. What it gives is what encoding/json would; false where
// that has to say. Its strings are body's memory: a post's are read, and copied into the journal, before the next takes its place.
func scanNotifications(body []byte) (n Notifications, ok bool) {
	s := scanner{text: unsafe.String(unsafe.SliceData(body), len(body))}
	if !s.take('{') || s.word() != "value" || !s.take(':') || !s.take('[') {
		return n, false
	}
	n.Value = make([]Notification, 0, min(1000, 1+len(body)/700)) // Graph's are longer: there is room for all at once
	for {
		if len(n.Value) == mostNotifications {
			return Notifications{}, false
		}
		n.Value = append(n.Value, Notification{})
		if !s.notification(&n.Value[len(n.Value)-1]) {
			return Notifications{}, false
		}
		if !s.take(',') {
			break
		}
	}
	if !s.take(']') || !s.take('}') || s.next() != 0 || s.failed {
		return Notifications{}, false
	}
	return n, true
}

// scanner walks over JSON text. Where something is not as expected it fails, and stays so.
type scanner struct {
	text   string
	at     int
	failed bool
}

// next is the byte that comes after white space; 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\n', '\r', '\t':
			s.at++
		case 0:
			s.failed = true
			return 1
		default:
			return c
		}
	}
	return 0
}

// take passes over c; false where something else stands there.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// word is the string that comes. Of escapes it knows those of the quotes that stand in every etag.
func (s *scanner) word() string {
	if !s.take('"') {
		s.failed = true
		return ""
	}
	var room [128]byte
	before := room[:0]
	for i := s.at; ; i++ {
		i += PlainRun(s.text[i:])
		switch {
		case i == len(s.text):
			s.failed = true
			return ""
		case s.text[i] == '"':
			w := s.text[s.at:i]
			s.at = i + 1
			if len(before) > 0 {
				w = string(append(before, w...))
			}
			return w
		case s.text[i] == '\\' && i+1 < len(s.text) && (s.text[i+1] == '"' || s.text[i+1] == '\\' || s.text[i+1] == '/'):
			before = append(before, s.text[s.at:i]...)
			i++
			s.at = i // the escaped byte stands for itself
		default:
			s.failed = true
			return ""
		}
	}
}

// into reads a string, or null, which leaves what is there.
func (s *scanner) into(to *string) {
	if s.next() == 'n' && strings.HasPrefix(s.text[s.at:], "null") {
		s.at += len("null")
		return
	}
	*to = s.word()
}

// object reads an object, of which member reads a value by its name.
func (s *scanner) object(member func(name string)) bool {
	if !s.take('{') {
		return false
	}
	for !s.failed {
		name := s.word()
		if !s.take(':') {
			return false
		}
		member(name)
		if !s.take(',') {
			break
		}
	}
	return s.take('}') && !s.failed
}

func (s *scanner) notification(n *Notification) bool {
	var ignored string
	return s.object(func(name string) {
		switch name {
		case "subscriptionId":
			s.into(&n.SubscriptionID)
		case "tenantId":
			s.into(&n.TenantID)
		case "clientState":
			s.into(&n.ClientState)
		case "changeType":
			s.into(&n.ChangeType)
		case "lifecycleEvent":
			s.into(&n.Lifecycle)
		case "resource":
			s.into(&n.Resource)
		case "resourceData":
			if !s.resource(&n.ResourceData) {
				s.failed = true
			}
		case "organizationId":
			s.into(&n.Organization)
		case "id", "subscriptionExpirationDateTime":
			s.into(&ignored)
		default:
			s.failed = true // encoding/json may know it in another spelling
		}
	})
}

func (s *scanner) resource(d *ResourceData) bool {
	var ignored string
	return s.object(func(name string) {
		switch name {
		case "id":
			s.into(&d.ID)
		case "@odata.etag":
			s.into(&d.Etag)
		case "@odata.type", "@odata.id":
			s.into(&ignored)
		default:
			s.failed = true
		}
	})
}
