package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// notWatched is why a mailbox is not told of that could be.
const notWatched = "It is not among the mailboxes that the connection watches."

// streamSettings are those of the connection that collects.
func (c *Collector) streamSettings(ctx context.Context) (s StreamSettings, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) (err error) {
		s, err = StreamSettingsOf(ctx, t, c.Webhook.Connection)
		return err
	})
	return s, err
}

// askScope reads who is in the groups that the settings name, as often as other groups are looked into.
func (c *Collector) askScope(ctx context.Context) error {
	now := c.Store.Clock().Now()
	var groups []string
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		groups = groups[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			groups = append(groups, id)
			return err
		}, `select group_id from scope_group where tenant = $1 and seen < $2 order by group_id`, tocsin.Millis(now.Add(-c.Every.OrDefault().Members)))
	})
	if err != nil {
		return err
	}
	for _, id := range groups {
		if err := c.askScopeOf(ctx, id); err != nil {
			return fmt.Errorf("the members of the group %s, by which mailboxes are chosen: %w", id, err)
		}
	}
	return nil
}

// askScopeOf reads who is in a group. One that is no more has nobody in it.
func (c *Collector) askScopeOf(ctx context.Context, id string) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	var rows [][]any
	for m, err := range graph.Pages[graph.Member](ctx, c.Graph, "groups.transitiveMembers", graph.P{"group": id}) {
		if _, gone := errors.AsType[*graph.NotFound](err); gone {
			break
		}
		if err != nil {
			return err
		}
		rows = append(rows, []any{id, string(tocsin.NewPersonID(c.Tenant, m.ID))})
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `delete from scope_member where tenant = $1 and group_id = $2`, id); err != nil {
			return err
		}
		if err := t.Insert(ctx, store.Into{Table: "scope_member", Key: []string{"person", "group_id"}, Columns: []string{"group_id", "person"}}, rows); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `update scope_group set seen = $3 where tenant = $1 and group_id = $2`, id, now)
		return err
	})
}

// watchable are the people whose mailboxes can be watched, and whether they are to be: $2 is the connection, $3 which
// mailboxes it watches.
const watchable = `person p where p.tenant = $1 and p.deleted = 0 and p.kind <> 'guest' and p.mailbox = 'read'`

const chosen = `(cast($3 as text) = 'all' or (cast($3 as text) = 'only') = (
	exists (select 1 from stream_scope k where k.tenant = p.tenant and k.connection = $2 and k.kind = 'person' and k.value = p.person)
	or exists (select 1 from stream_scope k where k.tenant = p.tenant and k.connection = $2 and k.kind = 'department' and k.value = p.department)
	or exists (select 1 from stream_scope k where k.tenant = p.tenant and k.connection = $2 and k.kind = 'domain' and lower(case when p.mail <> '' then p.mail else p.upn end) like '%@' || k.value)
	or exists (select 1 from scope_member m join stream_scope k on k.tenant = m.tenant and k.kind = 'group' and k.value = m.group_id where m.tenant = p.tenant and m.person = p.person and k.connection = $2)))`

// wantedAtOnce is how many rows a transaction of wanted changes: others want to write too.
const wantedAtOnce = 2000

// wanted brings the table in line with the mailboxes that can be read and are to be watched. What differs is found first,
// since mostly nothing does.
func (c *Collector) wanted(ctx context.Context, s *StreamSettings) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	by := []any{c.Webhook.Connection, s.Mailboxes}
	for _, step := range []struct {
		find string
		do   func(ctx context.Context, t *store.Tenant, people []any) error
	}{
		{`select p.person from ` + watchable + ` and ` + chosen + ` and not exists (select 1 from subscription s where s.tenant = p.tenant and s.person = p.person and s.state <> 'off')`, c.takeIn},
		{`select p.person from ` + watchable + ` and not ` + chosen + ` and not exists (select 1 from subscription s where s.tenant = p.tenant and s.person = p.person and s.state in ('off', 'ending'))`,
			func(ctx context.Context, t *store.Tenant, people []any) error { return c.leaveOut(ctx, t, people, now) }},
	} {
		people, err := c.people(ctx, step.find, by...)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(people, wantedAtOnce) {
			err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
				for part := range slices.Chunk(some, 400) {
					if err := step.do(ctx, t, part); err != nil {
						return err
					}
				}
				return t.Append(ctx, store.Fact{Kind: "subscription.changed"})
			})
			if err != nil {
				return err
			}
		}
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		const nobody = ` and not exists (select 1 from person p where p.tenant = subscription.tenant and p.person = subscription.person and p.deleted = 0 and p.mailbox = 'read')`
		_, err := t.Exec(ctx, `update subscription set state = 'ending', due = 0 where tenant = $1 and state not in ('ending', 'off')`+nobody)
		if err != nil {
			return err
		}
		if _, err = t.Exec(ctx, `delete from subscription where tenant = $1 and state = 'off'`+nobody); err != nil {
			return err
		}
		// Where the address or the connection is another, what there is leads elsewhere.
		_, err = t.Exec(ctx, `update subscription set state = 'wanted', due = 1 where tenant = $1 and state in ('on', 'refused') and (connection <> $2 or address <> $3 and state = 'on')`,
			c.Webhook.Connection, c.Webhook.URL)
		if err != nil {
			return err
		}
		// What is to be told otherwise is replaced, and told of as before until then.
		if _, err = t.Exec(ctx, `update subscription set due = 1 where tenant = $1 and state = 'on' and due > 1 and because = '' and changes <> $2`, strings.Join(s.Changes, ",")); err != nil {
			return err
		}
		if _, err = t.Exec(ctx, `update subscription set connection = $2 where tenant = $1 and connection <> $2`, c.Webhook.Connection); err != nil {
			return err
		}
		const form = `coalesce((select f.form from stream_form f where f.tenant = subscription.tenant and f.connection = $2 and f.person = subscription.person), cast($3 as text))`
		if _, err = t.Exec(ctx, `update subscription set form = `+form+`, because = case when state = 'on' then '' else because end where tenant = $1 and form <> `+form, c.Webhook.Connection, s.Form); err != nil {
			return err
		}
		return c.switched(ctx, t)
	})
}

