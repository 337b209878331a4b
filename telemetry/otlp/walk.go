package otlp

import (
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// walker walks over one request: the wrappers for resources and scopes, and the
// rows in them. It serves three purposes, and so they cannot disagree:
//
//   - decoding: rows go to the batch, the extents of rejected ones to rejects;
//   - checking (check and cut are set): rows are checked but not kept, and the
//     extents of good ones go to cut, by partition;
//   - picking (picks and cut are set): nothing is decoded, the extents in picks
//     go to cut, by reason.
//
// Every position is relative to the request, whatever message is being read: a
// message's bytes are the request cut off at the message's end.
type walker struct {
	b      *telemetry.Batch
	signal telemetry.Signal
	record uint32
	check  bool
	cut    *cutter
	picks  []reject
	// once is set while decoding takes for granted that a resource which begins with
	// its own fields, or a scope, has its children last, as SDKs write them, and does
	// not step over all children first: they are not in the processor's cache yet.
	// What is otherwise is no request then, and is walked over again without.
	once bool
	// partitions is the number of partitions that rows are spread over.
	partitions int

	maxAttributes, maxDepth  int
	maxValue, maxBody        int
	received, oldest, newest int64

	// The wrappers that the current row is in, as indices of the batch's rows
	// and of the cutter's nodes, and as a place for messages.
	resource, scope, metric uint32
	node                    int32
	place                   place
	// hash is the sum of the hashes of the current resource's attributes.
	hash uint64

	// count is the number of attributes of the current list, why the first
	// problem of the current row or wrapper, key its partition.
	count int
	why   problem
	key   int32

	events, rejected int64
	byReason         [reasons]int64
	// rejects are the extents that are rejected, in order; when checking, the
	// first few.
	rejects []reject

	badAt int
	bad   string
}

// place names a row by the indices of the repeated fields that lead to it, -1
// where the place is a wrapper.
type place struct{ resource, scope, metric, row int32 }

// reject is an extent of the request that is rejected: a row, adjacent rows with
// the same reason, or a wrapper with all its rows.
type reject struct {
	extent
	place   place
	problem problem
	events  int64
}

// limit sets the limits, and the times that are taken for a request received at
// the given time. Where that is unknown (not positive) any time is taken.
func (w *walker) limit(lim *Limits) {
	w.maxAttributes = lim.MaxAttributes
	w.maxDepth = min(lim.MaxDepth, deepest)
	w.maxValue = int(min(lim.MaxValueBytes, maxRequestBytes))
	w.maxBody = int(min(lim.MaxRecordBytes, maxRequestBytes))
}

func (w *walker) receivedAt(received int64, lim *Limits) {
	w.received, w.oldest, w.newest = received, 0, math.MaxInt64
	if received <= 0 {
		return
	}
	w.oldest = max(0, received-int64(lim.MaxAge))
	if d := int64(lim.MaxFuture); d < math.MaxInt64-received {
		w.newest = received + d
	}
}

// request walks over a whole request. It returns false where the bytes are not
// a request; bad and badAt then say why.
func (w *walker) request(buf []byte) bool {
	w.node = -1
	w.place = place{}
	if len(buf) > maxRequestBytes {
		w.malformed(0, "request exceeds 2 GiB")
		return false
	}
	for pos := 0; pos < len(buf); {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		if tag != tagRepeatedFirst {
			if pos = w.other(buf, at, next, tag, 1<<1); pos < 0 {
				return false
			}
			continue
		}
		start, end := wire.Extent(buf, next)
		if end < 0 {
			w.malformed(next, badLength)
			return false
		}
		if !w.resourceData(buf[:end], at, start) {
			return false
		}
		w.place.resource++
		pos = end
	}
	return true
}

// Tags of the wrappers: the resources of a request, and the resource, the
// children and the schema URL of ResourceLogs, ScopeLogs and their likes.
const (
	tagRepeatedFirst = 1<<3 | wire.LengthType
	tagHeader        = 1<<3 | wire.LengthType
	tagChild         = 2<<3 | wire.LengthType
	tagSchemaURL     = 3<<3 | wire.LengthType
)

// resourceData walks over ResourceLogs, ResourceSpans or ResourceMetrics. The
// resource may come after its scopes; header looks for it.
func (w *walker) resourceData(buf []byte, at, pos int) bool {
	w.place.scope, w.place.metric, w.place.row = -1, -1, -1
	if w.picked(at, len(buf)) {
		return true
	}
	m := w.enter(at, len(buf), tagRepeatedFirst)
	w.hash = 0
	if w.picks == nil {
		w.resource = uint32(len(w.b.Resources))
		w.b.Resources = append(w.b.Resources, telemetry.Resource{Record: w.record})
	}
	pos, whole, fine := w.header(buf, pos)
	if !fine {
		return false
	}
	if w.picks == nil {
		w.finishResource(m.attrs)
	}
	why := w.why
	w.place.scope = 0
	for pos < len(buf) {
		field := pos
		tag, next := wire.Uvarint(buf, pos)
		if tag != tagChild {
			if pos = w.behind(buf, next, tag, whole, false); pos < 0 {
				return false
			}
			continue
		}
		start, end := wire.Extent(buf, next)
		if end < 0 {
			return false // only where header has not been here
		}
		if !w.scopeData(buf[:end], field, start) {
			return false
		}
		w.place.scope++
		pos = end
	}
	w.place.scope, w.place.metric, w.place.row = -1, -1, -1
	if w.cut != nil && w.picks == nil && w.signal != telemetry.Spans {
		w.cut.assign(m.items, w.resourcePartition())
	}
	w.leave(&m, why, at, len(buf))
	return true
}

// scopeData walks over ScopeLogs, ScopeSpans or ScopeMetrics.
func (w *walker) scopeData(buf []byte, at, pos int) bool {
	w.place.metric, w.place.row = -1, -1
	if w.picked(at, len(buf)) {
		return true
	}
	m := w.enter(at, len(buf), tagChild)
	if w.picks == nil {
		w.scope = uint32(len(w.b.Scopes))
		w.b.Scopes = append(w.b.Scopes, telemetry.Scope{})
	}
	pos, whole, fine := w.header(buf, pos)
	if !fine {
		return false
	}
	if w.picks == nil {
		w.b.Scopes[w.scope].Attrs = telemetry.Range{Start: m.attrs, End: uint32(len(w.b.Attrs))}
	}
	why := w.why
	ordinal := &w.place.row
	if w.signal == telemetry.Metrics {
		ordinal = &w.place.metric
	}
	*ordinal = 0
	for pos < len(buf) {
		field := pos
		tag, next := uint64(buf[pos]), pos+1
		if tag >= 0x80 {
			tag, next = wire.UvarintLong(buf, pos)
		}
		if tag != tagChild {
			if pos = w.behind(buf, next, tag, whole, true); pos < 0 {
				return false
			}
			continue
		}
		start, end := wire.Extent(buf, next)
		if end < 0 {
			return false // only where header has not been here
		}
		done := false
		switch w.signal {
		case telemetry.Logs:
			done = w.picked(field, end) || w.log(buf[:end], field, start)
		case telemetry.Spans:
			done = w.picked(field, end) || w.span(buf[:end], field, start)
		case telemetry.Metrics:
			done = w.metricData(buf[:end], field, start)
		}
		if !done {
			return false
		}
		*ordinal++
		pos = end
	}
	w.place.metric, w.place.row = -1, -1
	w.leave(&m, why, at, len(buf))
	return true
}

// header reads the fields of a wrapper other than its children: its resource or
// scope, and the schema URL. Children are stepped over, or are where it ends: then
// it has not seen the whole. The first child is at the result or behind it.
func (w *walker) header(buf []byte, pos int) (children int, whole, fine bool) {
	w.why = problem{}
	w.count = 0
	first := pos
	stop := w.once && first < len(buf) && buf[first] != tagChild
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case tagChild:
			if stop {
				return at, false, true
			}
			if _, pos = wire.Extent(buf, next); pos < 0 {
				w.malformed(next, badLength)
				return 0, false, false
			}
			continue
		case tagHeader:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return 0, false, false
			}
			if w.picks == nil && !w.headerMessage(buf[:end], start) {
				return 0, false, false
			}
			pos = end
		case tagSchemaURL:
			var url string
			if url, pos = w.text(buf, next); pos < 0 {
				return 0, false, false
			}
			if w.picks != nil {
				break
			}
			w.setSchemaURL(w.place.scope >= 0, url)
		default:
			if pos = w.other(buf, at, next, tag, 1<<1|1<<2|1<<3); pos < 0 {
				return 0, false, false
			}
		}
		if w.cut != nil {
			w.cut.head(w.node, at, pos)
		}
	}
	return first, true, true
}

