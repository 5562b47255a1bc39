package collect

import (
	"context"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// sweepConnections judges our own ways to the tenant: what was taken from their apps or given to them, and when their
// credentials end.
func sweepConnections(ctx context.Context, t *store.Tenant) error {
	known, err := t.Known(ctx)
	if err != nil || !known {
		return err
	}
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	list, err := connections(ctx, t)
	if err != nil {
		return err
	}
	var found, strict []tocsin.Finding
	for i := range list {
		found = append(found, rule.Connection(&org.Org, &list[i])...)
		strict = append(strict, rule.Connection(org.strict(), &list[i])...)
	}
	names := map[string]bool{}
	args := []any{}
	for _, c := range rule.Connections {
		names[c.Name] = true
		args = append(args, c.Name)
	}
	f := filing{t: t, now: org.Now, rules: names, strict: func() []tocsin.Finding { return strict }}
	return f.file(ctx, found, `rule in (`+store.In(len(args), 2)+`)`, args...)
}

// connections are the tenant's, each with the drifts of its permissions that stand: what was taken and not given back, what
// was given and not taken back.
func connections(ctx context.Context, t *store.Tenant) (out []detect.Connection, err error) {
	tiers := map[string]connect.Tier{}
	err = each(ctx, t, func(scan func(...any) error) error {
		var c detect.Connection
		var tier connect.Tier
		var expires int64
		err := scan(&c.ID, &c.Name, &c.State, &c.Method, &expires, &tier)
		c.Expires = tocsin.FromMillis(expires)
		tiers[c.ID] = tier
		out = append(out, c)
		return err
	}, `select id, name, state, method, expires, tier from connection where tenant = $1 order by case when tier = 'read' then 0 else 1 end, id`)
	if err == nil {
		err = streamed(ctx, t, out, tiers)
	}
	for i := range out {
		if err == nil {
			err = drifts(ctx, t, &out[i], tiers[out[i].ID])
		}
	}
	return out, err
}

// streamed adds to the connection by which the tenant is collected from how its mail is told of.
func streamed(ctx context.Context, t *store.Tenant, list []detect.Connection, tiers map[string]connect.Tier) error {
	i := slices.IndexFunc(list, func(c detect.Connection) bool {
		return !tiers[c.ID].Acts() && c.State != "closed" && c.State != "closing"
	})
	if i < 0 {
		return nil
	}
	c := &list[i]
	err := each(ctx, t, func(scan func(...any) error) error {
		var s detect.Silence
		var began, expected int64
		err := scan(&s.Who, &began, &expected)
		s.Began, s.Expected = tocsin.FromMillis(began), float64(expected)/1000
		c.Silences = append(c.Silences, s)
		return err
	}, `select case when s.person = '' then '' when p.mail <> '' then p.mail else coalesce(p.upn, s.person) end, s.began, s.expected from silence s
		left join person p on p.tenant = s.tenant and p.person = s.person where s.tenant = $1 and s.ended = 0 order by case when s.person = '' then 0 else 1 end, s.began, s.person`)
	if err != nil {
		return err
	}
	var at int64
	err = t.QueryRow(ctx, `select id, at, because, mend from canary_try where tenant = $1 and (heard > 0 or because <> '' and lag >= 0) order by at desc, id desc limit 1`).Scan(&c.Canary.ID, &at, &c.Canary.Because, &c.Canary.Fix)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	c.Canary.At = tocsin.FromMillis(at)
	return err
}

func drifts(ctx context.Context, t *store.Tenant, c *detect.Connection, tier connect.Tier) error {
	is, err := connect.Stood(ctx, t, c.ID)
	if err != nil {
		return err
	}
	excess := is.Excess(tier)
	// A permission's last change is what stands.
	last := map[[2]string]int{}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var d detect.Drift
		var at int64
		var change string
		if err := scan(&d.ID, &at, &d.Resource, &d.Permission, &change); err != nil {
			return err
		}
		d.At, d.Removed = tocsin.FromMillis(at), change == "removed"
		last[[2]string{d.Resource, d.Permission}] = len(c.Drifts)
		c.Drifts = append(c.Drifts, d)
		return nil
	}, `select id, at, resource, permission, change from app_grant_change where tenant = $1 and connection = $2 order by at, permission`, c.ID); err != nil {
		return err
	}
	var stand []detect.Drift
	for i, d := range c.Drifts {
		if last[[2]string{d.Resource, d.Permission}] != i {
			continue
		}
		if d.Removed {
			d.For = goesBy(d.Permission, tier, is.Granted)
		} else if k := slices.IndexFunc(excess, func(e connect.Excess) bool { return e.Permission == d.Permission }); k >= 0 {
			d.Why, d.Dangerous = excess[k].Why, excess[k].Dangerous
		}
		stand = append(stand, d)
	}
	c.Drifts = stand
	return nil
}

// goesBy are the titles of the capabilities that go by a permission and by none of those that are left.
func goesBy(permission string, tier connect.Tier, left []string) (out []string) {
	for _, c := range connect.Capabilities {
		if c.Tier != tier && c.Tier != connect.Read && !(tier == connect.Investigate && tier.Has(c)) {
			continue
		}
		for _, name := range slices.Concat(c.Needs, c.Helps) {
			call := graph.Find(name)
			if slices.Contains(call.Permissions, permission) && !slices.ContainsFunc(call.Permissions, func(p string) bool { return slices.Contains(left, p) }) {
				out = append(out, c.Title)
				break
			}
		}
	}
	return out
}
