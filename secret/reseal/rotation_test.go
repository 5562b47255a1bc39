package reseal_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/secret"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/server"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestMain lets the test binary be the rotation that is killed.
func TestMain(m *testing.M) {
	if orders := os.Getenv("TOCSIN_TEST_ROTATE"); orders != "" {
		if err := child(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child rotates, and says of each batch that it was sealed anew.
func child(orders string) error {
	addr, file, _ := strings.Cut(orders, "|")
	ctx := context.Background()
	st, err := store.Open(ctx, addr, &tocsin.Clock{})
	if err != nil {
		return err
	}
	k, err := secret.Open(ctx, secret.Source{File: file, Exists: true})
	if err != nil {
		return err
	}
	r := rotation(st, k)
	batches := 0
	r.Told = func(string, int) {
		fmt.Println("batch")
		if batches++; batches == 2 { // where it is killed
			time.Sleep(time.Hour)
		}
	}
	_, err = r.Run(ctx)
	return err
}

func rotation(st *store.Store, k *secret.Keeper) *reseal.Rotation {
	return &reseal.Rotation{Store: st, Keeper: k, Places: server.Sealed(), Batch: 2, Lease: 300 * time.Millisecond, Patience: 300 * time.Millisecond}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const (
	acme  = tocsin.TenantID("11111111-1111-4111-8111-111111111111")
	else_ = tocsin.TenantID("22222222-2222-4222-8222-222222222222")
)

// fill seals something in every place there is, and returns how many.
func fill(t *testing.T, st *store.Store, k *secret.Keeper) int {
	t.Helper()
	ctx, n := t.Context(), 0
	sealed := func(p *reseal.Place, tenant tocsin.TenantID, key string) []byte {
		n++
		return must[[]byte](t)(k.Seal([]byte("secret of "+key), p.About(tenant, key)))
	}
	err := st.Update(ctx, func(tx *store.Tx) error {
		for i, id := range []tocsin.TenantID{acme, else_} {
			must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'T', 1)`))
			_ = i
		}
		for _, p := range server.Sealed() {
			p := p
			switch p.Table {
			case "connection":
				for _, id := range []tocsin.TenantID{acme, else_} {
					for i := range 5 {
						key := fmt.Sprint("c", i)
						must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created) values ($1, $2, 'n', 'global', $2, 'secret', $3, 'on', 1)`, key, sealed(&p, id, key)))
					}
					must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into connection (tenant, id, name, cloud, client_id, method, sealed, state, created) values ($1, 'closed', 'n', 'global', 'x', 'secret', '', 'closed', 1)`))
				}
			case "channel":
				for _, id := range []tocsin.TenantID{"*", acme} {
					for i := range 3 {
						key := fmt.Sprint("h", i)
						must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into channel (tenant, id, kind, name, address, sealed, filter, quiet, digest_over, digest_minutes, enabled, since, created, created_by)
							values ($1, $2, 'slack', 'n', 'a', $3, '{}', '{}', 1, 1, true, 1, 1, 'x')`, key, sealed(&p, id, key)))
					}
				}
			case "registration":
				must[int64](t)(tx.Exec(ctx, `insert into registration (tier, client_id, cloud, method, sealed, changed, changed_by) values ('read', 'c', 'global', 'secret', $1, 1, 'x')`, sealed(&p, "", "read")))
			case "consent":
				must[int64](t)(tx.Exec(ctx, `insert into consent (hash, account, session, sealed, expires) values ('h', 'a', 's', $1, 1)`, sealed(&p, "", "h")))
			case "account":
				for i, form := range []string{"on:55:", "pending:0:", ""} {
					key := fmt.Sprint("a", i)
					totp := ""
					if form != "" {
						totp = form + base64.RawStdEncoding.EncodeToString(sealed(&p, "", key))
					}
					must[int64](t)(tx.Exec(ctx, `insert into account (id, email, name, password, totp, created) values ($1, $1, 'n', '', $2, 1)`, key, totp))
				}
			case "installation":
				must[int64](t)(tx.Exec(ctx, `insert into installation (key, value) values ('hook.key', $1), ('another', 'plain')`, p.Put("", sealed(&p, "", "hook.key"))))
			case "certificate":
				for i := range 3 {
					key := fmt.Sprint("k", i)
					must[int64](t)(tx.Exec(ctx, `insert into certificate (id, public, sealed, made, expires) values ($1, 'x', $2, 1, 2)`, key, sealed(&p, "", key)))
				}
			case "export":
				for _, id := range []tocsin.TenantID{acme, else_} {
					must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into export (tenant, id, kind, name, settings, sealed, state, done, done_at, created, created_by) values ($1, 'e', 'file', 'n', '{}', $2, 'on', 0, 0, 1, 'x')`, sealed(&p, id, "e")))
				}
			case "tenant_key":
				for _, id := range []tocsin.TenantID{acme, else_} {
					must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into tenant_key (tenant, name, sealed, created) values ($1, 'hash', $2, 1)`, sealed(&p, id, "hash")))
				}
			case "reported_settings":
				for _, id := range []tocsin.TenantID{acme, else_} {
					must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into reported_settings (tenant, body, sealed, key_hash, changed, changed_by, version) values ($1, '{}', $2, 'h', 1, 'x', 1)`, sealed(&p, id, string(id))))
				}
			case "evidence":
				for _, id := range []tocsin.TenantID{acme, else_} {
					for i := range 3 {
						key := fmt.Sprint("e", i)
						must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into evidence (tenant, id, at, kept_by, reason, origin, origin_id, person, message, internet_message_id, sender, subject, received, sha256, size, sealed, body)
							values ($1, $2, 1, 'x', 'r', 'report', 'o', 'p', 'm', 'i', 's', 's', 1, 'h', 1, $3, $3)`, key, sealed(&p, id, key)))
					}
				}
			case "email_connection":
				for _, id := range []tocsin.TenantID{acme, else_} {
					must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into email_connection (tenant, id, name, method, cloud, client_id, sealed, proven, created, changed) values ($1, 'm', 'n', 'delegated', 'global', 'c', $2, 1, 1, 1)`, sealed(&p, id, "m")))
				}
			case "inbox":
				for _, id := range []tocsin.TenantID{acme, else_} {
					for i := range 2 {
						key := fmt.Sprint("i", i)
						must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into inbox (tenant, id, name, address, state, sealed, created, changed) values ($1, $2, 'n', $2, 'connected', $3, 1, 1)`, key, sealed(&p, id, key)))
					}
					must[int64](t)(tx.Tenant(id).Exec(ctx, `insert into inbox (tenant, id, name, address, state, sealed, created, changed) values ($1, 'erased', 'n', 'x', 'disconnected', '', 1, 1)`))
				}
			default:
				t.Fatalf("the test fills no %s", p.Table)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// open opens everything that is sealed, and returns how many.
