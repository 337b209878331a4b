package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"text/template"
)

// Database is the database of all goshawk tables.
const Database = "goshawk"

// readableSystemTables is what the user reader sees of the database system:
// what an analyst's client needs to list and describe tables, and no table that
// shows the queries or settings of others.
var readableSystemTables = []string{
	"columns", "contributors", "data_skipping_indices", "data_type_families", "databases",
	"formats", "functions", "keywords", "numbers", "numbers_mt", "one", "parts", "parts_columns",
	"projections", "table_functions", "tables", "time_zones", "zeros",
}

// serverConfig keeps every pool and cache small: this engine shares a machine
// with the rest of goshawk, and its tables are read from the page cache anyway.
// Nothing is logged to tables unless asked for, since such tables cost disk and
// merges for ever.
var serverConfig = template.Must(template.New("config.xml").Parse(`<clickhouse>
    <!-- Written by goshawk at every start; changes are lost. -->
    <logger><level>fatal</level><console>0</console></logger>
    <path>{{.Path}}/</path>
    <tmp_path>{{.Path}}/tmp/</tmp_path>
    <users_config>{{.Users}}</users_config>
    <display_name>goshawk</display_name>
    <timezone>UTC</timezone>
    <listen_try>0</listen_try>
    <max_connections>512</max_connections>
    <max_concurrent_queries>128</max_concurrent_queries>
    <keep_alive_timeout>30</keep_alive_timeout>
    <shutdown_wait_unfinished>1</shutdown_wait_unfinished>

    <max_server_memory_usage>{{.MaxMemory}}</max_server_memory_usage>
    <mark_cache_size>{{.MarkCache}}</mark_cache_size>
    <index_mark_cache_size>{{.SmallCache}}</index_mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <index_uncompressed_cache_size>0</index_uncompressed_cache_size>
    <primary_index_cache_size>{{.SmallCache}}</primary_index_cache_size>
    <mmap_cache_size>64</mmap_cache_size>
    <vector_similarity_index_cache_size>0</vector_similarity_index_cache_size>
    <text_index_tokens_cache_size>{{.SmallCache}}</text_index_tokens_cache_size>
    <text_index_header_cache_size>{{.SmallCache}}</text_index_header_cache_size>
    <text_index_postings_cache_size>{{.SmallCache}}</text_index_postings_cache_size>
    <compiled_expression_cache_size>{{.SmallCache}}</compiled_expression_cache_size>
    <compiled_expression_cache_elements_size>1000</compiled_expression_cache_elements_size>

    <background_pool_size>{{.MergeThreads}}</background_pool_size>
    <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
    <background_common_pool_size>2</background_common_pool_size>
    <background_move_pool_size>1</background_move_pool_size>
    <background_fetches_pool_size>1</background_fetches_pool_size>
    <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
    <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
    <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
    <background_schedule_pool_size>16</background_schedule_pool_size>
    <max_thread_pool_size>1000</max_thread_pool_size>
    <max_thread_pool_free_size>16</max_thread_pool_free_size>
    <thread_pool_queue_size>2000</thread_pool_queue_size>
    <max_io_thread_pool_size>16</max_io_thread_pool_size>
    <max_io_thread_pool_free_size>0</max_io_thread_pool_free_size>
    <concurrent_threads_soft_limit_num>{{.QueryThreads}}</concurrent_threads_soft_limit_num>

    <storage_configuration>
        <disks><default><keep_free_space_bytes>{{.MinFree}}</keep_free_space_bytes></default></disks>
    </storage_configuration>
    <merge_tree>
        <max_bytes_to_merge_at_max_space_in_pool>10737418240</max_bytes_to_merge_at_max_space_in_pool>
        <merge_max_block_size_bytes>4194304</merge_max_block_size_bytes>
        <!-- With a pool of two the defaults would switch big merges off. -->
        <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
        <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
        <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    </merge_tree>

    <access_control_improvements>
        <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
        <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>
        <settings_constraints_replace_previous>true</settings_constraints_replace_previous>
        <table_engines_require_grant>true</table_engines_require_grant>
    </access_control_improvements>
{{- if .QueryLog}}
    <query_log>
        <database>system</database>
        <table>query_log</table>
        <ttl>event_date + INTERVAL 1 DAY DELETE</ttl>
        <flush_interval_milliseconds>7500</flush_interval_milliseconds>
    </query_log>
{{- end}}
</clickhouse>
`))

