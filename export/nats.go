package export

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsOut publishes parcels to subjects of JetStream. Nats-Msg-Id is the event's id, so that a stream keeps each once within its
// window. The second event of a person goes out when the first is acknowledged.
type natsOut struct {
	x     *Exports
	e     *Export
	k     keys
	conn  *nats.Conn
	js    jetstream.JetStream
	acked map[string]bool // of a batch that is not whole yet
}

func newNATS(x *Exports, e *Export, k keys) *natsOut {
	return &natsOut{x: x, e: e, k: k, acked: map[string]bool{}}
}

func (n *natsOut) close() {
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
}

// guarded dials what may be reached, for the client of NATS.
type guarded struct{ x *Exports }

// Dial dials for the client.
func (g guarded) Dial(network, address string) (net.Conn, error) {
	return g.x.Guard.Dialer().Dial(network, address)
}

func (n *natsOut) connect() error {
	if n.conn != nil && n.conn.IsConnected() {
		return nil
	}
	n.close()
	scheme, hosts, _ := strings.Cut(n.k.URL, "://")
	var servers []string
	for _, h := range strings.Split(hosts, ",") {
		servers = append(servers, scheme+"://"+h)
	}
	options := []nats.Option{nats.Name("Tocsin export"), nats.NoReconnect(), nats.IgnoreDiscoveredServers(), nats.SetCustomDialer(guarded{n.x}), nats.Timeout(10 * time.Second)}
	if scheme == "tls" {
		config, err := n.x.tls("", &n.k)
		if err != nil {
			return err
		}
		config.ServerName = "" // the client puts in the name of the server it reached
		options = append(options, nats.Secure(config))
	}
	switch {
	case strings.Contains(n.k.Credential, "-----BEGIN NATS USER JWT-----"):
		options = append(options, nats.UserCredentialBytes([]byte(n.k.Credential)))
	case n.e.User != "":
		options = append(options, nats.UserInfo(n.e.User, n.k.Credential))
	case n.k.Credential != "":
		options = append(options, nats.Token(n.k.Credential))
	}
	conn, err := nats.Connect(strings.Join(servers, ","), options...)
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncTimeout(10*time.Second), jetstream.WithPublishAsyncMaxPending(10_000))
	if err != nil {
		conn.Close()
		return err
	}
	n.conn, n.js = conn, js
	return nil
}

func (n *natsOut) send(ctx context.Context, parcels []parcel) outcome {
	if err := n.connect(); err != nil {
		return n.failed(err)
	}
	refused := map[int]string{}
	type waiting struct {
		i  int
		to jetstream.PubAckFuture
	}
	var wave []waiting
	people := map[string]bool{}
	flush := func() error {
		var failed error
		for _, w := range wave {
			select {
			case <-w.to.Ok():
				n.acked[parcels[w.i].id] = true
			case err := <-w.to.Err():
				failed = err
			case <-ctx.Done():
				failed = ctx.Err()
			}
		}
		wave = wave[:0]
		clear(people)
		return failed
	}
	for i := range parcels {
		p := &parcels[i]
		if n.acked[p.id] {
			continue
		}
		if p.person != "" && people[p.person] {
			if err := flush(); err != nil {
				return n.failed(err)
			}
		}
		people[p.person] = true
		m := nats.NewMsg(fill(n.e.To, p, n.e.Tenant))
		m.Data = p.body
		if int64(len(m.Data)) > n.conn.MaxPayload()-512 {
			refused[i] = fmt.Sprintf("it is larger than the server takes: %d bytes", len(m.Data))
			continue
		}
		to, err := n.js.PublishMsgAsync(m, jetstream.WithMsgID(p.id))
		if err != nil {
			return n.failed(errors.Join(err, flush()))
		}
		wave = append(wave, waiting{i, to})
	}
	if err := flush(); err != nil {
		return n.failed(err)
	}
	clear(n.acked)
	return outcome{ok: true, refused: refused}
}

func (n *natsOut) failed(err error) outcome {
	n.close()
	var answer *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrPermissionViolation):
		return outcome{forever: true, because: "the server does not let it in", mend: "Enter a credential that may publish to the subject, and resume the export."}
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrNoStreamResponse):
		return outcome{because: "no stream takes the subject", mend: "Make a stream of JetStream with the subjects that are set here."}
	case errors.As(err, &answer):
		return outcome{because: fmt.Sprintf("the stream answered %d", answer.Code), mend: "See whether the stream is full or has other limits."}
	case errors.Is(err, nats.ErrNoServers):
		return outcome{because: "no server can be reached"}
	case errors.Is(err, jetstream.ErrAsyncPublishTimeout), errors.Is(err, nats.ErrTimeout):
		return outcome{because: "it did not acknowledge in time"}
	}
	return unreached(err)
}
