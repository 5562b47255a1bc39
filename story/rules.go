package story

import (
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
)

// values says what stands after a condition's name.
type values int

const (
	none values = iota // nothing: the condition is true
	words
	addresses
	single // one word, such as high
)

// terms are the conditions and exceptions of a rule, by the snake_case names of Microsoft's predicates.
// See https://learn.microsoft.com/graph/api/resources/messagerulepredicates.
var terms = map[string]values{
	"subject_contains": words, "body_contains": words, "body_or_subject_contains": words, "header_contains": words,
	"sender_contains": words, "recipient_contains": words, "categories": words,
	"from_addresses": addresses, "sent_to_addresses": addresses,
	"importance": single, "sensitivity": single, "message_action_flag": single, "within_size_range": single,
	"has_attachments": none, "is_approval_request": none, "is_automatic_forward": none, "is_automatic_reply": none,
	"is_encrypted": none, "is_meeting_request": none, "is_meeting_response": none, "is_non_delivery_report": none,
	"is_permission_controlled": none, "is_read_receipt": none, "is_signed": none, "is_voicemail": none,
	"not_sent_to_me": none, "sent_cc_me": none, "sent_only_to_me": none, "sent_to_me": none, "sent_to_or_cc_me": none,
}

const ruleWords = "disabled, readonly, broken, when, except, forward to, redirect to, attach to, move to, copy to, " +
	"delete, purge, mark read, mark high, mark low, mark normal, categorise, stop"

func (p *parser) ruleVerb(l *line, a *Act) error {
	if !l.peek().quoted {
		return l.refuse("the rule's name in quotes")
	}
	name := l.next().text
	a.Args["name"] = name
	if a.Verb != MakesRule && a.Verb != ChangesRule {
		return nil
	}
	r := &tocsin.MailRule{Name: name, Enabled: true}
	if err := p.rule(l, r); err != nil {
		return err
	}
	if empty := acts(r) == 0; empty && !r.ReadOnly {
		return l.wrong("the rule does nothing", "an action such as delete; or readonly, where the rule is opaque")
	}
	a.Rule = r
	return nil
}

// acts counts what the rule does.
func acts(r *tocsin.MailRule) int {
	n := len(r.Forward) + len(r.Redirect) + len(r.Attach) + len(r.Categories) + len(r.Importance)
	for _, done := range []bool{r.MoveTo != nil, r.CopyTo != nil, r.Delete, r.Purge, r.MarkRead, r.Stop} {
		if done {
			n++
		}
	}
	return n
}

// rule reads what follows a rule's name.
func (p *parser) rule(l *line, r *tocsin.MailRule) error {
	var into *[]tocsin.Term // conditions, exceptions, or neither
	for !l.done() {
		l.take("and")
		t := l.peek()
		if t.quoted || l.done() {
			return l.refuse(ruleWords)
		}
		if into != nil {
			if kind, ok := terms[t.text]; ok {
				if err := p.term(l, kind, into); err != nil {
					return err
				}
				continue
			}
		}
		switch {
		case l.take("when"):
			into = &r.Conditions
		case l.take("except"):
			into = &r.Exceptions
		default:
			into = nil
			if err := p.action(l, r); err != nil {
				return err
			}
			continue
		}
		if _, ok := terms[l.peek().text]; !ok || l.peek().quoted {
			return l.refuse(strings.Join(slices.Sorted(maps.Keys(terms)), ", "))
		}
	}
	return nil
}

func (p *parser) term(l *line, kind values, into *[]tocsin.Term) error {
	t := tocsin.Term{Name: l.next().text}
	var err error
	switch kind {
	case none:
		t.Values = []string{"true"}
	case words:
		t.Values, err = l.list("words in quotes")
	case addresses:
		t.Values, err = p.addresses(l)
	case single:
		var one string
		one, err = l.word("one word")
		t.Values = []string{one}
	}
	*into = append(*into, t)
	return err
}

// action reads one action, or a flag of the rule.
func (p *parser) action(l *line, r *tocsin.MailRule) error {
	switch {
	case l.take("disabled"):
		r.Enabled = false
	case l.take("readonly"):
		r.ReadOnly = true
	case l.take("broken"):
		r.HasError = true
	case l.take("delete"):
		r.Delete = true
	case l.take("purge"):
		r.Purge = true
	case l.take("stop"):
		r.Stop = true
	case l.take("forward"):
		return p.send(l, &r.Forward)
	case l.take("redirect"):
		return p.send(l, &r.Redirect)
	case l.take("attach"):
		return p.send(l, &r.Attach)
	case l.take("move"):
		return p.folder(l, &r.MoveTo)
	case l.take("copy"):
		return p.folder(l, &r.CopyTo)
	case l.take("mark"):
		return p.mark(l, r)
	case l.take("categorise"):
		all, err := l.list("categories in quotes")
		r.Categories = append(r.Categories, all...)
		return err
	default:
		return l.refuse(ruleWords)
	}
	return nil
}

func (p *parser) mark(l *line, r *tocsin.MailRule) error {
	if l.take("read") {
		r.MarkRead = true
		return nil
	}
	switch w := l.peek().text; w {
	case "high", "low", "normal":
		r.Importance = w
		l.next()
		return nil
	}
	return l.refuse("read, high, low, normal")
}

func (p *parser) send(l *line, into *[]tocsin.Address) error {
	if err := l.want("to"); err != nil {
		return err
	}
	all, err := p.addresses(l)
	for _, a := range all {
		*into = append(*into, tocsin.Address{Address: a})
	}
	return err
}

func (p *parser) folder(l *line, into **tocsin.Folder) error {
	if err := l.want("to"); err != nil {
		return err
	}
	named := l.peek().quoted
	f, err := l.word("a folder's name in quotes, or a well-known name such as rssfeeds")
	*into = &tocsin.Folder{WellKnown: f}
	if named {
		*into = &tocsin.Folder{Name: f}
	}
	return err
}
