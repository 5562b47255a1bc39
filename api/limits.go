package api

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// limitTitles are the limits as people read of them. One that is missing is named as it is in the metrics.
var limitTitles = map[string]string{
	"all":                     "All requests to Microsoft Graph",
	"directory":               "Directory, resource units",
	"directory-app":           "Directory, resource units of all tenants",
	"directory-writes":        "Directory, changes",
	"directory-app-writes":    "Directory, changes in all tenants",
	"directory-tenant-writes": "Directory, changes by all apps",
	"reports":                 "Sign-ins and audit reports",
	"protection":              "Identity Protection and Conditional Access",
	"intune":                  "Intune devices",
	"intune-tenant":           "Intune devices, all apps",
	"intune-writes":           "Intune devices, changes",
	"intune-tenant-writes":    "Intune devices, changes by all apps",
	"subscriptions":           "Subscriptions to notifications",
	"subscriptions-tenant":    "Subscriptions to notifications, all apps",
	"trace":                   "Message trace",
	"activity":                "Management Activity API",
	"exchange-administration": "Exchange administration",
	"mailbox":                 "The busiest mailbox, requests",
	"mailbox-at-once":         "The busiest mailbox, calls at once",
	"mailbox-upload":          "The busiest mailbox, bytes sent",
}

// limitOrder is that in which they are listed: those that are met first of all, first.
var limitOrder = []string{"directory", "mailbox", "mailbox-at-once", "reports", "protection", "activity", "all"}

// ListLimits says how near each connection of a tenant is to each of Microsoft's limits, as this server has counted.
func (s *Service) ListLimits(ctx context.Context, in ListIn) (Page[Limit], error) {
	type found struct {
		rank int
		Limit
	}
	var all []found
	connections, err := view(ctx, s, "limits list", in, func(ctx context.Context, t *store.Tenant, _ Caller) ([]Connection, error) {
		return connectionsOf(ctx, t, "", s.now())
	})
	if err != nil {
		return Page[Limit]{}, err
	}
	if s.o.Connect.Limits == nil {
		connections = nil
	}
	for n, c := range connections {
		uses, err := s.o.Connect.Limits(ctx, c.Tenant, c.ID)
		if p := tocsin.AsProblem(err); err != nil && p.Code == tocsin.NotFound {
			continue // it was forgotten meanwhile
		} else if err != nil {
			return Page[Limit]{}, err
		}
		for i, u := range uses {
			l := limitOf(c.Tenant, u)
			l.Connection = c.ID
			rank := len(limitOrder) + i
			if k := slices.Index(limitOrder, u.Limit); k >= 0 {
				rank = k
			}
			all = append(all, found{n*1000 + rank, l})
		}
	}
	p, err := slice("limits", in.Paging, func() ([]found, error) {
		slices.SortFunc(all, func(a, b found) int { return a.rank - b.rank })
		return all, nil
	}, func(f found) string { return fmt.Sprintf("%09d", f.rank) })
	out := Page[Limit]{Items: make([]Limit, len(p.Items)), Next: p.Next, Total: p.Total}
	for i, f := range p.Items {
		out.Items[i] = f.Limit
	}
	if err != nil {
		return out, err
	}
	tenant := tenantOf(in)
	return out, s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) error { return nameMailboxes(ctx, t, out.Items) })
}

// limitOf is a limit as we tell of it.
func limitOf(tenant tocsin.TenantID, u graph.Use) Limit {
	l := Limit{Name: u.Limit, Title: limitTitles[u.Limit], Shared: strings.ReplaceAll(u.Level, " ", "_"), Unit: u.Unit, Limit: u.Of, Used: u.Used,
		Window: u.In.Seconds(), Spent: u.Spent, Waiting: u.Waiting, Held: u.Waits, HeldSeconds: seconds(u.Waited), TurnedAway: u.Refused,
		Throttled: u.Throttled, BlockedSeconds: seconds(u.Blocked), State: "calm"}
	if l.Title == "" {
		l.Title = l.Name
	}
	if l.Unit == "places" {
		l.Unit = "calls"
	}
	if l.Limit > 0 {
		l.Percent = int(math.Ceil(100 * float64(l.Used) / float64(l.Limit)))
	}
	if u.Mailbox != "" {
		l.Mailbox = tocsin.NewPersonID(tenant, u.Mailbox)
	}
	if r := u.Last; r != nil {
		l.Last = &Throttling{At: r.At.UTC(), Call: r.Call, Seconds: seconds(r.After), Why: strings.Trim(r.Code+" "+r.Why, " ")}
	}
	switch {
	case u.Blocked > 0:
		l.State = "blocked"
	case u.Waiting > 0:
		l.State = "holding"
	case l.Percent >= 80 && l.Limit >= 10, u.Careful > 0: // of a few calls one alone is much
		l.State = "near"
	}
	return l
}

// seconds is d to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// nameMailboxes gives the mailboxes that are named by their ids the addresses people know.
func nameMailboxes(ctx context.Context, t *store.Tenant, list []Limit) error {
	for i := range list {
		if list[i].Mailbox == "" {
			continue
		}
		rows, err := find(ctx, t, (&query{}).add("select case when mail <> '' then mail else upn end from person where tenant = $1").add(" and person = ?", string(list[i].Mailbox)),
			func(name *string) []any { return []any{name} })
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			list[i].Mailbox = "" // not read yet
			continue
		}
		list[i].MailboxName = rows[0]
	}
	return nil
}
