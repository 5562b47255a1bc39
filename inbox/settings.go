package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin.dev"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

// Settings are how an inbox sends. Others keep theirs in the same column, under names of their own.
type Settings struct {
	Undo      time.Duration // for how long a mail can be taken back once it was handed over; 10 s where none was set
	Signature string        // HTML below what is written
}

// SettingsOf are the settings of an inbox.
func SettingsOf(ctx context.Context, t *store.Tenant, inbox string) (s Settings, err error) {
	all, err := settings(ctx, t, inbox)
	if err != nil {
		return s, err
	}
	s.Undo = 10 * time.Second
	var seconds *int
	if raw := all["undo_seconds"]; raw != nil {
		if err := json.Unmarshal(raw, &seconds); err != nil {
			return s, err
		}
		if seconds != nil {
			s.Undo = time.Duration(*seconds) * time.Second
		}
	}
	if raw := all["signature"]; raw != nil {
		err = json.Unmarshal(raw, &s.Signature)
	}
	return s, err
}

func settings(ctx context.Context, t *store.Tenant, inbox string) (map[string]json.RawMessage, error) {
	var raw string
	err := t.QueryRow(ctx, `select settings from inbox where tenant = $1 and id = $2`, inbox).Scan(&raw)
	if errors.Is(err, store.ErrNone) {
		return nil, noInbox
	}
	all := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal([]byte(raw), &all)
	}
	return all, err
}

// Set keeps the settings of an inbox.
func Set(ctx context.Context, t *store.Tenant, inbox string, s Settings) error {
	if s.Undo < 0 || s.Undo > 5*time.Minute {
		return tocsin.Problemf(tocsin.Invalid, "Give 0 to 300 seconds.", "A mail cannot be held back for %s.", s.Undo)
	}
	if len(s.Signature) > 100<<10 {
		return tocsin.Problemf(tocsin.Invalid, "Make it shorter.", "The signature is longer than 100 kB.")
	}
	all, err := settings(ctx, t, inbox)
	if err != nil {
		return err
	}
	for name, v := range map[string]any{"undo_seconds": int(s.Undo.Seconds()), "signature": mail.Compose(s.Signature)} {
		if all[name], err = json.Marshal(v); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `update inbox set settings = $3, changed = $4, version = version + 1 where tenant = $1 and id = $2`, inbox, json.RawMessage(raw), t.Tx().Clock().Now()); err != nil {
		return err
	}
	return tell(ctx, t, inbox, "settings")
}
