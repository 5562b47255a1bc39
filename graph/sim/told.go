package sim

import (
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev/story"
)

// Told is what Microsoft's logs tell of a story that happens in a small world of its own: records of the unified audit log, sign-ins and
// changes of the directory, as Microsoft gives them, each log in the order of time. An act that cannot happen is an error.
func Told(st *story.Story) ([]json.RawMessage, error) {
	s, err := New(Config{Users: 1, Seed: 1, Quiet: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // nothing of it was written anywhere
	if err := s.Play(st); err != nil {
		return nil, err
	}
	if failed := s.Failed(); len(failed) > 0 {
		return nil, errors.New(strings.Join(failed, "; "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []json.RawMessage
	for _, r := range s.feed.records {
		out = append(out, r.text)
	}
	for _, si := range s.reports.signIns {
		out = append(out, appendObject(nil, si.object(s.cfg.Tenant, true)))
	}
	for _, c := range s.reports.changes {
		out = append(out, appendObject(nil, c.o))
	}
	return out, nil
}
