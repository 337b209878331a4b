package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/klauspost/compress/snappy"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// The load of remote-write: so many series of 8 labels, in requests of so many
// samples, in the order in which a scrape of 200 series of an instance goes by.
const (
	writeSeries     = 20_000
	writePerRequest = 2_000
	writePerScrape  = 200
	writeStep       = 15 * time.Second

	writeVersion1 = "prometheus.WriteRequest"
	writeVersion2 = "io.prometheus.write.v2.Request"
)

// runRemoteWrite sends samples by remote-write, both versions.
func runRemoteWrite(ctx context.Context, e *env) ([]measurement, error) {
	var measured []measurement
	for _, v := range []struct {
		what, message string
		encode        writeEncoder
	}{
		{"version 1.0", "prometheus.WriteRequest", encodeWrite1},
		{"version 2.0", "io.prometheus.write.v2.Request", encodeWrite2},
	} {
		m, err := within(e, func(b *bed) ([]measurement, error) {
			cl := cluster.Start(b, cluster.Options{Only: []string{"broker", "gateway"}})
			rounds := max(100/e.scale, 1)
			start := time.Now().Add(-time.Duration(rounds+10) * writeStep)
			warm := writeRequests(v.message, v.encode, start, 0, 10)
			requests := writeRequests(v.message, v.encode, start, 10, rounds)
			if _, err := post(ctx, cl.HTTP, warm); err != nil {
				return nil, err
			}
			roles := []string{"gateway", "broker"}
			var before [2]usage
			var err error
			for i, role := range roles {
				if before[i], err = usageOf(cl.Pid(role)); err != nil {
					return nil, err
				}
			}
			took, err := post(ctx, cl.HTTP, requests)
			if err != nil {
				return nil, err
			}
			var costs [2]float64
			for i, role := range roles {
				after, err := usageOf(cl.Pid(role))
				if err != nil {
					return nil, err
				}
				costs[i] = after.minus(before[i]).CPU / (float64(len(requests)*writePerRequest) / 1e6)
			}
			return []measurement{
				{What: v.what, Value: costs[0], Unit: "CPU-s/M", Limit: 0.5},
				{What: v.what + ", broker", Value: costs[1], Unit: "CPU-s/M"},
				{What: v.what + ", peak resident", Value: float64(peakRSS(cl.Pid("gateway"))) / mib, Unit: "MiB", Limit: 100},
				{What: v.what + ", rate", Value: float64(len(requests)*writePerRequest) / took.Seconds(), Unit: "samples/s", Note: "wall clock, lower bound"},
			}, nil
		})
		if err != nil {
			return nil, err
		}
		measured = append(measured, m...)
	}
	return measured, nil
}

// runRemoteWritePath measures every process, from requests of version 1.0, which
// is what Prometheus sends unless told otherwise.
func runRemoteWritePath(ctx context.Context, e *env) ([]measurement, error) {
	const warmRounds = 25
	rounds := max(250/e.scale, 1)
	start := time.Now().Add(-time.Duration(warmRounds+rounds) * writeStep)
	warm := writeRequests(writeVersion1, encodeWrite1, start, 0, warmRounds)
	load := writeRequests(writeVersion1, encodeWrite1, start, warmRounds, rounds)
	return runPath(ctx, e, path{
		table: "samples", limit: 2.0,
		warmEvents: warmRounds * writeSeries, events: rounds * writeSeries,
		warm: func(ctx context.Context, address string) error { _, err := post(ctx, address, warm); return err },
		load: func(ctx context.Context, address string) error { _, err := post(ctx, address, load); return err },
	})
}

// writeEncoder makes an export request of the samples that n series, from a
// number on, have at a time.
type writeEncoder func(from, n, round int, at time.Time) []byte

// writeRequests returns HTTP requests, headers and all, with a sample of every
// series in each of the rounds, which are numbered from first.
func writeRequests(message string, encode writeEncoder, start time.Time, first, rounds int) [][]byte {
	head := "POST /api/v1/write HTTP/1.1\r\nHost: gateway\r\nUser-Agent: harness\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf;proto=" + message + "\r\nContent-Length: "
	var requests [][]byte
	for round := first; round < first+rounds; round++ {
		for from := 0; from < writeSeries; from += writePerRequest {
			body := snappy.Encode(nil, encode(from, writePerRequest, round, start.Add(time.Duration(round)*writeStep)))
			requests = append(requests, append(fmt.Appendf(nil, "%s%d\r\n\r\n", head, len(body)), body...))
		}
	}
	return requests
}

