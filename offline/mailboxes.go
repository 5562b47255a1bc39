package offline

import (
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
)

const (
	maxMailboxes = 100_000 // with rules that send mail on
	maxListed    = 200_000 // entries of the directory that the log itself tells of
)

// mailboxes is the state of inbox rules as far as the log tells it, for what only shows across mailboxes, and the contacts
// and accounts it tells of, for where an address leads.
type mailboxes struct {
	mem   detect.Memory // of its own: a rule's record is read for the events and for the state
	by    map[string]*detect.Mailbox
	told  map[string]tocsin.Evidence // rule's id → the record that told of it last
	known map[string]detect.Known
}

func newMailboxes() *mailboxes {
	return &mailboxes{by: map[string]*detect.Mailbox{}, told: map[string]tocsin.Evidence{}, known: map[string]detect.Known{}}
}

// see takes a record into the state.
func (m *mailboxes) see(o *detect.Org, r *detect.Record) {
	m.list(r)
	c, ok := rule.InboxRuleChange(&m.mem, r)
	if !ok {
		return
	}
	state := c.State(o, r)
	now := state.Rules[0]
	key := strings.ToLower(c.Mailbox)
	box, ok := m.by[key]
	if !ok {
		if len(now.Targets()) == 0 || now.Deleted() || len(m.by) >= maxMailboxes {
			return
		}
		box = state
		box.Rules = nil
		m.by[key] = box
	}
	box.Rules = slices.DeleteFunc(box.Rules, func(old detect.Rule) bool { return old.ID == now.ID })
	if len(now.Targets()) > 0 && !now.Deleted() {
		now.Changed = r.Time
		box.Rules = append(box.Rules, now)
		m.told[now.ID] = tocsin.Evidence{ID: r.ID, Source: "audit_log", What: r.Operation + " by " + r.Actor}
	}
}

// list notes contacts, whose own address is outside, and when accounts were made.
func (m *mailboxes) list(r *detect.Record) {
	if len(m.known) >= maxListed {
		return
	}
	names, k := audit.Told(r)
	for _, n := range names {
		m.known[n] = k
	}
}

func (m *mailboxes) lookup(address string) detect.Known { return m.known[address] }

// across judges what shows across mailboxes; the findings rest on the records that told of the rules.
func (m *mailboxes) across(o *detect.Org) []tocsin.Finding {
	list := make([]*detect.Mailbox, 0, len(m.by))
	for _, box := range m.by {
		list = append(list, box)
	}
	slices.SortFunc(list, func(a, b *detect.Mailbox) int { return strings.Compare(a.Address, b.Address) })
	found := rule.Across(o, list)
	for i := range found {
		for j, e := range found[i].Evidence {
			if told, ok := m.told[e.ID]; ok {
				told.Raw = e.Raw
				found[i].Evidence[j] = told
			}
		}
	}
	return found
}
