package sim

import (
	"fmt"
	"strings"
	"time"
)

// What can be done with a folder of a mailbox.
const (
	FolderCreated = "created" // to is the folder above it, "" the root
	FolderRenamed = "renamed" // to is its new name
	FolderMoved   = "moved"   // to is the folder above it from now on
	FolderHidden  = "hidden"
	FolderDeleted = "deleted" // for good, with what is below it
)

// ChangeFolder lets a mailbox's owner do something with a folder, which is given by its name, as is the one it goes to. It
// gives the folder's id.
func (s *Sim) ChangeFolder(mailbox, what, name, to string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(mailbox)
	if p == nil || !p.hasBox() {
		return "", fmt.Errorf("there is no mailbox %s", mailbox)
	}
	b := s.world.open(p)
	named := func(name string) int {
		for i := range b.folders {
			if f := &b.folders[i]; !f.gone && (strings.EqualFold(f.name, name) || f.wellKnown != "" && f.wellKnown == name) {
				return i
			}
		}
		return -1
	}
	n, above := named(name), rootFolder
	if to != "" && what != FolderRenamed {
		above = named(to)
	}
	if above < 0 || n < 0 && what != FolderCreated {
		return "", fmt.Errorf("%s has no folder %q or %q", mailbox, name, to)
	}
	if what == FolderCreated {
		n = len(b.folders)
	}
	id := s.world.folderID(p.i, n)
	if err := s.tell(Truth{Change: "folder." + what, Mailbox: p.mail, Person: p.id, ID: id, By: "test", Time: s.clock.Now().Truncate(time.Second)}); err != nil {
		return "", err
	}
	change := "updated"
	switch what {
	case FolderCreated:
		b.folders = append(b.folders, folder{n: n, parent: above, name: name, added: true})
		change = "created"
	case FolderRenamed:
		b.folders[n].name = to
	case FolderMoved:
		b.folders[n].parent = above
	case FolderHidden:
		b.folders[n].hidden = true
	case FolderDeleted:
		b.drop(n)
		return id, nil
	default:
		return "", fmt.Errorf("nobody can do %q with a folder", what)
	}
	b.note(boxChange{folder: n, what: change})
	return id, nil
}

// drop deletes a folder and all below it.
func (b *mailbox) drop(n int) {
	b.folders[n].gone = true
	b.note(boxChange{folder: n, what: "deleted"})
	for i := range b.folders {
		if b.folders[i].parent == n && !b.folders[i].gone {
			b.drop(i)
		}
	}
}
