package sql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/query/sql"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// front is a handler before a real engine.
type front struct {
	*httptest.Server
	store *querytest.Store
}

// newFront has 300 log records, of which acme owns a third and zeta the rest.
// The header Tenant takes the place of a token.
func newFront(t *testing.T, change func(*sql.Config)) *front {
	t.Helper()
	s := querytest.Start(t, func(c *engine.Config) { c.RowFilters = sql.RowFilters() })
	cfg := sql.DefaultConfig()
	cfg.HTTPAddresses = []string{s.HTTP}
	cfg.Database = s.Database
	if change != nil {
		change(&cfg)
	}
	h, err := sql.New(cfg, s.Conn, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	now := time.Now()
	for i, tenant := range []string{"acme", "zeta", "zeta"} {
		b := querytest.Block{
			Topic: "otlp_logs", Tenant: tenant, Partition: 0, From: uint64(i), To: uint64(i) + 1, Time: now,
			Rows: map[string]uint64{tables.Logs: 100}, Rejected: 3,
		}
		s.Write(t, b)
		for _, table := range append(tables.EventTables()[1:], tables.Exemplars) {
			s.WriteRows(t, b, table, 5)
		}
		// One series of every kind.
		s.Exec(t, `INSERT INTO goshawk.series (tenant, metric, fingerprint, kind, day, retention_days)
SELECT ?, 'http.server.request.duration', number, CAST(number + 1, 'Enum8(\'gauge\' = 1, \'sum\' = 2, \'histogram\' = 3, \'exponential_histogram\' = 4, \'summary\' = 5)'), today(), 30 FROM numbers(5)`, tenant)
		for _, table := range []string{
			tables.Traces, tables.Edges, tables.Operations, tables.ClockOffsets,
			tables.LogPatterns1m, tables.Errors, tables.Changes, tables.WebHits, tables.WebSessions, tables.Findings,
		} {
			s.Exec(t, "INSERT INTO goshawk."+table+" (tenant, time, retention_days) VALUES (?, now(), 30)", tenant)
		}
		s.Exec(t, "INSERT INTO goshawk.dead_letter_replays (time, tenant, topic, retention_days) VALUES (now(), ?, 'otlp_logs', 30)", tenant)
		s.Exec(t, "INSERT INTO goshawk.topology (tenant, last_seen, revision, retention_days) VALUES (?, now(), 1, 30)", tenant)
		s.Exec(t, "INSERT INTO goshawk.log_patterns (tenant, last_seen, revision, retention_days) VALUES (?, now(), 1, 30)", tenant)
		for _, table := range []string{tables.Samples1m, tables.Samples5m, tables.Samples1h, tables.Rollups} {
			s.Exec(t, "INSERT INTO goshawk."+table+" (tenant, day, version, retention_days) VALUES (?, today(), ?, 30)", tenant, i)
		}
		for _, table := range []string{tables.Sampling, tables.SamplingBlocks, tables.SamplingTraces} {
			s.Exec(t, "INSERT INTO goshawk."+table+" (tenant, day, plan, retention_days) VALUES (?, today(), ?, 30)", tenant, i)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Serve(w, r, sql.Scope{Tenant: r.Header.Get("Tenant")}, "TabSeparated")
	}))
	t.Cleanup(server.Close)
	return &front{server, s}
}

// ask posts a query and returns status and text.
func (f *front) ask(t *testing.T, tenant, query string, parameters ...string) (int, string) {
	t.Helper()
	status, text, err := f.try(tenant, query, parameters...)
	if err != nil {
		t.Fatal(err)
	}
	return status, text
}

func (f *front) try(tenant, query string, parameters ...string) (int, string, error) {
	request, err := http.NewRequest(http.MethodPost, f.URL+"/?"+strings.Join(parameters, "&"), strings.NewReader(query))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Tenant", tenant)
	a, err := transporttest.Ask(http.DefaultClient, request)
	return a.Status, strings.TrimSpace(a.Text), err
}

