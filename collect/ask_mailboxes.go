package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// owner is a person who may have a mailbox, with what tells why not, and the folders known already.
type owner struct {
	person                tocsin.PersonID
	object                string
	licensed, synced, can *bool
	folders               map[string]tocsin.Folder
}

// owners are the people whose mailbox is to be asked in this round: not guests, not those asked since the round began,
// and of those known to have none only the ones that were not asked for a day.
func (c *Collector) owners(ctx context.Context, column string, began int64) (out []owner, err error) {
	absentBefore := tocsin.Millis(c.Store.Clock().Now().Add(-c.Every.OrDefault().Absent))
	err = c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		out = out[:0]
		return each(ctx, t, func(scan func(...any) error) error {
			var o owner
			var folders *string
			if err := scan(&o.person, &o.object, &o.licensed, &o.synced, &o.can, &folders); err != nil {
				return err
			}
			if folders != nil && *folders != "" && *folders != "{}" {
				if err := json.Unmarshal([]byte(*folders), &o.folders); err != nil {
					return fmt.Errorf("folders of %s: %w", o.person, err)
				}
			}
			out = append(out, o)
			return nil
		}, `select p.person, p.object_id, p.licensed, p.synced, p.enabled, m.folders from person p
			left join mailbox m on m.tenant = p.tenant and m.person = p.person
			where p.tenant = $1 and p.deleted = 0 and p.kind <> 'guest' and coalesce(m.`+column+`, 0) < $2
				and (p.mailbox not in ('none', 'out_of_scope') or p.mailbox_asked < $3)
			order by coalesce(m.`+column+`, 0), p.person`, began, absentBefore)
	})
	return out, err
}

