package clickhouse

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// exemplarRow is an exemplar and the point that has it.
type exemplarRow struct {
	*telemetry.Exemplar
	fingerprint uint64
	pointTime   int64
	metric      uint32
}

// exemplars writes the table exemplars.
type exemplars struct {
	rows  rows[exemplarRow]
	found []exemplarRow
	sort  sorter
	block *block
}

func newExemplars(s *Sink) *exemplars {
	t := &exemplars{}
	r, sh := &t.rows, &s.shared
	metric := func(row *exemplarRow) *telemetry.Metric { return &sh.batch.Metrics[row.metric] }
	of := func(row *exemplarRow) *resource { return &sh.resources[metric(row).Resource] }
	t.block = s.newBlock(tables.Exemplars, t.rows.use, encoders{
		"tenant":         lowTexts(r, &sh.words, func(row *exemplarRow) string { return of(row).tenant }),
		"metric":         lowTexts(r, &sh.words, func(row *exemplarRow) string { return metric(row).Name }),
		"fingerprint":    int64s(r, func(row *exemplarRow) int64 { return int64(row.fingerprint) }),
		"bucket":         buckets(r, func(row *exemplarRow) int64 { return row.pointTime }),
		"time":           eventTimes(r, func(row *exemplarRow) int64 { return row.pointTime }),
		"exemplar_time":  times(r, func(row *exemplarRow) int64 { return row.Time }),
		"value":          float64s(r, func(row *exemplarRow) float64 { return row.Value }),
		"is_int":         uint8s(r, func(row *exemplarRow) uint8 { return boolByte(row.IsInt) }),
		"exact_int":      int64s(r, func(row *exemplarRow) int64 { return exactInt(row.IsInt, row.Int) }),
		"trace_id":       traceIDs(r, func(row *exemplarRow) *telemetry.TraceID { return &row.TraceID }),
		"span_id":        spanIDs(r, func(row *exemplarRow) *telemetry.SpanID { return &row.SpanID }),
		"attributes":     attributeMaps(r, sh, func(row *exemplarRow) telemetry.Range { return row.Attrs }),
		"retention_days": uint16s(r, func(row *exemplarRow) uint16 { return of(row).retentionDays }),
	})
	return t
}

// see notes a point's exemplars.
func (t *exemplars) see(b *telemetry.Batch, p *telemetry.Point, fingerprint uint64) {
	for i := p.Exemplars.Start; i < p.Exemplars.End; i++ {
		t.found = append(t.found, exemplarRow{
			Exemplar: &b.Exemplars[i], fingerprint: fingerprint, pointTime: p.Time, metric: p.Metric,
		})
	}
}

// prepare returns the insert of what see found.
func (t *exemplars) prepare(s *shared) *block {
	t.sort.reset(len(t.found))
	for i := range t.found {
		row := &t.found[i]
		time := eventTime(row.pointTime)
		t.sort.add(pointPrefix(s.metrics[row.metric].rank, time), row.fingerprint, time)
	}
	t.rows.all, t.rows.order = t.found, t.sort.sorted()
	t.block.rows = len(t.found)
	return t.block
}
