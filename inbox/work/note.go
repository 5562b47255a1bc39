package work

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

var noNote = tocsin.Problemf(tocsin.NotFound, "Look at the thread.", "There is no such note of yours.")

// Note writes a private note into a thread; those of mentions who work in the inbox are told.
func Note(ctx context.Context, t *store.Tenant, r Reach, id, text string, mentions []string) (*Thread, string, error) {
	v, err := begin(ctx, t, r, id, 0)
	if err != nil {
		return nil, "", err
	}
	entry, err := write(ctx, t, v, r.Account, Noted, What{Text: text, Mentions: mentions})
	if err != nil {
		return nil, "", err
	}
	if err := mention(ctx, t, v, entry, mentions); err != nil {
		return nil, "", err
	}
	return v, entry, tell(ctx, t, v, r.Account)
}

func mention(ctx context.Context, t *store.Tenant, v *Thread, entry string, accounts []string) error {
	now := t.Tx().Clock().Now()
	for _, a := range accounts {
		r, err := ReachOf(ctx, t, a)
		if err != nil {
			return err
		}
		if !r.In(v.Inbox) {
			return tocsin.Problemf(tocsin.Invalid, "Name somebody of the team.", "Somebody whom the note names does not work in this inbox.")
		}
		if _, err := t.Exec(ctx, `insert into inbox_mention (tenant, account, inbox, thread, entry, at) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`, a, v.Inbox, v.ID, entry, now); err != nil {
			return err
		}
	}
	return nil
}

// EditNote changes a note of one's own; an empty text takes it away.
func EditNote(ctx context.Context, t *store.Tenant, r Reach, id, entry, text string, mentions []string) (*Thread, error) {
	v, err := begin(ctx, t, r, id, 0)
	if err != nil {
		return nil, err
	}
	var one int
	err = t.QueryRow(ctx, `select 1 from inbox_entry where tenant = $1 and inbox = $2 and thread = $3 and id = $4 and kind = 'note' and who = $5`, v.Inbox, v.ID, entry, r.Account).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return nil, noNote
	}
	if err != nil {
		return nil, err
	}
	if _, err := t.Exec(ctx, `delete from inbox_mention where tenant = $1 and inbox = $2 and thread = $3 and entry = $4`, v.Inbox, v.ID, entry); err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		_, err = t.Exec(ctx, `delete from inbox_entry where tenant = $1 and inbox = $2 and thread = $3 and id = $4`, v.Inbox, v.ID, entry)
	} else {
		var body []byte
		if body, err = json.Marshal(What{Text: text, Mentions: mentions, Edited: tocsin.Millis(t.Tx().Clock().Now())}); err != nil {
			return nil, err
		}
		_, err = t.Exec(ctx, `update inbox_entry set what = $5 where tenant = $1 and inbox = $2 and thread = $3 and id = $4`, v.Inbox, v.ID, entry, json.RawMessage(body))
		if err == nil {
			err = mention(ctx, t, v, entry, mentions)
		}
	}
	if err != nil {
		return nil, err
	}
	return v, tell(ctx, t, v, r.Account)
}
