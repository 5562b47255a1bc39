package export_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"

	"tocsin.dev/export"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// authority makes certificates.
type authority struct {
	testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  string
}

func newAuthority(tb testing.TB, name string) *authority {
	tb.Helper()
	a := &authority{TB: tb}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		tb.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &a.key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	a.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// gives is a certificate and its key as PEM, for a server on loopback or for a client.
func (a *authority) gives(name string) string {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, form, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// serves is how a server of this authority meets clients of that one, who have to show a certificate of it.
func (a *authority) serves(clients *authority) *tls.Config {
	a.Helper()
	both := a.gives("receiver")
	pair, err := tls.X509KeyPair([]byte(both), []byte(both))
	if err != nil {
		a.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
}

// makesTLS makes an export with certificates of its own.
func (b *bed) makesTLS(kind, address string, given export.Given, set func(*export.Settings)) (e export.Export, err error) {
	b.Helper()
	s := export.Usual(kind)
	s.Name, s.Address, s.Wait = "By TLS", address, 0
	if set != nil {
		set(&s)
	}
	err = b.st.UpdateTenant(context.Background(), acme, func(t *store.Tenant) (err error) {
		e, _, err = b.x.Create(context.Background(), t, "owner@tocsin.example", kind, s, given)
		return err
	})
	return e, err
}

// failing waits until an export says that it failed, and gives why.
func (b *bed) failing(id string) (because string) {
	b.Helper()
	b.eventually("a failure", func() string {
		if because = b.get(id).Because; because == "" {
			return "none"
		}
		return ""
	})
	return because
}

// TestTLS: Kafka (with a password as well) and NATS are reached over TLS by an authority of the export's own and with a
// certificate that is shown; without the one or the other nothing goes out, and it is said why.
func TestTLS(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	ours, theirs := newAuthority(t, "Our authority"), newAuthority(t, "Their authority")
	shown := ours.gives("tocsin")
	brokers, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "tocsin-events"), kfake.TLS(theirs.serves(ours)), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	defer brokers.Close()
	queue, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true, TLS: true, TLSVerify: true, TLSConfig: theirs.serves(ours), TLSTimeout: 20})
	if err != nil {
		t.Fatal(err)
	}
	go queue.Start()
	defer queue.Shutdown()
	if !queue.ReadyForConnections(60 * time.Second) {
		t.Fatal("nats does not start")
	}
	pair, err := tls.X509KeyPair([]byte(shown), []byte(shown))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(theirs.cert)
	c, err := nats.Connect(queue.ClientURL(), nats.Secure(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "tocsin", Subjects: []string{"tocsin.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for kind, at := range map[string]string{export.Kafka: "tls://" + strings.Join(brokers.ListenAddrs(), ","), export.NATS: fmt.Sprintf("tls://127.0.0.1:%d", queue.Addr().(*net.TCPAddr).Port)} {
		set := func(s *export.Settings) {
			if kind == export.Kafka {
				s.SASL, s.User = "scram-sha-512", "u"
			}
		}
		password := map[string]string{export.Kafka: "p"}[kind]
		whole := export.Given{Credential: password, CA: theirs.pem, Certificate: shown}
		good, err := b.makesTLS(kind, at, whole, set)
		if err != nil {
			t.Fatal(err)
		}
		if good.CA != "Their authority" || !strings.HasPrefix(good.Certificate, "tocsin, until 20") {
			t.Errorf("%s: shown are %q and %q", kind, good.CA, good.Certificate)
		}
		for name, given := range map[string]export.Given{"another authority": {Credential: password, CA: ours.pem, Certificate: shown}, "no certificate": {Credential: password, CA: theirs.pem}, "a stranger's": {Credential: password, CA: theirs.pem, Certificate: theirs.gives("eve")}} {
			bad, err := b.makesTLS(kind, at, given, set)
			if err != nil {
				t.Fatal(err)
			}
			b.happen(1)
			stop := b.serve(bad.ID)
			t.Logf("%s, %s: %s", kind, name, b.failing(bad.ID))
			stop()
			if e := b.get(bad.ID); e.Sent != 0 {
				t.Errorf("%s took %d with %s", kind, e.Sent, name)
			}
		}
		b.serve(good.ID)
		b.happen(20)
		b.caughtUp(good.ID)
		if e := b.get(good.ID); e.Sent == 0 || e.Refused > 0 {
			t.Errorf("%s: %d sent, %d refused: %s", kind, e.Sent, e.Refused, e.Because)
		}
		// A change keeps what is not entered again, and takes away what is told to.
		b.update(func(tn *store.Tenant) error {
			s := good.Settings
			s.Address = ""
			kept, err := b.x.Edit(context.Background(), tn, "o", good.ID, 0, s, export.Given{})
			if err == nil && (kept.CA == "" || kept.Certificate == "") {
				t.Errorf("a change forgot %q %q", kept.CA, kept.Certificate)
			}
			if err != nil {
				return err
			}
			kept, err = b.x.Edit(context.Background(), tn, "o", good.ID, 0, s, export.Given{Certificate: "-"})
			if err == nil && (kept.CA == "" || kept.Certificate != "") {
				t.Errorf("after it was taken away: %q %q", kept.CA, kept.Certificate)
			}
			return err
		})
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs == 0 {
		t.Errorf("the queue has %d messages %v", info.State.Msgs, err)
	}
	for name, given := range map[string]export.Given{"no authority": {CA: "hello"}, "a key in its place": {CA: shown}, "no key": {Certificate: ours.pem}, "somebody else's key": {Certificate: ours.pem + shown[strings.Index(shown, "-----BEGIN PRIVATE"):]}} {
		if _, err := b.makesTLS(export.NATS, "tls://127.0.0.1:4222", given, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := b.makesTLS(export.NATS, "nats://127.0.0.1:4222", export.Given{CA: theirs.pem}, nil); err == nil {
		t.Error("an authority is taken where there is no TLS")
	}
}

// TestNoTLS: a broker and a collector that speak no TLS, where TLS was asked for, are said to, not to be slow.
func TestNoTLS(t *testing.T) {
	b := newBed(t, storetest.SQLite(t))
	brokers, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "tocsin-events"))
	if err != nil {
		t.Fatal(err)
	}
	defer brokers.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for kind, at := range map[string]string{export.Kafka: brokers.ListenAddrs()[0], export.Syslog: silent.Addr().String()} {
		e, err := b.makesTLS(kind, "tls://"+at, export.Given{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.happen(1)
		stop := b.serve(e.ID)
		if because := b.failing(e.ID); because != "it does not answer in TLS" {
			t.Errorf("%s: %s", kind, because)
		}
		stop()
	}
}
