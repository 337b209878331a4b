package promql

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
)

// TestWindowsAreTheSameBits compares the shortcut with the engine on series
// with resets, gaps, marks of staleness, and values of every kind.
func TestWindowsAreTheSameBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := teststorage.New(t)
	a := s.AppenderV2(context.Background())
	for i := range 30 { // every kind of them twice at least
		l := labels.FromStrings("__name__", "requests_total", "group", fmt.Sprint(i%3), "instance", fmt.Sprint(i))
		value := float64(rng.IntN(100))
		for at := int64(rng.IntN(15_000)); at < 3*3_600_000; at += 15_000 {
			switch {
			case i%5 == 0 && rng.IntN(10) == 0:
				continue // a gap
			case i%7 == 0 && rng.IntN(40) == 0:
				at += int64(rng.IntN(3_000_000))
			case rng.IntN(60) == 0:
				value = 0 // a reset
			default:
				value += rng.Float64() * 100
			}
			v := value
			switch {
			case i%11 == 3 && rng.IntN(30) == 0:
				v = staleValue
			case i%13 == 5 && rng.IntN(50) == 0:
				v = math.NaN()
			case i%13 == 6 && rng.IntN(50) == 0:
				v = math.Inf(1)
			case i%13 == 7:
				v = -value
			}
			if _, err := a.Append(0, l, 0, at+int64(rng.IntN(500)), v, nil, nil, storage.AppendV2Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	e := newEngine(DefaultConfig(), nil, nil)
	ran := 0
	for _, text := range []string{
		"rate(requests_total[5m])", "increase(requests_total[1m])", "sum by (group) (rate(requests_total[2m]))",
		`rate(requests_total{instance=~"1."}[10m]) / ignoring(x) increase(requests_total[30s])`, "-(rate(requests_total[5m]))",
		"topk(3, rate(requests_total[1h]))", "histogram_quantile(0.9, rate(requests_total[5m]))",
		"rate(requests_total[5m]) or rate(nothing_total[5m])", "rate(requests_total[5m] offset 1m)", "max_over_time(rate(requests_total[1m])[5m:15s])",
		"max_over_time(requests_total[3m])", "sum by (group) (min_over_time(requests_total[10m]))", "avg(sum_over_time(requests_total[20m]))",
		"count_over_time(requests_total[1m]) > 3", "max by (group) (max_over_time({__name__=\"requests_total\"}[15s]))",
		"last_over_time(requests_total[1m])", "sum by (group) (avg_over_time(requests_total[5m]))", "present_over_time(requests_total[1m])",
		"rate(requests_total[5m] @ 5400)", "increase(requests_total[5m] @ end() offset 1m) + requests_total", "max_over_time(requests_total[1m] offset -10m)",
		"max_over_time({instance=\"1\"}[1m])",
		"rate({__name__=~\"requests_.*\"}[5m])", "absent(rate(nothing_total[5m]))", "timestamp(rate(requests_total[5m]))",
	} {
		for _, step := range []time.Duration{time.Second * 7, 15 * time.Second, time.Minute, 17 * time.Minute} {
			start, end := time.Unix(1800, 0), time.Unix(9000, 0)
			plain, err := e.Engine.NewRangeQuery(context.Background(), s, nil, text, start, end, step)
			if err != nil {
				t.Fatal(err)
			}
			fast, err := e.NewRangeQuery(context.Background(), s, nil, text, start, end, step)
			if err != nil {
				t.Fatal(err)
			}
			if q, ok := fast.(*windowsQuery); ok {
				ran++
				if form := q.fast.Statement().String(); !strings.Contains(form, windowLabel) {
					t.Errorf("%s is not rewritten: %s", plain, form)
				}
			}
			want, got := plain.Exec(context.Background()), fast.Exec(context.Background())
			if want.Err != nil || got.Err != nil {
				t.Fatalf("%s: %v, want %v", text, got.Err, want.Err)
			}
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("%s step %s (-engine +shortcut):\n%.3000s", text, step, diff)
			}
			plain.Close()
			fast.Close()
		}
	}
	if ran != 4*19 {
		t.Errorf("%d queries took the shortcut, want %d", ran, 4*19)
	}
}

// but leaves out files that are about what the shortcut, or goshawk, does not do.
type but struct {
	*testing.T
	files map[string]string // and why
}

func (b but) Run(file string, run func(*testing.T)) bool {
	if _, out := b.files[file]; out {
		return true
	}
	return b.T.Run(file, run)
}

// TestPromQLWithShortcut runs Prometheus's acceptance tests with the shortcut,
// over Prometheus's own storage.
func TestPromQLWithShortcut(t *testing.T) {
	e := &engine{Engine: promqltest.NewTestEngine(t, false, 5*time.Minute, promqltest.DefaultMaxSamplesPerQuery), parser: newEngine(DefaultConfig(), nil, nil).parser}
	promqltest.RunBuiltinTests(but{t, map[string]string{
		"testdata/start_timestamps.test":    "with start times there is no shortcut",
		"testdata/name_label_dropping.test": "it is about names that are removed late, which goshawk's engine does not do",
	}}, e)
}
