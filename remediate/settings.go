package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Settings are how a tenant lets acts happen.
type Settings struct {
	Approval string   `json:"approval"` // none, second_person or hard
	Kinds    []Kind   `json:"kinds"`    // those that need approval; all where empty
	PerHour  int      `json:"per_hour"` // acts sent in an hour, undos apart
	AtOnce   int      `json:"at_once"`  // actions that wait or are under way, undos apart
	Spared   []string `json:"spared"`   // people by address or id whom only an owner can have touched

	Version   int64     `json:"-"`
	Changed   time.Time `json:"-"`
	ChangedBy string    `json:"-"`
}

// The approval by somebody else than who asked: of all kinds, or of those that are named; or of the hard ones.
const (
	SecondPerson  = "second_person"
	SecondForHard = "hard"
)

// defaults are a tenant's settings until somebody sets them.
func defaults() Settings {
	return Settings{Approval: "none", Kinds: []Kind{}, PerHour: 30, AtOnce: 10, Spared: []string{}}
}

// SettingsOf are a tenant's settings.
func SettingsOf(ctx context.Context, t *store.Tenant) (Settings, error) {
	s := defaults()
	var body string
	var changed int64
	err := t.QueryRow(ctx, `select body, version, changed, changed_by from response_settings where tenant = $1`).Scan(&body, &s.Version, &changed, &s.ChangedBy)
	if errors.Is(err, store.ErrNone) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Changed = tocsin.FromMillis(changed)
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return s, fmt.Errorf("response settings: %w", err)
	}
	return s, nil
}

// Set writes a tenant's settings; version is the one that was looked at, 0 where there were none.
func Set(ctx context.Context, t *store.Tenant, who Who, s Settings, version int64) (Settings, error) {
	had, err := SettingsOf(ctx, t)
	if err != nil {
		return s, err
	}
	if had.Version != version {
		return s, errStale
	}
	for i := range s.Spared {
		s.Spared[i] = tocsin.CanonicalAddress(s.Spared[i])
	}
	s.Spared = slices.DeleteFunc(s.Spared, func(a string) bool { return a == "" })
	body, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	n, err := t.Exec(ctx, `insert into response_settings (tenant, body, changed, changed_by, version) values ($1, $2, $3, $4, 1)
		on conflict (tenant) do update set body = excluded.body, changed = excluded.changed, changed_by = excluded.changed_by, version = response_settings.version + 1
		where response_settings.version = $5`, string(body), t.Tx().Clock().Now(), who.Email, version)
	if err != nil {
		return s, err
	}
	if n == 0 {
		return s, errStale
	}
	if err := t.Append(ctx, store.Fact{Kind: "response.changed", Actor: who.Email}); err != nil {
		return s, err
	}
	return SettingsOf(ctx, t)
}

// needs says whether an action of the kind needs a second person.
func (s Settings) needs(k Kind) bool {
	switch s.Approval {
	case SecondPerson:
		return len(s.Kinds) == 0 || slices.Contains(s.Kinds, k)
	case SecondForHard:
		return k.Hard()
	}
	return false
}

// spares says whether it is one whom nobody but an owner can have touched.
func (s Settings) spares(w whom) bool { return slices.ContainsFunc(s.Spared, w.is) }

var errStale = tocsin.Problemf(tocsin.Conflict, "Load it again, look at what changed, and repeat what you meant to do.", "Somebody has changed it since you looked.")
