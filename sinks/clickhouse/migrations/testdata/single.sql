-- database and history

CREATE DATABASE IF NOT EXISTS `goshawk`;

CREATE TABLE IF NOT EXISTS `goshawk`.`schema_migrations`
(
    version UInt32,
    name String,
    checksum String,
    applied Bool,
    time DateTime64(9)
)
ENGINE = MergeTree
ORDER BY (version, time)
COMMENT 'migrations that were applied and reverted';

-- 0001 tables

CREATE TABLE IF NOT EXISTS `goshawk`.`logs`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(Default),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), Default),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(Default),
    `time` DateTime64(9) COMMENT 'when the event happened; the time of observation where the sender did not say' CODEC(Delta(8), Default),
    `observed_delay_ns` Int64 COMMENT 'nanoseconds from time to the observation, the least Int64 if the sender did not say' CODEC(Default),
    `observed_time` DateTime64(9) ALIAS if(observed_delay_ns = toInt64(-9223372036854775808), toDateTime64(0, 9), fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + observed_delay_ns)) COMMENT 'when the event was observed, 1970-01-01 if the sender did not say',
    `severity` UInt8 COMMENT 'OTLP severity number, 0 (unspecified) to 24; 9 = INFO, 13 = WARN, 17 = ERROR, 21 = FATAL' CODEC(Default),
    `severity_class` Enum8('unspecified' = 0, 'trace' = 1, 'debug' = 2, 'info' = 3, 'warn' = 4, 'error' = 5, 'fatal' = 6) COMMENT 'severity in words' CODEC(Default),
    `severity_text` LowCardinality(String) COMMENT 'severity as the source wrote it' CODEC(Default),
    `event_name` LowCardinality(String) COMMENT 'name of the event, empty for a plain log record' CODEC(Default),
    `body` String COMMENT 'body as text; an array or map as JSON' CODEC(Default),
    `longest_word` UInt8 DEFAULT 255 COMMENT 'bytes of the longest word of the body as tokens() splits it, 255 for longer ones; a word of a search that is as long can only be a whole word' CODEC(Default),
    `body_kind` Enum8('empty' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7) COMMENT 'OTLP type of the body; bytes are in base64' CODEC(Default),
    `pattern_id` UInt64 COMMENT 'id of the body\'s pattern, see log_patterns_1m; 0 if there is none' CODEC(Default),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(Default),
    `span_id` FixedString(8) COMMENT 'span id in binary, zeros if there is none; hex(span_id) prints it' CODEC(Default),
    `flags` UInt32 COMMENT 'OTLP log record flags; the low byte is the W3C trace flags' CODEC(Default),
    `attributes` Map(LowCardinality(String), String) COMMENT 'attributes of the record as text' CODEC(Default),
    `dropped_attributes` UInt32 COMMENT 'attributes that the sender dropped' CODEC(Default),
    `resource` LowCardinality(String) COMMENT 'the resource as JSON: attributes, schema_url, dropped_attributes_count' CODEC(Default),
    `scope` LowCardinality(String) COMMENT 'the instrumentation scope as JSON: name, version, attributes, schema_url, dropped_attributes_count' CODEC(Default),
    `service_version` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.version"') COMMENT 'resource attribute service.version',
    `service_namespace` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.namespace"') COMMENT 'resource attribute service.namespace',
    `service_instance` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.instance.id"') COMMENT 'resource attribute service.instance.id',
    `environment` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."deployment.environment.name"') COMMENT 'resource attribute deployment.environment.name',
    `host_name` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."host.name"') COMMENT 'resource attribute host.name',
    `k8s_namespace` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.namespace.name"') COMMENT 'resource attribute k8s.namespace.name',
    `k8s_deployment` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.deployment.name"') COMMENT 'resource attribute k8s.deployment.name',
    `k8s_pod` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.pod.name"') COMMENT 'resource attribute k8s.pod.name',
    `resource_attributes` Map(LowCardinality(String), String) ALIAS JSONExtract(resource, 'attributes', 'Map(LowCardinality(String), String)') COMMENT 'attributes of the resource',
    `resource_schema_url` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.schema_url') COMMENT 'schema of the resource\'s attributes',
    `resource_dropped_attributes` UInt32 ALIAS toUInt32OrZero(JSON_VALUE(resource, '$.dropped_attributes_count')) COMMENT 'attributes of the resource that the sender dropped',
    `scope_name` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.name') COMMENT 'name of the instrumentation scope',
    `scope_version` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.version') COMMENT 'version of the instrumentation scope',
    `scope_attributes` Map(LowCardinality(String), String) ALIAS JSONExtract(scope, 'attributes', 'Map(LowCardinality(String), String)') COMMENT 'attributes of the instrumentation scope',
    `scope_schema_url` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.schema_url') COMMENT 'schema of the scope\'s attributes',
    `scope_dropped_attributes` UInt32 ALIAS toUInt32OrZero(JSON_VALUE(scope, '$.dropped_attributes_count')) COMMENT 'attributes of the scope that the sender dropped',
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(Default),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(Default),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), Default),
    INDEX `trace` trace_id TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX `body` body TYPE tokenbf_v1(16384, 2, 0) GRANULARITY 1,
    INDEX `longest_word` longest_word TYPE minmax GRANULARITY 1,
    PROJECTION `streams` (SELECT tenant, bucket, service, resource, severity_class, count(), sum(length(body)) GROUP BY tenant, bucket, service, resource, severity_class)
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, bucket, service, severity_class, kafka_partition, time)
TTL toDateTime(time) + toIntervalDay(retention_days), bucket - toIntervalDay(1) RECOMPRESS CODEC(ZSTD(3))
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728, default_compression_codec = 'NONE'
COMMENT 'log records, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`log_patterns_1m`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'start of the minute, UTC' CODEC(Delta(4), ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(ZSTD(1)),
    `severity_class` Enum8('unspecified' = 0, 'trace' = 1, 'debug' = 2, 'info' = 3, 'warn' = 4, 'error' = 5, 'fatal' = 6) COMMENT 'severity in words' CODEC(ZSTD(1)),
    `pattern_id` UInt64 COMMENT 'id of the body\'s pattern, see log_patterns_1m; 0 if there is none' CODEC(ZSTD(1)),
    `pattern` String COMMENT 'the body with <*> for what differs' CODEC(ZSTD(1)),
    `lines` UInt64 COMMENT 'log records' CODEC(T64, ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, time, service, pattern_id)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'how often log lines of a pattern came: one row for each minute, service, severity, pattern and block; group by what is wanted and sum';

CREATE TABLE IF NOT EXISTS `goshawk`.`errors`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'when it happened' CODEC(Delta(8), ZSTD(1)),
    `error_group` UInt64 COMMENT 'hash of service, type and stack: the same for the same error' CODEC(ZSTD(1)),
    `fingerprint` LowCardinality(String) COMMENT 'what the client groups by instead, empty if it leaves that to the server' CODEC(ZSTD(1)),
    `type` LowCardinality(String) COMMENT 'type of the exception' CODEC(ZSTD(1)),
    `message` String COMMENT 'message of the exception' CODEC(ZSTD(1)),
    `culprit` LowCardinality(String) COMMENT 'function that it comes from' CODEC(ZSTD(1)),
    `stack` String COMMENT 'the stack as text' CODEC(ZSTD(1)),
    `severity_class` Enum8('unspecified' = 0, 'trace' = 1, 'debug' = 2, 'info' = 3, 'warn' = 4, 'error' = 5, 'fatal' = 6) COMMENT 'severity in words' CODEC(ZSTD(1)),
    `handled` Bool COMMENT 'whether the application caught it' CODEC(ZSTD(1)),
    `release` LowCardinality(String) COMMENT 'version of the application' CODEC(ZSTD(1)),
    `environment` LowCardinality(String) COMMENT 'deployment environment of the application' CODEC(ZSTD(1)),
    `user` String COMMENT 'who was affected, empty if it is not known' CODEC(ZSTD(1)),
    `transaction` LowCardinality(String) COMMENT 'request or job in which it happened' CODEC(ZSTD(1)),
    `event_id` String COMMENT 'id that the client gave it' CODEC(ZSTD(1)),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(ZSTD(1)),
    `span_id` FixedString(8) COMMENT 'span id in binary, zeros if there is none; hex(span_id) prints it' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, bucket, service, error_group, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'errors that applications reported with an exception or a stack, one row each; group by error_group';

