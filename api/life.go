package api

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// Excess is a permission that was granted to a connection's app and is more than it needs.
type Excess struct {
	Permission string `json:"permission"`
	Why        string `json:"why"`
	Mend       string `json:"mend"`
	Dangerous  bool   `json:"dangerous"` // who has it can take the tenant
}

// AppGrant is a permission granted to a connection's app, as the tenant had it at the last look.
type AppGrant struct {
	Resource   string    `json:"resource"` // Microsoft Graph …
	Permission string    `json:"permission"`
	Granted    time.Time `json:"granted,omitzero"` // by Microsoft's word
}

// Drift is a permission that was granted or removed between two looks.
type Drift struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`     // of the look that showed it
	Change     string    `json:"change"` // granted, removed
	Resource   string    `json:"resource"`
	Permission string    `json:"permission"`
}

// CredentialNew is another credential for a connection: a secret, or a certificate with its key as PEM.
type CredentialNew struct {
	Secret      string `json:"client_secret,omitempty" maxLength:"4096" doc:"A client secret's value"`
	Certificate string `json:"certificate,omitempty" maxLength:"65536" doc:"A certificate with its private key, as PEM"`
	Expires     string `json:"expires,omitempty" maxLength:"40" doc:"When the secret ends (2027-01-31, or a time), so that a warning comes before; a certificate says so itself"`
}

// RotateIn gives a connection another credential.
type RotateIn struct {
	ByIDAct
	Body CredentialNew
}

// Ends is when the secret of a new connection ends, where that was entered; see [ConnectionNew.Expires].
func (n ConnectionNew) Ends() time.Time {
	t, err := day(n.Expires)
	if err != nil {
		return time.Time{} // refused before
	}
	return t
}

// CloseIn closes a connection.
type CloseIn struct {
	ByIDAct
	Body Closing
}

// Closing says what becomes of what was read.
type Closing struct {
	What    string `json:"what" enum:"keep,erase" doc:"keep: what was read stays; erase: everything that is kept of the tenant is erased, with the roles in it and the tokens for it"`
	Confirm string `json:"confirm" minLength:"1" maxLength:"200" doc:"The connection's name, to confirm"`
}

// EditConnectionIn changes a connection.
type EditConnectionIn struct {
	ByIDAct
	Body ConnectionEdit
}

// ConnectionEdit is what is changed of a connection; what is absent stays.
type ConnectionEdit struct {
	Version      int64   `json:"version" minimum:"1" doc:"The version that was looked at"`
	Name         *string `json:"name,omitempty" maxLength:"200" doc:"What to call it"`
	MetadataOnly *bool   `json:"metadata_only,omitempty" doc:"Whether calls that read subjects, texts or attachments are refused before they are made"`
	Expires      *string `json:"expires,omitempty" maxLength:"40" doc:"When the secret ends (2027-01-31, or a time); empty where nobody knows"`
}

// RotateConnection gives a connection another credential; the old one stays until the new one is proven.
func (s *Service) RotateConnection(ctx context.Context, in RotateIn) (Connection, error) {
	return s.rotate(ctx, "connections rotate", in, false)
}

// ReopenConnection opens a closed connection again, with its history.
func (s *Service) ReopenConnection(ctx context.Context, in RotateIn) (Connection, error) {
	return s.rotate(ctx, "connections reopen", in, true)
}

func (s *Service) rotate(ctx context.Context, name string, in RotateIn, closed bool) (Connection, error) {
	return s.changeConnection(ctx, name, in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		if s.o.Connections == nil {
			return errNoConnect
		}
		if err := tocsin.Together(ConnectionNew{Secret: in.Body.Secret, Certificate: in.Body.Certificate}.faults()...); err != nil {
			return err
		}
		expires, err := day(in.Body.Expires)
		if err != nil {
			return err
		}
		c, err := s.o.Connections.Get(ctx, tenant, id)
		if err != nil {
			return err
		}
		if is := c.State == connect.Closed; is != closed {
			if closed {
				return tocsin.Problemf(tocsin.Conflict, "Give it another credential with rotate, if that is meant.", "The connection is not closed.")
			}
			return tocsin.Problemf(tocsin.Conflict, "Open it again with reopen.", "The connection is closed: its credential is erased.")
		}
		_, err = s.o.Connections.Rotate(ctx, actor, tenant, id, connect.Credential{Secret: in.Body.Secret, Certificate: in.Body.Certificate, Expires: expires})
		return err
	})
}

// day reads a day, or a time; empty is none.
func day(text string) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil && t.Year() > 2000 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid("Write it as 2027-01-31.", "%q is no day.", text)
}

// CloseConnection ends a connection: nothing is asked any more, and its credential is erased last. It gives the connection as
// it begins to close; where everything is erased there is none soon.
func (s *Service) CloseConnection(ctx context.Context, in CloseIn) (Connection, error) {
	var out Connection
	_, err := s.onConnection(ctx, "connections close", in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		if s.o.Connections == nil {
			return errNoConnect
		}
		err := s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { out, err = getConnection(ctx, t, id, s.now()); return err })
		if err != nil {
			return err
		}
		if strings.TrimSpace(in.Body.Confirm) != out.Name {
			return invalid("Write the connection's name as it is shown.", "The name does not confirm it; nothing was closed.")
		}
		if out.State != connect.Closed || in.Body.What == connect.Erase {
			out.State, out.Closing = connect.Closing, in.Body.What
		}
		return s.o.Connections.Close(ctx, actor, tenant, id, in.Body.What)
	})
	if err != nil {
		return Connection{}, err
	}
	return out, nil
}

// EditConnection changes a connection's name, whether it is for metadata only, or when its secret ends.
func (s *Service) EditConnection(ctx context.Context, in EditConnectionIn) (Connection, error) {
	return s.changeConnection(ctx, "connections edit", in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		if s.o.Connections == nil {
			return errNoConnect
		}
		e := connect.Edit{Version: in.Body.Version, Name: in.Body.Name, MetadataOnly: in.Body.MetadataOnly}
		if in.Body.Expires != nil {
			at, err := day(*in.Body.Expires)
			if err != nil {
				return err
			}
			e.Expires = &at
		}
		return s.o.Connections.Edit(ctx, actor, tenant, id, e)
	})
}

// lifeOf adds to connections what is granted to each, what changed of that, what is more than is needed, and what waits for
// a later version.
func lifeOf(ctx context.Context, t *store.Tenant, list []Connection) error {
	for i := range list {
		c := &list[i]
		var looked, expires, rotated int64
		var excess string
		if err := t.QueryRow(ctx, `select looked, looked_because, expires, expires_by, rotated, excess, metadata_only, closing from connection where tenant = $1 and id = $2`, c.ID).
			Scan(&looked, &c.LookedBecause, &expires, &c.ExpiresBy, &rotated, &excess, &c.MetadataOnly, &c.Closing); err != nil {
			return err
		}
		c.Looked, c.Expires, c.Rotated = tocsin.FromMillis(looked), tocsin.FromMillis(expires), tocsin.FromMillis(rotated)
		if err := json.Unmarshal([]byte(excess), &c.Excess); err != nil {
			return err
		}
		is, err := connect.Stood(ctx, t, c.ID)
		if err != nil {
			return err
		}
		c.Later = []Capability{}
		for _, v := range is.Wait(connect.Tier(c.Tier)) {
			c.Later = append(c.Later, Capability{Connection: c.ID, Name: v.Name, Title: v.Title, State: string(v.State), Because: v.Because, Mend: v.Mend, Checked: c.Looked})
		}
		if err := driftOf(ctx, t, c); err != nil {
			return err
		}
	}
	return nil
}

func driftOf(ctx context.Context, t *store.Tenant, c *Connection) error {
	type held struct {
		AppGrant
		at int64
	}
	grants, err := find(ctx, t, (&query{}).add("select resource, permission, granted from app_grant where tenant = $1 and connection = ?", c.ID).add(" order by resource, permission"),
		func(r *held) []any { return []any{&r.Resource, &r.Permission, &r.at} })
	if err != nil {
		return err
	}
	c.Grants, c.Drift = []AppGrant{}, []Drift{}
	for _, g := range grants {
		g.Granted = tocsin.FromMillis(g.at)
		c.Grants = append(c.Grants, g.AppGrant)
	}
	type row struct {
		Drift
		at int64
	}
	rows, err := find(ctx, t, (&query{}).add("select id, at, change, resource, permission from app_grant_change where tenant = $1 and connection = ?", c.ID).add(" order by at desc, permission limit 100"),
		func(r *row) []any { return []any{&r.ID, &r.at, &r.Change, &r.Resource, &r.Permission} })
	for _, r := range rows {
		r.At = tocsin.FromMillis(r.at)
		c.Drift = append(c.Drift, r.Drift)
	}
	return err
}
