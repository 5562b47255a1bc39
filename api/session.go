package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"tocsin.dev"
	"tocsin.dev/store"
)

// How long a session lasts, however busy, and how long the second step of a sign-in may take.
const (
	sessionLife = 12 * time.Hour
	secondStep  = 5 * time.Minute
)

// What a session holds.
const (
	keyAccount = "account" // who is signed in
	keyStamp   = "stamp"   // of the password signed in with: another password ends the session
	keyPending = "pending" // who gave the right password and still owes the code
	keySince   = "since"   // when, Unix milliseconds
)

// newSessions are cookie sessions kept in table session under a hash of the cookie, so that who reads the table cannot
// sign in with what stands there.
func newSessions(st *store.Store, tls bool) *scs.SessionManager {
	m := scs.New()
	m.Store = sessionRows{st}
	m.HashTokenInStore = true
	m.Lifetime = sessionLife
	m.Cookie.Name = "tocsin"
	if tls {
		m.Cookie.Name = "__Host-tocsin"
	}
	m.Cookie.Secure = tls
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) { WriteProblem(w, err) }
	return m
}

// sessionRows is scs's store on our table. Sessions are the installation's, and expire by the system's clock, which the
// cookie lives by.
type sessionRows struct{ st *store.Store }

// FindCtx gives a session's data.
func (r sessionRows) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = r.st.View(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `select data from session where token = $1 and expiry > $2`, token, tocsin.Millis(time.Now())).Scan(&data)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		found = err == nil
		return err
	})
	return data, found, err
}

// CommitCtx keeps a session, and forgets those that have ended.
func (r sessionRows) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return r.st.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `delete from session where expiry < $1`, tocsin.Millis(time.Now())); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into session (token, data, expiry) values ($1, $2, $3)
			on conflict (token) do update set data = excluded.data, expiry = excluded.expiry`, token, data, tocsin.Millis(expiry))
		return err
	})
}

// DeleteCtx forgets a session.
func (r sessionRows) DeleteCtx(ctx context.Context, token string) error {
	return r.st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `delete from session where token = $1`, token)
		return err
	})
}

// Find is FindCtx; scs calls it only for stores without.
func (r sessionRows) Find(token string) ([]byte, bool, error) {
	return r.FindCtx(context.Background(), token)
}

// Commit is CommitCtx; scs calls it only for stores without.
func (r sessionRows) Commit(token string, data []byte, expiry time.Time) error {
	return r.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx; scs calls it only for stores without.
func (r sessionRows) Delete(token string) error { return r.DeleteCtx(context.Background(), token) }
