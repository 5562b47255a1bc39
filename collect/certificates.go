package collect

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/secret"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// Certificates are those for which Graph encrypts what changed: the installation makes them itself, seals their keys, and
// puts a new one in the place of each long before it ends. Several are alive at once, since what was encrypted for an older
// one may still come. All replicas have the same.
// https://learn.microsoft.com/graph/change-notifications-with-resource-data#creating-a-subscription
type Certificates struct {
	Store  *store.Store
	Keeper *secret.Keeper

	mu     sync.Mutex
	keys   map[string]*rsa.PrivateKey
	newest Certificate
	looked time.Time // by the system's clock
	absent map[string]time.Time
}

// Certificate is what Graph is given.
type Certificate struct {
	ID       string
	Public   string // base64 of the DER
	Made     time.Time
	Expires  time.Time
	Replaced time.Time // zero: it is the newest
}

const (
	// certificateUse is for how long a certificate is the newest, and certificateLife until when it says that it holds:
	// nothing comes under it any more by then.
	certificateUse  = 30 * 24 * time.Hour
	certificateLife = 90 * 24 * time.Hour

	// graphRepeats is for how long Graph sends what was not taken, and certificateSlack what else may lie between two clocks.
	graphRepeats     = 4 * time.Hour
	certificateSlack = time.Hour

	certificateLook = 10 * time.Second // what another replica made is seen within
	certificateBits = 2048
)

// CertificateUse is for how long a certificate is the newest.
const CertificateUse = certificateUse

func aboutCertificate(id string) string { return "certificate|" + id }

// SealedCertificates is where the certificates' keys lie, for a key that is replaced.
func SealedCertificates() reseal.Place {
	return reseal.Place{What: "keys of certificates for rich notifications", Table: "certificate", Key: "id", Column: "sealed",
		About: func(_ tocsin.TenantID, id string) string { return aboutCertificate(id) }}
}

// Newest is the certificate that a subscription is to be made or renewed with; one is made where there is none, or where the
// newest has been in use for long enough.
func (c *Certificates) Newest(ctx context.Context) (Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Store.Clock().Now()
	if c.fresh(now) && time.Since(c.looked) < certificateLook {
		return c.newest, nil
	}
	if err := c.read(ctx); err != nil {
		return Certificate{}, err
	}
	if c.fresh(now) {
		_, err := c.key(ctx, c.newest.ID)
		if _, shut := errors.AsType[*tocsin.Problem](err); !shut {
			return c.newest, err
		}
		// Its key does not open any more: what is encrypted for it helps nobody.
	}
	return c.make(ctx, now)
}

func (c *Certificates) fresh(now time.Time) bool {
	return c.newest.ID != "" && now.Before(c.newest.Made.Add(certificateUse)) && !now.Before(c.newest.Made.Add(-certificateUse))
}