CREATE TABLE IF NOT EXISTS `goshawk`.`changes`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'when it happened' CODEC(Delta(8), ZSTD(1)),
    `id` String COMMENT 'the same for reports of the same change' CODEC(ZSTD(1)),
    `kind` LowCardinality(String) COMMENT 'deployment, configuration, scaling, restart, rollback, feature_flag or another word' CODEC(ZSTD(1)),
    `status` LowCardinality(String) COMMENT 'started, succeeded or failed' CODEC(ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'what was changed' CODEC(ZSTD(1)),
    `version` LowCardinality(String) COMMENT 'what it is now' CODEC(ZSTD(1)),
    `host_name` LowCardinality(String) COMMENT 'host that was changed' CODEC(ZSTD(1)),
    `environment` LowCardinality(String) COMMENT 'deployment environment' CODEC(ZSTD(1)),
    `author` LowCardinality(String) COMMENT 'who did it' CODEC(ZSTD(1)),
    `source` LowCardinality(String) COMMENT 'what reported it, such as github' CODEC(ZSTD(1)),
    `link` String COMMENT 'where more is to be read' CODEC(ZSTD(1)),
    `title` String COMMENT 'what was done' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, time, service)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'what was changed: deployments, configurations, restarts; a row for each report, of which the last of an id counts';

CREATE TABLE IF NOT EXISTS `goshawk`.`web_hits`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(Default),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), Default),
    `site` LowCardinality(String) COMMENT 'virtual host, or the service where the log names none' CODEC(Default),
    `time` DateTime64(9) COMMENT 'when the server logged the request' CODEC(Delta(8), Default),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(Default),
    `host_name` LowCardinality(String) COMMENT 'resource attribute host.name: the web server' CODEC(Default),
    `client` String COMMENT 'address that requests are from; behind trusted proxies the one that they forward' CODEC(Default),
    `visitor` UInt64 COMMENT 'hash of tenant, site, client and user agent' CODEC(Default),
    `country` LowCardinality(String) COMMENT 'ISO 3166-1 code of the client\'s country, empty if it is not known' CODEC(Default),
    `city` LowCardinality(String) COMMENT 'city of the client, empty without data for cities' CODEC(Default),
    `latitude` Float32 COMMENT 'of the city, or the country\'s centre, in degrees; 0 if it is not known' CODEC(Default),
    `longitude` Float32 COMMENT 'as latitude' CODEC(Default),
    `user` LowCardinality(String) COMMENT 'whom the server authenticated' CODEC(Default),
    `method` LowCardinality(String) COMMENT 'method of HTTP, empty where the request line could not be read' CODEC(Default),
    `path` String COMMENT 'what was asked for, without the query' CODEC(Default),
    `query` String COMMENT 'the query behind the path' CODEC(Default),
    `route` LowCardinality(String) COMMENT 'the path with ids folded' CODEC(Default),
    `protocol` LowCardinality(String) COMMENT 'version of HTTP, such as HTTP/1.1' CODEC(Default),
    `status` UInt16 COMMENT 'status code of the answer' CODEC(Default),
    `sent` Int64 COMMENT 'size of the answer in bytes, -1 if it was not logged' CODEC(Default),
    `duration_ns` Int64 COMMENT 'how long the answer took in nanoseconds, -1 if it was not logged' CODEC(Default),
    `asset` Bool COMMENT 'whether it belongs to a page: an image, a style, a script, a font' CODEC(Default),
    `referrer` String COMMENT 'page that led there, as the client said' CODEC(Default),
    `referrer_host` LowCardinality(String) COMMENT 'host of the referrer' CODEC(Default),
    `keywords` String COMMENT 'what was searched for at the referrer' CODEC(Default),
    `user_agent` LowCardinality(String) COMMENT 'what the client says that it is' CODEC(Default),
    `browser` LowCardinality(String) COMMENT 'family of the browser, such as Firefox' CODEC(Default),
    `system` LowCardinality(String) COMMENT 'family of the operating system, such as Linux' CODEC(Default),
    `bot` LowCardinality(String) COMMENT 'name of a crawler or tool, empty for people' CODEC(Default),
    `tls` LowCardinality(String) COMMENT 'version of TLS, empty without or if it was not logged' CODEC(Default),
    `cache` LowCardinality(String) COMMENT 'what the server\'s cache did, such as HIT' CODEC(Default),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(Default),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(Default),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(Default),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), Default),
    INDEX `client` client TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, bucket, site, time)
TTL toDateTime(time) + toIntervalDay(retention_days), bucket - toIntervalDay(1) RECOMPRESS CODEC(ZSTD(3))
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728, default_compression_codec = 'NONE'
COMMENT 'requests that web servers logged, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`web_sessions`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `site` LowCardinality(String) COMMENT 'virtual host, or the service where the log names none' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'first request' CODEC(Delta(8), ZSTD(1)),
    `end_time` DateTime64(9) COMMENT 'last request' CODEC(Delta(8), ZSTD(1)),
    `visitor` UInt64 COMMENT 'hash of tenant, site, client and user agent' CODEC(ZSTD(1)),
    `client` String COMMENT 'address that requests are from; behind trusted proxies the one that they forward' CODEC(ZSTD(1)),
    `country` LowCardinality(String) COMMENT 'ISO 3166-1 code of the client\'s country, empty if it is not known' CODEC(ZSTD(1)),
    `user` LowCardinality(String) COMMENT 'whom the server authenticated' CODEC(ZSTD(1)),
    `browser` LowCardinality(String) COMMENT 'family of the browser, such as Firefox' CODEC(ZSTD(1)),
    `system` LowCardinality(String) COMMENT 'family of the operating system, such as Linux' CODEC(ZSTD(1)),
    `bot` LowCardinality(String) COMMENT 'name of a crawler or tool, empty for people' CODEC(ZSTD(1)),
    `referrer_host` LowCardinality(String) COMMENT 'host of the referrer of the first page' CODEC(ZSTD(1)),
    `entry` String COMMENT 'path of the first page' CODEC(ZSTD(1)),
    `exit` String COMMENT 'path of the last page' CODEC(ZSTD(1)),
    `hits` UInt32 COMMENT 'requests' CODEC(T64, ZSTD(1)),
    `pages` UInt32 COMMENT 'requests for pages; one is a bounce' CODEC(T64, ZSTD(1)),
    `failures` UInt32 COMMENT 'requests answered 4xx' CODEC(T64, ZSTD(1)),
    `errors` UInt32 COMMENT 'requests answered 5xx' CODEC(T64, ZSTD(1)),
    `sent` Int64 COMMENT 'bytes of all answers' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, bucket, site, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'visits: the requests of a visitor without a pause of half an hour, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`findings`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'last request that it is made of, as of the row' CODEC(Delta(8), ZSTD(1)),
    `id` UInt64 COMMENT 'the same for all rows about one thing' CODEC(ZSTD(1)),
    `kind` LowCardinality(String) COMMENT 'what it is, such as sql_injection or request_flood' CODEC(ZSTD(1)),
    `actor` String COMMENT 'who does it: an address, a network, or many' CODEC(ZSTD(1)),
    `site` LowCardinality(String) COMMENT 'virtual host or service that it is done to' CODEC(ZSTD(1)),
    `subject` String COMMENT 'what of the site: a path, an account, a tool' CODEC(ZSTD(1)),
    `first_time` DateTime64(9) COMMENT 'first request that it is made of' CODEC(Delta(8), ZSTD(1)),
    `hits` UInt64 COMMENT 'requests' CODEC(T64, ZSTD(1)),
    `clients` UInt64 COMMENT 'addresses' CODEC(T64, ZSTD(1)),
    `confidence` Float64 COMMENT 'from 0 to 1' CODEC(ZSTD(1)),
    `harmless` UInt64 COMMENT 'requests of the same actor that were not part of it: what a block would have cost' CODEC(T64, ZSTD(1)),
    `reason` String COMMENT 'what was seen, for a person' CODEC(ZSTD(1)),
    `evidence` Array(String) COMMENT 'requests as lines of the combined log format' CODEC(ZSTD(1)),
    `over` Bool COMMENT 'whether it has ended' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, time, id)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'what somebody does who means harm: a row when it is found, more as it goes on, and one when it is over; of the rows of an id and a partition the one with the greatest hits says most, and the partitions add up';

