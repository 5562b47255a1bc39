package export

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafka produces parcels to topics: keyed by person, so that a person's events stand in one partition and in order;
// acknowledged by all replicas in sync; idempotent, so that the client's own tries make no repeats.
type kafka struct {
	x      *Exports
	e      *Export
	k      keys
	client *kgo.Client
	met    bool                  // a broker has answered
	missed atomic.Pointer[error] // why a broker could not be dialled last: the client dials on, and ends with its time only
}

func newKafka(x *Exports, e *Export, k keys) *kafka { return &kafka{x: x, e: e, k: k} }

func (k *kafka) close() {
	if k.client != nil {
		k.client.Close()
		k.client, k.met = nil, false
	}
}

func (k *kafka) connect() error {
	if k.client != nil {
		return nil
	}
	scheme, hosts, _ := strings.Cut(k.k.URL, "://")
	dial := func(ctx context.Context, network, host string) (conn net.Conn, err error) {
		if scheme == "tls" {
			conn, err = k.x.dialTLS(ctx, host, &k.k)
		} else {
			conn, err = k.x.Guard.Dialer().DialContext(ctx, network, host)
		}
		if err != nil {
			k.missed.Store(&err)
		}
		return conn, err
	}
	options := []kgo.Opt{kgo.SeedBrokers(strings.Split(hosts, ",")...), kgo.ClientID("tocsin"), kgo.Dialer(dial), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(0), kgo.RetryTimeout(within), kgo.MaxBufferedRecords(10_000)}
	switch k.e.SASL {
	case "plain":
		options = append(options, kgo.SASL(plain.Auth{User: k.e.User, Pass: k.k.Credential}.AsMechanism()))
	case "scram-sha-256":
		options = append(options, kgo.SASL(scram.Auth{User: k.e.User, Pass: k.k.Credential}.AsSha256Mechanism()))
	case "scram-sha-512":
		options = append(options, kgo.SASL(scram.Auth{User: k.e.User, Pass: k.k.Credential}.AsSha512Mechanism()))
	}
	client, err := kgo.NewClient(options...)
	k.client = client
	return err
}

func (k *kafka) send(ctx context.Context, parcels []parcel) outcome {
	if err := k.connect(); err != nil {
		k.client = nil
		return outcome{because: "its addresses cannot be used", mend: "Enter the addresses again.", forever: true}
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	k.missed.Store(nil)
	if !k.met { // what producing would only call late
		if err := k.client.Ping(ctx); err != nil {
			return k.failed(err, "")
		}
		k.met = true
	}
	records := make([]*kgo.Record, len(parcels))
	for i := range parcels {
		p := &parcels[i]
		records[i] = &kgo.Record{Topic: fill(k.e.To, p, k.e.Tenant), Value: p.body, Timestamp: p.at,
			Headers: []kgo.RecordHeader{{Key: "event_id", Value: []byte(p.id)}, {Key: "event_type", Value: []byte(p.kind)}, {Key: "content-type", Value: []byte("application/json")}}}
		if p.person != "" {
			records[i].Key = []byte(p.person)
		}
	}
	at := make(map[*kgo.Record]int, len(records))
	for i, r := range records {
		at[r] = i
	}
	refused := map[int]string{}
	for _, r := range k.client.ProduceSync(ctx, records...) {
		switch {
		case r.Err == nil:
		case errors.Is(r.Err, kerr.MessageTooLarge) && len(parcels[at[r.Record]].body) > 900_000:
			refused[at[r.Record]] = "it is larger than the broker takes"
		default:
			return k.failed(r.Err, r.Record.Topic)
		}
	}
	return outcome{ok: true, refused: refused}
}

// failed ends the client, with all it still holds, so that nothing of a batch comes behind the next try.
func (k *kafka) failed(err error, topic string) outcome {
	k.close()
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		return outcome{forever: true, because: "the broker does not let it in", mend: "Enter a user and a password that it lets in, and resume the export."}
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return outcome{forever: true, because: "it may not write to the topic " + topic, mend: "Let the user write to the topic, and resume the export."}
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return outcome{because: "there is no topic " + topic, mend: "Make the topic, or let the brokers make it."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrRecordTimeout):
		if missed := k.missed.Load(); missed != nil {
			return unreached(*missed)
		}
		return outcome{because: "it did not acknowledge in time"}
	case errors.Is(err, kerr.NotEnoughReplicas), errors.Is(err, kerr.NotEnoughReplicasAfterAppend):
		return outcome{because: "too few replicas are in sync"}
	}
	var answer *kerr.Error
	if errors.As(err, &answer) {
		return outcome{because: fmt.Sprintf("the broker answered %s", answer.Message)}
	}
	return unreached(err)
}
