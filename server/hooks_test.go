package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// TestReadWithin: at an address that has no bound of its own, a body that does not come to an end holds nobody, and what comes
// after a quick one over the same connection is read as ever.
func TestReadWithin(t *testing.T) {
	t.Parallel()
	read := make(chan error, 3)
	s := httptest.NewServer(readWithin(300*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})))
	defer s.Close()
	for range 2 {
		res, err := s.Client().Post(s.URL, "application/json", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if err := <-read; err != nil {
			t.Errorf("a quick one: %v", err)
		}
	}
	body, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.WriteString(w, `{"value":[`) }()
	go func() {
		if res, err := s.Client().Post(s.URL, "application/json", body); err == nil {
			res.Body.Close()
		}
	}()
	select {
	case err := <-read:
		if err == nil {
			t.Error("it was read to its end, which it does not have")
		}
	case <-time.After(90 * time.Second):
		t.Fatal("a body without an end is waited for")
	}
}

// TestHeartbeat: a gap opens for what could not be stored, from when it last could; what the journal took while the tables
// were away is none.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := world(t, 3)
	conf := settings(t)
	conf.Hooks.URL = "http://127.0.0.1:1" // told of mail there, the stream is on
	s, err := New(t.Context(), conf, Options{HTTP: w.Client(), Clock: &tocsin.Clock{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	tenant := join(t, s, w).Tenant
	amy := tocsin.NewPersonID(tenant, "amy")
	err = s.Store.UpdateTenant(t.Context(), tenant, func(tx *store.Tenant) error {
		if _, err := tx.Exec(t.Context(), `insert into person (tenant, person, object_id, name, upn, mail, kind, seen, changed) values ($1, $2, 'amy', 'Amy', 'amy@x.example', 'amy@x.example', 'member', 1, 1)`, string(amy)); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `insert into mail_ledger (tenant, person, since) values ($1, $2, 1)`, string(amy))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	beat := func() {
		t.Helper()
		if err := s.beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	hours := func(n int, each func()) {
		for range 2 * n {
			s.Clock.Advance(30 * time.Minute)
			each()
		}
	}
	gaps := func() (out []string) {
		t.Helper()
		err := s.Store.ViewTenant(t.Context(), tenant, func(tx *store.Tenant) error {
			out = nil
			rows, err := tx.Query(t.Context(), `select because, ended - began from mail_gap where tenant = $1 order by began`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var because string
				var took int64
				if err := rows.Scan(&because, &took); err != nil {
					return err
				}
				because, _, _ = strings.Cut(because, " for so long")
				out = append(out, fmt.Sprintf("%s, %d hours", because, took/3600_000))
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	ctx := api.WithCaller(t.Context(), api.Caller{Email: "owner@tocsin.example", By: "session", Grants: []api.Grant{{Tenant: "*", Role: api.Owner}}})
	const tried = 4 // hours before, which Graph may have tried for

	beat()
	hours(5, func() { s.listens(t.Context()) }) // the tables are away, and the journal takes all
	beat()
	if got := gaps(); got != nil {
		t.Errorf("nothing was lost, and there are %q", got)
	}

	deaf := func() string {
		t.Helper()
		is, err := s.API.GetStream(ctx, api.In{Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(is.Because, "Notifications cannot be stored since") {
			return ""
		}
		return is.State
	}
	if got := deaf(); got != "" {
		t.Errorf("notifications can be stored, and the stream is %s", got)
	}
	s.Journal.Close()
	beat()
	if got := deaf(); got != "incomplete" {
		t.Errorf("notifications cannot be stored, and the stream is %q because of it", got)
	}
	hours(1, beat)
	if got := gaps(); got != nil {
		t.Errorf("Graph sends again what was not taken, and there are %q", got)
	}
	hours(4, beat)
	if got := gaps(); len(got) != 1 || !strings.HasPrefix(got[0], "Notifications could not be stored, ") {
		t.Errorf("it lasts for five hours, and there are %q", got)
	}
	journalOf := s.Journal
	if s.Journal, err = journal.Open(t.Context(), conf.journal(s.log)); err != nil {
		s.Journal = journalOf
		t.Fatal(err)
	}
	beat()
	if got := deaf(); got != "" {
		t.Errorf("notifications can be stored again, and the stream is %s", got)
	}
	stored := fmt.Sprintf("Notifications could not be stored, %d hours", 5+tried)
	if got := gaps(); !slices.Equal(got, []string{stored}) {
		t.Errorf("the journal was away for five hours, and there are %q", got)
	}

	s.Clock.Advance(10 * time.Hour) // and nobody listened
	beat()
	if got := gaps(); !slices.Equal(got, []string{stored, fmt.Sprintf("Tocsin could not be reached, %d hours", 10+tried)}) {
		t.Errorf("nobody was there for ten hours, and there are %q", got)
	}
	beat()
	if got := gaps(); len(got) != 2 {
		t.Errorf("they are told twice: %q", got)
	}
}

// TestEar: what lies between two times at which notifications could be stored is lacking where it is long.
func TestEar(t *testing.T) {
	var e ear
	at := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, h := range []int{0, 1, 2, 7, 8, 20} {
		e.heard(at.Add(time.Duration(h) * time.Hour))
	}
	is := func(from, to int, want ...int) {
		t.Helper()
		var got []int
		for _, l := range e.lacks(at.Add(time.Duration(from)*time.Hour), at.Add(time.Duration(to)*time.Hour)) {
			got = append(got, int(l.from.Sub(at).Hours()), int(l.to.Sub(at).Hours()))
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %d to %d there are %v, want %v", from, to, got, want)
		}
	}
	is(0, 20, 2, 7, 8, 20)
	is(-5, 2, -5, 0)
	is(4, 20, 4, 7, 8, 20)
	is(6, 21, 8, 20)
	is(19, 30, 20, 30)
	is(1, 2)
}
