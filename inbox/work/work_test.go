package work

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/store"
)

// TestLists: pages put together are the whole, in order, whatever the filter; an inbox of others is in none.
func TestLists(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		for _, box := range []string{"one", "two", "three"} {
			b.fill(box, 90)
		}
		ann := b.reach("ann")
		if !reflect.DeepEqual(ann.List(), []string{"one", "two"}) || !b.reach("cat").In("three") || b.reach("cat").In("one") {
			t.Fatalf("%v", ann)
		}
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			tag, err := SaveTag(ctx, tn, Tag{Name: "vip"})
			if err != nil {
				return err
			}
			_, err = tn.Exec(ctx, `insert into inbox_thread_tag (tenant, inbox, thread, tag, added) select tenant, inbox, id, 'vip', 1 from inbox_thread where tenant = $1 and n % 5 = 0`)
			_ = tag
			return err
		})
		for _, id := range []string{"one-000003", "two-000080"} {
			b.update(func(ctx context.Context, tn *store.Tenant) error {
				_, _, err := Note(ctx, tn, b.reachIn(ctx, tn, "bob"), id, "@ann look", []string{"ann"})
				return err
			})
		}
		all := []string{"one", "two"}
		for name, c := range map[string]struct {
			f    Filter
			want int
			keep func(*Thread) bool
		}{
			"all":         {Filter{}, 180, func(*Thread) bool { return true }},
			"open":        {Filter{States: []string{inbox.Open}}, 10, func(v *Thread) bool { return v.State == inbox.Open }},
			"two states":  {Filter{States: []string{inbox.Open, inbox.Waiting}}, 20, func(v *Thread) bool { return v.State != inbox.Resolved }},
			"bob's":       {Filter{Assignee: "bob"}, 18, func(v *Thread) bool { return v.Assignee == "bob" }},
			"bob's open":  {Filter{Assignee: "bob", States: []string{inbox.Open}}, 10, func(v *Thread) bool { return v.Assignee == "bob" && v.State == inbox.Open }},
			"nobody's":    {Filter{Assignee: None, States: []string{inbox.Waiting}}, 10, func(v *Thread) bool { return v.Assignee == "" }},
			"tagged":      {Filter{Tag: "vip", States: []string{inbox.Resolved}}, 36, func(v *Thread) bool { return slices.Contains(v.Tags, "vip") }},
			"mentioned":   {Filter{Mentioned: true}, 2, func(v *Thread) bool { return v.ID == "one-000003" || v.ID == "two-000080" }},
			"of somebody": {Filter{From: "FROM7@out.example"}, 2, func(v *Thread) bool { return v.From == "from7@out.example" }},
			"since":       {Filter{Since: 1_080_000, Until: 1_085_000}, 10, func(v *Thread) bool { return v.Last.UnixMilli() >= 1_080_000 && v.Last.UnixMilli() < 1_085_000 }},
			"unread":      {Filter{Unread: true, States: []string{inbox.Open}}, 10, func(v *Thread) bool { return v.Unread }},
		} {
			c.f.Inboxes, c.f.Limit = all, 7
			got, counted := 0, 0
			seen := map[string]bool{}
			b.view(func(ctx context.Context, tn *store.Tenant) error {
				last := int64(1 << 60)
				for range 100 {
					list, err := List(ctx, tn, ann, c.f)
					if err != nil {
						return err
					}
					for _, v := range list {
						if at := tocsin.Millis(v.Last); at > last || seen[v.ID] || !c.keep(v) || v.Inbox == "three" {
							t.Errorf("%s: %+v after %d", name, v, last)
						}
						last, seen[v.ID] = tocsin.Millis(v.Last), true
						got++
					}
					if len(list) < c.f.Limit {
						break
					}
					end := list[len(list)-1]
					c.f.Last, c.f.ID = tocsin.Millis(end.Last), end.ID
				}
				var err error
				counted, err = Count(ctx, tn, ann, c.f, 1000)
				return err
			})
			if got != c.want || counted != c.want {
				t.Errorf("%s: %d threads, counted %d, want %d", name, got, counted, c.want)
			}
		}
	})
}

func (b *bed) reachIn(ctx context.Context, t *store.Tenant, account string) Reach {
	b.Helper()
	r, err := ReachOf(ctx, t, account)
	must(b, err)
	return r
}

