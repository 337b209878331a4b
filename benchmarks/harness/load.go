package main

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/benchmarks/shop"
)

// benchLogs and benchSpans are the standard loads, with times that end now.
func benchLogs(events, perRequest int, seed uint64) []otlpclient.Request {
	return shop.BenchLogs(benchConfig(events, perRequest, seed))
}

func benchSpans(events, perRequest int, seed uint64) []otlpclient.Request {
	return shop.BenchSpans(benchConfig(events, perRequest, seed))
}

func benchConfig(events, perRequest int, seed uint64) shop.BenchConfig {
	start := time.Now().Add(-time.Duration(events) * time.Microsecond)
	return shop.BenchConfig{Seed: seed, Events: events, PerRequest: perRequest, Start: start}
}

// probeLog is a request with one marked log record.
func probeLog(number int) []byte {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "latency-probe")
	record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.Body().SetStr("probe")
	record.Attributes().PutStr("probe", strconv.Itoa(number))
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		panic(err) // no input reaches this encoder
	}
	return body
}
