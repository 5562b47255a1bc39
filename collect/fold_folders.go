package collect

import (
	"context"
	"slices"

	"tocsin.dev"
	"tocsin.dev/store"
)

// heldFolder is a folder as the table holds it. One that only a message named so far was seen never.
type heldFolder struct {
	folderSeen
	seen, deleted int64
}

// foldFolders compares folders with those held: what was made, renamed, moved and deleted is an event; a first look makes
// state only.
func (r *run) foldFolders(ctx context.Context, batch []pending[foldersSeen]) error {
	if len(batch) == 0 {
		return nil
	}
	held, err := r.heldFolders(ctx, batch)
	if err != nil {
		return err
	}
	users, err := r.users(ctx, ids(batch))
	if err != nil {
		return err
	}
	var rows, events [][]any
	for i := range batch {
		p := &batch[i]
		if _, known := users[p.person]; !known {
			continue // erased, or removed from the directory
		}
		had := held[p.person]
		tell := func(action string, was, is *heldFolder) error {
			if p.body.First {
				return nil
			}
			e, err := folderEvent(r.t.ID(), p.person, users[p.person], action, was, is, had, p.at)
			if err != nil {
				return err
			}
			body, err := encode(e)
			events = append(events, []any{e.EventID, p.at, e.EventType, action, string(p.person), string(body)})
			return err
		}
		keep := func(f *heldFolder, changed int64) {
			had[f.ID] = f
			rows = append(rows, []any{f.ID, string(p.person), f.Name, f.Parent, f.Known, f.Hidden, f.seen, changed, f.deleted})
		}
		fresh := p.body.Folders
		for k := range fresh { // those made together may stand below one another
			if _, ok := had[fresh[k].ID]; !ok {
				had[fresh[k].ID] = &heldFolder{folderSeen: folderSeen{ID: fresh[k].ID, Name: fresh[k].Name}}
			}
		}
		for k := range fresh {
			was := had[fresh[k].ID]
			is := &heldFolder{folderSeen: fresh[k], seen: p.at}
			if is.Known == "" {
				is.Known = was.Known
			}
			var happened []string
			switch {
			case was.seen == 0 || was.deleted > 0:
				happened = []string{"folder_created"}
			case is.folderSeen == was.folderSeen:
				continue
			default:
				if is.Name != was.Name {
					happened = append(happened, "folder_renamed")
				}
				if is.Parent != was.Parent {
					happened = append(happened, "folder_moved")
				}
			}
			keep(is, p.at)
			for _, action := range happened {
				if err := tell(action, was, is); err != nil {
					return err
				}
			}
		}
		for _, id := range p.body.Gone {
			was := had[id]
			if was == nil || was.deleted > 0 {
				continue
			}
			is := *was
			is.deleted = p.at
			keep(&is, p.at)
			if was.seen == 0 {
				continue // only a message had named it
			}
			if err := tell("folder_deleted", was, &is); err != nil {
				return err
			}
		}
		if err := r.lookedAtFolders(ctx, p); err != nil {
			return err
		}
	}
	if err := r.t.Insert(ctx, store.Into{Table: "mail_folder", Key: []string{"id", "person"}, Columns: []string{"id", "person", "name", "parent", "known", "hidden", "seen", "changed", "deleted"}}, rows); err != nil {
		return err
	}
	if len(events) > 0 {
		r.touched["folder.changed"] += len(events)
	}
	return r.t.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, events)
}

// lookedAtFolders notes where the next look at a mailbox's folders begins.
func (r *run) lookedAtFolders(ctx context.Context, p *pending[foldersSeen]) error {
	if !p.body.Last {
		return nil
	}
	_, err := r.t.Exec(ctx, `update folder_look set token = $3, whole = case when whole = 0 then cast($4 as bigint) else whole end, hidden = case when $5 then cast($4 as bigint) else hidden end
		where tenant = $1 and person = $2`, string(p.person), p.body.Token, p.at, p.body.Hidden)
	return err
}

