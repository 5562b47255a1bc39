package investigate

import (
	"context"
	"sync"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// folderNames are the names of mailboxes' folders, by person and id.
type folderNames struct {
	mu    sync.Mutex
	known map[tocsin.PersonID]map[string]string
}

func (n *folderNames) get(person tocsin.PersonID, id string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.known[person][id]
	return name, ok
}

func (n *folderNames) put(person tocsin.PersonID, id, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = map[tocsin.PersonID]map[string]string{}
	}
	if n.known[person] == nil {
		n.known[person] = map[string]string{}
	}
	n.known[person][id] = name
}

// nameFolders puts the names of their folders to what was found: those that are kept, and the others as Graph gives them. A folder whose
// name cannot be read stays without.
func (h *hunt) nameFolders(ctx context.Context, tasks []*task, calls *counter) error {
	type asked struct {
		k  *task
		id string
	}
	var open []asked
	seen := map[string]bool{}
	for _, k := range tasks {
		for i := range k.found {
			m := &k.found[i]
			if m.FolderName != "" || m.Folder == "" {
				continue
			}
			if name, ok := h.names.get(k.Person, m.Folder); ok {
				m.FolderName = name
			} else if key := string(k.Person) + m.Folder; !seen[key] {
				seen[key] = true
				open = append(open, asked{k, m.Folder})
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	err := h.Store.ViewTenant(ctx, h.tenant, func(t *store.Tenant) error {
		for some := open; len(some) > 0; {
			part := some[:min(len(some), 200)]
			some = some[len(part):]
			var args []any
			for _, a := range part {
				args = append(args, a.id, string(a.k.Person))
			}
			rows, err := t.Query(ctx, `select person, id, name from mail_folder where tenant = $1 and (id, person) in (values `+store.Pairs(len(part), 2)+`)`, args...)
			if err != nil {
				return err
			}
			for rows.Next() {
				var person tocsin.PersonID
				var id, name string
				if err := rows.Scan(&person, &id, &name); err != nil {
					rows.Close()
					return err
				}
				h.names.put(person, id, name)
			}
			rows.Close()
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var parts []graph.Part
	var of []asked
	for _, a := range open {
		if _, ok := h.names.get(a.k.Person, a.id); !ok {
			parts, of = append(parts, graph.Part{Call: "mailFolders.get", P: graph.P{"user": a.k.Object, "folder": a.id}}), append(of, a)
		}
	}
	if len(parts) > 0 {
		results, err := h.way.Graph.Batch(ctx, parts)
		calls.add(len(parts))
		if err != nil {
			return err
		}
		for i, r := range results {
			var f graph.MailFolder
			if r.Err == nil && decode(r, &f) == nil {
				h.names.put(of[i].k.Person, of[i].id, f.DisplayName)
			}
		}
	}
	for _, k := range tasks {
		for i := range k.found {
			if m := &k.found[i]; m.FolderName == "" {
				m.FolderName, _ = h.names.get(k.Person, m.Folder)
			}
		}
	}
	return nil
}
