package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/ledger"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Flow is the answer of /api/v1/flow.
type Flow struct {
	Time    time.Time `json:"time"`
	Version string    `json:"version,omitempty"`
	Signals []Signal  `json:"signals"`
	// Lag is nil where Kafka was not asked.
	Lag *Lag `json:"lag"`
	// Tables, Disk, Components and Listeners are the operator's; a tenant does
	// not get them.
	Tables     []Table     `json:"tables"`
	Disk       *Disk       `json:"disk"`
	Components []Component `json:"components"`
	Listeners  []Listener  `json:"listeners"`
	// Errors says which parts could not be read, and why.
	Errors map[string]string `json:"errors"`
}

// HistorySeconds is how far back the history of a signal goes.
const HistorySeconds = 120

// Rates are means over rateSeconds seconds that ended rateDelay seconds ago:
// by then nearly everything that was received is stored.
const (
	rateSeconds = 10
	rateDelay   = 3
)

// Signal is the flow of one signal. Times are when the gateway received.
type Signal struct {
	Signal string `json:"signal"`
	Topic  string `json:"topic"`
	// EventsPerSecond counts accepted events.
	EventsPerSecond   float64 `json:"events_per_second"`
	RejectedPerSecond float64 `json:"rejected_per_second"`
	RepeatedPerSecond float64 `json:"repeated_per_second"`
	BlocksPerSecond   float64 `json:"blocks_per_second"`
	// EventsPerBlock is the mean over the history.
	EventsPerBlock float64 `json:"events_per_block"`
	// History is accepted events per second, the oldest first and the second
	// that is not over yet last.
	History []uint64 `json:"history"`
}

// Lag is what Kafka has and the pipeline has not committed.
type Lag struct {
	Records    int64          `json:"records"`
	Partitions []PartitionLag `json:"partitions"`
}

// PartitionLag is the lag of one partition.
type PartitionLag struct {
	ledger.KafkaPartition
	Lag int64 `json:"lag"`
}

// Table is what one table takes.
type Table struct {
	Name        string  `json:"name"`
	Rows        uint64  `json:"rows"`
	Bytes       uint64  `json:"bytes"`
	BytesPerRow float64 `json:"bytes_per_row"`
	Parts       uint64  `json:"parts"`
}

// flowTimeout bounds how long one part of the answer may take.
const flowTimeout = 5 * time.Second

// ServeFlow answers /api/v1/flow.
func (a *API) ServeFlow(w http.ResponseWriter, r *http.Request, tenant string) {
	flow, err := a.Flow(r.Context(), tenant)
	if err != nil {
		WriteError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, flow)
}

// Flow returns what flows now. An answer is used again for a second.
func (a *API) Flow(ctx context.Context, tenant string) (*Flow, error) {
	return a.flows.get(ctx, tenant, time.Second, func(ctx context.Context) (*Flow, error) { return a.flow(ctx, tenant) })
}

func (a *API) flow(ctx context.Context, tenant string) (*Flow, error) {
	f := &Flow{
		Time: a.deps.Now().UTC(), Version: a.deps.Version,
		Tables: []Table{}, Components: []Component{}, Listeners: []Listener{}, Errors: map[string]string{},
	}
	part := func(name string, read func(context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, flowTimeout)
		defer cancel()
		if err := read(ctx); err != nil {
			f.Errors[name] = err.Error()
		}
	}
	part("signals", func(ctx context.Context) (err error) { f.Signals, err = a.signals(ctx, f.Time, tenant); return err })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if tenant != "" {
		return f, nil
	}
	if a.deps.Kafka != nil {
		part("lag", func(ctx context.Context) (err error) { f.Lag, err = a.lag(ctx); return err })
	}
	part("tables", func(ctx context.Context) (err error) { f.Tables, err = a.tables(ctx); return err })
	part("disk", func(ctx context.Context) (err error) { f.Disk, err = a.disk(ctx); return err })
	if a.deps.Components != nil {
		f.Components = append(f.Components, a.deps.Components()...)
	}
	f.Listeners = append(f.Listeners, a.deps.Listeners...)
	return f, nil
}