// Replace puts a new certificate in the place of the one of this id, whatever its age, if that is the newest; subscriptions
// take it up as they are renewed, which is made due.
func (c *Certificates) Replace(ctx context.Context, old string) (Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(ctx); err != nil {
		return Certificate{}, err
	}
	if c.newest.ID != old {
		return c.newest, nil // somebody was quicker
	}
	made, err := c.make(ctx, c.Store.Clock().Now())
	if err != nil {
		return made, err
	}
	return made, c.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := tenants(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range all {
			t := tx.Tenant(id)
			n, err := t.Exec(ctx, `update subscription set due = 0 where tenant = $1 and state = 'on' and made = 'rich' and certificate <> $2`, made.ID)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'subscriptions'`); err != nil {
				return err
			}
			if err := t.Append(ctx, store.Fact{Kind: "subscription.changed"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// read reads which is the newest.
func (c *Certificates) read(ctx context.Context) error {
	list, err := c.list(ctx, `where replaced = 0 order by made desc, id limit 1`)
	if err != nil {
		return err
	}
	c.newest, c.looked = Certificate{}, time.Now()
	if len(list) > 0 {
		c.newest = list[0]
	}
	return nil
}

// List gives them all, the newest first.
func (c *Certificates) List(ctx context.Context) ([]Certificate, error) {
	return c.list(ctx, `order by made desc, id`)
}

func (c *Certificates) list(ctx context.Context, which string) (out []Certificate, err error) {
	err = c.Store.View(ctx, func(tx *store.Tx) error {
		out = out[:0]
		rows, err := tx.Query(ctx, `select id, public, made, expires, replaced from certificate `+which)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one Certificate
			var made, expires, replaced int64
			if err := rows.Scan(&one.ID, &one.Public, &made, &expires, &replaced); err != nil {
				return err
			}
			one.Made, one.Expires, one.Replaced = tocsin.FromMillis(made), tocsin.FromMillis(expires), tocsin.FromMillis(replaced)
			out = append(out, one)
		}
		return rows.Err()
	})
	return out, err
}

// make makes a new certificate in the place of the newest that was read, unless another replica has done so meanwhile: then
// that one is it.
func (c *Certificates) make(ctx context.Context, now time.Time) (Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, certificateBits)
	if err != nil {
		return Certificate{}, fmt.Errorf("make a key for rich notifications: %w", err)
	}
	made := Certificate{ID: tocsin.NewID(), Made: now, Expires: now.Add(certificateLife)}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Certificate{}, fmt.Errorf("make a certificate for rich notifications: %w", err)
	}
	form := &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: "Tocsin, notifications " + made.ID},
		NotBefore: now.Add(-time.Hour), NotAfter: made.Expires, KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return Certificate{}, fmt.Errorf("make a certificate for rich notifications: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, fmt.Errorf("make a certificate for rich notifications: %w", err)
	}
	made.Public = base64.StdEncoding.EncodeToString(der)
	shut, err := c.Keeper.Seal(private, aboutCertificate(made.ID))
	if err != nil {
		return Certificate{}, err
	}
	won := false
	err = c.Store.Update(ctx, func(tx *store.Tx) error {
		won = false
		if _, err := tx.Exec(ctx, `insert into installation (key, value) values ('certificate.newest', $1) on conflict (key) do nothing`, c.newest.ID); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `update installation set value = $1 where key = 'certificate.newest' and value = $2`, made.ID, c.newest.ID)
		if err != nil || n == 0 {
			return err
		}
		won = true
		if _, err := tx.Exec(ctx, `update certificate set replaced = $1 where replaced = 0`, tocsin.Millis(now)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into certificate (id, public, sealed, made, expires) values ($1, $2, $3, $4, $5)`,
			made.ID, made.Public, shut, tocsin.Millis(made.Made), tocsin.Millis(made.Expires))
		return err
	})
	if err != nil {
		return Certificate{}, err
	}
	if !won {
		if err := c.read(ctx); err != nil {
			return Certificate{}, err
		}
		if c.newest.ID == "" {
			return Certificate{}, errors.New("the certificate that another replica made is not there")
		}
		return c.newest, nil
	}
	c.newest, c.looked = made, time.Now()
	c.keep(made.ID, key)
	return made, nil
}

func (c *Certificates) keep(id string, key *rsa.PrivateKey) {
	if c.keys == nil {
		c.keys = map[string]*rsa.PrivateKey{}
	}
	c.keys[id] = key
}

// Key is the private key of a certificate; nil where there is no such certificate, or not any more.
func (c *Certificates) Key(ctx context.Context, id string) (*rsa.PrivateKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key(ctx, id)
}

func (c *Certificates) key(ctx context.Context, id string) (*rsa.PrivateKey, error) {
	if k := c.keys[id]; k != nil {
		return k, nil
	}
	if time.Since(c.absent[id]) < certificateLook {
		return nil, nil
	}
	var shut []byte
	err := c.Store.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `select sealed from certificate where id = $1`, id).Scan(&shut)
	})
	if errors.Is(err, store.ErrNone) {
		if c.absent == nil || len(c.absent) > 100 {
			c.absent = map[string]time.Time{}
		}
		c.absent[id] = time.Now()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := c.Keeper.Open(shut, aboutCertificate(id))
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errors.New("the key of a certificate for rich notifications cannot be read")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key of a certificate for rich notifications is of another kind")
	}
	c.keep(id, key)
	return key, nil
}

// Forget drops the keys under which nothing can come any more: the last subscription that was made with one has ended, Graph
// has given up what it could not deliver, and what lies in the journal is younger than that. age is that of the oldest in
// the journal.
func (c *Certificates) Forget(ctx context.Context, age time.Duration) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.Store.Clock().Now().Add(-graph.RichLife - graphRepeats - certificateSlack - max(age, 0))
	var gone []string
	err := c.Store.Update(ctx, func(tx *store.Tx) error {
		gone = gone[:0]
		rows, err := tx.Query(ctx, `delete from certificate where replaced > 0 and replaced < $1 returning id`, tocsin.Millis(before))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			gone = append(gone, id)
		}
		return rows.Err()
	})
	if err != nil {
		return 0, err
	}
	for _, id := range gone {
		delete(c.keys, id)
	}
	return len(gone), nil
}
