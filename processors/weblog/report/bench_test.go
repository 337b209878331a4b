package report

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// BenchmarkAggregate counts requests that are parsed and classified already.
func BenchmarkAggregate(b *testing.B) {
	log, err := os.ReadFile("testdata/apache.log")
	if err != nil {
		b.Fatal(err)
	}
	o := options()
	classifier, err := classify.New(o.Classify)
	if err != nil {
		b.Fatal(err)
	}
	o.since, o.until = -1<<63, 1<<63-1
	var hits []telemetry.WebHit
	var p parser
	for line := range bytes.Lines(log) {
		var h telemetry.WebHit
		if p.parse(line) == nil {
			h.Time = p.line.Time
			classifier.Hit("", "site", &p.line, &h)
			hits = append(hits, h)
		}
	}
	a, known, visits := newAggregate(&o), newKnown(&o), newVisits(&o)
	var memory [batch]visit
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := i % len(hits)
		a.add(&hits[at], &memory[at%batch])
		if taken := at%batch + 1; taken == batch || at == len(hits)-1 {
			known.add(hits[at+1-taken:at+1], memory[:taken])
			for j := range memory[:taken] {
				visits.shards[shardOf(memory[j].person)].addAll(memory[j : j+1])
			}
		}
	}
}

// BenchmarkRun makes a report, without what it is written as.
func BenchmarkRun(b *testing.B) {
	excerpt, err := os.ReadFile("testdata/apache.log")
	if err != nil {
		b.Fatal(err)
	}
	log := bytes.Repeat(excerpt, 200)
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		source := Source{Name: "log", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(log)), nil }}
		if _, err := Run(b.Context(), []Source{source}, options()); err != nil {
			b.Fatal(err)
		}
	}
}
