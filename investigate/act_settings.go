package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tocsin.dev"
	"tocsin.dev/store"
)

// ActSettingsOf are a tenant's settings; those until somebody sets them let an analyst act on a small campaign alone.
func ActSettingsOf(ctx context.Context, t *store.Tenant) (ActSettings, error) {
	s := ActSettings{PerAct: 500, PerHour: 2000, Share: 25}
	var body string
	var changed int64
	err := t.QueryRow(ctx, `select body, version, changed, changed_by from mail_act_settings where tenant = $1`).Scan(&body, &s.Version, &changed, &s.ChangedBy)
	if errors.Is(err, store.ErrNone) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Changed = tocsin.FromMillis(changed)
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return s, fmt.Errorf("settings of acts on mails: %w", err)
	}
	return s, nil
}

// SetActs writes a tenant's settings; version is the one that was looked at, 0 where there were none.
func SetActs(ctx context.Context, t *store.Tenant, who Actor, s ActSettings, version int64) (ActSettings, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	had, err := ActSettingsOf(ctx, t)
	if err != nil {
		return s, err
	}
	if had.Version != version {
		return s, errActStale
	}
	n, err := t.Exec(ctx, `insert into mail_act_settings (tenant, body, changed, changed_by, version) values ($1, $2, $3, $4, 1)
		on conflict (tenant) do update set body = excluded.body, changed = excluded.changed, changed_by = excluded.changed_by, version = mail_act_settings.version + 1
		where mail_act_settings.version = $5`, string(body), t.Tx().Clock().Now(), who.Email, version)
	if err != nil {
		return s, err
	}
	if n == 0 {
		return s, errActStale
	}
	if err := t.Append(ctx, store.Fact{Kind: "mail_act_settings.changed", Actor: who.Email}); err != nil {
		return s, err
	}
	return ActSettingsOf(ctx, t)
}

var errActStale = tocsin.Problemf(tocsin.Conflict, "Load it again, look at what changed, and repeat what you meant to do.", "Somebody has changed it since you looked.")
