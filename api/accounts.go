package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// account is a row of table account.
type account struct {
	id, email, name, password, totp string
	disabled                        bool
	created, seen                   int64
}

// stamp ties a session to the password it was begun with, without saying anything of it.
func (a *account) stamp() string {
	sum := sha256.Sum256([]byte("stamp|" + a.password))
	return hex.EncodeToString(sum[:16])
}

func (a *account) asksForCode() bool {
	f, ok := parseFactor(a.totp)
	return ok && f.on
}

func (a *account) view(grants []Grant) Account {
	return Account{ID: a.id, Email: a.email, Name: a.name, TOTP: a.asksForCode(), Disabled: a.disabled,
		Created: tocsin.FromMillis(a.created), Seen: tocsin.FromMillis(a.seen), Grants: grants}
}

const accountColumns = `select id, email, name, password, totp, disabled, created, seen from account where `

func loadAccount(ctx context.Context, tx *store.Tx, where string, args ...any) (*account, error) {
	var a account
	err := tx.QueryRow(ctx, accountColumns+where, args...).
		Scan(&a.id, &a.email, &a.name, &a.password, &a.totp, &a.disabled, &a.created, &a.seen)
	return &a, err
}

func (s *Service) account(ctx context.Context, id string) (a *account, err error) {
	err = s.st.View(ctx, func(tx *store.Tx) error {
		a, err = loadAccount(ctx, tx, `id = $1`, id)
		return err
	})
	return a, err
}

// named is the account with this id or address.
func named(ctx context.Context, tx *store.Tx, id string) (*account, error) {
	a, err := loadAccount(ctx, tx, `id = $1 or email = $2`, id, tocsin.CanonicalAddress(id))
	if errors.Is(err, store.ErrNone) {
		return nil, notFound("account")
	}
	return a, err
}

func loadGrants(ctx context.Context, tx *store.Tx, account string) ([]Grant, error) {
	byAccount, err := grantsOf(ctx, tx, []any{account})
	if g := byAccount[account]; g != nil {
		return g, err
	}
	return []Grant{}, err
}

func grantsOf(ctx context.Context, tx *store.Tx, accounts []any) (map[string][]Grant, error) {
	rows, err := tx.Query(ctx, `select account, tenant, role from role_grant where account in (`+store.In(len(accounts), 1)+`) order by account, tenant`, accounts...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]Grant{}
	for rows.Next() {
		var a string
		var g Grant
		if err := rows.Scan(&a, &g.Tenant, &g.Role); err != nil {
			return nil, err
		}
		out[a] = append(out[a], g)
	}
	return out, rows.Err()
}

// ListAccounts are those who may sign in, by e-mail.
func (s *Service) ListAccounts(ctx context.Context, in AccountsIn) (Page[Account], error) {
	return install(ctx, s, "accounts list", in, s.st.View, func(ctx context.Context, tx *store.Tx, _ Caller) (Page[Account], error) {
		var p Page[Account]
		after, err := parseCursor(in.After, "accounts", 1)
		if err != nil {
			return p, err
		}
		like := contains(in.Q)
		n := in.limit()
		rows, err := tx.Query(ctx, accountColumns+`email > $1 and (lower(email) like $2 escape '\' or lower(name) like $2 escape '\') order by email limit $3`, after.text(0), like, n+1)
		if err != nil {
			return p, err
		}
		accounts, err := scan(rows, func(a *account) []any {
			return []any{&a.id, &a.email, &a.name, &a.password, &a.totp, &a.disabled, &a.created, &a.seen}
		})
		if err != nil {
			return p, err
		}
		ids := []any{}
		for i := range accounts {
			ids = append(ids, accounts[i].id)
		}
		grants, err := grantsOf(ctx, tx, ids)
		if err != nil {
			return p, err
		}
		views := make([]Account, 0, len(accounts))
		for i := range accounts {
			g := grants[accounts[i].id]
			if g == nil {
				g = []Grant{}
			}
			views = append(views, accounts[i].view(g))
		}
		p = paged(views, n, func(a Account) string { return cursor("accounts", a.Email) })
		if in.After == "" {
			err = tx.QueryRow(ctx, `select count(*) from account where lower(email) like $1 escape '\' or lower(name) like $1 escape '\'`, like).Scan(&p.Total)
		}
		return p, err
	})
}

