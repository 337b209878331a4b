package logs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Range is a range of time in Unix nanoseconds, both ends included.
type Range = traces.Range

// base is the condition that rows are of the tenant. Conditions of a query are
// added to it before [within].
func (r *Reader) base() clickhouse.Condition {
	var c clickhouse.Condition
	c.Add("tenant = " + c.Text(r.tenant))
	return c
}

// within bounds a condition that begins with the tenant to a time. The terms of
// the primary key go first.
func within(c clickhouse.Condition, in Range) clickhouse.Condition {
	in = in.Within()
	return bounded(
		c, bucketTerm(in),
		fmt.Sprintf("time >= fromUnixTimestamp64Nano(toInt64(%d)) AND time <= fromUnixTimestamp64Nano(toInt64(%d))", in.From, in.To),
	)
}

// inBuckets bounds a condition that begins with the tenant to the buckets of a
// time, whole ones. The table's projection answers what is asked of them by stream.
func inBuckets(c clickhouse.Condition, in Range) clickhouse.Condition {
	return bounded(c, bucketTerm(in))
}

func bucketTerm(in Range) string {
	const width = tables.BucketSeconds
	return fmt.Sprintf("bucket >= toDateTime(%d, 'UTC') AND bucket <= toDateTime(%d, 'UTC')", in.From/1e9/width*width, in.To/1e9/width*width)
}

// bounded puts terms behind the first of a condition.
func bounded(c clickhouse.Condition, terms ...string) clickhouse.Condition {
	all := make([]string, 0, len(c.Terms)+len(terms))
	all = append(append(append(all, c.Terms[0]), terms...), c.Terms[1:]...)
	return clickhouse.Condition{Terms: all, Parameters: c.Parameters}
}

// streamCache remembers for a short time which streams there are.
type streamCache struct {
	keep    time.Duration
	mu      sync.Mutex
	entries map[string]streamEntry
}

type streamEntry struct {
	all  []*stream
	read time.Time
}

func newStreamCache(keep time.Duration) *streamCache {
	return &streamCache{keep: keep, entries: map[string]streamEntry{}}
}

// maxCached is how many lists of streams are remembered.
const maxCached = 64

func (c *streamCache) get(key string, now time.Time) ([]*stream, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	return e.all, ok && now.Sub(e.read) < c.keep
}

func (c *streamCache) put(key string, all []*stream, now time.Time) {
	if c.keep <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, e := range c.entries {
		if now.Sub(e.read) >= c.keep || len(c.entries) >= maxCached {
			delete(c.entries, other)
		}
	}
	c.entries[key] = streamEntry{all, now}
}

// streams returns the services and resources that have lines in the buckets of a
// range, of the services that the matchers allow. They are copies.
func (r *Reader) streams(ctx context.Context, matchers []*logql.Matcher, in Range) ([]*stream, error) {
	c := r.base()
	for _, m := range matchers {
		if m.Name == labelService {
			c.Add(serviceTerm(&c, m))
		}
	}
	c = inBuckets(c, in.Within())
	key := cacheKey(&c)
	now := time.Now()
	all, ok := r.store.known.get(key, now)
	if !ok {
		var err error
		if all, err = r.readStreams(ctx, &c); err != nil {
			return nil, err
		}
		r.store.known.put(key, all, now)
	}
	// Streams keep what was made of them, which is for one goroutine.
	mine := make([]*stream, len(all))
	for i, s := range all {
		mine[i] = &stream{service: s.service, resource: s.resource, labels: s.labels, long: s.long}
	}
	return mine, nil
}

func cacheKey(c *clickhouse.Condition) string {
	var b strings.Builder
	b.WriteString(c.Where())
	for _, p := range c.Parameters {
		b.WriteString("\x00" + p.Value)
	}
	return b.String()
}

func (r *Reader) readStreams(ctx context.Context, c *clickhouse.Condition) ([]*stream, error) {
	found := foundStreams{known: streams{}, classes: map[*stream]uint8{}}
	if err := r.addStreams(ctx, c, &found); err != nil {
		return nil, err
	}
	all := make([]*stream, 0, len(found.classes))
	for _, s := range found.sorted() {
		all = append(all, s.stream)
	}
	return all, nil
}

