package clickhouse

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// A fingerprint is the identity of a series: a 64-bit hash of tenant, metric
// name, resource attributes, scope (name, version, attributes) and point
// attributes. It is the same in every process and every version of goshawk, and
// does not depend on the order of attributes.
//
// With h the XXH3 hash of 64 bits without seed, of a text's UTF-8 bytes:
//
//	pair(k, v)  = mix(h(k), h(v))            v is the text that is stored
//	set(attrs)  = sum of pair over attrs, modulo 2^64
//	scope       = mix(mix(h(name), h(version)), set(scope attributes))
//	all         = mix(mix(mix(mix(h(tenant), h(metric)), set(resource)), scope), set(point))
//	fingerprint = the first 12 bits of set(resource), then the last 52 of all
//
// mix is not symmetric, so the same attribute at another level makes another
// series. The first bits put the series of a resource next to each other in a
// table, so that a query about one host reads little of the others.

// nearBits are the bits of a fingerprint that all series of a resource share.
const nearBits uint64 = 0xfff << 52

// mix combines two hashes into one.
func mix(a, b uint64) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03 // odd constants, fixed for ever
	hi, lo := bits.Mul64(a^k0, bits.RotateLeft64(b, 32)^k1)
	x := hi ^ lo ^ a*k1 ^ b*k0
	x ^= x >> 32
	x *= k0
	return x ^ x>>29
}

// attributeSet hashes attributes whatever their order.
func attributeSet(attrs []telemetry.Attr, scratch *[]byte) uint64 {
	var sum uint64
	for i := range attrs {
		text := attrs[i].Value.Str
		if attrs[i].Value.Kind != telemetry.KindString {
			*scratch = otlp.AppendText((*scratch)[:0], &attrs[i].Value)
			text = view(*scratch)
		}
		sum += mix(xxh3.HashString(attrs[i].Key), xxh3.HashString(text))
	}
	return sum
}

// prepareMetrics hashes what points share, and ranks metrics by tenant and name.
func (s *shared) prepareMetrics() {
	b := s.batch
	s.metrics = s.metrics[:0]
	if len(b.Metrics) == 0 {
		return
	}
	for i := range b.Resources {
		s.resources[i].hash = attributeSet(b.AttrsOf(b.Resources[i].Attrs), &s.scratch)
	}
	for i := range b.Scopes {
		sc := &b.Scopes[i]
		s.scopes[i].hash = mix(mix(xxh3.HashString(sc.Name), xxh3.HashString(sc.Version)),
			attributeSet(b.AttrsOf(sc.Attrs), &s.scratch))
	}
	for i := range b.Metrics {
		m := &b.Metrics[i]
		r := &s.resources[m.Resource]
		name := mix(xxh3.HashString(r.tenant), xxh3.HashString(m.Name))
		prefix := mix(mix(name, r.hash), s.scopes[m.Scope].hash)
		kind := uint64(m.Kind)<<16 | uint64(m.Temporality)<<8 | uint64(boolByte(m.Monotonic))
		meta := mix(mix(xxh3.HashString(m.Unit), xxh3.HashString(m.Description)),
			mix(attributeSet(b.AttrsOf(m.Metadata), &s.scratch), kind))
		s.metrics = append(s.metrics, metric{name: name, prefix: prefix, near: r.hash & nearBits, meta: meta})
	}
	s.rankMetrics()
}

// rankMetrics numbers the metrics by tenant and name. A block has many metrics
// of few names, so only the names are sorted.
func (s *shared) rankMetrics() {
	metrics := s.batch.Metrics
	tenantOf := func(i uint32) string { return s.resources[metrics[i].Resource].tenant }
	same := func(x, y uint32) bool { return metrics[x].Name == metrics[y].Name && tenantOf(x) == tenantOf(y) }
	if s.names == nil {
		s.names = map[uint64]uint32{}
	}
	clear(s.names)
	s.ranked = s.ranked[:0]
	for i := range s.metrics {
		m := &s.metrics[i]
		// Another name of the same hash is looked for one further on.
		for key := m.name; ; key++ {
			n, known := s.names[key]
			if !known {
				n = uint32(len(s.ranked))
				s.names[key] = n
				s.ranked = append(s.ranked, uint32(i))
			}
			if m.rank = n; !known || same(s.ranked[n], uint32(i)) {
				break
			}
		}
	}
	first := s.ranked
	s.byName = s.byName[:0]
	for n := range first {
		s.byName = append(s.byName, uint32(n))
	}
	slices.SortFunc(s.byName, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(tenantOf(first[x]), tenantOf(first[y])), cmp.Compare(metrics[first[x]].Name, metrics[first[y]].Name))
	})
	// What was the first metric of a name becomes the rank of the name.
	for rank, n := range s.byName {
		first[n] = uint32(rank)
	}
	for i := range s.metrics {
		s.metrics[i].rank = first[s.metrics[i].rank]
	}
}
