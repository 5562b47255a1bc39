package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// IdentityRisk is how much a person is at risk, with the terms that add up to it (held to 0 to 100) and what it was before.
type IdentityRisk struct {
	Risk    int               `json:"risk"`
	Terms   []tocsin.RiskTerm `json:"terms"`
	Judged  time.Time         `json:"judged,omitzero"`
	History []RiskAt          `json:"history" doc:"Each change, the newest first, at most 100"`
}

// RiskAt is a person's risk from a time on.
type RiskAt struct {
	At   time.Time `json:"at"`
	Risk int       `json:"risk"`
	Why  string    `json:"why"`
}

// riskOf is a person's risk as it was last reckoned.
func riskOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (IdentityRisk, error) {
	r := IdentityRisk{Terms: []tocsin.RiskTerm{}, History: []RiskAt{}}
	var terms string
	var judged int64
	err := t.QueryRow(ctx, `select risk, terms, judged from identity_risk where tenant = $1 and person = $2`, string(person)).Scan(&r.Risk, &terms, &judged)
	if errors.Is(err, store.ErrNone) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(terms), &r.Terms); err != nil {
		return r, fmt.Errorf("risk of %s: %w", person, err)
	}
	r.Judged, r.Terms = tocsin.FromMillis(judged), orNone(r.Terms)
	type row struct {
		RiskAt
		at int64
	}
	rows, err := find(ctx, t, (&query{}).add("select at, risk, why from identity_risk_change where tenant = $1 and person = ? order by at desc limit 100", person),
		func(h *row) []any { return []any{&h.at, &h.Risk, &h.Why} })
	for _, h := range rows {
		h.At = tocsin.FromMillis(h.at)
		r.History = append(r.History, h.RiskAt)
	}
	return r, err
}

// risksOf are people's risks, of those who have one.
func risksOf(ctx context.Context, t *store.Tenant, ids []any) (map[tocsin.PersonID]int, error) {
	type row struct {
		person tocsin.PersonID
		risk   int
	}
	q := &query{}
	q.add("select person, risk from identity_risk where tenant = $1 and person in (" + q.in(ids...) + ")")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.person, &r.risk} })
	out := map[tocsin.PersonID]int{}
	for _, r := range rows {
		out[r.person] = r.risk
	}
	return out, err
}
