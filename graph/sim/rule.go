package sim

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"tocsin.dev"
)

// rule is an inbox rule: Graph's own object, and the same encoded.
type rule struct {
	id   string
	o    obj
	json []byte
}

func newRule(o obj) rule { return rule{id: o.text("id"), o: o, json: appendObject(nil, o)} }

func (r *rule) name() string { return r.o.text("displayName") }

func (r *rule) sequence() int {
	v, _ := r.o.get("sequence")
	n, _ := v.(int)
	return n
}

func (r *rule) readOnly() bool { v, _ := r.o.get("isReadOnly"); return v == true }

// encode joins the rules, by their sequence, for the answer to a list: polls of all mailboxes are most of what is asked.
func (b *mailbox) encode() {
	slices.SortStableFunc(b.rules, func(x, y rule) int { return cmp.Compare(x.sequence(), y.sequence()) })
	b.encoded = b.encoded[:0:0]
	for i := range b.rules {
		if i > 0 {
			b.encoded = append(b.encoded, ',')
		}
		b.encoded = append(b.encoded, b.rules[i].json...)
	}
}

// ruleID is the id of the n-th rule ever made in a mailbox; ids are unique within it only.
func (w *world) ruleID(box, n int) string {
	var b [8]byte
	b[0] = 1
	binary.BigEndian.PutUint32(b[4:], uint32(w.seed.at(askRules, box))&^0xfff|uint32(n&0xfff))
	return base64.URLEncoding.EncodeToString(b[:])
}

func (w *world) ruleObject(box, n int, name string, conditions, actions obj) obj {
	o := obj{{"id", w.ruleID(box, n)}, {"displayName", name}, {"sequence", n}, {"isEnabled", true}, {"hasError", false}, {"isReadOnly", false}}
	if conditions != nil {
		o = append(o, member{"conditions", conditions})
	}
	return append(o, member{"actions", actions})
}

func recipient(name, address string) obj {
	return obj{{"emailAddress", obj{{"name", name}, {"address", address}}}}
}

// seededRules are the harmless rules that about one person in seven has.
func (w *world) seededRules(p *person) []rule {
	h := w.seed.at(askRules, p.i)
	if p.kind != employee && p.kind != shared || h%100 >= 15 {
		return nil
	}
	var out []rule
	for n := 1; n <= int(h>>8%2)+1; n++ {
		out = append(out, newRule(w.harmless(p, n, int(h>>16)+n)))
	}
	return out
}

// harmless is the n-th rule of a person, of one of the sorts that people make.
func (w *world) harmless(p *person, n, sort int) obj {
	stop := member{"stopProcessingRules", true}
	move := func(folder int) obj { return obj{{"moveToFolder", w.folderID(p.i, firstCustom+folder)}, stop} }
	switch sort % 7 {
	case 0:
		return w.ruleObject(p.i, n, "Newsletters", obj{{"bodyContains", []any{"unsubscribe"}}}, move(0))
	case 1:
		return w.ruleObject(p.i, n, "Tickets", obj{{"senderContains", []any{"SERVICEDESK@"}}}, move(2))
	case 2:
		boss := w.person(max(0, p.boss))
		return w.ruleObject(p.i, n, "From "+boss.display, obj{{"fromAddresses", []any{recipient(boss.display, boss.mail)}}},
			obj{{"assignCategories", []any{"Red category"}}, {"markImportance", "high"}})
	case 3:
		return w.ruleObject(p.i, n, "Project mail", obj{{"subjectContains", []any{"[project]", "steering"}}}, move(1))
	case 4:
		mate := w.colleague(p)
		return w.ruleObject(p.i, n, "Customs papers to "+mate.first, obj{{"subjectContains", []any{"customs declaration"}}, {"hasAttachments", true}},
			obj{{"forwardTo", []any{recipient(mate.display, mate.mail)}}})
	case 5:
		return w.ruleObject(p.i, n, "Accepted meetings", obj{{"isMeetingResponse", true}}, obj{{"delete", true}, stop})
	}
	return w.ruleObject(p.i, n, "Only for information", obj{{"sentCcMe", true}}, obj{{"assignCategories", []any{"Blue category"}}})
}

