package broker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The layout of the directory: partitions/TOPIC-N/BASE.dat holds record
// batches one after the other as they are on the wire, BASE being the offset of
// the first record; BASE.idx has one entry of indexEntry bytes for each batch.
const (
	partitionsDir = "partitions"
	segmentSuffix = ".dat"
	indexSuffix   = ".idx"
	indexEntry    = 15
)

// batchCost is what one batch counts for on top of its size: its entries in the
// index, in memory and on disk, with room to spare.
const batchCost = 1 << 10

type partitionID struct {
	topic     string
	partition int32
}

func (p partitionID) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// segment is one file of a partition's log.
type segment struct {
	base     int64
	size     int64
	batches  int64
	modified time.Time
}

// cost is what the segment counts for against MaxLogBytes.
func (s segment) cost() int64 { return s.size + s.batches*(batchCost+indexEntry) }

// scan lists the segments of every partition in order of their offsets.
func scan(dataDir string) (map[partitionID][]segment, error) {
	entries, err := os.ReadDir(filepath.Join(dataDir, partitionsDir))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("listing the log: %w", err)
	}
	partitions := make(map[partitionID][]segment, len(entries))
	for _, entry := range entries {
		id, ok := parsePartition(entry.Name())
		if !ok || !entry.IsDir() {
			continue
		}
		segments, err := scanPartition(filepath.Join(dataDir, partitionsDir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the topic was deleted meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("listing the log of %s: %w", id, err)
		}
		partitions[id] = segments
	}
	return partitions, nil
}

// LogBytes returns what the log of all topics takes on the disk. It may be
// called while a broker runs on the directory.
func LogBytes(dataDir string) (int64, error) {
	partitions, err := scan(dataDir)
	if err != nil {
		return 0, err
	}
	return diskBytes(partitions), nil
}

func diskBytes(partitions map[partitionID][]segment) int64 {
	var sum int64
	for _, segments := range partitions {
		for _, s := range segments {
			sum += s.size + s.batches*indexEntry
		}
	}
	return sum
}

func scanPartition(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	batches := map[int64]int64{}
	for _, entry := range entries {
		suffix := filepath.Ext(entry.Name())
		if suffix != segmentSuffix && suffix != indexSuffix {
			continue
		}
		base, err := strconv.ParseInt(strings.TrimSuffix(entry.Name(), suffix), 10, 64)
		if err != nil {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		if suffix == indexSuffix {
			batches[base] = info.Size() / indexEntry
			continue
		}
		segments = append(segments, segment{base: base, size: info.Size(), modified: info.ModTime()})
	}
	for i := range segments {
		segments[i].batches = batches[segments[i].base]
	}
	slices.SortFunc(segments, func(a, b segment) int { return cmp.Compare(a.base, b.base) })
	return segments, nil
}

// parsePartition splits the name of a partition's directory.
func parsePartition(name string) (partitionID, bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 {
		return partitionID{}, false
	}
	number, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if err != nil || number < 0 {
		return partitionID{}, false
	}
	topic, err := url.PathUnescape(name[:dash])
	if err != nil {
		return partitionID{}, false
	}
	return partitionID{topic, int32(number)}, true
}

// partitionDir is the directory of a partition.
func partitionDir(dataDir string, id partitionID) string {
	return filepath.Join(dataDir, partitionsDir, fmt.Sprintf("%s-%d", url.PathEscape(id.topic), id.partition))
}
