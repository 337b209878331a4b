package remotewrite

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// scrape is a request of n series of 8 labels, in the order of scrapes: 200
// series of an instance after those of another.
func scrape(n int) *prompb.WriteRequest {
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Now().UnixMilli()
	req := new(prompb.WriteRequest)
	for i := range n {
		instance := i / 200
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels: []prompb.Label{
				{Name: "__name__", Value: fmt.Sprintf("http_request_duration_seconds_metric_%02d", i%200/10)},
				{Name: "cluster", Value: "eu-west-1"},
				{Name: "code", Value: "200"},
				{Name: "handler", Value: fmt.Sprintf("/api/v1/handler/%d", i%10)},
				{Name: "instance", Value: fmt.Sprintf("10.0.%d.%d:9100", instance/250, instance%250)},
				{Name: "job", Value: "node"},
				{Name: "method", Value: "GET"},
				{Name: "namespace", Value: "production"},
			},
			Samples: []prompb.Sample{{Value: random.Float64() * 1e6, Timestamp: now + int64(i%3)}},
		})
	}
	return req
}

func scrape2(n int) *writev2.Request {
	one := scrape(n)
	table := writev2.NewSymbolTable()
	req := new(writev2.Request)
	for _, ts := range one.Timeseries {
		two := writev2.TimeSeries{Metadata: writev2.Metadata{
			Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: table.Symbolize("How long requests took."), UnitRef: table.Symbolize("seconds"),
		}}
		for _, l := range ts.Labels {
			two.LabelsRefs = append(two.LabelsRefs, table.Symbolize(l.Name), table.Symbolize(l.Value))
		}
		two.Samples = []writev2.Sample{{Value: ts.Samples[0].Value, Timestamp: ts.Samples[0].Timestamp}}
		req.Timeseries = append(req.Timeseries, two)
	}
	req.Symbols = table.Symbols()
	return req
}

// BenchmarkSplit makes parts of requests of 2,000 samples.
func BenchmarkSplit(b *testing.B) {
	const samples = 2000
	one, err := scrape(samples).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	two, err := scrape2(samples).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		v    version
		body []byte
	}{{"version=1", version1, one}, {"version=2", version2, two}} {
		b.Run(c.name, func(b *testing.B) {
			s := testSplitter(c.v, unlimited)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			now := time.Now().UnixNano()
			before := observetest.CPUTime(b)
			for b.Loop() {
				if err := s.Split(telemetry.Metrics, c.body, 8, now); err != nil || s.Accepted() != samples {
					b.Fatalf("%d of %d: %v %s", s.Accepted(), samples, err, s.Message())
				}
			}
			b.ReportMetric(float64(observetest.CPUTime(b)-before)/float64(b.N)/samples, "cpu-ns/sample")
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/samples, "ns/sample")
			b.ReportMetric(float64(len(snappy.Encode(nil, c.body)))/samples, "B/sample-sent")
		})
	}
}