func (c *Collector) people(ctx context.Context, query string, args ...any) (out []any, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var person string
			err := scan(&person)
			out = append(out, person)
			return err
		}, query, args...)
	})
	return out, err
}

// takeIn has mailboxes watched. They come after what Graph signalled, which is due at 0. The time in which they were not
// watched by choice is written down, as one that nobody looks into.
func (c *Collector) takeIn(ctx context.Context, t *store.Tenant, people []any) error {
	var rows [][]any
	for _, p := range people {
		rows = append(rows, []any{p, c.Webhook.Connection, "wanted", 1, "", ""})
	}
	if err := t.Insert(ctx, store.Into{Table: "subscription", Key: []string{"person"}, Columns: []string{"person", "connection", "state", "due", "because", "mend"}}, rows); err != nil {
		return err
	}
	in := store.In(len(people), 3)
	args := append([]any{tocsin.Millis(c.Store.Clock().Now())}, people...)
	if _, err := t.Exec(ctx, `insert into mail_gap (tenant, person, began, ended, because, closed, lost) select tenant, person, unwatched, cast($2 as bigint), 'It was not watched, by choice.', cast($2 as bigint), 'Everything that happened within it.'
		from mail_ledger where tenant = $1 and unwatched > 0 and person in (`+in+`) on conflict (tenant, person, began) do nothing`, args...); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `update mail_ledger set unwatched = 0 where tenant = $1 and unwatched > 0 and person in (`+store.In(len(people), 2)+`)`, people...)
	return err
}

// leaveOut has mailboxes watched no longer, by choice: from now on what is told of them is dropped, and what is told is ended.
func (c *Collector) leaveOut(ctx context.Context, t *store.Tenant, people []any, now int64) error {
	in := store.In(len(people), 2)
	if _, err := t.Exec(ctx, `update subscription set state = 'ending', due = 0 where tenant = $1 and person in (`+in+`)`, people...); err != nil {
		return err
	}
	var rows, ledgers [][]any
	for _, p := range people {
		rows = append(rows, []any{p, c.Webhook.Connection, "off", notWatched})
		ledgers = append(ledgers, []any{p, 0, now})
	}
	// Of those that are told of, the row stays as it is till they are told of no more.
	if err := t.Insert(ctx, store.Into{Table: "subscription", Key: []string{"person"}, Keep: []string{"connection", "state", "because"}, Columns: []string{"person", "connection", "state", "because"}}, rows); err != nil {
		return err
	}
	if err := t.Insert(ctx, store.Into{Table: "mail_ledger", Key: []string{"person"}, Columns: []string{"person", "since", "unwatched"}}, ledgers); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `update mail_gap set closed = $2, lost = 'Everything of it that was not read yet: the mailbox is not watched any more, by choice.' where tenant = $1 and closed = 0 and person in (`+store.In(len(people), 3)+`)`,
		append([]any{now}, people...)...)
	return err
}

// endedSubscription notes that Graph tells no more of a mailbox. Of one that is not watched by choice the state of its
// messages is forgotten: it grows old, and when the mailbox is watched again it would be taken for what has changed.
func (c *Collector) endedSubscription(ctx context.Context, s *mailSubscription) error {
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if !s.choice {
			_, err := t.Exec(ctx, `delete from subscription where tenant = $1 and person = $2 and state = 'ending'`, string(s.person))
			return err
		}
		n, err := t.Exec(ctx, `update subscription set state = 'off', id = '', address = '', signal = '', created = 0, expires = 0, tries = 0, because = $3, mend = '' where tenant = $1 and person = $2 and state = 'ending'`, string(s.person), notWatched)
		if err != nil || n == 0 {
			return err
		}
		for _, table := range []string{"mail", "parked"} {
			if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and person = $2`, string(s.person)); err != nil {
				return err
			}
		}
		return t.Append(ctx, store.Fact{Kind: "subscription.changed", Subject: string(s.person), Person: string(s.person)})
	})
}

// HookMark stands in the address that Graph is given, and tells the installation's key from another. A subscription that
// exists is adopted only where it leads to the same address: Graph does not give a clientState back, and what one of another
// key brought would be taken for forged.
func HookMark(key []byte) string {
	h := hasher{key}
	return h.of("the address of the webhook")[:8]
}
