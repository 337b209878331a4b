package clickhouse

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/value"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// stored is a row as it was read back: values by column, in comparable forms.
type stored map[string]any

// read returns the rows of a block in a table, every column that can be asked
// for, those that are computed included.
func (s *store) read(t rapid.TB, table string, b *telemetry.Batch, orderBy string) []stored {
	t.Helper()
	def := tables.Get(table)
	var list []string
	for _, c := range def.Columns {
		list = append(list, tables.Quote(c.Name))
	}
	where := fmt.Sprintf("kafka_partition = %d AND kafka_offset = %d", b.Partition, b.From)
	rows, err := s.conn.Query(context.Background(), fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s",
		strings.Join(list, ", "), s.dialect.Table(table), where, orderBy))
	if err != nil {
		t.Fatalf("reading %s: %v", table, err)
	}
	defer rows.Close()
	var all []stored
	for rows.Next() {
		into := make([]any, len(list))
		for i, c := range rows.ColumnTypes() {
			into[i] = newOf(c.ScanType())
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatalf("reading %s: %v", table, err)
		}
		row := stored{}
		for i, c := range def.Columns {
			row[c.Name] = plain(into[i])
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading %s: %v", table, err)
	}
	return all
}

func texts2map(b *telemetry.Batch, r telemetry.Range, pick selection) map[string]string {
	m := map[string]string{}
	for _, a := range b.AttrsOf(r) {
		if pick == nil || pick(&a.Value) {
			m[a.Key] = string(otlp.AppendText(nil, &a.Value))
		}
	}
	return m
}

func numbers2map(b *telemetry.Batch, r telemetry.Range) map[string]uint64 {
	m := map[string]uint64{}
	for _, a := range b.AttrsOf(r) {
		switch {
		case a.Value.Kind == telemetry.KindDouble:
			m[a.Key] = math.Float64bits(a.Value.Double())
		case a.Value.Kind == telemetry.KindInt && int64(float64(a.Value.Int())) == a.Value.Int() && max(a.Value.Int(), -a.Value.Int()) <= 1<<53 && a.Value.Int() != math.MinInt64:
			m[a.Key] = math.Float64bits(float64(a.Value.Int()))
		}
	}
	return m
}

// common is what every event's row says of its producer and its block.
func common(b *telemetry.Batch, resource, scope uint32, days uint16) stored {
	r, sc := b.Resources[resource], b.Scopes[scope]
	of := texts2map(b, r.Attrs, nil)
	return stored{
		"service_version": of["service.version"], "service_namespace": "", "service_instance": "", "environment": "",
		"host_name": of["host.name"], "k8s_namespace": "", "k8s_deployment": "", "k8s_pod": "",
		"tenant": b.Records[r.Record].Tenant, "service": r.Service,
		"resource_attributes": documentMap(b, r.Attrs), "resource_schema_url": r.SchemaURL, "resource_dropped_attributes": r.DroppedAttrs,
		"scope_name": sc.Name, "scope_version": sc.Version, "scope_attributes": documentMap(b, sc.Attrs),
		"scope_schema_url": sc.SchemaURL, "scope_dropped_attributes": sc.DroppedAttrs,
		"retention_days": days, "kafka_partition": uint32(b.Partition), "kafka_offset": uint64(b.From),
	}
}

// inexact marks expected texts that may be written in another way.
const inexact = "\x00inexact\x00"

// documentMap is what ClickHouse makes of attributes that went through JSON.
func documentMap(b *telemetry.Batch, r telemetry.Range) map[string]string {
	m := map[string]string{}
	for _, a := range b.AttrsOf(r) {
		switch a.Value.Kind {
		case telemetry.KindDouble, telemetry.KindEmpty:
			// Compared by number or as absent, see alike.
			m[a.Key] = inexact + string(otlp.AppendText(nil, &a.Value))
		case telemetry.KindString, telemetry.KindBool, telemetry.KindInt, telemetry.KindArray, telemetry.KindMap, telemetry.KindBytes:
			m[a.Key] = string(otlp.AppendText(nil, &a.Value))
		}
	}
	return m
}

func bucketTime(t int64) time.Time { return time.Unix(0, t).UTC().Truncate(30 * time.Minute) }

