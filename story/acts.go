package story

import (
	"net/netip"
	"slices"
	"strings"
)

const verbs = "makes rule, changes rule, deletes rule, disables rule, enables rule, sets automatic reply, stops automatic reply, " +
	"signs in, receives, sends to, drafts mail, sends draft, reads mail, unreads mail, flags mail, unflags mail, categorises mail, moves mail, " +
	"deletes mail, purges mail, replies to mail, forwards mail, is blocked, is unblocked, becomes shared, runs, audits"

// act reads "day hh:mm who verb …".
func (p *parser) act(l *line) error {
	a := Act{Line: l.n, Args: map[string]string{}}
	var err error
	if a.At, err = l.when(); err != nil {
		return err
	}
	if n := len(p.story.Acts); n > 0 && a.At < p.story.Acts[n-1].At {
		return l.wrong("it happens before the act above", "acts in the order of time; mon+1 is Monday of the next week")
	}
	if a.Who, err = p.who(l); err != nil {
		return err
	}
	if err = p.verb(l, &a); err != nil {
		return err
	}
	p.story.Acts = append(p.story.Acts, a)
	return nil
}

// who takes a declared short name, an address, or anything in quotes.
func (p *parser) who(l *line) (string, error) {
	t := l.peek()
	if _, known := p.people[t.text]; known || t.quoted && t.text != "" || strings.Contains(t.text, "@") {
		return l.next().text, nil
	}
	return "", l.refuse("the short name of a person declared before, an address, or a name in quotes")
}

func (p *parser) verb(l *line, a *Act) error {
	if l.peek().quoted {
		return l.refuse(verbs)
	}
	switch first := l.peek().text; first {
	case "makes", "changes", "deletes", "disables", "enables":
		l.next()
		if first == "deletes" && l.take("mail") {
			a.Verb = DeletesMail
			return p.mailVerb(l, a)
		}
		if err := l.want("rule"); err != nil {
			return err
		}
		a.Verb = Verb(first + " rule")
		return p.ruleVerb(l, a)
	case "sets", "stops":
		l.next()
		return p.autoReply(l, a, first)
	case "signs":
		l.next()
		return p.signIn(l, a)
	case "receives":
		l.next()
		a.Verb = Receives
		return p.mail(l, a, "from")
	case "sends":
		l.next()
		if l.take("draft") {
			a.Verb = SendsDraft
			return p.mailVerb(l, a)
		}
		a.Verb = Sends
		return p.mail(l, a, "to")
	case "drafts", "reads", "unreads", "flags", "unflags", "categorises", "moves", "purges", "replies", "forwards":
		l.next()
		if first == "replies" {
			first = "replies to"
			if err := l.want("to"); err != nil {
				return err
			}
		}
		if err := l.want("mail"); err != nil {
			return err
		}
		a.Verb = Verb(first + " mail")
		return p.mailVerb(l, a)
	case "is", "becomes":
		l.next()
		return p.becomes(l, a, first)
	case "runs", "audits":
		l.next()
		a.Verb = Verb(first)
		return p.audit(l, a)
	}
	return l.refuse(verbs)
}

func (p *parser) becomes(l *line, a *Act, first string) error {
	switch v := Verb(first + " " + l.peek().text); v {
	case IsBlocked, IsUnblocked, BecomesShared:
		a.Verb = v
		l.next()
		return nil
	}
	if first == "is" {
		return l.refuse("blocked, unblocked")
	}
	return l.refuse("shared")
}

func (p *parser) autoReply(l *line, a *Act, first string) error {
	for _, w := range []string{"automatic", "reply"} {
		if err := l.want(w); err != nil {
			return err
		}
	}
	a.Verb = StopsAutoReply
	if first == "stops" {
		return nil
	}
	a.Verb = SetsAutoReply
	if !l.peek().quoted {
		return l.refuse("the reply in quotes")
	}
	a.Args["text"] = l.next().text
	return nil
}

func (p *parser) signIn(l *line, a *Act) error {
	a.Verb = SignsIn
	if err := l.want("in"); err != nil {
		return err
	}
	if err := l.want("from"); err != nil {
		return err
	}
	if err := l.origin(a.Args); err != nil {
		return err
	}
	for !l.done() {
		t := l.peek()
		key, value, ok := strings.Cut(t.text, "=")
		switch {
		case l.take("failing"):
			a.Args["result"] = "failure"
		case !t.quoted && (t.text == "app" || t.text == "agent"):
			l.next()
			name, err := l.word("a word or a text in quotes")
			if err != nil {
				return err
			}
			a.Args[t.text] = name
		case ok && !t.quoted && slices.Contains(signInKeys, key):
			if a.Params == nil {
				a.Params, a.Modified = map[string]string{}, map[string][2]string{}
			}
			if err := p.member(l, a, key, value); err != nil {
				return err
			}
			if len(a.Modified) > 0 {
				return l.refuse("a sign-in's facts as they are: KEY=VALUE without becoming")
			}
		default:
			return l.refuse("app, agent, failing, or one of " + strings.Join(signInKeys, "=, ") + "=")
		}
	}
	return nil
}