CREATE TABLE IF NOT EXISTS `goshawk`.`spans`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(Default),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), Default),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(Default),
    `time` DateTime64(9) COMMENT 'start of the span' CODEC(Delta(8), Default),
    `duration_ns` Int64 COMMENT 'end minus start in nanoseconds; negative where the sender\'s clock ran backwards' CODEC(Default),
    `name` LowCardinality(String) COMMENT 'name of the operation' CODEC(Default),
    `kind` Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5) COMMENT 'role of the span' CODEC(Default),
    `status` Enum8('unset' = 0, 'ok' = 1, 'error' = 2) COMMENT 'outcome' CODEC(Default),
    `status_message` LowCardinality(String) COMMENT 'what the sender says of the outcome' CODEC(Default),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(Default),
    `span_id` FixedString(8) COMMENT 'span id in binary, zeros if there is none; hex(span_id) prints it' CODEC(Default),
    `parent_span_id` FixedString(8) COMMENT 'span id of the parent in binary, zeros for a root' CODEC(Default),
    `trace_state` LowCardinality(String) COMMENT 'W3C trace state' CODEC(Default),
    `flags` UInt32 COMMENT 'OTLP span flags; the low byte is the W3C trace flags' CODEC(Default),
    `attributes` Map(LowCardinality(String), String) COMMENT 'attributes that are no numbers, as text' CODEC(Default),
    `attribute_numbers` Map(LowCardinality(String), Float64) COMMENT 'attributes that are numbers; an integer beyond 2^53 is in attributes' CODEC(Default),
    `events.time` Array(DateTime64(9)) COMMENT 'times of the span\'s events' CODEC(Default),
    `events.name` Array(LowCardinality(String)) COMMENT 'names of the span\'s events' CODEC(Default),
    `events.attributes` Array(Map(LowCardinality(String), String)) COMMENT 'attributes of the span\'s events' CODEC(Default),
    `events.dropped_attributes` Array(UInt32) COMMENT 'attributes of events that the sender dropped' CODEC(Default),
    `links.trace_id` Array(FixedString(16)) COMMENT 'trace ids of linked spans' CODEC(Default),
    `links.span_id` Array(FixedString(8)) COMMENT 'span ids of linked spans' CODEC(Default),
    `links.trace_state` Array(LowCardinality(String)) COMMENT 'trace states of linked spans' CODEC(Default),
    `links.flags` Array(UInt32) COMMENT 'flags of links' CODEC(Default),
    `links.attributes` Array(Map(LowCardinality(String), String)) COMMENT 'attributes of links' CODEC(Default),
    `links.dropped_attributes` Array(UInt32) COMMENT 'attributes of links that the sender dropped' CODEC(Default),
    `dropped_attributes` UInt32 COMMENT 'attributes that the sender dropped' CODEC(Default),
    `dropped_events` UInt32 COMMENT 'events that the sender dropped' CODEC(Default),
    `dropped_links` UInt32 COMMENT 'links that the sender dropped' CODEC(Default),
    `resource` LowCardinality(String) COMMENT 'the resource as JSON: attributes, schema_url, dropped_attributes_count' CODEC(Default),
    `scope` LowCardinality(String) COMMENT 'the instrumentation scope as JSON: name, version, attributes, schema_url, dropped_attributes_count' CODEC(Default),
    `service_version` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.version"') COMMENT 'resource attribute service.version',
    `service_namespace` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.namespace"') COMMENT 'resource attribute service.namespace',
    `service_instance` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.instance.id"') COMMENT 'resource attribute service.instance.id',
    `environment` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."deployment.environment.name"') COMMENT 'resource attribute deployment.environment.name',
    `host_name` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."host.name"') COMMENT 'resource attribute host.name',
    `k8s_namespace` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.namespace.name"') COMMENT 'resource attribute k8s.namespace.name',
    `k8s_deployment` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.deployment.name"') COMMENT 'resource attribute k8s.deployment.name',
    `k8s_pod` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.pod.name"') COMMENT 'resource attribute k8s.pod.name',
    `resource_attributes` Map(LowCardinality(String), String) ALIAS JSONExtract(resource, 'attributes', 'Map(LowCardinality(String), String)') COMMENT 'attributes of the resource',
    `resource_schema_url` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.schema_url') COMMENT 'schema of the resource\'s attributes',
    `resource_dropped_attributes` UInt32 ALIAS toUInt32OrZero(JSON_VALUE(resource, '$.dropped_attributes_count')) COMMENT 'attributes of the resource that the sender dropped',
    `scope_name` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.name') COMMENT 'name of the instrumentation scope',
    `scope_version` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.version') COMMENT 'version of the instrumentation scope',
    `scope_attributes` Map(LowCardinality(String), String) ALIAS JSONExtract(scope, 'attributes', 'Map(LowCardinality(String), String)') COMMENT 'attributes of the instrumentation scope',
    `scope_schema_url` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.schema_url') COMMENT 'schema of the scope\'s attributes',
    `scope_dropped_attributes` UInt32 ALIAS toUInt32OrZero(JSON_VALUE(scope, '$.dropped_attributes_count')) COMMENT 'attributes of the scope that the sender dropped',
    `http_request_method` String ALIAS attributes['http.request.method'] COMMENT 'attribute http.request.method',
    `http_route` String ALIAS attributes['http.route'] COMMENT 'attribute http.route',
    `http_response_status_code` UInt16 ALIAS toUInt16(attribute_numbers['http.response.status_code']) COMMENT 'attribute http.response.status_code',
    `url_full` String ALIAS attributes['url.full'] COMMENT 'attribute url.full',
    `url_path` String ALIAS attributes['url.path'] COMMENT 'attribute url.path',
    `server_address` String ALIAS attributes['server.address'] COMMENT 'attribute server.address',
    `client_address` String ALIAS attributes['client.address'] COMMENT 'attribute client.address',
    `user_agent_original` String ALIAS attributes['user_agent.original'] COMMENT 'attribute user_agent.original',
    `error_type` String ALIAS attributes['error.type'] COMMENT 'attribute error.type',
    `rpc_system` String ALIAS attributes['rpc.system'] COMMENT 'attribute rpc.system',
    `rpc_service` String ALIAS attributes['rpc.service'] COMMENT 'attribute rpc.service',
    `rpc_method` String ALIAS attributes['rpc.method'] COMMENT 'attribute rpc.method',
    `db_system_name` String ALIAS attributes['db.system.name'] COMMENT 'attribute db.system.name',
    `db_namespace` String ALIAS attributes['db.namespace'] COMMENT 'attribute db.namespace',
    `db_collection_name` String ALIAS attributes['db.collection.name'] COMMENT 'attribute db.collection.name',
    `db_operation_name` String ALIAS attributes['db.operation.name'] COMMENT 'attribute db.operation.name',
    `db_query_text` String ALIAS attributes['db.query.text'] COMMENT 'attribute db.query.text',
    `messaging_system` String ALIAS attributes['messaging.system'] COMMENT 'attribute messaging.system',
    `messaging_destination_name` String ALIAS attributes['messaging.destination.name'] COMMENT 'attribute messaging.destination.name',
    `messaging_operation_name` String ALIAS attributes['messaging.operation.name'] COMMENT 'attribute messaging.operation.name',
    `sampling_probability` Float64 DEFAULT 1 COMMENT 'how likely it was that the row is kept, 1 where nothing was left to chance; sum(1 / sampling_probability) counts what there was' CODEC(Default),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(Default),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(Default),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), Default),
    INDEX `trace_id` trace_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, bucket, service, kafka_partition, time)