// foundStreams are streams with the severity classes of their lines, a bit each.
type foundStreams struct {
	known   streams
	classes map[*stream]uint8
}

// addStreams adds the streams of the rows that meet a condition.
func (r *Reader) addStreams(ctx context.Context, c *clickhouse.Condition, found *foundStreams) error {
	var out clickhouse.Output
	services, resources := newLowTexts(), newLowTexts()
	var classes proto.ColUInt8
	out.Add("service", services)
	out.Add("resource", resources)
	out.Add("toUInt8(severity_class)", &classes)
	limit := r.store.cfg.MaxStreams
	text := "SELECT " + out.Columns() + "\nFROM " + r.table(tables.Logs) + "\nWHERE " + c.Where() +
		"\nGROUP BY service, resource, severity_class\nLIMIT " + strconv.Itoa((limit+1)*len(levels))
	return r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range classes {
			found.classes[found.known.get(services.Row(i), resources.Row(i))] |= 1 << min(classes[i], uint8(len(levels)-1))
		}
		if len(found.classes) > limit {
			return exceeded("there are more than %d streams in the time of the request (query.logs.max_streams): ask for less time, or for a service_name", limit)
		}
		return nil
	})
}

// sorted returns the streams in their order.
func (f *foundStreams) sorted() []levelStream {
	all := make([]levelStream, 0, len(f.classes))
	for s, classes := range f.classes {
		one := levelStream{stream: s}
		for class := range uint8(len(levels)) {
			if classes&(1<<class) != 0 {
				one.classes = append(one.classes, class)
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b levelStream) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.resource, b.resource))
	})
	return all
}

// resources returns the streams that have lines in a range, with their severity
// classes, in their order. Of whole buckets the projection knows them; the rows are
// read of what is left at the ends.
func (r *Reader) resources(ctx context.Context, in Range) ([]levelStream, error) {
	in = in.Within()
	found := foundStreams{known: streams{}, classes: map[*stream]uint8{}}
	add := func(c clickhouse.Condition) error { return r.addStreams(ctx, &c, &found) }
	from := (in.From + bucketNanoseconds - 1) / bucketNanoseconds * bucketNanoseconds
	to := (in.To+1)/bucketNanoseconds*bucketNanoseconds - 1
	if in.From > in.To {
		return nil, nil
	}
	if from > to {
		err := add(within(r.base(), in))
		return found.sorted(), err
	}
	if err := add(inBuckets(r.base(), Range{From: from, To: to})); err != nil {
		return nil, err
	}
	for _, end := range []Range{{From: in.From, To: from - 1}, {From: to + 1, To: in.To}} {
		if end.From > end.To {
			continue
		}
		if err := add(within(r.base(), end)); err != nil {
			return nil, err
		}
	}
	return found.sorted(), nil
}

// matches reports whether the stream's labels meet the matchers, beside those on
// its level, which is that of each line.
func (s *stream) matches(matchers []*logql.Matcher) bool {
	for _, m := range matchers {
		if m.Name == labelLevel && !s.ownLevel() {
			continue
		}
		if !m.Matches(s.labels.Get(m.Name)) {
			return false
		}
	}
	return true
}

// levelStream is a stream with the levels that its lines have.
type levelStream struct {
	*stream
	classes []uint8
}

// Streams returns the labels of the streams that have lines in a range and meet
// one of the selectors; without selectors all of them.
func (r *Reader) Streams(ctx context.Context, selectors [][]*logql.Matcher, in Range) ([]pipeline.Labels, error) {
	all, err := r.resources(ctx, in)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var found []pipeline.Labels
	for _, s := range all {
		for _, class := range s.classes {
			labels := s.of(class)
			key := string(labels.AppendKey(nil))
			if seen[key] || !meets(labels, selectors) {
				continue
			}
			seen[key] = true
			found = append(found, labels)
		}
	}
	return found, nil
}

func meets(labels pipeline.Labels, selectors [][]*logql.Matcher) bool {
	for _, matchers := range selectors {
		if !slices.ContainsFunc(matchers, func(m *logql.Matcher) bool { return !m.Matches(labels.Get(m.Name)) }) {
			return true
		}
	}
	return len(selectors) == 0
}
