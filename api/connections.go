package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// ListConnections lists the ways to a tenant.
func (s *Service) ListConnections(ctx context.Context, in ListIn) (Page[Connection], error) {
	return view(ctx, s, "connections list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Connection], error) {
		return slice("connections", in.Paging, func() ([]Connection, error) { return connectionsOf(ctx, t, "", s.now()) }, func(c Connection) string { return c.ID })
	})
}

// GetConnection is one of them.
func (s *Service) GetConnection(ctx context.Context, in ByID) (Connection, error) {
	return view(ctx, s, "connections get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Connection, error) {
		return getConnection(ctx, t, in.ID, s.now())
	})
}

func getConnection(ctx context.Context, t *store.Tenant, id string, now time.Time) (Connection, error) {
	list, err := connectionsOf(ctx, t, id, now)
	if err != nil {
		return Connection{}, err
	}
	if len(list) == 0 {
		return Connection{}, notFound("connection")
	}
	return list[0], nil
}

// connectionsOf are a tenant's connections, or the one with the id. Of a credential only its kind leaves the table.
func connectionsOf(ctx context.Context, t *store.Tenant, id string, now time.Time) ([]Connection, error) {
	type row struct {
		Connection
		created, proven int64
	}
	q := (&query{}).add("select id, name, cloud, client_id, method, state, because, mend, created, proven, version from connection where tenant = $1")
	if id != "" {
		q.add(" and id = ?", id)
	}
	rows, err := find(ctx, t, q.add(" order by id"), func(r *row) []any {
		return []any{&r.ID, &r.Name, &r.Cloud, &r.ClientID, &r.Method, &r.State, &r.Because, &r.Mend, &r.created, &r.proven, &r.Version}
	})
	if err != nil || len(rows) == 0 {
		return []Connection{}, err
	}
	capabilities, err := capabilitiesOf(ctx, t)
	if err != nil {
		return nil, err
	}
	sources, err := sourcesOf(ctx, t, now)
	out := make([]Connection, len(rows))
	for i, r := range rows {
		r.Tenant, r.Created, r.Proven = t.ID(), tocsin.FromMillis(r.created), tocsin.FromMillis(r.proven)
		r.Sources, r.Capabilities = sources, []Capability{}
		for _, c := range capabilities {
			if c.Connection == r.ID {
				r.Capabilities = append(r.Capabilities, c.under(r.State, r.Because, r.Mend))
			}
		}
		out[i] = r.Connection
	}
	if err == nil {
		err = consentsOf(ctx, t, out)
	}
	if err == nil {
		err = lifeOf(ctx, t, out)
	}
	return out, err
}

// CreateConnection connects a tenant. The role is needed in that tenant, or everywhere for one that is not there yet.
func (s *Service) CreateConnection(ctx context.Context, in CreateConnectionIn) (_ Connection, err error) {
	tenant := tenantOf(in)
	c, err := s.allow(ctx, "connections create", tenant)
	defer func() { s.noteAfter(ctx, "connections create", tenant, in, c, err) }()
	if err != nil {
		return Connection{}, err
	}
	if err := mayName(c, in.Body); err != nil {
		return Connection{}, err
	}
	if err := tocsin.Together(append(faults(in, plainName), in.Body.faults()...)...); err != nil {
		return Connection{}, err
	}
	if s.o.Connect.Create == nil {
		return Connection{}, errNoConnect
	}
	if out, had, err := s.connectedBefore(ctx, tenant, c, in); had || err != nil {
		return out, err
	}
	in.Body.Tenant = string(tenant)
	made, id, err := s.o.Connect.Create(ctx, c.Email, in.Body)
	if err != nil {
		return Connection{}, err
	}
	var out Connection
	err = s.st.UpdateTenant(ctx, made, func(t *store.Tenant) (err error) {
		if out, err = getConnection(ctx, t, id, s.now()); err != nil || in.Key.Key == "" {
			return err
		}
		_, err = t.Exec(ctx, `insert into request_key (tenant, key, account, answer, at) values ($1, $2, $3, '', $4) on conflict (tenant, key, account) do nothing`, in.Key.Key, c.Account, s.now())
		if err != nil {
			return err
		}
		return remember(ctx, t, in.Key.Key, c.Account, connectRequest(in), out)
	})
	return out, err
}

var errNoConnect = tocsin.Problemf(tocsin.Unavailable, "Use the running server.", "Connections cannot be changed here.")

