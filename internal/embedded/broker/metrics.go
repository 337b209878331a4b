package broker

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// register shows the broker's own figures. They are kept anyway, and read when
// somebody asks.
func register(reg prometheus.Registerer, r *room, l *listener) error {
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "goshawk_broker_" + name, Help: help},
			func() float64 { return float64(value()) })
	}
	counter := func(name, help string, labels prometheus.Labels, value *atomic.Int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "goshawk_broker_" + name, Help: help, ConstLabels: labels},
			func() float64 { return float64(value.Load()) })
	}
	all := []prometheus.Collector{
		gauge("log_bytes", "What the log of all topics counts for against its limit: its size, and 1 KiB for each batch.",
			func() int64 { return r.used.Load() + r.pending.Load() }),
		gauge("log_limit_bytes", "What the log of all topics may count for: max_log_bytes.",
			func() int64 { return r.limit }),
		gauge("log_disk_bytes", "Bytes of the log on the disk, some seconds ago at most.", r.disk.Load),
		gauge("disk_free_bytes", "Room that is left on the disk of the log.",
			func() int64 { return r.free.Load() - r.pending.Load() }),
		gauge("connections", "Open connections.", l.open.Load),
		counter("refused_produce_requests_total", "Requests to produce that were refused because the log or the disk is full.",
			nil, &r.refused),
	}
	for reason := range refusals {
		all = append(all, counter("refused_connections_total", "Connections that were refused or closed, by reason.",
			prometheus.Labels{"reason": reason.String()}, &l.refused[reason]))
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// refusal is why a connection was refused or closed.
type refusal uint8

const (
	notAccepted refusal = iota
	tooManyOpen
	requestNotServed
	requestTooLarge
	requestMalformed
	refusals // the number of reasons
)

// String is the value of the label reason.
func (r refusal) String() string {
	return [refusals]string{
		notAccepted:      "accept",
		tooManyOpen:      "too_many_connections",
		requestNotServed: "not_served",
		requestTooLarge:  "too_large",
		requestMalformed: "malformed",
	}[r]
}

// refusalOf returns what is wrong with a request. It reports false where it was
// only the network.
func refusalOf(err error) (refusal, bool) {
	switch {
	case errors.Is(err, errNotServed):
		return requestNotServed, true
	case errors.Is(err, errTooLarge):
		return requestTooLarge, true
	case errors.Is(err, errMalformed):
		return requestMalformed, true
	}
	return 0, false
}
