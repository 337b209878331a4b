package sentry

import "github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"

// decodeLogs makes log records of an item of structured logs.
func (d *decoder) decodeLogs(payload []byte) error {
	d.begin(payload)
	return d.object(func(key []byte) error {
		if string(key) != "items" {
			return d.Skip()
		}
		return d.array(d.readLog)
	})
}

// readLog reads one log.
func (d *decoder) readLog() error {
	d.record.Clear()
	d.client = client{sdkName: d.header.sdkName, sdkVersion: d.header.sdkVersion}
	var (
		r              logwriter.Record
		at             uint64
		level, message []byte
		trace, span    []byte
		number         []byte
	)
	err := d.object(func(key []byte) error {
		switch string(key) {
		case "timestamp":
			return d.timeIn(&at)
		case "trace_id":
			return d.textIn(&trace)
		case "span_id":
			return d.textIn(&span)
		case "level", "severity_text":
			return d.textIn(&level)
		case "severity_number":
			return d.textIn(&number)
		case "body":
			if d.Peek() == '{' { // as in OTLP
				return d.Object(func([]byte) error { return d.textIn(&message) })
			}
			return d.textIn(&message)
		case "attributes":
			return d.typed(&d.record, d.special)
		}
		return d.Skip()
	})
	if err != nil {
		return err
	}
	r.Severity = severities[string(level)]
	if n := len(number); n == 1 || n == 2 && (number[0] == '1' || number[0] == '2') {
		value := byte(0)
		for _, c := range number {
			value = value*10 + c - '0'
		}
		if value <= 24 {
			r.Severity = value
		}
	}
	idIn(r.TraceID[:], trace)
	idIn(r.SpanID[:], span)
	r.Time, r.SeverityText, r.Body, r.Attributes = int64(at), view(shortened(level, maxKey)), shortened(message, maxBody), d.record.Encoded()
	d.logs.add(d.encodedResource(), &r)
	if d.out.Full() {
		return errFull
	}
	return nil
}
