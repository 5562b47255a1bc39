package collect

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// rightsSeen is the body of an item of kind "rights": a change that a source told of, or a look at all there is of some
// kinds. The item's person is the mailbox's; where a source knows no more than a name, the person is empty and Mailbox
// has the name.
//
// What is held is, of all that was told, what was true last. So items may come in any order and any number of times: one
// that is older than what is known changes nothing but the history.
type rightsSeen = detect.RightsSeen

// coverSeen is the body of an item of kind "cover": between Since and Until a source has told every change of these
// kinds, in every mailbox. It is appended after the items with the changes. Because says why it tells no more.
type coverSeen struct {
	Source  string   `json:"source"` // audit
	Kinds   []string `json:"kinds"`  // as in detect.RightsSeen.Whole
	Since   int64    `json:"since"`
	Until   int64    `json:"until"`
	Because string   `json:"because,omitempty"`
	Mend    string   `json:"mend,omitempty"`
}

// rights takes what an audit record tells of forwarding, rights and mail flow into the state. It is folded with the rest
// of the run.
func (r *run) rights(_ context.Context, rec *detect.Record) error {
	for _, s := range rule.Rights(rec) {
		r.told = append(r.told, pending[rightsSeen]{at: s.At, body: s})
	}
	return nil
}

// rightKey is a place where something is held: a setting of a mailbox has its name for a kind, and no folder or trustee.
type rightKey struct {
	owner                 tocsin.PersonID
	kind, folder, trustee string
}

// holding is what is held in a place. An empty value is: known to be none.
type holding struct {
	value                 string
	at                    int64
	source, record        string
	actor, actorKind      string
	since, first, removed int64
	name, path            string // of a right: the trustee's and the folder's, as the source shows them
	inherited             bool
	known, dirty          bool
}

// telling is a line of the history.
type telling struct {
	at                                 int64
	id, value, source, actor, actorKnd string
}

// rightsFold folds what was told of some mailboxes.
type rightsFold struct {
	*run
	held    map[rightKey]*holding
	owned   map[tocsin.PersonID][]rightKey
	looks   map[tocsin.PersonID]map[string]map[string]int64 // source → kind → when
	looked  map[tocsin.PersonID]bool                        // has looks to write
	history map[rightKey][]telling
	wrote   [][]any                  // of the history
	waiting [][]any                  // what nobody of that name can be told yet
	moved   map[tocsin.PersonID]bool // owners of whom something is another than before
	first   map[tocsin.PersonID]bool // and of whom nothing was known
	retold  map[rightKey]bool        // places that a record told of
}

// foldRights folds what was gathered.
func (r *run) foldRights(ctx context.Context) error {
	if len(r.told) == 0 {
		return nil
	}
	all := r.told
	r.told = nil
	for some := range slices.Chunk(all, 400) {
		if err := r.foldTold(ctx, some); err != nil {
			return err
		}
	}
	r.told = all[:0]
	return nil
}

func (r *run) foldTold(ctx context.Context, batch []pending[rightsSeen]) error {
	f := &rightsFold{run: r, held: map[rightKey]*holding{}, owned: map[tocsin.PersonID][]rightKey{}, looks: map[tocsin.PersonID]map[string]map[string]int64{},
		looked: map[tocsin.PersonID]bool{}, history: map[rightKey][]telling{}, moved: map[tocsin.PersonID]bool{}, first: map[tocsin.PersonID]bool{}, retold: map[rightKey]bool{}}
	batch, err := f.owners(ctx, batch)
	if err != nil {
		return err
	}
	if err := f.load(ctx, batch); err != nil {
		return err
	}
	for i := range batch {
		p := &batch[i]
		if p.body.Org && len(p.body.MailFlow)+len(p.body.Whole) > 0 {
			if err := r.foldFlow(ctx, &p.body); err != nil {
				return err
			}
		}
		f.apply(p.person, &p.body)
	}
	if err := f.provenance(ctx); err != nil {
		return err
	}
	if err := f.write(ctx); err != nil {
		return err
	}
	return f.tell(ctx)
}

// owners finds whose mailbox each item is of. What is of nobody known waits for them.
func (f *rightsFold) owners(ctx context.Context, batch []pending[rightsSeen]) ([]pending[rightsSeen], error) {
	var names []string
	for i := range batch {
		b := &batch[i].body
		if batch[i].person == "" && !b.Org {
			names = append(names, b.Mailbox)
		}
		for j := range b.Rights {
			names = append(names, b.Rights[j].Trustee)
		}
	}
	if err := f.lookUp(ctx, names); err != nil {
		return nil, err
	}
	out := make([]pending[rightsSeen], 0, len(batch))
	for _, p := range batch {
		if p.body.At == 0 {
			p.body.At = p.at
		}
		if p.person != "" || p.body.Org {
			out = append(out, p)
			continue
		}
		if p.body.Mailbox == "" {
			continue
		}
		who := f.names[named(p.body.Mailbox)]
		if strings.HasPrefix(who, groupMark) || who == "" {
			raw, err := encode(p.body)
			if err != nil {
				return nil, err
			}
			id, err := fingerprint(p.body)
			if err != nil {
				return nil, err
			}
			f.waiting = append(f.waiting, []any{named(p.body.Mailbox), id, string(raw), p.body.At})
			continue
		}
		p.person = tocsin.PersonID(who)
		out = append(out, p)
	}
	return out, nil
}

