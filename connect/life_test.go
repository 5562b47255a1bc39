package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func (b *bench) count(c Connection, query string) (n int) {
	b.Helper()
	if err := b.s.Store.ViewTenant(b.Context(), c.Tenant, func(t *store.Tenant) error { return t.QueryRow(b.Context(), query).Scan(&n) }); err != nil {
		b.Fatal(err)
	}
	return n
}

// TestRotate: the new credential is proven before the old one is replaced; a wrong one leaves the old at work.
func TestRotate(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		_, err := b.s.Rotate(b.Context(), "amy@x.example", c.Tenant, c.ID, Credential{Secret: "wrong~secret~0123456789"})
		b.problem("a wrong secret", err, tocsin.Invalid, "The client secret is wrong.", "The old one stays at work.")
		if now := b.get(c); now.State != On || now.Version != c.Version {
			b.Errorf("after a wrong secret: %+v", now)
		}
		if err := b.client(c).SignIn(b.Context()); err != nil {
			b.Errorf("the old secret: %v", err)
		}
		ends := time.Now().Add(20 * 24 * time.Hour).UTC().Truncate(time.Second)
		b.w.AddSecret("new~secret~0123456789", ends)
		before := b.client(c)
		now, err := b.s.Rotate(b.Context(), "amy@x.example", c.Tenant, c.ID, Credential{Secret: "new~secret~0123456789"})
		if err != nil || now.Version != c.Version+1 || !now.Expires.Equal(ends) {
			b.Fatalf("rotated: %+v, %v; want the end %s as the app registration has it", now, err, ends)
		}
		b.w.ReplaceSecret("gone~gone~0123456789", time.Time{})
		if err := b.client(now).SignIn(b.Context()); err != nil {
			b.Errorf("the new secret: %v", err)
		}
		late := before.SignIn(b.Context()) // of a search that goes on, say
		if _, ok := errors.AsType[*graph.Revoked](late); !ok {
			b.Errorf("the old secret, which is gone: %v", late)
		}
		for _, err := range []error{b.s.Refused(b.Context(), c, late), b.s.Heard(b.Context(), c, Heard{By: "users", Errs: []error{late}})} {
			if now := b.get(c); err != nil || now.State != On {
				b.Errorf("after what was refused to the old secret: %s, %s, %v", now.State, now.Because, err)
			}
		}
		pair, err := b.w.Certificate()
		if err != nil {
			b.Fatal(err)
		}
		now, err = b.s.Rotate(b.Context(), "amy@x.example", c.Tenant, c.ID, Credential{Certificate: pair})
		if err != nil || now.Method != "certificate" || !now.Expires.Equal(certificate([]byte(pair)).NotAfter) {
			b.Errorf("by certificate: %+v, %v", now, err)
		}
	})
}

// TestDrift: what is taken and given between two looks is written down, once; the first look makes no changes.
func TestDrift(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		look := func(roles ...string) {
			b.Helper()
			b.w.Consent(roles...)
			if err := b.s.LookAndJudge(b.Context(), b.get(c)); err != nil {
				b.Fatal(err)
			}
		}
		look(sim.ReadTier...)
		if n := b.count(c, `select count(*) from app_grant_change where tenant = $1`); n != 0 {
			b.Errorf("%d changes at the first look", n)
		}
		if n := b.count(c, `select count(*) from app_grant where tenant = $1`); n != len(sim.ReadTier) {
			b.Errorf("%d grants, want %d", n, len(sim.ReadTier))
		}
		without := slices.DeleteFunc(slices.Clone(sim.ReadTier), func(r string) bool { return r == "MailboxSettings.Read" })
		look(append(without, "RoleManagement.ReadWrite.Directory")...)
		look(append(without, "RoleManagement.ReadWrite.Directory")...)
		for change, want := range map[string]string{"removed": "MailboxSettings.Read", "granted": "RoleManagement.ReadWrite.Directory"} {
			if n := b.count(c, `select count(*) from app_grant_change where tenant = $1 and change = '`+change+`' and permission = '`+want+`'`); n != 1 {
				b.Errorf("%s %s stands %d times", want, change, n)
			}
		}
		if v := b.verdicts(c); v["mailbox-rules"] != Off || v["directory"] != Works {
			b.Errorf("after it was taken: %v", v)
		}
		look(sim.ReadTier...)
		if v := b.verdicts(c); v["mailbox-rules"] != Works {
			b.Errorf("after it was given back: %v", v)
		}
	})
}