func TestAnswers(t *testing.T) {
	f := newFront(t, nil)
	for _, c := range []struct {
		query, parameters, want string
		status                  int
	}{
		{"SELECT count() FROM logs", "", "300", 200},
		{"SELECT count() FROM goshawk.logs", "", "300", 200},
		{"SELECT 1 AS a, 'x' AS b FORMAT JSONEachRow", "", `{"a":1,"b":"x"}`, 200},
		{"SELECT 1 AS a", "default_format=CSVWithNames", "\"a\"\n1", 200},
		{"SELECT {n:UInt8} + 1, {s:String}", "param_n=41&param_s=a%27b", "42\ta\\'b", 200},
		{"SELECT toTypeName(now())", "session_timezone=Europe/Berlin", "DateTime", 200},
		{"SELECT currentDatabase(), currentUser()", "user=goshawk&password=x&database=goshawk&readonly=2&query_id=x", "goshawk\treader", 200},
		{"DESCRIBE TABLE ledger FORMAT TabSeparatedRaw", "", "time\tDateTime64(9)", 200},
		{"", "query=SELECT+1%2B1", "2", 200},
		{"+ 40", "query=SELECT+2", "42", 200},
		{"query=SELECT+1%2B1", "", "2", 200},
		{"SELECT 1 FORM logs x", "", "SYNTAX_ERROR", 400},
		{"SELECT nothing FROM logs", "", "UNKNOWN_IDENTIFIER", 400},
		{"SELECT 1 FROM nowhere", "", "UNKNOWN_TABLE", 400},
		{"SELECT 1", "max_threads=8", "max_threads is not allowed", 400},
		{"SELECT 1", "additional_table_filters=%7B%7D", "not allowed", 400},
		{"SELECT 1", "session_id=x", "not allowed", 400},
		{"SELECT 1", "database=system", "always goshawk", 400},
		{"SELECT 1", "default_format=../x", "not allowed", 400},
		{"SELECT 1", "default_format=CSV&default_format=JSON", "2 times", 400},
		{"", "", "there is no query", 400},
		{strings.Repeat(" ", 300<<10) + "SELECT 1", "", "longer than 256KiB", 413},
		{"SELECT count() FROM numbers(2000000000)", "", "TOO_MANY_ROWS", 400},
		{"SELECT * FROM numbers(2000000) FORMAT Null", "", "TOO_MANY_ROWS_OR_BYTES", 400},
		{"SELECT number FROM numbers(100)", "max_result_rows=10", "TOO_MANY_ROWS_OR_BYTES", 400},
		{"SELECT getSetting('max_result_rows')", "max_result_rows=999999999999", "1000000", 200},
		{"SELECT getSetting('max_execution_time')", "max_execution_time=0", "30", 200},
		{"SELECT groupArray(number) FROM numbers(100000000)", "", "MEMORY_LIMIT_EXCEEDED", 400},
		{slow, "max_execution_time=1", "TIMEOUT_EXCEEDED", 504},
	} {
		status, text := f.ask(t, "", c.query, c.parameters)
		if status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%.60s [%s]: %d %.300s\nwant %d %s", c.query, c.parameters, status, text, c.status, c.want)
		}
		if strings.Contains(text, "(version ") {
			t.Errorf("%.60s: the version is in the error: %s", c.query, text)
		}
	}
}

