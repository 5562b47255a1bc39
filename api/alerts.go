package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

// Channels belong to a tenant, or to the installation: then {tenant} is *, and the role is needed on the installation.

// owned is view or act for what may be the installation's: there need be no tenant called *.
func owned[O any](ctx context.Context, s *Service, name string, in any, run func(context.Context, func(*store.Tx) error) error,
	do func(context.Context, *store.Tenant, Caller) (O, error)) (out O, err error) {
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	defer func() { s.refused(ctx, name, tenant, in, c, err) }()
	if err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	err = run(ctx, func(tx *store.Tx) error {
		t := tx.Tenant(tenant)
		if tenant != Everywhere {
			if err := exists(ctx, t); err != nil {
				return err
			}
		}
		work := func() (err error) {
			if out, err = do(ctx, t, c); err != nil {
				return err
			}
			return s.note(ctx, tx, name, tenant, in, c, nil)
		}
		if keyOf(in) == "" {
			return work()
		}
		return s.once(ctx, t, name, c, in, &out, work)
	})
	return out, err
}

var errNoAlerts = tocsin.Problemf(tocsin.Unavailable, "Use the running server.", "Channels cannot be changed here.")

// alerts is what sends alerts, or the problem that it is not here.
func (s *Service) alerts() (*notify.Alerts, error) {
	if s.o.Alerts == nil {
		return nil, errNoAlerts
	}
	return s.o.Alerts, nil
}

// ListChannels lists the channels of a tenant, or of the installation.
func (s *Service) ListChannels(ctx context.Context, in ListIn) (Page[Channel], error) {
	return owned(ctx, s, "channels list", in, s.st.View, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Channel], error) {
		return slice("channels", in.Paging, func() ([]Channel, error) {
			list, err := notify.List(ctx, t)
			if err != nil {
				return nil, err
			}
			snoozed, err := snoozesOf(ctx, t, s.now())
			out := make([]Channel, len(list))
			for i, c := range list {
				out[i] = snoozedUntil(channelOf(c), snoozed)
			}
			return out, err
		}, func(c Channel) string { return c.ID })
	})
}

// GetChannel is one of them.
func (s *Service) GetChannel(ctx context.Context, in ByID) (Channel, error) {
	return owned(ctx, s, "channels get", in, s.st.View, func(ctx context.Context, t *store.Tenant, _ Caller) (Channel, error) {
		c, err := notify.Get(ctx, t, in.ID)
		if err != nil {
			return Channel{}, err
		}
		snoozed, err := snoozesOf(ctx, t, s.now())
		return snoozedUntil(channelOf(c), snoozed), err
	})
}

// snoozedUntil is a channel with the end of its snooze.
func snoozedUntil(c Channel, list []Snooze) Channel {
	for _, z := range list {
		if z.Scope == notify.OfChannel && z.Value == c.ID {
			c.Snoozed = z.Until
		}
	}
	return c
}

// CreateChannel makes a channel. A webhook's signing secret is in the answer, this once.
func (s *Service) CreateChannel(ctx context.Context, in CreateChannelIn) (Channel, error) {
	return owned(ctx, s, "channels create", in, s.st.Update, func(ctx context.Context, t *store.Tenant, c Caller) (Channel, error) {
		a, err := s.alerts()
		if err != nil {
			return Channel{}, err
		}
		made, secret, err := a.Create(ctx, t, c.Email, in.Body.Kind, in.Body.settings(notify.Usual()))
		out := channelOf(made)
		out.Secret = secret
		return out, err
	})
}

// EditChannel changes a channel. Fields that are absent keep what they are.
func (s *Service) EditChannel(ctx context.Context, in EditChannelIn) (Channel, error) {
	return owned(ctx, s, "channels edit", in, s.st.Update, func(ctx context.Context, t *store.Tenant, c Caller) (Channel, error) {
		a, err := s.alerts()
		if err != nil {
			return Channel{}, err
		}
		had, err := notify.Get(ctx, t, in.ID)
		if err != nil {
			return Channel{}, err
		}
		base := had.Settings
		base.Address = ""
		made, err := a.Edit(ctx, t, c.Email, in.ID, in.Body.Version, in.Body.settings(base))
		if err != nil {
			return Channel{}, err
		}
		made, err = notify.Get(ctx, t, made.ID)
		return channelOf(made), err
	})
}

