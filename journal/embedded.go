package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tocsin.dev"
)

// consumerMemory is what JetStream may hold in memory: the state of ordered consumers, nothing else.
const consumerMemory = 16 << 20

// engine is the NATS server in this process. It listens nowhere.
type engine struct {
	dir  string
	lock *os.File
	ns   *server.Server
	log  *engineLog
	// every is how often it is looked whether JetStream has stopped.
	every time.Duration
	// healing is held while it is started again, and read-held by who appends.
	healing sync.RWMutex
}

// errHeld says that another process, or another Journal of this one, is on the directory.
var errHeld = errors.New("the lock is held")

// startEngine locks the directory and starts JetStream in it.
func startEngine(dir string, log *slog.Logger) (*engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal's directory " + dir + " cannot be made.",
			Do: "Give Tocsin a directory it may write to.", Err: err}
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil && !errors.Is(err, errHeld) {
		return nil, &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal's directory " + dir + " cannot be written.",
			Do: "Give Tocsin a directory it may write to, on a disk that has room.", Err: err}
	}
	if err != nil {
		return nil, &tocsin.Problem{Code: tocsin.Conflict, What: "Another Tocsin is running on the journal in " + dir + ".",
			Do: "Stop that one first, or give this one a directory of its own.", Err: err}
	}
	e := &engine{dir: dir, lock: lock, log: &engineLog{log: log}, every: time.Second}
	if err := e.run(); err != nil {
		e.stop()
		return nil, e.damaged(err)
	}
	return e, nil
}

func (e *engine) run() (err error) {
	if err := e.distrust(); err != nil {
		return err
	}
	e.ns, err = server.NewServer(&server.Options{
		ServerName: "tocsin", DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: e.dir, SyncAlways: true,
		JetStreamMaxMemory: consumerMemory,
		MaxPayload:         2 << 20,
	})
	if err != nil {
		return err
	}
	e.ns.SetLoggerV2(e.log, false, false, false)
	e.ns.Start()
	if !e.ns.ReadyForConnections(30*time.Second) || !e.ns.JetStreamEnabled() {
		return fmt.Errorf("JetStream does not start: %s", e.log.last())
	}
	return e.syncs()
}

// syncs refuses a JetStream that acknowledges before it syncs.
func (e *engine) syncs() error {
	if c := e.ns.JetStreamConfig(); c == nil || !c.SyncAlways {
		return errors.New("JetStream would not sync what it acknowledges")
	}
	return nil
}

func (e *engine) connect() (*nats.Conn, error) {
	return nats.Connect("", options(e.log.log, nats.InProcessServer(e.ns))...)
}

func (e *engine) stop() {
	if e.ns != nil {
		e.ns.Shutdown()
		e.ns.WaitForShutdown()
	}
	e.lock.Close()
}

// damaged is the problem of a directory that JetStream cannot read.
func (e *engine) damaged(err error) error {
	return &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal in " + e.dir + " cannot be read: it is damaged, or not Tocsin's to read.",
		Do: "Restore the directory from a backup, or move it away: Tocsin then begins a new journal and fetches again what the old one held.", Err: err}
}
