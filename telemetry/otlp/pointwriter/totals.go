package pointwriter

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Family is a metric of which every series of a [Totals] has a value.
type Family struct {
	Name, Unit, Description string
	// Kind is Sum or Histogram. A histogram is of durations, in seconds.
	Kind Kind
	// Bounds are the upper bounds of a histogram's buckets in seconds, ascending.
	Bounds []float64
}

// TotalsConfig says what a [Totals] counts and when it says so. Times are event
// time.
type TotalsConfig struct {
	// Service and Scope are the names in the requests.
	Service, Scope string
	// Labels are the keys of the labels of every series.
	Labels   []string
	Families []Family
	// Interval is from one point of a series to the next, aligned: each is at a
	// multiple of it.
	Interval time.Duration
	// MaxSeries bounds the sets of labels. What is beyond it is counted together,
	// for each tenant, under the label that OpenTelemetry has for that:
	// otel.metric.overflow.
	MaxSeries int
}

const (
	// Repeat is after what time a series that did not change is said again, so
	// that who looks back five minutes sees it.
	Repeat = time.Minute
	// Forget is after what time without a change a series ends, with a point that
	// says so.
	Forget = 15 * time.Minute

	// overflow is the label of what is beyond MaxSeries.
	overflow = "otel.metric.overflow"
	// maxRequest is about how long a request may become; then follows another.
	maxRequest = 512 << 10
)

// Totals are cumulative counters and histograms of what passes through a
// processor, for each tenant: what they say is a function of the calls alone, and
// their state can be saved and restored.
//
// It is used by one goroutine at a time.
type Totals struct {
	cfg TotalsConfig
	// bounds are those of the families in nanoseconds.
	bounds [][]int64
	w      *Writer
	// instance is where the requests of w are from.
	instance string

	tenants []*tenant // in the order in which they came
	index   map[string]*Series
	// at is the time of the latest points, a multiple of the interval; 0 where it
	// is not known yet.
	at int64

	key    []byte
	labels []Label
}

type tenant struct {
	name   string
	series []*Series // in the order in which they came
}

// Series are the values of one set of labels. It is found by [Totals.Series] and
// stays valid until Gone is set, which only [Totals.Advance] does.
type Series struct {
	// Gone is set where the series has ended: it must be looked up again.
	Gone bool

	values []string // of the labels; none where it is of everything beyond MaxSeries
	cells  []cell
	// since is when the series began, which is known from its first point on,
	// changed when it changed last, and said the time of its latest point, 0 where
	// there is none.
	since, changed, said int64
	touched              bool // since the latest points
}

// cell is the value of a series in one family.
type cell struct {
	count uint64
	// seconds and nanoseconds are the sum of a histogram, exactly.
	seconds, nanoseconds uint64
	counts               []uint64
	// said is the count of a histogram's latest point, 0 where it has none: many
	// series never get a value in some family, and need no points there.
	said uint64
	// slowest is the slowest measurement since the latest points.
	slowest exemplar
}

type exemplar struct {
	duration, time int64
	trace          telemetry.TraceID
	span           telemetry.SpanID
}

// NewTotals returns totals without a series.
func NewTotals(cfg TotalsConfig) *Totals {
	t := &Totals{cfg: cfg, bounds: make([][]int64, len(cfg.Families))}
	for i := range cfg.Families {
		for _, seconds := range cfg.Families[i].Bounds {
			t.bounds[i] = append(t.bounds[i], int64(math.Round(seconds*float64(time.Second))))
		}
	}
	t.Reset()
	return t
}

// Reset forgets everything.
func (t *Totals) Reset() {
	t.tenants, t.index = nil, make(map[string]*Series)
	t.at = 0
}

// Len returns the number of series.
func (t *Totals) Len() int { return len(t.index) }

// Bytes returns about how much memory the series take.
func (t *Totals) Bytes() int64 {
	one := 200 + 100*len(t.cfg.Labels)
	for i := range t.bounds {
		one += 100 + 8*len(t.bounds[i])
	}
	return int64(len(t.index)) * int64(one)
}

