package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const snapshotFile = "snapshot.json"

type storedSnapshot struct {
	Version          int             `json:"version"`
	HighWatermark    int64           `json:"high_watermark"`
	LastStableOffset int64           `json:"last_stable_offset"`
	LogStartOffset   int64           `json:"log_start_offset"`
	Epoch            int32           `json:"epoch"`
	MaxTimestamp     int64           `json:"max_timestamp"`
	CreatedAt        time.Time       `json:"created_at"`
	Segments         []storedSegment `json:"segments"`
}

type storedSegment struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
}

// maxGap bounds the distance between two batches, which there is where damage
// was taken out before; a greater one is damage itself.
const maxGap = maxCommitAhead

// maxCommitAhead bounds the distance by which a commit may be ahead of the log
// and still be believed: far more than a second's records, which is what a
// power failure can lose. A client may commit any number.
const maxCommitAhead = 1 << 24

// repairPartition checks every batch and writes the snapshot that the broker
// loads the partition from.
func repairPartition(dataDir string, id partitionID, committed int64, log *slog.Logger) error {
	dir := partitionDir(dataDir, id)
	segments, err := scanPartition(dir)
	if err != nil {
		return err
	}
	var before storedSnapshot
	if _, err := readJSON(filepath.Join(dir, snapshotFile), &before, log); err != nil {
		return err
	}
	snapshot := storedSnapshot{Version: storedVersion, Epoch: before.Epoch, CreatedAt: before.CreatedAt}
	if snapshot.CreatedAt.IsZero() {
		snapshot.CreatedAt = time.Now()
	}
	end, start := int64(0), int64(-1)
	var last *segment
	for i := range segments {
		s := &segments[i]
		c, err := checkSegment(dir, *s, end)
		if err != nil {
			return err
		}
		if c.dropped > 0 {
			log.Error("Kafka log: damaged batches were taken out", "partition", id.String(), "segment", s.base,
				"bytes", c.dropped, "first_damaged_offset", c.damagedAt)
		}
		if c.size == 0 {
			if err := removeSegment(dir, s.base); err != nil {
				return err
			}
			continue
		}
		if c.rewritten || s.batches != c.batches {
			if err := writeIndex(dir, s.base, c.batches); err != nil {
				return err
			}
		}
		if start < 0 {
			start = c.first
		}
		s.size, s.batches = c.size, c.batches
		end, last = c.end, s
		snapshot.Segments = append(snapshot.Segments, storedSegment{s.base, s.size})
	}
	// The end must not fall behind what was once there: neither what an orderly
	// stop wrote down nor what a group has committed.
	want := max(end, before.HighWatermark)
	if len(segments) > 0 {
		want = max(want, segments[len(segments)-1].base)
	}
	if committed > want && committed-want < maxCommitAhead {
		want = committed
	}
	switch {
	case last != nil && want > end:
		log.Error("Kafka log: records at the end of a partition are lost; their offsets stay unused",
			"partition", id.String(), "from", end, "to", want)
		added, err := appendFiller(dir, last.base, end, want)
		if err != nil {
			return err
		}
		snapshot.Segments[len(snapshot.Segments)-1].Size += added
		end = want
	case last == nil && want == 0:
		return removeSnapshot(dir)
	case last == nil:
		// An empty segment makes the broker believe the snapshot.
		if err := os.WriteFile(filepath.Join(dir, strconv.FormatInt(want, 10)+segmentSuffix), nil, 0o600); err != nil {
			return err
		}
		snapshot.Segments = []storedSegment{{BaseOffset: want}}
		start, end = want, want
	}
	snapshot.LogStartOffset = start
	if before.LogStartOffset > start && before.LogStartOffset <= end {
		snapshot.LogStartOffset = before.LogStartOffset
	}
	snapshot.HighWatermark, snapshot.LastStableOffset = end, end
	return writeJSON(filepath.Join(dir, snapshotFile), snapshot)
}

