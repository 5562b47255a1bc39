package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// box is the mailbox a path names, for reading; or the answer that there is none for this application.
func (s *Sim) box(r *request) (*person, *reply) {
	p := s.world.find(r.vars[0])
	var bad reply
	switch {
	case p == nil:
		bad = s.refuse(r, http.StatusNotFound, "ErrorInvalidUser", "The requested user '%s' is invalid.", r.vars[0])
	case !p.hasBox():
		bad = s.refuse(r, http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
	case p.scopedOut:
		bad = s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access to OData is disabled.")
	default:
		if no := s.mayEnter(r, p); no != nil {
			return nil, no
		}
		return p, nil
	}
	return nil, &bad
}

// ofInbox says whether the path's folder is the inbox, which alone has rules.
func (s *Sim) ofInbox(r *request, p *person) *reply {
	if strings.EqualFold(r.vars[1], "inbox") || r.vars[1] == s.world.folderID(p.i, inbox) {
		return nil
	}
	if s.world.folder(s.world.look(p), r.vars[1]) == nil {
		bad := s.notFound(r, r.vars[1])
		return &bad
	}
	bad := s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "Rules are supported for the Inbox folder only.")
	return &bad
}

func ruleContext(p *person, folder string) string {
	return "users('" + p.id + "')/mailFolders('" + folder + "')/messageRules"
}

// rules answers the list that is asked most of all; without a query it is written from what is encoded already.
func (s *Sim) rules(r *request) reply {
	p, bad := s.box(r)
	if bad == nil {
		bad = s.ofInbox(r, p)
	}
	if bad != nil {
		return *bad
	}
	if len(r.query) > 0 {
		b := s.world.look(p)
		return s.list(r, list{context: ruleContext(p, r.vars[1]), props: ruleProperties, total: len(b.rules),
			at: func(i int) (item, bool) { return whole(b.rules[i].o), true }})
	}
	b := r.context(ruleContext(p, r.vars[1]))
	b = append(b, `,"value":[`...)
	if box, ok := s.world.boxes[p.i]; ok {
		b = append(b, box.encoded...)
	} else if p.i < s.world.users {
		for i, rule := range s.world.seededRules(p) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, rule.json...)
		}
	}
	return ok(append(b, "]}"...))
}

func (s *Sim) findRule(r *request) (*person, *mailbox, int, *reply) {
	p, bad := s.box(r)
	if bad == nil {
		bad = s.ofInbox(r, p)
	}
	if bad != nil {
		return nil, nil, 0, bad
	}
	b := s.world.look(p)
	i := b.ruleAt(r.vars[2])
	if i < 0 {
		out := s.notFound(r, r.vars[2])
		return nil, nil, 0, &out
	}
	return p, b, i, nil
}

func (s *Sim) oneRule(r *request) reply {
	p, b, i, bad := s.findRule(r)
	if bad != nil {
		return *bad
	}
	return s.object(r, ruleContext(p, r.vars[1]), ruleProperties, nil, whole(b.rules[i].o))
}

func (s *Sim) postRule(r *request) reply {
	p, bad := s.box(r)
	if bad == nil {
		bad = s.ofInbox(r, p)
	}
	if bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	if why := s.wrongRule(p, in, true); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidArgument", "%s", why)
	}
	b := s.world.open(p)
	id := s.world.ruleID(p.i, b.ruled+1)
	o := obj{{"id", id}, {"displayName", in.text("displayName")}, {"sequence", len(b.rules) + 1}, {"isEnabled", true}, {"hasError", false}, {"isReadOnly", false}}
	o = merge(o, in)
	if err := s.tellRule("rule.created", "graph", p, o); err != nil {
		return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
	}
	b.ruled++
	b.rules = append(b.rules, newRule(o))
	b.encode()
	return reply{status: http.StatusCreated, body: r.entity(ruleContext(p, r.vars[1])+"/$entity", o)}
}

func (s *Sim) patchRule(r *request) reply {
	p, b, i, bad := s.findRule(r)
	if bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	if why := s.wrongRule(p, in, false); why != "" {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidArgument", "%s", why)
	}
	if b.rules[i].readOnly() {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The rule is read-only and cannot be modified.")
	}
	o := merge(b.rules[i].o.clone(), in)
	if err := s.tellRule("rule.updated", "graph", p, o); err != nil {
		return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
	}
	b = s.world.open(p)
	b.rules[i] = newRule(o)
	b.encode()
	return ok(r.entity(ruleContext(p, r.vars[1])+"/$entity", o))
}

func (s *Sim) deleteRule(r *request) reply {
	p, b, i, bad := s.findRule(r)
	if bad != nil {
		return *bad
	}
	if b.rules[i].readOnly() {
		return s.refuse(r, http.StatusBadRequest, "ErrorInvalidRequest", "The rule is read-only and cannot be deleted.")
	}
	if err := s.tellRule("rule.deleted", "graph", p, b.rules[i].o); err != nil {
		return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
	}
	b = s.world.open(p)
	b.rules = slices.Delete(b.rules, i, i+1)
	b.encode()
	return reply{status: http.StatusNoContent}
}

// merge puts what was sent into the rule; its sequence is a number, what is null goes.
func merge(o, in obj) obj {
	for _, m := range in {
		switch m.k {
		case "id", "isReadOnly", "hasError":
			continue
		case "sequence":
			m.v = number(string(appendJSON(nil, m.v)))
		case "conditions", "exceptions":
			m.v = upperSenders(m.v)
		}
		if m.v == nil {
			o = o.without(m.k)
			continue
		}
		o = o.set(m.k, m.v)
	}
	return o
}