// Series returns the series of a tenant with the given values of the labels, and
// makes it where it is not there yet. The strings need not stay valid.
func (t *Totals) Series(tenant string, values ...string) *Series {
	if s := t.find(tenant, values); s != nil {
		return s
	}
	if len(t.index) >= t.cfg.MaxSeries {
		if s := t.find(tenant, nil); s != nil {
			return s
		}
		values = nil
	}
	kept := make([]string, 0, len(values))
	for _, v := range values {
		kept = append(kept, strings.Clone(v))
	}
	s := t.newSeries(kept)
	s.changed = t.at
	t.insert(tenant, s)
	return s
}

// find looks for a series, and leaves its key in t.key.
func (t *Totals) find(tenant string, values []string) *Series {
	key := append(binary.AppendUvarint(t.key[:0], uint64(len(tenant))), tenant...)
	for _, v := range values {
		key = append(binary.AppendUvarint(key, uint64(len(v))), v...)
	}
	t.key = key
	return t.index[string(key)]
}

func (t *Totals) newSeries(values []string) *Series {
	s := &Series{values: values, cells: make([]cell, len(t.cfg.Families))}
	for i := range t.cfg.Families {
		if t.cfg.Families[i].Kind == Histogram {
			s.cells[i].counts = make([]uint64, len(t.bounds[i])+1)
		}
	}
	return s
}

// insert adds a series whose key is in t.key.
func (t *Totals) insert(name string, s *Series) {
	t.index[string(t.key)] = s
	for _, owner := range t.tenants {
		if owner.name == name {
			owner.series = append(owner.series, s)
			return
		}
	}
	t.tenants = append(t.tenants, &tenant{strings.Clone(name), []*Series{s}})
}

// Add counts n in the family of the given place, a Sum.
func (s *Series) Add(family int, n uint64) {
	s.touched = true
	s.cells[family].count += n
}

// Observe counts a duration of the family of the given place, a Histogram. A
// negative duration counts as none. The slowest since the latest points becomes
// their exemplar, with the given time and ids; without a trace id there is none.
func (t *Totals) Observe(s *Series, family int, duration, time int64, trace telemetry.TraceID, span telemetry.SpanID) {
	duration, time = max(duration, 0), max(time, 0)
	s.touched = true
	c := &s.cells[family]
	c.count++
	c.nanoseconds += uint64(duration)
	if c.nanoseconds >= 1e9 {
		c.seconds += c.nanoseconds / 1e9
		c.nanoseconds %= 1e9
	}
	bounds, bucket := t.bounds[family], 0
	for bucket < len(bounds) && duration > bounds[bucket] {
		bucket++
	}
	c.counts[bucket]++
	if e := (exemplar{duration, time, trace, span}); !trace.IsZero() && e.before(&c.slowest) {
		c.slowest = e
	}
}

// before reports whether an exemplar is taken rather than another. It does not
// depend on which came first.
func (e *exemplar) before(other *exemplar) bool {
	if other.trace.IsZero() || e.duration != other.duration {
		return other.trace.IsZero() || e.duration > other.duration
	}
	if c := slices.Compare(e.trace[:], other.trace[:]); c != 0 {
		return c < 0
	}
	return slices.Compare(e.span[:], other.span[:]) < 0
}

// Advance adds the points to the batch that are due now, a time that only goes
// back where the clock of event time was set back. It is called after every
// record, before or after that is counted, but always the same: then it does the
// same whatever blocks the records come in.
//
// A series that is new begins with a zero: a counter that appears with a value
// would have no increase. Points are of what was counted up to the call.
func (t *Totals) Advance(b *telemetry.Batch, now int64) {
	at := now - now%int64(t.cfg.Interval)
	switch {
	case at <= 0: // before the first event
	case t.at == 0:
		t.at = at
	case at < t.at:
		t.setBack(at)
	case at > t.at:
		t.at = at
		t.write(b)
	}
}

// setBack makes sure that nothing happened after now.
func (t *Totals) setBack(at int64) {
	t.at = at
	for _, owner := range t.tenants {
		for _, s := range owner.series {
			s.since, s.changed, s.said = min(s.since, at), min(s.changed, at), min(s.said, at)
		}
	}
}

