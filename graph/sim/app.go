package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// app is the registered application and its service principal in the tenant.
type app struct {
	mu         sync.Mutex
	id         string
	objectID   string // of the service principal
	name       string
	secret     string
	secretEnds time.Time // zero: never
	others     []otherSecret
	certs      []*x509.Certificate
	roles      []string
	requests   []string // permissions that the registration asks for
	asksScopes []string // and delegated ones
	redirects  []string // addresses to come back to; none: any of https, or of this machine
	consented  time.Time
	content    bool // subjects and bodies may be asked for
	disabled   bool
	removed    bool
	elevated   bool // it has a role over administrators
}

// moreApps are those beside the first; mu is held for a moment only, whatever else is.
type moreApps struct {
	mu   sync.Mutex
	apps []*app
}

func newApp(s seed, cfg Config) *app {
	a := &app{id: cfg.ClientID, objectID: s.guid(askApp, 3), name: "Tocsin", secret: cfg.Secret, roles: slices.Clone(cfg.Roles),
		requests: slices.Clone(ReadTier), content: cfg.Content, consented: time.Now().UTC().Truncate(time.Second)}
	if a.id == "" {
		a.id = s.guid(askApp, 2)
	}
	if a.secret == "" {
		a.secret = fmt.Sprintf("sim8Q~%016x%016x", s.at(askApp, 4), s.at(askApp, 5))
	}
	return a
}

// AddApp registers one more application, with permissions that the tenant has consented to: for a second tier, say. It signs
// in with its secret only.
func (s *Sim) AddApp(name string, roles ...string) (id, secret string) {
	n := 40 + 4*len(s.apps())
	a := &app{id: s.world.seed.guid(askApp, n), objectID: s.world.seed.guid(askApp, n+1), name: name, roles: slices.Clone(roles), requests: slices.Clone(roles),
		content: s.cfg.Content,
		secret:  fmt.Sprintf("sim8Q~%016x%016x", s.world.seed.at(askApp, n+2), s.world.seed.at(askApp, n+3)), consented: s.clock.Now().UTC().Truncate(time.Second)}
	s.more.mu.Lock()
	defer s.more.mu.Unlock()
	s.more.apps = append(s.more.apps, a)
	return a.id, a.secret
}

// apps are the applications, the first of them the one that the simulator was made with.
func (s *Sim) apps() []*app {
	s.more.mu.Lock()
	defer s.more.mu.Unlock()
	return append([]*app{s.app}, s.more.apps...)
}

// appBy is the application of that id, and the first where there is none.
func (s *Sim) appBy(id string) *app {
	for _, a := range s.apps() {
		if strings.EqualFold(a.id, id) {
			return a
		}
	}
	return s.app
}

// certificate is the registered one that a JWT's header names. The caller holds mu.
func (a *app) certificate(header map[string]any) (*x509.Certificate, error) {
	for _, c := range a.certs {
		if namesKey(header, c) {
			return c, nil
		}
	}
	return nil, errors.New("the key was not found")
}

func (a *app) granted() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.roles)
}

// Consent sets the application permissions that an administrator has granted; tokens made before keep what they had.
func (s *Sim) Consent(roles ...string) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.roles = slices.Clone(roles)
	s.app.consented = s.clock.Now().Truncate(time.Second)
}

// Disable switches the service principal off or on; Remove takes it out of the tenant or puts it back.
func (s *Sim) Disable(off bool) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.disabled = off
}

// Remove takes the service principal out of the tenant, and its subscriptions with it, or puts it back.
func (s *Sim) Remove(gone bool) {
	s.app.mu.Lock()
	s.app.removed = gone
	s.app.mu.Unlock()
	if gone {
		s.remove(s.each(-1, 0), true)
	}
}

// ReplaceSecret gives the application another secret, which ends at a time (zero: never); the old one is refused at once.
func (s *Sim) ReplaceSecret(secret string, ends time.Time) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.secret, s.app.secretEnds = secret, ends
}

// otherSecret is a client secret that works beside the first.
type otherSecret struct {
	value string
	ends  time.Time
}

// AddSecret gives the application one more secret, which ends at a time (zero: never); those before it work on.
func (s *Sim) AddSecret(secret string, ends time.Time) {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.others = append(s.app.others, otherSecret{secret, ends})
}

// secretOf is the secret of that value, and whether there is one. The caller holds mu.
func (a *app) secretOf(value string) (otherSecret, bool) {
	if value == a.secret {
		return otherSecret{a.secret, a.secretEnds}, true
	}
	for _, o := range a.others {
		if o.value == value {
			return o, true
		}
	}
	return otherSecret{}, false
}

// AllowContent says whether the connections may ask for subjects and bodies.
func (s *Sim) AllowContent(yes bool) {
	for _, a := range s.apps() {
		s.AllowContentOf(a.id, yes)
	}
}

// AllowContentOf says whether the connection of one application may: one that watches metadata, say, beside one that investigates.
func (s *Sim) AllowContentOf(app string, yes bool) {
	a := s.appBy(app)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.content = yes
}

// Register adds a certificate (PEM) to the application.
func (s *Sim) Register(certificate []byte) error {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return errors.New("sim: no certificate in the PEM text")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("sim: register a certificate: %w", err)
	}
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.certs = append(s.app.certs, c)
	return nil
}

// Certificate is the application's own: certificate and key as PEM, made and registered when first asked for.
func (s *Sim) Certificate() (string, error) {
	s.clientOnce.Do(func() { s.clientPEM, s.clientErr = s.makeCertificate() })
	return s.clientPEM, s.clientErr
}

func (s *Sim) makeCertificate() (string, error) {
	text, err := NewCertificate("Tocsin", time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	if err != nil {
		return "", err
	}
	return text, s.Register([]byte(text))
}

// NewCertificate makes a self-signed certificate with an RSA key of 2,048 bits, both as PEM. It is not registered.
func NewCertificate(name string, from, to time.Time) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("sim: make a key: %w", err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return "", fmt.Errorf("sim: make a certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("sim: write a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), nil
}
