package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
	"tocsin.dev"
	"tocsin.dev/store"
)

// SignIn begins a session. Where the account has a second factor the code comes with the password or, within five
// minutes, in a second call alone. It is only of use through [Service.Authenticate], which carries the cookie.
func (s *Service) SignIn(ctx context.Context, in SignInIn) (out SignedIn, err error) {
	who := tocsin.CanonicalAddress(in.Body.Email)
	defer func() { s.refused(ctx, "session open", Everywhere, nil, Caller{Email: clip(who, 320)}, err) }()
	if _, err := s.allow(ctx, "session open", Everywhere); err != nil {
		return SignedIn{}, err
	}
	if err := valid(in); err != nil {
		return SignedIn{}, err
	}
	req := requestOf(ctx)
	if req == nil || !req.session {
		return SignedIn{}, invalid("Use the token as it is: it needs no session.", "A session is for browsers.")
	}
	if in.Body.Email == "" && in.Body.Password == "" && in.Body.Code != "" {
		return s.secondStep(ctx, req, in.Body.Code)
	}
	email := tocsin.CanonicalAddress(in.Body.Email)
	if email == "" || in.Body.Password == "" {
		return SignedIn{}, invalid("Give both.", "The e-mail address or the password is missing.")
	}
	if err := s.attempts(ctx, email, req.address); err != nil {
		return SignedIn{}, err
	}
	a, err := s.checkPassword(ctx, email, in.Body.Password)
	if err != nil {
		return SignedIn{}, err
	}
	if !a.asksForCode() {
		return s.begin(ctx, req, a, "password")
	}
	if in.Body.Code == "" {
		if err := s.sessions.RenewToken(ctx); err != nil {
			return SignedIn{}, err
		}
		s.sessions.Put(ctx, keyPending, a.id)
		s.sessions.Put(ctx, keySince, tocsin.Millis(s.now()))
		return SignedIn{NeedsCode: true}, nil
	}
	return s.withCode(ctx, req, a, in.Body.Code)
}

