package tables

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Offsets has the offset of each partition of a topic up to which everything is
// known; of a partition that is not there nothing is.
type Offsets map[uint32]uint64

// Least returns the lesser offset of every partition that both have; nil stands
// for having all. It may change its receiver.
func (o Offsets) Least(other Offsets) Offsets {
	if o == nil {
		return maps.Clone(other)
	}
	for p := range o {
		if offset, ok := other[p]; ok {
			o[p] = min(o[p], offset)
		} else {
			delete(o, p)
		}
	}
	return o
}

// Beyond returns the condition that a row of the ledger is about a block that is
// not known, in a form that the order of the table serves.
func (o Offsets) Beyond() string {
	var either, known []string
	for _, p := range slices.Sorted(maps.Keys(o)) {
		known = append(known, fmt.Sprint(p))
		either = append(either, fmt.Sprintf("kafka_partition = %d AND from_offset >= %d", p, o[p]))
	}
	if len(known) == 0 {
		return "1"
	}
	return "(" + strings.Join(either, " OR ") + " OR kafka_partition NOT IN (" + strings.Join(known, ", ") + "))"
}

// RollupDay returns an expression, of the type Int64: the number of the day,
// counted from 1970-01-01, whose windows the time in a column is in.
func RollupDay(column string) string {
	return fmt.Sprintf("toInt64(intDiv(toUnixTimestamp64Nano(%s) - 1000000, 86400000000000))", column)
}
