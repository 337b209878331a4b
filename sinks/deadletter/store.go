package deadletter

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Store is the dead letters in ClickHouse.
type Store struct {
	conn    clickhouse.Conn
	dialect tables.Dialect
	// retentionDays is how long it is remembered that a letter was replayed.
	retentionDays uint16
}

// NewStore makes a store over a connection of a user that may write.
func NewStore(conn clickhouse.Conn, dialect tables.Dialect, retentionDays uint16) *Store {
	return &Store{conn: conn, dialect: dialect, retentionDays: retentionDays}
}

// Filter picks dead letters. Zero values pick everything.
type Filter struct {
	Tenant, Topic, ReasonCode string
	// Since and Until bound the receive time: [Since, Until).
	Since, Until time.Time
	// Pending picks those that were not replayed yet.
	Pending bool
	// Limit bounds the number; 0 for no bound.
	Limit int
}

// Letter is a dead letter.
type Letter struct {
	Time       time.Time `json:"time" ch:"time"`
	Tenant     string    `json:"tenant" ch:"tenant"`
	Topic      string    `json:"topic" ch:"topic"`
	Partition  uint32    `json:"partition" ch:"kafka_partition"`
	Offset     uint64    `json:"offset" ch:"record_offset"`
	Position   uint32    `json:"position" ch:"position"`
	Signal     string    `json:"signal" ch:"signal"`
	ReasonCode string    `json:"reason_code" ch:"reason_code"`
	Reason     string    `json:"reason" ch:"reason"`
	Events     uint64    `json:"events" ch:"events"`
	Size       uint64    `json:"size" ch:"size"`
	Replayed   bool      `json:"replayed" ch:"replayed"`

	value string
}

// List returns the dead letters that the filter picks, oldest first, without
// their values.
func (s *Store) List(ctx context.Context, f Filter) ([]Letter, error) {
	letters, err := s.read(ctx, f, nil, false)
	if err != nil {
		return nil, fmt.Errorf("listing dead letters: %w", err)
	}
	return letters, nil
}

// identity is what names a letter, in the order in which letters are listed.
const identity = "time, tenant, topic, kafka_partition, record_offset, position"

// read reads the letters after a letter, with their values where asked to.
func (s *Store) read(ctx context.Context, f Filter, after *Letter, values bool) ([]Letter, error) {
	replayed := "(" + identity + ") IN (SELECT received, tenant, topic, kafka_partition, record_offset, position FROM " +
		s.dialect.Table(tables.DeadLetterReplays) + ")"
	value := "''"
	if values {
		value = "value"
	}
	var where []string
	var args []any
	bind := func(condition, name string, bound any) {
		where = append(where, condition)
		args = append(args, clickhouse.Named(name, bound))
	}
	if f.Tenant != "" {
		bind("tenant = {tenant:String}", "tenant", f.Tenant)
	}
	if f.Topic != "" {
		bind("topic = {topic:String}", "topic", f.Topic)
	}
	if f.ReasonCode != "" {
		bind("reason_code = {reason:String}", "reason", f.ReasonCode)
	}
	if !f.Since.IsZero() {
		bind("time >= fromUnixTimestamp64Nano({since:Int64})", "since", fmt.Sprint(f.Since.UnixNano()))
	}
	if !f.Until.IsZero() {
		bind("time < fromUnixTimestamp64Nano({until:Int64})", "until", fmt.Sprint(f.Until.UnixNano()))
	}
	if f.Pending {
		where = append(where, "NOT "+replayed)
	}
	if after != nil {
		where = append(where, "("+identity+") > (fromUnixTimestamp64Nano({after_time:Int64}), {after_tenant:String}, {after_topic:String}, "+
			"{after_partition:UInt32}, {after_offset:UInt64}, {after_position:UInt32})")
		for name, bound := range map[string]any{
			"after_time": after.Time.UnixNano(), "after_tenant": after.Tenant, "after_topic": after.Topic,
			"after_partition": after.Partition, "after_offset": after.Offset, "after_position": after.Position,
		} {
			args = append(args, clickhouse.Named(name, fmt.Sprint(bound)))
		}
	}
	query := "SELECT " + identity + ", toString(signal), reason_code, reason, events, length(value), toBool(" + replayed + "), " + value +
		" FROM " + s.dialect.Table(tables.DeadLetters)
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY " + identity
	if f.Limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	rows, err := s.conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var letters []Letter
	for rows.Next() {
		var l Letter
		if err := rows.Scan(&l.Time, &l.Tenant, &l.Topic, &l.Partition, &l.Offset, &l.Position, &l.Signal,
			&l.ReasonCode, &l.Reason, &l.Events, &l.Size, &l.Replayed, &l.value); err != nil {
			return nil, err
		}
		letters = append(letters, l)
	}
	return letters, rows.Err()
}

// mark remembers that letters were produced again.
func (s *Store) mark(ctx context.Context, letters []Letter, now time.Time) error {
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+s.dialect.Table(tables.DeadLetterReplays)+
		" (time, tenant, topic, kafka_partition, record_offset, position, received, retention_days)")
	if err != nil {
		return fmt.Errorf("marking dead letters as replayed: %w", err)
	}
	defer batch.Close()
	for i := range letters {
		l := &letters[i]
		if err := batch.Append(now, l.Tenant, l.Topic, l.Partition, l.Offset, l.Position, l.Time, s.retentionDays); err != nil {
			return fmt.Errorf("marking dead letters as replayed: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("marking dead letters as replayed: %w", err)
	}
	return nil
}