// faults are what is missing or cannot be, besides what the tags of its fields ask for.
func (n ConnectionNew) faults() (all []*tocsin.Problem) {
	if _, err := day(n.Expires); err != nil {
		all = append(all, tocsin.AsProblem(err))
	}
	made := connect.New{Tenant: cmp.Or(n.Tenant, absent), Client: cmp.Or(n.ClientID, absent), Secret: n.Secret, Certificate: n.Certificate, Cloud: n.Cloud,
		Own: connect.Own{Authority: n.Authority, Graph: n.Graph, CA: n.CA}}
	return append(all, made.Faults()...)
}

// absent stands for an id that is missing, of which the tags tell.
const absent = "00000000-0000-0000-0000-000000000000"

// mayName keeps addresses of a cloud of one's own to who administers the installation: the server calls them, from within
// the network it stands in.
func mayName(c Caller, n ConnectionNew) error {
	if n.Cloud != "own" && n.Authority == "" && n.Graph == "" && n.CA == "" || c.Installation().Includes(Admin) {
		return nil
	}
	return tocsin.Problemf(tocsin.Denied, "Leave away the addresses, or ask an admin of the installation to connect the tenant.",
		"Connecting through a cloud of one's own (authority, graph, ca) needs the role admin on the installation, because the server calls the addresses that are given.")
}

// connectRequest is what tells two requests for a connection apart. The secret is not among it, nor kept by its hash.
func connectRequest(in CreateConnectionIn) string {
	in.Body.Secret, in.Body.Certificate = "", ""
	in.Body.Tenant = string(tenantOf(in))
	return requestHash("connections create", in)
}

func (s *Service) connectedBefore(ctx context.Context, tenant tocsin.TenantID, c Caller, in CreateConnectionIn) (out Connection, had bool, err error) {
	if in.Key.Key == "" {
		return out, false, nil
	}
	err = s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		had, err = recall(ctx, t, in.Key.Key, c.Account, connectRequest(in), s.now(), &out)
		return err
	})
	return out, had, err
}

type connectionAct func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error

// onConnection has package connect do something to a connection that is there, and is named by the input.
func (s *Service) onConnection(ctx context.Context, name string, in any, do connectionAct) (c Caller, err error) {
	id := subjectOf(in)
	var was Connection
	defer func() {
		of := tenantOf(in)
		if x, ok := in.(CloseIn); ok && err == nil && x.Body.What == connect.Erase {
			of = Everywhere // the tenant's own trail is erased with it
		}
		s.noteAfter(ctx, name, of, about{in, "connection", was.Name}, c, err)
	}()
	was, err = view(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, _ Caller) (Connection, error) {
		return getConnection(ctx, t, id, s.now())
	})
	c, _ = CallerOf(ctx)
	if err != nil {
		return c, err
	}
	if do == nil {
		return c, errNoConnect
	}
	return c, do(ctx, c.Email, tenantOf(in), id)
}

// changeConnection does something to a connection and gives it as it is then.
func (s *Service) changeConnection(ctx context.Context, name string, in any, do connectionAct) (Connection, error) {
	if _, err := s.onConnection(ctx, name, in, do); err != nil {
		return Connection{}, err
	}
	return view(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, _ Caller) (Connection, error) {
		return getConnection(ctx, t, subjectOf(in), s.now())
	})
}

// TestConnection tries a connection's credentials and looks again at what is granted.
func (s *Service) TestConnection(ctx context.Context, in ByIDAct) (Connection, error) {
	return s.changeConnection(ctx, "connections test", in, s.o.Connect.Test)
}

// PauseConnection stops every call through a connection at once.
func (s *Service) PauseConnection(ctx context.Context, in ByIDAct) (Connection, error) {
	return s.changeConnection(ctx, "connections pause", in, s.o.Connect.Pause)
}

// ResumeConnection goes on after a pause.
func (s *Service) ResumeConnection(ctx context.Context, in ByIDAct) (Connection, error) {
	return s.changeConnection(ctx, "connections resume", in, s.o.Connect.Resume)
}

// DeleteConnection forgets a connection and its credentials; what was collected stays.
func (s *Service) DeleteConnection(ctx context.Context, in ByIDAct) (None, error) {
	_, err := s.onConnection(ctx, "connections delete", in, s.o.Connect.Delete)
	return None{}, err
}

// settingsFact tells that what mailboxes are judged by has changed.
func settingsFact(ctx context.Context, t *store.Tenant, kind, subject, actor, what string) error {
	body, err := json.Marshal(map[string]string{"what": what})
	return errors.Join(err, t.Append(ctx, store.Fact{Kind: kind, Subject: subject, Actor: actor, Body: body}))
}
