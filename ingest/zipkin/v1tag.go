package zipkin

import (
	"math"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// tag adds a tag of the first version, whose value has a type.
func (v *v1) tag(s *spanwriter.Splitter, c *common, b *binaryAnnotation) {
	switch b.kind {
	case isText:
		if len(b.value) == 0 && string(b.key) == "lc" {
			return // marks a span of the service itself
		}
		c.tag(s, b.key, b.value)
	case isBool:
		switch {
		case string(b.key) != "error":
			s.Attributes.Bool(b.key, b.number != 0)
		case b.number != 0:
			c.failed = true
		}
	case isInt:
		s.Attributes.Int(b.key, int64(b.number))
	case isDouble:
		s.Attributes.Double(b.key, math.Float64frombits(b.number))
	case isBytes:
		s.Attributes.Bytes(b.key, b.value)
	case isNothing:
	}
}
