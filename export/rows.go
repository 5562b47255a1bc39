package export

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

var errNoExport = tocsin.Problemf(tocsin.NotFound, "Look at tocsin exports list.", "There is no such export.")

// Create makes an export, which begins with what comes from now on. The signing secret of a webhook is given this once.
func (x *Exports) Create(ctx context.Context, t *store.Tenant, actor, kind string, s Settings, given Given) (e Export, secret string, err error) {
	if !slices.Contains(Kinds, kind) {
		return e, "", tocsin.Problemf(tocsin.Invalid, "Use webhook, syslog, file, nats or kafka.", "There is no kind of export %q.", kind)
	}
	k := keys{URL: s.Address}
	given.into(&k)
	if err := x.check(kind, &s, &k); err != nil {
		return e, "", err
	}
	now := x.Store.Clock().Now()
	e = Export{Tenant: t.ID(), ID: tocsin.NewID(), Kind: kind, Settings: s, State: Running, DoneAt: now, Created: now, CreatedBy: actor, Version: 1}
	if kind == Webhook {
		secret = notify.NewSecret()
		k.Secret = secret
	}
	if e.sealed, err = x.seal(e.Tenant, e.ID, k); err != nil {
		return e, "", err
	}
	if e.Done, err = t.Want(ctx, true); err != nil {
		return e, "", err
	}
	e.Last = e.Done
	if !given.From.IsZero() {
		if given.From.After(now) {
			return e, "", invalid("Give a time that is past, or none to begin with what comes.", "The past cannot begin at a time that is to come.")
		}
		e.BackFrom, e.BackTo, e.BackAt = given.From, now.Add(skew), given.From
	}
	text, err := json.Marshal(e.Settings)
	if err != nil {
		return e, "", err
	}
	_, err = t.Exec(ctx, `insert into export (tenant, id, kind, name, settings, sealed, state, done, done_at, created, created_by, back_from, back_to, back_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13)`,
		e.ID, e.Kind, e.Name, string(text), e.sealed, e.State, e.Done, now, actor, e.BackFrom, e.BackTo, e.BackAt)
	if err != nil {
		return e, "", err
	}
	return e, secret, tell(ctx, t, e.ID, actor)
}

func tell(ctx context.Context, t *store.Tenant, id, actor string) error {
	return t.Append(ctx, store.Fact{Kind: "export.changed", Subject: id, Actor: actor})
}

// Edit changes the version of an export that was looked at. An empty address keeps the one there is. A credential or a key is
// kept only for where it was entered for: whoever may change the export may not thereby have it sent to himself. What failed
// is tried again at once.
func (x *Exports) Edit(ctx context.Context, t *store.Tenant, actor, id string, version int64, s Settings, given Given) (Export, error) {
	e, err := lock(ctx, t, id, version)
	if err != nil {
		return e, err
	}
	k, err := x.keysOf(&e)
	if err != nil {
		return e, err
	}
	was, checker := k, *x
	if s.Address != "" && s.Address != e.Address {
		k.URL = s.Address
	} else { // it was checked when it was entered, and is when it is dialled
		checker.Guard = &dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	}
	s.Address = k.URL
	given.into(&k)
	if err := checker.check(e.Kind, &s, &k); err != nil {
		return e, err
	}
	if elsewhere(was.URL, k.URL) || s.SASL == "plain" && e.SASL != "plain" {
		switch {
		case was.Credential != "" && given.Credential == "":
			return e, invalid("Enter it again, or - for none.", "The credential was entered for another address, or for a better protected one: it is not sent to this one.")
		case was.Cert != "" && given.Certificate == "":
			return e, invalid("Enter it again with its key, or - for none.", "The certificate was entered for another address, or for a better protected one: it is not shown to this one.")
		}
	}
	if e.sealed, err = x.seal(e.Tenant, e.ID, k); err != nil {
		return e, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return e, err
	}
	_, err = t.Exec(ctx, `update export set name = $3, settings = $4, sealed = $5, next = 0 where tenant = $1 and id = $2`, id, s.Name, string(text), e.sealed)
	if err != nil {
		return e, err
	}
	if err := tell(ctx, t, id, actor); err != nil {
		return e, err
	}
	return Get(ctx, t, id)
}

