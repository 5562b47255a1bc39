package api

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Attempts to sign in that are allowed within attemptWindow, right or wrong, before the next is refused unseen: for an
// account from one address, for an address whatever the account, and for an account wherever from. The last is wide,
// so that a stranger cannot easily shut somebody out.
const (
	attemptWindow = 15 * time.Minute
	perBoth       = 8
	perAddress    = 60
	perAccount    = 200
	perSecondStep = 8
)

// attempt counts one attempt against a limit, before it is looked at; too many is throttled.
func (s *Service) attempt(ctx context.Context, key string, limit int64) error {
	now := s.now()
	var count, since int64
	err := s.st.Update(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `insert into login_attempt (key, count, since) values ($1, 1, $2)
			on conflict (key) do update set
				count = case when login_attempt.since <= $3 then 1 else login_attempt.count + 1 end,
				since = case when login_attempt.since <= $3 then $2 else login_attempt.since end
			returning count, since`, key, tocsin.Millis(now), tocsin.Millis(now.Add(-attemptWindow))).Scan(&count, &since)
	})
	if err != nil || count <= limit {
		return err
	}
	wait := tocsin.FromMillis(since).Add(attemptWindow).Sub(now).Round(time.Minute)
	return tocsin.Problemf(tocsin.Throttled, "Wait "+minutes(wait)+", then try again.", "There were too many attempts to sign in.")
}

func minutes(d time.Duration) string {
	if d <= time.Minute {
		return "a minute"
	}
	return d.Truncate(time.Minute).String()[:len(d.Truncate(time.Minute).String())-2]
}

// attempts counts a sign-in against every limit.
func (s *Service) attempts(ctx context.Context, email, address string) error {
	for _, l := range []struct {
		key   string
		limit int64
	}{{"address|" + address, perAddress}, {"both|" + email + "|" + address, perBoth}, {"account|" + email, perAccount}} {
		if err := s.attempt(ctx, l.key, l.limit); err != nil {
			return err
		}
	}
	return nil
}

// succeeded forgets what was counted for an account, and what is over anyway. What was counted for the address stays: who
// has one account could otherwise try others without end.
func (s *Service) succeeded(ctx context.Context, tx *store.Tx, email, address string) error {
	_, err := tx.Exec(ctx, `delete from login_attempt where key in ($1, $2, $3) or since <= $4`,
		"both|"+email+"|"+address, "code|"+email, "account|"+email, tocsin.Millis(s.now().Add(-attemptWindow)))
	return err
}
