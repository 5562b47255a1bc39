// Package reseal puts another key in the place of the one that seals, and seals all that is stored anew.
//
// It stands apart from package secret so that keys and data do not share a room.
package reseal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

// Place is where sealed secrets lie: a column of a table.
type Place struct {
	What   string // how people call them, such as "credentials of connections"
	Table  string
	Key    string // the column that, with the tenant where there is one, is its key
	Column string
	Tenant bool // the rows are of tenants, or of the installation under *
	About  func(tenant tocsin.TenantID, key string) string
	// Cut finds what is sealed in a value of a column of text, and Put writes it into that value again. Where they are nil the
	// column holds the bytes themselves. A value without anything sealed is passed over.
	Cut func(value string) (sealed []byte, ok bool)
	Put func(value string, sealed []byte) string
}

// Rotation puts a new key in the place of the one that seals, and seals everything anew that older ones sealed.
//
// It may be killed at any point and is then called again: the row "key.rotation" of the installation tells that one is under way
// and which key it began from, so that no second key is made; what was sealed anew is known by the key's id before it.
type Rotation struct {
	Store  *store.Store
	Keeper *secret.Keeper
	Places []Place
	Batch  int           // rows sealed anew in one transaction; 100 where 0
	Lease  time.Duration // for how long a killed one stands in the way of the next; 10 s where 0
	// Patience is how long is waited for the servers that run to see a new key; 20 s where 0.
	Patience time.Duration
	Told     func(what string, done int)
	// Leave goes on although some of what is sealed does not open.
	Leave bool
}

// KeyUse is a key and what it sealed.
type KeyUse struct {
	ID    secret.KeyID   `json:"-"`
	Name  string         `json:"key"` // the id in hex
	Seals bool           `json:"seals"`
	Held  bool           `json:"held"` // Tocsin has it
	Uses  int            `json:"uses"`
	What  map[string]int `json:"what"` // uses by place
}

// Report is what is sealed with what, and what a rotation did.
type Report struct {
	Keys     []KeyUse       `json:"keys"`               // the one that seals first
	Began    time.Time      `json:"began,omitzero"`     // of the last rotation
	Ended    time.Time      `json:"ended,omitzero"`     // zero while it is under way
	Given    bool           `json:"given"`              // the keys are given to Tocsin, and not kept by it
	Servers  []string       `json:"servers"`            // that run and hold a key, by name
	Made     secret.KeyID   `json:"-"`                  // the key that was made now; 0 for none
	Resumed  bool           `json:"resumed,omitempty"`  // one that was cut short was finished
	Resealed int            `json:"resealed,omitempty"` // now
	Unopened []string       `json:"unopened,omitempty"` // what did not open, one by one, at most twenty
	Removed  []secret.KeyID `json:"-"`
}

// Removable are the keys that Tocsin holds, that do not seal, and that nothing needs any more.
func (r *Report) Removable() (out []KeyUse) {
	for _, k := range r.Keys {
		if k.Held && !k.Seals && k.Uses == 0 {
			out = append(out, k)
		}
	}
	return out
}

// progress is the row of the installation.
type progress struct {
	From  secret.KeyID `json:"from"` // the key that sealed when it began
	Began int64        `json:"began"`
	Ended int64        `json:"ended,omitempty"`
}

const (
	rotationRow   = "key.rotation"
	rotationLease = "key"
	serverLease   = "keys/" // and the server's name; the owner is its keys
)

// Status says which keys there are and what each sealed, and changes nothing.
func (r *Rotation) Status(ctx context.Context) (Report, error) {
	var out Report
	if err := r.Keeper.Refresh(); err != nil {
		return out, err
	}
	out.Given, out.Servers = !r.Keeper.Own(), []string{}
	uses := map[secret.KeyID]*KeyUse{}
	keys := r.Keeper.Keys()
	for i, id := range keys {
		uses[id] = &KeyUse{ID: id, Name: id.String(), Seals: i == 0, Held: true, What: map[string]int{}}
	}
	err := r.each(ctx, func(p *Place, batch []row) (int, error) {
		for _, row := range batch {
			id, _ := secret.KeyOf(row.sealed)
			if uses[id] == nil {
				uses[id] = &KeyUse{ID: id, Name: id.String(), What: map[string]int{}}
				keys = append(keys, id)
			}
			uses[id].Uses++
			uses[id].What[p.What]++
		}
		return 0, nil
	})
	for _, id := range keys {
		out.Keys = append(out.Keys, *uses[id])
	}
	if err != nil {
		return out, err
	}
	at, err := r.progress(ctx)
	if err != nil {
		return out, err
	}
	out.Began, out.Ended = tocsin.FromMillis(at.Began), tocsin.FromMillis(at.Ended)
	servers, err := r.servers(ctx)
	for _, s := range servers {
		out.Servers = append(out.Servers, s.name)
	}
	return out, err
}

