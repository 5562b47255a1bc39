package detect

import "time"

// Memory is what event rules note of the records before: a list of notes per kind and key, newest last. It is bounded:
// a key keeps its newest notes, and Trim drops what is too old to matter. The zero value is ready; it is for one
// reader at a time.
type Memory struct {
	notes map[noteKey][]Note
	undo  []undo // what was there before each change since Keep, oldest first
	keeps bool
	past  int // changes that Keep let go of
}

type noteKey struct{ kind, key string }

// undo is what a key held before it was changed.
type undo struct {
	noteKey
	was []Note
	had bool
}

// Note is one thing noted.
type Note struct {
	At    time.Time `json:"at"`
	ID    string    `json:"id,omitempty"`    // of the record
	Value string    `json:"value,omitempty"` // what was noted
}

// MaxNotes is how many notes a key keeps.
const MaxNotes = 4096

// Add notes n under a kind (the rule's own word) and a key (a person, an address, a pair).
func (m *Memory) Add(kind, key string, n Note) {
	if m.notes == nil {
		m.notes = map[noteKey][]Note{}
	}
	k := noteKey{kind, key}
	list := m.remember(k)
	if len(list) >= 2*MaxNotes { // amortised: the older half goes at once
		if m.keeps {
			list = append(make([]Note, 0, 2*MaxNotes), list[len(list)-MaxNotes:]...) // what is kept for going back stays as it is
		} else {
			list = append(list[:0], list[len(list)-MaxNotes:]...)
		}
	}
	m.notes[k] = append(list, n)
}

// remember gives what the key holds, and keeps it for going back.
func (m *Memory) remember(k noteKey) []Note {
	list, had := m.notes[k]
	if m.keeps {
		m.undo = append(m.undo, undo{k, list, had})
	}
	return list
}

// Mark is a point to which a memory can go back.
type Mark int

// Mark gives the point where the memory stands, and from then on it keeps what it needs for going back there.
func (m *Memory) Mark() Mark {
	m.keeps = true
	return Mark(m.past + len(m.undo))
}

// Back takes the memory to where it stood at the mark, as if nothing had been noted since; false where what that needs was
// let go of. Marks behind it are void.
func (m *Memory) Back(to Mark) bool {
	n := int(to) - m.past
	if n < 0 || n > len(m.undo) {
		return false
	}
	for i := len(m.undo) - 1; i >= n; i-- {
		u := m.undo[i]
		if u.had {
			m.notes[u.noteKey] = u.was
		} else {
			delete(m.notes, u.noteKey)
		}
	}
	clear(m.undo[n:])
	m.undo = m.undo[:n]
	return true
}

// LetGo keeps only what is needed for going back to the mark or behind it.
func (m *Memory) LetGo(before Mark) {
	n := int(before) - m.past
	if n <= 0 || n > len(m.undo) {
		return
	}
	m.undo = append([]undo(nil), m.undo[n:]...)
	m.past += n
}

// Since gives what was noted under kind and key at or after t, newest last. The slice is the memory's own: read only.
func (m *Memory) Since(kind, key string, t time.Time) []Note {
	list := m.notes[noteKey{kind, key}]
	from := len(list)
	for from > 0 && !list[from-1].At.Before(t) {
		from--
	}
	return list[from:]
}

// Last gives the newest note under kind and key.
func (m *Memory) Last(kind, key string) (Note, bool) {
	list := m.notes[noteKey{kind, key}]
	if len(list) == 0 {
		return Note{}, false
	}
	return list[len(list)-1], true
}

// Forget drops what was noted under kind and key.
func (m *Memory) Forget(kind, key string) {
	k := noteKey{kind, key}
	m.remember(k)
	delete(m.notes, k)
}

// Trim drops every note from before t.
func (m *Memory) Trim(t time.Time) {
	for k := range m.notes {
		kept := m.Since(k.kind, k.key, t)
		if len(kept) == len(m.notes[k]) {
			continue
		}
		m.remember(k)
		if len(kept) == 0 {
			delete(m.notes, k)
			continue
		}
		m.notes[k] = append([]Note(nil), kept...)
	}
}

// Distinct counts the different values among notes.
func Distinct(notes []Note) int {
	seen := make(map[string]struct{}, len(notes))
	for _, n := range notes {
		seen[n.Value] = struct{}{}
	}
	return len(seen)
}
