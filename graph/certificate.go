package graph

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// certified makes the credential of a certificate and its key. leaf is the certificate that fits the key.
func certified(certPEM, keyPEM []byte) (cred confidential.Credential, leaf *x509.Certificate, err error) {
	certs, key, err := parsePEM(append(append(bytes.Clone(certPEM), '\n'), keyPEM...))
	if err != nil {
		return cred, nil, err
	}
	for _, c := range certs {
		if pub, ok := c.PublicKey.(*rsa.PublicKey); ok && pub.Equal(key.Public()) {
			leaf = c
		}
	}
	if leaf == nil {
		return cred, nil, &Revoked{Code: "certificate_mismatch", What: "The private key does not fit the certificate.",
			Do: "Enter the key that was made together with it."}
	}
	cred, err = confidential.NewCredFromCert(certs, key)
	if err != nil {
		return cred, nil, unreadable("The certificate cannot be used.")
	}
	return cred, leaf, nil
}

// parsePEM reads certificates and one RSA key, in any order. Its errors quote nothing of what it reads.
func parsePEM(data []byte) (certs []*x509.Certificate, key *rsa.PrivateKey, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, unreadable("The certificate cannot be read.")
			}
			certs = append(certs, c)
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, nil, unreadable("The private key is protected by a password.")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key, err = rsaKey(block.Bytes); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(certs) == 0 {
		return nil, nil, unreadable("There is no certificate in what was given.")
	}
	if key == nil {
		return nil, nil, unreadable("There is no private key in what was given.")
	}
	return certs, key, nil
}

func rsaKey(der []byte) (*rsa.PrivateKey, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	var k crypto.PrivateKey
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if _, ec := x509.ParseECPrivateKey(der); ec != nil {
			return nil, unreadable("The private key cannot be read.")
		}
	}
	if k, ok := k.(*rsa.PrivateKey); ok {
		return k, nil
	}
	return nil, unreadable("The private key is not an RSA key, the only kind that Microsoft takes here.")
}

func unreadable(what string) *Revoked {
	return &Revoked{Code: "certificate_unreadable", What: what,
		Do: "Enter the certificate and its RSA key as PEM, without a password."}
}

// valid says whether the certificate is good at that time; nothing is sent when it is not.
func valid(leaf *x509.Certificate, now time.Time) error {
	switch {
	case leaf == nil:
		return nil
	case now.After(leaf.NotAfter):
		return &Revoked{Code: "certificate_expired",
			What: fmt.Sprintf("The certificate expired on %s.", leaf.NotAfter.UTC().Format("2 January 2006 15:04 MST")),
			Do:   "Make a new one, upload it to the app registration, and enter it here."}
	case now.Before(leaf.NotBefore):
		return &Revoked{Code: "certificate_not_yet_valid",
			What: fmt.Sprintf("The certificate is valid only from %s on.", leaf.NotBefore.UTC().Format("2 January 2006 15:04 MST")),
			Do:   "Compare this server's clock, or wait."}
	}
	return nil
}
