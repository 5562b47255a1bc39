package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// near is how far apart a mail and a thread may be that are joined by subject and people alone.
const near = 30 * 24 * time.Hour

// join finds the thread of a new mail, or "": by the ids in its headers; else, where it is an answer whose headers do not lead anywhere, by
// the conversation that Exchange made of it; else by subject and people. A first mail is joined by ids alone: Exchange takes mails of one
// subject for one conversation, and programs send many of the same. Threads that a mail shows to be one are made one.
func (p *pass) join(ctx context.Context, m *Message) (string, error) {
	parents, err := p.parents(ctx, m)
	if err != nil {
		return "", err
	}
	children, err := p.children(ctx, m)
	if err != nil {
		return "", err
	}
	all := append(parents, children...)
	for len(all) > 1 {
		if all[0], err = p.absorb(ctx, all[0], all[1]); err != nil {
			return "", err
		}
		all = slices.Delete(all, 1, 2)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	folded, answer := fold(m.Subject)
	answer = answer || m.InReplyTo != "" || len(m.References) > 0
	return p.alike(ctx, m, folded, answer)
}

// refers are the ids of the mails that a mail answers, the nearest first.
func (m *Message) refers() (out []string) {
	if m.InReplyTo != "" {
		out = append(out, m.InReplyTo)
	}
	for _, id := range slices.Backward(m.References) {
		if !slices.Contains(out, id) && id != m.InternetID {
			out = append(out, id)
		}
	}
	return out
}

// parents is the thread of the nearest mail that is answered and that is here, or that others of a thread answer too.
func (p *pass) parents(ctx context.Context, m *Message) ([]string, error) {
	folded, _ := fold(m.Subject)
	if m.InternetID != "" { // a copy of a mail that is here: sent to itself, say. Programs that give many mails one id are seen by the subject.
		var thread, subject string
		err := p.t.QueryRow(ctx, `select thread, subject from inbox_message where tenant = $1 and inbox = $2 and internet_id = $3 and id <> $4 order by at limit 1`, p.ID, m.InternetID, m.ID).Scan(&thread, &subject)
		if same, _ := fold(subject); err == nil && same == folded {
			return []string{thread}, nil
		}
		if err != nil && !errors.Is(err, store.ErrNone) {
			return nil, err
		}
	}
	refs := m.refers()
	if len(refs) == 0 {
		return nil, nil
	}
	args := []any{p.ID}
	for _, id := range refs {
		args = append(args, id)
	}
	in := store.In(len(refs), 3)
	by := map[string]string{}
	rows, err := p.t.Query(ctx, `select internet_id, thread from inbox_reference where tenant = $1 and inbox = $2 and internet_id in (`+in+`) order by thread desc`, args...)
	if err == nil {
		err = pairs(rows, by)
	}
	if err != nil {
		return nil, err
	}
	if rows, err = p.t.Query(ctx, `select internet_id, thread from inbox_message where tenant = $1 and inbox = $2 and internet_id in (`+in+`) order by at desc`, args...); err == nil {
		err = pairs(rows, by)
	}
	if err != nil {
		return nil, err
	}
	for _, id := range refs {
		if thread := by[id]; thread != "" {
			return []string{thread}, nil
		}
	}
	return nil, nil
}

// children are the threads of mails that answer this one, which came before it.
func (p *pass) children(ctx context.Context, m *Message) (out []string, err error) {
	if m.InternetID == "" {
		return nil, nil
	}
	return texts(ctx, p.t, `select thread from inbox_reference where tenant = $1 and inbox = $2 and internet_id = $3 order by thread limit 20`, p.ID, m.InternetID)
}

// alike finds a thread by conversation, or by subject, with somebody in both.
func (p *pass) alike(ctx context.Context, m *Message, folded string, answer bool) (string, error) {
	if folded == "" {
		return "", nil
	}
	found, err := p.candidates(ctx, `folded = $3 and last > $4 and merged = '' order by last desc limit 20`, folded, m.At.Add(-near))
	if err == nil && answer && m.Conversation != "" {
		var more []candidate
		more, err = p.candidates(ctx, `conversation = $3 and folded <> $4 and merged = '' order by last desc limit 20`, m.Conversation, folded)
		found = append(found, more...)
	}
	if err != nil {
		return "", err
	}
	at := tocsin.Millis(m.At)
	slices.SortStableFunc(found, func(a, b candidate) int { return b.same(m) - a.same(m) })
	for _, c := range found {
		// An answer joins what was before it; a first mail joins answers that nothing led from, which came before it into our tables.
		if !answer && !(c.bare && at <= c.first) || answer && c.first > at+near.Milliseconds() {
			continue
		}
		ok, err := p.shares(ctx, m, c.id)
		if err != nil || ok {
			return c.id, err
		}
	}
	return "", nil
}

func (p *pass) candidates(ctx context.Context, where string, args ...any) (out []candidate, err error) {
	rows, err := p.t.Query(ctx, `select id, conversation, first_in, last, bare from inbox_thread where tenant = $1 and inbox = $2 and `+where, append([]any{p.ID}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c candidate
		if err := rows.Scan(&c.id, &c.conversation, &c.first, &c.last, &c.bare); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// candidate is a thread that a mail may belong to. bare says that it begins with an answer.
type candidate struct {
	id, conversation string
	first, last      int64 // of its mails from outside, and of all
	bare             bool
}

// same is 1 where Exchange takes the mail for one of the thread's conversation.
func (c *candidate) same(m *Message) int {
	if m.Conversation != "" && c.conversation == m.Conversation {
		return 1
	}
	return 0
}

// shares says whether somebody who wrote or got the mail, other than the inbox itself, wrote or got one of the thread.
func (p *pass) shares(ctx context.Context, m *Message, thread string) (bool, error) {
	people := map[string]bool{}
	for _, a := range slices.Concat([]tocsin.Address{m.From}, m.To, m.Cc) {
		if a.Address != "" && !p.own[a.Address] {
			people[a.Address] = true
		}
	}
	rows, err := p.t.Query(ctx, `select from_address, to_list, cc_list from inbox_message where tenant = $1 and inbox = $2 and thread = $3 order by at desc limit 50`, p.ID, thread)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var from, to, cc string
		if err := rows.Scan(&from, &to, &cc); err != nil {
			return false, err
		}
		if people[from] {
			return true, nil
		}
		for _, list := range []string{to, cc} {
			var all []tocsin.Address
			if err := json.Unmarshal([]byte(list), &all); err != nil {
				return false, err
			}
			if slices.ContainsFunc(all, func(a tocsin.Address) bool { return people[a.Address] }) {
				return true, nil
			}
		}
	}
	return false, rows.Err()
}

// absorb makes two threads one, and gives it: unless people have worked in both, which only people can undo; then the first stays.
func (p *pass) absorb(ctx context.Context, a, b string) (string, error) {
	if a == b {
		return a, nil
	}
	first, err := p.stands(ctx, a)
	if err != nil {
		return a, err
	}
	second, err := p.stands(ctx, b)
	if err != nil {
		return a, err
	}
	into, from := first, second
	switch {
	case first.worked && second.worked:
		return a, nil
	case second.worked, !first.worked && second.n < first.n:
		into, from = second, first
	}
	for _, q := range []string{`update inbox_message set thread = $4 where tenant = $1 and inbox = $2 and thread = $3`,
		`update inbox_outgoing set thread = $4 where tenant = $1 and inbox = $2 and thread = $3`,
		`update inbox_entry set thread = $4 where tenant = $1 and inbox = $2 and thread = $3`,
		`insert into inbox_reference (tenant, inbox, internet_id, thread) select tenant, inbox, internet_id, $4 from inbox_reference where tenant = $1 and inbox = $2 and thread = $3 on conflict (tenant, inbox, internet_id, thread) do nothing`,
	} {
		if _, err := p.t.Exec(ctx, q, p.ID, from.id, into.id); err != nil {
			return a, err
		}
	}
	if _, err := p.t.Exec(ctx, `delete from inbox_reference where tenant = $1 and inbox = $2 and thread = $3`, p.ID, from.id); err != nil {
		return a, err
	}
	if _, err := p.t.Exec(ctx, `update inbox_thread set merged = $4, messages = 0, unread = 0, silent = $5, changed = $6, version = version + 1 where tenant = $1 and inbox = $2 and id = $3`, p.ID, from.id, into.id, true, p.now); err != nil {
		return a, err
	}
	delete(p.touched, from.id)
	p.touch(into.id, "merged")
	if p.e.Merged != nil {
		if err := p.e.Merged(ctx, p.t, p.ID, from.id, into.id); err != nil {
			return a, err
		}
	}
	return into.id, nil
}

// stance is what decides which of two threads stays.
type stance struct {
	id     string
	n      int64
	worked bool
}

func (p *pass) stands(ctx context.Context, id string) (s stance, err error) {
	var entries int
	var assignee, team string
	s.id = id
	if err = p.t.QueryRow(ctx, `select n, assignee, team from inbox_thread where tenant = $1 and inbox = $2 and id = $3`, p.ID, id).Scan(&s.n, &assignee, &team); err != nil {
		return s, err
	}
	err = p.t.QueryRow(ctx, `select count(*) from inbox_entry where tenant = $1 and inbox = $2 and thread = $3 and who <> ''`, p.ID, id).Scan(&entries)
	if err == nil && entries == 0 {
		err = p.t.QueryRow(ctx, `select count(*) from inbox_thread_tag where tenant = $1 and inbox = $2 and thread = $3`, p.ID, id).Scan(&entries)
	}
	s.worked = assignee != "" || team != "" || entries > 0
	return s, err
}
