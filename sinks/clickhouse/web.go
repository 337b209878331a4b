package clickhouse

import (
	"cmp"
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// webHits writes the table web_hits.
type webHits struct {
	rows  rows[telemetry.WebHit]
	sort  sorter
	sites map[string]uint32 // ranks of the block's sites
	names []string
	block *block
}

func newWebHits(s *Sink) *webHits {
	t := &webHits{sites: map[string]uint32{}}
	r, sh := &t.rows, &s.shared
	of := func(h *telemetry.WebHit) *resource { return &sh.resources[h.Resource] }
	word := func(of func(*telemetry.WebHit) string) encoder { return lowTexts(r, &sh.words, of) }
	t.block = s.newBlock(tables.WebHits, t.rows.use, encoders{
		"tenant":         word(func(h *telemetry.WebHit) string { return of(h).tenant }),
		"bucket":         buckets(r, func(h *telemetry.WebHit) int64 { return h.Time }),
		"site":           word(func(h *telemetry.WebHit) string { return h.Site }),
		"time":           eventTimes(r, func(h *telemetry.WebHit) int64 { return h.Time }),
		"service":        word(func(h *telemetry.WebHit) string { return of(h).service }),
		"host_name":      word(func(h *telemetry.WebHit) string { return of(h).host }),
		"client":         texts(r, func(h *telemetry.WebHit) string { return h.Client }),
		"visitor":        uint64s(r, func(h *telemetry.WebHit) uint64 { return h.Visitor }),
		"country":        word(func(h *telemetry.WebHit) string { return h.Country }),
		"city":           word(func(h *telemetry.WebHit) string { return h.City }),
		"latitude":       uint32s(r, func(h *telemetry.WebHit) uint32 { return math.Float32bits(h.Latitude) }),
		"longitude":      uint32s(r, func(h *telemetry.WebHit) uint32 { return math.Float32bits(h.Longitude) }),
		"user":           word(func(h *telemetry.WebHit) string { return h.User }),
		"method":         word(func(h *telemetry.WebHit) string { return h.Method }),
		"path":           texts(r, func(h *telemetry.WebHit) string { return h.Path }),
		"query":          texts(r, func(h *telemetry.WebHit) string { return h.Query }),
		"route":          word(func(h *telemetry.WebHit) string { return h.Route }),
		"protocol":       word(func(h *telemetry.WebHit) string { return h.Protocol }),
		"status":         uint16s(r, func(h *telemetry.WebHit) uint16 { return h.Status }),
		"sent":           int64s(r, func(h *telemetry.WebHit) int64 { return h.Sent }),
		"duration_ns":    int64s(r, func(h *telemetry.WebHit) int64 { return h.Duration }),
		"asset":          uint8s(r, func(h *telemetry.WebHit) uint8 { return boolByte(h.Asset) }),
		"referrer":       texts(r, func(h *telemetry.WebHit) string { return h.Referrer }),
		"referrer_host":  word(func(h *telemetry.WebHit) string { return h.ReferrerHost }),
		"keywords":       texts(r, func(h *telemetry.WebHit) string { return h.Keywords }),
		"user_agent":     word(func(h *telemetry.WebHit) string { return h.UserAgent }),
		"browser":        word(func(h *telemetry.WebHit) string { return h.Browser }),
		"system":         word(func(h *telemetry.WebHit) string { return h.System }),
		"bot":            word(func(h *telemetry.WebHit) string { return h.Bot }),
		"tls":            word(func(h *telemetry.WebHit) string { return h.TLS }),
		"cache":          word(func(h *telemetry.WebHit) string { return h.Cache }),
		"trace_id":       traceIDs(r, func(h *telemetry.WebHit) *telemetry.TraceID { return &h.TraceID }),
		"retention_days": uint16s(r, func(h *telemetry.WebHit) uint16 { return of(h).retentionDays }),
	})
	return t
}

func (t *webHits) prepare(s *Sink, b *telemetry.Batch) *block {
	t.rank(b.WebHits)
	t.sort.reset(len(b.WebHits))
	for i := range b.WebHits {
		h := &b.WebHits[i]
		time := eventTime(h.Time)
		tenant := s.shared.resources[h.Resource].tenantRank
		prefix := uint64(min(tenant, 1<<16-1))<<47 | uint64(time/bucketWidth)<<23 | uint64(min(t.sites[h.Site], 1<<23-1))
		t.sort.add(prefix, 0, time)
	}
	t.rows.all, t.rows.order = b.WebHits, t.sort.sorted()
	t.block.rows = len(t.rows.order)
	return t.block
}

// rank numbers the sites in their order.
func (t *webHits) rank(hits []telemetry.WebHit) {
	clear(t.sites)
	t.names = t.names[:0]
	for i := range hits {
		if _, ok := t.sites[hits[i].Site]; !ok {
			t.sites[hits[i].Site] = 0
			t.names = append(t.names, hits[i].Site)
		}
	}
	slices.Sort(t.names)
	for i, name := range t.names {
		t.sites[name] = uint32(i)
	}
}

// release lets go of the batch.
func (t *webHits) release() {
	t.rows.all = nil
	clear(t.sites)
	clear(t.names)
}

func newWebSessions(s *Sink) *counted[telemetry.WebSession] {
	t := &counted[telemetry.WebSession]{
		of: func(b *telemetry.Batch) []telemetry.WebSession { return b.WebSessions },
		compare: func(x, y *telemetry.WebSession) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(eventTime(x.Start)/bucketWidth, eventTime(y.Start)/bucketWidth),
				cmp.Compare(x.Site, y.Site), cmp.Compare(x.Start, y.Start))
		},
	}
	r := &t.rows
	word := func(of func(*telemetry.WebSession) string) encoder { return lowTexts(r, &s.shared.words, of) }
	t.block = s.newBlock(tables.WebSessions, t.use, encoders{
		"tenant":         word(func(row *telemetry.WebSession) string { return row.Tenant }),
		"bucket":         buckets(r, func(row *telemetry.WebSession) int64 { return row.Start }),
		"site":           word(func(row *telemetry.WebSession) string { return row.Site }),
		"time":           eventTimes(r, func(row *telemetry.WebSession) int64 { return row.Start }),
		"end_time":       times(r, func(row *telemetry.WebSession) int64 { return row.End }),
		"visitor":        uint64s(r, func(row *telemetry.WebSession) uint64 { return row.Visitor }),
		"client":         texts(r, func(row *telemetry.WebSession) string { return row.Client }),
		"country":        word(func(row *telemetry.WebSession) string { return row.Country }),
		"user":           word(func(row *telemetry.WebSession) string { return row.User }),
		"browser":        word(func(row *telemetry.WebSession) string { return row.Browser }),
		"system":         word(func(row *telemetry.WebSession) string { return row.System }),
		"bot":            word(func(row *telemetry.WebSession) string { return row.Bot }),
		"referrer_host":  word(func(row *telemetry.WebSession) string { return row.ReferrerHost }),
		"entry":          texts(r, func(row *telemetry.WebSession) string { return row.Entry }),
		"exit":           texts(r, func(row *telemetry.WebSession) string { return row.Exit }),
		"hits":           uint32s(r, func(row *telemetry.WebSession) uint32 { return row.Hits }),
		"pages":          uint32s(r, func(row *telemetry.WebSession) uint32 { return row.Pages }),
		"failures":       uint32s(r, func(row *telemetry.WebSession) uint32 { return row.Failures }),
		"errors":         uint32s(r, func(row *telemetry.WebSession) uint32 { return row.Errors }),
		"sent":           int64s(r, func(row *telemetry.WebSession) int64 { return row.Sent }),
		"retention_days": uint16s(r, func(row *telemetry.WebSession) uint16 { return s.cfg.Retention.days(row.Tenant, telemetry.Logs) }),
	})
	return t
}

