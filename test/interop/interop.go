// Package interop tests goshawk from the outside, with the clients that other
// people run: the Kafka exporter and receiver of the OpenTelemetry Collector,
// the OpenTelemetry SDKs for Go and JavaScript, and telemetrygen; and with those
// of Zipkin, Jaeger and StatsD, for which the agent has receivers.
//
// It is a module of its own, so that what only these tests need stays out of
// the product's requirements.
package interop
