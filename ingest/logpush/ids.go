package logpush

import (
	"encoding/hex"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// TraceID reads a trace id in hexadecimal. It reports false where the text is none.
func TraceID(text []byte) (id telemetry.TraceID, ok bool) {
	ok = decodeID(id[:], text)
	return id, ok && !id.IsZero()
}

// SpanID does that for a span id.
func SpanID(text []byte) (id telemetry.SpanID, ok bool) {
	ok = decodeID(id[:], text)
	return id, ok && !id.IsZero()
}

func decodeID(id, text []byte) bool {
	if len(text) != 2*len(id) {
		return false
	}
	_, err := hex.Decode(id, text)
	return err == nil
}
