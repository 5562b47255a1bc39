package posture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Snapshot is a tenant's state at a moment: Graph's own objects by the path that lists them, such as "/users". A path of a single
// object has one element. Paths are told apart without regard to case, version and leading stroke.
type Snapshot struct {
	Taken       time.Time                    `json:"taken,omitzero"`
	Tenant      Tenant                       `json:"tenant"`
	Collections map[string][]json.RawMessage `json:"collections"`
	Read        map[string]time.Time         `json:"read,omitempty"`    // when a collection was read, where that was not when the snapshot was taken
	Missing     map[string]Missing           `json:"missing,omitempty"` // why a path is not among the collections, or could not be read again

	// Load gives the objects of a path that is among the collections, when they are looked at; nil where they stand there.
	Load func(path string) ([]json.RawMessage, error) `json:"-"`
}

// Tenant is whose state it is.
type Tenant struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
}

// Missing says why a collection is not there, or why it could not be read again.
type Missing struct {
	Reason Reason `json:"reason"`
	Why    string `json:"why,omitempty"` // a sentence
}

// Reason is why a check could not be judged.
type Reason string

// The reasons.
const (
	Permission   Reason = "permission"    // ours may not read it
	Licence      Reason = "licence"       // the tenant has not what it is part of
	NotCollected Reason = "not_collected" // nobody has looked yet
	Undecided    Reason = "undecided"     // what was collected does not tell
)

// errForm says that a file is no snapshot.
var errForm = errors.New(`there is no "collections" in it`)

// maxSnapshot is the largest snapshot that is read, in bytes: about 300,000 persons.
const maxSnapshot = 1 << 30

// Read reads a snapshot, or what CISA's ScubaGear exports. A collection may be an object in place of a list with one, as exports of single settings are.
func Read(r io.Reader) (*Snapshot, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSnapshot {
		return nil, errors.New("it is larger than 1 GB")
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var in struct {
		Taken       time.Time                  `json:"taken"`
		Tenant      Tenant                     `json:"tenant"`
		Collections map[string]json.RawMessage `json:"collections"`
		Read        map[string]time.Time       `json:"read"`
		Missing     map[string]Missing         `json:"missing"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, err
	}
	if in.Collections == nil {
		if bytes.Contains(text, []byte(`"conditional_access_policies"`)) {
			return fromScuba(text)
		}
		return nil, errForm
	}
	s := &Snapshot{Taken: in.Taken, Tenant: in.Tenant, Read: in.Read, Missing: in.Missing, Collections: make(map[string][]json.RawMessage, len(in.Collections))}
	for path, body := range in.Collections {
		list, err := elements(body)
		if err != nil {
			return nil, errors.New(path + " is neither a list nor an object")
		}
		s.Collections[path] = list
	}
	return s, nil
}

// elements are the objects of a collection: a list, Graph's answer with the list in "value", or a single object.
func elements(body json.RawMessage) ([]json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(body, []byte("[")):
		list := []json.RawMessage{}
		err := json.Unmarshal(body, &list)
		return slices.DeleteFunc(list, func(one json.RawMessage) bool { return string(one) == "null" }), err
	case bytes.HasPrefix(body, []byte("{")):
		var answer struct {
			Context string            `json:"@odata.context"`
			Value   []json.RawMessage `json:"value"`
		}
		if json.Unmarshal(body, &answer) == nil && answer.Value != nil {
			return answer.Value, nil
		}
		return []json.RawMessage{body}, nil
	case string(body) == "null":
		return []json.RawMessage{}, nil
	}
	return nil, errForm
}

// key is a path as it is told apart: without host, version, query and strokes around it, in lower case.
func key(path string) string {
	if u, err := url.Parse(path); err == nil {
		path = u.Path
	}
	path = strings.ToLower(strings.Trim(path, "/ "))
	for _, version := range []string{"v1.0/", "beta/"} {
		path = strings.TrimPrefix(path, version)
	}
	return path
}
