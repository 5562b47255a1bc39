package api

import (
	"context"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Session is somebody signed in with a browser.
type Session struct {
	ID      string    `json:"id"`
	Account string    `json:"account"` // e-mail
	Way     string    `json:"way"`     // password, or oidc
	Begun   time.Time `json:"begun"`
	Seen    time.Time `json:"seen"`
	Ends    time.Time `json:"ends"`
	Address string    `json:"address"`
	Agent   string    `json:"agent"` // the browser, as it says
	Current bool      `json:"current"`
}

// SessionsIn lists sessions.
type SessionsIn struct {
	Paging
	All bool `query:"all" doc:"Everybody's; for owners of the installation"`
}

// SessionIn names a session.
type SessionIn struct {
	ID string `path:"id" minLength:"1" maxLength:"100" doc:"The session's id"`
}

// keySession is the id of a session, which is not its cookie's.
const keySession = "session"

// sessionAgent is how much is kept of what a browser says it is.
const sessionAgent = 300

// signedIn writes down a new session.
func (s *Service) signedIn(ctx context.Context, tx *store.Tx, req *request, account, way string) (id string, err error) {
	id = tocsin.NewID()
	now := time.Now() // sessions live by the system's clock, as their cookies do
	_, err = tx.Exec(ctx, `insert into signed_in (id, account, way, begun, seen, address, agent, ends) values ($1, $2, $3, $4, $4, $5, $6, $7)`,
		id, account, way, tocsin.Millis(now), req.address, clip(req.agent, sessionAgent), tocsin.Millis(now.Add(sessionLife)))
	return id, err
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// open says whether a session has not been ended, and notes that it was seen, to the minute.
func (s *Service) open(ctx context.Context, tx *store.Tx, id string) (open, stale bool, err error) {
	var ended, seen int64
	err = tx.QueryRow(ctx, `select ended, seen from signed_in where id = $1`, id).Scan(&ended, &seen)
	if errors.Is(err, store.ErrNone) {
		return false, false, nil
	}
	return ended == 0, time.Since(tocsin.FromMillis(seen)) > time.Minute, err
}

func (s *Service) seen(ctx context.Context, id string) {
	if err := s.st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `update signed_in set seen = $2 where id = $1`, id, tocsin.Millis(time.Now()))
		return err
	}); err != nil {
		s.log.Warn("when a session was seen was not noted", "error", err)
	}
}

// ListSessions lists the caller's sessions that have not ended, the last seen first; to owners everybody's where asked.
func (s *Service) ListSessions(ctx context.Context, in SessionsIn) (Page[Session], error) {
	return install(ctx, s, "sessions list", in, s.st.View, func(ctx context.Context, tx *store.Tx, c Caller) (Page[Session], error) {
		var p Page[Session]
		if in.All && c.Installation() != Owner {
			return p, tocsin.Problemf(tocsin.Denied, "Leave all away to see your own.", "Everybody's sessions are for owners of the installation.")
		}
		after, err := parseCursor(in.After, "sessions", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		rows, err := tx.Query(ctx, `select s.id, a.email, s.way, s.begun, s.seen, s.ends, s.address, s.agent from signed_in s join account a on a.id = s.account
			where (s.account = $1 or $2 = 1) and s.ended = 0 and s.ends > $3 and ($4 = '' or s.id < $4) order by s.id desc limit $5`,
			c.Account, flag(in.All), tocsin.Millis(time.Now()), after.text(0), n+1)
		if err != nil {
			return p, err
		}
		type row struct {
			Session
			begun, seen, ends int64
		}
		found, err := scan(rows, func(r *row) []any {
			return []any{&r.ID, &r.Account, &r.Way, &r.begun, &r.seen, &r.ends, &r.Address, &r.Agent}
		})
		list := make([]Session, len(found))
		for i, r := range found {
			r.Begun, r.Seen, r.Ends = tocsin.FromMillis(r.begun), tocsin.FromMillis(r.seen), tocsin.FromMillis(r.ends)
			r.Current = r.ID == c.session
			list[i] = r.Session
		}
		return paged(list, n, func(v Session) string { return cursor("sessions", v.ID) }), err
	})
}

// EndSession ends a session: the caller's own, or anybody's for owners of the installation.
func (s *Service) EndSession(ctx context.Context, in SessionIn) (None, error) {
	return install(ctx, s, "sessions end", in, s.st.Update, func(ctx context.Context, tx *store.Tx, c Caller) (None, error) {
		n, err := tx.Exec(ctx, `update signed_in set ended = $2 where id = $1 and ended = 0 and (account = $3 or $4 = 1)`,
			in.ID, tocsin.Millis(time.Now()), c.Account, flag(c.Installation() == Owner))
		if err == nil && n == 0 {
			err = notFound("session")
		}
		if err == nil {
			err = accountFact(ctx, tx, Everywhere, c.Account, c.Email, "session ended")
		}
		return None{}, err
	})
}
