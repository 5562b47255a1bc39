// Package evidence keeps mails as they were read, sealed, and notes every look at a mail's content.
//
// A mail is encrypted with a key of its own, which is sealed as credentials are; the SHA-256 of its plain bytes stands beside it and is
// compared at each opening, so what comes out is what went in, or nothing. Who looked, when and why stands in table evidence_look:
// the chain of custody of a case.
package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// Most is how large a mail that is kept may be, in bytes: Exchange Online takes up to 150 MB, and encodes a third on top.
const Most = 200 << 20

// Keeper is what seals, and opens: [tocsin.dev/secret.Keeper].
type Keeper interface {
	Envelope(plain []byte, about string) (sealed, body []byte, err error)
	OpenEnvelope(sealed, body []byte, about string) ([]byte, error)
}

// Item is a mail that is kept.
type Item struct {
	ID                string
	At                time.Time
	By                string // who had it kept; empty: Tocsin itself
	Reason            string
	Origin            string // report or match
	OriginID          string // the report's or the investigation's
	Person            tocsin.PersonID
	Message           string // Graph's immutable id
	InternetMessageID string
	Sender            string
	Subject           string
	Received          time.Time
	SHA256            string
	Size              int64
}

// Where what is kept came from.
const (
	FromReport = "report"
	FromMatch  = "match"
)

// Look is a look at a mail's content.
type Look struct {
	At       time.Time
	Evidence string // empty: a message was looked at in its mailbox
	Origin   string
	OriginID string
	Person   tocsin.PersonID
	Message  string
	Who      string
	Reason   string
	What     string // shown, kept, downloaded
}

// What is done with a mail's content.
const (
	Shown      = "shown"
	Kept       = "kept"
	Downloaded = "downloaded"
)

