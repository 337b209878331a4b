package clickhouse

import (
	"cmp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func newFailures(s *Sink) *counted[telemetry.Failure] {
	t := &counted[telemetry.Failure]{
		of: func(b *telemetry.Batch) []telemetry.Failure { return b.Failures },
		compare: func(x, y *telemetry.Failure) int {
			a, b := &s.shared.resources[x.Resource], &s.shared.resources[y.Resource]
			return cmp.Or(cmp.Compare(a.tenantRank, b.tenantRank), cmp.Compare(eventTime(x.Time)/bucketWidth, eventTime(y.Time)/bucketWidth),
				cmp.Compare(a.serviceRank, b.serviceRank), cmp.Compare(x.Group, y.Group), cmp.Compare(x.Time, y.Time))
		},
	}
	r, sh := &t.rows, &s.shared
	of := func(f *telemetry.Failure) *resource { return &sh.resources[f.Resource] }
	word := func(of func(*telemetry.Failure) string) encoder { return lowTexts(r, &sh.words, of) }
	t.block = s.newBlock(tables.Errors, t.use, encoders{
		"tenant":         word(func(f *telemetry.Failure) string { return of(f).tenant }),
		"bucket":         buckets(r, func(f *telemetry.Failure) int64 { return f.Time }),
		"service":        word(func(f *telemetry.Failure) string { return of(f).service }),
		"time":           eventTimes(r, func(f *telemetry.Failure) int64 { return f.Time }),
		"error_group":    uint64s(r, func(f *telemetry.Failure) uint64 { return f.Group }),
		"fingerprint":    word(func(f *telemetry.Failure) string { return f.Fingerprint }),
		"type":           word(func(f *telemetry.Failure) string { return f.Type }),
		"message":        texts(r, func(f *telemetry.Failure) string { return f.Message }),
		"culprit":        word(func(f *telemetry.Failure) string { return f.Culprit }),
		"stack":          texts(r, func(f *telemetry.Failure) string { return f.Stack }),
		"severity_class": uint8s(r, func(f *telemetry.Failure) uint8 { return within(f.Class, maxClass) }),
		"handled":        uint8s(r, func(f *telemetry.Failure) uint8 { return boolByte(f.Handled) }),
		"release":        word(func(f *telemetry.Failure) string { return f.Release }),
		"environment":    word(func(f *telemetry.Failure) string { return f.Environment }),
		"user":           texts(r, func(f *telemetry.Failure) string { return f.User }),
		"transaction":    word(func(f *telemetry.Failure) string { return f.Transaction }),
		"event_id":       texts(r, func(f *telemetry.Failure) string { return f.Event }),
		"trace_id":       traceIDs(r, func(f *telemetry.Failure) *telemetry.TraceID { return &f.TraceID }),
		"span_id":        spanIDs(r, func(f *telemetry.Failure) *telemetry.SpanID { return &f.SpanID }),
		"retention_days": uint16s(r, func(f *telemetry.Failure) uint16 { return of(f).retentionDays }),
	})
	return t
}

// maxClass is the greatest number of severity_class.
const maxClass = 6

func newChanges(s *Sink) *counted[telemetry.Change] {
	t := &counted[telemetry.Change]{
		of: func(b *telemetry.Batch) []telemetry.Change { return b.Changes },
		compare: func(x, y *telemetry.Change) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Time, y.Time), cmp.Compare(x.Service, y.Service))
		},
	}
	r := &t.rows
	word := func(of func(*telemetry.Change) string) encoder { return lowTexts(r, &s.shared.words, of) }
	t.block = s.newBlock(tables.Changes, t.use, encoders{
		"tenant":         word(func(c *telemetry.Change) string { return c.Tenant }),
		"time":           eventTimes(r, func(c *telemetry.Change) int64 { return c.Time }),
		"id":             texts(r, func(c *telemetry.Change) string { return c.ID }),
		"kind":           word(func(c *telemetry.Change) string { return c.Kind }),
		"status":         word(func(c *telemetry.Change) string { return c.Status }),
		"service":        word(func(c *telemetry.Change) string { return c.Service }),
		"version":        word(func(c *telemetry.Change) string { return c.Version }),
		"host_name":      word(func(c *telemetry.Change) string { return c.Host }),
		"environment":    word(func(c *telemetry.Change) string { return c.Environment }),
		"author":         word(func(c *telemetry.Change) string { return c.Author }),
		"source":         word(func(c *telemetry.Change) string { return c.Source }),
		"link":           texts(r, func(c *telemetry.Change) string { return c.Link }),
		"title":          texts(r, func(c *telemetry.Change) string { return c.Title }),
		"retention_days": uint16s(r, func(c *telemetry.Change) uint16 { return s.cfg.Retention.days(c.Tenant, telemetry.Logs) }),
	})
	return t
}

func newPatterns(s *Sink) *counted[telemetry.PatternCount] {
	t := &counted[telemetry.PatternCount]{
		of: func(b *telemetry.Batch) []telemetry.PatternCount { return b.Patterns },
		compare: func(x, y *telemetry.PatternCount) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Time, y.Time), cmp.Compare(x.Service, y.Service),
				cmp.Compare(x.ID, y.ID), cmp.Compare(x.Class, y.Class))
		},
	}
	r := &t.rows
	word := func(of func(*telemetry.PatternCount) string) encoder { return lowTexts(r, &s.shared.words, of) }
	t.block = s.newBlock(tables.LogPatterns1m, t.use, encoders{
		"tenant":         word(func(p *telemetry.PatternCount) string { return p.Tenant }),
		"time":           seconds(r, func(p *telemetry.PatternCount) int64 { return p.Time }),
		"service":        word(func(p *telemetry.PatternCount) string { return p.Service }),
		"severity_class": uint8s(r, func(p *telemetry.PatternCount) uint8 { return within(p.Class, maxClass) }),
		"pattern_id":     uint64s(r, func(p *telemetry.PatternCount) uint64 { return p.ID }),
		"pattern":        texts(r, func(p *telemetry.PatternCount) string { return p.Text }),
		"lines":          uint64s(r, func(p *telemetry.PatternCount) uint64 { return p.Lines }),
		"retention_days": uint16s(r, func(p *telemetry.PatternCount) uint16 { return s.cfg.Retention.days(p.Tenant, telemetry.Logs) }),
	})
	return t
}
