package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// MessageState is what a message has come to, by which a receiver's picture is held against the truth.
type MessageState struct {
	ID     string `json:"id"`     // the immutable one
	Folder string `json:"folder"` // its id
	IsRead bool   `json:"isRead"`
	Flag   string `json:"flag"` // notFlagged, flagged, complete; with the days it was set to begin, to be done by and was done, where it was
	Draft  bool   `json:"isDraft"`
	Marks  string `json:"categories,omitempty"` // joined by commas
	Etag   string `json:"etag"`
}

// Messages are the messages that a mailbox holds, by id.
func (s *Sim) Messages(mailbox string) ([]MessageState, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.world.find(mailbox)
	if p == nil || !p.hasBox() {
		return nil, fmt.Errorf("sim: there is no mailbox %q", mailbox)
	}
	return s.states(p), nil
}

func (s *Sim) states(p *person) []MessageState {
	out := []MessageState{}
	for _, m := range s.world.look(p).messages {
		if !m.gone {
			out = append(out, MessageState{ID: s.world.messageID(p.i, m, true), Folder: s.world.folderID(p.i, m.folder), IsRead: m.read, Flag: m.flagState(), Draft: m.draft, Marks: strings.Join(m.categories, ","),
				Etag: `W/"` + string(appendChangeKey(nil, m)) + `"`})
		}
	}
	slices.SortFunc(out, func(a, b MessageState) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// MailDigest is DigestOf the messages of every mailbox in which anything happened, by address.
func (s *Sim) MailDigest() map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string]string{}
	for i := range s.world.boxes {
		if p := s.world.person(i); p != nil && p.hasBox() {
			out[strings.ToLower(p.mail)] = DigestOf(s.states(p))
		}
	}
	return out
}

// DigestOf is a hash of id, folder, isRead, flag and categories of messages in the order of their ids: 16 bytes of the SHA-256
// of lines "id folder true|false flag[ categories]", in hexadecimal.
func DigestOf(list []MessageState) string {
	h := sha256.New()
	for _, m := range list {
		io.WriteString(h, m.ID+" "+m.Folder+" "+strconv.FormatBool(m.IsRead)+" "+m.Flag)
		if m.Marks != "" {
			io.WriteString(h, " "+m.Marks)
		}
		io.WriteString(h, "\n")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
