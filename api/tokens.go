package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

const tokenColumns = `select t.id, t.name, a.email, t.role, t.tenant, t.created, t.expires, t.used from api_token t join account a on a.id = t.account where `

type tokenRow struct {
	Token
	created, expires, used int64
}

func (r *tokenRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.Account, &r.Role, &r.Tenant, &r.created, &r.expires, &r.used}
}

func (r *tokenRow) view() Token {
	r.Created, r.Expires, r.Used = tocsin.FromMillis(r.created), tocsin.FromMillis(r.expires), tocsin.FromMillis(r.used)
	return r.Token
}

// ListTokens are the caller's API tokens, the last made first; an owner of the installation may see everybody's.
func (s *Service) ListTokens(ctx context.Context, in TokensIn) (Page[Token], error) {
	return install(ctx, s, "tokens list", in, s.st.View, func(ctx context.Context, tx *store.Tx, c Caller) (Page[Token], error) {
		var p Page[Token]
		if in.All && c.Installation() != Owner {
			return p, tocsin.Problemf(tocsin.Denied, "Leave all away to see your own.", "Everybody's tokens are for owners of the installation.")
		}
		after, err := parseCursor(in.After, "tokens", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		rows, err := tx.Query(ctx, tokenColumns+`(t.account = $1 or $2 = 1) and ($3 = '' or t.id < $3) order by t.id desc limit $4`, c.Account, flag(in.All), after.text(0), n+1)
		if err != nil {
			return p, err
		}
		found, err := scan(rows, (*tokenRow).fields)
		views := make([]Token, 0, len(found))
		for i := range found {
			views = append(views, found[i].view())
		}
		p = paged(views, n, func(t Token) string { return cursor("tokens", t.ID) })
		if in.After == "" && err == nil {
			err = tx.QueryRow(ctx, `select count(*) from api_token where account = $1 or $2 = 1`, c.Account, flag(in.All)).Scan(&p.Total)
		}
		return p, err
	})
}

// CreateToken makes an API token. Its secret is in the answer and nowhere else.
func (s *Service) CreateToken(ctx context.Context, in CreateTokenIn) (Token, error) {
	return install(ctx, s, "tokens create", in, s.st.Update, func(ctx context.Context, tx *store.Tx, c Caller) (Token, error) {
		b := in.Body
		on := strings.ToLower(strings.TrimSpace(b.On))
		if on == "" {
			on = Everywhere
		}
		if err := mayHave(c, on, b.Role); err != nil {
			return Token{}, err
		}
		days := b.Days
		if days == 0 {
			days = 90
		}
		t := Token{ID: tocsin.NewID(), Name: strings.TrimSpace(b.Name), Account: c.Email, Role: b.Role, Tenant: on, Created: s.now().Truncate(time.Millisecond), Secret: newSecret("tcs_")}
		t.Expires = t.Created.AddDate(0, 0, days)
		if err := noMore(ctx, tx, c, &t); err != nil {
			return Token{}, err
		}
		_, err := tx.Exec(ctx, `insert into api_token (id, account, name, hash, role, tenant, created, expires) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			t.ID, c.Account, t.Name, hashToken(t.Secret), t.Role, t.Tenant, t.Created, t.Expires)
		if err != nil {
			return Token{}, err
		}
		return t, accountFact(ctx, tx, Everywhere, c.Account, c.Email, "token made")
	})
}

// noMore has a token that was made with a token end no later than that, and reach no further: who finds one can make it
// neither last nor grow into what its account may do elsewhere.
func noMore(ctx context.Context, tx *store.Tx, c Caller, t *Token) error {
	if c.Token == "" {
		return nil
	}
	var expires int64
	var tenant string
	if err := tx.QueryRow(ctx, `select expires, tenant from api_token where id = $1`, c.Token).Scan(&expires, &tenant); err != nil {
		return err
	}
	if tenant != Everywhere && t.Tenant != tenant {
		return tocsin.Problemf(tocsin.Denied, "Ask for one for the tenant "+tenant+", or make it on the pages.", "A token for one tenant cannot make one for others.")
	}
	if expires != 0 && t.Expires.After(tocsin.FromMillis(expires)) {
		t.Expires = tocsin.FromMillis(expires)
	}
	return nil
}

// mayHave refuses a token that could do more than its maker. A token may be for all tenants and have a role that its
// maker has only in some: elsewhere it can do nothing.
func mayHave(c Caller, on string, role Role) error {
	if on != Everywhere {
		if c.Role(tocsin.TenantID(on)) == "" {
			return notFound("tenant")
		}
		if c.Role(tocsin.TenantID(on)).Includes(role) {
			return nil
		}
	} else {
		for _, g := range c.Grants {
			if g.Role.Includes(role) {
				return nil
			}
		}
	}
	return tocsin.Problemf(tocsin.Denied, "Ask for a lesser role.", "A token cannot have the role %s: you do not have it yourself there.", role)
}

// RevokeToken ends an API token: one's own, or for an owner of the installation anybody's.
func (s *Service) RevokeToken(ctx context.Context, in TokenIn) (None, error) {
	return install(ctx, s, "tokens revoke", in, s.st.Update, func(ctx context.Context, tx *store.Tx, c Caller) (None, error) {
		var account string
		err := tx.QueryRow(ctx, `delete from api_token where id = $1 and (account = $2 or $3 = 1) returning account`, in.ID, c.Account, flag(c.Installation() == Owner)).Scan(&account)
		if errors.Is(err, store.ErrNone) {
			return None{}, notFound("token")
		}
		if err != nil {
			return None{}, err
		}
		return None{}, accountFact(ctx, tx, Everywhere, account, c.Email, "token revoked")
	})
}

// flag is a condition as an argument that both engines compare alike.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
