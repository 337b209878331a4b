package rollup

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// summer sums up the samples of a day as they are read: by metric, bucket,
// series and time. Of each series of a metric it holds the windows that are not
// complete, as those of an hour are between two buckets.
type summer struct {
	out         *writer
	resolutions []tables.Resolution
	limit       int

	metric string
	series map[uint64]*summed
	held   int // bytes
	// current is the series that samples come of, and pending its last sample,
	// which another of the same millisecond may win over.
	current *summed
	pending struct {
		t int64
		v float64
	}
	samples uint64
}

// summed is a series of the metric.
type summed struct {
	fingerprint uint64
	builders    []rollup.Builder // by resolution
	held        int
}

// sumUp reads the samples of a day and writes what they add up to. It returns
// how many it read.
func (j *Job) sumUp(ctx context.Context, e *entry, out *writer) (uint64, error) {
	if err := j.step("read"); err != nil {
		return 0, err
	}
	var (
		metrics      = new(proto.ColStr).LowCardinality()
		fingerprints proto.ColUInt64
		times        proto.ColInt64
		values       proto.ColFloat64
	)
	s := &summer{out: out, resolutions: j.cfg.resolutions(), limit: int(j.cfg.MaxMemory), series: map[uint64]*summed{}}
	err := j.columns.Do(ctx, clickhouse.Query{
		// The order is that of the table: ClickHouse joins its parts and sorts
		// nothing.
		Body: "SELECT metric AS m, fingerprint AS f, toUnixTimestamp64Nano(time) AS t, value AS v FROM " + j.dialect.Table(tables.Samples) +
			" WHERE " + ofDay(e.day) + " ORDER BY metric, bucket, fingerprint, time",
		Parameters: []clickhouse.Parameter{clickhouse.Text("tenant", e.tenant)},
		Settings:   j.settings("max_threads", "2", "optimize_read_in_order", "1", "max_block_size", "65536"),
		Result: proto.Results{
			{Name: "m", Data: metrics}, {Name: "f", Data: &fingerprints}, {Name: "t", Data: &times}, {Name: "v", Data: &values},
		},
		OnResult: func(context.Context, proto.Block) error {
			for i, f := range fingerprints {
				if s.current == nil || f != s.current.fingerprint || metrics.Values[i] != s.metric {
					if err := s.begin(metrics.Values[i], f); err != nil {
						return err
					}
				}
				if err := s.add(times[i]/1e6, values[i]); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return 0, fmt.Errorf("summing samples up: %w", err)
	}
	return s.samples, nil
}

// ofDay is the condition that a sample is in the windows of a day, of the bound
// tenant.
func ofDay(day int64) string {
	from, to := day*rollup.Day, (day+1)*rollup.Day
	return fmt.Sprintf("tenant = {tenant:String} AND bucket >= toDateTime(%d, 'UTC') AND bucket <= toDateTime(%d, 'UTC')"+
		" AND time >= fromUnixTimestamp64Nano(toInt64(%d)) AND time <= fromUnixTimestamp64Nano(toInt64(%d))",
		from/1000, to/1000, (from+1)*1e6, to*1e6+999_999)
}

// begin turns to another series, or another metric.
func (s *summer) begin(metric string, fingerprint uint64) error {
	if err := s.settle(); err != nil {
		return err
	}
	if metric != s.metric || s.held > s.limit {
		if err := s.close(); err != nil {
			return err
		}
		if metric != s.metric {
			s.metric = strings.Clone(metric)
		}
	}
	if s.current = s.series[fingerprint]; s.current == nil {
		s.current = &summed{fingerprint: fingerprint, builders: make([]rollup.Builder, len(s.resolutions))}
		s.series[fingerprint] = s.current
	}
	s.pending.t = -1
	return nil
}

// add takes the next sample of the series.
func (s *summer) add(t int64, v float64) error {
	s.samples++
	if t == s.pending.t {
		if rollup.Wins(v, s.pending.v) {
			s.pending.v = v
		}
		return nil
	}
	err := s.push()
	s.pending.t, s.pending.v = t, v
	return err
}

// push adds the pending sample to the windows.
func (s *summer) push() error {
	if s.pending.t < 0 {
		return nil
	}
	for i := range s.resolutions {
		closed, ok := s.current.builders[i].Add(s.pending.t, s.pending.v, s.resolutions[i].Milliseconds)
		if ok {
			if err := s.out.add(i, s.metric, s.current.fingerprint, &closed); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle ends a run of samples of a series.
func (s *summer) settle() error {
	if s.current == nil {
		return nil
	}
	if err := s.push(); err != nil {
		return err
	}
	held := 100
	for i := range s.current.builders {
		held += s.current.builders[i].Held()
	}
	s.held += held - s.current.held
	s.current.held = held
	return nil
}

// close closes all windows: those that get more samples are continued in another
// row.
func (s *summer) close() error {
	for _, one := range s.series {
		for i := range one.builders {
			if closed, ok := one.builders[i].Close(); ok {
				if err := s.out.add(i, s.metric, one.fingerprint, &closed); err != nil {
					return err
				}
			}
		}
	}
	clear(s.series)
	s.current, s.held = nil, 0
	return nil
}

// end ends the last series.
func (s *summer) end() error {
	if err := s.settle(); err != nil {
		return err
	}
	return s.close()
}
