package remotewrite

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"strconv"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/convert"
)

// splitter turns requests of one version into parts. It works in two steps: it
// walks over the request, writing the points of every series to out, and then
// copies them, with the names and wrappers that they need, to where they belong.
//
// It is used by one goroutine at a time and keeps its memory between requests.
type splitter struct {
	version              version
	maxName, maxValue    int // of labels
	maxText              int // of any string
	maxLabels, maxRecord int
	limits               otlp.Limits
	memory               convert.Memory
	body                 []byte
	oldest, newest       int64 // times that are taken, in milliseconds
	partitions           int
	index                int // of the current series
	symbols              []symbol
	labels               []label
	exemplarLabels       []label
	series               series
	histogram            histogram
	out                  []byte
	exemplars            []byte // the encoded exemplars of the current series
	exemplarTime         uint64 // the newest of their times, Unix nanoseconds
	seed                 maphash.Seed
	groups               []group
	table                []uint32 // group + 1 by hash, 0 for none
	resources            []byte   // the encoded resources of the groups
	items                []item
	lastGroup            uint32
	newestKept           int64 // the newest time of a point, in milliseconds
	events               int64
	written              struct{ samples, histograms, exemplars int64 }
	report               report
	parts                []otlp.Part
	assembly             assembly
}

func newSplitter(v version, cfg Config, limits otlp.Limits, claim func(int64) error) *splitter {
	s := &splitter{
		version:   v,
		maxText:   int(min(limits.MaxValueBytes, math.MaxInt32)),
		maxLabels: limits.MaxAttributes,
		maxRecord: int(max(min(limits.MaxRecordBytes, math.MaxInt32), 1<<10)),
		limits:    limits,
		memory:    convert.NewMemory(claim),
		seed:      maphash.MakeSeed(),
	}
	s.maxName = min(int(cfg.MaxLabelName), s.maxText)
	s.maxValue = min(int(cfg.MaxLabelValue), s.maxText)
	return s
}

// errMalformed is the error where the body is not a request of its version.
var errMalformed = errors.New("malformed protobuf")

// maxMillis is the last time that Unix nanoseconds can express.
const maxMillis = math.MaxInt64 / 1_000_000

// maxBody bounds a body: positions have 32 bits.
const maxBody = math.MaxInt32

// keptBytes is how much memory for output is kept between requests.
const keptBytes = 8 << 20

// Split implements [gateway.Splitter]. The parts of a request depend on nothing
// but the request, the number of partitions, and, for what is too old or too
// new and for metadata without samples, the time of receipt.
func (s *splitter) Split(_ telemetry.Signal, body []byte, partitions int, received int64) error {
	s.Reset()
	if len(body) > maxBody {
		return fmt.Errorf("%w: the request exceeds 2 GiB", errMalformed)
	}
	s.body, s.partitions = body, max(1, partitions)
	s.receivedAt(received)
	var ok bool
	if s.version == version1 {
		ok = s.request1(received)
	} else {
		ok = s.request2()
	}
	switch {
	case s.memory.Err() != nil:
		return s.memory.Err()
	case !ok:
		return fmt.Errorf("%w: the body is no %s (series %d)", errMalformed, s.messageName(), s.index)
	}
	return s.assemble()
}

func (s *splitter) messageName() string {
	if s.version == version1 {
		return messageV1
	}
	return messageV2
}

// receivedAt sets the times that are taken of a request received at the time.
func (s *splitter) receivedAt(received int64) {
	s.oldest, s.newest = 1, maxMillis
	if received <= 0 {
		return
	}
	if oldest := received - int64(s.limits.MaxAge); oldest > 0 {
		s.oldest = max(1, (oldest+999_999)/1_000_000)
	}
	if d := int64(s.limits.MaxFuture); d < math.MaxInt64-received {
		s.newest = (received + d) / 1_000_000
	}
}

// Reset implements [gateway.Splitter].
func (s *splitter) Reset() {
	s.body = nil
	s.memory.Reset()
	s.index, s.events, s.newestKept = 0, 0, 0
	s.lastGroup = 0
	s.written.samples, s.written.histograms, s.written.exemplars = 0, 0, 0
	s.report.reset()
	if cap(s.out) > keptBytes {
		s.out = nil
	}
	if cap(s.exemplars) > keptBytes {
		s.exemplars = nil
	}
	const kept = keptBytes / 64 // entries of the lists, hardly any is larger
	if cap(s.items) > kept {
		s.items = nil
	}
	if cap(s.symbols) > kept {
		s.symbols = nil
	}
	if cap(s.groups) > kept || cap(s.resources) > keptBytes {
		s.groups, s.resources, s.table = nil, nil, nil
	}
	s.assembly.reset()
	s.out, s.items, s.symbols = s.out[:0], s.items[:0], s.symbols[:0]
	s.groups, s.resources = s.groups[:0], s.resources[:0]
	clear(s.table)
	clear(s.parts)
	s.parts = s.parts[:0]
}

// need claims memory for what the request holds beside its body: n bytes more.
func (s *splitter) need(n int) bool { return s.memory.Claim(n) }

// slack is how many bytes may be written beyond what is needed: short strings
// are copied in steps of a fixed size.
const slack = 64

// leastOut is the least memory that out has.
const leastOut = 64 << 10

// room makes sure that n bytes, and some more, can be written to out.
func (s *splitter) room(n int) bool {
	if !s.need(n) {
		return false
	}
	if len(s.out)+n+slack <= cap(s.out) {
		return true
	}
	// It grows by no more than a bit beyond what is claimed.
	larger := make([]byte, len(s.out), max(len(s.out)+n+slack, cap(s.out)+min(cap(s.out), keptBytes/2), leastOut))
	copy(larger, s.out)
	s.out = larger
	return true
}

// Parts returns what has to be produced.
func (s *splitter) Parts() []otlp.Part { return s.parts }

// Accepted returns how many points are in the parts.
func (s *splitter) Accepted() int64 { return s.events }

// reporting is a splitter that tells what was written, as version 2.0 wants it.
type reporting struct{ *splitter }

// Header implements [gateway.HeaderSplitter].
func (r reporting) Header() http.Header {
	count := func(n int64) []string { return []string{strconv.FormatInt(n, 10)} }
	return http.Header{
		headerSamples:    count(r.written.samples),
		headerHistograms: count(r.written.histograms),
		headerExemplars:  count(r.written.exemplars),
	}
}
