package export

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"tocsin.dev/notify"
)

// mostPEM is how long a chain of certificates may be.
const mostPEM = 64 << 10

// checkTLS reads the authorities that are trusted besides, and the certificate that is shown, of a receiver by TLS; what may
// be shown of them takes their place in the settings.
func checkTLS(kind string, s *Settings, k *keys) error {
	s.CA, s.Certificate = "", ""
	if !slices.Contains([]string{Syslog, NATS, Kafka}, kind) || !strings.HasPrefix(k.URL, "tls://") {
		if k.CA != "" || k.Cert != "" {
			return invalid("Use tls:// before the address of syslog, NATS or Kafka, or leave the certificates away.", "Certificates of its own belong to a receiver by TLS.")
		}
		return nil
	}
	if k.CA != "" {
		list, err := certificates(k.CA)
		if err != nil {
			return invalid("Give the authority's certificate as PEM: -----BEGIN CERTIFICATE----- and so on.", "The receiver's authority cannot be read.")
		}
		s.CA = nameOf(list[0])
		if n := len(list) - 1; n > 0 {
			s.CA += fmt.Sprintf(" and %d more", n)
		}
	}
	if k.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(k.Cert), []byte(k.Cert))
		if len(k.Cert) > mostPEM || err != nil {
			return invalid("Give both as PEM, one after the other: the certificate with those it rests on, and its private key, without a password.", "The certificate to show, or its key, cannot be read.")
		}
		s.Certificate = nameOf(pair.Leaf) + ", until " + pair.Leaf.NotAfter.UTC().Format("2006-01-02")
	}
	return nil
}

func nameOf(c *x509.Certificate) string {
	name := c.Subject.CommonName
	if name == "" {
		name = c.Subject.String()
	}
	if name == "" && len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	if name = notify.Clean(name, 200); name == "" {
		return "without a name"
	}
	return name
}

func certificates(text string) (out []*x509.Certificate, err error) {
	if len(text) > mostPEM {
		return nil, errors.New("too long")
	}
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			return nil, errors.New("not a certificate")
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate")
	}
	return out, nil
}

// tls is how a receiver is met: it shows a certificate of its name, by an authority of the server's or of the export's own.
func (x *Exports) tls(host string, k *keys) (*tls.Config, error) {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	c := &tls.Config{ServerName: name, RootCAs: x.Guard.Roots, MinVersion: tls.VersionTLS12}
	if k.CA != "" {
		list, err := certificates(k.CA)
		if err != nil {
			return nil, fmt.Errorf("the receiver's authority: %w", err)
		}
		if c.RootCAs = x.Guard.Roots.Clone(); x.Guard.Roots == nil {
			if c.RootCAs, err = x509.SystemCertPool(); err != nil {
				c.RootCAs = x509.NewCertPool()
			}
		}
		for _, one := range list {
			c.RootCAs.AddCert(one)
		}
	}
	if k.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(k.Cert), []byte(k.Cert))
		if err != nil {
			return nil, fmt.Errorf("the certificate to show: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