func removeSnapshot(dir string) error {
	if err := os.Remove(filepath.Join(dir, snapshotFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func removeSegment(dir string, base int64) error {
	for _, suffix := range []string{segmentSuffix, indexSuffix} {
		path := filepath.Join(dir, strconv.FormatInt(base, 10)+suffix)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Positions in a record batch; numbers are big endian.
const (
	batchLengthAt = 8
	batchPrefix   = 12 // first offset and length
	batchCRCAt    = 17
	batchBody     = 21 // what the checksum covers
	batchDeltaAt  = 23
	batchHeader   = 61
)

// checked is what is known of a segment once it was read.
type checked struct {
	first, end int64 // offsets
	size       int64
	batches    int64
	dropped    int64
	damagedAt  int64
	rewritten  bool
}

// checkSegment reads a segment whose offsets must be at or above least, and
// takes out what is damaged.
func checkSegment(dir string, s segment, least int64) (checked, error) {
	path := filepath.Join(dir, strconv.FormatInt(s.base, 10)+segmentSuffix)
	file, err := os.Open(path)
	if err != nil {
		return checked{}, err
	}
	defer file.Close()
	c := checked{first: -1, end: max(least, s.base), damagedAt: -1}
	type span struct{ from, to int64 }
	var good []span
	var batch []byte
	in := bufio.NewReaderSize(file, 256<<10)
	for position := int64(0); position < s.size; {
		if batch, err = readBatch(in, batch, s.size-position); err != nil {
			if errors.Is(err, errTorn) {
				c.dropped += s.size - position
				break
			}
			return c, err
		}
		next := position + int64(len(batch))
		first, end, ok := batchOffsets(batch)
		if ok && first >= c.end && first-c.end < maxGap {
			if c.first < 0 {
				c.first = first
			}
			c.end = end
			c.batches++
			if n := len(good); n > 0 && good[n-1].to == position {
				good[n-1].to = next
			} else {
				good = append(good, span{position, next})
			}
		} else {
			c.dropped += int64(len(batch))
			if c.damagedAt < 0 {
				c.damagedAt = c.end
			}
		}
		position = next
	}
	if c.dropped > 0 && c.damagedAt < 0 {
		c.damagedAt = c.end
	}
	for _, g := range good {
		c.size += g.to - g.from
	}
	switch {
	case c.dropped == 0 || c.size == 0:
		return c, nil
	case len(good) == 1 && good[0].from == 0:
		c.rewritten = true
		return c, os.Truncate(path, c.size)
	}
	c.rewritten = true
	out, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return c, err
	}
	for _, g := range good {
		if err == nil {
			_, err = io.Copy(out, io.NewSectionReader(file, g.from, g.to-g.from))
		}
	}
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return c, err
	}
	return c, os.Rename(path+".tmp", path)
}

// errTorn says that no batch begins here.
var errTorn = errors.New("no record batch")

// readBatch reads one batch of at most limit bytes into buffer.
func readBatch(in *bufio.Reader, buffer []byte, limit int64) ([]byte, error) {
	prefix, err := in.Peek(batchPrefix)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return buffer, errTorn
		}
		return buffer, err
	}
	length := int64(int32(binary.BigEndian.Uint32(prefix[batchLengthAt:])))
	if length < batchHeader-batchPrefix || batchPrefix+length > limit {
		return buffer, errTorn
	}
	size := int(batchPrefix + length)
	if cap(buffer) < size {
		buffer = make([]byte, size, size+size/2)
	}
	buffer = buffer[:size]
	_, err = io.ReadFull(in, buffer)
	return buffer, err
}

// batchOffsets returns the first offset of a batch and the one after its last,
// and whether the batch is intact.
func batchOffsets(batch []byte) (first, end int64, ok bool) {
	first = int64(binary.BigEndian.Uint64(batch))
	delta := int64(int32(binary.BigEndian.Uint32(batch[batchDeltaAt:])))
	if first < 0 || delta < 0 ||
		crc32.Checksum(batch[batchBody:], castagnoli) != binary.BigEndian.Uint32(batch[batchCRCAt:]) {
		return 0, 0, false
	}
	return first, first + delta + 1, true
}

// appendFiller adds one record without key or value that takes up the offsets
// [from,to): readers pass over them, and no record gets them a second time.
func appendFiller(dir string, base, from, to int64) (int64, error) {
	record := kmsg.NewRecord()
	record.OffsetDelta = int32(to - from - 1)
	record.Length = int32(len(record.AppendTo(nil)) - 1)
	batch := kmsg.NewRecordBatch()
	batch.FirstOffset = from
	batch.Magic = 2
	batch.LastOffsetDelta = record.OffsetDelta
	now := time.Now().UnixMilli()
	batch.FirstTimestamp, batch.MaxTimestamp = now, now
	batch.ProducerID, batch.ProducerEpoch, batch.FirstSequence = -1, -1, -1
	batch.NumRecords = 1
	batch.Records = record.AppendTo(nil)
	encoded := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(encoded[batchLengthAt:], uint32(len(encoded)-batchPrefix))
	binary.BigEndian.PutUint32(encoded[batchCRCAt:], crc32.Checksum(encoded[batchBody:], castagnoli))
	path := filepath.Join(dir, strconv.FormatInt(base, 10)+segmentSuffix)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = file.Write(encoded)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return 0, err
	}
	if _, _, ok := batchOffsets(encoded); !ok {
		return 0, fmt.Errorf("the filler for offsets %d to %d is not a record batch", from, to)
	}
	return int64(len(encoded)), appendIndex(dir, base)
}

// indexRecord is the entry for a batch of epoch 0 outside of transactions.
func indexRecord() [indexEntry]byte {
	entry := [indexEntry]byte{0: storedVersion}
	entry[1] = byte(crc32.Checksum(entry[2:], castagnoli))
	return entry
}

// writeIndex replaces the index of a segment.
func writeIndex(dir string, base, batches int64) error {
	entry := indexRecord()
	content := make([]byte, 0, batches*indexEntry)
	for range batches {
		content = append(content, entry[:]...)
	}
	return writeWhole(filepath.Join(dir, strconv.FormatInt(base, 10)+indexSuffix), content)
}

func appendIndex(dir string, base int64) error {
	file, err := os.OpenFile(filepath.Join(dir, strconv.FormatInt(base, 10)+indexSuffix), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	entry := indexRecord()
	_, err = file.Write(entry[:])
	return errors.Join(err, file.Close())
}