// heldFolders are those that a batch names, and those above them.
func (r *run) heldFolders(ctx context.Context, batch []pending[foldersSeen]) (map[tocsin.PersonID]map[string]*heldFolder, error) {
	out, named := map[tocsin.PersonID]map[string]*heldFolder{}, map[string]bool{}
	for i := range batch {
		out[batch[i].person] = map[string]*heldFolder{}
		for _, f := range batch[i].body.Folders {
			named[f.ID], named[f.Parent] = true, true
		}
		for _, id := range batch[i].body.Gone {
			named[id] = true
		}
	}
	delete(named, "")
	for range 2 { // what is gone or moved is told of with the folder that was above it
		err := r.some(ctx, sortedKeys(named), func(scan func(...any) error) error {
			var person tocsin.PersonID
			var f heldFolder
			err := scan(&person, &f.ID, &f.Name, &f.Parent, &f.Known, &f.Hidden, &f.seen, &f.deleted)
			if of := out[person]; of != nil {
				of[f.ID] = &f
			}
			return err
		}, func(in string) string {
			return `select person, id, name, parent, known, hidden, seen, deleted from mail_folder where tenant = $1 and id in (` + in + `)`
		})
		if err != nil {
			return nil, err
		}
		above := map[string]bool{}
		for _, of := range out {
			for _, f := range of {
				if f.Parent != "" && !named[f.Parent] {
					above[f.Parent] = true
				}
			}
		}
		if named = above; len(named) == 0 {
			break
		}
	}
	return out, nil
}

type folderPayload struct {
	EventID  string  `json:"event_id"`
	User     *string `json:"user"`
	Action   string  `json:"action"`
	ID       string  `json:"folder_id"`
	Name     *string `json:"folder_name"`
	Parent   *string `json:"parent_folder_name"`
	Hidden   bool    `json:"is_hidden"`
	WasName  *string `json:"previous_folder_name,omitempty"`
	WasUnder *string `json:"previous_parent_folder_name,omitempty"`
}

type folderRaw struct {
	ID        string  `json:"platform_event_id"`
	Change    string  `json:"change_type"`
	Parent    *string `json:"parent_folder_id"`
	WasParent *string `json:"previous_parent_folder_id,omitempty"`
	Known     *string `json:"well_known_name"`
	Platform  string  `json:"source_platform"`
}

// folderEvent is the outward event of a folder's change. Graph does not say when that was: the time is when we saw it.
func folderEvent(tenant tocsin.TenantID, person tocsin.PersonID, user, action string, was, is *heldFolder, all map[string]*heldFolder, at int64) (tocsin.Event, error) {
	name := func(id string) *string {
		if f := all[id]; f != nil {
			return known(f.Name)
		}
		return nil
	}
	in := folderPayload{EventID: is.ID, User: known(user), Action: action, ID: is.ID, Name: known(is.Name), Parent: name(is.Parent), Hidden: is.Hidden}
	raw := folderRaw{ID: is.ID, Change: map[string]string{"folder_created": "created", "folder_deleted": "deleted"}[action], Parent: known(is.Parent), Known: known(is.Known), Platform: "microsoft_outlook"}
	if raw.Change == "" {
		raw.Change = "updated"
	}
	if slices.Contains([]string{"folder_renamed", "folder_moved"}, action) {
		in.WasName, in.WasUnder, raw.WasParent = known(was.Name), name(was.Parent), known(was.Parent)
	}
	payload, err := encode(in)
	if err != nil {
		return tocsin.Event{}, err
	}
	meta, err := encode(raw)
	if err != nil {
		return tocsin.Event{}, err
	}
	return tocsin.Event{EventID: tocsin.NewEventID(tenant, string(person), is.ID, action, timeKey(at)), EventType: "FOLDER", Source: "OUTLOOK", SignalType: "COMMUNICATIONS", DomainID: tenant, TUID: person,
		Timestamp: tocsin.FromMillis(at), Payload: payload, RawMetadata: meta, PlatformEventID: is.ID, PlatformEventSource: "MICROSOFT_GRAPH_OUTLOOK_API"}, nil
}

// named notes the folders that messages are in and that nobody has looked at yet, and makes the mailboxes' folders due.
func (f *mailFold) named(ctx context.Context) error {
	if err := f.counted(ctx); err != nil {
		return err
	}
	if err := f.sang(ctx); err != nil {
		return err
	}
	if len(f.means.unnamed) == 0 {
		return nil
	}
	now := tocsin.Millis(f.t.Tx().Clock().Now())
	var rows [][]any
	people := map[string]bool{}
	for id, person := range f.means.unnamed {
		rows = append(rows, []any{id, string(person), "", 0})
		people[string(person)] = true
	}
	if err := f.t.Insert(ctx, store.Into{Table: "mail_folder", Key: []string{"id", "person"}, Keep: []string{"name", "seen"}, Columns: []string{"id", "person", "name", "seen"}}, rows); err != nil {
		return err
	}
	for part := range slices.Chunk(sortedKeys(people), 400) {
		if _, err := f.t.Exec(ctx, `update folder_look set due = $2 where tenant = $1 and due > $2 and tries = 0 and person in (`+store.In(len(part), 3)+`)`, append([]any{now}, anys(part)...)...); err != nil {
			return err
		}
	}
	_, err := f.t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'mail_folders' and due > 0`)
	return err
}