// signals reads the ledger of the last two minutes.
func (a *API) signals(ctx context.Context, now time.Time, tenant string) ([]Signal, error) {
	last := now.Truncate(time.Second)
	first := last.Add(-(HistorySeconds - 1) * time.Second)
	byTopic := map[string]*Signal{}
	signals := []Signal{}
	for _, name := range []string{"logs", "spans", "metrics", "web_hits"} {
		for topic, signal := range a.deps.Topics {
			if signal == name {
				signals = append(signals, Signal{Signal: signal, Topic: topic, History: make([]uint64, HistorySeconds)})
			}
		}
	}
	for i := range signals {
		byTopic[signals[i].Topic] = &signals[i]
	}
	// The bounds on time itself let ClickHouse leave out old parts.
	query := `SELECT toString(topic), intDiv(toUnixTimestamp64Nano(time) - ?, 1000000000) AS second,
	sum(accepted), sum(rejected), sum(repeated), uniqExact(kafka_partition, from_offset)
FROM ` + tables.Dialect{Database: a.deps.Database}.Table(tables.Ledger) + `
WHERE time >= fromUnixTimestamp64Nano(?) AND time < fromUnixTimestamp64Nano(?)`
	args := []any{first.UnixNano(), first.UnixNano(), last.Add(time.Second).UnixNano()}
	if tenant != "" {
		query += " AND tenant = ?"
		args = append(args, tenant)
	}
	blocks := map[string]uint64{}
	err := clickhouse.Each(ctx, a.deps.Conn, "reading the flow from the ledger", func(row clickhouse.Row) error {
		var topic string
		var second int64
		var accepted, rejected, repeated, n uint64
		if err := row.Scan(&topic, &second, &accepted, &rejected, &repeated, &n); err != nil {
			return err
		}
		s := byTopic[topic]
		if s == nil || second < 0 || second >= HistorySeconds {
			return nil
		}
		s.History[second] += accepted
		blocks[topic] += n
		if age := HistorySeconds - 1 - int(second); age >= rateDelay && age < rateDelay+rateSeconds {
			s.EventsPerSecond += float64(accepted)
			s.RejectedPerSecond += float64(rejected)
			s.RepeatedPerSecond += float64(repeated)
			s.BlocksPerSecond += float64(n)
		}
		return nil
	}, query+" GROUP BY topic, second", args...)
	if err != nil {
		return signals, err
	}
	for i := range signals {
		s := &signals[i]
		for _, rate := range []*float64{&s.EventsPerSecond, &s.RejectedPerSecond, &s.RepeatedPerSecond, &s.BlocksPerSecond} {
			*rate /= rateSeconds
		}
		total := uint64(0)
		for _, n := range s.History {
			total += n
		}
		if n := blocks[s.Topic]; n > 0 {
			s.EventsPerBlock = float64(total) / float64(n)
		}
	}
	return signals, nil
}

func (a *API) lag(ctx context.Context) (*Lag, error) {
	partitions, err := a.deps.Kafka(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking Kafka for its offsets: %w", err)
	}
	lag := &Lag{Partitions: make([]PartitionLag, 0, len(partitions))}
	for _, p := range partitions {
		behind := max(0, p.End-max(p.Committed, 0))
		lag.Records += behind
		lag.Partitions = append(lag.Partitions, PartitionLag{p, behind})
	}
	return lag, nil
}

// tables asks ClickHouse what every table takes. The order is that of the
// documentation.
func (a *API) tables(ctx context.Context) ([]Table, error) {
	var names []string
	for _, t := range tables.All() {
		names = append(names, t.Name)
	}
	taken := map[string]Table{}
	err := clickhouse.Each(ctx, a.deps.Conn, "reading what tables take", func(row clickhouse.Row) error {
		var t Table
		if err := row.Scan(&t.Name, &t.Rows, &t.Bytes, &t.Parts); err != nil {
			return err
		}
		if t.Rows > 0 {
			t.BytesPerRow = float64(t.Bytes) / float64(t.Rows)
		}
		taken[t.Name] = t
		return nil
	}, `SELECT replaceRegexpOne(table, '_local$', '') AS name, sum(rows), sum(bytes_on_disk), count()
FROM system.parts
WHERE database = ? AND active
GROUP BY name`, a.deps.Database)
	if err != nil {
		return []Table{}, err
	}
	all := make([]Table, 0, len(names))
	for _, name := range names {
		t := taken[name]
		t.Name = name
		all = append(all, t)
	}
	return slices.Clip(all), nil
}

func (a *API) disk(ctx context.Context) (*Disk, error) {
	if a.deps.Disk != nil {
		d, err := a.deps.Disk(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading how full the disk is: %w", err)
		}
		return d, nil
	}
	d := &Disk{}
	err := a.deps.Conn.QueryRow(ctx, `SELECT path, free_space, total_space FROM system.disks WHERE name = 'default'`).
		Scan(&d.Path, &d.FreeBytes, &d.TotalBytes)
	if err != nil {
		return nil, fmt.Errorf("asking ClickHouse for its disk: %w", err)
	}
	return d, nil
}