// signInKeys are what can be said of a sign-in besides.
var signInKeys = []string{"app_id", "asn", "client", "compliant", "credential", "device", "error", "kind", "mfa", "protocol", "reason", "requirement", "resource", "risk", "risk_state", "risk_types",
	"session", "system", "token"}

// origin takes IP, IP/COUNTRY or COUNTRY; in the place of a country also a town that is known.
func (l *line) origin(args map[string]string) error {
	ip, country, both := strings.Cut(l.peek().text, "/")
	if !both {
		if _, err := netip.ParseAddr(ip); err != nil {
			ip, country = "", ip
		}
	}
	if ip != "" {
		addr, err := netip.ParseAddr(ip)
		if err != nil || addr.Zone() != "" {
			return l.refuse(origins)
		}
		args["ip"] = addr.String()
	}
	place := PlaceOf(country)
	switch {
	case place != nil:
		args["city"], args["country"] = place.City, place.Country
	case country != "" || ip == "":
		if len(country) != 2 || !letter(country[0]) || !letter(country[1]) {
			return l.refuse(origins + ", or a town that is known: " + strings.Join(placeNames(), ", "))
		}
		args["country"] = country
	}
	l.next()
	return nil
}

const origins = "203.0.113.7, 203.0.113.7/NL or NL"

func letter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// mail reads "from A" or "to A, B", a subject, and what the mail says and holds.
func (p *parser) mail(l *line, a *Act, side string) error {
	if err := l.want(side); err != nil {
		return err
	}
	if side == "from" {
		one, err := p.address(l)
		if err != nil {
			return err
		}
		a.Args["from"] = one
	} else {
		all, err := p.addresses(l)
		if err != nil {
			return err
		}
		a.Args["to"] = strings.Join(all, ",")
	}
	for _, part := range mailParts {
		if !l.take(part.word) {
			continue
		}
		s, err := l.word(part.what)
		if err != nil {
			return err
		}
		a.Args[part.word] = s
	}
	return nil
}

// mailParts are what can be said of a mail, in their order.
var mailParts = []struct{ word, what string }{
	{"subject", "the subject in quotes"}, {"text", "the text in quotes"}, {"link", "the address that it links to"}, {"attaching", "the file's name in quotes"},
}

// mailVerb reads which mail is meant, by its subject, and what becomes of it.
func (p *parser) mailVerb(l *line, a *Act) error {
	if a.Verb == DraftsMail {
		return p.mail(l, a, "to")
	}
	if !l.peek().quoted {
		return l.refuse("the mail's subject in quotes")
	}
	a.Args["mail"] = l.next().text
	var err error
	switch a.Verb {
	case SortsMail:
		if err = l.want("as"); err == nil {
			a.Args["category"], err = l.word("a category in quotes")
		}
	case MovesMail:
		err = p.folder(l, &a.Folder)
	case RepliesTo:
		if l.take("all") {
			a.Args["all"] = "yes"
		}
	case ForwardsMail:
		var to []string
		if err = l.want("to"); err == nil {
			to, err = p.addresses(l)
			a.Args["to"] = strings.Join(to, ",")
		}
	}
	return err
}

const details = "from, as, on, target, workload, result, app, agent, or KEY=VALUE"

// audit reads an audit record: the operation, its details and its members.
func (p *parser) audit(l *line, a *Act) error {
	op, err := l.word("the operation, such as Set-Mailbox")
	if err != nil {
		return err
	}
	a.Args["operation"] = op
	a.Params, a.Modified = map[string]string{}, map[string][2]string{}
	for !l.done() {
		t := l.peek()
		if key, value, ok := strings.Cut(t.text, "="); ok && !t.quoted && key != "" {
			err = p.member(l, a, key, value)
		} else {
			err = p.detail(l, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) detail(l *line, a *Act) error {
	t := l.peek()
	if t.quoted {
		return l.refuse(details)
	}
	switch t.text {
	case "from":
		l.next()
		return l.origin(a.Args)
	case "as":
		l.next()
		switch kind := l.peek().text; kind {
		case "user", "admin", "service", "system", "app":
			a.Args["as"] = kind
			l.next()
			return nil
		}
		return l.refuse("user, admin, service, system, app")
	case "on", "target", "workload", "result", "app", "agent":
		l.next()
		v, err := l.word("a word or a text in quotes")
		if addr, ok := p.people[v]; ok && (t.text == "on" || t.text == "target") {
			v = addr
		}
		a.Args[t.text] = v
		return err
	}
	return l.refuse(details)
}

// member takes KEY=VALUE, KEY="VALUE" or either followed by becoming "NEW".
func (p *parser) member(l *line, a *Act, key, value string) error {
	l.next()
	if value == "" && l.peek().quoted && l.peek().tight {
		value = l.next().text
	}
	if !l.take("becoming") {
		a.Params[key] = value
		return nil
	}
	now, err := l.word("what it became")
	a.Modified[key] = [2]string{value, now}
	return err
}