// DeleteChannel forgets a channel; its log stays.
func (s *Service) DeleteChannel(ctx context.Context, in ByIDAct) (None, error) {
	return owned(ctx, s, "channels delete", in, s.st.Update, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		a, err := s.alerts()
		if err != nil {
			return None{}, err
		}
		return None{}, a.Delete(ctx, t, c.Email, in.ID)
	})
}

// RotateChannel gives a webhook a new signing secret, shown this once. The old one signs beside it for a day.
func (s *Service) RotateChannel(ctx context.Context, in ByID) (Channel, error) {
	return owned(ctx, s, "channels rotate", in, s.st.Update, func(ctx context.Context, t *store.Tenant, c Caller) (Channel, error) {
		a, err := s.alerts()
		if err != nil {
			return Channel{}, err
		}
		made, secret, until, err := a.Rotate(ctx, t, c.Email, in.ID)
		out := channelOf(made)
		out.Secret, out.OldUntil = secret, until
		return out, err
	})
}

// TestChannel sends a test message, now, and says how that went.
func (s *Service) TestChannel(ctx context.Context, in ByID) (ChannelTest, error) {
	_, err := owned(ctx, s, "channels test", in, s.st.Update, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		_, err := notify.Get(ctx, t, in.ID)
		return None{}, err
	})
	if err != nil {
		return ChannelTest{}, err
	}
	a, err := s.alerts()
	if err != nil {
		return ChannelTest{}, err
	}
	r, err := a.Test(ctx, tenantOf(in), in.ID)
	return ChannelTest{OK: r.OK, Status: r.Status, What: r.What, Do: r.Do, Took: int(r.Took.Milliseconds())}, err
}

// settings are those of base, with what was given in their place.
func (b ChannelSettings) settings(base notify.Settings) notify.Settings {
	put := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	put(&base.Name, b.Name)
	base.Address = b.Address
	put((*string)(&base.Filter.Severity), string(b.Severity))
	if b.Tenants != nil {
		base.Filter.Tenants = nil
		for _, t := range b.Tenants {
			if t != "" {
				base.Filter.Tenants = append(base.Filter.Tenants, tocsin.TenantID(t))
			}
		}
	}
	some := func(to *[]string, v []string) {
		if v != nil {
			*to = slices.DeleteFunc(slices.Clone(v), func(s string) bool { return s == "" })
		}
	}
	some(&base.Filter.Rules, b.Rules)
	some(&base.Filter.Changes, b.Changes)
	some(&base.Quiet.Days, b.QuietDays)
	if b.QuietFrom != nil {
		base.Quiet.From = *b.QuietFrom
	}
	if b.QuietTo != nil {
		base.Quiet.To = *b.QuietTo
	}
	put(&base.Quiet.Zone, b.QuietZone)
	if b.QuietExcept != nil {
		if base.Quiet.Except = tocsin.Severity(*b.QuietExcept); base.Quiet.Except == "none" {
			base.Quiet.Except = ""
		}
	}
	if b.DigestOver > 0 {
		base.DigestOver = b.DigestOver
	}
	if b.DigestMinutes > 0 {
		base.DigestMinutes = b.DigestMinutes
	}
	if b.Enabled != nil {
		base.Enabled = *b.Enabled
	}
	return base
}

func channelOf(c notify.Channel) Channel {
	out := Channel{ID: c.ID, Tenant: c.Owner, Kind: c.Kind, Name: c.Name, Address: c.Address, Severity: c.Filter.Severity, Tenants: []string{}, Rules: c.Filter.Rules, Changes: c.Filter.Changes,
		QuietFrom: c.Quiet.From, QuietTo: c.Quiet.To, QuietDays: c.Quiet.Days, QuietZone: c.Quiet.Zone, QuietExcept: c.Quiet.Except, DigestOver: c.DigestOver, DigestMinutes: c.DigestMinutes,
		Enabled: c.Enabled, State: channelState(c), Delivered: c.Delivered, Failed: c.Failed, Failures: int(c.Failures), Because: c.Because, Mend: c.Mend,
		Created: c.Created, CreatedBy: c.CreatedBy, Version: c.Version}
	for _, t := range c.Filter.Tenants {
		out.Tenants = append(out.Tenants, string(t))
	}
	for _, list := range []*[]string{&out.Rules, &out.Changes, &out.QuietDays} {
		if *list == nil {
			*list = []string{}
		}
	}
	return out
}

