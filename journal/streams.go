package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tocsin.dev"
)

// What a stream says of itself, in its metadata.
const (
	metaID         = "tocsin_id"         // creation id
	metaPartitions = "tocsin_partitions" // of the journal it belongs to
)

// openStreams finds the journal's streams, or makes them.
func (j *Journal) openStreams(ctx context.Context) error {
	made, err := j.marked()
	if err != nil {
		return err
	}
	for n := range j.conf.Partitions {
		p := &partition{number: n, name: fmt.Sprintf("%s-%d", j.conf.Name, n)}
		p.queue.init(j.conf.Patience)
		info, err := j.openStream(ctx, p.name, !made)
		if err != nil {
			return err
		}
		if err := j.fits(info); err != nil {
			return err
		}
		p.id, p.opened = info.Config.Metadata[metaID], info.State.LastSeq
		j.parts = append(j.parts, p)
	}
	return j.writeMark()
}

// openStream finds a stream; where there is none it makes it if it may. A cluster may be starting, choosing a leader, or
// making the stream for another replica: it is given some time for that.
func (j *Journal) openStream(ctx context.Context, name string, make bool) (*jetstream.StreamInfo, error) {
	for began := time.Now(); ; {
		info, err := j.findStream(ctx, name, make)
		if err == nil {
			return info, nil
		}
		if j.engine != nil || ctx.Err() != nil || time.Since(began) > settling {
			return nil, j.streamProblem(name, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// settling is how long a cluster may need until it can say something of a stream.
const settling = 20 * time.Second

func (j *Journal) findStream(ctx context.Context, name string, make bool) (*jetstream.StreamInfo, error) {
	stream, err := j.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && make {
		stream, err = j.js.CreateStream(ctx, j.newStream(name))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another replica was quicker
			stream, err = j.js.Stream(ctx, name)
		}
	}
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

func (j *Journal) newStream(name string) jetstream.StreamConfig {
	replicas := 1
	if j.engine == nil && j.conn.ConnectedClusterName() != "" {
		replicas = 3
	}
	size := int64(-1)
	if j.conf.MaxBytes > 0 {
		size = j.conf.MaxBytes
	}
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{name}, Replicas: replicas, MaxBytes: size,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		Discard:    jetstream.DiscardNew,   // full means refused, never dropped unread
		Duplicates: 100 * time.Millisecond, // the least there is; nothing we send has a message id
		Metadata: map[string]string{
			metaID:         tocsin.NewID(),
			metaPartitions: strconv.Itoa(j.conf.Partitions),
		},
	}
}

// streamProblem says why a stream cannot be opened.
func (j *Journal) streamProblem(name string, err error) error {
	if j.engine != nil {
		return j.engine.damaged(fmt.Errorf("stream %s: %w: %s", name, err, j.engine.log.last()))
	}
	return &tocsin.Problem{Code: tocsin.Unavailable, What: "The stream " + name + " cannot be opened in the NATS cluster.",
		Do:  "See that JetStream is on, that three servers run, and that the account may make streams.",
		Err: fmt.Errorf("stream %s: %w", name, err)}
}

// fits refuses a stream that is not ours or was made for something else.
func (j *Journal) fits(info *jetstream.StreamInfo) error {
	c := info.Config
	n, err := strconv.Atoi(c.Metadata[metaPartitions])
	switch {
	case err != nil || c.Metadata[metaID] == "":
		return tocsin.Problemf(tocsin.Conflict, "Give this Tocsin's journal another name.", "The stream %s exists already and is not Tocsin's.", c.Name)
	case n != j.conf.Partitions:
		return tocsin.Problemf(tocsin.Conflict, fmt.Sprintf("Set the number of partitions to %d; it is fixed when the journal is made.", n),
			"The journal was made with %d partitions and %d are asked for.", n, j.conf.Partitions)
	case c.Discard != jetstream.DiscardNew || c.Storage != jetstream.FileStorage || c.MaxAge != 0 || c.MaxMsgs > 0:
		return tocsin.Problemf(tocsin.Conflict, "Set it back: file storage, discard new, no limit of age or number.",
			"The stream %s was changed so that it would drop what is not read yet.", c.Name)
	}
	return nil
}

// mark is written beside an embedded journal once it is made. JetStream passes over a stream it cannot read; the mark
// tells such a one from one that never was.
type mark struct {
	Partitions int      `json:"partitions"`
	Streams    []string `json:"streams"` // creation ids
}

func (j *Journal) markName() string { return filepath.Join(j.conf.Dir, "journal.json") }

// marked says whether the embedded journal was made before. What the mark holds is for people: it may be torn.
func (j *Journal) marked() (bool, error) {
	if j.engine == nil {
		return false, nil
	}
	_, err := os.Stat(j.markName())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, j.engine.damaged(err)
	}
	return true, nil
}

// writeMark writes the mark so that it is there whole or not at all.
func (j *Journal) writeMark() error {
	if j.engine == nil {
		return nil
	}
	m := mark{Partitions: len(j.parts)}
	for _, p := range j.parts {
		m.Streams = append(m.Streams, p.id)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(j.markName()); err == nil && string(old) == string(b) {
		return nil
	}
	if err := replaceFile(j.markName(), b); err != nil {
		return &tocsin.Problem{Code: tocsin.Unavailable, What: "The journal's directory " + j.conf.Dir + " cannot be written.",
			Do: "See that the disk is not full and that Tocsin may write there.", Err: err}
	}
	return nil
}

func replaceFile(name string, b []byte) error {
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	dir.Sync() // not every system can sync a directory; the rename is then as safe as it gets
	return nil
}