// findings writes the table findings.
type findings struct {
	counted[telemetry.Finding]
	evidence lists[telemetry.Finding, string]
}

func newFindings(s *Sink) *findings {
	t := &findings{counted: counted[telemetry.Finding]{
		of: func(b *telemetry.Batch) []telemetry.Finding { return b.Findings },
		compare: func(x, y *telemetry.Finding) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Last, y.Last), cmp.Compare(x.ID, y.ID))
		},
	}}
	r := &t.rows
	t.evidence.rows, t.evidence.of = r, func(row *telemetry.Finding) telemetry.Range { return row.Evidence }
	word := func(of func(*telemetry.Finding) string) encoder { return lowTexts(r, &s.shared.words, of) }
	use := func(from, to int) {
		t.use(from, to)
		t.evidence.gather()
	}
	t.block = s.newBlock(tables.Findings, use, encoders{
		"tenant":         word(func(row *telemetry.Finding) string { return row.Tenant }),
		"time":           eventTimes(r, func(row *telemetry.Finding) int64 { return row.Last }),
		"id":             uint64s(r, func(row *telemetry.Finding) uint64 { return row.ID }),
		"kind":           word(func(row *telemetry.Finding) string { return row.Kind }),
		"actor":          texts(r, func(row *telemetry.Finding) string { return row.Actor }),
		"site":           word(func(row *telemetry.Finding) string { return row.Target }),
		"subject":        texts(r, func(row *telemetry.Finding) string { return row.Subject }),
		"first_time":     times(r, func(row *telemetry.Finding) int64 { return row.First }),
		"hits":           uint64s(r, func(row *telemetry.Finding) uint64 { return row.Hits }),
		"clients":        uint64s(r, func(row *telemetry.Finding) uint64 { return row.Clients }),
		"confidence":     float64s(r, func(row *telemetry.Finding) float64 { return row.Confidence }),
		"harmless":       uint64s(r, func(row *telemetry.Finding) uint64 { return row.Harmless }),
		"reason":         texts(r, func(row *telemetry.Finding) string { return row.Reason }),
		"evidence":       t.evidence.array(texts(&t.evidence.elements, func(line *string) string { return *line })),
		"over":           uint8s(r, func(row *telemetry.Finding) uint8 { return boolByte(row.Over) }),
		"retention_days": uint16s(r, func(row *telemetry.Finding) uint16 { return s.cfg.Retention.days(row.Tenant, telemetry.Logs) }),
	})
	return t
}

func (t *findings) prepare(b *telemetry.Batch) *block {
	t.evidence.elements.all = b.Words
	return t.counted.prepare(b)
}

func (t *findings) release() {
	t.counted.release()
	t.evidence.elements.all = nil
}
