package logs_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/goshawk-observability/goshawk/query/logs"
)

// testStreams asks which streams have lines in a range, which may begin and end
// within a bucket, and compares with plain loops over what was sent.
func testStreams(t *testing.T, f *fixture) {
	r := rand.New(rand.NewPCG(7, 9))
	const span = 5 * time.Hour
	type line struct {
		at     time.Duration
		stream string
	}
	var lines []line
	var records []record
	for range 3000 {
		at := time.Duration(r.Int64N(int64(span/time.Minute))) * time.Minute
		// A host that has lines for some minutes only.
		host, severity := fmt.Sprintf("web-%d", int(at/(7*time.Minute))%20), pick(r, plog.SeverityNumberInfo, plog.SeverityNumberError)
		lines = append(lines, line{at, fmt.Sprintf("host_name=%s level=%s", host, map[plog.SeverityNumber]string{plog.SeverityNumberInfo: "info", plog.SeverityNumberError: "error"}[severity])})
		records = append(records, record{at: at, severity: severity, body: "x", resource: map[string]any{"service.name": "shop", "host.name": host}})
	}
	f.send(t, "streams", records...)
	for range 60 {
		from := time.Duration(r.Int64N(int64(span)))
		to := from + time.Duration(r.Int64N(int64(span)))/time.Duration(1+r.IntN(20))
		switch r.IntN(4) {
		case 0: // noon is five minutes after the begin of a bucket
			from = from.Truncate(30*time.Minute) - 5*time.Minute
		case 1:
			from, to = from.Truncate(30*time.Minute)-5*time.Minute, to.Truncate(30*time.Minute)+25*time.Minute-1
		}
		want := map[string]bool{}
		for _, l := range lines {
			if l.at >= from && l.at <= to {
				want[l.stream] = true
			}
		}
		found, err := f.store(nil).For("streams").Streams(context.Background(), nil, logs.Range{From: noon.Add(from).UnixNano(), To: noon.Add(to).UnixNano()})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, labels := range found {
			got["host_name="+labels.Get("host_name")+" level="+labels.Get("level")] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s to %s:\n%v\nwant\n%v", from, to, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
	// The projection answers for whole buckets: few of the 3,000 rows are read.
	reader := f.store(nil).For("streams")
	if _, err := reader.Streams(context.Background(), nil, logs.Range{From: noon.Add(-5 * time.Minute).UnixNano(), To: noon.Add(span+25*time.Minute).UnixNano() - 1}); err != nil {
		t.Fatal(err)
	}
	if rows := reader.Rows; rows == 0 || rows > 300 {
		t.Errorf("%d rows were read", rows)
	}
}