// load reads what is held of the mailboxes.
func (f *rightsFold) load(ctx context.Context, batch []pending[rightsSeen]) error {
	owners := map[string]bool{}
	for i := range batch {
		owners[string(batch[i].person)] = true
	}
	if len(owners) == 0 {
		return nil
	}
	args := anys(sortedKeys(owners))
	in := store.In(len(args), 2)
	row := func(scan func(...any) error) error {
		var k rightKey
		h := &holding{known: true}
		if err := scan(&k.owner, &k.kind, &k.folder, &k.trustee, &h.value, &h.at, &h.source, &h.record, &h.actor, &h.actorKind, &h.since, &h.first,
			&h.removed, &h.name, &h.path, &h.inherited); err != nil {
			return err
		}
		f.keep(k, h)
		return nil
	}
	if err := each(ctx, f.t, row, `select person, name, '', '', value, at, source, record, actor, actor_kind, since, first_seen, 0, '', '', false
		from mailbox_setting where tenant = $1 and person in (`+in+`)`, args...); err != nil {
		return err
	}
	if err := each(ctx, f.t, row, `select owner, kind, folder, trustee, levels, at, source, record, actor, actor_kind, since, first_seen, removed, name, path, inherited
		from delegation where tenant = $1 and owner in (`+in+`)`, args...); err != nil {
		return err
	}
	return each(ctx, f.t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var source, text string
		if err := scan(&person, &source, &text); err != nil {
			return err
		}
		looks := map[string]int64{}
		if err := json.Unmarshal([]byte(text), &looks); err != nil {
			return err
		}
		f.look(person, source, looks)
		return nil
	}, `select person, source, looks from rights_look where tenant = $1 and person in (`+in+`)`, args...)
}

func (f *rightsFold) keep(k rightKey, h *holding) {
	f.held[k] = h
	f.owned[k.owner] = append(f.owned[k.owner], k)
}

func (f *rightsFold) look(person tocsin.PersonID, source string, looks map[string]int64) {
	if f.looks[person] == nil {
		f.looks[person] = map[string]map[string]int64{}
	}
	f.looks[person][source] = looks
}

// seen is when all there is of a kind (and, of folders, of this one) was looked at last; 0 for never.
func (f *rightsFold) seen(person tocsin.PersonID, kind, folder string) int64 {
	at := int64(0)
	for _, looks := range f.looks[person] {
		at = max(at, looks[kind])
		if folder != "" || kind == detect.RightFolder {
			at = max(at, looks[kind+":"+folder])
		}
	}
	return at
}

// apply takes what was told into what is held.
func (f *rightsFold) apply(owner tocsin.PersonID, s *rightsSeen) {
	named := map[rightKey]bool{}
	settings := s.Settings
	if slices.Contains(s.Whole, detect.RightForwarding) {
		settings = map[string]string{detect.ForwardingSMTP: "", detect.ForwardingRecipient: ""}
		for name, v := range s.Settings {
			settings[name] = v
		}
	}
	for _, name := range sortedKeys(settings) {
		v := settings[name]
		if name == detect.ForwardingSMTP || name == detect.ForwardingRecipient {
			v = tocsin.CanonicalAddress(v)
		}
		seen := int64(0)
		if forwardingSetting(name) {
			seen = f.seen(owner, detect.RightForwarding, "")
		}
		f.put(rightKey{owner: owner, kind: name}, s, seen, holding{value: v})
	}
	for i := range s.Rights {
		r := &s.Rights[i]
		if rule.BuiltIn(r.Trustee) {
			continue
		}
		k := rightKey{owner: owner, kind: r.Kind, folder: folderKey(r.Folder), trustee: f.trustee(r.Trustee)}
		if k.trustee == string(owner) {
			continue // everybody's own
		}
		seen := f.seen(owner, r.Kind, k.folder)
		if r.Deny {
			k.kind = denyMark + k.kind
		}
		named[k] = true
		value := levels(r)
		f.put(k, s, seen, holding{value: value, name: firstOf(r.Name, r.Trustee), path: strings.Trim(r.Folder, `\/ `), inherited: r.Inherited})
	}
	f.whole(owner, s, named)
}

