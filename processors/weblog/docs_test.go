package weblog_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestDocumented stores the hits and sessions of three web servers, and runs the
// queries that docs/web-logs.md shows: they say what the lines say.
func TestDocumented(t *testing.T) {
	var queries []string
	for _, block := range querytest.Documented(t, "../../docs/web-logs.md") {
		queries = append(queries, strings.NewReplacer("FROM web_", "FROM goshawk.web_").Replace(block))
	}
	if len(queries) != 4 {
		t.Fatalf("found %d queries", len(queries))
	}
	store := querytest.Start(t)
	sink := clickhouse.New(store.Conn, tables.Dialect{Database: store.Database}, clickhouse.DefaultConfig(), slog.New(slog.DiscardHandler), clickhouse.NewMetrics(prometheus.NewRegistry()))

	lines, times := traffic(time.Now().Add(-23 * time.Hour))
	s := newShards(t, 3)
	offset := int64(0)
	s.store = func(b *telemetry.Batch) {
		b.Block = telemetry.Block{Topic: "test", From: offset, To: offset + 1, Signal: telemetry.Logs}
		offset++
		if err := sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	for from := 0; from < len(lines); from += 500 {
		to := min(from+500, len(lines))
		s.read(t, from/500, lines[from:to], times[to-1])
	}
	for p := range s.hits {
		s.deliver(t, p, telemetry.Record{Tenant: "acme", Idle: true, ReceiveTime: time.Now().Add(time.Hour).UnixNano()})
	}

	ask := func(query string, into ...any) {
		t.Helper()
		if err := store.Conn.QueryRow(context.Background(), query).Scan(into...); err != nil {
			t.Fatalf("%s\n%v", query, err)
		}
	}
	people, failed, visits := uint64(0), uint64(0), uint64(0)
	visitors := map[string]bool{}
	for _, line := range lines {
		if strings.Contains(line, "curl") || strings.Contains(line, "Googlebot") {
			continue
		}
		people++
		if strings.Contains(line, `" 500 `) {
			failed++
		}
		client, _, _ := strings.Cut(line, " ")
		visitors[client] = true
	}
	for _, found := range s.found {
		if strings.HasPrefix(found, "session") && strings.Contains(found, "Bot: ") && !strings.Contains(found, "Pages:0 ") {
			visits++
		}
	}
	var site, host string
	var hits, unique, errors, sessions uint64
	ask(queries[0], &site, &hits, &unique, &errors)
	if site != "shop" || hits != people || unique != uint64(len(visitors)) || errors != failed {
		t.Errorf("%s has %d hits, %d visitors, %d errors; want %d, %d, %d", site, hits, unique, errors, people, len(visitors), failed)
	}
	var rows uint64
	ask(fmt.Sprintf("SELECT count() FROM (%s)", queries[1]), &rows)
	if rows != 0 {
		t.Errorf("%d routes have durations, which are in no line", rows)
	}
	ask(fmt.Sprintf("SELECT count() FROM (%s)", queries[2]), &rows)
	if rows != 0 {
		t.Errorf("%d countries where nothing was looked up", rows)
	}
	var pages, bounces, seconds float64
	ask(queries[3], &host, &sessions, &pages, &bounces, &seconds)
	if host != "google.com" || sessions != visits || pages <= 1 || bounces <= 0 || bounces >= 1 || seconds <= 0 {
		t.Errorf("%q sends %d visits of %d, with %v pages in %v seconds, of which %v bounce", host, sessions, visits, pages, seconds, bounces)
	}
	ask("SELECT count() FROM goshawk.web_hits", &rows)
	if rows != uint64(len(lines)) {
		t.Errorf("%d rows of %d lines", rows, len(lines))
	}
	ask("SELECT count() FROM goshawk.logs WHERE severity = 17", &rows)
	if want := uint64(strings.Count(strings.Join(lines, "\n"), `" 500 `)); rows != want {
		t.Errorf("%d logs are errors, want %d", rows, want)
	}
}
