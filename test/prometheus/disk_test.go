package prometheus

import (
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/prompb"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

const (
	// diskScrapes is how many scrapes an instance has. They are taken one a second
	// and get times of 15 s between them.
	diskScrapes = 60
	// diskInstances is how many instances share the scrapes, each beginning one
	// scrape after the one before.
	diskInstances = 10
	// mostBytes bounds what a sample takes on disk. What it takes is logged.
	mostBytes = 4.0
)

// scrape is what an exporter said at a time: labels, encoded for the key, and
// values.
type scrape struct {
	labels map[string]labels.Labels
	values map[string]float64
}

// TestDisk scrapes a real node exporter, writes what it says as that of several
// instances to goshawk, and looks at what a sample takes on disk.
func TestDisk(t *testing.T) {
	t.Parallel()
	exporter := startExporter(t)
	c := cluster.Start(t, cluster.Options{Up: true})
	var taken []scrape
	for range diskScrapes + diskInstances {
		text, err := page(t.Context(), "http://"+exporter+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, s)
		time.Sleep(time.Second)
	}
	offsets := machines(taken)
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Now().Add(-diskScrapes * scrapeInterval).Truncate(scrapeInterval).UnixMilli()
	samples := 0
	for i := range diskScrapes {
		for instance := range diskInstances {
			at := start + int64(i)*scrapeInterval.Milliseconds() + int64(instance)*1234
			if random.IntN(20) == 0 {
				at += random.Int64N(4) // a scrape is seldom late by more than that
			}
			var request prompb.WriteRequest
			one := taken[i+instance]
			for _, key := range slices.Sorted(maps.Keys(one.values)) {
				l := labels.NewBuilder(one.labels[key]).Set("job", "node").Set("instance", fmt.Sprintf("host-%02d.example.com:9100", instance)).Labels()
				request.Timeseries = append(request.Timeseries, prompb.TimeSeries{
					Labels: prompb.FromLabels(l, nil), Samples: []prompb.Sample{{Value: one.values[key] + offsets(key, instance), Timestamp: at}},
				})
			}
			send(t, "http://"+c.HTTP+"/api/v1/write", &request)
			samples += len(request.Timeseries)
		}
	}
	if err := cluster.Eventually(2*time.Minute, func() error {
		n, err := c.Count("SELECT count() FROM samples FORMAT TabSeparated")
		if err == nil && n != int64(samples) {
			err = fmt.Errorf("%d samples are stored, want %d", n, samples)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sizes := map[string]float64{}
	for _, table := range []string{"samples", "series"} {
		if _, err := c.Admin("OPTIMIZE TABLE " + table + " FINAL"); err != nil {
			t.Fatal(err)
		}
		n, err := c.Count("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = '" + table + "' FORMAT TabSeparated")
		if err != nil {
			t.Fatal(err)
		}
		sizes[table] = float64(n)
	}
	all := (sizes["samples"] + sizes["series"]) / float64(samples)
	t.Logf("%d samples of %d series of a node exporter take %.3f bytes each: %.3f in samples, %.3f in series (%.0f bytes a series, written once a day)",
		samples, samples/diskScrapes, all, sizes["samples"]/float64(samples), sizes["series"]/float64(samples), sizes["series"]*diskScrapes/float64(samples))
	if all > mostBytes {
		t.Errorf("a sample takes %.3f bytes, more than %v", all, mostBytes)
	}
}

// machines returns what the values of an instance have more than those of the
// one that was scraped, so that no instance repeats another: the counters of
// other machines have other counts, their memories other sizes. What does not
// move is the same everywhere.
func machines(taken []scrape) func(key string, instance int) float64 {
	moves := map[string]bool{}
	for key, first := range taken[0].values {
		for _, s := range taken[1:] {
			moves[key] = moves[key] || s.values[key] != first
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	offsets := map[string][]float64{}
	for _, key := range slices.Sorted(maps.Keys(moves)) {
		for range diskInstances {
			v, offset := taken[0].values[key], 0.0
			switch {
			case !moves[key] || math.Abs(v) < 100:
			case math.Mod(v, 4096) == 0:
				offset = 4096 * float64(random.IntN(1+int(math.Abs(v)/4096)))
			default:
				offset = float64(random.IntN(1 + int(min(math.Abs(v), 1e15))))
			}
			offsets[key] = append(offsets[key], offset)
		}
	}
	return func(key string, instance int) float64 {
		if o := offsets[key]; o != nil {
			return o[instance]
		}
		return 0
	}
}

// parse reads the text format.
func parse(text string) (scrape, error) {
	s := scrape{labels: map[string]labels.Labels{}, values: map[string]float64{}}
	p := textparse.NewPromParser([]byte(text), labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		if err == io.EOF { //nolint:errorlint // the parser's contract
			return s, nil
		}
		if err != nil {
			return s, fmt.Errorf("reading the exporter's answer: %w", err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		series, _, value := p.Series()
		var l labels.Labels
		p.Labels(&l)
		s.labels[string(series)], s.values[string(series)] = l.Copy(), value
	}
}
