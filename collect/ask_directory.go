package collect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// askDomains reads the accepted domains: by /domains, else by those named with the organisation.
func (c *Collector) askDomains(ctx context.Context) error {
	var seen domainsSeen
	for o, err := range graph.Pages[graph.Organization](ctx, c.Graph, "organization.list", nil) {
		if err != nil {
			return err
		}
		seen.Tenant = o.DisplayName
		for _, d := range o.VerifiedDomains {
			seen.Domains = append(seen.Domains, domainSeen{Name: d.Name, Default: d.IsDefault})
		}
	}
	var full []domainSeen
	var denied error
	for d, err := range graph.Pages[graph.Domain](ctx, c.Graph, "domains.list", nil) {
		if _, ok := errors.AsType[*graph.Denied](err); ok {
			denied = err
			break
		}
		if err != nil {
			return err
		}
		if d.IsVerified {
			full = append(full, domainSeen{Name: d.ID, Default: d.IsDefault, Authentication: d.AuthenticationType})
		}
	}
	if denied == nil && len(full) > 0 {
		seen.Domains = full
	}
	if len(seen.Domains) == 0 { // no tenant is without a domain, and without any nobody is inside
		return tocsin.Problemf(tocsin.Unavailable, "Nothing to do: it is asked again by itself, and what was known stays.", "Microsoft Graph named no verified domain of the tenant.")
	}
	it, err := c.item(kindDomains, "", seen)
	if err == nil {
		err = c.append(ctx, []journal.Item{it})
	}
	if err == nil && denied != nil {
		err = &partly{[]error{denied}}
	}
	return err
}

// askUsers reads the people by delta. Where the token has expired, or there is none, the round is whole, and who is no
// longer in it has gone.
func (c *Collector) askUsers(ctx context.Context) error {
	users := deltaSource[graph.User]{
		name: "users", call: "users.delta", again: "users.get", key: "user",
		translate: func(id string, removed bool, u *graph.User) (journal.Item, error) {
			p := person(u)
			p.Object, p.Removed = id, removed
			return c.item(kindPerson, tocsin.NewPersonID(c.Tenant, id), p)
		},
		held: `select object_id from person where tenant = $1 and deleted = 0`,
	}
	return c.delta(ctx, users.name, func(ctx context.Context, token string) (string, error) { return deltaOf(ctx, c, users, token) })
}

func (c *Collector) askGroups(ctx context.Context) error {
	groups := deltaSource[graph.Group]{
		name: "groups", call: "groups.delta",
		translate: func(id string, removed bool, g *graph.Group) (journal.Item, error) {
			seen := group(g)
			seen.ID, seen.Removed = id, removed
			return c.item(kindGroup, tocsin.PersonID(id), seen)
		},
		held: `select id from mail_group where tenant = $1 and deleted = 0 and kind <> 'contact'`,
	}
	return c.delta(ctx, groups.name, func(ctx context.Context, token string) (string, error) { return deltaOf(ctx, c, groups, token) })
}

// askContacts reads the organisation's contacts. To the tables a contact is a group of one, who is outside.
func (c *Collector) askContacts(ctx context.Context) error {
	contacts := deltaSource[graph.OrgContact]{
		name: "contacts", call: "contacts.delta",
		translate: func(id string, removed bool, o *graph.OrgContact) (journal.Item, error) {
			return c.item(kindGroup, tocsin.PersonID(id),
				groupSeen{ID: id, Name: o.DisplayName, Mail: o.Mail, Kind: "contact", Addresses: o.ProxyAddresses, Removed: removed})
		},
		held: `select id from mail_group where tenant = $1 and deleted = 0 and kind = 'contact'`,
	}
	return c.delta(ctx, contacts.name, func(ctx context.Context, token string) (string, error) { return deltaOf(ctx, c, contacts, token) })
}

// askRoles reads the directory roles that are in use, each with its members.
func (c *Collector) askRoles(ctx context.Context) error {
	var items []journal.Item
	for role, err := range graph.Pages[graph.DirectoryRole](ctx, c.Graph, "directoryRoles.list", nil) {
		if err != nil {
			return err
		}
		seen := roleSeen{ID: role.ID, Name: role.DisplayName, Template: role.RoleTemplateID, Members: []roleMember{}}
		for m, err := range graph.Pages[graph.Member](ctx, c.Graph, "directoryRoles.members", graph.P{"role": role.ID}) {
			if err != nil {
				return err
			}
			member := roleMember{Object: m.ID, Name: m.DisplayName}
			if strings.HasSuffix(strings.ToLower(m.Type), ".user") {
				member.Person = tocsin.NewPersonID(c.Tenant, m.ID)
			}
			seen.Members = append(seen.Members, member)
		}
		it, err := c.item(kindRole, tocsin.PersonID(role.ID), seen)
		if err != nil {
			return err
		}
		items = append(items, it)
	}
	return c.append(ctx, items)
}

