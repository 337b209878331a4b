package traces_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

type operationsJSON struct {
	Note       string
	Step       int64 `json:"step_seconds"`
	Operations []struct {
		Service, Version, Operation, Kind string
		figuresJSON
		Duration *latencyJSON
		Apdex    *float64
		Series   []struct {
			Time time.Time
			figuresJSON
			Duration *latencyJSON
			Apdex    *float64
		}
	}
}

func testOperations(t *testing.T, f *fixture) {
	f.shop(t, "rates", 10*time.Minute)
	f.shop(t, "elsewhere", 10*time.Minute)
	const ms = time.Millisecond
	f.rates(
		t, "rates",
		counted{at: 10 * time.Minute, service: "cart", version: "1", operation: "get", kind: "server", calls: 40, errors: 8, well: 10, server: times(40, 200*ms), slow: 711, failed: 712},
		counted{at: 40 * time.Minute, service: "cart", version: "1", operation: "get", kind: "server", calls: 100, well: 100, server: times(100, 16*ms)},
	)
	s := f.serve(t, nil)
	var all operationsJSON
	s.read(t, "rates", "/api/v1/operations?"+hourAfterNoon, &all)
	if len(all.Operations) != 6 || all.Operations[0].Kind != "client" || all.Operations[0].figuresJSON.Calls != 1000 || all.Note != "" {
		t.Errorf("%+v", all)
	}
	all = operationsJSON{}
	s.read(t, "rates", "/api/v1/operations?service=cart&step=30m&"+hourAfterNoon, &all)
	if len(all.Operations) != 2 || all.Step != 1800 {
		t.Fatalf("%+v", all)
	}
	o := all.Operations[0]
	if o.Service != "cart" || o.Version != "1" || o.Operation != "get" || o.Kind != "server" || o.figuresJSON.Calls != 200 || o.Errors != 10 || o.Slow != hexOf(traceID(711)) || o.Failed != hexOf(traceID(712)) ||
		math.Abs(*o.Apdex-0.82) > 1e-9 || !near(o.Duration.P50, 16*ms) || !near(o.Duration.P95, 200*ms) || math.Abs(o.Rate-200./3600) > 1e-9 {
		t.Errorf("%+v", o)
	}
	if len(o.Series) != 2 || !o.Series[0].Time.Equal(noon) || !o.Series[1].Time.Equal(noon.Add(30*time.Minute)) || o.Series[0].figuresJSON.Calls != 100 || o.Series[0].Errors != 10 ||
		math.Abs(o.Series[1].Rate-100./1800) > 1e-9 || *o.Series[1].Apdex != 1 || !near(o.Series[1].Duration.P95, 16*ms) {
		t.Errorf("%+v", o.Series)
	}
	if two := all.Operations[1]; two.Version != "2" || len(two.Series) != 1 {
		t.Errorf("%+v", two)
	}
	// Of 200 calls 160 took 16 ms and 40 200 ms; one in twenty failed.
	for threshold, want := range map[string]float64{"100ms": 0.95 * (160 + 20) / 200, "1s": 0.95, "10ms": 0.95 * 80 / 200, "1ms": 0} {
		s.read(t, "rates", "/api/v1/operations?service=cart&apdex_threshold="+threshold+"&"+hourAfterNoon, &all)
		if got := *all.Operations[0].Apdex; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", threshold, got, want)
		}
	}
	s.read(t, "rates", "/api/v1/operations?service=none&step=1m&"+hourAfterNoon, &all)
	if len(all.Operations) != 0 {
		t.Errorf("%+v", all)
	}
	s = f.serve(t, func(c *traces.Config) { c.MaxNames = 1 })
	all = operationsJSON{}
	s.read(t, "rates", "/api/v1/operations?service=cart&step=1m&"+hourAfterNoon, &all)
	if len(all.Operations) != 1 || len(all.Operations[0].Series) != 2 || !strings.Contains(all.Note, "query.traces.max_names") {
		t.Errorf("%+v", all)
	}
}

type offsetsJSON struct {
	Step  int64 `json:"step_seconds"`
	Pairs []struct {
		Caller       string `json:"caller_host"`
		Callee       string `json:"callee_host"`
		Calls        uint64
		ReverseCalls uint64 `json:"reverse_calls"`
		Known        bool
		Latest       offsetJSON
		Drift        *struct {
			Lower    float64 `json:"lower_ppm"`
			Upper    float64 `json:"upper_ppm"`
			Estimate float64 `json:"estimate_ppm"`
		}
		Series []offsetJSON
	}
}

type offsetJSON struct {
	Known       bool
	State       string
	Time        time.Time
	Calls       uint64
	Lower       *int64 `json:"lower_ns"`
	Upper       *int64 `json:"upper_ns"`
	Estimate    *int64 `json:"estimate_ns"`
	Uncertainty *int64 `json:"uncertainty_ns"`
}

