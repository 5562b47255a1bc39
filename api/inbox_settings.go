package api

import (
	"context"
	"time"

	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// InboxSettings are how an inbox sends, and for how long it keeps.
type InboxSettings struct {
	Undo          int    `json:"undo_seconds" minimum:"0" maximum:"300" doc:"For how many seconds a mail can be taken back; 0: it goes at once"`
	Signature     string `json:"signature" trail:"-" maxLength:"100000" doc:"HTML below what is written"`
	RetentionDays int    `json:"retention_days" minimum:"0" maximum:"36500" doc:"For how many days after its last mail a thread is kept; 0: for ever"`
	Version       int64  `json:"version" doc:"The version that is changed"`
}

// SetInboxSettingsIn sets them.
type SetInboxSettingsIn struct {
	ByIDAct
	Body InboxSettings
}

func inboxSettings(ctx context.Context, t *store.Tenant, r *inboxReader, id string) (InboxSettings, error) {
	box, err := oneInbox(ctx, t, r, id)
	if err != nil {
		return InboxSettings{}, err
	}
	s, err := inbox.SettingsOf(ctx, t, id)
	return InboxSettings{Undo: int(s.Undo / time.Second), Signature: s.Signature, RetentionDays: box.RetentionDays, Version: box.Version}, err
}

// GetInboxSettings gives how an inbox sends and keeps.
func (s *Service) GetInboxSettings(ctx context.Context, in ByID) (InboxSettings, error) {
	return inboxView(ctx, s, "inboxes settings", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxSettings, error) {
		return inboxSettings(ctx, t, r, in.ID)
	})
}

// SetInboxSettings sets how an inbox sends and keeps. What is older than it keeps goes within an hour.
func (s *Service) SetInboxSettings(ctx context.Context, in SetInboxSettingsIn) (InboxSettings, error) {
	return inboxAct(ctx, s, "inboxes set-settings", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxSettings, error) {
		had, err := inboxSettings(ctx, t, r, in.ID)
		if err != nil {
			return had, err
		}
		if in.Body.Version != 0 && in.Body.Version != had.Version {
			return had, work.Changed
		}
		if err := inbox.Set(ctx, t, in.ID, inbox.Settings{Undo: time.Duration(in.Body.Undo) * time.Second, Signature: in.Body.Signature}); err != nil {
			return had, err
		}
		if err := inbox.KeepFor(ctx, t, in.ID, in.Body.RetentionDays); err != nil {
			return had, err
		}
		return inboxSettings(ctx, t, r, in.ID)
	})
}
