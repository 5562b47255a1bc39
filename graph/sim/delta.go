package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A delta round walks everything (or, later, what changed since) page by page; its links carry tokens of
// [phase, position, log length when the round began, Unix time, number of the query].
const (
	phaseAll     = 1 // walking what there is
	phaseChanges = 2 // walking what changed since
	phaseDone    = 3 // a deltaLink
)

// tokenLife is how long a token of the directory holds.
const tokenLife = 7 * 24 * time.Hour

// tracked is a collection that tells its changes.
type tracked struct {
	context  string
	props    properties
	defaults []string
	total    int
	at       func(i int) (item, bool)
	now      int // length of the log
	// since gives what changed after line n of the log, each thing once, as items or removals.
	since   func(n int) []changed
	page    int
	latest  bool // $deltatoken=latest is understood
	expires bool // tokens end after tokenLife
	outlook bool
}

// changed is a thing that changed, or went.
type changed struct {
	item   item
	id     string
	reason string // of removal; "" where it is there
}

func (s *Sim) delta(r *request, t tracked) reply {
	phase, at, base, bad := s.resume(r, t)
	if bad != nil {
		return *bad
	}
	q, bad := s.asks(r, t.props)
	if bad != nil {
		return *bad
	}
	baked := s.baked.number(r.query.encode(map[string]string{"$skiptoken": "", "$deltatoken": ""}))
	size := t.page
	if v, ok := r.prefers("odata.maxpagesize"); ok {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			size = min(n, 999)
		}
	} else if n, err := strconv.Atoi(r.query.get("$top")); err == nil && n > 0 {
		size = min(n, 999)
	}
	b := r.context(t.context + q.shape())
	body := []byte(`,"value":[`)
	next := -1
	switch phase {
	case phaseAll:
		body, next = walk(body, q, t, at, size)
	case phaseChanges:
		body, next = walkChanges(body, q, t, base, at, size)
	}
	if next >= 0 {
		b = appendString(append(b, `,"@odata.nextLink":`...), r.deltaLink("$skiptoken", s.token(uint64(phase), uint64(next), uint64(base), s.seconds(), baked)))
	} else {
		mark := t.now
		if phase == phaseAll {
			mark = base // what changed during the first round comes again
		}
		b = appendString(append(b, `,"@odata.deltaLink":`...), r.deltaLink("$deltatoken", s.token(phaseDone, 0, uint64(mark), s.seconds(), baked)))
	}
	return ok(append(append(b, body...), "]}"...))
}

func (s *Sim) seconds() uint64 { return uint64(s.clock.Now().Unix()) }

// resume reads where the round stands: phase, position, and the line of the log it stands on.
func (s *Sim) resume(r *request, t tracked) (phase, at, base int, bad *reply) {
	text, again := r.query.find("$skiptoken")
	if !again {
		text, again = r.query.find("$deltatoken")
	}
	if !again {
		return phaseAll, 0, t.now, nil
	}
	if text == "latest" && t.latest {
		return phaseDone, 0, t.now, nil
	}
	n, valid := s.readToken(text)
	if !valid || len(n) != 5 {
		out := s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "The delta token is not valid.")
		if t.outlook {
			out = s.refuse(r, http.StatusBadRequest, "ErrorInvalidSyncStateData", "The sync state data is invalid.")
		}
		return 0, 0, 0, &out
	}
	made := time.Unix(int64(n[3]), 0)
	asked, known := s.baked.query(n[4])
	if !known || t.expires && s.clock.Now().Sub(made) > tokenLife || int(n[2]) > t.now || n[3] < uint64(s.forgotten.Load()) {
		out := s.refuse(r, http.StatusGone, "syncStateNotFound", "The sync state generation is not found; the delta token has expired. Please perform a full synchronization.")
		if !t.outlook {
			out = s.refuse(r, http.StatusGone, "resyncRequired", "Resync required. Any local state should be dropped and a full synchronization performed.")
		}
		out = out.with("Location", r.base+"/"+r.path)
		return 0, 0, 0, &out
	}
	r.query = asked // what a round asks for was settled by its first call
	phase, at, base = int(n[0]), int(n[1]), int(n[2])
	if phase == phaseDone {
		phase = phaseChanges
	}
	return phase, at, base, nil
}

// ForgetDeltas makes every delta token given so far unknown: 410.
func (s *Sim) ForgetDeltas() { s.forgotten.Store(s.clock.Now().Unix() + 1) }

// deltaLink has nothing but the token: what was asked is baked into it.
func (r *request) deltaLink(name, token string) string {
	return r.base + "/" + r.path + "?" + name + "=" + token
}

// queries numbers what delta rounds asked for.
type queries struct {
	mu      sync.Mutex
	numbers map[string]uint64
	texts   []string
}

