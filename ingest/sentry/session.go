package sentry

import (
	"encoding/json"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// sessionMetric counts sessions: those that began, and those that ended by how.
const sessionMetric = "sentry.sessions"

// session is an update of one session.
type session struct {
	ID        flexible `json:"sid"`
	Init      bool     `json:"init"`
	Timestamp flexible `json:"timestamp"`
	Started   flexible `json:"started"`
	Status    string   `json:"status"`
	Errors    float64  `json:"errors"`

	Aggregates []aggregate `json:"aggregates"`
	Attrs      struct {
		Release     string `json:"release"`
		Environment string `json:"environment"`
	} `json:"attrs"`
}

// aggregate is how many sessions that began in a minute ended how.
type aggregate struct {
	Started  flexible `json:"started"`
	Exited   float64  `json:"exited"`
	Errored  float64  `json:"errored"`
	Abnormal float64  `json:"abnormal"`
	Crashed  float64  `json:"crashed"`
}

// flexible is a text, or a number as its text.
type flexible string

// UnmarshalJSON implements [json.Unmarshaler].
func (f *flexible) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		b = []byte(text)
	}
	*f = flexible(b)
	return nil
}

// decodeSessions counts a session, or sessions that the client has counted.
func (d *decoder) decodeSessions(kind string, payload []byte) error {
	d.begin(payload)
	if err := d.Skip(); err != nil { // it bounds the depth
		return err
	}
	const decoded = 8 // times as large, at most
	if !d.out.Claim(decoded * len(payload)) {
		return errFull
	}
	var s session
	if err := json.Unmarshal(payload, &s); err != nil {
		return fmt.Errorf("the JSON cannot be read: %w", err)
	}
	d.client.release, d.client.environment = []byte(s.Attrs.Release), []byte(s.Attrs.Environment)
	w := pointwriter.New(d.resourceLabels(), "sentry")
	w.Metric(sessionMetric, "{session}", "Sessions of users by what became of them.", pointwriter.Delta)
	add := func(status string, n float64, at int64) {
		if n > 0 && at > 0 && d.out.Claim(pointSize) {
			w.Number([]pointwriter.Label{{Key: "sentry.session.status", Value: status}}, 0, at, n)
		}
	}
	if kind == "sessions" {
		for _, a := range s.Aggregates {
			at := timeOf(a.Started)
			all := 0.0
			for i, n := range [...]float64{a.Exited, a.Errored, a.Abnormal, a.Crashed} {
				add([...]string{"exited", "errored", "abnormal", "crashed"}[i], n, at)
				all += max(n, 0)
			}
			add("started", all, at)
		}
	} else {
		at := timeOf(s.Timestamp)
		if at == 0 {
			at = timeOf(s.Started)
		}
		if at == 0 {
			return nil
		}
		// Sessions of the same millisecond differ in the nanoseconds.
		at = at/millisecond*millisecond + int64(xxh3.HashString(string(s.ID))%millisecond)
		if s.Init {
			add("started", 1, at)
		}
		switch s.Status {
		case "exited":
			status := "exited"
			if s.Errors > 0 {
				status = "errored"
			}
			add(status, 1, at)
		case "crashed", "abnormal":
			add(s.Status, 1, at)
		}
	}
	value, _ := w.Finish()
	d.points = append(d.points, value...)
	if d.out.Full() {
		return errFull
	}
	return nil
}

const millisecond = 1e6 // nanoseconds

// pointSize is about what a point takes.
const pointSize = 512

// timeOf returns Unix nanoseconds, 0 where the text is no time.
func timeOf(text flexible) int64 {
	n, _ := nanoseconds([]byte(text))
	return int64(n)
}
