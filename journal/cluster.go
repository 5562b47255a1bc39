package journal

import (
	"log/slog"

	"github.com/nats-io/nats.go"

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
