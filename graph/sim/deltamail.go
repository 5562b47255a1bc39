package sim

import (
	"net/http"
	"slices"
	"strings"
)

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

// filteredMost is how many messages a first round with a filter gives, however many there are.
// See https://learn.microsoft.com/graph/api/message-delta.
const filteredMost = 5000

func (s *Sim) messagesDelta(r *request) reply {
	p, b, f, bad := s.within(r)
	if bad != nil {
		return *bad
	}
	if why := wrongDelta(r); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidUrlQueryFilter", "%s", why)
	}
	context := "users('" + p.id + "')/mailFolders('" + r.vars[1] + "')/messages"
	return s.delta(r, tracked{context: context, props: messageProperties, total: len(b.messages), now: len(b.log), page: 10, outlook: true, most: filteredMost,
		at: func(i int) (item, bool) {
			m := b.messages[len(b.messages)-1-i]
			if m.gone || m.folder != f.n {
				return item{}, false
			}
			return s.messageFor(r, b, m), true
		},
		since: func(n int) []changed {
			return ofType(s.messagesSince(r, b, f.n, n), r.query.get("changeType"))
		}})
}

// ofType keeps the changes of one type: created, updated or deleted; "" keeps all.
func ofType(all []changed, kind string) []changed {
	return slices.DeleteFunc(all, func(c changed) bool {
		switch kind {
		case "created":
			return c.reason != "" || !c.fresh
		case "updated":
			return c.reason != "" || c.fresh
		case "deleted":
			return c.reason == ""
		}
		return false
	})
}

// messagesSince gives what changed in a folder; a message that went on to another is deleted here. With immutable ids a
// message that left the folder and came back meanwhile is not told of, which is a known issue of Microsoft's.
// See https://learn.microsoft.com/graph/known-issues.
func (s *Sim) messagesSince(r *request, b *mailbox, folder, n int) []changed {
	immutable := r.immutable()
	type summary struct {
		last  boxChange
		first string // what happened first
		came  bool
	}
	seen := map[uint32]*summary{}
	var order []uint32
	for i := len(b.log) - 1; i >= n; i-- {
		c := b.log[i]
		if c.serial == 0 || c.folder != folder {
			continue
		}
		one := seen[c.serial]
		if one == nil {
			one = &summary{last: c}
			seen[c.serial] = one
			order = append(order, c.serial)
		}
		one.first = c.what
		one.came = one.came || c.what == "created"
	}
	var out []changed
	for _, serial := range order {
		one := seen[serial]
		if one.last.what == "deleted" {
			out = append(out, changed{id: s.world.formerID(b.p, serial, folder, one.last.moves, immutable), reason: "deleted"})
			continue
		}
		if immutable && one.first == "deleted" {
			continue
		}
		out = append(out, changed{item: s.messageFor(r, b, s.world.serial(b, serial)), fresh: one.came})
	}
	return out
}

// wrongDelta refuses what message delta does not support: any filter but receivedDateTime ge or gt, any order but
// receivedDateTime desc.
func wrongDelta(r *request) string {
	if f := strings.Fields(r.query.get("$filter")); len(f) > 0 {
		if len(f) != 3 || f[0] != "receivedDateTime" || f[1] != "ge" && f[1] != "gt" {
			return "The only filter supported here is receivedDateTime ge or gt."
		}
	}
	if o := strings.Fields(r.query.get("$orderby")); len(o) > 0 {
		if len(o) != 2 || o[0] != "receivedDateTime" || o[1] != "desc" {
			return "The only order supported here is receivedDateTime desc."
		}
	}
	return ""
}
