package collect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// askDomains reads the accepted domains: by /domains, else by those named with the organisation, else by the addresses
// of our people, which the fold cannot tell from hearsay: then it is an error that says so, and the rest goes on.
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
	it, err := c.item(kindDomains, "", seen)
	if err != nil {
		return err
	}
	return c.append(ctx, []journal.Item{it})
}

// askUsers reads the people by delta. Where the token has expired, or there is none, the round is whole, and who is no
// longer in it has gone.
func (c *Collector) askUsers(ctx context.Context) error {
	return delta(ctx, c, "users", "users.delta",
		func(u *graph.Change[graph.User]) (string, journal.Item, error) {
			if u.Removed == "" && u.Value.UserPrincipalName == "" {
				// Graph may give only what has changed; the rest is asked for, lest it be taken for empty.
				if err := c.Graph.Get(ctx, "users.get", graph.P{"user": u.ID}, &u.Value); err != nil {
					return "", journal.Item{}, err
				}
			}
			p := person(&u.Value)
			p.Object, p.Removed = u.ID, u.Removed != ""
			it, err := c.item(kindPerson, tocsin.NewPersonID(c.Tenant, u.ID), p)
			return u.ID, it, err
		},
		`select object_id from person where tenant = $1 and deleted = 0`,
		func(id string) (journal.Item, error) {
			return c.item(kindPerson, tocsin.NewPersonID(c.Tenant, id), personSeen{Object: id, Removed: true})
		})
}

func (c *Collector) askGroups(ctx context.Context) error {
	return delta(ctx, c, "groups", "groups.delta",
		func(g *graph.Change[graph.Group]) (string, journal.Item, error) {
			seen := group(&g.Value)
			seen.ID, seen.Removed = g.ID, g.Removed != ""
			it, err := c.item(kindGroup, tocsin.PersonID(g.ID), seen)
			return g.ID, it, err
		},
		`select id from mail_group where tenant = $1 and deleted = 0`,
		func(id string) (journal.Item, error) {
			return c.item(kindGroup, tocsin.PersonID(id), groupSeen{ID: id, Removed: true})
		})
}

// delta reads one round of changes into the journal, and keeps the token when all of it is there.
func delta[T any](ctx context.Context, c *Collector, source, call string, translate func(*graph.Change[T]) (string, journal.Item, error),
	held string, gone func(id string) (journal.Item, error)) error {
	row, err := c.row(ctx, source)
	if err != nil {
		return err
	}
	token, err := oneRound(ctx, c, source, call, row.Token, translate, held, gone)
	if _, ok := errors.AsType[*graph.Gone](err); ok && row.Token != "" {
		c.Log.Info("the delta token has expired: reading all again", "tenant", c.Tenant, "source", source)
		token, err = oneRound(ctx, c, source, call, "", translate, held, gone)
	}
	if err != nil {
		return err
	}
	return c.keep(ctx, source, token)
}

func oneRound[T any](ctx context.Context, c *Collector, source, call, token string, translate func(*graph.Change[T]) (string, journal.Item, error),
	held string, gone func(id string) (journal.Item, error)) (string, error) {
	round := graph.Delta[T](ctx, c.Graph, call, nil, token)
	seen := map[string]bool{}
	var items []journal.Item
	done := 0
	flush := func() error {
		err := c.append(ctx, items)
		done += len(items)
		items = items[:0]
		return err
	}
	for change, err := range round.All() {
		if err != nil {
			return "", err
		}
		id, it, err := translate(&change)
		if err != nil {
			return "", err
		}
		if token == "" {
			seen[id] = true
		}
		if items = append(items, it); len(items) == 500 {
			if err := flush(); err != nil {
				return "", err
			}
			if done%10_000 == 0 {
				if err := c.progress(ctx, source, done, 0); err != nil {
					return "", err
				}
			}
		}
	}
	if token == "" {
		if err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			return each(ctx, t, func(scan func(...any) error) error {
				var id string
				if err := scan(&id); err != nil || seen[id] {
					return err
				}
				it, err := gone(id)
				items = append(items, it)
				return err
			}, held)
		}); err != nil {
			return "", err
		}
	}
	if err := flush(); err != nil {
		return "", err
	}
	if done > 0 {
		if err := c.progress(ctx, source, done, done); err != nil {
			return "", err
		}
	}
	return round.Token(), nil
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

// askMembers looks into the groups that a rule sends mail to: who of their members is outside?
func (c *Collector) askMembers(ctx context.Context) error {
	var groups []string
	own := map[string]bool{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		groups = nil
		org, err := loadOrg(ctx, t)
		if err != nil {
			return err
		}
		own = org.Domains
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			groups = append(groups, id)
			return err
		}, `select distinct a.group_id from rule_target r join group_address a on a.tenant = r.tenant and a.address = r.address
			join mail_group g on g.tenant = a.tenant and g.id = a.group_id where r.tenant = $1 and g.deleted = 0 order by a.group_id`)
	})
	if err != nil {
		return err
	}
	for _, id := range groups {
		seen := membersSeen{Group: id, Outside: []tocsin.Address{}}
		for m, err := range graph.Pages[graph.Member](ctx, c.Graph, "groups.transitiveMembers", graph.P{"group": id}) {
			if _, gone := errors.AsType[*graph.NotFound](err); gone {
				break
			}
			if err != nil {
				return err
			}
			a := tocsin.Address{Name: m.DisplayName, Address: m.Mail}
			if a.Address == "" {
				continue
			}
			if strings.EqualFold(m.UserType, "Guest") || len(own) > 0 && !own[a.Domain()] {
				seen.Outside = append(seen.Outside, a)
			}
		}
		it, err := c.item(kindMembers, tocsin.PersonID(id), seen)
		if err != nil {
			return err
		}
		if err := c.append(ctx, []journal.Item{it}); err != nil {
			return err
		}
	}
	return nil
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
