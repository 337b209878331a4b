package remotewrite

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/prompb"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

func marshal(t testing.TB, m interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	body, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestAnyCutHoldsTheSame cuts a request into parts of different sizes, for
// different numbers of partitions: together they always hold the same.
func TestAnyCutHoldsTheSame(t *testing.T) {
	req := newGenerator(7).request1(300)
	for i := range 50 { // series with many samples, and groups that alternate
		ts := prompb.TimeSeries{Labels: goldenLabels("__name__", "many", "job", fmt.Sprint("j", i%3), "i", fmt.Sprint(i))}
		for j := range 100 {
			ts.Samples = append(ts.Samples, prompb.Sample{Value: float64(j), Timestamp: goldenTime + int64(j)})
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	body := marshal(t, req)
	want, _, _, _ := expected(model1(req))
	for _, partitions := range []int{1, 2, 7, 64} {
		for _, size := range []config.Bytes{4 << 10, 16 << 10, 900 << 10} {
			lim := otlp.DefaultLimits()
			lim.MaxRecordBytes, lim.MaxValueBytes = size, 1<<10
			s := newSplitter(version1, DefaultConfig(), lim, unlimited)
			if err := s.Split(telemetry.Metrics, body, partitions, 0); err != nil {
				t.Fatal(err)
			}
			var got []string
			last := 0
			for _, p := range s.Parts() {
				if len(p.Value) > int(size) {
					t.Errorf("a part has %d bytes, more than %d", len(p.Value), size)
				}
				if p.Partition < last {
					t.Error("parts are not in the order of partitions")
				}
				last = p.Partition
				got = append(got, decoded(t, []otlp.Part{p}, partitions)...)
			}
			got = slices.DeleteFunc(got, func(line string) bool { return strings.Contains(line, "/metadata") })
			if diff := difference(want, got); diff != "" {
				t.Fatalf("%d partitions, %s: %.2000s", partitions, size, diff)
			}
		}
	}
}

// TestResourcesAreWrittenOnce has groups that alternate from series to series.
func TestResourcesAreWrittenOnce(t *testing.T) {
	req := new(prompb.WriteRequest)
	const groups = 40
	for i := range 10 * groups {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels:  goldenLabels("__name__", "up", "instance", fmt.Sprint(i%groups), "job", "x", "n", fmt.Sprint(i)),
			Samples: []prompb.Sample{{Timestamp: goldenTime}},
		})
	}
	s := testSplitter(version1, unlimited)
	if err := s.Split(telemetry.Metrics, marshal(t, req), 4, 0); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range s.Parts() {
		found += bytes.Count(p.Value, []byte("service.instance.id"))
	}
	if found != groups || s.Accepted() != 10*groups {
		t.Errorf("%d resources for %d groups, %d samples", found, groups, s.Accepted())
	}
}

// TestMemoryIsAskedFor lets memory run out at every point.
func TestMemoryIsAskedFor(t *testing.T) {
	errNone := errors.New("no memory")
	body := marshal(t, scrape(2000))
	asked, most := int64(0), int64(0)
	s := testSplitter(version1, func(n int64) error {
		if asked += n; asked > most {
			return errNone
		}
		return nil
	})
	for most = 0; ; most += 100 << 10 {
		asked = 0
		err := s.Split(telemetry.Metrics, body, 4, 0)
		if err == nil {
			break
		}
		if !errors.Is(err, errNone) || len(s.Parts()) != 0 {
			t.Fatalf("with %d bytes: %v and %d parts", most, err, len(s.Parts()))
		}
	}
	total := 0
	for _, p := range s.Parts() {
		total += len(p.Value)
	}
	if most < int64(2*total)-200<<10 {
		t.Errorf("%d bytes were claimed for %d", most, total)
	}
}

// TestBucketsAreBounded has a histogram of a few bytes with buckets far apart.
func TestBucketsAreBounded(t *testing.T) {
	for gap, want := range map[int32]int64{maxBuckets - 2: 1, maxBuckets - 1: 0, 1 << 30: 0} {
		req := &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
			Labels: goldenLabels("__name__", "h"),
			Histograms: []prompb.Histogram{{
				Count: &prompb.Histogram_CountInt{CountInt: 2}, Timestamp: goldenTime,
				PositiveSpans: []prompb.BucketSpan{{Offset: -5, Length: 1}, {Offset: gap, Length: 1}}, PositiveDeltas: []int64{1, 0},
			}},
		}}}
		s := testSplitter(version1, unlimited)
		if err := s.Split(telemetry.Metrics, marshal(t, req), 4, 0); err != nil {
			t.Fatal(err)
		}
		if s.Accepted() != want || s.Rejected() != 1-want || want == 0 && !strings.Contains(s.Message(), "too many buckets") {
			t.Errorf("with a gap of %d, %d are accepted: %s", gap, s.Accepted(), s.Message())
		}
	}
}

func TestTimesAreBounded(t *testing.T) {
	const received = goldenTime * 1_000_000
	lim := otlp.DefaultLimits()
	age, future := lim.MaxAge.Milliseconds(), lim.MaxFuture.Milliseconds()
	for at, want := range map[int64]int64{
		goldenTime: 1, goldenTime - age: 1, goldenTime - age - 1: 0, goldenTime + future: 1, goldenTime + future + 1: 0, 0: 0, -1: 0,
	} {
		req := &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
			Labels: goldenLabels("__name__", "up"), Samples: []prompb.Sample{{Timestamp: at}},
		}}}
		s := testSplitter(version1, unlimited)
		if err := s.Split(telemetry.Metrics, marshal(t, req), 4, received); err != nil {
			t.Fatal(err)
		}
		if s.Accepted() != want {
			t.Errorf("time %d: %d accepted, want %d: %s", at, s.Accepted(), want, s.Message())
		}
	}
}

// TestMetadataAlone has a time that is the same when a request is sent again
// within the minute.
func TestMetadataAlone(t *testing.T) {
	body := marshal(t, &prompb.WriteRequest{Metadata: []prompb.MetricMetadata{{MetricFamilyName: "up", Help: "Is it?"}}})
	const received = goldenTime*1_000_000 + 999
	s := testSplitter(version1, unlimited)
	if err := s.Split(telemetry.Metrics, body, 4, received); err != nil {
		t.Fatal(err)
	}
	got := decoded(t, s.Parts(), 4)
	want := fmt.Sprintf(`"" "" /metadata "up" gauge unit="" help="Is it?" type=unknown {} t=%d flags=1`, int64(goldenTime)*1_000_000/60_000_000_000*60_000_000_000)
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

// TestSplitDoesNotAllocate for a series or a sample.
func TestSplitDoesNotAllocate(t *testing.T) {
	for v, body := range map[version][]byte{version1: marshal(t, scrape(2000)), version2: marshal(t, scrape2(2000))} {
		s := testSplitter(v, unlimited)
		allocations := testing.AllocsPerRun(10, func() {
			if err := s.Split(telemetry.Metrics, body, 8, 0); err != nil {
				t.Fatal(err)
			}
		})
		if allocations > 1 {
			t.Errorf("version %d: %v allocations a request", v, allocations)
		}
	}
}
