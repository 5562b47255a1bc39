package collect

import (
	"context"
	"slices"

	"tocsin.dev"
)

// What Graph sends of a message is how it was when Graph wrote that, and may come late; a look says how it is. So what was sent is
// taken in where it is certainly newer than what is held; where it may be older it is looked instead.

// gone reads which of the messages that were sent are known to have been gone before anything was heard of them.
func (f *mailFold) loadGone(ctx context.Context, batch []pending[mailLooks]) error {
	keys := map[string]bool{}
	for i := range batch {
		for _, l := range batch[i].body.Looks {
			if key := mailKey(l.ID); l.Rich && f.held[batch[i].person][key] == nil {
				keys[key] = true
			}
		}
	}
	return f.some(ctx, sortedKeys(keys), func(scan func(...any) error) error {
		var person, key string
		err := scan(&person, &key)
		put(&f.gone, goneKey(person, key), true)
		return err
	}, func(in string) string {
		return `select person, key from mail_gone where tenant = $1 and key in (` + in + `)`
	})
}

func goneKey(person, key string) string { return person + "/" + key }

// doubtful says whether a look is passed over: it is of a message that was sent, and may be older than what is held of it, so
// the message is looked at. It notes those that are gone before anything was heard of them.
func (f *mailFold) doubtful(person tocsin.PersonID, body *mailLooks, l *mailLook, at int64) bool {
	if !body.Rich {
		return false
	}
	key := mailKey(l.ID)
	had, mark := f.held[person][key], goneKey(string(person), key)
	if l.Message == nil && had == nil && !f.gone[mark] {
		put(&f.gone, mark, true)
		f.gones = append(f.gones, []any{string(person), key, l.At})
	}
	if !l.Rich || !l.Message.older(had, f.gone[mark]) {
		return false
	}
	if !slices.ContainsFunc(body.Parked, func(w wait) bool { return w.ID == l.ID }) {
		body.Parked = append(body.Parked, wait{ID: l.ID, Change: l.Change, At: l.At, Because: "What Microsoft Graph sent of it may be older than what is known.", Retry: at})
	}
	return true
}

// older says whether a message may be older than what is held of it. Times are in seconds; and one that is gone may only seem
// to be back.
func (is *mailSeen) older(had *mailHeld, gone bool) bool {
	switch {
	case had == nil:
		return gone
	case had.deleted > 0:
		return true
	case is.Modified != had.modified:
		return false
	}
	return is.Folder != had.folder || is.Read != had.read || is.Draft != had.draft || is.Flag != had.flag || is.rest() != had.rest || lastVerb(had, is) != had.verb
}
