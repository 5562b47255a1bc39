package query

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin.dev/mail"
)

// Match matches the query against what is known of a mail. why says of Yes by which terms, each with what it met; of Unknown which
// terms are open; of No nothing.
func (q *Query) Match(d *Doc) (t Truth, why []string) {
	w := &walk{doc: d, work: MaxWork}
	t = w.eval(q.root)
	switch t {
	case Yes:
		w.why = true
		w.reasons(q.root)
	case Unknown:
		for _, term := range w.openTerms(q.root) {
			w.said = append(w.said, term.String()+" is not known: "+w.because(term))
		}
	}
	return t, w.said
}

// Needs is what to read next of a mail to decide; 0 where all is decided, or where nothing that could be read would decide it. It is the
// cheapest that may decide: ask again after it was read.
func (q *Query) Needs(d *Doc) Need {
	w := &walk{doc: d, work: MaxWork}
	if w.eval(q.root) != Unknown {
		return 0
	}
	least := Need(0)
	for _, t := range w.openTerms(q.root) {
		if n := cheapest(t.needs() &^ d.Known); n != 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// Reads is all that the query may have to read of a mail.
func (q *Query) Reads() Need {
	var n Need
	q.root.each(func(t *term) { n |= t.needs() })
	return n
}

// Parts is all that must be read of a mail's bytes to match the query.
func (q *Query) Parts() mail.Parts {
	var parts mail.Parts
	q.root.each(func(t *term) {
		switch t.prop.form {
		case formURL, formDomain:
			parts |= mail.ReadLinks | mail.ReadInside | mail.ReadQR
		case formFile:
			parts |= mail.ReadInside
		case formHash:
			parts |= mail.ReadHashes | mail.ReadInside
		case formWords:
			if t.prop == anywhere {
				parts |= mail.ReadText | mail.ReadInside
			} else if t.prop.name == "body" {
				parts |= mail.ReadText
			}
		}
	})
	return parts
}

func (n *node) each(do func(*term)) {
	if n.op == word {
		do(n.term)
	}
	for _, k := range n.kids {
		k.each(do)
	}
}

func cheapest(n Need) Need { return n & -n }

func (t *term) needs() Need { return t.prop.need }

// walk is one matching.
type walk struct {
	doc  *Doc
	work int // instructions times letters that expressions may still take
	why  bool
	said []string
	met  string // what the last term met
	memo map[*term]Truth
}

func (w *walk) eval(n *node) Truth {
	switch n.op {
	case not:
		return Yes - w.eval(n.kids[0])
	case and:
		t := Yes
		for _, pass := range []bool{false, true} { // what the envelope decides first
			for _, k := range n.kids {
				if k.cheap() == pass {
					continue
				}
				if t = min(t, w.eval(k)); t == No {
					return No
				}
			}
		}
		return t
	case or:
		t := No
		for _, pass := range []bool{false, true} {
			for _, k := range n.kids {
				if k.cheap() == pass {
					continue
				}
				if t = max(t, w.eval(k)); t == Yes {
					return Yes
				}
			}
		}
		return t
	}
	return w.term(n.term)
}

// cheap says whether a node is decided by the envelope.
func (n *node) cheap() bool {
	if n.op == word {
		return n.term.needs() == 0 && n.term.re == nil
	}
	for _, k := range n.kids {
		if !k.cheap() {
			return false
		}
	}
	return true
}

// reasons collects what the terms that make n true met.
func (w *walk) reasons(n *node) {
	switch n.op {
	case not:
		w.said = append(w.said, (&Query{n}).String())
	case and, or:
		for _, k := range n.kids {
			if w.eval(k) == Yes {
				w.reasons(k)
			}
		}
	default:
		w.met = ""
		delete(w.memo, n.term)
		if w.term(n.term) == Yes && len(w.said) < 50 {
			said := n.term.String()
			if w.met != "" {
				said += " (" + w.met + ")"
			}
			if !slices.Contains(w.said, said) {
				w.said = append(w.said, said)
			}
		}
	}
}

// openTerms are the terms of n that are not known and on which it hangs.
func (w *walk) openTerms(n *node) []*term {
	if w.eval(n) != Unknown {
		return nil
	}
	if n.op == word {
		return []*term{n.term}
	}
	var out []*term
	for _, k := range n.kids {
		out = append(out, w.openTerms(k)...)
	}
	return out
}

// because says in words why a term is not known.
func (w *walk) because(t *term) string {
	if missing := t.needs() &^ w.doc.Known; missing != 0 {
		return missing.String() + " not read"
	}
	if t.prop.form == formDate {
		return "the mail has no such date"
	}
	return "the mail could not be read whole"
}

// String names what is read.
func (n Need) String() string {
	var out []string
	for i, name := range []string{"the header", "the body", "the list of attachments", "the attachments"} {
		if n&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// term matches a term, once.
func (w *walk) term(t *term) Truth {
	if v, ok := w.memo[t]; ok {
		return v
	}
	v := w.match(t)
	if w.memo == nil {
		w.memo = map[*term]Truth{}
	}
	w.memo[t] = v
	return v
}

// miss is what a term that was not met is: No where all was read that it could stand in.
func (w *walk) miss(t *term, lost mail.Lost) Truth {
	if t.needs()&^w.doc.Known != 0 || w.doc.Lost&lost != 0 {
		return Unknown
	}
	return No
}

func (w *walk) match(t *term) Truth {
	d := w.doc
	switch t.prop {
	case anywhere:
		return w.anywhere(t)
	}
	switch t.prop.form {
	case formAddress:
		for _, a := range w.addresses(t.prop.name) {
			if t.address(w, a) {
				w.met = a.String()
				return Yes
			}
		}
		return w.miss(t, mail.LostHeader)
	case formDate:
		return w.date(t)
	case formSize:
		if d.Size == 0 && d.Known&Hashes == 0 {
			return Unknown
		}
		return Is(d.Size >= t.least && (t.most < 0 || d.Size <= t.most))
	case formBool:
		if d.HasAttachments == Unknown || t.yes {
			return d.HasAttachments
		}
		return Yes - d.HasAttachments
	case formURL, formDomain:
		return w.links(t)
	}
	switch name := t.prop.name; name {
	case "subject":
		return w.text(t, "subject", d.Subject, mail.LostHeader)
	case "body":
		v := w.text(t, "body", d.Text, mail.LostText)
		if v != Yes && d.Known&Body != 0 {
			v = max(v, w.text(t, "other", d.Other, mail.LostText))
		}
		return v
	case "importance":
		if d.Importance == "" {
			return Unknown
		}
		return w.exact(t, d.Importance)
	case "messageid":
		if d.MessageID == "" && d.Lost&mail.LostHeader != 0 {
			return Unknown
		}
		return w.exact(t, strings.Trim(d.MessageID, "<>"))
	case "attachment", "attachment.type", "attachment.sha256":
		return w.files(t)
	}
	return w.header(t)
}

// addresses are those that a property names.
func (w *walk) addresses(name string) []mail.Address {
	d := w.doc
	switch name {
	case "from":
		return d.From
	case "sender":
		return d.Sender
	case "replyto":
		return d.ReplyTo
	case "to":
		return d.To
	case "cc":
		return d.Cc
	case "bcc":
		return d.Bcc
	case "recipients":
		return slices.Concat(d.To, d.Cc, d.Bcc)
	}
	return slices.Concat(d.From, d.Sender, d.ReplyTo, d.To, d.Cc, d.Bcc)
}

// address compares with one address: whole where the term has an @, by domain where it is one, else by words.
func (t *term) address(w *walk, a mail.Address) bool {
	at := strings.ToLower(strings.TrimSpace(a.Address))
	switch {
	case t.re != nil:
		return w.expression(t, at) || w.expression(t, a.Name) || w.expression(t, a.Name+" <"+at+">")
	case t.text == "":
		return at != "" || a.Name != ""
	case strings.HasPrefix(t.text, "@"):
		return inDomain(a.Domain(), t.text[1:], t.star)
	case strings.Contains(t.text, "@"):
		return at == t.text || t.star && strings.HasPrefix(at, t.text)
	case strings.Contains(t.text, ".") && !strings.Contains(t.text, " ") && inDomain(a.Domain(), t.text, t.star):
		return true
	}
	return t.in(foldText(a.Name)) || t.in(foldText(at))
}

// inDomain says whether host is domain or in it; begins is for a domain's beginning.
func inDomain(host, domain string, begins bool) bool {
	return host == domain || strings.HasSuffix(host, "."+domain) || begins && strings.HasPrefix(host, domain)
}

// in looks for the term's words in folded text.
func (t *term) in(folded string) bool {
	want := t.folded
	if t.star {
		want = strings.TrimSuffix(want, " ")
	}
	return strings.Contains(folded, want)
}

// text looks for a term in a text of the mail.
func (w *walk) text(t *term, name, text string, lost mail.Lost) Truth {
	switch {
	case t.re != nil:
		if w.expression(t, text) {
			return Yes
		}
		if w.work <= 0 {
			return Unknown
		}
	case t.text == "":
		if strings.TrimSpace(text) != "" {
			return Yes
		}
	case t.in(w.doc.fold(name, text)):
		return Yes
	}
	return w.miss(t, lost)
}

// expression matches an expression, for as long as there is work left; met is what it met.
func (w *walk) expression(t *term, text string) bool {
	if most := w.work / t.size; len(text) > most {
		text = text[:max(0, most)]
		w.work = 0
	} else {
		w.work -= len(text) * t.size
	}
	at := t.re.FindStringIndex(text)
	if at == nil {
		return false
	}
	w.met = clip(text[at[0]:at[1]])
	return true
}

// clip is a text on a line of at most 120 bytes.
func clip(s string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 400)]), " ")
	if len(s) > 120 {
		cut := 120
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

func (w *walk) exact(t *term, value string) Truth {
	if t.re != nil {
		return Is(w.expression(t, value))
	}
	if t.star {
		return Is(len(value) >= len(t.text) && strings.EqualFold(value[:len(t.text)], t.text))
	}
	return Is(strings.EqualFold(value, t.text))
}

// anywhere looks where Outlook looks for a word: subject, names and addresses, text, names of files.
func (w *walk) anywhere(t *term) Truth {
	d := w.doc
	if w.text(t, "subject", d.Subject, 0) == Yes {
		w.met = "in the subject"
		return Yes
	}
	for _, a := range w.addresses("participants") {
		if t.re == nil && (t.in(foldText(a.Name)) || t.in(foldText(a.Address))) || t.re != nil && w.expression(t, a.String()) {
			w.met = a.String()
			return Yes
		}
	}
	if w.text(t, "body", d.Text, 0) == Yes || w.text(t, "other", d.Other, 0) == Yes {
		if w.met == "" {
			w.met = "in the text"
		}
		return Yes
	}
	if name, ok := w.file(t, d.Attachments, func(t *term, a *mail.Attachment) bool { return w.name(t, a) }); ok {
		w.met = name
		return Yes
	}
	if w.work <= 0 {
		return Unknown
	}
	return w.miss(t, mail.LostHeader|mail.LostText|mail.LostAttachments|mail.LostInside)
}

// file finds a file that does, here or in what is inside.
func (w *walk) file(t *term, all []mail.Attachment, does func(*term, *mail.Attachment) bool) (string, bool) {
	for i := range all {
		if does(t, &all[i]) {
			return clip(all[i].Name), true
		}
		if name, ok := w.file(t, all[i].Inside, does); ok {
			return name + " in " + clip(all[i].Name), true
		}
	}
	return "", false
}

func (w *walk) name(t *term, a *mail.Attachment) bool {
	switch {
	case t.re != nil:
		return w.expression(t, a.Name)
	case t.text == "":
		return true
	case strings.HasPrefix(t.text, "*.") && t.folded == "":
		return strings.HasSuffix(strings.ToLower(strings.TrimRight(a.Name, ". ")), strings.ToLower(t.text[1:]))
	}
	return t.in(foldText(a.Name))
}

func (w *walk) files(t *term) Truth {
	d := w.doc
	does, lost := w.name, mail.LostAttachments|mail.LostInside
	switch t.prop.name {
	case "attachment.type":
		lost = mail.LostAttachments
		does = func(t *term, a *mail.Attachment) bool { return w.exact(t, a.Type) == Yes }
	case "attachment.sha256":
		does = func(t *term, a *mail.Attachment) bool { return a.SHA256 == t.text }
	}
	if name, ok := w.file(t, d.Attachments, does); ok {
		w.met = name
		return Yes
	}
	return w.miss(t, lost)
}

func (w *walk) links(t *term) Truth {
	for _, l := range w.doc.Links {
		hit := false
		switch {
		case t.prop.form == formDomain && t.re != nil:
			hit = w.expression(t, l.Host)
		case t.prop.form == formDomain:
			hit = inDomain(l.Host, t.text, false) || t.star && strings.HasPrefix(l.Domain, t.text)
		case t.re != nil:
			hit = w.expression(t, l.URL) || l.Original != "" && w.expression(t, l.Original)
		default:
			hit = strings.Contains(strings.ToLower(l.URL), t.text) || l.Original != "" && strings.Contains(strings.ToLower(l.Original), t.text)
		}
		if hit {
			w.met = clip(l.URL)
			switch l.Where {
			case mail.InQR:
				w.met += " in a QR code"
			case mail.InAttachment:
				w.met += " in an attachment"
			}
			return Yes
		}
	}
	if w.work <= 0 {
		return Unknown
	}
	return w.miss(t, mail.LostText|mail.LostLinks|mail.LostInside|mail.LostAttachments)
}

func (w *walk) header(t *term) Truth {
	name := strings.TrimPrefix(t.prop.name, "header.")
	for _, f := range w.doc.Headers {
		if strings.EqualFold(f.Name, name) && (t.text == "" || t.re == nil && t.in(foldText(f.Value)) || t.re != nil && w.expression(t, f.Value)) {
			w.met = clip(f.Value)
			return Yes
		}
	}
	if w.work <= 0 {
		return Unknown
	}
	return w.miss(t, mail.LostHeader)
}

func (w *walk) date(t *term) Truth {
	at := w.doc.Received
	if t.prop.name == "sent" {
		at = w.doc.Sent
	}
	from, to, ok := t.span(w.doc.Now)
	if at.IsZero() || !ok {
		return Unknown
	}
	w.met = fmt.Sprint(at.UTC().Format("2006-01-02 15:04 UTC"))
	return Is((from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to)))
}
