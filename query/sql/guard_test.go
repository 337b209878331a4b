package sql

import (
	"net/http"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query   string
		status  int // 0 is allowed
		bounded bool
	}{
		{query: "SELECT 1"},
		{query: "select 1;"},
		{query: "SELECT 1 ; ; -- done"},
		{query: "-- a comment\n/* and another; SETTINGS */ WITH 1 AS x SELECT x"},
		{query: "(SELECT 1) UNION ALL (SELECT 2)"},
		{query: "FROM logs SELECT count()"},
		{query: "EXPLAIN SELECT 1"},
		{query: "SHOW TABLES"},
		{query: "DESCRIBE TABLE logs"},
		{query: "EXISTS logs"},
		{query: "SELECT * FROM logs WHERE body LIKE '%file(\\'x\\') SETTINGS; DROP TABLE logs'"},
		{query: "SELECT 'it''s', \"a \"\"b\"\"\", `c` FROM logs"},
		{query: "SELECT value AS \"settings\" FROM samples"},
		{query: "SELECT attributes['log.file.name'], attributes['url'] FROM logs"},
		{query: "SELECT url, remote, cluster FROM (SELECT '' AS url, '' AS remote, '' AS cluster)"},
		{query: "SELECT 0x1F, 0b101, 1_000, 1e3, 1E-3, .5, 1., 2.5e-7, [1, 2][1], {x:String}, a.1, now() - INTERVAL 1 DAY, 5 % 2, x -> x + 1"},
		{query: "SELECT toStartOfInterval(now(), INTERVAL 5 minute) FORMAT JSONEachRow"},
		{query: "SELECT icebergBucket(5, 1)"},

		{query: "INSERT INTO logs VALUES (1)", status: http.StatusForbidden},
		{query: "/**/ drop table logs", status: http.StatusForbidden},
		{query: "ALTER TABLE logs DELETE WHERE 1", status: http.StatusForbidden},
		{query: "SET max_threads = 1", status: http.StatusForbidden},
		{query: "SYSTEM SHUTDOWN", status: http.StatusForbidden},
		{query: "KILL QUERY WHERE 1", status: http.StatusForbidden},
		{query: "'SELECT' 1", status: http.StatusForbidden},
		{query: "\"SELECT\" 1", status: http.StatusForbidden},
		{query: "SELECT 1; SELECT 2", status: http.StatusBadRequest},
		{query: "SELECT 1; DROP TABLE logs", status: http.StatusBadRequest},
		{query: "SELECT 1 SETTINGS max_threads = 1", status: http.StatusForbidden},
		{query: "SELECT * FROM (SELECT 1 sEtTiNgS max_execution_time = 0)", status: http.StatusForbidden},
		{query: "SELECT * FROM (SELECT 1/**/SETTINGS/**/max_execution_time=0)", status: http.StatusForbidden},
		{query: "SELECT file('/etc/passwd')", status: http.StatusForbidden},
		{query: "SELECT file /* */ ('/etc/passwd')", status: http.StatusForbidden},
		{query: "SELECT `file`('/etc/passwd')", status: http.StatusForbidden},
		{query: "SELECT * APPLY file FROM (SELECT '/etc/passwd')", status: http.StatusForbidden},
		{query: "SELECT arrayMap(file, ['/etc/passwd'])", status: http.StatusForbidden},
		{query: "SELECT `f\\x69le`('/etc/passwd')", status: http.StatusBadRequest},
		{query: "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')", status: http.StatusForbidden},
		{query: "SELECT * FROM remote('127.0.0.1', 'goshawk.logs')", status: http.StatusForbidden},
		{query: "SELECT * FROM s3Cluster('x', 'y')", status: http.StatusForbidden},
		{query: "SELECT * FROM mergeTreeIndex('goshawk', 'logs')", status: http.StatusForbidden},
		{query: "SELECT * FROM eval('SELECT 1')", status: http.StatusForbidden},
		{query: "SELECT __getScalar('x')", status: http.StatusForbidden},
		{query: "SELECT 'open", status: http.StatusBadRequest},
		{query: "SELECT \"open", status: http.StatusBadRequest},
		{query: "SELECT 'open\\'", status: http.StatusBadRequest},
		{query: "SELECT 1 /* open", status: http.StatusBadRequest},
		{query: "SELECT $$a$$", status: http.StatusBadRequest},
		{query: "SELECT 1 # comment", status: http.StatusBadRequest},
		{query: "SELECT 1 // comment", status: http.StatusBadRequest},
		{query: "SELECT ‘a’", status: http.StatusBadRequest},
		{query: "SELECT 1\x00SETTINGS max_threads=1", status: http.StatusBadRequest},
		{query: "SELECT 1\u00a0SETTINGS max_threads=1", status: http.StatusBadRequest},
		{query: "SELECT 1e3SETTINGS max_threads=1", status: http.StatusBadRequest},
		{query: "SELECT 0x1FSETTINGS max_threads=1", status: http.StatusBadRequest},
		{query: "SELECT 1e--SETTINGS max_threads=1", status: http.StatusBadRequest},
		{query: "SELECT 1e", status: http.StatusBadRequest},
		{query: ";", status: http.StatusBadRequest},
		{query: "((", status: http.StatusBadRequest},
		{query: "-- nothing", status: http.StatusBadRequest},

		{query: "SELECT count() FROM logs", bounded: true},
		{query: "SELECT 'system'", bounded: true},
		{query: "SELECT * FROM system.tables", bounded: true, status: http.StatusForbidden},
		{query: "SELECT * FROM \"system\".tables", bounded: true, status: http.StatusForbidden},
		{query: "EXPLAIN ESTIMATE SELECT * FROM logs", bounded: true, status: http.StatusForbidden},
		{query: "SELECT * FROM information_schema.tables", bounded: true, status: http.StatusForbidden},
	} {
		f := check(c.query, c.bounded)
		switch {
		case f == nil && c.status != 0:
			t.Errorf("%s: was allowed", c.query)
		case f != nil && f.Status != c.status:
			t.Errorf("%s: status %d, want %d: %s", c.query, f.Status, c.status, f.Message)
		case f != nil && f.Message == "":
			t.Errorf("%s: refused without a reason", c.query)
		}
	}
}

// FuzzCheck wants no panic, and nothing forbidden let through by comments,
// quotes and spaces around it.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "SELECT 'a' -- b\n", "/*", "SELECT \"a\"\"b\"", "SELECT 1e3", "'\\"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		_ = check(before+after, true)
		// Where the first part is a whole query with nothing left open, what
		// follows on a line of its own is seen.
		if check(before, false) == nil && !strings.Contains(before, ";") {
			if check(before+"\n\nSETTINGS max_threads = 1", false) == nil {
				t.Errorf("SETTINGS after %q was not seen", before)
			}
			if check(before+"\n\n, file('/etc/passwd')", false) == nil {
				t.Errorf("file() after %q was not seen", before)
			}
		}
	})
}