TTL toDateTime(time) + toIntervalDay(retention_days), bucket - toIntervalDay(1) RECOMPRESS CODEC(ZSTD(3))
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728, default_compression_codec = 'NONE'
COMMENT 'spans, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`traces`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'earliest start of the row\'s spans' CODEC(Delta(8), ZSTD(1)),
    `end_time` DateTime64(9) COMMENT 'latest end of the row\'s spans' CODEC(Delta(8), ZSTD(1)),
    `duration_ns` Int64 ALIAS toUnixTimestamp64Nano(end_time) - toUnixTimestamp64Nano(time) COMMENT 'from the earliest start to the latest end in nanoseconds',
    `root_span_id` FixedString(8) COMMENT 'earliest span without a parent, zeros if none was seen' CODEC(ZSTD(1)),
    `root_service` LowCardinality(String) COMMENT 'service of that span' CODEC(ZSTD(1)),
    `root_name` LowCardinality(String) COMMENT 'name of that span' CODEC(ZSTD(1)),
    `root_kind` Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5) COMMENT 'kind of that span' CODEC(ZSTD(1)),
    `spans` UInt32 COMMENT 'spans, each span id once; a client and a server that share one are two' CODEC(T64, ZSTD(1)),
    `errors` UInt32 COMMENT 'spans with status error' CODEC(T64, ZSTD(1)),
    `operations` UInt32 COMMENT 'different pairs of service and span name' CODEC(T64, ZSTD(1)),
    `orphans` UInt32 COMMENT 'spans whose parent is not among the row\'s spans' CODEC(T64, ZSTD(1)),
    `depth` UInt32 COMMENT 'spans on the longest way down from the top, 0 of an oversized trace' CODEC(T64, ZSTD(1)),
    `services` Array(LowCardinality(String)) COMMENT 'names of the services, sorted; 256 at most' CODEC(ZSTD(1)),
    `error_service` LowCardinality(String) COMMENT 'service of the deepest span that failed, the earliest of those; empty if none did' CODEC(ZSTD(1)),
    `error_name` LowCardinality(String) COMMENT 'name of that span' CODEC(ZSTD(1)),
    `critical_path.span_id` Array(FixedString(8)) COMMENT 'spans on the critical path, in the order in which they began' CODEC(ZSTD(1)),
    `critical_path.service` Array(LowCardinality(String)) COMMENT 'their services' CODEC(ZSTD(1)),
    `critical_path.name` Array(LowCardinality(String)) COMMENT 'their names' CODEC(ZSTD(1)),
    `critical_path.share_ns` Array(Int64) COMMENT 'the part of the path\'s time that is each span\'s own, in nanoseconds; they add up to the duration of the root, or of what is at the top' CODEC(ZSTD(1)),
    `closed` Enum8('idle' = 0, 'long' = 1, 'spilled' = 2) COMMENT 'why the trace was taken to be over: nothing came for a while, it was open for as long as it may be, or there was no room' CODEC(ZSTD(1)),
    `oversized` Bool COMMENT 'whether there were too many spans for more than counts, in which repeated span ids may count again' CODEC(ZSTD(1)),
    `cyclic` Bool COMMENT 'whether parents went round in a circle, which was cut' CODEC(ZSTD(1)),
    `sampling_probability` Float64 DEFAULT 1 COMMENT 'how likely it was that the row is kept, 1 where nothing was left to chance; sum(1 / sampling_probability) counts what there was' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, trace_id, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'assembled traces: one row for each trace, and another each time spans came after it was taken to be over; group by tenant and trace_id to have one of each';

CREATE TABLE IF NOT EXISTS `goshawk`.`edges_1m`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'start of the minute, UTC, in which the calls ended' CODEC(Delta(4), ZSTD(1)),
    `caller` LowCardinality(String) COMMENT 'service that calls, empty for a request from outside' CODEC(ZSTD(1)),
    `callee` LowCardinality(String) COMMENT 'service, database, queue or host that is called' CODEC(ZSTD(1)),
    `operation` LowCardinality(String) COMMENT 'name of the callee\'s span, or of the caller\'s where the callee sent none' CODEC(ZSTD(1)),
    `kind` Enum8('service' = 0, 'messaging' = 1, 'database' = 2, 'external' = 3, 'entry' = 4) COMMENT 'what is called: a service that sent spans, a queue or a service through one, a database, a host that sent none; entry is a request from outside' CODEC(ZSTD(1)),
    `calls` UInt64 COMMENT 'calls' CODEC(T64, ZSTD(1)),
    `errors` UInt64 COMMENT 'calls of which the span of either side failed' CODEC(T64, ZSTD(1)),
    `client_sum_ns` Int64 COMMENT 'sum of the time that the caller waited in nanoseconds' CODEC(ZSTD(1)),
    `client.bucket` Array(Int16) COMMENT 'buckets of the time that the caller waited: i has what is over 2^(i/32) and up to 2^((i+1)/32) nanoseconds, -32768 what is 0 or less' CODEC(ZSTD(1)),
    `client.count` Array(UInt64) COMMENT 'number of calls in each bucket; sumMap merges buckets and counts exactly' CODEC(ZSTD(1)),
    `server_sum_ns` Int64 COMMENT 'sum of the time that the callee worked in nanoseconds' CODEC(ZSTD(1)),
    `server.bucket` Array(Int16) COMMENT 'buckets of the time that the callee worked: i has what is over 2^(i/32) and up to 2^((i+1)/32) nanoseconds, -32768 what is 0 or less' CODEC(ZSTD(1)),
    `server.count` Array(UInt64) COMMENT 'number of calls in each bucket; sumMap merges buckets and counts exactly' CODEC(ZSTD(1)),
    `network_sum_ns` Int64 COMMENT 'sum of the caller\'s time minus the callee\'s, of calls that both sent a span of in nanoseconds' CODEC(ZSTD(1)),
    `network.bucket` Array(Int16) COMMENT 'buckets of the caller\'s time minus the callee\'s, of calls that both sent a span of: i has what is over 2^(i/32) and up to 2^((i+1)/32) nanoseconds, -32768 what is 0 or less' CODEC(ZSTD(1)),
    `network.count` Array(UInt64) COMMENT 'number of calls in each bucket; sumMap merges buckets and counts exactly' CODEC(ZSTD(1)),
    `slow_trace_id` FixedString(16) COMMENT 'trace of the slowest call, in binary' CODEC(ZSTD(1)),
    `slow_ns` Int64 COMMENT 'how long the slowest call took, in nanoseconds' CODEC(ZSTD(1)),
    `error_trace_id` FixedString(16) COMMENT 'trace of a call that failed, in binary; zeros if none did' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, time, caller, callee, operation, kind)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'who calls whom: one row for each minute, caller, callee, operation and partition, or several that add up; group by what is wanted and sum';

CREATE TABLE IF NOT EXISTS `goshawk`.`operations_1m`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'start of the minute, UTC, in which the calls ended' CODEC(Delta(4), ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(ZSTD(1)),
    `version` LowCardinality(String) COMMENT 'resource attribute service.version' CODEC(ZSTD(1)),
    `operation` LowCardinality(String) COMMENT 'name of the spans' CODEC(ZSTD(1)),
    `kind` Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5) COMMENT 'kind of the spans' CODEC(ZSTD(1)),
    `calls` UInt64 COMMENT 'spans' CODEC(T64, ZSTD(1)),
    `errors` UInt64 COMMENT 'spans with status error' CODEC(T64, ZSTD(1)),
    `satisfied` UInt64 COMMENT 'spans without an error that took no longer than the threshold of Apdex' CODEC(T64, ZSTD(1)),
    `tolerating` UInt64 COMMENT 'spans without an error that took longer than that, and no longer than four times as long' CODEC(T64, ZSTD(1)),
    `duration_sum_ns` Int64 COMMENT 'sum of the durations of the spans in nanoseconds' CODEC(ZSTD(1)),
    `duration.bucket` Array(Int16) COMMENT 'buckets of the durations of the spans: i has what is over 2^(i/32) and up to 2^((i+1)/32) nanoseconds, -32768 what is 0 or less' CODEC(ZSTD(1)),
    `duration.count` Array(UInt64) COMMENT 'number of calls in each bucket; sumMap merges buckets and counts exactly' CODEC(ZSTD(1)),
    `slow_trace_id` FixedString(16) COMMENT 'trace of the slowest call, in binary' CODEC(ZSTD(1)),
    `slow_ns` Int64 COMMENT 'how long the slowest call took, in nanoseconds' CODEC(ZSTD(1)),
    `error_trace_id` FixedString(16) COMMENT 'trace of a call that failed, in binary; zeros if none did' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, time, service, version, operation, kind)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'rate, errors and durations of spans: one row for each minute, service, version, operation and partition, or several that add up; group by what is wanted and sum';

CREATE TABLE IF NOT EXISTS `goshawk`.`clock_offsets`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'start of the ten seconds, by the caller\'s clock' CODEC(Delta(4), ZSTD(1)),
    `caller_host` LowCardinality(String) COMMENT 'host that calls' CODEC(ZSTD(1)),
    `callee_host` LowCardinality(String) COMMENT 'host that is called' CODEC(ZSTD(1)),
    `calls` UInt64 COMMENT 'calls that the bounds are from' CODEC(T64, ZSTD(1)),
    `lower_ns` Int64 COMMENT 'least that the callee\'s clock is ahead of the caller\'s in nanoseconds, -9223372036854775808 if nothing is known' CODEC(ZSTD(1)),
    `upper_ns` Int64 COMMENT 'most that it is ahead, 9223372036854775807 if nothing is known' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, time, caller_host, callee_host)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'by how much clocks of hosts differ: bounds from calls, for each ten seconds and two hosts; of several rows the greatest lower and the least upper bound hold';

