package otlp

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// group returns groups inside each other, that deep.
func group(depth int) []byte {
	var p []byte
	for i := range depth {
		p = protowire.AppendTag(p, protowire.Number(i+100), protowire.StartGroupType)
	}
	for i := depth - 1; i >= 0; i-- {
		p = protowire.AppendTag(p, protowire.Number(i+100), protowire.EndGroupType)
	}
	return p
}

func TestSkip(t *testing.T) {
	field := func(typ protowire.Type, p ...byte) []byte {
		return append(protowire.AppendTag(nil, 100, typ), p...)
	}
	for name, c := range map[string]struct {
		p  []byte
		ok bool
	}{
		"varint":                    {field(protowire.VarintType, 0xff, 1), true},
		"varint, cut off":           {field(protowire.VarintType, 0xff), false},
		"fixed64":                   {field(protowire.Fixed64Type, 1, 2, 3, 4, 5, 6, 7, 8), true},
		"fixed64, cut off":          {field(protowire.Fixed64Type, 1, 2, 3, 4, 5, 6, 7), false},
		"fixed32":                   {field(protowire.Fixed32Type, 1, 2, 3, 4), true},
		"fixed32, cut off":          {field(protowire.Fixed32Type, 1, 2, 3), false},
		"length":                    {field(protowire.BytesType, 1, 2), true},
		"length, cut off":           {field(protowire.BytesType, 2, 2), false},
		"group":                     {group(1), true},
		"groups, as deep as may be": {group(maxGroups), true},
		"groups, deeper":            {group(maxGroups + 1), false},
		"groups, a million deep":    {group(1_000_000), false},
		"group without an end":      {group(3)[:8], false},
		"end without a group":       {field(protowire.EndGroupType), false},
		"group, another's end":      {append(group(1)[:2], protowire.AppendTag(nil, 101, protowire.EndGroupType)...), false},
		"group, field number 0":     {append(group(1)[:2], 0, 0), false},
		"wire type 6":               {field(6, 1, 2, 3, 4, 5, 6, 7, 8), false},
		"wire type 7":               {field(7, 1, 2, 3, 4, 5, 6, 7, 8), false},
	} {
		tag, pos := wire.Uvarint(c.p, 0)
		next := skip(c.p, pos, tag)
		if c.ok && next != len(c.p) || !c.ok && next != -1 {
			t.Errorf("%s: %d of %d", name, next, len(c.p))
		}
	}
}
