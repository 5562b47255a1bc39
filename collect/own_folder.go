package collect

import (
	"context"
	"errors"
	"path"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// OwnFolder keeps the rules of a folder in the tables as the files have them: a file that is new is a rule that is new, one that
// changed gives its rule another text, and the rule of one that is gone is switched off. A file within a folder that is called as a
// tenant's id is that tenant's alone. One that cannot be read, or whose tests fail, changes nothing, and stops no other.
type OwnFolder struct {
	Store *store.Store
	Dir   string
	State string // of new rules: draft, testing or live

	said map[string]string // what was told of a file that cannot be taken
}

// ownFromFolder is who wrote what came from the folder.
const ownFromFolder = "folder of rules"

// Sync reads the folder once. tell is called once for what is wrong with a file.
func (o *OwnFolder) Sync(ctx context.Context, tell func(file, what string)) error {
	files, err := sigma.ReadFiles(o.Dir)
	if err != nil {
		return err
	}
	var tenants []tocsin.TenantID
	err = o.Store.View(ctx, func(tx *store.Tx) error {
		tenants = nil
		rows, err := tx.Query(ctx, `select tenant from tenant order by tenant`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id tocsin.TenantID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			tenants = append(tenants, id)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	for i := range files {
		if f := &files[i]; f.Err != nil {
			wrong[f.Path] = f.Err.Error()
		}
	}
	var failed error
	for _, tenant := range tenants {
		failed = errors.Join(failed, o.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error { return o.one(ctx, t, files, tenants, wrong) }))
	}
	for file, what := range wrong {
		if o.said[file] != what {
			tell(file, what)
		}
	}
	o.said = wrong
	return failed
}

// ofTenant says whether a file is a tenant's.
func ofTenant(file string, tenant tocsin.TenantID, all []tocsin.TenantID) bool {
	first, _, within := strings.Cut(path.Clean(file), "/")
	for _, other := range all {
		if within && strings.EqualFold(first, string(other)) {
			return other == tenant
		}
	}
	return true
}

type ownKept struct {
	id, state, text string
	version         int64
}

func (o *OwnFolder) one(ctx context.Context, t *store.Tenant, files []sigma.File, tenants []tocsin.TenantID, wrong map[string]string) error {
	had := map[string]ownKept{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var k ownKept
		var origin string
		err := scan(&k.id, &k.state, &k.version, &origin, &k.text)
		had[origin] = k
		return err
	}, `select id, state, version, origin, text from own_rule where tenant = $1 and origin <> ''`)
	if err != nil {
		return err
	}
	for i := range files {
		f := &files[i]
		if !ofTenant(f.Path, t.ID(), tenants) {
			continue
		}
		k, known := had[f.Path]
		delete(had, f.Path)
		if f.Err != nil || known && k.text == string(f.Text) && k.state != OwnOff {
			continue
		}
		if why := untaken(f.Bundle); why != "" {
			wrong[f.Path] = why
			continue
		}
		x := OwnText{Bundle: f.Bundle, Text: string(f.Text), State: k.state, Who: ownFromFolder, Origin: f.Path}
		if !known || k.state == OwnOff && k.text != x.Text {
			x.State = o.State
		}
		if f.Uncollected() != "" {
			x.State = OwnDraft
		}
		if known && k.text == x.Text && k.state == x.State {
			continue
		}
		if known {
			err = ChangeOwn(ctx, t, k.id, k.version, x)
		} else {
			_, err = AddOwn(ctx, t, x)
		}
		if p, ok := errors.AsType[*tocsin.Problem](err); ok {
			wrong[f.Path] = p.What
		} else if err != nil {
			return err
		}
	}
	for origin, k := range had {
		if k.state == OwnOff {
			continue
		}
		b, err := sigma.Parse([]byte(k.text))
		if err != nil {
			continue
		}
		if err := ChangeOwn(ctx, t, k.id, k.version, OwnText{Bundle: b, Text: k.text, State: OwnOff, Who: ownFromFolder, Origin: origin}); err != nil {
			return err
		}
	}
	return nil
}

// untaken says why a file's rule is not taken: a test of its own that fails.
func untaken(b *sigma.Bundle) string {
	for _, o := range b.Test() {
		if !o.OK {
			return "its test “" + o.Name + "” fails: " + o.Says
		}
	}
	return ""
}