// channelState is off, failing, works, or new (nothing was sent yet).
func channelState(c notify.Channel) string {
	switch {
	case !c.Enabled:
		return "off"
	case c.Failures > 0:
		return "failing"
	case c.Delivered.IsZero():
		return "new"
	}
	return "works"
}

// ListAlerts is the log of alerts about a tenant, newest first: those of its own channels, and those that the
// installation's channels tell about it. Of the installation (*) it is all that its channels tell.
func (s *Service) ListAlerts(ctx context.Context, in AlertsIn) (Page[Alert], error) {
	return owned(ctx, s, "alerts list", in, s.st.View, func(ctx context.Context, t *store.Tenant, c Caller) (Page[Alert], error) {
		var p Page[Alert]
		after, err := parseCursor(in.After, "alerts", 1)
		if err != nil {
			return p, err
		}
		from := (&query{}).add(`alert a left join alert_message m on m.tenant = a.tenant and m.id = a.message left join channel c on c.tenant = a.tenant and c.id = a.channel
			left join finding f on f.tenant = a.about and f.id = a.finding where `)
		if t.ID() == Everywhere {
			from.add(`a.tenant = $1`)
		} else {
			from.add(`a.tenant in ($1, '*') and a.about = $1`)
		}
		if in.Channel != "" {
			from.add(` and a.channel = ?`, in.Channel)
		}
		if in.Finding != "" {
			from.add(` and a.finding = ?`, in.Finding)
		}
		if len(in.State) > 0 {
			from.add(` and a.state in (` + from.in(anys(in.State)...) + `)`)
		}
		if len(in.Severity) > 0 {
			from.add(` and a.severity in (` + from.in(anys(in.Severity)...) + `)`)
		}
		n := in.limit()
		q := &query{args: slices.Clone(from.args)}
		q.add(`select a.id, a.tenant, a.channel, coalesce(c.name, ''), coalesce(c.kind, ''), a.about, a.finding, a.rule, a.severity, coalesce(f.title, ''), coalesce(f.who, ''), a.change, a.at, a.state, a.held,
			a.held_until, a.message, coalesce(m.kind, ''), coalesce(m.alerts, 0), coalesce(m.tries, 0), coalesce(m.due, 0), coalesce(m.because, ''), coalesce(m.mend, ''), a.ended from ` + from.text.String())
		if !after.begins() {
			q.add(` and a.id < ?`, after.text(0)) // ids sort by when they were made
		}
		rows, err := find(ctx, t, q.add(` order by a.id desc limit ?`, n+1), (*alertRow).fields)
		if err != nil {
			return p, err
		}
		list := make([]Alert, len(rows))
		for i := range rows {
			list[i] = rows[i].view(c)
		}
		p = paged(list, n, func(a Alert) string { return cursor("alerts", a.ID) })
		return total(in.Paging, p, func() (int, bool, error) { return counted(ctx, t, from) })
	})
}

type alertRow struct {
	Alert
	at, heldUntil, due, ended int64
	message, kind             string
}

func (r *alertRow) fields() []any {
	return []any{&r.ID, &r.Owner, &r.Channel, &r.ChannelName, &r.ChannelKind, &r.Tenant, &r.Finding, &r.Rule, &r.Severity, &r.Title, &r.Who, &r.Change, &r.at, &r.State, &r.Held,
		&r.heldUntil, &r.message, &r.kind, &r.With, &r.Tries, &r.due, &r.Because, &r.Mend, &r.ended}
}

// view is a row as its reader may see it: a channel of the installation has its name for those with a role there.
func (r *alertRow) view(c Caller) Alert {
	r.At, r.Ended, r.Digest, r.Message = tocsin.FromMillis(r.at), tocsin.FromMillis(r.ended), r.kind == "digest", r.message
	switch r.State {
	case "waiting":
		r.Next = tocsin.FromMillis(r.heldUntil)
	case "sending":
		if r.Because != "" {
			r.Next = tocsin.FromMillis(r.due)
		}
	}
	if r.Owner == Everywhere && c.Installation() == "" {
		r.ChannelName, r.Because, r.Mend, r.With = "A channel of the installation", "", "", 0
	}
	return r.Alert
}

