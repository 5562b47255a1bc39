package sim

import (
	"fmt"
	"strings"
)

// asked is what a query asks of a resource.
type asked struct {
	sel    []string
	expand []expansion
	keep   condition
	fields []string // in the filter
	order  []ordering
	count  bool
}

type expansion struct {
	name string
	sel  []string
	ids  []string // that $filter names
}

type ordering struct {
	field []string
	down  bool
}

// asks reads the query against the resource's properties, and refuses what the service would.
func (s *Sim) asks(r *request, props properties) (*asked, *reply) {
	q := &asked{}
	if err := q.read(r, props); err != nil {
		bad := s.badRequest(r, "%s", err.Error())
		return nil, &bad
	}
	return q, nil
}

func (q *asked) read(r *request, props properties) error {
	var err error
	if v, ok := r.query.find("$select"); ok && v != "" {
		if q.sel, err = selection(v, props); err != nil {
			return err
		}
	}
	if v, ok := r.query.find("$expand"); ok && v != "" {
		if q.expand, err = expansions(v, props); err != nil {
			return err
		}
	}
	advanced := false
	if v, ok := r.query.find("$filter"); ok {
		c, p, err := parseFilter(v, props)
		if err != nil {
			return err
		}
		q.keep, q.fields, advanced = c, p.fields, p.advanced
	}
	if v, ok := r.query.find("$search"); ok && !r.route.outlook {
		advanced = true
		q.search(v)
	}
	if err := q.ordering(r, props); err != nil {
		return err
	}
	q.count = strings.EqualFold(r.query.get("$count"), "true")
	if r.route.outlook || r.route.class() == ofTrace {
		return nil
	}
	return advancedOnly(r, advanced || q.keep != nil && len(q.order) > 0, q.count)
}

// advancedOnly refuses what the directory answers only from its lagging index.
func advancedOnly(r *request, advanced, count bool) error {
	if count && !r.eventual() {
		return fmt.Errorf("Request with $count query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	}
	if advanced && (!r.eventual() || !count) && (r.query.get("$search") == "" || !r.eventual()) {
		return fmt.Errorf("Unsupported Query. It needs the header 'ConsistencyLevel: eventual' and $count=true.")
	}
	return nil
}

// search keeps what has a word that begins as the text does.
func (q *asked) search(v string) {
	field, word := searchText(v)
	fields := []string{"displayName", "mail"}
	if field != "" {
		fields = []string{field}
	}
	before := q.keep
	q.keep = func(g getter) bool {
		if before != nil && !before(g) {
			return false
		}
		for _, f := range fields {
			have, _ := g(f)
			text, _ := have.(string)
			for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ' ' || r == '.' || r == '@' }) {
				if strings.HasPrefix(w, word) {
					return true
				}
			}
		}
		return false
	}
}

func (q *asked) ordering(r *request, props properties) error {
	v := r.query.get("$orderby")
	for _, part := range strings.Split(v, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		path := strings.Split(words[0], "/")
		if _, ok := props[path[0]]; !ok {
			return fmt.Errorf("Could not find a property named '%s' to order by.", path[0])
		}
		q.order = append(q.order, ordering{field: path, down: len(words) > 1 && words[1] == "desc"})
	}
	return nil
}

func selection(v string, props properties) ([]string, error) {
	var out []string
	for _, name := range strings.Split(v, ",") {
		name = strings.TrimSpace(name)
		if name == "*" {
			return nil, nil
		}
		name = strings.TrimPrefix(name, "microsoft.graph.fileAttachment/") // what only one kind in a list has
		if _, ok := props[name]; !ok {
			canonical := ""
			for p := range props {
				if strings.EqualFold(p, name) {
					canonical = p
				}
			}
			if canonical == "" {
				return nil, fmt.Errorf("Parsing OData Select and Expand failed: Could not find a property named '%s'.", name)
			}
			name = canonical
		}
		out = append(out, name)
	}
	return out, nil
}

