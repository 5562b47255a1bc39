package api

import (
	"context"

	"tocsin.dev"
	"tocsin.dev/store"
)

// CertificatesIn asks for the certificates for rich notifications.
type CertificatesIn struct{}

// ReplaceCertificateIn puts another certificate in the place of the newest.
type ReplaceCertificateIn struct {
	Body CertificateReplaced
}

// CertificateReplaced names the certificate that is to be replaced.
type CertificateReplaced struct {
	ID string `json:"id" minLength:"1" maxLength:"100" required:"true" doc:"The newest certificate, as the list shows it: saying it twice replaces it once"`
}

// ListCertificates lists the certificates for which Microsoft Graph encrypts what it sends, of the installation, the newest
// first. Mailboxes are those of all tenants.
func (s *Service) ListCertificates(ctx context.Context, in CertificatesIn) (Page[StreamCertificate], error) {
	return install(ctx, s, "certificates list", in, s.st.View, func(ctx context.Context, tx *store.Tx, _ Caller) (Page[StreamCertificate], error) {
		return certificates(ctx, tx)
	})
}

func certificates(ctx context.Context, tx *store.Tx) (p Page[StreamCertificate], err error) {
	by := map[string]int{}
	rows, err := tx.Query(ctx, `select certificate, count(*) from subscription where certificate <> '' and state = 'on' and made = 'rich' group by certificate`)
	if err != nil {
		return p, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return p, err
		}
		by[id] = n
	}
	if err := rows.Err(); err != nil {
		return p, err
	}
	p.Items, err = certificatesBy(ctx, tx, by)
	return p, err
}

func certificatesBy(ctx context.Context, tx *store.Tx, by map[string]int) ([]StreamCertificate, error) {
	out := []StreamCertificate{}
	rows, err := tx.Query(ctx, `select id, made, expires, replaced from certificate order by made desc, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c StreamCertificate
		var made, expires, replaced int64
		if err := rows.Scan(&c.ID, &made, &expires, &replaced); err != nil {
			return nil, err
		}
		c.Made, c.Expires, c.Replaced, c.Mailboxes = tocsin.FromMillis(made), tocsin.FromMillis(expires), tocsin.FromMillis(replaced), by[c.ID]
		out = append(out, c)
	}
	return out, rows.Err()
}

// ReplaceCertificate makes a new certificate for rich notifications, for when the newest one's key may be known to others. Every
// subscription is renewed with it at once, within Microsoft's limits; what was encrypted for the old one until then is still
// opened, so nothing is lost, and who has the old key can read what they caught of it.
func (s *Service) ReplaceCertificate(ctx context.Context, in ReplaceCertificateIn) (Page[StreamCertificate], error) {
	var p Page[StreamCertificate]
	_, err := install(ctx, s, "certificates replace", in, s.st.Update, func(ctx context.Context, tx *store.Tx, _ Caller) (None, error) {
		if s.o.Certificates == nil {
			return None{}, tocsin.Problemf(tocsin.Unavailable, "Use the running server.", "Certificates cannot be replaced here.")
		}
		list, err := certificatesBy(ctx, tx, nil)
		switch {
		case err != nil:
			return None{}, err
		case len(list) == 0:
			return None{}, invalid("Nothing needs to be done: one is made when a mailbox is told of richly.", "There is no certificate yet.")
		case list[0].ID != in.Body.ID:
			return None{}, tocsin.Problemf(tocsin.Conflict, "Look at the list, and name the newest if it is still to be replaced.", "This is not the newest certificate.")
		}
		return None{}, nil
	})
	if err != nil {
		return p, err
	}
	if _, err := s.o.Certificates.Replace(ctx, in.Body.ID); err != nil {
		return p, err
	}
	return p, s.st.View(ctx, func(tx *store.Tx) (err error) {
		p, err = certificates(ctx, tx)
		return err
	})
}
