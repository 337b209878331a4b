package otlp

import (
	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// PartitionOfTrace returns the partition of the spans of a trace: FNV-1a of the
// trace id in lower-case hexadecimal, as the hash partitioners of kafka-go and
// Sarama compute it. So it is the partition that the Kafka exporter of an
// OpenTelemetry Collector chooses when it has the trace id as the key.
func PartitionOfTrace(id telemetry.TraceID, partitions int) int {
	if partitions < 2 {
		return 0
	}
	const (
		offset = 2166136261
		prime  = 16777619
		digits = "0123456789abcdef"
	)
	h := uint32(offset)
	for _, c := range id {
		h = (h ^ uint32(digits[c>>4])) * prime
		h = (h ^ uint32(digits[c&15])) * prime
	}
	p := int32(h) % int32(partitions)
	if p < 0 {
		p = -p
	}
	return int(p)
}

// resourcePartition returns the partition of the rows of the current resource.
func (w *walker) resourcePartition() int32 {
	if w.partitions < 2 {
		return 0
	}
	return int32(w.hash % uint64(w.partitions))
}

// hashAttributes returns the sum of the hashes of the attributes of a Resource,
// as they are encoded: the order in which a sender lists them does not matter.
// It stops where the resource is broken, which is found elsewhere.
func hashAttributes(buf []byte, pos int) (sum uint64) {
	for pos >= 0 && pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		if next < 0 {
			break
		}
		if tag != 1<<3|wire.LengthType {
			pos = skip(buf, next, tag)
			continue
		}
		start, end := wire.Extent(buf, next)
		if end < 0 {
			break
		}
		sum += xxh3.Hash(buf[start:end])
		pos = end
	}
	return sum
}

// PartitionOfResource returns the partition of the logs and metrics of a
// resource, for who makes requests that are cut already: resource is an encoded
// Resource.
func PartitionOfResource(resource []byte, partitions int) int {
	if partitions < 2 {
		return 0
	}
	return int(hashAttributes(resource, 0) % uint64(partitions))
}
