package otlp

import "github.com/goshawk-observability/goshawk/telemetry/wire"

// maxGroups bounds the nesting of groups, which are only ever skipped.
const maxGroups = 64

// skip returns the position after the field whose tag ended at pos, -1 where
// the field is broken.
func skip(buf []byte, pos int, tag uint64) int {
	switch tag & 7 {
	case wire.VarintType:
		_, next := wire.Uvarint(buf, pos)
		return next
	case wire.Fixed64Type:
		_, next := wire.Fixed64(buf, pos)
		return next
	case wire.LengthType:
		_, end := wire.Extent(buf, pos)
		return end
	case wire.GroupType:
		return skipGroup(buf, pos, tag>>3)
	case wire.Fixed32Type:
		_, next := wire.Fixed32(buf, pos)
		return next
	}
	return -1
}

// skipGroup skips a group without recursion, so that no nesting can exhaust the
// stack. Every end must have the number of its start.
func skipGroup(buf []byte, pos int, number uint64) int {
	var open [maxGroups]uint64
	open[0] = number
	depth := 1
	for depth > 0 {
		tag, next := wire.Uvarint(buf, pos)
		if next < 0 || tag>>3 == 0 || tag>>3 > wire.MaxFieldNumber {
			return -1
		}
		switch tag & 7 {
		case wire.GroupType:
			if depth == maxGroups {
				return -1
			}
			open[depth] = tag >> 3
			depth++
			pos = next
		case wire.EndType:
			depth--
			if open[depth] != tag>>3 {
				return -1
			}
			pos = next
		default:
			if pos = skip(buf, next, tag); pos < 0 {
				return -1
			}
		}
	}
	return pos
}