var usersConfig = template.Must(template.New("users.xml").Parse(`<clickhouse>
    <!-- Written by goshawk at every start; changes are lost. -->
    <profiles>
        <default>
            <log_queries>0</log_queries>
            <max_threads>1</max_threads>
            <max_sessions_for_user>1</max_sessions_for_user>
        </default>
        <goshawk>
            <!-- The profile default is the base of all others. -->
            <max_sessions_for_user>0</max_sessions_for_user>
            <log_queries>{{.QueryLog}}</log_queries>
            <max_threads>{{.QueryThreads}}</max_threads>
            <max_memory_usage>{{.QueryMemory}}</max_memory_usage>
            <max_bytes_before_external_group_by>{{.SpillBytes}}</max_bytes_before_external_group_by>
            <max_bytes_before_external_sort>{{.SpillBytes}}</max_bytes_before_external_sort>
        </goshawk>
        <reader>
            <readonly>1</readonly>
            <max_sessions_for_user>0</max_sessions_for_user>
            <log_queries>{{.QueryLog}}</log_queries>
            <max_threads>{{.QueryThreads}}</max_threads>
            <cancel_http_readonly_queries_on_client_close>1</cancel_http_readonly_queries_on_client_close>
            <max_execution_time>{{.ReaderSeconds}}</max_execution_time>
            <timeout_before_checking_execution_speed>0</timeout_before_checking_execution_speed>
            <max_memory_usage>{{.ReaderMemory}}</max_memory_usage>
            <max_memory_usage_for_user>{{.ReaderMemory}}</max_memory_usage_for_user>
            <max_bytes_before_external_group_by>{{.ReaderSpillBytes}}</max_bytes_before_external_group_by>
            <max_bytes_before_external_sort>{{.ReaderSpillBytes}}</max_bytes_before_external_sort>
            <max_temporary_data_on_disk_size_for_user>1073741824</max_temporary_data_on_disk_size_for_user>
            <max_result_rows>{{.Reader.MaxResultRows}}</max_result_rows>
            <max_result_bytes>{{.ReaderResultBytes}}</max_result_bytes>
            <max_rows_to_read>{{.Reader.MaxRowsToRead}}</max_rows_to_read>
            <max_concurrent_queries_for_user>{{.Reader.MaxConcurrentQueries}}</max_concurrent_queries_for_user>
            <max_query_size>262144</max_query_size>
            <max_ast_elements>50000</max_ast_elements>
            <allow_introspection_functions>0</allow_introspection_functions>
            <constraints>
                <max_execution_time><changeable_in_readonly/><min>1</min><max>{{.ReaderSeconds}}</max></max_execution_time>
                <max_memory_usage><changeable_in_readonly/><min>1</min><max>{{.ReaderMemory}}</max></max_memory_usage>
                <max_result_rows><changeable_in_readonly/><min>1</min><max>{{.Reader.MaxResultRows}}</max></max_result_rows>
                <max_result_bytes><changeable_in_readonly/><min>1</min><max>{{.ReaderResultBytes}}</max></max_result_bytes>
                <max_rows_to_read><changeable_in_readonly/><min>1</min><max>{{.Reader.MaxRowsToRead}}</max></max_rows_to_read>
                <max_threads><changeable_in_readonly/><min>1</min><max>{{.QueryThreads}}</max></max_threads>
{{- range .ReaderSettings}}
                <{{.}}><changeable_in_readonly/></{{.}}>
{{- end}}
            </constraints>
        </reader>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <!-- The session that opens the ports, inside the process. It lasts as long
             as the engine and is the only one allowed. -->
        <default>
            <no_password/>
            <networks><ip>::1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT SYSTEM LISTEN ON *.*</query>
                <query>GRANT SELECT ON system.one</query>
            </grants>
        </default>
        <goshawk>
            <password_sha256_hex>{{.PasswordHash}}</password_sha256_hex>
            <networks><ip>127.0.0.0/8</ip><ip>::1</ip></networks>
            <profile>goshawk</profile>
            <quota>default</quota>
            <default_database>default</default_database>
            <grants>
                <query>GRANT ALL ON *.*</query>
                <query>REVOKE SOURCES ON *.*</query>
                <query>GRANT REMOTE ON *.*</query>
            </grants>
        </goshawk>
        <reader>
{{- if .ReaderPasswordHash}}
            <password_sha256_hex>{{.ReaderPasswordHash}}</password_sha256_hex>
{{- else}}
            <no_password/>
{{- end}}
            <networks><ip>127.0.0.0/8</ip><ip>::1</ip></networks>
            <profile>reader</profile>
            <quota>default</quota>
            <default_database>{{.Database}}</default_database>
            <grants>
                <query>GRANT SELECT ON {{.Database}}.*</query>
                <query>GRANT SELECT ON information_schema.*</query>
                <query>GRANT SELECT ON INFORMATION_SCHEMA.*</query>
{{- range .SystemTables}}
                <query>GRANT SELECT ON system.{{.}}</query>
{{- end}}
            </grants>
        </reader>
{{- if .RowFilters}}
        <tenant_reader>
            <no_password/>
            <networks><ip>127.0.0.0/8</ip><ip>::1</ip></networks>
            <profile>reader</profile>
            <quota>default</quota>
            <default_database>{{.Database}}</default_database>
            <grants>
{{- range $table, $filter := .RowFilters}}
                <query>GRANT SELECT ON {{$.Database}}.{{$table}}</query>
{{- end}}
            </grants>
            <databases>
                <{{.Database}}>
{{- range $table, $filter := .RowFilters}}
{{- if $filter}}
                    <{{$table}}><filter>{{$filter}}</filter></{{$table}}>
{{- end}}
{{- end}}
                </{{.Database}}>
            </databases>
        </tenant_reader>
{{- end}}
    </users>
</clickhouse>
`))

