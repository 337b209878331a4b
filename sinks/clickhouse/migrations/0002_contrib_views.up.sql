CREATE VIEW IF NOT EXISTS {{.Table "otel_logs"}}{{.OnCluster}} AS
SELECT
    time AS `Timestamp`,
    toDateTime(time) AS `TimestampTime`,
    if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS `TraceId`,
    if(reinterpretAsUInt64(span_id) = 0, '', lower(hex(span_id))) AS `SpanId`,
    toUInt8(bitAnd(flags, 255)) AS `TraceFlags`,
    severity_text AS `SeverityText`,
    severity AS `SeverityNumber`,
    service AS `ServiceName`,
    body AS `Body`,
    resource_schema_url AS `ResourceSchemaUrl`,
    resource_attributes AS `ResourceAttributes`,
    scope_schema_url AS `ScopeSchemaUrl`,
    CAST(scope_name, 'String') AS `ScopeName`,
    scope_version AS `ScopeVersion`,
    scope_attributes AS `ScopeAttributes`,
    attributes AS `LogAttributes`,
    CAST(event_name, 'String') AS `EventName`
FROM {{.Table "logs"}};

CREATE VIEW IF NOT EXISTS {{.Table "otel_traces"}}{{.OnCluster}} AS
SELECT
    time AS `Timestamp`,
    lower(hex(trace_id)) AS `TraceId`,
    lower(hex(span_id)) AS `SpanId`,
    if(reinterpretAsUInt64(parent_span_id) = 0, '', lower(hex(parent_span_id))) AS `ParentSpanId`,
    CAST(trace_state, 'String') AS `TraceState`,
    name AS `SpanName`,
    CAST(initcap(CAST(kind, 'String')), 'LowCardinality(String)') AS `SpanKind`,
    service AS `ServiceName`,
    resource_attributes AS `ResourceAttributes`,
    CAST(scope_name, 'String') AS `ScopeName`,
    CAST(scope_version, 'String') AS `ScopeVersion`,
    CAST(mapConcat(attributes, mapApply((k, v) -> (k, toString(v)), attribute_numbers)), 'Map(LowCardinality(String), String)') AS `SpanAttributes`,
    toUInt64(greatest(duration_ns, 0)) AS `Duration`,
    CAST(initcap(CAST(status, 'String')), 'LowCardinality(String)') AS `StatusCode`,
    CAST(status_message, 'String') AS `StatusMessage`,
    `events.time` AS `Events.Timestamp`,
    `events.name` AS `Events.Name`,
    `events.attributes` AS `Events.Attributes`,
    arrayMap(id -> lower(hex(id)), `links.trace_id`) AS `Links.TraceId`,
    arrayMap(id -> lower(hex(id)), `links.span_id`) AS `Links.SpanId`,
    CAST(`links.trace_state`, 'Array(String)') AS `Links.TraceState`,
    `links.attributes` AS `Links.Attributes`
FROM {{.Table "spans"}};

CREATE VIEW IF NOT EXISTS {{.Table "otel_traces_trace_id_ts"}}{{.OnCluster}} AS
SELECT
    lower(hex(trace_id)) AS `TraceId`,
    toDateTime(min(time)) AS `Start`,
    toDateTime(max(time)) AS `End`
FROM {{.Table "spans"}}
GROUP BY trace_id;

CREATE VIEW IF NOT EXISTS {{.Table "otel_metrics_gauge"}}{{.OnCluster}} AS
SELECT
    s.resource_attributes AS `ResourceAttributes`,
    CAST(s.resource_schema_url, 'String') AS `ResourceSchemaUrl`,
    CAST(s.scope_name, 'String') AS `ScopeName`,
    CAST(s.scope_version, 'String') AS `ScopeVersion`,
    s.scope_attributes AS `ScopeAttributes`,
    s.scope_dropped_attributes AS `ScopeDroppedAttrCount`,
    CAST(s.scope_schema_url, 'String') AS `ScopeSchemaUrl`,
    s.service AS `ServiceName`,
    p.metric AS `MetricName`,
    CAST(s.description, 'String') AS `MetricDescription`,
    CAST(s.unit, 'String') AS `MetricUnit`,
    s.attributes AS `Attributes`,
    p.start_time AS `StartTimeUnix`,
    p.time AS `TimeUnix`,
    p.value AS `Value`,
    p.flags AS `Flags`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Exemplars.FilteredAttributes`,
    CAST([], 'Array(DateTime64(9))') AS `Exemplars.TimeUnix`,
    CAST([], 'Array(Float64)') AS `Exemplars.Value`,
    CAST([], 'Array(String)') AS `Exemplars.SpanId`,
    CAST([], 'Array(String)') AS `Exemplars.TraceId`
FROM {{.Table "samples"}} AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM {{.Table "series"}}
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day
WHERE s.kind = 'gauge';

CREATE VIEW IF NOT EXISTS {{.Table "otel_metrics_sum"}}{{.OnCluster}} AS
SELECT
    s.resource_attributes AS `ResourceAttributes`,
    CAST(s.resource_schema_url, 'String') AS `ResourceSchemaUrl`,
    CAST(s.scope_name, 'String') AS `ScopeName`,
    CAST(s.scope_version, 'String') AS `ScopeVersion`,
    s.scope_attributes AS `ScopeAttributes`,
    s.scope_dropped_attributes AS `ScopeDroppedAttrCount`,
    CAST(s.scope_schema_url, 'String') AS `ScopeSchemaUrl`,
    s.service AS `ServiceName`,
    p.metric AS `MetricName`,
    CAST(s.description, 'String') AS `MetricDescription`,
    CAST(s.unit, 'String') AS `MetricUnit`,
    s.attributes AS `Attributes`,
    p.start_time AS `StartTimeUnix`,
    p.time AS `TimeUnix`,
    p.value AS `Value`,
    p.flags AS `Flags`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Exemplars.FilteredAttributes`,
    CAST([], 'Array(DateTime64(9))') AS `Exemplars.TimeUnix`,
    CAST([], 'Array(Float64)') AS `Exemplars.Value`,
    CAST([], 'Array(String)') AS `Exemplars.SpanId`,
    CAST([], 'Array(String)') AS `Exemplars.TraceId`,
    toInt32(s.temporality) AS `AggregationTemporality`,
    s.monotonic AS `IsMonotonic`
