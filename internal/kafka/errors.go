package kafka

import (
	"errors"

	kafkago "github.com/segmentio/kafka-go"
)

var (
	// ErrFull says that too much is waiting to be acknowledged; try later.
	ErrFull = errors.New("too much is waiting for kafka")
	// ErrUnavailable says that kafka did not acknowledge in time. The records
	// may have been written nevertheless.
	ErrUnavailable = errors.New("kafka did not acknowledge in time")
	// ErrRefused says that kafka will not take the records, however often they
	// are sent.
	ErrRefused = errors.New("kafka refused the records")

	errNoAnswer = errors.New("answer does not name the partition")
)

// refused reports whether sending the same records again is pointless. What is
// wrong with the cluster, with the connection or with permissions may be
// repaired while the producer tries again.
func refused(err error) bool {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidRecord, kafkago.InvalidTopic,
		kafkago.UnsupportedForMessageFormat, kafkago.UnsupportedCompressionType, kafkago.InvalidTimestamp,
		kafkago.InvalidRequiredAcks, kafkago.PolicyViolation:
		return true
	}
	return false
}

// Code names an error for a metric: the broker's code, or what kind of thing
// went wrong on the way.
func Code(err error) string {
	var code kafkago.Error
	var metadata *metadataError
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &code):
		return code.Title()
	case errors.As(err, &metadata):
		return "metadata"
	}
	return "connection"
}