// CreateAccount lets somebody sign in.
func (s *Service) CreateAccount(ctx context.Context, in CreateAccountIn) (Account, error) {
	if c, err := s.allow(ctx, "accounts create", Everywhere); err != nil {
		s.refused(ctx, "accounts create", Everywhere, in, c, err) // before a password is hashed for anybody
		return Account{}, err
	}
	if err := valid(in); err != nil {
		return Account{}, err
	}
	b := in.Body
	if b.Role != "" && b.On == "" {
		return Account{}, invalid("Give the tenant's id, or * for all.", "tenant is missing: where shall the role hold?")
	}
	a, err := s.newAccount(ctx, b.Email, b.Name, b.Password)
	if err != nil {
		return Account{}, err
	}
	return install(ctx, s, "accounts create", in, s.st.Update, func(ctx context.Context, tx *store.Tx, c Caller) (Account, error) {
		if err := insertAccount(ctx, tx, a, c.Email); err != nil {
			return Account{}, err
		}
		if b.Role != "" {
			if err := grant(ctx, tx, a, b.On, b.Role, c.Email); err != nil {
				return Account{}, err
			}
		}
		grants, err := loadGrants(ctx, tx, a.id)
		return a.view(grants), err
	})
}

// newAccount checks and hashes; nothing is written.
func (s *Service) newAccount(ctx context.Context, email, name, password string) (*account, error) {
	email, err := emailAddress(email)
	if err != nil {
		return nil, err
	}
	hash := ""
	if password != "" || s.o.OIDC == nil { // without one they sign in by the identity provider alone
		if err := goodPassword(password, email); err != nil {
			return nil, err
		}
		if hash, err = s.hashPassword(ctx, password); err != nil {
			return nil, err
		}
	}
	return &account{id: tocsin.NewID(), email: email, name: strings.TrimSpace(name), password: hash, created: tocsin.Millis(s.now())}, err
}

func insertAccount(ctx context.Context, tx *store.Tx, a *account, actor string) error {
	n, err := tx.Exec(ctx, `insert into account (id, email, name, password, created) values ($1, $2, $3, $4, $5) on conflict (email) do nothing`,
		a.id, a.email, a.name, a.password, a.created)
	if err != nil {
		return err
	}
	if n == 0 {
		return tocsin.Problemf(tocsin.Conflict, "Use another address, or change the account that is there.", "There is an account %s already.", a.email)
	}
	return accountFact(ctx, tx, Everywhere, a.id, actor, "created")
}

// accountFact tells that an account changed, in the tenant that it concerns or for the installation (*).
func accountFact(ctx context.Context, tx *store.Tx, tenant, id, actor, what string) error {
	body, err := json.Marshal(map[string]string{"what": what})
	if err != nil {
		return err
	}
	return tx.Tenant(tocsin.TenantID(tenant)).Append(ctx, store.Fact{Kind: "account.changed", Subject: id, Actor: actor, Body: body})
}

// grant gives a role in place of the one held there.
func grant(ctx context.Context, tx *store.Tx, a *account, on string, role Role, actor string) error {
	if on != Everywhere {
		on = strings.ToLower(strings.TrimSpace(on))
		if err := exists(ctx, tx.Tenant(tocsin.TenantID(on))); err != nil {
			return err
		}
	}
	if role != Owner || on != Everywhere {
		if err := keepOwner(ctx, tx, a.id, on); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `insert into role_grant (account, tenant, role) values ($1, $2, $3) on conflict (account, tenant) do update set role = excluded.role`, a.id, on, role)
	if err != nil {
		return err
	}
	return accountFact(ctx, tx, on, a.id, actor, "granted "+string(role))
}

// keepOwner refuses to take the last owner's grant on the installation away from a.
func keepOwner(ctx context.Context, tx *store.Tx, account, on string) error {
	if on != Everywhere {
		return nil
	}
	// The rows are locked by an update that changes nothing, so that two owners cannot shut each other out at once.
	if _, err := tx.Exec(ctx, `update role_grant set role = role where tenant = '*' and role = 'owner'`); err != nil {
		return err
	}
	var is, others int
	err := tx.QueryRow(ctx, `select coalesce(sum(case when g.account = $1 then 1 else 0 end), 0), coalesce(sum(case when g.account <> $1 then 1 else 0 end), 0)
		from role_grant g join account a on a.id = g.account where g.tenant = '*' and g.role = 'owner' and not a.disabled`, account).Scan(&is, &others)
	if err == nil && is > 0 && others == 0 {
		return tocsin.Problemf(tocsin.Conflict, "Make somebody else an owner first.", "This is the last owner of the installation.")
	}
	return err
}