// colleague is somebody of the same department who has a mailbox.
func (w *world) colleague(p *person) *person {
	for i := p.i + len(departments); ; i += len(departments) {
		q := w.person(i % w.users)
		if q != nil && q.i != p.i && q.kind == employee && q.hasBox() && q.enabled {
			return q
		}
		if i > p.i+40*len(departments) {
			return w.person(0)
		}
	}
}

// graphRule turns a story's rule into Graph's object, with the folders of the mailbox.
func (w *world) graphRule(b *mailbox, id string, sequence int, r *tocsin.MailRule) obj {
	o := obj{{"id", id}, {"displayName", r.Name}, {"sequence", sequence}, {"isEnabled", r.Enabled}, {"hasError", r.HasError}, {"isReadOnly", r.ReadOnly}}
	if c := w.graphTerms(r.Conditions); len(c) > 0 {
		o = append(o, member{"conditions", c})
	}
	if a := w.graphActions(b, r); len(a) > 0 {
		o = append(o, member{"actions", a})
	}
	if e := w.graphTerms(r.Exceptions); len(e) > 0 {
		o = append(o, member{"exceptions", e})
	}
	return o
}

func (w *world) graphTerms(terms []tocsin.Term) obj {
	var o obj
	for _, t := range terms {
		o = append(o, member{camel(t.Name), w.graphValues(t)})
	}
	return o
}

func (w *world) graphValues(t tocsin.Term) any {
	name := camel(t.Name)
	list := make([]any, 0, len(t.Values))
	switch predicates[name] {
	case 'b':
		return true
	case 'e':
		return t.Values[0]
	case 'z':
		return sizeRange(t.Values[0])
	case 'r':
		for _, a := range t.Values {
			list = append(list, w.recipient(tocsin.Address{Address: a}))
		}
		return list
	}
	for _, s := range t.Values {
		if name == "senderContains" || name == "recipientContains" {
			s = strings.ToUpper(s) // as Exchange keeps them
		}
		list = append(list, s)
	}
	return list
}

// sizeRange reads "100" or "100-200", in kilobytes.
func sizeRange(s string) obj {
	low, high, _ := strings.Cut(s, "-")
	return obj{{"minimumSize", number(low)}, {"maximumSize", number(high)}}
}

func number(s string) int {
	n := 0
	for _, c := range strings.TrimSpace(s) {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// recipient is an address with the name the directory has for it.
func (w *world) recipient(a tocsin.Address) obj {
	if a.Name == "" {
		a.Name = a.Address
		if p := w.find(a.Address); p != nil {
			a.Name = p.display
		}
	}
	return recipient(a.Name, a.Address)
}

func (w *world) graphActions(b *mailbox, r *tocsin.MailRule) obj {
	var o obj
	flag := func(on bool, name string) {
		if on {
			o = append(o, member{name, true})
		}
	}
	to := func(list []tocsin.Address, name string) {
		var out []any
		for _, a := range list {
			out = append(out, w.recipient(a))
		}
		if out != nil {
			o = append(o, member{name, out})
		}
	}
	into := func(f *tocsin.Folder, name string) {
		if f != nil {
			o = append(o, member{name, w.folderID(b.p, w.storyFolder(b, f).n)})
		}
	}
	into(r.MoveTo, "moveToFolder")
	into(r.CopyTo, "copyToFolder")
	flag(r.Delete, "delete")
	flag(r.Purge, "permanentDelete")
	flag(r.MarkRead, "markAsRead")
	if r.Importance != "" {
		o = append(o, member{"markImportance", r.Importance})
	}
	if len(r.Categories) > 0 {
		var all []any
		for _, c := range r.Categories {
			all = append(all, c)
		}
		o = append(o, member{"assignCategories", all})
	}
	to(r.Forward, "forwardTo")
	to(r.Attach, "forwardAsAttachmentTo")
	to(r.Redirect, "redirectTo")
	flag(r.Stop, "stopProcessingRules")
	return o
}

// storyFolder is the folder a story means; one that is not there is made.
func (w *world) storyFolder(b *mailbox, f *tocsin.Folder) *folder {
	if strings.EqualFold(f.WellKnown, "rssfeeds") {
		return &b.folders[rssFolder]
	}
	if f.WellKnown != "" {
		if g := w.folder(b, f.WellKnown); g != nil {
			return g
		}
		return b.named(f.WellKnown)
	}
	return b.named(f.Name)
}

// camel turns subject_contains into subjectContains.
func camel(s string) string {
	parts := strings.Split(s, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}
