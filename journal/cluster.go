package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

// options are a connection's: what is not sent at once is refused and never sent later, so there is no buffer for
// reconnecting; what the library has to say (a reader is slow, so it will be given again) goes to the log.
func options(log *slog.Logger, more ...nats.Option) []nats.Option {
	return append(more, nats.Name("tocsin"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Debug("journal connection", "says", err) }))
}

// dial connects to a cluster.
func dial(url string, log *slog.Logger) (*nats.Conn, error) {
	conn, err := nats.Connect(url, options(log)...)
	if err != nil {
		return nil, &tocsin.Problem{Code: tocsin.Unavailable, What: "The NATS cluster does not answer.",
			Do: "Check its address, the credentials in it, and that its servers run.", Err: err}
	}
	return conn, nil
}

// Reached says whether the journal's servers are within reach of this process; the embedded one always is.
func (j *Journal) Reached() bool { return j.engine != nil || j.conn.IsConnected() }

// stream is a stream as its leader describes it. While there is none, any member of the cluster answers, with what it has come to
// itself: less than what was acknowledged and read, for all it knows
// (https://github.com/nats-io/nats-server/blob/v2.15.2/server/jetstream_api.go, jsStreamInfoRequest).
func (j *Journal) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	stream, err := j.js.Stream(ctx, name)
	if err == nil && !led(stream.CachedInfo().Cluster) {
		return nil, errNotLed
	}
	return stream, err
}

var errNotLed = errors.New("the stream has no leader at present")

// led says whether what was answered comes from the leader: a member does not count itself among the replicas.
func led(c *jetstream.ClusterInfo) bool {
	return c == nil || c.Leader != "" && !slices.ContainsFunc(c.Replicas, func(p *jetstream.PeerInfo) bool { return p.Name == c.Leader })
}
