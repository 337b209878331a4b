package remotewrite

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/goshawk-observability/goshawk/telemetry"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	goldenTime = 1_700_000_000_000 // milliseconds
	goldenID   = "0af7651916cd43dd8448eb211c80319c"
)

func goldenLabels(pairs ...string) (list []prompb.Label) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, prompb.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func golden1() *prompb.WriteRequest {
	stale := math.Float64frombits(value.StaleNaN)
	return &prompb.WriteRequest{
		Timeseries: []prompb.TimeSeries{{
			Labels:    goldenLabels("__name__", "up", "instance", "10.0.0.1:9100", "job", "node", "empty", ""),
			Samples:   []prompb.Sample{{Value: 1, Timestamp: goldenTime}, {Value: stale, Timestamp: goldenTime + 15_000}},
			Exemplars: []prompb.Exemplar{{Labels: goldenLabels("trace_id", goldenID, "user", "ann"), Value: 2, Timestamp: goldenTime + 1}},
		}, {
			Labels:  goldenLabels("__name__", "up", "instance", "10.0.0.2:9100", "job", "node"),
			Samples: []prompb.Sample{{Value: 0.5, Timestamp: goldenTime}},
		}, {
			Labels:  goldenLabels("__name__", "up", "instance", "10.0.0.1:9100", "job", "node", "zone", "a"),
			Samples: []prompb.Sample{{Value: 3, Timestamp: goldenTime}},
		}, {
			Labels:    goldenLabels("__name__", "latency", "job", "node", "instance", "10.0.0.1:9100"),
			Exemplars: []prompb.Exemplar{{Labels: goldenLabels("trace_id", "not hexadecimal"), Value: 2, Timestamp: goldenTime + 2}},
		}, {
			Labels: goldenLabels("__name__", "latency", "job", "node", "instance", "10.0.0.1:9100"),
			Histograms: []prompb.Histogram{{
				Count: &prompb.Histogram_CountInt{CountInt: 9}, Sum: 12.5, Schema: 3, ZeroThreshold: 1e-3,
				ZeroCount:     &prompb.Histogram_ZeroCountInt{ZeroCountInt: 1},
				PositiveSpans: []prompb.BucketSpan{{Offset: -2, Length: 2}, {Offset: 3, Length: 1}}, PositiveDeltas: []int64{2, 1, -1},
				NegativeSpans: []prompb.BucketSpan{{Offset: 1, Length: 1}}, NegativeDeltas: []int64{1},
				Timestamp: goldenTime,
			}, {
				Count: &prompb.Histogram_CountFloat{CountFloat: 2.5}, Sum: 1, ZeroCount: &prompb.Histogram_ZeroCountFloat{},
				PositiveSpans: []prompb.BucketSpan{{Offset: 0, Length: 1}}, PositiveCounts: []float64{2.5},
				ResetHint: prompb.Histogram_GAUGE, Timestamp: goldenTime + 1,
			}, {
				Count: &prompb.Histogram_CountInt{CountInt: 3}, Sum: 4, Schema: -53, CustomValues: []float64{0.1, 1, 10},
				PositiveSpans: []prompb.BucketSpan{{Offset: 1, Length: 1}, {Offset: 1, Length: 1}}, PositiveDeltas: []int64{2, -1},
				Timestamp: goldenTime + 2,
			}, {
				Count: &prompb.Histogram_CountInt{}, Sum: stale, Timestamp: goldenTime + 3,
			}},
		}},
		Metadata: []prompb.MetricMetadata{{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "latency", Help: "How long it took.", Unit: "seconds"}},
	}
}

func golden2() *writev2.Request {
	table := writev2.NewSymbolTable()
	refs := func(list []prompb.Label) (refs []uint32) {
		for _, l := range list {
			refs = append(refs, table.Symbolize(l.Name), table.Symbolize(l.Value))
		}
		return refs
	}
	counter := writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: table.Symbolize("How many."), UnitRef: table.Symbolize("1")}
	histogramOf := writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_HISTOGRAM, HelpRef: table.Symbolize("How long.")}
	req := &writev2.Request{Timeseries: []writev2.TimeSeries{{
		LabelsRefs: refs(goldenLabels("__name__", "requests_total", "job", "api")),
		Samples:    []writev2.Sample{{Value: 5, Timestamp: goldenTime, StartTimestamp: goldenTime - 60_000}},
		Exemplars:  []writev2.Exemplar{{LabelsRefs: refs(goldenLabels("trace_id", goldenID, "span_id", "b7ad6b7169203331")), Value: 1}},
		Metadata:   counter,
	}, {
		LabelsRefs: refs(goldenLabels("__name__", "latency_bucket", "job", "api", "le", "+Inf")),
		Samples:    []writev2.Sample{{Value: 7, Timestamp: goldenTime}},
		Metadata:   histogramOf,
	}, {
		LabelsRefs: refs(goldenLabels("__name__", "latency", "job", "api")),
		Histograms: []writev2.Histogram{{Count: &writev2.Histogram_CountInt{CountInt: 1}, ZeroCount: &writev2.Histogram_ZeroCountInt{ZeroCountInt: 1}, Timestamp: goldenTime, StartTimestamp: goldenTime - 1}},
		Metadata:   histogramOf,
	}}}
	req.Symbols = table.Symbols()
	return req
}

// TestGolden shows what the topic holds for one request of each version, read by
// the collector's decoder.
func TestGolden(t *testing.T) {
	one, err := golden1().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	two, err := golden2().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for v, body := range map[version][]byte{version1: one, version2: two} {
		s := testSplitter(v, unlimited)
		if err := s.Split(telemetry.Metrics, body, 4, 0); err != nil || s.Rejected() > 0 {
			t.Fatalf("%v: %s", err, s.Message())
		}
		var got bytes.Buffer
		for _, p := range s.Parts() {
			req := pmetricotlp.NewExportRequest()
			if err := req.UnmarshalProto(p.Value); err != nil {
				t.Fatal(err)
			}
			text, err := req.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "partition %d of 4, %d events:\n", p.Partition, p.Events)
			if err := json.Indent(&got, text, "", " "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
		}
		file := filepath.Join("testdata", fmt.Sprintf("version%d.golden", v))
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
