package sim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/story"
)

// What somebody may do in the mailboxes of others: Full Access opens one, Send As and Send on Behalf let them send from it.
// https://learn.microsoft.com/graph/outlook-share-messages-folders, https://learn.microsoft.com/graph/outlook-send-mail-from-other-user

// The rights that [Sim.Share] gives.
const (
	FullAccess   = "full"
	SendAs       = "send-as"
	SendOnBehalf = "send-on-behalf"
)

// Share gives an account (a key of [Sim.Accounts], a user principal name or an id) these rights on a mailbox, in place of those it had; none takes them all.
func (s *Sim) Share(mailbox, account string, rights ...string) error {
	for _, r := range rights {
		if !slices.Contains([]string{FullAccess, SendAs, SendOnBehalf}, r) {
			return fmt.Errorf("sim: there is no right %q", r)
		}
	}
	a, ok := s.account(account)
	if !ok {
		return fmt.Errorf("sim: nobody signs in as %q", account)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(mailbox)
	if p == nil || !p.hasBox() {
		return fmt.Errorf("sim: there is no mailbox %q", mailbox)
	}
	of := s.world.rightsOf(p)
	for right, list := range map[string]*[]string{FullAccess: &of.full, SendAs: &of.sendAs, SendOnBehalf: &of.behalf} {
		*list = slices.DeleteFunc(slices.Clone(*list), func(name string) bool { return s.world.means(name, a.ID, a.UPN) })
		if slices.Contains(rights, right) {
			*list = append(*list, a.UPN)
		}
	}
	return nil
}

// AddShared makes a shared mailbox of that name and local part, and gives its address: one that is there stays.
func (s *Sim) AddShared(name, local string) (address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	address = local + "@" + s.world.domain
	if p := s.world.find(address); p != nil {
		if !p.hasBox() {
			return "", errors.New("sim: " + address + " has no mailbox")
		}
		return address, nil
	}
	_, err = s.settleIn(address, name, local, &story.Decl{Flags: []story.Flag{story.Shared}})
	return address, err
}

// means says whether a name that a right was given to is an account's.
func (w *world) means(name, id, upn string) bool {
	if strings.EqualFold(name, id) || strings.EqualFold(name, upn) {
		return true
	}
	p := w.find(name)
	return p != nil && strings.EqualFold(p.id, id)
}

// given are the rights on a mailbox, for reading.
func (w *world) given(p *person) rights {
	if r := w.rights[p.i]; r != nil {
		return *r
	}
	return rights{}
}

// delegated says whether somebody's name is acted in.
func (r *request) delegated() bool { return r.claims != nil && r.claims.IDType == "user" }

func (r *request) scopes() []string { return strings.Fields(r.claims.Scope) }

// own says whether a mailbox is that of whoever signed in.
func (r *request) own(p *person) bool {
	return strings.EqualFold(p.id, r.claims.ObjectID) || strings.EqualFold(p.upn(), r.claims.UPN)
}

func (s *Sim) holds(r *request, list []string) bool {
	return slices.ContainsFunc(list, func(name string) bool { return s.world.means(name, r.claims.ObjectID, r.claims.UPN) })
}

// scopesFor are the delegated permissions that open a path to which these application permissions do, those for the mailboxes of others among them.
func scopesFor(roles []string) (out []string) {
	for _, role := range roles {
		name := strings.TrimSuffix(role, ".All")
		if slices.Contains(graphScopes, name) {
			out = append(out, name)
		}
		if slices.Contains(graphScopes, name+".Shared") {
			out = append(out, name+".Shared")
		}
	}
	return out
}

// mayAct says whether what was consented to for whoever signed in opens the path at all.
func (r *request) mayAct() bool {
	open := r.route.scopes
	if r.route.outlook {
		open = scopesFor(r.route.roles)
	}
	if strings.HasPrefix(r.route.path, "subscriptions") { // never for the mailboxes of others: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
		open = []string{"Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite"}
	}
	return slices.ContainsFunc(r.scopes(), func(name string) bool { return slices.Contains(open, name) })
}

// mayEnter says whether whoever signed in may do in a mailbox what the request asks: in that of another it takes a permission for shared ones, and Full Access.
func (s *Sim) mayEnter(r *request, p *person) *reply {
	if !r.delegated() || r.own(p) {
		return nil
	}
	for _, name := range scopesFor(r.route.roles) {
		if strings.HasSuffix(name, ".Shared") && slices.Contains(r.scopes(), name) && s.holds(r, s.world.given(p).full) {
			return nil
		}
	}
	bad := s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	return &bad
}

// sender says as whom a message of a mailbox goes: who has Send As is the address itself, who may send on behalf is named beside it, and
// nobody else sends.
func (s *Sim) sender(r *request, p *person, m *message) *reply {
	bad := s.refuse(r, http.StatusForbidden, "ErrorSendAsDenied", "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account., Cannot submit message.")
	from := s.world.find(m.from.Address)
	m.sender = tocsin.Address{}
	switch {
	case !r.delegated():
		if from == nil || from.i != p.i {
			return &bad
		}
	case strings.EqualFold(m.from.Address, r.claims.UPN) || from != nil && r.own(from):
	case from == nil:
		return &bad
	case s.holds(r, s.world.given(from).sendAs):
	case s.holds(r, s.world.given(from).behalf):
		m.sender = tocsin.Address{Name: r.claims.Name, Address: r.claims.UPN}
	default:
		return &bad
	}
	return nil
}

// me is who signed in.
func (s *Sim) me(r *request) reply {
	if !r.delegated() {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	}
	if p := s.world.find(r.claims.ObjectID); p != nil {
		return s.object(r, "users", userProperties, userDefaults, item{get: s.world.user(p)})
	}
	get := func(name string) (any, bool) {
		switch name {
		case "id":
			return r.claims.ObjectID, true
		case "displayName":
			return r.claims.Name, true
		case "userPrincipalName", "mail":
			return r.claims.UPN, true
		}
		kind, ok := userProperties[name]
		if kind == 'l' {
			return []any{}, ok
		}
		return nil, ok
	}
	return s.object(r, "users", userProperties, userDefaults, item{get: get})
}
