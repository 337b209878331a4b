package loki

import (
	"errors"
	"fmt"
	"math"

	"github.com/goshawk-observability/goshawk/ingest/logpush"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// protoDecoder reads a logproto.PushRequest.
type protoDecoder struct {
	stateless
	labels, metadata []label
}

var errNoProto = errors.New("the body is no PushRequest in protobuf")

// Decode implements [logpush.Decoder].
func (d *protoDecoder) Decode(s *logpush.Splitter, body []byte, received int64) error {
	records := 0
	fields := wire.FieldsOf(body)
	for fields.Next() {
		if fields.Tag != 1<<3|wire.LengthType { // streams
			fields.Skip(1 << 1)
			continue
		}
		if err := d.stream(s, fields.Bytes(), received, &records); err != nil {
			return err
		}
	}
	if fields.Broken() {
		return errNoProto
	}
	return nil
}

// Reset implements [logpush.Decoder].
func (d *protoDecoder) Reset() {
	clear(d.labels)
	clear(d.metadata)
	d.labels, d.metadata = d.labels[:0], d.metadata[:0]
}

func (d *protoDecoder) stream(s *logpush.Splitter, message []byte, received int64, records *int) error {
	d.labels = d.labels[:0]
	labels := wire.FieldsOf(message)
	for labels.Next() {
		if labels.Tag != 1<<3|wire.LengthType {
			labels.Skip(1 << 1)
			continue
		}
		var err error
		if d.labels, err = parseLabels(d.labels[:0], string(labels.Bytes())); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	if labels.Broken() {
		return errNoProto
	}
	severity := stream(s, d.labels)
	entries := wire.FieldsOf(message)
	for entries.Next() {
		if entries.Tag != 2<<3|wire.LengthType {
			entries.Skip(1 << 2)
			continue
		}
		if err := d.entry(s, entries.Bytes(), received, severity, *records); err != nil {
			return err
		}
		*records++
	}
	if entries.Broken() {
		return errNoProto
	}
	return nil
}

func (d *protoDecoder) entry(s *logpush.Splitter, message []byte, received int64, severity uint8, index int) error {
	d.metadata = d.metadata[:0]
	var line []byte
	var seconds, nanos int64
	broken := false
	fields := wire.FieldsOf(message)
	for fields.Next() {
		switch fields.Tag {
		case 1<<3 | wire.LengthType:
			at := wire.FieldsOf(fields.Bytes())
			for at.Next() {
				switch at.Tag {
				case 1<<3 | wire.VarintType:
					seconds = int64(at.Varint()) //nolint:gosec // as protobuf has int64
				case 2<<3 | wire.VarintType:
					nanos = int64(at.Varint()) //nolint:gosec // as protobuf has int32
				default:
					at.Skip(1<<1 | 1<<2)
				}
			}
			broken = broken || at.Broken()
		case 2<<3 | wire.LengthType:
			line = fields.Bytes()
		case 3<<3 | wire.LengthType:
			var l label
			pair := wire.FieldsOf(fields.Bytes())
			for pair.Next() {
				switch pair.Tag {
				case 1<<3 | wire.LengthType:
					l.name = pair.Bytes()
				case 2<<3 | wire.LengthType:
					l.value = pair.Bytes()
				default:
					pair.Skip(1<<1 | 1<<2)
				}
			}
			broken = broken || pair.Broken()
			d.metadata = append(d.metadata, l)
		default:
			fields.Skip(1<<1 | 1<<2 | 1<<3)
		}
	}
	if broken || fields.Broken() {
		return errNoProto
	}
	if seconds < 0 || nanos < 0 || nanos >= 1e9 || seconds > math.MaxInt64/int64(1e9)-1 {
		s.Reject(index, otlp.ReasonMalformed, "the time is out of range")
		return nil
	}
	if !entry(s, seconds*1e9+nanos, received, line, severity, d.metadata) {
		return logpush.ErrFull
	}
	return nil
}