func at(t int64) time.Time { return time.Unix(0, t).UTC() }

// check compares rows with what is expected of them. Columns that are not
// expected are not compared; their list is given.
func check(t rapid.TB, what string, got []stored, want []stored, ignored ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range want {
		for _, name := range ignored {
			delete(got[i], name)
		}
		for name, w := range want[i] {
			if m, ok := w.(map[string]string); ok {
				g, _ := got[i][name].(map[string]string)
				alike(m, g)
			}
		}
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Fatalf("%s: row %d differs (-want +got):\n%s", what, i, diff)
		}
	}
}

// alike replaces expected values that are marked by what was read, where the two
// are the same number or both nothing.
func alike(want, got map[string]string) {
	for k, w := range want {
		text, marked := strings.CutPrefix(w, inexact)
		if !marked {
			continue
		}
		want[k] = text
		g, there := got[k]
		var x, y float64
		_, errX := fmt.Sscan(strings.ReplaceAll(text, "Infinity", "Inf"), &x)
		_, errY := fmt.Sscan(strings.ReplaceAll(g, "Infinity", "Inf"), &y)
		if errX == nil && errY == nil && x == y || text == "" && (!there || g == "null" || g == "") {
			want[k] = g
			if !there {
				delete(want, k)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	s := newStore(t)
	sink := s.sink()
	from := int64(0)
	days := DefaultConfig().Retention.Logs
	write := func(t *rapid.T, b *telemetry.Batch) {
		if err := sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("logs", rapid.MakeCheck(func(t *rapid.T) {
		from += 10
		var b telemetry.Batch
		g := gen{t, &b}
		g.logs(from)
		write(t, &b)
		var want []stored
		for i := range b.Logs {
			l := &b.Logs[i]
			row := common(&b, l.Resource, l.Scope, days)
			row["bucket"], row["time"], row["observed_time"] = bucketTime(l.Time), at(l.Time), at(l.Observed)
			row["severity"], row["severity_class"] = l.Severity, []string{"unspecified", "trace", "debug", "info", "warn", "error", "fatal"}[(l.Severity+3)/4]
			row["severity_text"], row["event_name"] = l.SeverityText, l.EventName
			row["body"] = string(otlp.AppendText(nil, &l.Body))
			row["longest_word"] = telemetry.LongestWord(row["body"].(string))
			row["body_kind"] = []string{"empty", "string", "bool", "int", "double", "array", "map", "bytes"}[l.Body.Kind]
			row["pattern_id"] = l.Pattern
			row["trace_id"], row["span_id"], row["flags"] = string(l.TraceID[:]), string(l.SpanID[:]), l.Flags
			row["attributes"], row["dropped_attributes"] = texts2map(&b, l.Attrs, nil), l.DroppedAttrs
			want = append(want, row)
		}
		check(t, "logs", s.read(t, tables.Logs, &b, "span_id"), want, "resource", "scope", "observed_delay_ns")
	}))

	t.Run("spans", rapid.MakeCheck(func(t *rapid.T) {
		from += 10
		var b telemetry.Batch
		g := gen{t, &b}
		g.spans(from)
		write(t, &b)
		var want []stored
		for i := range b.Spans {
			want = append(want, wantSpan(&b, &b.Spans[i], days))
		}
		check(t, "spans", s.read(t, tables.Spans, &b, "span_id"), want, "resource", "scope")
		checkTraces(t, s, &b)
		checkCounts(t, s, &b)
	}))

	t.Run("metrics", rapid.MakeCheck(func(t *rapid.T) {
		from += 10
		var b telemetry.Batch
		g := gen{t, &b}
		g.metrics(from)
		write(t, &b)
		checkMetrics(t, s, &b, days)
	}))
}

func wantSpan(b *telemetry.Batch, sp *telemetry.Span, days uint16) stored {
	row := common(b, sp.Resource, sp.Scope, days)
	row["bucket"], row["time"], row["duration_ns"] = bucketTime(sp.Start), at(sp.Start), sp.End-sp.Start
	row["name"], row["status_message"], row["trace_state"] = sp.Name, sp.StatusMessage, sp.TraceState
	row["kind"] = []string{"unspecified", "internal", "server", "client", "producer", "consumer"}[sp.Kind]
	row["status"] = []string{"unset", "ok", "error"}[sp.Status]
	row["trace_id"], row["span_id"], row["parent_span_id"] = string(sp.TraceID[:]), string(sp.SpanID[:]), string(sp.ParentID[:])
	row["flags"], row["dropped_attributes"], row["dropped_events"], row["dropped_links"] = sp.Flags, sp.DroppedAttrs, sp.DroppedEvents, sp.DroppedLinks
	row["sampling_probability"] = math.Float64bits(1)
	numbers := numbers2map(b, sp.Attrs)
	words := texts2map(b, sp.Attrs, nil)
	for k := range numbers {
		delete(words, k)
	}
	row["attributes"], row["attribute_numbers"] = words, numbers
	for _, c := range tables.Get(tables.Spans).Columns {
		if attribute, ok := strings.CutPrefix(c.Comment, "attribute "); ok {
			row[c.Name] = words[attribute]
		}
	}
	row["http_response_status_code"] = uint16(math.Float64frombits(numbers["http.response.status_code"]))
	eventTimes, eventNames, eventAttrs, eventDropped := []time.Time{}, []string{}, []map[string]string{}, []uint32{}
	for _, e := range b.Events[sp.Events.Start:sp.Events.End] {
		eventTimes, eventNames = append(eventTimes, at(e.Time)), append(eventNames, e.Name)
		eventAttrs, eventDropped = append(eventAttrs, texts2map(b, e.Attrs, nil)), append(eventDropped, e.DroppedAttrs)
	}
	row["events.time"], row["events.name"], row["events.attributes"], row["events.dropped_attributes"] = eventTimes, eventNames, eventAttrs, eventDropped
	linkTraces, linkSpans, linkStates, linkAttrs := []string{}, []string{}, []string{}, []map[string]string{}
	linkFlags, linkDropped := []uint32{}, []uint32{}
	for _, l := range b.Links[sp.Links.Start:sp.Links.End] {
		linkTraces, linkSpans, linkStates = append(linkTraces, string(l.TraceID[:])), append(linkSpans, string(l.SpanID[:])), append(linkStates, l.TraceState)
		linkAttrs, linkFlags, linkDropped = append(linkAttrs, texts2map(b, l.Attrs, nil)), append(linkFlags, l.Flags), append(linkDropped, l.DroppedAttrs)
	}
	row["links.trace_id"], row["links.span_id"], row["links.trace_state"] = linkTraces, linkSpans, linkStates
	row["links.attributes"], row["links.flags"], row["links.dropped_attributes"] = linkAttrs, linkFlags, linkDropped
	return row
}

func checkMetrics(t *rapid.T, s *store, b *telemetry.Batch, days uint16) {
	point := func(p *telemetry.Point) stored {
		m := &b.Metrics[p.Metric]
		return stored{
			"tenant": b.TenantOf(m.Resource), "metric": m.Name, "bucket": bucketTime(p.Time), "time": at(p.Time), "start_time": at(p.Start), "flags": p.Flags,
			"retention_days": days, "kafka_partition": uint32(b.Partition), "kafka_offset": uint64(b.From),
		}
	}
	has := func(bits ...bool) (n uint8) {
		for i, bit := range bits {
			if bit {
				n |= 1 << i
			}
		}
		return n
	}
	floats := func(r telemetry.Range) []uint64 {
		list := []uint64{}
		for _, f := range b.Floats[r.Start:r.End] {
			list = append(list, math.Float64bits(f))
		}
		return list
	}
	uints := func(r telemetry.Range) []uint64 { return append([]uint64{}, b.Uints[r.Start:r.End]...) }
	exact := func(isInt bool, i int64) int64 {
		if isInt && (i > 1<<53 || i < -1<<53) {
			return i
		}
		return 0
	}

	var want []stored
	for i := range b.Numbers {
		p := &b.Numbers[i]
		row := point(&p.Point)
		row["value"], row["is_int"], row["exact_int"] = math.Float64bits(p.Value), p.IsInt, exact(p.IsInt, p.Int)
		if p.Flags&telemetry.FlagNoRecordedValue != 0 {
			row["value"] = value.StaleNaN
		}
		want = append(want, row)
	}
	samples := s.read(t, tables.Samples, b, "flags")
	checkSeries(t, s, b, samples, len(b.Numbers), func(i int) *telemetry.Point { return &b.Numbers[i].Point })
	check(t, "samples", samples, want, "fingerprint")

	want = nil
	for i := range b.Histograms {
		p := &b.Histograms[i]
		row := point(&p.Point)
		row["count"], row["sum"], row["min"], row["max"] = p.Count, math.Float64bits(p.Sum), math.Float64bits(p.Min), math.Float64bits(p.Max)
		row["has"], row["bounds"], row["counts"] = has(p.HasSum, p.HasMin, p.HasMax), floats(p.Bounds), uints(p.Counts)
		want = append(want, row)
	}
	histograms := s.read(t, tables.Histograms, b, "flags")
	checkSeries(t, s, b, histograms, len(b.Histograms), func(i int) *telemetry.Point { return &b.Histograms[i].Point })
	check(t, "histograms", histograms, want, "fingerprint")

	want = nil
	for i := range b.Exponentials {
		p := &b.Exponentials[i]
		row := point(&p.Point)
		row["count"], row["sum"], row["min"], row["max"] = p.Count, math.Float64bits(p.Sum), math.Float64bits(p.Min), math.Float64bits(p.Max)
		row["has"], row["scale"], row["zero_count"], row["zero_threshold"] = has(p.HasSum, p.HasMin, p.HasMax), p.Scale, p.ZeroCount, math.Float64bits(p.ZeroThreshold)
		row["positive_offset"], row["positive_counts"] = p.Positive.Offset, uints(p.Positive.Counts)
		row["negative_offset"], row["negative_counts"] = p.Negative.Offset, uints(p.Negative.Counts)
		want = append(want, row)
	}
	exponentials := s.read(t, tables.ExponentialHistograms, b, "flags")
	checkSeries(t, s, b, exponentials, len(b.Exponentials), func(i int) *telemetry.Point { return &b.Exponentials[i].Point })
	check(t, "exponential histograms", exponentials, want, "fingerprint")

	want = nil
	for i := range b.Summaries {
		p := &b.Summaries[i]
		row := point(&p.Point)
		row["count"], row["sum"] = p.Count, math.Float64bits(p.Sum)
		quantiles, values := []uint64{}, []uint64{}
		for n := p.Quantiles.Start; n < p.Quantiles.End; n += 2 {
			quantiles, values = append(quantiles, math.Float64bits(b.Floats[n])), append(values, math.Float64bits(b.Floats[n+1]))
		}
		row["quantiles"], row["values"] = quantiles, values
		want = append(want, row)
	}
	summaries := s.read(t, tables.Summaries, b, "flags")
	checkSeries(t, s, b, summaries, len(b.Summaries), func(i int) *telemetry.Point { return &b.Summaries[i].Point })
	check(t, "summaries", summaries, want, "fingerprint")

	checkExemplars(t, s, b, days)
}

func checkExemplars(t *rapid.T, s *store, b *telemetry.Batch, days uint16) {
	want := make([]stored, len(b.Exemplars))
	owner := func(p *telemetry.Point) {
		m := &b.Metrics[p.Metric]
		for n := p.Exemplars.Start; n < p.Exemplars.End; n++ {
			e := &b.Exemplars[n]
			exact := int64(0)
			if e.IsInt && (e.Int > 1<<53 || e.Int < -1<<53) {
				exact = e.Int
			}
			want[n] = stored{
				"tenant": b.TenantOf(m.Resource), "metric": m.Name, "bucket": bucketTime(p.Time), "time": at(p.Time), "exemplar_time": at(e.Time),
				"value": math.Float64bits(e.Value), "is_int": e.IsInt, "exact_int": exact,
				"trace_id": string(e.TraceID[:]), "span_id": string(e.SpanID[:]), "attributes": texts2map(b, e.Attrs, nil),
				"retention_days": days, "kafka_partition": uint32(b.Partition), "kafka_offset": uint64(b.From),
			}
		}
	}
	for i := range b.Numbers {
		owner(&b.Numbers[i].Point)
	}
	for i := range b.Histograms {
		owner(&b.Histograms[i].Point)
	}
	for i := range b.Exponentials {
		owner(&b.Exponentials[i].Point)
	}
	for i := range b.Summaries {
		owner(&b.Summaries[i].Point)
	}
	check(t, "exemplars", s.read(t, tables.Exemplars, b, "span_id"), want, "fingerprint")
	for n := range b.Exemplars {
		if binary.BigEndian.Uint64(b.Exemplars[n].SpanID[:]) != uint64(n) {
			t.Fatal("the test lost count of its exemplars")
		}
	}
}

// checkSeries checks that the fingerprint of every row leads to the labels of
// its point.
func checkSeries(t *rapid.T, s *store, b *telemetry.Batch, rows []stored, n int, point func(int) *telemetry.Point) {
	if len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
	if n == 0 {
		return
	}
	series := readSeries(t, s, rows)
	for i, row := range rows {
		p := point(i)
		m := &b.Metrics[p.Metric]
		// There is a row for each kind of metric that the series has.
		found := series[seriesOf{row["fingerprint"].(uint64), at(p.Time).Truncate(24 * time.Hour)}]
		if len(found) == 0 {
			t.Fatalf("nothing describes the series of %v", row)
		}
		for _, d := range found {
			wantResource := documentMap(b, b.Resources[m.Resource].Attrs)
			alike(wantResource, d.resource)
			got := []any{d.attributes, d.resource, d.scope}
			want := []any{texts2map(b, p.Attrs, nil), wantResource, b.Scopes[m.Scope].Name}
			// The same series may have been described in two ways within the block;
			// one of them stays. Its labels are the same.
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("series of row %d (-want +got):\n%s", i, diff)
			}
			if !described(b, &d) {
				t.Fatalf("series of row %d: nobody described it as %+v", i, d)
			}
		}
	}
}

// seriesOf is what rows find their series by.
type seriesOf struct {
	fingerprint uint64
	day         time.Time
}

// description is a row of the table series.
type description struct {
	attributes, resource, metadata              map[string]string
	kind, temporality, unit, description, scope string
	monotonic                                   bool
}

// readSeries returns the series of the fingerprints of rows.
func readSeries(t *rapid.T, s *store, rows []stored) map[seriesOf][]description {
	var fingerprints []string
	for _, row := range rows {
		fingerprints = append(fingerprints, fmt.Sprint(row["fingerprint"]))
	}
	found, err := s.conn.Query(context.Background(), fmt.Sprintf(
		`SELECT fingerprint, day, attributes, resource_attributes, metadata, toString(kind), toString(temporality), monotonic, unit, description, scope_name
		FROM %s FINAL WHERE fingerprint IN (%s)`, s.dialect.Table(tables.Series), strings.Join(fingerprints, ", ")))
	if err != nil {
		t.Fatalf("reading series: %v", err)
	}
	defer found.Close()
	all := map[seriesOf][]description{}
	for found.Next() {
		var key seriesOf
		var d description
		if err := found.Scan(&key.fingerprint, &key.day, &d.attributes, &d.resource, &d.metadata, &d.kind, &d.temporality, &d.monotonic, &d.unit, &d.description, &d.scope); err != nil {
			t.Fatalf("reading series: %v", err)
		}
		key.day = key.day.UTC()
		all[key] = append(all[key], d)
	}
	if err := found.Err(); err != nil {
		t.Fatalf("reading series: %v", err)
	}
	return all
}

func described(b *telemetry.Batch, d *description) bool {
	for i := range b.Metrics {
		m := &b.Metrics[i]
		if d.kind == []string{"empty", "gauge", "sum", "histogram", "exponential_histogram", "summary"}[m.Kind] &&
			d.temporality == []string{"unspecified", "delta", "cumulative"}[m.Temporality] &&
			d.monotonic == m.Monotonic && d.unit == m.Unit && d.description == m.Description && cmp.Equal(d.metadata, texts2map(b, m.Metadata, nil)) {
			return true
		}
	}
	return false
}
