package otlp

import (
	"fmt"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Decode turns the batch's records into rows of the batch's signal. Repeated
// records are passed over.
//
// Strings of the rows are views of Record.Value, which must not change while the
// batch lives; only what had to be repaired is a copy. Record.Decoded is set.
//
// What cannot become a row goes to Rejects, at most one per record and reason,
// with a request that holds just the rows concerned. Of a record that is not a
// request at all the whole value goes there, and none of its rows stay.
//
// Decode never fails and never panics, whatever the bytes. It allocates nothing
// per row once the batch's memory has grown to what is needed.
func Decode(b *telemetry.Batch, lim *Limits) {
	var w walker
	w.b, w.signal = b, b.Signal
	w.limit(lim)
	for i := range b.Records {
		if b.Records[i].Repeated {
			continue
		}
		w.record = uint32(i)
		w.receivedAt(b.Records[i].ReceiveTime, lim)
		w.decode(&b.Records[i])
	}
}

func (w *walker) decode(r *telemetry.Record) {
	m := markOf(w.b)
	fine := false
	for _, w.once = range [...]bool{true, false} {
		w.events, w.rejected, w.byReason = 0, 0, [reasons]int64{}
		w.rejects = w.rejects[:0]
		if fine = w.request(r.Value); fine {
			break
		}
		m.restore(w.b)
	}
	if !fine {
		r.Decoded = max(1, r.Declared)
		w.b.Rejects = append(w.b.Rejects, telemetry.Reject{
			Record: w.record, Events: r.Decoded,
			Reason: w.badText(), ReasonCode: ReasonMalformed, Value: r.Value,
		})
		return
	}
	r.Decoded = w.events + w.rejected
	if w.rejected > 0 {
		w.addRejects(r.Value)
	}
}

// badText says why a request is malformed.
func (w *walker) badText() string {
	return fmt.Sprintf("not a valid %s request: byte %d: %s", w.signal, w.badAt, w.bad)
}

// addRejects adds a Reject for every reason for which rows of the request were
// rejected. The rows' extents are known; another walk finds their wrappers.
func (w *walker) addRejects(value []byte) {
	var cut cutter
	pick := walker{signal: w.signal, cut: &cut, picks: w.rejects, check: true}
	pick.maxValue = w.maxValue
	pick.request(value)
	cut.pack(value, int(reasons), nil)
	for i := range cut.pieces {
		p := &cut.pieces[i]
		why := reason(p.key)
		w.b.Rejects = append(w.b.Rejects, telemetry.Reject{
			Record: w.record, Events: w.byReason[why],
			Reason: w.reasonText(why), ReasonCode: why.String(), Value: p.value,
		})
	}
}

// reasonText says why rows were rejected for the given reason: place and problem
// of the first, and how many more there are.
func (w *walker) reasonText(why reason) string {
	for i := range w.rejects {
		r := &w.rejects[i]
		if r.problem.reason != why {
			continue
		}
		text := w.rejectText(r)
		if more := w.byReason[why] - 1; more > 0 {
			return fmt.Sprintf("%s; %d events in all", text, more+1)
		}
		return text
	}
	return why.String()
}

func (w *walker) rejectText(r *reject) string {
	return w.placeText(r) + ": " + r.problem.text()
}

// placeText names the place of a row or wrapper by the fields that lead there.
func (w *walker) placeText(r *reject) string {
	p := r.place
	if p.resource < 0 {
		return fmt.Sprintf("at byte %d", r.start)
	}
	names := [...]struct{ resource, scope, row string }{
		telemetry.Logs:    {"resource_logs", "scope_logs", "log_records"},
		telemetry.Spans:   {"resource_spans", "scope_spans", "spans"},
		telemetry.Metrics: {"resource_metrics", "scope_metrics", "data_points"},
	}[w.signal]
	text := fmt.Sprintf("%s[%d]", names.resource, p.resource)
	if p.scope >= 0 {
		text += fmt.Sprintf(".%s[%d]", names.scope, p.scope)
	}
	if p.metric >= 0 {
		text += fmt.Sprintf(".metrics[%d]", p.metric)
	}
	if p.row >= 0 {
		text += fmt.Sprintf(".%s[%d]", names.row, p.row)
	}
	return text
}