// readerSettings may be changed by a query of reader: they change how an answer
// looks, never what may be read or how much.
var readerSettings = []string{
	"date_time_output_format", "format_csv_delimiter", "http_wait_end_of_query", "log_comment",
	"output_format_json_quote_64bit_integers", "output_format_json_quote_denormals",
	"output_format_write_statistics", "result_overflow_mode", "send_progress_in_http_headers",
	"session_timezone",
}

// writeServerFiles writes the engine's configuration below the data directory
// and returns the path of the main file.
func writeServerFiles(cfg Config, password, readerPassword string) (string, error) {
	path, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return "", err
	}
	users := filepath.Join(path, "users.xml")
	threads := max(2, min(8, runtime.NumCPU()))
	values := map[string]any{
		"Path": filepath.Join(path, "store"), "Users": users, "Database": Database,
		"MinFree":   uint64(cfg.MinFreeBytes),
		"MaxMemory": uint64(cfg.MaxMemory),
		"MarkCache": uint64(cfg.MaxMemory) / 16, "SmallCache": uint64(cfg.MaxMemory) / 64,
		"MergeThreads": max(2, min(8, runtime.NumCPU()/2)), "QueryThreads": threads,
		"QueryMemory": uint64(cfg.MaxMemory) / 4 * 3, "SpillBytes": uint64(cfg.MaxMemory) / 4,
		"QueryLog":      map[bool]int{true: 1}[cfg.QueryLog],
		"Reader":        cfg.Reader,
		"ReaderSeconds": int(cfg.Reader.MaxExecutionTime.Seconds()),
		"ReaderMemory":  uint64(cfg.Reader.MaxMemory), "ReaderSpillBytes": uint64(cfg.Reader.MaxMemory) / 2,
		"ReaderResultBytes": uint64(cfg.Reader.MaxResultBytes),
		"ReaderSettings":    readerSettings, "SystemTables": readableSystemTables,
		"RowFilters":   cfg.RowFilters,
		"PasswordHash": digest(password), "ReaderPasswordHash": digest(readerPassword),
	}
	for _, file := range []struct {
		path string
		text *template.Template
	}{{users, usersConfig}, {filepath.Join(path, "config.xml"), serverConfig}} {
		var text bytes.Buffer
		if err := file.text.Execute(&text, values); err != nil {
			return "", fmt.Errorf("writing %s: %w", file.path, err)
		}
		if err := writeFile(file.path, text.Bytes()); err != nil {
			return "", err
		}
	}
	return filepath.Join(path, "config.xml"), nil
}

// digest returns the SHA-256 of a password in hexadecimal, "" for none.
func digest(password string) string {
	if password == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// writeFile replaces path by a file only the owner reads. One that is there
// already is left alone: on a full disk the engine must still start.
func writeFile(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
