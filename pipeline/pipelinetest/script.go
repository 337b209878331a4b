package pipelinetest

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// The text of a batch has one line for each record, resource, log, visit, span and
// metric point. A line is a word and pairs NAME=VALUE; values with spaces are
// quoted as in Go. What has a lower-case name without a dot is a field, the
// rest are attributes:
//
//	record offset=7 tenant=acme
//	resource service=cart host.name=node-1
//	log time=5 severity=9 body="it works" http.route=/cart
//	span start=5 end=9 trace=0102 span=03 name="GET /cart"
//	gauge name=cpu.load time=5 value=0.5 cpu.mode=user
//
// Times of spans and of receipt may be durations, such as 1.5s.
// A line belongs to the record and the resource before it.

// Parse reads the text of a batch. All strings of the batch are views of the
// memory that is returned with it.
func Parse(text string) (*telemetry.Batch, []byte, error) {
	p := parser{b: new(telemetry.Batch), memory: make([]byte, 0, 2*len(text)+64)}
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	return p.b, p.memory, nil
}

type parser struct {
	b      *telemetry.Batch
	memory []byte
}

type pair struct{ name, value string }

func (p *parser) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	pairs, err := parsePairs(rest)
	if err != nil {
		return err
	}
	b := p.b
	switch word {
	case "record", "resource":
	default:
		if len(b.Resources) == 0 {
			return fmt.Errorf("%s before any resource", word)
		}
	}
	resource := uint32(len(b.Resources) - 1)
	switch word {
	case "record":
		r := telemetry.Record{Offset: b.To, Tenant: "default", Declared: -1, ReceiveTime: 1}
		err = p.fields(pairs, nil, map[string]func(string) error{
			"offset": intField(&r.Offset), "tenant": p.stringField(&r.Tenant), "declared": intField(&r.Declared), "received": timeField(&r.ReceiveTime),
			"idle": func(text string) (err error) { r.Idle, err = strconv.ParseBool(text); return err },
		})
		b.To = r.Offset + 1
		b.Records = append(b.Records, r)
	case "resource":
		if len(b.Records) == 0 {
			return fmt.Errorf("resource before any record")
		}
		r := telemetry.Resource{Record: uint32(len(b.Records) - 1)}
		err = p.fields(pairs, &r.Attrs, map[string]func(string) error{"service": p.stringField(&r.Service), "schema": p.stringField(&r.SchemaURL)})
		b.Resources = append(b.Resources, r)
	case "log":
		l := telemetry.Log{Resource: resource, Time: 1, Observed: 1}
		err = p.fields(pairs, &l.Attrs, map[string]func(string) error{
			"time": timeField(&l.Time), "observed": timeField(&l.Observed), "severity": byteField(&l.Severity), "event": p.stringField(&l.EventName),
			"body":  func(v string) error { l.Body = telemetry.StringValue(p.view(v)); return nil },
			"trace": hexField(l.TraceID[:]), "span": hexField(l.SpanID[:]),
		})
		b.Logs = append(b.Logs, l)
	case "span":
		s := telemetry.Span{Resource: resource, Start: 1, End: 1}
		err = p.fields(pairs, &s.Attrs, map[string]func(string) error{
			"start": timeField(&s.Start), "end": timeField(&s.End), "name": p.stringField(&s.Name),
			"trace": hexField(s.TraceID[:]), "span": hexField(s.SpanID[:]), "parent": hexField(s.ParentID[:]),
			"kind": byteField(&s.Kind), "status": byteField(&s.Status),
		})
		b.Spans = append(b.Spans, s)
	case "visit":
		h := telemetry.WebHit{Resource: resource, Sent: -1, Duration: -1}
		err = p.fields(pairs, nil, p.visitFields(&h))
		b.Visits = append(b.Visits, h)
	case "gauge", "sum":
		m := telemetry.Metric{Resource: resource, Kind: telemetry.Gauge}
		if word == "sum" {
			m.Kind, m.Temporality = telemetry.Sum, telemetry.Cumulative
		}
		n := telemetry.NumberPoint{Point: telemetry.Point{Time: 1, Metric: uint32(len(b.Metrics))}}
		err = p.fields(pairs, &n.Attrs, map[string]func(string) error{
			"name": p.stringField(&m.Name), "unit": p.stringField(&m.Unit), "time": intField(&n.Time), "value": floatField(&n.Value),
		})
		b.Metrics = append(b.Metrics, m)
		b.Numbers = append(b.Numbers, n)
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	if err != nil {
		return err
	}
	if word != "record" && word != "resource" {
		b.Records[b.Resources[resource].Record].Decoded++
	}
	return nil
}

// fields sets what a line says; what is not a field is an attribute.
func (p *parser) fields(pairs []pair, attrs *telemetry.Range, fields map[string]func(string) error) error {
	start := uint32(len(p.b.Attrs))
	for _, kv := range pairs {
		if set, ok := fields[kv.name]; ok {
			if err := set(kv.value); err != nil {
				return fmt.Errorf("%s: %w", kv.name, err)
			}
			continue
		}
		if attrs == nil || !strings.Contains(kv.name, ".") {
			return fmt.Errorf("unknown field %q", kv.name)
		}
		value := telemetry.StringValue(p.view(kv.value))
		if n, err := strconv.ParseInt(kv.value, 10, 64); err == nil {
			value = telemetry.IntValue(n)
		}
		p.b.Attrs = append(p.b.Attrs, telemetry.Attr{Key: p.view(kv.name), Value: value})
	}
	if attrs != nil {
		*attrs = telemetry.Range{Start: start, End: uint32(len(p.b.Attrs))}
	}
	return nil
}

