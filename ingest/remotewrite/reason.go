package remotewrite

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// reason says why something was refused.
type reason uint8

const (
	fine reason = iota
	noName
	emptyLabelName
	duplicateLabel
	notUTF8
	labelTooLong
	tooManyLabels
	badReference
	emptySeries
	timeTooOld
	timeInFuture
	badHistogram
	tooManyBuckets
	badExemplar
	tooLarge
	reasons // the number of reasons
)

// reasonCodes are the values of the reason label of metrics.
var reasonCodes = [reasons]string{
	noName:         "invalid_labels",
	emptyLabelName: "invalid_labels",
	duplicateLabel: "invalid_labels",
	notUTF8:        "invalid_labels",
	labelTooLong:   otlp.ReasonValue,
	tooManyLabels:  otlp.ReasonAttributes,
	badReference:   "invalid_reference",
	emptySeries:    "empty_series",
	timeTooOld:     otlp.ReasonAge,
	timeInFuture:   otlp.ReasonFuture,
	badHistogram:   "invalid_histogram",
	tooManyBuckets: "too_many_buckets",
	badExemplar:    "invalid_exemplar",
	tooLarge:       otlp.ReasonRecord,
}

var reasonTexts = [reasons]string{
	noName:         "the label __name__ is missing or empty",
	emptyLabelName: "the name of a label is empty",
	duplicateLabel: "two labels have the same name",
	notUTF8:        "a label is not valid UTF-8",
	labelTooLong:   "the name or value of a label is too long",
	tooManyLabels:  "there are too many labels",
	badReference:   "a reference points outside of the symbols, or labels do not come in pairs",
	emptySeries:    "the series has neither samples nor histograms nor exemplars",
	timeTooOld:     "the time of a sample is too far in the past",
	timeInFuture:   "the time of a sample is too far in the future",
	badHistogram:   "a histogram is not valid",
	tooManyBuckets: "a histogram spans too many buckets",
	badExemplar:    "the labels of an exemplar are not valid",
	tooLarge:       "with its labels a sample exceeds the size of a record",
}

// report counts what one request had that was refused.
type report struct {
	byReason [reasons]int64
	rejected int64
	// The first that was refused: its series, why, and more about that.
	series int
	name   string
	why    reason
	detail string
}

func (r *report) reset() { *r = report{} }

// reject counts something of the current series that is refused. Detail may say
// more about why.
func (s *splitter) reject(why reason, detail string) {
	r := &s.report
	if r.rejected == 0 {
		r.series, r.why, r.detail = s.index, why, detail
		r.name = s.describe()
	}
	r.rejected++
	r.byReason[why]++
}

// maxDescribed bounds how much of a series is quoted to its sender.
const maxDescribed = 300

// describe returns the labels of the current series as PromQL has them, cut off
// where they are long.
func (s *splitter) describe() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range s.labels {
		if i > 0 {
			b.WriteString(", ")
		}
		name, value := l.name.of(s.body), l.value.of(s.body)
		b.WriteString(strings.ToValidUTF8(string(name[:min(len(name), maxDescribed)]), "\uFFFD"))
		b.WriteByte('=')
		b.WriteString(strconv.Quote(string(value[:min(len(value), maxDescribed)])))
		if b.Len() > maxDescribed {
			return strings.ToValidUTF8(b.String()[:maxDescribed], "") + "..."
		}
	}
	b.WriteByte('}')
	return b.String()
}

// Rejected returns how many samples, histograms, exemplars and series without
// any of them were refused.
func (s *splitter) Rejected() int64 { return s.report.rejected }

// RejectedBy yields the codes of the reasons with the numbers of events.
func (s *splitter) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for why, n := range s.report.byReason {
			if n > 0 && !yield(reasonCodes[why], n) {
				return
			}
		}
	}
}

// Message names the first series of which something was refused. It quotes the
// labels, as Prometheus does: they are no secret of their own sender.
func (s *splitter) Message() string {
	r := &s.report
	if r.rejected == 0 {
		return ""
	}
	text := fmt.Sprintf("series %d %s: %s", r.series, r.name, reasonTexts[r.why])
	if r.detail != "" {
		text += ": " + r.detail
	}
	return fmt.Sprintf("%s (%d refused in all; everything else of the request is kept)", text, r.rejected)
}