func testClockOffsets(t *testing.T, f *fixture) {
	const none, nothing = telemetry.NoLower, telemetry.NoUpper
	// Slots of ten seconds: those of noon are at 12:05:00 and so on.
	var all []bound
	for i := range 60 {
		// A clock that gains 10 ns in every ms, and is known to 100 µs.
		ahead := 5_000_000 + int64(i)*100_000
		all = append(all, bound{time.Duration(i) * 10 * time.Second, "drifts-a", "drifts-b", ahead - 100_000, ahead + 100_000})
	}
	all = append(
		all,
		// Several rows of a slot; the greatest lower and the least upper bound hold.
		bound{0, "a", "b", 1000, 9000}, bound{0, "a", "b", 2000, 9500}, bound{0, "a", "b", none, 6000},
		// What the other direction says is turned round.
		bound{10 * time.Second, "a", "b", 3000, nothing}, bound{10 * time.Second, "b", "a", -7000, nothing},
		bound{20 * time.Second, "a", "b", 8_000_000, nothing}, bound{20 * time.Second, "b", "a", -6_000_000, nothing},
		// As much as a drift explains.
		bound{50 * time.Second, "drifts-b", "slow", 8000, 7000},
		bound{0, "one", "way", 10, nothing}, bound{30 * time.Second, "one", "way", 20, nothing},
		// A minute ahead: the same moment is in another slot of the other clock.
		bound{0, "early", "late", 59_000_000_000, 62_000_000_000}, bound{60 * time.Second, "late", "early", -61_000_000_000, -58_000_000_000},
	)
	f.bounds(t, "clocks", all...)
	f.bounds(t, "elsewhere", bound{0, "secret", "b", 1, 2})
	s := f.serve(t, nil)
	var o offsetsJSON
	a := s.read(t, "clocks", "/api/v1/clock-offsets?step=10s&"+hourAfterNoon, &o)
	if len(o.Pairs) != 5 || o.Step != 10 || strings.Contains(a.body, "secret") {
		t.Fatal(a.body)
	}
	ab, drifts, slow, early, one := o.Pairs[0], o.Pairs[1], o.Pairs[2], o.Pairs[3], o.Pairs[4]
	if ab.Caller != "a" || ab.Callee != "b" || ab.Calls != 7 || ab.ReverseCalls != 2 || len(ab.Series) != 3 || !ab.Known || ab.Drift != nil {
		t.Fatalf("%+v", ab)
	}
	if p := ab.Series[0]; !p.Known || *p.Lower != 2000 || *p.Upper != 6000 || *p.Estimate != 4000 || *p.Uncertainty != 2000 || p.Calls != 3 || !p.Time.Equal(noon) {
		t.Errorf("%+v", p)
	}
	if p := ab.Series[1]; !p.Known || *p.Lower != 3000 || *p.Upper != 7000 || p.State != "known" {
		t.Errorf("%+v", p)
	}
	if p := ab.Series[2]; p.Known || p.State != "contradictory" || p.Estimate != nil || *p.Lower != 8_000_000 || *p.Upper != 6_000_000 {
		t.Errorf("%+v", p)
	}
	if p := slow.Series[0]; !p.Known || *p.Lower != 7000 || *p.Upper != 8000 {
		t.Errorf("%+v", p)
	}
	if *ab.Latest.Estimate != 5000 { // of 12:05:10, the latest that is known
		t.Errorf("%+v", ab.Latest)
	}
	if one.Known || one.Latest.State != "one_way" || *one.Latest.Lower != 20 || one.Latest.Upper != nil || one.Latest.Estimate != nil || one.Drift != nil {
		t.Errorf("%+v", one)
	}
	if d := drifts.Drift; len(drifts.Series) != 60 || d == nil || d.Lower > 10 || d.Upper < 10 || d.Upper-d.Lower > 2 || d.Estimate < 9 || d.Estimate > 11 {
		t.Errorf("%+v %+v", drifts.Drift, drifts)
	}
	if len(early.Series) != 1 || *early.Series[0].Lower != 59_000_000_000 || *early.Series[0].Upper != 61_000_000_000 || early.Calls != 2 {
		t.Errorf("%+v", early)
	}
	// At a time, of a host, and with longer steps: always bounds of one slot.
	o = offsetsJSON{}
	s.read(t, "clocks", "/api/v1/clock-offsets?host=drifts-a&step=1m&at=2024-05-06T12:10:05Z&"+hourAfterNoon, &o)
	if len(o.Pairs) != 1 || len(o.Pairs[0].Series) != 10 || *o.Pairs[0].Latest.Estimate != 8_000_000 {
		t.Errorf("%+v", o)
	}
	for _, p := range o.Pairs[0].Series {
		if *p.Uncertainty != 100_000 {
			t.Errorf("%+v", p)
		}
	}
	o = offsetsJSON{}
	if s.read(t, "clocks", "/api/v1/clock-offsets", &o); o.Pairs == nil || len(o.Pairs) != 0 {
		t.Errorf("%+v", o)
	}
}
