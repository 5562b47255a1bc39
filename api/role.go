package api

import (
	"slices"

	"tocsin.dev"
)

// Role is what somebody may do: owner includes admin includes analyst includes viewer. An agent works in the inbox only.
type Role string

// The roles, and three that nobody is given: what an operation asks of whoever is signed in, and of a stranger.
const (
	Owner   Role = "owner"
	Admin   Role = "admin"
	Analyst Role = "analyst"
	Viewer  Role = "viewer"
	Agent   Role = "agent"

	// Member is what work in shared inboxes asks for: an agent's role, or an analyst's and more. In which inboxes is the team's matter.
	Member Role = "member"

	Self     Role = "self"     // anybody who is signed in
	Stranger Role = "stranger" // anybody at all
)

// Everywhere is the tenant of a grant that holds for all tenants and for the installation.
const Everywhere = "*"

// ladder is the roles that include one another, the least first.
var ladder = []Role{Viewer, Analyst, Admin, Owner}

// Includes says whether who has r may do what least asks for.
func (r Role) Includes(least Role) bool {
	if r == "" {
		return false
	}
	if least == Member {
		return r == Agent || r.Includes(Analyst)
	}
	return r == least || slices.Contains(ladder, least) && slices.Index(ladder, r) >= slices.Index(ladder, least)
}

// atMost is the lesser of two roles: what a token can do is held by its own role and its account's. Agent and the
// others have nothing in common.
func (r Role) atMost(limit Role) Role {
	switch {
	case r.Includes(limit):
		return limit
	case limit.Includes(r):
		return r
	}
	return ""
}

// Caller is who asks, as far as it concerns what may be answered.
type Caller struct {
	Account string // id
	Email   string
	Name    string
	By      string  // session or token
	Token   string  // the token's id, by token
	Grants  []Grant // a token's are held to its role and tenant
	session string  // the session's id, by session
}

// Role is the caller's in a tenant: the grant there, or the one on all where that is more; empty for none.
func (c Caller) Role(tenant tocsin.TenantID) Role {
	var here, all Role
	for _, g := range c.Grants {
		switch g.Tenant {
		case string(tenant):
			here = g.Role
		case Everywhere:
			all = g.Role
		}
	}
	if here == "" || all.Includes(here) {
		return all
	}
	return here
}

// Installation is the caller's role on the installation itself; empty for none.
func (c Caller) Installation() Role { return c.Role(Everywhere) }
