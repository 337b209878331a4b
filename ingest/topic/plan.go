package topic

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// commitment is what the consumer group keeps for a partition: the offset that
// it reads from, and in the commit's metadata the rest. While a block is under
// way it holds the plan of the block, so that whoever comes next forms exactly
// the same block again: the offset after its last, and which of its records are
// repeats.
type commitment struct {
	// epoch is the Block.Epoch of the partition's blocks.
	epoch uint32
	// at is the latest timestamp of the records read so far, in milliseconds,
	// 0 where there were none.
	at int64
	// to is the planned block's To, 0 where no block is planned.
	to int64
	// repeats are the planned block's repeats, as ascending distances from its
	// first offset.
	repeats []int64
}

// metadataVersion starts the metadata; a later version means something that
// this program does not know.
const metadataVersion = "goshawk/1"

// maxMetadata bounds the metadata. Brokers take 4096 bytes unless they are told
// otherwise.
const maxMetadata = 4000

var errLaterVersion = errors.New("commit metadata was written by a later version of goshawk")

// String encodes the commitment as metadata.
func (c *commitment) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s;epoch=%08x", metadataVersion, c.epoch)
	if c.at > 0 {
		fmt.Fprintf(&s, ";at=%d", c.at)
	}
	if c.to > 0 {
		fmt.Fprintf(&s, ";to=%d", c.to)
	}
	if len(c.repeats) > 0 {
		s.WriteString(";repeats=")
		for i := 0; i < len(c.repeats); {
			j := i
			for j+1 < len(c.repeats) && c.repeats[j+1] == c.repeats[j]+1 {
				j++
			}
			if i > 0 {
				s.WriteByte(',')
			}
			s.WriteString(strconv.FormatInt(c.repeats[i], 10))
			if j > i {
				s.WriteByte('-')
				s.WriteString(strconv.FormatInt(c.repeats[j], 10))
			}
			i = j + 1
		}
	}
	return s.String()
}

// parseCommitment reads metadata. It reports false for metadata that was not
// written by goshawk: somebody else has set the offset.
func parseCommitment(metadata string) (c commitment, ours bool, err error) {
	version, rest, _ := strings.Cut(metadata, ";")
	if version != metadataVersion {
		if strings.HasPrefix(version, "goshawk/") {
			return c, false, fmt.Errorf("%w: %.40q", errLaterVersion, metadata)
		}
		return c, false, nil
	}
	damaged := fmt.Errorf("commit metadata %.80q is damaged", metadata)
	for field := range strings.SplitSeq(rest, ";") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "epoch":
			epoch, err := strconv.ParseUint(value, 16, 32)
			if err != nil {
				return commitment{}, false, damaged
			}
			c.epoch = uint32(epoch)
		case "at":
			if c.at, err = strconv.ParseInt(value, 10, 64); err != nil || c.at <= 0 {
				return commitment{}, false, damaged
			}
		case "to":
			if c.to, err = strconv.ParseInt(value, 10, 64); err != nil || c.to <= 0 {
				return commitment{}, false, damaged
			}
		case "repeats":
			if c.repeats, err = parseRanges(value); err != nil {
				return commitment{}, false, damaged
			}
		}
	}
	if c.epoch == 0 {
		return commitment{}, false, damaged
	}
	return c, true, nil
}

// maxPlannedRepeats bounds what the ranges in the metadata may expand to.
const maxPlannedRepeats = 1 << 22

func parseRanges(text string) ([]int64, error) {
	var all []int64
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return nil, err
		}
		to := from
		if isRange {
			if to, err = strconv.ParseInt(last, 10, 64); err != nil {
				return nil, err
			}
		}
		if from < 0 || to < from || to-from >= maxPlannedRepeats-int64(len(all)) || len(all) > 0 && from <= all[len(all)-1] {
			return nil, errors.New("not ascending ranges")
		}
		for d := from; d <= to; d++ {
			all = append(all, d)
		}
	}
	return all, nil
}

// repeatsSize bounds the length of the encoded repeats as they are added: it
// grows by what the distance takes where a new range begins, and once for the
// end of a range.
type repeatsSize struct {
	bytes int
	last  int64
	any   bool
	long  bool
}

func (s *repeatsSize) add(distance int64) {
	digits := len(strconv.FormatInt(distance, 10)) + 1
	switch {
	case !s.any || distance != s.last+1:
		s.bytes += digits
		s.long = false
	case !s.long:
		s.bytes += digits + 8 // the end of the range may get longer
		s.long = true
	}
	s.any, s.last = true, distance
}

// fit reports whether one more repeat certainly fits into the metadata.
func (s *repeatsSize) fit() bool { return s.bytes < maxMetadata-200 }
