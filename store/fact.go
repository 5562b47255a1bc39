package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
)

// Lanes is how many rows of facts there are. A tenant's facts stand in one of them, in order.
const Lanes = 16

// Lane is the lane of a tenant's facts.
func Lane(tenant tocsin.TenantID) int {
	h := fnv.New32a()
	h.Write([]byte(tenant))
	return int(h.Sum32() >> 16 % Lanes) // the low bits of FNV mix badly
}

// Fact is a change of the tables that somebody may follow. Its place is (Lane, N); N grows without order of time but
// never appears below one that could be read already.
type Fact struct {
	Tenant  tocsin.TenantID
	Lane    int       // set when written
	N       int64     // set when written
	At      time.Time // now, where it is zero
	Kind    string    // person.changed, rule.created, finding.raised …
	Subject string    // id of what changed
	Person  string    // whom it concerns, where it does
	Actor   string    // who did it, where somebody did
	Body    json.RawMessage
}

// Append writes a fact in this transaction; a read in the same transaction does not see it yet. The facts of a
// transaction get their numbers together at its end, so that the counter is locked as briefly as can be.
func (tx *Tx) Append(_ context.Context, f Fact) error {
	switch {
	case !tx.write:
		return tx.failed(errors.New("append a fact: the transaction only reads"))
	case f.Tenant == "" || f.Kind == "":
		return tx.failed(fmt.Errorf("append a fact: tenant %q or kind %q is missing", f.Tenant, f.Kind))
	}
	f.Lane = Lane(f.Tenant)
	if f.At.IsZero() {
		f.At = tx.store.clock.Now()
	}
	if len(f.Body) == 0 {
		f.Body = json.RawMessage("{}")
	}
	tx.facts = append(tx.facts, f)
	if exported(f.Kind) {
		tx.tell(f.Tenant, f.Kind+" "+f.Subject)
	}
	return nil
}

// writeFacts numbers and writes the transaction's facts. The counter's row stays locked until the commit, so whoever
// reads a number knows that no lower one will be committed later. Lanes are taken in order, so no two wait crosswise.
func (tx *Tx) writeFacts(ctx context.Context) error {
	facts := tx.facts
	tx.facts = nil
	slices.SortStableFunc(facts, func(a, b Fact) int { return a.Lane - b.Lane })
	for len(facts) > 0 {
		lane, n := facts[0].Lane, 1
		for n < len(facts) && facts[n].Lane == lane {
			n++
		}
		if err := tx.writeLane(ctx, lane, facts[:n]); err != nil {
			return fmt.Errorf("write facts: %w", err)
		}
		facts = facts[n:]
	}
	return nil
}

func (tx *Tx) writeLane(ctx context.Context, lane int, facts []Fact) error {
	var last int64
	err := tx.QueryRow(ctx, `insert into fact_counter (lane, n) values ($1, $2)
		on conflict (lane) do update set n = fact_counter.n + excluded.n returning n`, lane, len(facts)).Scan(&last)
	if err != nil {
		return err
	}
	rows := make([][]any, len(facts))
	for i, f := range facts {
		n := last - int64(len(facts)-1-i)
		rows[i] = []any{lane, n, string(f.Tenant), f.At, f.Kind, f.Subject, f.Person, f.Actor, f.Body}
	}
	return tx.Insert(ctx, Into{Table: "fact", Columns: strings.Fields("lane n tenant at kind subject person actor body")}, rows)
}

// Facts are the facts of a lane behind the number after, in order, at most limit.
func (s *Store) Facts(ctx context.Context, lane int, after int64, limit int) ([]Fact, error) {
	return s.facts(ctx, `select tenant, lane, n, at, kind, subject, person, actor, body from fact
		where lane = $1 and n > $2 order by n limit $3`, lane, after, limit)
}

// TenantFacts are the facts of a tenant behind the number after, in order, at most limit.
func (s *Store) TenantFacts(ctx context.Context, tenant tocsin.TenantID, after int64, limit int) ([]Fact, error) {
	return s.facts(ctx, `select tenant, lane, n, at, kind, subject, person, actor, body from fact
		where tenant = $1 and lane = $2 and n > $3 order by n limit $4`, string(tenant), Lane(tenant), after, limit)
}

// LastFact is the number of the last fact of a lane; 0 where there is none.
func (s *Store) LastFact(ctx context.Context, lane int) (int64, error) {
	var n int64
	err := s.read.QueryRowContext(ctx, `select coalesce(max(n), 0) from fact_counter where lane = $1`, lane).Scan(&n)
	return n, s.explain(err)
}

// LastFacts are the numbers of the last facts of all lanes; 0 where there is none.
func (s *Store) LastFacts(ctx context.Context) (last [Lanes]int64, err error) {
	rows, err := s.read.QueryContext(ctx, `select lane, n from fact_counter`)
	if err != nil {
		return last, s.explain(fmt.Errorf("read facts: %w", err))
	}
	defer rows.Close()
	for rows.Next() {
		var lane int
		var n int64
		if err := rows.Scan(&lane, &n); err != nil {
			return last, fmt.Errorf("read facts: %w", err)
		}
		last[lane] = n
	}
	return last, s.explain(rows.Err())
}

func (s *Store) facts(ctx context.Context, q string, args ...any) ([]Fact, error) {
	rows, err := s.read.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, s.explain(fmt.Errorf("read facts: %w", err))
	}
	defer rows.Close()
	var out []Fact
	for rows.Next() {
		var f Fact
		var at int64
		var body string
		if err := rows.Scan(&f.Tenant, &f.Lane, &f.N, &at, &f.Kind, &f.Subject, &f.Person, &f.Actor, &body); err != nil {
			return nil, fmt.Errorf("read facts: %w", err)
		}
		f.At, f.Body = tocsin.FromMillis(at), json.RawMessage(body)
		out = append(out, f)
	}
	return out, s.explain(rows.Err())
}