// Run rotates. Where the key lies in a file of Tocsin's a new one is made, unless a rotation that was cut short is to be finished;
// where it is given, the first of those given seals, and what others sealed is sealed with it.
func (r *Rotation) Run(ctx context.Context) (Report, error) {
	var out Report
	err := r.alone(ctx, func(guard func(*store.Tx) error) error {
		before, err := r.Status(ctx)
		if err != nil {
			return err
		}
		out = before
		if err := r.opens(&before); err != nil {
			return err
		}
		at, err := r.progress(ctx)
		if err != nil {
			return err
		}
		out.Resumed = at.Began > 0 && at.Ended == 0
		if !out.Resumed {
			if !r.Keeper.Own() && !older(&before) {
				return r.Keeper.NotOurs()
			}
			at = progress{From: before.Keys[0].ID, Began: tocsin.Millis(r.Store.Clock().Now())}
			if err := r.note(ctx, guard, at); err != nil {
				return err
			}
		}
		if r.Keeper.Own() && r.Keeper.Keys()[0] == at.From {
			if out.Made, err = r.rotate(ctx, guard, at.From); err != nil {
				return err
			}
		}
		if err := r.seen(ctx); err != nil {
			return err
		}
		if out.Resealed, out.Unopened, err = r.reseal(ctx, guard); err != nil {
			return err
		}
		at.Ended = tocsin.Millis(r.Store.Clock().Now())
		if err := r.note(ctx, guard, at); err != nil {
			return err
		}
		after, err := r.Status(ctx)
		out.Keys, out.Began, out.Ended, out.Servers = after.Keys, after.Began, after.Ended, after.Servers
		return err
	})
	return out, err
}

// rotate makes a new key, unless another has made it meanwhile. It happens while the lease's row is held, which nobody takes over until
// the key is in its file: of two who each made one, one would seal with a key that the file does not have.
func (r *Rotation) rotate(ctx context.Context, guard func(*store.Tx) error, from secret.KeyID) (made secret.KeyID, err error) {
	return made, r.Store.Update(ctx, func(tx *store.Tx) error {
		if err := guard(tx); err != nil {
			return err
		}
		if err := r.Keeper.Refresh(); err != nil {
			return err
		}
		if r.Keeper.Keys()[0] != from {
			return nil
		}
		if err := r.Keeper.Rotate(); err != nil {
			return err
		}
		made = r.Keeper.Keys()[0]
		return nil
	})
}

// older says whether something is sealed with another key than the one that seals.
func older(rep *Report) bool {
	return slices.ContainsFunc(rep.Keys, func(k KeyUse) bool { return !k.Seals && k.Uses > 0 })
}

