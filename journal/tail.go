package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats.go"
)

// tails is the file beside an embedded journal that holds the last acknowledged sequence of each partition: 8 bytes and
// their CRC-32C, one after the other. It is written without a sync, so that it costs nothing; it outlives a kill, and
// after a power cut, in which JetStream loses nothing, it may lag.
//
// It is there for a damaged disk: from a damaged block on, JetStream drops what it cannot read and goes on with the
// numbers that thereby became free. Nobody could tell, were it not written elsewhere how far they had gone.
type tails struct{ file *os.File }

const tailSize = 12

func openTails(dir string) (*tails, error) {
	f, err := os.OpenFile(filepath.Join(dir, "tails"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &tails{f}, nil
}

func (t *tails) set(partition int, seq uint64) {
	var b [tailSize]byte
	binary.LittleEndian.PutUint64(b[:], seq)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	t.file.WriteAt(b[:], int64(partition)*tailSize) // an error costs a warning at most, see get
}

// get is the sequence of a partition, 0 where it is not known.
func (t *tails) get(partition int) (uint64, error) {
	var b [tailSize]byte
	if _, err := t.file.ReadAt(b[:], int64(partition)*tailSize); err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[:8], castagnoli) {
		return 0, fs.ErrInvalid
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// lostUntil is the header of an envelope without items: the last sequence of those that stand for a loss.
const lostUntil = "Tocsin-Lost-Until"

// markLosses puts envelopes without items where the end of a partition is gone, as many as were lost: the reader tells
// them as a Gap, and no new item gets a number that a checkpoint or a reader has behind it.
func (j *Journal) markLosses(ctx context.Context) error {
	for _, p := range j.parts {
		info, err := j.findStream(ctx, p.name, false)
		if err != nil {
			return j.streamProblem(p.name, err)
		}
		has := info.State.LastSeq
		tail, err := j.tails.get(p.number)
		if err != nil {
			tail = 0
		}
		// What was read, or was there when the journal was opened, counts even if nobody was told that it is stored.
		had := max(tail, p.opened, p.delivered.Load())
		if had <= has {
			continue
		}
		j.log.Error("the end of the journal is gone: its disk or its files were damaged", "partition", p.number, "had", had, "has", has)
		if err := j.fill(ctx, p, had, had-has); err != nil {
			return j.streamProblem(p.name, fmt.Errorf("sequences %d to %d are gone: %w", has+1, had, err))
		}
	}
	return nil
}

// fill puts n envelopes without items, up to the sequence until.
func (j *Journal) fill(ctx context.Context, p *partition, until, n uint64) error {
	msg := nats.NewMsg(p.name)
	msg.Header.Set(lostUntil, strconv.FormatUint(until, 10))
	msg.Data = seal(nil, 0)
	for range n {
		if _, err := j.js.PublishMsg(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}
