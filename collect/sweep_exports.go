package collect

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// sweepExports judges how events are sent on: an export that does not get rid of them is told of as a fault.
func sweepExports(ctx context.Context, t *store.Tenant) error {
	known, err := t.Known(ctx)
	if err != nil || !known {
		return err
	}
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	var found, strict []tocsin.Finding
	err = each(ctx, t, func(scan func(...any) error) error {
		var e detect.Export
		var since int64
		if err := scan(&e.ID, &e.Name, &e.Trouble, &since, &e.Because, &e.Behind); err != nil {
			return err
		}
		e.Since = tocsin.FromMillis(since)
		found = append(found, rule.Export(&org.Org, &e)...)
		strict = append(strict, rule.Export(org.strict(), &e)...)
		return nil
	}, `select e.id, e.name, e.trouble, e.troubled, e.because, coalesce(p.last, e.done) - e.done from export e
		left join export_place p on p.tenant = e.tenant where e.tenant = $1 and e.trouble <> '' order by e.id`)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	args := []any{}
	for _, c := range rule.Exports {
		names[c.Name] = true
		args = append(args, c.Name)
	}
	f := filing{t: t, now: org.Now, rules: names, strict: func() []tocsin.Finding { return strict }}
	return f.file(ctx, found, `rule in (`+store.In(len(args), 2)+`)`, args...)
}