// elsewhere says whether an address leads to a receiver that another does not, or leads there with less protection.
func elsewhere(was, now string) bool {
	split := func(address string) (scheme string, hosts []string) {
		scheme, rest, _ := strings.Cut(strings.ToLower(address), "://")
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			rest = rest[:i]
		}
		return scheme, strings.Split(rest, ",")
	}
	scheme, hosts := split(was)
	to, others := split(now)
	return to != scheme && to != "tls" || slices.ContainsFunc(others, func(h string) bool { return !slices.Contains(hosts, h) })
}

// lock takes the version that was looked at, raising it; version 0 takes whichever there is.
func lock(ctx context.Context, t *store.Tenant, id string, version int64) (Export, error) {
	n, err := t.Exec(ctx, `update export set version = version + 1 where tenant = $1 and id = $2 and (version = $3 or $3 = 0)`, id, version)
	if err != nil {
		return Export{}, err
	}
	e, err := Get(ctx, t, id)
	if err == nil && n == 0 {
		return e, tocsin.Problemf(tocsin.Conflict, "Look at it again and repeat what you meant.", "Somebody has changed the export meanwhile.")
	}
	return e, err
}

// Pause stops an export, or lets it go on from where it stands. What comes meanwhile waits, until it is deleted.
func (x *Exports) Pause(ctx context.Context, t *store.Tenant, actor, id string, paused bool) (Export, error) {
	if _, err := lock(ctx, t, id, 0); err != nil {
		return Export{}, err
	}
	state, because, mend := Running, "", ""
	if paused {
		state, because, mend = Paused, "Paused by "+actor+".", "Resume it when it is to go on."
	}
	if _, err := t.Exec(ctx, `update export set state = $3, because = $4, mend = $5, failures = 0, failed = 0, next = 0 where tenant = $1 and id = $2`, id, state, because, mend); err != nil {
		return Export{}, err
	}
	if err := tell(ctx, t, id, actor); err != nil {
		return Export{}, err
	}
	return Get(ctx, t, id)
}

// Rotate gives a webhook a new signing secret, told this once; the old one signs beside it for a day.
func (x *Exports) Rotate(ctx context.Context, t *store.Tenant, actor, id string) (e Export, secret string, until time.Time, err error) {
	if e, err = lock(ctx, t, id, 0); err != nil {
		return e, "", until, err
	}
	if e.Kind != Webhook {
		return e, "", until, tocsin.Problemf(tocsin.Invalid, "Give it another credential, if the old one may be known to others.", "Only a webhook has a signing secret.")
	}
	k, err := x.keysOf(&e)
	if err != nil {
		return e, "", until, err
	}
	until = x.Store.Clock().Now().Add(notify.Overlap)
	secret = notify.NewSecret()
	k.Old, k.OldUntil, k.Secret = k.Secret, tocsin.Millis(until), secret
	if e.sealed, err = x.seal(e.Tenant, e.ID, k); err != nil {
		return e, "", until, err
	}
	if _, err = t.Exec(ctx, `update export set sealed = $3 where tenant = $1 and id = $2`, id, e.sealed); err != nil {
		return e, "", until, err
	}
	return e, secret, until, tell(ctx, t, id, actor)
}

// Delete forgets an export. After the last of a tenant nothing is noted for exports any more.
func (x *Exports) Delete(ctx context.Context, t *store.Tenant, actor, id string) error {
	n, err := t.Exec(ctx, `delete from export where tenant = $1 and id = $2`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return errNoExport
	}
	for _, table := range []string{"export_refused", "export_back"} {
		if _, err := t.Exec(ctx, `delete from `+table+` where tenant = $1 and export = $2`, id); err != nil {
			return err
		}
	}
	var left int
	if err := t.QueryRow(ctx, `select count(*) from export where tenant = $1`).Scan(&left); err != nil {
		return err
	}
	if left == 0 {
		if _, err := t.Want(ctx, false); err != nil {
			return err
		}
	}
	return tell(ctx, t, id, actor)
}

