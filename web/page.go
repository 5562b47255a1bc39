package web

import (
	"net/url"
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
)

// page is what the shell around a page needs to know.
type page struct {
	Title   string
	Section string // of the navigation; empty for none
	Path    string // of this page, to come back to after a change of theme
	Live    bool   // whether something here follows what happens
	Me      *api.Me
	Tenant  *api.Tenant // nil where there is none yet
	Theme   string
	Zone    string
	Notice  *notice
	Fact    string // the number of the tenant's last fact before the page was made; empty where it follows nothing
}

// notice is what a change answers on the next page.
type notice struct {
	Kind string `json:"k"` // good, warn, bad
	What string `json:"w"`
	Do   string `json:"d,omitempty"`
}

// at is the address of something of the page's tenant.
func (p *page) at(parts ...string) string {
	if p.Tenant == nil {
		return "/"
	}
	return tenantAt(p.Tenant.ID, parts...)
}

// may says whether the viewer's role in the tenant reaches least.
func (p *page) may(least api.Role) bool {
	return p.Tenant != nil && p.Tenant.Role.Includes(least)
}

// agent says that the viewer works in the tenant's inbox, and sees nothing else of it.
func (p *page) agent() bool { return p.Tenant != nil && p.Tenant.Role == api.Agent }

// places are where the navigation leads the viewer.
func (p *page) places() []navItem {
	if p.agent() {
		return []navItem{inboxItem}
	}
	return navItems
}

// rules over the installation, whatever the tenant.
func (p *page) installs(least api.Role) bool { return p.Me != nil && p.Me.Installation.Includes(least) }

func tenantAt(tenant tocsin.TenantID, parts ...string) string {
	var b strings.Builder
	b.WriteString("/t/" + url.PathEscape(string(tenant)))
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// with is the address path with the query's pairs, leaving out those that are empty.
func with(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// change is the address path with query q where the pairs are set anew (removed where empty), from the first page on.
func change(path string, q url.Values, pairs ...string) string {
	next := url.Values{}
	for k, v := range q {
		if k != "after" {
			next[k] = v
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		next.Del(pairs[i])
		if pairs[i+1] != "" {
			next.Set(pairs[i], pairs[i+1])
		}
	}
	if len(next) == 0 {
		return path
	}
	return path + "?" + next.Encode()
}

// onward is the address of the next piece of a list; empty at its end.
func onward(path string, q url.Values, after string) string {
	if after == "" {
		return ""
	}
	next := url.Values{}
	for k, v := range q {
		next[k] = v
	}
	next.Set("after", after)
	return path + "?" + next.Encode()
}

// navItem is a place in the navigation.
type navItem struct{ Name, Section, Icon, Path string }

var inboxItem = navItem{"Inbox", "inbox", "mail", "inbox"}

var navItems = []navItem{
	{"Overview", "overview", "overview", "overview"},
	{"Findings", "findings", "findings", "findings"},
	{"Stories", "stories", "stories", "stories"},
	{"Investigations", "investigations", "investigations", "investigations"},
	{"Actions", "actions", "actions", "actions"},
	inboxItem,
	{"Rules and forwarding", "rules", "rules", "rules"},
	{"Delegations", "delegations", "delegations", "delegations"},
	{"Mailboxes", "mailboxes", "mailboxes", "mailboxes"},
	{"Mail activity", "stream", "stream", "stream"},
	{"Identities", "identities", "identities", "identities"},
	{"Behaviour", "behaviour", "behaviour", "behaviour"},
	{"Sign-ins", "signins", "signins", "signins"},
	{"Posture", "posture", "posture", "posture"},
	{"Audit log", "audit", "audit", "audit"},
	{"Detections", "detections", "detections", "detections"},
	{"Connections", "connections", "connections", "connections"},
}