FROM {{.Table "samples"}} AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM {{.Table "series"}}
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day
WHERE s.kind = 'sum';

CREATE VIEW IF NOT EXISTS {{.Table "otel_metrics_histogram"}}{{.OnCluster}} AS
SELECT
    s.resource_attributes AS `ResourceAttributes`,
    CAST(s.resource_schema_url, 'String') AS `ResourceSchemaUrl`,
    CAST(s.scope_name, 'String') AS `ScopeName`,
    CAST(s.scope_version, 'String') AS `ScopeVersion`,
    s.scope_attributes AS `ScopeAttributes`,
    s.scope_dropped_attributes AS `ScopeDroppedAttrCount`,
    CAST(s.scope_schema_url, 'String') AS `ScopeSchemaUrl`,
    s.service AS `ServiceName`,
    p.metric AS `MetricName`,
    CAST(s.description, 'String') AS `MetricDescription`,
    CAST(s.unit, 'String') AS `MetricUnit`,
    s.attributes AS `Attributes`,
    p.start_time AS `StartTimeUnix`,
    p.time AS `TimeUnix`,
    p.count AS `Count`,
    p.sum AS `Sum`,
    p.counts AS `BucketCounts`,
    p.bounds AS `ExplicitBounds`,
    p.flags AS `Flags`,
    p.min AS `Min`,
    p.max AS `Max`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Exemplars.FilteredAttributes`,
    CAST([], 'Array(DateTime64(9))') AS `Exemplars.TimeUnix`,
    CAST([], 'Array(Float64)') AS `Exemplars.Value`,
    CAST([], 'Array(String)') AS `Exemplars.SpanId`,
    CAST([], 'Array(String)') AS `Exemplars.TraceId`,
    toInt32(s.temporality) AS `AggregationTemporality`
FROM {{.Table "histograms"}} AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM {{.Table "series"}}
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day;

CREATE VIEW IF NOT EXISTS {{.Table "otel_metrics_exponential_histogram"}}{{.OnCluster}} AS
SELECT
    s.resource_attributes AS `ResourceAttributes`,
    CAST(s.resource_schema_url, 'String') AS `ResourceSchemaUrl`,
    CAST(s.scope_name, 'String') AS `ScopeName`,
    CAST(s.scope_version, 'String') AS `ScopeVersion`,
    s.scope_attributes AS `ScopeAttributes`,
    s.scope_dropped_attributes AS `ScopeDroppedAttrCount`,
    CAST(s.scope_schema_url, 'String') AS `ScopeSchemaUrl`,
    s.service AS `ServiceName`,
    p.metric AS `MetricName`,
    CAST(s.description, 'String') AS `MetricDescription`,
    CAST(s.unit, 'String') AS `MetricUnit`,
    s.attributes AS `Attributes`,
    p.start_time AS `StartTimeUnix`,
    p.time AS `TimeUnix`,
    p.count AS `Count`,
    p.sum AS `Sum`,
    p.scale AS `Scale`,
    p.zero_count AS `ZeroCount`,
    p.positive_offset AS `PositiveOffset`,
    p.positive_counts AS `PositiveBucketCounts`,
    p.negative_offset AS `NegativeOffset`,
    p.negative_counts AS `NegativeBucketCounts`,
    p.flags AS `Flags`,
    p.min AS `Min`,
    p.max AS `Max`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Exemplars.FilteredAttributes`,
    CAST([], 'Array(DateTime64(9))') AS `Exemplars.TimeUnix`,
    CAST([], 'Array(Float64)') AS `Exemplars.Value`,
    CAST([], 'Array(String)') AS `Exemplars.SpanId`,
    CAST([], 'Array(String)') AS `Exemplars.TraceId`,
    toInt32(s.temporality) AS `AggregationTemporality`
FROM {{.Table "exponential_histograms"}} AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM {{.Table "series"}}
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day;

CREATE VIEW IF NOT EXISTS {{.Table "otel_metrics_summary"}}{{.OnCluster}} AS
SELECT
    s.resource_attributes AS `ResourceAttributes`,
    CAST(s.resource_schema_url, 'String') AS `ResourceSchemaUrl`,
    CAST(s.scope_name, 'String') AS `ScopeName`,
    CAST(s.scope_version, 'String') AS `ScopeVersion`,
    s.scope_attributes AS `ScopeAttributes`,
    s.scope_dropped_attributes AS `ScopeDroppedAttrCount`,
    CAST(s.scope_schema_url, 'String') AS `ScopeSchemaUrl`,
    s.service AS `ServiceName`,
    p.metric AS `MetricName`,
    CAST(s.description, 'String') AS `MetricDescription`,
    CAST(s.unit, 'String') AS `MetricUnit`,
    s.attributes AS `Attributes`,
    p.start_time AS `StartTimeUnix`,
    p.time AS `TimeUnix`,
    p.count AS `Count`,
    p.sum AS `Sum`,
    p.quantiles AS `ValueAtQuantiles.Quantile`,
    p.`values` AS `ValueAtQuantiles.Value`,
    p.flags AS `Flags`
FROM {{.Table "summaries"}} AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM {{.Table "series"}}
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day;