// behind passes over a field of a resource or scope that comes after its first child.
// header has read it, unless it has not seen the whole: then a schema URL is all that
// may come there, and anything else gives -1.
func (w *walker) behind(buf []byte, pos int, tag uint64, whole, ofScope bool) (next int) {
	if whole {
		return skip(buf, pos, tag)
	}
	if tag != tagSchemaURL {
		return -1
	}
	start, end := wire.Extent(buf, pos)
	if end < 0 || end-start > w.maxValue {
		return -1
	}
	w.setSchemaURL(ofScope, repaired(buf[start:end]))
	return end
}

// setSchemaURL sets the schema URL of the current scope or resource.
func (w *walker) setSchemaURL(ofScope bool, url string) {
	if ofScope {
		w.b.Scopes[w.scope].SchemaURL = url
	} else {
		w.b.Resources[w.resource].SchemaURL = url
	}
}

func (w *walker) headerMessage(buf []byte, pos int) bool {
	if w.place.scope >= 0 {
		return w.scopeMessage(buf, pos)
	}
	if w.cut != nil && w.signal != telemetry.Spans && w.partitions > 1 {
		w.hash += hashAttributes(buf, pos)
	}
	return w.resourceMessage(buf, pos)
}

// malformed notes that the request cannot be decoded and returns -1, for a
// position.
func (w *walker) malformed(pos int, what string) int {
	w.badAt, w.bad = pos, what
	return -1
}

