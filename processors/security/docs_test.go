package security_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestDocumented stores the rows of an attack as two partitions see it, and runs the
// queries that docs/security-findings.md shows.
func TestDocumented(t *testing.T) {
	var queries []string
	for _, block := range querytest.Documented(t, "../../docs/security-findings.md") {
		queries = append(queries, strings.ReplaceAll(block, "FROM findings", "FROM goshawk.findings"))
	}
	if len(queries) != 2 {
		t.Fatalf("found %d queries", len(queries))
	}
	store := querytest.Start(t)
	now := time.Now().Add(-10 * time.Minute).UnixNano()
	p := newProcessor(t, security.DefaultConfig())
	for i := range int64(40) {
		h := telemetry.WebHit{Time: now + 5*i*second, Site: "shop", Client: "192.0.2.1", Path: "/p", Query: "id=1' or 1=1--", Status: 403, UserAgent: "sqlmap"}
		if i%10 == 9 {
			h.Query, h.UserAgent, h.Status = "", firefox, 200
		}
		rows, b := findings(t, p, record{received: h.Time, visits: []telemetry.WebHit{h}})
		for j := range rows {
			f := &rows[j]
			for partition := range 2 {
				store.Exec(t, `INSERT INTO goshawk.findings (tenant, time, id, kind, actor, site, subject, first_time, hits, clients, confidence, harmless, reason, evidence, over, retention_days, kafka_partition)
					SELECT ?, fromUnixTimestamp64Nano(?), ?, ?, ?, ?, ?, fromUnixTimestamp64Nano(?), ?, ?, ?, ?, ?, ?, ?, 30, ?`,
					f.Tenant, f.Last, f.ID, f.Kind, f.Actor, f.Target, f.Subject, f.First, f.Hits, f.Clients, f.Confidence, f.Harmless, f.Reason,
					b.Words[f.Evidence.Start:f.Evidence.End], f.Over, partition)
			}
		}
	}
	var kind, actor string
	var requests, harmless uint64
	var confidence float64
	query := "SELECT toString(kind), actor, requests, confidence, harmless FROM (" + queries[0] + ") WHERE kind = 'sql_injection'"
	if err := store.Conn.QueryRow(context.Background(), query).Scan(&kind, &actor, &requests, &confidence, &harmless); err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	// Both partitions saw what the last row of the minute says.
	if actor != "192.0.2.1" || requests < 40 || requests%2 != 0 || confidence < 0.9 || harmless == 0 {
		t.Errorf("%s by %s: %d requests, confidence %v, harmless %d", kind, actor, requests, confidence, harmless)
	}
	var kinds []string
	query = "SELECT actor, arraySort(arrayMap(k -> toString(k), kinds)) FROM (" + strings.Replace(queries[1], "harmless * 20", "harmless * 2", 1) + ")"
	if err := store.Conn.QueryRow(context.Background(), query).Scan(&actor, &kinds); err != nil {
		t.Fatalf("%s\n%v", query, err)
	}
	if actor != "192.0.2.1" || strings.Join(kinds, " ") != "sql_injection vulnerability_scan" {
		t.Errorf("%s: %v", actor, kinds)
	}
}
