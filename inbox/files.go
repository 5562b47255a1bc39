package inbox

import (
	"context"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// client is the client of an inbox's connection, and the inbox.
func (e *Engine) client(ctx context.Context, tenant tocsin.TenantID, inbox string) (*Inbox, *graph.Client, error) {
	var in *Inbox
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		in, err = Get(ctx, t, inbox)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if in.Connection == "" || in.State == Disconnected {
		return nil, nil, tocsin.Problemf(tocsin.Conflict, "Connect its address again under Settings → Email.", "This inbox is disconnected from its mailbox.")
	}
	gc, err := e.Client(ctx, tenant, in.Connection)
	return in, gc, err
}

// Fetch reads the bytes of a mail's file from its mailbox, for a person who opens it: up to MaxBody of the connection's client.
func (e *Engine) Fetch(ctx context.Context, tenant tocsin.TenantID, inbox, message, attachment string) (Attachment, []byte, error) {
	var m *Message
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		m, err = MessageOf(ctx, t, inbox, message)
		return err
	})
	if err != nil {
		return Attachment{}, nil, err
	}
	for _, a := range m.Attachments {
		if a.ID != attachment {
			continue
		}
		in, gc, err := e.client(ctx, tenant, inbox)
		if err != nil {
			return a, nil, err
		}
		raw, err := e.bytes(ctx, gc, in, m, a)
		return a, raw, err
	}
	return Attachment{}, nil, tocsin.Problemf(tocsin.NotFound, "Look at the list of its files.", "The mail has no such file.")
}

func (e *Engine) bytes(ctx context.Context, gc *graph.Client, in *Inbox, m *Message, a Attachment) (raw []byte, err error) {
	err = gc.Get(graph.WithPriority(ctx, graph.High), "attachments.get", graph.P{"user": in.Address, "message": m.ID, "attachment": a.ID}, &raw)
	if is[*graph.NotFound](err) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Ask who sent it for another copy.", "The file %s is no longer in the mailbox: its mail was deleted there.", a.Name)
	}
	if err != nil && !ours(err) {
		return nil, explain(err, in.Address)
	}
	return raw, err
}

// Whole reads a mail from its mailbox as MIME: up to MaxBody of the connection's client.
func (e *Engine) Whole(ctx context.Context, tenant tocsin.TenantID, inbox, message string) (raw []byte, err error) {
	in, gc, err := e.client(ctx, tenant, inbox)
	if err != nil {
		return nil, err
	}
	err = gc.Get(graph.WithPriority(ctx, graph.High), "messages.mime", graph.P{"user": in.Address, "message": message}, &raw)
	if is[*graph.NotFound](err) {
		return nil, tocsin.Problemf(tocsin.NotFound, "What was read of it is shown in its thread.", "The mail is no longer in the mailbox.")
	}
	if err != nil && !ours(err) {
		return nil, explain(err, in.Address)
	}
	return raw, err
}

// mostPictures are the pictures of a mail that are fetched to show it.
const mostPictures = 20

// Show is [BodyOf] with the pictures that are part of the mail, which are fetched from its mailbox. Where they cannot be, it is shown without. With
// remote, whoever shows it loads the pictures that lie elsewhere.
func (e *Engine) Show(ctx context.Context, tenant tocsin.TenantID, inbox, message string, remote bool) (Body, error) {
	var m *Message
	var said *stored
	err := e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if m, err = MessageOf(ctx, t, inbox, message); err == nil {
			said, err = openBody(ctx, t, e.Keeper, inbox, message)
		}
		return err
	})
	if err != nil {
		return Body{}, err
	}
	read, lower := said.read(), strings.ToLower(said.Content)
	var in *Inbox
	var gc *graph.Client
	n := 0
	for _, a := range m.Attachments {
		if a.ContentID == "" || a.Size > 2<<20 || n >= mostPictures || !strings.Contains(lower, "cid:"+strings.ToLower(a.ContentID)) {
			continue
		}
		if gc == nil {
			if in, gc, err = e.client(ctx, tenant, inbox); err != nil {
				break
			}
		}
		raw, err := e.bytes(ctx, gc, in, m, a)
		if err != nil {
			break
		}
		n++
		read.Picture(a.ContentID, raw)
	}
	return bodyOf(read, remote), ctx.Err()
}
