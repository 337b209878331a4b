package shop

import (
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// emitLine encodes an application's log record. A line without a message is
// the report of the span's exception.
func (s *Shop) emitLine(v *visit, l *line) {
	sp := &v.spans[l.span]
	at := v.base + l.at + s.effects.skew[sp.instance.host.index]
	out, parcel := s.open(sp.instance.source, logsSignal, logsSignal, 1)
	b, mark := encode.Open(parcel.body, 2)
	var severity uint8
	if l.message != nil {
		severity = l.message.severity
	} else {
		severity = sp.failure.severity
	}
	b = openLog(b, at, severity)
	if l.message != nil {
		s.text = l.message.body.append(s.text[:0], v, sp)
		b = encode.Body(b, 5, s.text)
		b = append(b, l.message.static...)
		for _, f := range l.message.fields {
			b = s.appendAttr(b, 6, f, v, sp)
		}
	} else {
		s.text = append(append(s.text[:0], sp.operation.name...), ": "...)
		s.text = sp.failure.message.append(s.text, v, sp)
		b = encode.Body(b, 5, s.text)
		b = s.appendExceptionAttributes(b, 6, v, sp)
	}
	b = encode.Fixed32(b, 8, 1)
	trace, id := v.trace.bytes(), spanBytes(sp.id)
	b = encode.Bytes(b, 9, trace[:])
	b = encode.Bytes(b, 10, id[:])
	s.shut(out, parcel, encode.Close(b, mark), 1)
}

// openLog appends what every log record begins with. Lines are read a moment
// after they are written.
func openLog(b []byte, at int64, severity uint8) []byte {
	b = encode.Fixed64(b, 1, uint64(at))
	b = encode.Uint(b, 2, uint64(severity))
	b = encode.Bytes(b, 3, severityTexts[severity])
	return encode.Fixed64(b, 11, uint64(at+180e3))
}

// emitEvent encodes a log record that no trace causes: a change, a crash.
func (s *Shop) emitEvent(src *source, at int64, severity uint8, event, body string, attributes ...string) {
	at += s.effects.skew[src.host.index]
	out, parcel := s.open(src, logsSignal, logsSignal, 1)
	b, mark := encode.Open(parcel.body, 2)
	b = openLog(b, at, severity)
	b = encode.Body(b, 5, body)
	for i := 0; i+1 < len(attributes); i += 2 {
		b = encode.StringAttr(b, 6, attributes[i], attributes[i+1])
	}
	if event != "" {
		b = encode.Bytes(b, 12, event)
	}
	s.shut(out, parcel, encode.Close(b, mark), 1)
}

// access is one line of an access log.
type access struct {
	at       int64 // when the answer was complete
	address  string
	agent    string
	referrer string
	method   string
	path     string
	query    string
	status   int32
	size     int64
	duration int64
	trace    traceID
	span     uint64
}

// emitAccess encodes a line of a web server's access log.
func (s *Shop) emitAccess(in *instance, a *access) {
	in.state.requests++
	in.state.bytes += a.size
	at := a.at + s.effects.skew[in.host.index]
	out, parcel := s.open(in.source, logsSignal, accessScope, 1)
	b, mark := encode.Open(parcel.body, 2)
	b = openLog(b, at, severityInfo)
	s.text = s.appendCombined(s.text[:0], a, at)
	b = encode.Body(b, 5, s.text)
	b = encode.StringAttr(b, 6, "http.request.method", a.method)
	b = encode.StringAttr(b, 6, "url.path", a.path)
	if a.query != "" {
		b = encode.StringAttr(b, 6, "url.query", a.query)
	}
	b = encode.IntAttr(b, 6, "http.response.status_code", int64(a.status))
	b = encode.IntAttr(b, 6, "http.response.body.size", a.size)
	b = encode.DoubleAttr(b, 6, "http.server.request.duration", float64(a.duration/1e6)/1e3)
	b = encode.StringAttr(b, 6, "client.address", a.address)
	b = encode.StringAttr(b, 6, "user_agent.original", a.agent)
	if a.referrer != "-" {
		b = encode.StringAttr(b, 6, "http.request.header.referer", a.referrer)
	}
	b = encode.StringAttr(b, 6, "server.address", "shop.example.com")
	b = encode.StringAttr(b, 6, "log.file.path", "/var/log/nginx/access.log")
	if a.span != 0 {
		trace, id := a.trace.bytes(), spanBytes(a.span)
		b = encode.Bytes(b, 9, trace[:])
		b = encode.Bytes(b, 10, id[:])
	}
	s.shut(out, parcel, encode.Close(b, mark), 1)
}

// appendCombined appends a line in the combined log format.
func (s *Shop) appendCombined(b []byte, a *access, at int64) []byte {
	b = append(b, a.address...)
	b = append(b, " - - ["...)
	b = s.clf.append(b, at)
	b = append(b, `] "`...)
	b = append(b, a.method...)
	b = append(append(b, ' '), a.path...)
	if a.query != "" {
		b = append(append(b, '?'), a.query...)
	}
	b = append(b, ` HTTP/1.1" `...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = strconv.AppendInt(append(b, ' '), a.size, 10)
	b = append(append(b, ` "`...), a.referrer...)
	b = append(append(b, `" "`...), a.agent...)
	return append(b, '"')
}

// clfClock renders times as access logs do, and remembers the last second.
type clfClock struct {
	second int64
	text   []byte
}

func (c *clfClock) append(b []byte, at int64) []byte {
	if second := at / int64(time.Second); second != c.second || c.text == nil {
		c.second = second
		c.text = time.Unix(second, 0).UTC().AppendFormat(c.text[:0], "02/Jan/2006:15:04:05 -0700")
	}
	return append(b, c.text...)
}