// upperSenders writes sender words in capitals, as Exchange keeps them.
func upperSenders(v any) any {
	o, ok := v.(obj)
	if !ok {
		return v
	}
	o = o.clone()
	for i, m := range o {
		if m.k != "senderContains" && m.k != "recipientContains" {
			continue
		}
		var up []any
		for _, e := range elements(m.v) {
			s, _ := e.(string)
			up = append(up, strings.ToUpper(s))
		}
		o[i].v = up
	}
	return o
}

// wrongRule says what is wrong with a rule that was sent; "" for nothing.
func (s *Sim) wrongRule(p *person, in obj, whole bool) string {
	for _, m := range in {
		if _, known := ruleProperties[m.k]; !known && !strings.HasPrefix(m.k, "@odata.") {
			return "The property '" + m.k + "' does not exist on type 'microsoft.graph.messageRule'."
		}
	}
	if whole && in.text("displayName") == "" {
		return "The property 'displayName' is required when creating the entity."
	}
	for name, known := range map[string]map[string]byte{"conditions": predicates, "exceptions": predicates, "actions": actions} {
		v, has := in.get(name)
		o, isObject := v.(obj)
		if !isObject {
			if name == "actions" && whole || has && v != nil {
				return "The property '" + name + "' is required to be an object."
			}
			continue
		}
		for _, m := range o {
			if why := s.wrongPart(p, m, known); why != "" {
				return why
			}
		}
	}
	return ""
}

func (s *Sim) wrongPart(p *person, m member, known map[string]byte) string {
	if strings.HasPrefix(m.k, "@odata.") || m.v == nil {
		return ""
	}
	kind, ok := known[m.k]
	if !ok {
		return "The property '" + m.k + "' does not exist on type 'microsoft.graph.messageRulePredicates' or 'messageRuleActions'."
	}
	right := true
	switch kind {
	case 'b':
		_, right = m.v.(bool)
	case 's':
		for _, e := range elements(m.v) {
			_, text := e.(string)
			right = right && text
		}
		_, list := m.v.([]any)
		right = right && list
	case 'r':
		for _, e := range elements(m.v) {
			o, _ := e.(obj)
			inner, _ := o.get("emailAddress")
			address, _ := inner.(obj)
			right = right && strings.Contains(address.text("address"), "@")
		}
	case 'f':
		id, _ := m.v.(string)
		if s.world.folder(s.world.look(p), id) == nil {
			return "The folder '" + id + "' of '" + m.k + "' was not found."
		}
	case 'e':
		_, right = m.v.(string)
	case 'z':
		_, right = m.v.(obj)
	}
	if !right {
		return "The value of '" + m.k + "' has the wrong type."
	}
	return ""
}

// tellRule writes a rule's change to the truth.
func (s *Sim) tellRule(what, by string, p *person, o obj) error {
	return s.tell(Truth{Change: what, Mailbox: p.mail, Person: p.id, ID: o.text("id"), By: by, Detail: appendObject(nil, o)})
}

func (s *Sim) getSettings(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	q, bad := s.asks(r, settingsProperties)
	if bad != nil {
		return *bad
	}
	b := r.context("users('" + p.id + "')/mailboxSettings" + q.shape())
	for _, m := range s.world.settings(p) {
		if len(q.sel) == 0 || slices.Contains(q.sel, m.k) {
			b = append(appendString(append(b, ','), m.k), ':')
			b = appendJSON(b, m.v)
		}
	}
	return ok(append(b, '}'))
}

func (s *Sim) patchSettings(r *request) reply {
	p, bad := s.box(r)
	if bad != nil {
		return *bad
	}
	in, err := parseObject(r.body)
	if err != nil || len(in) == 0 {
		return s.refuse(r, http.StatusBadRequest, "RequestBodyRead", "The request body is not a JSON object.")
	}
	changed := obj{}
	for _, m := range in {
		if strings.HasPrefix(m.k, "@odata.") {
			continue
		}
		if _, known := settingsProperties[m.k]; !known || m.k == "id" || m.k == "userPurpose" || m.k == "archiveFolder" {
			return s.refuse(r, http.StatusBadRequest, "ErrorInvalidProperty", "The property '%s' cannot be set.", m.k)
		}
		changed = append(changed, m)
	}
	if err := s.setSettings(p, "graph", changed); err != nil {
		return s.refuse(r, http.StatusInternalServerError, "UnknownError", "The truth cannot be written.")
	}
	return ok(r.entity("users('"+p.id+"')/mailboxSettings", changed))
}

// setSettings changes a mailbox's settings; parts of an object that are not named stay as they were.
func (s *Sim) setSettings(p *person, by string, in obj) error {
	if err := s.tell(Truth{Change: "settings.updated", Mailbox: p.mail, Person: p.id, ID: p.id, By: by, Detail: appendObject(nil, in)}); err != nil {
		return err
	}
	now := s.world.settings(p)
	b := s.world.open(p)
	for _, m := range in {
		old, _ := now.get(m.k)
		before, isObject := old.(obj)
		after, isNew := m.v.(obj)
		if isObject && isNew {
			before = before.clone()
			for _, n := range after {
				before = before.set(n.k, n.v)
			}
			m.v = before
		}
		b.settings = b.settings.set(m.k, m.v)
	}
	return nil
}

// stamp is a time as Graph writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