const (
	badLength = "a length is broken or runs past the end of its message"
	badValue  = "a value is cut off or too long for its type"
	badPacked = "packed values are cut off"
	badTag    = "a field number is broken or out of range"
	badType   = "a known field has a wire type that is not its own"
	badSkip   = "an unknown field is broken or cut off"
)

// other handles a field that the message's switch does not know: pos is the
// position after its tag, -1 where the tag itself is broken. The bits of known
// are the numbers of the message's fields, whose tag then has a wrong wire type.
func (w *walker) other(buf []byte, at, pos int, tag uint64, known uint32) int {
	number := tag >> 3
	switch {
	case pos < 0 || number == 0 || number > wire.MaxFieldNumber:
		return w.malformed(at, badTag)
	case number < 32 && known>>number&1 != 0:
		return w.malformed(at, badType)
	}
	next := skip(buf, pos, tag)
	if next < 0 {
		return w.malformed(at, badSkip)
	}
	return next
}

// note remembers the first problem of a row or wrapper.
func (w *walker) note(r reason, n, limit int64) {
	if w.why.reason == ok {
		w.why = problem{reason: r, n: n, limit: limit}
	}
}

// settle accounts for one row of the given extent that was decoded and checked.
// It reports whether the row stays in the batch.
func (w *walker) settle(at, end int) bool {
	if w.why.reason != ok {
		w.reject(reject{extent: extent{uint32(at), uint32(end)}, place: w.place, problem: w.why, events: 1})
		if w.cut != nil {
			w.cut.left++
		}
		return false
	}
	w.events++
	if w.cut != nil {
		w.cut.add(extent{uint32(at), uint32(end)}, w.node, w.key, 1)
	}
	return !w.check
}

// maxNoted is how many problems a splitter names in its message.
const maxNoted = 8

func (w *walker) reject(r reject) {
	w.rejected += r.events
	w.byReason[r.problem.reason] += r.events
	if n := len(w.rejects); w.check {
		if n == maxNoted {
			return
		}
	} else if n > 0 && w.rejects[n-1].end == r.start && w.rejects[n-1].problem.reason == r.problem.reason {
		w.rejects[n-1].end = r.end
		w.rejects[n-1].events += r.events
		return
	}
	w.rejects = append(w.rejects, r)
}

// picked handles the extent when picking: it goes to the cutter, or is left out
// where it is a row. It reports whether the extent is done with.
func (w *walker) picked(at, end int) bool {
	if w.picks == nil {
		return false
	}
	for len(w.picks) > 1 && w.picks[0].end <= uint32(at) {
		w.picks = w.picks[1:]
	}
	p := &w.picks[0]
	if p.start <= uint32(at) && uint32(end) <= p.end {
		w.cut.add(extent{uint32(at), uint32(end)}, w.node, int32(p.problem.reason), 1)
		return true
	}
	if w.place.row >= 0 {
		w.cut.left++
		return true
	}
	return false
}