// checkPassword gives the account if the password is right, else one and the same denial after the same time.
func (s *Service) checkPassword(ctx context.Context, email, password string) (*account, error) {
	var a *account
	err := s.st.View(ctx, func(tx *store.Tx) (err error) {
		a, err = loadAccount(ctx, tx, `email = $1`, email)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		a = &account{disabled: true}
	} else if err != nil {
		return nil, err
	}
	right, err := s.rightPassword(ctx, password, a.password)
	if err != nil {
		return nil, err
	}
	if !right || a.disabled {
		return nil, wrongPassword
	}
	return a, nil
}

func (s *Service) secondStep(ctx context.Context, req *request, code string) (SignedIn, error) {
	id := s.sessions.GetString(ctx, keyPending)
	since := tocsin.FromMillis(s.sessions.GetInt64(ctx, keySince))
	if id == "" || s.now().Sub(since) > secondStep {
		return SignedIn{}, tocsin.Problemf(tocsin.Denied, "Sign in again, with e-mail address and password.", "The first step of the sign-in is too long ago.")
	}
	a, err := s.account(ctx, id)
	if err != nil {
		return SignedIn{}, err
	}
	if a.disabled {
		return SignedIn{}, wrongPassword
	}
	return s.withCode(ctx, req, a, code)
}

func (s *Service) withCode(ctx context.Context, req *request, a *account, code string) (SignedIn, error) {
	if err := s.attempt(ctx, "code|"+a.email, perSecondStep); err != nil {
		return SignedIn{}, err
	}
	if err := s.spendCode(ctx, a.id, strings.TrimSpace(code)); err != nil {
		return SignedIn{}, err
	}
	return s.begin(ctx, req, a, "password")
}

// begin makes the session that of a.
func (s *Service) begin(ctx context.Context, req *request, a *account, way string) (SignedIn, error) {
	var c Caller
	err := s.st.Update(ctx, func(tx *store.Tx) error {
		if err := s.succeeded(ctx, tx, a.email, req.address); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update account set seen = $2 where id = $1`, a.id, s.now()); err != nil {
			return err
		}
		grants, err := loadGrants(ctx, tx, a.id)
		if err != nil {
			return err
		}
		c = Caller{Account: a.id, Email: a.email, Name: a.name, By: "session", Grants: grants}
		// Whoever signs in anew in the same browser leaves the session from before, whose cookie is worth nothing now.
		if _, err := tx.Exec(ctx, `update signed_in set ended = $2 where id = $1 and ended = 0`, s.sessions.GetString(ctx, keySession), tocsin.Millis(time.Now())); err != nil {
			return err
		}
		if c.session, err = s.signedIn(ctx, tx, req, a.id, way); err != nil {
			return err
		}
		return s.note(ctx, tx, "session open", Everywhere, nil, c, nil)
	})
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.sessions.RenewToken(ctx); err != nil { // a session id from before the sign-in is worth nothing after it
		return SignedIn{}, err
	}
	s.sessions.Remove(ctx, keyPending)
	s.sessions.Remove(ctx, keySince)
	s.sessions.Put(ctx, keyAccount, a.id)
	s.sessions.Put(ctx, keyStamp, a.stamp())
	s.sessions.Put(ctx, keySession, c.session)
	req.caller = &c
	me, err := s.Me(ctx, NoInput{})
	return SignedIn{Me: &me}, err
}

// SignOut ends the session.
func (s *Service) SignOut(ctx context.Context, _ NoInput) (_ None, err error) {
	c, err := s.allow(ctx, "session close", Everywhere)
	defer func() { s.refused(ctx, "session close", Everywhere, nil, c, err) }()
	if err != nil {
		return None{}, err
	}
	req := requestOf(ctx)
	if req == nil || !req.session {
		return None{}, invalid("Revoke the token instead.", "An API token has no session to end.")
	}
	req.caller = nil
	if err := s.st.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `update signed_in set ended = $2 where id = $1 and ended = 0`, c.session, tocsin.Millis(s.now())); err != nil {
			return err
		}
		return s.note(ctx, tx, "session close", Everywhere, nil, c, nil)
	}); err != nil {
		return None{}, err
	}
	return None{}, s.sessions.Destroy(ctx)
}

// Me is the caller.
func (s *Service) Me(ctx context.Context, _ NoInput) (Me, error) {
	c, err := s.allow(ctx, "me get", Everywhere)
	if err != nil {
		return Me{}, err
	}
	me := Me{By: c.By, Grants: c.Grants, Installation: c.Installation()}
	err = s.st.View(ctx, func(tx *store.Tx) error {
		a, err := loadAccount(ctx, tx, `id = $1`, c.Account)
		if err != nil {
			return err
		}
		grants, err := loadGrants(ctx, tx, a.id)
		if err != nil {
			return err
		}
		me.Account = a.view(grants)
		me.Tenants, err = tenantsOf(ctx, tx, c, "", 200)
		return err
	})
	return me, err
}

// ChangePassword gives the caller another password and ends their other sessions.
func (s *Service) ChangePassword(ctx context.Context, in PasswordIn) (_ None, err error) {
	c, err := s.allow(ctx, "me password", Everywhere)
	defer func() { s.noteAfter(ctx, "me password", Everywhere, nil, c, err) }()
	if err != nil {
		return None{}, err
	}
	if err := bySessionOnly(c); err != nil {
		return None{}, err
	}
	if err := valid(in); err != nil {
		return None{}, err
	}
	if err := s.attempts(ctx, c.Email, addressIn(ctx)); err != nil {
		return None{}, err
	}
	if _, err := s.checkPassword(ctx, c.Email, in.Body.Old); err != nil {
		if errors.Is(err, wrongPassword) {
			err = tocsin.Problemf(tocsin.Denied, "Check it, and try again.", "The present password is not that.")
		}
		return None{}, err
	}
	if err := goodPassword(in.Body.New, c.Email); err != nil {
		return None{}, err
	}
	if norm.NFKC.String(in.Body.New) == norm.NFKC.String(in.Body.Old) {
		return None{}, invalid("Choose another.", "The new password is the present one.")
	}
	hash, err := s.hashPassword(ctx, in.Body.New)
	if err != nil {
		return None{}, err
	}
	err = s.st.Update(ctx, func(tx *store.Tx) error {
		if err := s.succeeded(ctx, tx, c.Email, addressIn(ctx)); err != nil {
			return err
		}
		return setPassword(ctx, tx, c.Account, hash, c.Email)
	})
	if err != nil {
		return None{}, err
	}
	if req := requestOf(ctx); req != nil && req.session {
		if err := s.sessions.RenewToken(ctx); err != nil {
			return None{}, err
		}
		s.sessions.Put(ctx, keyStamp, (&account{password: hash}).stamp())
	}
	return None{}, nil
}

// bySessionOnly keeps what is about the sign-in itself from API tokens: who finds one cannot take the account over.
func bySessionOnly(c Caller) error {
	if c.By == "token" {
		return tocsin.Problemf(tocsin.Denied, "Sign in on the pages and do it there.", "An API token cannot change how its account signs in.")
	}
	return nil
}

func addressIn(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.address
	}
	return ""
}