func opened(t *testing.T, st *store.Store, k *secret.Keeper) int {
	t.Helper()
	ctx, n := t.Context(), 0
	for _, p := range server.Sealed() {
		tenants := []tocsin.TenantID{""}
		if p.Tenant {
			tenants = []tocsin.TenantID{"*", acme, else_}
		}
		for _, id := range tenants {
			err := st.View(ctx, func(tx *store.Tx) error {
				q, args := `select `+p.Key+`, `+p.Column+` from `+p.Table, []any{}
				if p.Tenant {
					q, args = q+` where tenant = $1`, []any{string(id)}
				}
				rows, err := tx.Query(ctx, q, args...)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					var key string
					var value []byte
					if err := rows.Scan(&key, &value); err != nil {
						return err
					}
					if len(value) == 0 {
						continue
					}
					if p.Cut != nil {
						var ok bool
						if value, ok = p.Cut(string(value)); !ok {
							continue
						}
					}
					plain, err := k.Open(value, p.About(id, key))
					if err != nil || string(plain) != "secret of "+key {
						return fmt.Errorf("%s %s %s: %q, %w", p.Table, id, key, plain, err)
					}
					n++
				}
				return rows.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

func problem(t *testing.T, err error, what string) {
	t.Helper()
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok || !strings.Contains(p.Error(), what) || p.Do == "" {
		t.Fatalf("error %v; want a problem that says %q and what to do", err, what)
	}
}

// TestPlaces: every column in which something lies sealed is a place.
func TestPlaces(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile("../../store/schema.sql")))
	places := map[string]bool{}
	for _, p := range server.Sealed() {
		if p.Table != "installation" { // whose values are of many kinds
			places[p.Table+"."+p.Column] = true
		}
	}
	found := 0
	for _, table := range regexp.MustCompile(`(?s)create table (\w+) \((.*?)\n\)`).FindAllStringSubmatch(text, -1) {
		for _, column := range regexp.MustCompile(`(?m)^\t(sealed\w*|totp|\w*secret\w*) `).FindAllStringSubmatch(table[2], -1) {
			found++
			if !places[table[1]+"."+column[1]] {
				t.Errorf("%s.%s is in no list Sealed, so a rotation would pass it over", table[1], column[1])
			}
		}
	}
	if found != len(places) {
		t.Errorf("%d columns, %d places", found, len(places))
	}
}

func TestRotation(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "key")
		k := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: path}))
		serving := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: path})) // a server that runs
		n := fill(t, st, k)
		old := k.Keys()[0]

		rep := must[reseal.Report](t)(rotation(st, k).Status(ctx))
		if len(rep.Keys) != 1 || rep.Keys[0].Uses != n || !rep.Began.IsZero() || len(rep.Removable()) != 0 {
			t.Fatalf("before: %+v; want %d uses of one key", rep, n)
		}
		rep = must[reseal.Report](t)(rotation(st, k).Run(ctx))
		if rep.Made == 0 || rep.Made == old || rep.Resealed != n || len(rep.Unopened) > 0 || rep.Resumed || len(rep.Keys) != 2 || rep.Keys[0].Uses != n || len(rep.Removable()) != 1 || rep.Removable()[0].ID != old {
			t.Fatalf("rotated: %+v; want %d sealed anew", rep, n)
		}
		if got := opened(t, st, serving); got != n {
			t.Fatalf("the server opens %d of %d", got, n)
		}
		if sealed := must[[]byte](t)(serving.Seal([]byte("x"), "y")); secretKey(sealed) != rep.Made.String() {
			t.Errorf("the server goes on sealing with an old key: %x", sealed[:5])
		}

		_, err := rotation(st, k).Retire(ctx)
		problem(t, err, "a moment ago")
		st.Clock().Advance(3 * time.Minute)
		rep = must[reseal.Report](t)(rotation(st, k).Retire(ctx))
		if len(rep.Removed) != 1 || rep.Removed[0] != old || len(rep.Keys) != 1 {
			t.Fatalf("retired: %+v", rep)
		}
		if got := opened(t, st, must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: path}))); got != n {
			t.Fatalf("%d of %d open with the new key alone", got, n)
		}
	})
}