// TestRefused sends what must not run, past the guard and without it: the
// guard and the rights of the user must each hold by themselves where they can.
func TestRefused(t *testing.T) {
	f := newFront(t, nil)
	for _, query := range []string{
		"INSERT INTO logs (tenant) VALUES ('x')", "ALTER TABLE logs DELETE WHERE 1", "DROP TABLE logs", "TRUNCATE TABLE logs",
		"CREATE TABLE x (a Int8) ENGINE = Memory", "CREATE TEMPORARY TABLE x (a Int8)", "RENAME TABLE logs TO l", "DETACH TABLE logs",
		"OPTIMIZE TABLE logs", "SYSTEM FLUSH LOGS", "KILL QUERY WHERE 1", "SET readonly = 0", "USE system",
		"GRANT ALL ON *.* TO reader", "CREATE USER x", "BACKUP TABLE logs TO File('x')", "DELETE FROM logs WHERE 1", "UPDATE logs SET body = '' WHERE 1",
		"SELECT 1; SELECT 2", "SELECT 1; DROP TABLE logs",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT file('/etc/hostname')", "SELECT * APPLY file FROM (SELECT '/etc/hostname')",
		"SELECT `file`('/etc/hostname')", "SELECT `f\\x69le`('/etc/hostname')", "SELECT arrayMap(file, ['/etc/hostname'])",
		"SELECT * FROM url('http://127.0.0.1/', 'LineAsString')", "SELECT * FROM remote('127.0.0.1', 'goshawk.logs')",
		"SELECT * FROM executable('x', 'TSV', 'a String')", "SELECT * FROM eval('SELECT 1')", "SELECT * FROM sqlite('x', 'y')",
		"SELECT * FROM system.users", "SELECT * FROM system.processes", "SELECT * FROM system.row_policies",
		"SELECT 1 SETTINGS readonly = 0", "SELECT 1 SETTINGS max_execution_time = 0",
		"SELECT * FROM (SELECT 1 SETTINGS max_rows_to_read = 0)", "SELECT 1 INTO OUTFILE '/tmp/goshawk-must-not-be-there'",
		"SELECT * FROM input('a Int8')", "SELECT dictGet('x', 'y', 1)",
	} {
		status, text := f.ask(t, "", query)
		if status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
	if _, text := f.ask(t, "", "SELECT count() FROM logs"); text != "300" {
		t.Errorf("after all that there are %s rows", text)
	}
}

// TestTenants bounds arbitrary queries to one tenant's rows.
func TestTenants(t *testing.T) {
	f := newFront(t, nil)
	for _, query := range []string{
		"SELECT count() FROM logs", "SELECT count(body) FROM goshawk.logs WHERE tenant IN ('acme', 'zeta')", "SELECT uniqExact(tenant) * 100 FROM logs",
		"SELECT count() FROM logs AS a WHERE a.body IN (SELECT body FROM logs)", "SELECT count() FROM (SELECT * FROM logs WHERE tenant != 'acme' OR 1)",
		"WITH x AS (SELECT * FROM logs) SELECT count() FROM x", "SELECT count() FROM view(SELECT * FROM logs)", "SELECT count() FROM merge('goshawk', '^logs$')",
		"SELECT (SELECT count() FROM logs)", "SELECT count() FROM logs PREWHERE toInt64(replaceAll(body, 'secret of acme ', '')) >= 0",
		"SELECT count() FROM logs WHERE toInt64(replaceAll(body, 'secret of acme ', '')) >= 0", "SELECT count() FROM logs WHERE throwIf(tenant = 'zeta') = 0",
		"SELECT count() FROM logs WHERE NOT (tenant = 'acme' AND 0)", "SELECT count() FROM logs LEFT JOIN (SELECT 1 AS one) AS x ON 1 = 1",
		"SELECT sum(stored) FROM ledger", "SELECT count() FROM logs UNION DISTINCT SELECT count() FROM logs", "(SELECT count() FROM logs)",
	} {
		if status, text := f.ask(t, "acme", query); status != http.StatusOK || text != "100" {
			t.Errorf("%s: %d %s, want 100", query, status, text)
		}
	}
	// Whatever is asked, nothing of the other tenant may be in the answer.
	for _, query := range []string{
		"SELECT * FROM logs", "SELECT * FROM ledger", "SELECT * FROM dead_letters", "SELECT min(tenant), max(tenant) FROM logs", "SELECT DISTINCT tenant FROM logs",
		"SELECT * FROM (SELECT * FROM logs SETTINGS additional_table_filters = {})", "SELECT * FROM (SELECT * FROM logs SETTINGS log_comment = 'zeta/')",
		"SELECT toInt64(body) FROM logs WHERE tenant = 'zeta'", "SELECT throwIf(tenant != 'acme', body) FROM logs WHERE body LIKE '%9'",
		"SELECT * FROM logs WHERE toInt8(body) = 1", "SELECT * FROM mergeTreeIndex('goshawk', 'logs')", "SELECT * FROM mergeTreeAnalyzeIndexes('goshawk', 'logs')",
		"SELECT * FROM merge('goshawk', '.*')", "SELECT * FROM merge(REGEXP('.*'), '.*')", "SELECT * FROM loop('goshawk', 'logs') LIMIT 500",
		"SELECT * FROM system.parts", "SELECT * FROM system.tables", "SELECT * FROM system.columns", "SELECT * FROM `system`.`parts_columns`",
		"SELECT * FROM saved.logs", "SELECT DISTINCT _part, _partition_id FROM logs", "SELECT any(body) OVER (ORDER BY time ROWS BETWEEN 500 PRECEDING AND 500 FOLLOWING) FROM logs",
		"SELECT topK(500)(body) FROM logs", "SELECT * FROM logs FINAL", "SELECT * FROM logs ORDER BY time WITH FILL LIMIT 1000",
		"SELECT a.body FROM logs AS a FULL JOIN logs AS b ON a.time = b.time", "SELECT * FROM logs ARRAY JOIN [tenant, body] AS x",
		"EXPLAIN indexes = 1 SELECT * FROM logs", "EXPLAIN ESTIMATE SELECT * FROM logs", "SHOW CREATE TABLE logs",
		"SELECT formatRow('CSV', tenant, body) FROM logs", "SELECT queryID(), initialQueryID() FROM logs LIMIT 1", "SELECT * FROM series", "SELECT * FROM exemplars",
	} {
		for _, format := range []string{"", "\nFORMAT JSON"} {
			_, text := f.ask(t, "acme", query+format)
			if strings.Contains(strings.ReplaceAll(text, "'zeta'", ""), "zeta") {
				t.Errorf("%s shows the other tenant: %.300s", query, text)
			}
		}
	}
	if status, text := f.ask(t, "nobody", "SELECT count() FROM logs"); status != http.StatusOK || text != "0" {
		t.Errorf("a tenant without rows sees %d %s", status, text)
	}
	if status, text := f.ask(t, "acme", "SELECT count() FROM otel_logs"); status != http.StatusOK || text != "100" {
		t.Errorf("the view otel_logs: %d %s, want 100", status, text)
	}
	// Every table and view is bounded, those to come as well.
	var names []string
	for _, table := range tables.All() {
		names = append(names, table.Name)
	}
	for _, view := range tables.Views() {
		names = append(names, view.Name)
	}
	for _, name := range names {
		if status, text := f.ask(t, "nobody", "SELECT count() FROM "+name); status != http.StatusOK || text != "0" {
			t.Errorf("%s: a tenant without rows sees %d %s", name, status, text)
		}
		if status, text := f.ask(t, "", "SELECT count() FROM "+name); status != http.StatusOK || text == "0" {
			t.Errorf("%s: the operator sees %d %s, so this test shows nothing", name, status, text)
		}
	}
}

// TestTenantsWithoutPolicies must refuse rather than show everything.
func TestTenantsWithoutPolicies(t *testing.T) {
	s := querytest.Start(t, func(c *engine.Config) {
		c.RowFilters = sql.RowFilters()
		c.RowFilters[tables.Spans] = ""
	})
	cfg := sql.DefaultConfig()
	cfg.HTTPAddresses = []string{s.HTTP}
	h, err := sql.New(cfg, s.Conn, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	w := httptest.NewRecorder()
	h.Serve(w, httptest.NewRequest(http.MethodGet, "/?query=SELECT+1", nil), sql.Scope{Tenant: "acme"}, "TSV")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "on the table spans") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestErrorsAsJSON(t *testing.T) {
	f := newFront(t, nil)
	request, err := http.NewRequest(http.MethodGet, f.URL+"/?query="+url.QueryEscape("SELECT nothing FROM logs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Error sql.Fault }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error.Code != 47 || answer.Error.Name != "UNKNOWN_IDENTIFIER" || answer.Error.QueryID == "" ||
		response.Header.Get("X-ClickHouse-Exception-Code") != "47" {
		t.Errorf("%+v", answer)
	}
}

func TestHeaders(t *testing.T) {
	f := newFront(t, nil)
	response, err := http.Get(f.URL + "/?query=SELECT+count()+FROM+logs&wait_end_of_query=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var summary map[string]string
	if err := json.Unmarshal([]byte(response.Header.Get("X-ClickHouse-Summary")), &summary); err != nil || summary["result_rows"] == "" {
		t.Errorf("summary %q: %v", response.Header.Get("X-ClickHouse-Summary"), err)
	}
	for name, want := range map[string]string{
		"X-ClickHouse-Format": "TabSeparated", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(response.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Error("an answer could act as a page")
	}
}

// slow sleeps a second per block.
const slow = "SELECT sleep(1) FROM numbers(6553600) FORMAT Null"

// TestTooMany runs more queries than are allowed at once.
func TestTooMany(t *testing.T) {
	f := newFront(t, func(c *sql.Config) { c.Limits.MaxConcurrent = 2 })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL, strings.NewReader(slow))
			if err == nil {
				var response *http.Response
				if response, err = http.DefaultClient.Do(request); err == nil {
					err = response.Body.Close()
				}
			}
			ended <- err
		}()
	}
	wait(t, "both queries to run", func() bool { return f.running(t) == 2 })
	request, err := http.NewRequest(http.MethodPost, f.URL, strings.NewReader("SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("the third query: %s", response.Status)
	}
	// Clients that go away take their queries with them.
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a query whose client went away ended with %v", err)
		}
	}
	wait(t, "the queries to end with their clients", func() bool { return f.running(t) == 0 })
	wait(t, "a place to be free", func() bool {
		status, _ := f.ask(t, "", "SELECT 1")
		return status == http.StatusOK
	})
}

// running counts the queries of the reader that run.
func (f *front) running(t *testing.T) uint64 {
	t.Helper()
	var n uint64
	if err := f.store.Conn.QueryRow(context.Background(), "SELECT count() FROM system.processes WHERE user = 'reader'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

// TestStreams wants the first rows while the query still runs.
func TestStreams(t *testing.T) {
	f := newFront(t, nil)
	response, err := http.Post(f.URL, "text/plain", strings.NewReader("SELECT number, repeat('x', 200), sleep(1) FROM numbers(6553600)"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 100)
	if _, err := io.ReadFull(response.Body, first); err != nil || !bytes.HasPrefix(first, []byte("0\tx")) {
		t.Fatalf("%q: %v", first, err)
	}
	if n := f.running(t); n != 1 {
		t.Errorf("%d queries run when the first rows are there", n)
	}
}

// TestCutOff wants a broken connection where an answer does not end well: the
// status is long out.
func TestCutOff(t *testing.T) {
	f := newFront(t, func(c *sql.Config) { c.Limits.MaxResponseBytes = 1 << 20 })
	request, err := http.NewRequest(http.MethodPost, f.URL, strings.NewReader("SELECT number, repeat('x', 1000) FROM numbers(100000)"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "identity")
	a, err := transporttest.Ask(http.DefaultClient, request)
	if err == nil || a.Text == "" {
		t.Errorf("%d bytes, error %v: an answer beyond the limit must be cut off visibly", len(a.Text), err)
	}
	if !strings.HasPrefix(a.Text, "0\tx") {
		t.Errorf("the answer starts with %.20q", a.Text)
	}
}

func TestAway(t *testing.T) {
	f := newFront(t, nil)
	f.store.Stop()
	status, text := f.ask(t, "", "SELECT 1")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "cannot be reached") {
		t.Errorf("%d %s", status, text)
	}
	f.store.Restart(t)
	if status, text = f.ask(t, "", "SELECT count() FROM logs"); status != http.StatusOK || text != "300" {
		t.Errorf("after a restart: %d %s", status, text)
	}
}

// TestSecondAddress uses the next address where the first does not answer.
func TestSecondAddress(t *testing.T) {
	f := newFront(t, func(c *sql.Config) {
		c.HTTPAddresses = append([]string{"127.0.0.1:1"}, c.HTTPAddresses...)
	})
	for range 2 {
		if status, text := f.ask(t, "", "SELECT count() FROM logs"); status != http.StatusOK || text != "300" {
			t.Errorf("%d %s", status, text)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*sql.Config){
		"":                         func(*sql.Config) {},
		"http_addresses":           func(c *sql.Config) { c.HTTPAddresses = []string{"nowhere"} },
		"at least one":             func(c *sql.Config) { c.HTTPAddresses = nil },
		"tenant_username":          func(c *sql.Config) { c.TenantUsername = c.Username },
		"max_execution_time":       func(c *sql.Config) { c.Limits.MaxExecutionTime = 1500 * time.Millisecond },
		"limits.max_result_rows":   func(c *sql.Config) { c.Limits.MaxResultRows = 0 },
		"limits.max_concurrent":    func(c *sql.Config) { c.Limits.MaxConcurrent = 0 },
		"database":                 func(c *sql.Config) { c.Database = "a.b" },
		"dial_timeout":             func(c *sql.Config) { c.DialTimeout = 0 },
		"http or https URL with a": func(c *sql.Config) { c.HTTPAddresses = []string{"ftp://x:1"} },
	} {
		cfg := sql.DefaultConfig()
		change(&cfg)
		err := cfg.Validate()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
