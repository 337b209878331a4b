package sql_test

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/query/sql"
)

// TestDocumented runs every query that docs/sql.md and the page show, and has
// ClickHouse parse the statements that are for an operator.
func TestDocumented(t *testing.T) {
	f := newFront(t, nil)
	page, err := os.ReadFile("../../dashboards/web/page/sqlbox.js")
	if err != nil {
		t.Fatal(err)
	}
	var queries, statements []string
	for _, block := range querytest.Documented(t, "../../docs/sql.md") {
		for _, s := range strings.SplitAfter(block, ";\n") {
			switch {
			case strings.TrimSpace(s) == "":
			case strings.Contains(s, "SELECT ON") || strings.HasPrefix(s, "CREATE") || strings.HasPrefix(s, "\nCREATE"):
				statements = append(statements, s)
			default:
				queries = append(queries, s)
			}
		}
	}
	for _, m := range regexp.MustCompile("(?s)\\[\"[^\"]+\", [`\"](.*?)[`\"]\\],").FindAllStringSubmatch(string(page), -1) {
		queries = append(queries, m[1])
	}
	if len(queries) < 13 || len(statements) < 6 {
		t.Fatalf("found only %d queries and %d statements", len(queries), len(statements))
	}
	for _, q := range queries {
		if status, answer := f.ask(t, "", q); status != http.StatusOK {
			t.Errorf("%s\n%d %s", q, status, answer)
		}
	}
	cfg := sql.DefaultConfig()
	statements = append(statements, sql.PolicyStatements(cfg, "")...)
	statements = append(statements, sql.PolicyStatements(cfg, "main")...)
	for _, s := range statements {
		rows, err := f.store.Conn.Query(context.Background(), "EXPLAIN AST "+strings.TrimSuffix(strings.TrimSpace(s), ";"))
		if err != nil {
			t.Errorf("%s\n%v", s, err)
			continue
		}
		_ = rows.Close()
	}
}
