package clickhouse

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// fingerprintOf returns the fingerprint of a point of a series.
func fingerprintOf(tenant, metric, scope, version string, resource, scopeAttrs, point []telemetry.Attr) uint64 {
	b := &telemetry.Batch{Records: []telemetry.Record{{Tenant: tenant}}}
	put := func(attrs []telemetry.Attr) telemetry.Range {
		start := uint32(len(b.Attrs))
		b.Attrs = append(b.Attrs, attrs...)
		return telemetry.Range{Start: start, End: uint32(len(b.Attrs))}
	}
	b.Resources = []telemetry.Resource{{Attrs: put(resource)}}
	b.Scopes = []telemetry.Scope{{Name: scope, Version: version, Attrs: put(scopeAttrs)}}
	b.Metrics = []telemetry.Metric{{Name: metric}}
	p := telemetry.Point{Attrs: put(point)}
	cfg := DefaultConfig()
	s := shared{retention: &cfg.Retention}
	s.prepare(b)
	t := series{written: map[uint64]struct{}{}, known: seriesCache{limit: 10}, limits: newLimits(&Config{})}
	return t.see(&s, &p)
}

func attrsOf(pairs ...string) []telemetry.Attr {
	var attrs []telemetry.Attr
	for i := 0; i < len(pairs); i += 2 {
		attrs = append(attrs, telemetry.Attr{Key: pairs[i], Value: telemetry.StringValue(pairs[i+1])})
	}
	return attrs
}

// TestFingerprintIsForEver pins fingerprints: what is in the tables was made
// with them.
func TestFingerprintIsForEver(t *testing.T) {
	for _, c := range []struct {
		got, want uint64
	}{
		{fingerprintOf("", "", "", "", nil, nil, nil), 0x5888e80a1bb51},
		{fingerprintOf("default", "up", "", "", nil, nil, nil), 0xe0e578fe0cc1d},
		{fingerprintOf("default", "http.server.request.duration", "otel", "1.2", attrsOf("service.name", "cart", "host.name", "a"), attrsOf("k", "v"), attrsOf("http.route", "/", "method", "GET")), 0x1ac9a2f462f5e6ee},
	} {
		if c.got != c.want {
			t.Errorf("%#x, want %#x", c.got, c.want)
		}
	}
}

func TestFingerprintOrder(t *testing.T) {
	attrs := attrsOf("a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
	want := fingerprintOf("t", "m", "s", "v", attrs, attrs, attrs)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		other := slices.Clone(attrs)
		rnd.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		if got := fingerprintOf("t", "m", "s", "v", other, other, other); got != want {
			t.Fatalf("the order %v makes another fingerprint", other)
		}
	}
}

func TestFingerprintTellsApart(t *testing.T) {
	a, c := attrsOf("a", "b"), attrsOf("c", "d")
	seen := map[uint64]int{}
	for i, f := range []uint64{
		fingerprintOf("t", "m", "s", "v", a, nil, c),
		fingerprintOf("u", "m", "s", "v", a, nil, c),
		fingerprintOf("m", "t", "s", "v", a, nil, c),
		fingerprintOf("t", "n", "s", "v", a, nil, c),
		fingerprintOf("t", "m", "v", "s", a, nil, c),
		fingerprintOf("t", "m", "s", "w", a, nil, c),
		fingerprintOf("t", "m", "s", "v", c, nil, a),
		fingerprintOf("t", "m", "s", "v", nil, a, c),
		fingerprintOf("t", "m", "s", "v", a, c, nil),
		fingerprintOf("t", "m", "s", "v", a, nil, nil),
		fingerprintOf("t", "m", "s", "v", a, nil, attrsOf("d", "c")),
		fingerprintOf("t", "m", "s", "v", a, nil, attrsOf("c", "d", "a", "b")),
		fingerprintOf("t", "m", "s", "v", attrsOf("a", "b", "c", "d"), nil, nil),
		fingerprintOf("t", "m", "s", "v", attrsOf("a", "d", "c", "b"), nil, nil),
		fingerprintOf("t", "m", "s", "v", attrsOf("a", "b", "a", "b"), nil, nil),
	} {
		if before, there := seen[f]; there {
			t.Errorf("series %d and %d have the same fingerprint", before, i)
		}
		seen[f] = i
	}
	// What is stored as the same text is the same label.
	text, number := fingerprintOf("t", "m", "", "", nil, nil, attrsOf("code", "200")),
		fingerprintOf("t", "m", "", "", nil, nil, []telemetry.Attr{{Key: "code", Value: telemetry.IntValue(200)}})
	if text != number {
		t.Error("200 and \"200\" are different labels")
	}
}

func TestSeriesCache(t *testing.T) {
	c := seriesCache{limit: 100}
	for key := range uint64(1000) {
		c.add(key)
		if !c.has(key) {
			t.Fatalf("%d is forgotten at once", key)
		}
		if !c.has(0) {
			t.Fatalf("0, which is asked for all the time, is forgotten after %d", key)
		}
		if n := c.young.size() + c.old.size(); n > 102 {
			t.Fatalf("%d keys are kept", n)
		}
	}
	if c.has(500) {
		t.Error("500 is still known")
	}
}
