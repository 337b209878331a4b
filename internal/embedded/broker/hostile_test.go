package broker_test

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
)

// hostile is a source of requests that no honest client sends.
type hostile struct {
	*rand.Rand
	names []string
}

func newHostile(seed uint64) *hostile {
	return &hostile{rand.New(rand.NewPCG(seed, 1)), []string{"", "topic", "group", "other", ".", "..", "a/b", "\x00", "é", "goshawk_state", "consumer", "range", "m"}}
}

// value fills v with something that decodes but need not make sense.
func (h *hostile) value(v reflect.Value, depth int) {
	numbers := []int64{0, 1, -1, 2, 3, 4, 7, 100, math.MaxInt8, math.MaxInt16, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(h.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(numbers[h.IntN(len(numbers))])
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(numbers[h.IntN(len(numbers))]))
	case reflect.Float64:
		v.SetFloat(h.NormFloat64())
	case reflect.String:
		v.SetString(h.names[h.IntN(len(h.names))])
	case reflect.Pointer:
		if h.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			h.value(v.Elem(), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(h.Uint64() & 0xff)
		}
	case reflect.Slice:
		n := h.IntN(4)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, h.IntN(80))
			for i := range b {
				b[i] = byte(h.Uint32())
			}
			v.SetBytes(b)
			return
		}
		if depth > 6 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			h.value(v.Index(i), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Version" && f.Name != "UnknownTags" {
				h.value(v.Field(i), depth+1)
			}
		}
	}
}

// header returns the bytes of a request before its body.
func header(key, version int16, flexible bool) []byte {
	b := make([]byte, 4, 64)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 7)
	b = append(b, 0, 1, 'h')
	if flexible {
		b = append(b, 0)
	}
	return b
}

func sized(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// request makes a request that decodes; what it asks for is arbitrary.
func (h *hostile) request() []byte {
	for {
		key := int16(h.IntN(93))
		req := kmsg.RequestForKey(key)
		versions, served := broker.ServedVersions()[key]
		if req == nil || !served && h.IntN(20) > 0 {
			continue
		}
		if !served || h.IntN(50) == 0 {
			versions = [2]int16{0, req.MaxVersion()}
		}
		req.SetVersion(versions[0] + int16(h.IntN(int(versions[1]-versions[0])+1)))
		h.value(reflect.ValueOf(req).Elem(), 0)
		if produce, ok := req.(*kmsg.ProduceRequest); ok {
			for i := range produce.Topics {
				for j := range produce.Topics[i].Partitions {
					produce.Topics[i].Partitions[j].Records = h.records()
				}
			}
		}
		if fetch, ok := req.(*kmsg.FetchRequest); ok && h.IntN(2) == 0 {
			fetch.MaxWaitMillis = 1
		}
		return sized(req.AppendTo(header(key, req.GetVersion(), req.IsFlexible())))
	}
}

// records makes the bytes of a batch whose fields are arbitrary.
func (h *hostile) records() []byte {
	var batch kmsg.RecordBatch
	h.value(reflect.ValueOf(&batch).Elem(), 0)
	batch.Magic = 2
	if h.IntN(2) == 0 {
		batch.LastOffsetDelta = batch.NumRecords - 1
	}
	encoded := batch.AppendTo(nil)
	if h.IntN(4) > 0 {
		binary.BigEndian.PutUint64(encoded, 0)
		binary.BigEndian.PutUint32(encoded[8:], uint32(len(encoded)-12))
		binary.BigEndian.PutUint32(encoded[17:], crc32.Checksum(encoded[21:], crc32.MakeTable(crc32.Castagnoli)))
		if h.IntN(4) > 0 {
			return encoded
		}
	}
	return encoded[:len(encoded)-h.IntN(2)*h.IntN(len(encoded))]
}

// mutate damages a request: bytes changed, cut or announced wrongly.
func (h *hostile) mutate(b []byte) []byte {
	for range 1 + h.IntN(4) {
		switch h.IntN(4) {
		case 0:
			b[4+h.IntN(len(b)-4)] = byte(h.Uint32())
		case 1:
			b = b[:4+max(1, h.IntN(len(b)-4))]
		case 2:
			at := 4 + h.IntN(len(b)-4)
			b = append(b[:at:at], append([]byte{0xff, 0xff, 0xff, 0x7f}, b[at:]...)...)
		case 3:
			b[4+h.IntN(min(4, len(b)-4))] = byte(h.Uint32())
		}
	}
	sized(b)
	if h.IntN(8) == 0 {
		b[h.IntN(4)] = byte(h.Uint32())
	}
	return b
}
