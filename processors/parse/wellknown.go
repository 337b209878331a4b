package parse

import (
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/logtime"
)

// meaning is what a well-known field says of its record.
type meaning uint8

const (
	nothing meaning = iota
	levelMeaning
	traceMeaning
	spanMeaning
	datadogTrace
	datadogSpan
	traceparentMeaning
	timeMeaning
)

// wellKnown says what a field means by its path.
func wellKnown(key string) meaning {
	switch key {
	case "level", "Level", "LEVEL", "lvl", "severity", "Severity", "SEVERITY", "levelname", "level_name", "loglevel", "logLevel", "log_level", "log.level",
		"severity_text", "severityText", "@level", "@l":
		return levelMeaning
	case "trace_id", "traceId", "traceID", "TraceId", "traceid", "trace.id", "otelTraceID", "@tr", "logging.googleapis.com/trace":
		return traceMeaning
	case "span_id", "spanId", "spanID", "SpanId", "spanid", "span.id", "otelSpanID", "@sp", "logging.googleapis.com/spanId":
		return spanMeaning
	case "dd.trace_id":
		return datadogTrace
	case "dd.span_id":
		return datadogSpan
	case "traceparent":
		return traceparentMeaning
	case "time", "Time", "ts", "timestamp", "Timestamp", "@timestamp", "@t", "datetime", "eventTime", "asctime":
		return timeMeaning
	}
	return nothing
}

// take gives the record what a well-known field says, and reports whether it
// said something that the record did not know.
func (p *Processor) take(is meaning, text string, kind flatjson.Kind) bool {
	if is == nothing || kind != flatjson.String && kind != flatjson.Number {
		return false
	}
	r := &p.row
	switch is {
	case levelMeaning:
		if !r.wantSeverity || r.severity != 0 {
			return false
		}
		if r.severity = levelOf(text); r.severity != 0 {
			r.severityText = text
			return true
		}
		if n, ok := integer(text); ok {
			r.severity = levelNumber(n)
		}
		return r.severity != 0
	case traceMeaning, datadogTrace:
		return r.wantTrace && r.traceID.IsZero() && traceID(r.traceID[:], text, is == datadogTrace)
	case spanMeaning, datadogSpan:
		return r.wantTrace && r.spanID.IsZero() && spanID(r.spanID[:], text, is == datadogSpan)
	case traceparentMeaning:
		return r.wantTrace && r.traceID.IsZero() && len(text) >= 55 && text[35] == '-' && traceID(r.traceID[:], text[3:35], false) &&
			spanID(r.spanID[:], text[36:52], false)
	case timeMeaning:
		if !r.wantTime || r.time != 0 {
			return false
		}
		if at, ok := timeOf(text); ok && at >= r.from && at <= r.to {
			r.time = at
		}
		return r.time != 0
	}
	return false
}

// traceID reads 32 hexadecimal digits, or 16 of an older kind; Datadog's is a
// decimal number too. It reports whether dst is not zero then.
func traceID(dst []byte, text string, datadog bool) bool {
	// Google's has the name of a project in front.
	text = text[strings.LastIndexByte(text, '/')+1:]
	if datadog && len(text) <= 20 {
		return decimalID(dst[8:], text)
	}
	if len(text) == 16 {
		dst = dst[8:]
	}
	return hexID(dst, text)
}

func spanID(dst []byte, text string, datadog bool) bool {
	if datadog {
		return decimalID(dst, text)
	}
	return hexID(dst, text)
}

func decimalID(dst []byte, text string) bool {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return false
	}
	for i := range 8 {
		dst[i] = byte(n >> (56 - 8*i))
	}
	return true
}

// hexID fills dst, which stays as it is if the text is no id of its length.
func hexID(dst []byte, text string) bool {
	if len(text) != 2*len(dst) {
		return false
	}
	var id [16]byte
	var all, bad byte
	for i := range dst {
		high, low := hexDigits[text[2*i]], hexDigits[text[2*i+1]]
		id[i] = high<<4 | low
		all |= id[i]
		bad |= high | low
	}
	if all == 0 || bad > 15 {
		return false
	}
	copy(dst, id[:])
	return true
}

// hexDigits has the value of each digit, and 255 for other characters.
var hexDigits = func() (values [256]byte) {
	for c := range values {
		values[c] = 255
	}
	for i, c := range "0123456789abcdef" {
		values[c] = byte(i)
	}
	for i, c := range "ABCDEF" {
		values[c] = byte(10 + i)
	}
	return values
}()

// timeOf reads a time of RFC 3339, or a number since 1970 whose unit shows in
// its size. A time that does not say in which zone it is, is none.
func timeOf(text string) (int64, bool) {
	if at, zoned, ok := logtime.Zoned(text); ok {
		return at, zoned
	}
	digits := 0
	for digits < len(text) && text[digits]-'0' <= 9 {
		digits++
	}
	switch {
	case digits < 9 || digits > 19:
		return 0, false
	case digits <= 11:
		return logtime.Unix(text, 1e9)
	case digits <= 14:
		return logtime.Unix(text, 1e6)
	case digits <= 17:
		return logtime.Unix(text, 1e3)
	}
	return logtime.Unix(text, 1)
}
