package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/test/cluster"
	"github.com/goshawk-observability/goshawk/test/prometheus"
)

// The data of the scenario promql: half of the series are counters, a quarter
// gauges, a quarter buckets of histograms.
const (
	promqlSeries   = 2_000
	promqlInterval = 15 * time.Second
	promqlLength   = 24 * time.Hour
	promqlRuns     = 15
)

// promqlShapes are the queries that are measured.
var promqlShapes = []struct {
	name, query string
	aggregates  bool
}{
	{"selector, 1 instance", `node_cpu_seconds_total{instance="host-0003:9100"}`, false},
	{"selector, 500 series", `node_memory_bytes`, false},
	{"rate, 1 instance", `rate(node_cpu_seconds_total{instance="host-0003:9100"}[5m])`, false},
	{"sum by rate, 1,000 series", `sum by (mode) (rate(node_cpu_seconds_total[5m]))`, true},
	{"avg, 500 series", `avg by (datacenter) (node_memory_bytes)`, true},
	{"max_over_time, 500 series", `max by (instance) (max_over_time(node_memory_bytes[5m]))`, true},
	{"histogram_quantile, 500 buckets", `histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))`, true},
	{"topk, 1,000 series", `topk(5, rate(node_cpu_seconds_total[5m]))`, true},
}

// runPromQL asks goshawk and a Prometheus on this machine, in turn, the same of
// the same samples.
func runPromQL(ctx context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		server := prometheus.Start(b, "global: {}\n")
		cl := cluster.Start(b, cluster.Options{})
		length := promqlLength / time.Duration(e.scale)
		end := time.Now().Truncate(promqlInterval)
		samples, err := fillPromQL(ctx, end.Add(-length), end, "http://"+cl.HTTP, server.URL)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(e.log, "%-11s %d samples are sent\n", "promql", samples)
		if err := settled(ctx, cl, server, samples, length); err != nil {
			return nil, err
		}
		urls := [2]string{"http://" + cl.Query, server.URL}
		var measured []measurement
		ratios := map[string][]float64{}
		var dayAggregations []float64
		for _, shape := range promqlShapes {
			for _, span := range []struct {
				name         string
				length, step time.Duration
			}{{"now", 0, 0}, {"1 h by 15 s", time.Hour, 15 * time.Second}, {"24 h by 60 s", 24 * time.Hour, time.Minute}} {
				medians, err := askInTurn(ctx, urls, shape.query, end, span.length, span.step)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", shape.name, span.name, err)
				}
				what := shape.name + ", " + span.name
				ratio := medians[0] / medians[1]
				fmt.Fprintf(e.log, "%-11s %-50s %8.1f ms, Prometheus %8.1f ms, ratio %.2f\n", "promql", what, medians[0], medians[1], ratio)
				ratios[span.name] = append(ratios[span.name], ratio)
				if shape.aggregates && span.length > time.Hour {
					dayAggregations = append(dayAggregations, ratio)
				}
				measured = append(measured,
					measurement{What: what, Value: medians[0], Unit: "ms", Note: "median"},
					measurement{What: what + ", Prometheus", Value: medians[1], Unit: "ms", Note: "median"},
					measurement{What: what + ", ratio", Value: ratio, Unit: "x"})
			}
		}
		var all []float64
		for _, span := range slices.Sorted(maps.Keys(ratios)) {
			all = append(all, ratios[span]...)
			measured = append(measured, measurement{What: "all queries, " + span + ", ratio", Value: medianOf(ratios[span]), Unit: "x", Note: "median"})
		}
		measured = append(measured,
			measurement{What: "all queries, ratio", Value: medianOf(all), Unit: "x", Limit: 1.5, Note: "median"},
			measurement{What: "aggregations, 24 h by 60 s, ratio", Value: medianOf(dayAggregations), Unit: "x", Limit: 1, Note: "median"})
		bytes, err := cl.Count("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table IN ('samples', 'series') FORMAT TabSeparated")
		if err != nil {
			return nil, err
		}
		return append(measured,
			measurement{What: "peak resident, query", Value: float64(peakRSS(cl.Pid("query"))) / mib, Unit: "MiB"},
			measurement{What: "peak resident, Prometheus", Value: float64(peakRSS(server.Pid())) / mib, Unit: "MiB"},
			measurement{What: "disk, samples and series", Value: float64(bytes) / float64(samples), Unit: "B/sample"}), nil
	})
}

