package tocsin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

func TestIDsAreStable(t *testing.T) {
	a := NewPersonID("t1", "0E0C9D2A-1111-4000-8000-000000000001")
	if b := NewPersonID("t1", "0e0c9d2a-1111-4000-8000-000000000001"); a != b {
		t.Errorf("the case of an object id changes the person: %s, %s", a, b)
	}
	if b := NewPersonID("t2", "0e0c9d2a-1111-4000-8000-000000000001"); a == b {
		t.Error("two tenants share a person")
	}
	if NewFindingID("t", "rule", "a", "b") == NewFindingID("t", "rule", "ab", "") {
		t.Error("parts of a finding's id run together")
	}
	if a, b := NewEventIDAt("t", 1763887200000, "p", "m"), NewEventIDAt("t", 1763887200000, "p", "m"); a != b || uuid.MustParse(a).Version() != 8 {
		t.Errorf("one event has the ids %s and %s", a, b)
	}
	if a, b := NewEventIDAt("t", 1763887200000, "p", "m"), NewEventIDAt("t", 1763887200000, "p", "n"); a == b {
		t.Error("two events at a time share an id")
	}
	for i, at := range []int64{-1, 0, 5, 1763887200000, 1763887200001, 1 << 60} {
		if a, b := NewEventIDAt("t", at, "p"), NewEventIDAt("t", at*2, "p"); i > 1 && i < 5 && a >= b || uuid.Validate(a) != nil {
			t.Errorf("ids of events do not sort by time: %s, %s", a, b)
		}
	}
	if x, y := NewID(), NewID(); x >= y {
		t.Errorf("ids do not sort by time: %s, %s", x, y)
	}
}

func TestProblem(t *testing.T) {
	p := Problemf(Denied, "Ask the owner.", "You may not do %s.", "that")
	if got := AsProblem(fmt.Errorf("decide: %w", p)); got != p {
		t.Errorf("a wrapped problem is lost: %v", got)
	}
	hidden := AsProblem(errors.New("pq: password of db-7 is wrong"))
	if hidden.Code != Internal || hidden.Error() == "" || hidden.What == hidden.Err.Error() {
		t.Errorf("an inner error shows: %+v", hidden)
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		start := c.Now()
		woke := make(chan time.Time)
		go func() {
			if err := c.Sleep(t.Context(), time.Hour); err != nil {
				t.Error(err)
			}
			woke <- c.Now()
		}()
		synctest.Wait()
		c.Advance(time.Hour)
		if at := <-woke; at.Sub(start) < time.Hour {
			t.Errorf("woke %v early", time.Hour-at.Sub(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait that was cancelled gives %v", err)
		}
	})
}

func TestAddress(t *testing.T) {
	for _, c := range []struct{ in, canonical, domain string }{
		{"SMTP:Amy.Adams@Fabrikam.com", "amy.adams@fabrikam.com", "fabrikam.com"},
		{" <eve@EVIL.example> ", "eve@evil.example", "evil.example"},
		{"/o=ExchangeLabs/ou=x/cn=amy", "/o=exchangelabs/ou=x/cn=amy", ""},
	} {
		a := Address{Address: c.in}
		if a.Canonical() != c.canonical || a.Domain() != c.domain {
			t.Errorf("%q: %q at %q, want %q at %q", c.in, a.Canonical(), a.Domain(), c.canonical, c.domain)
		}
	}
}
