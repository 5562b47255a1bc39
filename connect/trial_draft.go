package connect

import (
	"context"
	"errors"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// draftMark begins the subject of a draft that a test makes; an id follows, so that it can be found again.
const draftMark = "Tocsin tests a mail configuration, and deletes this draft "

// left is a draft that a test is about to make or made; its id is empty while that is not known.
type left struct{ mark, id string }

// write makes a draft in the test address's mailbox, reads it, and deletes it for good. What a test before this one left there
// is deleted first. The first error is one of ours, the second what Microsoft answered.
func (y *trial) write(ctx context.Context) (ours, theirs error) {
	was, err := y.left(ctx)
	if err != nil {
		return err, nil
	}
	if was.mark != "" {
		if theirs := y.clear(ctx, &was); theirs != nil {
			return nil, theirs
		}
	}
	one := left{mark: draftMark + tocsin.NewID()}
	if err := y.keepLeft(ctx, one); err != nil {
		return err, nil
	}
	var made, read graph.Message
	if err := y.gc.Act(ctx, "messages.draft", graph.P{"user": y.user}, map[string]any{"subject": one.mark}, &made); err != nil {
		if unknown(err) {
			return nil, err // the next test looks whether it was made
		}
		return y.keepLeft(ctx, left{}), err
	}
	one.id = made.ID
	if err := y.keepLeft(ctx, one); err != nil {
		return err, nil
	}
	lost := y.gc.Get(ctx, "messages.state", graph.P{"user": y.user, "message": one.id}, &read)
	if err := y.clear(ctx, &one); err != nil {
		return nil, err
	}
	if err := y.keepLeft(ctx, left{}); err != nil || lost != nil {
		return err, lost
	}
	err = y.gc.Get(ctx, "messages.state", graph.P{"user": y.user, "message": one.id}, &read)
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, tocsin.Problemf(tocsin.Unavailable, "Delete it there, and test again.", "The draft %q was deleted, and is still in the test address's mailbox.", one.mark)
}

// clear deletes a draft for good, which may not be there any more, or never was.
func (y *trial) clear(ctx context.Context, one *left) error {
	if one.id == "" {
		var found struct {
			Value []graph.Message `json:"value"`
		}
		if err := y.gc.Get(ctx, "messages.search.folder", graph.P{"user": y.user, "folder": "drafts", "$filter": "subject eq '" + one.mark + "'", "$top": "1"}, &found); err != nil {
			return err
		}
		if len(found.Value) == 0 {
			return nil
		}
		one.id = found.Value[0].ID
	}
	err := y.gc.Act(ctx, "messages.purge", graph.P{"user": y.user, "message": one.id}, nil, nil)
	if _, gone := errors.AsType[*graph.NotFound](err); gone {
		return nil
	}
	return err
}

// unknown says whether a call may have taken effect although an error came.
func unknown(err error) bool {
	_, lost := errors.AsType[*graph.Unavailable](err)
	return lost || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// left reads what a test left in the mailbox.
func (y *trial) left(ctx context.Context) (out left, err error) {
	err = y.s.Store.ViewTenant(ctx, y.m.Connection.Tenant, func(t *store.Tenant) error {
		return t.QueryRow(ctx, `select draft, draft_id from mail_configuration where tenant = $1 and connection = $2`, y.m.Connection.ID).Scan(&out.mark, &out.id)
	})
	return out, err
}

// keepLeft writes down what a test leaves there.
func (y *trial) keepLeft(ctx context.Context, one left) error {
	ctx = context.WithoutCancel(ctx)
	return y.s.Store.UpdateTenant(ctx, y.m.Connection.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update mail_configuration set draft = $3, draft_id = $4 where tenant = $1 and connection = $2`, y.m.Connection.ID, one.mark, one.id)
		return err
	})
}