// askInTurn asks both servers the same, the first one first and second in turn,
// and returns the medians of how long they took in milliseconds.
func askInTurn(ctx context.Context, servers [2]string, query string, end time.Time, length, step time.Duration) (medians [2]float64, err error) {
	var took [2][]float64
	var series [2]int
	for run := range promqlRuns + 1 {
		at := end.Add(-time.Duration(run) * promqlInterval)
		for i := range servers {
			if run%2 == 1 {
				i = 1 - i
			}
			spent, n, err := askPromQL(ctx, servers[i], query, at, length, step)
			if err != nil {
				return medians, err
			}
			series[i] = n
			if run > 0 { // the first one warms up
				took[i] = append(took[i], float64(spent.Microseconds())/1000)
			}
		}
		if series[0] != series[1] || series[0] == 0 {
			return medians, fmt.Errorf("%d series are the answer, and of Prometheus %d", series[0], series[1])
		}
	}
	for i := range took {
		medians[i] = medianOf(took[i])
	}
	return medians, nil
}

// medianOf sorts the figures and returns the middle one.
func medianOf(figures []float64) float64 {
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// askPromQL asks one query and returns how long the answer took and how many
// series it has.
func askPromQL(ctx context.Context, server, query string, at time.Time, length, step time.Duration) (time.Duration, int, error) {
	path, form := "/api/v1/query", url.Values{"query": {query}, "time": {strconv.FormatInt(at.Unix(), 10)}}
	if length > 0 {
		path = "/api/v1/query_range"
		form = url.Values{
			"query": {query}, "start": {strconv.FormatInt(at.Add(-length).Unix(), 10)}, "end": {strconv.FormatInt(at.Unix(), 10)},
			"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+path+"?"+form.Encode(), nil)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	spent := time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	var answer struct {
		Error string
		Data  struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, 0, fmt.Errorf("%s answers %s: %w", server, response.Status, err)
	}
	if response.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("%s answers %s: %s", server, response.Status, answer.Error)
	}
	return spent, len(answer.Data.Result), nil
}

// settled waits until goshawk has stored everything, Prometheus has written all
// but the last hours to blocks, and both have nothing more to do.
func settled(ctx context.Context, cl *cluster.Cluster, server *prometheus.Server, samples int, length time.Duration) error {
	if err := cluster.Eventually(10*time.Minute, func() error {
		n, err := cl.Count("SELECT count() FROM samples FORMAT TabSeparated")
		if err == nil && n < int64(samples) {
			err = fmt.Errorf("%d of %d samples are stored", n, samples)
		}
		return err
	}); err != nil {
		return err
	}
	const inMemory = 4 * time.Hour
	if err := cluster.Eventually(5*time.Minute, func() error {
		held, err := headLength(ctx, server.URL)
		if err == nil && length > inMemory && held > inMemory {
			err = fmt.Errorf("there are %s in the memory of Prometheus", held)
		}
		return err
	}); err != nil {
		return err
	}
	pids := []int{cl.Pid("clickhouse"), cl.Pid("process"), cl.Pid("broker"), server.Pid()}
	return cluster.Eventually(5*time.Minute, func() error {
		const pause = 3 * time.Second
		var before, after float64
		for _, pid := range pids {
			u, err := usageOf(pid)
			if err != nil {
				return err
			}
			before += u.CPU
		}
		time.Sleep(pause)
		for _, pid := range pids {
			u, err := usageOf(pid)
			if err != nil {
				return err
			}
			after += u.CPU
		}
		if busy := (after - before) / pause.Seconds(); busy > 0.15 {
			return fmt.Errorf("the servers are busy: %.2f cores", busy)
		}
		return nil
	})
}

// headLength is how much time a Prometheus holds in memory.
func headLength(ctx context.Context, server string) (time.Duration, error) {
	var answer struct {
		Data struct {
			HeadStats struct{ MinTime, MaxTime int64 }
		}
	}
	if err := getJSON(ctx, server+"/api/v1/status/tsdb", &answer); err != nil {
		return 0, fmt.Errorf("status of Prometheus: %w", err)
	}
	return time.Duration(answer.Data.HeadStats.MaxTime-answer.Data.HeadStats.MinTime) * time.Millisecond, nil
}

// promqlSource makes the samples of one series.
type promqlSource struct {
	labels []byte // encoded
	value  float64
	next   func(v float64) float64
}

func promqlSources() []*promqlSource {
	random := rand.New(rand.NewPCG(42, 1))
	modes := []string{"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"}
	bounds := []string{"0.01", "0.1", "0.5", "2.5", "+Inf"} // each histogram whole: 25 series are five
	all := make([]*promqlSource, promqlSeries)
	for i := range all {
		s := &promqlSource{value: float64(random.IntN(1e6))}
		pace := random.Float64()
		instance, at := i/100, i%100
		labels := [][2]string{{"datacenter", fmt.Sprintf("dc%d", instance%3)}, {"instance", fmt.Sprintf("host-%04d:9100", instance)}, {"job", "node"}}
		switch {
		case at < 50:
			labels = append(labels, [2]string{"__name__", "node_cpu_seconds_total"}, [2]string{"cpu", strconv.Itoa(at / 8)}, [2]string{"mode", modes[at%8]})
			s.next = func(v float64) float64 { return math.Round((v+15*pace*(0.5+random.Float64()))*100) / 100 }
		case at < 75:
			labels = append(labels, [2]string{"__name__", "node_memory_bytes"}, [2]string{"kind", fmt.Sprintf("kind-%02d", at)})
			s.next = func(v float64) float64 {
				if random.IntN(4) == 0 {
					v += float64(random.IntN(8192)-4096) * 4096
				}
				return v
			}
		default:
			n := at - 75
			labels = append(labels, [2]string{"__name__", "http_request_duration_seconds_bucket"}, [2]string{"handler", strconv.Itoa(n / len(bounds))}, [2]string{"le", bounds[n%len(bounds)]})
			// The buckets of a histogram count the same requests: their random
			// numbers are the same.
			requests := rand.New(rand.NewPCG(uint64(instance), uint64(n/len(bounds))))
			within := float64(n%len(bounds)+1) / float64(len(bounds))
			s.value = 0
			s.next = func(v float64) float64 { return v + math.Floor(float64(requests.IntN(40))*within) }
		}
		slices.SortFunc(labels, func(a, b [2]string) int { return bytes.Compare([]byte(a[0]), []byte(b[0])) })
		for _, l := range labels {
			s.labels = appendMessage(s.labels, 1, appendMessage(appendMessage(nil, 1, []byte(l[0])), 2, []byte(l[1])))
		}
		all[i] = s
	}
	return all
}

// fillPromQL sends samples of the time by remote-write 1.0 to the servers and
// returns how many.
func fillPromQL(ctx context.Context, from, to time.Time, servers ...string) (int, error) {
	sources := promqlSources()
	samples := 0
	var request, series, sample []byte
	for at := from; !at.After(to); at = at.Add(promqlInterval) {
		request = request[:0]
		for _, s := range sources {
			s.value = s.next(s.value)
			sample = protowire.AppendFixed64(protowire.AppendTag(sample[:0], 1, protowire.Fixed64Type), math.Float64bits(s.value))
			sample = protowire.AppendVarint(protowire.AppendTag(sample, 2, protowire.VarintType), uint64(at.UnixMilli()+137))
			series = appendMessage(append(series[:0], s.labels...), 2, sample)
			request = appendMessage(request, 1, series)
		}
		body := snappy.Encode(nil, request)
		for _, server := range servers {
			if err := write1(ctx, server+"/api/v1/write", body); err != nil {
				return 0, err
			}
		}
		samples += len(sources)
	}
	return samples, nil
}

// write1 sends a body of remote-write 1.0, again while that is asked for.
func write1(ctx context.Context, address string, body []byte) error {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-protobuf")
		r.Header.Set("Content-Encoding", "snappy")
		r.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case err != nil:
			return err
		case response.StatusCode == http.StatusNoContent:
			return nil
		case response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("%s answers %s: %s", address, response.Status, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
