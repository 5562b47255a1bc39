package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		// Who came in or left may have to be watched otherwise.
		before := map[string]bool{}
		err := each(ctx, t, func(scan func(...any) error) error {
			var person string
			err := scan(&person)
			before[person] = true
			return err
		}, `delete from scope_member where tenant = $1 and group_id = $2 returning person`, id)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if person := row[1].(string); before[person] {
				delete(before, person)
			} else {
				before[person] = true
			}
		}
		if err := watchDue(ctx, t, sortedKeys(before)); err != nil {
			return err
		}
		if err := t.Insert(ctx, store.Into{Table: "scope_member", Key: []string{"person", "group_id"}, Columns: []string{"group_id", "person"}}, rows); err != nil {
			return err
		}
		_, err = t.Exec(ctx, `update scope_group set seen = $3 where tenant = $1 and group_id = $2`, id, now)
		return err
	})
}

// watchDue notes of whom something has changed by which it is chosen who is watched.
func watchDue[P ~string](ctx context.Context, t *store.Tenant, people []P) error {
	rows := make([][]any, len(people))
	for i, p := range people {
		rows[i] = []any{string(p)}
	}
	return t.Insert(ctx, store.Into{Table: "watch_due", Key: []string{"person"}, Columns: []string{"person"}}, rows)
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

// linedUp is what the subscriptions were last brought in line with, as a whole.
type linedUp struct {
	version         int64 // of the settings
	connection, url string
	rich            bool
	at              time.Time
}

// lineUpEvery is how often all mailboxes are looked through, though nothing said that they have changed.
const lineUpEvery = 6 * time.Hour

// wanted brings the table in line with the mailboxes that can be read and are to be watched: all of them when it is to be
// watched otherwise, else those of whom something has changed.
func (c *Collector) wanted(ctx context.Context, s *StreamSettings) error {
	now := c.Store.Clock().Now()
	is := linedUp{version: s.Version, connection: c.Webhook.Connection, url: c.Webhook.URL, rich: c.Webhook.Certificates != nil, at: c.lined.at}
	whole := c.lined != is || now.Sub(is.at) >= lineUpEvery || now.Before(is.at)
	c.lined = linedUp{} // where it fails half-way, all of them are looked through
	for {
		people, err := c.changedPeople(ctx)
		if err != nil {
			return err
		}
		if len(people) == 0 {
			break
		}
		if whole {
			continue // these are among all
		}
		for some := range slices.Chunk(people, 400) {
			if err := c.lineUp(ctx, s, some); err != nil {
				return err
			}
		}
	}
	if whole {
		is.at = now
		if err := c.lineUp(ctx, s, nil); err != nil {
			return err
		}
	}
	c.lined = is
	return nil
}

// changedPeople takes out of the table some of whom something has changed.
func (c *Collector) changedPeople(ctx context.Context) (out []any, err error) {
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		var one int
		err := t.QueryRow(ctx, `select 1 from watch_due where tenant = $1 limit 1`).Scan(&one)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		out = []any{}
		return err
	})
	if err != nil || out == nil {
		return nil, err
	}
	return out, c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var person string
			err := scan(&person)
			out = append(out, person)
			return err
		}, `delete from watch_due where tenant = $1 and person in (select person from watch_due where tenant = $1 order by person limit `+fmt.Sprint(wantedAtOnce)+`) returning person`)
	})
}

