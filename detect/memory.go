package detect

import "time"

// Memory is what event rules note of the records before: a list of notes per kind and key, newest last. It is bounded:
// a key keeps its newest notes, and Trim drops what is too old to matter. The zero value is ready; it is for one
// reader at a time.
type Memory struct {
	notes map[noteKey][]Note
}

type noteKey struct{ kind, key string }

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
	list := m.notes[k]
	if len(list) >= 2*MaxNotes { // amortised: the older half goes at once
		list = append(list[:0], list[len(list)-MaxNotes:]...)
	}
	m.notes[k] = append(list, n)
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
func (m *Memory) Forget(kind, key string) { delete(m.notes, noteKey{kind, key}) }

// Trim drops every note from before t.
func (m *Memory) Trim(t time.Time) {
	for k := range m.notes {
		kept := m.Since(k.kind, k.key, t)
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