// TestDisableInFlight: when Pause has returned, nothing is under way and nothing goes out.
func TestDisableInFlight(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	c := b.create(b.good())
	gc := b.client(c)
	if err := b.w.Fault(sim.Fault{Kind: sim.Slow, Path: "organization", Delay: sim.Duration(30 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	before := b.calls.Load()
	ended := make(chan error, 8)
	for range cap(ended) {
		go func() { ended <- gc.Get(context.Background(), "organization.list", nil, nil) }()
	}
	for b.calls.Load() < before+int64(cap(ended)) {
		time.Sleep(time.Millisecond)
	}
	if err := b.s.Pause(t.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
		t.Fatal(err)
	}
	after := b.calls.Load()
	for range cap(ended) {
		if err := <-ended; !errors.Is(err, graph.ErrPaused) {
			t.Errorf("a call under way ended with %v", err)
		}
	}
	if n := b.calls.Load() - after; n != 0 {
		t.Errorf("%d requests went out after it was paused", n)
	}
}

// TestClose: closed, nothing is asked, the credential is gone and history stays; it is opened again with it. Erased, nothing
// of the tenant is left in any table; interrupted at any place, it goes on.
func TestClose(t *testing.T) {
	alone := func(ctx context.Context, _ tocsin.TenantID, act func(context.Context) error) (bool, error) {
		return true, act(ctx)
	}
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		if err := b.s.LookAndJudge(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		gc := b.client(c)
		if err := b.s.Close(b.Context(), "amy@x.example", c.Tenant, c.ID, Keep); err != nil {
			b.Fatal(err)
		}
		if err := gc.SignIn(b.Context()); !errors.Is(err, graph.ErrPaused) {
			b.Errorf("a call of what closes: %v", err)
		}
		b.s.clients = nil // the process was killed
		for range 2 {
			if err := b.s.FinishClosing(b.Context(), alone); err != nil {
				b.Fatal(err)
			}
		}
		if now := b.get(c); now.State != Closed || b.count(c, `select length(sealed) from connection where tenant = $1`) != 0 {
			b.Errorf("closed: %+v", now)
		}
		_, err := b.s.Client(b.Context(), c)
		b.problem("its client", err, tocsin.Conflict, "its credential is erased", "new credential")
		now, err := b.s.Rotate(b.Context(), "amy@x.example", c.Tenant, c.ID, Credential{Secret: b.w.Secret()})
		if err != nil || now.State != On || now.ID != c.ID {
			b.Fatalf("opened again: %+v, %v", now, err)
		}
		if err := b.s.Close(b.Context(), "amy@x.example", c.Tenant, c.ID, Erase); err != nil {
			b.Fatal(err)
		}
		// Killed in the middle: the context ends after some statements.
		for n := range 6 {
			ctx, stop := context.WithTimeout(b.Context(), time.Duration(n)*time.Millisecond)
			_ = b.s.FinishClosing(ctx, alone) // ended anywhere
			stop()
		}
		if err := b.s.FinishClosing(b.Context(), alone); err != nil {
			b.Fatal(err)
		}
		tables, err := b.s.Store.TenantTables(b.Context())
		if err != nil || len(tables) < 30 {
			b.Fatalf("tables: %v, %v", tables, err)
		}
		for _, table := range tables {
			if n := b.count(c, `select count(*) from `+table+` where tenant = $1`); n != 0 {
				b.Errorf("%d rows left in %s", n, table)
			}
		}
	})
}

// TestExcess: what is more than is needed is said, the dangerous first; what waits for a later version is not.
func TestExcess(t *testing.T) {
	is := Standing{Granted: strings.Fields("User.Read.All MailboxSettings.ReadWrite Mail.ReadWrite RoleManagement.ReadWrite.Directory AuditLog.Read.All")}
	var got []string
	for _, e := range is.Excess(Read) {
		got = append(got, e.Permission)
		if e.Why == "" || e.Mend == "" {
			t.Errorf("%+v", e)
		}
	}
	if want := strings.Fields("RoleManagement.ReadWrite.Directory Mail.ReadWrite MailboxSettings.ReadWrite"); !slices.Equal(got, want) {
		t.Errorf("excess %v, want %v", got, want)
	}
}

// TestLicence: a capability whose licence the tenant lacks says so, whether it is granted or not.
func TestLicence(t *testing.T) {
	is := Standing{Granted: []string{"AuditLog.Read.All"}, Plans: []string{"EXCHANGE_S_ENTERPRISE"}}
	for _, v := range is.Wait(Read) {
		if v.State != Off || v.Because == "" || v.Mend == "" {
			t.Errorf("%s: %+v", v.Name, v)
		}
		if v.Name == "sign-ins" && !strings.Contains(v.Because, "AuditLog.Read.All is granted. The tenant has no licence for it: it needs Entra ID P1.") {
			t.Errorf("sign-ins: %s", v.Because)
		}
	}
}

// TestStandingEnds: what a connection may do is asked while the server is told to stop, or loses its lease, with tokens at hand
// that make no call fail. Then it ends with that, and does not take the server with it.
func TestStandingEnds(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		gc := b.client(c)
		if _, _, err := b.s.granted(t.Context(), c, gc); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if _, _, err := b.s.granted(ctx, c, gc); !errors.Is(err, context.Canceled) {
			t.Errorf("standing gave %v", err)
		}
		if err := b.s.Look(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("Look gave %v", err)
		}
	})
}
