package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// boxes are the mailboxes that are acted on, with what was looked up of each once.
type boxes struct {
	mu  sync.Mutex
	all map[boxKey]*box
}

type boxKey struct {
	tenant             tocsin.TenantID
	connection, object string
}

// box is a mailbox.
type box struct {
	user string

	mu       sync.Mutex
	folders  map[string]string // ids by well-known names and by ours
	category bool              // ours is on its list, or the list cannot be written
}

func (b *boxes) of(tenant tocsin.TenantID, connection, object string) *box {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := boxKey{tenant, connection, object}
	if b.all == nil {
		b.all = map[boxKey]*box{}
	}
	if b.all[k] == nil {
		b.all[k] = &box{user: object, folders: map[string]string{}}
	}
	return b.all[k]
}

// forget drops what is known of a tenant's mailboxes.
func (b *boxes) forget(tenant tocsin.TenantID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.all {
		if k.tenant == tenant {
			delete(b.all, k)
		}
	}
}

// drop forgets a folder: it is not there any more.
func (b *box) drop(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.folders, name)
}

// folder is the id of a folder by its well-known name, or of our own by its name, which is made where it is missing.
func (b *box) folder(ctx context.Context, gc *graph.Client, name string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id := b.folders[name]; id != "" {
		return id, nil
	}
	var id string
	var err error
	if name == QuarantineFolder {
		id, err = b.own(ctx, gc)
	} else {
		var f struct{ ID string }
		err = gc.Get(ctx, "mailFolders.get", graph.P{"user": b.user, "folder": name}, &f)
		id = f.ID
	}
	if err == nil {
		b.folders[name] = id
	}
	return id, err
}

// own is the id of our folder. It is hidden; two that make it at once are kept apart by mu, and one made without an answer is
// found the next time.
func (b *box) own(ctx context.Context, gc *graph.Client) (string, error) {
	for f, err := range graph.Pages[struct{ ID, DisplayName string }](ctx, gc, "mailFolders.find", graph.P{"user": b.user, "includeHiddenFolders": "true", "$filter": "displayName eq '" + QuarantineFolder + "'"}) {
		if err != nil {
			return "", err
		}
		if f.DisplayName == QuarantineFolder {
			return f.ID, nil
		}
	}
	var made struct{ ID string }
	err := gc.Act(ctx, "mailFolders.create", graph.P{"user": b.user}, map[string]any{"displayName": QuarantineFolder, "isHidden": true}, &made)
	return made.ID, err
}

// colour puts our category on the mailbox's list, where it is missing. Where that is not granted the category has no colour, and
// is on the message all the same.
func (b *box) colour(ctx context.Context, gc *graph.Client) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.category {
		return nil
	}
	for c, err := range graph.Pages[struct{ DisplayName string }](ctx, gc, "masterCategories.list", graph.P{"user": b.user}) {
		if refusedHere(err) {
			b.category = true
			return nil
		}
		if err != nil {
			return err
		}
		if strings.EqualFold(c.DisplayName, WarnCategory) {
			b.category = true
			return nil
		}
	}
	err := gc.Act(ctx, "masterCategories.create", graph.P{"user": b.user}, map[string]any{"displayName": WarnCategory, "color": WarnColour}, nil)
	if refusedHere(err) { // or it is there already, made by a try without an answer
		err = nil
	}
	b.category = err == nil
	return err
}

// refusedHere says whether Microsoft said no to what one can do without.
func refusedHere(err error) bool { return is[*graph.Denied](err) || is[*graph.Failed](err) }

func is[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }

// look reads a message as it is now; nil where it is not there.
func look(ctx context.Context, gc *graph.Client, user, id string) (*MailState, error) {
	var m answered
	err := gc.Get(ctx, "messages.state", graph.P{"user": user, "message": id}, &m)
	if noSuchItem(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.state(), nil
}

// answered is a message, as far as an act looks at it.
type answered struct {
	ID, ParentFolderID, ChangeKey string
	IsRead                        bool
	Flag                          json.RawMessage
	Categories                    []string
}

func (m *answered) state() *MailState {
	s := &MailState{ID: m.ID, Folder: m.ParentFolderID, Read: m.IsRead, Flag: m.Flag, Categories: m.Categories, ChangeKey: m.ChangeKey}
	if s.Categories == nil {
		s.Categories = []string{}
	}
	return s
}

// noSuchItem says whether a message or folder is not there, though its mailbox is.
func noSuchItem(err error) bool {
	e, ok := errors.AsType[*graph.NotFound](err)
	return ok && !slices.Contains([]string{"Request_ResourceNotFound", "ResourceNotFound"}, e.Code)
}

// same says whether two flags are one: Microsoft writes their members in one order, but for none where there is none.
func same(a, b json.RawMessage) bool {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return len(a) == 0 && len(b) == 0
	}
	for _, m := range []map[string]any{x, y} {
		for k, v := range m {
			if v == nil || strings.HasPrefix(k, "@") || v == "notFlagged" {
				delete(m, k)
			}
		}
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

// equal says whether two states are one: folder, read, flag and categories.
func (s *MailState) equal(o *MailState) bool {
	return s.Folder == o.Folder && s.Read == o.Read && same(s.Flag, o.Flag) && slices.Equal(s.Categories, o.Categories)
}
