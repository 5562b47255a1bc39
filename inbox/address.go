package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Addresses connects e-mail addresses: each makes an inbox, which outlives the address and its connection. Connected again, by whatever connection, an
// address gets its inbox back, with its threads.
type Addresses struct {
	Store  *store.Store
	Keeper Keeper
	// Client gives the client of an e-mail connection: see [connect.Connections.Mailbox].
	Client func(ctx context.Context, tenant tocsin.TenantID, connection string) (*graph.Client, error)
	// Forget gives up an e-mail connection with its tokens: see [connect.Connections.DeleteEmail].
	Forget func(ctx context.Context, actor string, tenant tocsin.TenantID, connection string) error
}

// NewAddress is what connects an address.
type NewAddress struct {
	Connection   string
	Address      string
	Name         string // empty: what stands before the @
	BackfillDays int    // how far back mail is read at first; 0: everything
}

// maxBackfill is the most days that a first reading goes back, where it does not read everything.
const maxBackfill = 36500

// Connect connects an address once it is seen to be open to the connection, and gives its inbox.
func (a *Addresses) Connect(ctx context.Context, actor string, tenant tocsin.TenantID, in NewAddress) (Inbox, error) {
	address := tocsin.CanonicalAddress(in.Address)
	var faults []*tocsin.Problem
	if before, at, ok := strings.Cut(address, "@"); !ok || before == "" || !strings.Contains(at, ".") || strings.ContainsAny(address, " ,;\"'()\\<>/") {
		faults = append(faults, tocsin.Problemf(tocsin.Invalid, "Give the address of one shared mailbox, such as invoices@contoso.com.", "%q is not an address.", in.Address))
	}
	if in.BackfillDays < 0 || in.BackfillDays > maxBackfill {
		faults = append(faults, tocsin.Problemf(tocsin.Invalid, "Give 0 for everything, or up to 36500 days.", "Mail cannot be read for %d days back.", in.BackfillDays))
	}
	if err := tocsin.Together(faults...); err != nil {
		return Inbox{}, err
	}
	if err := a.reach(ctx, tenant, in.Connection, address); err != nil {
		return Inbox{}, err
	}
	in.Address = address
	return a.take(ctx, actor, tenant, in)
}

// reach looks whether a mailbox is open to a connection.
func (a *Addresses) reach(ctx context.Context, tenant tocsin.TenantID, connection, address string) error {
	ctx = graph.WithPriority(ctx, graph.High)
	gc, err := a.Client(ctx, tenant, connection)
	if err != nil {
		return err
	}
	if err := gc.Get(ctx, "mailFolders.get", graph.P{"user": address, "folder": "inbox"}, new(any)); err != nil {
		return unreached(err, address, gc.Delegates())
	}
	return nil
}

// unreached says in words why a mailbox cannot be opened.
func unreached(cause error, address string, delegated bool) *tocsin.Problem {
	member := "Make the service account a member of it: in Exchange, Add-MailboxPermission -Identity " + address + " -User <the service account> -AccessRights FullAccess -AutoMapping $false. That takes Exchange up to an hour; then connect it again."
	_, none := errors.AsType[*graph.NoMailbox](cause)
	_, missing := errors.AsType[*graph.NotFound](cause)
	denied, no := errors.AsType[*graph.Denied](cause)
	switch {
	case none:
		return tocsin.Problemf(tocsin.NotFound, "Compare the address with Exchange: the mailbox's primary address, and a mailbox in the cloud. A distribution list or a group has none.", "%s has no mailbox in Exchange Online.", address)
	case missing && delegated: // what Exchange says to who is no member, too
		return tocsin.Problemf(tocsin.NotFound, member, "The mailbox %s is not there, or is not shared with the service account.", address)
	case missing:
		return tocsin.Problemf(tocsin.NotFound, "Compare the address with Exchange.", "The mailbox %s is not there.", address)
	case no && denied.OutOfScope && delegated:
		return tocsin.Problemf(tocsin.Denied, member, "The mailbox %s is not shared with the service account.", address)
	case no && denied.OutOfScope:
		return tocsin.Problemf(tocsin.Denied, "Put the mailbox into the scope of the app's role in Exchange, or of its application access policy; that takes up to an hour.", "A policy in Exchange keeps the mailbox %s from the app.", address)
	}
	return connect.Explain(cause)
}

