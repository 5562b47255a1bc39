package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tocsin.dev"
)

// engine is the NATS server in this process. It listens nowhere.
type engine struct {
	dir  string
	lock *os.File
	ns   *server.Server
	log  *engineLog
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
	e := &engine{dir: dir, lock: lock, log: &engineLog{log: log}}
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
		JetStreamMaxMemory: 16 << 20, // ordered consumers keep their state in memory
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
	return nil
}

// distrust removes JetStream's index of each stream, so that it reads every record and checks its checksum: with the index it
// does not, and a flipped bit in a sequence number then makes it hang or eat all memory (nats-server 2.15.2, seen by
// TestAFlippedBitIsAGap). It costs two seconds a gigabyte at start, of what is not trimmed.
func (e *engine) distrust() error {
	found, err := fs.Glob(os.DirFS(e.dir), server.JetStreamStoreDir+"/*/streams/*/msgs/index.db")
	for _, name := range found {
		err = errors.Join(err, os.Remove(filepath.Join(e.dir, filepath.FromSlash(name))))
	}
	return err
}

func (e *engine) connect() (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(e.ns), nats.Name("tocsin"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
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

// engineLog passes on what the server warns of, and remembers the last of it.
type engineLog struct {
	log *slog.Logger
	mu  sync.Mutex
	say string
}

func (l *engineLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.say
}

func (l *engineLog) warn(level slog.Level, format string, v []any) {
	say := fmt.Sprintf(format, v...)
	l.mu.Lock()
	l.say = say
	l.mu.Unlock()
	l.log.Log(context.Background(), level, "journal engine", "says", say)
}

func (l *engineLog) Noticef(string, ...any)         {}
func (l *engineLog) Debugf(string, ...any)          {}
func (l *engineLog) Tracef(string, ...any)          {}
func (l *engineLog) Warnf(format string, v ...any)  { l.warn(slog.LevelWarn, format, v) }
func (l *engineLog) Errorf(format string, v ...any) { l.warn(slog.LevelError, format, v) }
func (l *engineLog) Fatalf(format string, v ...any) { l.warn(slog.LevelError, format, v) }
