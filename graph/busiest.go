package graph

// busiest remembers which mailboxes were used most of late, so that one can be told without looking through 100,000. It may
// miss one that was passed by others which have since become quiet, until it is used again.
type busiest struct {
	seen [8]struct {
		key  boxKey
		used int
	}
	notes uint8
}

// note says that a mailbox has used so much; now tells what one uses at present, of those whose standing has grown old.
func (t *busiest) note(key boxKey, used int, now func(boxKey) int) {
	least := 0
	for i := range t.seen {
		if t.seen[i].key == key {
			t.seen[i].used = used
			return
		}
		if t.seen[i].used < t.seen[least].used {
			least = i
		}
	}
	if t.notes++; t.notes == 0 {
		t.refresh(now)
	}
	if used > t.seen[least].used {
		t.seen[least].key, t.seen[least].used = key, used
	}
}

func (t *busiest) refresh(now func(boxKey) int) {
	for i := range t.seen {
		if t.seen[i].key != (boxKey{}) {
			t.seen[i].used = now(t.seen[i].key)
		}
	}
}

// top is the busiest at present.
func (t *busiest) top(now func(boxKey) int) (key boxKey, used int) {
	t.refresh(now)
	for _, s := range t.seen {
		if s.used > used {
			key, used = s.key, s.used
		}
	}
	return key, used
}