func parsePairs(text string) ([]pair, error) {
	var all []pair
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		name, rest, ok := strings.Cut(text, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \"") {
			return nil, fmt.Errorf("want NAME=VALUE at %q", text)
		}
		var value string
		if strings.HasPrefix(rest, "\"") {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("value of %s: %w", name, err)
			}
			if value, err = strconv.Unquote(quoted); err != nil {
				return nil, fmt.Errorf("value of %s: %w", name, err)
			}
			text = rest[len(quoted):]
		} else {
			value, text, _ = strings.Cut(rest, " ")
		}
		all = append(all, pair{name, value})
	}
	return all, nil
}

// Format returns the text of a batch: every record with what was dropped of it,
// and its rows in the order of the batch.
func Format(b *telemetry.Batch) string {
	var s strings.Builder
	for i := range b.Records {
		formatRecord(&s, b, uint32(i))
	}
	for i := range b.Traces {
		formatTrace(&s, b, &b.Traces[i])
	}
	formatEvents(&s, b)
	formatCounts(&s, b)
	return s.String()
}

func formatRecord(s *strings.Builder, b *telemetry.Batch, record uint32) {
	r := &b.Records[record]
	fmt.Fprintf(s, "record offset=%d tenant=%s", r.Offset, r.Tenant)
	if r.Dropped > 0 {
		fmt.Fprintf(s, " dropped=%d", r.Dropped)
	}
	s.WriteByte('\n')
	for i := range b.Resources {
		if b.Resources[i].Record == record {
			formatResource(s, b, uint32(i))
		}
	}
	for i := range b.Rejects {
		if x := &b.Rejects[i]; x.Record == record {
			fmt.Fprintf(s, "reject events=%d code=%s reason=%s\n", x.Events, x.ReasonCode, quote(x.Reason))
		}
	}
}

func formatResource(s *strings.Builder, b *telemetry.Batch, resource uint32) {
	r := &b.Resources[resource]
	line(s, b, "resource", r.Attrs, "service", r.Service, "schema", r.SchemaURL)
	for i := range b.Logs {
		if l := &b.Logs[i]; l.Resource == resource {
			line(s, b, "log", l.Attrs, "time", fmt.Sprint(l.Time), "severity", fmt.Sprint(l.Severity), "event", l.EventName,
				"body", l.Body.Str, "pattern", patternText(l.Pattern), "trace", id(l.TraceID[:]), "span", id(l.SpanID[:]))
		}
	}
	for i := range b.Spans {
		if x := &b.Spans[i]; x.Resource == resource {
			line(s, b, "span", x.Attrs, "start", fmt.Sprint(x.Start), "end", fmt.Sprint(x.End), "trace", id(x.TraceID[:]),
				"span", id(x.SpanID[:]), "parent", id(x.ParentID[:]), "name", x.Name, "kind", fmt.Sprint(x.Kind), "status", fmt.Sprint(x.Status))
		}
	}
	for i := range b.Numbers {
		n := &b.Numbers[i]
		if m := &b.Metrics[n.Metric]; m.Resource == resource {
			word := "gauge"
			if m.Kind == telemetry.Sum {
				word = "sum"
			}
			line(s, b, word, n.Attrs, "name", m.Name, "unit", m.Unit, "time", fmt.Sprint(n.Time), "value", strconv.FormatFloat(n.Value, 'g', -1, 64))
		}
	}
	formatDistributions(s, b, resource)
}

func patternText(pattern uint64) string {
	if pattern == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", pattern)
}

func formatDistributions(s *strings.Builder, b *telemetry.Batch, resource uint32) {
	of := func(p *telemetry.Point) (*telemetry.Metric, bool) {
		m := &b.Metrics[p.Metric]
		return m, m.Resource == resource
	}
	for i := range b.Histograms {
		if m, ok := of(&b.Histograms[i].Point); ok {
			line(s, b, "histogram", b.Histograms[i].Attrs, "name", m.Name, "time", fmt.Sprint(b.Histograms[i].Time), "count", fmt.Sprint(b.Histograms[i].Count))
		}
	}
	for i := range b.Exponentials {
		if m, ok := of(&b.Exponentials[i].Point); ok {
			line(s, b, "exponential", b.Exponentials[i].Attrs, "name", m.Name, "time", fmt.Sprint(b.Exponentials[i].Time), "count", fmt.Sprint(b.Exponentials[i].Count))
		}
	}
	for i := range b.Summaries {
		if m, ok := of(&b.Summaries[i].Point); ok {
			line(s, b, "summary", b.Summaries[i].Attrs, "name", m.Name, "time", fmt.Sprint(b.Summaries[i].Time), "count", fmt.Sprint(b.Summaries[i].Count))
		}
	}
}

// line writes one line: pairs of a name and a value, empty and zero ones left
// out, and the attributes in the order of their keys.
func line(s *strings.Builder, b *telemetry.Batch, word string, attrs telemetry.Range, pairs ...string) {
	s.WriteString(word)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" && pairs[i+1] != "0" {
			s.WriteString(" " + pairs[i] + "=" + quote(pairs[i+1]))
		}
	}
	var texts []string
	for _, a := range b.AttrsOf(attrs) {
		texts = append(texts, " "+a.Key+"="+quote(valueText(&a.Value)))
	}
	sort.Strings(texts)
	s.WriteString(strings.Join(texts, "") + "\n")
}

func valueText(v *telemetry.Value) string {
	switch v.Kind {
	case telemetry.KindInt:
		return strconv.FormatInt(v.Int(), 10)
	case telemetry.KindDouble:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case telemetry.KindBool:
		return strconv.FormatBool(v.Bool())
	}
	return v.Str
}

func quote(v string) string {
	if v == "" || strings.ContainsAny(v, " \"=\\") || strconv.Quote(v) != `"`+v+`"` {
		return strconv.Quote(v)
	}
	return v
}
