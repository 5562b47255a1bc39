package api_test

import (
	"reflect"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store/storetest"
)

// FuzzCursor reads what comes back as after: it gives values of the right number and kinds, or the one problem.
func FuzzCursor(f *testing.F) {
	f.Add(api.Cursor("findings/severity", int64(3), int64(1700000000000), "f1"))
	f.Add(api.Cursor("rules", int64(0), "p", "r"))
	f.Add("")
	f.Add("W10")
	f.Add("WyJmIiwxZTk5OSwyLDNd")
	f.Fuzz(func(t *testing.T, s string) {
		values, err := api.ParseCursor(s, "findings/severity", 3)
		if err != nil {
			if code(err) != tocsin.Invalid {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if s == "" {
			if values != nil {
				t.Fatalf("the beginning has values %v", values)
			}
			return
		}
		if len(values) != 3 {
			t.Fatalf("%q: %v", s, values)
		}
		again, err := api.ParseCursor(api.Cursor("findings/severity", values...), "findings/severity", 3)
		if err != nil || !reflect.DeepEqual(again, values) {
			t.Fatalf("%q: %v, then %v, %v", s, values, again, err)
		}
	})
}

// TestForeignCursors gives lists the places of other lists, and places of the right form with values of the wrong kind.
func TestForeignCursors(t *testing.T) {
	s := serve(t, storetest.SQLite(t))
	settle(t, s.st, acme)
	for _, after := range []string{api.Cursor("rules", int64(1), "p", "r"), api.Cursor("findings/worst", "x", "y", "z", int64(1)), api.Cursor("findings/worst", int64(1), int64(1)), api.Cursor("findings/newest", int64(1), "x"), "%00", "e30"} {
		err := s.owner.Do(t.Context(), "findings list", api.FindingsIn{In: in(acme), Paging: api.Paging{After: after}}, nil)
		if code(err) != tocsin.Invalid {
			t.Errorf("after %q: %v, want invalid", after, err)
		}
	}
}