// lineUp brings the rows of these people in line, of all where there are none. What differs is found first, while others may
// write, since mostly nothing does.
func (c *Collector) lineUp(ctx context.Context, s *StreamSettings, people []any) error {
	now := tocsin.Millis(c.Store.Clock().Now())
	only := func(column string, from int) string {
		if people == nil {
			return ""
		}
		return ` and ` + column + ` in (` + store.In(len(people), from) + `)`
	}
	steps := []struct {
		find string
		args []any
		do   func(ctx context.Context, t *store.Tenant, people []any) error
		tell bool
	}{
		{`select p.person from ` + watchable + ` and ` + chosen + ` and not exists (select 1 from subscription s where s.tenant = p.tenant and s.person = p.person and s.state <> 'off')` + only("p.person", 4),
			[]any{c.Webhook.Connection, s.Mailboxes}, c.takeIn, true},
		{`select p.person from ` + watchable + ` and not ` + chosen + ` and not exists (select 1 from subscription s where s.tenant = p.tenant and s.person = p.person and s.state in ('off', 'ending'))` + only("p.person", 4),
			[]any{c.Webhook.Connection, s.Mailboxes}, func(ctx context.Context, t *store.Tenant, people []any) error { return c.leaveOut(ctx, t, people, now) }, true},
		{`select s.person from subscription s left join person p on p.tenant = s.tenant and p.person = s.person left join stream_form f on f.tenant = s.tenant and f.connection = $2 and f.person = s.person
			where s.tenant = $1 and (s.connection <> $2 or s.state = 'on' and s.address <> $3 or s.state = 'on' and s.due > 1 and s.because = '' and s.changes <> $4 or s.form <> coalesce(f.form, cast($5 as text))
			or s.state = 'on' and s.form <> s.made and s.because = '' and s.due > 0 or s.state <> 'ending' and (p.person is null or p.deleted <> 0 or p.mailbox <> 'read'))` + only("s.person", 6),
			[]any{c.Webhook.Connection, c.Webhook.URL, strings.Join(s.Changes, ","), s.Form}, func(ctx context.Context, t *store.Tenant, people []any) error { return c.readdress(ctx, t, s, people) }, false},
	}
	for _, step := range steps {
		found, err := c.people(ctx, step.find, append(step.args, people...)...)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(found, wantedAtOnce) {
			err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
				for part := range slices.Chunk(some, 400) {
					if err := step.do(ctx, t, part); err != nil {
						return err
					}
				}
				if !step.tell {
					return nil
				}
				return t.Append(ctx, store.Fact{Kind: "subscription.changed"})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// readdress ends the subscriptions of these people where the mailbox is no more, and has those replaced that lead elsewhere or
// tell otherwise than they are to.
func (c *Collector) readdress(ctx context.Context, t *store.Tenant, s *StreamSettings, people []any) error {
	const nobody = ` and not exists (select 1 from person p where p.tenant = subscription.tenant and p.person = subscription.person and p.deleted = 0 and p.mailbox = 'read')`
	const form = `coalesce((select f.form from stream_form f where f.tenant = subscription.tenant and f.connection = $2 and f.person = subscription.person), cast($3 as text))`
	for _, x := range []struct {
		text string
		args []any
	}{
		{`update subscription set state = 'ending', due = 0 where tenant = $1 and state not in ('ending', 'off')` + nobody, nil},
		{`delete from subscription where tenant = $1 and state = 'off'` + nobody, nil},
		// Where the address or the connection is another, what there is leads elsewhere.
		{`update subscription set state = 'wanted', due = 1 where tenant = $1 and state in ('on', 'refused') and (connection <> $2 or address <> $3 and state = 'on')`, []any{c.Webhook.Connection, c.Webhook.URL}},
		// What is to be told otherwise is replaced, and told of as before until then.
		{`update subscription set due = 1 where tenant = $1 and state = 'on' and due > 1 and because = '' and changes <> $2`, []any{strings.Join(s.Changes, ",")}},
		{`update subscription set connection = $2 where tenant = $1 and connection <> $2`, []any{c.Webhook.Connection}},
		{`update subscription set form = ` + form + `, because = case when state = 'on' then '' else because end where tenant = $1 and form <> ` + form, []any{c.Webhook.Connection, s.Form}},
	} {
		if _, err := t.Exec(ctx, x.text+` and person in (`+store.In(len(people), 2+len(x.args))+`)`, append(x.args, people...)...); err != nil {
			return err
		}
	}
	return c.switched(ctx, t, people)
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
