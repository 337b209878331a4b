package clickhouse

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry"
)

const ledgerLines = `SELECT concat(topic, ' ', toString(kafka_partition), ' ', toString(from_offset), '-', toString(to_offset), ' ', tenant,
	' records=', toString(records), ' accepted=', toString(accepted), ' stored=', toString(stored), ' rejected=', toString(rejected),
	' dropped=', toString(dropped), ' repeated=', toString(repeated), ' ', toString(time), ' ', toString(min_time), ' ', toString(max_time))
	FROM goshawk.ledger ORDER BY topic, kafka_partition, from_offset, tenant`

func TestLedger(t *testing.T) {
	s := newStore(t)
	sink := s.sink()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	sink.now = func() time.Time { return now }
	at := func(second int) int64 { return now.Add(time.Duration(second) * time.Second).UnixNano() }

	mixed := &telemetry.Batch{
		Block: telemetry.Block{Topic: "otlp_logs", Partition: 2, From: 10, To: 15, Signal: telemetry.Logs},
		Records: []telemetry.Record{
			{Offset: 10, ReceiveTime: at(1), Tenant: "acme", Declared: 3, Decoded: 3},
			{Offset: 11, ReceiveTime: at(4), Tenant: "zoo", Declared: -1, Decoded: 2}, // a foreign collector's
			{Offset: 12, ReceiveTime: at(3), Tenant: "acme", Declared: 5, Repeated: true},
			{Offset: 13, ReceiveTime: at(2), Tenant: "acme", Declared: 4, Decoded: 4, Dropped: 1},
			{Offset: 14, ReceiveTime: 5, Tenant: "void", Declared: 0}, // 1970: nobody's clock
		},
		Resources: []telemetry.Resource{{Record: 0}, {Record: 1}, {Record: 3}},
		Scopes:    []telemetry.Scope{{}},
		Logs: []telemetry.Log{
			{Time: at(-9)},
			{Time: at(-5)},
			{Time: at(-7)},
			{Time: at(-20), Resource: 1},
			{Time: at(-30), Resource: 1},
			{Time: at(-3), Resource: 2},
		},
		Rejects: []telemetry.Reject{{Record: 3, Events: 2, ReasonCode: "x", Reason: "y"}},
	}
	if err := sink.Write(context.Background(), mixed); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*telemetry.Batch{
		{Block: telemetry.Block{Topic: "otlp_logs", Partition: 2, From: 15, To: 17}},
		{
			Block:   telemetry.Block{Topic: "otlp_logs", Partition: 2, From: 17, To: 18},
			Records: []telemetry.Record{{Offset: 17, ReceiveTime: at(9), Tenant: "acme", Declared: 6, Repeated: true}},
		},
	} {
		if err := sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.TrimSpace(`
otlp_logs 2 10-15 acme records=3 accepted=7 stored=4 rejected=2 dropped=1 repeated=5 2026-11-21 12:00:04.000000000 2026-11-21 11:59:51.000000000 2026-11-21 11:59:57.000000000
otlp_logs 2 10-15 void records=1 accepted=0 stored=0 rejected=0 dropped=0 repeated=0 2026-11-21 12:00:04.000000000 1970-01-01 00:00:00.000000000 1970-01-01 00:00:00.000000000
otlp_logs 2 10-15 zoo records=1 accepted=2 stored=2 rejected=0 dropped=0 repeated=0 2026-11-21 12:00:04.000000000 2026-11-21 11:59:30.000000000 2026-11-21 11:59:40.000000000
otlp_logs 2 15-17  records=0 accepted=0 stored=0 rejected=0 dropped=0 repeated=0 2026-11-21 12:00:00.000000000 1970-01-01 00:00:00.000000000 1970-01-01 00:00:00.000000000
otlp_logs 2 17-18 acme records=1 accepted=0 stored=0 rejected=0 dropped=0 repeated=6 2026-11-21 12:00:09.000000000 1970-01-01 00:00:00.000000000 1970-01-01 00:00:00.000000000`)
	if diff := cmp.Diff(want, s.text(t, ledgerLines)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}

	letters := s.text(t, `SELECT concat(toString(time), ' ', tenant, ' ', topic, ' ', toString(kafka_partition), ' ', toString(kafka_offset), ' ',
		toString(record_offset), ' ', toString(position), ' ', toString(signal), ' ', reason_code, ' ', reason, ' ', toString(events)) FROM goshawk.dead_letters`)
	if want := "2026-11-21 12:00:02.000000000 acme otlp_logs 2 10 13 0 logs x y 2"; letters != want {
		t.Errorf("dead letters: %s\nwant %s", letters, want)
	}
}