// Keep seals a mail and writes it down, in this transaction, with the look that it is. The same mail of the same origin is kept once: the
// item that there is comes back.
func Keep(ctx context.Context, t *store.Tenant, k Keeper, it Item, raw []byte) (Item, error) {
	if len(raw) > Most {
		return it, tocsin.Problemf(tocsin.Invalid, "Export it from the mailbox.", "The mail is larger than %d MB, which is the most that is kept.", Most>>20)
	}
	sum := sha256.Sum256(raw)
	it.SHA256, it.Size = hex.EncodeToString(sum[:]), int64(len(raw))
	var had string
	err := t.QueryRow(ctx, `select id from evidence where tenant = $1 and origin = $2 and origin_id = $3 and person = $4 and message = $5 and sha256 = $6`,
		it.Origin, it.OriginID, string(it.Person), it.Message, it.SHA256).Scan(&had)
	if err == nil {
		return Get(ctx, t, had)
	}
	if !errors.Is(err, store.ErrNone) {
		return it, err
	}
	it.ID, it.At = tocsin.NewID(), t.Tx().Clock().Now()
	sealed, body, err := k.Envelope(raw, about(t.ID(), it.ID))
	if err != nil {
		return it, err
	}
	_, err = t.Exec(ctx, `insert into evidence (tenant, id, at, kept_by, reason, origin, origin_id, person, message, internet_message_id, sender, subject, received, sha256, size, sealed, body)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		it.ID, it.At, it.By, it.Reason, it.Origin, it.OriginID, string(it.Person), it.Message, it.InternetMessageID, it.Sender, it.Subject, tocsin.Millis(it.Received), it.SHA256, it.Size, sealed, body)
	if err != nil {
		return it, err
	}
	return it, Note(ctx, t, Look{Evidence: it.ID, Origin: it.Origin, OriginID: it.OriginID, Person: it.Person, Message: it.Message, Who: it.By, Reason: it.Reason, What: Kept})
}

const columns = `id, at, kept_by, reason, origin, origin_id, person, message, internet_message_id, sender, subject, received, sha256, size`

// scan reads the columns of an item, and more behind them.
func (it *Item) scan(scan func(...any) error, more ...any) error {
	var at, received int64
	err := scan(append([]any{&it.ID, &at, &it.By, &it.Reason, &it.Origin, &it.OriginID, &it.Person, &it.Message, &it.InternetMessageID, &it.Sender, &it.Subject, &received, &it.SHA256, &it.Size}, more...)...)
	it.At, it.Received = tocsin.FromMillis(at), tocsin.FromMillis(received)
	return err
}

var none = tocsin.Problemf(tocsin.NotFound, "Look at the list of evidence.", "There is no such evidence.")

// Get is what is kept under an id, unopened.
func Get(ctx context.Context, t *store.Tenant, id string) (it Item, err error) {
	err = it.scan(t.QueryRow(ctx, `select `+columns+` from evidence where tenant = $1 and id = $2`, id).Scan)
	if errors.Is(err, store.ErrNone) {
		return it, none
	}
	return it, err
}

// Open gives the mail that is kept under an id. Where it is not what was sealed, the problem says so.
func Open(ctx context.Context, t *store.Tenant, k Keeper, id string) (it Item, raw []byte, err error) {
	var sealed, body []byte
	err = it.scan(t.QueryRow(ctx, `select `+columns+`, sealed, body from evidence where tenant = $1 and id = $2`, id).Scan, &sealed, &body)
	if errors.Is(err, store.ErrNone) {
		return it, nil, none
	}
	if err != nil {
		return it, nil, err
	}
	if raw, err = k.OpenEnvelope(sealed, body, about(t.ID(), id)); err != nil {
		return it, nil, err
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != it.SHA256 {
		return it, nil, tocsin.Problemf(tocsin.Internal, "Look for a copy in the mailbox, and for who can write to the database.", "What is kept is not what was sealed: its SHA-256 is another.")
	}
	return it, raw, nil
}

// List is what is kept, the newest first: of an origin, and of one of it, where they are not empty; behind the id after.
func List(ctx context.Context, t *store.Tenant, origin, of, after string, limit int) (out []Item, err error) {
	rows, err := t.Query(ctx, `select `+columns+` from evidence where tenant = $1 and ($2 = '' or origin = $2) and ($3 = '' or origin_id = $3) and ($4 = '' or id < $4) order by id desc limit $5`, origin, of, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var it Item
		if err := it.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, rows.Err()
}

// Note writes a look down, in the transaction in which it is had.
func Note(ctx context.Context, t *store.Tenant, l Look) error {
	_, err := t.Exec(ctx, `insert into evidence_look (tenant, id, evidence, origin, origin_id, person, message, at, who, reason, what) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tocsin.NewID(), l.Evidence, l.Origin, l.OriginID, string(l.Person), l.Message, t.Tx().Clock().Now(), l.Who, strings.TrimSpace(l.Reason), l.What)
	return err
}

// Looks are the looks at what came from a report or an investigation, the newest first.
func Looks(ctx context.Context, t *store.Tenant, origin, of string, limit int) (out []Look, err error) {
	rows, err := t.Query(ctx, `select at, evidence, origin, origin_id, person, message, who, reason, what from evidence_look where tenant = $1 and origin = $2 and origin_id = $3 order by id desc limit $4`, origin, of, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l Look
		var at int64
		if err := rows.Scan(&at, &l.Evidence, &l.Origin, &l.OriginID, &l.Person, &l.Message, &l.Who, &l.Reason, &l.What); err != nil {
			return nil, err
		}
		l.At = tocsin.FromMillis(at)
		out = append(out, l)
	}
	return out, rows.Err()
}

// about binds what is kept to its row.
func about(tenant tocsin.TenantID, id string) string { return string(tenant) + "|evidence|" + id }

// Sealed is where the keys of what is kept lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{What: "keys of evidence", Table: "evidence", Key: "id", Column: "sealed", Tenant: true, About: about}}
}
