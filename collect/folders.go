package collect

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// wellKnown are the folders that a rule can hide mail in, by the names Graph knows in every language.
// https://learn.microsoft.com/graph/api/resources/mailfolder
var wellKnown = []string{"archive", "conversationhistory", "deleteditems", "junkemail", "outbox", "syncissues"}

// folders finds out about the folders that rules move or copy mail to and that are not known yet: their names, and
// whether they are well-known ones. Where folders may not be read (Mail.ReadBasic is not granted) they stay unknown, as
// do those of a mailbox that does not answer now: its rules are judged without, and asked about again with the next round.
func (c *Collector) folders(ctx context.Context, owners []owner, lists [][]graph.MessageRule) ([]map[string]tocsin.Folder, error) {
	questions, parts := unknownFolders(owners, lists)
	if len(parts) == 0 {
		return make([]map[string]tocsin.Folder, len(owners)), nil
	}
	all, one := c.noFolders.ask(c.Store.Clock().Now(), c.Every.OrDefault().Rules)
	if !all && !one {
		return make([]map[string]tocsin.Folder, len(owners)), nil
	}
	if one {
		n := slices.IndexFunc(questions, func(q folderQuestion) bool { return q.owner != questions[0].owner })
		if n > 0 {
			questions, parts = questions[:n], parts[:n]
		}
	}
	results, err := c.Graph.Batch(ctx, parts)
	if err != nil {
		return make([]map[string]tocsin.Folder, len(owners)), err
	}
	for _, r := range results {
		d, ok := errors.AsType[*graph.Denied](r.Err)
		if ok && !d.OutOfScope {
			c.noFolders.refused(r.Err, c.Store.Clock().Now())
			return resolve(questions, results, len(owners))
		}
	}
	if c.noFolders.answered(results) && one { // they may be read again
		return c.folders(ctx, owners, lists)
	}
	return resolve(questions, results, len(owners))
}

// folderRefusal is that folders may not be read. Then a single mailbox's are asked for now and then, so that a permission
// that was given since is found out.
type folderRefusal struct {
	mu    sync.Mutex
	why   error     // nil: they may be read, as far as is known
	asked time.Time // when they were last asked for
	met   bool      // in this round there was a folder to ask for
}

// ask says whether all folders are asked for, or those of one mailbox, to see whether they may be read by now.
func (f *folderRefusal) ask(now time.Time, every time.Duration) (all, one bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.met = true
	if f.why == nil {
		return true, false
	}
	if one = now.Sub(f.asked) >= every; one {
		f.asked = now
	}
	return false, one
}

func (f *folderRefusal) refused(why error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.why, f.asked = why, now
}

func (f *folderRefusal) answered(results []graph.Result) (yes bool) {
	if !slices.ContainsFunc(results, func(r graph.Result) bool { return r.Err == nil }) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.why = nil
	return true
}

// began begins a round, and ended gives what of it was refused: nothing where there was no folder to ask for.
func (f *folderRefusal) began() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.met = false
}

func (f *folderRefusal) ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why == nil || !f.met {
		return nil
	}
	return &partly{[]error{f.why}}
}

// folderQuestion is about a folder: by its id, or by its well-known name.
type folderQuestion struct {
	owner     int
	id, known string
}

func unknownFolders(owners []owner, lists [][]graph.MessageRule) (questions []folderQuestion, parts []graph.Part) {
	ask := func(owner int, id, known string) {
		questions = append(questions, folderQuestion{owner, id, known})
		parts = append(parts, graph.Part{Call: "mailFolders.get", P: graph.P{"user": owners[owner].object, "folder": id + known}})
	}
	for i := range owners {
		unknown := map[string]bool{}
		for k := range lists[i] {
			for _, id := range []string{lists[i][k].Actions.MoveToFolder, lists[i][k].Actions.CopyToFolder} {
				if _, ok := owners[i].folders[id]; id != "" && !ok && !unknown[id] {
					unknown[id] = true
					ask(i, id, "")
				}
			}
		}
		if len(unknown) == 0 {
			continue
		}
		for _, name := range wellKnown {
			ask(i, "", name)
		}
	}
	return questions, parts
}

// resolve puts the answers together, per owner by the folder's id. Of an owner whose questions were not all answered
// nothing is taken: a folder would be held for an ordinary one that is not.
func resolve(questions []folderQuestion, results []graph.Result, owners int) (fresh []map[string]tocsin.Folder, failed error) {
	fresh = make([]map[string]tocsin.Folder, owners)
	names := make([]map[string]string, owners) // id → well-known name
	open := make([]bool, owners)               // not all was answered
	for i, r := range results {
		q := questions[i]
		f, err := folderOf(q, r)
		if _, ok := errors.AsType[*graph.Denied](err); ok {
			open[q.owner] = true
			continue
		}
		switch {
		case err != nil:
			open[q.owner] = true
			failed = worst(failed, err)
		case q.known == "":
			put(&fresh[q.owner], q.id, f)
		case f.ID != "":
			put(&names[q.owner], f.ID, q.known)
		}
	}
	for i := range fresh {
		if open[i] {
			fresh[i] = nil
			continue
		}
		for id, f := range fresh[i] {
			f.WellKnown = "none"
			if name := names[i][id]; name != "" {
				f.WellKnown = name
			}
			fresh[i][id] = f
		}
	}
	return fresh, failed
}

// folderOf is the folder asked for. One that is not there has no name, or, by a well-known name, no id.
func folderOf(q folderQuestion, r graph.Result) (tocsin.Folder, error) {
	if _, ok := errors.AsType[*graph.NotFound](r.Err); ok {
		return tocsin.Folder{ID: q.id}, nil // of a rule that names a folder that is gone
	}
	if r.Err != nil {
		return tocsin.Folder{}, r.Err
	}
	var f graph.MailFolder
	if err := json.Unmarshal(r.Body, &f); err != nil {
		return tocsin.Folder{}, unread("mailFolders.get")
	}
	if q.known == "" {
		return tocsin.Folder{ID: q.id, Name: f.DisplayName}, nil
	}
	return tocsin.Folder{ID: f.ID}, nil
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
