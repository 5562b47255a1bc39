package collect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// TestHanded: what the fold hands over of a run is what is read of it from the tables, and what is not new in them is not handed over.
func TestHanded(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob")
		h := &Handed{}
		f := &Fold{Log: slog.New(slog.DiscardHandler), Handed: h}
		now := tocsin.Millis(b.st.Clock().Now())
		step := func(items ...journal.Item) (a Arrivals) {
			b.Helper()
			_, after := b.facts(0)
			if err := b.st.Update(b.Context(), func(tx *store.Tx) error { return f.Step(b.Context(), tx, items) }); err != nil {
				b.Fatal(err)
			}
			list, err := b.st.TenantFacts(b.Context(), b.tenant, after, 10)
			if err != nil {
				b.Fatal(err)
			}
			for _, it := range list {
				if it.Kind != "mail.changed" {
					continue
				}
				if err := json.Unmarshal(it.Body, &a); err != nil {
					b.Fatal(err)
				}
			}
			return a
		}
		read := func(run int64) (mails []heldMail) {
			b.Helper()
			if err := b.st.ViewTenant(b.Context(), b.tenant, func(t *store.Tenant) error {
				rows, err := mailRows(b.Context(), t, `select `+mailRowColumns+` from event where tenant = $1 and run = $2 and action in ('email_sent', 'email_received')`, run)
				if err == nil {
					mails, err = mailsOf(b.Context(), t, rows)
				}
				return err
			}); err != nil {
				b.Fatal(err)
			}
			return mails
		}
		same := func(what string, got, want []heldMail) {
			b.Helper()
			for _, list := range [][]heldMail{got, want} {
				slices.SortFunc(list, func(x, y heldMail) int { return cmp.Compare(x.Event, y.Event) })
			}
			if len(want) == 0 || !reflect.DeepEqual(got, want) {
				b.Errorf("%s:\n handed over %+v\n read        %+v", what, got, want)
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		some := func(of ...string) (out []tocsin.Address) {
			for range r.IntN(4) {
				out = append(out, tocsin.Address{Name: "Some Body", Address: of[r.IntN(len(of))]})
			}
			return out
		}
		look := func(n int) mailLook {
			m := &mailSeen{ID: fmt.Sprint("m", n), Folder: "I", Flag: "notFlagged", Created: now + int64(n), Received: now + int64(n), Sent: now + int64(n), Modified: now + int64(n)}
			m.From.Address = []string{"", "Eve@evil.example", "amy@x.example", "bob.alias@x.example", "eve"}[r.IntN(5)]
			m.To, m.Cc, m.Bcc = some("Amy@x.example", "eve@evil.example", "dan@other.example"), some("EVE@evil.example"), some("bob@x.example", "")
			m.Attachments = []*bool{nil, yes(), no()}[r.IntN(3)]
			return mailLook{ID: m.ID, Change: "created", At: now + int64(n), Message: m}
		}
		var first []journal.Item
		for n := range 300 {
			it := b.item(kindMail, people[n%2], mailLooks{Looks: []mailLook{look(n)}})
			if first = append(first, it); n%7 == 0 {
				first = append(first, it) // told twice
			}
		}
		is := step(first...)
		mails, ok := h.take(b.tenant, is.Run)
		if !ok || len(mails) < 100 {
			b.Fatalf("%d mails were handed over (%v), of %+v", len(mails), ok, is)
		}
		same("a run", mails, read(is.Run))
		if _, again := h.take(b.tenant, is.Run); again {
			b.Error("a run is handed over twice")
		}

		b.exec(`delete from mail where tenant = $1`) // so that half of what comes is in the tables from before
		var second []journal.Item
		for n := 200; n < 400; n++ {
			second = append(second, b.item(kindMail, people[n%2], mailLooks{Looks: []mailLook{look(n)}}))
		}
		is = step(append(second, first...)...)
		if mails, ok := h.take(b.tenant, is.Run); ok {
			b.Errorf("%d mails are handed over of which some were told of before", len(mails))
		}
		if h.size != 0 {
			b.Errorf("%d mails are left", h.size)
		}
	})
}

// TestHandedIsBounded: what nobody takes goes, and what there is too much of is not kept.
func TestHandedIsBounded(t *testing.T) {
	var h Handed
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	run := func(after time.Duration) int64 { return tocsin.Millis(at.Add(after)) << 16 }
	put := func(after time.Duration, n int) { h.put("t", run(after), at.Add(after), make([]heldMail, n)) }
	put(0, handedMost-10)
	put(time.Second, 11)
	put(2*time.Second, 10)
	if _, ok := h.take("t", run(time.Second)); ok {
		t.Error("more is kept than there is room for")
	}
	if mails, ok := h.take("t", run(0)); !ok || len(mails) != handedMost-10 {
		t.Errorf("of the first run there are %d mails", len(mails))
	}
	put(3*time.Second, 5)
	put(2*time.Second+handedFor, 1) // the first at which those of the second 2 are old is later
	put(4*time.Second+handedFor, 1)
	if _, ok := h.take("t", run(2*time.Second)); ok || h.size != 2 || len(h.order) != 2 {
		t.Errorf("%d mails of %d runs are left, %v", h.size, len(h.order), ok)
	}
	var none *Handed
	none.put("t", 1, at, make([]heldMail, 1))
	if _, ok := none.take("t", 1); ok {
		t.Error("nobody hands anything over")
	}
}

// TestPortion: of what was handed over more is learned from at once than of what is read from the tables, and many recipients count too.
func TestPortion(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var facts []store.Fact
	run := func(n int) int64 { return tocsin.Millis(at)<<16 + int64(n) }
	for n := range 10 {
		raw, err := json.Marshal(Arrivals{Run: run(n), Actions: map[string]int{"email_received": 10_000}})
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, store.Fact{N: int64(n), Kind: "mail.changed", Body: raw}, store.Fact{N: int64(n), Kind: "rule.created"})
	}
	l := NewLearner(nil, "t", nil)
	if got := l.portion(facts); len(got) != 3 {
		t.Errorf("of the tables: %d facts", len(got))
	}
	for _, c := range []struct{ mails, to, want int }{{10_000, 1, 11}, {2_000, 9, 11}, {2_000, 1, 20}} {
		l.handed = &Handed{}
		for n := range 10 {
			mails := make([]heldMail, c.mails)
			for i := range mails {
				mails[i].To = make([]string, c.to)
			}
			l.handed.put("t", run(n), at, mails)
		}
		if got := l.portion(facts); len(got) != c.want {
			t.Errorf("of %d mails to %d: %d facts; want %d", c.mails, c.to, len(got), c.want)
		}
	}
}
