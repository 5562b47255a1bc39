package api

import (
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// inboxReader is who reads shared inboxes: of their teams, or from outside, by a look that was asked for with a reason.
type inboxReader struct {
	Caller
	work.Reach
	tenant tocsin.TenantID
	read   []inboxRead // from outside, to be noted
}

type inboxRead struct {
	look                  work.Look
	what, thread, message string
}

var errNoReason = tocsin.Problemf(tocsin.Denied, "Say why you have to look: it is written down, and its team sees it (inboxes look).", "You are not of this inbox's team.")

// may says whether an inbox may be read; what is read from outside is noted when the answer is ready.
func (r *inboxReader) may(ctx context.Context, t *store.Tenant, box, what, thread, message string) error {
	if r.In(box) {
		return nil
	}
	if !r.Role(r.tenant).Includes(Analyst) {
		return notFound("inbox")
	}
	var one int
	if err := t.QueryRow(ctx, `select count(*) from inbox where tenant = $1 and id = $2`, box).Scan(&one); err != nil {
		return err
	}
	if one == 0 {
		return notFound("inbox")
	}
	l, err := work.Looking(ctx, t, box, r.Caller.Account)
	if err != nil {
		return err
	}
	if l.ID == "" {
		return errNoReason
	}
	r.read = append(r.read, inboxRead{l, what, thread, message})
	return nil
}

// thread is one that may be read.
func (r *inboxReader) thread(ctx context.Context, t *store.Tenant, id, what, message string) (*work.Thread, error) {
	v, err := work.Get(ctx, t, r.Reach, id)
	if err != nil {
		return nil, err
	}
	return v, hidden(r.may(ctx, t, v.Inbox, what, v.ID, message))
}

// hidden has a thread of another's inbox not be there.
func hidden(err error) error {
	if err != nil && tocsin.AsProblem(err).Code == tocsin.NotFound {
		return work.NoThread
	}
	return err
}

func newReader(ctx context.Context, t *store.Tenant, c Caller) (*inboxReader, error) {
	reach, err := work.ReachOf(ctx, t, c.Account)
	return &inboxReader{Caller: c, Reach: reach, tenant: t.ID()}, err
}

// inboxView runs a reading operation on inboxes. What is read from outside the team is noted before it is answered: what cannot be noted is
// not read.
func inboxView[O any](ctx context.Context, s *Service, name string, in any, do func(context.Context, *store.Tenant, *inboxReader) (O, error)) (O, error) {
	var r *inboxReader
	out, err := view(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (out O, err error) {
		if r, err = newReader(ctx, t, c); err != nil {
			return out, err
		}
		return do(ctx, t, r)
	})
	if err != nil || len(r.read) == 0 {
		return out, err
	}
	err = s.st.UpdateTenant(ctx, r.tenant, func(t *store.Tenant) error {
		for _, l := range r.read {
			if err := l.look.Read(ctx, t, l.what, l.thread, l.message); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		var none O
		return none, err
	}
	return out, nil
}

// inboxAct runs a changing operation of somebody on a thread of an inbox whose team they are of.
func inboxAct[O any](ctx context.Context, s *Service, name string, in any, do func(context.Context, *store.Tenant, *inboxReader) (O, error)) (O, error) {
	return act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (out O, err error) {
		r, err := newReader(ctx, t, c)
		if err != nil {
			return out, err
		}
		return do(ctx, t, r)
	})
}

var errOutside = tocsin.Problemf(tocsin.Denied, "Become one of its team: an administrator can add you.", "Only its team works in this inbox.")

// works says whether one works in the inbox of a thread.
func (r *inboxReader) works(ctx context.Context, t *store.Tenant, thread string) (*work.Thread, error) {
	v, err := work.Get(ctx, t, r.Reach, thread)
	if err != nil {
		return nil, err
	}
	if r.In(v.Inbox) {
		return v, nil
	}
	if r.Role(r.tenant).Includes(Analyst) {
		return nil, errOutside
	}
	return nil, work.NoThread
}

// workers are accounts by id.
type workers map[string]Worker

func (w workers) of(id string) *Worker {
	if id == "" {
		return nil
	}
	if one, ok := w[id]; ok {
		return &one
	}
	return &Worker{Account: id, Name: "somebody who is gone"}
}

func (w workers) name(id string) string {
	if o := w.of(id); o != nil {
		return firstOf(o.Name, o.Email)
	}
	return "nobody"
}

func workersOf(ctx context.Context, t *store.Tenant, ids ...string) (workers, error) {
	out := workers{}
	var args []any
	for _, id := range ids {
		if id != "" {
			args = append(args, id)
		}
	}
	if len(args) == 0 {
		return out, nil
	}
	return out, out.add(ctx, t, `select id, email, name from account where id in (`+store.In(len(args), 1)+`)`, args...)
}

func (w workers) add(ctx context.Context, t *store.Tenant, q string, args ...any) error {
	rows, err := t.Tx().Query(ctx, q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var o Worker
		if err := rows.Scan(&o.Account, &o.Email, &o.Name); err != nil {
			return err
		}
		w[o.Account] = o
	}
	return rows.Err()
}

// everyWorker are all who may work in inboxes of the tenant.
func everyWorker(ctx context.Context, t *store.Tenant) (workers, error) {
	out := workers{}
	return out, out.add(ctx, t, `select distinct a.id, a.email, a.name from account a join role_grant g on g.account = a.id
		where g.tenant in ($1, '*') and g.role in ('agent', 'analyst', 'admin', 'owner') and not a.disabled`, string(t.ID()))
}

// mentioned are the accounts of a team that a text names with @, and those given.
func mentioned(team []Worker, text string, given []string) []string {
	var out []string
	add := func(id string) {
		for _, h := range out {
			if h == id {
				return
			}
		}
		out = append(out, id)
	}
	for _, id := range given {
		add(id)
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;:()!?\"'<>", r) }) {
		word, is := strings.CutPrefix(strings.ToLower(word), "@")
		if word = strings.TrimRight(word, "."); !is || word == "" {
			continue
		}
		for _, w := range team {
			email := strings.ToLower(w.Email)
			local, _, _ := strings.Cut(email, "@")
			if word == email || word == local || word == strings.ToLower(strings.ReplaceAll(w.Name, " ", "")) {
				add(w.Account)
			}
		}
	}
	return out
}

// piece is a page of a list that is whole in memory: what people make by hand, tens of them.
func piece[T any](in Paging, name string, list []T, id func(T) string) (Page[T], error) {
	after, err := parseCursor(in.After, name, 1)
	if err != nil {
		return Page[T]{}, err
	}
	all := len(list)
	if !after.begins() {
		i := slices.IndexFunc(list, func(v T) bool { return id(v) == after.text(0) })
		if i < 0 { // it is gone meanwhile
			return Page[T]{}, badCursor
		}
		list = list[i+1:]
	}
	p := paged(list[:min(len(list), in.limit()+1)], in.limit(), func(v T) string { return cursor(name, id(v)) })
	if after.begins() {
		p.Total = all
	}
	return p, nil
}
