package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// Whoever came in writes to many. So of those about whom a suspicious sign-in was found within three days, and of nobody else, it is
// counted now and then what they sent by the hour, against the thirty days before.

const (
	burstBack  = 72 * time.Hour
	burstKnown = 30 * 24 * time.Hour
	burstMost  = 20_000 // events of a mailbox that are counted
)

// Bursts looks for bursts of mail after suspicious sign-ins, in every tenant. It is called now and then.
func Bursts(ctx context.Context, st *store.Store) error {
	return inEach(ctx, st, func(id tocsin.TenantID) error {
		if err := bursts(ctx, st, id); err != nil {
			return fmt.Errorf("look for bursts of mail in %s: %w", id, err)
		}
		return nil
	})
}

// suspect is somebody about whom a suspicious sign-in was found.
type suspect struct {
	person tocsin.PersonID
	who    string
	entry  time.Time
}

func bursts(ctx context.Context, st *store.Store, tenant tocsin.TenantID) error {
	now := st.Clock().Now()
	var found []tocsin.Finding
	err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		found = nil
		list, err := suspects(ctx, t, now)
		if err != nil {
			return err
		}
		for _, s := range list {
			f, err := burstOf(ctx, t, now, s)
			if err != nil {
				return err
			}
			if f != nil {
				found = append(found, *f)
			}
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return st.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error { return fileEvents(ctx, t, now, found) })
}

// suspects are those with an open finding on a way in, by the first of them.
func suspects(ctx context.Context, t *store.Tenant, now time.Time) (out []suspect, err error) {
	seen := map[tocsin.PersonID]bool{}
	err = each(ctx, t, func(scan func(...any) error) error {
		var s suspect
		var name, stage string
		var risk int
		var at int64
		if err := scan(&s.person, &s.who, &name, &stage, &risk, &at); err != nil {
			return err
		}
		if s.entry = tocsin.FromMillis(at); rule.Entry(name, stage, risk) && !seen[s.person] {
			seen[s.person] = true
			out = append(out, s)
		}
		return nil
	}, `select person, who, rule, stage, risk, first_seen from finding where tenant = $1 and first_seen >= $2 and status in ('open', 'in_work') and person <> '' order by first_seen, id`,
		tocsin.Millis(now.Add(-burstBack)))
	return out, err
}

// burstOf counts what somebody sent.
func burstOf(ctx context.Context, t *store.Tenant, now time.Time, s suspect) (*tocsin.Finding, error) {
	var before, after []rule.Sent
	from, first := s.entry.Add(-burstKnown), now
	err := each(ctx, t, func(scan func(...any) error) error {
		is := tocsin.EventRow{Tenant: t.ID(), Person: s.person}
		if err := scan(&is.ID, &is.At, &is.Action, &is.Body); err != nil {
			return err
		}
		when := tocsin.FromMillis(is.At)
		if when.Before(first) {
			first = when
		}
		if is.Action != "email_sent" {
			return nil
		}
		var e struct {
			Raw struct {
				To  int `json:"to_count"`
				Cc  int `json:"cc_count"`
				Bcc int `json:"bcc_count"`
			} `json:"raw_metadata"`
		}
		if err := json.Unmarshal([]byte(is.JSON()), &e); err != nil {
			return nil // counted by none
		}
		list := &before
		if !when.Before(s.entry) {
			list = &after
		}
		hour := when.UTC().Truncate(time.Hour)
		if n := len(*list); n == 0 || !(*list)[n-1].Hour.Equal(hour) {
			*list = append(*list, rule.Sent{Hour: hour})
		}
		h := &(*list)[len(*list)-1]
		h.Messages, h.Recipients = h.Messages+1, h.Recipients+max(1, e.Raw.To+e.Raw.Cc+e.Raw.Bcc)
		if len(h.IDs) < 5 {
			h.IDs = append(h.IDs, is.ID)
		}
		return nil
	}, fmt.Sprintf(`select id, at, action, body from event where tenant = $1 and person = $2 and at >= $3 and type = 'EMAIL' order by at desc limit %d`, burstMost), string(s.person), tocsin.Millis(from))
	if err != nil {
		return nil, err
	}
	return rule.Burst(s.person, s.who, s.entry, s.entry.Sub(first), before, after), nil
}