// askMembers looks into the groups that a rule sends mail to: who of their members is outside? It asks those that will
// have become too old when it is called again.
func (c *Collector) askMembers(ctx context.Context) error {
	if err := c.settled(ctx); err != nil {
		return err
	}
	every := c.Every.OrDefault()
	before := c.Store.Clock().Now().Add(min(every.Members, every.Rules) - every.Members)
	var groups []string
	var org *organisation
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		groups = nil
		var err error
		if org, err = loadOrg(ctx, t); err != nil {
			return err
		}
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			groups = append(groups, id)
			return err
		}, `select distinct a.group_id from rule_target r join group_address a on a.tenant = r.tenant and a.address = r.address
			join mail_group g on g.tenant = a.tenant and g.id = a.group_id where r.tenant = $1 and g.deleted = 0 and g.kind <> 'contact' and g.members_seen < $2 order by a.group_id`, tocsin.Millis(before))
	})
	if err != nil {
		return err
	}
	for _, id := range groups {
		if err := c.askMembersOf(ctx, id, &org.Org); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collector) askMembersOf(ctx context.Context, id string, org *detect.Org) error {
	seen := membersSeen{Group: id, Outside: []tocsin.Address{}}
	for m, err := range graph.Pages[graph.Member](ctx, c.Graph, "groups.transitiveMembers", graph.P{"group": id}) {
		if _, gone := errors.AsType[*graph.NotFound](err); gone {
			return nil // the next round of groups says so
		}
		if err != nil {
			return err
		}
		a := tocsin.Address{Name: m.DisplayName, Address: m.Mail}
		if a.Address == "" {
			continue
		}
		if strings.EqualFold(m.UserType, "Guest") || len(org.Domains) > 0 && org.Place(a) != detect.Inside {
			seen.Outside = append(seen.Outside, a)
		}
	}
	it, err := c.item(kindMembers, tocsin.PersonID(id), seen)
	if err != nil {
		return err
	}
	return c.append(ctx, []journal.Item{it})
}

// person is Graph's user in our words.
func person(u *graph.User) personSeen {
	p := personSeen{Object: u.ID, Name: u.DisplayName, UPN: u.UserPrincipalName, Mail: u.Mail, Kind: "member", Enabled: u.AccountEnabled,
		Synced: u.OnPremisesSyncEnabled, Department: u.Department, Title: u.JobTitle, Addresses: u.ProxyAddresses, Created: tocsin.Millis(u.CreatedDateTime.Time)}
	if strings.EqualFold(u.UserType, "Guest") || strings.Contains(strings.ToLower(u.UserPrincipalName), "#ext#") {
		p.Kind = "guest"
	}
	if u.AssignedPlans != nil {
		licensed := false
		for _, plan := range u.AssignedPlans {
			if strings.EqualFold(plan.Service, "exchange") && !strings.EqualFold(plan.CapabilityStatus, "Deleted") && !strings.EqualFold(plan.CapabilityStatus, "Suspended") {
				licensed = true
			}
		}
		p.Licensed = &licensed
	}
	return p
}

// group is Graph's group in our words.
func group(g *graph.Group) groupSeen {
	out := groupSeen{ID: g.ID, Name: g.DisplayName, Mail: g.Mail, Addresses: g.ProxyAddresses, Kind: "security"}
	mail, security := g.MailEnabled != nil && *g.MailEnabled, g.SecurityEnabled != nil && *g.SecurityEnabled
	switch {
	case len(g.GroupTypes) > 0 && strings.EqualFold(g.GroupTypes[0], "Unified"):
		out.Kind = "unified"
	case mail && security:
		out.Kind = "mail_security"
	case mail:
		out.Kind = "distribution"
	}
	return out
}

// rawOrNil is evidence as it is kept: nothing where there is nothing.
func rawOrNil(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	return raw
}