// TestWork: what is done with a thread is so, is written down once, and tells; what cannot be is refused and leaves nothing.
func TestWork(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.fill("one", 3)
		const id = "one-000000"
		text := func(s string) *string { return &s }
		bad := func(c Change, what tocsin.Code) {
			t.Helper()
			before := b.thread("ann", id)
			if _, err := b.apply("ann", id, c); tocsin.AsProblem(err).Code != what {
				t.Errorf("%+v: %v", c, err)
			}
			if after := b.thread("ann", id); !reflect.DeepEqual(before, after) {
				t.Errorf("refused, and still: %+v, was %+v", after, before)
			}
		}
		bad(Change{Assignee: text("cat")}, tocsin.Invalid) // who does not work here
		bad(Change{Assignee: text("ann"), Team: text("none")}, tocsin.NotFound)
		bad(Change{State: text("lost")}, tocsin.Invalid)
		bad(Change{State: text(inbox.Snoozed), Until: b.now().Add(-time.Hour)}, tocsin.Invalid)
		bad(Change{Assignee: text("ann"), Version: 7}, tocsin.Conflict)
		bad(Change{Add: []string{"unknown"}}, tocsin.NotFound)
		var tag Tag
		b.update(func(ctx context.Context, tn *store.Tenant) (err error) {
			tag, err = SaveTag(ctx, tn, Tag{Name: "VIP", Colour: "red"})
			return err
		})
		err := b.st.UpdateTenant(t.Context(), tenant, func(tn *store.Tenant) error {
			_, err := SaveTag(t.Context(), tn, Tag{Name: "vip"})
			return err
		})
		if tocsin.AsProblem(err).Code != tocsin.Conflict {
			t.Errorf("two tags of one name: %v", err)
		}
		until := b.now().Add(time.Hour).Truncate(time.Millisecond)
		urgent := Urgent
		v, err := b.apply("ann", id, Change{Assignee: text("ann"), Team: text("team"), State: text(inbox.Snoozed), Until: until, Priority: &urgent, Add: []string{tag.ID}})
		must(t, err)
		if v.Assignee != "ann" || v.Team != "team" || v.State != inbox.Snoozed || !v.Snoozed.Equal(until) || v.Priority != Urgent || !slices.Equal(v.Tags, []string{tag.ID}) {
			t.Errorf("%+v", v)
		}
		if again := b.thread("ann", id); !reflect.DeepEqual(v.Tags, again.Tags) || again.State != inbox.Snoozed || again.Version != v.Version {
			t.Errorf("%+v, was answered as %+v", again, v)
		}
		_, err = b.apply("ann", id, Change{Assignee: text("ann"), Add: []string{tag.ID}}) // nothing
		must(t, err)
		v, err = b.apply("bob", id, Change{State: text(inbox.Resolved), Remove: []string{tag.ID}})
		must(t, err)
		if v.Resolved.IsZero() || !v.Snoozed.IsZero() || len(v.Tags) != 0 {
			t.Errorf("%+v", v)
		}
		v, err = b.apply("bob", id, Change{State: text(inbox.Open), Assignee: text("")})
		must(t, err)
		if !v.Resolved.IsZero() || v.Assignee != "" {
			t.Errorf("%+v", v)
		}
		var kinds []string
		b.view(func(ctx context.Context, tn *store.Tenant) error {
			list, err := Entries(ctx, tn, "one", id, 100)
			for _, e := range list {
				kinds = append(kinds, e.Who+" "+e.Kind)
			}
			return err
		})
		if want := []string{"ann assigned", "ann state", "ann priority", "ann tags", "bob state", "bob tags", "bob assigned", "bob state"}; !slices.Equal(kinds, want) {
			t.Errorf("written down: %v", kinds)
		}
		facts, err := b.st.TenantFacts(t.Context(), tenant, 0, 100)
		must(t, err)
		if len(facts) != 4 || facts[0].Kind != "inbox.thread" || facts[0].Subject != id || string(facts[0].Body) != `{"inbox":"one"}` {
			t.Errorf("facts %v", facts)
		}
	})
}

