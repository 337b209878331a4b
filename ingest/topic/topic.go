// Package topic is both ends of Kafka: the gateway's producer of telemetry
// records, and the source from which pipelines take them, block by block and
// exactly once.
//
// A record's value is a serialized Export{Logs,Trace,Metrics}ServiceRequest, so
// that any OpenTelemetry collector can read and write the topics. What goshawk
// knows beyond that is in the record's headers; a record without them, written
// by somebody else, is as welcome.
//
// This package must not know what is inside a value: that is telemetry/otlp.
package topic

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// The headers of a record. They are a public contract: see docs/formats.
const (
	// HeaderTenant is the tenant's name.
	HeaderTenant = "goshawk-tenant"
	// HeaderBatchID is the BatchID, 16 bytes.
	HeaderBatchID = "goshawk-batch-id"
	// HeaderReceived is when the gateway received the request: Unix
	// nanoseconds, 8 bytes, big endian.
	HeaderReceived = "goshawk-received"
	// HeaderEvents is the number of events in the value, 8 bytes, big endian.
	HeaderEvents = "goshawk-events"
	// HeaderIdle marks a record without a value that says that nothing came for
	// its partition before it was received. What the header holds does not matter.
	HeaderIdle = "goshawk-idle"
)

// BatchID identifies what one record holds. The parts of a request that is sent
// again have the same ids, on the same partitions.
type BatchID [16]byte

// IsZero reports whether there is no id.
func (id BatchID) IsZero() bool { return id == BatchID{} }

// RequestID hashes a tenant's request: body is the decompressed body as it came.
func RequestID(tenant string, body []byte) BatchID {
	return xxh3.Hash128Seed(body, xxh3.HashString(tenant)).Bytes()
}

// Part returns the id of one part of the request.
func (id BatchID) Part(index int) BatchID {
	low := binary.LittleEndian.Uint64(id[8:])
	mixed := xxh3.Hash128Seed(id[:], low^uint64(index)*0x9E3779B97F4A7C15+1)
	return mixed.Bytes()
}

// Part is one record to produce.
type Part struct {
	Topic     string
	Partition int32
	// Value must not change until Produce returns.
	Value   []byte
	Tenant  string
	BatchID BatchID
	// Received is when the request came, Unix nanoseconds.
	Received int64
	// Events is the number of events in Value.
	Events int64
	// Key is the record's key; most have none.
	Key []byte
	// Headers are further headers.
	Headers []kafka.Header
}

// partHeaders is the memory of one part's headers.
type partHeaders struct {
	list    [4]kafka.Header
	id      BatchID
	numbers [16]byte
}

// headers returns the part's headers. Tenant strings are small and repeat, so
// their bytes come from the caller's cache.
func (p *Part) headers(memory *partHeaders, tenant []byte) []kafka.Header {
	memory.id = p.BatchID
	binary.BigEndian.PutUint64(memory.numbers[:], uint64(p.Received))
	binary.BigEndian.PutUint64(memory.numbers[8:], uint64(p.Events))
	memory.list = [4]kafka.Header{
		{Key: HeaderTenant, Value: tenant},
		{Key: HeaderBatchID, Value: memory.id[:]},
		{Key: HeaderReceived, Value: memory.numbers[:8]},
		{Key: HeaderEvents, Value: memory.numbers[8:]},
	}
	if len(p.Headers) == 0 {
		return memory.list[:]
	}
	return append(memory.list[:len(memory.list):len(memory.list)], p.Headers...)
}

// envelope is what the headers of a record say. A record with a header that is
// not what it should be was written by somebody else, and is taken as if it had
// none of them.
type envelope struct {
	tenant   []byte // a view
	id       BatchID
	received int64 // 0 where nobody said
	events   int64 // -1 where nobody said
	idle     bool
}

// maxDeclared bounds the events that a header may declare; a value is at most
// some megabytes.
const maxDeclared = 1 << 32

func readEnvelope(r *kafka.FetchedRecord) envelope {
	e := envelope{events: -1}
	good := true
	r.Headers(func(key, value []byte) bool {
		switch string(key) {
		case HeaderTenant:
			e.tenant = value
			good = good && telemetry.ValidTenant(string(value))
		case HeaderBatchID:
			if good = good && len(value) == len(e.id); good {
				copy(e.id[:], value)
			}
		case HeaderReceived:
			if good = good && len(value) == 8; good {
				e.received = int64(binary.BigEndian.Uint64(value))
				good = e.received > 0
			}
		case HeaderEvents:
			if good = good && len(value) == 8; good {
				e.events = int64(binary.BigEndian.Uint64(value))
				good = e.events >= 0 && e.events < maxDeclared
			}
		case HeaderIdle:
			e.idle = true
		}
		return good
	})
	if !good {
		return envelope{events: -1}
	}
	return e
}