// opens refuses to begin where something is sealed with a key that Tocsin does not have here: the settings are not the server's.
func (r *Rotation) opens(rep *Report) error {
	lost := 0
	for _, k := range rep.Keys {
		if !k.Held {
			lost += k.Uses
		}
	}
	if lost == 0 || r.Leave {
		return nil
	}
	return tocsin.Problemf(tocsin.Invalid, "Give the same settings as the server has (--config, the environment). If that key is lost, enter these credentials again, or leave them with --leave-unopened.",
		"%s sealed with a key that is not here.", counted(lost, "secret is", "secrets are"))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Retire removes the keys that nothing is sealed with from the key file, after it has sealed anew what an older one still sealed.
func (r *Rotation) Retire(ctx context.Context) (Report, error) {
	var out Report
	if !r.Keeper.Own() {
		return out, tocsin.Problemf(tocsin.Invalid, "Have every server start with the new key alone.", "The key is given to Tocsin, so Tocsin cannot remove the old one.")
	}
	err := r.alone(ctx, func(guard func(*store.Tx) error) error {
		at, err := r.progress(ctx)
		if err != nil {
			return err
		}
		if at.Began > 0 && at.Ended == 0 {
			return tocsin.Problemf(tocsin.Conflict, "Run tocsin key rotate, which finishes it.", "A rotation was cut short.")
		}
		if wait := settle - r.Store.Clock().Now().Sub(tocsin.FromMillis(at.Ended)); at.Ended > 0 && wait > 0 {
			return tocsin.Problemf(tocsin.Conflict, "Try again in "+wait.Round(time.Second).String()+".", "The key was rotated a moment ago, and a server may be about to store what it sealed with the old one.")
		}
		if err := r.Keeper.Refresh(); err != nil {
			return err
		}
		if err := r.seen(ctx); err != nil {
			return err
		}
		if out.Resealed, out.Unopened, err = r.reseal(ctx, guard); err != nil {
			return err
		}
		rep, err := r.Status(ctx)
		if err != nil {
			return err
		}
		for _, k := range rep.Keys {
			if k.Held && !k.Seals && k.Uses > 0 {
				return tocsin.Problemf(tocsin.Conflict, "Enter these again, then run tocsin key retire again: "+strings.Join(out.Unopened, ", ")+".", "Something is sealed with the key %s and does not open.", k.ID)
			}
		}
		for _, k := range rep.Removable() {
			out.Removed = append(out.Removed, k.ID)
		}
		if len(out.Removed) > 0 {
			if err := r.Keeper.Retire(); err != nil {
				return err
			}
		}
		rep, err = r.Status(ctx)
		out.Keys, out.Began, out.Ended, out.Servers = rep.Keys, rep.Began, rep.Ended, rep.Servers
		return err
	})
	return out, err
}

// settle is how long after a rotation the old key may still be needed by what a server had sealed and not stored.
const settle = 2 * time.Minute

// alone runs do under the lease; guard keeps a transaction from being committed by one who has lost it.
func (r *Rotation) alone(ctx context.Context, do func(guard func(*store.Tx) error) error) error {
	owner, d := tocsin.NewID(), r.Lease
	if d <= 0 {
		d = 10 * time.Second
	}
	until := time.Now().Add(d + time.Second)
	var epoch int64
	for {
		at, ok, err := r.Store.Lease(ctx, rotationLease, owner, d)
		if err != nil {
			return err
		}
		if epoch = at; ok {
			break
		}
		if time.Now().After(until) {
			return tocsin.Problemf(tocsin.Conflict, "Wait until it ends.", "The key is being rotated by another.")
		}
		if err := pause(ctx, d/10); err != nil {
			return err
		}
	}
	err := do(func(tx *store.Tx) error { return tx.Guard(ctx, rotationLease, owner, epoch) })
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if lost := errors.Is(err, store.ErrLost); lost {
		err = tocsin.Problemf(tocsin.Conflict, "Run it again when the other has ended.", "Another took the rotation over.")
	}
	if left := r.Store.Release(release, rotationLease, owner); release.Err() == nil { // else the lease ends by itself
		err = errors.Join(err, left)
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (r *Rotation) progress(ctx context.Context) (at progress, err error) {
	err = r.Store.View(ctx, func(tx *store.Tx) error {
		var text string
		err := tx.QueryRow(ctx, `select value from installation where key = $1`, rotationRow).Scan(&text)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &at)
	})
	return at, err
}

func (r *Rotation) note(ctx context.Context, guard func(*store.Tx) error, at progress) error {
	text, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return r.Store.Update(ctx, func(tx *store.Tx) error {
		if err := guard(tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into installation (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value`, rotationRow, string(text))
		return err
	})
}

// reseal seals anew what older keys sealed. What does not open is left and named.
func (r *Rotation) reseal(ctx context.Context, guard func(*store.Tx) error) (done int, unopened []string, err error) {
	newest := r.Keeper.Keys()[0]
	err = r.each(ctx, func(p *Place, batch []row) (int, error) {
		n := 0
		batch = slices.DeleteFunc(batch, func(w row) bool { id, ok := secret.KeyOf(w.sealed); return ok && id == newest })
		for i := range batch {
			w := &batch[i]
			out, fresh, err := r.Keeper.Reseal(w.sealed, p.About(w.tenant, w.key))
			if err != nil {
				if len(unopened) < 20 {
					unopened = append(unopened, strings.TrimSpace(p.What+": "+strings.TrimSpace(string(w.tenant)+" "+w.key)))
				}
				continue
			}
			if fresh {
				w.anew = out
			}
		}
		err := r.Store.Update(store.Patient(ctx), func(tx *store.Tx) error {
			n = 0
			if err := guard(tx); err != nil {
				return err
			}
			for i := range batch {
				if batch[i].anew == nil {
					continue
				}
				changed, err := p.put(ctx, tx, &batch[i])
				if err != nil {
					return err
				}
				n += int(changed) // who has entered another meanwhile has sealed it with the new key
			}
			return nil
		})
		done += n
		if r.Told != nil && n > 0 {
			r.Told(p.What, n)
		}
		return n, err
	})
	return done, unopened, err
}

// row is a sealed secret where it lies.
type row struct {
	tenant       tocsin.TenantID
	key          string
	value        []byte // of the column
	sealed, anew []byte
}

// each gives all that is sealed, in batches.
func (r *Rotation) each(ctx context.Context, take func(*Place, []row) (int, error)) error {
	tenants, err := r.tenants(ctx)
	if err != nil {
		return err
	}
	for i := range r.Places {
		p := &r.Places[i]
		of := []tocsin.TenantID{""}
		if p.Tenant {
			of = tenants
		}
		for _, tenant := range of {
			for after, more := "", true; more; {
				var batch []row
				if err := r.Store.View(ctx, func(tx *store.Tx) (err error) {
					batch, after, more, err = p.some(ctx, tx, tenant, after, max(r.Batch, 0))
					return err
				}); err != nil {
					return err
				}
				if len(batch) == 0 {
					continue
				}
				if _, err := take(p, batch); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *Rotation) tenants(ctx context.Context) ([]tocsin.TenantID, error) {
	out := []tocsin.TenantID{"*"}
	err := r.Store.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `select tenant from tenant order by tenant`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id tocsin.TenantID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			out = append(out, id)
		}
		return rows.Err()
	})
	return out, err
}

// some are up to n rows behind a key that hold something sealed; next is where to go on.
func (p *Place) some(ctx context.Context, tx *store.Tx, tenant tocsin.TenantID, after string, n int) (out []row, next string, more bool, err error) {
	if n == 0 {
		n = 100
	}
	read := func(rows interface {
		Next() bool
		Scan(...any) error
		Err() error
		Close() error
	}) error {
		defer rows.Close()
		seen := 0
		for rows.Next() {
			w := row{tenant: tenant}
			if err := rows.Scan(&w.key, &w.value); err != nil {
				return err
			}
			seen++
			next = w.key
			ok := len(w.value) > 0
			if w.sealed = w.value; ok && p.Cut != nil {
				w.sealed, ok = p.Cut(string(w.value))
			}
			if ok {
				out = append(out, w)
			}
		}
		more = seen == n
		return rows.Err()
	}
	if p.Tenant {
		rows, err := tx.Tenant(tenant).Query(ctx, `select `+p.Key+`, `+p.Column+` from `+p.Table+` where tenant = $1 and `+p.Key+` > $2 order by `+p.Key+` limit $3`, after, n)
		if err != nil {
			return nil, "", false, err
		}
		err = read(rows)
		return out, next, more, err
	}
	rows, err := tx.Query(ctx, `select `+p.Key+`, `+p.Column+` from `+p.Table+` where `+p.Key+` > $1 order by `+p.Key+` limit $2`, after, n)
	if err != nil {
		return nil, "", false, err
	}
	err = read(rows)
	return out, next, more, err
}

// put writes what was sealed anew, unless the row is another by now.
func (p *Place) put(ctx context.Context, tx *store.Tx, w *row) (int64, error) {
	var was, now any = bytes.Clone(w.value), w.anew
	if p.Put != nil {
		was, now = string(w.value), p.Put(string(w.value), w.anew)
	}
	if p.Tenant {
		return tx.Tenant(w.tenant).Exec(ctx, `update `+p.Table+` set `+p.Column+` = $2 where tenant = $1 and `+p.Key+` = $3 and `+p.Column+` = $4`, now, w.key, was)
	}
	return tx.Exec(ctx, `update `+p.Table+` set `+p.Column+` = $1 where `+p.Key+` = $2 and `+p.Column+` = $3`, now, w.key, was)
}
