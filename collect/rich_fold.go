package collect

import (
	"slices"

	"tocsin.dev"
)

// doubtful says whether a look is passed over, since it is none: what Graph sends of a message is how it was when Graph wrote
// that, and may come late. It is taken in where it is certainly newer than what is held, and passed over where it is older;
// where it may be either, the message is looked at, as one that could not be looked at before.
func (f *mailFold) doubtful(person tocsin.PersonID, body *mailLooks, l *mailLook, at int64) bool {
	had := f.held[person][l.key]
	if !l.Rich || had == nil || !l.Message.mayBeOlder(had) {
		return false
	}
	if !slices.ContainsFunc(body.Parked, func(w wait) bool { return w.ID == l.ID }) {
		body.Parked = append(body.Parked, wait{ID: l.ID, Change: l.Change, At: l.At, Because: "What Microsoft Graph sent of it may be older than what is known.", Retry: at})
	}
	return true
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
