package investigate

import (
	"context"
	"errors"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// ActThrough is the way of the connections that are kept: the one that an investigation names and no other, or the first that can.
func ActThrough(c *connect.Connections) ActWay {
	return func(ctx context.Context, tenant tocsin.TenantID, connection, capability string) (id, name string, gc *graph.Client, err error) {
		if connection == "" {
			conn, gc, err := c.For(ctx, tenant, capability)
			return conn.ID, conn.Name, gc, err
		}
		conn, err := c.Get(ctx, tenant, connection)
		if err != nil {
			return "", "", nil, err
		}
		if err := able(ctx, c.Store, conn, capability); err != nil {
			return conn.ID, conn.Name, nil, err
		}
		gc, err = c.Client(ctx, conn)
		return conn.ID, conn.Name, gc, err
	}
}

// able is a problem where a connection lacks a capability.
func able(ctx context.Context, st *store.Store, c connect.Connection, capability string) error {
	switch {
	case c.State == connect.Paused:
		return tocsin.Problemf(tocsin.Conflict, "Resume the connection "+c.Name+" first.", "The connection is paused: nothing is asked of Graph.")
	case c.State != connect.On:
		return tocsin.Problemf(tocsin.Denied, c.Mend, "%s", c.Because)
	}
	var state connect.State
	var because, mend string
	err := st.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select state, because, mend from capability where tenant = $1 and connection = $2 and name = $3`, c.ID, capability).Scan(&state, &because, &mend)
	})
	switch {
	case errors.Is(err, store.ErrNone):
		return tocsin.Problemf(tocsin.Denied, "Test the connection "+c.Name+".", "What the connection may do was not judged yet.")
	case err != nil:
		return err
	case state != connect.Works && state != connect.Degraded: // degraded works in part: the mailbox itself says whether it is kept from us
		return tocsin.Problemf(tocsin.Denied, mend, "%s", because)
	}
	return nil
}
