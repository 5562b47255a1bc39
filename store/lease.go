package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
)

// ErrLost says that a lease has been taken by another: whoever gets it stops, for the other goes on from what was
// committed last.
var ErrLost = errors.New("the lease has been taken by another")

// Lease takes the lease of that name for owner, or renews it, until d from now. ok is false while another holds it. The
// epoch grows each time the lease changes hands; an owner who renews in time keeps his. The time is the database's where
// replicas share one: their own clocks may differ by more than a lease lasts, and they would take it from each other in turn.
func (s *Store) Lease(ctx context.Context, name, owner string, d time.Duration) (epoch int64, ok bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		now := s.kind.now(3)
		row := tx.QueryRow(ctx, `insert into lease (name, owner, epoch, expires) values ($1, $2, 1, `+now+` + $4)
			on conflict (name) do update set owner = excluded.owner, expires = excluded.expires,
				epoch = case when lease.owner = excluded.owner then lease.epoch else lease.epoch + 1 end
			where lease.owner = excluded.owner or lease.expires <= `+now+`
			returning epoch`, name, owner, s.now(), d.Milliseconds())
		return row.Scan(&epoch)
	})
	if errors.Is(err, ErrNone) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return epoch, true, nil
}

// now is what dialect.now makes the time of: the time, or how far a test has put the clock ahead.
func (s *Store) now() int64 {
	now := s.clock.Now()
	if s.kind == postgres {
		return now.Sub(time.Now()).Round(time.Millisecond).Milliseconds()
	}
	return tocsin.Millis(now)
}

// Release gives the lease up, so that another can have it at once. It is no error when it is not owner's.
func (s *Store) Release(ctx context.Context, name, owner string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `update lease set expires = 0, owner = '' where name = $1 and owner = $2`, name, owner)
		return err
	})
}

// Withdraw ends a lease by which its owner says that it is there, without leaving a trace; and with it those of the same
// name up to the @ that have long run out.
func (s *Store) Withdraw(ctx context.Context, name, owner string) error {
	group, _, _ := strings.Cut(name, "@")
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec(ctx, `delete from lease where name = $1 and owner = $2 or name like $3 and expires < `+s.kind.now(4)+` - 3600000`,
			name, owner, group+"@%", s.now())
		return err
	})
}

// Guard fails with ErrLost unless owner still has the lease in that epoch, and sees to it that this stays so until the
// transaction has ended. A lease that has run out and that nobody has taken is still its owner's.
func (tx *Tx) Guard(ctx context.Context, name, owner string, epoch int64) error {
	var held int64
	err := tx.QueryRow(ctx, `select epoch from lease where name = $1 and owner = $2`+tx.store.kind.forShare(), name, owner).Scan(&held)
	if errors.Is(err, ErrNone) || err == nil && held != epoch {
		return tx.failed(fmt.Errorf("lease %s, epoch %d: %w", name, epoch, ErrLost))
	}
	return err
}

// Held is a lease as it stands.
type Held struct {
	Name, Owner string
	Epoch       int64
	Expires     time.Time
}

// Leases are all leases that somebody holds.
func (s *Store) Leases(ctx context.Context) ([]Held, error) {
	var out []Held
	err := s.View(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, `select name, owner, epoch, expires from lease where expires > `+s.kind.now(1)+` order by name`, s.now())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var h Held
			var expires int64
			if err := rows.Scan(&h.Name, &h.Owner, &h.Epoch, &expires); err != nil {
				return err
			}
			h.Expires = tocsin.FromMillis(expires)
			out = append(out, h)
		}
		return rows.Err()
	})
	return out, err
}
