package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

// heldMail is a mail, or a rule that was made, as the learner takes it in and keeps it while its day is open.
type heldMail struct {
	At     int64           `json:"a"`
	Event  string          `json:"i"`
	Person tocsin.PersonID `json:"-"` // whose mailbox
	From   string          `json:"f"` // the address under which the person is learned, or an address
	To     []string        `json:"t,omitempty"`
	Files  int32           `json:"n,omitempty"`
	Rule   *madeRule       `json:"r,omitempty"`
	Sent   bool            `json:"-"` // it was, from the mailbox; else received there
}

// madeRule is what a mailbox rule that was made or changed does.
type madeRule struct {
	Outside bool `json:"o,omitempty"`
	Deletes bool `json:"d,omitempty"`
	Hides   bool `json:"h,omitempty"`
}

// mailRow is an event of mail as it is read from the tables.
type mailRow struct {
	id, action, body string
	at               int64
	person           tocsin.PersonID
}

func (r *mailRow) fields() []any { return []any{&r.id, &r.at, &r.action, &r.person, &r.body} }

// mail is what was sent or received, as far as it is known by who wrote it.
func (r *mailRow) mail(from string, attached *bool) heldMail {
	return heldMail{At: r.at, Event: r.id, Person: r.person, From: from, Files: files(attached), Sent: r.action == "email_sent"}
}

// mailOf is what was sent or received as it is learned from; without an event where nobody wrote it.
func (r *mailRow) mailOf(m *mailSeen) heldMail {
	h := r.mail(m.From.Canonical(), m.Attachments)
	if !h.Sent {
		if h.From == "" {
			return heldMail{}
		}
		return h
	}
	for _, list := range [][]tocsin.Address{m.To, m.Cc, m.Bcc} {
		for _, a := range list {
			if c := a.Canonical(); c != "" && !slices.Contains(h.To, c) {
				h.To = append(h.To, c)
			}
		}
	}
	return h
}

const mailRowColumns = `id, at, action, person, body`

// mailsOf reads the messages that events of mail are about, and makes mails of them as they were written: none where the message is
// not kept any more. Who wrote one that was received lately its event tells.
func mailsOf(ctx context.Context, t *store.Tenant, rows []mailRow) ([]heldMail, error) {
	type key struct{ person, key string }
	at := map[key][]int{}
	var pairs []any
	out := make([]heldMail, len(rows)) // those with an event
	kept := messagesKept(t)
	for i := range rows {
		is := tocsin.EventRow{Body: rows[i].body}
		if rows[i].action == "email_received" && rows[i].at > kept {
			if from, attached, ok := is.From(); ok {
				if from != "" {
					out[i] = rows[i].mail(from, attached)
				}
				continue
			}
		}
		k := key{string(rows[i].person), mailKey(is.Native())}
		if at[k] == nil {
			pairs = append(pairs, k.person, k.key)
		}
		at[k] = append(at[k], i)
	}
	bodies := make([]string, len(rows))
	for part := range store.Batches(pairs, 2) {
		err := each(ctx, t, func(scan func(...any) error) error {
			var k key
			var body string
			err := scan(&k.person, &k.key, &body)
			for _, i := range at[k] {
				bodies[i] = body
			}
			return err
		}, `select person, key, body from mail where tenant = $1 and (person, key) in (values `+store.Pairs(len(part)/2, 2)+`)`, part...)
		if err != nil {
			return nil, err
		}
	}
	for i := range rows {
		if bodies[i] == "" {
			continue
		}
		var m mailSeen
		if err := json.Unmarshal([]byte(bodies[i]), &m); err != nil {
			return nil, fmt.Errorf("a message of %s: %w", rows[i].person, err)
		}
		out[i] = rows[i].mailOf(&m)
	}
	return slices.DeleteFunc(out, func(h heldMail) bool { return h.Event == "" }), nil
}

// files is how many files are attached, as far as it is known: Graph says only whether there are any.
func files(attached *bool) int32 {
	switch {
	case attached == nil:
		return learn.Unknown
	case *attached:
		return 1
	}
	return 0
}

// Exchanged is a mail between a mailbox and others.
type Exchanged struct {
	At   time.Time
	Sent bool     // from the mailbox; else to it
	With []string // whom it was sent to, or who sent it: somebody of the directory by their first address
}

// exchangedMost is how many events of a mailbox are looked at for what it exchanged with whom.
const exchangedMost = 20_000

// MailOf is what a mailbox exchanged with others in a window of time, the newest first; cut says that there is more.
func MailOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID, since, until time.Time) (out []Exchanged, cut bool, err error) {
	rows, err := mailRows(ctx, t, `select `+mailRowColumns+` from event where tenant = $1 and person = $2 and at >= $3 and at < $4 and action in ('email_sent', 'email_received') order by at desc limit $5`,
		string(person), since, until, exchangedMost+1)
	if err != nil {
		return nil, false, err
	}
	if cut = len(rows) > exchangedMost; cut {
		rows = rows[:exchangedMost]
	}
	mails, err := mailsOf(ctx, t, rows)
	if err != nil {
		return nil, false, err
	}
	seen := map[string]string{}
	for _, m := range mails {
		seen[m.From] = ""
		for _, a := range m.To {
			seen[a] = ""
		}
	}
	r := &run{t: t}
	if err := r.some(ctx, sortedKeys(seen), func(scan func(...any) error) error {
		var address, is string
		err := scan(&address, &is)
		seen[address] = tocsin.CanonicalAddress(is)
		return err
	}, func(in string) string {
		return `select a.address, case when p.mail <> '' then p.mail else p.upn end from person_address a join person p on p.tenant = a.tenant and p.person = a.person
			where a.tenant = $1 and a.address in (` + in + `)`
	}); err != nil {
		return nil, false, err
	}
	named := func(a string) string {
		if is := seen[a]; is != "" {
			return is
		}
		return a
	}
	for _, m := range mails {
		x := Exchanged{At: tocsin.FromMillis(m.At), Sent: m.Sent}
		if x.Sent {
			for _, a := range m.To {
				x.With = append(x.With, named(a))
			}
		} else {
			x.With = []string{named(m.From)}
		}
		out = append(out, x)
	}
	return out, cut, nil
}

func mailRows(ctx context.Context, t *store.Tenant, q string, args ...any) (rows []mailRow, err error) {
	err = each(ctx, t, func(scan func(...any) error) error {
		var r mailRow
		err := scan(r.fields()...)
		rows = append(rows, r)
		return err
	}, q, args...)
	return rows, err
}