CREATE TABLE IF NOT EXISTS `goshawk`.`samples`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'time of the point' CODEC(Delta(8), ZSTD(1)),
    `start_time` DateTime64(9) COMMENT 'since when a sum or histogram counts, 1970-01-01 if the sender did not say' CODEC(Delta(8), ZSTD(1)),
    `value` Float64 COMMENT 'value; of an integer the nearest double' CODEC(Delta(8), ZSTD(1)),
    `is_int` Bool COMMENT 'whether the sender\'s value is an integer' CODEC(ZSTD(1)),
    `exact_int` Int64 COMMENT 'the integer where a double cannot hold it, else 0' CODEC(ZSTD(1)),
    `flags` UInt32 COMMENT 'OTLP data point flags; 1 = no recorded value (the series went stale)' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, metric, bucket, fingerprint, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 10485760, vertical_merge_algorithm_min_columns_to_activate = 1
COMMENT 'points of gauges and sums, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`histograms`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'time of the point' CODEC(Delta(8), ZSTD(1)),
    `start_time` DateTime64(9) COMMENT 'since when a sum or histogram counts, 1970-01-01 if the sender did not say' CODEC(Delta(8), ZSTD(1)),
    `count` UInt64 COMMENT 'number of measurements' CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 COMMENT 'sum of the measurements' CODEC(Delta(8), ZSTD(1)),
    `min` Float64 COMMENT 'least measurement' CODEC(ZSTD(1)),
    `max` Float64 COMMENT 'greatest measurement' CODEC(ZSTD(1)),
    `has` UInt8 COMMENT 'which of sum (1), min (2), max (4) the sender gave' CODEC(ZSTD(1)),
    `bounds` Array(Float64) COMMENT 'upper bounds of the buckets but the last, ascending' CODEC(ZSTD(1)),
    `counts` Array(UInt64) COMMENT 'measurements per bucket, one more than bounds, or none' CODEC(ZSTD(1)),
    `flags` UInt32 COMMENT 'OTLP data point flags; 1 = no recorded value (the series went stale)' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, metric, bucket, fingerprint, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 10485760, vertical_merge_algorithm_min_columns_to_activate = 1
COMMENT 'points of histograms with explicit bounds, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`exponential_histograms`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'time of the point' CODEC(Delta(8), ZSTD(1)),
    `start_time` DateTime64(9) COMMENT 'since when a sum or histogram counts, 1970-01-01 if the sender did not say' CODEC(Delta(8), ZSTD(1)),
    `count` UInt64 COMMENT 'number of measurements' CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 COMMENT 'sum of the measurements' CODEC(Delta(8), ZSTD(1)),
    `min` Float64 COMMENT 'least measurement' CODEC(ZSTD(1)),
    `max` Float64 COMMENT 'greatest measurement' CODEC(ZSTD(1)),
    `has` UInt8 COMMENT 'which of sum (1), min (2), max (4) the sender gave' CODEC(ZSTD(1)),
    `scale` Int32 COMMENT 'resolution: bounds are powers of 2^(2^-scale)' CODEC(ZSTD(1)),
    `zero_count` UInt64 COMMENT 'measurements within the zero threshold' CODEC(ZSTD(1)),
    `zero_threshold` Float64 COMMENT 'width of the zero bucket' CODEC(ZSTD(1)),
    `positive_offset` Int32 COMMENT 'index of the first positive bucket' CODEC(ZSTD(1)),
    `positive_counts` Array(UInt64) COMMENT 'measurements per positive bucket' CODEC(ZSTD(1)),
    `negative_offset` Int32 COMMENT 'index of the first negative bucket' CODEC(ZSTD(1)),
    `negative_counts` Array(UInt64) COMMENT 'measurements per negative bucket' CODEC(ZSTD(1)),
    `flags` UInt32 COMMENT 'OTLP data point flags; 1 = no recorded value (the series went stale)' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, metric, bucket, fingerprint, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 10485760, vertical_merge_algorithm_min_columns_to_activate = 1
COMMENT 'points of exponential histograms, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`summaries`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'time of the point' CODEC(Delta(8), ZSTD(1)),
    `start_time` DateTime64(9) COMMENT 'since when a sum or histogram counts, 1970-01-01 if the sender did not say' CODEC(Delta(8), ZSTD(1)),
    `count` UInt64 COMMENT 'number of measurements' CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 COMMENT 'sum of the measurements' CODEC(Delta(8), ZSTD(1)),
    `quantiles` Array(Float64) COMMENT 'quantiles, 0 to 1' CODEC(ZSTD(1)),
    `values` Array(Float64) COMMENT 'values at the quantiles' CODEC(ZSTD(1)),
    `flags` UInt32 COMMENT 'OTLP data point flags; 1 = no recorded value (the series went stale)' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, metric, bucket, fingerprint, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 10485760, vertical_merge_algorithm_min_columns_to_activate = 1
COMMENT 'points of summaries, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`series`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `prometheus_name` LowCardinality(String) COMMENT 'name in PromQL: metric with unit and type as suffixes; of a histogram or summary without _bucket, _sum, _count; empty where PromQL does not see the series' CODEC(ZSTD(1)),
    `labels` Map(LowCardinality(String), String) COMMENT 'labels in PromQL, but __name__, le and quantile' CODEC(ZSTD(1)),
    `protocol` Enum8('otlp' = 0, 'remote_write' = 1, 'exemplars' = 2, 'metadata' = 3) COMMENT 'where the series came from: otlp, or a part of Prometheus remote-write: its samples, exemplars without a sample, or metadata of a metric' CODEC(ZSTD(1)),
    `day` Date COMMENT 'a day, UTC, on which the series has points' CODEC(ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(ZSTD(1)),
    `kind` Enum8('empty' = 0, 'gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5) COMMENT 'shape of the points, which says in which table they are' CODEC(ZSTD(1)),
    `temporality` Enum8('unspecified' = 0, 'delta' = 1, 'cumulative' = 2) COMMENT 'what a sum or histogram counts from' CODEC(ZSTD(1)),
    `monotonic` Bool COMMENT 'whether a sum only grows' CODEC(ZSTD(1)),
    `unit` LowCardinality(String) COMMENT 'unit of the values' CODEC(ZSTD(1)),
    `description` LowCardinality(String) COMMENT 'what the metric measures' CODEC(ZSTD(1)),
    `metadata` Map(LowCardinality(String), String) COMMENT 'attributes of the metric itself' CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) COMMENT 'attributes of the series\' points, as the sender named them' CODEC(ZSTD(1)),
    `resource` LowCardinality(String) COMMENT 'the resource as JSON: attributes, schema_url, dropped_attributes_count' CODEC(ZSTD(1)),
    `scope` LowCardinality(String) COMMENT 'the instrumentation scope as JSON: name, version, attributes, schema_url, dropped_attributes_count' CODEC(ZSTD(1)),
    `service_version` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.version"') COMMENT 'resource attribute service.version',
    `service_namespace` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.namespace"') COMMENT 'resource attribute service.namespace',
    `service_instance` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."service.instance.id"') COMMENT 'resource attribute service.instance.id',
    `environment` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."deployment.environment.name"') COMMENT 'resource attribute deployment.environment.name',
    `host_name` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."host.name"') COMMENT 'resource attribute host.name',
    `k8s_namespace` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.namespace.name"') COMMENT 'resource attribute k8s.namespace.name',
    `k8s_deployment` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.deployment.name"') COMMENT 'resource attribute k8s.deployment.name',
    `k8s_pod` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.attributes."k8s.pod.name"') COMMENT 'resource attribute k8s.pod.name',
    `resource_attributes` Map(LowCardinality(String), String) ALIAS JSONExtract(resource, 'attributes', 'Map(LowCardinality(String), String)') COMMENT 'attributes of the resource',
    `resource_schema_url` LowCardinality(String) ALIAS JSON_VALUE(resource, '$.schema_url') COMMENT 'schema of the resource\'s attributes',
    `resource_dropped_attributes` UInt32 ALIAS toUInt32OrZero(JSON_VALUE(resource, '$.dropped_attributes_count')) COMMENT 'attributes of the resource that the sender dropped',
    `scope_name` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.name') COMMENT 'name of the instrumentation scope',
    `scope_version` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.version') COMMENT 'version of the instrumentation scope',
    `scope_attributes` Map(LowCardinality(String), String) ALIAS JSONExtract(scope, 'attributes', 'Map(LowCardinality(String), String)') COMMENT 'attributes of the instrumentation scope',
    `scope_schema_url` LowCardinality(String) ALIAS JSON_VALUE(scope, '$.schema_url') COMMENT 'schema of the scope\'s attributes',
    `scope_dropped_attributes` UInt32 ALIAS toUInt32OrZero(JSON_VALUE(scope, '$.dropped_attributes_count')) COMMENT 'attributes of the scope that the sender dropped',
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the series came from' CODEC(ZSTD(1)),
    INDEX `prometheus_name` prometheus_name TYPE set(1000) GRANULARITY 1,
    INDEX `label_pairs` arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels)) TYPE text(tokenizer = 'array') GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, metric, fingerprint, kind, day)
