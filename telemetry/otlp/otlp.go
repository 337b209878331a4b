// Package otlp reads the wire format of every goshawk topic: the protobuf
// encoding of OTLP's ExportLogsServiceRequest, ExportTraceServiceRequest and
// ExportMetricsServiceRequest.
//
// Three things are done with these bytes, all by one walk over them:
//
//   - [Decode] turns the records of a [telemetry.Batch] into rows,
//   - [Splitter] checks a request and cuts it into parts by partition,
//   - [AppendJSON] and [AppendText] render the values that rows keep encoded.
//
// The splitter checks a row with the code that decodes it, so what a gateway
// accepted never turns out to be undecodable behind Kafka.
//
// # Source of the field numbers
//
// Field numbers, wire types and meanings are those of opentelemetry-proto
// v1.11.0, files
//
//	opentelemetry/proto/collector/{logs,trace,metrics}/v1/*_service.proto
//	opentelemetry/proto/{logs,trace,metrics}/v1/{logs,trace,metrics}.proto
//	opentelemetry/proto/common/v1/common.proto
//	opentelemetry/proto/resource/v1/resource.proto
//
// The generated code of go.opentelemetry.io/proto/otlp and the decoder of
// go.opentelemetry.io/collector/pdata are the oracles of the tests.
//
// # How protobuf is read
//
// Fields may come in any order. Unknown fields are skipped, groups included. A
// known field with a wire type that is not its own makes the request malformed,
// as it does in the OpenTelemetry Collector. Repeated scalars may be packed or
// not. Of a repeated scalar field that is not a list the last one counts; a
// repeated embedded message is merged into the earlier one; of a oneof the last
// field counts.
//
// Fields without a place in a row are skipped: entity_refs of a resource, and
// the string indices of AnyValue and KeyValue, which belong to profiles. An
// AnyValue that holds only such an index is empty.
//
// Of attributes with the same key all are kept, in order; who renders them as a
// map lets the last one win, as AppendJSON does.
//
// This package must not know where the bytes come from or what is done with the
// rows. It starts no goroutine and reads no clock.
package otlp
