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
	const width = tables.BucketSeconds
	terms := append(
		make([]string, 0, len(c.Terms)+2), c.Terms[0],
		fmt.Sprintf("bucket >= toDateTime(%d, 'UTC') AND bucket <= toDateTime(%d, 'UTC')", in.From/1e9/width*width, in.To/1e9/width*width),
		fmt.Sprintf("time >= fromUnixTimestamp64Nano(toInt64(%d)) AND time <= fromUnixTimestamp64Nano(toInt64(%d))", in.From, in.To),
	)
	return clickhouse.Condition{Terms: append(terms, c.Terms[1:]...), Parameters: c.Parameters}
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
	in = in.Within()
	const width = tables.BucketSeconds * int64(time.Second)
	in = Range{From: in.From / width * width, To: in.To/width*width + width - 1}
	c := r.base()
	for _, m := range matchers {
		if m.Name == labelService {
			c.Add(serviceTerm(&c, m))
		}
	}
	c = within(c, in)
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
	found, err := r.resources(ctx, c)
	if err != nil {
		return nil, err
	}
	all := make([]*stream, len(found))
	for i := range found {
		all[i] = found[i].stream
	}
	return all, nil
}

// resources returns the streams of the rows that meet a condition, with their
// severity classes, in their order.
//
// To group by one column of low cardinality takes a seventh of what two take. The
// service is part of the resource, unless somebody else wrote the rows.
func (r *Reader) resources(ctx context.Context, c *clickhouse.Condition) ([]levelStream, error) {
	found, several, err := r.groupedStreams(ctx, c, "min(service)", "max(service)", "resource")
	if several {
		found, _, err = r.groupedStreams(ctx, c, "service", "service", "service, resource")
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b levelStream) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.resource, b.resource))
	})
	return found, nil
}

// groupedStreams is resources with a way to group; several says that a resource
// has more than one service.
func (r *Reader) groupedStreams(ctx context.Context, c *clickhouse.Condition, least, most, by string) (all []levelStream, several bool, err error) {
	var out clickhouse.Output
	resources := newLowTexts()
	var first, last proto.ColStr
	var classes proto.ColUInt8 // a bit each
	out.Add("CAST("+least+", 'String')", &first)
	out.Add("CAST("+most+", 'String')", &last)
	out.Add("resource", resources)
	out.Add("groupBitOr(toUInt8(bitShiftLeft(toUInt8(1), toUInt8(severity_class))))", &classes)
	limit := r.store.cfg.MaxStreams
	text := "SELECT " + out.Columns() + "\nFROM " + r.table(tables.Logs) + "\nWHERE " + c.Where() + "\nGROUP BY " + by + "\nLIMIT " + strconv.Itoa(limit+1)
	known := streams{}
	err = r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range classes {
			several = several || first.Row(i) != last.Row(i)
			one := levelStream{stream: known.get(first.Row(i), resources.Row(i))}
			for class := range uint8(len(levels)) {
				if classes[i]&(1<<class) != 0 {
					one.classes = append(one.classes, class)
				}
			}
			all = append(all, one)
		}
		if len(all) > limit {
			return exceeded("there are more than %d streams in the time of the request (query.logs.max_streams): ask for less time, or for a service_name", limit)
		}
		return nil
	})
	return all, several, err
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
	c := within(r.base(), in)
	all, err := r.resources(ctx, &c)
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
