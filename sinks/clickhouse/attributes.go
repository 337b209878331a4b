package clickhouse

import (
	"encoding/binary"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
)

// A selection picks the attributes that go to a column.
type selection func(*telemetry.Value) bool

// isNumber picks what a double holds exactly.
func isNumber(v *telemetry.Value) bool {
	return v.Kind == telemetry.KindDouble || v.Kind == telemetry.KindInt && exactInDouble(v.Int())
}

// isText picks everything else.
func isText(v *telemetry.Value) bool { return !isNumber(v) }

// exactInDouble reports whether a double can hold the integer.
func exactInDouble(i int64) bool {
	const limit = 1 << 53
	return -limit <= i && i <= limit
}

// number returns the value of an attribute that isNumber picked.
func number(v *telemetry.Value) float64 {
	if v.Kind == telemetry.KindInt {
		return float64(v.Int())
	}
	return v.Double()
}

// attributeMaps encodes a column Map(LowCardinality(String), String) of all
// attributes in a range.
func attributeMaps[T any](r *rows[T], s *shared, attrs func(*T) telemetry.Range) encoder {
	return func(dst []byte) []byte {
		dst, total := offsets(dst, r, func(row *T) int { return attrs(row).Len() })
		if total == 0 {
			return dst
		}
		s.words.reset(total)
		for _, i := range r.part {
			list := s.batch.AttrsOf(attrs(&r.all[i]))
			for n := range list {
				s.words.addNth(n, list[n].Key)
			}
		}
		dst = s.words.append(dst)
		for _, i := range r.part {
			list := s.batch.AttrsOf(attrs(&r.all[i]))
			for n := range list {
				dst = appendValue(dst, &s.scratch, &list[n].Value)
			}
		}
		return dst
	}
}

// labelMaps encodes a column Map(LowCardinality(String), String) of labels.
func labelMaps[T any](r *rows[T], words *dictionary, labels func(*T) []prometheus.Label) encoder {
	return func(dst []byte) []byte {
		dst, total := offsets(dst, r, func(row *T) int { return len(labels(row)) })
		if total == 0 {
			return dst
		}
		words.reset(total)
		for _, i := range r.part {
			for n, l := range labels(&r.all[i]) {
				words.addNth(n, l.Name)
			}
		}
		dst = words.append(dst)
		for _, i := range r.part {
			for _, l := range labels(&r.all[i]) {
				dst = appendText(dst, l.Value)
			}
		}
		return dst
	}
}

// selectedMaps is attributeMaps of the attributes that are selected. Values are
// appended by value.
func selectedMaps[T any](r *rows[T], s *shared, attrs func(*T) telemetry.Range, selected selection,
	value func(dst []byte, v *telemetry.Value) []byte,
) encoder {
	return func(dst []byte) []byte {
		dst, total := offsets(dst, r, func(row *T) int {
			list, n := s.batch.AttrsOf(attrs(row)), 0
			for i := range list {
				if selected(&list[i].Value) {
					n++
				}
			}
			return n
		})
		if total == 0 {
			return dst
		}
		s.words.reset(total)
		for _, i := range r.part {
			list := s.batch.AttrsOf(attrs(&r.all[i]))
			for n := range list {
				if selected(&list[n].Value) {
					s.words.addNth(n, list[n].Key)
				}
			}
		}
		dst = s.words.append(dst)
		for _, i := range r.part {
			list := s.batch.AttrsOf(attrs(&r.all[i]))
			for n := range list {
				if selected(&list[n].Value) {
					dst = value(dst, &list[n].Value)
				}
			}
		}
		return dst
	}
}

// textMaps encodes the attributes that are no numbers.
func textMaps[T any](r *rows[T], s *shared, attrs func(*T) telemetry.Range) encoder {
	return selectedMaps(r, s, attrs, isText, func(dst []byte, v *telemetry.Value) []byte {
		return appendValue(dst, &s.scratch, v)
	})
}

// numberMaps encodes the attributes that are numbers, as
// Map(LowCardinality(String), Float64).
func numberMaps[T any](r *rows[T], s *shared, attrs func(*T) telemetry.Range) encoder {
	return selectedMaps(r, s, attrs, isNumber, func(dst []byte, v *telemetry.Value) []byte {
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(number(v)))
	})
}