// expansions reads name or name($select=a,b;$top=n), joined by commas.
func expansions(v string, props properties) ([]expansion, error) {
	var out []expansion
	for v != "" {
		var e expansion
		end := strings.IndexAny(v, ",(")
		if end < 0 {
			end = len(v)
		}
		e.name = strings.TrimSpace(v[:end])
		v = v[end:]
		if strings.HasPrefix(v, "(") {
			end := strings.IndexByte(v, ')')
			if end < 0 {
				return nil, fmt.Errorf("Parsing OData Select and Expand failed: Found an unbalanced bracket expression.")
			}
			for _, o := range strings.Split(v[1:end], ";") {
				if sel, ok := strings.CutPrefix(strings.TrimSpace(o), "$select="); ok {
					e.sel = strings.Split(sel, ",")
				}
				if filter, ok := strings.CutPrefix(strings.TrimSpace(o), "$filter="); ok {
					e.ids = quotedIDs(filter)
				}
			}
			v = v[end+1:]
		}
		v = strings.TrimPrefix(v, ",")
		if _, ok := props[e.name]; !ok && !expandable[e.name] {
			return nil, fmt.Errorf("Parsing OData Select and Expand failed: Could not find a property named '%s'.", e.name)
		}
		out = append(out, e)
	}
	return out, nil
}

// quotedIDs are those of "id eq 'x' or id eq 'y'".
func quotedIDs(filter string) []string {
	var out []string
	for _, part := range strings.Split(filter, " or ") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "id eq "); ok {
			out = append(out, strings.Trim(strings.TrimSpace(id), "'"))
		}
	}
	return out
}

var expandable = map[string]bool{"manager": true, "members": true, "owners": true, "memberOf": true, "attachments": true,
	"singleValueExtendedProperties": true, "multiValueExtendedProperties": true, "childFolders": true, "messageRules": true, "policy": true, "assignments": true}

// shape is what a context says was selected: (id,displayName).
func (q *asked) shape() string {
	if len(q.sel) == 0 {
		return ""
	}
	return "(" + strings.Join(q.sel, ",") + ")"
}

// write adds an item: annotations, then what was selected, or the defaults, or all.
func (q *asked) write(b []byte, it item, defaults []string) []byte {
	b = append(b, '{')
	first := len(b)
	put := func(name string, v any) {
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendJSON(b, v)
	}
	if it.kind != "" {
		put("@odata.type", it.kind)
	}
	if it.etag != "" {
		put("@odata.etag", it.etag)
	}
	names := q.sel
	if len(names) == 0 {
		names = defaults
	}
	switch {
	case len(names) > 0:
		q.named(put, it, names)
	default:
		if it.make != nil {
			it.whole = it.make()
		}
		for _, m := range it.whole {
			put(m.k, m.v)
		}
	}
	for _, e := range q.expand {
		if it.expand == nil {
			continue
		}
		if v := it.expand(e); v != nil || e.name != "singleValueExtendedProperties" {
			put(e.name, v)
		}
	}
	return append(b, '}')
}

// named puts the properties; Outlook's resources have their id whether it was selected or not.
func (q *asked) named(put func(string, any), it item, names []string) {
	id := it.whole == nil && it.make == nil
	for _, n := range names {
		id = id || n == "id"
	}
	if !id {
		v, _ := it.get("id")
		put("id", v)
	}
	for _, n := range names {
		v, has := it.get(n)
		if !has && (it.whole != nil || it.make != nil) {
			continue // an object says nothing of what it has not
		}
		put(n, v)
	}
}

// object is one resource's body.
func (s *Sim) object(r *request, context string, props properties, defaults []string, it item) reply {
	q, bad := s.asks(r, props)
	if bad != nil {
		return *bad
	}
	b := r.context(context + q.shape() + "/$entity")
	inner := q.write(nil, it, defaults)
	if len(inner) > 2 {
		b = append(b, ',')
	}
	return ok(append(b, inner[1:]...))
}