func secretKey(sealed []byte) string { return fmt.Sprintf("%x", sealed[1:5]) }

// TestKilled: a rotation that is killed at any of its batches is finished by the next, with one new key and nothing lost.
func TestKilled(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": storetest.SQLiteAddress, "postgres": storetest.PostgresAddress} {
		t.Run(name, func(t *testing.T) {
			addr := address(t)
			st := must[*store.Store](t)(store.Open(t.Context(), addr, &tocsin.Clock{}))
			defer st.Close()
			path := filepath.Join(t.TempDir(), "key")
			k := must[*secret.Keeper](t)(secret.Open(t.Context(), secret.Source{File: path}))
			n := fill(t, st, k)
			kills := 0
			for range 3 { // batches that each gets to
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "TOCSIN_TEST_ROTATE="+addr+"|"+path)
				out := must[interface{ Read([]byte) (int, error) }](t)(cmd.StdoutPipe())
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(out)
				for range 2 {
					lines.Scan()
				}
				if cmd.Process.Kill() == nil && cmd.Wait() != nil {
					kills++
				}
				if got := opened(t, st, k); got != n {
					t.Fatalf("after a kill %d of %d open", got, n)
				}
			}
			rep := must[reseal.Report](t)(rotation(st, k).Run(t.Context()))
			if kills == 0 || !rep.Resumed || rep.Made != 0 || rep.Resealed == 0 || rep.Resealed >= n || len(rep.Keys) != 2 || rep.Keys[0].Uses != n {
				t.Fatalf("after %d kills: %+v; want the rest of %d sealed anew, with one new key", kills, rep, n)
			}
			if got := opened(t, st, k); got != n {
				t.Fatalf("%d of %d open", got, n)
			}
		})
	}
}

// TestCutShort: whatever a killed rotation had done, the next makes one new key in all.
func TestCutShort(t *testing.T) {
	for _, c := range []struct {
		name string
		made bool
	}{{"before the key was made", false}, {"after it was made", true}} {
		t.Run(c.name, func(t *testing.T) {
			st, ctx := storetest.SQLite(t), t.Context()
			k := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: filepath.Join(t.TempDir(), "key")}))
			n := fill(t, st, k)
			row := must[[]byte](t)(json.Marshal(map[string]any{"from": uint32(k.Keys()[0]), "began": 1}))
			if err := st.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, `insert into installation (key, value) values ('key.rotation', $1)`, string(row))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if c.made {
				if err := k.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := rotation(st, k).Retire(ctx)
			problem(t, err, "cut short")
			rep := must[reseal.Report](t)(rotation(st, k).Run(ctx))
			if !rep.Resumed || rep.Resealed != n || len(rep.Keys) != 2 || (rep.Made == 0) != c.made {
				t.Fatalf("finished: %+v", rep)
			}
		})
	}
}

