package api

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// ForgetPersonIn erases somebody from the shared inboxes of a tenant.
type ForgetPersonIn struct {
	In
	Key
	Body ForgetPerson
}

// ForgetPerson says whom.
type ForgetPerson struct {
	Address string `json:"address" trail:"-" minLength:"3" maxLength:"320" doc:"Their e-mail address; the trail notes that somebody was erased, and not who"`
}

// Forgotten is what went.
type Forgotten struct {
	Mails int `json:"mails" doc:"How many mails were erased whole: those that they wrote, and those that went to them alone"`
}

// ForgetInboxPerson erases what somebody outside wrote to the shared inboxes, what was written to them alone, and their address and name from
// the envelopes of others' mails. The mailboxes stay as they are; what is erased is not read from them again.
func (s *Service) ForgetInboxPerson(ctx context.Context, in ForgetPersonIn) (out Forgotten, err error) {
	return onEmail(ctx, s, "inbox-people forget", in, nil, func(ctx context.Context, _ *inbox.Addresses, actor string, tenant tocsin.TenantID) error {
		out.Mails, err = inbox.Forget(ctx, s.st, tenant, actor, in.Body.Address)
		return err
	}, func(context.Context, *store.Tenant) (Forgotten, error) { return out, nil })
}
