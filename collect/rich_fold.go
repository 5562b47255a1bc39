package collect

import (
	"slices"

	"tocsin.dev"
)

// doubtful says whether a look is passed over, since it is none: what Graph sends of a message is how it was when Graph wrote
// that, and may come late; so may what stood in a list that was read beside the stream, and what is folded a second time. It is
// taken in where it is certainly newer than what is held, and passed over where it is older; where it may be either, the message
// is looked at, as one that could not be looked at before.
func (f *mailFold) doubtful(person tocsin.PersonID, body *mailLooks, l *mailLook, at int64) bool {
	had := f.held[person][l.key]
	if !l.Rich && body.Gap == nil && !body.Again || l.Message == nil || had == nil || !l.Message.mayBeOlder(had) {
		return false
	}
	if !slices.ContainsFunc(body.Parked, func(w wait) bool { return w.ID == l.ID }) {
		body.Parked = append(body.Parked, wait{ID: l.ID, Change: l.Change, At: l.At, Because: doubt(l), Retry: at})
	}
	return true
}

// doubt is why a message is looked at again.
func doubt(l *mailLook) string {
	if l.Rich {
		return "What Microsoft Graph sent of it may be older than what is known."
	}
	return "How it was found may be older than what is known."
}

// mayBeOlder says whether it cannot be told which is newer. Graph's times are in whole seconds; and what is held to be gone may
// only seem to be back.
func (m *mailSeen) mayBeOlder(had *mailHeld) bool {
	if had.deleted > 0 {
		return true
	}
	return m.Modified == had.modified &&
		(m.Folder != had.folder || m.Read != had.read || m.Draft != had.draft || m.Flag != had.flag || m.rest() != had.rest || lastVerb(had, m) != had.verb)
}