func (q *queries) number(text string) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n, ok := q.numbers[text]; ok {
		return n
	}
	if q.numbers == nil {
		q.numbers = map[string]uint64{}
	}
	n := uint64(len(q.texts))
	q.texts = append(q.texts, text)
	q.numbers[text] = n
	return n
}

func (q *queries) query(n uint64) (query, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n >= uint64(len(q.texts)) {
		return nil, false
	}
	out, err := parseQuery(q.texts[n])
	return out, err == nil
}

func walk(b []byte, q *asked, t tracked, at, size int) ([]byte, int) {
	found := 0
	for i := at; i < t.total; i++ {
		it, ok := t.at(i)
		if !ok || q.keep != nil && !q.keep(it.get) {
			continue
		}
		if found == size {
			return b, i
		}
		if found++; found > 1 {
			b = append(b, ',')
		}
		b = q.write(b, it, t.defaults)
	}
	return b, -1
}

func walkChanges(b []byte, q *asked, t tracked, base, at, size int) ([]byte, int) {
	all := t.since(base)
	for i := at; i < len(all); i++ {
		if i == at+size {
			return b, i
		}
		if i > at {
			b = append(b, ',')
		}
		if c := all[i]; c.reason != "" {
			b = appendObject(b, obj{{"id", c.id}, {"@removed", obj{{"reason", c.reason}}}})
		} else {
			b = q.write(b, c.item, t.defaults)
		}
	}
	return b, -1
}

// directorySince gives what of one kind changed after line n.
func (s *Sim) directorySince(kind string, is func(id string) (item, bool)) func(int) []changed {
	return func(n int) []changed {
		var out []changed
		seen := map[string]bool{}
		for i := len(s.world.log) - 1; i >= n; i-- {
			c := s.world.log[i]
			if c.kind != kind || seen[c.id] {
				continue
			}
			seen[c.id] = true
			if it, ok := is(c.id); ok {
				out = append(out, changed{item: it, id: c.id})
			} else {
				out = append(out, changed{id: c.id, reason: "changed"}) // soft-deleted: it can come back
			}
		}
		return out
	}
}

func (s *Sim) usersDelta(r *request) reply {
	l := s.userList()
	return s.delta(r, tracked{context: "users", props: userProperties, defaults: userDefaults, total: l.total, at: l.at, now: len(s.world.log), page: 200, latest: true, expires: true,
		since: s.directorySince("user", func(id string) (item, bool) {
			if p := s.world.find(id); p != nil {
				return s.userItem(p), true
			}
			return item{}, false
		})})
}

// membersPage is how many members of a group one object of a delta page tells; the rest comes with the same id again.
const membersPage = 150

// groupPiece is a part of a group's members.
type groupPiece struct {
	g    *group
	from int
	ids  []string
}

func (s *Sim) pieces(g *group, members bool) []groupPiece {
	if !members {
		return []groupPiece{{g: g}}
	}
	ids := s.world.list(g)
	out := []groupPiece{{g: g, ids: ids[:min(len(ids), membersPage)]}}
	for from := membersPage; from < len(ids); from += membersPage {
		out = append(out, groupPiece{g, from, ids[from:min(len(ids), from+membersPage)]})
	}
	return out
}

// pieceItem is a group with members@delta, where members were asked for.
func (s *Sim) pieceItem(r *request, p groupPiece) item {
	o := p.g.object(s.world)
	if p.from > 0 {
		o = obj{{"id", p.g.id}}
	}
	it := whole(o)
	at := s.objects(p.ids)
	var members []any
	for i := range p.ids {
		if m, ok := at(i); ok {
			id, _ := m.get("id")
			members = append(members, obj{{"@odata.type", m.kind}, {"id", id}})
		}
	}
	if members != nil {
		it.whole = append(it.whole, member{"members@delta", members})
	}
	inner := it.whole
	it.get = func(name string) (any, bool) { return inner.get(name) }
	return it
}

func (s *Sim) groupsDelta(r *request) reply {
	r.query = membersDelta(r.query)
	asked := r.query // a later page tells only its token
	if n, ok := s.readToken(first(r.query.get("$skiptoken"), r.query.get("$deltatoken"))); ok && len(n) == 5 {
		asked, _ = s.baked.query(n[4])
	}
	sel, chosen := asked.find("$select")
	members := !chosen || strings.Contains(sel, "members@delta")
	var all []groupPiece
	for _, g := range s.world.groups {
		if !g.gone {
			all = append(all, s.pieces(g, members)...)
		}
	}
	return s.delta(r, tracked{context: "groups", props: deltaGroups, total: len(all), now: len(s.world.log), page: 100, latest: true, expires: true,
		at: func(i int) (item, bool) { return s.pieceItem(r, all[i]), true },
		since: s.directorySince("group", func(id string) (item, bool) {
			if g := s.world.group(id); g != nil {
				return s.pieceItem(r, groupPiece{g: g, ids: s.world.list(g)}), true
			}
			return item{}, false
		})})
}

