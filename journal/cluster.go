package journal

import (
	"github.com/nats-io/nats.go"

	"tocsin.dev"
)

// dial connects to a cluster. What is not sent at once is refused and never sent later: the buffer for reconnecting is off.
func dial(url string) (*nats.Conn, error) {
	conn, err := nats.Connect(url, nats.Name("tocsin"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		return nil, &tocsin.Problem{Code: tocsin.Unavailable, What: "The NATS cluster does not answer.",
			Do: "Check its address, the credentials in it, and that its servers run.", Err: err}
	}
	return conn, nil
}