TTL toDateTime(day) + toIntervalDay(retention_days + 1)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728, index_granularity = 1024
COMMENT 'what a fingerprint stands for, one row per series, shape of its points and day';

CREATE TABLE IF NOT EXISTS `goshawk`.`exemplars`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `bucket` DateTime COMMENT 'time rounded down to 30 minutes, UTC; bound it in every query that bounds time' CODEC(Delta(4), ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime64(9) COMMENT 'time of the point' CODEC(Delta(8), ZSTD(1)),
    `value` Float64 COMMENT 'measurement; of an integer the nearest double' CODEC(ZSTD(1)),
    `is_int` Bool COMMENT 'whether the measurement is an integer' CODEC(ZSTD(1)),
    `exact_int` Int64 COMMENT 'the integer where a double cannot hold it, else 0' CODEC(ZSTD(1)),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(ZSTD(1)),
    `span_id` FixedString(8) COMMENT 'span id in binary, zeros if there is none; hex(span_id) prints it' CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) COMMENT 'attributes of the measurement that the point does not have' CODEC(ZSTD(1)),
    `exemplar_time` DateTime64(9) COMMENT 'time of the measurement, as the sender gave it' CODEC(Delta(8), ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toDate(time, 'UTC'))
ORDER BY (tenant, metric, bucket, fingerprint, time)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 10485760, vertical_merge_algorithm_min_columns_to_activate = 1
COMMENT 'measurements that points remember with their trace, one row each';

CREATE TABLE IF NOT EXISTS `goshawk`.`samples_1m`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, of the windows: those that end after its first moment and up to its last' CODEC(ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'end of the window, which is part of it; its start is not' CODEC(Delta(4), ZSTD(1)),
    `version` UInt64 COMMENT 'which computing of the day the row is of: when it began, in nanoseconds; only that which rollups has published counts' CODEC(ZSTD(1)),
    `count` UInt32 COMMENT 'number of samples, without marks of a stale series; where it is 0 only stale_after says something' CODEC(T64, ZSTD(1)),
    `first_after` UInt32 COMMENT 'when the first sample is, in milliseconds after the window\'s start' CODEC(T64, ZSTD(1)),
    `last_after` UInt32 COMMENT 'when the last sample is, in milliseconds after the window\'s start' CODEC(T64, ZSTD(1)),
    `stale_after` UInt32 COMMENT 'when the series was marked as stale after its last sample, in milliseconds after the window\'s start; 0 if it was not' CODEC(T64, ZSTD(1)),
    `first` Float64 COMMENT 'first sample' CODEC(Delta(8), ZSTD(1)),
    `last` Float64 COMMENT 'last sample' CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 COMMENT 'sum of the samples; NaN where one is' CODEC(Delta(8), ZSTD(1)),
    `min_bits` UInt64 COMMENT 'bits of min, exclusive or those of first' CODEC(ZSTD(1)),
    `max_bits` UInt64 COMMENT 'bits of max, exclusive or those of last' CODEC(ZSTD(1)),
    `min` Float64 ALIAS reinterpretAsFloat64(bitXor(min_bits, reinterpretAsUInt64(first))) COMMENT 'least sample; NaN where all are',
    `max` Float64 ALIAS reinterpretAsFloat64(bitXor(max_bits, reinterpretAsUInt64(last))) COMMENT 'greatest sample; NaN where all are',
    `resets` Float64 COMMENT 'what a counter had each time before it began anew; last - first + resets is its increase' CODEC(ZSTD(1)),
    `rounding` Float64 COMMENT 'what is to be added to that for the bits that adding sample by sample gives' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, metric, day, fingerprint, time)
TTL toDateTime(day) + toIntervalDay(retention_days + 1)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'what samples add up to in windows of 1m, (time - 1m, time]; one row for each series and window, or several whose samples follow each other';

CREATE TABLE IF NOT EXISTS `goshawk`.`samples_5m`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, of the windows: those that end after its first moment and up to its last' CODEC(ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'end of the window, which is part of it; its start is not' CODEC(Delta(4), ZSTD(1)),
    `version` UInt64 COMMENT 'which computing of the day the row is of: when it began, in nanoseconds; only that which rollups has published counts' CODEC(ZSTD(1)),
    `count` UInt32 COMMENT 'number of samples, without marks of a stale series; where it is 0 only stale_after says something' CODEC(T64, ZSTD(1)),
    `first_after` UInt32 COMMENT 'when the first sample is, in milliseconds after the window\'s start' CODEC(T64, ZSTD(1)),
    `last_after` UInt32 COMMENT 'when the last sample is, in milliseconds after the window\'s start' CODEC(T64, ZSTD(1)),
    `stale_after` UInt32 COMMENT 'when the series was marked as stale after its last sample, in milliseconds after the window\'s start; 0 if it was not' CODEC(T64, ZSTD(1)),
    `first` Float64 COMMENT 'first sample' CODEC(Delta(8), ZSTD(1)),
    `last` Float64 COMMENT 'last sample' CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 COMMENT 'sum of the samples; NaN where one is' CODEC(Delta(8), ZSTD(1)),
    `min_bits` UInt64 COMMENT 'bits of min, exclusive or those of first' CODEC(ZSTD(1)),
    `max_bits` UInt64 COMMENT 'bits of max, exclusive or those of last' CODEC(ZSTD(1)),
    `min` Float64 ALIAS reinterpretAsFloat64(bitXor(min_bits, reinterpretAsUInt64(first))) COMMENT 'least sample; NaN where all are',
    `max` Float64 ALIAS reinterpretAsFloat64(bitXor(max_bits, reinterpretAsUInt64(last))) COMMENT 'greatest sample; NaN where all are',
    `resets` Float64 COMMENT 'what a counter had each time before it began anew; last - first + resets is its increase' CODEC(ZSTD(1)),
    `rounding` Float64 COMMENT 'what is to be added to that for the bits that adding sample by sample gives' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, metric, day, fingerprint, time)
TTL toDateTime(day) + toIntervalDay(retention_days + 1)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'what samples add up to in windows of 5m, (time - 5m, time]; one row for each series and window, or several whose samples follow each other';

CREATE TABLE IF NOT EXISTS `goshawk`.`samples_1h`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `metric` LowCardinality(String) COMMENT 'metric name as the sender gave it' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, of the windows: those that end after its first moment and up to its last' CODEC(ZSTD(1)),
    `fingerprint` UInt64 COMMENT 'identity of the series: hash of tenant, metric, resource, scope and attributes; see table series' CODEC(ZSTD(1)),
    `time` DateTime COMMENT 'end of the window, which is part of it; its start is not' CODEC(Delta(4), ZSTD(1)),
    `version` UInt64 COMMENT 'which computing of the day the row is of: when it began, in nanoseconds; only that which rollups has published counts' CODEC(ZSTD(1)),
    `count` UInt32 COMMENT 'number of samples, without marks of a stale series; where it is 0 only stale_after says something' CODEC(T64, ZSTD(1)),
    `first_after` UInt32 COMMENT 'when the first sample is, in milliseconds after the window\'s start' CODEC(T64, ZSTD(1)),
    `last_after` UInt32 COMMENT 'when the last sample is, in milliseconds after the window\'s start' CODEC(T64, ZSTD(1)),
    `stale_after` UInt32 COMMENT 'when the series was marked as stale after its last sample, in milliseconds after the window\'s start; 0 if it was not' CODEC(T64, ZSTD(1)),
    `first` Float64 COMMENT 'first sample' CODEC(Delta(8), ZSTD(1)),
    `last` Float64 COMMENT 'last sample' CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 COMMENT 'sum of the samples; NaN where one is' CODEC(Delta(8), ZSTD(1)),
    `min_bits` UInt64 COMMENT 'bits of min, exclusive or those of first' CODEC(ZSTD(1)),
    `max_bits` UInt64 COMMENT 'bits of max, exclusive or those of last' CODEC(ZSTD(1)),
    `min` Float64 ALIAS reinterpretAsFloat64(bitXor(min_bits, reinterpretAsUInt64(first))) COMMENT 'least sample; NaN where all are',
    `max` Float64 ALIAS reinterpretAsFloat64(bitXor(max_bits, reinterpretAsUInt64(last))) COMMENT 'greatest sample; NaN where all are',
    `resets` Float64 COMMENT 'what a counter had each time before it began anew; last - first + resets is its increase' CODEC(ZSTD(1)),
    `rounding` Float64 COMMENT 'what is to be added to that for the bits that adding sample by sample gives' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, metric, day, fingerprint, time)
