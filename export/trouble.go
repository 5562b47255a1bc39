package export

import (
	"cmp"
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// The troubles of an export that somebody has to know of: paused because of what its receiver answered, failing for long,
// behind for long.
const (
	TroublePaused  = "paused"
	TroubleFailing = "failing"
	TroubleBehind  = "behind"
)

// UsualLate is from when on an export that fails, or sends what came long ago, is told of as a fault.
const UsualLate = 15 * time.Minute

// trouble says what somebody has to know of the export now, and since when that is so. What was told of lasts until the
// export has caught up: it is not told and taken back by turns.
func (e *Export) trouble(now time.Time, late time.Duration) (string, time.Time) {
	switch {
	case e.State == Paused && e.Failures > 0:
		return TroublePaused, e.Failed
	case e.State == Paused: // somebody means it
		return "", time.Time{}
	case e.Failures > 0 && (now.Sub(e.Failed) >= late || e.Trouble != ""):
		return TroubleFailing, e.Failed
	case !e.BackTo.IsZero() || e.backPlace > 0: // what comes waits for the past
		return "", time.Time{}
	case e.Behind > 0 && (now.Sub(e.Since) >= late || e.Trouble != "" && now.Sub(e.Since) >= late/5):
		return TroubleBehind, e.Since
	}
	return "", time.Time{}
}

// TellTroubles writes of every export what somebody has to know of it, and tells where that has changed.
func (x *Exports) TellTroubles(ctx context.Context) error {
	list, err := x.All(ctx)
	if err != nil {
		return err
	}
	late := cmp.Or(x.Late, UsualLate)
	for i := range list {
		e := &list[i]
		is, since := e.trouble(x.Store.Clock().Now(), late)
		if is == e.Trouble {
			continue
		}
		err := x.Store.UpdateTenant(ctx, e.Tenant, func(t *store.Tenant) error {
			n, err := t.Exec(ctx, `update export set trouble = $3, troubled = $4 where tenant = $1 and id = $2 and trouble = $5`, e.ID, is, tocsin.Millis(since), e.Trouble)
			if err != nil || n == 0 {
				return err
			}
			return tell(ctx, t, e.ID, "")
		})
		if err != nil {
			return err
		}
		if is == "" {
			x.log().Info("an export has caught up", "tenant", e.Tenant, "export", e.ID)
		} else {
			x.log().Warn("events do not reach their receiver in time", "tenant", e.Tenant, "export", e.ID, "kind", e.Kind, "trouble", is, "behind", e.Behind, "since", since)
		}
	}
	return nil
}