var deltaGroups = func() properties {
	out := properties{"members@delta": 'l'}
	for k, v := range groupProperties {
		out[k] = v
	}
	return out
}()

// membersDelta: members are asked for as members and told as members@delta.
func membersDelta(q query) query {
	out := append(query{}, q...)
	for i := range out {
		if out[i].name == "$select" {
			out[i].value = selectMembers(out[i].value)
		}
	}
	return out
}

func (s *Sim) rolesDelta(r *request) reply {
	return s.delta(r, tracked{context: "directoryRoles", props: deltaRoles, total: len(s.world.roles), now: len(s.world.log), page: 100, latest: true, expires: true,
		at: func(i int) (item, bool) { return s.roleDelta(s.world.roles[i]), true },
		since: s.directorySince("role", func(id string) (item, bool) {
			if o := s.world.role(id); o != nil {
				return s.roleDelta(o), true
			}
			return item{}, false
		})})
}

var deltaRoles = properties{"id": 's', "deletedDateTime": 's', "description": 's', "displayName": 's', "roleTemplateId": 's', "members": 'l', "members@delta": 'l'}

func (s *Sim) roleDelta(o *role) item {
	out := o.object()
	if len(o.members) > 0 {
		var members []any
		for _, id := range o.members {
			members = append(members, obj{{"@odata.type", "#microsoft.graph.user"}, {"id", id}})
		}
		out = append(out, member{"members@delta", members})
	}
	return whole(out)
}

func (s *Sim) contactsDelta(r *request) reply {
	all := s.world.contact
	return s.delta(r, tracked{context: "contacts", props: contactProperties, total: len(all), now: len(s.world.log), page: 100, latest: true, expires: true,
		at: func(i int) (item, bool) { return whole(all[i].object()), true },
		since: s.directorySince("contact", func(id string) (item, bool) {
			if c := s.world.contactBy(id); c != nil {
				return whole(c.object()), true
			}
			return item{}, false
		})})
}

func (s *Sim) foldersDelta(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	b := s.world.look(p)
	show := func(n int) (item, bool) {
		if f := b.at(n); f != nil && !f.hidden && n != rootFolder {
			return whole(s.folderObject(b, f)), true
		}
		return item{}, false
	}
	return s.delta(r, tracked{context: "users('" + p.id + "')/mailFolders", props: folderProperties, total: len(b.folders), at: show, now: len(b.log), page: 50, outlook: true,
		since: func(n int) []changed {
			var out []changed
			seen := map[int]bool{}
			for i := len(b.log) - 1; i >= n; i-- {
				c := b.log[i]
				if c.serial != 0 || seen[c.folder] {
					continue
				}
				seen[c.folder] = true
				if it, ok := show(c.folder); ok {
					out = append(out, changed{item: it})
				} else {
					out = append(out, changed{id: s.world.folderID(b.p, c.folder), reason: "deleted"})
				}
			}
			return out
		}})
}

func (s *Sim) messagesDelta(r *request) reply {
	p, b, f, bad := s.within(r)
	if bad != nil {
		return *bad
	}
	if why := wrongDelta(r); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidUrlQueryFilter", "%s", why)
	}
	immutable := r.immutable()
	context := "users('" + p.id + "')/mailFolders('" + r.vars[1] + "')/messages"
	return s.delta(r, tracked{context: context, props: messageProperties, total: len(b.messages), now: len(b.log), page: 10, outlook: true,
		at: func(i int) (item, bool) {
			m := b.messages[len(b.messages)-1-i]
			if m.gone || m.folder != f.n {
				return item{}, false
			}
			return s.messageItem(b, m, immutable), true
		},
		since: func(n int) []changed {
			return ofType(s.messagesSince(b, f.n, n, immutable), r.query.get("changeType"))
		}})
}

// ofType keeps the changes of one type: created, updated or deleted; "" keeps all. Nothing here updates a message yet.
func ofType(all []changed, kind string) []changed {
	return slices.DeleteFunc(all, func(c changed) bool {
		return kind == "updated" || kind == "created" && c.reason != "" || kind == "deleted" && c.reason == ""
	})
}

// messagesSince gives what changed in a folder; a message that went on to another is deleted here.
func (s *Sim) messagesSince(b *mailbox, folder, n int, immutable bool) []changed {
	var out []changed
	seen := map[uint32]bool{}
	for i := len(b.log) - 1; i >= n; i-- {
		c := b.log[i]
		if c.serial == 0 || c.folder != folder || seen[c.serial] {
			continue
		}
		seen[c.serial] = true
		if c.what != "deleted" {
			if m := s.world.serial(b, c.serial); !m.gone && m.folder == folder {
				out = append(out, changed{item: s.messageItem(b, m, immutable)})
			}
			continue
		}
		id := c.id
		if immutable {
			id = c.fixed
		}
		out = append(out, changed{id: id, reason: "deleted"})
	}
	return out
}
