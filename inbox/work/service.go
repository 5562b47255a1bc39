package work

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// What is timed.
const (
	FirstAnswer = "first"   // from the first mail to the first answer
	NextAnswer  = "next"    // from a later mail of theirs to our answer
	Resolution  = "resolve" // from the first mail until it is resolved; paused while it waits for the other side
)

// ServiceTargets are within how many minutes of business time; 0: not timed.
type ServiceTargets struct {
	First   int `json:"first"`
	Next    int `json:"next"`
	Resolve int `json:"resolve"`
}

// Service is the service times of an inbox: urgent and high have their own targets where they are given.
type Service struct {
	Hours   BusinessHours  `json:"hours"`
	Targets ServiceTargets `json:"targets"`
	High    ServiceTargets `json:"high"`
	Urgent  ServiceTargets `json:"urgent"`
	Version int64          `json:"-"`
}

// of are the targets of a priority.
func (s *Service) of(priority int) ServiceTargets {
	t := s.Targets
	over := func(o ServiceTargets) {
		for _, p := range []struct {
			to *int
			by int
		}{{&t.First, o.First}, {&t.Next, o.Next}, {&t.Resolve, o.Resolve}} {
			if p.by > 0 {
				*p.to = p.by
			}
		}
	}
	if priority >= High {
		over(s.High)
	}
	if priority >= Urgent {
		over(s.Urgent)
	}
	return t
}

// ServiceOf is an inbox's; the zero one times nothing.
func ServiceOf(ctx context.Context, t *store.Tenant, box string) (s Service, err error) {
	var body string
	err = t.QueryRow(ctx, `select body, version from inbox_service where tenant = $1 and inbox = $2`, box).Scan(&body, &s.Version)
	if errors.Is(err, store.ErrNone) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &s)
	}
	return s, err
}

// SetService keeps an inbox's service times. Clocks that run go on as they were begun.
func SetService(ctx context.Context, t *store.Tenant, box string, s Service) error {
	if err := s.Hours.Sound(); err != nil {
		return err
	}
	for _, g := range []ServiceTargets{s.Targets, s.High, s.Urgent} {
		for _, m := range []int{g.First, g.Next, g.Resolve} {
			if m < 0 || m > 60*24*90 {
				return tocsin.Problemf(tocsin.Invalid, "Give minutes, 0 for none, at most 129600.", "A target cannot be %d minutes.", m)
			}
		}
	}
	had, err := ServiceOf(ctx, t, box)
	if err != nil {
		return err
	}
	if s.Version != had.Version {
		return Changed
	}
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `insert into inbox_service (tenant, inbox, body, changed) values ($1, $2, $3, $4)
		on conflict (tenant, inbox) do update set body = excluded.body, changed = excluded.changed, version = inbox_service.version + 1`, box, json.RawMessage(body), t.Tx().Clock().Now())
	return err
}

// Clock is how a service time of a thread stands.
type Clock struct {
	Kind   string
	Began  time.Time
	Target time.Duration // business time
	Used   time.Duration // before it was paused
	Since  time.Time     // when it went on; zero: it is paused
	Due    time.Time     // zero: it is paused
	Ended  time.Time
	Missed bool // it ended, after it was due
}

// State is running, paused, met or missed, at a moment.
func (c Clock) State(now time.Time) string {
	switch {
	case c.Missed || c.Ended.IsZero() && !c.Due.IsZero() && now.After(c.Due):
		return "missed"
	case !c.Ended.IsZero():
		return "met"
	case c.Due.IsZero():
		return "paused"
	}
	return "running"
}

// Clocks are a thread's, as they began.
func Clocks(ctx context.Context, t *store.Tenant, box, thread string) ([]Clock, error) {
	by, err := clocksOf(ctx, t, box, thread)
	return by[thread], err
}

