package drop_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/drop"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, drop.Registration(), "testdata") }

func TestDistributions(t *testing.T) {
	p, err := drop.New(drop.Config{Rules: []drop.Rule{{Metrics: true, MetricNames: []string{"gone"}}}})
	if err != nil {
		t.Fatal(err)
	}
	b := &telemetry.Batch{
		Records:   make([]telemetry.Record, 1),
		Resources: make([]telemetry.Resource, 1),
		Metrics:   []telemetry.Metric{{Name: "gone"}, {Name: "kept"}},
	}
	for m := range uint32(2) {
		point := telemetry.Point{Metric: m}
		b.Histograms = append(b.Histograms, telemetry.HistogramPoint{Point: point})
		b.Exponentials = append(b.Exponentials, telemetry.ExponentialPoint{Point: point})
		b.Summaries = append(b.Summaries, telemetry.SummaryPoint{Point: point})
	}
	if err := p.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if b.EventCount() != 3 || b.Records[0].Dropped != 3 || b.Histograms[0].Metric != 1 || b.Exponentials[0].Metric != 1 || b.Summaries[0].Metric != 1 {
		t.Errorf("%d events are left, %d dropped; want the three points of the second metric", b.EventCount(), b.Records[0].Dropped)
	}
}

func TestConfig(t *testing.T) {
	for want, rule := range map[string]drop.Rule{
		"one or more":       {Services: []string{"a"}},
		"about logs":        {Spans: true, SeverityBelow: 9},
		"about spans":       {Logs: true, SpanNames: []string{"a"}},
		"about metrics":     {Logs: true, MetricNames: []string{"a"}},
		"more than 24":      {Logs: true, SeverityBelow: 25},
		"remove everything": {Logs: true, Spans: true},
		"beginning":         {Logs: true, Services: []string{"a*b"}},
		"want a name":       {Logs: true, Services: []string{""}},
	} {
		cfg := drop.Config{Rules: []drop.Rule{rule}}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", rule, err, want)
		}
	}
	if _, err := drop.New(drop.Config{Rules: make([]drop.Rule, 65)}); err == nil {
		t.Error("65 rules are accepted")
	}
}

func BenchmarkDrop(b *testing.B) {
	p, err := drop.New(drop.Config{Rules: []drop.Rule{
		{Logs: true, Services: []string{"chatty", "test-*"}}, {Logs: true, SeverityBelow: 9}, {Spans: true, SpanNames: []string{"ping"}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	const n = 1000
	batch := &telemetry.Batch{Records: make([]telemetry.Record, 1), Resources: []telemetry.Resource{{Service: "cart"}}}
	b.ReportAllocs()
	for range b.N {
		batch.Logs = batch.Logs[:0]
		for range n {
			batch.Logs = append(batch.Logs, telemetry.Log{Severity: 9})
		}
		if err := p.Process(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
}
