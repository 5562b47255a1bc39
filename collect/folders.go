package collect

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// wellKnown are the folders that a rule can hide mail in, by the names Graph knows in every language.
// https://learn.microsoft.com/graph/api/resources/mailfolder
var wellKnown = []string{"archive", "conversationhistory", "deleteditems", "junkemail", "drafts", "sentitems", "outbox", "syncissues", "recoverableitemsdeletions"}

// folders finds out about the folders that rules move or copy mail to and that are not known yet: their names, and
// whether they are well-known ones. Where folders may not be read (Mail.ReadBasic is not granted) they stay unknown.
func (c *Collector) folders(ctx context.Context, owners []owner, lists [][]graph.MessageRule) ([]map[string]tocsin.Folder, error) {
	fresh := make([]map[string]tocsin.Folder, len(owners))
	if now := c.Store.Clock().Now(); now.UnixMilli() < c.noFolders.Load() {
		return fresh, nil
	}
	type question struct {
		owner int
		id    string // the folder's id, or
		known string // its well-known name
	}
	var asked []question
	var parts []graph.Part
	ask := func(q question) {
		id := q.id
		if q.known != "" {
			id = q.known
		}
		asked = append(asked, q)
		parts = append(parts, graph.Part{Call: "mailFolders.get", P: graph.P{"user": owners[q.owner].object, "folder": id}})
	}
	for i := range owners {
		unknown := map[string]bool{}
		for k := range lists[i] {
			for _, id := range []string{lists[i][k].Actions.MoveToFolder, lists[i][k].Actions.CopyToFolder} {
				if _, ok := owners[i].folders[id]; id != "" && !ok && !unknown[id] {
					unknown[id] = true
					ask(question{owner: i, id: id})
				}
			}
		}
		if len(unknown) > 0 {
			for _, name := range wellKnown {
				ask(question{owner: i, known: name})
			}
		}
	}
	if len(parts) == 0 {
		return fresh, nil
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		if stops(err) {
			return fresh, nil
		}
		return nil, err
	}
	names := make([]map[string]string, len(owners)) // id → well-known name
	for i, r := range results {
		q := asked[i]
		if d, ok := errors.AsType[*graph.Denied](r.Err); ok {
			if !d.OutOfScope {
				c.noFolders.Store(c.Store.Clock().Now().Add(time.Hour).UnixMilli())
			}
			continue
		}
		if _, ok := errors.AsType[*graph.NotFound](r.Err); ok {
			if q.id != "" {
				put(&fresh[q.owner], q.id, tocsin.Folder{ID: q.id, WellKnown: "none"}) // the rule names a folder that is gone
			}
			continue
		}
		if r.Err != nil {
			return nil, r.Err
		}
		var f graph.MailFolder
		if err := json.Unmarshal(r.Body, &f); err != nil {
			return nil, err
		}
		if q.known != "" {
			put(&names[q.owner], f.ID, q.known)
		} else {
			put(&fresh[q.owner], q.id, tocsin.Folder{ID: q.id, Name: f.DisplayName})
		}
	}
	for i := range fresh {
		for id, f := range fresh[i] {
			if f.WellKnown == "" && len(names[i]) > 0 {
				f.WellKnown = "none"
				if name := names[i][id]; name != "" {
					f.WellKnown = name
				}
				fresh[i][id] = f
			}
		}
	}
	return fresh, nil
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
