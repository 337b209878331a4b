package deadletter

import (
	"context"
	"testing"
	"time"
)

// TestReplayWithoutValue checks that a letter that only says what was left out
// is neither produced nor marked, and does not stand in the way of others.
func TestReplayWithoutValue(t *testing.T) {
	ctx := context.Background()
	store, conn := newStore(t)
	const empty = replayPage + 5
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO goshawk.dead_letters (time, tenant, topic, kafka_partition, record_offset, position, signal, reason_code, reason, events, value, retention_days)")
	if err != nil {
		t.Fatal(err)
	}
	for i := range empty + 1 {
		value, reason := "", "series_limit"
		if i == empty {
			value, reason = "value", "malformed"
		}
		if err := batch.Append(time.Now().Add(time.Duration(i)*time.Millisecond), "acme", "otlp_metrics", uint32(0), uint64(i), uint32(0), "metrics", reason, "because", uint64(3), value, uint16(35)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	p := &topics{}
	for n, want := range []Replay{{Letters: 1, Events: 3, Bytes: 5, Empty: empty}, {Letters: 1, Events: 3, Bytes: 5, Empty: empty}, {Empty: empty}} {
		done, err := store.Replay(ctx, p, Filter{Limit: 7}, n == 0)
		if err != nil || done != want {
			t.Errorf("%d: %+v, %v, want %+v", n, done, err, want)
		}
	}
	if len(p.records) != 1 || string(p.records[0].Value) != "value" {
		t.Errorf("produced %d records", len(p.records))
	}
	pending, err := store.List(ctx, Filter{Pending: true})
	if err != nil || len(pending) != empty {
		t.Errorf("%d letters are pending, want %d; %v", len(pending), empty, err)
	}
}
