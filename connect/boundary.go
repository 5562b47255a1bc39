package connect

import (
	"context"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/store"
)

// The capabilities to investigate mail, which a mail configuration bounds.
const (
	Investigations = "investigate"
	MessagesMove   = "messages-move"
	MessageTrace   = "message-trace"
	MailSend       = "mail-send"
)

// Bounded says whether a capability goes only as far as mail configurations do.
func Bounded(capability string) bool {
	return capability == Investigations || capability == MessagesMove || capability == MessageTrace || capability == MailSend
}

// Boundary gives in whose mailboxes a connection may search and act on mail: in all of the tenant's, or in those with an
// address in one of domains (folded, sorted). A connection without a mail configuration may in all, as long as the tenant has
// none at all; else in none, so that no other way leads around a boundary. One that is not there may in none.
func Boundary(ctx context.Context, t *store.Tenant, connection string) (domains []string, all bool, err error) {
	bounds, err := bounds(ctx, t)
	if err != nil {
		return nil, false, err
	}
	if own, configured := bounds[connection]; configured {
		if own {
			return nil, true, nil
		}
		domains, err = domainsOf(ctx, t, connection)
		return domains, false, err
	}
	var state string
	err = t.QueryRow(ctx, `select state from connection where tenant = $1 and id = $2`, connection).Scan(&state)
	if errors.Is(err, store.ErrNone) {
		return nil, false, nil
	}
	return nil, err == nil && len(bounds) == 0, err
}

// Inside says whether a mailbox with that address is within a boundary: its domain is one of domains, as it is written and
// no subdomain of it.
func Inside(address string, domains []string, all bool) bool {
	return all || slices.Contains(domains, tocsin.Address{Address: address}.Domain())
}

// bounds are the connections that have a mail configuration, and whether each reaches all of the tenant's mailboxes. One
// that is closed bounds nothing any more.
func bounds(ctx context.Context, t *store.Tenant) (map[string]bool, error) {
	out := map[string]bool{}
	err := rowsOf(ctx, t, func(scan func(...any) error) error {
		var id string
		var all bool
		err := scan(&id, &all)
		out[id] = all
		return err
	}, `select m.connection, m.all_domains from mail_configuration m join connection c on c.tenant = m.tenant and c.id = m.connection
		where m.tenant = $1 and c.state not in ('closing', 'closed')`)
	return out, err
}

// domainsOf are the domains that a mail configuration authorises.
func domainsOf(ctx context.Context, t *store.Tenant, connection string) (out []string, err error) {
	err = rowsOf(ctx, t, func(scan func(...any) error) error {
		var d string
		err := scan(&d)
		out = append(out, d)
		return err
	}, `select domain from mail_domain where tenant = $1 and connection = $2 order by domain`, connection)
	return out, err
}
