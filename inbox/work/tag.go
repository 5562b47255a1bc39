package work

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Tag is a name for threads.
type Tag struct {
	ID, Name, Colour string
	Version          int64
}

// Colours are those that a tag can have, by name.
var Colours = []string{"", "slate", "red", "amber", "green", "blue", "violet"}

var noTag = tocsin.Problemf(tocsin.NotFound, "Look at the list of tags.", "There is no such tag.")

// Tags are all tags by name.
func Tags(ctx context.Context, t *store.Tenant) ([]Tag, error) {
	rows, err := t.Query(ctx, `select id, name, colour, version from inbox_tag where tenant = $1 order by lower(name), id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Tag{}
	for rows.Next() {
		var g Tag
		if err := rows.Scan(&g.ID, &g.Name, &g.Colour, &g.Version); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// SaveTag makes a tag (no id), or changes the one of the id and version.
func SaveTag(ctx context.Context, t *store.Tenant, g Tag) (Tag, error) {
	var taken int
	if err := t.QueryRow(ctx, `select count(*) from inbox_tag where tenant = $1 and lower(name) = lower($2) and id <> $3`, g.Name, g.ID).Scan(&taken); err != nil {
		return g, err
	}
	if taken > 0 {
		return g, tocsin.Problemf(tocsin.Conflict, "Use it, or choose another name.", "There is a tag of this name.")
	}
	if g.ID == "" {
		g.ID, g.Version = tocsin.NewID(), 1
		_, err := t.Exec(ctx, `insert into inbox_tag (tenant, id, name, colour, created) values ($1, $2, $3, $4, $5)`, g.ID, g.Name, g.Colour, t.Tx().Clock().Now())
		return g, err
	}
	err := changed(ctx, t, noTag, "inbox_tag", g.ID, g.Version, `name = $4, colour = $5`, g.Name, g.Colour)
	g.Version++
	return g, err
}

// DeleteTag forgets a tag, and takes it from every thread.
func DeleteTag(ctx context.Context, t *store.Tenant, id string) error {
	n, err := t.Exec(ctx, `delete from inbox_tag where tenant = $1 and id = $2`, id)
	if err == nil && n == 0 {
		return noTag
	}
	if err == nil {
		_, err = t.Exec(ctx, `delete from inbox_thread_tag where tenant = $1 and tag = $2`, id)
	}
	return err
}
