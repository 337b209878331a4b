DROP VIEW IF EXISTS {{.Table "otel_logs"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_traces"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_traces_trace_id_ts"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_metrics_gauge"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_metrics_sum"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_metrics_histogram"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_metrics_exponential_histogram"}}{{.OnCluster}} SYNC;
DROP VIEW IF EXISTS {{.Table "otel_metrics_summary"}}{{.OnCluster}} SYNC;