// TestOwnRead: what is new is each one's own; a note tells whom it names, and is its writer's to change.
func TestOwnRead(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.fill("one", 2)
		const id = "one-000001"
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			return See(ctx, tn, "ann", b.mustGet(ctx, tn, "ann", id))
		})
		if b.thread("ann", id).Unread || !b.thread("bob", id).Unread || b.thread("cat", id).Unread {
			t.Error("what one has read is not one's own")
		}
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			_, err := tn.Exec(ctx, `update inbox_thread set last_in = last_in + 1, last = last + 1 where tenant = $1 and id = $2`, id)
			return err
		})
		if !b.thread("ann", id).Unread {
			t.Error("a mail that came is not new")
		}
		var note string
		b.update(func(ctx context.Context, tn *store.Tenant) (err error) {
			_, note, err = Note(ctx, tn, b.reachIn(ctx, tn, "ann"), id, "@bob what do you think?", []string{"bob"})
			return err
		})
		count := func(account string) (n int) {
			b.view(func(ctx context.Context, tn *store.Tenant) error {
				return tn.QueryRow(ctx, `select count(*) from inbox_mention where tenant = $1 and account = $2 and seen = 0`, account).Scan(&n)
			})
			return n
		}
		if count("bob") != 1 || count("ann") != 0 {
			t.Error("who was named is not told")
		}
		b.update(func(ctx context.Context, tn *store.Tenant) error {
			return See(ctx, tn, "bob", b.mustGet(ctx, tn, "bob", id))
		})
		if count("bob") != 0 {
			t.Error("who has read it is told again")
		}
		edit := func(account, text string) error {
			return b.st.UpdateTenant(t.Context(), tenant, func(tn *store.Tenant) error {
				_, err := EditNote(t.Context(), tn, b.reachIn(t.Context(), tn, account), id, note, text, nil)
				return err
			})
		}
		if err := edit("bob", "No."); tocsin.AsProblem(err).Code != tocsin.NotFound {
			t.Errorf("another's note: %v", err)
		}
		must(t, edit("ann", "Never mind."))
		must(t, edit("ann", ""))
		if err := edit("ann", "Again."); tocsin.AsProblem(err).Code != tocsin.NotFound {
			t.Errorf("a note that is gone: %v", err)
		}
		err := b.st.UpdateTenant(t.Context(), tenant, func(tn *store.Tenant) error {
			_, _, err := Note(t.Context(), tn, b.reachIn(t.Context(), tn, "ann"), id, "@cat", []string{"cat"})
			return err
		})
		if tocsin.AsProblem(err).Code != tocsin.Invalid {
			t.Errorf("somebody outside is named: %v", err)
		}
	})
}

func (b *bed) mustGet(ctx context.Context, t *store.Tenant, account, id string) *Thread {
	b.Helper()
	v, err := Get(ctx, t, b.reachIn(ctx, t, account), id)
	must(b, err)
	return v
}

// BenchmarkList is a page of fifty of 100,000 threads, by section.
func BenchmarkList(bm *testing.B) {
	b := benchBed(bm, 100_000)
	ann := b.reach("ann")
	for _, c := range []struct {
		name string
		f    Filter
	}{
		{"all", Filter{}}, {"open", Filter{States: []string{inbox.Open}}}, {"mine", Filter{States: []string{inbox.Open}, Assignee: "bob"}}, {"unassigned", Filter{States: []string{inbox.Waiting}, Assignee: None}},
		{"unread", Filter{States: []string{inbox.Open}, Unread: true}}, {"deep", Filter{Last: 1_000_000 + 50_000*1000, ID: ""}}, {"rare tag", Filter{Tag: "rare"}}, {"common tag", Filter{Tag: "common"}}, {"nobody", Filter{From: "nobody@out.example"}},
	} {
		bm.Run(c.name, func(bm *testing.B) {
			c.f.Inboxes, c.f.Limit = ann.List(), 51
			for bm.Loop() {
				b.view(func(ctx context.Context, t *store.Tenant) error {
					_, err := List(ctx, t, ann, c.f)
					return err
				})
			}
		})
	}
	bm.Run("counts", func(bm *testing.B) {
		for bm.Loop() {
			b.view(func(ctx context.Context, t *store.Tenant) error {
				_, err := Count(ctx, t, ann, Filter{Inboxes: ann.List(), States: []string{inbox.Open}}, 1000)
				return err
			})
		}
	})
}

func benchBed(tb testing.TB, n int) *bed {
	tb.Helper()
	b := &bed{tb, benchStore(tb)}
	b.update(func(ctx context.Context, t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
		if err == nil {
			_, err = t.Exec(ctx, `insert into inbox_member (tenant, inbox, kind, member, added) values ($1, 'one', 'everyone', '', 1), ($1, 'two', 'everyone', '', 1)`)
		}
		return err
	})
	b.fill("one", n)
	b.fill("two", 1000)
	b.update(func(ctx context.Context, t *store.Tenant) error {
		for tag, every := range map[string]int{"rare": 1000, "common": 2} {
			if _, err := t.Exec(ctx, fmt.Sprintf(`insert into inbox_thread_tag (tenant, inbox, thread, tag, added) select tenant, inbox, id, $2, 1 from inbox_thread where tenant = $1 and n %% %d = 0`, every), tag); err != nil {
				return err
			}
		}
		return nil
	})
	return b
}
