package api

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// setupLife is how long a set-up link is good for; each start makes another.
const setupLife = 24 * time.Hour

// EnsureOwner makes the account email an owner of the installation and token its API token, whatever was before: for a
// first start without a browser (TOCSIN_OWNER_EMAIL and TOCSIN_OWNER_TOKEN). The account has no password until one is
// given it (accounts reset). Another token than at the last start takes the place of that.
func (s *Service) EnsureOwner(ctx context.Context, email, token string) error {
	email, err := emailAddress(email)
	if err != nil {
		return err
	}
	if len(token) < 20 || strings.ContainsAny(token, " \t\r\n") {
		return invalid("Use a random one, such as openssl rand -hex 32 makes.", "The owner's token must be a word of at least 20 characters.")
	}
	const name = "from the server's environment"
	return s.st.Update(ctx, func(tx *store.Tx) error {
		now := tocsin.Millis(s.now())
		made, err := tx.Exec(ctx, `insert into account (id, email, name, password, created) values ($1, $2, '', '', $3) on conflict (email) do nothing`, tocsin.NewID(), email, now)
		if err != nil {
			return err
		}
		a, err := named(ctx, tx, email)
		if err != nil {
			return err
		}
		granted, err := tx.Exec(ctx, `insert into role_grant (account, tenant, role) values ($1, '*', 'owner')
			on conflict (account, tenant) do update set role = 'owner' where role_grant.role <> 'owner'`, a.id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update account set disabled = $2 where id = $1`, a.id, false); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from api_token where name = $1 and hash <> $2`, name, hashToken(token)); err != nil {
			return err
		}
		fresh, err := tx.Exec(ctx, `insert into api_token (id, account, name, hash, role, tenant, created, expires) values ($1, $2, $3, $4, 'owner', '*', $5, 0)
			on conflict (hash) do update set account = excluded.account where api_token.account <> excluded.account`, tocsin.NewID(), a.id, name, hashToken(token), now)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from setup_link`); err != nil {
			return err
		}
		if made+granted+fresh == 0 {
			return nil
		}
		return accountFact(ctx, tx, Everywhere, a.id, "tocsin", "owner from the environment")
	})
}

// claimed says whether the installation has an owner.
func claimed(ctx context.Context, tx *store.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `select count(*) from role_grant g join account a on a.id = g.account where g.tenant = '*' and g.role = 'owner' and not a.disabled`).Scan(&n)
	return n > 0, err
}

// SetupLink makes the one-time secret with which a new server is claimed; empty where it has an owner. It is good for a
// day, and ends the one before.
func (s *Service) SetupLink(ctx context.Context) (token string, err error) {
	err = s.st.Update(ctx, func(tx *store.Tx) error {
		token = ""
		has, err := claimed(ctx, tx)
		if err != nil || has {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from setup_link`); err != nil {
			return err
		}
		token = newSecret("")
		_, err = tx.Exec(ctx, `insert into setup_link (hash, expires) values ($1, $2)`, hashToken(token), s.now().Add(setupLife))
		return err
	})
	return token, err
}

// GetSetup says whether the server waits to be claimed.
func (s *Service) GetSetup(ctx context.Context, in NoInput) (SetupState, error) {
	return install(ctx, s, "setup get", in, s.st.View, func(ctx context.Context, tx *store.Tx, _ Caller) (SetupState, error) {
		has, err := claimed(ctx, tx)
		return SetupState{Open: !has}, err
	})
}

// CheckSetup says why ClaimSetup would refuse the secret of a set-up link, and changes nothing.
func (s *Service) CheckSetup(ctx context.Context, token string) error {
	return s.st.View(ctx, func(tx *store.Tx) error {
		var n int
		err := tx.QueryRow(ctx, `select count(*) from setup_link where hash = $1 and expires > $2`, hashToken(token), tocsin.Millis(s.now())).Scan(&n)
		if err == nil && n == 0 {
			err = errSetupLink
		}
		return err
	})
}

var errSetupLink = tocsin.Problemf(tocsin.Denied, "Start the server again and use the link it prints then.", "The set-up link is not valid: it was used, is older than a day, or another was made since.")

// ClaimSetup makes the first owner, with the secret of the set-up link, once; a browser is signed in by it.
func (s *Service) ClaimSetup(ctx context.Context, in SetupIn) (_ SignedIn, err error) {
	defer func() {
		s.noteAfter(ctx, "setup claim", Everywhere, nil, Caller{Email: clip(tocsin.CanonicalAddress(in.Body.Email), 320)}, err)
	}()
	if _, err := s.allow(ctx, "setup claim", Everywhere); err != nil {
		return SignedIn{}, err
	}
	if err := valid(in); err != nil {
		return SignedIn{}, err
	}
	if err := s.attempt(ctx, "address|"+addressIn(ctx), perAddress); err != nil {
		return SignedIn{}, err
	}
	a, err := s.newAccount(ctx, in.Body.Email, in.Body.Name, in.Body.Password)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.claim(ctx, a, in.Body.Token); err != nil {
		return SignedIn{}, err
	}
	if req := requestOf(ctx); req != nil && req.session {
		return s.begin(ctx, req, a, "password")
	}
	me, err := s.Me(WithCaller(ctx, Caller{Account: a.id, Email: a.email, Name: a.name, By: "session", Grants: []Grant{{Everywhere, Owner}}}), NoInput{})
	return SignedIn{Me: &me}, err
}

func (s *Service) claim(ctx context.Context, a *account, token string) error {
	return s.st.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, `delete from setup_link where hash = $1 and expires > $2`, hashToken(token), tocsin.Millis(s.now()))
		if err != nil {
			return err
		}
		has, err := claimed(ctx, tx)
		if err != nil {
			return err
		}
		if n == 0 || has {
			return errSetupLink
		}
		if err := insertAccount(ctx, tx, a, a.email); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into role_grant (account, tenant, role) values ($1, '*', 'owner')`, a.id)
		return err
	})
}
