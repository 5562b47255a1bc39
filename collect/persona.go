package collect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"tocsin.dev"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

// LearnSettings are how a tenant has its people learned.
type LearnSettings struct {
	Off       bool
	Budget    float64 // expected false alarms per person and month
	Version   int64   // 0 while nothing was set
	Changed   time.Time
	ChangedBy string
}

// DefaultBudget is the budget of a tenant that has set none: three false alarms a month for a hundred people.
const DefaultBudget = 0.03

// LearnSettingsOf are the tenant's settings.
func LearnSettingsOf(ctx context.Context, t *store.Tenant) (LearnSettings, error) {
	s := LearnSettings{Budget: DefaultBudget}
	var budget, changed int64
	err := t.QueryRow(ctx, `select is_off, budget, version, changed, changed_by from learn_settings where tenant = $1`).Scan(&s.Off, &budget, &s.Version, &changed, &s.ChangedBy)
	if errors.Is(err, store.ErrNone) {
		return s, nil
	}
	s.Budget, s.Changed = float64(budget)/1000, tocsin.FromMillis(changed)
	return s, err
}

// SetLearnSettings writes them; s.Version is the one that was looked at. It says whether that was still the one there is.
func SetLearnSettings(ctx context.Context, t *store.Tenant, s LearnSettings) (bool, error) {
	had, err := LearnSettingsOf(ctx, t)
	if err != nil || had.Version != s.Version {
		return false, err
	}
	n, err := t.Exec(ctx, `insert into learn_settings (tenant, is_off, budget, version, changed, changed_by) values ($1, $2, $3, 1, $4, $5)
		on conflict (tenant) do update set is_off = excluded.is_off, budget = excluded.budget, version = learn_settings.version + 1, changed = excluded.changed, changed_by = excluded.changed_by
		where learn_settings.version = $6`, s.Off, int64(math.Round(s.Budget*1000)), t.Tx().Clock().Now(), s.ChangedBy, s.Version)
	if err != nil || n == 0 {
		return false, err
	}
	if s.Off && !had.Off { // what comes meanwhile is not kept for the learner, which begins anew from what is stored
		if err := forgetLearned(ctx, t); err != nil {
			return false, err
		}
	}
	return true, t.Append(ctx, store.Fact{Kind: "learning.changed", Actor: s.ChangedBy})
}

// Learned says how far a tenant's mail was learned: from the day began up to the day shut, in days since 1970. It is not ok where
// nothing was.
func Learned(ctx context.Context, t *store.Tenant) (began, shut int32, ok bool, err error) {
	err = t.QueryRow(ctx, `select began, shut from learned where tenant = $1`).Scan(&began, &shut)
	if errors.Is(err, store.ErrNone) {
		return 0, 0, false, nil
	}
	return began, shut, err == nil, err
}

// PersonaOf is what is learned of a person; nil where nothing is.
func PersonaOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (*learn.Persona, error) {
	var body []byte
	err := t.QueryRow(ctx, `select p.body from learned_part p join learned l on l.tenant = p.tenant
		where p.tenant = $1 and p.kind = 'person' and p.key = $2 and p.day <= l.shut order by p.day desc limit 1`, string(person)).Scan(&body)
	if errors.Is(err, store.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := learn.ReadPersona(body, learn.NewNames())
	if errors.Is(err, learn.ErrForm) {
		return nil, nil // it is learned anew
	}
	if err != nil {
		return nil, fmt.Errorf("the persona of %s: %w", person, err)
	}
	return p, nil
}

// What feedback makes of the threshold: with each false alarm a day has to be so much rarer, as a power of e, and with each
// that was confirmed it may be so much less rare.
const (
	askFalse     = 1.2
	askConfirmed = -0.7
	askMost      = 4.8
	askLeast     = -2.1
)

// Asked is what feedback made of the threshold of a class for a person: the natural log of how many times rarer a day has to be.
func Asked(falseAlarms, confirmed int) float64 {
	return min(max(askFalse*float64(falseAlarms)+askConfirmed*float64(confirmed), askLeast), askMost)
}