TTL toDateTime(day) + toIntervalDay(retention_days + 1)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, merge_selector_base = 20, min_bytes_for_wide_part = 134217728
COMMENT 'what samples add up to in windows of 1h, (time - 1h, time]; one row for each series and window, or several whose samples follow each other';

CREATE TABLE IF NOT EXISTS `goshawk`.`rollups`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, of the windows: those that end after its first moment and up to its last' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'which computing of the day the row is of: when it began, in nanoseconds; only that which rollups has published counts' CODEC(ZSTD(1)),
    `published` DateTime64(9) COMMENT 'since when the version may be read, 1970-01-01 while it is computed' CODEC(ZSTD(1)),
    `checked` DateTime64(9) COMMENT 'when the row was written' CODEC(ZSTD(1)),
    `topic` LowCardinality(String) COMMENT 'topic that the offsets are of' CODEC(ZSTD(1)),
    `partitions` Array(UInt32) COMMENT 'partitions of the topic' CODEC(ZSTD(1)),
    `offsets` Array(UInt64) COMMENT 'offset of each partition up to which everything is part of the version; the ledger knows whether something came later' CODEC(ZSTD(1)),
    `samples` UInt64 COMMENT 'rows of the table samples that the version was made of' CODEC(ZSTD(1)),
    `rows` Map(LowCardinality(String), UInt64) COMMENT 'rows in the table of each resolution that was computed' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(checked)
PARTITION BY (retention_days, toYYYYMM(day))
ORDER BY (tenant, day, version)
TTL toDateTime(day) + toIntervalDay(retention_days + 1)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'the books of the rollups: one row for each tenant, day and version, of which the greatest that is published counts; rows that say the same of a later time replace earlier ones';

CREATE TABLE IF NOT EXISTS `goshawk`.`sampling`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, in which the traces began' CODEC(ZSTD(1)),
    `run` UInt32 COMMENT 'the how manieth time the day is thinned, from 1' CODEC(ZSTD(1)),
    `plan` UInt64 COMMENT 'the plan that the row is part of; only those that are in the table sampling count' CODEC(ZSTD(1)),
    `state` Enum8('begun' = 0, 'done' = 1) COMMENT 'whether rows are being deleted, or have been' CODEC(ZSTD(1)),
    `checked` DateTime64(9) COMMENT 'when the row was written' CODEC(ZSTD(1)),
    `probability` Float64 COMMENT 'how likely a trace is kept that did not fail and was not slow' CODEC(ZSTD(1)),
    `slow_quantile` Float64 COMMENT 'the quantile of durations above which a trace is slow' CODEC(ZSTD(1)),
    `slow.service` Array(LowCardinality(String)) COMMENT 'root services of operations that have slow traces' CODEC(ZSTD(1)),
    `slow.name` Array(LowCardinality(String)) COMMENT 'names of their roots' CODEC(ZSTD(1)),
    `slow.duration_ns` Array(Int64) COMMENT 'duration in nanoseconds above which their traces are slow' CODEC(ZSTD(1)),
    `topic` LowCardinality(String) COMMENT 'topic that the offsets are of' CODEC(ZSTD(1)),
    `partitions` Array(UInt32) COMMENT 'partitions of the topic' CODEC(ZSTD(1)),
    `offsets` Array(UInt64) COMMENT 'offset of each partition; rows of later blocks are left alone' CODEC(ZSTD(1)),
    `kept` UInt64 COMMENT 'rows of the plan in the table sampling_traces' CODEC(ZSTD(1)),
    `spans` UInt64 COMMENT 'rows of the day in the table spans when the run was planned' CODEC(ZSTD(1)),
    `spans_removed` UInt64 COMMENT 'rows of the table spans that the run deletes, also those of the day after' CODEC(ZSTD(1)),
    `traces` UInt64 COMMENT 'rows of the day in the table traces when the run was planned' CODEC(ZSTD(1)),
    `traces_removed` UInt64 COMMENT 'rows of the table traces that the run deletes, also those of the day after' CODEC(ZSTD(1)),
    `bytes_removed` UInt64 COMMENT 'about how many bytes on disk these rows took' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(checked)
PARTITION BY (retention_days, toYYYYMM(day))
ORDER BY (tenant, day, run)
TTL toDateTime(day) + toIntervalDay(retention_days + 2)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'the books of sampling: one row for each tenant, day and run, written before anything is deleted; rows that say the same of a later time replace earlier ones';

CREATE TABLE IF NOT EXISTS `goshawk`.`sampling_blocks`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, in which the traces began' CODEC(ZSTD(1)),
    `plan` UInt64 COMMENT 'the plan that the row is part of; only those that are in the table sampling count' CODEC(ZSTD(1)),
    `removed` UInt64 COMMENT 'rows of the block that the run deletes from the table spans' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the row came from' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block that the row came with; ledger.from_offset' CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toYYYYMM(day))
ORDER BY (kafka_partition, kafka_offset, tenant, day, plan)
TTL toDateTime(day) + toIntervalDay(retention_days + 2)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'how many spans of each block a run of sampling deletes, so that the ledger can be held against what is left';

CREATE TABLE IF NOT EXISTS `goshawk`.`sampling_traces`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `day` Date COMMENT 'the day, UTC, in which the traces began' CODEC(ZSTD(1)),
    `plan` UInt64 COMMENT 'the plan that the row is part of; only those that are in the table sampling count' CODEC(ZSTD(1)),
    `trace_id` FixedString(16) COMMENT 'trace id in binary, zeros if there is none; hex(trace_id) prints it' CODEC(ZSTD(1)),
    `reason` Enum8('error' = 0, 'slow' = 1, 'unassembled' = 2, 'earlier' = 3, 'crossing' = 4) COMMENT 'why it is kept: a span failed, it was slow, it was not assembled, it began on an earlier day; crossing is left to chance and goes on after midnight' CODEC(ZSTD(1)),
    `probability` Float64 COMMENT 'of one that began earlier what its rows of that day have, otherwise 1' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the topic that the trace came from' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, day)
ORDER BY (tenant, day, plan, trace_id)
TTL toDateTime(day) + toIntervalDay(retention_days + 2)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'traces that a run of sampling does not leave to chance, and those that go on after midnight';

