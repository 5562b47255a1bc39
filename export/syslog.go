package export

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"tocsin.dev/notify"
)

// syslog writes parcels as syslog messages (RFC 5424): over TLS (RFC 5425) or TCP with the length before each (RFC 6587),
// or one a datagram (RFC 5426).
//
// Syslog knows no answer. So that what a dying receiver had not read is not taken for sent, a batch has a connection of its
// own, which ends with it: the receiver closes its side when it has read everything to the end, and only that counts.
// Settings.Unconfirmed does without.
type syslog struct {
	x      *Exports
	e      *Export
	scheme string
	host   string // host:port
	k      keys
	conn   net.Conn
}

func newSyslog(x *Exports, e *Export, k keys) *syslog {
	scheme, host, _ := strings.Cut(k.URL, "://")
	return &syslog{x: x, e: e, k: k, scheme: scheme, host: host}
}

func (s *syslog) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func (s *syslog) send(ctx context.Context, parcels []parcel) outcome {
	o := s.write(ctx, parcels)
	if !o.ok || !s.e.Unconfirmed && s.scheme != "udp" {
		s.close()
	}
	return o
}

func (s *syslog) write(ctx context.Context, parcels []parcel) outcome {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.conn == nil {
		conn, err := s.dial(ctx)
		if err != nil {
			return unreached(err)
		}
		s.conn = conn
	}
	stop := context.AfterFunc(ctx, func() { s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if s.scheme == "udp" {
		return s.datagrams(parcels)
	}
	var b bytes.Buffer
	for i := range parcels {
		m := message(&parcels[i])
		fmt.Fprintf(&b, "%d ", len(m))
		b.Write(m)
	}
	if _, err := s.conn.Write(b.Bytes()); err != nil {
		return cut(err)
	}
	if s.e.Unconfirmed {
		return outcome{ok: true}
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return cut(err)
		}
	}
	_, err := io.Copy(io.Discard, io.LimitReader(s.conn, 1<<20))
	switch {
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF): // closed, with or without the farewell of TLS
		return outcome{ok: true}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return outcome{because: "it did not close the connection after the end of what was sent, so nobody knows whether it was read", mend: "See whether something between holds it open, or set unconfirmed."}
	}
	return cut(err)
}

func cut(err error) outcome {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return outcome{because: "it did not read what was sent in time"}
	}
	return outcome{because: "the connection was cut before everything was read"}
}

func unreached(err error) (o outcome) {
	if errors.Is(err, errNoTLS) {
		return outcome{because: "it does not answer in TLS", mend: "See whether the port is the one for TLS; where there is none, enter the address with tcp://."}
	}
	o.because, o.mend = notify.Unreached(err)
	return o
}

func (s *syslog) dial(ctx context.Context) (net.Conn, error) {
	switch s.scheme {
	case "udp":
		return s.x.Guard.Packets().DialContext(ctx, "udp", s.host)
	case "tcp":
		return s.x.Guard.Dialer().DialContext(ctx, "tcp", s.host)
	}
	return s.x.dialTLS(ctx, s.host, &s.k)
}

// errNoTLS is that of a receiver that answers a TLS handshake with something else, or waits for more of it.
var errNoTLS = errors.New("no TLS is spoken there")

// handshake is how long a receiver may take for that of TLS: less than within, so that it is not taken for a slow answer.
const handshake = within / 3

// dialTLS dials what may be reached, and has it show a certificate of its name.
func (x *Exports) dialTLS(ctx context.Context, host string, k *keys) (net.Conn, error) {
	config, err := x.tls(host, k)
	if err != nil {
		return nil, err
	}
	plain, err := x.Guard.Dialer().DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, config)
	shaking, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	if err := conn.HandshakeContext(shaking); err != nil {
		plain.Close()
		if _, other := errors.AsType[tls.RecordHeaderError](err); other || ctx.Err() == nil && shaking.Err() != nil {
			return nil, errNoTLS
		}
		return nil, err
	}
	return conn, nil
}

func (s *syslog) datagrams(parcels []parcel) outcome {
	refused := map[int]string{}
	for i := range parcels {
		_, err := s.conn.Write(message(&parcels[i]))
		switch {
		case errors.Is(err, syscall.EMSGSIZE):
			refused[i] = "it is larger than a datagram may be"
		case errors.Is(err, syscall.ECONNREFUSED):
			return outcome{because: "nobody listens there"}
		case err != nil:
			return outcome{because: "the datagram could not be sent"}
		}
	}
	return outcome{ok: true, refused: refused}
}

// security is the syslog facility of security messages: https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1
const security = 10

// message is a parcel as a syslog message. Its structured data are what receivers filter by; its text is the event, which is
// JSON on one line, so what strangers wrote cannot begin another message.
func message(p *parcel) []byte {
	level := []int{6, 6, 5, 4, 3, 2}[p.severity]
	var b bytes.Buffer
	// 32473 is the number for documents (RFC 5612): there is none of ours.
	fmt.Fprintf(&b, `<%d>1 %s - tocsin - %s [tocsin@32473 event_id="%s" event_type="%s" action="%s" tuid="%s"] `, security*8+level, p.at.UTC().Format("2006-01-02T15:04:05.000Z"),
		token(p.action)[:min(32, len(token(p.action)))], param(p.id), param(p.kind), param(p.action), param(p.person))
	b.Write(p.body)
	return b.Bytes()
}

// param is a value as structured data hold it: https://www.rfc-editor.org/rfc/rfc5424#section-6.3.3
func param(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(notify.Clean(s, 200))
}