// write writes what is due at t.at.
func (t *Totals) write(b *telemetry.Batch) {
	for i, owner := range t.tenants {
		for _, s := range owner.series {
			if s.touched {
				s.changed = t.at
			}
			if s.said == 0 {
				// The series may have ended before, one interval ago at the latest.
				s.since = t.before(s)
			}
		}
		t.writeTenant(b, owner)
		owner.series = slices.DeleteFunc(owner.series, func(s *Series) bool {
			if s.Gone = t.forgets(s); s.Gone {
				t.find(owner.name, s.values)
				delete(t.index, string(t.key))
			} else if t.says(s) {
				s.said, s.touched = t.at, false
				for j := range s.cells {
					s.cells[j].said, s.cells[j].slowest = s.cells[j].count, exemplar{}
				}
			}
			return s.Gone
		})
		if len(owner.series) == 0 {
			t.tenants[i] = nil
		}
	}
	t.tenants = slices.DeleteFunc(t.tenants, func(owner *tenant) bool { return owner == nil })
}

// before returns the time of a point that precedes the first ones, no earlier than
// the series.
func (t *Totals) before(s *Series) int64 {
	return max(s.since, t.at-int64(t.cfg.Interval)+int64(time.Millisecond))
}

func (t *Totals) forgets(s *Series) bool { return t.at-s.changed >= int64(Forget) }

func (t *Totals) says(s *Series) bool {
	return s.touched || s.said == 0 || t.at-s.said >= int64(Repeat)
}

func (t *Totals) writeTenant(b *telemetry.Batch, owner *tenant) {
	instance := b.Topic + "/" + strconv.Itoa(int(b.Partition))
	if t.w == nil || t.instance != instance {
		t.instance = instance
		t.w = New([]Label{{"service.name", t.cfg.Service}, {"service.instance.id", instance}}, t.cfg.Scope)
	}
	for i := range t.cfg.Families {
		f := &t.cfg.Families[i]
		t.w.Metric(f.Name, f.Unit, f.Description, f.Kind)
		for _, s := range owner.series {
			switch {
			case f.Kind == Histogram && s.cells[i].count == 0:
				continue
			case t.forgets(s):
				t.w.Stale(t.labelsOf(s), t.at)
			case t.says(s):
				t.writeSeries(s, i)
			default:
				continue
			}
			if t.w.Len() >= maxRequest {
				t.finish(b, owner)
				t.w.Metric(f.Name, f.Unit, f.Description, f.Kind)
			}
		}
	}
	t.finish(b, owner)
}

func (t *Totals) writeSeries(s *Series, family int) {
	f, c, labels := &t.cfg.Families[family], &s.cells[family], t.labelsOf(s)
	if f.Kind != Histogram {
		if s.said == 0 {
			t.w.Number(labels, s.since, s.since, 0)
		}
		t.w.Number(labels, s.since, t.at, float64(c.count))
		return
	}
	if c.said == 0 {
		t.w.Histogram(labels, s.since, t.before(s), 0, 0, f.Bounds, make([]uint64, len(c.counts)))
	}
	var exemplars []Exemplar
	if e := &c.slowest; !e.trace.IsZero() {
		exemplars = []Exemplar{{Time: e.time, Value: float64(e.duration) / 1e9, TraceID: e.trace, SpanID: e.span}}
	}
	t.w.Histogram(labels, s.since, t.at, c.count, float64(c.seconds)+float64(c.nanoseconds)/1e9, f.Bounds, c.counts, exemplars...)
}

func (t *Totals) labelsOf(s *Series) []Label {
	t.labels = t.labels[:0]
	if len(s.values) == 0 && len(t.cfg.Labels) > 0 {
		t.labels = append(t.labels, Label{overflow, "true"})
	}
	for i, v := range s.values {
		t.labels = append(t.labels, Label{t.cfg.Labels[i], v})
	}
	return t.labels
}

func (t *Totals) finish(b *telemetry.Batch, owner *tenant) {
	value, events := t.w.Finish()
	if events == 0 {
		return
	}
	b.Derived = append(b.Derived, telemetry.Derived{
		Signal: telemetry.Metrics, Tenant: owner.name, Key: t.instance, Value: value, Events: events, Time: t.at,
	})
}
