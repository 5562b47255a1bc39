package work

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

func keeperOf(tb testing.TB) *secret.Keeper {
	tb.Helper()
	k, err := secret.Open(context.Background(), secret.Source{Value: strings.Repeat("ab", 32)})
	must(tb, err)
	return k
}

// mailed puts n mails into a thread each, with what the text makes of their number.
func (b *bed) mailed(k *secret.Keeper, from, n int, text func(int) string) {
	b.Helper()
	b.update(func(ctx context.Context, t *store.Tenant) error {
		if from == 0 {
			sealed, err := inbox.NewKey(k, tenant, "one")
			if err != nil {
				return err
			}
			if _, err := t.Exec(ctx, `update inbox set sealed = $3 where tenant = $1 and id = $2`, "one", sealed); err != nil {
				return err
			}
		}
		key, err := inbox.OpenKey(ctx, t, k, "one")
		if err != nil {
			return err
		}
		var rows [][]any
		for i := from; i < from+n; i++ {
			raw, err := json.Marshal(map[string]string{"type": "text", "content": text(i)})
			if err != nil {
				return err
			}
			id := fmt.Sprintf("m%06d", i)
			rows = append(rows, []any{"one", id, fmt.Sprintf("one-%06d", i), "f", "in", fmt.Sprintf("Invoice %d", i), fmt.Sprintf("jo%d@big.example", i%7), "Jörg Müller", `[{"address":"one@acme.example"}]`, 1_000_000 + i*1000, 1, key.Seal(raw, string(tenant)+"|inbox|one|message|"+id)})
		}
		return t.Insert(ctx, store.Into{Table: "inbox_message", Columns: []string{"inbox", "id", "thread", "folder", "direction", "subject", "from_address", "from_name", "to_list", "at", "seen", "body"}}, rows)
	})
}

func (b *bed) gather(k *secret.Keeper) (n int) {
	b.Helper()
	for more := true; more; {
		b.update(func(ctx context.Context, t *store.Tenant) (err error) {
			more, err = Index(ctx, t, k, "one")
			return err
		})
		if more {
			n++
		}
	}
	return n
}

func (b *bed) search(k *secret.Keeper, q string, limit int) (ids []string) {
	b.Helper()
	a, err := ParseSearch(q)
	must(b, err)
	b.view(func(ctx context.Context, t *store.Tenant) error {
		last := int64(0)
		for {
			f, err := Search(ctx, t, k, []string{"one"}, a, last, limit)
			if err != nil {
				return err
			}
			for _, h := range f.Hits {
				ids = append(ids, h.Message)
			}
			if last = f.Last; f.ID == "" {
				return nil
			}
		}
	})
	return ids
}

// TestSearch: what is found is what reading every mail finds, the newest first, in segments and before them, whatever the size of a piece; what stands in the
// tables cannot be read, and what is gone is not found.
func TestSearch(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		k := keeperOf(t)
		text := func(i int) string {
			s := "Payment is due in net 30 days."
			if i%50 == 0 {
				s += " Überweisung an Straße 5, REF" + fmt.Sprint(i)
			}
			if i%100 == 7 {
				s += " We changed our bank details."
			}
			return s
		}
		b.mailed(k, 0, 600, text)
		if n := b.gather(k); n != 2 {
			t.Errorf("%d segments of 600 mails", n)
		}
		b.mailed(k, 600, 20, text)
		every := func(keep func(int) bool) (out []string) {
			for i := 619; i >= 0; i-- {
				if keep(i) {
					out = append(out, fmt.Sprintf("m%06d", i))
				}
			}
			return out
		}
		for q, keep := range map[string]func(int) bool{
			"uberweisung":               func(i int) bool { return i%50 == 0 },
			"ÜBERW* strasse":            func(i int) bool { return false }, // ß is not ss here
			"überw* straße":             func(i int) bool { return i%50 == 0 },
			`"bank details"`:            func(i int) bool { return i%100 == 7 },
			`"details bank"`:            func(i int) bool { return false },
			`"changed our ban*"`:        func(i int) bool { return i%100 == 7 },
			"ref350":                    func(i int) bool { return i == 350 },
			"payment -bank subject:607": func(i int) bool { return false },
			"payment subject:606":       func(i int) bool { return i == 606 },
			"from:jo3 bank":             func(i int) bool { return i%7 == 3 && i%100 == 7 },
			"to:acme from:muller ref*":  func(i int) bool { return i%50 == 0 },
			"net -überweisung -details": func(i int) bool { return i%50 != 0 && i%100 != 7 },
			"nothing":                   func(i int) bool { return false },
		} {
			want := every(keep)
			for _, limit := range []int{3, 200} {
				if got := b.search(k, q, limit); !slices.Equal(got, want) {
					t.Errorf("%s in pieces of %d: %d found, want %d: %v", q, limit, len(got), len(want), got[:min(3, len(got))])
				}
			}
		}
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			_, err := tn.Exec(ctx, `update inbox_message set gone = 1 where tenant = $1 and id = 'm000350'`)
			return err
		})
		if got := b.search(k, "ref350", 10); len(got) != 0 {
			t.Errorf("what is gone is found: %v", got)
		}
		for _, bad := range []string{"", "  ", "-x", "a*", strings.Repeat("word ", 30)} {
			if _, err := ParseSearch(bad); tocsin.AsProblem(err).Code != tocsin.Invalid {
				t.Errorf("%q is searched for", bad)
			}
		}
	})
}

// FuzzShard: whatever stands in a shard, looking in it ends, with what was packed or an error.
func FuzzShard(f *testing.F) {
	parts := pack([][]uint32{keys("s", words("one two three")), keys("s", words("two four"))})
	for _, p := range parts {
		f.Add(p, uint32(7))
	}
	f.Fuzz(func(t *testing.T, raw []byte, k uint32) {
		if _, err := look(raw, []uint32{k / 2, k}); err != nil && err != errTorn {
			t.Fatal(err)
		}
	})
}

// BenchmarkSearch is a page of what is found in 100,000 mails.
func BenchmarkSearch(bm *testing.B) {
	b := benchBed(bm, 1000)
	k := keeperOf(bm)
	b.update(func(ctx context.Context, t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into inbox (tenant, id, name, address, state, sealed, created, changed) values ($1, 'one', 'One', 'one@acme.example', 'connected', '', 1, 1)`)
		return err
	})
	const n = 100_000
	for from := 0; from < n; from += 1000 {
		b.mailed(k, from, 1000, func(i int) string {
			return fmt.Sprintf("Dear team, payment %d of project %d is due. %s rare%d", i, i%997, strings.Repeat(fmt.Sprintf("word%d ", i%5003), 40), i/50_000)
		})
	}
	b.gather(k)
	for _, q := range []string{"payment", "word77", "payment 5012 project", "rare1 wor*", "nothing"} {
		bm.Run(q, func(bm *testing.B) {
			a, err := ParseSearch(q)
			must(bm, err)
			for bm.Loop() {
				b.view(func(ctx context.Context, t *store.Tenant) error {
					_, err := Search(ctx, t, k, []string{"one"}, a, 0, 50)
					return err
				})
			}
		})
	}
}
