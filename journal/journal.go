package journal

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

// Config says where the journal is. Exactly one of Dir and URL is set.
type Config struct {
	Dir        string        // embedded: the directory it has for itself
	URL        string        // cluster: nats:// or tls:// addresses, separated by commas
	Partitions int           // 0: 1 embedded, 16 in a cluster; fixed when the journal is made
	Name       string        // of the streams, before "-0"; empty: "tocsin"
	MaxBytes   int64         // of a partition, above which Append refuses; 0: what JetStream allows (embedded: three quarters of the free disk)
	Patience   time.Duration // how long an item may wait for its acknowledgement before it is refused; 0: two seconds
	Log        *slog.Logger  // what the embedded server warns of; nil: nowhere
}

// Journal is an open journal. Its methods may be called at the same time.
type Journal struct {
	conf   Config
	log    *slog.Logger
	engine *engine // nil in a cluster
	conn   *nats.Conn
	js     jetstream.JetStream
	parts  []*partition
	idle   time.Duration // after which a waiting reader looks whether its stream is still the same
	limit  int           // bytes an item may take
	tails  *tails        // nil in a cluster

	closed  chan struct{}
	closing sync.Once
	writers sync.WaitGroup
}

// partition is one stream and what this process knows of it.
type partition struct {
	number    int
	name      string
	id        string        // creation id, when opened
	opened    uint64        // last sequence when opened
	delivered atomic.Uint64 // last sequence a reader of this process got
	envelopes atomic.Uint64 // written or read here, with
	items     atomic.Uint64 // so many items in them
	queue     queue
	sealed    []byte // the writer's, for an envelope
}

// Open opens the journal, or makes it where there is none. What stands in the way (another instance on the directory, a
// damaged directory, another number of partitions, no cluster to reach) is a tocsin.Problem.
func Open(ctx context.Context, conf Config) (*Journal, error) {
	j, err := prepare(conf)
	if err != nil {
		return nil, err
	}
	if err := j.start(ctx); err != nil {
		j.Close()
		return nil, err
	}
	for _, p := range j.parts {
		j.writers.Go(func() { j.write(p) })
	}
	if j.engine != nil {
		tending, end := context.WithCancel(context.WithoutCancel(ctx))
		j.writers.Go(func() { j.tend(tending) })
		j.writers.Go(func() { <-j.closed; end() })
	}
	return j, nil
}

func prepare(conf Config) (*Journal, error) {
	if (conf.Dir == "") == (conf.URL == "") {
		return nil, tocsin.Problemf(tocsin.Invalid, "Set either a directory for the embedded journal or the address of a NATS cluster.",
			"The journal needs one place to be in.")
	}
	if conf.Name == "" {
		conf.Name = "tocsin"
	}
	if conf.Partitions == 0 {
		conf.Partitions = 1
		if conf.URL != "" {
			conf.Partitions = 16
		}
	}
	if conf.Partitions < 1 || conf.Partitions > 256 {
		return nil, tocsin.Problemf(tocsin.Invalid, "Set a number from 1 to 256.", "The journal cannot have %d partitions.", conf.Partitions)
	}
	if conf.Patience == 0 {
		conf.Patience = 2 * time.Second
	}
	log := conf.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Journal{conf: conf, log: log, idle: 2 * time.Second, closed: make(chan struct{})}, nil
}

func (j *Journal) start(ctx context.Context) (err error) {
	if j.conf.Dir != "" {
		if j.engine, err = startEngine(j.conf.Dir, j.log); err != nil {
			return err
		}
		j.conn, err = j.engine.connect()
	} else {
		j.conn, err = dial(j.conf.URL, j.log)
	}
	if err != nil {
		return err
	}
	if j.js, err = jetstream.New(j.conn); err != nil {
		return err
	}
	j.limit = min(maxItem, int(j.conn.MaxPayload())-envelopeHead)
	if err := j.openStreams(ctx); err != nil {
		return err
	}
	if j.engine == nil {
		return nil
	}
	if j.tails, err = openTails(j.conf.Dir); err != nil {
		return &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal's directory " + j.conf.Dir + " cannot be written.",
			Do: "See that the disk is not full and that Tocsin may write there.", Err: err}
	}
	return j.markLosses(ctx)
}

// Close ends the journal: appends that wait are refused, readers end.
func (j *Journal) Close() {
	j.closing.Do(func() {
		close(j.closed)
		j.writers.Wait()
		if j.conn != nil {
			j.conn.Close()
		}
		if j.tails != nil {
			j.tails.file.Close()
		}
		if j.engine != nil {
			j.engine.stop()
		}
	})
}

// Partitions is the number of partitions.
func (j *Journal) Partitions() int { return len(j.parts) }

// Stream is the creation id of the first partition's stream, which stands for the journal's. A Position bears that of its own.
func (j *Journal) Stream() string { return j.parts[0].id }

// Warn says what the operator should know of a journal that is less safe than it can be; empty where there is nothing.
func (j *Journal) Warn() string {
	if j.engine != nil {
		return ""
	}
	const sync = "Every NATS server must run with `sync_interval: always` in its jetstream block, or a power cut loses what was acknowledged; Tocsin cannot see whether they do."
	if j.conn.ConnectedClusterName() == "" {
		return "The NATS server is no cluster, so each item is kept only once. " + sync
	}
	return sync
}