// changeAccount is what the operations on one account have in common.
func changeAccount(ctx context.Context, s *Service, name string, in any, id string, do func(context.Context, *store.Tx, Caller, *account) error) (Account, error) {
	return install(ctx, s, name, in, s.st.Update, func(ctx context.Context, tx *store.Tx, c Caller) (Account, error) {
		a, err := named(ctx, tx, id)
		if err != nil {
			return Account{}, err
		}
		if err := do(ctx, tx, c, a); err != nil {
			return Account{}, err
		}
		if a, err = named(ctx, tx, a.id); err != nil {
			return Account{}, err
		}
		grants, err := loadGrants(ctx, tx, a.id)
		return a.view(grants), err
	})
}

// Grant gives an account a role in a tenant, or in all.
func (s *Service) Grant(ctx context.Context, in GrantIn) (Account, error) {
	return changeAccount(ctx, s, "accounts grant", in, in.ID, func(ctx context.Context, tx *store.Tx, c Caller, a *account) error {
		return grant(ctx, tx, a, in.Body.On, in.Body.Role, c.Email)
	})
}

// Revoke takes a role away.
func (s *Service) Revoke(ctx context.Context, in RevokeIn) (Account, error) {
	return changeAccount(ctx, s, "accounts revoke", in, in.ID, func(ctx context.Context, tx *store.Tx, c Caller, a *account) error {
		if err := keepOwner(ctx, tx, a.id, in.On); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `delete from role_grant where account = $1 and tenant = $2`, a.id, in.On)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("grant")
		}
		return accountFact(ctx, tx, in.On, a.id, c.Email, "revoked")
	})
}

// DisableAccount shuts an account out at once, with its sessions and tokens.
func (s *Service) DisableAccount(ctx context.Context, in AccountIn) (Account, error) {
	return changeAccount(ctx, s, "accounts disable", in, in.ID, func(ctx context.Context, tx *store.Tx, c Caller, a *account) error {
		if a.id == c.Account {
			return tocsin.Problemf(tocsin.Conflict, "Ask another owner.", "You cannot shut yourself out.")
		}
		if err := keepOwner(ctx, tx, a.id, Everywhere); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update account set disabled = $2 where id = $1`, a.id, true); err != nil {
			return err
		}
		return accountFact(ctx, tx, Everywhere, a.id, c.Email, "disabled")
	})
}

// EnableAccount lets an account in again.
func (s *Service) EnableAccount(ctx context.Context, in AccountIn) (Account, error) {
	return changeAccount(ctx, s, "accounts enable", in, in.ID, func(ctx context.Context, tx *store.Tx, c Caller, a *account) error {
		if _, err := tx.Exec(ctx, `update account set disabled = $2 where id = $1`, a.id, false); err != nil {
			return err
		}
		return accountFact(ctx, tx, Everywhere, a.id, c.Email, "enabled")
	})
}

// ResetAccount gives an account another password and takes its second factor away, for who lost either. Its sessions end.
func (s *Service) ResetAccount(ctx context.Context, in ResetIn) (Account, error) {
	if c, err := s.allow(ctx, "accounts reset", Everywhere); err != nil {
		s.refused(ctx, "accounts reset", Everywhere, in, c, err)
		return Account{}, err
	}
	if err := goodPassword(in.Body.Password, in.ID); err != nil {
		return Account{}, err
	}
	hash, err := s.hashPassword(ctx, in.Body.Password)
	if err != nil {
		return Account{}, err
	}
	return changeAccount(ctx, s, "accounts reset", in, in.ID, func(ctx context.Context, tx *store.Tx, c Caller, a *account) error {
		if _, err := tx.Exec(ctx, `update account set totp = '' where id = $1`, a.id); err != nil {
			return err
		}
		return setPassword(ctx, tx, a.id, hash, c.Email)
	})
}

func setPassword(ctx context.Context, tx *store.Tx, id, hash, actor string) error {
	if _, err := tx.Exec(ctx, `update account set password = $2 where id = $1`, id, hash); err != nil {
		return err
	}
	return accountFact(ctx, tx, Everywhere, id, actor, "password changed")
}
