package clickhouse

import (
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// seriesRow says what a fingerprint stands for, on one day.
type seriesRow struct {
	fingerprint uint64
	// onDay is the series on its day, key that with all the row says.
	onDay, key uint64
	count      *dayCount       // where there are limits
	attrs      telemetry.Range // of the point
	metric     uint32
	day        uint16 // days since 1970-01-01
	protocol   prometheus.Protocol
	// name and labels are what PromQL knows the series by; labels are a range of
	// series.labels.
	name   string
	labels telemetry.Range
}

// series writes the table series: a row for every series and day that this
// worker has not written since it started, or has forgotten since. Rows of the
// same series and day replace each other, so writing one again does no harm.
type series struct {
	rows   rows[seriesRow]
	found  []seriesRow
	sort   sorter
	block  *block
	known  seriesCache
	namer  *prometheus.Namer
	labels []prometheus.Label
	limits *limits
	// written are the keys of found, which known learns once the rows are durable.
	written map[uint64]struct{}
}

func newSeries(s *Sink) *series {
	t := &series{
		written: make(map[uint64]struct{}), known: seriesCache{limit: s.cfg.SeriesCache}, limits: newLimits(&s.cfg),
		namer: prometheus.NewNamer(s.cfg.PromoteResourceAttributes),
	}
	r, sh := &t.rows, &s.shared
	metric := func(row *seriesRow) *telemetry.Metric { return &sh.batch.Metrics[row.metric] }
	of := func(row *seriesRow) *resource { return &sh.resources[metric(row).Resource] }
	t.block = s.newBlock(tables.Series, t.rows.use, encoders{
		"tenant":          lowTexts(r, &sh.words, func(row *seriesRow) string { return of(row).tenant }),
		"metric":          lowTexts(r, &sh.words, func(row *seriesRow) string { return metric(row).Name }),
		"fingerprint":     int64s(r, func(row *seriesRow) int64 { return int64(row.fingerprint) }),
		"prometheus_name": lowTexts(r, &sh.words, func(row *seriesRow) string { return row.name }),
		"labels":          labelMaps(r, &sh.words, func(row *seriesRow) []prometheus.Label { return t.labels[row.labels.Start:row.labels.End] }),
		"protocol":        uint8s(r, func(row *seriesRow) uint8 { return uint8(row.protocol) }),
		"day":             uint16s(r, func(row *seriesRow) uint16 { return row.day }),
		"service":         lowTexts(r, &sh.words, func(row *seriesRow) string { return of(row).service }),
		"kind":            uint8s(r, func(row *seriesRow) uint8 { return within(uint8(metric(row).Kind), 5) }),
		"temporality":     uint8s(r, func(row *seriesRow) uint8 { return within(uint8(metric(row).Temporality), 2) }),
		"monotonic":       uint8s(r, func(row *seriesRow) uint8 { return boolByte(metric(row).Monotonic) }),
		"unit":            lowTexts(r, &sh.words, func(row *seriesRow) string { return metric(row).Unit }),
		"description":     lowTexts(r, &sh.words, func(row *seriesRow) string { return metric(row).Description }),
		"metadata":        attributeMaps(r, sh, func(row *seriesRow) telemetry.Range { return metric(row).Metadata }),
		"attributes":      attributeMaps(r, sh, func(row *seriesRow) telemetry.Range { return row.attrs }),
		"resource":        lowTexts(r, &sh.words, func(row *seriesRow) string { return of(row).document }),
		"scope":           lowTexts(r, &sh.words, func(row *seriesRow) string { return sh.scopes[metric(row).Scope].document }),
		"retention_days":  uint16s(r, func(row *seriesRow) uint16 { return of(row).retentionDays }),
	})
	return t
}

// reset begins a block.
func (t *series) reset(now time.Time) {
	t.limits.reset(now)
	clear(t.found)
	t.found = t.found[:0]
	clear(t.written)
}

// see returns the fingerprint of a point's series and notes the series where it
// is not known to be in the table.
func (t *series) see(s *shared, p *telemetry.Point) uint64 {
	m := &s.metrics[p.Metric]
	fingerprint := m.fingerprint(attributeSet(s.batch.AttrsOf(p.Attrs), &s.scratch))
	day := dayOf(p.Time)
	today := onDay(fingerprint, day)
	key := mix(today, m.meta)
	if !t.known.has(key) {
		t.note(seriesRow{fingerprint: fingerprint, onDay: today, key: key, attrs: p.Attrs, metric: p.Metric, day: day})
	}
	return fingerprint
}

// fingerprint returns that of the series with the given set of attributes.
func (m *metric) fingerprint(point uint64) uint64 { return m.near | mix(m.prefix, point)&^nearBits }

// note notes a series that is not known.
func (t *series) note(row seriesRow) {
	if t.limits.refused.has(row.onDay) {
		t.limits.denied[row.onDay] = 0
		return
	}
	if _, seen := t.written[row.key]; !seen {
		t.written[row.key] = struct{}{}
		t.found = append(t.found, row)
	}
}

// dayOf returns the day of a time, counted from 1970-01-01.
func dayOf(t int64) uint16 { return uint16(eventTime(t) / int64(24*time.Hour)) }

// onDay names a series on a day.
func onDay(fingerprint uint64, day uint16) uint64 { return mix(fingerprint, uint64(day)) }

// prepare returns the insert of what see found.
func (t *series) prepare(s *shared) *block {
	t.sort.reset(len(t.found))
	clear(t.labels)
	t.labels = t.labels[:0]
	for i := range t.found {
		row := &t.found[i]
		t.name(s, row)
		t.sort.add(uint64(s.metrics[row.metric].rank), row.fingerprint, int64(row.day))
	}
	t.rows.all, t.rows.order = t.found, t.sort.sorted()
	t.block.rows = len(t.found)
	return t.block
}

// name finds out what PromQL calls a series.
func (t *series) name(s *shared, row *seriesRow) {
	b := s.batch
	m := &b.Metrics[row.metric]
	scope := &b.Scopes[m.Scope]
	row.protocol = prometheus.ProtocolOf(scope)
	if row.name = t.namer.Name(m, row.protocol); row.name == "" {
		return
	}
	row.labels.Start = uint32(len(t.labels))
	t.labels = t.namer.AppendLabels(t.labels, row.protocol,
		b.AttrsOf(b.Resources[m.Resource].Attrs), b.AttrsOf(scope.Attrs), b.AttrsOf(row.attrs), scope)
	row.labels.End = uint32(len(t.labels))
}

// learn remembers what was written, once it is durable.
func (t *series) learn() {
	for i := range t.found {
		t.known.add(t.found[i].key)
	}
	t.limits.learn()
}
