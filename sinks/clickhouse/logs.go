package clickhouse

import (
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// logs writes the table logs.
type logs struct {
	rows  rows[telemetry.Log]
	sort  sorter
	block *block
	// longest are the longest words of the bodies that were encoded last.
	longest []uint8
}

func newLogs(s *Sink) *logs {
	t := &logs{}
	r, sh := &t.rows, &s.shared
	of := func(l *telemetry.Log) *resource { return &sh.resources[l.Resource] }
	t.block = s.newBlock(tables.Logs, t.rows.use, encoders{
		"tenant":             lowTexts(r, &sh.words, func(l *telemetry.Log) string { return of(l).tenant }),
		"bucket":             buckets(r, func(l *telemetry.Log) int64 { return l.Time }),
		"service":            lowTexts(r, &sh.words, func(l *telemetry.Log) string { return of(l).service }),
		"time":               eventTimes(r, func(l *telemetry.Log) int64 { return l.Time }),
		"observed_delay_ns":  int64s(r, observedDelay),
		"severity":           uint8s(r, func(l *telemetry.Log) uint8 { return l.Severity }),
		"severity_class":     uint8s(r, severityClass),
		"severity_text":      lowTexts(r, &sh.words, func(l *telemetry.Log) string { return l.SeverityText }),
		"event_name":         lowTexts(r, &sh.words, func(l *telemetry.Log) string { return l.EventName }),
		"body":               t.bodies(&sh.scratch),
		"longest_word":       func(dst []byte) []byte { return append(dst, t.longest...) },
		"body_kind":          uint8s(r, func(l *telemetry.Log) uint8 { return uint8(l.Body.Kind) }),
		"pattern_id":         uint64s(r, func(l *telemetry.Log) uint64 { return l.Pattern }),
		"trace_id":           traceIDs(r, func(l *telemetry.Log) *telemetry.TraceID { return &l.TraceID }),
		"span_id":            spanIDs(r, func(l *telemetry.Log) *telemetry.SpanID { return &l.SpanID }),
		"flags":              uint32s(r, func(l *telemetry.Log) uint32 { return l.Flags }),
		"attributes":         attributeMaps(r, sh, func(l *telemetry.Log) telemetry.Range { return l.Attrs }),
		"dropped_attributes": uint32s(r, func(l *telemetry.Log) uint32 { return l.DroppedAttrs }),
		"resource":           lowTexts(r, &sh.words, func(l *telemetry.Log) string { return of(l).document }),
		"scope":              lowTexts(r, &sh.words, func(l *telemetry.Log) string { return sh.scopes[l.Scope].document }),
		"retention_days":     uint16s(r, func(l *telemetry.Log) uint16 { return of(l).retentionDays }),
	})
	return t
}

// bodies encodes the column body, and finds what is in longest_word, which comes
// after it, while the text is in the processor's cache.
func (t *logs) bodies(scratch *[]byte) encoder {
	return func(dst []byte) []byte {
		t.longest = t.longest[:0]
		for _, i := range t.rows.part {
			text := textOf(scratch, &t.rows.all[i].Body)
			t.longest = append(t.longest, telemetry.LongestWord(text))
			dst = appendText(dst, text)
		}
		return dst
	}
}

func (t *logs) prepare(s *Sink, b *telemetry.Batch) *block {
	t.sort.reset(len(b.Logs))
	for i := range b.Logs {
		l := &b.Logs[i]
		time := eventTime(l.Time)
		t.sort.add(s.shared.eventPrefix(l.Resource, time, severityClass(l)), 0, time)
	}
	t.rows.all, t.rows.order = b.Logs, t.sort.sorted()
	t.block.rows = len(t.rows.order)
	return t.block
}

// observedDelay is the column observed_delay_ns. Most events are observed when
// they happen, or always as long after it, which a time of its own would hide.
func observedDelay(l *telemetry.Log) int64 {
	if l.Observed == 0 {
		return math.MinInt64
	}
	return storableTime(l.Observed) - eventTime(l.Time)
}

// severityClass is the number of severity_class.
func severityClass(l *telemetry.Log) uint8 { return telemetry.SeverityClass(l.Severity) }
