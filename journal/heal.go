package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

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

// tend starts JetStream again when it has stopped for a disk that was full or failed: by itself it never does. It goes on
// until ctx ends.
func (j *Journal) tend(ctx context.Context) {
	e := j.engine
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(e.every):
		}
		if e.stopped() && e.hasRoom() {
			if err := j.again(ctx); err != nil && ctx.Err() == nil {
				e.log.log.Error("the journal does not start again; it is tried again", "err", err)
			}
		}
	}
}

// stopped says whether JetStream has stopped taking messages.
func (e *engine) stopped() bool {
	return e.log.critical.Load() || !e.ns.JetStreamEnabled()
}

// hasRoom tries to write about as much as JetStream will at least.
func (e *engine) hasRoom() bool {
	name := filepath.Join(e.dir, "room")
	defer os.Remove(name)
	f, err := os.Create(name)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, 2*maxItem))
	return errors.Join(err, f.Sync(), f.Close()) == nil
}

// again starts JetStream again. Nothing is appended until it is marked what the disk has lost of the end: a new item would
// get a number that was read before, and be passed as such.
func (j *Journal) again(ctx context.Context) error {
	e := j.engine
	e.healing.Lock()
	defer e.healing.Unlock()
	e.log.critical.Store(true)
	if err := e.ns.ShutdownJetStream(); err != nil {
		return err
	}
	if err := e.distrust(); err != nil {
		return err
	}
	// SyncAlways comes from the server's options, for MaxStore is not given: see dynJetStreamConfig in nats-server.
	if err := e.ns.EnableJetStream(&server.JetStreamConfig{StoreDir: e.dir, MaxMemory: consumerMemory}); err != nil {
		return err
	}
	if err := e.syncs(); err != nil {
		return err
	}
	if err := j.markLosses(ctx); err != nil {
		return err
	}
	e.log.critical.Store(false)
	return nil
}

// engineLog passes on what the server warns of, remembers the last of it, and whether it said that it cannot write.
type engineLog struct {
	log      *slog.Logger
	mu       sync.Mutex
	say      string
	critical atomic.Bool
}

func (l *engineLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.say
}

func (l *engineLog) warn(level slog.Level, format string, v []any) {
	say := fmt.Sprintf(format, v...)
	l.mu.Lock()
	repeated := say == l.say
	l.say = say
	l.mu.Unlock()
	if strings.Contains(say, "ritical write error") { // nats-server 2.15: setWriteErr in filestore.go
		l.critical.Store(true)
	}
	if !repeated {
		l.log.Log(context.Background(), level, "journal engine", "says", say)
	}
}

func (l *engineLog) Noticef(string, ...any)         {}
func (l *engineLog) Debugf(string, ...any)          {}
func (l *engineLog) Tracef(string, ...any)          {}
func (l *engineLog) Warnf(format string, v ...any)  { l.warn(slog.LevelWarn, format, v) }
func (l *engineLog) Errorf(format string, v ...any) { l.warn(slog.LevelError, format, v) }
func (l *engineLog) Fatalf(format string, v ...any) { l.warn(slog.LevelError, format, v) }
