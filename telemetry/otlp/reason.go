package otlp

import (
	"fmt"
	"time"
)

// The reason codes: why a part of a request was rejected. They are the values
// of the reason label of metrics and of Reject.ReasonCode.
const (
	// ReasonMalformed: the bytes are not the protobuf message they should be.
	ReasonMalformed = "malformed"
	// ReasonAttributes: a list of attributes or a map has too many entries.
	ReasonAttributes = "too_many_attributes"
	// ReasonDepth: arrays and maps are nested too deeply.
	ReasonDepth = "too_deep"
	// ReasonValue: a key or a string is too long.
	ReasonValue = "value_too_long"
	// ReasonFuture: the time is too far after the time of receipt.
	ReasonFuture = "time_in_future"
	// ReasonAge: the time is too long before the time of receipt.
	ReasonAge = "time_too_old"
	// ReasonTraceID: a span's trace id is missing, zero or of a wrong length.
	ReasonTraceID = "invalid_trace_id"
	// ReasonSpanID: a span's id is missing, zero or of a wrong length.
	ReasonSpanID = "invalid_span_id"
	// ReasonBuckets: a histogram's bucket counts do not fit its bounds.
	ReasonBuckets = "bucket_mismatch"
	// ReasonRecord: one row with its resource and scope exceeds a Kafka record.
	ReasonRecord = "record_too_large"
	// ReasonHeaders: a resource and scope are too large to be copied into the
	// parts that their rows would have to be cut into.
	ReasonHeaders = "headers_too_large"
)

// reason is a reason code as the walk keeps it. Rejected rows are grouped by it,
// so the numbers are dense.
type reason uint8

const (
	ok reason = iota
	malformed
	tooManyAttributes
	tooDeep
	valueTooLong
	timeInFuture
	timeTooOld
	invalidTraceID
	invalidSpanID
	bucketMismatch
	recordTooLarge
	headersTooLarge
	reasons // the number of reasons
)

var reasonCodes = [reasons]string{
	malformed:         ReasonMalformed,
	tooManyAttributes: ReasonAttributes,
	tooDeep:           ReasonDepth,
	valueTooLong:      ReasonValue,
	timeInFuture:      ReasonFuture,
	timeTooOld:        ReasonAge,
	invalidTraceID:    ReasonTraceID,
	invalidSpanID:     ReasonSpanID,
	bucketMismatch:    ReasonBuckets,
	recordTooLarge:    ReasonRecord,
	headersTooLarge:   ReasonHeaders,
}

// ReasonCodes lists every reason code, for metrics that show them all from the
// start.
func ReasonCodes() []string { return append([]string(nil), reasonCodes[ok+1:]...) }

func (r reason) String() string { return reasonCodes[r] }

// problem is what is wrong with a row, or with a wrapper and so with all its rows.
type problem struct {
	reason reason
	// n is what was found and limit what it was held against; their meaning
	// depends on the reason.
	n, limit int64
}

// text says what is wrong, without the place. Nothing of the data is quoted: it
// could be secret, and of any length.
func (p problem) text() string {
	switch p.reason {
	case tooManyAttributes:
		return fmt.Sprintf("more than %d attributes in one list", p.limit)
	case tooDeep:
		return fmt.Sprintf("values are nested deeper than %d", p.limit)
	case valueTooLong:
		return fmt.Sprintf("a key or string has %d bytes, more than %d", p.n, p.limit)
	case timeInFuture:
		return fmt.Sprintf("time %s is later than %s, the latest that is taken", stamp(p.n), stamp(p.limit))
	case timeTooOld:
		return fmt.Sprintf("time %s is earlier than %s, the earliest that is taken", stamp(p.n), stamp(p.limit))
	case invalidTraceID:
		return idText("trace id", p)
	case invalidSpanID:
		return idText("span id", p)
	case bucketMismatch:
		return fmt.Sprintf("%d bucket counts do not fit %d bounds", p.n, p.limit)
	case recordTooLarge:
		return fmt.Sprintf("with its resource and scope it takes %d bytes, more than the %d of a record", p.n, p.limit)
	case headersTooLarge:
		return fmt.Sprintf("its resource and scope take %d bytes, too many to be copied into several records", p.n)
	}
	return p.reason.String()
}

func idText(what string, p problem) string {
	switch p.n {
	case 0:
		return what + " is missing"
	case p.limit:
		return what + " is zero"
	}
	return fmt.Sprintf("%s has %d bytes, want %d", what, p.n, p.limit)
}

func stamp(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.RFC3339) }