// ClocksOf are those of several threads of an inbox, by thread.
func clocksOf(ctx context.Context, t *store.Tenant, box string, threads ...any) (map[string][]Clock, error) {
	rows, err := t.Query(ctx, `select thread, kind, began, target, used, since, due, ended, missed from inbox_clock where tenant = $1 and inbox = $2 and thread in (`+store.In(len(threads), 3)+`) order by began, kind`, append([]any{box}, threads...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]Clock{}
	for rows.Next() {
		var c Clock
		var thread string
		var began, target, used, since, due, ended int64
		if err := rows.Scan(&thread, &c.Kind, &began, &target, &used, &since, &due, &ended, &c.Missed); err != nil {
			return nil, err
		}
		c.Began, c.Since, c.Due, c.Ended = tocsin.FromMillis(began), tocsin.FromMillis(since), tocsin.FromMillis(due), tocsin.FromMillis(ended)
		c.Target, c.Used = time.Duration(target)*time.Millisecond, time.Duration(used)*time.Millisecond
		out[thread] = append(out[thread], c)
	}
	return out, rows.Err()
}

func (c *Clock) keep(ctx context.Context, t *store.Tenant, v *Thread) error {
	_, err := t.Exec(ctx, `insert into inbox_clock (tenant, inbox, thread, kind, began, target, used, since, due, ended, missed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		on conflict (tenant, inbox, thread, kind, began) do update set used = excluded.used, since = excluded.since, due = excluded.due, ended = excluded.ended, missed = excluded.missed`,
		v.Inbox, v.ID, c.Kind, c.Began, c.Target.Milliseconds(), c.Used.Milliseconds(), c.Since, c.Due, c.Ended, c.Missed)
	return err
}

// Time brings a thread's clocks to how it stands now: begins those that are to run, pauses, lets go on, and stops. It is for after every change
// of a thread. Threads that a first reading brought are not timed.
func Time(ctx context.Context, t *store.Tenant, v *Thread) error {
	s, err := ServiceOf(ctx, t, v.Inbox)
	if err != nil || s.Version == 0 || v.Silent || v.Merged != "" {
		return err
	}
	clocks, err := Clocks(ctx, t, v.Inbox, v.ID)
	if err != nil {
		return err
	}
	now, targets := t.Tx().Clock().Now(), s.of(v.Priority)
	running := map[string]*Clock{}
	for i := range clocks {
		if clocks[i].Ended.IsZero() {
			running[clocks[i].Kind] = &clocks[i]
		}
	}
	if c := running[NextAnswer]; c != nil && !v.Waiting.IsZero() && v.LastOut.After(c.Began) { // they were answered, and wrote again
		c.Missed, c.Used, c.Since, c.Ended = v.LastOut.After(c.Due), c.Used+s.since(c, v.LastOut), time.Time{}, v.LastOut
		if err := c.keep(ctx, t, v); err != nil {
			return err
		}
		delete(running, NextAnswer)
	}
	had := func(kind string, began time.Time) bool {
		for _, c := range clocks {
			if c.Kind == kind && c.Began.Equal(began) {
				return true
			}
		}
		return false
	}
	spam := v.State == inbox.Spam
	closed := v.State == inbox.Resolved || spam
	steps := []struct {
		kind    string
		minutes int
		began   time.Time // when it is to have begun; zero: it is not to run
		ended   time.Time // when it is to have ended; zero: it runs
		paused  bool
	}{
		{FirstAnswer, targets.First, v.FirstIn, firstTimeOf(v.Answered, closed, now), false},
		{NextAnswer, targets.Next, nextOf(v), firstTimeOf(endOfNext(v), closed, now), false},
		{Resolution, targets.Resolve, v.FirstIn, firstTimeOf(time.Time{}, closed, orNow(v.Resolved, now)), v.State == inbox.Waiting || v.State == inbox.Snoozed},
	}
	for _, p := range steps {
		c := running[p.kind]
		if c == nil {
			if p.minutes == 0 || p.began.IsZero() || !p.ended.IsZero() || had(p.kind, p.began) {
				if p.kind != Resolution || p.minutes == 0 || closed || p.began.IsZero() || !reopened(clocks, p.kind) {
					continue
				}
				p.began = now // it was resolved and is open again: it is timed anew
			}
			c = &Clock{Kind: p.kind, Began: p.began, Target: time.Duration(p.minutes) * time.Minute}
			if !p.paused {
				c.Since, c.Due = p.began, s.Hours.Add(p.began, c.Target)
			}
			if err := c.keep(ctx, t, v); err != nil {
				return err
			}
			continue
		}
		switch {
		case !p.ended.IsZero() && spam:
			if _, err := t.Exec(ctx, `delete from inbox_clock where tenant = $1 and inbox = $2 and thread = $3 and kind = $4 and began = $5`, v.Inbox, v.ID, c.Kind, c.Began); err != nil {
				return err
			}
			continue
		case !p.ended.IsZero():
			c.Missed = !c.Due.IsZero() && p.ended.After(c.Due)
			c.Used, c.Since, c.Ended = c.Used+s.since(c, p.ended), time.Time{}, p.ended
		case p.paused && !c.Since.IsZero() && !now.After(c.Due):
			c.Used, c.Since, c.Due = c.Used+s.since(c, now), time.Time{}, time.Time{}
		case !p.paused && c.Since.IsZero():
			c.Since, c.Due = now, s.Hours.Add(now, max(c.Target-c.Used, 0))
		default:
			continue
		}
		if err := c.keep(ctx, t, v); err != nil {
			return err
		}
	}
	return nil
}

// since is how much business time a clock has run since it went on.
func (s *Service) since(c *Clock, until time.Time) time.Duration {
	if c.Since.IsZero() {
		return 0
	}
	return s.Hours.Between(c.Since, until)
}

func firstTimeOf(at time.Time, closed bool, when time.Time) time.Time {
	if at.IsZero() && closed {
		return when
	}
	return at
}

func orNow(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

// nextOf is when the other side began to wait for a later answer.
func nextOf(v *Thread) time.Time {
	if v.Answered.IsZero() {
		return time.Time{}
	}
	return v.Waiting
}

// endOfNext is when they were answered, where nobody waits any more.
func endOfNext(v *Thread) time.Time {
	if v.Waiting.IsZero() {
		return v.LastOut
	}
	return time.Time{}
}

// reopened says that a clock of the kind has ended before.
func reopened(clocks []Clock, kind string) bool {
	for _, c := range clocks {
		if c.Kind == kind && !c.Ended.IsZero() {
			return true
		}
	}
	return false
}
