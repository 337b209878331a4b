package loki

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// detectedLabels answers /detected_labels: labels of streams and how many values
// each has.
func (q *query) detectedLabels(ctx context.Context) (logs.Answer, error) {
	found, err := q.named(ctx, nil)
	if err != nil {
		return logs.Answer{}, err
	}
	values := map[string]map[string]bool{}
	for _, labels := range found {
		for _, l := range labels {
			if values[l.Name] == nil {
				values[l.Name] = map[string]bool{}
			}
			values[l.Name][l.Value] = true
		}
	}
	type label struct {
		Label       string `json:"label"`
		Cardinality int    `json:"cardinality"`
	}
	all := []label{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(all) < q.Config().MaxNames {
			all = append(all, label{name, len(values[name])})
		}
	}
	return answer(map[string]any{"detectedLabels": all})
}

// field is what is known of a label that lines have.
type field struct {
	Label       string   `json:"label"`
	Type        string   `json:"type"`
	Cardinality int      `json:"cardinality"`
	Parsers     []string `json:"parsers"`
	values      map[string]bool
}

// maxFields is how many fields are answered unless a limit is named.
const maxFields = 1000

// detectedFields answers /detected_fields, or with a name the values of a field:
// labels of records, and what json or logfmt read out of the newest lines.
func (q *query) detectedFields(ctx context.Context, name string) (logs.Answer, error) {
	e, err := q.expression()
	if err != nil {
		return logs.Answer{}, err
	}
	lines, err := linesOf(e)
	if err != nil {
		return logs.Answer{}, err
	}
	in := q.in(q.Config().Lookback)
	limit := q.limit("limit", maxFields, q.Config().MaxNames, "query.logs.max_names")
	sample := q.limit("line_limit", min(1000, q.Config().SampleLines), q.Config().SampleLines, "query.logs.sample_lines")
	if q.err != nil {
		return logs.Answer{}, q.err
	}
	found, err := q.Find(ctx, logs.Search{Query: lines, In: in, Limit: sample})
	if err != nil {
		return logs.Answer{}, err
	}
	fields, err := fieldsOf(found)
	if err != nil {
		return logs.Answer{}, err
	}
	if name != "" {
		values := []string{}
		if f := fields[name]; f != nil {
			values = slices.Sorted(maps.Keys(f.values))
		}
		return answer(map[string]any{"values": values[:min(limit, len(values))], "limit": limit})
	}
	all := []*field{}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		f := fields[key]
		f.Cardinality = len(f.values)
		all = append(all, f)
	}
	return answer(map[string]any{"fields": all[:min(limit, len(all))], "limit": limit})
}

func fieldsOf(lines []logs.Line) (map[string]*field, error) {
	fields := map[string]*field{}
	add := func(labels pipeline.Labels, parser string) {
		for _, l := range labels {
			if strings.HasPrefix(l.Name, "__") {
				continue
			}
			f := fields[l.Name]
			if f == nil {
				f = &field{Label: l.Name, Type: typeOf(l.Value), Parsers: []string{}, values: map[string]bool{}}
				fields[l.Name] = f
			}
			if parser != "" && !slices.Contains(f.Parsers, parser) {
				f.Parsers = append(f.Parsers, parser)
			}
			f.values[l.Value] = true
		}
	}
	var parsers [2]*pipeline.Pipeline
	for i, kind := range []logql.ParserKind{logql.JSON, logql.Logfmt} {
		var err error
		if parsers[i], err = pipeline.New([]logql.Stage{&logql.Parser{Kind: kind, Strict: true}}); err != nil {
			return nil, err
		}
	}
	var entry pipeline.Entry
	for i := range lines {
		l := &lines[i]
		add(l.Record, "")
		add(l.Parsed, "")
		kind := 1
		if strings.HasPrefix(strings.TrimSpace(l.Text), "{") {
			kind = 0
		} else if !strings.Contains(l.Text, "=") {
			continue
		}
		entry.Reset()
		entry.Line, entry.Stream = l.Text, l.Stream
		if parsers[kind].Run(&entry); entry.Err == "" {
			add(entry.Read(nil), []string{"json", "logfmt"}[kind])
		}
	}
	return fields, nil
}

// typeOf guesses what a value is.
func typeOf(v string) string {
	if _, err := strconv.ParseInt(v, 10, 64); err == nil {
		return "int"
	}
	if _, err := strconv.ParseFloat(v, 64); err == nil {
		return "float"
	}
	if v == "true" || v == "false" {
		return "boolean"
	}
	if _, err := logql.ParseDuration(v); err == nil {
		return "duration"
	}
	if _, err := logql.ParseBytes(v); err == nil {
		return "bytes"
	}
	return "string"
}
