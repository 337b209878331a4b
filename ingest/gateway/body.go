package gateway

import (
	"io"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// bodies reads what requests hold, over any protocol.
type bodies struct {
	memory   *memory
	decoders *decoders
	metrics  *metrics
	max      int64 // bytes as they are sent
}

// read reads a body to its end and undoes its encoding. Declared is the length
// that the sender announced, -1 without one; what names the body in messages.
// The caller releases the buffer.
func (b *bodies) read(r io.Reader, declared int64, enc encoding, over protocol, signal telemetry.Signal, what string) (*buffer, error) {
	limit := b.max
	if enc == identity {
		limit = min(limit, b.decoders.limit)
	}
	body, err := b.memory.readAll(r, declared, limit, what)
	if err != nil {
		return nil, err
	}
	b.metrics.received[over][signal].Add(float64(len(body.bytes)))
	if enc != identity {
		plain, err := b.decoders.decode(enc, body.bytes)
		body.release()
		if err != nil {
			return nil, err
		}
		body = plain
	}
	b.metrics.bodies[over][signal].Add(float64(len(body.bytes)))
	return body, nil
}
