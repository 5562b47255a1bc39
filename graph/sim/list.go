package sim

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// item is a resource in a list: its properties, and where nothing is selected the whole object.
type item struct {
	get    getter
	whole  obj        // nil where the list has default properties
	make   func() obj // whole, where that is seldom wanted
	kind   string     // @odata.type, where the list mixes types
	etag   string
	expand func(expansion) any // nil: nothing can be expanded; it gives nil where there is nothing to tell
}

func whole(o obj) item { return item{get: o.get, whole: o} }

// list is a collection as a path offers it.
type list struct {
	context  string
	props    properties
	defaults []string // properties where nothing is selected; nil: the whole object
	total    int
	at       func(i int) (item, bool) // false: there is none at i (any more)
	page     int                      // how many a page holds unless told; 0: the list does not page
	max      int                      // how many $top may ask
	skips    bool                     // pages by $skip, as Outlook does; else by $skiptoken
	search   []string                 // properties that $search looks at; nil: it is refused
}

// serve answers a GET of the collection with what the query asks.
func (s *Sim) list(r *request, l list) reply {
	q, bad := s.asks(r, l.props)
	if bad != nil {
		return *bad
	}
	start, bad := s.position(r, l)
	if bad != nil {
		return *bad
	}
	size := l.page
	if v, ok := r.query.find("$top"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 && !l.skips || n < 0 || l.max > 0 && n > l.max {
			return s.badRequest(r, "Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", v, l.max)
		}
		size = n
	} else if v, ok := r.prefers("odata.maxpagesize"); ok {
		if n, err := strconv.Atoi(v); err == nil && n > 0 && l.page > 0 {
			size = min(n, max(l.max, l.page))
		}
	}
	b := r.context(l.context + q.shape())
	if q.count && start == 0 {
		b = strconv.AppendInt(append(b, `,"@odata.count":`...), int64(l.countIf(q)), 10)
	}
	mark := len(b)
	b = append(b, `,"value":[`...)
	found, next := 0, -1
	each := l.ordered(q)
	for i := start; i < l.total; i++ {
		it, ok := each(i)
		if !ok || q.keep != nil && !q.keep(it.get) {
			continue
		}
		if l.page > 0 && found == size {
			next = i
			break
		}
		if found++; found > 1 {
			b = append(b, ',')
		}
		b = q.write(b, it, l.defaults)
	}
	b = append(b, ']')
	if next >= 0 {
		link := append([]byte(`,"@odata.nextLink":`), appendString(nil, s.nextLink(r, l, start, found, next))...)
		b = slices.Insert(b, mark, link...)
	}
	return ok(append(b, '}'))
}

// countIf counts what the filter keeps.
func (l list) countIf(q *asked) int {
	n := 0
	for i := range l.total {
		if it, ok := l.at(i); ok && (q.keep == nil || q.keep(it.get)) {
			n++
		}
	}
	return n
}

// ordered gives the items as $orderby wants them; positions then count in that order.
func (l list) ordered(q *asked) func(int) (item, bool) {
	if len(q.order) == 0 {
		return l.at
	}
	var all []item
	for i := range l.total {
		if it, ok := l.at(i); ok && (q.keep == nil || q.keep(it.get)) { // what is left out anyway need not be sorted
			all = append(all, it)
		}
	}
	slices.SortStableFunc(all, func(a, b item) int {
		for _, o := range q.order {
			x, _ := a.get(o.field[0])
			y, _ := b.get(o.field[0])
			c, _ := order(dig(x, o.field[1:]), dig(y, o.field[1:]))
			if o.down {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return func(i int) (item, bool) {
		if i >= len(all) {
			return item{}, false
		}
		return all[i], true
	}
}

// position is where the page begins, by $skip or $skiptoken.
func (s *Sim) position(r *request, l list) (int, *reply) {
	if v, ok := r.query.find("$skip"); ok && l.skips {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			bad := s.badRequest(r, "Invalid value '%s' for $skip query option found.", v)
			return 0, &bad
		}
		return s.skip(r, l, n), nil
	}
	v, ok := r.query.find("$skiptoken")
	if !ok {
		return 0, nil
	}
	n, ok := s.readToken(v)
	if !ok || len(n) != 1 {
		bad := s.refuse(r, http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
		return 0, &bad
	}
	return int(n[0]), nil
}

// skip is the position after so many items that the filter keeps.
func (s *Sim) skip(r *request, l list, n int) int {
	q, bad := s.asks(r, l.props)
	if bad != nil || n == 0 {
		return 0
	}
	each := l.ordered(q)
	for i := range l.total {
		if it, ok := each(i); ok && (q.keep == nil || q.keep(it.get)) {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return l.total
}

func (s *Sim) nextLink(r *request, l list, start, found, next int) string {
	if !l.skips {
		return r.link(map[string]string{"$skiptoken": s.token(uint64(next))})
	}
	skip, _ := strconv.Atoi(r.query.get("$skip"))
	return r.link(map[string]string{"$skip": strconv.Itoa(skip + found)})
}

// link is this request's address with other marks of position.
func (r *request) link(change map[string]string) string {
	for _, k := range []string{"$skip", "$skiptoken", "$deltatoken"} {
		if _, ok := change[k]; !ok {
			change[k] = ""
		}
	}
	q := r.query.encode(change)
	if q == "" {
		return r.base + "/" + r.path
	}
	return r.base + "/" + r.path + "?" + q
}

// token hides numbers in what a client must take as opaque; readToken refuses what was not made here.
func (s *Sim) token(numbers ...uint64) string {
	b := make([]byte, 8, 8+8*len(numbers))
	for i, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n^mix(s.world.seedNumber()+uint64(i)))
	}
	binary.BigEndian.PutUint64(b, s.sum(b[8:]))
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Sim) readToken(t string) ([]uint64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(t)
	if err != nil || len(b) < 16 || len(b)%8 != 0 || binary.BigEndian.Uint64(b) != s.sum(b[8:]) {
		return nil, false
	}
	out := make([]uint64, len(b)/8-1)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(b[8+8*i:]) ^ mix(s.world.seedNumber()+uint64(i))
	}
	return out, true
}

func (s *Sim) sum(b []byte) uint64 {
	h := s.world.seedNumber()
	for i := 0; i+8 <= len(b); i += 8 {
		h = mix(h ^ binary.BigEndian.Uint64(b[i:]))
	}
	return h
}

func (w *world) seedNumber() uint64 { return uint64(w.seed) }

// countReply is the answer of …/$count: a number as plain text.
func (s *Sim) countReply(r *request, l list) reply {
	if !r.route.outlook && !r.eventual() {
		return s.refuse(r, http.StatusBadRequest, "Request_BadRequest", "$count is not currently supported.")
	}
	q, bad := s.asks(r, l.props)
	if bad != nil {
		return *bad
	}
	return ok([]byte(strconv.Itoa(l.countIf(q)))).with("Content-Type", "text/plain")
}

// searchText reads $search="displayName:word" of the directory.
func searchText(v string) (field, word string) {
	v = strings.Trim(v, `"`)
	if f, w, ok := strings.Cut(v, ":"); ok {
		return f, strings.ToLower(strings.Trim(w, `"`))
	}
	return "", strings.ToLower(v)
}
