package api_test

import (
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestTimeline: walking back through a mailbox's time meets everything once, in order, and a filter leaves out the rest.
func TestTimeline(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		arrive(t, st, 3, 130)
		err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			_, err := tn.Exec(t.Context(), `insert into mail_gap (tenant, person, began, ended, because, closed, found, lost) values ($1, $2, 1000050, 1000060, 'The server was off.', 5, 2, 'What went.')`, string(personOf(acme)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		walk := func(kinds string) (out []api.TimelineItem, pieces int) {
			ask := api.TimelineIn{ByPerson: api.ByPerson{In: in(acme), Person: personOf(acme)}, Paging: api.Paging{Limit: 20}, Kinds: kinds}
			for {
				p := call[api.Timeline](t, s.owner, "mailboxes timeline", ask)
				out = append(out, p.Items...)
				if pieces++; p.Next.IsZero() || pieces > 50 {
					return out, pieces
				}
				ask.Until = p.Next
			}
		}
		all, pieces := walk("")
		kinds, ids := map[string]int{}, map[string]bool{}
		for i, e := range all {
			kinds[e.Kind]++
			if ids[e.Kind+e.ID] {
				t.Errorf("%s %s is there twice", e.Kind, e.ID)
			}
			ids[e.Kind+e.ID] = true
			if i > 0 && e.At.After(all[i-1].At) {
				t.Errorf("%v stands behind %v", e.At, all[i-1].At)
			}
		}
		if kinds["mail"] != 130 || kinds["gap"] != 1 || kinds["rule"] != 1 || kinds["finding"] != 1 || pieces < 7 {
			t.Errorf("in %d pieces: %v", pieces, kinds)
		}
		if some, _ := walk("gap,rule"); len(some) != 2 || some[1].Because != "The server was off." {
			t.Errorf("gaps and rules: %+v", some)
		}
		if err := s.do(t, s.owner, "mailboxes timeline", api.TimelineIn{ByPerson: api.ByPerson{In: in(acme), Person: personOf(acme)}, Kinds: "dreams"}); code(err) != tocsin.Invalid {
			t.Errorf("dreams: %v", err)
		}
	})
}