const columns = `e.id, e.kind, e.name, e.settings, e.sealed, e.state, e.because, e.mend, e.done, e.done_at, e.sent, e.sent_at, e.failures, e.failed, e.next, e.buried, e.lost, e.lost_from, e.lost_to,
	e.created, e.created_by, e.version, e.trouble, e.back_from, e.back_to, e.back_at, e.back_id, e.back_place, e.back_sent, coalesce(p.last, 0), coalesce((select r.at from export_run r where r.tenant = e.tenant and r.last > e.done order by r.last limit 1), 0)
	from export e left join export_place p on p.tenant = e.tenant where e.tenant = $1`

// Get is an export of the tenant.
func Get(ctx context.Context, t *store.Tenant, id string) (Export, error) {
	list, err := exports(ctx, t, `select `+columns+` and e.id = $2`, id)
	if err == nil && len(list) == 0 {
		err = errNoExport
	}
	if err != nil {
		return Export{}, err
	}
	return list[0], nil
}

// List are the tenant's exports, in the order they were made.
func List(ctx context.Context, t *store.Tenant) ([]Export, error) {
	return exports(ctx, t, `select `+columns+` order by e.id`)
}

func exports(ctx context.Context, t *store.Tenant, q string, args ...any) ([]Export, error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Export
	for rows.Next() {
		e := Export{Tenant: t.ID()}
		var settings string
		var doneAt, sentAt, failed, next, lostFrom, lostTo, created, since, backFrom, backTo, backAt int64
		if err := rows.Scan(&e.ID, &e.Kind, &e.Name, &settings, &e.sealed, &e.State, &e.Because, &e.Mend, &e.Done, &doneAt, &e.Sent, &sentAt, &e.Failures, &failed, &next, &e.Refused,
			&e.Lost, &lostFrom, &lostTo, &created, &e.CreatedBy, &e.Version, &e.Trouble, &backFrom, &backTo, &backAt, &e.backID, &e.backPlace, &e.BackSent, &e.Last, &since); err != nil {
			return nil, err
		}
		name := e.Name
		if err := json.Unmarshal([]byte(settings), &e.Settings); err != nil {
			return nil, err
		}
		if e.Name = name; e.Kind == File {
			e.Address = string(e.Tenant) + "/" + e.ID // under exports.directory
		}
		e.DoneAt, e.SentAt, e.Failed, e.Next = tocsin.FromMillis(doneAt), tocsin.FromMillis(sentAt), tocsin.FromMillis(failed), tocsin.FromMillis(next)
		e.LostFrom, e.LostTo, e.Created = tocsin.FromMillis(lostFrom), tocsin.FromMillis(lostTo), tocsin.FromMillis(created)
		e.BackFrom, e.BackTo, e.BackAt = tocsin.FromMillis(backFrom), tocsin.FromMillis(backTo), tocsin.FromMillis(backAt)
		if e.Behind = max(0, e.Last-e.Done); e.Behind > 0 {
			e.Since = tocsin.FromMillis(since)
			if since == 0 {
				e.Since = e.DoneAt // what lay behind it is deleted
			}
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// All are the exports of every tenant.
func (x *Exports) All(ctx context.Context) (out []Export, err error) {
	err = x.Store.View(ctx, func(tx *store.Tx) error {
		owners, err := owners(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range owners {
			list, err := List(ctx, tx.Tenant(id))
			if err != nil {
				return err
			}
			out = append(out, list...)
		}
		return nil
	})
	return out, err
}

// owners are the tenants that have exports.
func owners(ctx context.Context, tx *store.Tx) ([]tocsin.TenantID, error) {
	rows, err := tx.Query(ctx, `select distinct tenant from export order by tenant`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []tocsin.TenantID
	for rows.Next() {
		var id tocsin.TenantID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}