// post sends requests, headers and all, over a few connections and waits for
// every answer.
func post(ctx context.Context, address string, requests [][]byte) (time.Duration, error) {
	began := time.Now()
	work := make(chan []byte)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		for _, r := range requests {
			select {
			case work <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range few {
		group.Go(func() error {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return fmt.Errorf("connecting: %w", err)
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for r := range work {
				if err := exchange(conn, answers, r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(began), err
}

// exchange sends a request and reads its answer, and again while the gateway
// asks for that.
func exchange(conn net.Conn, answers *bufio.Reader, request []byte) error {
	for {
		if _, err := conn.Write(request); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		a, err := http.ReadResponse(answers, nil)
		if err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		text, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		switch {
		case err != nil:
			return fmt.Errorf("reading an answer: %w", err)
		case a.StatusCode == http.StatusNoContent:
			return nil
		case a.StatusCode != http.StatusTooManyRequests && a.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("the answer is %s: %s", a.Status, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// writeLabels are the labels of a series, sorted.
func writeLabels(series int) [8][2]string {
	instance, n := series/writePerScrape, series%writePerScrape
	return [...][2]string{
		{"__name__", fmt.Sprintf("http_request_duration_seconds_metric_%02d", n/10)},
		{"cluster", "eu-west-1"},
		{"code", "200"},
		{"handler", fmt.Sprintf("/api/v1/handler/%d", n%10)},
		{"instance", fmt.Sprintf("10.0.%d.%d:9100", instance/250, instance%250)},
		{"job", "node"},
		{"method", "GET"},
		{"namespace", "production"},
	}
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

// writeValue is a counter for two of three series, whose rate differs by series
// and round, and for the others a gauge of two decimals.
func writeValue(series, round int) float64 {
	random := rand.New(rand.NewPCG(uint64(series), uint64(round)))
	if series%3 != 0 {
		return float64(series*1000 + round*(series%50) + random.IntN(series%50+1))
	}
	return math.Round((50+10*random.NormFloat64())*100) / 100
}

func encodeSample(b []byte, series, round int, at time.Time) []byte {
	b = protowire.AppendFixed64(protowire.AppendTag(b, 1, protowire.Fixed64Type), math.Float64bits(writeValue(series, round)))
	return protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(at.UnixMilli()))
}

func encodeWrite1(from, n, round int, at time.Time) (request []byte) {
	for i := from; i < from+n; i++ {
		var series []byte
		for _, l := range writeLabels(i) {
			label := appendMessage(nil, 1, []byte(l[0]))
			series = appendMessage(series, 1, appendMessage(label, 2, []byte(l[1])))
		}
		series = appendMessage(series, 2, encodeSample(nil, i, round, at))
		request = appendMessage(request, 1, series)
	}
	return request
}

func encodeWrite2(from, n, round int, at time.Time) (request []byte) {
	refs := map[string]uint64{}
	ref := func(s string) uint64 {
		if _, ok := refs[s]; !ok {
			refs[s] = uint64(len(refs))
			request = appendMessage(request, 4, []byte(s))
		}
		return refs[s]
	}
	ref("")
	var list []byte
	for i := from; i < from+n; i++ {
		var labels []byte
		for _, l := range writeLabels(i) {
			labels = protowire.AppendVarint(labels, ref(l[0]))
			labels = protowire.AppendVarint(labels, ref(l[1]))
		}
		const counter = 1
		metadata := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), counter)
		metadata = protowire.AppendVarint(protowire.AppendTag(metadata, 3, protowire.VarintType), ref("How long requests took."))
		series := appendMessage(nil, 1, labels)
		series = appendMessage(series, 2, encodeSample(nil, i, round, at))
		list = appendMessage(list, 5, appendMessage(series, 5, metadata))
	}
	return append(request, list...)
}