// poll asks something of every owner, in batches of 20 mailboxes, many batches at once, and puts what comes back into
// the journal. A mailbox that fails for a passing reason fails the round, after the others were read.
func (c *Collector) poll(ctx context.Context, source, column, kind string, ask func(context.Context, []owner) ([]any, error)) error {
	row, err := c.row(ctx, source)
	if err != nil {
		return err
	}
	all, err := c.owners(ctx, column, row.Started)
	if err != nil {
		return err
	}
	told := c.Store.Clock().Now()
	var done atomic.Int64
	var mu sync.Mutex
	var failed error
	g, ctx2 := errgroup.WithContext(ctx)
	g.SetLimit(max(1, c.atOnce()))
	for from := 0; from < len(all) && ctx2.Err() == nil; from += 20 {
		chunk := all[from:min(from+20, len(all))]
		g.Go(func() error {
			bodies, err := ask(ctx2, chunk)
			if err != nil {
				mu.Lock()
				failed = worst(failed, err)
				mu.Unlock()
				if stops(err) {
					return err
				}
			}
			items := make([]journal.Item, 0, len(bodies))
			for i, body := range bodies {
				if body == nil {
					continue
				}
				it, err := c.item(kind, chunk[i].person, body)
				if err != nil {
					return err
				}
				items = append(items, it)
			}
			if err := c.append(ctx2, items); err != nil {
				return err
			}
			n := int(done.Add(int64(len(chunk))))
			mu.Lock()
			now := c.Store.Clock().Now()
			tell := now.Sub(told) > 2*time.Second
			if tell {
				told = now
			}
			mu.Unlock()
			if tell {
				return c.progress(ctx2, source, n, len(all))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil && failed == nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed == nil && len(all) > 0 {
		return c.progress(ctx, source, len(all), len(all))
	}
	return failed
}

func (c *Collector) atOnce() int {
	if c.Batches > 0 {
		return c.Batches
	}
	return 16
}

// stops says whether an answer speaks for every mailbox, so that asking on is in vain.
func stops(err error) bool {
	if d, ok := errors.AsType[*graph.Denied](err); ok {
		return !d.OutOfScope
	}
	_, revoked := errors.AsType[*graph.Revoked](err)
	return revoked
}

// worst keeps the error that says most: one that stops, else the first.
func worst(a, b error) error {
	if a == nil || stops(b) && !stops(a) {
		return b
	}
	return a
}

// absent says why a mailbox cannot be read, if err is about this mailbox and will last; else state is empty.
func (o *owner) absent(err error) (state, because string) {
	if _, ok := errors.AsType[*graph.NoMailbox](err); ok {
		switch {
		case o.synced != nil && *o.synced && (o.licensed == nil || !*o.licensed):
			return "none", "The mailbox is on-premises, or there is none: the account is synchronised and has no Exchange Online plan."
		case o.licensed != nil && !*o.licensed:
			return "none", "No licence with Exchange Online is assigned."
		case o.can != nil && !*o.can:
			return "none", "The account is blocked and has no mailbox in Exchange Online."
		}
		return "none", "Exchange Online has no mailbox for this account; a new one takes some minutes to be made."
	}
	if _, ok := errors.AsType[*graph.NotFound](err); ok {
		return "none", "Microsoft Graph no longer knows this account."
	}
	if d, ok := errors.AsType[*graph.Denied](err); ok && d.OutOfScope {
		return "out_of_scope", "Exchange lets this application into some mailboxes only, and this is none of them (RBAC for Applications or an application access policy)."
	}
	return "", ""
}

// askSettings reads every mailbox's settings.
func (c *Collector) askSettings(ctx context.Context) error {
	return c.poll(ctx, "settings", "settings_seen", kindSettings, func(ctx context.Context, owners []owner) ([]any, error) {
		parts := make([]graph.Part, len(owners))
		for i := range owners {
			parts[i] = graph.Part{Call: "mailboxSettings.get", P: graph.P{"user": owners[i].object}}
		}
		results, err := c.Graph.Batch(ctx, parts)
		if err != nil {
			return nil, err
		}
		out := make([]any, len(owners))
		var failed error
		for i, r := range results {
			out[i], err = owners[i].settings(r)
			if err != nil {
				failed = worst(failed, err)
			}
		}
		return out, failed
	})
}

func (o *owner) settings(r graph.Result) (any, error) {
	if r.Err != nil {
		if state, because := o.absent(r.Err); state != "" {
			return settingsSeen{State: state, Absent: because}, nil
		}
		return nil, r.Err
	}
	var s graph.MailboxSettings
	if err := json.Unmarshal(r.Body, &s); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", o.object, err)
	}
	return settings(&s), nil
}

// askRules reads every mailbox's inbox rules, and the folders that they move mail to.
func (c *Collector) askRules(ctx context.Context) error {
	return c.poll(ctx, "rules", "rules_seen", kindRules, func(ctx context.Context, owners []owner) ([]any, error) {
		parts := make([]graph.Part, len(owners))
		for i := range owners {
			parts[i] = graph.Part{Call: "messageRules.list", P: graph.P{"user": owners[i].object, "folder": "inbox"}}
		}
		results, err := c.Graph.Batch(ctx, parts)
		if err != nil {
			return nil, err
		}
		out := make([]any, len(owners))
		lists := make([][]graph.MessageRule, len(owners))
		var failed error
		for i, r := range results {
			if lists[i], err = owners[i].rules(r); err == nil {
				continue
			}
			if state, because := owners[i].absent(err); state != "" {
				out[i] = rulesSeen{State: state, Absent: because}
			} else {
				failed = worst(failed, err)
			}
		}
		if failed != nil && stops(failed) {
			return out, failed
		}
		fresh, err := c.folders(ctx, owners, lists)
		if err != nil {
			return nil, err
		}
		for i := range owners {
			if lists[i] != nil {
				out[i] = owners[i].seen(lists[i], fresh[i])
			}
		}
		return out, failed
	})
}

// rules decodes a list of rules; it is never nil without an error.
func (o *owner) rules(r graph.Result) ([]graph.MessageRule, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	var page struct {
		Value []graph.MessageRule `json:"value"`
	}
	if err := json.Unmarshal(r.Body, &page); err != nil {
		return nil, fmt.Errorf("rules of %s: %w", o.object, err)
	}
	if page.Value == nil {
		page.Value = []graph.MessageRule{}
	}
	return page.Value, nil
}

// seen is the item of a mailbox's rules; the folders named in it are those known before and the fresh ones.
func (o *owner) seen(list []graph.MessageRule, fresh map[string]tocsin.Folder) rulesSeen {
	folder := func(id string) *tocsin.Folder {
		if id == "" {
			return nil
		}
		if f, ok := fresh[id]; ok {
			return &f
		}
		if f, ok := o.folders[id]; ok {
			return &f
		}
		return &tocsin.Folder{ID: id}
	}
	out := rulesSeen{Folders: fresh}
	for i := range list {
		out.Rules = append(out.Rules, ruleSeen{MailRule: mailRule(&list[i], folder), Raw: rawOrNil(list[i].Raw)})
	}
	return out
}
