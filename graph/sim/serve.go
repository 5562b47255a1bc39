package sim

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// Running is a simulator that serves; as JSON it is the line that `tocsin sim` prints.
type Running struct {
	Graph        string `json:"graph"`     // without the version
	Authority    string `json:"authority"` // without the tenant
	Control      string `json:"control"`
	CA           string `json:"ca"` // PEM
	Tenant       string `json:"tenant"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Certificate  string `json:"certificate"` // PEM, with its key

	stop context.CancelFunc
	done sync.WaitGroup
	mu   sync.Mutex
	err  error
}

// Serve listens on two addresses, such as 127.0.0.1:0: over TLS with a throwaway CA for Graph and sign-in, and in the
// clear for the control. It serves until ctx ends or Close is called.
func (s *Sim) Serve(ctx context.Context, listen, control string) (*Running, error) {
	own, err := s.Certificate()
	if err != nil {
		return nil, err
	}
	if _, err := s.keys.newest(); err != nil {
		return nil, err
	}
	front, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	ca, pair, err := throwaway(front.Addr())
	if err != nil {
		front.Close()
		return nil, err
	}
	back, err := net.Listen("tcp", control)
	if err != nil {
		front.Close()
		return nil, fmt.Errorf("sim: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	base := "https://" + reachable(front.Addr())
	run := &Running{Graph: base, Authority: base, Control: "http://" + reachable(back.Addr()), CA: ca, Tenant: s.cfg.Tenant,
		ClientID: s.app.id, ClientSecret: s.Secret(), Certificate: own, stop: stop}
	run.serve(ctx, front, &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}})
	run.serve(ctx, back, &http.Server{Handler: s.Control(), ReadHeaderTimeout: 10 * time.Second})
	run.done.Go(func() {
		if err := s.Run(ctx); err != nil {
			run.fail(err)
		}
	})
	return run, nil
}

// fail ends the serving with an error.
func (run *Running) fail(err error) {
	run.mu.Lock()
	run.err = err
	run.mu.Unlock()
	run.stop()
}

func (run *Running) serve(ctx context.Context, l net.Listener, srv *http.Server) {
	run.done.Go(func() {
		serve := srv.Serve
		if srv.TLSConfig != nil {
			serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			run.fail(err)
		}
	})
	run.done.Go(func() {
		<-ctx.Done()
		srv.Close()
	})
}

// Wait returns when the simulator serves no more.
func (run *Running) Wait() error {
	run.done.Wait()
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.err
}

// Close ends the serving and waits for it.
func (run *Running) Close() error {
	run.stop()
	return run.Wait()
}

// reachable is an address to dial: an unspecified host becomes the loopback.
func reachable(a net.Addr) string {
	t := a.(*net.TCPAddr)
	if t.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", t.Port)
	}
	return t.String()
}

// throwaway makes a CA and with it a certificate for this machine's loopback and the address listened on.
func throwaway(a net.Addr) (ca string, pair tls.Certificate, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", pair, fmt.Errorf("sim: make a CA: %w", err)
	}
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Tocsin simulator, throwaway CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	if err != nil {
		return "", pair, fmt.Errorf("sim: make a CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", pair, fmt.Errorf("sim: make a key: %w", err)
	}
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if t, ok := a.(*net.TCPAddr); ok && !t.IP.IsUnspecified() {
		ips = append(ips, t.IP)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: root.NotBefore,
		NotAfter: root.NotAfter, DNSNames: []string{"localhost"}, IPAddresses: ips, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, caKey)
	if err != nil {
		return "", pair, fmt.Errorf("sim: make a certificate: %w", err)
	}
	ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
	return ca, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