func forwardingSetting(name string) bool {
	return name == detect.ForwardingSMTP || name == detect.ForwardingRecipient || name == detect.ForwardingDeliver
}

// put has a place hold what was told, unless that is older than what is known. Of two that were told of one moment (audit
// records have whole seconds) the one that gives something stays.
func (f *rightsFold) put(k rightKey, s *rightsSeen, seen int64, now holding) {
	h := f.held[k]
	if h == nil {
		h = &holding{}
		f.keep(k, h)
	}
	first := !h.known && seen == 0 && s.Record == ""
	if s.Record != "" {
		f.record(k, s, now.value)
	}
	if s.At < seen || h.known && (s.At < h.at || s.At == h.at && now.value <= h.value) {
		if !h.known { // of what a later look did not find; the history has it
			delete(f.held, k)
		}
		return
	}
	if h.known && h.value == now.value {
		if s.Record != "" && s.At > h.at {
			h.at, h.dirty = s.At, true
		}
		return
	}
	if !h.known && now.value == "" && s.Record == "" && k.trustee != "" {
		delete(f.held, k)
		return
	}
	f.change(k, h, s, now, first)
}

// change has a place hold something else.
func (f *rightsFold) change(k rightKey, h *holding, s *rightsSeen, now holding, first bool) {
	if h.first == 0 {
		h.first = s.At
	}
	if now.name != "" {
		h.name, h.path, h.inherited = now.name, now.path, now.inherited
	}
	h.value, h.at, h.source = now.value, s.At, s.Source
	h.record, h.actor, h.actorKind, h.since = "", "", "", 0
	if !first && s.Record == "" {
		h.since = s.At
		f.note(k, telling{at: s.At, id: "look:" + s.Source, value: now.value, source: s.Source})
	}
	h.removed = 0
	if now.value == "" {
		h.removed = s.At
	}
	h.known, h.dirty = true, true
	if first {
		f.first[k.owner] = true
	} else {
		f.moved[k.owner] = true
	}
}

// record notes in the history what an audit record told of a place.
func (f *rightsFold) record(k rightKey, s *rightsSeen, value string) {
	f.retold[k] = true
	f.note(k, telling{at: s.At, id: s.Record, value: value, source: s.Source, actor: s.Actor, actorKnd: s.ActorKind})
}

func (f *rightsFold) note(k rightKey, t telling) {
	f.history[k] = append(f.history[k], t)
	f.wrote = append(f.wrote, []any{string(k.owner), k.kind, k.folder, k.trustee, t.at, t.id, t.value, t.source, t.actor, t.actorKnd})
}

// whole takes away what a look at all there is did not find.
func (f *rightsFold) whole(owner tocsin.PersonID, s *rightsSeen, named map[rightKey]bool) {
	if len(s.Whole) == 0 {
		return
	}
	looks := f.looks[owner][s.Source]
	if looks == nil {
		looks = map[string]int64{}
		f.look(owner, s.Source, looks)
	}
	for _, of := range s.Whole {
		kind, folder, one := strings.Cut(of, ":")
		folder = folderKey(folder)
		if one {
			of = kind + ":" + folder
		}
		for _, k := range slices.Clone(f.owned[owner]) {
			h := f.held[k]
			if h == nil || k.trustee == "" || strings.TrimPrefix(k.kind, denyMark) != kind || one && k.folder != folder || named[k] || h.value == "" || h.at >= s.At || f.seen(owner, kind, k.folder) > s.At {
				continue
			}
			f.change(k, h, s, holding{}, false)
		}
		if looks[of] < s.At {
			looks[of] = s.At
			f.looked[owner] = true
		}
	}
}

// provenance says of the places that records told of since when they are as they are, and by whom: by the first of those
// that told the same in a row.
func (f *rightsFold) provenance(ctx context.Context) error {
	owners := map[string]bool{}
	for k := range f.retold {
		owners[string(k.owner)] = true
	}
	if len(owners) == 0 {
		return nil
	}
	args := anys(sortedKeys(owners))
	err := each(ctx, f.t, func(scan func(...any) error) error {
		var k rightKey
		var t telling
		if err := scan(&k.owner, &k.kind, &k.folder, &k.trustee, &t.at, &t.id, &t.value, &t.source, &t.actor, &t.actorKnd); err != nil {
			return err
		}
		if f.retold[k] {
			f.history[k] = append(f.history[k], t)
		}
		return nil
	}, `select owner, kind, folder, trustee, at, id, value, source, actor, actor_kind from rights_change where tenant = $1 and owner in (`+store.In(len(args), 2)+`)`, args...)
	if err != nil {
		return err
	}
	for k := range f.retold {
		h := f.held[k]
		if h == nil {
			continue
		}
		was := *h
		h.since, h.record, h.actor, h.actorKind = sinceWhen(f.history[k], h.value)
		if h.since == 0 {
			h.since = was.since
		}
		if was != *h {
			h.dirty = true
			f.moved[k.owner] = true
		}
	}
	return nil
}

