package graph

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev/graph/sim"
)

var inboxScopes = strings.Fields("User.Read Mail.Read.Shared Mail.ReadWrite.Shared Mail.Send.Shared offline_access")

// kept is a refresh token as several replicas share it.
type keptToken struct {
	mu      sync.Mutex
	value   string
	changes int
	fails   error
}

func (k *keptToken) delegated() *Delegated {
	return &Delegated{Scopes: inboxScopes, Load: func(context.Context) (string, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.value, nil
	}, Keep: func(_ context.Context, used, next string) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.fails != nil {
			return k.fails
		}
		if k.value == used {
			k.value, k.changes = next, k.changes+1
		}
		return nil
	}}
}

// signsIn is a simulated tenant whose service account has signed in to an app, and a function that has it sign in anew.
func signsIn(t *testing.T) (w *sim.Sim, box string, cfg Config, again func() Grant) {
	t.Helper()
	w, err := sim.New(sim.Config{Users: 30, Content: true, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	app, secret := w.AddApp("Tocsin (inbox)")
	w.RequestScopes(app, inboxScopes...)
	cfg = Config{Cloud: Cloud{Authority: sim.Address, Graph: sim.Address}, Tenant: w.Tenant(), Client: app, Secret: secret, HTTP: w.Client(), Backoff: time.Millisecond}
	const back = "https://tocsin.example/connect/callback"
	if _, err := w.Visit(ConsentAddress(cfg.Cloud, w.Tenant(), app, back, "s"), "global"); err != nil {
		t.Fatal(err)
	}
	if box, err = w.AddShared("Support", "support"); err != nil {
		t.Fatal(err)
	}
	if err := w.Share(box, "service", sim.FullAccess); err != nil {
		t.Fatal(err)
	}
	return w, box, cfg, func() Grant {
		t.Helper()
		proof := SignInProof{Redirect: back, State: "s", Nonce: Secret(), Verifier: Secret()}
		to, err := w.Visit(DelegatedAddress(cfg.Cloud, w.Tenant(), app, "inbox.service@"+w.Domain(), inboxScopes, proof), "service")
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g, err := c.RedeemDelegated(t.Context(), to.Query().Get("code"), inboxScopes, proof)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

// TestDelegated: an account that signed in once is acted for, by a refresh token that is replaced at each use; what ends that is told apart.
func TestDelegated(t *testing.T) {
	w, box, cfg, again := signsIn(t)
	g := again()
	if g.Refresh == "" || g.Person.UPN != "inbox.service@"+w.Domain() || g.Person.Tenant != w.Tenant() || !slices.Equal(g.Scopes, inboxScopes[:4]) || strings.Contains(g.String(), g.Refresh) {
		t.Fatalf("the sign-in gave %+v with %v", g, g.Scopes)
	}
	kept := &keptToken{value: g.Refresh}
	cfg.Delegated = kept.delegated()
	open := func() *Client {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	var me User
	if err := c.Get(t.Context(), "me.get", nil, &me); err != nil || me.ID != g.Person.ID {
		t.Fatalf("me is %+v, %v", me, err)
	}
	if kept.changes != 1 || kept.value == g.Refresh {
		t.Errorf("the refresh token was replaced %d times", kept.changes)
	}
	if err := c.Get(t.Context(), "mailFolders.get", P{"user": box, "folder": "inbox"}, new(any)); err != nil {
		t.Errorf("the shared mailbox: %v", err)
	}
	if roles, err := c.Roles(t.Context()); err != nil || !slices.Contains(roles, "Mail.Send.Shared") {
		t.Errorf("the token carries %v, %v", roles, err)
	}
	if err := c.Get(t.Context(), "users.list", nil, nil); err == nil {
		t.Error("a call was made that is not made in the name of an account")
	}
	err := c.Get(t.Context(), "mailFolders.get", P{"user": "info@" + w.Domain(), "folder": "inbox"}, new(any))
	if d, ok := errors.AsType[*Denied](err); !ok || !d.OutOfScope || !slices.Contains(d.Permissions, "Mail.Read.Shared") {
		t.Errorf("a mailbox that it is no member of: %v", err)
	}
	var all sync.WaitGroup // replicas that need a token at once
	for range 4 {
		all.Go(func() {
			if err := open().Get(t.Context(), "me.get", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	kept.fails = errors.New("the store is away") // what was used stays good
	for range 2 {
		if err := open().Get(t.Context(), "me.get", nil, nil); err != nil {
			t.Errorf("while the next is not kept: %v", err)
		}
	}
	kept.fails = nil
	for _, c := range []struct {
		name, code, what string
		break_           func() error
		mend             func() error
	}{
		{"disabled", "AADSTS50057", "disabled", func() error { return w.Become("service", sim.DisableAccount) }, func() error { return w.Become("service", sim.EnableAccount) }},
		{"blocked", "AADSTS53003", "Conditional Access blocks the account", func() error { return w.Block("service", 53003) }, func() error { return w.Block("service", 0) }},
		{"not assigned", "AADSTS50105", "assigned", func() error { return w.Block("service", 50105) }, func() error { return w.Block("service", 0) }},
		{"no consent", "AADSTS65001", "consent", func() error { return w.ConsentScopes(cfg.Client) }, func() error { return w.ConsentScopes(cfg.Client, inboxScopes...) }},
		{"password", "AADSTS50133", "password", func() error { return w.Become("service", sim.ChangePassword) }, nil},
		{"revoked", "AADSTS50173", "revoked", func() error { return w.Become("service", sim.RevokeSessions) }, nil},
		{"expired", "AADSTS700082", "90 days", func() error { w.Advance(91 * 24 * time.Hour); return nil }, nil},
		{"forgotten", NotSignedIn, "not signed in", func() error { kept.value = ""; return nil }, nil},
	} {
		w.Advance(time.Second)
		if err := c.break_(); err != nil {
			t.Fatal(err)
		}
		err := open().Get(t.Context(), "me.get", nil, nil)
		if e, ok := errors.AsType[*Revoked](err); !ok || e.Code != c.code || !strings.Contains(e.What, c.what) || e.Do == "" {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
		w.Advance(time.Second)
		if c.mend == nil {
			kept.value = again().Refresh
		} else if err := c.mend(); err != nil {
			t.Fatal(err)
		}
		if err := open().Get(t.Context(), "me.get", nil, nil); err != nil {
			t.Errorf("%s, mended: %v", c.name, err)
		}
	}
	stale := &keptToken{value: "1.Agone"} // another replica replaced it between the look and the use
	d := stale.delegated()
	load := d.Load
	d.Load = func(ctx context.Context) (string, error) {
		was, err := load(ctx)
		stale.value = kept.value
		return was, err
	}
	cfg.Delegated = d
	if err := open().Get(t.Context(), "me.get", nil, nil); err != nil {
		t.Errorf("a token that was replaced meanwhile: %v", err)
	}
}

// TestUpload: a file of several parts is attached whole, and without a token; a shared mailbox refuses it to an account, and not to an app.
func TestUpload(t *testing.T) {
	w, box, cfg, again := signsIn(t)
	kept := &keptToken{value: again().Refresh}
	byAccount := cfg
	byAccount.Delegated = kept.delegated()
	byApp := cfg
	byApp.Client, byApp.Secret = w.AddApp("Tocsin (inbox, app)", "Mail.ReadWrite", "Mail.Send")
	w.AllowContent(true)
	data := bytes.Repeat([]byte("0123456789"), 700_000) // three parts
	for name, cfg := range map[string]Config{"account": byAccount, "app": byApp} {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var draft struct{ ID string }
		if err := c.Act(t.Context(), "messages.draft", P{"user": box}, map[string]any{"subject": name}, &draft); err != nil {
			t.Fatal(err)
		}
		at := P{"user": box, "message": draft.ID}
		var session UploadSession
		err = c.Act(t.Context(), "attachments.upload", at, map[string]any{"AttachmentItem": map[string]any{"attachmentType": "file", "name": "big.bin", "size": len(data)}}, &session)
		if name == "account" {
			if _, ok := errors.AsType[*Denied](err); !ok {
				t.Errorf("an upload session for a shared mailbox: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Upload(t.Context(), session, box, bytes.NewReader(data[:5]), 4<<20); err == nil {
			t.Error("a file that ended early was taken")
		}
		if err := w.Fault(sim.Fault{Path: "/AttachmentSessions/*", Kind: sim.Broken, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if err := c.Upload(t.Context(), session, box, bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
		var list struct{ Value []struct{ ID string } }
		if err := c.Get(t.Context(), "attachments.list", at, &list); err != nil || len(list.Value) != 1 {
			t.Fatalf("attached: %+v, %v", list, err)
		}
		var got []byte
		at["attachment"] = list.Value[0].ID
		if err := c.Get(t.Context(), "attachments.get", at, &got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	}
	c, err := New(byApp)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"http://sim.invalid/x", "https://user@sim.invalid/x", "::"} {
		if err := c.Upload(t.Context(), UploadSession{URL: to}, box, bytes.NewReader(data), 5); err == nil {
			t.Errorf("%s was put to", to)
		}
	}
}