CREATE TABLE IF NOT EXISTS `goshawk`.`topology`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `thing` Enum8('service' = 0, 'version' = 1, 'edge' = 2) COMMENT 'what the row is about' CODEC(ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'the service; the caller of an edge, empty for a request from outside' CODEC(ZSTD(1)),
    `version` LowCardinality(String) COMMENT 'resource attribute service.version, of a version' CODEC(ZSTD(1)),
    `callee` LowCardinality(String) COMMENT 'service, database, queue or host that is called, of an edge' CODEC(ZSTD(1)),
    `kind` Enum8('service' = 0, 'messaging' = 1, 'database' = 2, 'external' = 3, 'entry' = 4) COMMENT 'what is called, of an edge, as in edges_1m' CODEC(ZSTD(1)),
    `state` Enum8('present' = 0, 'vanished' = 1) COMMENT 'whether it was seen of late' CODEC(ZSTD(1)),
    `first_seen` DateTime COMMENT 'first minute in which it was seen' CODEC(ZSTD(1)),
    `last_seen` DateTime COMMENT 'last minute in which it was seen, up to ten minutes behind for what is present' CODEC(ZSTD(1)),
    `changed` DateTime COMMENT 'minute since which it is in that state' CODEC(ZSTD(1)),
    `announced` Bool COMMENT 'whether the event of the last change is in Kafka' CODEC(ZSTD(1)),
    `trace_id` FixedString(16) COMMENT 'a trace in which it was seen, in binary; zeros if none is known' CODEC(ZSTD(1)),
    `revision` UInt64 COMMENT 'grows with every change: minutes of changed, then whether it is announced, then minutes of last_seen' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from last_seen' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY retention_days
ORDER BY (tenant, thing, service, version, callee, kind)
TTL last_seen + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'the books of the topology: services, their versions and the edges between them that are known, one row each; rows of a greater revision replace earlier ones';

CREATE TABLE IF NOT EXISTS `goshawk`.`log_patterns`
(
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `service` LowCardinality(String) COMMENT 'resource attribute service.name' CODEC(ZSTD(1)),
    `pattern_id` UInt64 COMMENT 'id of the body\'s pattern, see log_patterns_1m; 0 if there is none' CODEC(ZSTD(1)),
    `merged_id` UInt64 COMMENT 'the pattern_id of the merged pattern\'s first member, which is its id' CODEC(ZSTD(1)),
    `merged` String COMMENT 'the merged pattern' CODEC(ZSTD(1)),
    `pattern` String COMMENT 'the pattern, as in log_patterns_1m' CODEC(ZSTD(1)),
    `severity_class` Enum8('unspecified' = 0, 'trace' = 1, 'debug' = 2, 'info' = 3, 'warn' = 4, 'error' = 5, 'fatal' = 6) COMMENT 'the most severe class of its lines' CODEC(ZSTD(1)),
    `state` Enum8('present' = 0, 'vanished' = 1) COMMENT 'whether the merged pattern was seen of late, in the row whose pattern_id is merged_id' CODEC(ZSTD(1)),
    `first_seen` DateTime COMMENT 'first minute in which it was seen' CODEC(ZSTD(1)),
    `last_seen` DateTime COMMENT 'last minute in which it was seen, up to half an hour behind for what is present' CODEC(ZSTD(1)),
    `changed` DateTime COMMENT 'minute since which it is in that state' CODEC(ZSTD(1)),
    `looks` UInt32 COMMENT 'how often it was looked for and had come since, which tells its usual gap' CODEC(ZSTD(1)),
    `announced` Bool COMMENT 'whether the event of the last change is in Kafka, or there is none to make' CODEC(ZSTD(1)),
    `revision` UInt64 COMMENT 'grows with every change' CODEC(ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from last_seen' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY retention_days
ORDER BY (tenant, service, pattern_id)
TTL last_seen + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'the books of log patterns: the pattern that each of log_patterns_1m is part of once those that differ in words that vary are merged, one row each; rows of a greater revision replace earlier ones';

CREATE TABLE IF NOT EXISTS `goshawk`.`dead_letters`
(
    `time` DateTime64(9) COMMENT 'receive time of the record' CODEC(Delta(8), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `topic` LowCardinality(String) COMMENT 'topic of the record' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the record' CODEC(ZSTD(1)),
    `kafka_offset` UInt64 COMMENT 'first offset of the block; ledger.from_offset' CODEC(ZSTD(1)),
    `record_offset` UInt64 COMMENT 'offset of the record' CODEC(ZSTD(1)),
    `position` UInt32 COMMENT 'number of the reject within the block, from 0' CODEC(ZSTD(1)),
    `signal` Enum8('logs' = 0, 'spans' = 1, 'metrics' = 2) COMMENT 'what the record carries' CODEC(ZSTD(1)),
    `reason_code` LowCardinality(String) COMMENT 'what is wrong, as a short label' CODEC(ZSTD(1)),
    `reason` String COMMENT 'what is wrong, in words' CODEC(ZSTD(1)),
    `events` UInt64 COMMENT 'events in the part' CODEC(ZSTD(1)),
    `value` String COMMENT 'an OTLP export request with just this part, or the record\'s value' CODEC(ZSTD(3)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toYYYYMM(time, 'UTC'))
ORDER BY (tenant, topic, time, kafka_partition, record_offset, position)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'parts of records that could not become rows, with the reason';

CREATE TABLE IF NOT EXISTS `goshawk`.`dead_letter_replays`
(
    `time` DateTime64(9) COMMENT 'when the dead letter was produced again' CODEC(Delta(8), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `topic` LowCardinality(String) COMMENT 'topic of the dead letter' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the dead letter' CODEC(ZSTD(1)),
    `record_offset` UInt64 COMMENT 'offset of the dead letter\'s record' CODEC(ZSTD(1)),
    `position` UInt32 COMMENT 'number of the dead letter within its block' CODEC(ZSTD(1)),
    `received` DateTime64(9) COMMENT 'receive time of the record, dead_letters.time' CODEC(Delta(8), ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY (retention_days, toYYYYMM(time, 'UTC'))
ORDER BY (tenant, topic, kafka_partition, record_offset, position, received)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'which dead letters were produced again, and when';

CREATE TABLE IF NOT EXISTS `goshawk`.`ledger`
(
    `time` DateTime64(9) COMMENT 'latest receive time of the block\'s records' CODEC(Delta(8), ZSTD(1)),
    `tenant` LowCardinality(String) COMMENT 'owner of the row; leads every key' CODEC(ZSTD(1)),
    `topic` LowCardinality(String) COMMENT 'topic of the block' CODEC(ZSTD(1)),
    `kafka_partition` UInt32 COMMENT 'partition of the block' CODEC(ZSTD(1)),
    `from_offset` UInt64 COMMENT 'first offset of the block' CODEC(ZSTD(1)),
    `to_offset` UInt64 COMMENT 'offset after the last of the block' CODEC(ZSTD(1)),
    `records` UInt64 COMMENT 'Kafka records of the tenant in the block, repeated ones included' CODEC(ZSTD(1)),
    `accepted` UInt64 COMMENT 'events of the records that are no repeats: as the gateway declared, or as decoded' CODEC(ZSTD(1)),
    `stored` UInt64 COMMENT 'rows in the event tables' CODEC(ZSTD(1)),
    `rejected` UInt64 COMMENT 'events that could not become rows; they are in dead_letters' CODEC(ZSTD(1)),
    `dropped` UInt64 COMMENT 'events that processors dropped by rule' CODEC(ZSTD(1)),
    `repeated` UInt64 COMMENT 'events of records that repeat earlier ones; they are not in the tables again' CODEC(ZSTD(1)),
    `min_time` DateTime64(9) COMMENT 'earliest time of the stored events, 1970-01-01 if there are none' CODEC(Delta(8), ZSTD(1)),
    `max_time` DateTime64(9) COMMENT 'latest time of the stored events, 1970-01-01 if there are none' CODEC(Delta(8), ZSTD(1)),
    `retention_days` UInt16 COMMENT 'days after which the row expires, counted from its time' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (retention_days, toYYYYMM(time, 'UTC'))
ORDER BY (topic, kafka_partition, from_offset, tenant)
TTL toDateTime(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'the books: one row per block and tenant, accepted = stored + rejected + dropped; the blocks of a partition follow each other without a gap';

-- 0002 contrib_views

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_logs` AS
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
FROM `goshawk`.`logs`;

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_traces` AS
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
FROM `goshawk`.`spans`;

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_traces_trace_id_ts` AS
SELECT
    lower(hex(trace_id)) AS `TraceId`,
    toDateTime(min(time)) AS `Start`,
    toDateTime(max(time)) AS `End`
FROM `goshawk`.`spans`
GROUP BY trace_id;

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_metrics_gauge` AS
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
FROM `goshawk`.`samples` AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM `goshawk`.`series`
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day
WHERE s.kind = 'gauge';

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_metrics_sum` AS
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
FROM `goshawk`.`samples` AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM `goshawk`.`series`
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day
WHERE s.kind = 'sum';

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_metrics_histogram` AS
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
FROM `goshawk`.`histograms` AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM `goshawk`.`series`
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day;

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_metrics_exponential_histogram` AS
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
FROM `goshawk`.`exponential_histograms` AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM `goshawk`.`series`
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day;

CREATE VIEW IF NOT EXISTS `goshawk`.`otel_metrics_summary` AS
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
FROM `goshawk`.`summaries` AS p
ANY LEFT JOIN
(
    SELECT tenant, metric, fingerprint, toDate(day) AS day, service, kind, temporality, monotonic, unit, description, attributes,
        resource_attributes, resource_schema_url, scope_name, scope_version, scope_attributes, scope_dropped_attributes, scope_schema_url
    FROM `goshawk`.`series`
) AS s
ON p.tenant = s.tenant AND p.metric = s.metric AND p.fingerprint = s.fingerprint AND toDate(p.time, 'UTC') = s.day;

