package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

const acme = tocsin.TenantID("11111111-2222-4333-8444-555555555555")

// bed is a store into which items are folded, with what the tests ask of it.
type bed struct {
	*testing.T
	st     *store.Store
	tenant tocsin.TenantID
	by     *Fold // one for all runs, as in a server: it recalls what it has read
}

// onBoth runs test on each engine, with an empty store in which the tenant is known and has the domain x.example.
func onBoth(t *testing.T, test func(b *bed)) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		b := &bed{T: t, st: st, tenant: acme}
		b.exec(`insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
		b.fold(b.item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "x.example", Default: true}}}))
		test(b)
	})
}

func (b *bed) item(kind string, person tocsin.PersonID, body any) journal.Item {
	b.Helper()
	raw, err := encode(body)
	if err != nil {
		b.Fatal(err)
	}
	return journal.Item{Tenant: b.tenant, Person: person, Kind: kind, At: tocsin.Millis(b.st.Clock().Now()), Body: raw}
}

// fold folds the items as one run, a millisecond after what was folded before.
func (b *bed) fold(items ...journal.Item) {
	b.Helper()
	b.st.Clock().Advance(time.Millisecond)
	if b.by == nil {
		b.by = &Fold{Log: slog.New(slog.DiscardHandler)}
	}
	if err := b.st.Update(b.Context(), func(tx *store.Tx) error { return b.by.Step(b.Context(), tx, items) }); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) exec(query string, args ...any) {
	b.Helper()
	if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		_, err := t.Exec(b.Context(), query, args...)
		return err
	}); err != nil {
		b.Fatal(err)
	}
}

// rows gives what a query gives, a line each, its columns joined by a blank.
func (b *bed) rows(query string, args ...any) []string {
	b.Helper()
	var out []string
	if err := b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
		out = nil
		rows, err := t.Query(b.Context(), query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				return err
			}
			var text []string
			for _, v := range values {
				s := fmt.Sprint(*v.(*any))
				switch s { // SQLite has no booleans of its own
				case "true":
					s = "1"
				case "false":
					s = "0"
				}
				text = append(text, s)
			}
			out = append(out, strings.Join(text, " "))
		}
		return rows.Err()
	}); err != nil {
		b.Fatal(err)
	}
	return out
}

// want fails unless the query gives these lines.
func (b *bed) want(what, query string, want ...string) {
	b.Helper()
	if got := b.rows(query); strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.Errorf("%s:\n got  %q\n want %q", what, got, want)
	}
}

// facts are those since the number after, as "kind subject" and, for first looks, their count.
func (b *bed) facts(after int64) (out []string, last int64) {
	b.Helper()
	list, err := b.st.TenantFacts(b.Context(), b.tenant, after, 1000)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range list {
		after = f.N
		line := f.Kind
		if f.Subject != "" {
			line += " " + f.Subject
		}
		var body struct{ Count int }
		if err := json.Unmarshal(f.Body, &body); err == nil && body.Count > 0 {
			line += fmt.Sprintf(" ×%d", body.Count)
		}
		out = append(out, line)
	}
	return out, after
}

// since gives the facts that do brings.
func (b *bed) since(do func()) []string {
	b.Helper()
	_, at := b.facts(0)
	do()
	out, _ := b.facts(at)
	return out
}

func (b *bed) same(what string, got []string, want ...string) {
	b.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.Errorf("%s:\n got  %q\n want %q", what, got, want)
	}
}

func yes() *bool { v := true; return &v }
func no() *bool  { v := false; return &v }

// amy is a person as the directory gives her.
func (b *bed) amy(name string) (tocsin.PersonID, personSeen) {
	id := tocsin.NewPersonID(b.tenant, "object-"+name)
	return id, personSeen{Object: "object-" + name, Name: strings.ToUpper(name[:1]) + name[1:], UPN: name + "@x.example", Mail: name + "@x.example", Kind: "member",
		Enabled: yes(), Licensed: yes(), Addresses: []string{"SMTP:" + name + "@x.example", "smtp:" + name + ".alias@x.example"}}
}

// settle folds a person with that name.
func (b *bed) settle(names ...string) (out []tocsin.PersonID) {
	b.Helper()
	var items []journal.Item
	for _, name := range names {
		id, p := b.amy(name)
		items = append(items, b.item(kindPerson, id, p))
		out = append(out, id)
	}
	b.fold(items...)
	return out
}

// forwards is a rule that sends mail to an address.
func forwards(id, name, to string) ruleSeen {
	return ruleSeen{MailRule: tocsin.MailRule{ID: id, Name: name, Enabled: true, Sequence: 1, Conditions: []tocsin.Term{{Name: "subject_contains", Values: []string{"invoice"}}},
		Forward: []tocsin.Address{{Address: to}}}, Raw: json.RawMessage(`{"id":"` + id + `"}`)}
}

// rules folds a look at a mailbox's rules.
func (b *bed) rules(person tocsin.PersonID, rules ...ruleSeen) {
	b.Helper()
	b.fold(b.item(kindRules, person, rulesSeen{Rules: rules}))
}

// findings are "rule subject status count", in order.
func (b *bed) findings() []string {
	b.Helper()
	return b.rows(`select rule, subject, status, count from finding where tenant = $1 order by rule, subject`)
}

// follow runs what follows the facts, Sweep and Judge, and folds what Judge puts into the journal, until nothing comes.
func (b *bed) follow(j *journal.Journal) {
	b.Helper()
	lane := store.Lane(b.tenant)
	if err := stream.Fold(b.Context(), b.st, "sweep", lane, Sweep); err != nil {
		b.Fatal(err)
	}
	if err := stream.Each(b.Context(), b.st, "judge", lane, Judge(b.st, j)); err != nil {
		b.Fatal(err)
	}
}

// reads runs the journal's reader until the test ends.
func (b *bed) reads(j *journal.Journal) *stream.Reader {
	r := &stream.Reader{Store: b.st, Journal: j, Name: ReaderName, Owner: tocsin.NewID(), Step: (&Fold{}).Step, MaxTime: time.Millisecond,
		Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Errorf("the reader ended with %v", err)
		}
	})
	return r
}

func (b *bed) journal() *journal.Journal {
	b.Helper()
	j, err := journal.Open(b.Context(), journal.Config{Dir: b.TempDir(), Patience: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(j.Close)
	return j
}

// eventually waits until check gives "", else what is still lacking.
func (b *bed) eventually(what string, check func() string) {
	b.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		lacking := check()
		if lacking == "" {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s: %s", what, lacking)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// folded waits until the reader has folded all that was appended.
func (b *bed) folded(r *stream.Reader) {
	b.Helper()
	b.eventually("the fold", func() string {
		if lag, err := r.Lag(b.Context()); err != nil || lag > 0 {
			return fmt.Sprintf("%d items are not folded (%v)", lag, err)
		}
		return ""
	})
}