// ListTries are the tries of an alert's message, the first first.
func (s *Service) ListTries(ctx context.Context, in TriesIn) (Page[Try], error) {
	return owned(ctx, s, "alerts tries", in, s.st.View, func(ctx context.Context, t *store.Tenant, c Caller) (Page[Try], error) {
		list, err := find(ctx, t, (&query{}).add(`select tenant, message from alert where id = ? and (tenant = $1 or tenant = '*' and about = $1)`, in.ID), func(r *[2]string) []any { return []any{&r[0], &r[1]} })
		if err != nil {
			return Page[Try]{}, err
		}
		if len(list) == 0 || list[0][0] == Everywhere && c.Installation() == "" {
			return Page[Try]{}, notFound("alert")
		}
		type row struct {
			Try
			at, took int64
		}
		owner := t.Tx().Tenant(tocsin.TenantID(list[0][0]))
		rows, err := find(ctx, owner, (&query{}).add(`select n, at, outcome, status, took, because from alert_try where tenant = $1 and message = ? order by n`, list[0][1]), func(r *row) []any {
			return []any{&r.N, &r.at, &r.Outcome, &r.Status, &r.took, &r.Because}
		})
		if err != nil {
			return Page[Try]{}, err
		}
		return slice("tries", in.Paging, func() ([]Try, error) {
			out := make([]Try, len(rows))
			for i, r := range rows {
				r.At, r.Took = tocsin.FromMillis(r.at), int(r.took)
				out[i] = r.Try
			}
			return out, nil
		}, func(v Try) string { return fmt.Sprintf("%09d", v.N) })
	})
}

// snoozesOf are the snoozes that hold, the last made first.
func snoozesOf(ctx context.Context, t *store.Tenant, now time.Time) ([]Snooze, error) {
	type row struct {
		Snooze
		until, created int64
	}
	rows, err := find(ctx, t, (&query{}).add(`select z.id, z.scope, z.value, coalesce(f.title, c.name, ''), coalesce(f.who, ''), z.until, z.reason, z.created, z.created_by from snooze z
		left join finding f on z.scope = 'finding' and f.tenant = z.tenant and f.id = z.value left join channel c on z.scope = 'channel' and c.tenant = z.tenant and c.id = z.value
		where z.tenant = $1 and z.until > ? order by z.id desc`, tocsin.Millis(now)), func(r *row) []any {
		return []any{&r.ID, &r.Scope, &r.Value, &r.Name, &r.Who, &r.until, &r.Reason, &r.created, &r.CreatedBy}
	})
	out := make([]Snooze, len(rows))
	for i, r := range rows {
		r.Until, r.Created = tocsin.FromMillis(r.until), tocsin.FromMillis(r.created)
		out[i] = r.Snooze
	}
	return out, err
}

// ListSnoozes lists what is snoozed, by whom, until when.
func (s *Service) ListSnoozes(ctx context.Context, in ListIn) (Page[Snooze], error) {
	return owned(ctx, s, "snoozes list", in, s.st.View, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Snooze], error) {
		return slice("snoozes", in.Paging, func() ([]Snooze, error) { return snoozesOf(ctx, t, s.now()) }, func(z Snooze) string { return z.ID })
	})
}

// CreateSnooze keeps alerts of a finding, of a detection or to a channel back until a date.
func (s *Service) CreateSnooze(ctx context.Context, in CreateSnoozeIn) (Snooze, error) {
	return owned(ctx, s, "snoozes create", in, s.st.Update, func(ctx context.Context, t *store.Tenant, c Caller) (Snooze, error) {
		a, err := s.alerts()
		if err != nil {
			return Snooze{}, err
		}
		id, err := a.Snooze(ctx, t, c.Email, notify.SnoozeNew{Scope: in.Body.Scope, Value: in.Body.Value, Reason: in.Body.Reason, Until: in.Body.Until})
		if err != nil {
			return Snooze{}, err
		}
		list, err := snoozesOf(ctx, t, s.now())
		i := slices.IndexFunc(list, func(z Snooze) bool { return z.ID == id })
		if err != nil || i < 0 {
			return Snooze{}, err
		}
		return list[i], nil
	})
}

// DeleteSnooze ends a snooze: what it held goes out.
func (s *Service) DeleteSnooze(ctx context.Context, in ByIDAct) (None, error) {
	return owned(ctx, s, "snoozes delete", in, s.st.Update, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		a, err := s.alerts()
		if err != nil {
			return None{}, err
		}
		return None{}, a.EndSnooze(ctx, t.Tx(), t.ID(), c.Email, in.ID)
	})
}