// take writes the inbox of an address that was reached: a new one, or the one that the address had.
func (a *Addresses) take(ctx context.Context, actor string, tenant tocsin.TenantID, in NewAddress) (out Inbox, err error) {
	err = a.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		now := tocsin.Millis(t.Tx().Clock().Now())
		had, err := addressed(ctx, t, `address = $2`, in.Address)
		if err != nil {
			return err
		}
		id, name := tocsin.NewID(), strings.TrimSpace(in.Name)
		if len(had) == 0 {
			if name == "" {
				name, _, _ = strings.Cut(in.Address, "@")
			}
			key, err := NewKey(a.Keeper, tenant, id)
			if err != nil {
				return fmt.Errorf("make the key of an inbox: %w", err)
			}
			var person string
			if err := t.QueryRow(ctx, `select person from person_address where tenant = $1 and address = $2`, in.Address).Scan(&person); err != nil && !errors.Is(err, store.ErrNone) {
				return err
			}
			if _, err := t.Exec(ctx, `insert into inbox (tenant, id, name, address, person, connection, state, backfill_days, sealed, created, changed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
				id, name, in.Address, person, in.Connection, Connected, in.BackfillDays, key, now); err != nil {
				return err
			}
		} else {
			was := had[0]
			if id = was.ID; was.Connection != "" && was.State != Disconnected && was.Connection != in.Connection {
				return tocsin.Problemf(tocsin.Conflict, "Disconnect it first.", "The address %s is connected already, by another connection.", in.Address)
			}
			if name == "" {
				name = was.Name
			}
			// Another account may have other rights to send: what was found of them counts no longer.
			if _, err := t.Exec(ctx, `update inbox set connection = $3, name = $4, state = $5, because = '', mend = '', sending = case when connection = $3 then sending else 'unknown' end,
				sending_because = case when connection = $3 then sending_because else '' end, changed = $6, version = version + 1 where tenant = $1 and id = $2`, id, in.Connection, name, Connected, now); err != nil {
				return err
			}
		}
		list, err := addressed(ctx, t, `id = $2`, id)
		if err != nil {
			return err
		}
		out = list[0]
		return tellInbox(ctx, t, id, actor, "connected")
	})
	return out, err
}

// Disconnect takes an inbox's address off its connection: its mailbox is read and written no more. What was read stays.
func (a *Addresses) Disconnect(ctx context.Context, actor string, tenant tocsin.TenantID, inbox string) (out Inbox, err error) {
	err = a.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if _, err := oneAddress(ctx, t, inbox); err != nil {
			return err
		}
		if err := off(ctx, t, inbox, actor, "It was disconnected; what was read stays.", "Connect it again."); err != nil {
			return err
		}
		out, err = oneAddress(ctx, t, inbox)
		return err
	})
	return out, err
}

// off writes that an inbox is disconnected. Wishes and mails on their way wait until it is connected again.
func off(ctx context.Context, t *store.Tenant, inbox, actor, because, mend string) error {
	n, err := t.Exec(ctx, `update inbox set connection = '', state = $3, because = $4, mend = $5, changed = $6, version = version + 1 where tenant = $1 and id = $2 and state <> $3`,
		inbox, Disconnected, because, mend, tocsin.Millis(t.Tx().Clock().Now()))
	if err != nil || n == 0 {
		return err
	}
	return tellInbox(ctx, t, inbox, actor, "disconnected")
}

// Reconnect connects an inbox's address again, by the connection that it has or by another.
func (a *Addresses) Reconnect(ctx context.Context, actor string, tenant tocsin.TenantID, inbox, connection string) (Inbox, error) {
	was, err := a.one(ctx, tenant, inbox)
	if err != nil {
		return Inbox{}, err
	}
	if connection == "" {
		connection = was.Connection
	}
	if connection == "" {
		return Inbox{}, tocsin.Problemf(tocsin.Invalid, "Say by which e-mail connection.", "The inbox %s has no connection.", was.Name)
	}
	return a.Connect(ctx, actor, tenant, NewAddress{Connection: connection, Address: was.Address, BackfillDays: was.BackfillDays})
}

// DisconnectAll gives up an e-mail connection: its inboxes are disconnected, first readings end, and then its tokens are forgotten. With erase the
// inboxes go with all that was read and written in them, which nothing brings back but the mailboxes.
func (a *Addresses) DisconnectAll(ctx context.Context, actor string, tenant tocsin.TenantID, connection string, erase bool) error {
	var of []Inbox
	err := a.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if of, err = addressed(ctx, t, `connection = $2`, connection); err != nil {
			return err
		}
		for _, in := range of {
			if err := off(ctx, t, in.ID, actor, "Its e-mail connection was disconnected; what was read stays.", "Connect the address again by another connection."); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.Forget(ctx, actor, tenant, connection); err != nil {
		return err
	}
	for _, in := range of {
		if !erase {
			break
		}
		if err := Erase(ctx, a.Store, tenant, actor, in.ID); err != nil {
			return err
		}
	}
	return nil
}

// readBack is how often and after what wait a mail that was sent is looked for, before its outcome is called unknown.
const readBacks, readBackWait = 5, time.Second

// TestSending tries whether mail can be sent from an inbox's address, with one mail to itself, and remembers what came of it: Microsoft Graph tells of
// the right to send only when one sends. The mail is taken away again.
func (a *Addresses) TestSending(ctx context.Context, actor string, tenant tocsin.TenantID, inbox string) (Inbox, error) {
	in, err := a.one(ctx, tenant, inbox)
	if err != nil {
		return in, err
	}
	if in.State == Disconnected || in.Connection == "" {
		return in, tocsin.Problemf(tocsin.Conflict, "Connect it again first.", "The inbox %s is disconnected.", in.Name)
	}
	ctx = graph.WithPriority(ctx, graph.High)
	gc, err := a.Client(ctx, tenant, in.Connection)
	if err != nil {
		return in, err
	}
	found, because, err := trySending(ctx, gc, in.Address)
	if err != nil {
		return in, unreached(err, in.Address, gc.Delegates())
	}
	err = a.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		now := tocsin.Millis(t.Tx().Clock().Now())
		if _, err := t.Exec(ctx, `update inbox set sending = $3, sending_because = $4, sending_at = $5, changed = $5, version = version + 1 where tenant = $1 and id = $2`, inbox, found, because, now); err != nil {
			return err
		}
		if in, err = oneAddress(ctx, t, inbox); err != nil {
			return err
		}
		return tellInbox(ctx, t, inbox, actor, "sending")
	})
	return in, err
}

// trySending sends one mail from an address to itself, and reads back as whom it went.
func trySending(ctx context.Context, gc *graph.Client, address string) (found, because string, err error) {
	self := graph.Recipient{EmailAddress: graph.EmailAddress{Address: address}}
	var draft graph.Message
	err = gc.Act(ctx, "messages.draft", graph.P{"user": address}, map[string]any{"subject": "Tocsin: test of sending", "from": self, "toRecipients": []graph.Recipient{self},
		"body": map[string]string{"contentType": "text", "content": "This mail was sent to see whether Tocsin may send from this address. It is taken away again; where it is not, it can be deleted."}}, &draft)
	if err != nil {
		return "", "", err
	}
	at := graph.P{"user": address, "message": draft.ID}
	sent := gc.Act(ctx, "messages.sendDraft", at, nil, nil)
	if d, ok := errors.AsType[*graph.Denied](sent); ok {
		away(ctx, gc, at)
		if d.Code == "ErrorSendAsDenied" && gc.Delegates() {
			return SendRefused, "The service account may not send from " + address + ": give it Send As (Add-RecipientPermission -Identity " + address + " -Trustee <the service account> -AccessRights SendAs), wait up to an hour, and test again.", nil
		}
		return SendRefused, "Microsoft refused to send from " + address + " (" + d.Code + "). Look whether Mail.Send" + map[bool]string{true: ".Shared"}[gc.Delegates()] + " is granted, and test again.", nil
	}
	if _, unknown := errors.AsType[*graph.Unavailable](sent); sent != nil && !unknown {
		away(ctx, gc, at)
		return "", "", sent
	}
	for try := 1; ; try++ { // what was asked may be done only in a moment, or was not
		var now graph.Message
		if err := gc.Get(ctx, "messages.inbox.get", at, &now); err == nil && (now.IsDraft == nil || !*now.IsDraft) && now.From != nil {
			away(ctx, gc, at)
			received(ctx, gc, address, now.InternetMessageID)
			if now.Sender != nil && !strings.EqualFold(now.Sender.EmailAddress.Address, now.From.EmailAddress.Address) {
				return SendBehalf, "Mail goes out by " + now.Sender.EmailAddress.Address + " on behalf of " + address + ", and recipients see both. With Send As they would see " + address + " alone.", nil
			}
			return SendAs, "", nil
		}
		if try == readBacks {
			away(ctx, gc, at)
			return SendUnknown, "Whether the test was sent could not be read back. Test again.", nil
		}
		timer := time.NewTimer(readBackWait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", "", ctx.Err()
		case <-timer.C:
		}
	}
}

// away takes the test's mail away for good; where that cannot be done it stays, and says that it may be deleted.
func away(ctx context.Context, gc *graph.Client, at graph.P) {
	_ = gc.Act(ctx, "messages.purge", at, nil, nil)
}

// received takes away the copy that came back, if it is there already.
func received(ctx context.Context, gc *graph.Client, address, id string) {
	if id == "" {
		return
	}
	var list struct{ Value []graph.Message }
	if gc.Get(ctx, "messages.inbox.list", graph.P{"user": address, "folder": "inbox", "$filter": "internetMessageId eq '" + strings.ReplaceAll(id, "'", "''") + "'"}, &list) != nil {
		return
	}
	for _, m := range list.Value {
		away(ctx, gc, graph.P{"user": address, "message": m.ID})
	}
}

func (a *Addresses) one(ctx context.Context, tenant tocsin.TenantID, id string) (in Inbox, err error) {
	err = a.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		in, err = oneAddress(ctx, t, id)
		return err
	})
	return in, err
}

func oneAddress(ctx context.Context, t *store.Tenant, id string) (Inbox, error) {
	list, err := addressed(ctx, t, `id = $2`, id)
	if err == nil && len(list) != 1 {
		err = noInbox
	}
	if err != nil {
		return Inbox{}, err
	}
	return list[0], nil
}

// addressed are the inboxes for which where holds, by name.
func addressed(ctx context.Context, t *store.Tenant, where, arg string) (out []Inbox, err error) {
	rows, err := t.Query(ctx, `select id, name, address, person, connection, state, because, mend, sending, sending_because, sending_at, backfill_days, retention_days, created, changed, version
		from inbox where tenant = $1 and `+where+` order by name, id`, arg)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var in Inbox
		var tried, created, changed int64
		if err := rows.Scan(&in.ID, &in.Name, &in.Address, &in.Person, &in.Connection, &in.State, &in.Because, &in.Mend, &in.Sending, &in.SendingBecause, &tried, &in.BackfillDays, &in.RetentionDays,
			&created, &changed, &in.Version); err != nil {
			return nil, err
		}
		in.SendingAt, in.Created, in.Changed = tocsin.FromMillis(tried), tocsin.FromMillis(created), tocsin.FromMillis(changed)
		out = append(out, in)
	}
	return out, rows.Err()
}

func tellInbox(ctx context.Context, t *store.Tenant, inbox, actor, what string) error {
	return t.Append(ctx, store.Fact{Kind: "inbox.inbox", Subject: inbox, Actor: actor, Body: fmt.Appendf(nil, `{"what":%q}`, what)})
}
