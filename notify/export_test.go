package notify

import (
	"context"
	"time"

	"tocsin.dev/store"
)

// Serve serves every channel for which something is due, once.
func Serve(ctx context.Context, a *Alerts) error {
	list, err := a.due(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := a.serve(ctx, &c); err != nil {
			return err
		}
	}
	return nil
}

// Cut packs and takes a message, and goes no further: as a process that is killed before it sends.
func Cut(ctx context.Context, a *Alerts, c *Channel) (id string, err error) {
	if err := a.Store.Update(ctx, func(tx *store.Tx) error { return a.pack(ctx, tx, c) }); err != nil {
		return "", err
	}
	p, err := a.claim(ctx, c)
	if err != nil || p == nil {
		return "", err
	}
	return p.id, nil
}

// Drop sends a message as a process that is killed after it has, before it writes that down.
func Drop(ctx context.Context, a *Alerts, c *Channel) error {
	if err := a.Store.Update(ctx, func(tx *store.Tx) error { return a.pack(ctx, tx, c) }); err != nil {
		return err
	}
	p, err := a.claim(ctx, c)
	if err == nil && p != nil {
		a.deliver(ctx, c, p.message)
	}
	return err
}

func (q *Quiet) Until(now time.Time) time.Time { return q.until(now) }
func (q *Quiet) Check() error                  { return q.check() }

var Backoff = backoff

const Claim = claim

// Renders are the message in every form.
func (m *Message) Renders() map[string]func() ([]byte, error) {
	return map[string]func() ([]byte, error){"json": m.body, "ocsf": m.ocsfBody, "syslog": func() ([]byte, error) { return m.syslogBody("tocsin.example") }, "slack": m.slackBody, "teams": m.teamsBody,
		"html": func() ([]byte, error) { s, err := m.emailHTML(); return []byte(s), err },
		"text": func() ([]byte, error) { return []byte(m.emailText()), nil }}
}