// sinceWhen reads a place's history backwards, as long as it tells this value.
func sinceWhen(history []telling, value string) (since int64, record, actor, kind string) {
	slices.SortFunc(history, func(a, b telling) int {
		if a.at != b.at {
			return int(max(-1, min(1, a.at-b.at)))
		}
		if c := strings.Compare(a.value, b.value); c != 0 {
			return c
		}
		return strings.Compare(b.id, a.id)
	})
	for i := len(history) - 1; i >= 0 && history[i].value == value; i-- {
		t := &history[i]
		since, record, actor, kind = t.at, t.id, t.actor, t.actorKnd
		if t.source != "audit" {
			record = ""
		}
	}
	return since, record, actor, kind
}

// write writes what was gathered.
func (f *rightsFold) write(ctx context.Context) error {
	var settings, rights, looks [][]any
	for k, h := range f.held {
		switch {
		case !h.dirty:
		case k.trustee == "":
			settings = append(settings, []any{string(k.owner), k.kind, h.value, h.at, h.source, h.record, h.actor, h.actorKind, h.since, h.first})
		default:
			rights = append(rights, []any{string(k.owner), k.kind, k.folder, k.trustee, h.name, h.path, h.value, h.inherited, h.at, h.source, h.record, h.actor, h.actorKind, h.since, h.first, h.removed})
		}
	}
	for person := range f.looked {
		for source, at := range f.looks[person] {
			text, err := encode(at)
			if err != nil {
				return err
			}
			looks = append(looks, []any{string(person), source, string(text)})
		}
	}
	for _, w := range []struct {
		into store.Into
		rows [][]any
	}{
		{store.Into{Table: "mailbox_setting", Key: []string{"person", "name"}, Keep: []string{"first_seen"},
			Columns: []string{"person", "name", "value", "at", "source", "record", "actor", "actor_kind", "since", "first_seen"}}, settings},
		{store.Into{Table: "delegation", Key: []string{"owner", "kind", "folder", "trustee"}, Keep: []string{"first_seen"},
			Columns: []string{"owner", "kind", "folder", "trustee", "name", "path", "levels", "inherited", "at", "source", "record", "actor", "actor_kind", "since", "first_seen", "removed"}}, rights},
		{store.Into{Table: "rights_look", Key: []string{"person", "source"}, Columns: []string{"person", "source", "looks"}}, looks},
		{store.Into{Table: "rights_change", Key: []string{"owner", "kind", "folder", "trustee", "at", "id"},
			Columns: []string{"owner", "kind", "folder", "trustee", "at", "id", "value", "source", "actor", "actor_kind"}}, f.wrote},
		{store.Into{Table: "rights_waiting", Key: []string{"name", "id"}, Columns: []string{"name", "id", "body", "at"}}, f.waiting},
	} {
		if err := f.t.Insert(ctx, w.into, w.rows); err != nil {
			return err
		}
	}
	return nil
}

// tell tells what has changed, and has the mailboxes judged.
func (f *rightsFold) tell(ctx context.Context) error {
	var people []tocsin.PersonID
	for id := range f.first {
		if !f.moved[id] {
			f.touched["rights.changed"]++
			people = append(people, id)
		}
	}
	slices.Sort(people)
	for _, id := range sortedKeys(f.moved) {
		if err := f.t.Append(ctx, store.Fact{Kind: "rights.changed", Subject: string(id), Person: string(id)}); err != nil {
			return err
		}
		people = append(people, id)
	}
	people = slices.DeleteFunc(people, func(id tocsin.PersonID) bool { return id == "" })
	return f.judge(ctx, people)
}

// foldCover notes what a source tells of, and from when to when.
func (r *run) foldCover(ctx context.Context, _ int64, c coverSeen) error {
	for _, kind := range c.Kinds {
		had := coverSeen{}
		err := each(ctx, r.t, func(scan func(...any) error) error { return scan(&had.Since, &had.Until) },
			`select since, until from rights_cover where tenant = $1 and source = $2 and kind = $3`, c.Source, kind)
		if err != nil {
			return err
		}
		since, until := c.Since, c.Until
		if had.Until > 0 && c.Since <= had.Until { // without a gap
			if c.Until < had.Since {
				continue // long ago, and not joined to what is known
			}
			since, until = min(since, had.Since), max(until, had.Until)
		}
		if err := r.t.Insert(ctx, store.Into{Table: "rights_cover", Key: []string{"source", "kind"}, Columns: []string{"source", "kind", "since", "until", "because", "mend"}},
			[][]any{{c.Source, kind, since, until, c.Because, c.Mend}}); err != nil {
			return err
		}
	}
	return nil
}