// TestWrongKey: a rotation with other settings than the server's changes nothing.
func TestWrongKey(t *testing.T) {
	st, ctx, dir := storetest.SQLite(t), t.Context(), t.TempDir()
	right := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: filepath.Join(dir, "right")}))
	n := fill(t, st, right)
	wrong := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: filepath.Join(dir, "wrong")}))
	_, err := rotation(st, wrong).Run(ctx)
	problem(t, err, fmt.Sprintf("%d secrets are sealed with a key that is not here", n))
	if len(wrong.Keys()) != 1 || opened(t, st, right) != n {
		t.Fatal("it changed something all the same")
	}
	r := rotation(st, wrong)
	r.Leave = true
	rep := must[reseal.Report](t)(r.Run(ctx))
	if rep.Resealed != 0 || len(rep.Unopened) == 0 || opened(t, st, right) != n {
		t.Fatalf("told to leave them: %+v", rep)
	}
}

// TestDamaged: what does not open is named, and keeps its key from being removed.
func TestDamaged(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		k := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: filepath.Join(t.TempDir(), "key")}))
		n := fill(t, st, k)
		bent := must[[]byte](t)(k.Seal([]byte("x"), "of another row"))
		if err := st.UpdateTenant(ctx, acme, func(tn *store.Tenant) error {
			_, err := tn.Exec(ctx, `update connection set sealed = $2 where tenant = $1 and id = 'c3'`, bent)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		rep := must[reseal.Report](t)(rotation(st, k).Run(ctx))
		if rep.Resealed != n-1 || len(rep.Unopened) != 1 || !strings.Contains(rep.Unopened[0], string(acme)+" c3") || len(rep.Removable()) != 0 {
			t.Fatalf("rotated: %+v", rep)
		}
		st.Clock().Advance(time.Hour)
		_, err := rotation(st, k).Retire(ctx)
		problem(t, err, "does not open")
		if len(k.Keys()) != 2 {
			t.Fatal("the old key is gone")
		}
	})
}

// TestGiven: of keys that are given the first seals, and what the others sealed is sealed anew.
func TestGiven(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		before, after := secret.Fresh(), secret.Fresh()
		given := func(value string) *secret.Keeper {
			return must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{Value: value}))
		}
		n := fill(t, st, given(before))
		_, err := rotation(st, given(before)).Run(ctx)
		problem(t, err, "TOCSIN_KEY_VALUE")
		// A server that runs and does not have the new key would be shut out.
		if err := reseal.Announce(ctx, given(before), st, "mail-1:8420", time.Minute); err != nil {
			t.Fatal(err)
		}
		_, err = rotation(st, given(after+","+before)).Run(ctx)
		problem(t, err, "mail-1:8420 runs and does not seal with the key")
		if opened(t, st, given(before)) != n {
			t.Fatal("something was sealed anew")
		}
		if err := reseal.Announce(ctx, given(after+"\n"+before), st, "mail-1:8420", time.Minute); err != nil {
			t.Fatal(err)
		}
		rep := must[reseal.Report](t)(rotation(st, given(after+","+before)).Run(ctx))
		if rep.Resealed != n || !rep.Resumed || opened(t, st, given(after)) != n || len(rep.Servers) != 1 {
			t.Fatalf("rotated: %+v", rep)
		}
		_, err = rotation(st, given(after+","+before)).Retire(ctx)
		problem(t, err, "with the new key alone")
		_, err = rotation(st, given(after)).Run(ctx)
		problem(t, err, "TOCSIN_KEY_VALUE")
	})
}

// TestAtOnce: of two rotations at once one waits for the other or refuses; nothing is lost.
func TestAtOnce(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "key")
		k := must[*secret.Keeper](t)(secret.Open(ctx, secret.Source{File: path}))
		n := fill(t, st, k)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				k, err := secret.Open(ctx, secret.Source{File: path})
				if err == nil {
					r := rotation(st, k)
					r.Lease = 5 * time.Second // as long as this machine may stand still
					_, err = r.Run(ctx)
				}
				if p, ok := errors.AsType[*tocsin.Problem](err); err != nil && (!ok || p.Code != tocsin.Conflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		rep := must[reseal.Report](t)(rotation(st, k).Status(ctx))
		if rep.Keys[0].Uses != n || rep.Ended.IsZero() {
			t.Errorf("after all: %+v", rep)
		}
	})
}
